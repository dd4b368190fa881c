package fault

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Origin is where a value was set.
type Origin struct {
	// File is as it was named or found; Line counts from 1, and 0 means no line in particular.
	File string
	Line int
}

// String is "app1.cnf:12".
func (o Origin) String() string {
	if o.Line == 0 {
		return o.File
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// Problem is one thing that is wrong, or worth a warning.
type Problem struct {
	Origin
	// Key is the section and the name in it, such as "[server1] port"; empty for a file as a
	// whole.
	Key string
	// Text says what is wrong, Hint what to do; Hint may be empty.
	Text string
	Hint string
}

// String is "app1.cnf:12: [server1] port: what is wrong; what to do".
func (p Problem) String() string {
	var parts []string
	if p.File != "" {
		parts = append(parts, p.Origin.String())
	}
	if p.Key != "" {
		parts = append(parts, p.Key)
	}
	text := strings.Join(append(parts, p.Text), ": ")
	if p.Hint != "" {
		text += "; " + p.Hint
	}
	return text
}

// Problems is an error that says everything that is wrong.
type Problems struct {
	// List is never empty.
	List []Problem
}

// Error gives each problem a line of its own.
func (p *Problems) Error() string {
	if len(p.List) == 1 {
		return p.List[0].String()
	}
	lines := []string{fmt.Sprintf("%d problems:", len(p.List))}
	for _, one := range p.List {
		lines = append(lines, "  "+one.String())
	}
	return strings.Join(lines, "\n")
}

// Join is an error with the problems of list, nil when there is none.
func Join(list []Problem) error {
	if len(list) == 0 {
		return nil
	}
	return &Problems{List: list}
}

// Sort orders problems by file, line and key, and drops repetitions.
func Sort(list []Problem) []Problem {
	slices.SortStableFunc(list, func(a, b Problem) int {
		return cmp.Or(strings.Compare(a.File, b.File), cmp.Compare(a.Line, b.Line), strings.Compare(a.Key, b.Key), strings.Compare(a.Text, b.Text))
	})
	return slices.Compact(list)
}
