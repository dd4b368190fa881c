package sim

import (
	"fmt"
	"slices"

	"mpp"
)

// hold checks every invariant that one step could break.
func (w *world) hold(before mpp.PoolMemory, actions []mpp.Action) error {
	// What is remembered changes only by what is written down.
	if slices.ContainsFunc(actions, func(a mpp.Action) bool { return a.Kind == mpp.ActionPersist }) {
		w.memory = w.arbiter.Memory()
	}
	after := w.memory
	if err := oneActive(after); err != nil {
		return err
	}
	if after.CutOff && !before.CutOff {
		w.stats.CutOffs++
	}
	for _, action := range actions {
		if action.Kind != mpp.ActionEvent || action.Event.Kind != mpp.EventState {
			continue
		}
		if err := w.holdChange(before, action.Event); err != nil {
			return err
		}
	}
	return answersAgree(w)
}

// oneActive is invariant 1.
func oneActive(m mpp.PoolMemory) error {
	found := ""
	for _, n := range m.Nodes {
		if n.State != mpp.Active {
			continue
		}
		if found != "" {
			return fmt.Errorf("invariant 1: %s and %s are both ACTIVE", found, n.Address)
		}
		found = n.Address
	}
	return nil
}

// sameStates is invariant 5: nodes that are there before and after are what they were, and
// those that were not there are UNKNOWN.
func sameStates(before, after mpp.PoolMemory) error {
	was := map[string]mpp.NodeMemory{}
	for _, n := range before.Nodes {
		was[n.Address] = n
	}
	for _, n := range after.Nodes {
		old, there := was[n.Address]
		if !there {
			old.State = mpp.Unknown
		}
		if n.State != old.State || n.Reason != old.Reason {
			return fmt.Errorf("invariant 5: %s was %s and is %s", n.Address, old.State, n.State)
		}
	}
	return nil
}

// noneAnswers is invariant 9 after a restart: nothing was polled yet, so nothing is fresh.
func (w *world) noneAnswers() error {
	view := w.view()
	for i := range view.Nodes {
		if view.Answer(&view.Nodes[i], mpp.RoleOK, w.now).Up {
			return fmt.Errorf("invariant 9: %s was not polled since the start and answers", view.Nodes[i].Address)
		}
	}
	return nil
}

// holdChange holds invariant 2 and the rules on maintenance and being cut off.
func (w *world) holdChange(before mpp.PoolMemory, e *mpp.Event) error {
	byCommand := e.Rule == "command"
	if e.To == string(mpp.Active) {
		w.stats.Promotions++
		if e.From != string(mpp.Standby) {
			return fmt.Errorf("invariant 2: %s was promoted from %s", e.Node, e.From)
		}
		for _, n := range w.policy.Nodes {
			if n.Address == e.Node && n.NoPromote {
				return fmt.Errorf("invariant 2: %s is no_promote and was promoted", e.Node)
			}
		}
		if w.poorCopy(e.Node) {
			return fmt.Errorf("%s was promoted %s", e.Node, "on a poll that found its copy CRITICAL or could not examine it")
		}
	}
	if e.From == string(mpp.Active) && !byCommand {
		w.stats.Failures++
	}
	if before.CutOff && !byCommand && w.memory.CutOff {
		return fmt.Errorf("invariant 3: cut off, and still %s", e.Text)
	}
	if before.Maintenance.InForce(w.now) && !byCommand && e.Rule != "admit" {
		return fmt.Errorf("in maintenance, and still %s", e.Text)
	}
	return nil
}

// view is what load balancers are answered from.
func (w *world) view() mpp.PoolView {
	return mpp.PoolView{StaleAfter: w.policy.StaleAfter, WhenStale: w.policy.WhenStale, Nodes: w.arbiter.NodeViews(w.now)}
}

func (w *world) poorCopy(address string) bool {
	for _, n := range w.arbiter.NodeViews(w.now) {
		if n.Address == address {
			return n.Observation == nil || n.Observation.Unfit() != "" || n.Observation.Verdict().Failed != ""
		}
	}
	return true
}

// answersAgree holds that at most one node of a failover pool is READ-WRITE, and that a pool
// that is cut off answers DOWN for all.
func answersAgree(w *world) error {
	view := w.view()
	writers := 0
	for i := range view.Nodes {
		a := view.Answer(&view.Nodes[i], mpp.RoleWriter, w.now)
		if a.Up {
			writers++
		}
		if a.Up && !w.well[view.Nodes[i].Address] {
			return fmt.Errorf("invariant 9: %s answers as writer, and no poll of it went well since the start", view.Nodes[i].Address)
		}
		if a.Up && w.memory.CutOff {
			return fmt.Errorf("invariant 3: cut off, and %s answers as writer", view.Nodes[i].Address)
		}
	}
	if writers > 1 {
		return fmt.Errorf("invariant 1: %d nodes answer as writer", writers)
	}
	return nil
}
