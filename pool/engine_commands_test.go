package pool

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mpp"
)

func TestCommandsOfOtherPoolsAreRefusedWithTheOneThatDoesIt(t *testing.T) {
	r := settled(t)
	r.refused(mpp.Command{Verb: mpp.VerbPromote, Node: "b:1"}, "mpp switchover orders moves the role with its data and its address")
	r.refused(mpp.Command{Verb: mpp.VerbActivatePrimary}, "mpp switchover orders")
	r.refused(mpp.Command{Verb: mpp.VerbDemote, Node: "a:1"}, "mpp switchover orders")
	r.refused(mpp.Command{Verb: mpp.VerbRecover, Node: "a:1", Force: true}, "a failover or switchover takes the role from it")
	b := start(t, threeNodes())
	b.settle()
	for _, verb := range []mpp.Verb{mpp.VerbSwitchover, mpp.VerbFailover, mpp.VerbRejoin, mpp.VerbAcknowledge} {
		b.refused(mpp.Command{Verb: verb, Node: "b:1"}, "needs an engine that promotes")
	}
}

func TestASwitchoverIsRefusedBeforeAnythingIsTouched(t *testing.T) {
	switchover := mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1"}
	for want, change := range map[string]func(r *rig){
		"pool orders has no node x:1": func(*rig) { switchover.Node = "x:1" },
		"b:1: it is in maintenance": func(r *rig) {
			r.command(mpp.Command{Verb: mpp.VerbMaintenance, Node: "b:1", Maintenance: mpp.Maintenance{On: true}})
		},
		"a:1 is ACTIVE already":                           func(*rig) { switchover.Node = "a:1" },
		"b:1: its last poll failed":                       func(r *rig) { r.server("b").trouble = mpp.KindRefused },
		"b:1: far behind":                                 func(r *rig) { r.server("b").lag = time.Hour },
		"b:1: it has transactions that no other node has": func(r *rig) { r.server("b").extra = uuidOf("b") + ":1" },
		"b:1 is 40s behind, more than max_lag (5s), and would not catch up within 30s": func(r *rig) { r.server("b").lag = 40 * time.Second },
		"a:1 does not answer": func(r *rig) { r.server("a").trouble = mpp.KindHung },
	} {
		switchover.Node = "b:1"
		r := settled(t)
		change(r)
		r.poll("b")
		r.poll("a")
		r.refused(switchover, want)
		if r.started(mpp.OpSwitchover) > 0 || r.a.head.LastOperation != 0 {
			t.Errorf("%s: something was begun: %v", want, r.log)
		}
	}
}

func TestASwitchoverThatMayWaitForItsTargetIsNotRefused(t *testing.T) {
	r := settled(t)
	r.server("b").lag = 40 * time.Second
	r.rounds(1)
	if result := r.command(mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1", Options: mpp.OperationOptions{Wait: time.Minute}}); !result.Done {
		t.Errorf("%+v", result)
	}
}

func TestASwitchoverWithoutATargetTakesTheBest(t *testing.T) {
	r := settled(t)
	r.server("b").extra = uuidOf("b") + ":1"
	r.rounds(2)
	result := r.command(mpp.Command{Verb: mpp.VerbSwitchover})
	if !result.Done || len(result.Changes) != 1 || result.Changes[0] != "operation 1: switchover a:1 -> c:1" {
		t.Errorf("%+v", result)
	}
	r.refused(mpp.Command{Verb: mpp.VerbSwitchover}, "operation 1 (switchover) is under way")
	r.refused(mpp.Command{Verb: mpp.VerbFailover}, "operation 1 (switchover) is under way")
	r.refused(mpp.Command{Verb: mpp.VerbRejoin, Node: "b:1"}, "operation 1 (switchover) is under way")
	r.refused(mpp.Command{Verb: mpp.VerbRecover, Node: "c:1", Force: true}, "operation 1 (switchover) is under way")
	r.refused(mpp.Command{Verb: mpp.VerbRecover}, "operation 1 (switchover) is under way")

	r = settled(t, func(p *Policy) { p.Nodes[1].NoPromote, p.Nodes[2].NoPromote = true, true })
	r.refused(mpp.Command{Verb: mpp.VerbSwitchover}, "no node can take over: b:1: it is marked no_promote; c:1: it is marked no_promote")
}

func TestADryRunShowsThePlanAndBeginsNothing(t *testing.T) {
	r := settled(t)
	dry := mpp.OperationOptions{DryRun: true}
	result := r.command(mpp.Command{Verb: mpp.VerbSwitchover, Node: "b:1", Options: dry})
	if !result.Done || result.Operation != 0 || result.Plan == nil || len(result.Plan.Steps) < 10 || len(r.tasks) > 0 || r.a.head.Operation != nil {
		t.Errorf("%+v, tasks %d", result, len(r.tasks))
	}
	r.server("a").trouble = mpp.KindRefused
	r.policy.Failover.Manual = true
	r.a.Reconfigure(r.now, r.policy)
	r.rounds(5)
	result = r.command(mpp.Command{Verb: mpp.VerbFailover, Options: dry})
	if !result.Done || result.Plan == nil || result.Plan.New != "b:1" || len(result.Plan.Gates) != 7 || len(r.tasks) > 0 {
		t.Errorf("%+v", result)
	}
	r.server("a").trouble = ""
	r.rounds(1)
	result = r.command(mpp.Command{Verb: mpp.VerbRejoin, Node: "c:1", Options: dry})
	if !result.Done || result.Plan == nil || result.Plan.Kind != mpp.OpRejoin || r.a.head.LastOperation != 0 {
		t.Errorf("%+v", result)
	}
}

func TestInManualModeOnlyAnOperatorStartsAFailover(t *testing.T) {
	r := settled(t, func(p *Policy) { p.Failover.Manual = true })
	r.refused(mpp.Command{Verb: mpp.VerbFailover}, "a:1 is ACTIVE and answers: mpp switchover orders moves the role without loss")
	r.server("a").trouble = mpp.KindRefused
	r.poll("a")
	r.refused(mpp.Command{Verb: mpp.VerbFailover}, "gate dead is closed: a:1 failed 1 polls in a row, 4 make it dead")
	r.rounds(8)
	r.noFailover()
	r.wantGate("allowed", false, "mode = \"manual\": mpp failover orders starts it")
	if result := r.command(mpp.Command{Verb: mpp.VerbFailover, Node: "c:1", By: "ann"}); !result.Done || result.Operation != 1 {
		t.Fatalf("%+v", result)
	}
	r.carryOut()
	r.want("a FAIL (OFFLINE), b STANDBY, c ACTIVE")
	if report := r.reports[len(r.reports)-1]; report.By != "ann" || report.Wanted != "c:1" {
		t.Errorf("%+v", report)
	}
}

func TestALossMustBeAcceptedByName(t *testing.T) {
	r := settled(t)
	r.server("a").executed = 104
	r.rounds(1)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(6)
	r.noFailover()
	r.refused(mpp.Command{Verb: mpp.VerbFailover}, "--accept-loss goes on over it")
	if result := r.command(mpp.Command{Verb: mpp.VerbFailover, Options: mpp.OperationOptions{AcceptLoss: true}}); !result.Done {
		t.Fatalf("%+v", result)
	}
	r.carryOut()
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	if report := r.reports[len(r.reports)-1]; report.LostCount != 4 {
		t.Errorf("lost %d", report.LostCount)
	}
}

func TestAFailoverByHandPromotesSomebodyWhenNobodyIsActive(t *testing.T) {
	r := newRig(t)
	for _, name := range []string{"a", "b", "c"} {
		r.server(name).readOnly = true
	}
	r.rounds(4)
	r.want("a STANDBY, b STANDBY, c STANDBY")
	if text := r.problem("no-writer"); !strings.Contains(text, "mpp failover orders --to NODE promotes one") {
		t.Errorf("problem %q", text)
	}
	if result := r.command(mpp.Command{Verb: mpp.VerbFailover, Node: "a:1"}); !result.Done {
		t.Fatalf("%+v", result)
	}
	r.carryOut()
	r.rounds(2)
	r.want("a ACTIVE, b STANDBY, c STANDBY")
}

func TestARejoinIsRefusedWithTheReason(t *testing.T) {
	r := settled(t)
	rejoin := func(node string) mpp.Command { return mpp.Command{Verb: mpp.VerbRejoin, Node: node} }
	r.refused(rejoin(""), "rejoin needs a node")
	r.refused(rejoin("a:1"), "a:1 is the ACTIVE node")
	r.refused(rejoin("x:1"), "pool orders has no node x:1")
	r.server("b").trouble = mpp.KindRefused
	r.poll("b")
	r.refused(rejoin("b:1"), "b:1 does not answer: refused")
	if result := r.command(rejoin("c:1")); !result.Done || result.Operation != 1 {
		t.Fatalf("%+v", result)
	}
	r.refused(rejoin("c:1"), "a repair of c:1 is under way")
	r.refused(mpp.Command{Verb: mpp.VerbSwitchover, Node: "c:1"}, "a repair of c:1 is under way")
	n := newRig(t)
	n.refused(rejoin("b:1"), "no node is ACTIVE")
}

func TestNothingIsBegunByCommandWhileThePollerIsCutOff(t *testing.T) {
	r := settled(t, func(p *Policy) { p.Checkpoints = []CheckpointPolicy{{Name: "gw", Ring: mpp.Edge}} })
	r.server("b").trouble = mpp.KindNoAnswer
	r.poll("b")
	r.step(mpp.Input{Checkpoint: &mpp.CheckpointResult{Name: "gw", At: r.now, Message: "no answer"}})
	r.refused(mpp.Command{Verb: mpp.VerbSwitchover, Node: "c:1"}, "this poller is cut off")
}

func TestTheOnlyWriterIsNotRejoined(t *testing.T) {
	for _, clone := range []bool{false, true} {
		r := settled(t)
		r.server("a").trouble = mpp.KindNoAnswer
		r.poll("a")
		b := r.server("b")
		b.readOnly, b.io, b.ioErrno = false, "No", 0 // promoted by other means
		r.poll("b")
		r.refused(mpp.Command{Verb: mpp.VerbRejoin, Node: "b:1", Options: mpp.OperationOptions{Clone: clone}}, "b:1 takes writes, and a:1, which is ACTIVE, does not")
	}
}

func TestACopyOfALongTimeAgoDoesNotReplaceTheWriter(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(5)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	r.server("a").trouble = ""
	r.poll("a")
	r.carryOut()
	r.rounds(3)
	r.command(mpp.Command{Verb: mpp.VerbRejoin, Node: "a:1", By: "ann", Options: mpp.OperationOptions{Clone: true}})
	if !r.until("clone a") {
		t.Fatalf("no copy: %v", r.log)
	}
	a := r.server("a") // mppd was away; b is lost for good, and somebody has made a the writer
	a.readOnly, a.source, a.io = false, "", ""
	r.server("b").trouble = mpp.KindNoAnswer
	r.restart(r.policy)
	r.log = nil
	r.rounds(4)
	if slices.Contains(r.log, "clone a <- b") || a.readOnly {
		t.Errorf("steps %v", r.log)
	}
}
