package vip

import (
	"fmt"
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

const ipShows = `1: lo: <LOOPBACK,UP,LOWER_UP> mtu 65536 qdisc noqueue state UNKNOWN group default qlen 1000
    link/loopback 00:00:00:00:00:00 brd 00:00:00:00:00:00
    inet 127.0.0.1/8 scope host lo
       valid_lft forever preferred_lft forever
    inet6 ::1/128 scope host 
       valid_lft forever preferred_lft forever
2: eth0@if5: <BROADCAST,MULTICAST,UP,LOWER_UP> mtu 1500 qdisc noqueue state UP group default qlen 1000
    link/ether 8e:a4:66:d9:89:cd brd ff:ff:ff:ff:ff:ff link-netnsid 0
    altname enp1s0
    inet 10.0.0.1/24 brd 10.0.0.255 scope global eth0
       valid_lft forever preferred_lft forever
    inet 10.0.0.100/24 scope global secondary eth0:vip
       valid_lft forever preferred_lft forever
    inet6 fd00::100/128 scope global deprecated nodad 
       valid_lft forever preferred_lft 0sec
    inet6 fd00::1/64 scope global tentative dadfailed
       valid_lft forever preferred_lft forever
3: eth1.7@eth1: <NO-CARRIER,BROADCAST,MULTICAST,UP> mtu 1500 qdisc noqueue state LOWERLAYERDOWN group default
    link/ether 02:00:00:00:00:07 brd ff:ff:ff:ff:ff:ff
4: tun0: <POINTOPOINT,MULTICAST,NOARP> mtu 1500 qdisc noop state DOWN group default qlen 500
    link/none 
    inet 10.8.0.1 peer 10.8.0.2/32 scope global tun0
`

func TestWhatIPShowsIsRead(t *testing.T) {
	got := parseIP(ipShows)
	links := []string{}
	for _, l := range got.links {
		links = append(links, fmt.Sprintf("%s %s %v", l.name, l.mac, l.up))
	}
	wantLinks := []string{"lo 00:00:00:00:00:00 true", "eth0 8e:a4:66:d9:89:cd true", "eth1.7 02:00:00:00:00:07 false", "tun0  false"}
	if diff := cmp.Diff(wantLinks, links); diff != "" {
		t.Error(diff)
	}
	want := []string{
		"lo 127.0.0.1/8 false false false", "lo ::1/128 false false false",
		"eth0 10.0.0.1/24 false false false", "eth0 10.0.0.100/24 true false false",
		"eth0 fd00::100/128 false true false", "eth0 fd00::1/64 false false true",
		"tun0 10.8.0.1/32 false false false",
	}
	all := []string{}
	for _, h := range got.held {
		all = append(all, fmt.Sprintf("%s %s %v %v %v", h.link, h.prefix, h.secondary, h.deprecated, h.unsure))
	}
	if diff := cmp.Diff(want, all); diff != "" {
		t.Error(diff)
	}
}

func TestNoOutputOfIPIsTooOdd(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		parseIP(rapid.OneOf(rapid.String(), rapid.StringMatching(`(\d: \w+:? ?<?|  +(inet6?|link/\w*) ?[\w./:]* ?\n?)*`)).Draw(t, "text"))
	})
}

// apply is what the kernel does, as far as the plans depend on it.
func (s *state) apply(all []change) {
	for _, c := range all {
		kept := s.held[:0:0]
		for _, h := range s.held {
			same := h.link == c.link && h.prefix == c.prefix
			if c.remove && same {
				continue
			}
			if !c.remove && same {
				continue // put on again, below
			}
			kept = append(kept, h)
		}
		s.held = kept
		if !c.remove {
			s.held = append(s.held, held{link: c.link, prefix: c.prefix, deprecated: c.prefix.Addr().Is6()})
		}
	}
}

func TestPlansReachTheirGoalAndTouchNothingElse(t *testing.T) {
	wanted := []netip.Prefix{netip.MustParsePrefix("10.0.0.100/32"), netip.MustParsePrefix("fd00::100/128")}
	rapid.Check(t, func(t *rapid.T) {
		prefixes := []string{"10.0.0.100/32", "10.0.0.100/24", "fd00::100/128", "fd00::100/64", "10.0.0.1/24", "fd00::1/64"}
		s := rapid.Custom(func(t *rapid.T) state {
			var s state
			for _, p := range prefixes {
				for _, on := range []string{"eth0", "lo"} {
					if rapid.Bool().Draw(t, p+on) {
						s.held = append(s.held, held{
							link: on, prefix: netip.MustParsePrefix(p),
							deprecated: rapid.Bool().Draw(t, "deprecated"), unsure: rapid.Bool().Draw(t, "unsure"),
						})
					}
				}
			}
			return s
		}).Draw(t, "state")
		others := len(s.held) - len(s.has(wanted))
		s.apply(s.toAdd(wanted, "eth0"))
		if todo := s.toAdd(wanted, "eth0"); len(todo) > 0 || len(s.has(wanted)) != 2 {
			t.Fatalf("after an add %+v is left to do of %+v", todo, s.held)
		}
		s.apply(s.toRemove(wanted))
		if len(s.has(wanted)) != 0 || len(s.held) != others {
			t.Fatalf("after a removal there is %+v", s.held)
		}
	})
}

func TestAnnouncementsAreRepeatedSoonAndThenEachSecond(t *testing.T) {
	for lasting, want := range map[time.Duration]string{
		0: "[]", 100 * time.Millisecond: "[50ms]", 5 * time.Second: "[50ms 200ms 500ms 1s 2s 3s 4s 5s]", 1500 * time.Millisecond: "[50ms 200ms 500ms 1s]",
	} {
		if got := fmt.Sprint(schedule(lasting)); got != want {
			t.Errorf("for %v: %s, want %s", lasting, got, want)
		}
	}
}
