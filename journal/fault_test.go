package journal

import (
	"errors"
	"os"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	"mpp"
)

// disk makes files that fail on demand.
type disk struct {
	write, sync, truncate, create error
	// room is how many bytes of a failing write still go through.
	room int
	// syncs counts fsyncs that were tried, by path.
	syncs map[string]int
}

type diskFile struct {
	*os.File
	d *disk
}

func (d *disk) open(path string, flag int) (file, error) {
	if d.create != nil && flag&os.O_CREATE != 0 {
		return nil, &os.PathError{Op: "open", Path: path, Err: d.create}
	}
	f, err := os.OpenFile(path, flag, filePerm)
	if err != nil {
		return nil, err
	}
	return &diskFile{f, d}, nil
}

func (f *diskFile) Write(b []byte) (int, error) {
	if f.d.write == nil {
		return f.File.Write(b)
	}
	n, err := f.File.Write(b[:min(f.d.room, len(b))])
	if err == nil {
		err = &os.PathError{Op: "write", Path: f.Name(), Err: f.d.write}
	}
	return n, err
}

func (f *diskFile) Sync() error {
	f.d.syncs[f.Name()]++
	if f.d.sync != nil {
		return f.d.sync
	}
	return f.File.Sync()
}

func (f *diskFile) Truncate(size int64) error {
	if f.d.truncate != nil {
		return f.d.truncate
	}
	return f.File.Truncate(size)
}

func openOn(t *testing.T, dir string, d *disk) *Journal {
	t.Helper()
	d.syncs = make(map[string]int)
	j, _, err := openWith(dir, Options{}, d.open)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.live.f.Close() })
	return j
}

func TestFullDiskCutsThePartialRecordOffAndGoesOn(t *testing.T) {
	for _, room := range []int{0, 1, 100} {
		dir := t.TempDir()
		d := &disk{}
		j := openOn(t, dir, d)
		mustAppend(t, j, 1, 10)
		size := j.live.size
		d.write, d.room = syscall.ENOSPC, room
		for i := uint64(11); i <= 15; i++ {
			err := j.Append(nth(i), i%2 == 0)
			var we *WriteError
			if !errors.Is(err, ErrFull) || !errors.Is(err, syscall.ENOSPC) || !errors.As(err, &we) || we.Path != j.live.path {
				t.Fatalf("append %d: %v", i, err)
			}
		}
		if !strings.Contains(j.Stats().Trouble.Error(), "free some space") {
			t.Errorf("trouble %v", j.Stats().Trouble)
		}
		if info, err := os.Stat(j.live.path); err != nil || info.Size() != size {
			t.Errorf("room %d: the segment has %d bytes, want %d", room, info.Size(), size)
		}
		if r, err := Peek(dir, Options{}); err != nil {
			t.Error(err)
		} else {
			checkRestored(t, r, 10)
		}
		if err := j.Compact(nil, nil); !errors.Is(err, ErrFull) {
			t.Errorf("compact: %v", err)
		}
		d.write = nil
		mustAppend(t, j, 16, 16)
		if j.Stats().Trouble != nil {
			t.Errorf("trouble %v", j.Stats().Trouble)
		}
		j.abandon()
		_, r := mustOpen(t, dir, Options{})
		checkRestored(t, r, 16)
		if len(r.Damage)+len(r.Notes) != 0 || len(r.Events) != 16 {
			t.Errorf("room %d: damage %q, notes %q, %d events", room, r.Damage, r.Notes, len(r.Events))
		}
	}
}

func TestWhatWasMissedOnAFullDiskIsCaughtUp(t *testing.T) {
	dir := t.TempDir()
	d := &disk{}
	j := openOn(t, dir, d)
	mustAppend(t, j, 1, 20)
	if err := j.Append(Record{At: epoch0, Pool: "gone", Nodes: []mpp.NodeMemory{{Address: "g:1"}}}, true); err != nil {
		t.Fatal(err)
	}
	d.write = syscall.EDQUOT
	for _, r := range []Record{
		{Pool: "p0", Removed: []string{nodeName(0)}},
		{Pool: "gone", PoolRemoved: true},
		{Pool: "p1", PoolMemory: &mpp.PoolMemory{Nodes: []mpp.NodeMemory{{Address: "new:1"}}}},
		{Pool: "p2", PoolMemory: &mpp.PoolMemory{Trouble: "WAN"}},
	} {
		r.At = epoch0
		if err := j.Append(r, false); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
	}
	d.write = nil
	if err := j.Append(Record{At: epoch0, Note: "room again"}, true); err != nil {
		t.Fatal(err)
	}
	j.abandon()
	_, r := mustOpen(t, dir, Options{})
	if _, there := r.Pools["gone"]; there || len(r.Pools["p0"].Nodes) != testNodes-1 || r.Pools["p2"].Trouble != "WAN" {
		t.Errorf("pools %+v", r.Pools)
	}
	if n := r.Pools["p1"].Nodes; len(n) != 1 || n[0].Address != "new:1" {
		t.Errorf("p1 has %+v", n)
	}
}

func TestFailedFsyncIsNeverTriedAgainOnTheSameFile(t *testing.T) {
	dir := t.TempDir()
	d := &disk{}
	j := openOn(t, dir, d)
	mustAppend(t, j, 1, 10)
	suspect := j.live.path
	tried := d.syncs[suspect]
	// Only this fsync fails: the snapshot and the new segment that follow are good.
	d.sync = syscall.EIO
	broken := j.live.f
	j.live.f = &syncsOnce{broken, d}
	if err := j.Append(nth(11), true); err != nil {
		t.Fatalf("the record is in a snapshot, so it is durable: %v", err)
	}
	if j.live.path == suspect || d.syncs[suspect] != tried {
		t.Errorf("the journal goes on with the suspect segment, or synced it %d times more", d.syncs[suspect]-tried)
	}
	if s := j.Stats(); s.SyncFailures != 1 || s.Trouble != nil {
		t.Errorf("stats %+v", s)
	}
	mustAppend(t, j, 12, 20)
	j.abandon()
	// The suspect segment turns out to be as the disk had it before.
	edit(t, suspect, func(text []byte) []byte { _, end := lineOf(text, 4); return text[:end] })
	_, r := mustOpen(t, dir, Options{})
	checkRestored(t, r, 20)
	if len(r.Damage) != 0 {
		t.Errorf("damage %q", r.Damage)
	}
}

// syncsOnce fails one fsync and mends the disk with it.
type syncsOnce struct {
	file
	d *disk
}

func (s *syncsOnce) Sync() error {
	err := s.d.sync
	s.d.sync = nil
	return err
}

func TestDeadDiskIsToldUntilItIsMended(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		dir := t.TempDir()
		d := &disk{}
		j := openOn(t, dir, d)
		mustAppend(t, j, 1, 10)
		d.sync = syscall.EIO
		for i := uint64(11); i <= 20; i++ {
			if err := j.Append(nth(i), i%2 == 1); !errors.Is(err, syscall.EIO) {
				t.Fatalf("append %d: %v", i, err)
			}
		}
		if j.NeedsCompaction() {
			t.Error("a compaction that failed a moment ago is asked for again")
		}
		<-time.After(2 * rebuildPause) // the bubble's time
		if !j.NeedsCompaction() {
			t.Error("a suspect journal does not ask for a compaction")
		}
		if err := j.Append(nth(21), true); !errors.Is(err, syscall.EIO) {
			t.Fatal(err)
		}
		d.sync = nil
		if err := j.Append(nth(22), true); !errors.Is(err, syscall.EIO) {
			t.Errorf("within the pause: %v", err)
		}
		<-time.After(2 * rebuildPause) // the bubble's time
		mustAppend(t, j, 23, 30)
		if j.Stats().Trouble != nil || j.NeedsCompaction() {
			t.Errorf("trouble %v", j.Stats().Trouble)
		}
		j.abandon()
		_, r := mustOpen(t, dir, Options{})
		checkRestored(t, r, 30)
		if n := len(glob(t, dir, "*.damaged*")); n != 0 {
			t.Errorf("%d files were put aside", n)
		}
	})
}

func TestSegmentThatCannotBeCutIsLeft(t *testing.T) {
	dir := t.TempDir()
	d := &disk{}
	j := openOn(t, dir, d)
	mustAppend(t, j, 1, 10)
	d.write, d.room, d.truncate = syscall.EIO, 40, syscall.EIO
	if err := j.Append(nth(11), true); !errors.Is(err, syscall.EIO) {
		t.Fatal(err)
	}
	d.write, d.truncate = nil, nil
	mustAppend(t, j, 12, 20)
	j.abandon()
	_, r := mustOpen(t, dir, Options{})
	checkRestored(t, r, 20)
	if len(r.Damage)+len(r.Uncertain) != 0 {
		t.Errorf("damage %q, uncertain %v", r.Damage, r.Uncertain)
	}
}

func TestFullDiskWhileCompactingLosesNothing(t *testing.T) {
	dir := t.TempDir()
	d := &disk{}
	j := openOn(t, dir, d)
	mustAppend(t, j, 1, 10)
	for _, room := range []int{0, 80, 500} { // no header, no snapshot, half a snapshot
		d.write, d.room = syscall.ENOSPC, room
		if err := j.Compact([]mpp.PoolMemory{{Name: "other"}}, nil); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		d.create = syscall.ENOSPC
		if err := j.Compact(nil, nil); !errors.Is(err, ErrFull) {
			t.Fatal(err)
		}
		d.write, d.create = nil, nil
		mustAppend(t, j, j.next, j.next+4)
		if left := glob(t, dir, "*.tmp"); len(left) != 0 {
			t.Errorf("left over: %v", left)
		}
	}
	if err := j.Compact(nil, nil); err != nil {
		t.Fatal(err)
	}
	j.abandon()
	_, r := mustOpen(t, dir, Options{})
	checkRestored(t, r, 25)
	if len(r.Damage)+len(r.Notes) != 0 {
		t.Errorf("damage %q, notes %q", r.Damage, r.Notes)
	}
}
