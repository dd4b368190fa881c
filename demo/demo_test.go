package demo_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"mpp/demo"
	"mpp/publish/api/client"
	"mpp/sandbox"
)

const patience = time.Minute

// output collects what the demo prints, for a reader beside it.
type output struct {
	mu sync.Mutex
	b  bytes.Buffer
}

func (o *output) Write(p []byte) (int, error) {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.Write(p)
}

func (o *output) String() string {
	o.mu.Lock()
	defer o.mu.Unlock()
	return o.b.String()
}

// build makes mppd and mpp as a user would.
func build(t *testing.T) (mppd, mpp string) {
	t.Helper()
	dir := t.TempDir()
	mppd, mpp = filepath.Join(dir, "mppd"), filepath.Join(dir, "mpp")
	for program, source := range map[string]string{mppd: "mpp/cmd/mppd", mpp: "mpp/cmd/mpp"} {
		if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, source).CombinedOutput(); err != nil {
			t.Fatalf("build %s: %v\n%s", source, err, out)
		}
	}
	return mppd, mpp
}

// eventually waits for cond with a limit.
func eventually(t *testing.T, what string, cond func() error) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), patience)
	defer cancel()
	if err := sandbox.Eventually(ctx, 20*time.Millisecond, func(context.Context) error { return cond() }); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

// states waits until the demo's nodes have these states.
func states(t *testing.T, dir, want string) {
	t.Helper()
	c, err := client.New(client.Options{Socket: filepath.Join(dir, "run", "mppd.sock")})
	if err != nil {
		t.Fatal(err)
	}
	eventually(t, "states "+want, func() error {
		v, err := c.View(t.Context())
		if err != nil {
			return err
		}
		var all []string
		for _, n := range v.Pools[0].Nodes {
			all = append(all, string(n.State))
		}
		if got := strings.Join(all, " "); got != want {
			return fmt.Errorf("they are %s", got)
		}
		return nil
	})
}

func says(t *testing.T, out *output, text string) {
	t.Helper()
	eventually(t, "the demo says "+text, func() error {
		if !strings.Contains(out.String(), text) {
			return fmt.Errorf("so far:\n%s", out.String())
		}
		return nil
	})
}

// processes lists the running processes whose command line mentions dir.
func processes(t *testing.T, dir string) []string {
	t.Helper()
	lines, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var found []string
	for _, file := range lines {
		text, err := os.ReadFile(file)
		if err == nil && strings.Contains(string(text), dir) && !strings.Contains(string(text), ".test") {
			found = append(found, strings.ReplaceAll(string(text), "\x00", " "))
		}
	}
	return found
}

func TestTheDemoShowsAFailoverAndLeavesNothingBehind(t *testing.T) {
	mppd, mpp := build(t)
	o := demo.Options{Dir: filepath.Join(t.TempDir(), "demo"), Mppd: mppd, Mpp: mpp}
	ctx, end := context.WithCancel(t.Context())
	defer end()
	var out output
	up := o
	up.Out = &out
	done := make(chan error, 1)
	go func() { done <- demo.Up(ctx, up) }()
	says(t, &out, "Ctrl-C ends the demo")
	says(t, &out, "mpp demo --dir "+o.Dir+" kill 1 ")
	states(t, o.Dir, "ACTIVE STANDBY STANDBY")
	says(t, &out, "writes go to")

	var second output
	again := o
	again.Out = &second
	if err := demo.Up(t.Context(), again); err == nil || !strings.Contains(err.Error(), "mpp demo --dir "+o.Dir+" down") {
		t.Errorf("a second demo: %v", err)
	}
	do := func(deed demo.Deed, n int) {
		t.Helper()
		each := o
		each.Out = &out
		if err := demo.Do(t.Context(), each, deed, n); err != nil {
			t.Fatal(err)
		}
	}
	do(demo.Kill, 1)
	states(t, o.Dir, "FAIL ACTIVE STANDBY")
	eventually(t, "the writer follows", func() error {
		if strings.Count(out.String(), "writes go to") < 2 {
			return errors.New("it does not yet")
		}
		return nil
	})
	do(demo.Start, 1)
	do(demo.StopSQL, 3)
	states(t, o.Dir, "FAIL ACTIVE FAIL")
	each := o
	each.Out = &out
	if err := demo.Do(t.Context(), each, demo.Kill, 4); err == nil || !strings.Contains(err.Error(), "servers 1 to 3") {
		t.Errorf("kill 4: %v", err)
	}

	end()
	select {
	case err := <-done:
		if err != nil {
			t.Errorf("the demo ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the demo did not end")
	}
	if !strings.Contains(out.String(), "rows acknowledged") {
		t.Errorf("the writer's count is missing:\n%s", out.String())
	}
	if _, err := os.Stat(o.Dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if left := processes(t, o.Dir); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
}

func TestDownCleansUpAfterADemoThatWasKilled(t *testing.T) {
	_, mpp := build(t)
	dir := filepath.Join(t.TempDir(), "demo")
	var out output
	cmd := exec.Command(mpp, "demo", "up", "--dir", dir)
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	says(t, &out, "Ctrl-C ends the demo")
	if err := cmd.Process.Signal(syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	if len(processes(t, dir)) == 0 {
		t.Fatal("kill -9 of the demo left nothing to clean up: the test shows nothing")
	}
	var said output
	if err := demo.Down(demo.Options{Dir: dir, Out: &said}); err != nil {
		t.Fatal(err)
	}
	if left := processes(t, dir); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if err := demo.Down(demo.Options{Dir: dir, Out: &said}); err != nil {
		t.Errorf("a second down: %v", err)
	}
}
