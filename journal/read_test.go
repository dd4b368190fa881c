package journal

import (
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
)

func TestHistoryIsReadBesideTheWriter(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, dir, Options{MaxSegment: 4 << 10})
	mustAppend(t, j, 1, 50)
	if err := j.Compact(nil, nil); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, 51, 80)
	if _, err := j.live.f.Write([]byte(`12345678 {"seq":81,"at`)); err != nil { // under way
		t.Fatal(err)
	}
	seq, snapshots := uint64(0), []uint64{}
	for e, err := range Read(dir) {
		switch {
		case err != nil:
			t.Fatal(err)
		case e.Damage != "":
			t.Errorf("damage %q", e.Damage)
		case e.Snapshot != nil:
			snapshots = append(snapshots, e.Snapshot.Seq)
			if e.Snapshot.Seq != seq {
				t.Errorf("snapshot of %d after record %d", e.Snapshot.Seq, seq)
			}
		default:
			seq++
			want := nth(seq)
			want.Seq = seq
			if d := cmp.Diff(&want, e.Record); d != "" {
				t.Fatalf("record %d: %s", seq, d)
			}
		}
	}
	if seq != 80 || !cmp.Equal(snapshots, []uint64{0, 50}) {
		t.Errorf("%d records, snapshots %v", seq, snapshots)
	}
	n := uint64(0)
	for e, err := range Events(dir) {
		if n++; err != nil || e.Seq != n {
			t.Fatalf("event %d: %+v %v", n, e, err)
		}
	}
	if n != 80 {
		t.Errorf("%d events", n)
	}
	r, err := Peek(dir, Options{})
	if err != nil {
		t.Fatal(err)
	}
	checkRestored(t, r, 80)
}

func TestReplayLinesBeginAtTheSnapshotBefore(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, dir, Options{})
	mustAppend(t, j, 1, 10)
	if err := j.Compact(nil, nil); err != nil {
		t.Fatal(err)
	}
	mustAppend(t, j, 11, 20)
	var inputs int
	var first *Mark
	for l, err := range Lines(dir, Query{From: time.Now(), Pool: "p1"}) {
		if err != nil {
			t.Fatal(err)
		}
		if first == nil {
			first = l.Mark
		}
		if l.Input != nil {
			if inputs++; l.Input.Pool != "p1" {
				t.Errorf("input of %s", l.Input.Pool)
			}
		}
	}
	want, _ := sum(10).restored()
	if inputs != 5 || first == nil || len(first.Pools) != 1 || !cmp.Equal(want["p1"], first.Pools[0]) {
		t.Errorf("%d inputs after %+v", inputs, first)
	}
	inputs = 0
	for l, err := range Lines(dir, Query{}) {
		if err != nil {
			t.Fatal(err)
		}
		if l.Input != nil {
			inputs++
		}
	}
	if inputs != 20 {
		t.Errorf("%d inputs in all", inputs)
	}
}

func TestReadersSeeNoDamageWhileADaemonWritesAndDrops(t *testing.T) {
	dir := t.TempDir()
	o := Options{MaxSize: 64 << 10, EventsKept: 10}
	j, _ := mustOpen(t, dir, o)
	mustAppend(t, j, 1, 1)
	stop := make(chan struct{})
	var readers sync.WaitGroup
	readers.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
			}
			for e, err := range Read(dir) {
				if err != nil || e.Damage != "" {
					t.Errorf("read: %q %v", e.Damage, err)
				}
			}
			if r, err := Peek(dir, o); err != nil || len(r.Damage) != 0 {
				t.Errorf("peek: %q %v", r.Damage, err)
			} else if d := diff(r, r.LastSeq); d != "" {
				t.Error(d)
			}
		}
	})
	for i := uint64(2); i <= 1500 && !t.Failed(); i++ {
		if err := j.Append(nth(i), false); err != nil {
			t.Fatal(err)
		}
		if j.NeedsCompaction() {
			if err := j.Compact(nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	close(stop)
	readers.Wait()
}
