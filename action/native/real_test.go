package native

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// world is a pool of real servers with the Runner that is tested.
type world struct {
	t       *testing.T
	flavour sandbox.Flavour
	pool    *sandbox.Pool
	runner  *Runner
}

func (w *world) close() error {
	if w.runner != nil {
		w.runner.Close()
	}
	return w.pool.Close()
}

func (w *world) mariaDB() bool { return w.pool.Servers[0].Base().MariaDB }

// slave is the product's word for a replica.
func (w *world) slave() string {
	if w.mariaDB() {
		return "SLAVE"
	}
	return "REPLICA"
}

func (w *world) addr(i int) string { return w.pool.Servers[i].Address() }

// options completes options for the pool.
func (w *world) options(o Options) Options {
	for _, s := range w.pool.Servers {
		o.Nodes = append(o.Nodes, Node{Address: s.Address(), Account: Account{User: w.pool.Failover.User, Password: w.pool.Failover.Password}})
	}
	if o.Replication.User == "" {
		o.Replication = Account{User: w.pool.Repl.User, Password: w.pool.Repl.Password}
	}
	o.Own = append(o.Own, w.pool.Monitor.User)
	return o
}

// useRunner makes the Runner of the test, with its connections warm.
func (w *world) useRunner(o Options) {
	w.t.Helper()
	if w.runner != nil {
		w.runner.Close()
	}
	r, err := New(w.options(o))
	if err != nil {
		w.t.Fatal(err)
	}
	w.runner = r
	for _, v := range r.servers {
		v.warm(w.t.Context())
	}
	r.Start()
}

// do runs a step with a limit of 10 s unless it has one.
func (w *world) do(kind mpp.StepKind, i int, more ...func(*mpp.Step)) mpp.StepResult {
	w.t.Helper()
	st := mpp.Step{N: 7, Kind: kind, Node: w.addr(i), Limit: 10 * time.Second}
	for _, f := range more {
		f(&st)
	}
	begin := time.Now()
	got := w.runner.Run(w.t.Context(), st)
	if took := time.Since(begin); took > st.Limit+100*time.Millisecond {
		w.t.Errorf("%s with a limit of %s took %s", kind, st.Limit, took)
	}
	for _, secret := range []string{w.pool.Failover.Password, w.pool.Repl.Password} {
		if strings.Contains(got.Text, secret) {
			w.t.Errorf("%s: a password is in the text: %s", kind, got.Text)
		}
	}
	if strings.Contains(got.Text, "\n") || got.Text == "" {
		w.t.Errorf("%s: the text is not one line: %q", kind, got.Text)
	}
	return got
}

// must runs a step that is to succeed, twice: every step is idempotent.
func (w *world) must(kind mpp.StepKind, i int, more ...func(*mpp.Step)) mpp.StepResult {
	w.t.Helper()
	got := w.once(kind, i, more...)
	if again := w.do(kind, i, more...); !again.Done {
		w.t.Fatalf("%s on %s, for the second time: %s", kind, w.pool.Servers[i].Name(), again.Text)
	}
	return got
}

// once runs a step that is to succeed.
func (w *world) once(kind mpp.StepKind, i int, more ...func(*mpp.Step)) mpp.StepResult {
	w.t.Helper()
	got := w.do(kind, i, more...)
	w.t.Logf("%s on %s took %s: %s", kind, w.pool.Servers[i].Name(), got.Took.Round(10*time.Microsecond), got.Text)
	if !got.Done {
		w.t.Fatalf("%s on %s: %s", kind, w.pool.Servers[i].Name(), got.Text)
	}
	return got
}

// fails runs a step that is not to succeed, and whose text has a word in it.
func (w *world) fails(word string, kind mpp.StepKind, i int, more ...func(*mpp.Step)) mpp.StepResult {
	w.t.Helper()
	got := w.do(kind, i, more...)
	w.t.Logf("%s on %s failed after %s: %s", kind, w.pool.Servers[i].Name(), got.Took.Round(10*time.Microsecond), got.Text)
	if got.Done || !strings.Contains(got.Text, word) {
		w.t.Fatalf("%s on %s: done %v, want a failure with %q: %s", kind, w.pool.Servers[i].Name(), got.Done, word, got.Text)
	}
	return got
}

func limit(d time.Duration) func(*mpp.Step) { return func(s *mpp.Step) { s.Limit = d } }
func detail(d string) func(*mpp.Step)       { return func(s *mpp.Step) { s.Detail = d } }
func set(gtid string) func(*mpp.Step)       { return func(s *mpp.Step) { s.GTID = gtid } }
func (w *world) peer(i int) func(*mpp.Step) {
	return func(s *mpp.Step) { s.Peer = w.addr(i) }
}

// root runs statements as root.
func (w *world) root(i int, statements ...string) {
	w.t.Helper()
	for _, text := range statements {
		if _, err := w.pool.Servers[i].Root().ExecContext(sandboxtest.Context(w.t), text); err != nil {
			w.t.Fatalf("%s: %s: %v", w.pool.Servers[i].Name(), text, err)
		}
	}
}

// value asks root for one value.
func (w *world) value(i int, query string) string {
	w.t.Helper()
	v, err := w.tryValue(i, query)
	if err != nil {
		w.t.Fatalf("%s: %s: %v", w.pool.Servers[i].Name(), query, err)
	}
	return v
}

func (w *world) tryValue(i int, query string) (string, error) {
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	var v sql.NullString
	err := w.pool.Servers[i].Root().QueryRowContext(ctx, query).Scan(&v)
	return v.String, err
}

// want fails the test unless a query has a value.
func (w *world) want(i int, query, value string) {
	w.t.Helper()
	if got := w.value(i, query); got != value {
		w.t.Errorf("%s: %s is %q, want %q", w.pool.Servers[i].Name(), query, got, value)
	}
}

// eventually waits for a condition.
func (w *world) eventually(what string, cond func() bool) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 20*time.Second)
	defer cancel()
	err := sandbox.Eventually(ctx, 2*time.Millisecond, func(context.Context) error {
		if cond() {
			return nil
		}
		return errors.New(what)
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// inStep waits until the replicas have what the first server has.
func (w *world) inStep() {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.t.Context(), 30*time.Second)
	defer cancel()
	if err := w.pool.CatchUp(ctx, w.pool.Servers[0]); err != nil {
		w.t.Fatal(err)
	}
}

// write inserts n rows on a server, as root.
func (w *world) write(i, n int) {
	w.t.Helper()
	for range n {
		w.root(i, "INSERT INTO app.t (v) VALUES (REPEAT('x', 50))")
	}
}

func (w *world) rows(i int) string { w.t.Helper(); return w.value(i, "SELECT COUNT(*) FROM app.t") }

// status is the replica status of a server, nil for no replica.
func (w *world) status(i int) sandbox.ReplicaStatus {
	w.t.Helper()
	s, err := w.pool.Servers[i].ReplicaStatus(sandboxtest.Context(w.t))
	if err != nil {
		w.t.Fatal(err)
	}
	return s
}

// app is a connection of the application, with its session's number.
func (w *world) app(i int) (*sql.Conn, string) {
	w.t.Helper()
	return w.login(i, w.pool.App.User, w.pool.App.Password)
}

func (w *world) login(i int, user, password string) (*sql.Conn, string) {
	w.t.Helper()
	db, err := sql.Open("mysql", w.pool.Servers[i].DSN(user, password))
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() { _ = db.Close() })
	c, err := db.Conn(w.t.Context())
	if err != nil {
		w.t.Fatal(err)
	}
	var id string
	if err := c.QueryRowContext(w.t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		w.t.Fatal(err)
	}
	return c, id
}

// exec runs a statement on a connection.
func (w *world) exec(c *sql.Conn, text string) {
	w.t.Helper()
	if _, err := c.ExecContext(w.t.Context(), text); err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
}

// inBackground runs a statement on a connection and waits until the server is at it.
func (w *world) inBackground(i int, c *sql.Conn, id, text string) <-chan error {
	w.t.Helper()
	done := make(chan error, 1)
	go func() {
		_, err := c.ExecContext(context.Background(), text)
		done <- err
	}()
	w.eventually("the statement has not begun", func() bool { // all of them sleep for a while
		return w.value(i, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE STATE LIKE '%sleep%' AND ID = "+id) == "1"
	})
	return done
}

// lives reports whether a session is there.
func (w *world) lives(i int, id string) bool {
	w.t.Helper()
	return w.value(i, "SELECT COUNT(*) FROM information_schema.PROCESSLIST WHERE COMMAND <> 'Killed' AND ID = "+id) == "1"
}

// notStandard says why a pool is not as a test wants it.
func (w *world) notStandard() error {
	for i, s := range w.pool.Servers {
		if !s.Running() {
			return fmt.Errorf("%s does not run", s.Name())
		}
		want := "1"
		if i == 0 {
			want = "0"
		}
		if got, err := w.tryValue(i, "SELECT @@global.read_only"); err != nil || got != want {
			return errors.Join(fmt.Errorf("read_only of %s is %q", s.Name(), got), err)
		}
		if !w.mariaDB() {
			if got, err := w.tryValue(i, "SELECT @@global.super_read_only"); err != nil || got != "0" {
				return errors.Join(fmt.Errorf("super_read_only of %s is %q", s.Name(), got), err)
			}
		}
		st, err := s.ReplicaStatus(w.t.Context())
		if err != nil {
			return err
		}
		switch {
		case i == 0 && st != nil:
			return errors.New("the first is a replica")
		case i > 0 && (st["Source_Port"] != w.pool.Servers[0].Port() || st["Replica_IO_Running"] != "Yes" || st["Replica_SQL_Running"] != "Yes"):
			return fmt.Errorf("%s: %s", s.Name(), st.Trouble())
		}
	}
	ctx, cancel := context.WithTimeout(w.t.Context(), 5*time.Second)
	defer cancel()
	return w.pool.CatchUp(ctx, w.pool.Servers[0])
}
