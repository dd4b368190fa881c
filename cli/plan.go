package cli

import (
	"fmt"
	"strings"

	"mpp"
)

// plan is what a dry run shows: each step with its statements, phase by phase.
func (d drawing) plan(o *mpp.Operation, statements [][]string) string {
	var b strings.Builder
	d.page.paint(&b, bold, clean(fmt.Sprintf("a %s of pool %s, %s, would do this; nothing was touched", o.Kind, o.Pool, d.route(o, d.full))))
	b.WriteByte('\n')
	phase := ""
	for i := range o.Steps {
		s := &o.Steps[i]
		if s.Phase != phase {
			phase = s.Phase
			b.WriteString("\n" + clean(phase) + ":\n")
		}
		line := fmt.Sprintf("  %2d  %s: %s", s.N, d.where(s), d.stepWords(s))
		b.WriteString(clean(line))
		d.page.paint(&b, dim, clean(limits(s)))
		b.WriteByte('\n')
		if i < len(statements) {
			for _, statement := range statements[i] {
				b.WriteString("        " + clean(statement) + "\n")
			}
		}
	}
	b.WriteString("\nSteps of one phase run at the same time.")
	if o.Kind == mpp.OpSwitchover {
		b.WriteString(" If one fails that must not, all is undone and the old node takes writes again.")
	}
	b.WriteByte('\n')
	d.list(&b, "\nWhat to know:", o.Notes)
	return b.String()
}

// limits says how long a step may take, and whether the plan can do without it.
func limits(s *mpp.Step) string {
	var words []string
	if s.Limit > 0 {
		words = append(words, "at most "+took(s.Limit))
	}
	if s.Optional {
		words = append(words, "may fail")
	}
	if len(words) == 0 {
		return ""
	}
	return "  (" + strings.Join(words, ", ") + ")"
}
