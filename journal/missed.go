package journal

import (
	"cmp"
	"fmt"
	"slices"
	"time"

	"mpp"
)

// missed remembers which parts of the fold are not in the files, because a record could not
// be written. Their values are taken from the fold when there is room again, so it is never
// larger than the fold.
type missed struct {
	// parts says for a pool's own memory whether its nodes were replaced as a whole.
	parts map[part]bool
	// event is the number of the first event that is missing, 0 for none.
	event uint64
	count int
	why   error // of the last
}

// part is a node, or with an empty node a pool's own memory.
type part struct{ pool, node string }

func (m *missed) add(r *Record, why error) {
	if m.parts == nil {
		m.parts = make(map[part]bool)
	}
	m.count++
	m.why = why
	if len(r.Events) > 0 && m.event == 0 {
		m.event = r.Events[0].Seq
	}
	if r.PoolMemory != nil || r.PoolRemoved {
		replaced := r.PoolRemoved || r.PoolMemory.Nodes != nil
		head := part{pool: r.Pool}
		m.parts[head] = m.parts[head] || replaced
	}
	for _, address := range r.Removed {
		m.parts[part{r.Pool, address}] = false
	}
	for i := range r.Nodes {
		m.parts[part{r.Pool, r.Nodes[i].Address}] = false
	}
}

// records makes up for what is missing, a record a pool.
func (m *missed) records(f *fold, at time.Time) []*Record {
	if m.count == 0 {
		return nil
	}
	first := &Record{At: at, Note: fmt.Sprintf("%d records could not be written before: %v", m.count, m.why)}
	if m.event > 0 {
		for _, e := range f.lastEvents() {
			if e.Seq >= m.event {
				first.Events = append(first.Events, e)
			}
		}
	}
	all := []*Record{first}
	parts := make([]part, 0, len(m.parts))
	for p := range m.parts {
		parts = append(parts, p)
	}
	slices.SortFunc(parts, func(a, b part) int {
		return cmp.Or(cmp.Compare(a.pool, b.pool), cmp.Compare(a.node, b.node))
	})
	for _, p := range parts {
		last := all[len(all)-1]
		if last.Pool != p.pool {
			last = &Record{At: at, Pool: p.pool, Note: "catches up"}
			all = append(all, last)
		}
		last.catchUp(f.pools[p.pool], p.node, m.parts[p])
	}
	return all
}

// catchUp adds what is known now of one part.
func (r *Record) catchUp(p *poolFold, node string, replaced bool) {
	switch {
	case p == nil:
		r.PoolRemoved = true
	case node == "":
		head := p.head
		if replaced {
			head.Nodes = append([]mpp.NodeMemory{}, p.nodes...)
		}
		r.PoolMemory = &head
	default:
		if i, known := p.index[node]; known {
			r.Nodes = append(r.Nodes, p.nodes[i])
		} else {
			r.Removed = append(r.Removed, node)
		}
	}
}
