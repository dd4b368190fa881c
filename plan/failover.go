package plan

import (
	"fmt"
	"time"

	"mpp"
)

// The phases of a failover, in order. complete, tail and the choice may come round again with
// another candidate.
const (
	phaseBefore   = "before"
	phaseFence    = "fence"
	phaseAgain    = "again"
	phaseChoose   = "choose"
	phaseDrain    = "drain"
	phaseComplete = "complete"
	phaseTail     = "tail"
	phaseCount    = "count"
	phaseReady    = "ready"
	phasePromote  = "promote"
	phaseRefence  = "refence"
	phaseAddress  = "address"
	phaseRepoint  = "repoint"
	phaseAfter    = "after"
	phaseGiveUp   = "give-up"
	phaseGaveUp   = "gave-up"
	// phaseTakeBack and phaseTakenBack are for a failover of which the reason has gone.
	phaseTakeBack  = "take-back"
	phaseTakenBack = "taken-back"
)

// receiverLimit bounds how long a replica may take to stop its receiver: one that hangs must not
// hold up the others.
const receiverLimit = 2 * time.Second

func failoverScript() []phase {
	return []phase{
		{phaseBefore, func(s *scene) []mpp.Step { return s.hook(mpp.HookBeforeFailover) }, afterHooks(phaseFence, phaseGiveUp)},
		{phaseFence, fence, afterFence},
		{phaseAgain, again, func(*scene) next { return goOn(phaseChoose) }},
		{phaseChoose, choose, afterChoose},
		{phaseDrain, drain, afterDrain},
		{phaseComplete, complete, afterComplete},
		{phaseTail, tail, afterTail},
		{phaseCount, look, afterLook},
		{phaseReady, ready, afterReady},
		{phasePromote, promote, afterPromote},
		{phaseRefence, refence, func(*scene) next { return goOn(phaseChoose) }},
		{phaseAddress, address, opened(phaseRepoint)},
		{phaseRepoint, repoint, func(*scene) next { return goOn(phaseAfter) }},
		{phaseAfter, func(s *scene) []mpp.Step { return s.hook(mpp.HookAfterFailover) }, afterFailover},
		{phaseGiveUp, giveUp, func(*scene) next { return goOn(phaseGaveUp) }},
		{phaseGaveUp, func(s *scene) []mpp.Step { return s.hook(mpp.HookAfterFailover) }, afterGiveUp},
		{phaseTakeBack, giveUp, func(*scene) next { return goOn(phaseTakenBack) }},
		{phaseTakenBack, func(s *scene) []mpp.Step { return optional(s.hook(mpp.HookRolledBack)) }, func(s *scene) next {
			return end(mpp.RolledBack, "%s", s.op.Why)
		}},
	}
}

// optional makes steps such that their failure ends nothing.
func optional(steps []mpp.Step) []mpp.Step {
	for i := range steps {
		steps[i].Optional = true
	}
	return steps
}

// afterHooks goes on, or to the other phase when a hook that may has said abort.
func afterHooks(on, abort string) func(*scene) next {
	return func(s *scene) next {
		if st := s.failed(); st != nil {
			s.op.Why = "a hook stopped it: " + st.Text
			return goOn(abort)
		}
		return goOn(on)
	}
}

// byHand is the Detail of a stop-receiver at a node where somebody had stopped it before: it stays so.
const byHand = "stopped by hand"

// fence makes sure that the old node takes no more writes, as far as it can be reached, and at
// the same time lets the replicas stop to receive, so that their positions are final.
func fence(s *scene) []mpp.Step {
	p := s.f.Policy
	steps := s.fenceOld()
	if old := s.f.node(s.op.Old); old != nil && p.BinlogTail && old.Host && old.settings() != nil {
		steps = append(steps, mpp.Step{
			Kind: mpp.StepBinlogEnd, Node: old.Address, Limit: s.patience(old, mpp.StepBinlogEnd), Optional: true, Log: old.settings().LogBase,
		})
	}
	for _, n := range s.others(s.op.Old) {
		if n.heard() {
			stop := mpp.Step{Kind: mpp.StepStopReceiver, Node: n.Address, Optional: true, Limit: min(receiverLimit, p.StepTimeout)}
			if n.stopped() {
				stop.Detail = byHand
			}
			if Follows(n, s.f.node(s.op.Old)) {
				stop.Peer = s.op.Old // its places in a binary log are the old node's
			}
			steps = append(steps, stop)
		}
	}
	return steps
}

// fenceOld are the steps by which the old node takes no more writes, by every way that there is.
func (s *scene) fenceOld() []mpp.Step {
	p, old := s.f.Policy, s.f.node(s.op.Old)
	if old == nil {
		return nil
	}
	var steps []mpp.Step
	add := func(kind mpp.StepKind, limit time.Duration) {
		steps = append(steps, mpp.Step{Kind: kind, Node: old.Address, Limit: limit, Optional: true})
	}
	if p.Addresses {
		add(mpp.StepRemoveAddress, s.patience(old, mpp.StepRemoveAddress))
	}
	add(mpp.StepReadOnly, s.patience(old, mpp.StepReadOnly))
	add(mpp.StepEndSessions, s.patience(old, mpp.StepEndSessions))
	if p.Shutdown {
		add(mpp.StepShutdown, p.ShutdownTimeout)
	}
	return steps
}

// patience bounds a step that fences. What has not answered a row of polls is given half of the time:
// from a host that answers nothing, ssh will hear no more than the polls have; from a server that
// hangs, only SQL will not.
func (s *scene) patience(old *Node, kind mpp.StepKind) time.Duration {
	p := s.f.Policy
	bySQL := kind == mpp.StepReadOnly || kind == mpp.StepEndSessions
	switch {
	case p.FenceRequired || s.op.MustFence:
		return p.FenceTimeout
	case old.Trouble == mpp.KindNoAnswer, bySQL && (old.Trouble == mpp.KindNoHandshake || old.Trouble == mpp.KindHung):
		return p.FenceTimeout / 2
	default:
		return p.FenceTimeout
	}
}

// fenced says by what the old node is known to take no more writes, "" when it is not known.
func (s *scene) fenced() string {
	switch {
	case s.done(mpp.StepShutdown, s.op.Old):
		return "it was turned off"
	case s.done(mpp.StepReadOnly, s.op.Old):
		return "it is read-only"
	case s.f.Policy.Addresses && s.done(mpp.StepRemoveAddress, s.op.Old):
		return "it has lost the virtual address"
	default:
		return ""
	}
}

func afterFence(s *scene) next {
	if why := s.unfenced(); why != "" {
		s.op.Why = fmt.Sprintf("%s could not be fenced, and %s", s.op.Old, why)
		return goOn(phaseGiveUp)
	}
	return goOn(phaseAgain)
}

// again lets replicas stop to receive that have answered with an error, or that their polls reach: once
// more, since a node whose position is not final cannot be promoted, and what it has may be missing. The
// manager may have been frozen meanwhile.
func again(s *scene) []mpp.Step {
	var steps []mpp.Step
	for i := range s.op.Steps {
		st := &s.op.Steps[i]
		n := s.f.node(st.Node)
		if st.Kind == mpp.StepStopReceiver && st.Status == mpp.StepFailed && (!st.Unreachable || n != nil && n.Reachable) {
			steps = append(steps, mpp.Step{Kind: st.Kind, Node: st.Node, Peer: st.Peer, Detail: st.Detail, Limit: st.Limit, Optional: true})
		}
	}
	return steps
}

// worthAnother reports whether a step of a kind at a node has failed with an answer, for the first time:
// an error may be gone by now, and all that it takes is another step. One that has used up its time would
// do so again.
func (s *scene) worthAnother(kind mpp.StepKind, node string) bool {
	tries := 0
	for i := range s.op.Steps {
		if st := &s.op.Steps[i]; st.Kind == kind && st.Node == node && !st.Undo {
			tries++
		}
	}
	st := s.last(kind, node)
	return tries == 1 && st.Status == mpp.StepFailed && !st.Unreachable && st.Took < st.Limit/2
}

// unfenced says why the plan must not go on while the old node is not known to be fenced, "" when it
// is, or may.
func (s *scene) unfenced() string {
	switch {
	case s.op.Old == "" || s.fenced() != "":
		return ""
	case s.f.Policy.FenceRequired:
		return "fence = \"required\""
	case s.op.MustFence:
		return "nobody replicated from it who could say whether it lives"
	default:
		return ""
	}
}

// choose takes the next candidate by the order of succession. It has no steps.
func choose(s *scene) []mpp.Step {
	s.op.New = ""
	s.op.Candidates, _ = rank(s.f, s.op.Old, s.positions(), s.excluded())
	for _, c := range s.op.Candidates {
		if c.Rank > 0 && (s.op.Wanted == "" || s.op.Wanted == c.Address) {
			s.op.New = c.Address
			break
		}
	}
	return nil
}

// excluded are the nodes that were tried, or whose final position could not be read.
func (s *scene) excluded() map[string]string {
	out := map[string]string{}
	for i := range s.op.Steps {
		st := &s.op.Steps[i]
		if st.Status != mpp.StepFailed || s.last(st.Kind, st.Node) != st {
			continue
		}
		switch st.Kind {
		case mpp.StepStopReceiver, mpp.StepDrain, mpp.StepPromote:
			out[st.Node] = fmt.Sprintf("%s failed: %s", st.Kind, st.Text)
		case mpp.StepCopyFrom, mpp.StepBinlogTail:
			if st.Unreachable {
				out[st.Node] = fmt.Sprintf("%s failed: %s", st.Kind, st.Text)
			}
		default:
		}
	}
	return out
}

func afterChoose(s *scene) next {
	if s.op.New != "" {
		return goOn(phaseDrain)
	}
	s.op.Why = "no node can take over: " + whyNobody(s.op.Candidates)
	if s.op.Wanted != "" {
		s.op.Why = fmt.Sprintf("%s cannot take over: %s", s.op.Wanted, whyNobody(s.op.Candidates))
	}
	return goOn(phaseGiveUp)
}

func whyNobody(list []mpp.Candidate) string {
	text := ""
	for _, c := range list {
		if c.Rank == 0 {
			text += fmt.Sprintf("; %s: %s", c.Address, c.Why)
		}
	}
	if text == "" {
		return "the pool has no other node"
	}
	return text[2:]
}

// newsHolds is how long what is known of the old node is taken to be so: while it is lost, polls of it
// follow each other in less time than that.
const newsHolds = 3 * time.Second

// ready runs the hooks before the promotion. Where the old node has come back meanwhile and takes
// writes, or may have since nobody has looked for too long, it is fenced once more: what it takes from
// now on would be lost.
func ready(s *scene) []mpp.Step {
	steps := s.hook(mpp.HookBeforePromote)
	if s.back() || s.unseen() {
		steps = append(steps, s.fenceOld()...)
	}
	return steps
}

// unseen reports whether nothing was heard or tried of the old node for too long: the manager was frozen.
func (s *scene) unseen() bool {
	n := s.f.node(s.op.Old)
	if n == nil {
		return false
	}
	news := n.AskedAt
	for i := range s.op.Steps {
		if st := &s.op.Steps[i]; st.Node == s.op.Old && st.Status != mpp.StepSkipped && st.Began.Add(st.Took).After(news) {
			news = st.Began.Add(st.Took)
		}
	}
	return s.now.Sub(news) > newsHolds
}

// back reports whether the old node answers and is not known to be read-only: fencing it has failed,
// or its server was started since.
func (s *scene) back() bool {
	n := s.f.node(s.op.Old)
	if n == nil || !n.Answers || n.Observation == nil || n.Observation.Server.ReadOnly {
		return false
	}
	fence := s.last(mpp.StepReadOnly, s.op.Old)
	return fence == nil || fence.Status != mpp.StepDone || n.Observation.At.After(fence.Began.Add(fence.Took))
}

func afterReady(s *scene) next {
	if why := s.unfenced(); s.failed() == nil && why != "" {
		s.op.Why = fmt.Sprintf("%s has come back and could not be fenced, and %s", s.op.Old, why)
		return goOn(phaseGiveUp)
	}
	return afterHooks(phasePromote, phaseGiveUp)(s)
}

// promote has no step when the operator has forbidden it in the meantime.
func promote(s *scene) []mpp.Step {
	if s.forbidden() != "" {
		return nil
	}
	return []mpp.Step{{Kind: mpp.StepPromote, Node: s.op.New}}
}

func afterPromote(s *scene) next {
	switch {
	case s.worthAnother(mpp.StepPromote, s.op.New) && s.forbidden() == "":
		return goOn(phasePromote)
	case !s.done(mpp.StepPromote, s.op.New):
		return goOn(phaseRefence)
	}
	s.doubt()
	return goOn(phaseAddress)
}

// forbidden says why the new node must not be promoted any more, "" for nothing.
func (s *scene) forbidden() string {
	if n := s.f.node(s.op.New); n != nil {
		return n.Forbidden
	}
	return "it is not in the configuration"
}

// opened notes that clients are served again: the new node is open and has the address.
func opened(follow string) func(*scene) next {
	return func(s *scene) next {
		s.op.Opened = s.now
		return goOn(follow)
	}
}

// refence closes a candidate whose promotion failed: it may have been opened all the same.
func refence(s *scene) []mpp.Step {
	return []mpp.Step{{Kind: mpp.StepReadOnly, Node: s.op.New, Limit: s.f.Policy.FenceTimeout, Optional: true, Undo: false}}
}

// address moves the virtual address, and sets what must be set before writers come in.
func address(s *scene) []mpp.Step {
	var steps []mpp.Step
	if s.f.Policy.Addresses {
		steps = append(steps, mpp.Step{Kind: mpp.StepAddAddress, Node: s.op.New, Optional: true})
	}
	if s.f.Policy.ManageSemiSync {
		steps = append(steps, mpp.Step{Kind: mpp.StepSemiSync, Node: s.op.New, Detail: "source", Optional: true})
	}
	return steps
}

// repoint makes the other nodes replicas of the new one.
func repoint(s *scene) []mpp.Step {
	steps := optional(s.hook(mpp.HookAfterPromote))
	for _, n := range s.others(s.op.Old, s.op.New) {
		if n.heard() && !n.Held {
			steps = append(steps, mpp.Step{Kind: mpp.StepRepoint, Node: n.Address, Peer: s.op.New, Optional: true, Limit: s.f.Policy.ApplyTimeout})
		}
	}
	if s.f.Policy.Events {
		steps = append(steps, mpp.Step{Kind: mpp.StepEventsOn, Node: s.op.New, Optional: true})
	}
	return steps
}

func afterFailover(s *scene) next {
	s.tellLeft()
	if st := s.last(mpp.StepAddAddress, s.op.New); st != nil && st.Status != mpp.StepDone {
		return end(mpp.Completed, "%s takes writes, and has not got the virtual address yet: %s", s.op.New, st.Text)
	}
	return end(mpp.Completed, "%s takes writes", s.op.New)
}

// tellLeft notes what the operator should know and do.
func (s *scene) tellLeft() {
	for _, n := range s.others(s.op.Old, s.op.New) {
		st := s.last(mpp.StepRepoint, n.Address)
		switch {
		case st == nil && n.Held:
			s.note("%s is in maintenance and was left as it is: mpp rejoin %s makes it a replica of %s", n.Address, n.Address, s.op.New)
		case st == nil:
			s.note("%s was not reachable and still replicates from %s, if it runs: mpp rejoin %s", n.Address, s.op.Old, n.Address)
		case st.Status == mpp.StepFailed:
			s.note("%s could not be made a replica of %s: %s; mpp rejoin %s tries again", n.Address, s.op.New, st.Text, n.Address)
		}
	}
	if s.op.Old == "" {
		return
	}
	if by := s.fenced(); by != "" {
		s.note("%s is fenced: %s", s.op.Old, by)
	} else {
		s.note("%s could not be fenced: it did not answer; MPP fences it as soon as it does", s.op.Old)
	}
	s.note("to bring %s back: start it, and it is made a replica again if it holds nothing extra; else mpp rejoin %s tells what it holds", s.op.Old, s.op.Old)
}

// giveUp lets replicas receive again that were stopped for the plan, or may have been.
func giveUp(s *scene) []mpp.Step {
	s.op.Lost, s.op.LostCount, s.op.NothingLost = "", 0, "" // nothing is decided
	var steps []mpp.Step
	for i := range s.op.Steps {
		if st := s.op.Steps[i]; st.Kind == mpp.StepStopReceiver && st.Detail != byHand && s.last(st.Kind, st.Node).N == st.N {
			steps = append(steps, mpp.Step{Kind: mpp.StepStartReplica, Node: st.Node, Undo: true, Optional: true})
		}
	}
	return steps
}

func afterGiveUp(s *scene) next {
	return end(mpp.Stopped, "%s", s.op.Why)
}
