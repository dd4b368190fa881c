package mpp

import (
	"slices"
	"time"
)

// EngineNative promotes by MPP's own means: it fences, promotes, moves the address and
// re-points the replicas itself.
const EngineNative Engine = "native"

// OperationKind says what an Operation is for.
type OperationKind string

// The kinds of operations. A pool runs at most one that moves the role (failover, switchover,
// reopen) at a time, and beside it at most one repair (fence, rejoin) a node.
const (
	// OpFailover promotes a STANDBY node because the ACTIVE one is lost.
	OpFailover OperationKind = "failover"
	// OpSwitchover promotes a STANDBY node while the ACTIVE one is alive.
	OpSwitchover OperationKind = "switchover"
	// OpReopen gives the ACTIVE node back what belongs to its role: writable after a restart
	// of its server, the address.
	OpReopen OperationKind = "reopen"
	// OpFence makes a node that is not ACTIVE stop to take writes and to hold the address.
	OpFence OperationKind = "fence"
	// OpRejoin makes a node a replica of the ACTIVE one again.
	OpRejoin OperationKind = "rejoin"
	// OpTestLinks finds out whether replicas can still receive from a silent ACTIVE node.
	OpTestLinks OperationKind = "test-links"
)

// Outcome is how an operation ended.
type Outcome string

// The outcomes; empty means that the operation is under way.
const (
	// Completed: all that matters was done; what was left undone is in the notes.
	Completed Outcome = "completed"
	// RolledBack: everything was undone and the old writer takes writes again.
	RolledBack Outcome = "rolled-back"
	// Stopped: it ended where it was safest; an operator must look at it. A failover that
	// Stopped blocks the next automatic one until it is acknowledged.
	Stopped Outcome = "stopped"
	// Abandoned: something more important took its place.
	Abandoned Outcome = "abandoned"
)

// StepKind names what a step does. docs/failover.md has the table of them.
type StepKind string

// The kinds of steps. The comment says what a step does to its Node; each is idempotent, and is
// done only when it has verified its effect. What it finds out is in its StepResult.
const (
	// StepHook runs the hooks of the phase that Step.Detail names.
	StepHook StepKind = "hook"
	// StepCheck verifies, without changing anything, that what the plan will need of the node
	// works: the failover account's login and grants, ssh, the interface, the address program.
	// It brings a Position.
	StepCheck StepKind = "check"
	// StepTestLink restarts the receiver (IO thread) of a replica and says in Alive whether it
	// connected to its source within the limit.
	StepTestLink StepKind = "test-link"
	// StepRemoveAddress takes the virtual address off the node's host.
	StepRemoveAddress StepKind = "remove-address"
	// StepAddAddress puts the virtual address on the node's host and announces it.
	StepAddAddress StepKind = "add-address"
	// StepShutdown runs the program that makes sure that the node's server or host is off.
	StepShutdown StepKind = "shutdown"
	// StepReadOnly makes the server read-only (super_read_only on MySQL), killing writers that
	// hold it up. On MariaDB the pool's `block` is applied too.
	StepReadOnly StepKind = "read-only"
	// StepWritable ends what StepReadOnly did.
	StepWritable StepKind = "writable"
	// StepAwaitTransactions waits until the transactions that are open at its start have ended.
	// It fails at its limit, naming the sessions.
	StepAwaitTransactions StepKind = "await-transactions"
	// StepStopConnections keeps new sessions of applications out: offline_mode, or by locking
	// accounts. StepAllowConnections ends that.
	StepStopConnections  StepKind = "stop-connections"
	StepAllowConnections StepKind = "allow-connections"
	// StepEndSessions kills every session but those of replication, MPP and the system.
	StepEndSessions StepKind = "end-sessions"
	// StepEventsOff stops the event scheduler; StepEventsOn starts it, and enables the events
	// that replication had disabled on this server.
	StepEventsOff StepKind = "events-off"
	StepEventsOn  StepKind = "events-on"
	// StepStopReceiver stops the receiver of a replica, not the applier, and brings the Position
	// that is final by that.
	StepStopReceiver StepKind = "stop-receiver"
	// StepStartReplica starts receiver and applier again as they are configured: the undo of
	// StepStopReceiver.
	StepStartReplica StepKind = "start-replica"
	// StepPosition reads the Position.
	StepPosition StepKind = "position"
	// StepBinlogEnd asks the node's host over ssh for the name and size of its last binary log:
	// Position.OwnLog and OwnPos. Step.Log is the server's log_bin_basename.
	StepBinlogEnd StepKind = "binlog-end"
	// StepDrain lets the applier execute everything that the replica has received.
	StepDrain StepKind = "drain"
	// StepAwaitSet waits until the node has executed Step.GTID.
	StepAwaitSet StepKind = "await-set"
	// StepCopyFrom makes the drained node a replica of Step.Peer until it has executed
	// Step.GTID, and stops its receiver then.
	StepCopyFrom StepKind = "copy-from"
	// StepBinlogTail reads over ssh, on the host of Step.Peer, what its binary log has from
	// Step.Log at Step.LogPos on, and executes on the node what it does not have. Step.Detail is
	// the Peer's log_bin_basename.
	StepBinlogTail StepKind = "binlog-tail"
	// StepPromote ends replication on the node, for good, and opens it for writes.
	StepPromote StepKind = "promote"
	// StepRepoint makes the node a replica of Step.Peer and starts it. It refuses (Refused) when
	// the node has received what it has not executed, or holds what Step.Peer does not have.
	StepRepoint StepKind = "repoint"
	// StepSaveExtra writes the transactions of Step.GTID, which only this node has, to a file on
	// the manager.
	StepSaveExtra StepKind = "save-extra"
	// StepClone replaces the node's data by a copy of Step.Peer's.
	StepClone StepKind = "clone"
	// StepSemiSync sets the semi-synchronous settings for the role in Step.Detail: "source" or
	// "replica".
	StepSemiSync StepKind = "semi-sync"
)

// StepStatus is how far a step is.
type StepStatus string

// The statuses of steps.
const (
	StepRunning StepStatus = "running"
	StepDone    StepStatus = "done"
	StepFailed  StepStatus = "failed"
	// StepSkipped: it was not needed, or nobody waits for it any more.
	StepSkipped StepStatus = "skipped"
)

// Step is one step of an operation: what to do, to whom, and what came of it. It is written to
// the journal before it is started.
type Step struct {
	// N numbers the steps of an operation from 1.
	N    int      `json:"n"`
	Kind StepKind `json:"kind"`
	// Phase is the part of the plan that the step belongs to; steps of one phase run at the
	// same time. Undo says that the step takes an earlier one back.
	Phase string `json:"phase"`
	Undo  bool   `json:"undo,omitempty"`
	// Node is the node's address; empty for hooks.
	Node string `json:"node,omitempty"`
	// Peer is the other node's address, GTID a set, Log and LogPos a place in a binary log,
	// Detail a word, for the kinds that need them.
	Peer   string `json:"peer,omitempty"`
	GTID   string `json:"gtid,omitempty"`
	Log    string `json:"log,omitempty"`
	LogPos uint64 `json:"log_pos,omitempty"`
	Detail string `json:"detail,omitempty"`
	// Limit is the longest that it may take.
	Limit time.Duration `json:"limit_ns"`
	// Optional steps may fail without ending the plan.
	Optional bool `json:"optional,omitempty"`
	// Status, Began and the rest say what came of it. Took is 0 while it runs.
	Status StepStatus    `json:"status"`
	Began  time.Time     `json:"began,omitzero"`
	Took   time.Duration `json:"took_ns,omitempty"`
	// Text is one line: what was done or found, or the error.
	Text string `json:"text,omitempty"`
	// Unreachable says of a failed step that the node or host did not answer.
	Unreachable bool `json:"unreachable,omitempty"`
	// Alive is StepTestLink's finding.
	Alive bool `json:"alive,omitempty"`
	// Position is what the steps that read one found.
	Position *Position `json:"position,omitempty"`
}

// Position is how far a server has got. Sets are in the server's own spelling, on one line;
// package gtid reads them.
type Position struct {
	// Executed is gtid_executed on MySQL; on MariaDB gtid_current_pos.
	Executed string `json:"executed"`
	// Received is what a replica has fetched, executed or not: MySQL's Retrieved_Gtid_Set (which
	// may lack what was executed long ago), MariaDB's Gtid_IO_Pos. Empty on no replica.
	Received string `json:"received,omitempty"`
	// BinlogState is MariaDB's gtid_binlog_state.
	BinlogState string `json:"binlog_state,omitempty"`
	// SourceLog and SourcePos are how far the receiver has read its source's binary log, in bytes.
	SourceLog string `json:"source_log,omitempty"`
	SourcePos uint64 `json:"source_pos,omitempty"`
	// OwnLog and OwnPos are the end of the server's own binary log, in bytes.
	OwnLog string `json:"own_log,omitempty"`
	OwnPos uint64 `json:"own_pos,omitempty"`
}

// StepResult is what came of a step that was run.
type StepResult struct {
	Operation uint64 `json:"operation"`
	// Step is the step's number.
	Step int           `json:"step"`
	Done bool          `json:"done"`
	At   time.Time     `json:"at"`
	Took time.Duration `json:"took_ns"`
	// Text is what was done or found; the error when not Done.
	Text        string    `json:"text,omitempty"`
	Unreachable bool      `json:"unreachable,omitempty"`
	Alive       bool      `json:"alive,omitempty"`
	Position    *Position `json:"position,omitempty"`
}

// Task is a step that is to be run now.
type Task struct {
	Pool      string        `json:"pool"`
	Operation uint64        `json:"operation"`
	Kind      OperationKind `json:"kind"`
	Step      Step          `json:"step"`
	// Old and New are the operation's, for logs.
	Old string `json:"old,omitempty"`
	New string `json:"new,omitempty"`
	// Report is the operation as it is now, for hooks; nil for other steps.
	Report *Operation `json:"report,omitempty"`
}

// Gate is one condition of an automatic failover, with its evidence.
type Gate struct {
	// Name is dead, witnessed, not-us, candidate, complete, calm or allowed.
	Name string `json:"name"`
	Open bool   `json:"open"`
	// Evidence is one line: why it is open, or what closes it.
	Evidence string `json:"evidence"`
}

// Candidate is a node with its place in the order of succession.
type Candidate struct {
	Address string `json:"address"`
	// Rank counts from 1; 0 means that it may not be promoted, and Why says why.
	Rank int    `json:"rank"`
	Why  string `json:"why"`
	// Missing is what the node would have to be given first, as a GTID set; empty for nothing.
	Missing string `json:"missing,omitempty"`
}

// Operation is a failover, a switchover or a repair: what was decided on which evidence, each
// step, and the outcome. It is the report, too. A published Operation is never changed.
type Operation struct {
	// ID counts the operations of a pool from 1, over restarts.
	ID   uint64        `json:"id"`
	Pool string        `json:"pool"`
	Kind OperationKind `json:"kind"`
	// By names who asked, empty when MPP decided by itself; Reason is why.
	By     string `json:"by,omitempty"`
	Reason string `json:"reason"`
	// Old is the node that loses the role, or that is repaired; New the one that gets it. New
	// may be empty until the plan has chosen. Wanted is the target that was asked for.
	Old    string `json:"old,omitempty"`
	New    string `json:"new,omitempty"`
	Wanted string `json:"wanted,omitempty"`
	// Phase is the part of the plan that is under way.
	Phase string `json:"phase"`
	// AwakeSince is when a manager that was frozen while the operation was under way went on, zero for
	// never: its steps are not given up for that time.
	AwakeSince time.Time `json:"awake_since,omitzero"`
	// FirstMiss is when the ACTIVE node first failed to answer, zero for a switchover; Began
	// when the plan started, Opened when the new node took writes, Ended when all was done.
	FirstMiss time.Time `json:"first_miss,omitzero"`
	Began     time.Time `json:"began"`
	Opened    time.Time `json:"opened,omitzero"`
	Ended     time.Time `json:"ended,omitzero"`
	Outcome   Outcome   `json:"outcome,omitempty"`
	// Why says in a sentence why it ended as it did.
	Why        string      `json:"why,omitempty"`
	Gates      []Gate      `json:"gates,omitempty"`
	Candidates []Candidate `json:"candidates,omitempty"`
	Steps      []Step      `json:"steps"`
	// Known is what the old node of a failover had executed at its last poll, as a GTID set.
	// Acknowledgers are the replicas that it waited for (semi-synchronous replication): what any
	// of them has may have been acknowledged to an application. Both are noted at the start,
	// since a manager that takes over from another cannot ask the old node any more.
	Known         string   `json:"known,omitempty"`
	Acknowledgers []string `json:"acknowledgers,omitempty"`
	// WaitsUntil is when the old node may have given up waiting for acknowledgements.
	WaitsUntil time.Time `json:"waits_until,omitzero"`
	// MustFence says that nothing is promoted unless the old node is known to be fenced, because no
	// node replicated from it that could have said whether it lives.
	MustFence bool `json:"must_fence,omitempty"`
	// Lost is the set of transactions known to be lost, LostCount their number; NothingLost is
	// the proof that none is, empty when there is no proof.
	Lost        string `json:"lost,omitempty"`
	LostCount   uint64 `json:"lost_count,omitempty"`
	NothingLost string `json:"nothing_lost,omitempty"`
	// Notes say what is left to do, such as how to bring the old node back.
	Notes []string `json:"notes,omitempty"`
	// Acknowledged is when an operator took note of a failover that Stopped.
	Acknowledged time.Time `json:"acknowledged,omitzero"`
	// Options of a switchover or rejoin.
	Options OperationOptions `json:"options,omitzero"`
}

// Clone copies the operation, so that its copy may be shown while the plan goes on; nil gives nil.
func (o *Operation) Clone() *Operation {
	if o == nil {
		return nil
	}
	c := *o
	c.Gates, c.Candidates = slices.Clone(o.Gates), slices.Clone(o.Candidates)
	c.Steps, c.Notes = slices.Clone(o.Steps), slices.Clone(o.Notes)
	c.Acknowledgers = slices.Clone(o.Acknowledgers)
	return &c
}

// OperationOptions are what an operator may say with a switchover, failover or rejoin. A zero
// duration means what the pool's configuration says.
type OperationOptions struct {
	// Wait bounds the preparation: lag of the target, long transactions.
	Wait time.Duration `json:"wait_ns,omitempty"`
	// KillAfter is how long sessions get to end their transactions.
	KillAfter time.Duration `json:"kill_after_ns,omitempty"`
	// DryRun only makes the plan.
	DryRun bool `json:"dry_run,omitempty"`
	// Clone lets a rejoin replace the node's data.
	Clone bool `json:"clone,omitempty"`
	// AcceptLoss lets a failover that an operator asks for go on over a closed gate complete.
	AcceptLoss bool `json:"accept_loss,omitempty"`
}

// AddressReport is what one look at a host found of the pool's virtual address.
type AddressReport struct {
	// Node is the node whose host was looked at.
	Node string    `json:"node"`
	At   time.Time `json:"at"`
	// Known is false when the host could not be asked; Message says why.
	Known   bool   `json:"known"`
	Message string `json:"message,omitempty"`
	// Holds says that the host has the address (all of them, where a pool has several); Some
	// that it has at least one.
	Holds bool `json:"holds"`
	Some  bool `json:"some"`
	// Cannot says why the host could not have the address: no such interface, or it is down. It is empty
	// for nothing known.
	Cannot string `json:"cannot,omitempty"`
	// Foreign is the hardware address of somebody else who answers for the address, empty for
	// nobody; it is asked for from the host that holds it.
	Foreign string `json:"foreign,omitempty"`
}

// Readiness is what would happen if the ACTIVE node died now, and what stands in the way.
type Readiness struct {
	Pool string    `json:"pool"`
	At   time.Time `json:"at"`
	// Ready says that a failover would start and nothing acknowledged would be lost, as far as
	// can be told; Summary says it in one line.
	Ready   bool   `json:"ready"`
	Summary string `json:"summary"`
	// Now are the gates as they are; IfActiveDied as they would be.
	Now          []Gate `json:"now"`
	IfActiveDied []Gate `json:"if_active_died"`
	// Candidates in order of succession, those that may not last, with the reason.
	Candidates []Candidate `json:"candidates"`
	// ExpectedLoss and ExpectedOutage are in words; LossCount is the number of transactions that
	// no replica had received at the last poll.
	ExpectedLoss   string `json:"expected_loss"`
	LossCount      uint64 `json:"loss_count"`
	ExpectedOutage string `json:"expected_outage"`
	// Blockers keep a failover from starting or make it lose data; Warnings make it worse.
	Blockers []string `json:"blockers"`
	Warnings []string `json:"warnings"`
}

// The phases that hooks can be set for, as `phases` of [[pool.hook]] names them.
const (
	HookBeforeFailover   = "before-failover"
	HookBeforePromote    = "before-promote"
	HookAfterPromote     = "after-promote"
	HookAfterFailover    = "after-failover"
	HookBeforeSwitchover = "before-switchover"
	HookAfterSwitchover  = "after-switchover"
	HookRolledBack       = "rolled-back"
	HookBeforeRejoin     = "before-rejoin"
	HookAfterRejoin      = "after-rejoin"
)
