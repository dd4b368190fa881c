package plan

import (
	"fmt"
	"strconv"
	"strings"

	"mpp"
	"mpp/gtid"
)

// readUpTo is how far the most advanced replica of the old node has read its binary log; "" when
// that is not known.
func (s *scene) readUpTo() (log string, pos uint64) {
	old := s.f.node(s.op.Old)
	for _, n := range s.others(s.op.Old) {
		if !Follows(n, old) {
			continue
		}
		p := s.position(n.Address)
		if p.SourceLog != "" && logBefore(log, pos, p.SourceLog, p.SourcePos) {
			log, pos = p.SourceLog, p.SourcePos
		}
	}
	return log, pos
}

// Follows reports whether n replicates from source, by what the servers say of themselves.
func Follows(n, source *Node) bool {
	if n == nil || source == nil || n.Observation == nil || len(n.Observation.Channels) == 0 {
		return false
	}
	c := n.Observation.Channels[0]
	if o := source.Observation; o != nil {
		if c.SourceUUID != "" && o.Server.UUID != "" {
			return c.SourceUUID == o.Server.UUID
		}
		if c.SourceID != 0 && o.Server.ID != 0 {
			return c.SourceID == o.Server.ID
		}
	}
	return c.SourceHost+":"+strconv.Itoa(int(c.SourcePort)) == source.Address
}

// logBefore reports whether a place in a binary log comes before another; "" comes before all.
// Names are base.NNNNNN; the number decides.
func logBefore(log string, pos uint64, than string, thanPos uint64) bool {
	a, b := logNumber(log), logNumber(than)
	if a != b {
		return a < b
	}
	return pos < thanPos
}

func logNumber(name string) int {
	n, err := strconv.Atoi(name[strings.LastIndexByte(name, '.')+1:])
	if err != nil {
		return -1
	}
	return n
}

// tailLeft reports whether the old host said that its binary log goes on after a place.
func (s *scene) tailLeft(log string, pos uint64) bool {
	st := s.last(mpp.StepBinlogEnd, s.op.Old)
	return st != nil && st.Status == mpp.StepDone && st.Position != nil &&
		logBefore(log, pos, st.Position.OwnLog, st.Position.OwnPos)
}

// Promise says why nothing that was acknowledged can be lost with the old node, "" when it can:
// it waited for acknowledgements, and every replica that gives them can be asked.
func Promise(f *Facts, old string) string {
	n := f.node(old)
	if n == nil || n.Observation == nil || n.Observation.Server.SemiSync == nil {
		return ""
	}
	semi := n.Observation.Server.SemiSync
	if !semi.Source || semi.Clients == 0 || semi.TimedOut {
		return ""
	}
	asked := 0
	for i := range f.Nodes {
		other := &f.Nodes[i]
		if other.Address == old || other.Observation == nil || other.Observation.Server.SemiSync == nil || !other.Observation.Server.SemiSync.Replica {
			continue
		}
		if !other.Reachable {
			return ""
		}
		asked++
	}
	if asked < semi.Clients {
		return "" // somebody outside the pool acknowledges too
	}
	return fmt.Sprintf("commits waited for one of %d replicas that acknowledge, and all of them were asked", asked)
}

// KnownLoss is what the old node was known to have and none of the others has, as far as they
// can be asked.
func KnownLoss(f *Facts, old string, has gtid.Set) gtid.Set {
	n := f.node(old)
	known, err := executed(n.flavour(), n.position())
	if err != nil {
		return gtid.Set{}
	}
	return known.Minus(has)
}

// countLoss notes what is lost, or the proof that nothing is, and returns why the plan must not
// go on for it.
func (s *scene) countLoss() string {
	if s.op.Old == "" {
		return ""
	}
	has, err := whole(s.f.node(s.op.New).flavour(), s.position(s.op.New))
	if err != nil {
		return "the position of " + s.op.New + " cannot be read: " + err.Error()
	}
	lost := KnownLoss(s.f, s.op.Old, has)
	_, all := rank(s.f, s.op.Old, s.positions(), nil)
	lost = lost.Union(all.Minus(has)) // what a replica has that could not be brought over
	s.op.Lost, s.op.LostCount, s.op.NothingLost = lost.String(), lost.Count(), ""
	if lost.IsEmpty() {
		s.op.NothingLost = s.proof()
		return ""
	}
	p := s.f.Policy
	if p.AnyLoss || s.op.Options.AcceptLoss || lost.Count() <= p.MaxLoss {
		return ""
	}
	return fmt.Sprintf("%d transactions would be lost (%s), and max_loss is %d: start %s again, or mpp failover %s --accept-loss",
		lost.Count(), lost.String(), p.MaxLoss, s.op.Old, s.op.Pool)
}

// proof says why nothing is lost, "" when that is only not known.
func (s *scene) proof() string {
	log, pos := s.readUpTo()
	st := s.last(mpp.StepBinlogEnd, s.op.Old)
	if s.done(mpp.StepBinlogTail, s.op.New) {
		return "the end of the old node's binary log was read on its host, and executed: " + s.last(mpp.StepBinlogTail, s.op.New).Text
	}
	if log != "" && st != nil && st.Status == mpp.StepDone && !s.tailLeft(log, pos) {
		return fmt.Sprintf("the old node's binary log ends at %s:%d, and all of it had been received", st.Position.OwnLog, st.Position.OwnPos)
	}
	return Promise(s.f, s.op.Old)
}

// KnownMissing is what the old node was known to have at its last poll and no other reachable
// node has.
func KnownMissing(f *Facts, old string) (gtid.Set, error) {
	_, all := rank(f, old, nil, nil)
	n := f.node(old)
	known, err := executed(n.flavour(), n.position())
	if err != nil {
		return gtid.Set{}, fmt.Errorf("read the position of %s: %w", old, err)
	}
	return known.Minus(all), nil
}

// AnyoneAhead reports whether another reachable node has what a node has not.
func AnyoneAhead(f *Facts, address string) bool {
	_, all := rank(f, address, nil, nil)
	n := f.node(address)
	mine, err := whole(n.flavour(), n.position())
	return err != nil || !all.Minus(mine).IsEmpty()
}
