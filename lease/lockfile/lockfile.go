// Package lockfile locks a file for one process, by flock: the lock ends with the process,
// however it ends. What the holder writes in the file only tells people whose it is. The file
// is left behind, because removing it would let two processes lock two files of one name.
//
// Nothing here waits for a lock. Two locks of one process exclude each other like those of two,
// so a test needs a t.TempDir and nothing else.
package lockfile

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// The errors of Open; others are *fs.PathError and *LockError.
var (
	// ErrHeld: another process has the lock.
	ErrHeld = errors.New("another process holds the lock")
	// ErrUnstable: somebody goes on removing the file.
	ErrUnstable = errors.New("the file is removed again and again: find out what cleans this folder")
)

// LockError says that the file system would not lock.
type LockError struct {
	Path string
	Err  error
}

func (e *LockError) Error() string { return fmt.Sprintf("lock %s: %v", e.Path, e.Err) }

// Unwrap returns what the system said.
func (e *LockError) Unwrap() error { return e.Err }

// tries bounds how often a file that is replaced under our hands is opened again.
const tries = 5

// Open opens path, which is made with mode perm when it is missing, and locks it; closing the
// file ends the lock. A symbolic link is refused. With ErrHeld the file is open as well, so
// that the caller can read in it who the holder is; the caller closes it.
func Open(path string, perm fs.FileMode) (*os.File, error) {
	for range tries {
		f, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR|syscall.O_NOFOLLOW, perm)
		if err != nil {
			return nil, err
		}
		err = flock(f)
		if errors.Is(err, syscall.EWOULDBLOCK) {
			return f, ErrHeld
		}
		if err != nil {
			_ = f.Close() // the first error is the one to tell
			return nil, &LockError{path, err}
		}
		if Is(f, path) {
			return f, nil
		}
		_ = f.Close() // somebody removed it between open and lock
	}
	return nil, ErrUnstable
}

func flock(f *os.File) error {
	for {
		err := syscall.Flock(int(f.Fd()), syscall.LOCK_EX|syscall.LOCK_NB)
		if !errors.Is(err, syscall.EINTR) {
			return err
		}
	}
}

// Is reports whether path still names the open file f: else the lock protects nothing.
func Is(f *os.File, path string) bool {
	opened, err := f.Stat()
	if err != nil {
		return false
	}
	named, err := os.Lstat(path)
	return err == nil && os.SameFile(opened, named)
}
