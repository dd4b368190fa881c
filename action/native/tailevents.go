package native

import (
	"bytes"
	"encoding/base64"
	"encoding/binary"
	"errors"

	"mpp/replication"
)

// The types of events that matter here: those of a BINLOG statement.
const (
	formatEvent   = 15
	tableMapEvent = 19
	// headerLen is the length of an event's header; its type is at 4, its own length at 9.
	headerLen = 19
)

// eventType returns the type of the first event of a BINLOG statement, 0 for none.
func eventType(statement []byte) byte {
	list, _ := binlogEvents(statement[:min(len(statement), 100)]) // cut short on purpose
	if len(list) == 0 {
		return 0
	}
	return list[0].kind
}

// encoded is one event of a BINLOG statement, as its lines of base64.
type encoded struct {
	kind  byte
	lines []byte
}

var errNotEvents = errors.New("a BINLOG statement does not hold events")

// binlogEvents takes a BINLOG statement apart: every event begins on a line of its own.
func binlogEvents(statement []byte) ([]encoded, error) {
	_, body, found := bytes.Cut(statement, []byte("'"))
	if !found {
		return nil, errNotEvents
	}
	var list []encoded
	left := 0 // bytes of the present event that are still to come
	for line := range bytes.Lines(body) {
		line = bytes.TrimRight(line, "'\r\n")
		if len(line) == 0 {
			continue
		}
		raw := make([]byte, base64.StdEncoding.DecodedLen(len(line)))
		n, err := base64.StdEncoding.Decode(raw, line)
		if left > 0 {
			left -= n
			last := &list[len(list)-1]
			last.lines = append(append(last.lines, line...), '\n')
			continue
		}
		if n < headerLen {
			return list, errors.Join(errNotEvents, err)
		}
		left = int(binary.LittleEndian.Uint32(raw[9:13])) - n
		list = append(list, encoded{kind: raw[4], lines: append(bytes.Clone(line), '\n')})
	}
	return list, nil
}

// pieces cuts a BINLOG statement into several that are not longer than limit, as far as that
// goes: each begins with the maps of the tables.
func pieces(statement []byte, limit int) ([][]byte, error) {
	if len(statement) <= limit {
		return [][]byte{statement}, nil
	}
	list, err := binlogEvents(statement)
	if err != nil {
		return nil, err
	}
	var maps []byte
	for len(list) > 0 && list[0].kind == tableMapEvent {
		maps = append(maps, list[0].lines...)
		list = list[1:]
	}
	if len(list) == 0 {
		return [][]byte{statement}, nil
	}
	var all [][]byte
	for len(list) > 0 {
		piece := bytes.Clone(maps)
		for n := 0; len(list) > 0 && (n == 0 || len(piece)+len(list[0].lines) <= limit); n++ {
			piece = append(piece, list[0].lines...)
			list = list[1:]
		}
		all = append(all, replication.BinlogTextSQL(piece))
	}
	return all, nil
}
