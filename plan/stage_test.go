package plan

import (
	"encoding/json"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/gtid"
)

// stage plays one operation against invented servers. Everything it does is written down, a line
// a step, so that a test says what it wants as a script.
type stage struct {
	t   *testing.T
	f   *Facts
	op  *mpp.Operation
	now time.Time
	// at is how far each server really is.
	at map[string]mpp.Position
	// answer says what comes of a step; nil, or a nil answer, means that it is done.
	answer func(st *mpp.Step) *mpp.StepResult
	// restart, when it says yes, kills the manager before the step's result arrives.
	restart func(st *mpp.Step) bool
	lines   []string
}

const (
	uuidA = "00000000-0000-0000-0000-00000000000a"
	uuidB = "00000000-0000-0000-0000-00000000000b"
	uuidC = "00000000-0000-0000-0000-00000000000c"
)

// upTo is everything that a had written up to n.
func upTo(n int) string { return fmt.Sprintf("%s:1-%d", uuidA, n) }

func morning() time.Time { return time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC) }

// threeNodes is a, which is ACTIVE, and its replicas b and c, all at transaction 100.
func threeNodes() *Facts {
	f := &Facts{Pool: "orders", Active: "a:1", Policy: Policy{
		FenceTimeout: 500 * time.Millisecond, ApplyTimeout: time.Minute, StepTimeout: 10 * time.Second,
		Wait: 30 * time.Second, KillAfter: 5 * time.Second, MaxLag: 5 * time.Second, Addresses: true,
	}}
	for i, name := range []string{"a:1", "b:1", "c:1"} {
		n := Node{Address: name, Type: mpp.Secondary, State: mpp.Standby, Host: true, Reachable: true}
		n.Observation = &mpp.Observation{Node: name, At: morning().Add(-time.Second), Server: mpp.Server{
			Flavour: "mysql", Version: "9.7.4", ID: uint32(i + 1), UUID: []string{uuidA, uuidB, uuidC}[i], GTID: upTo(100), ReadOnly: i > 0,
			Settings: &mpp.Settings{LogBin: true, LogReplicaUpdates: true, GTID: true, BinlogFormat: "ROW", LogBase: "/data/binlog"},
		}}
		if i == 0 {
			n.Type, n.State, n.Barred = mpp.Primary, mpp.Active, "it is the ACTIVE node"
		} else {
			n.Observation.Channels = []mpp.Channel{{
				SourceHost: "a", SourcePort: 1, SourceUUID: uuidA, IO: "Yes", SQL: "Yes", ByGTID: true,
				Received: upTo(100), SourceLog: "binlog.000004", SourcePos: 1000, LagKnown: true,
			}}
			n.Observation.Lag, n.Observation.LagKnown = 0, true
		}
		f.Nodes = append(f.Nodes, n)
	}
	return f
}

// dead is threeNodes without a.
func dead() *Facts {
	f := threeNodes()
	f.Nodes[0].Reachable, f.Nodes[0].LostAt, f.Nodes[0].Trouble = false, morning(), mpp.KindRefused
	return f
}

func newStage(t *testing.T, f *Facts) *stage {
	g := &stage{t: t, f: f, now: morning().Add(time.Second), at: map[string]mpp.Position{}}
	for i := range f.Nodes {
		g.at[f.Nodes[i].Address] = f.Nodes[i].position()
	}
	return g
}

// failover plays one to its end.
func failover(t *testing.T, f *Facts, change ...func(*stage)) *stage {
	return newStage(t, f).play(mpp.Operation{ID: 7, Kind: mpp.OpFailover, Old: "a:1", Reason: "a:1 is lost"}, change...)
}

// switchover plays one from a to b.
func switchover(t *testing.T, f *Facts, change ...func(*stage)) *stage {
	return newStage(t, f).play(mpp.Operation{ID: 7, Kind: mpp.OpSwitchover, Old: "a:1", New: "b:1", Reason: "asked for by ann"}, change...)
}

func (g *stage) play(op mpp.Operation, change ...func(*stage)) *stage {
	g.t.Helper()
	for _, c := range change {
		c(g)
	}
	g.op = Begin(g.now, g.f, op)
	tasks := Advance(g.now, g.op, g.f)
	for rounds := 0; len(tasks) > 0; rounds++ {
		if rounds > 200 {
			g.t.Fatalf("it does not end:\n%s", g.script())
		}
		tasks = g.round(tasks)
	}
	if g.op.Outcome == "" || g.op.Ended.IsZero() {
		g.t.Fatalf("it has stopped without an end, in phase %s:\n%s", g.op.Phase, g.script())
	}
	for i := range g.op.Steps {
		if g.op.Steps[i].Status == mpp.StepRunning {
			g.t.Errorf("it has ended, and step %d runs", g.op.Steps[i].N)
		}
	}
	return g
}

// round carries out the tasks that were started together, and goes on.
func (g *stage) round(tasks []mpp.Task) []mpp.Task {
	for i := range tasks {
		st := &tasks[i].Step
		if g.restart != nil && g.restart(st) {
			return g.resume()
		}
		g.lines = append(g.lines, line(st))
		g.now = g.now.Add(time.Millisecond)
		r := g.result(st)
		r.Took = max(r.Took, time.Millisecond)
		r.Operation, r.Step, r.At = g.op.ID, st.N, g.now
		if !Take(g.op, r) {
			g.t.Fatalf("nobody waited for step %d (%s)", st.N, line(st))
		}
		g.remember()
	}
	return Advance(g.now, g.op, g.f)
}

// resume is what a manager does that has just started.
func (g *stage) resume() []mpp.Task {
	g.lines = append(g.lines, "(mppd was killed)")
	g.remember()
	if tasks := Resume(g.now, g.op, g.f); len(tasks) > 0 {
		return tasks
	}
	return Advance(g.now, g.op, g.f)
}

// remember writes the operation down and reads it again, as the journal does.
func (g *stage) remember() {
	g.t.Helper()
	text, err := json.Marshal(g.op)
	if err != nil {
		g.t.Fatal(err)
	}
	read := new(mpp.Operation)
	if err := json.Unmarshal(text, read); err != nil {
		g.t.Fatal(err)
	}
	if diff := cmp.Diff(g.op, read); diff != "" {
		g.t.Fatalf("an operation does not survive the journal:\n%s", diff)
	}
	g.op = read
}

// result carries a step out on the invented servers.
func (g *stage) result(st *mpp.Step) *mpp.StepResult {
	if g.answer != nil {
		if r := g.answer(st); r != nil {
			return r
		}
	}
	r := g.done(st)
	return &r
}

// done is the result of a step that works.
func (g *stage) done(st *mpp.Step) mpp.StepResult {
	p, known := g.at[st.Node]
	switch st.Kind {
	case mpp.StepDrain:
		p.Executed = g.unite(p.Executed, p.Received)
	case mpp.StepCopyFrom:
		p.Executed = g.unite(p.Executed, st.GTID)
		p.SourceLog, p.SourcePos = "binlog.000099", 9000
	case mpp.StepBinlogEnd:
		p = mpp.Position{OwnLog: "binlog.000004", OwnPos: 1000}
	case mpp.StepBinlogTail:
		p.Executed = g.unite(p.Executed, g.at[st.Peer].Executed)
	case mpp.StepAwaitSet:
		p.Executed = g.unite(p.Executed, st.GTID)
	default:
	}
	r := mpp.StepResult{Done: true, Text: "done"}
	if known {
		if st.Kind != mpp.StepBinlogEnd {
			g.at[st.Node] = p
		}
		r.Position = &p
	}
	return r
}

func (g *stage) unite(a, b string) string {
	flavour := g.f.Nodes[1].flavour() // a may be unknown after a restart
	x, err := gtid.Parse(flavour, a)
	if err != nil {
		g.t.Fatal(err)
	}
	y, err := gtid.Parse(flavour, b)
	if err != nil {
		g.t.Fatal(err)
	}
	return x.Union(y).String()
}

// line is a step in a script.
func line(st *mpp.Step) string {
	words := []string{st.Phase + ":", string(st.Kind)}
	for _, word := range []string{st.Node, st.Detail} {
		if word != "" {
			words = append(words, strings.TrimSuffix(word, ":1"))
		}
	}
	if st.Peer != "" && st.Kind != mpp.StepStopReceiver {
		words = append(words, "<-", strings.TrimSuffix(st.Peer, ":1"))
	}
	if st.Undo {
		words = append(words, "(undo)")
	}
	return strings.Join(words, " ")
}

func (g *stage) script() string { return strings.Join(g.lines, "\n") }

// want compares the script from its first line that begins with from.
func (g *stage) want(from, script string) *stage {
	g.t.Helper()
	lines := g.lines
	for len(lines) > 0 && !strings.HasPrefix(lines[0], from) {
		lines = lines[1:]
	}
	var wanted []string
	for _, l := range strings.Split(strings.TrimSpace(script), "\n") {
		wanted = append(wanted, strings.TrimSpace(l))
	}
	if diff := cmp.Diff(wanted, lines); diff != "" {
		g.t.Errorf("the script (-want +got):\n%s", diff)
	}
	return g
}

// ends compares how it ended.
func (g *stage) ends(outcome mpp.Outcome, why string) *stage {
	g.t.Helper()
	if g.op.Outcome != outcome || !strings.Contains(g.op.Why, why) {
		g.t.Errorf("it ended %s: %s\nwant      %s: ...%s...\n%s", g.op.Outcome, g.op.Why, outcome, why, g.script())
	}
	return g
}

func (g *stage) noted(text string) *stage {
	g.t.Helper()
	if all := strings.Join(g.op.Notes, "\n"); !strings.Contains(all, text) {
		g.t.Errorf("no note says %q:\n%s", text, all)
	}
	return g
}

func (g *stage) has(text string) *stage {
	g.t.Helper()
	if !strings.Contains(g.script(), text) {
		g.t.Errorf("no step is %q:\n%s", text, g.script())
	}
	return g
}

func (g *stage) hasNot(text string) *stage {
	g.t.Helper()
	if strings.Contains(g.script(), text) {
		g.t.Errorf("there is %q:\n%s", text, g.script())
	}
	return g
}

// failing lets the steps of which the line contains text fail.
func failing(text string, results ...mpp.StepResult) func(*stage) {
	r := mpp.StepResult{Text: "error 1205"}
	if len(results) > 0 {
		r = results[0]
	}
	return func(g *stage) {
		before := g.answer
		g.answer = func(st *mpp.Step) *mpp.StepResult {
			if strings.Contains(line(st), text) {
				copied := r
				return &copied
			}
			if before != nil {
				return before(st)
			}
			return nil
		}
	}
}

// unreachable is the result of a step to whose node nobody answers.
func unreachable() mpp.StepResult {
	return mpp.StepResult{Text: "no answer", Unreachable: true}
}

// position lets a server be elsewhere than it was at its last poll.
func position(node string, p mpp.Position) func(*stage) {
	return func(g *stage) {
		if p.SourceLog == "" {
			p.SourceLog, p.SourcePos = g.at[node].SourceLog, g.at[node].SourcePos
		}
		g.at[node] = p
	}
}
