package lab

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestHostsAreNamedByPoolAndNode(t *testing.T) {
	names := func(pools, nodes, clients int) []string {
		var all []string
		for _, h := range planHosts(pools, nodes, clients) {
			all = append(all, h.Name)
		}
		return all
	}
	if diff := cmp.Diff([]string{"db1", "db2", "db3", "manager", "client1"}, names(1, 3, 1)); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"db1-1", "db1-2", "db2-1", "db2-2", "manager", "client1", "client2"}, names(2, 2, 2)); diff != "" {
		t.Error(diff)
	}
}

func TestNoTwoHostsOfTheLargestLabShareAnything(t *testing.T) {
	s := subnet{Second: 70, V6: true}
	seen := map[string]string{}
	take := func(who, what string) {
		if seen[what] != "" {
			t.Fatalf("%s and %s have %s", who, seen[what], what)
		}
		seen[what] = who
	}
	for _, h := range planHosts(MaxPools, MaxNodes, MaxClients) {
		take(h.Name, h.Name)
		// Names of links are 15 characters at most, and a relay's have two more.
		if len(relayOuter(h.Name)) > 15 {
			t.Errorf("%s is too long", h.Name)
		}
		take(h.Name, s.address4(h.Pool, h.Node).String())
		take(h.Name, s.address6(h.Pool, h.Node).String())
		take(h.Name, hardware(s.address4(h.Pool, h.Node)).String())
	}
	for p := range MaxPools {
		take(poolName(p+1), s.vip4(p+1).String())
		take(poolName(p+1), s.vip6(p+1).String())
	}
}

func TestALabsNameIsMadeOfItsFolder(t *testing.T) {
	one, two := labID("/tmp/one"), labID("/tmp/two")
	if one == two || one != labID("/tmp/one") || len(one) != 6 {
		t.Errorf("%s, %s", one, two)
	}
}
