// Package pool is the arbiter: it takes what happens to one pool, an mpp.Input at a time, and
// answers with mpp.Actions as data.
//
// It is pure: it reads no clock, no file and no socket, starts nothing and logs nothing. The
// one way in is Arbiter.Step; the ways out are the Actions it returns and the read-only
// View, Explain and Memory. An Arbiter belongs to one goroutine. The daemon, `mpp replay`
// and the simulator drive the same code.
//
// The rules that decide are in failover.go and cluster.go, one function a rule; every change
// of state carries the rule's name and its evidence. What an operator should mend is the
// catalogue in problems.go.
//
// To test with it: New with a Policy and an empty mpp.PoolMemory, then Step observations.
package pool

import (
	"time"

	"mpp"
	"mpp/plan"
	"mpp/state"
)

// Policy is a pool's configuration, as far as decisions need it.
type Policy struct {
	Name   string
	Logic  mpp.Logic
	Engine mpp.Engine
	// Nodes in configured order. New puts the PRIMARY first.
	Nodes  []NodePolicy
	Ladder state.Ladder
	// HostileTakeover lets a recovered PRIMARY take the role from an ACTIVE node.
	HostileTakeover bool
	// AutoRecover takes a FAIL node back after good polls for so long; 0 means never.
	AutoRecover time.Duration
	Readers     mpp.Readers
	// Interval is the time between polls; it is shown, and bounds "fresh".
	Interval time.Duration
	// StaleAfter is the age from which data is no longer answered as fresh.
	StaleAfter  time.Duration
	WhenStale   mpp.WhenStale
	Checkpoints []CheckpointPolicy
	// Failover is used with an engine only.
	Failover FailoverPolicy
}

// FailoverPolicy says when operations start by themselves, and how they go.
type FailoverPolicy struct {
	plan.Policy
	// Manual says that no failover starts by itself.
	Manual bool
	// Grace is a wait, counted from the first miss, before a failover starts; Cooldown the least
	// time between two.
	Grace, Cooldown time.Duration
	// Rejoin says that a node which comes back is made a replica again by itself; it is fenced in
	// any case.
	Rejoin bool
	// Failback gives the role back to a recovered PRIMARY, by a switchover.
	Failback bool
	// VirtualAddresses are shown; plan.Policy.Addresses says whether they are moved.
	VirtualAddresses []string
	// ConfirmInterval, Timeout and ConfirmTimeout are the poller's: what is told of expected
	// outages follows from them.
	ConfirmInterval, Timeout, ConfirmTimeout time.Duration
	// Block is "read_only", "revoke" or "lock": what keeps privileged accounts of MariaDB from
	// writing to a node that is not ACTIVE.
	Block string
}

// NodePolicy is a node's configuration.
type NodePolicy struct {
	Address string
	// Name is a label for people, empty for none.
	Name string
	Type mpp.Type
	// NoPromote keeps the node from ever becoming ACTIVE by itself or by command.
	NoPromote bool
	// Prefer puts nodes of one type in order for an engine, the higher first; Host says that
	// commands can be run on the node's host.
	Prefer int
	Host   bool
}

// CheckpointPolicy is a checkpoint's configuration.
type CheckpointPolicy struct {
	Name    string
	Ring    mpp.Ring
	Kind    string
	Address string
}
