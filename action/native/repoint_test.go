package native

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/action/remote"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

func TestRepointRefusesAnErrantReplica(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.once(mpp.StepStopReceiver, 1)
		w.once(mpp.StepPromote, 1)
		w.write(1, 2)
		w.root(2, "CREATE DATABASE stray")
		got := w.fails("refused: it has what", mpp.StepRepoint, 2, w.peer(1))
		if got.Unreachable {
			t.Error("unreachable")
		}
		if port := w.status(2)["Source_Port"]; port != w.pool.Servers[0].Port() {
			t.Error("its source was changed all the same")
		}
		// The old source is writable still, wrote nothing that is missing, and becomes a replica.
		w.once(mpp.StepRepoint, 0, w.peer(1))
		w.want(0, "SELECT @@global.read_only", "1")
		w.eventually("the writes do not arrive", func() bool { return w.rows(0) == w.rows(1) })
	})
}

func TestAnOldSourceWithExtraTransactionsIsRefused(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.once(mpp.StepStopReceiver, 1)
		w.once(mpp.StepStopReceiver, 2)
		w.once(mpp.StepPromote, 1)
		w.write(0, 3) // reached nobody
		w.write(1, 2)
		w.fails("refused: it has what", mpp.StepRepoint, 0, w.peer(1))
		w.want(0, "SELECT @@global.read_only", "1")
		if w.status(0) != nil {
			t.Error("it was made a replica all the same")
		}
	})
}

func TestRepointExecutesWhatWasReceivedFirst(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.root(2, "STOP "+w.slave()+" SQL_THREAD")
		w.write(0, 5)
		w.inStepOf(1)
		w.eventually("nothing arrives", func() bool { return w.received(2) })
		if err := w.pool.Servers[0].Kill(); err != nil {
			t.Fatal(err)
		}
		w.once(mpp.StepPromote, 1)
		w.write(1, 2)
		w.must(mpp.StepRepoint, 2, w.peer(1))
		w.eventually("the writes do not arrive", func() bool { return w.rows(2) == w.rows(1) })
	})
}

// inStepOf waits until a replica has executed what the first server has.
func (w *world) inStepOf(i int) {
	w.t.Helper()
	w.eventually("it does not catch up", func() bool { return w.value(i, w.executedSQL()) == w.value(0, w.executedSQL()) })
}

func TestRepointSaysWhatKeepsItFromReplicating(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.useRunner(Options{Replication: Account{User: w.pool.Repl.User, Password: "not-the-password"}})
		if got := w.must(mpp.StepRepoint, 2, w.peer(0)); !strings.Contains(got.Text, "already") {
			t.Errorf("a replica that follows was disturbed: %s", got.Text)
		}
		w.once(mpp.StepStopReceiver, 2)
		got := w.fails("1045", mpp.StepRepoint, 2, w.peer(0), limit(8*time.Second))
		if got.Took > 5*time.Second || strings.Contains(got.Text, "not-the-password") {
			t.Errorf("after %s: %s", got.Took, got.Text)
		}
		w.useRunner(Options{})
		w.must(mpp.StepRepoint, 2, w.peer(0))
		w.fails("no other node", mpp.StepRepoint, 2, func(s *mpp.Step) { s.Peer = "127.0.0.1:1" })
		if err := w.pool.Servers[1].Kill(); err != nil {
			t.Fatal(err)
		}
		if got := w.do(mpp.StepRepoint, 2, w.peer(1)); got.Done || got.Unreachable {
			t.Errorf("to a dead source: %+v", got)
		}
	})
}

// TestCopyFromBringsWhatTheOtherReplicaHas is a failover whose preferred candidate is behind.
func TestCopyFromBringsWhatTheOtherReplicaHas(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.root(1, "STOP "+w.slave()+" IO_THREAD")
		w.write(0, 4)
		w.inStepOf(2)
		if err := w.pool.Servers[0].Kill(); err != nil {
			t.Fatal(err)
		}
		w.once(mpp.StepStopReceiver, 1)
		most := w.once(mpp.StepStopReceiver, 2)
		w.once(mpp.StepDrain, 1)
		w.once(mpp.StepDrain, 2)
		got := w.must(mpp.StepCopyFrom, 1, w.peer(2), set(most.Position.Executed))
		if got.Position.Executed != most.Position.Executed {
			t.Errorf("it is at %s, want %s", got.Position.Executed, most.Position.Executed)
		}
		if io := w.status(1)["Replica_IO_Running"]; io != "No" {
			t.Errorf("its receiver is %s", io)
		}
		w.once(mpp.StepPromote, 1)
		w.write(1, 1)
		w.once(mpp.StepRepoint, 2, w.peer(1))
		w.eventually("the writes do not arrive", func() bool { return w.rows(2) == w.rows(1) })
	})
}

// TestANewerReplicaFollowsASourceWithoutTLS has a replica of MariaDB 11.8, which insists on
// certificates unless it is told otherwise.
func TestANewerReplicaFollowsASourceWithoutTLS(t *testing.T) {
	p := sandboxtest.StartPool(t, sandbox.PoolOptions{
		Size: 2, Bases: []sandbox.Base{sandboxtest.Base(t, sandbox.MariaDB1011), sandboxtest.Base(t, sandbox.MariaDB118)},
	})
	w := &world{t: t, pool: p, flavour: sandbox.MariaDB118}
	w.useRunner(Options{})
	defer func() { w.runner.Close() }()
	w.root(1, "STOP SLAVE", "RESET SLAVE ALL")
	w.must(mpp.StepRepoint, 1, w.peer(0))
	w.root(0, "CREATE DATABASE follows")
	w.inStep()
}

func TestSemiSyncFollowsTheRole(t *testing.T) {
	for _, f := range both() {
		t.Run(string(f), func(t *testing.T) {
			p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: sandboxtest.Base(t, f), Size: 2, SemiSync: time.Minute})
			w := &world{t: t, pool: p, flavour: f}
			w.useRunner(Options{})
			defer func() { w.runner.Close() }()
			source, replica := "rpl_semi_sync_source", "rpl_semi_sync_replica"
			if w.mariaDB() {
				source, replica = "rpl_semi_sync_master", "rpl_semi_sync_slave"
			}
			status := func(i int, name string) string {
				return w.value(i, "SELECT VARIABLE_VALUE FROM "+w.statusTable()+" WHERE VARIABLE_NAME = '"+name+"'")
			}
			w.once(mpp.StepReadOnly, 0)
			w.once(mpp.StepStopReceiver, 1)
			w.once(mpp.StepPromote, 1)
			w.must(mpp.StepSemiSync, 1, detail(RoleSource))
			w.want(1, "SELECT @@global."+source+"_enabled", "1")
			w.want(1, "SELECT @@global."+replica+"_enabled", "0")
			w.root(0, "SET GLOBAL "+replica+"_enabled = 0")
			w.once(mpp.StepRepoint, 0, w.peer(1))
			w.must(mpp.StepSemiSync, 0, detail(RoleReplica))
			w.want(0, "SELECT @@global."+source+"_enabled", "0")
			if got := status(0, replica+"_status"); got != "ON" {
				t.Errorf("the replica's side is %s", got)
			}
			w.eventually("it does not count", func() bool { return status(1, source+"_clients") == "1" })
			w.root(1, "CREATE DATABASE acknowledged")
			if got := status(1, source+"_yes_tx"); got == "0" {
				t.Error("nothing was acknowledged")
			}
			w.fails("none of", mpp.StepSemiSync, 1, detail("both"))
		})
	}
}

func (w *world) statusTable() string {
	if w.mariaDB() {
		return "information_schema.GLOBAL_STATUS"
	}
	return "performance_schema.global_status"
}

func TestEventsFollowTheWriter(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		definer := "SET USER"
		if !w.mariaDB() {
			definer = "SET_ANY_DEFINER"
		}
		w.root(0, "GRANT EVENT, "+definer+" ON *.* TO '"+w.pool.Failover.User+"'@'%'")
		for i := range w.pool.Servers {
			w.root(i, "SET GLOBAL event_scheduler = ON")
		}
		w.useRunner(Options{}) // log in with the new grants
		conn, _ := w.app(0)
		w.exec(conn, "SET sql_mode = 'ANSI_QUOTES'")
		w.exec(conn, "CREATE EVENT app.tick ON SCHEDULE EVERY 1 HOUR DO INSERT INTO app.t (v) VALUES ('tick')")
		w.inStep()
		status := func(i int) string {
			return w.value(i, "SELECT REPLACE(STATUS, 'REPLICA_SIDE', 'SLAVESIDE') FROM information_schema.EVENTS WHERE EVENT_NAME = 'tick'")
		}
		states := func(want ...string) {
			t.Helper()
			for i, s := range want {
				w.eventually("the event on "+w.pool.Servers[i].Name()+" is not "+s, func() bool { return status(i) == s })
			}
		}
		states("ENABLED", "SLAVESIDE_DISABLED", "SLAVESIDE_DISABLED")
		before := w.value(0, w.executedSQL())
		w.must(mpp.StepEventsOff, 0)
		states("SLAVESIDE_DISABLED")
		w.want(0, w.executedSQL(), before)
		// Undone: on again.
		w.must(mpp.StepEventsOn, 0)
		w.inStep()
		states("ENABLED", "SLAVESIDE_DISABLED", "SLAVESIDE_DISABLED")
		// And over.
		w.once(mpp.StepReadOnly, 0)
		w.must(mpp.StepEventsOff, 0)
		if !w.mariaDB() {
			w.want(0, "SELECT @@global.super_read_only", "1")
		}
		w.root(1, "SET GLOBAL event_scheduler = ON")
		w.inStep()
		w.once(mpp.StepPromote, 1)
		w.must(mpp.StepEventsOn, 1)
		w.once(mpp.StepRepoint, 2, w.peer(1))
		w.once(mpp.StepRepoint, 0, w.peer(1))
		w.write(1, 1)
		w.eventually("the writes do not arrive", func() bool { return w.rows(0) == w.rows(1) && w.rows(2) == w.rows(1) })
		states("SLAVESIDE_DISABLED", "ENABLED", "SLAVESIDE_DISABLED")
		w.want(1, "SELECT CONCAT(DEFINER, ' ', SQL_MODE) FROM information_schema.EVENTS WHERE EVENT_NAME = 'tick'", "app@% ANSI_QUOTES")
		w.root(1, "DROP EVENT app.tick")
		if w.mariaDB() {
			for i := range w.pool.Servers {
				w.root(i, "SET GLOBAL event_scheduler = OFF")
			}
		}
	})
}

func TestCheckNamesMissingGrants(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		got := w.must(mpp.StepCheck, 0)
		if got.Position == nil || got.Position.OwnLog == "" {
			t.Errorf("no position: %+v", got.Position)
		}
		w.root(0, "REVOKE RELOAD ON *.* FROM '"+w.pool.Failover.User+"'@'%'")
		w.inStep()
		w.fails("RELOAD", mpp.StepCheck, 1)
		w.root(0, "GRANT RELOAD ON *.* TO '"+w.pool.Failover.User+"'@'%'")
		w.inStep()
		w.must(mpp.StepCheck, 1)
	})
}

func TestCheckLogsInAnew(t *testing.T) {
	each(t, both(), func(_ *testing.T, w *world) {
		w.must(mpp.StepCheck, 1) // leaves a connection that goes on to work
		user := "ALTER USER '" + w.pool.Failover.User + "'@'%' IDENTIFIED BY "
		w.root(0, user+"'changed'")
		w.inStep()
		w.fails("1045", mpp.StepCheck, 1)
		w.root(0, user+"'"+w.pool.Failover.Password+"'")
		w.inStep()
		w.must(mpp.StepCheck, 1)
	})
}

// TestADamagedRelayLogIsSetAside: a crash has left MariaDB without a file that its relay log needs.
func TestADamagedRelayLogIsSetAside(t *testing.T) {
	for _, f := range []sandbox.Flavour{sandbox.MariaDB1011, sandbox.MariaDB118} {
		t.Run(string(f), func(t *testing.T) {
			p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: sandboxtest.Base(t, f), Size: 2})
			w := &world{t: t, pool: p, flavour: f}
			w.useRunner(Options{})
			defer func() { w.runner.Close() }()
			w.root(0, "CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200))")
			w.write(0, 3)
			w.inStep()
			s := p.Servers[1]
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
			files, err := filepath.Glob(filepath.Join(s.DataDir(), "relay-bin.[0-9]*"))
			if err != nil || len(files) == 0 {
				t.Fatalf("relay log %v: %v", files, err)
			}
			// What it keeps of its place points to a file that is not there, as when RESET SLAVE was cut short.
			if err := os.WriteFile(filepath.Join(s.DataDir(), "relay-log.info"), []byte("5\n./relay-bin.000099\n4\n\n0\n0\n"), 0o600); err != nil {
				t.Fatal(err)
			}
			if err := s.Restart(t.Context()); err != nil {
				t.Fatal(err)
			}
			w.write(0, 2)
			got := w.fails("its relay log is damaged", mpp.StepRepoint, 1, w.peer(0))
			if !strings.Contains(got.Text, "RESET SLAVE there gives them up") {
				t.Errorf("it does not say what to do: %s", got.Text)
			}
			w.runner.servers[w.addr(1)].node.Host = remote.NewLocal(false, time.Minute)
			w.must(mpp.StepRepoint, 1, w.peer(0))
			w.inStep()
			if w.rows(0) != w.rows(1) {
				t.Errorf("%s rows, want %s", w.rows(1), w.rows(0))
			}
			kept, err := filepath.Glob(filepath.Join(s.DataDir(), ".mpp-relay-*", "relay-bin.index"))
			if err != nil || len(kept) != min(1, len(files)-1) {
				t.Errorf("of %v there were kept: %v, %v", files, kept, err)
			}
		})
	}
}
