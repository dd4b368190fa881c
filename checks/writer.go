package checks

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"

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
		setup: p.lasting.dialect.SessionSQL(replication.Limits{Lock: writeLock, Idle: p.o.SessionIdle}),
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
	go func() { j.done <- j.safely(ctx, o, l) }()
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

// safely is run that turns a panic, such as the driver's over a packet that is not MySQL's, into
// an error: nobody else would catch it on this goroutine.
func (j *job) safely(ctx context.Context, o order, l *link) (res written) {
	defer func() {
		if r := recover(); r != nil {
			j.mu.Lock()
			if j.wire != nil {
				_ = j.wire.Close()
			}
			j.mu.Unlock()
			res = written{err: fmt.Errorf("read answer: %v", r)}
		}
	}()
	return j.run(ctx, o, l)
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
