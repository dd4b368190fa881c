package native

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/replication"
	"mpp/sandbox"
)

func TestEndSessionsSparesReplicationAndMPP(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.root(0, "SET GLOBAL event_scheduler = ON")
		var ids []string
		for range 5 {
			_, id := w.app(0)
			ids = append(ids, id)
		}
		_, own := w.login(0, w.pool.Monitor.User, w.pool.Monitor.Password)
		dumps := w.value(0, "SELECT GROUP_CONCAT(ID ORDER BY ID) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'")
		busy, id := w.app(0)
		done := w.inBackground(0, busy, id, "SELECT SLEEP(60)")

		got := w.once(mpp.StepEndSessions, 0, limit(5*time.Second))
		if got.Took > time.Second {
			t.Errorf("it took %s", got.Took)
		}
		if err := <-done; err == nil {
			t.Error("a busy session was not ended")
		}
		for _, id := range ids {
			if w.lives(0, id) {
				t.Errorf("session %s lives", id)
			}
		}
		if !w.lives(0, own) {
			t.Error("a session of MPP's own account was ended")
		}
		w.want(0, "SELECT GROUP_CONCAT(ID ORDER BY ID) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'", dumps)
		w.want(0, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE USER = 'event_scheduler'", "1")
		if again := w.once(mpp.StepEndSessions, 0); !strings.Contains(again.Text, "no sessions") && !w.mariaDB() {
			t.Logf("again: %s", again.Text) // the test's own root may be there
		}
		w.inStep()
		if w.mariaDB() {
			w.root(0, "SET GLOBAL event_scheduler = OFF")
		}
	})
}

// TestEndSessionsEndsThoughClientsKeepConnecting has clients that connect again at once.
func TestEndSessionsEndsThoughClientsKeepConnecting(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		stop := make(chan struct{})
		gone := make(chan struct{}, 4)
		for range 4 {
			go func() {
				defer func() { gone <- struct{}{} }()
				for {
					select {
					case <-stop:
						return
					default:
						_ = w.tryLogin(0)
					}
				}
			}()
		}
		_, id := w.app(0)
		got := w.once(mpp.StepEndSessions, 0, limit(3*time.Second))
		close(stop)
		for range 4 {
			<-gone
		}
		if got.Took > time.Second || w.lives(0, id) {
			t.Errorf("it took %s: %s", got.Took, got.Text)
		}
	})
}

func TestSessionsWithSystemUserAreReported(t *testing.T) {
	each(t, []sandbox.Flavour{sandbox.MySQL97}, func(t *testing.T, w *world) {
		conn, err := w.pool.Servers[0].Root().Conn(t.Context())
		if err != nil {
			t.Fatal(err)
		}
		defer conn.Close()
		_, id := w.app(0)
		got := w.must(mpp.StepEndSessions, 0)
		if !strings.Contains(got.Text, "SYSTEM_USER") || !strings.Contains(got.Text, "root@localhost") {
			t.Error(got.Text)
		}
		if w.lives(0, id) {
			t.Error("the application's session lives")
		}
	})
}

func TestOpenTransactionsAreWaitedFor(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		if got := w.must(mpp.StepAwaitTransactions, 0); !strings.Contains(got.Text, "no transaction") {
			t.Error(got.Text)
		}
		c, id := w.app(0)
		w.exec(c, "BEGIN")
		w.exec(c, "INSERT INTO app.t (v) VALUES ('open')")
		pause(t.Context(), replication.TransactionsAge+20*time.Millisecond) // what was seen before is shown until then
		w.fails("app@", mpp.StepAwaitTransactions, 0, limit(400*time.Millisecond))

		result := make(chan mpp.StepResult)
		go func() {
			result <- w.runner.Run(t.Context(), mpp.Step{Kind: mpp.StepAwaitTransactions, Node: w.addr(0), Limit: 10 * time.Second})
		}()
		select {
		case got := <-result:
			t.Fatalf("it did not wait: %+v", got)
		case <-time.After(300 * time.Millisecond):
		}
		// The next transaction of the same session is not waited for.
		w.exec(c, "COMMIT")
		w.exec(c, "BEGIN")
		w.exec(c, "INSERT INTO app.t (v) VALUES ('another')")
		got := <-result
		if !got.Done {
			t.Error(got.Text)
		}
		w.exec(c, "ROLLBACK")
		t.Logf("%s (session %s)", got.Text, id)
	})
}

func TestStopConnectionsByLock(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.root(0, "GRANT CREATE USER ON *.* TO '"+w.pool.Failover.User+"'@'%'")
		w.inStep()
		w.useRunner(Options{LockAccounts: []string{"app@%"}})
		c, id := w.app(0)
		before := w.value(0, w.executedSQL())
		w.must(mpp.StepStopConnections, 0, detail(Lock))
		if err := w.tryLogin(0); err == nil {
			t.Error("a locked account logs in")
		}
		w.exec(c, "SELECT 1")
		if !w.lives(0, id) {
			t.Error("a session was ended")
		}
		w.want(0, w.executedSQL(), before)
		w.must(mpp.StepReadOnly, 0)
		w.must(mpp.StepAllowConnections, 0, detail(Lock))
		if err := w.tryLogin(0); err != nil {
			t.Errorf("an unlocked account logs in with: %v", err)
		}
		if !w.mariaDB() {
			w.want(0, "SELECT @@global.super_read_only", "1")
		}
		w.want(0, w.executedSQL(), before)
		w.must(mpp.StepWritable, 0)
	})
}

func (w *world) executedSQL() string {
	if w.mariaDB() {
		return "SELECT @@global.gtid_current_pos"
	}
	return "SELECT @@global.gtid_executed"
}

func TestOfflineModeThatWouldCutReplicasOffIsRefused(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		if w.mariaDB() {
			w.fails("refused", mpp.StepStopConnections, 0, detail(Offline))
			return
		}
		w.fails("CONNECTION_ADMIN", mpp.StepStopConnections, 0, detail(Offline))
		w.want(0, "SELECT @@global.offline_mode", "0")
		w.root(0, fmt.Sprintf("GRANT CONNECTION_ADMIN ON *.* TO '%s'@'%%'", w.pool.Repl.User))
		// What a session may do is what its account might when it logged in.
		for i := 1; i < 3; i++ {
			w.root(i, "STOP REPLICA IO_THREAD", "START REPLICA IO_THREAD")
		}
		w.inStep()
		w.eventually("no links", func() bool {
			return w.value(0, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND LIKE 'Binlog Dump%'") == "2"
		})
		_, id := w.app(0)
		w.must(mpp.StepStopConnections, 0, detail(Offline))
		w.eventually("the session lives", func() bool { return !w.lives(0, id) })
		if err := w.tryLogin(0); err == nil {
			t.Error("an application logs in")
		}
		w.write(0, 1)
		w.inStep()
		w.must(mpp.StepAllowConnections, 0, detail(Offline))
		if err := w.tryLogin(0); err != nil {
			t.Error(err)
		}
	})
}
