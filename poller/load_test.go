package poller_test

import (
	"context"
	"fmt"
	"math"
	"os"
	"runtime"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"syscall"
	"testing"
	"time"

	"mpp"
	"mpp/checks"
	"mpp/link"
	"mpp/poller"
	"mpp/sandbox/fakenode"
)

const (
	loadInterval = time.Second
	loadTimeout  = 800 * time.Millisecond // the configuration's default
	loadUser     = "mpp"
	loadPassword = "secret"
)

// load is a poller with the real checks on a fleet of fake nodes in another process.
type load struct {
	t       testing.TB
	poller  *poller.Poller
	watcher *checks.Watcher
	timed   []*timed
	good    atomic.Int64 // good polls of healthy nodes
	failed  atomic.Int64 // failed ones
	message atomic.Value // of the last failed one
	healthy map[string]bool
	closing sync.Once
	targets []poller.Target
}

// timed notes when the polls of a healthy node start.
type timed struct {
	*checks.Prober
	base  time.Time
	mu    sync.Mutex
	start []time.Duration // since base
}

func (p *timed) Poll(ctx context.Context, ask mpp.Ask) mpp.Observation {
	p.mu.Lock()
	p.start = append(p.start, time.Since(p.base))
	p.mu.Unlock()
	return p.Prober.Poll(ctx, ask)
}

func (p *timed) reset() {
	p.mu.Lock()
	p.start = p.start[:0]
	p.mu.Unlock()
}

// lateness returns by how much each start was later than the earliest place in the interval
// at which this node was ever polled; a poll that was left out counts as an interval late.
func (p *timed) lateness() []time.Duration {
	p.mu.Lock()
	defer p.mu.Unlock()
	if len(p.start) == 0 {
		return nil
	}
	offset := func(s time.Duration) time.Duration {
		d := (s - p.start[0]) % loadInterval
		if d > loadInterval/2 {
			d -= loadInterval
		}
		return d
	}
	first := time.Duration(0)
	for _, s := range p.start {
		first = min(first, offset(s))
	}
	list := make([]time.Duration, len(p.start))
	for i, s := range p.start {
		list[i] = offset(s) - first
		if i > 0 {
			missed := math.Round(float64(s-p.start[i-1])/float64(loadInterval)) - 1
			list[i] = max(list[i], time.Duration(missed)*loadInterval)
		}
	}
	return list
}

// spawn starts a fleet of fakes.
func spawn(t testing.TB, o fakenode.FleetOptions) []fakenode.Member {
	t.Helper()
	o.User, o.Password, o.Source = loadUser, loadPassword, "127.0.0.1:3306"
	fleet, err := fakenode.Spawn(t.Context(), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := fleet.Close(); err != nil {
			t.Error(err)
		}
	})
	return fleet.Members
}

// startLoad polls members with the real checks, as the daemon does.
func startLoad(t testing.TB, members []fakenode.Member) *load {
	t.Helper()
	l := &load{t: t, healthy: make(map[string]bool)}
	var err error
	if l.watcher, err = checks.NewWatcher(); err != nil {
		t.Fatal(err)
	}
	l.poller = poller.New(poller.Options{Observe: l.observe, CheckpointSeen: func(string, mpp.CheckpointResult) {}})
	t.Cleanup(l.stop)
	base := time.Now()
	targets := make([]poller.Target, len(members))
	for i, m := range members {
		o := checks.Default()
		o.Address, o.User, o.Password = m.Address, loadUser, loadPassword
		o.TLS.Mode = link.TLSDisabled
		o.ConnectLimit, o.QueryLimit, o.ReplicationLimit, o.ClusterLimit = loadTimeout, loadTimeout, loadTimeout, loadTimeout
		o.Watcher, o.Hangup = l.watcher, func() { l.poller.PollNow(m.Address) }
		p, err := checks.New(o)
		if err != nil {
			t.Fatal(err)
		}
		targets[i] = poller.Target{
			Node: m.Address, Pool: "pool" + strconv.Itoa(i/3), Interval: loadInterval, Timeout: loadTimeout, Prober: p,
		}
		if m.Behaviour == fakenode.Healthy {
			l.healthy[m.Address] = true
			one := &timed{Prober: p, base: base, start: make([]time.Duration, 0, 32)}
			l.timed, targets[i].Prober = append(l.timed, one), one
		}
	}
	l.targets = targets
	l.poller.Set(targets, nil)
	return l
}

// pace changes how often nodes are polled; probers and connections stay.
func (l *load) pace(interval time.Duration) {
	for i := range l.targets {
		l.targets[i].Interval = interval
	}
	l.poller.Set(l.targets, nil)
}

func (l *load) observe(_ string, o mpp.Observation) {
	if !l.healthy[o.Node] {
		return
	}
	if v := o.Verdict(); v.Failed != "" {
		l.failed.Add(1)
		l.message.Store(o.Node + ": " + v.Message)
		return
	}
	l.good.Add(1)
}

func (l *load) stop() {
	l.closing.Do(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 10*time.Second)
		defer cancel()
		if err := l.poller.Stop(ctx); err != nil {
			l.t.Error(err)
		}
		if err := l.watcher.Close(); err != nil {
			l.t.Error(err)
		}
	})
}

// warm waits until every healthy node was polled well, and then for two intervals more.
func (l *load) warm() {
	l.t.Helper()
	deadline := time.Now().Add(30 * time.Second)
	for l.good.Load() < int64(len(l.healthy)) {
		if time.Now().After(deadline) {
			l.t.Fatalf("only %d good polls of %d healthy nodes in 30 s; last failure: %v", l.good.Load(), len(l.healthy), l.message.Load())
		}
		<-time.After(10 * time.Millisecond)
	}
	<-time.After(2 * loadInterval)
}

// figures are what was measured in a while.
type figures struct {
	polls, healthyPolls int
	// lateP50, lateP99 and lateMax are of the polls of healthy nodes.
	lateP50, lateP99, lateMax time.Duration
	// sleepP99 is how late a goroutine of this process was that only sleeps.
	sleepP99 time.Duration
	cpu      time.Duration
	failed   int
}

// measure watches the load for d.
func (l *load) measure(d time.Duration) figures {
	for _, p := range l.timed {
		p.reset()
	}
	ctx, cancel := context.WithTimeout(context.Background(), d)
	defer cancel()
	before, failed, cpu := l.poller.Stats().Polls, l.failed.Load(), cpuTime()
	naps := oversleeps(ctx)
	f := figures{cpu: cpuTime() - cpu, polls: int(l.poller.Stats().Polls - before), failed: int(l.failed.Load() - failed)}
	var late []time.Duration
	for _, p := range l.timed {
		late = append(late, p.lateness()...)
	}
	f.healthyPolls = len(late)
	f.lateP50, f.lateP99, f.lateMax = percentile(late, 0.5), percentile(late, 0.99), percentile(late, 1)
	f.sleepP99 = percentile(naps, 0.99)
	return f
}

// oversleeps sleeps again and again until ctx ends, and returns by how much it overslept.
func oversleeps(ctx context.Context) (late []time.Duration) {
	const nap = 10 * time.Millisecond
	for ctx.Err() == nil {
		begin := time.Now()
		<-time.After(nap)
		late = append(late, time.Since(begin)-nap)
	}
	return late
}

func percentile(list []time.Duration, q float64) time.Duration {
	if len(list) == 0 {
		return 0
	}
	slices.Sort(list)
	return list[max(0, int(math.Ceil(q*float64(len(list))))-1)]
}

// cpuTime is what this process has used, in user and kernel mode.
func cpuTime() time.Duration {
	var u syscall.Rusage
	if err := syscall.Getrusage(syscall.RUSAGE_SELF, &u); err != nil {
		panic(err) // cannot fail on Linux
	}
	return time.Duration(u.Utime.Nano() + u.Stime.Nano())
}

// memory is what this process holds, in bytes: heap and stacks after a collection, and what
// it has from the kernel.
type memory struct{ live, resident float64 }

func memoryNow() memory {
	runtime.GC()
	runtime.GC()
	var m runtime.MemStats
	runtime.ReadMemStats(&m)
	status, _ := os.ReadFile("/proc/self/statm")
	pages, _ := strconv.ParseFloat(strings.Fields(string(status))[1], 64)
	return memory{float64(m.HeapAlloc + m.StackInuse), pages * float64(os.Getpagesize())}
}

func machine() string {
	average, _ := os.ReadFile("/proc/loadavg")
	return fmt.Sprintf("%d cores, load %s", runtime.NumCPU(), strings.TrimSpace(string(average)))
}

// TestHealthyNodesAreNotHeldUpByDeadAndHungOnes holds failure F5 as far as a test can without
// timing: no healthy node misses its polls because of the others. How late polls are at
// 1,000 nodes is what the benchmark shows.
func TestHealthyNodesAreNotHeldUpByDeadAndHungOnes(t *testing.T) {
	const seconds = 8
	l := startLoad(t, spawn(t, fakenode.FleetOptions{Nodes: 200, Dead: 20, Hung: 10}))
	l.warm()
	f := l.measure(seconds * time.Second)
	t.Logf("%d polls of %d healthy nodes in %d s: late by %s (median), %s (p99), %s (most); a goroutine that only sleeps: %s (p99); %s",
		f.healthyPolls, len(l.timed), seconds, f.lateP50, f.lateP99, f.lateMax, f.sleepP99, machine())
	if want := (seconds - 2) * len(l.timed); f.healthyPolls < want {
		t.Errorf("%d polls of healthy nodes, want %d or more", f.healthyPolls, want)
	}
	if f.failed > f.healthyPolls/100 {
		t.Errorf("%d of %d polls of healthy nodes failed, the last: %v", f.failed, f.healthyPolls, l.message.Load())
	}
}
