package demo

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"time"

	"mpp"
	"mpp/publish/api/client"
	"mpp/sandbox"
	"mpp/sandbox/lab"
)

// writeEvery is how often the client of the demo writes. The disks of the binary logs are
// small: the logs of an hour fit in, and older ones are removed.
const writeEvery = 20 * time.Millisecond

// readyLimit is how long the demo waits for MPP to have judged the nodes before it goes on.
const readyLimit = 10 * time.Second

// verifyLimit bounds the question, at the end, whether something was lost.
const verifyLimit = 2 * time.Second

// hosts is the demo with engine "native": a lab, with a virtual address that MPP moves.
type hosts struct {
	Options
	base sandbox.Base
	lab  *lab.Lab
}

func (d *hosts) start(ctx context.Context) error {
	fmt.Fprintf(d.Out, "making three hosts, each with a server (%s %s, %s) ...\n", d.base.Flavour, d.base.Version, d.base.Origin)
	var err error
	d.lab, err = lab.Up(ctx, lab.Options{
		Dir: d.Dir, Base: d.base, Nodes: Servers, PoolName: PoolName, Mpp: d.Mpp, Detached: true,
		Args: []string{"--max-binlog-size=4M", "--loose-binlog-expire-logs-seconds=2400"},
	})
	if err != nil {
		return fmt.Errorf("start the demo's hosts: %w", err)
	}
	fmt.Fprintln(d.Out, "starting mppd ...")
	return d.lab.StartMppd(ctx, d.Mppd)
}

func (d *hosts) pool() *lab.Pool { return d.lab.Pools[0] }

func (d *hosts) show(ctx context.Context) error {
	c, err := client.New(client.Options{Socket: d.socket()})
	if err != nil {
		return fmt.Errorf("ask mppd: %w", err)
	}
	defer c.Close()
	seen, err := d.judged(ctx, c)
	if err != nil {
		return err
	}
	t := &teller{out: d.Out}
	w, err := d.lab.Write(context.WithoutCancel(ctx), lab.WriteOptions{Interval: writeEvery, OnOutage: t.outage})
	if err == nil {
		defer w.Stop()
		err = written(ctx, w)
	}
	if ctx.Err() != nil {
		return nil
	}
	if err != nil {
		return fmt.Errorf("begin to write: %w", err)
	}
	d.explain(d.about())
	t.say("client", fmt.Sprintf("writes go to %s, through %s", d.pool().Hosts[0].Name, d.pool().VIP))
	if err := d.watch(ctx, t, w, follow(ctx, c, seen)); err != nil {
		return err
	}
	fmt.Fprintln(d.Out, "\ncleaning up ...")
	d.tally(w)
	return nil
}

// written waits until a row is acknowledged.
func written(ctx context.Context, w *lab.Writer) error {
	ctx, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	return sandbox.Eventually(ctx, writeEvery, func(context.Context) error {
		if r := w.Record(); r.Acknowledged == 0 {
			return fmt.Errorf("no row was acknowledged yet: %s", counts(r.Errors))
		}
		return nil
	})
}

// judged waits until MPP has said what each node is, and returns the last event until then.
func (d *hosts) judged(ctx context.Context, c *client.Client) (uint64, error) {
	limited, cancel := context.WithTimeout(ctx, readyLimit)
	defer cancel()
	err := sandbox.Eventually(limited, 50*time.Millisecond, func(ctx context.Context) error {
		p, err := c.Pool(ctx, PoolName)
		if err == nil && p.Active == "" {
			err = errors.New("no node is ACTIVE")
		}
		return err
	})
	if err != nil && ctx.Err() == nil {
		return 0, fmt.Errorf("wait for mppd to judge the nodes: %w; the end of its log:\n%s", err, d.lab.MppdLog())
	}
	events, err := c.Events(ctx, client.EventQuery{Limit: 1})
	if err != nil || len(events) == 0 {
		return 0, nil //nolint:nilerr // then all of them are told
	}
	return events[0].Seq, nil
}

// watch tells what happens until ctx ends: what MPP says, how the client fares, and whether
// mppd is there, which people may end on purpose.
func (d *hosts) watch(ctx context.Context, t *teller, w *lab.Writer, events <-chan mpp.Event) error {
	tick := time.NewTicker(followEvery)
	defer tick.Stop()
	there := true
	for {
		select {
		case <-ctx.Done():
			return nil
		case e := <-events:
			t.event(e)
		case <-tick.C:
			if _, err := os.Stat(d.Dir); errors.Is(err, os.ErrNotExist) {
				return errRemoved
			}
			t.look(w.Record())
			runs := d.lab.Mppd().Running()
			switch {
			case there && !runs:
				t.say("mppd", "it has ended; the databases go on without it. Start it: mpp lab start --dir "+d.Dir+" manager")
			case !there && runs:
				t.say("mppd", "it runs again")
			}
			there = runs
		}
	}
}

// tally ends the writing and says what came of it.
func (d *hosts) tally(w *lab.Writer) {
	r := w.Stop()
	ctx, cancel := context.WithTimeout(context.Background(), verifyLimit)
	defer cancel()
	lost := "whether one is lost is not known: nobody answers at " + r.Through
	if v, err := w.Verify(ctx); err == nil {
		lost = fmt.Sprintf("%d of them lost: %s has the others", v.Lost, v.Server)
		if v.Lost == 0 {
			lost = "none of them lost: " + v.Server + " has every one"
		}
	}
	fmt.Fprintf(d.Out, "the client had %d rows acknowledged, %s; the longest time without was %s\n", r.Acknowledged, lost, milliseconds(r.LongestGap))
}

func (d *hosts) about() about {
	p := d.pool()
	var servers []string
	for _, h := range p.Hosts {
		servers = append(servers, h.Name+" "+h.Address.String())
	}
	onLab := func(verb, host string) string { return "mpp lab " + verb + " --dir " + d.Dir + " " + host }
	return about{
		what: fmt.Sprintf(`A pool of three servers is up, each on a host of its own (a network namespace): %s.
A client writes through the virtual address %s. This is the demo with engine "native": when
the ACTIVE server is lost, MPP promotes another one and moves the address. It is told here, live.`,
			strings.Join(servers, ", "), p.VIP),
		hints: [][]hint{
			{
				{"mpp status --watch", "who is ACTIVE, and where the address is; leave it open beside this"},
				{"mpp readiness " + PoolName, "would a failover work now, who would take over, what would be lost"},
			},
			{
				{d.command("kill 1"), "kill -9 of the ACTIVE server"},
				{"mpp failovers show 1", "the report: evidence, each step with its time, what was lost"},
				{d.command("start 1"), "the server is back: it is fenced, compared, and made a replica"},
				{"mpp switchover " + PoolName + " --to db1", "and takes the writes again, in order; --dry-run shows the plan"},
			},
			{
				{"mpp explain " + PoolName, "why each node is what it is, and what would happen next"},
				{onLab("cut", "db1"), "a whole host gone without a word; heal db1 ends it"},
				{d.command("freeze 1"), "a server that hangs: connects and never answers; thaw 1 ends it, and MPP looks what it wrote"},
				{"mpp rejoin db1 --clone", "where MPP keeps it out for that: its data is replaced by a copy"},
				{"mpp doctor " + PoolName, "tries all that a failover will need, and harms nothing"},
			},
		},
		after: `No server of yours is touched: nothing of this is reachable from outside. "mpp lab" does more with it.`,
	}
}

// down ends the lab and removes it.
func (d *hosts) down() error {
	if d.lab == nil {
		return nil // lab.Up leaves nothing when it fails
	}
	ctx, cancel := context.WithTimeout(context.Background(), endLimit)
	defer cancel()
	return d.lab.Close(ctx)
}

// follow sends what happens after an event, until ctx ends. While mppd is away it asks again.
func follow(ctx context.Context, c *client.Client, after uint64) <-chan mpp.Event {
	events := make(chan mpp.Event)
	go func() {
		for ctx.Err() == nil {
			_ = c.Stream(ctx, client.EventQuery{After: after}, func(e mpp.Event) error {
				select {
				case events <- e:
					after = e.Seq
					return nil
				case <-ctx.Done():
					return ctx.Err()
				}
			})
			select {
			case <-ctx.Done():
			case <-time.After(followEvery):
			}
		}
	}()
	return events
}
