package native

import (
	"context"
	"database/sql/driver"
	"fmt"

	"mpp/replication"
)

// Events follow the writer by their own status, as replication sets it: ENABLED where the writer
// is, SLAVESIDE_DISABLED (REPLICA_SIDE_DISABLED) elsewhere. It can be read from the server at any
// time, and outlasts restarts. The event scheduler stays as it is, but for events-on, which turns
// it on where it has enabled events.
//
// Disabling is this server's alone and not in its binary log, which may have come to its end
// already. Enabling is in the binary log of the new writer: replicas that get ALTER EVENT ... ENABLE
// by replication make SLAVESIDE_DISABLED of it, and so does an old writer that comes back.

// eventsOff is the step events-off.
func eventsOff(ctx context.Context, t *task) (outcome, error) {
	s, err := t.another(ctx)
	if err != nil {
		return outcome{}, err
	}
	defer s.cut() // its session variables go nowhere else
	scheduler, err := s.text(ctx, replication.SchedulerSQL)
	if err != nil {
		return outcome{}, fmt.Errorf("read event_scheduler: %w", err)
	}
	if scheduler != "ON" {
		return outcome{text: "the event scheduler is off"}, nil
	}
	list, err := s.events(ctx, true)
	if err != nil {
		return outcome{}, err
	}
	if len(list) == 0 {
		return t.noEvents(ctx, s)
	}
	if err := s.exec(ctx, replication.BinlogSQL(false)); err != nil {
		return outcome{}, fmt.Errorf("keep the binary log out of it: %w", err)
	}
	err = s.privileged(ctx, func() error { return s.setEvents(ctx, list, false) })
	return outcome{text: fmt.Sprintf("events that run no more: %d", len(list))}, err
}

// eventsOn is the step events-on.
func eventsOn(ctx context.Context, t *task) (outcome, error) {
	s, err := t.another(ctx)
	if err != nil {
		return outcome{}, err
	}
	defer s.cut()
	list, err := s.events(ctx, false)
	if err != nil {
		return outcome{}, err
	}
	if len(list) == 0 {
		return t.noEvents(ctx, s)
	}
	scheduler, err := s.text(ctx, replication.SchedulerSQL)
	if err != nil {
		return outcome{}, fmt.Errorf("read event_scheduler: %w", err)
	}
	if err := s.setEvents(ctx, list, true); err != nil {
		return outcome{}, err
	}
	if scheduler != "ON" {
		if err := s.exec(ctx, replication.SchedulerOnSQL); err != nil {
			return outcome{}, fmt.Errorf("%d events are enabled, but the event scheduler is %s: %w", len(list), scheduler, err)
		}
	}
	return outcome{text: fmt.Sprintf("events that run now: %d", len(list))}, nil
}

// noEvents says that there is nothing to do, and when that may be an error.
func (t *task) noEvents(ctx context.Context, s *session) (outcome, error) {
	grants, err := s.grants(ctx)
	if err != nil {
		return outcome{}, err
	}
	if !grants.Has("EVENT", "", "") {
		return outcome{text: fmt.Sprintf("no events that account %s can see (it has no EVENT privilege on *.*)", t.server.node.Account.User)}, nil
	}
	return outcome{text: "there are none"}, nil
}

// events lists events that are enabled, or that replication has disabled.
func (s *session) events(ctx context.Context, enabled bool) (list []replication.Event, err error) {
	err = s.ask(ctx, replication.EventsSQL(enabled), func(rows driver.Rows) (err error) {
		list, err = replication.ReadEvents(rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	return list, nil
}

// setEvents enables or disables events, whose definers and sql_modes stay.
func (s *session) setEvents(ctx context.Context, list []replication.Event, on bool) error {
	for _, e := range list {
		if err := s.exec(ctx, e.ModeSQL()); err != nil {
			return fmt.Errorf("set sql_mode of event %s: %w", e, err)
		}
		if err := s.say(ctx, s.dialect.SetEvent(e, on)); err != nil {
			return fmt.Errorf("alter event %s: %w", e, err)
		}
	}
	return nil
}
