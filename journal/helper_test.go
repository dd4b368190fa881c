package journal

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mpp"
)

var epoch0 = time.Date(2026, 3, 1, 3, 0, 0, 0, time.UTC)

const (
	testPools = 2
	testNodes = 5
)

func poolName(i uint64) string { return fmt.Sprintf("p%d", i%testPools) }

func nodeName(i uint64) string { return fmt.Sprintf("10.0.%d.%d:3306", i%testPools, i%testNodes) }

// nth is the record that a test writes as number i: everything in it follows from i.
func nth(i uint64) Record {
	at := epoch0.Add(time.Duration(i) * time.Second)
	states := []mpp.State{mpp.Unknown, mpp.Standby, mpp.Active, mpp.Failed}
	o := &mpp.Observation{
		Node: nodeName(i), At: at, Took: time.Duration(i) * time.Microsecond, Answered: true,
		Checks: []mpp.CheckResult{{Name: "connect", Class: mpp.Reach, Status: mpp.Status(i % 5), Message: fmt.Sprint("poll ", i)}},
	}
	r := Record{
		At: at, Pool: poolName(i),
		Input: &mpp.Input{At: at, Pool: poolName(i), Observation: o},
		Nodes: []mpp.NodeMemory{{
			Address: nodeName(i), State: states[i%4], Status: mpp.Status(i % 5), Errors: int(i), Since: at,
			Evidence: strings.Repeat("x", int(i%97)),
		}},
		Events: []mpp.Event{{Seq: i, At: at, Kind: mpp.EventState, Pool: poolName(i), Node: nodeName(i), Text: fmt.Sprint("event ", i)}},
	}
	if i%11 == 0 {
		r.PoolMemory = &mpp.PoolMemory{Name: poolName(i), CutOff: i%2 == 0, Since: at}
	}
	return r
}

// sum folds records 1 to n.
func sum(n uint64) *fold {
	f := newFold(1000)
	for i := uint64(1); i <= n; i++ {
		r := nth(i)
		r.Seq = i
		f.apply(&r)
	}
	return f
}

func mustOpen(t testing.TB, dir string, o Options) (*Journal, Restored) {
	t.Helper()
	j, r, err := Open(dir, o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = j.live.f.Close() })
	return j, r
}

// abandon ends a journal as kill -9 does.
func (j *Journal) abandon() { _ = j.live.f.Close() }

func mustAppend(t testing.TB, j *Journal, from, to uint64) {
	t.Helper()
	for i := from; i <= to; i++ {
		if err := j.Append(nth(i), i%3 == 0); err != nil {
			t.Fatalf("append %d: %v", i, err)
		}
	}
}

// diff compares what was restored with the sum of records 1 to n.
func diff(r Restored, n uint64) string {
	want, _ := sum(n).restored()
	if d := cmp.Diff(want, r.Pools, cmpopts.EquateEmpty()); d != "" {
		return "pools (-want +got):\n" + d
	}
	if r.NextEventSeq != n+1 {
		return fmt.Sprintf("next event is %d, want %d", r.NextEventSeq, n+1)
	}
	return ""
}

func checkRestored(t testing.TB, r Restored, n uint64) {
	t.Helper()
	if d := diff(r, n); d != "" {
		t.Fatal(d)
	}
}

// segmentsOf and snapshotsOf are paths, oldest first.
func segmentsOf(t testing.TB, dir string) []string { return glob(t, dir, "journal-*.log") }

func snapshotsOf(t testing.TB, dir string) []string { return glob(t, dir, "snapshot-*.json") }

func glob(t testing.TB, dir, pattern string) []string {
	t.Helper()
	paths, err := filepath.Glob(filepath.Join(dir, pattern))
	if err != nil {
		t.Fatal(err)
	}
	slices.Sort(paths)
	return paths
}

// edit changes a file.
func edit(t testing.TB, path string, change func([]byte) []byte) {
	t.Helper()
	text, err := os.ReadFile(path)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(path, change(text), 0o640); err != nil {
		t.Fatal(err)
	}
}

// lineOf returns where line n (0 is the header) of a text begins and ends.
func lineOf(text []byte, n int) (start, end int) {
	for i, c := range text {
		if c != '\n' {
			continue
		}
		if n == 0 {
			return start, i + 1
		}
		n--
		start = i + 1
	}
	return start, len(text)
}

// spoil flips bits in the middle of line n.
func spoil(t testing.TB, path string, n int) {
	t.Helper()
	edit(t, path, func(text []byte) []byte {
		start, end := lineOf(text, n)
		text[(start+end)/2] ^= 0x15
		return text
	})
}

func wantText(t testing.TB, what string, texts []string, parts ...string) {
	t.Helper()
	all := strings.Join(texts, "\n")
	for _, p := range parts {
		if !strings.Contains(all, p) {
			t.Errorf("%s does not say %q:\n%s", what, p, all)
		}
	}
}
