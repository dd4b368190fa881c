package plan

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"mpp"
	"mpp/gtid"
)

// standing is a node with what the order of succession goes by.
type standing struct {
	node  *Node
	index int // in pool order
	has   gtid.Set
	lacks gtid.Set // of all that is known
	why   string   // why it may not be promoted, "" when it may
}

// Rank puts the nodes other than old in the order of succession. positions are what is known of
// a node beyond its last poll; excluded names nodes that were tried, with the reason.
//
// The order is strict: the more complete copy first (by GTID; copies that diverged are never
// ranked), then one whose host can have the virtual address, one that is not delayed on purpose, PRIMARY before SECONDARY, the higher prefer, the older version (a newer replica
// can follow an older source, not the other way round), ROW before MIXED before STATEMENT, the
// smaller lag, and the configured order.
func Rank(f *Facts, old string, positions map[string]mpp.Position, excluded map[string]string) []mpp.Candidate {
	list, _ := rank(f, old, positions, excluded)
	return list
}

// rank is Rank, with the set of everything that any of the nodes has.
func rank(f *Facts, old string, positions map[string]mpp.Position, excluded map[string]string) ([]mpp.Candidate, gtid.Set) {
	all, union := standings(f, old, positions, excluded)
	list := make([]mpp.Candidate, 0, len(all))
	for _, s := range all {
		list = append(list, s.candidate(len(list)+1))
	}
	return list, union
}

// standings puts the nodes in order.
func standings(f *Facts, old string, positions map[string]mpp.Position, excluded map[string]string) (all []*standing, union gtid.Set) {
	for i := range f.Nodes {
		n := &f.Nodes[i]
		if n.Address == old {
			continue
		}
		s := &standing{node: n, index: i, why: firstReason(excluded[n.Address], n.Barred, promotableSettings(n), errantReason(n), n.keptBack(f.Policy.ApplyTimeout))}
		p, read := positions[n.Address]
		if !read {
			p = n.position()
		}
		var err error
		if s.has, err = whole(n.flavour(), p); err != nil {
			s.why = firstReason(s.why, "its position cannot be read: "+err.Error())
		} else if n.heard() && errantReason(n) == "" {
			union = union.Union(s.has)
		}
		all = append(all, s)
	}
	for _, s := range all {
		s.lacks = union.Minus(s.has)
	}
	slices.SortFunc(all, precedes)
	return all, union
}

// Withheld is what nodes that have transactions of their own have besides those, and no other node has. It is
// as real as what anybody has, and cannot be had from them: their own transactions would come with it.
func Withheld(f *Facts, old string) (gtid.Set, []string) { return withheld(f, old, nil) }

func withheld(f *Facts, old string, positions map[string]mpp.Position) (set gtid.Set, who []string) {
	_, all := rank(f, old, positions, nil)
	for i := range f.Nodes {
		n := &f.Nodes[i]
		if n.Address == old || n.Errant == "" || !n.heard() {
			continue
		}
		p, read := positions[n.Address]
		if !read {
			p = n.position()
		}
		if more := n.foreign(p).Minus(all); !more.IsEmpty() {
			set, who = set.Union(more), append(who, n.Address)
		}
	}
	return set, who
}

// foreign is what a node at p has that it did not write itself, as far as that can be told. On MariaDB, where a
// transaction of its own may have the number of another one, that is what it has received.
func (n *Node) foreign(p mpp.Position) gtid.Set {
	own, err := gtid.Parse(n.flavour(), n.Errant)
	if all, bad := whole(n.flavour(), p); err == nil && bad == nil && n.flavour() != mariadb {
		return all.Minus(own)
	}
	received, _ := gtid.Parse(n.flavour(), p.Received) // what cannot be read is not known
	return received
}

func firstReason(reasons ...string) string {
	for _, r := range reasons {
		if r != "" {
			return r
		}
	}
	return ""
}

func errantReason(n *Node) string {
	if n.Errant == "" {
		return ""
	}
	return "it has transactions that no other node has: " + n.Errant
}

// promotableSettings says which setting keeps a server from being a source, "" for none.
func promotableSettings(n *Node) string {
	s := n.settings()
	switch {
	case s == nil:
		return ""
	case !s.LogBin:
		return "it has no binary log (log_bin): nobody could replicate from it"
	case !s.LogReplicaUpdates:
		return "what it replicates is not in its binary log (log_slave_updates, log_replica_updates)"
	case !s.GTID && n.flavour() == "mysql":
		return "it has no GTIDs (gtid_mode, enforce_gtid_consistency)"
	default:
		return ""
	}
}

// candidate shows the standing.
func (s *standing) candidate(rank int) mpp.Candidate {
	c := mpp.Candidate{Address: s.node.Address, Rank: rank, Why: s.why}
	if s.why != "" {
		c.Rank = 0
		return c
	}
	c.Why = "complete: nobody has more"
	if !s.lacks.IsEmpty() {
		c.Missing = s.lacks.String()
		c.Why = fmt.Sprintf("%d transactions behind the most complete copy", s.lacks.Count())
	}
	return c
}

// precedes is the order of succession: negative when a comes before b. Those that may not be
// promoted come last.
func precedes(a, b *standing) int {
	if barred := cmp.Compare(btoi(a.why != ""), btoi(b.why != "")); barred != 0 {
		return barred
	}
	if a.why == "" {
		if complete := cmp.Compare(a.lacks.Count(), b.lacks.Count()); complete != 0 {
			return complete
		}
	}
	return prefers(a, b)
}

// prefers is the order among copies that are equally complete.
func prefers(a, b *standing) int {
	return cmp.Or(
		cmp.Compare(btoi(a.node.NoAddress != ""), btoi(b.node.NoAddress != "")),
		cmp.Compare(btoi(a.node.delayed()), btoi(b.node.delayed())),
		cmp.Compare(typeRank(a.node), typeRank(b.node)),
		cmp.Compare(b.node.Prefer, a.node.Prefer),
		compareVersions(a.node, b.node),
		cmp.Compare(formatRank(a.node), formatRank(b.node)),
		cmp.Compare(a.node.lag(), b.node.lag()),
		cmp.Compare(a.index, b.index),
	)
}

func btoi(b bool) int {
	if b {
		return 1
	}
	return 0
}

func typeRank(n *Node) int { return btoi(n.Type != mpp.Primary) }

// formatRank puts the safer format first; one that is not known comes last.
func formatRank(n *Node) int {
	formats := []string{"ROW", "MIXED", "STATEMENT"}
	if s := n.settings(); s != nil {
		if i := slices.Index(formats, strings.ToUpper(s.BinlogFormat)); i >= 0 {
			return i
		}
	}
	return len(formats)
}

// compareVersions compares release series, such as 10.11 and 11.8; an unknown one comes last.
func compareVersions(a, b *Node) int {
	x, y := series(a), series(b)
	if x == nil || y == nil {
		return cmp.Compare(btoi(x == nil), btoi(y == nil))
	}
	return slices.Compare(x, y)
}

// series is the first two numbers of the node's version, nil when it is not known.
func series(n *Node) []int {
	if n == nil || n.Observation == nil {
		return nil
	}
	major, rest, _ := strings.Cut(n.Observation.Server.Version, ".")
	minor, _, _ := strings.Cut(rest, ".")
	x, err := strconv.Atoi(major)
	if err != nil {
		return nil
	}
	y, err := strconv.Atoi(minor)
	if err != nil {
		return nil
	}
	return []int{x, y}
}
