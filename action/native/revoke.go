package native

import (
	"context"
	"database/sql/driver"
	"fmt"

	"mpp/replication"
)

// The errors by which MariaDB says that an account, a table or a grant is not there.
const (
	errNoGrant    = 1141 // ER_NONEXISTING_GRANT
	errNoTable    = 1146 // ER_NO_SUCH_TABLE
	errNoDatabase = 1049 // ER_BAD_DB_ERROR
)

// revoke takes from the accounts of LockAccounts what lets them write on a read-only server of
// MariaDB, and ends their sessions: a session keeps the privileges that it had at its login. What
// was taken is noted on the server itself, before it is taken, in a table that is not in the
// binary log: only that is given back, by whichever manager opens the server.
func (t *task) revoke(ctx context.Context, s *session) (note string, err error) {
	taken := 0
	err = t.unlogged(ctx, func(u *session) error {
		for _, a := range t.r.accounts {
			n, err := u.revokeFrom(ctx, a)
			if err != nil {
				return fmt.Errorf("take the right to write from %s: %w", a, err)
			}
			taken += n
		}
		return nil
	})
	if err != nil {
		return "", err
	}
	n, err := t.endLocked(ctx, s)
	return fmt.Sprintf("; took %d privileges from %s and ended %d sessions", taken, names(t.r.accounts), n), err
}

// unlogged does something on a connection of its own whose changes are not in the binary log.
func (t *task) unlogged(ctx context.Context, do func(*session) error) error {
	s, err := t.another(ctx)
	if err != nil {
		return err
	}
	defer s.cut() // so that the session variable goes nowhere else
	if err := s.exec(ctx, replication.BinlogSQL(false)); err != nil {
		return fmt.Errorf("keep the binary log out of it: %w", err)
	}
	return do(s)
}

// revokeFrom takes what one account has, and says how many privileges that were.
func (s *session) revokeFrom(ctx context.Context, a replication.Account) (n int, err error) {
	var has replication.Grants
	err = s.ask(ctx, a.GrantsOfSQL(), func(rows driver.Rows) (err error) {
		has, err = replication.ReadGrants(rows)
		return err
	})
	if code := number(err); code == errNoGrant || code == errNoAccount {
		return 0, nil // there is no such account
	}
	if err != nil {
		return 0, err
	}
	for _, p := range s.dialect.PassingPrivileges() {
		if !has.Has(p, "", "") {
			continue
		}
		steps := append(replication.RevokedTableSQL(), a.RememberRevokedSQL(p), a.RevokeSQL(p))
		for _, sql := range steps {
			if err := s.exec(ctx, sql); err != nil {
				return n, err
			}
		}
		n++
	}
	return n, nil
}

// giveBack gives the accounts what was taken from them on this server, and nothing else.
func (t *task) giveBack(ctx context.Context) error {
	return t.unlogged(ctx, func(s *session) error {
		for _, a := range t.r.accounts {
			if err := s.giveBackTo(ctx, a); err != nil {
				return fmt.Errorf("give the right to write back to %s: %w", a, err)
			}
		}
		return nil
	})
}

func (s *session) giveBackTo(ctx context.Context, a replication.Account) error {
	for _, p := range s.dialect.PassingPrivileges() {
		noted, err := s.count(ctx, a.RevokedSQL(p))
		if code := number(err); code == errNoTable || code == errNoDatabase {
			return nil // nothing was ever taken here
		}
		if err != nil {
			return err
		}
		if noted == 0 {
			continue
		}
		// An account that was dropped meanwhile gets nothing back.
		if err := s.exec(ctx, a.GrantBackSQL(p)); err != nil && number(err) != errNoUser && number(err) != errNoAccount {
			return err
		}
		if err := s.exec(ctx, a.ForgetRevokedSQL(p)); err != nil {
			return err
		}
	}
	return nil
}

// errNoUser is ER_PASSWORD_NO_MATCH: what GRANT says when there is no such account.
const errNoUser = 1133
