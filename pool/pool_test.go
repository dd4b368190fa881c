package pool

import (
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/state"
)

// bench drives one arbiter by hand; each poll is a second after the last.
type bench struct {
	t   *testing.T
	a   *Arbiter
	now time.Time
}

func threeNodes() Policy {
	return Policy{
		Name: "orders", Logic: mpp.LogicFailover, Engine: mpp.EngineNone, Ladder: state.DefaultLadder(),
		Readers: mpp.ReadersStandby, Interval: time.Second, StaleAfter: 5 * time.Second, WhenStale: mpp.StaleDown,
		Nodes: []NodePolicy{{Address: "b:1", Type: mpp.Secondary}, {Address: "a:1", Type: mpp.Primary}, {Address: "c:1", Type: mpp.Secondary}},
	}
}

func start(t *testing.T, p Policy) *bench {
	return &bench{t: t, a: New(p, mpp.PoolMemory{}), now: time.Unix(1000, 0).UTC()}
}

// poll gives one observation; what is "ok" or check:kind:status, such as "connect:refused:FAIL".
func (b *bench) poll(address, what string) []mpp.Action {
	b.now = b.now.Add(time.Second)
	o := mpp.Observation{Node: address, At: b.now, Checks: []mpp.CheckResult{{Name: "query", Class: mpp.Reach}}}
	if what != "ok" {
		part := strings.SplitN(what, ":", 3)
		c := mpp.CheckResult{Name: part[0], Class: mpp.Reach, Kind: mpp.Kind(part[1]), Message: part[1]}
		if part[0] == "replication" || part[0] == "lag" {
			c.Class = mpp.Replica
		}
		if err := c.Status.UnmarshalText([]byte(part[2])); err != nil {
			b.t.Fatal(err)
		}
		o.Checks = append(o.Checks, c)
	}
	return append([]mpp.Action(nil), b.a.Step(b.now, mpp.Input{At: b.now, Observation: &o})...)
}

func (b *bench) all(what string, addresses ...string) {
	for _, address := range addresses {
		b.poll(address, what)
	}
}

// settle brings a pool to a ACTIVE, the others STANDBY, no errors.
func (b *bench) settle() {
	for range 3 {
		b.all("ok", "a:1", "b:1", "c:1")
	}
	b.want("a ACTIVE 0, b STANDBY 0, c STANDBY 0")
}

func (b *bench) want(states string) {
	b.t.Helper()
	var got []string
	for _, n := range b.a.nodes {
		s := string(n.mem.State)
		if n.mem.Reason != "" {
			s += "/" + string(n.mem.Reason)
		}
		got = append(got, fmt.Sprintf("%s %s %d", strings.TrimSuffix(n.policy.Address, ":1"), s, n.mem.Errors))
	}
	if text := strings.Join(got, ", "); text != states {
		b.t.Errorf("got  %s\nwant %s", text, states)
	}
}

func (b *bench) command(c mpp.Command) mpp.Result {
	b.now = b.now.Add(time.Millisecond)
	for _, action := range b.a.Step(b.now, mpp.Input{At: b.now, Command: &c}) {
		if action.Kind == mpp.ActionReply {
			return *action.Result
		}
	}
	b.t.Fatal("a command got no reply")
	return mpp.Result{}
}

func (b *bench) refused(c mpp.Command, want string) {
	b.t.Helper()
	if r := b.command(c); r.Done || !strings.Contains(r.Refused, want) {
		b.t.Errorf("%s %s: %+v; want it refused with %q", c.Verb, c.Node, r, want)
	}
}

const (
	dead    = "connect:refused:FAIL"
	gone    = "connect:no-answer:FAIL"
	stopped = "replication:replication-stopped:FAIL"
	far     = "lag:lag:CRITICAL"
)

func TestLostActiveIsFailedAndTheFirstSecondaryTakesOver(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	b.all(dead, "a:1", "a:1", "a:1")
	b.want("a ACTIVE 3, b STANDBY 0, c STANDBY 0")
	asked := ""
	for _, action := range b.poll("a:1", dead) {
		if action.Kind == mpp.ActionPoll {
			asked += action.Node + " "
		}
	}
	if asked != "b:1 c:1 " {
		t.Errorf("polls asked for at once: %q, want b:1 and c:1", asked)
	}
	b.poll("c:1", "ok")
	b.want("a FAIL/OFFLINE 4, b STANDBY 0, c STANDBY 0")
	b.poll("b:1", "ok")
	b.want("a FAIL/OFFLINE 4, b ACTIVE 1, c STANDBY 0")
}

func TestActiveStaysWhileNobodyCanTakeOver(t *testing.T) {
	for name, trouble := range map[string]string{"all far behind": far, "all stopped": stopped} {
		t.Run(name, func(t *testing.T) {
			b := start(t, threeNodes())
			b.settle()
			for range 4 {
				b.all(trouble, "b:1", "c:1")
			}
			for range 6 {
				b.poll("a:1", dead)
				b.all(trouble, "b:1", "c:1")
			}
			if n := b.a.nodes[0].mem; n.State != mpp.Active || n.Status != mpp.Fail {
				t.Errorf("the lost ACTIVE node is %s with status %s", n.State, n.Status)
			}
			v := b.a.View(b.now)
			if v.Nodes[0].Evaluation != mpp.Down {
				t.Errorf("it is evaluated %s, want DOWN", v.Nodes[0].Evaluation)
			}
			if !strings.Contains(v.Message, "stays ACTIVE") && !strings.Contains(v.Message, "no node takes writes") {
				t.Errorf("the pool says %q", v.Message)
			}
		})
	}
}

func TestALaggingSecondaryIsPassedOverForTheNext(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	b.poll("b:1", far)
	b.all(dead, "a:1", "a:1", "a:1", "a:1")
	b.poll("b:1", far)
	b.poll("c:1", "ok")
	b.want("a FAIL/OFFLINE 4, b STANDBY 0, c ACTIVE 1")
}

func TestANodeMarkedNoPromoteIsNeverPromoted(t *testing.T) {
	p := threeNodes()
	p.Nodes[0].NoPromote = true // b
	b := start(t, p)
	b.settle()
	b.all(dead, "a:1", "a:1", "a:1", "a:1")
	b.all("ok", "b:1", "b:1", "c:1")
	b.want("a FAIL/OFFLINE 4, b STANDBY 0, c ACTIVE 1")
	b.refused(mpp.Command{Verb: mpp.VerbPromote, Node: "b:1"}, "no_promote")
}

func TestReplicaTroubleFailsOnlyNodesThatAreNotActive(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	for range 9 {
		b.all(stopped, "a:1", "b:1")
	}
	b.want("a ACTIVE 9, b FAIL/ONLINE 9, c STANDBY 0")
	if v := b.a.View(b.now); v.Nodes[0].Evaluation != mpp.ReadWrite {
		t.Errorf("the ACTIVE node is evaluated %s", v.Nodes[0].Evaluation)
	}
	b.poll("a:1", dead)
	b.want("a ACTIVE 10, b FAIL/ONLINE 9, c STANDBY 0")
}

func TestFailIsStickyUntilRecoverOrAutoRecover(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	b.all(dead, "b:1", "b:1", "b:1", "b:1")
	for range 100 {
		b.poll("b:1", "ok")
	}
	b.want("a ACTIVE 0, b FAIL/OFFLINE 0, c STANDBY 0")
	b.refused(mpp.Command{Verb: mpp.VerbRecover, Node: "c:1"}, "nothing to recover")
	if r := b.command(mpp.Command{Verb: mpp.VerbRecover, Node: "b:1", By: "ann"}); !r.Done {
		t.Fatalf("recover: %+v", r)
	}
	b.want("a ACTIVE 0, b UNKNOWN 0, c STANDBY 0")
	b.poll("b:1", "ok")
	b.want("a ACTIVE 0, b STANDBY 0, c STANDBY 0")

	p := threeNodes()
	p.AutoRecover = 5 * time.Second
	b = start(t, p)
	b.settle()
	b.all(dead, "b:1", "b:1", "b:1", "b:1")
	b.all("ok", "b:1", "b:1", "b:1", "b:1", "b:1")
	b.want("a ACTIVE 0, b FAIL/OFFLINE 0, c STANDBY 0")
	b.all("ok", "b:1")
	b.want("a ACTIVE 0, b UNKNOWN 0, c STANDBY 0")
}

func withCheckpoints() Policy {
	p := threeNodes()
	p.Checkpoints = []CheckpointPolicy{{Name: "gw", Ring: mpp.Internal}, {Name: "isp", Ring: mpp.Edge}, {Name: "net", Ring: mpp.External}}
	return p
}

func (b *bench) checkpoints(reached ...bool) {
	for i, r := range reached {
		b.now = b.now.Add(time.Millisecond)
		c := mpp.CheckpointResult{Name: b.a.points[i].policy.Name, At: b.now, Reached: r, Message: "time-out"}
		b.a.Step(b.now, mpp.Input{At: b.now, Checkpoint: &c})
	}
}

func TestAPollerThatIsCutOffDecidesNothing(t *testing.T) {
	b := start(t, withCheckpoints())
	b.checkpoints(true, true, true)
	b.settle()
	b.poll("a:1", gone)
	b.checkpoints(false, false, false)
	for range 20 {
		b.all(gone, "a:1", "b:1", "c:1")
		b.checkpoints(false, false, false)
	}
	v := b.a.View(b.now)
	if v.Status != mpp.Fail || v.Trouble != "LAN" {
		t.Errorf("pool status %s, trouble %q; want FAIL, LAN", v.Status, v.Trouble)
	}
	for _, n := range v.Nodes {
		if n.Evaluation != mpp.Down {
			t.Errorf("%s is evaluated %s by a poller that is cut off", n.Address, n.Evaluation)
		}
	}
	b.checkpoints(true, true, true)
	b.all("ok", "b:1", "c:1", "a:1")
	b.want("a ACTIVE 0, b STANDBY 0, c STANDBY 0")
	if v := b.a.View(b.now); v.Status != mpp.OK {
		t.Errorf("after healing the pool is %s", v.Status)
	}
}

func TestASilentNodeIsFailedOnlyOnFreshEvidenceOfACheckpoint(t *testing.T) {
	b := start(t, withCheckpoints())
	b.checkpoints(true, true, true)
	b.settle()
	asked := false
	for range 6 {
		for _, action := range b.poll("a:1", gone) {
			asked = asked || action.Kind == mpp.ActionCheckpoints
		}
	}
	b.want("a ACTIVE 6, b STANDBY 0, c STANDBY 0")
	if !asked {
		t.Error("no checkpoint was asked for at the first miss")
	}
	b.checkpoints(true, false, false)
	b.poll("a:1", gone)
	b.poll("b:1", "ok")
	b.want("a FAIL/OFFLINE 7, b ACTIVE 1, c STANDBY 0")
	if v := b.a.View(b.now); v.Trouble != "WAN" || v.Status != mpp.OK {
		t.Errorf("trouble %q, status %s; want WAN, OK", v.Trouble, v.Status)
	}
}

func TestTroubleIsNamedByTheNearestSilentRing(t *testing.T) {
	for _, c := range []struct {
		reached [3]bool
		want    string
	}{
		{[3]bool{true, true, true}, ""},
		{[3]bool{false, true, true}, "LAN"},
		{[3]bool{true, false, false}, "WAN"},
		{[3]bool{true, true, false}, "GLOBAL"},
		{[3]bool{false, false, false}, "LAN"},
	} {
		b := start(t, withCheckpoints())
		b.checkpoints(c.reached[:]...)
		if b.a.head.Trouble != c.want {
			t.Errorf("%v: trouble %q, want %q", c.reached, b.a.head.Trouble, c.want)
		}
	}
}

func TestMaintenanceHoldsEverythingAndEndsByItself(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	b.command(mpp.Command{Verb: mpp.VerbMaintenance, Maintenance: mpp.Maintenance{On: true, Until: b.now.Add(10 * time.Second)}})
	b.all(dead, "a:1", "a:1", "a:1", "a:1", "a:1")
	b.want("a ACTIVE 5, b STANDBY 0, c STANDBY 0")
	b.all("ok", "b:1", "c:1", "b:1", "c:1", "b:1")
	b.want("a ACTIVE 0, b STANDBY 0, c STANDBY 0") // over: errors count afresh
	b.all(dead, "a:1", "a:1", "a:1", "a:1")
	b.want("a FAIL/OFFLINE 4, b STANDBY 0, c STANDBY 0")
}

func TestPromoteAndDemoteOnlyWhereTheRulesWouldLeaveIt(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	b.refused(mpp.Command{Verb: mpp.VerbPromote, Node: "b:1"}, "take the role back")
	b.refused(mpp.Command{Verb: mpp.VerbDemote, Node: "a:1"}, "maintenance on a:1")
	b.command(mpp.Command{Verb: mpp.VerbMaintenance, Node: "a:1", Maintenance: mpp.Maintenance{On: true}})
	if r := b.command(mpp.Command{Verb: mpp.VerbPromote, Node: "c:1"}); !r.Done {
		t.Fatalf("promote c: %+v", r)
	}
	b.want("a STANDBY 1, b STANDBY 0, c ACTIVE 1")
	for range 3 {
		b.all("ok", "a:1", "b:1", "c:1")
	}
	b.want("a STANDBY 0, b STANDBY 0, c ACTIVE 0")
	if r := b.command(mpp.Command{Verb: mpp.VerbDemote, Node: "c:1"}); !r.Done {
		t.Fatalf("demote c: %+v", r)
	}
	b.want("a STANDBY 0, b ACTIVE 1, c STANDBY 1")
	b.command(mpp.Command{Verb: mpp.VerbMaintenance, Node: "a:1"})
	if r := b.command(mpp.Command{Verb: mpp.VerbActivatePrimary}); r.Done {
		b.want("a ACTIVE 1, b STANDBY 2, c STANDBY 1")
	} else {
		t.Errorf("activate-primary: %+v", r)
	}
}

func TestEveryMemberOfAClusterIsActive(t *testing.T) {
	p := threeNodes()
	p.Logic = mpp.LogicCluster
	b := start(t, p)
	for range 3 {
		b.all("ok", "a:1", "b:1", "c:1")
	}
	b.want("a ACTIVE 0, b ACTIVE 0, c ACTIVE 0")
	b.all("cluster:cluster:FAIL", "b:1", "b:1", "b:1", "b:1")
	b.want("a ACTIVE 0, b FAIL/OFFLINE 4, c ACTIVE 0")
	b.refused(mpp.Command{Verb: mpp.VerbPromote, Node: "b:1"}, "nothing is promoted")
}

func TestReadersFollowTheChoice(t *testing.T) {
	for _, c := range []struct {
		readers mpp.Readers
		standby bool // one STANDBY is left
		want    string
	}{
		{mpp.ReadersStandby, true, "b"},
		{mpp.ReadersStandby, false, ""},
		{mpp.ReadersStandbyElseActive, true, "b"},
		{mpp.ReadersStandbyElseActive, false, "a"},
		{mpp.ReadersAll, true, "ab"},
		{mpp.ReadersAll, false, "a"},
	} {
		p := threeNodes()
		p.Readers = c.readers
		b := start(t, p)
		b.settle()
		b.all(dead, "c:1", "c:1", "c:1", "c:1")
		if !c.standby {
			b.all(dead, "b:1", "b:1", "b:1", "b:1")
		}
		b.poll("a:1", "ok")
		got := ""
		v := b.a.View(b.now)
		for i := range v.Nodes {
			if v.Answer(&v.Nodes[i], mpp.RoleReader, v.Nodes[i].LastPoll).Up {
				got += v.Nodes[i].Address[:1]
			}
		}
		if got != c.want {
			t.Errorf("readers %s, STANDBY left %v: %q serve reads, want %q", c.readers, c.standby, got, c.want)
		}
	}
}

func TestExplainTellsWhatWouldHappenByPlayingItThrough(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	before := fmt.Sprintf("%+v", b.a.Memory())
	e := b.a.Explain(b.now)
	if before != fmt.Sprintf("%+v", b.a.Memory()) {
		t.Error("Explain changed the pool")
	}
	text := strings.Join(e.IfActiveDied, "\n")
	for _, want := range []string{"poll 4: a:1: ACTIVE -> FAIL (OFFLINE) (rule fail-offline)", "b:1: STANDBY -> ACTIVE (rule promote-secondary)", "b:1 takes writes"} {
		if !strings.Contains(text, want) {
			t.Errorf("%q is missing in:\n%s", want, text)
		}
	}
	for range 4 {
		b.all(stopped, "b:1", "c:1")
	}
	text = strings.Join(b.a.Explain(b.now).IfActiveDied, "\n")
	if !strings.Contains(text, "nobody takes over: b:1 is FAIL (ONLINE): recover it first") {
		t.Errorf("with every replica out:\n%s", text)
	}
}

func TestRestartChangesNothing(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	b.all(dead, "a:1", "a:1")
	memory := b.a.Memory()
	again := New(threeNodes(), memory)
	if got := fmt.Sprintf("%+v", again.Memory()); got != fmt.Sprintf("%+v", memory) {
		t.Errorf("restart changed\n%+v\nto\n%s", memory, got)
	}
	for _, action := range again.Step(b.now, mpp.Input{At: b.now}) {
		if action.Kind == mpp.ActionEvent || action.Kind == mpp.ActionPersist {
			t.Errorf("restart triggered %+v", action)
		}
	}
}

func TestReloadKeepsWhatStaysAndForgetsWhatGoes(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	p := threeNodes()
	p.Nodes = []NodePolicy{{Address: "a:1", Type: mpp.Primary}, {Address: "c:1", Type: mpp.Secondary}, {Address: "d:1", Type: mpp.Secondary}}
	b.a.Reconfigure(b.now, p)
	b.want("a ACTIVE 0, c STANDBY 0, d UNKNOWN 0")
}

func TestADeadNodeMovesToTheSlowLaneAndALostActiveIsConfirmedFast(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	lane := func(i int) mpp.Lane { return b.a.nodes[i].lane }
	if lane(0) != mpp.LaneNormal || lane(1) != mpp.LaneNormal {
		t.Fatalf("settled lanes: %s, %s", lane(0), lane(1))
	}
	b.poll("a:1", dead)
	if lane(0) != mpp.LaneConfirm {
		t.Errorf("after the first miss of the ACTIVE node its lane is %s", lane(0))
	}
	b.all(dead, "a:1", "a:1", "a:1")
	if lane(0) != mpp.LaneSlow || lane(1) != mpp.LaneConfirm {
		t.Errorf("dead node in lane %s, next in line in lane %s", lane(0), lane(1))
	}
	b.all("ok", "b:1")
	if lane(1) != mpp.LaneNormal {
		t.Errorf("after the promotion the new ACTIVE node is in lane %s", lane(1))
	}
}

func TestTwoWritableNodesAreShouted(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	for _, address := range []string{"a:1", "b:1"} {
		b.now = b.now.Add(time.Second)
		o := mpp.Observation{Node: address, At: b.now, Checks: []mpp.CheckResult{{Name: "query", Class: mpp.Reach}}, Server: mpp.Server{Flavour: "mariadb"}}
		b.a.Step(b.now, mpp.Input{At: b.now, Observation: &o})
	}
	v := b.a.View(b.now)
	if len(v.Problems) != 1 || v.Problems[0].Code != "two-writable" || !strings.Contains(v.Message, "a:1, b:1") {
		t.Errorf("problems %+v, message %q", v.Problems, v.Message)
	}
}

func BenchmarkStep(b *testing.B) {
	a := New(threeNodes(), mpp.PoolMemory{})
	now := time.Unix(1000, 0)
	observations := make([]mpp.Observation, 3)
	for i, address := range []string{"a:1", "b:1", "c:1"} {
		observations[i] = mpp.Observation{Node: address, Checks: []mpp.CheckResult{{Name: "connect", Class: mpp.Reach}, {Name: "query", Class: mpp.Reach}, {Name: "lag", Class: mpp.Replica}}}
	}
	b.ReportAllocs()
	for i := range b.N {
		now = now.Add(time.Second)
		o := &observations[i%3]
		o.At = now
		a.Step(now, mpp.Input{At: now, Observation: o})
	}
}

func BenchmarkStepFailing(b *testing.B) {
	a := New(threeNodes(), mpp.PoolMemory{})
	now := time.Unix(1000, 0)
	b.ReportAllocs()
	for i := range b.N {
		now = now.Add(time.Second)
		o := &mpp.Observation{Node: "b:1", At: now, Checks: []mpp.CheckResult{{Name: "connect", Class: mpp.Reach, Status: mpp.Status(i/3%2) * mpp.Fail, Kind: mpp.KindRefused, Message: "refused"}}}
		a.Step(now, mpp.Input{At: now, Observation: o})
	}
}

func TestAClockThatJumpsChangesNoState(t *testing.T) {
	for _, jump := range []time.Duration{time.Hour, -time.Hour} {
		b := start(t, threeNodes())
		b.settle()
		again := start(t, threeNodes())
		again.a, again.now = New(threeNodes(), b.a.Memory()), b.now.Add(jump)
		again.a.Step(again.now, mpp.Input{At: again.now})
		again.all("ok", "a:1", "b:1", "c:1")
		again.want("a ACTIVE 0, b STANDBY 0, c STANDBY 0")
		again.all(dead, "a:1", "a:1", "a:1", "a:1")
		again.all("ok", "b:1")
		again.want("a FAIL/OFFLINE 4, b ACTIVE 1, c STANDBY 0")
	}
}

func TestAnActiveNodeThatStaysReadOnlyIsShoutedOnceItWasSeenSo(t *testing.T) {
	b := start(t, threeNodes())
	poll := func() {
		b.now = b.now.Add(time.Second)
		o := mpp.Observation{
			Node: "a:1", At: b.now.Add(-time.Millisecond), Checks: []mpp.CheckResult{{Name: "query", Class: mpp.Reach}},
			Server: mpp.Server{Flavour: "mariadb", ReadOnly: true},
		}
		b.a.Step(b.now, mpp.Input{At: b.now, Observation: &o})
	}
	has := func() bool {
		for _, p := range b.a.View(b.now).Problems {
			if p.Code == "active-read-only" {
				return true
			}
		}
		return false
	}
	poll()
	poll()
	if b.a.nodes[0].mem.State != mpp.Active || has() {
		t.Errorf("in state %s, shouted %v; want ACTIVE, and nothing before the next poll", b.a.nodes[0].mem.State, has())
	}
	if poll(); !has() {
		t.Error("an ACTIVE node that stays read-only is not shouted")
	}
}

// again is a restart: a new arbiter with the memory of b's.
func (b *bench) again(p Policy) *bench {
	return &bench{t: b.t, a: New(p, b.a.Memory()), now: b.now.Add(time.Second)}
}

func (b *bench) tick() {
	b.now = b.now.Add(time.Millisecond)
	b.a.Step(b.now, mpp.Input{At: b.now})
}

func TestSeveralActiveNodesInAMemoryLeaveTheOneThatBecameActiveLast(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	memory := b.a.Memory()
	for i := range memory.Nodes {
		if memory.Nodes[i].Address == "b:1" {
			memory.Nodes[i].State, memory.Nodes[i].Since = mpp.Active, b.now.Add(time.Minute)
		}
	}
	after := &bench{t: t, a: New(threeNodes(), memory), now: b.now.Add(time.Hour)}
	after.tick()
	after.want("a STANDBY 0, b ACTIVE 0, c STANDBY 0")
}

func TestARestartTakesNoStepOnANodeThatWasNotPolledYet(t *testing.T) {
	p := threeNodes()
	p.HostileTakeover = true
	b := start(t, p)
	b.settle()
	b.all(dead, "a:1", "a:1", "a:1", "a:1")
	b.all("ok", "b:1", "b:1")
	b.poll("a:1", far)
	b.command(mpp.Command{Verb: mpp.VerbRecover, Node: "a:1"})
	b.all(far, "a:1", "a:1")
	b.want("a STANDBY 0, b ACTIVE 0, c STANDBY 0")
	after := b.again(p)
	after.all("ok", "b:1", "b:1", "c:1")
	after.want("a STANDBY 0, b ACTIVE 0, c STANDBY 0")

	dying := start(t, threeNodes())
	dying.settle()
	dying.all(far, "b:1", "c:1")
	dying.all(dead, "a:1", "a:1", "a:1")
	after = dying.again(threeNodes())
	after.poll("a:1", dead)
	after.want("a ACTIVE 4, b STANDBY 0, c STANDBY 0")
}

func TestANodePromotedAfterMissesServesAtOnce(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	b.all(dead, "a:1", "a:1", "a:1", "a:1")
	b.all(dead, "b:1", "b:1", "b:1")
	b.poll("b:1", "ok")
	b.want("a FAIL/OFFLINE 4, b ACTIVE 4, c STANDBY 0")
	v := b.a.View(b.now)
	if n := v.Nodes[1]; n.Status != mpp.Info || !v.Answer(&n, mpp.RoleWriter, b.now).Up {
		t.Errorf("the new ACTIVE node has status %s and answers %+v", n.Status, v.Answer(&n, mpp.RoleWriter, b.now))
	}
}

func TestARestartWhileCutOffStaysCutOffUntilThereIsEvidence(t *testing.T) {
	b := start(t, withCheckpoints())
	b.checkpoints(true, true, true)
	b.settle()
	b.poll("a:1", gone)
	b.checkpoints(false, false, false)
	after := b.again(withCheckpoints())
	after.checkpoints(false)
	if !after.a.head.CutOff {
		t.Error("a failed checkpoint ended the cut-off")
	}
	after.checkpoints(true)
	if after.a.head.CutOff {
		t.Error("a checkpoint that answers did not end the cut-off")
	}
}

func TestADeadNodeAndADeadGatewayDoNotCutAPoolOff(t *testing.T) {
	b := start(t, withCheckpoints())
	b.checkpoints(true, true, true)
	b.settle()
	b.poll("c:1", gone)
	b.checkpoints(true, true, true)
	b.all(gone, "c:1", "c:1", "c:1")
	b.want("a ACTIVE 0, b STANDBY 0, c FAIL/OFFLINE 4")
	b.checkpoints(false, false, false)
	b.all("ok", "a:1", "b:1")
	b.poll("c:1", gone)
	if v := b.a.View(b.now); v.Status != mpp.OK || v.Nodes[0].Evaluation != mpp.ReadWrite {
		t.Errorf("pool %s, the ACTIVE node %s", v.Status, v.Nodes[0].Evaluation)
	}
}

func TestPollsDuringACutOffMakeNothingFresh(t *testing.T) {
	b := start(t, withCheckpoints())
	b.checkpoints(true, true, true)
	b.settle()
	b.poll("a:1", gone)
	b.checkpoints(false, false, false)
	for range 10 {
		b.all(gone, "a:1", "b:1", "c:1")
		b.checkpoints(false, false, false)
	}
	b.checkpoints(true, true, true)
	v := b.a.View(b.now)
	if v.Status != mpp.OK {
		t.Fatalf("pool %s after a checkpoint answered", v.Status)
	}
	if a := v.Answer(&v.Nodes[0], mpp.RoleWriter, b.now); a.Up || !a.Stale {
		t.Errorf("before the first poll after the cut-off the ACTIVE node answers %+v", a)
	}
}

func TestNothingIsPolledFastWhileMaintenanceHoldsIt(t *testing.T) {
	b := start(t, threeNodes())
	b.command(mpp.Command{Verb: mpp.VerbMaintenance, Maintenance: mpp.Maintenance{On: true}})
	for range 3 {
		b.all("ok", "a:1", "b:1", "c:1")
	}
	b.want("a STANDBY 0, b STANDBY 0, c STANDBY 0")
	for _, n := range b.a.nodes {
		if n.lane != mpp.LaneNormal {
			t.Errorf("%s is in lane %s", n.policy.Address, n.lane)
		}
	}
}

func TestTimeThatTheDaemonWasDownCountsForNothing(t *testing.T) {
	p := threeNodes()
	p.AutoRecover = 5 * time.Second
	b := start(t, p)
	b.settle()
	b.all(dead, "b:1", "b:1", "b:1", "b:1")
	b.poll("b:1", "ok")
	after := b.again(p)
	after.now = after.now.Add(time.Hour)
	after.poll("b:1", "ok")
	after.want("a ACTIVE 0, b FAIL/OFFLINE 0, c STANDBY 0")
}

// answers tells which nodes are UP for a role.
func (b *bench) answers(r mpp.Role) string {
	v := b.a.View(b.now)
	var up []string
	for i := range v.Nodes {
		if v.Answer(&v.Nodes[i], r, b.now).Up {
			up = append(up, strings.TrimSuffix(v.Nodes[i].Address, ":1"))
		}
	}
	return strings.Join(up, " ")
}

func (b *bench) wantWriter(when, want string) {
	b.t.Helper()
	if got := b.answers(mpp.RoleWriter); got != want {
		b.t.Errorf("%s %q answers as writer, want %q", when, got, want)
	}
}

func TestAFailedPollMakesNothingFresh(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	b.poll("a:1", dead)
	b.wantWriter("after one miss", "a")

	b.a = New(threeNodes(), b.a.Memory())
	b.poll("a:1", dead)
	b.wantWriter("polled after a restart, in vain,", "")
	b.poll("a:1", "ok")
	b.wantWriter("well again,", "a")

	b.now = b.now.Add(20 * time.Second)
	b.wantWriter("after a freeze", "")
	b.poll("a:1", dead)
	b.wantWriter("polled after a freeze, in vain,", "")
	b.poll("a:1", "ok")
	b.wantWriter("well again,", "a")
	b.poll("a:1", stopped) // an ACTIVE node has no source to lose
	b.a = New(threeNodes(), b.a.Memory())
	b.poll("a:1", stopped)
	b.wantWriter("with its replication stopped", "a")
}

func TestANodeThatDiedDuringACutOffIsNotAnsweredForWhenItEnds(t *testing.T) {
	b := start(t, withCheckpoints())
	b.checkpoints(true, true, true)
	b.settle()
	b.poll("a:1", gone)
	b.checkpoints(false, false, false)
	b.all(gone, "a:1", "b:1", "c:1")
	b.checkpoints(true, true, true)
	b.poll("a:1", dead)
	b.wantWriter("dead since the cut-off,", "")
}

const unattached = "replication:replication-stopped:WARN"

func TestAPrimaryThatIsNoReplicaTakesTheRoleFromNobody(t *testing.T) {
	for _, hostile := range []bool{false, true} {
		p := threeNodes()
		p.HostileTakeover = hostile
		b := start(t, p)
		b.settle()
		for range 4 {
			b.poll("a:1", dead)
		}
		b.poll("b:1", "ok")
		b.poll("a:1", unattached)
		if v := b.a.View(b.now); !strings.Contains(v.Message, "first make it a replica of b:1") {
			t.Errorf("the way back is told as %q", v.Message)
		}
		b.command(mpp.Command{Verb: mpp.VerbRecover, Node: "a:1"})
		for range 5 {
			b.poll("a:1", unattached)
			b.all("ok", "b:1", "c:1")
		}
		b.want("a STANDBY 0, b ACTIVE 0, c STANDBY 0")
		if next := b.a.Explain(b.now).Nodes[0].Next; !strings.Contains(next, "mpp activate-primary") {
			t.Errorf("what comes next is told as %q", next)
		}
		for range 5 {
			b.all("ok", "a:1", "b:1", "c:1")
		}
		b.want("a ACTIVE 0, b STANDBY 0, c STANDBY 0")
	}
}

func TestAPrimaryThatIsNoReplicaIsPromotedWhenNobodyIsActive(t *testing.T) {
	b := start(t, threeNodes())
	for range 3 {
		b.poll("a:1", unattached)
		b.all("ok", "b:1", "c:1")
	}
	b.want("a ACTIVE 0, b STANDBY 0, c STANDBY 0")
}

func TestRecoveryIsDueOnlyForANodeThatCouldServe(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	for range 4 {
		b.poll("b:1", dead)
	}
	due := func() bool {
		return slices.ContainsFunc(b.a.View(b.now).Problems, func(p mpp.Problem) bool { return p.Code == "recovery-due" })
	}
	for what, want := range map[string]bool{dead: false, "connect:access-denied:CRITICAL": false, far: false, "ok": true} {
		if b.poll("b:1", what); due() != want {
			t.Errorf("%s: recovery due is %v", what, !want)
		}
	}
	b.poll("b:1", "ok")
	b.command(mpp.Command{Verb: mpp.VerbMaintenance, Node: "b:1", Maintenance: mpp.Maintenance{On: true}})
	if due() {
		t.Error("recovery is due of a node in maintenance")
	}
}

func TestSilentCheckpointsAreACriticalMatter(t *testing.T) {
	b := start(t, withCheckpoints())
	b.checkpoints(true, true, true)
	b.settle()
	b.checkpoints(false, true, true)
	code := func() (mpp.Status, string) {
		p := b.a.View(b.now).Problems
		if len(p) != 1 {
			t.Fatalf("problems %+v", p)
		}
		return p[0].Severity, p[0].Code
	}
	if s, c := code(); s != mpp.Warn || c != "network-trouble" {
		t.Errorf("one ring silent: %s %s", s, c)
	}
	b.checkpoints(false, false, false)
	if s, c := code(); s != mpp.Critical || c != "no-checkpoint" {
		t.Errorf("all silent: %s %s", s, c)
	}
	b.wantWriter("all nodes answer,", "a")
}

func TestTheLastInLineWaitsForTheOneBeforeIt(t *testing.T) {
	b := start(t, threeNodes())
	b.settle()
	if next := b.a.Explain(b.now).Nodes[2].Next; !strings.Contains(next, "b:1 and all above it are FAIL") {
		t.Errorf("the third node is told %q", next)
	}
}
