package native

import (
	"context"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// update is a statement that writes for a long time.
const update = "UPDATE app.t SET v = CONCAT('y', SLEEP(60)) ORDER BY id LIMIT 1"

func (w *world) readOnly(i int) bool {
	w.t.Helper()
	return w.value(i, "SELECT @@global.read_only") == "1"
}

func TestReadOnlyGetsPastWritersAndSparesTheOthers(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.write(0, 1)
		writer, writerID := w.app(0)
		idle, idleID := w.app(0)
		idle2, idle2ID := w.app(0)
		w.exec(idle2, "BEGIN")
		w.exec(idle2, "INSERT INTO app.t (v) VALUES ('never committed')")
		done := w.inBackground(0, writer, writerID, update)

		got := w.must(mpp.StepReadOnly, 0, limit(5*time.Second))
		if got.Took > 500*time.Millisecond || !strings.Contains(got.Text, "UPDATE") {
			t.Errorf("it took %s: %s", got.Took, got.Text)
		}
		if !w.readOnly(0) {
			t.Error("it is not read-only")
		}
		if err := <-done; err == nil {
			t.Error("the writer was not ended")
		}
		if !w.lives(0, idleID) || !w.lives(0, idle2ID) {
			t.Error("a session that was not in the way was ended")
		}
		if _, err := idle2.ExecContext(t.Context(), "COMMIT"); err == nil || !strings.Contains(err.Error(), "1290") {
			t.Errorf("an open transaction is committed with: %v", err)
		}
		w.exec(idle, "SELECT 1")
		w.must(mpp.StepWritable, 0)
		w.write(0, 1)
	})
}

func TestReadOnlyGetsPastLockTables(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		holder, _ := w.app(0)
		w.exec(holder, "LOCK TABLES app.t WRITE")
		got := w.once(mpp.StepReadOnly, 0, limit(5*time.Second))
		if got.Took > time.Second {
			t.Errorf("it took %s", got.Took)
		}
		if !w.readOnly(0) {
			t.Error("it is not read-only")
		}
		w.once(mpp.StepWritable, 0)
	})
}

func TestReadOnlyIsNotHeldUpByAGlobalReadLock(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		holder, id := w.login(0, w.pool.Failover.User, w.pool.Failover.Password)
		w.exec(holder, "FLUSH TABLES WITH READ LOCK")
		w.must(mpp.StepReadOnly, 0, limit(3*time.Second))
		if !w.readOnly(0) {
			t.Error("it is not read-only")
		}
		if !w.lives(0, id) {
			t.Error("the session with the lock was ended, which was not in the way")
		}
		w.exec(holder, "UNLOCK TABLES")
		w.must(mpp.StepWritable, 0)
	})
}

// TestReadOnlyThatGivesUpLeavesNothingBehind has a writer that must not be ended: one of replication.
func TestReadOnlyThatGivesUpLeavesNothingBehind(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		w.write(0, 1)
		// A session of MPP's own accounts is never ended; this one writes.
		w.root(0, "GRANT ALL ON app.* TO '"+w.pool.Monitor.User+"'@'%'")
		w.inStep()
		writer, id := w.login(0, w.pool.Monitor.User, w.pool.Monitor.Password)
		done := w.inBackground(0, writer, id, update)
		got := w.fails("taken back", mpp.StepReadOnly, 0, limit(2500*time.Millisecond))
		if got.Unreachable {
			t.Error("the node is said not to answer")
		}
		w.root(0, "KILL "+id)
		if err := <-done; err == nil {
			t.Error("the writer was not ended")
		}
		w.want(0, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'SET GLOBAL%read_only%'", "0")
		w.want(0, "SELECT @@global.read_only", "0")
		w.write(0, 1)
		w.want(0, "SELECT @@global.read_only", "0")
	})
}

func TestAFrozenServerIsUnreachableWithinTheLimit(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		if err := w.pool.Servers[2].Freeze(); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []mpp.StepKind{mpp.StepReadOnly, mpp.StepEndSessions, mpp.StepPosition, mpp.StepStopReceiver, mpp.StepPromote, mpp.StepCheck} {
			got := w.do(kind, 2, limit(300*time.Millisecond))
			if got.Done || !got.Unreachable {
				t.Errorf("%s: done %v, unreachable %v: %s", kind, got.Done, got.Unreachable, got.Text)
			}
		}
		if err := w.pool.Servers[2].Thaw(); err != nil {
			t.Fatal(err)
		}
		if err := w.pool.Servers[2].Kill(); err != nil {
			t.Fatal(err)
		}
		got := w.do(mpp.StepPosition, 2, limit(300*time.Millisecond))
		if got.Done || !got.Unreachable || got.Took > 100*time.Millisecond {
			t.Errorf("of a dead server: %+v", got)
		}
	})
}

func TestLockBlocksPrivilegedAccountsOfMariaDB(t *testing.T) {
	each(t, []sandbox.Flavour{sandbox.MariaDB1011}, func(t *testing.T, w *world) {
		w.root(0, "GRANT CREATE USER ON *.* TO '"+w.pool.Failover.User+"'@'%'", "GRANT READ_ONLY ADMIN ON *.* TO '"+w.pool.App.User+"'@'%'")
		w.inStep()
		w.useRunner(Options{Block: BlockLock, LockAccounts: []string{w.pool.App.User + "@%"}})
		before := w.value(0, "SELECT @@global.gtid_binlog_pos")
		c, id := w.app(0)
		w.must(mpp.StepReadOnly, 0)
		if w.lives(0, id) {
			t.Error("a session of a locked account goes on")
		}
		if err := c.PingContext(t.Context()); err == nil {
			t.Error("a session of a locked account goes on")
		}
		if err := w.tryLogin(0); err == nil || !strings.Contains(err.Error(), "4151") {
			t.Errorf("the locked account logs in with: %v", err)
		}
		w.want(0, "SELECT @@global.gtid_binlog_pos", before)
		if err := w.tryLogin(1); err != nil {
			t.Errorf("the lock has reached a replica: %v", err)
		}

		w.must(mpp.StepReadOnly, 1)
		w.must(mpp.StepPromote, 1)
		if err := w.tryLogin(1); err != nil {
			t.Errorf("a promoted node lets nobody in: %v", err)
		}
		w.must(mpp.StepRepoint, 0, w.peer(1))
		w.must(mpp.StepRepoint, 2, w.peer(1))
		for _, i := range []int{0, 2} {
			if err := w.tryLogin(i); err == nil {
				t.Errorf("%s is a replica and not locked", w.pool.Servers[i].Name())
			}
		}
		got := w.must(mpp.StepAllowConnections, 0, detail(Lock))
		if !strings.Contains(got.Text, "stays locked") {
			t.Error(got.Text)
		}
	})
}

func (w *world) tryLogin(i int) error {
	w.t.Helper()
	n := Node{Address: w.addr(i), Account: Account{User: w.pool.App.User, Password: w.pool.App.Password}}
	c, err := n.connector()
	if err != nil {
		w.t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	s, err := login(ctx, c)
	if err == nil {
		s.cut()
	}
	return err
}

func TestLockIsNotNeededOnMySQL(t *testing.T) {
	each(t, []sandbox.Flavour{sandbox.MySQL97}, func(t *testing.T, w *world) {
		w.useRunner(Options{Block: BlockLock, LockAccounts: []string{"app"}})
		got := w.must(mpp.StepReadOnly, 0)
		if !strings.Contains(got.Text, "not needed") {
			t.Error(got.Text)
		}
		if err := w.tryLogin(0); err != nil {
			t.Error(err)
		}
		w.must(mpp.StepWritable, 0)
	})
}

// TestAServerWithAFullDiskHoldsNothingUp has a binary log that cannot grow: commits hang, and so do
// some questions.
func TestAServerWithAFullDiskHoldsNothingUp(t *testing.T) {
	for _, f := range both() {
		t.Run(string(f), func(t *testing.T) {
			p := sandboxtest.StartPool(t, sandbox.PoolOptions{
				Base: sandboxtest.Base(t, f), Size: 2,
				Each: func(i int, o *sandbox.Options) {
					if i == 0 {
						o.Disk = sandbox.SmallDisk(4 << 20)
					}
				},
			})
			w := &world{t: t, pool: p, flavour: f}
			w.useRunner(Options{})
			defer func() { w.runner.Close() }()
			w.root(0, "CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, v LONGTEXT)")
			if err := p.Servers[0].FillDisk(); err != nil {
				t.Fatal(err)
			}
			c, _ := w.app(0)
			done := make(chan error, 1)
			go func() {
				_, err := c.ExecContext(context.Background(), "INSERT INTO app.t (v) VALUES (REPEAT('x', 100000))")
				done <- err
			}()
			w.eventually("the commit does not hang", func() bool {
				select {
				case err := <-done:
					t.Fatalf("insert: %v", err)
				default:
				}
				return w.value(0, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE INFO LIKE 'INSERT%' AND TIME >= 1") == "1"
			})
			got := w.once(mpp.StepPosition, 0, limit(2*time.Second))
			if got.Took > time.Second || got.Position.Executed == "" {
				t.Errorf("the position took %s: %+v", got.Took, got.Position)
			}
			closed := w.do(mpp.StepReadOnly, 0, limit(1500*time.Millisecond))
			t.Logf("read-only: done %v after %s: %s", closed.Done, closed.Took, closed.Text)
			ended := w.do(mpp.StepEndSessions, 0, limit(time.Second))
			t.Logf("end-sessions: done %v after %s: %s", ended.Done, ended.Took, ended.Text)
			// MySQL aborts itself when a session that waits for disk space is ended
			// (binlog_error_action); it takes no writes then, either.
			if w.mariaDB() && (closed.Unreachable || ended.Unreachable) {
				t.Errorf("the server is said not to answer\n%s", p.Servers[0].ErrorLogTail())
			}
			w.once(mpp.StepStopReceiver, 1)
			w.once(mpp.StepPromote, 1)
			if err := p.Servers[0].FreeDisk(); err != nil {
				t.Fatal(err)
			}
			if err := <-done; err == nil {
				t.Error("the hanging commit went through")
			}
		})
	}
}

// TestReadOnlyGetsPastCommitsThatNobodyAcknowledges: neither is their client told that they are committed.
func TestReadOnlyGetsPastCommitsThatNobodyAcknowledges(t *testing.T) {
	for _, f := range []sandbox.Flavour{sandbox.MariaDB1011, sandbox.MariaDB118, sandbox.MySQL97} {
		t.Run(string(f), func(t *testing.T) {
			p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: sandboxtest.Base(t, f), Size: 2, SemiSync: time.Hour})
			w := &world{t: t, pool: p, flavour: f}
			w.useRunner(Options{})
			defer func() { w.runner.Close() }()
			w.root(0, "CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200))")
			w.write(0, 1)
			w.inStep()
			if err := p.Servers[1].StopIOThread(sandboxtest.Context(t)); err != nil {
				t.Fatal(err)
			}
			acknowledged := make(chan error, 2)
			for range cap(acknowledged) {
				c, _ := w.app(0)
				go func() {
					_, err := c.ExecContext(context.WithoutCancel(t.Context()), "INSERT INTO app.t (v) VALUES ('unacknowledged')")
					acknowledged <- err
				}()
			}
			w.eventually("no commit waits", func() bool {
				return w.value(0, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE 'Waiting for semi-sync ACK%'") != "0"
			})
			w.must(mpp.StepReadOnly, 0)
			for range cap(acknowledged) {
				if err := <-acknowledged; err == nil {
					t.Error("a client was told that its commit is done, and no replica has it")
				}
			}
			w.want(0, "SELECT @@global.read_only", "1")
			side := "rpl_semi_sync_master_enabled"
			if !w.mariaDB() {
				side = "rpl_semi_sync_source_enabled"
			}
			w.want(0, "SELECT @@global."+side, "1")
			w.must(mpp.StepEndSessions, 0)
		})
	}
}
