package cli

import (
	"context"
	"time"

	"github.com/spf13/cobra"

	"mpp"
)

// statusCommand is mpp status.
type statusCommand struct {
	*env
	watch string
	json  bool
	wide  bool
	// pools are the names asked for; empty means all.
	pools []string
}

func newStatus(e *env) *cobra.Command {
	s := &statusCommand{env: e}
	cmd := &cobra.Command{
		Use:   "status [POOL...]",
		Short: "show pools, nodes and checkpoints, and what is wrong",
		Long: `status prints a line for each pool with its status and who is ACTIVE, below it its
nodes and checkpoints, and at the end everything that is wrong.

The columns: type (PRIMARY, SECONDARY; a checkpoint's ring), server, errors (polls failed
in a row), the time of the last poll, status (OK, INFO, WARN, CRITICAL, FAIL), state
(UNKNOWN, ACTIVE, STANDBY, FAIL with its reason) and the last message. Data that is older
than the pool's stale_after is marked STALE: do not believe it.

Exit code 0: every pool is OK and has a writer, and nothing of WARN or worse is known;
1: something is not OK, as the last lines say. INFO, and nodes in maintenance, are fine.`,
		Example: `  mpp status
  mpp status shop --watch=2s       again every two seconds, until Ctrl-C
  mpp status --json | jq -r '.pools[] | "\(.name) \(.active)"'
  mpp status > /dev/null || echo "look at the databases"`,
		ValidArgsFunction: e.completePools,
		RunE: func(cmd *cobra.Command, args []string) error {
			s.pools = args
			return s.run(cmd.Context())
		},
	}
	flags := cmd.Flags()
	flags.StringVarP(&s.watch, "watch", "w", "", "show it again every `INTERVAL`, until Ctrl-C")
	flags.Lookup("watch").NoOptDefVal = defaultWatch
	flags.BoolVar(&s.json, "json", false, "print the whole view as JSON")
	flags.BoolVar(&s.wide, "wide", false, "do not cut messages to the width of the terminal")
	return cmd
}

func (s *statusCommand) run(ctx context.Context) error {
	if s.watch == "" {
		return s.once(ctx)
	}
	if s.json {
		return usagef("mpp events --follow --json gives a stream", "--watch and --json exclude each other")
	}
	interval, err := s.interval()
	if err != nil {
		return err
	}
	return s.repeat(ctx, interval)
}

func (s *statusCommand) once(ctx context.Context) error {
	v, err := s.view(ctx)
	if err != nil {
		return err
	}
	pools, err := chosen(v, s.pools)
	if err != nil {
		return err
	}
	r := read(v, s.sys.Now())
	findings := r.findings(pools)
	if s.json {
		err = s.printJSON(narrowed(v, pools))
	} else {
		err = s.print(s.draw(r, pools, findings))
	}
	if err == nil && unwell(findings) {
		err = notOK()
	}
	return err
}

// chosen returns the pools that were named, in that order; all when none was.
func chosen(v *mpp.View, names []string) ([]*mpp.PoolView, error) {
	pools := make([]*mpp.PoolView, 0, len(v.Pools))
	for _, name := range names {
		p, err := poolOf(v, name)
		if err != nil {
			return nil, err
		}
		pools = append(pools, p)
	}
	if len(names) == 0 {
		for i := range v.Pools {
			pools = append(pools, &v.Pools[i])
		}
	}
	return pools, nil
}

// narrowed is the view with only the chosen pools.
func narrowed(v *mpp.View, pools []*mpp.PoolView) *mpp.View {
	out := *v
	out.Pools = make([]mpp.PoolView, 0, len(pools))
	for _, p := range pools {
		out.Pools = append(out.Pools, *p)
	}
	return &out
}

// interval reads the interval of --watch. "--watch 2s" leaves 2s among the pools; nobody
// names a pool so.
func (s *statusCommand) interval() (time.Duration, error) {
	text := s.watch
	if text == defaultWatch && len(s.pools) > 0 {
		if _, err := parseInterval(s.pools[0]); err == nil {
			text, s.pools = s.pools[0], s.pools[1:]
		}
	}
	d, err := parseInterval(text)
	if err != nil {
		return 0, usagef("", "--watch: %v", err)
	}
	if d < minWatch {
		return 0, usagef("", "--watch: %s is too often; %s is the least", text, minWatch)
	}
	return d, nil
}
