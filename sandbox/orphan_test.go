package sandbox_test

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// playHelper is a program that starts servers, says what it has, and waits to be
// killed, or ends.
func playHelper(role string) int {
	ctx, cancel := context.WithTimeout(context.Background(), sandboxtest.Timeout)
	defer cancel()
	base, err := sandbox.Find(ctx, sandbox.MariaDB1011)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	o := sandbox.Options{Base: base, Dir: os.Getenv("HELPER_DIR"), Detached: role == "detached"}
	if role == "disk" {
		o.Disk = sandbox.SmallDisk(8 << 20)
	}
	s, err := sandbox.Start(ctx, o)
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	fmt.Println(s.PID(), s.Dir())
	if role != "detached" {
		<-ctx.Done()
	}
	return 0
}

// crashHelper runs a helper until it has its server, and ends it: it returns the
// server's pid and folder.
func crashHelper(t *testing.T, role string, env ...string) (pid int, dir string) {
	t.Helper()
	cmd := helper(sandboxtest.Context(t), role, env...)
	out, err := cmd.StdoutPipe()
	must(t, err)
	must(t, cmd.Start())
	line, readErr := bufio.NewReader(out).ReadString('\n')
	if role != "detached" {
		must(t, cmd.Process.Kill())
	}
	err = cmd.Wait()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		t.Fatal(err)
	}
	must(t, readErr)
	number, dir, _ := strings.Cut(strings.TrimSpace(line), " ")
	pid, err = strconv.Atoi(number)
	must(t, err)
	return pid, dir
}

// waitGone waits until no process has the pid.
func waitGone(t *testing.T, pid int) {
	t.Helper()
	err := sandbox.Eventually(sandboxtest.Context(t), 10*time.Millisecond, func(context.Context) error {
		if _, err := os.Stat(fmt.Sprintf("/proc/%d", pid)); err == nil {
			return errors.New("it still runs")
		}
		return nil
	})
	must(t, err)
}

func TestServerDiesWithItsProgramAndTheRestIsCleanedUp(t *testing.T) {
	sandboxtest.Base(t, sandbox.MariaDB1011)
	pid, dir := crashHelper(t, "plain", "HELPER_DIR=")
	waitGone(t, pid)
	// Any program of this user that uses a temporary folder may have been quicker.
	_, err := sandbox.CleanStale(sandboxtest.Context(t), "")
	must(t, err)
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("%s is still there: %v", dir, err)
	}
}

func TestMountOfACrashedProgramIsCleanedUp(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can mount")
	}
	sandboxtest.Base(t, sandbox.MariaDB1011)
	root := t.TempDir()
	pid, dir := crashHelper(t, "disk", "HELPER_DIR="+filepath.Join(root, "pool", "node1"))
	waitGone(t, pid)
	must(t, os.WriteFile(filepath.Join(root, "precious"), nil, 0o600))
	removed, err := sandbox.CleanStale(sandboxtest.Context(t), root)
	must(t, err)
	if len(removed) != 1 || removed[0] != dir {
		t.Errorf("removed %q, want %s", removed, dir)
	}
	mounts, err := os.ReadFile("/proc/self/mountinfo")
	must(t, err)
	if strings.Contains(string(mounts), dir) {
		t.Errorf("%s is still mounted", dir)
	}
	if _, err := os.Stat(filepath.Join(root, "precious")); err != nil {
		t.Errorf("a file that is not the sandbox's is gone: %v", err)
	}
}

func TestDetachedServerIsFoundAgain(t *testing.T) {
	sandboxtest.Base(t, sandbox.MariaDB1011)
	dir := filepath.Join(t.TempDir(), "node")
	pid, _ := crashHelper(t, "detached", "HELPER_DIR="+dir)
	s, err := sandbox.Open(dir)
	must(t, err)
	defer s.Close()
	if s.PID() != pid {
		t.Fatalf("pid %d, want %d", s.PID(), pid)
	}
	must(t, answers(s, 10*time.Second))
	if removed, err := sandbox.CleanStale(sandboxtest.Context(t), dir); len(removed) != 0 || err != nil {
		t.Fatalf("a running detached server was cleaned up: %q, %v", removed, err)
	}
	must(t, s.Freeze())
	must(t, s.Restart(sandboxtest.Context(t)))
	must(t, s.Kill())
	waitGone(t, pid)

	again, err := sandbox.Open(dir)
	must(t, err)
	if again.Running() {
		t.Error("a killed server is said to run")
	}
	must(t, again.Restart(sandboxtest.Context(t)))
	must(t, again.Close())
	must(t, s.Close())
	if _, err := sandbox.Open(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("open of a closed server: %v", err)
	}
}
