package native

import (
	"context"
	"database/sql/driver"
	"fmt"
	"time"

	"mpp/gtid"
	"mpp/replication"
)

// ticker paces a loop that waits for a server: quickly at first, then more and more gently.
type ticker struct{ n int }

// next waits; false says that ctx ended.
func (k *ticker) next(ctx context.Context) bool {
	k.n++
	switch {
	case k.n < 100:
		return pause(ctx, time.Millisecond)
	case k.n < 1000:
		return pause(ctx, 2*time.Millisecond)
	default:
		return pause(ctx, 10*time.Millisecond)
	}
}

// drainStep is the step drain.
func drainStep(ctx context.Context, t *task) (outcome, error) {
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	text, err := t.drain(ctx, s)
	if err != nil {
		return outcome{}, err
	}
	p, err := t.position(ctx)
	if err != nil {
		return outcome{}, err
	}
	return outcome{text: text + ", at " + short(p.Executed), position: p}, nil
}

// drain starts the applier if it is stopped, and waits until it has executed everything that was
// received.
func (t *task) drain(ctx context.Context, s *session) (text string, err error) {
	var k ticker
	var first gtid.Set
	for {
		r, err := t.read(ctx, s)
		if err != nil {
			return "", err
		}
		if r.link == nil {
			return "it is no replica: nothing is left to execute", nil
		}
		left, err := r.left(s.dialect.Flavour)
		if err != nil {
			return "", err
		}
		if k.n == 0 {
			first = left
		}
		done, err := t.drained(ctx, s, r.link, left)
		switch {
		case err != nil:
			return "", fmt.Errorf("%w; not executed: %s", err, short(left.String()))
		case done && first.IsEmpty():
			return "everything received was executed", nil
		case done:
			return fmt.Sprintf("executed what was left: %d transactions", first.Count()), nil
		case !k.next(ctx):
			return "", fmt.Errorf("execute what was received: %w; %d of %d transactions are left: %s",
				ended(ctx), left.Count(), first.Count(), short(left.String()))
		}
	}
}

// drained reports whether the applier has nothing left to do; one that is stopped, and has, is
// started.
func (t *task) drained(ctx context.Context, s *session, l *replication.Link, left gtid.Set) (bool, error) {
	if l.SQL != "Yes" {
		switch {
		case l.SQLErrno != 0:
			return false, fmt.Errorf("the applier stopped with error %d: %s", l.SQLErrno, l.SQLError)
		case left.IsEmpty() && !unreadRelayLog(s, l):
			return true, nil
		default:
			return false, t.startApplier(ctx, s)
		}
	}
	if !left.IsEmpty() || !l.ByGTID && !l.ReadAll() {
		return false, nil
	}
	if byPosition(s, l) {
		return true, t.byGTID(ctx, s, l)
	}
	return true, nil
}

// unreadRelayLog reports whether a stopped replica of MariaDB may have a relay log whose GTIDs it
// does not show, as after a restart of its server.
func unreadRelayLog(s *session, l *replication.Link) bool {
	return s.dialect.Flavour == replication.MariaDB && l.Received == "" && !l.ExecutedAll()
}

// byPosition reports whether startApplier made the replica follow by position: it has followed by
// GTID before.
func byPosition(s *session, l *replication.Link) bool {
	return s.dialect.Flavour == replication.MariaDB && !l.ByGTID && l.Received != "" && l.IO == "No"
}

// startApplier starts a stopped applier so that nothing that was received is lost. MariaDB throws
// the relay log away when a replica that follows by GTID is started while both of its threads are
// stopped, even if only the applier is. Following by position it does not.
func (t *task) startApplier(ctx context.Context, s *session) error {
	r, err := t.read(ctx, s)
	if err != nil {
		return err
	}
	l := r.link
	if l == nil || l.SQL == "Yes" {
		return nil
	}
	left, err := r.left(s.dialect.Flavour)
	if err != nil {
		return err
	}
	purges := s.dialect.Flavour == replication.MariaDB && l.ByGTID && l.IO == "No"
	if purges && (!left.IsEmpty() || unreadRelayLog(s, l)) {
		pos, err := t.relayStart(ctx, s, r)
		if err != nil {
			return err
		}
		if err := s.exec(ctx, s.dialect.ByPositionSQL(l.Name, l.RelayLog, pos)); err != nil {
			return fmt.Errorf("keep the relay log: %w", err)
		}
	}
	if err := s.say(ctx, s.dialect.Start(l.Name, replication.Applier)); err != nil {
		return fmt.Errorf("start applier: %w", err)
	}
	return nil
}

// relayStart is where the relay log goes on after what was executed.
func (t *task) relayStart(ctx context.Context, s *session, r reading) (pos uint64, err error) {
	executed, err := gtid.Parse(s.dialect.Flavour, r.pos.Executed)
	if err != nil {
		return 0, err
	}
	var events []replication.RelayEvent
	err = s.ask(ctx, s.dialect.RelayEventsSQL(r.link.Name, r.link.RelayLog, r.link.RelayPos), func(rows driver.Rows) (err error) {
		events, err = replication.ReadRelayEvents(rows)
		return err
	})
	if err != nil {
		return 0, fmt.Errorf("read relay log: %w", err)
	}
	for _, e := range events {
		one, err := gtid.Parse(s.dialect.Flavour, e.GTID)
		if err != nil {
			return 0, err
		}
		if !executed.Contains(one) {
			return e.Pos, nil
		}
	}
	if len(events) > 0 {
		return 0, refuse("the relay log at %s:%d holds only what was executed: its position is not to be trusted", r.link.RelayLog, r.link.RelayPos)
	}
	return r.link.RelayPos, nil // the next file has it
}

// byGTID makes a replica that was made to follow by position, and has executed everything, follow
// by GTID again. Its applier runs afterwards.
func (t *task) byGTID(ctx context.Context, s *session, l *replication.Link) error {
	if err := s.say(ctx, s.dialect.Stop(l.Name, replication.Applier)); err != nil {
		return fmt.Errorf("stop applier: %w", err)
	}
	if err := s.exec(ctx, s.dialect.ByGTIDSQL(l.Name)); err != nil {
		return fmt.Errorf("follow by GTID again: %w", err)
	}
	if err := s.say(ctx, s.dialect.Start(l.Name, replication.Applier)); err != nil {
		return fmt.Errorf("start applier: %w", err)
	}
	return nil
}

// awaitSet is the step await-set.
func awaitSet(ctx context.Context, t *task) (outcome, error) {
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	if err := t.await(ctx, s, t.step.GTID); err != nil {
		return outcome{}, err
	}
	p, err := t.position(ctx)
	if err != nil {
		return outcome{}, err
	}
	return outcome{text: "has executed " + short(t.step.GTID), position: p}, nil
}

// statusEvery is how many looks at the position come between two at the threads.
const statusEvery = 16

// await waits until the server has executed a set. It gives up when the applier stops with an error.
func (t *task) await(ctx context.Context, s *session, set string) error {
	want, err := gtid.Parse(s.dialect.Flavour, set)
	if err != nil {
		return err
	}
	var k ticker
	for {
		p, err := s.executed(ctx)
		if err != nil {
			return err
		}
		has, err := gtid.Parse(s.dialect.Flavour, p.Executed)
		if err != nil {
			return err
		}
		left := want.Minus(has)
		if left.IsEmpty() {
			return nil
		}
		if k.n%statusEvery == 1 {
			l, err := t.link(ctx, s)
			if err != nil {
				return err
			}
			if l == nil || l.SQL != "Yes" && l.SQLErrno != 0 {
				return fmt.Errorf("it will not execute %s: %s", short(left.String()), applierTrouble(l))
			}
		}
		if !k.next(ctx) {
			return fmt.Errorf("%w; %d transactions are missing: %s", ended(ctx), left.Count(), short(left.String()))
		}
	}
}

func applierTrouble(l *replication.Link) string {
	if l == nil {
		return "it is no replica"
	}
	return trouble(l)
}
