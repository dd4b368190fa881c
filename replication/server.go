package replication

import (
	"bytes"
	"database/sql/driver"
	"errors"
	"fmt"
	"strings"
	"time"

	"mpp"
)

// errNoRow says that a statement which always has a row brought none.
var errNoRow = errors.New("no row in the answer")

// serverColumn is a column of ServerSQL: the name of a global variable.
type serverColumn string

const (
	columnServerID       serverColumn = "server_id"
	columnReadOnly       serverColumn = "read_only"
	columnSuperReadOnly  serverColumn = "super_read_only"
	columnOfflineMode    serverColumn = "offline_mode"
	columnInnodbReadOnly serverColumn = "innodb_read_only"
	columnGTIDExecuted   serverColumn = "gtid_executed"
	columnGTIDCurrentPos serverColumn = "gtid_current_pos"
	columnBinlogState    serverColumn = "gtid_binlog_state"
)

// serverColumns lists the columns of ServerSQL, in order.
func (d *Dialect) serverColumns() []serverColumn {
	list := []serverColumn{columnServerID, columnReadOnly}
	for _, c := range []struct {
		has  bool
		name serverColumn
	}{
		{d.has.superReadOnly, columnSuperReadOnly},
		{d.has.offlineMode, columnOfflineMode},
		{d.has.innodbReadOnly, columnInnodbReadOnly},
		{d.has.gtidExecuted, columnGTIDExecuted},
		{d.has.gtidCurrentPos, columnGTIDCurrentPos},
		{d.has.gtidBinlogState && d.Engine, columnBinlogState},
	} {
		if c.has {
			list = append(list, c.name)
		}
	}
	return list
}

// ServerReader turns the row of ServerSQL into an mpp.Server.
type ServerReader struct {
	columns []serverColumn
	dest    []driver.Value
	last    mpp.Server
	checked bool // the number of columns: once a connection
}

// NewServerReader returns a reader for the connection that was probed at now.
func (d *Dialect) NewServerReader(now time.Time) *ServerReader {
	r := &ServerReader{columns: d.serverColumns()}
	r.dest = make([]driver.Value, len(r.columns))
	r.last = mpp.Server{Flavour: d.Flavour, Version: d.Version, UUID: d.UUID}
	if d.Uptime >= 0 {
		r.last.StartedAt = now.Add(-d.Uptime).Truncate(time.Second)
	}
	return r
}

// StartedAt is when the server started, to the second; zero means unknown.
func (r *ServerReader) StartedAt() time.Time { return r.last.StartedAt }

// Read reads the only row. The server it returns shares its texts with the last one where
// nothing changed.
func (r *ServerReader) Read(rows driver.Rows) (mpp.Server, error) {
	if !r.checked {
		if err := wantColumns(rows, len(r.columns)); err != nil {
			return r.last, fmt.Errorf("read server variables: %w", err)
		}
		r.checked = true
	}
	read := false
	err := eachRow(rows, r.dest, func() { r.row(); read = true })
	if err == nil && !read {
		err = errNoRow
	}
	return r.last, err
}

func (r *ServerReader) row() {
	s := &r.last
	s.ReadOnly, s.SuperReadOnly = false, false
	for i, c := range r.columns {
		v := r.dest[i]
		switch c {
		case columnServerID:
			s.ID = number32(v)
		case columnReadOnly:
			s.ReadOnly = s.ReadOnly || on(v)
			// MariaDB 12 can make read_only bind the administrator too.
			s.SuperReadOnly = s.SuperReadOnly || strings.EqualFold(string(text(v)), "NO_LOCK_NO_ADMIN")
		case columnSuperReadOnly:
			s.SuperReadOnly = on(v)
			s.ReadOnly = s.ReadOnly || s.SuperReadOnly
		case columnOfflineMode, columnInnodbReadOnly:
			s.ReadOnly = s.ReadOnly || on(v)
		case columnGTIDExecuted, columnGTIDCurrentPos:
			s.GTID = keepLine(s.GTID, v)
		case columnBinlogState:
			s.BinlogState = keepLine(s.BinlogState, v)
		}
	}
}

// keepLine is keep for a text that MySQL breaks into lines after each comma.
func keepLine(old string, v driver.Value) string {
	b := text(v)
	if bytes.IndexByte(b, '\n') < 0 && bytes.IndexByte(b, '\r') < 0 {
		if string(b) == old {
			return old
		}
		return string(b)
	}
	rest := old
	for _, c := range b {
		if c == '\n' || c == '\r' {
			continue
		}
		if rest == "" || rest[0] != c {
			return joined(b)
		}
		rest = rest[1:]
	}
	if rest != "" {
		return joined(b)
	}
	return old
}

// joined returns a text without the ends of its lines.
func joined(b []byte) string {
	var line strings.Builder
	line.Grow(len(b))
	for _, c := range b {
		if c != '\n' && c != '\r' {
			line.WriteByte(c)
		}
	}
	return line.String()
}
