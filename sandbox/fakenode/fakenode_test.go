package fakenode_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	"go.uber.org/goleak"

	"mpp"
	"mpp/checks"
	"mpp/sandbox/fakenode"
)

func TestMain(m *testing.M) {
	if fakenode.IsChild() {
		os.Exit(fakenode.RunChild())
	}
	goleak.VerifyTestMain(m)
}

func start(t *testing.T, o fakenode.Options) *fakenode.Node {
	t.Helper()
	if o.Profile.Greeting == "" {
		o.Profile = fakenode.MariaDB1011(nil)
	}
	n, err := fakenode.Start(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(n.Close)
	return n
}

// connect returns a pool of at most one connection; limit bounds each read.
func connect(t *testing.T, address, user, password string) *sql.DB {
	t.Helper()
	cfg := mysql.NewConfig()
	cfg.Net, cfg.Addr, cfg.User, cfg.Passwd = "tcp", address, user, password
	cfg.MultiStatements = true
	cfg.Timeout, cfg.ReadTimeout = 200*time.Millisecond, 200*time.Millisecond
	cfg.Logger = mysql.Logger(silent{})
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		t.Fatal(err)
	}
	db := sql.OpenDB(c)
	db.SetMaxOpenConns(1)
	t.Cleanup(func() { _ = db.Close() })
	return db
}

type silent struct{}

func (silent) Print(...any) {}

// results returns the rows of every result of a text, values joined by blanks.
func results(db *sql.DB, text string) (all [][]string, err error) {
	rows, err := db.Query(text)
	if err != nil {
		return nil, err
	}
	defer func() { err = errors.Join(err, rows.Close()) }()
	for more := true; more; more = rows.NextResultSet() {
		columns, err := rows.Columns()
		if err != nil {
			return all, err
		}
		var list []string
		for rows.Next() {
			values, into := make([]sql.NullString, len(columns)), make([]any, len(columns))
			for i := range values {
				into[i] = &values[i]
			}
			if err := rows.Scan(into...); err != nil {
				return all, err
			}
			var words []string
			for _, v := range values {
				if !v.Valid {
					v.String = "NULL"
				}
				words = append(words, v.String)
			}
			list = append(list, strings.Join(words, " "))
		}
		all = append(all, list)
	}
	return all, rows.Err()
}

func number(err error) uint16 {
	var me *mysql.MySQLError
	if errors.As(err, &me) {
		return me.Number
	}
	return 0
}

func TestAnswersWhatItWasGiven(t *testing.T) {
	n := start(t, fakenode.Options{})
	db := connect(t, n.Address(), "any", "")
	if err := n.Answer("select a, b", fakenode.Result{Columns: []string{"a", "b"}, Rows: [][]any{{1, "x"}, {nil, "y"}}}); err != nil {
		t.Fatal(err)
	}
	if err := n.Answer("SELECT broken", fakenode.Result{Err: &fakenode.Error{Number: 1146, State: "42S02", Message: "no such table"}}); err != nil {
		t.Fatal(err)
	}
	long := strings.Repeat("long ", 50000)
	if err := n.Answer("SELECT long", fakenode.Result{Columns: []string{"l"}, Rows: [][]any{{long}}}); err != nil {
		t.Fatal(err)
	}
	for text, want := range map[string][][]string{
		"SELECT 1":                                      {{"1"}},
		"SELECT a, b FROM t":                            {{"1 x", "NULL y"}},
		"SELECT 1;\nSELECT a, b FROM t;SELECT 1":        {{"1"}, {"1 x", "NULL y"}, {"1"}},
		"SELECT a, b WHERE x = ';'; SELECT 1;":          {{"1 x", "NULL y"}, {"1"}},
		"SELECT long":                                   {{long}},
		"SELECT @@global.server_id, @@global.read_only": {{"1 0"}},
		"SHOW GLOBAL VARIABLES WHERE Variable_name IN ('server_id', 'read_only', 'no_such')": {{"server_id 1", "read_only OFF"}},
		"SHOW GLOBAL STATUS LIKE 'Uptime'":                                                   {{"Uptime 86400"}},
		"SHOW GLOBAL VARIABLES LIKE 'gtid_b%'":                                               {{"gtid_binlog_pos 0-1-4711", "gtid_binlog_state 0-1-4711"}},
	} {
		got, err := results(db, text)
		if err != nil {
			t.Errorf("%.60s: %v", text, err)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%.60s (-want +got):\n%s", text, diff)
		}
	}
	for text, want := range map[string]uint16{
		"SELECT nobody thought of this": 1064, "SELECT 1; SHOW SURPRISES": 1064, "SELECT broken": 1146,
		"SELECT @@global.no_such": 1193, " ; ": 1065,
	} {
		if _, err := results(db, text); number(err) != want {
			t.Errorf("%s: %v, want error %d", text, err, want)
		}
	}
	if _, err := db.Exec("SET SESSION autocommit = 1"); err != nil {
		t.Error(err)
	}
	if err := db.Ping(); err != nil {
		t.Error(err)
	}
	n.SetVariable("read_only", "ON")
	if got, err := results(db, "SELECT @@global.read_only"); err != nil || got[0][0] != "1" {
		t.Errorf("a variable that was changed: %v, %v", got, err)
	}
	n.SetVariable("read_only", nil)
	if _, err := results(db, "SELECT @@global.read_only"); number(err) != 1193 {
		t.Errorf("a variable that was removed: %v", err)
	}
	if n.Logins() != 1 {
		t.Errorf("%d logins, want 1: a connection was lost", n.Logins())
	}
}

func TestLetsOnlyItsAccountIn(t *testing.T) {
	n := start(t, fakenode.Options{User: "mpp", Password: "secret"})
	empty := start(t, fakenode.Options{User: "mpp"})
	for _, c := range []struct {
		node           *fakenode.Node
		user, password string
		want           uint16
	}{
		{n, "mpp", "secret", 0},
		{n, "mpp", "wrong", 1045},
		{n, "mpp", "", 1045},
		{n, "other", "secret", 1045},
		{empty, "mpp", "", 0},
		{empty, "mpp", "x", 1045},
	} {
		if err := connect(t, c.node.Address(), c.user, c.password).Ping(); number(err) != c.want || (c.want == 0) != (err == nil) {
			t.Errorf("%s with %q: %v, want error %d", c.user, c.password, err, c.want)
		}
	}
}

func TestBehavesAsToldOnOldAndNewConnections(t *testing.T) {
	n := start(t, fakenode.Options{SlowBy: 50 * time.Millisecond})
	old := connect(t, n.Address(), "any", "")
	become := func(b fakenode.Behaviour) {
		t.Helper()
		if err := n.Become(b); err != nil {
			t.Fatal(err)
		}
	}
	ask := func(db *sql.DB) error {
		_, err := results(db, "SELECT 1")
		return err
	}
	if err := ask(old); err != nil {
		t.Fatal(err)
	}
	become(fakenode.Slow)
	begin := time.Now()
	if err := ask(old); err != nil || time.Since(begin) < 50*time.Millisecond {
		t.Errorf("slow: %v after %s", err, time.Since(begin))
	}
	become(fakenode.Hung)
	if err := ask(old); err == nil || errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("hung, old connection: %v, want a time-out", err)
	}
	conn, err := net.DialTimeout("tcp", n.Address(), time.Second)
	if err != nil {
		t.Fatalf("hung: does not accept: %v", err)
	}
	defer conn.Close()
	_ = conn.SetReadDeadline(time.Now().Add(100 * time.Millisecond))
	if k, err := conn.Read(make([]byte, 1)); k != 0 || !errors.Is(err, os.ErrDeadlineExceeded) {
		t.Errorf("hung: said something: %d, %v", k, err)
	}
	become(fakenode.Healthy)
	_ = conn.SetReadDeadline(time.Now().Add(5 * time.Second))
	if _, err := conn.Read(make([]byte, 1)); err != nil {
		t.Errorf("no greeting when it is healthy again: %v", err)
	}
	if err := ask(old); err != nil {
		t.Errorf("healthy again: %v", err)
	}
	become(fakenode.Dead)
	if err := ask(old); !errors.Is(err, syscall.ECONNREFUSED) {
		t.Errorf("dead: %v, want refused", err)
	}
	become(fakenode.Healthy)
	if err := ask(old); err != nil {
		t.Errorf("alive again: %v", err)
	}
	if err := n.Become("odd"); err == nil {
		t.Error("became odd")
	}
}

func TestHungNodeForgetsClientsThatGo(t *testing.T) {
	n := start(t, fakenode.Options{Behaviour: fakenode.Hung})
	for range 20 {
		conn, err := net.Dial("tcp", n.Address())
		if err != nil {
			t.Fatal(err)
		}
		if err := conn.Close(); err != nil {
			t.Fatal(err)
		}
	}
	for deadline := time.Now().Add(10 * time.Second); n.Connections() > 0; <-time.After(5 * time.Millisecond) {
		if time.Now().After(deadline) {
			t.Fatalf("%d connections are left", n.Connections())
		}
	}
}

func TestStartRefusesWhatCannotBe(t *testing.T) {
	taken := start(t, fakenode.Options{})
	for name, o := range map[string]fakenode.Options{
		"not loopback": {Address: "10.0.0.1:3306"}, "no port": {Address: "127.0.0.1"}, "taken": {Address: taken.Address()},
		"odd behaviour": {Behaviour: "odd"},
		"short row": {Profile: fakenode.Profile{}.With(fakenode.Answer{
			Prefix: "SELECT x", Result: fakenode.Result{Columns: []string{"a", "b"}, Rows: [][]any{{1}}},
		})},
	} {
		if n, err := fakenode.Start(o); err == nil {
			n.Close()
			t.Errorf("%s: started", name)
		}
	}
}

// TestChecksFindEveryProfileWell is what makes the fakes worth anything: every statement that
// the real checks send is answered.
func TestChecksFindEveryProfileWell(t *testing.T) {
	source := &fakenode.Source{Host: "127.0.0.1", Port: 3306, ID: 7, UUID: "00000000-0000-0000-0000-000000000007", Lag: 3}
	for name, c := range map[string]struct {
		profile func(*fakenode.Source) fakenode.Profile
		flavour string
	}{
		"mariadb-10.11": {fakenode.MariaDB1011, "mariadb"}, "mysql-5.7": {fakenode.MySQL57, "mysql"},
		"mysql-8.0": {fakenode.MySQL80, "mysql"}, "mysql-9.7": {fakenode.MySQL97, "mysql"},
	} {
		t.Run(name, func(t *testing.T) {
			n := start(t, fakenode.Options{Profile: c.profile(source), User: "mpp", Password: "secret"})
			o := checks.Default()
			o.Address, o.User, o.Password, o.Engine = n.Address(), "mpp", "secret", true
			p, err := checks.New(o)
			if err != nil {
				t.Fatal(err)
			}
			defer p.Close()
			for range 3 {
				ctx, cancel := context.WithTimeout(t.Context(), 5*time.Second)
				found := p.Poll(ctx, mpp.Ask{})
				cancel()
				for _, each := range found.Checks {
					if each.Status != mpp.OK {
						t.Errorf("check %s: %s %s", each.Name, each.Status, each.Message)
					}
				}
				if len(found.Channels) != 1 || found.Channels[0].SourcePort != 3306 || found.Lag != 3*time.Second {
					t.Errorf("channels %+v, lag %s", found.Channels, found.Lag)
				}
				if s := found.Server; s.Flavour != c.flavour || s.ID != 1 || s.SemiSync == nil || s.Settings == nil || !s.Settings.GTID {
					t.Errorf("server %+v", s)
				}
			}
			if n.Logins() > 2 {
				t.Errorf("%d logins for three polls", n.Logins())
			}
		})
	}
}

func TestFleetHasWhatWasOrderedEachOnAnAddressOfItsOwn(t *testing.T) {
	o := fakenode.FleetOptions{Nodes: 100, Dead: 10, Hung: 5, Slow: 3, Source: "127.0.0.1:3306"}
	f, err := fakenode.StartFleet(o)
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	checkMembers(t, f.Members())
	seen := map[string]bool{}
	for _, n := range f.Nodes {
		seen[n.Address()] = true
	}
	if len(seen) != 100 {
		t.Errorf("%d addresses for 100 nodes", len(seen))
	}
	second, err := fakenode.StartFleet(fakenode.FleetOptions{Nodes: 2})
	if err != nil {
		t.Fatalf("a second fleet: %v", err)
	}
	second.Close()
	for _, bad := range []fakenode.FleetOptions{{}, {Nodes: 1 << 20}, {Nodes: 10, Dead: 8, Hung: 3}, {Nodes: 1, Source: "nowhere"}} {
		if _, err := fakenode.StartFleet(bad); err == nil {
			t.Errorf("%+v was started", bad)
		}
	}
}

func checkMembers(t *testing.T, members []fakenode.Member) {
	t.Helper()
	count := map[fakenode.Behaviour]int{}
	for _, m := range members {
		count[m.Behaviour]++
		conn, err := net.DialTimeout("tcp", m.Address, time.Second)
		if refused := errors.Is(err, syscall.ECONNREFUSED); refused != (m.Behaviour == fakenode.Dead) {
			t.Errorf("%s node %s: %v", m.Behaviour, m.Address, err)
		}
		if err == nil {
			_ = conn.Close()
		}
	}
	want := map[fakenode.Behaviour]int{fakenode.Healthy: 82, fakenode.Dead: 10, fakenode.Hung: 5, fakenode.Slow: 3}
	if diff := cmp.Diff(want, count); diff != "" {
		t.Errorf("behaviours (-want +got):\n%s", diff)
	}
}

func TestChildIsAFleetInAnotherProcess(t *testing.T) {
	c, err := fakenode.Spawn(t.Context(), fakenode.FleetOptions{Nodes: 100, Dead: 10, Hung: 5, Slow: 3})
	if err != nil {
		t.Fatal(err)
	}
	checkMembers(t, c.Members)
	if c.Pid() == os.Getpid() {
		t.Error("the child is this process")
	}
	if err := c.Close(); err != nil {
		t.Error(err)
	}
	if err := syscall.Kill(c.Pid(), 0); !errors.Is(err, syscall.ESRCH) {
		t.Errorf("the child is still there: %v", err)
	}
}

func TestServeSaysWhatIsWrongWithItsOptions(t *testing.T) {
	for _, text := range []string{"", "{\n", `{"Nodes": 0}` + "\n"} {
		if err := fakenode.Serve(strings.NewReader(text), io.Discard); err == nil {
			t.Errorf("served %q", text)
		}
	}
	options, _ := json.Marshal(fakenode.FleetOptions{Nodes: 1})
	var out strings.Builder
	if err := fakenode.Serve(strings.NewReader(fmt.Sprintf("%s\n", options)), &out); err != nil || !strings.Contains(out.String(), "healthy") {
		t.Errorf("%q, %v", out.String(), err)
	}
}
