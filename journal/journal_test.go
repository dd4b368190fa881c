package journal

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mpp"
)

func TestFirstStartIsFreshAndClean(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "not", "there")
	j, r := mustOpen(t, dir, Options{})
	if !r.Fresh || !r.Clean || r.NextEventSeq != 1 || len(r.Pools)+len(r.Events)+len(r.Damage) != 0 {
		t.Errorf("restored %+v", r)
	}
	info, err := os.Stat(dir)
	if err != nil || info.Mode().Perm() != 0o750 {
		t.Errorf("directory %v %v, want mode 0750", info.Mode(), err)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	_, r = mustOpen(t, dir, Options{})
	if r.Fresh || !r.Clean || len(r.Notes) != 0 {
		t.Errorf("second start: %+v", r)
	}
}

func TestRestartGivesBackWhatWasAppended(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, dir, Options{EventsKept: 7})
	mustAppend(t, j, 1, 100)
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	_, r := mustOpen(t, dir, Options{EventsKept: 7})
	checkRestored(t, r, 100)
	if !r.Clean || r.Fresh || len(r.Damage)+len(r.Notes)+len(r.Uncertain) != 0 {
		t.Errorf("restored %+v", r)
	}
	if len(r.Events) != 7 || r.Events[0].Seq != 94 || r.Events[6].Text != "event 100" {
		t.Errorf("events %+v", r.Events)
	}
	if time.Since(r.LastAt) > time.Minute || r.LastSeq != 101 {
		t.Errorf("last record %d at %v", r.LastSeq, r.LastAt)
	}
}

func TestCrashIsNotClean(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, dir, Options{})
	mustAppend(t, j, 1, 10)
	j.abandon()
	j, r := mustOpen(t, dir, Options{})
	checkRestored(t, r, 10)
	if r.Clean || len(r.Damage) != 0 {
		t.Errorf("restored %+v", r)
	}
	mustAppend(t, j, 11, 20)
	j.abandon()
	_, r = mustOpen(t, dir, Options{})
	checkRestored(t, r, 20)
}

func TestReplacedAndRemovedPartsAreGone(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, dir, Options{})
	mustAppend(t, j, 1, 20)
	for _, r := range []Record{
		{At: epoch0, Pool: "p0", Removed: []string{nodeName(2), "not:there"}},
		{At: epoch0, Pool: "p1", PoolRemoved: true},
		{At: epoch0, Pool: "p2", PoolMemory: &mpp.PoolMemory{Trouble: "LAN", Nodes: []mpp.NodeMemory{{Address: "a:1"}, {Address: "b:1"}}}},
		{At: epoch0, Pool: "p2", PoolMemory: &mpp.PoolMemory{Trouble: "WAN"}},
		{At: epoch0, Pool: "p3", PoolMemory: &mpp.PoolMemory{Nodes: []mpp.NodeMemory{{Address: "c:1"}}}},
		{At: epoch0, Pool: "p3", PoolMemory: &mpp.PoolMemory{Nodes: []mpp.NodeMemory{}}},
		{At: epoch0, Note: "nothing"},
	} {
		if err := j.Append(r, false); err != nil {
			t.Fatal(err)
		}
	}
	live, _ := j.fold.restored()
	j.abandon()
	_, r := mustOpen(t, dir, Options{})
	if d := cmp.Diff(live, r.Pools, cmpopts.EquateEmpty()); d != "" {
		t.Error(d)
	}
	if len(r.Pools["p0"].Nodes) != testNodes-1 || r.Pools["p2"].Trouble != "WAN" || len(r.Pools["p2"].Nodes) != 2 ||
		r.Pools["p2"].Name != "p2" || len(r.Pools["p3"].Nodes) != 0 {
		t.Errorf("pools %+v", r.Pools)
	}
	if _, there := r.Pools["p1"]; there {
		t.Error("p1 is still there")
	}
}

func TestCompactionKeepsTheCallersTruth(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, dir, Options{})
	mustAppend(t, j, 1, 30)
	truth := j.fold.memories()
	truth[0].Nodes[0].LastPoll = epoch0.Add(time.Hour)
	truth = truth[:1]
	if err := j.Compact(truth, nil); err != nil {
		t.Fatal(err)
	}
	if err := j.Compact(truth, nil); err != nil {
		t.Fatal(err)
	}
	j.abandon()
	j, r := mustOpen(t, dir, Options{})
	if d := cmp.Diff(map[string]mpp.PoolMemory{"p0": truth[0]}, r.Pools); d != "" {
		t.Error(d)
	}
	if len(r.Events) != 30 || r.NextEventSeq != 31 || len(r.Damage)+len(r.Notes) != 0 {
		t.Errorf("restored %+v", r)
	}
	if err := j.Compact([]mpp.PoolMemory{}, []mpp.Event{}); err != nil {
		t.Fatal(err)
	}
	j.abandon()
	_, r = mustOpen(t, dir, Options{})
	if len(r.Pools)+len(r.Events) != 0 || r.NextEventSeq != 31 {
		t.Errorf("restored %+v", r)
	}
}

func TestDirectoryStaysWithinItsBounds(t *testing.T) {
	dir := t.TempDir()
	o := Options{MaxSize: 64 << 10, EventsKept: 10}
	j, _ := mustOpen(t, dir, o)
	i := uint64(1)
	for ; i <= 2000; i++ {
		mustAppend(t, j, i, i)
		if j.NeedsCompaction() {
			if err := j.Compact(nil, nil); err != nil {
				t.Fatal(err)
			}
		}
		files, err := list(dir)
		if err != nil {
			t.Fatal(err)
		}
		if files.size > o.MaxSize {
			t.Fatalf("after %d records there are %d bytes, bound %d", i, files.size, o.MaxSize)
		}
	}
	if n := len(segmentsOf(t, dir)); n < 3 {
		t.Errorf("only %d segments are kept", n)
	}
	if segmentsOf(t, dir)[0] == filepath.Join(dir, segmentName(1)) {
		t.Error("nothing was dropped")
	}
	j.abandon()
	_, r := mustOpen(t, dir, o)
	checkRestored(t, r, 2000)
}

func TestNumberOfFilesIsBounded(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, dir, Options{})
	for i := uint64(1); i <= filesKept; i++ {
		mustAppend(t, j, i, i)
		if err := j.Compact(nil, nil); err != nil {
			t.Fatal(err)
		}
	}
	if n := len(segmentsOf(t, dir)) + len(snapshotsOf(t, dir)); n > filesKept || n < filesKept-4 {
		t.Errorf("%d files, bound %d", n, filesKept)
	}
	j.abandon()
	_, r := mustOpen(t, dir, Options{})
	checkRestored(t, r, filesKept)
}

func TestWhatARestartNeedsIsKeptBeyondTheBound(t *testing.T) {
	dir := t.TempDir()
	o := Options{MaxSize: 8 << 10}
	j, _ := mustOpen(t, dir, o)
	mustAppend(t, j, 1, 500) // nobody compacts
	if len(segmentsOf(t, dir)) < 5 {
		t.Error("segments should have been rotated")
	}
	j.abandon()
	_, r := mustOpen(t, dir, o)
	checkRestored(t, r, 500)
	if len(r.Damage) != 0 {
		t.Errorf("damage %q", r.Damage)
	}
}

func TestWrongRecordsAreRefused(t *testing.T) {
	j, _ := mustOpen(t, t.TempDir(), Options{})
	for name, r := range map[string]Record{
		"event without number": {At: epoch0, Events: []mpp.Event{{Text: "x"}}},
		"pool without name":    {At: epoch0, Nodes: []mpp.NodeMemory{{Address: "a:1"}}},
		"status of no kind":    {At: epoch0, Pool: "p", Nodes: []mpp.NodeMemory{{Address: "a:1", Status: 77}}},
		"time of no calendar":  {At: time.Date(99999, 1, 1, 0, 0, 0, 0, time.UTC)},
	} {
		if err := j.Append(r, true); err == nil {
			t.Errorf("%s: no error", name)
		}
	}
	mustAppend(t, j, 1, 3)
	if len(j.fold.pools["p0"].nodes) != 1 || j.fold.pools["p"] != nil {
		t.Errorf("a refused record was kept: %+v", j.fold.pools)
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	if err := j.Close(); err != nil {
		t.Errorf("second close: %v", err)
	}
	if err := j.Append(nth(4), true); !errors.Is(err, ErrClosed) {
		t.Errorf("append after close: %v", err)
	}
	if err := j.Compact(nil, nil); !errors.Is(err, ErrClosed) || j.NeedsCompaction() {
		t.Errorf("compact after close: %v", err)
	}
}

func TestInputThatCannotBeEncodedCostsNoState(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, dir, Options{})
	r := nth(1)
	r.Input.Observation.Server.StartedAt = time.Date(20000, 1, 1, 0, 0, 0, 0, time.UTC)
	if err := j.Append(r, true); err != nil {
		t.Fatal(err)
	}
	j.abandon()
	_, restored := mustOpen(t, dir, Options{})
	checkRestored(t, restored, 1)
	for e, err := range Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Record != nil && (e.Record.Input != nil || !strings.Contains(e.Record.Note, "cannot be encoded")) {
			t.Errorf("record %+v", e.Record)
		}
	}
}

func TestOtherFormatVersionIsRefusedAndLeftAlone(t *testing.T) {
	for _, kind := range []string{"segment", "snapshot"} {
		dir := t.TempDir()
		j, _ := mustOpen(t, dir, Options{})
		mustAppend(t, j, 1, 5)
		if err := j.Compact(nil, nil); err != nil {
			t.Fatal(err)
		}
		j.abandon()
		var path string
		if kind == "segment" {
			path = segmentsOf(t, dir)[1]
			line, err := headerLine(6)
			if err != nil {
				t.Fatal(err)
			}
			body := strings.Replace(string(line[prefix:]), `"version":1`, `"version":2`, 1)
			sum := make([]byte, 8)
			putChecksum(sum, checksum([]byte(strings.TrimSuffix(body, "\n"))))
			edit(t, path, func([]byte) []byte { return []byte(string(sum) + " " + body) })
		} else {
			path = snapshotsOf(t, dir)[1]
			s := j.fold.snapshot(5, epoch0)
			s.Version = 2
			text, err := encodeSnapshot(s)
			if err != nil {
				t.Fatal(err)
			}
			edit(t, path, func([]byte) []byte { return text })
		}
		before, _ := os.ReadDir(dir)
		_, _, err := Open(dir, Options{})
		var version *VersionError
		if !errors.As(err, &version) || version.Version != 2 || version.Path != path || !strings.Contains(err.Error(), "start the release that wrote it") {
			t.Errorf("%s: %v", kind, err)
		}
		after, _ := os.ReadDir(dir)
		if len(before) != len(after) {
			t.Errorf("%s: files were changed: %v, before %v", kind, after, before)
		}
	}
}

func TestFileInPlaceOfTheDirectoryIsExplained(t *testing.T) {
	path := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(path, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, _, err := Open(path, Options{}); err == nil || !strings.Contains(err.Error(), "must be a directory") {
		t.Errorf("open: %v", err)
	}
	for _, err := range Read(filepath.Join(path, "x")) {
		if err == nil {
			t.Error("read: no error")
		}
	}
}
