package native

import (
	"context"
	"errors"
	"fmt"
	"net"
	"time"

	"mpp/gtid"
	"mpp/link"
	"mpp/replication"
)

// repoint is the step repoint.
func repoint(ctx context.Context, t *task) (outcome, error) {
	if err := t.settle(ctx); err != nil {
		return outcome{}, err
	}
	if _, err := t.close(ctx); err != nil {
		return outcome{}, err
	}
	text := "replicates from " + t.step.Peer
	follows, err := t.follows(ctx)
	if err != nil {
		return outcome{}, err
	}
	if follows {
		text += " already"
	} else if err := t.follow(ctx); err != nil {
		return outcome{}, err
	}
	if err := t.connected(ctx); err != nil {
		return outcome{}, err
	}
	p, err := t.position(ctx)
	if err != nil {
		return outcome{}, err
	}
	return outcome{text: text, position: p}, nil
}

// follows compares the node with its peer, and reports whether it replicates from it already.
func (t *task) follows(ctx context.Context) (bool, error) {
	s, err := t.session(ctx)
	if err != nil {
		return false, err
	}
	if _, err := t.compare(ctx, s); err != nil {
		return false, err
	}
	l, err := t.link(ctx, s)
	if err != nil || l == nil {
		return false, err
	}
	return net.JoinHostPort(l.Host, l.Port) == t.step.Peer && l.IO == "Yes" && l.SQL == "Yes" && l.ByGTID, nil
}

// copyFrom is the step copy-from.
func copyFrom(ctx context.Context, t *task) (outcome, error) {
	if err := t.settle(ctx); err != nil {
		return outcome{}, err
	}
	if err := t.follow(ctx); err != nil {
		return outcome{}, err
	}
	if err := t.connected(ctx); err != nil {
		return outcome{}, err
	}
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	if err := t.await(ctx, s, t.step.GTID); err != nil {
		return outcome{}, err
	}
	l, err := t.link(ctx, s)
	if err == nil && l != nil {
		_, err = t.stopReceiver(ctx, s, l)
	}
	if err != nil {
		return outcome{}, err
	}
	p, err := t.position(ctx)
	if err != nil {
		return outcome{}, err
	}
	return outcome{text: fmt.Sprintf("has everything that %s has", t.step.Peer), position: p}, nil
}

// follow makes the node a replica of the step's peer and starts it. It refuses when something that
// was received would be thrown away, or when the node has what the peer has not.
func (t *task) follow(ctx context.Context) error {
	s, err := t.session(ctx)
	if err != nil {
		return err
	}
	l, err := t.link(ctx, s)
	if err != nil {
		return err
	}
	if l != nil {
		if _, err := t.stopReceiver(ctx, s, l); err != nil {
			return err
		}
		if s, err = t.session(ctx); err != nil {
			return err
		}
		switch _, err := t.drain(ctx, s); {
		case number(err) == replication.ErrRelayLogDamaged:
			if err := t.giveUpRelayLog(ctx, s, channel(l), err); err != nil {
				return err
			}
		case err != nil:
			return fmt.Errorf("refused: it has received what it cannot execute, and would lose it: %w", err)
		}
	}
	mine, err := t.compare(ctx, s)
	if err != nil {
		return err
	}
	return t.change(ctx, s, mine)
}

// compare refuses when the node has what the peer has not. The peer is read last, so that it has
// had time to get what the node has.
func (t *task) compare(ctx context.Context, s *session) (mine replication.Position, err error) {
	if mine, err = s.executed(ctx); err != nil {
		return mine, err
	}
	peer, o, err := t.peer(ctx)
	if err != nil {
		return mine, err
	}
	defer func() { peer.put(o) }()
	theirs, err := o.executed(ctx)
	if err != nil {
		return mine, fmt.Errorf("ask %s: %w", t.step.Peer, saidByPeer(err))
	}
	if s.dialect.Flavour != o.dialect.Flavour {
		return mine, refuse("it is %s and %s is %s", s.dialect.Flavour, t.step.Peer, o.dialect.Flavour)
	}
	extra, err := errant(s.dialect.Flavour, mine, theirs)
	if err != nil {
		return mine, err
	}
	if extra != "" {
		return mine, refuse("it has what %s does not have: %s", t.step.Peer, short(extra))
	}
	return mine, nil
}

// peer is the step's other node, with a connection that whoever asks puts back.
func (t *task) peer(ctx context.Context) (*server, *session, error) {
	peer := t.r.servers[t.step.Peer]
	if peer == nil || peer == t.server {
		return nil, nil, fmt.Errorf("%q is no other node of the pool", t.step.Peer)
	}
	s, err := peer.take(ctx)
	if err != nil {
		return nil, nil, fmt.Errorf("ask %s: %w", t.step.Peer, saidByPeer(err))
	}
	return peer, s, nil
}

// saidByPeer marks an error as another node's, so that it does not make this one unreachable.
func saidByPeer(err error) error { return &peerError{err} }

type peerError struct{ err error }

func (e *peerError) Error() string { return e.err.Error() }

// errant is what one server has and another has not.
func errant(flavour string, mine, theirs replication.Position) (string, error) {
	if flavour == replication.MariaDB {
		a, err := gtid.ParseState(mine.BinlogState)
		if err != nil {
			return "", err
		}
		b, err := gtid.ParseState(theirs.BinlogState)
		if err != nil {
			return "", err
		}
		at, err := gtid.Parse(flavour, theirs.Executed)
		if err != nil {
			return "", err
		}
		// What is Buried is old, and nothing that would be lost.
		return gtid.ErrantState(a, gtid.Source{State: b, Position: at}).Only(gtid.Beyond, gtid.Unknown, gtid.Lost).String(), nil
	}
	a, err := gtid.Parse(flavour, mine.Executed)
	if err != nil {
		return "", err
	}
	b, err := gtid.Parse(flavour, theirs.Executed)
	if err != nil {
		return "", err
	}
	return gtid.Errant(a, b, "").String(), nil
}

// change points a node at the peer that has executed everything it received, and starts it.
func (t *task) change(ctx context.Context, s *session, mine replication.Position) error {
	l, err := t.link(ctx, s)
	if err != nil {
		return err
	}
	d := s.dialect
	// MySQL need not stop its applier for it, which might wait for the rest of a transaction.
	running := d.Flavour == replication.MySQL && l != nil && l.SQL == "Yes" && l.ByGTID
	if l != nil && !running {
		if err := s.say(ctx, d.Stop(l.Name, replication.Both)); err != nil {
			return fmt.Errorf("stop replica: %w", err)
		}
	}
	if d.Flavour == replication.MariaDB && mine.Slave != mine.Executed {
		// What it wrote as a source is in gtid_current_pos, and not in gtid_slave_pos.
		if err := s.exec(ctx, d.SetPositionSQL(mine.Executed)); err != nil {
			return fmt.Errorf("set gtid_slave_pos: %w", err)
		}
	}
	source := t.source()
	source.Running, source.KeepVerify = running, l != nil && l.CA
	if err := t.pointAt(ctx, s, channel(l), source); err != nil {
		return fmt.Errorf("set source: %w", err)
	}
	if err := s.say(ctx, d.Start(channel(l), replication.Both)); err != nil {
		return fmt.Errorf("start replica: %w", err)
	}
	return nil
}

// source is the step's peer, with what replicas log in with.
func (t *task) source() replication.Source {
	a := t.r.o.Replication
	s := replication.Source{
		Address: t.step.Peer, User: a.User, Password: a.Password,
		CA: a.TLS.CA, Cert: a.TLS.Cert, Key: a.TLS.Key,
	}
	switch a.TLS.Mode {
	case "", link.TLSPreferred:
	default:
		s.SSL = string(a.TLS.Mode)
	}
	return s
}

// deniedAfter is for how long a source may refuse the replication account before that is final: the
// account may have to arrive there first.
const deniedAfter = 3 * time.Second

// steady is in how many looks in a row, a millisecond apart, a replica must be well: that its source
// refuses what it asks for shows a moment after it has connected.
const steady = 5

// connected waits until the replica has connected to its source and executes.
func (t *task) connected(ctx context.Context) error {
	s, err := t.session(ctx)
	if err != nil {
		return err
	}
	begin := time.Now()
	var k ticker
	good := 0
	for {
		l, err := t.link(ctx, s)
		switch {
		case err != nil:
			return err
		case l == nil:
			return errors.New("it is no replica: somebody has reset it")
		case l.IO == "Yes" && l.SQL == "Yes" && l.IOErrno == 0 && l.SourceLog != "":
			if good++; good == steady {
				return nil
			}
		case l.IO == "No" && l.IOErrno != 0, l.SQL != "Yes" && l.SQLErrno != 0:
			return fmt.Errorf("it does not replicate from %s: %s", t.step.Peer, trouble(l))
		case deniedNumber(l.IOErrno) && time.Since(begin) > deniedAfter:
			return fmt.Errorf("it does not replicate from %s: %s", t.step.Peer, trouble(l))
		}
		if !k.next(ctx) {
			return fmt.Errorf("it does not replicate from %s: %s: %w", t.step.Peer, trouble(l), ended(ctx))
		}
	}
}

// deniedNumber reports whether an error is one that trying again does not mend.
func deniedNumber(n uint32) bool {
	switch n {
	case 1044, 1045, 1129, 1130, 1226, 1862, 2026, 2059, 2061, 3118, 4151:
		return true
	default:
		return false
	}
}
