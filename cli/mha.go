package cli

import (
	"github.com/spf13/cobra"
)

// newMHA holds what is for those who run MHA (Master High Availability) beside MPP.
func newMHA(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "mha",
		Short: "for those who run MHA 0.58: make it run, serve it",
		Long: `mha has what people need who run MHA (Master High Availability Manager for MySQL, 0.58).
These commands work on this host and, by ssh, on others; mppd is not asked.`,
		Example: "  mpp mha compat status",
	}
	group(cmd, "mpp mha --help lists the commands")
	cmd.AddCommand(mhaCommands(e)...)
	return cmd
}

// mhaCommands are the commands below mpp mha, each from a file of its own.
func mhaCommands(e *env) []*cobra.Command {
	return []*cobra.Command{
		newMHACompat(e),
		newMHAHook(e), newMHAFailover(e), newMHASwitchover(e),
	}
}
