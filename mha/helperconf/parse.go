package helperconf

import (
	"fmt"
	"regexp"
	"strings"

	"mpp/fault"
)

// The two kinds of lines, as Python 2's RawConfigParser has them. Python's \s holds \v, too.
var (
	sectionLine = regexp.MustCompile(`^\[([^]]+)\]`)
	optionLine  = regexp.MustCompile(`^([^:=\s\v][^:=]*)[:=][\s\v]*(.*)$`)
)

// space is what Python's strip takes off.
const space = " \t\n\v\f\r"

// option is a key's value as it stands in the file.
type option struct {
	value string
	line  int
}

// section is one of the file's; a section that is there twice is one.
type section struct {
	name    string
	line    int
	options map[string]option
	// order are the keys as they come.
	order []string
}

// document is a file taken apart.
type document struct {
	file     string
	sections []*section
	// everywhere is [DEFAULT], in capital letters, whose keys count in every section.
	everywhere *section

	problems, warnings []fault.Problem
}

func (d *document) origin(line int) fault.Origin { return fault.Origin{File: d.file, Line: line} }

func (d *document) fail(line int, key, text, hint string) {
	d.problems = append(d.problems, fault.Problem{Origin: d.origin(line), Key: key, Text: text, Hint: hint})
}

func (d *document) warn(line int, key, text, hint string) {
	d.warnings = append(d.warnings, fault.Problem{Origin: d.origin(line), Key: key, Text: text, Hint: hint})
}

// keyOf is a key as problems name it.
func keyOf(s *section, key string) string { return "[" + s.name + "] " + key }

// parse takes a file apart by the rules of RawConfigParser.
func parse(file, text string) *document {
	d := &document{file: file, everywhere: &section{name: "DEFAULT", options: map[string]option{}}}
	var in *section
	key := ""
	number := 0
	for line := range strings.SplitSeq(strings.TrimPrefix(text, "\ufeff"), "\n") {
		number++
		switch header := sectionLine.FindStringSubmatch(line); {
		case idle(line):
		case strings.ContainsRune(space, rune(line[0])) && in != nil && key != "":
			d.indented(number, line, keyOf(in, key))
		case header != nil:
			in, key = d.section(header[1], number), ""
		case in == nil:
			d.fail(number, "", "this line stands above the first [section]", "write [default] above it")
			return d // as RawConfigParser, which reads no further
		default:
			key = d.option(in, line, number)
		}
	}
	return d
}

// idle reports whether a line is empty or a comment.
func idle(line string) bool {
	trimmed := strings.Trim(line, space)
	if trimmed == "" || line[0] == '#' || line[0] == ';' {
		return true
	}
	first := strings.ToLower(strings.FieldsFunc(line, func(r rune) bool { return strings.ContainsRune(space, r) })[0])
	return first == "rem" && (line[0] == 'r' || line[0] == 'R')
}

// indented judges a line that RawConfigParser adds to the value above it. No key has a value of
// several lines.
func (d *document) indented(number int, line, key string) {
	trimmed := strings.Trim(line, space)
	if trimmed[0] == '#' || trimmed[0] == ';' {
		d.warn(number, key, "MHA Helper took this indented comment for a part of the value above it; MPP does not", "begin comments at the start of a line")
		return
	}
	d.fail(number, key, "this line is indented, so it belongs to the value above it", "begin it at the start of the line")
}

// section finds or begins a section.
func (d *document) section(name string, line int) *section {
	if name == d.everywhere.name {
		d.everywhere.line = line
		return d.everywhere
	}
	for _, s := range d.sections {
		if s.name == name {
			d.warn(line, "["+name+"]", fmt.Sprintf("this section began on line %d already: both count as one", s.line), "join them")
			return s
		}
	}
	s := &section{name: name, line: line, options: map[string]option{}}
	d.sections = append(d.sections, s)
	return s
}

// option takes a line with a key; it returns the key, "" when there is none.
func (d *document) option(in *section, line string, number int) string {
	match := optionLine.FindStringSubmatch(line)
	if match == nil {
		d.fail(number, "["+in.name+"]", fmt.Sprintf("%q is neither a [section] nor KEY = VALUE", strings.Trim(line, space)), "mend it, or begin it with # if it is a comment")
		return ""
	}
	key := strings.ToLower(strings.TrimRight(match[1], space))
	if before, twice := in.options[key]; twice {
		d.warn(number, keyOf(in, key), fmt.Sprintf("it is set on line %d already: this one counts", before.line), "keep one of the two")
	} else {
		in.order = append(in.order, key)
	}
	in.options[key] = option{value: optionValue(match[2]), line: number}
	return key
}

// optionValue cuts an inline comment off a value: a ; behind a space, the first ; only. One that
// begins the value counts when the value ends with a space: Python's index -1.
func optionValue(value string) string {
	if at := strings.IndexByte(value, ';'); at >= 0 && len(value) > 0 {
		before := value[(at-1+len(value))%len(value)]
		if strings.IndexByte(space, before) >= 0 {
			value = value[:at]
		}
	}
	value = strings.Trim(value, space)
	if value == `""` {
		return ""
	}
	return value
}
