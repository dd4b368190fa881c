package gtid_test

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp/gtid"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// ask returns the one value that a query returns.
func ask(t *testing.T, s *sandbox.Server, query string, args ...any) (text string) {
	t.Helper()
	if err := s.Root().QueryRowContext(t.Context(), query, args...).Scan(&text); err != nil {
		t.Fatalf("%s: %s: %v", s.Name(), query, err)
	}
	return text
}

// run runs statements in one session.
func run(t *testing.T, s *sandbox.Server, statements ...string) {
	t.Helper()
	conn, err := s.Root().Conn(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	defer func() {
		// A session whose variables were set must not come back to the pool of connections.
		if err := conn.Raw(func(any) error { return driver.ErrBadConn }); !errors.Is(err, driver.ErrBadConn) {
			t.Error(err)
		}
	}()
	for _, statement := range statements {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatalf("%s: %s: %v", s.Name(), statement, err)
		}
	}
}

func parsed(t *testing.T, flavour, text string) gtid.Set {
	t.Helper()
	s, err := gtid.Parse(flavour, text)
	if err != nil {
		t.Fatalf("%q: %v", text, err)
	}
	return s
}

// randomSet returns the text of some set of few servers, tags and numbers.
func randomSet(r *rand.Rand) string {
	uuids := []string{"00000000-0000-0000-0000-000000000001", "AAAAAAAA-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-00000000000f"}
	var parts []string
	for range r.IntN(4) {
		part := uuids[r.IntN(len(uuids))]
		for _, tag := range []string{"", "a", "_B2"} {
			if tag != "" {
				if r.IntN(2) == 0 {
					continue
				}
				part += ":" + tag
			}
			for range 1 + r.IntN(3) {
				first := 1 + r.IntN(12)
				part += fmt.Sprintf(":%d-%d", first, first+r.IntN(4))
			}
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ",\n")
}

// The server itself is the oracle: GTID_SUBSET and GTID_SUBTRACT over a few hundred pairs.
func TestMySQLAgreesOnItsSets(t *testing.T) {
	s := sandboxtest.Start(t, sandbox.Options{Base: sandboxtest.Base(t, sandbox.MySQL97)})
	seed := uint64(time.Now().UnixNano())
	r := rand.New(rand.NewPCG(seed, 0))
	type answers struct {
		Contains, Within   bool
		Minus, Text, Union string
	}
	for range 300 {
		textA, textB := randomSet(r), randomSet(r)
		a, b := parsed(t, "mysql", textA), parsed(t, "mysql", textB)
		var want answers
		var minus, text, union string
		if err := s.Root().QueryRowContext(t.Context(),
			"SELECT GTID_SUBSET(?, ?), GTID_SUBSET(?, ?), GTID_SUBTRACT(?, ?), GTID_SUBTRACT(?, ''), GTID_SUBTRACT(CONCAT(?, ',', ?), '')",
			textB, textA, textA, textB, textA, textB, textA, textA, textB,
		).Scan(&want.Contains, &want.Within, &minus, &text, &union); err != nil {
			t.Fatal(err)
		}
		oneLine := strings.NewReplacer("\n", "")
		want.Minus, want.Text, want.Union = oneLine.Replace(minus), oneLine.Replace(text), oneLine.Replace(union)
		got := answers{a.Contains(b), b.Contains(a), a.Minus(b).String(), a.String(), a.Union(b).String()}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Fatalf("seed %d: %q and %q: %s", seed, textA, textB, diff)
		}
		if !parsed(t, "mysql", minus).Equal(a.Minus(b)) {
			t.Fatalf("%q is not read as it is meant", minus)
		}
	}
}

// What a replica of MySQL wrote is found, and what the source wrote between two polls is not.
func TestErrantTransactionsOfMySQL(t *testing.T) {
	p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: sandboxtest.Base(t, sandbox.MySQL97), Size: 2})
	source, replica := p.Servers[0], p.Servers[1]
	uuid := ask(t, source, "SELECT @@server_uuid")
	executed := func(s *sandbox.Server) gtid.Set {
		return parsed(t, "mysql", ask(t, s, "SELECT @@global.gtid_executed"))
	}
	older := executed(source)
	run(t, source, "CREATE TABLE app.a (id INT PRIMARY KEY)", "SET gtid_next = 'AUTOMATIC:job'", "INSERT INTO app.a VALUES (1)")
	catchUp(t, p)
	if x := gtid.Errant(executed(replica), older, uuid); !x.IsEmpty() {
		t.Errorf("%s is called errant by an older set of the source", x)
	}
	if x := gtid.Errant(executed(replica), executed(source), ""); !x.IsEmpty() {
		t.Errorf("%s is called errant on a clean replica", x)
	}
	run(t, replica, "SET GLOBAL super_read_only = 0", "SET GLOBAL read_only = 0", "INSERT INTO app.a VALUES (2)", "INSERT INTO app.a VALUES (3)")
	run(t, source, "INSERT INTO app.a VALUES (4)")
	catchUp(t, p)
	want := ask(t, replica, "SELECT @@server_uuid") + ":1-2"
	for _, set := range []struct {
		source gtid.Set
		uuid   string
	}{{older, uuid}, {executed(source), ""}, {executed(source), uuid}} {
		if diff := cmp.Diff(want, gtid.Errant(executed(replica), set.source, set.uuid).String()); diff != "" {
			t.Error(diff)
		}
	}
	if order := gtid.Compare(executed(source), executed(replica)); order != gtid.Behind {
		t.Errorf("the source is %s", order)
	}
}

func catchUp(t *testing.T, p *sandbox.Pool) {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), 30*time.Second)
	defer cancel()
	if err := p.CatchUp(ctx, p.Servers[0]); err != nil {
		t.Fatal(err)
	}
}

// mariaServer is what is read of one server of MariaDB.
type mariaServer struct {
	state             gtid.State
	position, written gtid.Set
	id                uint32
}

func look(t *testing.T, s *sandbox.Server) mariaServer {
	t.Helper()
	state, err := gtid.ParseState(ask(t, s, "SELECT @@global.gtid_binlog_state"))
	if err != nil {
		t.Fatal(err)
	}
	return mariaServer{
		state: state, position: parsed(t, "mariadb", ask(t, s, "SELECT @@global.gtid_current_pos")),
		written: parsed(t, "mariadb", ask(t, s, "SELECT @@global.gtid_binlog_pos")), id: s.ServerID(),
	}
}

func (m mariaServer) source(older bool) gtid.Source {
	return gtid.Source{State: m.state, Position: m.position, ServerID: m.id, Older: older}
}

// wantExtra compares what one server has and another has not.
func wantExtra(t *testing.T, what string, replica mariaServer, source gtid.Source, want gtid.Extra) {
	t.Helper()
	if diff := cmp.Diff(want, gtid.ErrantState(replica.state, source)); diff != "" {
		t.Errorf("%s: state %s with the source at %s, %s: %s", what, replica.state, source.State, source.Position, diff)
	}
}

// last is the number of a server's last transaction in domain 0.
func last(m mariaServer) uint64 { return m.written.Count() }

func TestErrantTransactionsOfMariaDB(t *testing.T) {
	for _, flavour := range []sandbox.Flavour{sandbox.MariaDB1011, sandbox.MariaDB118} {
		t.Run(string(flavour), func(t *testing.T) {
			p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: sandboxtest.Base(t, flavour), Size: 3})
			db1, db2, db3 := p.Servers[0], p.Servers[1], p.Servers[2]
			older := look(t, db1)
			run(t, db1, "CREATE TABLE app.a (id INT PRIMARY KEY)", "INSERT INTO app.a VALUES (1)")
			catchUp(t, p)
			clean := look(t, db2)
			wantExtra(t, "a clean replica", clean, look(t, db1).source(false), nil)
			wantExtra(t, "with an older state of the source", clean, older.source(true), nil)
			if diff := cmp.Diff(clean.state.Position(), clean.written); diff != "" {
				t.Error(diff)
			}

			// A write on db3. The source goes on, db3 stops at the first number that it has used.
			run(t, db3, "SET GLOBAL read_only = 0", "INSERT INTO app.a VALUES (100)", "INSERT INTO app.a VALUES (101)")
			n := last(clean)
			errant := gtid.Extra{{Domain: 0, Server: db3.ServerID(), First: n + 1, Last: n + 2, Why: gtid.Unknown}}
			wantExtra(t, "a write on a replica", look(t, db3), look(t, db1).source(false), errant)
			run(t, db1, "INSERT INTO app.a VALUES (2)", "INSERT INTO app.a VALUES (3)", "INSERT INTO app.a VALUES (4)")
			wantExtra(t, "and the source went on", look(t, db3), look(t, db1).source(false), errant)
			if order := gtid.Compare(look(t, db1).position, look(t, db3).position); order != gtid.Ahead {
				t.Errorf("positions say %s: they cannot tell", order)
			}

			// db2 takes the role, db1 has something that db2 never received.
			awaitPosition(t, db2, look(t, db1).position)
			run(t, db2, "STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0")
			run(t, db1, "INSERT INTO app.a VALUES (5)", "INSERT INTO app.a VALUES (6)")
			run(t, db2, "INSERT INTO app.a VALUES (7)")
			wantExtra(t, "an old source", look(t, db1), look(t, db2).source(false),
				gtid.Extra{{Domain: 0, Server: db1.ServerID(), First: n + 4, Last: n + 5, Why: gtid.Beyond}})
			if missing := look(t, db1).position.Minus(look(t, db2).position); missing.Count() != 1 {
				t.Errorf("by the positions db1 has %s beyond db2", missing)
			}

			// A source whose log was reset has lost what it wrote, and does not know who wrote before.
			before := look(t, db2)
			run(t, db2, "RESET MASTER")
			wantExtra(t, "the log of the source was reset", before, look(t, db2).source(false), gtid.Extra{
				{Domain: 0, Server: db2.ServerID(), First: n + 4, Last: n + 4, Why: gtid.Lost},
			})
		})
	}
}

func awaitPosition(t *testing.T, s *sandbox.Server, want gtid.Set) {
	t.Helper()
	if ask(t, s, "SELECT MASTER_GTID_WAIT(?, 30)", want.String()) != "0" {
		t.Fatalf("%s has not executed %s", s.Name(), want)
	}
}

// A source that was built from a copy has a log that begins with the copy.
func TestOldWritersOfMariaDBAreNotErrantOnAReplicaOfANewSource(t *testing.T) {
	p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: sandboxtest.Base(t, sandbox.MariaDB1011), Size: 3})
	db1, db2, db3 := p.Servers[0], p.Servers[1], p.Servers[2]
	run(t, db1, "CREATE TABLE app.a (id INT PRIMARY KEY)")
	oldest := look(t, db1)
	// db2 takes the role from db1, and db3 from db2; db3's log begins after db1 wrote.
	catchUp(t, p)
	run(t, db2, "STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0", "INSERT INTO app.a VALUES (1)")
	run(t, db3, "STOP SLAVE", "RESET MASTER")
	if err := p.Repoint(t.Context(), db3, db2); err != nil {
		t.Fatal(err)
	}
	awaitPosition(t, db3, look(t, db2).written)
	run(t, db3, "STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0", "INSERT INTO app.a VALUES (2)")
	if err := p.Repoint(t.Context(), db2, db3); err != nil {
		t.Fatal(err)
	}
	awaitPosition(t, db2, look(t, db3).written)
	n := last(oldest)
	wantExtra(t, "an old replica", look(t, db2), look(t, db3).source(false),
		gtid.Extra{{Domain: 0, Server: db1.ServerID(), First: n, Last: n, Why: gtid.Buried}})
}
