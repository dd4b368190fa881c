package poller

import (
	"context"
	"os"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"go.uber.org/goleak"

	"mpp"
	"mpp/sandbox/fakenode"
)

func TestMain(m *testing.M) {
	if fakenode.IsChild() {
		os.Exit(fakenode.RunChild())
	}
	if os.Getenv(sleeperVar) != "" {
		os.Exit(sleeper())
	}
	goleak.VerifyTestMain(m)
}

// fake is a prober that a test scripts.
type fake struct {
	node string
	// poll is what a poll does; nil means a good one that takes no time.
	poll func(ctx context.Context, ask mpp.Ask) mpp.Observation

	mu      sync.Mutex
	starts  []time.Time
	asks    []mpp.Ask
	running int
	overlap bool
	closed  int
	// early says that Close came while a poll was running.
	early bool
}

func (f *fake) Poll(ctx context.Context, ask mpp.Ask) mpp.Observation {
	f.mu.Lock()
	f.starts = append(f.starts, time.Now())
	f.asks = append(f.asks, ask)
	f.running++
	f.overlap = f.overlap || f.running > 1
	f.mu.Unlock()
	o := f.good()
	if f.poll != nil {
		o = f.poll(ctx, ask)
	}
	f.mu.Lock()
	f.running--
	f.mu.Unlock()
	return o
}

func (f *fake) Close() error {
	f.mu.Lock()
	defer f.mu.Unlock()
	f.closed++
	f.early = f.early || f.running > 0
	return nil
}

// good and bad are observations of the node.
func (f *fake) good() mpp.Observation {
	return mpp.Observation{Node: f.node, At: time.Now(), Checks: []mpp.CheckResult{{Name: "connect", Class: mpp.Reach}}}
}

func (f *fake) bad(message string) mpp.Observation {
	return mpp.Observation{Node: f.node, At: time.Now(), Checks: []mpp.CheckResult{
		{Name: "connect", Class: mpp.Reach, Status: mpp.Fail, Kind: mpp.KindNoAnswer, Message: message},
	}}
}

// times returns when polls started, since origin.
func (f *fake) times(origin time.Time) []time.Duration {
	f.mu.Lock()
	defer f.mu.Unlock()
	list := make([]time.Duration, len(f.starts))
	for i, t := range f.starts {
		list[i] = t.Sub(origin)
	}
	return list
}

func (f *fake) count() int {
	f.mu.Lock()
	defer f.mu.Unlock()
	return len(f.starts)
}

func (f *fake) lastAsk() mpp.Ask {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.asks[len(f.asks)-1]
}

// closes returns how often the prober was closed, and whether that was while polling.
func (f *fake) closes() (times int, early bool) {
	f.mu.Lock()
	defer f.mu.Unlock()
	return f.closed, f.early
}

// bench is a poller in a bubble, with what it told.
type bench struct {
	*Poller
	t     *testing.T
	begun time.Time

	mu          sync.Mutex
	seen        []mpp.Observation
	checkpoints []mpp.CheckpointResult
	slept       []time.Duration
}

// inBubble runs a test with a poller in a bubble, and stops the poller in the end.
func inBubble(t *testing.T, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := newBench(t)
		defer b.stop()
		test(b)
	})
}

func newBench(t *testing.T) *bench {
	b := &bench{t: t, begun: time.Now()}
	b.Poller = New(Options{
		Observe: func(_ string, o mpp.Observation) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.seen = append(b.seen, o)
		},
		CheckpointSeen: func(_ string, r mpp.CheckpointResult) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.checkpoints = append(b.checkpoints, r)
		},
		Slept: func(gap time.Duration) {
			b.mu.Lock()
			defer b.mu.Unlock()
			b.slept = append(b.slept, gap)
		},
	})
	return b
}

func (b *bench) stop() {
	b.t.Helper()
	ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
	defer cancel()
	if err := b.Stop(ctx); err != nil {
		b.t.Error(err)
	}
}

// pass lets time go by in the bubble, and what is due then happen.
func (b *bench) pass(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

// observed returns the observations of a node.
func (b *bench) observed(node string) []mpp.Observation {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.DeleteFunc(slices.Clone(b.seen), func(o mpp.Observation) bool { return o.Node != node })
}

// tried returns the results of checkpoints.
func (b *bench) tried() []mpp.CheckpointResult {
	b.mu.Lock()
	defer b.mu.Unlock()
	return slices.Clone(b.checkpoints)
}

// target is a node with a time limit that fits its interval.
func target(node string, p Prober) Target {
	return Target{Node: node, Pool: "p", Interval: time.Second, Timeout: 900 * time.Millisecond, Prober: p}
}

// distances returns the differences of neighbours.
func distances(times []time.Duration) []time.Duration {
	var list []time.Duration
	for i := 1; i < len(times); i++ {
		list = append(list, times[i]-times[i-1])
	}
	return list
}
