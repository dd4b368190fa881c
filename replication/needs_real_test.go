package replication_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"strings"
	"testing"

	"github.com/go-sql-driver/mysql"

	"mpp/replication"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// deed is something that a function does: it is refused where one of its needs is missing. Its
// statements run in one session of the account.
type deed struct {
	needs []string
	sql   []string
	// sees says that the last statement returns a number, which is 0 for an account that may not see.
	sees bool
}

func needs(privileges ...string) []string { return privileges }

// noEvent is a BINLOG statement that no server takes, but for its content.
const noEvent = "BINLOG '0000'"

// deeds are what the functions do on a server, beside what any account may. KILL 0 is to end the
// session of another account.
func deeds(mariaDB bool) []deed {
	both := []deed{
		{needs("RELOAD"), []string{"FLUSH TABLES WITH READ LOCK", "UNLOCK TABLES"}, false},
		{needs("PROCESS"), []string{"SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'victim'"}, true},
		{needs("PROCESS"), []string{"SELECT COUNT(*) + 1 FROM information_schema.INNODB_TRX"}, true},
		{needs("EVENT"), []string{"SELECT COUNT(*) FROM information_schema.EVENTS"}, true},
		{needs("CREATE USER"), []string{"ALTER USER 'victim'@'%' ACCOUNT LOCK", "ALTER USER 'victim'@'%' ACCOUNT UNLOCK"}, false},
	}
	if mariaDB {
		return append(mariaDBDeeds(), both...)
	}
	return append(mysqlDeeds(), both...)
}

func mariaDBDeeds() []deed {
	return []deed{
		{needs("SLAVE MONITOR"), []string{"SHOW ALL SLAVES STATUS"}, false},
		{needs("REPLICATION SLAVE ADMIN"), []string{"STOP SLAVE", "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = 1"}, false},
		{needs("REPLICATION SLAVE ADMIN"), []string{"SET GLOBAL gtid_slave_pos = @@global.gtid_current_pos"}, false},
		{needs("RELOAD"), []string{"RESET SLAVE ALL"}, false},
		{needs("REPLICATION MASTER ADMIN"), []string{"SET GLOBAL rpl_semi_sync_master_timeout = 10000", "SET GLOBAL rpl_semi_sync_master_enabled = 0"}, false},
		{needs("REPLICATION SLAVE ADMIN"), []string{"SET GLOBAL rpl_semi_sync_slave_enabled = 0"}, false},
		{needs("READ_ONLY ADMIN"), []string{"SET GLOBAL read_only = 1", "SET GLOBAL read_only = 0"}, false},
		{needs("BINLOG ADMIN"), []string{"SET SESSION sql_log_bin = 0", "SET SESSION sql_log_bin = 1"}, false},
		{needs("CONNECTION ADMIN"), []string{"KILL 0"}, false},
		{needs("SUPER"), []string{"SET GLOBAL event_scheduler = ON", "SET GLOBAL event_scheduler = OFF"}, false},
		{needs("SET USER", "EVENT"), []string{"ALTER DEFINER = 'victim'@'%' EVENT app.e ENABLE"}, false},
		{needs("BINLOG REPLAY"), []string{noEvent}, false},
		{needs("BINLOG REPLAY"), []string{"SET SESSION gtid_domain_id = 0, server_id = 7, gtid_seq_no = 4711"}, false},
		{needs("BINLOG MONITOR"), []string{"SHOW MASTER STATUS"}, false},
	}
}

func mysqlDeeds() []deed {
	offline := []string{"SET GLOBAL offline_mode = 1", "SET GLOBAL offline_mode = 0"}
	return []deed{
		{needs("REPLICATION CLIENT"), []string{"SHOW REPLICA STATUS"}, false},
		{needs("REPLICATION_SLAVE_ADMIN"), []string{"STOP REPLICA", "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = 1"}, false},
		{needs("RELOAD"), []string{"RESET REPLICA ALL"}, false},
		{needs("SYSTEM_VARIABLES_ADMIN"), []string{"SET GLOBAL super_read_only = 1", "SET GLOBAL read_only = 0"}, false},
		{needs("SYSTEM_VARIABLES_ADMIN"), []string{"SET GLOBAL event_scheduler = ON", "SET GLOBAL event_scheduler = OFF"}, false},
		{needs("SYSTEM_VARIABLES_ADMIN"), []string{"SET SESSION sql_log_bin = 0", "SET SESSION sql_log_bin = 1"}, false},
		{needs("SYSTEM_VARIABLES_ADMIN"), []string{"SET GLOBAL rpl_semi_sync_source_enabled = 0", "SET GLOBAL rpl_semi_sync_replica_enabled = 0"}, false},
		{needs("SYSTEM_VARIABLES_ADMIN", "CONNECTION_ADMIN"), offline, false},
		{needs("CONNECTION_ADMIN"), []string{"KILL 0"}, false},
		{needs("SET_ANY_DEFINER", "EVENT"), []string{"ALTER DEFINER = 'victim'@'%' EVENT app.e ENABLE"}, false},
		{needs("REPLICATION_APPLIER"), []string{noEvent}, false},
		{needs("SYSTEM_VARIABLES_ADMIN"), []string{"SET GLOBAL clone_valid_donor_list = '127.0.0.1:1'"}, false},
		{needs("CLONE_ADMIN"), []string{"CLONE INSTANCE FROM 'victim'@'127.0.0.1':1 IDENTIFIED BY 'x'"}, false},
		{needs("BACKUP_ADMIN"), []string{"LOCK INSTANCE FOR BACKUP", "UNLOCK INSTANCE"}, false},
	}
}

// everything is all that an account can be used for.
func everything() replication.Functions {
	return replication.Functions{Monitor: true, Failover: true, Events: true, BinlogTail: true, LockAccounts: true, Clone: true}
}

func TestEachPrivilegeIsWhatItsStatementsNeed(t *testing.T) {
	for _, flavour := range sandbox.Flavours() {
		t.Run(string(flavour), func(t *testing.T) {
			base := sandboxtest.Base(t, flavour)
			var args []string
			if !base.MariaDB {
				args = []string{"--plugin-load-add=semisync_source.so", "--plugin-load-add=semisync_replica.so", "--plugin-load-add=mysql_clone.so"}
			}
			s := sandboxtest.Start(t, sandbox.Options{Base: base, Args: args})
			asRoot(t, s, "CREATE DATABASE app", "CREATE TABLE app.t (a INT)", "CREATE USER victim@'%' IDENTIFIED BY 'v'",
				"CREATE DEFINER = victim@'%' EVENT app.e ON SCHEDULE EVERY 1 YEAR DISABLE DO SET @a = 1")
			list := dialectOf(t, s).Needs(everything())
			holds(t, s, "all of them", instead(list, -1, ""), nil)
			for i, n := range list {
				holds(t, s, "without "+n.AnyOf[0], instead(list, i, ""), n.AnyOf)
				for _, other := range n.AnyOf[1:] {
					if grantable(t, s, other) && other != "REPLICATION SLAVE ADMIN" { // that was enough up to 10.5.7
						holds(t, s, "with "+other+" instead of "+n.AnyOf[0], instead(list, i, other), nil)
					}
				}
			}
		})
	}
}

func TestMariaDBBackupNeedsNoMoreThanIsListed(t *testing.T) {
	base := sandboxtest.Base(t, sandbox.MariaDB118)
	s := sandboxtest.Start(t, sandbox.Options{Base: base})
	program, err := base.Program("mariadb-backup")
	if err != nil {
		t.Fatal(err)
	}
	asRoot(t, s, "CREATE USER tester@'%' IDENTIFIED BY 'x'", "GRANT RELOAD, PROCESS ON *.* TO tester@'%'")
	for _, n := range dialectOf(t, s).Needs(replication.Functions{Clone: true}) {
		asRoot(t, s, "GRANT "+n.String()+" TO tester@'%'")
	}
	out, err := exec.CommandContext(sandboxtest.Context(t), program, "--no-defaults", "--backup", "--datadir="+s.DataDir(),
		"--target-dir="+t.TempDir(), "--user=tester", "--password=x", "--host="+s.Host(), "--port="+s.Port()).CombinedOutput()
	if err != nil {
		t.Errorf("%v: %s", err, out)
	}
}

// instead lists the first privilege of each need. Those of one need are left out, or replaced by
// another; -1 is none.
func instead(list []replication.Need, at int, other string) []string {
	var privileges []string
	for i, n := range list {
		switch {
		case i == at && other != "":
			privileges = append(privileges, other)
		case i == at || (at >= 0 && other == "" && slices.Contains(list[at].AnyOf, n.AnyOf[0])):
		default:
			privileges = append(privileges, n.AnyOf[0])
		}
	}
	return privileges
}

// holds does every deed with such privileges: those that need what is missing must be refused, and
// one of them at least, and no other.
func holds(t *testing.T, s *sandbox.Server, name string, privileges, missing []string) {
	t.Helper()
	refused := 0
	for _, d := range deeds(s.Base().MariaDB) {
		err := try(t, s, privileges, d)
		want := slices.ContainsFunc(d.needs, func(p string) bool { return slices.Contains(missing, p) })
		if err != nil {
			refused++
		}
		if (err != nil) != want {
			t.Errorf("%s, refused must be %v: %s: %v", name, want, d.sql, err)
		}
	}
	if len(missing) > 0 && refused == 0 {
		t.Errorf("%s: everything works", name)
	}
}

// grantable reports whether a server still knows a privilege.
func grantable(t *testing.T, s *sandbox.Server, privilege string) bool {
	t.Helper()
	_, err := s.Root().ExecContext(sandboxtest.Context(t), "GRANT "+privilege+" ON *.* TO victim@'%'")
	if err != nil {
		return false
	}
	asRoot(t, s, "REVOKE "+privilege+" ON *.* FROM victim@'%'")
	return true
}

// try does a deed as an account with such privileges, and returns the refusal for want of one.
func try(t *testing.T, s *sandbox.Server, privileges []string, d deed) error {
	t.Helper()
	ctx := sandboxtest.Context(t)
	asRoot(t, s, "SET GLOBAL read_only = 0", "DROP USER IF EXISTS tester@'%'", "CREATE USER tester@'%' IDENTIFIED BY 'x'")
	for _, p := range privileges {
		asRoot(t, s, "GRANT "+p+" ON *.* TO tester@'%'")
	}
	victim, end := connection(ctx, t, s, "victim", "v")
	defer end()
	var id int64
	if err := victim.QueryRowContext(ctx, "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		t.Fatal(err)
	}
	c, end := connection(ctx, t, s, "tester", "x")
	defer end()
	for i, text := range d.sql {
		text = strings.Replace(text, "KILL 0", fmt.Sprintf("KILL %d", id), 1)
		if d.sees && i == len(d.sql)-1 {
			var n int64
			if err := c.QueryRowContext(ctx, text).Scan(&n); err != nil || n == 0 {
				return fmt.Errorf("it sees %d (%w)", n, err)
			}
			continue
		}
		_, err := c.ExecContext(ctx, text)
		if err := refusal(err); err != nil {
			return err
		}
	}
	return nil
}

// refusal is an error that a privilege is missing, nil for any other.
func refusal(err error) error {
	var me *mysql.MySQLError
	if !errors.As(err, &me) {
		return nil
	}
	switch me.Number {
	case 1044, 1045, 1095, 1142, 1227, 1290, 3576:
		return err
	default:
		return nil
	}
}

// connection is one session of an account, and what ends it.
func connection(ctx context.Context, t *testing.T, s *sandbox.Server, user, password string) (c *sql.Conn, end func()) {
	t.Helper()
	db, err := sql.Open("mysql", s.DSN(user, password))
	if err != nil {
		t.Fatal(err)
	}
	if c, err = db.Conn(ctx); err != nil {
		_ = db.Close()
		t.Fatal(err)
	}
	return c, func() { _, _ = c.Close(), db.Close() }
}

// asRoot executes statements.
func asRoot(t *testing.T, s *sandbox.Server, statements ...string) {
	t.Helper()
	for _, text := range statements {
		if _, err := s.Root().ExecContext(sandboxtest.Context(t), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// dialectOf probes a server.
func dialectOf(t *testing.T, s *sandbox.Server) *replication.Dialect {
	t.Helper()
	c, err := s.Root().Conn(sandboxtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	var d *replication.Dialect
	err = c.Raw(func(driver any) (err error) {
		d, err = replication.Probe(sandboxtest.Context(t), driver.(replication.Querier))
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return d
}
