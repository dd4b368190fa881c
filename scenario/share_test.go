package scenario_test

import (
	"slices"
	"time"

	"mpp"
)

// share says where an outage's time went.
type share struct {
	// seen is from the last acknowledged write to the first miss, sure from there to the begin of
	// the plan, phases what each of its parts took until the new writer was reachable, last what
	// was left until the first write.
	phases []phaseTime
}

type phaseTime struct {
	name string
	took time.Duration
}

// shareOf divides a run's outage. The clocks are one: all is on this machine.
func shareOf(r *run) share {
	var s share
	op := r.op
	if op == nil || r.writer == nil || r.fault.IsZero() {
		return s
	}
	add := func(name string, from, to time.Time) {
		if !from.IsZero() && to.After(from) {
			s.phases = append(s.phases, phaseTime{name, to.Sub(from)})
		}
	}
	var begin, end time.Time
	for _, o := range r.writer.Record().Outages {
		if !o.Open && o.End.After(r.fault) {
			if begin.IsZero() {
				begin = o.Begin
			}
			end = o.End
			break
		}
	}
	at := begin
	if !op.FirstMiss.IsZero() {
		add("seen", begin, op.FirstMiss)
		add("sure", op.FirstMiss, op.Began)
		at = op.Began
	} else {
		add("before the cut", at, cutAt(op))
	}
	for _, phase := range phasesOf(op) {
		done := endOf(op, phase)
		if done.After(end) && phase != "address" {
			break
		}
		add(phase, maxTime(at, beginOf(op, phase)), done)
		at = maxTime(at, done)
		if phase == "address" {
			break
		}
	}
	add("first write", at, end)
	return s
}

// cutAt is when a switchover began to take the old writer's sessions.
func cutAt(op *mpp.Operation) time.Time { return beginOf(op, "cut") }

// phasesOf are the phases of an operation that had steps, in order.
func phasesOf(op *mpp.Operation) []string {
	var list []string
	for i := range op.Steps {
		if st := &op.Steps[i]; !slices.Contains(list, st.Phase) {
			list = append(list, st.Phase)
		}
	}
	return list
}

func beginOf(op *mpp.Operation, phase string) time.Time {
	for i := range op.Steps {
		if st := &op.Steps[i]; st.Phase == phase {
			return st.Began
		}
	}
	return time.Time{}
}

// endOf is when the last step of a phase had ended.
func endOf(op *mpp.Operation, phase string) time.Time {
	var end time.Time
	for i := range op.Steps {
		if st := &op.Steps[i]; st.Phase == phase {
			end = maxTime(end, st.Began.Add(st.Took))
		}
	}
	return end
}

func maxTime(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}
