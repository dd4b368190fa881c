package plan

import (
	"mpp"
)

// drain lets the candidate, and the node that it is completed from, execute what they have
// received.
func drain(s *scene) []mpp.Step {
	steps := []mpp.Step{{Kind: mpp.StepDrain, Node: s.op.New, Limit: s.f.Policy.ApplyTimeout}}
	if donor, _ := s.donor(); donor != "" {
		steps = append(steps, mpp.Step{Kind: mpp.StepDrain, Node: donor, Limit: s.f.Policy.ApplyTimeout, Optional: true})
	}
	return append(steps, s.endAgain()...)
}

// endAgain asks for the end of the old node's binary log once more, where its server has answered the
// fencing: what it has written until then came after the first look, perhaps.
func (s *scene) endAgain() []mpp.Step {
	end := s.last(mpp.StepBinlogEnd, s.op.Old)
	if end == nil || !s.done(mpp.StepReadOnly, s.op.Old) || s.endIsFinal() {
		return nil
	}
	return []mpp.Step{{Kind: mpp.StepBinlogEnd, Node: s.op.Old, Log: end.Log, Limit: s.f.Policy.FenceTimeout, Optional: true}}
}

// endIsFinal reports whether the end of the old node's binary log was read after it was read-only.
func (s *scene) endIsFinal() bool {
	end, closed := s.last(mpp.StepBinlogEnd, s.op.Old), s.last(mpp.StepReadOnly, s.op.Old)
	return end != nil && closed != nil && closed.Status == mpp.StepDone && !end.Began.Before(closed.Began.Add(closed.Took))
}

func afterDrain(s *scene) next {
	switch {
	case s.f.node(s.op.New) == nil:
		return goOn(phaseChoose)
	case s.worthAnother(mpp.StepDrain, s.op.New):
		return goOn(phaseDrain)
	case !s.done(mpp.StepDrain, s.op.New):
		return goOn(phaseChoose)
	}
	return goOn(phaseComplete)
}

// donor is the node that has most of what the candidate lacks, with everything it has; "" when
// the candidate lacks nothing that anybody reachable has.
func (s *scene) donor() (address, set string) {
	mine, err := whole(s.f.node(s.op.New).flavour(), s.position(s.op.New))
	if err != nil {
		return "", ""
	}
	most := uint64(0)
	for _, n := range s.others(s.op.Old, s.op.New) {
		if !n.heard() || n.Errant != "" || s.excluded()[n.Address] != "" || n.keptBack(s.f.Policy.ApplyTimeout) != "" {
			continue
		}
		theirs, err := whole(n.flavour(), s.position(n.Address))
		if err != nil {
			continue
		}
		if more := theirs.Minus(mine).Count(); more > most {
			most, address, set = more, n.Address, theirs.String()
		}
	}
	return address, set
}

// complete gives the candidate what another replica has beyond it.
func complete(s *scene) []mpp.Step {
	donor, set := s.donor()
	if donor == "" || !s.done(mpp.StepDrain, donor) {
		return nil
	}
	return []mpp.Step{{Kind: mpp.StepCopyFrom, Node: s.op.New, Peer: donor, GTID: set, Limit: s.f.Policy.ApplyTimeout, Optional: true}}
}

func afterComplete(s *scene) next {
	if st := s.last(mpp.StepCopyFrom, s.op.New); st != nil && st.Status == mpp.StepFailed && st.Unreachable {
		return goOn(phaseChoose)
	}
	return goOn(phaseTail)
}

// tail takes from the dead host's binary log what reached no replica, and what the candidate could
// not be given by another.
func tail(s *scene) []mpp.Step {
	end := s.binlogEnd()
	if end == nil {
		return nil
	}
	log, pos := s.readUpTo()
	if s.lacking() {
		log, pos = s.readOf(s.f.node(s.op.New))
	}
	if log == "" || !s.tailLeft(log, pos) {
		return nil
	}
	return []mpp.Step{{
		Kind: mpp.StepBinlogTail, Node: s.op.New, Peer: s.op.Old, Log: log, LogPos: pos, Detail: end.Log,
		Limit: s.f.Policy.ApplyTimeout, Optional: true,
	}}
}

func afterTail(s *scene) next {
	if s.f.node(s.op.New) == nil { // a reload has removed it
		return goOn(phaseChoose)
	}
	if st := s.last(mpp.StepBinlogTail, s.op.New); st != nil && st.Status == mpp.StepFailed {
		if st.Unreachable {
			return goOn(phaseChoose)
		}
		s.note("the end of %s's binary log could not be taken: %s", s.op.Old, st.Text)
	}
	return goOn(phaseCount)
}

// look reads the new node's position once more where it was to be completed and that has failed: some
// of it, or all, may have been done.
func look(s *scene) []mpp.Step {
	for _, k := range []mpp.StepKind{mpp.StepCopyFrom, mpp.StepBinlogTail} {
		if st := s.last(k, s.op.New); st != nil && st.Status == mpp.StepFailed {
			return []mpp.Step{{Kind: mpp.StepPosition, Node: s.op.New, Optional: true}}
		}
	}
	return nil
}

func afterLook(s *scene) next {
	if s.f.node(s.op.New) == nil { // a reload has removed it
		return goOn(phaseChoose)
	}
	if why := s.countLoss(); why != "" {
		s.op.Why = why
		return goOn(phaseGiveUp)
	}
	return goOn(phaseReady)
}
