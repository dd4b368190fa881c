package poller

import (
	"time"

	"mpp"
)

// The defaults of a Target's or Checkpoint's zero durations.
const (
	DefaultInterval        = time.Second
	DefaultConfirmInterval = 100 * time.Millisecond
	DefaultSlowInterval    = 5 * time.Second
)

// startSpacing is how far apart first polls are on average, so that a thousand logins do not
// start at the same moment; the whole takes no longer than one interval.
const startSpacing = 2 * time.Millisecond

// timing is when one node is polled.
type timing struct {
	interval, confirm, slow, limit time.Duration
	// urgent is the limit of a poll in the urgent lane.
	urgent time.Duration
}

// newTiming fills in the defaults; a poll without a time limit of its own has its interval.
func newTiming(interval, confirm, slow, limit time.Duration) timing {
	positive := func(d, otherwise time.Duration) time.Duration {
		if d > 0 {
			return d
		}
		return otherwise
	}
	t := timing{
		interval: positive(interval, DefaultInterval),
		confirm:  positive(confirm, DefaultConfirmInterval),
		slow:     positive(slow, DefaultSlowInterval),
	}
	t.limit = positive(limit, t.interval)
	t.urgent = t.limit
	return t
}

// limitIn is how long a poll in lane may take.
func (t timing) limitIn(lane mpp.Lane) time.Duration {
	if lane == mpp.LaneUrgent {
		return t.urgent
	}
	return t.limit
}

// confirming reports whether polls in lane follow one another as fast as they may.
func confirming(lane mpp.Lane) bool { return lane == mpp.LaneConfirm || lane == mpp.LaneUrgent }

// every is how often a node in lane is polled.
func (t timing) every(lane mpp.Lane) time.Duration {
	switch lane {
	case mpp.LaneConfirm, mpp.LaneUrgent:
		return t.confirm
	case mpp.LaneSlow:
		return t.slow
	case mpp.LaneNormal:
		return t.interval
	default:
		return t.interval
	}
}

// grid is a node's places in time: one in every interval since epoch, at an offset that its
// name alone gives.
type grid struct {
	epoch time.Time
	hash  uint64
}

// after returns the first place later than t.
func (g grid) after(t time.Time, interval time.Duration) time.Time {
	first := g.epoch.Add(time.Duration(g.hash % uint64(interval)))
	if t.Before(first) {
		return first
	}
	return first.Add((t.Sub(first)/interval + 1) * interval)
}

// next returns when the poll after one that started at start is due. In the confirm lane
// that is a fixed time later. In the others it is the next place that is at least half an
// interval away: a poll that was asked for in between does not shift the others.
func (g grid) next(start time.Time, t timing, lane mpp.Lane) time.Time {
	every := t.every(lane)
	if confirming(lane) {
		return start.Add(every)
	}
	return g.after(start.Add(every/2), every)
}

// spread returns a moment soon after now: polls of n nodes are spread over a few
// milliseconds each, and over no more than an interval.
func (g grid) spread(now time.Time, n int, interval time.Duration) time.Time {
	window := min(interval, time.Duration(max(n, 1))*startSpacing)
	return now.Add(time.Duration(g.hash % uint64(window)))
}

// hashOf is a stable hash of names, FNV-1a with a final mix: addresses that differ in their
// last digit must not become neighbours.
func hashOf(names ...string) uint64 {
	h := uint64(14695981039346656037)
	for _, name := range names {
		for i := range len(name) {
			h = (h ^ uint64(name[i])) * 1099511628211
		}
		h *= 1099511628211 // a separator: hash a NUL
	}
	h = (h ^ h>>33) * 0xff51afd7ed558ccd // murmur3's fmix64
	h = (h ^ h>>33) * 0xc4ceb9fe1a85ec53
	return h ^ h>>33
}
