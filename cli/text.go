package cli

import (
	"strings"
	"unicode"
	"unicode/utf8"
)

// ellipsis marks where a text was cut.
const ellipsis = "…"

// clean makes a text from outside safe for a terminal and for one line: line breaks and tabs
// become spaces; other control characters, invalid bytes and what changes the direction of
// writing become U+FFFD.
func clean(s string) string {
	if isPlain(s) {
		return s
	}
	var b strings.Builder
	for _, r := range s {
		switch {
		case r == '\n' || r == '\r' || r == '\t' || r == '\u2028' || r == '\u2029':
			b.WriteByte(' ')
		case unicode.IsControl(r) || r == utf8.RuneError || unicode.Is(unicode.Bidi_Control, r):
			b.WriteRune(utf8.RuneError)
		default:
			b.WriteRune(r)
		}
	}
	return strings.TrimRight(b.String(), " ")
}

func isPlain(s string) bool {
	for i := range len(s) {
		if s[i] < ' ' || s[i] > '~' {
			return false
		}
	}
	return true
}

// width returns how many character cells s takes on a terminal.
func width(s string) int {
	if isPlain(s) {
		return len(s)
	}
	total := 0
	for _, r := range s {
		total += runeWidth(r)
	}
	return total
}

// runeWidth returns 0 for marks that combine, 2 for East Asian wide characters and emoji.
func runeWidth(r rune) int {
	switch {
	case unicode.In(r, unicode.Mn, unicode.Me, unicode.Cf):
		return 0
	case isWide(r):
		return 2
	default:
		return 1
	}
}

// isWide covers the ranges that Unicode's EastAsianWidth.txt marks W or F, by block.
func isWide(r rune) bool {
	switch {
	case r < 0x1100:
		return false
	case r <= 0x115f, // Hangul Jamo
		r >= 0x2e80 && r <= 0xa4cf && r != 0x303f, // CJK radicals to Yi
		r >= 0xac00 && r <= 0xd7a3,                // Hangul syllables
		r >= 0xf900 && r <= 0xfaff,                // CJK compatibility
		r >= 0xfe30 && r <= 0xfe6f,                // CJK compatibility forms
		r >= 0xff00 && r <= 0xff60,                // full-width forms
		r >= 0xffe0 && r <= 0xffe6,
		r >= 0x1f300 && r <= 0x1f64f, // pictographs
		r >= 0x1f680 && r <= 0x1f6ff,
		r >= 0x1f900 && r <= 0x1f9ff,
		r >= 0x20000 && r <= 0x3fffd: // CJK extensions
		return true
	default:
		return false
	}
}

// cut shortens s to at most limit cells, marking the cut. A limit below 1 gives "".
func cut(s string, limit int) string {
	if width(s) <= limit {
		return s
	}
	if limit < 1 {
		return ""
	}
	used := 0
	for i, r := range s {
		w := runeWidth(r)
		if used+w > limit-1 {
			return s[:i] + ellipsis
		}
		used += w
	}
	return s
}

// distance is how many single changes (Levenshtein) lead from a to b.
func distance(a, b string) int {
	from, to := []rune(strings.ToLower(a)), []rune(strings.ToLower(b))
	row := make([]int, len(to)+1)
	for j := range row {
		row[j] = j
	}
	for i, x := range from {
		diagonal := row[0]
		row[0] = i + 1
		for j, y := range to {
			change := diagonal
			if x != y {
				change++
			}
			diagonal = row[j+1]
			row[j+1] = min(change, row[j]+1, row[j+1]+1)
		}
	}
	return row[len(to)]
}

// nearest returns the name most like s, "" when none is near enough to be meant.
func nearest(s string, names []string) string {
	best, found := max(len(s)/2, 2)+1, ""
	for _, name := range names {
		d := distance(s, name)
		if d < best {
			best, found = d, name
		}
	}
	return found
}
