package config

import (
	"fmt"
	"net/netip"
	"slices"
	"strings"

	"mpp"
)

// judgeVIP judges the virtual address of a pool with an engine.
func (p *Pool) judgeVIP(s scope) {
	if !s.fine("vip.kind") {
		return
	}
	v := &p.VIP
	unused := func(paths ...string) {
		for _, path := range paths {
			if s.nearness(path) == 2 {
				s.warn(path, fmt.Sprintf("it is not used with kind = %q", v.Kind), "take it out, or write another kind")
			}
		}
	}
	switch v.Kind {
	case VIPNone:
		unused("vip.addresses", "vip.interface", "vip.program", "vip.watch_interval", "vip.announce_for", "vip.timeout")
	case VIPMetal:
		unused("vip.program")
		p.judgeMetal(s)
	case VIPExec:
		unused("vip.interface", "vip.announce_for")
		switch {
		case !s.fine("vip.program"):
		case v.Program == "":
			s.fault("vip.kind", faultf("write program = ... beside it", "kind = %q needs a program", v.Kind))
		default:
			s.fault("vip.program", s.program(v.Program))
		}
	}
}

// judgeMetal sees to it that the addresses can be put on every node's host.
func (p *Pool) judgeMetal(s scope) {
	if s.fine("vip.addresses") && len(p.VIP.Addresses) == 0 {
		s.fault("vip.kind", faultf(`write addresses = ["10.0.0.100/32"] beside it`, "kind = %q needs addresses", VIPMetal))
	}
	p.judgeEach(s, lacking{
		path: "vip.interface", own: "interface",
		is: func(n *Node) bool { return n.Interface == "" && !n.at["interface"].bad },
		all: faultf(`write interface = "eth0" in [pool.vip], or for each node`,
			"kind = %q needs the interface that gets the address", VIPMetal),
		one: faultf(`write interface = "eth0" in [pool.vip], or for the node`, "nothing says which interface gets the virtual address"),
	})
	p.judgeEach(s, lacking{
		path: "ssh", own: "ssh",
		is: (*Node).outOfReach,
		all: faultf("write key_file and known_hosts in [pool.ssh], or local = true for a node on this host",
			"kind = %q needs a way to the nodes' hosts", VIPMetal),
		one: faultf("write ssh = { key_file = ..., known_hosts = ... }, or ssh = { local = true } if it is this host",
			"nothing says how to reach its host, which the virtual address needs"),
	})
	p.judgeHosts(s)
}

// lacking is something that nodes lack.
type lacking struct {
	// path is the pool's key, own the node's.
	path, own string
	is        func(*Node) bool
	// all is said when every node lacks it, one of each that does otherwise.
	all, one *fault
}

// judgeEach says of which nodes something is true, or that it is true of all.
func (p *Pool) judgeEach(s scope, l lacking) {
	var found []*Node
	for i := range p.Nodes {
		if l.is(&p.Nodes[i]) {
			found = append(found, &p.Nodes[i])
		}
	}
	if len(found) > 0 && len(found) == len(p.Nodes) {
		s.fault(l.path, l.all)
		return
	}
	for _, n := range found {
		p.scopeOf(s, n).fault(l.own, l.one)
	}
}

// judgeHosts refuses two nodes on one host: the address would be taken from the ACTIVE node with
// what is taken from the other, and put back, and so on.
func (p *Pool) judgeHosts(s scope) {
	owner := map[string]*Node{}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		host := "this host"
		if !n.SSH.Local {
			host = fmt.Sprintf("%s, port %d", n.SSH.Host, n.SSH.Port)
		}
		if first := owner[host]; first != nil {
			p.scopeOf(s, n).fault("ssh", faultf(`give each node a host of its own, or set vip.kind = "none"`,
				"node %s is on the same host (%s): the virtual address could not tell them apart", first.Address, host))
			continue
		}
		owner[host] = n
	}
}

// judgeAddresses refuses a virtual address that belongs to two pools, or is the address of a
// node's host.
func (c *Config) judgeAddresses(j *judge) {
	hosts := c.hosts()
	owner := map[netip.Addr]string{}
	for i := range c.Pools {
		p := &c.Pools[i]
		s := newScope(j, p.at, p.pos.or("pool."+p.Name))
		if p.Engine == mpp.EngineNone || p.VIP.Kind == VIPNone || !s.fine("vip.addresses") {
			continue
		}
		for _, a := range p.VIP.Addresses {
			ip := a.Addr()
			if node := hosts[ip]; node != "" {
				s.fault("vip.addresses", faultf("name an address that no host has for itself", "%s is the address of node %s: where it is taken off, the host is cut off", ip, node))
			}
			if other, taken := owner[ip]; taken && other != p.Name {
				s.fault("vip.addresses", faultf("give each pool addresses of its own", "%s belongs to pool %q already", ip, other))
			}
			owner[ip] = p.Name
		}
	}
}

// hosts are the nodes by the addresses of their hosts.
func (c *Config) hosts() map[netip.Addr]string {
	nodes := map[netip.Addr]string{}
	for i := range c.Pools {
		for k := range c.Pools[i].Nodes {
			n := &c.Pools[i].Nodes[k]
			for _, host := range []string{hostOf(n.Address), n.SSH.Host} {
				if ip, err := netip.ParseAddr(host); err == nil {
					nodes[ip] = n.Address
				}
			}
		}
	}
	return nodes
}

// halfSSH reports whether one of the two files of ssh is named and not the other.
func (n *Node) halfSSH() bool { return (n.SSH.KeyFile == "") != (n.SSH.KnownHosts == "") }

// judgeSSH judges how a node's host is reached.
func (n *Node) judgeSSH(s scope) {
	h := &n.SSH
	if !s.fineAll("ssh") {
		return
	}
	switch {
	case h.Local && s.nearness("ssh.host") == 2:
		s.warn("ssh.host", "it is not used: the node is on this host by local = true", "keep one of the two")
	case h.Local:
	case h.KeyFile == "" && h.KnownHosts == "":
	case h.KnownHosts == "":
		s.fault("ssh.key_file", faultf("write known_hosts = ... beside it", "a key needs known_hosts: MPP logs in to no host that it does not know"))
	case h.KeyFile == "":
		s.fault("ssh.known_hosts", faultf("write key_file = ... beside it", "known_hosts needs a key to log in with"))
	}
	s.fault("ssh.key_file", s.once("key "+h.KeyFile, func() *fault { return keyFault(h.KeyFile) }))
	s.fault("ssh.known_hosts", s.once("hosts "+h.KnownHosts, func() *fault { return knownFault(h.KnownHosts) }))
}

// judgeHooks judges the hooks.
func (p *Pool) judgeHooks(s scope, rows []row[Hook]) {
	names := map[string]Origin{}
	for i := range p.Hooks {
		h := &p.Hooks[i]
		inner := newScope(s.judge, h.at, h.pos.or(s.pos.Key+".hook."+h.Name))
		checkRows(inner, rows, h)
		if inner.fine("program") {
			inner.fault("program", s.program(h.Program))
		}
		if inner.fine("phases") && len(h.Phases) == 0 {
			inner.fault("phases", faultf("write phases = [...] with some of "+wordOf(nil, phases()...).list(), "nothing says when it is run"))
		}
		early := func(phase string) bool { return strings.HasPrefix(phase, "before-") }
		if h.OnError == OnErrorAbort && inner.fine("phases", "on_error") && !slices.ContainsFunc(h.Phases, early) {
			inner.warn("on_error", "it has no effect: in these phases there is nothing left to abort", `write on_error = "continue"`)
		}
		if before, twice := names[h.Name]; twice && h.Name != "" && inner.fine("name") {
			inner.fault("name", faultf("give each hook a name of its own", "hook %q is already there in %s", h.Name, before))
		}
		names[h.Name] = inner.at("name")
	}
}
