// Package publishtest holds what the tests of the publish packages share: a view with every
// kind of node, and a Source made of functions. Only tests import it.
package publishtest

import (
	"context"
	"io"
	"time"

	"mpp"
)

// Addresses of the view's nodes, in order: the ACTIVE one of pool db1, a STANDBY one, one
// that is FAIL (OFFLINE), one that was never polled, and the only node of pool db2, over
// IPv6, which is ACTIVE.
const (
	Active   = "10.0.0.1:3306"
	Standby  = "10.0.0.2:3306"
	Dead     = "10.0.0.3:3306"
	Unpolled = "db4.example.com:3307"
	V6       = "[2001:db8::1]:3306"
)

// View returns a view of two pools, polled at now.
func View(now time.Time) *mpp.View {
	return &mpp.View{
		At: now, Version: mpp.Version, Started: now.Add(-time.Hour), Ready: true, Config: "/etc/mpp/mpp.toml",
		Pools: []mpp.PoolView{db1(now), db2(now)},
	}
}

func db1(now time.Time) mpp.PoolView {
	return mpp.PoolView{
		Name: "db1", Logic: mpp.LogicFailover, Engine: mpp.EngineNone, Readers: mpp.ReadersStandby, Active: Active, Ready: true,
		StaleAfter: 5 * time.Second, WhenStale: mpp.StaleDown, Interval: time.Second,
		Message:  "10.0.0.3:3306 is out",
		Problems: []mpp.Problem{{Code: "node-out", Severity: mpp.Critical, Node: Dead, Text: "10.0.0.3:3306 is out"}},
		Nodes: []mpp.NodeView{
			{
				Address: Active, Pool: "db1", Type: mpp.Primary, State: mpp.Active, Evaluation: mpp.ReadWrite,
				EvaluationReason: "ACTIVE", Since: now.Add(-time.Minute), LastPoll: now, Took: 2 * time.Millisecond,
				Lane: mpp.LaneNormal, Observation: observation(Active, now),
			},
			{
				Address: Standby, Name: "paris", Pool: "db1", Type: mpp.Secondary, State: mpp.Standby, Evaluation: mpp.ReadOnly,
				EvaluationReason: "STANDBY", Reader: true, Status: mpp.Info, Since: now.Add(-time.Minute), LastPoll: now,
				Took: 3 * time.Millisecond, Message: "7s behind", Lane: mpp.LaneNormal, Observation: replica(now),
			},
			{
				Address: Dead, Pool: "db1", Type: mpp.Secondary, State: mpp.Failed, Reason: mpp.Offline, Status: mpp.Fail,
				Errors: 9, Evaluation: mpp.Down, EvaluationReason: "FAIL (OFFLINE): connection refused", Since: now.Add(-time.Minute),
				LastPoll: now, Message: "connection refused", Lane: mpp.LaneSlow, Rule: "fail-reach", Evidence: "4 polls failed",
				Observation: refused(now),
			},
			{
				Address: Unpolled, Pool: "db1", Type: mpp.Secondary, State: mpp.Unknown, Evaluation: mpp.Down,
				EvaluationReason: "not judged yet", Lane: mpp.LaneNormal, NoPromote: true,
			},
		},
		Checkpoints: []mpp.CheckpointView{{Name: "gw", Ring: mpp.Edge, Kind: "icmp", Address: "10.0.0.254", LastTry: now}},
	}
}

func db2(now time.Time) mpp.PoolView {
	return mpp.PoolView{
		Name: "db2", Logic: mpp.LogicFailover, Engine: mpp.EngineNone, Readers: mpp.ReadersStandbyElseActive, Active: V6, Ready: true,
		StaleAfter: 5 * time.Second, WhenStale: mpp.StaleLastKnown, Interval: time.Second,
		Maintenance: mpp.Maintenance{On: true, Since: now, Until: now.Add(time.Hour), Reason: "upgrade", By: "root"},
		Nodes: []mpp.NodeView{{
			Address: V6, Pool: "db2", Type: mpp.Primary, State: mpp.Active, Evaluation: mpp.ReadWrite, EvaluationReason: "ACTIVE",
			Reader: true, Since: now.Add(-time.Hour), LastPoll: now, Took: time.Millisecond, Lane: mpp.LaneNormal,
			Observation: observation(V6, now),
		}},
	}
}

func observation(node string, now time.Time) *mpp.Observation {
	return &mpp.Observation{
		Node: node, At: now, Took: 2 * time.Millisecond, Answered: true,
		Server: mpp.Server{Flavour: "mariadb", Version: "10.11.6-MariaDB", ID: 1, GTID: "0-1-99", StartedAt: now.Add(-time.Hour)},
		Checks: []mpp.CheckResult{{Name: "connect", Class: mpp.Reach, Took: time.Millisecond}, {Name: "query", Class: mpp.Reach, At: now}},
	}
}

func refused(now time.Time) *mpp.Observation {
	return &mpp.Observation{
		Node: Dead, At: now, Took: time.Millisecond,
		Checks: []mpp.CheckResult{{Name: "connect", Class: mpp.Reach, Status: mpp.Fail, Took: time.Millisecond, Message: "connection refused"}},
	}
}

func replica(now time.Time) *mpp.Observation {
	o := observation(Standby, now)
	o.Lag, o.LagKnown = 7*time.Second, true
	o.Server.ReadOnly = true
	o.Channels = []mpp.Channel{{SourceHost: "10.0.0.1", SourcePort: 3306, SourceID: 1, IO: "Yes", SQL: "Yes", Lag: o.Lag, LagKnown: true}}
	o.Checks = append(o.Checks, mpp.CheckResult{Name: "lag", Class: mpp.Replica, Status: mpp.Info, Kind: mpp.KindLag, Message: "7s behind"})
	return o
}

// Source is a source made of functions. A nil function gives an empty answer.
type Source struct {
	ViewFunc      func() *mpp.View
	ExplainFunc   func(pool string) (mpp.Explanation, bool)
	EventsFunc    func(after uint64, limit int) []mpp.Event
	SubscribeFunc func(after uint64) (<-chan mpp.Event, func())
	DoFunc        func(ctx context.Context, pool string, c mpp.Command) (mpp.Result, error)
	CheckNowFunc  func(ctx context.Context, node string) (mpp.Observation, error)
	RecordFunc    func(ctx context.Context, from time.Time, w io.Writer) error
	ReloadFunc    func(ctx context.Context) error

	OperationsFunc func(pool string, limit int) ([]mpp.Operation, error)
	OperationFunc  func(pool string, id uint64) (mpp.Operation, bool)
	ReadinessFunc  func(pool string) (mpp.Readiness, bool)
	StatementsFunc func(op mpp.Operation) [][]string
	DoctorFunc     func(ctx context.Context, pool string) (mpp.Diagnosis, error)
}

// View calls ViewFunc; without one it is View of the present time.
func (s *Source) View() *mpp.View {
	if s.ViewFunc == nil {
		return View(time.Now())
	}
	return s.ViewFunc()
}

// Explain calls ExplainFunc.
func (s *Source) Explain(pool string) (mpp.Explanation, bool) {
	if s.ExplainFunc == nil {
		return mpp.Explanation{}, false
	}
	return s.ExplainFunc(pool)
}

// Events calls EventsFunc.
func (s *Source) Events(after uint64, limit int) []mpp.Event {
	if s.EventsFunc == nil {
		return nil
	}
	return s.EventsFunc(after, limit)
}

// Subscribe calls SubscribeFunc; without one no event ever comes.
func (s *Source) Subscribe(after uint64) (<-chan mpp.Event, func()) {
	if s.SubscribeFunc == nil {
		return make(chan mpp.Event), func() {}
	}
	return s.SubscribeFunc(after)
}

// Do calls DoFunc.
func (s *Source) Do(ctx context.Context, pool string, c mpp.Command) (mpp.Result, error) {
	if s.DoFunc == nil {
		return mpp.Result{}, nil
	}
	return s.DoFunc(ctx, pool, c)
}

// CheckNow calls CheckNowFunc.
func (s *Source) CheckNow(ctx context.Context, node string) (mpp.Observation, error) {
	if s.CheckNowFunc == nil {
		return mpp.Observation{}, nil
	}
	return s.CheckNowFunc(ctx, node)
}

// Record calls RecordFunc.
func (s *Source) Record(ctx context.Context, from time.Time, w io.Writer) error {
	if s.RecordFunc == nil {
		return nil
	}
	return s.RecordFunc(ctx, from, w)
}

// Reload calls ReloadFunc.
func (s *Source) Reload(ctx context.Context) error {
	if s.ReloadFunc == nil {
		return nil
	}
	return s.ReloadFunc(ctx)
}

// Operations calls OperationsFunc.
func (s *Source) Operations(pool string, limit int) ([]mpp.Operation, error) {
	if s.OperationsFunc == nil {
		return nil, nil
	}
	return s.OperationsFunc(pool, limit)
}

// Operation calls OperationFunc.
func (s *Source) Operation(pool string, id uint64) (mpp.Operation, bool) {
	if s.OperationFunc == nil {
		return mpp.Operation{}, false
	}
	return s.OperationFunc(pool, id)
}

// Readiness calls ReadinessFunc.
func (s *Source) Readiness(pool string) (mpp.Readiness, bool) {
	if s.ReadinessFunc == nil {
		return mpp.Readiness{}, false
	}
	return s.ReadinessFunc(pool)
}

// Statements calls StatementsFunc.
func (s *Source) Statements(op mpp.Operation) [][]string {
	if s.StatementsFunc == nil {
		return nil
	}
	return s.StatementsFunc(op)
}

// Doctor calls DoctorFunc.
func (s *Source) Doctor(ctx context.Context, pool string) (mpp.Diagnosis, error) {
	if s.DoctorFunc == nil {
		return mpp.Diagnosis{}, nil
	}
	return s.DoctorFunc(ctx, pool)
}
