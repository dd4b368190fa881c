package fakenode

import (
	"encoding/binary"
	"errors"
	"fmt"
	"io"
	"strconv"
)

// The commands and capability flags of the protocol, as far as they are needed here.
const (
	comQuit  = 0x01
	comQuery = 0x03
	comPing  = 0x0e

	clientLongPassword     = 1 << 0
	clientConnectWithDB    = 1 << 3
	clientProtocol41       = 1 << 9
	clientTransactions     = 1 << 13
	clientSecureConnection = 1 << 15
	clientMultiStatements  = 1 << 16
	clientMultiResults     = 1 << 17
	clientPluginAuth       = 1 << 19
	clientConnectAttrs     = 1 << 20

	capabilities = clientLongPassword | clientConnectWithDB | clientProtocol41 | clientTransactions |
		clientSecureConnection | clientMultiStatements | clientMultiResults | clientPluginAuth | clientConnectAttrs

	statusAutocommit  = 0x0002
	statusMoreResults = 0x0008

	typeLongLong  = 0x08
	typeVarString = 0xfd

	charsetUTF8MB4 = 45
	charsetBinary  = 63

	maxPacket = 1<<24 - 1
)

// errTooLarge says that a client sent what no statement here can be.
var errTooLarge = errors.New("packet of more than 1 MB")

// readPacket reads one packet into buf, which grows as needed.
func readPacket(r io.Reader, buf []byte) (payload []byte, sequence byte, err error) {
	var head [4]byte
	if _, err := io.ReadFull(r, head[:]); err != nil {
		return nil, 0, err
	}
	n := int(head[0]) | int(head[1])<<8 | int(head[2])<<16
	if n > 1<<20 {
		return nil, 0, errTooLarge
	}
	if cap(buf) < n {
		buf = make([]byte, n)
	}
	buf = buf[:n]
	_, err = io.ReadFull(r, buf)
	return buf, head[3], err
}

// writer collects packets; sequence is the number of the next one.
type writer struct {
	out      []byte
	sequence byte
	start    int
}

// begin starts a packet, end finishes it.
func (w *writer) begin() {
	w.start = len(w.out)
	w.out = append(w.out, 0, 0, 0, w.sequence)
	w.sequence++
}

func (w *writer) end() {
	n := len(w.out) - w.start - 4
	if n > maxPacket {
		panic(fmt.Sprintf("fakenode: answer of %d bytes", n)) // nobody gives a fake such rows
	}
	w.out[w.start], w.out[w.start+1], w.out[w.start+2] = byte(n), byte(n>>8), byte(n>>16)
}

func (w *writer) byte(b byte)     { w.out = append(w.out, b) }
func (w *writer) bytes(b ...byte) { w.out = append(w.out, b...) }
func (w *writer) uint16(n uint16) { w.out = binary.LittleEndian.AppendUint16(w.out, n) }
func (w *writer) uint32(n uint32) { w.out = binary.LittleEndian.AppendUint32(w.out, n) }
func (w *writer) text(s string)   { w.out = append(w.out, s...) }
func (w *writer) zeros(n int)     { w.out = append(w.out, make([]byte, n)...) }

// length writes a length-encoded number.
func (w *writer) length(n int) {
	switch {
	case n < 251:
		w.byte(byte(n))
	case n < 1<<16:
		w.byte(0xfc)
		w.uint16(uint16(n))
	default:
		w.bytes(0xfd, byte(n), byte(n>>8), byte(n>>16))
	}
}

func (w *writer) lengthText(s string) {
	w.length(len(s))
	w.text(s)
}

// ok writes an OK packet, problem an ERR packet, eof an EOF packet.
func (w *writer) ok(status uint16) {
	w.begin()
	w.bytes(0, 0, 0)
	w.uint16(status)
	w.uint16(0)
	w.end()
}

func (w *writer) problem(e *Error) {
	w.begin()
	w.byte(0xff)
	w.uint16(e.Number)
	w.byte('#')
	w.text(e.state())
	w.text(e.Message)
	w.end()
}

func (w *writer) eof(status uint16) {
	w.begin()
	w.byte(0xfe)
	w.uint16(0)
	w.uint16(status)
	w.end()
}

// rows writes a result.
func (w *writer) rows(r *Result, status uint16) {
	w.begin()
	w.length(len(r.Columns))
	w.end()
	for i, name := range r.Columns {
		w.column(name, r.numeric(i))
	}
	w.eof(status)
	for _, row := range r.Rows {
		w.begin()
		for i := range r.Columns {
			w.value(row[i])
		}
		w.end()
	}
	w.eof(status)
}

// column writes a column's definition.
func (w *writer) column(name string, numeric bool) {
	charset, kind, flags, size := uint16(charsetUTF8MB4), byte(typeVarString), uint16(0), uint32(1024)
	if numeric {
		charset, kind, flags, size = charsetBinary, typeLongLong, 0x80, 21
	}
	w.begin()
	w.lengthText("def")
	w.bytes(0, 0, 0) // schema, table, original table
	w.lengthText(name)
	w.byte(0) // original name
	w.byte(0x0c)
	w.uint16(charset)
	w.uint32(size)
	w.byte(kind)
	w.uint16(flags)
	w.bytes(0, 0, 0) // decimals, filler
	w.end()
}

// value writes a value of a row.
func (w *writer) value(v any) {
	switch v := v.(type) {
	case nil:
		w.byte(0xfb)
	case int:
		w.lengthText(strconv.Itoa(v))
	case string:
		w.lengthText(v)
	default:
		w.lengthText(fmt.Sprint(v))
	}
}
