package gtid

import (
	"encoding/hex"
	"math"
	"strconv"
	"strings"
)

// The limits of MySQL.
const (
	maxGNO    = math.MaxInt64 - 1 // the highest number of a transaction
	maxTag    = 32                // characters
	uuidChars = 36
)

// mysqlSet reads uuid:interval:tag:interval and so on, with commas between uuids.
func (sc *scanner) mysqlSet() (Set, error) {
	// Colons and commas bound what there can be, so that there are two allocations.
	rest := sc.text[sc.pos:]
	spans := make([]span, 0, strings.Count(rest, ":"))
	entries := make([]entry, 0, strings.Count(rest, ",")+1)
	for more := true; more; {
		uuid, err := sc.uuid()
		if err != nil {
			return Set{}, err
		}
		if entries, spans, err = sc.mysqlServer(uuid, entries, spans); err != nil {
			return Set{}, err
		}
		if more, err = sc.next(); err != nil {
			return Set{}, err
		}
	}
	return Set{normalEntries(entries)}, nil
}

// mysqlServer reads what follows a uuid, and appends an entry for each tag.
func (sc *scanner) mysqlServer(uuid [16]byte, entries []entry, spans []span) ([]entry, []span, error) {
	k, from := key{uuid: uuid}, len(spans)
	for sc.skip(':') {
		if isTagStart(sc.peek()) {
			if len(spans) > from {
				entries = append(entries, entry{key: k, spans: spans[from:len(spans):len(spans)]})
			} else if k.tag != "" {
				return nil, nil, sc.wrong("the tag %s has no interval", k.tag)
			}
			tag, err := sc.tag()
			if err != nil {
				return nil, nil, err
			}
			k.tag, from = tag, len(spans)
			continue
		}
		s, err := sc.interval()
		if err != nil {
			return nil, nil, err
		}
		spans = append(spans, s)
	}
	if len(spans) == from {
		return nil, nil, sc.wrong("want a colon and an interval")
	}
	return append(entries, entry{key: k, spans: spans[from:len(spans):len(spans)]}), spans, nil
}

// interval reads "3" or "1-5".
func (sc *scanner) interval() (span, error) {
	sc.peek()
	from := sc.pos
	first, err := sc.number("a transaction's number", maxGNO)
	if err != nil {
		return span{}, err
	}
	last := first
	if sc.skip('-') {
		if last, err = sc.number("a transaction's number", maxGNO); err != nil {
			return span{}, err
		}
	}
	return sc.spanFrom(from, first, last)
}

// uuid reads a uuid in its usual spelling.
func (sc *scanner) uuid() (u [16]byte, err error) {
	sc.peek()
	if !readUUID(&u, sc.text[sc.pos:]) {
		return u, sc.wrong("want a uuid")
	}
	sc.pos += uuidChars
	return u, nil
}

// readUUID reads the uuid that text begins with.
func readUUID(u *[16]byte, text string) bool {
	if len(text) < uuidChars {
		return false
	}
	at := 0
	for i := range u {
		if i == 4 || i == 6 || i == 8 || i == 10 {
			if text[at] != '-' {
				return false
			}
			at++
		}
		high, ok := hexDigit(text[at])
		low, ok2 := hexDigit(text[at+1])
		if !ok || !ok2 {
			return false
		}
		u[i] = high<<4 | low
		at += 2
	}
	return true
}

func hexDigit(c byte) (byte, bool) {
	switch {
	case isDigit(c):
		return c - '0', true
	case 'a' <= c|0x20 && c|0x20 <= 'f':
		return c | 0x20 - 'a' + 10, true
	default:
		return 0, false
	}
}

func isTagStart(c byte) bool { return c == '_' || 'a' <= c|0x20 && c|0x20 <= 'z' }

// tag reads a tag.
func (sc *scanner) tag() (string, error) {
	from := sc.pos
	for sc.pos < len(sc.text) && (isTagStart(sc.text[sc.pos]) || isDigit(sc.text[sc.pos])) {
		sc.pos++
	}
	tag := sc.text[from:sc.pos]
	if len(tag) > maxTag {
		sc.pos = from
		return "", sc.wrong("a tag has more than %d characters", maxTag)
	}
	// A copy, lest a tag of three letters keeps the whole text in memory.
	return strings.ToLower(strings.Clone(tag)), nil
}

// appendUUID appends a uuid as servers print it.
func appendUUID(b []byte, u *[16]byte) []byte {
	for i, part := range [][]byte{u[:4], u[4:6], u[6:8], u[8:10], u[10:]} {
		if i > 0 {
			b = append(b, '-')
		}
		b = hex.AppendEncode(b, part)
	}
	return b
}

// appendMySQL appends an entry as it stands in a text; the uuid is left out where it is that of
// the entry before.
func (e *entry) appendMySQL(b []byte, before *entry) []byte {
	if before == nil || before.uuid != e.uuid {
		if before != nil {
			b = append(b, ',')
		}
		b = appendUUID(b, &e.uuid)
	}
	if e.tag != "" {
		b = append(append(b, ':'), e.tag...)
	}
	for _, s := range e.spans {
		b = strconv.AppendUint(append(b, ':'), s.first, 10)
		if s.last != s.first {
			b = strconv.AppendUint(append(b, '-'), s.last, 10)
		}
	}
	return b
}
