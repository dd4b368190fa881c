package demo

import (
	"fmt"
	"io"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"mpp"
	"mpp/sandbox/lab"
)

// hint is something to type, and what it shows.
type hint struct{ command, shows string }

// about is what a demo says of itself.
type about struct {
	what  string
	hints [][]hint
	after string
}

// explain prints what to look at and what to try.
func (o Options) explain(a about) {
	var b strings.Builder
	wide := 0
	for _, h := range slices.Concat(a.hints...) {
		wide = max(wide, len(h.command))
	}
	for _, group := range a.hints {
		for _, h := range group {
			fmt.Fprintf(&b, "  %-*s  # %s\n", wide, h.command, h.shows)
		}
		b.WriteByte('\n')
	}
	fmt.Fprintf(o.Out, `
%s

In another terminal%s:

  export MPP_SOCKET=%s
  alias mpp=%s

%s%s

Configuration: %s     Log: %s
Ctrl-C ends the demo and removes everything.

`, a.what, asWhom(), o.socket(), o.Mpp, b.String(), a.after, o.config(), o.log())
}

// asWhom says who may ask, where that may not be the user who types.
func asWhom() string {
	if os.Getenv("SUDO_USER") != "" {
		return ", as root (sudo -s)"
	}
	return ""
}

// teller tells what happens, a line each: when, who says it, what.
type teller struct {
	mu  sync.Mutex // guards out
	out io.Writer

	open bool // an outage was told, and is not over; only look uses it
}

func (t *teller) say(who, text string) { t.sayAt(time.Now(), who, text) }

func (t *teller) sayAt(at time.Time, who, text string) {
	t.mu.Lock()
	defer t.mu.Unlock()
	fmt.Fprintf(t.out, "%s  %-6s  %s\n", at.Local().Format("15:04:05.000"), who, text)
}

// event tells what MPP decided and did. How the nodes fare in between is for mpp events.
func (t *teller) event(e mpp.Event) {
	if e.Kind == mpp.EventStatus && e.Severity != mpp.Fail {
		return
	}
	rule := ""
	if e.Rule != "" {
		rule = " [" + e.Rule + "]"
	}
	t.sayAt(e.At, "mppd", fmt.Sprintf("%-8s  %s%s", e.Severity, e.Text, rule))
}

// longOutage is one that is told of before it is over.
const longOutage = 500 * time.Millisecond

// look tells, once, that no write is acknowledged.
func (t *teller) look(r lab.Record) {
	last := len(r.Outages) - 1
	now := last >= 0 && r.Outages[last].Open && time.Duration(r.Outages[last].Length) >= longOutage
	if now && !t.open {
		t.say("client", "no write is acknowledged any more, since "+r.Outages[last].Begin.Local().Format("15:04:05.000"))
	}
	t.open = now
}

// outage tells of an outage that is over; not of a short pause in which nothing failed, as a
// busy machine makes.
func (t *teller) outage(o lab.Outage) {
	if len(o.Errors) == 0 && o.From == o.To && time.Duration(o.Length) < longOutage {
		return
	}
	text := fmt.Sprintf("writes go to %s again", o.To)
	if o.From != o.To {
		text = fmt.Sprintf("writes go to %s now, not to %s", o.To, o.From)
	}
	text += fmt.Sprintf(": OUTAGE of %s", milliseconds(o.Length))
	if errs := counts(o.Errors); errs != "" {
		text += " (" + errs + ")"
	}
	t.sayAt(o.End, "client", text)
}

// counts is a list of counts, by name.
func counts(of map[string]int) string {
	var all []string
	for _, name := range slices.Sorted(maps.Keys(of)) {
		all = append(all, fmt.Sprintf("%d %s", of[name], name))
	}
	return strings.Join(all, ", ")
}

// milliseconds is a length as people read it.
func milliseconds(l lab.Length) time.Duration { return time.Duration(l).Round(time.Millisecond) }
