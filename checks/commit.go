package checks

import (
	"fmt"
	"time"

	"mpp"
	"mpp/replication"
)

// commitWatch remembers since when commits wait for an acknowledgement that does not come.
type commitWatch struct {
	// since is the first look that saw a session wait while acknowledged was what it is now;
	// zero means that none waits.
	since        time.Time
	acknowledged uint64
	// looks counts the polls that saw it so, the first one included.
	looks int
}

// minLooks is how many polls must have seen commits stand still before it is a failure: a poller
// that slept in between has no idea of what happened meanwhile.
const minLooks = 3

// look takes what one poll saw and returns for how long commits have been standing still.
func (w *commitWatch) look(now time.Time, s replication.SemiSyncStatus) time.Duration {
	switch {
	case !s.Source || s.Waiting == 0:
		*w = commitWatch{}
		return 0
	case w.since.IsZero() || s.Acknowledged != w.acknowledged:
		*w = commitWatch{since: now, acknowledged: s.Acknowledged, looks: 1}
		return 0
	default:
		w.looks++
		return now.Sub(w.since)
	}
}

// stuckCommits is what is known of commits that stand still.
type stuckCommits struct {
	// still is for how long no acknowledgement has come, seen by so many looks.
	still time.Duration
	looks int
	// active says that the node takes the pool's writes.
	active bool
	status replication.SemiSyncStatus
	// waiters are zero where they could not be asked.
	waiters replication.CommitWaiters
}

// judgeCommits says what it means that commits wait: nothing for as long as that is usual, WARN
// from a fifth of the limit on, CRITICAL from half of it, and FAIL when it is reached. Elsewhere
// than on the ACTIVE node it is the replica's own applier that waits, or a writer that should not
// be there: no failure.
func judgeCommits(c stuckCommits, limit time.Duration) finding {
	f := finding{kind: mpp.KindSemiSyncWait}
	switch {
	case limit <= 0 || c.still < limit/5:
		return finding{}
	case !c.active || c.still < limit/2:
		f.status = mpp.Warn
	case c.still < limit || c.looks < minLooks:
		f.status = mpp.Critical
	default:
		f.status = mpp.Fail
	}
	f.message = c.describe()
	return f
}

// describe says who waits for what, and since when.
func (c *stuckCommits) describe() string {
	sessions := max(c.waiters.Sessions, c.status.Waiting)
	who := itoa(int64(sessions)) + " sessions wait"
	if sessions == 1 {
		who = "1 session waits"
	}
	if c.waiters.Longest >= time.Second {
		who += ", the longest for " + shortDuration(c.waiters.Longest)
	}
	replicas := "no replica is connected that would give one"
	if c.status.Clients > 0 {
		replicas = "of the replicas that would give one, connected are " + itoa(int64(c.status.Clients))
	}
	return fmt.Sprintf("commits wait for a semi-sync acknowledgement and none has come for %s: %s; %s",
		shortDuration(c.still), who, replicas)
}

// judgeCommit judges whether commits get their acknowledgements; ok is false where none are waited
// for, and where that is not asked.
func (p *Prober) judgeCommit(ask mpp.Ask, now time.Time) (c mpp.CheckResult, ok bool) {
	limit := p.o.CommitStuckAfter
	if !p.o.Engine || limit <= 0 {
		return c, false
	}
	found, asked := p.round.of(stepSemiSync)
	switch {
	case !asked && !p.engine.hungAt.IsZero():
		// It is no evidence that commits are stuck.
		f := finding{mpp.Warn, mpp.KindHung, 0, "the question for the semi-sync status got no answer, and is not asked again for " +
			shortDuration(p.o.PrivilegeInterval)}
		return f.result(nameCommit, mpp.Reach, 0), true
	case !asked:
		return c, false
	case found.err != nil:
		f := ofError(found.err)
		f.status = min(f.status, mpp.Warn)
		f.message = "cannot read the semi-sync status: " + f.message
		return f.result(nameCommit, mpp.Reach, found.took), true
	}
	status := p.round.semi
	still := p.engine.commit.look(now, status)
	if !status.Source {
		return c, false
	}
	stuck := stuckCommits{still: still, looks: p.engine.commit.looks, active: ask.Active, status: status}
	if judgeCommits(stuck, limit).status != mpp.OK {
		stuck.waiters = p.commitWaiters()
	}
	return judgeCommits(stuck, limit).result(nameCommit, mpp.Reach, found.took), true
}

// commitWaiters asks which sessions stand in a commit: for people, so that an error does not matter.
func (p *Prober) commitWaiters() (w replication.CommitWaiters) {
	if p.lasting == nil {
		return w
	}
	_ = p.askBeside(&p.round, replication.CommitWaitersSQL, func(rows rowsOf) (err error) {
		w, err = replication.ReadCommitWaiters(rows)
		return err
	})
	return w
}
