// Package metrics shows the view to Prometheus.
//
// A Collector reads the present view at each scrape and keeps no series of its own, so that
// what a reload removed is gone with the next scrape. It is safe for concurrent use, blocks on
// nothing, and has a registry of its own. To test with it, give New a function that returns a
// view, and read Handler.
package metrics

import (
	"net/http"
	"time"

	"github.com/prometheus/client_golang/prometheus"
	"github.com/prometheus/client_golang/prometheus/collectors"
	"github.com/prometheus/client_golang/prometheus/promhttp"

	"mpp"
)

// Polling is how the poller does; the daemon fills it in.
type Polling struct {
	// Polls counts polls since the start, Discarded those thrown away after an own sleep.
	Polls, Discarded uint64
	// Running is how many polls are under way.
	Running int
	// LatenessP99 and LatenessMax say how late polls started, of the last ones.
	LatenessP99, LatenessMax time.Duration
}

// Journal is how the journal does.
type Journal struct {
	Records, Bytes, Syncs, Failures uint64
}

// Options say what is shown.
type Options struct {
	// View must be set; it may return nil before there is a view.
	View func() *mpp.View
	// Polling and Journal may be nil.
	Polling func() Polling
	Journal func() Journal
}

// Handler returns the handler for /metrics, with MPP's metrics and those of the Go runtime
// and the process.
func Handler(o Options) http.Handler {
	registry := prometheus.NewRegistry()
	registry.MustRegister(collectors.NewGoCollector(), collectors.NewProcessCollector(collectors.ProcessCollectorOpts{}), newCollector(o))
	return promhttp.HandlerFor(registry, promhttp.HandlerOpts{EnableOpenMetrics: true})
}

type collector struct {
	options Options
	d       descs
}

// descs are the metrics; the help says the unit where the name does not.
type descs struct {
	build, ready, configOK, journalOK, poolStatus, poolActive, poolCutOff, poolMaintenance, problem *prometheus.Desc
	nodeUp, nodeState, nodeStatus, nodeErrors, nodeWriter, nodeReader, nodeReadOnly, nodeLag        *prometheus.Desc
	nodePolled, nodeTook, nodeSince, check, checkTook, checkpoint                                   *prometheus.Desc
	polls, discarded, running, latenessP99, latenessMax, records, bytes, syncs, failures            *prometheus.Desc
}

func newCollector(o Options) *collector {
	desc := func(name, help string, labels ...string) *prometheus.Desc {
		return prometheus.NewDesc("mpp_"+name, help, labels, nil)
	}
	return &collector{o, descs{
		build:           desc("build_info", "Always 1; the version is a label.", "version"),
		ready:           desc("ready", "1 once every node was polled since the start."),
		configOK:        desc("config_last_reload_successful", "0 while the last reload was refused."),
		journalOK:       desc("journal_writable", "0 while the journal cannot be written."),
		poolStatus:      desc("pool_status", "Status of the pool: 0 OK, 4 FAIL (this poller is cut off).", "pool"),
		poolActive:      desc("pool_active_nodes", "How many nodes of the pool are ACTIVE with a status better than FAIL.", "pool"),
		poolCutOff:      desc("pool_trouble", "1 for the trouble that checkpoints show.", "pool", "trouble"),
		poolMaintenance: desc("pool_maintenance", "1 while the pool is in maintenance.", "pool"),
		problem:         desc("pool_problems", "How many problems of a code there are.", "pool", "code", "severity"),
		nodeUp:          desc("node_up", "1 if the last poll found that the node can serve.", "pool", "node"),
		nodeState:       desc("node_state", "1 for the state that the node is in.", "pool", "node", "type", "state"),
		nodeStatus:      desc("node_status", "Status of the node: 0 OK, 1 INFO, 2 WARN, 3 CRITICAL, 4 FAIL.", "pool", "node"),
		nodeErrors:      desc("node_errors", "Failed polls in a row.", "pool", "node"),
		nodeWriter:      desc("node_writer", "1 if the node answers for the writer role.", "pool", "node"),
		nodeReader:      desc("node_reader", "1 if the node answers for the reader role.", "pool", "node"),
		nodeReadOnly:    desc("node_read_only", "1 if the server says that it is read-only.", "pool", "node"),
		nodeLag:         desc("node_replication_lag_seconds", "How far the node is behind; absent when that is not known.", "pool", "node"),
		nodePolled:      desc("node_last_poll_timestamp_seconds", "When the last poll started.", "pool", "node"),
		nodeTook:        desc("node_poll_duration_seconds", "How long the last poll took.", "pool", "node"),
		nodeSince:       desc("node_state_since_timestamp_seconds", "When the node entered its state.", "pool", "node"),
		check:           desc("check_status", "Status of a check: 0 OK to 4 FAIL.", "pool", "node", "check"),
		checkTook:       desc("check_duration_seconds", "How long a check took in the last poll.", "pool", "node", "check"),
		checkpoint:      desc("checkpoint_up", "1 if the checkpoint answered its last try; absent before the first.", "pool", "checkpoint", "ring"),
		polls:           desc("polls_total", "Polls of nodes."),
		discarded:       desc("polls_discarded_total", "Failed polls thrown away because this process had slept."),
		running:         desc("polls_running", "Polls under way."),
		latenessP99:     desc("poll_lateness_p99_seconds", "99th percentile of how late polls started."),
		latenessMax:     desc("poll_lateness_max_seconds", "How late the latest poll started."),
		records:         desc("journal_records_total", "Records written to the journal."),
		bytes:           desc("journal_bytes_total", "Bytes written to the journal."),
		syncs:           desc("journal_syncs_total", "Times that the journal was synced to disk."),
		failures:        desc("journal_failures_total", "Writes and syncs that the system refused."),
	}}
}

// Describe sends nothing: what there is depends on the view.
func (c *collector) Describe(chan<- *prometheus.Desc) {}

// Collect reads the view.
func (c *collector) Collect(out chan<- prometheus.Metric) {
	gauge := func(d *prometheus.Desc, v float64, labels ...string) {
		out <- prometheus.MustNewConstMetric(d, prometheus.GaugeValue, v, labels...)
	}
	counter := func(d *prometheus.Desc, v uint64) {
		out <- prometheus.MustNewConstMetric(d, prometheus.CounterValue, float64(v))
	}
	gauge(c.d.build, 1, mpp.Version)
	if c.options.Polling != nil {
		p := c.options.Polling()
		counter(c.d.polls, p.Polls)
		counter(c.d.discarded, p.Discarded)
		gauge(c.d.running, float64(p.Running))
		gauge(c.d.latenessP99, p.LatenessP99.Seconds())
		gauge(c.d.latenessMax, p.LatenessMax.Seconds())
	}
	if c.options.Journal != nil {
		j := c.options.Journal()
		counter(c.d.records, j.Records)
		counter(c.d.bytes, j.Bytes)
		counter(c.d.syncs, j.Syncs)
		counter(c.d.failures, j.Failures)
	}
	v := c.options.View()
	if v == nil {
		return
	}
	gauge(c.d.ready, one(v.Ready))
	gauge(c.d.configOK, one(v.ConfigError == ""))
	gauge(c.d.journalOK, one(v.JournalError == ""))
	for i := range v.Pools {
		c.pool(&v.Pools[i], v.At, gauge)
	}
}

type emit func(d *prometheus.Desc, v float64, labels ...string)

func one(b bool) float64 {
	if b {
		return 1
	}
	return 0
}

func (c *collector) pool(p *mpp.PoolView, now time.Time, gauge emit) {
	gauge(c.d.poolStatus, float64(p.Status), p.Name)
	gauge(c.d.poolMaintenance, one(p.Maintenance.InForce(now)), p.Name)
	for _, trouble := range []string{"LAN", "WAN", "GLOBAL"} {
		gauge(c.d.poolCutOff, one(p.Trouble == trouble), p.Name, trouble)
	}
	type kind struct{ code, severity string }
	counts := map[kind]int{}
	for _, problem := range p.Problems {
		counts[kind{problem.Code, problem.Severity.String()}]++
	}
	for k, n := range counts {
		gauge(c.d.problem, float64(n), p.Name, k.code, k.severity)
	}
	active := 0
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if n.State == mpp.Active && n.Status != mpp.Fail {
			active++
		}
		c.node(p, n, now, gauge)
	}
	gauge(c.d.poolActive, float64(active), p.Name)
	for _, each := range p.Checkpoints {
		if !each.LastTry.IsZero() {
			gauge(c.d.checkpoint, one(each.Status == mpp.OK), p.Name, each.Name, string(each.Ring))
		}
	}
}

func (c *collector) node(p *mpp.PoolView, n *mpp.NodeView, now time.Time, gauge emit) {
	for _, s := range []mpp.State{mpp.Unknown, mpp.Standby, mpp.Active, mpp.Failed} {
		gauge(c.d.nodeState, one(n.State == s), p.Name, n.Address, string(n.Type), string(s))
	}
	gauge(c.d.nodeStatus, float64(n.Status), p.Name, n.Address)
	gauge(c.d.nodeErrors, float64(n.Errors), p.Name, n.Address)
	gauge(c.d.nodeWriter, one(p.Answer(n, mpp.RoleWriter, now).Up), p.Name, n.Address)
	gauge(c.d.nodeReader, one(p.Answer(n, mpp.RoleReader, now).Up), p.Name, n.Address)
	if !n.Since.IsZero() {
		gauge(c.d.nodeSince, seconds(n.Since), p.Name, n.Address)
	}
	o := n.Observation
	if o == nil {
		return
	}
	gauge(c.d.nodeUp, one(o.Verdict().Failed != mpp.Reach), p.Name, n.Address)
	gauge(c.d.nodePolled, seconds(n.LastPoll), p.Name, n.Address)
	gauge(c.d.nodeTook, o.Took.Seconds(), p.Name, n.Address)
	if o.Server.Flavour != "" {
		gauge(c.d.nodeReadOnly, one(o.Server.ReadOnly), p.Name, n.Address)
	}
	if o.LagKnown {
		gauge(c.d.nodeLag, o.Lag.Seconds(), p.Name, n.Address)
	}
	for _, check := range o.Checks {
		gauge(c.d.check, float64(check.Status), p.Name, n.Address, check.Name)
		gauge(c.d.checkTook, check.Took.Seconds(), p.Name, n.Address, check.Name)
	}
}

func seconds(t time.Time) float64 { return float64(t.UnixNano()) / 1e9 }
