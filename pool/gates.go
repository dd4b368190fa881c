package pool

import (
	"fmt"
	"strings"
	"time"

	"mpp"
	"mpp/plan"
)

// outage is the situation that gates are asked about: the loss of the ACTIVE node, as it is now
// or as it would be.
type outage struct {
	a   *Arbiter
	now time.Time
	// active is the ACTIVE node, nil when there is none.
	active *node
	// imagined says that active is assumed to be dead: its process gone, everybody else as now.
	imagined bool
	facts    *plan.Facts
	ranked   []mpp.Candidate // see ranking
}

func (a *Arbiter) outage(now time.Time, imagined bool) *outage {
	o := &outage{a: a, now: now, active: a.activeNode(), imagined: imagined, facts: a.facts(now)}
	if o.active != nil && imagined {
		a.compareFairly(o.facts, o.active)
	}
	return o
}

// ranking is the order of succession. It is made when it is first asked for: most of the time, an
// earlier gate is closed.
func (o *outage) ranking() []mpp.Candidate {
	if o.ranked == nil {
		old := ""
		if o.active != nil {
			old = o.active.policy.Address
		}
		o.ranked = plan.Rank(o.facts, old, nil, nil)
	}
	return o.ranked
}

// open reports whether every gate is open; it asks no further than the first that is not.
func (o *outage) open() bool {
	for _, k := range gateKinds() {
		if open, _ := k.ask(o); !open {
			return false
		}
	}
	return true
}

// compareFairly takes the ACTIVE node's last poll but one where a replica was not polled since
// the last: what was written in between is no loss.
func (a *Arbiter) compareFairly(f *plan.Facts, active *node) {
	if active.spoke == nil || active.spokeBefore == nil {
		return
	}
	for _, n := range a.nodes {
		if n == active || n.spoke == nil || n.mem.Failing == mpp.Reach || n.spoke.At.After(active.spoke.At.Add(active.spoke.Took)) {
			continue
		}
		for i := range f.Nodes {
			if f.Nodes[i].Address == active.policy.Address {
				f.Nodes[i].Observation = active.spokeBefore
			}
		}
		return
	}
}

// gateKind is one condition of an automatic failover: a name and a predicate that returns
// whether it is open, and the evidence.
type gateKind struct {
	name string
	ask  func(o *outage) (open bool, evidence string)
}

// gateKinds lists the gates, in the order in which they are shown. All must be open.
func gateKinds() []gateKind {
	return []gateKind{
		{"dead", gateDead},
		{"witnessed", gateWitnessed},
		{"not-us", gateNotUs},
		{"candidate", gateCandidate},
		{"complete", gateComplete},
		{"calm", gateCalm},
		{"allowed", gateAllowed},
	}
}

// gates asks every gate.
func (o *outage) gates() []mpp.Gate {
	var list []mpp.Gate
	for _, k := range gateKinds() {
		open, evidence := k.ask(o)
		list = append(list, mpp.Gate{Name: k.name, Open: open, Evidence: evidence})
	}
	return list
}

// closed returns the first gate that is closed, nil when all are open.
func closed(gates []mpp.Gate) *mpp.Gate {
	for i := range gates {
		if !gates[i].Open {
			return &gates[i]
		}
	}
	return nil
}

// gateDead: the ACTIVE node reached FAIL by reach errors, and grace is over.
func gateDead(o *outage) (bool, string) {
	n := o.active
	switch {
	case n == nil:
		return false, "no node is ACTIVE"
	case o.imagined:
		return true, "assumed"
	case n.observation == nil:
		return false, n.policy.Address + " was not polled yet since mppd started"
	case n.mem.Failing != mpp.Reach:
		return false, n.policy.Address + " answers"
	case !o.a.machine.Spent(&n.mem) || !o.a.machine.LostActive(&n.mem):
		return false, fmt.Sprintf("%s failed %d polls in a row, %d make it dead: %s", n.policy.Address, n.mem.Errors, o.a.policy.Ladder.Fail, n.mem.Message)
	}
	if left := n.mem.FirstMiss.Add(o.a.policy.Failover.Grace).Sub(o.now); o.a.policy.Failover.Grace > 0 && left > 0 {
		return false, fmt.Sprintf("%s is lost; grace has %s left", n.policy.Address, left.Round(100*time.Millisecond))
	}
	return true, fmt.Sprintf("%s failed %d polls in a row since %s: %s", n.policy.Address, n.mem.Errors, clock(n.mem.FirstMiss), n.mem.Message)
}

func clock(t time.Time) string { return t.Format("15:04:05.000") }

// gateNotUs: the checkpoints say that this poller is not the one that is cut off.
func gateNotUs(o *outage) (bool, string) {
	switch {
	case o.a.head.CutOff:
		return false, "this poller is cut off: " + o.a.silentCheckpoints()
	case !o.imagined && o.active != nil && o.a.wantsCheckpoint(o.active):
		return false, "no checkpoint has answered since the first miss: " + o.a.silentCheckpoints()
	case len(o.a.points) == 0:
		return true, "there are no checkpoints; the replicas that answer show that this poller is not cut off"
	default:
		return true, "a checkpoint answers"
	}
}

// gateCandidate: at least one node may be promoted.
func gateCandidate(o *outage) (bool, string) {
	for _, c := range o.ranking() {
		if c.Rank > 0 && o.wouldWait(c.Address) {
			return false, fmt.Sprintf("commits would wait for an acknowledgement on %s, too: nobody is left to give one", c.Address)
		}
		if c.Rank > 0 {
			return true, fmt.Sprintf("%s would be promoted (%s)", c.Address, c.Why)
		}
	}
	var why []string
	for _, c := range o.ranking() {
		why = append(why, c.Address+": "+c.Why)
	}
	if len(why) == 0 {
		return false, "the pool has no other node"
	}
	return false, "no node may be promoted: " + strings.Join(why, "; ")
}

// wouldWait reports whether commits hang for want of a replica that acknowledges, and would hang on
// the next node as well.
func (o *outage) wouldWait(address string) bool {
	if o.imagined || o.active == nil || o.active.mem.Kind != mpp.KindSemiSyncWait {
		return false
	}
	n := o.a.index[address]
	if n == nil || n.spoke == nil || n.spoke.Server.Settings == nil || !n.spoke.Server.Settings.SemiSyncSource {
		return false
	}
	return !plan.Acknowledged(o.facts, address)
}

// gateComplete: everything that is known is on the candidate or can be brought there.
func gateComplete(o *outage) (bool, string) {
	if o.active == nil {
		return false, "no node is ACTIVE"
	}
	loss := o.loss()
	switch {
	case loss.unknown && !o.a.policy.Failover.AnyLoss && !o.tailReadable():
		return false, loss.text
	case loss.unknown:
		return true, loss.text
	case loss.count == 0:
		return true, loss.text
	case o.a.policy.Failover.AnyLoss || loss.count <= o.a.policy.Failover.MaxLoss:
		return true, loss.text + ", which max_loss allows"
	case o.tailReadable():
		return true, loss.text + "; they would be read from its host over ssh, or the failover stops before the promotion"
	default:
		return false, fmt.Sprintf("%s, and max_loss is %d", loss.text, o.a.policy.Failover.MaxLoss)
	}
}

// tailReadable reports whether the plan would try to read the dead host's binary log.
func (o *outage) tailReadable() bool {
	return o.a.policy.Failover.BinlogTail && o.active.policy.Host
}

// expected is the loss that there would be.
type expected struct {
	count uint64
	// unknown says that what was acknowledged may be lost, and that it cannot be counted.
	unknown bool
	text    string
}

// loss compares what the ACTIVE node last said with what the others have.
func (o *outage) loss() expected {
	old := o.active.policy.Address
	if unasked := plan.Unasked(o.facts, old); len(unasked) > 0 {
		return expected{unknown: true, text: fmt.Sprintf("%s acknowledges commits of %s and cannot be asked: what was acknowledged may be there alone",
			strings.Join(unasked, ", "), old)}
	}
	if kept, who := plan.Withheld(o.facts, old); !kept.IsEmpty() {
		return expected{count: kept.Count(), text: fmt.Sprintf("%d transactions of %s are only on %s, which cannot give them because it has transactions of its own (%s)",
			kept.Count(), old, strings.Join(who, ", "), kept.String())}
	}
	if promise := plan.Promise(o.now, o.facts, old); promise != "" {
		return expected{text: "nothing that was acknowledged: " + promise}
	}
	lost, err := plan.KnownMissing(o.facts, old)
	switch {
	case err != nil:
		return expected{count: 1, text: "it cannot be told what would be lost: " + err.Error()}
	case o.active.spoke == nil:
		return expected{text: "nothing that is known: " + old + " was not heard since mppd started"}
	case lost.IsEmpty():
		return expected{text: "nothing that was there at its last poll; what it acknowledged since may be lost (no semi-synchronous replication)"}
	default:
		return expected{count: lost.Count(), text: fmt.Sprintf("%d transactions are on %s alone (%s)", lost.Count(), old, lost.String())}
	}
}

// gateCalm: no failover within cooldown, none unacknowledged that stopped half-way.
func gateCalm(o *outage) (bool, string) {
	h := &o.a.head
	if len(h.Unacknowledged) > 0 {
		return false, fmt.Sprintf("failover %d stopped half-way and nobody has acknowledged it: mpp failovers show %d, then mpp failovers ack %d",
			h.Unacknowledged[0], h.Unacknowledged[0], h.Unacknowledged[0])
	}
	// A failover of the future is one before the clock was set back.
	if since := o.now.Sub(h.LastFailover); !h.LastFailover.IsZero() && since >= 0 && since < o.a.policy.Failover.Cooldown {
		return false, fmt.Sprintf("the last failover was %s ago, cooldown is %s", since.Round(time.Second), o.a.policy.Failover.Cooldown)
	}
	return true, "no failover stopped half-way"
}

// gateAllowed: nobody said that MPP must not.
func gateAllowed(o *outage) (bool, string) {
	switch {
	case o.a.policy.Failover.Manual:
		return false, "mode = \"manual\": mpp failover " + o.a.policy.Name + " starts it"
	case o.a.rivalText() != "":
		return false, o.a.rivalText()
	case o.a.unrecorded != "":
		return false, "the journal cannot be written, and a restart would forget who was promoted: " + o.a.unrecorded
	case o.a.head.Maintenance.InForce(o.now):
		return false, "the pool is in maintenance until " + endOf(o.a.head.Maintenance)
	case o.active != nil && o.active.mem.Maintenance.InForce(o.now):
		return false, o.active.policy.Address + " is in maintenance until " + endOf(o.active.mem.Maintenance)
	case o.a.roleBusy():
		return false, fmt.Sprintf("operation %d (%s) is under way", o.a.head.Operation.ID, o.a.head.Operation.Kind)
	default:
		return true, "mode = \"auto\""
	}
}

// roleBusy reports whether an operation moves the role now and has not moved it yet: what comes
// after is no reason to wait when the new node dies, too. Neither are preparations, nor what gives
// the ACTIVE node back what belongs to it.
func (a *Arbiter) roleBusy() bool {
	op := a.head.Operation
	return op != nil && !plan.Opened(op) && !plan.Preparing(op) && op.Kind != mpp.OpReopen
}
