package cli

import (
	"context"
	"fmt"
	"maps"
	"net/netip"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mpp/sandbox/lab"
)

// labWrite is mpp lab write.
type labWrite struct {
	*labCommand
	through string
	lasting time.Duration
	writers int
	json    bool
	o       lab.WriteOptions
}

func newLabWrite(l *labCommand) *cobra.Command {
	w := &labWrite{labCommand: l}
	cmd := &cobra.Command{
		Use:   "write",
		Short: "write as an application does, and say what it saw",
		Long: `write inserts a row every few milliseconds through an address, from a client's host, over a
connection that lasts until it breaks and is made anew at once. It remembers every row that
was acknowledged, and by which server, and tells at the end:

  outage  from the last acknowledged write before to the first one after
  lost    rows that were acknowledged and that the present writer does not have
  double  rows that a server acknowledged while another one took writes, too

It ends after --for, or with Ctrl-C. The exit code is 1 when something was lost or double. The
rows are in the table app.lab_writes.`,
		Example: `  mpp lab write --through lab1 --for 30s
  mpp lab write --through 10.70.1.100 --for 10s --json`,
		Args:              between(0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return w.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.StringVar(&w.through, "through", "", "the `ADDRESS` to write through: a pool's name for its virtual address, a host's name, or an address; default lab1")
	flags.DurationVar(&w.lasting, "for", 0, "write for a `DURATION`; until Ctrl-C otherwise")
	flags.DurationVar(&w.o.Interval, "interval", 2*time.Millisecond, "`DURATION` from the start of a write to the next")
	flags.DurationVar(&w.o.ConnectTimeout, "connect-timeout", 200*time.Millisecond, "a connect may take this `DURATION`")
	flags.DurationVar(&w.o.Timeout, "write-timeout", 500*time.Millisecond, "a write may take this `DURATION`")
	flags.IntVar(&w.writers, "writers", 1, "`NUMBER` of connections, from the clients' hosts in turn")
	flags.BoolVar(&w.json, "json", false, "print the record as JSON at the end")
	completes(cmd, "through", l.completeHosts(lab.KindServer))
	return cmd
}

func (w *labWrite) run(ctx context.Context) error {
	for flag, d := range map[string]time.Duration{"interval": w.o.Interval, "connect-timeout": w.o.ConnectTimeout, "write-timeout": w.o.Timeout} {
		if d <= 0 {
			return usagef("", "--%s is %s; it must be more than nothing", flag, d)
		}
	}
	if w.writers < 1 || w.lasting < 0 {
		return usagef("", "--writers must be 1 or more, and --for not less than nothing")
	}
	opened, err := w.open()
	if err != nil {
		return err
	}
	defer opened.Forget()
	if err := w.aim(opened); err != nil {
		return err
	}
	if !w.json {
		w.o.OnOutage = func(o lab.Outage) { _ = w.print(w.outageLine(o)) }
	}
	writer, err := opened.Write(context.WithoutCancel(ctx), w.o)
	if err != nil {
		return err
	}
	var end <-chan time.Time
	if w.lasting > 0 {
		timer := time.NewTimer(w.lasting)
		defer timer.Stop()
		end = timer.C
	}
	select {
	case <-end:
	case <-ctx.Done():
	}
	// After a Ctrl-C, too: what was lost is the point of it.
	return w.finish(context.WithoutCancel(ctx), writer)
}

// aim finds out where to write to, and from where.
func (w *labWrite) aim(l *lab.Lab) error {
	clients := l.Clients()
	for i := range w.writers {
		w.o.From = append(w.o.From, clients[i%len(clients)])
	}
	if w.through == "" {
		w.through = l.Pools[0].Name
	}
	if w.o.Pool = l.Pool(w.through); w.o.Pool != nil {
		return nil
	}
	address, err := netip.ParseAddr(w.through)
	if h := l.Host(w.through); h != nil {
		address, err = h.Address, nil
	}
	if err == nil {
		for _, p := range l.Pools {
			for _, h := range p.Hosts {
				if slices.Contains([]netip.Addr{p.VIP, p.VIP6, h.Address, h.Address6}, address) {
					w.o.Pool, w.o.Through = p, address
					return nil
				}
			}
		}
	}
	return usagef("mpp lab status shows the pools and their addresses", "--through %q is no pool, server or address of the lab", w.through)
}

// labRecord is what mpp lab write --json prints.
type labRecord struct {
	lab.Record
	// Verdict is missing when nobody answered at the end; then Unknown says why.
	Verdict *lab.Verdict `json:"verdict,omitempty"`
	Unknown string       `json:"unknown,omitempty"`
}

func (w *labWrite) finish(ctx context.Context, writer *lab.Writer) error {
	record := labRecord{Record: writer.Stop()}
	verdict, err := writer.Verify(ctx)
	if err != nil {
		record.Unknown = err.Error()
	} else {
		record.Verdict = &verdict
	}
	if w.json {
		err = w.printJSON(record)
	} else {
		err = w.print(w.recordText(record))
	}
	if err != nil {
		return err
	}
	if record.Verdict == nil || verdict.Lost > 0 || record.Double > 0 {
		return notOK()
	}
	return nil
}

// outageLine tells of one outage.
func (w *labWrite) outageLine(o lab.Outage) string {
	between := o.From + " -> " + o.To
	switch {
	case o.Open:
		between = "after " + o.From + ", not over"
	case o.From == o.To:
		between = o.From
	}
	line := fmt.Sprintf("%s  outage %s  %s", o.Begin.In(w.zone()).Format("15:04:05.000"), o.Length, between)
	if len(o.Errors) > 0 {
		line += "  (" + countText(o.Errors) + ")"
	}
	return line + "\n"
}

// countText is a list of counts, by name.
func countText(counts map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(counts)) {
		all = append(all, fmt.Sprintf("%d %s", counts[name], name))
	}
	return strings.Join(all, ", ")
}

func (w *labWrite) recordText(r labRecord) string {
	var b strings.Builder
	if n := len(r.Outages); n > 0 && r.Outages[n-1].Open {
		b.WriteString(w.outageLine(r.Outages[n-1]))
	}
	fmt.Fprintf(&b, "%d rows acknowledged in %s", r.Acknowledged, r.Until.Sub(r.Began).Round(10*time.Millisecond))
	if r.Acknowledged > 0 {
		fmt.Fprintf(&b, " (%s)", countText(r.Servers))
	}
	fmt.Fprintf(&b, ", %d outages, longest gap %s\n", len(r.Outages), r.LongestGap)
	if len(r.Errors) > 0 {
		fmt.Fprintf(&b, "errors: %s\n", countText(r.Errors))
	}
	switch {
	case r.Verdict == nil:
		fmt.Fprintf(&b, "lost: not known: %s\n", clean(r.Unknown))
	case r.Verdict.Lost == 0:
		fmt.Fprintf(&b, "lost: none, %s has every one of them\n", r.Verdict.Server)
	default:
		fmt.Fprintf(&b, "lost: %d rows that %s does not have\n", r.Verdict.Lost, r.Verdict.Server)
		b.WriteString(lostText(r.Verdict))
	}
	if r.Double > 0 {
		d := r.Doubles[0]
		fmt.Fprintf(&b, "double: %d rows, the first at %s: %s acknowledged it while %s took writes, too\n",
			r.Double, d.At.In(w.zone()).Format("15:04:05.000"), d.Server, d.Other)
	} else {
		b.WriteString("double: none\n")
	}
	return b.String()
}

// lostMost is how many lost rows are named.
const lostMost = 10

func lostText(v *lab.Verdict) string {
	var b strings.Builder
	for i, m := range v.Missing {
		if i == lostMost {
			b.WriteString("  ...\n")
			break
		}
		where := "no server that answers has it"
		if len(m.OnlyOn) > 0 {
			where = "only " + strings.Join(m.OnlyOn, " and ") + " has it"
		}
		fmt.Fprintf(&b, "  row %d of writer %d, acknowledged by %s: %s\n", m.Seq, m.Writer, m.Server, where)
	}
	if len(v.Unasked) > 0 {
		fmt.Fprintf(&b, "  %s could not be asked\n", strings.Join(v.Unasked, ", "))
	}
	return b.String()
}
