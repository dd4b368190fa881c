package lab

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"runtime"
	"strings"

	"golang.org/x/sys/unix"
)

// spacesDir is where iproute2 looks for namespaces by name.
const spacesDir = "/run/netns"

// space is a network namespace that has a name.
type space struct {
	name string
	file *os.File
}

// makeSpace makes a namespace that lasts until it is removed.
func makeSpace(name string) (*space, error) {
	if err := os.MkdirAll(spacesDir, 0o755); err != nil {
		return nil, fmt.Errorf("make namespace %s: %w", name, err)
	}
	path := filepath.Join(spacesDir, name)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_RDONLY, 0o444)
	if err != nil {
		return nil, fmt.Errorf("make namespace %s: %w", name, err)
	}
	_ = file.Close() // only a place to mount on
	done := make(chan error, 1)
	go func() {
		// Not to end the thread matters: if it is the process's first one, the whole
		// process would seem to be in the new namespace for good.
		runtime.LockOSThread()
		back, err := leave()
		if err == nil {
			own := fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid())
			err = unix.Mount(own, path, "none", unix.MS_BIND, "")
			if again := back(); again != nil {
				done <- errors.Join(err, again)
				return // the thread ends with this goroutine
			}
		}
		runtime.UnlockOSThread()
		done <- err
	}()
	if err := <-done; err != nil {
		return nil, errors.Join(fmt.Errorf("make namespace %s: %w", name, err), os.Remove(path))
	}
	return openSpace(name)
}

// openSpace opens a namespace by name.
func openSpace(name string) (*space, error) {
	file, err := os.Open(filepath.Join(spacesDir, name))
	if err != nil {
		return nil, fmt.Errorf("open namespace: %w", err)
	}
	var of unix.Statfs_t
	if err := unix.Fstatfs(int(file.Fd()), &of); err != nil || of.Type != unix.NSFS_MAGIC {
		_ = file.Close()
		return nil, fmt.Errorf("open namespace %s: it is none, but a place for one", name)
	}
	return &space{name: name, file: file}, nil
}

// path is the file that stands for the namespace.
func (s *space) path() string { return filepath.Join(spacesDir, s.name) }

// close forgets the namespace, which lives on. A nil space is closed.
func (s *space) close() error {
	if s == nil {
		return nil
	}
	return s.file.Close()
}

// inode tells namespaces apart, as long as one holds them open.
func (s *space) inode() (uint64, error) {
	var of unix.Stat_t
	if err := unix.Fstat(int(s.file.Fd()), &of); err != nil {
		return 0, fmt.Errorf("identify namespace %s: %w", s.name, err)
	}
	return of.Ino, nil
}

// do runs f on a thread that is in the namespace. Sockets that f makes, and programs
// that it starts, stay there. f must not start goroutines that need to be there too.
func (s *space) do(f func() error) error {
	done := make(chan error, 1)
	go func() {
		runtime.LockOSThread()
		back, err := enter(int(s.file.Fd()))
		if err != nil {
			runtime.UnlockOSThread()
			done <- fmt.Errorf("enter namespace %s: %w", s.name, err)
			return
		}
		err = f()
		if back() == nil {
			runtime.UnlockOSThread()
		} // else the thread ends with this goroutine
		done <- err
	}()
	return <-done
}

// enter moves this thread to another namespace and returns the way back.
func enter(fd int) (back func() error, err error) {
	return move(func() error { return unix.Setns(fd, unix.CLONE_NEWNET) })
}

// leave moves this thread to a new namespace and returns the way back.
func leave() (back func() error, err error) {
	return move(func() error { return unix.Unshare(unix.CLONE_NEWNET) })
}

func move(f func() error) (back func() error, err error) {
	own, err := unix.Open(fmt.Sprintf("/proc/self/task/%d/ns/net", unix.Gettid()), unix.O_RDONLY|unix.O_CLOEXEC, 0)
	if err != nil {
		return nil, err
	}
	if err := f(); err != nil {
		return nil, errors.Join(err, unix.Close(own))
	}
	return func() error {
		defer unix.Close(own)
		return unix.Setns(own, unix.CLONE_NEWNET)
	}, nil
}

// spaceNames lists the namespaces whose names begin with prefix, half-made ones too.
func spaceNames(prefix string) ([]string, error) {
	entries, err := os.ReadDir(spacesDir)
	if err != nil && !errors.Is(err, fs.ErrNotExist) {
		return nil, fmt.Errorf("list namespaces: %w", err)
	}
	var names []string
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), prefix) {
			names = append(names, e.Name())
		}
	}
	return names, nil
}

// removeSpace takes a namespace's name away. The namespace, with all links in it, goes
// when nothing runs in it any more.
func removeSpace(name string) error {
	path := filepath.Join(spacesDir, name)
	err := unix.Unmount(path, unix.MNT_DETACH)
	if err != nil && !errors.Is(err, unix.EINVAL) && !errors.Is(err, unix.ENOENT) {
		return fmt.Errorf("remove namespace %s: %w", name, err)
	}
	if err := os.Remove(path); err != nil && !errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("remove namespace %s: %w", name, err)
	}
	return nil
}

// tryLeave makes a namespace and leaves it at once, with which it is gone.
func tryLeave() error {
	runtime.LockOSThread()
	back, err := leave()
	if err != nil {
		runtime.UnlockOSThread()
		return err
	}
	if err := back(); err != nil {
		return err // the thread ends with the goroutine
	}
	runtime.UnlockOSThread()
	return nil
}
