package vip_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/mdlayher/packet"

	"mpp/action/remote"
	"mpp/action/remotetest"
	"mpp/action/vip"
)

const (
	vip4, vip6 = "10.9.0.100", "fd09::100"
	// The nodes: db1 and db2 are reached by ssh, here is this host itself.
	db1, db2, here = "10.9.0.1:3306", "10.9.0.2:3306", "10.9.0.254:3306"
)

func addresses() []netip.Prefix {
	return []netip.Prefix{netip.MustParsePrefix(vip4 + "/32"), netip.MustParsePrefix(vip6 + "/128")}
}

// site is a network with two hosts that are reached by ssh, this one, and a neighbour.
type site struct {
	sshd map[string]*remotetest.Sshd
	*vip.Mover
	mu  sync.Mutex
	log []string
}

// newSite builds it. change may change what the Mover is made of, and the sshd of db1.
func newSite(t testing.TB, sshd remotetest.SshdOptions, change ...func(*vip.Options)) *site {
	t.Helper()
	remotetest.Bridge(t, 3)
	s := &site{sshd: map[string]*remotetest.Sshd{}}
	o := vip.Options{
		Pool: "p", Kind: vip.Metal, Addresses: addresses(), Timeout: 3 * time.Second, AnnounceFor: 5 * time.Second,
		Nodes: map[string]vip.Node{here: {Host: remote.NewLocal(false, 0), Interface: "eth0"}},
		Log: func(node, text string) {
			s.mu.Lock()
			defer s.mu.Unlock()
			s.log = append(s.log, node+": "+text)
		},
	}
	for i, node := range []string{db1, db2} {
		so := remotetest.SshdOptions{}
		if node == db1 {
			so = sshd
		}
		so.Netns, so.Listen = fmt.Sprint(i+1), strings.TrimSuffix(node, ":3306")
		d := remotetest.StartSshd(t, so)
		ro := remote.Options{Host: d.Host, KeyFile: d.KeyFile, KnownHosts: d.KnownHosts, Timeout: 10 * time.Second}
		if so.Account != "" {
			ro.User, ro.Sudo = so.Account, so.Sudoers != ""
		}
		h, err := remote.New(ro)
		if err != nil {
			t.Fatal(err)
		}
		t.Cleanup(func() { _ = h.Close() })
		_ = h.Warm(within(t, 10*time.Second))
		s.sshd[node] = d
		o.Nodes[node] = vip.Node{Host: h, Interface: "eth0"}
	}
	for _, c := range change {
		c(&o)
	}
	m, err := vip.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	s.Mover = m
	return s
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func (s *site) mustAdd(t testing.TB, node string) {
	t.Helper()
	if err := s.Add(t.Context(), node); err != nil {
		t.Fatal(err)
	}
}

func (s *site) mustRemove(t testing.TB, node string) {
	t.Helper()
	if err := s.Remove(t.Context(), node); err != nil {
		t.Fatal(err)
	}
}

func (s *site) said() string {
	s.mu.Lock()
	defer s.mu.Unlock()
	return strings.Join(s.log, "\n")
}

// wantHolders fails the test unless exactly these nodes hold the addresses.
func (s *site) wantHolders(t *testing.T, nodes ...string) {
	t.Helper()
	for _, node := range []string{here, db1, db2} {
		r := s.Status(t.Context(), node)
		if want := slices.Contains(nodes, node); !r.Known || r.Holds != want || r.Some != want || r.Node != node || r.Message != "" {
			t.Errorf("want held: %v, got %+v", want, r)
		}
	}
}

// in runs a command in the namespace of a node's host.
func in(t *testing.T, node, command string) string {
	t.Helper()
	switch node {
	case here:
		return remotetest.Sh(t, command)
	case db1:
		return remotetest.Sh(t, "ip netns exec 1 "+command)
	case db2:
		return remotetest.Sh(t, "ip netns exec 2 "+command)
	default:
		return remotetest.Sh(t, "ip netns exec 3 "+command)
	}
}

func macOf(t *testing.T, node string) string { return in(t, node, "cat /sys/class/net/eth0/address") }

// resolve makes the neighbour know where the addresses are.
func resolve(t *testing.T, family ...string) {
	t.Helper()
	remotetest.Need(t, "ping")
	for _, a := range family {
		in(t, "neighbour", "ping -q -n -c 1 -W 2 "+a)
	}
}

// wantNeighbour waits until the neighbour believes that a node has the addresses.
func wantNeighbour(t *testing.T, node string, family ...string) {
	t.Helper()
	mac := macOf(t, node)
	for _, a := range family {
		remotetest.Eventually(t, "the neighbour knows where "+a+" is", func() error {
			if entry := in(t, "neighbour", "ip neigh show "+a+" dev eth0"); !strings.Contains(entry, mac) {
				return fmt.Errorf("want %s, have %q", mac, entry)
			}
			return nil
		})
	}
}

func TestNeighboursFollowAMoveAtOnce(t *testing.T) {
	s := newSite(t, remotetest.SshdOptions{})
	s.mustAdd(t, db1)
	resolve(t, vip4, vip6)
	wantNeighbour(t, db1, vip4, vip6)
	var removals, adds, locals []time.Duration
	now := db1
	for _, next := range []string{db2, db1, here, db2, here, db1, db2, db1, db2, db1} {
		began := time.Now()
		s.mustRemove(t, now)
		removed := time.Now()
		s.mustAdd(t, next)
		added := time.Now()
		// The first announcement was enough: nothing has been repeated yet.
		mac := macOf(t, next)
		for _, a := range []string{vip4, vip6} {
			if entry := in(t, "neighbour", "ip neigh show "+a+" dev eth0"); !strings.Contains(entry, mac) {
				t.Errorf("the neighbour does not know that %s has moved from %s to %s: %q", a, now, next, entry)
			}
		}
		s.wantHolders(t, next)
		switch {
		case next == here:
			locals = append(locals, added.Sub(removed))
		case now != here:
			removals, adds = append(removals, removed.Sub(began)), append(adds, added.Sub(removed))
		}
		now = next
	}
	in(t, "neighbour", "ping -q -n -c 1 -W 2 "+vip4)
	in(t, "neighbour", "ping -q -n -c 1 -W 2 "+vip6)
	slices.Sort(removals)
	slices.Sort(adds)
	t.Logf("over ssh: remove %v (worst %v), add and announce %v (worst %v), medians of %d; add here %v",
		removals[len(removals)/2], removals[len(removals)-1], adds[len(adds)/2], adds[len(adds)-1], len(adds), locals)
}

func TestIPv6IsNobodysSourceAndNotLookedForTwice(t *testing.T) {
	s := newSite(t, remotetest.SshdOptions{})
	for _, node := range []string{db1, here} {
		s.mustAdd(t, node)
		shown := in(t, node, "ip -6 addr show dev eth0 to "+vip6)
		for _, want := range []string{vip6 + "/128", "deprecated", "nodad", "preferred_lft 0sec"} {
			if !strings.Contains(shown, want) {
				t.Errorf("no %q in %s", want, shown)
			}
		}
		if strings.Contains(shown, "tentative") || !strings.Contains(shown, "valid_lft forever") {
			t.Error(shown)
		}
		if source := in(t, node, "ip -6 route get fd09::3"); strings.Contains(source, vip6) {
			t.Errorf("it is taken as source address: %s", source)
		}
		s.mustRemove(t, node)
	}
}

func TestWhatIsDoneAlreadyIsDoneAgainWithoutHarm(t *testing.T) {
	s := newSite(t, remotetest.SshdOptions{})
	for _, node := range []string{db1, here} {
		before := in(t, node, "ip -o addr show | sed 's/ tentative//; s/ *$//' | sort")
		s.mustRemove(t, node) // already gone
		for range 3 {
			s.mustAdd(t, node)
		}
		s.wantHolders(t, node)
		for range 2 {
			s.mustRemove(t, node)
		}
		s.wantHolders(t)
		if diff := cmp.Diff(before, in(t, node, "ip -o addr show | sed 's/ tentative//; s/ *$//' | sort")); diff != "" {
			t.Errorf("something else has changed:\n%s", diff)
		}
	}
}

func TestAWrongPrefixOrInterfaceIsPutRight(t *testing.T) {
	s := newSite(t, remotetest.SshdOptions{})
	for _, node := range []string{db1, here} {
		for name, wrong := range map[string]string{
			"IPv4 as /24":            "ip addr add " + vip4 + "/24 dev eth0",
			"IPv4 twice":             "ip addr add " + vip4 + "/32 dev eth0; ip addr add " + vip4 + "/16 dev eth0",
			"IPv6 as /64":            "ip addr add " + vip6 + "/64 dev eth0 nodad",
			"IPv6 not deprecated":    "ip addr add " + vip6 + "/128 dev eth0 nodad",
			"on lo":                  "ip addr add " + vip4 + "/32 dev lo; ip addr add " + vip6 + "/128 dev lo",
			"first of its subnet":    "ip addr flush dev eth0 scope global; ip addr add " + vip4 + "/24 dev eth0; ip addr add OWN/24 dev eth0; ip addr add OWN6/64 dev eth0 nodad",
			"first, then the second": "ip addr flush dev eth0 scope global; ip addr add " + vip4 + "/24 dev eth0; ip addr add OWN/24 dev eth0; ip addr add OWN6/64 dev eth0 nodad; ip addr add " + vip4 + "/32 dev eth0",
		} {
			own := strings.TrimSuffix(node, ":3306")
			own6 := map[string]string{db1: "fd09::1", here: "fd09::fe"}[node]
			wrong = strings.NewReplacer("OWN6", own6, "OWN", own).Replace(wrong)
			t.Run(node+" "+name, func(t *testing.T) {
				plain := "sh -c 'ip -o addr show | grep -v fe80 | sed \"s/^[0-9]*: //; s/ *\\\\\\\\.*//; s/ noprefixroute//; s/ *$//; s/brd [0-9.]* //\" | sort'"
				before := in(t, node, plain)
				in(t, node, "sh -ec '"+wrong+"'")
				r := s.Status(t.Context(), node)
				if !r.Known || !r.Some || !strings.Contains(r.Message, "not as MPP puts it") {
					t.Errorf("the report does not show it: %+v", r)
				}
				s.mustAdd(t, node)
				s.wantHolders(t, node)
				in(t, "neighbour", "ping -q -n -c 1 -W 2 "+vip4)
				s.mustRemove(t, node)
				in(t, node, "sh -ec '"+wrong+"' 2>/dev/null || true")
				s.mustRemove(t, node)
				s.wantHolders(t)
				if diff := cmp.Diff(before, in(t, node, plain)); diff != "" {
					t.Errorf("something else has changed:\n%s", diff)
				}
			})
		}
	}
}

// paths are where programs are that are to be hidden.
func paths(t *testing.T, names ...string) []string {
	t.Helper()
	var all []string
	for _, name := range names {
		for _, folder := range []string{"/usr/sbin", "/usr/bin"} {
			if p, err := filepath.EvalSymlinks(filepath.Join(folder, name)); err == nil && !slices.Contains(all, p) {
				all = append(all, p)
			}
		}
	}
	return all
}

func TestWhatIsAtHandAnnounces(t *testing.T) {
	remotetest.Need(t, "arping")
	for _, c := range []struct {
		name, fact, problem string
		hide                []string
		// told are the addresses that neighbours are told of.
		told []string
	}{
		{"perl", "announced by perl", "", nil, []string{vip4, vip6}},
		{"python3", "announced by python3", "", []string{"perl"}, []string{vip4, vip6}},
		{"arping", "announced by arping", "cannot announce fd09::100", []string{"perl", "python3"}, []string{vip4}},
		{"nothing", "", "cannot announce 10.9.0.100 and fd09::100", []string{"perl", "python3", "arping"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, remotetest.SshdOptions{Hide: paths(t, c.hide...)}, func(o *vip.Options) { o.AnnounceFor = 0 })
			facts, problems := s.Check(t.Context(), db1)
			if all := strings.Join(facts, "\n"); !strings.Contains(all, c.fact) {
				t.Errorf("facts: %s", all)
			}
			if all := strings.Join(problems, "\n"); !strings.Contains(all, c.problem) || (c.problem == "") != (all == "") {
				t.Errorf("problems: %s", all)
			}
			s.mustAdd(t, db2)
			resolve(t, vip4, vip6)
			s.mustRemove(t, db2)
			began := time.Now()
			s.mustAdd(t, db1)
			t.Logf("took %v", time.Since(began))
			s.wantHolders(t, db1)
			wantNeighbour(t, db1, c.told...)
			if warned := strings.Contains(s.said(), "could not be announced"); warned != (c.problem != "") {
				t.Errorf("the log: %q", s.said())
			}
		})
	}
}

func TestWhatIsMissingIsNamedWithinTheLimit(t *testing.T) {
	nosuch := func(o *vip.Options) {
		for node, n := range o.Nodes {
			n.Interface = "eth9"
			o.Nodes[node] = n
		}
	}
	for _, c := range []struct {
		name   string
		sshd   remotetest.SshdOptions
		change []func(*vip.Options)
		nodes  []string
		words  string
		// gone: a removal succeeds all the same, because the address is not there.
		gone bool
	}{
		{"interface", remotetest.SshdOptions{}, []func(*vip.Options){nosuch}, []string{db1, here}, "there is no interface eth9 (but lo, ", true},
		{"ip", remotetest.SshdOptions{Hide: paths(t, "ip")}, nil, []string{db1}, "the program ip is not there", false},
		{"rights", remotetest.SshdOptions{Account: "dba"}, nil, []string{db1}, "Operation not permitted (root is needed", true},
		{"sudo", remotetest.SshdOptions{Account: "dba", Sudoers: "# nobody\n"}, nil, []string{db1}, "sudo refused", false},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := newSite(t, c.sshd, c.change...)
			for _, node := range c.nodes {
				if err := s.Add(t.Context(), node); err == nil || !strings.Contains(err.Error(), c.words) {
					t.Errorf("add to %s: %v", node, err)
				}
				if err := s.Remove(t.Context(), node); (err == nil) != c.gone || (err != nil && !strings.Contains(err.Error(), c.words)) {
					t.Errorf("remove from %s: %v", node, err)
				}
				_, problems := s.Check(t.Context(), node)
				if all := strings.Join(problems, "\n"); !strings.Contains(all, strings.TrimPrefix(c.words, "Operation ")) {
					t.Errorf("check of %s: %s", node, all)
				}
			}
		})
	}
	t.Run("rights to remove", func(t *testing.T) {
		s := newSite(t, remotetest.SshdOptions{Account: "dba"})
		in(t, db1, "ip addr add "+vip4+"/32 dev eth0")
		if err := s.Remove(t.Context(), db1); err == nil || !strings.Contains(err.Error(), "Operation not permitted") {
			t.Errorf("got %v", err)
		}
	})
	t.Run("way", func(t *testing.T) {
		s := newSite(t, remotetest.SshdOptions{}, func(o *vip.Options) { o.Nodes[db1] = vip.Node{Interface: "eth0"} })
		for _, err := range []error{s.Add(t.Context(), db1), s.Remove(t.Context(), db1), s.Announce(t.Context(), db1)} {
			if err == nil || !strings.Contains(err.Error(), "nothing says how to reach its host") {
				t.Error(err)
			}
		}
		if r := s.Status(t.Context(), db1); r.Known || r.Message == "" {
			t.Errorf("%+v", r)
		}
		if err := s.Add(t.Context(), "elsewhere:3306"); err == nil {
			t.Error("a node of another pool is taken")
		}
	})
}

func TestAnInterfaceThatIsDownIsAnError(t *testing.T) {
	s := newSite(t, remotetest.SshdOptions{}, func(o *vip.Options) {
		o.Nodes[db1] = vip.Node{Host: o.Nodes[db1].Host, Interface: "spare0"}
		o.Nodes[here] = vip.Node{Host: o.Nodes[here].Host, Interface: "spare0"}
	})
	for _, node := range []string{db1, here} {
		in(t, node, "ip link add spare0 type veth peer name spare1")
		if err := s.Add(t.Context(), node); err == nil || !strings.Contains(err.Error(), "spare0 is down") {
			t.Errorf("%s: %v", node, err)
		}
		if _, problems := s.Check(t.Context(), node); !strings.Contains(strings.Join(problems, "\n"), "spare0 is down") {
			t.Errorf("%s: %q", node, problems)
		}
		s.mustRemove(t, node)
		in(t, node, "ip link del spare0")
	}
}

func TestAHostThatHangsHoldsNobodyUpAndDoesNothingLater(t *testing.T) {
	s := newSite(t, remotetest.SshdOptions{}, func(o *vip.Options) { o.Timeout = time.Second })
	s.mustAdd(t, db1)
	s.mustRemove(t, db1)
	s.sshd[db1].Freeze(t)
	for name, do := range map[string]func() error{
		"add":      func() error { return s.Add(t.Context(), db1) },
		"remove":   func() error { return s.Remove(t.Context(), db1) },
		"announce": func() error { return s.Announce(t.Context(), db1) },
		"status": func() error {
			r := s.Status(t.Context(), db1)
			if r.Known {
				t.Errorf("%+v", r)
			}
			return errors.New(r.Message)
		},
	} {
		began := time.Now()
		err := do()
		if took := time.Since(began); err == nil || took > 3*time.Second {
			t.Errorf("%s: %v after %v", name, err, took)
		}
		if name != "status" && !remote.NoAnswer(err) {
			t.Errorf("%s: %v is not said to be without an answer", name, err)
		}
	}
	s.mustAdd(t, db2)
	s.sshd[db1].Thaw(t)
	remotetest.Eventually(t, "it answers again", func() error {
		if r := s.Status(t.Context(), db1); !r.Known {
			return errors.New(r.Message)
		}
		return nil
	})
	s.wantHolders(t, db2) // what was sent while it hung has not been done
}

func TestAHostThatIsCutOffIsFoundWithTheAddressAndLosesIt(t *testing.T) {
	s := newSite(t, remotetest.SshdOptions{}, func(o *vip.Options) { o.Timeout = time.Second })
	s.mustAdd(t, db1)
	resolve(t, vip4, vip6)
	remotetest.Cut(t, 1)
	err := s.Remove(t.Context(), db1)
	if !remote.NoAnswer(err) {
		t.Fatalf("got %v", err)
	}
	s.mustAdd(t, db2)
	wantNeighbour(t, db2, vip4, vip6)
	if mac, found, err := s.Probe(t.Context(), db2); found || err != nil {
		t.Errorf("nobody else has it now: %s, %v", mac, err)
	}
	remotetest.Mend(t, 1)
	remotetest.Eventually(t, "it is back", func() error {
		if r := s.Status(t.Context(), db1); !r.Known {
			return errors.New(r.Message)
		}
		return nil
	})
	s.wantHolders(t, db1, db2)
	if mac, found, err := s.Probe(t.Context(), db2); !found || err != nil || mac != macOf(t, db1) {
		t.Errorf("the other holder was not found: %s, %v", mac, err)
	}
	s.mustRemove(t, db1)
	if err := s.Announce(t.Context(), db2); err != nil {
		t.Error(err)
	}
	wantNeighbour(t, db2, vip4, vip6)
	s.wantHolders(t, db2)
}

func TestAProbeFindsWhoeverElseHasTheAddress(t *testing.T) {
	for name, hide := range map[string][]string{"perl": nil, "python3": {"perl"}} {
		for _, family := range addresses() {
			t.Run(name+" "+family.Addr().String(), func(t *testing.T) {
				s := newSite(t, remotetest.SshdOptions{Hide: paths(t, hide...)}, func(o *vip.Options) { o.Addresses = []netip.Prefix{family} })
				for _, node := range []string{db1, here} {
					s.probe(t, node, family.String())
				}
			})
		}
	}
	t.Run("nothing to probe with", func(t *testing.T) {
		s := newSite(t, remotetest.SshdOptions{Hide: paths(t, "perl", "python3")})
		if _, _, err := s.Probe(t.Context(), db1); err == nil || !strings.Contains(err.Error(), "neither perl nor python3") {
			t.Errorf("got %v", err)
		}
	})
}

// probe probes from a node while db2 has the address or not, and the node itself or not.
func (s *site) probe(t *testing.T, node, address string) {
	t.Helper()
	want := func(when, mac string) {
		t.Helper()
		began := time.Now()
		got, found, err := s.Probe(t.Context(), node)
		if got != mac || found != (mac != "") || err != nil {
			t.Errorf("%s has it, from %s: %q, %v, %v", when, node, got, found, err)
		}
		t.Logf("%s has it, from %s: %v", when, node, time.Since(began))
	}
	want("nobody", "")
	in(t, db2, "ip addr add "+address+" dev eth0 nodad")
	if strings.Contains(address, ":") { // the kernel listens for it a moment later
		remotetest.Eventually(t, "db2 listens", func() error {
			if groups := in(t, db2, "ip maddr show dev eth0"); !strings.Contains(groups, "ff02::1:ff00:100") {
				return errors.New(groups)
			}
			return nil
		})
	}
	want("db2", macOf(t, db2))
	in(t, node, "ip addr add "+address+" dev eth0 nodad")
	want("each of both", macOf(t, db2))
	in(t, db2, "ip addr del "+address+" dev eth0")
	want("the node itself", "")
	in(t, node, "ip addr del "+address+" dev eth0")
}

// eavesdrop counts the gratuitous ARP requests of a hardware address on the bridge.
func eavesdrop(t *testing.T) func(mac string) int {
	t.Helper()
	on, err := net.InterfaceByName("br0")
	if err != nil {
		t.Fatal(err)
	}
	conn, err := packet.Listen(on, packet.Raw, 0x0806, nil)
	if err != nil {
		t.Fatal(err)
	}
	var mu sync.Mutex
	counts := map[string]int{}
	done := make(chan struct{})
	go func() {
		defer close(done)
		frame := make([]byte, 2048)
		for {
			n, _, err := conn.ReadFrom(frame)
			if err != nil {
				return
			}
			if n >= 42 && frame[21] == 1 && string(frame[28:32]) == string(frame[38:42]) {
				mu.Lock()
				counts[net.HardwareAddr(frame[22:28]).String()]++
				mu.Unlock()
			}
		}
	}()
	t.Cleanup(func() { _ = conn.Close(); <-done })
	return func(mac string) int {
		mu.Lock()
		defer mu.Unlock()
		return counts[mac]
	}
}

func TestAnnouncementsGoOnUntilTheAddressMovesOn(t *testing.T) {
	s := newSite(t, remotetest.SshdOptions{}, func(o *vip.Options) { o.AnnounceFor = time.Minute })
	count := eavesdrop(t)
	for _, node := range []string{db1, here} {
		mac := macOf(t, node)
		at := func(n int) func() error {
			return func() error {
				if got := count(mac); got < n {
					return fmt.Errorf("%d announcements", got)
				}
				return nil
			}
		}
		s.mustAdd(t, node)
		remotetest.Eventually(t, "it is announced again", at(4))
		s.mustAdd(t, db2)
		before, others := count(mac), count(macOf(t, db2))
		remotetest.Eventually(t, "db2 goes on", func() error {
			if count(macOf(t, db2)) < others+4 {
				return errors.New("not yet")
			}
			return nil
		})
		if got := count(mac); got > before+1 { // one may have been under way
			t.Errorf("%s announced %d times after the address had moved on", node, got-before)
		}
		s.mustRemove(t, node)
		s.mustRemove(t, db2)
	}
	if s.said() != "" {
		t.Error(s.said())
	}
}

func TestWhatTheHostDoesNotHaveIsNotAnnounced(t *testing.T) {
	s := newSite(t, remotetest.SshdOptions{}, func(o *vip.Options) { o.AnnounceFor = time.Minute })
	count := eavesdrop(t)
	if err := s.Announce(t.Context(), db1); err == nil || !strings.Contains(err.Error(), "does not have it") {
		t.Errorf("got %v", err)
	}
	s.mustAdd(t, db1)
	in(t, db1, "ip addr del "+vip4+"/32 dev eth0")
	in(t, db1, "ip addr del "+vip6+"/128 dev eth0")
	remotetest.Eventually(t, "it gives up", func() error {
		if !strings.Contains(s.said(), "does not have it") {
			return errors.New(s.said())
		}
		return nil
	})
	if n := count(macOf(t, db1)); n > 3 {
		t.Errorf("announced %d times", n)
	}
}

func TestMovesAtTheSameTimeEndWhereTheLastOneLeadsTo(t *testing.T) {
	s := newSite(t, remotetest.SshdOptions{}, func(o *vip.Options) { o.Timeout = 10 * time.Second })
	var wg sync.WaitGroup
	for _, node := range []string{db1, db2, here} {
		for range 3 {
			wg.Go(func() {
				for range 3 {
					if err := errors.Join(s.Add(t.Context(), node), s.Remove(t.Context(), node)); err != nil {
						t.Error(err)
					}
					if r := s.Status(t.Context(), node); !r.Known {
						t.Errorf("%+v", r)
					}
				}
			})
		}
	}
	wg.Wait()
	s.wantHolders(t)
}

func TestAHardwareAddressThatChangedIsAnnouncedAsItIs(t *testing.T) {
	s := newSite(t, remotetest.SshdOptions{})
	s.mustAdd(t, db1)
	resolve(t, vip4, vip6)
	s.mustRemove(t, db1)
	in(t, db1, "sh -ec 'ip link set eth0 address 02:00:00:00:00:77; ip -6 addr add fd09::1/64 dev eth0 nodad 2>/dev/null || true'")
	in(t, here, "ip neigh flush dev eth0") // or ssh would have to find it out first
	s.mustAdd(t, db1)
	wantNeighbour(t, db1, vip4, vip6)
}

func TestAnAddressThatKeepalivedHasIsAProblem(t *testing.T) {
	remotetest.Need(t, "keepalived")
	// A file for these namespaces only; those of the sshds are copies of them.
	remotetest.Sh(t, "mount -t tmpfs tmpfs /etc/keepalived; echo 'virtual_ipaddress { 10.9.0.100/32 dev eth0; 10.9.0.1 }' >/etc/keepalived/keepalived.conf")
	t.Cleanup(func() { remotetest.Sh(t, "umount /etc/keepalived") })
	s := newSite(t, remotetest.SshdOptions{})
	for _, node := range []string{here, db1} {
		_, problems := s.Check(t.Context(), node)
		if len(problems) != 1 || !strings.Contains(problems[0], "keepalived.conf has 10.9.0.100: only one of") {
			t.Errorf("%s: %q", node, problems)
		}
	}
}

func TestADryRunShowsTheCommands(t *testing.T) {
	m, err := vip.New(vip.Options{Kind: vip.Metal, Addresses: addresses(), Nodes: map[string]vip.Node{db1: {Interface: "eth0"}}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	want := []string{
		"ip addr replace 10.9.0.100/32 dev eth0", "ip addr replace fd09::100/128 dev eth0 nodad preferred_lft 0",
		"gratuitous ARP for 10.9.0.100 from eth0", "unsolicited neighbour advertisement for fd09::100 from eth0",
	}
	if diff := cmp.Diff(want, m.Statements(db1, true)); diff != "" {
		t.Error(diff)
	}
	want = []string{"ip addr del 10.9.0.100/32 dev eth0", "ip addr del fd09::100/128 dev eth0"}
	if diff := cmp.Diff(want, m.Statements(db1, false)); diff != "" {
		t.Error(diff)
	}
}

func TestAMoverRefusesWhatIsNotSafe(t *testing.T) {
	for _, o := range []vip.Options{
		{Kind: vip.Metal},
		{Kind: vip.Exec},
		{Kind: "magic"},
		{Kind: vip.Metal, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.100/24")}},
		{Kind: vip.Metal, Addresses: []netip.Prefix{netip.MustParsePrefix("::ffff:10.0.0.100/128")}},
		{Kind: vip.Metal, Addresses: addresses(), Nodes: map[string]vip.Node{db1: {Interface: "eth0;reboot"}}},
	} {
		if m, err := vip.New(o); err == nil {
			m.Close()
			t.Errorf("taken: %+v", o)
		}
	}
}

// BenchmarkMove moves two addresses between two hosts over ssh.
func BenchmarkMove(b *testing.B) {
	s := newSite(b, remotetest.SshdOptions{}, func(o *vip.Options) { o.AnnounceFor = 0 })
	s.mustAdd(b, db1)
	s.mustAdd(b, db2)
	nodes := []string{db1, db2}
	var removals, adds []time.Duration
	for i := 0; b.Loop(); i++ {
		began := time.Now()
		s.mustRemove(b, nodes[i%2])
		removed := time.Now()
		s.mustAdd(b, nodes[1-i%2])
		removals, adds = append(removals, removed.Sub(began)), append(adds, time.Since(removed))
	}
	slices.Sort(removals)
	slices.Sort(adds)
	for name, all := range map[string][]time.Duration{"remove": removals, "add": adds} {
		b.ReportMetric(float64(all[len(all)/2].Microseconds())/1000, name+"-p50-ms")
		b.ReportMetric(float64(all[len(all)*99/100].Microseconds())/1000, name+"-p99-ms")
	}
}
