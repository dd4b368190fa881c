package checks

import (
	"time"

	"mpp"
	"mpp/replication"
)

// orphan is a session of ours that the server may not have let go of: the poller hung up in
// mid-statement, and a server only finds that out when it has an answer to send.
type orphan struct {
	session uint32
	write   bool
	// started is when the server started that gave out the id.
	started time.Time
}

const (
	// maxOrphans bounds how many sessions a server that hangs is left with.
	maxOrphans = 3
	// holdFor is how long nothing but logins are tried once there are that many.
	holdFor = 30 * time.Second
	// startSlack is by how much two readings of when a server started may differ: it is worked
	// out from an uptime in whole seconds.
	startSlack = 3 * time.Second
)

// abandon remembers a session whose connection is about to be cut, or was.
func (p *Prober) abandon(session uint32, write bool) {
	if session != 0 && len(p.orphans) < 2*maxOrphans {
		p.orphans = append(p.orphans, orphan{session, write, p.last.StartedAt})
	}
}

// reap ends the sessions that were abandoned, and forgets those that are gone or belong to a
// server that was restarted since. A write is left alone but where it waits for a lock: MySQL
// aborts the whole server when a commit that waits for disk space is killed
// (binlog_error_action = ABORT_SERVER).
func (p *Prober) reap(r *round) {
	if len(p.orphans) == 0 {
		return
	}
	s := p.lasting
	started := s.server.StartedAt()
	alive := p.orphans[:0]
	for i, o := range p.orphans {
		if p.lasting == nil {
			alive = append(alive, p.orphans[i:]...)
			break
		}
		if restarted(o.started, started) {
			continue
		}
		s.until(r.limit(time.Now(), p.o.QueryLimit))
		var found replication.Session
		err := s.ask(replication.SessionSQL(o.session), func(rows rowsOf) (err error) {
			found, err = replication.ReadSession(rows)
			return err
		})
		if err == nil && !found.Found {
			continue
		}
		alive = append(alive, o)
		if err == nil && (!o.write || judgeWait(found, false).kind == mpp.KindReadLock) {
			err = s.exec(replication.KillSQL(o.session))
		}
		if s.broken(err) {
			p.giveUpLasting()
		}
	}
	p.orphans = alive
}

// restarted reports whether two readings of when a server started are of two starts.
func restarted(a, b time.Time) bool {
	return !a.IsZero() && !b.IsZero() && b.Sub(a).Abs() > startSlack
}

// hold reports whether so many sessions hang that no more may be added, and keeps it so for a
// while.
func (p *Prober) hold(now time.Time) bool {
	if len(p.orphans) < maxOrphans {
		return false
	}
	p.heldUntil = now.Add(holdFor)
	p.lasting.close()
	p.lasting = nil
	return true
}

// held reports whether nothing but a login is to be tried now.
func (p *Prober) held(now time.Time) bool {
	return len(p.orphans) >= maxOrphans && now.Before(p.heldUntil)
}

// heldBack is the finding of a poll that asked nothing for that reason.
func (p *Prober) heldBack() mpp.CheckResult {
	f := finding{mpp.Fail, mpp.KindHung, 0, itoa(int64(len(p.orphans))) +
		" earlier statements of MPP still hang on the server, so that no more are sent for now"}
	return f.result(nameQuery, mpp.Reach, 0)
}

// giveUpLasting cuts the lasting connection after everything was asked over it.
func (p *Prober) giveUpLasting() {
	p.lasting.cut()
	p.lasting = nil
}
