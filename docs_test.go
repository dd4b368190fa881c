package mpp_test

import (
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"
)

func read(t *testing.T, file string) string {
	t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestEveryPackageIsInTheArchitecturesTable(t *testing.T) {
	var named []string
	for _, m := range regexp.MustCompile("`([a-z/-]+)`").FindAllStringSubmatch(read(t, "docs/architecture.md"), -1) {
		named = append(named, strings.TrimSuffix(m[1], "/"))
	}
	for _, p := range packages(t) {
		path := local(p.ImportPath)
		if path == "." || strings.HasPrefix(path, "cmd/") || strings.Contains(path, "/cmd/") {
			continue // their parents are there
		}
		// A package below one that is named may be called by its own name alone.
		short := slices.Contains(named, filepath.Dir(path)) && slices.Contains(named, filepath.Base(path))
		if !short && !slices.Contains(named, path) {
			t.Errorf("docs/architecture.md does not say what %s is", path)
		}
	}
}

func TestEveryRuleIsInTheArchitecture(t *testing.T) {
	page := read(t, "docs/architecture.md")
	for _, file := range []string{"pool/failover.go", "pool/engine.go"} {
		for _, m := range regexp.MustCompile(`\trule\w+ += "([a-z-]+)"`).FindAllStringSubmatch(read(t, file), -1) {
			if !strings.Contains(page, "`"+m[1]+"`") {
				t.Errorf("docs/architecture.md does not explain the rule %s", m[1])
			}
		}
	}
}

func TestEveryProblemIsExplainedToOperators(t *testing.T) {
	page := read(t, "docs/operations/reading-status.md")
	codes := regexp.MustCompile(`\{code: "([a-z-]+)"`).FindAllStringSubmatch(read(t, "pool/problems.go"), -1)
	if len(codes) < 15 {
		t.Fatalf("only %d problems were found in pool/problems.go: the test looks for the wrong thing", len(codes))
	}
	for _, m := range codes {
		if !strings.Contains(page, "**"+m[1]+"**") {
			t.Errorf("docs/operations/reading-status.md does not explain %s", m[1])
		}
	}
}

// anchors are the headings of a page, as links spell them.
func anchors(page string) []string {
	var all []string
	drop := regexp.MustCompile(`[^\p{L}\p{N} _-]`)
	for _, m := range regexp.MustCompile(`(?m)^#+ (.*)$`).FindAllStringSubmatch(page, -1) {
		all = append(all, strings.ReplaceAll(drop.ReplaceAllString(strings.ToLower(m[1]), ""), " ", "-"))
	}
	return all
}

func TestLinksOfTheDocumentationLeadSomewhere(t *testing.T) {
	pages := []string{"README.md", "CONTRIBUTING.md", "SECURITY.md", "CHANGELOG.md"}
	for _, dir := range []string{"docs", "examples", "packaging"} {
		err := filepath.WalkDir(dir, func(path string, _ fs.DirEntry, err error) error {
			if strings.HasSuffix(path, ".md") {
				pages = append(pages, path)
			}
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	link := regexp.MustCompile(`\]\(([^)#:\s]*)(#[^)\s]+)?\)`)
	for _, page := range pages {
		for _, m := range link.FindAllStringSubmatch(read(t, page), -1) {
			target := page
			if m[1] != "" {
				target = filepath.Join(filepath.Dir(page), m[1])
			}
			if _, err := os.Stat(target); err != nil {
				t.Errorf("%s links to %s: %v", page, m[1], err)
				continue
			}
			if m[2] != "" && !slices.Contains(anchors(read(t, target)), m[2][1:]) {
				t.Errorf("%s links to %s%s: there is no such heading", page, m[1], m[2])
			}
		}
	}
}
