package api

import (
	"context"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/publish/publishtest"
)

// balancerAsks returns status, state header and body.
func balancerAsks(t testing.TB, src Source, method, url string) (int, string, string) {
	t.Helper()
	s := newServer(t, src)
	w := httptest.NewRecorder()
	guarded(s.overTCP(s.mux)).ServeHTTP(w, httptest.NewRequest(method, url, nil))
	state := ""
	for name, values := range w.Header() {
		if name == stateHeader { // with these very letters
			state = strings.Join(values, " and ")
		}
	}
	return w.Code, state, w.Body.String()
}

func TestBalancersAreAnsweredByRole(t *testing.T) {
	const yes, no = http.StatusOK, http.StatusServiceUnavailable
	cases := []struct {
		path   string
		status int
		state  string
		body   string
	}{
		{"writer/10.0.0.1:3306", yes, "WRITER", "UP ACTIVE\n"},
		{"writer/10.0.0.1", yes, "WRITER", "UP ACTIVE\n"},
		{"writer/::ffff:10.0.0.1", yes, "WRITER", "UP ACTIVE\n"},
		{"writer/[::ffff:10.0.0.1]:3306", yes, "WRITER", "UP ACTIVE\n"},
		{"writer/10.0.0.1:3306?pool=db1", yes, "WRITER", "UP ACTIVE\n"},
		{"writer/10.0.0.1:3306?pool=db2", no, "DOWN", "DOWN unknown node 10.0.0.1:3306 in pool db2\n"},
		{"writer/10.0.0.1:3306?pool=db9", no, "DOWN", "DOWN unknown pool \"db9\"\n"},
		{"reader/10.0.0.1:3306", no, "STANDBY", "DOWN ACTIVE\n"},
		{"ok/10.0.0.1:3306", yes, "WRITER", "UP ACTIVE\n"},
		{"writer/10.0.0.2:3306", no, "STANDBY", "DOWN STANDBY\n"},
		{"reader/10.0.0.2:3306", yes, "READER", "UP STANDBY\n"},
		{"ok/10.0.0.2:3306", yes, "READER", "UP STANDBY\n"},
		{"ok/10.0.0.3:3306", no, "DOWN", "DOWN FAIL (OFFLINE): connection refused\n"},
		{"writer/db4.example.com:3307", no, "DOWN", "DOWN not polled yet since mppd started\n"},
		{"writer/[2001:db8::1]:3306", yes, "WRITER", "UP ACTIVE\n"},
		{"writer/2001:db8:0::1", yes, "WRITER", "UP ACTIVE\n"},
		{"writer/10.9.9.9:3306", no, "DOWN", "DOWN unknown node 10.9.9.9:3306\n"},
		{"writer/10.0.0.1:3307", no, "DOWN", "DOWN unknown node 10.0.0.1:3307\n"},
		{"writer/%00", no, "DOWN", "DOWN \"\\x00\" is no address: write host, host:port or [ipv6]:port\n"},
		{"boss/10.0.0.1:3306", no, "DOWN", "DOWN unknown role \"boss\": use writer, reader or ok\n"},
		{"writer", no, "DOWN", "DOWN ask GET /v1/check/{writer|reader|ok}/{host:port}\n"},
		{"", no, "DOWN", "DOWN ask GET /v1/check/{writer|reader|ok}/{host:port}\n"},
		{"/writer/10.0.0.1:3306", no, "DOWN", "DOWN ask GET /v1/check/{writer|reader|ok}/{host:port}\n"},
		{"x/../writer/10.0.0.1:3306", no, "DOWN", "DOWN ask GET /v1/check/{writer|reader|ok}/{host:port}\n"},
		{"writer//10.0.0.1:3306", no, "DOWN", "DOWN ask GET /v1/check/{writer|reader|ok}/{host:port}\n"},
		{"writer/10.0.0.1/3306", no, "DOWN", "DOWN ask GET /v1/check/{writer|reader|ok}/{host:port}\n"},
	}
	for _, c := range cases {
		t.Run(c.path, func(t *testing.T) {
			for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
				status, state, body := balancerAsks(t, &publishtest.Source{}, method, "/v1/check/"+c.path)
				if status != c.status || state != c.state || (method == "GET" && body != c.body) {
					t.Errorf("%s: %d %s %q, want %d %s %q", method, status, state, body, c.status, c.state, c.body)
				}
			}
		})
	}
}

func TestBalancersPathsAreNoWhateverPathAndMethod(t *testing.T) {
	reloads := &publishtest.Source{ReloadFunc: func(context.Context) error { t.Error("reloaded"); return nil }}
	cases := []struct{ method, url string }{
		{"GET", "/v1/check/../nodes"},
		{"HEAD", "/v1/check/../nodes"},
		{"GET", "/v1/check/writer/../../pools"},
		{"GET", "/v1/check/%2e%2e/nodes"},
		{"GET", "/v1/check/writer/%2e%2e/%2e%2e/pools"},
		{"GET", "/v1/check/../../x"},
		{"GET", "/v1/check//"},
		{"GET", "/v1/check"},
		{"GET", "//v1/check/writer/10.0.0.1"},
		{"GET", "/v1/./check/writer/10.0.0.1"},
		{"POST", "/v1/check/writer/10.0.0.1"},
		{"DELETE", "/v1/check/writer/10.0.0.1"},
		{"PUT", "/v1/check/"},
		{"PATCH", "/v1/check"},
		{"POST", "/v1/check/../reload"},
		{"CONNECT", "/v1/check/writer/10.0.0.1"},
		{"BREW", "/v1/check/ok/10.0.0.1"},
	}
	for _, c := range cases {
		status, state, body := balancerAsks(t, reloads, c.method, c.url)
		if status != http.StatusServiceUnavailable || state != "DOWN" || !strings.HasPrefix(body, "DOWN ask GET ") {
			t.Errorf("%s %s: %d %s %q", c.method, c.url, status, state, body)
		}
	}
}

func TestStaleDataIsNoUnlessTheOperatorSaidOtherwise(t *testing.T) {
	old := &publishtest.Source{ViewFunc: func() *mpp.View { return publishtest.View(time.Now().Add(-time.Minute)) }}
	if status, state, body := balancerAsks(t, old, "GET", "/v1/check/writer/10.0.0.1:3306"); status != 503 || state != "DOWN" {
		t.Errorf("when_stale = down: %d %s %q", status, state, body)
	}
	if status, state, body := balancerAsks(t, old, "GET", "/v1/check/writer/[2001:db8::1]:3306"); status != 200 || state != "WRITER" {
		t.Errorf("when_stale = last_known: %d %s %q", status, state, body)
	}
}

func TestDataFromTheFutureIsStale(t *testing.T) {
	ahead := &publishtest.Source{ViewFunc: func() *mpp.View { return publishtest.View(time.Now().Add(time.Hour).Round(0)) }}
	if status, _, body := balancerAsks(t, ahead, "GET", "/v1/check/writer/10.0.0.1:3306"); status != 503 {
		t.Errorf("the clock was set back an hour: %d %q", status, body)
	}
}

func TestBeforeTheFirstViewEveryAnswerIsNo(t *testing.T) {
	starting := &publishtest.Source{ViewFunc: func() *mpp.View { return nil }}
	if status, state, _ := balancerAsks(t, starting, "GET", "/v1/check/writer/10.0.0.1:3306"); status != 503 || state != "DOWN" {
		t.Errorf("%d %s", status, state)
	}
}

func TestANodeThatIsNotUniqueNeedsItsPort(t *testing.T) {
	twins := &publishtest.Source{ViewFunc: func() *mpp.View {
		v := publishtest.View(time.Now())
		v.Pools[1].Nodes[0].Address = "10.0.0.1:3307"
		return v
	}}
	for url, want := range map[string]int{"10.0.0.1": 503, "10.0.0.1:3307": 200, "10.0.0.1?pool=db2": 200} {
		if status, _, body := balancerAsks(t, twins, "GET", "/v1/check/writer/"+url); status != want {
			t.Errorf("%s: %d %q, want %d", url, status, body, want)
		}
	}
}

func TestAnswerIsOneLineWhateverTheServerSaid(t *testing.T) {
	src := &publishtest.Source{ViewFunc: func() *mpp.View {
		v := publishtest.View(time.Now())
		v.Pools[0].Nodes[2].EvaluationReason = "error:\nUP\r\n\x1b[31m" + string(make([]byte, 2000)) + "\xff"
		return v
	}}
	_, _, body := balancerAsks(t, src, "GET", "/v1/check/ok/10.0.0.3:3306")
	if want := "DOWN error: UP   [31m\n"; len(body) > 500 || body[:len(want)-1] != want[:len(want)-1] {
		t.Errorf("%q", body)
	}
	for i := range len(body) - 1 {
		if body[i] < ' ' {
			t.Fatalf("control character in %q", body)
		}
	}
}
