// Package metrics shows the present view to Prometheus.
//
// New makes a registry of its own (nothing is global) with a collector that reads the view,
// and the daemon's own numbers, at each scrape: there is no series of a node or pool that is
// gone, and nothing to keep in step. Only counts live between scrapes: whoever publishes events
// calls Event, and whoever keeps the reports of operations calls Ended. Handler answers /metrics; a scrape blocks on nothing but the
// functions in Options.
//
// Labels hold names from the configuration and fixed words only, so that their number is
// bounded.
package metrics

import (
	"net/http"
	"runtime"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mpp"
	"mpp/publish/answer"
)

// maxScrapes bounds the scrapes at a time.
const maxScrapes = 8

// Daemon is what the daemon knows of itself. A number below zero means unknown and is left
// out.
type Daemon struct {
	// JournalBytes is the size of the journal.
	JournalBytes int64
	// InboxLength is how much waits for the loop now, in inputs.
	InboxLength int
	// LateSeconds is how late polls began of late, at worst.
	LateSeconds float64
	// Subscribers is how many follow the events now.
	Subscribers int
	// Polling and Journal are counts since the start; nil leaves them out.
	Polling *Polling
	Journal *Journal
}

// Polling is what the poller counts.
type Polling struct {
	// Polls counts polls of nodes, Hung those that did not return in time, and Discarded
	// those whose result was thrown away because this process had slept.
	Polls, Hung, Discarded uint64
	// Running is how many polls are under way.
	Running int
	// LateP99 is how late polls began of late, 99th percentile.
	LateP99 time.Duration
}

// Journal is what the journal counts.
type Journal struct {
	// Records and Bytes were appended, Syncs were asked for, Failures were refused.
	Records, Bytes, Syncs, Failures uint64
}

// Options say what is shown.
type Options struct {
	// View returns the present view; nil before there is one.
	View func() *mpp.View
	// Daemon returns the daemon's numbers; nil when there are none.
	Daemon func() Daemon
}

// Metrics is the registry with what is in it.
type Metrics struct {
	registry *prometheus.Registry
	events   *prometheus.CounterVec
	history  *history
}

// New makes the registry.
func New(o Options) *Metrics {
	m := &Metrics{
		registry: prometheus.NewRegistry(),
		events: prometheus.NewCounterVec(prometheus.CounterOpts{
			Name: "mpp_events_total", Help: "Events since the daemon started, by kind and severity.",
		}, []string{"kind", "severity"}),
		history: &history{pools: map[string]*past{}},
	}
	m.registry.MustRegister(
		m.events,
		newCollector(o, m.history),
		collectors.NewGoCollector(),
		collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}),
	)
	return m
}

// Event counts an event.
func (m *Metrics) Event(e mpp.Event) {
	m.events.WithLabelValues(string(e.Kind), e.Severity.String()).Inc()
}

// Handler answers scrapes, in Prometheus' text format or as OpenMetrics.
func (m *Metrics) Handler() http.Handler {
	return promhttp.HandlerFor(m.registry, promhttp.HandlerOpts{
		EnableOpenMetrics: true, MaxRequestsInFlight: maxScrapes, Timeout: 10 * time.Second,
		ErrorHandling: promhttp.ContinueOnError, // one bad name must not hide all the rest
	})
}

// collector turns a view into metrics.
type collector struct {
	o       Options
	d       descriptions
	history *history
}

func newCollector(o Options, h *history) *collector {
	return &collector{o: o, d: describe(), history: h}
}

// Describe sends nothing: what is there depends on the view (an unchecked collector).
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect sends everything that the present view holds.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	gauge(out, c.d.build, 1, mpp.Version, runtime.Version())
	if c.o.Daemon != nil {
		c.daemon(out, c.o.Daemon())
	}
	v := c.o.View()
	if v == nil {
		return
	}
	now := time.Now()
	gauge(out, c.d.started, unix(v.Started))
	gauge(out, c.d.ready, truth(v.Ready))
	gauge(out, c.d.configOK, truth(v.ConfigError == ""))
	gauge(out, c.d.journalOK, truth(v.JournalError == ""))
	gauge(out, c.d.filesOK, truth(v.FilesError == ""))
	for i := range v.Pools {
		c.pool(out, &v.Pools[i], now)
	}
}

// daemon sends what the daemon knows of itself.
func (c *collector) daemon(out chan<- prometheus.Metric, d Daemon) {
	known := func(desc *prometheus.Desc, value float64) {
		if value >= 0 {
			gauge(out, desc, value)
		}
	}
	known(c.d.journalSize, float64(d.JournalBytes))
	known(c.d.inbox, float64(d.InboxLength))
	known(c.d.lateMax, d.LateSeconds)
	known(c.d.subscribers, float64(d.Subscribers))
	if p := d.Polling; p != nil {
		counter(out, c.d.polls, p.Polls)
		counter(out, c.d.hung, p.Hung)
		counter(out, c.d.discarded, p.Discarded)
		gauge(out, c.d.running, float64(p.Running))
		gauge(out, c.d.late99, p.LateP99.Seconds())
	}
	if j := d.Journal; j != nil {
		counter(out, c.d.journalRecords, j.Records)
		counter(out, c.d.journalBytes, j.Bytes)
		counter(out, c.d.journalSyncs, j.Syncs)
		counter(out, c.d.journalFailures, j.Failures)
	}
}

func (c *collector) pool(out chan<- prometheus.Metric, p *mpp.PoolView, now time.Time) {
	active := 0
	for i := range p.Nodes {
		if p.Nodes[i].State == mpp.Active {
			active++
		}
		c.node(out, p, &p.Nodes[i], now)
	}
	gauge(out, c.d.poolStatus, float64(p.Status), p.Name)
	gauge(out, c.d.poolActive, float64(active), p.Name)
	gauge(out, c.d.poolNodes, float64(len(p.Nodes)), p.Name)
	gauge(out, c.d.poolProblems, float64(len(p.Problems)), p.Name)
	gauge(out, c.d.poolMaintenance, truth(p.Maintenance.InForce(now)), p.Name)
	gauge(out, c.d.staleAfter, p.StaleAfter.Seconds(), p.Name)
	c.engine(out, p, now)
	for _, point := range p.Checkpoints {
		if !point.LastTry.IsZero() {
			gauge(out, c.d.checkpoint, truth(point.Status == mpp.OK), p.Name, point.Name, string(point.Ring))
		}
	}
}

func (c *collector) node(out chan<- prometheus.Metric, p *mpp.PoolView, n *mpp.NodeView, now time.Time) {
	gauge(out, c.d.nodeUp, truth(answer.Of(p, n, mpp.RoleOK, now).Up), p.Name, n.Address)
	for _, s := range []mpp.State{mpp.Unknown, mpp.Active, mpp.Standby, mpp.Failed} {
		gauge(out, c.d.nodeState, truth(n.State == s), p.Name, n.Address, string(s))
	}
	gauge(out, c.d.nodeStatus, float64(n.Status), p.Name, n.Address)
	gauge(out, c.d.nodeErrors, float64(n.Errors), p.Name, n.Address)
	gauge(out, c.d.nodeSince, unix(n.Since), p.Name, n.Address)
	gauge(out, c.d.lastPoll, unix(n.LastPoll), p.Name, n.Address)
	c.engineNode(out, n)
	o := n.Observation
	if o == nil {
		return
	}
	gauge(out, c.d.pollDuration, o.Took.Seconds(), p.Name, n.Address)
	if o.Answered {
		gauge(out, c.d.readOnly, truth(o.Server.ReadOnly), p.Name, n.Address)
	}
	if o.LagKnown {
		gauge(out, c.d.lag, o.Lag.Seconds(), p.Name, n.Address)
	}
	seen := make(map[string]bool, len(o.Checks))
	for _, check := range o.Checks {
		if !seen[check.Name] { // a second one would spoil the whole scrape
			seen[check.Name] = true
			gauge(out, c.d.check, float64(check.Status), p.Name, n.Address, check.Name)
		}
	}
}

func counter(out chan<- prometheus.Metric, desc *prometheus.Desc, value uint64, labels ...string) {
	send(out, desc, prometheus.CounterValue, float64(value), labels...)
}

func gauge(out chan<- prometheus.Metric, desc *prometheus.Desc, value float64, labels ...string) {
	send(out, desc, prometheus.GaugeValue, value, labels...)
}

// send sends one value. A label that is no UTF-8 makes the metric an error, which the
// registry reports; the names in a configuration never are such.
func send(out chan<- prometheus.Metric, desc *prometheus.Desc, kind prometheus.ValueType, value float64, labels ...string) {
	m, err := prometheus.NewConstMetric(desc, kind, value, labels...)
	if err != nil {
		m = prometheus.NewInvalidMetric(desc, err)
	}
	out <- m
}

func truth(yes bool) float64 {
	if yes {
		return 1
	}
	return 0
}

// unix is a time as Prometheus has it; 0 for never.
func unix(t time.Time) float64 {
	if t.IsZero() {
		return 0
	}
	return float64(t.UnixMilli()) / 1000
}
