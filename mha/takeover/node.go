package takeover

import (
	"cmp"
	"fmt"
	"net"
	"net/netip"
	"strconv"
	"strings"

	"mpp/mha/conf"
	"mpp/mha/helperconf"
)

// candidatePrefer is the prefer of a candidate_master.
const candidatePrefer = 10

func join(host, port string) string { return net.JoinHostPort(strings.Trim(host, "[]"), port) }

// address is a server's host:port.
func address(s *conf.Server) string {
	return join(cmp.Or(s.IP, s.Hostname), strconv.Itoa(s.Port))
}

// nodes writes the nodes in MHA's order.
func (b *builder) nodes() {
	names := b.nodeNames()
	for i := range b.conf.Servers {
		b.node(i, names[i])
	}
	b.carry("hostname", "ip", "port", "node_label", "candidate_master", "no_master")
}

func (b *builder) node(i int, name string) {
	s := &b.conf.Servers[i]
	var notes []string
	if s.NodeLabel != "" && s.NodeLabel != name {
		notes = append(notes, s.NodeLabel)
	}
	b.table("[[pool.node]]", notes...)
	if name != "" {
		b.key("name", quote(name), "")
	}
	b.key("address", quote(address(s)), fmt.Sprintf("[%s], %s", s.Block, short(s.At)))
	if i == b.primary {
		b.key("type", quote("PRIMARY"), b.why(s)+": MHA's files name no master, MPP finds the writer by itself")
	}
	if s.CandidateMaster {
		b.key("prefer", strconv.Itoa(candidatePrefer), own(s, "candidate_master"))
	}
	if s.NoMaster {
		b.key("no_promote", "true", own(s, "no_master"))
	}
	if b.helper != nil {
		h := b.hostOf(s)
		if h.VIPType == helperconf.VIPMetal && h.Interface != b.helper.Default.Interface {
			at, _ := h.From(helperconf.KeyInterface)
			b.key("interface", quote(h.Interface), helperconf.KeyInterface+", "+short(at))
		}
	}
	if pairs := b.nodeSSH(s); len(pairs) > 0 {
		b.key("ssh", inline(pairs), "")
	}
	if pairs := b.nodeAccount(s, cmp.Or(name, s.Block)); len(pairs) > 0 {
		b.key("account", inline(pairs), own(s, "user"))
	}
}

// why says why a server is the PRIMARY.
func (b *builder) why(s *conf.Server) string {
	if s.CandidateMaster {
		return "the first candidate_master"
	}
	return "the first server"
}

// own says where a server's parameter stands, for a comment.
func own(s *conf.Server, name string) string {
	if at, set := s.From(name); set {
		return name + ", " + short(at)
	}
	return ""
}

// nodeNames are the names for people: the hostname, or the label where that is an address; none
// where it would be another node's.
func (b *builder) nodeNames() []string {
	servers := b.conf.Servers
	names := make([]string, len(servers))
	taken := map[string]int{}
	for i := range servers {
		s := &servers[i]
		name := s.Hostname
		if _, err := netip.ParseAddr(name); err == nil {
			name = s.NodeLabel
		}
		if goodName(name) {
			names[i] = name
			taken[strings.ToLower(name)]++
		}
	}
	for i, name := range names {
		if name == "" || taken[strings.ToLower(name)] > 1 || b.calledSo(i, name) {
			names[i] = ""
		}
	}
	return names
}

// calledSo reports whether another node is called by a name, too: by its host, or the first part
// of it.
func (b *builder) calledSo(i int, name string) bool {
	name = strings.ToLower(name)
	for k := range b.conf.Servers {
		host := strings.ToLower(cmp.Or(b.conf.Servers[k].IP, b.conf.Servers[k].Hostname))
		first, _, _ := strings.Cut(host, ".")
		if _, err := netip.ParseAddr(host); err == nil {
			first = host
		}
		if k != i && (name == host || name == first) {
			return true
		}
	}
	return false
}
