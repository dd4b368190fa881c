package config

import "time"

// failoverRows are the keys of [defaults.failover] and [pool.failover].
func failoverRows() []row[Failover] {
	rows := append(policyRows(), stepRows()...)
	rows = append(rows, lift("account.", func(f *Failover) *Account { return &f.Account }, accountOf("the user in `defaults_file`, else `\"mpp\"`"))...)
	rows = append(rows, lift("replication.", func(f *Failover) *Account { return &f.Replication }, accountOf("the user in `defaults_file`"))...)
	return append(rows, lift("shutdown.", func(f *Failover) *Shutdown { return &f.Shutdown }, shutdownRows())...)
}

// failoverTables are the headings of failoverRows and switchoverRows.
func failoverTables() []table {
	return []table{
		{"failover", "When MPP promotes by itself, and how; for `engine = \"native\"`. What happens is in `docs/failover.md`."},
		{"failover.account", "What the steps of failovers, switchovers and repairs log in with; without it they use the node's own account. Keys as in `[pool.account]`."},
		{"failover.replication", "What replicas log in to their source with. It must be there with `engine = \"native\"`, `user` included. Keys as in `[pool.account]`."},
		{"failover.shutdown", "A program that turns an old node's host or server off, such as by a power switch or a cloud's API. It is the one proof that a host that does not answer is fenced."},
		{"switchover", "How a planned change of the writer is carried out: `mpp switchover`."},
	}
}

// accountOf are the keys of an account with another default of user.
func accountOf(user string) []row[Account] {
	rows := accountRows()
	rows[0].usually, rows[0].example = user, `"repl"`
	return rows
}

func policyRows() []row[Failover] {
	return []row[Failover]{
		{
			path: "preset",
			doc:  "`fast` polls more often: `interval` 250ms, `confirm_interval` 25ms and `timeout` 200ms, where they are not set themselves.",
			bind: func(f *Failover) value { return wordOf(&f.Preset, PresetCareful, PresetFast) },
		},
		{
			path: "mode",
			doc:  "`auto` starts a failover when all its gates are open; with `manual` only `mpp failover` does.",
			bind: func(f *Failover) value { return wordOf(&f.Mode, FailoverAuto, FailoverManual) },
		},
		{
			path: "grace", example: `"10s"`,
			doc:  "A wait before a failover starts by itself, for servers that restart fast.",
			bind: func(f *Failover) value { return duration{p: &f.Grace, off: true} },
		},
		{
			path: "cooldown", example: `"10m"`,
			doc:  "Time after a failover in which no other starts by itself. None is needed: a lost node stays FAIL until it is taken back.",
			bind: func(f *Failover) value { return duration{p: &f.Cooldown, off: true} },
		},
		{
			path: "max_loss", example: `"any"`,
			doc:  "How many transactions may be known to be lost by a failover that starts by itself; with 0 it rather does not start.",
			bind: func(f *Failover) value { return loss{&f.MaxLoss, &f.AnyLoss} },
		},
		{
			path: "fence",
			doc:  "`required`: no promotion unless the old node is known to be fenced: turned off by the `shutdown` program, read-only, or without the virtual address. `best_effort` fences what it can reach within `fence_timeout`.",
			bind: func(f *Failover) value { return wordOf(&f.Fence, FenceBestEffort, FenceRequired) },
		},
		{
			path: "rejoin",
			doc:  "What is done with an old writer that is back: `auto` makes it a replica if it holds nothing extra, `fence` only sees to it that it takes no writes.",
			bind: func(f *Failover) value { return wordOf(&f.Rejoin, RejoinAuto, RejoinFence) },
		},
		{
			path: "failback",
			doc:  "`auto`: a PRIMARY that is well again gets the role back by a switchover.",
			bind: func(f *Failover) value { return wordOf(&f.Failback, FailbackNone, FailbackAuto) },
		},
		{
			path: "start_command", usually: "the first of the systemd units `mariadb`, `mysql` and `mysqld` that there is",
			doc:  "Command of the shell that starts the server, on a node's host: `mpp rejoin --clone` replaces its data while it is down.",
			bind: func(f *Failover) value { return text{p: &f.StartCommand} },
		},
		{
			path: "stop_command", usually: "as for `start_command`",
			doc:  "Command of the shell that stops it.",
			bind: func(f *Failover) value { return text{p: &f.StopCommand} },
		},
		{
			path: "binlog_program", usually: "`mariadb-binlog` or `mysqlbinlog` in the host's PATH",
			doc:  "Program that reads binary logs, on the nodes' hosts.",
			bind: func(f *Failover) value { return text{p: &f.BinlogProgram} },
		},
	}
}

// The least limits: below them a step fails on a server that is well.
const (
	minFence = 50 * time.Millisecond
	minStep  = 500 * time.Millisecond
	minApply = time.Second
)

func stepRows() []row[Failover] {
	return []row[Failover]{
		{
			path: "fence_timeout",
			doc:  "Limit of each step that fences the old node; half of it where nothing has answered a row of polls, unless fencing is `required`.",
			bind: func(f *Failover) value { return duration{p: &f.FenceTimeout, least: minFence} },
		},
		{
			path: "apply_timeout",
			doc:  "How long the candidate may take to execute what it has received.",
			bind: func(f *Failover) value { return duration{p: &f.ApplyTimeout, least: minApply} },
		},
		{
			path: "step_timeout",
			doc:  "Limit of every other step.",
			bind: func(f *Failover) value { return duration{p: &f.StepTimeout, least: minStep} },
		},
		{
			path: "binlog_tail",
			doc:  "Whether transactions that reached no replica are taken from the dead server's binary log, over ssh, where its host still answers.",
			bind: func(f *Failover) value { return boolean{&f.BinlogTail} },
		},
		{
			path: "block",
			doc:  "MariaDB: what keeps privileged accounts from writing, too. `read_only` alone does not hold them; `revoke` takes the privileges that pass it from `switchover.lock_accounts`, `lock` locks those accounts.",
			bind: func(f *Failover) value { return wordOf(&f.Block, BlockReadOnly, BlockRevoke, BlockLock) },
		},
		{
			path: "semi_sync",
			doc:  "`manage`: the settings of semi-synchronous replication follow the role. `keep` leaves them as they are.",
			bind: func(f *Failover) value { return wordOf(&f.SemiSync, SemiSyncKeep, SemiSyncManage) },
		},
		{
			path: "events",
			doc:  "Whether EVENTs run where the writer is: the event scheduler is stopped on the old one and started on the new one.",
			bind: func(f *Failover) value { return boolean{&f.Events} },
		},
	}
}

func shutdownRows() []row[Shutdown] {
	return []row[Shutdown]{
		{
			path: "program", example: `"/etc/mpp/stonith"`,
			doc:  "The program. It must end with 0 only when the node takes no more writes for certain.",
			bind: func(s *Shutdown) value { return file{text{p: &s.Program}} },
		},
		{
			path: "timeout", doc: "Limit of one run.",
			bind: func(s *Shutdown) value { return duration{p: &s.Timeout, least: minStep} },
		},
	}
}

// switchoverRows are the keys of [defaults.switchover] and [pool.switchover].
func switchoverRows() []row[Switchover] {
	return []row[Switchover]{
		{
			path: "wait",
			doc:  "How long the target's lag is waited for, before the old writer is touched.",
			bind: func(s *Switchover) value { return duration{p: &s.Wait, least: minWait} },
		},
		{
			path: "kill_after",
			doc:  "How long open transactions get to end.",
			bind: func(s *Switchover) value { return duration{p: &s.KillAfter, least: minWait} },
		},
		{
			path: "long_transactions",
			doc:  "What is done with transactions that last longer than `kill_after`: `kill` ends their sessions, `refuse` gives the switchover up.",
			bind: func(s *Switchover) value {
				return wordOf(&s.LongTransactions, LongTransactionsKill, LongTransactionsRefuse)
			},
		},
		{
			path: "max_lag",
			doc:  "A target that is further behind is waited for, up to `wait`.",
			bind: func(s *Switchover) value { return duration{p: &s.MaxLag, least: minLag} },
		},
		{
			path: "stop",
			doc:  "How new sessions of applications are kept out: `kill` kills whoever comes, `offline_mode` (MySQL only) lets nobody in, `lock` locks `lock_accounts`.",
			bind: func(s *Switchover) value { return wordOf(&s.Stop, StopKill, StopOfflineMode, StopLock) },
		},
		{
			path: "lock_accounts", example: `["app@%"]`,
			doc:  "Accounts of applications, each as the server names it: for `stop = \"lock\"`, and for `failover.block` `revoke` and `lock`.",
			bind: func(s *Switchover) value { return lockAccounts{&s.LockAccounts} },
		},
	}
}

// The least times of a switchover: shorter ones would end before the servers are asked.
const (
	minWait = 100 * time.Millisecond
	minLag  = 100 * time.Millisecond
)
