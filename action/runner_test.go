package action_test

import (
	"context"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"mpp"
	"mpp/action"
	"mpp/action/hook"
	"mpp/action/native"
)

// limit bounds every wait of these tests.
const limit = 20 * time.Second

// stage is a Runner with one pool that has hooks and no servers.
type stage struct {
	t       *testing.T
	runner  *action.Runner
	results chan mpp.StepResult
}

func newStage(t *testing.T, hooks ...action.Hook) *stage {
	t.Helper()
	s := &stage{t: t, results: make(chan mpp.StepResult, 10)}
	s.runner = action.New(action.Options{
		Report: func(_ string, r mpp.StepResult) { s.results <- r }, Spool: t.TempDir(), Log: zerolog.Nop(),
	})
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), limit)
		defer cancel()
		if err := s.runner.Close(ctx); err != nil {
			t.Error(err)
		}
	})
	if err := s.runner.Set([]action.Pool{poolOf("p", hooks...)}); err != nil {
		t.Fatal(err)
	}
	return s
}

// poolOf is a pool whose only server is not there: no step here asks it anything.
func poolOf(name string, hooks ...action.Hook) action.Pool {
	return action.Pool{
		Name: name, Hooks: hooks, Native: native.Options{Replication: native.Account{User: "repl"}},
		Nodes: []action.Node{{Address: "127.0.0.1:1", Account: native.Account{User: "mpp"}}},
	}
}

// script is a hook at the phase before-failover.
func script(t *testing.T, text string, abort bool) action.Hook {
	t.Helper()
	path := filepath.Join(t.TempDir(), "hook")
	if err := os.WriteFile(path, []byte("#!/bin/sh\n"+text+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	return action.Hook{
		Hook:   hook.Hook{Name: "h", Program: path, Timeout: limit, Abort: abort},
		Phases: []string{mpp.HookBeforeFailover},
	}
}

// task is the step that runs the hooks.
func task(kind mpp.OperationKind, operation uint64, most time.Duration) mpp.Task {
	return mpp.Task{
		Pool: "p", Kind: kind, Operation: operation,
		Step: mpp.Step{N: 1, Kind: mpp.StepHook, Detail: mpp.HookBeforeFailover, Limit: most},
	}
}

func (s *stage) result() mpp.StepResult {
	s.t.Helper()
	select {
	case r := <-s.results:
		return r
	case <-time.After(limit):
		s.t.Fatal("nothing was reported")
		return mpp.StepResult{}
	}
}

func TestStepIsReportedWithItsNumbers(t *testing.T) {
	s := newStage(t, script(t, "exit 0", true))
	s.runner.Run(task(mpp.OpFailover, 7, limit))
	if r := s.result(); !r.Done || r.Operation != 7 || r.Step != 1 || r.Took <= 0 {
		t.Errorf("got %+v", r)
	}
}

func TestStepOfAPoolThatIsNotThereFails(t *testing.T) {
	s := newStage(t)
	other := task(mpp.OpFailover, 1, limit)
	other.Pool = "q"
	s.runner.Run(other)
	if r := s.result(); r.Done || !strings.Contains(r.Text, "pool q") {
		t.Errorf("got %+v", r)
	}
}

func TestStepEndsAtItsLimit(t *testing.T) {
	s := newStage(t, script(t, "sleep 1000", true))
	s.runner.Run(task(mpp.OpFailover, 1, 100*time.Millisecond))
	if r := s.result(); r.Done || r.Took > limit/2 {
		t.Errorf("got %+v", r)
	}
}

func TestNewerFailoverEndsTheStepsOfOlderOperations(t *testing.T) {
	s := newStage(t, script(t, "sleep 1000", true))
	s.runner.Run(task(mpp.OpSwitchover, 1, limit/2))
	s.runner.Run(task(mpp.OpFailover, 2, 100*time.Millisecond))
	for range 2 {
		r := s.result()
		if r.Operation == 1 && (r.Done || !strings.Contains(r.Text, "newer operation")) {
			t.Errorf("the older operation's step: %+v", r)
		}
	}
}

func TestHookThatMayOnlyTellStopsNothing(t *testing.T) {
	for _, abort := range []bool{false, true} {
		second := filepath.Join(t.TempDir(), "ran")
		s := newStage(t, script(t, "echo broken; exit 1", abort), script(t, "touch "+second, true))
		s.runner.Run(task(mpp.OpFailover, 1, limit))
		r := s.result()
		_, err := os.Stat(second)
		if ran := err == nil; ran == abort {
			t.Errorf("abort %v: the second hook ran: %v", abort, ran)
		}
		if r.Done == abort || !strings.Contains(r.Text, "broken") {
			t.Errorf("abort %v: %+v", abort, r)
		}
	}
}

func TestPoolThatStaysAsItIsKeepsItsConnections(t *testing.T) {
	s := newStage(t)
	bad := poolOf("q")
	bad.Nodes[0].Address = "no port"
	if err := s.runner.Set([]action.Pool{poolOf("p"), bad}); err == nil || !strings.Contains(err.Error(), "pool q") {
		t.Errorf("a pool that cannot be prepared: %v", err)
	}
	s.runner.Run(task(mpp.OpFailover, 1, limit))
	if r := s.result(); !r.Done {
		t.Errorf("the pool before is gone: %+v", r)
	}
}

func TestReloadEndsNoStepThatRuns(t *testing.T) {
	listener, err := net.Listen("tcp", "127.0.0.1:0") // it takes connections and says nothing
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = listener.Close() }()
	p := poolOf("p")
	p.Nodes[0].Address = listener.Addr().String()
	s := newStage(t)
	if err := s.runner.Set([]action.Pool{p}); err != nil {
		t.Fatal(err)
	}
	const most = time.Second
	s.runner.Run(mpp.Task{Pool: "p", Kind: mpp.OpFailover, Operation: 1, Step: mpp.Step{
		N: 1, Kind: mpp.StepPosition, Node: p.Nodes[0].Address, Limit: most,
	}})
	p.Nodes = append(p.Nodes, action.Node{Address: "127.0.0.1:2", Account: native.Account{User: "mpp"}})
	if err := s.runner.Set([]action.Pool{p}); err != nil {
		t.Fatal(err)
	}
	if r := s.result(); r.Took < most*8/10 {
		t.Errorf("the reload ended it after %s: %s", r.Took, r.Text)
	}
}
