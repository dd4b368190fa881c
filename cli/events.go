package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mpp"
	"mpp/publish/api/client"
)

const (
	// defaultEvents is how many of the newest events are shown.
	defaultEvents = 20
	// The wait before a broken stream is taken up again doubles between these bounds.
	minRetry, maxRetry = 250 * time.Millisecond, 5 * time.Second
)

// eventsCommand is mpp events.
type eventsCommand struct {
	*env
	follow, json, countSet bool
	count                  int
	pool, node, since      string
}

func newEvents(e *env) *cobra.Command {
	c := &eventsCommand{env: e}
	cmd := &cobra.Command{
		Use:   "events",
		Short: "show what happened, and on what evidence",
		Long: `events prints what happened, oldest first: the time, the severity, the pool, the text,
and in brackets the rule that decided. With --follow it goes on with what happens, until
Ctrl-C, and takes the stream up again where it broke off when the daemon was away.`,
		Example: `  mpp events
  mpp events --follow --pool shop
  mpp events --since 02:30 --node db1
  mpp events --since "2h ago" --json | jq -r 'select(.kind == "state") | .text'`,
		Args: between(0),
		RunE: func(cmd *cobra.Command, _ []string) error {
			c.countSet = cmd.Flags().Changed("count")
			return c.run(cmd.Context())
		},
	}
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	e.poolFlag(cmd, &c.pool, "only events of this `POOL`")
	flags := cmd.Flags()
	flags.BoolVarP(&c.follow, "follow", "f", false, "go on with what happens, until Ctrl-C")
	flags.IntVarP(&c.count, "count", "n", defaultEvents, "show `N` of the newest; 0 means all that are kept")
	flags.StringVar(&c.node, "node", "", "only events of this `NODE`")
	completes(cmd, "node", e.completeNodes(nil))
	flags.StringVar(&c.since, "since", "", "only since `WHEN`: 10m, 2h, 02:30, \"2026-03-01 02:30\" (all of them, unless -n is given)")
	flags.BoolVar(&c.json, "json", false, "print one JSON object a line")
	return cmd
}

func (c *eventsCommand) run(ctx context.Context) error {
	q, err := c.query(ctx)
	if err != nil {
		return err
	}
	after := uint64(0)
	if c.follow { // asked first, so that nothing is lost between the list and the stream
		if after, err = c.newest(ctx); err != nil {
			return err
		}
	}
	events, err := c.list(ctx, q)
	if err != nil {
		return err
	}
	p := c.page(true)
	for i := range events {
		if err := c.show(p, events[i]); err != nil {
			return err
		}
		after = max(after, events[i].Seq)
	}
	if c.follow {
		q.After, q.Limit, q.Since = after, 0, time.Time{}
		return c.stream(ctx, q, p)
	}
	if len(events) == 0 && !c.json {
		return c.print("no events\n")
	}
	return nil
}

func (c *eventsCommand) list(ctx context.Context, q client.EventQuery) ([]mpp.Event, error) {
	return asked(ctx, c.env, func(ctx context.Context, d Client) ([]mpp.Event, error) { return d.Events(ctx, q) })
}

// newest returns the number of the newest event, 0 when there is none.
func (c *eventsCommand) newest(ctx context.Context) (uint64, error) {
	events, err := c.list(ctx, client.EventQuery{Limit: 1})
	if err != nil || len(events) == 0 {
		return 0, err
	}
	return events[len(events)-1].Seq, nil
}

// query turns the flags into a query.
func (c *eventsCommand) query(ctx context.Context) (client.EventQuery, error) {
	q := client.EventQuery{Limit: c.count}
	if c.count < 0 {
		return q, usagef("", "--count is %d; it counts events", c.count)
	}
	if c.since != "" {
		var err error
		if q.Since, err = c.parsePast(c.since); err != nil {
			return q, usagef("", "--since: %v", err)
		}
		if !c.countSet {
			q.Limit = 0
		}
	}
	if c.pool == "" && c.node == "" {
		return q, nil
	}
	v, err := c.view(ctx)
	if err != nil {
		return q, err
	}
	return q, c.restrict(v, &q)
}

func (c *eventsCommand) restrict(v *mpp.View, q *client.EventQuery) error {
	if c.pool != "" {
		if _, err := poolOf(v, c.pool); err != nil {
			return err
		}
		q.Pool = c.pool
	}
	if c.node == "" {
		return nil
	}
	f, err := nodeOf(v, c.node)
	if err != nil {
		return err
	}
	if q.Pool != "" && f.pool.Name != q.Pool {
		return usagef("", "node %s is of pool %s, not of %s", f.address(), f.pool.Name, q.Pool)
	}
	q.Node = f.address()
	return nil
}

// stream follows until ctx ends. Where it breaks off it is taken up again, without showing an
// event twice.
func (c *eventsCommand) stream(ctx context.Context, q client.EventQuery, p page) error {
	d, err := c.client()
	if err != nil {
		return err
	}
	var printing error
	for wait := minRetry; ; wait = min(2*wait, maxRetry) {
		err := d.Stream(ctx, q, func(event mpp.Event) error {
			if event.Seq != 0 && event.Seq <= q.After {
				return nil
			}
			q.After, wait = max(q.After, event.Seq), minRetry
			printing = c.show(p, event)
			return printing
		})
		switch {
		case ctx.Err() != nil:
			return nil //nolint:nilerr // Ctrl-C is how a follow ends
		case printing != nil:
			return printing
		case errors.Is(err, client.ErrDenied), errors.Is(err, client.ErrNotFound), errors.Is(err, client.ErrRefused):
			return err
		}
		if wait == minRetry {
			fmt.Fprintf(c.sys.Err, "mpp: the stream broke off, trying again: %s\n", clean(c.judge(err).text))
		}
		if !pause(ctx, wait) {
			return nil
		}
		c.restart(ctx, &q)
	}
}

// restart notices that the daemon counts events from 1 again, as it does when its journal was
// lost: waiting for higher numbers would be silent for ever.
func (c *eventsCommand) restart(ctx context.Context, q *client.EventQuery) {
	newest, err := c.newest(ctx)
	if err == nil && newest < q.After {
		fmt.Fprintf(c.sys.Err, "mpp: mppd numbers its events afresh (%d after %d)\n", newest, q.After)
		q.After = 0
	}
}

// pause waits, and reports whether ctx went on.
func pause(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

func (c *eventsCommand) show(p page, event mpp.Event) error {
	if c.json {
		return c.printLine(event)
	}
	var b strings.Builder
	b.WriteString(c.stamp(event.At) + "  ")
	p.paint(&b, statusStyle(event.Severity), fmt.Sprintf("%-8s", event.Severity))
	where := event.Pool
	if where == "" {
		where = "mppd"
	}
	text := event.Text
	if event.Node != "" && !strings.Contains(text, event.Node) {
		text = event.Node + ": " + text
	}
	b.WriteString("  " + clean(where+": "+text))
	if event.Rule != "" {
		p.paint(&b, dim, " ["+clean(event.Rule)+"]")
	}
	b.WriteByte('\n')
	return c.print(b.String())
}
