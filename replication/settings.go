package replication

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"mpp"
)

// SettingsSQL asks for the settings that decide what a promotion is worth; its rows are for
// Dialect.ReadSettings. A server leaves out what it does not have, which is how one statement
// does for all of them. It needs no privilege.
const SettingsSQL = `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('log_bin', 'log_replica_updates', 'log_slave_updates', ` +
	`'binlog_format', 'log_bin_basename', 'gtid_mode', 'enforce_gtid_consistency', 'gtid_strict_mode', 'sync_binlog', ` +
	`'innodb_flush_log_at_trx_commit', 'relay_log_recovery', 'replica_parallel_workers', 'slave_parallel_workers', ` +
	`'slave_parallel_threads', 'event_scheduler', 'report_host', ` +
	`'rpl_semi_sync_source_enabled', 'rpl_semi_sync_master_enabled', 'rpl_semi_sync_source_timeout', ` +
	`'rpl_semi_sync_master_timeout', 'rpl_semi_sync_source_wait_point', 'rpl_semi_sync_master_wait_point', ` +
	`'rpl_semi_sync_replica_enabled', 'rpl_semi_sync_slave_enabled')`

// errNoSettings says that a server hides its settings: log_bin is one that each of them has.
var errNoSettings = errors.New("the server does not tell whether it has a binary log")

// ReadSettings reads the rows of SettingsSQL.
func (d *Dialect) ReadSettings(rows driver.Rows) (mpp.Settings, error) {
	found, err := pairs(rows)
	if err != nil {
		return mpp.Settings{}, fmt.Errorf("read settings: %w", err)
	}
	if _, told := found["log_bin"]; !told {
		return mpp.Settings{}, fmt.Errorf("read settings: %w", errNoSettings)
	}
	v := settingValues(found)
	s := mpp.Settings{
		LogBin: v.on("log_bin"), LogReplicaUpdates: v.on("log_replica_updates", "log_slave_updates"),
		BinlogFormat: v.word("binlog_format"), LogBase: v.text("log_bin_basename"),
		GTID:       v.on("gtid_strict_mode"),
		SyncBinlog: v.number("sync_binlog"), FlushLog: v.number("innodb_flush_log_at_trx_commit"),
		RelayLogRecovery: v.on("relay_log_recovery"),
		ParallelWorkers:  v.number("replica_parallel_workers", "slave_parallel_workers", "slave_parallel_threads"),
		EventScheduler:   v.word("event_scheduler"),
		SemiSyncSource:   v.on("rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled"),
		SemiSyncReplica:  v.on("rpl_semi_sync_replica_enabled", "rpl_semi_sync_slave_enabled"),
		SemiSyncTimeout:  v.milliseconds("rpl_semi_sync_source_timeout", "rpl_semi_sync_master_timeout"),
		// Either side counts: who has one plugin of MySQL has the file of the other, too.
		SemiSyncInstalled: v.has("rpl_semi_sync_source_enabled", "rpl_semi_sync_master_enabled",
			"rpl_semi_sync_replica_enabled", "rpl_semi_sync_slave_enabled"),
		SemiSyncWaitPoint: v.word("rpl_semi_sync_source_wait_point", "rpl_semi_sync_master_wait_point"),
		ReportHost:        v.text("report_host"),
	}
	if d.Flavour == MySQL {
		s.GTID = v.word("gtid_mode") == "ON" && v.word("enforce_gtid_consistency") == "ON"
	}
	return s, nil
}

// settingValues are variables by their names in lower case. Its methods take the names that a
// variable had over time, and read the first that is there.
type settingValues map[string]string

func (v settingValues) text(names ...string) string {
	for _, name := range names {
		if value, is := v[name]; is {
			return value
		}
	}
	return ""
}

func (v settingValues) has(names ...string) bool {
	for _, name := range names {
		if _, is := v[name]; is {
			return true
		}
	}
	return false
}

func (v settingValues) word(names ...string) string { return strings.ToUpper(v.text(names...)) }

func (v settingValues) on(names ...string) bool { return on(v.text(names...)) }

func (v settingValues) number(names ...string) uint32 { return number32(v.text(names...)) }

func (v settingValues) milliseconds(names ...string) time.Duration {
	n, _ := number(v.text(names...))
	return time.Duration(min(max(n, 0), maxSeconds*1000)) * time.Millisecond
}
