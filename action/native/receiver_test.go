package native

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"mpp"
)

// through makes a replica replicate from its source through a proxy.
func (w *world) through(i int) *proxy {
	w.t.Helper()
	p := newProxy(w.t, w.addr(0))
	change := "CHANGE REPLICATION SOURCE TO SOURCE_HOST = '127.0.0.1', SOURCE_PORT = "
	if w.mariaDB() {
		change = "CHANGE MASTER TO MASTER_HOST = '127.0.0.1', MASTER_PORT = "
	}
	w.root(i, "STOP "+w.slave(), change+p.port(), "START "+w.slave())
	w.eventually("it does not connect", func() bool { return w.status(i)["Replica_IO_Running"] == "Yes" })
	return p
}

// TestReceivedAndUnexecutedTransactionsSurviveDrain stops first the applier and then the receiver:
// MariaDB throws the relay log away when either of them is started then.
func TestReceivedAndUnexecutedTransactionsSurviveDrain(t *testing.T) {
	each(t, all(), func(t *testing.T, w *world) {
		w.root(1, "STOP "+w.slave()+" SQL_THREAD")
		before := w.rows(1)
		w.write(0, 5)
		want := w.rows(0)
		w.eventually("nothing arrives", func() bool { return w.received(1) })
		if err := w.pool.Servers[0].Kill(); err != nil {
			t.Fatal(err)
		}
		got := w.must(mpp.StepStopReceiver, 1)
		if got.Position.Received == got.Position.Executed {
			t.Fatalf("nothing is left to execute: %+v", got.Position)
		}
		if w.rows(1) != before {
			t.Fatal("the applier was started")
		}
		w.fails("refused: it has received what it has not executed", mpp.StepPromote, 1)
		w.want(1, "SELECT @@global.read_only", "1")
		got = w.must(mpp.StepDrain, 1)
		if !strings.Contains(got.Text, "5 transactions") {
			t.Error(got.Text)
		}
		if w.rows(1) != want {
			t.Errorf("it has %s rows, want %s", w.rows(1), want)
		}
		if s := w.status(1); w.mariaDB() && s["Using_Gtid"] != "Slave_Pos" {
			t.Errorf("it follows by %s", s["Using_Gtid"])
		}
		w.must(mpp.StepPromote, 1)
		w.write(1, 1)
	})
}

// received reports whether a replica has received what the first server has.
func (w *world) received(i int) bool {
	w.t.Helper()
	s := w.status(i)
	own := w.value(0, w.executedSQL())
	if w.mariaDB() {
		return s["Gtid_IO_Pos"] == own
	}
	return w.value(i, "SELECT GTID_SUBSET('"+own+"', CONCAT(@@global.gtid_executed, ',"+s["Retrieved_Gtid_Set"]+"'))") == "1"
}

// TestStartReplicaKeepsWhatWasReceived is the giving up of a failover: the receiver was stopped, and
// the applier had been.
func TestStartReplicaKeepsWhatWasReceived(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.root(1, "STOP "+w.slave()+" SQL_THREAD")
		w.write(0, 3)
		want := w.rows(0)
		w.eventually("nothing arrives", func() bool { return w.received(1) })
		w.once(mpp.StepStopReceiver, 1)
		if err := w.pool.Servers[0].Freeze(); err != nil {
			t.Fatal(err)
		}
		w.must(mpp.StepStartReplica, 1)
		w.eventually("what was received is lost", func() bool { return w.rows(1) == want })
		if err := w.pool.Servers[0].Thaw(); err != nil {
			t.Fatal(err)
		}
		w.eventually("it does not follow", func() bool { return w.status(1)["Replica_IO_Running"] == "Yes" })
		if s := w.status(1); w.mariaDB() && s["Using_Gtid"] == "No" {
			t.Errorf("it follows by %s", s["Using_Gtid"])
		}
	})
}

func TestTestLinkFindsOutWhetherTheSourceAnswers(t *testing.T) {
	each(t, all(), func(t *testing.T, w *world) {
		w.write(0, 1)
		w.inStep()
		const limitOf = "SELECT VARIABLE_VALUE FROM %s.global_variables WHERE VARIABLE_NAME IN ('replica_net_timeout', 'slave_net_timeout') LIMIT 1"
		schema := "performance_schema"
		if w.mariaDB() {
			schema = "information_schema"
		}
		patience := w.value(1, fmt.Sprintf(limitOf, schema))
		got := w.must(mpp.StepTestLink, 1, w.peer(0), limit(1200*time.Millisecond))
		if !got.Alive {
			t.Errorf("a source that lives: %s", got.Text)
		}
		if err := w.pool.Servers[0].Freeze(); err != nil {
			t.Fatal(err)
		}
		got = w.once(mpp.StepTestLink, 1, w.peer(0), limit(500*time.Millisecond))
		if got.Alive {
			t.Errorf("a source that is frozen: %s", got.Text)
		}
		if got := w.once(mpp.StepTestLink, 1, w.peer(0), limit(300*time.Millisecond)); got.Alive {
			t.Errorf("for the second time: %s", got.Text)
		}
		w.want(1, fmt.Sprintf(limitOf, schema), patience)
		// The receiver is connecting now, and would not be stopped for seconds. The failover goes on.
		stopped := w.once(mpp.StepStopReceiver, 1, limit(time.Second))
		w.once(mpp.StepDrain, 1)
		promoted := w.once(mpp.StepPromote, 1, limit(time.Second))
		t.Logf("stopped in %s, promoted in %s", stopped.Took, promoted.Took)
		w.want(1, "SELECT @@global.read_only", "0")
		w.write(1, 1)
		want := w.rows(1)
		if err := w.pool.Servers[0].Thaw(); err != nil {
			t.Fatal(err)
		}
		w.write(0, 5) // it was not fenced
		w.eventually("it is a replica still", func() bool { return w.status(1) == nil })
		if got := w.rows(1); got != want {
			t.Errorf("it has %s rows, want %s: it went on to receive", got, want)
		}
	})
}

// TestTestLinkKeepsWhatWasReceived has received transactions that are not executed: because the
// applier is held up, or stopped.
func TestTestLinkKeepsWhatWasReceived(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		holder, id := w.login(1, w.pool.Failover.User, w.pool.Failover.Password)
		w.exec(holder, "FLUSH TABLES WITH READ LOCK")
		w.write(0, 4)
		want := w.rows(0)
		w.eventually("nothing arrives", func() bool { return w.received(1) })
		if err := w.pool.Servers[0].Freeze(); err != nil {
			t.Fatal(err)
		}
		got := w.do(mpp.StepTestLink, 1, limit(300*time.Millisecond))
		if got.Alive || !got.Done {
			t.Errorf("%+v", got)
		}
		w.root(1, "KILL "+id)
		w.eventually("what was received is lost", func() bool { return w.rows(1) == want })
		if err := w.pool.Servers[0].Thaw(); err != nil {
			t.Fatal(err)
		}
		w.inStep()

		w.root(1, "STOP "+w.slave()+" SQL_THREAD")
		w.write(0, 4)
		want = w.rows(0)
		w.eventually("nothing arrives", func() bool { return w.received(1) })
		if w.mariaDB() {
			got = w.fails("not tested: its applier is stopped", mpp.StepTestLink, 1, limit(300*time.Millisecond))
		} else {
			got = w.once(mpp.StepTestLink, 1, limit(2500*time.Millisecond))
		}
		if got.Alive == w.mariaDB() {
			t.Errorf("alive is %v: %s", got.Alive, got.Text)
		}
		if err := w.pool.Servers[0].Kill(); err != nil {
			t.Fatal(err)
		}
		w.once(mpp.StepStopReceiver, 1)
		w.once(mpp.StepDrain, 1)
		if got := w.rows(1); got != want {
			t.Errorf("it has %s rows, want %s", got, want)
		}
	})
}

// TestAHalfReceivedTransactionDoesNotHoldUpThePromotion has a source that dies in the middle of
// sending a transaction: MySQL's applier waits a minute for the rest of it.
func TestAHalfReceivedTransactionDoesNotHoldUpThePromotion(t *testing.T) {
	each(t, all(), func(t *testing.T, w *world) {
		w.root(0, "CREATE TABLE IF NOT EXISTS app.big (id INT AUTO_INCREMENT PRIMARY KEY, v LONGBLOB)")
		w.inStep()
		p := w.through(1)
		c, _ := w.app(0)
		w.exec(c, "BEGIN")
		for range 20 {
			w.exec(c, "INSERT INTO app.big (v) VALUES (REPEAT('x', 100000))")
		}
		p.allow(500_000)
		w.exec(c, "COMMIT")
		<-p.dry
		if err := w.pool.Servers[0].Kill(); err != nil {
			t.Fatal(err)
		}
		w.eventually("nothing arrives", func() bool { return len(w.status(1)["Read_Source_Log_Pos"]) > 5 })
		stopped := w.once(mpp.StepStopReceiver, 1)
		executed := stopped.Position.Executed
		if got := w.once(mpp.StepDrain, 1); got.Position.Executed != executed {
			t.Errorf("it has executed %s, want %s", got.Position.Executed, executed)
		}
		promoted := w.once(mpp.StepPromote, 1, limit(2*time.Second))
		w.want(1, "SELECT @@global.read_only", "0")
		w.want(1, "SELECT COUNT(*) FROM app.big", "0")
		w.write(1, 1)
		if promoted.Took > 500*time.Millisecond {
			t.Errorf("the promotion took %s", promoted.Took)
		}
		w.useRunner(Options{}) // ends what goes on behind the step's back
	})
}
