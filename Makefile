# MPP: two commands do everything for a newcomer: make demo, make test.
# Everything else here serves those who work on it. `make help` lists the targets.

SHELL       := /bin/bash
GO          ?= go
TOOLS       := $(CURDIR)/.tools
BIN         := $(CURDIR)/bin
FUZZ_TIME   ?= 5s
TEST_FLAGS  ?=
GOFUMPT_VERSION  := v0.12.0
GOLANGCI_VERSION := v2.15.0

.PHONY: help build test test-lab check lint race fuzz bench bench-failover demo demo-down deps demo-deps install docs man clean

help: ## list the targets
	@sed -n 's/^\([a-z-]*\):.*## \(.*\)/  make \1\t\2/p' $(MAKEFILE_LIST) | expand -t 20

build: $(BIN)/mppd $(BIN)/mpp $(BIN)/mpp-check ## build the three binaries into bin/

SOURCES := $(shell find . -name '*.go' -not -name '*_test.go' -not -path './.tools/*') go.mod go.sum

$(BIN)/%: $(SOURCES)
	CGO_ENABLED=0 $(GO) build -trimpath -ldflags '-s -w' -o $@ ./cmd/$*

deps: ## install what the tests need from Debian (root), or say what is missing
	@packaging/deps.sh all

demo-deps:
	@packaging/deps.sh demo

# The scenarios come by themselves: they measure what clients see, and the built mppd has no race detector.
test: deps build ## all tests, real servers included
	$(GO) test $(TEST_FLAGS) -timeout 20m $$($(GO) list ./... | grep -v /scenario$$)
	$(GO) test $(TEST_FLAGS) -timeout 20m ./scenario

test-lab: deps ## every scenario of docs/scenarios.md, which it writes: real servers in a lab, root needed, half an hour
	MPP_LAB=all MPP_LAB_DOC=$(CURDIR)/docs/scenarios.md $(GO) test $(TEST_FLAGS) -count=1 -timeout 90m -run 'TestScenarios|TestTests' ./scenario

race: deps build ## all tests under the race detector, in random order
	$(GO) test -race -shuffle=on $(TEST_FLAGS) -timeout 30m $$($(GO) list ./... | grep -v /scenario$$)

lint: $(TOOLS)/gofumpt $(TOOLS)/golangci-lint ## formatting and static checks
	@out=$$($(TOOLS)/gofumpt -l $$(git ls-files '*.go')); [ -z "$$out" ] || { echo "not gofumpt'ed:"; echo "$$out"; exit 1; }
	$(TOOLS)/golangci-lint run ./...

$(TOOLS)/gofumpt:
	GOBIN=$(TOOLS) $(GO) install mvdan.cc/gofumpt@$(GOFUMPT_VERSION)

$(TOOLS)/golangci-lint:
	GOBIN=$(TOOLS) $(GO) install github.com/golangci/golangci-lint/v2/cmd/golangci-lint@$(GOLANGCI_VERSION)

fuzz: ## every fuzz target for FUZZ_TIME each
	@packaging/fuzz.sh $(FUZZ_TIME)

check: lint race fuzz test ## what CI runs: lint, race, fuzz seconds, tests

bench: deps build ## the benchmarks of docs/benchmarks.md
	@packaging/bench.sh

bench-failover: deps ## outages, and where their time goes, into docs/benchmarks.md: root needed, half an hour
	MPP_LAB=all MPP_BENCH_FAILOVER=$(CURDIR)/docs/benchmarks.md $(GO) test $(TEST_FLAGS) -count=1 -timeout 90m -run TestBenchFailover ./scenario

demo: demo-deps build ## a real replicated pool on this machine, watched by MPP; ends with Ctrl-C
	@$(BIN)/mpp demo up

demo-down: build ## clean up a demo that was left behind
	@$(BIN)/mpp demo down

docs: ## regenerate what is generated in docs/
	$(GO) generate ./...

man: build ## write the man pages into dist/man
	$(BIN)/mpp man dist/man

PREFIX ?= /usr/local
install: build man ## install binaries, wrappers, man pages and units below PREFIX (DESTDIR is honoured)
	@packaging/install.sh "$(DESTDIR)" "$(PREFIX)"

clean: ## remove what was built
	rm -rf bin dist
