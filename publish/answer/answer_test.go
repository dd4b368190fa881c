package answer_test

import (
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"mpp"
	"mpp/publish/answer"
	"mpp/publish/publishtest"
)

func TestStateIsSeenFromTheRoleAskedFor(t *testing.T) {
	now := time.Now()
	view := publishtest.View(now)
	for _, c := range []struct {
		role mpp.Role
		node string
		up   bool
		want answer.State
	}{
		{mpp.RoleWriter, publishtest.Active, true, answer.Writer},
		{mpp.RoleReader, publishtest.Active, false, answer.Standby},
		{mpp.RoleOK, publishtest.Active, true, answer.Writer},
		{mpp.RoleWriter, publishtest.Standby, false, answer.Standby},
		{mpp.RoleReader, publishtest.Standby, true, answer.Reader},
		{mpp.RoleOK, publishtest.Standby, true, answer.Reader},
		{mpp.RoleOK, publishtest.Dead, false, answer.Down},
		{mpp.RoleWriter, publishtest.Unpolled, false, answer.Down},
	} {
		got := answer.To(answer.Question{Role: c.role, Node: c.node}, view, now)
		if got.Up != c.up || got.State != c.want || got.Node != c.node || got.Pool != "db1" {
			t.Errorf("%s of %s: %+v, want %v %s", c.role, c.node, got, c.up, c.want)
		}
	}
}

func TestNoStateIsPartOfAnother(t *testing.T) {
	all := []answer.State{answer.Writer, answer.Reader, answer.Standby, answer.Down}
	for _, a := range all {
		for _, b := range all {
			if a != b && strings.Contains(string(a), string(b)) {
				t.Errorf("a balancer that looks for %s finds it in %s", b, a)
			}
		}
	}
}

func TestOneLineIsShortAndWhole(t *testing.T) {
	for _, text := range []string{"", "plain", "a\r\nb\tc", "\x1b[31m", strings.Repeat("ä", 1000), "\xff\xfe", "x\u2028y"} {
		got := answer.OneLine(text)
		if len(got) > answer.MaxReason || strings.ContainsAny(got, "\r\n\t\x1b\u2028") || !utf8.ValidString(got) {
			t.Errorf("%q becomes %q", text, got)
		}
	}
	if got := answer.OneLine("as it is: ä"); got != "as it is: ä" {
		t.Errorf("changed to %q", got)
	}
}
