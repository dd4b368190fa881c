package poller

import (
	"context"
	"sync"
	"sync/atomic"
	"time"

	"mpp"
)

// job is what a worker does: polls of a node (R is mpp.Observation) or tries of a checkpoint
// (R is mpp.CheckpointResult).
type job[R any] struct {
	run    func(ctx context.Context, ask mpp.Ask) R
	failed func(r *R) bool
	// overdue makes the result of a run that began at and has not returned after took.
	overdue func(at time.Time, took time.Duration) R
	seen    func(r R)
	close   func() error
	timing  timing
	node    bool // counted as polls, and its lateness noted
}

// shared is what all workers of a Poller have in common.
type shared struct {
	heart    *heart
	counters counters
	slept    chan time.Duration
	crowd    atomic.Int64 // how many workers there are
}

// worker is one node's or checkpoint's goroutine with its schedule. Only that goroutine runs
// the job; everything else asks for something and wakes it.
type worker[R any] struct {
	*shared
	grid   grid
	ctx    context.Context // ends when the worker is to leave
	cancel context.CancelFunc
	wake   chan struct{} // of one place
	done   chan struct{} // closed when the goroutine has ended
	// reports counts calls of overdue that are under way; it grows only while busy.
	reports sync.WaitGroup

	mu     sync.Mutex
	job    job[R]
	lane   mpp.Lane
	active bool
	// due is when the next run is to start. asked says that somebody wants it then: it is not
	// skipped. held says that it was put off after the process had slept; owed is when it was
	// due at first.
	due, owed   time.Time
	asked, held bool
	fresh       bool // the next run makes a fresh login
	// wish says that the next run was wished for, wished is when the last such one started.
	wish   bool
	wished time.Time
	// waiting want the result of a run that has yet to start, serving that of the present one.
	waiting, serving []chan R

	busy  bool
	began time.Time     // when the present or last run started; zero before the first
	limit time.Duration // of the present run
	// reported is when the present run was last reported as overdue, or zero.
	reported time.Time
	puts     int // how often in a row a result was discarded or a report put off
	guard    *time.Timer
}

// newWorker makes a worker whose first run is due at due.
func newWorker[R any](s *shared, g grid, j job[R], due time.Time) *worker[R] {
	w := &worker[R]{
		shared: s, grid: g, job: j, due: due, owed: due, lane: mpp.LaneNormal,
		wake: make(chan struct{}, 1), done: make(chan struct{}),
	}
	w.ctx, w.cancel = context.WithCancel(context.Background())
	return w
}

// loop is the worker's goroutine. It first waits until before is closed, if that is not nil:
// the former worker of the same name, whose last call may not have returned.
func (w *worker[R]) loop(before <-chan struct{}) {
	defer close(w.done)
	defer w.leave()
	if before != nil {
		w.waitFor(before)
	}
	timer := time.NewTimer(w.wait())
	defer timer.Stop()
	for {
		select {
		case <-w.ctx.Done():
			return
		case <-w.wake:
		case <-timer.C:
		}
		for w.ctx.Err() == nil && w.ready() {
			w.work()
		}
		timer.Reset(w.wait())
	}
}

// waitFor waits for before, but not for ever: a call that ignores the end of its context must
// not keep a reload from mending the node.
func (w *worker[R]) waitFor(before <-chan struct{}) {
	timer := time.NewTimer(grace)
	defer timer.Stop()
	select {
	case <-before:
	case <-timer.C:
	case <-w.ctx.Done():
	}
}

// leave ends what the worker owns.
func (w *worker[R]) leave() {
	w.mu.Lock()
	if w.guard != nil {
		w.guard.Stop()
	}
	shut := w.job.close
	w.mu.Unlock()
	w.reports.Wait()
	// What closing a connection says is of no use to anybody: the node is no longer ours.
	_ = shut()
}

// wait returns how long it is until the next run.
func (w *worker[R]) wait() time.Duration {
	w.mu.Lock()
	defer w.mu.Unlock()
	return time.Until(w.due)
}

// ready reports whether a run is to start now. After a sleep of the process all nodes are
// due at once; they are spread over an interval, or they would run into their time limits.
func (w *worker[R]) ready() bool {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	if now.Before(w.due) {
		return false
	}
	if w.asked || w.held || confirming(w.lane) || !w.heart.slept(w.due, now) {
		return true
	}
	w.held = true
	w.due = w.grid.spread(now, int(w.crowd.Load()), w.job.timing.interval)
	return false
}

// signal wakes the goroutine if it is asleep.
func (w *worker[R]) signal() {
	select {
	case w.wake <- struct{}{}:
	default:
	}
}

// work makes one run.
func (w *worker[R]) work() {
	j, ask, limit := w.begin()
	ctx, cancel := context.WithTimeout(w.ctx, limit)
	r := j.run(ctx, ask)
	cancel()
	w.end(j, r)
}

// begin notes that a run starts and plans the next.
func (w *worker[R]) begin() (job[R], mpp.Ask, time.Duration) {
	w.mu.Lock()
	defer w.mu.Unlock()
	now := time.Now()
	w.counters.running.Add(1)
	if w.job.node {
		w.counters.polls.Add(1)
		w.counters.late(now, now.Sub(w.owed))
	} else {
		w.counters.tries.Add(1)
	}
	ask := mpp.Ask{Active: w.active, FreshLogin: w.fresh || confirming(w.lane)}
	w.serving = append(w.serving, w.waiting...)
	w.waiting = nil
	if w.wish {
		w.wished = now
	}
	w.fresh, w.asked, w.held, w.wish = false, false, false, false
	w.busy, w.began, w.reported, w.limit = true, now, time.Time{}, w.job.timing.limitIn(w.lane)
	w.plan(w.grid.next(now, w.job.timing, w.lane))
	if w.guard == nil {
		w.guard = time.AfterFunc(w.limit+grace, w.overdue)
	} else {
		w.guard.Reset(w.limit + grace)
	}
	return w.job, ask, w.limit
}

// plan sets when the next run is due.
func (w *worker[R]) plan(due time.Time) { w.due, w.owed = due, due }

// end judges the result of a run, hands it on, and sees when the next one is due.
func (w *worker[R]) end(j job[R], r R) {
	w.mu.Lock()
	w.guard.Stop()
	now := time.Now()
	w.counters.running.Add(-1)
	w.busy = false
	good := w.judge(&j, &r, now)
	var waiters []chan R
	if good {
		waiters, w.serving = w.serving, nil
	}
	if w.due.Before(now) {
		if w.asked || confirming(w.lane) {
			w.plan(now)
		} else {
			w.plan(w.grid.after(now, j.timing.every(w.lane)))
		}
	}
	w.mu.Unlock()
	w.reports.Wait() // what was reported of this run comes first
	if good && w.ctx.Err() == nil {
		w.hand(j, r, waiters)
	}
}

// judge reports whether a result is to be handed on. One that was reported as overdue is not:
// it is known as failed, and what it found is old. One that failed over our own sleep is not
// either, and the run is made again at once.
func (w *worker[R]) judge(j *job[R], r *R, now time.Time) bool {
	if !w.reported.IsZero() {
		return false
	}
	slept := w.heart.slept(w.began, now) || now.Sub(w.began) > w.limit+overrun
	if !slept || !j.failed(r) {
		w.puts = 0
		return true
	}
	if w.puts >= maxDiscards {
		return true
	}
	w.puts++
	w.counters.discarded.Add(1)
	w.ask(now, len(w.serving) > 0)
	return false
}

// ask makes the next run due at once; w.mu is held.
func (w *worker[R]) ask(now time.Time, fresh bool) {
	if !w.asked || now.Before(w.due) {
		w.plan(now)
	}
	w.asked = true
	w.fresh = w.fresh || fresh
}

// hand passes a result on to everybody who wants it.
func (w *worker[R]) hand(j job[R], r R, waiters []chan R) {
	j.seen(r)
	for _, c := range waiters {
		c <- r // of one place
	}
}

// overdue is called when a run has not returned in time: it reports it and comes again.
func (w *worker[R]) overdue() {
	w.mu.Lock()
	now := time.Now()
	if !w.busy || w.ctx.Err() != nil || now.Sub(w.began) < w.limit+grace {
		w.mu.Unlock() // it ended, and perhaps the next one began, while we waited for the lock
		return
	}
	since := w.began
	if !w.reported.IsZero() {
		since = w.reported
	}
	if w.puts < maxDiscards && w.heart.slept(since, now) {
		w.puts++
		w.guard.Reset(grace)
		w.mu.Unlock()
		return
	}
	w.reported = now
	j := w.job
	// A server that hangs fails one poll every time limit; a prober that hangs, too.
	w.guard.Reset(max(w.limit, j.timing.every(w.lane)))
	var waiters []chan R
	waiters, w.serving = append(w.serving, w.waiting...), nil
	w.waiting = nil
	w.reports.Add(1)
	defer w.reports.Done()
	w.counters.hung.Add(1)
	w.mu.Unlock()
	w.hand(j, j.overdue(since, now.Sub(since)), waiters)
}
