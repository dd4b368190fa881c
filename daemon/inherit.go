package daemon

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mpp"
	"mpp/config"
	"mpp/journal"
)

// inherit gives a pool that nothing is remembered of what its nodes were elsewhere: states
// belong to addresses, and an address is in one pool only. So a pool that is renamed, or split
// off another, forgets neither who is ACTIVE nor who is FAIL. When all its nodes come from one
// pool, that pool's maintenance comes with them. from names the pools, sorted.
func inherit(p config.Pool, others map[string]mpp.PoolMemory) (memory mpp.PoolMemory, from []string) {
	known := map[string]mpp.NodeMemory{}
	of := map[string]string{}
	for name, other := range others {
		for _, n := range other.Nodes {
			known[n.Address], of[n.Address] = n, name
		}
	}
	for _, n := range p.Nodes {
		m, there := known[n.Address]
		if !there {
			continue
		}
		memory.Nodes = append(memory.Nodes, m)
		if name := of[n.Address]; !slices.Contains(from, name) {
			from = append(from, name)
		}
	}
	slices.Sort(from)
	if len(from) == 1 && len(memory.Nodes) == len(p.Nodes) {
		nodes := memory.Nodes
		memory = others[from[0]]
		memory.Nodes = nodes
	}
	memory.Name = p.Name
	return memory, from
}

// adopt journals and tells what a pool has inherited.
func (l *loop) adopt(now time.Time, memory mpp.PoolMemory, from []string) {
	if len(from) == 0 {
		return
	}
	l.batch.records = append(l.batch.records, journal.Record{At: now, Pool: memory.Name, PoolMemory: &memory})
	l.tell(mpp.Event{
		At: now, Kind: mpp.EventConfig, Severity: mpp.Info, Rule: "reload", Pool: memory.Name,
		Text: fmt.Sprintf("pool %s begins with what is known of its nodes from pool %s: %s", memory.Name, strings.Join(from, ", "), statesIn(memory.Nodes)),
	})
}

// statesIn lists nodes with their states.
func statesIn(nodes []mpp.NodeMemory) string {
	parts := make([]string, 0, len(nodes))
	for _, n := range nodes {
		parts = append(parts, n.Address+" "+string(n.State))
	}
	return strings.Join(parts, ", ")
}

// leave journals that a pool is gone and tells what is forgotten with it; taken are the
// addresses that are configured elsewhere now.
func (l *loop) leave(now time.Time, memory mpp.PoolMemory, taken map[string]bool) {
	l.batch.records = append(l.batch.records, journal.Record{At: now, Pool: memory.Name, PoolRemoved: true})
	var forgotten []mpp.NodeMemory
	for _, n := range memory.Nodes {
		if !taken[n.Address] {
			forgotten = append(forgotten, n)
		}
	}
	e := mpp.Event{At: now, Kind: mpp.EventConfig, Severity: mpp.Info, Pool: memory.Name, Text: fmt.Sprintf("pool %s is no longer configured", memory.Name)}
	if len(forgotten) > 0 {
		e.Severity = mpp.Warn
		e.Text += fmt.Sprintf("; forgotten with it: %s", statesIn(forgotten))
	}
	l.tell(e)
}
