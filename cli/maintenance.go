package cli

import (
	"context"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mpp"
)

// maintenanceCommand is mpp maintenance on and off.
type maintenanceCommand struct {
	*env
	pool, lasts, until, reason string
	json                       bool
}

func newMaintenance(e *env) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "maintenance",
		Short: "keep MPP from deciding anything about a node or pool; list what is in maintenance",
		Long: `maintenance on keeps MPP from changing a state by itself: of a node, or of every node of
a pool. Polls go on, and what they find is shown. maintenance off ends it and starts the
count of errors afresh. Without on or off, maintenance lists what is in maintenance now.`,
		Example: `  mpp maintenance on db2 --for 2h --reason "new disk"
  mpp maintenance on --pool shop --until 06:00
  mpp maintenance
  mpp maintenance off db2`,
	}
	group(cmd, "mpp maintenance on NAME, mpp maintenance off NAME, or no argument for a list")
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return e.listMaintenance(cmd.Context(), asJSON) }
	cmd.Flags().BoolVar(&asJSON, "json", false, "print the list as JSON")
	cmd.AddCommand(newMaintenanceOn(e), newMaintenanceOff(e))
	return cmd
}

func newMaintenanceOn(e *env) *cobra.Command {
	m := &maintenanceCommand{env: e}
	cmd := &cobra.Command{
		Use:   "on POOL|NODE",
		Short: "start maintenance",
		Long: `on starts maintenance of a pool or a node, until the time given, or until it is ended by
command when none is. Give an end: a pool that was forgotten in maintenance fails over for
nobody.` + "\n" + nodeHelp,
		Example: `  mpp maintenance on db2 --for 2h --reason "new disk"
  mpp maintenance on shop --until "2026-03-01 06:00"`,
		Args:              between(0, "pool or node"),
		ValidArgsFunction: first(e.completeBoth),
		RunE:              func(cmd *cobra.Command, args []string) error { return m.run(cmd.Context(), args, true) },
	}
	e.poolFlag(cmd, &m.pool, "the whole `POOL` (when a node has the same name)")
	flags := cmd.Flags()
	flags.StringVar(&m.lasts, "for", "", "how long, a `DURATION`: 90s, 20m, 2h, 1d12h")
	flags.StringVar(&m.until, "until", "", "until this `TIME`: 06:00 (the next one), \"2026-03-01 06:00\", RFC 3339")
	flags.StringVar(&m.reason, "reason", "", "`TEXT` that is shown to everybody who asks")
	jsonResult(cmd, &m.json)
	return cmd
}

func newMaintenanceOff(e *env) *cobra.Command {
	m := &maintenanceCommand{env: e}
	cmd := &cobra.Command{
		Use:               "off POOL|NODE",
		Short:             "end maintenance",
		Long:              `off ends the maintenance of a pool or a node now.` + "\n" + nodeHelp,
		Example:           `  mpp maintenance off db2`,
		Args:              between(0, "pool or node"),
		ValidArgsFunction: first(e.completeMaintained),
		RunE:              func(cmd *cobra.Command, args []string) error { return m.run(cmd.Context(), args, false) },
	}
	e.poolFlag(cmd, &m.pool, "the whole `POOL` (when a node has the same name)")
	jsonResult(cmd, &m.json)
	return cmd
}

func (m *maintenanceCommand) run(ctx context.Context, args []string, on bool) error {
	wanted := mpp.Maintenance{On: on, Reason: m.reason}
	var err error
	if wanted.Until, err = m.end(); err != nil {
		return err
	}
	var f found
	switch {
	case m.pool == "" && len(args) == 0:
		return usagef("mpp status lists the pools, mpp nodes the nodes", "maintenance needs a pool or a node")
	case m.pool != "" && len(args) > 0:
		return usagef("", "maintenance takes a name or --pool, not both")
	case m.pool != "":
		f, err = m.poolNamed(ctx, m.pool)
	default:
		f, err = asked(ctx, m.env, func(ctx context.Context, c Client) (found, error) {
			v, err := c.View(ctx)
			if err != nil {
				return found{}, err
			}
			return poolOrNode(v, args[0])
		})
	}
	if err != nil {
		return err
	}
	return m.do(ctx, order{
		pool: f.pool.Name, json: m.json,
		command: mpp.Command{Verb: mpp.VerbMaintenance, Node: f.address(), Maintenance: wanted},
	})
}

// end is when the maintenance ends, zero when nothing was said.
func (m *maintenanceCommand) end() (time.Time, error) {
	switch {
	case m.lasts != "" && m.until != "":
		return time.Time{}, usagef("", "--for and --until exclude each other")
	case m.lasts != "":
		d, err := parseSpan(m.lasts)
		if err != nil {
			return time.Time{}, usagef("", "--for: %v", err)
		}
		if d == 0 {
			return time.Time{}, usagef("", "--for: it would be over at once")
		}
		return m.sys.Now().Add(d), nil
	case m.until != "":
		t, err := m.parseTime(m.until, true)
		if err != nil {
			return t, usagef("", "--until: %v", err)
		}
		if !t.After(m.sys.Now()) {
			return t, usagef("", "--until: %s is over", m.moment(t))
		}
		return t, nil
	default:
		return time.Time{}, nil
	}
}

// maintained is a line of the list.
type maintained struct {
	Pool string `json:"pool"`
	// Node is empty for the whole pool.
	Node string `json:"node,omitempty"`
	// Name is the node's label, empty when it has none.
	Name        string          `json:"name,omitempty"`
	Maintenance mpp.Maintenance `json:"maintenance"`
}

func listMaintained(r reading) []maintained {
	list := []maintained{}
	for i := range r.view.Pools {
		p := &r.view.Pools[i]
		if p.Maintenance.InForce(r.now) {
			list = append(list, maintained{Pool: p.Name, Maintenance: p.Maintenance})
		}
		for j := range p.Nodes {
			if n := &p.Nodes[j]; n.Maintenance.InForce(r.now) {
				list = append(list, maintained{Pool: p.Name, Node: n.Address, Name: n.Name, Maintenance: n.Maintenance})
			}
		}
	}
	return list
}

func (e *env) listMaintenance(ctx context.Context, asJSON bool) error {
	v, err := e.view(ctx)
	if err != nil {
		return err
	}
	r := read(v, e.sys.Now())
	list := listMaintained(r)
	if asJSON {
		return e.printJSON(list)
	}
	if len(list) == 0 {
		return e.print("nothing is in maintenance\n")
	}
	t := &table{}
	t.heading("POOL", "NODE", "SINCE", "UNTIL", "LEFT", "BY", "REASON")
	for _, each := range list {
		m := each.Maintenance
		node := "(all)"
		if each.Node != "" {
			node = serverText(&mpp.NodeView{Address: each.Node, Name: each.Name})
		}
		until, left := "ended by command", "-"
		if !m.Until.IsZero() {
			until, left = e.moment(m.Until), span(m.Until.Sub(r.now))
		}
		t.add(cell{text: each.Pool}, cell{text: node}, cell{text: e.moment(m.Since)}, cell{text: until},
			cell{text: left, right: true}, cell{text: orNone(m.By, "-")}, cell{text: orNone(m.Reason, "-")})
	}
	var b strings.Builder
	t.render(&b, e.page(false))
	return e.print(b.String())
}

// completeMaintained completes what is in maintenance.
func (e *env) completeMaintained(cmd *cobra.Command, _ []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return e.suggestions(cmd.Context(), func(v *mpp.View) []cobra.Completion {
		var words []cobra.Completion
		for _, each := range listMaintained(read(v, e.sys.Now())) {
			if each.Node == "" {
				words = append(words, cobra.CompletionWithDesc(each.Pool, "pool"))
			} else {
				words = append(words, cobra.CompletionWithDesc(orNone(each.Name, each.Node), "pool "+clean(each.Pool)))
			}
		}
		return words
	})
}
