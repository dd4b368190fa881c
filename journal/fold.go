package journal

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"time"

	"mpp"
)

// fold is the sum of records: what is known after them.
type fold struct {
	pools     map[string]*poolFold
	events    []mpp.Event // at most 2*keep; the last keep count
	keep      int
	nextEvent uint64
	lastAt    time.Time
	closed    bool // the last record was a closing one
	// past names the last gap: the own memory of a pool that turns up after it may be in it.
	past string
}

type poolFold struct {
	head  mpp.PoolMemory // without Nodes
	nodes []mpp.NodeMemory
	index map[string]int // into nodes
	// unsure holds why something is uncertain, by address; "" is the pool's own memory.
	unsure map[string]string
}

func newFold(keep int) *fold {
	return &fold{pools: make(map[string]*poolFold), keep: keep, nextEvent: 1}
}

// apply adds a record.
func (f *fold) apply(r *Record) {
	f.lastAt, f.closed = r.At, r.Closed
	f.addEvents(r.Events)
	if r.PoolRemoved {
		delete(f.pools, r.Pool)
	}
	if r.PoolMemory == nil && len(r.Nodes) == 0 && f.pools[r.Pool] == nil {
		return
	}
	p := f.pool(r.Pool)
	if r.PoolMemory != nil {
		p.replace(*r.PoolMemory)
	}
	for _, address := range r.Removed {
		p.remove(address)
	}
	for i := range r.Nodes {
		p.put(r.Nodes[i])
	}
}

// renewed is a fold with the caller's truth; nil pools or events stay as they are in f.
func (f *fold) renewed(pools []mpp.PoolMemory, events []mpp.Event) *fold {
	n := newFold(f.keep)
	n.lastAt = f.lastAt
	if events == nil {
		events = f.lastEvents()
	}
	n.addEvents(events)
	n.nextEvent = max(n.nextEvent, f.nextEvent)
	if pools == nil {
		n.pools = f.pools
		return n
	}
	for i := range pools {
		n.pool(pools[i].Name).replace(whole(pools[i]))
	}
	return n
}

// whole makes m replace all nodes, also when it has none.
func whole(m mpp.PoolMemory) mpp.PoolMemory {
	if m.Nodes == nil {
		m.Nodes = []mpp.NodeMemory{}
	}
	return m
}

func (f *fold) pool(name string) *poolFold {
	p := f.pools[name]
	if p == nil {
		p = &poolFold{index: make(map[string]int), unsure: make(map[string]string)}
		p.head.Name = name
		if f.past != "" {
			p.doubt("", f.past)
		}
		f.pools[name] = p
	}
	return p
}

// addEvents keeps events that are newer than those it has.
func (f *fold) addEvents(events []mpp.Event) {
	for i := range events {
		if events[i].Seq < f.nextEvent {
			continue
		}
		f.nextEvent = events[i].Seq + 1
		if len(f.events) >= 2*f.keep {
			f.events = append(f.events[:0], f.events[len(f.events)-f.keep+1:]...)
		}
		f.events = append(f.events, events[i])
	}
}

// lastEvents returns a copy of the last events, oldest first.
func (f *fold) lastEvents() []mpp.Event {
	return slices.Clone(f.events[max(0, len(f.events)-f.keep):])
}

// gap makes everything that is known uncertain.
func (f *fold) gap(why string) {
	f.past = why
	for _, p := range f.pools {
		p.doubt("", why)
		for i := range p.nodes {
			p.doubt(p.nodes[i].Address, why)
		}
	}
}

func (p *poolFold) doubt(address, why string) {
	if _, already := p.unsure[address]; !already {
		p.unsure[address] = why
	}
}

func (p *poolFold) replace(m mpp.PoolMemory) {
	nodes, name := m.Nodes, p.head.Name
	p.head = m
	p.head.Name, p.head.Nodes = name, nil
	delete(p.unsure, "")
	if nodes == nil {
		return
	}
	p.nodes = p.nodes[:0]
	clear(p.index)
	clear(p.unsure)
	for i := range nodes {
		p.put(nodes[i])
	}
}

func (p *poolFold) put(n mpp.NodeMemory) {
	delete(p.unsure, n.Address)
	if i, known := p.index[n.Address]; known {
		p.nodes[i] = n
		return
	}
	p.index[n.Address] = len(p.nodes)
	p.nodes = append(p.nodes, n)
}

func (p *poolFold) remove(address string) {
	i, known := p.index[address]
	if !known {
		return
	}
	p.nodes = slices.Delete(p.nodes, i, i+1)
	delete(p.index, address)
	delete(p.unsure, address)
	for ; i < len(p.nodes); i++ {
		p.index[p.nodes[i].Address] = i
	}
}

// memories returns every pool as it was last known, by name.
func (f *fold) memories() []mpp.PoolMemory {
	all := make([]mpp.PoolMemory, 0, len(f.pools))
	for _, name := range slices.Sorted(maps.Keys(f.pools)) {
		p := f.pools[name]
		m := p.head
		m.Nodes = append(make([]mpp.NodeMemory, 0, len(p.nodes)), p.nodes...)
		all = append(all, m)
	}
	return all
}

// restored returns the pools with uncertain nodes made UNKNOWN, and what is uncertain.
func (f *fold) restored() (map[string]mpp.PoolMemory, []Uncertain) {
	pools := make(map[string]mpp.PoolMemory, len(f.pools))
	var unsure []Uncertain
	for _, m := range f.memories() {
		p := f.pools[m.Name]
		for address, why := range p.unsure {
			u := Uncertain{Pool: m.Name, Node: address, Why: why}
			if i, known := p.index[address]; known {
				u.LastKnown = p.nodes[i]
				m.Nodes[i] = unknown(p.nodes[i], why)
			}
			unsure = append(unsure, u)
		}
		pools[m.Name] = m
	}
	slices.SortFunc(unsure, func(a, b Uncertain) int {
		return cmp.Or(cmp.Compare(a.Pool, b.Pool), cmp.Compare(a.Node, b.Node))
	})
	return pools, unsure
}

// unknown is what an uncertain node is restored as. A maintenance is kept: it only ever
// holds MPP back.
func unknown(n mpp.NodeMemory, why string) mpp.NodeMemory {
	return mpp.NodeMemory{
		Address:     n.Address,
		State:       mpp.Unknown,
		Maintenance: n.Maintenance,
		Evidence:    fmt.Sprintf("journal damaged: last known %s; %s", n.State, why),
	}
}
