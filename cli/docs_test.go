package cli

import (
	"os"
	"strings"
	"testing"

	"github.com/spf13/pflag"
)

// docsPage is where the documentation is, seen from testdata/files, where its examples run.
const docsPage = "../../../docs/cli.md"

func documentation(t *testing.T) string {
	t.Helper()
	t.Chdir("testdata/files")
	text, err := os.ReadFile(docsPage)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestDocumentedOutputIsTheRealOne(t *testing.T) {
	got := play(newStage(t), documentation(t),
		func(line string) (string, bool) {
			inner, found := strings.CutPrefix(line, "<!-- world")
			return "world" + strings.TrimSuffix(inner, " -->"), found
		},
		func(line string) bool { return line == "```" })
	compareFile(t, docsPage, got)
}

// section is the part of the documentation below the heading of a command.
func section(text, command string) string {
	for _, level := range []string{"\n## ", "\n### "} {
		if _, after, found := strings.Cut(text, level+command+"\n"); found {
			before, _, _ := strings.Cut(after, "\n## ")
			return before
		}
	}
	return ""
}

func TestEveryCommandAndFlagIsDocumented(t *testing.T) {
	text := documentation(t)
	for _, c := range tree()[1:] {
		about := section(text, c.CommandPath())
		if about == "" {
			t.Errorf("docs/cli.md has no heading %q", c.CommandPath())
			continue
		}
		c.LocalNonPersistentFlags().VisitAll(func(f *pflag.Flag) {
			if f.Name != "help" && !strings.Contains(about, "--"+f.Name) && !strings.Contains(section(text, "mpp recover"), "`--"+f.Name+"` prints the result as JSON, as with every") {
				t.Errorf("docs/cli.md says nothing of %s --%s", c.CommandPath(), f.Name)
			}
		})
	}
	newRoot(testEnv()).PersistentFlags().VisitAll(func(f *pflag.Flag) {
		if !strings.Contains(text, "`--"+f.Name) {
			t.Errorf("docs/cli.md says nothing of --%s", f.Name)
		}
	})
}

func TestExitCodesAreDocumentedWhereTheyAreLookedFor(t *testing.T) {
	text := documentation(t)
	help := newStage(t).run("mpp help exit-codes")
	for _, code := range []string{"0", "1", "2", "3", "4", "5", "130"} {
		if !strings.Contains(text, "\n| "+code+" | ") {
			t.Errorf("docs/cli.md lacks exit code %s", code)
		}
		if !strings.Contains(help, "\n    "+code+" ") {
			t.Errorf("mpp help exit-codes lacks %s", code)
		}
	}
}
