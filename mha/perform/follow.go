package perform

import (
	"context"
	"database/sql/driver"
	"encoding/json"
	"fmt"
	"io"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"time"

	"mpp"
	"mpp/action/native"
	"mpp/link"
	"mpp/mha/hook"
	"mpp/replication"
)

// The jobs of a process that outlives its call.
const (
	jobFollow   = "follow"
	jobAnnounce = "announce"
)

// task is what such a process is told, on its standard input: the arguments hold passwords.
type task struct {
	Job     string
	Program hook.Program
	Args    []string
	// MHA is the process to wait for.
	MHA process
}

// DefaultUndoAfter is how long MHA has between a stop and its start; applications cannot write
// meanwhile. MHA waits there for the new master to apply what it has received, which it refuses to
// begin with when it lags more than 30 s.
const DefaultUndoAfter = time.Minute

func undoAfter(o *hook.Options) (time.Duration, error) {
	if o.UndoAfter == "" {
		return DefaultUndoAfter, nil
	}
	d, err := time.ParseDuration(o.UndoAfter)
	if err != nil || d <= 0 {
		return 0, fmt.Errorf("--undo-after=%s is no time such as 60s", o.UndoAfter)
	}
	return d, nil
}

// follow starts the process that sees to the switch when MHA has ended.
func (c *call) follow() error {
	pid, err := c.start(task{Job: jobFollow, Program: c.r.Program, Args: c.args, MHA: caller()})
	if err != nil {
		return err
	}
	return c.state.change(func(r *record) bool { r.Follower = processOf(pid); return true })
}

// announce lets a process go on to announce the address, since MHA waits for this one.
func (c *call) announce() {
	if c.cast.pool.VIP.AnnounceFor <= 0 {
		return
	}
	if _, err := c.start(task{Job: jobAnnounce, Program: c.r.Program, Args: c.args}); err != nil {
		c.log.say(warning, "the address was announced once, and will not be again: %v", err)
	}
}

// start starts a process that outlives this one.
func (c *call) start(t task) (pid int, err error) {
	if len(c.sys.Program) == 0 {
		return 0, fmt.Errorf("start a process to %s: nothing says by which program", t.Job)
	}
	text, err := json.Marshal(t)
	if err != nil {
		return 0, fmt.Errorf("encode what is to be done: %w", err)
	}
	in, out, err := os.Pipe()
	if err != nil {
		return 0, fmt.Errorf("start a process to %s: %w", t.Job, err)
	}
	defer func() { _ = in.Close() }()
	cmd := exec.Command(c.sys.Program[0], c.sys.Program[1:]...) //nolint:noctx // it outlives this process
	cmd.Stdin, cmd.Dir = in, "/"
	cmd.SysProcAttr = &syscall.SysProcAttr{Setsid: true}
	if t.Job == jobFollow {
		if f := lasting(c.sys.Out); f != nil {
			cmd.Stdout, cmd.Stderr = f, f
		}
	}
	if err := cmd.Start(); err != nil {
		_ = out.Close()
		return 0, fmt.Errorf("start a process to %s: %w", t.Job, err)
	}
	go func() { _ = cmd.Wait() }()
	_, err = out.Write(append(text, '\n')) // less than a pipe holds
	if closing := out.Close(); err == nil {
		err = closing
	}
	if err != nil {
		return 0, fmt.Errorf("tell a process to %s: %w", t.Job, err)
	}
	return cmd.Process.Pid, nil
}

// lasting is where the follower's lines may go: MHA's log, or its terminal. Who reads from a pipe
// would wait for its end.
func lasting(w io.Writer) *os.File {
	f, ok := w.(*os.File)
	if !ok {
		return nil
	}
	info, err := f.Stat()
	if err != nil || info.Mode()&(os.ModeNamedPipe|os.ModeSocket) != 0 {
		return nil
	}
	return f
}

// maxTask bounds what is read of a task, in bytes.
const maxTask = 1 << 20

// Follow is the process that outlives a call. in says what it does.
func Follow(ctx context.Context, sys System, in io.Reader) int {
	var t task
	if err := json.NewDecoder(io.LimitReader(in, maxTask)).Decode(&t); err != nil {
		return hook.ExitFailed
	}
	r, err := hook.Parse(t.Program, t.Args)
	if err != nil {
		return hook.ExitFailed
	}
	if t.Job == jobFollow {
		log, err := os.OpenFile(filepath.Join(stateDir(&r.Options), "follow.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
		if err == nil {
			defer func() { _ = log.Close() }()
			sys.Out = io.MultiWriter(log, sys.Out)
		}
	}
	c, err := begin(ctx, sys, &r, &journal{w: sys.Out, name: string(t.Program) + " follow"})
	if err != nil {
		return hook.ExitFailed
	}
	c.log.name, c.args = string(t.Program)+" follow", t.Args
	defer func() { _ = c.close() }()
	if t.Job == jobAnnounce {
		return c.announceOn(ctx)
	}
	c.watch(ctx, t.MHA)
	return hook.ExitDone
}

// announceOn announces the address again and again for a while.
func (c *call) announceOn(ctx context.Context) int {
	lasts := c.cast.pool.VIP.AnnounceFor
	ctx, cancel := context.WithTimeout(ctx, lasts)
	defer cancel()
	if err := c.vip.Announce(ctx, c.r.New.Address()); err != nil {
		return hook.ExitFailed
	}
	<-ctx.Done() // the mover goes on by itself until then
	return hook.ExitDone
}

// watch waits for MHA's end and sees to it that somebody has the role then.
func (c *call) watch(ctx context.Context, mha process) {
	limit, err := undoAfter(&c.r.Options)
	if err != nil {
		limit = DefaultUndoAfter
	}
	over := func() bool {
		r, err := c.state.read()
		return err == nil && (r.Progress == hook.Started || r.Progress == hook.Undone || r.Progress == "")
	}
	ended := mha.ended(ctx, mostPatience, func() bool { return over() || c.overdue(limit) })
	if !over() {
		why := "MHA has ended, and never came back to start the new master"
		if !ended {
			why = fmt.Sprintf("MHA has not come back within %s to start the new master", limit)
		}
		c.settle(ctx, why)
	}
	if r, err := c.state.read(); err == nil && r.Progress == hook.Undone && !ended {
		c.afterwards(ctx, mha)
	}
	c.state.forget(self())
}

// overdue reports whether MHA has had its time. What a hook takes is not MHA's.
func (c *call) overdue(limit time.Duration) bool {
	r, err := c.state.read()
	if err != nil || time.Since(r.At) < limit {
		return false
	}
	return r.Progress == hook.Stopped || !r.Hook.alive()
}

// mostPatience bounds the wait for an MHA that hangs.
const mostPatience = 24 * time.Hour

// afterwards waits for an MHA that was too slow: it closes the old master by itself, and may do so
// after that was undone.
func (c *call) afterwards(ctx context.Context, mha process) {
	mha.ended(ctx, mostPatience, func() bool { return false })
	r, err := c.state.read()
	if err != nil || r.Progress != hook.Undone {
		return
	}
	if open, known := c.open(ctx, c.r.New.Address()); known && open {
		return
	}
	if open, known := c.open(ctx, c.r.Orig.Address()); known && !open {
		c.log.say(warning, "the old master was closed again after the switch had been undone: %s", c.undo(ctx, r.Begun))
	}
}

// settle decides about a switch that MHA has left, and does it.
func (c *call) settle(ctx context.Context, why string) {
	open, known := c.open(ctx, c.r.New.Address())
	for {
		next := hook.Wait
		var r record
		err := c.state.change(func(now *record) bool {
			next = hook.Follow(hook.Seen{Progress: now.Progress, HookAlive: now.Hook.alive() && now.Progress != hook.Stopped, NewOpen: open, NewKnown: known})
			if next == hook.TakeBack {
				if now.Progress == hook.Starting {
					now.Begun = append(now.Begun, mpp.StepAddAddress)
				}
				now.Progress, now.At = hook.Undone, time.Now()
			}
			r = *now
			return next == hook.TakeBack
		})
		switch {
		case err != nil:
			c.log.say(failed, "%s; what is to be done is not known: %v", why, err)
			return
		case next == hook.TakeBack:
			c.log.say(warning, "%s: %s", why, c.undo(ctx, r.Begun))
			return
		case next == hook.GoOn:
			c.log.say(warning, "%s, but it takes writes: it gets what belongs to the role", why)
			c.perform(ctx, hook.Decide(asStart(c.r), &c.cast.setup))
			return
		case next == hook.Leave:
			if r.Progress == hook.Starting {
				c.log.say(failed, "%s; the new master does not answer and may take writes: nothing is done, look at both", why)
			}
			return
		}
		r.Hook.ended(ctx, mostPatience, func() bool { return false })
		if ctx.Err() != nil {
			return
		}
		open, known = c.open(ctx, c.r.New.Address())
	}
}

// asStart is the same switch in its other phase.
func asStart(r *hook.Request) *hook.Request {
	start := *r
	start.Phase = hook.Start
	return &start
}

// openLimit bounds the question whether a server takes writes.
const openLimit = 3 * time.Second

// open asks whether a node's server takes writes; known is false when it does not say.
func (c *call) open(ctx context.Context, node string) (open, known bool) {
	var account native.Account
	for _, n := range c.cast.pool.Nodes {
		if n.Address == node {
			account = n.Account
		}
	}
	if account.User == "" {
		return false, false
	}
	ctx, cancel := context.WithTimeout(ctx, openLimit)
	defer cancel()
	n, err := readOnlyState(ctx, link.Target{Address: node, User: account.User, Password: account.Password, TLS: account.TLS})
	return n == 0, err == nil
}

// readOnlyState is 0 for a server that takes writes.
func readOnlyState(ctx context.Context, t link.Target) (n int64, err error) {
	connector, err := t.Connector()
	if err != nil {
		return 0, err
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		return 0, fmt.Errorf("log in to %s: %w", t.Address, err)
	}
	defer func() { _ = conn.Close() }()
	asker := conn.(driver.QueryerContext)
	d, err := replication.Probe(ctx, asker)
	if err != nil {
		return 0, err
	}
	rows, err := asker.QueryContext(ctx, d.ReadOnlyStateSQL(), nil)
	if err != nil {
		return 0, fmt.Errorf("read read_only of %s: %w", t.Address, err)
	}
	defer func() { _ = rows.Close() }()
	return replication.ReadCount(rows)
}

// Conceal overwrites, in the memory that the system shows as this process's command line, what
// follows the = of arguments that hold passwords, and returns the arguments as they were.
func Conceal(args []string) []string {
	kept := make([]string, len(args))
	for i, arg := range args {
		kept[i] = strings.Clone(arg)
		if name, _, has := strings.Cut(kept[i], "="); has && strings.Contains(name, "password") {
			overwrite(arg, len(name)+1)
		}
	}
	return kept
}
