package takeover

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// table begins a table.
func (b *builder) table(name string, comments ...string) {
	b.text.WriteByte('\n')
	for _, c := range comments {
		b.text.WriteString(comment(c))
	}
	b.text.WriteString(name + "\n")
}

// key writes a key, whose value is TOML already.
func (b *builder) key(name, value, note string) {
	b.text.WriteString(name + " = " + value)
	if note != "" {
		b.text.WriteString("  # " + note)
	}
	b.text.WriteByte('\n')
}

// quote is a text in TOML.
func quote(text string) string {
	var b strings.Builder
	b.WriteByte('"')
	for _, r := range text {
		switch {
		case r == '"' || r == '\\':
			b.WriteByte('\\')
			b.WriteRune(r)
		case r < ' ' || r == 0x7f:
			fmt.Fprintf(&b, `\u%04X`, r)
		default:
			b.WriteRune(r)
		}
	}
	b.WriteByte('"')
	return b.String()
}

// duration is a duration in TOML.
func duration(d time.Duration) string {
	if d%time.Second == 0 {
		return quote(strconv.FormatInt(int64(d/time.Second), 10) + "s")
	}
	return quote(strconv.FormatInt(int64(d/time.Millisecond), 10) + "ms")
}

// inline is an inline table of pairs of names and values.
func inline(pairs []string) string { return "{ " + strings.Join(pairs, ", ") + " }" }

// width is where comments are broken.
const width = 98

// comment is a text as lines of a comment.
func comment(text string) string { return indented("# ", text) }

// indented breaks a text; the lines after the first begin with a deeper lead.
func indented(lead, text string) string {
	var b strings.Builder
	line := lead
	empty := true
	for _, word := range strings.Fields(plain(text)) {
		if !empty && len(line)+1+len(word) > width {
			b.WriteString(line + "\n")
			line, empty = "#"+strings.Repeat(" ", len(lead)-1), true
		}
		if !empty {
			line += " "
		}
		line += word
		empty = false
	}
	b.WriteString(strings.TrimRight(line, " ") + "\n")
	return b.String()
}

// plain is a text that may stand in a comment: no control characters.
func plain(text string) string {
	return strings.Map(func(r rune) rune {
		if r < ' ' || r == 0x7f {
			return ' '
		}
		return r
	}, text)
}
