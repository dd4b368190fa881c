package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"mpp"
)

func newReadiness(e *env) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "readiness [POOL]",
		Short: "say whether a failover would work if the ACTIVE node died now",
		Long: `readiness says of a pool with an engine what would happen if its ACTIVE node died now: each
gate of an automatic failover with its evidence, as it would be then and as it is now, who
would be promoted and why others would not, what would be lost, how long there would be no
writer, what stands in the way and what makes it worse. Without a POOL it prints a line for
each pool with an engine.

Exit code 0: every pool shown is ready; 1: one is not, or nobody knows, or none has an
engine. Run it from cron or a monitoring system, so that you hear of it before the bad day.`,
		Example: `  mpp readiness
  mpp readiness shop
  mpp readiness > /dev/null || mpp readiness | mail -s "failover would not work" dba@example.net`,
		Args:              between(0, "pool"),
		ValidArgsFunction: first(e.completeEnginePools),
		RunE:              func(cmd *cobra.Command, args []string) error { return e.readiness(cmd.Context(), args, asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print a JSON array of what is known of each pool")
	return cmd
}

func (e *env) readiness(ctx context.Context, names []string, asJSON bool) error {
	v, err := e.view(ctx)
	if err != nil {
		return err
	}
	pools, err := e.engineOnly(v, names)
	if err != nil {
		return err
	}
	r, d := read(v, e.sys.Now()), e.drawing(v, false)
	known := []*mpp.Readiness{}
	ready := len(pools) > 0
	for _, p := range pools {
		ready = ready && r.ready(p)
		if p.Readiness != nil {
			known = append(known, p.Readiness)
		}
	}
	switch {
	case asJSON:
		err = e.printJSON(known)
	case len(pools) == 0:
		err = e.print("no pool has an engine: MPP promotes nothing by itself\n")
	case len(names) > 0:
		err = e.print(d.readinessPage(r, pools[0]))
	default:
		err = e.print(d.readinessTable(r, pools))
	}
	if err == nil && !ready {
		err = notOK()
	}
	return err
}

// engineOnly returns the pools that were named, or all, of those with an engine. To name one
// without is an error.
func (e *env) engineOnly(v *mpp.View, names []string) ([]*mpp.PoolView, error) {
	if len(names) == 0 {
		return chosen(enginePools(v), nil)
	}
	pools, err := chosen(v, names)
	if err != nil {
		return nil, err
	}
	for _, p := range pools {
		if !withEngine(p) {
			return nil, usagef("", `pool %s has engine "none": MPP promotes nothing there`, p.Name)
		}
	}
	return pools, nil
}

// tooOld reports whether what is known of a pool's readiness is not to be believed any more.
func (r reading) tooOld(p *mpp.PoolView) bool {
	return r.staleView() || (p.Readiness != nil && p.StaleAfter > 0 && r.now.Sub(p.Readiness.At) > p.StaleAfter)
}

// ready reports whether a pool is known to be ready, now.
func (r reading) ready(p *mpp.PoolView) bool {
	return p.Readiness != nil && p.Readiness.Ready && !r.tooOld(p)
}

// readyWord is a pool's readiness in a word or two.
func (r reading) readyWord(p *mpp.PoolView) cell {
	switch {
	case p.Readiness == nil:
		return cell{text: "NOT KNOWN", style: caution}
	case r.tooOld(p):
		return cell{text: "STALE " + ago(r.now, p.Readiness.At), style: loud}
	case p.Readiness.Ready:
		return cell{text: "ready", style: good}
	default:
		return cell{text: "NOT READY", style: bad}
	}
}

// readinessTable is a line a pool, and below it what stands in the way.
func (d drawing) readinessTable(r reading, pools []*mpp.PoolView) string {
	t := &table{}
	t.heading("POOL", "FAILOVER", "NEXT", "NO WRITER FOR", "LOST WOULD BE")
	for _, p := range pools {
		next, x := "-", &mpp.Readiness{ExpectedLoss: "mppd has not looked at it yet"}
		if p.Readiness != nil {
			x = p.Readiness
			next = d.next(x.Candidates)
		}
		t.add(cell{text: p.Name}, r.readyWord(p), cell{text: next}, cell{text: orNone(x.ExpectedOutage, "-")}, cell{text: orNone(x.ExpectedLoss, "-")})
	}
	var b strings.Builder
	t.render(&b, d.page)
	for _, p := range pools {
		if p.Readiness != nil && len(p.Readiness.Blockers) > 0 {
			b.WriteByte('\n')
			d.list(&b, "In the way of pool "+clean(p.Name)+":", p.Readiness.Blockers)
		}
	}
	return b.String()
}

// next is who would be promoted, "nobody" when none may be.
func (d drawing) next(list []mpp.Candidate) string {
	for _, c := range list {
		if c.Rank == 1 {
			return d.short(c.Address)
		}
	}
	return "nobody"
}

// readinessPage is all that is known of one pool's readiness.
func (d drawing) readinessPage(r reading, p *mpp.PoolView) string {
	var b strings.Builder
	word := r.readyWord(p)
	b.WriteString(clean("pool "+p.Name) + ": ")
	if p.Readiness == nil {
		d.page.paint(&b, word.style, word.text+": mppd has not looked at it yet")
		b.WriteByte('\n')
		return b.String()
	}
	summary := p.Readiness.Summary
	if r.tooOld(p) {
		summary = joined(": ", word.text, summary)
	}
	d.page.paint(&b, word.style, clean(summary))
	b.WriteString("\n\n")
	d.readinessBody(&b, p.Readiness)
	return b.String()
}

// readinessBody is what explain and readiness share.
func (d drawing) readinessBody(b *strings.Builder, x *mpp.Readiness) {
	b.WriteString("Gates, if the ACTIVE node died now:\n")
	d.gates(b, x.IfActiveDied, true)
	b.WriteString("\nGates as they are now:\n")
	d.gates(b, x.Now, false)
	if len(x.Candidates) > 0 {
		b.WriteString("\nWho would be promoted:\n")
		d.candidates(b, x.Candidates)
	}
	b.WriteByte('\n')
	b.WriteString(clean("Expected loss:    "+orNone(x.ExpectedLoss, "not known")) + "\n")
	b.WriteString(clean("Expected outage:  "+orNone(x.ExpectedOutage, "not known")) + "\n")
	d.marked(b, "In the way:", bad, x.Blockers)
	d.marked(b, "Worse than it could be:", caution, x.Warnings)
}

// marked writes lines below a heading in a style, nothing when there are none.
func (d drawing) marked(b *strings.Builder, heading string, s style, lines []string) {
	if len(lines) == 0 {
		return
	}
	b.WriteString("\n" + heading + "\n")
	for _, line := range lines {
		b.WriteString("  ")
		d.page.paint(b, s, clean(line))
		b.WriteByte('\n')
	}
}
