package fault

import (
	"testing"

	"github.com/google/go-cmp/cmp"
)

func TestProblemNamesPlaceKeyTextAndWayOut(t *testing.T) {
	at := Origin{File: "a.cnf", Line: 3}
	for want, p := range map[string]Problem{
		"a.cnf:3: [x] y: wrong; mend it": {Origin: at, Key: "[x] y", Text: "wrong", Hint: "mend it"},
		"a.cnf: wrong":                   {Origin: Origin{File: "a.cnf"}, Text: "wrong"},
		"wrong":                          {Text: "wrong"},
	} {
		if p.String() != want {
			t.Errorf("%q, want %q", p, want)
		}
	}
}

func TestProblemsAreSortedAndSaidOnce(t *testing.T) {
	one, two := Problem{Origin: Origin{File: "a", Line: 1}, Text: "x"}, Problem{Origin: Origin{File: "a", Line: 2}, Text: "x"}
	list := Sort([]Problem{two, one, two})
	if diff := cmp.Diff([]Problem{one, two}, list); diff != "" {
		t.Error(diff)
	}
	if err := Join(list); err.Error() != "2 problems:\n  a:1: x\n  a:2: x" {
		t.Error(err)
	}
	if Join(list[:1]).Error() != "a:1: x" || Join(nil) != nil {
		t.Error("one problem, or none, is worded badly")
	}
}

func TestNearestFindsTypingErrorsAndNothingElse(t *testing.T) {
	candidates := []string{"user", "password", "ping_interval", "port"}
	for word, want := range map[string]string{"usr": "user", "PASSWORD": "password", "ping-interval": "ping_interval", "interval": "", "": "", "x": ""} {
		if got := Nearest(word, candidates); got != want {
			t.Errorf("%q: %q, want %q", word, got, want)
		}
	}
}
