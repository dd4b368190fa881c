package gtid

import (
	"fmt"
	"math"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// What servers print, and how it reads. Texts with a server's name are from that server.
func TestWhatServersPrintIsRead(t *testing.T) {
	const a, b = "3e11fa47-71ca-11e1-9e33-c80aa9429562", "aaaaaaaa-0000-0000-0000-000000000001"
	for _, c := range []struct {
		name, flavour, text, want string
		count                     uint64
	}{
		{"nothing", "mysql", "", "", 0},
		{"nothing of MariaDB", "mariadb", "", "", 0},
		{"white space", "mysql", " \n", "", 0},
		{"MySQL 9.7", "mysql", "ecea4048-e5be-11f1-8b2e-02fc00000001:1-3", "ecea4048-e5be-11f1-8b2e-02fc00000001:1-3", 3},
		{
			"MySQL 9.7 with tags and holes", "mysql",
			"11111111-0000-0000-0000-000000000001:5:7,\naaaaaaaa-0000-0000-0000-000000000001:9223372036854775806,\n" +
				"ecea4048-e5be-11f1-8b2e-02fc00000001:1-3:_x:1:alpha:1-2:zeta_1:1",
			"11111111-0000-0000-0000-000000000001:5:7,aaaaaaaa-0000-0000-0000-000000000001:9223372036854775806," +
				"ecea4048-e5be-11f1-8b2e-02fc00000001:1-3:_x:1:alpha:1-2:zeta_1:1",
			10,
		},
		{"upper case, any order, touching and overlapping", "mysql", strings.ToUpper(b) + ":tag:4:8-6000000:7,\n " + strings.ToUpper(a) + " : 5-9 : 1 - 4 ,\n" + b + ":9:TAG:1-3", a + ":1-9," + b + ":9:tag:1-4:7-6000000", 9 + 1 + 5999998},
		{"only tags", "mysql", a + ":x:1:y:2", a + ":x:1:y:2", 2},
		{"a tag twice", "mysql", a + ":x:1:y:2:X:2", a + ":x:1-2:y:2", 3},
		{"the longest tag", "mysql", a + ":abcdefghijklmnopqrstuvwxyz012345:1", a + ":abcdefghijklmnopqrstuvwxyz012345:1", 1},
		{"all there can be", "mysql", a + ":1-9223372036854775806," + b + ":1-9223372036854775806:t:1-9223372036854775806", a + ":1-9223372036854775806," + b + ":1-9223372036854775806:t:1-9223372036854775806", math.MaxUint64},
		{"MariaDB 11.8, gtid_binlog_pos", "mariadb", "0-3-6,1-2-1,5-9-1,4294967295-4294967295-1", "0-3-6,1-2-1,5-9-1,4294967295-4294967295-1", 9},
		{"MariaDB 10.5, gtid_slave_pos as it was set", "mariadb", "0-1-100,3-2-101", "0-1-100,3-2-101", 201},
		{"a position in another order", "mariadb", "10-1-5, 9-2-7 ,\n0-1-3", "0-1-3,9-2-7,10-1-5", 15},
		{"MariaDB 11.8, set to nothing", "mariadb", "0-1-0,9-4-0", "", 0},
		{"the highest number", "mariadb", "0-1-18446744073709551615,1-1-1", "0-1-18446744073709551615,1-1-1", math.MaxUint64},
		{"parts", "mariadb", "0-3-105..107,1-2-9..9,2-1-1..4", "0-3-105..107,1-2-9..9,2-1-4", 8},
		{"a position and what follows it", "mariadb", "0-3-105..107,0-1-104", "0-3-107", 107},
		{"two ends", "mariadb", "0-1-5,0-2-5..5", "0-1-5,0-2-5..5", 6},
		{"two ends of the first transaction", "mariadb", "0-1-1,0-2-1..1", "0-1-1,0-2-1..1", 2},
	} {
		t.Run(c.name, func(t *testing.T) {
			s, err := Parse(c.flavour, c.text)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(c.want, s.String()); diff != "" {
				t.Error(diff)
			}
			if s.Count() != c.count || s.IsEmpty() != (c.count == 0) {
				t.Errorf("%d transactions, empty %v, want %d", s.Count(), s.IsEmpty(), c.count)
			}
			again, err := Parse(c.flavour, c.want)
			if diff := cmp.Diff(s, again); diff != "" || err != nil {
				t.Error("its own text is read otherwise", diff, err)
			}
		})
	}
}

func TestErrorsSayWhatIsWrongAndWhere(t *testing.T) {
	const a = "3e11fa47-71ca-11e1-9e33-c80aa9429562"
	for _, c := range []struct{ flavour, text, want string }{
		{"oracle", "x", `the flavour "oracle" is neither mysql nor mariadb`},
		{"", a + ":1", `the flavour "" is neither mysql nor mariadb`},
		{"mysql", "x", `want a uuid at byte 0: "x"`},
		{"mysql", strings.Replace(a, "-", "x", 1) + ":1", `want a uuid at byte 0: "3e11fa47x71ca-11e1-9e33-c80aa9429562:1"`},
		{"mysql", strings.Replace(a, "e", "g", 1) + ":1", `want a uuid at byte 0: "3g11fa47-71ca-11e1-9e33-c80aa9429562:1"`},
		{"mysql", "0-1-105", `want a uuid at byte 0: "0-1-105"`},
		{"mysql", a, "want a colon and an interval at its end"},
		{"mysql", a + ":", "want a transaction's number at its end"},
		{"mysql", a + ":1,", "want a uuid at its end"},
		{"mysql", a + ":1;" + a, `want a comma at byte 38: ";3e11fa47-71ca-11e1-9e33-c80aa9429562"`},
		{"mysql", a + ":1-", "want a transaction's number at its end"},
		{"mysql", a + ":0-3", `there is no transaction 0 at byte 37: "0-3"`},
		{"mysql", a + ":5-3", `an interval ends before it begins at byte 37: "5-3"`},
		{"mysql", a + ":1-9223372036854775807", `a transaction's number is greater than 9223372036854775806 at byte 39: "9223372036854775807"`},
		{"mysql", a + ":99999999999999999999999", `a transaction's number is greater than 9223372036854775806 at byte 37: "99999999999999999999999"`},
		{"mysql", a + ":tag", "want a colon and an interval at its end"},
		{"mysql", a + ":tag:tog:1", `the tag tag has no interval at byte 41: "tog:1"`},
		{"mysql", a + ":abcdefghijklmnopqrstuvwxyz0123456:1", `a tag has more than 32 characters at byte 37: "abcdefghijklmnopqrstuvwxyz0123456:1"`},
		{"mysql", a + ":1tag:1", `want a comma at byte 38: "tag:1"`},
		{"mysql", a + ":1\x00", `want a comma at byte 38: "\x00"`},
		{"mariadb", "x", `want a domain at byte 0: "x"`},
		{"mariadb", a + ":1", `want a minus and a server id at byte 1: "e11fa47-71ca-11e1-9e33-c80aa9429562:1"`},
		{"mariadb", "0", "want a minus and a server id at its end"},
		{"mariadb", "0-1", "want a minus and a sequence number at its end"},
		{"mariadb", "0-1-", "want a sequence number at its end"},
		{"mariadb", "0-1-5,", "want a domain at its end"},
		{"mariadb", "4294967296-1-5", `a domain is greater than 4294967295 at byte 0: "4294967296-1-5"`},
		{"mariadb", "0-4294967296-5", `a server id is greater than 4294967295 at byte 2: "4294967296-5"`},
		{"mariadb", "0-1-18446744073709551616", `a sequence number is greater than 18446744073709551615 at byte 4: "18446744073709551616"`},
		{"mariadb", "0-1-5,0-2-6", "domain 0 is there twice; a position has each domain once"},
		{"mariadb", "0-1-7..5", `an interval ends before it begins at byte 4: "7..5"`},
		{"mariadb", "0-1-0..5", `there is no transaction 0 at byte 4: "0..5"`},
		{"mariadb", "0-1-5.7", `want a comma at byte 5: ".7"`},
	} {
		s, err := Parse(c.flavour, c.text)
		if err == nil || !s.IsEmpty() {
			t.Errorf("%q was taken as %s", c.text, s)
			continue
		}
		if diff := cmp.Diff("parse GTID set: "+c.want, err.Error()); diff != "" {
			t.Errorf("%q: %s", c.text, diff)
		}
	}
}

func TestTextsAreBounded(t *testing.T) {
	long := strings.Repeat(" ", MaxText+1)
	want := fmt.Sprintf("it has %d bytes, more than %d", MaxText+1, MaxText)
	for _, parse := range []func() error{
		func() error { _, err := Parse("mysql", long); return err },
		func() error { _, err := Parse("mariadb", long); return err },
		func() error { _, err := ParseState(long); return err },
		func() error { _, err := ParseExtra(long); return err },
	} {
		if err := parse(); err == nil || !strings.HasSuffix(err.Error(), want) {
			t.Errorf("%v, want %s", err, want)
		}
	}
	_, err := Parse("mysql", strings.Repeat("x", MaxText))
	if err == nil || len(err.Error()) > 200 {
		t.Error("the error is as long as the text")
	}
}

// The worst that fits into the bound must not hold up a poll for long: a text in the worst order,
// all of one key, would take minutes if entries were joined two by two.
func TestLongTextsInTheWorstOrderAreRead(t *testing.T) {
	var mysql, mariadb strings.Builder
	n := 0
	for ; mysql.Len() < MaxText-100; n++ {
		fmt.Fprintf(&mysql, "3e11fa47-71ca-11e1-9e33-c80aa9429562:%d,", 1000000-2*n)
	}
	s, err := Parse("mysql", strings.TrimSuffix(mysql.String(), ","))
	if err != nil || s.Count() != uint64(n) {
		t.Error(s.Count(), n, err)
	}
	for n = 0; mariadb.Len() < MaxText-100; n++ {
		fmt.Fprintf(&mariadb, "0-%d-7..7,", 1000000-n)
	}
	m, err := Parse("mariadb", strings.TrimSuffix(mariadb.String(), ","))
	if err != nil || m.Count() != uint64(n) {
		t.Error(m.Count(), n, err)
	}
	if !m.Contains(m) || !m.Minus(m).IsEmpty() || !m.Union(m).Equal(m) {
		t.Error("it does not contain itself")
	}
}

func parse(t testing.TB, flavour, text string) Set {
	t.Helper()
	s, err := Parse(flavour, text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

// flavourOf tells the texts of tests apart: only those of MySQL have colons.
func flavourOf(text string) string {
	if strings.Contains(text, ":") {
		return "mysql"
	}
	return "mariadb"
}

func TestWhatOneSetHasBeyondAnother(t *testing.T) {
	const a, b, c = "aaaaaaaa-0000-0000-0000-00000000000", "bbbbbbbb-0000-0000-0000-00000000000", "cccccccc-0000-0000-0000-00000000000"
	for _, row := range []struct {
		name, a, b, minus, union string
		order                    Order
		count                    uint64
	}{
		{"both empty", "", "", "", "", Same, 0},
		{"one empty", a + "1:1-5", "", a + "1:1-5", a + "1:1-5", Ahead, 5},
		{"equal", a + "1:1-5", a + "1:1-5", "", a + "1:1-5", Same, 0},
		{"behind", a + "1:1-5", a + "1:1-7", "", a + "1:1-7", Behind, 0},
		{"ahead", a + "1:1-7", a + "1:1-5", a + "1:6-7", a + "1:1-7", Ahead, 2},
		{"a hole", a + "1:1-7", a + "1:1-3:5-7", a + "1:4", a + "1:1-7", Ahead, 1},
		{"holes in both", a + "1:1-3:5-9", a + "1:2-6:9", a + "1:1:7-8", a + "1:1-9", Diverged, 3},
		{"another server", a + "1:1-5," + b + "1:1-2", a + "1:1-6", b + "1:1-2", a + "1:1-6," + b + "1:1-2", Diverged, 2},
		{"servers between", a + "1:1," + c + "1:1", b + "1:1", a + "1:1," + c + "1:1", a + "1:1," + b + "1:1," + c + "1:1", Diverged, 2},
		{"a tag is another row of numbers", a + "1:1-5:x:1-3", a + "1:1-5:x:1:y:1-3", a + "1:x:2-3", a + "1:1-5:x:1-3:y:1-3", Diverged, 2},
		{"MariaDB, ahead", "0-1-110", "0-1-105", "0-1-106..110", "0-1-110", Ahead, 5},
		{"MariaDB, ahead by one", "0-1-106", "0-1-105", "0-1-106..106", "0-1-106", Ahead, 1},
		{"MariaDB, ahead with another server", "0-2-110", "0-1-105", "0-2-106..110", "0-2-110", Ahead, 5},
		{"MariaDB, the same number of another server", "0-2-105", "0-1-105", "0-2-105..105", "0-1-105,0-2-105..105", Diverged, 1},
		{"MariaDB, another domain", "0-1-5,7-1-2", "0-1-5", "7-1-2", "0-1-5,7-1-2", Ahead, 2},
		{"MariaDB, ahead in one domain each", "0-1-9,1-1-2", "0-1-5,1-1-3", "0-1-6..9", "0-1-9,1-1-3", Diverged, 4},
		{"MariaDB, ahead in one, diverged in the other", "0-1-9,1-1-2", "0-1-5,1-2-2", "0-1-6..9,1-1-2..2", "0-1-9,1-1-2,1-2-2..2", Diverged, 5},
		{"MariaDB, one of two ends", "0-1-5,0-2-5..5", "0-2-5", "0-1-5..5", "0-1-5,0-2-5..5", Ahead, 1},
		{"MariaDB, past two ends", "0-1-5,0-2-5..5", "0-3-6", "", "0-3-6", Behind, 0},
		{"MariaDB, a part cut out", "0-1-9", "0-2-4..6", "0-1-3,0-1-7..9", "0-1-9", Ahead, 6},
		{"of two flavours", a + "1:1-3", "0-1-2", a + "1:1-3", a + "1:1-3,0-1-2", Diverged, 3},
	} {
		t.Run(row.name, func(t *testing.T) {
			x, y := parse(t, flavourOf(row.a), row.a), parse(t, flavourOf(row.b), row.b)
			type result struct {
				Minus, Union string
				Count        uint64
				Order, Back  Order
			}
			back := map[Order]Order{Same: Same, Ahead: Behind, Behind: Ahead, Diverged: Diverged}
			want := result{row.minus, row.union, row.count, row.order, back[row.order]}
			less := x.Minus(y)
			got := result{less.String(), x.Union(y).String(), less.Count(), Compare(x, y), Compare(y, x)}
			if diff := cmp.Diff(want, got); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestOwnTransactionsOfTheSourceAreNotErrantInAnOlderSet(t *testing.T) {
	const source, other = "aaaaaaaa-0000-0000-0000-00000000000a", "bbbbbbbb-0000-0000-0000-000000000001"
	for _, c := range []struct{ name, replica, source, uuid, want string }{
		{"nothing", source + ":1-5", source + ":1-5", source, ""},
		{"the source's set is older", source + ":1-9:job:1", source + ":1-5", source, ""},
		{"in upper case", source + ":1-9", source + ":1-5", strings.ToUpper(source), ""},
		{"written on the replica", source + ":1-9," + other + ":1-2", source + ":1-5", source, other + ":1-2"},
		{"with a tag", source + ":1-9," + other + ":1-2:x:1", source + ":1-5," + other + ":1-2", source, other + ":x:1"},
		{"the source's set is newer: it has lost them", source + ":1-9," + other + ":1", source + ":1-5", "", source + ":6-9," + other + ":1"},
		{"no uuid", source + ":1-9", source + ":1-5", "x", source + ":6-9"},
	} {
		t.Run(c.name, func(t *testing.T) {
			got := Errant(parse(t, "mysql", c.replica), parse(t, "mysql", c.source), c.uuid)
			if diff := cmp.Diff(c.want, got.String()); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestRankPutsTheMostCompleteFirst(t *testing.T) {
	sets := func(texts ...string) (all []Set) {
		for _, text := range texts {
			all = append(all, parse(t, "mariadb", text))
		}
		return all
	}
	for _, c := range []struct {
		name string
		sets []Set
		want Ranking
	}{
		{"nobody", nil, Ranking{Places: []int{}}},
		{"one", sets("0-1-5"), Ranking{Places: []int{0}}},
		{"a chain", sets("0-1-5", "0-1-9", "", "0-1-5", "0-1-7"), Ranking{Places: []int{2, 0, 4, 2, 1}}},
		{"two ends", sets("0-1-5", "0-2-5", "0-1-4"), Ranking{Places: []int{0, 0, 2}, Diverged: [][2]int{{0, 1}}}},
		{
			"one is ahead of some and diverged from others", sets("0-1-5", "1-1-1", "0-1-4", "0-1-6"),
			Ranking{Places: []int{1, 0, 2, 0}, Diverged: [][2]int{{0, 1}, {1, 2}, {1, 3}}},
		},
	} {
		if diff := cmp.Diff(c.want, Rank(c.sets)); diff != "" {
			t.Errorf("%s: %s", c.name, diff)
		}
	}
}
