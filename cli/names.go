package cli

import (
	"net"
	"slices"
	"strings"

	"mpp"
)

// found is what a name on the command line stands for: a pool, or a node of it.
type found struct {
	pool *mpp.PoolView
	// node is nil when the name is a pool's.
	node *mpp.NodeView
}

func (f found) address() string {
	if f.node == nil {
		return ""
	}
	return f.node.Address
}

func poolNames(v *mpp.View) []string {
	names := make([]string, 0, len(v.Pools))
	for i := range v.Pools {
		names = append(names, v.Pools[i].Name)
	}
	return names
}

// poolOf finds a pool by its exact name.
func poolOf(v *mpp.View, name string) (*mpp.PoolView, error) {
	for i := range v.Pools {
		if v.Pools[i].Name == name {
			return &v.Pools[i], nil
		}
	}
	names := poolNames(v)
	if near := nearest(name, names); near != "" {
		return nil, usagef("did you mean "+near+"?", "there is no pool %q", name)
	}
	return nil, usagef(listed("the pools are", names), "there is no pool %q", name)
}

// listed writes a bounded list of names for a hint.
func listed(lead string, names []string) string {
	const most = 8
	if len(names) == 0 {
		return "the daemon has none"
	}
	if len(names) > most {
		return lead + " " + strings.Join(names[:most], ", ") + " and others (mpp status)"
	}
	return lead + " " + strings.Join(names, ", ")
}

// hostOf returns the host of an address without port and brackets.
func hostOf(address string) string {
	host, _, err := net.SplitHostPort(address)
	if err != nil {
		return strings.Trim(address, "[]")
	}
	return host
}

// labelOf returns the first part of a host name, "" for an IP address.
func labelOf(host string) string {
	if net.ParseIP(host) != nil {
		return ""
	}
	label, _, _ := strings.Cut(host, ".")
	return label
}

// way is one way to name a node.
type way func(n *mpp.NodeView) bool

// ways are the ways in which name may name a node, strictest first: the first that any node
// answers to decides, and must name one node only.
func ways(name string) []way {
	bare := strings.Trim(name, "[]")
	return []way{
		func(n *mpp.NodeView) bool { return strings.EqualFold(n.Address, name) },
		func(n *mpp.NodeView) bool { return n.Name != "" && n.Name == name },
		func(n *mpp.NodeView) bool { return strings.EqualFold(hostOf(n.Address), bare) },
		func(n *mpp.NodeView) bool { return strings.EqualFold(labelOf(hostOf(n.Address)), name) },
		func(n *mpp.NodeView) bool {
			return startsWith(n.Address, name) || startsWith(n.Name, name)
		},
	}
}

func startsWith(s, prefix string) bool {
	return len(s) >= len(prefix) && strings.EqualFold(s[:len(prefix)], prefix)
}

// nodeHits returns the nodes that answer to name in the first of the ways that any does.
func nodeHits(v *mpp.View, by []way) []found {
	for _, answers := range by {
		var hits []found
		for i := range v.Pools {
			p := &v.Pools[i]
			for j := range p.Nodes {
				if answers(&p.Nodes[j]) {
					hits = append(hits, found{pool: p, node: &p.Nodes[j]})
				}
			}
		}
		if len(hits) > 0 {
			return hits
		}
	}
	return nil
}

// nodeOf finds a node by full address, label, host, first part of the host name, or unique
// prefix.
func nodeOf(v *mpp.View, name string) (found, error) {
	if name == "" {
		return found{}, usagef("mpp nodes lists them", "a node's name is empty")
	}
	hits := nodeHits(v, ways(name))
	switch len(hits) {
	case 0:
		return found{}, noNode(v, name)
	case 1:
		return hits[0], nil
	default:
		return found{}, ambiguous(name, hits)
	}
}

func ambiguous(name string, hits []found) error {
	names := make([]string, 0, len(hits))
	for _, hit := range hits {
		names = append(names, hit.node.Address+" (pool "+hit.pool.Name+")")
	}
	return usagef(listed("it may be", names), "%q names %d nodes", name, len(hits))
}

// nodeNames are the ways to write each node, for suggestions.
func nodeNames(v *mpp.View) []string {
	var names []string
	for i := range v.Pools {
		for j := range v.Pools[i].Nodes {
			n := &v.Pools[i].Nodes[j]
			host := hostOf(n.Address)
			for _, s := range []string{n.Name, labelOf(host), host, n.Address} {
				if s != "" {
					names = append(names, s)
				}
			}
		}
	}
	return names
}

func noNode(v *mpp.View, name string) error {
	hint := "mpp nodes lists them"
	if near := nearest(name, nodeNames(v)); near != "" {
		hint = "did you mean " + near + "?"
	}
	if slices.Contains(poolNames(v), name) {
		hint = name + " is a pool; this wants one of its nodes"
	}
	return usagef(hint, "there is no node %q", name)
}

// poolOrNode finds either: a pool by its exact name, or a node. A name that is a pool's and
// also a node's is an error: a command must not guess.
func poolOrNode(v *mpp.View, name string) (found, error) {
	all := ways(name)
	if pool, err := poolOf(v, name); err == nil {
		if hits := nodeHits(v, all[:len(all)-1]); len(hits) > 0 { // a mere prefix is no clash
			return found{}, usagef("write "+hits[0].address()+" for the node, or --pool "+name+" for the pool",
				"%q names a pool and a node", name)
		}
		return found{pool: pool}, nil
	}
	hits := nodeHits(v, all)
	switch len(hits) {
	case 1:
		return hits[0], nil
	case 0:
		hint := "mpp status lists the pools, mpp nodes the nodes"
		if near := nearest(name, append(poolNames(v), nodeNames(v)...)); near != "" {
			hint = "did you mean " + near + "?"
		}
		return found{}, usagef(hint, "there is no pool or node %q", name)
	default:
		return found{}, ambiguous(name, hits)
	}
}
