package poller

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mpp"
)

// Prober asks one node how it is, over a connection that it keeps. Its methods are called by
// one goroutine at a time. It must be comparable, as a pointer is.
type Prober interface {
	// Poll makes all checks once and returns before ctx ends, or soon after. It has no error:
	// what goes wrong is the finding.
	Poll(ctx context.Context, ask mpp.Ask) mpp.Observation
	// Close ends the connection. It is called once, when no Poll is running.
	Close() error
}

// CheckpointProber tries one checkpoint. It must be comparable, as a pointer is.
type CheckpointProber interface {
	Try(ctx context.Context) mpp.CheckpointResult
}

// Target is a node that is to be polled.
type Target struct {
	// Node is the node's address, unique among all targets; Pool is its pool's name.
	Node, Pool string
	// Interval is how often it is polled; 0 means DefaultInterval. ConfirmInterval and
	// SlowInterval are how often in the confirm and the slow lane; 0 means
	// DefaultConfirmInterval and DefaultSlowInterval.
	Interval, ConfirmInterval, SlowInterval time.Duration
	// Timeout bounds a poll; 0 means Interval. ConfirmTimeout bounds one in the urgent lane; 0
	// means Timeout.
	Timeout        time.Duration
	ConfirmTimeout time.Duration
	Prober         Prober
	// Active says that a node which is new to the poller is ACTIVE; later SetActive says so.
	Active bool
}

// Checkpoint is a checkpoint that is to be tried. Pool and Name together are unique.
type Checkpoint struct {
	Pool, Name string
	// Interval is how often it is tried, 0 means DefaultInterval; Timeout bounds a try, 0
	// means Interval.
	Interval, Timeout time.Duration
	Prober            CheckpointProber
}

// Options are what a Poller tells. The functions are called from many goroutines. Observe and
// CheckpointSeen must be set if there are targets and checkpoints.
type Options struct {
	// Observe takes what a poll found, once a poll, in the order of a node's polls.
	Observe func(pool string, o mpp.Observation)
	// CheckpointSeen takes what a try of a checkpoint found.
	CheckpointSeen func(pool string, r mpp.CheckpointResult)
	// Slept is told that this process did not run for about gap, be it that it was frozen or
	// that the machine was too busy; nil means that nobody wants to know.
	Slept func(gap time.Duration)
}

// checkpointKey names a checkpoint.
type checkpointKey struct{ pool, name string }

// entry is a worker with what it was made from.
type entry[T, R any] struct {
	wanted T
	*worker[R]
}

// Poller polls nodes and tries checkpoints. Its methods may be called from any goroutine.
type Poller struct {
	options Options
	shared  *shared
	epoch   time.Time
	ctx     context.Context // ends with Stop
	cancel  context.CancelFunc
	owned   sync.WaitGroup
	waiting sync.Once     // starts the wait for owned
	ended   chan struct{} // closed when nothing is left

	mu          sync.Mutex
	started     bool
	stopped     bool
	nodes       map[string]entry[Target, mpp.Observation]
	checkpoints map[checkpointKey]entry[Checkpoint, mpp.CheckpointResult]
	// leaving are workers that were replaced or removed and have not ended yet.
	leaving map[any]<-chan struct{}
}

// New returns a Poller that has nothing to do until Set.
func New(o Options) *Poller {
	p := &Poller{
		options: o, epoch: time.Now(), ended: make(chan struct{}),
		nodes:       make(map[string]entry[Target, mpp.Observation]),
		checkpoints: make(map[checkpointKey]entry[Checkpoint, mpp.CheckpointResult]),
		leaving:     make(map[any]<-chan struct{}),
	}
	p.shared = &shared{heart: newHeart(p.epoch), slept: make(chan time.Duration)}
	p.shared.counters.turned = p.epoch
	p.ctx, p.cancel = context.WithCancel(context.Background())
	return p
}

// Stop ends everything and waits until it has ended: goroutines, polls, probers. A poll that
// is running is cancelled, and what it finds is dropped. The error says that ctx ended first;
// a further call waits again.
func (p *Poller) Stop(ctx context.Context) error {
	p.mu.Lock()
	p.stopped = true
	for _, e := range p.nodes {
		e.cancel()
	}
	for _, e := range p.checkpoints {
		e.cancel()
	}
	p.mu.Unlock()
	p.cancel()
	p.waiting.Do(func() {
		go func() {
			p.owned.Wait()
			close(p.ended)
		}()
	})
	select {
	case <-p.ended:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop poller: %d polls have not returned: %w", p.shared.counters.running.Load(), ctx.Err())
	}
}

// SetLane says how eagerly a node is polled. The confirm lane begins with a poll at once, and
// its polls make a fresh login. A node that is not polled is ignored.
func (p *Poller) SetLane(node string, lane mpp.Lane) {
	if w := p.node(node); w != nil {
		w.setLane(lane)
	}
}

// SetActive says whether a node is ACTIVE: Ask.Active of its polls from the next one on. A
// node that is not polled is ignored.
func (p *Poller) SetActive(node string, active bool) {
	if w := p.node(node); w != nil {
		w.setActive(active)
	}
}

// PollNow polls a node at once, or right after the poll that is running; wishes for several
// polls make one, and no two of these start closer together than ConfirmInterval. A node that
// is not polled is ignored.
func (p *Poller) PollNow(node string) {
	if w := p.node(node); w != nil {
		w.now()
	}
}

// TryCheckpoints tries every checkpoint of a pool at once, or right after the try that is
// running, but no more often than every DefaultConfirmInterval.
func (p *Poller) TryCheckpoints(pool string) {
	p.mu.Lock()
	defer p.mu.Unlock()
	for key, e := range p.checkpoints {
		if key.pool == pool {
			e.now()
		}
	}
}

// CheckNow polls a node at once, with a fresh login, and returns what was found, which goes to
// Options.Observe too. The error says that the node is not polled, or that ctx ended.
func (p *Poller) CheckNow(ctx context.Context, node string) (mpp.Observation, error) {
	w := p.node(node)
	if w == nil {
		return mpp.Observation{}, fmt.Errorf("check node %s: it is not polled", node)
	}
	o, err := w.check(ctx)
	if err != nil {
		return mpp.Observation{}, fmt.Errorf("check node %s: %w", node, err)
	}
	return o, nil
}

// Stats returns how the poller is doing.
func (p *Poller) Stats() Stats {
	p.mu.Lock()
	nodes, checkpoints := len(p.nodes), len(p.checkpoints)
	p.mu.Unlock()
	c := &p.shared.counters
	s := Stats{
		Nodes: nodes, Checkpoints: checkpoints,
		Polls: c.polls.Load(), Tries: c.tries.Load(), Hung: c.hung.Load(), Discarded: c.discarded.Load(),
		Running: int(c.running.Load()),
	}
	s.LateP50, s.LateP99, s.LateMax = c.lateness(time.Now())
	return s
}

// node returns the worker of a node, nil when there is none.
func (p *Poller) node(node string) *worker[mpp.Observation] {
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.nodes[node].worker
}
