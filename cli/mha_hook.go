package cli

import (
	"context"
	"os"
	"path/filepath"
	"slices"
	"strings"

	"github.com/spf13/cobra"

	"mpp/mha/hook"
	"mpp/mha/perform"
)

// Arguments are the command line of a process without the program's name. A program that was called
// by the name of one of MHA's hooks, by a link, is mpp mha hook NAME. Passwords that MHA hands over
// are taken out of what ps shows.
func Arguments(argv []string) []string {
	if len(argv) == 0 {
		return nil
	}
	name, rest := filepath.Base(argv[0]), argv[1:]
	switch name { // MHA Helper's
	case "mysql_failover":
		return append([]string{"mha", "failover"}, rest...)
	case "mysql_online_failover":
		return append([]string{"mha", "switchover"}, rest...)
	}
	if !isHook(name) {
		if len(rest) > 1 && rest[0] == "mha" && rest[1] == "hook" {
			return perform.Conceal(rest)
		}
		return rest
	}
	return append([]string{"mha", "hook", name}, perform.Conceal(rest)...)
}

// isHook reports whether MHA calls a program of that name.
func isHook(name string) bool {
	_, is := hook.ProgramOf(name)
	return is || hook.IsReport(name) || hook.IsSecondary(name) || hook.IsLoad(name)
}

// followName is what a hook starts to see to a switch after its own end.
const followName = "follow"

func hookNames() []string {
	return append(append(hook.Names(), hook.ReportNames()...), "secondary_check", "init_conf_load")
}

func newMHAHook(e *env) *cobra.Command {
	return &cobra.Command{
		Use:   "hook NAME [ARGUMENT...]",
		Short: "what MHA calls: moves the address, closes and opens servers",
		Long: `hook is called by MHA, as the programs that its configuration names: NAME is one of
  ` + strings.Join(hookNames(), "\n  ") + `
The arguments are MHA's. Before them, in MHA's configuration, may stand:
  --config=FILE           MPP's configuration (` + perform.DefaultConfig + ` if it is there)
  --helper=FOLDER         MHA Helper's configuration (/etc/mha-helper)
  --pool=NAME             the pool, where two have the same servers
  --fence=RULE            best_effort or required: may a dead master go unfenced
  --shutdown-program=FILE turns a host off; called with its address and its name
  --spare=USER,...        users whose sessions are never ended
  --key-file=FILE, --known-hosts=FILE   for ssh, in the place of what ssh itself uses
  --undo-after=DURATION   how long MHA has from stop to start in a planned switch (1m)
  --state-dir=FOLDER      where a planned switch is noted until it is over, and what was done
and for the report:
  --mail-to=ADDRESS,...   --mail-from=ADDRESS   --smtp=HOST[:PORT]
  --smtp-tls=opportunistic|starttls|tls|none    --smtp-ca=FILE
  --smtp-user=USER        --smtp-password-file=FILE
  --report-program=FILE   gets the report on its standard input

Exit codes are MHA's: 0 done, 10 MHA is to go on and something is left to do, else MHA stops.
docs/mha-hooks.md says what is done in each phase.`,
		Example: `  master_ip_failover_script      = mpp mha hook master_ip_failover
  master_ip_online_change_script = mpp mha hook master_ip_online_change`,
		DisableFlagParsing: true,
		ValidArgsFunction:  first(cobra.FixedCompletions(hookNames(), cobra.ShellCompDirectiveNoFileComp)),
		RunE: func(cmd *cobra.Command, args []string) error {
			if len(args) == 0 || slices.Contains(args, "--help") || args[0] == "-h" {
				return cmd.Help()
			}
			return e.mhaHook(cmd.Context(), args[0], args[1:])
		},
	}
}

func (e *env) mhaHook(ctx context.Context, name string, args []string) error {
	program, known := hook.ProgramOf(name)
	sys := perform.System{Out: e.sys.Out}
	if self, err := os.Executable(); err == nil {
		sys.Program = []string{self, "mha", "hook", followName}
	}
	var code int
	switch {
	case known:
		code = perform.Run(ctx, sys, program, args)
	case hook.IsReport(name):
		code = perform.Report(ctx, sys, args)
	case hook.IsSecondary(name):
		code = perform.Secondary(ctx, sys, args)
	case hook.IsLoad(name):
		code = perform.Load(sys, e.sys.Err, args)
	case name == followName && len(args) == 0:
		code = perform.Follow(ctx, sys, e.sys.In)
	default:
		return usagef("mpp mha hook --help lists them", "MHA has no hook %q", name)
	}
	if code == hook.ExitDone {
		return nil
	}
	return &failure{code: code, text: "exit code of a hook", silent: true}
}
