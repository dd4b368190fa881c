package fakenode

import (
	"maps"
	"slices"
)

// Profile is what a kind of server says. Its maps and slices may be shared by many nodes.
type Profile struct {
	// Greeting is the version that the handshake tells, which need not be that of VERSION().
	Greeting string
	// Variables answer SHOW GLOBAL VARIABLES and SELECT @@..., Status SHOW GLOBAL STATUS; the
	// names are in lower case, the values strings or ints.
	Variables, Status map[string]any
	Answers           []Answer
}

// With returns a copy with more answers, which go before those of the profile.
func (p Profile) With(answers ...Answer) Profile {
	p.Answers = append(slices.Clone(p.Answers), answers...)
	return p
}

// WithVariables returns a copy with other values for some variables; nil removes one.
func (p Profile) WithVariables(values map[string]any) Profile {
	p.Variables = maps.Clone(p.Variables)
	for name, v := range values {
		if v == nil {
			delete(p.Variables, name)
		} else {
			p.Variables[name] = v
		}
	}
	return p
}

// common are statements that all products answer alike. SET and KILL do nothing.
func common(grants string) []Answer {
	return []Answer{
		{Prefix: "SELECT 1", Result: Result{Columns: []string{"1"}, Rows: [][]any{{1}}}},
		{Prefix: "SET "},
		{Prefix: "KILL "},
		{Prefix: "SHOW GRANTS", Result: Result{Columns: []string{"Grants for mpp@%"}, Rows: [][]any{{grants}}}},
		{Prefix: "SELECT COMMAND, STATE", Result: Result{Columns: []string{"COMMAND", "STATE", "waiting"}}},
	}
}

// Source is what a replica says of where it replicates from.
type Source struct {
	Host string
	Port int
	ID   int
	UUID string // MySQL only
	// Lag is Seconds_Behind, in seconds.
	Lag int
}

// MariaDB1011 is MariaDB 10.11; s is nil for a server that is no replica.
func MariaDB1011(s *Source) Profile {
	const version = "10.11.19-MariaDB-log"
	p := Profile{
		Greeting: "5.5.5-" + version,
		Variables: map[string]any{
			"version": version, "version_comment": "fake", "server_id": 1,
			"read_only": "OFF", "innodb_read_only": "OFF", "gtid_current_pos": "0-1-4711", "gtid_binlog_pos": "0-1-4711",
			"gtid_slave_pos": "", "max_statement_time": "0.000000", "wsrep_on": "OFF", "wsrep_sync_wait": 0,
			"gtid_binlog_state": "0-1-4711", "gtid_strict_mode": "ON", "slave_parallel_threads": 0,
			"rpl_semi_sync_master_enabled": "OFF", "rpl_semi_sync_master_timeout": 10000,
			"rpl_semi_sync_master_wait_point": "AFTER_COMMIT", "rpl_semi_sync_slave_enabled": "OFF",
		},
		Status: map[string]any{
			"uptime": 86400, "rpl_semi_sync_master_status": "OFF", "rpl_semi_sync_master_clients": 0,
			"rpl_semi_sync_master_wait_sessions": 0, "rpl_semi_sync_master_yes_tx": 0, "rpl_semi_sync_slave_status": "OFF",
		},
		Answers: common("GRANT BINLOG MONITOR, SLAVE MONITOR, PROCESS ON *.* TO `mpp`@`%`"),
	}
	maps.Copy(p.Variables, settings())
	all := replica(mariadbAllColumns(), "Slave", "Master", s)
	one := replica(mariadbColumns(), "Slave", "Master", s)
	return p.With(Answer{"SHOW ALL SLAVES STATUS", all}, Answer{"SHOW SLAVE STATUS", one}, Answer{"SHOW REPLICA STATUS", one})
}

// MySQL57 is MySQL 5.7, which knows no REPLICA statement.
func MySQL57(s *Source) Profile {
	return mysql("5.7.44-log").With(Answer{"SHOW SLAVE STATUS", replica(mysqlColumns("Slave", "Master"), "Slave", "Master", s)})
}

// MySQL80 is MySQL 8.0, which knows both ways to ask; each has columns of its own.
func MySQL80(s *Source) Profile {
	return mysql("8.0.42").With(
		Answer{"SHOW SLAVE STATUS", replica(mysqlColumns("Slave", "Master"), "Slave", "Master", s)},
		Answer{"SHOW REPLICA STATUS", replica(mysqlColumns("Replica", "Source"), "Replica", "Source", s)},
	)
}

// MySQL97 is MySQL 9.7, which has forgotten the old way to ask.
func MySQL97(s *Source) Profile {
	return mysql("9.7.4-2").With(Answer{"SHOW REPLICA STATUS", replica(mysqlColumns("Replica", "Source"), "Replica", "Source", s)})
}

// settings are variables that all products have.
func settings() map[string]any {
	return map[string]any{
		"log_bin": "ON", "log_slave_updates": "ON", "binlog_format": "ROW", "log_bin_basename": "/var/lib/mysql/binlog",
		"sync_binlog": 1, "innodb_flush_log_at_trx_commit": 1, "relay_log_recovery": "ON", "event_scheduler": "OFF", "report_host": "",
	}
}

func mysql(version string) Profile {
	p := Profile{
		Greeting: version,
		Variables: map[string]any{
			"version": version, "version_comment": "fake", "server_id": 1,
			"server_uuid": "00000000-0000-0000-0000-000000000001",
			"read_only":   "OFF", "super_read_only": "OFF", "offline_mode": "OFF", "innodb_read_only": "OFF",
			"gtid_executed": "00000000-0000-0000-0000-000000000001:1-4711", "max_execution_time": 0,
			"gtid_mode": "ON", "enforce_gtid_consistency": "ON", "slave_parallel_workers": 4,
		},
		Status: map[string]any{"uptime": 86400},
		Answers: append(common("GRANT REPLICATION CLIENT, PROCESS ON *.* TO `mpp`@`%`"),
			Answer{"SELECT COUNT(*) FROM performance_schema.error_log", Result{Columns: []string{"n"}, Rows: [][]any{{0}}}}),
	}
	maps.Copy(p.Variables, settings())
	return p
}
