package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
)

// Problem is one thing that is wrong, or worth a warning.
type Problem struct {
	// File is as it was named or found; Line counts from 1, and 0 means no line in particular.
	File string
	Line int
	// Key is the full name, such as "pool.orders.interval"; empty for a file as a whole.
	Key string
	// Text says what is wrong, Hint what to do; Hint may be empty.
	Text string
	Hint string
}

// String is "mpp.toml:12: pool.orders.interval: what is wrong; what to do".
func (p Problem) String() string {
	var b strings.Builder
	b.WriteString(p.File)
	if p.Line > 0 {
		fmt.Fprintf(&b, ":%d", p.Line)
	}
	if b.Len() > 0 {
		b.WriteString(": ")
	}
	if p.Key != "" {
		b.WriteString(p.Key + ": ")
	}
	b.WriteString(p.Text)
	if p.Hint != "" {
		b.WriteString("; " + p.Hint)
	}
	return b.String()
}

// Problems is the error that Load returns: everything that is wrong, in the order of the
// files and lines.
type Problems struct {
	// List is never empty.
	List []Problem
}

// Error gives each problem a line of its own.
func (p *Problems) Error() string {
	if len(p.List) == 1 {
		return p.List[0].String()
	}
	lines := make([]string, 0, len(p.List)+1)
	lines = append(lines, fmt.Sprintf("%d problems in the configuration:", len(p.List)))
	for _, problem := range p.List {
		lines = append(lines, "  "+problem.String())
	}
	return strings.Join(lines, "\n")
}

// Origin is where a value was set.
type Origin struct {
	// File and Line are as in Problem.
	File string
	Line int
	// Key is the full name of the key as it was set, such as "defaults.interval".
	Key string

	// bad marks a value that could not be read: its default stands in, and nothing that
	// depends on it is worth saying.
	bad bool
}

// String is "mpp.toml:12".
func (o Origin) String() string {
	if o.Line == 0 {
		return o.File
	}
	return fmt.Sprintf("%s:%d", o.File, o.Line)
}

// origins maps the name of a key within its section to where it was set.
type origins map[string]Origin

// tidy sorts problems by file (in the order of files), line and key, and drops repetitions.
func tidy(problems []Problem, files []string) []Problem {
	slices.SortStableFunc(problems, func(a, b Problem) int {
		return cmp.Or(
			cmp.Compare(slices.Index(files, a.File), slices.Index(files, b.File)),
			cmp.Compare(a.Line, b.Line),
			strings.Compare(a.Key, b.Key),
		)
	})
	seen := make(map[Problem]bool, len(problems))
	return slices.DeleteFunc(problems, func(p Problem) bool {
		known := seen[p]
		seen[p] = true
		return known
	})
}
