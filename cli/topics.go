package cli

import (
	"strings"

	"github.com/spf13/cobra"
)

const exitCodesText = `Exit codes of mpp:

    0    done, or all is well
    1    the answer is that something is not well: status found a problem of WARN or worse,
         check or doctor a FAIL, readiness a pool that is not ready, config check a mistake,
         replay --verify a difference, or replay had nothing to play or to compare; a
         switchover, failover or rejoin was begun and not completed; MHA cannot run on a host
    2    the command line is wrong: an unknown command, flag, pool or node, or a name that
         fits several nodes; nothing was done
    3    mppd (of mpp mha compat: a host) was not reached, gave no answer in time, or did not
         let you in; whether a command was carried out is not known when its answer is missing
    4    mppd understood and refused: the reason and the way out are on stderr; mpp mha compat:
         a file there is not MPP's, or MHA is not there
    5    anything else: a file that cannot be read or written, an answer that makes no sense
    130  interrupted by Ctrl-C or SIGTERM before it was done; --watch and --follow, which
         end that way, give 0`

const environmentText = `Environment of mpp:

    MPP_SOCKET      the daemon's unix socket, when neither --socket nor --url is given
    MPP_URL         the daemon's address over TCP, before MPP_SOCKET
    MPP_TOKEN_FILE  file that holds the token for TCP
    NO_COLOR        no colours when it is set to anything (--color overrides)
    COLUMNS         the width to which messages are cut, instead of the terminal's
    TZ              the zone in which times are shown and read (--utc overrides)`

// topics are pages of the help that are no commands.
func topics() []*cobra.Command {
	return []*cobra.Command{
		{Use: "exit-codes", Short: "what the exit codes mean", Long: exitCodesText},
		{Use: "environment", Short: "the environment variables that are read", Long: environmentText},
	}
}

func newHelp() *cobra.Command {
	return &cobra.Command{
		Use:     "help [COMMAND]",
		Short:   "read about a command, or about exit-codes and environment",
		Long:    "help prints what a command does, its flags and examples.",
		Example: "  mpp help status\n  mpp help exit-codes",
		ValidArgsFunction: func(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
			return helpWords(cmd.Root(), args), cobra.ShellCompDirectiveNoFileComp
		},
		RunE: func(cmd *cobra.Command, args []string) error {
			about, rest, err := cmd.Root().Find(args)
			if err != nil || len(rest) > 0 {
				return usagef("mpp help lists the commands", "there is no help about %q", strings.Join(args, " "))
			}
			about.InitDefaultHelpFlag()
			return about.Help()
		},
	}
}

func helpWords(root *cobra.Command, args []string) []cobra.Completion {
	about, _, err := root.Find(args)
	if err != nil {
		return nil
	}
	var words []cobra.Completion
	for _, c := range about.Commands() {
		if c.IsAvailableCommand() || c.IsAdditionalHelpTopicCommand() {
			words = append(words, cobra.CompletionWithDesc(c.Name(), c.Short))
		}
	}
	return words
}
