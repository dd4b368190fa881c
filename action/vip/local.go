package vip

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"math"
	"net"
	"net/netip"
	"os"
	"slices"
	"strings"
	"syscall"
	"time"
	"unicode"

	"github.com/mdlayher/packet"
	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// local is the network of this host itself. Its calls take well under a millisecond.
type local struct{}

// again is how often a list is asked for anew that changed while it was read.
const again = 5

// whole asks for a list until it is whole.
func whole[T any](list func() ([]T, error)) ([]T, error) {
	for range again {
		all, err := list()
		if !errors.Is(err, netlink.ErrDumpInterrupted) {
			return all, err
		}
	}
	return list()
}

func (local) look(context.Context) (state, error) {
	s := state{announcers: []string{"MPP"}}
	links, err := whole(netlink.LinkList)
	if err != nil {
		return s, fmt.Errorf("list interfaces: %w", err)
	}
	names := map[int]string{}
	for _, l := range links {
		a := l.Attrs()
		names[a.Index] = a.Name
		up := a.RawFlags&unix.IFF_UP != 0 && a.RawFlags&unix.IFF_LOWER_UP != 0
		s.links = append(s.links, link{name: a.Name, mac: a.HardwareAddr, up: up})
	}
	addresses, err := whole(func() ([]netlink.Addr, error) { return netlink.AddrList(nil, netlink.FAMILY_ALL) })
	if err != nil {
		return s, fmt.Errorf("list addresses: %w", err)
	}
	for _, a := range addresses {
		ip, ok := netip.AddrFromSlice(a.IP)
		if !ok {
			continue
		}
		bits, _ := a.Mask.Size()
		s.held = append(s.held, held{
			link: names[a.LinkIndex], prefix: netip.PrefixFrom(ip.Unmap(), bits),
			secondary: a.Flags&unix.IFA_F_SECONDARY != 0, deprecated: a.Flags&unix.IFA_F_DEPRECATED != 0,
			unsure: a.Flags&(unix.IFA_F_TENTATIVE|unix.IFA_F_DADFAILED) != 0,
		})
	}
	return s, nil
}

func (l local) change(ctx context.Context, all []change, from string, frames [][]byte) (outcome, error) {
	var o outcome
	for _, c := range all {
		if err := ctx.Err(); err != nil {
			return o, fmt.Errorf("change addresses: %w", err)
		}
		if err := l.apply(c); err != nil {
			o.failed = err.Error()
			break
		}
	}
	if o.failed == "" && len(frames) > 0 {
		if err := l.send(from, frames); err != nil {
			o.unsent = err.Error()
		}
	}
	var err error
	o.state, err = l.look(ctx)
	return o, err
}

// apply makes one change.
func (l local) apply(c change) error {
	on, err := netlink.LinkByName(c.link)
	if err != nil {
		return fmt.Errorf("interface %s: %w", c.link, err)
	}
	a := &netlink.Addr{IPNet: &net.IPNet{
		IP: c.prefix.Addr().AsSlice(), Mask: net.CIDRMask(c.prefix.Bits(), c.prefix.Addr().BitLen()),
	}}
	if c.reset {
		l.reset(c.prefix.Addr())
	}
	if c.remove {
		return l.remove(on, a, c)
	}
	if c.prefix.Addr().Is6() {
		a.Flags = unix.IFA_F_NODAD
		a.ValidLft, a.PreferedLft = math.MaxUint32, 0 // for ever, and never as a source
	}
	if err := netlink.AddrReplace(on, a); err != nil {
		return fmt.Errorf("put %s on %s: %w", c.prefix, c.link, advise(err))
	}
	return nil
}

// reset resets the TCP connections to an address. Where the kernel cannot, their clients wait.
func (local) reset(address netip.Addr) {
	var sockets []*netlink.Socket
	for _, family := range []uint8{unix.AF_INET, unix.AF_INET6} { // one that listens on :: has those of IPv4, too
		found, err := whole(func() ([]*netlink.Socket, error) { return netlink.SocketDiagTCP(family) })
		if err == nil {
			sockets = append(sockets, found...)
		}
	}
	for _, s := range sockets {
		if source, ok := netip.AddrFromSlice(s.ID.Source); !ok || source.Unmap() != address || s.State == tcpListen {
			continue
		}
		from := &net.TCPAddr{IP: s.ID.Source, Port: int(s.ID.SourcePort)}
		to := &net.TCPAddr{IP: s.ID.Destination, Port: int(s.ID.DestinationPort)}
		_ = netlink.SocketDestroy(from, to) // it may have ended by itself
	}
}

// tcpListen is the kernel's TCP_LISTEN.
const tcpListen = 10

func (local) remove(on netlink.Link, a *netlink.Addr, c change) error {
	if c.keepOthers {
		file := "/proc/sys/net/ipv4/conf/" + c.link + "/promote_secondaries"
		before, err := os.ReadFile(file)
		if err != nil {
			return fmt.Errorf("keep the other addresses: %w", err)
		}
		if err := os.WriteFile(file, []byte("1\n"), 0o644); err != nil {
			return fmt.Errorf("keep the other addresses: %w", err)
		}
		defer func() { _ = os.WriteFile(file, before, 0o644) }()
	}
	if err := netlink.AddrDel(on, a); err != nil && !errors.Is(err, syscall.EADDRNOTAVAIL) {
		return fmt.Errorf("take %s off %s: %w", c.prefix, c.link, advise(err))
	}
	return nil
}

// advise says what to do about missing rights.
func advise(err error) error {
	if errors.Is(err, syscall.EPERM) {
		return fmt.Errorf("%w (mppd needs CAP_NET_ADMIN and CAP_NET_RAW, or sudo = true)", err)
	}
	return err
}

// send sends frames from an interface.
func (local) send(from string, frames [][]byte) error {
	on, err := net.InterfaceByName(from)
	if err != nil {
		return fmt.Errorf("interface %s: %w", from, err)
	}
	// A socket for no type of frames receives none.
	conn, err := packet.Listen(on, packet.Raw, 0, nil)
	if err != nil {
		return fmt.Errorf("open packet socket: %w", advise(err))
	}
	// Closing it takes the kernel some 10 ms, which nobody need wait for.
	defer func() { go func() { _ = conn.Close() }() }()
	for _, f := range frames {
		if _, err := conn.WriteTo(f, &packet.Addr{HardwareAddr: f[:6]}); err != nil {
			return fmt.Errorf("send frame: %w", err)
		}
	}
	return nil
}

func (local) ask(ctx context.Context, from link, address netip.Addr, own []net.HardwareAddr) ([]byte, error) {
	on, err := net.InterfaceByName(from.name)
	if err != nil {
		return nil, fmt.Errorf("interface %s: %w", from.name, err)
	}
	etherType, patterns := answers(address)
	conn, err := packet.Listen(on, packet.Raw, etherType, nil)
	if err != nil {
		return nil, fmt.Errorf("open packet socket: %w", advise(err))
	}
	defer func() { _ = conn.Close() }()
	defer context.AfterFunc(ctx, func() { _ = conn.Close() })()
	if err := conn.SetReadDeadline(time.Now().Add(askWait)); err != nil {
		return nil, fmt.Errorf("ask who has %s: %w", address, err)
	}
	q := question(from.mac, address)
	if _, err := conn.WriteTo(q, &packet.Addr{HardwareAddr: q[:6]}); err != nil {
		return nil, fmt.Errorf("ask who has %s: %w", address, err)
	}
	return listen(ctx, conn, func(frame []byte) bool {
		return matches(frame, patterns) && !slices.ContainsFunc(own, func(mac net.HardwareAddr) bool { return bytes.Equal(mac, frame[6:12]) })
	})
}

// listen returns the first frame that is wanted, nil when none comes before the deadline.
func listen(ctx context.Context, conn *packet.Conn, wanted func([]byte) bool) ([]byte, error) {
	frame := make([]byte, 2048)
	for {
		n, _, err := conn.ReadFrom(frame)
		switch {
		case ctx.Err() != nil:
			return nil, fmt.Errorf("listen for an answer: %w", ctx.Err())
		case errors.Is(err, os.ErrDeadlineExceeded):
			return nil, nil
		case err != nil:
			return nil, fmt.Errorf("listen for an answer: %w", err)
		case wanted(frame[:n]):
			return bytes.Clone(frame[:n]), nil
		}
	}
}

// try takes off an address that nobody has (TEST-NET-1, RFC 5737) and opens a socket.
func (l local) try(_ context.Context, from string, wanted []netip.Prefix) []string {
	var wrong []string
	text, _ := os.ReadFile(keepalived)
	words := strings.FieldsFunc(string(text), func(r rune) bool { return unicode.IsSpace(r) || r == '/' })
	for _, a := range wanted {
		if slices.Contains(words, a.Addr().String()) {
			wrong = append(wrong, "this host: "+rival(a.Addr()))
		}
	}
	if err := l.apply(change{remove: true, prefix: netip.MustParsePrefix("192.0.2.1/32"), link: from}); err != nil {
		wrong = append(wrong, "this host: "+err.Error())
	}
	on, err := net.InterfaceByName(from)
	if err != nil {
		return wrong // told already
	}
	conn, err := packet.Listen(on, packet.Raw, 0, nil)
	if err != nil {
		return append(wrong, "this host: open packet socket: "+advise(err).Error())
	}
	_ = conn.Close()
	return wrong
}
