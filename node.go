package mpp

import (
	"strings"
	"time"
)

// Type is a node's rank in its pool: one PRIMARY first, then SECONDARY in configured order.
type Type string

// The types of a node.
const (
	Primary   Type = "PRIMARY"
	Secondary Type = "SECONDARY"
)

// State is what a node is for.
type State string

// The states of a node (docs/architecture.md shows the machine).
const (
	// Unknown nodes have not been judged yet.
	Unknown State = "UNKNOWN"
	// Active nodes take writes.
	Active State = "ACTIVE"
	// Standby nodes are ready to take over.
	Standby State = "STANDBY"
	// Failed nodes are out; a FailReason says why.
	Failed State = "FAIL"
)

// FailReason says how a node in state FAIL looks from outside; it is empty in other states.
type FailReason string

// The reasons of state FAIL.
const (
	// Online: the server answers, but its copy of the data is not to be trusted.
	Online FailReason = "ONLINE"
	// Offline: the node cannot serve.
	Offline FailReason = "OFFLINE"
)

// Logic names how a pool picks its writers.
type Logic string

// The logics of a pool.
const (
	// LogicFailover keeps exactly one ACTIVE node.
	LogicFailover Logic = "failover"
	// LogicCluster makes every healthy member ACTIVE (Galera, Group Replication, NDB).
	LogicCluster Logic = "cluster"
)

// Engine names how a promotion is carried out.
type Engine string

// EngineNone leaves the move of the traffic to a load balancer that asks MPP.
const EngineNone Engine = "none"

// Readers says which nodes of a pool answer for the reader role.
type Readers string

// The choices for a pool's readers.
const (
	// ReadersStandby: STANDBY nodes only.
	ReadersStandby Readers = "standby"
	// ReadersStandbyElseActive: STANDBY nodes, and the ACTIVE one while no STANDBY can serve.
	ReadersStandbyElseActive Readers = "standby_else_active"
	// ReadersAll: STANDBY and ACTIVE nodes.
	ReadersAll Readers = "all"
)

// Maintenance keeps MPP from changing anything by itself. The zero value means none.
type Maintenance struct {
	// On says whether the maintenance is in force.
	On bool `json:"on"`
	// Since is when it was asked for.
	Since time.Time `json:"since,omitzero"`
	// Until is when it ends by itself; zero means not before it is ended by command.
	Until time.Time `json:"until,omitzero"`
	// Reason is what the operator gave.
	Reason string `json:"reason,omitempty"`
	// By names who asked.
	By string `json:"by,omitempty"`
}

// InForce reports whether the maintenance is in force at now.
func (m Maintenance) InForce(now time.Time) bool {
	return m.On && (m.Until.IsZero() || now.Before(m.Until))
}

// Text is the state with the reason of FAIL, such as FAIL (OFFLINE); r is empty in other states.
func (s State) Text(r FailReason) string {
	if r == "" {
		return string(s)
	}
	return string(s) + " (" + string(r) + ")"
}

// TrackFile names the file of a node that keepalived watches, without the role that follows
// it: POOL.NODE, with _ for what a name of a file should not hold. Two nodes of one name cannot
// both have a file; config refuses them.
func TrackFile(pool, node string) string {
	return pool + "." + strings.Map(func(c rune) rune {
		switch c {
		case ':', '/', '%':
			return '_'
		case '[', ']':
			return -1
		default:
			return c
		}
	}, node)
}
