package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mpp/sandbox"
	"mpp/sandbox/lab"
)

// semiSyncLimit is how long a commit waits for a replica with mpp lab up --semi-sync.
const semiSyncLimit = 10 * time.Second

// labLimit bounds how long a lab may take to come up, a download included.
const labLimit = 10 * time.Minute

// labCommand is what all commands of mpp lab share.
type labCommand struct {
	*env
	dir string
}

func newLab(e *env) *cobra.Command {
	l := &labCommand{env: e}
	cmd := &cobra.Command{
		Use:   "lab",
		Short: "hosts in network namespaces, to try failovers on",
		Long: `lab makes hosts out of network namespaces on this machine: database servers in replication,
each with an sshd and an address of its own, a virtual address, a manager's host that mppd runs
on, and hosts for clients. The other commands break and mend them, and measure what a client
sees. Nothing of it can be reached from outside, and "mpp lab down" removes all of it.

It needs root, and OpenSSH's sshd and nftables; "packaging/deps.sh lab" installs those.`,
		Example: `  mpp lab up --semi-sync
  mpp lab write --through lab1 --for 30s
  mpp lab kill db1`,
	}
	group(cmd, "mpp lab --help lists the commands")
	cmd.PersistentFlags().StringVar(&l.dir, "dir", "", "the lab's `FOLDER`, one a lab; default mpp-lab-UID in memory or in the temporary folder")
	cmd.AddCommand(newLabUp(l), newLabDown(l), newLabStatus(l), newLabExec(l), newLabWrite(l))
	cmd.AddCommand(newLabFaults(l)...)
	for _, c := range cmd.Commands() {
		c.RunE = ofLab(c.RunE)
	}
	return cmd
}

// ofLab words errors as the lab's, or of other hosts, which have nothing to do with mppd's answers.
func ofLab(run func(*cobra.Command, []string) error) func(*cobra.Command, []string) error {
	return func(cmd *cobra.Command, args []string) error {
		err := run(cmd, args)
		var f *failure
		if err == nil || errors.As(err, &f) || errors.Is(err, context.Canceled) {
			return err
		}
		return &failure{code: ExitTrouble, text: err.Error()}
	}
}

func (l *labCommand) folder() string {
	if l.dir == "" {
		return lab.DefaultDir()
	}
	return l.dir
}

// typed is a command of the lab, as people type it.
func (l *labCommand) typed(words string) string {
	if l.dir != "" {
		verb, rest, _ := strings.Cut(words, " ")
		return strings.TrimSpace("mpp lab " + verb + " --dir " + l.dir + " " + rest)
	}
	return "mpp lab " + words
}

// open opens the lab; the caller forgets it.
func (l *labCommand) open() (*lab.Lab, error) {
	opened, err := lab.Open(l.folder(), nil)
	switch {
	case errors.Is(err, lab.ErrNone):
		return nil, &failure{code: ExitTrouble, text: "there is no lab in " + l.folder(), hint: l.typed("up") + " makes one"}
	case errors.Is(err, lab.ErrNotReady):
		return nil, &failure{code: ExitTrouble, text: err.Error(), hint: "if nobody is making it: " + l.typed("down")}
	case err != nil:
		return nil, err
	}
	return opened, nil
}

// host opens the lab and finds a host in it.
func (l *labCommand) host(name string) (*lab.Lab, *lab.Host, error) {
	opened, err := l.open()
	if err != nil {
		return nil, nil, err
	}
	h := opened.Host(name)
	if h == nil {
		var names []string
		for _, each := range opened.Hosts {
			names = append(names, each.Name)
		}
		opened.Forget()
		return nil, nil, usagef("the lab has "+strings.Join(names, ", "), "there is no host %q", name)
	}
	return opened, h, nil
}

// completeHosts completes the names of hosts of a kind, or of all.
func (l *labCommand) completeHosts(kinds ...lab.Kind) completer {
	return func(*cobra.Command, []string, string) ([]cobra.Completion, cobra.ShellCompDirective) {
		names, _ := lab.HostNames(l.folder(), kinds...)
		return names, cobra.ShellCompDirectiveNoFileComp
	}
}

// labUp is mpp lab up.
type labUp struct {
	*labCommand
	o                lab.Options
	flavour, mppd    string
	semiSync, noMppd bool
}

func newLabUp(l *labCommand) *cobra.Command {
	u := &labUp{labCommand: l}
	cmd := &cobra.Command{
		Use:   "up",
		Short: "make a lab",
		Long: `up makes the hosts, starts servers, replication and sshd, gives the virtual address of each
pool to its first server, writes mpp.toml with its passwords and keys, starts mppd on the
manager's host, and returns; the lab goes on. Three MariaDB servers take 1 to 3 s; a server
program that is not there is fetched once.`,
		Example: `  mpp lab up
  mpp lab up --flavour mysql-9.7 --semi-sync
  mpp lab up --dir /tmp/second --pools 5 --no-mppd`,
		Args:              between(0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE:              func(cmd *cobra.Command, _ []string) error { return u.run(cmd.Context()) },
	}
	flags := cmd.Flags()
	flags.IntVar(&u.o.Nodes, "nodes", 3, "`NUMBER` of servers in each pool")
	flags.IntVar(&u.o.Pools, "pools", 1, "`NUMBER` of pools")
	flags.IntVar(&u.o.Clients, "clients", 1, "`NUMBER` of clients' hosts")
	flags.StringVar(&u.flavour, "flavour", string(sandbox.MariaDB1011), "`SERVER` to run: "+flavours())
	flags.BoolVar(&u.semiSync, "semi-sync", false, "replicate semi-synchronously, with a limit of 10 s")
	flags.BoolVar(&u.o.Writable, "writable", false, "let servers come back writable when they are started again")
	flags.BoolVar(&u.o.IPv6, "ipv6", false, "give each pool a second virtual address, of IPv6")
	flags.BoolVar(&u.noMppd, "no-mppd", false, "write the configuration, and start no mppd")
	flags.StringVar(&u.mppd, "mppd", "", "`PROGRAM` to start as mppd; default mppd beside this program")
	fixed(cmd, "flavour", strings.Split(flavours(), ", ")...)
	return cmd
}

func flavours() string {
	var names []string
	for _, f := range sandbox.Flavours() {
		names = append(names, string(f))
	}
	return strings.Join(names, ", ")
}

func (u *labUp) run(ctx context.Context) error {
	u.o.Dir, u.o.Detached, u.o.Log = u.folder(), true, u.sys.Out
	u.o.Flavour = sandbox.Flavour(u.flavour)
	if !strings.Contains(", "+flavours()+",", ", "+u.flavour+",") && u.flavour != string(sandbox.Any) {
		return usagef("it may be "+flavours(), "--flavour is %q", u.flavour)
	}
	for flag, n := range map[string]int{"nodes": u.o.Nodes, "pools": u.o.Pools, "clients": u.o.Clients} {
		if n < 1 {
			return usagef("", "--%s is %d; it must be 1 or more", flag, n)
		}
	}
	if u.semiSync {
		u.o.SemiSync = semiSyncLimit
	}
	if err := u.findMppd(); err != nil {
		return err
	}
	var err error
	if u.o.Mpp, err = os.Executable(); err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	starting, cancel := context.WithTimeout(ctx, labLimit)
	defer cancel()
	l, err := lab.Up(starting, u.o)
	switch {
	case ctx.Err() != nil:
		return ctx.Err() // Ctrl-C; what was made is gone again
	case errors.Is(err, lab.ErrThere):
		return &failure{code: ExitTrouble, text: err.Error(), hint: u.typed("down") + " removes it; --dir FOLDER makes another one"}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{code: ExitTrouble, text: fmt.Sprintf("the lab was not up within %s: %v", labLimit, err)}
	case err != nil:
		return err
	}
	defer l.Forget()
	return u.print(u.explain(l))
}

func (u *labUp) findMppd() error {
	if u.noMppd {
		return nil
	}
	u.o.Mppd = u.mppd
	if u.mppd == "" {
		self, err := os.Executable()
		if err != nil {
			return fmt.Errorf("find own program: %w", err)
		}
		u.o.Mppd = filepath.Join(filepath.Dir(self), "mppd")
	}
	if _, err := os.Stat(u.o.Mppd); err != nil {
		return &failure{
			code: ExitTrouble, text: fmt.Sprintf("there is no mppd: %v", err),
			hint: "give --mppd PROGRAM, or --no-mppd for a lab without it",
		}
	}
	return nil
}

// explain says what there is and what to try.
func (u *labUp) explain(l *lab.Lab) string {
	var b strings.Builder
	for _, p := range l.Pools {
		fmt.Fprintf(&b, "pool %s: virtual address %s, servers", p.Name, p.VIP)
		for _, h := range p.Hosts {
			fmt.Fprintf(&b, " %s %s", h.Name, h.Address)
		}
		b.WriteString("\n")
	}
	fmt.Fprintf(&b, "configuration: %s\n", l.ConfigFile())
	if !u.noMppd {
		fmt.Fprintf(&b, "export MPP_SOCKET=%s\n", l.Socket())
	}
	first := l.Pools[0]
	hints := []struct{ command, shows string }{
		{u.typed("status"), "the hosts, by looking"},
		{u.typed("write --through " + first.Name + " --for 30s"), "writes, and says what a client sees"},
		{u.typed("kill " + first.Hosts[0].Name), "beside it: kill -9 of a server"},
		{u.typed("start " + first.Hosts[0].Name), "it comes back"},
		{u.typed("cut " + first.Hosts[0].Name), "a host is gone without a word; heal ends it"},
		{u.typed("exec " + first.Hosts[0].Name + " ip addr"), "a command on a host"},
		{u.typed("down"), "removes all of it"},
	}
	wide := 0
	for _, h := range hints {
		wide = max(wide, len(h.command))
	}
	for _, h := range hints {
		fmt.Fprintf(&b, "  %-*s  # %s\n", wide, h.command, h.shows)
	}
	return b.String()
}

func newLabDown(l *labCommand) *cobra.Command {
	return &cobra.Command{
		Use:   "down",
		Short: "remove a lab, or what is left of one",
		Long: `down ends everything that runs in the lab and removes its namespaces, mounts and files. It
does so too when "mpp lab up" was killed half-way, or when the lab's folder is gone already.`,
		Example:           `  mpp lab down`,
		Args:              between(0),
		ValidArgsFunction: cobra.NoFileCompletions,
		RunE: func(cmd *cobra.Command, _ []string) error {
			there, err := lab.Down(cmd.Context(), l.folder())
			switch {
			case err != nil:
				return err
			case !there:
				return l.print("no lab is there\n")
			}
			return l.print("the lab is gone\n")
		},
	}
}

func newLabExec(l *labCommand) *cobra.Command {
	cmd := &cobra.Command{
		Use:   "exec HOST [--] COMMAND...",
		Short: "run a command on a host",
		Long: `exec runs a command on a host of the lab: in its network, with its interfaces, and with this
machine's files and processes. The exit code is the command's.`,
		Example: `  mpp lab exec db1 ip addr show eth0
  mpp lab exec client1 mariadb -h 10.128.1.100 -u app -p`,
		Args: func(_ *cobra.Command, args []string) error {
			if len(args) < 2 || (args[1] == "--" && len(args) == 2) {
				return usagef("usage: mpp lab exec HOST -- COMMAND...", "exec needs a host and a command")
			}
			return nil
		},
		ValidArgsFunction: first(l.completeHosts()),
		RunE: func(cmd *cobra.Command, args []string) error {
			opened, h, err := l.host(args[0])
			if err != nil {
				return err
			}
			defer opened.Forget()
			command := args[1:]
			if command[0] == "--" {
				command = command[1:]
			}
			return l.exec(h.Command(cmd.Context(), command...))
		},
	}
	// What follows the host is the command's, flags too.
	cmd.Flags().SetInterspersed(false)
	return cmd
}
