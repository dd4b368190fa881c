package pool

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mpp"
)

func TestAFirstStartFindsTheWriterAndTouchesNothing(t *testing.T) {
	r := settled(t)
	r.want("a ACTIVE, b STANDBY, c STANDBY")
	if r.a.index["a:1"].mem.Rule != ruleAdopt {
		t.Errorf("by rule %s", r.a.index["a:1"].mem.Rule)
	}
	if got := r.writers(); !slices.Equal(got, []string{"a"}) {
		t.Errorf("writers: %v", got)
	}
}

func TestARefusedWriterWithAllLinksBrokenIsFailedOverAtFailAfter(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindRefused
	for range 3 {
		r.poll("a")
		r.poll("b")
		r.poll("c")
	}
	r.noFailover()
	r.poll("a")
	if r.started(mpp.OpFailover) != 1 {
		t.Fatalf("not started at fail_after: %+v", r.a.outage(r.now, false).gates())
	}
	r.carryOut()
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	report := r.reports[len(r.reports)-1]
	if report.Kind != mpp.OpFailover || report.Outcome != mpp.Completed || report.New != "b:1" || report.FirstMiss.IsZero() || len(report.Gates) != 7 {
		t.Errorf("the report: %+v", report)
	}
	r.rounds(2)
	if got := r.writers(); !slices.Equal(got, []string{"b"}) || r.server("c").source != "b:1" || !r.server("b").vip || r.server("a").vip {
		t.Errorf("writers %v, c follows %s, b has the address: %t", got, r.server("c").source, r.server("b").vip)
	}
}

func TestSilenceNeedsLinksThatWereTried(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindNoAnswer // the links of b and c stay up by their own word
	tested := 0
	for range 4 {
		for _, name := range []string{"a", "b", "c"} {
			r.poll(name)
			if r.started(mpp.OpFailover) > 0 && tested < 2 {
				t.Fatal("started before the links were tried")
			}
		}
		for len(r.tasks) > 0 && r.tasks[0].Step.Kind == mpp.StepTestLink {
			tested++
			r.carryOutOne()
		}
	}
	if tested != 2 {
		t.Errorf("%d links were tried, want 2; steps %v", tested, r.log)
	}
	r.rounds(1)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
}

func TestAWriterThatOnlyThisPollerCannotReachIsNotFailedOver(t *testing.T) {
	r := settled(t)
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Step.Kind == mpp.StepTestLink {
			return &mpp.StepResult{Done: true, Alive: true}
		}
		return nil
	}
	r.server("a").trouble = mpp.KindNoAnswer
	for range 40 { // ten seconds and more: the links are tried again
		r.rounds(1)
		r.server("b").io, r.server("c").io = "Yes", "Yes"
	}
	r.noFailover()
	if text := r.problem("active-unreachable"); !strings.Contains(text, "alive") {
		t.Errorf("problems: %v", r.a.View(r.now).Problems)
	}
	if n := r.started(mpp.OpTestLinks); n < 2 || n > 4 {
		t.Errorf("links were tried %d times in 11 s", n)
	}
	if len(r.reports) > 0 {
		t.Errorf("reports: %+v", r.reports)
	}
	// Then it dies: what they said before is no longer true.
	r.answer = nil
	r.server("a").trouble = mpp.KindRefused
	r.rounds(3)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
}

func TestReplicasThatGoOnReceivingShowThatTheWriterLives(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindNoAnswer
	for range 12 {
		r.server("b").received++
		r.server("c").received++
		r.rounds(1)
	}
	r.noFailover()
	if r.started(mpp.OpTestLinks) > 0 {
		t.Error("links were tried that something came over")
	}
	r.wantGate("witnessed", false, "received transactions at")
}

func TestWhatReplicasReceivedBeforeTheFirstMissIsNoSignOfLife(t *testing.T) {
	r := settled(t)
	// Both have received more since their last poll, and then a died.
	r.server("b").received, r.server("c").received = 150, 150
	r.server("a").trouble = mpp.KindRefused
	r.rounds(4)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
}

func TestAManagerThatStartsWhileTheWriterIsDeadTriesTheLinksFirst(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindRefused
	r.poll("a")
	r.restart(r.policy)
	r.rounds(6)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	if r.started(mpp.OpTestLinks) == 0 {
		t.Error("links that were broken when they were first seen were believed")
	}
}

func TestALinkThatWasBrokenBeforeIsNoWitnessUntilItWasTried(t *testing.T) {
	r := settled(t)
	for _, name := range []string{"b", "c"} { // both lost it in a restart of a, and wait to try again
		s := r.server(name)
		s.io, s.ioErrno, s.waits = "Connecting", 2003, true
	}
	for range 3 {
		for _, name := range []string{"b", "c", "a"} {
			r.poll(name)
		}
	}
	alive := true
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Step.Kind != mpp.StepTestLink {
			return nil
		}
		if alive {
			s := r.servers[task.Step.Node]
			s.io, s.ioErrno, s.waits = "Yes", 0, false
		}
		return &mpp.StepResult{Done: true, Alive: alive}
	}
	r.server("a").trouble = mpp.KindNoAnswer
	for range 4 {
		r.poll("a")
		r.poll("b")
		r.poll("c")
	}
	r.noFailover()
	r.carryOut()
	r.rounds(4)
	r.noFailover()
	r.wantGate("witnessed", false, "connected to it anew")
}

func TestARestartOfAReceiverByATestIsNoBrokenLink(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindNoAnswer
	for range 5 {
		r.poll("a")
		for _, name := range []string{"b", "c"} {
			// The test has stopped the receiver, and it connects: nobody has heard of its end yet.
			if len(r.tasks) > 0 {
				r.server(name).io, r.server(name).ioErrno = "Connecting", 0
			}
			r.poll(name)
		}
	}
	if len(r.tasks) == 0 {
		t.Fatal("no link is being tried")
	}
	r.noFailover()
	r.wantGate("witnessed", false, "is trying to connect to it anew")
}

func TestTestsOfLinksThatFailAreNotRepeatedAtOnce(t *testing.T) {
	r := settled(t)
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Step.Kind == mpp.StepTestLink {
			return &mpp.StepResult{Text: "access denied"}
		}
		return nil
	}
	r.server("a").trouble = mpp.KindHung
	r.rounds(20) // about 6 s
	r.noFailover()
	if n := r.started(mpp.OpTestLinks); n < 2 || n > 4 {
		t.Errorf("begun %d times", n)
	}
}

func TestAReplicaWhoseReceiverWasStoppedByHandIsNoWitness(t *testing.T) {
	r := settled(t)
	r.server("c").io = "No"
	r.rounds(1)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(4)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")

	r = settled(t)
	r.server("b").io, r.server("c").io = "No", "No"
	r.rounds(1)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(4)
	r.noFailover()
	r.wantGate("witnessed", false, "b:1 has its receiver stopped")
	r.wantGateIf("witnessed", true, false, "no reachable node receives from it")
}

func TestAReplicaThatItsSourceTurnsAwayIsNoWitness(t *testing.T) {
	r := settled(t)
	r.server("b").trouble = mpp.KindNoAnswer
	r.rounds(1)
	r.server("c").io, r.server("c").ioErrno = "No", 13114
	r.rounds(1)
	r.server("a").trouble = mpp.KindNoAnswer
	r.rounds(5)
	r.noFailover()
	r.wantGate("witnessed", false, "c:1 does not receive by an error of its own (13114)")
}

func TestAServerThatSaysThatItIsStuckNeedsNoBrokenLink(t *testing.T) {
	for _, kind := range []mpp.Kind{mpp.KindDiskFull, mpp.KindSemiSyncWait} {
		r := settled(t)
		r.server("a").trouble = kind
		r.rounds(2)
		r.noFailover()
		r.rounds(6)
		r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
		if !slices.Contains(r.log, "read-only a") || r.started(mpp.OpTestLinks) > 0 {
			t.Errorf("%s: steps %v", kind, r.log)
		}
	}
}

func TestAServerThatIsStuckIsNotFailedOverWhileSomethingComesFromIt(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindSemiSyncWait
	for range 10 {
		r.server("b").received++
		r.rounds(1)
	}
	r.noFailover()
	r.wantGate("witnessed", false, "received transactions at")
}

func TestNothingIsStartedWhenEveryReplicaIsUnfit(t *testing.T) {
	r := settled(t)
	for _, name := range []string{"b", "c"} {
		r.server(name).lag, r.server(name).executed = time.Hour, 50
	}
	r.rounds(1)
	r.wantGateIf("candidate", true, false, "b:1: far behind; c:1: far behind")
	r.server("a").trouble = mpp.KindRefused
	r.rounds(6)
	r.noFailover()
	r.wantGate("candidate", false, "no node may be promoted: b:1: far behind")
	if text := r.problem("active-failing"); !strings.Contains(text, "gate candidate is closed") {
		t.Errorf("it is told so: %q", text)
	}
}

func TestWhatReplicasCannotSayAnyMoreIsTakenAsItWas(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindRefused
	r.poll("a")
	r.server("b").lag, r.server("c").lag = time.Hour, time.Hour // their heartbeat grows old
	r.rounds(4)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
}

func TestAManagerThatIsCutOffFromEverythingStartsNothing(t *testing.T) {
	for _, points := range []bool{false, true} {
		r := settled(t, func(p *Policy) {
			if points {
				p.Checkpoints = []CheckpointPolicy{{Name: "gw", Ring: mpp.Edge}}
			}
		})
		for _, name := range []string{"a", "b", "c"} {
			r.server(name).trouble = mpp.KindNoAnswer
		}
		for range 8 {
			if points {
				r.step(mpp.Input{Checkpoint: &mpp.CheckpointResult{Name: "gw", At: r.now, Message: "no answer"}})
			}
			r.rounds(1)
		}
		r.noFailover()
		if points && (!r.a.head.CutOff || len(r.writers()) > 0) {
			t.Errorf("cut off %t, writers %v", r.a.head.CutOff, r.writers())
		}
		for _, name := range []string{"a", "b", "c"} {
			r.server(name).trouble = ""
		}
		if points {
			r.step(mpp.Input{Checkpoint: &mpp.CheckpointResult{Name: "gw", At: r.now, Reached: true}})
		}
		r.rounds(3)
		r.noFailover()
		if len(r.log) > 0 && !slices.ContainsFunc(r.log, func(l string) bool { return strings.HasPrefix(l, "test-link") }) {
			t.Errorf("steps %v", r.log)
		}
	}
}

func TestTheNewWriterThatDiesBeforeTheReplicasAreRepointedIsReplaced(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(3)
	for r.started(mpp.OpFailover) == 0 {
		r.poll("a")
	}
	if !r.until("repoint c <- b") {
		t.Fatalf("no re-pointing: %v", r.log)
	}
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	r.server("b").trouble = mpp.KindRefused
	r.server("c").source, r.server("c").io = "b:1", "Connecting" // the step has begun
	r.server("c").ioErrno = 2003
	for range 6 {
		r.poll("b")
		r.poll("c")
		r.poll("a")
	}
	for range 6 {
		r.carryOut()
		r.rounds(1)
	}
	r.want("a FAIL (OFFLINE), b FAIL (OFFLINE), c ACTIVE")
	if first := r.reports[0]; first.Outcome != mpp.Abandoned || first.New != "b:1" {
		t.Errorf("the first report: %+v", first)
	}
}

func TestTheWriterDyingWhileASwitchoverOnlyPreparesIsFailedOver(t *testing.T) {
	r := settled(t)
	r.server("b").lag = 3 * time.Second
	if result := r.command(mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1"}); !result.Done {
		t.Fatal(result.Refused)
	}
	if !r.until("await-set b") {
		t.Fatal("it does not wait")
	}
	r.server("a").trouble = mpp.KindRefused
	for range 4 {
		for _, name := range []string{"a", "b", "c"} {
			r.poll(name)
		}
	}
	r.carryOut()
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
}

func TestTheStatesAndAnswersOfASwitchover(t *testing.T) {
	r := settled(t)
	if result := r.command(mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1", By: "ann"}); !result.Done || result.Operation != 1 {
		t.Fatalf("%+v", result)
	}
	seen := map[string][]string{}
	for len(r.tasks) > 0 {
		phase := r.a.head.Operation.Phase
		seen[phase] = r.writers()
		r.carryOutOne()
	}
	for phase, want := range map[string][]string{
		"check": {"a"}, "prepare": {"a"}, "await": {"a"}, "cut": nil, "final": nil, "catch-up": nil, "promote": nil, "address": {"b"}, "repoint": {"b"},
	} {
		if !slices.Equal(seen[phase], want) {
			t.Errorf("in phase %s: writers %v, want %v", phase, seen[phase], want)
		}
	}
	r.want("a STANDBY, b ACTIVE, c STANDBY")
	r.rounds(2)
	if got := r.writers(); !slices.Equal(got, []string{"b"}) || r.server("a").source != "b:1" || r.server("c").source != "b:1" || r.server("a").vip {
		t.Errorf("writers %v, a follows %q, c follows %q", got, r.server("a").source, r.server("c").source)
	}
	if len(r.reports) != 1 || r.reports[0].By != "ann" || r.reports[0].NothingLost == "" {
		t.Errorf("reports: %+v", r.reports)
	}
}

func TestASwitchoverThatFailsLeavesTheOldWriter(t *testing.T) {
	r := settled(t)
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Step.Kind == mpp.StepPromote {
			return &mpp.StepResult{Text: "error 1205"}
		}
		return nil
	}
	r.command(mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1"})
	r.carryOut()
	r.rounds(2)
	r.want("a ACTIVE, b STANDBY, c STANDBY")
	if got := r.writers(); !slices.Equal(got, []string{"a"}) || !r.server("a").vip || r.server("a").readOnly || r.reports[0].Outcome != mpp.RolledBack {
		t.Errorf("writers %v, outcome %s", got, r.reports[0].Outcome)
	}
}

func TestAWriterThatAFailedSwitchoverLeftReadOnlyIsOpenedWhenItAnswers(t *testing.T) {
	r := settled(t)
	broken := true
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Step.Kind == mpp.StepPromote || (broken && task.Step.Kind == mpp.StepWritable) {
			return &mpp.StepResult{Text: "error 1205"}
		}
		return nil
	}
	r.command(mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1"})
	r.carryOut()
	if r.reports[0].Outcome != mpp.Stopped || !r.a.index["a:1"].mem.Closed {
		t.Fatalf("outcome %s", r.reports[0].Outcome)
	}
	r.restart(r.policy) // it is remembered
	broken = false
	r.rounds(8)
	if got := r.writers(); !slices.Equal(got, []string{"a"}) || r.server("a").readOnly || r.a.index["a:1"].mem.Closed {
		t.Errorf("writers %v, steps %v", got, r.log)
	}
}

func TestAWriterThatSomebodyMadeReadOnlyIsLeftAlone(t *testing.T) {
	r := settled(t)
	r.server("a").readOnly = true
	r.rounds(8)
	if len(r.log) > 0 || len(r.writers()) > 0 || r.problem("active-read-only") == "" {
		t.Errorf("steps %v, writers %v", r.log, r.writers())
	}
}

func TestAWriterWhoseServerWasRestartedReadOnlyIsOpenedOnce(t *testing.T) {
	r := settled(t)
	r.server("a").readOnly, r.server("a").started = true, r.now
	r.rounds(8)
	if r.started(mpp.OpReopen) != 1 || r.server("a").readOnly || !slices.Equal(r.writers(), []string{"a"}) {
		t.Errorf("reopened %d times; steps %v", r.started(mpp.OpReopen), r.log)
	}
}

func TestARestartedWriterThatLacksWhatAReplicaHasIsNotOpened(t *testing.T) {
	r := settled(t)
	s := r.server("a")
	s.readOnly, s.started, s.executed = true, r.now, 90 // it was restored from a backup
	r.rounds(4)
	if r.started(mpp.OpReopen) != 0 {
		t.Errorf("steps %v", r.log)
	}
}

func TestTheAddressIsPutBackAfterTwoLooksAndOnce(t *testing.T) {
	r := settled(t)
	r.server("a").vip = false
	r.look("a")
	if r.started(mpp.OpReopen) != 0 || r.problem("address-missing") == "" {
		t.Errorf("begun after one look: %v; problems %v", r.log, r.a.View(r.now).Problems)
	}
	r.look("a")
	r.carryOut()
	r.rounds(3)
	r.look("a")
	if r.started(mpp.OpReopen) != 1 || !r.server("a").vip || slices.Contains(r.log, "writable a") || r.problem("address-missing") != "" {
		t.Errorf("begun %d times; steps %v", r.started(mpp.OpReopen), r.log)
	}
}

func TestAnAddressThatCannotBePutBackIsTriedEverMoreSeldom(t *testing.T) {
	r := settled(t)
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Step.Kind == mpp.StepAddAddress {
			return &mpp.StepResult{Text: "no such interface"}
		}
		return nil
	}
	r.server("a").vip = false
	for range 30 {
		r.rounds(1)
		r.look("a")
		r.carryOut()
	}
	if n := r.started(mpp.OpReopen); n < 2 || n > 5 {
		t.Errorf("begun %d times within 10 s", n)
	}
}

func TestAnAddressThatStraysIsTakenAway(t *testing.T) {
	r := settled(t)
	r.server("c").vip = true
	r.look("c")
	if r.problem("address-conflict") == "" || r.started(mpp.OpFence) != 0 {
		t.Errorf("after one look: %v", r.log)
	}
	r.look("c")
	r.carryOut()
	if r.started(mpp.OpFence) != 1 || r.server("c").vip || !r.server("a").vip {
		t.Errorf("steps %v", r.log)
	}
}

func TestAnOldWriterThatComesBackIsFencedAtOnceAndRejoined(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindNoAnswer
	r.rounds(8)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	r.server("a").trouble = ""
	r.log = nil
	r.poll("a")
	if len(r.log) < 3 || r.log[0] != "remove-address a" || r.log[1] != "read-only a" {
		t.Fatalf("not fenced by the first poll: %v", r.log)
	}
	if got := r.writers(); slices.Contains(got, "a") {
		t.Errorf("writers %v", got)
	}
	r.carryOut()
	r.rounds(3)
	r.want("a STANDBY, b ACTIVE, c STANDBY")
	if r.server("a").source != "b:1" || r.server("a").vip || !r.server("a").readOnly {
		t.Errorf("a follows %q", r.server("a").source)
	}
}

func TestAnOldWriterIsFencedAtOnceHoweverOftenItWasRepairedBefore(t *testing.T) {
	r := settled(t)
	for n := range 12 {
		old := short(r.a.activeNode().policy.Address)
		r.server(old).trouble = mpp.KindRefused
		r.rounds(8)
		if got := short(r.a.activeNode().policy.Address); got == old {
			t.Fatalf("round %d: no failover: %s", n, r.states())
		}
		r.server(old).trouble, r.server(old).readOnly = "", false
		r.log = nil
		r.poll(old)
		if len(r.log) < 2 || r.log[1] != "read-only "+old {
			t.Fatalf("round %d: %s is not fenced by its first poll: %v", n, old, r.log)
		}
		r.carryOut()
		r.rounds(3)
	}
}

func TestAnOldWriterThatHoldsMoreIsKeptOutUntilItIsCloned(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindNoAnswer
	r.rounds(8)
	r.server("a").trouble, r.server("a").executed = "", 103
	r.rounds(10)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	if n := r.started(mpp.OpRejoin); n != 1 || !r.server("a").readOnly || !strings.Contains(r.problem("kept-out"), ":101-103") {
		t.Errorf("tried %d times; problem %q", n, r.problem("kept-out"))
	}
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Step.Kind == mpp.StepClone {
			r.server("a").executed = 100
		}
		return nil
	}
	if result := r.command(mpp.Command{Verb: mpp.VerbRejoin, Node: "a:1", Options: mpp.OperationOptions{Clone: true}}); !result.Done {
		t.Fatal(result.Refused)
	}
	r.carryOut()
	r.rounds(3)
	r.want("a STANDBY, b ACTIVE, c STANDBY")
	if r.problem("kept-out") != "" || r.problem("two-writable") != "" {
		t.Errorf("problems %v", r.a.View(r.now).Problems)
	}
}

func TestWithRejoinOffAnOldWriterIsOnlyFenced(t *testing.T) {
	r := settled(t, func(p *Policy) { p.Failover.Rejoin = false })
	r.server("a").trouble = mpp.KindNoAnswer
	r.rounds(8)
	r.server("a").trouble = ""
	r.rounds(4)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	if r.started(mpp.OpFence) != 1 || r.started(mpp.OpRejoin) != 0 || !r.server("a").readOnly || r.server("a").vip {
		t.Errorf("steps %v", r.log)
	}
}

func TestAnOldWriterThatComesBackWhileReplicasAreStillBeingRepointedIsFencedAtOnce(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindNoAnswer
	for r.started(mpp.OpFailover) == 0 {
		r.poll("a")
		r.poll("b")
		r.poll("c")
		for len(r.tasks) > 0 && r.tasks[0].Step.Kind == mpp.StepTestLink {
			r.carryOutOne()
		}
	}
	if !r.until("repoint c <- b") {
		t.Fatal("no re-pointing")
	}
	hung := r.tasks // it takes long
	r.tasks = nil
	r.server("a").trouble = ""
	r.log = nil
	r.poll("b")
	r.poll("a")
	if len(r.log) < 2 || r.log[0] != "remove-address a" || r.log[1] != "read-only a" {
		t.Fatalf("not fenced: %v", r.log)
	}
	r.carryOut()
	if !r.server("a").readOnly || r.server("a").vip {
		t.Error("it takes writes")
	}
	r.tasks = hung
	r.carryOut()
	r.rounds(4)
	r.want("a STANDBY, b ACTIVE, c STANDBY")
}

func TestAWriterThatAnswersAgainDuringItsFailoverIsNotAnsweredFor(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindHung
	r.server("b").io, r.server("b").ioErrno, r.server("c").io, r.server("c").ioErrno = "Connecting", 2013, "Connecting", 2013
	for r.started(mpp.OpFailover) == 0 {
		r.poll("a")
		r.poll("b")
		r.poll("c")
	}
	r.server("a").trouble = ""
	r.server("a").readOnly = false
	r.poll("a") // it was only frozen
	if got := r.writers(); len(got) > 0 {
		t.Errorf("writers %v while it loses the role", got)
	}
	r.carryOut()
	r.rounds(3)
	r.want("a STANDBY, b ACTIVE, c STANDBY")
}

func TestAReplicaThatCouldNotBeRepointedFailsAndIsTriedAgain(t *testing.T) {
	r := settled(t)
	broken := true
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if broken && task.Step.Kind == mpp.StepRepoint && task.Step.Node == "c:1" {
			return &mpp.StepResult{Text: "error 1205"}
		}
		return nil
	}
	r.server("a").trouble = mpp.KindRefused
	r.rounds(3)
	for r.started(mpp.OpFailover) == 0 {
		r.poll("a")
	}
	r.carryOut()
	r.poll("b")
	r.want("a FAIL (OFFLINE), b ACTIVE, c FAIL (ONLINE)")
	broken = false
	r.rounds(8)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	if r.server("c").source != "b:1" {
		t.Errorf("c follows %s", r.server("c").source)
	}
}

func TestTwoWritableNodesWithoutAnActiveOneAreLeftToAnOperator(t *testing.T) {
	r := newRig(t)
	r.server("b").readOnly, r.server("b").source, r.server("b").io = false, "", ""
	r.rounds(6)
	r.want("a STANDBY, b STANDBY, c STANDBY")
	if len(r.writers()) > 0 || len(r.log) > 0 || r.problem("two-writable") == "" {
		t.Errorf("writers %v, steps %v", r.writers(), r.log)
	}
	r.refused(mpp.Command{Verb: mpp.VerbFailover}, "2 nodes accept writes")
	r.server("b").readOnly = true
	r.rounds(2)
	if r.a.activeNode() == nil || !slices.Equal(r.writers(), []string{"a"}) {
		t.Errorf("once only one is writable: %s", r.states())
	}
}

func TestAWritableNodeBesideTheActiveOneIsFenced(t *testing.T) {
	r := settled(t)
	r.server("c").readOnly = false
	r.poll("c")
	if r.problem("two-writable") == "" {
		t.Error("it is not shouted about")
	}
	r.carryOut()
	r.rounds(2)
	if r.started(mpp.OpFence) != 1 || !r.server("c").readOnly || !slices.Equal(r.writers(), []string{"a"}) {
		t.Errorf("steps %v, writers %v", r.log, r.writers())
	}
}

func TestNobodyIsAdoptedBeforeAllWereHeardOrCountedOut(t *testing.T) {
	r := newRig(t)
	r.server("c").trouble = mpp.KindNoAnswer
	for range 3 {
		r.poll("a")
		r.poll("b")
		r.poll("c")
	}
	if r.a.activeNode() != nil {
		t.Fatalf("c may be the writer: %s", r.states())
	}
	r.rounds(2)
	r.want("a ACTIVE, b STANDBY, c FAIL (OFFLINE)")
}

func TestARecoveredPrimaryGetsTheRoleBackWhereThatIsWanted(t *testing.T) {
	r := settled(t, func(p *Policy) { p.Failover.Failback = true })
	r.server("a").trouble = mpp.KindRefused
	r.rounds(5)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	r.server("a").trouble, r.server("a").started, r.server("a").readOnly = "", r.now, true
	r.rounds(10)
	r.want("a ACTIVE, b STANDBY, c STANDBY")
	if r.started(mpp.OpSwitchover) != 1 {
		t.Errorf("%d switchovers", r.started(mpp.OpSwitchover))
	}
}

func TestAFailbackThatFailsIsNotTriedAgainAtOnce(t *testing.T) {
	r := settled(t, func(p *Policy) { p.Failover.Failback = true })
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Kind == mpp.OpSwitchover && task.Step.Kind == mpp.StepPromote {
			return &mpp.StepResult{Text: "error 1205"}
		}
		return nil
	}
	r.server("a").trouble = mpp.KindRefused
	r.rounds(5)
	r.server("a").trouble, r.server("a").started, r.server("a").readOnly = "", r.now, true
	r.rounds(40)
	r.want("a STANDBY, b ACTIVE, c STANDBY")
	if r.started(mpp.OpSwitchover) != 1 {
		t.Errorf("%d switchovers within 12 s", r.started(mpp.OpSwitchover))
	}
}

func TestAWriterThatAFailoverThatStoppedHasClosedIsOpenedWhenItAnswers(t *testing.T) {
	for _, promoted := range []bool{false, true} {
		r := settled(t)
		r.answer = func(task *mpp.Task) *mpp.StepResult {
			if k := task.Step.Kind; (k == mpp.StepDrain && !promoted) || k == mpp.StepPromote {
				return &mpp.StepResult{Text: "error 1205"}
			}
			return nil
		}
		r.server("a").trouble = mpp.KindRefused
		r.rounds(6)
		if len(r.reports) != 1 || r.reports[0].Outcome != mpp.Stopped {
			t.Fatalf("reports %+v", r.reports)
		}
		r.answer = nil
		r.server("a").trouble, r.server("a").readOnly = "", true // it was frozen, and then did what it was told
		r.rounds(4)
		if got := r.server("a").readOnly; got != promoted {
			t.Errorf("with a promotion begun %t: read-only %t, steps %v", promoted, got, r.log)
		}
	}
}

func TestAWriterIsNotOpenedBesideAnotherOne(t *testing.T) {
	r := settled(t)
	r.server("a").readOnly = true
	r.rounds(1)
	r.server("c").readOnly = false // somebody is about to move the role
	r.rounds(1)
	r.server("a").started = r.now
	r.rounds(4)
	if r.started(mpp.OpReopen) != 0 || r.server("c").readOnly {
		t.Errorf("steps %v", r.log)
	}
}

func TestAStatementThatComesLateDoesNotLeaveThePoolWithoutAWriter(t *testing.T) {
	r := settled(t)
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Step.Kind == mpp.StepReadOnly && task.Step.Node == "a:1" {
			return &mpp.StepResult{Text: "time is up; it may still come into force"}
		}
		return nil
	}
	r.command(mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1"})
	r.carryOut()
	if len(r.reports) != 1 || r.reports[0].Outcome != mpp.RolledBack {
		t.Fatalf("reports %+v", r.reports)
	}
	r.rounds(1)
	r.server("a").readOnly = true
	r.rounds(6)
	if r.server("a").readOnly || !slices.Equal(r.writers(), []string{"a"}) {
		t.Errorf("steps %v", r.log)
	}
	r.rounds(30)
	r.server("a").readOnly = true // that is somebody's will
	r.rounds(6)
	if !r.server("a").readOnly {
		t.Errorf("it was opened against somebody's will: %v", r.log)
	}
}

func TestTheOnlyWriterKeepsTheAddressThatSomebodyGaveIt(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindNoAnswer // and its replicas do not say that it is dead
	r.server("b").readOnly, r.server("b").vip, r.server("b").io = false, true, "No"
	for range 6 {
		r.rounds(1)
		r.look("b")
		r.carryOut()
	}
	if r.started(mpp.OpFence) > 0 || !r.server("b").vip || r.server("b").readOnly {
		t.Errorf("the only writer was fenced: %v", r.log)
	}
}

// diesAlone lets the new writer b die before c follows it, of a trouble.
func diesAlone(t *testing.T, trouble mpp.Kind) *rig {
	t.Helper()
	r := settled(t)
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Step.Kind == mpp.StepRepoint {
			r.server("b").trouble = trouble
			return &mpp.StepResult{Text: "ask b:1: connection refused"}
		}
		return nil
	}
	r.server("a").trouble = mpp.KindRefused
	for r.server("b").trouble == "" {
		r.rounds(1)
	}
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	r.answer = nil
	return r
}

func TestANewWriterThatDiesBeforeAnybodyFollowsItIsReplacedWhenItsHostSaysSo(t *testing.T) {
	r := diesAlone(t, mpp.KindRefused)
	r.rounds(10)
	r.want("a FAIL (OFFLINE), b FAIL (OFFLINE), c ACTIVE")
	if last := r.reports[len(r.reports)-1]; !last.MustFence {
		t.Errorf("nobody could say that it is dead, and it need not be fenced: %+v", last)
	}
}

func TestANewWriterThatNobodyFollowsIsReplacedOnlyWhenItIsFenced(t *testing.T) {
	r := diesAlone(t, mpp.KindRefused)
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Step.Node == "b:1" {
			return &mpp.StepResult{Text: "no answer", Unreachable: true}
		}
		return nil
	}
	r.rounds(10)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	if last := r.reports[len(r.reports)-1]; last.Outcome != mpp.Stopped || !strings.Contains(last.Why, "nobody replicated from it") {
		t.Errorf("it ended %s: %s", last.Outcome, last.Why)
	}
}

func TestANewWriterThatFallsSilentBeforeAnybodyFollowsItIsLeftToAnOperator(t *testing.T) {
	r := diesAlone(t, mpp.KindNoAnswer)
	r.rounds(10)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	r.wantGate("witnessed", false, "c:1 does not replicate from it")
	if result := r.command(mpp.Command{Verb: mpp.VerbFailover, By: "ann"}); !result.Done {
		t.Fatalf("refused: %s", result.Refused)
	}
	r.carryOut()
	r.want("a FAIL (OFFLINE), b FAIL (OFFLINE), c ACTIVE")
}

func TestAFailoverByHandIsRefusedWhileAReplicaSpeaksAgainstIt(t *testing.T) {
	r := settled(t, func(p *Policy) { p.Failover.Manual = true })
	r.server("a").trouble = mpp.KindNoAnswer
	for range 8 {
		r.server("b").received++
		r.server("c").received++
		r.rounds(1)
	}
	r.refused(mpp.Command{Verb: mpp.VerbFailover}, "gate witnessed is closed: alive by its replicas")
}

func TestWhatFailsAgainAndAgainPushesNoReportAway(t *testing.T) {
	r := settled(t)
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		if task.Step.Kind == mpp.StepAddAddress {
			return &mpp.StepResult{Text: "sudo: a password is required"}
		}
		return nil
	}
	r.server("a").vip = false
	tries := 0
	for range 1000 { // 5 minutes
		r.rounds(1)
		r.look("a")
		r.carryOut()
	}
	for _, line := range r.log {
		if line == "add-address a" {
			tries++
		}
	}
	if len(r.reports) > 20 || len(r.events) > 60 || tries < 30 {
		t.Errorf("%d tries, %d reports, %d events", tries, len(r.reports), len(r.events))
	}
}

func TestAnAddressThatIsTakenAwayAgainAndAgainIsPutBackInPeace(t *testing.T) {
	r := settled(t)
	for range 500 {
		r.server("a").vip = false // keepalived has it, too
		r.rounds(1)
		r.look("a")
		r.carryOut()
	}
	if n := len(r.reports); n < 5 || n > 15 {
		t.Errorf("%d reports", n)
	}
	r.rounds(2)
	for range 1200 { // peace
		r.rounds(1)
	}
	before := len(r.reports)
	r.server("a").vip = false
	r.look("a", "a")
	r.carryOut()
	if len(r.reports) != before+1 {
		t.Error("what happens anew is not reported")
	}
}

func TestAReplicaThatBreaksIsSeenWhileTheAddressCannotBePutBack(t *testing.T) {
	r := settled(t)
	r.server("a").vip = false
	r.look("a", "a")
	if op := r.a.head.Operation; op == nil || op.Kind != mpp.OpReopen {
		t.Fatalf("no reopen: %v", r.log)
	}
	hung := r.tasks
	r.tasks = nil
	r.server("c").sql, r.server("c").sqlErrno = "No", 1062
	r.server("b").readOnly = false
	r.rounds(5)
	r.want("a ACTIVE, b STANDBY, c FAIL (ONLINE)")
	if !r.server("b").readOnly {
		t.Errorf("b takes writes: %v", r.log)
	}
	r.tasks = hung
	r.carryOut()
}

func TestAReplicaThatFollowsAnotherServerTooIsNoStranger(t *testing.T) {
	r := settled(t)
	r.server("b").other, r.server("c").other = "elsewhere", "elsewhere"
	r.rounds(8)
	if len(r.log) > 0 {
		t.Fatalf("repairs: %v", r.log)
	}
	r.server("a").trouble = mpp.KindRefused
	r.rounds(5)
	if r.started(mpp.OpFailover) != 1 {
		t.Errorf("no failover; gates %+v", r.a.outage(r.now, false).gates())
	}
}

func TestOneLateAnswerMakesNoSlowNetworkThreeDo(t *testing.T) {
	r := settled(t)
	for n := 1; n <= 3; n++ {
		r.now = r.now.Add(5 * time.Second)
		o := r.observe("a")
		o.Dialled = 2 * slowDial
		r.step(mpp.Input{Observation: &o})
		if got := r.a.index["a:1"].slow(); got != (n == 3) {
			t.Errorf("after %d late answers: slow %t", n, got)
		}
	}
	r.now = r.now.Add(slowFor)
	r.poll("a")
	if r.a.index["a:1"].slow() {
		t.Error("still slow")
	}
}
