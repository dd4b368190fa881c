package pool

import (
	"fmt"
	"slices"
	"time"

	"mpp"
	"mpp/plan"
	"mpp/state"
)

// repairPause is the time after a repair before the next one of the node, doubled with each that
// failed up to repairPauseMost, or fencePauseMost while a node is not fenced that must be; failbackPause that after a failback that did not succeed.
const (
	repairPause     = time.Second
	repairPauseMost = time.Minute
	fencePauseMost  = 5 * time.Second
	failbackPause   = 10 * time.Minute
)

// strayLooks is how many looks in a row must find the address wrong before it is moved: one may
// have been under way while an operation moved it.
const strayLooks = 2

// adopt makes the node ACTIVE that is the writer already: when nobody is ACTIVE, as a first start
// finds it, or when the role was moved by other hands, and what was the ACTIVE node is its
// replica now, or dead.
func (a *Arbiter) adopt(now time.Time) {
	if a.head.Operation != nil || a.head.Maintenance.InForce(now) {
		return
	}
	active := a.activeNode()
	if active != nil && !a.gaveUpRole(active) {
		return
	}
	writer := a.onlyWriter(active)
	if writer == nil || writer.mem.State != mpp.Standby || writer.unattached == "" || writer.policy.NoPromote || writer.mem.Maintenance.InForce(now) {
		return
	}
	evidence := "it is the only node that accepts writes, and replicates from nobody"
	if active != nil {
		if active.mem.Maintenance.InForce(now) || a.anyoneAhead(now, writer) {
			return
		}
		if active.mem.Failing == mpp.Reach && !a.othersFollow(writer, active) {
			return // it may live, and only this poller not reach it: the gates decide
		}
		evidence = fmt.Sprintf("%s; %s does not take them any more: the role was moved by other hands", evidence, active.policy.Address)
		if active.mem.Failing == mpp.Reach {
			a.enter(now, active, state.Change{Event: state.Fail, Reason: mpp.Offline, Rule: ruleAdopt, Evidence: writer.policy.Address + " takes the writes: " + active.mem.Message})
		} else {
			a.demote(now, active, ruleAdopt, writer.policy.Address+" takes the writes")
			a.clearErrors(active)
		}
	}
	a.enter(now, writer, state.Change{Event: state.Promote, Rule: ruleAdopt, Evidence: evidence})
	a.clearErrors(writer)
	writer.mem.WritableSince = writer.observation.Server.StartedAt
}

// gaveUpRole reports whether the ACTIVE node has become a read-only replica, or is dead.
func (a *Arbiter) gaveUpRole(n *node) bool {
	o := n.observation
	if n.mem.Failing == mpp.Reach {
		return o != nil && !o.Answered && a.machine.Spent(&n.mem) && a.machine.LostActive(&n.mem)
	}
	return o != nil && o.Server.Flavour != "" && o.Server.ReadOnly && len(o.Channels) > 0 && o.At.After(n.mem.Since) && o.At.After(a.settled)
}

// othersFollow reports whether the rest of the pool, as far as it answers, replicates from the writer:
// whoever moved the role has re-pointed it.
func (a *Arbiter) othersFollow(writer, active *node) bool {
	source := plan.Node{Address: writer.policy.Address, Observation: writer.spoke}
	follow := 0
	for _, n := range a.nodes {
		if n == writer || n == active || n.mem.Failing == mpp.Reach {
			continue
		}
		if n.spoke == nil || !plan.Follows(&plan.Node{Address: n.policy.Address, Observation: n.spoke}, &source) {
			return false
		}
		follow++
	}
	return follow > 0
}

// onlyWriter is the one node besides except that accepts writes; nil when there is none, when
// there are several, or when not all were heard or counted out yet.
func (a *Arbiter) onlyWriter(except *node) (writer *node) {
	for _, n := range a.nodes {
		if n == except {
			continue
		}
		if n.observation == nil || (n.mem.State == mpp.Unknown && n.mem.Failing == mpp.Reach) {
			return nil
		}
		if n.mem.Failing == mpp.Reach || n.observation.Server.Flavour == "" || n.observation.Server.ReadOnly || n.observation.At.Before(a.settled) {
			continue
		}
		if writer != nil {
			return nil // two accept writes: an operator must say which is right
		}
		writer = n
	}
	return writer
}

// considerFailover starts a failover when every gate is open.
func (a *Arbiter) considerFailover(now time.Time) {
	active := a.activeNode()
	if active == nil || active.mem.Failing != mpp.Reach {
		return
	}
	a.testLinks(now, active)
	if o := a.outage(now, false); o.open() {
		a.startFailover(now, o, o.gates(), mpp.Command{})
	}
}

// startFailover begins a failover.
func (a *Arbiter) startFailover(now time.Time, o *outage, gates []mpp.Gate, c mpp.Command) *mpp.Operation {
	op := mpp.Operation{Kind: mpp.OpFailover, By: c.By, Wanted: c.Node, Gates: gates, Candidates: o.ranking(), Options: c.Options}
	op.Reason = "no node is ACTIVE"
	if o.active != nil {
		op.Old, op.FirstMiss = o.active.policy.Address, o.active.mem.FirstMiss
		op.Reason = fmt.Sprintf("%s is lost: %s", op.Old, o.active.mem.Message)
		op.MustFence = c.By == "" && o.alone()
	}
	a.abandonAll(now, fmt.Sprintf("%s was lost", op.Old))
	return a.begin(now, op)
}

// abandonAll ends everything that is under way: a failover must wait for nothing.
func (a *Arbiter) abandonAll(now time.Time, why string) {
	if op := a.head.Operation; op != nil {
		plan.Abandon(now, op, why)
		a.endRole(now, op)
	}
	for _, op := range a.head.Repairs {
		plan.Abandon(now, op, why)
		a.endRepair(now, op)
	}
	a.head.Repairs = nil
}

// repairing reports whether a repair of the kind is under way at a node; "" means any node.
func (a *Arbiter) repairing(address string, kind mpp.OperationKind) bool {
	return slices.ContainsFunc(a.head.Repairs, func(op *mpp.Operation) bool {
		return (address == "" || op.Old == address) && (kind == "" || op.Kind == kind)
	})
}

// advanceRepairs goes on with the repairs under way.
func (a *Arbiter) advanceRepairs(now time.Time) {
	if len(a.head.Repairs) == 0 {
		return
	}
	f := a.facts(now)
	var left []*mpp.Operation
	for _, op := range a.head.Repairs {
		a.run(plan.Advance(now, op, f))
		if op.Outcome == "" {
			left = append(left, op)
			continue
		}
		a.endRepair(now, op)
	}
	if len(left) != len(a.head.Repairs) {
		a.head.Repairs = left
	}
}

// endRepair takes in that a repair has ended.
func (a *Arbiter) endRepair(now time.Time, op *mpp.Operation) {
	a.headChanged = true
	n := a.index[op.Old]
	severity := mpp.Info
	if op.Outcome == mpp.Stopped {
		severity = mpp.Critical
	}
	repeats := a.repeats(op)
	if !repeats && (op.Kind != mpp.OpTestLinks || op.Outcome != mpp.Completed) {
		a.tellOperation(now, op, severity, string(op.Outcome)+": "+op.Why)
	}
	if op.Kind != mpp.OpTestLinks && (!repeats || op.Outcome == mpp.Completed) {
		a.out = append(a.out, mpp.Action{Kind: mpp.ActionReport, Operation: op.Clone()})
	}
	if n == nil || op.Kind == mpp.OpTestLinks {
		return
	}
	n.strays = 0
	most := repairPauseMost
	if op.Kind == mpp.OpFence {
		most = fencePauseMost
	}
	n.pauseRepairs(now, op.Outcome == mpp.Completed, most)
	switch {
	case op.Kind == mpp.OpRejoin && op.Outcome == mpp.Completed:
		a.mended = now
		n.keptOut, n.mem.Errant, n.mem.Halted = "", "", false
		if n.mem.State == mpp.Failed {
			a.recover(now, n, ruleRejoin, op.Why)
		}
	case op.Kind == mpp.OpRejoin && op.Lost != "":
		n.keptOut = op.Why
	}
	a.out = append(a.out, mpp.Action{Kind: mpp.ActionPoll, Node: n.policy.Address})
}

// considerRepairs starts what puts single nodes right: the ACTIVE one that lost what belongs to
// it, one that takes writes or holds the address and must not, one that can be a replica again.
func (a *Arbiter) considerRepairs(now time.Time) {
	active := a.activeNode()
	if active == nil || a.head.Maintenance.InForce(now) || a.rivalText() != "" {
		return
	}
	if a.roleMoves() {
		a.considerReturn(now, active)
		return
	}
	for _, n := range a.nodes {
		if n.mem.Maintenance.InForce(now) || now.Before(n.repairAt) || a.repairing(n.policy.Address, "") {
			continue
		}
		if n == active && a.head.Operation == nil {
			a.considerReopen(now, n)
		}
		if n == active {
			continue
		}
		a.considerFence(now, active, n)
	}
}

// considerReturn fences the old node of a failover as soon as it comes back: the new one takes writes
// already, and what is left of the plan may take long.
func (a *Arbiter) considerReturn(now time.Time, active *node) {
	op := a.head.Operation
	old := a.index[op.Old]
	if op.Kind != mpp.OpFailover || !plan.Opened(op) || old == nil || old == active {
		return
	}
	if old.mem.Maintenance.InForce(now) || now.Before(old.repairAt) || a.repairing(op.Old, "") {
		return
	}
	a.considerFence(now, active, old)
}

// considerReopen gives the ACTIVE node back what belongs to its role: it was restarted and came
// up read-only, or the address is missing.
func (a *Arbiter) considerReopen(now time.Time, n *node) {
	o := n.observation
	if o == nil || n.mem.Failing != "" || o.Server.Flavour == "" || !o.At.After(n.mem.Since) || !o.At.After(a.settled) {
		return
	}
	op := mpp.Operation{Kind: mpp.OpReopen, New: n.policy.Address}
	switch {
	case !o.Server.ReadOnly && a.policy.Failover.Addresses && n.strays >= strayLooks:
		op.Reason, op.Wanted = "its host does not have the virtual address", "address"
	case !o.Server.ReadOnly && a.leftLink(now, n):
		op.Reason, op.Wanted = "it still has the link of its time as a replica: a promotion could not end it, because its source hung", "link"
	case !o.Server.ReadOnly || len(o.Channels) > 0 || a.anotherWrites(n) || a.anyoneAhead(now, n):
		return
	case n.mem.Closed:
		op.Reason = "an operation that failed has left it read-only"
	case a.restarted(n, o):
		op.Reason = "its server was restarted and came up read-only"
	default:
		return
	}
	a.begin(now, op)
}

// leftAfter is for how long a promotion may still be ending the new node's replication behind its
// step.
const leftAfter = 10 * time.Second

// leftLink reports whether the ACTIVE node still is the replica of a node of its pool, without
// receiving from it: with the server's next start it would.
func (a *Arbiter) leftLink(now time.Time, n *node) bool {
	c := n.observation.Channels
	if len(c) == 0 || c[0].IO == "Yes" || now.Sub(n.mem.Since) < leftAfter {
		return false
	}
	self := plan.Node{Address: n.policy.Address, Observation: n.observation}
	return slices.ContainsFunc(a.nodes, func(other *node) bool {
		return other != n && plan.Follows(&self, &plan.Node{Address: other.policy.Address, Observation: other.spoke})
	})
}

// anotherWrites reports whether a node besides n was seen to accept writes: somebody may have moved
// the role there by other means.
func (a *Arbiter) anotherWrites(n *node) bool {
	return slices.ContainsFunc(a.nodes, func(other *node) bool {
		o := other.observation
		return other != n && o != nil && other.mem.Failing != mpp.Reach && o.Server.Flavour != "" && !o.Server.ReadOnly
	})
}

// restarted reports whether the server was started since it was last seen writable. Read-only
// without a restart is somebody's will.
func (a *Arbiter) restarted(n *node, o *mpp.Observation) bool {
	return !n.mem.WritableSince.IsZero() && o.Server.StartedAt.After(n.mem.WritableSince.Add(time.Second))
}

// anyoneAhead reports whether another node has what n has not: then n is not the one to open.
func (a *Arbiter) anyoneAhead(now time.Time, n *node) bool {
	return plan.AnyoneAhead(a.facts(now), n.policy.Address)
}

// considerFence starts to fence, or to take back, a node that is not ACTIVE.
func (a *Arbiter) considerFence(now time.Time, active, n *node) {
	o := n.observation
	// A server that answers and cannot commit would go on with what hangs there one day.
	answers := o != nil && o.Answered && o.Server.Flavour != "" && o.At.After(active.mem.Since) && o.At.After(a.settled)
	// Where the ACTIVE node does not take writes, the only one that does is not closed, nor loses the
	// address that somebody has given it.
	handed := handedOver(active, n)
	served := (takesWrites(active) || awaitsReplicas(active)) && !handed
	writable := answers && !o.Server.ReadOnly &&
		((takesWrites(active) && !handed) || ((active.mem.Closed || n.mem.State == mpp.Failed) && a.awaitsOpening(now, active)))
	stray := a.policy.Failover.Addresses && n.strays >= strayLooks && (served || !answers || o.Server.ReadOnly)
	back := answers && n.mem.Failing != mpp.Reach && (a.policy.Failover.Rejoin || n.mem.Halted) && n.keptOut == "" && a.mayRejoin(active, n) && served
	op := mpp.Operation{Kind: mpp.OpFence, Old: n.policy.Address}
	switch {
	case back:
		op.Kind, op.New, op.Reason = mpp.OpRejoin, active.policy.Address, "it is back"
	case writable:
		op.Reason = "it takes writes, and is not the ACTIVE node"
	case stray:
		op.Reason = "its host holds the virtual address, and it is not the ACTIVE node"
	default:
		return
	}
	a.begin(now, op)
}

// handedOver reports whether n, which nothing has failed, was found open after the last poll of the
// ACTIVE node: whoever moves the role by hand closes that one first, and what is known of it may be
// from before. Its next poll tells.
func handedOver(active, n *node) bool {
	o := n.observation
	if n.mem.State == mpp.Failed || o == nil || o.Server.Flavour == "" || o.Server.ReadOnly {
		return false
	}
	return active.observation == nil || !active.observation.At.After(n.openSince)
}

// awaitsOpening reports whether the ACTIVE node only waits to be opened: its server was restarted, or
// closed by MPP, and nobody has what it has not. Then a writer that is out is closed first.
func (a *Arbiter) awaitsOpening(now time.Time, active *node) bool {
	o := active.observation
	if o == nil || active.mem.Failing != "" || o.Server.Flavour == "" || !o.Server.ReadOnly || len(o.Channels) > 0 || !o.At.After(active.mem.Since) || !o.At.After(a.settled) {
		return false
	}
	return (active.mem.Closed || a.restarted(active, o)) && !a.anyoneAhead(now, active)
}

// awaitsReplicas reports whether the ACTIVE node is open, and its commits wait for a replica that
// acknowledges: one that is re-attached is what it waits for.
func awaitsReplicas(active *node) bool {
	o := active.observation
	return o != nil && active.mem.Kind == mpp.KindSemiSyncWait && o.Answered && o.Server.Flavour != "" && !o.Server.ReadOnly && o.At.After(active.mem.Since)
}

// takesWrites reports whether the ACTIVE node was seen to take writes since it became ACTIVE.
func takesWrites(active *node) bool {
	o := active.observation
	return o != nil && active.mem.Failing == "" && o.Server.Flavour != "" && !o.Server.ReadOnly && o.At.After(active.mem.Since)
}

// mayRejoin reports whether n is a node that should be, and is not, a replica of the ACTIVE one.
func (a *Arbiter) mayRejoin(active, n *node) bool {
	if n.spoke == nil || applierStopped(n.spoke) {
		return false
	}
	if n.mem.Halted {
		return true // its receiver was stopped by a failover that came to nothing, not by an operator
	}
	source := plan.Node{Address: active.policy.Address, Observation: active.spoke}
	return !plan.Follows(&plan.Node{Address: n.policy.Address, Observation: n.spoke}, &source)
}

// considerFailback gives the role back to a recovered PRIMARY, where that is wanted.
func (a *Arbiter) considerFailback(now time.Time) {
	p, active := a.primary(), a.activeNode()
	if !a.policy.Failover.Failback || a.policy.Failover.Manual || p == nil || active == nil || p == active || a.head.Operation != nil {
		return
	}
	if a.repairing(p.policy.Address, "") || p.mem.State != mpp.Standby || p.mem.Errors != 0 || active.mem.Failing != "" || a.held(now, p) || a.held(now, active) || now.Before(p.repairAt) {
		return
	}
	if len(a.head.Unacknowledged) > 0 || p.spoke == nil || !p.spoke.LagKnown || p.spoke.Lag > a.policy.Failover.MaxLag {
		return
	}
	if a.rivalText() != "" {
		return
	}
	f := a.facts(now)
	if plan.RefuseSwitchover(f, active.policy.Address, p.policy.Address) != "" {
		return
	}
	p.repairAt = now.Add(failbackPause)
	a.begin(now, mpp.Operation{
		Kind: mpp.OpSwitchover, Old: active.policy.Address, New: p.policy.Address, Reason: "failback = \"auto\": the PRIMARY is well again",
	})
}

// repeats reports whether an operation that MPP began by itself is one more of a long row: such are
// told and reported ever more seldom, or they would push what led to them out of both.
func (a *Arbiter) repeats(op *mpp.Operation) bool {
	n := a.repaired(op)
	if n == nil || op.By != "" || (op.Outcome == mpp.Completed && n.repairFailed) {
		return false
	}
	count := n.repairsFailed
	if op.Kind == mpp.OpTestLinks {
		count = n.linkTests
	}
	return count > 4 && count&(count-1) != 0
}

// repaired is the node that an operation repairs, nil for none.
func (a *Arbiter) repaired(op *mpp.Operation) *node {
	switch op.Kind {
	case mpp.OpReopen:
		return a.index[op.New]
	case mpp.OpFence, mpp.OpRejoin, mpp.OpTestLinks:
		return a.index[op.Old]
	default:
		return nil
	}
}

// rowEnds is the time after which a repair is no longer one of the row before.
const rowEnds = 5 * time.Minute

// countRepair notes that a repair begins.
func (a *Arbiter) countRepair(now time.Time, op *mpp.Operation) {
	n := a.repaired(op)
	switch {
	case n == nil:
	case op.Kind == mpp.OpTestLinks:
		n.linkTests++
	case now.Sub(n.repairedAt) > rowEnds:
		n.repairsFailed, n.repairFailed = 0, false
	}
}

// endRow forgets the row of repairs of a node: the next one begins at once.
func (n *node) endRow() {
	n.repairsFailed, n.repairFailed, n.repairedAt, n.repairAt = 0, false, time.Time{}, time.Time{}
}

// pauseRepairs puts the next repair of the node off, the longer the more often it failed.
func (n *node) pauseRepairs(now time.Time, done bool, most time.Duration) {
	n.repairsFailed++
	if done && now.Sub(n.repairedAt) > repairPauseMost {
		n.repairsFailed = 0 // what has to be done again soon was of no use
	}
	n.repairedAt, n.repairFailed = now, !done
	pause := repairPause << min(n.repairsFailed, 10)
	n.repairAt = now.Add(min(pause, most))
}
