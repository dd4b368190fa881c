package cli

import (
	"context"
	"errors"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mpp"
	"mpp/config"
	"mpp/mha/compat"
)

// compatTimeout bounds what is done on one host, unless --timeout does. Perl starts about ten
// times; on a machine that has a lot to do that takes seconds.
const compatTimeout = 30 * time.Second

// compatCommand is what all commands of mpp mha compat share.
type compatCommand struct {
	*env
	job  compat.Job
	json bool
	// pool and config name hosts; the others say how those are reached that they do not.
	pool, config    string
	key, knownHosts string
	sudo            bool
}

func newMHACompat(e *env) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "compat",
		Short: "make MHA 0.58 run with today's perl and MariaDB",
		Long: `compat mends faults of MHA 0.58, as Debian and others package it: nearly no program of MHA runs
with perl 5.22 or later, and none of a node with MariaDB, nor with the client programs of
MariaDB 11. install puts small Perl modules in front of the packaged ones, on the manager and
on every node. No packaged file is touched, and an upgrade of the packages takes nothing away.`,
		Example: `  mpp mha compat status localhost db1 db2 db3
  mpp mha compat install localhost db1 db2 db3`,
	}
	group(cmd, "mpp mha compat --help lists the commands")
	cmd.AddCommand(newCompatStatus(e), newCompatInstall(e), newCompatRemove(e))
	return cmd
}

// compatHosts is what the help of each command says of its arguments.
const compatHosts = `
HOST is [user@]host[:port], reached by ssh as root unless a user is given; localhost is this
host, without ssh, and so is no HOST at all. The manager needs it as every node does. --pool
adds the hosts of a pool's nodes, with the ssh settings of the configuration. All hosts are
done at the same time. Each has 30 s, or what --timeout says.

Exit code 0: done, on every host; 1: something is wrong on one; 3: one was not reached; 4: one
has a file that is not MPP's, or no MHA; 5: anything else.`

func newCompatStatus(e *env) *cobra.Command {
	c := &compatCommand{env: e, job: compat.Job{Verb: compat.Status}}
	cmd := &cobra.Command{
		Use:   "status [HOST...]",
		Short: "try whether MHA can run on hosts, and show why not",
		Long: `status runs the packaged modules of MHA on each host, and those that MHA would get, and shows
what came of it: versions, faults, which overlays are there and whether they are in force.
Nothing is changed.
` + compatHosts,
		Example: `  mpp mha compat status
  mpp mha compat status localhost db1 db2 db3
  mpp mha compat status --pool shop --json | jq -r '.[] | select(.error) | .host'`,
	}
	return c.finish(cmd)
}

func newCompatInstall(e *env) *cobra.Command {
	c := &compatCommand{env: e, job: compat.Job{Verb: compat.Install}}
	cmd := &cobra.Command{
		Use:   "install [HOST...]",
		Short: "put MPP's overlays in front of MHA's faulty modules",
		Long: `install writes an overlay for each module of MHA that is faulty on a host, to /etc/perl on
Debian and to /usr/local elsewhere, then tries whether MHA gets it and works, and takes it away
again if not. A second install changes nothing; a later mpp replaces its own overlays. A file
that is not MPP's is never replaced: then nothing is changed on that host.
` + compatHosts,
		Example: `  mpp mha compat install
  mpp mha compat install --fast localhost db1 db2 db3
  mpp mha compat install --pool shop --dry-run`,
	}
	cmd.Flags().BoolVar(&c.job.Fast, "fast", false, "on the manager, also make MHA look after its children every 20 ms, not every second")
	c.dryRun(cmd)
	return c.finish(cmd)
}

func newCompatRemove(e *env) *cobra.Command {
	c := &compatCommand{env: e, job: compat.Job{Verb: compat.Remove}}
	cmd := &cobra.Command{
		Use:   "remove [HOST...]",
		Short: "take MPP's overlays away",
		Long: `remove takes away every overlay of MPP's, of any version, and folders that are empty then. MHA
is as it was packaged, with its faults. A file that is not MPP's stays.
` + compatHosts,
		Example: `  mpp mha compat remove localhost db1 db2 db3`,
	}
	c.dryRun(cmd)
	return c.finish(cmd)
}

func (c *compatCommand) dryRun(cmd *cobra.Command) {
	cmd.Flags().BoolVar(&c.job.DryRun, "dry-run", false, "show what would be done, and change nothing")
}

// finish gives a command what all of them have.
func (c *compatCommand) finish(cmd *cobra.Command) *cobra.Command {
	flags := cmd.Flags()
	c.poolFlag(cmd, &c.pool, "also the hosts of all nodes of this `POOL`")
	flags.StringVar(&c.config, "config", defaultConfig, "the configuration that --pool is looked up in: `PATH`")
	flags.StringVar(&c.key, "key", "", "private ssh key `FILE`; default ~/.ssh/id_ed25519, id_ecdsa or id_rsa")
	flags.StringVar(&c.knownHosts, "known-hosts", "", "`FILE` with the hosts' keys; default ~/.ssh/known_hosts")
	flags.BoolVar(&c.sudo, "sudo", false, "become root by sudo -n on each host")
	flags.StringVar(&c.job.Folder, "dir", "", "use this `FOLDER`, which MHA must get by PERL5LIB, instead of perl's own")
	jsonResult(cmd, &c.json)
	cmd.ValidArgsFunction = c.completeHosts
	cmd.RunE = ofLab(func(cmd *cobra.Command, args []string) error {
		limit := compatTimeout
		if cmd.Flags().Changed("timeout") {
			limit = c.timeout
		}
		return c.run(cmd.Context(), args, limit)
	})
	return cmd
}

func (c *compatCommand) completeHosts(cmd *cobra.Command, args []string, _ string) ([]cobra.Completion, cobra.ShellCompDirective) {
	return c.suggestions(cmd.Context(), func(v *mpp.View) []cobra.Completion {
		words := []cobra.Completion{cobra.CompletionWithDesc(compat.LocalName, "this host")}
		for i := range v.Pools {
			for j := range v.Pools[i].Nodes {
				n := &v.Pools[i].Nodes[j]
				if host := hostOf(n.Address); !slices.Contains(args, host) {
					words = append(words, cobra.CompletionWithDesc(host, "pool "+clean(n.Pool)))
				}
			}
		}
		return words
	})
}

func (c *compatCommand) run(ctx context.Context, args []string, limit time.Duration) error {
	if c.job.Folder != "" && !filepath.IsAbs(c.job.Folder) {
		return usagef("", "--dir is %q; it must be a full path", c.job.Folder)
	}
	targets, err := c.targets(args)
	if err != nil {
		return err
	}
	reports, err := c.job.OnAll(ctx, targets, limit)
	if err != nil {
		return err
	}
	if c.json {
		err = c.printJSON(reports)
	} else {
		err = c.print(c.draw(reports))
	}
	if err != nil {
		return err
	}
	if code := compatCode(c.job, reports); code != ExitOK {
		return &failure{code: code, text: "not OK", silent: true}
	}
	return nil
}

// targets are the hosts that the command line names, each once.
func (c *compatCommand) targets(args []string) ([]compat.Target, error) {
	var all []compat.Target
	for _, arg := range args {
		t, err := compat.ParseTarget(arg)
		if err != nil {
			return nil, usagef("a HOST is [user@]host[:port]", "%v", err)
		}
		t.Sudo = c.sudo
		all = append(all, t)
	}
	if c.pool != "" {
		nodes, err := c.poolTargets()
		if err != nil {
			return nil, err
		}
		all = append(all, nodes...)
	}
	if len(all) == 0 {
		all = []compat.Target{{Local: true, Sudo: c.sudo}}
	}
	var once []compat.Target
	for _, t := range all {
		switch i := slices.IndexFunc(once, t.Same); {
		case i < 0:
			once = append(once, t)
		case t.KeyFile != "": // a node of the pool that was named, too
			once[i] = t
		}
	}
	for i := range once {
		once[i] = c.complete(once[i])
	}
	return once, nil
}

// complete fills in the files of ssh that a target has not got from a pool.
func (c *compatCommand) complete(t compat.Target) compat.Target {
	if t.Local {
		return t
	}
	folder := filepath.Join(c.sys.Getenv("HOME"), ".ssh")
	if t.KeyFile == "" {
		t.KeyFile = c.key
	}
	if t.KeyFile == "" {
		t.KeyFile = filepath.Join(folder, "id_ed25519")
		for _, name := range []string{"id_ed25519", "id_ecdsa", "id_rsa"} {
			if file := filepath.Join(folder, name); exists(file) {
				t.KeyFile = file
				break
			}
		}
	}
	if t.KnownHosts == "" {
		t.KnownHosts = orNone(c.knownHosts, filepath.Join(folder, "known_hosts"))
	}
	return t
}

func exists(file string) bool {
	_, err := os.Stat(file)
	return err == nil
}

// poolTargets are the hosts of a pool's nodes. --key, --known-hosts and --sudo go before what is
// configured.
func (c *compatCommand) poolTargets() ([]compat.Target, error) {
	loaded, err := config.Load(c.config)
	var problems *config.Problems
	if errors.As(err, &problems) {
		return nil, &failure{code: ExitTrouble, text: err.Error(), hint: "mpp config check " + c.config + " shows all of it"}
	} else if err != nil {
		return nil, err
	}
	var names []string
	for i := range loaded.Pools {
		p := &loaded.Pools[i]
		if p.Name != c.pool {
			names = append(names, p.Name)
			continue
		}
		var all []compat.Target
		for j := range p.Nodes {
			all = append(all, c.nodeTarget(&p.Nodes[j]))
		}
		return all, nil
	}
	hint := "its pools are " + strings.Join(names, ", ")
	if near := nearest(c.pool, names); near != "" {
		hint = "did you mean " + near + "?"
	}
	return nil, usagef(hint, "%s has no pool %q", c.config, c.pool)
}

func (c *compatCommand) nodeTarget(n *config.Node) compat.Target {
	s := n.SSH
	if s.Local {
		return compat.Target{Local: true, Sudo: s.Sudo || c.sudo}
	}
	t := compat.Target{Host: s.Host, Port: s.Port, User: s.User, Sudo: s.Sudo || c.sudo}
	t.KeyFile, t.KnownHosts = orNone(c.key, s.KeyFile), orNone(c.knownHosts, s.KnownHosts)
	return t
}
