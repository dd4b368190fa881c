package native

import (
	"context"
	"errors"
	"fmt"

	"mpp/replication"
)

// testLink is the step test-link: it lets a receiver that has a connection connect anew, and waits
// for one that is connecting.
func testLink(ctx context.Context, t *task) (outcome, error) {
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	l, err := t.testable(ctx, s)
	switch {
	case err != nil:
		return outcome{}, err
	case l.IO == "No":
		return outcome{}, fmt.Errorf("not tested: its receiver is stopped: %s", trouble(l))
	case l.IO != "Yes":
		return t.linked(ctx, s, false)
	}
	// Once it is stopped it must be started, whatever becomes of this step.
	e := t.beginFunc(s, func(ctx context.Context) error {
		if err := s.stopSoon(ctx, l); err != nil {
			return fmt.Errorf("not tested: stop receiver: %w", err)
		}
		// If the applier has stopped meanwhile, starting would throw the relay log away.
		if _, err := t.testable(ctx, s); err != nil {
			return err
		}
		return t.startBriefly(ctx, s, l)
	})
	if !e.wait(ctx, untilEnd(ctx)) && !t.leave(e) {
		return outcome{}, fmt.Errorf("not tested: its receiver does not stop: %w", errTimeUp)
	}
	if e.err != nil {
		return outcome{}, e.err
	}
	return t.linked(ctx, s, true)
}

// refusedNumber reports whether a receiver has been told that nobody takes its connection: 2003 is for a host
// that says nothing, too, after a while.
func refusedNumber(n uint32) bool { return n == 2003 || n == 1053 }

// startBriefly starts the receiver such that it does not hang for long where its source is silent: a failover
// needs it stopped again soon. Where that cannot be, it is started as usual.
func (t *task) startBriefly(ctx context.Context, s *session, l *replication.Link) error {
	target := t.server.node.target()
	target.Many = true
	if c, err := target.Connector(); err == nil {
		if many, err := login(ctx, c); err == nil {
			defer many.cut()
			err := many.say(ctx, s.dialect.StartBriefly(l.Name))
			if err == nil {
				return nil
			}
			_ = many.say(ctx, s.dialect.RestoreLimit()) // which fails when nothing was changed
		}
	}
	if err := s.say(ctx, s.dialect.Start(l.Name, replication.Receiver)); err != nil {
		return fmt.Errorf("start receiver: %w", err)
	}
	return nil
}

// testable returns the channel, unless a test would do harm: MariaDB throws away what it received
// and did not execute when the receiver is started while the applier is stopped.
func (t *task) testable(ctx context.Context, s *session) (*replication.Link, error) {
	l, err := t.link(ctx, s)
	switch {
	case err != nil:
		return nil, err
	case l == nil:
		return nil, errors.New("not tested: it is no replica")
	case l.SQL != "Yes" && s.dialect.Flavour == replication.MariaDB:
		return nil, errors.New("not tested: its applier is stopped, and starting the receiver would throw away what it has received")
	default:
		return l, nil
	}
}

// linked waits until the receiver has a connection. That it gets none is a finding, too; one that was started
// anew and is refused need not be waited for.
func (t *task) linked(ctx context.Context, s *session, anew bool) (outcome, error) {
	var k ticker
	last := ""
	for {
		l, err := t.link(ctx, s)
		switch {
		case err != nil && ctx.Err() != nil && last != "":
		case err != nil:
			return outcome{}, err
		case l == nil:
			return outcome{}, errors.New("not tested: it is no replica any more")
		case l.IO == "Yes":
			return outcome{text: "it receives from its source", alive: true}, nil
		case l.IO == "No" && l.IOErrno != 0:
			return outcome{text: fmt.Sprintf("its receiver has stopped: error %d: %s", l.IOErrno, l.IOError)}, nil
		case anew && refusedNumber(l.IOErrno):
			return outcome{text: fmt.Sprintf("it cannot connect to its source: error %d: %s", l.IOErrno, l.IOError)}, nil
		default:
			last = trouble(l)
		}
		if !k.next(ctx) {
			return outcome{text: "it cannot connect to its source: " + last}, nil
		}
	}
}
