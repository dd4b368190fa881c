package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

func newCompletion(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "completion bash|zsh|fish",
		Short: "print a shell's completion script",
		Long: `completion prints a script that teaches your shell to complete mpp's commands, flags,
and the names of pools and nodes, which it asks the daemon for (and waits 0.3 s at most).`,
		Example: `  mpp completion bash > /etc/bash_completion.d/mpp
  mpp completion zsh > "${fpath[1]}/_mpp"
  mpp completion fish > ~/.config/fish/completions/mpp.fish`,
		Args:              exactly("shell: bash, zsh or fish"),
		ValidArgsFunction: first(cobra.FixedCompletions([]cobra.Completion{"bash", "zsh", "fish"}, cobra.ShellCompDirectiveNoFileComp)),
		RunE: func(cmd *cobra.Command, args []string) error {
			var b strings.Builder
			root := cmd.Root()
			var err error
			switch args[0] {
			case "bash":
				err = root.GenBashCompletionV2(&b, true)
			case "zsh":
				err = root.GenZshCompletion(&b)
			case "fish":
				err = root.GenFishCompletion(&b, true)
			default:
				err = usagef("it may be bash, zsh or fish", "there is no completion for %q", args[0])
			}
			if err != nil {
				return err
			}
			return e.print(b.String())
		},
	}
}
