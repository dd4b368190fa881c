package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mpp/sandbox"
)

// stopLimit is how long mppd has to end after SIGTERM; it promises a second.
const stopLimit = 5 * time.Second

// daemon is the demo's mppd.
type daemon struct {
	cmd     *exec.Cmd
	ended   chan error
	done    chan struct{}
	logFile string
}

// startDaemon starts mppd and returns when its socket answers.
func startDaemon(ctx context.Context, o Options) (*daemon, error) {
	log, err := os.OpenFile(o.log(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open mppd's log: %w", err)
	}
	defer log.Close()
	d := &daemon{
		// Not bound to ctx, which ends with the start; stop ends it.
		cmd: exec.CommandContext(context.WithoutCancel(ctx), o.Mppd, "-config", o.config()), ended: make(chan error, 1), done: make(chan struct{}), logFile: o.log(),
	}
	d.cmd.Stdout, d.cmd.Stderr = log, log
	// A Ctrl-C in the terminal is the demo's to handle: mppd is stopped by it.
	d.cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	if err := d.cmd.Start(); err != nil {
		return nil, fmt.Errorf("start mppd: %w", err)
	}
	go func() {
		defer close(d.done)
		d.ended <- d.cmd.Wait()
	}()
	if err := os.WriteFile(pidFile(o), []byte(strconv.Itoa(d.cmd.Process.Pid)+" "+startOf(d.cmd.Process.Pid)), 0o600); err != nil {
		return d, fmt.Errorf("write mppd's pid: %w", err)
	}
	err = sandbox.Eventually(ctx, 20*time.Millisecond, func(context.Context) error {
		select {
		case <-d.done:
			return nil
		default:
		}
		_, err := os.Stat(o.socket())
		return err
	})
	if err == nil {
		select {
		case <-d.done:
			err = errors.New("it ended")
		default:
			return d, nil
		}
	}
	return d, fmt.Errorf("start mppd: %w; the end of its log:\n%s", err, d.tail())
}

func pidFile(o Options) string { return filepath.Join(o.Dir, "mppd.pid") }

// startOf is the start time of a process, which tells it from a later one with its pid.
func startOf(pid int) string {
	stat, err := os.ReadFile(fmt.Sprintf("/proc/%d/stat", pid))
	if err != nil {
		return ""
	}
	_, after, _ := strings.Cut(string(stat), ") ")
	fields := strings.Fields(after)
	const startTime = 19 // field 22 of proc_pid_stat(5), counted after the command
	if len(fields) <= startTime {
		return ""
	}
	return fields[startTime]
}

// stop ends mppd with SIGTERM, and with SIGKILL when that takes too long.
func (d *daemon) stop() error {
	if err := d.cmd.Process.Signal(syscall.SIGTERM); err != nil && !errors.Is(err, os.ErrProcessDone) {
		return fmt.Errorf("stop mppd: %w", err)
	}
	select {
	case <-d.done:
		return nil
	case <-time.After(stopLimit):
	}
	if err := d.cmd.Process.Kill(); err != nil {
		return fmt.Errorf("kill mppd: %w", err)
	}
	<-d.done
	return fmt.Errorf("mppd did not end within %s of SIGTERM and was killed", stopLimit)
}

// tail is the end of mppd's log.
func (d *daemon) tail() string {
	log, err := os.ReadFile(d.logFile)
	if err != nil {
		return err.Error()
	}
	const most = 2000
	if len(log) > most {
		log = log[len(log)-most:]
	}
	return string(log)
}

// stopRecorded ends the mppd of a demo that was killed, if it still runs.
func stopRecorded(o Options) error {
	text, err := os.ReadFile(pidFile(o))
	if errors.Is(err, os.ErrNotExist) {
		return nil
	}
	if err != nil {
		return fmt.Errorf("read mppd's pid: %w", err)
	}
	number, started, _ := strings.Cut(string(text), " ")
	pid, err := strconv.Atoi(number)
	if err != nil || started == "" || startOf(pid) != started {
		return nil // gone; a later process may have its pid
	}
	if err := syscall.Kill(pid, syscall.SIGTERM); err != nil {
		return fmt.Errorf("stop mppd (pid %d): %w", pid, err)
	}
	ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
	defer cancel()
	return sandbox.Eventually(ctx, 20*time.Millisecond, func(context.Context) error {
		if startOf(pid) == started {
			return fmt.Errorf("mppd (pid %d) still runs", pid)
		}
		return nil
	})
}
