package config

import (
	"time"

	"mpp"
)

// checksRows are the keys of [defaults.checks] and [pool.checks].
func checksRows() []row[Checks] {
	rows := lift("connect.", func(c *Checks) *ConnectCheck { return &c.Connect }, []row[ConnectCheck]{{
		path: "timeout", usually: "the poll's `timeout`", doc: limitDoc,
		bind: func(c *ConnectCheck) value { return duration{p: &c.Timeout} },
	}})
	rows = append(rows, lift("privilege.", func(c *Checks) *PrivilegeCheck { return &c.Privilege }, privilegeRows())...)
	rows = append(rows, lift("query.", func(c *Checks) *QueryCheck { return &c.Query }, queryRows())...)
	rows = append(rows, lift("replication.", func(c *Checks) *ReplicationCheck { return &c.Replication }, replicationRows())...)
	rows = append(rows, lift("lag.", func(c *Checks) *LagCheck { return &c.Lag }, lagRows())...)
	rows = append(rows, lift("identity.", func(c *Checks) *IdentityCheck { return &c.Identity }, []row[IdentityCheck]{{
		path: "enabled", doc: "Whether the check is made.",
		bind: func(c *IdentityCheck) value { return boolean{&c.Enabled} },
	}})...)
	rows = append(rows, lift("write.", func(c *Checks) *WriteCheck { return &c.Write }, writeRows())...)
	rows = append(rows, lift("commit.", func(c *Checks) *CommitCheck { return &c.Commit }, commitRows())...)
	return append(rows, lift("cluster.", func(c *Checks) *ClusterCheck { return &c.Cluster }, clusterRows())...)
}

const limitDoc = "Limit of this check within the poll; not longer than the poll's."

const onlyFailover = "`true` with `logic = \"failover\"`, else `false`"

// checksTables are the headings of checksRows.
func checksTables() []table {
	return []table{
		{"checks.connect", "Connects and logs in. It cannot be turned off. The limit is that of TCP, handshake and login together. Class reach."},
		{"checks.privilege", "Reads the account's grants and names each one that is missing, before it is needed. Class reach, at most CRITICAL."},
		{"checks.query", "Runs a statement that must succeed. Class reach."},
		{"checks.replication", "Looks at the threads, errors and source of every channel. Class replica."},
		{"checks.lag", "Judges how far a replica is behind. The thresholds ascend; `\"0s\"` turns one off. Class replica."},
		{"checks.write", "Writes a heartbeat row on the ACTIVE node: that finds a full disk or a commit that hangs. Class reach."},
		{"checks.commit", "Looks whether commits on the ACTIVE node hang for want of a semi-synchronous acknowledgement, though the server answers. It needs an engine. Class reach."},
		{"checks.identity", "Sees to it that the same server answers at the node's address as at first. Class reach."},
		{"checks.cluster", "Looks at the member's state in Galera or Group Replication. Class reach."},
	}
}

func privilegeRows() []row[PrivilegeCheck] {
	return []row[PrivilegeCheck]{
		{
			path: "enabled", doc: "Whether the check is made.",
			bind: func(c *PrivilegeCheck) value { return boolean{&c.Enabled} },
		},
		{
			path: "interval", doc: "Time between two looks at the grants; they are read on every new connection, too.",
			bind: func(c *PrivilegeCheck) value { return duration{p: &c.Interval} },
		},
		{
			path: "for_failover", usually: "`false`; `true` with an engine that has no `failover.account` of its own",
			doc:  "Whether the grants that a promotion by MPP itself needs are asked for, besides those that the checks need.",
			bind: func(c *PrivilegeCheck) value { return boolean{&c.ForFailover} },
		},
	}
}

func queryRows() []row[QueryCheck] {
	return []row[QueryCheck]{
		{
			path: "enabled", doc: "Whether the check is made.",
			bind: func(c *QueryCheck) value { return boolean{&c.Enabled} },
		},
		{
			path: "timeout", usually: "the poll's `timeout`", doc: limitDoc,
			bind: func(c *QueryCheck) value { return duration{p: &c.Timeout} },
		},
		{
			path: "sql", doc: "The statement.",
			bind: func(c *QueryCheck) value { return text{p: &c.SQL, needed: true, lines: true} },
		},
	}
}

func replicationRows() []row[ReplicationCheck] {
	return []row[ReplicationCheck]{
		{
			path: "enabled", usually: onlyFailover, doc: "Whether the check is made.",
			bind: func(c *ReplicationCheck) value { return boolean{&c.Enabled} },
		},
		{
			path: "timeout", usually: "the poll's `timeout`", doc: limitDoc,
			bind: func(c *ReplicationCheck) value { return duration{p: &c.Timeout} },
		},
		{
			path: "expected", usually: onlyFailover,
			doc:  "Whether a node that is not ACTIVE and replicates from nowhere fails the check.",
			bind: func(c *ReplicationCheck) value { return boolean{&c.Expected} },
		},
		{
			path: "source_unreachable_critical",
			doc:  "A replica whose IO thread cannot reach its source is WARN, and CRITICAL after so long; `\"0s\"` for never.",
			bind: func(c *ReplicationCheck) value { return duration{p: &c.SourceUnreachableCritical, off: true} },
		},
		{
			path: "source_in_pool", usually: onlyFailover,
			doc:  "Whether a replica that replicates from a server outside its pool fails the check.",
			bind: func(c *ReplicationCheck) value { return boolean{&c.SourceInPool} },
		},
	}
}

func lagRows() []row[LagCheck] {
	return []row[LagCheck]{
		{
			path: "enabled", usually: onlyFailover, doc: "Whether the check is made.",
			bind: func(c *LagCheck) value { return boolean{&c.Enabled} },
		},
		{
			path: "timeout", usually: "the poll's `timeout`", doc: limitDoc,
			bind: func(c *LagCheck) value { return duration{p: &c.Timeout} },
		},
		{
			path: "info", doc: "Lag from which the status is INFO.",
			bind: func(c *LagCheck) value { return duration{p: &c.Info, off: true} },
		},
		{
			path: "warn", doc: "Lag from which the status is WARN.",
			bind: func(c *LagCheck) value { return duration{p: &c.Warn, off: true} },
		},
		{
			path: "critical", doc: "Lag from which the status is CRITICAL: the node is not promoted.",
			bind: func(c *LagCheck) value { return duration{p: &c.Critical, off: true} },
		},
		{
			path: "fail", doc: "Lag from which the poll fails.",
			bind: func(c *LagCheck) value { return duration{p: &c.Fail, off: true} },
		},
		{
			path: "ignore_configured_delay",
			doc:  "Whether the delay that a channel is configured with is taken off its lag.",
			bind: func(c *LagCheck) value { return boolean{&c.IgnoreConfiguredDelay} },
		},
		{
			path: "heartbeat_table", usually: "the table of the write check where that is enabled, else none", example: `"mpp.heartbeat"`,
			doc:  "Heartbeat table to read the lag from, with the columns `server_id` and `ts` (UTC); empty uses what the server says itself.",
			bind: func(c *LagCheck) value { return tableName{text{p: &c.HeartbeatTable}, true} },
		},
	}
}

func writeRows() []row[WriteCheck] {
	return []row[WriteCheck]{
		{
			path: "enabled", doc: "Whether the check is made.",
			bind: func(c *WriteCheck) value { return boolean{&c.Enabled} },
		},
		{
			path: "timeout",
			doc:  "How long the row may take. It is written beside the polls, so this may be longer than a poll.",
			bind: func(c *WriteCheck) value { return duration{p: &c.Timeout} },
		},
		{
			path: "table",
			doc:  "The table that holds the rows, one for each server.",
			bind: func(c *WriteCheck) value { return tableName{text{p: &c.Table}, false} },
		},
		{
			path: "create_table",
			doc:  "Whether MPP creates the table where it is missing; its schema is the DBA's to create.",
			bind: func(c *WriteCheck) value { return boolean{&c.CreateTable} },
		},
	}
}

func commitRows() []row[CommitCheck] {
	return []row[CommitCheck]{
		{
			path: "enabled", usually: "`true` with an engine, else `false`", doc: "Whether the check is made.",
			bind: func(c *CommitCheck) value { return boolean{&c.Enabled} },
		},
		{
			path: "stuck_after", doc: "How long commits may wait for an acknowledgement, with none coming, before the poll fails.",
			bind: func(c *CommitCheck) value { return duration{p: &c.StuckAfter, least: minStuck} },
		},
	}
}

// minStuck is the least time after which a commit hangs: servers count in seconds.
const minStuck = time.Second

func clusterRows() []row[ClusterCheck] {
	return []row[ClusterCheck]{
		{
			path: "enabled", doc: "Whether the check is made. A server that is in no cluster is not asked.",
			bind: func(c *ClusterCheck) value { return boolean{&c.Enabled} },
		},
		{
			path: "timeout", usually: "the poll's `timeout`", doc: limitDoc,
			bind: func(c *ClusterCheck) value { return duration{p: &c.Timeout} },
		},
		{
			path: "expected", usually: "`true` with `logic = \"cluster\"`, else `false`",
			doc:  "Whether a server that is in no cluster fails the check.",
			bind: func(c *ClusterCheck) value { return boolean{&c.Expected} },
		},
	}
}

// The comparisons that look at no value.
const (
	compareRow   = "row"
	compareNoRow = "no-row"
)

// customRows are the keys of [[pool.checks.custom]].
func customRows() []row[CustomCheck] {
	return []row[CustomCheck]{
		{
			path: "name", example: `"orders_fresh"`,
			doc:  "Name of the check; it is shown as `custom:NAME`. Not the name of a built-in check.",
			bind: func(c *CustomCheck) value { return name{text{p: &c.Name}, false} },
		},
		{
			path: "sql", example: `"SELECT COUNT(*) FROM shop.orders WHERE created > NOW() - INTERVAL 1 HOUR"`,
			doc:  "The statement; the first column of its first row is compared.",
			bind: func(c *CustomCheck) value { return text{p: &c.SQL, needed: true, lines: true} },
		},
		{
			path: "expect", example: `"0"`,
			doc:  "What to compare with, in quotes, also for a number.",
			bind: func(c *CustomCheck) value { return text{p: &c.Expect} },
		},
		{
			path: "compare",
			doc:  "How the value must stand to `expect`: `=`, `!=` and `contains` compare as text, `<`, `<=`, `>` and `>=` as numbers. `row` wants a row whatever is in it and `no-row` wants none; they do without `expect`.",
			bind: func(c *CustomCheck) value {
				return wordOf(&c.Compare, "=", "!=", "<", "<=", ">", ">=", "contains", compareRow, compareNoRow)
			},
		},
		{
			path: "status", doc: "Status of the check when the comparison does not hold.",
			bind: func(c *CustomCheck) value { return statusWord{&c.Status} },
		},
		{
			path: "class",
			doc:  "What FAIL means: `reach`, the node cannot serve; `replica`, its copy is not to be trusted (an ACTIVE node is never failed for that).",
			bind: func(c *CustomCheck) value { return wordOf(&c.Class, mpp.Reach, mpp.Replica) },
		},
		{
			path: "timeout", usually: "the poll's `timeout`", doc: limitDoc,
			bind: func(c *CustomCheck) value { return duration{p: &c.Timeout} },
		},
	}
}
