package journal

import (
	"bytes"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mpp"
)

// written makes a journal of n records that ended with kill -9, with a snapshot after record
// compact when that is not 0.
func written(t testing.TB, n, compact uint64) string {
	t.Helper()
	dir := t.TempDir()
	j, _ := mustOpen(t, dir, Options{})
	for i := uint64(1); i <= n; i++ {
		mustAppend(t, j, i, i)
		if i == compact {
			if err := j.Compact(nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	j.abandon()
	return dir
}

// checkCertain compares every node that is not uncertain with the sum of n records, and
// that uncertain ones are UNKNOWN.
func checkCertain(t testing.TB, r Restored, n uint64) {
	t.Helper()
	if d := diffCertain(r, n); d != "" {
		t.Fatal(d)
	}
}

func diffCertain(r Restored, n uint64) string {
	want, _ := sum(n).restored()
	unsure := make(map[part]bool)
	for _, u := range r.Uncertain {
		unsure[part{u.Pool, u.Node}] = true
	}
	for name, p := range r.Pools {
		w, known := want[name]
		if !known {
			return fmt.Sprintf("pool %s is invented", name)
		}
		if d := cmp.Diff(w, p, cmpopts.IgnoreFields(mpp.PoolMemory{}, "Nodes")); d != "" && !unsure[part{name, ""}] {
			return fmt.Sprintf("pool %s: %s", name, d)
		}
		for _, node := range p.Nodes {
			at := slices.IndexFunc(w.Nodes, func(x mpp.NodeMemory) bool { return x.Address == node.Address })
			if at < 0 {
				return fmt.Sprintf("node %s is invented", node.Address)
			}
			if unsure[part{name, node.Address}] {
				if node.State != mpp.Unknown || node.Evidence == "" {
					return fmt.Sprintf("uncertain node is %+v", node)
				}
				continue
			}
			if d := cmp.Diff(w.Nodes[at], node); d != "" {
				return fmt.Sprintf("node %s: %s", node.Address, d)
			}
		}
	}
	return ""
}

func uncertainNodes(r Restored) []string {
	var names []string
	for _, u := range r.Uncertain {
		if u.Node != "" {
			names = append(names, u.Node)
		}
	}
	slices.Sort(names)
	return names
}

// checkMended opens a journal again that was damaged, appends to it and opens it once more:
// nothing is told twice, and nothing is lost.
func checkMended(t *testing.T, dir string, first Restored) {
	t.Helper()
	j, r := mustOpen(t, dir, Options{})
	if len(r.Damage) != 0 {
		t.Errorf("damage is told again: %q", r.Damage)
	}
	if d := cmp.Diff(first.Pools, r.Pools, cmpopts.EquateEmpty()); d != "" {
		t.Errorf("the second start differs: %s", d)
	}
	if d := cmp.Diff(first.Uncertain, r.Uncertain); d != "" {
		t.Errorf("uncertain at the second start: %s", d)
	}
	for _, m := range r.Pools {
		m.Trouble = "LAN"
		if err := j.Append(Record{At: epoch0, Pool: m.Name, PoolMemory: &m}, true); err != nil {
			t.Fatal(err)
		}
	}
	j.abandon()
	_, r = mustOpen(t, dir, Options{})
	if len(r.Uncertain)+len(r.Damage) != 0 {
		t.Errorf("after new records: uncertain %v, damage %q", r.Uncertain, r.Damage)
	}
	for _, m := range r.Pools {
		if m.Trouble != "LAN" || len(m.Nodes) != len(first.Pools[m.Name].Nodes) {
			t.Errorf("after new records: %+v", m)
		}
	}
}

func TestRecordCutShortIsCutOffWithANote(t *testing.T) {
	whole := written(t, 30, 0)
	path := segmentsOf(t, whole)[0]
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	start, end := lineOf(text, 30)
	for cut := start + 1; cut < end; cut += 41 {
		for _, zeros := range []int{0, 4096} {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			torn := append(slices.Clone(text[:cut]), make([]byte, zeros)...)
			edit(t, filepath.Join(dir, filepath.Base(path)), func([]byte) []byte { return torn })
			edit(t, filepath.Join(dir, endName), func([]byte) []byte { return endLine(29) })
			j, r := mustOpen(t, dir, Options{})
			checkRestored(t, r, 29)
			if len(r.Damage)+len(r.Uncertain) != 0 || len(r.Notes) != 1 {
				t.Fatalf("cut at %d: damage %q, notes %q", cut, r.Damage, r.Notes)
			}
			wantText(t, "note", r.Notes, filepath.Base(path), fmt.Sprintf("offset %d", start), "cut short")
			mustAppend(t, j, 30, 33)
			j.abandon()
			_, r = mustOpen(t, dir, Options{})
			checkRestored(t, r, 33)
			if len(r.Notes)+len(r.Damage) != 0 {
				t.Fatalf("cut at %d: then damage %q, notes %q", cut, r.Damage, r.Notes)
			}
		}
	}
}

func TestAJournalThatEndsBeforeWhatWasAcknowledgedIsDamaged(t *testing.T) {
	whole := written(t, 30, 0)
	path := segmentsOf(t, whole)[0]
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	middle, _ := lineOf(text, 15)
	_, border := lineOf(text, 20)
	for what, c := range map[string]struct {
		size int
		last uint64
	}{
		"in the last line": {len(text) - 7, 29}, "in the middle of a line": {middle + 9, 14}, "between two lines": {border, 20},
	} {
		t.Run(what, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
				t.Fatal(err)
			}
			edit(t, filepath.Join(dir, filepath.Base(path)), func([]byte) []byte { return text[:c.size] })
			if p, err := Peek(dir, Options{}); err != nil || len(p.Damage) != 1 {
				t.Errorf("a look from outside: damage %q, error %v", p.Damage, err)
			}
			j, r := mustOpen(t, dir, Options{})
			wantText(t, "damage", r.Damage, "cut short", "missing")
			if r.LastSeq != 30 || len(r.Uncertain) == 0 {
				t.Errorf("last record %d, uncertain %d", r.LastSeq, len(r.Uncertain))
			}
			mustAppend(t, j, 31, 31)
			j.abandon()
			if _, r = mustOpen(t, dir, Options{}); len(r.Damage) != 0 {
				t.Errorf("told again: %q", r.Damage)
			}
		})
	}
	t.Run("all files are gone", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, endName), endLine(30), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, r := mustOpen(t, dir, Options{}); r.Fresh || len(r.Damage) != 1 {
			t.Errorf("fresh %v, damage %q", r.Fresh, r.Damage)
		}
	})
	t.Run("the mark cannot be read", func(t *testing.T) {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, endName), []byte("00000000000000000030 xxxxxxxx\n"), 0o600); err != nil {
			t.Fatal(err)
		}
		if _, r := mustOpen(t, dir, Options{}); !r.Fresh {
			t.Errorf("damage %q", r.Damage)
		}
	})
}

func TestNodeWhoseLastRecordMayBeInAGapIsUncertain(t *testing.T) {
	dir := written(t, 40, 0)
	path := segmentsOf(t, dir)[0]
	spoil(t, path, 36)
	j, r := mustOpen(t, dir, Options{})
	j.abandon()
	checkCertain(t, r, 40)
	var want []string // ten nodes take turns: those of 37 to 40 are certain
	for i := uint64(31); i <= 36; i++ {
		want = append(want, nodeName(i))
	}
	slices.Sort(want)
	if d := cmp.Diff(want, uncertainNodes(r)); d != "" {
		t.Errorf("uncertain nodes: %s", d)
	}
	wantText(t, "damage", r.Damage, filepath.Base(path), "offset", "record 36 is missing")
	if aside := glob(t, dir, "*.damaged"); len(aside) != 1 || !strings.HasPrefix(aside[0], path) {
		t.Errorf("kept aside: %v", aside)
	}
	for _, u := range r.Uncertain {
		if u.Node != "" && (u.LastKnown.State == "" || u.LastKnown.Address != u.Node || u.Why != "record 36 is missing") {
			t.Errorf("uncertain %+v", u)
		}
	}
	if r.NextEventSeq != 41 || r.LastSeq != 40 {
		t.Errorf("next event %d, last record %d", r.NextEventSeq, r.LastSeq)
	}
	checkMended(t, dir, r)
	var records, damage int
	for e, err := range Read(dir) {
		if err != nil {
			t.Fatal(err)
		}
		if e.Record != nil {
			records++
		}
		if e.Damage != "" {
			damage++
		}
	}
	if records != 39+testPools || damage != 2 {
		t.Errorf("history has %d records and %d damages", records, damage)
	}
}

func TestPruningLeavesWhatTheFallbackNeeds(t *testing.T) {
	dir := t.TempDir()
	o := Options{MaxSize: 1, MaxSegment: 4 << 10, EventsKept: 5}
	j, _ := mustOpen(t, dir, o)
	for i := uint64(1); i <= 200; i++ {
		mustAppend(t, j, i, i)
		if j.NeedsCompaction() {
			if err := j.Compact(nil, nil); err != nil {
				t.Fatal(err)
			}
		}
	}
	j.abandon()
	snapshots := snapshotsOf(t, dir)
	if len(snapshots) != 2 {
		t.Fatalf("%d snapshots are left", len(snapshots))
	}
	spoil(t, snapshots[1], 0)
	_, r := mustOpen(t, dir, o)
	checkRestored(t, r, 200)
	if len(r.Uncertain) != 0 {
		t.Errorf("uncertain %v", r.Uncertain)
	}
}

func TestMaintenanceOfAnUncertainNodeIsKept(t *testing.T) {
	dir := t.TempDir()
	j, _ := mustOpen(t, dir, Options{})
	m := mpp.Maintenance{On: true, Since: epoch0, Reason: "disk swap"}
	n := mpp.NodeMemory{Address: "a:1", State: mpp.Active, Errors: 3, Maintenance: m}
	for range 3 {
		if err := j.Append(Record{At: epoch0, Pool: "p", Nodes: []mpp.NodeMemory{n}, PoolMemory: &mpp.PoolMemory{Maintenance: m}}, true); err != nil {
			t.Fatal(err)
		}
	}
	j.abandon()
	spoil(t, segmentsOf(t, dir)[0], 3)
	_, r := mustOpen(t, dir, Options{})
	want := mpp.NodeMemory{
		Address: "a:1", State: mpp.Unknown, Maintenance: m,
		Evidence: "journal damaged: last known ACTIVE; record 3 and perhaps more after it are missing",
	}
	if d := cmp.Diff(map[string]mpp.PoolMemory{"p": {Name: "p", Maintenance: m, Nodes: []mpp.NodeMemory{want}}}, r.Pools); d != "" {
		t.Error(d)
	}
	if len(r.Uncertain) != 2 || r.Uncertain[1].LastKnown != n {
		t.Errorf("uncertain %+v", r.Uncertain)
	}
}

func TestEveryDamagedLineIsFound(t *testing.T) {
	for line := 0; line <= 20; line++ {
		dir := written(t, 20, 0)
		spoil(t, segmentsOf(t, dir)[0], line)
		j, r := mustOpen(t, dir, Options{})
		j.abandon()
		checkCertain(t, r, 20)
		if len(r.Damage) == 0 {
			t.Errorf("line %d: no damage told", line)
		}
		if line > 0 {
			wantText(t, "damage", r.Damage, fmt.Sprintf("record %d", line))
		} else if len(r.Uncertain) != 0 {
			t.Errorf("a damaged header makes %v uncertain", r.Uncertain)
		}
		checkMended(t, dir, r)
	}
}

func TestDamagedEndLeavesAGapInTheNumbersForGood(t *testing.T) {
	dir := written(t, 20, 0)
	spoil(t, segmentsOf(t, dir)[0], 20)
	// The daemon dies between the renaming of the damaged file and the snapshot.
	l, err := load(dir, 10)
	if err != nil {
		t.Fatal(err)
	}
	if err := setAside(l.broken[0]); err != nil {
		t.Fatal(err)
	}
	for _, made := range []bool{false, true} {
		if made {
			s, err := createSegment(dir, l.last+1, openOS)
			if err != nil {
				t.Fatal(err)
			}
			_ = s.f.Close()
		}
		r, err := Peek(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(uncertainNodes(r)) != testNodes*testPools {
			t.Errorf("new segment made %v: uncertain %v", made, r.Uncertain)
		}
	}
	j, r := mustOpen(t, dir, Options{})
	j.abandon()
	checkMended(t, dir, r)
}

func TestGarbageBetweenRecordsLosesNothing(t *testing.T) {
	dir := written(t, 20, 0)
	edit(t, segmentsOf(t, dir)[0], func(text []byte) []byte {
		_, end := lineOf(text, 10)
		return slices.Concat(text[:end], bytes.Repeat([]byte{0, '\n', 255}, 2000), []byte("\n"), text[end:])
	})
	j, r := mustOpen(t, dir, Options{})
	j.abandon()
	checkRestored(t, r, 20)
	if len(r.Uncertain) != 0 {
		t.Errorf("uncertain %v", r.Uncertain)
	}
	wantText(t, "damage", r.Damage, "6001 bytes at offset", "no record is missing")
	checkMended(t, dir, r)
}

func TestRepeatedAndSwappedLinesAreNotAppliedTwice(t *testing.T) {
	dir := written(t, 20, 0)
	edit(t, segmentsOf(t, dir)[0], func(text []byte) []byte {
		_, end := lineOf(text, 20)
		a, b := lineOf(text, 3)
		return slices.Concat(text[:end], text[a:b])
	})
	j, r := mustOpen(t, dir, Options{})
	j.abandon()
	checkRestored(t, r, 20)
	wantText(t, "damage", r.Damage, "record 3 is there again or out of order")

	dir = written(t, 20, 0)
	edit(t, segmentsOf(t, dir)[0], func(text []byte) []byte {
		a, b := lineOf(text, 19)
		return slices.Concat(text[:a], text[b:], text[a:b])
	})
	j, r = mustOpen(t, dir, Options{})
	j.abandon()
	checkCertain(t, r, 20)
	wantText(t, "damage", r.Damage, "record 19 is missing")
	if slices.Contains(uncertainNodes(r), nodeName(20)) || !slices.Contains(uncertainNodes(r), nodeName(19)) {
		t.Errorf("uncertain %v", r.Uncertain)
	}
}

func TestDamagedSnapshotFallsBackToTheOneBefore(t *testing.T) {
	for name, spoilIt := range map[string]func([]byte) []byte{
		"flipped": func(b []byte) []byte { b[len(b)/2] ^= 1; return b },
		"cut":     func(b []byte) []byte { return b[:len(b)/3] },
		"empty":   func([]byte) []byte { return nil },
	} {
		t.Run(name, func(t *testing.T) {
			dir := written(t, 40, 20)
			edit(t, snapshotsOf(t, dir)[1], spoilIt)
			j, r := mustOpen(t, dir, Options{})
			j.abandon()
			checkRestored(t, r, 40)
			if len(r.Uncertain) != 0 {
				t.Errorf("uncertain %v", r.Uncertain)
			}
			wantText(t, "damage", r.Damage, filepath.Base(snapshotName(20)), "the one before it")
			if aside := glob(t, dir, "snapshot*.damaged"); len(aside) != 1 {
				t.Errorf("kept aside: %v", aside)
			}
			checkMended(t, dir, r)
		})
	}
}

func TestWithoutAnySnapshotOnlyLaterRecordsCount(t *testing.T) {
	dir := written(t, 24, 20)
	for _, path := range snapshotsOf(t, dir) {
		edit(t, path, func(b []byte) []byte { return b[1:] })
	}
	if err := os.Remove(segmentsOf(t, dir)[0]); err != nil {
		t.Fatal(err)
	}
	j, r := mustOpen(t, dir, Options{})
	j.abandon()
	checkCertain(t, r, 24)
	if n := len(r.Pools["p0"].Nodes) + len(r.Pools["p1"].Nodes); n != 4 {
		t.Errorf("%d nodes", n)
	}
	wantText(t, "damage", r.Damage, "records 1 to 20 are missing", "only the records that are left")
	if len(uncertainNodes(r)) != 0 || len(r.Uncertain) != testPools-1 { // record 22 tells of p0 itself
		t.Errorf("uncertain %v", r.Uncertain)
	}
	checkMended(t, dir, r)
}
