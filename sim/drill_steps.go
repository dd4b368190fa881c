package sim

import (
	"fmt"
	"slices"
	"time"

	"mpp"
	"mpp/gtid"
)

// mischief is what goes wrong with a step.
type mischief uint8

const (
	// none: it does what it should.
	none mischief = iota
	// refuses: it fails at once, and has done nothing.
	refuses
	// hangs: nothing is heard until its limit, and nothing is done.
	hangs
	// loses: it is done, and its result is an error.
	loses
	// strikesLate: its limit passes, and then it is done all the same.
	strikesLate
)

// errand is a step under way.
type errand struct {
	task mpp.Task
	life int
	// over says that it has ended or was overtaken by a newer failover.
	over bool
}

// begin starts a step.
func (d *drill) begin(t *mpp.Task) {
	d.started[t.Operation]++
	if t.Kind == mpp.OpFailover {
		d.overtake(t.Operation)
	}
	e := &errand{task: *t, life: d.life}
	d.errands = append(d.errands, e)
	if d.onTask != nil {
		d.onTask(t)
	}
	m := none
	if d.meddle != nil {
		m = d.meddle(t)
	}
	if m != none {
		d.report.Mischiefs++
		d.mishaps++
	}
	d.tell("operation %d %s: %s %s <- %s (mischief %d)", t.Operation, t.Kind, t.Step.Kind, t.Step.Node, t.Step.Peer, m)
	switch m {
	case refuses:
		d.end(e, d.between(time.Millisecond, 5*time.Millisecond), mpp.StepResult{Text: "error 1205"})
	case hangs:
		d.end(e, min(t.Step.Limit, mostHanging), mpp.StepResult{Text: "no end within its limit", Unreachable: d.chance(0.7)})
	case strikesLate:
		limit := min(t.Step.Limit, mostHanging)
		if late(t.Step.Kind) {
			d.in(limit+d.between(0, time.Second), func() { d.do(&e.task.Step) })
		}
		d.end(e, limit, mpp.StepResult{Text: "no end within its limit", Unreachable: true})
	default:
		d.in(d.between(time.Millisecond, 5*time.Millisecond), func() { d.try(e, m == loses) })
	}
}

// late reports whether a step of the kind can still strike after its limit: a single command that was
// sent. What would make a writer read-only late is ended by who runs it.
func late(k mpp.StepKind) bool {
	switch k {
	case mpp.StepPromote, mpp.StepAddAddress, mpp.StepRemoveAddress, mpp.StepStopReceiver, mpp.StepEndSessions:
		return true
	default:
		return false
	}
}

// try carries a step out, or waits for what it waits for.
func (d *drill) try(e *errand, lose bool) {
	if e.over {
		return
	}
	began := d.now
	limit := began.Add(e.task.Step.Limit)
	var again func()
	again = func() {
		if e.over {
			return
		}
		result, wait := d.do(&e.task.Step)
		if wait && d.now.Before(limit) {
			d.in(20*time.Millisecond, again)
			return
		}
		if wait && e.task.Step.Kind != mpp.StepTestLink {
			result = mpp.StepResult{Text: "not within its limit"}
		}
		took := d.between(0, 3*time.Millisecond)
		if result.Unreachable && d.silentTo(e.task.Step) {
			took = min(e.task.Step.Limit, mostSilence)
		}
		if lose {
			result = mpp.StepResult{Text: "the connection was lost", Unreachable: d.chance(0.7)}
		}
		d.end(e, took, result)
	}
	again()
}

// mostSilence is how long a connection is waited for that has fallen silent, mostHanging for how long
// anything hangs: to save or to copy may take much longer, and histories are to end.
const (
	mostSilence = 5 * time.Second
	mostHanging = 20 * time.Second
)

// silentTo reports whether nothing at all comes from the node of a step.
func (d *drill) silentTo(st mpp.Step) bool {
	i := d.indexOf(st.Node)
	return i >= 0 && (!d.servers[i].reached() || d.servers[i].frozen)
}

// end brings the result of a step after a while.
func (d *drill) end(e *errand, wait time.Duration, r mpp.StepResult) {
	d.at(d.now.Add(wait), func() error {
		if e.over || e.life != d.life {
			return nil
		}
		e.over = true
		d.tell("operation %d %s %s: done %t, %s", e.task.Operation, e.task.Step.Kind, e.task.Step.Node, r.Done, r.Text)
		r.Operation, r.Step, r.At, r.Took = e.task.Operation, e.task.Step.N, d.now, wait
		err := d.input(mpp.Input{StepResult: &r})
		if err == nil && d.onResult != nil {
			d.onResult(&e.task)
		}
		return err
	})
}

// overtake ends what older operations still do: some of it may have been done already.
func (d *drill) overtake(operation uint64) {
	for _, e := range d.errands {
		if !e.over && e.life == d.life && e.task.Operation < operation {
			e.over = true
			if d.chance(0.3) {
				d.do(&e.task.Step)
			}
		}
	}
	d.tidy()
}

// orphanErrands ends the steps of a manager that was killed.
func (d *drill) orphanErrands() {
	for _, e := range d.errands {
		if !e.over {
			e.over = true
			if d.chance(0.5) {
				d.do(&e.task.Step)
			}
		}
	}
	d.tidy()
}

func (d *drill) tidy() {
	d.errands = slices.DeleteFunc(d.errands, func(e *errand) bool { return e.over })
}

func noAnswer() mpp.StepResult { return mpp.StepResult{Text: "no answer", Unreachable: true} }

func (d *drill) doneAt(s *server) mpp.StepResult {
	return mpp.StepResult{Done: true, Text: "done", Position: d.position(s)}
}

// do carries a step out as it would be now; wait says that it is not time yet.
func (d *drill) do(st *mpp.Step) (r mpp.StepResult, wait bool) {
	i := d.indexOf(st.Node)
	if i < 0 {
		return mpp.StepResult{Done: true, Text: "done"}, false
	}
	s := d.servers[i]
	switch st.Kind {
	case mpp.StepRemoveAddress, mpp.StepAddAddress, mpp.StepBinlogEnd:
		return d.onHost(s, st), false
	case mpp.StepShutdown:
		s.crash()
		return mpp.StepResult{Done: true, Text: "it is off"}, false
	default:
	}
	if !s.answers() {
		return noAnswer(), false
	}
	switch st.Kind {
	case mpp.StepTestLink:
		return d.testLink(s, st)
	case mpp.StepDrain:
		return d.drainAll(s)
	case mpp.StepAwaitSet:
		return d.await(s, st)
	default:
		return d.onServer(s, st), false
	}
}

// onHost does what is done on a host.
func (d *drill) onHost(s *server, st *mpp.Step) mpp.StepResult {
	if !s.shelled() {
		return noAnswer()
	}
	switch st.Kind {
	case mpp.StepRemoveAddress:
		s.vip = false
	case mpp.StepAddAddress:
		s.vip = true
	default:
		return mpp.StepResult{Done: true, Text: "found", Position: &mpp.Position{OwnLog: logName(s.index), OwnPos: logPos(len(s.log))}}
	}
	return mpp.StepResult{Done: true, Text: "done"}
}

// onServer does what is done by statements.
func (d *drill) onServer(s *server, st *mpp.Step) mpp.StepResult {
	switch st.Kind {
	case mpp.StepReadOnly:
		if s.stuck != "" && d.chance(0.5) {
			return mpp.StepResult{Text: "error 1205"}
		}
		s.readOnly, s.pending = true, -1 // a commit that holds it up is ended
	case mpp.StepWritable:
		s.readOnly = false
	case mpp.StepEndSessions:
		s.pending = -1 // the client hears an error
	case mpp.StepStopReceiver:
		s.io, s.connected = s.io && s.source < 0, false
	case mpp.StepStartReplica:
		if s.source < 0 {
			return mpp.StepResult{Text: "it is no replica"}
		}
		s.io, s.sql, s.sqlErrno, s.retryAt = true, true, 0, time.Time{}
	case mpp.StepPromote:
		s.source, s.io, s.connected, s.readOnly, s.errno = -1, false, false, false, 0
		s.timedOut = false
	case mpp.StepCopyFrom, mpp.StepBinlogTail, mpp.StepRepoint, mpp.StepClone:
		return d.fromPeer(s, st)
	default: // what changes nothing that is modelled
	}
	return d.doneAt(s)
}

// testLink lets a replica connect anew: for a moment its link is down, even if all is well.
func (d *drill) testLink(s *server, st *mpp.Step) (mpp.StepResult, bool) {
	switch {
	case s.source < 0 || !s.io:
		return mpp.StepResult{Text: "its receiver does not run"}, false
	case s.tested != st.N:
		s.tested, s.connected, s.errno, s.retryAt = st.N, false, 0, d.now.Add(d.between(0, 400*time.Millisecond))
		if d.chance(d.loss) {
			s.errno, s.retryAt = 2003, d.now.Add(time.Second)
		}
	}
	r := mpp.StepResult{Done: true, Text: "tried", Alive: s.connected}
	src := d.servers[s.source]
	if !s.connected && (!d.linked(s, src) || src.frozen || src.up) {
		return r, true // it waits for its limit
	}
	s.tested = 0
	return r, false
}

// drainAll lets the applier execute what was received.
func (d *drill) drainAll(s *server) (mpp.StepResult, bool) {
	s.sql, s.sqlErrno = true, 0
	if s.slow {
		return mpp.StepResult{}, len(s.relay) > 0
	}
	if d.drain(s, len(s.relay)); !s.sql {
		return mpp.StepResult{Text: "its applier has stopped with error 1950"}, false
	}
	return d.doneAt(s), false
}

// await waits until the server has a set.
func (d *drill) await(s *server, st *mpp.Step) (mpp.StepResult, bool) {
	flavour := "mysql"
	if d.mariadb {
		flavour = "mariadb"
	}
	want, err := gtid.Parse(flavour, st.GTID)
	if err != nil {
		return mpp.StepResult{Text: err.Error()}, false
	}
	has, err := gtid.Parse(flavour, d.executed(s))
	if err != nil {
		return mpp.StepResult{Text: err.Error()}, false
	}
	return d.doneAt(s), !has.Contains(want)
}

// fromPeer does what another server has a part in.
func (d *drill) fromPeer(s *server, st *mpp.Step) mpp.StepResult {
	p := d.indexOf(st.Peer)
	if p < 0 {
		return mpp.StepResult{Text: "no such node"}
	}
	peer := d.servers[p]
	if st.Kind == mpp.StepBinlogTail {
		return d.takeTail(s, peer, st)
	}
	reached := peer.up && !peer.frozen && d.linked(s, peer)
	switch {
	case st.Kind == mpp.StepRepoint:
		return d.repoint(s, peer)
	case !reached:
		return mpp.StepResult{Text: "the other node cannot be reached from it"}
	case st.Kind == mpp.StepClone:
		s.log, s.has, s.got, s.relay = append([]int(nil), peer.log...), peer.has, peer.has, nil
		s.source, s.readOnly, s.io = -1, true, false
	default:
		s.follow(peer.index)
		for _, tx := range peer.log {
			s.execute(tx)
		}
		s.io, s.last, s.readTo = false, tail(peer.log), len(peer.log)
		s.fetched = peer.has
	}
	return d.doneAt(s)
}

// takeTail executes the end of a dead server's binary log.
func (d *drill) takeTail(s, peer *server, st *mpp.Step) mpp.StepResult {
	if !peer.shelled() {
		return mpp.StepResult{Text: "no ssh to " + peer.address}
	}
	from := (int(st.LogPos) - logHead) / logSize
	if st.Log != logName(peer.index) || st.LogPos < logHead || from > len(peer.log) {
		return mpp.StepResult{Text: fmt.Sprintf("%s:%d is no place in its log", st.Log, st.LogPos)}
	}
	for _, tx := range peer.log[from:] {
		s.execute(tx)
	}
	r := d.doneAt(s)
	r.Text = fmt.Sprintf("%d transactions", len(peer.log)-from)
	return r
}

// repoint makes a server a replica of another, unless that would discard something.
func (d *drill) repoint(s, peer *server) mpp.StepResult {
	if s.slow && len(s.relay) > 0 {
		return mpp.StepResult{Text: "it has received what it has not executed"}
	}
	if d.drain(s, len(s.relay)); len(s.relay) > 0 {
		return mpp.StepResult{Text: "it has received what it cannot execute"}
	}
	for _, tx := range s.log {
		if !peer.has.has(tx) && peer.answers() {
			return mpp.StepResult{Text: "it holds what " + peer.address + " does not have"}
		}
	}
	s.follow(peer.index)
	s.readOnly = true
	d.receive(s)
	return d.doneAt(s)
}
