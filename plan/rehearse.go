package plan

import (
	"slices"
	"time"

	"mpp"
	"mpp/gtid"
)

// Rehearse plays an operation through as if each step were done at once, and returns it with the
// steps that it would take: what a dry run shows. A note says why it would stop before its end.
func Rehearse(now time.Time, f *Facts, op mpp.Operation) *mpp.Operation {
	r := Begin(now, f, op)
	for tasks := Advance(now, r, f); len(tasks) > 0; tasks = Advance(now, r, f) {
		for _, t := range slices.Backward(tasks) { // positions of replicas before the end of the log
			result := mpp.StepResult{Operation: r.ID, Step: t.Step.N, Done: true, Alive: true}
			result.Position = rehearsed(&scene{now, r, f}, &t.Step)
			Take(r, &result)
		}
	}
	for i := range r.Steps {
		st := &r.Steps[i]
		st.Status, st.Began, st.Position = StepPlanned, time.Time{}, nil
	}
	r.Notes = nil
	if r.Outcome == mpp.Stopped || r.Outcome == mpp.RolledBack {
		r.Notes = []string{"it would stop: " + r.Why}
	}
	r.Outcome, r.Why, r.Opened, r.Ended, r.NothingLost = "", "", time.Time{}, time.Time{}, ""
	return r
}

// rehearsed is the position that a step would bring, nil for none.
func rehearsed(s *scene, st *mpp.Step) *mpp.Position {
	n := s.f.node(st.Node)
	if n == nil {
		return nil
	}
	p := s.position(st.Node)
	switch st.Kind {
	case mpp.StepDrain:
		p.Executed = both(n, p.Executed, p.Received)
	case mpp.StepCopyFrom, mpp.StepAwaitSet:
		p.Executed = both(n, p.Executed, st.GTID)
	case mpp.StepBinlogTail:
		p.Executed = both(n, p.Executed, s.op.Known)
	case mpp.StepBinlogEnd:
		// Whether there is a tail is known when the host is asked: it is read where something
		// is known to be missing.
		if log, pos := s.readUpTo(); log != "" && s.knownMissing() {
			p.OwnLog, p.OwnPos = log, pos+1
		}
	default:
	}
	return &p
}

// both is the union of two sets, the first when one cannot be read.
func both(n *Node, a, b string) string {
	x, err := gtid.Parse(n.flavour(), a)
	if err != nil {
		return a
	}
	y, err := gtid.Parse(n.flavour(), b)
	if err != nil {
		return a
	}
	return x.Union(y).String()
}

// knownMissing reports whether the old node was known to have what no other has.
func (s *scene) knownMissing() bool {
	lost, err := KnownMissing(s.f, s.op.Old)
	return err == nil && !lost.IsEmpty()
}

// StepPlanned is the status of a step in a rehearsal.
const StepPlanned mpp.StepStatus = "planned"
