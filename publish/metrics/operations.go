package metrics

import (
	"sync"
	"time"

	"github.com/prometheus/client_golang/prometheus"

	"mpp"
)

// history is what is known of operations that have ended. It lives between scrapes; pools that
// are gone are not shown. Its methods may be called from several goroutines.
type history struct {
	mu    sync.Mutex
	pools map[string]*past
}

// past is the history of one pool.
type past struct {
	ended map[ending]uint64 // since the daemon started
	// opened is when the last failover let writers in, outage how long that took; zero for none.
	opened time.Time
	outage time.Duration
}

// ending is how an operation ended.
type ending struct {
	kind    mpp.OperationKind
	outcome mpp.Outcome
}

// Ended counts an operation that has ended, and remembers the last failover of each pool. It is
// called once for each operation.
func (m *Metrics) Ended(o *mpp.Operation) {
	m.history.mu.Lock()
	defer m.history.mu.Unlock()
	p := m.history.of(o.Pool)
	p.ended[ending{o.Kind, o.Outcome}]++
	p.remember(o)
}

// Known tells of an operation that ended before the daemon started: it is not counted, but it
// may be the pool's last failover.
func (m *Metrics) Known(o *mpp.Operation) {
	m.history.mu.Lock()
	defer m.history.mu.Unlock()
	m.history.of(o.Pool).remember(o)
}

func (h *history) of(pool string) *past {
	p := h.pools[pool]
	if p == nil {
		p = &past{ended: map[ending]uint64{}}
		// Those that wake people begin at 0, so that a rule on their increase sees the first.
		for _, kind := range []mpp.OperationKind{mpp.OpFailover, mpp.OpSwitchover} {
			for _, outcome := range []mpp.Outcome{mpp.Completed, mpp.RolledBack, mpp.Stopped, mpp.Abandoned} {
				p.ended[ending{kind, outcome}] = 0
			}
		}
		h.pools[pool] = p
	}
	return p
}

// remember keeps the newest failover that let writers in.
func (p *past) remember(o *mpp.Operation) {
	if o.Kind != mpp.OpFailover || !o.Opened.After(p.opened) {
		return
	}
	from := o.FirstMiss
	if from.IsZero() { // a failover by hand, perhaps
		from = o.Began
	}
	p.opened, p.outage = o.Opened, o.Opened.Sub(from)
}

// engine sends what only a pool with an engine has.
func (c *collector) engine(out chan<- prometheus.Metric, p *mpp.PoolView, now time.Time) {
	if p.Engine == mpp.EngineNone {
		return
	}
	c.readiness(out, p, now)
	running := map[mpp.OperationKind]int{
		mpp.OpFailover: 0, mpp.OpSwitchover: 0, mpp.OpReopen: 0, mpp.OpFence: 0, mpp.OpRejoin: 0, mpp.OpTestLinks: 0,
	}
	for _, o := range append(p.Repairs[:len(p.Repairs):len(p.Repairs)], p.Operation) {
		if o != nil && o.Ended.IsZero() {
			running[o.Kind]++
		}
	}
	for kind, number := range running {
		gauge(out, c.d.underWay, float64(number), p.Name, string(kind))
	}
	c.history.mu.Lock()
	defer c.history.mu.Unlock()
	past := c.history.of(p.Name)
	for how, number := range past.ended {
		counter(out, c.d.operations, number, p.Name, string(how.kind), string(how.outcome))
	}
	if !past.opened.IsZero() {
		gauge(out, c.d.lastFailover, unix(past.opened), p.Name)
		gauge(out, c.d.lastOutage, past.outage.Seconds(), p.Name)
	}
}

// readiness sends what would happen if the ACTIVE node died now. A pool of which that is not
// known, or was said too long ago, is not ready.
func (c *collector) readiness(out chan<- prometheus.Metric, p *mpp.PoolView, now time.Time) {
	r := p.Readiness
	gauge(out, c.d.poolReady, truth(r != nil && r.Ready && now.Sub(r.At) <= p.StaleAfter), p.Name)
	if r == nil {
		return
	}
	gauge(out, c.d.blockers, float64(len(r.Blockers)), p.Name)
	gauge(out, c.d.expectedLoss, float64(r.LossCount), p.Name)
	c.gates(out, p.Name, "now", r.Now)
	c.gates(out, p.Name, "if_active_died", r.IfActiveDied)
}

func (c *collector) gates(out chan<- prometheus.Metric, pool, when string, gates []mpp.Gate) {
	seen := make(map[string]bool, len(gates))
	for _, g := range gates {
		if !seen[g.Name] { // a second one would spoil the whole scrape
			seen[g.Name] = true
			gauge(out, c.d.gate, truth(g.Open), pool, g.Name, when)
		}
	}
}

// engineNode sends what only a node of a pool with an engine has.
func (c *collector) engineNode(out chan<- prometheus.Metric, n *mpp.NodeView) {
	if a := n.VirtualAddress; a != nil && a.Known {
		gauge(out, c.d.holder, truth(a.Holds), n.Pool, n.Address)
	}
	if n.Observation == nil || n.Observation.Server.SemiSync == nil {
		return
	}
	s := n.Observation.Server.SemiSync
	gauge(out, c.d.semiSource, truth(s.Source), n.Pool, n.Address)
	gauge(out, c.d.semiClients, float64(s.Clients), n.Pool, n.Address)
	gauge(out, c.d.semiWaiting, float64(s.Waiting), n.Pool, n.Address)
}
