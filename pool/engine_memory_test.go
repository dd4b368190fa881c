package pool

import (
	"encoding/json"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
)

func TestARestartGoesOnWithTheFailoverThatIsUnderWayAtAnyStep(t *testing.T) {
	steps := 0
	for k := 0; k == 0 || k < steps; k++ {
		r := settled(t)
		r.server("a").trouble = mpp.KindRefused
		r.rounds(3)
		for r.started(mpp.OpFailover) == 0 {
			r.poll("a")
		}
		for range k {
			if len(r.tasks) > 0 {
				r.carryOutOne()
			}
		}
		if k == 0 {
			steps = 12
		}
		if r.a.head.Operation == nil {
			break
		}
		r.restart(r.policy)
		r.rounds(3)
		r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
		if r.started(mpp.OpFailover) != 1 {
			t.Errorf("after step %d: %d failovers", k, r.started(mpp.OpFailover))
		}
	}
}

func TestARestartFinishesOrTakesBackASwitchoverAtAnyStep(t *testing.T) {
	for k := range 20 {
		r := settled(t)
		r.command(mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1"})
		for range k {
			if len(r.tasks) > 0 {
				r.carryOutOne()
			}
		}
		op := r.a.head.Operation
		if op == nil {
			break
		}
		promoting := slices.ContainsFunc(op.Steps, func(st mpp.Step) bool { return st.Kind == mpp.StepPromote })
		r.restart(r.policy)
		r.rounds(4)
		want, writer := "a ACTIVE, b STANDBY, c STANDBY", "a"
		if promoting {
			want, writer = "a STANDBY, b ACTIVE, c STANDBY", "b"
		}
		r.want(want)
		if got := r.writers(); !slices.Equal(got, []string{writer}) || r.server(writer).readOnly || !r.server(writer).vip {
			t.Errorf("after step %d: writers %v, steps %v", k, got, r.log)
		}
	}
}

func TestARestartOfItselfBeginsNothing(t *testing.T) {
	r := settled(t)
	r.restart(r.policy)
	r.log, r.events = nil, nil
	r.tick(0)
	r.rounds(4)
	if len(r.log) > 0 || r.started(mpp.OpFailover)+r.started(mpp.OpReopen) > 0 {
		t.Errorf("steps %v", r.log)
	}
	for _, e := range r.events {
		if e.Kind == mpp.EventState {
			t.Errorf("a state changed: %s", e.Text)
		}
	}
}

func TestARepairThatIsUnderWayIsGoneOnWithToo(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(5)
	r.server("a").trouble = ""
	r.poll("a")
	if len(r.a.head.Repairs) != 1 {
		t.Fatalf("no repair: %v", r.log)
	}
	r.restart(r.policy)
	r.rounds(4)
	r.want("a STANDBY, b ACTIVE, c STANDBY")
	if r.started(mpp.OpRejoin) != 1 {
		t.Errorf("%d rejoins", r.started(mpp.OpRejoin))
	}
}

func TestWhatIsRememberedIsTheSameForThoseWhoHoldIt(t *testing.T) {
	r := settled(t)
	r.command(mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1"})
	before := r.a.Memory()
	text, err := json.Marshal(before)
	if err != nil {
		t.Fatal(err)
	}
	r.carryOut()
	var then mpp.PoolMemory
	if err := json.Unmarshal(text, &then); err != nil {
		t.Fatal(err)
	}
	if diff := cmp.Diff(then, before); diff != "" {
		t.Errorf("a memory that was handed out was changed:\n%s", diff)
	}
}

func TestAFailoverGoesOnWithoutANodeThatIsRemovedAndEndsStoppedWhereItIsTheNewOne(t *testing.T) {
	for _, each := range []struct {
		at, gone string
		outcome  mpp.Outcome
	}{
		{"drain b", "b:1", mpp.Completed}, {"drain b", "a:1", mpp.Completed}, {"promote b", "b:1", mpp.Stopped}, {"repoint c", "b:1", mpp.Stopped}, {"repoint c", "a:1", mpp.Completed},
	} {
		r := settled(t)
		r.server("a").trouble = mpp.KindRefused
		r.rounds(3)
		for r.started(mpp.OpFailover) == 0 {
			r.poll("a")
		}
		r.until(each.at)
		p := r.policy
		p.Nodes = slices.DeleteFunc(slices.Clone(p.Nodes), func(n NodePolicy) bool { return n.Address == each.gone })
		r.reconfigure(p)
		r.carryOut()
		r.rounds(2)
		if len(r.reports) == 0 || r.reports[0].Outcome != each.outcome {
			t.Fatalf("%s removed at %q: reports %+v", each.gone, each.at, r.reports)
		}
		if each.outcome == mpp.Stopped && !strings.Contains(r.reports[0].Why, each.gone+" was removed") {
			t.Errorf("why: %s", r.reports[0].Why)
		}
	}
}

// reconfigure puts another policy in force.
func (r *rig) reconfigure(p Policy) {
	r.policy = p
	for _, action := range slices.Clone(r.a.Reconfigure(r.now, p)) {
		r.take(action)
	}
	r.hold()
}

func TestAReloadAtAnyStepIsNoFault(t *testing.T) {
	changes := map[string]func(*Policy){
		"no engine":  func(p *Policy) { p.Engine = mpp.EngineNone },
		"cluster":    func(p *Policy) { p.Logic = mpp.LogicCluster },
		"one node":   func(p *Policy) { p.Nodes = p.Nodes[:1] },
		"only b":     func(p *Policy) { p.Nodes = p.Nodes[1:2] },
		"only c":     func(p *Policy) { p.Nodes = p.Nodes[2:] },
		"no address": func(p *Policy) { p.Failover.Addresses = false },
		"everything else": func(p *Policy) {
			p.Failover.Events, p.Failover.ManageSemiSync, p.Failover.StopConnections = true, true, "lock"
		},
	}
	for name, change := range changes {
		for _, kind := range []string{"failover", "switchover", "rejoin"} {
			for k := range 25 {
				r := settled(t)
				r.beginAny(kind)
				for range k {
					if len(r.tasks) > 0 {
						r.carryOutOne()
					}
				}
				p := r.policy
				p.Nodes = slices.Clone(p.Nodes)
				change(&p)
				r.reconfigure(p)
				r.carryOut()
				r.rounds(2)
				if op := r.a.head.Operation; op != nil {
					t.Fatalf("%s at step %d of a %s: operation %d is under way for ever, in phase %s", name, k, kind, op.ID, op.Phase)
				}
			}
		}
	}
}

// beginAny starts an operation.
func (r *rig) beginAny(kind string) {
	switch kind {
	case "switchover":
		r.command(mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1"})
	case "rejoin":
		r.command(mpp.Command{Verb: mpp.VerbRejoin, Node: "c:1"})
	default:
		r.server("a").trouble = mpp.KindRefused
		r.rounds(3)
		for r.started(mpp.OpFailover) == 0 {
			r.poll("a")
		}
	}
}

func TestARestartWithAnotherConfigurationEndsWhatCannotGoOn(t *testing.T) {
	r := settled(t)
	r.beginAny("failover")
	r.until("drain b")
	p := r.policy
	p.Nodes = slices.Clone(p.Nodes[:1])
	r.restart(p)
	r.rounds(2)
	if r.a.head.Operation != nil || len(r.reports) != 1 || r.reports[0].Outcome != mpp.Stopped {
		t.Errorf("operation %+v, reports %+v", r.a.head.Operation, r.reports)
	}
}

func TestAnOperationSurvivesItsResultsComingTwiceOrTooLate(t *testing.T) {
	r := settled(t)
	r.command(mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1"})
	r.answer = func(task *mpp.Task) *mpp.StepResult {
		result := r.effect(&task.Step)
		result.Operation, result.Step, result.At = task.Operation, task.Step.N, r.now
		twice := *result
		r.step(mpp.Input{StepResult: &twice})
		return result
	}
	r.carryOut()
	r.want("a STANDBY, b ACTIVE, c STANDBY")
	r.step(mpp.Input{StepResult: &mpp.StepResult{Operation: 1, Step: 3, Done: true}})
	r.want("a STANDBY, b ACTIVE, c STANDBY")
}

func TestAFailoverOfALongTimeAgoIsTakenBackWhenItsOldNodeAnswers(t *testing.T) {
	r := settled(t)
	r.beginAny("failover")
	r.until("drain b")
	for _, name := range []string{"b", "c"} { // mppd was away for an hour: a was restarted and has taken writes
		r.server(name).io = "No"
	}
	r.server("a").trouble, r.server("a").executed, r.server("a").readOnly = "", 500, false
	r.restart(r.policy)
	r.log, r.reports = nil, nil
	r.tick(0)
	if len(r.log) > 0 {
		t.Fatalf("steps before anybody was asked: %v", r.log)
	}
	r.rounds(4)
	if !slices.Equal(r.log, []string{"start-replica b (undo)", "start-replica c (undo)"}) || r.server("a").readOnly {
		t.Errorf("steps %v", r.log)
	}
	if len(r.reports) != 1 || r.reports[0].Outcome != mpp.RolledBack || len(r.a.head.Unacknowledged) > 0 {
		t.Errorf("reports %+v", r.reports)
	}
	r.want("a ACTIVE, b STANDBY, c STANDBY")
}

func TestARepairOfALongTimeAgoDoesNotCloseTheOnlyWriter(t *testing.T) {
	r := settled(t)
	r.server("c").readOnly = false
	r.poll("c")
	r.poll("a")
	if !r.a.repairing("c:1", mpp.OpFence) {
		t.Fatalf("no repair: %v", r.log)
	}
	a, c := r.server("a"), r.server("c") // mppd was away, and somebody has moved the role to c
	c.readOnly, c.source, c.io = false, "", ""
	a.readOnly, a.source, a.io, a.sql, a.received = true, "c:1", "Yes", "Yes", 100
	r.restart(r.policy)
	r.log = nil
	r.rounds(4)
	if slices.Contains(r.log, "read-only c") || c.readOnly {
		t.Errorf("the only writer was closed: %v", r.log)
	}
	if n := r.a.activeNode(); n == nil || n.policy.Address != "c:1" {
		t.Errorf("states %s", r.states())
	}
}

func TestAManagerThatStartsWhileTheWriterIsDeadKnowsWhoTheWriterWas(t *testing.T) {
	r := settled(t)
	semiSynced(r)
	r.server("a").trouble, r.server("b").trouble = mpp.KindRefused, mpp.KindRefused // and b may have acknowledged last
	r.restart(r.policy)
	r.rounds(20)
	r.noFailover()
	r.wantGate("complete", false, "b:1 acknowledges commits of a:1 and cannot be asked")

	r = settled(t, func(p *Policy) { p.Failover.BinlogTail = true })
	r.names = map[string]string{"a": "db1.internal"} // replicas know it by another name than the configuration
	r.rounds(1)
	r.server("a").trouble = mpp.KindRefused
	r.restart(r.policy)
	r.rounds(20)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	if !slices.Contains(r.log, "binlog-end a") {
		t.Errorf("the end of the dead host's log was not looked for: %v", r.log)
	}
}

func TestAClockThatWasSetBackWhileMppdWasDownKeepsNobodyFromBeingFenced(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(6)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	r.now = r.now.Add(-time.Hour)
	r.restart(r.policy)
	r.server("a").trouble, r.server("a").readOnly, r.server("a").started = "", false, r.now
	r.rounds(6)
	r.want("a STANDBY, b ACTIVE, c STANDBY")
	r.wantGate("calm", true, "")
}

func TestAPromotionOfALongTimeAgoIsNotDoneBesideAWriter(t *testing.T) {
	for _, kind := range []string{"failover", "switchover"} {
		r := settled(t)
		r.beginAny(kind)
		if !r.until("promote b") {
			t.Fatalf("no promotion: %v", r.log)
		}
		a, b := r.server("a"), r.server("b") // mppd was away; somebody has made a the writer again
		a.trouble, a.readOnly, a.vip, a.executed, b.io, b.source = "", false, true, 500, "Yes", "a:1"
		r.restart(r.policy)
		r.log, r.reports = nil, nil
		r.rounds(5)
		if slices.Contains(r.log, "promote b") || a.readOnly || !b.readOnly {
			t.Errorf("%s: steps %v", kind, r.log)
		}
		r.want("a ACTIVE, b STANDBY, c STANDBY")
		if len(r.reports) != 1 || r.reports[0].Outcome != mpp.RolledBack {
			t.Errorf("%s: reports %+v", kind, r.reports)
		}
	}
}
