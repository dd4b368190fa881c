// Package local grants the lease on a state directory: of all processes that use the same
// directory, one may act.
//
// The lease is an flock on the file "lease" in that directory, so it ends with the process
// that holds it, however it ends; what is written in the file only tells people who that is.
// Each lease has an epoch that is higher than every one before it. It is kept in the file
// "epoch", and once more in "lease".
//
// Acquire blocks only on the disk, and up to a quarter of a second for the name of a holder that
// has just begun. A Lease may be used by several goroutines. To test with it, give Acquire a
// t.TempDir: two leases of one process exclude each other like those of two processes.
package local

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"syscall"
	"time"

	"mpp/lease/lockfile"
)

const (
	lockName  = "lease"
	epochName = "epoch"
	filePerm  = 0o640
	dirPerm   = 0o750
)

// ErrHeld is the condition that another process has the lease.
var ErrHeld = errors.New("state directory is in use")

// ErrLost is the condition that the lock file is no longer the one that is locked.
var ErrLost = errors.New("lease is lost")

// Holder says who has a lease.
type Holder struct {
	PID  int    `json:"pid"`
	Host string `json:"host"`
	// Since is when the lease was acquired.
	Since time.Time `json:"since"`
	Epoch uint64    `json:"epoch"`
}

// HeldError is the refusal of a second lease; errors.Is finds ErrHeld in it.
type HeldError struct {
	Dir string
	// Holder is who has the lease; a zero PID means that it has not written its name.
	Holder Holder
	// Gone says that no process of that number is seen here: what is written may be of an
	// earlier holder, or the holder runs in a container.
	Gone bool
}

// Error names the holder and says what to do.
func (e *HeldError) Error() string {
	who := "by a process that has not written its name"
	if e.Holder.PID != 0 {
		who = fmt.Sprintf("by process %d on host %s since %s",
			e.Holder.PID, e.Holder.Host, e.Holder.Since.Format(time.RFC3339))
	}
	if e.Gone {
		who += " (as its lease file says; no such process is seen here)"
	}
	return fmt.Sprintf("acquire lease: state directory %s is in use %s: stop that one first, or configure another state directory for this one",
		e.Dir, who)
}

// Is makes errors.Is(err, ErrHeld) work.
func (e *HeldError) Is(target error) bool { return target == ErrHeld }

// Lease is the right to act on a state directory.
type Lease struct {
	dir    string
	holder Holder
	note   string

	mu   sync.Mutex
	file *os.File // nil once released
}

// Acquire takes the lease on dir, which is made (mode 0750) when it is missing. When another
// process has it, the error is a *HeldError that names it.
func Acquire(dir string) (*Lease, error) {
	if err := os.MkdirAll(dir, dirPerm); err != nil {
		return nil, dirError(dir, err)
	}
	f, err := lock(dir)
	if err != nil {
		return nil, err
	}
	l := &Lease{dir: dir, file: f}
	if err := l.begin(); err != nil {
		_ = f.Close() // the first error is the one to tell
		return nil, dirError(dir, err)
	}
	return l, nil
}

// lock opens the lock file and locks it.
func lock(dir string) (*os.File, error) {
	f, err := lockfile.Open(filepath.Join(dir, lockName), filePerm)
	var refused *lockfile.LockError
	switch {
	case errors.Is(err, lockfile.ErrHeld):
		held := &HeldError{Dir: dir}
		held.Holder, held.Gone = awaitHolder(f)
		_ = f.Close() // only read
		return nil, held
	case errors.As(err, &refused):
		return nil, fmt.Errorf("acquire lease: %w: the state directory must be on a file system that can lock files", err)
	case errors.Is(err, lockfile.ErrUnstable):
		return nil, fmt.Errorf("acquire lease in %s: %w", dir, err)
	case err != nil:
		return nil, dirError(dir, err)
	}
	return f, nil
}

// awaitHolder reads who holds the lock. A holder that has just got it may not have written
// its name yet, and what an earlier one left is not to be told: it is given a moment.
func awaitHolder(f *os.File) (h Holder, gone bool) {
	for try := 0; ; try++ {
		h, err := readHolder(f)
		if err == nil && h.alive() {
			return h, false
		}
		if try == 25 {
			return h, h.PID != 0
		}
		<-time.After(10 * time.Millisecond)
	}
}

// readHolder reads what is written in a lock file; io.EOF means nothing.
func readHolder(f *os.File) (Holder, error) {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 4096))
	if err != nil {
		return Holder{}, err
	}
	if len(text) == 0 {
		return Holder{}, io.EOF
	}
	var h Holder
	if err := json.Unmarshal(text, &h); err != nil {
		return Holder{}, fmt.Errorf("read holder: %w", err)
	}
	return h, nil
}

// alive reports whether the process may live: one on another host always may.
func (h Holder) alive() bool {
	if h.PID <= 0 {
		return false
	}
	if host, err := os.Hostname(); err != nil || host != h.Host {
		return true
	}
	return !errors.Is(syscall.Kill(h.PID, 0), syscall.ESRCH)
}

// begin finds the epoch and writes the holder's name.
func (l *Lease) begin() error {
	now := time.Now()
	epoch, note, err := l.nextEpoch(now)
	if err != nil {
		return err
	}
	host, err := os.Hostname()
	if err != nil {
		host = "unknown"
	}
	l.note = note
	l.holder = Holder{PID: os.Getpid(), Host: host, Since: now, Epoch: epoch}
	if err := l.writeHolder(l.holder); err != nil {
		return err
	}
	err = writeEpoch(l.dir, epoch)
	if errors.Is(err, syscall.ENOSPC) || errors.Is(err, syscall.EDQUOT) {
		// The lease file has it; a full disk must not keep the daemon from starting.
		l.note = fmt.Sprintf("%s could not be written (%v); epoch %d is kept in %s alone", epochName, err, epoch, lockName)
		return nil
	}
	return err
}

// holderSize is what a holder is padded to: one disk sector, written in place, so that it
// needs no room on a full disk and is never half there.
const holderSize = 512

func (l *Lease) writeHolder(h Holder) error {
	text, err := json.Marshal(h)
	if err != nil {
		return err
	}
	if pad := holderSize - 1 - len(text); pad > 0 {
		text = append(text, strings.Repeat(" ", pad)...)
	}
	if _, err := l.file.WriteAt(append(text, '\n'), 0); err != nil {
		return err
	}
	if err := l.file.Truncate(int64(len(text)) + 1); err != nil {
		return err
	}
	return l.file.Sync()
}

// Epoch is higher than that of every earlier lease on the directory.
func (l *Lease) Epoch() uint64 { return l.holder.Epoch }

// Holder says who this is.
func (l *Lease) Holder() Holder { return l.holder }

// Note says for people what was put in order, empty for nothing.
func (l *Lease) Note() string { return l.note }

// Check returns an error that is ErrLost when the lock file was removed or replaced, so that a
// second process could get a lease of its own; the daemon asks every few seconds. After Release
// it is ErrLost too.
func (l *Lease) Check() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	path := filepath.Join(l.dir, lockName)
	if l.file == nil {
		return fmt.Errorf("%w: it was released", ErrLost)
	}
	if !lockfile.Is(l.file, path) {
		return fmt.Errorf("%w: %s was removed or replaced while this process runs: "+
			"make sure that no second daemon runs on it, then restart this one", ErrLost, path)
	}
	return nil
}

// Release gives the lease up. A second Release does nothing.
func (l *Lease) Release() error {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.file == nil {
		return nil
	}
	// The name goes first: it must not be taken for the next holder's. The epoch stays.
	err := l.writeHolder(Holder{Epoch: l.holder.Epoch})
	if cerr := l.file.Close(); err == nil {
		err = cerr
	}
	l.file = nil
	if err != nil {
		return fmt.Errorf("release lease: %w", err)
	}
	return nil
}

// dirError says what to do about a state directory that cannot be used.
func dirError(dir string, err error) error {
	advice := "look at the directory and its file system"
	switch {
	case errors.Is(err, syscall.EROFS):
		advice = "remount its file system read-write, or configure another state directory"
	case errors.Is(err, fs.ErrPermission):
		advice = fmt.Sprintf("give the directory and its files to user id %d (chown), or configure another state directory", os.Geteuid())
	case errors.Is(err, syscall.ENOTDIR):
		advice = "it must be a directory: move the file away, or configure another state directory"
	case errors.Is(err, syscall.ENOSPC), errors.Is(err, syscall.EDQUOT):
		advice = "free some space on its file system"
	}
	return fmt.Errorf("acquire lease on %s: %w: %s", dir, err, advice)
}
