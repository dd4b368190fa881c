package poller

import (
	"context"
	"errors"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
)

func TestSetTouchesOnlyWhatChanged(t *testing.T) {
	schedule := func(changes bool) (times []time.Duration) {
		inBubble(t, func(b *bench) {
			stays, goes := &fake{node: "stays:1"}, &fake{node: "goes:1"}
			b.Set([]Target{target("stays:1", stays), target("goes:1", goes)}, nil)
			b.pass(3500 * time.Millisecond)
			if changes {
				comes := &fake{node: "comes:1"}
				faster := target("faster:1", &fake{node: "faster:1"})
				b.Set([]Target{target("stays:1", stays), target("comes:1", comes), faster}, nil)
				b.pass(3500 * time.Millisecond)
				faster.Interval = 300 * time.Millisecond
				b.Set([]Target{target("comes:1", comes), target("stays:1", stays), faster}, nil)
				if n, _ := goes.closes(); n != 1 {
					t.Errorf("a removed node's prober was closed %d times", n)
				}
				if n, _ := stays.closes(); n != 0 {
					t.Error("an unchanged node's prober was closed")
				}
				if goes.count() > 4 || comes.count() < 3 {
					t.Errorf("%d polls of the removed node, %d of the new one", goes.count(), comes.count())
				}
				b.pass(3 * time.Second)
			} else {
				b.pass(6500 * time.Millisecond)
			}
			times = stays.times(b.begun)
		})
		return times
	}
	if diff := cmp.Diff(schedule(false), schedule(true)); diff != "" {
		t.Errorf("an unchanged node's polls, without and with changes of others:\n%s", diff)
	}
}

func TestReplacedProberIsClosedAfterItsPollAndThenTheNewOnePolls(t *testing.T) {
	inBubble(t, func(b *bench) {
		was, is := &fake{node: "a:1"}, &fake{node: "a:1"}
		was.poll = func(ctx context.Context, _ mpp.Ask) mpp.Observation {
			<-ctx.Done()
			<-time.After(200 * time.Millisecond) // it takes a while to see that
			return was.bad("cancelled")
		}
		b.Set([]Target{target("a:1", was)}, nil)
		b.SetActive("a:1", true)
		b.SetLane("a:1", mpp.LaneConfirm)
		b.pass(500 * time.Millisecond)
		b.Set([]Target{target("a:1", is)}, nil)
		b.pass(199 * time.Millisecond)
		if is.count() != 0 {
			t.Error("two polls of one node at once: the new prober's and the old one's")
		}
		b.pass(time.Second)
		if n, early := was.closes(); n != 1 || early {
			t.Errorf("the old prober was closed %d times, during its poll: %v", n, early)
		}
		if is.count() < 9 {
			t.Errorf("%d polls of the new prober in a second of the confirm lane", is.count())
		}
		if !is.lastAsk().Active {
			t.Error("the node is no longer polled as ACTIVE")
		}
		for _, o := range b.observed("a:1") {
			if o.Verdict().Failed != "" {
				t.Errorf("a cancelled poll was handed on: %+v", o.Verdict())
			}
		}
		if n, _ := is.closes(); n != 0 {
			t.Error("the new prober was closed")
		}
	})
}

func TestStuckPollOfAReplacedProberDoesNotKeepTheNewOneOut(t *testing.T) {
	inBubble(t, func(b *bench) {
		was, is := &fake{node: "a:1"}, &fake{node: "a:1"}
		free := make(chan struct{})
		was.poll = func(context.Context, mpp.Ask) mpp.Observation {
			<-free
			return was.good()
		}
		b.Set([]Target{target("a:1", was)}, nil)
		b.pass(100 * time.Millisecond)
		b.Set([]Target{target("a:1", is)}, nil)
		b.pass(grace + time.Second)
		if is.count() == 0 {
			t.Error("the new prober never polls")
		}
		close(free)
		synctest.Wait()
		if n, early := was.closes(); n != 1 || early {
			t.Errorf("the stuck prober was closed %d times after it came back, too early: %v", n, early)
		}
		if n := len(b.leaving); n != 0 {
			t.Errorf("%d workers are remembered as leaving", n)
		}
	})
}

func TestNodeThatComesBackIsPolledAgain(t *testing.T) {
	inBubble(t, func(b *bench) {
		for range 3 {
			f := &fake{node: "a:1"}
			b.Set([]Target{target("a:1", f)}, nil)
			b.pass(2 * time.Second)
			if f.count() < 2 {
				t.Errorf("%d polls in 2 s", f.count())
			}
			b.Set(nil, nil)
			b.pass(2 * time.Second)
			if n, _ := f.closes(); n != 1 {
				t.Errorf("closed %d times", n)
			}
		}
		if s := b.Stats(); s.Nodes != 0 || s.Running != 0 {
			t.Errorf("stats after all is removed: %+v", s)
		}
	})
}

func TestChangedIntervalKeepsTheProber(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		tgt := target("a:1", f)
		b.Set([]Target{tgt}, nil)
		b.pass(5 * time.Second)
		tgt.Interval, tgt.Timeout = 200*time.Millisecond, 150*time.Millisecond
		b.Set([]Target{tgt}, nil)
		b.pass(time.Second)
		before := f.count()
		b.pass(10 * time.Second)
		if got := f.count() - before; got != 50 {
			t.Errorf("%d polls in 10 s at an interval of 200 ms, want 50", got)
		}
		if n, _ := f.closes(); n != 0 {
			t.Error("the prober was closed")
		}
	})
}

func TestChangedCheckpointIsReplaced(t *testing.T) {
	inBubble(t, func(b *bench) {
		result := func(message string) *try {
			return &try{func(context.Context) mpp.CheckpointResult {
				return mpp.CheckpointResult{Name: "gw", Reached: true, Message: message}
			}}
		}
		b.Set(nil, []Checkpoint{{Pool: "p", Name: "gw", Prober: result("old")}})
		b.pass(2 * time.Second)
		b.Set(nil, []Checkpoint{{Pool: "p", Name: "gw", Prober: result("new")}})
		before := len(b.tried())
		b.pass(2 * time.Second)
		later := b.tried()[before:]
		if len(later) < 2 {
			t.Errorf("%d results in 2 s", len(later))
		}
		for _, r := range later {
			if r.Message != "new" {
				t.Errorf("the old checkpoint is still tried: %+v", r)
			}
		}
	})
}

func TestStopClosesEverythingAndIsIdempotent(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		quiet, busy := &fake{node: "quiet:1"}, &fake{node: "busy:1"}
		busy.poll = func(ctx context.Context, _ mpp.Ask) mpp.Observation {
			<-ctx.Done()
			return busy.bad("hung")
		}
		b.Set([]Target{target("quiet:1", quiet), target("busy:1", busy)}, nil)
		b.pass(100 * time.Millisecond)
		before := time.Now()
		b.stop()
		if took := time.Since(before); took != 0 {
			t.Errorf("stopping took %s", took)
		}
		for _, f := range []*fake{quiet, busy} {
			if n, early := f.closes(); n != 1 || early {
				t.Errorf("%s: closed %d times, during a poll: %v", f.node, n, early)
			}
		}
		seen := len(b.seen)
		late := &fake{node: "late:1"}
		b.Set([]Target{target("late:1", late)}, nil)
		b.PollNow("quiet:1")
		b.stop()
		b.pass(10 * time.Second)
		if n, _ := late.closes(); n != 1 || late.count() != 0 {
			t.Errorf("after Stop, Set closed its prober %d times and polled it %d times", n, late.count())
		}
		if len(b.seen) != seen {
			t.Error("something was observed after Stop")
		}
	})
}

func TestStopWithoutSetEnds(t *testing.T) {
	synctest.Test(t, func(t *testing.T) { newBench(t).stop() })
}

func TestStopIsBoundedWhenAPollDoesNotReturn(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		free := make(chan struct{})
		f := &fake{node: "a:1"}
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			<-free
			return f.good()
		}
		b.Set([]Target{target("a:1", f)}, nil)
		b.pass(100 * time.Millisecond)
		ctx, cancel := context.WithTimeout(t.Context(), time.Second)
		defer cancel()
		before := time.Now()
		err := b.Stop(ctx)
		if !errors.Is(err, context.DeadlineExceeded) || time.Since(before) != time.Second {
			t.Errorf("stop: %v after %s, want to give up after 1s", err, time.Since(before))
		}
		close(free)
		b.stop()
		if len(b.seen) != 0 {
			t.Error("something was observed after Stop")
		}
		if n, _ := f.closes(); n != 1 {
			t.Errorf("closed %d times", n)
		}
	})
}
