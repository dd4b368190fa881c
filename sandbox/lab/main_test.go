package lab_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"testing"

	"mpp/sandbox/lab"
)

// helperVar makes the test binary play a program that makes a lab and may be killed.
const helperVar = "MPP_LAB_HELPER"

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

// leftovers lists the folders and mounts that this program still has.
func leftovers() []string {
	me := strconv.Itoa(os.Getpid())
	var found []string
	for _, root := range []string{"/dev/shm", os.TempDir()} {
		dirs, _ := filepath.Glob(filepath.Join(root, "mpp-labs-*", me+".*"))
		found = append(found, dirs...)
	}
	return append(found, mounts("/"+me+".")...)
}

// mounts lists the mounts whose description holds a text.
func mounts(text string) []string {
	all, _ := os.ReadFile("/proc/self/mountinfo")
	var found []string
	for line := range strings.Lines(string(all)) {
		if strings.Contains(line, text) {
			found = append(found, line)
		}
	}
	return found
}

func playHelper(role string) int {
	ctx := context.Background()
	switch role {
	case "possible":
		err := lab.Possible()
		fmt.Println(err)
		if errors.Is(err, lab.ErrNotPossible) {
			return 0
		}
		return 1
	case "up", "temporary":
		o := lab.Options{Dir: os.Getenv("MPP_LAB_DIR"), Detached: role == "up", Log: os.Stderr}
		l, err := lab.Up(ctx, o)
		if err != nil {
			fmt.Println(err)
			return 1
		}
		fmt.Println(l.Dir())
		select {} // until it is killed
	}
	return 2
}

// helper returns a command that runs this binary in a role.
func helper(ctx context.Context, role string, env ...string) *exec.Cmd {
	cmd := exec.CommandContext(ctx, os.Args[0])
	cmd.Env = append(append(os.Environ(), helperVar+"="+role), env...)
	return cmd
}
