package native

import (
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/action/remote"
	"mpp/replication"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// withHosts gives the nodes their host, which is this one.
func (w *world) withHosts() {
	w.t.Helper()
	program, flavour := "mysqlbinlog", w.flavour
	if w.mariaDB() {
		program, flavour = "mariadb-binlog", sandbox.MariaDB118 // Debian's 10.11 comes without
	}
	path, err := sandboxtest.Base(w.t, flavour).Program(program)
	if err != nil {
		w.t.Fatal(err)
	}
	w.useRunner(Options{BinlogProgram: path, SaveDir: w.t.TempDir()})
	for _, v := range w.runner.servers {
		v.node.Host = remote.NewLocal(false, time.Minute)
	}
}

// mayApply grants what executing a binary log's text takes.
func (w *world) mayApply() {
	w.t.Helper()
	to := " TO '" + w.pool.Failover.User + "'@'%'"
	if w.mariaDB() {
		w.root(0, "GRANT BINLOG REPLAY, SET USER ON *.*"+to)
	} else {
		w.root(0, "GRANT BINLOG_ADMIN, SET_ANY_DEFINER ON *.*"+to)
	}
	w.root(0, "GRANT ALL ON app.*"+to)
	w.inStep()
}

// sums are the checksums of all tables of the database app.
func (w *world) sums(i int) map[string]string {
	w.t.Helper()
	rows, err := w.pool.Servers[i].Root().QueryContext(w.t.Context(), "SELECT TABLE_NAME FROM information_schema.TABLES WHERE TABLE_SCHEMA = 'app'")
	if err != nil {
		w.t.Fatal(err)
	}
	defer rows.Close()
	found := map[string]string{}
	for rows.Next() {
		var name, table, sum string
		if err := rows.Scan(&name); err != nil {
			w.t.Fatal(err)
		}
		if err := w.pool.Servers[i].Root().QueryRowContext(w.t.Context(), "CHECKSUM TABLE app.`"+name+"`").Scan(&table, &sum); err != nil {
			w.t.Fatal(err)
		}
		found[name] = sum
	}
	if err := rows.Err(); err != nil {
		w.t.Fatal(err)
	}
	return found
}

// manyThings writes what makes a binary log hard to execute.
func (w *world) manyThings() {
	w.t.Helper()
	c, _ := w.login(0, w.pool.App.User, w.pool.App.Password)
	r, err := w.pool.Servers[0].Root().Conn(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	defer r.Close()
	w.exec(c, "USE app")
	w.exec(c, "CREATE TABLE kinds (id INT AUTO_INCREMENT PRIMARY KEY, a VARCHAR(200) CHARACTER SET utf8mb4, b BLOB, d DATETIME(6), f DOUBLE, j JSON)")
	w.exec(c, "INSERT INTO kinds (a, b, d, f, j) VALUES ('ä;/*!*/;''x', x'00FF270A0D5C22', '2026-01-02 03:04:05.678901', 1.5, '{\"k\": [1, 2]}')")
	w.exec(c, "INSERT INTO kinds (a) VALUES ('# no comment'), (NULL), ('line\nDELIMITER //\n')")
	w.exec(c, "SET sql_mode = 'ANSI_QUOTES,NO_BACKSLASH_ESCAPES'")
	w.exec(c, `CREATE TABLE "odd name" ("a b" INT PRIMARY KEY, t TEXT COMMENT 'back\slash')`)
	w.exec(c, `INSERT INTO "odd name" VALUES (1, 'back\slash')`)
	w.exec(c, "SET sql_mode = DEFAULT, NAMES latin1")
	w.exec(c, "CREATE TABLE latin (a VARCHAR(20) CHARACTER SET latin1 DEFAULT '\xe4\xf6') COMMENT '\xfc'")
	w.exec(c, "INSERT INTO latin VALUES (DEFAULT), ('\xdf')")
	w.exec(c, "SET NAMES utf8mb4, time_zone = '+05:00'")
	w.exec(c, "CREATE PROCEDURE twice() BEGIN\n# a comment; of the body\n  INSERT INTO kinds (a) VALUES ('1;');\n  INSERT INTO kinds (a) VALUES (\"2\");\nEND")
	w.exec(c, "CALL twice()")
	w.root(0, "FLUSH BINARY LOGS")
	w.exec(c, "BEGIN")
	w.exec(c, "INSERT INTO kinds (d) VALUES (NOW())")
	w.exec(c, "UPDATE kinds SET f = RAND()")
	w.exec(c, "DELETE FROM kinds WHERE id = 2")
	w.exec(c, "COMMIT")
	// By statement, with what statements need around them.
	w.exec(r, "USE app")
	w.exec(r, "SET SESSION binlog_format = 'STATEMENT'")
	w.exec(r, "SET @v = 'it''s'")
	w.exec(r, "INSERT INTO kinds (a, d) VALUES (@v, NOW())")
	w.exec(r, "INSERT INTO kinds (a, f) VALUES (CONCAT('r', RAND()), RAND())")
	w.exec(r, "SET SESSION binlog_format = 'ROW'")
	w.exec(c, "ALTER TABLE kinds ADD COLUMN more INT DEFAULT 7, ADD INDEX (a(10))")
	w.exec(c, "BEGIN")
	w.exec(c, "INSERT INTO kinds (a) VALUES ('rolled back')")
	w.exec(c, "ROLLBACK")
	w.exec(c, "CREATE TABLE gone (a INT)")
	w.exec(c, "DROP TABLE gone")
}

func TestTheDeadHostsBinaryLogIsTaken(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.mayApply()
		w.withHosts()
		base := w.runner.LogBase(w.addr(0))
		w.once(mpp.StepReadOnly, 1)
		stopped := w.once(mpp.StepStopReceiver, 1)
		w.once(mpp.StepStopReceiver, 2)
		w.manyThings()
		sums, executed := w.sums(0), w.value(0, w.loggedSQL())
		if err := w.pool.Servers[0].Kill(); err != nil {
			t.Fatal(err)
		}
		log, size, err := BinlogEnd(t.Context(), remote.NewLocal(false, time.Minute), base)
		if err != nil || log <= stopped.Position.SourceLog || size == 0 {
			t.Fatalf("the end is %s:%d: %v", log, size, err)
		}
		from := func(s *mpp.Step) {
			s.Peer, s.Log, s.LogPos, s.Detail = w.addr(0), stopped.Position.SourceLog, stopped.Position.SourcePos, base
		}
		got := w.once(mpp.StepBinlogTail, 1, from)
		if !strings.Contains(got.Text, "took 1") && !strings.Contains(got.Text, "took 2") {
			t.Error(got.Text)
		}
		if again := w.once(mpp.StepBinlogTail, 1, from); !strings.Contains(again.Text, "nothing") {
			t.Errorf("for the second time: %s", again.Text)
		}
		w.want(1, "SELECT @@global.read_only", "1")
		if !w.mariaDB() {
			w.want(1, "SELECT @@global.super_read_only", "1")
		}
		w.want(1, w.loggedSQL(), executed)
		w.want(1, w.executedSQL(), executed)
		if got.Position.Executed != executed {
			t.Errorf("the position is %s, want %s", got.Position.Executed, executed)
		}
		w.wantSums(1, sums)

		// It is all there for the others, too, and the old source holds nothing extra.
		w.once(mpp.StepPromote, 1)
		w.once(mpp.StepRepoint, 2, w.peer(1))
		w.write(1, 1)
		w.eventually("it does not follow", func() bool { return w.value(2, w.executedSQL()) == w.value(1, w.executedSQL()) })
		if err := w.pool.Servers[0].Restart(sandboxtest.Context(t)); err != nil {
			t.Fatal(err)
		}
		w.once(mpp.StepRepoint, 0, w.peer(1))
		w.eventually("it does not follow", func() bool { return w.value(0, w.executedSQL()) == w.value(1, w.executedSQL()) })
		sums = w.sums(1)
		w.wantSums(0, sums)
		w.wantSums(2, sums)
	})
}

func (w *world) wantSums(i int, want map[string]string) {
	w.t.Helper()
	got := w.sums(i)
	if len(got) != len(want) {
		w.t.Errorf("%s has %d tables, want %d", w.pool.Servers[i].Name(), len(got), len(want))
	}
	for name, sum := range want {
		if got[name] != sum {
			w.t.Errorf("%s: the checksum of %s is %s, want %s", w.pool.Servers[i].Name(), name, got[name], sum)
		}
	}
}

// loggedSQL asks for what is in the binary log.
func (w *world) loggedSQL() string {
	if w.mariaDB() {
		return "SELECT @@global.gtid_binlog_pos"
	}
	return "SELECT @@global.gtid_executed"
}

// TestAHugeTransactionIsTaken has a transaction that is longer than any statement may be, and a
// receiver that stopped in the middle of it.
func TestAHugeTransactionIsTaken(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.mayApply()
		w.root(1, "SET GLOBAL max_allowed_packet = 4194304")
		defer w.root(1, "SET GLOBAL max_allowed_packet = 67108864")
		w.withHosts()
		w.root(0, "CREATE TABLE app.huge (id INT PRIMARY KEY, v VARCHAR(200))")
		w.inStep()
		p := w.through(1)
		w.once(mpp.StepStopReceiver, 2)
		p.allow(200_000)
		// From here on the proxy lets 200 kB pass.
		digits := "(SELECT 0 d UNION ALL SELECT 1 UNION ALL SELECT 2 UNION ALL SELECT 3 UNION ALL SELECT 4 UNION ALL SELECT 5 UNION ALL SELECT 6 UNION ALL SELECT 7 UNION ALL SELECT 8 UNION ALL SELECT 9)"
		c, _ := w.app(0)
		w.exec(c, fmt.Sprintf("INSERT INTO app.huge SELECT a.d + 10 * b.d + 100 * c.d + 1000 * d.d + 10000 * e.d, REPEAT('x', 100) FROM %[1]s a, %[1]s b, %[1]s c, %[1]s d, %[1]s e", digits))
		w.write(0, 1)
		<-p.dry
		sums, executed := w.sums(0), w.value(0, w.loggedSQL())
		base := w.runner.LogBase(w.addr(0))
		if err := w.pool.Servers[0].Kill(); err != nil {
			t.Fatal(err)
		}
		stopped := w.once(mpp.StepStopReceiver, 1)
		from := func(s *mpp.Step) {
			s.Peer, s.Log, s.LogPos, s.Detail = w.addr(0), stopped.Position.SourceLog, stopped.Position.SourcePos, base
		}
		if !w.mariaDB() { // the applier waits for the rest of the transaction, and holds its locks
			w.fails("SYSTEM_USER", mpp.StepBinlogTail, 1, limit(500*time.Millisecond), from)
			w.root(1, "SET GLOBAL super_read_only = 0")
			conn, err := w.pool.Servers[1].Root().Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			w.exec(conn, "SET sql_log_bin = 0")
			w.exec(conn, "GRANT SYSTEM_USER ON *.* TO '"+w.pool.Failover.User+"'@'%'")
			w.exec(conn, "SET sql_log_bin = 1")
			_ = conn.Close()
			w.withHosts()
		}
		got := w.once(mpp.StepBinlogTail, 1, limit(20*time.Second), from)
		if !strings.Contains(got.Text, "took 2") {
			t.Error(got.Text)
		}
		w.want(1, w.executedSQL(), executed)
		w.wantSums(1, sums)
		if w.mariaDB() {
			w.once(mpp.StepPromote, 1)
			w.once(mpp.StepRepoint, 2, w.peer(1))
			w.eventually("it does not follow", func() bool { return w.value(2, w.executedSQL()) == executed })
			w.wantSums(2, sums)
		}
		w.useRunner(Options{})
	})
}

// TestWhatCannotBeTakenIsSaid has logs that lack transactions, that end in the middle of an event, a
// transaction that the node refuses, and a log that is not there.
func TestWhatCannotBeTakenIsSaid(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.mayApply()
		w.withHosts()
		base := w.runner.LogBase(w.addr(0))
		stopped := w.once(mpp.StepStopReceiver, 1)
		w.write(0, 3)
		w.root(0, "FLUSH BINARY LOGS")
		w.write(0, 3)
		if err := w.pool.Servers[0].Kill(); err != nil {
			t.Fatal(err)
		}
		at := func(log string, pos uint64) func(*mpp.Step) {
			return func(s *mpp.Step) { s.Peer, s.Log, s.LogPos, s.Detail = w.addr(0), log, pos, base }
		}
		before := w.value(1, w.executedSQL())
		w.fails("not in the index", mpp.StepBinlogTail, 1, at("binlog.000099", 4))
		if w.mariaDB() {
			w.fails("follows on", mpp.StepBinlogTail, 1, at("binlog.000002", 4))
			w.want(1, w.executedSQL(), before)
		}
		// The dead server was writing.
		end := filepath.Join(w.pool.Servers[0].DataDir(), "binlog.000002")
		size, err := os.Stat(end)
		if err != nil {
			t.Fatal(err)
		}
		cut := int64(10)
		if !w.mariaDB() {
			cut = 60
		}
		if err := os.Truncate(end, size.Size()-cut); err != nil {
			t.Fatal(err)
		}
		got := w.once(mpp.StepBinlogTail, 1, at(stopped.Position.SourceLog, stopped.Position.SourcePos))
		if !strings.Contains(got.Text, "took 5") {
			t.Error(got.Text)
		}
		w.once(mpp.StepStopReceiver, 2)
		if got := w.do(mpp.StepBinlogTail, 2, func(s *mpp.Step) { s.Peer = w.addr(1) }); got.Done {
			t.Error("a binary log without a name was read")
		}
	})
}

// TestATransactionThatFailsStopsTheTail has a row on the node that the transaction inserts, too.
func TestATransactionThatFailsStopsTheTail(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.mayApply()
		w.withHosts()
		base := w.runner.LogBase(w.addr(0))
		stopped := w.once(mpp.StepStopReceiver, 1)
		w.root(0, "INSERT INTO app.t (id, v) VALUES (1000, 'first')", "INSERT INTO app.t (id, v) VALUES (1001, 'secret')", "INSERT INTO app.t (id, v) VALUES (1002, 'third')")
		conn, err := w.pool.Servers[1].Root().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		w.exec(conn, "SET GLOBAL read_only = 0")
		w.exec(conn, "SET SESSION sql_log_bin = 0")
		w.exec(conn, "INSERT INTO app.t (id, v) VALUES (1001, 'stray')")
		w.exec(conn, "SET GLOBAL read_only = 1")
		w.exec(conn, "SET SESSION sql_log_bin = 1")
		_ = conn.Close()
		if err := w.pool.Servers[0].Kill(); err != nil {
			t.Fatal(err)
		}
		got := w.fails("1062", mpp.StepBinlogTail, 1, func(s *mpp.Step) {
			s.Peer, s.Log, s.LogPos, s.Detail = w.addr(0), stopped.Position.SourceLog, stopped.Position.SourcePos, base
		})
		if !strings.Contains(got.Text, "took 1 transaction") || strings.Contains(got.Text, "secret") {
			t.Error(got.Text)
		}
		w.want(1, "SELECT GROUP_CONCAT(id ORDER BY id) FROM app.t WHERE id >= 1000", "1000,1001")
		w.want(1, "SELECT @@global.read_only", "1")
		// What was taken counts.
		want := w.value(1, w.loggedSQL())
		w.want(1, w.executedSQL(), want)
	})
}

// TestTransactionsThatOnlyOneNodeHasAreSaved has an old source with transactions that reached nobody.
func TestTransactionsThatOnlyOneNodeHasAreSaved(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.withHosts()
		w.root(0, "FLUSH BINARY LOGS")
		w.write(0, 2)
		w.root(0, "FLUSH BINARY LOGS")
		w.inStep()
		w.once(mpp.StepStopReceiver, 1)
		w.once(mpp.StepPromote, 1)
		w.root(0, "INSERT INTO app.t (id, v) VALUES (2000, 'it''s /*!*/; mine')")
		w.root(0, "FLUSH BINARY LOGS")
		w.root(0, "UPDATE app.t SET v = 'changed' WHERE id = 2000", "CREATE TABLE app.mine (a INT PRIMARY KEY)", "INSERT INTO app.mine VALUES (1), (2)")
		w.write(1, 2)
		extra := w.extra(0, 1)
		got := w.once(mpp.StepSaveExtra, 0, set(extra))
		if !strings.Contains(got.Text, "4 of them") {
			t.Error(got.Text)
		}
		if again := w.once(mpp.StepSaveExtra, 0, set(extra)); !strings.Contains(again.Text, "already") {
			t.Errorf("for the second time: %s", again.Text)
		}
		file := got.Text[strings.LastIndex(got.Text, "/tmp"):]
		info, err := os.Stat(file)
		if err != nil || info.Mode().Perm() != 0o600 {
			t.Fatalf("%v: %v", info, err)
		}
		text, err := os.ReadFile(file)
		if err != nil || !strings.Contains(string(text), "### INSERT INTO `app`.`mine`") {
			t.Errorf("nobody can read what it does: %v", err)
		}
		w.client(1, string(text))
		w.want(1, "SELECT v FROM app.t WHERE id = 2000", "changed")
		w.want(1, "SELECT COUNT(*) FROM app.mine", "2")

		// What the logs do not have any more is said, and nothing is left behind.
		files := 1
		if w.mariaDB() {
			if got := w.once(mpp.StepSaveExtra, 0, set("7-7-7")); !strings.Contains(got.Text, "7-7-7 was never written") {
				t.Errorf("a number without a transaction: %s", got.Text)
			}
			files = 2
			w.root(0, "FLUSH BINARY LOGS", "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY")
			w.fails("any more", mpp.StepSaveExtra, 0, set(strings.Split(extra, ",")[0]+"000"))
		} else {
			w.fails("any more", mpp.StepSaveExtra, 0, set("00000000-0000-0000-0000-000000000001:1"))
		}
		list, err := os.ReadDir(filepath.Dir(file))
		if err != nil || len(list) != files {
			t.Errorf("the folder has %v: %v", list, err)
		}
	})
}

// extra is what one server has and another has not.
func (w *world) extra(i, than int) string {
	w.t.Helper()
	read := func(i int) replication.Position {
		v := w.runner.servers[w.addr(i)]
		s, err := v.take(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		defer v.put(s)
		p, err := s.executed(w.t.Context())
		if err != nil {
			w.t.Fatal(err)
		}
		return p
	}
	flavour := replication.MySQL
	if w.mariaDB() {
		flavour = replication.MariaDB
	}
	text, err := errant(flavour, read(i), read(than))
	if err != nil {
		w.t.Fatal(err)
	}
	return text
}

// client feeds a text to the product's client program, as root.
func (w *world) client(i int, text string) {
	w.t.Helper()
	program := "mariadb"
	if !w.mariaDB() {
		var err error
		if program, err = w.pool.Servers[i].Base().Program("mysql"); err != nil {
			w.t.Fatal(err)
		}
	}
	c := exec.CommandContext(w.t.Context(), program, "--no-defaults", "--binary-mode", "-uroot", "-S", w.pool.Servers[i].Socket())
	c.Stdin = strings.NewReader(text)
	if out, err := c.CombinedOutput(); err != nil {
		w.t.Fatalf("%s: %v: %s", program, err, out)
	}
}
