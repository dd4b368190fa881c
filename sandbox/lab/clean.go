package lab

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"syscall"
	"time"

	"golang.org/x/sys/unix"

	"mpp/sandbox"
	"mpp/sandbox/process"
)

// endLimit bounds the wait for killed processes to be gone.
const endLimit = 30 * time.Second

// Close ends everything that runs in the lab and removes the lab. A second call does
// nothing.
func (l *Lab) Close(ctx context.Context) error {
	l.mu.Lock()
	closed := l.closed
	l.closed = true
	l.mu.Unlock()
	if closed {
		return nil
	}
	err := l.StopMppd(ctx)
	for _, r := range l.takeRelays() {
		err = errors.Join(err, r.stop())
	}
	for _, p := range l.Pools {
		if p != nil {
			err = errors.Join(err, p.Close())
		}
	}
	l.forget()
	return errors.Join(err, remove(ctx, l.dir, l.rec.ID))
}

// forget closes what this program has open of the lab, and leaves the lab as it is.
func (l *Lab) forget() {
	_ = l.sw.close()
	for _, h := range l.Hosts {
		_ = h.space.close()
	}
}

// Down removes the lab of a folder, however much of it there is: one that works, one that
// was killed while it was made, or the remains of one whose folder somebody removed. It
// returns false if there was nothing.
func Down(ctx context.Context, dir string) (bool, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return false, fmt.Errorf("remove lab: %w", err)
	}
	rec, err := loadRecord(dir)
	there := !errors.Is(err, ErrNone)
	id := labID(dir)
	if err == nil && rec.ID != "" {
		id = rec.ID // the folder may have been moved
	}
	names, err := spaceNames(spacePrefix(id))
	if err != nil {
		return there, fmt.Errorf("remove lab: %w", err)
	}
	pools, err := filepath.Glob(filepath.Join(dir, "pools", "lab[0-9]*", "*", "disk"))
	if err != nil {
		return there, fmt.Errorf("remove lab: %w", err)
	}
	if !there && len(names) == 0 && len(pools) == 0 {
		return false, nil
	}
	if !there {
		return true, removeTorso(ctx, dir, id)
	}
	if err := checkOwner(dir); err != nil {
		return true, fmt.Errorf("remove lab: %w", err)
	}
	return true, remove(ctx, dir, id)
}

// removeTorso removes what is left of a lab whose record somebody has removed: only what is
// known to be a lab's, for the folder may be another one by now.
func removeTorso(ctx context.Context, dir, id string) error {
	if err := clearSpaces(ctx, id); err != nil {
		return fmt.Errorf("remove lab: %w", err)
	}
	if _, err := os.Lstat(dir); errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err := checkOwner(dir); err != nil {
		return fmt.Errorf("remove lab: %w", err)
	}
	if err := removePools(dir); err != nil {
		return fmt.Errorf("remove lab: %w", err)
	}
	_ = os.Remove(filepath.Join(dir, "pools"))
	_ = os.Remove(dir) // fails if it holds anything else
	return nil
}

// checkOwner refuses a folder of another user, whose word on what to remove is not taken.
func checkOwner(dir string) error {
	info, err := os.Lstat(dir)
	if err != nil {
		return err
	}
	stat, known := info.Sys().(*syscall.Stat_t)
	if !info.IsDir() || !known || int(stat.Uid) != os.Geteuid() {
		return fmt.Errorf("%s is not a folder of this user: it is left alone; look who made it", dir)
	}
	return nil
}

// remove takes a lab away: first what runs, then namespaces, mounts and files. The record
// goes last, so that a remove that was killed can be done again.
func remove(ctx context.Context, dir, id string) error {
	if err := stopRecordedMppd(ctx, dir); err != nil {
		return fmt.Errorf("remove lab: %w", err)
	}
	if err := clearSpaces(ctx, id); err != nil {
		return fmt.Errorf("remove lab: %w", err)
	}
	if err := removeFiles(dir); err != nil {
		return fmt.Errorf("remove lab: %w", err)
	}
	return nil
}

func removePools(dir string) error {
	pools, err := filepath.Glob(filepath.Join(dir, "pools", "lab[0-9]*"))
	if err != nil {
		return err
	}
	for _, p := range pools {
		if err := sandbox.Remove(p); err != nil {
			return err
		}
	}
	return nil
}

func removeFiles(dir string) error {
	if err := removePools(dir); err != nil {
		return err
	}
	entries, err := os.ReadDir(dir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return err
	}
	for _, e := range entries {
		if e.Name() == recordFile {
			continue
		}
		if err := os.RemoveAll(filepath.Join(dir, e.Name())); err != nil {
			return err
		}
	}
	if err := os.RemoveAll(dir); err != nil {
		return err
	}
	if slices.Contains(sandbox.TempRoots(tempKind), filepath.Dir(dir)) {
		_ = os.Remove(filepath.Dir(dir)) // fails while others are in it
	}
	return nil
}

// CleanStale removes the temporary labs whose programs are gone, and returns their
// folders.
func CleanStale(ctx context.Context) ([]string, error) {
	dirs, err := sandbox.StaleTemp(tempKind)
	if err != nil {
		return nil, fmt.Errorf("clean up labs: %w", err)
	}
	var removed []string
	for _, dir := range dirs {
		if _, err := Down(ctx, dir); err != nil {
			return removed, fmt.Errorf("clean up labs: %w", err)
		}
		// One that was killed before it had a record is only a folder.
		if err := os.RemoveAll(dir); err != nil {
			return removed, fmt.Errorf("clean up labs: %w", err)
		}
		removed = append(removed, dir)
	}
	return removed, nil
}

// clearSpaces ends what runs in the namespaces of a lab and removes them.
func clearSpaces(ctx context.Context, id string) error {
	names, err := spaceNames(spacePrefix(id))
	if err != nil {
		return err
	}
	inodes := map[uint64]bool{}
	for _, name := range names {
		s, err := openSpace(name)
		if err != nil {
			continue // half-made: nothing can run in it
		}
		defer s.close() // until the end, or its number might be used again
		inode, err := s.inode()
		if err != nil {
			return err
		}
		inodes[inode] = true
	}
	if err := endAll(ctx, inodes); err != nil {
		return err
	}
	for _, name := range names {
		if err := removeSpace(name); err != nil {
			return err
		}
	}
	// A program that was about to enter has found no name, or is in by now.
	return endAll(ctx, inodes)
}

// endAll kills every process of the given namespaces but this one, until none is left.
func endAll(ctx context.Context, inodes map[uint64]bool) error {
	ctx, cancel := context.WithTimeout(ctx, endLimit)
	defer cancel()
	return sandbox.Eventually(ctx, 2*time.Millisecond, func(context.Context) error {
		all, err := residents(inodes)
		if err != nil || len(all) == 0 {
			return err
		}
		for _, id := range all {
			if err := id.Signal(syscall.SIGKILL); err != nil && !errors.Is(err, os.ErrProcessDone) {
				return err
			}
		}
		return fmt.Errorf("%d processes still run in the lab, %d is one", len(all), all[0].PID)
	})
}

// residents lists the processes of namespaces, this one and zombies aside.
func residents(inodes map[uint64]bool) ([]process.ID, error) {
	entries, err := os.ReadDir("/proc")
	if err != nil {
		return nil, fmt.Errorf("list processes: %w", err)
	}
	var found []process.ID
	for _, e := range entries {
		pid, err := strconv.Atoi(e.Name())
		if err != nil || pid == os.Getpid() {
			continue
		}
		// The identity first: it is of the process whose namespace is read next, or of one
		// that is gone and is never signalled.
		id, err := process.Identify(pid)
		if err != nil {
			continue
		}
		var of unix.Stat_t
		if err := unix.Stat(filepath.Join("/proc", e.Name(), "ns", "net"), &of); err != nil || !inodes[of.Ino] {
			continue
		}
		if id.Alive() {
			found = append(found, id)
		}
	}
	return found, nil
}

// canUnshare tries whether the kernel gives this program a network namespace.
func canUnshare() error {
	s := make(chan error, 1)
	go func() { s <- tryLeave() }()
	return <-s
}
