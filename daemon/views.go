package daemon

import (
	"sync/atomic"
	"time"

	"mpp"
)

// viewStore holds the view that everybody reads. The loop renews it; a published view is
// never changed.
type viewStore struct {
	current atomic.Pointer[mpp.View]
	dirty   map[string]bool
	// changed is told, without waiting, that there is a new view.
	changed chan struct{}
	base    mpp.View // what does not depend on pools
	journal string
	files   string
}

func newViewStore(base mpp.View) *viewStore {
	v := &viewStore{dirty: map[string]bool{}, changed: make(chan struct{}, 1), base: base}
	first := base
	v.current.Store(&first)
	return v
}

func (v *viewStore) markDirty(pool string) { v.dirty[pool] = true }

func (v *viewStore) setJournalError(text string) { v.journal = text }

func (v *viewStore) setFilesError(text string) { v.files = text }

// renew makes a new view when a pool is dirty, or for all pools. Unchanged pools are taken
// over from the view before.
func (v *viewStore) renew(now time.Time, ready bool, order []string, of func(string) (mpp.PoolView, bool), all bool) {
	before := v.current.Load()
	same := len(v.dirty) == 0 && before.Ready == ready && before.JournalError == v.journal && before.FilesError == v.files
	if !all && same && now.Sub(before.At) < time.Second {
		return
	}
	next := v.base
	next.At, next.Ready, next.JournalError, next.FilesError = now, ready, v.journal, v.files
	next.Pools = make([]mpp.PoolView, 0, len(order))
	old := make(map[string]int, len(before.Pools))
	for i := range before.Pools {
		old[before.Pools[i].Name] = i
	}
	for _, name := range order {
		if i, there := old[name]; there && !all && !v.dirty[name] {
			next.Pools = append(next.Pools, before.Pools[i])
			continue
		}
		if p, found := of(name); found {
			next.Pools = append(next.Pools, p)
		}
	}
	clear(v.dirty)
	v.current.Store(&next)
	select {
	case v.changed <- struct{}{}:
	default:
	}
}
