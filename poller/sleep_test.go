package poller

import (
	"bufio"
	"context"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"testing"
	"time"

	"mpp"
)

// oversleep makes the heart find that the process has just slept.
func (b *bench) oversleep() {
	h := b.shared.heart
	h.gapEnd.Store(int64(time.Since(h.epoch)))
}

func TestHeartFindsGaps(t *testing.T) {
	epoch := time.Now()
	at := func(ms int) time.Time { return epoch.Add(time.Duration(ms) * time.Millisecond) }
	h := newHeart(epoch)
	for _, ms := range []int{100, 200, 300, 450, 550, 840} {
		if gap := h.beat(at(ms)); gap != 0 {
			t.Errorf("a gap of %s at %d ms, where there is none", gap, ms)
		}
	}
	if h.slept(at(100), at(1100)) {
		t.Error("slept without a gap")
	}
	if !h.slept(at(100), at(1200)) {
		t.Error("a gap that the heartbeat has not seen yet was not noticed")
	}
	if gap := h.beat(at(60840)); gap != 60*time.Second-beatEvery {
		t.Errorf("a gap of %s, want a minute less a beat", gap)
	}
	if !h.slept(at(700), at(60850)) || !h.slept(at(60000), at(60850)) {
		t.Error("a poll that overlaps the gap is not told to have slept")
	}
	if h.slept(at(60841), at(60900)) {
		t.Error("a poll after the gap is told to have slept")
	}
}

func TestFailureOfAPollThatOverlapsOwnSleepIsThrownAway(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		slept := false
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			if slept {
				return f.good()
			}
			<-time.After(200 * time.Millisecond)
			slept = true
			b.oversleep()
			return f.bad("no answer")
		}
		b.Set([]Target{target("a:1", f)}, nil)
		b.pass(500 * time.Millisecond)
		got := b.observed("a:1")
		if len(got) != 1 || got[0].Verdict().Failed != "" {
			t.Fatalf("observed %+v, want only the good poll that followed", got)
		}
		if gaps := distances(f.times(b.begun)); len(gaps) != 1 || gaps[0] != 200*time.Millisecond {
			t.Errorf("polls %v apart, want the second right after the first", gaps)
		}
		if s := b.Stats(); s.Discarded != 1 {
			t.Errorf("stats say %d discarded", s.Discarded)
		}
	})
}

func TestGoodPollThatOverlapsOwnSleepCounts(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			<-time.After(200 * time.Millisecond)
			b.oversleep()
			return f.good()
		}
		b.Set([]Target{target("a:1", f)}, nil)
		b.pass(500 * time.Millisecond)
		if got := b.observed("a:1"); len(got) != 1 {
			t.Errorf("%d observations, want 1", len(got))
		}
	})
}

func TestPollerThatKeepsSleepingDoesNotGoBlind(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			<-time.After(200 * time.Millisecond)
			b.oversleep()
			return f.bad("no answer")
		}
		b.Set([]Target{target("a:1", f)}, nil)
		b.pass(10 * time.Second)
		got, discarded := len(b.observed("a:1")), b.Stats().Discarded
		if got < 8 || discarded != maxDiscards {
			t.Errorf("%d observations, %d discarded, want all but %d", got, discarded, maxDiscards)
		}
	})
}

func TestFailureOfAPollThatWasHeldUpIsThrownAway(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			if f.count() > 1 {
				return f.good()
			}
			<-time.After(900*time.Millisecond + overrun + time.Millisecond)
			return f.bad("no answer")
		}
		b.Set([]Target{target("a:1", f)}, nil)
		b.pass(1500 * time.Millisecond)
		got := b.observed("a:1")
		if len(got) == 0 || got[0].Verdict().Failed != "" {
			t.Errorf("observed %+v, want no failure", got)
		}
	})
}

func TestOwnSleepPutsTheReportOfAnOverduePollOff(t *testing.T) {
	inBubble(t, func(b *bench) {
		f := &fake{node: "a:1"}
		f.poll = func(context.Context, mpp.Ask) mpp.Observation {
			if f.count() > 1 {
				return f.good()
			}
			<-time.After(1200 * time.Millisecond)
			b.oversleep()
			<-time.After(400 * time.Millisecond)
			return f.bad("no answer")
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

func TestPollsThatAreDueAfterOwnSleepAreSpread(t *testing.T) {
	inBubble(t, func(b *bench) {
		var targets []Target
		var fakes []*fake
		for i := range 400 {
			f := &fake{node: fmt.Sprintf("10.0.%d.%d:3306", i/200, i%200)}
			fakes, targets = append(fakes, f), append(targets, target(f.node, f))
		}
		b.Set(targets, nil)
		b.pass(5500 * time.Millisecond)
		// As after a freeze: all are due now, and were due before the gap ended.
		from := time.Since(b.begun)
		b.oversleep()
		for _, e := range b.nodes {
			e.mu.Lock()
			e.plan(time.Now().Add(-time.Millisecond))
			e.mu.Unlock()
			e.signal()
		}
		b.pass(400*startSpacing + time.Millisecond)
		var slots [4]int
		for _, f := range fakes {
			times := f.times(b.begun)
			last := times[len(times)-1] - from
			if last < 0 {
				t.Fatalf("%s was not polled", f.node)
			}
			slots[min(last/(100*startSpacing), 3)]++
		}
		for _, n := range slots {
			if n < 60 {
				t.Errorf("polls after a sleep are not spread: %v in each quarter", slots)
			}
		}
	})
}

// sleeperVar makes the test binary a poller that is frozen from outside.
const sleeperVar = "MPP_POLLER_SLEEPER"

// sleeper polls a node that answers after half its time limit, for as long as stdin is open,
// and prints what a poller tells.
func sleeper() int {
	p := New(Options{
		Observe: func(_ string, o mpp.Observation) { fmt.Println("observed", o.Verdict().Failed == "") },
		Slept:   func(gap time.Duration) { fmt.Println("slept", gap.Milliseconds()) },
	})
	f := &fake{node: "a:1"}
	f.poll = func(ctx context.Context, _ mpp.Ask) mpp.Observation {
		answer := time.NewTimer(200 * time.Millisecond)
		defer answer.Stop()
		<-answer.C
		// As with a socket: an answer that came in time is not seen any more.
		if deadline, _ := ctx.Deadline(); time.Now().After(deadline) {
			return f.bad("no answer")
		}
		return f.good()
	}
	p.Set([]Target{{Node: "a:1", Interval: 210 * time.Millisecond, Timeout: 400 * time.Millisecond, Prober: f}}, nil)
	_, _ = bufio.NewReader(os.Stdin).ReadString('\n')
	ctx, cancel := context.WithTimeout(context.Background(), 5*time.Second)
	defer cancel()
	if err := p.Stop(ctx); err != nil {
		fmt.Println(err)
		return 1
	}
	fmt.Println("discarded", p.Stats().Discarded)
	return 0
}

func TestFrozenProcessReportsNoFailure(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), os.Args[0])
	cmd.Env = append(os.Environ(), sleeperVar+"=1")
	cmd.SysProcAttr = &syscall.SysProcAttr{Pdeathsig: syscall.SIGKILL} // it may be frozen when we are killed
	in, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	out, err := cmd.StdoutPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	lines := bufio.NewScanner(out)
	signal := func(s syscall.Signal) {
		if err := cmd.Process.Signal(s); err != nil {
			t.Fatal(err)
		}
	}
	good, slept := 0, 0
	for slept < 3 && lines.Scan() {
		switch line := lines.Text(); {
		case line == "observed true":
			good++
			if good%4 == 3 { // in the middle of the next poll
				<-time.After(100 * time.Millisecond)
				signal(syscall.SIGSTOP)
				<-time.After(1500 * time.Millisecond)
				signal(syscall.SIGCONT)
			}
		case strings.HasPrefix(line, "slept"):
			slept++
		default:
			t.Errorf("the frozen poller said %q", line)
		}
	}
	if _, err := in.Write([]byte("\n")); err != nil {
		t.Error(err)
	}
	for lines.Scan() {
		if line := lines.Text(); line == "discarded 0" || line == "observed false" {
			t.Errorf("the frozen poller said %q", line)
		}
	}
	if err := cmd.Wait(); err != nil {
		t.Error(err)
	}
	if slept < 3 {
		t.Errorf("the poller noticed %d of 3 freezes", slept)
	}
}
