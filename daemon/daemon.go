// Package daemon is mppd: the one inbox loop, and how the parts connect.
//
// New restores what is remembered, Run starts the parts in order and stops them in the
// reverse order when its context ends. One goroutine (loop.run) owns the state of all pools;
// pollers, the API and the publisher reach it through its inbox. What blocks: Run, until its
// context ends; Reload, until the loop has taken the new configuration. An Append to a
// journal on a hung disk blocks the loop, and with it the watchdog, so that systemd restarts
// the daemon.
//
// To test with it, start the built mppd against package sandbox, as the tests here do.
package daemon

import (
	"context"
	"errors"
	"fmt"
	"maps"
	"slices"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"mpp"
	"mpp/action"
	"mpp/checks"
	"mpp/config"
	"mpp/journal"
	"mpp/lease/local"
	"mpp/policy"
	"mpp/poller"
	"mpp/pool"
	"mpp/publish/metrics"
	"mpp/report"
)

// loopLimit bounds how long a start or a reload waits for the loop, whose first commit may take
// long on a slow disk.
const loopLimit = 30 * time.Second

// stopLimit bounds each step of a stop: SIGTERM stops within a second.
const stopLimit = 400 * time.Millisecond

// Options says what to run.
type Options struct {
	// Config is the valid configuration that Path held; a reload reads Path again.
	Config *config.Config
	Path   string
	Log    zerolog.Logger
}

// Daemon is one mppd.
type Daemon struct {
	path     string
	stateDir string
	log      zerolog.Logger
	lease    *local.Lease
	journal  *journal.Journal
	loop     *loop
	poller   *poller.Poller
	watcher  *checks.Watcher
	metrics  *metrics.Metrics
	runner   *action.Runner
	reports  *report.Store
	watching *addressWatch
	// mu guards what a reload changes outside the loop.
	mu     sync.Mutex
	config *config.Config
	probes map[string]probe // by node address
	points map[pointKey]point
	// writes holds, by pool name, when a heartbeat was last written (time.Time).
	writes sync.Map
}

// New takes the state directory, restores what is remembered and prepares every part. When
// it fails, nothing is left open.
func New(o Options) (*Daemon, error) {
	d := &Daemon{path: o.Path, stateDir: o.Config.StateDir, log: o.Log, config: o.Config, probes: map[string]probe{}, points: map[pointKey]point{}}
	var err error
	if d.lease, err = local.Acquire(o.Config.StateDir); err != nil {
		return nil, fmt.Errorf("take state directory: %w", err)
	}
	var restored journal.Restored
	d.journal, restored, err = journal.Open(o.Config.StateDir, journal.Options{
		MaxSize: o.Config.Journal.MaxSize, EventsKept: o.Config.Journal.EventsKept,
	})
	if err != nil {
		return nil, errors.Join(fmt.Errorf("open journal: %w", err), d.lease.Release())
	}
	if d.watcher, err = checks.NewWatcher(); err != nil {
		return nil, errors.Join(fmt.Errorf("watch connections: %w", err), d.journal.Close(), d.lease.Release())
	}
	d.runner, d.reports = d.newRunner(), newReports(d.stateDir)
	d.watching = &addressWatch{d: d}
	d.loop = d.newLoop(o.Config, restored)
	d.poller = poller.New(poller.Options{Observe: d.observed, CheckpointSeen: d.checkpointSeen, Slept: d.slept})
	d.loop.poller = d.poller
	d.metrics = metrics.New(metrics.Options{View: source{d}.View, Daemon: d.numbers})
	d.tellMetrics()
	return d, nil
}

func (d *Daemon) newLoop(c *config.Config, restored journal.Restored) *loop {
	now := time.Now()
	l := &loop{
		inbox: make(chan message, inboxSize), arbiters: map[string]*pool.Arbiter{}, journal: d.journal,
		ring:    journal.NewRing(journal.RingOptions{Window: c.Journal.History}),
		events:  newEventLog(c.Journal.EventsKept, restored.Events, restored.NextEventSeq),
		views:   newViewStore(mpp.View{Version: mpp.Version, Started: now, At: now, Config: d.path}),
		unready: map[string]bool{}, alive: func(time.Time) {}, note: d.logEvent, lease: d.lease.Check, stateDir: d.stateDir,
		steps: d.runner, reports: d.reports, ended: func(op *mpp.Operation) { d.metrics.Ended(op) },
	}
	remembered := maps.Clone(restored.Pools)
	for _, p := range c.Pools {
		memory, known := restored.Pools[p.Name]
		delete(restored.Pools, p.Name)
		if !known {
			var from []string
			memory, from = inherit(p, remembered)
			l.adopt(now, memory, from)
		}
		l.forget(now, p, memory)
		l.holdDamaged(now, p, &memory, restored)
		l.arbiters[p.Name] = pool.New(policy.Of(p), memory)
		l.order = append(l.order, p.Name)
		for _, n := range p.Nodes {
			l.unready[n.Address] = true
		}
	}
	l.journalStats.Store(&journal.Stats{})
	l.tellRestored(now, restored)
	configured := addresses(c)
	for _, memory := range restored.Pools {
		l.leave(now, memory, configured)
	}
	return l
}

// forget journals that nodes are gone which the configuration no longer has: should one come
// back some day, it is a new node, and not what it was then.
func (l *loop) forget(now time.Time, p config.Pool, memory mpp.PoolMemory) {
	configured := map[string]bool{}
	for _, n := range p.Nodes {
		configured[n.Address] = true
	}
	var gone []string
	for _, n := range memory.Nodes {
		if !configured[n.Address] {
			gone = append(gone, n.Address)
		}
	}
	if len(gone) > 0 {
		l.batch.records = append(l.batch.records, journal.Record{At: now, Pool: p.Name, Removed: gone})
	}
}

// holdDamaged puts a failover pool into maintenance of which damage of the journal hides who
// is ACTIVE: judging afresh would promote the PRIMARY first, whose data may be behind. An
// operator decides, who can know more than the journal.
func (l *loop) holdDamaged(now time.Time, p config.Pool, memory *mpp.PoolMemory, r journal.Restored) {
	if p.Logic != mpp.LogicFailover || hasActive(*memory) || !hidden(p, *memory, r) {
		return
	}
	reason := "the journal is damaged: who was ACTIVE is not certain"
	if memory.Maintenance.InForce(now) && memory.Maintenance.Reason != "" {
		reason += "; before that: " + memory.Maintenance.Reason
	}
	memory.Name = p.Name
	memory.Maintenance = mpp.Maintenance{On: true, Since: now, By: "mppd", Reason: reason}
	head := *memory
	head.Nodes = nil
	l.batch.records = append(l.batch.records, journal.Record{At: now, Pool: p.Name, PoolMemory: &head})
	l.tell(mpp.Event{
		At: now, Kind: mpp.EventPool, Severity: mpp.Critical, Rule: "journal", Pool: p.Name,
		Text: fmt.Sprintf("pool %s is put into maintenance: damage of the journal hides which node was ACTIVE. Look at the servers, and make the right one "+
			"ACTIVE: mpp promote NODE (if that is not the PRIMARY, mpp maintenance on the PRIMARY first, or it takes the role back). Then: mpp maintenance off %s",
			p.Name, p.Name),
	})
}

// hidden reports whether damage leaves it open what became of one of the pool's nodes.
func hidden(p config.Pool, memory mpp.PoolMemory, r journal.Restored) bool {
	for _, u := range r.Uncertain {
		if u.Pool == p.Name {
			return true
		}
	}
	if len(r.Damage) == 0 {
		return false
	}
	known := map[string]bool{}
	for _, n := range memory.Nodes {
		known[n.Address] = true
	}
	for _, n := range p.Nodes {
		if !known[n.Address] {
			return true
		}
	}
	return false
}

// hasActive reports whether a node is ACTIVE in a memory.
func hasActive(m mpp.PoolMemory) bool {
	return slices.ContainsFunc(m.Nodes, func(n mpp.NodeMemory) bool { return n.State == mpp.Active })
}

// tellRestored says what the journal gave back.
func (l *loop) tellRestored(now time.Time, r journal.Restored) {
	text := "started with the states of the last run"
	severity := mpp.Info
	switch {
	case r.Fresh:
		text = "started for the first time: every node is UNKNOWN"
	case !r.Clean:
		text = "started after a crash, with the states of the last run"
	}
	l.tell(mpp.Event{At: now, Kind: mpp.EventDaemon, Severity: severity, Rule: "start", Text: "mppd " + mpp.Version + " " + text})
	for _, note := range r.Notes {
		l.tell(mpp.Event{At: now, Kind: mpp.EventDaemon, Severity: mpp.Info, Rule: "journal", Text: note})
	}
	for _, damage := range r.Damage {
		l.tell(mpp.Event{At: now, Kind: mpp.EventDaemon, Severity: mpp.Critical, Rule: "journal", Text: "journal damaged: " + damage})
	}
	for _, u := range r.Uncertain {
		l.tell(mpp.Event{
			At: now, Kind: mpp.EventDaemon, Severity: mpp.Critical, Rule: "journal", Pool: u.Pool, Node: u.Node,
			Text: fmt.Sprintf("what was remembered of %s%s may be out of date and is not used: %s", u.Node, ofPool(u), u.Why),
		})
	}
	l.batch.sync = true
}

func ofPool(u journal.Uncertain) string {
	if u.Node == "" {
		return "pool " + u.Pool
	}
	return " in pool " + u.Pool
}

// Run runs the daemon until ctx ends. It returns the first error that ended it, or those of
// stopping.
func (d *Daemon) Run(ctx context.Context) error {
	if err := d.runner.Set(crews(d.config)); err != nil {
		return errors.Join(fmt.Errorf("prepare operations: %w", err), d.close())
	}
	notify := newNotify()
	d.loop.alive = notify.alive
	looping, stopLoop := context.WithCancel(context.Background())
	var wait sync.WaitGroup
	wait.Go(func() { d.loop.run(looping) })
	services, err := d.startServices(notify)
	if err == nil {
		services.run()
		d.mu.Lock() // a SIGHUP may come at any time
		err = d.watch(ctx, d.config)
		d.mu.Unlock()
	}
	if err != nil {
		services.stop()
		stopLoop()
		wait.Wait()
		return errors.Join(err, d.close())
	}
	d.log.Info().Str("config", d.path).Int("pools", len(d.config.Pools)).Msg("mppd " + mpp.Version + " runs")

	<-ctx.Done()
	services.notify.stopping()
	stopping, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	failed := []error{d.poller.Stop(stopping)}
	d.watching.close()
	services.stop()
	stopLoop()
	wait.Wait()
	failed = append(failed, d.close())
	d.log.Info().Msg("mppd stopped")
	return errors.Join(failed...)
}

// watch makes the poller poll what c wants, and tells it what it must know of each node.
func (d *Daemon) watch(ctx context.Context, c *config.Config) error {
	set, err := d.proberSet(c)
	if err != nil {
		return err
	}
	return d.watchWith(ctx, c, set)
}

// watchWith is watch with the probers made. Once the loop has answered, nothing in it fails.
func (d *Daemon) watchWith(ctx context.Context, c *config.Config, set proberSet) error {
	ctx, cancel := context.WithTimeout(ctx, loopLimit)
	defer cancel()
	active := map[string]bool{}
	err := d.loop.ask(ctx, func(time.Time) {
		for _, a := range d.loop.arbiters {
			for _, n := range a.Memory().Nodes {
				active[n.Address] = n.State == mpp.Active
			}
		}
	})
	if err != nil {
		d.drop(set)
		return err
	}
	d.setTargets(c, set, active)
	d.watching.set(c)
	return d.tellPoller(ctx)
}

// close gives back what New took.
func (d *Daemon) close() error {
	stopping, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	d.watching.close()
	err := errors.Join(d.poller.Stop(stopping), d.runner.Close(stopping))
	return errors.Join(err, d.watcher.Close(), d.journal.Close(), d.lease.Release())
}

// observed hands a poll's result to the loop. It waits when the inbox is full: polling then
// slows down rather than losing evidence.
func (d *Daemon) observed(pool string, o mpp.Observation) {
	for i := range o.Checks {
		if c := &o.Checks[i]; c.Name == "write" && c.Status == mpp.OK {
			d.writes.Store(pool, o.At)
		}
	}
	d.loop.inbox <- message{input: mpp.Input{Pool: pool, Observation: &o}}
}

func (d *Daemon) checkpointSeen(pool string, r mpp.CheckpointResult) {
	d.loop.inbox <- message{input: mpp.Input{Pool: pool, Checkpoint: &r}}
}

// toldSleep is from how long a sleep on is worth an event; shorter ones happen on any busy
// machine and are only logged.
const toldSleep = time.Second

// slept tells that this process was frozen for a while.
func (d *Daemon) slept(gap time.Duration) {
	if gap < toldSleep {
		d.log.Debug().Dur("gap", gap).Msg("this process did not run for a moment; failed polls of that time are thrown away")
		return
	}
	d.loop.inbox <- message{do: func(now time.Time) {
		d.loop.tell(mpp.Event{
			At: now, Kind: mpp.EventDaemon, Severity: mpp.Warn, Rule: "own-sleep",
			Text: fmt.Sprintf("this process was frozen for %s; polls of that time that failed are thrown away", gap.Round(time.Millisecond)),
		})
	}}
}

// logEvent counts an event and writes it to the log.
func (d *Daemon) logEvent(e mpp.Event) {
	d.metrics.Event(e)
	level := zerolog.InfoLevel
	switch {
	case e.Severity >= mpp.Critical:
		level = zerolog.ErrorLevel
	case e.Severity == mpp.Warn:
		level = zerolog.WarnLevel
	}
	line := d.log.WithLevel(level).Uint64("seq", e.Seq).Str("kind", string(e.Kind)).Stringer("severity", e.Severity)
	if e.Pool != "" {
		line = line.Str("pool", e.Pool)
	}
	if e.Node != "" {
		line = line.Str("node", e.Node)
	}
	if e.Rule != "" {
		line = line.Str("rule", e.Rule)
	}
	line.Msg(e.Text)
}
