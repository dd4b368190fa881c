package daemon

import (
	"context"
	"fmt"
	"maps"
	"strings"
	"time"

	"mpp"
	"mpp/config"
	"mpp/policy"
	"mpp/pool"
)

// Reload reads the configuration again and puts it in force. A configuration with a mistake
// changes nothing: the error names every problem, and the view and an event show it.
func (d *Daemon) Reload(ctx context.Context) error {
	d.mu.Lock()
	defer d.mu.Unlock()
	reloading()
	defer reloaded()
	next, err := config.Load(d.path)
	if err != nil {
		return d.refuse(ctx, err)
	}
	// All that can fail comes first: a reload that is refused has changed nothing.
	set, err := d.proberSet(next)
	if err != nil {
		return d.refuse(ctx, err)
	}
	if err := d.runner.Set(crews(next)); err != nil {
		d.drop(set)
		return d.refuse(ctx, err)
	}
	// New nodes are put into the arbiters before they are polled: an observation of an unknown
	// node is ignored.
	before := d.config
	if err := d.loop.ask(ctx, func(now time.Time) { d.loop.reconfigure(now, before, next) }); err != nil {
		d.drop(set)
		return err
	}
	d.config = next
	return d.watchWith(context.WithoutCancel(ctx), next, set)
}

// refuse tells that a reload was refused.
func (d *Daemon) refuse(ctx context.Context, err error) error {
	asked := d.loop.ask(ctx, func(now time.Time) {
		d.loop.views.base.ConfigError = err.Error()
		d.loop.tell(mpp.Event{
			At: now, Kind: mpp.EventConfig, Severity: mpp.Warn, Rule: "reload",
			Text: fmt.Sprintf("reload refused, the old configuration stays in force: %v", err),
		})
		d.loop.commit()
		d.loop.renewView(now, true)
	})
	if asked != nil {
		return asked
	}
	return err
}

// reconfigure puts a configuration in force in the loop: pools are added, changed or
// removed; their nodes keep what is known of them.
func (l *loop) reconfigure(now time.Time, was, is *config.Config) {
	gone := maps.Clone(l.arbiters)
	remembered := map[string]mpp.PoolMemory{}
	for name, a := range l.arbiters {
		remembered[name] = a.Memory()
	}
	l.order = l.order[:0:0]
	for _, p := range is.Pools {
		l.order = append(l.order, p.Name)
		if a := gone[p.Name]; a != nil {
			delete(gone, p.Name)
			l.change(now, a, p)
			continue
		}
		memory, from := inherit(p, remembered)
		l.adopt(now, memory, from)
		l.arbiters[p.Name] = pool.New(policy.Of(p), memory)
	}
	configured := addresses(is)
	for name := range gone {
		delete(l.arbiters, name)
		l.leave(now, remembered[name], configured)
	}
	for _, line := range config.Diff(was, is) {
		severity := mpp.Info
		if strings.HasSuffix(line, config.NeedsRestart) {
			severity = mpp.Warn
		}
		l.tell(mpp.Event{At: now, Kind: mpp.EventConfig, Severity: severity, Rule: "reload", Text: line})
	}
	l.views.base.ConfigError = ""
	l.keepWaitingFor(is)
	l.batch.sync = true
	l.commit()
	l.ring.Mark(now, l.memories())
	l.renewView(now, true)
}

// keepWaitingFor takes off the list of nodes to be polled first what is configured nowhere; a
// node that moved to another pool stays on it.
func (l *loop) keepWaitingFor(c *config.Config) {
	configured := addresses(c)
	maps.DeleteFunc(l.unready, func(address string, _ bool) bool { return !configured[address] })
}

// addresses are those of all configured nodes.
func addresses(c *config.Config) map[string]bool {
	all := map[string]bool{}
	for _, p := range c.Pools {
		for _, n := range p.Nodes {
			all[n.Address] = true
		}
	}
	return all
}

// change gives a pool its new policy and journals which nodes are gone.
func (l *loop) change(now time.Time, a *pool.Arbiter, p config.Pool) {
	l.forget(now, p, a.Memory())
	l.collect(a, mpp.Input{At: now, Pool: p.Name}, a.Reconfigure(now, policy.Of(p)), nil)
}
