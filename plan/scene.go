package plan

import (
	"fmt"
	"slices"
	"time"

	"mpp"
)

// phase is one part of a script.
type phase struct {
	name string
	// plan returns the steps of the phase; none passes on to what follows at once.
	plan func(s *scene) []mpp.Step
	// after says what follows when all steps have ended.
	after func(s *scene) next
}

// next is what follows a phase: another one, or the end.
type next struct {
	phase   string
	outcome mpp.Outcome
	why     string
}

func goOn(phase string) next { return next{phase: phase} }

func end(outcome mpp.Outcome, format string, args ...any) next {
	return next{outcome: outcome, why: fmt.Sprintf(format, args...)}
}

// scene is an operation with what is known now.
type scene struct {
	now time.Time
	op  *mpp.Operation
	f   *Facts
}

// script returns the phases of a kind of operation, the first one first.
func script(kind mpp.OperationKind) []phase {
	switch kind {
	case mpp.OpFailover:
		return failoverScript()
	case mpp.OpSwitchover:
		return switchoverScript()
	case mpp.OpReopen:
		return reopenScript()
	case mpp.OpFence:
		return fenceScript()
	case mpp.OpRejoin:
		return rejoinScript()
	case mpp.OpTestLinks:
		return testLinksScript()
	default:
		return nil
	}
}

// mostPhases bounds how many phases one Advance goes through that have no steps: each choice of
// a candidate excludes a node, so no script comes near it.
const mostPhases = 100

// Begin returns an operation that has not started: Advance starts its first phase.
func Begin(now time.Time, f *Facts, op mpp.Operation) *mpp.Operation {
	op.Pool, op.Began = f.Pool, now
	op.Steps = []mpp.Step{}
	if op.Kind == mpp.OpFailover && op.Old != "" {
		op.Known, op.Acknowledgers = f.known(op.Old), acknowledgers(f, op.Old)
		if len(op.Acknowledgers) > 0 {
			op.WaitsUntil = f.node(op.Old).waitsUntil()
		}
	}
	return &op
}

// Advance goes on with an operation as far as it can without waiting, and returns the steps
// that are to be started, in order. It does nothing while steps of the phase run.
func Advance(now time.Time, op *mpp.Operation, f *Facts) []mpp.Task {
	s := &scene{now, op, f}
	s.expire()
	phases := script(op.Kind)
	for range mostPhases {
		if op.Outcome != "" || s.waits() {
			return nil
		}
		follow := goOn(phases[0].name)
		if op.Phase != "" {
			follow = phaseOf(phases, op.Phase).after(s)
		}
		if follow.outcome != "" {
			s.finish(follow)
			return nil
		}
		op.Phase = follow.phase
		if tasks := s.start(phaseOf(phases, follow.phase).plan(s)); len(tasks) > 0 {
			return tasks
		}
	}
	s.finish(end(mpp.Stopped, "the plan goes round in circles: a fault of MPP"))
	return nil
}

// Resume returns the steps that run by the journal: a manager that has just started runs them
// again, or, for a switchover that has not promoted yet, undoes what was done.
func Resume(now time.Time, op *mpp.Operation, f *Facts) []mpp.Task {
	s := &scene{now, op, f}
	if op.Kind == mpp.OpSwitchover && op.Outcome == "" && !s.promoting() && !s.undoing() {
		for i := range op.Steps {
			if st := &op.Steps[i]; st.Status == mpp.StepRunning {
				st.Status, st.Text = mpp.StepSkipped, "mppd was restarted"
			}
		}
		op.Why = "mppd was restarted before the promotion"
		op.Phase = phaseUndoNew
		return s.start(undoNew(s))
	}
	var again []mpp.Task
	for i := range op.Steps {
		if op.Steps[i].Status == mpp.StepRunning {
			op.Steps[i].Began = now
			again = append(again, s.task(op.Steps[i]))
		}
	}
	return again
}

// TakeBack undoes an operation of which a manager that has just started has found that the old node is
// the writer all the same. It returns the steps that undo a switchover, or let replicas receive again.
func TakeBack(now time.Time, op *mpp.Operation, f *Facts, why string) []mpp.Task {
	s := &scene{now, op, f}
	for i := range op.Steps {
		if st := &op.Steps[i]; st.Status == mpp.StepRunning {
			st.Status, st.Text = mpp.StepSkipped, "mppd was restarted"
		}
	}
	op.Why, op.Phase = why, phaseTakeBack
	if op.Kind == mpp.OpSwitchover {
		op.Phase = phaseUndoNew
		return s.start(undoNew(s))
	}
	return s.start(giveUp(s))
}

// Promoting reports whether a promotion has begun: from then on an operation only goes forward, or
// another node is taken.
func Promoting(op *mpp.Operation) bool { return (&scene{op: op}).promoting() }

// Take notes what came of a step; false when nobody waits for it.
func Take(op *mpp.Operation, r *mpp.StepResult) bool {
	if op == nil || op.ID != r.Operation || r.Step < 1 || r.Step > len(op.Steps) || op.Outcome != "" {
		return false
	}
	st := &op.Steps[r.Step-1]
	if st.Status != mpp.StepRunning {
		return false
	}
	st.Status, st.Took, st.Text = mpp.StepFailed, r.Took, r.Text
	if r.Done {
		st.Status = mpp.StepDone
	}
	st.Unreachable, st.Alive, st.Position = r.Unreachable, r.Alive, r.Position
	return true
}

// Abandon ends an operation because something more important takes its place.
func Abandon(now time.Time, op *mpp.Operation, why string) { cutShort(now, op, mpp.Abandoned, why) }

// Stop ends an operation that cannot go on.
func Stop(now time.Time, op *mpp.Operation, why string) { cutShort(now, op, mpp.Stopped, why) }

func cutShort(now time.Time, op *mpp.Operation, outcome mpp.Outcome, why string) {
	s := &scene{now: now, op: op}
	for i := range op.Steps {
		if op.Steps[i].Status == mpp.StepRunning {
			op.Steps[i].Status = mpp.StepSkipped
			op.Steps[i].Text = "nobody waits for it any more"
		}
	}
	if !Opened(op) {
		op.Lost, op.LostCount, op.NothingLost = "", 0, ""
	}
	s.finish(end(outcome, "%s", why))
}

// lostAfter is how long after its limit a step is given up of which nothing was heard: who runs it
// reports soon after the limit at the latest.
const lostAfter = 5 * time.Second

// expire gives up steps of which nothing was heard.
func (s *scene) expire() {
	for i := range s.op.Steps {
		st := &s.op.Steps[i]
		begin := st.Began
		if s.op.AwakeSince.After(begin) {
			begin = s.op.AwakeSince
		}
		if st.Status == mpp.StepRunning && s.now.Sub(begin) > st.Limit+lostAfter {
			st.Status, st.Unreachable, st.Took = mpp.StepFailed, true, s.now.Sub(st.Began)
			st.Text = "nothing was heard of it"
		}
	}
}

func phaseOf(phases []phase, name string) phase {
	i := slices.IndexFunc(phases, func(p phase) bool { return p.name == name })
	if i < 0 { // a journal of another version: stop rather than guess
		return phase{name: name, plan: func(*scene) []mpp.Step { return nil }, after: func(*scene) next {
			return end(mpp.Stopped, "this version of MPP knows no phase %q", name)
		}}
	}
	return phases[i]
}

// waits reports whether a step runs.
func (s *scene) waits() bool {
	return slices.ContainsFunc(s.op.Steps, func(st mpp.Step) bool { return st.Status == mpp.StepRunning })
}

// start adds steps to the operation as running.
func (s *scene) start(steps []mpp.Step) []mpp.Task {
	tasks := make([]mpp.Task, 0, len(steps))
	for _, st := range steps {
		st.N, st.Phase, st.Status, st.Began = len(s.op.Steps)+1, s.op.Phase, mpp.StepRunning, s.now
		if st.Limit <= 0 {
			st.Limit = s.f.Policy.StepTimeout
		}
		s.op.Steps = append(s.op.Steps, st)
		tasks = append(tasks, s.task(st))
	}
	return tasks
}

func (s *scene) task(st mpp.Step) mpp.Task {
	t := mpp.Task{Pool: s.op.Pool, Operation: s.op.ID, Kind: s.op.Kind, Step: st, Old: s.op.Old, New: s.op.New}
	if st.Kind == mpp.StepHook || st.Kind == mpp.StepShutdown {
		t.Report = s.op.Clone()
		t.Report.Outcome = s.expected()
	}
	return t
}

// expected is how the operation ends if nothing more goes wrong, in the phases that only tell.
func (s *scene) expected() mpp.Outcome {
	switch s.op.Phase {
	case phaseAfter:
		return mpp.Completed
	case phaseGaveUp:
		return mpp.Stopped
	case phaseUndoRest, phaseTakenBack:
		return mpp.RolledBack
	default:
		return ""
	}
}

func (s *scene) finish(n next) {
	s.op.Outcome, s.op.Why, s.op.Ended = n.outcome, n.why, s.now
}

// last returns the latest step of a kind at a node, nil for none. The node "" means any.
func (s *scene) last(kind mpp.StepKind, node string) *mpp.Step {
	for i := len(s.op.Steps) - 1; i >= 0; i-- {
		if st := &s.op.Steps[i]; st.Kind == kind && !st.Undo && (node == "" || st.Node == node) {
			return st
		}
	}
	return nil
}

// done reports whether the latest step of a kind at a node was done.
func (s *scene) done(kind mpp.StepKind, node string) bool {
	st := s.last(kind, node)
	return st != nil && st.Status == mpp.StepDone
}

// failed returns the first step of the present phase that failed and must not have, nil for none.
func (s *scene) failed() *mpp.Step {
	for i := range s.op.Steps {
		st := &s.op.Steps[i]
		if st.Phase == s.op.Phase && st.Status == mpp.StepFailed && !st.Optional {
			return st
		}
	}
	return nil
}

// positions are the latest positions that steps have read, by node.
func (s *scene) positions() map[string]mpp.Position {
	found := map[string]mpp.Position{}
	for i := range s.op.Steps {
		if st := &s.op.Steps[i]; st.Position != nil && st.Kind != mpp.StepBinlogEnd {
			found[st.Node] = *st.Position
		}
	}
	return found
}

// position is the latest position of a node: that of a step, else that of its last poll.
func (s *scene) position(node string) mpp.Position {
	if p, read := s.positions()[node]; read {
		return p
	}
	return s.f.node(node).position()
}

// promoting reports whether a promotion has begun.
func (s *scene) promoting() bool { return s.last(mpp.StepPromote, "") != nil }

// undoing reports whether steps are being taken back.
func (s *scene) undoing() bool {
	return slices.ContainsFunc(s.op.Steps, func(st mpp.Step) bool { return st.Undo })
}

// hook is the step that runs the hooks of a phase; none when there are none.
func (s *scene) hook(phase string) []mpp.Step {
	limit := s.f.Policy.Hooks[phase]
	if limit <= 0 {
		return nil
	}
	return []mpp.Step{{Kind: mpp.StepHook, Detail: phase, Limit: limit + hookMargin}}
}

// hookMargin is what starting and ending the programs may take beyond their own limits.
const hookMargin = 500 * time.Millisecond

// note adds a line to what is left to do.
func (s *scene) note(format string, args ...any) {
	s.op.Notes = append(s.op.Notes, fmt.Sprintf(format, args...))
}

// others are the nodes of the pool besides those named.
func (s *scene) others(except ...string) []*Node {
	var list []*Node
	for i := range s.f.Nodes {
		if !slices.Contains(except, s.f.Nodes[i].Address) {
			list = append(list, &s.f.Nodes[i])
		}
	}
	return list
}

// Opened reports whether the new node takes writes by this operation: its promotion is done.
func Opened(op *mpp.Operation) bool {
	s := &scene{op: op}
	return op.New != "" && s.done(mpp.StepPromote, op.New) && !s.undoing()
}

// Preparing reports whether the operation is a switchover that has taken nothing from the clients
// of the old node yet: when that one dies, a failover need not wait for the switchover's end.
func Preparing(op *mpp.Operation) bool {
	if op.Kind != mpp.OpSwitchover {
		return false
	}
	switch op.Phase {
	case "", phaseCheck, phasePrepare:
		return true
	case phaseQuiet, phaseAwait:
		return (&scene{op: op}).last(mpp.StepStopConnections, op.Old) == nil
	default:
		return false
	}
}

// Touched reports whether the old node may have been made read-only by this operation, or may still
// be, and nobody else was promoted by it: the old node is the writer.
func Touched(op *mpp.Operation) bool {
	s := &scene{op: op}
	switch op.Kind {
	case mpp.OpSwitchover:
		return s.last(mpp.StepReadOnly, op.Old) != nil && !Opened(op)
	case mpp.OpFailover:
		return s.last(mpp.StepReadOnly, op.Old) != nil && !s.promoting()
	default:
		return false
	}
}

// Halted are the nodes whose receivers a failover has stopped, or may have, and that were neither
// started again nor made replicas of another.
func Halted(op *mpp.Operation) []string {
	if op.Kind != mpp.OpFailover || Opened(op) {
		return nil
	}
	var list []string
	for i := range op.Steps {
		st := &op.Steps[i]
		if st.Kind != mpp.StepStopReceiver || st.Detail == byHand || slices.Contains(list, st.Node) {
			continue
		}
		started := slices.ContainsFunc(op.Steps[i:], func(later mpp.Step) bool {
			return later.Node == st.Node && later.Kind == mpp.StepStartReplica && later.Status == mpp.StepDone
		})
		if !started {
			list = append(list, st.Node)
		}
	}
	return list
}

// Cut reports whether the old node was made read-only by this operation, and was not opened
// again: it is no writer then, whatever its state says.
func Cut(op *mpp.Operation) bool {
	s := &scene{op: op}
	return op.Kind == mpp.OpSwitchover && s.last(mpp.StepReadOnly, op.Old) != nil && !s.reopened()
}

func (s *scene) reopened() bool {
	return slices.ContainsFunc(s.op.Steps, func(st mpp.Step) bool {
		return st.Undo && st.Kind == mpp.StepWritable && st.Node == s.op.Old && st.Status == mpp.StepDone
	})
}
