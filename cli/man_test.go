package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/spf13/cobra"
)

// commands are all commands of the tree that a user can run.
func commands(cmd *cobra.Command) []*cobra.Command {
	all := []*cobra.Command{cmd}
	for _, c := range cmd.Commands() {
		if c.IsAvailableCommand() {
			all = append(all, commands(c)...)
		}
	}
	return all
}

func tree() []*cobra.Command { return commands(newRoot(testEnv())) }

func TestEveryCommandHasAManPage(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "new", "man1")
	s := newStage(t)
	s.env["SOURCE_DATE_EPOCH"] = "1767225600"
	if got := s.run("mpp man " + dir); !strings.Contains(got, "man pages in "+dir) {
		t.Fatal(got)
	}
	for _, c := range tree() {
		page, err := os.ReadFile(filepath.Join(dir, strings.ReplaceAll(c.CommandPath(), " ", "-")+".1"))
		if err != nil {
			t.Error(err)
			continue
		}
		if strings.Contains(string(page), `=""`) || strings.Contains(string(page), "=false") {
			t.Errorf("the page of %s shows defaults that say nothing", c.CommandPath())
		}
		for _, part := range []string{".TH", ".SH SEE ALSO", "Jan 2026", ".SH NAME", ".SH EXAMPLE", ".SH OPTIONS", "mpp 0."} {
			if !strings.Contains(string(page), part) {
				t.Errorf("the page of %s has no %s", c.CommandPath(), part)
			}
		}
	}
	status, err := os.ReadFile(filepath.Join(dir, "mpp-status.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"--json\\fP\n", "--watch\\fP[=\\fIINTERVAL\\fP]\n", "--timeout\\fP=\\fIDURATION\\fP\n"} {
		if !strings.Contains(string(status), part) {
			t.Errorf("mpp-status(1) lacks %q", part)
		}
	}
	root, err := os.ReadFile(filepath.Join(dir, "mpp.1"))
	if err != nil {
		t.Fatal(err)
	}
	for _, part := range []string{"Exit codes", "MPP_SOCKET", "130", "mpp COMMAND [flags]", "mppd(8)", "mpp-check(8)"} {
		if !strings.Contains(string(root), part) {
			t.Errorf("mpp(1) says nothing of %s", part)
		}
	}
}

func TestManPagesAreReproducible(t *testing.T) {
	one, two := t.TempDir(), t.TempDir()
	for _, dir := range []string{one, two} {
		s := newStage(t)
		s.env["SOURCE_DATE_EPOCH"] = "1767225600"
		s.run("mpp man " + dir)
	}
	for _, c := range tree() {
		name := strings.ReplaceAll(c.CommandPath(), " ", "-") + ".1"
		a, errA := os.ReadFile(filepath.Join(one, name))
		b, errB := os.ReadFile(filepath.Join(two, name))
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		if diff := cmp.Diff(string(a), string(b)); diff != "" {
			t.Errorf("%s: %s", name, diff)
		}
	}
}

func TestManIntoAFolderThatCannotBeMadeIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if got := newStage(t).run("mpp man " + file); !strings.Contains(got, "not a directory") || !strings.Contains(got, "[exit code 5]") {
		t.Error(got)
	}
}

func TestEveryCommandExplainsItselfWithAnExample(t *testing.T) {
	for _, c := range tree() {
		if c.Short == "" || c.Long == "" || c.Example == "" {
			t.Errorf("%s lacks a short text, a long text or an example", c.CommandPath())
		}
		if c.RunE == nil {
			t.Errorf("%s does nothing", c.CommandPath())
		}
		for line := range strings.Lines(c.Long) {
			if len(line) > 97 {
				t.Errorf("%s: a line of its help is %d wide: %s", c.CommandPath(), len(line), line)
			}
		}
	}
}

func TestExamplesAreCommandsThatExist(t *testing.T) {
	root := newRoot(testEnv())
	for _, c := range tree() {
		for line := range strings.Lines(c.Example) {
			_, rest, found := strings.Cut("  "+line, " mpp ")
			if !found {
				t.Errorf("%s: example %q runs nothing of mpp", c.CommandPath(), line)
				continue
			}
			target, args, err := root.Find(strings.Fields(rest))
			if err != nil || (target == root && len(args) > 0) {
				t.Errorf("%s: example %q: there is no such command", c.CommandPath(), line)
				continue
			}
			for _, word := range args {
				name, isFlag := strings.CutPrefix(word, "--")
				name, _, _ = strings.Cut(name, "=")
				if isFlag && target.Flag(name) == nil && target.InheritedFlags().Lookup(name) == nil {
					t.Errorf("%s: example %q: %s has no flag --%s", c.CommandPath(), line, target.CommandPath(), name)
				}
			}
		}
	}
}

func TestCompletionScriptsAskTheProgram(t *testing.T) {
	for shell, mark := range map[string]string{"bash": "__start_mpp", "zsh": "#compdef mpp", "fish": "complete -c mpp"} {
		got := newStage(t).run("mpp completion " + shell)
		if !strings.Contains(got, mark) || !strings.Contains(got, "__complete") {
			t.Errorf("the script for %s does not look like one", shell)
		}
	}
}
