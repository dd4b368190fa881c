package config

import (
	"cmp"
	"crypto/tls"
	"crypto/x509"
	"fmt"
	"net"
	"strings"

	"mpp"
)

// nodeSeen is where a node was met first.
type nodeSeen struct {
	pool string
	at   Origin
}

// judgeNodes judges the nodes of a pool; known holds those of all pools by address.
func (p *Pool) judgeNodes(s scope, rows judgedRows, known map[string]nodeSeen) {
	if len(p.Nodes) == 0 {
		if !s.fine("node") {
			return
		}
		s.fault("node", faultf(`write a [[pool.node]] with an address for each server`, "the pool has no nodes"))
		return
	}
	names := map[string]Origin{}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		inner := newScope(s.judge, n.at, n.pos.or(s.pos.Key+".node."+n.Address))
		if n.Address == "" && !n.at.has("address") {
			inner.fault("address", faultf(`write address = "host:port"`, "the node has no address"))
		}
		checkRows(inner, rows.node, n)
		n.judge(inner)
		if before, twice := known[n.Address]; twice && inner.fine("address") {
			inner.fault("address", twiceFault(n.Address, p.Name, before))
		} else if !twice {
			known[n.Address] = nodeSeen{p.Name, inner.at("address")}
		}
		if before, twice := names[n.Name]; twice && n.Name != "" {
			inner.fault("name", faultf("give each node a name of its own, or none", "node %q is already there in %s", n.Name, before))
		}
		names[n.Name] = inner.at("name")
	}
	p.judgeTypes(s)
}

// judgeLabels refuses a label that is the address or host of another node, or the first part of
// its host name in the same pool: a command to one would reach the other.
func (c *Config) judgeLabels(j *judge) {
	owner := map[string]*Node{}
	for i := range c.Pools {
		for k := range c.Pools[i].Nodes {
			n := &c.Pools[i].Nodes[k]
			for _, name := range calledIn(c.Pools[i].Name, n) {
				owner[name] = n
			}
		}
	}
	for i := range c.Pools {
		p := &c.Pools[i]
		for k := range p.Nodes {
			n := &p.Nodes[k]
			name := strings.ToLower(n.Name)
			other := cmp.Or(owner[name], owner[p.Name+"/"+name])
			if name == "" || other == nil || other == n || owner[strings.ToLower(n.Address)] != n {
				continue
			}
			s := newScope(j, n.at, n.pos.or("pool."+p.Name+".node."+n.Address))
			s.fault("name", faultf("choose another name", "%q is also how node %s is called: a command to one would reach the other", n.Name, other.Address))
		}
	}
}

// judgeTrackFiles refuses two nodes whose track files would be one: it can be right for one of
// them only.
func (c *Config) judgeTrackFiles(j *judge) {
	if c.TrackFiles.Dir == "" {
		return
	}
	owner := map[string]*Node{}
	for i := range c.Pools {
		p := &c.Pools[i]
		for k := range p.Nodes {
			n := &p.Nodes[k]
			file := mpp.TrackFile(p.Name, n.Address)
			other := owner[file]
			owner[file] = n
			if other == nil || other.Address == n.Address {
				continue // a node that is there twice is told elsewhere
			}
			s := newScope(j, n.at, n.pos.or("pool."+p.Name+".node."+n.Address))
			s.fault("address", faultf("rename one of the pools, or do without track_files", "its track file %s.* would be that of node %s too", file, other.Address))
		}
	}
}

// calledIn lists what else a node is called: its address and host, and in its pool the first
// part of its host name.
func calledIn(pool string, n *Node) []string {
	address := strings.ToLower(n.Address)
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return nil
	}
	names := []string{address, host}
	if short, _, more := strings.Cut(host, "."); more && net.ParseIP(host) == nil {
		names = append(names, pool+"/"+short)
	}
	return names
}

func twiceFault(address, pool string, before nodeSeen) *fault {
	if before.pool == pool {
		return faultf("take one of the two out", "node %s is already in this pool, in %s", address, before.at)
	}
	return faultf("take it out of one of the two pools", "node %s is already in pool %q, in %s", address, before.pool, before.at)
}

// judgeTypes counts the PRIMARY nodes.
func (p *Pool) judgeTypes(s scope) {
	var primary *Node
	eligible := 0
	for i := range p.Nodes {
		n := &p.Nodes[i]
		inner := newScope(s.judge, n.at, n.pos.or(s.pos.Key+".node."+n.Address))
		if !inner.fine("type") {
			return // it may have been meant to be the PRIMARY
		}
		if !n.NoPromote {
			eligible++
		}
		if n.Type != mpp.Primary {
			continue
		}
		if primary != nil {
			inner.fault("type", faultf(`leave it PRIMARY on one node and write type = "SECONDARY" on the other`, "the pool has two PRIMARY nodes: %s and %s", primary.Address, n.Address))
			continue
		}
		primary = n
		if n.NoPromote && p.Logic == mpp.LogicFailover {
			inner.fault("no_promote", faultf(`mark another node PRIMARY, or take no_promote out`, "the PRIMARY cannot be no_promote: the pool would never have a writer"))
		}
	}
	switch {
	case p.Logic != mpp.LogicFailover || !s.fine("logic"):
	case primary == nil:
		s.fault("node", faultf(`write type = "PRIMARY" on the node that is to be the writer when all are well`, "the pool has no PRIMARY"))
	case len(p.Nodes) == 1:
		s.warn("node", "the pool has one node: nothing can take over from it", "add a second [[pool.node]]")
	case eligible == 1:
		s.warn("node", "every SECONDARY is no_promote: nothing can take over from the PRIMARY", "take no_promote out where you can")
	}
}

// judge judges what belongs to one node alone.
func (n *Node) judge(s scope) {
	if s.fine("extra_port", "address") && n.ExtraPort != 0 && strings.HasSuffix(n.Address, fmt.Sprintf(":%d", n.ExtraPort)) {
		s.fault("extra_port", faultf("write the server's extra_port, or 0", "%d is the node's main port", n.ExtraPort))
	}
	n.Account.judge(s, "account")
	n.judgeTLS(s)
	n.judgeSSH(s)
}

// judgeSources says that a pool's nodes have no password source, once for all of them.
func (p *Pool) judgeSources(s scope) {
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if len(n.Account.sources()) == 0 && newScope(s.judge, n.at, n.pos).fineAll("account") {
			s.fault("account", faultf("write [pool.account] or [defaults.account] with password_file, password_env, defaults_file or no_password = true", "nothing says where the password is"))
			return
		}
	}
}

// fineAll reports whether no key of a table is bad.
func (s scope) fineAll(table string) bool {
	for path := range s.bad {
		if strings.HasPrefix(path, table+".") {
			return false
		}
	}
	return true
}

// pairFault is what is wrong with the files of a TLS section, and in which key.
type pairFault struct {
	path  string
	fault *fault
}

func (n *Node) judgeTLS(s scope) {
	t := n.TLS
	verifies := t.Mode == TLSVerifyCA || t.Mode == TLSVerifyIdentity
	switch {
	case !s.fine("tls.mode"):
	case t.CA != "" && !verifies:
		s.warn("tls.ca", fmt.Sprintf("it is not used: mode = %q verifies nothing", t.Mode), `write mode = "verify_ca" or "verify_identity"`)
	case t.ServerName != "" && t.Mode != TLSVerifyIdentity:
		s.warn("tls.server_name", fmt.Sprintf("it is not used with mode = %q", t.Mode), `write mode = "verify_identity"`)
	}
	if !s.fineAll("tls") {
		return
	}
	t.ServerName = ""
	if s.pairs[t] == nil {
		s.pairs[t] = t.lookAt()
	}
	s.fault(s.pairs[t].path, s.pairs[t].fault)
}

// lookAt reads the files of a TLS section.
func (t TLS) lookAt() *pairFault {
	switch {
	case t.Cert != "" && t.Key == "":
		return &pairFault{"tls.cert", faultf("write key = ... beside it", "a certificate needs its key")}
	case t.Key != "" && t.Cert == "":
		return &pairFault{"tls.key", faultf("write cert = ... beside it", "a key needs its certificate")}
	}
	if t.CA != "" {
		pem, f := readRegular(t.CA)
		if f == nil && !x509.NewCertPool().AppendCertsFromPEM([]byte(pem)) {
			f = faultf("name a PEM file", "%s holds no certificate", t.CA)
		}
		if f != nil {
			return &pairFault{"tls.ca", f}
		}
	}
	if t.Cert == "" {
		return &pairFault{}
	}
	cert, f := readRegular(t.Cert)
	if f != nil {
		return &pairFault{"tls.cert", f}
	}
	key, f := readPrivate(t.Key)
	if f != nil {
		return &pairFault{"tls.key", f}
	}
	if _, err := tls.X509KeyPair([]byte(cert), []byte(key)); err != nil {
		return &pairFault{"tls.cert", faultf("name PEM files that belong together", "certificate %s and key %s do not work: %s", t.Cert, t.Key, strings.TrimPrefix(err.Error(), "tls: "))}
	}
	return &pairFault{}
}
