// Package plan decides what an operation does next: failover, switchover, and the repairs of
// single nodes. It is the pure half of promotion; package action carries the steps out.
//
// An operation is an mpp.Operation that goes through the phases of its script (failover.go,
// switchover.go, repair.go). The steps of a phase run at the same time; when all have ended,
// the phase's own function looks at what they found and names the next phase, or the end.
// Advance is the one way in. Everything it needs to go on is in the Operation itself, so that a
// manager which died half-way goes on from its journal.
//
// It reads no clock and starts nothing. To test with it, play an operation against invented
// results: Begin, then Take and Advance, as the tests here and package sim do.
package plan

import (
	"fmt"
	"time"

	"mpp"
	"mpp/gtid"
)

// Policy is what the configuration says about operations.
type Policy struct {
	// FenceRequired says that nothing is promoted unless the old node is known to be fenced.
	FenceRequired bool
	// FenceTimeout bounds each fencing step, ApplyTimeout the execution of what the candidate has
	// received, StepTimeout every other step.
	FenceTimeout, ApplyTimeout, StepTimeout time.Duration
	// MaxLoss is how many transactions may be known lost; AnyLoss says that it does not matter.
	MaxLoss uint64
	AnyLoss bool
	// BinlogTail says to read the dead host's binary log over ssh.
	BinlogTail bool
	// Addresses says that there is a virtual address to move, Shutdown that there is a program
	// that turns the old node off.
	Addresses, Shutdown bool
	// ShutdownTimeout bounds that program.
	ShutdownTimeout time.Duration
	// Events says that EVENTs follow the role, ManageSemiSync that semi-sync settings do.
	Events, ManageSemiSync bool
	// Hooks are the phases that have hooks, with the time that those may take.
	Hooks map[string]time.Duration
	// Wait bounds the wait for lag before a switchover, KillAfter that for open transactions.
	Wait, KillAfter time.Duration
	// RefuseLongTransactions ends a switchover when a transaction outlasts KillAfter.
	RefuseLongTransactions bool
	// MaxLag is the lag up to which a switchover's target need not be waited for.
	MaxLag time.Duration
	// StopConnections is "", "offline_mode" or "lock".
	StopConnections string
}

// Node is a node as the plan sees it.
type Node struct {
	Address string
	Type    mpp.Type
	Prefer  int
	// Host says that commands can be run on the node's host.
	Host  bool
	State mpp.State
	// Barred says why the node must not be promoted whatever its data is, "" for nothing:
	// no_promote, maintenance, state, a failed poll, an unfit copy.
	Barred string
	// Forbidden says why the operator does not want it promoted (no_promote, maintenance), "" for
	// nothing; Barred says so, too.
	Forbidden string
	// Held says that the node is in maintenance: what is stopped there stays stopped.
	Held bool
	// Errant are transactions that only this node has, "" for none known.
	Errant string
	// Acknowledgers are the replicas that it waited for, of a node that was not heard since mppd
	// started, as they are remembered.
	Acknowledgers []string
	// Answers says that its server said something of itself at its last poll, however that ended.
	Answers bool
	// Reachable says that its last poll got an answer; LostAt is when its present row of polls
	// without one began, zero while it answers.
	Reachable bool
	LostAt    time.Time
	// NoAddress says why its host could not have the virtual address, "" for nothing known.
	NoAddress string
	// AskedAt is when its last poll ended, however that did, zero for none.
	AskedAt time.Time
	// Trouble is what kept its last poll from reaching it, empty for nothing.
	Trouble mpp.Kind
	// TestLink says that the node is to try whether it can connect to the ACTIVE one.
	TestLink bool
	// Observation is the last poll that brought the server's own words, nil for none. For a
	// dead node that is the last one before its death.
	Observation *mpp.Observation
}

// Facts are what is known of a pool at one moment.
type Facts struct {
	Pool   string
	Policy Policy
	// Active is the ACTIVE node's address, empty for none.
	Active string
	// Nodes in pool order: PRIMARY first, then SECONDARY in configured order.
	Nodes []Node
}

// node returns a node, nil when the pool does not have it.
func (f *Facts) node(address string) *Node {
	for i := range f.Nodes {
		if f.Nodes[i].Address == address {
			return &f.Nodes[i]
		}
	}
	return nil
}

// position is how far the node was at its last poll.
func (n *Node) position() mpp.Position {
	if n == nil || n.Observation == nil {
		return mpp.Position{}
	}
	p := mpp.Position{Executed: n.Observation.Server.GTID, BinlogState: n.Observation.Server.BinlogState}
	if c := Channel(n.Observation); c != nil {
		p.Received, p.SourceLog, p.SourcePos = c.Received, c.SourceLog, c.SourcePos
	}
	return p
}

// Channel is the channel by which a server belongs to its pool, where that cannot be told by its source:
// the one without a name, else the first; nil for none. Steps choose in the same way.
func Channel(o *mpp.Observation) *mpp.Channel {
	if o == nil || len(o.Channels) == 0 {
		return nil
	}
	for i := range o.Channels {
		if o.Channels[i].Name == "" {
			return &o.Channels[i]
		}
	}
	return &o.Channels[0]
}

// CaughtUp reports whether a server has executed everything that it has received, and goes on doing so.
func CaughtUp(o *mpp.Observation) bool {
	c := Channel(o)
	if c == nil || c.SQL != "Yes" || c.Received == "" {
		return false
	}
	n := Node{Observation: o}
	done, err := executed(n.flavour(), n.position())
	if err != nil {
		return false
	}
	received, err := gtid.Parse(n.flavour(), c.Received)
	return err == nil && done.Contains(received)
}

// flavour is the node's product, empty when it is not known.
func (n *Node) flavour() string {
	if n == nil || n.Observation == nil {
		return ""
	}
	return n.Observation.Server.Flavour
}

// settings are the node's, nil when they are not known.
func (n *Node) settings() *mpp.Settings {
	if n == nil || n.Observation == nil {
		return nil
	}
	return n.Observation.Server.Settings
}

// heard reports whether the server can be asked: it answered its last poll, or said something of itself
// although that failed.
func (n *Node) heard() bool { return n.Reachable || n.Answers }

// delayed reports whether the node is kept behind on purpose: it cannot take over soon.
func (n *Node) delayed() bool {
	c := Channel(n.Observation)
	return c != nil && c.Delay > 0
}

// keptBack says why a node that is kept behind on purpose cannot have executed in time what it has received,
// "" when it can.
func (n *Node) keptBack(limit time.Duration) string {
	if !n.delayed() || Channel(n.Observation).Delay <= limit {
		return ""
	}
	return fmt.Sprintf("it is kept %s behind on purpose, and apply_timeout is %s: it could not take over in time", Channel(n.Observation).Delay, limit)
}

// stopped reports whether somebody has stopped the node's receiver.
func (n *Node) stopped() bool {
	c := Channel(n.Observation)
	return c != nil && c.IO == "No" && c.IOErrno == 0
}

// lag is how far the node was behind at its last poll, in time; unknown counts as none.
func (n *Node) lag() time.Duration {
	if n == nil || n.Observation == nil || !n.Observation.LagKnown {
		return 0
	}
	return n.Observation.Lag
}

// mariadb is the flavour whose positions do not tell who wrote what: its gtid_binlog_state does.
const mariadb = "mariadb"

// whole is everything that a server at p has, executed or received.
func whole(flavour string, p mpp.Position) (gtid.Set, error) {
	done, err := executed(flavour, p)
	if err != nil {
		return gtid.Set{}, err
	}
	received, err := gtid.Parse(flavour, p.Received)
	if err != nil {
		return gtid.Set{}, err
	}
	return done.Union(received), nil
}

// executed is everything that a server at p has executed. MariaDB's gtid_current_pos leaves out
// what its binary log has under another server id than its present one.
func executed(flavour string, p mpp.Position) (gtid.Set, error) {
	done, err := gtid.Parse(flavour, p.Executed)
	if err != nil || flavour != mariadb {
		return done, err
	}
	state, err := gtid.ParseState(p.BinlogState)
	if err != nil {
		return gtid.Set{}, err
	}
	return done.Union(state.Position()), nil
}

// ends is where a node that takes the writes ends, as its replicas can wait for it.
func (s *scene) ends(node string) string {
	p := s.position(node)
	if s.f.node(node).flavour() == mariadb {
		if state, err := gtid.ParseState(p.BinlogState); err == nil && !state.IsEmpty() {
			return state.Position().String()
		}
	}
	return p.Executed
}
