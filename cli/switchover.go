package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"mpp"
)

// switchoverCommand is mpp switchover.
type switchoverCommand struct {
	operating
	to, wait, killAfter string
	dryRun              bool
}

func newSwitchover(e *env) *cobra.Command {
	s := &switchoverCommand{operating: operating{env: e}}
	cmd := &cobra.Command{
		Use:   "switchover POOL",
		Short: "move the role of a pool to another node, planned, while both are well",
		Long: `switchover gives the role of the ACTIVE node to a STANDBY one, the best or the one that
--to names: by fencing the old node, bringing the new one up to date, opening it, moving the
address and pointing the other replicas at it. Everything is checked before anything is
touched, and when a step fails all is undone and the old node takes writes again.

A line is printed for each step as it ends. Ctrl-C stops the watching, not the switchover.
It needs a pool with an engine; with engine "none" there are mpp promote and mpp demote.

Exit code 0: completed; 1: rolled back, or stopped half way, as the last lines say; 4: it
was refused before anything was touched, with the reason.` + "\n" + nodeHelp,
		Example: `  mpp switchover shop --dry-run
  mpp switchover shop --to db2
  mpp switchover shop --to db2 --wait 5m --kill-after 30s
  mpp switchover shop --json | jq -r '.outcome'`,
		Args:              exactly("pool"),
		ValidArgsFunction: first(e.completeEnginePools),
		RunE:              func(cmd *cobra.Command, args []string) error { return s.start(cmd.Context(), args[0]) },
	}
	flags := cmd.Flags()
	flags.StringVar(&s.to, "to", "", "the `NODE` that is to take over; the best one unless given")
	completes(cmd, "to", e.completeTargets)
	flags.StringVar(&s.wait, "wait", "", "wait for a `DURATION` at most for lag and long transactions, before anything is touched (default: the pool's)")
	flags.StringVar(&s.killAfter, "kill-after", "", "leave open transactions a `DURATION` to end before their sessions are killed (default: the pool's)")
	flags.BoolVar(&s.dryRun, "dry-run", false, "print the plan with each step's statements, and touch nothing")
	s.flags(cmd)
	return cmd
}

func (s *switchoverCommand) start(ctx context.Context, pool string) error {
	c := mpp.Command{Verb: mpp.VerbSwitchover, Options: mpp.OperationOptions{DryRun: s.dryRun}}
	var err error
	if c.Options.Wait, err = limit("wait", s.wait); err != nil {
		return err
	}
	if c.Options.KillAfter, err = limit("kill-after", s.killAfter); err != nil {
		return err
	}
	v, err := s.view(ctx)
	if err != nil {
		return err
	}
	if c.Node, err = target(v, pool, s.to); err != nil {
		return err
	}
	return s.run(ctx, v, order{pool: pool, command: c, json: s.json})
}

// limit reads the duration of a flag; 0 when it was not given. What is given as 0 is as little
// as there is, because 0 says to the daemon that nothing was given.
func limit(flag, text string) (time.Duration, error) {
	if text == "" {
		return 0, nil
	}
	d, err := parseSpan(text)
	if err != nil {
		return 0, usagef("", "--%s: %v", flag, err)
	}
	return max(d, time.Nanosecond), nil
}

// target finds the node that is to take over in a pool, "" when none is named.
func target(v *mpp.View, pool, name string) (string, error) {
	p, err := poolOf(v, pool)
	if err != nil || name == "" {
		return "", err
	}
	f, err := nodeOf(&mpp.View{Pools: []mpp.PoolView{*p}}, name)
	if err == nil {
		return f.address(), nil
	}
	if other, inOther := nodeOf(v, name); inOther == nil {
		return "", usagef("", "node %s is of pool %s, not of %s", other.address(), other.pool.Name, pool)
	}
	return "", err
}

// failoverCommand is mpp failover.
type failoverCommand struct {
	operating
	to                 string
	acceptLoss, dryRun bool
}

func newFailover(e *env) *cobra.Command {
	f := &failoverCommand{operating: operating{env: e}}
	cmd := &cobra.Command{
		Use:   "failover POOL",
		Short: "promote a node by hand, because the ACTIVE one is lost",
		Long: `failover promotes a STANDBY node, the best or the one that --to names, because the ACTIVE
one is lost: for pools with mode = "manual", and for those where MPP does not dare to by
itself. The evidence is looked at as in an automatic failover; it is refused (exit code 4,
with the reason) while the ACTIVE node lives: use mpp switchover then.

It is refused, too, while transactions are known to be lost by it. --accept-loss goes on
over that: what is lost is listed in the report and is not coming back by itself.

A line is printed for each step as it ends. Ctrl-C stops the watching, not the failover.

Exit code 0: completed; 1: stopped where it was safest, as the last lines say.` + "\n" + nodeHelp,
		Example: `  mpp explain shop && mpp failover shop
  mpp failover shop --to db3 --accept-loss`,
		Args:              exactly("pool"),
		ValidArgsFunction: first(e.completeEnginePools),
		RunE:              func(cmd *cobra.Command, args []string) error { return f.start(cmd.Context(), args[0]) },
	}
	cmd.Flags().StringVar(&f.to, "to", "", "the `NODE` that is to take over; the best one unless given")
	completes(cmd, "to", e.completeTargets)
	cmd.Flags().BoolVar(&f.dryRun, "dry-run", false, "print the plan with each step's statements, and touch nothing")
	cmd.Flags().BoolVar(&f.acceptLoss, "accept-loss", false, "go on although transactions are known to be lost")
	f.flags(cmd)
	return cmd
}

func (f *failoverCommand) start(ctx context.Context, pool string) error {
	v, err := f.view(ctx)
	if err != nil {
		return err
	}
	c := mpp.Command{Verb: mpp.VerbFailover, Options: mpp.OperationOptions{AcceptLoss: f.acceptLoss, DryRun: f.dryRun}}
	if c.Node, err = target(v, pool, f.to); err != nil {
		return err
	}
	return f.run(ctx, v, order{pool: pool, command: c, json: f.json})
}

// rejoinCommand is mpp rejoin.
type rejoinCommand struct {
	operating
	clone, dryRun bool
}

func newRejoin(e *env) *cobra.Command {
	r := &rejoinCommand{operating: operating{env: e}}
	cmd := &cobra.Command{
		Use:   "rejoin NODE",
		Short: "make an old writer a replica of the ACTIVE node again",
		Long: `rejoin fences a node, compares it with the ACTIVE one and makes it a replica again, by
GTID. A node that holds transactions which the ACTIVE one does not have is refused: they are
saved to a file, and named. With --clone its data is thrown away instead and replaced by a
copy of the ACTIVE node's.

A line is printed for each step as it ends. Ctrl-C stops the watching, not the repair.

Exit code 0: it replicates again; 1: it does not, as the last lines say.` + "\n" + nodeHelp,
		Example: `  mpp rejoin db1
  mpp rejoin db1 --clone --no-wait`,
		Args:              exactly("node"),
		ValidArgsFunction: first(e.completeNodes(func(n *mpp.NodeView) bool { return n.State == mpp.Failed || n.State == mpp.Standby })),
		RunE:              func(cmd *cobra.Command, args []string) error { return r.start(cmd.Context(), args[0]) },
	}
	cmd.Flags().BoolVar(&r.dryRun, "dry-run", false, "print the plan with each step's statements, and touch nothing")
	cmd.Flags().BoolVar(&r.clone, "clone", false, "replace the node's data by a copy of the ACTIVE node's")
	r.flags(cmd)
	return cmd
}

func (r *rejoinCommand) start(ctx context.Context, name string) error {
	v, err := r.view(ctx)
	if err != nil {
		return err
	}
	f, err := nodeOf(v, name)
	if err != nil {
		return err
	}
	return r.run(ctx, v, order{pool: f.pool.Name, json: r.json, command: mpp.Command{
		Verb: mpp.VerbRejoin, Node: f.address(), Options: mpp.OperationOptions{Clone: r.clone, DryRun: r.dryRun},
	}})
}

// withEngine reports whether MPP promotes in a pool.
func withEngine(p *mpp.PoolView) bool { return p.Engine != mpp.EngineNone }

// completeEnginePools completes pools with an engine.
func (e *env) completeEnginePools(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return e.suggestions(cmd.Context(), func(v *mpp.View) []cobra.Completion { return poolWords(enginePools(v)) })
}

// enginePools is the view with only the pools that have an engine.
func enginePools(v *mpp.View) *mpp.View {
	out := &mpp.View{}
	for i := range v.Pools {
		if withEngine(&v.Pools[i]) {
			out.Pools = append(out.Pools, v.Pools[i])
		}
	}
	return out
}

// completeTargets completes the STANDBY nodes of the pool that was named.
func (e *env) completeTargets(cmd *cobra.Command, args []string, typed string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return e.suggestions(cmd.Context(), func(v *mpp.View) []cobra.Completion {
		return nodeWords(suitable(v, func(n *mpp.NodeView) bool {
			return n.State == mpp.Standby && (len(args) == 0 || n.Pool == args[0])
		}), typed)
	})
}
