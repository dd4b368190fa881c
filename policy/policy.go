// Package policy maps a pool as it is configured to the rules that package pool decides by: for
// the daemon, and for `mpp replay --config`. It is pure; to test with it, give Of a config.Pool.
package policy

import (
	"mpp/config"
	"mpp/pool"
	"mpp/state"
)

// Of is a pool's configuration as far as decisions need it.
func Of(c config.Pool) pool.Policy {
	p := pool.Policy{
		Name: c.Name, Logic: c.Logic, Engine: c.Engine, Ladder: ladderOf(c.Ladder),
		HostileTakeover: c.HostileTakeover, AutoRecover: c.AutoRecover, Readers: c.Readers,
		Interval: c.Interval, StaleAfter: c.StaleAfter, WhenStale: c.WhenStale,
	}
	for _, n := range c.Nodes {
		p.Nodes = append(p.Nodes, pool.NodePolicy{Address: n.Address, Name: n.Name, Type: n.Type, NoPromote: n.NoPromote})
	}
	for _, each := range c.Checkpoints {
		p.Checkpoints = append(p.Checkpoints, pool.CheckpointPolicy{
			Name: each.Name, Ring: each.Ring, Kind: string(each.Kind), Address: target(each),
		})
	}
	return p
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
