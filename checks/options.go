package checks

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"mpp"
	servers "mpp/link"
	"mpp/replication"
)

// Options says how a node is asked. Start from Default and set at least Address and User.
type Options struct {
	// Address is the node, "host:port". It is what Observation.Node will be.
	Address string
	// User and Password are the monitoring account's.
	User     string
	Password string
	// ExtraPort is MariaDB's extra_port or MySQL's admin_port on the same host: where to go on
	// when the server has too many connections. 0 means none.
	ExtraPort uint16
	// TLS says how the connection is encrypted.
	TLS servers.TLS

	// ConnectLimit bounds a login: TCP, handshake and authentication together.
	ConnectLimit time.Duration
	// LoginInterval is how often a whole login is made on a new connection; 0 means in
	// every poll.
	LoginInterval time.Duration

	// Privilege switches the check of the account's grants, which are read when the
	// connection is new and then every PrivilegeInterval. PrivilegeFailover asks for those
	// that a promotion by MPP needs, too.
	Privilege         bool
	PrivilegeInterval time.Duration
	PrivilegeFailover bool

	// Query switches the check that QuerySQL is answered within QueryLimit. QueryLimit also
	// bounds every other statement that has no limit of its own.
	Query      bool
	QuerySQL   string
	QueryLimit time.Duration

	// Replication switches the check of the replication threads. ReplicationLimit bounds the
	// statement.
	Replication      bool
	ReplicationLimit time.Duration
	// ReplicaExpected says that a node which is not ACTIVE must replicate from somewhere.
	ReplicaExpected bool
	// SourceUnreachableCritical is after how long an unreachable source is CRITICAL, no
	// longer WARN; 0 means never.
	SourceUnreachableCritical time.Duration
	// PoolNodes are the addresses of all nodes of the pool: a source that is none of them is
	// the wrong one. Empty means that any source will do.
	PoolNodes []string
	// PoolServer, if set, tells whether a server id or uuid belongs to a node of the pool,
	// for sources that are known by another address. It is called from Poll, must not block,
	// and may be called by several Probers at once.
	PoolServer func(id uint32, uuid string) bool

	// Lag switches the check of how far the node is behind; LagThresholds say how far is what.
	Lag           bool
	LagThresholds Thresholds
	// HeartbeatTable is "schema.table" with the columns server_id and ts (UTC); empty means none.
	HeartbeatTable string
	// HeartbeatLimit bounds the reading of it.
	HeartbeatLimit time.Duration
	// HeartbeatWritten, if set, tells when the pool's writer last wrote a heartbeat that the
	// server took, zero for never. Without it an old heartbeat alone is at most WARN: it may
	// be that nobody writes it. It is called from Poll, must not block, and may be called by
	// several Probers at once.
	HeartbeatWritten func() time.Time
	// IgnoreConfiguredDelay takes a channel's configured delay off its lag.
	IgnoreConfiguredDelay bool

	// Write switches the check that writes the heartbeat on the ACTIVE node, within
	// WriteLimit. WriteCreate lets it make the table.
	Write       bool
	WriteLimit  time.Duration
	WriteCreate bool

	// Cluster switches the check of a member of Galera or Group Replication; a server that is
	// neither is not asked. ClusterExpected makes that a failure.
	Cluster         bool
	ClusterExpected bool
	ClusterLimit    time.Duration

	// SessionIdle is after how long without a poll the server may end the lasting session: longer
	// than any pause between polls, short enough that a poller which vanished leaves nothing behind
	// for long.
	SessionIdle time.Duration

	// Engine says that the pool has an engine: what a promotion must know is asked, too
	// (mpp.Server.BinlogState and SemiSync, mpp.Channel.Received and where in the source's log
	// that is), and every PrivilegeInterval mpp.Server.Settings; and the server is marked as
	// managed, or found to be managed by somebody else (mpp.Server.Managed and ManagedBy).
	Engine bool
	// CommitStuckAfter is for how long commits may wait for a semi-sync acknowledgement, with
	// none coming, before the check commit fails; before that, a heartbeat that waits for one is
	// no failure either. 0 switches the check off. It needs Engine.
	CommitStuckAfter time.Duration

	// Identity switches the check that the same server answers as at first.
	Identity bool

	// Custom are checks in SQL.
	Custom []Custom

	// Watcher tells Hangup when the server closes the lasting connection while it is idle; nil
	// means that nobody does. Hangup is called once a connection, from the Watcher's own
	// goroutine, so it must not block, and never for a connection that the Prober closed.
	Watcher *Watcher
	Hangup  func()
}

// Thresholds say from which lag on a node has which status; 0 means never. A lag equal to a
// threshold has reached it.
type Thresholds struct {
	Info, Warn, Critical, Fail time.Duration
}

// status returns the worst status that d has reached.
func (t Thresholds) status(d time.Duration) mpp.Status {
	reached := func(limit time.Duration) bool { return limit > 0 && d >= limit }
	switch {
	case reached(t.Fail):
		return mpp.Fail
	case reached(t.Critical):
		return mpp.Critical
	case reached(t.Warn):
		return mpp.Warn
	case reached(t.Info):
		return mpp.Info
	default:
		return mpp.OK
	}
}

// Default returns the documented defaults: every check on but write and custom, a login every
// 5 s, grants every minute, a second for a login and for each statement; 5 s of lag are INFO,
// 30 s WARN, 2 min CRITICAL and 10 min FAIL; a source unreachable for 1 min is CRITICAL; with an
// engine, commits that wait for 5 s are stuck.
func Default() Options {
	return Options{
		ConnectLimit: time.Second, LoginInterval: 5 * time.Second,
		Privilege: true, PrivilegeInterval: time.Minute,
		Query: true, QuerySQL: "SELECT 1", QueryLimit: time.Second,
		Replication: true, ReplicationLimit: time.Second, ReplicaExpected: true,
		SourceUnreachableCritical: time.Minute,
		Lag:                       true,
		LagThresholds: Thresholds{
			Info: 5 * time.Second, Warn: 30 * time.Second,
			Critical: 2 * time.Minute, Fail: 10 * time.Minute,
		},
		HeartbeatLimit: time.Second,
		WriteLimit:     time.Second, WriteCreate: true,
		Cluster: true, ClusterLimit: time.Second,
		Identity:         true,
		CommitStuckAfter: 5 * time.Second,
		SessionIdle:      10 * time.Minute,
	}
}

// Validate returns every problem of the options, joined, or nil.
func (o *Options) Validate() error {
	var problems []error
	bad := func(format string, args ...any) { problems = append(problems, fmt.Errorf(format, args...)) }
	if _, port, err := net.SplitHostPort(o.Address); err != nil {
		bad("address %q: want host:port", o.Address)
	} else if n, err := strconv.ParseUint(port, 10, 16); err != nil || n == 0 {
		bad("address %q: port %q is not a number from 1 to 65535", o.Address, port)
	}
	if o.User == "" {
		bad("user: empty; name the monitoring account")
	}
	if o.LoginInterval < 0 || o.PrivilegeInterval < 0 || o.SourceUnreachableCritical < 0 || o.CommitStuckAfter < 0 {
		bad("login, privilege, source-unreachable and commit-stuck intervals must not be negative")
	}
	o.validateLimits(bad)
	if o.Query && o.QuerySQL == "" {
		bad("query: no SQL; SELECT 1 is the default")
	}
	if o.HeartbeatTable != "" {
		if _, err := replication.ParseTable(o.HeartbeatTable); err != nil {
			bad("heartbeat table: %w", err)
		}
	} else if o.Write {
		bad("write: needs a heartbeat table to write to")
	}
	seen := make(map[string]bool)
	for i := range o.Custom {
		if err := o.Custom[i].validate(); err != nil {
			problems = append(problems, err)
		}
		if seen[o.Custom[i].Name] {
			bad("custom check %q: the name is used twice", o.Custom[i].Name)
		}
		seen[o.Custom[i].Name] = true
	}
	return errors.Join(problems...)
}

// validateLimits checks the time limits of what is switched on.
func (o *Options) validateLimits(bad func(string, ...any)) {
	for _, l := range []struct {
		on    bool
		name  string
		limit time.Duration
	}{
		{true, "connect", o.ConnectLimit},
		{true, "query", o.QueryLimit},
		{true, "session idle", o.SessionIdle},
		{o.Replication || o.Lag, "replication", o.ReplicationLimit},
		{o.Lag && o.HeartbeatTable != "", "heartbeat", o.HeartbeatLimit},
		{o.Write, "write", o.WriteLimit},
		{o.Cluster, "cluster", o.ClusterLimit},
	} {
		if l.on && l.limit <= 0 {
			bad("%s limit: %s; want more than 0", l.name, l.limit)
		}
	}
}
