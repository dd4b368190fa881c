package plan

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"mpp"
	"mpp/gtid"
)

// readOf is how far a node had read the old node's binary log when its receiver was stopped; ""
// when that is not known. Later positions of a node that was completed from another are places
// in that one's log.
func (s *scene) readOf(n *Node) (log string, pos uint64) {
	st := s.last(mpp.StepStopReceiver, n.Address)
	if st == nil || st.Status != mpp.StepDone || st.Peer != s.op.Old || st.Position == nil {
		return "", 0
	}
	return st.Position.SourceLog, st.Position.SourcePos
}

// readUpTo is how far the most advanced replica of the old node has read its binary log; "" when
// that is not known.
func (s *scene) readUpTo() (log string, pos uint64) {
	for _, n := range s.others(s.op.Old) {
		if l, p := s.readOf(n); l != "" && logBefore(log, pos, l, p) {
			log, pos = l, p
		}
	}
	return log, pos
}

// Follows reports whether n replicates from source, by what the servers say of themselves.
func Follows(n, source *Node) bool { return Link(n, source) != nil }

// Link is the channel by which n replicates from source, nil for none. A node may have others, that
// have nothing to do with the pool.
func Link(n, source *Node) *mpp.Channel {
	if n == nil || source == nil || n.Observation == nil {
		return nil
	}
	for i := range n.Observation.Channels {
		if c := &n.Observation.Channels[i]; leadsTo(c, source) {
			return c
		}
	}
	return nil
}

func leadsTo(c *mpp.Channel, source *Node) bool {
	if o := source.Observation; o != nil {
		if c.SourceUUID != "" && o.Server.UUID != "" {
			return c.SourceUUID == o.Server.UUID
		}
		if c.SourceID != 0 && o.Server.ID != 0 {
			return c.SourceID == o.Server.ID
		}
	}
	host := c.SourceHost
	if strings.Contains(host, ":") {
		host = "[" + host + "]" // IPv6
	}
	return host+":"+strconv.Itoa(int(c.SourcePort)) == source.Address
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

// binlogEnd is the step that found the end of the old node's binary log, nil for none.
func (s *scene) binlogEnd() *mpp.Step {
	st := s.last(mpp.StepBinlogEnd, s.op.Old)
	if st == nil || st.Status != mpp.StepDone || st.Position == nil {
		return nil
	}
	return st
}

// tailLeft reports whether the old host said that its binary log goes on after a place.
func (s *scene) tailLeft(log string, pos uint64) bool {
	end := s.binlogEnd()
	return end != nil && logBefore(log, pos, end.Position.OwnLog, end.Position.OwnPos)
}

// outsider stands for a server that acknowledges and is no node of the pool.
const outsider = "a server outside the pool"

// acknowledgers are the replicas that old waited for by its last poll, nil when it waited for
// none. What was acknowledged before that poll is known; so a replica that was lost before it can
// be left out, unless the old node counted it.
func acknowledgers(f *Facts, old string) []string {
	n := f.node(old)
	switch {
	case n == nil:
		return nil
	case n.Observation == nil || n.Observation.Server.SemiSync == nil:
		return n.Acknowledgers
	}
	semi := n.Observation.Server.SemiSync
	if !semi.Source || semi.TimedOut {
		return nil
	}
	var present, lost []string
	for i := range f.Nodes {
		other := &f.Nodes[i]
		switch {
		case other.Address == old || !other.acknowledges():
		case !other.Reachable && !other.LostAt.IsZero() && other.LostAt.Before(n.Observation.At):
			lost = append(lost, other.Address)
		default:
			present = append(present, other.Address)
		}
	}
	if len(present) < semi.Clients {
		present = append(present, lost...)
	}
	if len(present) < semi.Clients {
		present = append(present, outsider)
	}
	return present
}

// acknowledges reports whether the node acknowledges what it receives, or would if its receiver
// were connected: the status of a receiver that was stopped says no.
func (n *Node) acknowledges() bool {
	if n.Observation == nil {
		return true // for all that is known
	}
	if s := n.settings(); s != nil && s.SemiSyncReplica {
		return true
	}
	semi := n.Observation.Server.SemiSync
	return semi != nil && semi.Replica
}

// Acknowledged reports whether a node that takes the writes would have a replica that acknowledges:
// one that can be reached, or the node that has had the role until now and answers.
func Acknowledged(f *Facts, address string) bool {
	return slices.ContainsFunc(f.Nodes, func(n Node) bool {
		return n.Address != address && n.acknowledges() && n.Observation != nil && (n.Reachable || n.Address == f.Active)
	})
}

// Acknowledgers are the replicas that a node waited for by its last poll, nil when it waited for none.
func Acknowledgers(f *Facts, node string) []string { return acknowledgers(f, node) }

// Unasked are the replicas that acknowledge to old and cannot be asked what they have: what was
// acknowledged may be with them alone.
func Unasked(f *Facts, old string) []string {
	var list []string
	for _, address := range acknowledgers(f, old) {
		if n := f.node(address); n == nil || !n.heard() {
			list = append(list, address)
		}
	}
	return list
}

// Promise says why nothing that was acknowledged can be lost with the old node, "" when it can:
// it waited for acknowledgements, every replica that gives them can be asked, and since its last
// poll there was no time to give up waiting.
func Promise(now time.Time, f *Facts, old string) string {
	who := acknowledgers(f, old)
	if len(who) == 0 || len(Unasked(f, old)) > 0 || !now.Before(f.node(old).waitsUntil()) {
		return ""
	}
	if lost, err := KnownMissing(f, old); err != nil || !lost.IsEmpty() && !f.allOthers(old, (*Node).heard) {
		return "" // one that was lost before may have acknowledged it
	}
	return promiseText(len(who))
}

// allOthers reports whether every node besides old was asked, or is known to acknowledge nothing.
func (f *Facts) allOthers(old string, asked func(*Node) bool) bool {
	return !slices.ContainsFunc(f.Nodes, func(n Node) bool {
		return n.Address != old && !asked(&n) && (n.Observation == nil || n.acknowledges())
	})
}

func promiseText(count int) string {
	return fmt.Sprintf("commits waited for one of %d replicas that acknowledge, and all of them were asked", count)
}

// waitedBefore is for how long commits may have been waiting at a good poll that has seen some wait:
// for longer, and it would not have been good.
const waitedBefore = 2 * time.Second

// waitsUntil is when a node that waits for acknowledgements may give that up, by its last poll; zero
// when commits may have been hanging for long by then.
func (n *Node) waitsUntil() time.Time {
	s, o := n.settings(), n.Observation
	if s == nil || o.Server.SemiSync == nil {
		return time.Time{}
	}
	if slices.ContainsFunc(o.Checks, func(c mpp.CheckResult) bool { return c.Class == mpp.Reach && c.Status == mpp.Fail }) {
		return time.Time{}
	}
	until := o.At.Add(s.SemiSyncTimeout)
	if o.Server.SemiSync.Waiting > 0 {
		until = until.Add(-waitedBefore)
	}
	return until
}

// unasked says which replicas that acknowledge were not asked for good by the plan, "" for none.
func (s *scene) unasked() string {
	var list []string
	for _, address := range s.op.Acknowledgers {
		if !s.done(mpp.StepStopReceiver, address) {
			list = append(list, address)
		}
	}
	return strings.Join(list, ", ")
}

// promise is Promise by what the plan itself has found out.
func (s *scene) promise() string {
	if len(s.op.Acknowledgers) > 0 && s.unasked() == "" && s.now.Before(s.op.WaitsUntil) {
		return promiseText(len(s.op.Acknowledgers))
	}
	return ""
}

// balance is what is lost if the new node is promoted as it is.
type balance struct {
	// behind is on another node that was asked, even on one that cannot give it; alone was on the old node by its last poll.
	behind, alone gtid.Set
}

// count says what is lost by what is known.
func (s *scene) count() (b balance, err error) {
	n := s.f.node(s.op.New)
	has, err := whole(n.flavour(), s.position(s.op.New))
	if err != nil {
		return b, fmt.Errorf("read the position of %s: %w", s.op.New, err)
	}
	known, err := gtid.Parse(n.flavour(), s.op.Known)
	if err != nil {
		return b, fmt.Errorf("read what %s had: %w", s.op.Old, err)
	}
	_, all := rank(s.f, s.op.Old, s.positions(), nil)
	kept, _ := withheld(s.f, s.op.Old, s.positions())
	b.behind = all.Union(kept).Union(s.asked(n.flavour())).Minus(has)
	b.alone = known.Minus(has).Minus(b.behind)
	return b, nil
}

// asked is everything that the plan has found on nodes. It counts though a node has fallen silent
// since, or was taken out of the configuration.
func (s *scene) asked(flavour string) (all gtid.Set) {
	for address, p := range s.positions() {
		n := s.f.node(address)
		switch {
		case address == s.op.Old:
		case n != nil && n.Errant != "":
			all = all.Union(n.foreign(p))
		default:
			has, err := whole(flavour, p)
			if err == nil { // one that cannot be read is shown by the order of succession
				all = all.Union(has)
			}
		}
	}
	return all
}

// lacking reports whether the new node lacks what another has that was asked.
func (s *scene) lacking() bool {
	b, err := s.count()
	return err != nil || !b.behind.IsEmpty()
}

// countLoss notes what is lost, or the proof that nothing is, and returns why the plan must not
// go on for it.
func (s *scene) countLoss() string {
	s.op.Lost, s.op.LostCount, s.op.NothingLost = "", 0, ""
	if s.op.Old == "" {
		return ""
	}
	b, err := s.count()
	if err != nil {
		return err.Error()
	}
	log, promise := s.logProof(), s.promise()
	if !b.alone.IsEmpty() && log != "" && s.answered(mpp.StepReadOnly, s.op.Old) {
		// Its server never went down, so its log has all that was committed: a full disk shows
		// the numbers of commits that hang.
		s.note("%s were begun on %s and are not in its binary log: nobody was told that they are committed", b.alone.String(), s.op.Old)
		b.alone = gtid.Set{}
	}
	lost := b.behind.Union(b.alone)
	if lost.IsEmpty() {
		s.op.NothingLost = firstReason(log, promise)
	}
	p := s.f.Policy
	why := ""
	switch unasked := s.unasked(); {
	case p.AnyLoss || s.op.Options.AcceptLoss || (lost.IsEmpty() && s.op.NothingLost != ""):
	case unasked != "" && log == "":
		why = fmt.Sprintf("%s acknowledges commits of %s and was not asked: what was acknowledged may be there alone", unasked, s.op.Old)
	case b.behind.IsEmpty() && promise != "" && s.f.allOthers(s.op.Old, func(n *Node) bool { return s.done(mpp.StepStopReceiver, n.Address) }):
		s.note("%d transactions were on %s alone and had been acknowledged to nobody: %s", lost.Count(), s.op.Old, promise)
	case lost.Count() > p.MaxLoss:
		why = fmt.Sprintf("%d transactions would be lost (%s), and max_loss is %d", lost.Count(), lost.String(), p.MaxLoss)
	}
	if why != "" {
		return fmt.Sprintf("%s: start %s again, or mpp failover %s --accept-loss", why, s.op.Old, s.op.Pool)
	}
	s.op.Lost, s.op.LostCount = lost.String(), lost.Count()
	return ""
}

// doubt takes a proof back: the old node has answered during the failover, or may be a process that only
// hangs, and how its log ends was not read after it was fenced. What it has written meanwhile nobody has
// asked for.
func (s *scene) doubt() {
	n := s.f.node(s.op.Old)
	if s.op.NothingLost == "" || n == nil {
		return
	}
	polled := n.Observation != nil && n.Observation.At.After(s.op.Began)
	if !polled && !s.answered(mpp.StepReadOnly, s.op.Old) {
		if n.Trouble != mpp.KindRefused && s.op.NothingLost == s.logProof() && !s.done(mpp.StepShutdown, s.op.Old) {
			s.op.NothingLost = ""
			s.note("%s may only hang: what it has written since the end of its binary log was read, if it has, is not on %s", s.op.Old, s.op.New)
		}
		return
	}
	if closed := s.last(mpp.StepReadOnly, s.op.Old); s.binlogEnd() != nil && s.endIsFinal() &&
		(!polled || n.Observation.Server.ReadOnly || !n.Observation.At.After(closed.Began.Add(closed.Took))) {
		return
	}
	s.op.NothingLost = ""
	s.note("%s has answered during the failover: what it has written meanwhile, if it has, is not on %s", s.op.Old, s.op.New)
}

// answered reports whether the latest step of a kind at a node got an answer from it, be it an
// error.
func (s *scene) answered(kind mpp.StepKind, node string) bool {
	st := s.last(kind, node)
	return st != nil && (st.Status == mpp.StepDone || (st.Status == mpp.StepFailed && !st.Unreachable))
}

// logProof says how the end of the old node's binary log shows that nothing is lost, "" when it
// does not.
func (s *scene) logProof() string {
	if tail := s.last(mpp.StepBinlogTail, s.op.New); tail != nil && tail.Status == mpp.StepDone {
		return "the end of the old node's binary log was read on its host, and executed: " + tail.Text
	}
	log, pos := s.readUpTo()
	if end := s.binlogEnd(); end != nil && log != "" && !s.tailLeft(log, pos) {
		return fmt.Sprintf("the old node's binary log ends at %s:%d, and all of it had been received", end.Position.OwnLog, end.Position.OwnPos)
	}
	return ""
}

// known is what a node had executed at its last poll, as far as that can be read.
func (f *Facts) known(address string) string {
	n := f.node(address)
	set, err := executed(n.flavour(), n.position())
	if err != nil {
		return ""
	}
	return set.String()
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
