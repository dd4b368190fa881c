package pool

import (
	"fmt"
	"time"

	"mpp"
	"mpp/plan"
	"mpp/state"
)

// View shows the pool at now. It shares the observations with the arbiter; they are never
// changed.
func (a *Arbiter) View(now time.Time) mpp.PoolView {
	v := mpp.PoolView{
		Name: a.policy.Name, Logic: a.policy.Logic, Engine: a.policy.Engine, Trouble: a.head.Trouble,
		Maintenance: a.head.Maintenance, Readers: a.policy.Readers, Interval: a.policy.Interval,
		StaleAfter: a.policy.StaleAfter, WhenStale: a.policy.WhenStale, Policy: a.policy.view(),
		Checkpoints: make([]mpp.CheckpointView, 0, len(a.points)),
	}
	if a.head.CutOff {
		v.Status = mpp.Fail
	}
	v.Nodes = a.NodeViews(now)
	if n := a.activeNode(); n != nil && a.policy.Logic == mpp.LogicFailover {
		v.Active = n.policy.Address
	}
	for i := range a.points {
		v.Checkpoints = append(v.Checkpoints, a.points[i].view())
	}
	if a.engine() {
		a.viewEngine(now, &v)
	}
	v.Problems = a.problems(now)
	v.Message = a.message(&v)
	return v
}

// NodeViews shows the nodes alone: what load balancers are answered from.
func (a *Arbiter) NodeViews(now time.Time) []mpp.NodeView {
	views := make([]mpp.NodeView, 0, len(a.nodes))
	standbyReads := false
	for _, n := range a.nodes {
		nv := a.nodeView(now, n)
		standbyReads = standbyReads || nv.Evaluation == mpp.ReadOnly
		views = append(views, nv)
	}
	for i := range views {
		views[i].Reader = a.reads(views[i].Evaluation, standbyReads)
	}
	return views
}

// viewEngine adds what pools with an engine have.
func (a *Arbiter) viewEngine(now time.Time, v *mpp.PoolView) {
	h := a.Head()
	v.Operation, v.Repairs, v.Readiness = h.Operation, h.Repairs, a.Readiness(now)
	v.Addresses = a.policy.Failover.VirtualAddresses
	for i, n := range a.nodes {
		v.Nodes[i].VirtualAddress = n.address
	}
}

// view shows the rules.
func (p *Policy) view() mpp.PolicyView {
	return mpp.PolicyView{
		Ladder:          [4]int{p.Ladder.Info, p.Ladder.Warn, p.Ladder.Critical, p.Ladder.Fail},
		HostileTakeover: p.HostileTakeover, AutoRecover: p.AutoRecover,
	}
}

// PolicyOf makes the policy of a pool from its view, as `mpp replay` needs it.
func PolicyOf(v *mpp.PoolView) Policy {
	l := v.Policy.Ladder
	p := Policy{
		Name: v.Name, Logic: v.Logic, Engine: v.Engine, Readers: v.Readers, Interval: v.Interval,
		StaleAfter: v.StaleAfter, WhenStale: v.WhenStale, HostileTakeover: v.Policy.HostileTakeover,
		AutoRecover: v.Policy.AutoRecover, Ladder: state.Ladder{Info: l[0], Warn: l[1], Critical: l[2], Fail: l[3]},
	}
	for _, n := range v.Nodes {
		p.Nodes = append(p.Nodes, NodePolicy{Address: n.Address, Name: n.Name, Type: n.Type, NoPromote: n.NoPromote})
	}
	for _, c := range v.Checkpoints {
		p.Checkpoints = append(p.Checkpoints, CheckpointPolicy{Name: c.Name, Ring: c.Ring, Kind: c.Kind, Address: c.Address})
	}
	return p
}

// reads reports whether a node of that evaluation serves readers.
func (a *Arbiter) reads(e mpp.Evaluation, standbyReads bool) bool {
	switch e {
	case mpp.ReadOnly:
		return true
	case mpp.ReadWrite:
		return a.policy.Logic == mpp.LogicCluster || a.policy.Readers == mpp.ReadersAll ||
			(a.policy.Readers == mpp.ReadersStandbyElseActive && !standbyReads)
	default:
		return false
	}
}

func (a *Arbiter) nodeView(now time.Time, n *node) mpp.NodeView {
	v := mpp.NodeView{
		Address: n.policy.Address, Name: n.policy.Name, Pool: a.policy.Name, Type: n.policy.Type,
		State: n.mem.State, Reason: n.mem.Reason, Status: n.mem.Status, Errors: n.mem.Errors,
		Since: n.mem.Since, LastPoll: n.mem.LastPoll, Message: n.mem.Message,
		Rule: n.mem.Rule, Evidence: n.mem.Evidence, NoPromote: n.policy.NoPromote, Lane: n.lane,
		Maintenance: n.mem.Maintenance, Observation: n.observation,
	}
	if n.observation != nil {
		v.Took = n.observation.Took
	}
	v.Evaluation, v.EvaluationReason = a.evaluate(now, n)
	return v
}

// evaluate says what a node may be used for, and why.
func (a *Arbiter) evaluate(now time.Time, n *node) (mpp.Evaluation, string) {
	switch {
	case a.head.CutOff:
		return mpp.Down, fmt.Sprintf("this poller is cut off (%s trouble)", a.head.Trouble)
	case n.mem.State == mpp.Failed:
		return mpp.Down, fmt.Sprintf("FAIL (%s): %s", n.mem.Reason, n.mem.Evidence)
	case n.mem.State == mpp.Unknown:
		return mpp.Down, "not judged yet"
	case n.mem.State == mpp.Active && a.losing(n):
		return mpp.Down, "a failover is under way"
	case n.mem.State == mpp.Active && n.mem.Status == mpp.Fail && a.head.Operation == nil && a.aliveByReplicas(now) != "":
		return mpp.ReadWrite, "ACTIVE; not reachable from here, and alive by its replicas: " + a.aliveByReplicas(now)
	case n.mem.Status == mpp.Fail:
		return mpp.Down, fmt.Sprintf("%s with status FAIL: %s", n.mem.State, n.mem.Message)
	case n.observation != nil && !n.seen:
		return mpp.Down, "no good poll yet since this poller started, was frozen or was cut off: " + n.mem.Message
	case n.mem.State == mpp.Active && a.engine() && a.head.Operation != nil && a.head.Operation.Old == n.policy.Address && plan.Cut(a.head.Operation):
		return mpp.Down, "a switchover is under way, and it is read-only"
	case n.mem.State == mpp.Active && a.engine() && a.closedActive(n):
		return mpp.ReadOnly, "ACTIVE, and its server is read-only"
	case n.mem.State == mpp.Active:
		return mpp.ReadWrite, "ACTIVE"
	case n.mem.Maintenance.InForce(now):
		return mpp.Down, "in maintenance"
	default:
		return mpp.ReadOnly, "STANDBY"
	}
}

// losing reports whether a failover is about to take the role from n: it is fenced as far as that
// goes, and what it wrote now, should it come back, would be lost.
func (a *Arbiter) losing(n *node) bool {
	op := a.head.Operation
	return a.engine() && op != nil && op.Kind == mpp.OpFailover && op.Old == n.policy.Address
}

// closedActive reports whether the server of the ACTIVE node says, by a poll since it became
// ACTIVE, that it is read-only.
func (a *Arbiter) closedActive(n *node) bool {
	o := n.observation
	return o != nil && o.Server.Flavour != "" && o.Server.ReadOnly && o.At.After(n.mem.Since)
}

func (c *checkpoint) view() mpp.CheckpointView {
	v := mpp.CheckpointView{
		Name: c.policy.Name, Ring: c.policy.Ring, Kind: c.policy.Kind, Address: c.policy.Address,
		Status: mpp.Info, LastTry: c.last.At, Message: c.last.Message,
	}
	if c.tried {
		v.Status = mpp.OK
		if !c.last.Reached {
			v.Status = mpp.Fail
		}
	}
	return v
}

// message is the worst thing to know about the pool, in one line.
func (a *Arbiter) message(v *mpp.PoolView) string {
	if len(v.Problems) == 0 {
		return ""
	}
	worst := v.Problems[0]
	for _, p := range v.Problems[1:] {
		if p.Severity > worst.Severity {
			worst = p
		}
	}
	return worst.Text
}
