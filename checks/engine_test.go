package checks_test

import (
	"database/sql"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/checks"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// withEngine are the options of a node of a pool with an engine.
func withEngine(pool *sandbox.Pool, s *sandbox.Server) checks.Options {
	o := options(pool, s)
	o.Engine = true
	return o
}

// variable asks root's connection for a global variable, on one line; "" for one that is not there.
func variable(t *testing.T, s *sandbox.Server, name string) string {
	t.Helper()
	return pairOf(t, s, "SHOW GLOBAL VARIABLES LIKE '"+name+"'")
}

// pairOf returns the value of the only row of names and values.
func pairOf(t *testing.T, s *sandbox.Server, query string) string {
	t.Helper()
	rows, err := s.Root().QueryContext(sandboxtest.Context(t), query)
	if err != nil {
		t.Fatal(err)
	}
	defer rows.Close()
	var name string
	var value sql.NullString
	for rows.Next() {
		if err := rows.Scan(&name, &value); err != nil {
			t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		t.Fatal(err)
	}
	return strings.ReplaceAll(value.String, "\n", "")
}

// received is what the server says of its only channel.
func received(t *testing.T, s *sandbox.Server) mpp.Channel {
	t.Helper()
	status, err := s.ReplicaStatus(sandboxtest.Context(t))
	if err != nil {
		t.Fatal(err)
	}
	number := func(name string) uint64 {
		n, err := strconv.ParseUint(status[name], 10, 64)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	c := mpp.Channel{SourceLog: status["Source_Log_File"], SourcePos: number("Read_Source_Log_Pos")}
	if s.Base().MariaDB {
		c.Received, c.ByGTID = status["Gtid_IO_Pos"], status["Using_Gtid"] != "No"
		return c
	}
	c.Received, c.ByGTID = strings.ReplaceAll(status["Retrieved_Gtid_Set"], "\n", ""), status["Auto_Position"] == "1"
	c.RetryFor = time.Duration(number("Connect_Retry")*number("Source_Retry_Count")) * time.Second
	return c
}

// positionOf is a channel with nothing but what it has received.
func positionOf(c mpp.Channel) mpp.Channel {
	return mpp.Channel{Received: c.Received, SourceLog: c.SourceLog, SourcePos: c.SourcePos, ByGTID: c.ByGTID, RetryFor: c.RetryFor}
}

func TestPositionsAreWhatTheServerSays(t *testing.T) {
	for _, flavour := range sandbox.Flavours() {
		t.Run(string(flavour), func(t *testing.T) {
			pool := startPool(t, flavour, 2)
			source, replica := pool.Servers[0], pool.Servers[1]
			p := prober(t, withEngine(pool, replica))
			poll(t, p, mpp.Ask{})
			exec(t, source, "CREATE TABLE app.t (a INT PRIMARY KEY)", "INSERT INTO app.t VALUES (1)", "FLUSH BINARY LOGS")
			if err := pool.CatchUp(sandboxtest.Context(t), source); err != nil {
				t.Fatal(err)
			}
			// A server writes to its new log some time after the old one was closed, too.
			o := eventually(t, p, mpp.Ask{}, func(o mpp.Observation) bool {
				return len(o.Channels) == 1 && positionOf(o.Channels[0]) == received(t, replica)
			})
			if c := o.Channels[0]; c.Received == "" || !c.ByGTID || c.SourcePos == 0 {
				t.Errorf("no position: %s", show(o))
			}
			binlogState(t, source, poll(t, prober(t, withEngine(pool, source)), asActive()))
			binlogState(t, replica, o)

			o = poll(t, prober(t, options(pool, replica)), mpp.Ask{}) // no engine: nothing that changes all the time
			c := o.Channels[0]
			if c.Received != "" || c.SourceLog != "" || c.SourcePos != 0 || c.RetryFor != 0 || o.Server.BinlogState != "" || !c.ByGTID {
				t.Errorf("asked without an engine: %s", show(o))
			}
		})
	}
}

func binlogState(t *testing.T, s *sandbox.Server, o mpp.Observation) {
	t.Helper()
	if want := variable(t, s, "gtid_binlog_state"); o.Server.BinlogState != want || (want == "") == s.Base().MariaDB {
		t.Errorf("binary log's state %q, want %q", o.Server.BinlogState, want)
	}
}

// semiSyncPool starts two servers whose commits wait for ever for an acknowledgement.
func semiSyncPool(t *testing.T, flavour sandbox.Flavour) *sandbox.Pool {
	t.Helper()
	return sandboxtest.StartPool(t, sandbox.PoolOptions{
		Base: sandboxtest.Base(t, flavour), Size: 2, MonitorPassword: monitorPassword, SemiSync: time.Hour,
	})
}

// semiSyncWord spells MySQL's word for a variable or counter as the server's product does.
func semiSyncWord(s *sandbox.Server, name string) string {
	if !s.Base().MariaDB {
		return name
	}
	return strings.NewReplacer("source", "master", "replica", "slave").Replace(name)
}

// semiSyncOf asks root's connection for what an observation is to show.
func semiSyncOf(t *testing.T, s *sandbox.Server) mpp.SemiSync {
	t.Helper()
	status := func(name string) string {
		return pairOf(t, s, "SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync_"+semiSyncWord(s, name)+"'")
	}
	count := func(name string) int {
		n, err := strconv.Atoi(status(name))
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return n
	}
	return mpp.SemiSync{
		Source: status("source_status") == "ON", Replica: status("replica_status") == "ON",
		Clients: count("source_clients"), Waiting: count("source_wait_sessions"),
		TimedOut: status("source_status") == "OFF" && variable(t, s, semiSyncWord(s, "rpl_semi_sync_source_enabled")) == "ON",
	}
}

// settingsOf asks root's connection for the settings, one by one.
func settingsOf(t *testing.T, s *sandbox.Server) mpp.Settings {
	t.Helper()
	on := func(name string) bool { return variable(t, s, name) == "ON" }
	number := func(name string) uint32 {
		n, err := strconv.ParseUint(variable(t, s, name), 10, 32)
		if err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		return uint32(n)
	}
	semiSync := func(name string) string { return semiSyncWord(s, "rpl_semi_sync_"+name) }
	w := mpp.Settings{
		LogBin: on("log_bin"), LogReplicaUpdates: on("log_slave_updates"),
		BinlogFormat: variable(t, s, "binlog_format"), LogBase: variable(t, s, "log_bin_basename"),
		GTID:       on("gtid_mode") && on("enforce_gtid_consistency"),
		SyncBinlog: number("sync_binlog"), FlushLog: number("innodb_flush_log_at_trx_commit"),
		RelayLogRecovery: on("relay_log_recovery"), EventScheduler: variable(t, s, "event_scheduler"),
		SemiSyncInstalled: true, SemiSyncSource: on(semiSync("source_enabled")), SemiSyncReplica: on(semiSync("replica_enabled")),
		SemiSyncTimeout:   time.Duration(number(semiSync("source_timeout"))) * time.Millisecond,
		SemiSyncWaitPoint: variable(t, s, semiSync("source_wait_point")), ReportHost: variable(t, s, "report_host"),
	}
	if s.Base().MariaDB {
		w.GTID, w.ParallelWorkers = on("gtid_strict_mode"), number("slave_parallel_threads")
	} else {
		w.ParallelWorkers = number("replica_parallel_workers")
	}
	return w
}

func TestSemiSyncAndSettingsAreWhatTheServerSays(t *testing.T) {
	for _, flavour := range sandbox.Flavours() {
		t.Run(string(flavour), func(t *testing.T) {
			pool := semiSyncPool(t, flavour)
			for i, ask := range []mpp.Ask{asActive(), {}} {
				s := pool.Servers[i]
				opt := withEngine(pool, s)
				opt.PrivilegeInterval = 0 // so that the settings are read in every poll
				p := prober(t, opt)
				looksAsItIs(t, p, ask, s)
				o := poll(t, p, ask)
				if !o.Server.Settings.LogBin || !o.Server.Settings.GTID || o.Server.SemiSync.Source != (i == 0) || o.Server.SemiSync.Replica != (i == 1) {
					t.Errorf("not a pool with semi-sync: %+v %+v", o.Server.Settings, o.Server.SemiSync)
				}
				exec(t, s, "SET GLOBAL sync_binlog = 7", "SET GLOBAL innodb_flush_log_at_trx_commit = 2",
					"SET GLOBAL "+semiSyncWord(s, "rpl_semi_sync_source_timeout")+" = 12345",
					"SET GLOBAL "+semiSyncWord(s, "rpl_semi_sync_source_wait_point")+" = AFTER_COMMIT", "SET GLOBAL event_scheduler = OFF")
				looksAsItIs(t, p, ask, s)

				o = poll(t, prober(t, options(pool, s)), ask)
				if o.Server.SemiSync != nil || o.Server.Settings != nil {
					t.Errorf("asked without an engine: %+v %+v", o.Server.SemiSync, o.Server.Settings)
				}
			}
		})
	}
}

// looksAsItIs holds a poll against what root's connection sees.
func looksAsItIs(t *testing.T, p *checks.Prober, ask mpp.Ask, s *sandbox.Server) {
	t.Helper()
	o := poll(t, p, ask)
	if o.Server.SemiSync == nil || o.Server.Settings == nil {
		t.Fatalf("not asked: %s", show(o))
	}
	if diff := cmp.Diff(semiSyncOf(t, s), *o.Server.SemiSync); diff != "" {
		t.Errorf("semi-sync of %s: %s", s.Name(), diff)
	}
	if diff := cmp.Diff(settingsOf(t, s), *o.Server.Settings); diff != "" {
		t.Errorf("settings of %s: %s", s.Name(), diff)
	}
}

func TestSemiSyncPluginsMayComeAndGo(t *testing.T) {
	pool := startPool(t, sandbox.MySQL97, 1)
	s := pool.Servers[0]
	opt := withEngine(pool, s)
	opt.PrivilegeInterval = time.Hour // what is seen sooner is seen because something changed
	p := prober(t, opt)
	for _, c := range []struct {
		statements []string
		semiSync   mpp.SemiSync
		installed  bool
		enabled    bool
	}{
		{nil, mpp.SemiSync{}, false, false},
		{[]string{"INSTALL PLUGIN rpl_semi_sync_source SONAME 'semisync_source.so'"}, mpp.SemiSync{}, true, false},
		{[]string{"SET GLOBAL rpl_semi_sync_source_timeout = 10", "SET GLOBAL rpl_semi_sync_source_enabled = 1"}, mpp.SemiSync{Source: true}, true, true},
		{[]string{"CREATE TABLE app.t (a INT)"}, mpp.SemiSync{TimedOut: true}, true, true},
		{[]string{"INSTALL PLUGIN rpl_semi_sync_replica SONAME 'semisync_replica.so'"}, mpp.SemiSync{TimedOut: true}, true, true},
		{[]string{"UNINSTALL PLUGIN rpl_semi_sync_source"}, mpp.SemiSync{}, true, false},
		{[]string{"UNINSTALL PLUGIN rpl_semi_sync_replica"}, mpp.SemiSync{}, false, false},
	} {
		exec(t, s, c.statements...)
		o := poll(t, p, asActive())
		if o.Server.SemiSync == nil || o.Server.Settings == nil {
			t.Fatalf("%v: %s", c.statements, show(o))
		}
		if diff := cmp.Diff(c.semiSync, *o.Server.SemiSync); diff != "" {
			t.Errorf("%v: %s", c.statements, diff)
		}
		if got := o.Server.Settings; got.SemiSyncInstalled != c.installed || got.SemiSyncSource != c.enabled {
			t.Errorf("%v: %+v", c.statements, got)
		}
		if o.Verdict().Failed != "" || o.Verdict().Status != mpp.OK {
			t.Errorf("%v: %s", c.statements, show(o))
		}
	}
}

func TestCommitsThatNobodyAcknowledgesAreAFailure(t *testing.T) {
	for _, flavour := range []sandbox.Flavour{sandbox.MariaDB1011, sandbox.MariaDB118, sandbox.MySQL97} {
		t.Run(string(flavour), func(t *testing.T) {
			pool := semiSyncPool(t, flavour)
			s, replica := pool.Servers[0], pool.Servers[1]
			opt := withEngine(pool, s)
			opt.CommitStuckAfter = 2 * time.Second
			p := prober(t, opt)
			healthy(t, poll(t, p, asActive()))
			exec(t, s, "CREATE TABLE app.t (a INT)")
			if err := replica.StopIOThread(sandboxtest.Context(t)); err != nil {
				t.Fatal(err)
			}
			begin := time.Now()
			hanging := writeInto(t, s, 3)
			for _, status := range []mpp.Status{mpp.Warn, mpp.Critical, mpp.Fail} {
				o := eventually(t, p, asActive(), func(o mpp.Observation) bool { c, _ := find(o, "commit"); return c.Status == status })
				expect(t, o, want{"commit", status, mpp.KindSemiSyncWait, "commits wait for a semi-sync acknowledgement and none has come for "})
				expect(t, o, want{"commit", status, mpp.KindSemiSyncWait, ": 3 sessions wait"})
				for _, other := range []string{"connect", "query", "replication", "lag", "privilege"} {
					expect(t, o, want{check: other})
				}
				if failed := o.Verdict().Failed; (failed == mpp.Reach) != (status == mpp.Fail) {
					t.Errorf("%s is a failure of class %q: %s", status, failed, show(o))
				}
			}
			t.Logf("found after %s with a limit of %s", time.Since(begin).Round(time.Millisecond), opt.CommitStuckAfter)
			expect(t, poll(t, p, mpp.Ask{}), want{"commit", mpp.Warn, mpp.KindSemiSyncWait, "no replica is connected that would give one"})

			if err := replica.StartReplication(sandboxtest.Context(t)); err != nil {
				t.Fatal(err)
			}
			hanging()
			healthy(t, eventually(t, p, asActive(), func(o mpp.Observation) bool { return o.Verdict().Failed == "" && o.Verdict().Status == mpp.OK }))
		})
	}
}

// writeInto lets so many sessions insert a row each, and returns what waits for them to have done it.
func writeInto(t *testing.T, s *sandbox.Server, sessions int) (wait func()) {
	t.Helper()
	done := make(chan error, sessions)
	for range sessions {
		go func() {
			_, err := s.Root().ExecContext(sandboxtest.Context(t), "INSERT INTO app.t VALUES (1)")
			done <- err
		}()
	}
	return func() {
		for range sessions {
			if err := <-done; err != nil {
				t.Error(err)
			}
		}
	}
}

func TestCommitsThatAreAcknowledgedAreNoTrouble(t *testing.T) {
	pool := semiSyncPool(t, sandbox.MariaDB1011)
	s := pool.Servers[0]
	opt := withEngine(pool, s)
	opt.CommitStuckAfter = 50 * time.Millisecond
	p := prober(t, opt)
	exec(t, s, "CREATE TABLE app.t (a INT)")
	for range 50 {
		wait := writeInto(t, s, 4)
		healthy(t, poll(t, p, asActive()))
		wait()
	}
}

func TestReplicaThatForgetsWhatItReceivedIsSaidToDoSo(t *testing.T) {
	for _, c := range []struct {
		flavour  sandbox.Flavour
		recovery string
		forgets  bool
	}{{sandbox.MariaDB1011, "OFF", true}, {sandbox.MySQL97, "ON", true}, {sandbox.MySQL97, "OFF", false}} {
		t.Run(string(c.flavour)+" "+c.recovery, func(t *testing.T) {
			pool := startPool(t, c.flavour, 2, "--relay-log-recovery="+c.recovery)
			source, replica := pool.Servers[0], pool.Servers[1]
			ctx := sandboxtest.Context(t)
			p := prober(t, withEngine(pool, replica))
			if err := replica.StopSQLThread(ctx); err != nil {
				t.Fatal(err)
			}
			executed := poll(t, p, mpp.Ask{}).Channels[0].Received
			exec(t, source, "CREATE TABLE app.t (a INT)")
			o := eventually(t, p, mpp.Ask{}, func(o mpp.Observation) bool { return o.Channels[0].Received != executed })
			received := o.Channels[0].Received
			if err := source.Kill(); err != nil {
				t.Fatal(err)
			}
			if err := replica.Restart(ctx); err != nil {
				t.Fatal(err)
			}
			o = eventually(t, p, mpp.Ask{}, func(o mpp.Observation) bool { return len(o.Channels) == 1 })
			if forgot := o.Channels[0].Received != received; forgot != c.forgets {
				t.Errorf("%q was received and is %q after a restart", received, o.Channels[0].Received)
			}
			said := slices.ContainsFunc(o.Risks(false, false), func(r mpp.Risk) bool { return r.Code == "relay-log-discarded" })
			if said != c.forgets {
				t.Errorf("%+v", o.Risks(false, false))
			}
		})
	}
}
