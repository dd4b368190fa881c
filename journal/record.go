package journal

import (
	"time"

	"mpp"
)

// Record is what one input did: the input, and the memory and events that came of it. All
// parts but Seq and At may be absent.
type Record struct {
	// Seq numbers records from 1 without gaps; Append sets it.
	Seq uint64 `json:"seq"`
	// At is when the input arrived.
	At time.Time `json:"at"`
	// Pool is the pool that Nodes, PoolMemory, Removed and PoolRemoved are about; empty for
	// records about the daemon.
	Pool string `json:"pool,omitempty"`
	// Input is what was stepped, nil when it was something else (a reload, say).
	Input *mpp.Input `json:"input,omitempty"`
	// PoolRemoved says that the pool is gone; it is applied before the rest.
	PoolRemoved bool `json:"pool_removed,omitempty"`
	// PoolMemory is the pool's own memory. Nil Nodes in it leave the nodes alone; Nodes that
	// are not nil, even empty ones, replace all nodes.
	PoolMemory *mpp.PoolMemory `json:"pool_memory,omitempty"`
	// Removed lists addresses of nodes that are gone; it is applied before Nodes.
	Removed []string `json:"removed,omitempty"`
	// Nodes holds the whole memory of each node that changed.
	Nodes []mpp.NodeMemory `json:"nodes,omitempty"`
	// Events are numbered (Seq is not 0) by the caller.
	Events []mpp.Event `json:"events,omitempty"`
	// Note is for people.
	Note string `json:"note,omitempty"`
	// Closed marks the last record of a daemon that stopped in order; Close writes it.
	Closed bool `json:"closed,omitempty"`
}

// Uncertain is something whose last record may lie in a gap of the journal.
type Uncertain struct {
	// Pool is the pool's name; Node the node's address, empty for the pool's own memory.
	Pool string `json:"pool"`
	Node string `json:"node,omitempty"`
	// Why names the gap.
	Why string `json:"why"`
	// LastKnown is what the node was before the gap; zero for the pool's own memory, which is
	// in Restored.Pools as it was before the gap.
	LastKnown mpp.NodeMemory `json:"last_known,omitzero"`
}

// Restored is what a journal gave back.
type Restored struct {
	// Fresh says that there was no journal.
	Fresh bool
	// Clean says that the last daemon stopped in order and nothing is damaged; true when Fresh.
	Clean bool
	// Pools is what is remembered, by pool name. Nodes in Uncertain are UNKNOWN in it.
	Pools map[string]mpp.PoolMemory
	// Events are the last ones, oldest first, at most Options.EventsKept.
	Events []mpp.Event
	// NextEventSeq is the number for the next event, 1 when there was none. When events were
	// lost at the damaged end of a journal, their numbers are given out again.
	NextEventSeq uint64
	// LastSeq is the number of the last record that was read or is known to be lost, 0 for
	// none; LastAt is the At of the last one that was read.
	LastSeq uint64
	LastAt  time.Time
	// Damage says for people what is missing or unreadable, a sentence each; Notes says what
	// was put in order without loss, such as a last record that was cut short.
	Damage []string
	Notes  []string
	// Uncertain lists the nodes and pools whose memory may be out of date, in order of pool
	// and node.
	Uncertain []Uncertain
}
