package daemon

import (
	"context"
	"fmt"
	"io"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	"mpp"
	"mpp/journal"
	"mpp/pool"
)

// The bounds of the loop.
const (
	// inboxSize bounds what waits for the loop. A sender that finds it full waits.
	inboxSize = 8192
	// batchSize bounds how many inputs share one fsync.
	batchSize = 512
	// tickEvery is how often the view is renewed and time-outs are looked at.
	tickEvery = 100 * time.Millisecond
)

// pollers is what the loop tells the poller.
type pollers interface {
	SetLane(node string, lane mpp.Lane)
	SetActive(node string, active bool)
	PollNow(node string)
	TryCheckpoints(pool string)
}

// recorder is the journal, as the loop uses it.
type recorder interface {
	Append(r journal.Record, sync bool) error
	NeedsCompaction() bool
	Stats() journal.Stats
	Compact(pools []mpp.PoolMemory, events []mpp.Event) error
}

// message is one thing for the loop to do: an input to step, or a function to run between
// inputs (a question, a reload).
type message struct {
	input mpp.Input
	reply chan<- mpp.Result // of a command
	do    func(now time.Time)
}

// loop owns the state of all pools: one goroutine, run, touches it. Everything reaches it as
// a message.
type loop struct {
	inbox    chan message
	arbiters map[string]*pool.Arbiter
	order    []string // pools in configured order
	poller   pollers
	journal  recorder
	ring     *journal.Ring
	events   *eventLog
	views    *viewStore
	// unready are the nodes that were not polled since the start; empty means ready.
	unready map[string]bool
	// broken is why the journal cannot be written, "" while it can; lost why the state
	// directory is no longer ours.
	broken string
	lost   string
	// full is why the journal could not be written if it had to be, "" while it could; stateDir is where
	// it is, "" for nowhere.
	full     string
	stateDir string
	lease    func() error
	// steps carries out the steps of operations; reports keeps what came of them.
	steps   steps
	reports keeper
	ended   func(op *mpp.Operation) // counts an operation that has ended; called from the loop only
	// journalStats is renewed each second, for readers outside the loop.
	journalStats atomic.Pointer[journal.Stats]
	lastTick     time.Time
	alive        func(now time.Time) // feeds the watchdog; called from the loop only
	note         func(e mpp.Event)   // logs an event; called from the loop only
	batch        batch
}

// batch is what the inputs at hand have led to and what is not yet published.
type batch struct {
	sync    bool
	records []journal.Record
	actions []poolAction
	replies []pendingReply
	dirty   map[string]bool
	urgent  bool // a state changed: show it now
}

// poolAction is an action with the pool that wants it.
type poolAction struct {
	pool   string
	action mpp.Action
}

type pendingReply struct {
	to     chan<- mpp.Result
	result mpp.Result
}

// run is the one inbox loop. It returns when ctx ends, after the batch at hand.
func (l *loop) run(ctx context.Context) {
	ticker := time.NewTicker(tickEvery)
	defer ticker.Stop()
	l.tick(time.Now()) // what New had to tell, and what a memory has to be mended of
	l.ring.Mark(time.Now(), l.memories())
	l.renewView(time.Now(), true)
	for {
		select {
		case <-ctx.Done():
			l.commit()
			return
		case m := <-l.inbox:
			l.take(m)
		case now := <-ticker.C:
			l.tick(now)
		}
		l.drain()
		l.commit()
	}
}

// drain takes what else waits, up to a batch, so that one fsync serves all of it.
func (l *loop) drain() {
	for range batchSize {
		select {
		case m := <-l.inbox:
			l.take(m)
		default:
			return
		}
	}
}

// take steps one message.
func (l *loop) take(m message) {
	now := time.Now()
	if m.do != nil {
		l.commit() // questions and reloads see what is journalled
		m.do(now)
		return
	}
	m.input.At = now
	a := l.arbiters[m.input.Pool]
	if a == nil {
		l.refuse(m, fmt.Sprintf("there is no pool %s", m.input.Pool))
		return
	}
	if o := m.input.Observation; o != nil {
		delete(l.unready, o.Node)
	}
	l.ring.Add(m.input)
	l.collect(a, m.input, a.Step(now, m.input), m.reply)
}

func (l *loop) refuse(m message, why string) {
	if m.reply != nil {
		m.reply <- mpp.Result{Refused: why, Changes: []string{}}
	}
}

// collect adds what a step led to to the batch.
func (l *loop) collect(a *pool.Arbiter, in mpp.Input, actions []mpp.Action, reply chan<- mpp.Result) {
	if l.batch.dirty == nil {
		l.batch.dirty = map[string]bool{}
	}
	l.batch.dirty[in.Pool] = true
	record := journal.Record{At: in.At, Pool: in.Pool}
	for _, action := range actions {
		switch action.Kind {
		case mpp.ActionPersist:
			l.remember(a, action, &record)
		case mpp.ActionEvent:
			e := l.events.number(*action.Event)
			action.Event = &e
			record.Events = append(record.Events, e)
			l.batch.urgent = l.batch.urgent || e.Kind == mpp.EventState || e.Kind == mpp.EventPool || e.Kind == mpp.EventOperation
		case mpp.ActionReport:
			l.keep(action.Operation)
		case mpp.ActionReply:
			if reply != nil {
				l.batch.replies = append(l.batch.replies, pendingReply{reply, *action.Result})
			}
			continue
		default: // the poller's: carried out once the journal has it
		}
		l.batch.actions = append(l.batch.actions, poolAction{in.Pool, action})
	}
	if len(record.Nodes) > 0 || record.PoolMemory != nil || len(record.Events) > 0 {
		record.Input = &in
		l.batch.records = append(l.batch.records, record)
	}
}

// remember puts what a persist action asks for into the record.
func (l *loop) remember(a *pool.Arbiter, action mpp.Action, r *journal.Record) {
	l.batch.sync = l.batch.sync || action.Sync
	if action.Node == "" {
		head := a.Head()
		r.PoolMemory = &head
		return
	}
	if m, known := a.NodeMemory(action.Node); known {
		r.Nodes = append(r.Nodes, m)
	}
}

// commit journals the batch, and only then publishes it and lets the poller know.
func (l *loop) commit() {
	b := l.batch
	if len(b.dirty) == 0 && len(b.records) == 0 {
		return
	}
	l.batch = batch{}
	l.write(b)
	for _, each := range b.actions {
		l.carryOut(each.pool, each.action)
	}
	for name := range b.dirty {
		l.views.markDirty(name)
	}
	if b.urgent {
		l.renewView(time.Now(), false)
	}
	for _, r := range b.replies {
		r.to <- r.result
	}
}

// write appends the batch's records. A journal that cannot be written does not stop the
// judging: load balancers need answers more than the record does. It is told loudly; the
// journal itself remembers what it missed and writes that down first when it can again.
func (l *loop) write(b batch) {
	for i, r := range b.records {
		last := i == len(b.records)-1
		l.journalSays(l.journal.Append(r, b.sync && last))
	}
	if len(b.records) > 0 && l.journal.NeedsCompaction() {
		l.journalSays(l.journal.Compact(l.memories(), nil))
	}
}

// journalSays tells when the journal breaks and when it works again.
func (l *loop) journalSays(err error) {
	is := ""
	if err != nil {
		is = err.Error()
	}
	was := l.broken
	l.broken = is
	if (is == "") == (was == "") {
		return
	}
	e := mpp.Event{At: time.Now(), Kind: mpp.EventDaemon, Severity: mpp.OK, Rule: "journal", Text: "the journal can be written again"}
	if is != "" {
		e.Severity = mpp.Critical
		e.Text = "the journal cannot be written: " + is + "; MPP goes on judging, and what it decides from now on is lost if it restarts before that is mended"
	}
	l.showTrouble()
	l.tell(e)
}

// checkLease sees whether the state directory is still this daemon's: somebody may have
// removed it, or its lock, and what is journalled then is lost, or another daemon's too.
func (l *loop) checkLease(now time.Time) {
	is := ""
	if err := l.lease(); err != nil {
		is = err.Error()
	}
	if is == l.lost {
		return
	}
	l.lost = is
	e := mpp.Event{At: now, Kind: mpp.EventDaemon, Severity: mpp.OK, Rule: "lease", Text: "the state directory is this daemon's again"}
	if is != "" {
		e.Severity = mpp.Critical
		e.Text = "the state directory is no longer this daemon's: " + is + "; MPP goes on judging, and forgets everything when it restarts; put the directory back, or restart mppd at a quiet moment"
	}
	l.showTrouble()
	l.tell(e)
}

// showTrouble puts what is wrong with journal or state directory into the view.
func (l *loop) showTrouble() {
	text := l.broken
	if text == "" {
		text = l.full
	}
	if l.lost != "" {
		text = strings.TrimPrefix(text+"; "+l.lost, "; ")
	}
	for _, a := range l.arbiters {
		a.Unrecorded(text)
	}
	l.views.setJournalError(text)
}

// filesSay shows why answers in files cannot be written, "" when they can, and tells when that
// begins and ends.
func (l *loop) filesSay(now time.Time, is string) {
	was := l.views.files
	l.views.setFilesError(is)
	if (is == "") == (was == "") {
		return
	}
	e := mpp.Event{At: now, Kind: mpp.EventDaemon, Severity: mpp.OK, Rule: "files", Text: "answers in files can be written again"}
	if is != "" {
		e.Severity = mpp.Critical
		e.Text = "answers in files cannot be written: " + is + "; who asks through mpp-check or track files is told no, or what was so before"
	}
	l.tell(e)
}

// tryJournal tries again to write a journal that could not be written.
func (l *loop) tryJournal(now time.Time) {
	if l.broken != "" {
		l.journalSays(l.journal.Append(journal.Record{At: now, Note: "trying again after: " + l.broken}, true))
	}
}

// tell numbers, journals and publishes an event of the daemon itself.
func (l *loop) tell(e mpp.Event) {
	e = l.events.number(e)
	l.batch.records = append(l.batch.records, journal.Record{At: e.At, Pool: e.Pool, Events: []mpp.Event{e}})
	l.batch.actions = append(l.batch.actions, poolAction{e.Pool, mpp.Action{Kind: mpp.ActionEvent, Event: &e}})
}

// carryOut publishes an event or tells the poller.
func (l *loop) carryOut(pool string, action mpp.Action) {
	switch action.Kind {
	case mpp.ActionEvent:
		l.events.publish(*action.Event)
		l.note(*action.Event)
		if e := action.Event; e.Kind == mpp.EventState {
			l.poller.SetActive(e.Node, e.To == string(mpp.Active))
		}
	case mpp.ActionLane:
		l.poller.SetLane(action.Node, action.Lane)
	case mpp.ActionPoll:
		l.poller.PollNow(action.Node)
	case mpp.ActionCheckpoints:
		l.poller.TryCheckpoints(pool)
	case mpp.ActionRun:
		l.steps.Run(*action.Task)
	default: // collect has dealt with it
	}
}

// tick is what time alone causes: maintenance that ends, the view, the ring's marks.
func (l *loop) tick(now time.Time) {
	l.alive(now)
	for _, name := range l.order {
		a := l.arbiters[name]
		if actions := a.Step(now, mpp.Input{At: now, Pool: name}); len(actions) > 0 {
			l.collect(a, mpp.Input{At: now, Pool: name}, actions, nil)
		}
	}
	if now.Sub(l.lastTick) >= time.Second {
		l.lastTick = now
		l.checkLease(now)
		l.checkRoom(now)
		stats := l.journal.Stats()
		l.journalStats.Store(&stats)
		l.tryJournal(now)
	}
	if l.ring.NeedsMark() {
		l.ring.Mark(now, l.memories())
	}
	l.commit()
	l.renewView(now, false)
}

// renewView makes the view new where pools are dirty; all pools when all is true.
func (l *loop) renewView(now time.Time, all bool) {
	l.views.renew(now, len(l.unready) == 0, l.order, func(name string) (mpp.PoolView, bool) {
		a := l.arbiters[name]
		if a == nil {
			return mpp.PoolView{}, false
		}
		p := a.View(now)
		p.Ready = !slices.ContainsFunc(p.Nodes, func(n mpp.NodeView) bool { return l.unready[n.Address] })
		return p, true
	}, all)
}

// memories is what a snapshot holds.
func (l *loop) memories() []mpp.PoolMemory {
	all := make([]mpp.PoolMemory, 0, len(l.order))
	for _, name := range l.order {
		all = append(all, l.arbiters[name].Memory())
	}
	return all
}

// ask runs f in the loop and waits for it, unless ctx ends first.
// What the caller no longer waits for is not done.
func (l *loop) ask(ctx context.Context, f func(now time.Time)) error {
	done := make(chan struct{})
	var state atomic.Int32 // 0 waiting, 1 begun, 2 given up
	m := message{do: func(now time.Time) {
		if state.CompareAndSwap(0, 1) {
			f(now)
			close(done)
		}
	}}
	select {
	case l.inbox <- m:
	case <-ctx.Done():
		return fmt.Errorf("ask the inbox loop: %w", ctx.Err())
	}
	select {
	case <-done:
		return nil
	case <-ctx.Done():
	}
	if state.CompareAndSwap(0, 2) {
		return fmt.Errorf("wait for the inbox loop: %w", ctx.Err())
	}
	<-done // it has begun, and waits for nobody
	return nil
}

// record writes the ring since from.
func (l *loop) record(from time.Time, w io.Writer) error {
	if err := l.ring.Replay(journal.Query{From: from}, w); err != nil {
		return fmt.Errorf("write recording: %w", err)
	}
	return nil
}
