package cli

import (
	"context"
	"errors"
	"io"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/publish/api"
	"mpp/publish/api/client"
)

// source is a world behind the real API.
type source struct {
	*fake
	w *world
	// news is what a subscription gets.
	news chan mpp.Event
}

func (s source) View() *mpp.View { return s.w.shown() }

func (s source) Explain(pool string) (mpp.Explanation, bool) {
	if s.w.find(pool) < 0 {
		return mpp.Explanation{}, false
	}
	x, err := s.explain(pool)
	return *x, err == nil
}

func (s source) Events(after uint64, limit int) []mpp.Event {
	return s.w.selected(client.EventQuery{After: after, Limit: limit})
}

func (s source) Subscribe(uint64) (<-chan mpp.Event, func()) { return s.news, func() {} }

func (s source) CheckNow(_ context.Context, node string) (mpp.Observation, error) {
	o, err := s.check(node)
	if err != nil {
		return mpp.Observation{}, err
	}
	return *o, nil
}

func (s source) Record(ctx context.Context, from time.Time, w io.Writer) error {
	r, err := s.fake.Record(ctx, from)
	if err != nil {
		return err
	}
	_, err = io.Copy(w, r)
	return err
}

// served serves a world on a unix socket and TCP, as mppd would.
func served(t *testing.T, w *world) (socket string, tcp net.Addr, news chan mpp.Event) {
	t.Helper()
	return servedBy(t, w, w.client())
}

func servedBy(t *testing.T, w *world, c *fake) (socket string, tcp net.Addr, news chan mpp.Event) {
	t.Helper()
	dir, err := os.MkdirTemp("", "mpp") // short, for the limit of socket paths
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = os.RemoveAll(dir) })
	socket, news = filepath.Join(dir, "s"), make(chan mpp.Event, 4)
	server, err := api.New(api.Options{
		Source: source{fake: c, w: w, news: news}, Socket: socket, Listen: "127.0.0.1:0", Token: "letmein-letmein-letmein",
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := server.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
		defer cancel()
		server.Stop(ctx)
	})
	return socket, server.Addr(), news
}

// realStage talks to a real API.
func realStage(t *testing.T, options map[string]string) *stage {
	s := newStage(t)
	s.dial = dial
	for k, v := range options {
		s.env[k] = v
	}
	return s
}

func TestRealClientAnswersAsTheFakeOneDoes(t *testing.T) {
	socket, _, _ := served(t, failover())
	over, fakes := realStage(t, map[string]string{"MPP_SOCKET": socket}), newStage(t)
	fakes.direct("world failover")
	for _, line := range []string{
		"mpp replay --from 3h", "mpp replay --from 3h --verify", // before any command is refused, which is recorded
		"mpp status", "mpp status shop", "mpp nodes", "mpp nodes --state fail", "mpp events", "mpp events -n 3 --node db1",
		"mpp events --since 1h --json", "mpp explain shop", "mpp check db1", "mpp check galera2", "mpp promote db1",
		"mpp reload", "mpp version", "mpp status nowhere", "mpp __complete recover ''",
	} {
		if diff := cmp.Diff(fakes.run(line), over.run(line)); diff != "" {
			t.Errorf("%s: -fake +real\n%s", line, diff)
		}
	}
	// Only the daemon knows who is at the other end of its socket.
	if got := over.run("mpp recover db1"); !strings.Contains(got, "FAIL (OFFLINE) -> UNKNOWN: asked for by ") {
		t.Error(got)
	}
	if got := over.run("mpp maintenance on --pool shop --for 2h --reason 'new disk'"); !strings.Contains(got, "maintenance of pool shop until") {
		t.Error(got)
	}
}

func TestRealClientTellsOperationsAsTheFakeOneDoes(t *testing.T) {
	for world, lines := range map[string][]string{
		"engine":      {"mpp readiness", "mpp readiness shop", "mpp explain shop", "mpp failovers", "mpp failovers show 3", "mpp failovers show 99", "mpp doctor shop", "mpp status shop"},
		"two-engines": {"mpp failovers", "mpp failovers show 3", "mpp readiness --json"},
		"switchover":  {"mpp switchover shop --dry-run", "mpp switchover shop --to db2"},
		"rolled-back": {"mpp switchover shop"},
		"refusing":    {"mpp switchover shop", "mpp failovers ack 3"},
	} {
		for _, line := range lines {
			e := engineWorlds()[world]()
			socket, _, _ := servedBy(t, e.world, e.client())
			over, fakes := realStage(t, map[string]string{"MPP_SOCKET": socket}), newStage(t)
			fakes.direct("world " + world)
			if diff := cmp.Diff(fakes.run(line), over.run(line)); diff != "" {
				t.Errorf("%s: %s: -fake +real\n%s", world, line, diff)
			}
		}
	}
}

func TestTokenIsNeededOverTCPToChangeAnything(t *testing.T) {
	_, tcp, _ := served(t, failover())
	url := "http://" + tcp.String()
	name := filepath.Join(t.TempDir(), "token")
	if err := os.WriteFile(name, []byte("letmein-letmein-letmein\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if got := realStage(t, nil).run("mpp status --url " + url); !strings.Contains(got, "FAIL (OFFLINE)") {
		t.Error(got)
	}
	if got := realStage(t, nil).run("mpp recover db1 --url " + url); !strings.Contains(got, "[exit code 3]") ||
		!strings.Contains(got, "need the token\n  give --token-file FILE or set MPP_TOKEN_FILE") {
		t.Error(got)
	}
	if got := realStage(t, nil).run("mpp recover db1 --url " + url + " --token-file " + name); !strings.Contains(got, "FAIL (OFFLINE) -> UNKNOWN") {
		t.Error(got)
	}
	if err := os.Chmod(name, 0o644); err != nil {
		t.Fatal(err)
	}
	got := realStage(t, map[string]string{"MPP_URL": url, "MPP_TOKEN_FILE": name}).run("mpp recover db1")
	if !strings.Contains(got, "open to everybody (mode 0644)") || !strings.Contains(got, "[exit code 5]") || strings.Contains(got, "letmein") {
		t.Error(got)
	}
}

func TestTokenFileHoldsOneToken(t *testing.T) {
	dir := t.TempDir()
	for text, want := range map[string]string{"": "is empty", " \n": "is empty", "a\nb\n": "more than one line", strings.Repeat("x", 5000): "more than one line"} {
		name := filepath.Join(dir, "token")
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, err := readToken(name); err == nil || !strings.Contains(err.Error(), want) {
			t.Errorf("token %.5q: %v, want %s", text, err, want)
		}
	}
	if _, err := readToken(dir); err == nil || !strings.Contains(err.Error(), "no regular file") {
		t.Errorf("a folder is no token file: %v", err)
	}
	if _, err := readToken(filepath.Join(dir, "none")); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("a missing file: %v", err)
	}
}

func TestFollowOverTheRealStream(t *testing.T) {
	w := healthy()
	socket, _, news := served(t, w)
	sys, _, errs := realStage(t, map[string]string{"MPP_SOCKET": socket}).system()
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	lines := make(chan string, 64)
	sys.Out = writerFunc(func(b []byte) (int, error) { lines <- string(b); return len(b), nil })
	news <- event(w.seq + 1)
	done := make(chan int, 1)
	go func() { done <- Run(ctx, sys, []string{"events", "-f", "-n", "1"}) }()
	for seen := ""; !strings.Contains(seen, "number"); {
		select {
		case line := <-lines:
			seen += line
		case <-ctx.Done():
			t.Fatalf("no event came: %q, %s", seen, errs)
		}
	}
	cancel()
	if code := <-done; code != ExitOK {
		t.Errorf("exit code %d: %s", code, errs)
	}
}

type writerFunc func([]byte) (int, error)

func (f writerFunc) Write(b []byte) (int, error) { return f(b) }

func TestDaemonThatIsNotThereIsNamedOverTheRealClient(t *testing.T) {
	dir := t.TempDir()
	gone := filepath.Join(dir, "gone.sock")
	if got := realStage(t, nil).run("mpp status --socket " + gone); !strings.Contains(got, "no such file or directory\n  does mppd run?") || !strings.Contains(got, "[exit code 3]") {
		t.Error(got)
	}
	dead := filepath.Join(dir, "dead.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	if got := realStage(t, nil).run("mpp status --socket " + dead); !strings.Contains(got, "connection refused\n  the socket is there and nobody listens") {
		t.Error(got)
	}
	silent := filepath.Join(dir, "silent.sock")
	if l, err = net.ListenUnix("unix", &net.UnixAddr{Name: silent, Net: "unix"}); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = l.Close() }()
	if got := realStage(t, nil).run("mpp status --timeout 50ms --socket " + silent); !strings.Contains(got, "gave no answer within 50ms") || !strings.Contains(got, "[exit code 3]") {
		t.Error(got)
	}
	started := time.Now()
	if got := realStage(t, nil).run("mpp __complete recover '' --socket " + silent); strings.Contains(got, "exit code") {
		t.Error(got)
	}
	if took := time.Since(started); took > 2*time.Second {
		t.Errorf("the Tab key took %s with a daemon that is stuck", took)
	}
	if got := realStage(t, nil).run("mpp status --url ftp://x"); !strings.Contains(got, "[exit code 2]") {
		t.Error(got)
	}
}

func TestWhatIsNotMppdIsNotTakenForADaemonThatRefuses(t *testing.T) {
	for said, want := range map[string]string{
		"HTTP/1.0 404 Not Found\r\nContent-Length: 0\r\n\r\n": "is not mppd's API: it answered 404 Not Found",
		"5.5.5-10.11.14-MariaDB\r\n\r\n":                      "something else than mppd listens there",
	} {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = l.Close() }()
		go func() {
			for {
				c, err := l.Accept()
				if err != nil {
					return
				}
				_, _ = c.Read(make([]byte, 4096))
				_, _ = io.WriteString(c, said)
				_ = c.Close()
			}
		}()
		got := realStage(t, nil).run("mpp status --url http://" + l.Addr().String())
		if !strings.Contains(got, want) || !strings.Contains(got, "[exit code 5]") {
			t.Errorf("%q: %s", said, got)
		}
	}
}

func (s source) Operations(pool string, limit int) ([]mpp.Operation, error) {
	return s.fake.Operations(context.Background(), pool, limit)
}

func (s source) Operation(pool string, id uint64) (mpp.Operation, bool) {
	o, err := s.fake.Operation(context.Background(), pool, id)
	if err != nil {
		return mpp.Operation{}, false
	}
	return *o, true
}

func (s source) Readiness(string) (mpp.Readiness, bool) { return mpp.Readiness{}, false }

// Statements are those of the fake's own plan.
func (s source) Statements(mpp.Operation) [][]string {
	return rehearsed(switchedOver(moment())).Statements
}

func (s source) Doctor(ctx context.Context, pool string) (mpp.Diagnosis, error) {
	d, err := s.fake.Doctor(ctx, pool)
	return *d, err
}
