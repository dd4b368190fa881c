package gtid

import (
	"fmt"
)

// MaxText is the longest text that is parsed, in bytes. A gtid_executed of 4 MiB has some
// 200,000 gaps; a server with so many needs another kind of help.
const MaxText = 4 << 20

// Parse reads a set as a server prints it, or as String does. The flavour is "mysql" or
// "mariadb"; an empty text is the empty set of any flavour. White space and new lines may stand
// between the parts of the text, and letters be in upper case. A domain of MariaDB that is there
// twice is an error: it is the mark of a gtid_binlog_state, which ParseState reads.
func Parse(flavour, text string) (Set, error) {
	sc, err := newScanner(text)
	if err != nil {
		return Set{}, fmt.Errorf("parse GTID set: %w", err)
	}
	if sc.atEnd() {
		return Set{}, nil
	}
	var s Set
	switch flavour {
	case mysqlFlavour:
		s, err = sc.mysqlSet()
	case mariadbFlavour:
		s, err = sc.mariadbSet()
	default:
		err = fmt.Errorf("the flavour %.20q is neither mysql nor mariadb", flavour)
	}
	if err != nil {
		return Set{}, fmt.Errorf("parse GTID set: %w", err)
	}
	return s, nil
}

// scanner walks over a text.
type scanner struct {
	text string
	pos  int
}

func newScanner(text string) (*scanner, error) {
	if len(text) > MaxText {
		return nil, fmt.Errorf("it has %d bytes, more than %d", len(text), MaxText)
	}
	return &scanner{text: text}, nil
}

// wrong returns an error that names the place, and what stands there.
func (sc *scanner) wrong(format string, args ...any) error {
	const shown = 40
	rest := sc.text[sc.pos:]
	if len(rest) > shown {
		rest = rest[:shown]
	}
	what := fmt.Sprintf(format, args...)
	if rest == "" {
		return fmt.Errorf("%s at its end", what)
	}
	return fmt.Errorf("%s at byte %d: %q", what, sc.pos, rest)
}

// peek returns the next character that is no white space, 0 at the end.
func (sc *scanner) peek() byte {
	for sc.pos < len(sc.text) {
		switch c := sc.text[sc.pos]; c {
		case ' ', '\n', '\r', '\t':
			sc.pos++
		default:
			return c
		}
	}
	return 0
}

func (sc *scanner) atEnd() bool { return sc.peek() == 0 && sc.pos == len(sc.text) }

// skip goes past the next character if it is c.
func (sc *scanner) skip(c byte) bool {
	if sc.peek() != c {
		return false
	}
	sc.pos++
	return true
}

// next goes past the comma before another element. It returns false at the end of the text.
func (sc *scanner) next() (bool, error) {
	if sc.atEnd() {
		return false, nil
	}
	if !sc.skip(',') {
		return false, sc.wrong("want a comma")
	}
	return true, nil
}

// number reads a number of at most limit.
func (sc *scanner) number(what string, limit uint64) (uint64, error) {
	sc.peek()
	from := sc.pos
	var n uint64
	for ; sc.pos < len(sc.text) && isDigit(sc.text[sc.pos]); sc.pos++ {
		digit := uint64(sc.text[sc.pos] - '0')
		if n > (limit-digit)/10 {
			sc.pos = from
			return 0, sc.wrong("%s is greater than %d", what, limit)
		}
		n = n*10 + digit
	}
	if sc.pos == from {
		return 0, sc.wrong("want %s", what)
	}
	return n, nil
}

func isDigit(c byte) bool { return '0' <= c && c <= '9' }

// spanFrom makes a span of two numbers that were read at a place.
func (sc *scanner) spanFrom(from int, first, last uint64) (span, error) {
	switch {
	case first == 0:
		sc.pos = from
		return span{}, sc.wrong("there is no transaction 0")
	case last < first:
		sc.pos = from
		return span{}, sc.wrong("an interval ends before it begins")
	}
	return span{first, last}, nil
}
