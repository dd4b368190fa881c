package remote

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"strings"
	"sync/atomic"
	"syscall"
	"time"
)

// Local is this host itself.
type Local struct {
	sudo    bool
	timeout time.Duration
}

// NewLocal returns this host. With sudo, commands run through sudo -n. The timeout bounds calls
// whose context has no deadline; 0 is 1 s.
func NewLocal(sudo bool, timeout time.Duration) *Local {
	return &Local{sudo: sudo, timeout: orDefault(timeout)}
}

// Sudo reports whether commands run through sudo.
func (h *Local) Sudo() bool { return h.sudo }

// String names the host.
func (h *Local) String() string { return "this host" }

// Close does nothing: there is no connection.
func (h *Local) Close() error { return nil }

// Warm does nothing: there is no connection.
func (h *Local) Warm(context.Context) error { return nil }

// Run implements Host.
func (h *Local) Run(ctx context.Context, command string) (Output, error) {
	ctx, cancel := bounded(ctx, h.timeout)
	defer cancel()
	var stdout bytes.Buffer
	out, err := h.run(ctx, command, nil, &limited{w: &stdout, left: maxOutput})
	out.Stdout = stdout.String()
	return out, err
}

// Stream implements Host.
func (h *Local) Stream(ctx context.Context, command string, w io.Writer) (Output, error) {
	return h.run(ctx, command, nil, w)
}

// Feed implements Host.
func (h *Local) Feed(ctx context.Context, command string, r io.Reader, w io.Writer) (Output, error) {
	return h.run(ctx, command, r, w)
}

func (h *Local) run(ctx context.Context, command string, in io.Reader, w io.Writer) (Output, error) {
	argv := []string{"/bin/sh", "-c", command}
	if h.sudo {
		argv = append([]string{"sudo", "-n"}, argv...)
	}
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	var stderr tail
	stdout := newSink(w)
	stdout.onFail = cancel
	cmd := exec.CommandContext(ctx, argv[0], argv[1:]...)
	cmd.Env = environment()
	cmd.Dir = "/"
	cmd.Stdin, cmd.Stderr = in, &stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// What got away from its process group may hold the pipes; it is not waited for.
	cmd.WaitDelay = leftBehind
	err := runInto(ctx, cmd, stdout)
	out := Output{Stderr: stderr.String()}
	if err := stdout.close(); err != nil {
		return out, &Error{Kind: Setup, Host: h.String(), Text: "take the command's output: " + err.Error(), Err: err}
	}
	if ctx.Err() != nil {
		return out, &Error{Kind: Deadline, Host: h.String(), Text: "the command did not end in time and was killed", Err: ctx.Err()}
	}
	return h.judge(out, err)
}

// leftBehind is how long is waited for more output of a command that has ended: what it left behind may
// hold the pipe.
const leftBehind = 100 * time.Millisecond

// runInto runs a command and takes all of its output, however slow whoever takes it is: what the command
// has written before it ended may still be in the pipe long after. (exec.Cmd's own copying is cut off
// WaitDelay after the end, and what is left is lost.)
func runInto(ctx context.Context, cmd *exec.Cmd, w io.Writer) error {
	r, pipe, err := os.Pipe()
	if err != nil {
		return fmt.Errorf("make pipe: %w", err)
	}
	defer r.Close()
	cmd.Stdout = pipe
	err = cmd.Start()
	_ = pipe.Close() // the command has its own
	if err != nil {
		return err
	}
	var ended atomic.Bool
	copied := make(chan struct{})
	go func() {
		defer close(copied)
		buffer := make([]byte, 64<<10)
		for quiet := 0; quiet < 3; { // a deadline may be over before the read on a busy machine
			if ended.Load() {
				_ = r.SetReadDeadline(time.Now().Add(leftBehind))
			}
			n, err := r.Read(buffer)
			if n > 0 {
				quiet = 0
				if _, bad := w.Write(buffer[:n]); bad != nil {
					return // the sink keeps why
				}
			}
			switch {
			case errors.Is(err, os.ErrDeadlineExceeded):
				quiet++
			case err != nil:
				return // its end
			}
		}
	}()
	err = cmd.Wait()
	ended.Store(true)
	_ = r.SetReadDeadline(time.Now().Add(leftBehind)) // for a read that waits already
	select {
	case <-copied:
	case <-ctx.Done():
	}
	return err
}

// environment is what a login by ssh would have, and nothing else of ours: there may be passwords
// in it.
func environment() []string {
	env := []string{"PATH=" + os.Getenv("PATH") + path, "LC_ALL=C"}
	for _, name := range []string{"HOME", "USER", "LOGNAME", "SHELL", "TZ"} {
		if value, has := os.LookupEnv(name); has {
			env = append(env, name+"="+value)
		}
	}
	return env
}

// judge tells a command that failed from one that could not be run.
func (h *Local) judge(out Output, err error) (Output, error) {
	var exit *exec.ExitError
	switch {
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return out, nil
	case errors.As(err, &exit):
		out.Exit = exit.ExitCode()
		if s, ok := exit.Sys().(syscall.WaitStatus); ok && s.Signaled() {
			out.Exit = 128 + int(s.Signal())
		}
		if last := out.LastLine(); h.sudo && out.Exit == 1 && strings.HasPrefix(last, "sudo: ") {
			return out, &Error{Kind: Sudo, Host: h.String(), Text: sudoText(last), Err: err}
		}
		return out, nil
	case h.sudo && errors.Is(err, exec.ErrNotFound):
		return out, &Error{Kind: Sudo, Host: h.String(), Text: sudoText("sudo is not installed"), Err: err}
	default:
		return out, &Error{Kind: Setup, Host: h.String(), Text: fmt.Sprintf("run command: %v", err), Err: err}
	}
}

// Check implements Host.
func (h *Local) Check(ctx context.Context) []string {
	return checkRoot(ctx, h, "mppd does not run as root: sudo = true would do it")
}

func sudoText(said string) string {
	return "sudo refused: " + said + " (needed in sudoers: NOPASSWD for /bin/sh)"
}

// bounded gives a context without a deadline one.
func bounded(ctx context.Context, timeout time.Duration) (context.Context, context.CancelFunc) {
	if _, has := ctx.Deadline(); has {
		return context.WithCancel(ctx)
	}
	return context.WithTimeout(ctx, timeout)
}

func orDefault(timeout time.Duration) time.Duration {
	if timeout <= 0 {
		return time.Second
	}
	return timeout
}
