package hook_test

import (
	"context"
	"encoding/json"
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/action/hook"
	"mpp/sandbox"
)

func script(t *testing.T, text string) string {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text), 0o700); err != nil {
		t.Fatal(err)
	}
	return path
}

func event() hook.Event {
	return hook.Event{Phase: mpp.HookAfterFailover, Pool: "orders", At: time.Unix(1, 0).UTC(), Operation: &mpp.Operation{
		ID: 7, Kind: mpp.OpFailover, Old: "db1:3306", New: "db2:3306", Outcome: mpp.Completed,
	}}
}

func TestProgramGetsTheOperationAsJSONAndInItsEnvironment(t *testing.T) {
	out := filepath.Join(t.TempDir(), "out")
	h := hook.Hook{Name: "chat", Timeout: 10 * time.Second, Program: script(t,
		"cat > "+out+".json; echo \"$MPP_PHASE $MPP_POOL $MPP_OPERATION $MPP_KIND $MPP_OLD $MPP_NEW $MPP_OUTCOME\" > "+out)}
	if err := h.Run(context.Background(), event()); err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(out + ".json")
	if err != nil {
		t.Fatal(err)
	}
	var got hook.Event
	if err := json.Unmarshal(text, &got); err != nil || got.Operation == nil || got.Operation.New != "db2:3306" {
		t.Errorf("stdin was %s (%v)", text, err)
	}
	env, err := os.ReadFile(out)
	if want := "after-failover orders 7 failover db1:3306 db2:3306 completed\n"; err != nil || string(env) != want {
		t.Errorf("environment was %q (%v), want %q", env, err, want)
	}
}

func TestProgramIsNotToldWhatSystemdToldTheDaemon(t *testing.T) {
	for _, name := range []string{"NOTIFY_SOCKET", "WATCHDOG_USEC", "WATCHDOG_PID", "LISTEN_FDS"} {
		t.Setenv(name, "of mppd alone")
	}
	t.Setenv("HTTPS_PROXY", "for all")
	out := filepath.Join(t.TempDir(), "out")
	h := hook.Hook{Name: "chat", Timeout: 10 * time.Second, Program: script(t, "env > "+out)}
	if err := h.Run(context.Background(), event()); err != nil {
		t.Fatal(err)
	}
	env, err := os.ReadFile(out)
	if err != nil || strings.Contains(string(env), "of mppd alone") || !strings.Contains(string(env), "HTTPS_PROXY=for all") {
		t.Errorf("%v, environment:\n%s", err, env)
	}
}

func TestFailureIsToldWithTheProgramsLastLine(t *testing.T) {
	h := hook.Hook{Name: "chat", Timeout: 10 * time.Second, Program: script(t, "echo first; echo 'no route to chat' >&2; exit 3")}
	err := h.Run(context.Background(), event())
	if err == nil || !strings.Contains(err.Error(), "exit status 3: no route to chat") {
		t.Errorf("got %v", err)
	}
}

func TestProgramThatHangsIsKilledWithItsChildren(t *testing.T) {
	pid := filepath.Join(t.TempDir(), "pid")
	h := hook.Hook{Name: "stuck", Timeout: 2 * time.Second, Program: script(t, "sleep 1000 & echo $! > "+pid+"; wait")}
	err := h.Run(context.Background(), event())
	if err == nil || !strings.Contains(err.Error(), "no end within 2s") {
		t.Fatalf("got %v", err)
	}
	text, err := os.ReadFile(pid)
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	err = sandbox.Eventually(ctx, time.Millisecond, func(context.Context) error {
		stat, err := os.ReadFile("/proc/" + strings.TrimSpace(string(text)) + "/stat")
		if err == nil && !strings.Contains(string(stat), ") Z ") {
			return errors.New("the child still runs: " + string(stat))
		}
		return nil
	})
	if err != nil {
		t.Error(err)
	}
}

func TestMissingProgramIsFoundWithoutRunningIt(t *testing.T) {
	h := hook.Hook{Name: "gone", Program: "/nonexistent/hook", Timeout: time.Second}
	if h.Check() == nil || h.Run(context.Background(), event()) == nil {
		t.Error("a program that is not there passes")
	}
}
