package pool

import (
	"fmt"
	"strings"
	"time"

	"mpp"
	"mpp/plan"
)

// rehearsal bounds how many rounds of polls Explain plays through.
const rehearsal = 12

// Explain says why the pool is as it is, and what would happen if its ACTIVE node died now:
// the latter by playing it through on a copy, with the very rules that would decide.
func (a *Arbiter) Explain(now time.Time) mpp.Explanation {
	e := mpp.Explanation{
		Pool: a.policy.Name, At: now, Summary: a.summary(now),
		IfActiveDied: a.rehearse(now), Problems: a.problems(now), Readiness: a.Readiness(now),
	}
	for _, n := range a.nodes {
		e.Nodes = append(e.Nodes, mpp.NodeExplanation{
			Address: n.policy.Address, Type: n.policy.Type, State: n.mem.State,
			Why: whyState(now, n), Now: nowSays(now, n), Next: a.next(now, n),
		})
	}
	return e
}

func (a *Arbiter) summary(now time.Time) string {
	counts := map[mpp.State]int{}
	for _, n := range a.nodes {
		counts[n.mem.State]++
	}
	var parts []string
	for _, s := range []mpp.State{mpp.Active, mpp.Standby, mpp.Unknown, mpp.Failed} {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	text := fmt.Sprintf("pool %s (logic %s, engine %s): %s", a.policy.Name, a.policy.Logic, a.policy.Engine, strings.Join(parts, ", "))
	switch {
	case a.head.CutOff:
		text += "; status FAIL: this poller is cut off"
	case a.head.Maintenance.InForce(now):
		text += "; in maintenance"
	}
	return text
}

// span says how long ago then was, to a precision that people want.
func span(now, then time.Time) string {
	d := now.Sub(then)
	if d < 10*time.Second {
		return d.Round(100 * time.Millisecond).String()
	}
	return d.Round(time.Second).String()
}

func whyState(now time.Time, n *node) string {
	if n.mem.Since.IsZero() {
		return fmt.Sprintf("%s: no poll has been good yet", n.mem.State)
	}
	text := string(n.mem.State)
	if n.mem.Reason != "" {
		text += fmt.Sprintf(" (%s)", n.mem.Reason)
	}
	return fmt.Sprintf("%s for %s, by rule %s: %s", text, span(now, n.mem.Since), n.mem.Rule, n.mem.Evidence)
}

func nowSays(now time.Time, n *node) string {
	if n.mem.LastPoll.IsZero() {
		return "not polled yet"
	}
	text := fmt.Sprintf("status %s; last poll %s ago ", n.mem.Status, span(now, n.mem.LastPoll))
	switch {
	case n.mem.Failing != "":
		return text + fmt.Sprintf("failed (%s, %d in a row, check %s): %s", n.mem.Failing, n.mem.Errors, n.mem.Check, n.mem.Message)
	case n.mem.Message != "":
		return text + "good, with a remark: " + n.mem.Message
	default:
		return text + "good"
	}
}

// next says what would change the node's state.
func (a *Arbiter) next(now time.Time, n *node) string {
	fail := a.policy.Ladder.Fail
	switch {
	case a.head.CutOff:
		return "nothing until this poller is no longer cut off"
	case a.held(now, n):
		return "nothing by itself: maintenance"
	case n.mem.State == mpp.Failed && a.engine() && n.unattached != "":
		return "stays FAIL until it is a replica again: mpp rejoin " + n.policy.Address
	case n.mem.State == mpp.Failed && a.policy.AutoRecover > 0:
		return fmt.Sprintf("UNKNOWN after %s of good polls (auto_recover), or by mpp recover %s", a.policy.AutoRecover, n.policy.Address)
	case n.mem.State == mpp.Failed:
		return "stays FAIL until mpp recover " + n.policy.Address
	case n.mem.State == mpp.Unknown:
		return fmt.Sprintf("STANDBY with the next good poll; FAIL at %d errors", fail)
	case a.engine() && n.mem.State == mpp.Active:
		return "FAIL (OFFLINE) by a failover once it is lost and every gate is open; a switchover moves the role"
	case n.mem.State == mpp.Active && a.policy.Logic == mpp.LogicFailover && !a.successor(now, n):
		return "stays ACTIVE whatever happens: no other node could take over"
	case n.mem.State == mpp.Active:
		return fmt.Sprintf("FAIL (OFFLINE) at %d reach errors in a row; replica errors never fail an ACTIVE node", fail)
	case a.policy.Logic == mpp.LogicCluster:
		return "ACTIVE with the next good poll"
	default:
		return a.nextOfStandby(now, n)
	}
}

func (a *Arbiter) nextOfStandby(now time.Time, n *node) string {
	switch {
	case n.policy.NoPromote:
		return "never ACTIVE: marked no_promote"
	case n.unfit != "":
		return "not promoted as it is: " + n.unfit
	case a.engine():
		return a.nextWithEngine(now, n)
	case n.policy.Type == mpp.Primary && n.unattached != "" && a.hasActive(n):
		return fmt.Sprintf("not given the role by itself while it %s: what the ACTIVE node wrote cannot have reached it; attach it, or: mpp activate-primary", n.unattached)
	case n.policy.Type == mpp.Primary && a.policy.HostileTakeover:
		return "ACTIVE with the next good poll (hostile_takeover)"
	case n.policy.Type == mpp.Primary:
		return "ACTIVE when the ACTIVE SECONDARY steps down or fails"
	}
	if by := a.lastBefore(now, n); by != nil {
		return fmt.Sprintf("ACTIVE when no node is ACTIVE and %s and all above it are FAIL", by.policy.Address)
	}
	return "ACTIVE as soon as no node is ACTIVE: next in line"
}

// nextWithEngine says which place in the order of succession a STANDBY node has.
func (a *Arbiter) nextWithEngine(now time.Time, n *node) string {
	for _, c := range a.outage(now, true).ranking() {
		if c.Address == n.policy.Address {
			if c.Rank == 0 {
				return "not promoted: " + c.Why
			}
			return fmt.Sprintf("ACTIVE by a failover or switchover: number %d in the order of succession", c.Rank)
		}
	}
	return "not promoted while nobody is ACTIVE"
}

// rehearse plays the death of the ACTIVE node through on a copy and tells the events.
func (a *Arbiter) rehearse(now time.Time) []string {
	if a.policy.Logic != mpp.LogicFailover {
		return []string{"the other members stay ACTIVE; nothing is promoted"}
	}
	if a.engine() {
		return a.rehearseEngine(now)
	}
	actives := a.active(nil)
	if len(actives) == 0 {
		return []string{"no node is ACTIVE"}
	}
	victim := actives[0].policy.Address
	copied := a.clone()
	var lines []string
	for round := 1; round <= rehearsal; round++ {
		for _, n := range copied.nodes {
			o := copied.imagine(n, now, victim)
			for _, action := range copied.Step(now, mpp.Input{At: now, Pool: a.policy.Name, Observation: &o}) {
				if action.Kind == mpp.ActionEvent && action.Event.Kind == mpp.EventState {
					lines = append(lines, fmt.Sprintf("poll %d: %s: %s -> %s (rule %s)",
						round, action.Event.Node, action.Event.From, action.Event.To, action.Event.Rule))
				}
			}
		}
		if next := copied.active(nil); len(next) == 1 && next[0].policy.Address != victim {
			return append(lines, fmt.Sprintf("%s takes writes; load balancers that ask MPP follow with their next check", next[0].policy.Address))
		}
	}
	return append(lines, "nobody takes over: "+copied.whyNobody(now, victim))
}

// rehearseEngine tells the plan that would be carried out.
func (a *Arbiter) rehearseEngine(now time.Time) []string {
	o := a.outage(now, true)
	if o.active == nil {
		return []string{"no node is ACTIVE"}
	}
	if g := closed(o.gates()); g != nil {
		return []string{fmt.Sprintf("nobody takes over: gate %s is closed: %s", g.Name, g.Evidence)}
	}
	op := plan.Rehearse(now, o.facts, mpp.Operation{Kind: mpp.OpFailover, Old: o.active.policy.Address})
	var lines []string
	for i := range op.Steps {
		st := &op.Steps[i]
		line := fmt.Sprintf("%s: %s %s", st.Phase, st.Kind, st.Node)
		if st.Peer != "" {
			line += " (" + st.Peer + ")"
		}
		lines = append(lines, strings.TrimSpace(line))
	}
	if len(op.Notes) > 0 {
		return append(lines, op.Notes...)
	}
	return append(lines, op.New+" takes writes")
}

// clone copies everything that a Step changes.
func (a *Arbiter) clone() *Arbiter {
	c := New(a.policy, a.Memory())
	copy(c.points, a.points)
	c.head = a.head
	for i, n := range a.nodes {
		*c.nodes[i] = *n
	}
	c.actives = a.actives
	return c
}

// imagine is the poll that n would have: refused for the victim, else its last one again.
func (a *Arbiter) imagine(n *node, now time.Time, victim string) mpp.Observation {
	if n.policy.Address == victim {
		return mpp.Observation{Node: victim, At: now, Checks: []mpp.CheckResult{{
			Name: "connect", Class: mpp.Reach, Status: mpp.Fail, Kind: mpp.KindRefused, Message: "connection refused",
		}}}
	}
	if n.observation == nil {
		return mpp.Observation{Node: n.policy.Address, At: now}
	}
	o := *n.observation
	o.At = now
	return o
}

// whyNobody lists what keeps each other node from taking over.
func (a *Arbiter) whyNobody(now time.Time, victim string) string {
	if a.head.Maintenance.InForce(now) {
		return "the pool is in maintenance"
	}
	var reasons []string
	for _, n := range a.nodes {
		if n.policy.Address == victim {
			if n.mem.Maintenance.InForce(now) {
				return victim + " is in maintenance"
			}
			continue
		}
		if why := a.mayPromote(now, n); why != "" {
			reasons = append(reasons, why)
		}
	}
	if len(reasons) == 0 {
		return "the pool has no other node"
	}
	return strings.Join(reasons, "; ")
}
