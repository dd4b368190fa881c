package native

import (
	"context"
	"database/sql/driver"
	"fmt"
	"strings"

	"mpp/link"
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
	switch t.step.Detail {
	case CheckReplication:
		return t.checkReplication(ctx)
	case CheckClone:
		return t.checkClone(ctx)
	default:
	}
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

// What a check step looks for besides the failover account; the step's Detail.
const (
	// CheckReplication tries the account that replicas log in as.
	CheckReplication = "replication"
	// CheckClone looks whether the node's data could be replaced by a copy of the peer's.
	CheckClone = "clone"
)

// checkReplication logs in from here as a replica would from its host.
func (t *task) checkReplication(ctx context.Context) (outcome, error) {
	a := t.r.o.Replication
	target := link.Target{Address: t.step.Node, User: a.User, Password: a.Password}
	// The files of its TLS are on the replicas' hosts; what there is of it here is encryption.
	target.TLS.Mode = link.TLSPreferred
	c, err := target.Connector()
	if err != nil {
		return outcome{}, err
	}
	ctx, cancel := context.WithTimeout(ctx, t.r.o.ConnectLimit)
	defer cancel()
	s, err := login(ctx, c)
	if err != nil {
		return outcome{}, fmt.Errorf("account %s: %w", a.User, err)
	}
	defer s.cut()
	grants, err := s.grants(ctx)
	if err != nil {
		return outcome{}, err
	}
	if !grants.Has("REPLICATION SLAVE", "", "") {
		return outcome{}, fmt.Errorf("account %s lacks REPLICATION SLAVE ON *.*", a.User)
	}
	return outcome{text: fmt.Sprintf("account %s may replicate from it, seen from here", a.User)}, nil
}

// checkClone looks whether a copy of the peer could be made on the node.
func (t *task) checkClone(ctx context.Context) (outcome, error) {
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	peer, donor, err := t.peer(ctx)
	if err != nil {
		return outcome{}, err
	}
	defer func() { peer.put(donor) }()
	how := "the clone plugin"
	if s.dialect.Flavour == replication.MariaDB {
		how = "mariadb-backup"
		if _, err := t.copyable(ctx, s, donor, peer); err != nil {
			return outcome{}, err
		}
		for _, v := range []*server{peer, t.server} {
			if err := command(ctx, v.node.Host, backupThere); err != nil {
				return outcome{}, fmt.Errorf("on the host of %s: %w", v.node.Address, err)
			}
		}
	} else if _, err := donorReady(ctx, donor, s); err != nil {
		return outcome{}, err
	}
	if t.server.node.Host != nil && t.r.o.StartCommand == "" {
		if err := command(ctx, t.server.node.Host, unitThere); err != nil {
			return outcome{}, fmt.Errorf("its server could not be started afterwards: %w", err)
		}
	}
	return outcome{text: fmt.Sprintf("mpp rejoin --clone could make it a copy of %s by %s", t.step.Peer, how)}, nil
}

// backupThere looks for the programs of a backup, unitThere for the unit that starts a server.
const (
	backupThere = `command -v mariadb-backup >/dev/null || command -v mariabackup >/dev/null || { echo "mariadb-backup is not there" >&2; exit 65; }
command -v mbstream >/dev/null || { echo "mbstream is not there" >&2; exit 65; }`
	unitThere = `for u in mysqld mysql mariadb; do systemctl cat "$u" >/dev/null 2>&1 && exit 0; done
echo "there is no unit mysqld, mysql or mariadb, and no start_command" >&2; exit 1`
)
