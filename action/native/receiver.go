package native

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"time"

	"mpp/replication"
)

// stopReceiver stops the receiver, and returns as soon as it is sure that nothing more will be
// received: it has stopped, or it was told to while it has no connection. Then it hangs, for a
// while. The step's session may be another one afterwards.
func (t *task) stopReceiver(ctx context.Context, s *session, l *replication.Link) (hangs bool, err error) {
	switch l.IO {
	case "No":
		return false, nil
	case "Yes":
	default: // an earlier step may have told it
		if told, err := s.toldToStop(ctx); told || err != nil {
			return told, err
		}
	}
	e := t.beginFunc(s, func(ctx context.Context) error { return s.stopSoon(ctx, l) })
	for over := e.wait(ctx, patience); !over && !t.leave(e); over = e.wait(ctx, lookEvery) {
		if ctx.Err() != nil {
			return false, fmt.Errorf("stop receiver: %w", ended(ctx))
		}
		other, err := t.session(ctx)
		if err != nil {
			return false, err
		}
		if final, err := t.receivesNothing(ctx, other); final || err != nil {
			return final, err
		}
	}
	if e.err != nil {
		return false, fmt.Errorf("stop receiver: %w", e.err)
	}
	return false, nil
}

// stopSoon stops the receiver, and lets it wait for a source that does not answer no longer than the least
// that there is: see KillWaitSQL.
func (s *session) stopSoon(ctx context.Context, l *replication.Link) error {
	const least = 1 // s; 0 means for ever
	if question := s.dialect.KillWaitSQL(); question != "" {
		text, err := s.text(ctx, question)
		if err != nil {
			return err
		}
		before, err := strconv.ParseUint(text, 10, 64)
		if err == nil && before != least && s.exec(ctx, s.dialect.SetKillWaitSQL(least)) == nil {
			defer func() {
				// It is set back, and if that fails nothing is lost by it.
				_ = s.exec(ctx, s.dialect.SetKillWaitSQL(before))
			}()
		}
	}
	return s.say(ctx, s.dialect.Stop(l.Name, replication.Receiver))
}

// receivesNothing reports whether the receiver has been told to stop, and has no connection: it
// will notice before it asks its source for anything.
func (t *task) receivesNothing(ctx context.Context, s *session) (bool, error) {
	told, err := s.toldToStop(ctx)
	if err != nil || !told {
		return false, err
	}
	l, err := t.link(ctx, s)
	return err == nil && (l == nil || l.IO != "Yes"), err
}

// toldToStop reports whether a session has told the receiver to stop, and waits for it.
func (s *session) toldToStop(ctx context.Context) (bool, error) {
	list, err := s.processes(ctx)
	return slices.ContainsFunc(list, func(p replication.Process) bool { return p.Stops }), err
}

// processes lists the sessions of the server.
func (s *session) processes(ctx context.Context) (list []replication.Process, err error) {
	err = s.ask(ctx, replication.ProcessesSQL, func(rows driver.Rows) (err error) {
		list, err = replication.ReadProcesses(rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read process list: %w", err)
	}
	return list, nil
}

// stopReceiving is the step stop-receiver.
func stopReceiving(ctx context.Context, t *task) (outcome, error) {
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	l, err := t.link(ctx, s)
	if err != nil {
		return outcome{}, err
	}
	text := "it is no replica"
	if l != nil {
		if _, err := t.stopReceiver(ctx, s, l); err != nil {
			return outcome{}, err
		}
		text = "receives nothing any more"
	}
	p, err := t.position(ctx)
	if err != nil {
		return outcome{}, err
	}
	if l != nil && l.SQL != "Yes" && l.SQLErrno != 0 {
		text += fmt.Sprintf("; its applier stopped with error %d", l.SQLErrno)
	}
	return outcome{text: text + ", at " + short(p.Executed), position: p}, nil
}

// startReplica is the step start-replica.
func startReplica(ctx context.Context, t *task) (outcome, error) {
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	l, err := t.link(ctx, s)
	switch {
	case err != nil:
		return outcome{}, err
	case l == nil:
		return outcome{}, errors.New("it is no replica: nothing can be started")
	}
	if err := t.settle(ctx); err != nil {
		return outcome{}, err
	}
	if err := t.applierFirst(ctx, s, l); err != nil {
		return outcome{}, err
	}
	if l.IO == "No" {
		if err := s.say(ctx, s.dialect.Start(l.Name, replication.Receiver)); err != nil {
			return outcome{}, fmt.Errorf("start receiver: %w", err)
		}
	}
	for {
		if l, err = t.link(ctx, s); err != nil {
			return outcome{}, err
		}
		if l == nil || l.SQL == "Yes" && l.IO != "No" {
			return outcome{text: "receiver and applier run"}, nil
		}
		if l.SQLErrno != 0 || l.IOErrno != 0 {
			return outcome{}, fmt.Errorf("they do not run: %s", trouble(l))
		}
		if !pause(ctx, 2*time.Millisecond) {
			return outcome{}, fmt.Errorf("they do not run: %s: %w", trouble(l), ended(ctx))
		}
	}
}

// applierFirst starts a stopped applier before the receiver: see startApplier. Where MariaDB would
// throw away what was received, everything is executed first.
func (t *task) applierFirst(ctx context.Context, s *session, l *replication.Link) error {
	if l.SQL == "Yes" {
		return nil
	}
	if s.dialect.Flavour == replication.MariaDB && l.IO == "No" && l.SQLErrno == 0 {
		if _, err := t.drain(ctx, s); err != nil {
			return fmt.Errorf("before the receiver may be started: %w", err)
		}
	}
	return t.startApplier(ctx, s)
}

// trouble says how the threads of a channel are.
func trouble(l *replication.Link) string {
	text := fmt.Sprintf("receiver %s, applier %s", l.IO, l.SQL)
	if l.IOErrno != 0 {
		text += fmt.Sprintf("; error %d: %s", l.IOErrno, l.IOError)
	}
	if l.SQLErrno != 0 {
		text += fmt.Sprintf("; error %d: %s", l.SQLErrno, l.SQLError)
	}
	return text
}
