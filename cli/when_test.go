package cli

import (
	"testing"
	"time"
)

func testEnv() *env {
	return &env{sys: System{Now: moment, Zone: zone()}}
}

func TestAgesReadTheWayPeopleSayThem(t *testing.T) {
	for d, want := range map[time.Duration]string{
		0: "0.0s", 440 * time.Millisecond: "0.4s", 9940 * time.Millisecond: "9.9s", 9960 * time.Millisecond: "9s",
		59999 * time.Millisecond: "59s", 61 * time.Second: "1m01s", time.Hour: "1h00m", 23*time.Hour + 59*time.Minute: "23h59m",
		49 * time.Hour: "2d01h", -3 * time.Second: "-3.0s",
	} {
		if got := span(d); got != want {
			t.Errorf("span(%s) = %q, want %q", d, got, want)
		}
	}
	for d, want := range map[time.Duration]string{
		0: "0s", 400: "400ns", 812 * time.Microsecond: "812µs", 2140 * time.Microsecond: "2.14ms",
		12345 * time.Microsecond: "12.3ms", 1039 * time.Millisecond: "1.04s", 150 * time.Second: "2m30s",
	} {
		if got := took(d); got != want {
			t.Errorf("took(%d) = %q, want %q", d, got, want)
		}
	}
	if got := ago(moment(), time.Time{}); got != "never" {
		t.Errorf("a poll that never was is %q ago", got)
	}
	if got := ago(moment(), moment().Add(time.Second)); got != "0.0s ago" {
		t.Errorf("a poll a second ahead of the clock is %q", got)
	}
}

func TestDurationsTakeDays(t *testing.T) {
	for text, want := range map[string]time.Duration{
		"90s": 90 * time.Second, "1h30m": 90 * time.Minute, "2d": 48 * time.Hour, "1d12h": 36 * time.Hour, "0s": 0,
	} {
		if got, err := parseSpan(text); err != nil || got != want {
			t.Errorf("parseSpan(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "d", "5", "-1h", "1d-1h", "-1d", "1h1d", "99999999d", "soon"} {
		if got, err := parseSpan(text); err == nil {
			t.Errorf("parseSpan(%q) = %s, want an error", text, got)
		}
	}
}

func TestTimeOfDayIsTheNearestThatMakesSense(t *testing.T) {
	e := testEnv()
	for _, c := range []struct {
		text   string
		future bool
		want   string
	}{
		{"02:30", false, "2026-03-01T02:30:00+01:00"},
		{"03:30", false, "2026-02-28T03:30:00+01:00"},
		{"03:30", true, "2026-03-01T03:30:00+01:00"},
		{"02:30", true, "2026-03-02T02:30:00+01:00"},
		{"03:00", true, "2026-03-02T03:00:00+01:00"},
		{"02:30:15", false, "2026-03-01T02:30:15+01:00"},
		{"2026-02-28 23:15", false, "2026-02-28T23:15:00+01:00"},
		{"2026-02-28T23:15:00Z", false, "2026-03-01T00:15:00+01:00"},
	} {
		got, err := e.parseTime(c.text, c.future)
		if err != nil || got.In(zone()).Format(time.RFC3339) != c.want {
			t.Errorf("parseTime(%q, %v) = %s, %v; want %s", c.text, c.future, got.Format(time.RFC3339), err, c.want)
		}
	}
}

func TestPastIsADurationOrATime(t *testing.T) {
	e := testEnv()
	for text, want := range map[string]time.Time{
		"10m": moment().Add(-10 * time.Minute), "10m ago": moment().Add(-10 * time.Minute), "1d ago": moment().Add(-24 * time.Hour),
		"02:30": moment().Add(-30 * time.Minute),
	} {
		if got, err := e.parsePast(text); err != nil || !got.Equal(want) {
			t.Errorf("parsePast(%q) = %s, %v; want %s", text, got, err, want)
		}
	}
	for _, text := range []string{"", "ago", "yesterday", "2027-01-01"} {
		if got, err := e.parsePast(text); err == nil {
			t.Errorf("parsePast(%q) = %s, want an error", text, got)
		}
	}
}
