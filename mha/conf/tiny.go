package conf

import (
	"regexp"
	"strings"

	"mpp/fault"
)

// The lines of Config::Tiny 2.28. Perl's \s holds \v, too.
var (
	idleLine     = regexp.MustCompile(`^[\s\v]*(?:#|;|$)`)
	inlineNote   = regexp.MustCompile(`(?s)[\s\v];[\s\v].+$`)
	sectionLine  = regexp.MustCompile(`(?s)^[\s\v]*\[[\s\v]*(.+?)[\s\v]*\][\s\v]*$`)
	propertyLine = regexp.MustCompile(`(?s)^[\s\v]*([^=]+?)[\s\v]*=[\s\v]*(.*?)[\s\v]*$`)
)

// property is a value as it stands in the file.
type property struct {
	text string
	at   fault.Origin
}

// block is a section; one that is there twice is one.
type block struct {
	name  string
	at    fault.Origin
	props map[string]property
}

// tiny is a file as Config::Tiny takes it apart.
type tiny struct {
	file   string
	blocks map[string]*block
}

// outside is the block of what stands above the first section.
const outside = "_"

// parseTiny takes a file apart.
func parseTiny(file, text string, r *reporter) *tiny {
	t := &tiny{file: file, blocks: map[string]*block{}}
	in := outside
	for _, l := range split(text) {
		at := fault.Origin{File: file, Line: l.number}
		if idleLine.MatchString(l.text) {
			continue
		}
		line := inlineNote.ReplaceAllString(l.text, "")
		if m := sectionLine.FindStringSubmatch(line); m != nil {
			in = m[1]
			if before, twice := t.blocks[in]; twice {
				r.warn(at, "["+in+"]", "this section began in "+before.at.String()+" already: both count as one", "join them")
			}
			t.block(in, at)
			continue
		}
		m := propertyLine.FindStringSubmatch(line)
		if m == nil { // the line is not shown: it may hold a password
			r.fail(at, "", "this line is neither a [section] nor NAME = VALUE", "mend it, or begin it with # if it is a comment")
			continue
		}
		if line != l.text && strings.HasSuffix(m[1], "password") {
			r.warn(at, keyOf(in, m[1]), "MHA takes what stands behind \" ; \" for a comment", "")
		}
		t.set(in, m[1], property{text: m[2], at: at}, r)
	}
	return t
}

func (t *tiny) block(name string, at fault.Origin) *block {
	b, known := t.blocks[name]
	if !known {
		b = &block{name: name, at: at, props: map[string]property{}}
		t.blocks[name] = b
	}
	return b
}

func (t *tiny) set(in, name string, p property, r *reporter) {
	b := t.block(in, p.at)
	if before, twice := b.props[name]; twice {
		r.warn(p.at, keyOf(in, name), "it is set in "+before.at.String()+" already: this one counts", "keep one of the two")
	}
	b.props[name] = p
}

// keyOf is a parameter as problems name it.
func keyOf(block, name string) string { return "[" + block + "] " + name }

// numbered is a line with its number as editors count.
type numbered struct {
	text   string
	number int
}

// split cuts a text at \r\r\n, \r\n, \r and \n, as Config::Tiny does. Only \n counts as a line.
func split(text string) []numbered {
	var lines []numbered
	number, start := 1, 0
	cut := func(from, next int) {
		lines = append(lines, numbered{text: text[start:from], number: number})
		start = next
	}
	for i := 0; i < len(text); i++ {
		rest := text[i:]
		switch {
		case strings.HasPrefix(rest, "\r\r\n"):
			cut(i, i+3)
			number++
			i += 2
		case strings.HasPrefix(rest, "\r\n"):
			cut(i, i+2)
			number++
			i++
		case rest[0] == '\r':
			cut(i, i+1)
		case rest[0] == '\n':
			cut(i, i+1)
			number++
		}
	}
	return append(lines, numbered{text: text[start:], number: number})
}

// reporter collects what is wrong.
type reporter struct{ problems, warnings []fault.Problem }

func (r *reporter) fail(at fault.Origin, key, text, hint string) {
	r.problems = append(r.problems, fault.Problem{Origin: at, Key: key, Text: text, Hint: hint})
}

func (r *reporter) warn(at fault.Origin, key, text, hint string) {
	r.warnings = append(r.warnings, fault.Problem{Origin: at, Key: key, Text: text, Hint: hint})
}
