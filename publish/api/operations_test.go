package api

import (
	"context"
	"encoding/json"
	"net/http"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/publish/publishtest"
)

// answered is the body of an answer of status 200.
func answered[T any](t *testing.T, a asked) T {
	t.Helper()
	a.status = http.StatusOK
	w := ask(t, a)
	var v T
	if err := json.Unmarshal(w.Body.Bytes(), &v); err != nil || w.Code != a.status {
		t.Fatalf("%s %s: %d %s (%v)", a.method, a.url, w.Code, w.Body, err)
	}
	return v
}

func TestOperationsUnderWayComeFirstAndTheLimitHolds(t *testing.T) {
	for query, want := range map[string][]uint64{"": {5, 4, 3, 2}, "?limit=0": {5, 4, 3, 2}, "?limit=3": {5, 4, 3}, "?limit=1": {5}} {
		list := answered[OperationList](t, asked{method: "GET", url: "/v1/pools/db3/operations" + query})
		var got []uint64
		for _, o := range list.Operations {
			got = append(got, o.ID)
		}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("%q (-want +got):\n%s", query, diff)
		}
	}
}

func TestOperationThatHasEndedIsNotShownAsUnderWayByAnOldView(t *testing.T) {
	now := time.Now()
	ended := mpp.Operation{ID: 4, Pool: "db3", Kind: mpp.OpSwitchover, Outcome: mpp.Completed, Ended: now}
	src := wellSource()
	src.OperationFunc = func(_ string, id uint64) (mpp.Operation, bool) { return ended, id == 4 }
	if got := answered[mpp.Operation](t, asked{method: "GET", url: "/v1/pools/db3/operations/4", src: src}); got.Outcome != mpp.Completed {
		t.Errorf("it is shown as under way: %+v", got)
	}
	view := publishtest.WithEngine(now)
	view.Pools[2].Operation = &ended
	src.ViewFunc = func() *mpp.View { return view }
	src.OperationsFunc = func(string, int) ([]mpp.Operation, error) { return []mpp.Operation{ended}, nil }
	list := answered[OperationList](t, asked{method: "GET", url: "/v1/pools/db3/operations", src: src})
	if len(list.Operations) != 2 || list.Operations[1].ID != 4 {
		t.Errorf("it is listed twice: %+v", list.Operations)
	}
	late := ended
	late.Ended, late.Outcome = time.Time{}, ""
	view.Pools[2].Operation = &late
	src.OperationsFunc = func(string, int) ([]mpp.Operation, error) { return []mpp.Operation{late, ended}, nil }
	list = answered[OperationList](t, asked{method: "GET", url: "/v1/pools/db3/operations", src: src})
	if len(list.Operations) != 2 || list.Operations[1].Outcome != mpp.Completed {
		t.Errorf("with an old view: %+v", list.Operations)
	}
}

func TestDryRunHasAListOfStatementsForEachStep(t *testing.T) {
	src := wellSource()
	src.DoFunc = func(_ context.Context, _ string, c mpp.Command) (mpp.Result, error) {
		plan := mpp.Operation{Kind: mpp.OpSwitchover, Options: c.Options, Steps: []mpp.Step{{N: 1}, {N: 2}, {N: 3}}}
		return mpp.Result{Done: true, Plan: &plan}, nil
	}
	body := `{"verb":"switchover","node":"10.0.3.2","options":{"dry_run":true,"wait_ns":5}}`
	got := answered[mpp.Result](t, asked{method: "POST", url: "/v1/pools/db3/commands", src: src, body: body})
	if diff := cmp.Diff([][]string{{"STOP SLAVE IO_THREAD"}, {}, {}}, got.Statements); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff(mpp.OperationOptions{DryRun: true, Wait: 5}, got.Plan.Options); diff != "" {
		t.Error(diff)
	}
}

func TestVerbsOfAnEngineReachTheDaemonWithTheirOptions(t *testing.T) {
	cases := map[string]mpp.Command{
		`{"verb":"switchover","options":{"wait_ns":1,"kill_after_ns":2}}`:      {Verb: mpp.VerbSwitchover, Options: mpp.OperationOptions{Wait: 1, KillAfter: 2}},
		`{"verb":"failover","node":"10.0.3.2","options":{"accept_loss":true}}`: {Verb: mpp.VerbFailover, Node: publishtest.EngineStandby, Options: mpp.OperationOptions{AcceptLoss: true}},
		`{"verb":"rejoin","node":"10.0.3.1","options":{"clone":true}}`:         {Verb: mpp.VerbRejoin, Node: publishtest.EngineActive, Options: mpp.OperationOptions{Clone: true}},
		`{"verb":"acknowledge","operation":3}`:                                 {Verb: mpp.VerbAcknowledge, Operation: 3},
		`{"verb":"acknowledge"}`:                                               {Verb: mpp.VerbAcknowledge},
	}
	for body, want := range cases {
		src := wellSource()
		var got mpp.Command
		src.DoFunc = func(_ context.Context, _ string, c mpp.Command) (mpp.Result, error) {
			got = c
			return mpp.Result{Done: true, Operation: 7}, nil
		}
		r := answered[mpp.Result](t, asked{method: "POST", url: "/v1/pools/db3/commands", src: src, body: body})
		want.By = "192.0.2.1"
		if diff := cmp.Diff(want, got); diff != "" || r.Operation != 7 {
			t.Errorf("%s: operation %d, command (-want +got):\n%s", body, r.Operation, diff)
		}
	}
}

func TestTheNumberOfDiagnosesIsBounded(t *testing.T) {
	s := newServer(t, wellSource())
	for range maxDoctors {
		s.doctors <- struct{}{}
	}
	src := &publishtest.Source{DoctorFunc: func(context.Context, string) (mpp.Diagnosis, error) {
		t.Error("one more was begun")
		return mpp.Diagnosis{}, nil
	}, ViewFunc: wellSource().View}
	s.o.Source = src
	if w := askOf(s, asked{method: "POST", url: "/v1/pools/db3/doctor"}); w.Code != http.StatusServiceUnavailable {
		t.Errorf("%d %s", w.Code, w.Body)
	}
}
