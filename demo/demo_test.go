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

	"mpp"
	"mpp/demo"
	"mpp/publish/api/client"
	"mpp/sandbox"
	"mpp/sandbox/lab"
	"mpp/sandbox/lab/labtest"
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

// eachDemo runs a test with both demos; the one with hosts is left out, loudly, where there
// can be none.
func eachDemo(t *testing.T, test func(t *testing.T, engine mpp.Engine)) {
	t.Helper()
	for _, engine := range []mpp.Engine{mpp.EngineNone, mpp.EngineNative} {
		t.Run(string(engine), func(t *testing.T) {
			if engine == mpp.EngineNative {
				labtest.Need(t)
			}
			test(t, engine)
		})
	}
}

// up is a demo that runs in this program.
type up struct {
	demo.Options
	t    *testing.T
	out  output
	end  context.CancelFunc
	done chan error
}

func start(t *testing.T, engine mpp.Engine) *up {
	t.Helper()
	mppd, mpp := build(t)
	u := &up{t: t, done: make(chan error, 1)}
	u.Options = demo.Options{Dir: filepath.Join(t.TempDir(), "demo"), Engine: engine, Mppd: mppd, Mpp: mpp, Out: &u.out}
	var ctx context.Context
	ctx, u.end = context.WithCancel(t.Context())
	var gone sync.WaitGroup
	gone.Go(func() { u.done <- demo.Up(ctx, u.Options) })
	t.Cleanup(func() {
		u.end()
		gone.Wait()
		if t.Failed() {
			t.Logf("the demo said:\n%s", u.out.String())
		}
	})
	return u
}

func (u *up) do(deed demo.Deed, n int) {
	u.t.Helper()
	if err := demo.Do(u.t.Context(), u.Options, deed, n); err != nil {
		u.t.Fatal(err)
	}
}

func (u *up) says(text string) {
	u.t.Helper()
	says(u.t, &u.out, text)
}

func (u *up) states(want string) {
	u.t.Helper()
	states(u.t, u.Dir, want)
}

// isGoneAfterCtrlC ends the demo and looks for what it may have left.
func (u *up) isGoneAfterCtrlC() {
	u.t.Helper()
	u.end()
	select {
	case err := <-u.done:
		if err != nil {
			u.t.Errorf("the demo ended with %v", err)
		}
	case <-time.After(patience):
		u.t.Fatal("the demo did not end")
	}
	if !strings.Contains(u.out.String(), "rows acknowledged") {
		u.t.Errorf("the writer's count is missing:\n%s", u.out.String())
	}
	nothingIsLeft(u.t, u.Dir)
}

func nothingIsLeft(t *testing.T, dir string) {
	t.Helper()
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the folder is still there: %v", err)
	}
	if left := processes(t, dir); len(left) > 0 {
		t.Errorf("still running: %q", left)
	}
	mounts, err := os.ReadFile("/proc/self/mounts")
	if err != nil || strings.Contains(string(mounts), dir) {
		t.Errorf("still mounted, or not known: %v", err)
	}
	if there, err := lab.Down(t.Context(), dir); err != nil || there {
		t.Errorf("namespaces are left: %v, %v", there, err)
	}
}

func TestTheDemoShowsAFailoverAndLeavesNothingBehind(t *testing.T) {
	eachDemo(t, func(t *testing.T, engine mpp.Engine) {
		u := start(t, engine)
		u.says("Ctrl-C ends the demo")
		u.says("mpp demo --dir " + u.Dir + " kill 1 ")
		u.says(fmt.Sprintf("the demo with engine %q", engine))
		u.states("ACTIVE STANDBY STANDBY")
		u.says("writes go to")

		if err := demo.Up(t.Context(), u.Options); err == nil || !strings.Contains(err.Error(), "mpp demo --dir "+u.Dir+" down") {
			t.Errorf("a second demo: %v", err)
		}
		u.do(demo.Kill, 1)
		u.states("FAIL ACTIVE STANDBY")
		eventually(t, "the writer follows", func() error {
			if strings.Count(u.out.String(), "writes go to") < 2 {
				return errors.New("it does not yet")
			}
			return nil
		})
		u.do(demo.Start, 1)
		if engine == mpp.EngineNative {
			u.states("STANDBY ACTIVE STANDBY")
			u.says("writes go to db2 now, not to db1: OUTAGE of ")
			u.says("operation 1, failover")
		}
		u.do(demo.StopSQL, 3)
		if engine == mpp.EngineNone {
			u.states("FAIL ACTIVE FAIL")
		}
		if err := demo.Do(t.Context(), u.Options, demo.Kill, 4); err == nil || !strings.Contains(err.Error(), "servers 1 to 3") {
			t.Errorf("kill 4: %v", err)
		}
		u.isGoneAfterCtrlC()
	})
}

func TestDownCleansUpAfterADemoThatWasKilled(t *testing.T) {
	eachDemo(t, func(t *testing.T, engine mpp.Engine) {
		_, mpp := build(t)
		dir := filepath.Join(t.TempDir(), "demo")
		var out output
		cmd := exec.Command(mpp, "demo", "up", "--dir", dir, "--engine", string(engine))
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
		nothingIsLeft(t, dir)
		if err := demo.Down(demo.Options{Dir: dir, Out: &said}); err != nil {
			t.Errorf("a second down: %v", err)
		}
		if want := "the demo is gone\nno demo is there\n"; said.String() != want {
			t.Errorf("it said %q, want %q", said.String(), want)
		}
	})
}

func TestADemoThatIsRemovedWhileItIsUpEnds(t *testing.T) {
	labtest.Need(t)
	u := start(t, mpp.EngineNative)
	u.says("writes go to")
	if err := demo.Down(u.Options); err != nil {
		t.Fatal(err)
	}
	u.says("somebody has removed the demo")
	select {
	case err := <-u.done:
		if err != nil {
			t.Errorf("the demo ended with %v", err)
		}
	case <-time.After(patience):
		t.Fatal("the demo did not end")
	}
	nothingIsLeft(t, u.Dir)
}
