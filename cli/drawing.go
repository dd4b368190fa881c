package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mpp"
)

// drawing lays out operations and what belongs to them. It is pure: what it gives depends on its
// fields and on what it is given only.
type drawing struct {
	page page
	zone *time.Location
	// names are the labels of nodes by address, for those that have one.
	names map[string]string
}

// drawing prepares to draw what concerns the nodes of a view.
func (e *env) drawing(v *mpp.View, wide bool) drawing {
	d := drawing{page: e.page(wide), zone: e.zone(), names: map[string]string{}}
	for i := range v.Pools {
		for j := range v.Pools[i].Nodes {
			if n := &v.Pools[i].Nodes[j]; label(n) != "" {
				d.names[n.Address] = n.Name
			}
		}
	}
	return d
}

// short is a node's label, or its address when it has none.
func (d drawing) short(address string) string { return orNone(d.names[address], address) }

// full is a node's address with its label when it has one.
func (d drawing) full(address string) string {
	if name := d.names[address]; name != "" {
		return address + " (" + name + ")"
	}
	return address
}

// fine writes a time of day to the millisecond, for what lasts less than a second.
func (d drawing) fine(t time.Time) string { return t.In(d.zone).Format("15:04:05.000 MST") }

// dated writes date and time to the second.
func (d drawing) dated(t time.Time) string { return t.In(d.zone).Format("2006-01-02 15:04:05 MST") }

// title names an operation: "switchover 7 of pool shop".
func title(o *mpp.Operation) string { return fmt.Sprintf("%s %d of pool %s", o.Kind, o.ID, o.Pool) }

// route says from whom to whom the role goes, or which node is repaired.
func (d drawing) route(o *mpp.Operation, name func(string) string) string {
	to := orNone(o.New, o.Wanted)
	switch {
	case o.Kind == mpp.OpReopen:
		return name(o.New)
	case !moves(o):
		return name(o.Old)
	case to == "":
		return name(o.Old) + " -> ?"
	case o.Old == "":
		return "nobody -> " + name(to)
	default:
		return name(o.Old) + " -> " + name(to)
	}
}

// moves reports whether an operation gives the role to another node.
func moves(o *mpp.Operation) bool { return o.Kind == mpp.OpFailover || o.Kind == mpp.OpSwitchover }

// stepWords is what a step does, in a few words.
func (d drawing) stepWords(s *mpp.Step) string {
	words := string(s.Kind)
	switch {
	case s.Detail != "":
		words += " " + s.Detail
	case s.Peer != "" && s.Kind == mpp.StepRepoint:
		words += " -> " + d.short(s.Peer)
	case s.Peer != "" && s.Kind == mpp.StepCopyFrom:
		words += " " + d.short(s.Peer)
	case s.Peer != "":
		words += " <- " + d.short(s.Peer)
	}
	if s.Undo {
		words = "undo: " + words
	}
	return words
}

// where is the node of a step, "-" for a hook.
func (d drawing) where(s *mpp.Step) string { return orNone(d.short(s.Node), "-") }

// cost is how long a step took, or what became of it instead.
func cost(s *mpp.Step) cell {
	c := cell{text: took(s.Took), right: true}
	switch s.Status {
	case mpp.StepDone:
	case mpp.StepFailed:
		c.text, c.style = "FAILED", bad
	case mpp.StepSkipped:
		c.text, c.style = "skipped", dim
	case mpp.StepRunning:
		c.text, c.style = "running", note
	default:
		c.text, c.style = "-", dim
	}
	return c
}

// stepText is what a step found, with how long it took when that is not said elsewhere.
func stepText(s *mpp.Step) string {
	if s.Status != mpp.StepFailed {
		return s.Text
	}
	text := fmt.Sprintf("after %s: %s", took(s.Took), orNone(s.Text, "no reason given"))
	if s.Optional {
		text += " (the plan goes on without it)"
	}
	return text
}

// stepEnd is when a step ended; zero when it has not, or never began.
func stepEnd(s *mpp.Step) time.Time {
	if s.Began.IsZero() || (s.Status != mpp.StepDone && s.Status != mpp.StepFailed) {
		return time.Time{}
	}
	return s.Began.Add(s.Took)
}

// writeGap is how long nobody could write in a switchover: from the beginning of the step that
// made the old node read-only until the new one took writes, or, when it was undone, until the
// old one did again.
func writeGap(o *mpp.Operation) (time.Duration, bool) {
	var from, to time.Time
	to = o.Opened
	for i := range o.Steps {
		s := &o.Steps[i]
		if s.Node != o.Old {
			continue
		}
		if s.Kind == mpp.StepReadOnly && !s.Undo && from.IsZero() {
			from = s.Began
		}
		if s.Kind == mpp.StepWritable && s.Undo && s.Status == mpp.StepDone && o.Opened.IsZero() {
			to = stepEnd(s)
		}
	}
	if from.IsZero() || !to.After(from) {
		return 0, false
	}
	return to.Sub(from), true
}

// outage is how long there was no writer: from the first poll that failed, or, in a switchover,
// the write gap.
func outage(o *mpp.Operation) (time.Duration, bool) {
	if o.Kind != mpp.OpFailover {
		return writeGap(o)
	}
	from := o.FirstMiss
	if from.IsZero() {
		from = o.Began
	}
	if o.Opened.IsZero() {
		return 0, false
	}
	return o.Opened.Sub(from), true
}

// lost says in a word what was lost.
func lost(o *mpp.Operation) cell {
	switch {
	case o.LostCount > 0:
		return cell{text: plural(int(o.LostCount), "transaction"), style: bad}
	case o.Lost != "":
		return cell{text: "some", style: bad}
	case o.NothingLost != "":
		return cell{text: "nothing"}
	case o.Kind == mpp.OpFailover && !o.Opened.IsZero():
		return cell{text: "not known", style: caution}
	default:
		return cell{text: "-"}
	}
}

// unacknowledged reports whether a failover holds up the next one until somebody has seen to it.
func unacknowledged(o *mpp.Operation) bool {
	return o.Kind == mpp.OpFailover && o.Outcome == mpp.Stopped && o.Acknowledged.IsZero()
}

// outcome says how an operation ended, or how far it is.
func outcome(o *mpp.Operation) cell {
	switch {
	case o.Ended.IsZero():
		return cell{text: joined(": ", "under way", o.Phase), style: note}
	case unacknowledged(o):
		return cell{text: "STOPPED, not acknowledged", style: bad}
	case o.Outcome == mpp.Completed:
		return cell{text: string(o.Outcome), style: good}
	case o.Outcome == mpp.Stopped && o.Kind == mpp.OpFailover:
		return cell{text: "stopped, acknowledged", style: caution}
	case o.Outcome == mpp.Stopped:
		return cell{text: "STOPPED", style: bad}
	default:
		return cell{text: string(o.Outcome), style: caution}
	}
}

// howToSee is the command that shows an operation.
func howToSee(o *mpp.Operation) string {
	return fmt.Sprintf("mpp failovers show %d --pool %s", o.ID, o.Pool)
}

// list writes lines below a heading, nothing when there are none.
func (d drawing) list(b *strings.Builder, heading string, lines []string) {
	if len(lines) == 0 {
		return
	}
	b.WriteString(heading + "\n")
	for _, line := range lines {
		b.WriteString("  " + clean(line) + "\n")
	}
}

// byEnd sorts steps in the order in which they ended.
func byEnd(steps []*mpp.Step) {
	slices.SortStableFunc(steps, func(a, b *mpp.Step) int { return stepEnd(a).Compare(stepEnd(b)) })
}
