package cli

import (
	"strings"
	"testing"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mpp"
)

func TestNothingFromOutsideControlsTheTerminal(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		got := clean(rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOf(rapid.Byte()), func(b []byte) string { return string(b) })).Draw(t, "text"))
		if !utf8.ValidString(got) {
			t.Fatalf("%q is not valid UTF-8", got)
		}
		for _, r := range got {
			if r < ' ' || (r >= 0x7f && r < 0xa0) || (r >= 0x202a && r <= 0x202e) || (r >= 0x2066 && r <= 0x2069) {
				t.Fatalf("%q holds the control character %U", got, r)
			}
		}
	})
}

func TestCutTextFitsAndStaysWhole(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := clean(rapid.String().Draw(t, "text"))
		limit := rapid.IntRange(0, 40).Draw(t, "limit")
		got := cut(s, limit)
		if width(got) > limit {
			t.Fatalf("cut(%q, %d) = %q is %d wide", s, limit, got, width(got))
		}
		if !utf8.ValidString(got) || !strings.HasPrefix(s, strings.TrimSuffix(got, ellipsis)) {
			t.Fatalf("cut(%q, %d) = %q is no beginning of it", s, limit, got)
		}
		if width(s) <= limit && got != s {
			t.Fatalf("cut(%q, %d) = %q cut what fits", s, limit, got)
		}
	})
}

func TestWidthCountsCellsNotBytes(t *testing.T) {
	for s, want := range map[string]int{"": 0, "abc": 3, "каталог": 7, "数据库": 6, "e\u0301": 1, "한글": 4, "🔥": 2, "a\u200bb": 2, "…": 1} {
		if got := width(s); got != want {
			t.Errorf("width(%q) = %d, want %d", s, got, want)
		}
	}
}

func TestColumnsStandBelowOneAnother(t *testing.T) {
	tab := &table{}
	tab.heading("A", "N", "B")
	tab.add(cell{text: "数据库", style: bad}, cell{text: "7", right: true}, cell{text: "x"})
	tab.add(cell{text: "b"}, cell{}, cell{text: "y"})
	tab.add(cell{text: "c", style: loud}, cell{text: "1234", right: true}, cell{})
	want := "A          N  B\n数据库     7  x\nb             y\nc       1234\n"
	for _, colour := range []bool{false, true} {
		var b strings.Builder
		tab.render(&b, page{colour: colour})
		if diff := cmp.Diff(want, withoutColours(b.String())); diff != "" {
			t.Errorf("colour %v: -want +got\n%s", colour, diff)
		}
	}
}

func TestNearestNameIsOnlySuggestedWhenItIsNear(t *testing.T) {
	names := []string{"shop", "audit", "orders"}
	for typed, want := range map[string]string{"shpo": "shop", "Audit": "audit", "order": "orders", "zzzzzz": "", "": "", "shop-old": "shop"} {
		if got := nearest(typed, names); got != want {
			t.Errorf("nearest(%q) = %q, want %q", typed, got, want)
		}
	}
}

func nodesOf(pools ...mpp.PoolView) *mpp.View { return &mpp.View{Pools: pools} }

func TestNodeIsNamedInEveryWayThatIsUnique(t *testing.T) {
	v := nodesOf(
		mpp.PoolView{Name: "a", Nodes: []mpp.NodeView{
			{Address: "10.0.0.1:3306"},
			{Address: "10.0.0.1:3307"},
			{Address: "10.0.0.10:3306", Name: "db10"},
			{Address: "[2001:db8::1]:3306"},
			{Address: "db1.east.example.net:3306"},
		}},
		mpp.PoolView{Name: "b", Nodes: []mpp.NodeView{{Address: "db1.west.example.net:3306"}, {Address: "db2.west.example.net:3306", Name: "blue"}}},
	)
	for name, want := range map[string]string{
		"10.0.0.1:3306": "10.0.0.1:3306", "10.0.0.1:3307": "10.0.0.1:3307",
		"10.0.0.1":      "names 2 nodes",
		"10.0.0.10":     "10.0.0.10:3306",
		"db10":          "10.0.0.10:3306",
		"DB1.EAST":      "db1.east.example.net:3306",
		"db1":           "names 2 nodes",
		"db2":           "db2.west.example.net:3306",
		"blu":           "db2.west.example.net:3306",
		"2001:db8::1":   "[2001:db8::1]:3306",
		"[2001:db8::1]": "[2001:db8::1]:3306",
		"db3":           "there is no node",
		"a":             "there is no node",
	} {
		f, err := nodeOf(v, name)
		got := f.address()
		if err != nil {
			got = err.Error()
		}
		if got != want && (err == nil || !strings.Contains(got, want)) {
			t.Errorf("%q names %q, want %q", name, got, want)
		}
	}
}

func TestNameOfAPoolAndANodeIsNotGuessed(t *testing.T) {
	v := nodesOf(
		mpp.PoolView{Name: "db1", Nodes: []mpp.NodeView{{Address: "db1.example.net:3306"}}},
		mpp.PoolView{Name: "db", Nodes: []mpp.NodeView{{Address: "x:1"}}},
	)
	if _, err := poolOrNode(v, "db1"); err == nil || !strings.Contains(err.Error(), "a pool and a node") {
		t.Errorf("db1 is a pool and a node; got %v", err)
	}
	if f, err := poolOrNode(v, "db"); err != nil || f.node != nil || f.pool.Name != "db" {
		t.Errorf("a prefix of a node is no clash with pool db: %+v, %v", f, err)
	}
	if f, err := poolOrNode(v, "db1.example.net:3306"); err != nil || f.address() != "db1.example.net:3306" {
		t.Errorf("a full address is the node: %+v, %v", f, err)
	}
}
