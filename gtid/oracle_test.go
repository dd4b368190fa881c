package gtid

import (
	"strings"
	"testing"

	"github.com/go-mysql-org/go-mysql/mysql"
	"pgregory.net/rapid"
)

// oracle reads a text with another implementation, which allows of no white space.
func oracle(t *rapid.T, flavour, text string) mysql.GTIDSet {
	s, err := mysql.ParseGTIDSet(flavour, strings.Join(strings.Fields(text), ""))
	if err != nil {
		t.Fatalf("the oracle refuses %q: %v", text, err)
	}
	return s
}

func TestSetsOfMySQLAgreeWithAnotherImplementation(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		textA, _ := drawText(t)
		textB, _ := drawText(t)
		a, errA := Parse("mysql", textA)
		b, errB := Parse("mysql", textB)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		wantA, wantB := oracle(t, "mysql", textA), oracle(t, "mysql", textB)
		union := wantA.Clone()
		if err := union.Update(wantB.String()); err != nil {
			t.Fatal(err)
		}
		for what, pair := range map[string][2]any{
			"text":     {wantA.String(), a.String()},
			"union":    {union.String(), a.Union(b).String()},
			"contains": {wantA.Contain(wantB), a.Contains(b)},
			"within":   {wantB.Contain(wantA), b.Contains(a)},
			"equal":    {wantA.Equal(wantB), a.Equal(b)},
			"empty":    {wantA.IsEmpty(), a.IsEmpty()},
		} {
			if pair[0] != pair[1] {
				t.Fatalf("%s of %q and %q: the oracle says %v, we say %v", what, textA, textB, pair[0], pair[1])
			}
		}
	})
}

// The oracle takes two ends with the same number for equal, so it is asked of others only.
func TestPositionsOfMariaDBAgreeWithAnotherImplementation(t *testing.T) {
	draw := func(t *rapid.T) string {
		text := ""
		for domain := range 3 {
			if rapid.Bool().Draw(t, "domain") {
				gtid := appendGTID(nil, uint32(domain), rapid.Uint32Range(1, 2).Draw(t, "server"), rapid.Uint64Range(1, 5).Draw(t, "seq"))
				if text != "" {
					text += ","
				}
				text += string(gtid)
			}
		}
		return text
	}
	rapid.Check(t, func(t *rapid.T) {
		textA, textB := draw(t), draw(t)
		a, errA := Parse("mariadb", textA)
		b, errB := Parse("mariadb", textB)
		if errA != nil || errB != nil {
			t.Fatal(errA, errB)
		}
		wantA, wantB := oracle(t, "mariadb", textA), oracle(t, "mariadb", textB)
		twoEnds := false
		for i := range a.entries {
			x := &a.entries[i]
			at := b.seek(0, &x.key)
			twoEnds = twoEnds || b.at(at, &x.key) && b.entries[at].disagrees(x.ends[0])
		}
		for what, pair := range map[string][2]any{
			"text":     {wantA.String(), a.String()},
			"contains": {wantA.Contain(wantB) && !twoEnds, a.Contains(b)},
			"within":   {wantB.Contain(wantA) && !twoEnds, b.Contains(a)},
			"equal":    {wantA.Equal(wantB), a.Equal(b)},
			"empty":    {wantA.IsEmpty(), a.IsEmpty()},
		} {
			if pair[0] != pair[1] {
				t.Fatalf("%s of %q and %q: the oracle says %v, we say %v", what, textA, textB, pair[0], pair[1])
			}
		}
	})
}
