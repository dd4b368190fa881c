package config

import (
	"time"

	"mpp"
)

// Checks says which checks a poll makes, and with what limits. After Load every Timeout is
// above 0.
type Checks struct {
	Connect     ConnectCheck
	Privilege   PrivilegeCheck
	Query       QueryCheck
	Replication ReplicationCheck
	Lag         LagCheck
	Write       WriteCheck
	Identity    IdentityCheck
	Cluster     ClusterCheck
	Commit      CommitCheck
	Custom      []CustomCheck
}

// ConnectCheck connects and logs in; it cannot be turned off.
type ConnectCheck struct {
	Timeout time.Duration
}

// PrivilegeCheck compares the account's grants with what MPP needs.
type PrivilegeCheck struct {
	Enabled bool
	// Interval is the time between two looks at the grants.
	Interval time.Duration
	// ForFailover asks for the grants that a promotion by MPP needs, too.
	ForFailover bool
}

// QueryCheck runs a statement that must succeed.
type QueryCheck struct {
	Enabled bool
	Timeout time.Duration
	SQL     string
}

// ReplicationCheck looks at the replication threads.
type ReplicationCheck struct {
	Enabled bool
	Timeout time.Duration
	// Expected says that a node that is not ACTIVE must replicate from somewhere.
	Expected bool
	// SourceUnreachableCritical is how long the IO thread may fail to reach its source before
	// the status becomes CRITICAL; 0 means for ever.
	SourceUnreachableCritical time.Duration
	// SourceInPool says that a replica whose source is not a node of its pool fails.
	SourceInPool bool
}

// LagCheck judges how far a replica is behind. A threshold of 0 is off.
type LagCheck struct {
	Enabled bool
	Timeout time.Duration
	// Info, Warn, Critical and Fail are the lags from which the status is such.
	Info, Warn, Critical, Fail time.Duration
	// IgnoreConfiguredDelay takes a channel's configured delay off its lag.
	IgnoreConfiguredDelay bool
	// HeartbeatTable is schema.table of a heartbeat, empty for Seconds_Behind. After Load it
	// is the table of the write check where that is enabled.
	HeartbeatTable string
}

// WriteCheck writes a heartbeat row on the ACTIVE node.
type WriteCheck struct {
	Enabled bool
	Timeout time.Duration
	// Table is schema.table of the rows; CreateTable lets MPP create it.
	Table       string
	CreateTable bool
}

// IdentityCheck sees to it that the same server answers as at first.
type IdentityCheck struct {
	Enabled bool
}

// ClusterCheck looks at the member state of Galera or Group Replication.
type ClusterCheck struct {
	Enabled bool
	Timeout time.Duration
	// Expected says that a server that is in no cluster fails the check.
	Expected bool
}

// CommitCheck looks whether commits on the ACTIVE node hang for want of a semi-synchronous
// acknowledgement. It needs an engine.
type CommitCheck struct {
	Enabled bool
	// StuckAfter is how long they may wait, with none coming, before the poll fails.
	StuckAfter time.Duration
}

// CustomCheck runs a statement and compares its first value.
type CustomCheck struct {
	Name    string
	Timeout time.Duration
	SQL     string
	// Expect is what Compare compares the first column of the first row with.
	Expect  string
	Compare string
	// Status is the status when the comparison does not hold, Class what a FAIL then means.
	Status mpp.Status
	Class  mpp.Class

	at  origins
	pos Origin
}
