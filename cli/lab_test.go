package cli

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mpp/sandbox"
	"mpp/sandbox/lab"
	"mpp/sandbox/lab/labtest"
	"mpp/sandbox/sandboxtest"
)

// labProgram runs the real mpp lab, as people do.
type labProgram struct {
	t         *testing.T
	path, dir string
}

func newLabProgram(t *testing.T) labProgram {
	t.Helper()
	labtest.Need(t)
	sandboxtest.Base(t, sandbox.MariaDB1011)
	p := labProgram{t: t, path: filepath.Join(t.TempDir(), "mpp"), dir: filepath.Join(t.TempDir(), "lab")}
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", p.path, "mpp/cmd/mpp").CombinedOutput(); err != nil {
		t.Fatalf("build mpp: %v\n%s", err, out)
	}
	t.Cleanup(func() {
		if _, err := lab.Down(context.Background(), p.dir); err != nil {
			t.Error(err)
		}
	})
	return p
}

// run returns the output and the exit code.
func (p labProgram) run(words ...string) (string, int) {
	p.t.Helper()
	args := append([]string{"lab", words[0], "--dir", p.dir}, words[1:]...)
	cmd := exec.CommandContext(p.t.Context(), p.path, args...)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		p.t.Fatalf("mpp lab %s: %v", strings.Join(words, " "), err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// says runs a command that must succeed and say something.
func (p labProgram) says(text string, words ...string) {
	p.t.Helper()
	out, code := p.run(words...)
	if code != 0 || !strings.Contains(out, text) {
		p.t.Errorf("mpp lab %s: exit code %d, want %q in:\n%s", strings.Join(words, " "), code, text, out)
	}
}

func TestALabIsMadeBrokenMendedAndRemoved(t *testing.T) {
	p := newLabProgram(t)
	p.says("no lab is there", "down")
	if out, code := p.run("status"); code != ExitTrouble || !strings.Contains(out, "mpp lab up --dir "+p.dir+" makes one") {
		t.Errorf("status without a lab: %d\n%s", code, out)
	}
	p.says("pool lab1: virtual address 10.", "up", "--no-mppd", "--clients", "2")
	if out, code := p.run("up", "--no-mppd"); code != ExitTrouble || !strings.Contains(out, "mpp lab down --dir") {
		t.Errorf("a second up: %d\n%s", code, out)
	}
	p.says("engine = \"native\"", "exec", "manager", "--", "cat", filepath.Join(p.dir, "mpp.toml"))
	if out, code := p.run("exec", "db1", "sh", "-c", "exit 7"); code != 7 {
		t.Errorf("exec: exit code %d\n%s", code, out)
	}
	p.says("lost: none", "write", "--for", "300ms", "--writers", "2")

	p.says("db2: what it sends is 20ms late, 10 % of it lost", "slow", "db2", "--delay", "20ms", "--loss", "10%")
	p.says("db3: cut off from manager", "cut", "db3", "--from", "manager")
	p.says("db3: frozen", "freeze", "db3")
	p.says("db1: its disk is full", "fill", "db1")
	p.says("client2: cut off from everybody", "cut", "client2")
	for _, want := range []string{"slow: 20ms late, 10 % of it lost", "frozen", "cut from manager", "disk full", "is on db1"} {
		p.says(want, "status")
	}
	p.says("db1: its disk has room", "empty", "db1")
	p.says("db3: goes on", "thaw", "db3")
	for _, host := range []string{"db2", "db3", "client2"} {
		p.says("its link is whole", "heal", host)
	}
	if out, _ := p.run("status"); strings.Contains(out, "cut") || strings.Contains(out, "slow") || strings.Contains(out, "frozen") {
		t.Errorf("after all was mended:\n%s", out)
	}

	p.says("db1: killed", "kill", "db1")
	out, code := p.run("write", "--for", "100ms")
	if code != ExitTrouble || !strings.Contains(out, "refused") || strings.Contains(out, "mppd") {
		t.Errorf("write to nobody: %d\n%s", code, out)
	}
	p.says("db1: started", "start", "db1")
	p.says("db1: shut down", "stop", "db1")
	p.says("the lab is gone", "down")
	if _, err := os.Stat(p.dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
}

func TestLabsRecordIsJSON(t *testing.T) {
	p := newLabProgram(t)
	p.says("pool lab2", "up", "--no-mppd", "--nodes", "1", "--pools", "2", "--ipv6")
	out, code := p.run("write", "--through", "lab2", "--for", "200ms", "--json")
	var plain map[string]any
	if err := json.Unmarshal([]byte(out), &plain); err != nil || code != 0 {
		t.Fatalf("exit code %d, %v\n%s", code, err, out)
	}
	verdict, _ := plain["verdict"].(map[string]any)
	if plain["pool"] != "lab2" || plain["double"] != 0.0 || verdict["server"] != "db2-1" || verdict["lost"] != 0.0 {
		t.Errorf("the record:\n%s", out)
	}
	var status lab.Status
	out, _ = p.run("status", "--json")
	if err := json.Unmarshal([]byte(out), &status); err != nil || len(status.Pools) != 2 || status.Pools[1].Holders[0] != "db2-1" {
		t.Errorf("status: %v\n%s", err, out)
	}
	p.says("acknowledged", "write", "--through", status.Pools[0].VIP6, "--for", "100ms")
}

func TestWrongWordsToTheLabAreUsageErrors(t *testing.T) {
	dir := t.TempDir()
	for line, want := range map[string]string{
		"mpp lab up --flavour oracle":         "mariadb-10.11",
		"mpp lab up --nodes 0":                "--nodes is 0",
		"mpp lab exec db1":                    "needs a host and a command",
		"mpp lab kill":                        "needs a host",
		"mpp lab slow db1 --loss 200%":        "0% to 100%",
		"mpp lab write --interval 0s":         "--interval",
		"mpp lab kil db1":                     "did you mean mpp lab kill?",
		"mpp lab up --flavour mysql-9.7 more": "does not take",
	} {
		got := newStage(t).run(strings.Replace(line, "mpp lab", "mpp lab --dir "+dir, 1))
		if !strings.Contains(got, want) || !strings.Contains(got, "[exit code 2]") {
			t.Errorf("%s:\n%s", line, got)
		}
	}
}
