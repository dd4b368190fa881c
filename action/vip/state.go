package vip

import (
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
)

// state is what one look at a host's network found.
type state struct {
	links []link
	held  []held
	// announcers are the programs there that can announce; for this host itself, this one.
	announcers []string
}

// link is an interface.
type link struct {
	name string
	mac  net.HardwareAddr
	// up: it is on, and has a carrier.
	up bool
}

// held is an address that a host has.
type held struct {
	link   string
	prefix netip.Prefix
	// secondary: it goes when the first address of its subnet goes. deprecated: it is nobody's
	// source address. unsure: the kernel looks for duplicates of it, or has found one.
	secondary, deprecated, unsure bool
}

// link returns the interface of a name.
func (s *state) link(name string) (link, error) {
	var names []string
	for _, l := range s.links {
		if l.name == name {
			return l, nil
		}
		names = append(names, l.name)
	}
	return link{}, fmt.Errorf("there is no interface %s (but %s)", name, strings.Join(names, ", "))
}

// has returns the addresses among those wanted that the host has, on whatever interface and with
// whatever prefix.
func (s *state) has(wanted []netip.Prefix) []held {
	var all []held
	for _, h := range s.held {
		if slices.ContainsFunc(wanted, func(p netip.Prefix) bool { return p.Addr() == h.prefix.Addr() }) {
			all = append(all, h)
		}
	}
	return all
}

// right reports whether a held address is as MPP puts it. IPv6 must be deprecated: replication
// would take it as its source address otherwise, and lose its connection at the next move.
func right(h held, wanted netip.Prefix, on string) bool {
	return h.link == on && h.prefix == wanted && !h.unsure && (h.deprecated || wanted.Addr().Is4())
}

// change is one thing to do to a host's addresses.
type change struct {
	// remove takes the address off; otherwise it is put on, or put right.
	remove bool
	prefix netip.Prefix
	link   string
	// reset says that connections to the address are reset before it goes: afterwards nothing from this host
	// reaches their clients, which would wait for an answer until their own time limits.
	reset bool
	// keepOthers: the kernel would take other addresses of the subnet off with this one, unless
	// it is told to promote one of them.
	keepOthers bool
}

// toAdd lists what is to be done until the host has the wanted addresses on one interface, and
// only there.
func (s *state) toAdd(wanted []netip.Prefix, on string) []change {
	var before, put, after []change
	for _, w := range wanted {
		found := false
		for _, h := range s.has([]netip.Prefix{w}) {
			switch {
			case right(h, w, on):
				found = true
			case h.link == on && h.prefix == w && !h.unsure: // to be put right as it is
			case h.link == on && (h.prefix == w || w.Addr().Is6()):
				// IPv6 takes an address only once on an interface, and what is unsure stays so.
				before = append(before, s.removal(h))
			default:
				after = append(after, s.removal(h))
			}
		}
		if !found {
			put = append(put, change{prefix: w, link: on})
		}
	}
	return slices.Concat(before, put, after)
}

// toRemove lists what is to be done until the host has none of the addresses anywhere.
func (s *state) toRemove(wanted []netip.Prefix) []change {
	var all []change
	for _, h := range s.has(wanted) {
		all = append(all, s.removal(h))
	}
	return all
}

// removal is how a held address is taken off without taking others of its subnet with it.
func (s *state) removal(h held) change {
	c := change{remove: true, prefix: h.prefix, link: h.link}
	if h.secondary || h.prefix.Addr().Is6() {
		return c
	}
	c.keepOthers = slices.ContainsFunc(s.held, func(o held) bool {
		return o.link == h.link && o.secondary && o.prefix.Bits() == h.prefix.Bits() && h.prefix.Contains(o.prefix.Addr())
	})
	return c
}

// optimistic lists what is to be done on a host that was not looked at: nothing that would harm.
func optimistic(remove bool, wanted []netip.Prefix, on string) []change {
	var all []change
	for _, w := range wanted {
		all = append(all, change{remove: remove, prefix: w, link: on})
	}
	return all
}

// resetting are changes that let clients notice.
func resetting(all []change) []change {
	for i := range all {
		all[i].reset = all[i].remove
	}
	return all
}

// parseIP reads what `ip addr show` prints.
func parseIP(text string) state {
	var s state
	for line := range strings.Lines(text) {
		words := strings.Fields(line)
		switch {
		case len(words) < 2:
		case line[0] != ' ' && line[0] != '\t':
			s.links = append(s.links, parseLink(words))
		case len(s.links) == 0:
		case strings.HasPrefix(words[0], "link/"):
			if mac, err := net.ParseMAC(words[1]); err == nil {
				s.links[len(s.links)-1].mac = mac
			}
		case words[0] == "inet" || words[0] == "inet6":
			if h, ok := parseHeld(words); ok {
				h.link = s.links[len(s.links)-1].name
				s.held = append(s.held, h)
			}
		}
	}
	return s
}

// parseLink reads a line such as
// 2: eth0@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP.
func parseLink(words []string) link {
	name, _, _ := strings.Cut(strings.TrimSuffix(words[1], ":"), "@")
	l := link{name: name}
	if len(words) > 2 {
		flags := strings.Split(strings.Trim(words[2], "<>"), ",")
		l.up = slices.Contains(flags, "UP") && !slices.Contains(flags, "NO-CARRIER")
	}
	return l
}

// parseHeld reads a line such as
// inet 10.0.0.100/32 scope global secondary eth0.
func parseHeld(words []string) (held, bool) {
	prefix, err := netip.ParsePrefix(words[1])
	if err != nil { // point to point: without a prefix
		address, err := netip.ParseAddr(words[1])
		if err != nil {
			return held{}, false
		}
		prefix = netip.PrefixFrom(address, address.BitLen())
	}
	rest := words[2:]
	return held{
		prefix: prefix, secondary: slices.Contains(rest, "secondary"), deprecated: slices.Contains(rest, "deprecated"),
		unsure: slices.Contains(rest, "tentative") || slices.Contains(rest, "dadfailed"),
	}, true
}
