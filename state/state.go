// Package state is one node's share of the rules: the ladder from errors to status and the
// state machine UNKNOWN, STANDBY, ACTIVE, FAIL.
//
// It is pure: time is an argument, nothing is logged, and the only thing that a call changes
// is the mpp.NodeMemory that it was given. What needs to know other nodes (who is promoted,
// who steps down) is package pool's. A Machine may be used by one goroutine at a time.
//
// To test with it, make a Machine with New and a zero NodeMemory, and call Count and Enter.
package state

import (
	"fmt"
	"time"

	"mpp"
)

// Ladder says at how many errors a node's status becomes INFO, WARN, CRITICAL and FAIL.
// The numbers ascend; config checks it.
type Ladder struct {
	Info, Warn, Critical, Fail int
}

// DefaultLadder is 1, 2, 3, 4, as MPP has had since 2007.
func DefaultLadder() Ladder { return Ladder{Info: 1, Warn: 2, Critical: 3, Fail: 4} }

// Status returns the status for a number of errors in a row.
func (l Ladder) Status(errors int) mpp.Status {
	switch {
	case errors >= l.Fail:
		return mpp.Fail
	case errors >= l.Critical:
		return mpp.Critical
	case errors >= l.Warn:
		return mpp.Warn
	case errors >= l.Info:
		return mpp.Info
	default:
		return mpp.OK
	}
}

// Machine applies the ladder and the state machine to nodes.
type Machine struct {
	ladder Ladder
	table  *table
}

// New returns a Machine for a ladder.
func New(l Ladder) *Machine {
	return &Machine{ladder: l, table: newTable()}
}

// Count takes the verdict of the poll that started at at into n: it counts errors, notes
// when the row of good or failed polls began, and sets the status. It changes no state. The
// returned number is how many errors n had before.
func (m *Machine) Count(n *mpp.NodeMemory, at time.Time, v mpp.Verdict) (before int) {
	before = n.Errors
	n.LastPoll = at
	n.Failing = v.Failed
	n.Kind, n.Check, n.Message = v.Kind, v.Check, v.Message
	if v.Failed == "" {
		n.Errors, n.ReplicaErrors = 0, 0
		n.FirstMiss = time.Time{}
		if n.GoodSince.IsZero() {
			n.GoodSince = at
		}
	} else {
		n.Errors++
		if v.Failed == mpp.Replica {
			n.ReplicaErrors++
		}
		n.GoodSince = time.Time{}
		if n.FirstMiss.IsZero() {
			n.FirstMiss = at
		}
	}
	m.Rate(n, v.Status)
	return before
}

// Rate sets the status of n: the worse of the ladder and the worst check that is not FAIL. A
// change of state shows as INFO, whatever errors it counts.
// Errors that a node's copy caused do not make an ACTIVE node worse than CRITICAL: it is for
// the others to get in step with it.
func (m *Machine) Rate(n *mpp.NodeMemory, checks mpp.Status) {
	ladder := m.ladder.Status(n.Errors)
	if n.Failing == "" {
		ladder = min(ladder, mpp.Info) // errors after a good poll are those of a change of state
	}
	if n.State == mpp.Active && ladder == mpp.Fail && !m.LostActive(n) {
		ladder = mpp.Critical
	}
	n.Status = mpp.Worse(ladder, checks)
}

// Spent reports whether n has as many errors in a row as fail it.
func (m *Machine) Spent(n *mpp.NodeMemory) bool { return n.Errors >= m.ladder.Fail }

// LostActive reports whether an ACTIVE node n has failed by reach errors: replica errors do
// not count towards it, however many there were before.
func (m *Machine) LostActive(n *mpp.NodeMemory) bool {
	return n.Errors-n.ReplicaErrors >= m.ladder.Fail
}

// Change is a change of state with its reason, for Enter.
type Change struct {
	Event  Event
	At     time.Time
	Reason mpp.FailReason
	// Rule names the rule that decided and Evidence says on what ground.
	Rule, Evidence string
}

// Enter applies a change to n. A change that the machine does not allow is an error and
// changes nothing. Errors and status are the caller's to set (Shift, Rate): they depend on
// the rule.
func (m *Machine) Enter(n *mpp.NodeMemory, c Change) error {
	to, err := m.table.next(n.State, c.Event)
	if err != nil {
		return fmt.Errorf("change state of %s: %w", n.Address, err)
	}
	n.State, n.Reason = to, ""
	if to == mpp.Failed {
		n.Reason = c.Reason
	}
	n.Since, n.Rule, n.Evidence = c.At, c.Rule, c.Evidence
	return nil
}

// Mermaid draws the machine for the documentation.
func Mermaid() (string, error) { return newTable().mermaid() }
