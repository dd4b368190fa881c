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

// nodesCommand is mpp nodes.
type nodesCommand struct {
	*env
	pool, state string
	json, wide  bool
}

func newNodes(e *env) *cobra.Command {
	n := &nodesCommand{env: e}
	cmd := &cobra.Command{
		Use:   "nodes",
		Short: "list nodes, one line each",
		Long: `nodes prints a line for each node: what it may be used for (READ-WRITE, READ-ONLY or
DOWN; r marks those that serve readers), how far its copy is behind, whether its server is
read-only, how eagerly it is polled (normal, confirm after a first failure, slow when dead)
and its server's version. A "-" stands for what the last poll could not find out.`,
		Example: `  mpp nodes
  mpp nodes --pool shop --state standby
  mpp nodes --json | jq -r '.[] | select(.evaluation == "READ-ONLY") | .address'`,
		Args: between(0),
		RunE: func(cmd *cobra.Command, _ []string) error { return n.run(cmd.Context()) },
	}
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	e.poolFlag(cmd, &n.pool, "only the nodes of this `POOL`")
	flags := cmd.Flags()
	flags.StringVar(&n.state, "state", "", "only nodes in this `STATE`: unknown, active, standby or fail")
	fixed(cmd, "state", "unknown", "active", "standby", "fail")
	flags.BoolVar(&n.json, "json", false, "print the nodes as a JSON array")
	flags.BoolVar(&n.wide, "wide", false, "do not cut lines to the width of the terminal")
	return cmd
}

func (n *nodesCommand) run(ctx context.Context) error {
	state := mpp.State(strings.ToUpper(n.state))
	known := []mpp.State{"", mpp.Unknown, mpp.Active, mpp.Standby, mpp.Failed}
	if !slices.Contains(known, state) {
		return usagef("it may be unknown, active, standby or fail", "there is no state %q", n.state)
	}
	v, err := n.view(ctx)
	if err != nil {
		return err
	}
	var names []string
	if n.pool != "" {
		names = []string{n.pool}
	}
	pools, err := chosen(v, names)
	if err != nil {
		return err
	}
	r := read(v, n.sys.Now())
	chosenNodes := []*mpp.NodeView{}
	t := &table{}
	t.heading("POOL", "NODE", "TYPE", "STATE", "STATUS", "EVALUATION", "LAG", "READ-ONLY", "LANE", "LAST POLL", "VERSION")
	for _, p := range pools {
		for i := range p.Nodes {
			if node := &p.Nodes[i]; state == "" || node.State == state {
				chosenNodes = append(chosenNodes, node)
				t.add(nodeRow(r, p, node)...)
			}
		}
	}
	if n.json {
		return n.printJSON(chosenNodes)
	}
	if len(chosenNodes) == 0 {
		return n.print("no nodes\n")
	}
	var b strings.Builder
	t.render(&b, n.page(n.wide))
	return n.print(b.String())
}

func nodeRow(r reading, p *mpp.PoolView, n *mpp.NodeView) []cell {
	evaluation, usable := string(n.Evaluation), evaluationStyle(n.Evaluation)
	if n.Reader {
		evaluation += " r"
	}
	polled := cell{text: ago(r.now, n.LastPoll)}
	if r.stale(p, n) {
		polled = cell{text: "STALE " + polled.text, style: loud}
		if p.WhenStale != mpp.StaleLastKnown {
			evaluation, usable = string(mpp.Down), bad // what load balancers are told by now
		}
	}
	lag, readOnly, version := "-", "-", "-"
	if o := n.Observation; o != nil {
		if o.LagKnown {
			lag = lagText(o.Lag)
		}
		if o.Server.Flavour != "" {
			readOnly, version = yesNo(o.Server.ReadOnly), o.Server.Version
		}
	}
	return []cell{
		{text: p.Name},
		{text: serverText(n)},
		{text: string(n.Type)},
		{text: n.State.Text(n.Reason), style: stateStyle(n)},
		statusCell(n.Status),
		{text: evaluation, style: usable},
		{text: lag, right: true},
		{text: readOnly},
		{text: string(n.Lane)},
		polled,
		{text: version},
	}
}

// lagText writes a lag; servers give it in whole seconds.
func lagText(d time.Duration) string {
	if d < time.Minute && d%time.Second == 0 {
		return d.String()
	}
	return span(d)
}

func evaluationStyle(e mpp.Evaluation) style {
	switch e {
	case mpp.ReadWrite:
		return bold
	case mpp.Down:
		return bad
	case mpp.ReadOnly:
		return plain
	default:
		return plain
	}
}

func yesNo(b bool) string {
	if b {
		return "yes"
	}
	return "no"
}

// nodeNamed asks the daemon for its view and finds the node in it.
func (e *env) nodeNamed(ctx context.Context, name string) (found, error) {
	v, err := e.view(ctx)
	if err != nil {
		return found{}, err
	}
	return nodeOf(v, name)
}

// poolNamed asks the daemon for its view and checks that the pool is there.
func (e *env) poolNamed(ctx context.Context, name string) (found, error) {
	v, err := e.view(ctx)
	if err != nil {
		return found{}, err
	}
	p, err := poolOf(v, name)
	if err != nil {
		return found{}, err
	}
	return found{pool: p}, nil
}

// describe names a node for people: "PRIMARY 10.0.0.1:3306 of pool shop".
func (f found) describe() string {
	if f.node == nil {
		return "pool " + f.pool.Name
	}
	return fmt.Sprintf("%s %s of pool %s", f.node.Type, serverText(f.node), f.pool.Name)
}
