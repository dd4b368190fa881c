package cli

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mpp"
)

// doctorTimeout bounds a diagnosis unless --timeout does: hosts that do not answer are waited
// for.
const doctorTimeout = time.Minute

// doctorCommand is mpp doctor.
type doctorCommand struct {
	*env
	json, wide bool
}

func newDoctor(e *env) *cobra.Command {
	c := &doctorCommand{env: e}
	cmd := &cobra.Command{
		Use:   "doctor [POOL]",
		Short: "try, harmlessly, everything that a failover will need",
		Long: `doctor has mppd try on every node of a pool with an engine what a failover or switchover
will need: the logins of the failover and the replication account and their grants, ssh, sudo,
the interface, the virtual address, the binary log of a dead host, what cloning takes, settings,
and whether every hook can be run. Nothing is changed. What failed stands at the end, with
what to do about it. Without a POOL it does so for each pool with an engine. Without
--timeout it waits a minute for each.

Exit code 0: nothing failed; 1: something did, or there was nothing to try.`,
		Example: `  mpp doctor shop
  mpp doctor --json | jq -r '.[].findings[] | select(.status == "FAIL") | .hint'`,
		Args:              between(0, "pool"),
		ValidArgsFunction: first(e.completeEnginePools),
		RunE: func(cmd *cobra.Command, args []string) error {
			if !cmd.Flags().Changed("timeout") {
				e.timeout = doctorTimeout
			}
			return c.run(cmd.Context(), args)
		},
	}
	cmd.Flags().BoolVar(&c.json, "json", false, "print a JSON array of what was found in each pool")
	cmd.Flags().BoolVar(&c.wide, "wide", false, "do not cut lines to the width of the terminal")
	return cmd
}

func (c *doctorCommand) run(ctx context.Context, names []string) error {
	v, err := c.view(ctx)
	if err != nil {
		return err
	}
	pools, err := c.engineOnly(v, names)
	if err != nil {
		return err
	}
	d := c.drawing(v, c.wide)
	all := []*mpp.Diagnosis{}
	failed := len(pools) == 0
	for i, p := range pools {
		found, err := asked(ctx, c.env, func(ctx context.Context, client Client) (*mpp.Diagnosis, error) {
			return client.Doctor(ctx, p.Name)
		})
		if err != nil {
			return err
		}
		all = append(all, found)
		failed = failed || found.Worst() == mpp.Fail
		if c.json {
			continue
		}
		text := d.diagnosis(found)
		if i > 0 {
			text = "\n" + text
		}
		if err := c.print(text); err != nil { // a pool at a time: each may take long
			return err
		}
	}
	switch {
	case c.json:
		err = c.printJSON(all)
	case len(pools) == 0:
		err = c.print("no pool has an engine: MPP promotes nothing by itself, there is nothing to try\n")
	}
	if err == nil && failed {
		err = notOK()
	}
	return err
}

// diagnosis is a table of what was found, the worst last, and what to do.
func (d drawing) diagnosis(x *mpp.Diagnosis) string {
	var b strings.Builder
	fmt.Fprintf(&b, "pool %s: %s in %s\n\n", clean(x.Pool), tries(len(x.Findings)), took(x.Took))
	list := slices.Clone(x.Findings)
	slices.SortStableFunc(list, func(a, b mpp.Finding) int { return int(a.Status) - int(b.Status) })
	if len(list) > 0 {
		t := &table{}
		t.heading("STATUS", "NODE", "TRIED", "FOUND")
		for _, f := range list {
			node := "(pool)"
			if f.Node != "" {
				node = d.full(f.Node)
			}
			t.add(statusCell(f.Status), cell{text: node}, cell{text: f.What}, cell{text: f.Text, keep: f.Status != mpp.OK})
		}
		t.render(&b, d.page)
		b.WriteByte('\n')
	}
	var hints []string
	for _, f := range list {
		if f.Hint != "" {
			hints = append(hints, joined(", ", d.short(f.Node), f.What)+": "+f.Hint)
		}
	}
	if len(hints) > 0 {
		d.list(&b, "What to do:", hints)
		b.WriteByte('\n')
	}
	text, how := health(x)
	d.page.paint(&b, how, text)
	b.WriteByte('\n')
	return b.String()
}

func tries(n int) string {
	if n == 1 {
		return "1 try"
	}
	return fmt.Sprintf("%d tries", n)
}

// health is a diagnosis in one line.
func health(x *mpp.Diagnosis) (string, style) {
	var counts [mpp.Fail + 1]int
	for i := range x.Findings {
		counts[min(x.Findings[i].Status, mpp.Fail)]++
	}
	failed, doubtful := counts[mpp.Fail], counts[mpp.Warn]+counts[mpp.Critical]
	switch {
	case len(x.Findings) == 0:
		return "FAIL: nothing could be tried", bad
	case failed > 0:
		return fmt.Sprintf("FAIL: %d of %s failed, and would fail at three in the morning", failed, tries(len(x.Findings))), bad
	case doubtful > 0:
		return fmt.Sprintf("WARN: nothing failed; %d of %s could be better", doubtful, tries(len(x.Findings))), caution
	default:
		return fmt.Sprintf("OK: %s, none failed", tries(len(x.Findings))), good
	}
}
