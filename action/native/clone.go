package native

import (
	"context"
	"errors"
	"fmt"
	"time"

	"mpp"
	"mpp/gtid"
	"mpp/replication"
)

// startServer starts a database server by its unit, whatever it is called.
const startServer = `for u in mysqld mysql mariadb; do systemctl cat "$u" >/dev/null 2>&1 && exec systemctl start "$u"; done
echo "there is no unit mysqld, mysql or mariadb" >&2; exit 1`

// clone is the step clone.
func clone(ctx context.Context, t *task) (outcome, error) {
	if err := t.settle(ctx); err != nil {
		return outcome{}, err
	}
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	peer, donor, err := t.peer(ctx)
	if err != nil {
		return outcome{}, err
	}
	defer func() { peer.put(donor) }()
	begin := time.Now()
	var p *mpp.Position
	if s.dialect.Flavour == replication.MariaDB {
		p, err = t.copyMariaDB(ctx, s, donor, peer)
	} else {
		p, err = t.cloneMySQL(ctx, s, donor, peer)
	}
	if err != nil {
		return outcome{}, err
	}
	return outcome{text: fmt.Sprintf("is a copy of %s, made in %s", t.step.Peer, time.Since(begin).Round(time.Second/10)), position: p}, nil
}

// cloneMySQL replaces the node's data by the clone plugin.
func (t *task) cloneMySQL(ctx context.Context, s, donor *session, peer *server) (*mpp.Position, error) {
	least, err := donorReady(ctx, donor, s)
	if err != nil {
		return nil, err
	}
	if err := t.cloneFrom(ctx, peer); err != nil {
		return nil, err
	}
	if s, err = t.back(ctx); err != nil {
		return nil, err
	}
	return t.compareCopy(ctx, s, least)
}

// donorReady looks, before anything is thrown away, whether the donor can be cloned, and returns
// what the copy will have at least.
func donorReady(ctx context.Context, donor, s *session) (least replication.Position, err error) {
	for _, one := range []struct {
		s    *session
		what string
	}{{s, "it"}, {donor, "the node to copy"}} {
		status, err := one.s.text(ctx, replication.ClonePluginSQL)
		if err != nil {
			return least, fmt.Errorf("look for the clone plugin: %w", err)
		}
		if status != "ACTIVE" {
			return least, refuse("%s does not have the clone plugin: %s", one.what, replication.CloneHint)
		}
	}
	if s.dialect.Flavour != donor.dialect.Flavour || s.dialect.Version != donor.dialect.Version {
		return least, refuse("it is %s %s, and the node to copy is %s %s",
			s.dialect.Flavour, s.dialect.Version, donor.dialect.Flavour, donor.dialect.Version)
	}
	for _, one := range []struct {
		s         *session
		privilege string
	}{{s, "CLONE_ADMIN"}, {donor, "BACKUP_ADMIN"}} {
		grants, err := one.s.grants(ctx)
		if err != nil {
			return least, err
		}
		if !grants.Has(one.privilege, "", "") {
			return least, refuse("the failover account lacks %s ON *.*", one.privilege)
		}
	}
	return donor.executed(ctx)
}

// cloneFrom throws the node's data away and copies the donor's. The node stays closed to all but
// accounts with CONNECTION_ADMIN: CLONE is refused under super_read_only.
func (t *task) cloneFrom(ctx context.Context, donor *server) error {
	if _, err := t.close(ctx); err != nil {
		return err
	}
	s, err := t.session(ctx)
	if err != nil {
		return err
	}
	l, err := t.link(ctx, s)
	if err != nil {
		return err
	}
	if l != nil {
		if err := s.say(ctx, s.dialect.Stop(l.Name, replication.Both)); err != nil {
			return fmt.Errorf("stop replica: %w", err)
		}
	}
	for _, sql := range []string{replication.DonorSQL(donor.node.Address), s.dialect.PrivilegedOnlySQL()} {
		if err := s.exec(ctx, sql); err != nil {
			return fmt.Errorf("prepare to clone: %w", err)
		}
	}
	err = s.exec(ctx, replication.CloneSQL(donor.node.Address, donor.node.Account.User, donor.node.Account.Password))
	switch {
	case err == nil, lost(err):
		return nil // it restarts
	case number(err) == replication.ErrNoSupervisor:
		s.broken = true
		return t.start(ctx)
	default:
		again := s.exec(ctx, s.dialect.ReadOnlySQL())
		return errors.Join(fmt.Errorf("clone: %w; its own data may be gone", err), again)
	}
}

// endsWithin is how long a server that listens no more may take to end; until then its start may be refused,
// because it runs.
const endsWithin = 30 * time.Second

// start starts the node's server, which has shut itself down.
func (t *task) start(ctx context.Context) error {
	host := t.server.node.Host
	if host == nil {
		return fmt.Errorf("its data is the copy now, and its server is down, because nobody would have started it again: start it, then mpp rejoin %s", t.step.Node)
	}
	command := t.r.o.StartCommand
	if command == "" {
		command = startServer
	}
	if err := t.down(ctx); err != nil {
		return err
	}
	for begin := time.Now(); ; {
		out, err := host.Run(ctx, command)
		if err == nil && out.Exit != 0 {
			err = errors.New(said(out))
		}
		if err != nil && time.Since(begin) > endsWithin {
			return fmt.Errorf("its data is the copy now, and its server is down: start it: %w", err)
		}
		// Nothing that is open already proves anything: the old process may not be gone, and then starting
		// it did nothing.
		if s, err := t.server.open(ctx); err == nil {
			t.server.put(s)
			return nil
		}
		if !pause(ctx, 500*time.Millisecond) {
			return fmt.Errorf("its data is the copy now, and its server does not come up: %w", ended(ctx))
		}
	}
}

// down waits until nothing listens at the node's address.
func (t *task) down(ctx context.Context) error {
	for {
		short, cancel := context.WithTimeout(ctx, t.r.o.ConnectLimit)
		s, err := login(short, t.server.connector)
		refused := err != nil && !answered(err) && short.Err() == nil
		cancel()
		if err == nil {
			s.cut()
		}
		if refused {
			return nil
		}
		if !pause(ctx, 50*time.Millisecond) {
			return fmt.Errorf("its data is the copy now, and its server does not end: %w", ended(ctx))
		}
	}
}

// back waits until the server is back, and closes it again.
func (t *task) back(ctx context.Context) (*session, error) {
	t.end() // connections from before
	for {
		s, err := t.session(ctx)
		if err == nil {
			if _, err = t.close(ctx); err == nil {
				return s, nil
			}
		}
		if !pause(ctx, 100*time.Millisecond) {
			return nil, fmt.Errorf("its server does not come up: %w", err)
		}
	}
}

// compareCopy looks whether the server has what the donor had.
func (t *task) compareCopy(ctx context.Context, s *session, least replication.Position) (*mpp.Position, error) {
	p, err := t.position(ctx)
	if err != nil {
		return nil, err
	}
	want, err := gtid.Parse(s.dialect.Flavour, least.Executed)
	if err != nil {
		return nil, err
	}
	has, err := gtid.Parse(s.dialect.Flavour, p.Executed)
	if err != nil {
		return nil, err
	}
	if !has.Contains(want) {
		return nil, fmt.Errorf("it is not the copy that was made: it lacks %s", short(want.Minus(has).String()))
	}
	return p, nil
}
