package sim

import (
	"fmt"
	"slices"
	"time"

	"mpp"
)

// Drills counts what the histories of a fault contained.
type Drills struct {
	Histories, Steps, Mischiefs, Restarts, Reloads int
	// Failovers and Switchovers were begun; the others are how operations ended.
	Failovers, Switchovers                            int
	Completed, RolledBack, Stopped, Abandoned         int
	Rejoins, KeptOut, Reopened, Fenced, Lossy, Proofs int
	// Unmoved are histories in which the role stayed where it was.
	Unmoved int
}

func (r *Drills) count(op *mpp.Operation) {
	switch {
	case op.Kind == mpp.OpRejoin && op.Outcome == mpp.Completed:
		r.Rejoins++
		return
	case op.Kind == mpp.OpRejoin:
		r.KeptOut++
		return
	case op.Kind == mpp.OpReopen:
		r.Reopened++
		return
	case op.Kind == mpp.OpFence:
		r.Fenced++
		return
	}
	switch op.Outcome {
	case mpp.Completed:
		r.Completed++
	case mpp.RolledBack:
		r.RolledBack++
	case mpp.Stopped:
		r.Stopped++
	default:
		r.Abandoned++
	}
	if op.LostCount > 0 {
		r.Lossy++
	}
	if op.NothingLost != "" {
		r.Proofs++
	}
}

// restFor is for how long nothing may be under way before a history ends; patience bounds the wait
// for what must come.
const (
	restFor  = 1500 * time.Millisecond
	patience = 40 * time.Second
)

// atRest reports whether nothing is under way, and what must have come has come.
func (d *drill) atRest() bool {
	if d.down || d.now.Before(d.frozenUntil.Add(2*time.Second)) || d.disk.Operation != nil || len(d.disk.Repairs) > 0 || d.now.Sub(d.watched.busy) < restFor {
		return false
	}
	if d.now.Sub(d.watched.cause) > patience {
		return true
	}
	return d.judge() == nil
}

// judge holds the end of a history against what must have come of it.
func (d *drill) judge() error {
	if d.fault.unmoved && d.watched.moves > 0 {
		return fmt.Errorf("the role has moved, and nobody has died: %s", d.state())
	}
	if d.watched.moves == 0 && d.due() {
		return fmt.Errorf("the role has not moved: %s", d.state())
	}
	if err := d.judgeWriter(); err != nil {
		return err
	}
	return d.judgeReplicas()
}

// due reports whether the role must have moved.
func (d *drill) due() bool {
	if !d.fault.certain || (d.fault.switchover && len(d.watched.switchovers) == 0) {
		return false
	}
	f := &d.policy.Failover
	old := d.servers[0]
	if f.FenceRequired && !f.Shutdown && (!f.Addresses || !old.shelled()) {
		return false
	}
	candidates := 0
	for i, s := range d.servers[1:] {
		if s.answers() && s.sql && !d.policy.Nodes[i+1].NoPromote {
			candidates++
		}
	}
	safe := f.AnyLoss || d.fault.switchover || (f.BinlogTail && old.shelled()) || (d.semi && d.semiTimeout != time.Second)
	return candidates > 0 && safe
}

// judgeWriter holds that there is a writer that clients reach, unless its server has died or
// something was stopped half-way that an operator must look at.
func (d *drill) judgeWriter() error {
	s := d.active()
	if s == nil || !s.answers() || !s.shelled() || s.stuck != "" || s.pending >= 0 {
		return nil
	}
	if len(d.disk.Unacknowledged) > 0 || d.cutOff || len(d.policy.Nodes) < len(d.servers) {
		return nil
	}
	if !s.serves() || !d.addressed(s.index) {
		return fmt.Errorf("%s is ACTIVE and answers, and clients cannot write to it: %s", s.address, d.state())
	}
	for i, other := range d.servers {
		if other != s && other.serves() && d.addressed(i) {
			return fmt.Errorf("clients can write to %s, too: %s", other.address, d.state())
		}
		if other != s && other.answers() && other.shelled() && !other.readOnly && other.stuck == "" && d.policy.Failover.Rejoin && !slices.Contains(d.keptOut(), other.address) {
			return fmt.Errorf("%s is not ACTIVE and takes writes: %s", other.address, d.state())
		}
	}
	return nil
}

// keptOut are the nodes in maintenance or the like; none in drills.
func (d *drill) keptOut() []string { return nil }

// judgeReplicas holds that every node which answers follows the writer, or is out with a reason.
func (d *drill) judgeReplicas() error {
	s := d.active()
	if s == nil || !s.answers() || !s.serves() || !d.policy.Failover.Rejoin || len(d.disk.Unacknowledged) > 0 || len(d.policy.Nodes) < len(d.servers) {
		return nil
	}
	for i, r := range d.servers {
		if r == s || !r.answers() || r.source == s.index || !r.sql {
			continue
		}
		extra := false
		for _, tx := range r.log {
			extra = extra || !s.has.has(tx)
		}
		for _, tx := range r.relay {
			extra = extra || !s.has.has(tx)
		}
		if !extra && !r.slow {
			return fmt.Errorf("%s answers and holds nothing extra, and is no replica of %s: %s", d.servers[i].address, s.address, d.state())
		}
	}
	return nil
}
