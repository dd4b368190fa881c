package lab_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mpp/sandbox"
	"mpp/sandbox/lab"
	"mpp/sandbox/lab/labtest"
	"mpp/sandbox/sandboxtest"
)

// remains lists what is there of a lab: namespaces, processes, mounts and its folder.
func remains(t *testing.T, dir string) []string {
	t.Helper()
	found := mounts(dir)
	for _, name := range spaces(t) {
		found = append(found, "namespace "+name)
	}
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	for _, file := range lines {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), dir) {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		found = append(found, "folder "+dir)
	}
	return found
}

// spaces lists the namespaces of all labs; no test of this package runs beside another.
func spaces(t *testing.T) []string {
	t.Helper()
	all, err := filepath.Glob("/run/netns/mpplab-*")
	if err != nil {
		t.Fatal(err)
	}
	return all
}

// others are the namespaces of labs that other programs have, which are not looked at.
func newSpaces(t *testing.T, others []string) []string {
	t.Helper()
	var mine []string
	for _, name := range spaces(t) {
		if !strings.Contains(strings.Join(others, "\n")+"\n", name+"\n") {
			mine = append(mine, name)
		}
	}
	return mine
}

// there returns a condition that something like this is in the lab's folder.
func there(pattern string) func(dir string) bool {
	return func(dir string) bool {
		found, _ := filepath.Glob(filepath.Join(dir, pattern))
		return len(found) > 0
	}
}

func TestDownLeavesNothingWhateverUpHadDone(t *testing.T) {
	labtest.Need(t)
	sandboxtest.Base(t, sandbox.MariaDB1011)
	others := spaces(t)
	moments := []struct {
		name string
		come func(dir string) bool
	}{
		{"claimed", there("lab.json")},
		{"a namespace", func(string) bool { return len(newSpaces(t, others)) > 0 }},
		{"some namespaces", func(string) bool { return len(newSpaces(t, others)) > 3 }},
		{"keys", there("ssh/known_hosts")},
		{"sshd", there("ssh/*.log")},
		{"a server's folder", there("pools/lab1/*/sandbox.json")},
		{"a server's process", there("pools/lab1/*/error.log")},
		{"a server's socket", there("pools/lab1/*/sock")},
		{"all servers", there("pools/lab1/pool.json")},
		{"configuration", there("mpp.toml")},
		{"ready", func(dir string) bool { _, err := lab.Open(dir, nil); return err == nil }},
	}
	for _, moment := range moments {
		t.Run(moment.name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "lab")
			cmd := helper(t.Context(), "up", "MPP_LAB_DIR="+dir)
			if err := cmd.Start(); err != nil {
				t.Fatal(err)
			}
			for !moment.come(dir) {
				if t.Context().Err() != nil {
					t.Fatal("the moment did not come")
				}
			}
			if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
				t.Fatal(err)
			}
			_ = cmd.Wait()
			if was, err := lab.Down(t.Context(), dir); err != nil || !was {
				t.Fatalf("down: %v %v", was, err)
			}
			for _, left := range remains(t, dir) {
				if !strings.HasPrefix(left, "namespace") {
					t.Error("left behind:", left)
				}
			}
			if left := newSpaces(t, others); len(left) > 0 {
				t.Errorf("left behind: %q", left)
			}
			if was, err := lab.Down(t.Context(), dir); err != nil || was {
				t.Errorf("a second down: %v %v", was, err)
			}
		})
	}
}

// startHelper starts a lab in another program and returns its folder when it is up.
func startHelper(t *testing.T, role string, env ...string) (*exec.Cmd, string) {
	t.Helper()
	cmd := helper(t.Context(), role, env...)
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	if !lines.Scan() || !filepath.IsAbs(lines.Text()) {
		t.Fatalf("the helper said %q", lines.Text())
	}
	return cmd, lines.Text()
}

func TestDownFindsALabWhoseFolderIsGone(t *testing.T) {
	labtest.Need(t)
	others := spaces(t)
	cmd, dir := startHelper(t, "up", "MPP_LAB_DIR="+filepath.Join(t.TempDir(), "lab"))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	// It fails at the servers' disks, which are mounted, and that is what it leaves.
	if err := os.RemoveAll(dir); err == nil {
		t.Fatal("a folder with mounts in it is gone: the test shows nothing")
	}
	if _, err := os.Stat(filepath.Join(dir, "lab.json")); !errors.Is(err, os.ErrNotExist) {
		t.Fatal("the record is still there: the test shows nothing")
	}
	if was, err := lab.Down(t.Context(), dir); err != nil || !was {
		t.Fatalf("down: %v %v", was, err)
	}
	if left := newSpaces(t, others); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if left := remains(t, dir); len(left) > len(others) {
		t.Errorf("left behind: %q", left)
	}
}

func TestRemainsOfAnEarlierBootAreNoLabAndGo(t *testing.T) {
	labtest.Need(t)
	cmd, dir := startHelper(t, "up", "MPP_LAB_DIR="+filepath.Join(t.TempDir(), "lab"))
	defer func() { _ = cmd.Wait() }()
	defer func() { _ = cmd.Process.Kill() }()
	text, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if err != nil {
		t.Fatal(err)
	}
	// What is in the file names namespaces that are not there, as after a reboot.
	l, err := lab.Open(dir, nil)
	if err != nil {
		t.Fatal(err)
	}
	old := filepath.Join(t.TempDir(), "old")
	if err := os.Mkdir(old, 0o700); err != nil {
		t.Fatal(err)
	}
	text = []byte(strings.ReplaceAll(string(text), l.ID(), "00ff00"))
	if err := os.WriteFile(filepath.Join(old, "lab.json"), text, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := l.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if _, err := lab.Open(old, nil); !errors.Is(err, lab.ErrNotReady) {
		t.Errorf("open: %v", err)
	}
	if was, err := lab.Down(t.Context(), old); err != nil || !was {
		t.Errorf("down: %v %v", was, err)
	}
	if _, err := os.Stat(old); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
}

func TestTemporaryLabsOfKilledProgramsAreRemoved(t *testing.T) {
	labtest.Need(t)
	cmd, dir := startHelper(t, "temporary")
	alive, err := lab.CleanStale(t.Context())
	if err != nil || strings.Contains(fmt.Sprint(alive), dir) {
		t.Fatalf("a lab that is in use was removed: %v %v", alive, err)
	}
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	removed, err := lab.CleanStale(t.Context())
	if err != nil || !strings.Contains(fmt.Sprint(removed), dir) {
		t.Fatalf("removed %v, %v", removed, err)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder: %v", err)
	}
}

func TestUpThatFailsLeavesNothing(t *testing.T) {
	labtest.Need(t)
	others := spaces(t)
	dir := filepath.Join(t.TempDir(), "lab")
	_, err := lab.Up(sandboxtest.Context(t), lab.Options{
		Dir: dir, Base: sandboxtest.Base(t, sandbox.MariaDB1011), Args: []string{"--no-such-option"},
	})
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("the error does not say why: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lab.Up(ctx, lab.Options{Dir: dir, Base: sandboxtest.Base(t, sandbox.MariaDB1011)}); err == nil {
		t.Error("a lab in no time")
	}
	if left := newSpaces(t, others); len(left) > 0 {
		t.Errorf("left behind: %q", left)
	}
	if left := remains(t, dir); len(left) > len(others) {
		t.Errorf("left behind: %q", left)
	}
}

func TestWithoutRootTheErrorSaysWhatIsNeeded(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("not root, and so without a way to become nobody")
	}
	program := filepath.Join(t.TempDir(), "helper")
	text, err := os.ReadFile(os.Args[0])
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(program, text, 0o755); err != nil {
		t.Fatal(err)
	}
	for dir := filepath.Dir(program); strings.HasPrefix(dir, os.TempDir()+"/"); dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	run := func(attr *syscall.SysProcAttr, argv ...string) string {
		cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
		cmd.Env, cmd.Dir, cmd.SysProcAttr = append(os.Environ(), helperVar+"=possible"), "/", attr
		out, err := cmd.CombinedOutput()
		if err != nil {
			t.Errorf("%v: %s", err, out)
		}
		return string(out)
	}
	const nobody = 65534
	out := run(&syscall.SysProcAttr{Credential: &syscall.Credential{Uid: nobody, Gid: nobody}}, program)
	if !strings.Contains(out, "need root") || !strings.Contains(out, "CAP_SYS_ADMIN") {
		t.Errorf("as nobody: %s", out)
	}
	// As in a container that is not privileged: root, without the capability.
	if _, err := exec.LookPath("setpriv"); err != nil {
		t.Skip("no setpriv")
	}
	out = run(nil, "setpriv", "--bounding-set=-sys_admin", "--inh-caps=-sys_admin", program)
	if !strings.Contains(out, "CAP_SYS_ADMIN") || !strings.Contains(out, "privileged") {
		t.Errorf("without the capability: %s", out)
	}
}
