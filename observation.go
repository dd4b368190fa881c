package mpp

import "time"

// Class says what a failed check means for its node.
type Class string

// The classes of checks.
const (
	// Reach checks (connect, privilege, query, write, cluster): the node cannot serve.
	Reach Class = "reach"
	// Replica checks (replication, lag): the node's copy is not to be trusted.
	Replica Class = "replica"
)

// Kind tells kinds of trouble apart, because they deserve different haste.
type Kind string

// The kinds of trouble. The comment of each says what it proves.
const (
	// KindNone: no trouble.
	KindNone Kind = ""
	// KindRefused: connection refused or reset; the process is gone, its host is alive.
	KindRefused Kind = "refused"
	// KindNoAnswer: no answer to a connection request; the host or the network is gone.
	KindNoAnswer Kind = "no-answer"
	// KindNoHandshake: TCP connects and nothing is said; the process is stuck.
	KindNoHandshake Kind = "no-handshake"
	// KindHung: a statement got no answer in time; the process is stuck.
	KindHung Kind = "hung"
	// KindLost: an open connection broke in the middle of a statement.
	KindLost Kind = "lost"
	// KindName: the host name could not be resolved.
	KindName Kind = "name"
	// KindTLS: the TLS handshake failed; the server is alive.
	KindTLS Kind = "tls"
	// KindAccessDenied: MySQL error 1045 and its kin; the server is alive.
	KindAccessDenied Kind = "access-denied"
	// KindTooManyConnections: 1040; the server is alive.
	KindTooManyConnections Kind = "too-many-connections"
	// KindHostBlocked: 1129 or 1130; the server is alive and refuses this host.
	KindHostBlocked Kind = "host-blocked"
	// KindShuttingDown: 1053, or 1927 at its hands.
	KindShuttingDown Kind = "shutting-down"
	// KindPrivilege: a privilege is missing; the server is alive.
	KindPrivilege Kind = "privilege"
	// KindReadOnly: 1290, 1792, 1836: the server refuses writes by its configuration.
	KindReadOnly Kind = "read-only"
	// KindReadLock: a global read lock holds writes back, as for a backup; the server is alive.
	KindReadLock Kind = "read-lock"
	// KindDiskFull: writes fail or hang because the disk is full.
	KindDiskFull Kind = "disk-full"
	// KindReadOnlyFS: the file system has turned read-only.
	KindReadOnlyFS Kind = "read-only-filesystem"
	// KindSemiSyncWait: commits wait for a semi-synchronous acknowledgement.
	KindSemiSyncWait Kind = "semi-sync-wait"
	// KindStuckCommit: a write hangs for a reason that the server does not name.
	KindStuckCommit Kind = "stuck-commit"
	// KindReplicationStopped: an IO or SQL thread is not running.
	KindReplicationStopped Kind = "replication-stopped"
	// KindSourceUnreachable: the IO thread runs and cannot reach its source.
	KindSourceUnreachable Kind = "source-unreachable"
	// KindWrongSource: the node replicates from a server that is not of its pool.
	KindWrongSource Kind = "wrong-source"
	// KindLag: the node is behind its source.
	KindLag Kind = "lag"
	// KindCluster: the member is not in its cluster's quorum, or not in step.
	KindCluster Kind = "cluster"
	// KindUnexpected: an answer came that is not the one that is configured.
	KindUnexpected Kind = "unexpected-answer"
	// KindSQL: any other MySQL error; the server is alive.
	KindSQL Kind = "sql-error"
	// KindIdentity: another server answers at the node's address than before.
	KindIdentity Kind = "identity"
)

// Unreachable reports whether the kind says that nothing at all came back from the node's
// host: the only kinds that may as well be this poller's own network.
func (k Kind) Unreachable() bool {
	return k == KindNoAnswer || k == KindName
}

// CheckResult is what one check found.
type CheckResult struct {
	// Name is the check's name: "connect", "lag", or "custom:NAME" for a custom check.
	Name string `json:"name"`
	// Class says what a FAIL of this check means.
	Class Class `json:"class"`
	// Status is the check's answer; FAIL makes the poll a failed one.
	Status Status `json:"status"`
	// Kind is the kind of trouble, empty when there is none.
	Kind Kind `json:"kind,omitempty"`
	// Message is one line for people; empty when all is well and nothing is worth saying.
	Message string `json:"message,omitempty"`
	// MySQLError is the server's error number, 0 when there was none.
	MySQLError uint16 `json:"mysql_error,omitempty"`
	// Took is how long the check took; checks that shared a round trip report it whole.
	Took time.Duration `json:"took_ns"`
	// At is when the finding was made; zero means in the poll that carries it. A check that
	// is not asked on every poll (privilege, a fresh login) carries its last finding.
	At time.Time `json:"at,omitzero"`
}

// Server is what a server says of itself. The zero value means that nothing is known.
type Server struct {
	// Flavour is "mysql" or "mariadb".
	Flavour string `json:"flavour,omitempty"`
	// Version is the server's own version text, such as "10.11.19-MariaDB-log".
	Version string `json:"version,omitempty"`
	// ID is server_id; 0 means unknown.
	ID uint32 `json:"server_id,omitempty"`
	// UUID is server_uuid; MariaDB has none.
	UUID string `json:"uuid,omitempty"`
	// ReadOnly is read_only, super_read_only, offline_mode or innodb_read_only.
	ReadOnly bool `json:"read_only"`
	// SuperReadOnly is MySQL's super_read_only.
	SuperReadOnly bool `json:"super_read_only,omitempty"`
	// GTID is gtid_executed (MySQL) or gtid_current_pos (MariaDB), on one line.
	GTID string `json:"gtid,omitempty"`
	// StartedAt is when the server process started, to the second; zero means unknown.
	StartedAt time.Time `json:"started_at,omitzero"`
	// BinlogState is MariaDB's gtid_binlog_state, asked for in pools with an engine.
	BinlogState string `json:"binlog_state,omitempty"`
	// SemiSync is the state of semi-synchronous replication, nil when it was not asked for: it
	// is in pools with an engine.
	SemiSync *SemiSync `json:"semi_sync,omitempty"`
	// Settings are what changes seldom, nil when not asked for (pools with an engine) or not
	// known yet. They are asked for at login and with the check privilege.
	Settings *Settings `json:"settings,omitempty"`
	// Managed says that this MPP holds the lock that marks the server as managed; ManagedBy names
	// the session of somebody else that holds it, by host:port or its id, empty for none. Both are
	// asked for in pools with an engine.
	Managed   bool   `json:"managed,omitempty"`
	ManagedBy string `json:"managed_by,omitempty"`
}

// SemiSync is what a server says of semi-synchronous replication.
type SemiSync struct {
	// Source says that commits wait for an acknowledgement (enabled and not timed out); Replica
	// that this server acknowledges what it receives.
	Source  bool `json:"source"`
	Replica bool `json:"replica"`
	// Clients is how many replicas acknowledge to this source; Waiting how many sessions wait
	// for one to do so.
	Clients int `json:"clients,omitempty"`
	Waiting int `json:"waiting,omitempty"`
	// TimedOut says that the source's side is enabled and has given up waiting.
	TimedOut bool `json:"timed_out,omitempty"`
}

// Settings are a server's settings that decide what a promotion of it is worth.
type Settings struct {
	// LogBin says that there is a binary log, LogReplicaUpdates that what is replicated is in
	// it; BinlogFormat is ROW, MIXED or STATEMENT; LogBase is log_bin_basename.
	LogBin            bool   `json:"log_bin"`
	LogReplicaUpdates bool   `json:"log_replica_updates"`
	BinlogFormat      string `json:"binlog_format,omitempty"`
	LogBase           string `json:"log_base,omitempty"`
	// GTID is gtid_mode=ON with enforce_gtid_consistency on MySQL; on MariaDB, which always has
	// GTIDs, gtid_strict_mode.
	GTID bool `json:"gtid"`
	// SyncBinlog and FlushLog are sync_binlog and innodb_flush_log_at_trx_commit.
	SyncBinlog uint32 `json:"sync_binlog"`
	FlushLog   uint32 `json:"flush_log"`
	// RelayLogRecovery is relay_log_recovery; ParallelWorkers how many appliers there are.
	RelayLogRecovery bool   `json:"relay_log_recovery"`
	ParallelWorkers  uint32 `json:"parallel_workers,omitempty"`
	// EventScheduler is ON, OFF or DISABLED.
	EventScheduler string `json:"event_scheduler,omitempty"`
	// SemiSyncSource and SemiSyncReplica say that the sides are enabled; SemiSyncTimeout is the
	// source's; SemiSyncWaitPoint is AFTER_SYNC or AFTER_COMMIT; SemiSyncInstalled that the
	// server can do it at all (plugins on MySQL).
	SemiSyncInstalled bool          `json:"semi_sync_installed"`
	SemiSyncSource    bool          `json:"semi_sync_source,omitempty"`
	SemiSyncReplica   bool          `json:"semi_sync_replica,omitempty"`
	SemiSyncTimeout   time.Duration `json:"semi_sync_timeout_ns,omitempty"`
	SemiSyncWaitPoint string        `json:"semi_sync_wait_point,omitempty"`
	// ReportHost is report_host, empty when it is not set.
	ReportHost string `json:"report_host,omitempty"`
}

// Channel is one replication channel of a node (MariaDB calls it a connection).
type Channel struct {
	// Name is empty for the default channel.
	Name string `json:"name,omitempty"`
	// SourceHost and SourcePort are where it replicates from.
	SourceHost string `json:"source_host"`
	SourcePort uint16 `json:"source_port"`
	// SourceID and SourceUUID identify the source; zero means unknown.
	SourceID   uint32 `json:"source_id,omitempty"`
	SourceUUID string `json:"source_uuid,omitempty"`
	// IO and SQL are the threads' states as the server prints them: Yes, No, Connecting.
	IO  string `json:"io"`
	SQL string `json:"sql"`
	// IOErrno, IOError, SQLErrno and SQLError are the threads' last errors, 0 and empty for none.
	IOErrno  uint32 `json:"io_errno,omitempty"`
	IOError  string `json:"io_error,omitempty"`
	SQLErrno uint32 `json:"sql_errno,omitempty"`
	SQLError string `json:"sql_error,omitempty"`
	// Lag is Seconds_Behind; LagKnown is false when the server prints NULL.
	Lag      time.Duration `json:"lag_ns"`
	LagKnown bool          `json:"lag_known"`
	// Delay is the configured delay of the channel (MASTER_DELAY), 0 for none.
	Delay time.Duration `json:"delay_ns,omitempty"`
	// Received is what was fetched: MySQL's Retrieved_Gtid_Set, MariaDB's Gtid_IO_Pos, on one
	// line; SourceLog and SourcePos are how far in the source's binary log that is, in bytes.
	Received  string `json:"received,omitempty"`
	SourceLog string `json:"source_log,omitempty"`
	SourcePos uint64 `json:"source_pos,omitempty"`
	// ByGTID says that the channel positions itself by GTID (Auto_Position, Using_Gtid).
	ByGTID bool `json:"by_gtid,omitempty"`
	// RetryFor is for how long the receiver tries to reach a source that is gone before it gives
	// up: Connect_Retry times Source_Retry_Count; 0 where the server does not say (MariaDB).
	RetryFor time.Duration `json:"retry_for_ns,omitempty"`
}

// Observation is the result of one poll: all checks of one node, once.
type Observation struct {
	// Node is the node's address, host:port.
	Node string `json:"node"`
	// At is when the poll started and Took how long it lasted.
	At   time.Time     `json:"at"`
	Took time.Duration `json:"took_ns"`
	// Checks holds the findings, in the order asked, at most one a check name.
	Checks []CheckResult `json:"checks"`
	// Answered says that the server itself said something, even an error: it lives.
	Answered bool `json:"answered"`
	// Dialled is how long the slowest TCP connection of this poll took to be accepted, 0 when none
	// was: the host's kernel answers, so it is the time of the network alone.
	Dialled time.Duration `json:"dialled_ns,omitempty"`
	// Server is what the server said of itself; zero when the poll did not get that far.
	Server Server `json:"server,omitzero"`
	// Channels are its replication channels; empty on a source.
	Channels []Channel `json:"channels,omitempty"`
	// Lag is how far the node is behind; LagKnown is false when it cannot be told.
	Lag      time.Duration `json:"lag_ns,omitempty"`
	LagKnown bool          `json:"lag_known,omitempty"`
}

// Verdict is what an Observation amounts to for the state machine.
type Verdict struct {
	// Failed is the class of the failure, empty for a good poll. A reach failure outweighs
	// a replica failure.
	Failed Class `json:"failed,omitempty"`
	// Status is the worst status of the checks below FAIL (a FAIL counts as an error instead).
	Status Status `json:"status"`
	// Kind and Message are those of the check that decided: the first FAIL of the class,
	// else the worst finding.
	Kind    Kind   `json:"kind,omitempty"`
	Message string `json:"message,omitempty"`
	// Check is the name of that check, empty when every check is OK.
	Check string `json:"check,omitempty"`
}

// Verdict sums the observation up. An observation without checks is a failed poll: missing
// evidence is never good evidence.
func (o *Observation) Verdict() Verdict {
	if len(o.Checks) == 0 {
		return Verdict{Failed: Reach, Message: "poll brought no findings"}
	}
	var v Verdict
	var worst *CheckResult
	var failed *CheckResult
	for i := range o.Checks {
		c := &o.Checks[i]
		if c.Status != Fail {
			if c.Status > v.Status {
				v.Status, worst = c.Status, c
			}
			continue
		}
		if failed == nil || (failed.Class == Replica && c.Class == Reach) {
			failed = c
		}
	}
	decisive := worst
	if failed != nil {
		v.Failed, decisive = failed.Class, failed
	}
	if decisive != nil {
		v.Kind, v.Message, v.Check = decisive.Kind, decisive.Message, decisive.Name
	}
	return v
}

// Unfit says why the node must not be promoted on this evidence, or "" when nothing speaks
// against it: its copy is CRITICAL (far behind, say), or it could not be examined.
func (o *Observation) Unfit() string {
	for i := range o.Checks {
		c := &o.Checks[i]
		if c.Status != Critical { // a FAIL counts errors instead, and no poll with one promotes
			continue
		}
		if c.Class == Replica || c.Name == "connect" {
			return c.Message
		}
	}
	return ""
}

// Unattached says why what other nodes wrote cannot have reached the node, "" when nothing
// speaks for that: it is the replica of nothing.
func (o *Observation) Unattached() string {
	for i := range o.Checks {
		if c := &o.Checks[i]; c.Class == Replica && c.Kind == KindReplicationStopped && c.Status == Warn {
			return c.Message
		}
	}
	return ""
}

// Ask tells a prober what a poll should include.
type Ask struct {
	// Active says that the node is ACTIVE: the write check applies.
	Active bool
	// FreshLogin asks for a login on a new connection besides the lasting one, whatever
	// login_interval says.
	FreshLogin bool
}

// Lane is how eagerly a node is polled.
type Lane string

// The lanes.
const (
	// LaneNormal polls every interval.
	LaneNormal Lane = "normal"
	// LaneConfirm polls every confirm_interval, until a first failure is clear.
	LaneConfirm Lane = "confirm"
	// LaneUrgent is LaneConfirm with the shorter limit confirm_timeout a poll: the ACTIVE node of
	// a pool with an engine says nothing at all.
	LaneUrgent Lane = "urgent"
	// LaneSlow polls every slow_interval: the node is dead.
	LaneSlow Lane = "slow"
)

// Ring says how far from the poller a checkpoint stands.
type Ring string

// The rings, nearest first.
const (
	Internal Ring = "internal"
	Edge     Ring = "edge"
	External Ring = "external"
)

// CheckpointResult is what one try of a checkpoint found.
type CheckpointResult struct {
	// Name is the checkpoint's name in its pool.
	Name string `json:"name"`
	// At is when the try started and Took how long it lasted.
	At   time.Time     `json:"at"`
	Took time.Duration `json:"took_ns"`
	// Reached says whether it answered; Message says what went wrong when not.
	Reached bool   `json:"reached"`
	Message string `json:"message,omitempty"`
}
