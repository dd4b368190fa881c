package gtid

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
)

// element is one GTID of a list of MariaDB, or MPP's notation for several in a row.
type element struct {
	domain, server uint32
	span
	// ranged says that the text had two numbers.
	ranged bool
}

// element reads 0-1-105 or 0-1-101..105. The number 0, which stands for no transaction but is
// printed by servers whose position was set to it, becomes a span that ends at 0.
func (sc *scanner) element() (e element, err error) {
	domain, err := sc.number("a domain", math.MaxUint32)
	if err != nil {
		return e, err
	}
	if !sc.skip('-') {
		return e, sc.wrong("want a minus and a server id")
	}
	server, err := sc.number("a server id", math.MaxUint32)
	if err != nil {
		return e, err
	}
	if !sc.skip('-') {
		return e, sc.wrong("want a minus and a sequence number")
	}
	e.domain, e.server = uint32(domain), uint32(server)
	sc.peek()
	from := sc.pos
	if e.first, err = sc.number("a sequence number", math.MaxUint64); err != nil {
		return e, err
	}
	if !strings.HasPrefix(sc.text[sc.pos:], "..") {
		e.last = e.first
		return e, nil
	}
	sc.pos += len("..")
	if e.last, err = sc.number("a sequence number", math.MaxUint64); err != nil {
		return e, err
	}
	e.ranged = true
	e.span, err = sc.spanFrom(from, e.first, e.last)
	return e, err
}

// elements calls take for each element of a list.
func (sc *scanner) elements(take func(element) error) error {
	for more := true; more; {
		e, err := sc.element()
		if err != nil {
			return err
		}
		if err := take(e); err != nil {
			return err
		}
		if more, err = sc.next(); err != nil {
			return err
		}
	}
	return nil
}

// length bounds how many elements there are.
func (sc *scanner) length() int { return strings.Count(sc.text[sc.pos:], ",") + 1 }

// mariadbSet reads a position, or what String makes of parts of one.
func (sc *scanner) mariadbSet() (Set, error) {
	n := sc.length()
	entries, spans, ends := make([]entry, 0, n), make([]span, 0, n), make([]end, 0, n)
	positions := make([]uint32, 0, n)
	err := sc.elements(func(e element) error {
		if !e.ranged {
			positions = append(positions, e.domain)
			e.first = 1
		}
		if e.last == 0 {
			return nil
		}
		i := len(spans)
		spans = append(spans, e.span)
		ends = append(ends, end{e.last, e.server})
		entries = append(entries, entry{
			key: key{mariadb: true, domain: e.domain}, spans: spans[i : i+1 : i+1], ends: ends[i : i+1 : i+1],
		})
		return nil
	})
	if err != nil {
		return Set{}, err
	}
	slices.Sort(positions)
	for i := 1; i < len(positions); i++ {
		if positions[i] == positions[i-1] {
			return Set{}, fmt.Errorf("domain %d is there twice; a position has each domain once", positions[i])
		}
	}
	return Set{normalEntries(entries)}, nil
}

// appendGTID appends domain-server-number.
func appendGTID(b []byte, domain, server uint32, seq uint64) []byte {
	b = strconv.AppendUint(b, uint64(domain), 10)
	b = strconv.AppendUint(append(b, '-'), uint64(server), 10)
	return strconv.AppendUint(append(b, '-'), seq, 10)
}

// appendMariaDB appends an entry as it stands in a text, without the comma before it: the
// position that it begins with, if it does, then the parts.
func (e *entry) appendMariaDB(b []byte) []byte {
	for i, s := range e.spans {
		for j, x := range endsAt(e.ends, s.last) {
			if i+j > 0 {
				b = append(b, ',')
			}
			first := s.first
			if j > 0 {
				first = s.last // another history's transaction with the same number
			}
			if first == 1 && j == 0 {
				b = appendGTID(b, e.domain, x.server, s.last)
				continue
			}
			b = appendGTID(b, e.domain, x.server, first)
			b = strconv.AppendUint(append(b, ".."...), s.last, 10)
		}
	}
	return b
}
