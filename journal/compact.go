package journal

import (
	"fmt"
	"os"
	"slices"
	"time"

	"mpp"
)

// Compact writes a snapshot, starts a new segment and drops what is beyond the bounds. Pools
// and events are the whole truth of the caller; nil means what the records say. After an
// error the journal is as it was and Append goes on.
func (j *Journal) Compact(pools []mpp.PoolMemory, events []mpp.Event) error {
	if j.closed {
		return ErrClosed
	}
	before := j.fold
	if pools != nil || events != nil {
		j.fold = j.fold.renewed(pools, events)
	}
	if j.suspect == nil && !j.live.empty {
		if err := j.live.f.Sync(); err != nil {
			j.doubt(err)
		}
	}
	if err := j.rebuild(); err != nil {
		j.fold, j.retryAt = before, time.Now().Add(rebuildPause)
		j.stats.Trouble = err
		return fmt.Errorf("compact journal: %w", err)
	}
	return nil
}

// NeedsCompaction reports whether Compact should be called: a segment's worth was appended
// since the last snapshot, or the live segment is not to be trusted. After a failure it
// says no for a second.
func (j *Journal) NeedsCompaction() bool {
	if j.closed || time.Now().Before(j.retryAt) {
		return false
	}
	return j.suspect != nil || j.tail >= j.o.MaxSegment
}

// rebuild starts a new segment, unless the live one is good and has no record yet, and
// writes a snapshot of all that is known, what was missed included.
func (j *Journal) rebuild() error {
	if j.live == nil || j.live.suspect || !j.live.empty || j.live.first != j.next {
		if err := j.newSegment(); err != nil {
			return err
		}
	}
	if err := writeSnapshot(j.dir, j.fold.snapshot(j.next-1, time.Now()), j.open); err != nil {
		return err
	}
	j.tail, j.suspect, j.missed, j.stats.Trouble = 0, nil, missed{}, nil
	j.stats.Compactions++
	j.prune()
	return nil
}

// newSegment makes the next record go to a new file.
func (j *Journal) newSegment() error {
	s, err := createSegment(j.dir, j.next, j.open)
	if err != nil {
		return err
	}
	if j.live != nil {
		_ = j.live.f.Close() // what it held is on disk, or in the snapshot to come
	}
	j.live = s
	return nil
}

// prune drops the oldest files until the directory is within its bounds.
func (j *Journal) prune() {
	files, err := list(j.dir)
	if err != nil {
		return // the next one tries again
	}
	// The live segment may grow until the next time.
	for _, e := range files.surplus(j.o.MaxSize - j.o.MaxSegment) {
		_ = os.Remove(e.path) // the next one tries again
	}
}

// surplus returns the files to drop, oldest first.
func (l *listing) surplus(maxSize int64) []entry {
	var drop []entry
	size, count := l.size, len(l.segments)+len(l.snapshots)
	discard := func(e entry) {
		drop = append(drop, e)
		size -= e.size
		count--
	}
	for _, e := range l.aside[:max(0, len(l.aside)-damagedKept)] {
		discard(e)
	}
	needed := uint64(0)
	if n := len(l.snapshots); n > 1 {
		needed = l.snapshots[n-2].seq
	}
	var old []entry
	for i, e := range l.segments {
		if i+1 < len(l.segments) && l.segments[i+1].seq <= needed+1 && !slices.Contains(drop, e) {
			old = append(old, e)
		}
	}
	for _, e := range l.snapshots {
		if e.seq < needed {
			old = append(old, e)
		}
	}
	slices.SortStableFunc(old, before)
	for _, e := range old {
		if size <= maxSize && count <= filesKept {
			break
		}
		discard(e)
	}
	return drop
}
