package cli

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"
	"github.com/spf13/pflag"

	"mpp"
)

// defaultTimeout bounds every question to the daemon.
const defaultTimeout = 10 * time.Second

// Run runs the command line args (without the program's name) and returns the exit code.
// Errors go to sys.Err in one line, with a hint below. It returns soon after ctx ends.
func Run(ctx context.Context, sys System, args []string) int {
	e := &env{sys: sys, timeout: defaultTimeout}
	root := newRoot(e)
	root.SetArgs(slices.Clone(args))
	root.SetIn(sys.In)
	root.SetOut(sys.Out)
	root.SetErr(sys.Err)
	err := root.ExecuteContext(ctx)
	if err == nil {
		return ExitOK
	}
	f := e.judge(err)
	if !f.silent {
		fmt.Fprint(sys.Err, f.lines())
	}
	return f.code
}

// newRoot builds the whole command line.
func newRoot(e *env) *cobra.Command {
	root := &cobra.Command{
		Use:   "mpp",
		Short: "watch and steer pools of MySQL and MariaDB servers",
		Long: `mpp asks mppd, the daemon of MPP (MySQL Pool-Poller), how the pools are, and tells
it what to do. Start with: mpp status`,
		Example: `  mpp status                    how all pools are
  mpp status --watch            the same, again every second
  mpp explain shop              why pool shop is as it is, and what would happen next
  mpp check db2                 every check of one node, now
  mpp switchover shop           give the role to another node, planned
  mpp recover db2               take a FAIL node back into service
  mpp maintenance on db2 --for 2h --reason "new disk"
  mpp events --follow           what happens, as it happens`,
		SilenceErrors: true, SilenceUsage: true,
		CompletionOptions: cobra.CompletionOptions{DisableDefaultCmd: true},
		PersistentPreRunE: func(*cobra.Command, []string) error { return e.checkFlags() },
	}
	root.Version = mpp.Version
	root.SetVersionTemplate("mpp {{.Version}}\n")
	group(root, "mpp help lists the commands")
	flags := root.PersistentFlags()
	flags.StringVar(&e.socket, "socket", "", "unix socket `PATH` of mppd (MPP_SOCKET; default "+DefaultSocket+")")
	flags.StringVar(&e.url, "url", "", "ask mppd over TCP at `URL` instead, such as http://10.0.0.5:9102 (MPP_URL)")
	flags.StringVar(&e.tokenFile, "token-file", "", "`FILE` that holds the token for --url (MPP_TOKEN_FILE)")
	flags.DurationVar(&e.timeout, "timeout", e.timeout, "wait no longer than `DURATION` for an answer of mppd")
	flags.StringVar(&e.color, "color", "auto", "`WHEN` to use colours: auto, always or never")
	flags.BoolVar(&e.utc, "utc", false, "show and read times in UTC instead of the local zone")
	fixed(root, "color", "auto", "always", "never")
	root.SetFlagErrorFunc(flagError)
	root.AddGroup(&cobra.Group{ID: look, Title: "Look:"}, &cobra.Group{ID: act, Title: "Act:"}, &cobra.Group{ID: other, Title: "Other:"})
	help := newHelp()
	help.GroupID = other
	root.SetHelpCommand(help)
	for id, commands := range map[string][]*cobra.Command{look: looking(e), act: acting(e), other: others(e)} {
		for _, c := range commands {
			c.GroupID = id
			root.AddCommand(c)
		}
	}
	root.AddCommand(topics()...)
	return root
}

// The groups of commands in the help.
const (
	look  = "look"
	act   = "act"
	other = "other"
)

func looking(e *env) []*cobra.Command {
	return []*cobra.Command{newStatus(e), newNodes(e), newEvents(e), newExplain(e), newCheck(e), newReplay(e), newReadiness(e), newFailovers(e), newDoctor(e)}
}

func acting(e *env) []*cobra.Command {
	return []*cobra.Command{
		newRecover(e), newActivatePrimary(e), newPromote(e), newDemote(e), newMaintenance(e), newReload(e),
		newSwitchover(e), newFailover(e), newRejoin(e),
	}
}

func others(e *env) []*cobra.Command {
	return []*cobra.Command{newConfig(e), newImport(e), newVersion(e), newCompletion(e), newMan(e), newDemo(e), newLab(e), newMHA(e)}
}

func (e *env) checkFlags() error {
	switch {
	case e.color != "auto" && e.color != "always" && e.color != "never":
		return usagef("", "--color is %q; it may be auto, always or never", e.color)
	case e.socket != "" && e.url != "":
		return usagef("", "--socket and --url exclude each other")
	case e.timeout <= 0:
		return usagef("", "--timeout is %s; it must be more than nothing", e.timeout)
	}
	return nil
}

// flagError words a mistake in the flags.
func flagError(cmd *cobra.Command, err error) error {
	hint := cmd.CommandPath() + " --help lists the flags"
	text := err.Error()
	if name, unknown := strings.CutPrefix(text, "unknown flag: --"); unknown {
		var names []string
		for _, f := range flagNames(cmd) {
			names = append(names, "--"+f)
		}
		if near := nearest("--"+name, names); near != "" {
			hint = "did you mean " + near + "?"
		}
	}
	var invalid *pflag.InvalidValueError
	if errors.As(err, &invalid) {
		flag := invalid.GetFlag()
		text = fmt.Sprintf("--%s: %q is %s", flag.Name, invalid.GetValue(), notA(flag))
	}
	return usagef(hint, "%s", text)
}

// notA says what a value is not that a flag does not take.
func notA(flag *pflag.Flag) string {
	switch flag.Value.Type() {
	case "int":
		return "no number"
	case "duration":
		return "no duration, such as 10s or 1m"
	case "bool":
		return "neither true nor false"
	default:
		return "no " + flag.Value.Type()
	}
}

// group makes a command one that only holds others: without an argument it prints its help,
// with an unknown one it names the nearest.
func group(cmd *cobra.Command, more string) {
	cmd.Args = func(cmd *cobra.Command, args []string) error {
		if len(args) == 0 {
			return nil
		}
		var names []string
		for _, c := range cmd.Commands() {
			if c.IsAvailableCommand() {
				names = append(names, c.Name())
			}
		}
		hint := more
		if near := nearest(args[0], names); near != "" {
			hint = "did you mean " + cmd.CommandPath() + " " + near + "?"
		}
		return usagef(hint, "there is no command %q", cmd.CommandPath()+" "+args[0])
	}
	cmd.RunE = func(cmd *cobra.Command, _ []string) error { return cmd.Help() }
	cmd.ValidArgsFunction = cobra.NoFileCompletions
}
