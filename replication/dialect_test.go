package replication_test

import (
	"database/sql/driver"
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/replication"
)

// probe probes a made-up server and asks for the replica's status until a spelling is known.
func probe(t *testing.T, s *server) *replication.Dialect {
	t.Helper()
	d, err := replication.Probe(t.Context(), s)
	if err != nil {
		t.Fatal(err)
	}
	for {
		_, err := s.QueryContext(t.Context(), d.StatusSQL(), nil)
		if err == nil {
			return d
		}
		if !d.Refused(err) {
			t.Fatalf("no spelling of the replica's status is known to %s: %v", d.Version, s.asked)
		}
	}
}

func TestDialectIsChosenByAskingTheServer(t *testing.T) {
	for name, c := range map[string]struct {
		server        *server
		flavour       string
		galera, group bool
		status        string
		sql           []string
		not           []string
	}{
		"MySQL 5.7": {
			mysql57(), replication.MySQL, false, false, "SHOW SLAVE STATUS",
			[]string{"@@global.super_read_only", "@@global.gtid_executed", "max_execution_time = 1500"},
			[]string{"gtid_current_pos", "max_statement_time"},
		},
		"MySQL 8.0": {
			mysql80(), replication.MySQL, false, true, "SHOW REPLICA STATUS",
			[]string{"@@global.offline_mode", "group_replication_consistency = 'EVENTUAL'", "replication_group_members"},
			[]string{"SLAVE", "MASTER"},
		},
		"MySQL 8.4": {
			mysql84(), replication.MySQL, false, false, "SHOW REPLICA STATUS",
			nil,
			[]string{"SLAVE", "MASTER", "group"},
		},
		"MariaDB 12": {
			mariadb12(), replication.MariaDB, true, false, "SHOW ALL SLAVES STATUS",
			[]string{"@@global.gtid_current_pos", "max_statement_time = 1.500", "wsrep_sync_wait = 0", "wsrep_cluster_status"},
			[]string{"super_read_only", "offline_mode", "gtid_executed", "max_execution_time", "server_uuid"},
		},
	} {
		t.Run(name, func(t *testing.T) {
			d := probe(t, c.server)
			if d.Flavour != c.flavour || d.Galera != c.galera || d.Group != c.group || d.StatusSQL() != c.status {
				t.Errorf("got %+v asking %q", d, d.StatusSQL())
			}
			limits := replication.Limits{Statement: 1500 * time.Millisecond, Lock: time.Second, Idle: time.Hour}
			all := strings.Join(append(slices.Clone(c.server.asked), d.ServerSQL(), d.SessionSQL(limits), d.UnsyncedSQL(), d.MemberSQL()), "\n")
			_, after, _ := strings.Cut(all, "SHOW GLOBAL STATUS LIKE 'Uptime'") // the probe names every variable
			for _, part := range c.sql {
				if !strings.Contains(after, part) {
					t.Errorf("no %q in\n%s", part, after)
				}
			}
			for _, part := range c.not {
				if strings.Contains(after, part) {
					t.Errorf("%q in\n%s", part, after)
				}
			}
		})
	}
}

func TestOlderSpellingIsOnlyTriedWhenTheNewerIsUnknown(t *testing.T) {
	d := probe(t, mysql84())
	for _, err := range []error{
		&mysql.MySQLError{Number: 1227, Message: "Access denied"},
		&mysql.MySQLError{Number: 1053}, errors.New("broken"), nil,
	} {
		if d.Refused(err) || d.StatusSQL() != "SHOW REPLICA STATUS" {
			t.Errorf("%v led to %s", err, d.StatusSQL())
		}
	}
}

func TestProbeSaysWhatIsWrong(t *testing.T) {
	s := mysql57()
	delete(s.answers, "SHOW GLOBAL VARIABLES")
	if _, err := replication.Probe(t.Context(), s); err == nil || !strings.Contains(err.Error(), "probe variables") {
		t.Errorf("got %v", err)
	}
	s.answers["SHOW GLOBAL VARIABLES"] = variables("read_only", "OFF")
	if _, err := replication.Probe(t.Context(), s); err == nil || !strings.Contains(err.Error(), "version") {
		t.Errorf("got %v", err)
	}
	s.answers["SHOW GLOBAL VARIABLES"] = &rows{columns: []string{"a"}}
	if _, err := replication.Probe(t.Context(), s); err == nil || !strings.Contains(err.Error(), "1 columns") {
		t.Errorf("got %v", err)
	}
}

func TestServerIsReadOnlyByAnyOfItsSwitches(t *testing.T) {
	read := func(s *server, values ...driver.Value) mpp.Server {
		d := probe(t, s)
		got, err := d.NewServerReader(time.Unix(100000, 5)).Read(&rows{columns: make([]string, len(values)), data: [][]driver.Value{values}})
		if err != nil {
			t.Fatal(err)
		}
		return got
	}
	uuid := "8a94f357-aab4-11df-86ab-c80aa9429562"
	mysqlServer := mpp.Server{Flavour: "mysql", Version: "5.7.44-log", ID: 7, UUID: uuid, StartedAt: time.Unix(13600, 0)}
	maria := mpp.Server{Flavour: "mariadb", Version: "12.1.2-MariaDB-log", ID: 1<<32 - 1, StartedAt: time.Unix(99995, 0), GTID: "0-1-5"}
	with := func(s mpp.Server, readOnly, super bool, gtid string) mpp.Server {
		s.ReadOnly, s.SuperReadOnly, s.GTID = readOnly, super, gtid
		return s
	}
	zero, one := int64(0), int64(1)
	for _, c := range []struct{ got, want mpp.Server }{
		{read(mysql57(), uint64(7), zero, zero, zero, zero, []byte("")), with(mysqlServer, false, false, "")},
		{read(mysql57(), uint64(7), one, zero, zero, zero, []byte("a:1-2,\nb:1")), with(mysqlServer, true, false, "a:1-2,b:1")},
		{read(mysql57(), uint64(7), one, one, zero, zero, nil), with(mysqlServer, true, true, "")},
		{read(mysql57(), uint64(7), zero, zero, one, zero, nil), with(mysqlServer, true, false, "")},
		{read(mysql57(), uint64(7), zero, zero, zero, one, nil), with(mysqlServer, true, false, "")},
		{read(mariadb12(), uint64(1<<32-1), []byte("OFF"), zero, []byte("0-1-5")), with(maria, false, false, "0-1-5")},
		{read(mariadb12(), uint64(1<<32-1), []byte("NO_LOCK"), zero, []byte("0-1-5")), with(maria, true, false, "0-1-5")},
		{read(mariadb12(), uint64(1<<32-1), []byte("NO_LOCK_NO_ADMIN"), zero, []byte("0-1-5")), with(maria, true, true, "0-1-5")},
	} {
		if diff := cmp.Diff(c.want, c.got); diff != "" {
			t.Error(diff)
		}
	}
}

func TestServerWithoutARowIsAnError(t *testing.T) {
	d := probe(t, mysql57())
	if _, err := d.NewServerReader(time.Now()).Read(&rows{columns: make([]string, 6)}); err == nil {
		t.Error("no row, no error")
	}
}

func TestGTIDOfTheLastPollIsKeptUntilItChanges(t *testing.T) {
	r := probe(t, mysql57()).NewServerReader(time.Now())
	for _, c := range []struct{ raw, want string }{
		{"a:1-5,\nb:1", "a:1-5,b:1"},
		{"a:1-5,\nb:1", "a:1-5,b:1"},
		{"a:1-5,\nb:1-2", "a:1-5,b:1-2"},
		{"a:1-5", "a:1-5"},
		{"", ""},
		{"a:1-5,\r\nb:1", "a:1-5,b:1"},
	} {
		one := int64(1)
		s, err := r.Read(&rows{columns: make([]string, 6), data: [][]driver.Value{{one, one, one, one, one, []byte(c.raw)}}})
		if err != nil || s.GTID != c.want {
			t.Errorf("%q became %q (%v), want %q", c.raw, s.GTID, err, c.want)
		}
	}
}
