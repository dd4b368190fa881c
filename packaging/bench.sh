#!/usr/bin/env bash
# The benchmarks whose results docs/benchmarks.md holds, with the machine they ran on.
set -euo pipefail
echo "machine: $(nproc) cores, $(sed -n 's/^model name[^:]*: //p' /proc/cpuinfo | head -1), $(free -h | awk '/^Mem/{print $2}') memory, kernel $(uname -r), $(go version)"
echo "date:    $(date -u +%F)"
go test -run '^$' -bench . -benchtime 2s ./state ./pool ./journal ./config ./cli ./publish/statefile
go test -run '^$' -bench . -benchtime 1x -timeout 20m ./poller ./cmd/mpp-check
go test -run '^$' -bench . -benchtime 3s ./checks
