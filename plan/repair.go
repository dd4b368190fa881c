package plan

import (
	"fmt"
	"slices"
	"time"

	"mpp"
	"mpp/gtid"
)

// hostLimit bounds a command on the host of a node that is to be fenced: while it hangs, nothing else is
// done to the node, which may answer statements by then.
const hostLimit = 3 * time.Second

// linkLimit bounds how long a replica gets to connect to a silent source again: as long as the polls take to
// make sure that it is dead. A healthy one takes milliseconds; over a slow network it gets pool.slowLink.
// saveLimit bounds the saving of transactions, cloneLimit the copying of a whole server.
const (
	linkLimit = 900 * time.Millisecond
	// semiSyncLinkLimit is that for a MariaDB replica that acknowledges: to stop its receiver takes a second
	// when the source is silent (replication.Dialect.KillWaitSQL).
	semiSyncLinkLimit = 1400 * time.Millisecond
	saveLimit         = 10 * time.Minute
	cloneLimit        = 24 * time.Hour
)

// The phases of repairs.
const (
	phaseOpen    = "open"
	phaseCompare = "compare"
	phaseAgainst = "against"
	phaseSave    = "save"
	phaseClone   = "clone"
	phaseTest    = "test"
)

// fenceScript makes a node that is not ACTIVE stop to take writes and to hold the address.
func fenceScript() []phase {
	return []phase{{phaseFence, fenceOne, func(s *scene) next {
		if st := s.failed(); st != nil {
			return end(mpp.Stopped, "%s is not fenced: %s", s.op.Old, failure(st))
		}
		return end(mpp.Completed, "%s is read-only and does not hold the address", s.op.Old)
	}}}
}

func fenceOne(s *scene) []mpp.Step {
	n := s.f.node(s.op.Old)
	steps := []mpp.Step{}
	if s.f.Policy.Addresses {
		steps = append(steps, mpp.Step{Kind: mpp.StepRemoveAddress, Node: s.op.Old, Optional: n != nil && !n.Host, Limit: min(hostLimit, s.f.Policy.StepTimeout)})
	}
	if n == nil || !n.Answers && !n.Reachable {
		return steps // only its host can be reached
	}
	steps = append(steps, mpp.Step{Kind: mpp.StepReadOnly, Node: s.op.Old}, mpp.Step{Kind: mpp.StepEndSessions, Node: s.op.Old, Optional: true})
	if s.f.Policy.Events {
		steps = append(steps, mpp.Step{Kind: mpp.StepEventsOff, Node: s.op.Old, Optional: true})
	}
	return steps
}

// reopenScript gives the ACTIVE node back what belongs to its role.
func reopenScript() []phase {
	return []phase{
		{phaseOpen, func(s *scene) []mpp.Step {
			if s.op.Options.DryRun || s.op.Wanted == "address" {
				return nil
			}
			if s.op.Wanted == "link" { // a promotion that is done again ends what is left of it
				return []mpp.Step{{Kind: mpp.StepPromote, Node: s.op.New}}
			}
			return []mpp.Step{{Kind: mpp.StepWritable, Node: s.op.New}}
		}, func(s *scene) next {
			if st := s.failed(); st != nil {
				return end(mpp.Stopped, "%s", failure(st))
			}
			return goOn(phaseAddress)
		}},
		{phaseAddress, func(s *scene) []mpp.Step {
			steps := address(s)
			if s.f.Policy.Events && s.op.Wanted != "address" {
				steps = append(steps, mpp.Step{Kind: mpp.StepEventsOn, Node: s.op.New, Optional: true})
			}
			return steps
		}, func(s *scene) next {
			if st := s.last(mpp.StepAddAddress, s.op.New); st != nil && st.Status == mpp.StepFailed {
				return end(mpp.Stopped, "%s", failure(st))
			}
			return end(mpp.Completed, "%s has what belongs to the ACTIVE node", s.op.New)
		}},
	}
}

// testLinksScript finds out which replicas can still receive from a silent ACTIVE node.
func testLinksScript() []phase {
	return []phase{{phaseTest, func(s *scene) []mpp.Step {
		var steps []mpp.Step
		for _, n := range s.others(s.op.Old) {
			limit := linkLimit
			switch w := s.op.Options.Wait; {
			case w > 0:
				limit = w
			case n.flavour() == mariadb && n.acknowledges():
				limit = semiSyncLinkLimit
			}
			if n.TestLink {
				steps = append(steps, mpp.Step{Kind: mpp.StepTestLink, Node: n.Address, Peer: s.op.Old, Limit: limit, Optional: true})
			}
		}
		return steps
	}, func(s *scene) next {
		alive := 0
		for i := range s.op.Steps {
			alive += btoi(s.op.Steps[i].Alive)
		}
		return end(mpp.Completed, "%d of %d replicas can connect to %s", alive, len(s.op.Steps), s.op.Old)
	}}}
}

// rejoinScript makes a node a replica of the ACTIVE one again: fenced at once, compared, and
// re-attached if it holds nothing extra.
func rejoinScript() []phase {
	return []phase{
		{phaseFence, fenceOne, afterRejoinFence},
		{phaseBefore, func(s *scene) []mpp.Step { return s.hook(mpp.HookBeforeRejoin) }, orStop(phaseCompare)},
		{phaseCompare, compare, orStop(phaseAgainst)},
		{phaseAgainst, against, afterCompare},
		{phaseSave, saveExtra, afterSave},
		{phaseClone, func(s *scene) []mpp.Step {
			return []mpp.Step{{Kind: mpp.StepClone, Node: s.op.Old, Peer: s.op.New, Limit: cloneLimit}}
		}, orStop(phaseRepoint)},
		{phaseRepoint, func(s *scene) []mpp.Step {
			return []mpp.Step{{Kind: mpp.StepRepoint, Node: s.op.Old, Peer: s.op.New, Limit: s.f.Policy.ApplyTimeout}}
		}, orStop(phaseReady)},
		{phaseReady, func(s *scene) []mpp.Step {
			if !s.f.Policy.ManageSemiSync {
				return nil
			}
			return []mpp.Step{{Kind: mpp.StepSemiSync, Node: s.op.Old, Detail: "replica", Optional: true}}
		}, func(*scene) next { return goOn(phaseAfter) }},
		{phaseAfter, func(s *scene) []mpp.Step { return s.hook(mpp.HookAfterRejoin) }, func(s *scene) next {
			return end(mpp.Completed, "%s is a replica of %s", s.op.Old, s.op.New)
		}},
	}
}

// orStop goes on when nothing failed that must not.
func orStop(on string) func(*scene) next {
	return func(s *scene) next {
		if st := s.failed(); st != nil {
			return end(mpp.Stopped, "%s", failure(st))
		}
		return goOn(on)
	}
}

func afterRejoinFence(s *scene) next {
	if st := s.failed(); st != nil {
		return end(mpp.Stopped, "%s is not fenced: %s", s.op.Old, failure(st))
	}
	return goOn(phaseBefore)
}

// compare and against read how far both are, one after the other: what the node receives in the
// meantime by some other way was on the ACTIVE one first.
func compare(s *scene) []mpp.Step { return []mpp.Step{{Kind: mpp.StepPosition, Node: s.op.Old}} }

func against(s *scene) []mpp.Step { return []mpp.Step{{Kind: mpp.StepPosition, Node: s.op.New}} }

func afterCompare(s *scene) next {
	if st := s.failed(); st != nil {
		return end(mpp.Stopped, "%s", failure(st))
	}
	extra, err := s.extra()
	switch {
	case err != nil:
		return end(mpp.Stopped, "the positions cannot be compared: %v", err)
	case extra != "":
		s.op.Lost = extra
		return goOn(phaseSave)
	case s.op.Options.Clone:
		return goOn(phaseClone)
	default:
		return goOn(phaseRepoint)
	}
}

// extra are the transactions that only the node which comes back has, "" for none.
func (s *scene) extra() (string, error) {
	n := s.f.node(s.op.Old)
	mine, theirs := s.position(s.op.Old), s.position(s.op.New)
	if n.flavour() == mariadb {
		extra, err := stateExtra(mine.BinlogState, theirs, 0)
		return extra.Only(gtid.Beyond, gtid.Unknown, gtid.Lost).String(), err
	}
	a, err := gtid.Parse(n.flavour(), mine.Executed)
	if err != nil {
		return "", err
	}
	b, err := gtid.Parse(n.flavour(), theirs.Executed)
	if err != nil {
		return "", err
	}
	return a.Minus(b).String(), nil
}

func saveExtra(s *scene) []mpp.Step {
	return []mpp.Step{{Kind: mpp.StepSaveExtra, Node: s.op.Old, GTID: s.op.Lost, Optional: s.op.Options.Clone, Limit: saveLimit}}
}

func afterSave(s *scene) next {
	saved := s.last(mpp.StepSaveExtra, s.op.Old)
	if saved.Status == mpp.StepDone {
		s.note("%s", saved.Text)
	} else {
		s.note("they could not be saved: %s", saved.Text)
	}
	if s.op.Options.Clone {
		if saved.Status != mpp.StepDone {
			return end(mpp.Stopped, "its own transactions could not be saved, so its data is not replaced: %s", saved.Text)
		}
		return goOn(phaseClone)
	}
	s.note("to keep these transactions, execute them on %s by hand after you have read them; to give them up: mpp rejoin %s --clone", s.op.New, s.op.Old)
	return end(mpp.Stopped, "%s is kept out: it has transactions that %s does not have: %s", s.op.Old, s.op.New, s.op.Lost)
}

// stateExtra compares a replica's gtid_binlog_state with what a source has.
func stateExtra(replica string, source mpp.Position, sourceID uint32) (gtid.Extra, error) {
	mine, err := gtid.ParseState(replica)
	if err != nil {
		return nil, fmt.Errorf("read gtid_binlog_state: %w", err)
	}
	theirs, err := gtid.ParseState(source.BinlogState)
	if err != nil {
		return nil, fmt.Errorf("read gtid_binlog_state: %w", err)
	}
	at, err := gtid.Parse(mariadb, source.Executed)
	if err != nil {
		return nil, fmt.Errorf("read gtid_current_pos: %w", err)
	}
	return gtid.ErrantState(mine, gtid.Source{State: theirs, Position: at, ServerID: sourceID}), nil
}

// Errant are the transactions that somebody wrote on a replica, "" for none known. The source
// must have been polled after the replica. What the source wrote itself is left out: it may wait
// for an acknowledgement, or have been lost there, and is no reason not to promote the replica.
//
// known is what was found before: what somebody wrote on a replica of MariaDB without
// gtid_strict_mode looks like an old writer's transactions once others have followed.
func Errant(replica, source *Node, known string) string {
	if replica == nil || source == nil || replica.Observation == nil || source.Observation == nil {
		return ""
	}
	a, b := &replica.Observation.Server, &source.Observation.Server
	if a.Flavour != b.Flavour {
		return ""
	}
	if a.Flavour == mariadb {
		extra, err := stateExtra(a.BinlogState, source.position(), b.ID)
		if err != nil {
			return "(unknown: " + err.Error() + ")"
		}
		return append(extra.Only(gtid.Beyond, gtid.Unknown), buried(extra, known)...).String()
	}
	x, err := gtid.Parse(a.Flavour, a.GTID)
	if err != nil {
		return "(unknown: " + err.Error() + ")"
	}
	y, err := gtid.Parse(b.Flavour, b.GTID)
	if err != nil {
		return ""
	}
	return gtid.Errant(x, y, b.UUID).String()
}

// buried are the parts of extra that others have followed and that were known before.
func buried(extra gtid.Extra, known string) gtid.Extra {
	before, err := gtid.ParseExtra(known)
	if err != nil {
		return nil
	}
	var list gtid.Extra
	for _, p := range extra.Only(gtid.Buried) {
		if slices.ContainsFunc(before, func(k gtid.Part) bool { return k.Domain == p.Domain && k.Server == p.Server }) {
			list = append(list, p)
		}
	}
	return list
}
