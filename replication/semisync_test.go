package replication_test

import (
	"database/sql/driver"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/replication"
)

func TestSemiSyncIsReadInEverySpelling(t *testing.T) {
	want := replication.SemiSyncStatus{
		SemiSync:  mpp.SemiSync{Source: true, Replica: true, Clients: 2, Waiting: 3},
		HasSource: true, HasReplica: true, Acknowledged: 4711,
	}
	for name, words := range map[string]*strings.Replacer{
		"MySQL": strings.NewReplacer(), "MariaDB": strings.NewReplacer("source", "master", "replica", "slave"),
	} {
		r := variables()
		for _, pair := range [][2]string{
			{"Rpl_semi_sync_replica_status", "ON"},
			{"Rpl_semi_sync_source_clients", "2"},
			{"Rpl_semi_sync_source_no_tx", "9"},
			{"Rpl_semi_sync_source_status", "ON"},
			{"Rpl_semi_sync_source_tx_waits", "8"},
			{"Rpl_semi_sync_source_wait_pos_backtraverse", "7"},
			{"Rpl_semi_sync_source_wait_sessions", "3"},
			{"Rpl_semi_sync_source_yes_tx", "4711"},
			{"Rpl_semi_sync_slave_send_ack", "6"},
		} {
			r.data = append(r.data, []driver.Value{[]byte(words.Replace(pair[0])), []byte(pair[1])})
		}
		got, err := replication.ReadSemiSync(r)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
}

func TestServerWithoutSemiSyncHasNoSides(t *testing.T) {
	got, err := replication.ReadSemiSync(variables())
	if diff := cmp.Diff(replication.SemiSyncStatus{}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	got, err = replication.ReadSemiSync(variables("Rpl_semi_sync_replica_status", "OFF"))
	if diff := cmp.Diff(replication.SemiSyncStatus{HasReplica: true}, got); diff != "" || err != nil {
		t.Error(err, diff)
	}
	if _, err := replication.ReadSemiSync(&rows{columns: []string{"one"}}); err == nil {
		t.Error("an answer of one column passed")
	}
}

func TestSettingsAreReadInEverySpelling(t *testing.T) {
	common := []string{
		"log_bin", "ON", "binlog_format", "ROW", "log_bin_basename", "/data/binlog", "sync_binlog", "1",
		"innodb_flush_log_at_trx_commit", "2", "relay_log_recovery", "ON", "event_scheduler", "DISABLED", "report_host", "db1",
	}
	want := mpp.Settings{
		LogBin: true, LogReplicaUpdates: true, BinlogFormat: "ROW", LogBase: "/data/binlog", GTID: true, SyncBinlog: 1, FlushLog: 2,
		RelayLogRecovery: true, ParallelWorkers: 4, EventScheduler: "DISABLED", ReportHost: "db1", SemiSyncInstalled: true,
		SemiSyncSource: true, SemiSyncTimeout: 10 * time.Second, SemiSyncWaitPoint: "AFTER_SYNC",
	}
	without := want
	without.SemiSyncInstalled, without.SemiSyncSource, without.SemiSyncTimeout, without.SemiSyncWaitPoint = false, false, 0, ""
	noGTID := without
	noGTID.GTID = false
	old, mariadb, mysql := probe(t, mysql57()), probe(t, mariadb12()), probe(t, mysql84())
	for name, c := range map[string]struct {
		dialect *replication.Dialect
		more    []string
		want    mpp.Settings
	}{
		"MySQL 5.7": {old, []string{
			"log_slave_updates", "ON", "gtid_mode", "ON", "enforce_gtid_consistency", "ON", "slave_parallel_workers", "4",
			"rpl_semi_sync_master_enabled", "ON", "rpl_semi_sync_master_timeout", "10000", "rpl_semi_sync_master_wait_point", "AFTER_SYNC",
			"rpl_semi_sync_slave_enabled", "OFF",
		}, want},
		"MySQL 8.4": {mysql, []string{
			"log_replica_updates", "ON", "log_slave_updates", "ON", "gtid_mode", "ON", "enforce_gtid_consistency", "ON",
			"replica_parallel_workers", "4", "slave_parallel_workers", "4",
			"rpl_semi_sync_source_enabled", "ON", "rpl_semi_sync_source_timeout", "10000", "rpl_semi_sync_source_wait_point", "AFTER_SYNC",
		}, want},
		"MariaDB": {mariadb, []string{
			"log_slave_updates", "ON", "gtid_strict_mode", "ON", "slave_parallel_threads", "4",
			"rpl_semi_sync_master_enabled", "ON", "rpl_semi_sync_master_timeout", "10000", "rpl_semi_sync_master_wait_point", "AFTER_SYNC",
			"rpl_semi_sync_slave_enabled", "OFF",
		}, want},
		"MySQL without plugins": {mysql, []string{
			"log_replica_updates", "ON", "gtid_mode", "ON", "enforce_gtid_consistency", "ON", "replica_parallel_workers", "4",
		}, without},
		"MySQL on its way to GTIDs": {mysql, []string{
			"log_replica_updates", "ON", "gtid_mode", "ON_PERMISSIVE", "enforce_gtid_consistency", "ON", "replica_parallel_workers", "4",
		}, noGTID},
		"MySQL that only warns": {mysql, []string{
			"log_replica_updates", "ON", "gtid_mode", "ON", "enforce_gtid_consistency", "WARN", "replica_parallel_workers", "4",
		}, noGTID},
	} {
		got, err := c.dialect.ReadSettings(variables(append(common[:len(common):len(common)], c.more...)...))
		if diff := cmp.Diff(c.want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", name, err, diff)
		}
	}
	if _, err := mysql.ReadSettings(variables("sync_binlog", "1")); err == nil {
		t.Error("settings without log_bin passed")
	}
}
