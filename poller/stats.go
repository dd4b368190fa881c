package poller

import (
	"math"
	"math/bits"
	"sync"
	"sync/atomic"
	"time"
)

// Stats is a snapshot of how the poller is doing.
type Stats struct {
	// Nodes and Checkpoints are how many there are.
	Nodes, Checkpoints int
	// Polls, Tries, Hung and Discarded count since New: polls of nodes, tries of checkpoints,
	// failures that the poller itself reported because a call did not return, and results
	// that were thrown away because this process had slept.
	Polls, Tries, Hung, Discarded uint64
	// Running is how many polls and tries are under way.
	Running int
	// LateP50, LateP99 and LateMax say how long after they were due polls of nodes started,
	// in the last one to two minutes; 0 when there were none. They are exact to 7 %.
	LateP50, LateP99, LateMax time.Duration
}

// windowLength is how long a window of the lateness is; the last full one and the present
// one are looked at.
const windowLength = time.Minute

// counters are what Stats is made of.
type counters struct {
	polls, tries, hung, discarded atomic.Uint64
	running                       atomic.Int64

	mu       sync.Mutex
	now, old histogram
	turned   time.Time // when now began
}

// late notes how late a poll started.
func (c *counters) late(now time.Time, d time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	c.now.add(d)
}

// turn starts a new window when the present one is over.
func (c *counters) turn(now time.Time) {
	switch age := now.Sub(c.turned); {
	case age < windowLength:
		return
	case age < 2*windowLength:
		c.old = c.now
	default:
		c.old = histogram{}
	}
	c.now, c.turned = histogram{}, now
}

// lateness returns the median, the 99th percentile and the maximum.
func (c *counters) lateness(now time.Time) (p50, p99, most time.Duration) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.turn(now)
	both := c.old
	both.merge(&c.now)
	return both.quantile(0.5), both.quantile(0.99), both.most
}

// histogram counts durations in buckets that grow by a sixteenth of a power of two, from a
// microsecond to more than an hour. The zero value is empty.
type histogram struct {
	counts [bucketCount]uint32
	total  uint64
	most   time.Duration
}

const (
	// subBits is how many bits of a duration below its highest one are told apart.
	subBits     = 4
	bucketCount = (34 - subBits) << subBits
)

// bucketOf returns the bucket of a duration.
func bucketOf(d time.Duration) int {
	us := uint64(max(d, 0) / time.Microsecond)
	if us < 1<<subBits {
		return int(us)
	}
	shift := bits.Len64(us) - subBits - 1
	return min((shift<<subBits)+int(us>>shift), bucketCount-1)
}

// upper returns the largest duration of a bucket, to the microsecond.
func upper(bucket int) time.Duration {
	if bucket < 1<<subBits {
		return time.Duration(bucket) * time.Microsecond
	}
	shift := bucket>>subBits - 1
	low := (bucket - shift<<subBits) << shift
	return time.Duration(low+1<<shift-1) * time.Microsecond
}

func (h *histogram) add(d time.Duration) {
	h.counts[bucketOf(d)]++
	h.total++
	h.most = max(h.most, d)
}

func (h *histogram) merge(other *histogram) {
	for i, n := range other.counts {
		h.counts[i] += n
	}
	h.total += other.total
	h.most = max(h.most, other.most)
}

// quantile returns the least duration that a share q of all does not exceed, 0 when empty.
func (h *histogram) quantile(q float64) time.Duration {
	if h.total == 0 {
		return 0
	}
	rank := uint64(math.Ceil(q * float64(h.total)))
	var seen uint64
	for i, n := range h.counts {
		seen += uint64(n)
		if seen >= rank {
			return min(upper(i), h.most)
		}
	}
	return h.most
}
