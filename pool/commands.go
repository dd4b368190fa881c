package pool

import (
	"fmt"
	"time"

	"mpp"
	"mpp/state"
)

// command carries out an operator's command, or says why not.
func (a *Arbiter) command(now time.Time, c mpp.Command) mpp.Result {
	mark := len(a.out)
	if ofEngine(c.Verb) {
		return a.engineCommand(now, c)
	}
	refused := a.carryOut(now, c)
	if refused != "" {
		return mpp.Result{Refused: refused, Changes: []string{}}
	}
	changes := []string{}
	for _, action := range a.out[mark:] {
		if action.Kind == mpp.ActionEvent && action.Event.Kind != mpp.EventStatus {
			changes = append(changes, action.Event.Text)
		}
	}
	return mpp.Result{Done: true, Changes: changes}
}

// carryOut returns why the command was refused, "" when it was carried out.
func (a *Arbiter) carryOut(now time.Time, c mpp.Command) string {
	var n *node
	if c.Node != "" {
		if n = a.index[c.Node]; n == nil {
			return fmt.Sprintf("pool %s has no node %s", a.policy.Name, c.Node)
		}
	}
	if refused := a.refuseWithEngine(n, c); refused != "" {
		return refused
	}
	switch c.Verb {
	case mpp.VerbRecover:
		return a.commandRecover(now, n, c)
	case mpp.VerbActivatePrimary:
		return a.commandActivatePrimary(now, c)
	case mpp.VerbPromote:
		return a.commandPromote(now, n, c)
	case mpp.VerbDemote:
		return a.commandDemote(now, n, c)
	case mpp.VerbMaintenance:
		return a.commandMaintenance(now, n, c)
	default:
		return fmt.Sprintf("unknown verb %q: recover, activate-primary, promote, demote or maintenance", c.Verb)
	}
}

func byWhom(c mpp.Command) string {
	if c.By == "" {
		return "asked for by an operator"
	}
	return "asked for by " + c.By
}

// needsRecovery reports whether n is FAIL in state or in status.
func (a *Arbiter) needsRecovery(n *node) bool {
	return n.mem.State == mpp.Failed || n.mem.Status == mpp.Fail
}

func (a *Arbiter) commandRecover(now time.Time, n *node, c mpp.Command) string {
	if n != nil {
		if !a.needsRecovery(n) && !c.Force {
			return fmt.Sprintf("%s is %s with status %s: there is nothing to recover", n.policy.Address, n.mem.State, n.mem.Status)
		}
		a.recover(now, n, ruleCommand, byWhom(c))
		return ""
	}
	found := false
	for _, each := range a.nodes {
		if each.mem.State == mpp.Failed {
			a.recover(now, each, ruleCommand, byWhom(c))
			found = true
		}
	}
	if !found {
		return fmt.Sprintf("no node of pool %s is in state FAIL", a.policy.Name)
	}
	return ""
}

// mayPromote says why n must not be made ACTIVE by command, "" when it may.
func (a *Arbiter) mayPromote(now time.Time, n *node) string {
	address := n.policy.Address
	switch {
	case a.policy.Logic == mpp.LogicCluster:
		return fmt.Sprintf("pool %s has logic %q: every healthy member is ACTIVE, nothing is promoted", a.policy.Name, a.policy.Logic)
	case a.head.CutOff:
		return "this poller is cut off: nothing is decided until that ends"
	case n.policy.NoPromote:
		return fmt.Sprintf("%s is marked no_promote", address)
	case n.mem.State == mpp.Failed:
		return fmt.Sprintf("%s is %s (%s): recover it first (mpp recover %s)", address, n.mem.State, n.mem.Reason, address)
	case n.mem.State != mpp.Standby:
		return fmt.Sprintf("%s is %s; only a STANDBY node can be promoted", address, n.mem.State)
	case n.observation == nil:
		return fmt.Sprintf("%s was not polled since mppd started; try again in a moment", address)
	case n.mem.Failing != "":
		return fmt.Sprintf("the last poll of %s failed: %s", address, n.mem.Message)
	case n.unfit != "":
		return fmt.Sprintf("%s is not fit to take writes: %s", address, n.unfit)
	case n.mem.Maintenance.InForce(now):
		return fmt.Sprintf("%s is in maintenance: end that first (mpp maintenance off %s)", address, address)
	default:
		return ""
	}
}

func (a *Arbiter) commandActivatePrimary(now time.Time, c mpp.Command) string {
	p := a.primary()
	if p == nil {
		return fmt.Sprintf("pool %s has no PRIMARY", a.policy.Name)
	}
	if p.mem.State == mpp.Active {
		return ""
	}
	return a.commandPromote(now, p, c)
}

func (a *Arbiter) commandPromote(now time.Time, n *node, c mpp.Command) string {
	if n == nil {
		return "promote needs a node"
	}
	if n.mem.State == mpp.Active {
		return fmt.Sprintf("%s is ACTIVE already", n.policy.Address)
	}
	if why := a.mayPromote(now, n); why != "" {
		return why
	}
	p := a.primary()
	if p != nil && p != n && !a.held(now, p) && p.mem.State != mpp.Failed && a.promotable(now, p) {
		return fmt.Sprintf("%s is the PRIMARY and may be ACTIVE itself: it would take the role back on its next poll; put it in maintenance first (mpp maintenance on %s)",
			p.policy.Address, p.policy.Address)
	}
	return a.handOver(now, n, c)
}

// handOver demotes whoever is ACTIVE and promotes n, in one step.
func (a *Arbiter) handOver(now time.Time, n *node, c mpp.Command) string {
	for _, other := range a.active(n) {
		a.demote(now, other, ruleCommand, byWhom(c))
		other.mem.Errors++
		a.machine.Rate(&other.mem, other.checks)
	}
	a.enter(now, n, state.Change{Event: state.Promote, Rule: ruleCommand, Evidence: byWhom(c)})
	n.mem.Errors++
	a.machine.Rate(&n.mem, n.checks)
	return ""
}

// commandDemote hands the role of an ACTIVE node to the next node that may have it.
func (a *Arbiter) commandDemote(now time.Time, n *node, c mpp.Command) string {
	if n == nil {
		return "demote needs a node"
	}
	if n.mem.State != mpp.Active {
		return fmt.Sprintf("%s is %s, not ACTIVE", n.policy.Address, n.mem.State)
	}
	if a.policy.Logic == mpp.LogicCluster {
		return fmt.Sprintf("pool %s has logic %q: take a member out with mpp maintenance or stop it", a.policy.Name, a.policy.Logic)
	}
	if n.policy.Type == mpp.Primary && !a.held(now, n) && a.promotable(now, n) {
		return fmt.Sprintf("%s is the PRIMARY: it would take the role back on its next poll; put it in maintenance first (mpp maintenance on %s)",
			n.policy.Address, n.policy.Address)
	}
	reasons := ""
	for _, other := range a.nodes {
		if other == n {
			continue
		}
		why := a.mayPromote(now, other)
		if why == "" {
			return a.handOver(now, other, c)
		}
		reasons += "; " + why
	}
	return "no other node can take over" + reasons
}

func (a *Arbiter) commandMaintenance(now time.Time, n *node, c mpp.Command) string {
	m := c.Maintenance
	if m.On && !m.Until.IsZero() && !m.Until.After(now) {
		return fmt.Sprintf("the maintenance would have ended at %s already", m.Until.Format(time.RFC3339))
	}
	if m.On {
		m.Since, m.By = now, c.By
	} else {
		m = mpp.Maintenance{}
	}
	target, where := &a.head.Maintenance, "pool "+a.policy.Name
	if n != nil {
		target, where = &n.mem.Maintenance, n.policy.Address
	}
	if !m.On && !target.On {
		return where + " is not in maintenance"
	}
	*target = m
	a.tellMaintenance(now, n, byWhom(c))
	if !m.On {
		a.afterMaintenance(n)
	}
	return ""
}

// endMaintenance ends what has reached its end time.
func (a *Arbiter) endMaintenance(now time.Time) {
	if m := a.head.Maintenance; m.On && !m.InForce(now) {
		a.head.Maintenance = mpp.Maintenance{}
		a.tellMaintenance(now, nil, "its time is over")
		a.afterMaintenance(nil)
	}
	for _, n := range a.nodes {
		if m := n.mem.Maintenance; m.On && !m.InForce(now) {
			n.mem.Maintenance = mpp.Maintenance{}
			a.touch(n)
			a.tellMaintenance(now, n, "its time is over")
			a.afterMaintenance(n)
		}
	}
}

// afterMaintenance starts the count of errors afresh: what failed during maintenance was
// meant to. n is nil for the pool.
func (a *Arbiter) afterMaintenance(n *node) {
	for _, each := range a.nodes {
		if (n == nil || each == n) && each.mem.State != mpp.Failed {
			a.clearErrors(each)
		}
	}
}

func (a *Arbiter) tellMaintenance(now time.Time, n *node, why string) {
	e := mpp.Event{Kind: mpp.EventPool, Severity: mpp.Info}
	where, m := "pool "+a.policy.Name, a.head.Maintenance
	if n != nil {
		e.Node, where, m = n.policy.Address, n.policy.Address, n.mem.Maintenance
	}
	if !m.On {
		e.Text = fmt.Sprintf("maintenance of %s ended: %s", where, why)
	} else {
		e.Text = fmt.Sprintf("maintenance of %s until %s, %s", where, endOf(m), why)
		if m.Reason != "" {
			e.Text += ": " + m.Reason
		}
	}
	a.tell(now, e)
}

func endOf(m mpp.Maintenance) string {
	if m.Until.IsZero() {
		return "it is ended by command"
	}
	return m.Until.Format(time.RFC3339)
}
