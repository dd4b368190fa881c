package api

import (
	"context"
	"encoding/json"
	"net/http"
	"net/http/httptest"
	"path"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/publish/publishtest"
)

func TestNonsenseCommandsNeverReachTheDaemon(t *testing.T) {
	src := &publishtest.Source{DoFunc: func(context.Context, string, mpp.Command) (mpp.Result, error) {
		t.Error("the daemon was asked")
		return mpp.Result{}, nil
	}}
	cases := map[string]struct {
		body   string
		status int
		says   string
	}{
		"empty":            {"", 400, "empty"},
		"no JSON":          {"recover", 400, "decode body"},
		"unknown field":    {`{"verb":"recover","nodes":"10.0.0.1"}`, 400, `unknown field \"nodes\"`},
		"two values":       {`{"verb":"recover"}{}`, 400, "more after"},
		"no verb":          {`{"node":"10.0.0.1"}`, 400, "verb"},
		"unknown verb":     {`{"verb":"reboot"}`, 400, "reboot"},
		"node missing":     {`{"verb":"promote"}`, 400, "needs a node"},
		"node too many":    {`{"verb":"activate-primary","node":"10.0.0.2"}`, 400, "takes no node"},
		"wrong argument":   {`{"verb":"recover","maintenance":{"on":true}}`, 400, "maintenance only"},
		"other's force":    {`{"verb":"promote","node":"10.0.0.2","force":true}`, 400, "recover only"},
		"other's number":   {`{"verb":"switchover","operation":3}`, 400, "acknowledge only"},
		"other's option":   {`{"verb":"recover","options":{"clone":true}}`, 400, `does not take the option \"clone\"`},
		"other's option 2": {`{"verb":"failover","options":{"kill_after_ns":1}}`, 400, "kill_after_ns"},
		"other's option 3": {`{"verb":"switchover","options":{"accept_loss":true}}`, 400, "accept_loss"},
		"unknown option":   {`{"verb":"switchover","options":{"wait":1}}`, 400, `unknown field \"wait\"`},
		"below zero":       {`{"verb":"switchover","options":{"wait_ns":-1}}`, 400, "below zero"},
		"rejoin nobody":    {`{"verb":"rejoin"}`, 400, "needs a node"},
		"acknowledge node": {`{"verb":"acknowledge","node":"10.0.0.2"}`, 400, "takes no node"},
		"unknown node":     {`{"verb":"recover","node":"10.9.9.9"}`, 404, "10.9.9.9"},
		"other pool's":     {`{"verb":"recover","node":"[2001:db8::1]:3306"}`, 404, "unknown node"},
		"not even address": {`{"verb":"recover","node":"a b"}`, 404, "no address"},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			w := ask(t, asked{method: "POST", url: "/v1/pools/db1/commands", body: c.body, src: src})
			if w.Code != c.status || !strings.Contains(w.Body.String(), c.says) {
				t.Errorf("%d %s, want %d and %q", w.Code, w.Body, c.status, c.says)
			}
		})
	}
}

func TestCommandReachesTheDaemonWithTheNodesNameAndWhoAsked(t *testing.T) {
	var got mpp.Command
	src := &publishtest.Source{DoFunc: func(_ context.Context, pool string, c mpp.Command) (mpp.Result, error) {
		got = c
		return mpp.Result{Done: true, Changes: []string{pool}}, nil
	}}
	w := ask(t, asked{method: "POST", url: "/v1/pools/db1/commands", src: src, body: `{"verb":"maintenance","node":"::ffff:10.0.0.2","by":"ann\n","maintenance":{"on":true,"reason":"disk\nswap"}}`})
	want := mpp.Command{
		Verb: mpp.VerbMaintenance, Node: "10.0.0.2:3306", By: "192.0.2.1 for ann",
		Maintenance: mpp.Maintenance{On: true, Reason: "disk swap"},
	}
	if diff := cmp.Diff(want, got); diff != "" || w.Code != 200 {
		t.Errorf("status %d, command (-want +got):\n%s", w.Code, diff)
	}
}

func TestOverTCPOnlyTheTokenMayChangeSomething(t *testing.T) {
	reloads := 0
	src := &publishtest.Source{ReloadFunc: func(context.Context) error { reloads++; return nil }}
	for header, want := range map[string]int{
		"": 401, "s3cret": 401, "Basic s3cret": 401, "Bearer": 401, "Bearer ": 401, "Bearer wrong": 401, "Bearer s3cret ": 200,
		"bearer s3cret": 200, "Bearer s3cretx": 401,
	} {
		s := newServer(t, src)
		r := httptest.NewRequest("POST", "/v1/reload", nil)
		if header != "" {
			r.Header.Set("Authorization", header)
		}
		w := httptest.NewRecorder()
		s.overTCP(s.mux).ServeHTTP(w, r)
		if w.Code != want {
			t.Errorf("%q: %d, want %d", header, w.Code, want)
		}
		if strings.Contains(w.Body.String(), "s3cret") {
			t.Errorf("the answer holds the token: %s", w.Body)
		}
	}
	if reloads != 2 {
		t.Errorf("%d reloads, want 2", reloads)
	}
}

func TestEventsAreSelected(t *testing.T) {
	cases := map[string][]uint64{
		"": {1, 2, 3, 4, 5}, "?after=3": {4, 5}, "?limit=2": {4, 5}, "?limit=0": {1, 2, 3, 4, 5}, "?after=9": {},
		"?node=10.0.0.3:3306": {2, 4}, "?node=10.0.0.3:3306&limit=1": {4}, "?pool=db2": {},
		"?since=1970-01-01T00:16:44Z": {4, 5}, "?after=1&limit=2&pool=db1": {4, 5},
	}
	for query, want := range cases {
		w := ask(t, asked{method: "GET", url: "/v1/events" + query})
		var list EventList
		if err := json.Unmarshal(w.Body.Bytes(), &list); err != nil {
			t.Fatal(err)
		}
		got := []uint64{}
		for _, e := range list.Events {
			got = append(got, e.Seq)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%s (-want +got):\n%s", query, diff)
		}
	}
}

func TestEventQueriesThatMakeNoSenseAreRefused(t *testing.T) {
	for _, query := range []string{"?after=-1", "?after=x", "?limit=-1", "?limit=x", "?since=now", "?limit=%zz", "?a;b"} {
		if w := ask(t, asked{method: "GET", url: "/v1/events" + query}); w.Code != 400 {
			t.Errorf("%s: %d", query, w.Code)
		}
	}
}

func TestWrongPathsAndMethodsAreSaidInJSON(t *testing.T) {
	for request, want := range map[string]int{
		"GET /": 404, "GET /v2/pools": 404, "POST /v1/pools": 405, "GET /v1/reload": 405, "DELETE /v1/pools/db1": 405,
		"PUT /v1/nodes/10.0.0.1": 405, "GET /v1/pools/db1/commands": 405,
	} {
		method, url, _ := strings.Cut(request, " ")
		w := ask(t, asked{method: method, url: url})
		var p Problem
		if err := json.Unmarshal(w.Body.Bytes(), &p); err != nil || p.Error == "" || p.Hint == "" || w.Code != want {
			t.Errorf("%s: %d %s (%v), want %d", request, w.Code, w.Body, err, want)
		}
	}
}

func TestTheNumberOfStreamsIsBounded(t *testing.T) {
	s := newServer(t, wellSource())
	for range maxStreams {
		s.streams <- struct{}{}
	}
	w := httptest.NewRecorder()
	s.mux.ServeHTTP(w, httptest.NewRequest("GET", "/v1/events?stream=1", nil))
	if w.Code != http.StatusServiceUnavailable {
		t.Errorf("stream %d was opened: %d", maxStreams+1, w.Code)
	}
}

func FuzzCommandBody(f *testing.F) {
	for _, seed := range []string{`{"verb":"recover","node":"10.0.0.3"}`, `{"verb":"maintenance","maintenance":{"on":true,"until":"2026-01-01T00:00:00Z"}}`, `{"verb":"switchover","node":"10.0.0.2","options":{"wait_ns":1,"dry_run":true}}`, `{`, `[]`, "\x00"} {
		f.Add([]byte(seed))
	}
	s := newServer(f, &publishtest.Source{DoFunc: func(_ context.Context, pool string, c mpp.Command) (mpp.Result, error) {
		if pool != "db1" || c.Verb == "" || strings.ContainsAny(c.By+c.Maintenance.Reason, "\r\n\x00") {
			panic("a command that makes no sense reached the daemon")
		}
		return mpp.Result{Done: true}, nil
	}})
	f.Fuzz(func(t *testing.T, body []byte) {
		w := httptest.NewRecorder()
		guarded(s.mux).ServeHTTP(w, httptest.NewRequest("POST", "/v1/pools/db1/commands", strings.NewReader(string(body))))
		if w.Code != 200 && w.Code != 400 && w.Code != 404 && w.Code != 413 {
			t.Errorf("status %d", w.Code)
		}
		if !json.Valid(w.Body.Bytes()) {
			t.Errorf("no JSON: %q", w.Body)
		}
	})
}

func FuzzPath(f *testing.F) {
	for _, seed := range []string{"/v1/check/writer/10.0.0.1:3306", "/v1/check/ok/[::1]:1?pool=x", "/v1/nodes/%2e%2e", "/v1/events?after=1&since=x", "//", "/v1/check/%"} {
		f.Add("GET", seed)
	}
	f.Add("OPTIONS", "/v1/check/reader/::ffff:10.0.0.2")
	f.Add("GET", "/v1/check/writer/../../pools")
	f.Add("DELETE", "/v1/check/ok/%2e%2e")
	now := time.Now()
	s := newServer(f, &publishtest.Source{ViewFunc: func() *mpp.View { return publishtest.View(now) }})
	f.Fuzz(func(t *testing.T, method, target string) {
		r, err := http.NewRequest(method, "http://mppd"+target, nil)
		if err != nil || !strings.HasPrefix(target, "/") || strings.Contains(target, "stream") {
			return
		}
		r.RemoteAddr = "192.0.2.1:1"
		w := httptest.NewRecorder()
		guarded(s.overTCP(s.mux)).ServeHTTP(w, r)
		balancer := strings.HasPrefix(r.URL.Path, checkPath+"/") || strings.HasPrefix(path.Clean(r.URL.Path), checkPath+"/")
		if balancer && w.Code != 200 && w.Code != 503 {
			t.Errorf("a balancer got %d", w.Code)
		}
	})
}
