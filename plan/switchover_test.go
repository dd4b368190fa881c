package plan

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mpp"
)

// everything is threeNodes with all that a switchover can do.
func everything() *Facts {
	f := threeNodes()
	f.Policy.Events, f.Policy.ManageSemiSync, f.Policy.StopConnections = true, true, "lock"
	f.Policy.Hooks = map[string]time.Duration{
		mpp.HookBeforeSwitchover: time.Second, mpp.HookBeforePromote: time.Second, mpp.HookAfterPromote: time.Second,
		mpp.HookAfterSwitchover: time.Second, mpp.HookRolledBack: time.Second,
	}
	return f
}

func TestSwitchoverChecksThenCutsThenPromotesThenRepoints(t *testing.T) {
	g := switchover(t, everything(), position("a:1", mpp.Position{Executed: upTo(120)})).want("", `
		check: check a
		check: check b
		check: check c
		prepare: hook before-switchover
		prepare: read-only b
		prepare: await-set b
		quiet: events-off a
		quiet: stop-connections a lock
		await: await-transactions a
		cut: read-only a
		cut: end-sessions a
		final: position a
		final: remove-address a
		catch-up: await-set b
		ready: hook before-promote
		ready: position a
		promote: promote b
		address: add-address b
		address: semi-sync b source
		repoint: hook after-promote
		repoint: repoint c <- b
		repoint: events-on b
		repoint: repoint a <- b
		repoint: semi-sync a replica
		repoint: allow-connections a lock
		after: hook after-switchover
	`).ends(mpp.Completed, "b:1 takes writes, a:1 is a replica")
	if g.op.NothingLost == "" || g.op.Opened.IsZero() || !Opened(g.op) {
		t.Errorf("proof %q, opened %s", g.op.NothingLost, g.op.Opened)
	}
	if st := g.op.Steps[13]; st.GTID != upTo(120) || st.Kind != mpp.StepAwaitSet {
		t.Errorf("the new node is let up to %s at last, want what the old one ended with, %s", st.GTID, upTo(120))
	}
}

func TestOfflineModeIsAnotherWayToStopConnections(t *testing.T) {
	f := threeNodes()
	f.Policy.StopConnections = "offline_mode"
	switchover(t, f).hasNot("quiet:").has("cut: stop-connections a offline_mode").has("repoint: allow-connections a offline_mode")
}

// undone are the steps at a that must be taken back, once they were begun.
func undone() map[mpp.StepKind]mpp.StepKind {
	return map[mpp.StepKind]mpp.StepKind{
		mpp.StepReadOnly: mpp.StepWritable, mpp.StepRemoveAddress: mpp.StepAddAddress,
		mpp.StepStopConnections: mpp.StepAllowConnections, mpp.StepEventsOff: mpp.StepEventsOn,
	}
}

// restoredBy checks that everything that was begun at the old node was taken back, and that its
// promotion, if it was begun, was taken back first.
func (g *stage) restoredBy() {
	g.t.Helper()
	begun := map[mpp.StepKind]bool{}
	for i := range g.op.Steps {
		st := &g.op.Steps[i]
		if back := undone()[st.Kind]; back != "" && st.Node == "a:1" && !st.Undo {
			begun[back] = true
		}
	}
	for kind := range begun {
		if !slices.ContainsFunc(g.op.Steps, func(st mpp.Step) bool {
			return st.Undo && st.Kind == kind && st.Node == "a:1" && st.Status == mpp.StepDone
		}) {
			g.t.Errorf("%s was not done to take it back:\n%s", kind, g.script())
		}
	}
	closed := slices.Index(g.lines, "undo-new: read-only b (undo)")
	opened := slices.Index(g.lines, "undo-old: writable a (undo)")
	if strings.Contains(g.script(), "promote: promote b") && (closed < 0 || opened < closed) {
		g.t.Errorf("the new node was not closed before the old one was opened:\n%s", g.script())
	}
}

func TestASwitchoverThatFailsAtAnyStepIsRolledBack(t *testing.T) {
	reference := switchover(t, everything())
	kinds := map[string]mpp.StepResult{
		"error": {Text: "error 1205"}, "time-out": {Text: "no end within 10s", Unreachable: true},
	}
	for name, result := range kinds {
		for k := range reference.op.Steps {
			t.Run(fmt.Sprintf("%s at step %d, %s", name, k+1, reference.lines[k]), func(t *testing.T) {
				g := switchover(t, everything(), func(g *stage) {
					g.answer = func(st *mpp.Step) *mpp.StepResult {
						if st.N != k+1 {
							return nil
						}
						copied := result
						return &copied
					}
				})
				st := &reference.op.Steps[k]
				switch {
				case st.Optional || st.Phase == phaseAddress || st.Phase == phaseRepoint || st.Phase == phaseAfter:
					g.ends(mpp.Completed, "takes writes")
				default:
					g.ends(mpp.RolledBack, "failed").restoredBy()
					if Opened(g.op) || Cut(g.op) {
						t.Errorf("it was rolled back; Opened says %t, Cut %t", Opened(g.op), Cut(g.op))
					}
				}
			})
		}
	}
}

func TestASwitchoverThatFailsInItsChecksTouchesNothing(t *testing.T) {
	switchover(t, everything(), failing("check b", mpp.StepResult{Text: "access denied"})).want("", `
		check: check a
		check: check b
		check: check c
		undo-rest: hook rolled-back (undo)
	`).ends(mpp.RolledBack, "check on b:1 failed: access denied")
	f := everything()
	f.Policy.Hooks = nil
	switchover(t, f, failing("check b")).ends(mpp.RolledBack, "nothing was changed")
}

func TestASwitchoverThatIsKilledAtAnyStepIsFinishedOrRolledBack(t *testing.T) {
	reference := switchover(t, everything())
	for k := range reference.op.Steps {
		t.Run(fmt.Sprintf("at step %d, %s", k+1, reference.lines[k]), func(t *testing.T) {
			g := switchover(t, everything(), func(g *stage) {
				g.restart = func(st *mpp.Step) bool {
					if st.N != k+1 {
						return false
					}
					g.restart = nil
					return true
				}
			})
			if promote := slices.Index(reference.lines, "promote: promote b"); k < promote {
				g.ends(mpp.RolledBack, "mppd was restarted before the promotion").restoredBy()
			} else {
				g.ends(mpp.Completed, "b:1 takes writes")
			}
		})
	}
}

func TestARollbackThatIsKilledAtAnyStepIsFinished(t *testing.T) {
	broken := failing("promote: promote b")
	reference := switchover(t, everything(), broken)
	for k := range reference.op.Steps {
		if !reference.op.Steps[k].Undo {
			continue
		}
		switchover(t, everything(), broken, func(g *stage) {
			g.restart = func(st *mpp.Step) bool {
				if st.N != k+1 {
					return false
				}
				g.restart = nil
				return true
			}
		}).ends(mpp.RolledBack, "a:1 takes writes again").restoredBy()
	}
}

func TestAFailoverThatIsKilledAtAnyStepIsFinished(t *testing.T) {
	f := func() *Facts {
		f := dead()
		f.Nodes[2].Barred = "it is marked no_promote"
		f.Policy.BinlogTail, f.Policy.Events = true, true
		return f
	}
	ahead := position("c:1", mpp.Position{Executed: upTo(103), SourceLog: "binlog.000004", SourcePos: 1300})
	end := failing("binlog-end", mpp.StepResult{Done: true, Position: &mpp.Position{OwnLog: "binlog.000004", OwnPos: 1400}})
	reference := failover(t, f(), ahead, end).ends(mpp.Completed, "b:1")
	for k := range reference.op.Steps {
		failover(t, f(), ahead, end, func(g *stage) {
			g.restart = func(st *mpp.Step) bool {
				if st.N != k+1 {
					return false
				}
				g.restart = nil
				return true
			}
		}).ends(mpp.Completed, "b:1 takes writes")
	}
}

func TestWhatMakesTheOldNodeTheWriterIsTriedAgainUntilItWorks(t *testing.T) {
	for _, kind := range []string{"undo-old: writable a", "undo-old: add-address a", "undo-old: allow-connections a"} {
		tries := 0
		g := switchover(t, everything(), failing("promote: promote b"), func(g *stage) {
			before := g.answer
			g.answer = func(st *mpp.Step) *mpp.StepResult {
				if strings.HasPrefix(line(st), kind) {
					if tries++; tries < undoTries {
						return &mpp.StepResult{Text: "error 1205"}
					}
				}
				return before(st)
			}
		}).ends(mpp.RolledBack, "a:1 takes writes again")
		if Cut(g.op) {
			t.Error("it is told to be cut")
		}
		if n := strings.Count(g.script(), "undo-old: writable a"); kind != "undo-old: writable a" && n != 1 {
			t.Errorf("%s failed, and writable was done %d times", kind, n)
		}
	}
}

func TestARollbackThatDoesNotSucceedStopsLoudlyWithinABound(t *testing.T) {
	g := switchover(t, everything(), failing("promote: promote b"), failing("undo-old: writable a")).
		ends(mpp.Stopped, "a:1 could not be restored as the writer: writable on a:1 failed: error 1205")
	if n := strings.Count(g.script(), "writable a"); n != undoTries || !Cut(g.op) {
		t.Errorf("it was tried %d times, want %d; Cut says %t, want true", n, undoTries, Cut(g.op))
	}
	g = switchover(t, everything(), failing("promote: promote b"), failing("undo-old: writable a", unreachable())).ends(mpp.Stopped, "restored as the writer")
	if n := strings.Count(g.script(), "writable a"); n != 1 {
		t.Errorf("a node that does not answer was tried %d times: each takes its whole limit", n)
	}
}

func TestLongTransactionsAreKilledOrRefusedAsConfigured(t *testing.T) {
	f := threeNodes()
	switchover(t, f, failing("await-transactions", mpp.StepResult{Text: "session 7 has been open for 60s"})).ends(mpp.Completed, "b:1")
	f = threeNodes()
	f.Policy.RefuseLongTransactions = true
	switchover(t, f, failing("await-transactions", mpp.StepResult{Text: "session 7 has been open for 60s"})).hasNot("cut:").
		ends(mpp.RolledBack, "session 7 has been open for 60s")
}

func TestAnOperatorsLimitsReplaceTheConfiguredOnes(t *testing.T) {
	limits := func(options mpp.OperationOptions) (wait, kill time.Duration) {
		g := newStage(t, threeNodes())
		g.play(mpp.Operation{ID: 7, Kind: mpp.OpSwitchover, Old: "a:1", New: "b:1", Options: options})
		for _, st := range g.op.Steps {
			switch {
			case st.Kind == mpp.StepAwaitSet && st.Phase == phasePrepare:
				wait = st.Limit
			case st.Kind == mpp.StepAwaitTransactions:
				kill = st.Limit
			}
		}
		return wait, kill
	}
	if wait, kill := limits(mpp.OperationOptions{}); wait != 30*time.Second || kill != 5*time.Second {
		t.Errorf("as configured: %s and %s", wait, kill)
	}
	if wait, kill := limits(mpp.OperationOptions{Wait: time.Second, KillAfter: 2 * time.Second}); wait != time.Second || kill != 2*time.Second {
		t.Errorf("as asked for: %s and %s", wait, kill)
	}
}

func TestNoStepBetweenTheCutAndThePromotionMayTakeLong(t *testing.T) {
	f := everything()
	f.Policy.StepTimeout = time.Hour
	for _, st := range switchover(t, f).op.Steps {
		if slices.Contains([]string{phaseCut, phaseFinal, phaseCatchUp, phasePromote}, st.Phase) && st.Limit > cutLimit {
			t.Errorf("%s may take %s", line(&st), st.Limit)
		}
	}
}

func TestASwitchoverIsRefusedForEveryReasonThatCanBeSeen(t *testing.T) {
	for want, change := range map[string]func(f *Facts) (old, target string){
		"no node is ACTIVE":           func(*Facts) (string, string) { return "", "b:1" },
		"pool orders has no node x:1": func(*Facts) (string, string) { return "a:1", "x:1" },
		"a:1 is ACTIVE already":       func(*Facts) (string, string) { return "a:1", "a:1" },
		"a:1 does not answer": func(f *Facts) (string, string) {
			f.Nodes[0].Reachable = false
			return "a:1", "b:1"
		},
		"b:1: it is marked no_promote": func(f *Facts) (string, string) {
			f.Nodes[1].Barred = "it is marked no_promote"
			return "a:1", "b:1"
		},
		"b:1: it has transactions that no other node has: x:1": func(f *Facts) (string, string) {
			f.Nodes[1].Errant = "x:1"
			return "a:1", "b:1"
		},
		"b:1: it has no binary log": func(f *Facts) (string, string) {
			f.Nodes[1].Observation.Server.Settings.LogBin = false
			return "a:1", "b:1"
		},
		"b:1: what it replicates is not in its binary log": func(f *Facts) (string, string) {
			f.Nodes[1].Observation.Server.Settings.LogReplicaUpdates = false
			return "a:1", "b:1"
		},
		"b:1: it has no GTIDs": func(f *Facts) (string, string) {
			f.Nodes[1].Observation.Server.Settings.GTID = false
			return "a:1", "b:1"
		},
		"b:1 is not a replica of a:1": func(f *Facts) (string, string) {
			f.Nodes[1].Observation.Channels[0].SourceUUID = uuidC
			return "a:1", "b:1"
		},
		"b:1 has binlog_format MIXED, a:1 has ROW": func(f *Facts) (string, string) {
			f.Nodes[1].Observation.Server.Settings.BinlogFormat = "MIXED"
			return "a:1", "b:1"
		},
		"b:1 runs 9.8.0, and a:1, which would have to replicate from it, runs 9.7.4": func(f *Facts) (string, string) {
			f.Nodes[1].Observation.Server.Version = "9.8.0"
			return "a:1", "b:1"
		},
	} {
		f := threeNodes()
		old, target := change(f)
		if got := RefuseSwitchover(f, old, target); !strings.Contains(got, want) {
			t.Errorf("%q, want %q", got, want)
		}
	}
	if got := RefuseSwitchover(threeNodes(), "a:1", "b:1"); got != "" {
		t.Errorf("refused without a reason: %s", got)
	}
}

func TestTheBestTargetIsTheFirstThatIsNotRefused(t *testing.T) {
	f := threeNodes()
	f.Nodes[1].Observation.Server.Settings.BinlogFormat = "STATEMENT"
	if target, why := BestTarget(f, "a:1"); target != "c:1" || why != "" {
		t.Errorf("%q (%s), want c:1", target, why)
	}
	f.Nodes[2].Barred = "it is in maintenance"
	target, why := BestTarget(f, "a:1")
	if target != "" || !strings.Contains(why, "b:1: b:1 has binlog_format STATEMENT") || !strings.Contains(why, "c:1: it is in maintenance") {
		t.Errorf("%q, because %q", target, why)
	}
	f.Nodes = f.Nodes[:1]
	if target, why := BestTarget(f, "a:1"); target != "" || why != "the pool has no other node" {
		t.Errorf("%q, because %q", target, why)
	}
}

func TestTheWriterIsToldToBeCutFromItsReadOnlyOnUntilItIsOpenedAgain(t *testing.T) {
	f := threeNodes()
	g := newStage(t, f)
	op := Begin(g.now, f, mpp.Operation{ID: 7, Kind: mpp.OpSwitchover, Old: "a:1", New: "b:1"})
	for tasks := Advance(g.now, op, f); len(tasks) > 0; tasks = Advance(g.now, op, f) {
		want := op.Phase == phaseCut || op.Phase == phaseFinal || op.Phase == phaseCatchUp || op.Phase == phaseReady || op.Phase == phasePromote ||
			op.Phase == phaseAddress || op.Phase == phaseRepoint
		if preparing := slices.Contains([]string{phaseCheck, phasePrepare, phaseQuiet, phaseAwait}, op.Phase); Preparing(op) != preparing {
			t.Errorf("in phase %s: Preparing says %t", op.Phase, Preparing(op))
		}
		if Cut(op) != want {
			t.Errorf("in phase %s: Cut says %t", op.Phase, Cut(op))
		}
		for i := range tasks {
			r := g.done(&tasks[i].Step)
			r.Operation, r.Step = 7, tasks[i].Step.N
			Take(op, &r)
		}
	}
}

func TestAWriterThatPassesReadOnlyEndsTheSwitchover(t *testing.T) {
	f := threeNodes()
	g := newStage(t, f)
	op := Begin(g.now, f, mpp.Operation{ID: 7, Kind: mpp.OpSwitchover, Old: "a:1", New: "b:1"})
	for tasks := Advance(g.now, op, f); len(tasks) > 0; tasks = Advance(g.now, op, f) {
		for i := range tasks {
			st := &tasks[i].Step
			if st.Kind == mpp.StepPromote {
				t.Fatal("it was promoted although the old node was written to")
			}
			r := g.done(st)
			r.Operation, r.Step = 7, st.N
			if st.Kind == mpp.StepPosition {
				r.Position = &mpp.Position{Executed: "11111111-1111-1111-1111-111111111111:1-50"}
				if st.Phase == phaseReady {
					r.Position = &mpp.Position{Executed: "11111111-1111-1111-1111-111111111111:1-53"}
				}
			}
			Take(op, &r)
		}
	}
	if op.Outcome != mpp.RolledBack || !strings.Contains(op.Why, "READ ONLY ADMIN") {
		t.Errorf("it ended %s: %s", op.Outcome, op.Why)
	}
}

func TestTheBestTargetIsNotHeThatWasPolledLast(t *testing.T) {
	f := threeNodes()
	f.Nodes[2].Observation.Server.GTID, f.Nodes[2].Observation.Channels[0].Received = upTo(105), upTo(105)
	if target, _ := BestTarget(f, "a:1"); target != "b:1" {
		t.Errorf("under load, %s is taken, and b:1 is the first", target)
	}
	f.Nodes[1].Observation.Lag, f.Nodes[1].Observation.LagKnown = time.Minute, true
	if target, _ := BestTarget(f, "a:1"); target != "c:1" {
		t.Errorf("%s is taken, and b:1 is a minute behind", target)
	}
	f = threeNodes()
	f.Nodes[2].Prefer = 10
	if target, _ := BestTarget(f, "a:1"); target != "c:1" {
		t.Errorf("%s is taken, and c:1 is preferred", target)
	}
}
