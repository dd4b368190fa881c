package lab

import (
	"context"
	"fmt"
	"os/exec"
	"strings"
	"syscall"
	"time"

	"github.com/vishvananda/netlink"

	"mpp/sandbox"
)

// needServer returns the host's server, or an error that says that it has none.
func (h *Host) needServer() (*sandbox.Server, error) {
	if h.server == nil {
		return nil, fmt.Errorf("host %s: %w", h.Name, ErrNoServer)
	}
	return h.server, nil
}

// Kill ends the server, or the manager's mppd, at once, as a crash does.
func (h *Host) Kill() error {
	if h.Kind == KindManager {
		return h.lab.KillMppd()
	}
	s, err := h.needServer()
	if err != nil {
		return err
	}
	return s.Kill()
}

// Freeze stops the server's process, or mppd's, without ending it: it connects and never
// answers.
func (h *Host) Freeze() error {
	if h.Kind == KindManager {
		return h.lab.SignalMppd(syscall.SIGSTOP)
	}
	s, err := h.needServer()
	if err != nil {
		return err
	}
	return s.Freeze()
}

// Thaw lets what was frozen go on.
func (h *Host) Thaw() error {
	if h.Kind == KindManager {
		return h.lab.SignalMppd(syscall.SIGCONT)
	}
	s, err := h.needServer()
	if err != nil {
		return err
	}
	return s.Thaw()
}

// Stop shuts the server or mppd down cleanly, as an administrator does who tells nobody.
func (h *Host) Stop(ctx context.Context) error {
	if h.Kind == KindManager {
		return h.lab.StopMppd(ctx)
	}
	s, err := h.needServer()
	if err != nil {
		return err
	}
	return s.Stop(ctx)
}

// Start starts the server or mppd again with the data that it has.
func (h *Host) Start(ctx context.Context) error {
	if h.Kind == KindManager {
		return h.lab.restartMppd(ctx)
	}
	s, err := h.needServer()
	if err != nil {
		return err
	}
	if s.Running() {
		return fmt.Errorf("start server %s: it runs", h.Name)
	}
	return s.Restart(ctx)
}

// Fill fills the disk that the server's binary logs are on: reads go on, commits hang.
func (h *Host) Fill() error {
	s, err := h.needServer()
	if err != nil {
		return err
	}
	return s.FillDisk()
}

// Empty ends Fill.
func (h *Host) Empty() error {
	s, err := h.needServer()
	if err != nil {
		return err
	}
	return s.FreeDisk()
}

// Cut takes the host's cable out of the bridge. Nothing gets in or out and nobody is
// told: no reset, no "unreachable", and the host's own link stays up with its addresses.
func (h *Host) Cut() error {
	if err := h.endRelay(); err != nil {
		return fmt.Errorf("cut %s: %w", h.Name, err)
	}
	err := h.lab.sw.with(func(nl *netlink.Handle) error {
		port, err := nl.LinkByName(h.Name)
		if err != nil {
			return err
		}
		return nl.LinkSetNoMaster(port)
	})
	if err != nil {
		return fmt.Errorf("cut %s: %w", h.Name, err)
	}
	h.lab.logf("%s: cut off", h.Name)
	return nil
}

// CutFrom loses everything between two hosts, in both directions, and nothing else.
func (h *Host) CutFrom(ctx context.Context, other *Host) error {
	if h == other {
		return fmt.Errorf("cut %s from %s: they are one", h.Name, other.Name)
	}
	if err := h.lab.filter(ctx, "add", pairs(h, other)); err != nil {
		return fmt.Errorf("cut %s from %s: %w", h.Name, other.Name, err)
	}
	h.lab.logf("%s: cut off from %s", h.Name, other.Name)
	return nil
}

// Heal ends Cut, CutFrom and Slow of a host, all that there is.
func (h *Host) Heal(ctx context.Context) error {
	if err := h.endRelay(); err != nil {
		return fmt.Errorf("heal %s: %w", h.Name, err)
	}
	err := h.lab.sw.with(func(nl *netlink.Handle) error { return enslave(nl, h.Name, bridgeName) })
	if err != nil {
		return fmt.Errorf("heal %s: %w", h.Name, err)
	}
	cut, err := h.CutsFrom(ctx)
	if err != nil {
		return fmt.Errorf("heal %s: %w", h.Name, err)
	}
	for _, other := range cut {
		if err := h.lab.filter(ctx, "delete", pairs(h, other)); err != nil {
			return fmt.Errorf("heal %s: %w", h.Name, err)
		}
	}
	h.lab.logf("%s: healed", h.Name)
	return nil
}

// enslave plugs a link into a bridge.
func enslave(nl *netlink.Handle, port, bridge string) error {
	link, err := nl.LinkByName(port)
	if err != nil {
		return err
	}
	br, err := nl.LinkByName(bridge)
	if err != nil {
		return err
	}
	return nl.LinkSetMaster(link, br)
}

// filterTable makes the rule that drops frames by the pair of ports that they pass. To
// make it again changes nothing.
const filterTable = `add table bridge mpp
add set bridge mpp cut { type ifname . ifname ; }
`

const filterRule = `add chain bridge mpp forward { type filter hook forward priority 0 ; }
add rule bridge mpp forward iifname . oifname @cut drop
`

// ports are the names of a host's ports on the bridge: its own, and that of its relay.
func ports(h *Host) []string { return []string{h.Name, relayOuter(h.Name)} }

// pairs are the pairs of ports that traffic between two hosts passes.
func pairs(a, b *Host) []string {
	var all []string
	for _, x := range ports(a) {
		for _, y := range ports(b) {
			all = append(all, fmt.Sprintf("%q . %q", x, y), fmt.Sprintf("%q . %q", y, x))
		}
	}
	return all
}

// filter adds pairs of ports to those that are cut, or deletes them.
func (l *Lab) filter(ctx context.Context, verb string, pairs []string) error {
	script := filterTable
	if out, err := l.nft(ctx, "list chain bridge mpp forward\n"); err != nil || !strings.Contains(out, "@cut") {
		script += filterRule
	}
	script += verb + " element bridge mpp cut { " + strings.Join(pairs, ", ") + " }\n"
	_, err := l.nft(ctx, script)
	return err
}

// nft runs a script in the switch.
func (l *Lab) nft(ctx context.Context, script string) (string, error) {
	program, err := exec.LookPath("nft")
	if err != nil {
		return "", fmt.Errorf("there is no program nft (Debian: apt-get install nftables): %w", err)
	}
	var out, said strings.Builder
	err = l.sw.do(func() error {
		cmd := exec.CommandContext(ctx, program, "-f", "-")
		cmd.Stdin, cmd.Stdout, cmd.Stderr = strings.NewReader(script), &out, &said
		return cmd.Run()
	})
	if err != nil {
		return "", fmt.Errorf("run nft: %w: %s", err, lastLine(said.String()))
	}
	return out.String(), nil
}

// CutsFrom returns the hosts that CutFrom has cut this one from.
func (h *Host) CutsFrom(ctx context.Context) ([]*Host, error) {
	set, err := h.lab.cutPairs(ctx)
	if err != nil {
		return nil, fmt.Errorf("look at the links of %s: %w", h.Name, err)
	}
	return h.cutsIn(set), nil
}

// cutPairs is the set of pairs that are cut, as nft prints it.
func (l *Lab) cutPairs(ctx context.Context) (string, error) {
	if _, err := exec.LookPath("nft"); err != nil {
		return "", nil // then none was cut
	}
	return l.nft(ctx, filterTable+"list set bridge mpp cut\n")
}

func (h *Host) cutsIn(set string) []*Host {
	var all []*Host
	for _, other := range h.lab.Hosts {
		if other != h && strings.Contains(set, fmt.Sprintf("%q . %q", h.Name, other.Name)) {
			all = append(all, other)
		}
	}
	return all
}

// Link is how the host's cable is: LinkUp, LinkCut, or LinkSlow with the words for it.
func (h *Host) Link() (state, slow string, err error) {
	err = h.lab.sw.with(func(nl *netlink.Handle) error {
		port, err := nl.LinkByName(h.Name)
		if err != nil {
			return err
		}
		br, err := nl.LinkByName(bridgeName)
		if err != nil {
			return err
		}
		state = LinkCut
		if port.Attrs().MasterIndex == br.Attrs().Index {
			state = LinkUp
		} else if _, err := nl.LinkByName(relayOuter(h.Name)); err == nil { // else its program is gone
			if inner, err := nl.LinkByName(relayBridge(h.Name)); err == nil {
				state, slow = LinkSlow, inner.Attrs().Alias
			}
		}
		return nil
	})
	if err != nil {
		return "", "", fmt.Errorf("look at the link of %s: %w", h.Name, err)
	}
	return state, slow, nil
}

// Slow is what happens to what a host sends.
type Slow struct {
	// Delay is how much later each frame arrives.
	Delay time.Duration
	// Loss is the share of frames that are lost, 0 to 1.
	Loss float64
}

// String says it in words.
func (s Slow) String() string {
	return fmt.Sprintf("%s late, %g %% of it lost", s.Delay, s.Loss*100)
}
