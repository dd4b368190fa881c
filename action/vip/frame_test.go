package vip

import (
	"encoding/hex"
	"net"
	"net/netip"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// golden reads hexadecimal digits with blanks between them. The checksums in them were computed
// by another program.
func golden(t *testing.T, lines ...string) []byte {
	t.Helper()
	b, err := hex.DecodeString(strings.ReplaceAll(strings.Join(lines, ""), " ", ""))
	if err != nil {
		t.Fatal(err)
	}
	return b
}

func ours() net.HardwareAddr { return net.HardwareAddr{0x52, 0x54, 0, 0x12, 0x34, 0x56} }

func TestAnnouncementsOfIPv4AreARequestAndAReply(t *testing.T) {
	want := [][]byte{
		golden(t, "ffffffffffff 525400123456 0806", "0001 0800 06 04 0001", "525400123456 0a000064", "000000000000 0a000064"),
		golden(t, "ffffffffffff 525400123456 0806", "0001 0800 06 04 0002", "525400123456 0a000064", "525400123456 0a000064"),
	}
	if diff := cmp.Diff(want, announcements(ours(), netip.MustParseAddr("10.0.0.100"))); diff != "" {
		t.Error(diff)
	}
}

func TestTheAnnouncementOfIPv6IsAnOverridingAdvertisement(t *testing.T) {
	want := [][]byte{golden(t, "333300000001 525400123456 86dd", "60000000 0020 3a ff",
		"fd000000000000000000000000000100", "ff020000000000000000000000000001",
		"88 00 d3e1 20000000", "fd000000000000000000000000000100", "02 01 525400123456")}
	if diff := cmp.Diff(want, announcements(ours(), netip.MustParseAddr("fd00::100"))); diff != "" {
		t.Error(diff)
	}
}

func TestQuestionsNameNobodyAsSender(t *testing.T) {
	want := golden(t, "ffffffffffff 525400123456 0806", "0001 0800 06 04 0001", "525400123456 00000000", "000000000000 0a000064")
	if diff := cmp.Diff(want, question(ours(), netip.MustParseAddr("10.0.0.100"))); diff != "" {
		t.Error(diff)
	}
	want = golden(t, "3333ff000100 525400123456 86dd", "60000000 0018 3a ff",
		"00000000000000000000000000000000", "ff0200000000000000000001ff000100",
		"87 00 7ba7 00000000", "fd000000000000000000000000000100")
	if diff := cmp.Diff(want, question(ours(), netip.MustParseAddr("fd00::100"))); diff != "" {
		t.Error(diff)
	}
}

func TestAnswersAreKnownAndTheirSpeakerRead(t *testing.T) {
	other := net.HardwareAddr{2, 0, 0, 0, 0, 9}
	v4, v6 := netip.MustParseAddr("10.0.0.100"), netip.MustParseAddr("fd00::100")
	for _, c := range []struct {
		name    string
		frame   []byte
		address netip.Addr
		want    bool
	}{
		{"ARP reply", announcements(other, v4)[1], v4, true},
		{"ARP request of who has it", announcements(other, v4)[0], v4, true},
		{"ARP probe", question(other, v4), v4, false},
		{"another's ARP", announcements(other, netip.MustParseAddr("10.0.0.101"))[1], v4, false},
		{"advertisement", announcements(other, v6)[0], v6, true},
		{"solicitation", question(other, v6), v6, false},
		{"another's advertisement", announcements(other, netip.MustParseAddr("fd00::101"))[0], v6, false},
		{"cut short", announcements(other, v6)[0][:70], v6, false},
		{"without option", announcements(other, v6)[0][:78], v6, true},
		{"empty", nil, v4, false},
	} {
		t.Run(c.name, func(t *testing.T) {
			_, patterns := answers(c.address)
			if got := matches(c.frame, patterns); got != c.want {
				t.Fatalf("matches: %v", got)
			}
			if c.want && speaker(c.frame).String() != other.String() {
				t.Errorf("speaker %s", speaker(c.frame))
			}
		})
	}
}

func TestTheSubjectOfAnAnnouncementIsItsAddress(t *testing.T) {
	for _, a := range []string{"10.0.0.100", "fd00::100"} {
		for _, f := range announcements(ours(), netip.MustParseAddr(a)) {
			if got := subject(f).String(); got != a {
				t.Errorf("got %s, want %s", got, a)
			}
		}
	}
}
