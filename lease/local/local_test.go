package local_test

import (
	"bufio"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mpp/lease/local"
)

const (
	childEnv = "MPP_LEASE_TEST_DIR"
	// diskEnv has the child fill a small file system of its own in that directory first.
	diskEnv = "MPP_LEASE_TEST_DISK"
)

// TestMain runs the test binary as a daemon that holds a lease until its input ends.
func TestMain(m *testing.M) {
	dir := os.Getenv(childEnv)
	switch {
	case dir != "" && os.Getenv(diskEnv) != "":
		if err := acquireOnAFullDisk(dir); err != nil {
			fmt.Println(err)
			os.Exit(1)
		}
	case dir != "":
		os.Exit(child(dir))
	default:
		os.Exit(m.Run())
	}
}

func acquireOnAFullDisk(dir string) error {
	if err := syscall.Mount("tmpfs", dir, "tmpfs", 0, "size=64k"); err != nil {
		return fmt.Errorf("mount: %w", err)
	}
	l, err := local.Acquire(dir)
	if err != nil {
		return err
	}
	if err := l.Release(); err != nil {
		return err
	}
	if err := os.WriteFile(filepath.Join(dir, "ballast"), make([]byte, 64<<10), 0o600); !errors.Is(err, syscall.ENOSPC) {
		return fmt.Errorf("the disk is not full: %w", err)
	}
	for want := uint64(2); want < 5; want++ {
		l, err := local.Acquire(dir)
		if err != nil {
			return err
		}
		if l.Epoch() != want || !strings.Contains(l.Note(), "no space left") {
			return fmt.Errorf("epoch %d, want %d; note %q", l.Epoch(), want, l.Note())
		}
		if err := l.Release(); err != nil {
			return err
		}
	}
	return nil
}

func TestFullDiskDoesNotKeepTheDaemonFromStarting(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+t.TempDir(), diskEnv+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Unshareflags: syscall.CLONE_NEWNS}
	if os.Geteuid() != 0 {
		cmd.SysProcAttr.Cloneflags = syscall.CLONE_NEWUSER
		cmd.SysProcAttr.UidMappings = []syscall.SysProcIDMap{{HostID: os.Geteuid(), Size: 1}}
		cmd.SysProcAttr.GidMappings = []syscall.SysProcIDMap{{HostID: os.Getegid(), Size: 1}}
	}
	if out, err := cmd.CombinedOutput(); err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

func TestDirectoryOfAnotherUserIsExplained(t *testing.T) {
	dir := t.TempDir()
	if err := errors.Join(os.Chmod(filepath.Dir(dir), 0o755), os.Chmod(dir, 0o555)); err != nil {
		t.Fatal(err)
	}
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	if os.Geteuid() == 0 { // who may write anywhere: the child is somebody else, with a copy that he may run
		program, err := os.ReadFile(os.Args[0])
		if err != nil {
			t.Fatal(err)
		}
		cmd.Path = filepath.Join(dir, "child")
		if err := os.WriteFile(cmd.Path, program, 0o755); err != nil {
			t.Fatal(err)
		}
		cmd.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	out, err := cmd.Output()
	if err == nil || !strings.Contains(string(out), "chown") || !strings.Contains(string(out), dir) {
		t.Errorf("%v: %s", err, out)
	}
}

func child(dir string) int {
	l, err := local.Acquire(dir)
	if err != nil {
		fmt.Println("refused:", err)
		return 1
	}
	fmt.Println("held", l.Epoch())
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	if err := l.Release(); err != nil {
		return 1
	}
	return 0
}

// daemon is a child that holds, or was refused, a lease.
type daemon struct {
	cmd    *exec.Cmd
	answer string
}

func start(t *testing.T, dir string) *daemon {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), childEnv+"="+dir)
	if _, err := cmd.StdinPipe(); err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	d := &daemon{cmd: cmd}
	t.Cleanup(d.kill)
	d.answer, err = bufio.NewReader(out).ReadString('\n')
	if err != nil {
		t.Fatalf("child said nothing: %v", err)
	}
	return d
}

func (d *daemon) kill() {
	_ = d.cmd.Process.Kill()
	_ = d.cmd.Wait()
}

func acquire(t *testing.T, dir string) *local.Lease {
	t.Helper()
	l, err := local.Acquire(dir)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Release() })
	return l
}

func TestSecondProcessIsRefusedAndTheFirstIsNamed(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir)
	_, err := local.Acquire(dir)
	var held *local.HeldError
	if !errors.As(err, &held) || !errors.Is(err, local.ErrHeld) {
		t.Fatalf("want a HeldError, got %v", err)
	}
	host, _ := os.Hostname()
	if held.Holder.PID != first.cmd.Process.Pid || held.Holder.Host != host || held.Gone {
		t.Errorf("holder %+v, want process %d on %s", held.Holder, first.cmd.Process.Pid, host)
	}
	if age := time.Since(held.Holder.Since); age < 0 || age > time.Minute {
		t.Errorf("since %v is not now", held.Holder.Since)
	}
	for _, want := range []string{fmt.Sprint("process ", first.cmd.Process.Pid), host, dir, "stop that one first"} {
		if !strings.Contains(err.Error(), want) {
			t.Errorf("error %q does not say %q", err, want)
		}
	}
	second := start(t, dir)
	if !strings.HasPrefix(second.answer, "refused: ") {
		t.Errorf("second process: %s", second.answer)
	}
}

func TestLeaseOfAKilledProcessIsFreeAtOnce(t *testing.T) {
	dir := t.TempDir()
	first := start(t, dir)
	first.kill()
	if text, err := os.ReadFile(filepath.Join(dir, "lease")); err != nil || !strings.Contains(string(text), fmt.Sprint(first.cmd.Process.Pid)) {
		t.Fatalf("the dead holder's name should still be there: %q %v", text, err)
	}
	l := acquire(t, dir)
	if l.Epoch() != 2 {
		t.Errorf("epoch %d, want 2", l.Epoch())
	}
	if l.Note() != "" {
		t.Errorf("note %q", l.Note())
	}
}

func TestEpochRisesWithEveryLease(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "made", "here")
	for want := uint64(1); want <= 5; want++ {
		l := acquire(t, dir)
		if l.Epoch() != want {
			t.Fatalf("epoch %d, want %d", l.Epoch(), want)
		}
		if err := l.Release(); err != nil {
			t.Fatal(err)
		}
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("state directory %v %v, want mode 0750", info.Mode(), err)
	}
}

func TestEpochSurvivesTheLossOfEitherFile(t *testing.T) {
	for _, name := range []string{"lease", "epoch"} {
		dir := t.TempDir()
		for range 3 {
			if err := acquire(t, dir).Release(); err != nil {
				t.Fatal(err)
			}
		}
		if err := os.Remove(filepath.Join(dir, name)); err != nil {
			t.Fatal(err)
		}
		if l := acquire(t, dir); l.Epoch() != 4 {
			t.Errorf("without %s: epoch %d, want 4", name, l.Epoch())
		}
	}
}

func TestUnreadableEpochGoesOnFromTheClock(t *testing.T) {
	for name, spoil := range map[string][]string{"epoch": {"epoch"}, "both": {"epoch", "lease"}} {
		dir := t.TempDir()
		if err := acquire(t, dir).Release(); err != nil {
			t.Fatal(err)
		}
		for _, f := range spoil {
			if err := os.WriteFile(filepath.Join(dir, f), []byte("garbage\x00"), 0o600); err != nil {
				t.Fatal(err)
			}
		}
		l := acquire(t, dir)
		if l.Epoch() < uint64(time.Now().Unix()-60) || !strings.Contains(l.Note(), "epoch") {
			t.Errorf("%s: epoch %d, note %q", name, l.Epoch(), l.Note())
		}
		first := l.Epoch()
		if err := l.Release(); err != nil {
			t.Fatal(err)
		}
		if again := acquire(t, dir); again.Epoch() != first+1 || again.Note() != "" {
			t.Errorf("%s: then epoch %d, note %q, want %d", name, again.Epoch(), again.Note(), first+1)
		}
	}
}

func TestRemovedLockFileIsNoticed(t *testing.T) {
	dir := t.TempDir()
	l := acquire(t, dir)
	if err := l.Check(); err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(dir, "lease")); err != nil {
		t.Fatal(err)
	}
	if err := l.Check(); !errors.Is(err, local.ErrLost) {
		t.Errorf("lock file removed: %v", err)
	}
	second := acquire(t, dir)
	if second.Epoch() <= l.Epoch() {
		t.Errorf("epoch %d after %d", second.Epoch(), l.Epoch())
	}
	if err := l.Check(); !errors.Is(err, local.ErrLost) {
		t.Errorf("lock file replaced: %v", err)
	}
	if err := second.Release(); err != nil {
		t.Fatal(err)
	}
	if err := second.Check(); !errors.Is(err, local.ErrLost) {
		t.Errorf("released: %v", err)
	}
	if err := second.Release(); err != nil {
		t.Errorf("second release: %v", err)
	}
}

func TestHolderThatHasNotWrittenItsNameIsNotMistaken(t *testing.T) {
	dir := t.TempDir()
	f, err := os.Create(filepath.Join(dir, "lease"))
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	if err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX); err != nil {
		t.Fatal(err)
	}
	var held *local.HeldError
	if _, err := local.Acquire(dir); !errors.As(err, &held) || held.Holder.PID != 0 || !strings.Contains(err.Error(), "not written its name") {
		t.Errorf("empty file: %v", err)
	}
	dead := exec.CommandContext(t.Context(), os.Args[0], "-test.run=^$")
	if err := dead.Run(); err != nil {
		t.Fatal(err)
	}
	host, _ := os.Hostname()
	fmt.Fprintf(f, `{"pid":%d,"host":%q,"since":"2026-01-02T03:04:05Z","epoch":7}`, dead.Process.Pid, host)
	if _, err := local.Acquire(dir); !errors.As(err, &held) || !held.Gone || !strings.Contains(err.Error(), "no such process") {
		t.Errorf("name of a dead process: %v", err)
	}
}

func TestUnusableDirectoryIsExplained(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := local.Acquire(path); err == nil || !strings.Contains(err.Error(), "must be a directory") {
		t.Errorf("a file: %v", err)
	}
	if err := os.Mkdir(filepath.Join(dir, "lease"), 0o700); err != nil {
		t.Fatal(err)
	}
	if _, err := local.Acquire(dir); err == nil || !strings.Contains(err.Error(), dir) {
		t.Errorf("lease is a directory: %v", err)
	}
}
