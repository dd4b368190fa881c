package main

import (
	"errors"
	"math"
	"strconv"
	"strings"

	"mpp/publish/statefile/format"
)

// The exit codes of Nagios plugins.
const (
	good     = 0
	warning  = 1
	critical = 2
	unknown  = 3
)

// maxLines bounds the lines after the first one.
const maxLines = 20

// verdict is what a monitor is told.
type verdict struct {
	code int
	text string
	perf string
	long []string
}

// worse raises the code. Unknown is never raised to: it stands alone.
func (v *verdict) worse(code int) { v.code = max(v.code, code) }

// report prints a verdict once and returns its exit code.
func (v voice) report(r verdict) int {
	if !v.said.CompareAndSwap(false, true) {
		return silent(v.o)
	}
	word := [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[r.code]
	out := "MPP " + word + " - " + barred(r.text)
	if r.perf != "" {
		out += " | " + r.perf
	}
	for _, line := range r.long[:min(len(r.long), maxLines)] {
		out += "\n" + barred(line)
	}
	write(1, out+"\n")
	return r.code
}

// barred keeps the bar, which begins performance data, out of a text.
func barred(text string) string { return strings.ReplaceAll(text, "|", "/") }

// judge looks at a node, or at a whole pool when no node is given.
func judge(o options) verdict {
	p, n, err := find(o)
	if err != nil {
		return verdict{code: unknown, text: err.Error()}
	}
	if n != nil {
		return judgeNode(o, p, n)
	}
	return judgePool(o, p)
}

func judgeNode(o options, p *format.Pool, n *format.Node) verdict {
	role := o.role
	if role == "" {
		role = "ok"
	}
	at := now()
	a := p.Answer(n, role, at)
	v := verdict{text: describe(n) + ", status " + n.Status}
	switch {
	case a.Stale && !a.Up:
		v.worse(critical)
		v.text = n.Address + " " + a.Reason
	case !a.Up:
		v.worse(critical)
		v.text += ", no " + role + ": " + a.Reason
	case n.Status == "WARN" || n.Status == "CRITICAL" || a.Stale:
		v.worse(warning)
	}
	if n.Message != "" {
		v.text += ": " + n.Message
	}
	if n.Lag >= 0 {
		v.limit(o, seconds(n.Lag))
	}
	v.perf = "errors=" + strconv.FormatInt(n.Errors, 10) + ";;;0 poll=" + decimal(seconds(n.Took)) + "s;;;0"
	if age := p.Age(n, at); age >= 0 {
		v.perf += " age=" + decimal(seconds(age)) + "s;;" + decimal(seconds(p.StaleAfter)) + ";0"
	}
	if n.Lag >= 0 {
		v.perf += " lag=" + decimal(seconds(n.Lag)) + "s;" + o.warn.text + ";" + o.critical.text + ";0"
	}
	return v
}

// limit applies -w and -c.
func (v *verdict) limit(o options, value float64) {
	if o.warn.alerts(value) {
		v.worse(warning)
	}
	if o.critical.alerts(value) {
		v.worse(critical)
	}
}

func describe(n *format.Node) string {
	return n.Address + " " + n.Type + " " + stateOf(n)
}

// stateOf is a node's state with the reason of FAIL.
func stateOf(n *format.Node) string {
	if n.Reason == "" {
		return n.State
	}
	return n.State + " (" + n.Reason + ")"
}

// detail is a node's line; what the reason says of the node's state again is left out.
func detail(n *format.Node, reason string) string {
	text := describe(n) + ", status " + n.Status
	if more, again := strings.CutPrefix(reason, stateOf(n)); again && (more == "" || strings.HasPrefix(more, ": ")) {
		return text + more
	}
	return text + ": " + reason
}

// census counts the nodes of a pool.
type census struct {
	writers, readers, out, ailing, stale int
	writer                               string
	outs                                 []string
	lag                                  int64
}

func count(p *format.Pool, at format.Moment) census {
	c := census{lag: -1}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if p.Answer(n, "writer", at).Up {
			c.writers++
			c.writer = n.Address
		}
		if p.Answer(n, "reader", at).Up {
			c.readers++
		}
		alive := p.Answer(n, "ok", at)
		if alive.Stale {
			c.stale++
		}
		if !alive.Up {
			c.out++
			c.outs = append(c.outs, describe(n))
		} else if n.Status == "WARN" || n.Status == "CRITICAL" {
			c.ailing++
		}
		c.lag = max(c.lag, n.Lag)
	}
	return c
}

func judgePool(o options, p *format.Pool) verdict {
	at := now()
	c := count(p, at)
	v := verdict{text: p.Name + ": " + c.summary(len(p.Nodes))}
	if o.warn.text == "" {
		o.warn, _ = parseSpan("0")
	}
	v.limit(o, float64(c.out))
	if c.ailing > 0 {
		v.worse(warning)
	}
	switch {
	case len(p.Nodes) > 0 && c.stale == len(p.Nodes):
		v.worse(critical)
		v.text = p.Name + ": no fresh data, does mppd run? (" + c.summary(len(p.Nodes)) + ")"
	case p.Status == "FAIL":
		v.worse(critical)
		v.text += ", mppd is cut off (" + p.Trouble + " trouble)"
	case c.writers == 0:
		v.worse(critical)
	}
	if p.Maintenance {
		v.text += ", in maintenance"
	}
	v.perf = "writers=" + strconv.Itoa(c.writers) + ";;1:;0 readers=" + strconv.Itoa(c.readers) + ";;;0 out=" + strconv.Itoa(c.out) + ";" +
		o.warn.text + ";" + o.critical.text + ";0;" + strconv.Itoa(len(p.Nodes))
	if c.lag >= 0 {
		v.perf += " lag=" + decimal(seconds(c.lag)) + "s;;;0"
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		v.long = append(v.long, detail(n, p.Answer(n, "ok", at).Reason))
	}
	return v
}

func (c census) summary(nodes int) string {
	text := "no writer"
	if c.writers == 1 {
		text = "writer " + c.writer
	} else if c.writers > 1 {
		text = strconv.Itoa(c.writers) + " writers"
	}
	text += ", " + strconv.Itoa(c.readers) + " for reading, " + strconv.Itoa(c.out) + " of " + strconv.Itoa(nodes) + " out"
	if len(c.outs) > 0 && len(c.outs) <= 3 {
		text += " (" + strings.Join(c.outs, ", ") + ")"
	}
	return text
}

func decimal(f float64) string { return strconv.FormatFloat(f, 'f', -1, 64) }

// span is a range as Nagios plugins take it: "10", "10:", "~:10", "10:20", "@10:20". The
// zero value never alerts.
type span struct {
	text   string
	lo, hi float64
	inside bool // alert inside of it, not outside
}

func parseSpan(text string) (span, error) {
	s := span{text: text, hi: math.Inf(1)}
	rest, inside := strings.CutPrefix(text, "@")
	s.inside = inside
	low, high, both := strings.Cut(rest, ":")
	if !both {
		low, high = "0", rest
	}
	var err1, err2 error
	if low == "~" {
		s.lo = math.Inf(-1)
	} else {
		s.lo, err1 = strconv.ParseFloat(low, 64)
	}
	if high != "" {
		s.hi, err2 = strconv.ParseFloat(high, 64)
	}
	if err1 != nil || err2 != nil || (high == "" && !both) || !(s.lo <= s.hi) || strings.ContainsAny(text, " ;'|=") {
		return span{}, errors.New("a range is 10, 10:, ~:10, 10:20 or @10:20: " + short(text))
	}
	return s, nil
}

// alerts reports whether a value calls for attention.
func (s span) alerts(value float64) bool {
	if s.text == "" {
		return false
	}
	return (value >= s.lo && value <= s.hi) == s.inside
}
