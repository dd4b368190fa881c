package lab

import (
	"fmt"
	"io"
	"os"
	"path/filepath"

	"mpp/sandbox"
)

// DefaultDir is the folder of a user's lab when nothing else is said: where one is, or
// in memory if there is room, or else in the temporary folder.
func DefaultDir() string {
	const kind = "mpp-lab"
	for _, dir := range sandbox.TempRoots(kind) {
		if _, err := os.Stat(filepath.Join(dir, recordFile)); err == nil {
			return dir
		}
	}
	return sandbox.TempRoot(kind)
}

// Open returns the lab of a folder, as another program left it. Whoever opened it lets go
// of it with Forget, or ends it with Close. Log is as in Options.
func Open(dir string, log io.Writer) (*Lab, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open lab: %w", err)
	}
	rec, err := loadRecord(dir)
	if err != nil {
		return nil, fmt.Errorf("open lab: %w", err)
	}
	if err := checkOwner(dir); err != nil {
		return nil, fmt.Errorf("open lab: %w", err)
	}
	if !rec.Ready {
		return nil, fmt.Errorf("open lab: %w: %s", ErrNotReady, dir)
	}
	l := newLab(dir, rec, log)
	if err := l.attach(); err != nil {
		l.Forget()
		return nil, fmt.Errorf("open lab: %w", err)
	}
	return l, nil
}

// attach opens what the record announces.
func (l *Lab) attach() error {
	var err error
	if l.sw, err = openSpace(spacePrefix(l.rec.ID) + switchName); err != nil {
		return fmt.Errorf("%w: %w", ErrNotReady, err) // the machine was started again
	}
	for _, h := range l.Hosts {
		if h.space, err = openSpace(spacePrefix(l.rec.ID) + h.Name); err != nil {
			return fmt.Errorf("%w: %w", ErrNotReady, err)
		}
	}
	for n := 1; n <= l.rec.Pools; n++ {
		servers, err := sandbox.OpenPool(l.poolDir(n))
		if err != nil {
			return err
		}
		l.Pools = append(l.Pools, l.adopt(n, servers))
	}
	return nil
}

// Forget closes what this program has open of the lab and leaves the lab as it is, but
// for links that this program slows down: those are cut off.
func (l *Lab) Forget() {
	for _, r := range l.takeRelays() {
		_ = r.stop()
	}
	l.forget()
}
