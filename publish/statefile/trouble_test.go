package statefile_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/publish/folder"
	"mpp/publish/publishtest"
	"mpp/publish/statefile"
	"mpp/publish/statefile/format"
)

// full makes the pool's file impossible to write anew, as a full disk does, and returns what
// mends it.
func (b bench) full(pool string) (mend func()) {
	b.t.Helper()
	inTheWay := filepath.Join(b.dir, ".new-"+pool+format.Suffix)
	if err := os.MkdirAll(filepath.Join(inTheWay, "x"), 0o755); err != nil {
		b.t.Fatal(err)
	}
	return func() {
		b.t.Helper()
		if err := os.RemoveAll(inTheWay); err != nil {
			b.t.Fatal(err)
		}
	}
}

func TestAFullDiskLeavesNoFileThatSaysYesWhereNoIsRight(t *testing.T) {
	now := time.Now()
	at := func(d time.Duration) statefile.Moment { return statefile.Moment{Now: now.Add(d), Boot: hour + d} }
	cases := map[string]struct {
		change func(p *mpp.PoolView)
		stays  bool
	}{
		"times only": {func(p *mpp.PoolView) {
			p.Nodes[0].LastPoll = now.Add(time.Second)
		}, true},
		"a text": {func(p *mpp.PoolView) { p.Nodes[1].Message = "8s behind" }, true},
		"a yes more": {func(p *mpp.PoolView) {
			p.Nodes[2].Evaluation, p.Nodes[2].Reader = mpp.ReadOnly, true
		}, true},
		"the writer died": {func(p *mpp.PoolView) {
			p.Nodes[0].Evaluation = mpp.Down
		}, false},
		"a reader is late":  {func(p *mpp.PoolView) { p.Nodes[1].Reader = false }, false},
		"a node is gone":    {func(p *mpp.PoolView) { p.Nodes = p.Nodes[1:] }, false},
		"stale_after":       {func(p *mpp.PoolView) { p.StaleAfter = time.Second }, false},
		"not polled at all": {func(p *mpp.PoolView) { p.Nodes[0].LastPoll = time.Time{} }, false},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			b := newBench(t)
			b.write(publishtest.View(now), at(0))
			mend := b.full("db1")
			v := publishtest.View(now)
			c.change(&v.Pools[0])
			for try := range 3 {
				if err := b.w.Write(v, at(time.Duration(2+try)*time.Second)); err == nil || !strings.Contains(err.Error(), "pool db1") {
					t.Errorf("error %v", err)
				}
			}
			if got := b.poolThere("db1"); got != c.stays {
				t.Errorf("the old file is there: %v, want %v", got, c.stays)
			}
			mend()
			b.write(v, at(6*time.Second))
			if got := b.written(); got != hour+6*time.Second {
				t.Errorf("after the disk has room again, the file is of %s", got-hour)
			}
		})
	}
}

// TestAFullDiskAfterAStart has nothing of this run to compare with but the file itself.
func TestAFullDiskAfterAStartLeavesNoWrongYesOfTheRunBefore(t *testing.T) {
	b, now := newBench(t), time.Now()
	b.write(publishtest.View(now), statefile.Moment{Now: now, Boot: hour})
	b.w.Stop()
	w, err := statefile.New(filepath.Dir(b.dir))
	if err != nil {
		t.Fatal(err)
	}
	defer w.Stop()
	b.full("db1")
	v := publishtest.View(now)
	v.Pools[0].Nodes[0].Evaluation = mpp.Down
	if err := w.Write(v, statefile.Moment{Now: now, Boot: hour + time.Second}); err == nil {
		t.Error("no error")
	}
	if b.poolThere("db1") {
		t.Error("the dead node is still answered with yes")
	}
}

func TestWhatSomebodyRemovedIsWrittenAgainWithinASecond(t *testing.T) {
	for _, remove := range []string{"", "..", format.IndexName, "db1" + format.Suffix, folder.LockName} {
		t.Run(remove, func(t *testing.T) {
			b, now := newBench(t), time.Now()
			v := publishtest.View(now)
			b.write(v, statefile.Moment{Now: now, Boot: hour})
			if err := os.RemoveAll(filepath.Join(b.dir, remove)); err != nil {
				t.Fatal(err)
			}
			b.write(v, statefile.Moment{Now: now, Boot: hour + time.Second})
			if got := b.files(); got != "db1.state db2.state index" {
				t.Errorf("files: %s", got)
			}
			if _, err := statefile.New(filepath.Dir(b.dir)); err == nil {
				t.Error("the folder is not held any more")
			}
		})
	}
}

func TestASecondDaemonIsToldWhoWritesTheStateFiles(t *testing.T) {
	b := newBench(t)
	_, err := statefile.New(filepath.Dir(b.dir))
	if want := fmt.Sprintf("%s: it is used by another mppd (pid %d)", b.dir, os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
}

func TestAFolderThatCannotBeMadeIsTriedAgain(t *testing.T) {
	b, now := newBench(t), time.Now()
	v := publishtest.View(now)
	b.write(v, statefile.Moment{Now: now, Boot: hour})
	if err := os.RemoveAll(b.dir); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(b.dir, nil, 0o600); err != nil { // in the way
		t.Fatal(err)
	}
	for _, later := range []time.Duration{1000, 1100, 2500} { // also between two looks
		if err := b.w.Write(v, statefile.Moment{Now: now, Boot: hour + later*time.Millisecond}); err == nil || !strings.Contains(err.Error(), b.dir) {
			t.Errorf("%d ms: %v", later, err)
		}
	}
	if err := os.Remove(b.dir); err != nil {
		t.Fatal(err)
	}
	b.write(v, statefile.Moment{Now: now, Boot: hour + 4*time.Second})
	if got := b.files(); got != "db1.state db2.state index" {
		t.Errorf("files: %s", got)
	}
}
