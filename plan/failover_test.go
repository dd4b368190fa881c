package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mpp"
)

// deadA lets every step at the dead node fail.
func deadA(g *stage) {
	failing("a <-", unreachable())(g)
	for _, kind := range []string{"remove-address a", "read-only a", "end-sessions a", "binlog-end a", "shutdown a"} {
		failing(kind, unreachable())(g)
	}
}

func TestFailoverFencesThenPromotesThenMovesTheAddressThenRepoints(t *testing.T) {
	f := dead()
	f.Policy.Events, f.Policy.ManageSemiSync, f.Policy.BinlogTail = true, true, true
	f.Policy.Hooks = map[string]time.Duration{
		mpp.HookBeforeFailover: time.Second, mpp.HookBeforePromote: time.Second,
		mpp.HookAfterPromote: time.Second, mpp.HookAfterFailover: time.Second,
	}
	g := failover(t, f, deadA).want("", `
		before: hook before-failover
		fence: remove-address a
		fence: read-only a
		fence: end-sessions a
		fence: binlog-end a
		fence: stop-receiver b
		fence: stop-receiver c
		drain: drain b
		ready: hook before-promote
		promote: promote b
		address: add-address b
		address: semi-sync b source
		repoint: hook after-promote
		repoint: repoint c <- b
		repoint: events-on b
		after: hook after-failover
	`).ends(mpp.Completed, "b:1 takes writes").noted("a:1 could not be fenced")
	if g.op.New != "b:1" || g.op.Opened.IsZero() || g.op.Lost != "" || g.op.NothingLost != "" {
		t.Errorf("New %q, Opened %s, Lost %q, NothingLost %q: want b:1, opened, nothing known lost and no proof", g.op.New, g.op.Opened, g.op.Lost, g.op.NothingLost)
	}
	if !Opened(g.op) || Cut(g.op) {
		t.Error("the new node is not told to be open")
	}
}

func TestRequiredFencingStopsTheFailoverBeforeAnythingIsChosen(t *testing.T) {
	f := dead()
	f.Policy.FenceRequired = true
	g := failover(t, f, deadA).want("fence: stop", `
		fence: stop-receiver b
		fence: stop-receiver c
		give-up: start-replica b (undo)
		give-up: start-replica c (undo)
	`).ends(mpp.Stopped, "a:1 could not be fenced")
	if Opened(g.op) {
		t.Error("it is told to be open")
	}
}

func TestWhatIsSilentIsNotWaitedForAsLongAsWhatAnswers(t *testing.T) {
	limits := func(trouble mpp.Kind, required bool) string {
		f := dead()
		f.Nodes[0].Trouble, f.Policy.FenceRequired, f.Policy.Addresses = trouble, required, true
		g := newStage(t, f)
		op := Begin(g.now, f, mpp.Operation{ID: 7, Kind: mpp.OpFailover, Old: "a:1"})
		text := ""
		for _, task := range Advance(g.now, op, f) {
			if task.Step.Node == "a:1" {
				text += fmt.Sprintf("%s %s ", task.Step.Kind, task.Step.Limit)
			}
		}
		return strings.TrimSpace(text)
	}
	for _, each := range []struct {
		trouble  mpp.Kind
		required bool
		want     string
	}{
		{mpp.KindRefused, false, "remove-address 500ms read-only 500ms end-sessions 500ms"},
		{mpp.KindNoAnswer, false, "remove-address 250ms read-only 250ms end-sessions 250ms"},
		{mpp.KindNoHandshake, false, "remove-address 500ms read-only 250ms end-sessions 250ms"},
		{mpp.KindNoAnswer, true, "remove-address 500ms read-only 500ms end-sessions 500ms"},
	} {
		if got := limits(each.trouble, each.required); got != each.want {
			t.Errorf("%s, required %t: %s, want %s", each.trouble, each.required, got, each.want)
		}
	}
}

func TestAnyProofOfFencingDoesWhereItIsRequired(t *testing.T) {
	for _, proof := range []string{"remove-address a", "read-only a", "shutdown a"} {
		f := dead()
		f.Policy.FenceRequired, f.Policy.Shutdown, f.Policy.ShutdownTimeout = true, true, 3*time.Second
		failover(t, f, deadA, func(g *stage) {
			deadly := g.answer
			g.answer = func(st *mpp.Step) *mpp.StepResult {
				if strings.Contains(line(st), proof) {
					return nil
				}
				return deadly(st)
			}
		}).ends(mpp.Completed, "b:1 takes writes").noted("a:1 is fenced")
	}
}

func TestTheNextCandidateTakesOverWhenOneDiesInItsDrain(t *testing.T) {
	failover(t, dead(), deadA, failing("drain b", unreachable())).want("drain", `
		drain: drain b
		drain: drain c
		promote: promote c
		address: add-address c
		repoint: repoint b <- c
	`).ends(mpp.Completed, "c:1 takes writes")
}

func TestAHalfPromotedCandidateIsClosedBeforeTheNextIsPromoted(t *testing.T) {
	g := failover(t, dead(), deadA, failing("promote b", unreachable())).want("promote", `
		promote: promote b
		refence: read-only b
		drain: drain c
		promote: promote c
		address: add-address c
		repoint: repoint b <- c
	`).ends(mpp.Completed, "c:1 takes writes")
	if !Opened(g.op) {
		t.Error("the second candidate is not told to be open")
	}
}

func TestAFailoverWithoutAnyCandidateLeftStopsAndLetsReplicasReceiveAgain(t *testing.T) {
	f := dead()
	f.Nodes[2].Barred = "it is marked no_promote"
	failover(t, f, deadA, failing("drain b")).want("drain", `
		drain: drain b
		drain: drain b
		give-up: start-replica b (undo)
		give-up: start-replica c (undo)
	`).ends(mpp.Stopped, "c:1: it is marked no_promote")
}

func TestAReplicaWhoseReceiverMayHaveStoppedIsStartedAgain(t *testing.T) {
	failover(t, dead(), deadA, failing("stop-receiver", unreachable())).
		has("give-up: start-replica b").has("give-up: start-replica c").ends(mpp.Stopped, "stop-receiver failed")
}

func TestAWantedTargetIsTheOnlyCandidate(t *testing.T) {
	g := newStage(t, dead())
	g.play(mpp.Operation{ID: 7, Kind: mpp.OpFailover, Old: "a:1", Wanted: "c:1"}, deadA).ends(mpp.Completed, "c:1 takes writes")
	g = newStage(t, dead())
	g.play(mpp.Operation{ID: 7, Kind: mpp.OpFailover, Old: "a:1", Wanted: "c:1"}, deadA, failing("drain c")).
		ends(mpp.Stopped, "c:1 cannot take over").hasNot("promote")
}

func TestTheCandidateIsCompletedFromTheReplicaThatHasMore(t *testing.T) {
	f := dead()
	f.Nodes[2].Barred = "it is marked no_promote"
	g := failover(t, f, deadA, position("b:1", mpp.Position{Executed: upTo(90), Received: upTo(95)}),
		position("c:1", mpp.Position{Executed: upTo(100), Received: upTo(105)})).want("drain", `
		drain: drain b
		drain: drain c
		complete: copy-from b <- c
		promote: promote b
		address: add-address b
		repoint: repoint c <- b
	`).ends(mpp.Completed, "b:1 takes writes")
	if st := g.op.Steps[7]; st.Kind != mpp.StepCopyFrom || st.GTID != upTo(105) {
		t.Errorf("it is completed to %s (%s), want %s", st.GTID, st.Kind, upTo(105))
	}
	if g.op.Lost != "" {
		t.Errorf("%s is told to be lost", g.op.Lost)
	}
}

func TestTheMoreCompleteReplicaIsPromotedWhereItMayBe(t *testing.T) {
	failover(t, dead(), deadA, position("b:1", mpp.Position{Executed: upTo(100)}), position("c:1", mpp.Position{Executed: upTo(99), Received: upTo(105)})).
		hasNot("copy-from").ends(mpp.Completed, "c:1 takes writes")
}

func TestWhatCannotBeCopiedIsLostAndStopsThePlan(t *testing.T) {
	f := dead()
	f.Nodes[2].Barred = "it is marked no_promote"
	g := failover(t, f, deadA, failing("copy-from"), position("b:1", mpp.Position{Executed: upTo(100)}), position("c:1", mpp.Position{Executed: upTo(103)})).
		hasNot("promote").ends(mpp.Stopped, "3 transactions would be lost ("+uuidA+":101-103), and max_loss is 0")
	if g.op.Lost != "" || g.op.LostCount != 0 || g.op.NothingLost != "" {
		t.Errorf("nothing was promoted, and it tells of a loss: %q, %d, %q", g.op.Lost, g.op.LostCount, g.op.NothingLost)
	}
}

func TestACandidateThatDiesWhileItIsCompletedIsPassedOver(t *testing.T) {
	f := dead()
	f.Nodes[2].Barred = "it is marked no_promote"
	failover(t, f, deadA, failing("copy-from", unreachable()), position("c:1", mpp.Position{Executed: upTo(103)})).
		hasNot("promote").ends(mpp.Stopped, "copy-from failed")
}

func TestLossAboveTheLimitStopsBeforeThePromotionAndReplicasReceiveAgain(t *testing.T) {
	f := dead()
	f.Nodes[0].Observation.Server.GTID = upTo(104)
	g := failover(t, f, deadA).want("drain", `
		drain: drain b
		give-up: start-replica b (undo)
		give-up: start-replica c (undo)
	`).ends(mpp.Stopped, "4 transactions would be lost")
	if Opened(g.op) {
		t.Error("it is told to be open")
	}
	f.Policy.MaxLoss = 4
	if g = failover(t, f, deadA).ends(mpp.Completed, "b:1"); g.op.LostCount != 4 || g.op.Lost != uuidA+":101-104" {
		t.Errorf("within max_loss: lost %d, %s", g.op.LostCount, g.op.Lost)
	}
	f.Policy.MaxLoss, f.Policy.AnyLoss = 0, true
	failover(t, f, deadA).ends(mpp.Completed, "b:1")
	f.Policy.AnyLoss = false
	g = newStage(t, f)
	g.play(mpp.Operation{ID: 7, Kind: mpp.OpFailover, Old: "a:1", Options: mpp.OperationOptions{AcceptLoss: true}}, deadA).ends(mpp.Completed, "b:1")
	if g.op.LostCount != 4 {
		t.Errorf("an accepted loss is told as %d", g.op.LostCount)
	}
}

func TestTheEndOfTheDeadHostsLogIsTakenWhereItGoesOn(t *testing.T) {
	f := dead()
	f.Policy.BinlogTail = true
	f.Nodes[0].Observation.Server.GTID = upTo(104)
	end := func(log string, pos uint64) func(*stage) {
		return failing("binlog-end", mpp.StepResult{Done: true, Position: &mpp.Position{OwnLog: log, OwnPos: pos}})
	}
	more := position("a:1", mpp.Position{Executed: upTo(106)})
	g := failover(t, f, deadA, more, failing("binlog-tail", mpp.StepResult{Done: true, Text: "6 transactions", Position: &mpp.Position{Executed: upTo(106)}}), end("binlog.000005", 300)).
		has("tail: binlog-tail b /data/binlog <- a").ends(mpp.Completed, "b:1")
	if g.op.NothingLost == "" || g.op.Lost != "" {
		t.Errorf("the tail was taken: lost %q, proof %q", g.op.Lost, g.op.NothingLost)
	}
	if st := (&scene{op: g.op}).last(mpp.StepBinlogTail, "b:1"); st.Log != "binlog.000004" || st.LogPos != 1000 {
		t.Errorf("it is read from %s:%d, want binlog.000004:1000", st.Log, st.LogPos)
	}
	failover(t, f, deadA, more, failing("binlog-tail"), end("binlog.000005", 300)).hasNot("promote").
		noted("could not be taken").ends(mpp.Stopped, "4 transactions would be lost")
	failover(t, f, deadA, more, failing("binlog-tail", unreachable()), end("binlog.000005", 300)).
		has("drain: drain c").has("tail: binlog-tail c").ends(mpp.Stopped, "binlog-tail failed: no answer")
	f.Nodes[0].Observation.Server.GTID = upTo(100)
	g = failover(t, f, deadA, end("binlog.000004", 1000)).hasNot("binlog-tail").ends(mpp.Completed, "b:1")
	if !strings.Contains(g.op.NothingLost, "binlog.000004:1000") {
		t.Errorf("the log ends where the replicas have read to, and the proof is %q", g.op.NothingLost)
	}
	f.Policy.BinlogTail = false
	failover(t, f, deadA).hasNot("binlog-end").hasNot("binlog-tail")
}

func TestWhatALivingServerHasBegunAndNotLoggedIsNoLoss(t *testing.T) {
	f := dead()
	f.Policy.BinlogTail = true
	f.Nodes[0].Observation.Server.GTID = upTo(101) // its commit hangs: the disk is full
	end := failing("binlog-end", mpp.StepResult{Done: true, Position: &mpp.Position{OwnLog: "binlog.000004", OwnPos: 1000}})
	for _, closed := range []bool{true, false} { // both are answers; where its log ends for good is known in the first case only
		g := failover(t, f, end, func(g *stage) {
			if !closed {
				failing("read-only a")(g)
			}
		}).noted("nobody was told that they are committed").ends(mpp.Completed, "b:1")
		if g.op.Lost != "" || (g.op.NothingLost != "") != closed {
			t.Errorf("closed %t: lost %q, proof %q", closed, g.op.Lost, g.op.NothingLost)
		}
	}
	failover(t, f, deadA, end).hasNot("promote").ends(mpp.Stopped, "1 transactions would be lost")
}

func TestPlacesInAnotherServersLogAreNotTakenForTheOldOnes(t *testing.T) {
	f := dead()
	f.Policy.BinlogTail = true
	f.Nodes[2].Barred = "it is marked no_promote"
	// After it was completed from c, b's place is one in c's log, binlog.000099:9000.
	g := failover(t, f, deadA, position("c:1", mpp.Position{Executed: upTo(103), SourceLog: "binlog.000004", SourcePos: 1300}),
		position("a:1", mpp.Position{Executed: upTo(104)}),
		failing("binlog-end", mpp.StepResult{Done: true, Position: &mpp.Position{OwnLog: "binlog.000004", OwnPos: 1400}})).
		has("complete: copy-from b <- c").has("tail: binlog-tail b").ends(mpp.Completed, "b:1")
	if st := (&scene{op: g.op}).last(mpp.StepBinlogTail, "b:1"); st.LogPos != 1300 {
		t.Errorf("it is read from %d, want 1300, where the others had read to", st.LogPos)
	}
}

func TestACandidateThatCouldNotBeCompletedIsGivenTheLogFromItsOwnPlace(t *testing.T) {
	f := dead()
	f.Policy.BinlogTail = true
	f.Nodes[2].Barred = "it is marked no_promote"
	g := failover(t, f, deadA, failing("copy-from"), position("c:1", mpp.Position{Executed: upTo(103), SourceLog: "binlog.000004", SourcePos: 1300}),
		position("a:1", mpp.Position{Executed: upTo(104)}),
		failing("binlog-end", mpp.StepResult{Done: true, Position: &mpp.Position{OwnLog: "binlog.000004", OwnPos: 1400}})).
		ends(mpp.Completed, "b:1")
	if st := (&scene{op: g.op}).last(mpp.StepBinlogTail, "b:1"); st == nil || st.LogPos != 1000 {
		t.Errorf("the tail is %+v, want it from 1000: what c has is missing, too", st)
	}
}

// semiSync lets a wait for b and c, which acknowledge.
func semiSync(f *Facts) *Facts {
	f.Nodes[0].Observation.Server.SemiSync = &mpp.SemiSync{Source: true, Clients: 2}
	f.Nodes[0].Observation.Server.Settings.SemiSyncTimeout = 10 * time.Second
	for i := 1; i < 3; i++ {
		f.Nodes[i].Observation.Server.SemiSync = &mpp.SemiSync{Replica: true}
		f.Nodes[i].Observation.Server.Settings.SemiSyncReplica = true
	}
	return f
}

func TestTheSemiSyncPromiseIsTheProofWhenEveryReplicaThatAcknowledgesWasAsked(t *testing.T) {
	g := failover(t, semiSync(dead()), deadA).ends(mpp.Completed, "b:1")
	if want := "commits waited for one of 2 replicas that acknowledge, and all of them were asked"; g.op.NothingLost != want {
		t.Errorf("the proof is %q, want %q", g.op.NothingLost, want)
	}
}

func TestAReplicaThatAcknowledgesAndWasNotAskedStopsThePlan(t *testing.T) {
	g := failover(t, semiSync(dead()), deadA, failing("stop-receiver c", unreachable())).hasNot("promote").
		ends(mpp.Stopped, "c:1 acknowledges commits of a:1 and was not asked")
	if g.op.NothingLost != "" {
		t.Errorf("it claims %q", g.op.NothingLost)
	}
	f := semiSync(dead())
	f.Policy.AnyLoss = true
	if g := failover(t, f, deadA, failing("stop-receiver c", unreachable())).ends(mpp.Completed, "b:1"); g.op.NothingLost != "" {
		t.Errorf("it claims %q", g.op.NothingLost)
	}
}

func TestAReplicaLostBeforeTheLastPollMayBeLeftOutUnlessItWasCounted(t *testing.T) {
	for _, each := range []struct {
		clients int
		lostAt  time.Time
		outcome mpp.Outcome
	}{
		{1, morning().Add(-time.Hour), mpp.Completed},
		{2, morning().Add(-time.Hour), mpp.Stopped},
		{1, morning(), mpp.Stopped},
	} {
		f := semiSync(dead())
		f.Nodes[0].Observation.Server.SemiSync.Clients = each.clients
		f.Nodes[2].Reachable, f.Nodes[2].LostAt, f.Nodes[2].Barred = false, each.lostAt, "its last poll failed"
		failover(t, f, deadA).ends(each.outcome, "")
	}
}

func TestAServerOutsideThePoolThatAcknowledgesLeavesNoPromise(t *testing.T) {
	f := semiSync(dead())
	f.Nodes[0].Observation.Server.SemiSync.Clients = 3
	failover(t, f, deadA).ends(mpp.Stopped, "a server outside the pool acknowledges")
	if Promise(morning(), f, "a:1") != "" {
		t.Error("a promise is given")
	}
}

func TestThereIsNoPromiseOnceTheOldNodeMayHaveGivenUpWaiting(t *testing.T) {
	f := semiSync(dead())
	if Promise(morning().Add(8*time.Second), f, "a:1") == "" {
		t.Error("no promise within the time-out")
	}
	if p := Promise(morning().Add(10*time.Second), f, "a:1"); p != "" {
		t.Errorf("a promise after the time-out: %s", p)
	}
	f.Nodes[0].Observation.Server.SemiSync.Waiting = 3
	if Promise(morning().Add(6*time.Second), f, "a:1") == "" {
		t.Error("no promise, though commits wait for two seconds at most")
	}
	if p := Promise(morning().Add(8*time.Second), f, "a:1"); p != "" {
		t.Errorf("a promise although some may have waited before the poll: %s", p)
	}
	f.Nodes[0].Observation.Checks = []mpp.CheckResult{{Name: "commit", Class: mpp.Reach, Status: mpp.Fail, Kind: mpp.KindSemiSyncWait}}
	if p := Promise(morning(), f, "a:1"); p != "" {
		t.Errorf("a promise although commits hang: %s", p)
	}
	f.Nodes[0].Observation.Checks = nil
	f.Nodes[0].Observation.Server.SemiSync.TimedOut = true
	if p := Promise(morning(), f, "a:1"); p != "" {
		t.Errorf("a promise although it has given up: %s", p)
	}
}

func TestWhatWasAcknowledgedToNobodyDoesNotStopThePlan(t *testing.T) {
	f := semiSync(dead())
	f.Nodes[0].Observation.Server.GTID = upTo(101) // committed, and waiting for the first acknowledgement
	g := failover(t, f, deadA).ends(mpp.Completed, "b:1").noted("acknowledged to nobody")
	if g.op.LostCount != 1 || g.op.NothingLost != "" {
		t.Errorf("lost %d, proof %q", g.op.LostCount, g.op.NothingLost)
	}
}

func TestWhatTheOldNodeHadIsRememberedOverARestart(t *testing.T) {
	f := dead()
	f.Nodes[0].Observation.Server.GTID = upTo(104)
	failover(t, f, deadA, func(g *stage) {
		g.restart = func(*mpp.Step) bool {
			g.restart = nil
			g.f.Nodes[0].Observation = nil // it is dead: the new manager never hears it
			return true
		}
	}).ends(mpp.Stopped, "4 transactions would be lost")
}

func TestAFailoverAfterARestartReadsTheTailAllTheSame(t *testing.T) {
	f := dead()
	f.Policy.BinlogTail = true
	killed := false
	failover(t, f, deadA, position("a:1", mpp.Position{Executed: upTo(104)}),
		failing("binlog-end", mpp.StepResult{Done: true, Position: &mpp.Position{OwnLog: "binlog.000004", OwnPos: 1400}}), func(g *stage) {
			g.restart = func(st *mpp.Step) bool {
				if killed || st.Kind != mpp.StepDrain {
					return false
				}
				killed = true
				g.f.Nodes[0].Observation = nil
				return true
			}
		}).has("tail: binlog-tail b /data/binlog <- a").ends(mpp.Completed, "b:1")
}

func TestAHookThatAbortsStopsAFailoverBeforeOrAfterItsFencing(t *testing.T) {
	f := dead()
	f.Policy.Hooks = map[string]time.Duration{mpp.HookBeforeFailover: time.Second, mpp.HookBeforePromote: time.Second, mpp.HookAfterFailover: time.Second}
	failover(t, f, deadA, failing("hook before-failover")).want("", `
		before: hook before-failover
		gave-up: hook after-failover
	`).ends(mpp.Stopped, "a hook stopped it: error 1205")
	failover(t, f, deadA, failing("hook before-promote")).hasNot("promote: promote").has("give-up: start-replica b").
		ends(mpp.Stopped, "a hook stopped it: error 1205")
	f.Policy.Hooks[mpp.HookAfterPromote] = time.Second
	failover(t, f, deadA, failing("hook after-promote"), failing("hook after-failover")).ends(mpp.Completed, "b:1 takes writes")
}

func TestWhatCouldNotBeDoneAfterThePromotionIsToldAndEndsNothing(t *testing.T) {
	failover(t, dead(), deadA, failing("add-address b", mpp.StepResult{Text: "somebody else has it"})).has("repoint c <- b").
		ends(mpp.Completed, "has not got the virtual address yet: somebody else has it")
	failover(t, dead(), deadA, failing("repoint c", mpp.StepResult{Text: "it holds what b does not have"})).
		ends(mpp.Completed, "b:1 takes writes").noted("c:1 could not be made a replica of b:1: it holds what b does not have; mpp rejoin c:1 tries again")
	f := dead()
	f.Nodes[2].Reachable = false
	failover(t, f, deadA).hasNot(" c").ends(mpp.Completed, "b:1").noted("c:1 was not reachable")
}

func TestAddressesThatAReloadBringsDuringAFailoverAreNoFault(t *testing.T) {
	f := dead()
	f.Policy.Addresses = false
	failover(t, f, deadA, func(g *stage) {
		deadly := g.answer
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			if st.Kind == mpp.StepRepoint {
				g.f.Policy.Addresses = true
			}
			return deadly(st)
		}
	}).ends(mpp.Completed, "b:1 takes writes")
}

func TestAFailoverWithoutAnOldNodePromotesTheBestAndClaimsNothing(t *testing.T) {
	f := threeNodes()
	f.Active, f.Nodes[0].State, f.Nodes[0].Barred = "", mpp.Unknown, "it is UNKNOWN, not STANDBY"
	g := newStage(t, f)
	g.play(mpp.Operation{ID: 7, Kind: mpp.OpFailover}).ends(mpp.Completed, "b:1")
	if g.op.Lost != "" || g.op.NothingLost != "" {
		t.Errorf("lost %q, proof %q", g.op.Lost, g.op.NothingLost)
	}
}

func TestAStepOfWhichNothingIsHeardFails(t *testing.T) {
	f := dead()
	op := Begin(morning(), f, mpp.Operation{ID: 7, Kind: mpp.OpFailover, Old: "a:1"})
	Advance(morning(), op, f)
	if tasks := Advance(morning().Add(7*time.Second), op, f); len(tasks) != 0 || op.Steps[3].Status != mpp.StepRunning {
		t.Errorf("stop-receiver was given up after its limit of 2 s, before the 5 s that a result may take more: %+v", op.Steps[3])
	}
	Advance(morning().Add(7*time.Second+time.Millisecond), op, f)
	if st := op.Steps[3]; st.Kind != mpp.StepStopReceiver || st.Status != mpp.StepFailed || !st.Unreachable {
		t.Errorf("it is %+v", st)
	}
	if Take(op, &mpp.StepResult{Operation: 7, Step: 4, Done: true}) {
		t.Error("a result was taken that came too late")
	}
}

func TestResultsThatNobodyWaitsForAreNotTaken(t *testing.T) {
	f := dead()
	op := Begin(morning(), f, mpp.Operation{ID: 7, Kind: mpp.OpFailover, Old: "a:1"})
	Advance(morning(), op, f)
	for name, r := range map[string]mpp.StepResult{
		"another operation": {Operation: 6, Step: 1, Done: true}, "no step": {Operation: 7, Step: 0, Done: true},
		"a step that does not exist": {Operation: 7, Step: 99, Done: true},
	} {
		if Take(op, &r) {
			t.Errorf("%s: taken", name)
		}
	}
	if Take(nil, &mpp.StepResult{}) {
		t.Error("a result without an operation was taken")
	}
	Abandon(morning(), op, "b was lost")
	if Take(op, &mpp.StepResult{Operation: 7, Step: 1, Done: true}) || op.Outcome != mpp.Abandoned {
		t.Errorf("an abandoned operation takes results: %s", op.Outcome)
	}
}

func TestWhatWasAcknowledgedByANodeWithItsOwnTransactionsIsNotGivenUp(t *testing.T) {
	f := semiSync(dead())
	own := uuidC + ":1-5"
	f.Nodes[2].Errant, f.Nodes[2].Observation.Server.GTID = own, upTo(100)+","+own
	g := failover(t, f, position("c:1", mpp.Position{Executed: upTo(101) + "," + own})).hasNot("promote")
	g.ends(mpp.Stopped, "1 transactions would be lost")
	if g.op.NothingLost != "" {
		t.Errorf("a proof: %s", g.op.NothingLost)
	}
}

func TestAnOldNodeThatComesBackBeforeThePromotionIsFencedOnceMore(t *testing.T) {
	f := dead()
	comesBack := func(g *stage) {
		before := g.answer
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			if st.Kind == mpp.StepDrain {
				n := &g.f.Nodes[0]
				n.Answers = true
				o := *n.Observation
				o.At, n.Observation = g.now, &o
			}
			return before(st)
		}
	}
	failover(t, f, failing("fence: read-only a", unreachable()), failing("fence: end-sessions a", unreachable()), comesBack).want("ready", `
		ready: remove-address a
		ready: read-only a
		ready: end-sessions a
		promote: promote b
		address: add-address b
		repoint: repoint c <- b
	`).ends(mpp.Completed, "b:1")

	f = dead()
	f.Policy.FenceRequired, f.Policy.Addresses = true, false
	failover(t, f, failing("ready: read-only a"), failing("nothing"), comesBack).hasNot("promote").ends(mpp.Stopped, "a:1 has come back and could not be fenced")
}

func TestWhatAnOperatorHasStoppedStaysStopped(t *testing.T) {
	f := dead()
	f.Nodes[2].Held, f.Nodes[2].Barred = true, "it is in maintenance"
	f.Nodes[2].Observation.Channels[0].IO = "No"
	failover(t, f).hasNot("repoint c").ends(mpp.Completed, "b:1").noted("c:1 is in maintenance and was left as it is")
	failover(t, f, failing("drain b")).has("start-replica b").hasNot("start-replica c").ends(mpp.Stopped, "")
}

func TestAReplicaThatIsDelayedOnPurposeComesAfterItsEquals(t *testing.T) {
	f := dead()
	f.Nodes[1].Observation.Channels[0].Delay, f.Nodes[1].Prefer = 10*time.Second, 10
	failover(t, f).ends(mpp.Completed, "c:1")
}

func TestAReplicaWhosePollFailsAndWhoseServerAnswersIsAskedForWhatItHas(t *testing.T) {
	f := dead()
	f.Nodes[2].Reachable, f.Nodes[2].Answers, f.Nodes[2].Barred = false, true, "its last poll failed" // a privilege was revoked
	failover(t, f, position("c:1", mpp.Position{Executed: upTo(103)})).has("copy-from b <- c").ends(mpp.Completed, "b:1")
}

func TestTheLogOfAnOldNodeThatAnswersTheFencingIsLookedAtOnceMore(t *testing.T) {
	f := dead()
	f.Policy.BinlogTail = true
	looks := 0
	g := failover(t, f, position("a:1", mpp.Position{Executed: upTo(103)}), func(g *stage) {
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			if st.Kind != mpp.StepBinlogEnd {
				return nil
			}
			looks++ // what it wrote between the first look and its fencing is seen by the second
			return &mpp.StepResult{Done: true, Position: &mpp.Position{OwnLog: "binlog.000004", OwnPos: []uint64{1000, 1300}[looks-1]}}
		}
	}).has("drain: binlog-end a").has("tail: binlog-tail b").ends(mpp.Completed, "b:1")
	if looks != 2 || g.op.NothingLost == "" {
		t.Errorf("%d looks, proof %q", looks, g.op.NothingLost)
	}
}

func TestAnOldNodeThatAnswersDuringTheFailoverLeavesNoProof(t *testing.T) {
	f := semiSync(dead())
	answered := failover(t, f, func(g *stage) { // its server was started again just then
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			if st.Kind == mpp.StepDrain {
				again := *g.f.Nodes[0].Observation
				again.At = g.now
				g.f.Nodes[0].Observation = &again
			}
			if st.Node == "a:1" {
				r := unreachable()
				return &r
			}
			return nil
		}
	}).ends(mpp.Completed, "b:1").noted("has answered during the failover")
	if answered.op.NothingLost != "" {
		t.Errorf("it claims %q", answered.op.NothingLost)
	}
}

func TestWhatAReplicaThatWasLostBeforeMayHaveAcknowledgedIsNotGivenUp(t *testing.T) {
	f := semiSync(dead())
	// c acknowledged 101 and was lost; a has answered since, and nobody acknowledges any more.
	f.Nodes[0].Observation.Server.GTID, f.Nodes[0].Observation.Server.SemiSync.Clients = upTo(101), 0
	f.Nodes[2].Reachable, f.Nodes[2].LostAt, f.Nodes[2].Barred = false, morning().Add(-time.Hour), "its last poll failed"
	if p := Promise(morning(), f, "a:1"); p != "" {
		t.Errorf("a promise: %s", p)
	}
	failover(t, f, deadA).hasNot("promote").ends(mpp.Stopped, "1 transactions would be lost")
	f.Nodes[2].Observation.Server.SemiSync, f.Nodes[2].Observation.Server.Settings.SemiSyncReplica = &mpp.SemiSync{}, false
	failover(t, f, deadA).ends(mpp.Completed, "b:1").noted("acknowledged to nobody")
}

func TestWhatANodeHadThatFallsSilentDuringTheFailoverIsNotForgotten(t *testing.T) {
	more := position("b:1", mpp.Position{Executed: upTo(101)})
	silent := func(g *stage) { // b is the first candidate, and dies with what only it has
		before := g.answer
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			if st.Kind == mpp.StepDrain && st.Node == "b:1" {
				g.f.Nodes[1].Reachable, g.f.Nodes[1].LostAt, g.f.Nodes[1].Barred = false, g.now, "its last poll failed"
				r := unreachable()
				return &r
			}
			return before(st)
		}
	}
	failover(t, semiSync(dead()), more, deadA, silent).hasNot("promote").ends(mpp.Stopped, "1 transactions would be lost")
	f := semiSync(dead())
	f.Nodes[1].Errant = uuidB + ":1" // it was no candidate, and has fallen silent as well
	failover(t, f, position("b:1", mpp.Position{Executed: upTo(101) + "," + uuidB + ":1"}), deadA, func(g *stage) {
		before := g.answer
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			if st.Kind == mpp.StepDrain {
				g.f.Nodes[1].Reachable, g.f.Nodes[1].LostAt = false, g.now
			}
			return before(st)
		}
	}).hasNot("promote").ends(mpp.Stopped, "1 transactions would be lost")
	failover(t, dead(), more, deadA, func(g *stage) { // or a reload takes it out
		before := g.answer
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			if st.Kind == mpp.StepDrain && st.Node == "b:1" {
				g.f.Nodes = append(g.f.Nodes[:1:1], g.f.Nodes[2])
				r := unreachable()
				return &r
			}
			return before(st)
		}
	}).hasNot("promote").ends(mpp.Stopped, "1 transactions would be lost")
}

func TestWhatWasTakenThoughTheStepFailedIsNotToldToBeLost(t *testing.T) {
	f := dead()
	f.Policy.BinlogTail, f.Policy.AnyLoss = true, true
	f.Nodes[0].Observation.Server.GTID = upTo(104)
	g := failover(t, f, position("a:1", mpp.Position{Executed: upTo(104)}), func(g *stage) {
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			switch st.Kind {
			case mpp.StepBinlogEnd:
				return &mpp.StepResult{Done: true, Position: &mpp.Position{OwnLog: "binlog.000004", OwnPos: 1400}}
			case mpp.StepBinlogTail: // all of it was executed, and then the connection was lost
				g.done(st)
				return &mpp.StepResult{Text: "the connection was lost"}
			default:
				return nil
			}
		}
	}).has("count: position b").ends(mpp.Completed, "b:1")
	if g.op.LostCount != 0 {
		t.Errorf("%d are told to be lost: %s", g.op.LostCount, g.op.Lost)
	}
}

func TestAStepThatEveryCandidateNeedsIsTriedOnceMoreAfterAnError(t *testing.T) {
	for _, step := range []string{"stop-receiver b", "drain b", "promote b"} {
		tries := 0
		f := dead()
		f.Nodes[2].Barred = "it is marked no_promote"
		g := failover(t, f, deadA, func(g *stage) {
			before := g.answer
			g.answer = func(st *mpp.Step) *mpp.StepResult {
				if strings.HasSuffix(line(st), step) {
					if tries++; tries == 1 {
						return &mpp.StepResult{Text: "error 1205"}
					}
				}
				return before(st)
			}
		}).hasNot("refence").ends(mpp.Completed, "b:1 takes writes")
		if tries != 2 || g.op.New != "b:1" {
			t.Errorf("%s: %d tries", step, tries)
		}
	}
	// Silence is no error: each try takes its whole limit.
	failover(t, dead(), deadA, failing("drain b", unreachable())).want("drain", `
		drain: drain b
		drain: drain c
		promote: promote c
		address: add-address c
		repoint: repoint b <- c
	`)
}

func TestACandidateThatIsForbiddenAfterItsPromotionHasFailedIsNotTriedAgain(t *testing.T) {
	failover(t, dead(), deadA, func(g *stage) {
		before := g.answer
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			if st.Kind == mpp.StepPromote && st.Node == "b:1" {
				g.f.Nodes[1].Forbidden, g.f.Nodes[1].Barred = "it is in maintenance", "it is in maintenance"
				return &mpp.StepResult{Text: "error 1205"}
			}
			return before(st)
		}
	}).has("refence: read-only b").ends(mpp.Completed, "c:1 takes writes")
}

func TestAnOldNodeThatNobodyLookedAtForLongIsFencedOnceMore(t *testing.T) {
	// The manager is frozen while the candidate drains; the node that was turned off may be up again.
	f := dead()
	f.Policy.FenceRequired, f.Policy.Shutdown, f.Policy.ShutdownTimeout = true, true, time.Second
	frozen := func(g *stage) {
		before := g.answer
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			if st.Kind == mpp.StepDrain {
				g.now = g.now.Add(10 * time.Second)
			}
			return before(st)
		}
	}
	failover(t, f, failing("nothing"), frozen).want("ready", `
		ready: remove-address a
		ready: read-only a
		ready: end-sessions a
		ready: shutdown a
		promote: promote b
		address: add-address b
		repoint: repoint c <- b
	`).ends(mpp.Completed, "b:1")

	f = dead()
	f.Policy.FenceRequired, f.Policy.Addresses, f.Policy.Shutdown, f.Policy.ShutdownTimeout = true, false, true, time.Second
	failover(t, f, failing("ready: read-only a", unreachable()), failing("ready: shutdown a"), frozen).
		hasNot("promote").ends(mpp.Stopped, "could not be fenced")

	// While polls go on, what they bring is enough.
	f = dead()
	polled := func(g *stage) {
		before := g.answer
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			if st.Kind == mpp.StepDrain {
				g.now = g.now.Add(10 * time.Second)
				g.f.Nodes[0].AskedAt = g.now.Add(-time.Second)
			}
			return before(st)
		}
	}
	failover(t, f, failing("nothing"), polled).hasNot("ready: read-only a")
}

func TestAReplicaThatIsKeptFarBehindOnPurposeDoesNotTakeOver(t *testing.T) {
	// It has received more than the others, and will not have executed that for an hour.
	f := dead()
	f.Nodes[1].Observation.Channels[0].Delay = time.Hour
	f.Nodes[1].Observation.Channels[0].Received = upTo(101)
	f.Policy.AnyLoss = true
	failover(t, f).has("promote c").hasNot("drain b").ends(mpp.Completed, "c:1")

	f = dead()
	f.Nodes[1].Observation.Channels[0].Delay, f.Nodes[2].Barred = time.Hour, "it is marked no_promote"
	failover(t, f).hasNot("promote").ends(mpp.Stopped, "it is kept 1h0m0s behind on purpose, and apply_timeout is 1m0s")

	f = dead()
	f.Nodes[1].Observation.Channels[0].Delay, f.Nodes[2].Barred = 10*time.Second, "it is marked no_promote"
	failover(t, f).has("promote b").ends(mpp.Completed, "b:1")
}

func TestTheLogOfAServerThatMayOnlyHangProvesNothing(t *testing.T) {
	for trouble, proven := range map[mpp.Kind]bool{mpp.KindRefused: true, mpp.KindNoHandshake: false, mpp.KindNoAnswer: false, mpp.KindHung: false} {
		f := dead()
		f.Policy.BinlogTail, f.Nodes[0].Trouble = true, trouble
		silent := []func(*stage){failing("fence: read-only a", unreachable()), failing("fence: end-sessions a", unreachable()), failing("nothing")}
		g := failover(t, f, silent...).ends(mpp.Completed, "b:1")
		if (g.op.NothingLost != "") != proven {
			t.Errorf("%s: the proof is %q", trouble, g.op.NothingLost)
		}
		if !proven {
			g.noted("a:1 may only hang")
		}
	}
}

func TestADrainThatHasUsedUpItsTimeIsNotTriedAgain(t *testing.T) {
	slow := func(g *stage) {
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			if st.Kind == mpp.StepDrain && st.Node == "b:1" {
				return &mpp.StepResult{Text: "time is up", Took: st.Limit}
			}
			return nil
		}
	}
	g := failover(t, dead(), slow).ends(mpp.Completed, "c:1")
	if n := strings.Count(g.script(), "drain b"); n != 1 {
		t.Errorf("it was drained %d times:\n%s", n, g.script())
	}
}
