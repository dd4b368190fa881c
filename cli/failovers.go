package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"github.com/spf13/cobra"

	"mpp"
	"mpp/publish/api/client"
)

// defaultFailovers is how many operations are listed.
const defaultFailovers = 20

// failoversCommand is mpp failovers with its subcommands.
type failoversCommand struct {
	operating
	pool      string
	count     int
	wide      bool
	following bool
	all       bool
}

func newFailovers(e *env) *cobra.Command {
	f := &failoversCommand{operating: operating{env: e}}
	cmd := &cobra.Command{
		Use:   "failovers",
		Short: "list failovers, switchovers and repairs; show the report of one",
		Long: `failovers lists what MPP did in pools with an engine, and what it does now, newest first:
the number (each pool counts its own), from which node to which the role went, how long
there was no writer, what was lost, and how it ended. A failover that STOPPED keeps MPP from
starting another one by itself until it is acknowledged.`,
		Example: `  mpp failovers
  mpp failovers --pool shop -n 0
  mpp failovers show 3
  mpp failovers ack 3`,
	}
	group(cmd, "mpp failovers show N, mpp failovers ack N, or no argument for a list")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return f.list(cmd.Context()) }
	e.poolFlag(cmd, &f.pool, "only those of this `POOL`")
	cmd.Flags().IntVarP(&f.count, "count", "n", defaultFailovers, "list `N` of the newest; 0 means all that are kept")
	cmd.Flags().BoolVar(&f.json, "json", false, "print them as a JSON array, with all their steps")
	cmd.Flags().BoolVar(&f.wide, "wide", false, "do not cut lines to the width of the terminal")
	cmd.AddCommand(newFailoversShow(e), newFailoversAck(e))
	return cmd
}

func newFailoversShow(e *env) *cobra.Command {
	f := &failoversCommand{operating: operating{env: e}}
	cmd := &cobra.Command{
		Use:   "show N",
		Short: "show the report of an operation",
		Long: `show prints all that is known of an operation: why it was begun and on which evidence, who
was considered and why others were not, each step with how long it took, what was lost or
the proof that nothing was, and what is left to do, such as how to bring the old node back.

Exit code 0: it was completed, or is under way; 1: it was not.`,
		Example: `  mpp failovers show 3
  mpp failovers show 3 --pool shop --json | jq '.steps[] | {kind, node, took_ns}'`,
		Args:              exactly("number"),
		ValidArgsFunction: first(f.completeOperations(func(*mpp.Operation) bool { return true })),
		RunE:              func(cmd *cobra.Command, args []string) error { return f.show(cmd.Context(), args[0]) },
	}
	e.poolFlag(cmd, &f.pool, "the `POOL`, when several have an operation of that number")
	cmd.Flags().BoolVarP(&f.following, "follow", "f", false, "when it is under way: tell its steps as they end, until it ends")
	cmd.Flags().BoolVar(&f.json, "json", false, "print it as JSON")
	cmd.Flags().BoolVar(&f.wide, "wide", false, "do not cut lines to the width of the terminal")
	return cmd
}

func newFailoversAck(e *env) *cobra.Command {
	f := &failoversCommand{operating: operating{env: e}}
	cmd := &cobra.Command{
		Use:   "ack N | --all",
		Short: "say that a failover that stopped has been seen to",
		Long: `ack notes that somebody has seen to a failover that STOPPED. Until then MPP starts no other
failover of that pool by itself: nobody should find out in the morning that it tried all night.`,
		Example: `  mpp failovers ack 3
  mpp failovers ack --all --pool shop`,
		Args:              between(0, "number"),
		ValidArgsFunction: first(f.completeOperations(unacknowledged)),
		RunE:              func(cmd *cobra.Command, args []string) error { return f.ack(cmd.Context(), args) },
	}
	e.poolFlag(cmd, &f.pool, "the `POOL`, when several have an operation of that number")
	cmd.Flags().BoolVar(&f.all, "all", false, "all of a pool's")
	jsonResult(cmd, &f.json)
	return cmd
}

// pools are those whose operations are meant: the one named, or all with an engine.
func (f *failoversCommand) pools(v *mpp.View) ([]*mpp.PoolView, error) {
	if f.pool != "" {
		return chosen(v, []string{f.pool})
	}
	return chosen(enginePools(v), nil)
}

func (f *failoversCommand) list(ctx context.Context) error {
	if f.count < 0 {
		return usagef("", "--count is %d; it counts operations", f.count)
	}
	v, err := f.view(ctx)
	if err != nil {
		return err
	}
	pools, err := f.pools(v)
	if err != nil {
		return err
	}
	all := []mpp.Operation{}
	for _, p := range pools {
		some, err := asked(ctx, f.env, func(ctx context.Context, c Client) ([]mpp.Operation, error) {
			return c.Operations(ctx, p.Name, f.count)
		})
		if err != nil {
			return err
		}
		all = append(all, some...)
	}
	all = newestFirst(all, f.count)
	switch {
	case f.json:
		return f.printJSON(all)
	case len(pools) == 0:
		return f.print("no pool has an engine: MPP promotes nothing by itself\n")
	case len(all) == 0:
		return f.print("no failover, switchover or repair is kept\n")
	}
	return f.print(f.drawing(v, f.wide).operations(all))
}

// newestFirst sorts operations of several pools, those under way first, and keeps most of them;
// 0 keeps all.
func newestFirst(all []mpp.Operation, most int) []mpp.Operation {
	slices.SortStableFunc(all, func(a, b mpp.Operation) int {
		if a.Ended.IsZero() != b.Ended.IsZero() {
			if a.Ended.IsZero() {
				return -1
			}
			return 1
		}
		return b.Began.Compare(a.Began)
	})
	if most > 0 && len(all) > most {
		all = all[:most]
	}
	return all
}

// operations is a table, a line an operation.
func (d drawing) operations(all []mpp.Operation) string {
	t := &table{}
	t.heading("N", "POOL", "KIND", "WHEN", "OLD -> NEW", "NO WRITER", "LOST", "OUTCOME")
	var waiting []string
	for i := range all {
		o := &all[i]
		gap := "-"
		if long, known := outage(o); known && moves(o) {
			gap = took(long)
		}
		t.add(cell{text: fmt.Sprint(o.ID), right: true}, cell{text: o.Pool}, cell{text: string(o.Kind)}, cell{text: d.dated(o.Began)},
			cell{text: d.route(o, d.short)}, cell{text: gap, right: true}, lost(o), outcome(o))
		if unacknowledged(o) {
			waiting = append(waiting, fmt.Sprintf("failover %d of pool %s stopped: no other starts by itself before mpp failovers ack %d --pool %s", o.ID, o.Pool, o.ID, o.Pool))
		}
	}
	var b strings.Builder
	t.render(&b, d.page)
	for _, line := range waiting {
		b.WriteByte('\n')
		d.page.paint(&b, bad, clean(line))
		b.WriteByte('\n')
	}
	return b.String()
}

func (f *failoversCommand) show(ctx context.Context, number string) error {
	v, err := f.view(ctx)
	if err != nil {
		return err
	}
	o, err := f.find(ctx, v, number)
	if err != nil {
		return err
	}
	d := f.drawing(v, f.wide)
	if f.following && o.Ended.IsZero() {
		p, err := poolOf(v, o.Pool)
		if err != nil {
			return err
		}
		return f.follow(ctx, newProgress(d, p), o)
	}
	if f.json {
		err = f.printJSON(o)
	} else {
		err = f.print(d.report(o))
	}
	if err == nil && !o.Ended.IsZero() && o.Outcome != mpp.Completed {
		err = notOK()
	}
	return err
}

// find asks the pools that are meant for the operation of that number. It must be in one only.
func (f *failoversCommand) find(ctx context.Context, v *mpp.View, number string) (*mpp.Operation, error) {
	id, err := operationNumber(number)
	if err != nil {
		return nil, err
	}
	pools, err := f.pools(v)
	if err != nil {
		return nil, err
	}
	var hits []*mpp.Operation
	var names []string
	for _, p := range pools {
		o, err := asked(ctx, f.env, func(ctx context.Context, c Client) (*mpp.Operation, error) {
			return c.Operation(ctx, p.Name, id)
		})
		if errors.Is(err, client.ErrNotFound) {
			continue
		}
		if err != nil {
			return nil, err
		}
		hits, names = append(hits, o), append(names, p.Name)
	}
	switch {
	case len(hits) == 1:
		return hits[0], nil
	case len(hits) > 1:
		return nil, usagef("say which with --pool: "+listed("it may be", names), "%d pools have an operation %d", len(hits), id)
	case f.pool != "":
		return nil, usagef("mpp failovers --pool "+f.pool+" lists them", "pool %s has no operation %d, or its report is no longer kept", f.pool, id)
	default:
		return nil, usagef("mpp failovers lists them", "there is no operation %d, or its report is no longer kept", id)
	}
}

func operationNumber(text string) (uint64, error) {
	id, err := strconv.ParseUint(text, 10, 64)
	if err != nil || id == 0 {
		return 0, usagef("mpp failovers lists them", "%q is no operation's number", text)
	}
	return id, nil
}

func (f *failoversCommand) ack(ctx context.Context, args []string) error {
	switch {
	case f.all == (len(args) > 0):
		return usagef("mpp failovers lists them", "failovers ack needs a number, or --all")
	case f.all:
		return f.ackAll(ctx)
	}
	id, err := operationNumber(args[0])
	if err != nil {
		return err
	}
	v, err := f.view(ctx)
	if err != nil {
		return err
	}
	pool := f.pool
	if pool == "" {
		o, err := f.find(ctx, v, args[0])
		if err != nil {
			return err
		}
		pool = o.Pool
	} else if _, err := poolOf(v, pool); err != nil {
		return err
	}
	return f.do(ctx, order{pool: pool, json: f.json, command: mpp.Command{Verb: mpp.VerbAcknowledge, Operation: id}})
}

// ackAll acknowledges all of one pool.
func (f *failoversCommand) ackAll(ctx context.Context) error {
	v, err := f.view(ctx)
	if err != nil {
		return err
	}
	pools, err := f.pools(v)
	if err != nil {
		return err
	}
	if len(pools) != 1 {
		return usagef("say which with --pool", "--all is meant for one pool, and there are %d with an engine", len(pools))
	}
	return f.do(ctx, order{pool: pools[0].Name, json: f.json, command: mpp.Command{Verb: mpp.VerbAcknowledge}})
}

// completeOperations completes the numbers of operations, of those that suit.
func (f *failoversCommand) completeOperations(suits func(*mpp.Operation) bool) completer {
	return func(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
		ctx := cmd.Context()
		if ctx == nil {
			ctx = context.Background()
		}
		return f.suggestions(ctx, func(v *mpp.View) []cobra.Completion {
			pools, err := f.pools(v)
			if err != nil {
				return nil
			}
			var words []cobra.Completion
			for _, p := range pools {
				some, err := asked(ctx, f.env, func(ctx context.Context, c Client) ([]mpp.Operation, error) {
					return c.Operations(ctx, p.Name, defaultFailovers)
				})
				if err != nil {
					return nil
				}
				for i := range some {
					if o := &some[i]; suits(o) {
						words = append(words, cobra.CompletionWithDesc(fmt.Sprint(o.ID), clean(joined(", ", string(o.Kind), outcome(o).text, "pool "+o.Pool))))
					}
				}
			}
			return words
		})
	}
}
