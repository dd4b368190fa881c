package plan

import (
	"time"

	"mpp"
)

// Rehearse plays an operation through as if each step were done at once, and returns it with the
// steps that it would take: what a dry run shows.
func Rehearse(now time.Time, f *Facts, op mpp.Operation) *mpp.Operation {
	r := Begin(now, f, op)
	for tasks := Advance(now, r, f); len(tasks) > 0; tasks = Advance(now, r, f) {
		for _, t := range tasks {
			result := mpp.StepResult{Operation: r.ID, Step: t.Step.N, Done: true, Alive: true}
			if n := f.node(t.Step.Node); n != nil {
				p := n.position()
				result.Position = &p
			}
			Take(r, &result)
		}
	}
	for i := range r.Steps {
		st := &r.Steps[i]
		st.Status, st.Began, st.Position = StepPlanned, time.Time{}, nil
	}
	r.Outcome, r.Why, r.Opened, r.Ended, r.Notes, r.NothingLost = "", "", time.Time{}, time.Time{}, nil, ""
	return r
}

// StepPlanned is the status of a step in a rehearsal.
const StepPlanned mpp.StepStatus = "planned"
