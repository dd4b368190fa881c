package cli

import (
	"time"

	"github.com/spf13/cobra"

	"mpp/mha/hook"
	"mpp/mha/perform"
)

// mhaLimit is how long MHA has unless --limit says it: it has no limits of its own, and can wait for ever.
const mhaLimit = 10 * time.Minute

// mhaSwitch is mpp mha failover and mpp mha switchover.
type mhaSwitch struct {
	*env
	call  hook.Switch
	limit time.Duration
}

func (s *mhaSwitch) run(cmd *cobra.Command, _ []string) error {
	if s.call.Conf == "" {
		return usagef("such as --conf /etc/mha/app1.cnf", "MHA's configuration must be named")
	}
	code, err := perform.Switch(cmd.Context(), s.sys.Out, s.sys.Err, &s.call, s.limit)
	if err != nil {
		return &failure{code: ExitTrouble, text: err.Error()}
	}
	if code != hook.ExitDone {
		return &failure{code: code, text: "MHA's own exit code", silent: true}
	}
	return nil
}

// flags are those of both.
func (s *mhaSwitch) flags(cmd *cobra.Command) {
	s.call.UpdatesLimit, s.call.QueriesLimit, s.call.LagLimit = -1, -1, -1
	cmd.Args, cmd.RunE = exactly(), s.run
	cmd.ValidArgsFunction = cobra.NoFileCompletions
	f := cmd.Flags()
	f.StringVarP(&s.call.Conf, "conf", "c", "", "MHA's configuration of the application, a `FILE`")
	f.StringVar(&s.call.Global, "global-conf", "", "MHA's configuration for all applications, a `FILE`")
	f.StringVar(&s.call.To, "to", "", "the new master, `HOST` or HOST:PORT, instead of the one that MHA chooses")
	f.DurationVar(&s.limit, "limit", mhaLimit, "end MHA, and say so, after this `DURATION`")
}

func newMHAFailover(e *env) *cobra.Command {
	s := &mhaSwitch{env: e}
	cmd := &cobra.Command{
		Use:   "failover --conf FILE --dead-master HOST",
		Short: "let MHA promote, when the master is dead (mysql_failover)",
		Long: `failover calls masterha_master_switch --master_state=dead without questions, as MHA
Helper's mysql_failover did; a link to mpp of that name does the same. A failover within the
last eight hours does not hold it up. MHA refuses when the master answers.

The exit code is MHA's: 0 done, 10 done but for a replica, 1 stopped.`,
		Example: `  mpp mha failover --conf /etc/mha/app1.cnf --dead-master db1
  mpp mha failover -c /etc/mha/app1.cnf -d db1:3307 --to db2 --ssh no`,
	}
	s.flags(cmd)
	f := cmd.Flags()
	f.StringVarP(&s.call.Dead, "dead-master", "d", "", "the dead master as MHA's configuration names it, `HOST` or HOST:PORT")
	f.StringVar(&s.call.DeadIP, "dead-master-ip", "", "its `ADDRESS`, where the name is not found")
	f.StringVar(&s.call.SSH, "ssh", "", "whether its host answers by ssh, `yes` or no, so that MHA need not find out")
	fixed(cmd, "ssh", "yes", "no")
	cmd.RunE = func(cmd *cobra.Command, args []string) error {
		if s.call.Dead == "" {
			return usagef("mpp mha switchover is for one that is alive", "the dead master must be named by --dead-master")
		}
		return s.run(cmd, args)
	}
	return cmd
}

func newMHASwitchover(e *env) *cobra.Command {
	s := &mhaSwitch{env: e}
	cmd := &cobra.Command{
		Use:   "switchover --conf FILE",
		Short: "let MHA move the role, planned (mysql_online_failover)",
		Long: `switchover calls masterha_master_switch --master_state=alive without questions, as MHA
Helper's mysql_online_failover did; a link to mpp of that name does the same. The old master
becomes a replica of the new one. No masterha_manager may run for it.

The exit code is MHA's: 0 done, 10 done but for a replica, 1 stopped.`,
		Example: `  mpp mha switchover --conf /etc/mha/app1.cnf --check
  mpp mha switchover -c /etc/mha/app1.cnf --to db2`,
	}
	s.flags(cmd)
	f := cmd.Flags()
	f.BoolVar(&s.call.LeaveOld, "leave-old", false, "do not make the old master a replica of the new one")
	f.BoolVar(&s.call.CheckOnly, "check", false, "let MHA check, and change nothing")
	f.IntVar(&s.call.UpdatesLimit, "updates-limit", -1, "refuse when a statement on the old master has been writing for `SECONDS` (MHA: 1)")
	f.IntVar(&s.call.QueriesLimit, "queries-limit", -1, "refuse when a statement on the new master has been running for `SECONDS` (MHA: 10)")
	f.IntVar(&s.call.LagLimit, "lag-limit", -1, "refuse when a replica lags more than `SECONDS` (MHA: 30)")
	return cmd
}
