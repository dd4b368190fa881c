package checks

import (
	"database/sql/driver"
	"strings"
	"time"

	"mpp"
	"mpp/replication"
)

// retireWriter ends the writing: the node is not ACTIVE.
func (p *Prober) retireWriter() {
	p.abandonWrite()
	p.writer.link.close()
	p.writer.link = nil
}

// abandonWrite gives up a write that is under way.
func (p *Prober) abandonWrite() {
	j := p.writer.job
	if j == nil {
		return
	}
	p.writer.job = nil
	p.abandon(j.giveUp(), true)
}

// end closes everything.
func (w *writer) end() {
	if w.job != nil {
		w.job.giveUp()
		w.job = nil
	}
	w.link.close()
	w.link = nil
}

// awaitWrite waits for the write that was begun in this poll, and judges it. One that was begun
// before and still hangs is not waited for. ok is false when nothing can be said.
func (p *Prober) awaitWrite(now, end time.Time) (c mpp.CheckResult, ok bool) {
	w := &p.writer
	j := w.job
	if j == nil {
		return p.unwritten()
	}
	if j.since.Before(now) && !j.ready() {
		return p.hungWrite(j, end)
	}
	// A part of the time is kept for asking the server what the write waits for.
	limit := j.since.Add(p.o.WriteLimit)
	if latest := end.Add(-end.Sub(now) / 5); latest.Before(limit) {
		limit = latest
	}
	timer := time.NewTimer(time.Until(limit))
	defer timer.Stop()
	select {
	case res := <-j.done:
		return p.endWrite(j, res), true
	case <-timer.C:
		return p.hungWrite(j, end)
	case <-p.stop.Done():
		return c, false
	}
}

// ready reports whether the job has ended.
func (j *job) ready() bool { return len(j.done) > 0 }

// endWrite judges a write that has ended, and keeps its connection for the next.
func (p *Prober) endWrite(j *job, res written) mpp.CheckResult {
	j.cancel()
	p.writer.job, p.writer.link = nil, res.link
	return judgeWrite(res).result(nameWrite, mpp.Reach, res.took)
}

// judgeWrite judges a write that has ended.
func judgeWrite(res written) finding {
	switch {
	case res.err == nil:
		return finding{}
	case res.login != nil:
		f := judgeLogin(res.login)
		f.message = "cannot log in to write: " + f.message
		return f
	}
	f := ofError(res.err)
	switch f.kind {
	case mpp.KindReadOnly:
		f.message = "the server is read-only: " + f.message
	case mpp.KindReadLock:
		f.message = "a lock holds the heartbeat back: " + f.message
	case mpp.KindDiskFull:
		f.message = "disk full: " + f.message
	case mpp.KindReadOnlyFS:
		f.message = "the file system is read-only: " + f.message
	default:
		f.message = "cannot write the heartbeat: " + f.message
	}
	return f
}

// unwritten says why nothing was written in this poll.
func (p *Prober) unwritten() (c mpp.CheckResult, ok bool) {
	switch {
	case p.last.ReadOnly && p.round.server.ID != 0:
		f := finding{mpp.Critical, mpp.KindReadOnly, 0, "the server is read-only"}
		return f.result(nameWrite, mpp.Reach, 0), true
	case p.stuckWrite():
		f := finding{mpp.Fail, mpp.KindStuckCommit, 0, "an abandoned write still hangs on the server"}
		return f.result(nameWrite, mpp.Reach, 0), true
	default:
		return c, false
	}
}

// hungWrite judges a write that got no answer in time, by what the server says its session does.
func (p *Prober) hungWrite(j *job, end time.Time) (c mpp.CheckResult, ok bool) {
	id := j.session()
	if p.lasting == nil {
		return c, false // the connect check says more than can be said here
	}
	took := time.Since(j.since)
	waited := "the heartbeat got no answer for " + shortDuration(took)
	if id == 0 {
		f := finding{mpp.Fail, mpp.KindHung, 0, waited + ": the login to write it hangs"}
		return f.result(nameWrite, mpp.Reach, took), true
	}
	doing, full, err := p.examine(id, end)
	if j.ready() {
		return p.endWrite(j, <-j.done), true // it ended while it was asked about
	}
	var f finding
	switch {
	case err != nil:
		f = finding{mpp.Fail, mpp.KindStuckCommit, 0, waited + ": " + describe(err)}
	case !doing.Found || doing.Command == "Sleep":
		f = finding{mpp.Fail, mpp.KindLost, 0, waited + ", and the server no longer works on it: the connection was lost"}
		p.abandonWrite()
	default:
		f = judgeWait(doing, full)
		if f.kind == mpp.KindSemiSyncWait && p.o.Engine && took < p.o.CommitStuckAfter {
			f.status = mpp.Critical // the limit for that is another: see commit.go
		}
		f.message = waited + ": " + f.message
	}
	return f.result(nameWrite, mpp.Reach, took), true
}

// examine asks over the lasting connection what a session does, and whether the server knows of
// a full disk.
func (p *Prober) examine(id uint32, end time.Time) (doing replication.Session, full bool, err error) {
	s := p.lasting
	p.round.deadline = end
	ask := func(sql string, read func(driver.Rows) error) {
		if err == nil {
			s.until(p.round.limit(time.Now(), p.o.QueryLimit))
			err = s.ask(sql, read)
		}
	}
	ask(replication.SessionSQL(id), func(rows driver.Rows) (err error) {
		doing, err = replication.ReadSession(rows)
		return err
	})
	full = doing.Waiting > 0
	if sql := s.dialect.DiskFullSQL(); sql != "" && err == nil && doing.Found && !full {
		ask(sql, func(rows driver.Rows) error {
			n, err := replication.ReadCount(rows)
			full = n > 0
			return err
		})
		if err != nil && !s.broken(err) {
			err = nil // not every account may read the error log; it only adds evidence
		}
	}
	if err != nil && s.broken(err) {
		p.giveUpLasting()
	}
	return doing, full, err
}

// judgeWait says what a write waits for, by the state that the server shows for its session.
func judgeWait(s replication.Session, full bool) finding {
	state := strings.ToLower(s.State)
	has := func(words ...string) bool {
		for _, w := range words {
			if strings.Contains(state, w) {
				return true
			}
		}
		return false
	}
	shown := "state \"" + s.State + "\""
	switch {
	case has("someone to free space"):
		return finding{mpp.Fail, mpp.KindDiskFull, 0, "disk full: " + shown}
	case has("semi-sync", "semisync"):
		return finding{mpp.Fail, mpp.KindSemiSyncWait, 0, "no semi-sync acknowledgement: " + shown}
	case has("backup lock", "global read lock", "commit lock"):
		return finding{mpp.Warn, mpp.KindReadLock, 0, "a global read lock, as for a backup: " + shown}
	case has("metadata lock", "table level lock", "table flush", "table lock"):
		return finding{mpp.Warn, mpp.KindReadLock, 0, "a lock on the heartbeat table: " + shown}
	case full:
		return finding{mpp.Fail, mpp.KindDiskFull, 0, "disk full, by the server's own word: " + shown}
	default:
		return finding{mpp.Fail, mpp.KindStuckCommit, 0, "stuck: " + shown}
	}
}
