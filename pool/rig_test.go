package pool

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/plan"
)

// fakeServer is a server of a pool with an engine, as far as polls and steps see it.
type fakeServer struct {
	// trouble is what a poll fails by, empty for none; a server that is stuck still says its words.
	trouble mpp.Kind
	// executed and received number the transactions of a; extra are others, in GTID spelling.
	executed, received int
	extra              string
	readOnly           bool
	// source is the node that it replicates from; io, sql and the numbers are its threads'.
	source, io, sql string
	// other is a server outside the pool that it replicates from, too, by a channel of its own.
	other             string
	ioErrno, sqlErrno uint32
	// waits says that its receiver waits for long before it tries to connect again.
	waits   bool
	lag     time.Duration
	started time.Time
	semi    *mpp.SemiSync
	// vip says that its host has the virtual address.
	vip bool
	// managedBy is the session of another MPP that manages it, "" for this one, "-" for nobody.
	managedBy string
}

// rig drives an arbiter with an engine against fake servers a, b and c; a is the writer.
type rig struct {
	t       *testing.T
	a       *Arbiter
	policy  Policy
	now     time.Time
	servers map[string]*fakeServer
	// tasks are the steps that were asked for and not answered yet.
	tasks []mpp.Task
	// answer may say what comes of a step; nil, or a nil answer, carries it out.
	answer func(t *mpp.Task) *mpp.StepResult
	// sourceSide says which servers would wait for acknowledgements themselves.
	sourceSide map[string]bool
	events     []mpp.Event
	reports    []*mpp.Operation
	asked      []string // polls asked for
	// names are the hosts' names as replicas know them, where they differ.
	names map[string]string
	log   []string // steps started
}

func enginePolicy() Policy {
	p := threeNodes()
	p.Engine = mpp.EngineNative
	p.Nodes = []NodePolicy{
		{Address: "a:1", Type: mpp.Primary, Host: true}, {Address: "b:1", Type: mpp.Secondary, Host: true}, {Address: "c:1", Type: mpp.Secondary, Host: true},
	}
	p.Failover = FailoverPolicy{
		Policy: plan.Policy{
			FenceTimeout: 500 * time.Millisecond, ApplyTimeout: time.Minute, StepTimeout: 10 * time.Second, Addresses: true,
			Wait: 30 * time.Second, KillAfter: 5 * time.Second, MaxLag: 5 * time.Second,
		},
		Rejoin: true, VirtualAddresses: []string{"10.0.0.100/32"}, Block: "read_only",
		ConfirmInterval: 100 * time.Millisecond, Timeout: time.Second, ConfirmTimeout: 500 * time.Millisecond,
	}
	return p
}

func newRig(t *testing.T, change ...func(*Policy)) *rig {
	t.Helper()
	r := &rig{t: t, policy: enginePolicy(), now: time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC), servers: map[string]*fakeServer{}}
	for _, c := range change {
		c(&r.policy)
	}
	r.a = New(r.policy, mpp.PoolMemory{})
	for _, n := range r.policy.Nodes {
		s := &fakeServer{executed: 100, received: 100, readOnly: true, source: "a:1", io: "Yes", sql: "Yes", started: r.now.Add(-time.Hour)}
		if n.Address == "a:1" {
			s = &fakeServer{executed: 100, started: r.now.Add(-time.Hour), vip: true}
		}
		r.servers[n.Address] = s
	}
	return r
}

// settled is a rig whose pool has found its writer.
func settled(t *testing.T, change ...func(*Policy)) *rig {
	t.Helper()
	r := newRig(t, change...)
	r.rounds(3)
	if r.a.activeNode() == nil || len(r.log) > 0 {
		t.Fatalf("the pool did not settle: %s, steps %v", r.states(), r.log)
	}
	return r
}

// short is a node without its port.
func short(address string) string { return strings.TrimSuffix(address, ":1") }

func (r *rig) server(name string) *fakeServer {
	r.t.Helper()
	s := r.servers[name+":1"]
	if s == nil {
		r.t.Fatalf("no server %s", name)
	}
	return s
}

func gtidOf(n int, extra string) string {
	var parts []string
	if n > 0 {
		parts = append(parts, fmt.Sprintf("%s:1-%d", uuidOf("a"), n))
	}
	if extra != "" {
		parts = append(parts, extra)
	}
	return strings.Join(parts, ",")
}

func uuidOf(name string) string { return "00000000-0000-0000-0000-00000000000" + name }

// poll asks one node and gives the arbiter what it said.
func (r *rig) poll(name string) {
	r.now = r.now.Add(10 * time.Millisecond)
	o := r.observe(name)
	r.step(mpp.Input{Observation: &o})
}

// rounds polls every node n times, 250 ms apart, carries out every step, and lets the hosts be looked at.
func (r *rig) rounds(n int) {
	for range n {
		for _, np := range r.policy.Nodes {
			r.poll(short(np.Address))
			r.carryOut()
		}
		r.now = r.now.Add(250 * time.Millisecond)
	}
}

// observe is what a poll of a node brings.
func (r *rig) observe(name string) mpp.Observation {
	s := r.server(name)
	o := mpp.Observation{Node: name + ":1", At: r.now, Took: time.Millisecond, Answered: s.trouble != mpp.KindNoAnswer && s.trouble != mpp.KindRefused}
	if s.trouble != "" {
		o.Checks = []mpp.CheckResult{{Name: "query", Class: mpp.Reach, Status: mpp.Fail, Kind: s.trouble, Message: string(s.trouble)}}
		if !stuckKind(s.trouble) {
			return o
		}
	} else {
		o.Checks = []mpp.CheckResult{{Name: "query", Class: mpp.Reach}}
	}
	o.Server = mpp.Server{
		Flavour: "mysql", Version: "9.7.4", ID: uint32(name[0]-'a') + 1, UUID: uuidOf(name), ReadOnly: s.readOnly,
		GTID: gtidOf(s.executed, s.extra), StartedAt: s.started, SemiSync: s.semi,
		Settings: &mpp.Settings{LogBin: true, LogReplicaUpdates: true, GTID: true, BinlogFormat: "ROW", LogBase: "/data/binlog", SemiSyncTimeout: 10 * time.Second, SemiSyncSource: r.sourceSide[name]},
	}
	switch s.managedBy {
	case "":
		o.Server.Managed = true
	case "-":
	default:
		o.Server.ManagedBy = s.managedBy
	}
	r.observeLink(&o, s)
	return o
}

func stuckKind(k mpp.Kind) bool { return k == mpp.KindDiskFull || k == mpp.KindSemiSyncWait }

func (r *rig) observeLink(o *mpp.Observation, s *fakeServer) {
	if s.source == "" {
		if n := r.a.index[o.Node]; n == nil || n.mem.State != mpp.Active {
			o.Checks = append(o.Checks, mpp.CheckResult{
				Name: "replication", Class: mpp.Replica, Status: mpp.Warn, Kind: mpp.KindReplicationStopped, Message: "is not a replica of anything",
			})
		}
		return
	}
	source := r.servers[s.source]
	if s.io == "Yes" && (source == nil || source.trouble == mpp.KindRefused) {
		s.io, s.ioErrno = "Connecting", 2003
	}
	if s.io == "Connecting" && !s.waits && source != nil && source.trouble == "" {
		s.io, s.ioErrno = "Yes", 0
	}
	host := short(s.source)
	if name := r.names[host]; name != "" {
		host = name
	}
	c := mpp.Channel{
		SourceHost: host, SourcePort: 1, SourceUUID: uuidOf(short(s.source)), IO: s.io, SQL: s.sql, IOErrno: s.ioErrno, SQLErrno: s.sqlErrno,
		ByGTID: true, Received: gtidOf(s.received, ""), SourceLog: "binlog.000004", SourcePos: uint64(10 * s.received), Lag: s.lag, LagKnown: s.io == "Yes",
	}
	o.Channels, o.Lag, o.LagKnown = []mpp.Channel{c}, s.lag, c.LagKnown
	if s.other != "" {
		o.Channels = append([]mpp.Channel{{Name: "archive", SourceHost: s.other, SourcePort: 3306, SourceUUID: uuidOf("f"), IO: "Yes", SQL: "Yes"}}, c)
	}
	check := mpp.CheckResult{Name: "replication", Class: mpp.Replica}
	switch {
	case s.sql != "Yes" || s.io == "No":
		check.Status, check.Kind, check.Message = mpp.Fail, mpp.KindReplicationStopped, "a thread is not running"
	case s.io != "Yes":
		check.Class, check.Status, check.Kind, check.Message = mpp.Reach, mpp.Warn, mpp.KindSourceUnreachable, "cannot reach its source"
	}
	o.Checks = append(o.Checks, check)
	if s.lag > time.Minute {
		o.Checks = append(o.Checks, mpp.CheckResult{Name: "lag", Class: mpp.Replica, Status: mpp.Critical, Kind: mpp.KindLag, Message: "far behind"})
	}
}

// look looks at the hosts of nodes for the virtual address.
func (r *rig) look(names ...string) {
	for _, name := range names {
		s := r.server(name)
		r.now = r.now.Add(10 * time.Millisecond)
		report := mpp.AddressReport{Node: name + ":1", At: r.now, Known: true, Holds: s.vip, Some: s.vip}
		if s.trouble == mpp.KindNoAnswer {
			report = mpp.AddressReport{Node: name + ":1", At: r.now, Message: "no answer"}
		}
		r.step(mpp.Input{AddressReport: &report})
	}
}

func (r *rig) tick(d time.Duration) {
	r.now = r.now.Add(d)
	r.step(mpp.Input{})
}

// step gives the arbiter one input, holds what must hold after each, and keeps what it answers.
func (r *rig) step(in mpp.Input) (reply *mpp.Result) {
	r.t.Helper()
	in.At, in.Pool = r.now, r.policy.Name
	for _, action := range slices.Clone(r.a.Step(r.now, in)) {
		r.take(action)
		if action.Kind == mpp.ActionReply {
			reply = action.Result
		}
	}
	r.hold()
	return reply
}

func (r *rig) take(action mpp.Action) {
	switch action.Kind {
	case mpp.ActionRun:
		r.tasks = append(r.tasks, *action.Task)
		r.log = append(r.log, stepLine(&action.Task.Step))
	case mpp.ActionEvent:
		r.events = append(r.events, *action.Event)
	case mpp.ActionReport:
		r.reports = append(r.reports, action.Operation)
	case mpp.ActionPoll:
		r.asked = append(r.asked, short(action.Node))
	default:
	}
}

// hold holds what must be so after every step: at most one ACTIVE node, at most one that load
// balancers are told to write to.
func (r *rig) hold() {
	r.t.Helper()
	if r.policy.Logic == mpp.LogicCluster {
		return
	}
	writers := r.writers()
	if len(writers) > 1 || len(r.a.active(nil)) > 1 {
		r.t.Fatalf("two writers: answers %v, states %s", writers, r.states())
	}
}

// writers are the nodes that answer for the writer role.
func (r *rig) writers() []string {
	view := r.a.View(r.now)
	var up []string
	for i := range view.Nodes {
		if view.Answer(&view.Nodes[i], mpp.RoleWriter, r.now).Up {
			up = append(up, short(view.Nodes[i].Address))
		}
	}
	return up
}

// stepLine is a step in a script.
func stepLine(st *mpp.Step) string {
	line := fmt.Sprintf("%s %s", st.Kind, short(st.Node))
	if st.Peer != "" && st.Kind != mpp.StepStopReceiver {
		line += " <- " + short(st.Peer)
	}
	if st.Undo {
		line += " (undo)"
	}
	return strings.TrimSpace(line)
}

// carryOut carries out every step that is asked for, until none is.
func (r *rig) carryOut() {
	for range 500 {
		if len(r.tasks) == 0 {
			return
		}
		r.carryOutOne()
	}
	r.t.Fatalf("it does not end: %v", r.log[len(r.log)-20:])
}

// until carries out steps until one of which the line contains text is next; false when none was.
func (r *rig) until(text string) bool {
	for range 500 {
		if len(r.tasks) == 0 {
			return false
		}
		if strings.Contains(stepLine(&r.tasks[0].Step), text) {
			return true
		}
		r.carryOutOne()
	}
	return false
}

func (r *rig) carryOutOne() {
	t := r.tasks[0]
	r.tasks = r.tasks[1:]
	r.now = r.now.Add(time.Millisecond)
	var result *mpp.StepResult
	if r.answer != nil {
		result = r.answer(&t)
	}
	if result == nil {
		result = r.effect(&t.Step)
	}
	result.Operation, result.Step, result.At, result.Took = t.Operation, t.Step.N, r.now, time.Millisecond
	r.step(mpp.Input{StepResult: result})
}

// effect does a step to the fake servers.
func (r *rig) effect(st *mpp.Step) *mpp.StepResult {
	s := r.servers[st.Node]
	if s == nil {
		return &mpp.StepResult{Done: true, Text: "done"}
	}
	host := st.Kind == mpp.StepRemoveAddress || st.Kind == mpp.StepAddAddress || st.Kind == mpp.StepBinlogEnd
	if s.trouble == mpp.KindNoAnswer || (!host && s.trouble != "" && !stuckKind(s.trouble)) {
		return &mpp.StepResult{Text: "no answer", Unreachable: true}
	}
	result := &mpp.StepResult{Done: true, Text: "done"}
	r.change(s, st, result)
	result.Position = &mpp.Position{
		Executed: gtidOf(s.executed, s.extra), Received: gtidOf(s.received, ""), SourceLog: "binlog.000004", SourcePos: uint64(10 * s.received),
	}
	if st.Kind == mpp.StepBinlogEnd {
		result.Position = &mpp.Position{OwnLog: "binlog.000004", OwnPos: uint64(10 * s.executed)}
	}
	return result
}

func (r *rig) change(s *fakeServer, st *mpp.Step, result *mpp.StepResult) {
	switch st.Kind {
	case mpp.StepReadOnly:
		s.readOnly = true
	case mpp.StepWritable:
		s.readOnly = false
	case mpp.StepPromote:
		s.readOnly, s.source, s.io = false, "", ""
	case mpp.StepAddAddress:
		s.vip = true
	case mpp.StepRemoveAddress:
		s.vip = false
	case mpp.StepStopReceiver:
		if s.source != "" {
			s.io = "No"
		}
	case mpp.StepStartReplica:
		s.io, s.sql = "Yes", "Yes"
	case mpp.StepDrain, mpp.StepAwaitSet:
		s.executed = max(s.executed, s.received)
	case mpp.StepRepoint:
		s.source, s.io, s.sql, s.ioErrno, s.readOnly = st.Peer, "Yes", "Yes", 0, true
	case mpp.StepTestLink:
		source := r.servers[s.source]
		if result.Alive = source != nil && source.trouble == ""; !result.Alive {
			s.io, s.ioErrno = "Connecting", 2003
		}
	default:
	}
}

// restart replaces the arbiter by one that is made from its memory, as the journal kept it.
func (r *rig) restart(p Policy) {
	r.t.Helper()
	text, err := json.Marshal(r.a.Memory())
	if err != nil {
		r.t.Fatal(err)
	}
	var memory mpp.PoolMemory
	if err := json.Unmarshal(text, &memory); err != nil {
		r.t.Fatal(err)
	}
	if diff := cmp.Diff(r.a.Memory(), memory); diff != "" {
		r.t.Fatalf("what is remembered does not survive the journal:\n%s", diff)
	}
	r.policy, r.tasks = p, nil
	r.a = New(p, memory)
}

func (r *rig) states() string {
	var words []string
	for _, n := range r.a.nodes {
		words = append(words, short(n.policy.Address)+" "+n.mem.State.Text(n.mem.Reason))
	}
	return strings.Join(words, ", ")
}

func (r *rig) want(states string) {
	r.t.Helper()
	if got := r.states(); got != states {
		r.t.Errorf("states: got  %s\n        want %s\nsteps %v\nlast events %s", got, states, r.log, r.lastEvents())
	}
}

func (r *rig) lastEvents() string {
	var lines []string
	for _, e := range r.events[max(0, len(r.events)-6):] {
		lines = append(lines, e.Text)
	}
	return strings.Join(lines, "\n")
}

// gate asks one gate as it is now, or as it would be.
func (r *rig) gate(name string, imagined bool) mpp.Gate {
	r.t.Helper()
	for _, g := range r.a.outage(r.now, imagined).gates() {
		if g.Name == name {
			return g
		}
	}
	r.t.Fatalf("no gate %s", name)
	return mpp.Gate{}
}

func (r *rig) wantGate(name string, open bool, evidence string) {
	r.t.Helper()
	r.wantGateIf(name, false, open, evidence)
}

func (r *rig) wantGateIf(name string, imagined, open bool, evidence string) {
	r.t.Helper()
	if g := r.gate(name, imagined); g.Open != open || !strings.Contains(g.Evidence, evidence) {
		r.t.Errorf("gate %s (imagined %t): open %t, %q\nwant open %t, ...%s...", name, imagined, g.Open, g.Evidence, open, evidence)
	}
}

func (r *rig) problem(code string) string {
	for _, p := range r.a.View(r.now).Problems {
		if p.Code == code {
			return p.Text
		}
	}
	return ""
}

func (r *rig) command(c mpp.Command) mpp.Result {
	r.t.Helper()
	r.now = r.now.Add(time.Millisecond)
	reply := r.step(mpp.Input{Command: &c})
	if reply == nil {
		r.t.Fatal("a command got no reply")
	}
	return *reply
}

func (r *rig) refused(c mpp.Command, why string) {
	r.t.Helper()
	if result := r.command(c); result.Done || !strings.Contains(result.Refused, why) {
		r.t.Errorf("%s %s: %+v\nwant it refused: ...%s...", c.Verb, c.Node, result, why)
	}
}

// started counts the operations of a kind that have begun, by their events.
func (r *rig) started(k mpp.OperationKind) int {
	count := 0
	for _, e := range r.events {
		if e.Kind == mpp.EventOperation && e.Rule == string(k) && strings.Contains(e.Text, "begins: ") {
			count++
		}
	}
	return count
}

// noFailover says that none was started, and nobody lost the role.
func (r *rig) noFailover() {
	r.t.Helper()
	if r.started(mpp.OpFailover) > 0 {
		r.t.Fatalf("a failover was started:\n%s", r.lastEvents())
	}
	if n := r.a.activeNode(); n == nil || n.policy.Address != "a:1" {
		r.t.Fatalf("a is no longer ACTIVE: %s", r.states())
	}
}
