package checks

import (
	"errors"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"mpp"
	"mpp/replication"
)

// readGrants reads the account's grants when that is due: when the connection is new, after
// PrivilegeInterval, and when a statement was just denied. The server judges an open session by
// the grants it was opened with, so reading them finds a revoked privilege before it hurts.
func (p *Prober) readGrants(r *round, now time.Time) {
	s := p.lasting
	if s == nil || !p.o.Privilege {
		return
	}
	fresh := p.rights.Name != "" && now.Sub(p.rights.At) < p.o.PrivilegeInterval
	if fresh && (p.rightsBroke || (!s.opened.After(p.rights.At) && (p.rights.Status != mpp.OK || !r.denied()))) {
		return
	}
	begin := time.Now()
	s.until(r.limit(begin, p.o.QueryLimit))
	var g replication.Grants
	err := s.ask(replication.GrantsSQL, func(rows rowsOf) (err error) {
		g, err = replication.ReadGrants(rows)
		return err
	})
	if p.rightsBroke = s.broken(err); p.rightsBroke {
		if isTimeout(s.wire.cause) {
			err = unanswered{time.Since(begin)}
			p.abandon(s.wire.session, false)
		}
		p.giveUpLasting()
	}
	f := judgeGrants(g, s.dialect.Needs(p.functions(s.dialect)))
	if err != nil {
		f = ofError(err)
		f.status = min(f.status, mpp.Critical) // the server answers
		f.message = "cannot read the account's grants: " + f.message
	}
	p.rights = f.result(namePrivilege, mpp.Reach, time.Since(begin))
	p.rights.At = begin
}

// functions are what the account is used for, as configured.
func (p *Prober) functions(d *replication.Dialect) replication.Functions {
	return replication.Functions{
		Monitor:         p.o.Replication || p.o.Lag,
		Group:           p.o.Cluster && d.Group,
		ReadHeartbeat:   p.o.Lag && p.o.HeartbeatTable != "",
		WriteHeartbeat:  p.o.Write,
		CreateHeartbeat: p.o.Write && p.o.WriteCreate,
		Heartbeat:       p.heartbeat,
		Failover:        p.o.PrivilegeFailover,
	}
}

// judgeGrants names every privilege that is missing, and what it is for.
func judgeGrants(g replication.Grants, needs []replication.Need) finding {
	missing := g.Missing(needs)
	if len(missing) == 0 {
		return finding{}
	}
	list := make([]string, len(missing))
	for i, n := range missing {
		list[i] = n.String() + " (" + n.For + ")"
	}
	text := "the account lacks " + strings.Join(list, ", ")
	if roles := g.Roles(); len(roles) > 0 {
		text += "; it has the role " + strings.Join(roles, ", ") + ", which counts only if it is the default role"
	}
	return finding{mpp.Critical, mpp.KindPrivilege, 0, text}
}

// denied reports whether one of MPP's own statements was refused for want of a privilege; which
// ones the configured statements need is not known here.
func (r *round) denied() bool {
	for i := range r.results {
		if kind := r.steps[i].kind; kind == stepQuery || kind == stepCustom {
			continue
		}
		var me *mysql.MySQLError
		if errors.As(r.results[i].err, &me) && classifyNumber(me.Number, "") == mpp.KindPrivilege {
			return true
		}
	}
	return false
}

// deniedThoughGranted reports whether a statement was refused although the grants allow it: a
// session keeps the privileges that it was opened with.
func (p *Prober) deniedThoughGranted() bool {
	return p.o.Privilege && p.rights.Name != "" && p.rights.Status == mpp.OK && p.round.denied()
}
