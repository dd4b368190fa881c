package checks

import (
	"context"
	"database/sql/driver"
	"errors"
	"strings"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

	"mpp"
	"mpp/replication"
)

// writer writes the heartbeat over a connection of its own. At most one write is under way; one
// that hangs is not given up but watched over the lasting connection, until it ends or the node
// is no longer ACTIVE: so a server with a stuck commit is left with one such session, and no more.
type writer struct {
	// link is the idle connection, nil for none; while a write is under way it is the job's.
	link *link
	job  *job
	// began says that a write was begun in this poll.
	began time.Time
}

// job is a write that is under way, with the goroutine that makes it.
type job struct {
	since  time.Time
	done   chan written // holds one
	cancel context.CancelFunc

	mu   sync.Mutex
	wire *wire // of the connection in use, nil during a login
	gone bool  // give up
}

// written is how a write ended.
type written struct {
	link *link // nil: the connection is gone
	err  error
	// login is set when it got no further than that.
	login *loginError
	took  time.Duration
}

// order is what a job needs to know.
type order struct {
	connector driver.Connector
	limit     time.Duration // for a login
	setup     string
	write     string
	create    string // empty: not allowed
}

// writeLock is how long a write waits for a lock before it starts afresh: a session that waits
// for ever would outlive the reason to wait.
const writeLock = time.Minute

// startWrite begins a write unless one is under way or was begun in this poll, as soon as it is
// known whose row to write. A server that is read-only is not written to: this account may well
// be allowed to all the same, and would make a transaction that no other node has.
func (p *Prober) startWrite(now time.Time) {
	w := &p.writer
	if w.job != nil && w.began.IsZero() && w.job.ready() {
		// It ended after the poll that began it; a new one will tell how things are now.
		p.endWrite(w.job, <-w.job.done)
	}
	if w.job != nil || p.lasting == nil || p.last.ID == 0 || p.last.ReadOnly || p.stuckWrite() || !w.began.IsZero() {
		return
	}
	o := order{
		connector: p.connector, limit: p.o.ConnectLimit,
		setup: p.lasting.dialect.SessionSQL(replication.Limits{Lock: writeLock, Idle: sessionIdle}),
		write: replication.HeartbeatWriteSQL(p.heartbeat, p.last.ID),
	}
	if p.o.WriteCreate {
		o.create = replication.HeartbeatCreateSQL(p.heartbeat)
	}
	ctx, cancel := context.WithCancel(p.stop)
	j := &job{since: now, done: make(chan written, 1), cancel: cancel}
	l := w.link
	w.link, w.job, w.began = nil, j, now
	if l != nil {
		j.wire = l.wire
	}
	go func() { j.done <- j.run(ctx, o, l) }()
}

// stuckWrite reports whether a write that was abandoned may still have its session.
func (p *Prober) stuckWrite() bool {
	for _, o := range p.orphans {
		if o.write {
			return true
		}
	}
	return false
}

// run writes the row, with a login first if there is no connection or the one there is turns
// out to be gone.
func (j *job) run(ctx context.Context, o order, l *link) written {
	begin := time.Now()
	if l != nil {
		err := j.write(o, l)
		if err == nil || !l.broken(err) {
			return written{link: l, err: err, took: time.Since(begin)}
		}
		l.cut()
		if j.over() {
			return written{err: err, took: time.Since(begin)}
		}
	}
	l, failed := login(ctx, o.connector, o.limit)
	if failed != nil {
		return written{err: failed, login: failed, took: time.Since(begin)}
	}
	if !j.use(l.wire) {
		l.cut()
		return written{err: context.Canceled, took: time.Since(begin)}
	}
	l.until(time.Time{})
	err := l.exec(o.setup)
	if err == nil {
		err = j.write(o, l)
	}
	if err != nil && l.broken(err) {
		l.cut()
		l = nil
	}
	return written{link: l, err: err, took: time.Since(begin)}
}

// errNoTable is ER_NO_SUCH_TABLE.
const errNoTable = 1146

// write writes the row, and makes the table if it is missing and that is allowed.
func (j *job) write(o order, l *link) error {
	l.until(time.Time{})
	err := l.exec(o.write)
	var me *mysql.MySQLError
	if !errors.As(err, &me) || me.Number != errNoTable || o.create == "" {
		return err
	}
	if err := l.exec(o.create); err != nil {
		return err
	}
	return l.exec(o.write)
}

// use notes which wire the job is using, and reports whether it is to go on.
func (j *job) use(w *wire) bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wire = w
	return !j.gone
}

func (j *job) over() bool {
	j.mu.Lock()
	defer j.mu.Unlock()
	j.wire = nil
	return j.gone
}

// giveUp makes the job end at once, waits for it, and returns the session that the server may
// be left with; 0 for none.
func (j *job) giveUp() uint32 {
	j.mu.Lock()
	j.gone = true
	left := j.sessionLocked()
	if j.wire != nil {
		j.wire.expire()
	}
	j.mu.Unlock()
	j.cancel()
	if res := <-j.done; res.link != nil {
		res.link.cut()
		return 0 // it had ended after all
	}
	return left
}

// session returns the server's id of the job's connection, 0 while it has none.
func (j *job) session() uint32 {
	j.mu.Lock()
	defer j.mu.Unlock()
	return j.sessionLocked()
}

func (j *job) sessionLocked() uint32 {
	if j.wire == nil {
		return 0
	}
	return j.wire.session
}

// retireWriter ends the writing: the node is not ACTIVE.
func (p *Prober) retireWriter() {
	p.abandonWrite()
	p.writer.link.close()
	p.writer.link = nil
}

// abandonWrite gives up a write that is under way.
func (p *Prober) abandonWrite() {
	j := p.writer.job
	if j == nil {
		return
	}
	p.writer.job = nil
	p.abandon(j.giveUp(), true)
}

// end closes everything.
func (w *writer) end() {
	if w.job != nil {
		w.job.giveUp()
		w.job = nil
	}
	w.link.close()
	w.link = nil
}

// awaitWrite waits for the write that was begun in this poll, and judges it. One that was begun
// before and still hangs is not waited for. ok is false when nothing can be said.
func (p *Prober) awaitWrite(now, end time.Time) (c mpp.CheckResult, ok bool) {
	w := &p.writer
	j := w.job
	if j == nil {
		return p.unwritten()
	}
	if j.since.Before(now) && !j.ready() {
		return p.hungWrite(j, end)
	}
	// A part of the time is kept for asking the server what the write waits for.
	limit := j.since.Add(p.o.WriteLimit)
	if latest := end.Add(-end.Sub(now) / 5); latest.Before(limit) {
		limit = latest
	}
	timer := time.NewTimer(time.Until(limit))
	defer timer.Stop()
	select {
	case res := <-j.done:
		return p.endWrite(j, res), true
	case <-timer.C:
		return p.hungWrite(j, end)
	case <-p.stop.Done():
		return c, false
	}
}

// ready reports whether the job has ended.
func (j *job) ready() bool { return len(j.done) > 0 }

// endWrite judges a write that has ended, and keeps its connection for the next.
func (p *Prober) endWrite(j *job, res written) mpp.CheckResult {
	j.cancel()
	p.writer.job, p.writer.link = nil, res.link
	return judgeWrite(res).result(nameWrite, mpp.Reach, res.took)
}

// judgeWrite judges a write that has ended.
func judgeWrite(res written) finding {
	switch {
	case res.err == nil:
		return finding{}
	case res.login != nil:
		f := judgeLogin(res.login)
		f.message = "cannot log in to write: " + f.message
		return f
	}
	f := ofError(res.err)
	switch f.kind {
	case mpp.KindReadOnly:
		f.message = "the server is read-only: " + f.message
	case mpp.KindReadLock:
		f.message = "a lock holds the heartbeat back: " + f.message
	case mpp.KindDiskFull:
		f.message = "disk full: " + f.message
	case mpp.KindReadOnlyFS:
		f.message = "the file system is read-only: " + f.message
	default:
		f.message = "cannot write the heartbeat: " + f.message
	}
	return f
}

// unwritten says why nothing was written in this poll.
func (p *Prober) unwritten() (c mpp.CheckResult, ok bool) {
	switch {
	case p.last.ReadOnly && p.round.server.ID != 0:
		f := finding{mpp.Critical, mpp.KindReadOnly, 0, "the server is read-only"}
		return f.result(nameWrite, mpp.Reach, 0), true
	case p.stuckWrite():
		f := finding{mpp.Fail, mpp.KindStuckCommit, 0, "an abandoned write still hangs on the server"}
		return f.result(nameWrite, mpp.Reach, 0), true
	default:
		return c, false
	}
}

// hungWrite judges a write that got no answer in time, by what the server says its session does.
func (p *Prober) hungWrite(j *job, end time.Time) (c mpp.CheckResult, ok bool) {
	id := j.session()
	if p.lasting == nil {
		return c, false // the connect check says more than can be said here
	}
	took := time.Since(j.since)
	waited := "the heartbeat got no answer for " + shortDuration(took)
	if id == 0 {
		f := finding{mpp.Fail, mpp.KindHung, 0, waited + ": the login to write it hangs"}
		return f.result(nameWrite, mpp.Reach, took), true
	}
	doing, full, err := p.examine(id, end)
	if j.ready() {
		return p.endWrite(j, <-j.done), true // it ended while it was asked about
	}
	var f finding
	switch {
	case err != nil:
		f = finding{mpp.Fail, mpp.KindStuckCommit, 0, waited + ": " + describe(err)}
	case !doing.Found || doing.Command == "Sleep":
		f = finding{mpp.Fail, mpp.KindLost, 0, waited + ", and the server no longer works on it: the connection was lost"}
		p.abandonWrite()
	default:
		f = judgeWait(doing, full)
		f.message = waited + ": " + f.message
	}
	return f.result(nameWrite, mpp.Reach, took), true
}

// examine asks over the lasting connection what a session does, and whether the server knows of
// a full disk.
func (p *Prober) examine(id uint32, end time.Time) (doing replication.Session, full bool, err error) {
	s := p.lasting
	p.round.deadline = end
	ask := func(sql string, read func(driver.Rows) error) {
		if err == nil {
			s.until(p.round.limit(time.Now(), p.o.QueryLimit))
			err = s.ask(sql, read)
		}
	}
	ask(replication.SessionSQL(id), func(rows driver.Rows) (err error) {
		doing, err = replication.ReadSession(rows)
		return err
	})
	full = doing.Waiting > 0
	if sql := s.dialect.DiskFullSQL(); sql != "" && err == nil && doing.Found && !full {
		ask(sql, func(rows driver.Rows) error {
			n, err := replication.ReadCount(rows)
			full = n > 0
			return err
		})
		if err != nil && !s.broken(err) {
			err = nil // not every account may read the error log; it only adds evidence
		}
	}
	if err != nil && s.broken(err) {
		p.giveUpLasting()
	}
	return doing, full, err
}

// judgeWait says what a write waits for, by the state that the server shows for its session.
func judgeWait(s replication.Session, full bool) finding {
	state := strings.ToLower(s.State)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(state, w) {
				return true
			}
		}
		return false
	}
	shown := "state \"" + s.State + "\""
	switch {
	case has("someone to free space"):
		return finding{mpp.Fail, mpp.KindDiskFull, 0, "disk full: " + shown}
	case has("semi-sync", "semisync"):
		return finding{mpp.Fail, mpp.KindSemiSyncWait, 0, "no semi-sync acknowledgement: " + shown}
	case has("backup lock", "global read lock", "commit lock"):
		return finding{mpp.Warn, mpp.KindReadLock, 0, "a global read lock, as for a backup: " + shown}
	case has("metadata lock", "table level lock", "table flush", "table lock"):
		return finding{mpp.Warn, mpp.KindReadLock, 0, "a lock on the heartbeat table: " + shown}
	case full:
		return finding{mpp.Fail, mpp.KindDiskFull, 0, "disk full, by the server's own word: " + shown}
	default:
		return finding{mpp.Fail, mpp.KindStuckCommit, 0, "stuck: " + shown}
	}
}
