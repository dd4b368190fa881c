package checks

import (
	"fmt"
	"time"

	"mpp"
)

// judgeLag judges how far the node is behind, and notes it in the observation. Seconds_Behind
// and the heartbeat's age are compared, and the worse of those that are known counts.
func (p *Prober) judgeLag(ask mpp.Ask, o *mpp.Observation, status result) finding {
	if status.err != nil {
		f := ofError(status.err)
		f.status = min(f.status, mpp.Info) // the replication check says how bad that is
		f.message = "lag unknown: " + f.message
		return f
	}
	if len(o.Channels) == 0 {
		// What replicates from nowhere is not behind; whether it should replicate is for the
		// replication check. Its heartbeat may be as old as the last time it was ACTIVE.
		o.LagKnown = ask.Active
		return finding{}
	}
	m := measure(o.Channels, p.o.IgnoreConfiguredDelay)
	if p.heartbeatKnown() {
		m.heartbeat(p.round.age, p.sinceWritten(o.At))
	}
	o.Lag, o.LagKnown = m.lag, m.known
	f := finding{status: mpp.Info, kind: mpp.KindLag, message: "lag unknown: " + m.why}
	if m.known {
		f = m.judge(p.o.LagThresholds)
	}
	if h := p.heartbeatTrouble(); h.status > f.status {
		return h
	}
	return f
}

// judge says what a known lag amounts to.
func (m *measured) judge(t Thresholds) finding {
	f := finding{status: t.status(m.lag)}
	if f.status == mpp.OK {
		return f
	}
	f.kind = mpp.KindLag
	f.message = fmt.Sprintf("%s behind (%s)", shortDuration(m.lag), m.by)
	if m.doubtful {
		f.status = min(f.status, mpp.Warn)
		f.message = fmt.Sprintf("the newest heartbeat is %s old, though the server itself is not that far behind: perhaps nobody writes it",
			shortDuration(m.lag))
	}
	return f
}

// sinceWritten is how long ago the pool's writer last wrote a heartbeat, negative for unknown.
func (p *Prober) sinceWritten(now time.Time) time.Duration {
	if p.o.HeartbeatWritten == nil {
		return -1
	}
	at := p.o.HeartbeatWritten()
	if at.IsZero() {
		return -1
	}
	return max(now.Sub(at), 0)
}

// measured is a lag and where it comes from.
type measured struct {
	lag   time.Duration
	known bool
	by    string // "Seconds_Behind", "heartbeat"
	why   string // why it is not known
	delay time.Duration
	// doubtful says that it is the age of a heartbeat which perhaps nobody writes any more: while
	// writes stand still for a backup, all copies would look far behind.
	doubtful bool
	// receiving says that every channel still receives: only then does an old heartbeat mean
	// that the node is behind. If not, the source may be the one that has stopped.
	receiving bool
}

// measure takes the worst channel. A channel that has no connection to its source and says that
// it is 0 s behind does not know: it has executed all that it received, and no more.
func measure(channels []mpp.Channel, ignoreDelay bool) measured {
	m := measured{receiving: true}
	for i := range channels {
		c := &channels[i]
		var delay time.Duration
		if ignoreDelay {
			delay = c.Delay
		}
		m.delay = max(m.delay, delay)
		receives := c.IO == "Yes"
		m.receiving = m.receiving && receives
		switch {
		case !c.LagKnown || (!receives && c.Lag == 0):
			if m.why == "" {
				m.why = whyUnknown(c)
			}
		case !m.known || c.Lag-delay > m.lag:
			m.lag, m.known, m.by = max(c.Lag-delay, 0), true, "Seconds_Behind"
		}
	}
	if m.why != "" && m.lag == 0 {
		m.known = false // one channel in step says nothing of another
	}
	if m.why == "" && !m.known {
		m.why = "no replication channel and no heartbeat"
	}
	return m
}

// whyUnknown says why a channel does not know its lag.
func whyUnknown(c *mpp.Channel) string {
	switch {
	case c.SQL != "Yes":
		return channelName(c) + "the SQL thread is not running"
	case c.IO == "No":
		return channelName(c) + "the IO thread is not running"
	case c.IO != "Yes":
		return channelName(c) + "no connection to the source"
	default:
		return channelName(c) + "the server does not say"
	}
}

// heartbeat takes the age of the heartbeat into account. since is how long ago a newer one may
// have been written at the source, negative for unknown: only what is older than that is lag.
func (m *measured) heartbeat(age, since time.Duration) {
	if !m.receiving {
		return
	}
	age = max(age-max(since, 0)-m.delay, 0)
	if !m.known || age > m.lag {
		m.doubtful = since < 0
		m.lag, m.known, m.by = age, true, "heartbeat"
	}
}

// heartbeatKnown reports whether the round read a heartbeat.
func (p *Prober) heartbeatKnown() bool {
	r, asked := p.round.of(stepHeartbeat)
	return asked && r.err == nil && p.round.ageKnown
}

// heartbeatTrouble is what kept the heartbeat from being read. It says nothing of the copy, so
// it is never a failure.
func (p *Prober) heartbeatTrouble() finding {
	r, asked := p.round.of(stepHeartbeat)
	switch {
	case !asked:
		return finding{}
	case r.err != nil:
		f := ofError(r.err)
		f.status = mpp.Warn
		f.message = "cannot read the heartbeat: " + f.message
		return f
	case !p.round.ageKnown:
		return finding{status: mpp.Info, kind: mpp.KindLag, message: "no heartbeat was ever written to " + p.o.HeartbeatTable}
	default:
		return finding{}
	}
}

// shortDuration shows a lag: to the second from one second on.
func shortDuration(d time.Duration) string {
	if d >= time.Second {
		return d.Truncate(time.Second).String()
	}
	return d.Truncate(time.Millisecond).String()
}
