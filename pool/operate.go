package pool

import (
	"fmt"
	"slices"
	"time"

	"mpp"
	"mpp/plan"
	"mpp/state"
)

// begin starts an operation.
func (a *Arbiter) begin(now time.Time, op mpp.Operation) *mpp.Operation {
	return a.beginWith(now, a.facts(now), op)
}

// beginWith starts an operation on facts.
func (a *Arbiter) beginWith(now time.Time, f *plan.Facts, op mpp.Operation) *mpp.Operation {
	a.head.LastOperation++
	op.ID = a.head.LastOperation
	started := plan.Begin(now, f, op)
	if rolesMove(op.Kind) {
		a.head.Operation = started
	} else {
		a.head.Repairs = append(slices.Clone(a.head.Repairs), started)
	}
	a.headChanged, a.headSync = true, true
	a.countRepair(now, started)
	if !a.repeats(started) {
		a.tellOperation(now, started, severityOf(op.Kind), "begins: "+op.Reason)
	}
	a.run(plan.Advance(now, started, f))
	return started
}

// rolesMove reports whether operations of the kind move the role: one at a time.
func rolesMove(k mpp.OperationKind) bool {
	return k == mpp.OpFailover || k == mpp.OpSwitchover || k == mpp.OpReopen
}

func severityOf(k mpp.OperationKind) mpp.Status {
	switch k {
	case mpp.OpFailover:
		return mpp.Critical
	case mpp.OpTestLinks:
		return mpp.Info
	default:
		return mpp.Warn
	}
}

// run asks for steps to be run.
func (a *Arbiter) run(tasks []mpp.Task) {
	for i := range tasks {
		a.headChanged = true
		a.headSync = a.headSync || tasks[i].Step.Kind == mpp.StepPromote
		a.out = append(a.out, mpp.Action{Kind: mpp.ActionRun, Node: tasks[i].Step.Node, Task: &tasks[i]})
	}
}

// stepEnded takes in what came of a step.
func (a *Arbiter) stepEnded(now time.Time, r *mpp.StepResult) {
	for _, op := range append([]*mpp.Operation{a.head.Operation}, a.head.Repairs...) {
		if !plan.Take(op, r) {
			continue
		}
		a.headChanged = true
		st := op.Steps[r.Step-1]
		if st.Kind == mpp.StepTestLink {
			a.linkTested(now, &st)
		}
		if st.Kind == mpp.StepRepoint || st.Kind == mpp.StepStartReplica {
			a.out = append(a.out, mpp.Action{Kind: mpp.ActionPoll, Node: st.Node})
		}
	}
}

// advanceRole goes on with the operation that moves the role.
func (a *Arbiter) advanceRole(now time.Time) {
	op := a.head.Operation
	if op == nil {
		return
	}
	phase := op.Phase
	tasks := plan.Advance(now, op, a.facts(now))
	a.run(tasks)
	if plan.Opened(op) {
		a.moveRole(now, op)
	}
	if op.Phase != phase {
		a.headChanged = true
	}
	if op.Outcome != "" {
		a.endRole(now, op)
	}
}

// moveRole lets the states follow a promotion that is done: old and new in one step.
func (a *Arbiter) moveRole(now time.Time, op *mpp.Operation) {
	n := a.index[op.New]
	if n == nil || n.mem.State == mpp.Active {
		return
	}
	if old := a.index[op.Old]; old != nil && old.mem.State == mpp.Active {
		if op.Kind == mpp.OpFailover {
			a.enter(now, old, state.Change{Event: state.Fail, Reason: mpp.Offline, Rule: ruleFailover, Evidence: op.Reason})
		} else {
			a.demote(now, old, ruleSwitchover, byWhomText(op.By))
			a.clearErrors(old)
		}
	}
	for _, other := range a.active(n) { // nobody else can be: invariant 1 whatever happened
		a.demote(now, other, ruleOneActive, op.New+" was promoted")
	}
	if n.mem.State != mpp.Standby { // commands and the ladder leave it alone meanwhile
		a.tell(now, mpp.Event{
			Kind: mpp.EventOperation, Severity: mpp.Critical, Node: op.New, Rule: string(op.Kind),
			Text: fmt.Sprintf("%s was promoted while its state was %s", op.New, n.mem.State),
		})
		a.recover(now, n, string(op.Kind), "it takes writes now")
		a.admit(now, n)
	}
	for _, other := range a.nodes {
		other.unpointed = ""
		other.endRow() // what failed, or was done in vain, under another writer
	}
	evidence := fmt.Sprintf("%s %d: %s", op.Kind, op.ID, op.Reason)
	a.enter(now, n, state.Change{Event: state.Promote, Rule: string(op.Kind), Evidence: evidence})
	a.clearErrors(n)
	n.unfit, n.mem.Errant, n.mem.Closed, n.strays = "", "", false, 0
	n.mem.WritableSince = time.Time{}
	if n.spoke != nil {
		n.mem.WritableSince = n.spoke.Server.StartedAt
	}
	if op.Kind == mpp.OpFailover {
		a.head.LastFailover = now
	}
	a.headChanged, a.headSync = true, true
}

// endRole takes in that the operation which moves the role has ended.
func (a *Arbiter) endRole(now time.Time, op *mpp.Operation) {
	repeats := a.repeats(op)
	a.head.Operation, a.settled, a.readiness = nil, now, nil
	for _, n := range a.nodes {
		n.address = nil // looked at while the address moved
	}
	a.headChanged, a.headSync = true, true
	severity := mpp.Info
	switch {
	case op.Outcome == mpp.Stopped:
		severity = mpp.Fail
	case op.Outcome == mpp.RolledBack:
		severity = mpp.Warn
	case op.Kind == mpp.OpFailover:
		severity = mpp.Warn
	}
	if op.Kind == mpp.OpFailover {
		switch op.Outcome {
		case mpp.Completed:
			a.head.LastFailover = now
		case mpp.Stopped:
			a.head.Unacknowledged = append(slices.Clone(a.head.Unacknowledged), op.ID)
		default:
		}
	}
	if n := a.index[op.New]; op.Kind == mpp.OpReopen && n != nil {
		n.strays = 0
		n.pauseRepairs(now, op.Outcome == mpp.Completed, fencePauseMost)
	}
	if n := a.index[op.Old]; n != nil && n.mem.State == mpp.Active && plan.Touched(op) {
		n.mem.Closed, n.closesUntil = true, now.Add(lateStatement)
		a.touch(n)
	}
	for _, address := range plan.Halted(op) {
		if n := a.index[address]; n != nil {
			n.mem.Halted = true
			a.touch(n)
		}
	}
	a.noteUnpointed(op)
	if !repeats {
		a.tellOperation(now, op, severity, string(op.Outcome)+": "+op.Why)
		a.out = append(a.out, mpp.Action{Kind: mpp.ActionReport, Operation: op.Clone()})
	}
	a.takeBackPointed(now, op)
	for _, n := range a.nodes {
		a.out = append(a.out, mpp.Action{Kind: mpp.ActionPoll, Node: n.policy.Address})
	}
}

// takeBackPointed takes old writers back that have been made replicas of the new ACTIVE node, as a
// rejoin does.
func (a *Arbiter) takeBackPointed(now time.Time, op *mpp.Operation) {
	for i := range op.Steps {
		st := &op.Steps[i]
		n := a.index[st.Node]
		if st.Kind == mpp.StepRepoint && !st.Undo && st.Status == mpp.StepDone && st.Peer == op.New && n != nil &&
			n.mem.State == mpp.Failed && n.mem.Rule == ruleFailover && n.mem.Failing != mpp.Reach && !a.held(now, n) {
			a.recover(now, n, ruleRejoin, "it was made a replica of "+op.New)
		}
	}
}

// tellOperation tells how an operation goes.
func (a *Arbiter) tellOperation(now time.Time, op *mpp.Operation, severity mpp.Status, text string) {
	what := string(op.Kind)
	switch {
	case op.Old != "" && op.New != "":
		what += " " + op.Old + " -> " + op.New
	case op.Old != "":
		what += " of " + op.Old
	case op.New != "":
		what += " of " + op.New
	}
	a.tell(now, mpp.Event{
		Kind: mpp.EventOperation, Severity: severity, Node: op.Old, From: op.Old, To: op.New, Rule: string(op.Kind),
		Text: fmt.Sprintf("operation %d, %s, %s", op.ID, what, text),
	})
}

func byWhomText(by string) string {
	if by == "" {
		return "decided by MPP"
	}
	return "asked for by " + by
}
