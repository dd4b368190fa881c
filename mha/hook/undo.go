package hook

import (
	"slices"

	"mpp"
)

// Begun is which steps of a planned switch were begun, so that they can be taken back: those of the stop
// at the old master, and of the start that the new one was given the address.
type Begun []mpp.StepKind

// Touches reports whether a step changes anything at the old master that Undo takes back.
func Touches(st *Step) bool {
	switch st.Kind {
	case mpp.StepReadOnly, mpp.StepRemoveAddress, mpp.StepEventsOff, mpp.StepStopConnections:
		return true
	default:
		return false
	}
}

// Undo takes a planned switch back: the new master is closed and loses the address, then the old
// one gets back what was begun to be taken from it: writes first, so that who comes by the address
// can write. The new master stays read-only, as a replica should.
func Undo(r *Request, s *Setup, begun Begun) Plan {
	d := decider{Setup: s, r: r, old: r.Orig.Address(), young: r.New.Address()}
	moved := s.Address && slices.Contains(begun, mpp.StepRemoveAddress)
	d.stage(
		when(s.New.SQL, d.at(mpp.StepReadOnly, d.young, Warns).within(d.Limits.Address)),
		when(moved && slices.Contains(begun, mpp.StepAddAddress), d.at(mpp.StepRemoveAddress, d.young, Warns)),
	)
	d.stage(when(slices.Contains(begun, mpp.StepReadOnly), d.at(mpp.StepWritable, d.old, Warns)))
	d.stage(
		when(moved, d.at(mpp.StepAddAddress, d.old, Warns)),
		when(slices.Contains(begun, mpp.StepStopConnections), d.at(mpp.StepAllowConnections, d.old, Warns).with(s.StopBy)),
		when(slices.Contains(begun, mpp.StepEventsOff), d.at(mpp.StepEventsOn, d.old, Warns)),
	)
	return d.plan
}

// Close closes the new master, to find out whether it has been written to: the first half of taking
// back a start.
func Close(r *Request, s *Setup) Plan {
	d := decider{Setup: s, r: r, old: r.Orig.Address(), young: r.New.Address()}
	d.stage(when(s.New.SQL, d.at(mpp.StepReadOnly, d.young, Ends)))
	d.stage(when(s.New.SQL, d.at(mpp.StepEndSessions, d.young, Ends)))
	d.stage(when(s.New.SQL, d.at(mpp.StepPosition, d.young, Ends)))
	return d.plan
}

// Unwritten reports whether a server has written nothing between two readings. Without GTIDs the
// end of its own binary log must say so; when neither does, nothing is known and it is false.
func Unwritten(before, after *mpp.Position) bool {
	if before == nil || after == nil || before.OwnLog == "" {
		return false
	}
	return before.Executed == after.Executed && before.OwnLog == after.OwnLog && before.OwnPos == after.OwnPos
}

// Progress is how far a planned switch is, as the hooks have noted it.
type Progress string

// The progress of a planned switch.
const (
	// Stopping: the stop has begun; it may have died half-way.
	Stopping Progress = "stopping"
	// Stopped: the old master is closed, and MHA is to go on.
	Stopped Progress = "stopped"
	// Starting: the start has begun; it may have died half-way.
	Starting Progress = "starting"
	// Started: the new master has the role.
	Started Progress = "started"
	// Undone: the old master has the role again.
	Undone Progress = "undone"
)

// Next is what is to be done.
type Next string

// What is to be done about a switch that MHA has left.
const (
	// Leave: nothing.
	Leave Next = "leave"
	// TakeBack: the old master is given its role back.
	TakeBack Next = "take-back"
	// GoOn: the new master is open already; it is given the address.
	GoOn Next = "go-on"
	// Wait: a hook is at work.
	Wait Next = "wait"
)

// Seen is what is found when MHA has ended, or has taken too long.
type Seen struct {
	Progress Progress
	// HookAlive says that the hook that noted the progress still runs.
	HookAlive bool
	// NewOpen says that the new master takes writes, NewKnown that it could be asked.
	NewOpen, NewKnown bool
}

// Follow says what is to be done when MHA has ended, or has taken too long, after a stop. A new
// master that takes writes has the role, whoever gave it: two writers are worse than none. One that
// cannot be asked may have it only when a start had begun.
func Follow(s Seen) Next {
	switch {
	case s.Progress == Started || s.Progress == Undone:
		return Leave
	case s.HookAlive:
		return Wait
	case s.NewKnown && s.NewOpen:
		return GoOn
	case !s.NewKnown && s.Progress == Starting:
		return Leave
	default:
		return TakeBack
	}
}

// Reopen opens the new master again that Close has closed.
func Reopen(r *Request, s *Setup) Plan {
	d := decider{Setup: s, r: r, old: r.Orig.Address(), young: r.New.Address()}
	d.stage(when(s.New.SQL, d.at(mpp.StepWritable, d.young, Warns)))
	return d.plan
}
