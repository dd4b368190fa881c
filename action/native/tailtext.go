package native

import (
	"bufio"
	"bytes"
	"errors"
	"fmt"
	"io"
	"regexp"
	"slices"
	"strconv"
	"strings"
)

// splitter cuts the output of mysqlbinlog or mariadb-binlog into statements, as their own clients
// do: a statement ends where the delimiter stands at the end of a line, DELIMITER sets it, and
// comments and empty lines between statements are dropped.
type splitter struct {
	in    *bufio.Reader
	delim []byte
	// comments are those before the statement that next returned last, if keep is set.
	keep     bool
	comments []byte
}

func newSplitter(r io.Reader) *splitter {
	return &splitter{in: bufio.NewReaderSize(r, 1<<16), delim: []byte(";")}
}

// maxStatement bounds a statement, in bytes: no server takes a longer one.
const maxStatement = 1 << 30

// next returns the next statement, without its delimiter, or io.EOF. What is not ended at the end
// of the text is no statement.
func (s *splitter) next() ([]byte, error) {
	var statement []byte
	s.comments = s.comments[:0]
	for {
		line, err := s.in.ReadSlice('\n')
		if len(statement) == 0 && s.between(line, err) {
			continue
		}
		statement = append(statement, line...)
		switch {
		case len(statement) > maxStatement:
			return nil, fmt.Errorf("a statement has more than %d bytes", maxStatement)
		case errors.Is(err, bufio.ErrBufferFull):
			continue
		case err != nil && !errors.Is(err, io.EOF):
			return nil, err
		}
		if text, found := bytes.CutSuffix(bytes.TrimRight(statement, " \r\n"), s.delim); found {
			return bytes.TrimRight(text, " \n"), nil
		}
		if err != nil {
			return nil, io.EOF
		}
	}
}

// between takes a line that stands between statements: a comment, an empty line, or DELIMITER.
func (s *splitter) between(line []byte, err error) bool {
	if err != nil && !errors.Is(err, bufio.ErrBufferFull) {
		return false
	}
	text := bytes.TrimSpace(line)
	switch {
	case len(text) == 0, text[0] == '#':
		s.note(line)
		for errors.Is(err, bufio.ErrBufferFull) { // the rest of a long comment
			line, err = s.in.ReadSlice('\n')
			s.note(line)
		}
		return true
	case bytes.HasPrefix(text, []byte("DELIMITER ")):
		s.delim = bytes.Clone(bytes.TrimSpace(text[len("DELIMITER "):]))
		return true
	default:
		return false
	}
}

// maxComments bounds the comments before a statement, in bytes; what is longer is cut.
const maxComments = 64 << 20

// note keeps a comment.
func (s *splitter) note(line []byte) {
	if s.keep && len(s.comments)+len(line) <= maxComments {
		s.comments = append(s.comments, line...)
	}
}

// kind is what a statement of a binary log's text is for.
type kind int

const (
	// kindClient is for the client alone; it is dropped.
	kindClient kind = iota
	// kindState sets something for the statements that follow, until it is set again.
	kindState
	// kindOnce sets something for the next statement only, kindIsolation for the next transaction;
	// it stands before the transaction's GTID.
	kindOnce
	kindIsolation
	// kindGTID begins a transaction.
	kindGTID
	kindBegin
	kindCommit
	kindRollback
	// kindFormat describes the events of a file, kindRows are rows.
	kindFormat
	kindRows
	// kindQuery is a statement that somebody executed.
	kindQuery
)

// event is a statement with what it is for.
type event struct {
	kind kind
	text []byte
	// The parts of a GTID: those of MariaDB that the statement sets, or MySQL's as a text.
	gtid map[string]uint64
	next string
}

var (
	gtidParts = regexp.MustCompile(`@@session\.(gtid_domain_id|server_id|gtid_seq_no)=(\d+)`)
	gtidNext  = regexp.MustCompile(`(?i)^SET @@SESSION\.GTID_NEXT= *'([^']*)'`)
	hint      = regexp.MustCompile(`^/\*M?!\d*\s*`)
)

// classify says what a statement is for.
func classify(text []byte) event {
	e := event{kind: kindQuery, text: text}
	head := string(text[:min(len(text), 200)])
	plain := hint.ReplaceAllString(head, "")
	upper := strings.ToUpper(plain)
	switch {
	case strings.HasPrefix(head, "/*!\\C"), strings.Contains(head, "COMPLETION_TYPE"):
		e.kind = kindClient
	case strings.HasPrefix(upper, "BINLOG"):
		e.kind = kindRows
		if eventType(text) == formatEvent {
			e.kind = kindFormat
		}
	case strings.HasPrefix(upper, "SET TRANSACTION"):
		e.kind = kindIsolation
	case strings.HasPrefix(upper, "SET @`"),
		strings.HasPrefix(upper, "SET INSERT_ID"), strings.HasPrefix(upper, "SET LAST_INSERT_ID"), strings.HasPrefix(upper, "SET @@RAND_SEED"):
		e.kind = kindOnce
	case gtidNext.MatchString(plain):
		e.kind, e.next = kindGTID, gtidNext.FindStringSubmatch(plain)[1]
	case gtidParts.MatchString(head) && strings.HasPrefix(upper, "SET "):
		e.kind, e.gtid = kindGTID, map[string]uint64{}
		for _, m := range gtidParts.FindAllStringSubmatch(head, -1) {
			e.gtid[m[1]], _ = strconv.ParseUint(m[2], 10, 64)
		}
	case strings.HasPrefix(upper, "SET @@"), strings.HasPrefix(upper, "SET TIMESTAMP"):
		e.kind = kindState
	case strings.HasPrefix(upper, "USE "):
		e.kind = kindState
	case upper == "BEGIN", upper == "START TRANSACTION":
		e.kind = kindBegin
	case upper == "COMMIT":
		e.kind = kindCommit
	case upper == "ROLLBACK", strings.HasPrefix(upper, "ROLLBACK /* ADDED BY"):
		e.kind = kindRollback
	}
	return e
}

// carry is what state statements have set, and nobody needed yet: while transactions are skipped,
// only the last value of each variable is kept.
type carry struct {
	order []string
	set   map[string]string
}

// add takes a state statement.
func (c *carry) add(text []byte) {
	if c.set == nil {
		c.set = map[string]string{}
	}
	statement := string(text)
	if after, found := strings.CutPrefix(statement, "SET "); found {
		for _, one := range assignments(after) {
			name, _, _ := strings.Cut(one, "=")
			c.put(strings.ToUpper(name), "SET "+one)
		}
		return
	}
	name, _, _ := strings.Cut(statement, "=") // USE, or one variable in a comment of some version
	if strings.HasPrefix(strings.ToUpper(statement), "USE ") {
		name = "USE"
	}
	c.put(strings.ToUpper(name), statement)
}

// put keeps a value; what was set last is told last.
func (c *carry) put(name, statement string) {
	if _, is := c.set[name]; is {
		c.order = slices.DeleteFunc(c.order, func(n string) bool { return n == name })
	}
	c.order = append(c.order, name)
	c.set[name] = statement
}

// take returns what was kept, in order, and forgets it.
func (c *carry) take() [][]byte {
	var list [][]byte
	for _, name := range c.order {
		list = append(list, []byte(c.set[name]))
	}
	c.order, c.set = nil, nil
	return list
}

// assignments cuts "a=1, b='x,y'" at the commas outside of quotes.
func assignments(s string) []string {
	var list []string
	quoted, from := false, 0
	for i := range len(s) {
		switch {
		case s[i] == '\'':
			quoted = !quoted
		case s[i] == ',' && !quoted:
			list = append(list, strings.TrimSpace(s[from:i]))
			from = i + 1
		}
	}
	return append(list, strings.TrimSpace(s[from:]))
}
