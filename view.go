package mpp

import (
	"fmt"
	"time"
)

// Evaluation says in one word what a node may be used for.
type Evaluation string

// The evaluations.
const (
	ReadWrite Evaluation = "READ-WRITE"
	ReadOnly  Evaluation = "READ-ONLY"
	Down      Evaluation = "DOWN"
)

// Role is what a load balancer asks a node about.
type Role string

// The roles.
const (
	// RoleWriter: may this node take writes?
	RoleWriter Role = "writer"
	// RoleReader: may this node serve reads?
	RoleReader Role = "reader"
	// RoleOK: is this node well, whatever it is for?
	RoleOK Role = "ok"
)

// WhenStale says what is answered when the data is too old.
type WhenStale string

// The choices for stale data.
const (
	// StaleDown answers DOWN.
	StaleDown WhenStale = "down"
	// StaleLastKnown answers what was last known, and says so.
	StaleLastKnown WhenStale = "last_known"
)

// View is the whole of what MPP knows at one moment. It is read-only.
type View struct {
	// At is when the view was made.
	At time.Time `json:"at"`
	// Version is the daemon's.
	Version string `json:"version"`
	// Started is when the daemon started; Ready says that every node was polled since.
	Started time.Time `json:"started"`
	Ready   bool      `json:"ready"`
	// Config names the file or folder in force, and ConfigError the mistake of the last
	// reload, empty when it was taken.
	Config      string `json:"config"`
	ConfigError string `json:"config_error,omitempty"`
	// JournalError says why nothing can be written to the journal, empty while it can.
	JournalError string `json:"journal_error,omitempty"`
	// FilesError says why answers in files (state files, track files) cannot be written, empty
	// while they can.
	FilesError string     `json:"files_error,omitempty"`
	Pools      []PoolView `json:"pools"`
}

// PoolView is a pool as it is shown.
type PoolView struct {
	Name   string `json:"name"`
	Logic  Logic  `json:"logic"`
	Engine Engine `json:"engine"`
	// Status is OK or FAIL; FAIL says that this poller is cut off.
	Status Status `json:"status"`
	// Trouble is LAN, WAN or GLOBAL, empty for none.
	Trouble string `json:"trouble,omitempty"`
	// Ready says that every node was polled since the daemon started.
	Ready bool `json:"ready"`
	// Message is one line: the worst thing to know about the pool now.
	Message string `json:"message,omitempty"`
	// Active is the address of the ACTIVE node of a failover pool, empty for none.
	Active      string        `json:"active,omitempty"`
	Maintenance Maintenance   `json:"maintenance,omitzero"`
	Readers     Readers       `json:"readers"`
	StaleAfter  time.Duration `json:"stale_after_ns"`
	WhenStale   WhenStale     `json:"when_stale"`
	Interval    time.Duration `json:"interval_ns"`
	// Policy is the rest of the pool's rules, so that a recording can be replayed under them.
	Policy      PolicyView       `json:"policy"`
	Problems    []Problem        `json:"problems"`
	Nodes       []NodeView       `json:"nodes"`
	Checkpoints []CheckpointView `json:"checkpoints"`
	// Operation is the failover or switchover under way, nil for none; Repairs are those of single
	// nodes. They are there in pools with an engine only, as is Readiness.
	Operation *Operation   `json:"operation,omitempty"`
	Repairs   []*Operation `json:"repairs,omitempty"`
	Readiness *Readiness   `json:"readiness,omitempty"`
	// Addresses are the pool's virtual addresses, with their prefix; empty for none.
	Addresses []string `json:"virtual_addresses,omitempty"`
}

// PolicyView shows the rules of a pool.
type PolicyView struct {
	// Ladder holds the numbers of errors for INFO, WARN, CRITICAL and FAIL.
	Ladder          [4]int `json:"ladder"`
	HostileTakeover bool   `json:"hostile_takeover"`
	// AutoRecover is 0 when a FAIL node is taken back by command only.
	AutoRecover time.Duration `json:"auto_recover_ns"`
}

// Problem is something that an operator should mend, from the catalogue in package pool.
type Problem struct {
	// Code names it, such as "two-writable".
	Code     string `json:"code"`
	Severity Status `json:"severity"`
	// Node is the node it is about, empty for the pool.
	Node string `json:"node,omitempty"`
	Text string `json:"text"`
}

// NodeView is a node as it is shown.
type NodeView struct {
	Address string `json:"address"`
	// Name is the node's label, empty when it has none.
	Name   string     `json:"name,omitempty"`
	Pool   string     `json:"pool"`
	Type   Type       `json:"type"`
	State  State      `json:"state"`
	Reason FailReason `json:"reason,omitempty"`
	Status Status     `json:"status"`
	Errors int        `json:"errors"`
	// Evaluation is what the node may be used for; EvaluationReason says why.
	Evaluation       Evaluation `json:"evaluation"`
	EvaluationReason string     `json:"evaluation_reason"`
	// Reader says whether the node answers for the reader role.
	Reader bool `json:"reader"`
	// Since is when State was entered; LastPoll when the last poll started, zero for never.
	Since    time.Time `json:"since,omitzero"`
	LastPoll time.Time `json:"last_poll,omitzero"`
	// Took is how long the last poll lasted.
	Took time.Duration `json:"took_ns"`
	// Message is the last thing worth saying about the node.
	Message string `json:"message,omitempty"`
	// Rule and Evidence say which rule made State, and on what ground.
	Rule        string      `json:"rule,omitempty"`
	Evidence    string      `json:"evidence,omitempty"`
	NoPromote   bool        `json:"no_promote,omitempty"`
	Lane        Lane        `json:"lane"`
	Maintenance Maintenance `json:"maintenance,omitzero"`
	// Observation is the last poll, nil before the first one since the daemon started.
	Observation *Observation `json:"observation,omitempty"`
	// VirtualAddress is the last look at the node's host for the pool's virtual address, nil
	// when there is none or nobody looked yet.
	VirtualAddress *AddressReport `json:"virtual_address,omitempty"`
}

// CheckpointView is a checkpoint as it is shown.
type CheckpointView struct {
	Name    string `json:"name"`
	Ring    Ring   `json:"ring"`
	Kind    string `json:"kind"`
	Address string `json:"address"`
	// Status is OK or FAIL; INFO means not tried yet.
	Status  Status    `json:"status"`
	LastTry time.Time `json:"last_try,omitzero"`
	Message string    `json:"message,omitempty"`
}

// Answer is what a load balancer is told about a node.
type Answer struct {
	// Up is the answer.
	Up bool `json:"up"`
	// Reason says why, in one line.
	Reason string `json:"reason"`
	// Stale says that the data is older than the pool's stale_after.
	Stale bool `json:"stale"`
	// Age is how old the data is.
	Age time.Duration `json:"age_ns"`
}

// Answer answers role for node n of pool p at now. Data older than stale_after, or a node
// that was never polled, is DOWN, unless the pool says last_known. A status of FAIL, a pool
// that is cut off, and a state that does not fit the role are DOWN too.
func (p *PoolView) Answer(n *NodeView, role Role, now time.Time) Answer {
	a := Answer{Age: now.Sub(n.LastPoll)}
	if n.LastPoll.IsZero() || n.Observation == nil {
		return Answer{Stale: true, Reason: "not polled yet since mppd started"}
	}
	a.Up, a.Reason = n.fresh(role)
	if a.Age <= p.StaleAfter { // a poll of this run: ages are of the monotonic clock
		return a
	}
	a.Stale = true
	age := a.Age.Round(time.Millisecond)
	if p.WhenStale == StaleLastKnown {
		a.Reason = fmt.Sprintf("last known, %s old: %s", age, a.Reason)
		return a
	}
	a.Up = false
	a.Reason = fmt.Sprintf("stale: last poll %s ago, limit %s", age, p.StaleAfter)
	return a
}

// fresh answers role from the evaluation alone, as if the data were fresh.
func (n *NodeView) fresh(role Role) (up bool, reason string) {
	switch role {
	case RoleWriter:
		return n.Evaluation == ReadWrite, n.EvaluationReason
	case RoleReader:
		return n.Reader, n.EvaluationReason
	case RoleOK:
		return n.Evaluation != Down, n.EvaluationReason
	default:
		return false, fmt.Sprintf("unknown role %q: writer, reader or ok", role)
	}
}

// Explanation is why a pool is as it is, and what would happen next.
type Explanation struct {
	Pool string    `json:"pool"`
	At   time.Time `json:"at"`
	// Summary is one line.
	Summary string `json:"summary"`
	// Nodes explains each node, in pool order.
	Nodes []NodeExplanation `json:"nodes"`
	// IfActiveDied says what would happen if the ACTIVE node died now, a line a step.
	IfActiveDied []string  `json:"if_active_died"`
	Problems     []Problem `json:"problems"`
	// Readiness is set in pools with an engine.
	Readiness *Readiness `json:"readiness,omitempty"`
}

// NodeExplanation is why a node is what it is.
type NodeExplanation struct {
	Address string `json:"address"`
	Type    Type   `json:"type"`
	State   State  `json:"state"`
	// Why is how it came to its state; Now what its last poll said; Next what would change it.
	Why  string `json:"why"`
	Now  string `json:"now"`
	Next string `json:"next"`
}
