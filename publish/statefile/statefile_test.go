package statefile_test

import (
	"os"
	"path/filepath"
	"sort"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/publish/folder"
	"mpp/publish/publishtest"
	"mpp/publish/statefile"
	"mpp/publish/statefile/format"
)

const hour = time.Hour

type bench struct {
	t    *testing.T
	w    *statefile.Writer
	dir  string
	boot string
}

func newBench(t *testing.T) bench {
	t.Helper()
	run := t.TempDir()
	w, err := statefile.New(run)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(w.Stop)
	boot, err := statefile.BootID()
	if err != nil {
		t.Fatal(err)
	}
	return bench{t, w, filepath.Join(run, format.Folder), boot}
}

func (b bench) write(v *mpp.View, at statefile.Moment) {
	b.t.Helper()
	if err := b.w.Write(v, at); err != nil {
		b.t.Fatal(err)
	}
}

func (b bench) pool(name string) *format.Pool {
	b.t.Helper()
	data, err := os.ReadFile(filepath.Join(b.dir, name+format.Suffix))
	if err != nil {
		b.t.Fatal(err)
	}
	p, err := format.ParsePool(data)
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func (b bench) up(node, role string, boot time.Duration) bool {
	b.t.Helper()
	for _, pool := range []string{"db1", "db2"} {
		p := b.pool(pool)
		for i := range p.Nodes {
			if p.Nodes[i].Address == node {
				return p.Answer(&p.Nodes[i], role, format.Moment{Boot: b.boot, Time: int64(boot)}).Up
			}
		}
	}
	b.t.Fatalf("no node %s", node)
	return false
}

func (b bench) files() string {
	b.t.Helper()
	entries, err := os.ReadDir(b.dir)
	if err != nil {
		b.t.Fatal(err)
	}
	var names []string
	for _, e := range entries {
		if e.Name() != folder.LockName {
			names = append(names, e.Name())
		}
	}
	sort.Strings(names)
	return strings.Join(names, " ")
}

func TestFilesHoldTheAnswersOfTheView(t *testing.T) {
	b, now := newBench(t), time.Now()
	b.write(publishtest.View(now), statefile.Moment{Now: now, Boot: hour})
	if got := b.files(); got != "db1.state db2.state index" {
		t.Errorf("files: %s", got)
	}
	for question, want := range map[string]bool{
		publishtest.Active + " writer": true, publishtest.Active + " reader": false, publishtest.Active + " ok": true,
		publishtest.Standby + " writer": false, publishtest.Standby + " reader": true, publishtest.Dead + " ok": false,
		publishtest.Unpolled + " ok": false, publishtest.V6 + " writer": true,
	} {
		node, role, _ := strings.Cut(question, " ")
		if got := b.up(node, role, hour+time.Second); got != want {
			t.Errorf("%s: %v, want %v", question, got, want)
		}
	}
	n := b.pool("db1").Nodes[1]
	if n.Lag != int64(7*time.Second) || n.Message != "7s behind" || n.Polled != int64(hour) {
		t.Errorf("%+v", n)
	}
	data, err := os.ReadFile(filepath.Join(b.dir, format.IndexName))
	if err != nil {
		t.Fatal(err)
	}
	x, err := format.ParseIndex(data)
	if err != nil || len(x.Entries) != 5 {
		t.Errorf("index %v %v", x, err)
	}
	for _, name := range []string{"db1.state", "index", ""} {
		info, err := os.Stat(filepath.Join(b.dir, name))
		if err != nil || info.Mode().Perm()&0o044 != 0o044 {
			t.Errorf("%q: other users cannot read it: %v %v", name, info.Mode(), err)
		}
	}
}

func TestAnswersEndWhenNobodyWritesAnyMore(t *testing.T) {
	b, now := newBench(t), time.Now()
	b.write(publishtest.View(now), statefile.Moment{Now: now, Boot: hour})
	if b.up(publishtest.Active, "writer", hour+6*time.Second) {
		t.Error("old data is answered with yes")
	}
	if !b.up(publishtest.V6, "writer", hour+time.Hour) {
		t.Error("when_stale = last_known is not kept")
	}
}

func TestSettingTheClockChangesNothing(t *testing.T) {
	for _, jump := range []time.Duration{-time.Hour, time.Hour} {
		b, now := newBench(t), time.Now()
		v := publishtest.View(now)
		b.write(v, statefile.Moment{Now: now, Boot: 2 * hour})
		b.write(v, statefile.Moment{Now: now.Add(2 * time.Second).Round(0).Add(jump), Boot: 2*hour + 2*time.Second})
		if got := b.pool("db1").Nodes[0].Polled; got != int64(2*hour) {
			t.Errorf("after a jump of %s the poll was %s later", jump, time.Duration(got)-2*hour)
		}
	}
}

func TestPollBeforeASuspendIsNotFresh(t *testing.T) {
	b, now := newBench(t), time.Now()
	v := publishtest.View(now)
	b.write(v, statefile.Moment{Now: now, Boot: hour})
	// the monotonic clock stood still for a minute, CLOCK_BOOTTIME did not
	b.write(v, statefile.Moment{Now: now.Add(10 * time.Millisecond), Boot: hour + time.Minute})
	if b.up(publishtest.Active, "writer", hour+time.Minute) {
		t.Error("a poll of before the suspend is answered with yes")
	}
}

func TestWhatCannotHaveBeenPolledIsNotPolled(t *testing.T) {
	now := time.Now()
	for name, last := range map[string]time.Time{"future": now.Add(time.Hour), "before the boot": now.Add(-2 * hour)} {
		b := newBench(t)
		b.write(publishtest.View(last), statefile.Moment{Now: now, Boot: hour})
		if p := b.pool("db2"); p.Nodes[0].Polled != 0 || b.up(publishtest.V6, "writer", hour) {
			t.Errorf("%s: polled at %d", name, p.Nodes[0].Polled)
		}
	}
}

// written is the heartbeat of db1's file.
func (b bench) written() time.Duration { return time.Duration(b.pool("db1").Written) }

func TestChangeIsWrittenAtOnceAndElseAHeartbeat(t *testing.T) {
	b, now := newBench(t), time.Now()
	at := func(d time.Duration) statefile.Moment { return statefile.Moment{Now: now.Add(d), Boot: hour + d} }
	v := publishtest.View(now)
	b.write(v, at(0))
	b.write(v, at(100*time.Millisecond))
	again := publishtest.View(now.Add(150 * time.Millisecond)) // polled again: only times differ
	b.write(again, at(200*time.Millisecond))
	if got := b.written(); got != hour {
		t.Errorf("written at %s although nothing changed", got-hour)
	}
	failed := publishtest.View(now.Add(250 * time.Millisecond))
	failed.Pools[0].Nodes[0].Evaluation, failed.Pools[0].Nodes[0].Status = mpp.Down, mpp.Fail
	b.write(failed, at(300*time.Millisecond))
	if got := b.written(); got != hour+300*time.Millisecond || b.up(publishtest.Active, "writer", hour+300*time.Millisecond) {
		t.Errorf("a change was not written at once: %s", got-hour)
	}
	b.write(failed, at(1200*time.Millisecond))
	if got := b.written(); got != hour+300*time.Millisecond {
		t.Errorf("written at %s, before the heartbeat was due", got-hour)
	}
	b.write(failed, at(1300*time.Millisecond))
	if got := b.written(); got != hour+1300*time.Millisecond {
		t.Errorf("the heartbeat is missing: %s", got-hour)
	}
}

func TestHeadOfAPoolIsWatchedToo(t *testing.T) {
	now := time.Now()
	for name, change := range map[string]func(p *mpp.PoolView){
		"status":      func(p *mpp.PoolView) { p.Status = mpp.Fail },
		"trouble":     func(p *mpp.PoolView) { p.Trouble = "WAN" },
		"message":     func(p *mpp.PoolView) { p.Message = "new" },
		"maintenance": func(p *mpp.PoolView) { p.Maintenance.On = true },
		"stale_after": func(p *mpp.PoolView) { p.StaleAfter = 9 * time.Second },
		"when_stale":  func(p *mpp.PoolView) { p.WhenStale = mpp.StaleLastKnown },
	} {
		b, v := newBench(t), publishtest.View(now)
		b.write(v, statefile.Moment{Now: now, Boot: hour})
		next := *v // shares the nodes, as the daemon's views do
		next.Pools = append([]mpp.PoolView(nil), v.Pools...)
		change(&next.Pools[0])
		b.write(&next, statefile.Moment{Now: now, Boot: hour + time.Millisecond})
		if b.written() != hour+time.Millisecond {
			t.Errorf("a change of %s was not written", name)
		}
	}
}

func TestHeartbeatIsFastWhereAgesAreShort(t *testing.T) {
	b, now := newBench(t), time.Now()
	v := publishtest.View(now)
	v.Pools[0].StaleAfter = 400 * time.Millisecond
	b.write(v, statefile.Moment{Now: now, Boot: hour})
	b.write(v, statefile.Moment{Now: now, Boot: hour + 100*time.Millisecond})
	if b.written() != hour+100*time.Millisecond {
		t.Error("with stale_after 400ms the file is older than 100ms")
	}
}

func TestTheFileOfAPoolThatIsNotReadyIsLeftAsItIs(t *testing.T) {
	b := newBench(t)
	v := publishtest.View(time.Now())
	v.Pools[0].Ready = false
	b.write(v, statefile.Moment{Now: v.At, Boot: time.Hour})
	if b.poolThere("db1") || !b.poolThere("db2") {
		t.Fatalf("files: %s; want that of the pool that is ready", b.files())
	}
	v.Pools[0].Ready = true
	b.write(v, statefile.Moment{Now: v.At, Boot: time.Hour})
	v.Pools[0].Ready = false
	v.Pools[0].Message = "something else"
	b.write(v, statefile.Moment{Now: v.At, Boot: 2 * time.Hour})
	if got := b.written(); got != time.Hour {
		t.Errorf("written again at %s", got)
	}
}

func TestPoolsThatAreGoneHaveNoFile(t *testing.T) {
	b, now := newBench(t), time.Now()
	for _, name := range []string{"old.state", "db1.state"} { // of a daemon before
		if err := os.WriteFile(filepath.Join(b.dir, name), []byte("x"), 0o644); err != nil {
			t.Fatal(err)
		}
	}
	v := publishtest.View(now)
	b.write(v, statefile.Moment{Now: now, Boot: hour})
	if got := b.files(); got != "db1.state db2.state index" {
		t.Errorf("files: %s", got)
	}
	v.Pools = v.Pools[1:]
	b.write(v, statefile.Moment{Now: now, Boot: hour})
	if got := b.files(); got != "db2.state index" {
		t.Errorf("files after db1 was taken out: %s", got)
	}
	b.write(&mpp.View{}, statefile.Moment{Now: now, Boot: hour})
	if got := b.files(); got != "index" {
		t.Errorf("files without pools: %s", got)
	}
}

func TestHalfWrittenFilesAreSweptAtTheStart(t *testing.T) {
	run := t.TempDir()
	dir := filepath.Join(run, format.Folder)
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{".new-db1.state", "db1.state"} {
		if err := os.WriteFile(filepath.Join(dir, name), nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	if _, err := statefile.New(run); err != nil {
		t.Fatal(err)
	}
	if got := (bench{t: t, dir: dir}).files(); got != "db1.state" {
		t.Errorf("files: %s", got)
	}
}

func TestFileThatCannotBeWrittenIsNamedAndTheOthersAreWritten(t *testing.T) {
	b, now := newBench(t), time.Now()
	if err := os.MkdirAll(filepath.Join(b.dir, "db1.state", "x"), 0o755); err != nil { // in the way
		t.Fatal(err)
	}
	v := publishtest.View(now)
	err := b.w.Write(v, statefile.Moment{Now: now, Boot: hour})
	if err == nil || !strings.Contains(err.Error(), "pool db1") {
		t.Errorf("error %v", err)
	}
	if !b.poolThere("db2") {
		t.Error("db2 was not written")
	}
	if err := os.RemoveAll(filepath.Join(b.dir, "db1.state")); err != nil {
		t.Fatal(err)
	}
	b.write(v, statefile.Moment{Now: now, Boot: hour + time.Millisecond})
	if diff := cmp.Diff(int64(hour+time.Millisecond), b.pool("db1").Written); diff != "" {
		t.Errorf("it was not tried again at the next write: %s", diff)
	}
}

func (b bench) poolThere(name string) bool {
	_, err := os.Stat(filepath.Join(b.dir, name+format.Suffix))
	return err == nil
}

func TestBothClocksAreRead(t *testing.T) {
	first := statefile.Now()
	second := statefile.Now()
	if first.Boot <= 0 || second.Boot < first.Boot || second.Now.Before(first.Now) {
		t.Errorf("%v %v", first, second)
	}
}

func BenchmarkWriteUnchanged(b *testing.B) {
	w, err := statefile.New(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	now := time.Now()
	v := publishtest.View(now)
	for b.Loop() {
		if err := w.Write(v, statefile.Moment{Now: now, Boot: hour}); err != nil {
			b.Fatal(err)
		}
	}
}
