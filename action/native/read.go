package native

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"time"

	"mpp"
	"mpp/gtid"
	"mpp/replication"
)

// links reads every replication channel.
func (s *session) links(ctx context.Context) (list []replication.Link, err error) {
	for {
		err = s.ask(ctx, s.dialect.StatusSQL(), func(rows driver.Rows) (err error) {
			list, err = replication.ReadLinks(rows)
			return err
		})
		if err == nil || !s.dialect.Refused(err) {
			return list, err
		}
	}
}

// link is the channel by which the server belongs to the pool: the only one, or the one without a
// name, or the one from a node of the pool; nil when the server is no replica. Other channels
// are left alone.
func (t *task) link(ctx context.Context, s *session) (*replication.Link, error) {
	list, err := s.links(ctx)
	if err != nil {
		return nil, fmt.Errorf("read replica status: %w", err)
	}
	for i := range list {
		if len(list) == 1 || list[i].Name == "" {
			return &list[i], nil
		}
	}
	for i := range list {
		if t.r.servers[net.JoinHostPort(list[i].Host, list[i].Port)] != nil {
			return &list[i], nil
		}
	}
	return nil, nil
}

// channel is the name of a channel, "" for none.
func channel(l *replication.Link) string {
	if l == nil {
		return ""
	}
	return l.Name
}

// executed reads how far the server has executed.
func (s *session) executed(ctx context.Context) (p replication.Position, err error) {
	err = s.ask(ctx, s.dialect.PositionSQL(), func(rows driver.Rows) (err error) {
		p, err = s.dialect.ReadPosition(rows)
		return err
	})
	if err != nil {
		return p, fmt.Errorf("read position: %w", err)
	}
	return p, nil
}

// reading is what is known of a server at one moment.
type reading struct {
	link *replication.Link
	pos  replication.Position
}

// read reads the channel and then the position, so that nothing that was received can seem to
// be executed.
func (t *task) read(ctx context.Context, s *session) (reading, error) {
	var r reading
	var err error
	if r.link, err = t.link(ctx, s); err != nil {
		return r, err
	}
	if r.pos, err = s.executed(ctx); err != nil {
		return r, err
	}
	if r.link != nil {
		r.pos.Received = r.link.Received
		r.pos.SourceLog, r.pos.SourcePos = r.link.SourceLog, r.link.SourcePos
	}
	return r, nil
}

// left is what was received and not executed.
func (r *reading) left(flavour string) (gtid.Set, error) {
	received, err := gtid.Parse(flavour, r.pos.Received)
	if err != nil {
		return gtid.Set{}, err
	}
	executed, err := gtid.Parse(flavour, r.pos.Executed)
	if err != nil {
		return gtid.Set{}, err
	}
	return received.Minus(executed), nil
}

// ownLogLimit bounds the look for the end of the server's own binary log, which hangs while its
// disk is full.
const ownLogLimit = 250 * time.Millisecond

// position reads everything there is to a Position. The end of the server's own log is left out
// when the server does not tell it in time.
func (t *task) position(ctx context.Context) (*mpp.Position, error) {
	s, err := t.session(ctx)
	if err != nil {
		return nil, err
	}
	r, err := t.read(ctx, s)
	if err != nil {
		return nil, err
	}
	p := r.pos.Position
	p.OwnLog, p.OwnPos = t.ownLog(ctx, s)
	return &p, nil
}

// ownLog reads the end of the server's own binary log. A statement that hangs is ended, and its
// connection given up.
func (t *task) ownLog(ctx context.Context, s *session) (log string, pos uint64) {
	limit := ownLogLimit
	if end, ok := ctx.Deadline(); ok {
		limit = min(limit, time.Until(end)/2)
	}
	short, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	for _, sql := range s.dialect.OwnLog() {
		err := s.ask(short, sql, func(rows driver.Rows) (err error) {
			log, pos, err = replication.ReadOwnLog(rows)
			return err
		})
		if !replication.UnknownGrammar(err) {
			break
		}
	}
	if s.broken {
		t.kill(ctx, s.id)
	}
	return log, pos
}

// kill ends a session of the server over a connection of its own.
func (t *task) kill(ctx context.Context, id uint64) {
	s, err := t.another(ctx)
	if err != nil {
		return
	}
	_ = s.exec(ctx, replication.EndSQL(id)) // it may be gone, which is as well
	t.server.put(s)
}

// readOnlyState is 0 for a writable server, 1 for one that is read-only, 2 for one that is so to
// everybody, as far as the product can.
func (s *session) readOnlyState(ctx context.Context) (int64, error) {
	n, err := s.count(ctx, s.dialect.ReadOnlyStateSQL())
	if err != nil {
		return 0, fmt.Errorf("read read_only: %w", err)
	}
	return n, nil
}

// readPosition is the step position.
func readPosition(ctx context.Context, t *task) (outcome, error) {
	p, err := t.position(ctx)
	if err != nil {
		return outcome{}, err
	}
	return outcome{text: "at " + short(p.Executed), position: p}, nil
}

// maxSet bounds what is shown of a set of transactions, in bytes.
const maxSet = 120

// short is a set for people.
func short(set string) string {
	switch {
	case set == "":
		return "(nothing)"
	case len(set) > maxSet:
		return set[:maxSet] + "..."
	default:
		return set
	}
}

// margin is how much of a context's time is left for the last answer: a loop that waits for a
// server ends before its next question would be cut off.
const margin = 10 * time.Millisecond

// pause waits for d; false says that ctx ends first, or so soon after that nothing can be asked.
func pause(ctx context.Context, d time.Duration) bool {
	short := false
	if end, ok := ctx.Deadline(); ok && time.Until(end) < d+margin {
		d, short = max(0, time.Until(end)-margin), true
	}
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-timer.C:
		return !short
	}
}

// errTimeUp says that what was waited for did not happen within the step's limit.
var errTimeUp = errors.New("time is up")

// ended says why a loop that waits has ended: time is up, or nobody waits for it any more.
func ended(ctx context.Context) error {
	if err := ctx.Err(); err != nil && !errors.Is(err, context.DeadlineExceeded) {
		return err
	}
	return errTimeUp
}
