package native

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"

	"mpp/replication"
)

// The Details of semi-sync: the role whose settings the node is to have.
const (
	RoleSource  = "source"
	RoleReplica = "replica"
)

// semiSync is the step semi-sync.
func semiSync(ctx context.Context, t *task) (outcome, error) {
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	role := t.step.Detail
	if role != RoleSource && role != RoleReplica {
		return outcome{}, fmt.Errorf("semi-sync: %q is none of source, replica", role)
	}
	now, err := s.semiSyncSettings(ctx)
	if err != nil {
		return outcome{}, err
	}
	if role == RoleSource && now.Source == "" || role == RoleReplica && now.Replica == "" {
		return outcome{}, fmt.Errorf("the server has no semi-sync plugin for a %s", role)
	}
	for _, side := range []struct {
		name   string
		on, is bool
	}{{now.Source, role == RoleSource, now.SourceOn}, {now.Replica, role == RoleReplica, now.ReplicaOn}} {
		if side.name == "" || side.on == side.is {
			continue
		}
		if err := s.exec(ctx, replication.SwitchSQL(side.name, side.on)); err != nil {
			return outcome{}, fmt.Errorf("set %s: %w", side.name, err)
		}
	}
	if role == RoleReplica {
		if err := t.acknowledges(ctx, s); err != nil {
			return outcome{}, err
		}
		return outcome{text: "acknowledges what it receives"}, nil
	}
	return outcome{text: "waits for acknowledgements"}, nil
}

func (s *session) semiSyncSettings(ctx context.Context) (now replication.SemiSyncSettings, err error) {
	err = s.ask(ctx, replication.SemiSyncSettingsSQL, func(rows driver.Rows) (err error) {
		now, err = replication.ReadSemiSyncSettings(rows)
		return err
	})
	if err != nil {
		return now, fmt.Errorf("read semi-sync settings: %w", err)
	}
	return now, nil
}

// semiSyncStatus asks how semi-sync really is.
func (s *session) semiSyncStatus(ctx context.Context) (now replication.SemiSyncStatus, err error) {
	err = s.ask(ctx, replication.SemiSyncSQL, func(rows driver.Rows) (err error) {
		now, err = replication.ReadSemiSync(rows)
		return err
	})
	if err != nil {
		return now, fmt.Errorf("read semi-sync status: %w", err)
	}
	return now, nil
}

// acknowledges lets a receiver that runs connect anew, if it does not acknowledge yet: it offers
// that only when it connects.
func (t *task) acknowledges(ctx context.Context, s *session) error {
	restarted := false
	var k ticker
	for {
		status, err := s.semiSyncStatus(ctx)
		if err != nil {
			return err
		}
		l, err := t.link(ctx, s)
		switch {
		case err != nil:
			return err
		case status.Replica, l == nil, l.IO == "No" && !restarted:
			return nil // or it will, when it is started
		case !restarted:
			if _, err := t.testable(ctx, s); err != nil {
				return err
			}
			restarted = true
			err = errors.Join(
				s.say(ctx, s.dialect.Stop(l.Name, replication.Receiver)),
				s.say(ctx, s.dialect.Start(l.Name, replication.Receiver)),
			)
			if err != nil {
				return fmt.Errorf("restart receiver: %w", err)
			}
		}
		if !k.next(ctx) {
			return fmt.Errorf("%w; its source does not take part: %s", ended(ctx), trouble(l))
		}
	}
}
