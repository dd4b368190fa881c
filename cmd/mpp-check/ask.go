package main

import (
	"errors"
	"io/fs"
	"path/filepath"
	"strings"
	"syscall"
	"time"
	"unsafe"

	"mpp/publish/address"
	"mpp/publish/statefile/format"
)

// reply is what the caller is told.
type reply struct {
	up     bool
	reason string
}

// ask answers from the state files, or over HTTP when that is asked for.
func ask(o options) reply {
	if o.http != "" {
		return askHTTP(o)
	}
	p, n, err := find(o)
	if err != nil {
		return reply{reason: err.Error()}
	}
	a := p.Answer(n, o.role, now())
	return reply{a.Up, a.Reason}
}

// find reads the state of the pool, and the node in it; without a node in o it is nil.
func find(o options) (*format.Pool, *format.Node, error) {
	pool := o.pool
	if pool == "" {
		var err error
		if pool, err = poolOf(o); err != nil {
			return nil, nil, err
		}
	}
	p, err := readPool(o, pool)
	if err != nil || o.nodeText == "" {
		return p, nil, err
	}
	n, found := p.Find(o.node)
	if err := one(found, o.node); err != nil {
		return nil, nil, errors.New(err.Error() + " in pool " + pool)
	}
	return p, n, nil
}

func poolOf(o options) (string, error) {
	data, err := read(filepath.Join(o.runDir, format.Folder, format.IndexName))
	if errors.Is(err, fs.ErrNotExist) {
		return "", errors.New("no state files in " + o.runDir + ": mppd has not run since this host started, or has another run_dir")
	}
	if err != nil {
		return "", err
	}
	x, err := format.ParseIndex(data)
	if err != nil {
		return "", err
	}
	pool, found := x.Find(o.node)
	return pool, one(found, o.node)
}

// one is an error unless exactly one node was found.
func one(found int, asked address.Address) error {
	switch found {
	case 0:
		return errors.New("unknown node " + asked.String())
	case 1:
		return nil
	default:
		return errors.New(asked.String() + " has more than one node: ask with its port")
	}
}

func readPool(o options, pool string) (*format.Pool, error) {
	name, valid := format.FileOf(pool)
	if !valid {
		return nil, errors.New("unknown pool " + short(pool))
	}
	data, err := read(filepath.Join(o.runDir, format.Folder, name))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, errors.New("unknown pool " + short(pool) + ": no state of it in " + o.runDir)
	}
	if err != nil {
		return nil, err
	}
	p, err := format.ParsePool(data)
	if err == nil && p.Name != pool {
		err = format.ErrDamaged
	}
	return p, err
}

// read reads a file whole, without package os, whose poller costs start-up time. It does not
// wait for a pipe that someone has put in the file's place.
func read(path string) ([]byte, error) {
	fd, err := syscall.Open(path, syscall.O_RDONLY|syscall.O_NONBLOCK|syscall.O_CLOEXEC, 0)
	if err != nil {
		return nil, &fs.PathError{Op: "open", Path: path, Err: err}
	}
	defer func() { _ = syscall.Close(fd) }()
	data := make([]byte, 0, 8192)
	for {
		if len(data) == cap(data) {
			data = append(data, 0)[:len(data)]
		}
		n, err := syscall.Read(fd, data[len(data):cap(data)])
		if err == syscall.EINTR {
			continue
		}
		if err != nil {
			return nil, &fs.PathError{Op: "read", Path: path, Err: err}
		}
		if n <= 0 {
			return data, nil
		}
		if data = data[:len(data)+n]; len(data) > format.MaxSize {
			return nil, format.ErrDamaged
		}
	}
}

// now is the boot and the time since it. When it cannot be told, every answer is stale.
func now() format.Moment {
	boot, err := read("/proc/sys/kernel/random/boot_id")
	if err != nil {
		return format.Moment{}
	}
	const clockBootTime = 7 // CLOCK_BOOTTIME of linux/time.h
	var ts syscall.Timespec
	if _, _, errno := syscall.Syscall(syscall.SYS_CLOCK_GETTIME, clockBootTime, uintptr(unsafe.Pointer(&ts)), 0); errno != 0 {
		return format.Moment{}
	}
	return format.Moment{Boot: strings.TrimSpace(string(boot)), Time: ts.Nano()}
}

// seconds makes a duration of the state file one of Go.
func seconds(ns int64) float64 { return time.Duration(ns).Seconds() }
