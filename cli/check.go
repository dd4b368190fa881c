package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mpp"
)

// checkCommand is mpp check.
type checkCommand struct {
	*env
	json, wide bool
}

func newCheck(e *env) *cobra.Command {
	c := &checkCommand{env: e}
	cmd := &cobra.Command{
		Use:   "check NODE",
		Short: "ask a node every check, now",
		Long: `check has mppd poll a node at once, with every check that is configured for it and a
fresh login, and prints what each found: its class (reach: the node cannot serve; replica:
its copy is not to be trusted), status, how long it took, and the message. The result counts
as a poll like any other.

Exit code 0: no check says FAIL; 1: one does, or the poll brought no findings.` + "\n" + nodeHelp,
		Example: `  mpp check db2
  mpp check 10.0.0.2:3306 --json | jq '.checks[] | {name, status, took_ns}'`,
		Args:              exactly("node"),
		ValidArgsFunction: first(e.completeNodes(nil)),
		RunE:              func(cmd *cobra.Command, args []string) error { return c.run(cmd.Context(), args[0]) },
	}
	cmd.Flags().BoolVar(&c.json, "json", false, "print the observation as JSON")
	cmd.Flags().BoolVar(&c.wide, "wide", false, "do not cut messages to the width of the terminal")
	return cmd
}

func (c *checkCommand) run(ctx context.Context, name string) error {
	f, err := c.nodeNamed(ctx, name)
	if err != nil {
		return err
	}
	o, err := asked(ctx, c.env, func(ctx context.Context, client Client) (*mpp.Observation, error) {
		return client.Check(ctx, f.address())
	})
	if err != nil {
		return err
	}
	if c.json {
		err = c.printJSON(o)
	} else {
		err = c.print(c.draw(f, o))
	}
	if err == nil && o.Verdict().Failed != "" {
		err = notOK()
	}
	return err
}

func (c *checkCommand) draw(f found, o *mpp.Observation) string {
	p := c.page(c.wide)
	var b strings.Builder
	fmt.Fprintf(&b, "%s, polled in %s\n", clean(f.describe()), took(o.Took))
	if server := serverLine(o); server != "" {
		b.WriteString(clean(server) + "\n")
	}
	b.WriteByte('\n')
	t := &table{}
	t.heading("CHECK", "CLASS", "STATUS", "TOOK", "KIND", "MESSAGE")
	for i := range o.Checks {
		check := &o.Checks[i]
		message := check.Message
		if !check.At.IsZero() && check.At.Before(o.At) {
			message = joined("; ", message, "found "+ago(o.At, check.At))
		}
		if check.MySQLError != 0 && !strings.Contains(message, fmt.Sprint(check.MySQLError)) {
			message = fmt.Sprintf("%s (error %d)", message, check.MySQLError)
		}
		t.add(cell{text: check.Name}, cell{text: string(check.Class)}, statusCell(check.Status),
			cell{text: took(check.Took), right: true}, cell{text: orNone(string(check.Kind), "-")}, cell{text: message})
	}
	t.render(&b, p)
	b.WriteByte('\n')
	v := o.Verdict()
	switch {
	case v.Failed != "":
		p.paint(&b, bad, clean(fmt.Sprintf("FAIL (%s): %s", v.Failed, joined(": ", v.Check, v.Message))))
	case v.Status != mpp.OK:
		p.paint(&b, statusStyle(v.Status), clean(fmt.Sprintf("%s: %s", v.Status, joined(": ", v.Check, v.Message))))
	default:
		p.paint(&b, good, "OK")
	}
	b.WriteByte('\n')
	return b.String()
}

// serverLine says what the server said of itself, "" when it said nothing.
func serverLine(o *mpp.Observation) string {
	s := o.Server
	if s.Flavour == "" {
		return ""
	}
	writable := "writable"
	if s.ReadOnly {
		writable = "read-only"
	}
	parts := []string{s.Flavour + " " + s.Version, fmt.Sprintf("server id %d", s.ID), writable}
	if !s.StartedAt.IsZero() {
		parts = append(parts, "up "+span(o.At.Sub(s.StartedAt)))
	}
	if o.LagKnown {
		parts = append(parts, "lag "+lagText(o.Lag))
	}
	for _, ch := range o.Channels {
		parts = append(parts, fmt.Sprintf("replicates from %s:%d (IO %s, SQL %s)", ch.SourceHost, ch.SourcePort, ch.IO, ch.SQL))
	}
	return strings.Join(parts, ", ")
}
