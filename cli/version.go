package cli

import (
	"context"
	"fmt"

	"github.com/spf13/cobra"

	"mpp"
)

// versions is what mpp version tells.
type versions struct {
	Version string `json:"version"`
	Build   string `json:"build"`
	// Daemon is the running daemon's version, empty when it was not reached; Trouble says
	// why.
	Daemon  string `json:"daemon,omitempty"`
	Trouble string `json:"daemon_trouble,omitempty"`
}

func newVersion(e *env) *cobra.Command {
	asJSON := false
	cmd := &cobra.Command{
		Use:               "version",
		Short:             "print the version of mpp, and of the mppd that runs",
		Long:              "version prints the version of this program and of the daemon that it reaches.",
		Example:           "  mpp version --json | jq -r .version",
		Args:              between(0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return e.version(cmd.Context(), asJSON) },
	}
	cmd.Flags().BoolVar(&asJSON, "json", false, "print it as JSON")
	return cmd
}

func (e *env) version(ctx context.Context, asJSON bool) error {
	v := versions{Version: mpp.Version, Build: e.sys.Build}
	e.timeout = min(e.timeout, completionTimeout)
	view, err := e.view(ctx)
	if err != nil {
		v.Trouble = e.judge(err).text
	} else {
		v.Daemon = view.Version
	}
	if asJSON {
		return e.printJSON(v)
	}
	text := fmt.Sprintf("mpp %s (%s)\n", v.Version, v.Build)
	if err != nil {
		text += "mppd: " + clean(v.Trouble) + "\n"
	} else {
		text += fmt.Sprintf("mppd %s, up %s, configuration %s\n", clean(view.Version),
			span(max(e.sys.Now().Sub(view.Started), 0)), clean(view.Config))
	}
	return e.print(text)
}
