package replication

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strconv"
	"strings"
)

// maxRows bounds what is read of one result: MySQL allows 256 channels, and no other
// statement of this package returns more than a few rows.
const maxRows = 1024

// errTooManyRows says that a server sent more rows than any statement here can have.
var errTooManyRows = errors.New("more than 1024 rows")

// text returns a value as bytes, nil for NULL. They are good until the next row is read.
func text(v driver.Value) []byte {
	switch v := v.(type) {
	case nil:
		return nil
	case []byte:
		return v
	case string:
		return []byte(v)
	case int64:
		return strconv.AppendInt(nil, v, 10)
	case uint64:
		return strconv.AppendUint(nil, v, 10)
	default:
		return fmt.Append(nil, v)
	}
}

// number returns a value as a whole number; ok is false for NULL and for anything else that
// is none.
func number(v driver.Value) (n int64, ok bool) {
	switch v := v.(type) {
	case int64:
		return v, true
	case uint64:
		return int64(v), v <= 1<<63-1
	case []byte:
		n, err := strconv.ParseInt(string(v), 10, 64)
		return n, err == nil
	case string:
		n, err := strconv.ParseInt(v, 10, 64)
		return n, err == nil
	default:
		return 0, false
	}
}

// number32 returns a value as a number of 32 bits, 0 for NULL and for what does not fit.
func number32(v driver.Value) uint32 {
	n, ok := number(v)
	if !ok || n < 0 || n > 1<<32-1 {
		return 0
	}
	return uint32(n)
}

// number16 returns a value as a number of 16 bits, 0 for NULL and for what does not fit.
func number16(v driver.Value) uint16 {
	n := number32(v)
	if n > 1<<16-1 {
		return 0
	}
	return uint16(n)
}

// on returns a switch: 0, OFF, NO, FALSE, empty and NULL are off, all else is on. MariaDB 12
// has switches with more than two settings, every one of which but OFF is a kind of on.
func on(v driver.Value) bool {
	if n, ok := number(v); ok {
		return n != 0
	}
	word := text(v)
	switch {
	case len(word) == 0:
		return false
	case strings.EqualFold(string(word), "OFF"), strings.EqualFold(string(word), "NO"), strings.EqualFold(string(word), "FALSE"):
		return false
	default:
		return true
	}
}

// keep returns a value as a string, which is old itself when nothing changed: most values
// are the same in every poll, and need no new memory.
func keep(old string, v driver.Value) string {
	b := text(v)
	if string(b) == old {
		return old
	}
	return string(b)
}

// eachRow calls read for every row and returns the first error. dest is as long as the row.
func eachRow(rows driver.Rows, dest []driver.Value, read func()) error {
	for range maxRows {
		err := rows.Next(dest)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		read()
	}
	return errTooManyRows
}

// wantColumns says when an answer has another number of columns than it was asked for, which
// something between here and the server may bring about.
func wantColumns(rows driver.Rows, n int) error {
	if got := len(rows.Columns()); got != n {
		return fmt.Errorf("the answer has %d columns, want %d", got, n)
	}
	return nil
}

// pairs reads rows of a name and a value, such as SHOW VARIABLES returns, with the names in
// lower case.
func pairs(rows driver.Rows) (map[string]string, error) {
	if err := wantColumns(rows, 2); err != nil {
		return nil, err
	}
	found := make(map[string]string)
	dest := make([]driver.Value, 2)
	err := eachRow(rows, dest, func() {
		found[strings.ToLower(string(text(dest[0])))] = string(text(dest[1]))
	})
	return found, err
}
