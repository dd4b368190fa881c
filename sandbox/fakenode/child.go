package fakenode

import (
	"bufio"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"os/exec"
	"syscall"
	"time"
)

// childVar is the environment variable that makes a program a fleet.
const childVar = "MPP_FAKENODE_CHILD"

// IsChild reports whether this process was started by Spawn. A test's TestMain asks this
// first, and if so exits with the code of RunChild.
func IsChild() bool { return os.Getenv(childVar) != "" }

// RunChild runs a fleet until standard input ends and returns the program's exit code. It
// reads FleetOptions as one line of JSON, and writes the Members as one line.
func RunChild() int {
	if err := Serve(os.Stdin, os.Stdout); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return 0
}

// Serve is RunChild with streams of one's own.
func Serve(in io.Reader, out io.Writer) error {
	lines := bufio.NewReader(in)
	text, err := lines.ReadBytes('\n')
	if err != nil {
		return fmt.Errorf("read fleet options: %w", err)
	}
	var o FleetOptions
	if err := json.Unmarshal(text, &o); err != nil {
		return fmt.Errorf("read fleet options: %w", err)
	}
	f, err := StartFleet(o)
	if err != nil {
		return err
	}
	defer f.Close()
	if err := json.NewEncoder(out).Encode(f.Members()); err != nil {
		return fmt.Errorf("write fleet's members: %w", err)
	}
	_, _ = io.Copy(io.Discard, lines) // until whoever started us is done
	return nil
}

// Child is a fleet in a process of its own.
type Child struct {
	// Members are its nodes.
	Members []Member
	cmd     *exec.Cmd
	stdin   io.Closer
}

// Spawn starts this very program as a fleet; its main or TestMain must heed IsChild. The
// child ends with Close, and when this process ends.
func Spawn(ctx context.Context, o FleetOptions) (*Child, error) {
	program, err := os.Executable()
	if err != nil {
		return nil, fmt.Errorf("spawn fleet: %w", err)
	}
	cmd := exec.CommandContext(context.WithoutCancel(ctx), program) // ctx bounds the start only
	cmd.Env = append(os.Environ(), childVar+"=1")
	cmd.Stderr = os.Stderr
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true} // a Ctrl-C is the parent's to act upon
	stdin, err := cmd.StdinPipe()
	if err != nil {
		return nil, fmt.Errorf("spawn fleet: %w", err)
	}
	stdout, err := cmd.StdoutPipe()
	if err != nil {
		return nil, fmt.Errorf("spawn fleet: %w", err)
	}
	if err := cmd.Start(); err != nil {
		return nil, fmt.Errorf("spawn fleet: %w", err)
	}
	c := &Child{cmd: cmd, stdin: stdin}
	giveUp := context.AfterFunc(ctx, func() { _ = cmd.Process.Kill() })
	defer giveUp()
	if err := json.NewEncoder(stdin).Encode(o); err != nil {
		return nil, errors.Join(fmt.Errorf("spawn fleet: write options: %w", err), c.Close())
	}
	if err := json.NewDecoder(stdout).Decode(&c.Members); err != nil {
		return nil, errors.Join(fmt.Errorf("spawn fleet: read members: %w", err), ctx.Err(), c.Close())
	}
	return c, nil
}

// Pid returns the child's process id, to stop and continue it, say.
func (c *Child) Pid() int { return c.cmd.Process.Pid }

// closeLimit bounds how long a child may take to end by itself.
const closeLimit = 10 * time.Second

// Close ends the child and waits for it. The error is that of its end.
func (c *Child) Close() error {
	kill := time.AfterFunc(closeLimit, func() { _ = c.cmd.Process.Kill() })
	defer kill.Stop()
	_ = c.cmd.Process.Signal(syscall.SIGCONT)
	err := c.stdin.Close()
	return errors.Join(err, c.cmd.Wait())
}
