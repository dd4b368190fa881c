package poller

import (
	"context"
	"sync/atomic"
	"time"
)

const (
	// beatEvery is how often the heartbeat beats.
	beatEvery = 100 * time.Millisecond
	// gapAfter is from which distance of two beats on the process counts as having slept:
	// far more than a busy machine's scheduling, and less than any sensible time limit.
	gapAfter = 300 * time.Millisecond
	// overrun is by how much a poll may exceed its time limit before its process is taken to
	// have been held up, even if the heartbeat was not.
	overrun = 250 * time.Millisecond
	// grace is how much longer than its time limit a poll may take before the poller itself
	// reports it. It is more than overrun, and than what a busy machine needs to wake a
	// goroutine.
	grace = 500 * time.Millisecond
	// maxDiscards bounds how many results in a row of one node are thrown away.
	maxDiscards = 3
)

// heart notices that the process did not run. Its times are since epoch, on the monotonic clock.
type heart struct {
	epoch time.Time
	// last is when it last beat; gapEnd is when the last gap ended, 0 before the first one.
	last, gapEnd atomic.Int64
}

func newHeart(epoch time.Time) *heart { return &heart{epoch: epoch} }

// beat notes a beat and returns the gap before it, 0 for none.
func (h *heart) beat(now time.Time) time.Duration {
	t := int64(now.Sub(h.epoch))
	gap := time.Duration(t - h.last.Load())
	if gap <= gapAfter {
		h.last.Store(t)
		return 0
	}
	// In this order a reader that comes in between sees the gap in either way.
	h.gapEnd.Store(t)
	h.last.Store(t)
	return gap - beatEvery
}

// slept reports whether the process slept at any time from start to now: a gap ended in
// between, or one has just ended and the heartbeat has not got round to seeing it.
func (h *heart) slept(start, now time.Time) bool {
	last := time.Duration(h.last.Load())
	if now.Sub(h.epoch)-last > gapAfter {
		return true
	}
	return time.Duration(h.gapEnd.Load()) > start.Sub(h.epoch)
}

// run beats until ctx ends, and sends gaps to found; gaps that nobody takes are added up.
func (h *heart) run(ctx context.Context, found chan<- time.Duration) {
	ticker := time.NewTicker(beatEvery)
	defer ticker.Stop()
	var pending time.Duration
	for {
		var out chan<- time.Duration
		if pending > 0 {
			out = found
		}
		select {
		case <-ctx.Done():
			return
		case out <- pending:
			pending = 0
		case <-ticker.C:
			// Not the tick's own time: that is when it was due.
			pending += h.beat(time.Now())
		}
	}
}
