package pool

import (
	"fmt"
	"strings"
	"time"

	"mpp"
)

// noWriterWithEngine says what is to be done when nobody takes writes.
func (a *Arbiter) noWriterWithEngine() string {
	switch {
	case a.head.Operation != nil:
		return fmt.Sprintf("no node takes writes; operation %d (%s) is under way", a.head.Operation.ID, a.head.Operation.Kind)
	case a.hasActive(nil):
		return "no node takes writes; mpp explain " + a.policy.Name + " says why nothing was promoted"
	default:
		return fmt.Sprintf("no node takes writes, and none is ACTIVE: mpp failover %s --to NODE promotes one", a.policy.Name)
	}
}

// whyNoFailover names the gates that are closed.
func (a *Arbiter) whyNoFailover(now time.Time) string {
	if op := a.head.Operation; op != nil {
		return fmt.Sprintf("operation %d (%s) is under way", op.ID, op.Kind)
	}
	var why []string
	for _, g := range a.outage(now, false).gates() {
		if !g.Open {
			why = append(why, "gate "+g.Name+" is closed ("+g.Evidence+")")
		}
	}
	if len(why) == 0 {
		return "a failover begins"
	}
	return strings.Join(why, ", ")
}

// notReady tells before the bad day that a failover would not start.
func notReady(a *Arbiter, now time.Time) string {
	r := a.Readiness(now)
	if r == nil || r.Ready || a.head.Operation != nil || a.activeNode() == nil || a.watchesClosely() {
		return ""
	}
	if a.policy.Failover.Manual && len(r.Blockers) == 1 && strings.HasPrefix(r.Blockers[0], "allowed:") {
		return "" // as it is meant to be
	}
	return r.Summary
}

func unacknowledged(a *Arbiter, _ time.Time) string {
	if len(a.head.Unacknowledged) == 0 {
		return ""
	}
	id := a.head.Unacknowledged[0]
	return fmt.Sprintf("failover %d stopped half-way: read mpp failovers show %d --pool %s, then mpp failovers ack %d --pool %s", id, id, a.policy.Name, id, a.policy.Name)
}

func underWay(a *Arbiter, _ time.Time) string {
	op := a.head.Operation
	if op == nil {
		return ""
	}
	return fmt.Sprintf("operation %d is under way: %s %s -> %s, phase %s", op.ID, op.Kind, op.Old, op.New, op.Phase)
}

func addressMissing(a *Arbiter, _ time.Time, n *node) string {
	if n.mem.State != mpp.Active || n.strays == 0 || n.address == nil {
		return ""
	}
	return fmt.Sprintf("%s is ACTIVE, and its host does not have the virtual address %s", n.policy.Address, strings.Join(a.policy.Failover.VirtualAddresses, ", "))
}

func addressConflict(a *Arbiter, _ time.Time, n *node) string {
	if n.mem.State == mpp.Active || n.address == nil || !n.address.Known || !n.address.Some {
		return ""
	}
	return fmt.Sprintf("the host of %s has the virtual address %s, and it is not the ACTIVE node", n.policy.Address, strings.Join(a.policy.Failover.VirtualAddresses, ", "))
}

func addressForeign(a *Arbiter, _ time.Time, n *node) string {
	if n.address == nil || n.address.Foreign == "" || n.mem.State != mpp.Active {
		return ""
	}
	return fmt.Sprintf("somebody with the hardware address %s answers for the virtual address %s besides %s: take it away there",
		n.address.Foreign, strings.Join(a.policy.Failover.VirtualAddresses, ", "), n.policy.Address)
}

// hostSilent is about a host on which nothing could be done: no address moved, nothing fenced.
func hostSilent(a *Arbiter, _ time.Time, n *node) string {
	if !a.policy.Failover.Addresses || n.address == nil || n.address.Known || n.mem.Failing == mpp.Reach {
		return ""
	}
	return fmt.Sprintf("the host of %s cannot be asked for the virtual address: %s", n.policy.Address, n.address.Message)
}

func keptOut(_ *Arbiter, _ time.Time, n *node) string { return n.keptOut }
