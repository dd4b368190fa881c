package checks_test

import (
	"context"
	"database/sql"
	"database/sql/driver"
	"fmt"
	"testing"
	"time"

	"mpp"
	"mpp/checks"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

func TestKilledServerRefuses(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	s := pool.Servers[0]
	open, fresh := prober(t, options(pool, s)), prober(t, options(pool, s))
	healthy(t, poll(t, open, mpp.Ask{Active: true}))
	if err := s.Kill(); err != nil {
		t.Fatal(err)
	}
	for name, p := range map[string]*checks.Prober{"an open connection": open, "a new login": fresh} {
		o := poll(t, p, mpp.Ask{Active: true})
		expect(t, o, want{"connect", mpp.Fail, mpp.KindRefused, "connection refused: nothing listens there, the host is alive"})
		if o.Answered || len(o.Checks) != 1 || o.Took > time.Second {
			t.Errorf("%s: %s", name, show(o))
		}
	}
	o := poll(t, open, mpp.Ask{Active: true})
	expect(t, o, want{"connect", mpp.Fail, mpp.KindRefused, "connection refused"})
	if err := s.Restart(sandboxtest.Context(t)); err != nil {
		t.Fatal(err)
	}
	healthy(t, poll(t, open, mpp.Ask{Active: true}))
}

func TestFrozenServerHangsAndNeverOutlastsThePoll(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	s := pool.Servers[0]
	open, fresh := prober(t, options(pool, s)), prober(t, options(pool, s))
	healthy(t, poll(t, open, mpp.Ask{Active: true}))
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	for _, limit := range []time.Duration{50 * time.Millisecond, 300 * time.Millisecond, time.Second} {
		o := pollWithin(t, fresh, mpp.Ask{Active: true}, limit)
		expect(t, o, want{"connect", mpp.Fail, mpp.KindNoHandshake, "TCP connects, but no handshake came within"})
		if o.Answered {
			t.Errorf("a frozen server answered: %s", show(o))
		}
	}
	o := pollWithin(t, open, mpp.Ask{Active: true}, 500*time.Millisecond)
	expect(t, o, want{"connect", mpp.Fail, mpp.KindNoHandshake, "before that: no answer within 30"})
	if o.Answered {
		t.Errorf("a frozen server answered: %s", show(o))
	}
	if err := s.Thaw(); err != nil {
		t.Fatal(err)
	}
	healthy(t, eventually(t, open, mpp.Ask{Active: true}, func(o mpp.Observation) bool { return o.Verdict().Status == mpp.OK && o.Answered }))
	healthy(t, eventually(t, fresh, mpp.Ask{Active: true}, func(o mpp.Observation) bool { return o.Answered }))
}

func TestCancelledPollReturnsAtOnce(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	s := pool.Servers[0]
	p := prober(t, options(pool, s))
	healthy(t, poll(t, p, mpp.Ask{Active: true}))
	if err := s.Freeze(); err != nil {
		t.Fatal(err)
	}
	for range 2 { // over the open connection, then in a login
		ctx, cancel := context.WithTimeout(t.Context(), 10*time.Second)
		time.AfterFunc(50*time.Millisecond, cancel)
		begin := time.Now()
		p.Poll(ctx, mpp.Ask{Active: true})
		if took := time.Since(begin); took > 50*time.Millisecond+slack {
			t.Errorf("a cancelled poll took %s", took)
		}
	}
	done := make(chan time.Duration)
	go func() {
		begin := time.Now()
		time.AfterFunc(50*time.Millisecond, func() { _ = p.Close() })
		p.Poll(context.Background(), mpp.Ask{Active: true})
		done <- time.Since(begin)
	}()
	if took := <-done; took > 50*time.Millisecond+slack {
		t.Errorf("a poll whose prober was closed took %s", took)
	}
}

// fill opens as many connections as a server lets ordinary accounts have.
func fill(t *testing.T, pool *sandbox.Pool, s *sandbox.Server) (conns []*sql.Conn) {
	t.Helper()
	db, err := sql.Open("mysql", s.DSN(pool.App.User, pool.App.Password))
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = db.Close() })
	for range 50 {
		c, err := db.Conn(t.Context())
		if err != nil {
			return conns
		}
		conns = append(conns, c)
	}
	t.Fatal("the server is never full")
	return nil
}

// hangUp closes connections for good, past the pool that they are of.
func hangUp(conns []*sql.Conn) {
	for _, c := range conns {
		_ = c.Raw(func(c any) error { return c.(driver.Conn).Close() })
	}
}

func TestFullServerIsAliveAndCritical(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1, "--max-connections=10")
	s := pool.Servers[0]
	open, fresh := prober(t, options(pool, s)), prober(t, options(pool, s))
	healthy(t, poll(t, open, mpp.Ask{Active: true}))
	conns := fill(t, pool, s)
	full := want{"connect", mpp.Critical, mpp.KindTooManyConnections, "error 1040: Too many connections"}

	o := poll(t, open, mpp.Ask{Active: true, FreshLogin: true})
	expect(t, o, full)
	expect(t, o, want{check: "query"})
	expect(t, o, want{check: "replication"})
	if o.Verdict().Failed != "" || !o.Answered || o.Server.ID == 0 {
		t.Errorf("a full server must go on being judged over the open connection: %s", show(o))
	}
	o = poll(t, fresh, mpp.Ask{Active: true})
	expect(t, o, full)
	if o.Verdict().Failed != "" || !o.Answered || len(o.Checks) != 1 {
		t.Errorf("a full server is alive, and nothing else is known of it: %s", show(o))
	}
	hangUp(conns[:1])
	healthy(t, eventually(t, open, mpp.Ask{Active: true}, func(o mpp.Observation) bool { return o.Verdict().Status == mpp.OK }))
}

func TestFullServerIsAskedOverTheExtraPort(t *testing.T) {
	base := sandboxtest.Base(t, sandbox.MariaDB1011)
	spare := sandboxtest.Start(t, sandbox.Options{Base: base}) // for its port number
	extra := port(t, spare.Address())
	if err := spare.Close(); err != nil {
		t.Fatal(err)
	}
	pool := startPool(t, sandbox.MariaDB1011, 1, "--max-connections=10", fmt.Sprintf("--extra-port=%d", extra), "--extra-max-connections=5")
	s := pool.Servers[0]
	opt := options(pool, s)
	opt.ExtraPort = extra
	p := prober(t, opt)
	conns := fill(t, pool, s)
	o := poll(t, p, mpp.Ask{Active: true})
	expect(t, o, want{"connect", mpp.Critical, mpp.KindTooManyConnections, "going on over extra port"})
	expect(t, o, want{check: "query"})
	if o.Server.ID == 0 {
		t.Errorf("nothing came over the extra port: %s", show(o))
	}
	o = poll(t, p, mpp.Ask{Active: true})
	expect(t, o, want{"connect", mpp.Critical, mpp.KindTooManyConnections, "error 1040"})
	expect(t, o, want{check: "query"})
	hangUp(conns)
	healthy(t, eventually(t, p, mpp.Ask{Active: true}, func(o mpp.Observation) bool { return o.Verdict().Status == mpp.OK }))
	healthy(t, poll(t, p, mpp.Ask{Active: true}))
}

func TestChangedPasswordIsAliveAndCritical(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	s := pool.Servers[0]
	open, fresh := prober(t, options(pool, s)), prober(t, options(pool, s))
	healthy(t, poll(t, open, mpp.Ask{Active: true}))
	exec(t, s, "ALTER USER 'mpp'@'%' IDENTIFIED BY 'another'")
	denied := want{"connect", mpp.Critical, mpp.KindAccessDenied, "error 1045: Access denied for user 'mpp'@"}

	o := poll(t, open, mpp.Ask{Active: true})
	expect(t, o, want{check: "connect"}) // the last login was good
	o = poll(t, open, mpp.Ask{Active: true, FreshLogin: true})
	expect(t, o, denied)
	expect(t, o, want{check: "query"})
	if o.Verdict().Failed != "" || !o.Answered {
		t.Errorf("a changed password is no failure: %s", show(o))
	}
	at := o.At
	o = poll(t, open, mpp.Ask{Active: true})
	expect(t, o, denied)
	if c, _ := find(o, "connect"); !c.At.Equal(at) {
		t.Errorf("the finding was made at %s, says %s", at, c.At)
	}
	o = poll(t, fresh, mpp.Ask{Active: true})
	expect(t, o, denied)
	if o.Verdict().Failed != "" || !o.Answered || len(o.Checks) != 1 {
		t.Errorf("only that is known: %s", show(o))
	}
	exec(t, s, "ALTER USER 'mpp'@'%' IDENTIFIED BY '"+"look-but-don''t-touch"+"'")
	healthy(t, poll(t, fresh, mpp.Ask{Active: true}))
	healthy(t, poll(t, open, mpp.Ask{Active: true, FreshLogin: true}))
}

func TestAccountTroubleIsAliveAndCritical(t *testing.T) {
	for _, c := range []struct {
		flavour sandbox.Flavour
		do      []string
		want    want
	}{
		{sandbox.MariaDB1011, []string{"ALTER USER 'mpp'@'%' ACCOUNT LOCK"}, want{"connect", mpp.Critical, mpp.KindAccessDenied, "error 4151"}},
		{sandbox.MariaDB1011, []string{"ALTER USER 'mpp'@'%' PASSWORD EXPIRE"}, want{"connect", mpp.Critical, mpp.KindAccessDenied, "error 18"}},
		{sandbox.MySQL97, []string{"ALTER USER 'mpp'@'%' ACCOUNT LOCK"}, want{"connect", mpp.Critical, mpp.KindAccessDenied, "error 3118"}},
		{sandbox.MySQL97, []string{"ALTER USER 'mpp'@'%' PASSWORD EXPIRE"}, want{"connect", mpp.Critical, mpp.KindAccessDenied, "error 18"}},
		{sandbox.MySQL97, []string{"SET GLOBAL offline_mode = ON"}, want{"connect", mpp.Fail, mpp.KindShuttingDown, "offline mode"}},
	} {
		t.Run(string(c.flavour)+" "+c.do[0], func(t *testing.T) {
			pool := startPool(t, c.flavour, 1)
			exec(t, pool.Servers[0], c.do...)
			o := poll(t, prober(t, options(pool, pool.Servers[0])), mpp.Ask{Active: true})
			expect(t, o, c.want)
			if !o.Answered {
				t.Errorf("an error is an answer: %s", show(o))
			}
		})
	}
}

func TestKilledSessionIsMendedInTheSamePoll(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	s := pool.Servers[0]
	p := prober(t, options(pool, s))
	healthy(t, poll(t, p, mpp.Ask{Active: true}))
	exec(t, s, "KILL USER mpp")
	o := poll(t, p, mpp.Ask{Active: true})
	expect(t, o, want{"connect", mpp.Info, mpp.KindLost, "the open connection was lost: "})
	expect(t, o, want{check: "query"})
	healthy(t, poll(t, p, mpp.Ask{Active: true}))
}

func TestAnotherServerAtTheAddressIsNoticed(t *testing.T) {
	pool := startPool(t, sandbox.MariaDB1011, 1)
	s := pool.Servers[0]
	p := prober(t, options(pool, s))
	healthy(t, poll(t, p, mpp.Ask{Active: true}))
	exec(t, s, "SET GLOBAL server_id = 4711")
	o := poll(t, p, mpp.Ask{Active: true})
	expect(t, o, want{"identity", mpp.Warn, mpp.KindIdentity, "another server answers than at first: server_id 4711, was "})
}

func TestPollOfAClosedProberSaysSo(t *testing.T) {
	o := checks.Default()
	o.Address, o.User = "127.0.0.1:1", "mpp"
	p := prober(t, o)
	if err := p.Close(); err != nil {
		t.Fatal(err)
	}
	expect(t, poll(t, p, mpp.Ask{}), want{"connect", mpp.Fail, mpp.KindUnexpected, "prober is closed"})
}
