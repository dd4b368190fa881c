package pool

import (
	"slices"
	"strings"
	"testing"
	"time"

	"mpp"
)

// opened lets a fail and b be promoted, and stops there: nothing is re-pointed yet.
func opened(t *testing.T) *rig {
	t.Helper()
	r := settled(t)
	r.beginAny("failover")
	if !r.until("repoint c") {
		t.Fatalf("nothing was promoted: %v", r.log)
	}
	return r
}

// moveByOthers gives the role to c, as another manager or an operator does while mppd is down.
func moveByOthers(r *rig) {
	b, c := r.server("b"), r.server("c")
	c.readOnly, c.source, c.io, c.sql = false, "", "", ""
	c.executed, c.received = b.executed, b.executed
	b.readOnly, b.source, b.io, b.sql, b.ioErrno = true, "c:1", "Yes", "Yes", 0
	b.vip, c.vip = false, true
}

func TestWhatIsLeftOfAFailoverIsNotDoneWhenTheRoleWentOnMeanwhile(t *testing.T) {
	r := opened(t)
	moveByOthers(r)
	r.tasks = nil
	r.restart(r.policy)
	r.log = nil
	r.rounds(6)
	r.carryOut()
	r.rounds(4)
	for _, step := range r.log {
		if strings.Contains(step, "repoint: repoint c") || strings.Contains(step, "promote") {
			t.Errorf("step %q", step)
		}
	}
	if r.a.activeNode() != r.a.index["c:1"] || !slices.Equal(r.writers(), []string{"c"}) {
		t.Errorf("%s, writers %v, steps %v", r.states(), r.writers(), r.log)
	}
}

func TestAFailoverOfBeforeIsNotGoneOnWithUnderTheMarkOfAnother(t *testing.T) {
	r := opened(t)
	r.managed("10.0.0.9:4711", "10.0.0.9:4711", "10.0.0.9:4711")
	r.tasks = nil
	r.restart(r.policy)
	r.log = nil
	r.rounds(6)
	r.carryOut()
	if len(r.log) > 0 || r.a.head.Operation != nil {
		t.Errorf("steps %v", r.log)
	}
}

func TestAReceiverThatATestHasLeftStoppedIsStartedAfterARestart(t *testing.T) {
	r := settled(t)
	r.server("a").trouble = mpp.KindNoAnswer
	for range 20 {
		for _, name := range []string{"a", "b", "c"} {
			r.poll(name)
		}
		r.now = r.now.Add(100 * time.Millisecond)
	}
	if len(r.tasks) == 0 || r.tasks[0].Step.Kind != mpp.StepTestLink {
		t.Fatalf("no link is tested: %v", r.lastEvents())
	}
	r.tasks = nil // mppd is killed between the stop and the start
	for _, name := range []string{"b", "c"} {
		r.server(name).io = "No"
	}
	r.server("a").trouble = ""
	r.restart(r.policy)
	r.rounds(8)
	r.carryOut()
	r.rounds(8)
	for _, name := range []string{"b", "c"} {
		if r.server(name).io != "Yes" {
			t.Errorf("the receiver of %s is %q; steps %v", name, r.server(name).io, r.log)
		}
	}
}

func TestASleepOfTheManagerDoesNotCountAgainstItsSteps(t *testing.T) {
	r := settled(t)
	r.beginAny("failover")
	if len(r.tasks) == 0 {
		t.Fatal("no failover")
	}
	r.tick(time.Minute) // what ran meanwhile is reported only now
	r.carryOut()
	for _, op := range r.reports {
		for i := range op.Steps {
			if strings.Contains(op.Steps[i].Text, "nothing was heard") {
				t.Errorf("step %s of %s was given up", op.Steps[i].Kind, op.Steps[i].Node)
			}
		}
	}
	r.rounds(2)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
}
