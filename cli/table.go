package cli

import (
	"strings"
)

// style says how a cell looks on a terminal that shows colours.
type style uint8

const (
	plain style = iota
	bold
	dim
	good
	note
	caution
	bad
	// loud is for what must not be overlooked: stale data, no writer.
	loud
)

// sgr returns the escape sequence of a style, "" for plain.
func (s style) sgr() string {
	switch s {
	case bold:
		return "\x1b[1m"
	case dim:
		return "\x1b[2m"
	case good:
		return "\x1b[32m"
	case note:
		return "\x1b[36m"
	case caution:
		return "\x1b[33m"
	case bad:
		return "\x1b[31m"
	case loud:
		return "\x1b[1;7;31m"
	default:
		return ""
	}
}

// page is how something is laid out: in colours or not, and how wide at most.
type page struct {
	colour bool
	// width is in cells; 0 means that nothing is cut.
	width int
}

func (p page) paint(b *strings.Builder, s style, text string) {
	code := s.sgr()
	if !p.colour || code == "" || text == "" {
		b.WriteString(text)
		return
	}
	b.WriteString(code)
	b.WriteString(text)
	b.WriteString("\x1b[0m")
}

// painted is paint as a value.
func (p page) painted(s style, text string) string {
	var b strings.Builder
	p.paint(&b, s, text)
	return b.String()
}

// cell is one field of a table.
type cell struct {
	text  string
	style style
	// right aligns to the right, for numbers.
	right bool
	// keep keeps the last column from being cut.
	keep bool
}

// table lays cells out in columns. The last column is cut to the page; the others are not,
// so that no state is ever hidden.
type table struct {
	rows [][]cell
	// headless says that the first row is no heading.
	headless bool
}

const (
	gap = 2 // spaces between columns
	// minLast is what is left to the last column on a narrow terminal, where lines wrap
	// rather than lose their message.
	minLast = 16
)

func (t *table) add(cells ...cell) {
	for i := range cells {
		cells[i].text = clean(cells[i].text)
	}
	t.rows = append(t.rows, cells)
}

func (t *table) heading(names ...string) {
	cells := make([]cell, len(names))
	for i, name := range names {
		cells[i] = cell{text: name, style: dim}
	}
	t.rows = append(t.rows, cells)
}

// columns returns the width of each column but the last.
func (t *table) columns() []int {
	var widths []int
	for _, row := range t.rows {
		for i, c := range row[:max(len(row)-1, 0)] {
			if i == len(widths) {
				widths = append(widths, 0)
			}
			widths[i] = max(widths[i], width(c.text))
		}
	}
	return widths
}

// render writes the table without trailing spaces.
func (t *table) render(b *strings.Builder, p page) {
	widths := t.columns()
	left := p.width
	for _, w := range widths {
		left -= w + gap
	}
	left = max(left, minLast)
	for n, row := range t.rows {
		pending := 0
		for i, c := range row {
			text, pad := c.text, 0
			if i < len(widths) {
				pad = widths[i] - width(text)
			} else if p.width > 0 && !c.keep {
				text = cut(text, left)
			}
			before := 0
			if c.right || (n == 0 && !t.headless && t.isRight(i)) {
				before, pad = pad, 0
			}
			if text == "" {
				pending += before + pad + gap
				continue
			}
			b.WriteString(strings.Repeat(" ", pending+before))
			p.paint(b, c.style, text)
			pending = pad + gap
		}
		b.WriteByte('\n')
	}
}

// isRight reports whether a column is aligned to the right: as its second row is.
func (t *table) isRight(column int) bool {
	for _, row := range t.rows[1:] {
		if column < len(row) && row[column].text != "" {
			return row[column].right
		}
	}
	return false
}
