// Package process names the processes of this machine for good, by pid, start time
// and boot, starts some that die with this program or outlive it, and ends them.
// Nobody owns a Process but who started it; Wait and Kill block until the kernel has
// taken it apart. Tests use real processes.
package process

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

// ID names a process for good: a pid alone is used again after a while.
type ID struct {
	PID   int    `json:"pid"`   // 0: none
	Start uint64 `json:"start"` // clock ticks since boot
	Boot  string `json:"boot"`
}

// Identify returns the identity of a live process.
func Identify(pid int) (ID, error) {
	_, start, err := procStat(pid)
	if err != nil {
		return ID{}, err
	}
	return ID{PID: pid, Start: start, Boot: BootID()}, nil
}

// Alive tells whether the process still runs; a zombie does not.
func (p ID) Alive() bool {
	state, start, err := procStat(p.PID)
	return p.PID > 0 && err == nil && start == p.Start && state != 'Z' && state != 'X' && p.Boot == BootID()
}

// Signal sends a signal, and never to another process that has got the same pid.
// It returns os.ErrProcessDone if the process is gone.
func (p ID) Signal(sig syscall.Signal) error {
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
	if !p.Alive() {
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

// BootID names the run of the kernel that start times count from.
func BootID() string {
	id, _ := os.ReadFile("/proc/sys/kernel/random/boot_id")
	return strings.TrimSpace(string(id))
}

// Process is a running program: a child of this one, or one that was found. A nil
// Process does not run.
type Process struct {
	id   ID
	done chan struct{} // closed when a child has been reaped; nil if not a child
	err  error         // why the child ended; read after done
}

// Found wraps a process that another program started.
func Found(id ID) *Process { return &Process{id: id} }

// Start starts a command as a child. Unless detached, the kernel kills the child
// when this program ends, however that comes about.
func Start(cmd *exec.Cmd, detached bool) (*Process, error) {
	attr := &syscall.SysProcAttr{Setsid: detached, Setpgid: !detached}
	if !detached {
		attr.Pdeathsig = syscall.SIGKILL
	}
	cmd.SysProcAttr = attr
	p := &Process{done: make(chan struct{})}
	started := make(chan error)
	go func() {
		// The kernel takes the end of the *thread* that forked for the parent's
		// death. So that thread is kept, by waiting on it, until the child is gone.
		runtime.LockOSThread()
		defer runtime.UnlockOSThread()
		err := cmd.Start()
		if err == nil {
			// A child that is not waited for yet keeps its pid, even when dead.
			p.id, err = Identify(cmd.Process.Pid)
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

// ID returns the identity.
func (p *Process) ID() ID { return p.id }

// Done is closed when the process has ended and was reaped; nil if it is no child.
func (p *Process) Done() <-chan struct{} { return p.done }

// Err is why a child ended, once Done is closed.
func (p *Process) Err() error { return p.err }

// Running tells whether the process still exists.
func (p *Process) Running() bool {
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
	return p.id.Alive()
}

// Wait returns when the process is gone, or with ctx's error.
func (p *Process) Wait(ctx context.Context) error {
	if p.done != nil {
		select {
		case <-p.done:
			return nil
		case <-ctx.Done():
			return fmt.Errorf("wait for process %d to end: %w", p.id.PID, ctx.Err())
		}
	}
	tick := time.NewTicker(pollEvery)
	defer tick.Stop()
	for p.id.Alive() {
		select {
		case <-tick.C:
		case <-ctx.Done():
			return fmt.Errorf("wait for process %d to end: %w", p.id.PID, ctx.Err())
		}
	}
	return nil
}

// pollEvery is how often a process that is no child is looked at.
const pollEvery = 5 * time.Millisecond

// Stopped tells whether the process is held by SIGSTOP.
func (p *Process) Stopped() bool {
	state, start, err := procStat(p.id.PID)
	return err == nil && start == p.id.Start && state == 'T'
}

// KillTimeout bounds the wait for the kernel to take a killed process apart; it
// writes nothing back, but a machine under load may need seconds.
const KillTimeout = 30 * time.Second

// Kill ends the process at once and waits until it is gone.
func (p *Process) Kill() error {
	err := p.id.Signal(syscall.SIGKILL)
	if err != nil && !errors.Is(err, os.ErrProcessDone) {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), KillTimeout)
	defer cancel()
	return p.Wait(ctx)
}
