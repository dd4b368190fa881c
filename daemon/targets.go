package daemon

import (
	"context"
	"errors"
	"fmt"
	"reflect"
	"time"

	"mpp"
	"mpp/checks"
	"mpp/config"
	"mpp/crew"
	"mpp/poller"
)

// probe is a node's prober with the options it was made of: a reload that leaves them as
// they are leaves the prober, and its lasting connection, alone.
type probe struct {
	pool    string
	options checks.Options
	prober  *checks.Prober
}

type pointKey struct{ pool, name string }

type point struct {
	options checks.CheckpointOptions
	prober  *checks.Checkpoint
}

// proberSet is the probers of a configuration.
type proberSet struct {
	probes map[string]probe
	points map[pointKey]point
}

// setTargets makes the poller poll what c wants with the probers made for it. active says
// which nodes are ACTIVE. What stays as it is goes on undisturbed.
func (d *Daemon) setTargets(c *config.Config, set proberSet, active map[string]bool) {
	var targets []poller.Target
	var checkpoints []poller.Checkpoint
	for _, p := range c.Pools {
		neighbours := sources(p)
		for _, n := range p.Nodes {
			made := set.probes[n.Address]
			made.prober.SetPoolNodes(neighbours)
			targets = append(targets, poller.Target{
				Node: n.Address, Pool: p.Name, Interval: p.Interval, ConfirmInterval: p.ConfirmInterval,
				SlowInterval: p.SlowInterval, Timeout: p.Timeout, ConfirmTimeout: p.ConfirmTimeout, Prober: made.prober, Active: active[n.Address],
			})
		}
		for _, each := range p.Checkpoints {
			checkpoints = append(checkpoints, poller.Checkpoint{
				Pool: p.Name, Name: each.Name, Interval: each.Interval, Timeout: each.Timeout,
				Prober: set.points[pointKey{p.Name, each.Name}].prober,
			})
		}
	}
	d.poller.Set(targets, checkpoints)
	d.probes, d.points = set.probes, set.points
}

// tellPoller repeats to the poller what it must know of each node: new targets start in the
// normal lane and are not ACTIVE.
func (d *Daemon) tellPoller(ctx context.Context) error {
	return d.loop.ask(ctx, func(now time.Time) {
		for _, name := range d.loop.order {
			for _, n := range d.loop.arbiters[name].View(now).Nodes {
				d.poller.SetActive(n.Address, n.State == mpp.Active)
				d.poller.SetLane(n.Address, n.Lane)
			}
		}
	})
}

// proberSet makes the probers for c, taking over those that stay as they are. It changes
// nothing; when one cannot be made, the error names each.
func (d *Daemon) proberSet(c *config.Config) (proberSet, error) {
	set := proberSet{map[string]probe{}, map[pointKey]point{}}
	var failed []error
	for _, p := range c.Pools {
		for _, n := range p.Nodes {
			made, err := d.probeFor(p, n)
			if err != nil {
				failed = append(failed, fmt.Errorf("pool %s, node %s: %w", p.Name, n.Address, err))
				continue
			}
			set.probes[n.Address] = made
		}
		for _, each := range p.Checkpoints {
			made, err := d.pointFor(p.Name, each)
			if err != nil {
				failed = append(failed, fmt.Errorf("pool %s, checkpoint %s: %w", p.Name, each.Name, err))
				continue
			}
			set.points[pointKey{p.Name, each.Name}] = made
		}
	}
	if err := errors.Join(failed...); err != nil {
		d.drop(set)
		return proberSet{}, err
	}
	return set, nil
}

// drop closes the probers of a set that is not used after all.
func (d *Daemon) drop(set proberSet) {
	for address, made := range set.probes {
		if d.probes[address].prober != made.prober {
			_ = made.prober.Close()
		}
	}
}

func (d *Daemon) probeFor(p config.Pool, n config.Node) (probe, error) {
	wanted := checkOptions(p, n)
	if old, there := d.probes[n.Address]; there && old.pool == p.Name && reflect.DeepEqual(old.options, wanted) {
		return old, nil
	}
	o := wanted
	o.PoolNodes = sources(p)
	o.Watcher = d.watcher
	o.Hangup = func() { d.poller.PollNow(n.Address) }
	o.PoolServer = func(id uint32, uuid string) bool { return d.poolHas(p.Name, id, uuid) }
	o.HeartbeatWritten = func() time.Time {
		written, _ := d.writes.Load(p.Name)
		at, _ := written.(time.Time)
		return at
	}
	prober, err := checks.New(o)
	if err != nil {
		return probe{}, err
	}
	return probe{p.Name, wanted, prober}, nil
}

// poolHas tells whether a server is one of a pool's nodes, by what they said of themselves.
func (d *Daemon) poolHas(pool string, id uint32, uuid string) bool {
	v := d.loop.views.current.Load()
	for i := range v.Pools {
		if v.Pools[i].Name != pool {
			continue
		}
		for j := range v.Pools[i].Nodes {
			o := v.Pools[i].Nodes[j].Observation
			if o != nil && ((uuid != "" && o.Server.UUID == uuid) || (uuid == "" && id != 0 && o.Server.ID == id)) {
				return true
			}
		}
	}
	return false
}

// sources lists the nodes that a replica of the pool may replicate from; nil means anybody.
func sources(p config.Pool) []string {
	if !p.Checks.Replication.SourceInPool {
		return nil
	}
	all := make([]string, 0, len(p.Nodes))
	for _, n := range p.Nodes {
		all = append(all, n.Address)
	}
	return all
}

// managerGone is after how long without a word from it a server of a pool with an engine takes a manager
// for gone, and may be managed by another.
const managerGone = 30 * time.Second

// checkOptions maps a node's configuration to the options of its prober, all but the pool's
// other nodes.
func checkOptions(p config.Pool, n config.Node) checks.Options {
	c := p.Checks
	o := checks.Default()
	o.Address, o.User, o.Password = n.Address, n.Account.User, n.Account.Password.Reveal()
	o.ExtraPort = uint16(n.ExtraPort)
	o.TLS = crew.TLS(n.TLS)
	o.ConnectLimit, o.LoginInterval = c.Connect.Timeout, p.LoginInterval
	o.Privilege, o.PrivilegeInterval, o.PrivilegeFailover = c.Privilege.Enabled, c.Privilege.Interval, c.Privilege.ForFailover
	o.Query, o.QuerySQL, o.QueryLimit = c.Query.Enabled, c.Query.SQL, c.Query.Timeout
	o.Replication, o.ReplicationLimit = c.Replication.Enabled, c.Replication.Timeout
	o.ReplicaExpected, o.SourceUnreachableCritical = c.Replication.Expected, c.Replication.SourceUnreachableCritical
	o.Lag, o.HeartbeatTable, o.HeartbeatLimit = c.Lag.Enabled, c.Lag.HeartbeatTable, c.Lag.Timeout
	o.LagThresholds = checks.Thresholds{Info: c.Lag.Info, Warn: c.Lag.Warn, Critical: c.Lag.Critical, Fail: c.Lag.Fail}
	o.IgnoreConfiguredDelay = c.Lag.IgnoreConfiguredDelay
	o.Write, o.WriteLimit, o.WriteCreate = c.Write.Enabled, c.Write.Timeout, c.Write.CreateTable
	if c.Write.Enabled {
		o.HeartbeatTable = c.Write.Table
	}
	o.Cluster, o.ClusterExpected, o.ClusterLimit = c.Cluster.Enabled, c.Cluster.Expected, c.Cluster.Timeout
	o.Identity = c.Identity.Enabled
	o.Engine, o.CommitStuckAfter = p.Engine != mpp.EngineNone, 0
	if o.Engine {
		o.SessionIdle = max(managerGone, 4*p.Interval, 4*p.SlowInterval)
	}
	if c.Commit.Enabled {
		o.CommitStuckAfter = c.Commit.StuckAfter
	}
	for _, each := range c.Custom {
		o.Custom = append(o.Custom, checks.Custom{
			Name: each.Name, SQL: each.SQL, Expect: each.Expect, Compare: checks.Compare(each.Compare),
			Class: each.Class, Status: each.Status, Limit: each.Timeout,
		})
	}
	return o
}

func (d *Daemon) pointFor(pool string, c config.Checkpoint) (point, error) {
	o := checks.CheckpointOptions{Name: c.Name, Kind: checks.CheckpointKind(c.Kind), Address: target(c), Limit: c.Timeout, Statuses: c.ExpectStatus}
	if c.Kind == config.CheckpointMySQL {
		o.User, o.Password = c.Account.User, c.Account.Password.Reveal()
	}
	if old, there := d.points[pointKey{pool, c.Name}]; there && reflect.DeepEqual(old.options, o) {
		return old, nil
	}
	made, err := checks.NewCheckpoint(o)
	if err != nil {
		return point{}, err
	}
	return point{o, made}, nil
}

// target is what a checkpoint tries.
func target(c config.Checkpoint) string {
	if c.URL != "" {
		return c.URL
	}
	return c.Address
}
