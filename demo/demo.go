// Package demo runs a real replicated pool on this machine, watched by mppd, with a writer
// at work: what `make demo` shows.
//
// There are two demos. Where network namespaces are allowed (root), the servers have a host
// each, made by package lab; the engine is "native": MPP promotes, and moves a virtual address
// that a client writes through. Elsewhere the servers listen on loopback addresses and the
// engine is "none": a load balancer moves the traffic. The demo plays it: its writer follows
// MPP's answers, and it opens the ACTIVE node for writes, as a hook of yours would.
//
// Up owns everything that it starts and takes it down before it returns; Down removes what an
// Up that was killed left behind. The demo's folder holds all of it, so that Do works from
// another terminal. Everything that takes a context may block until that context ends. A test
// gives Options a Dir, an Out and the programs, runs Up in a goroutine, and ends its context.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"syscall"
	"time"

	"mpp"
	"mpp/sandbox"
	"mpp/sandbox/lab"
)

// Options say where the demo lives and what it runs.
type Options struct {
	// Dir is the demo's folder; empty means mpp-demo-UID in the temporary folder.
	Dir string
	// elsewhere says that Dir was given: then the commands that people type need it, too.
	elsewhere bool
	// Engine is native for hosts with a virtual address that MPP moves, none for a load
	// balancer; empty means native where that is possible.
	Engine mpp.Engine
	// Mppd is the daemon's program; empty means mppd beside the running program.
	Mppd string
	// Mpp is what the demo tells people to type; empty means the running program.
	Mpp string
	// Out is where the demo tells what happens.
	Out io.Writer
}

// startLimit bounds how long servers and daemon may take to be ready, a download included;
// endLimit how long they may take to be gone.
const (
	startLimit = 3 * time.Minute
	endLimit   = time.Minute
)

// errAsked is why there are no hosts when nobody wants them.
var errAsked = errors.New("the other demo was asked for")

// errRemoved ends a demo that somebody has removed while it was up. What its folder holds from
// then on may be another one.
var errRemoved = errors.New("somebody has removed the demo")

// PoolName is the name of the demo's pool.
const PoolName = "demo"

func (o Options) filled() (Options, error) {
	self, err := os.Executable()
	if err != nil {
		return o, fmt.Errorf("find own program: %w", err)
	}
	o.elsewhere = o.elsewhere || o.Dir != ""
	if o.Dir == "" {
		o.Dir = filepath.Join(os.TempDir(), fmt.Sprintf("mpp-demo-%d", os.Getuid()))
	}
	if o.Mppd == "" {
		o.Mppd = filepath.Join(filepath.Dir(self), "mppd")
	}
	if o.Mpp == "" {
		o.Mpp = self
	}
	return o, nil
}

// command is a command of the demo, as people type it.
func (o Options) command(deed string) string {
	if o.elsewhere {
		return "mpp demo --dir " + o.Dir + " " + deed
	}
	return "mpp demo " + deed
}

// Both demos have these in the same places.
func (o Options) config() string { return filepath.Join(o.Dir, "mpp.toml") }
func (o Options) socket() string { return filepath.Join(o.Dir, "run", "mppd.sock") }
func (o Options) log() string    { return filepath.Join(o.Dir, "mppd.log") }

// way is one of the two demos.
type way interface {
	// start makes everything.
	start(ctx context.Context) error
	// show has a writer write and tells what happens, until ctx ends.
	show(ctx context.Context) error
	// down removes everything, however much of it there is.
	down() error
}

// Up starts the demo, prints what to try, and holds it until ctx ends; then it takes
// everything down.
func Up(ctx context.Context, o Options) error {
	o, err := o.filled()
	if err != nil {
		return err
	}
	if _, err := os.Stat(o.Mppd); err != nil {
		return fmt.Errorf("find mppd: %w (make build makes it)", err)
	}
	if err := o.claim(); err != nil {
		return err
	}
	err = o.run(ctx)
	if errors.Is(err, errRemoved) {
		fmt.Fprintln(o.Out, "\nsomebody has removed the demo: it ends")
		return nil
	}
	return errors.Join(err, os.RemoveAll(o.Dir))
}

// claim makes the folder, and so the demo the only one in it.
func (o Options) claim() error {
	err := os.Mkdir(o.Dir, 0o700)
	if errors.Is(err, os.ErrExist) {
		remove := "make demo-down"
		if o.elsewhere {
			remove = o.command("down")
		}
		return fmt.Errorf("%s is there: a demo runs, or one was killed; remove it with: %s", o.Dir, remove)
	}
	if err != nil {
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	return nil
}

func (o Options) run(ctx context.Context) error {
	why := o.noHosts()
	if why != nil && o.Engine == mpp.EngineNative {
		return why
	}
	fmt.Fprintln(o.Out, "looking for a MariaDB or MySQL server ...")
	finding, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	base, err := sandbox.Finder{Log: o.Out}.Find(finding, sandbox.Any)
	if err != nil {
		if ctx.Err() != nil {
			return nil // Ctrl-C
		}
		return fmt.Errorf("find a server for the demo: %w", err)
	}
	if why != nil {
		return o.hold(ctx, &loopback{Options: o, base: base, why: why})
	}
	return o.hold(ctx, &hosts{Options: o, base: base})
}

// noHosts is why this demo has no hosts of its own, nil if it has.
func (o Options) noHosts() error {
	if o.Engine == mpp.EngineNone {
		return errAsked
	}
	return lab.Possible()
}

// hold starts a demo and holds it until ctx ends.
func (o Options) hold(ctx context.Context, w way) error {
	starting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	err := w.start(starting)
	switch {
	case err == nil:
		err = w.show(ctx)
	case ctx.Err() != nil:
		err = nil // Ctrl-C while it started
	}
	if errors.Is(err, errRemoved) {
		return err
	}
	return errors.Join(err, w.down())
}

// Down removes what a demo left behind that was killed. It is no error if there is nothing.
func Down(o Options) error {
	o, err := o.filled()
	if err != nil {
		return err
	}
	ctx, cancel := context.WithTimeout(context.Background(), endLimit)
	defer cancel()
	// First the hosts, of which something may be there when the folder is gone already.
	hosts, err := lab.Down(ctx, o.Dir)
	if err != nil {
		return fmt.Errorf("remove the demo's hosts: %w", err)
	}
	info, err := os.Lstat(o.Dir)
	switch {
	case errors.Is(err, os.ErrNotExist) && !hosts:
		fmt.Fprintln(o.Out, "no demo is there")
		return nil
	case errors.Is(err, os.ErrNotExist):
		fmt.Fprintln(o.Out, "the demo is gone")
		return nil
	case err != nil:
		return fmt.Errorf("look at the demo's folder: %w", err)
	}
	// The folder names processes that are ended next: it must not be another user's word.
	if owner, known := info.Sys().(*syscall.Stat_t); !info.IsDir() || (known && int(owner.Uid) != os.Getuid()) {
		return fmt.Errorf("%s is not a folder of yours: it is left alone; look who made it", o.Dir)
	}
	if err := (&loopback{Options: o}).remove(ctx); err != nil {
		return err
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		return fmt.Errorf("remove the demo's folder: %w", err)
	}
	fmt.Fprintln(o.Out, "the demo is gone")
	return nil
}
