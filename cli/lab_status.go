package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mpp/sandbox/lab"
)

func newLabStatus(l *labCommand) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "status",
		Short: "how the hosts of a lab are, by looking",
		Long: `status looks at every host of the lab: whether its server runs, takes writes and replicates,
what was done to its link, and who holds the virtual address. It asks the servers on their
sockets and the kernel for the addresses, so a cut link hides nothing; mppd has no part in it.`,
		Example: `  mpp lab status
  mpp lab status --json`,
		Args:              between(0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			return l.status(cmd.Context(), asJSON)
		},
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print JSON")
	return cmd
}

func (l *labCommand) status(ctx context.Context, asJSON bool) error {
	opened, err := l.open()
	if err != nil {
		return err
	}
	defer opened.Forget()
	s, err := opened.Status(ctx)
	if err != nil {
		return err
	}
	if asJSON {
		return l.printJSON(s)
	}
	return l.print(labText(s, l.page(false)))
}

func labText(s lab.Status, p page) string {
	var b strings.Builder
	for _, pool := range s.Pools {
		holders := cell{text: "nobody has it", style: bad}
		if len(pool.Holders) > 0 {
			holders = cell{text: strings.Join(pool.Holders, " AND "), style: good}
		}
		if len(pool.Holders) > 1 {
			holders.style = loud
		}
		fmt.Fprintf(&b, "pool %s: %s is on %s\n", pool.Name, pool.VIP, p.painted(holders.style, holders.text))
	}
	b.WriteString("\n")
	t := table{}
	t.heading("HOST", "ADDRESS", "SERVER", "WRITES", "REPLICATES FROM", "LINK", "TROUBLE")
	for _, h := range s.Hosts {
		t.add(cell{text: h.Name}, cell{text: h.Address}, labServer(h), labWrites(h), cell{text: h.Source}, labLink(h), cell{text: labTrouble(h), style: bad})
	}
	t.render(&b, p)
	return b.String()
}

func labServer(h lab.HostStatus) cell {
	if h.Kind == lab.KindManager && h.Server != "" {
		h.Kind = lab.KindServer
		c := labServer(h)
		c.text = "mppd " + c.text
		return c
	}
	switch h.Server {
	case "":
		return cell{text: "-", style: dim}
	case lab.ServerRunning:
		return cell{text: h.Server, style: good}
	case lab.ServerFrozen:
		return cell{text: h.Server, style: caution}
	default:
		return cell{text: h.Server, style: bad}
	}
}

func labWrites(h lab.HostStatus) cell {
	switch {
	case h.Kind != lab.KindServer:
		return cell{text: "-", style: dim}
	case !h.Answered:
		return cell{text: "?", style: caution}
	case h.ReadOnly:
		return cell{text: "no"}
	default:
		return cell{text: "yes", style: bold}
	}
}

func labLink(h lab.HostStatus) cell {
	switch {
	case h.Link == lab.LinkSlow:
		return cell{text: "slow: " + h.Slow, style: caution}
	case h.Link == lab.LinkCut:
		return cell{text: "cut", style: bad}
	case len(h.CutFrom) > 0:
		return cell{text: "cut from " + strings.Join(h.CutFrom, ", "), style: caution}
	default:
		return cell{text: "up"}
	}
}

func labTrouble(h lab.HostStatus) string {
	var all []string
	if h.DiskFull {
		all = append(all, "disk full")
	}
	if h.Trouble != "" {
		all = append(all, h.Trouble)
	}
	return strings.Join(all, "; ")
}
