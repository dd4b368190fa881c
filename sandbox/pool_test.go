package sandbox_test

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// login opens a connection over TCP for an account of a pool.
func login(t *testing.T, s *sandbox.Server, a sandbox.Account) *sql.DB {
	t.Helper()
	db, err := sql.Open("mysql", s.DSN(a.User, a.Password))
	must(t, err)
	t.Cleanup(func() { db.Close() })
	return db
}

// eventually waits for a condition within the test's time.
func eventually(t *testing.T, cond func(context.Context) error) {
	t.Helper()
	must(t, sandbox.Eventually(sandboxtest.Context(t), 10*time.Millisecond, cond))
}

// hasRow tells whether a row of app.t is on a server.
func hasRow(s *sandbox.Server, row int) func(context.Context) error {
	return func(ctx context.Context) error {
		var there int
		err := s.Root().QueryRowContext(ctx, "SELECT COUNT(*) FROM app.t WHERE i = ?", row).Scan(&there)
		if err == nil && there == 0 {
			err = fmt.Errorf("row %d is not there", row)
		}
		return err
	}
}

func TestPoolReplicatesAndCanBeTurnedRound(t *testing.T) {
	eachFlavour(t, func(t *testing.T, base sandbox.Base) {
		ctx := sandboxtest.Context(t)
		p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: base, AppPassword: `it's a \ secret`})
		first, second, third := p.Servers[0], p.Servers[1], p.Servers[2]
		app := login(t, first, p.App)
		mustExec(t, app, "CREATE TABLE app.t (i INT PRIMARY KEY)", "INSERT INTO app.t VALUES (1)")
		must(t, p.CatchUp(ctx, first))
		for i, s := range p.Servers {
			must(t, hasRow(s, 1)(ctx))
			if got, want := scalar(t, s.Root(), "SELECT @@read_only"), fmt.Sprint(min(i, 1)); got != want {
				t.Errorf("%s: read_only = %s, want %s", s.Name(), got, want)
			}
		}
		if _, err := login(t, second, p.App).ExecContext(ctx, "INSERT INTO app.t VALUES (99)"); err == nil {
			t.Error("a replica took a write")
		}

		// The source dies, the second takes over, and the old source joins it.
		must(t, first.Kill())
		must(t, p.Repoint(ctx, third, second))
		mustExec(t, second.Root(), "STOP "+replicaWord(base), "RESET "+replicaWord(base)+" ALL", "SET GLOBAL read_only = 0")
		mustExec(t, login(t, second, p.App), "INSERT INTO app.t VALUES (2)")
		must(t, first.Restart(ctx))
		must(t, p.Repoint(ctx, first, second))
		must(t, p.CatchUp(ctx, second))
		for _, s := range p.Servers {
			must(t, hasRow(s, 2)(ctx))
		}
	})
}

// replicaWord is the product's word in STOP and RESET.
func replicaWord(base sandbox.Base) string {
	if base.MariaDB {
		return "SLAVE"
	}
	return "REPLICA"
}

func TestReplicationCanBeStoppedAndDelayed(t *testing.T) {
	eachFlavour(t, func(t *testing.T, base sandbox.Base) {
		ctx := sandboxtest.Context(t)
		p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: base, Size: 2})
		source, replica := p.Servers[0], p.Servers[1]
		mustExec(t, source.Root(), "CREATE TABLE app.t (i INT PRIMARY KEY)")
		must(t, p.CatchUp(ctx, source))
		expect := func(io, sql string) {
			t.Helper()
			eventually(t, func(ctx context.Context) error {
				status, err := replica.ReplicaStatus(ctx)
				if err == nil && (status["Replica_IO_Running"] != io || status["Replica_SQL_Running"] != sql) {
					err = errors.New(status.Trouble())
				}
				return err
			})
		}

		must(t, replica.StopSQLThread(ctx))
		expect("Yes", "No")
		mustExec(t, source.Root(), "INSERT INTO app.t VALUES (1)")
		short, cancel := context.WithTimeout(ctx, 100*time.Millisecond)
		defer cancel()
		if err := p.CatchUp(short, source); err == nil || !strings.Contains(err.Error(), "SQL No") {
			t.Errorf("a replica with its SQL thread stopped caught up: %v", err)
		}
		must(t, replica.StartReplication(ctx))
		must(t, p.CatchUp(ctx, source))

		must(t, replica.StopIOThread(ctx))
		expect("No", "Yes")
		must(t, replica.StartReplication(ctx))
		expect("Yes", "Yes")

		must(t, replica.Delay(ctx, time.Hour))
		mustExec(t, source.Root(), "INSERT INTO app.t VALUES (2)")
		eventually(t, func(ctx context.Context) error {
			status, err := replica.ReplicaStatus(ctx)
			if err == nil && status["SQL_Remaining_Delay"] == "" {
				err = errors.New("it is not waiting")
			}
			return err
		})
		if err := hasRow(replica, 2)(ctx); err == nil {
			t.Error("a delayed replica has the row")
		}
		must(t, replica.Delay(ctx, 0))
		must(t, p.CatchUp(ctx, source))
		must(t, hasRow(replica, 2)(ctx))
	})
}

func TestMonitorAccountSeesEnoughAndNoMore(t *testing.T) {
	eachFlavour(t, func(t *testing.T, base sandbox.Base) {
		ctx := sandboxtest.Context(t)
		p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: base, Size: 2})
		monitor := login(t, p.Servers[0], p.Monitor)
		mustExec(t, monitor, "SHOW "+replicaWord(base)+" STATUS", "SHOW GLOBAL STATUS", "SHOW FULL PROCESSLIST",
			"CREATE TABLE mpp.heartbeat (id INT PRIMARY KEY, at DATETIME(6))", "INSERT INTO mpp.heartbeat VALUES (1, NOW(6))",
			"UPDATE mpp.heartbeat SET at = NOW(6)")
		for _, text := range []string{"SET GLOBAL read_only = 1", "CREATE TABLE app.x (i INT)", "STOP " + replicaWord(base)} {
			if _, err := monitor.ExecContext(ctx, text); err == nil {
				t.Errorf("the monitor may do %s", text)
			}
		}
		failover := login(t, p.Servers[1], p.Failover)
		mustExec(t, failover, "STOP "+replicaWord(base), "SET GLOBAL read_only = 0", "SET GLOBAL read_only = 1", "START "+replicaWord(base))
	})
}

func TestPoolOfSeveralVersions(t *testing.T) {
	old, recent := sandboxtest.Base(t, sandbox.MariaDB105), sandboxtest.Base(t, sandbox.MariaDB118)
	p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: recent, Bases: []sandbox.Base{old}, Size: 2, StartReadOnly: true})
	ctx := sandboxtest.Context(t)
	mustExec(t, p.Servers[0].Root(), "CREATE TABLE app.t (i INT PRIMARY KEY)", "INSERT INTO app.t VALUES (1)")
	must(t, p.CatchUp(ctx, p.Servers[0]))
	must(t, hasRow(p.Servers[1], 1)(ctx))
	must(t, p.Servers[0].Restart(ctx))
	if got := scalar(t, p.Servers[0].Root(), "SELECT @@read_only"); got != "1" {
		t.Errorf("read_only = %s after a restart, want 1", got)
	}
}

func TestFailedPoolLeavesNothing(t *testing.T) {
	base := sandboxtest.Base(t, sandbox.MariaDB1011)
	_, err := sandbox.StartPool(sandboxtest.Context(t), sandbox.PoolOptions{Base: base, Each: func(i int, o *sandbox.Options) {
		if i == 1 {
			o.Args = append(o.Args, "--no-such-option")
		}
	}})
	if err == nil || !strings.Contains(err.Error(), "no-such-option") {
		t.Errorf("error: %v", err)
	}
	// TestMain looks for what is left.
}

func TestSemiSyncPoolWaitsForAReplica(t *testing.T) {
	eachFlavour(t, func(t *testing.T, base sandbox.Base) {
		p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: base, Size: 2, SemiSync: time.Hour})
		source, replica := p.Servers[0], p.Servers[1]
		mustExec(t, source.Root(), "CREATE TABLE app.t (i INT PRIMARY KEY)", "INSERT INTO app.t VALUES (1)")
		must(t, replica.Kill())
		ctx, cancel := context.WithTimeout(sandboxtest.Context(t), 300*time.Millisecond)
		defer cancel()
		if _, err := source.Root().ExecContext(ctx, "INSERT INTO app.t VALUES (2)"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("a commit without a replica: %v, want it to wait", err)
		}
		must(t, replica.Restart(sandboxtest.Context(t)))
		eventually(t, hasRow(replica, 2))
	})
}

func TestDetachedPoolIsFoundAgain(t *testing.T) {
	base := sandboxtest.Base(t, sandbox.MariaDB1011)
	ctx, dir := sandboxtest.Context(t), filepath.Join(t.TempDir(), "pool")
	started, err := sandbox.StartPool(ctx, sandbox.PoolOptions{Base: base, Dir: dir, Size: 2, Detached: true})
	must(t, err)
	defer started.Close()
	p, err := sandbox.OpenPool(dir)
	must(t, err)
	defer p.Close()
	if len(p.Servers) != 2 || p.App != started.App || p.Servers[1].PID() != started.Servers[1].PID() {
		t.Errorf("found another pool: %+v", p)
	}
	must(t, p.Repoint(ctx, p.Servers[1], p.Servers[0]))
	must(t, p.CatchUp(ctx, p.Servers[0]))

	for _, s := range p.Servers {
		must(t, s.Kill())
	}
	removed, err := sandbox.CleanStale(ctx, filepath.Dir(dir))
	must(t, err)
	if _, err := os.Stat(dir); len(removed) != 2 || !errors.Is(err, os.ErrNotExist) {
		t.Errorf("removed %q, and the pool's folder: %v", removed, err)
	}
}
