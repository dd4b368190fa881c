package api

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"strings"
	"time"

	"mpp"
	"mpp/publish/publishtest"
)

// wellSource answers everything.
func wellSource() *publishtest.Source {
	now := time.Now()
	return &publishtest.Source{
		ViewFunc: func() *mpp.View { return publishtest.WithEngine(now) },
		ExplainFunc: func(pool string) (mpp.Explanation, bool) {
			return mpp.Explanation{Pool: pool, At: now, Summary: "well", Nodes: []mpp.NodeExplanation{
				{Address: publishtest.Active, Type: mpp.Primary, State: mpp.Active, Why: "PRIMARY", Now: "OK", Next: "4 failed polls"},
			}, Readiness: &mpp.Readiness{Pool: pool, At: now}}, true
		},
		ReadinessFunc: func(pool string) (mpp.Readiness, bool) { return publishtest.Readiness(now), pool == "db3" },
		OperationsFunc: func(string, int) ([]mpp.Operation, error) {
			return []mpp.Operation{publishtest.Failover(now), {ID: 2, Kind: mpp.OpRejoin, Ended: now}}, nil
		},
		OperationFunc: func(_ string, id uint64) (mpp.Operation, bool) {
			return publishtest.Failover(now), id == 3
		},
		StatementsFunc: func(mpp.Operation) [][]string { return [][]string{{"STOP SLAVE IO_THREAD"}, nil} },
		DoctorFunc:     func(context.Context, string) (mpp.Diagnosis, error) { return publishtest.Diagnosis(now), nil },
		EventsFunc:     func(after uint64, limit int) []mpp.Event { return numbered(after, limit) },
		DoFunc: func(context.Context, string, mpp.Command) (mpp.Result, error) {
			return mpp.Result{Done: true, Changes: []string{"FAIL -> UNKNOWN"}}, nil
		},
		CheckNowFunc: func(_ context.Context, node string) (mpp.Observation, error) {
			return mpp.Observation{Node: node, At: now}, nil
		},
		RecordFunc: func(_ context.Context, _ time.Time, w io.Writer) error {
			_, err := io.WriteString(w, "{\"at\":1}\n")
			return err
		},
	}
}

// numbered are the events 1 to 5, in turn of two nodes.
func numbered(after uint64, limit int) []mpp.Event {
	var list []mpp.Event
	for seq := after + 1; seq <= 5; seq++ {
		node := publishtest.Active
		if seq%2 == 0 {
			node = publishtest.Dead
		}
		list = append(list, mpp.Event{
			Seq: seq, At: time.Unix(int64(1000+seq), 0), Kind: mpp.EventState, Pool: "db1", Node: node,
			From: "STANDBY", To: "ACTIVE", Rule: "promote", Text: fmt.Sprint("event ", seq),
		})
	}
	if limit > 0 && len(list) > limit {
		list = list[len(list)-limit:]
	}
	return list
}

// everyAnswer has at least one request for every status of every route in the document.
func everyAnswer() []asked {
	starting := &publishtest.Source{ViewFunc: func() *mpp.View { return nil }}
	unready := &publishtest.Source{ViewFunc: func() *mpp.View { return &mpp.View{} }}
	stuck := wellSource()
	stuck.DoFunc = func(context.Context, string, mpp.Command) (mpp.Result, error) {
		return mpp.Result{}, fmt.Errorf("ask loop: %w", context.DeadlineExceeded)
	}
	stuck.CheckNowFunc = func(context.Context, string) (mpp.Observation, error) {
		return mpp.Observation{}, context.DeadlineExceeded
	}
	stuck.ReloadFunc = func(context.Context) error { return context.DeadlineExceeded }
	stuck.RecordFunc = func(context.Context, time.Time, io.Writer) error { return errors.New("the ring is gone") }
	refusing := wellSource()
	refusing.DoFunc = func(context.Context, string, mpp.Command) (mpp.Result, error) { return mpp.Result{Refused: "no"}, nil }
	refusing.ReloadFunc = func(context.Context) error {
		return errors.New("mpp.toml:3: pools: unknown key\nmpp.toml:4: two PRIMARY")
	}

	list := []asked{
		{method: "GET", url: "/v1/pools", route: "/v1/pools", status: 200},
		{method: "GET", url: "/v1/pools", route: "/v1/pools", status: 200, src: unready},
		{method: "GET", url: "/v1/pools/db2", route: "/v1/pools/{pool}", status: 200},
		{method: "GET", url: "/v1/pools/db9", route: "/v1/pools/{pool}", status: 404},
		{method: "GET", url: "/v1/pools/db1/explain", route: "/v1/pools/{pool}/explain", status: 200},
		{method: "GET", url: "/v1/pools/db9/explain", route: "/v1/pools/{pool}/explain", status: 404},
		{method: "GET", url: "/v1/nodes", route: "/v1/nodes", status: 200},
		{method: "GET", url: "/v1/nodes/10.0.0.1", route: "/v1/nodes/{node}", status: 200},
		{method: "GET", url: "/v1/nodes/10.9.9.9", route: "/v1/nodes/{node}", status: 404},
		{method: "GET", url: "/v1/events", route: "/v1/events", status: 200},
		{method: "GET", url: "/v1/events?after=x", route: "/v1/events", status: 400},
		{method: "GET", url: "/v1/record", route: "/v1/record", status: 200},
		{method: "GET", url: "/v1/record?from=yesterday", route: "/v1/record", status: 400},
		{method: "GET", url: "/v1/record", route: "/v1/record", status: 503, src: stuck},
		{method: "GET", url: "/v1/openapi.json", route: "/v1/openapi.json", status: 200},
		{method: "GET", url: "/-/healthy", route: "/-/healthy", status: 200, src: starting},
		{method: "GET", url: "/-/ready", route: "/-/ready", status: 200},
		{method: "GET", url: "/-/ready", route: "/-/ready", status: 503, src: unready},
		{method: "GET", url: "/metrics", route: "/metrics", status: 200},
	}
	for _, path := range []string{
		"/v1/pools", "/v1/pools/{pool}", "/v1/pools/{pool}/explain", "/v1/pools/{pool}/readiness",
		"/v1/pools/{pool}/operations", "/v1/pools/{pool}/operations/{id}", "/v1/nodes", "/v1/nodes/{node}",
	} {
		list = append(list, asked{method: "GET", url: concrete(path), route: path, status: 503, src: starting})
	}
	for _, method := range []string{"GET", "HEAD", "OPTIONS"} {
		route := "/v1/check/{role}/{node}"
		list = append(list,
			asked{method: method, url: "/v1/check/writer/10.0.0.1", route: route, status: 200},
			asked{method: method, url: "/v1/check/writer/10.0.0.2", route: route, status: 503})
	}
	list = append(list, everyOperation()...)
	return append(list, everyPost(starting, stuck, refusing)...)
}

// everyOperation asks about what a pool with an engine does.
func everyOperation() []asked {
	const ready, all, one = "/v1/pools/{pool}/readiness", "/v1/pools/{pool}/operations", "/v1/pools/{pool}/operations/{id}"
	const doctor, commands = "/v1/pools/{pool}/doctor", "/v1/pools/{pool}/commands"
	dry := wellSource()
	dry.DoFunc = func(context.Context, string, mpp.Command) (mpp.Result, error) {
		plan := publishtest.Failover(time.Now())
		return mpp.Result{Done: true, Plan: &plan}, nil
	}
	never := wellSource()
	never.DoctorFunc = func(context.Context, string) (mpp.Diagnosis, error) { return mpp.Diagnosis{}, context.DeadlineExceeded }
	starting := &publishtest.Source{ViewFunc: func() *mpp.View { return nil }}
	return []asked{
		{method: "GET", url: "/v1/pools/db3/readiness", route: ready, status: 200},
		{method: "GET", url: "/v1/pools/db1/readiness", route: ready, status: 404},
		{method: "GET", url: "/v1/pools/db3/operations", route: all, status: 200},
		{method: "GET", url: "/v1/pools/db3/operations?limit=1", route: all, status: 200},
		{method: "GET", url: "/v1/pools/db3/operations?limit=-1", route: all, status: 400},
		{method: "GET", url: "/v1/pools/db9/operations", route: all, status: 404},
		{method: "GET", url: "/v1/pools/db3/operations/3", route: one, status: 200},
		{method: "GET", url: "/v1/pools/db3/operations/4", route: one, status: 200},
		{method: "GET", url: "/v1/pools/db3/operations/5", route: one, status: 200},
		{method: "GET", url: "/v1/pools/db3/operations/99", route: one, status: 404},
		{method: "GET", url: "/v1/pools/db3/operations/last", route: one, status: 404},
		{method: "POST", url: "/v1/pools/db3/commands", route: commands, status: 200, src: dry, body: `{"verb":"switchover","options":{"dry_run":true}}`},
		{method: "POST", url: "/v1/pools/db3/doctor", route: doctor, status: 200},
		{method: "POST", url: "/v1/pools/db1/doctor", route: doctor, status: 409},
		{method: "POST", url: "/v1/pools/db9/doctor", route: doctor, status: 404},
		{method: "POST", url: "/v1/pools/db3/doctor", route: doctor, status: 503, src: starting},
		{method: "POST", url: "/v1/pools/db3/doctor", route: doctor, status: 504, src: never},
		{method: "POST", url: "/v1/pools/db3/doctor", route: doctor, status: http.StatusForbidden},
		{method: "POST", url: "/v1/pools/db3/doctor", route: doctor, status: 401, noToken: true},
	}
}

func concrete(path string) string {
	return strings.NewReplacer("{pool}", "db1", "{node}", publishtest.Active, "{id}", "3").Replace(path)
}

func everyPost(starting, stuck, refusing *publishtest.Source) []asked {
	const commands, check, reload = "/v1/pools/{pool}/commands", "/v1/nodes/{node}/check", "/v1/reload"
	const body = `{"verb":"recover","node":"10.0.0.3"}`
	list := []asked{
		{method: "POST", url: "/v1/pools/db1/commands", route: commands, body: `{}`, status: 400},
		{method: "POST", url: "/v1/pools/db9/commands", route: commands, body: body, status: 404},
		{method: "POST", url: "/v1/pools/db1/commands", route: commands, body: body, status: 409, src: refusing},
		{method: "POST", url: "/v1/pools/db1/commands", route: commands, body: strings.Repeat(" ", maxBody+1), status: 413},
		{method: "POST", url: "/v1/nodes/10.9.9.9/check", route: check, status: 404},
		{method: "POST", url: "/v1/reload", route: reload, status: 409, src: refusing},
	}
	for _, route := range []string{commands, check, reload} {
		a := asked{method: "POST", url: concrete(route), route: route}
		if route == commands {
			a.body = body
		}
		for status, src := range map[int]*publishtest.Source{200: nil, 503: starting, 504: stuck, http.StatusForbidden: nil} {
			a.status, a.src = status, src
			list = append(list, a)
		}
		a.status, a.src, a.noToken = 401, nil, true
		list = append(list, a)
	}
	return list
}
