package journal

import (
	"bufio"
	"bytes"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"hash/crc32"
	"io"
)

// formatVersion is the version of segments and snapshots that this release reads and writes.
const formatVersion = 1

// maxLine bounds a line, in bytes: a record that replaces the memory of 50,000 nodes has
// some 30 MB.
const maxLine = 64 << 20

// prefix is the length of "crc32c-hex SP".
const prefix = 9

var errLine = errors.New("not a whole journal line")

// checksum is CRC-32C; MakeTable returns a shared table for that polynomial.
func checksum(body []byte) uint32 {
	return crc32.Checksum(body, crc32.MakeTable(crc32.Castagnoli))
}

// appendLine adds v to buf as a line. On an error buf is as before.
func appendLine(buf *bytes.Buffer, v any) error {
	start := buf.Len()
	buf.WriteString("00000000 ")
	enc := json.NewEncoder(buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(v); err != nil {
		buf.Truncate(start)
		return err
	}
	line := buf.Bytes()[start:]
	if len(line) > maxLine {
		buf.Truncate(start)
		return fmt.Errorf("%d bytes, the limit is %d", len(line), maxLine)
	}
	putChecksum(line[:8], checksum(line[prefix:len(line)-1]))
	return nil
}

func putChecksum(dst []byte, sum uint32) {
	hex.Encode(dst, []byte{byte(sum >> 24), byte(sum >> 16), byte(sum >> 8), byte(sum)})
}

// splitLine checks a line (with or without its LF) and returns its JSON.
func splitLine(line []byte) ([]byte, error) {
	line = bytes.TrimSuffix(line, []byte{'\n'})
	if len(line) <= prefix || line[8] != ' ' {
		return nil, errLine
	}
	body := line[prefix:]
	var want [8]byte
	putChecksum(want[:], checksum(body))
	if !bytes.Equal(want[:], line[:8]) {
		return nil, errLine
	}
	return body, nil
}

// decodeRecord reads one line of a segment, header excepted.
func decodeRecord(line []byte) (*Record, error) {
	body, err := splitLine(line)
	if err != nil {
		return nil, err
	}
	var r Record
	if err := json.Unmarshal(body, &r); err != nil {
		return nil, fmt.Errorf("decode record: %w", err)
	}
	if r.Seq == 0 {
		return nil, fmt.Errorf("decode record: it has no number")
	}
	return &r, nil
}

// header is the first line of a segment.
type header struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	First   uint64 `json:"first"`
}

const segmentFormat = "mpp-journal"

// decodeHeader reads a segment's first line; ok is false when it is not a header.
func decodeHeader(line []byte) (h header, ok bool) {
	body, err := splitLine(line)
	if err != nil {
		return header{}, false
	}
	if err := json.Unmarshal(body, &h); err != nil || h.Format != segmentFormat {
		return header{}, false
	}
	return h, true
}

// headerLine is a segment's first line.
func headerLine(first uint64) ([]byte, error) {
	var buf bytes.Buffer
	err := appendLine(&buf, header{Format: segmentFormat, Version: formatVersion, First: first})
	return buf.Bytes(), err
}

// rawLine is a line of a file, whole or not.
type rawLine struct {
	offset int64
	data   []byte // valid until the next line; empty when the line was longer than maxLine
	size   int64
	ended  bool // by LF
}

// lineReader goes through a file line by line and counts bytes.
type lineReader struct {
	r      *bufio.Reader
	offset int64
	buf    []byte
}

func newLineReader(r io.Reader) *lineReader {
	return &lineReader{r: bufio.NewReaderSize(r, 64<<10)}
}

// next returns the next line, or io.EOF after the last.
func (l *lineReader) next() (rawLine, error) {
	line := rawLine{offset: l.offset}
	l.buf = l.buf[:0]
	for {
		part, err := l.r.ReadSlice('\n')
		line.size += int64(len(part))
		l.offset += int64(len(part))
		if line.size <= maxLine {
			l.buf = append(l.buf, part...)
		}
		if errors.Is(err, bufio.ErrBufferFull) {
			continue
		}
		if err != nil && !errors.Is(err, io.EOF) {
			return rawLine{}, err
		}
		if line.size == 0 {
			return rawLine{}, io.EOF
		}
		line.ended = err == nil
		if line.size <= maxLine {
			line.data = l.buf
		}
		return line, nil
	}
}
