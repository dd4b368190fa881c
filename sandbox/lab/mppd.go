package lab

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/process"
)

// stopLimit is how long mppd has to end after SIGTERM; it promises a second.
const stopLimit = 5 * time.Second

// mppdFile is the name of the file, in a lab's folder, that says which process mppd is.
const mppdFile = "mppd.json"

// mppdRecord is what is in it.
type mppdRecord struct {
	Program string     `json:"program"`
	Process process.ID `json:"process"`
}

// StartMppd starts the program mppd on the manager's host, with the lab's configuration,
// and returns when its socket is there.
func (l *Lab) StartMppd(ctx context.Context, program string) error {
	if running := l.Mppd(); running.Running() {
		return fmt.Errorf("start mppd: it runs, as process %d", running.ID().PID)
	}
	p, err := l.launchMppd(ctx, program)
	if err != nil {
		return fmt.Errorf("start mppd: %w", err)
	}
	l.mu.Lock()
	l.mppd = p
	l.mu.Unlock()
	err = sandbox.Eventually(ctx, 5*time.Millisecond, func(context.Context) error {
		if !p.Running() {
			return nil
		}
		return knock(l.Socket())
	})
	if err == nil && !p.Running() {
		err = errors.New("it ended")
	}
	if err != nil {
		return fmt.Errorf("start mppd: %w; the end of its log:\n%s", err, l.MppdLog())
	}
	return nil
}

// knock tells whether somebody listens at a socket, which a killed mppd leaves behind.
func knock(socket string) error {
	fd, err := syscall.Socket(syscall.AF_UNIX, syscall.SOCK_STREAM|syscall.SOCK_CLOEXEC, 0)
	if err != nil {
		return err
	}
	defer syscall.Close(fd)
	return syscall.Connect(fd, &syscall.SockaddrUnix{Name: socket})
}

func (l *Lab) launchMppd(ctx context.Context, program string) (*process.Process, error) {
	log, err := os.OpenFile(l.LogFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := l.Manager().Command(context.WithoutCancel(ctx), program, "-config", l.ConfigFile())
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	p, err := process.Start(cmd, l.rec.Detached)
	if err != nil {
		return nil, err
	}
	text, err := json.Marshal(mppdRecord{Program: program, Process: p.ID()})
	if err == nil {
		err = os.WriteFile(filepath.Join(l.dir, mppdFile), text, 0o600)
	}
	if err != nil {
		return nil, errors.Join(err, p.Kill())
	}
	return p, nil
}

// Mppd is the process of the lab's mppd, which may have been started by another program;
// nil if there is none.
func (l *Lab) Mppd() *process.Process {
	l.mu.Lock()
	defer l.mu.Unlock()
	if !l.mppd.Running() {
		if rec, err := recordedMppd(l.dir); err == nil && rec.Process.Alive() {
			l.mppd = process.Found(rec.Process)
		}
	}
	return l.mppd
}

func recordedMppd(dir string) (mppdRecord, error) {
	var rec mppdRecord
	text, err := os.ReadFile(filepath.Join(dir, mppdFile))
	if err == nil {
		err = json.Unmarshal(text, &rec)
	}
	return rec, err
}

// restartMppd starts the program that was started before.
func (l *Lab) restartMppd(ctx context.Context) error {
	rec, err := recordedMppd(l.dir)
	if errors.Is(err, fs.ErrNotExist) {
		return fmt.Errorf("start mppd: %w: the lab was made without mppd", ErrNoServer)
	}
	if err != nil {
		return fmt.Errorf("start mppd: %w", err)
	}
	return l.StartMppd(ctx, rec.Program)
}

// mppdState is how mppd is, as a server is; empty if there never was one.
func (l *Lab) mppdState() string {
	if _, err := recordedMppd(l.dir); err != nil {
		return ""
	}
	switch p := l.Mppd(); {
	case !p.Running():
		return ServerDown
	case p.Stopped():
		return ServerFrozen
	default:
		return ServerRunning
	}
}

// StopMppd ends mppd, with SIGTERM first. It is no error if it does not run.
func (l *Lab) StopMppd(ctx context.Context) error {
	p := l.Mppd()
	l.mu.Lock()
	l.mppd = nil
	l.mu.Unlock()
	return endMppd(ctx, p)
}

// KillMppd ends mppd at once, as a crash does.
func (l *Lab) KillMppd() error {
	p := l.Mppd()
	if !p.Running() {
		return nil
	}
	if err := p.Kill(); err != nil {
		return fmt.Errorf("kill mppd: %w", err)
	}
	l.mu.Lock()
	l.mppd = nil
	l.mu.Unlock()
	return nil
}

// SignalMppd sends mppd a signal: SIGSTOP and SIGCONT to freeze it, SIGHUP to reload.
func (l *Lab) SignalMppd(sig syscall.Signal) error {
	p := l.Mppd()
	if !p.Running() {
		return errors.New("signal mppd: it does not run")
	}
	if err := p.ID().Signal(sig); err != nil {
		return fmt.Errorf("signal mppd: %w", err)
	}
	return nil
}

// stopRecordedMppd ends the mppd that a lab's folder names.
func stopRecordedMppd(ctx context.Context, dir string) error {
	rec, err := recordedMppd(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil
	}
	if err != nil {
		return nil //nolint:nilerr // half-written; it runs in the lab, and is ended with all that does
	}
	return endMppd(ctx, process.Found(rec.Process))
}

func endMppd(ctx context.Context, p *process.Process) error {
	if !p.Running() {
		return nil
	}
	for _, sig := range []syscall.Signal{syscall.SIGTERM, syscall.SIGCONT} {
		if err := p.ID().Signal(sig); err != nil && !errors.Is(err, os.ErrProcessDone) {
			return fmt.Errorf("stop mppd: %w", err)
		}
	}
	ctx, cancel := context.WithTimeout(ctx, stopLimit)
	defer cancel()
	if p.Wait(ctx) == nil {
		return nil
	}
	if err := p.Kill(); err != nil {
		return fmt.Errorf("kill mppd: %w", err)
	}
	return nil
}

// MppdLog is the end of what mppd said.
func (l *Lab) MppdLog() string {
	log, err := os.ReadFile(l.LogFile())
	if err != nil {
		return err.Error()
	}
	const most = 4000
	return string(log[max(0, len(log)-most):])
}
