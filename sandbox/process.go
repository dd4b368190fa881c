package sandbox

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"runtime"
	"strconv"
	"strings"
	"syscall"
	"time"

	"golang.org/x/sys/unix"
)

// procID names a process for good: a pid alone is used again after a while.
type procID struct {
	PID   int    `json:"pid"`   // 0: none
	Start uint64 `json:"start"` // clock ticks since boot
	Boot  string `json:"boot"`
}

// identify returns the identity of a live process.
func identify(pid int) (procID, error) {
	_, start, err := procStat(pid)
	if err != nil {
		return procID{}, err
	}
	return procID{PID: pid, Start: start, Boot: bootID()}, nil
}

// alive tells whether the process still runs; a zombie does not.
func (p procID) alive() bool {
	state, start, err := procStat(p.PID)
	return p.PID > 0 && err == nil && start == p.Start && state != 'Z' && state != 'X' && p.Boot == bootID()
}

// signal sends a signal, and never to another process that has got the same pid.
// It returns os.ErrProcessDone if the process is gone.
func (p procID) signal(sig syscall.Signal) error {
	if p.PID <= 0 {
		return os.ErrProcessDone
	}
	// The descriptor pins the process; what is checked after it was opened holds.
	fd, err := unix.PidfdOpen(p.PID, 0)
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	if err != nil {
		return fmt.Errorf("open process %d: %w", p.PID, err)
	}
	defer unix.Close(fd)
	if !p.alive() {
		return os.ErrProcessDone
	}
	err = unix.PidfdSendSignal(fd, sig, nil, 0)
	if errors.Is(err, unix.ESRCH) {
		return os.ErrProcessDone
	}
	if err != nil {
		return fmt.Errorf("signal process %d: %w", p.PID, err)
	}
	return nil
}

// procStat reads a process's state letter and its start time.
func procStat(pid int) (state byte, start uint64, err error) {
	text, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return 0, 0, fmt.Errorf("read process: %w", err)
	}
	// The name is in parentheses and may hold anything, so count from the last one.
	// The start time is field 22, the state field 3 (proc(5)).
	fields := bytes.Fields(text[bytes.LastIndexByte(text, ')')+1:])
	if len(fields) < 20 {
		return 0, 0, fmt.Errorf("read process: short stat of %d", pid)
	}
	start, err = strconv.ParseUint(string(fields[19]), 10, 64)
	if err != nil {
		return 0, 0, fmt.Errorf("read process: %w", err)
	}
	return fields[0][0], start, nil
}

// bootID names the run of the kernel that start times count from.
func bootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}

// process is a running server: a child of this program, or one that was found.
type process struct {
	id   procID
	done chan struct{} // closed when a child has been reaped; nil if not a child
	err  error         // why the child ended; read after done
}

// found wraps a process that another program started.
func found(id procID) *process { return &process{id: id} }

// spawn starts a command as a child. Unless detached, the kernel kills the child
// when this program ends, however that comes about.
func spawn(cmd *exec.Cmd, detached bool) (*process, error) {
	attr := &syscall.SysProcAttr{Setsid: detached, Setpgid: !detached}
	if !detached {
		attr.Pdeathsig = syscall.SIGKILL
	}
	cmd.SysProcAttr = attr
	p := &process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel takes the end of the *thread* that forked for the parent's
		// death. So that thread is kept, by waiting on it, until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			// A child that is not waited for yet keeps its pid, even when dead.
			p.id, err = identify(cmd.Process.Pid)
			if err != nil {
				err = errors.Join(err, cmd.Process.Kill(), cmd.Wait())
			}
		}
		started <- err
		if err != nil {
			return
		}
		p.err = cmd.Wait()
		close(p.done)
	}()
	if err := <-started; err != nil {
		return nil, fmt.Errorf("start process: %w", err)
	}
	return p, nil
}

// running tells whether the process still exists.
func (p *process) running() bool {
	if p == nil {
		return false
	}
	if p.done != nil {
		select {
		case <-p.done:
			return false
		default:
		}
	}
	return p.id.alive()
}

// wait returns when the process is gone, or with ctx's error.
func (p *process) wait(ctx context.Context) error {
	if p.done != nil {
		select {
		case <-p.done:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("wait for process %d to end: %w", p.id.PID, ctx.Err())
		}
	}
	err := Eventually(ctx, 5*time.Millisecond, func(context.Context) error {
		if p.id.alive() {
			return errors.New("it still runs")
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("wait for process %d to end: %w", p.id.PID, err)
	}
	return nil
}

// stopped tells whether the process is held by SIGSTOP.
func (p *process) stopped() bool {
	state, start, err := procStat(p.id.PID)
	return err == nil && start == p.id.Start && state == 'T'
}

// killTimeout bounds the wait for the kernel to take a killed process apart; it
// writes nothing back, but a machine under load may need seconds.
const killTimeout = 30 * time.Second

// kill ends the process at once and waits until it is gone.
func (p *process) kill() error {
	err := p.id.signal(syscall.SIGKILL)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), killTimeout)
	defer cancel()
	return p.wait(ctx)
}
