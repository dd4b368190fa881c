package report_test

import (
	"os"
	"path/filepath"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/report"
)

func operation(pool string, id uint64) *mpp.Operation {
	return &mpp.Operation{
		ID: id, Pool: pool, Kind: mpp.OpFailover, Began: time.Unix(int64(id), 0).UTC(), Outcome: mpp.Completed,
		Steps: []mpp.Step{{N: 1, Kind: mpp.StepPromote, Node: "b:1", Status: mpp.StepDone, Position: &mpp.Position{Executed: "0-1-5"}}},
	}
}

func TestReportsComeBackNewestFirst(t *testing.T) {
	s := report.New(t.TempDir())
	for id := uint64(1); id <= 3; id++ {
		if err := s.Keep(operation("a", id)); err != nil {
			t.Fatal(err)
		}
	}
	if err := s.Keep(operation("b", 1)); err != nil {
		t.Fatal(err)
	}
	list, err := s.List("a", 2)
	if diff := cmp.Diff([]mpp.Operation{*operation("a", 3), *operation("a", 2)}, list); diff != "" || err != nil {
		t.Errorf("list (-want +got, %v):\n%s", err, diff)
	}
	if all, err := s.List("", 0); len(all) != 4 || err != nil {
		t.Errorf("all pools have %d reports (%v), want 4", len(all), err)
	}
	if op, found, err := s.Get("a", 2); !found || err != nil || op.ID != 2 {
		t.Errorf("got %v, %v, %v", op.ID, found, err)
	}
	if _, found, err := s.Get("a", 9); found || err != nil {
		t.Errorf("a report that is not there: %v, %v", found, err)
	}
}

func TestReportOfTheSameNumberIsReplaced(t *testing.T) {
	dir := t.TempDir()
	s := report.New(dir)
	op := operation("a", 1)
	for _, why := range []string{"before the crash", "after it"} {
		op.Why = why
		if err := s.Keep(op); err != nil {
			t.Fatal(err)
		}
	}
	got, _, err := s.Get("a", 1)
	if err != nil || got.Why != "after it" {
		t.Errorf("got %q, %v", got.Why, err)
	}
	if entries, _ := os.ReadDir(filepath.Join(dir, "a")); len(entries) != 1 {
		t.Errorf("%d files are left, want 1", len(entries))
	}
}

func TestUnwritableFolderIsAnError(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if report.New(file).Keep(operation("a", 1)) == nil {
		t.Error("a report below a file was kept")
	}
}
