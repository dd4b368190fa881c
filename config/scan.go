package config

import (
	"strconv"
	"strings"
	"unicode/utf8"
)

// maxDepth bounds how deep arrays and inline tables may nest: MPP's own need three levels.
const maxDepth = 32

// mark is where a value stands in its file. Marks form a tree of the same shape as the
// decoded values: the TOML library decodes, and this scan says on which line. Its methods
// take a nil mark.
type mark struct {
	line  int
	keys  map[string]*mark
	items []*mark
}

// key returns the mark of a key of a table, nil when there is none.
func (m *mark) key(name string) *mark {
	if m == nil {
		return nil
	}
	return m.keys[name]
}

// item returns the mark of an element of an array, nil when there is none.
func (m *mark) item(i int) *mark {
	if m == nil || i >= len(m.items) {
		return nil
	}
	return m.items[i]
}

// lineOr returns the mark's line, or that of another when it is not known.
func (m *mark) lineOr(other *mark) int {
	switch {
	case m != nil:
		return m.line
	case other != nil:
		return other.line
	default:
		return 0
	}
}

func (m *mark) child(name string, line int) *mark {
	if m.keys == nil {
		m.keys = map[string]*mark{}
	}
	c := m.keys[name]
	if c == nil {
		c = &mark{line: line}
		m.keys[name] = c
	}
	return c
}

// scanner finds the lines of keys. It expects TOML that the library takes and ends, with
// marks of no use, on anything else.
type scanner struct {
	text  string
	at    int
	line  int
	depth int
	deep  bool
}

// scan returns the marks of a file. tooDeep is the line on which arrays, inline tables or
// dotted keys nest deeper than maxDepth, 0 when they do not.
func scan(text string) (root *mark, tooDeep int) {
	s := &scanner{text: strings.TrimPrefix(text, "\ufeff"), line: 1}
	root = &mark{line: 1}
	table := root
	for {
		s.blank()
		switch s.peek() {
		case 0:
			if s.deep {
				return nil, s.line
			}
			return root, 0
		case '[':
			table = s.header(root)
		default:
			s.pair(table)
		}
	}
}

// peek returns the byte at hand, 0 at the end (or for a NUL, which no TOML holds).
func (s *scanner) peek() byte {
	if s.at >= len(s.text) || s.text[s.at] == 0 || s.deep {
		return 0
	}
	return s.text[s.at]
}

// next moves over one byte.
func (s *scanner) next() {
	if s.at < len(s.text) {
		if s.text[s.at] == '\n' {
			s.line++
		}
		s.at++
	}
}

// blank skips white space, line ends and comments.
func (s *scanner) blank() {
	for {
		switch s.peek() {
		case ' ', '\t', '\r', '\n':
			s.next()
		case '#':
			s.until("\n")
		default:
			return
		}
	}
}

func (s *scanner) spaces() {
	for s.peek() == ' ' || s.peek() == '\t' {
		s.next()
	}
}

// until moves to the first of the stop bytes, or to the end.
func (s *scanner) until(stops string) {
	for c := s.peek(); c != 0 && strings.IndexByte(stops, c) < 0; c = s.peek() {
		s.next()
	}
}

// header reads [a.b] or [[a.b]] and returns the table that follows it.
func (s *scanner) header(root *mark) *mark {
	line := s.line
	s.next()
	array := s.peek() == '['
	if array {
		s.next()
	}
	path := s.path()
	s.until("\n")
	table := root
	for i, name := range path {
		known := table.key(name) != nil
		table = table.child(name, line)
		last := i == len(path)-1
		switch {
		case last && array:
			if !known {
				table.line = line
			}
			element := &mark{line: line}
			table.items = append(table.items, element)
			table = element
		case last:
			table.line = line
		case len(table.items) > 0:
			table = table.items[len(table.items)-1]
		}
	}
	return table
}

// pair reads "a.b = value" into a table.
func (s *scanner) pair(table *mark) {
	line, start := s.line, s.at
	path := s.path()
	if len(path) == 0 {
		s.next()
		return
	}
	m := table
	for i, name := range path {
		m = m.child(name, line)
		if i < len(path)-1 {
			m.items = nil // the library lets a dotted key replace an array
		}
	}
	m.line = line
	s.spaces()
	if s.peek() == '=' {
		s.next()
	}
	s.value(m)
	if s.at == start {
		s.next()
	}
}

// path reads a key with its dots.
func (s *scanner) path() []string {
	var path []string
	for {
		s.spaces()
		switch c := s.peek(); {
		case c == '"' || c == '\'':
			path = append(path, s.quotedKey(c))
		case bare(c):
			start := s.at
			for bare(s.peek()) {
				s.next()
			}
			path = append(path, s.text[start:s.at])
		default:
			return path
		}
		if len(path) > maxDepth {
			s.deep = true
		}
		s.spaces()
		if s.peek() != '.' {
			return path
		}
		s.next()
	}
}

func bare(c byte) bool {
	return c == '_' || c == '-' || c >= '0' && c <= '9' || c >= 'A' && c <= 'Z' || c >= 'a' && c <= 'z'
}

func (s *scanner) quotedKey(quote byte) string {
	s.next()
	start := s.at
	for c := s.peek(); c != 0 && c != quote && c != '\n'; c = s.peek() {
		if c == '\\' && quote == '"' {
			s.next()
		}
		s.next()
	}
	key := s.text[min(start, s.at):s.at]
	s.next()
	if quote == '"' {
		return unescape(key)
	}
	return key
}

// value reads a value and marks what it holds.
func (s *scanner) value(m *mark) {
	s.spaces()
	switch s.peek() {
	case '"', '\'':
		s.str()
	case '[':
		s.array(m)
	case '{':
		s.inline(m)
	default:
		s.until(",]}#\n")
	}
}

func (s *scanner) array(m *mark) {
	s.deeper()
	defer s.higher()
	for s.next(); ; {
		s.blank()
		switch s.peek() {
		case 0:
			return
		case ']':
			s.next()
			return
		case ',':
			s.next()
			continue
		}
		before := s.at
		element := &mark{line: s.line}
		m.items = append(m.items, element)
		s.value(element)
		if s.at == before {
			s.next()
		}
	}
}

func (s *scanner) inline(m *mark) {
	s.deeper()
	defer s.higher()
	for s.next(); ; {
		s.blank()
		switch s.peek() {
		case 0:
			return
		case '}':
			s.next()
			return
		case ',':
			s.next()
			continue
		}
		s.pair(m)
	}
}

func (s *scanner) deeper() {
	s.depth++
	s.deep = s.deep || s.depth > maxDepth
}

func (s *scanner) higher() { s.depth-- }

// str skips a string of any of the four kinds.
func (s *scanner) str() {
	quote := s.text[s.at : s.at+1]
	long := strings.Repeat(quote, 3)
	if !strings.HasPrefix(s.text[s.at:], long) {
		s.next()
		s.closing(quote, "\n")
		return
	}
	s.next()
	s.next()
	s.next()
	s.closing(long, "")
	for s.peek() == quote[0] { // a long string may end in quotes of its own
		s.next()
	}
}

// closing moves behind the closing quotes, minding escapes; it gives up at a stop byte.
func (s *scanner) closing(quotes, stops string) {
	for s.peek() != 0 && strings.IndexByte(stops, s.peek()) < 0 {
		if strings.HasPrefix(s.text[s.at:], quotes) {
			for range len(quotes) {
				s.next()
			}
			return
		}
		if s.peek() == '\\' && quotes[0] == '"' {
			s.next()
		}
		s.next()
	}
}

// unescape resolves the escapes of a quoted key.
func unescape(key string) string {
	var b strings.Builder
	for i := 0; i < len(key); i++ {
		if key[i] != '\\' || i+1 == len(key) {
			b.WriteByte(key[i])
			continue
		}
		i++
		digits := map[byte]int{'x': 2, 'u': 4, 'U': 8}[key[i]]
		if digits > 0 && i+digits < len(key) {
			if r, err := strconv.ParseUint(key[i+1:i+1+digits], 16, 32); err == nil {
				b.Write(utf8.AppendRune(nil, rune(r)))
			}
			i += digits
			continue
		}
		if at := strings.IndexByte(`btnfre"\`, key[i]); at >= 0 {
			b.WriteByte("\b\t\n\f\r\x1b\"\\"[at])
		}
	}
	return b.String()
}
