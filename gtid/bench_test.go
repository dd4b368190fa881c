package gtid

import (
	"fmt"
	"strings"
	"testing"
)

// fragmented returns the text of a set with n gaps.
func fragmented(n int) string {
	var b strings.Builder
	b.WriteString("ecea4048-e5be-11f1-8b2e-02fc00000001")
	for i := range n {
		fmt.Fprintf(&b, ":%d-%d", i*100+1, i*100+90)
	}
	return b.String()
}

// pairs are texts of what a source and a replica print.
func pairs() []struct{ name, flavour, source, replica string } {
	const a, b, c = "11111111-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000001", "ecea4048-e5be-11f1-8b2e-02fc00000001"
	old := a + ":1-73421," + b + ":1-998877:job:1-12,"
	return []struct{ name, flavour, source, replica string }{
		{"one-uuid", "mysql", c + ":1-123456789", c + ":1-123456780"},
		{"three-uuids", "mysql", old + c + ":1-123456789", old + c + ":1-123456780"},
		{"gaps-1000", "mysql", fragmented(1000), fragmented(999)},
		{"one-domain", "mariadb", "0-1-123456789", "0-1-123456780"},
		{"three-domains", "mariadb", "0-1-123456789,1-2-5,7-1-99", "0-1-123456780,1-2-5,7-1-98"},
	}
}

func BenchmarkParse(b *testing.B) {
	for _, p := range pairs() {
		b.Run(p.name, func(b *testing.B) {
			b.ReportAllocs()
			for b.Loop() {
				if _, err := Parse(p.flavour, p.source); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkParseState(b *testing.B) {
	b.ReportAllocs()
	for b.Loop() {
		if _, err := ParseState("0-9-500,0-2-1001,0-1-123456789,7-1-99"); err != nil {
			b.Fatal(err)
		}
	}
}

func BenchmarkContains(b *testing.B) {
	for _, p := range pairs() {
		b.Run(p.name, func(b *testing.B) {
			source, replica := parse(b, p.flavour, p.source), parse(b, p.flavour, p.replica)
			b.ReportAllocs()
			for b.Loop() {
				if !source.Contains(replica) || replica.Contains(source) {
					b.Fatal("it does not")
				}
			}
		})
	}
}

func BenchmarkMinus(b *testing.B) {
	for _, p := range pairs() {
		b.Run(p.name, func(b *testing.B) {
			source, replica := parse(b, p.flavour, p.source), parse(b, p.flavour, p.replica)
			b.ReportAllocs()
			for b.Loop() {
				if source.Minus(replica).IsEmpty() || !replica.Minus(source).IsEmpty() {
					b.Fatal("wrong")
				}
			}
		})
	}
}

func BenchmarkErrantState(b *testing.B) {
	replica, source := state(b, "0-9-500,0-2-1001,0-1-123456780,0-3-123456781"), state(b, "0-9-500,0-2-1001,0-1-123456789")
	b.ReportAllocs()
	for b.Loop() {
		if ErrantState(replica, Source{State: source, ServerID: 1}) == nil {
			b.Fatal("nothing")
		}
	}
}
