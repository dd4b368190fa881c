package demo

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"path/filepath"
	"strings"

	"mpp/sandbox"
)

// loopback is the demo with engine "none": servers on loopback addresses, and a load balancer
// that the demo plays.
type loopback struct {
	Options
	base sandbox.Base
	// why says why it is not the other demo.
	why    error
	pool   *sandbox.Pool
	daemon *daemon
}

func (d *loopback) servers() string  { return filepath.Join(d.Dir, "servers") }
func (d *loopback) password() string { return filepath.Join(d.Dir, "password") }

func (d *loopback) start(ctx context.Context) error {
	fmt.Fprintf(d.Out, "starting three servers (%s %s, %s) ...\n", d.base.Flavour, d.base.Version, d.base.Origin)
	var err error
	d.pool, err = sandbox.StartPool(ctx, sandbox.PoolOptions{
		Base: d.base, Name: "node", Dir: d.servers(), Addresses: addresses(ctx), Detached: true, StartReadOnly: true,
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

func (d *loopback) writeConfig() error {
	if err := os.WriteFile(d.password(), []byte(d.pool.Monitor.Password+"\n"), 0o600); err != nil {
		return fmt.Errorf("write the demo's password file: %w", err)
	}
	var b strings.Builder
	fmt.Fprintf(&b, "# The demo's configuration: every other key has its default.\nstate_dir = %q\nrun_dir   = %q\n\n",
		filepath.Join(d.Dir, "state"), filepath.Dir(d.socket()))
	fmt.Fprintf(&b, "[[pool]]\nname = %q\n\n[pool.account]\nuser = %q\npassword_file = %q\n", PoolName, d.pool.Monitor.User, d.password())
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

func (d *loopback) show(ctx context.Context) error {
	balancer, err := newBalancer(d)
	if err != nil {
		return err
	}
	balancer.start(ctx)
	defer balancer.stop()
	d.explain(d.about())
	select {
	case <-ctx.Done():
		fmt.Fprintln(d.Out, "\ncleaning up ...")
		return nil
	case err := <-d.daemon.ended:
		return fmt.Errorf("mppd ended: %w; the end of its log:\n%s", err, d.daemon.tail())
	}
}

func (d *loopback) about() about {
	first := d.pool.Servers[0].Address()
	what := `A pool of three servers is up, a writer writes, mppd watches. This is the demo with engine "none":
MPP judges, and a load balancer, which the demo plays, moves the writes.`
	if !errors.Is(d.why, errAsked) {
		what += fmt.Sprintf(`
The demo with engine "native" has hosts and a virtual address that MPP moves, but
%v.`, d.why)
	}
	return about{
		what: what,
		hints: [][]hint{
			{
				{"mpp status --watch", "PRIMARY ACTIVE, two STANDBY"},
				{"mpp explain " + PoolName, "why, and what would happen if the ACTIVE node died"},
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
		},
		after: `The writer follows the ACTIVE node, as behind a load balancer. mpp promote and mpp demote move
the writes only: no replica is pointed at another source by them.`,
	}
}

// down removes what this program started.
func (d *loopback) down() error {
	var failed []error
	if d.daemon != nil {
		failed = append(failed, d.daemon.stop())
	}
	if d.pool != nil {
		failed = append(failed, d.pool.Close())
	}
	return errors.Join(failed...)
}

// remove removes what another program started, by what the folder says.
func (d *loopback) remove(ctx context.Context) error {
	if err := stopRecorded(d.Options); err != nil {
		return err
	}
	if _, err := os.Stat(d.servers()); err != nil {
		return nil //nolint:nilerr // it was killed before it had any
	}
	pool, err := sandbox.OpenPool(d.servers())
	if err == nil {
		err = pool.Close()
	}
	if err == nil {
		return nil
	}
	if _, again := sandbox.CleanStale(ctx, d.Dir); again != nil {
		return fmt.Errorf("remove the demo's servers: %w", errors.Join(err, again))
	}
	return nil
}
