package mpp

import (
	"fmt"
	"time"
)

// Risk is something about a server's settings that can lose data, or that keeps a promotion from
// being safe. What can be done about it is in the text.
type Risk struct {
	// Code names it for good, such as "sync-binlog".
	Code string `json:"code"`
	// Severity is CRITICAL for what keeps a promotion from being safe, WARN for what loses data
	// when something else goes wrong, and INFO for what one should know.
	Severity Status `json:"severity"`
	// Text is one line: what is set, what it does, and what to set instead.
	Text string `json:"text"`
}

// Standing is what a server is for, as far as that decides which settings matter.
type Standing struct {
	// Flavour is "mysql" or "mariadb".
	Flavour string
	// Active says that the node takes the writes, NoPromote that it never will.
	Active    bool
	NoPromote bool
	// Channels are its replication channels, as last seen.
	Channels []Channel
}

// Risks lists what the server's own words of the last poll say of its settings; nil while they
// are not known.
func (o *Observation) Risks(active, noPromote bool) []Risk {
	if o.Server.Settings == nil {
		return nil
	}
	return o.Server.Settings.Risks(Standing{Flavour: o.Server.Flavour, Active: active, NoPromote: noPromote, Channels: o.Channels})
}

// Risks lists the risks of the settings, the worst first.
func (s Settings) Risks(of Standing) []Risk {
	var list []Risk
	c := risky{s, of}
	for _, r := range riskRules() {
		if r.applies(c) {
			list = append(list, Risk{r.code, r.severity, r.text(c)})
		}
	}
	return list
}

// risky is what a rule looks at.
type risky struct {
	Settings
	of Standing
}

// riskRule is one line of the catalogue.
type riskRule struct {
	code     string
	severity Status
	applies  func(risky) bool
	text     func(risky) string
}

const (
	// minSemiSyncTimeout is the servers' own default; a failover out of silence, fencing
	// included, may take half of it.
	minSemiSyncTimeout = 10 * time.Second
	// minRetryFor is for how long a replica should go on looking for its source: a repair takes
	// that long, and nothing starts a receiver that gave up.
	minRetryFor = time.Hour
)

// riskRules is the catalogue, the worst first. A predicate is one line, and each stands alone.
func riskRules() []riskRule {
	return append(criticalRisks(), append(lossyRisks(), knownRisks()...)...)
}

// criticalRisks keep a promotion from being safe.
func criticalRisks() []riskRule {
	return []riskRule{
		{
			"binlog-off", Critical,
			func(c risky) bool { return c.mayLead() && !c.LogBin },
			says("log_bin is off: nothing can replicate from this server; start it with log_bin"),
		},
		{
			"replica-updates-off", Critical,
			func(c risky) bool { return c.mayLead() && c.LogBin && !c.LogReplicaUpdates },
			says("what this server replicates is not in its binary log, so that once promoted it cannot give to others what they miss; " +
				"start it with log_slave_updates (log_replica_updates)"),
		},
		{
			"gtid-off", Critical,
			func(c risky) bool { return c.mysql() && !c.GTID },
			says("gtid_mode or enforce_gtid_consistency is not ON: who has which transactions cannot be compared"),
		},
		{
			"log-position", Critical,
			func(c risky) bool { return !c.of.Active && !c.byGTID() },
			says("it replicates by log position: what it has received cannot be compared, and it cannot be pointed at another source; " +
				"set SOURCE_AUTO_POSITION = 1 (MASTER_USE_GTID = slave_pos)"),
		},
	}
}

// lossyRisks lose data when something else goes wrong.
func lossyRisks() []riskRule {
	return []riskRule{
		{
			"gtid-not-strict", Warn,
			func(c risky) bool { return c.mariadb() && !c.GTID },
			says("gtid_strict_mode is OFF: a transaction of its own on a replica goes unnoticed, and the copies drift apart; set it ON"),
		},
		{
			"statement-format", Warn,
			func(c risky) bool { return c.mayLead() && c.LogBin && c.BinlogFormat == "STATEMENT" },
			says("binlog_format is STATEMENT: what a statement did here it need not do on a replica; set ROW, or MIXED"),
		},
		{
			"sync-binlog", Warn,
			func(c risky) bool { return c.mayLead() && c.LogBin && c.SyncBinlog != 1 },
			func(c risky) string {
				return fmt.Sprintf("sync_binlog is %d: when the host crashes, committed transactions are missing from the binary log "+
					"though replicas may have them; set 1", c.SyncBinlog)
			},
		},
		{
			"flush-log", Warn,
			func(c risky) bool { return c.FlushLog != 1 && c.FlushLog != 3 }, // 3 is MariaDB's, and safer still
			func(c risky) string {
				return fmt.Sprintf("innodb_flush_log_at_trx_commit is %d: when the host crashes, up to a second of what it had committed "+
					"or acknowledged is lost; set 1", c.FlushLog)
			},
		},
		{
			"relay-recovery-off", Warn,
			func(c risky) bool { return c.replica() && !c.RelayLogRecovery && !c.discardsByGTID() },
			says("relay_log_recovery is OFF: after a crash of the host the relay log may be torn, and what was received is then " +
				"read wrongly or not at all; set it ON, and know that a restart then throws away what was not executed"),
		},
		{
			"semi-sync-timeout", Warn,
			func(c risky) bool { return c.SemiSyncSource && c.SemiSyncTimeout < minSemiSyncTimeout },
			func(c risky) string {
				return fmt.Sprintf("the semi-sync time-out is %s: when replicas stop to acknowledge for that long, commits go on without "+
					"them, and no application is told that a failover would lose those; set %s or more",
					c.SemiSyncTimeout, minSemiSyncTimeout)
			},
		},
		{
			"semi-sync-after-commit", Warn,
			func(c risky) bool { return c.SemiSyncSource && c.SemiSyncWaitPoint == "AFTER_COMMIT" },
			says("the semi-sync wait point is AFTER_COMMIT: other sessions read what no replica has yet, and a failover takes it back; " +
				"set AFTER_SYNC"),
		},
		{
			"retries-few", Warn,
			func(c risky) bool { return c.retryFor() > 0 && c.retryFor() < minRetryFor },
			func(c risky) string {
				return fmt.Sprintf("its receiver gives up after a source has been gone for %s, and nothing starts it again; "+
					"set SOURCE_RETRY_COUNT and SOURCE_CONNECT_RETRY so that it tries for %s or more", c.retryFor(), minRetryFor)
			},
		},
	}
}

// knownRisks are what one should know of, though the setting may well be the best there is.
func knownRisks() []riskRule {
	return []riskRule{
		{
			"relay-log-discarded", Info,
			func(c risky) bool { return c.replica() && (c.RelayLogRecovery || c.discardsByGTID()) },
			says("a restart of this server throws away what it has received and not executed, even what it has acknowledged: " +
				"until its source has sent that again, it is not the copy that it was"),
		},
		{
			"event-scheduler-disabled", Info,
			func(c risky) bool { return c.mayLead() && c.EventScheduler == "DISABLED" },
			says("event_scheduler is DISABLED, which only a restart changes: EVENTs would not run here after a promotion"),
		},
		{
			"event-scheduler-on", Info,
			func(c risky) bool { return !c.of.Active && c.EventScheduler == "ON" },
			says("event_scheduler is ON: an EVENT that is enabled here, as on a writer that came back, writes what no other node has"),
		},
	}
}

// says is a text without numbers.
func says(text string) func(risky) string { return func(risky) string { return text } }

func (c risky) mysql() bool   { return c.of.Flavour == "mysql" }
func (c risky) mariadb() bool { return c.of.Flavour == "mariadb" }

// mayLead says that the server has replicas, or may get some.
func (c risky) mayLead() bool { return c.of.Active || !c.of.NoPromote }

func (c risky) replica() bool { return len(c.of.Channels) > 0 }

// byGTID says that every channel goes by GTID; it is true of a server that is no replica.
func (c risky) byGTID() bool {
	for i := range c.of.Channels {
		if !c.of.Channels[i].ByGTID {
			return false
		}
	}
	return true
}

// discardsByGTID says that the relay log is thrown away whatever relay_log_recovery is: MariaDB
// does so by GTID whenever a thread is started while both were stopped.
func (c risky) discardsByGTID() bool { return c.mariadb() && c.replica() && c.byGTID() }

// retryFor is the shortest time for which a channel tries to reach its source, 0 for unknown.
func (c risky) retryFor() time.Duration {
	var shortest time.Duration
	for i := range c.of.Channels {
		if d := c.of.Channels[i].RetryFor; d > 0 && (shortest == 0 || d < shortest) {
			shortest = d
		}
	}
	return shortest
}
