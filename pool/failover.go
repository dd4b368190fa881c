package pool

import (
	"fmt"
	"time"

	"mpp"
	"mpp/state"
)

// The names of the rules, as events and explanations show them.
const (
	ruleAdmit            = "admit"
	ruleFailOffline      = "fail-offline"
	ruleFailOnline       = "fail-online"
	rulePromotePrimary   = "promote-primary"
	rulePromoteSecondary = "promote-secondary"
	ruleHostileTakeover  = "hostile-takeover"
	ruleStepDown         = "step-down"
	ruleAutoRecover      = "auto-recover"
	ruleClusterMember    = "cluster-member"
	ruleCommand          = "command"
	ruleOneActive        = "one-active"
)

// reachFailure is rule 1: at fail_after errors a node becomes FAIL (OFFLINE), except that an
// ACTIVE node stays (status FAIL, so load balancers see it down) while nobody could take over.
func (a *Arbiter) reachFailure(now time.Time, n *node) {
	if n.mem.State == mpp.Failed || !a.machine.Spent(&n.mem) {
		return
	}
	if a.engine() && (n.mem.State == mpp.Active || a.involved(n)) {
		return // the gates decide, or the plan that is under way
	}
	if n.mem.State == mpp.Active && (!a.machine.LostActive(&n.mem) || !a.successor(now, n)) {
		return
	}
	if a.wantsCheckpoint(n) {
		return
	}
	a.enter(now, n, state.Change{
		Event: state.Fail, Reason: mpp.Offline, Rule: ruleFailOffline,
		Evidence: fmt.Sprintf("%d failed polls in a row: %s", n.mem.Errors, n.mem.Message),
	})
}

// successor reports whether a node besides n is ACTIVE, or is STANDBY and may be promoted. One
// that was not polled since the daemon started proves nothing yet.
func (a *Arbiter) successor(now time.Time, n *node) bool {
	for _, other := range a.nodes {
		if other == n {
			continue
		}
		ready := other.mem.State == mpp.Standby && other.observation != nil && a.promotable(now, other)
		if ready || other.mem.State == mpp.Active {
			return true
		}
	}
	return false
}

// promotable reports whether nothing in configuration, maintenance or the last poll's
// evidence forbids to promote n. It does not look at n's state.
func (a *Arbiter) promotable(now time.Time, n *node) bool {
	return !n.policy.NoPromote && !n.mem.Maintenance.InForce(now) && n.unfit == ""
}

// replicaFailure is rule 2: at fail_after errors a node that is not ACTIVE becomes FAIL
// (ONLINE).
func (a *Arbiter) replicaFailure(now time.Time, n *node) {
	if n.mem.State == mpp.Active || n.mem.State == mpp.Failed || !a.machine.Spent(&n.mem) {
		return
	}
	a.enter(now, n, state.Change{
		Event: state.Fail, Reason: mpp.Online, Rule: ruleFailOnline,
		Evidence: fmt.Sprintf("%d failed polls in a row: %s", n.mem.Errors, n.mem.Message),
	})
}

// goodPoll is rule 3. before is how many errors the node had until this poll.
func (a *Arbiter) goodPoll(now time.Time, n *node, before int) {
	switch {
	case n.mem.State == mpp.Unknown:
		a.admit(now, n)
	case n.mem.State == mpp.Standby && n.policy.Type == mpp.Primary:
		a.primaryStandby(now, n, before)
	case n.mem.State == mpp.Standby:
		a.secondaryStandby(now, n, before)
	case n.mem.State == mpp.Active && n.policy.Type == mpp.Secondary:
		a.secondaryActive(now, n, before)
	}
}

// admit makes an UNKNOWN node STANDBY.
func (a *Arbiter) admit(now time.Time, n *node) {
	a.enter(now, n, state.Change{Event: state.Admit, Rule: ruleAdmit, Evidence: "first good poll"})
}

// primaryStandby: the PRIMARY takes the role when nobody has it, or by hostile takeover. It
// takes it from nobody while it is the replica of nothing: what was written since would be lost.
func (a *Arbiter) primaryStandby(now time.Time, n *node, before int) {
	if !a.promotable(now, n) {
		return
	}
	actives := a.active(n)
	if len(actives) == 0 {
		a.promote(now, n, before, rulePromotePrimary, "PRIMARY is well and no node is ACTIVE")
		return
	}
	if !a.policy.HostileTakeover || a.anyHeld(now, actives) || n.unattached != "" {
		return
	}
	for _, other := range actives {
		a.demote(now, other, ruleHostileTakeover, "the PRIMARY "+n.policy.Address+" takes over")
		other.mem.Errors++
		a.machine.Rate(&other.mem, other.checks)
	}
	a.promote(now, n, before, ruleHostileTakeover, "PRIMARY is well and hostile_takeover is on")
}

func (a *Arbiter) anyHeld(now time.Time, nodes []*node) bool {
	for _, n := range nodes {
		if n.mem.Maintenance.InForce(now) {
			return true
		}
	}
	return false
}

// secondaryStandby: a SECONDARY takes the role when nobody has it and every node of higher
// priority is FAIL, in state or in status (or kept out by its operator).
func (a *Arbiter) secondaryStandby(now time.Time, n *node, before int) {
	if a.hasActive(n) || !a.promotable(now, n) {
		return
	}
	if a.lastBefore(now, n) != nil {
		return
	}
	a.promote(now, n, before, rulePromoteSecondary, "no node is ACTIVE and every node of higher priority is FAIL")
}

// lastBefore returns the last of the nodes of higher priority that n has to wait for, nil for
// none.
func (a *Arbiter) lastBefore(now time.Time, n *node) (last *node) {
	for _, higher := range a.nodes {
		if higher == n {
			break
		}
		out := higher.mem.State == mpp.Failed || higher.mem.Status == mpp.Fail
		if !out && a.promotable(now, higher) {
			last = higher
		}
	}
	return last
}

// secondaryActive: a SECONDARY gives the role back when the PRIMARY is STANDBY without
// errors: at once under hostile takeover or when it has errors itself, else it first says
// so and steps down on its next poll.
func (a *Arbiter) secondaryActive(now time.Time, n *node, before int) {
	p := a.primary()
	if p == nil || p.mem.State != mpp.Standby || p.observation == nil || p.mem.Errors != 0 || !a.promotable(now, p) {
		return
	}
	if p.unattached != "" {
		return // what n wrote cannot have reached it
	}
	if !a.policy.HostileTakeover && before == 0 {
		n.mem.Errors = 1
		n.mem.Message = "the PRIMARY " + p.policy.Address + " is back; stepping down on the next poll"
		return
	}
	a.demote(now, n, ruleStepDown, "the PRIMARY "+p.policy.Address+" is STANDBY without errors")
}

// promote makes n ACTIVE; the change counts as one error on top of those before.
func (a *Arbiter) promote(now time.Time, n *node, before int, rule, evidence string) {
	a.enter(now, n, state.Change{Event: state.Promote, Rule: rule, Evidence: evidence})
	n.mem.Errors = 1
	if n.policy.Type == mpp.Secondary {
		n.mem.Errors = before + 1
	}
	a.machine.Rate(&n.mem, n.checks)
}

func (a *Arbiter) demote(now time.Time, n *node, rule, evidence string) {
	a.enter(now, n, state.Change{Event: state.Demote, Rule: rule, Evidence: evidence})
}

// autoRecover takes a FAIL node back once its polls have been good for auto_recover.
func (a *Arbiter) autoRecover(now time.Time, n *node) bool {
	if a.policy.AutoRecover <= 0 || n.mem.State != mpp.Failed {
		return false
	}
	good := n.mem.LastPoll.Sub(n.mem.GoodSince)
	if good < a.policy.AutoRecover {
		return false
	}
	a.recover(now, n, ruleAutoRecover, fmt.Sprintf("polls have been good for %s", good.Round(time.Second)))
	return true
}

// recover takes n back to UNKNOWN, errors 0. An ACTIVE, STANDBY or UNKNOWN node goes through
// FAIL first, so that the state machine stays the only way.
func (a *Arbiter) recover(now time.Time, n *node, rule, evidence string) {
	if n.mem.State != mpp.Failed {
		if n.mem.State == mpp.Unknown {
			a.clearErrors(n)
			return
		}
		a.enter(now, n, state.Change{Event: state.Fail, Reason: mpp.Offline, Rule: rule, Evidence: evidence})
	}
	a.enter(now, n, state.Change{Event: state.Recover, Rule: rule, Evidence: evidence})
	a.clearErrors(n)
	a.out = append(a.out, mpp.Action{Kind: mpp.ActionPoll, Node: n.policy.Address})
}

func (a *Arbiter) clearErrors(n *node) {
	a.touch(n)
	n.mem.Errors, n.mem.ReplicaErrors = 0, 0
	n.mem.FirstMiss, n.mem.GoodSince = time.Time{}, time.Time{}
	a.machine.Rate(&n.mem, mpp.OK)
}
