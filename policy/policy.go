// Package policy maps a pool as it is configured to the rules that package pool decides by: for
// the daemon, and for `mpp replay --config`. It is pure; to test with it, give Of a config.Pool.
package policy

import (
	"time"

	"mpp"
	"mpp/config"
	"mpp/plan"
	"mpp/pool"
	"mpp/state"
)

// Of is a pool's configuration as far as decisions need it.
func Of(c config.Pool) pool.Policy {
	p := pool.Policy{
		Name: c.Name, Logic: c.Logic, Engine: c.Engine, Ladder: ladderOf(c.Ladder),
		HostileTakeover: c.HostileTakeover, AutoRecover: c.AutoRecover, Readers: c.Readers,
		Interval: c.Interval, StaleAfter: c.StaleAfter, WhenStale: c.WhenStale, Failover: failoverOf(&c),
	}
	for _, n := range c.Nodes {
		p.Nodes = append(p.Nodes, pool.NodePolicy{
			Address: n.Address, Name: n.Name, Type: n.Type, NoPromote: n.NoPromote, Prefer: n.Prefer, Host: n.SSH.Given(),
		})
	}
	for _, each := range c.Checkpoints {
		p.Checkpoints = append(p.Checkpoints, pool.CheckpointPolicy{
			Name: each.Name, Ring: each.Ring, Kind: string(each.Kind), Address: target(each),
		})
	}
	return p
}

// failoverOf is what a pool with an engine decides by.
func failoverOf(c *config.Pool) pool.FailoverPolicy {
	if c.Engine == mpp.EngineNone {
		return pool.FailoverPolicy{}
	}
	f := c.Failover
	p := pool.FailoverPolicy{
		Policy: planOf(c),
		Manual: f.Mode == config.FailoverManual, Grace: f.Grace, Cooldown: f.Cooldown,
		Rejoin: f.Rejoin == config.RejoinAuto, Failback: f.Failback == config.FailbackAuto,
		ConfirmInterval: c.ConfirmInterval, Timeout: c.Timeout, ConfirmTimeout: c.ConfirmTimeout,
		Block: string(f.Block),
	}
	if p.Addresses {
		for _, a := range c.VIP.Addresses {
			p.VirtualAddresses = append(p.VirtualAddresses, a.String())
		}
	}
	return p
}

// planOf is what a plan is made by.
func planOf(c *config.Pool) plan.Policy {
	f, s := c.Failover, c.Switchover
	return plan.Policy{
		FenceRequired: f.Fence == config.FenceRequired,
		FenceTimeout:  f.FenceTimeout, ApplyTimeout: f.ApplyTimeout, StepTimeout: f.StepTimeout,
		MaxLoss: f.MaxLoss, AnyLoss: f.AnyLoss, BinlogTail: f.BinlogTail,
		Addresses: c.VIP.Kind != config.VIPNone,
		Shutdown:  f.Shutdown.Program != "", ShutdownTimeout: f.Shutdown.Timeout,
		Events: f.Events, ManageSemiSync: f.SemiSync == config.SemiSyncManage,
		Hooks: hookTimes(c.Hooks),
		Wait:  s.Wait, KillAfter: s.KillAfter, MaxLag: s.MaxLag,
		RefuseLongTransactions: s.LongTransactions == config.LongTransactionsRefuse,
		StopConnections:        stopOf(s.Stop),
	}
}

// hookTimes are the phases that have hooks, each with the time that its hooks may take.
func hookTimes(hooks []config.Hook) map[string]time.Duration {
	times := map[string]time.Duration{}
	for _, h := range hooks {
		for _, phase := range h.Phases {
			times[phase] += h.Timeout
		}
	}
	return times
}

// stopOf is the way to keep sessions out as the plan knows it: killing needs no step of its own.
func stopOf(s config.Stop) string {
	if s == config.StopKill {
		return ""
	}
	return string(s)
}

func ladderOf(l config.Ladder) state.Ladder {
	return state.Ladder{Info: l.InfoAfter, Warn: l.WarnAfter, Critical: l.CriticalAfter, Fail: l.FailAfter}
}

// target is what a checkpoint tries, as people name it.
func target(c config.Checkpoint) string {
	if c.URL != "" {
		return c.URL
	}
	return c.Address
}
