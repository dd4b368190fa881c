package daemon

import (
	"mpp"
	"mpp/config"
	"mpp/pool"
	"mpp/state"
)

// policyOf is a pool's configuration as far as decisions need it.
func policyOf(c config.Pool) pool.Policy {
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

// PolicyOf is policyOf for `mpp replay --config`.
func PolicyOf(c config.Pool) pool.Policy { return policyOf(c) }

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

// activeNodes lists the ACTIVE nodes of a memory.
func activeNodes(m mpp.PoolMemory) []string {
	var found []string
	for _, n := range m.Nodes {
		if n.State == mpp.Active {
			found = append(found, n.Address)
		}
	}
	return found
}
