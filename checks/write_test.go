package checks_test

import (
	"slices"
	"testing"
	"time"

	"mpp"
	"mpp/checks"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// writing are the options of a node whose heartbeat is written.
func writing(pool *sandbox.Pool, s *sandbox.Server) checks.Options {
	o := options(pool, s)
	o.HeartbeatTable, o.Write, o.WriteLimit = "mpp.heartbeat", true, 300*time.Millisecond
	return o
}

// sessions counts the monitoring account's sessions on a server, and those of them that are in
// the middle of a write or a sleep.
func sessions(t *testing.T, s *sandbox.Server) (all, busy int) {
	t.Helper()
	err := s.Root().QueryRowContext(sandboxtest.Context(t),
		"SELECT COUNT(*), COALESCE(SUM(INFO LIKE 'INSERT%' OR INFO LIKE 'SELECT SLEEP%'), 0) FROM information_schema.PROCESSLIST WHERE USER = 'mpp'").Scan(&all, &busy)
	if err != nil {
		t.Fatal(err)
	}
	if busy > 1 {
		t.Log(processList(t, s))
	}
	return all, busy
}

// processList shows what a server is doing.
func processList(t *testing.T, s *sandbox.Server) string {
	t.Helper()
	var list string
	err := s.Root().QueryRowContext(sandboxtest.Context(t),
		"SELECT GROUP_CONCAT(ID, ' ', USER, ' ', COMMAND, ' ', TIME, ' ', COALESCE(STATE, ''), ' ', COALESCE(INFO, '') SEPARATOR '\n') FROM information_schema.PROCESSLIST").Scan(&list)
	if err != nil {
		t.Fatal(err)
	}
	return list
}

// asActive asks for a poll of the ACTIVE node.
func asActive() mpp.Ask { return mpp.Ask{Active: true} }

func writeOK(o mpp.Observation) bool {
	c, ok := find(o, "write")
	return ok && c.Status == mpp.OK
}

// inStep waits until the heartbeat is being written.
func inStep(t *testing.T, p *checks.Prober) {
	t.Helper()
	healthy(t, eventually(t, p, asActive(), func(o mpp.Observation) bool { return writeOK(o) && o.Verdict().Status == mpp.OK }))
}

func TestHeartbeatIsWrittenOnTheActiveNodeOnly(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	s := pool.Servers[0]
	opt := writing(pool, s)
	opt.WriteCreate = false
	p := prober(t, opt)
	eventually(t, p, asActive(), func(o mpp.Observation) bool {
		return differs(o, want{"write", mpp.Fail, mpp.KindSQL, "error 1146"}) == ""
	})
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	opt.WriteCreate = true
	p = prober(t, opt)
	inStep(t, p)
	age := func() (d float64) {
		row := s.Root().QueryRowContext(t.Context(), "SELECT TIMESTAMPDIFF(MICROSECOND, ts, UTC_TIMESTAMP(6)) / 1e6 FROM mpp.heartbeat WHERE server_id = @@server_id")
		if err := row.Scan(&d); err != nil {
			t.Fatal(err)
		}
		return d
	}
	if d := age(); d > 5 {
		t.Errorf("the heartbeat is %g s old", d)
	}
	if all, _ := sessions(t, s); all != 2 {
		t.Errorf("%d sessions of one prober, want the lasting one and the writer", all)
	}
	exec(t, s, "DELETE FROM mpp.heartbeat")
	o := poll(t, p, mpp.Ask{})
	if c, ok := find(o, "write"); ok {
		t.Errorf("a node that is not ACTIVE was written to: %v", c)
	}
	var n int
	if err := s.Root().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM mpp.heartbeat").Scan(&n); err != nil || n != 0 {
		t.Errorf("%d heartbeats (%v), want none", n, err)
	}
}

func TestReadOnlyActiveNodeIsCriticalAndNotWrittenTo(t *testing.T) {
	for flavour, setting := range map[sandbox.Flavour]string{sandbox.MariaDB1011: "read_only", sandbox.MySQL97: "super_read_only"} {
		t.Run(string(flavour), func(t *testing.T) {
			pool := startPool(t, flavour, 1)
			s := pool.Servers[0]
			p := prober(t, writing(pool, s))
			inStep(t, p)
			exec(t, s, "SET GLOBAL "+setting+" = 1")
			eventually(t, p, asActive(), func(o mpp.Observation) bool {
				return o.Server.ReadOnly && differs(o, want{"write", mpp.Critical, mpp.KindReadOnly, "the server is read-only"}) == ""
			})
			exec(t, s, "SET GLOBAL "+setting+" = 0", "SET GLOBAL read_only = 0")
			inStep(t, p)
		})
	}
}

func TestReadLockOfABackupIsNoFailure(t *testing.T) {
	for _, flavour := range []sandbox.Flavour{sandbox.MariaDB1011, sandbox.MariaDB118, sandbox.MySQL97} {
		t.Run(string(flavour), func(t *testing.T) {
			pool := startPool(t, flavour, 1)
			s := pool.Servers[0]
			p := prober(t, writing(pool, s))
			inStep(t, p)
			backup, err := s.Root().Conn(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			defer backup.Close()
			if _, err := backup.ExecContext(t.Context(), "FLUSH TABLES WITH READ LOCK"); err != nil {
				t.Fatal(err)
			}
			for i := range 4 {
				o := poll(t, p, asActive())
				expect(t, o, want{"write", mpp.Warn, mpp.KindReadLock, "a global read lock, as for a backup: state \"Waiting for "})
				expect(t, o, want{check: "query"})
				expect(t, o, want{check: "connect"})
				if o.Verdict().Failed != "" {
					t.Errorf("a backup is no failure: %s", show(o))
				}
				if i > 0 && o.Took > 100*time.Millisecond+slack {
					t.Errorf("a write that hangs since before was waited for: %s", o.Took)
				}
			}
			if _, busy := sessions(t, s); busy > 1 {
				t.Errorf("%d sessions of MPP hang", busy)
			}
			if _, err := backup.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
				t.Fatal(err)
			}
			inStep(t, p)
		})
	}
}

func TestLockedHeartbeatTableIsNoFailure(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	s := pool.Servers[0]
	opt := writing(pool, s)
	opt.Lag = false
	p := prober(t, opt)
	inStep(t, p)
	c, err := s.Root().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	if _, err := c.ExecContext(t.Context(), "LOCK TABLES mpp.heartbeat READ"); err != nil {
		t.Fatal(err)
	}
	expect(t, poll(t, p, asActive()), want{"write", mpp.Warn, mpp.KindReadLock, "a lock on the heartbeat table: state \"Waiting for table metadata lock\""})
	if _, err := c.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	inStep(t, p)
}

func TestFullDiskIsFoundByTheWriteAndByNothingElse(t *testing.T) {
	for _, c := range []struct {
		flavour sandbox.Flavour
		args    []string
		kinds   []mpp.Kind
	}{
		{sandbox.MariaDB1011, nil, []mpp.Kind{mpp.KindDiskFull}},
		{sandbox.MySQL97, []string{"--performance-schema=ON"}, []mpp.Kind{mpp.KindDiskFull}},
		{sandbox.MySQL97, nil, []mpp.Kind{mpp.KindDiskFull, mpp.KindStuckCommit}},
	} {
		t.Run(string(c.flavour), func(t *testing.T) {
			pool := sandboxtest.StartPool(t, sandbox.PoolOptions{
				Base: sandboxtest.Base(t, c.flavour), Size: 1, MonitorPassword: monitorPassword, Args: c.args,
				Each: func(_ int, o *sandbox.Options) { o.Disk = sandbox.SmallDisk(4 << 20) },
			})
			s := pool.Servers[0]
			opt := writing(pool, s)
			opt.Engine, opt.PrivilegeInterval = true, 0 // what a promotion must know is asked in every poll, and must not hang
			p := prober(t, opt)
			inStep(t, p)
			if err := s.FillDisk(); err != nil {
				t.Fatal(err)
			}
			full := func(o mpp.Observation) bool {
				f, _ := find(o, "write")
				return f.Status == mpp.Fail && slices.Contains(c.kinds, f.Kind)
			}
			o := eventually(t, p, asActive(), full)
			for range 3 {
				o = poll(t, p, asActive())
				if !full(o) || o.Verdict().Failed != mpp.Reach {
					t.Errorf("the disk is still full: %s", show(o))
				}
				expect(t, o, want{check: "connect"})
				expect(t, o, want{check: "query"})
				expect(t, o, want{check: "replication"})
				if o.Server.SemiSync == nil || o.Server.Settings == nil || (o.Server.BinlogState == "") == s.Base().MariaDB {
					t.Errorf("what a promotion must know got no answer: %s", show(o))
				}
				if o.Took > opt.WriteLimit+slack {
					t.Errorf("a full disk holds up a poll for %s", o.Took)
				}
			}
			if _, busy := sessions(t, s); busy > 1 {
				t.Errorf("%d sessions of MPP hang", busy)
			}
			// Demoted: the stuck session is given up and ended, and no second one is made.
			poll(t, p, mpp.Ask{})
			poll(t, p, mpp.Ask{})
			for range 3 {
				if o := poll(t, p, asActive()); writeOK(o) {
					t.Errorf("a write on a full disk: %s", show(o))
				}
			}
			if _, busy := sessions(t, s); busy > 1 {
				t.Errorf("%d sessions of MPP hang", busy)
			}
			// The server itself looks for space once a minute only, so its recovery is not
			// waited for. That it still runs is what matters: MySQL aborts when such a
			// session is killed.
			expect(t, poll(t, p, asActive()), want{check: "query"})
		})
	}
}

func TestCommitThatWaitsForSemiSyncIsAFailure(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	s := pool.Servers[0]
	p := prober(t, writing(pool, s))
	inStep(t, p)
	exec(t, s, "SET GLOBAL rpl_semi_sync_master_timeout = 3600000", "SET GLOBAL rpl_semi_sync_master_wait_no_slave = 1",
		"SET GLOBAL rpl_semi_sync_master_enabled = 1")
	o := eventually(t, p, asActive(), func(o mpp.Observation) bool { f, _ := find(o, "write"); return f.Status == mpp.Fail })
	expect(t, o, want{"write", mpp.Fail, mpp.KindSemiSyncWait, "no semi-sync acknowledgement: state \"Waiting for semi-sync ACK from slave\""})
	exec(t, s, "SET GLOBAL rpl_semi_sync_master_enabled = 0")
	inStep(t, p)
}

func TestHeartbeatThatWaitsForSemiSyncFailsNoSoonerThanOtherCommits(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	s := pool.Servers[0]
	opt := writing(pool, s)
	opt.Engine, opt.CommitStuckAfter = true, 3*time.Second
	p := prober(t, opt)
	inStep(t, p)
	exec(t, s, "SET GLOBAL rpl_semi_sync_master_timeout = 3600000", "SET GLOBAL rpl_semi_sync_master_wait_no_slave = 1",
		"SET GLOBAL rpl_semi_sync_master_enabled = 1")
	begin := time.Now()
	hangs := func(o mpp.Observation) bool { f, _ := find(o, "write"); return f.Kind == mpp.KindSemiSyncWait }
	o := eventually(t, p, asActive(), hangs)
	for time.Since(begin) < opt.CommitStuckAfter-pollLimit {
		expect(t, o, want{"write", mpp.Critical, mpp.KindSemiSyncWait, "no semi-sync acknowledgement"})
		if o.Verdict().Failed != "" {
			t.Errorf("too soon: %s", show(o))
		}
		o = eventually(t, p, asActive(), hangs)
	}
	o = eventually(t, p, asActive(), func(o mpp.Observation) bool {
		return differs(o, want{"write", mpp.Fail, mpp.KindSemiSyncWait, "no semi-sync acknowledgement"}) == ""
	})
	if took := time.Since(begin); took < opt.CommitStuckAfter {
		t.Errorf("failed after %s: %s", took, show(o))
	}
	eventually(t, p, asActive(), func(o mpp.Observation) bool {
		return differs(o, want{"commit", mpp.Fail, mpp.KindSemiSyncWait, "1 session waits"}) == ""
	})
}

func TestHangingStatementsDoNotPileUpOnTheServer(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	s := pool.Servers[0]
	opt := options(pool, s)
	opt.QueryLimit = 20 * time.Second // so that the server does not end it by itself
	opt.Custom = []checks.Custom{{Name: "slow", SQL: "SELECT SLEEP(15)", Expect: "0", Limit: 100 * time.Millisecond}}
	p := prober(t, opt)
	for range 6 {
		o := poll(t, p, asActive())
		expect(t, o, want{"custom:slow", mpp.Fail, mpp.KindHung, "no answer within 1"})
		expect(t, o, want{check: "query"})
		if o.Server.ID == 0 || !o.Answered {
			t.Errorf("a custom check that hangs hides the rest: %s", show(o))
		}
	}
	if _, busy := sessions(t, s); busy > 2 {
		t.Errorf("%d sessions of MPP hang", busy)
	}
}
