package cli

import (
	"fmt"
	"strings"
	"time"

	"mpp"
)

// barWidth is how many cells the whole of an operation takes in a chart.
const barWidth = 32

// report is all that is known of an operation.
func (d drawing) report(o *mpp.Operation) string {
	var b strings.Builder
	d.page.paint(&b, bold, clean(joined(": ", title(o), d.route(o, d.full))))
	b.WriteByte('\n')
	b.WriteString(d.facts(o))
	b.WriteByte('\n')
	d.outcome(&b, o)
	if len(o.Gates) > 0 {
		b.WriteString("\nEvidence:\n")
		d.gates(&b, o.Gates, true)
	}
	if len(o.Candidates) > 0 {
		b.WriteString("\nCandidates:\n")
		d.candidates(&b, o.Candidates)
	}
	if len(o.Steps) > 0 {
		b.WriteString("\nSteps:\n")
		d.chart(&b, o)
	}
	return b.String()
}

// facts is who, why and when.
func (d drawing) facts(o *mpp.Operation) string {
	t := &table{headless: true}
	fact := func(name, value string) {
		if value != "" {
			t.add(cell{text: "  " + name}, cell{text: value, keep: true})
		}
	}
	fact("why", o.Reason)
	if o.By == "" {
		fact("asked by", "nobody: MPP decided by itself")
	} else if !strings.Contains(o.Reason, o.By) {
		fact("asked by", o.By)
	}
	if o.Wanted != "" {
		fact("wanted", d.full(o.Wanted))
	}
	fact("options", optionsText(o.Options))
	first := o.Began
	if !o.FirstMiss.IsZero() {
		first = o.FirstMiss
	}
	for _, each := range []struct {
		name string
		at   time.Time
	}{{"first miss", o.FirstMiss}, {"began", o.Began}, {"took writes", o.Opened}, {"ended", o.Ended}} {
		fact(each.name, d.since(first, each.at))
	}
	if !o.Acknowledged.IsZero() {
		fact("acknowledged", d.dated(o.Acknowledged))
	}
	var b strings.Builder
	t.render(&b, page{})
	return b.String()
}

// since writes a time, in full for the first one and with its distance for later ones; "" for
// never.
func (d drawing) since(first, t time.Time) string {
	switch {
	case t.IsZero():
		return ""
	case !t.After(first):
		return t.In(d.zone).Format("2006-01-02 15:04:05.000 MST")
	default:
		return d.fine(t) + ", " + took(t.Sub(first)) + " later"
	}
}

// optionsText is what was asked for, as it is typed.
func optionsText(o mpp.OperationOptions) string {
	var words []string
	if o.Wait != 0 {
		words = append(words, "--wait "+o.Wait.String())
	}
	if o.KillAfter != 0 {
		words = append(words, "--kill-after "+o.KillAfter.String())
	}
	for _, each := range []struct {
		is   bool
		flag string
	}{{o.DryRun, "--dry-run"}, {o.Clone, "--clone"}, {o.AcceptLoss, "--accept-loss"}} {
		if each.is {
			words = append(words, each.flag)
		}
	}
	return strings.Join(words, " ")
}

// gates writes a line a gate. Where closed is alarming it is in red.
func (d drawing) gates(b *strings.Builder, gates []mpp.Gate, alarming bool) {
	t := &table{headless: true}
	for _, g := range gates {
		state := cell{text: "  open", style: good}
		if !g.Open {
			state = cell{text: "  closed", style: dim}
			if alarming {
				state = cell{text: "  CLOSED", style: bad}
			}
		}
		t.add(state, cell{text: g.Name}, cell{text: g.Evidence, keep: true})
	}
	t.render(b, d.page)
}

// candidates writes the order of succession, and why others may not.
func (d drawing) candidates(b *strings.Builder, list []mpp.Candidate) {
	t := &table{headless: true}
	for _, c := range list {
		rank, how := fmt.Sprintf("  %d", c.Rank), plain
		if c.Rank == 0 {
			rank, how = "  no", dim
		}
		why := c.Why
		if c.Missing != "" {
			why = joined("; ", why, "would have to be given first: "+c.Missing)
		}
		t.add(cell{text: rank, style: how}, cell{text: d.full(c.Address)}, cell{text: why, keep: true})
	}
	t.render(b, d.page)
}

// chart draws the steps of an operation over its time.
func (d drawing) chart(b *strings.Builder, o *mpp.Operation) {
	from, to := extent(o)
	scale := scaled{from: from, whole: to.Sub(from)}
	t := &table{}
	total := took(scale.whole)
	t.heading("  PHASE", "NODE", "STEP", "0"+strings.Repeat(" ", max(barWidth-1-width(total), 1))+total, "TOOK", "FOUND")
	opened := o.Opened
	for i := range o.Steps {
		s := &o.Steps[i]
		if !opened.IsZero() && !s.Began.Before(opened) {
			t.add(d.writersIn(o, scale)...)
			opened = time.Time{}
		}
		bar := cell{}
		if end := stepEnd(s); !end.IsZero() {
			bar = cell{text: scale.bar(s.Began, end), style: note}
		}
		found := cell{text: stepText(s)}
		if s.Status == mpp.StepFailed {
			bar.style, found.keep = bad, true
		}
		t.add(cell{text: "  " + s.Phase}, cell{text: d.where(s)}, cell{text: d.stepWords(s)}, bar, cost(s), found)
	}
	if !opened.IsZero() {
		t.add(d.writersIn(o, scale)...)
	}
	t.render(b, d.page)
}

// writersIn is the line of a chart that says when the new node took writes.
func (d drawing) writersIn(o *mpp.Operation, scale scaled) []cell {
	since := "since it began"
	if !o.FirstMiss.IsZero() {
		since = "since the first miss"
	}
	return []cell{
		{text: "  (writes)", style: good},
		{text: d.short(o.New)},
		{},
		{text: scale.mark(o.Opened), style: good},
		{text: took(o.Opened.Sub(scale.from)), right: true},
		{text: since},
	}
}

// extent is from when to when a chart goes.
func extent(o *mpp.Operation) (from, to time.Time) {
	from, to = o.Began, o.Ended
	if !o.FirstMiss.IsZero() && o.FirstMiss.Before(from) {
		from = o.FirstMiss
	}
	if o.Opened.After(to) {
		to = o.Opened
	}
	for i := range o.Steps {
		if end := stepEnd(&o.Steps[i]); end.After(to) {
			to = end
		}
	}
	if !to.After(from) {
		to = from.Add(time.Millisecond)
	}
	return from, to
}

// scaled turns times into cells.
type scaled struct {
	from  time.Time
	whole time.Duration
}

// at is how many cells lie before a time.
func (s scaled) at(t time.Time) int {
	part := float64(t.Sub(s.from)) / float64(s.whole)
	return min(max(int(part*barWidth), 0), barWidth)
}

// bar is a line from one time to another, of one cell at least.
func (s scaled) bar(from, to time.Time) string {
	first := min(s.at(from), barWidth-1)
	return strings.Repeat(" ", first) + strings.Repeat("#", max(s.at(to)-first, 1))
}

// mark points at a time.
func (s scaled) mark(t time.Time) string { return strings.Repeat(" ", s.at(t)) + "^" }
