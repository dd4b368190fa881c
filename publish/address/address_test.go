package address_test

import (
	"testing"

	"mpp/publish/address"
)

func TestEveryFormOfAnAddressIsReadAlike(t *testing.T) {
	cases := map[string]address.Address{
		"10.0.0.1":               {Host: "10.0.0.1"},
		"10.0.0.1:3306":          {Host: "10.0.0.1", Port: "3306"},
		"10.0.0.1:03306":         {Host: "10.0.0.1", Port: "3306"},
		"::ffff:10.0.0.1":        {Host: "10.0.0.1"},
		"::FFFF:10.0.0.1":        {Host: "10.0.0.1"},
		"[::ffff:10.0.0.1]:3306": {Host: "10.0.0.1", Port: "3306"},
		"::ffff:10.0.0.1:3306":   {Host: "10.0.0.1", Port: "3306"},
		"2001:DB8:0:0::1":        {Host: "2001:db8::1"},
		"[2001:db8::1]":          {Host: "2001:db8::1"},
		"[2001:db8::1]:3306":     {Host: "2001:db8::1", Port: "3306"},
		"fe80::1%eth0":           {Host: "fe80::1%eth0"},
		"DB1.Example.COM.:3306":  {Host: "db1.example.com", Port: "3306"},
		"db_1":                   {Host: "db_1"},
	}
	for text, want := range cases {
		got, valid := address.Parse(text)
		if !valid || got != want {
			t.Errorf("%q: %v %v, want %v", text, got, valid, want)
		}
	}
}

func TestWhatIsNoAddressIsRefused(t *testing.T) {
	long := make([]byte, 400)
	for i := range long {
		long[i] = 'a'
	}
	for _, text := range []string{
		"", ":", ":3306", "10.0.0.1:", "10.0.0.1:0", "10.0.0.1:65536", "10.0.0.1:x", "[::1", "[::1]3306", "[::1]:", "a b", "a/b",
		"../etc", "a\n", "a:1:2", "ä", "fe80::1%a/b", "[fe80::1%/]:1", "a..b", ".a", "a..", string(long),
	} {
		if got, valid := address.Parse(text); valid {
			t.Errorf("%q is %v", text, got)
		}
	}
}

func TestAddressNamesANodeByHostAndPort(t *testing.T) {
	cases := []struct {
		asked, node string
		want        bool
	}{
		{"10.0.0.1", "10.0.0.1:3306", true},
		{"10.0.0.1:3306", "10.0.0.1:3306", true},
		{"10.0.0.1:3307", "10.0.0.1:3306", false},
		{"10.0.0.1", "10.0.0.11:3306", false},
		{"10.0.0.11", "10.0.0.1:3306", false},
		{"2001:db8::1", "[2001:db8::1]:3306", true},
		{"[2001:db8::1]:3306", "[2001:db8::1]:3306", true},
		{"2001:db8::1", "2001:3306", false},
		{"db1", "db1:3306", true},
		{"db1", "db1", false},
	}
	for _, c := range cases {
		asked, valid := address.Parse(c.asked)
		if !valid || asked.Names(c.node) != c.want {
			t.Errorf("%s names %s: want %v", c.asked, c.node, c.want)
		}
	}
}

func FuzzParse(f *testing.F) {
	for _, seed := range []string{"10.0.0.1:3306", "[::1]:1", "::ffff:1.2.3.4", "a.b:1", "[", "%"} {
		f.Add(seed)
	}
	f.Fuzz(func(t *testing.T, text string) {
		a, valid := address.Parse(text)
		if !valid {
			return
		}
		again, valid := address.Parse(a.String())
		if !valid || again != a {
			t.Errorf("%q is %#v, whose text %q is %#v", text, a, a.String(), again)
		}
		if a.Port != "" && !a.Names(a.String()) {
			t.Errorf("%q does not name itself", text)
		}
	})
}
