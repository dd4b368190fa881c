package cli

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"net/http"
	"syscall"
	"testing"
	"time"

	"mpp"
	"mpp/journal"
	"mpp/pool"
	"mpp/publish/api/client"
	"mpp/state"
)

// fake is a Client of functions; a nil one answers client.ErrUnreachable.
type fake struct {
	view    func() (*mpp.View, error)
	explain func(pool string) (*mpp.Explanation, error)
	events  func(client.EventQuery) ([]mpp.Event, error)
	stream  func(context.Context, client.EventQuery, func(mpp.Event) error) error
	record  func(from time.Time) []journal.Line
	do      func(pool string, c mpp.Command) (mpp.Result, error)
	check   func(node string) (*mpp.Observation, error)
	reload  func() error

	operations func(pool string, limit int) ([]mpp.Operation, error)
	operation  func(pool string, id uint64) (*mpp.Operation, error)
	doctor     func(pool string) (*mpp.Diagnosis, error)
}

func (f *fake) View(context.Context) (*mpp.View, error) {
	if f.view == nil {
		return nil, client.ErrUnreachable
	}
	return f.view()
}

func (f *fake) Explain(_ context.Context, pool string) (*mpp.Explanation, error) {
	return f.explain(pool)
}

func (f *fake) Events(_ context.Context, q client.EventQuery) ([]mpp.Event, error) {
	return f.events(q)
}

func (f *fake) Stream(ctx context.Context, q client.EventQuery, each func(mpp.Event) error) error {
	return f.stream(ctx, q, each)
}

func (f *fake) Do(_ context.Context, pool string, c mpp.Command) (mpp.Result, error) {
	return f.do(pool, c)
}

func (f *fake) Check(_ context.Context, node string) (*mpp.Observation, error) { return f.check(node) }

func (f *fake) Record(_ context.Context, from time.Time) (io.ReadCloser, error) {
	var b bytes.Buffer
	for _, line := range f.record(from) {
		if err := json.NewEncoder(&b).Encode(line); err != nil {
			return nil, err
		}
	}
	return io.NopCloser(&b), nil
}

func (f *fake) Operations(_ context.Context, pool string, limit int) ([]mpp.Operation, error) {
	if f.operations == nil {
		return nil, nil
	}
	return f.operations(pool, limit)
}

func (f *fake) Operation(_ context.Context, pool string, id uint64) (*mpp.Operation, error) {
	if f.operation == nil {
		return nil, client.ErrNotFound
	}
	return f.operation(pool, id)
}

func (f *fake) Doctor(_ context.Context, pool string) (*mpp.Diagnosis, error) {
	return f.doctor(pool)
}

func (f *fake) Reload(context.Context) error { return f.reload() }

// zone is the local zone of all tests.
func zone() *time.Location { return time.FixedZone("CET", 3600) }

// moment is the fixed now of all tests: three at night.
func moment() time.Time { return time.Date(2026, 3, 1, 3, 0, 0, 0, zone()) }

// world is a daemon without a daemon: the real arbiters of a few pools, fed by hand.
type world struct {
	now    time.Time
	pools  []*pool.Arbiter
	names  []string
	seq    uint64
	events []mpp.Event
	inputs []mpp.Input
	// edits are the events of the next reload.
	edits []mpp.Event
	// spoil changes the view before it is shown.
	spoil func(*mpp.View)
}

func (w *world) add(p pool.Policy) {
	p.Engine, p.Ladder, p.Readers = mpp.EngineNone, state.DefaultLadder(), mpp.ReadersStandby
	p.Interval, p.StaleAfter, p.WhenStale = time.Second, 5*time.Second, mpp.StaleDown
	w.pools = append(w.pools, pool.New(p, mpp.PoolMemory{}))
	w.names = append(w.names, p.Name)
}

func (w *world) step(p int, at time.Time, in mpp.Input) mpp.Result {
	in.At, in.Pool = at, w.names[p]
	w.inputs = append(w.inputs, in)
	result := mpp.Result{}
	for _, a := range w.pools[p].Step(at, in) {
		if a.Kind == mpp.ActionEvent {
			w.seq++
			e := *a.Event
			e.Seq = w.seq
			w.events = append(w.events, e)
		}
		if a.Kind == mpp.ActionReply {
			result = *a.Result
		}
	}
	return result
}

// poll feeds an observation, made before now.
func (w *world) poll(p int, before time.Duration, o mpp.Observation) {
	o.At = w.now.Add(-before)
	for i := range o.Checks {
		if o.Checks[i].Name == "privilege" { // asked once a minute, and carried over
			o.Checks[i].At = o.At.Add(-40 * time.Second)
		}
	}
	w.step(p, o.At, mpp.Input{Observation: &o})
}

func (w *world) checkpoint(p int, before time.Duration, r mpp.CheckpointResult) {
	r.At = w.now.Add(-before)
	w.step(p, r.At, mpp.Input{Checkpoint: &r})
}

func (w *world) shown() *mpp.View {
	v := &mpp.View{
		At: w.now, Version: "0.1.0", Started: w.now.Add(-30 * time.Hour), Ready: true, Config: "/etc/mpp/mpp.toml",
		Pools: []mpp.PoolView{},
	}
	for _, a := range w.pools {
		v.Pools = append(v.Pools, a.View(w.now))
	}
	if w.spoil != nil {
		w.spoil(v)
	}
	return v
}

func (w *world) find(name string) int {
	for i := range w.names {
		if w.names[i] == name {
			return i
		}
	}
	return -1
}

// client is a Client that asks the world.
func (w *world) client() *fake {
	return &fake{
		view: func() (*mpp.View, error) { return w.shown(), nil },
		explain: func(name string) (*mpp.Explanation, error) {
			x := w.pools[w.find(name)].Explain(w.now)
			return &x, nil
		},
		events: func(q client.EventQuery) ([]mpp.Event, error) { return w.selected(q), nil },
		record: w.recorded,
		do: func(name string, c mpp.Command) (mpp.Result, error) {
			return w.step(w.find(name), w.now, mpp.Input{Command: &c}), nil
		},
		check: func(node string) (*mpp.Observation, error) {
			for _, p := range w.shown().Pools {
				for _, n := range p.Nodes {
					if n.Address == node {
						return n.Observation, nil
					}
				}
			}
			return nil, client.ErrNotFound
		},
		reload: func() error { w.events = append(w.events, w.edits...); return nil },
	}
}

// recorded is all inputs since from, between a mark of nothing known and one of what is known
// now. It tells the truth for a from before the first input only.
func (w *world) recorded(from time.Time) []journal.Line {
	blank, known := &journal.Mark{At: from}, &journal.Mark{At: w.now}
	for i, a := range w.pools {
		blank.Pools = append(blank.Pools, mpp.PoolMemory{Name: w.names[i]})
		known.Pools = append(known.Pools, a.Memory())
	}
	lines := []journal.Line{{Mark: blank}}
	for i := range w.inputs {
		lines = append(lines, journal.Line{Input: &w.inputs[i]})
	}
	return append(lines, journal.Line{Mark: known})
}

func (w *world) selected(q client.EventQuery) []mpp.Event {
	var out []mpp.Event
	for _, e := range w.events {
		if (q.Pool == "" || e.Pool == q.Pool) && (q.Node == "" || e.Node == q.Node) && e.Seq > q.After && !e.At.Before(q.Since) {
			out = append(out, e)
		}
	}
	if q.Limit > 0 && len(out) > q.Limit {
		out = out[len(out)-q.Limit:]
	}
	return out
}

// server is what nodes answer with when all is well.
func server(id uint32, readOnly bool) mpp.Server {
	return mpp.Server{
		Flavour: "mariadb", Version: "10.11.14-MariaDB-log", ID: id, ReadOnly: readOnly,
		GTID: fmt.Sprintf("0-1-%d", 48113), StartedAt: time.Date(2026, 2, 11, 22, 14, 3, 0, zone()),
	}
}

func wellSource(node string, id uint32) mpp.Observation {
	return mpp.Observation{
		Node: node, Took: 2140 * time.Microsecond, Answered: true, Server: server(id, false),
		Checks: []mpp.CheckResult{
			{Name: "connect", Class: mpp.Reach, Took: 812 * time.Microsecond},
			{Name: "identity", Class: mpp.Reach, Took: 390 * time.Microsecond},
			{Name: "privilege", Class: mpp.Reach, Took: 455 * time.Microsecond},
			{Name: "query", Class: mpp.Reach, Took: 170 * time.Microsecond},
			{Name: "replication", Class: mpp.Replica, Took: 390 * time.Microsecond},
			{Name: "lag", Class: mpp.Replica, Took: 390 * time.Microsecond},
		},
	}
}

func wellReplica(node string, id uint32) mpp.Observation {
	o := wellSource(node, id)
	o.Server = server(id, true)
	o.LagKnown = true
	o.Channels = []mpp.Channel{{SourceHost: "10.0.0.1", SourcePort: 3306, SourceID: 1, IO: "Yes", SQL: "Yes", LagKnown: true}}
	return o
}

// lagging is a replica that is behind.
func lagging(node string, id uint32, lag time.Duration, s mpp.Status) mpp.Observation {
	o := wellReplica(node, id)
	o.Lag, o.Channels[0].Lag = lag, lag
	c := &o.Checks[len(o.Checks)-1]
	c.Status, c.Kind, c.Message = s, mpp.KindLag, fmt.Sprintf("%s behind (Seconds_Behind)", lag)
	return o
}

func refused(node string) mpp.Observation {
	return mpp.Observation{
		Node: node, Took: 310 * time.Microsecond,
		Checks: []mpp.CheckResult{{
			Name: "connect", Class: mpp.Reach, Status: mpp.Fail, Kind: mpp.KindRefused,
			Message: "connection refused: nothing listens there, the host is alive",
			Took:    310 * time.Microsecond,
		}},
	}
}

func shop() pool.Policy {
	return pool.Policy{
		Name: "shop", Logic: mpp.LogicFailover,
		Nodes: []pool.NodePolicy{
			{Address: "10.0.0.1:3306", Name: "db1", Type: mpp.Primary},
			{Address: "10.0.0.2:3306", Name: "db2", Type: mpp.Secondary},
			{Address: "10.0.0.3:3306", Name: "db3", Type: mpp.Secondary},
		},
		Checkpoints: []pool.CheckpointPolicy{
			{Name: "gateway", Ring: mpp.Internal, Kind: "icmp", Address: "10.0.0.254"},
			{Name: "resolver", Ring: mpp.External, Kind: "tcp", Address: "192.0.2.53:53"},
		},
	}
}

func audit() pool.Policy {
	return pool.Policy{
		Name: "audit", Logic: mpp.LogicCluster,
		Nodes: []pool.NodePolicy{
			{Address: "galera1.example.net:3306", Type: mpp.Primary},
			{Address: "galera2.example.net:3306", Type: mpp.Secondary},
			{Address: "galera3.example.net:3306", Type: mpp.Secondary},
		},
	}
}

// round polls every node of the shop and of the audit cluster, as they are when all is well.
func (w *world) round(before time.Duration) {
	w.checkpoint(0, before+time.Second, mpp.CheckpointResult{Name: "gateway", Reached: true})
	w.checkpoint(0, before+time.Second, mpp.CheckpointResult{Name: "resolver", Reached: true})
	w.poll(0, before, wellSource("10.0.0.1:3306", 1))
	w.poll(0, before, wellReplica("10.0.0.2:3306", 2))
	w.poll(0, before, wellReplica("10.0.0.3:3306", 3))
	w.clusterRound(before)
}

func (w *world) clusterRound(before time.Duration) {
	for i := range uint32(3) {
		w.poll(1, before, wellSource(fmt.Sprintf("galera%d.example.net:3306", i+1), 11+i))
	}
}

// twoPools is the shop and the audit cluster, well for two hours until the time given.
func twoPools(until time.Duration) *world {
	w := &world{now: moment()}
	w.add(shop())
	w.add(audit())
	for _, before := range []time.Duration{2 * time.Hour, 2*time.Hour - time.Second, until} {
		w.round(before)
	}
	return w
}

// healthy is two pools without a complaint.
func healthy() *world { return twoPools(400 * time.Millisecond) }

// failover is the shop after its ACTIVE node died twenty minutes ago: db2 took over, and db3
// is behind. db1 is still away.
func failover() *world {
	const died = 20 * time.Minute
	w := twoPools(died + time.Second)
	for i := range time.Duration(4) {
		w.poll(0, died-i*100*time.Millisecond, refused("10.0.0.1:3306"))
	}
	for _, before := range []time.Duration{died - time.Second, 1300 * time.Millisecond} {
		w.checkpoint(0, before, mpp.CheckpointResult{Name: "gateway", Reached: true})
		w.checkpoint(0, before, mpp.CheckpointResult{Name: "resolver", Reached: true})
		w.poll(0, before-100*time.Millisecond, refused("10.0.0.1:3306"))
		w.poll(0, before-time.Second, wellSource("10.0.0.2:3306", 2))
		w.poll(0, before-time.Second, lagging("10.0.0.3:3306", 3, 37*time.Second, mpp.Warn))
		w.clusterRound(before - time.Second)
	}
	return w
}

// mended is failover with db1 well again, as a replica, and db3 no longer behind.
func mended() *world {
	w := failover()
	w.poll(0, 200*time.Millisecond, wellReplica("10.0.0.1:3306", 1))
	w.poll(0, 200*time.Millisecond, wellSource("10.0.0.2:3306", 2))
	w.poll(0, 200*time.Millisecond, wellReplica("10.0.0.3:3306", 3))
	return w
}

// stuck is healthy as a daemon shows it that stopped to work a minute ago.
func stuck() *world {
	w := healthy()
	w.spoil = func(v *mpp.View) {
		v.At = v.At.Add(-time.Minute)
		for i := range v.Pools {
			for j := range v.Pools[i].Nodes {
				n := &v.Pools[i].Nodes[j]
				n.LastPoll = n.LastPoll.Add(-time.Minute)
			}
		}
	}
	return w
}

// hostile is a server that writes terminal controls and wide characters into its messages.
func hostile() *world {
	w := healthy()
	o := refused("10.0.0.3:3306")
	o.Checks[0].Message = "\x1b[2Jaccess denied for 'каталог'@'数据库服务器一号'\r\nroot\u202e\x00 e\u0301 end of it"
	w.poll(0, 100*time.Millisecond, o)
	return w
}

// edited is healthy with a configuration that was changed since it was read.
func edited() *world {
	w := healthy()
	for i, text := range []string{`pool.shop.interval: 1s -> 2s`, `log.level: "info" -> "debug" (needs a restart)`} {
		w.edits = append(w.edits, mpp.Event{Seq: w.seq + uint64(i) + 1, At: w.now, Kind: mpp.EventConfig, Rule: "reload", Text: text})
	}
	return w
}

// starting is a daemon that has just been started.
func starting() *world {
	w := &world{now: moment()}
	w.add(shop())
	w.poll(0, 100*time.Millisecond, wellSource("10.0.0.1:3306", 1))
	w.spoil = func(v *mpp.View) { v.Ready, v.Started = false, v.At.Add(-800*time.Millisecond) }
	return w
}

// dialler returns the Dial of a world by name; "away" and others are daemons that do not answer.
func dialler(t *testing.T, name string) func(Target) (Client, error) {
	t.Helper()
	worlds := map[string]func() *world{
		"healthy": healthy, "failover": failover, "mended": mended, "stuck": stuck,
		"hostile": hostile, "edited": edited, "starting": starting, "empty": func() *world { return &world{now: moment()} },
	}
	if make, known := worlds[name]; known {
		c := make().client()
		return func(Target) (Client, error) { return c, nil }
	}
	if make, known := engineWorlds()[name]; known {
		c := make().client()
		return func(Target) (Client, error) { return c, nil }
	}
	troubles := map[string]error{
		"away":   fmt.Errorf("%w: dial unix %s: %w", client.ErrUnreachable, DefaultSocket, syscall.ENOENT),
		"denied": fmt.Errorf("%w: dial unix %s: %w", client.ErrDenied, DefaultSocket, syscall.EACCES),
		"silent": context.DeadlineExceeded,
		"mistaken": &client.Refusal{
			Status: http.StatusConflict,
			Text:   "2 problems in the configuration:\n  mpp.toml:3: pool.shop.intervall: unknown key\n  mpp.toml:9: pool.shop.node: two PRIMARY",
			Hint:   "the configuration before stays in force",
		},
		"broken": errors.New("read answer of mppd: unexpected end of JSON input"),
	}
	trouble, known := troubles[name]
	if !known {
		t.Fatalf("there is no world %q", name)
	}
	return func(Target) (Client, error) {
		return &fake{
			view:   func() (*mpp.View, error) { return nil, trouble },
			reload: func() error { return trouble },
			events: func(client.EventQuery) ([]mpp.Event, error) { return nil, trouble },
		}, nil
	}
}
