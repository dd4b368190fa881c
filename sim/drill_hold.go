package sim

import (
	"fmt"
	"reflect"
	"slices"
	"strings"
	"time"

	"mpp"
)

// judgement is what the invariants need to remember.
type judgement struct {
	// cause is when the fault struck, busy when an operation was last under way, answered when
	// the answers to load balancers were last held against the invariants.
	cause, busy, answered time.Time
	// failovers and switchovers are the numbers of those that were begun, moves how often the role
	// moved.
	failovers, switchovers []uint64
	moves                  int
	outcomes               map[uint64]mpp.Outcome
	// double is since when two servers have taken writes although the manager could have helped.
	double time.Time
	// active is the server that has the role, or had it last; died is when the first one died.
	active int
	died   time.Time
	// connected is since when each replica's link has stood.
	connected [4]time.Time
}

// holdActions holds what a step of the arbiter may ask for.
func (d *drill) holdActions(actions []mpp.Action) error {
	for i := range actions {
		a := &actions[i]
		switch {
		case a.Kind == mpp.ActionRun:
			if err := d.holdTask(a.Task); err != nil {
				return err
			}
		case a.Kind == mpp.ActionEvent && a.Event.Kind == mpp.EventState && a.Event.To == string(mpp.Active):
			if err := d.holdMove(a.Event); err != nil {
				return err
			}
		}
	}
	return nil
}

// mostSteps bounds the steps of an operation.
const mostSteps = 150

func (d *drill) holdTask(t *mpp.Task) error {
	if d.started[t.Operation] > mostSteps {
		return fmt.Errorf("operation %d (%s) has begun more than %d steps", t.Operation, t.Kind, mostSteps)
	}
	if t.Kind == mpp.OpFailover && !slices.Contains(d.watched.failovers, t.Operation) {
		d.watched.failovers = append(d.watched.failovers, t.Operation)
		d.report.Failovers++
		if err := d.holdEvidence(t); err != nil {
			return err
		}
	}
	if t.Kind == mpp.OpSwitchover && !slices.Contains(d.watched.switchovers, t.Operation) {
		d.watched.switchovers = append(d.watched.switchovers, t.Operation)
		d.report.Switchovers++
	}
	if t.Step.Kind != mpp.StepPromote || d.down {
		return nil
	}
	m, _ := d.arbiter.NodeMemory(t.Step.Node)
	if m.State != mpp.Standby {
		return fmt.Errorf("invariant 2: %s is promoted, and it is %s", t.Step.Node, m.State)
	}
	if old := d.indexOf(t.Old); t.Kind == mpp.OpFailover && old >= 0 && d.policy.Failover.FenceRequired && d.report.Reloads == 0 {
		if s := d.servers[old]; s.up && !s.readOnly && (s.vip || !d.policy.Failover.Addresses) && d.now.Sub(s.back) > evidenceFor {
			return fmt.Errorf("%s is promoted, fence = \"required\", and %s is not fenced: %s", t.Step.Node, s.address, d.state())
		}
	}
	if d.noPromote(t.Step.Node) {
		return fmt.Errorf("invariant 2: %s is promoted, and it is marked no_promote", t.Step.Node)
	}
	return nil
}

func (d *drill) noPromote(address string) bool {
	for i := range d.policy.Nodes {
		if d.policy.Nodes[i].Address == address {
			return d.policy.Nodes[i].NoPromote
		}
	}
	return true
}

// evidenceFor is how long a link must have stood, and the old server been back, for a failover
// to be one against the evidence: what changed a moment ago nobody can know yet.
const evidenceFor = 2 * time.Second

// holdEvidence is invariant 3: no failover while a replica that the manager reaches still receives.
func (d *drill) holdEvidence(t *mpp.Task) error {
	if d.fault.unmoved {
		return fmt.Errorf("invariant 3: a failover was begun, and nobody has died: %s", d.state())
	}
	i := d.indexOf(t.Old)
	if i < 0 {
		return nil
	}
	old := d.servers[i]
	if !old.up || old.frozen || old.isolated || old.stuck != "" || old.pending >= 0 || d.now.Sub(old.back) < evidenceFor || d.now.Sub(old.freed) < evidenceFor {
		return nil
	}
	for _, r := range d.servers {
		since := d.watched.connected[r.index]
		if r.source == i && r.answers() && r.connected && d.linked(r, old) && !since.IsZero() && d.now.Sub(since) > evidenceFor {
			return fmt.Errorf("invariant 3: a failover was begun, and %s receives from %s: %s", r.address, old.address, d.state())
		}
	}
	return nil
}

// errantFor is within which time transactions of its own are found on a replica while its source lives.
const errantFor = 2200 * time.Millisecond

// holdMove holds what must be so when a node becomes ACTIVE.
func (d *drill) holdMove(e *mpp.Event) error {
	d.watched.moves++
	if e.From != string(mpp.Standby) {
		return fmt.Errorf("invariant 2: %s became ACTIVE from %s", e.Node, e.From)
	}
	i := d.indexOf(e.Node)
	if i < 0 {
		return nil
	}
	old := d.servers[d.watched.active]
	d.watched.active = i
	if s := d.servers[i]; !s.errantAt.IsZero() && d.watched.moves == 1 && d.watched.died.Sub(s.errantAt) > errantFor {
		return fmt.Errorf("%s is promoted, and has transactions of its own since %s: %s", e.Node, d.now.Sub(s.errantAt), d.state())
	}
	if e.Rule != string(mpp.OpFailover) || d.policy.Failover.AnyLoss {
		return nil
	}
	for tx := range d.writes {
		if w := &d.writes[tx]; w.acked && w.semi && old.has.has(tx) && !d.servers[i].has.has(tx) {
			return fmt.Errorf("invariant 4: %s has not got transaction %d of %s, which was acknowledged after a replica had it: %s",
				e.Node, w.number, d.servers[w.by].address, d.state())
		}
	}
	return nil
}

// holdAnswers is invariant 1 as load balancers see it.
func (d *drill) holdAnswers() error {
	d.watched.answered = d.now
	view := mpp.PoolView{StaleAfter: d.policy.StaleAfter, WhenStale: d.policy.WhenStale, Nodes: d.arbiter.NodeViews(d.now)}
	actives, writers := 0, 0
	for i := range d.upAsWriter {
		d.upAsWriter[i] = false
	}
	for i := range view.Nodes {
		n := &view.Nodes[i]
		if n.State == mpp.Active {
			actives++
		}
		if view.Answer(n, mpp.RoleWriter, d.now).Up {
			if op := d.disk.Operation; op != nil && op.Kind == mpp.OpFailover && op.Old == n.Address {
				return fmt.Errorf("invariant 1: %s answers as writer while it loses the role: %s", n.Address, d.state())
			}
			writers++
			d.upAsWriter[d.indexOf(n.Address)] = true
		}
	}
	if actives > 1 || writers > 1 {
		return fmt.Errorf("invariant 1: %d nodes are ACTIVE, %d answer as writer", actives, writers)
	}
	if d.disk.Operation != nil || len(d.disk.Repairs) > 0 {
		d.watched.busy = d.now
	}
	return nil
}

// fencedWithin is how soon a server that comes back as a writer must be fenced, when the manager
// can reach it; fencedAtLast when steps fail.
const (
	fencedWithin = 4 * time.Second
	fencedAtLast = 25 * time.Second
)

// holdWorld is invariant 1 as clients see it, after everything that happens.
func (d *drill) holdWorld() error {
	d.noteLinks()
	var writers []*server
	helpless := d.down || d.cutOff || d.now.Before(d.frozenUntil.Add(time.Second))
	for i, s := range d.servers {
		if s.serves() && d.addressed(i) {
			writers = append(writers, s)
			helpless = helpless || !s.reached() || !s.shelled()
		}
	}
	if len(writers) < 2 || helpless {
		d.watched.double = time.Time{}
		return nil
	}
	if d.watched.double.IsZero() {
		d.watched.double = d.now
	}
	limit := fencedWithin
	if d.mishaps > 0 {
		limit = fencedAtLast
	}
	cameBack := slices.ContainsFunc(writers, func(s *server) bool { return d.now.Sub(s.back) <= limit+longest })
	if !cameBack || d.now.Sub(d.watched.double) > limit {
		return fmt.Errorf("invariant 1: clients can write to %s and to %s since %s: %s",
			writers[0].address, writers[1].address, d.now.Sub(d.watched.double), d.state())
	}
	return nil
}

// noteLinks notes since when each replica's link has stood.
func (d *drill) noteLinks() {
	for i, s := range d.servers {
		up := s.connected && s.source >= 0 && d.linked(s, d.servers[s.source])
		switch {
		case !up:
			d.watched.connected[i] = time.Time{}
		case d.watched.connected[i].IsZero():
			d.watched.connected[i] = d.now
		}
	}
}

// holdRestart is invariant 5: a manager that starts remembers what it knew, and does nothing but
// go on with what was under way.
func (d *drill) holdRestart(memory mpp.PoolMemory) error {
	if got := d.arbiter.Memory(); !reflect.DeepEqual(got, memory) {
		return fmt.Errorf("invariant 5: a restart changed what is remembered: %+v, was %+v", got, memory)
	}
	for _, n := range d.arbiter.NodeViews(d.now) {
		if n.Evaluation != mpp.Down && n.Observation == nil && n.State == mpp.Active {
			view := mpp.PoolView{StaleAfter: d.policy.StaleAfter}
			if view.Answer(&n, mpp.RoleWriter, d.now).Up {
				return fmt.Errorf("invariant 9: %s answers before it was polled", n.Address)
			}
		}
	}
	under := map[uint64]bool{}
	for _, op := range append([]*mpp.Operation{memory.Operation}, memory.Repairs...) {
		if op != nil {
			under[op.ID] = true
		}
	}
	actions := d.arbiter.Step(d.now, mpp.Input{At: d.now, Pool: d.policy.Name})
	for i := range actions {
		a := &actions[i]
		if a.Kind == mpp.ActionEvent && a.Event.Kind == mpp.EventState {
			return fmt.Errorf("invariant 5: a restart triggered %s", a.Event.Text)
		}
		if a.Kind == mpp.ActionRun && !under[a.Task.Operation] {
			return fmt.Errorf("invariant 5: a restart began operation %d (%s)", a.Task.Operation, a.Task.Kind)
		}
	}
	return d.carryOut(actions)
}

// state is everything there is to know, for an error.
func (d *drill) state() string {
	var b strings.Builder
	for i, s := range d.servers {
		m, _ := d.arbiter.NodeMemory(s.address)
		fmt.Fprintf(&b, "\n  %s %s/%s errors %d (%s) up %t frozen %t stuck %q read-only %t vip %t source %d io %t connected %t errno %d isolated %t cut %t ssh-cut %t "+
			"log %d relay %d pending %d no_promote %t kept %q",
			s.address, m.State, m.Status, m.Errors, m.Message, s.up, s.frozen, s.stuck, s.readOnly, s.vip, s.source, s.io, s.connected, s.errno,
			s.isolated, s.cut, s.sshCut, len(s.log), len(s.relay), s.pending, d.policy.Nodes[min(i, len(d.policy.Nodes)-1)].NoPromote, m.Errant)
	}
	f := &d.policy.Failover
	fmt.Fprintf(&b, "\n  mariadb %t semi %t (%s) manager down %t; %+v rejoin %t", d.mariadb, d.semi, d.semiTimeout, d.down, f.Policy, f.Rejoin)
	if op := d.disk.Operation; op != nil {
		fmt.Fprintf(&b, "\n  operation %d %s %s -> %s phase %s", op.ID, op.Kind, op.Old, op.New, op.Phase)
		for _, st := range op.Steps {
			fmt.Fprintf(&b, "\n    %d %s %s %s: %s %s", st.N, st.Phase, st.Kind, st.Node, st.Status, st.Text)
		}
	}
	fmt.Fprintf(&b, "\n  unacknowledged %v, last operation %d", d.disk.Unacknowledged, d.disk.LastOperation)
	if r := d.arbiter.Readiness(d.now.Add(time.Hour)); r != nil {
		for _, g := range r.Now {
			fmt.Fprintf(&b, "\n  gate %s open %t: %s", g.Name, g.Open, g.Evidence)
		}
	}
	return b.String()
}
