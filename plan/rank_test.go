package plan

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mpp"
)

// order is the order of succession by address, those that may not be promoted in brackets.
func order(f *Facts) string {
	var words []string
	for _, c := range Rank(f, "a:1", nil, nil) {
		word := strings.TrimSuffix(c.Address, ":1")
		if c.Rank == 0 {
			word = "(" + word + ")"
		}
		words = append(words, word)
	}
	return strings.Join(words, " ")
}

func TestEachCriterionOfSuccessionDecidesWhenThoseBeforeItAreEqual(t *testing.T) {
	// Each change gives c an advantage over b that outweighs every one after it.
	criteria := []struct {
		name   string
		change func(b, c *Node)
	}{
		{"may be promoted", func(b, _ *Node) { b.Barred = "it is marked no_promote" }},
		{"complete", func(b, _ *Node) { b.Observation.Server.GTID, b.Observation.Channels[0].Received = upTo(99), upTo(99) }},
		{"type", func(_, c *Node) { c.Type = mpp.Primary }},
		{"prefer", func(_, c *Node) { c.Prefer = 1 }},
		{"older version", func(b, _ *Node) { b.Observation.Server.Version = "9.8.0" }},
		{"format", func(b, _ *Node) { b.Observation.Server.Settings.BinlogFormat = "MIXED" }},
		{"lag", func(b, _ *Node) { b.Observation.Lag = time.Second }},
	}
	if got := order(dead()); got != "b c" {
		t.Errorf("by configured order: %s, want b c", got)
	}
	for i, better := range criteria {
		f := dead()
		better.change(&f.Nodes[1], &f.Nodes[2])
		for _, weaker := range criteria[i+1:] {
			weaker.change(&f.Nodes[2], &f.Nodes[1]) // b has all the rest
		}
		if got := strings.Trim(order(f), "()"); !strings.HasPrefix(got, "c") {
			t.Errorf("%s: %s, want c first although b is better by all that comes after it", better.name, got)
		}
	}
}

func TestFormatsAreOrderedBySafetyAndUnknownOnesComeLast(t *testing.T) {
	var got []int
	for _, format := range []string{"ROW", "mixed", "STATEMENT", ""} {
		n := dead().Nodes[1]
		n.Observation.Server.Settings.BinlogFormat = format
		got = append(got, formatRank(&n))
	}
	if diff := cmp.Diff([]int{0, 1, 2, 3}, got); diff != "" {
		t.Error(diff)
	}
	if formatRank(&Node{}) != 3 {
		t.Error("a node of which nothing is known does not come last")
	}
}

func TestOnlyTheFirstTwoNumbersOfAVersionCount(t *testing.T) {
	at := func(version string) *Node {
		return &Node{Observation: &mpp.Observation{Server: mpp.Server{Version: version}}}
	}
	for _, each := range []struct {
		a, b string
		want int
	}{
		{"10.11.19-MariaDB", "10.11.2", 0},
		{"10.11.19-MariaDB", "11.4.1", -1},
		{"10.5.1", "10.11.1", -1},
		{"8.4.1", "8.0.40", 1},
		{"nonsense", "8.0.1", 1},
		{"", "", 0},
	} {
		if got := compareVersions(at(each.a), at(each.b)); got != each.want {
			t.Errorf("%s against %s: %d, want %d", each.a, each.b, got, each.want)
		}
	}
}

func TestNodesThatMayNotBePromotedAreShownLastWithTheReason(t *testing.T) {
	f := dead()
	f.Nodes[1].Errant = uuidB + ":1"
	f.Nodes[2].Observation.Server.Settings.LogBin = false
	want := []mpp.Candidate{
		{Address: "b:1", Why: "it has transactions that no other node has: " + uuidB + ":1"},
		{Address: "c:1", Why: "it has no binary log (log_bin): nobody could replicate from it"},
	}
	if diff := cmp.Diff(want, Rank(f, "a:1", nil, nil)); diff != "" {
		t.Error(diff)
	}
	want = []mpp.Candidate{
		{Address: "b:1", Why: "drain failed"},
		{Address: "c:1", Why: "it has no binary log (log_bin): nobody could replicate from it"},
	}
	if diff := cmp.Diff(want, Rank(f, "a:1", nil, map[string]string{"b:1": "drain failed"})); diff != "" {
		t.Error(diff)
	}
}

func TestWhatOnlyAnErrantNodeHasIsNobodysLack(t *testing.T) {
	f := dead()
	f.Nodes[1].Errant, f.Nodes[1].Observation.Server.GTID = uuidB+":1-5", upTo(100)+","+uuidB+":1-5"
	if c := Rank(f, "a:1", nil, nil)[0]; c.Address != "c:1" || c.Rank != 1 || c.Missing != "" {
		t.Errorf("%+v, want c:1 first with nothing missing", c)
	}
}

func TestAPositionThatCannotBeReadBarsItsNode(t *testing.T) {
	f := dead()
	list := Rank(f, "a:1", map[string]mpp.Position{"b:1": {Executed: "nonsense"}}, nil)
	if list[0].Address != "c:1" || list[1].Rank != 0 || !strings.Contains(list[1].Why, "cannot be read") {
		t.Errorf("%+v", list)
	}
}

// anyStanding draws a node as it may stand in the order of succession.
func anyStanding(t *rapid.T, index int) *standing {
	version := rapid.SampledFrom([]string{"10.5.1", "10.11.1", "11.8.2", "", "odd"}).Draw(t, "version")
	format := rapid.SampledFrom([]string{"ROW", "MIXED", "STATEMENT", ""}).Draw(t, "format")
	n := &Node{
		Address: fmt.Sprintf("n%d:1", index), Type: rapid.SampledFrom([]mpp.Type{mpp.Primary, mpp.Secondary}).Draw(t, "type"),
		Prefer: rapid.IntRange(-1, 1).Draw(t, "prefer"), Reachable: rapid.Bool().Draw(t, "reachable"),
		Barred: rapid.SampledFrom([]string{"", "", "", "it is in maintenance"}).Draw(t, "barred"),
		Errant: rapid.SampledFrom([]string{"", "", "", uuidB + ":9"}).Draw(t, "errant"),
	}
	if rapid.IntRange(0, 9).Draw(t, "known") > 0 {
		n.Observation = &mpp.Observation{
			LagKnown: rapid.Bool().Draw(t, "lag known"), Lag: time.Duration(rapid.IntRange(0, 2).Draw(t, "lag")) * time.Second,
			Server: mpp.Server{
				Flavour: "mysql", Version: version, GTID: anySet(t),
				Settings: &mpp.Settings{LogBin: rapid.IntRange(0, 9).Draw(t, "log") > 0, LogReplicaUpdates: true, GTID: true, BinlogFormat: format},
			},
			Channels: []mpp.Channel{{Received: anySet(t)}},
		}
	}
	return &standing{node: n, index: index}
}

// anySet draws a set of three servers' transactions, so that many have diverged.
func anySet(t *rapid.T) string {
	var parts []string
	for _, uuid := range []string{uuidA, uuidB, uuidC} {
		if last := rapid.IntRange(0, 3).Draw(t, "last"); last > 0 {
			parts = append(parts, fmt.Sprintf("%s:1-%d", uuid, last))
		}
	}
	return strings.Join(parts, ",")
}

// anyField draws standings that were completed as rank does it.
func anyField(t *rapid.T, count int) []*standing {
	f := &Facts{}
	var all []*standing
	for i := range count {
		s := anyStanding(t, i)
		all = append(all, s)
		f.Nodes = append(f.Nodes, *s.node)
	}
	for _, s := range all {
		s.node = &f.Nodes[s.index]
	}
	return ranked(f)
}

// ranked are the standings of a pool in the order of succession.
func ranked(f *Facts) []*standing {
	all, _ := standings(f, "", nil, nil)
	return all
}

func TestTheOrderOfSuccessionIsAStrictOrder(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := anyField(t, 4)
		for _, a := range all {
			if precedes(a, a) != 0 {
				t.Fatalf("%s precedes itself", a.node.Address)
			}
			for _, b := range all {
				if a != b && precedes(a, b) == 0 {
					t.Fatalf("%s and %s are a tie", a.node.Address, b.node.Address)
				}
				if sign(precedes(a, b)) != -sign(precedes(b, a)) {
					t.Fatalf("%s and %s each precede the other", a.node.Address, b.node.Address)
				}
				for _, c := range all {
					if precedes(a, b) < 0 && precedes(b, c) < 0 && precedes(a, c) >= 0 {
						t.Fatalf("%s before %s before %s, and not before it", a.node.Address, b.node.Address, c.node.Address)
					}
				}
			}
		}
	})
}

func sign(n int) int {
	switch {
	case n < 0:
		return -1
	case n > 0:
		return 1
	default:
		return 0
	}
}

func TestNoBarredErrantOrUnreadableNodeHasARank(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		f := &Facts{}
		for _, s := range anyField(t, 4) {
			f.Nodes = append(f.Nodes, *s.node)
		}
		next := 1
		for _, c := range Rank(f, "", nil, nil) {
			n := f.node(c.Address)
			barred := n.Barred != "" || n.Errant != "" || promotableSettings(n) != ""
			if barred != (c.Rank == 0) || (c.Rank > 0 && c.Rank != next) || c.Why == "" {
				t.Fatalf("%+v of %+v", c, n)
			}
			if c.Rank > 0 {
				next++
			}
		}
	})
}

func TestNobodyThatHasMoreComesAfterOneThatHasLess(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		all := anyField(t, 4)
		for i, a := range all {
			for _, b := range all[i+1:] {
				if a.why == "" && b.why == "" && b.has.Contains(a.has) && !a.has.Contains(b.has) && b.node.Reachable {
					t.Fatalf("%s (%s) comes before %s (%s), which has more", a.node.Address, a.has, b.node.Address, b.has)
				}
			}
		}
	})
}

func TestANodeWhoseHostCannotHaveTheAddressComesAfterItsEquals(t *testing.T) {
	f := dead()
	f.Nodes[1].NoAddress, f.Nodes[1].Prefer = "there is no interface eth9", 10
	failover(t, f).ends(mpp.Completed, "c:1")
	f.Nodes[2].Barred = "it is marked no_promote"
	failover(t, f).ends(mpp.Completed, "b:1") // better without the address than nobody
}
