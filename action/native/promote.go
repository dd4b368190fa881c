package native

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mpp/replication"
)

// Force is the Detail of a promote that gives up what was received and not executed.
const Force = "force"

// promote is the step promote.
func promote(ctx context.Context, t *task) (outcome, error) {
	note, err := t.endReplication(ctx)
	if err != nil {
		return outcome{}, err
	}
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	if err := t.open(ctx, s); err != nil {
		return outcome{}, err
	}
	r, err := s.executed(ctx)
	if err != nil {
		return outcome{}, err
	}
	return outcome{text: "takes writes" + note, position: &r.Position}, nil
}

// endReplication stops the replica and makes it forget its source, unless it has received what it
// has not executed. Threads that hang are left to end by themselves: note says so. The step's
// session may be another one afterwards.
func (t *task) endReplication(ctx context.Context) (note string, err error) {
	s, err := t.session(ctx)
	if err != nil {
		return "", err
	}
	l, err := t.link(ctx, s)
	if err != nil || l == nil {
		return "", err
	}
	hanging, err := t.stopReceiver(ctx, s, l)
	if err != nil {
		return "", err
	}
	if s, err = t.session(ctx); err != nil {
		return "", err
	}
	if t.step.Detail != Force {
		if err := t.nothingLeft(ctx, s); err != nil {
			return "", err
		}
	}
	e := t.begin(s, s.dialect.Stop(l.Name, replication.Both), s.dialect.ResetAll(l.Name))
	if hanging || !e.wait(ctx, hangAfter) {
		if !t.leave(e) {
			return t.hangs(ctx, e)
		}
	}
	if e.err != nil {
		return "", fmt.Errorf("end replication: %w", e.err)
	}
	return "", nil
}

// nothingLeft refuses when something was received and not executed. The applier gets a moment: in a
// switchover it has only just been asked for everything.
func (t *task) nothingLeft(ctx context.Context, s *session) error {
	var k ticker
	for {
		r, err := t.read(ctx, s)
		if err != nil || r.link == nil {
			return err
		}
		left, err := r.left(s.dialect.Flavour)
		if err != nil {
			return err
		}
		if left.IsEmpty() && (r.link.SQL == "Yes" || !unreadRelayLog(s, r.link)) {
			return nil
		}
		if k.n > 20 || r.link.SQL != "Yes" || !k.next(ctx) {
			return refuse("it has received what it has not executed: %s", short(left.String()))
		}
	}
}

// hangAfter is how long replication may take to end before somebody looks what holds it up.
const hangAfter = 60 * time.Millisecond

// hangs says what keeps replication from ending, when that does no harm: a receiver that was told
// to stop while it was connecting, or an applier of MySQL that waits a minute for the rest of a
// transaction which will never come. Both end by themselves, or, where the account has SYSTEM_USER,
// because they are killed. Anything else is waited for.
func (t *task) hangs(ctx context.Context, e *errand) (note string, err error) {
	for !e.wait(ctx, lookEvery) {
		if ctx.Err() != nil {
			return "", fmt.Errorf("end replication: its threads do not stop: %w", ended(ctx))
		}
		s, err := t.session(ctx)
		if err != nil {
			return "", err
		}
		told, err := s.toldToStop(ctx)
		if err != nil {
			return "", err
		}
		l, err := t.link(ctx, s)
		switch {
		case err != nil:
			return "", err
		case l == nil || !told || l.IO == "Yes":
		case l.IO != "No":
			return "; its receiver is still connecting, and is removed as soon as it gives up", nil
		case t.killAppliers(ctx, s):
			return "", nil
		default:
			return "; its applier holds the first part of a transaction that was never received as a whole: it is rolled back within" +
				" a minute, and its rows are locked until then (with SYSTEM_USER granted to the failover account, at once)", nil
		}
	}
	if e.err != nil {
		return "", fmt.Errorf("end replication: %w", e.err)
	}
	return "", nil
}

// killAppliers ends the threads that apply, and waits until they are gone; it is false where the
// account may not.
func (t *task) killAppliers(ctx context.Context, s *session) bool {
	list, err := s.processes(ctx)
	if all, other := s.links(ctx); err != nil || other != nil || len(all) != 1 {
		return false // threads of another channel cannot be told from these
	}
	for i := range list {
		if p := &list[i]; p.User == "system user" && forbids(s.exec(ctx, replication.EndSQL(p.ID))) {
			return false
		}
	}
	var k ticker
	for range 200 {
		l, err := t.link(ctx, s)
		if err == nil && (l == nil || l.SQL == "No") {
			return true
		}
		if err != nil || !k.next(ctx) {
			return false
		}
	}
	return false
}

// forbids reports whether an error says that a session may not be ended.
func forbids(err error) bool { return err != nil && number(err) != errNoThread }

// open opens the server for writes and looks whether it is.
func (t *task) open(ctx context.Context, s *session) error {
	if err := t.unblock(ctx, s); err != nil {
		return err
	}
	if err := s.exec(ctx, s.dialect.WritableSQL()); err != nil {
		return fmt.Errorf("open for writes: %w", err)
	}
	state, err := s.readOnlyState(ctx)
	if err != nil {
		return err
	}
	if state != 0 {
		return errors.New("open for writes: the server is still read-only: something sets it back")
	}
	return nil
}

// writable is the step writable.
func writable(ctx context.Context, t *task) (outcome, error) {
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	before, err := s.readOnlyState(ctx)
	if err != nil {
		return outcome{}, err
	}
	if err := t.open(ctx, s); err != nil {
		return outcome{}, err
	}
	if before == 0 {
		return outcome{text: "took writes already"}, nil
	}
	return outcome{text: "takes writes"}, nil
}
