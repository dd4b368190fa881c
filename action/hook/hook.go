// Package hook runs the programs that an operator has set for the phases of operations, and the
// one that turns a dead node off.
//
// A program gets JSON on its standard input and the same in short as environment variables
// (docs/failover.md lists them). It has a time limit; at its end the whole process group is
// killed. What it prints goes into no log but its last line, which explains a failure.
//
// What blocks: Run, until the program has ended or its limit is over. To test with it, give it
// shell scripts.
package hook

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"syscall"
	"time"

	"mpp"
)

// Hook is one program.
type Hook struct {
	Name    string
	Program string
	// Args come after the program's name.
	Args []string
	// Timeout is the limit of one run.
	Timeout time.Duration
	// Abort says that a failure ends the operation.
	Abort bool
}

// Event is what a program is told, as JSON on its standard input.
type Event struct {
	Phase string    `json:"phase"`
	Pool  string    `json:"pool"`
	At    time.Time `json:"at"`
	// Operation is the operation as it is now, with its steps.
	Operation *mpp.Operation `json:"operation,omitempty"`
	// Node and Host are set for the program that turns a node off.
	Node string `json:"node,omitempty"`
	Host string `json:"host,omitempty"`
}

// killDelay is how long what a killed program left behind may hold its output open.
const killDelay = 200 * time.Millisecond

// Run runs a hook. The error has the program's last line.
func (h Hook) Run(ctx context.Context, e Event) error {
	text, err := json.Marshal(e)
	if err != nil {
		return fmt.Errorf("encode event: %w", err)
	}
	ctx, cancel := context.WithTimeout(ctx, h.Timeout)
	defer cancel()
	var said lastLine
	cmd := exec.CommandContext(ctx, h.Program, h.Args...)
	cmd.Stdin, cmd.Stdout, cmd.Stderr = bytes.NewReader(append(text, '\n')), &said, &said
	cmd.Env = append(inherited(), e.environment()...)
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	cmd.WaitDelay = killDelay
	err = cmd.Run()
	var exit *exec.ExitError
	switch {
	case err == nil, errors.Is(err, exec.ErrWaitDelay): // it ended well, and left something behind
		return nil
	case errors.Is(ctx.Err(), context.DeadlineExceeded):
		return fmt.Errorf("hook %s: no end within %s, killed", h.Name, h.Timeout)
	case errors.As(err, &exit) && said.String() != "":
		return fmt.Errorf("hook %s: %w: %s", h.Name, err, said.String())
	default:
		return fmt.Errorf("hook %s: %w", h.Name, err)
	}
}

// inherited is the environment of this process without what is for itself alone: a program that found
// systemd's socket there could say in its name that all is well.
func inherited() []string {
	return slices.DeleteFunc(os.Environ(), func(pair string) bool {
		name, _, _ := strings.Cut(pair, "=")
		return name == "NOTIFY_SOCKET" || strings.HasPrefix(name, "WATCHDOG_") || strings.HasPrefix(name, "LISTEN_")
	})
}

// environment is the event in short.
func (e Event) environment() []string {
	env := []string{"MPP_PHASE=" + e.Phase, "MPP_POOL=" + e.Pool, "MPP_NODE=" + e.Node, "MPP_HOST=" + e.Host}
	if op := e.Operation; op != nil {
		env = append(
			env, fmt.Sprintf("MPP_OPERATION=%d", op.ID), "MPP_KIND="+string(op.Kind), "MPP_OLD="+op.Old, "MPP_NEW="+op.New,
			"MPP_BY="+op.By, "MPP_REASON="+op.Reason, "MPP_OUTCOME="+string(op.Outcome),
		)
	}
	return env
}

// lastLine keeps the end of what a program prints, 400 bytes at most.
type lastLine struct{ end []byte }

const keptBytes = 400

func (l *lastLine) Write(p []byte) (int, error) {
	l.end = append(l.end, p...)
	if extra := len(l.end) - keptBytes; extra > 0 {
		l.end = append(l.end[:0], l.end[extra:]...)
	}
	return len(p), nil
}

// String is the last line that is not empty.
func (l *lastLine) String() string {
	lines := strings.Split(strings.TrimSpace(string(l.end)), "\n")
	return strings.TrimSpace(lines[len(lines)-1])
}

// Check says why the program could not be run, without running it.
func (h Hook) Check() error {
	if _, err := exec.LookPath(h.Program); err != nil {
		return fmt.Errorf("hook %s: %w", h.Name, err)
	}
	return nil
}
