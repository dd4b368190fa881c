package native

import (
	"context"
	"fmt"
	"sync/atomic"
	"time"

	"mpp/replication"
)

// The statement that makes a server read-only waits for running writers. Those who are in its way
// after a moment are ended: first the sessions that write, then, for what cannot be seen (such as
// LOCK TABLES of an idle session), all of them. A session of MySQL that waits for disk space cannot
// be ended without the server: it aborts itself then (binlog_error_action).
const (
	writersAfter  = 5 * time.Millisecond
	everyoneAfter = 50 * time.Millisecond
	// lookEvery is how often is looked who is in the way.
	lookEvery = 10 * time.Millisecond
	// takeBack is how much of a step's time is kept for taking the statement back.
	takeBack = 100 * time.Millisecond
)

// readOnly is the step read-only.
func readOnly(ctx context.Context, t *task) (outcome, error) {
	text, err := t.close(ctx)
	return outcome{text: text}, err
}

// close makes the server read-only, and on MariaDB locks the accounts that the pool's block names.
func (t *task) close(ctx context.Context) (text string, err error) {
	s, err := t.session(ctx)
	if err != nil {
		return "", err
	}
	state, err := s.readOnlyState(ctx)
	if err != nil {
		return "", err
	}
	if state == 2 {
		text = "was read-only already"
	} else if text, err = t.closeWaiting(ctx, s, state == 0); err != nil {
		return "", err
	}
	note, err := t.block(ctx)
	return text + note, err
}

// closeWaiting runs the statement, and ends who is in its way from a second connection. When time
// is up the statement is taken back: MySQL would carry it out after its client has gone. Where
// applications cannot write, it waits for the applier, and only sessions that write are ended.
func (t *task) closeWaiting(ctx context.Context, s *session, writable bool) (string, error) {
	var quit atomic.Bool
	sql := s.dialect.ReadOnlySQL()
	e := t.beginFunc(s, func(ctx context.Context) error {
		for {
			if err := s.exec(ctx, sql); number(err) != errLockWait || quit.Load() {
				return err
			}
		}
	})
	w := &wait{t: t, e: e, writable: writable, ended: map[uint64]string{}}
	text, err := w.run(ctx)
	quit.Store(true)
	if !t.leave(e) {
		e.cut()
	}
	return text, err
}

// errLockWait is ER_LOCK_WAIT_TIMEOUT, errNoThread ER_NO_SUCH_THREAD.
const (
	errLockWait = 1205
	errNoThread = 1094
)

// wait is the statement that makes a server read-only, while it waits.
type wait struct {
	t        *task
	e        *errand
	writable bool
	ended    map[uint64]string // the sessions that were ended, in words
	may      map[uint64]string // those that may not be ended, with the reason
	left     string            // who was still there at the last look
	// awaited says that at the last look nobody wrote but killed sessions, and some of those wait for
	// an acknowledgement, by themselves or behind another; released is the setting by which they were let go, "" for none.
	awaited  bool
	released string
}

// run ends sessions until the statement is through.
func (w *wait) run(ctx context.Context) (string, error) {
	if w.e.wait(ctx, writersAfter) {
		return "read-only", w.failure()
	}
	begin := time.Now()
	look, cancel := context.WithTimeout(ctx, untilEnd(ctx))
	defer cancel()
	s, err := w.t.another(look)
	if err != nil {
		if w.e.wait(look, untilEnd(look)) {
			return "read-only", w.failure()
		}
		return "", err
	}
	defer func() { w.t.server.put(s) }()
	defer func() { w.awaitAgain(ctx, s) }()
	for !w.e.wait(look, lookEvery) {
		if look.Err() != nil || s.broken {
			return w.giveUp(ctx, s)
		}
		if err := w.clear(look, s, w.writable && time.Since(begin) >= everyoneAfter); err != nil && look.Err() == nil {
			return "", err
		}
		if err := w.release(look, s); err != nil && look.Err() == nil {
			return "", err
		}
	}
	return "read-only" + w.told(), w.failure()
}

// release lets go of commits that wait for an acknowledgement which never comes: on MySQL not even a
// session that was killed stops to wait. The connections of all of them are closed by then, so that nobody
// is told that they are committed; and no other commit begins while the statement waits.
func (w *wait) release(ctx context.Context, s *session) error {
	if !w.awaited || w.released != "" {
		return nil
	}
	settings, err := s.semiSyncSettings(ctx)
	if err != nil || !settings.SourceOn {
		return err
	}
	if err := s.exec(ctx, replication.SwitchSQL(settings.Source, false)); err != nil {
		return fmt.Errorf("let go of commits that wait for an acknowledgement: %w", err)
	}
	w.released = settings.Source
	return nil
}

// awaitAgain sets back what release has set.
func (w *wait) awaitAgain(ctx context.Context, s *session) {
	if w.released != "" {
		// If it fails, the role's settings are seen to when the node is given a role.
		_ = s.exec(ctx, replication.SwitchSQL(w.released, true))
	}
}

// untilEnd is how long may be waited before the statement is taken back.
func untilEnd(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return stepLimit
	}
	left := time.Until(end)
	return left - min(left/4, takeBack)
}

// failure is the statement's own error.
func (w *wait) failure() error {
	if w.e.err != nil {
		return fmt.Errorf("make read-only: %w", w.e.err)
	}
	return nil
}

// clear ends the sessions that are in the way: those that write, or everyone.
func (w *wait) clear(ctx context.Context, s *session, everyone bool) error {
	list, err := w.t.clients(ctx, s)
	if err != nil {
		return err
	}
	w.left, w.awaited = "", false
	others := false
	for i := range list {
		p := &list[i]
		if !everyone && (p.Idle() || p.Reads()) {
			continue
		}
		w.left = person(p)
		w.awaited = w.awaited || p.Dying() && p.AwaitsAck()
		others = others || !p.Dying() && !p.Idle() && !p.Reads()
		if w.may[p.ID] != "" || p.Dying() {
			continue
		}
		switch err := s.exec(ctx, replication.EndSQL(p.ID)); {
		case err == nil:
			w.ended[p.ID] = person(p)
		case number(err) == errNoThread:
		case answered(err):
			if w.may == nil {
				w.may = map[uint64]string{}
			}
			w.may[p.ID] = fmt.Sprintf("%s may not be ended: %s", person(p), describe(err))
		default:
			return err
		}
	}
	w.awaited = w.awaited && !others
	return nil
}

// told says who was ended.
func (w *wait) told() string {
	switch len(w.ended) {
	case 0:
		return ""
	case 1:
		return "; ended the session of " + some(w.ended)
	default:
		return fmt.Sprintf("; ended %d sessions: %s", len(w.ended), some(w.ended))
	}
}

// giveUp takes the statement back: its session is ended, and looked for, and so is what it did.
func (w *wait) giveUp(ctx context.Context, s *session) (string, error) {
	why := w.left
	if len(w.may) > 0 {
		why = some(w.may)
	}
	if why == "" {
		why = "nobody that can be seen"
	}
	if s.broken {
		var err error
		if s, err = w.t.another(ctx); err != nil {
			return "", fmt.Errorf("make read-only: in its way is %s; it may still come into force: %w", why, err)
		}
		defer w.t.server.put(s)
	}
	id := w.e.session.id
	_ = s.exec(ctx, replication.EndSQL(id)) // whether it is gone is looked at
	for {
		gone, err := s.gone(ctx, id)
		if err != nil {
			return "", fmt.Errorf("make read-only: in its way is %s; it may still come into force: %w", why, err)
		}
		if gone {
			break
		}
		if !pause(ctx, time.Millisecond) {
			return "", fmt.Errorf("make read-only: in its way is %s; it could not be taken back and may still come into force: %w", why, ended(ctx))
		}
	}
	state, err := s.readOnlyState(ctx)
	if err == nil && state == 2 {
		return "read-only" + w.told(), nil // it came through at the last moment
	}
	return "", fmt.Errorf("make read-only: %w; in its way is %s; it was taken back", errTimeUp, why)
}

// gone reports whether a session of the server has ended.
func (s *session) gone(ctx context.Context, id uint64) (bool, error) {
	list, err := s.processes(ctx)
	for i := range list {
		if list[i].ID == id {
			return false, err
		}
	}
	return err == nil, err
}
