package daemon

import (
	"context"
	"fmt"
	"maps"
	"reflect"
	"strings"
	"time"

	"mpp"
	"mpp/config"
	"mpp/crew"
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
	if err := d.keepsOperations(next); err != nil {
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

// keepsOperations refuses a configuration that changes a pool of which the role is moved just now:
// the plan goes by the pool as it was.
func (d *Daemon) keepsOperations(next *config.Config) error {
	v := d.loop.views.current.Load()
	for i := range v.Pools {
		p := &v.Pools[i]
		if op := p.Operation; op != nil && op.Outcome == "" && !samePool(p.Name, d.config, next) {
			return fmt.Errorf("operation %d (%s) of pool %s is under way, and the pool was changed: reload again when it has ended", op.ID, op.Kind, p.Name)
		}
	}
	return nil
}

// samePool reports whether a pool is the same in two configurations, as far as operations go.
func samePool(name string, was, is *config.Config) bool {
	find := func(c *config.Config) *config.Pool {
		for i := range c.Pools {
			if c.Pools[i].Name == name {
				return &c.Pools[i]
			}
		}
		return nil
	}
	a, b := find(was), find(is)
	return a != nil && b != nil && reflect.DeepEqual(policy.Of(*a), policy.Of(*b)) && reflect.DeepEqual(crew.Of(a), crew.Of(b))
}
