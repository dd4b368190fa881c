package cli

import (
	"context"
	"fmt"
	"strings"

	"github.com/spf13/cobra"

	"mpp"
	"mpp/config"
	"mpp/publish/api/client"
)

func newReload(e *env) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:   "reload",
		Short: "have mppd read its configuration again",
		Long: `reload has mppd read its configuration again, as SIGHUP does. A configuration with a
mistake is refused as a whole (exit code 4, with every problem); the old one stays in force.
No state changes by a reload. Keys that were changed and need a restart of mppd are listed.`,
		Example:           `  mpp config check && mpp reload`,
		Args:              between(0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return e.reload(cmd.Context(), asJSON) },
	}
	jsonResult(cmd, &asJSON)
	return cmd
}

// reloadResult is what a reload did.
type reloadResult struct {
	Done bool `json:"done"`
	// Changes are the keys that were changed since the configuration before, NeedsRestart
	// those of them that are not in force yet.
	Changes      []string `json:"changes"`
	NeedsRestart []string `json:"needs_restart"`
}

func (e *env) reload(ctx context.Context, asJSON bool) error {
	events, err := asked(ctx, e, e.reloadWith)
	if err != nil {
		return err
	}
	r := reloadResult{Done: true, Changes: []string{}, NeedsRestart: []string{}}
	for i := range events {
		if events[i].Kind != mpp.EventConfig {
			continue
		}
		r.Changes = append(r.Changes, events[i].Text)
		if strings.HasSuffix(events[i].Text, config.NeedsRestart) {
			r.NeedsRestart = append(r.NeedsRestart, events[i].Text)
		}
	}
	if asJSON {
		return e.printJSON(r)
	}
	text := "configuration reloaded\n"
	for _, line := range r.NeedsRestart {
		text += "  " + clean(line) + "\n"
	}
	return e.print(text)
}

// reloadWith reloads, and returns the events since.
func (e *env) reloadWith(ctx context.Context, c Client) ([]mpp.Event, error) {
	before, err := c.Events(ctx, client.EventQuery{Limit: 1})
	if err != nil {
		return nil, err
	}
	q := client.EventQuery{}
	if len(before) > 0 {
		q.After = before[len(before)-1].Seq
	}
	if err := c.Reload(ctx); err != nil {
		return nil, err
	}
	events, err := c.Events(ctx, q)
	if err != nil { // it is reloaded all the same
		fmt.Fprintf(e.sys.Err, "mpp: whether a change needs a restart is not known: %s\n", clean(e.judge(err).text))
	}
	return events, nil
}
