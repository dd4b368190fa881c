package conf

import (
	"fmt"
	"slices"
	"strings"
)

// ParseScript reads what an init_conf_load_script printed: a line NAME=VALUE for each value. MHA
// splits at every = and keeps the first two parts, so a value ends where it has an = itself; it
// takes off no space, and dies of an empty line. A name without = changes nothing. Problems are what
// MHA dies of, warnings what it does badly; neither shows a value, which may be a password.
func ParseScript(output string) (values map[string]string, problems, warnings []string) {
	values = map[string]string{}
	known := names()
	lines := strings.Split(output, "\n")
	if lines[len(lines)-1] == "" {
		lines = lines[:len(lines)-1]
	}
	for i, line := range lines {
		name, rest, assigned := strings.Cut(line, "=")
		value, _, more := strings.Cut(rest, "=")
		// Perl's split drops empty parts at the end, so "x=" has no value, and "=" not even a name.
		switch {
		case strings.Trim(line, "=") == "":
			problems = append(problems, fmt.Sprintf("line %d of its output is empty", i+1))
			continue
		case !slices.Contains(known, name):
			problems = append(problems, fmt.Sprintf("line %d of its output is no NAME=VALUE that MHA knows", i+1))
			continue
		case !assigned || strings.Trim(rest, "=") == "":
			delete(values, name)
			continue
		case more:
			warnings = append(warnings, fmt.Sprintf("line %d of its output: MHA cuts the value of %s off at its =", i+1, name))
		}
		values[name] = value
	}
	return values, problems, warnings
}
