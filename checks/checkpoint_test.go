package checks_test

import (
	"context"
	"errors"
	"net"
	"net/http"
	"net/http/httptest"
	"strings"
	"testing"
	"time"

	"mpp/checks"
)

// try tries a checkpoint and holds the promise of its time limit.
func try(t *testing.T, o checks.CheckpointOptions) (reached bool, message string) {
	t.Helper()
	if o.Limit == 0 {
		o.Limit = short
	}
	o.Name = "gateway"
	c, err := checks.NewCheckpoint(o)
	if err != nil {
		t.Fatal(err)
	}
	begin := time.Now()
	res := c.Try(t.Context())
	if took := time.Since(begin); took > o.Limit+slack {
		t.Errorf("a try with a limit of %s took %s", o.Limit, took)
	}
	if res.Name != "gateway" || res.At.Before(begin) || res.Took <= 0 || res.Reached != (res.Message == "") {
		t.Errorf("odd result %+v", res)
	}
	return res.Reached, res.Message
}

// reach fails the test unless a checkpoint is reached, or is not for the reason in message.
func reach(t *testing.T, o checks.CheckpointOptions, message string) {
	t.Helper()
	reached, got := try(t, o)
	if reached != (message == "") || !strings.Contains(got, message) {
		t.Errorf("%+v: reached %v, %q; want %q", o, reached, got, message)
	}
}

// closedPort returns an address where nothing listens.
func closedPort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

func TestTCPCheckpoint(t *testing.T) {
	f := (&fake{greet: []byte{}, hold: true}).start(t)
	reach(t, checks.CheckpointOptions{Kind: checks.CheckpointTCP, Address: f.l.Addr().String()}, "")
	reach(t, checks.CheckpointOptions{Kind: checks.CheckpointTCP, Address: closedPort(t)}, "refused")
}

func TestHTTPCheckpoint(t *testing.T) {
	s := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		switch r.URL.Path {
		case "/moved":
			http.Redirect(w, r, "/broken", http.StatusFound)
		case "/broken":
			w.WriteHeader(http.StatusInternalServerError)
		case "/never":
			<-r.Context().Done()
		}
	}))
	defer s.Close()
	at := func(path string, statuses ...int) checks.CheckpointOptions {
		return checks.CheckpointOptions{Kind: checks.CheckpointHTTP, Address: s.URL + path, Statuses: statuses}
	}
	reach(t, at("/"), "")
	reach(t, at("/moved"), "")
	reach(t, at("/broken"), "HTTP status 500")
	reach(t, at("/broken", 500, 503), "")
	reach(t, at("/", 204), "HTTP status 200; want one of [204]")
	reach(t, at("/never"), "no answer within 3")
	reach(t, checks.CheckpointOptions{Kind: checks.CheckpointHTTP, Address: "http://" + closedPort(t)}, "refused")
}

func TestMySQLCheckpointIsReachedByAnyAnswerOfAServer(t *testing.T) {
	at := func(f *fake) checks.CheckpointOptions {
		return checks.CheckpointOptions{Kind: checks.CheckpointMySQL, Address: f.start(t).l.Addr().String()}
	}
	reach(t, at(&fake{answer: mysql57(nil)}), "")
	reach(t, at(&fake{greet: framed(errorPacket(1129, "Host is blocked"))}), "")
	reach(t, at(&fake{greet: framed(greeting("8.0.36")), hold: true}), "")
	reach(t, at(&fake{greet: []byte{}, hold: true}), "no handshake came")
	reach(t, at(&fake{greet: []byte("220 mail.example ESMTP\r\n"), hold: true}), "does not speak the MySQL protocol")
	reach(t, checks.CheckpointOptions{Kind: checks.CheckpointMySQL, Address: closedPort(t)}, "refused")
}

func TestICMPCheckpoint(t *testing.T) {
	reached, message := try(t, checks.CheckpointOptions{Kind: checks.CheckpointICMP, Address: "127.0.0.1"})
	if !reached && message != checks.ErrPing.Error() {
		t.Errorf("127.0.0.1 is not reached: %s", message)
	}
	// Without the right to ping, that is what it must say; with it, that there is no way there.
	if reached, message := try(t, checks.CheckpointOptions{Kind: checks.CheckpointICMP, Address: "240.0.0.1"}); reached || message == "" {
		t.Errorf("an address that is nobody's: %v %q", reached, message)
	}
	reach(t, checks.CheckpointOptions{Kind: checks.CheckpointICMP, Address: "no-such-host.invalid"}, "no")
}

func TestCheckpointEndsWithItsContext(t *testing.T) {
	f := (&fake{greet: []byte{}, hold: true}).start(t)
	c, err := checks.NewCheckpoint(checks.CheckpointOptions{Kind: checks.CheckpointMySQL, Address: f.l.Addr().String(), Limit: time.Minute})
	if err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), short/3)
	defer cancel()
	begin := time.Now()
	if res := c.Try(ctx); res.Reached || time.Since(begin) > short+slack {
		t.Errorf("%+v after %s", res, time.Since(begin))
	}
}

func TestCheckpointThatCannotWorkIsRefused(t *testing.T) {
	for _, o := range []checks.CheckpointOptions{
		{Kind: checks.CheckpointTCP, Address: "10.0.0.1"},
		{Kind: "smtp", Address: "a:1"},
		{Kind: checks.CheckpointICMP},
		{Kind: checks.CheckpointHTTP, Address: "http://[::1"},
		{Kind: checks.CheckpointTCP, Address: "a:1", Limit: -1},
	} {
		if _, err := checks.NewCheckpoint(o); err == nil || errors.Is(err, context.Canceled) {
			t.Errorf("%+v: %v", o, err)
		}
	}
}
