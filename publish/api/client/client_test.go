package client_test

import (
	"context"
	"errors"
	"io"
	"net"
	"net/http"
	"net/http/httptest"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/publish/api"
	"mpp/publish/api/client"
	"mpp/publish/publishtest"
)

// running starts the real API and returns clients over its socket and over TCP.
func running(t *testing.T, src api.Source) map[string]*client.Client {
	t.Helper()
	socket := filepath.Join(t.TempDir(), "mppd.sock")
	s, err := api.New(api.Options{Source: src, Socket: socket, Listen: "127.0.0.1:0", Token: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(t.Context()) })
	return map[string]*client.Client{
		"socket":   newClient(t, client.Options{Socket: socket}),
		"TCP":      newClient(t, client.Options{URL: s.Addr().String(), Token: "s3cret"}),
		"no token": newClient(t, client.Options{URL: "http://" + s.Addr().String() + "/"}),
	}
}

func newClient(t *testing.T, o client.Options) *client.Client {
	t.Helper()
	c, err := client.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(c.Close)
	return c
}

func TestWhatTheDaemonKnowsArrivesUnchanged(t *testing.T) {
	view := publishtest.View(time.Now().UTC().Round(0))
	view.Pools[1].Problems, view.Pools[1].Checkpoints = []mpp.Problem{}, []mpp.CheckpointView{}
	explained := mpp.Explanation{Pool: "db1", At: view.At, Summary: "well", Nodes: []mpp.NodeExplanation{}, IfActiveDied: []string{"10.0.0.2:3306 takes over"}, Problems: view.Pools[0].Problems}
	src := &publishtest.Source{
		ViewFunc:    func() *mpp.View { return view },
		ExplainFunc: func(string) (mpp.Explanation, bool) { return explained, true },
		CheckNowFunc: func(context.Context, string) (mpp.Observation, error) {
			return *view.Pools[0].Nodes[0].Observation, nil
		},
	}
	for name, c := range running(t, src) {
		t.Run(name, func(t *testing.T) {
			same := func(want, got any, err error) {
				t.Helper()
				if err != nil {
					t.Error(err)
				} else if diff := cmp.Diff(want, got); diff != "" {
					t.Errorf("(-want +got):\n%s", diff)
				}
			}
			v, err := c.View(t.Context())
			same(view, v, err)
			p, err := c.Pool(t.Context(), "db2")
			same(&view.Pools[1], p, err)
			n, err := c.Node(t.Context(), "::ffff:10.0.0.2")
			same(&view.Pools[0].Nodes[1], n, err)
			n, err = c.Node(t.Context(), publishtest.V6)
			same(&view.Pools[1].Nodes[0], n, err)
			e, err := c.Explain(t.Context(), "db1")
			same(&explained, e, err)
			if name == "no token" {
				return
			}
			o, err := c.Check(t.Context(), publishtest.Active)
			same(view.Pools[0].Nodes[0].Observation, o, err)
		})
	}
}

func TestOperationsArriveUnchanged(t *testing.T) {
	now := time.Now().UTC().Round(0)
	view, failover, ready, found := publishtest.WithEngine(now), publishtest.Failover(now), publishtest.Readiness(now), publishtest.Diagnosis(now)
	ready.Blockers = []string{}
	view.Pools[2].Readiness = nil
	limits := []int{}
	c := running(t, &publishtest.Source{
		ViewFunc:      func() *mpp.View { return view },
		ReadinessFunc: func(pool string) (mpp.Readiness, bool) { return ready, pool == "db3" },
		OperationsFunc: func(_ string, limit int) ([]mpp.Operation, error) {
			limits = append(limits, limit)
			return []mpp.Operation{failover}, nil
		},
		OperationFunc: func(_ string, id uint64) (mpp.Operation, bool) { return failover, id == 3 },
		DoctorFunc:    func(context.Context, string) (mpp.Diagnosis, error) { return found, nil },
	})["socket"]
	r, err := c.Readiness(t.Context(), "db3")
	if diff := cmp.Diff(&ready, r); diff != "" || err != nil {
		t.Errorf("readiness: %v\n%s", err, diff)
	}
	_, err = c.Readiness(t.Context(), "db1")
	condition(t, err, client.ErrNotFound, "no engine")
	list, err := c.Operations(t.Context(), "db3", 3)
	view.Pools[2].Repairs[0].Steps = []mpp.Step{}
	want := []mpp.Operation{*view.Pools[2].Repairs[0], *view.Pools[2].Operation, failover}
	if diff := cmp.Diff(want, list); diff != "" || err != nil {
		t.Errorf("operations: %v\n%s", err, diff)
	}
	if diff := cmp.Diff([]int{3}, limits); diff != "" {
		t.Error(diff)
	}
	o, err := c.Operation(t.Context(), "db3", 3)
	if diff := cmp.Diff(&failover, o); diff != "" || err != nil {
		t.Errorf("operation: %v\n%s", err, diff)
	}
	_, err = c.Operation(t.Context(), "db3", 99)
	condition(t, err, client.ErrNotFound, "no operation 99")
	d, err := c.Doctor(t.Context(), "db3")
	if diff := cmp.Diff(&found, d); diff != "" || err != nil {
		t.Errorf("diagnosis: %v\n%s", err, diff)
	}
	_, err = c.Doctor(t.Context(), "db1")
	condition(t, err, client.ErrRefused, "no engine")
}

func TestRefusalIsAResultAndNonsenseAnError(t *testing.T) {
	src := &publishtest.Source{
		DoFunc: func(_ context.Context, _ string, c mpp.Command) (mpp.Result, error) {
			if c.Verb == mpp.VerbPromote {
				return mpp.Result{Refused: "it is ACTIVE already"}, nil
			}
			return mpp.Result{Done: true, Changes: []string{"done"}}, nil
		},
		ReloadFunc: func(context.Context) error { return errors.New("mpp.toml:3: unknown key\nmpp.toml:9: two PRIMARY") },
	}
	all := running(t, src)
	c := all["socket"]
	r, err := c.Do(t.Context(), "db1", mpp.Command{Verb: mpp.VerbPromote, Node: publishtest.Active})
	if diff := cmp.Diff(mpp.Result{Refused: "it is ACTIVE already", Changes: []string{}}, r); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	r, err = c.Do(t.Context(), "db1", mpp.Command{Verb: mpp.VerbRecover})
	if !r.Done || err != nil {
		t.Errorf("%v %v", r, err)
	}
	_, err = c.Do(t.Context(), "db9", mpp.Command{Verb: mpp.VerbRecover})
	condition(t, err, client.ErrNotFound, "db9")
	_, err = c.Do(t.Context(), "db1", mpp.Command{Verb: "reboot"})
	condition(t, err, client.ErrRefused, "reboot")
	condition(t, c.Reload(t.Context()), client.ErrRefused, "mpp.toml:9: two PRIMARY")
	condition(t, all["no token"].Reload(t.Context()), client.ErrDenied, "token")
	_, err = c.Node(t.Context(), "a/../b")
	condition(t, err, client.ErrNotFound, "a/../b")
}

func condition(t *testing.T, err, want error, says string) {
	t.Helper()
	if !errors.Is(err, want) || !strings.Contains(err.Error(), says) {
		t.Errorf("error %q, want %q and %q", err, want, says)
	}
}

func TestDaemonThatIsNotThereIsSaidClearly(t *testing.T) {
	dead := filepath.Join(t.TempDir(), "dead.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: dead, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close()
	for _, socket := range []string{dead, filepath.Join(t.TempDir(), "never.sock")} {
		_, err := newClient(t, client.Options{Socket: socket}).View(t.Context())
		condition(t, err, client.ErrUnreachable, "cannot reach mppd at "+socket)
		condition(t, err, client.ErrUnreachable, "is it running? systemctl status mppd")
	}
	_, err = newClient(t, client.Options{URL: "http://127.0.0.1:1"}).View(t.Context())
	condition(t, err, client.ErrUnreachable, "cannot reach mppd at http://127.0.0.1:1")
}

func TestSocketThatThisUserMayNotUseIsDenied(t *testing.T) {
	denied := &net.OpError{Op: "dial", Net: "unix", Err: os.NewSyscallError("connect", os.ErrPermission)}
	_, err := client.NewDialing(func(context.Context) (net.Conn, error) { return nil, denied }).View(t.Context())
	condition(t, err, client.ErrDenied, "socket's group")
}

func TestDaemonThatHangsEndsWithTheContext(t *testing.T) {
	src := &publishtest.Source{CheckNowFunc: func(ctx context.Context, _ string) (mpp.Observation, error) {
		<-ctx.Done()
		return mpp.Observation{}, ctx.Err()
	}}
	ctx, done := context.WithTimeout(t.Context(), 50*time.Millisecond)
	defer done()
	_, err := running(t, src)["socket"].Check(ctx, publishtest.Active)
	condition(t, err, context.DeadlineExceeded, "ask mppd")
}

func TestSomethingElseAtTheAddressIsSaid(t *testing.T) {
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	other := &http.Server{Handler: http.NotFoundHandler(), ReadHeaderTimeout: time.Second}
	served := make(chan error, 1)
	go func() { served <- other.Serve(l) }()
	_, err = newClient(t, client.Options{URL: l.Addr().String()}).View(t.Context())
	condition(t, err, client.ErrNotFound, "is not mppd's API")
	_ = other.Close()
	if err := <-served; !errors.Is(err, http.ErrServerClosed) {
		t.Error(err)
	}
}

func TestStreamGivesEventsUntilItIsCutOff(t *testing.T) {
	src := &publishtest.Source{SubscribeFunc: func(after uint64) (<-chan mpp.Event, func()) {
		events := make(chan mpp.Event, 3)
		for seq := after + 1; seq <= after+3; seq++ {
			events <- mpp.Event{Seq: seq, Text: "x"}
		}
		close(events)
		return events, func() {}
	}}
	c := running(t, src)["TCP"]
	var got []uint64
	err := c.Stream(t.Context(), client.EventQuery{After: 7, Limit: 1}, func(e mpp.Event) error {
		got = append(got, e.Seq)
		return nil
	})
	condition(t, err, client.ErrCutOff, "ended the stream")
	if diff := cmp.Diff([]uint64{8, 9, 10}, got); diff != "" {
		t.Error(diff)
	}
	enough := errors.New("enough")
	if err := c.Stream(t.Context(), client.EventQuery{}, func(mpp.Event) error { return enough }); !errors.Is(err, enough) {
		t.Errorf("the reader's own error was lost: %v", err)
	}
}

func TestStreamOfADaemonThatHangsIsCutOff(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		w.Header().Set("Content-Type", "text/event-stream")
		w.WriteHeader(http.StatusOK)
		_, _ = io.WriteString(w, ": heartbeat\n\n")
		_ = http.NewResponseController(w).Flush()
		<-r.Context().Done()
	}))
	defer s.Close()
	c, err := client.New(client.Options{URL: s.URL, Silence: 50 * time.Millisecond})
	if err != nil {
		t.Fatal(err)
	}
	err = c.Stream(t.Context(), client.EventQuery{}, func(mpp.Event) error { return nil })
	condition(t, err, client.ErrCutOff, "nothing came for 50ms")
}

func TestEventsPassTheSelectionOn(t *testing.T) {
	src := &publishtest.Source{EventsFunc: func(after uint64, _ int) []mpp.Event {
		return []mpp.Event{{Seq: after + 1, Pool: "db1", At: time.Unix(5, 0)}, {Seq: after + 2, Pool: "db1", At: time.Unix(6, 0)}, {Seq: after + 3, Pool: "db2", At: time.Unix(7, 0)}}
	}}
	list, err := running(t, src)["socket"].Events(t.Context(), client.EventQuery{Pool: "db1", After: 4, Limit: 5, Since: time.Unix(6, 0)})
	if err != nil || len(list) != 1 || list[0].Seq != 6 {
		t.Errorf("%v %v", list, err)
	}
}

func TestRecordThatIsNotWholeIsAnError(t *testing.T) {
	broken := false
	src := &publishtest.Source{RecordFunc: func(_ context.Context, from time.Time, w io.Writer) error {
		_, _ = io.WriteString(w, from.Format(time.RFC3339)+"\n")
		if broken {
			return errors.New("disk gone")
		}
		return nil
	}}
	c := running(t, src)["socket"]
	from := time.Date(2026, 11, 21, 3, 0, 0, 0, time.UTC)
	read := func() (string, error) {
		r, err := c.Record(t.Context(), from)
		if err != nil {
			t.Fatal(err)
		}
		defer func() { _ = r.Close() }()
		text, err := io.ReadAll(r)
		return string(text), err
	}
	if text, err := read(); err != nil || text != "2026-11-21T03:00:00Z\n" {
		t.Errorf("%q %v", text, err)
	}
	broken = true
	_, err := read()
	condition(t, err, client.ErrCutOff, "read record")
}

func TestURLsThatCannotWorkAreRefused(t *testing.T) {
	for _, url := range []string{"ftp://x", "http://", "http://user:pw@x", "http://[", ":"} {
		if _, err := client.New(client.Options{URL: url}); err == nil || strings.Contains(err.Error(), "pw") {
			t.Errorf("%s: %v", url, err)
		}
	}
	if _, err := client.New(client.Options{}); err == nil {
		t.Error("a client of nothing was made")
	}
}
