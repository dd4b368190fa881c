package poller

import (
	"context"
	"errors"
	"slices"
	"time"

	"mpp"
)

// errGone says that a node was removed, or the poller stopped, while somebody waited.
var errGone = errors.New("it is no longer polled")

// now asks for a run at once, or right after the one under way; wishes that have not been
// met yet are one. Runs that are wished for start no closer together than in the confirm
// lane: a server that hangs up after every poll must not be polled without end.
func (w *worker[R]) now() {
	w.mu.Lock()
	when := time.Now()
	if soonest := w.wished.Add(w.job.timing.confirm); when.Before(soonest) {
		when = soonest
	}
	if when.Before(w.due) {
		w.plan(when)
	}
	w.asked, w.wish = true, true
	w.mu.Unlock()
	w.signal()
}

// setLane moves the worker to a lane. The confirm lane starts one confirm interval after the
// last run began, which is at once where that is past: a second look at the very same moment
// would prove nothing. The others start with their next regular run.
func (w *worker[R]) setLane(lane mpp.Lane) {
	w.mu.Lock()
	if w.lane == lane {
		w.mu.Unlock()
		return
	}
	w.lane = lane
	now := time.Now()
	switch {
	case confirming(lane) && w.began.IsZero():
		w.ask(now, true)
	case confirming(lane):
		first := w.began.Add(w.job.timing.confirm)
		if first.Before(now) {
			first = now
		}
		w.ask(first, true)
	case !w.asked:
		w.replan(now)
	}
	w.mu.Unlock()
	w.signal()
}

// replan makes the next regular run due; w.mu is held.
func (w *worker[R]) replan(now time.Time) {
	w.held = false
	if w.began.IsZero() {
		return // the first run comes as planned
	}
	due := w.grid.next(w.began, w.job.timing, w.lane)
	if due.Before(now) {
		due = w.grid.after(now, w.job.timing.every(w.lane))
	}
	w.plan(due)
}

// setActive says whether the node is ACTIVE.
func (w *worker[R]) setActive(active bool) {
	w.mu.Lock()
	w.active = active
	w.mu.Unlock()
}

// role returns what is remembered of a node when its prober is replaced.
func (w *worker[R]) role() (mpp.Lane, bool) {
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.lane, w.active
}

// change gives the worker another job, from its next run on. The prober is the same.
func (w *worker[R]) change(j job[R], g grid) {
	w.mu.Lock()
	replan := w.job.timing != j.timing || w.grid != g
	w.job, w.grid = j, g
	if replan && !w.asked {
		w.replan(time.Now())
	}
	w.mu.Unlock()
	w.signal()
}

// check asks for a run with a fresh login and waits for its result.
func (w *worker[R]) check(ctx context.Context) (R, error) {
	answer := make(chan R, 1)
	w.mu.Lock()
	w.waiting = append(w.waiting, answer)
	w.ask(time.Now(), true)
	w.mu.Unlock()
	w.signal()
	var none R
	select {
	case r := <-answer:
		return r, nil
	case <-ctx.Done():
		w.forget(answer)
		return none, ctx.Err()
	case <-w.ctx.Done():
		return none, errGone
	}
}

// forget takes a waiter that gave up off the lists.
func (w *worker[R]) forget(answer chan R) {
	w.mu.Lock()
	defer w.mu.Unlock()
	same := func(c chan R) bool { return c == answer }
	w.waiting = slices.DeleteFunc(w.waiting, same)
	w.serving = slices.DeleteFunc(w.serving, same)
}
