package api_test

import (
	"bufio"
	"context"
	"io"
	"io/fs"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mpp"
	"mpp/publish/api"
	"mpp/publish/publishtest"
)

// started runs a server on a socket and on TCP until the test's end.
func started(t *testing.T, src api.Source) (s *api.Server, socket, url string) {
	t.Helper()
	socket = filepath.Join(t.TempDir(), "mppd.sock")
	s, err := api.New(api.Options{Source: src, Socket: socket, SocketMode: 0o640, Listen: "127.0.0.1:0", Token: "s3cret"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { s.Stop(t.Context()) })
	return s, socket, "http://" + s.Addr().String()
}

func overSocket(socket string) *http.Client {
	return &http.Client{Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return new(net.Dialer).DialContext(ctx, "unix", socket)
		},
	}}
}

func TestSocketHasItsModeFromTheFirstMomentAndIsGoneAfterStop(t *testing.T) {
	s, socket, _ := started(t, &publishtest.Source{})
	info, err := os.Stat(socket)
	if err != nil || info.Mode().Perm() != 0o640 || info.Mode().Type() != fs.ModeSocket {
		t.Fatalf("mode %v, error %v", info, err)
	}
	s.Stop(t.Context())
	if left, err := os.ReadDir(filepath.Dir(socket)); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestSocketNobodyListensOnIsReplaced(t *testing.T) {
	socket := filepath.Join(t.TempDir(), "mppd.sock")
	l, err := net.ListenUnix("unix", &net.UnixAddr{Name: socket, Net: "unix"})
	if err != nil {
		t.Fatal(err)
	}
	l.SetUnlinkOnClose(false)
	_ = l.Close() // as after kill -9
	s, err := api.New(api.Options{Source: &publishtest.Source{}, Socket: socket})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	s.Stop(t.Context())
}

func TestAnotherDaemonsSocketAndOtherFilesAreLeftAlone(t *testing.T) {
	_, socket, _ := started(t, &publishtest.Source{})
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, []byte("x"), 0o600); err != nil {
		t.Fatal(err)
	}
	long := filepath.Join(t.TempDir(), strings.Repeat("x", 120))
	for path, says := range map[string]string{socket: "another mppd", file: "something else", long: "too long", "/nonexistent/s": "no such"} {
		second, err := api.New(api.Options{Source: &publishtest.Source{}, Socket: path})
		if err != nil {
			t.Fatal(err)
		}
		if err := second.Start(); err == nil || !strings.Contains(err.Error(), says) || !strings.Contains(err.Error(), path) {
			t.Errorf("start on %s: %v, want %q", path, err, says)
		}
		second.Stop(t.Context())
	}
	if r, err := overSocket(socket).Get("http://mppd/-/healthy"); err != nil || r.StatusCode != 200 {
		t.Errorf("the first daemon does not answer any more: %v", err)
	}
}

func TestSocketIsNotLeftWhenTCPIsTaken(t *testing.T) {
	_, _, url := started(t, &publishtest.Source{})
	socket := filepath.Join(t.TempDir(), "s")
	s, err := api.New(api.Options{Source: &publishtest.Source{}, Socket: socket, Listen: strings.TrimPrefix(url, "http://")})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err == nil {
		t.Error("two servers on one port")
	}
	if _, err := os.Lstat(socket); err == nil {
		t.Error("the socket was left behind")
	}
}

func TestCommandOverTheSocketCarriesThePeersUser(t *testing.T) {
	by := make(chan string, 1)
	_, socket, _ := started(t, &publishtest.Source{DoFunc: func(_ context.Context, _ string, c mpp.Command) (mpp.Result, error) {
		by <- c.By
		return mpp.Result{Done: true}, nil
	}})
	r, err := overSocket(socket).Post("http://mppd/v1/pools/db1/commands", "application/json", strings.NewReader(`{"verb":"recover","by":"ann"}`))
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Body.Close()
	want := "uid"
	if os.Getuid() == 0 {
		want = "root for ann"
	}
	if got := <-by; !strings.HasPrefix(got, want) && !strings.HasSuffix(got, " for ann") {
		t.Errorf("asked for by %q", got)
	}
}

func TestBalancersSeeTheStateHeaderInCapitals(t *testing.T) {
	_, _, url := started(t, &publishtest.Source{})
	c, err := net.Dial("tcp", strings.TrimPrefix(url, "http://"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "GET /v1/check/writer/10.0.0.1 HTTP/1.0\r\n\r\n"); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil || !strings.HasPrefix(string(answer), "HTTP/1.0 200 OK\r\n") || !strings.Contains(string(answer), "\r\nMPP-STATE: WRITER\r\n") {
		t.Errorf("%s (%v)", answer, err)
	}
}

// feed is a source of events that a test sends.
func feed() (*publishtest.Source, chan<- mpp.Event) {
	events := make(chan mpp.Event, 10)
	return &publishtest.Source{SubscribeFunc: func(uint64) (<-chan mpp.Event, func()) { return events, func() {} }}, events
}

func TestStreamSendsEventsAsTheyHappenAndEndsWithTheServer(t *testing.T) {
	src, events := feed()
	s, socket, _ := started(t, src)
	r, err := overSocket(socket).Get("http://mppd/v1/events?stream=1&pool=db1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = r.Body.Close() }()
	lines := bufio.NewScanner(r.Body)
	next := func() string {
		for lines.Scan() {
			if text := lines.Text(); text != "" && !strings.HasPrefix(text, ":") {
				return text
			}
		}
		return "END"
	}
	events <- mpp.Event{Seq: 6, Pool: "db2", Text: "another pool's"}
	events <- mpp.Event{Seq: 7, Pool: "db1", Text: "failed over"}
	if id, data := next(), next(); id != "id: 7" || !strings.Contains(data, `"text":"failed over"`) {
		t.Errorf("%s %s", id, data)
	}
	ctx, done := context.WithTimeout(t.Context(), 10*time.Second)
	defer done()
	s.Stop(ctx)
	if ctx.Err() != nil {
		t.Error("an open stream held the stop up")
	}
	if text := next(); text != "END" {
		t.Errorf("after the stop came %q", text)
	}
}

func TestStreamWithoutANumberBeginsWithWhatHappensNext(t *testing.T) {
	asked := make(chan uint64, 3)
	src := &publishtest.Source{
		EventsFunc: func(uint64, int) []mpp.Event { return []mpp.Event{{Seq: 41}} },
		SubscribeFunc: func(after uint64) (<-chan mpp.Event, func()) {
			asked <- after
			closed := make(chan mpp.Event)
			close(closed)
			return closed, func() {}
		},
	}
	_, socket, _ := started(t, src)
	for _, c := range []struct {
		query, last string
		want        uint64
	}{{"", "", 41}, {"&after=7", "", 7}, {"&after=7", "12", 12}, {"&after=0", "", 0}} {
		r, err := http.NewRequestWithContext(t.Context(), "GET", "http://mppd/v1/events?stream=1"+c.query, nil)
		if err != nil {
			t.Fatal(err)
		}
		if c.last != "" {
			r.Header.Set("Last-Event-ID", c.last)
		}
		response, err := overSocket(socket).Do(r)
		if err != nil {
			t.Fatal(err)
		}
		body, _ := io.ReadAll(response.Body)
		_ = response.Body.Close()
		if got := <-asked; got != c.want || !strings.Contains(string(body), "cut off") {
			t.Errorf("%q %q: subscribed after %d, want %d; %s", c.query, c.last, got, c.want, body)
		}
	}
}

func TestStopIsBoundedWhateverTheDaemonDoes(t *testing.T) {
	release, entered := make(chan struct{}), make(chan struct{})
	src := &publishtest.Source{CheckNowFunc: func(context.Context, string) (mpp.Observation, error) {
		close(entered)
		<-release
		return mpp.Observation{}, nil
	}}
	s, socket, _ := started(t, src)
	var wg sync.WaitGroup
	wg.Go(func() {
		if r, err := overSocket(socket).Post("http://mppd/v1/nodes/10.0.0.1/check", "", nil); err == nil {
			_ = r.Body.Close()
		}
	})
	<-entered
	ctx, done := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer done()
	begin := time.Now()
	s.Stop(ctx)
	s.Stop(ctx)
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("stop took %s with a request that hangs", took)
	}
	close(release)
	wg.Wait()
}

func TestOptionsThatServeNothingAreRefused(t *testing.T) {
	if _, err := api.New(api.Options{Source: &publishtest.Source{}}); err == nil {
		t.Error("an API that listens nowhere was made")
	}
	if _, err := api.New(api.Options{Socket: "/x"}); err == nil {
		t.Error("an API without a source was made")
	}
}
