package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

// FuzzLoad holds that no text makes Load panic, that every problem has a text and a line that
// the file has, and that what was taken validates again and differs from itself in nothing.
func FuzzLoad(f *testing.F) {
	content, err := os.ReadFile("testdata/problems.txt")
	if err != nil {
		f.Fatal(err)
	}
	for part := range strings.SplitSeq(string(content), "\n=== ") {
		_, text, _ := strings.Cut(part, "\n")
		text, _, _ = strings.Cut(text, "\n----")
		f.Add(text)
	}
	f.Add(strings.NewReplacer("/etc/mpp/password", "password", "/etc/mpp/hooks/chat", "/bin/true").Replace(Sample()))
	f.Add(minimal)
	f.Fuzz(func(t *testing.T, text string) {
		if strings.Contains(text, "include") || strings.Contains(text, "/proc") || strings.Contains(text, "/dev") {
			return // nothing outside the test's folder is to be read
		}
		folder := t.TempDir()
		path := filepath.Join(folder, "mpp.toml")
		files{"mpp.toml": text, "password": "x"}.write(t, folder)
		c, err := Load(path)
		if err != nil {
			var problems *Problems
			if !errors.As(err, &problems) {
				t.Fatalf("the error is %T", err)
			}
			for _, p := range problems.List {
				if p.Text == "" || p.File != path || p.Line < 0 || p.Line > 1+strings.Count(text, "\n") {
					t.Errorf("problem %#v", p)
				}
			}
			return
		}
		if problems, _ := c.Validate(); len(problems) > 0 {
			t.Errorf("taken, and yet: %v", problems)
		}
		if lines := Diff(c, c); len(lines) > 0 {
			t.Errorf("differs from itself: %v", lines)
		}
	})
}
