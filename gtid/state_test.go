package gtid

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func state(t testing.TB, text string) State {
	t.Helper()
	s, err := ParseState(text)
	if err != nil {
		t.Fatal(err)
	}
	return s
}

func TestStatesAreReadAsServersPrintThem(t *testing.T) {
	for _, c := range []struct{ name, text, want, position string }{
		{"empty", "", "", ""},
		{"MariaDB 11.8", "0-7-3,0-3-4,0-9-5,5-9-1,4294967295-4294967295-1", "0-3-4,0-7-3,0-9-5,5-9-1,4294967295-4294967295-1", "0-9-5,5-9-1,4294967295-4294967295-1"},
		{"MariaDB 10.5, the latest has not the highest server id", "0-9-5,0-7-3,0-3-6,1-2-1", "0-7-3,0-9-5,0-3-6,1-2-1", "0-3-6,1-2-1"},
		{"out of order, without strict mode", "0-1-7,0-2-3", "0-1-7,0-2-3", "0-2-3"},
		{"after the numbers ran out", "0-9-5,0-7-3,0-3-0,1-2-1", "0-7-3,0-9-5,0-3-0,1-2-1", "1-2-1"},
		{"with white space", " 0-1-7 ,\n 0-2-3 ", "0-1-7,0-2-3", "0-2-3"},
	} {
		t.Run(c.name, func(t *testing.T) {
			s := state(t, c.text)
			if diff := cmp.Diff([]string{c.want, c.position}, []string{s.String(), s.Position().String()}); diff != "" {
				t.Error(diff)
			}
			if diff := cmp.Diff(s, state(t, c.want)); diff != "" || s.IsEmpty() != (c.text == "") {
				t.Error(diff)
			}
		})
	}
}

func TestStatesThatAreNoneAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"x":                       `parse gtid_binlog_state: want a domain at byte 0: "x"`,
		"0-1-5,":                  "parse gtid_binlog_state: want a domain at its end",
		"0-1-5 0-2-6":             `parse gtid_binlog_state: want a comma at byte 6: "0-2-6"`,
		"0-1-5,0-2-6,1-1-1,0-1-7": "parse gtid_binlog_state: server 1 is there twice in domain 0",
		"0-1-5..7,0-2-6":          `parse gtid_binlog_state: a range is no GTID at byte 8: ",0-2-6"`,
	} {
		s, err := ParseState(text)
		if err == nil || !s.IsEmpty() {
			t.Errorf("%q was taken as %s", text, s)
		} else if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Error(diff)
		}
	}
}

// The rules of ErrantState, each by its case. Server 1 is the source unless the row says
// otherwise.
func TestErrantTransactionsAreToldFromOldAndFromLostOnes(t *testing.T) {
	const source = 1
	for _, c := range []struct {
		name, replica string
		source        string
		position      string
		older         bool
		want          string
		count         uint64
		why           []Why
	}{
		{name: "nothing at all"},
		{name: "equal", replica: "0-1-104", source: "0-1-104"},
		{name: "behind", replica: "0-1-100", source: "0-1-104"},
		{name: "behind, and the source took the role since", replica: "0-2-100", source: "0-2-100,0-1-104"},
		{name: "a write on a replica", replica: "0-1-104,0-3-105", source: "0-1-110", want: "0-3-105", count: 1, why: []Why{Unknown}},
		{name: "three writes", replica: "0-1-104,0-3-107", source: "0-1-104", want: "0-3-105..107", count: 3, why: []Why{Unknown}},
		{name: "a write in a domain of its own", replica: "0-1-104,7-3-12", source: "0-1-104", want: "7-3-12", count: 1, why: []Why{Unknown}},
		{name: "writes only, replicated ones are not logged", replica: "0-3-107", source: "0-1-104", want: "0-3-107", count: 1, why: []Why{Unknown}},
		{
			name: "the replica was the source once and wrote since", replica: "0-1-104,0-3-107", source: "0-3-50,0-1-104",
			want: "0-3-105..107", count: 3, why: []Why{Beyond},
		},
		{
			name: "so did it, and others wrote after it", replica: "0-3-105,0-1-110", source: "0-3-50,0-1-110",
			want: "0-3-105", count: 1, why: []Why{Beyond},
		},
		{
			name: "extra ones that it received, and a write", replica: "0-2-1010,0-3-1012", source: "0-2-1005,0-1-1009",
			want: "0-2-1006..1010,0-3-1011..1012", count: 7, why: []Why{Beyond, Unknown},
		},
		{
			name: "an old source comes back with what nobody received", replica: "0-2-1010", source: "0-2-1005,0-1-1012",
			want: "0-2-1006..1010", count: 5, why: []Why{Beyond},
		},
		{name: "the source's state is older", replica: "0-1-110", source: "0-1-104", older: true},
		{name: "the source's first transaction came after its state was read", replica: "0-2-104,0-1-105", source: "0-2-104", older: true},
		{
			name: "a write on the replica while the source's state is older", replica: "0-1-110,0-3-111", source: "0-1-104", older: true,
			want: "0-3-111", count: 1, why: []Why{Unknown},
		},
		{name: "the source lost its tail in a crash", replica: "0-1-110", source: "0-1-104", want: "0-1-105..110", count: 6, why: []Why{Lost}},
		{name: "the source was reset", replica: "0-1-110", source: "0-1-3", want: "0-1-4..110", count: 107, why: []Why{Lost}},
		{
			name: "the source was reset and has written nothing", replica: "0-2-100,0-1-110", source: "",
			want: "0-1-101..110,0-2-100", count: 11, why: []Why{Lost, Unknown},
		},
		{
			name: "the source was built from a copy: an old writer is older than its log", replica: "0-9-500,0-2-1001,0-1-1005",
			source: "0-2-1001,0-1-1005", want: "0-9-500", count: 1, why: []Why{Buried},
		},
		{
			name: "the same while its state is older", replica: "0-9-500,0-1-1005", source: "0-1-1003", older: true,
			want: "0-9-500", count: 1, why: []Why{Buried},
		},
		{name: "the source was built from a copy and has logged nothing yet", replica: "0-2-1000", source: "", position: "0-2-1000"},
		{
			name: "so was it, and an old writer is in the replica's log", replica: "0-9-500,0-2-1000", source: "", position: "0-2-1000",
			want: "0-9-500", count: 1, why: []Why{Buried},
		},
		{
			name: "so was it, and the replica has not yet got so far", replica: "0-9-500", source: "", position: "0-2-1000",
			want: "0-9-500", count: 1, why: []Why{Buried},
		},
		{
			name: "beyond the position of a source that logged nothing", replica: "0-2-1000,0-3-1001", source: "", position: "0-2-1000",
			want: "0-3-1001", count: 1, why: []Why{Unknown},
		},
		{
			name: "without strict mode the replica goes on after a write", replica: "0-3-105,0-1-110", source: "0-1-112",
			want: "0-3-105", count: 1, why: []Why{Buried},
		},
		{
			name: "the same number twice, the replica's last", replica: "0-1-105,0-3-105", source: "0-1-110",
			want: "0-3-105", count: 1, why: []Why{Unknown},
		},
		{
			name: "the same number twice, and the replica went on", replica: "0-3-105,0-1-105", source: "0-1-110",
			want: "0-3-105", count: 1, why: []Why{Buried},
		},
		{
			name: "several in several domains", replica: "0-1-9,0-3-11,0-4-12,1-1-5,2-5-3", source: "0-1-9,1-1-4",
			want: "0-3-11,0-4-12,1-1-5,2-5-3", count: 4, why: []Why{Unknown, Unknown, Lost, Unknown},
		},
		{name: "the number that stands for nothing", replica: "0-1-0", source: ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			x := ErrantState(state(t, c.replica), Source{
				State: state(t, c.source), Position: parse(t, "mariadb", c.position), ServerID: source, Older: c.older,
			})
			var why []Why
			for _, p := range x {
				why = append(why, p.Why)
			}
			type result struct {
				Text  string
				Count uint64
				Why   []Why
			}
			if diff := cmp.Diff(result{c.want, c.count, c.why}, result{x.String(), x.Count(), why}); diff != "" {
				t.Error(diff)
			}
			again, err := ParseExtra(x.String())
			if err != nil || again.String() != c.want || again.Count() != c.count {
				t.Errorf("read again it is %s: %v", again, err)
			}
		})
	}
}

func TestOnlyPicksByReason(t *testing.T) {
	x := Extra{{0, 1, 5, 7, Lost}, {0, 3, 8, 8, Unknown}, {1, 3, 1, 1, Buried}}
	if diff := cmp.Diff("0-3-8,1-3-1", x.Only(Unknown, Buried).String()); diff != "" {
		t.Error(diff)
	}
	if x.Only(Beyond) != nil || Extra(nil).Count() != 0 {
		t.Error("there is something in nothing")
	}
}

func TestTransactionsThatAreNoneAreRefused(t *testing.T) {
	for text, want := range map[string]string{
		"0-1":       "parse transactions: want a minus and a sequence number at its end",
		"0-1-0,":    `parse transactions: there is no transaction 0 at byte 5: ","`,
		"0-1-7..5":  `parse transactions: an interval ends before it begins at byte 4: "7..5"`,
		"0-1-5..7;": `parse transactions: want a comma at byte 8: ";"`,
	} {
		x, err := ParseExtra(text)
		if err == nil || x != nil {
			t.Errorf("%q was taken as %s", text, x)
		} else if diff := cmp.Diff(want, err.Error()); diff != "" {
			t.Error(diff)
		}
	}
}
