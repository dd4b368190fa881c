package native

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"

	"mpp/replication"
)

// block closes a read-only server of MariaDB to the accounts that the pool's block names, and ends
// their sessions. That is this server's alone: it is not in the binary log.
func (t *task) block(ctx context.Context) (note string, err error) {
	if !t.r.o.blocks() {
		return "", nil
	}
	s, err := t.session(ctx)
	if err != nil {
		return "", err
	}
	if s.dialect.Flavour != replication.MariaDB {
		return fmt.Sprintf("; block = %q is not needed: super_read_only binds every account", t.r.o.Block), nil
	}
	if t.r.o.Block == BlockRevoke {
		return t.revoke(ctx, s)
	}
	if err := t.lock(ctx, true); err != nil {
		return "", err
	}
	n, err := t.endLocked(ctx, s)
	return fmt.Sprintf("; locked %s and ended %d sessions", names(t.r.accounts), n), err
}

// unblock takes back what block did.
func (t *task) unblock(ctx context.Context, s *session) error {
	switch {
	case !t.r.o.blocks() || s.dialect.Flavour != replication.MariaDB:
		return nil
	case t.r.o.Block == BlockRevoke:
		return t.giveBack(ctx)
	default:
		return t.lock(ctx, false)
	}
}

func names(list []replication.Account) string {
	var all []string
	for _, a := range list {
		all = append(all, a.String())
	}
	return strings.Join(all, ", ")
}

// errNoAccount is ER_CANNOT_USER: there is no such account.
const errNoAccount = 1396

// lock locks or unlocks the accounts, on a connection of its own whose changes are not logged. On
// MySQL the server must not be super_read_only; it is opened for a moment to accounts with
// CONNECTION_ADMIN, and to no other.
func (t *task) lock(ctx context.Context, on bool) error {
	s, err := t.another(ctx)
	if err != nil {
		return err
	}
	defer s.cut() // so that the session variable goes nowhere else
	if err := s.exec(ctx, replication.BinlogSQL(false)); err != nil {
		return fmt.Errorf("keep the binary log out of it: %w", err)
	}
	return s.privileged(ctx, func() error {
		for _, a := range t.r.accounts {
			err := s.exec(ctx, a.LockSQL(on))
			if err != nil && (on || number(err) != errNoAccount) {
				return fmt.Errorf("lock or unlock %s: %w", a, err)
			}
		}
		return nil
	})
}

// privileged does what super_read_only would keep this account from. It is in force again
// afterwards, whatever happened.
func (s *session) privileged(ctx context.Context, do func() error) error {
	down := s.dialect.PrivilegedOnlySQL()
	if down == "" {
		return do()
	}
	state, err := s.readOnlyState(ctx)
	if err != nil {
		return err
	}
	if state != 2 {
		return do()
	}
	if err := s.exec(ctx, down); err != nil {
		return fmt.Errorf("leave super_read_only: %w", err)
	}
	err = do()
	back, cancel := context.WithTimeout(context.WithoutCancel(ctx), takeBack)
	defer cancel()
	if down := s.exec(back, s.dialect.ReadOnlySQL()); down != nil {
		err = errors.Join(err, fmt.Errorf("make read-only again: %w", down))
	}
	return err
}

// endLocked ends the sessions of users whose accounts are locked, and says how many there were.
func (t *task) endLocked(ctx context.Context, s *session) (n int, err error) {
	for {
		list, err := t.clients(ctx, s)
		if err != nil {
			return n, err
		}
		list = slices.DeleteFunc(list, func(p replication.Process) bool {
			return !slices.ContainsFunc(t.r.accounts, func(a replication.Account) bool { return a.User == p.User })
		})
		if len(list) == 0 {
			return n, nil
		}
		for i := range list {
			if list[i].Dying() {
				continue
			}
			switch err := s.exec(ctx, replication.EndSQL(list[i].ID)); {
			case err == nil:
				n++
			case number(err) == errNoThread:
			default:
				return n, fmt.Errorf("end session of %s: %w", person(&list[i]), err)
			}
		}
		if !pause(ctx, lookEvery/5) {
			return n, fmt.Errorf("%w; %d sessions of locked accounts are left", ended(ctx), len(list))
		}
	}
}

// The Details of stop-connections and allow-connections.
const (
	Offline = "offline_mode"
	Lock    = "lock"
)

// stopConnections is the step stop-connections.
func stopConnections(ctx context.Context, t *task) (outcome, error) {
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	switch t.step.Detail {
	case Offline:
		sql := s.dialect.OfflineSQL(true)
		if sql == "" {
			return outcome{}, refuse("%s has no offline_mode", s.dialect.Flavour)
		}
		if err := t.replicasStay(ctx); err != nil {
			return outcome{}, err
		}
		if err := s.exec(ctx, sql); err != nil {
			return outcome{}, fmt.Errorf("set offline_mode: %w", err)
		}
		return outcome{text: "offline_mode is on"}, nil
	case Lock:
		if len(t.r.accounts) == 0 {
			return outcome{}, refuse("no accounts are named that are to be locked")
		}
		if err := t.lock(ctx, true); err != nil {
			return outcome{}, err
		}
		return outcome{text: "locked " + names(t.r.accounts)}, nil
	default:
		return outcome{}, fmt.Errorf("stop-connections: %q is none of offline_mode, lock", t.step.Detail)
	}
}

// replicasStay refuses when offline_mode would end the links of the replicas, too: it spares only
// accounts with CONNECTION_ADMIN or SUPER, and without links the last transactions arrive nowhere.
func (t *task) replicasStay(ctx context.Context) error {
	n := t.server.node
	n.Account = t.r.o.Replication
	if n.Account.User == "" {
		return refuse("the replication account is not known, and offline_mode ends the links of replicas without CONNECTION_ADMIN")
	}
	n.Account.TLS = t.server.node.Account.TLS // its own names files of other hosts
	c, err := n.connector()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(ctx, t.r.o.ConnectLimit)
	defer cancel()
	s, err := login(ctx, c)
	if err != nil {
		return fmt.Errorf("as replication account %s: %w", n.Account.User, err)
	}
	defer s.cut()
	grants, err := s.grants(ctx)
	if err != nil {
		return err
	}
	if !grants.Has("CONNECTION_ADMIN", "", "") && !grants.Has("SUPER", "", "") {
		return refuse("offline_mode would end the replicas' links, too: GRANT CONNECTION_ADMIN ON *.* to account %s first", n.Account.User)
	}
	return nil
}

// allowConnections is the step allow-connections.
func allowConnections(ctx context.Context, t *task) (outcome, error) {
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	switch t.step.Detail {
	case Offline:
		sql := s.dialect.OfflineSQL(false)
		if sql == "" {
			return outcome{text: "there is no offline_mode"}, nil
		}
		if err := s.exec(ctx, sql); err != nil {
			return outcome{}, fmt.Errorf("end offline_mode: %w", err)
		}
		return outcome{text: "offline_mode is off"}, nil
	case Lock:
		state, err := s.readOnlyState(ctx)
		if err != nil {
			return outcome{}, err
		}
		if state != 0 && t.r.o.Block == BlockLock && s.dialect.Flavour == replication.MariaDB {
			return outcome{text: `stays locked, because block = "lock" and it is read-only`}, nil
		}
		if err := t.lock(ctx, false); err != nil {
			return outcome{}, err
		}
		return outcome{text: "unlocked " + names(t.r.accounts)}, nil
	default:
		return outcome{}, fmt.Errorf("allow-connections: %q is none of offline_mode, lock", t.step.Detail)
	}
}
