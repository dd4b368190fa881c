package remotetest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"
)

// inside marks the environment of a process that runs in namespaces of its own.
const inside = "MPP_REMOTETEST_INSIDE"

// Main runs the tests of a package in namespaces of their own, if this process is root, and
// returns the exit status. To be called from TestMain.
func Main(m *testing.M) int {
	if os.Geteuid() != 0 {
		return m.Run()
	}
	if os.Getenv(inside) != "" {
		if err := settle(); err != nil {
			fmt.Fprintln(os.Stderr, "remotetest:", err)
			return 1
		}
		return m.Run()
	}
	cmd := exec.CommandContext(context.Background(), "/proc/self/exe", os.Args[1:]...)
	cmd.Args[0] = os.Args[0]
	cmd.Env = append(os.Environ(), inside+"=1")
	cmd.Stdin, cmd.Stdout, cmd.Stderr = os.Stdin, os.Stdout, os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{
		Cloneflags: syscall.CLONE_NEWNET | syscall.CLONE_NEWNS | syscall.CLONE_NEWPID, Pdeathsig: syscall.SIGKILL,
	}
	err := cmd.Run()
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		return exit.ExitCode()
	case err != nil:
		fmt.Fprintln(os.Stderr, "remotetest: start in namespaces:", err)
		return 1
	}
	return 0
}

// settle gives the namespaces what goes with them.
func settle() error {
	if err := syscall.Mount("", "/", "", syscall.MS_PRIVATE|syscall.MS_REC, ""); err != nil {
		return fmt.Errorf("keep mounts to itself: %w", err)
	}
	for _, m := range []struct{ kind, target string }{{"proc", "/proc"}, {"sysfs", "/sys"}, {"tmpfs", "/run"}} {
		if err := syscall.Mount(m.kind, m.target, m.kind, 0, ""); err != nil {
			return fmt.Errorf("mount %s: %w", m.target, err)
		}
	}
	return os.MkdirAll("/run/sshd", 0o755)
}

// Need skips a test that is not run by root, and fails one whose programs are missing.
func Need(t testing.TB, programs ...string) {
	t.Helper()
	if os.Getenv(inside) == "" {
		t.Skip("NOT TESTED: hosts to reach take root (and TestMain must call remotetest.Main)")
	}
	for _, p := range programs {
		if _, err := exec.LookPath(p); err == nil {
			continue
		}
		if os.Getenv("MPP_ALLOW_MISSING_SERVERS") == "1" {
			t.Skipf("NOT TESTED: %s is not installed, and MPP_ALLOW_MISSING_SERVERS=1", p)
		}
		t.Fatalf("%s is not installed (make deps does it on Debian); set MPP_ALLOW_MISSING_SERVERS=1 to skip", p)
	}
}

// Sh runs a script of the shell and returns what it writes, without the space around it; a
// script that fails fails the test.
func Sh(t testing.TB, script string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(context.WithoutCancel(t.Context()), 30*time.Second) // it cleans up, too
	defer cancel()
	out, err := exec.CommandContext(ctx, "/bin/sh", "-ec", script).CombinedOutput()
	if err != nil {
		t.Fatalf("sh: %s: %v\n%s", script, err, out)
	}
	return strings.TrimSpace(string(out))
}

// Eventually waits up to 10 s until cond returns nil.
func Eventually(t testing.TB, what string, cond func() error) {
	t.Helper()
	limit := time.NewTimer(10 * time.Second)
	defer limit.Stop()
	again := time.NewTicker(2 * time.Millisecond)
	defer again.Stop()
	for {
		err := cond()
		if err == nil {
			return
		}
		select {
		case <-limit.C:
			t.Fatalf("%s: not within 10 s: %v", what, err)
		case <-again.C:
		}
	}
}
