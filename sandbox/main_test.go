package sandbox_test

import (
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
)

// helperVar makes the test binary play a program that uses the sandbox and dies.
const helperVar = "MPP_SANDBOX_HELPER"

func TestMain(m *testing.M) {
	if role := os.Getenv(helperVar); role != "" {
		os.Exit(playHelper(role))
	}
	code := m.Run()
	for _, left := range leftovers() {
		fmt.Fprintln(os.Stderr, "LEFT BEHIND:", left)
		code = 1
	}
	os.Exit(code)
}

// leftovers lists the processes, folders and mounts that this program still has.
func leftovers() []string {
	var found []string
	me := strconv.Itoa(os.Getpid())
	for _, root := range []string{"/dev/shm", os.TempDir()} {
		dirs, _ := filepath.Glob(filepath.Join(root, "mpp-sandbox-*", me+".*"))
		socks, _ := filepath.Glob(filepath.Join(root, "mpp-sock-*"))
		found = append(found, append(dirs, socks...)...)
	}
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == me {
			found = append(found, string(text))
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, "/"+me+".") {
			found = append(found, line)
		}
	}
	return found
}

// helper returns a command that runs this binary in a role.
func helper(ctx context.Context, role string, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(append(os.Environ(), helperVar+"="+role), env...)
	cmd.Stderr = os.Stderr
	return cmd
}
