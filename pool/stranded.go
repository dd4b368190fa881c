package pool

import (
	"time"

	"mpp"
	"mpp/plan"
	"mpp/state"
)

// endStranded ends operations that a change of the configuration has left without their nodes, or
// without an engine.
func (a *Arbiter) endStranded(now time.Time) {
	if op := a.head.Operation; op != nil {
		if why := a.stranded(op); why != "" {
			plan.Stop(now, op, why)
			a.endRole(now, op)
		}
	}
	left := a.head.Repairs[:0:0]
	for _, op := range a.head.Repairs {
		if why := a.stranded(op); why != "" {
			plan.Stop(now, op, why)
			a.endRepair(now, op)
			continue
		}
		left = append(left, op)
	}
	if len(left) != len(a.head.Repairs) {
		a.head.Repairs = left
	}
}

// stranded says why an operation cannot go on under the present configuration, "" when it can. One
// that has opened its new node has no need of the old one any more.
func (a *Arbiter) stranded(op *mpp.Operation) string {
	gone := func(address string) bool { return address != "" && a.index[address] == nil }
	switch {
	case !a.engine():
		return "the pool has no engine any more that promotes"
	case op.Kind == mpp.OpFailover && !plan.Promoting(op):
		return "" // the dead node is not needed, and another candidate is taken
	case gone(op.New):
		return op.New + " was removed from the configuration"
	case gone(op.Old) && !plan.Opened(op):
		return op.Old + " was removed from the configuration"
	default:
		return ""
	}
}

// noteUnpointed notes the nodes that could not be made replicas of the new ACTIVE node.
func (a *Arbiter) noteUnpointed(op *mpp.Operation) {
	for i := range op.Steps {
		st := &op.Steps[i]
		if n := a.index[st.Node]; n != nil && st.Kind == mpp.StepRepoint && !st.Undo && st.Status == mpp.StepFailed {
			n.unpointed = "it could not be made a replica of " + op.New + ": " + st.Text
		}
	}
}

// failUnpointed fails the nodes that could not be made replicas of the new ACTIVE node, once that one
// has answered since: where it has died, too, the failure says nothing of them, and they are what is left.
func (a *Arbiter) failUnpointed(now time.Time) {
	active := a.activeNode()
	if active == nil || a.head.Operation != nil || active.observation == nil || active.mem.Failing == mpp.Reach || !active.observation.At.After(a.settled) {
		return
	}
	for _, n := range a.nodes {
		why := n.unpointed
		n.unpointed = ""
		if why != "" && n.mem.State == mpp.Standby {
			a.enter(now, n, state.Change{Event: state.Fail, Reason: mpp.Online, Rule: ruleRepoint, Evidence: why})
		}
	}
}
