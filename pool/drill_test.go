package pool

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mpp"
)

// What the drills of package sim have found, each in the smallest history that shows it.

func TestReplicasThatAFailoverCouldNotStartAgainAreStartedLater(t *testing.T) {
	r := settled(t, func(p *Policy) { p.Failover.Rejoin = false })
	broken := true
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if broken && (task.Step.Kind == mpp.StepDrain || task.Step.Kind == mpp.StepStartReplica) {
			return &mpp.StepResult{Text: "error 1205"}
		}
		return nil
	}
	r.server("a").trouble = mpp.KindRefused
	r.rounds(6)
	r.noneBut(1)
	r.server("a").trouble = ""
	broken = false
	r.restart(r.policy)
	r.rounds(10)
	if r.server("b").io != "Yes" || r.server("c").io != "Yes" {
		t.Errorf("b receives: %s, c receives: %s; steps %v", r.server("b").io, r.server("c").io, r.log)
	}
	r.server("c").io = "No" // this time somebody wants it so
	r.rounds(6)
	if r.server("c").io != "No" {
		t.Error("a receiver that was stopped by hand was started")
	}
}

func TestAReplicaIsReattachedToAWriterThatWaitsForOne(t *testing.T) {
	r := settled(t)
	for _, name := range []string{"b", "c"} {
		r.server(name).source = "x:1" // they followed somebody else when a became the writer
	}
	r.server("a").trouble = mpp.KindSemiSyncWait
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Step.Kind == mpp.StepRepoint {
			r.server("a").trouble = "" // it is acknowledged
		}
		return nil
	}
	r.rounds(4)
	if r.server("b").source != "a:1" || r.server("c").source != "a:1" {
		t.Errorf("b follows %s, c follows %s; steps %v", r.server("b").source, r.server("c").source, r.log)
	}
}

func TestAWriterIsNotReplacedByOneThatWouldWaitAsWell(t *testing.T) {
	for _, everywhere := range []bool{true, false} {
		r := settled(t)
		r.sourceSide = map[string]bool{"a": true, "b": everywhere, "c": everywhere}
		r.server("a").semi = &mpp.SemiSync{Source: true, Waiting: 1}
		r.rounds(1)
		r.server("a").trouble = mpp.KindSemiSyncWait
		r.rounds(8)
		if everywhere {
			r.noFailover()
			r.wantGate("candidate", false, "commits would wait for an acknowledgement on b:1, too")
		} else {
			r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
		}
	}
}

func TestANodeThatIsForbiddenDuringItsFailoverIsNotPromoted(t *testing.T) {
	r := settled(t)
	r.beginAny("failover")
	r.until("drain b")
	p := r.policy
	p.Nodes = slices.Clone(p.Nodes)
	p.Nodes[1].NoPromote = true
	r.reconfigure(p)
	r.carryOut()
	if slices.Contains(r.log, "promote b") {
		t.Errorf("steps %v", r.log)
	}
	r.want("a FAIL (OFFLINE), b STANDBY, c ACTIVE")
}

func TestANodeThatIsForbiddenDuringASwitchoverIsNotPromoted(t *testing.T) {
	r := settled(t)
	r.beginAny("switchover")
	r.until("position a")
	r.command(mpp.Command{Verb: mpp.VerbMaintenance, Node: "b:1", Maintenance: mpp.Maintenance{On: true}})
	r.carryOut()
	r.rounds(2)
	r.want("a ACTIVE, b STANDBY, c STANDBY")
	if slices.Contains(r.log, "promote b") || !slices.Equal(r.writers(), []string{"a"}) || r.reports[0].Outcome != mpp.RolledBack {
		t.Errorf("steps %v, writers %v", r.log, r.writers())
	}
}

func TestALinkThatMayHaveBeenBrokenBeforeTheWriterWasLastWellProvesNoSilence(t *testing.T) {
	r := settled(t)
	// The links break, and a is well after that; that they are broken is seen only then.
	r.poll("b")
	r.poll("c")
	for _, name := range []string{"b", "c"} {
		s := r.server(name)
		s.io, s.ioErrno, s.waits = "Connecting", 2003, true
	}
	r.poll("a")
	r.poll("b")
	r.poll("c")
	r.server("a").trouble = mpp.KindNoAnswer
	for range 5 {
		for _, name := range []string{"a", "b", "c"} {
			r.poll(name)
		}
	}
	r.noFailover() // nobody has tried the links
	r.wantGate("witnessed", false, "no replica says that its link is broken")
}

func TestNothingIsDecidedOnPollsFromBeforeARestart(t *testing.T) {
	for _, kind := range []mpp.Kind{mpp.KindRefused, mpp.KindSemiSyncWait} {
		r := lostWriter(t)
		r.server("a").trouble = kind
		r.rounds(2)
		r.restart(r.policy)
		r.tick(0)
		r.wantGate("dead", false, "a:1 was not polled yet since mppd started")
	}
}

func TestAReplicaThatWasOpenedByHandIsNotMadeTheWriterWhileOnlyThisPollerCannotReachIt(t *testing.T) {
	r := settled(t)
	b := r.server("b")
	b.readOnly, b.source, b.io = false, "", ""
	r.server("a").trouble = mpp.KindNoAnswer
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Step.Kind == mpp.StepTestLink {
			r.server("c").io, r.server("c").ioErrno = "Yes", 0
			return &mpp.StepResult{Done: true, Alive: true}
		}
		return nil
	}
	for range 12 {
		r.rounds(1)
		r.server("c").io, r.server("c").ioErrno = "Yes", 0
	}
	if n := r.a.activeNode(); n == nil || n.policy.Address != "a:1" {
		t.Errorf("states %s; %s", r.states(), r.lastEvents())
	}
}

func TestTheDecisionAboutAStuckWriterWaitsForAPollAfterAReplicaWasReattached(t *testing.T) {
	r := settled(t)
	r.server("c").source = "x:1"
	r.server("a").trouble = mpp.KindSemiSyncWait
	for range 3 {
		for _, name := range []string{"a", "b"} {
			r.poll(name)
		}
	}
	r.poll("c")
	r.carryOut() // c is re-attached; a was not polled since
	if r.server("c").source != "a:1" {
		t.Fatalf("c follows %s", r.server("c").source)
	}
	r.now = r.now.Add(2 * time.Second)
	r.poll("c")
	if g := r.gate("witnessed", false); g.Open || !strings.Contains(g.Evidence, "a replica was re-attached since its last poll") {
		t.Errorf("gate witnessed: %+v", g)
	}
}

func TestAWriterThatIsOutIsClosedSoThatTheRestartedActiveNodeCanBeOpened(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindNoAnswer
	r.rounds(8)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	r.server("b").extra = uuidOf("b") + ":1-5" // it has taken writes
	r.server("c").extra = uuidOf("b") + ":1-5"
	r.rounds(1)
	r.server("b").trouble = mpp.KindRefused
	r.rounds(1)
	// Both come back: a as it was, b read-only by its configuration.
	r.server("a").trouble, r.server("a").started = "", r.now
	r.server("b").trouble, r.server("b").readOnly, r.server("b").started = "", true, r.now
	r.rounds(8)
	r.want("a STANDBY, b ACTIVE, c STANDBY")
	if got := r.writers(); !slices.Equal(got, []string{"b"}) || !r.server("a").readOnly || r.server("b").readOnly {
		t.Errorf("writers %v, steps %v", got, r.log)
	}
}

func TestErrantTransactionsAreSeenThoughPollsOverlapEachTime(t *testing.T) {
	r := settled(t)
	r.server("c").extra = uuidOf("c") + ":1"
	for range 3 {
		c, a := r.observe("c"), r.observe("a") // both under way at the same time
		c.Took, a.At = 10*time.Millisecond, c.At.Add(time.Millisecond)
		r.now = r.now.Add(20 * time.Millisecond)
		r.step(mpp.Input{Observation: &c})
		r.step(mpp.Input{Observation: &a})
		r.now = r.now.Add(time.Second)
	}
	if got := r.a.index["c:1"].mem.Errant; got != uuidOf("c")+":1" {
		t.Errorf("errant: %q", got)
	}
}

func TestAHalfPromotedTargetIsClosedSoThatTheOldWriterCanBeOpenedAgain(t *testing.T) {
	r := settled(t)
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		switch {
		case task.Step.Kind == mpp.StepPromote: // done, and nobody hears of it
			r.effect(&task.Step)
			return &mpp.StepResult{Text: "the connection was lost", Unreachable: true}
		case task.Kind == mpp.OpSwitchover && task.Step.Undo:
			return &mpp.StepResult{Text: "no answer", Unreachable: true}
		}
		return nil
	}
	r.command(mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1"})
	r.carryOut()
	if r.server("b").readOnly || !r.server("a").readOnly {
		t.Fatal("b is not half-promoted")
	}
	r.rounds(8)
	r.look("a", "b")
	r.look("a", "b")
	r.rounds(4)
	r.want("a ACTIVE, b STANDBY, c STANDBY")
	if got := r.writers(); !slices.Equal(got, []string{"a"}) || !r.server("b").readOnly || !r.server("a").vip || r.server("b").source != "a:1" {
		t.Errorf("writers %v, b follows %q, steps %v", got, r.server("b").source, r.log)
	}
}

func TestAReplicaThatTakesWritesIsFencedThoughPollsOverlapEachTime(t *testing.T) {
	r := settled(t)
	r.server("c").readOnly = false
	for range 3 {
		c, a := r.observe("c"), r.observe("a")
		c.Took, a.At = 10*time.Millisecond, c.At.Add(time.Millisecond)
		r.now = r.now.Add(20 * time.Millisecond)
		r.step(mpp.Input{Observation: &c})
		r.step(mpp.Input{Observation: &a})
		r.now = r.now.Add(time.Second)
	}
	if r.started(mpp.OpFence) != 1 {
		t.Errorf("%d fencings", r.started(mpp.OpFence))
	}
}

func TestWhoMayHaveAcknowledgedIsKnownFromTheFirstPollOfTheWriterOn(t *testing.T) {
	r := settled(t)
	semiSynced(r)
	r.restart(r.policy)
	r.a.index["a:1"].mem.Acknowledgers = "" // the manager before was an older one
	r.poll("a")                             // once; the others were not heard yet
	r.restart(r.policy)
	r.server("a").trouble, r.server("c").trouble = mpp.KindRefused, mpp.KindRefused
	r.rounds(8)
	r.noFailover()
	r.wantGate("complete", false, "c:1 acknowledges commits of a:1 and cannot be asked")
}
