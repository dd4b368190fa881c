package replication_test

import (
	"database/sql/driver"
	"fmt"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mpp/replication"
)

func heartbeat(t testing.TB) replication.Table {
	t.Helper()
	table, err := replication.ParseTable("mpp.heartbeat")
	if err != nil {
		t.Fatal(err)
	}
	return table
}

func TestMissingPrivilegesAreNamed(t *testing.T) {
	maria10, maria11, mysql := probe(t, maria("10.11.6-MariaDB")), probe(t, maria("11.8.6-MariaDB")), probe(t, mysql80())
	watch := replication.Functions{Monitor: true}
	write := replication.Functions{ReadHeartbeat: true, WriteHeartbeat: true, CreateHeartbeat: true, Heartbeat: heartbeat(t)}
	failover := replication.Functions{Failover: true}
	events, tail := replication.Functions{Events: true}, replication.Functions{BinlogTail: true}
	clone, lock := replication.Functions{Clone: true}, replication.Functions{LockAccounts: true}
	const hash = " IDENTIFIED BY PASSWORD '*3DCF8D1A6A1B5C1E0B1D'"
	for _, c := range []struct {
		name    string
		dialect *replication.Dialect
		use     replication.Functions
		grants  []string
		missing string
	}{
		{"nothing", maria10, watch, []string{"GRANT USAGE ON *.* TO `m`@`%`" + hash}, "SLAVE MONITOR ON *.*"},
		{"no rows", mysql, watch, nil, "REPLICATION CLIENT ON *.*"},
		{"MariaDB monitor", maria10, watch, []string{"GRANT PROCESS, BINLOG MONITOR, SLAVE MONITOR ON *.* TO `m`@`%`" + hash}, ""},
		{"MariaDB's other word", maria10, watch, []string{"GRANT REPLICA MONITOR ON *.* TO m"}, ""},
		{"REPLICATION CLIENT is not enough on MariaDB", maria10, watch, []string{"GRANT REPLICATION CLIENT ON *.* TO m"}, "SLAVE MONITOR ON *.*"},
		{"SUPER was enough up to 10.11", maria10, watch, []string{"GRANT SUPER ON *.* TO m"}, ""},
		{"SUPER is not enough from 11 on", maria11, watch, []string{"GRANT SUPER ON *.* TO m"}, "SLAVE MONITOR ON *.*"},
		{"MySQL monitor", mysql, watch, []string{"GRANT PROCESS, REPLICATION SLAVE, REPLICATION CLIENT ON *.* TO `m`@`%`"}, ""},
		{"all", maria11, failover, []string{"GRANT ALL PRIVILEGES ON *.* TO `root`@`localhost` WITH GRANT OPTION", "GRANT PROXY ON ''@'%' TO 'root'@'localhost'"}, ""},
		{"a role that is active", mysql, watch, []string{"GRANT USAGE ON *.* TO `m`@`%`", "GRANT REPLICATION CLIENT ON *.* TO `m`@`%`", "GRANT `watcher`@`%` TO `m`@`%`"}, ""},
		{"a role that is not", mysql, watch, []string{"GRANT USAGE ON *.* TO `m`@`%`", "GRANT `watcher`@`%`,`x`@`%` TO `m`@`%`"}, "REPLICATION CLIENT ON *.*"},
		{"a schema is not the server", mysql, watch, []string{"GRANT ALL PRIVILEGES ON `mpp`.* TO `m`@`%`"}, "REPLICATION CLIENT ON *.*"},
		{"a schema is enough for its table", mysql, write, []string{"GRANT ALL PRIVILEGES ON `mpp`.* TO `m`@`%`"}, ""},
		{"a pattern", mysql, write, []string{"GRANT SELECT, INSERT, UPDATE, CREATE ON `m_p`.* TO m"}, ""},
		{"an escaped pattern", mysql, write, []string{"GRANT SELECT, INSERT, UPDATE, CREATE ON `m\\_p`.* TO m"}, "SELECT ON mpp.heartbeat, INSERT ON mpp.heartbeat, UPDATE ON mpp.heartbeat, CREATE ON mpp.heartbeat"},
		{"the table", mysql, write, []string{"GRANT SELECT, INSERT, UPDATE ON `mpp`.`heartbeat` TO m"}, "CREATE ON mpp.heartbeat"},
		{"another table", mysql, write, []string{"GRANT SELECT, INSERT, UPDATE, CREATE ON `mpp`.`other` TO m"}, "SELECT ON mpp.heartbeat, INSERT ON mpp.heartbeat, UPDATE ON mpp.heartbeat, CREATE ON mpp.heartbeat"},
		{"some columns", mysql, write, []string{"GRANT SELECT, INSERT, CREATE, UPDATE (ts, server_id) ON `mpp`.`heartbeat` TO m"}, "UPDATE ON mpp.heartbeat"},
		{"a partial revoke", mysql, write, []string{"GRANT SELECT, INSERT, UPDATE, CREATE ON *.* TO m", "REVOKE INSERT ON `mpp`.* FROM `m`@`%`"}, "INSERT ON mpp.heartbeat"},
		{"a partial revoke elsewhere", mysql, write, []string{"GRANT SELECT, INSERT, UPDATE, CREATE ON *.* TO m", "REVOKE INSERT ON `mysql`.* FROM `m`@`%`"}, ""},
		{"dynamic privileges", mysql, failover, []string{
			"GRANT RELOAD, PROCESS ON *.* TO m", "GRANT CONNECTION_ADMIN,REPLICATION_SLAVE_ADMIN,SYSTEM_VARIABLES_ADMIN ON *.* TO m",
		}, ""},
		{"one dynamic privilege short", mysql, failover, []string{
			"GRANT RELOAD, PROCESS ON *.* TO m", "GRANT CONNECTION_ADMIN,REPLICATION_SLAVE_ADMIN ON *.* TO m",
		}, "SYSTEM_VARIABLES_ADMIN ON *.*"},
		{"MariaDB failover with SUPER", maria10, failover, []string{"GRANT SUPER, RELOAD, PROCESS ON *.* TO m"}, "READ_ONLY ADMIN ON *.*"},
		{"nothing but sessions of one's own", mysql, failover, []string{"GRANT SUPER, RELOAD ON *.* TO m"}, "PROCESS ON *.*"},
		{"MariaDB's events", maria11, events, []string{"GRANT EVENT, SET USER ON *.* TO m"}, "SUPER ON *.*"},
		{"MariaDB's events with SUPER", maria10, events, []string{"GRANT EVENT, SUPER ON *.* TO m"}, ""},
		{"MySQL's events", mysql, events, []string{"GRANT EVENT ON *.* TO m"}, "SET_USER_ID ON *.*"},
		{"events of one schema", mysql, events, []string{"GRANT EVENT ON `app`.* TO m", "GRANT SET_USER_ID ON *.* TO m"}, "EVENT ON *.*"},
		{"a binary log's tail", maria11, tail, []string{"GRANT SUPER ON *.* TO m"}, "BINLOG REPLAY ON *.*"},
		{"MySQL's binary log's tail", mysql, tail, []string{"GRANT BINLOG_ADMIN ON *.* TO m"}, ""},
		{"a copy", mysql, clone, []string{"GRANT BACKUP_ADMIN ON *.* TO m"}, "CLONE_ADMIN ON *.*"},
		{"MariaDB's copy", maria11, clone, []string{"GRANT REPLICATION CLIENT ON *.* TO m"}, ""},
		{"locking", maria11, lock, []string{"GRANT ALL PRIVILEGES ON `app`.* TO m"}, "CREATE USER ON *.*"},
		{"a routine", mysql, watch, []string{"GRANT EXECUTE ON PROCEDURE `a`.`b` TO m"}, "REPLICATION CLIENT ON *.*"},
		{"odd names", mysql, write, []string{"GRANT ALL PRIVILEGES ON `mpp`.* TO ` TO `@`% ON *.*`", "GRANT REPLICATION CLIENT ON `a ON ``b`.* TO m"}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			var missing []string
			for _, n := range replication.ParseGrants(c.grants).Missing(c.dialect.Needs(c.use)) {
				missing = append(missing, n.String())
			}
			if diff := cmp.Diff(c.missing, strings.Join(missing, ", ")); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestHintsAreOfWhatMostServersDoNotNeed(t *testing.T) {
	mysql8, mysql5, maria := probe(t, mysql80()), probe(t, mysql57()), probe(t, mariadb12())
	for _, c := range []struct {
		dialect *replication.Dialect
		use     replication.Functions
		want    string
	}{
		{mysql8, replication.Functions{Monitor: true}, ""},
		{mysql8, replication.Functions{Failover: true}, "SYSTEM_USER ON *.*"},
		{mysql8, replication.Functions{Failover: true, Events: true, BinlogTail: true}, "SYSTEM_USER ON *.*, ALL PRIVILEGES ON *.*"},
		{mysql5, replication.Functions{Failover: true}, ""},
		{maria, replication.Functions{Failover: true, BinlogTail: true}, "ALL PRIVILEGES ON *.*"},
	} {
		var hints []string
		for _, n := range replication.ParseGrants([]string{"GRANT RELOAD ON *.* TO m"}).Missing(c.dialect.Hints(c.use)) {
			hints = append(hints, n.String())
		}
		if diff := cmp.Diff(c.want, strings.Join(hints, ", ")); diff != "" {
			t.Errorf("%+v: %s", c.use, diff)
		}
		if left := replication.ParseGrants([]string{"GRANT ALL PRIVILEGES ON *.* TO m", "GRANT SYSTEM_USER ON *.* TO m"}).Missing(c.dialect.Hints(c.use)); len(left) > 0 {
			t.Errorf("%+v: %v", c.use, left)
		}
	}
}

// maria is a MariaDB of a version.
func maria(version string) *server {
	s := mariadb12()
	s.answers["SHOW GLOBAL VARIABLES"] = variables("version", version, "gtid_current_pos", "")
	return s
}

func TestTableNamesAreQuotedAndChecked(t *testing.T) {
	for in, want := range map[string]string{
		"mpp.heartbeat": "`mpp`.`heartbeat`", " `a b`.`c``d` ": "`a b`.`c``d`",
		"": "", "heartbeat": "", "a.": "", ".b": "", "*.*": "", "a.*": "", "a.b c": "", strings.Repeat("x", 65) + ".t": "",
	} {
		table, err := replication.ParseTable(in)
		if got := table.String(); (err == nil) != (want != "") || (err == nil && got != want) {
			t.Errorf("%q became %s (%v), want %s", in, got, err, want)
		}
	}
}

// FuzzGrants feeds rows of any bytes: the parser must not panic, and nothing of a password hash
// may come out of it, whatever stands around it.
func FuzzGrants(f *testing.F) {
	f.Add("GRANT SELECT, SLAVE MONITOR ON *.*", "`m`@`%`")
	f.Add("GRANT ALL PRIVILEGES ON `a``b`.* ", "x")
	f.Add("GRANT `role`@`%`", "`m`@`%` WITH ADMIN OPTION")
	f.Add("REVOKE INSERT ON `mysql`.*", "")
	f.Add("GRANT UPDATE (a, `b)`) ON 'x'.\"y\"", "")
	f.Fuzz(func(t *testing.T, what, to string) {
		const hash = "*3DCF8D1A6A1B5C1E0B1DSECRETHASH"
		grant := what + " TO " + to + " IDENTIFIED BY PASSWORD '" + hash + "'"
		r := &rows{columns: []string{"Grants"}, data: [][]driver.Value{{[]byte(grant)}}}
		g, err := replication.ReadGrants(r)
		if err != nil {
			t.Fatal(err)
		}
		use := replication.Functions{Monitor: true, WriteHeartbeat: true, Heartbeat: heartbeat(t), Failover: true}
		missing := g.Missing(probe(t, mariadb12()).Needs(use))
		if out := fmt.Sprintf("%+v %v %v", g, g.Roles(), missing); strings.Contains(out, hash) {
			t.Fatalf("the hash of %q came out: %s", grant, out)
		}
	})
}
