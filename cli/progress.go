package cli

import (
	"fmt"
	"strings"

	"mpp"
)

// The least widths of the columns of progress, which are fixed before it is known what comes.
const (
	phaseWidth = 10
	stepWidth  = 20
	tookWidth  = 7
)

// progress tells an operation while it goes on: each step once, as it ends.
type progress struct {
	drawing
	told map[int]bool
	// nodeWidth is the width of the nodes' column.
	nodeWidth int
	begun     bool
}

func newProgress(d drawing, p *mpp.PoolView) *progress {
	t := &progress{drawing: d, told: map[int]bool{}}
	for i := range p.Nodes {
		t.nodeWidth = max(t.nodeWidth, width(d.short(p.Nodes[i].Address)))
	}
	return t
}

// news is what is new of an operation since the last call: its title, the steps that have ended.
func (t *progress) news(o *mpp.Operation) string {
	var b strings.Builder
	if !t.begun {
		t.begun = true
		t.page.paint(&b, bold, clean(joined(": ", title(o), t.route(o, t.full))))
		b.WriteByte('\n')
	}
	var ended []*mpp.Step
	for i := range o.Steps {
		s := &o.Steps[i]
		over := s.Status == mpp.StepDone || s.Status == mpp.StepFailed || s.Status == mpp.StepSkipped
		if over && !t.told[s.N] {
			t.told[s.N] = true
			ended = append(ended, s)
		}
	}
	byEnd(ended)
	for _, s := range ended {
		b.WriteString(t.line(s))
	}
	return b.String()
}

// line is a step that has ended.
func (t *progress) line(s *mpp.Step) string {
	c := cost(s)
	parts := []string{padded(clean(s.Phase), phaseWidth), padded(clean(t.where(s)), t.nodeWidth), padded(clean(t.stepWords(s)), stepWidth)}
	text := "  " + strings.Join(parts, "  ") + "  " + strings.Repeat(" ", max(tookWidth-width(c.text), 0)) + t.page.painted(c.style, c.text)
	return strings.TrimRight(text+"  "+clean(stepText(s)), " ") + "\n"
}

func padded(s string, to int) string { return s + strings.Repeat(" ", max(to-width(s), 0)) }

// end is what is told when an operation has ended.
func (d drawing) end(o *mpp.Operation) string {
	var b strings.Builder
	d.outcome(&b, o)
	if o.Outcome != mpp.Completed {
		b.WriteString("the report: " + clean(howToSee(o)) + "\n")
	}
	return b.String()
}

// outcome is how an operation ended, what it cost, and what is left to do.
func (d drawing) outcome(b *strings.Builder, o *mpp.Operation) {
	first, how := verdictOf(o)
	d.page.paint(b, how, clean(first))
	b.WriteByte('\n')
	if gap, known := outage(o); known {
		b.WriteString(clean(d.gapWords(o, took(gap))) + "\n")
	}
	if moves(o) {
		d.loss(b, o)
	}
	if unacknowledged(o) {
		fmt.Fprintf(b, "MPP starts no failover of pool %s by itself before: mpp failovers ack %d --pool %s\n", clean(o.Pool), o.ID, clean(o.Pool))
	}
	d.list(b, "left to do:", o.Notes)
}

// verdictOf is the outcome in one line.
func verdictOf(o *mpp.Operation) (string, style) {
	switch o.Outcome {
	case mpp.Completed:
		return joined(": ", "completed in "+took(o.Ended.Sub(o.Began)), o.Why), good
	case mpp.RolledBack:
		return "ROLLED BACK: " + orNone(o.Why, "no reason given"), bad
	case mpp.Stopped:
		return "STOPPED, look at it now: " + orNone(o.Why, "no reason given"), bad
	case mpp.Abandoned:
		return "ABANDONED: " + orNone(o.Why, "no reason given"), caution
	default:
		return joined(": ", "under way", o.Phase), note
	}
}

// gapWords says how long there was no writer, and from when to when.
func (d drawing) gapWords(o *mpp.Operation, gap string) string {
	if o.Opened.IsZero() {
		return fmt.Sprintf("no writes for %s, from the step read-only until %s took them again", gap, d.full(o.Old))
	}
	from := "the step read-only"
	switch {
	case o.Kind == mpp.OpFailover && o.FirstMiss.IsZero():
		from = "the beginning of the failover"
	case o.Kind == mpp.OpFailover:
		from = "the first poll that failed"
	}
	return fmt.Sprintf("no writes for %s, from %s until %s took them at %s", gap, from, d.full(o.New), d.fine(o.Opened))
}

// loss says what was lost, or why nothing was.
func (d drawing) loss(b *strings.Builder, o *mpp.Operation) {
	l := lost(o)
	switch {
	case o.LostCount > 0 || o.Lost != "":
		d.page.paint(b, bad, clean(joined(": ", "LOST "+l.text, o.Lost)))
	case o.NothingLost != "":
		b.WriteString(clean("nothing was lost: " + o.NothingLost))
	case l.text != "-":
		d.page.paint(b, caution, "whether transactions were lost is not known")
	default:
		return
	}
	b.WriteByte('\n')
}
