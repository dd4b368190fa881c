package journal

import (
	"os"
	"path/filepath"
	"testing"
)

func TestMissingSegmentIsNoticed(t *testing.T) {
	t.Run("the last", func(t *testing.T) {
		dir := written(t, 24, 20)
		if err := os.Remove(segmentsOf(t, dir)[1]); err != nil {
			t.Fatal(err)
		}
		j, r := mustOpen(t, dir, Options{})
		j.abandon()
		wantText(t, "damage", r.Damage, "there is no "+segmentName(21), "record 21 and perhaps more")
		if len(uncertainNodes(r)) != testNodes*testPools {
			t.Errorf("uncertain %v", r.Uncertain)
		}
		checkMended(t, dir, r)
	})
	t.Run("the last, emptied", func(t *testing.T) {
		dir := written(t, 24, 20)
		edit(t, segmentsOf(t, dir)[1], func(b []byte) []byte { return b[:12] })
		j, r := mustOpen(t, dir, Options{})
		j.abandon()
		if len(uncertainNodes(r)) != testNodes*testPools {
			t.Errorf("uncertain %v", r.Uncertain)
		}
		checkMended(t, dir, r)
	})
	t.Run("all", func(t *testing.T) {
		dir := written(t, 24, 20)
		for _, path := range segmentsOf(t, dir) {
			if err := os.Remove(path); err != nil {
				t.Fatal(err)
			}
		}
		j, r := mustOpen(t, dir, Options{})
		j.abandon()
		if len(uncertainNodes(r)) != testNodes*testPools {
			t.Errorf("uncertain %v", r.Uncertain)
		}
		checkMended(t, dir, r)
	})
	t.Run("one between", func(t *testing.T) {
		dir := t.TempDir()
		j, _ := mustOpen(t, dir, Options{MaxSegment: 2 << 10})
		mustAppend(t, j, 1, 60)
		j.abandon()
		segments := segmentsOf(t, dir)
		if err := os.Remove(segments[len(segments)-2]); err != nil {
			t.Fatal(err)
		}
		j, r := mustOpen(t, dir, Options{})
		j.abandon()
		checkCertain(t, r, 60)
		wantText(t, "damage", r.Damage, "before "+filepath.Base(segments[len(segments)-1]), "are missing")
		checkMended(t, dir, r)
	})
}

func TestCrashWhileASegmentIsMadeLosesNothing(t *testing.T) {
	for _, text := range []string{"", `0123abcd {"format":"mpp-jo`} {
		dir := written(t, 20, 10)
		path := filepath.Join(dir, segmentName(21))
		for name, content := range map[string]string{path: text, filepath.Join(dir, snapshotName(20)+tmpSuffix): `{"crc`} {
			if err := os.WriteFile(name, []byte(content), 0o640); err != nil {
				t.Fatal(err)
			}
		}
		j, r := mustOpen(t, dir, Options{})
		checkRestored(t, r, 20)
		if len(r.Damage) != 0 || len(r.Notes) != 1 {
			t.Errorf("damage %q, notes %q", r.Damage, r.Notes)
		}
		if left := glob(t, dir, "*.tmp"); len(left) != 0 {
			t.Errorf("left over: %v", left)
		}
		mustAppend(t, j, 21, 25)
		j.abandon()
		_, r = mustOpen(t, dir, Options{})
		checkRestored(t, r, 25)
		if len(r.Damage)+len(r.Notes) != 0 {
			t.Errorf("then damage %q, notes %q", r.Damage, r.Notes)
		}
	}
}

func TestFilesKeptAsideAreBounded(t *testing.T) {
	dir := written(t, 5, 0)
	for range 2 * damagedKept {
		segments := segmentsOf(t, dir)
		spoil(t, segments[len(segments)-1], 0)
		j, _ := mustOpen(t, dir, Options{})
		if err := j.Append(Record{At: epoch0}, true); err != nil {
			t.Fatal(err)
		}
		j.abandon()
	}
	if n := len(glob(t, dir, "*.damaged*")); n < 2 || n > damagedKept {
		t.Errorf("%d files are kept aside, bound %d", n, damagedKept)
	}
}

func TestLossIsStillKnownWhenTheRepairIsInterrupted(t *testing.T) {
	dir := written(t, 24, 20)
	snapshot := snapshotsOf(t, dir)[1]
	if err := os.Remove(segmentsOf(t, dir)[1]); err != nil {
		t.Fatal(err)
	}
	if err := setAside(snapshot); err != nil { // as far as the repair of a damaged one got
		t.Fatal(err)
	}
	j, r := mustOpen(t, dir, Options{})
	j.abandon()
	if len(uncertainNodes(r)) != testNodes*testPools {
		t.Errorf("uncertain %v", r.Uncertain)
	}
	checkMended(t, dir, r)
}
