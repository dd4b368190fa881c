// Package statefile writes the small files that mpp-check answers load balancers from: one a
// pool, and an index of all nodes, in a folder below run_dir.
//
// A Writer belongs to one goroutine of the daemon, which calls Write at every new view and
// at every tick. It owns the folder, and holds it against other daemons (package folder): files
// of pools that are gone are removed. Files are replaced by rename, so that a reader sees a whole file; they are not synced to disk,
// because after a crash of the host they mean nothing. Write blocks for as long as the file
// system does: run_dir should be a tmpfs, as /run is.
//
// When a file cannot be written (a full disk), the old one stays as long as what it says is not
// wrong, and grows stale; one that says yes where no is right is removed. A folder that somebody
// removed is made again.
//
// When the daemon stops, the files stay: their data grows stale by itself, so that a restart
// within stale_after goes unnoticed, and when_stale = "last_known" is kept.
//
// Times in the files are CLOCK_BOOTTIME, so that nobody who sets the clock makes old data
// fresh. To test with the package, give Write moments of your own.
package statefile

import (
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mpp"
	"mpp/publish/answer"
	"mpp/publish/folder"
	"mpp/publish/statefile/format"
)

// Moment is a time on both clocks.
type Moment struct {
	// Now is the time as the view knows it.
	Now time.Time
	// Boot is the time since the host started, suspended time included (CLOCK_BOOTTIME).
	Boot time.Duration
}

// Now reads both clocks.
func Now() Moment {
	var ts unix.Timespec
	_ = unix.ClockGettime(unix.CLOCK_BOOTTIME, &ts) // cannot fail on a kernel that runs Go
	return Moment{Now: time.Now(), Boot: time.Duration(ts.Nano())}
}

// heartbeatMost is the longest time that a file is left as it is.
const heartbeatMost = time.Second

// checkEvery is how often is looked whether somebody has removed the folder or the index.
const checkEvery = time.Second

// Writer keeps the files. New makes one, Stop gives the folder back.
type Writer struct {
	dir    string
	hold   *folder.Folder
	lost   error         // why the folder is not ours, when last looked
	looked time.Duration // when that was, 0 for never or to look again
	boot   string
	pools  map[string]*file
	index  []byte // as it was written
	swept  bool   // no file of a pool that is gone is left
	buf    []byte
}

// file is what was last written of a pool.
type file struct {
	pool  format.Pool
	nodes []mpp.NodeView // of the view; only its identity is used
	// polled keeps at which boot time each node's last poll started.
	polled map[string]polled
	at     time.Duration // when it was written; 0 means: must be written
}

type polled struct {
	last time.Time
	boot int64
}

// New takes the folder "pools" in runDir and removes what was left half written there. When
// another daemon uses it, the error says so.
func New(runDir string) (*Writer, error) {
	boot, err := BootID()
	if err != nil {
		return nil, err
	}
	dir := filepath.Join(runDir, format.Folder)
	hold, err := folder.Take(dir)
	if err != nil {
		return nil, fmt.Errorf("prepare state files: %w", err)
	}
	if err := os.Chmod(dir, 0o755); err != nil { // whatever made it: balancers read here
		hold.Release()
		return nil, fmt.Errorf("prepare state files: %w", err)
	}
	w := &Writer{dir: dir, hold: hold, boot: boot, pools: map[string]*file{}}
	if err := w.sweep(func(name string) bool { return strings.HasPrefix(name, temporary) }); err != nil {
		hold.Release()
		return nil, err
	}
	return w, nil
}

// Stop gives the folder back. The files stay.
func (w *Writer) Stop() { w.hold.Release() }

// BootID returns the kernel's id of this boot.
func BootID() (string, error) {
	text, err := os.ReadFile("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return "", fmt.Errorf("read boot id: %w", err)
	}
	return strings.TrimSpace(string(text)), nil
}

// Write brings the files in step with the view. A pool's file is written when something but
// its times changed, and else when its heartbeat is due; without that Write costs little. The
// file of a pool that is not ready stays as the daemon before left it, and grows stale. An
// error lists every file that could not be written; the others were. A nil view changes
// nothing.
func (w *Writer) Write(view *mpp.View, at Moment) error {
	if view == nil {
		return nil
	}
	if err := w.check(at); err != nil {
		return err
	}
	var errs []error
	seen := make(map[string]bool, len(view.Pools))
	for i := range view.Pools {
		p := &view.Pools[i]
		seen[p.Name] = true
		if !p.Ready {
			continue
		}
		if err := w.writePool(p, at); err != nil {
			errs = append(errs, err)
		}
	}
	if err := w.writeIndex(view); err != nil {
		errs = append(errs, err)
	}
	err := errors.Join(append(errs, w.forget(seen))...)
	if err != nil {
		w.looked = 0 // perhaps the folder is gone
	}
	return err
}

// check looks now and then whether the folder and the index are still there, and has everything
// written again when they are not. An error says that nothing may be written.
func (w *Writer) check(at Moment) error {
	if w.looked != 0 && at.Boot-w.looked < checkEvery && at.Boot >= w.looked {
		return w.lost
	}
	w.looked = at.Boot
	fresh, err := w.hold.Renew()
	if w.lost = err; err != nil {
		w.lost = fmt.Errorf("write state files: %w", err)
		return w.lost
	}
	if _, err := os.Lstat(filepath.Join(w.dir, format.IndexName)); fresh || err != nil {
		w.index = nil
	}
	if fresh {
		w.swept = false
		for _, f := range w.pools {
			f.at = 0
		}
	}
	return nil
}

func (w *Writer) writePool(p *mpp.PoolView, at Moment) error {
	f := w.pools[p.Name]
	if f == nil {
		f = &file{polled: map[string]polled{}}
		w.pools[p.Name] = f
	}
	due := f.at == 0 || at.Boot-f.at >= heartbeat(p.StaleAfter) || at.Boot < f.at
	if !due && sameNodes(f.nodes, p.Nodes) && sameHead(&f.pool, p, at.Now) {
		return nil
	}
	next := w.convert(f, p, at)
	f.nodes = p.Nodes
	if !due && sameBut(&f.pool, &next) {
		return nil
	}
	f.pool, f.at = next, 0
	name, valid := format.FileOf(p.Name)
	if !valid {
		return fmt.Errorf("write state of pool %q: no file can have this name", p.Name)
	}
	w.buf = f.pool.Append(w.buf[:0])
	err := w.replace(name, w.buf)
	if err != nil && w.retract(name, &f.pool) {
		err = w.replace(name, w.buf) // on a full disk there is room now
	}
	if err != nil {
		return fmt.Errorf("write state of pool %s: %w", p.Name, err)
	}
	f.at = at.Boot
	return nil
}

// retract removes a pool's old file when it says yes where the new one, which could not be
// written, says no: no file is a no, too. One that is only old grows stale by itself. It reports
// whether the file is gone; where it cannot be removed either, the file system is read-only, and
// the error of writing says so.
func (w *Writer) retract(name string, next *format.Pool) bool {
	path := filepath.Join(w.dir, name)
	data, err := os.ReadFile(path)
	if err != nil {
		return false // who asks cannot read it either
	}
	old, err := format.ParsePool(data)
	return err == nil && promisesMore(old, next) && os.Remove(path) == nil
}

// promisesMore reports whether an old file says yes where the new one says no, or for longer.
func promisesMore(old, next *format.Pool) bool {
	if (old.LastKnown && !next.LastKnown) || old.StaleAfter > next.StaleAfter {
		return true
	}
	now := make(map[string]*format.Node, len(next.Nodes))
	for i := range next.Nodes {
		now[next.Nodes[i].Address] = &next.Nodes[i]
	}
	for i := range old.Nodes {
		was, is := &old.Nodes[i], now[old.Nodes[i].Address]
		if is == nil || is.Polled == 0 {
			is = &format.Node{}
		}
		if (was.Writer.Up && !is.Writer.Up) || (was.Reader.Up && !is.Reader.Up) || (was.OK.Up && !is.OK.Up) {
			return true
		}
	}
	return false
}

// heartbeat is how long a file may be left as it is: the age that a reader sees is wrong by
// as much, so it is a fraction of the age that matters.
func heartbeat(staleAfter time.Duration) time.Duration {
	return max(min(heartbeatMost, staleAfter/4), 50*time.Millisecond)
}

// sameNodes reports whether a view shares its nodes with the one before: the daemon takes
// unchanged pools over.
func sameNodes(a, b []mpp.NodeView) bool {
	return len(a) == len(b) && (len(a) == 0 || &a[0] == &b[0])
}

func sameHead(was *format.Pool, p *mpp.PoolView, now time.Time) bool {
	return was.Status == p.Status.String() && was.Trouble == p.Trouble && was.Maintenance == p.Maintenance.InForce(now) &&
		was.Message == answer.OneLine(p.Message) && was.StaleAfter == int64(p.StaleAfter) && was.LastKnown == (p.WhenStale == mpp.StaleLastKnown)
}

// sameBut reports whether two pools differ in nothing but times and lag.
func sameBut(a, b *format.Pool) bool {
	if len(a.Nodes) != len(b.Nodes) || a.Status != b.Status || a.Trouble != b.Trouble || a.Maintenance != b.Maintenance ||
		a.Message != b.Message || a.StaleAfter != b.StaleAfter || a.LastKnown != b.LastKnown {
		return false
	}
	for i := range a.Nodes {
		x, y := a.Nodes[i], b.Nodes[i]
		if (x.Polled == 0) != (y.Polled == 0) {
			return false
		}
		x.Polled, x.Took, x.Lag, y.Polled, y.Took, y.Lag = 0, 0, 0, 0, 0, 0
		if x != y {
			return false
		}
	}
	return true
}
