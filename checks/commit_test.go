package checks

import (
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/replication"
)

// semi is a source that sessions wait on.
func semi(waiting int, acknowledged uint64) replication.SemiSyncStatus {
	return replication.SemiSyncStatus{
		SemiSync: mpp.SemiSync{Source: true, Waiting: waiting}, HasSource: true, Acknowledged: acknowledged,
	}
}

func TestCommitsStandStillOnlyWhileNoAcknowledgementComes(t *testing.T) {
	const s = time.Second
	off := replication.SemiSyncStatus{SemiSync: mpp.SemiSync{Waiting: 3}, HasSource: true, Acknowledged: 7}
	for name, c := range map[string]struct {
		seen  []replication.SemiSyncStatus // one a second
		still time.Duration
		looks int
	}{
		"nobody waits":                 {[]replication.SemiSyncStatus{semi(0, 7), semi(0, 7)}, 0, 0},
		"one waits":                    {[]replication.SemiSyncStatus{semi(0, 7), semi(1, 7)}, 0, 1},
		"one waits on":                 {[]replication.SemiSyncStatus{semi(1, 7), semi(1, 7), semi(2, 7)}, 2 * s, 3},
		"one waits, another is let go": {[]replication.SemiSyncStatus{semi(1, 7), semi(1, 7), semi(1, 8)}, 0, 1},
		"one waits since the last one was let go": {[]replication.SemiSyncStatus{semi(1, 7), semi(1, 8), semi(1, 8)}, s, 2},
		"nobody waits any more":                   {[]replication.SemiSyncStatus{semi(1, 7), semi(1, 7), semi(0, 7)}, 0, 0},
		"nobody waited in between":                {[]replication.SemiSyncStatus{semi(1, 7), semi(0, 7), semi(1, 7), semi(1, 7)}, s, 2},
		"counters begin anew":                     {[]replication.SemiSyncStatus{semi(1, 7), semi(1, 7), semi(1, 0)}, 0, 1},
		"it timed out":                            {[]replication.SemiSyncStatus{semi(1, 7), semi(1, 7), off}, 0, 0},
	} {
		var w commitWatch
		var still time.Duration
		for i, status := range c.seen {
			still = w.look(time.Unix(1000, 0).Add(time.Duration(i)*s), status)
		}
		if still != c.still || w.looks != c.looks {
			t.Errorf("%s: still for %s in %d looks, want %s in %d", name, still, w.looks, c.still, c.looks)
		}
	}
}

func TestStuckCommitsAreJudgedByTheLimit(t *testing.T) {
	const limit = 5 * time.Second
	for _, c := range []struct {
		still  time.Duration
		looks  int
		active bool
		limit  time.Duration
		want   mpp.Status
	}{
		{0, 1, true, limit, mpp.OK},
		{999 * time.Millisecond, 9, true, limit, mpp.OK},
		{time.Second, 2, true, limit, mpp.Warn},
		{2499 * time.Millisecond, 3, true, limit, mpp.Warn},
		{2500 * time.Millisecond, 3, true, limit, mpp.Critical},
		{4999 * time.Millisecond, 9, true, limit, mpp.Critical},
		{limit, 3, true, limit, mpp.Fail},
		{time.Hour, 2, true, limit, mpp.Critical}, // who was asleep has not seen it
		{time.Hour, 9, false, limit, mpp.Warn},    // it is not the writer
		{time.Hour, 9, true, 0, mpp.OK},           // switched off
	} {
		f := judgeCommits(stuckCommits{still: c.still, looks: c.looks, active: c.active, status: semi(1, 7)}, c.limit)
		if f.status != c.want || (f.status != mpp.OK && f.kind != mpp.KindSemiSyncWait) {
			t.Errorf("%s in %d looks with a limit of %s (active %v): %+v, want %s", c.still, c.looks, c.limit, c.active, f, c.want)
		}
	}
}

func TestStuckCommitsAreDescribed(t *testing.T) {
	two := semi(1, 7)
	two.Clients = 2
	for _, c := range []struct {
		status  replication.SemiSyncStatus
		waiters replication.CommitWaiters
		want    string
	}{
		{semi(1, 7), replication.CommitWaiters{}, "1 session waits; no replica is connected that would give one"},
		{semi(3, 7), replication.CommitWaiters{}, "3 sessions wait; no replica is connected that would give one"},
		{two, replication.CommitWaiters{Sessions: 40, Longest: 9 * time.Second}, "40 sessions wait, the longest for 9s; of the replicas that would give one, connected are 2"},
	} {
		f := judgeCommits(stuckCommits{still: 7 * time.Second, looks: 3, active: true, status: c.status, waiters: c.waiters}, time.Second)
		if diff := cmp.Diff("commits wait for a semi-sync acknowledgement and none has come for 7s: "+c.want, f.message); diff != "" {
			t.Error(diff)
		}
	}
}
