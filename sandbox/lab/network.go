package lab

import (
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"strings"

	"github.com/vishvananda/netlink"
	"github.com/vishvananda/netns"
	"golang.org/x/sys/unix"
)

// bridgeName is the bridge in the switch's namespace, guestName every host's interface.
const (
	bridgeName = "br0"
	guestName  = "eth0"
)

// handle opens netlink in a namespace; the caller closes it.
func (s *space) handle() (*netlink.Handle, error) {
	h, err := netlink.NewHandleAt(netns.NsHandle(s.file.Fd()), unix.NETLINK_ROUTE)
	if err != nil {
		return nil, fmt.Errorf("open netlink in %s: %w", s.name, err)
	}
	return h, nil
}

// with runs f with a netlink handle of the namespace.
func (s *space) with(f func(*netlink.Handle) error) error {
	h, err := s.handle()
	if err != nil {
		return err
	}
	defer h.Close()
	return f(h)
}

// chooseSubnet takes a range that this machine has no route into. Nothing could go wrong
// if it had one, but people would wonder.
func chooseSubnet(id string) (subnet, error) {
	s := subnet{V6: hasIPv6()}
	if _, err := fmt.Sscanf(id, "%02x%02x%02x", &s.Unique[0], &s.Unique[1], &s.Unique[2]); err != nil {
		return s, fmt.Errorf("choose subnet: %w", err)
	}
	routes, err := netlink.RouteList(nil, unix.AF_INET)
	if err != nil {
		return s, fmt.Errorf("choose subnet: %w", err)
	}
	taken := map[byte]bool{}
	for _, r := range routes {
		if r.Dst != nil && r.Dst.IP.To4() != nil && r.Dst.IP.To4()[0] == 10 {
			taken[r.Dst.IP.To4()[1]] = true
		}
	}
	const first, most = 64, 128 // of the second number: away from what people like to use
	for i := range most {
		s.Second = byte(first + (int(s.Unique[0])+i)%most)
		if !taken[s.Second] {
			return s, nil
		}
	}
	return s, errors.New("choose subnet: this machine has routes into every one of them")
}

func hasIPv6() bool {
	_, err := os.Stat("/proc/net/if_inet6")
	return err == nil
}

// makeSwitch makes the namespace with the bridge. It gets no address: a frame that
// reaches it and belongs to no host goes nowhere.
func makeSwitch(name string) (*space, error) {
	s, err := makeSpace(name)
	if err != nil {
		return nil, err
	}
	if err := s.do(func() error { return sysctl("net/ipv6/conf/default/disable_ipv6", "1") }); err != nil {
		return s, err
	}
	err = s.with(func(h *netlink.Handle) error {
		snooping := false // it would hold back what IPv6 neighbours ask by multicast
		br := &netlink.Bridge{LinkAttrs: attrs(bridgeName), MulticastSnooping: &snooping}
		if err := h.LinkAdd(br); err != nil {
			return fmt.Errorf("make bridge: %w", err)
		}
		if err := h.LinkSetUp(br); err != nil {
			return fmt.Errorf("make bridge: %w", err)
		}
		return nil
	})
	return s, err
}

func attrs(name string) netlink.LinkAttrs {
	a := netlink.NewLinkAttrs()
	a.Name = name
	return a
}

// sysctl sets a kernel variable of the namespace that the calling thread is in. One that
// this kernel does not have needs no setting.
func sysctl(key, value string) error {
	err := os.WriteFile("/proc/sys/"+key, []byte(value), 0o644)
	if err != nil && !errors.Is(err, os.ErrNotExist) {
		return fmt.Errorf("set %s: %w", strings.ReplaceAll(key, "/", "."), err)
	}
	return nil
}

// plug makes a host's cable: one end on the bridge, named as the host, the other in the
// host as eth0.
func (l *Lab) plug(h *Host) error {
	err := l.sw.with(func(nl *netlink.Handle) error {
		br, err := nl.LinkByName(bridgeName)
		if err != nil {
			return err
		}
		veth := netlink.NewVeth(attrs(h.Name))
		veth.MasterIndex = br.Attrs().Index
		veth.PeerName, veth.PeerHardwareAddr = guestName, h.MAC
		veth.PeerNamespace = netlink.NsFd(h.space.file.Fd())
		if err := nl.LinkAdd(veth); err != nil {
			return err
		}
		return nl.LinkSetUp(veth)
	})
	if err != nil {
		return fmt.Errorf("plug in host %s: %w", h.Name, err)
	}
	return nil
}

// configure brings a host's interfaces up, with its addresses.
func (h *Host) configure() error {
	if err := h.space.do(func() error { return sysctl("net/ipv6/conf/all/accept_ra", "0") }); err != nil {
		return fmt.Errorf("configure host %s: %w", h.Name, err)
	}
	err := h.space.with(func(nl *netlink.Handle) error {
		for _, name := range []string{"lo", guestName} {
			link, err := nl.LinkByName(name)
			if err != nil {
				return err
			}
			if err := nl.LinkSetUp(link); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("configure host %s: %w", h.Name, err)
	}
	if err := h.AddAddress(netip.PrefixFrom(h.Address, bits4)); err != nil || !h.Address6.IsValid() {
		return err
	}
	return h.AddAddress(netip.PrefixFrom(h.Address6, bits6))
}

// AddAddress puts an address on the host's eth0, as an administrator may do behind MPP's
// back. It announces nothing. One that is there already is no error.
func (h *Host) AddAddress(p netip.Prefix) error {
	err := h.onAddress(p, func(nl *netlink.Handle, link netlink.Link, a *netlink.Addr) error {
		if err := nl.AddrAdd(link, a); !errors.Is(err, unix.EEXIST) {
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("add address %s to %s: %w", p, h.Name, err)
	}
	return nil
}

// RemoveAddress takes an address off the host's eth0. One that is not there is no error.
func (h *Host) RemoveAddress(p netip.Prefix) error {
	err := h.onAddress(p, func(nl *netlink.Handle, link netlink.Link, a *netlink.Addr) error {
		if err := nl.AddrDel(link, a); !errors.Is(err, unix.EADDRNOTAVAIL) {
			return err
		}
		return nil
	})
	if err != nil {
		return fmt.Errorf("remove address %s from %s: %w", p, h.Name, err)
	}
	return nil
}

func (h *Host) onAddress(p netip.Prefix, f func(*netlink.Handle, netlink.Link, *netlink.Addr) error) error {
	return h.space.with(func(nl *netlink.Handle) error {
		link, err := nl.LinkByName(guestName)
		if err != nil {
			return err
		}
		a := &netlink.Addr{IPNet: &net.IPNet{IP: p.Addr().AsSlice(), Mask: net.CIDRMask(p.Bits(), p.Addr().BitLen())}}
		if p.Addr().Is6() {
			a.Flags = unix.IFA_F_NODAD // else it is of no use for a second
		}
		return f(nl, link, a)
	})
}

// Addresses returns what the kernel says is on the host's eth0, link-local ones aside.
func (h *Host) Addresses() ([]netip.Prefix, error) {
	var found []netip.Prefix
	err := h.space.with(func(nl *netlink.Handle) error {
		link, err := nl.LinkByName(guestName)
		if err != nil {
			return err
		}
		list, err := nl.AddrList(link, netlink.FAMILY_ALL)
		if err != nil {
			return err
		}
		for _, a := range list {
			ip, ok := netip.AddrFromSlice(a.IP)
			if ones, _ := a.Mask.Size(); ok && !ip.IsLinkLocalUnicast() {
				found = append(found, netip.PrefixFrom(ip.Unmap(), ones))
			}
		}
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("list addresses of %s: %w", h.Name, err)
	}
	return found, nil
}

// Holds tells whether the address is on the host's eth0.
func (h *Host) Holds(address netip.Addr) (bool, error) {
	all, err := h.Addresses()
	for _, p := range all {
		if p.Addr() == address.Unmap() {
			return true, nil
		}
	}
	return false, err
}

// Neighbour is what a host believes about an address of another.
type Neighbour struct {
	// MAC is nil if the host has no idea.
	MAC net.HardwareAddr
	// State is REACHABLE, STALE, FAILED and so on, as ip-neighbour(8) has it; empty if
	// there is no entry.
	State string
}

// Neighbour looks an address up in the host's neighbour table (ARP, NDP).
func (h *Host) Neighbour(address netip.Addr) (Neighbour, error) {
	var found Neighbour
	err := h.space.with(func(nl *netlink.Handle) error {
		list, err := nl.NeighList(0, netlink.FAMILY_ALL)
		if err != nil {
			return err
		}
		for _, n := range list {
			if ip, ok := netip.AddrFromSlice(n.IP); ok && ip.Unmap() == address.Unmap() {
				found = Neighbour{MAC: n.HardwareAddr, State: neighbourState(n.State)}
			}
		}
		return nil
	})
	if err != nil {
		return found, fmt.Errorf("list neighbours of %s: %w", h.Name, err)
	}
	return found, nil
}

func neighbourState(n int) string {
	names := map[int]string{
		netlink.NUD_INCOMPLETE: "INCOMPLETE", netlink.NUD_REACHABLE: "REACHABLE", netlink.NUD_STALE: "STALE",
		netlink.NUD_DELAY: "DELAY", netlink.NUD_PROBE: "PROBE", netlink.NUD_FAILED: "FAILED",
		netlink.NUD_NOARP: "NOARP", netlink.NUD_PERMANENT: "PERMANENT",
	}
	return names[n]
}

// WhoHas returns the names of the hosts that hold an address, by looking on each.
func (l *Lab) WhoHas(address netip.Addr) ([]string, error) {
	var names []string
	for _, h := range l.Hosts {
		held, err := h.Holds(address)
		if err != nil {
			return names, err
		}
		if held {
			names = append(names, h.Name)
		}
	}
	return names, nil
}

// HostByMAC returns the host with a hardware address, nil if none has it.
func (l *Lab) HostByMAC(mac net.HardwareAddr) *Host {
	for _, h := range l.Hosts {
		if h.MAC.String() == mac.String() {
			return h
		}
	}
	return nil
}
