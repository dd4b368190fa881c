package gtid

import "testing"

// FuzzParse holds that no text makes Parse panic, that what was taken is read back from its own
// text, and that sets made of any two texts keep the laws that decisions rest on.
func FuzzParse(f *testing.F) {
	for _, text := range []string{
		"", "0-1-5", "0-1-100, 3-2-101", "0-3-105..107,0-2-105..105", "0-1-5,0-2-5..5", "0-1-18446744073709551615", "0-1-0,0-1-0",
		"ecea4048-e5be-11f1-8b2e-02fc00000001:1-3:_x:1:alpha:1-2:zeta_1:1,\n11111111-0000-0000-0000-000000000001:5:7",
		"AAAAAAAA-0000-0000-0000-000000000001 : 9 : 1 - 9223372036854775806", "aaaaaaaa-0000-0000-0000-000000000001:tag", "\x00", "0-1-\x00",
	} {
		f.Add(text, "0-1-5,1-1-1")
		f.Add("aaaaaaaa-0000-0000-0000-000000000001:2-4:t:1", text)
	}
	f.Fuzz(func(t *testing.T, textA, textB string) {
		for _, flavour := range []string{mysqlFlavour, mariadbFlavour} {
			a, b := readBack(t, flavour, textA), readBack(t, flavour, textB)
			union, minus := a.Union(b), a.Minus(b)
			if !union.Contains(a) || !union.Contains(b) || !union.Equal(b.Union(a)) {
				t.Errorf("%s is no union of %s and %s", union, a, b)
			}
			if minus.IsEmpty() != b.Contains(a) || !a.Contains(minus) || !minus.Union(b).Equal(union) {
				t.Errorf("%s is not what %s has beyond %s", minus, a, b)
			}
			if (minus.Count() == 0) != minus.IsEmpty() {
				t.Errorf("%s counts %d", minus, minus.Count())
			}
			readBack(t, flavour, union.String())
			readBack(t, flavour, minus.String())
		}
	})
}

// readBack parses a text and what is made of it. What was not taken is the empty set.
func readBack(t *testing.T, flavour, text string) Set {
	s, err := Parse(flavour, text)
	if err != nil {
		if !s.IsEmpty() || len(err.Error()) > 400 {
			t.Errorf("with the error %v came %s", err, s)
		}
		return s
	}
	again, err := Parse(flavour, s.String())
	if err != nil || !again.Equal(s) || again.String() != s.String() {
		t.Errorf("%q is %s, that is %s: %v", text, s, again, err)
	}
	return s
}

// FuzzParseState holds that no text makes ParseState, ParseExtra or ErrantState panic, that what
// was taken is read back from its own text, and that nobody has anything beyond himself.
func FuzzParseState(f *testing.F) {
	for _, text := range []string{
		"", "0-7-3,0-3-4,0-9-5,5-9-1,4294967295-4294967295-1", "0-9-5,0-7-3,0-3-0,1-2-1", "0-1-7,0-1-7", "0-1-5..7", "0-1-18446744073709551615",
	} {
		f.Add(text, "0-7-3,0-3-4", uint32(7), true)
		f.Add("0-7-4,0-9-1", text, uint32(0), false)
	}
	f.Fuzz(func(t *testing.T, textA, textB string, id uint32, older bool) {
		replica, source := stateBack(t, textA), stateBack(t, textB)
		for _, position := range []Set{{}, source.Position(), replica.Position()} {
			x := ErrantState(replica, Source{State: source, Position: position, ServerID: id, Older: older})
			extraBack(t, x)
			if (x.Count() == 0) != (len(x) == 0) {
				t.Errorf("%s counts %d", x, x.Count())
			}
		}
		if x := ErrantState(replica, Source{State: replica, ServerID: id}); x != nil {
			t.Errorf("%s has %s beyond itself", replica, x)
		}
		if x, err := ParseExtra(textA); err == nil {
			extraBack(t, x)
		}
	})
}

func stateBack(t *testing.T, text string) State {
	s, err := ParseState(text)
	if err != nil {
		return s
	}
	again, err := ParseState(s.String())
	if err != nil || !again.Equal(s) || again.String() != s.String() {
		t.Errorf("%q is %s, that is %s: %v", text, s, again, err)
	}
	position := s.Position()
	if p, err := Parse(mariadbFlavour, position.String()); err != nil || !p.Equal(position) {
		t.Errorf("the position of %s is %s: %v", s, position, err)
	}
	return s
}

func extraBack(t *testing.T, x Extra) {
	again, err := ParseExtra(x.String())
	if err != nil || again.String() != x.String() || again.Count() != x.Count() {
		t.Errorf("%s is read as %s: %v", x, again, err)
	}
}
