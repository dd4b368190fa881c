package native

import (
	"context"
	"errors"
	"fmt"

	"mpp/action/remote"
	"mpp/replication"
)

// keepRelayLogs copies the files of a relay log aside, next to it, and prints where they are.
const keepRelayLogs = `ls "$base".[0-9]* >/dev/null 2>&1 || exit 0
d="$(dirname "$base")/.mpp-relay-$(date +%Y%m%d%H%M%S)" && mkdir -m 700 "$d" && cp -a "$base".[0-9]* "$base".index "$d" && echo "$d"`

// pointAt is what makes a node a replica. A relay log that a crash has damaged is set aside: its server
// refuses to be pointed anywhere while it has that (error 1201 of MariaDB), and cannot read it. What was
// executed of it is known by GTID, and what was not comes again from the new source; the files are kept,
// should somebody want to look what was acknowledged by this node alone.
func (t *task) pointAt(ctx context.Context, s *session, channel string, source replication.Source) error {
	err := s.say(ctx, s.dialect.Follow(channel, source))
	if number(err) != replication.ErrRelayLogDamaged {
		return err
	}
	if err := t.giveUpRelayLog(ctx, s, channel, err); err != nil {
		return err
	}
	return s.say(ctx, s.dialect.Follow(channel, source))
}

// giveUpRelayLog sets a damaged relay log aside, of which the server has said why.
func (t *task) giveUpRelayLog(ctx context.Context, s *session, channel string, why error) error {
	if err := t.setAside(ctx, s, channel); err != nil {
		return fmt.Errorf("its relay log is damaged, as by a crash (%w): %w", why, err)
	}
	return nil
}

// setAside copies the relay log's files, and lets the server forget them.
func (t *task) setAside(ctx context.Context, s *session, channel string) error {
	host := t.server.node.Host
	if host == nil {
		return errors.New("its files cannot be copied first, because no commands can be run on its host; RESET SLAVE there gives them up, and mpp rejoin goes on")
	}
	base, err := s.text(ctx, replication.RelayLogBaseSQL)
	if err != nil {
		return fmt.Errorf("ask where it is: %w", err)
	}
	if base == "" {
		return errors.New("the server does not say where it is")
	}
	out, err := host.Run(ctx, "base="+remote.Quote(base)+"\n"+keepRelayLogs)
	if err == nil && out.Exit != 0 {
		err = errors.New(said(out))
	}
	if err != nil {
		return fmt.Errorf("copy its files: %w", err)
	}
	if err := s.say(ctx, s.dialect.ResetAll(channel)); err != nil {
		return fmt.Errorf("forget it: %w", err)
	}
	return nil
}
