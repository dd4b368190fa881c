package cli

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/spf13/cobra"

	"mpp/sandbox/lab"
)

// exec runs a command with this one's input and output.
func (l *labCommand) exec(command *exec.Cmd) error {
	command.Stdin, command.Stdout, command.Stderr = l.sys.In, l.sys.Out, l.sys.Err
	err := command.Run()
	var ended *exec.ExitError
	if errors.As(err, &ended) && ended.ExitCode() > 0 {
		return &failure{code: ended.ExitCode(), text: "the command failed", silent: true}
	}
	if err != nil {
		return fmt.Errorf("run command: %w", err)
	}
	return nil
}

// labFault is a command that does something to one host.
type labFault struct {
	verb, short, long string
	// suits are the kinds of hosts that will do.
	suits []lab.Kind
	do    func(context.Context, *lab.Host) error
	done  string
}

func labFaults() []labFault {
	anyHost := []lab.Kind{lab.KindServer, lab.KindManager, lab.KindClient}
	processes, servers := anyHost[:2], anyHost[:1]
	return []labFault{
		{
			"kill", "kill a server with -9",
			`kill ends a host's database server with kill -9, as a crash does; the host itself and its
addresses stay. "mpp lab start" starts it again. On the manager it is mppd that is killed;
so with stop, start, freeze and thaw.`, processes,
			func(_ context.Context, h *lab.Host) error { return h.Kill() }, "killed",
		},
		{
			"stop", "shut a server down cleanly",
			`stop shuts a host's database server down, as an administrator does who tells nobody.
"mpp lab start" starts it again.`, processes,
			func(ctx context.Context, h *lab.Host) error { return h.Stop(ctx) }, "shut down",
		},
		{
			"start", "start a server again",
			`start starts a server that was killed or stopped, with the data that it has: read-only,
unless the lab was made with --writable, and replicating if it did so before.`, processes,
			func(ctx context.Context, h *lab.Host) error { return h.Start(ctx) }, "started",
		},
		{
			"freeze", "stop a server's process, so that it connects and never answers",
			`freeze stops a server's process with SIGSTOP: the kernel still accepts connections for it,
and nothing answers. "mpp lab thaw" ends it.`, processes,
			func(_ context.Context, h *lab.Host) error { return h.Freeze() }, "frozen",
		},
		{
			"thaw", "let a frozen server go on",
			`thaw ends freeze.`, processes,
			func(_ context.Context, h *lab.Host) error { return h.Thaw() }, "goes on",
		},
		{
			"heal", "end cut and slow",
			`heal mends a host's link, whatever was done to it by cut, cut --from and slow.`, anyHost,
			func(ctx context.Context, h *lab.Host) error { return h.Heal(ctx) }, "its link is whole",
		},
		{
			"fill", "fill the disk of a server's binary logs",
			`fill fills the disk that a server's binary logs are on: reads work, commits hang. "mpp lab
empty" ends it.`, servers,
			func(_ context.Context, h *lab.Host) error { return h.Fill() }, "its disk is full",
		},
		{
			"empty", "end fill",
			`empty ends fill: there is room on the disk again.`, servers,
			func(_ context.Context, h *lab.Host) error { return h.Empty() }, "its disk has room",
		},
	}
}

func newLabFaults(l *labCommand) []*cobra.Command {
	var all []*cobra.Command
	for _, f := range labFaults() {
		all = append(all, l.newFault(f))
	}
	return append(all, newLabCut(l), newLabSlow(l), newLabRelay(l))
}

func (l *labCommand) newFault(f labFault) *cobra.Command {
	return &cobra.Command{
		Use: f.verb + " HOST", Short: f.short, Long: f.long,
		Example:           fmt.Sprintf("  mpp lab %s db1", f.verb),
		Args:              exactly("host"),
		ValidArgsFunction: first(l.completeHosts(f.suits...)),
		RunE: func(cmd *cobra.Command, args []string) error {
			opened, h, err := l.host(args[0])
			if err != nil {
				return err
			}
			defer opened.Forget()
			if !slices.Contains(f.suits, h.Kind) {
				return usagef("", "host %s has no server to %s", h.Name, f.verb)
			}
			if err := f.do(cmd.Context(), h); err != nil {
				return err
			}
			return l.print(h.Name + ": " + f.done + "\n")
		},
	}
}

func newLabCut(l *labCommand) *cobra.Command {
	from := ""
	cmd := &cobra.Command{
		Use:   "cut HOST",
		Short: "lose everything that a host sends and gets",
		Long: `cut takes a host off the network without a word: no answer, no reset, and the host keeps its
addresses. With --from only what passes between two hosts is lost. "mpp lab heal" ends both.`,
		Example: `  mpp lab cut db1
  mpp lab cut db1 --from manager`,
		Args:              exactly("host"),
		ValidArgsFunction: first(l.completeHosts()),
		RunE: func(cmd *cobra.Command, args []string) error {
			opened, h, err := l.host(args[0])
			if err != nil {
				return err
			}
			defer opened.Forget()
			if from == "" {
				if err := h.Cut(); err != nil {
					return err
				}
				return l.print(h.Name + ": cut off from everybody\n")
			}
			other := opened.Host(from)
			if other == nil || other == h {
				return usagef("mpp lab status lists the hosts", "--from %q is no other host", from)
			}
			if err := h.CutFrom(cmd.Context(), other); err != nil {
				return err
			}
			return l.print(fmt.Sprintf("%s: cut off from %s\n", h.Name, other.Name))
		},
	}
	cmd.Flags().StringVar(&from, "from", "", "lose only what passes between the two hosts: `HOST` is the other one")
	completes(cmd, "from", l.completeHosts())
	return cmd
}

// labSlow is mpp lab slow, and the relay that it leaves at work.
type labSlow struct {
	*labCommand
	delay time.Duration
	loss  string
}

func newLabSlow(l *labCommand) *cobra.Command {
	s := &labSlow{labCommand: l}
	cmd := &cobra.Command{
		Use:   "slow HOST",
		Short: "make a host's link slow and lossy",
		Long: `slow makes what a host sends late, and loses some of it at random; a round trip takes that
much longer. "mpp lab heal" ends it. It needs no netem of the kernel.`,
		Example:           `  mpp lab slow db1 --delay 200ms --loss 30%`,
		Args:              exactly("host"),
		ValidArgsFunction: first(l.completeHosts()),
		RunE:              func(cmd *cobra.Command, args []string) error { return s.run(cmd.Context(), args[0]) },
	}
	s.flags(cmd)
	return cmd
}

func (s *labSlow) flags(cmd *cobra.Command) {
	cmd.Flags().DurationVar(&s.delay, "delay", 200*time.Millisecond, "`DURATION` by which each frame is late")
	cmd.Flags().StringVar(&s.loss, "loss", "0%", "`SHARE` of the frames that are lost, such as 30%")
}

func (s *labSlow) wanted() (lab.Slow, error) {
	percent, err := strconv.ParseFloat(strings.TrimSuffix(s.loss, "%"), 64)
	if err != nil || percent < 0 || percent > 100 {
		return lab.Slow{}, usagef("write it as --loss 30%", "--loss is %q; it may be 0%% to 100%%", s.loss)
	}
	if s.delay < 0 {
		return lab.Slow{}, usagef("", "--delay is %s; it must be 0 or more", s.delay)
	}
	return lab.Slow{Delay: s.delay, Loss: percent / 100}, nil
}

func (s *labSlow) run(ctx context.Context, name string) error {
	wanted, err := s.wanted()
	if err != nil {
		return err
	}
	opened, h, err := s.host(name)
	if err != nil {
		return err
	}
	defer opened.Forget()
	self, err := os.Executable()
	if err != nil {
		return fmt.Errorf("find own program: %w", err)
	}
	err = h.SlowDownBy(ctx, self, "lab", "relay", h.Name, "--dir", opened.Dir(), "--delay", s.delay.String(), "--loss", s.loss)
	if err != nil {
		return err
	}
	return s.print(fmt.Sprintf("%s: what it sends is %s\n", h.Name, wanted))
}

// newLabRelay is what mpp lab slow leaves at work.
func newLabRelay(l *labCommand) *cobra.Command {
	s := &labSlow{labCommand: l}
	cmd := &cobra.Command{
		Use:    "relay HOST",
		Short:  "carry a host's frames until heal (started by slow)",
		Hidden: true,
		Args:   exactly("host"),
		RunE: func(cmd *cobra.Command, args []string) error {
			wanted, err := s.wanted()
			if err != nil {
				return err
			}
			opened, h, err := s.host(args[0])
			if err != nil {
				return err
			}
			defer opened.Forget()
			return h.Relay(cmd.Context(), wanted)
		},
	}
	s.flags(cmd)
	return cmd
}
