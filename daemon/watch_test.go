package daemon_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"fmt"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"mpp"
	"mpp/sandbox"
)

// TestADeadPrimaryIsReplacedAndComesBackByRecover is what `make demo` shows.
func TestADeadPrimaryIsReplacedAndComesBackByRecover(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	primary := r.pool.Servers[0]

	killed := time.Now()
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	v := r.states("FAIL/OFFLINE ACTIVE STANDBY")
	t.Logf("kill -9 to the first SECONDARY ACTIVE: %s", v.Pools[0].Nodes[1].Since.Sub(killed).Round(time.Millisecond))
	if status, body := r.answer("writer", primary.Address()); status != http.StatusServiceUnavailable || !strings.HasPrefix(body, "DOWN") {
		t.Errorf("writer check of the dead node: %d %s", status, body)
	}
	if status, body := r.answer("writer", r.pool.Servers[1].Address()); status != http.StatusOK || !strings.HasPrefix(body, "UP") {
		t.Errorf("writer check of the new ACTIVE node: %d %s", status, body)
	}

	if err := primary.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.eventually("the first node answers again and stays FAIL", func(v *mpp.View) error {
		n := v.Pools[0].Nodes[0]
		if n.Errors != 0 || n.State != mpp.Failed {
			return fmt.Errorf("it is %s with %d errors", n.State, n.Errors)
		}
		return nil
	})
	if result := r.do(mpp.Command{Verb: mpp.VerbRecover, Node: primary.Address()}); !result.Done {
		t.Fatalf("recover: %+v", result)
	}
	r.polls(3)
	r.states("STANDBY ACTIVE STANDBY") // it is the replica of nothing: what was written since is not there
	if err := r.pool.Repoint(t.Context(), primary, r.pool.Servers[1]); err != nil {
		t.Fatal(err)
	}
	r.states("ACTIVE STANDBY STANDBY")
	walk := ""
	for _, e := range r.events() {
		if e.Kind == mpp.EventState && e.Node == primary.Address() {
			walk += " > " + e.To
		}
	}
	if want := " > STANDBY > ACTIVE > FAIL (OFFLINE) > UNKNOWN > STANDBY > ACTIVE"; walk != want {
		t.Errorf("the PRIMARY went%s, want%s", walk, want)
	}
}

func TestAStoppedSQLThreadFailsTheReplicaOnlineAndExplainSaysWhy(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	if err := r.pool.Servers[2].StopSQLThread(t.Context()); err != nil {
		t.Fatal(err)
	}
	r.states("ACTIVE STANDBY FAIL/ONLINE")
	var e mpp.Explanation
	if err := r.get("/v1/pools/p/explain", &e); err != nil {
		t.Fatal(err)
	}
	if why := e.Nodes[2].Why; !strings.Contains(why, "fail-online") || !strings.Contains(why, "SQL thread") {
		t.Errorf("explain says %q", why)
	}
	if next := strings.Join(e.IfActiveDied, "\n"); !strings.Contains(next, r.pool.Servers[1].Address()+" takes writes") {
		t.Errorf("explain expects %s", next)
	}
}

// connections opens n idle connections to server i as the application, and returns how to
// close them.
func (r *rig) connections(i, n int) (closeAll func()) {
	r.t.Helper()
	db, err := sql.Open("mysql", r.pool.Servers[i].DSN(r.pool.App.User, r.pool.App.Password))
	if err != nil {
		r.t.Fatal(err)
	}
	var held []*sql.Conn
	for range n {
		c, err := db.Conn(r.t.Context())
		if err != nil {
			break // the server is full
		}
		held = append(held, c)
	}
	return func() {
		for _, c := range held {
			_ = c.Close()
		}
		_ = db.Close()
	}
}

// TestTooManyConnectionsIsAliveAndNamed is failure B4.
func TestTooManyConnectionsIsAliveAndNamed(t *testing.T) {
	r := newRig(t, func(_ *rig, o *sandbox.PoolOptions) { o.Args = []string{"--max-connections=12"} })
	r.keys = "login_interval = \"200ms\"\n"
	r.writeConfig(r.addresses()...)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	closeAll := r.connections(0, 30)
	defer closeAll()
	r.message(0, mpp.Critical, "1040")
	r.polls(5)
	v := r.states("ACTIVE STANDBY STANDBY")
	if n := v.Pools[0].Nodes[0]; n.Errors != 0 || n.Evaluation != mpp.ReadWrite {
		t.Errorf("the full node has %d errors and is %s", n.Errors, n.Evaluation)
	}
	closeAll()
	r.message(0, mpp.OK, "")
}

// TestAChangedPasswordIsAliveAndNamed is failure B5.
func TestAChangedPasswordIsAliveAndNamed(t *testing.T) {
	r := newRig(t, nil)
	r.keys = "login_interval = \"200ms\"\n"
	r.writeConfig(r.addresses()...)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	r.sql(0, "ALTER USER mpp@'%' IDENTIFIED BY 'another'")
	for i := range 3 {
		r.message(i, mpp.Critical, "1045")
	}
	r.polls(5)
	v := r.states("ACTIVE STANDBY STANDBY")
	if n := v.Pools[0].Nodes[0]; n.Evaluation != mpp.ReadWrite {
		t.Errorf("the ACTIVE node is evaluated %s: %s", n.Evaluation, n.EvaluationReason)
	}
	// The new password by reload, as an operator would do it.
	r.writePassword("another")
	r.signal(syscall.SIGHUP)
	for i := range 3 {
		r.message(i, mpp.OK, "")
	}
	r.states("ACTIVE STANDBY STANDBY")
}

// TestARevokedPrivilegeIsAliveAndNamed is the other half of B5.
func TestARevokedPrivilegeIsAliveAndNamed(t *testing.T) {
	r := newRig(t, nil)
	r.keys = "[pool.checks.privilege]\ninterval = \"1s\"\n"
	r.writeConfig(r.addresses()...)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	r.sql(0, "REVOKE SLAVE MONITOR ON *.* FROM mpp@'%'")
	r.message(0, mpp.Critical, "SLAVE MONITOR")
	r.polls(3)
	r.states("ACTIVE STANDBY STANDBY")
}

// TestAFrozenManagerDecidesNothingFromItsOwnSleep is failure B7; the clock is in package
// pool's tests.
func TestAFrozenManagerDecidesNothingFromItsOwnSleep(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	before := r.events()
	r.signal(syscall.SIGSTOP)
	select { // asleep for longer than every limit: time-out, interval, stale_after
	case <-time.After(7 * time.Second):
	case <-t.Context().Done():
	}
	r.signal(syscall.SIGCONT)
	r.polls(3)
	r.states("ACTIVE STANDBY STANDBY")
	for _, e := range r.events() {
		if e.Seq > before[len(before)-1].Seq && e.Kind == mpp.EventState {
			t.Errorf("after its own sleep: %s", e.Text)
		}
	}
}

// TestABackupsReadLockIsAlive is failure B8, with the write check on.
func TestABackupsReadLockIsAlive(t *testing.T) {
	r := newRig(t, nil)
	r.keys = "[pool.checks.write]\nenabled = true\n"
	r.writeConfig(r.addresses()...)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	conn, err := r.pool.Servers[0].Root().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer conn.Close()
	if _, err := conn.ExecContext(t.Context(), "FLUSH TABLES WITH READ LOCK"); err != nil {
		t.Fatal(err)
	}
	long, stop := context.WithCancel(t.Context())
	done := make(chan struct{})
	go func() {
		defer close(done)
		_, _ = r.pool.Servers[0].Root().ExecContext(long, "SELECT SLEEP(3600)")
	}()
	r.message(0, mpp.Warn, "read lock")
	r.polls(6)
	v := r.states("ACTIVE STANDBY STANDBY")
	if n := v.Pools[0].Nodes[0]; n.Evaluation != mpp.ReadWrite {
		t.Errorf("under a read lock the ACTIVE node is %s: %s", n.Evaluation, n.EvaluationReason)
	}
	stop()
	<-done
	if _, err := conn.ExecContext(t.Context(), "UNLOCK TABLES"); err != nil {
		t.Fatal(err)
	}
	r.message(0, mpp.OK, "")
}

// TestAReplicaThatDiesAndReturnsIsStandbyByTheRules is failure B9.
func TestAReplicaThatDiesAndReturnsIsStandbyByTheRules(t *testing.T) {
	r := newRig(t, nil)
	r.keys = "auto_recover = \"2s\"\n"
	r.writeConfig(r.addresses()...)
	r.start()
	since := r.states("ACTIVE STANDBY STANDBY").Pools[0].Nodes[0].Since
	if err := r.pool.Servers[2].Kill(); err != nil {
		t.Fatal(err)
	}
	r.states("ACTIVE STANDBY FAIL/OFFLINE")
	r.sql(0, "CREATE TABLE app.meanwhile (id INT PRIMARY KEY)")
	if err := r.pool.Servers[2].Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	v := r.states("ACTIVE STANDBY STANDBY")
	if !v.Pools[0].Nodes[0].Since.Equal(since) {
		t.Errorf("the ACTIVE node was touched: ACTIVE since %s, before since %s", v.Pools[0].Nodes[0].Since, since)
	}
}

func TestSIGTERMStopsAndTheNextStartKnowsEverything(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	if err := r.pool.Servers[2].Kill(); err != nil {
		t.Fatal(err)
	}
	before := r.states("ACTIVE STANDBY FAIL/OFFLINE")
	r.signal(syscall.SIGTERM)
	select {
	case <-r.exited:
	case <-time.After(patience):
		t.Fatal("mppd did not end on SIGTERM")
	}
	r.cmd = nil
	r.start()
	after := r.states("ACTIVE STANDBY FAIL/OFFLINE")
	for i, n := range after.Pools[0].Nodes {
		if !n.Since.Equal(before.Pools[0].Nodes[i].Since) {
			t.Errorf("%s is %s since %s, before the restart since %s", n.Address, n.State, n.Since, before.Pools[0].Nodes[i].Since)
		}
	}
}

// TestTheOpenAPIOfAViewIsStable guards what scripts read.
func TestTheViewNamesItsUnits(t *testing.T) {
	text, err := json.Marshal(mpp.View{Pools: []mpp.PoolView{{Nodes: []mpp.NodeView{{}}}}})
	if err != nil {
		t.Fatal(err)
	}
	for _, field := range []string{"stale_after_ns", "interval_ns", "took_ns", "evaluation", "errors"} {
		if !strings.Contains(string(text), `"`+field+`"`) {
			t.Errorf("the view has no %s", field)
		}
	}
}
