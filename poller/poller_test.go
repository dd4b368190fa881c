package poller

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
)

func TestNodeIsPolledEveryInterval(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		b.Set([]Target{target("a:1", f)}, nil)
		b.pass(20 * time.Second)
		gaps := distances(f.times(b.begun))
		if len(gaps) < 18 || len(gaps) > 20 {
			t.Fatalf("%d polls in 20 s, want one a second", len(gaps)+1)
		}
		if gaps[0] < time.Second/2 || gaps[0] >= 3*time.Second/2 {
			t.Errorf("the second poll came %s after the first, want half an interval to one and a half", gaps[0])
		}
		for _, gap := range gaps[1:] {
			if gap != time.Second {
				t.Errorf("polls %s apart, want 1s", gap)
			}
		}
		if got := len(b.observed("a:1")); got != f.count() {
			t.Errorf("%d observations of %d polls", got, f.count())
		}
	})
}

func TestPlaceInTheIntervalIsTheSameAfterARestart(t *testing.T) {
	places := func() (all []time.Duration) {
		inBubble(t, func(b *bench) {
			var targets []Target
			var fakes []*fake
			for i := range 50 {
				f := &fake{node: fmt.Sprintf("10.0.0.%d:3306", i)}
				fakes, targets = append(fakes, f), append(targets, target(f.node, f))
			}
			b.Set(targets, nil)
			b.pass(10 * time.Second)
			for _, f := range fakes {
				times := f.times(b.begun)
				all = append(all, times[len(times)-1]%time.Second)
			}
		})
		return all
	}
	if diff := cmp.Diff(places(), places()); diff != "" {
		t.Errorf("places differ (-first +second run):\n%s", diff)
	}
}

func TestPollsAreSpreadOverTheInterval(t *testing.T) {
	inBubble(t, func(b *bench) {
		var targets []Target
		var fakes []*fake
		for i := range 1000 {
			f := &fake{node: fmt.Sprintf("10.0.%d.%d:3306", i/250, i%250)}
			fakes, targets = append(fakes, f), append(targets, target(f.node, f))
		}
		b.Set(targets, nil)
		b.pass(10 * time.Second)
		var slots [10]int
		for _, f := range fakes {
			times := f.times(b.begun)
			slots[times[len(times)-1]%time.Second/(100*time.Millisecond)]++
		}
		for i, n := range slots {
			if n < 60 || n > 140 {
				t.Errorf("%d of 1000 nodes are polled in tenth %d of the interval, want about 100: %v", n, i, slots)
			}
		}
	})
}

func TestFirstPollsComeSoonAndNotAllAtOnce(t *testing.T) {
	inBubble(t, func(b *bench) {
		var targets []Target
		var fakes []*fake
		for i := range 100 {
			f := &fake{node: fmt.Sprintf("10.0.0.%d:3306", i)}
			tgt := target(f.node, f)
			tgt.Interval = time.Minute
			fakes, targets = append(fakes, f), append(targets, tgt)
		}
		b.Set(targets, nil)
		b.pass(100 * startSpacing)
		var slots [4]int
		for _, f := range fakes {
			if f.count() != 1 {
				t.Fatalf("%s was polled %d times in the first %s, want once", f.node, f.count(), 100*startSpacing)
			}
			slots[f.times(b.begun)[0]/(25*startSpacing)]++
		}
		for _, n := range slots {
			if n < 10 {
				t.Errorf("first polls are not spread: %v in each quarter", slots)
			}
		}
	})
}

func TestPollsOfOneNodeNeverOverlap(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			<-time.After(850 * time.Millisecond)
			return f.good()
		}
		b.Set([]Target{target("a:1", f)}, nil)
		b.SetLane("a:1", mpp.LaneConfirm)
		for range 100 {
			b.PollNow("a:1")
			b.pass(70 * time.Millisecond)
		}
		if f.overlap {
			t.Error("two polls of one node ran at once")
		}
		if f.count() < 8 {
			t.Errorf("only %d polls in 7 s of wishes", f.count())
		}
	})
}

func TestMissedPollsAreNotMadeUpFor(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		long := true
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			if long {
				long = false
				<-time.After(4300 * time.Millisecond)
			}
			return f.good()
		}
		tgt := target("a:1", f)
		tgt.Timeout = 10 * time.Second
		b.Set([]Target{tgt}, nil)
		b.pass(10 * time.Second)
		gaps := distances(f.times(b.begun))
		if gaps[0] < 4300*time.Millisecond || gaps[0] > 5300*time.Millisecond {
			t.Errorf("next poll %s after a poll of 4.3 s began, want the next place in the interval", gaps[0])
		}
		for _, gap := range gaps[1:] {
			if gap != time.Second {
				t.Errorf("polls %s apart after a long one, want 1s", gap)
			}
		}
	})
}

func TestPollHasTheTargetsTimeLimit(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		var left time.Duration
		f.poll = func(ctx context.Context, _ mpp.Ask) mpp.Observation {
			deadline, _ := ctx.Deadline()
			left = time.Until(deadline)
			return f.good()
		}
		b.Set([]Target{target("a:1", f)}, nil)
		b.pass(time.Second)
		if left != 900*time.Millisecond {
			t.Errorf("a poll has %s, want 900ms", left)
		}
	})
}

func TestConfirmLanePollsAtOnceAndFast(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		b.Set([]Target{target("a:1", f)}, nil)
		b.pass(5300 * time.Millisecond)
		before := f.count()
		moved := time.Since(b.begun)
		b.SetLane("a:1", mpp.LaneConfirm)
		b.pass(450 * time.Millisecond)
		got := f.times(b.begun)[before:]
		want := []time.Duration{moved, moved + 100*time.Millisecond, moved + 200*time.Millisecond, moved + 300*time.Millisecond, moved + 400*time.Millisecond}
		if diff := cmp.Diff(want, got); diff != "" {
			t.Errorf("polls in the confirm lane (-want +got):\n%s", diff)
		}
		if !f.lastAsk().FreshLogin {
			t.Error("a confirm poll made no fresh login")
		}
		b.SetLane("a:1", mpp.LaneNormal)
		b.pass(10 * time.Second)
		times := f.times(b.begun)
		if place := times[len(times)-1] % time.Second; place != times[before-1]%time.Second {
			t.Errorf("back in the normal lane at %s of the interval, before it was %s", place, times[before-1]%time.Second)
		}
		if f.lastAsk().FreshLogin {
			t.Error("a normal poll makes a fresh login")
		}
	})
}

func TestConfirmLaneLeavesAnIntervalAfterThePollThatLedToIt(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		b.Set([]Target{target("a:1", f)}, nil)
		b.pass(3 * time.Second)
		b.PollNow("a:1")
		b.pass(time.Millisecond)
		before, polled := f.count(), time.Since(b.begun)-time.Millisecond
		b.SetLane("a:1", mpp.LaneConfirm)
		b.pass(150 * time.Millisecond)
		if diff := cmp.Diff([]time.Duration{polled + 100*time.Millisecond}, f.times(b.begun)[before:]); diff != "" {
			t.Errorf("polls after a first failure (-want +got):\n%s", diff)
		}
	})
}

func TestANewTargetMayBeActiveFromItsFirstPoll(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		tgt := target("a:1", f)
		tgt.Active = true
		b.Set([]Target{tgt}, nil)
		b.pass(time.Second)
		if f.count() == 0 || !f.lastAsk().Active {
			t.Error("the first poll was not asked as of an ACTIVE node")
		}
	})
}

func TestSlowLanePollsSeldom(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		tgt := target("a:1", f)
		tgt.SlowInterval = 7 * time.Second
		b.Set([]Target{tgt}, nil)
		b.pass(3 * time.Second)
		b.SetLane("a:1", mpp.LaneSlow)
		b.pass(11 * time.Second) // the first may be up to one and a half away
		before := f.count()
		b.pass(70 * time.Second)
		if got := f.count() - before; got != 10 {
			t.Errorf("%d polls in 70 s of the slow lane, want 10", got)
		}
	})
}

func TestNodeThatHangsDelaysNoOther(t *testing.T) {
	inBubble(t, func(b *bench) {
		free := make(chan struct{})
		var targets []Target
		for i := range 50 { // half obey the context, half do not even do that
			f := &fake{node: fmt.Sprintf("hung%d:1", i)}
			f.poll = func(ctx context.Context, _ mpp.Ask) mpp.Observation {
				if i%2 == 0 {
					<-ctx.Done()
				} else {
					<-free
				}
				return f.bad("hung")
			}
			targets = append(targets, target(f.node, f))
		}
		f := &fake{node: "a:1"}
		b.Set(append(targets, target("a:1", f)), nil)
		b.pass(60 * time.Second)
		for _, gap := range distances(f.times(b.begun))[1:] {
			if gap != time.Second {
				t.Errorf("polls of the healthy node %s apart, want 1s", gap)
			}
		}
		if s := b.Stats(); s.LateMax != 0 {
			t.Errorf("a poll was %s late", s.LateMax)
		}
		close(free)
	})
}

func TestPollThatDoesNotReturnIsReportedAsFailed(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		free := make(chan struct{})
		stuck := true
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			if stuck {
				<-free
			}
			return f.good()
		}
		b.Set([]Target{target("a:1", f)}, nil)
		b.pass(startSpacing + 900*time.Millisecond + grace)
		if got := b.observed("a:1"); len(got) != 1 {
			t.Fatalf("%d observations once a poll is overdue, want 1", len(got))
		}
		b.pass(3 * time.Second)
		got := b.observed("a:1")
		if len(got) != 4 {
			t.Fatalf("%d observations 3 s later, want one more a second", len(got))
		}
		for _, o := range got {
			v := o.Verdict()
			if v.Failed != mpp.Reach || v.Kind != mpp.KindHung || !strings.Contains(v.Message, "poll did not return in time") || o.Answered {
				t.Errorf("overdue poll: %+v, want a reach failure of kind hung", v)
			}
		}
		if f.count() != 1 {
			t.Errorf("%d polls were started while one was stuck", f.count()-1)
		}
		stuck = false
		close(free)
		synctest.Wait()
		if n := len(b.observed("a:1")); n != 4 {
			t.Errorf("what a stuck poll found in the end was handed on")
		}
		b.pass(time.Second)
		got = b.observed("a:1")
		if n := len(got); n != 5 || got[n-1].Verdict().Failed != "" {
			t.Errorf("the node is not polled again after its poll came back")
		}
		if s := b.Stats(); s.Hung != 4 || s.Running != 0 {
			t.Errorf("stats say %d hung, %d running; want 4, 0", s.Hung, s.Running)
		}
	})
}

func TestGuardThatComesTooLateReportsNothing(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			// As when the guard of the poll before waited for the lock until now.
			b.node("a:1").overdue()
			return f.good()
		}
		b.Set([]Target{target("a:1", f)}, nil)
		b.pass(3 * time.Second)
		for _, o := range b.observed("a:1") {
			if v := o.Verdict(); v.Failed != "" {
				t.Errorf("reported %+v", v)
			}
		}
	})
}

func TestOneNodeIsObservedByOneCallAtATime(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		calls, most := 0, 0
		f := &fake{node: "a:1"}
		p := New(Options{Observe: func(string, mpp.Observation) {
			calls++
			most = max(most, calls)
			<-time.After(2 * time.Second) // the inbox is full
			calls--
		}})
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			if f.count() == 1 {
				<-time.After(900*time.Millisecond + grace + 10*time.Millisecond)
			}
			return f.good()
		}
		p.Set([]Target{target("a:1", f)}, nil)
		<-time.After(20 * time.Second)
		if err := p.Stop(t.Context()); err != nil {
			t.Error(err)
		}
		if most != 1 {
			t.Errorf("up to %d calls at once", most)
		}
	})
}

func TestWishesForAPollAreOne(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			<-time.After(150 * time.Millisecond)
			return f.good()
		}
		tgt := target("a:1", f)
		tgt.Interval = time.Minute
		b.Set([]Target{tgt}, nil)
		b.pass(time.Second)
		from := time.Since(b.begun)
		b.PollNow("a:1")
		b.pass(10 * time.Millisecond)
		for range 10 {
			b.PollNow("a:1")
		}
		b.pass(time.Second)
		want := []time.Duration{from, from + 150*time.Millisecond}
		if diff := cmp.Diff(want, f.times(b.begun)[1:]); diff != "" {
			t.Errorf("one wish and ten during its poll (-want +got):\n%s", diff)
		}
	})
}

func TestWishWithinALongPollIsMetRightAfterIt(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			<-time.After(2500 * time.Millisecond)
			return f.good()
		}
		tgt := target("a:1", f)
		tgt.Timeout = 10 * time.Second
		b.Set([]Target{tgt}, nil)
		b.pass(2 * time.Second)
		b.PollNow("a:1")
		b.pass(time.Second)
		if gaps := distances(f.times(b.begun)); len(gaps) != 1 || gaps[0] != 2500*time.Millisecond {
			t.Errorf("polls %v apart, want the second right after the first", gaps)
		}
	})
}

func TestWishesAreMetNoFasterThanTheConfirmLane(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			b.PollNow("a:1") // as when the server hangs up after every poll
			return f.good()
		}
		b.Set([]Target{target("a:1", f)}, nil)
		b.pass(10 * time.Second)
		if n := f.count(); n < 95 || n > 105 {
			t.Errorf("%d polls in 10 s, want one every 100 ms", n)
		}
	})
}

func TestActiveIsAskedFromTheNextPollOn(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		b.Set([]Target{target("a:1", f)}, nil)
		b.pass(time.Second)
		if f.lastAsk().Active {
			t.Error("a new node is polled as ACTIVE")
		}
		b.SetActive("a:1", true)
		b.pass(2 * time.Second)
		if !f.lastAsk().Active {
			t.Error("an ACTIVE node is not polled as such")
		}
		b.SetActive("a:1", false)
		b.pass(2 * time.Second)
		if f.lastAsk().Active {
			t.Error("a demoted node is polled as ACTIVE")
		}
	})
}

func TestCheckNowReturnsWhatItsOwnPollFound(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		f.poll = func(_ context.Context, ask mpp.Ask) mpp.Observation {
			<-time.After(100 * time.Millisecond)
			o := f.good()
			if ask.FreshLogin {
				o.Checks[0].Message = "fresh"
			}
			return o
		}
		tgt := target("a:1", f)
		tgt.Interval = time.Minute
		b.Set([]Target{tgt}, nil)
		b.pass(startSpacing) // the first poll is running
		o, err := b.CheckNow(b.t.Context(), "a:1")
		if err != nil || o.Checks[0].Message != "fresh" {
			t.Fatalf("got %+v, %v; want a poll with a fresh login", o, err)
		}
		synctest.Wait()
		seen := b.observed("a:1")
		if len(seen) != 2 {
			t.Fatalf("%d observations, want the running poll's and the check's", len(seen))
		}
		if diff := cmp.Diff(o, seen[1]); diff != "" {
			t.Errorf("observed something else than was returned:\n%s", diff)
		}
	})
}

func TestCheckNowEndsWithItsContextItsNodeAndItsPoller(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		f.poll = func(ctx context.Context, _ mpp.Ask) mpp.Observation {
			<-ctx.Done()
			return f.bad("hung")
		}
		tgt := target("a:1", f)
		b.Set([]Target{tgt}, nil)
		if _, err := b.CheckNow(b.t.Context(), "b:1"); err == nil || !strings.Contains(err.Error(), "b:1") {
			t.Errorf("a node that is not polled: %v", err)
		}
		ctx, cancel := context.WithTimeout(b.t.Context(), 100*time.Millisecond)
		defer cancel()
		if _, err := b.CheckNow(ctx, "a:1"); !errors.Is(err, context.DeadlineExceeded) {
			t.Errorf("with a context that ends: %v", err)
		}
		w := b.node("a:1")
		w.mu.Lock()
		if n := len(w.waiting) + len(w.serving); n != 0 {
			t.Errorf("%d callers that gave up are still waited upon", n)
		}
		w.mu.Unlock()
		if o, err := b.CheckNow(b.t.Context(), "a:1"); err != nil || o.Verdict().Failed != mpp.Reach {
			t.Errorf("a node that hangs: %+v, %v; want a failed observation", o, err)
		}
		failed := make(chan error, 1)
		go func() { _, err := b.CheckNow(context.Background(), "a:1"); failed <- err }()
		b.pass(10 * time.Millisecond)
		b.Set(nil, nil)
		if err := <-failed; !errors.Is(err, errGone) {
			t.Errorf("a node that is removed meanwhile: %v", err)
		}
	})
}

func TestCheckpointsAreTriedEveryIntervalAndWhenAsked(t *testing.T) {
	inBubble(t, func(b *bench) {
		var tries [2]int
		point := func(i int) tryFunc {
			return func(context.Context) mpp.CheckpointResult {
				tries[i]++
				return mpp.CheckpointResult{Name: "gw", Reached: true}
			}
		}
		b.Set(nil, []Checkpoint{
			{Pool: "p", Name: "gw", Interval: 10 * time.Second, Prober: &try{point(0)}},
			{Pool: "q", Name: "gw", Interval: 10 * time.Second, Prober: &try{point(1)}},
		})
		b.pass(100 * time.Second)
		if tries[0] < 10 || tries[0] > 11 || tries[1] < 10 || tries[1] > 11 {
			t.Errorf("tries in 100 s: %v, want 10 or 11 of each", tries)
		}
		before := tries
		b.TryCheckpoints("p")
		b.pass(time.Millisecond)
		if tries[0] != before[0]+1 || tries[1] != before[1] {
			t.Errorf("tries went from %v to %v, want one more of pool p", before, tries)
		}
		if got := len(b.tried()); got != tries[0]+tries[1] {
			t.Errorf("%d results of %v tries", got, tries)
		}
	})
}

func TestTryThatDoesNotReturnIsReportedAsNotReached(t *testing.T) {
	inBubble(t, func(b *bench) {
		free := make(chan struct{})
		hang := tryFunc(func(context.Context) mpp.CheckpointResult {
			<-free
			return mpp.CheckpointResult{Name: "gw", Reached: true}
		})
		b.Set(nil, []Checkpoint{{Pool: "p", Name: "gw", Timeout: time.Second, Prober: &try{hang}}})
		b.pass(time.Second + grace + startSpacing)
		got := b.tried()
		if len(got) != 1 || got[0].Reached || got[0].Name != "gw" || !strings.Contains(got[0].Message, "try did not return in time") {
			t.Errorf("results: %+v, want one that is not reached", got)
		}
		close(free)
	})
}

type tryFunc func(ctx context.Context) mpp.CheckpointResult

// try makes a comparable prober of a function.
type try struct{ tryFunc }

func (t *try) Try(ctx context.Context) mpp.CheckpointResult { return t.tryFunc(ctx) }
