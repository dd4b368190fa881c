package pool

import (
	"strings"
	"testing"

	"mpp"
)

// managed says who manages the servers from now on: "" for this MPP, "-" for nobody.
func (r *rig) managed(by ...string) {
	for i, name := range []string{"a", "b", "c"} {
		r.server(name).managedBy = by[i]
	}
}

func TestAPoolThatAnotherMPPManagesIsOnlyWatched(t *testing.T) {
	r := settled(t)
	r.managed("10.0.0.9:4711", "10.0.0.9:4712", "10.0.0.9:4713")
	r.rounds(1)
	if text := r.problem("managed-by-another"); !strings.Contains(text, "another MPP, at 10.0.0.9:471") {
		t.Errorf("the problem: %q", text)
	}
	r.refused(mpp.Command{Verb: mpp.VerbSwitchover}, "another MPP, at 10.0.0.9")
	r.refused(mpp.Command{Verb: mpp.VerbRejoin, Node: "b:1"}, "another MPP, at 10.0.0.9")
	r.server("c").readOnly = false // would be fenced
	r.rounds(3)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(8)
	r.wantGate("allowed", false, "another MPP, at 10.0.0.9")
	r.refused(mpp.Command{Verb: mpp.VerbFailover}, "another MPP, at 10.0.0.9")
	if len(r.log) > 0 {
		t.Errorf("steps of one that only watches: %v", r.log)
	}

	// The other one has gone: its sessions ended with it.
	r.server("c").readOnly = true
	r.managed("", "", "")
	r.rounds(8)
	r.carryOut()
	if r.a.activeNode() != r.a.index["b:1"] {
		t.Errorf("it does not take over: %v, %s", r.log, r.lastEvents())
	}
}

func TestOfTwoThatBeganTogetherOneGoesOn(t *testing.T) {
	const other = "10.0.0.9:4711"
	for _, c := range []struct {
		a, b, c string
		refuses bool
	}{
		{"", "", "", false},
		{"-", "-", "-", false},
		{other, "", "", false},
		{"", other, other, true},
		{"", other, "-", false},
		{other, "", "-", true},
		{"-", other, "-", true},
		{"-", other, "", true},
		{"-", "", other, false},
	} {
		r := settled(t)
		r.managed(c.a, c.b, c.c)
		r.rounds(1)
		if refuses := r.a.rival() != ""; refuses != c.refuses {
			t.Errorf("a %q, b %q, c %q: refuses %v", c.a, c.b, c.c, refuses)
		}
	}
}

func TestADeadNodeSaysNotWhoManagesThePool(t *testing.T) {
	r := settled(t)
	r.managed("", "10.0.0.9:4711", "")
	r.rounds(1)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(1)
	// Each has marked one of those that answer; b is the first of them.
	if r.a.rival() == "" {
		t.Error("a node that does not answer counts")
	}
}

func TestAPoolThatIsOnlyWatchedFollowsItsManager(t *testing.T) {
	const other = "10.0.0.9:4711"
	r := settled(t)
	r.managed(other, other, other)
	r.rounds(2)
	// The other one fails over to b and takes a back, then moves the role to a again.
	a, b, c := r.server("a"), r.server("b"), r.server("c")
	a.trouble = mpp.KindRefused
	b.readOnly, b.source, b.io, b.sql, c.source = false, "", "", "", "b:1"
	r.rounds(8)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	a.trouble, a.readOnly, a.source, a.io, a.sql = "", true, "b:1", "Yes", "Yes"
	r.rounds(4)
	r.want("a STANDBY, b ACTIVE, c STANDBY")
	a.readOnly, a.source, a.io, a.sql = false, "", "", ""
	b.readOnly, b.source, b.io, b.sql, c.source = true, "a:1", "Yes", "Yes", "a:1"
	r.rounds(4)
	r.want("a ACTIVE, b STANDBY, c STANDBY")
	if len(r.log) > 0 {
		t.Errorf("steps of one that only watches: %v", r.log)
	}
}

func TestAPoolThatIsOnlyWatchedFollowsTheRoleToANodeThatItHoldsToBeLost(t *testing.T) {
	const other = "10.0.0.9:4711"
	r := settled(t)
	a, b, c := r.server("a"), r.server("b"), r.server("c")
	a.trouble = mpp.KindRefused
	r.rounds(10)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
	r.managed(other, other, other) // it was killed, and another has taken over, and moved the role
	a.trouble, a.readOnly, a.source, a.io, a.sql = "", false, "", "", ""
	a.executed, a.received = b.executed, b.executed
	b.readOnly, b.source, b.io, b.sql, c.source = true, "a:1", "Yes", "Yes", "a:1"
	r.restart(r.policy)
	r.log = nil
	r.rounds(6)
	r.want("a ACTIVE, b STANDBY, c STANDBY")
	if len(r.log) > 0 {
		t.Errorf("steps of one that only watches: %v", r.log)
	}
}
