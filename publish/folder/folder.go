// Package folder holds a folder for one process: nobody else may write the answers that
// balancers read there.
//
// The hold is an flock on the file ".lock" in the folder, so it ends with the process, however
// it ends; the number written in it only tells people whose it is. The file is left behind,
// because removing it would let two processes lock two files of one name. Who sweeps the
// folder leaves it alone.
//
// A Folder belongs to one goroutine. It blocks on nothing but the file system. To test with it,
// give Take a t.TempDir: two holds of one process exclude each other like those of two.
package folder

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"

	"mpp/lease/lockfile"
)

// LockName is the file that is locked. Its mode is 0600: who can open it can hold it.
const LockName = ".lock"

// Folder is a folder that is held. Take makes one.
type Folder struct {
	dir  string
	lock *os.File // nil when the hold was lost or released
}

// Take makes the folder when it is missing, readable for others whatever the umask, and holds
// it. When another process does, the error names folder and process.
func Take(dir string) (*Folder, error) {
	f := &Folder{dir: dir}
	if err := f.take(); err != nil {
		return nil, err
	}
	return f, nil
}

// Renew makes sure that the folder is there and still held, and takes it again when somebody
// has removed or replaced it or its lock file; fresh reports that. After an error nothing may
// be written, because the folder may be another process's now; the next Renew tries again.
func (f *Folder) Renew() (fresh bool, err error) {
	if f.lock != nil && lockfile.Is(f.lock, filepath.Join(f.dir, LockName)) {
		return false, nil
	}
	f.Release()
	if err := f.take(); err != nil {
		return false, err
	}
	return true, nil
}

// Release ends the hold and changes nothing else. It may be called more than once.
func (f *Folder) Release() {
	if f.lock != nil {
		_ = f.lock.Close() // it is only a lock
		f.lock = nil
	}
}

func (f *Folder) take() error {
	if err := makeAll(f.dir); err != nil {
		return fmt.Errorf("make folder %s: %w", f.dir, err)
	}
	file, err := lockfile.Open(filepath.Join(f.dir, LockName), 0o600)
	var refused *lockfile.LockError
	switch {
	case errors.Is(err, lockfile.ErrHeld):
		who := holder(file)
		_ = file.Close() // only read
		return fmt.Errorf("take folder %s: it is used by another mppd%s: stop that one first, or configure another folder for this one", f.dir, who)
	case errors.As(err, &refused):
		return fmt.Errorf("take folder %s: %w: it must be on a file system that can lock files", f.dir, err)
	case err != nil:
		return fmt.Errorf("take folder %s: %w", f.dir, err)
	}
	f.lock = file
	sign(file)
	return nil
}

// makeAll makes a folder and those above it that are missing, each readable for others whatever
// the umask; what is there is left as it is.
func makeAll(dir string) error {
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrNotExist) && filepath.Dir(dir) != dir {
		if err := makeAll(filepath.Dir(dir)); err != nil {
			return err
		}
		err = os.Mkdir(dir, 0o755)
	}
	if errors.Is(err, fs.ErrExist) {
		return nil // if it is no folder, the next step says so
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

// sign writes who holds the folder. On a full disk the name is missing, and the hold is not.
func sign(f *os.File) {
	text := strconv.Itoa(os.Getpid()) + "\n"
	if _, err := f.WriteAt([]byte(text), 0); err == nil {
		_ = f.Truncate(int64(len(text)))
	}
}

// holder reads who holds the folder, " (pid 12)", or nothing when that is not written.
func holder(f *os.File) string {
	text, err := io.ReadAll(io.NewSectionReader(f, 0, 32))
	if err != nil {
		return ""
	}
	pid, err := strconv.Atoi(strings.TrimSpace(string(text)))
	if err != nil || pid <= 0 {
		return ""
	}
	return " (pid " + strconv.Itoa(pid) + ")"
}
