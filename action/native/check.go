package native

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"mpp/replication"
)

// grants reads what the session's account may do.
func (s *session) grants(ctx context.Context) (g replication.Grants, err error) {
	err = s.ask(ctx, replication.GrantsSQL, func(rows driver.Rows) (err error) {
		g, err = replication.ReadGrants(rows)
		return err
	})
	if err != nil {
		return g, fmt.Errorf("read grants: %w", err)
	}
	return g, nil
}

// needs lists the privileges that every operation takes on this server, as the pool is configured.
func (t *task) needs(s *session) []replication.Need {
	list := s.dialect.Needs(replication.Functions{Monitor: true, Failover: true, LockAccounts: len(t.r.accounts) > 0 && t.r.o.Block != BlockRevoke})
	if t.r.o.Block == BlockRevoke && s.dialect.Flavour == replication.MariaDB {
		list = append(list, replication.Need{For: "revoking", AnyOf: []string{"SELECT"}, On: replication.Table{Schema: "mysql", Name: "user"}})
	}
	return list
}

// check is the step check: it logs in anew, and looks for what would be missing later.
func check(ctx context.Context, t *task) (outcome, error) {
	s, err := t.login(ctx)
	if err != nil {
		return outcome{}, err
	}
	grants, err := s.grants(ctx)
	if err != nil {
		return outcome{}, err
	}
	if missing := grants.Missing(t.needs(s)); len(missing) > 0 {
		var words []string
		for _, n := range missing {
			words = append(words, n.String()+" ("+n.For+")")
		}
		return outcome{}, fmt.Errorf("account %s lacks %s", t.server.node.Account.User, strings.Join(words, ", "))
	}
	p, err := t.position(ctx)
	if err != nil {
		return outcome{}, err
	}
	return outcome{text: fmt.Sprintf("account %s may do what is needed", t.server.node.Account.User), position: p}, nil
}
