package format_test

import (
	"errors"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mpp/publish/address"
	"mpp/publish/statefile/format"
)

const second = int64(1e9)

func sample() *format.Pool {
	return &format.Pool{
		Name: "db1", Boot: "b00t", Written: 100 * second, StaleAfter: 5 * second, Status: "OK", Trouble: "LAN", Maintenance: true, Message: "look at 10.0.0.3",
		Nodes: []format.Node{
			{
				Address: "10.0.0.1:3306", Type: "PRIMARY", State: "ACTIVE", Status: "OK", Evaluation: "READ-WRITE", Polled: 99 * second, Took: 2e6, Lag: -1,
				Writer: format.Answer{Up: true, Reason: "ACTIVE"}, Reader: format.Answer{Reason: "ACTIVE"}, OK: format.Answer{Up: true, Reason: "ACTIVE"},
			},
			{Address: "[2001:db8::1]:3306", Type: "SECONDARY", State: "FAIL", Reason: "ONLINE", Status: "FAIL", Errors: 7, Lag: second, Message: "end 00000000"},
		},
	}
}

func TestPoolIsReadAsItWasWritten(t *testing.T) {
	got, err := format.ParsePool(sample().Append(nil))
	if diff := cmp.Diff(sample(), got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
	x := &format.Index{Boot: "b00t", Entries: []format.Entry{{Address: "10.0.0.1:3306", Pool: "db1"}, {Address: "10.0.0.1:3307", Pool: "db2.x"}}}
	index, err := format.ParseIndex(x.Append(nil))
	if diff := cmp.Diff(x, index); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

func TestEveryDamageIsNoticed(t *testing.T) {
	whole := sample().Append(nil)
	for i := range whole {
		if _, err := format.ParsePool(whole[:i]); err == nil {
			t.Fatalf("cut to %d of %d bytes it is taken", i, len(whole))
		}
		for bit := range 8 {
			changed := append([]byte(nil), whole...)
			changed[i] ^= 1 << bit
			if _, err := format.ParsePool(changed); err == nil {
				t.Fatalf("with bit %d of byte %d changed it is taken", bit, i)
			}
		}
	}
	if _, err := format.ParsePool(append(whole, whole...)); err == nil {
		t.Error("two files in one are taken")
	}
}

func TestOtherVersionsAreRefusedByName(t *testing.T) {
	other := &format.Pool{Name: "db1", Boot: "b"}
	text := strings.Replace(string(other.Append(nil)), "mpp-state 1", "mpp-state 2", 1)
	resummed := resum(text)
	if _, err := format.ParsePool(resummed); !errors.Is(err, format.ErrVersion) {
		t.Errorf("%v", err)
	}
}

func TestKeysOfALaterReleaseAreSkipped(t *testing.T) {
	text := strings.Replace(string(sample().Append(nil)), "pool db1\n", "pool db1\nepoch 7\n", 1)
	text = strings.Replace(text, "state ACTIVE\n", "state ACTIVE\nmood good\n", 1)
	got, err := format.ParsePool(resum(text))
	if diff := cmp.Diff(sample(), got); diff != "" || err != nil {
		t.Errorf("%v\n%s", err, diff)
	}
}

// resum gives a changed text its right end again.
func resum(text string) []byte {
	lines := text[:strings.LastIndex(text, "end ")]
	return format.End([]byte(lines))
}

func TestAnswerDependsOnAgeAndBoot(t *testing.T) {
	p := sample()
	const boot = "b00t"
	at := func(s int64) format.Moment { return format.Moment{Boot: boot, Time: s * second} }
	cases := map[string]struct {
		change func(p *format.Pool)
		role   string
		now    format.Moment
		want   format.Reply
	}{
		"fresh":         {nil, "writer", at(100), format.Reply{Up: true, Age: second, Reason: "ACTIVE"}},
		"other role":    {nil, "reader", at(100), format.Reply{Age: second, Reason: "ACTIVE"}},
		"at the limit":  {nil, "ok", at(104), format.Reply{Up: true, Age: 5 * second, Reason: "ACTIVE"}},
		"over it":       {nil, "ok", at(105), format.Reply{Stale: true, Age: 6 * second, Reason: "stale: last poll 6.000s ago, limit 5.000s"}},
		"last known":    {func(p *format.Pool) { p.LastKnown = true }, "writer", at(199), format.Reply{Up: true, Stale: true, Age: 100 * second, Reason: "last known, 100s old: ACTIVE"}},
		"another boot":  {nil, "writer", format.Moment{Boot: "other", Time: 100 * second}, format.Reply{Stale: true, Age: -1, Reason: "stale: written before this host started"}},
		"unknown boot":  {func(p *format.Pool) { p.Boot, p.LastKnown = "", true }, "writer", format.Moment{}, format.Reply{Stale: true, Age: -1, Reason: "stale: written before this host started"}},
		"never polled":  {func(p *format.Pool) { p.Nodes[0].Polled, p.LastKnown = 0, true }, "writer", at(1), format.Reply{Stale: true, Age: -1, Reason: "not polled yet since mppd started"}},
		"in the future": {func(p *format.Pool) { p.LastKnown = true }, "writer", at(98), format.Reply{Stale: true, Age: -1, Reason: "stale: polled in the future"}},
		"no such role":  {nil, "boss", at(100), format.Reply{Age: -1, Reason: "unknown role: use writer, reader or ok"}},
	}
	for name, c := range cases {
		t.Run(name, func(t *testing.T) {
			p = sample()
			if c.change != nil {
				c.change(p)
			}
			if diff := cmp.Diff(c.want, p.Answer(&p.Nodes[0], c.role, c.now)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestNodeIsFoundOnlyWhenItIsTheOnlyOne(t *testing.T) {
	p := &format.Pool{Nodes: []format.Node{{Address: "10.0.0.1:3306"}, {Address: "10.0.0.1:3307"}, {Address: "10.0.0.2:3306"}}}
	for text, want := range map[string]int{"10.0.0.1": 2, "10.0.0.1:3307": 1, "10.0.0.2": 1, "10.0.0.3": 0} {
		asked, _ := address.Parse(text)
		n, found := p.Find(asked)
		if found != want || (n != nil) != (want == 1) {
			t.Errorf("%s: %v %d, want %d", text, n, found, want)
		}
	}
}

func TestNoPoolsNameLeavesTheFolder(t *testing.T) {
	for _, name := range []string{"", ".", "..", "../x", "a/b", "-a", ".a", "a\x00", "ä", strings.Repeat("a", 201)} {
		if file, valid := format.FileOf(name); valid {
			t.Errorf("%q has the file %q", name, file)
		}
	}
	if file, valid := format.FileOf("db1.eu-west_2"); !valid || file != "db1.eu-west_2.state" {
		t.Errorf("%q %v", file, valid)
	}
}

func TestSecondsAreShort(t *testing.T) {
	for ns, want := range map[int64]string{0: "0.000s", 12e6: "0.012s", 1234e6: "1.234s", 12345e6: "12.3s", 3600e9: "3600s", -1e9: "?"} {
		if got := format.Seconds(ns); got != want {
			t.Errorf("%d: %s, want %s", ns, got, want)
		}
	}
}

func FuzzParsePool(f *testing.F) {
	f.Add(sample().Append(nil))
	f.Add([]byte("mpp-state 1\nend 00000000\n"))
	lines := string(sample().Append(nil))
	f.Add([]byte(lines[len("mpp-state 1\n"):strings.LastIndex(lines, "end ")]))
	f.Fuzz(func(t *testing.T, data []byte) {
		fuzzOne(t, data)
		// most of what a fuzzer makes has a wrong checksum: look behind it too
		fuzzOne(t, format.End(append([]byte("mpp-state 1\n"), data...)))
	})
}

func fuzzOne(t *testing.T, data []byte) {
	p, err := format.ParsePool(data)
	if err != nil {
		return
	}
	for i := range p.Nodes {
		for _, role := range []string{"writer", "reader", "ok"} {
			if a := p.Answer(&p.Nodes[i], role, format.Moment{Boot: "another", Time: 1}); a.Up && p.Boot != "another" {
				t.Errorf("data of another boot is answered with yes")
			}
		}
	}
	again, err := format.ParsePool(p.Append(nil))
	if err != nil {
		t.Fatalf("what was read cannot be written and read: %v", err)
	}
	if diff := cmp.Diff(p, again); diff != "" {
		t.Error(diff)
	}
}

func FuzzParseIndex(f *testing.F) {
	f.Add((&format.Index{Boot: "b", Entries: []format.Entry{{Address: "a:1", Pool: "p"}}}).Append(nil))
	f.Fuzz(func(t *testing.T, data []byte) {
		for _, whole := range [][]byte{data, format.End(append([]byte("mpp-index 1\n"), data...))} {
			x, err := format.ParseIndex(whole)
			if err != nil {
				continue
			}
			for _, e := range x.Entries {
				if _, valid := format.FileOf(e.Pool); !valid {
					t.Errorf("pool %q", e.Pool)
				}
			}
		}
	})
}
