package pool

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mpp"
	"mpp/plan"
)

// resume takes up, once, what the run before was doing. That may have been long ago: before a
// server is closed for it, all are asked how things are now.
func (a *Arbiter) resume(now time.Time) {
	if a.resumed {
		return
	}
	a.mendClock(now)
	op := a.head.Operation
	if (op != nil || len(a.head.Repairs) > 0) && (!a.heard() || !a.marked()) {
		return
	}
	a.resumed = true
	if why := a.rivalText(); why != "" {
		a.abandonAll(now, why)
		return
	}
	f := a.facts(now)
	if op != nil {
		op.Pool = a.policy.Name
		a.resumeRole(now, op, f)
	}
	var left []*mpp.Operation
	for _, op := range a.head.Repairs {
		op.Pool = a.policy.Name
		if why := a.outdated(op); why != "" {
			a.haltedByTest(op)
			plan.Abandon(now, op, why)
			a.endRepair(now, op)
			continue
		}
		left = append(left, op)
		a.tellOperation(now, op, mpp.Warn, "goes on where the manager before left it")
		a.run(plan.Resume(now, op, f))
	}
	a.head.Repairs = left
}

// mendClock takes what is remembered of the future as of now: the clock was set back while mppd was
// down, and no poll would count as newer for as long.
func (a *Arbiter) mendClock(now time.Time) {
	for _, n := range a.nodes {
		if n.mem.Since.After(now) {
			n.mem.Since = now
			a.touch(n)
		}
	}
}

// resumeRole takes up the operation that moves the role, or takes it back where its reason has gone.
func (a *Arbiter) resumeRole(now time.Time, op *mpp.Operation, f *plan.Facts) {
	if why := a.handedOn(op); why != "" {
		plan.Abandon(now, op, why)
		a.endRole(now, op)
		return
	}
	if why := a.overtaken(op); why != "" {
		a.headChanged = true
		a.tellOperation(now, op, mpp.Warn, "is taken back: "+why)
		a.run(plan.TakeBack(now, op, f, why))
		return
	}
	a.tellOperation(now, op, mpp.Warn, "goes on where the manager before left it")
	a.run(plan.Resume(now, op, f))
}

// marked reports whether it is known of every server that answers who manages it. A mark of somebody else
// is known by the second poll, and servers may not tell at all.
func (a *Arbiter) marked() bool {
	return !slices.ContainsFunc(a.nodes, func(n *node) bool {
		return n.spoke != nil && n.mem.Failing != mpp.Reach && !n.spoke.Server.Managed && n.spoke.Server.ManagedBy == "" && n.spokeBefore == nil
	})
}

// handedOn says why what is left of an operation that has opened its new node must not be done after a
// restart, "" when it must: the role went on to another node meanwhile, and to re-point servers would
// close that one.
func (a *Arbiter) handedOn(op *mpp.Operation) string {
	next := a.index[op.New]
	if !plan.Opened(op) || next == nil || next.mem.Failing != mpp.Reach && open(next) {
		return ""
	}
	for _, n := range a.nodes {
		if n != next && n.policy.Address != op.Old && n.mem.Failing != mpp.Reach && open(n) {
			return fmt.Sprintf("mppd was restarted, and %s takes the writes, not %s any more", n.policy.Address, op.New)
		}
	}
	if next.mem.Failing != mpp.Reach && next.observation != nil && next.observation.Server.ReadOnly && len(next.observation.Channels) > 0 {
		return fmt.Sprintf("mppd was restarted, and %s is a replica now", op.New)
	}
	return ""
}

// overtaken says why the operation that moves the role must not go on after a restart, "" when it
// must: the old node has come back before anybody was promoted, or takes writes and the new one does
// not. What the old node has taken meanwhile would be lost.
func (a *Arbiter) overtaken(op *mpp.Operation) string {
	old, next := a.index[op.Old], a.index[op.New]
	if plan.Opened(op) || old == nil || old.observation == nil || old.mem.Failing == mpp.Reach {
		return ""
	}
	switch {
	case !plan.Promoting(op) && op.Kind == mpp.OpFailover:
		return fmt.Sprintf("%s answers again, and mppd was restarted before anybody was promoted", op.Old)
	case plan.Promoting(op) && open(old) && next != nil && next.mem.Failing != mpp.Reach && !open(next):
		return fmt.Sprintf("%s takes writes and %s does not, by what they say after a restart of mppd", op.Old, op.New)
	default:
		return ""
	}
}

// open reports whether a server said at its last poll that it accepts writes.
func open(n *node) bool {
	o := n.observation
	return o != nil && o.Server.Flavour != "" && !o.Server.ReadOnly
}

// outdated says why a repair that the run before had begun is not gone on with, "" when it is. It
// closes a node beside the ACTIVE one, or even replaces its data; that may be the writer by now.
func (a *Arbiter) outdated(op *mpp.Operation) string {
	active, old := a.activeNode(), a.index[op.Old]
	switch {
	case op.Kind == mpp.OpTestLinks:
		return "mppd was restarted"
	case active == nil || active == old || !takesWrites(active) && (op.By == "" || old == nil || open(old)):
		return "mppd was restarted, and no other node takes the writes now"
	case op.New != "" && op.New != active.policy.Address:
		return "mppd was restarted, and " + op.New + " is not the ACTIVE node any more"
	default:
		return ""
	}
}

// haltedByTest notes the nodes whose links were being tested: a manager that was killed may have left their
// receivers stopped, and they are to run.
func (a *Arbiter) haltedByTest(op *mpp.Operation) {
	for i := range op.Steps {
		st := &op.Steps[i]
		if n := a.index[st.Node]; n != nil && st.Kind == mpp.StepTestLink && st.Status == mpp.StepRunning {
			n.mem.Halted = true
			a.touch(n)
		}
	}
}

// rememberServer notes what a manager must know of a node that it has never heard itself.
func (a *Arbiter) rememberServer(n *node, o *mpp.Observation) {
	n.mem.UUID, n.mem.ServerID = o.Server.UUID, o.Server.ID
	if o.Server.Settings != nil {
		n.mem.LogBase = o.Server.Settings.LogBase
	}
	switch {
	case n.mem.State != mpp.Active:
		n.mem.Acknowledgers = ""
	case a.heard() || n.mem.Acknowledgers == "": // until all were heard, what is remembered is better
		n.mem.Acknowledgers = strings.Join(plan.Acknowledgers(a.facts(o.At), n.policy.Address), ",")
	}
}

// words is what the server said last; of the ACTIVE node that was not heard since mppd started, who
// it is by what is remembered.
func (n *node) words() *mpp.Observation {
	if n.spoke != nil || n.mem.State != mpp.Active || (n.mem.UUID == "" && n.mem.ServerID == 0) {
		return n.spoke
	}
	o := &mpp.Observation{Node: n.policy.Address, Server: mpp.Server{UUID: n.mem.UUID, ID: n.mem.ServerID}}
	if n.mem.LogBase != "" {
		o.Server.Settings = &mpp.Settings{LogBin: true, LogBase: n.mem.LogBase}
	}
	return o
}

// remembered are the replicas that the ACTIVE node waited for, where it was not heard since mppd
// started.
func (n *node) remembered() []string {
	if n.spoke != nil || n.mem.State != mpp.Active || n.mem.Acknowledgers == "" {
		return nil
	}
	return strings.Split(n.mem.Acknowledgers, ",")
}
