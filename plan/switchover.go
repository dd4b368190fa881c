package plan

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"mpp"
)

// The phases of a switchover, in order, and those of taking it back.
const (
	phaseCheck    = "check"
	phasePrepare  = "prepare"
	phaseQuiet    = "quiet"
	phaseAwait    = "await"
	phaseCut      = "cut"
	phaseFinal    = "final"
	phaseCatchUp  = "catch-up"
	phaseUndoNew  = "undo-new"
	phaseUndoOld  = "undo-old"
	phaseUndoRest = "undo-rest"
)

// cutLimit bounds each step between the last write on the old node and the first on the new one,
// where step_timeout is longer: it is the longest that the pool can be without a writer.
const cutLimit = 5 * time.Second

func switchoverScript() []phase {
	return []phase{
		{phaseCheck, check, orUndo(phasePrepare)},
		{phasePrepare, prepare, orUndo(phaseQuiet)},
		{phaseQuiet, quiet, orUndo(phaseAwait)},
		{phaseAwait, await, orUndo(phaseCut)},
		{phaseCut, cut, orUndo(phaseFinal)},
		{phaseFinal, final, orUndo(phaseCatchUp)},
		{phaseCatchUp, catchUp, orUndo(phaseReady)},
		{phaseReady, lastLook, afterLastLook},
		{phasePromote, promoteSwitched, afterSwitched},
		{phaseAddress, address, opened(phaseRepoint)},
		{phaseRepoint, repointSwitched, func(*scene) next { return goOn(phaseAfter) }},
		{phaseAfter, func(s *scene) []mpp.Step { return s.hook(mpp.HookAfterSwitchover) }, afterSwitchover},
		{phaseUndoNew, undoNew, func(*scene) next { return goOn(phaseUndoOld) }},
		{phaseUndoOld, undoOld, afterUndoOld},
		{phaseUndoRest, undoRest, afterUndo},
	}
}

// orUndo goes on when nothing failed that must not, and takes everything back otherwise.
func orUndo(on string) func(*scene) next {
	return func(s *scene) next {
		st := s.failed()
		if st == nil {
			return goOn(on)
		}
		s.op.Why = failure(st)
		return goOn(phaseUndoNew)
	}
}

func failure(st *mpp.Step) string {
	if st.Node == "" {
		return fmt.Sprintf("%s %s failed: %s", st.Kind, st.Detail, st.Text)
	}
	return fmt.Sprintf("%s on %s failed: %s", st.Kind, st.Node, st.Text)
}

// check tries, without touching anything, what the plan will need.
func check(s *scene) []mpp.Step {
	steps := []mpp.Step{{Kind: mpp.StepCheck, Node: s.op.Old}, {Kind: mpp.StepCheck, Node: s.op.New}}
	for _, n := range s.others(s.op.Old, s.op.New) {
		steps = append(steps, mpp.Step{Kind: mpp.StepCheck, Node: n.Address, Optional: true})
	}
	return steps
}

// prepare keeps applications out of the new node, and waits for it.
func prepare(s *scene) []mpp.Step {
	steps := s.hook(mpp.HookBeforeSwitchover)
	return append(steps,
		mpp.Step{Kind: mpp.StepReadOnly, Node: s.op.New},
		mpp.Step{Kind: mpp.StepAwaitSet, Node: s.op.New, GTID: s.ends(s.op.Old), Limit: s.wait()},
	)
}

func (s *scene) wait() time.Duration {
	if d := s.op.Options.Wait; d > 0 {
		return d
	}
	return s.f.Policy.Wait
}

// quiet keeps work from beginning on the old node that would be in the way.
func quiet(s *scene) []mpp.Step {
	var steps []mpp.Step
	if s.f.Policy.Events {
		steps = append(steps, mpp.Step{Kind: mpp.StepEventsOff, Node: s.op.Old})
	}
	if s.f.Policy.StopConnections == "lock" {
		steps = append(steps, mpp.Step{Kind: mpp.StepStopConnections, Node: s.op.Old, Detail: "lock"})
	}
	return steps
}

// await gives the transactions that are open now time to end.
func await(s *scene) []mpp.Step {
	limit := s.f.Policy.KillAfter
	if d := s.op.Options.KillAfter; d > 0 {
		limit = d
	}
	return []mpp.Step{{Kind: mpp.StepAwaitTransactions, Node: s.op.Old, Limit: limit, Optional: !s.f.Policy.RefuseLongTransactions}}
}

// cut ends writing on the old node. From here on the pool has no writer.
func cut(s *scene) []mpp.Step {
	at := func(kind mpp.StepKind, detail string) mpp.Step {
		return mpp.Step{Kind: kind, Node: s.op.Old, Detail: detail, Limit: min(cutLimit, s.f.Policy.StepTimeout)}
	}
	steps := []mpp.Step{at(mpp.StepReadOnly, ""), at(mpp.StepEndSessions, "")}
	if s.f.Policy.StopConnections == "offline_mode" {
		steps = append(steps, at(mpp.StepStopConnections, "offline_mode"))
	}
	return steps
}

// final reads where the old node ends, after its last session is gone: one that may pass
// read_only could have written until then.
func final(s *scene) []mpp.Step {
	limit := min(cutLimit, s.f.Policy.StepTimeout)
	steps := []mpp.Step{{Kind: mpp.StepPosition, Node: s.op.Old, Limit: limit}}
	if s.f.Policy.Addresses {
		// Not before the sessions have ended: without the address no client would hear of it.
		steps = append(steps, mpp.Step{Kind: mpp.StepRemoveAddress, Node: s.op.Old, Limit: limit})
	}
	return steps
}

// lastLook runs the hooks, and reads once more where the old node ends.
func lastLook(s *scene) []mpp.Step {
	return append(s.hook(mpp.HookBeforePromote), mpp.Step{
		Kind: mpp.StepPosition, Node: s.op.Old, Limit: min(cutLimit, s.f.Policy.StepTimeout),
	})
}

// afterLastLook gives up when somebody writes on the old node although it is read-only and its
// sessions were ended: what he writes would be lost.
func afterLastLook(s *scene) next {
	follow := orUndo(phasePromote)(s)
	if follow.phase != phasePromote {
		return follow
	}
	then, now := s.positionIn(phaseFinal), s.positionIn(phaseReady)
	if then == nil || now == nil {
		return follow
	}
	flavour := s.f.node(s.op.Old).flavour()
	was, err := executed(flavour, *then)
	is, err2 := executed(flavour, *now)
	if err != nil || err2 != nil || was.Contains(is) {
		return follow
	}
	s.op.Why = fmt.Sprintf("%s was written to after it was closed (%s): an account passes read_only (READ ONLY ADMIN, SUPER); block = \"lock\" or \"revoke\" keeps it out",
		s.op.Old, is.Minus(was).String())
	return goOn(phaseUndoNew)
}

// positionIn is the old node's position by the last step of a phase that read it, nil for none.
func (s *scene) positionIn(phase string) *mpp.Position {
	for i := len(s.op.Steps) - 1; i >= 0; i-- {
		if st := &s.op.Steps[i]; st.Phase == phase && st.Kind == mpp.StepPosition && st.Node == s.op.Old && st.Status == mpp.StepDone {
			return st.Position
		}
	}
	return nil
}

func catchUp(s *scene) []mpp.Step {
	return []mpp.Step{{
		Kind: mpp.StepAwaitSet, Node: s.op.New, GTID: s.ends(s.op.Old), Limit: min(cutLimit, s.f.Policy.StepTimeout),
	}}
}

func promoteSwitched(s *scene) []mpp.Step {
	if s.forbidden() != "" {
		return nil
	}
	return []mpp.Step{{Kind: mpp.StepPromote, Node: s.op.New, Limit: min(cutLimit, s.f.Policy.StepTimeout)}}
}

func afterSwitched(s *scene) next {
	switch st := s.last(mpp.StepPromote, s.op.New); {
	case st == nil:
		s.op.Why = fmt.Sprintf("%s may not be promoted any more: %s", s.op.New, s.forbidden())
		return goOn(phaseUndoNew)
	case st.Status != mpp.StepDone:
		s.op.Why = failure(st)
		return goOn(phaseUndoNew)
	}
	s.op.NothingLost = fmt.Sprintf("%s had executed everything that %s had, after its last session was gone", s.op.New, s.op.Old)
	return goOn(phaseAddress)
}

// repointSwitched makes the others and the old node replicas of the new one.
func repointSwitched(s *scene) []mpp.Step {
	steps := repoint(s)
	old := s.op.Old
	steps = append(steps, mpp.Step{Kind: mpp.StepRepoint, Node: old, Peer: s.op.New, Optional: true})
	if s.f.Policy.ManageSemiSync {
		steps = append(steps, mpp.Step{Kind: mpp.StepSemiSync, Node: old, Detail: "replica", Optional: true})
	}
	if how := s.f.Policy.StopConnections; how == "lock" || how == "offline_mode" {
		steps = append(steps, mpp.Step{Kind: mpp.StepAllowConnections, Node: old, Detail: how, Optional: true})
	}
	return steps
}

func afterSwitchover(s *scene) next {
	for _, n := range s.others(s.op.New) {
		if st := s.last(mpp.StepRepoint, n.Address); st == nil || st.Status != mpp.StepDone {
			why := "it was not reachable"
			switch {
			case st != nil:
				why = st.Text
			case n.Held:
				why = "it is in maintenance and was left as it is"
			}
			s.note("%s is no replica of %s yet: %s; mpp rejoin %s", n.Address, s.op.New, why, n.Address)
		}
	}
	if st := s.last(mpp.StepAddAddress, s.op.New); st != nil && st.Status == mpp.StepFailed {
		return end(mpp.Completed, "%s takes writes, and has not got the virtual address yet: %s", s.op.New, st.Text)
	}
	if !s.done(mpp.StepRepoint, s.op.Old) {
		s.op.NothingLost = "" // it may hold what was written at the last moment
		return end(mpp.Completed, "%s takes writes, and %s is no replica of it yet", s.op.New, s.op.Old)
	}
	return end(mpp.Completed, "%s takes writes, %s is a replica", s.op.New, s.op.Old)
}

// undoNew closes the new node again, where its promotion may have begun.
func undoNew(s *scene) []mpp.Step {
	if !s.promoting() {
		return nil
	}
	return []mpp.Step{{Kind: mpp.StepReadOnly, Node: s.op.New, Undo: true, Optional: true, Limit: min(cutLimit, s.f.Policy.StepTimeout)}}
}

// undoOld gives the old node back what was taken from it, in the reverse order as far as the
// order matters: open it, then let clients find it.
func undoOld(s *scene) []mpp.Step {
	var steps []mpp.Step
	undo := func(kind mpp.StepKind, of mpp.StepKind) {
		st := s.last(of, s.op.Old)
		if last, _ := s.undone(kind); st == nil || (last != nil && last.Status == mpp.StepDone) {
			return
		}
		steps = append(steps, mpp.Step{Kind: kind, Node: s.op.Old, Detail: st.Detail, Undo: true, Optional: true})
	}
	undo(mpp.StepWritable, mpp.StepReadOnly)
	undo(mpp.StepAllowConnections, mpp.StepStopConnections)
	undo(mpp.StepAddAddress, mpp.StepRemoveAddress)
	return steps
}

// undoRest puts the rest back: events, and replication of the new node.
func undoRest(s *scene) []mpp.Step {
	var steps []mpp.Step
	if s.last(mpp.StepEventsOff, s.op.Old) != nil {
		steps = append(steps, mpp.Step{Kind: mpp.StepEventsOn, Node: s.op.Old, Undo: true, Optional: true})
	}
	if s.promoting() {
		steps = append(steps, mpp.Step{Kind: mpp.StepRepoint, Node: s.op.New, Peer: s.op.Old, Undo: true, Optional: true})
	}
	hooks := s.hook(mpp.HookRolledBack)
	for i := range hooks {
		hooks[i].Undo, hooks[i].Optional = true, true
	}
	return append(steps, hooks...)
}

// undoTries is how often it is tried to give the old node back what makes it the writer, while it
// answers.
const undoTries = 5

// afterUndoOld tries again what did not work: until it does, the pool has no writer.
func afterUndoOld(s *scene) next {
	for _, kind := range restored() {
		st, tries := s.undone(kind)
		if st != nil && st.Status == mpp.StepFailed && !st.Unreachable && tries < undoTries {
			return goOn(phaseUndoOld)
		}
	}
	return goOn(phaseUndoRest)
}

// restored are the kinds of steps that make the old node the writer again.
func restored() []mpp.StepKind {
	return []mpp.StepKind{mpp.StepWritable, mpp.StepAllowConnections, mpp.StepAddAddress}
}

// undone is the latest step of a kind that takes something back, nil for none, and how many there were.
func (s *scene) undone(kind mpp.StepKind) (last *mpp.Step, tries int) {
	for i := range s.op.Steps {
		if st := &s.op.Steps[i]; st.Undo && st.Kind == kind {
			last = st
			tries++
		}
	}
	return last, tries
}

// afterUndo says how the taking back went.
func afterUndo(s *scene) next {
	for _, kind := range restored() {
		if st, _ := s.undone(kind); st != nil && st.Status != mpp.StepDone {
			return end(mpp.Stopped, "%s; and %s could not be restored as the writer: %s", s.op.Why, s.op.Old, failure(st))
		}
	}
	if !s.undoing() {
		return end(mpp.RolledBack, "nothing was changed: %s", s.op.Why)
	}
	for i := range s.op.Steps {
		st := &s.op.Steps[i]
		if st.Undo && st.Status == mpp.StepFailed && !slices.Contains(restored(), st.Kind) {
			s.note("not put back: %s", failure(st))
		}
	}
	return end(mpp.RolledBack, "%s takes writes again: %s", s.op.Old, s.op.Why)
}

// RefuseSwitchover says why a switchover to a node must not even be tried, "" when it may: every
// reason that can be seen without touching anything.
func RefuseSwitchover(f *Facts, old, target string) string {
	o, n := f.node(old), f.node(target)
	switch {
	case o == nil:
		return "no node is ACTIVE: there is nothing to switch over from (mpp failover promotes one)"
	case n == nil:
		return fmt.Sprintf("pool %s has no node %s", f.Pool, target)
	case old == target:
		return target + " is ACTIVE already"
	case !o.Reachable:
		return old + " does not answer: a switchover needs it alive (mpp failover is for when it is not)"
	case n.Barred != "":
		return fmt.Sprintf("%s: %s", target, n.Barred)
	case n.Errant != "":
		return fmt.Sprintf("%s: %s", target, errantReason(n))
	case promotableSettings(n) != "":
		return fmt.Sprintf("%s: %s", target, promotableSettings(n))
	case !Follows(n, o):
		return fmt.Sprintf("%s is not a replica of %s", target, old)
	}
	if s := n.settings(); s != nil && s.BinlogFormat != "" && o.settings() != nil && formatRank(n) > formatRank(o) {
		return fmt.Sprintf("%s has binlog_format %s, %s has %s: its replicas would get less safe events", target, s.BinlogFormat, old, o.settings().BinlogFormat)
	}
	return f.tooNew(n)
}

// tooNew says which replica could not follow a newer target, "" for none.
func (f *Facts) tooNew(target *Node) string {
	for i := range f.Nodes {
		n := &f.Nodes[i]
		if n != target && n.Reachable && series(n) != nil && series(target) != nil && compareVersions(target, n) > 0 {
			return fmt.Sprintf("%s runs %s, and %s, which would have to replicate from it, runs %s: a replica must not be older than its source",
				target.Address, target.Observation.Server.Version, n.Address, n.Observation.Server.Version)
		}
	}
	return ""
}

// BestTarget is the node that a switchover without a target goes to, "" when there is none. It is the
// first of the order of succession that keeps up: who has a few transactions more at this moment is
// chance, and all of them will be waited for.
func BestTarget(f *Facts, old string) (target, why string) {
	why = "the pool has no other node"
	all, _ := standings(f, old, nil, nil)
	slices.SortStableFunc(all, func(a, b *standing) int {
		late := func(s *standing) int { return btoi(s.node.lag() > f.Policy.MaxLag) }
		return cmp.Or(cmp.Compare(btoi(a.why != ""), btoi(b.why != "")), cmp.Compare(late(a), late(b)), prefers(a, b))
	})
	for _, s := range all {
		c, refused := s.candidate(1), s.why
		if refused == "" {
			if refused = RefuseSwitchover(f, old, c.Address); refused == "" {
				return c.Address, ""
			}
		}
		if why == "the pool has no other node" {
			why = ""
		} else {
			why += "; "
		}
		why += c.Address + ": " + refused
	}
	return "", why
}
