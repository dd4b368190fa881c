package cli

import (
	"context"
	"errors"
	"strings"

	"github.com/spf13/cobra"

	"mpp"
)

// order is a command to the daemon: where it goes, what it is, how its answer is shown.
type order struct {
	pool    string
	command mpp.Command
	json    bool
}

// hand gives an order to the daemon. A refusal is a result.
func (e *env) hand(ctx context.Context, o order) (mpp.Result, error) {
	o.command.By = e.user()
	result, err := asked(ctx, e, func(ctx context.Context, c Client) (mpp.Result, error) {
		return c.Do(ctx, o.pool, o.command)
	})
	if errors.Is(err, context.DeadlineExceeded) || (err != nil && ctx.Err() != nil) {
		f := *e.judge(err)
		f.hint = "whether it was carried out is not known: look at mpp status and mpp events"
		return mpp.Result{}, &f
	}
	if result.Changes == nil {
		result.Changes = []string{}
	}
	return result, err
}

// do has an order carried out and tells what came of it. A refusal is exit code 4.
func (e *env) do(ctx context.Context, o order) error {
	result, err := e.hand(ctx, o)
	if err != nil {
		return err
	}
	if o.json {
		err = e.printJSON(result)
	} else if result.Done {
		err = e.print(resultText(result))
	}
	if err != nil || result.Done {
		return err
	}
	return refusal(o, result)
}

// refusal is the end of an order that was refused.
func refusal(o order, r mpp.Result) error {
	return &failure{code: ExitRefused, text: "refused: " + r.Refused, hint: wayOut(o, r.Refused)}
}

func resultText(r mpp.Result) string {
	if len(r.Changes) == 0 {
		return "done; nothing had to be changed\n"
	}
	var b strings.Builder
	for _, change := range r.Changes {
		b.WriteString(clean(change) + "\n")
	}
	return b.String()
}

// wayOut says what to do about a refusal that does not say so itself.
func wayOut(o order, refused string) string {
	if strings.Contains(refused, "mpp ") {
		return ""
	}
	if strings.HasSuffix(refused, "is not in maintenance") {
		return "mpp maintenance lists what is"
	}
	return "mpp explain " + o.pool + " shows the evidence and what would change it"
}

func jsonResult(cmd *cobra.Command, into *bool) {
	cmd.Flags().BoolVar(into, "json", false, "print the result as JSON")
}

const nodeHelp = `
NODE is a node's full address, its label, its host when only one node has it, the first part
of its host name, or a prefix that only one node has.`

// nodeOrder builds a command that orders something of one node.
func nodeOrder(e *env, verb mpp.Verb, cmd *cobra.Command) *cobra.Command {
	asJSON := false
	cmd.Long += "\n" + nodeHelp
	cmd.Args = exactly("node")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		f, err := e.nodeNamed(cmd.Context(), args[0])
		if err != nil {
			return err
		}
		return e.do(cmd.Context(), order{
			pool: f.pool.Name, json: asJSON, command: mpp.Command{Verb: verb, Node: f.address()},
		})
	}
	jsonResult(cmd, &asJSON)
	return cmd
}

func newPromote(e *env) *cobra.Command {
	cmd := nodeOrder(e, mpp.VerbPromote, &cobra.Command{
		Use:   "promote NODE",
		Short: "make a STANDBY node the ACTIVE one",
		Long: `promote makes a STANDBY node ACTIVE, and whoever was ACTIVE becomes STANDBY in the same
step. With engine "none" this changes what MPP answers to load balancers and nothing on the
servers: read_only and replication are yours to change.

It is refused (exit code 4, with the reason) when the node is not fit to take writes, and
for as long as the PRIMARY would take the role back: put the PRIMARY in maintenance first.`,
		Example: `  mpp maintenance on db1 --for 1h --reason "kernel" && mpp promote db2`,
	})
	cmd.ValidArgsFunction = first(e.completeNodes(func(n *mpp.NodeView) bool { return n.State == mpp.Standby }))
	return cmd
}

func newDemote(e *env) *cobra.Command {
	cmd := nodeOrder(e, mpp.VerbDemote, &cobra.Command{
		Use:   "demote NODE",
		Short: "make the ACTIVE node STANDBY; the next node takes over",
		Long: `demote takes the role of the ACTIVE node from it and gives it to the next node in line.
It is refused (exit code 4) when no other node can take over, with the reason of each.`,
		Example: `  mpp demote db2`,
	})
	cmd.ValidArgsFunction = first(e.completeNodes(func(n *mpp.NodeView) bool { return n.State == mpp.Active }))
	return cmd
}

func newActivatePrimary(e *env) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "activate-primary POOL",
		Short: "make the PRIMARY of a pool ACTIVE again",
		Long: `activate-primary makes the PRIMARY the ACTIVE node, as after a failover that is mended.
The PRIMARY must be STANDBY: when it is FAIL, recover it first.`,
		Example:           `  mpp recover db1 && mpp activate-primary shop`,
		Args:              exactly("pool"),
		ValidArgsFunction: first(e.completePools),
		RunE: func(cmd *cobra.Command, args []string) error {
			f, err := e.poolNamed(cmd.Context(), args[0])
			if err != nil {
				return err
			}
			return e.do(cmd.Context(), order{
				pool: f.pool.Name, json: asJSON, command: mpp.Command{Verb: mpp.VerbActivatePrimary},
			})
		},
	}
	jsonResult(cmd, &asJSON)
	return cmd
}

// recoverCommand is mpp recover.
type recoverCommand struct {
	*env
	pool        string
	json, force bool
}

func newRecover(e *env) *cobra.Command {
	r := &recoverCommand{env: e}
	cmd := &cobra.Command{
		Use:   "recover NODE | --pool POOL",
		Short: "take a FAIL node back to UNKNOWN, to be judged afresh",
		Long: `recover takes a node in state FAIL back to UNKNOWN; with its next good poll it becomes
STANDBY. A node that is still ill becomes FAIL again. With --pool it does so for every FAIL
node of the pool.

With --force a node that is well goes the same way, over FAIL (STANDBY -> FAIL -> UNKNOWN):
whatever gives alarm on events of severity FAIL will do so.` + "\n" + nodeHelp,
		Example: `  mpp recover db2
  mpp recover --pool shop`,
		Args: between(0, "node"),
		RunE: func(cmd *cobra.Command, args []string) error { return r.run(cmd.Context(), args) },
	}
	e.poolFlag(cmd, &r.pool, "recover every FAIL node of this `POOL`")
	cmd.Flags().BoolVar(&r.force, "force", false, "also when the node is well: judge it afresh")
	jsonResult(cmd, &r.json)
	cmd.ValidArgsFunction = first(e.completeNodes(func(n *mpp.NodeView) bool {
		return n.State == mpp.Failed || n.Status == mpp.Fail
	}))
	return cmd
}

func (r *recoverCommand) run(ctx context.Context, args []string) error {
	command := mpp.Command{Verb: mpp.VerbRecover, Force: r.force}
	switch {
	case r.pool == "" && len(args) == 0:
		return usagef("mpp nodes --state fail lists the candidates", "recover needs a node, or --pool")
	case r.pool != "" && len(args) > 0:
		return usagef("", "recover takes a node or --pool, not both")
	case r.pool != "":
		f, err := r.poolNamed(ctx, r.pool)
		if err != nil {
			return err
		}
		return r.do(ctx, order{pool: f.pool.Name, command: command, json: r.json})
	}
	f, err := r.nodeNamed(ctx, args[0])
	if err != nil {
		return err
	}
	command.Node = f.address()
	return r.do(ctx, order{pool: f.pool.Name, command: command, json: r.json})
}
