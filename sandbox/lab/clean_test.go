package lab_test

import (
	"bufio"
	"context"
	"encoding/json"
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
func remains(t *testing.T, dir, id string) []string {
	t.Helper()
	found := append(mounts(dir), spaces(id)...)
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

// spaces lists the namespaces of a lab; other programs may have labs, too.
func spaces(id string) []string {
	all, _ := filepath.Glob("/run/netns/mpplab-" + id + "-*")
	return all
}

// idOf is the id of the lab in a folder, empty as long as it has none.
func idOf(dir string) string {
	var rec struct{ ID string }
	text, err := os.ReadFile(filepath.Join(dir, "lab.json"))
	if err != nil || json.Unmarshal(text, &rec) != nil {
		return ""
	}
	return rec.ID
}

// hasSpaces returns a condition that the lab in a folder has some namespaces.
func hasSpaces(least int) func(dir string) bool {
	return func(dir string) bool { id := idOf(dir); return id != "" && len(spaces(id)) >= least }
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
	moments := []struct {
		name string
		come func(dir string) bool
	}{
		{"claimed", hasSpaces(0)},
		{"a namespace", hasSpaces(1)},
		{"some namespaces", hasSpaces(4)},
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
			id := idOf(dir)
			if was, err := lab.Down(t.Context(), dir); err != nil || !was {
				t.Fatalf("down: %v %v", was, err)
			}
			if left := remains(t, dir, id); id == "" || len(left) > 0 {
				t.Errorf("left behind by %q: %q", id, left)
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
	cmd, dir := startHelper(t, "up", "MPP_LAB_DIR="+filepath.Join(t.TempDir(), "lab"))
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	id := idOf(dir)
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
	if left := remains(t, dir, id); id == "" || len(left) > 0 {
		t.Errorf("left behind by %q: %q", id, left)
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
	dir := filepath.Join(t.TempDir(), "lab")
	var said idSeeker
	said.dir = dir
	_, err := lab.Up(sandboxtest.Context(t), lab.Options{
		Log: &said, Dir: dir, Base: sandboxtest.Base(t, sandbox.MariaDB1011), Args: []string{"--no-such-option"},
	})
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("the error does not say why: %v", err)
	}
	ctx, cancel := context.WithCancel(t.Context())
	cancel()
	if _, err := lab.Up(ctx, lab.Options{Dir: dir, Base: sandboxtest.Base(t, sandbox.MariaDB1011)}); err == nil {
		t.Error("a lab in no time")
	}
	if left := remains(t, dir, said.id); said.id == "" || len(left) > 0 {
		t.Errorf("left behind by %q: %q", said.id, left)
	}
}

// idSeeker is a log that finds out the id of the lab that writes to it.
type idSeeker struct{ dir, id string }

func (s *idSeeker) Write(p []byte) (int, error) {
	if s.id == "" {
		s.id = idOf(s.dir)
	}
	return len(p), nil
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
