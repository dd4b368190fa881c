package cli

import (
	"context"

	"github.com/spf13/cobra"
)

func newReload(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "reload",
		Short: "have mppd read its configuration again",
		Long: `reload has mppd read its configuration again, as SIGHUP does. A configuration with a
mistake is refused as a whole (exit code 4, with every problem); the old one stays in force.
No state changes by a reload.`,
		Example:           `  mpp config check && mpp reload`,
		Args:              between(0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			_, err := asked(cmd.Context(), e, func(ctx context.Context, c Client) (struct{}, error) {
				return struct{}{}, c.Reload(ctx)
			})
			if err != nil {
				return err
			}
			return e.print("configuration reloaded\n")
		},
	}
}
