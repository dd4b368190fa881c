package config

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// saying is one configuration and what is said about it.
type saying struct{ name, toml, said string }

// readSayings takes the test data apart: "=== name", TOML, "----", what is said.
func readSayings(t *testing.T, path string) (head string, sayings []saying) {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	head, rest, _ := strings.Cut(string(content), "=== ")
	for part := range strings.SplitSeq(rest, "\n=== ") {
		name, body, _ := strings.Cut(part, "\n")
		toml, said, found := strings.Cut("\n"+body, "\n----\n")
		if !found {
			toml, said = strings.TrimSuffix("\n"+body, "\n----"), ""
		}
		sayings = append(sayings, saying{name, strings.TrimPrefix(toml, "\n") + "\n", strings.TrimSuffix(said, "\n")})
	}
	return head, sayings
}

func TestEveryProblemIsNamed(t *testing.T) {
	const data = "testdata/problems.txt"
	rewrite := os.Getenv("REWRITE") != ""
	t.Setenv("MPP_TEST_PASSWORD", "hidden-one")
	t.Setenv("MPP_TEST_EMPTY", "")
	head, sayings := readSayings(t, data)
	tools := newTools(t)
	var now strings.Builder
	now.WriteString(head)
	for _, s := range sayings {
		t.Run(s.name, func(t *testing.T) {
			folder := t.TempDir()
			files{"mpp.toml": s.toml, "token": "0123456789abcdef0123456789abcdef\n", "ca.pem": read(t, "testdata/ca.pem")}.write(t, folder)
			tools.write(t, folder)
			text, _ := CheckText(filepath.Join(folder, "mpp.toml"))
			text = strings.TrimSuffix(strings.ReplaceAll(text, folder+"/", ""), "\n")
			if !rewrite {
				if diff := cmp.Diff(s.said, text); diff != "" {
					t.Errorf("what is said (-want +got):\n%s", diff)
				}
			}
			now.WriteString("=== " + s.name + "\n" + s.toml + "----\n" + text + "\n\n")
		})
	}
	if rewrite {
		if err := os.WriteFile(data, []byte(strings.TrimSuffix(now.String(), "\n")), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}

// files are names with their content.
type files map[string]string

// write writes them into a folder, for the owner alone.
func (f files) write(t *testing.T, folder string) {
	t.Helper()
	for name, content := range f {
		path := filepath.Join(folder, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := writeFile(path, content); err != nil {
			t.Fatal(err)
		}
	}
}

func writeFile(path, content string) error { return os.WriteFile(path, []byte(content), 0o600) }

func read(t *testing.T, path string) string {
	t.Helper()
	content, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	return string(content)
}
