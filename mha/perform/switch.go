package perform

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"syscall"
	"time"

	"mpp/mha/hook"
)

// killGrace is how long MHA and its children have to end by themselves at their limit.
const killGrace = 5 * time.Second

// ErrTooLong says that MHA had not ended at the limit: it was ended half-way.
var ErrTooLong = errors.New("MHA did not end in time and was ended: look at each server for read_only, the address and whom it replicates from, and at MHA's log")

// Switch calls MHA, whose words go to out and bad, and returns its exit code. At the limit MHA is asked
// to end, and then ended with all that it has started.
func Switch(ctx context.Context, out, bad io.Writer, s *hook.Switch, limit time.Duration) (int, error) {
	args, err := s.Args()
	if err != nil {
		return hook.ExitFailed, err
	}
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	cmd := exec.CommandContext(ctx, hook.SwitchProgram, args...)
	cmd.Stdout, cmd.Stderr = out, bad
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGTERM) }
	cmd.WaitDelay = killGrace
	err = cmd.Run()
	if cmd.Process != nil && ctx.Err() != nil {
		_ = syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) // who did not heed the first signal
	}
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return hook.ExitFailed, fmt.Errorf("call %s: %w: %w", hook.SwitchProgram, ErrTooLong, ctx.Err())
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return hook.ExitDone, nil
	case errors.As(err, &exit) && exit.ExitCode() >= 0:
		return exit.ExitCode(), nil
	default:
		return hook.ExitFailed, fmt.Errorf("call %s: %w", hook.SwitchProgram, err)
	}
}
