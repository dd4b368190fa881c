package mpp

import "time"

// Verb is what a command asks for.
type Verb string

// The verbs of commands.
const (
	// VerbRecover takes a FAIL node (or all of a pool) back to UNKNOWN.
	VerbRecover Verb = "recover"
	// VerbActivatePrimary makes the PRIMARY the ACTIVE node.
	VerbActivatePrimary Verb = "activate-primary"
	// VerbPromote makes a STANDBY node the ACTIVE one, and the ACTIVE one STANDBY.
	VerbPromote Verb = "promote"
	// VerbDemote makes the ACTIVE node STANDBY; the next STANDBY node takes over.
	VerbDemote Verb = "demote"
	// VerbMaintenance starts or ends the maintenance of a node or pool.
	VerbMaintenance Verb = "maintenance"
	// VerbSwitchover moves the role to Node, or to the best STANDBY node when Node is empty, in
	// a pool with an engine.
	VerbSwitchover Verb = "switchover"
	// VerbFailover starts a failover by hand: the ACTIVE node must be lost. Node is the wanted
	// target, empty for the best.
	VerbFailover Verb = "failover"
	// VerbRejoin makes Node a replica of the ACTIVE node again.
	VerbRejoin Verb = "rejoin"
	// VerbAcknowledge notes that an operator has seen to an operation that Stopped: Operation is
	// its number, 0 for all.
	VerbAcknowledge Verb = "acknowledge"
)

// Command is what an operator asks of a pool.
type Command struct {
	Verb Verb `json:"verb"`
	// Node is the node's address; empty means the whole pool, where the verb allows it.
	Node string `json:"node,omitempty"`
	// Maintenance is the wanted maintenance; On false ends it.
	Maintenance Maintenance `json:"maintenance,omitzero"`
	// Force carries a recover out on a node that is well, too.
	Force bool `json:"force,omitempty"`
	// Options are those of a switchover, failover or rejoin.
	Options OperationOptions `json:"options,omitzero"`
	// Operation is the number of the operation that an acknowledge is about, 0 for all.
	Operation uint64 `json:"operation,omitempty"`
	// By names who asks: a user name or a peer address.
	By string `json:"by,omitempty"`
}

// Input is one thing that happens to a pool: exactly one of its pointers is set, or none,
// which makes it a tick. Inputs are journalled before they are stepped.
type Input struct {
	At          time.Time         `json:"at"`
	Pool        string            `json:"pool"`
	Observation *Observation      `json:"observation,omitempty"`
	Checkpoint  *CheckpointResult `json:"checkpoint,omitempty"`
	Command     *Command          `json:"command,omitempty"`
	// StepResult is what came of a step; AddressReport what a look at a host found.
	StepResult    *StepResult    `json:"step_result,omitempty"`
	AddressReport *AddressReport `json:"address_report,omitempty"`
}

// ActionKind says what an Action asks for.
type ActionKind string

// The kinds of actions.
const (
	// ActionEvent publishes Event.
	ActionEvent ActionKind = "event"
	// ActionPersist writes what is remembered of Node (of the pool when Node is empty) to
	// the journal before anything of this step is published; Sync asks for fsync.
	ActionPersist ActionKind = "persist"
	// ActionPoll polls Node at once.
	ActionPoll ActionKind = "poll"
	// ActionLane moves Node to Lane.
	ActionLane ActionKind = "lane"
	// ActionCheckpoints tries every checkpoint of the pool at once.
	ActionCheckpoints ActionKind = "checkpoints"
	// ActionReply answers the command that was this step's input.
	ActionReply ActionKind = "reply"
	// ActionRun runs Task, once what ActionPersist asked for before it is in the journal.
	ActionRun ActionKind = "run"
	// ActionReport keeps Operation, which has ended, where mpp failovers finds it.
	ActionReport ActionKind = "report"
)

// Action is something that a pool wants done, as data.
type Action struct {
	Kind ActionKind `json:"kind"`
	// Node is the node it is about; empty for the pool.
	Node string `json:"node,omitempty"`
	// Lane is set for ActionLane.
	Lane Lane `json:"lane,omitempty"`
	// Sync is set for ActionPersist when a state changed.
	Sync bool `json:"sync,omitempty"`
	// Event is set for ActionEvent.
	Event *Event `json:"event,omitempty"`
	// Result is set for ActionReply.
	Result *Result `json:"result,omitempty"`
	// Task is set for ActionRun, Operation for ActionReport.
	Task      *Task      `json:"task,omitempty"`
	Operation *Operation `json:"operation,omitempty"`
}

// Result is the outcome of a command.
type Result struct {
	// Done says whether the command was carried out; Refused, when not, why not.
	Done    bool   `json:"done"`
	Refused string `json:"refused,omitempty"`
	// Changes lists what was changed, one line each, such as "10.0.0.1:3306: FAIL (OFFLINE) -> UNKNOWN".
	Changes []string `json:"changes"`
	// Operation is the number of the operation that the command started, 0 for none. The command
	// is answered when it starts, not when it ends.
	Operation uint64 `json:"operation,omitempty"`
	// Plan is what a switchover with DryRun would do, nil otherwise.
	Plan *Operation `json:"plan,omitempty"`
	// Statements are the statements and commands of each of Plan's steps, in order; the API
	// adds them.
	Statements [][]string `json:"statements,omitempty"`
}

// EventKind sorts events.
type EventKind string

// The kinds of events.
const (
	// EventState: a node's state changed.
	EventState EventKind = "state"
	// EventStatus: a node's status changed.
	EventStatus EventKind = "status"
	// EventPool: a pool's status, trouble or maintenance changed.
	EventPool EventKind = "pool"
	// EventCommand: an operator's command was carried out or refused.
	EventCommand EventKind = "command"
	// EventConfig: a configuration was loaded or refused.
	EventConfig EventKind = "config"
	// EventOperation: a failover, switchover or repair began, reached a new phase, or ended.
	EventOperation EventKind = "operation"
	// EventDaemon: the daemon started, stopped, slept, or found its journal damaged.
	EventDaemon EventKind = "daemon"
)

// Event is something that happened, with its explanation.
type Event struct {
	// Seq numbers events from 1 without gaps, over restarts; 0 means not numbered yet.
	Seq uint64 `json:"seq"`
	// At is when the input arrived that caused it.
	At   time.Time `json:"at"`
	Kind EventKind `json:"kind"`
	// Severity is how bad the news is.
	Severity Status `json:"severity"`
	// Pool and Node say what it is about; either may be empty.
	Pool string `json:"pool,omitempty"`
	Node string `json:"node,omitempty"`
	// From and To are states or statuses, such as "STANDBY" and "ACTIVE".
	From string `json:"from,omitempty"`
	To   string `json:"to,omitempty"`
	// Rule names the rule that decided, such as "promote-secondary"; docs/architecture.md
	// lists them.
	Rule string `json:"rule,omitempty"`
	// Text is one line for people: what happened, and on what evidence.
	Text string `json:"text"`
}

// NodeMemory is what is remembered of a node over a restart.
type NodeMemory struct {
	Address string     `json:"address"`
	State   State      `json:"state"`
	Reason  FailReason `json:"reason,omitempty"`
	Status  Status     `json:"status"`
	// Errors is how many polls in a row have failed (a change of state counts as one).
	Errors int `json:"errors"`
	// Failing is the class of the last poll's failure, empty when it was good.
	Failing Class `json:"failing,omitempty"`
	// ReplicaErrors counts the replica failures among Errors: they never fail an ACTIVE node.
	ReplicaErrors int `json:"replica_errors,omitempty"`
	// Kind, Check and Message are those of the last verdict.
	Kind    Kind   `json:"kind,omitempty"`
	Check   string `json:"check,omitempty"`
	Message string `json:"message,omitempty"`
	// Since is when State was entered; zero means never.
	Since time.Time `json:"since,omitzero"`
	// Rule names the rule that made State, and Evidence says on what ground.
	Rule     string `json:"rule,omitempty"`
	Evidence string `json:"evidence,omitempty"`
	// FirstMiss is when the present row of failures began; GoodSince when the present row of
	// good polls began. One of them is zero.
	FirstMiss time.Time `json:"first_miss,omitzero"`
	GoodSince time.Time `json:"good_since,omitzero"`
	// LastPoll is when the last poll that counted started.
	LastPoll time.Time `json:"last_poll,omitzero"`
	// Maintenance is the node's own.
	Maintenance Maintenance `json:"maintenance,omitzero"`
	// WritableSince is when the server had started that was last seen to take writes as the ACTIVE
	// node: one that was started later and is read-only came up so, and was not closed on purpose.
	WritableSince time.Time `json:"writable_since,omitzero"`
	// Errant are transactions that only this node has, by the last comparison with the ACTIVE
	// node: when that one is dead, nobody can tell any more.
	Errant string `json:"errant,omitempty"`
	// Closed says that MPP made the ACTIVE node read-only for an operation that promoted nobody, and
	// could not open it again, or not for certain.
	Closed bool `json:"closed,omitempty"`
	// Halted says that a failover which came to nothing has stopped the node's receiver, and could not
	// start it again.
	Halted bool `json:"halted,omitempty"`
	// UUID, ServerID and LogBase are what the server said of itself last (log_bin_basename), in a
	// pool with an engine: a manager that starts while the ACTIVE node is dead cannot ask it.
	UUID     string `json:"uuid,omitempty"`
	ServerID uint32 `json:"server_id,omitempty"`
	LogBase  string `json:"log_base,omitempty"`
	// Acknowledgers are the replicas that the ACTIVE node waited for (semi-synchronous replication)
	// at its last poll, with commas between them.
	Acknowledgers string `json:"acknowledgers,omitempty"`
}

// PoolMemory is what is remembered of a pool over a restart.
type PoolMemory struct {
	Name string `json:"name"`
	// CutOff says that the pool's status is FAIL: this poller is the one that is cut off.
	CutOff bool `json:"cut_off,omitempty"`
	// Trouble is LAN, WAN or GLOBAL, empty for none.
	Trouble string `json:"trouble,omitempty"`
	// Since is when CutOff last changed.
	Since       time.Time    `json:"since,omitzero"`
	Maintenance Maintenance  `json:"maintenance,omitzero"`
	Nodes       []NodeMemory `json:"nodes"`
	// Operation is the one that moves the role, nil when none is under way; Repairs are those of
	// single nodes. LastOperation is the number given out last.
	Operation     *Operation   `json:"operation,omitempty"`
	Repairs       []*Operation `json:"repairs,omitempty"`
	LastOperation uint64       `json:"last_operation,omitempty"`
	// LastFailover is when the last failover completed; Unacknowledged are the numbers of
	// failovers that Stopped and that no operator has acknowledged.
	LastFailover   time.Time `json:"last_failover,omitzero"`
	Unacknowledged []uint64  `json:"unacknowledged,omitempty"`
}
