package remote

import (
	"sync"
	"time"
)

// tick is the unit of /proc/uptime.
const tick = 10 * time.Millisecond

// clock knows what a host's uptime was at a moment here. Each call sets it anew: two clocks drift
// apart by seconds a day.
type clock struct {
	mu sync.Mutex
	up int64
	at time.Time
}

// set notes that the host's uptime was up ticks, at the latest at the moment at.
func (c *clock) set(up int64, at time.Time) {
	c.mu.Lock()
	defer c.mu.Unlock()
	c.up, c.at = up, at
}

// limit returns the host's uptime at a moment here, in ticks; before the host was heard, one that
// never comes.
func (c *clock) limit(deadline time.Time) int64 {
	c.mu.Lock()
	defer c.mu.Unlock()
	if c.at.IsZero() {
		return forever
	}
	return c.up + int64(deadline.Sub(c.at)/tick)
}
