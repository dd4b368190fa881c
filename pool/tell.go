package pool

import (
	"fmt"
	"slices"
	"time"

	"mpp"
)

// tell adds an event to the step under way.
func (a *Arbiter) tell(now time.Time, e mpp.Event) {
	e.At, e.Pool = now, a.policy.Name
	a.out = append(a.out, mpp.Action{Kind: mpp.ActionEvent, Node: e.Node, Event: &e})
}

// tellState tells a change of state.
func (a *Arbiter) tellState(now time.Time, n *node, was mpp.NodeMemory) {
	e := mpp.Event{
		Kind: mpp.EventState, Severity: mpp.Info, Node: n.policy.Address,
		From: was.State.Text(was.Reason), To: n.mem.State.Text(n.mem.Reason), Rule: n.mem.Rule,
	}
	if n.mem.State == mpp.Failed {
		e.Severity = mpp.Fail
	}
	if n.mem.State == mpp.Active || was.State == mpp.Active {
		e.Severity = mpp.Worse(e.Severity, mpp.Warn)
	}
	e.Text = fmt.Sprintf("%s %s: %s -> %s: %s", n.policy.Type, n.policy.Address, e.From, e.To, n.mem.Evidence)
	a.tell(now, e)
}

// tellStatus tells that what is wrong with a node has changed. The error that a change of
// state counts is not news of its own.
func (a *Arbiter) tellStatus(now time.Time, n *node) {
	is := announcement{n.mem.Status, n.mem.Kind}
	if n.mem.Failing == "" {
		is.status = n.checks
	}
	was := n.announced
	if is == was {
		return
	}
	n.announced = is
	e := mpp.Event{
		Kind: mpp.EventStatus, Severity: is.status, Node: n.policy.Address,
		From: was.status.String(), To: is.status.String(), Text: n.mem.Message,
	}
	if e.Text == "" {
		e.Text = "well again"
	}
	e.Text = fmt.Sprintf("%s: %s", n.policy.Address, e.Text)
	a.tell(now, e)
}

// tellCommand tells what became of a command.
func (a *Arbiter) tellCommand(now time.Time, c mpp.Command, r mpp.Result) {
	e := mpp.Event{Kind: mpp.EventCommand, Severity: mpp.Info, Node: c.Node, Rule: ruleCommand}
	who := c.By
	if who == "" {
		who = "unknown"
	}
	what := string(c.Verb)
	if c.Node != "" {
		what += " " + c.Node
	}
	if r.Done {
		e.Text = fmt.Sprintf("%s by %s: done", what, who)
		for _, change := range r.Changes {
			e.Text += "; " + change
		}
	} else {
		e.Severity = mpp.Warn
		e.Text = fmt.Sprintf("%s by %s: refused: %s", what, who, r.Refused)
	}
	a.tell(now, e)
}

// persist asks for what changed to be written down. A poll that changes nothing but its own
// time is not worth a record.
func (a *Arbiter) persist() {
	for _, n := range a.changeable() {
		is, was := n.mem, n.persisted
		is.LastPoll, was.LastPoll = time.Time{}, time.Time{}
		is.GoodSince, was.GoodSince = time.Time{}, time.Time{}
		if is == was {
			continue
		}
		sync := is.State != was.State || is.Reason != was.Reason || is.Maintenance != was.Maintenance
		n.persisted = n.mem
		a.out = append(a.out, mpp.Action{Kind: mpp.ActionPersist, Node: n.policy.Address, Sync: sync})
	}
	head := slices.ContainsFunc(a.out, func(x mpp.Action) bool {
		return x.Kind == mpp.ActionEvent && x.Event.Kind == mpp.EventPool
	})
	switch {
	case head:
		a.out = append(a.out, mpp.Action{Kind: mpp.ActionPersist, Sync: true})
	case a.headChanged:
		a.out = append(a.out, mpp.Action{Kind: mpp.ActionPersist, Sync: a.headSync})
	}
	a.headChanged, a.headSync = false, false
	a.touched, a.allTouched = a.touched[:0], false
}

// changeable returns the nodes that the step under way may have changed.
func (a *Arbiter) changeable() []*node {
	if a.allTouched {
		return a.nodes
	}
	return a.touched
}

// situation is what every node's lane depends on.
type situation struct{ held, writerless, cutOff, closely bool }

// assignLanes decides how eagerly each node is polled.
func (a *Arbiter) assignLanes() {
	s := situation{a.head.Maintenance.On, a.policy.Logic == mpp.LogicFailover && !a.hasActive(nil), a.head.CutOff, a.watchesClosely()}
	if s != a.lanesFor {
		a.lanesFor, a.allTouched = s, true
	}
	for _, n := range a.changeable() {
		lane := a.laneOf(n, s.writerless)
		if lane == n.lane {
			continue
		}
		n.lane = lane
		a.out = append(a.out, mpp.Action{Kind: mpp.ActionLane, Node: n.policy.Address, Lane: lane})
	}
}

// laneOf: dead nodes move to the slow lane; a node is confirmed fast after its first failure
// while its state matters (it is ACTIVE, or nobody is) until that is clear, and while its
// next good poll changes what the pool can do.
func (a *Arbiter) laneOf(n *node, writerless bool) mpp.Lane {
	failing := n.mem.Failing != ""
	unclear := failing && !a.machine.Spent(&n.mem)
	switch {
	case a.head.CutOff:
		return mpp.LaneNormal
	case a.watchesClosely() && n.mem.State != mpp.Failed:
		return a.closeLane(n) // each word of a replica counts while the ACTIVE node is silent
	case n.mem.State == mpp.Failed && n.mem.Failing == mpp.Reach && a.engine():
		return mpp.LaneNormal // one that comes back as a writer is to be fenced at once
	case n.mem.State == mpp.Failed && n.mem.Failing == mpp.Reach:
		return mpp.LaneSlow
	case n.mem.Maintenance.On || (a.head.Maintenance.On && n.mem.State != mpp.Unknown):
		return mpp.LaneNormal // no poll changes anything
	case n.mem.State == mpp.Failed:
		return mpp.LaneNormal
	case n.mem.State == mpp.Active && unclear && n.mem.Failing == mpp.Reach:
		return mpp.LaneConfirm
	case n.mem.State == mpp.Unknown && !failing:
		return mpp.LaneConfirm
	case writerless && unclear:
		return mpp.LaneConfirm
	case writerless && !failing && !n.policy.NoPromote && n.unfit == "":
		return mpp.LaneConfirm
	default:
		return mpp.LaneNormal
	}
}
