// Package demo runs a real replicated pool on this machine, watched by mppd, with a writer
// at work: what `make demo` shows.
//
// Up owns everything that it starts (three servers, one mppd, the writer) and takes it down
// before it returns; Down removes what an Up that was killed left behind. The demo's folder
// holds all of it, so that Kill, Start and the like work from another terminal. Everything
// that takes a context may block until that context ends.
//
// With engine "none" a load balancer moves the traffic. The demo plays it: its writer follows
// MPP's answers, and it opens the ACTIVE node for writes, as a hook of yours would.
package demo

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"mpp/sandbox"
)

// Options say where the demo lives and what it runs.
type Options struct {
	// Dir is the demo's folder; empty means mpp-demo-UID in the temporary folder.
	Dir string
	// elsewhere says that Dir was given: then the commands that people type need it, too.
	elsewhere bool
	// Mppd is the daemon's program; empty means mppd beside the running program.
	Mppd string
	// Mpp is what the demo tells people to type; empty means the running program.
	Mpp string
	Out io.Writer
}

// startLimit bounds how long servers and daemon may take to be ready, a download included.
const startLimit = 3 * time.Minute

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

func (o Options) servers() string  { return filepath.Join(o.Dir, "servers") }
func (o Options) config() string   { return filepath.Join(o.Dir, "mpp.toml") }
func (o Options) password() string { return filepath.Join(o.Dir, "password") }
func (o Options) run() string      { return filepath.Join(o.Dir, "run") }
func (o Options) socket() string   { return filepath.Join(o.Dir, "run", "mppd.sock") }
func (o Options) log() string      { return filepath.Join(o.Dir, "mppd.log") }

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
	if err := os.Mkdir(o.Dir, 0o700); err != nil {
		if errors.Is(err, os.ErrExist) {
			remove := "make demo-down"
			if o.elsewhere {
				remove = o.command("down")
			}
			return fmt.Errorf("%s is there: a demo runs, or one was killed; remove it with: %s", o.Dir, remove)
		}
		return fmt.Errorf("make the demo's folder: %w", err)
	}
	d := &demo{Options: o}
	err = d.hold(ctx)
	return errors.Join(err, d.down())
}

// demo is one that is up.
type demo struct {
	Options
	pool   *sandbox.Pool
	daemon *daemon
}

func (d *demo) hold(ctx context.Context) error {
	starting, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	if err := d.start(starting); err != nil {
		if ctx.Err() != nil {
			return nil // Ctrl-C while it started
		}
		return err
	}
	balancer, err := newBalancer(d)
	if err != nil {
		return err
	}
	balancer.start(ctx)
	defer balancer.stop()
	d.explain()
	select {
	case <-ctx.Done():
		fmt.Fprintln(d.Out, "\ncleaning up ...")
		return nil
	case err := <-d.daemon.ended:
		return fmt.Errorf("mppd ended: %w; the end of its log:\n%s", err, d.daemon.tail())
	}
}

func (d *demo) start(ctx context.Context) error {
	fmt.Fprintln(d.Out, "looking for a MariaDB or MySQL server ...")
	base, err := sandbox.Finder{Log: d.Out}.Find(ctx, sandbox.Any)
	if err != nil {
		return fmt.Errorf("find a server for the demo: %w", err)
	}
	fmt.Fprintf(d.Out, "starting three servers (%s %s, %s) ...\n", base.Flavour, base.Version, base.Origin)
	d.pool, err = sandbox.StartPool(ctx, sandbox.PoolOptions{
		Base: base, Name: "node", Dir: d.servers(), Addresses: addresses(ctx), Detached: true, StartReadOnly: true,
	})
	if err != nil {
		return fmt.Errorf("start the demo's servers: %w", err)
	}
	if err := d.writeConfig(); err != nil {
		return err
	}
	fmt.Fprintln(d.Out, "starting mppd ...")
	d.daemon, err = startDaemon(ctx, d.Options)
	return err
}

// addresses are easy to read and to type; a port that is taken is replaced by a free one.
func addresses(ctx context.Context) []string {
	var all []string
	for i := 1; i <= Servers; i++ {
		host := fmt.Sprintf("127.0.0.%d", 10+i)
		address := net.JoinHostPort(host, "13306")
		l, err := (&net.ListenConfig{}).Listen(ctx, "tcp", address)
		if err != nil {
			address = net.JoinHostPort(host, "0")
		} else {
			_ = l.Close()
		}
		all = append(all, address)
	}
	return all
}

func (d *demo) writeConfig() error {
	if err := os.WriteFile(d.password(), []byte(d.pool.Monitor.Password+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the demo's password file: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# The demo's configuration: every other key has its default.\nstate_dir = %q\nrun_dir   = %q\n\n", filepath.Join(d.Dir, "state"), d.run())
	fmt.Fprintf(&b, "[[pool]]\nname = \"demo\"\n\n[pool.account]\nuser = %q\npassword_file = %q\n", d.pool.Monitor.User, d.password())
	for i, s := range d.pool.Servers {
		kind := "SECONDARY"
		if i == 0 {
			kind = "PRIMARY"
		}
		fmt.Fprintf(&b, "\n[[pool.node]]\naddress = %q\ntype = %q\n", s.Address(), kind)
	}
	if err := os.WriteFile(d.config(), []byte(b.String()), 0o600); err != nil {
		return fmt.Errorf("write the demo's configuration: %w", err)
	}
	return nil
}

// hint is something to type, and what it shows.
type hint struct{ command, shows string }

func (d *demo) hints() [][]hint {
	first := d.pool.Servers[0].Address()
	return [][]hint{
		{
			{"mpp status --watch", "PRIMARY ACTIVE, two STANDBY"},
			{"mpp explain demo", "why, and what would happen if the ACTIVE node died"},
			{"mpp check " + first, "every check of one node, now, with timings"},
		},
		{
			{d.command("kill 1"), "kill -9 of the first server: FAIL (OFFLINE), the first SECONDARY takes over"},
			{"mpp events", "what happened, and by which rule"},
			{d.command("start 1"), "the server is back, as a replica; FAIL is sticky ..."},
			{"mpp recover " + first, "... until you say so: UNKNOWN, STANDBY, and the PRIMARY takes its role back"},
			{d.command("stop-sql 3"), "a replica's SQL thread stops: FAIL (ONLINE)"},
			{d.command("start-sql 3"), "it goes on; mpp recover takes the node back"},
		},
	}
}

// explain prints what to look at and what to try.
func (d *demo) explain() {
	var b strings.Builder
	groups, wide := d.hints(), 0
	for _, h := range slices.Concat(groups...) {
		wide = max(wide, len(h.command))
	}
	for _, group := range groups {
		for _, h := range group {
			fmt.Fprintf(&b, "  %-*s  # %s\n", wide, h.command, h.shows)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(d.Out, `
A pool of three servers is up, a writer writes, mppd watches. In another terminal:

  export MPP_SOCKET=%s
  alias mpp=%s

%sThe writer follows the ACTIVE node, as behind a load balancer. mpp promote and mpp demote move
the writes only: no replica is pointed at another source by them.

Configuration: %s     Log: %s
Ctrl-C ends the demo and removes everything.

`, d.socket(), d.Mpp, b.String(), d.config(), d.log())
}

// down removes everything.
func (d *demo) down() error {
	var failed []error
	if d.daemon != nil {
		failed = append(failed, d.daemon.stop())
	}
	if d.pool != nil {
		failed = append(failed, d.pool.Close())
	}
	return errors.Join(append(failed, os.RemoveAll(d.Dir))...)
}

// Down removes what a demo left behind that was killed. It is no error if there is nothing.
func Down(o Options) error {
	o, err := o.filled()
	if err != nil {
		return err
	}
	info, err := os.Lstat(o.Dir)
	if errors.Is(err, os.ErrNotExist) {
		fmt.Fprintln(o.Out, "no demo is there")
		return nil
	}
	if err != nil {
		return fmt.Errorf("look at the demo's folder: %w", err)
	}
	// The folder names processes that are ended next: it must not be another user's word.
	if owner, known := info.Sys().(*syscall.Stat_t); !info.IsDir() || (known && int(owner.Uid) != os.Getuid()) {
		return fmt.Errorf("%s is not a folder of yours: it is left alone; look who made it", o.Dir)
	}
	if err := stopRecorded(o); err != nil {
		return err
	}
	if _, err := os.Stat(o.servers()); err == nil {
		pool, err := sandbox.OpenPool(o.servers())
		if err == nil {
			err = pool.Close()
		}
		if err != nil {
			if _, again := sandbox.CleanStale(context.Background(), o.Dir); again != nil {
				return fmt.Errorf("remove the demo's servers: %w", errors.Join(err, again))
			}
		}
	}
	if err := os.RemoveAll(o.Dir); err != nil {
		return fmt.Errorf("remove the demo's folder: %w", err)
	}
	fmt.Fprintln(o.Out, "the demo is gone")
	return nil
}
