package scenario_test

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"sync"
	"testing"
)

// programs are the binaries under test, built once.
type programs struct {
	dir, mppd, mpp string
}

// built returns the programs, and builds them the first time.
var built = sync.OnceValues(func() (programs, error) {
	dir, err := os.MkdirTemp("", "mpp-scenario-")
	if err != nil {
		return programs{}, err
	}
	p := programs{dir: dir, mppd: filepath.Join(dir, "mppd"), mpp: filepath.Join(dir, "mpp")}
	cmd := exec.Command("go", "build", "-o", dir, "./cmd/mppd", "./cmd/mpp", "./cmd/mpp-check")
	cmd.Dir, cmd.Env = "..", append(os.Environ(), "CGO_ENABLED=0")
	if out, err := cmd.CombinedOutput(); err != nil {
		return p, fmt.Errorf("build the programs: %w\n%s", err, out)
	}
	return p, nil
})

// builtDir is the folder of what built made, for removal; empty when nothing was built.
var builtDir string

func TestMain(m *testing.M) {
	code := m.Run()
	if builtDir != "" {
		_ = os.RemoveAll(builtDir)
	}
	for _, left := range leftovers() {
		fmt.Fprintln(os.Stderr, "LEFT BEHIND:", left)
		code = 1
	}
	os.Exit(code)
}

// leftovers lists the processes and mounts that this program still has.
func leftovers() []string {
	var found []string
	me := strconv.Itoa(os.Getpid())
	stats, _ := filepath.Glob("/proc/[0-9]*/stat")
	for _, path := range stats {
		text, _ := os.ReadFile(path)
		_, rest, _ := strings.Cut(string(text), ") ")
		if fields := strings.Fields(rest); len(fields) > 1 && fields[1] == me {
			found = append(found, string(text))
		}
	}
	return found
}

// leftOf lists what is left of a lab that was closed: processes that name its folder, mounts
// in it, its namespaces, the folder itself.
func leftOf(id, dir string) []string {
	var found []string
	lines, _ := filepath.Glob("/proc/[0-9]*/cmdline")
	for _, path := range lines {
		text, _ := os.ReadFile(path)
		if strings.Contains(string(text), dir) {
			found = append(found, "process "+filepath.Base(filepath.Dir(path))+": "+strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	mounts, _ := os.ReadFile("/proc/self/mountinfo")
	for line := range strings.Lines(string(mounts)) {
		if strings.Contains(line, dir) || strings.Contains(line, "mpplab-"+id+"-") {
			found = append(found, "mount: "+line)
		}
	}
	spaces, _ := filepath.Glob("/run/netns/mpplab-" + id + "-*")
	for _, s := range spaces {
		found = append(found, "namespace: "+s)
	}
	if _, err := os.Lstat(dir); err == nil {
		found = append(found, "folder: "+dir)
	}
	return found
}
