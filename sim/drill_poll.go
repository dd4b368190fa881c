package sim

import (
	"time"

	"mpp"
)

// The times of modelled polls.
const (
	leastTook    = 2 * time.Millisecond
	mostTook     = 80 * time.Millisecond
	pollLimit    = 500 * time.Millisecond
	urgentLimit  = 200 * time.Millisecond
	normalEvery  = time.Second
	confirmEvery = 100 * time.Millisecond
	slowEvery    = 5 * time.Second
	// stuckAfter is how long commits must wait for an acknowledgement to be a failure.
	stuckAfter = 1500 * time.Millisecond
)

// watch is how the manager polls one node.
type watch struct {
	lane mpp.Lane
	// busy says that a poll is under way; turn invalidates what was planned before.
	busy bool
	turn int
	last time.Time
	// took is how long it takes the node to answer.
	took time.Duration
}

func every(lane mpp.Lane) time.Duration {
	switch lane {
	case mpp.LaneConfirm, mpp.LaneUrgent:
		return confirmEvery
	case mpp.LaneSlow:
		return slowEvery
	default:
		return normalEvery
	}
}

// plan polls node i at a time, in place of what was planned.
func (d *drill) planPoll(i int, at time.Time) {
	w := &d.watches[i]
	w.turn++
	turn, life := w.turn, d.life
	d.at(at, func() error {
		if d.life != life || w.turn != turn || w.busy {
			return nil
		}
		if d.now.Before(d.frozenUntil) { // a process that is frozen asks nobody
			d.planPoll(i, d.frozenUntil)
			return nil
		}
		d.poll(i)
		return nil
	})
}

// poll asks node i now; its answer is an input when it is there.
func (d *drill) poll(i int) {
	w := &d.watches[i]
	w.busy, w.last = true, d.now
	o := d.observe(i)
	life := d.life
	d.at(d.now.Add(o.Took), func() error {
		if d.life != life {
			return nil
		}
		w.busy = false
		d.planPoll(i, later(w.last.Add(every(w.lane)), d.now))
		return d.input(mpp.Input{Observation: &o})
	})
}

func later(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

// observe is what a poll of node i finds.
func (d *drill) observe(i int) mpp.Observation {
	s := d.servers[i]
	o := mpp.Observation{Node: s.address, At: d.now, Took: d.watches[i].took}
	fail := func(name string, k mpp.Kind) {
		o.Checks = append(o.Checks, mpp.CheckResult{Name: name, Class: mpp.Reach, Status: mpp.Fail, Kind: k, Message: string(k)})
	}
	slow := pollLimit
	if d.watches[i].lane == mpp.LaneUrgent {
		slow = urgentLimit
	}
	switch {
	case !s.reached() || d.chance(d.loss):
		o.Took = slow
		fail("connect", mpp.KindNoAnswer)
		return o
	case !s.up:
		fail("connect", mpp.KindRefused)
		return o
	case s.frozen:
		o.Took = slow
		fail("connect", mpp.KindNoHandshake)
		return o
	}
	o.Answered = true
	o.Checks = append(make([]mpp.CheckResult, 0, 4), mpp.CheckResult{Name: "query", Class: mpp.Reach})
	active := d.isActive(i)
	switch {
	case s.stuck != "" && active:
		fail("write", s.stuck)
	case s.pending >= 0 && d.now.Sub(s.pendingAt) >= stuckAfter && active:
		fail("commit", mpp.KindSemiSyncWait)
	}
	o.Server = d.says(s)
	d.observeLink(&o, s, active)
	return o
}

// says is what a server says of itself.
func (d *drill) says(s *server) mpp.Server {
	m := mpp.Server{
		Flavour: "mysql", Version: "9.7.4", ID: uint32(s.index) + 1, UUID: uuid(s.index), ReadOnly: s.readOnly, SuperReadOnly: s.readOnly,
		GTID: d.executed(s), StartedAt: s.started, Settings: s.known,
	}
	if d.mariadb {
		m.Flavour, m.Version, m.UUID, m.SuperReadOnly, m.BinlogState = "mariadb", "10.11.19-MariaDB-log", "", false, d.binlogState(s)
	}
	if !d.semi {
		return m
	}
	semi := &mpp.SemiSync{Replica: s.acknowledges && s.connected, Source: d.asks(s), TimedOut: s.timedOut}
	for _, r := range d.servers {
		if r.source == s.index && r.connected && r.acknowledges && d.linked(r, s) {
			semi.Clients++
		}
	}
	if s.pending >= 0 {
		semi.Waiting = 1
	}
	m.SemiSync = semi
	return m
}

// observeLink adds what a server says of its replication, and the findings on it.
func (d *drill) observeLink(o *mpp.Observation, s *server, active bool) {
	replication := mpp.CheckResult{Name: "replication", Class: mpp.Replica}
	if s.source < 0 {
		if !active {
			replication.Status, replication.Kind, replication.Message = mpp.Warn, mpp.KindReplicationStopped, "is not a replica of anything"
		}
		o.Checks = append(o.Checks, replication)
		return
	}
	src := d.servers[s.source]
	c := mpp.Channel{
		SourceHost: src.address[:len(src.address)-5], SourcePort: 3306, IO: "Yes", SQL: "Yes", IOErrno: s.errno, ByGTID: true,
		Received: d.received(s), SourceLog: logName(src.index), SourcePos: logPos(s.readTo), LagKnown: s.connected,
	}
	if s.last >= 0 || s.connected {
		c.SourceID = uint32(src.index) + 1
		if !d.mariadb {
			c.SourceUUID = uuid(src.index)
		}
	}
	switch {
	case !s.io:
		c.IO = "No"
	case !s.connected:
		c.IO = "Connecting"
	}
	if !s.sql {
		c.SQL, c.SQLErrno = "No", s.sqlErrno
	}
	if s.slow && len(s.relay) > 0 {
		c.Lag = 2 * time.Second
	}
	o.Channels, o.Lag, o.LagKnown = []mpp.Channel{c}, c.Lag, c.LagKnown
	switch {
	case !s.sql || (!s.io && s.errno == 0) || s.errno == 1236:
		replication.Status, replication.Kind, replication.Message = mpp.Fail, mpp.KindReplicationStopped, "a thread is not running"
	case !s.connected:
		replication.Class, replication.Status, replication.Kind, replication.Message = mpp.Reach, mpp.Warn, mpp.KindSourceUnreachable, "cannot reach its source"
	}
	o.Checks = append(o.Checks, replication)
}

// look looks at every host for the virtual address.
func (d *drill) look() error {
	if d.down || !d.policy.Failover.Addresses || d.now.Before(d.frozenUntil) {
		return nil
	}
	for _, s := range d.servers {
		if s.cut && s.sshCut {
			continue
		}
		r := mpp.AddressReport{Node: s.address, At: d.now, Known: s.shelled(), Holds: s.vip, Some: s.vip}
		if !r.Known {
			r.Holds, r.Some, r.Message = false, false, "no answer"
		}
		if err := d.input(mpp.Input{AddressReport: &r}); err != nil {
			return err
		}
	}
	return nil
}
