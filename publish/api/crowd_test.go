package api_test

import (
	"bufio"
	"context"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"mpp"
	"mpp/publish/api"
	"mpp/publish/publishtest"
)

// patience bounds every wait of these tests.
const patience = 20 * time.Second

// until waits until cond holds.
func until(t *testing.T, what string, cond func() bool) {
	t.Helper()
	limit := time.NewTimer(patience)
	defer limit.Stop()
	again := time.NewTicker(5 * time.Millisecond)
	defer again.Stop()
	for !cond() {
		select {
		case <-again.C:
		case <-limit.C:
			t.Fatalf("%s: not within %s", what, patience)
		}
	}
}

// silent opens connections that say nothing, or what they are given.
func silent(t *testing.T, network, address string, n int, says string) []net.Conn {
	t.Helper()
	all := make([]net.Conn, n)
	for i := range all {
		c, err := net.DialTimeout(network, address, patience)
		if err != nil {
			t.Fatalf("connection %d: %v", i, err)
		}
		t.Cleanup(func() { _ = c.Close() })
		if _, err := io.WriteString(c, says); err != nil {
			t.Logf("connection %d: %v", i, err) // it was closed already, which is right, too
		}
		all[i] = c
	}
	return all
}

const question = "GET /v1/check/writer/10.0.0.1:3306 HTTP/1.1\r\nHost: mppd\r\n\r\n"

func TestSilentConnectionsDoNotKeepABalancerWaiting(t *testing.T) {
	_, socket, url := started(t, &publishtest.Source{})
	for name, says := range map[string]string{"nothing": "", "half a request": "GET /v1/check/wri", "a question, and no more": question} {
		for network, address := range map[string]string{"tcp": strings.TrimPrefix(url, "http://"), "unix": socket} {
			t.Run(name+" over "+network, func(t *testing.T) {
				silent(t, network, address, 1000, says)
				begin := time.Now()
				answer := askOnce(t, network, address)
				if took := time.Since(begin); took > time.Second || !strings.HasPrefix(answer, "HTTP/1.1 200 ") {
					t.Errorf("%q after %s", answer, took)
				}
			})
		}
	}
}

// askOnce asks over a connection of its own and returns the status line.
func askOnce(t *testing.T, network, address string) string {
	t.Helper()
	c, err := net.DialTimeout(network, address, patience)
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	_ = c.SetDeadline(time.Now().Add(patience))
	if _, err := io.WriteString(c, question); err != nil {
		t.Fatal(err)
	}
	line, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func TestWhoSaysNothingIsClosedSoon(t *testing.T) {
	_, _, url := started(t, &publishtest.Source{})
	c := silent(t, "tcp", strings.TrimPrefix(url, "http://"), 1, "")[0]
	_ = c.SetReadDeadline(time.Now().Add(patience))
	begin := time.Now()
	if _, err := io.ReadAll(c); err != nil {
		t.Fatal(err)
	}
	if took := time.Since(begin); took > 4*time.Second {
		t.Errorf("closed after %s", took)
	}
}

func TestBusyConnectionsAreNotClosedForNewOnes(t *testing.T) {
	events := make(chan mpp.Event, 1)
	src := &publishtest.Source{SubscribeFunc: func(uint64) (<-chan mpp.Event, func()) { return events, func() {} }}
	_, _, url := started(t, src)
	response, err := http.Get(url + "/v1/events?stream=1")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = response.Body.Close() }()
	silent(t, "tcp", strings.TrimPrefix(url, "http://"), 1000, "")
	events <- mpp.Event{Seq: 7, Text: "still here"}
	lines := bufio.NewScanner(response.Body)
	for lines.Scan() {
		if strings.Contains(lines.Text(), "still here") {
			return
		}
	}
	t.Errorf("the stream was cut off: %v", lines.Err())
}

func TestStopIsPromptWithACrowd(t *testing.T) {
	s, _, url := started(t, &publishtest.Source{})
	silent(t, "tcp", strings.TrimPrefix(url, "http://"), 1000, "")
	ctx, done := context.WithTimeout(t.Context(), 100*time.Millisecond)
	defer done()
	begin := time.Now()
	s.Stop(ctx)
	if took := time.Since(begin); took > 3*time.Second {
		t.Errorf("it took %s", took)
	}
}

func TestMakingRoomIsLoggedOnce(t *testing.T) {
	var log lines
	s, err := api.New(api.Options{Source: &publishtest.Source{}, Listen: "127.0.0.1:0", Log: zerolog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	silent(t, "tcp", s.Addr().String(), 700, "")
	askOnce(t, "tcp", s.Addr().String())
	s.Stop(t.Context())
	if got := log.count("too many connections"); got != 1 {
		t.Errorf("it was logged %d times", got)
	}
}

func TestHeadHasNoBody(t *testing.T) {
	_, _, url := started(t, &publishtest.Source{})
	for node, status := range map[string]string{"10.0.0.1": "200", "10.0.0.2": "503", "../x": "503"} {
		c := silent(t, "tcp", strings.TrimPrefix(url, "http://"), 1, fmt.Sprintf("HEAD /v1/check/writer/%s HTTP/1.0\r\n\r\n", node))[0]
		text, err := io.ReadAll(c)
		head, body, _ := strings.Cut(string(text), "\r\n\r\n")
		if err != nil || body != "" || !strings.HasPrefix(head, "HTTP/1.0 "+status) || !strings.Contains(head, "\r\nMPP-STATE: ") {
			t.Errorf("%s: %q (%v)", node, text, err)
		}
	}
}

func TestSocketThatSomebodyRemovedComesBack(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "run")
	if err := os.Mkdir(dir, 0o755); err != nil {
		t.Fatal(err)
	}
	socket := filepath.Join(dir, "mppd.sock")
	s, err := api.New(api.Options{Source: &publishtest.Source{}, Socket: socket, SocketMode: 0o640})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Stop(t.Context())
	answers := func() bool {
		r, err := overSocket(socket).Get("http://mppd/-/healthy")
		if err != nil {
			return false
		}
		return r.Body.Close() == nil && r.StatusCode == 200
	}
	for range 2 {
		if err := os.Remove(socket); err != nil {
			t.Fatal(err)
		}
		until(t, "the socket was removed", answers)
	}
	if err := os.RemoveAll(dir); err != nil {
		t.Fatal(err)
	}
	if err := os.Mkdir(dir, 0o755); err != nil { // as whoever writes state files does
		t.Fatal(err)
	}
	until(t, "the folder was removed", answers)
	if info, err := os.Stat(socket); err != nil || info.Mode().Perm() != 0o640 {
		t.Errorf("mode %v, %v", info, err)
	}
	s.Stop(t.Context())
	if left, err := os.ReadDir(dir); err != nil || len(left) != 0 {
		t.Errorf("left behind: %v %v", left, err)
	}
}

func TestSocketThatAnotherListensOnIsNotStolen(t *testing.T) {
	var log lines
	socket := filepath.Join(t.TempDir(), "mppd.sock")
	s, err := api.New(api.Options{Source: &publishtest.Source{}, Socket: socket, Log: zerolog.New(&log)})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Stop(t.Context())
	other, err := net.Listen("unix", socket+".other")
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = other.Close() }()
	if err := os.Rename(socket+".other", socket); err != nil { // in one step: the server has no moment to come back
		t.Fatal(err)
	}
	until(t, "it says that another one listens", func() bool { return log.count("somebody listens there already") > 0 })
	s.Stop(t.Context())
	if _, err := os.Stat(socket); err != nil {
		t.Errorf("the other's socket: %v", err)
	}
}
