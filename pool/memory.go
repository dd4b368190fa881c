package pool

import (
	"fmt"
	"slices"
	"time"

	"mpp"
	"mpp/state"
)

// Memory returns what must survive a restart: everything but the observations.
func (a *Arbiter) Memory() mpp.PoolMemory {
	m := a.Head()
	m.Nodes = make([]mpp.NodeMemory, 0, len(a.nodes))
	for _, n := range a.nodes {
		m.Nodes = append(m.Nodes, n.mem)
	}
	return m
}

// Head returns what is remembered of the pool itself, without its nodes.
func (a *Arbiter) Head() mpp.PoolMemory {
	h := a.head
	h.Operation = h.Operation.Clone()
	h.Repairs = make([]*mpp.Operation, 0, len(a.head.Repairs))
	for _, op := range a.head.Repairs {
		h.Repairs = append(h.Repairs, op.Clone())
	}
	if len(h.Repairs) == 0 {
		h.Repairs = nil
	}
	h.Unacknowledged = slices.Clone(h.Unacknowledged)
	return h
}

// NodeMemory returns what is remembered of one node; false when the pool has no such node.
func (a *Arbiter) NodeMemory(address string) (mpp.NodeMemory, bool) {
	n := a.index[address]
	if n == nil {
		return mpp.NodeMemory{}, false
	}
	return n.mem, true
}

// Reconfigure puts a new policy in force. Nodes that stay keep their state and their last
// observation, new ones start UNKNOWN, removed ones are gone. When the ACTIVE node is
// removed, the others are asked for at once.
func (a *Arbiter) Reconfigure(now time.Time, p Policy) []mpp.Action {
	a.out = a.out[:0]
	before := a.index
	a.place(p, func(np NodePolicy) *node {
		old := before[np.Address]
		if old == nil {
			return newNode(np, mpp.NodeMemory{})
		}
		delete(before, np.Address)
		old.policy = np
		return old
	})
	a.policy, a.machine = p, state.New(p.Ladder)
	a.points = placeCheckpoints(p.Checkpoints, a.points)
	for address, gone := range before {
		a.tell(now, mpp.Event{
			Kind: mpp.EventConfig, Severity: mpp.Info, Node: address, From: string(gone.mem.State),
			Text: fmt.Sprintf("%s was removed from pool %s by a reload; it was %s", address, p.Name, gone.mem.State),
		})
		if gone.mem.State == mpp.Active {
			a.pollOthers(nil)
		}
	}
	a.keepOneActive(now)
	a.endStranded(now)
	a.judgeTrouble(now)
	a.judgeCutOff(now)
	a.assignLanes()
	a.persist()
	return a.out
}

// keepOneActive holds invariant 1 when a memory or a reload brings several ACTIVE nodes into a
// failover pool: after the logic was changed, or when a node comes back into the configuration.
// The one that became ACTIVE last keeps the role, the first in order of those.
func (a *Arbiter) keepOneActive(now time.Time) {
	if a.policy.Logic != mpp.LogicFailover || a.actives < 2 {
		return
	}
	actives := a.active(nil)
	keep := actives[0]
	for _, n := range actives[1:] {
		if n.mem.Since.After(keep.mem.Since) {
			keep = n
		}
	}
	for _, n := range actives {
		if n != keep {
			a.demote(now, n, ruleOneActive, keep.policy.Address+" became ACTIVE later, and a failover pool has one ACTIVE node")
		}
	}
}
