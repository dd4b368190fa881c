package vip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"mpp"
	"mpp/action/remote"
)

// program is the way of kind Exec.
type program struct{}

// errElsewhere is the answer 1 of status.
var errElsewhere = errors.New("it says that the node does not have it")

// add and remove do not take the program's word for it: status must say the same.
func (w program) add(ctx context.Context, p *place) error {
	if err := w.run(ctx, p, "on"); err != nil {
		return err
	}
	err := w.run(ctx, p, "status")
	if errors.Is(err, errElsewhere) {
		return fmt.Errorf("%s on: it ended well, and its status says that the node does not have the address", p.m.o.Program)
	}
	return err
}

func (w program) remove(ctx context.Context, p *place) error {
	if err := w.run(ctx, p, "off"); err != nil {
		return err
	}
	err := w.run(ctx, p, "status")
	switch {
	case errors.Is(err, errElsewhere):
		return nil
	case err == nil:
		return fmt.Errorf("%s off: it ended well, and its status says that the node has the address still", p.m.o.Program)
	default:
		return err
	}
}

// announce leaves it to the program: what it has put on it has announced.
func (program) announce(context.Context, *place) error { return nil }

func (w program) status(ctx context.Context, p *place, r *mpp.AddressReport) error {
	err := w.run(ctx, p, "status")
	if errors.Is(err, errElsewhere) {
		r.Known = true
		return nil
	}
	r.Known, r.Holds, r.Some = err == nil, err == nil, err == nil
	return err
}

func (program) probe(context.Context, *place) (string, error) { return "", nil }

func (w program) check(ctx context.Context, p *place) (facts, problems []string) {
	err := w.run(ctx, p, "status")
	switch {
	case err == nil:
		return []string{p.m.o.Program + " says that the node has the address"}, nil
	case errors.Is(err, errElsewhere):
		return []string{p.m.o.Program + " says that the node does not have the address"}, nil
	}
	return nil, []string{err.Error()}
}

func (w program) statements(p *place, add bool) []string {
	verb := "off"
	if add {
		verb = "on"
	}
	return []string{strings.Join(append([]string{p.m.o.Program, verb}, p.m.plain()...), " ")}
}

// plain are the addresses without prefix lengths.
func (m *Mover) plain() []string {
	var all []string
	for _, a := range m.o.Addresses {
		all = append(all, a.Addr().String())
	}
	return all
}

// run calls the program and judges its exit status.
func (w program) run(ctx context.Context, p *place, verb string) error {
	o := &p.m.o
	var stderr bytes.Buffer
	cmd := exec.CommandContext(ctx, o.Program, append([]string{verb}, p.m.plain()...)...)
	cmd.Dir = "/"
	cmd.Env = []string{
		"PATH=" + os.Getenv("PATH"), "LC_ALL=C", "MPP_POOL=" + o.Pool, "MPP_NODE=" + p.node, "MPP_HOST=" + p.Name,
		"MPP_INTERFACE=" + p.Interface, "MPP_ADDRESSES=" + strings.Join(p.m.plain(), " "),
	}
	cmd.Stderr = &lastBytes{b: &stderr}
	cmd.SysProcAttr = &syscall.SysProcAttr{Setpgid: true}
	cmd.Cancel = func() error { return syscall.Kill(-cmd.Process.Pid, syscall.SIGKILL) }
	// What got away from its process group may hold standard error; it is not waited for.
	cmd.WaitDelay = 100 * time.Millisecond
	err := cmd.Run()
	said := remote.Output{Stderr: stderr.String()}.LastLine()
	var exit *exec.ExitError
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("%s %s: no end in time, it was killed: %w", o.Program, verb, ctx.Err())
	case err == nil || errors.Is(err, exec.ErrWaitDelay):
		return nil
	case !errors.As(err, &exit):
		return fmt.Errorf("%s %s: %w", o.Program, verb, err)
	case verb == "status" && exit.ExitCode() == 1:
		return fmt.Errorf("%s: %w", o.Program, errElsewhere)
	case said == "":
		return fmt.Errorf("%s %s: %w", o.Program, verb, err)
	default:
		return fmt.Errorf("%s %s: %s (%w)", o.Program, verb, said, err)
	}
}

// lastBytes keeps the end of what is written to it.
type lastBytes struct{ b *bytes.Buffer }

func (l *lastBytes) Write(p []byte) (int, error) {
	l.b.Write(p)
	if extra := l.b.Len() - 4<<10; extra > 0 {
		l.b.Next(extra)
	}
	return len(p), nil
}
