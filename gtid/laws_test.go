package gtid

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
	"testing"

	gocmp "github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

var uuids = []string{
	"00000000-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-000000000001", "aaaaaaaa-0000-0000-0000-00000000000f",
}

// drawText draws the text of a set of few servers and numbers, in any spelling and order, and
// what is in it.
func drawText(t *rapid.T) (string, map[string]bool) {
	in := make(map[string]bool)
	var parts []string
	for range rapid.IntRange(0, 5).Draw(t, "parts") {
		uuid, tag := rapid.SampledFrom(uuids).Draw(t, "uuid"), ""
		part := rapid.SampledFrom([]string{uuid, strings.ToUpper(uuid), " " + uuid + "\n"}).Draw(t, "spelling")
		for i := range rapid.IntRange(1, 4).Draw(t, "intervals") {
			if next := rapid.SampledFrom([]string{"", "", "a", "_b2"}).Draw(t, "tag"); next != "" && (i == 0 || next != tag) {
				tag = next
				part += ":" + rapid.SampledFrom([]string{tag, strings.ToUpper(tag)}).Draw(t, "spelling")
			}
			first := rapid.IntRange(1, 9).Draw(t, "first")
			last := rapid.IntRange(first, 9).Draw(t, "last")
			if part += fmt.Sprintf(":%d", first); last > first {
				part += fmt.Sprintf("-%d", last)
			}
			for n := first; n <= last; n++ {
				in[fmt.Sprintf("%s:%s:%d", uuid, tag, n)] = true
			}
		}
		parts = append(parts, part)
	}
	return strings.Join(parts, ","), in
}

// elements lists what is in a set, one by one.
func elements(s Set) map[string]bool {
	in := make(map[string]bool)
	for _, e := range s.entries {
		for _, p := range e.spans {
			for n := p.first; n <= p.last; n++ {
				in[fmt.Sprintf("%s:%s:%d", appendUUID(nil, &e.uuid), e.tag, n)] = true
			}
		}
	}
	return in
}

// The clever code against a dumb twin: sets of MySQL are sets of single transactions.
func TestSetsOfMySQLAreSetsOfTransactions(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		textA, inA := drawText(t)
		textB, inB := drawText(t)
		a, errA := Parse("mysql", textA)
		b, errB := Parse("mysql", textB)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		union, minus := maps.Clone(inA), maps.Clone(inA)
		maps.Copy(union, inB)
		maps.DeleteFunc(minus, func(k string, _ bool) bool { return inB[k] })
		type result struct {
			A, Union, Minus map[string]bool
			Count           uint64
			Contains        bool
		}
		want := result{inA, union, minus, uint64(len(inA)), len(union) == len(inA)}
		got := result{elements(a), elements(a.Union(b)), elements(a.Minus(b)), a.Count(), a.Contains(b)}
		if diff := gocmp.Diff(want, got); diff != "" {
			t.Fatal(diff)
		}
	})
}

// drawSet draws sets of both flavours, those of MariaDB with parts and several ends.
func drawSet(t *rapid.T, name string) Set {
	var s Set
	for i := range rapid.IntRange(0, 4).Draw(t, name) {
		var next Set
		var err error
		if rapid.IntRange(0, 4).Draw(t, "flavour") == 0 {
			text, _ := drawText(t)
			next, err = Parse("mysql", text)
		} else {
			text := fmt.Sprintf("%d-%d-%d", rapid.IntRange(0, 1).Draw(t, "domain"), rapid.IntRange(1, 3).Draw(t, "server"), rapid.IntRange(0, 7).Draw(t, "seq"))
			next, err = Parse("mariadb", text)
		}
		if err != nil {
			t.Fatal(err)
		}
		if i > 0 && rapid.Bool().Draw(t, "minus") {
			if rapid.Bool().Draw(t, "the other way round") {
				s, next = next, s
			}
			s = s.Minus(next)
		} else {
			s = s.Union(next)
		}
	}
	return s
}

// number is one of MariaDB's, whoever used it.
type number struct {
	domain uint32
	seq    uint64
}

func numbers(s Set) map[number]bool {
	in := make(map[number]bool)
	for _, e := range s.entries {
		for _, p := range e.spans {
			for n := p.first; e.mariadb && n <= p.last; n++ {
				in[number{e.domain, n}] = true
			}
		}
	}
	return in
}

// wellFormed checks what the algorithms count on.
func wellFormed(t *rapid.T, s Set) {
	for i, e := range s.entries {
		if i > 0 && compareKeys(&s.entries[i-1].key, &e.key) >= 0 {
			t.Fatalf("keys out of order in %s", s)
		}
		if len(e.spans) == 0 {
			t.Fatalf("an entry without transactions in %s", s)
		}
		for j, p := range e.spans {
			if p.first == 0 || p.last < p.first || j > 0 && e.spans[j-1].last+1 >= p.first {
				t.Fatalf("spans %v in %s", e.spans, s)
			}
			if e.mariadb != (len(endsAt(e.ends, p.last)) > 0) {
				t.Fatalf("no end for %v in %s", p, s)
			}
		}
		for j, x := range e.ends {
			if spanOf(e.spans, x.seq).last != x.seq || j > 0 && compareEnds(e.ends[j-1], x) >= 0 {
				t.Fatalf("ends %v in %s", e.ends, s)
			}
		}
	}
}

func TestLawsOfSets(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawSet(t, "a"), drawSet(t, "b"), drawSet(t, "c")
		union, minus := a.Union(b), a.Minus(b)
		for _, s := range []Set{a, b, c, union, minus} {
			wellFormed(t, s)
		}
		same := func(law string, x, y Set) {
			if !x.Equal(y) || x.String() != y.String() {
				t.Fatalf("%s: %s and %s, of a = %s, b = %s, c = %s", law, x, y, a, b, c)
			}
		}
		same("a+b = b+a", union, b.Union(a))
		same("(a+b)+c = a+(b+c)", union.Union(c), a.Union(b.Union(c)))
		same("(a-b)+b = a+b", minus.Union(b), union)
		same("(a-b)-b = a-b", minus.Minus(b), minus)
		same("a+a = a", a.Union(a), a)
		same("a-0 = a", a.Minus(Set{}), a)
		for law, holds := range map[string]bool{
			"a+b contains a and b":               union.Contains(a) && union.Contains(b),
			"a contains a-b":                     a.Contains(minus),
			"a-b is empty if b contains a":       minus.IsEmpty() == b.Contains(a),
			"what contains both contains a+b":    !c.Contains(a) || !c.Contains(b) || c.Contains(union),
			"only nothing counts nothing":        a.IsEmpty() == (a.Count() == 0),
			"equal is containing each other":     a.Equal(b) == (a.Contains(b) && b.Contains(a)),
			"equal sets have the same text":      a.Equal(b) == (a.String() == b.String()),
			"numbers of a-b are in a, not b":     minusNumbers(a, b, minus),
			"a contains nothing, nothing only 0": a.Contains(Set{}) && Set{}.Contains(a) == a.IsEmpty(),
		} {
			if !holds {
				t.Fatalf("%s: not for a = %s, b = %s, c = %s", law, a, b, c)
			}
		}
	})
}

// minusNumbers says that a-b has the numbers of a without those of b, but for those where both
// end, in the hands of different servers.
func minusNumbers(a, b, minus Set) bool {
	in, out, got := numbers(a), numbers(b), numbers(minus)
	for n := range in {
		if !out[n] != got[n] && !bothEndAt(a, b, n) {
			return false
		}
	}
	return true
}

func bothEndAt(a, b Set, n number) bool {
	ends := func(s Set) bool {
		for _, e := range s.entries {
			if e.mariadb && e.domain == n.domain && len(endsAt(e.ends, n.seq)) > 0 {
				return true
			}
		}
		return false
	}
	return ends(a) && ends(b)
}

// Texts of one flavour are read back as they were written.
func TestTextsAreReadBack(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := drawSet(t, "set")
		for _, flavour := range []string{"mysql", "mariadb"} {
			half := Set{slices.DeleteFunc(slices.Clone(s.entries), func(e entry) bool { return e.mariadb != (flavour == "mariadb") })}
			again, err := Parse(flavour, half.String())
			if err != nil || !again.Equal(half) {
				t.Fatalf("%s was read as %s: %v", half, again, err)
			}
		}
	})
}

func TestCompareIsAStrictPartialOrder(t *testing.T) {
	back := map[Order]Order{Same: Same, Ahead: Behind, Behind: Ahead, Diverged: Diverged}
	rapid.Check(t, func(t *rapid.T) {
		a, b, c := drawSet(t, "a"), drawSet(t, "b"), drawSet(t, "c")
		ab, bc, ac := Compare(a, b), Compare(b, c), Compare(a, c)
		if Compare(a, a) != Same || Compare(b, a) != back[ab] || a.Equal(b) != (ab == Same) {
			t.Fatalf("%s is %s of %s, which is %s of it", a, ab, b, Compare(b, a))
		}
		if ab == Same && ac != bc || bc == Same && ac != ab {
			t.Fatalf("%s is the same as %s, and yet stands otherwise to %s", a, b, c)
		}
		if ab == bc && ab != Diverged && ac != ab {
			t.Fatalf("%s is %s of %s, that is %s of %s, and yet it is %s", a, ab, b, bc, c, ac)
		}
	})
}

// Places are a strict weak order, whatever has diverged, and agree with Compare.
func TestRankAgreesWithCompare(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		sets := make([]Set, rapid.IntRange(0, 6).Draw(t, "n"))
		for i := range sets {
			sets[i] = drawSet(t, "set")
		}
		r := Rank(sets)
		diverged := make(map[[2]int]bool)
		for _, pair := range r.Diverged {
			diverged[pair] = true
		}
		for i := range sets {
			for j := range sets {
				order, places := Compare(sets[i], sets[j]), cmp.Compare(r.Places[i], r.Places[j])
				switch {
				case order == Ahead && places >= 0, order == Behind && places <= 0, order == Same && places != 0:
					t.Fatalf("%s has place %d, %s has %d", sets[i], r.Places[i], sets[j], r.Places[j])
				case len(diverged) == 0 && places == 0 && order != Same:
					t.Fatalf("%s and %s share a place", sets[i], sets[j])
				case i < j && diverged[[2]int{i, j}] != (order == Diverged):
					t.Fatalf("%s and %s: diverged is %v", sets[i], sets[j], diverged[[2]int{i, j}])
				}
			}
		}
		if len(sets) > 0 && !slices.Contains(r.Places, 0) {
			t.Fatal("nobody is the most complete")
		}
	})
}

// drawState draws a state as a server with strict mode may have it: numbers rise.
func drawState(t *rapid.T, name string) string {
	var text []string
	used := make(map[string]bool)
	for domain := range 2 {
		seq := 0
		for range rapid.IntRange(0, 4).Draw(t, name) {
			seq += rapid.IntRange(1, 3).Draw(t, "step")
			pair := fmt.Sprintf("%d-%d-", domain, rapid.IntRange(1, 4).Draw(t, "server"))
			if used[pair] {
				continue
			}
			used[pair] = true
			text = append(text, fmt.Sprintf("%s%d", pair, seq))
		}
	}
	return strings.Join(text, ",")
}

func TestErrantPartsAreOnTheReplicaAndNotOnTheSource(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		replica, errR := ParseState(drawState(t, "replica"))
		source, errS := ParseState(drawState(t, "source"))
		if errR != nil || errS != nil {
			t.Fatal(errR, errS)
		}
		s := Source{State: source, ServerID: 1, Older: rapid.Bool().Draw(t, "older")}
		x := ErrantState(replica, s)
		found := 0
		for _, w := range replica.writers {
			seq, _ := source.last(w.domain, w.server)
			wanted := seq < w.seq && (!s.Older || w.server != s.ServerID)
			i := slices.IndexFunc(x, func(p Part) bool { return p.Domain == w.domain && p.Server == w.server })
			if wanted != (i >= 0) {
				t.Fatalf("%s with the source at %s: %v, wanted %v", replica, source, x, wanted)
			}
			if i < 0 {
				continue
			}
			found++
			if p := x[i]; p.Last != w.seq || p.First <= seq || p.First > p.Last || (p.Why == Lost) != (p.Server == 1) || p.Why == "" {
				t.Fatalf("%s with the source at %s: %+v", replica, source, p)
			}
		}
		if found != len(x) || x.Count() < uint64(len(x)) {
			t.Fatalf("%s with the source at %s: %s counts %d", replica, source, x, x.Count())
		}
		if again := ErrantState(replica, Source{State: replica}); again != nil {
			t.Fatalf("%s has %s beyond itself", replica, again)
		}
	})
}
