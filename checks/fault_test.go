package checks_test

import (
	"fmt"
	"testing"
	"time"

	"mpp"
	"mpp/checks"
	"mpp/link"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

func TestRevokedPrivilegeIsNamedBeforeItIsNeeded(t *testing.T) {
	for flavour, c := range map[sandbox.Flavour]struct{ privilege, denied string }{
		sandbox.MariaDB1011: {"SLAVE MONITOR", "error 1227"},
		sandbox.MySQL97:     {"REPLICATION CLIENT", "error 1227"},
	} {
		t.Run(string(flavour), func(t *testing.T) {
			pool := startPool(t, flavour, 2)
			s := pool.Servers[1]
			opt := options(pool, s)
			opt.PrivilegeInterval, opt.LoginInterval = 0, 0
			opt.HeartbeatTable, opt.Write = "mpp.heartbeat", true
			open := prober(t, opt)
			eventually(t, open, mpp.Ask{}, func(o mpp.Observation) bool {
				f, _ := find(o, "replication")
				return f.Status == mpp.OK && f.Name != ""
			})
			exec(t, pool.Servers[0], "REVOKE "+c.privilege+" ON *.* FROM 'mpp'@'%'")
			if err := pool.CatchUp(sandboxtest.Context(t), pool.Servers[0]); err != nil {
				t.Fatal(err)
			}
			missing := want{"privilege", mpp.Critical, mpp.KindPrivilege, "the account lacks " + c.privilege + " ON *.* (monitoring)"}
			o := poll(t, open, mpp.Ask{})
			expect(t, o, missing)
			expect(t, o, want{check: "replication"}) // an open session keeps what it had

			o = poll(t, prober(t, opt), mpp.Ask{})
			expect(t, o, missing)
			expect(t, o, want{"replication", mpp.Critical, mpp.KindPrivilege, c.denied})
			if o.Verdict().Failed != "" {
				t.Errorf("a revoked privilege is no failure: %s", show(o))
			}
			exec(t, pool.Servers[0], "REVOKE INSERT ON mpp.* FROM 'mpp'@'%'", "GRANT "+c.privilege+" ON *.* TO 'mpp'@'%'")
			if err := pool.CatchUp(sandboxtest.Context(t), pool.Servers[0]); err != nil {
				t.Fatal(err)
			}
			o = poll(t, open, mpp.Ask{})
			expect(t, o, want{"privilege", mpp.Critical, mpp.KindPrivilege, "the account lacks INSERT ON mpp.heartbeat (writing the heartbeat)"})
		})
	}
}

func TestGrantedPrivilegeReachesAnOpenSession(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	s := pool.Servers[0]
	exec(t, s, "REVOKE SLAVE MONITOR ON *.* FROM 'mpp'@'%'")
	opt := options(pool, s)
	opt.LoginInterval = 0
	p := prober(t, opt)
	expect(t, poll(t, p, mpp.Ask{Active: true}), want{"replication", mpp.Critical, mpp.KindPrivilege, "error 1227"})
	exec(t, s, "GRANT SLAVE MONITOR ON *.* TO 'mpp'@'%'")
	opt.PrivilegeInterval = 0
	p = prober(t, opt)
	healthy(t, poll(t, p, mpp.Ask{Active: true}))
	exec(t, s, "REVOKE SLAVE MONITOR ON *.* FROM 'mpp'@'%'", "KILL USER mpp")
	expect(t, poll(t, p, mpp.Ask{Active: true}), want{"privilege", mpp.Critical, mpp.KindPrivilege, "SLAVE MONITOR"})
	exec(t, s, "GRANT SLAVE MONITOR ON *.* TO 'mpp'@'%'")
	healthy(t, eventually(t, p, mpp.Ask{Active: true}, func(o mpp.Observation) bool { return o.Verdict().Status == mpp.OK }))
}

// replica starts a pool of two and returns its replica's prober, once that is in step.
func replica(t *testing.T, flavour sandbox.Flavour, change func(*checks.Options)) (*sandbox.Pool, *checks.Prober) {
	t.Helper()
	pool := startPool(t, flavour, 2)
	opt := options(pool, pool.Servers[1])
	if change != nil {
		change(&opt)
	}
	p := prober(t, opt)
	healthy(t, eventually(t, p, mpp.Ask{}, func(o mpp.Observation) bool { return o.LagKnown && o.Verdict().Status == mpp.OK }))
	return pool, p
}

func TestStoppedThreadIsAReplicaFailure(t *testing.T) {
	for _, flavour := range []sandbox.Flavour{sandbox.MariaDB1011, sandbox.MySQL97} {
		t.Run(string(flavour), func(t *testing.T) {
			pool, p := replica(t, flavour, nil)
			s := pool.Servers[1]
			ctx := sandboxtest.Context(t)
			if err := s.StopSQLThread(ctx); err != nil {
				t.Fatal(err)
			}
			o := poll(t, p, mpp.Ask{})
			expect(t, o, want{"replication", mpp.Fail, mpp.KindReplicationStopped, "the SQL thread is not running"})
			expect(t, o, want{"lag", mpp.Info, mpp.KindLag, "lag unknown: the SQL thread is not running"})
			if o.Verdict().Failed != mpp.Replica {
				t.Errorf("the node serves, its copy is old: %s", show(o))
			}
			if err := s.StartReplication(ctx); err != nil {
				t.Fatal(err)
			}
			eventually(t, p, mpp.Ask{}, func(o mpp.Observation) bool { return o.Verdict().Status == mpp.OK && o.Verdict().Failed == "" })
			if err := s.StopIOThread(ctx); err != nil {
				t.Fatal(err)
			}
			o = poll(t, p, mpp.Ask{})
			expect(t, o, want{"replication", mpp.Fail, mpp.KindReplicationStopped, "the IO thread is not running"})
		})
	}
}

func TestBrokenApplierTellsItsError(t *testing.T) {
	pool, p := replica(t, sandbox.MariaDB1011, nil)
	exec(t, pool.Servers[0], "CREATE TABLE app.t (a INT PRIMARY KEY)")
	if err := pool.CatchUp(sandboxtest.Context(t), pool.Servers[0]); err != nil {
		t.Fatal(err)
	}
	exec(t, pool.Servers[1], "SET SESSION sql_log_bin = 0", "INSERT INTO app.t VALUES (1)")
	exec(t, pool.Servers[0], "INSERT INTO app.t VALUES (1)")
	o := eventually(t, p, mpp.Ask{}, func(o mpp.Observation) bool { return o.Verdict().Failed != "" })
	expect(t, o, want{"replication", mpp.Fail, mpp.KindReplicationStopped, "the SQL thread is not running: error 1062: Could not execute Write_rows"})
}

func TestDeadSourceKeepsItsReplicaACandidate(t *testing.T) {
	pool, p := replica(t, sandbox.MariaDB1011, func(o *checks.Options) { o.SourceUnreachableCritical = 300 * time.Millisecond })
	if err := pool.Servers[0].Kill(); err != nil {
		t.Fatal(err)
	}
	o := eventually(t, p, mpp.Ask{}, func(o mpp.Observation) bool { return o.Verdict().Status == mpp.Warn })
	expect(t, o, want{"replication", mpp.Warn, mpp.KindSourceUnreachable, "cannot reach its source " + pool.Servers[0].Address()})
	expect(t, o, want{"lag", mpp.Info, mpp.KindLag, "lag unknown: no connection to the source"})
	o = eventually(t, p, mpp.Ask{}, func(o mpp.Observation) bool { return o.Verdict().Status == mpp.Critical })
	expect(t, o, want{"replication", mpp.Critical, mpp.KindSourceUnreachable, "cannot reach its source"})
	if o.Verdict().Failed != "" || o.Unfit() != "" {
		t.Errorf("the last copy must not be ruled out because its source is dead: %q, %s", o.Unfit(), show(o))
	}
}

func TestSourceThatRefusesItsReplicaIsAFailure(t *testing.T) {
	pool, p := replica(t, sandbox.MariaDB1011, nil)
	exec(t, pool.Servers[1], "STOP SLAVE")
	exec(t, pool.Servers[0], "ALTER USER 'repl'@'%' IDENTIFIED BY 'another'")
	exec(t, pool.Servers[1], "START SLAVE")
	o := eventually(t, p, mpp.Ask{}, func(o mpp.Observation) bool { f, _ := find(o, "replication"); return f.MySQLError == 1045 })
	expect(t, o, want{"replication", mpp.Fail, mpp.KindReplicationStopped, "the IO thread cannot replicate from " + pool.Servers[0].Address() + ": error 1045"})
}

func TestReplicaOfAStrangerIsAWarning(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 2)
	opt := options(pool, pool.Servers[1])
	all := opt.PoolNodes
	opt.PoolNodes = all[1:]
	p := prober(t, opt)
	o := eventually(t, p, mpp.Ask{}, func(o mpp.Observation) bool { return o.LagKnown })
	expect(t, o, want{"replication", mpp.Warn, mpp.KindWrongSource, "replicates from " + pool.Servers[0].Address()})
	p.SetPoolNodes(all) // a reload added it
	healthy(t, poll(t, p, mpp.Ask{}))
	p.SetPoolNodes(all[1:])
	expect(t, poll(t, p, mpp.Ask{}), want{"replication", mpp.Warn, mpp.KindWrongSource, "replicates from "})

	_, portOfSource, _ := splitAddress(pool.Servers[0].Address())
	opt.PoolNodes = []string{"localhost:" + portOfSource} // another name of the same host
	o = eventually(t, prober(t, opt), mpp.Ask{}, func(o mpp.Observation) bool { return o.LagKnown })
	healthy(t, o)

	opt.PoolNodes = []string{"192.0.2.1:3306"}
	opt.PoolServer = func(id uint32, _ string) bool { return id == pool.Servers[0].ServerID() }
	healthy(t, poll(t, prober(t, opt), mpp.Ask{}))
}

func TestNodeThatReplicatesFromNowhereIsAWarningUnlessActive(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	p := prober(t, options(pool, pool.Servers[0]))
	expect(t, poll(t, p, mpp.Ask{}), want{"replication", mpp.Warn, mpp.KindReplicationStopped, "is not a replica of anything"})
	healthy(t, poll(t, p, mpp.Ask{Active: true}))
}

func TestLagOfSevenSecondsIsInfoAnd340SecondsCritical(t *testing.T) {
	for _, flavour := range []sandbox.Flavour{sandbox.MariaDB1011, sandbox.MySQL97} {
		for _, c := range []struct {
			lag    int
			status mpp.Status
		}{{7, mpp.Info}, {340, mpp.Critical}, {700, mpp.Fail}} {
			t.Run(fmt.Sprintf("%s %d s", flavour, c.lag), func(t *testing.T) {
				pool, p := replica(t, flavour, nil)
				source, s := pool.Servers[0], pool.Servers[1]
				// The delayed replica holds back an event that is as old as the lag is to be.
				if err := s.Delay(sandboxtest.Context(t), time.Duration(c.lag+60)*time.Second); err != nil {
					t.Fatal(err)
				}
				eventually(t, p, mpp.Ask{}, func(o mpp.Observation) bool { return o.Verdict().Status == mpp.OK && o.Verdict().Failed == "" })
				aged(t, source, c.lag, "CREATE TABLE app.late (a INT)")
				o := eventually(t, p, mpp.Ask{}, func(o mpp.Observation) bool { return o.Lag >= time.Duration(c.lag)*time.Second })
				kind := mpp.KindLag
				expect(t, o, want{"lag", c.status, kind, "s behind (Seconds_Behind)"})
				expect(t, o, want{check: "replication"})
				if !o.LagKnown || o.Lag > time.Duration(c.lag+10)*time.Second {
					t.Errorf("lag %s, want about %d s", o.Lag, c.lag)
				}

				opt := options(pool, s)
				opt.IgnoreConfiguredDelay = true
				expect(t, poll(t, prober(t, opt), mpp.Ask{}), want{check: "lag"})
			})
		}
	}
}

// aged runs a statement on a server as if it had been run so many seconds ago.
func aged(t *testing.T, s *sandbox.Server, seconds int, statement string) {
	t.Helper()
	c, err := s.Root().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer c.Close()
	for _, text := range []string{fmt.Sprintf("SET timestamp = UNIX_TIMESTAMP() - %d", seconds), statement, "SET timestamp = DEFAULT"} {
		if _, err := c.ExecContext(t.Context(), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

func TestOldHeartbeatIsLagIfItsWriterIsAtWork(t *testing.T) {
	written := func() time.Time { return time.Now() }
	stalled := func() time.Time { return time.Now().Add(-340 * time.Second) }
	for _, c := range []struct {
		age     int
		written func() time.Time
		want    want
	}{
		{0, written, want{check: "lag"}},
		{7, written, want{"lag", mpp.Info, mpp.KindLag, "7s behind (heartbeat)"}},
		{340, written, want{"lag", mpp.Critical, mpp.KindLag, "5m40s behind (heartbeat)"}},
		{340, stalled, want{check: "lag"}},
		{340, nil, want{"lag", mpp.Warn, mpp.KindLag, "the newest heartbeat is 5m40s old"}},
	} {
		t.Run(c.want.message, func(t *testing.T) {
			pool, p := replica(t, sandbox.MariaDB1011, func(o *checks.Options) { o.HeartbeatWritten = c.written })
			exec(t, pool.Servers[0], "CREATE TABLE mpp.heartbeat (server_id INT UNSIGNED PRIMARY KEY, ts DATETIME(6) NOT NULL)",
				fmt.Sprintf("INSERT INTO mpp.heartbeat VALUES (1, UTC_TIMESTAMP(6) - INTERVAL %d SECOND)", c.age))
			if err := pool.CatchUp(sandboxtest.Context(t), pool.Servers[0]); err != nil {
				t.Fatal(err)
			}
			expect(t, poll(t, p, mpp.Ask{}), want{check: "lag"}) // not configured: not asked
			opt := options(pool, pool.Servers[1])
			opt.HeartbeatWritten, opt.HeartbeatTable = c.written, "mpp.heartbeat"
			expect(t, poll(t, prober(t, opt), mpp.Ask{}), c.want)
		})
	}
}

func TestHangupIsSeenWithoutAPoll(t *testing.T) {
	watcher, err := checks.NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := watcher.Close(); err != nil {
			t.Error(err)
		}
	})
	for _, mode := range []link.TLSMode{link.TLSDisabled, link.TLSRequired} {
		t.Run(string(mode), func(t *testing.T) {
			flavour := sandbox.MariaDB1011
			if mode == link.TLSRequired {
				flavour = sandbox.MySQL97
			}
			pool := startPool(t, flavour, 1)
			s := pool.Servers[0]
			hung := make(chan time.Time, 8)
			opt := options(pool, s)
			opt.TLS.Mode = mode
			opt.Watcher, opt.Hangup = watcher, func() { hung <- time.Now() }
			p, other := prober(t, opt), prober(t, opt)
			healthy(t, poll(t, p, mpp.Ask{Active: true}))
			healthy(t, poll(t, p, mpp.Ask{Active: true, FreshLogin: true}))
			healthy(t, poll(t, other, mpp.Ask{Active: true}))
			if err := other.Close(); err != nil { // not a hangup
				t.Fatal(err)
			}
			begin := time.Now()
			if err := s.Kill(); err != nil {
				t.Fatal(err)
			}
			select {
			case at := <-hung:
				t.Logf("the hangup was seen after %s", at.Sub(begin))
			case <-time.After(5 * time.Second):
				t.Fatal("no hangup was seen")
			}
			expect(t, poll(t, p, mpp.Ask{Active: true}), want{"connect", mpp.Fail, mpp.KindRefused, "connection refused"})
			if len(hung) > 0 {
				t.Error("a hangup is told once")
			}
		})
	}
}

// TestClusterNodeWithoutQuorumIsAFailure starts a server that is set up for Galera and has no
// provider, so that it is in no quorum. Members that are in one are judged by made-up states.
func TestClusterNodeWithoutQuorumIsAFailure(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1, "--wsrep-on=ON", "--wsrep-provider=none")
	opt := options(pool, pool.Servers[0])
	o := poll(t, prober(t, opt), mpp.Ask{Active: true})
	expect(t, o, want{"cluster", mpp.Fail, mpp.KindCluster, "no quorum: wsrep_cluster_status is Disconnected"})
	expect(t, o, want{check: "query"})
	opt.Cluster = false
	healthy(t, poll(t, prober(t, opt), mpp.Ask{Active: true}))
}

func TestNodeOfNoClusterIsAFailureWhereOneIsExpected(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	opt := options(pool, pool.Servers[0])
	opt.ClusterExpected, opt.ReplicaExpected = true, false
	expect(t, poll(t, prober(t, opt), mpp.Ask{}), want{"cluster", mpp.Fail, mpp.KindCluster, "the server is in no cluster"})
}

func TestGroupReplicationMemberIsJudgedByItsState(t *testing.T) {
	base := sandboxtest.Base(t, sandbox.MySQL97)
	spare := sandboxtest.Start(t, sandbox.Options{Base: base}) // for its port number
	local := spare.Address()
	if err := spare.Close(); err != nil {
		t.Fatal(err)
	}
	pool := startPool(t, sandbox.MySQL97, 1, "--plugin-load-add=group_replication.so", "--group-replication-start-on-boot=OFF",
		"--group-replication-group-name=aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa", "--group-replication-local-address="+local)
	s := pool.Servers[0]
	p := prober(t, options(pool, s))
	expect(t, poll(t, p, mpp.Ask{Active: true}), want{"cluster", mpp.Fail, mpp.KindCluster, "the member is OFFLINE"})
	exec(t, s, "SET GLOBAL group_replication_bootstrap_group = ON", "START GROUP_REPLICATION")
	healthy(t, eventually(t, p, mpp.Ask{Active: true}, func(o mpp.Observation) bool { return o.Verdict().Failed == "" && o.Verdict().Status == mpp.OK }))
}
