package cli

import (
	"context"
	"strings"

	"github.com/spf13/cobra"

	"mpp"
)

func newExplain(e *env) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "explain POOL",
		Short: "say why a pool is as it is, and what would happen next",
		Long: `explain says of each node why it is in its state, what its last poll said and what
would change it, and plays through what would happen if the ACTIVE node died now: with the
very rules that would decide then. Of a pool with an engine it shows the gates of an
automatic failover, too, as mpp readiness does.`,
		Example: `  mpp explain shop
  mpp explain shop --json | jq -r '.if_active_died[]'`,
		Args:              exactly("pool"),
		ValidArgsFunction: first(e.completePools),
		RunE: func(cmd *cobra.Command, args []string) error {
			return e.explain(cmd.Context(), args[0], asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the explanation as JSON")
	return cmd
}

func (e *env) explain(ctx context.Context, name string, asJSON bool) error {
	f, err := e.poolNamed(ctx, name)
	if err != nil {
		return err
	}
	x, err := asked(ctx, e, func(ctx context.Context, c Client) (*mpp.Explanation, error) {
		return c.Explain(ctx, f.pool.Name)
	})
	if err != nil {
		return err
	}
	if asJSON {
		return e.printJSON(x)
	}
	return e.print(e.drawExplanation(f.pool, x))
}

func (e *env) drawExplanation(pool *mpp.PoolView, x *mpp.Explanation) string {
	p := e.page(true)
	var b strings.Builder
	p.paint(&b, bold, clean(x.Summary))
	b.WriteByte('\n')
	for i := range x.Nodes {
		n := &x.Nodes[i]
		b.WriteByte('\n')
		p.paint(&b, bold, clean(string(n.Type)+" "+n.Address+" is "+string(n.State)))
		b.WriteByte('\n')
		b.WriteString("  why:   " + clean(n.Why) + "\n")
		b.WriteString("  now:   " + clean(n.Now) + "\n")
		b.WriteString("  next:  " + clean(n.Next) + "\n")
	}
	if len(x.IfActiveDied) > 0 {
		b.WriteString("\nIf the ACTIVE node died now:\n")
		for _, line := range x.IfActiveDied {
			b.WriteString("  " + clean(line) + "\n")
		}
	}
	if x.Readiness != nil {
		b.WriteByte('\n')
		e.drawing(&mpp.View{Pools: []mpp.PoolView{*pool}}, true).readinessBody(&b, x.Readiness)
	}
	findings := make([]finding, 0, len(x.Problems))
	for _, problem := range x.Problems {
		findings = append(findings, finding{severity: problem.Severity, text: problem.Text, code: problem.Code})
	}
	if len(findings) > 0 {
		b.WriteByte('\n')
		drawFindings(&b, p, findings)
	}
	return b.String()
}
