package cli

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

const day = 24 * time.Hour

// span writes a duration the way people say it: "0.4s", "42s", "3m12s", "5h03m", "2d04h".
func span(d time.Duration) string {
	switch {
	case d < 0:
		return "-" + span(-d)
	case d < 10*time.Second-50*time.Millisecond:
		return strconv.FormatFloat(d.Seconds(), 'f', 1, 64) + "s"
	case d < time.Minute:
		return strconv.Itoa(int(d/time.Second)) + "s"
	case d < time.Hour:
		return fmt.Sprintf("%dm%02ds", d/time.Minute, d%time.Minute/time.Second)
	case d < day:
		return fmt.Sprintf("%dh%02dm", d/time.Hour, d%time.Hour/time.Minute)
	default:
		return fmt.Sprintf("%dd%02dh", d/day, d%day/time.Hour)
	}
}

// ago writes how long before now a moment was; "never" for the zero time.
func ago(now, then time.Time) string {
	if then.IsZero() {
		return "never"
	}
	return span(max(now.Sub(then), 0)) + " ago"
}

// took writes how long something lasted, to three digits: "840µs", "12.3ms", "1.04s".
func took(d time.Duration) string {
	for _, unit := range []time.Duration{time.Second, time.Millisecond, time.Microsecond} {
		if d < unit {
			continue
		}
		switch {
		case d < 10*unit:
			return d.Round(unit / 100).String()
		case d < 100*unit:
			return d.Round(unit / 10).String()
		default:
			return d.Round(unit).String()
		}
	}
	return d.String()
}

// moment writes a time to the second with its zone, leaving out today's date.
func (e *env) moment(t time.Time) string {
	if t.IsZero() {
		return "never"
	}
	t, now := t.In(e.zone()), e.sys.Now().In(e.zone())
	if t.Format(time.DateOnly) == now.Format(time.DateOnly) {
		return t.Format("15:04:05 MST")
	}
	return t.Format("2006-01-02 15:04:05 MST")
}

// stamp writes a time in full, sortable, to the millisecond.
func (e *env) stamp(t time.Time) string {
	return t.In(e.zone()).Format("2006-01-02T15:04:05.000Z07:00")
}

// parseSpan reads a duration: Go's ("90s", "1h30m") or with days ("2d", "1d12h").
func parseSpan(s string) (time.Duration, error) {
	days, rest, found := strings.Cut(s, "d")
	if !found {
		days, rest = "0", s
	}
	n, err := strconv.ParseUint(days, 10, 16)
	if err != nil {
		return 0, fmt.Errorf("%q is no duration; write 90s, 20m, 2h or 1d12h", s)
	}
	var d time.Duration
	if rest != "" || !found {
		if d, err = time.ParseDuration(rest); err != nil || d < 0 {
			return 0, fmt.Errorf("%q is no duration; write 90s, 20m, 2h or 1d12h", s)
		}
	}
	return time.Duration(n)*day + d, nil
}

// layouts are the ways to write a point in time; those without a zone are in the zone shown.
func layouts() []string {
	return []string{
		time.RFC3339Nano, "2006-01-02T15:04:05", "2006-01-02T15:04",
		"2006-01-02 15:04:05", "2006-01-02 15:04", time.DateOnly,
	}
}

// parseTime reads a full date and time, or a time of day: its nearest occurrence after now
// when future is set, before now otherwise.
func (e *env) parseTime(s string, future bool) (time.Time, error) {
	for _, layout := range layouts() {
		if t, err := time.ParseInLocation(layout, s, e.zone()); err == nil {
			return t, nil
		}
	}
	now := e.sys.Now().In(e.zone())
	for _, layout := range []string{"15:04", "15:04:05"} {
		clock, err := time.Parse(layout, s)
		if err != nil {
			continue
		}
		t := onDay(now, 0, clock)
		switch {
		case future && !t.After(now):
			t = onDay(now, 1, clock)
		case !future && t.After(now):
			t = onDay(now, -1, clock)
		}
		return t, nil
	}
	return time.Time{}, fmt.Errorf("%q is no time; write 15:04, \"2006-01-02 15:04\" or RFC 3339", s)
}

// onDay is a time of day on now's day or some days later.
func onDay(now time.Time, later int, clock time.Time) time.Time {
	return time.Date(now.Year(), now.Month(), now.Day()+later, clock.Hour(), clock.Minute(), clock.Second(), 0, now.Location())
}

// parsePast reads a point in the past: "10m", "10m ago", "02:30" or a full time.
func (e *env) parsePast(s string) (time.Time, error) {
	now := e.sys.Now()
	if d, err := parseSpan(strings.TrimSpace(strings.TrimSuffix(s, "ago"))); err == nil {
		return now.Add(-d), nil
	}
	t, err := e.parseTime(s, false)
	if err != nil {
		return t, fmt.Errorf("%q is neither a duration (10m, 2h, 1d) nor a time (02:30, \"2006-01-02 15:04\", RFC 3339)", s)
	}
	if t.After(now) {
		return t, fmt.Errorf("%s is in the future", e.moment(t))
	}
	return t, nil
}
