package replication

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"
	"time"

	"mpp"
)

// field is a field of mpp.Channel that a column of the replica status fills.
type field int

const (
	fieldNone field = iota
	fieldName
	fieldHost
	fieldPort
	fieldSourceID
	fieldSourceUUID
	fieldIO
	fieldSQL
	fieldIOErrno
	fieldIOError
	fieldSQLErrno
	fieldSQLError
	fieldLag
	fieldDelay
	fieldByGTID
	fieldRetryCount
	fieldConnectRetry
	fieldReceived
	fieldSourceLog
	fieldSourcePos
	fieldCount // how many there are
)

// fieldOf returns the field that a column fills, whatever the product and its age call it.
func fieldOf(column string) field {
	switch strings.ToLower(column) {
	case "channel_name", "connection_name":
		return fieldName
	case "source_host", "master_host":
		return fieldHost
	case "source_port", "master_port":
		return fieldPort
	case "source_server_id", "master_server_id":
		return fieldSourceID
	case "source_uuid", "master_uuid":
		return fieldSourceUUID
	case "replica_io_running", "slave_io_running":
		return fieldIO
	case "replica_sql_running", "slave_sql_running":
		return fieldSQL
	case "last_io_errno":
		return fieldIOErrno
	case "last_io_error":
		return fieldIOError
	case "last_sql_errno":
		return fieldSQLErrno
	case "last_sql_error":
		return fieldSQLError
	case "seconds_behind_source", "seconds_behind_master":
		return fieldLag
	case "sql_delay":
		return fieldDelay
	case "auto_position", "using_gtid":
		return fieldByGTID
	default:
		return positionFieldOf(column)
	}
}

// positionFieldOf is fieldOf for what only a promotion must know.
func positionFieldOf(column string) field {
	switch strings.ToLower(column) {
	case "retrieved_gtid_set", "gtid_io_pos":
		return fieldReceived
	case "source_log_file", "master_log_file":
		return fieldSourceLog
	case "read_source_log_pos", "read_master_log_pos":
		return fieldSourcePos
	case "source_retry_count", "master_retry_count":
		return fieldRetryCount
	case "connect_retry":
		return fieldConnectRetry
	default:
		return fieldNone
	}
}

// StatusReader turns the rows of StatusSQL into channels. It learns the columns from the
// first answer it reads, so it belongs to one connection and one spelling of the statement.
type StatusReader struct {
	// Positions has it read what was received and from where, too: Channel.Received, SourceLog,
	// SourcePos and RetryFor. They change with every transaction.
	Positions bool

	fields []field
	dest   []driver.Value
	last   []mpp.Channel
	retry  time.Duration // Connect_Retry of the present row
}

// Read reads all rows. A slice that was returned is never changed afterwards; when nothing
// changed the same one is returned again. No rows, on a server that is no replica, are a nil
// slice. The error says which column is missing, or is the connection's.
func (r *StatusReader) Read(rows driver.Rows) ([]mpp.Channel, error) {
	if r.fields == nil {
		if err := r.learn(rows.Columns()); err != nil {
			return nil, err
		}
	}
	var list []mpp.Channel // nil for as long as everything is as before
	n, changed := 0, false
	err := eachRow(rows, r.dest, func() {
		var old mpp.Channel
		if n < len(r.last) {
			old = r.last[n]
		}
		c := r.row(old)
		if strings.HasPrefix(c.Name, "group_replication_") {
			return // Group Replication's own channels are judged by its member state
		}
		if !changed && (n >= len(r.last) || c != old) {
			list = slices.Clone(r.last[:n])
			changed = true
		}
		if changed {
			list = append(list, c)
		}
		n++
	})
	if err != nil {
		return nil, err
	}
	switch {
	case changed:
		r.last = list
	case n == 0:
		r.last = nil
	case n < len(r.last):
		r.last = slices.Clone(r.last[:n])
	}
	return r.last, nil
}

// learn notes which column is what.
func (r *StatusReader) learn(columns []string) error {
	fields := make([]field, len(columns))
	var seen [fieldCount]bool
	for i, name := range columns {
		fields[i] = fieldOf(name)
		if !r.Positions && fields[i] >= fieldRetryCount {
			fields[i] = fieldNone
		}
		seen[fields[i]] = true
	}
	for _, must := range []struct {
		field field
		name  string
	}{{fieldHost, "Source_Host"}, {fieldIO, "Replica_IO_Running"}, {fieldSQL, "Replica_SQL_Running"}, {fieldLag, "Seconds_Behind_Source"}} {
		if !seen[must.field] {
			return fmt.Errorf("read replica status: none of its %d columns is %s or what it was called before", len(columns), must.name)
		}
	}
	r.fields, r.dest = fields, make([]driver.Value, len(columns))
	return nil
}

// row reads one row; old lends its texts where they are the same.
func (r *StatusReader) row(old mpp.Channel) mpp.Channel {
	var c mpp.Channel
	for i, f := range r.fields {
		v := r.dest[i]
		switch f {
		case fieldNone:
		case fieldName:
			c.Name = keep(old.Name, v)
		case fieldHost:
			c.SourceHost = keep(old.SourceHost, v)
		case fieldPort:
			c.SourcePort = number16(v)
		case fieldSourceID:
			c.SourceID = number32(v)
		case fieldSourceUUID:
			c.SourceUUID = keep(old.SourceUUID, v)
		case fieldIO:
			c.IO = keep(old.IO, v)
		case fieldSQL:
			c.SQL = keep(old.SQL, v)
		case fieldIOErrno:
			c.IOErrno = number32(v)
		case fieldIOError:
			c.IOError = keep(old.IOError, v)
		case fieldSQLErrno:
			c.SQLErrno = number32(v)
		case fieldSQLError:
			c.SQLError = keep(old.SQLError, v)
		case fieldLag:
			c.Lag, c.LagKnown = seconds(v)
		case fieldDelay:
			c.Delay, _ = seconds(v)
		case fieldByGTID:
			c.ByGTID = byGTID(v)
		default:
			r.position(&c, &old, i)
		}
	}
	return c
}

// byGTID reads MySQL's Auto_Position, 0 or 1, and MariaDB's Using_Gtid: No, Slave_Pos or
// Current_Pos. It takes no memory, as on would over a word: it is asked in every poll.
func byGTID(v driver.Value) bool {
	if n, ok := v.(int64); ok {
		return n != 0
	}
	switch string(text(v)) {
	case "", "0", "No", "NO":
		return false
	default:
		return true
	}
}

// position reads column at as far as it is one that only a promotion must know.
func (r *StatusReader) position(c, old *mpp.Channel, at int) {
	v := r.dest[at]
	switch r.fields[at] {
	case fieldReceived:
		c.Received = keepLine(old.Received, v)
	case fieldSourceLog:
		c.SourceLog = keep(old.SourceLog, v)
	case fieldSourcePos:
		n, _ := number(v)
		c.SourcePos = uint64(max(n, 0))
	case fieldConnectRetry:
		r.retry, _ = seconds(v)
	case fieldRetryCount: // comes after Connect_Retry in every product
		n, ok := number(v)
		if ok && n > 0 && r.retry > 0 {
			c.RetryFor = r.retry * time.Duration(min(n, int64(maxRetryFor/r.retry)))
		}
	default:
	}
}

// maxRetryFor bounds what is shown of how long a receiver tries: a century is for ever.
const maxRetryFor = 100 * 365 * 24 * time.Hour

// maxSeconds bounds a number of seconds to what a time.Duration can hold.
const maxSeconds = int64(1<<63-1) / int64(time.Second)

// seconds reads a duration in seconds; ok is false for NULL. A negative one is 0: MySQL
// shows that when clocks differ.
func seconds(v driver.Value) (d time.Duration, ok bool) {
	n, ok := number(v)
	if !ok {
		return 0, false
	}
	return time.Duration(min(max(n, 0), maxSeconds)) * time.Second, true
}
