package poller

import (
	"context"
	"fmt"
	"time"

	"mpp"
)

// Set says what is to be polled and tried from now on: all of it. What is as before is not
// touched and keeps its schedule. A target with the Prober of before and other durations
// keeps its connection; one with another Prober is polled with that as soon as the poll with
// the old one has ended, and the old one is closed. Lane and SetActive outlive a change of the
// Prober; new nodes are in the normal lane and not ACTIVE.
//
// Set does not wait: a poll of a removed node that had just ended may still be observed. After
// Stop, Set closes the probers that it is given.
func (p *Poller) Set(targets []Target, checkpoints []Checkpoint) {
	p.mu.Lock()
	stopped := p.stopped
	if !stopped {
		p.begin()
		p.shared.crowd.Store(int64(len(targets) + len(checkpoints)))
		p.setNodes(targets)
		p.setCheckpoints(checkpoints)
	}
	p.mu.Unlock()
	if !stopped {
		return
	}
	for _, t := range targets {
		_ = t.Prober.Close() // it was never used
	}
}

// begin starts the heartbeat, once.
func (p *Poller) begin() {
	if p.started {
		return
	}
	p.started = true
	heart := p.shared.heart
	heart.last.Store(int64(time.Since(p.epoch)))
	p.owned.Go(func() { heart.run(p.ctx, p.shared.slept) })
	p.owned.Go(p.tellSlept)
}

// tellSlept calls Options.Slept, in a goroutine of its own so that it cannot hold up the
// heartbeat.
func (p *Poller) tellSlept() {
	for {
		select {
		case <-p.ctx.Done():
			return
		case gap := <-p.shared.slept:
			if p.options.Slept != nil {
				p.options.Slept(gap)
			}
		}
	}
}

// setNodes brings the workers of nodes in line with targets; p.mu is held.
func (p *Poller) setNodes(targets []Target) {
	wanted := make(map[string]Prober, len(targets))
	for _, t := range targets {
		wanted[t.Node] = t.Prober
	}
	replaced := make(map[string]*worker[mpp.Observation])
	for node, e := range p.nodes {
		if prober, still := wanted[node]; still && prober == e.wanted.Prober {
			continue
		}
		replaced[node] = e.worker
		delete(p.nodes, node)
		p.dismiss(node, e.cancel, e.done)
	}
	now, fresh := time.Now(), len(targets)-len(p.nodes)
	for _, t := range targets {
		g, j := grid{p.epoch, hashOf(t.Pool, t.Node)}, p.nodeJob(t)
		e, known := p.nodes[t.Node]
		switch {
		case !known:
			w := newWorker(p.shared, g, j, g.spread(now, fresh, j.timing.interval))
			w.active = t.Active
			if old := replaced[t.Node]; old != nil {
				w.lane, w.active = old.role()
			}
			p.nodes[t.Node] = entry[Target, mpp.Observation]{t, w}
			p.engage(t.Node, w.loop)
		case e.wanted != t:
			e.change(j, g)
			p.nodes[t.Node] = entry[Target, mpp.Observation]{t, e.worker}
		}
	}
}

// setCheckpoints does the same for checkpoints; p.mu is held.
func (p *Poller) setCheckpoints(checkpoints []Checkpoint) {
	wanted := make(map[checkpointKey]CheckpointProber, len(checkpoints))
	for _, c := range checkpoints {
		wanted[checkpointKey{c.Pool, c.Name}] = c.Prober
	}
	for key, e := range p.checkpoints {
		if prober, still := wanted[key]; still && prober == e.wanted.Prober {
			continue
		}
		delete(p.checkpoints, key)
		p.dismiss(key, e.cancel, e.done)
	}
	now, fresh := time.Now(), len(checkpoints)-len(p.checkpoints)
	for _, c := range checkpoints {
		key := checkpointKey{c.Pool, c.Name}
		g, j := grid{p.epoch, hashOf(c.Pool, "checkpoint", c.Name)}, p.checkpointJob(c)
		e, known := p.checkpoints[key]
		switch {
		case !known:
			w := newWorker(p.shared, g, j, g.spread(now, fresh, j.timing.interval))
			p.checkpoints[key] = entry[Checkpoint, mpp.CheckpointResult]{c, w}
			p.engage(key, w.loop)
		case e.wanted != c:
			e.change(j, g)
			p.checkpoints[key] = entry[Checkpoint, mpp.CheckpointResult]{c, e.worker}
		}
	}
}

// dismiss tells a worker to leave; p.mu is held.
func (p *Poller) dismiss(key any, cancel context.CancelFunc, done <-chan struct{}) {
	p.leaving[key] = done
	cancel()
	p.owned.Go(func() {
		<-done
		p.mu.Lock()
		defer p.mu.Unlock()
		if p.leaving[key] == done {
			delete(p.leaving, key)
		}
	})
}

// engage starts a worker's goroutine; p.mu is held.
func (p *Poller) engage(key any, loop func(before <-chan struct{})) {
	before := p.leaving[key]
	p.owned.Go(func() { loop(before) })
}

// nodeJob is a node's polls.
func (p *Poller) nodeJob(t Target) job[mpp.Observation] {
	return job[mpp.Observation]{
		run:    t.Prober.Poll,
		failed: func(o *mpp.Observation) bool { return o.Verdict().Failed != "" },
		overdue: func(at time.Time, took time.Duration) mpp.Observation {
			return mpp.Observation{Node: t.Node, At: at, Took: took, Checks: []mpp.CheckResult{{
				Name: "connect", Class: mpp.Reach, Status: mpp.Fail, Kind: mpp.KindHung, Took: took,
				Message: "poll did not return in time: no answer within " + took.Round(time.Millisecond).String(),
			}}}
		},
		seen:   func(o mpp.Observation) { p.options.Observe(t.Pool, o) },
		close:  t.Prober.Close,
		timing: t.timing(),
		node:   true,
	}
}

func (t Target) timing() timing {
	timing := newTiming(t.Interval, t.ConfirmInterval, t.SlowInterval, t.Timeout)
	if t.ConfirmTimeout > 0 {
		timing.urgent = t.ConfirmTimeout
	}
	return timing
}

// checkpointJob is a checkpoint's tries.
func (p *Poller) checkpointJob(c Checkpoint) job[mpp.CheckpointResult] {
	return job[mpp.CheckpointResult]{
		run:    func(ctx context.Context, _ mpp.Ask) mpp.CheckpointResult { return c.Prober.Try(ctx) },
		failed: func(r *mpp.CheckpointResult) bool { return !r.Reached },
		overdue: func(at time.Time, took time.Duration) mpp.CheckpointResult {
			return mpp.CheckpointResult{
				Name: c.Name, At: at, Took: took,
				Message: fmt.Sprintf("try did not return in time: no answer within %s", took.Round(time.Millisecond)),
			}
		},
		seen:   func(r mpp.CheckpointResult) { p.options.CheckpointSeen(c.Pool, r) },
		close:  func() error { return nil },
		timing: newTiming(c.Interval, 0, 0, c.Timeout),
	}
}
