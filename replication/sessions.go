package replication

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"
)

// Process is a row of the process list, as those see it who decide what to end. It has no text of
// a statement but the first word: the rest may hold what nobody should read.
type Process struct {
	ID uint64
	// User and Host are the client's; Host has no port.
	User, Host string
	// Command and State are as the server prints them.
	Command, State string
	// Verb is the first word of the statement, in upper case; "" for none.
	Verb string
	// Time is for how long it has been in that state, to the second.
	Time time.Duration
	// Print tells one statement from another.
	Print string
	// Stops says that the session has told a replica's receiver to stop, and waits for that.
	Stops bool
}

// ProcessesSQL lists the sessions; its rows are for ReadProcesses.
const ProcessesSQL = "SELECT ID, USER, HOST, COMMAND, COALESCE(STATE, ''), COALESCE(TIME, 0), LEFT(COALESCE(INFO, ''), 200)," +
	" COALESCE(CRC32(INFO), 0) FROM information_schema.PROCESSLIST"

// maxProcesses bounds how many sessions are looked at.
const maxProcesses = 100_000

// ReadProcesses reads the rows of ProcessesSQL.
func ReadProcesses(rows driver.Rows) ([]Process, error) {
	if err := wantColumns(rows, 8); err != nil {
		return nil, fmt.Errorf("read process list: %w", err)
	}
	var list []Process
	dest := make([]driver.Value, 8)
	err := eachOf(rows, maxProcesses, dest, func() {
		id, _ := number(dest[0])
		p := Process{ID: uint64(id), User: string(text(dest[1])), Command: string(text(dest[3])), State: string(text(dest[4]))}
		p.Host = hostOnly(string(text(dest[2])))
		p.Time, _ = seconds(dest[5])
		p.Verb, p.Print = verb(string(text(dest[6]))), string(text(dest[7]))
		p.Stops = p.Verb == "STOP" && !strings.Contains(strings.ToUpper(string(text(dest[6]))), string(Applier)) &&
			(strings.Contains(p.State, "Killing replica") || strings.Contains(p.State, "Killing slave"))
		list = append(list, p)
	})
	return list, err
}

// hostOnly takes the port off what the process list calls a host.
func hostOnly(s string) string {
	if i := strings.LastIndexByte(s, ':'); i >= 0 {
		return s[:i]
	}
	return s
}

// verb returns the first word of a statement, without comments before it.
func verb(sql string) string {
	for {
		sql = strings.TrimLeft(sql, " \t\r\n(;")
		switch {
		case strings.HasPrefix(sql, "/*"):
			_, after, found := strings.Cut(sql[2:], "*/")
			if !found {
				return ""
			}
			sql = after
		case strings.HasPrefix(sql, "-- "), strings.HasPrefix(sql, "#"):
			_, after, found := strings.Cut(sql, "\n")
			if !found {
				return ""
			}
			sql = after
		default:
			end := strings.IndexFunc(sql, func(r rune) bool { return (r < 'A' || r > 'Z') && (r < 'a' || r > 'z') })
			if end < 0 {
				end = len(sql)
			}
			return strings.ToUpper(sql[:min(end, 20)])
		}
	}
}

// Replicates reports whether the session belongs to replication or to the server itself.
func (p *Process) Replicates() bool {
	return p.User == "system user" || p.User == "event_scheduler" ||
		strings.HasPrefix(p.Command, "Binlog Dump") || strings.HasPrefix(p.Command, "Slave_") || p.Command == "Daemon"
}

// Idle reports whether the session runs no statement.
func (p *Process) Idle() bool { return p.Command == "Sleep" }

// Dying reports whether the session was told to end.
func (p *Process) Dying() bool { return p.Command == "Killed" }

// AwaitsAck reports whether the session waits for a replica to acknowledge its commit.
func (p *Process) AwaitsAck() bool { return strings.HasPrefix(p.State, "Waiting for semi-sync ACK") }

// Reads reports whether the session runs a statement that writes nothing by itself.
func (p *Process) Reads() bool {
	switch p.Verb {
	case "SELECT", "SHOW", "WITH", "EXPLAIN", "DESCRIBE", "DESC", "VALUES", "TABLE", "USE", "KILL":
		return true
	default:
		return false
	}
}

// EndSQL ends a session.
func EndSQL(id uint64) string { return fmt.Sprintf("KILL %d", id) }

// Transaction is an open transaction of InnoDB.
type Transaction struct {
	Session uint64
	// Began and ID tell it from the session's next one. The time is to the second; the ID is 0
	// until it writes.
	Began string
	ID    uint64
	// Rows is how many rows it has changed.
	Rows int64
}

// TransactionsSQL lists the open transactions, without single queries; its rows are for
// ReadTransactions. InnoDB shows the same answer again to who asks within 100 ms after anybody asked.
const TransactionsSQL = "SELECT trx_mysql_thread_id, trx_started, trx_id, trx_rows_modified FROM information_schema.INNODB_TRX" +
	" WHERE trx_autocommit_non_locking = 0"

// TransactionsAge is for how long InnoDB shows the same answer.
const TransactionsAge = 100 * time.Millisecond

// readOnlyID is from where on MySQL's numbers of transactions are only made up, for those that have
// not written.
const readOnlyID = 1 << 48

// ReadTransactions reads the rows of TransactionsSQL.
func ReadTransactions(rows driver.Rows) ([]Transaction, error) {
	if err := wantColumns(rows, 4); err != nil {
		return nil, fmt.Errorf("read transactions: %w", err)
	}
	var list []Transaction
	dest := make([]driver.Value, 4)
	err := eachOf(rows, maxProcesses, dest, func() {
		session, _ := number(dest[0])
		id, _ := number(dest[2])
		changed, _ := number(dest[3])
		if id >= readOnlyID {
			id = 0
		}
		list = append(list, Transaction{uint64(session), string(text(dest[1])), uint64(max(id, 0)), changed})
	})
	return list, err
}

// eachOf is eachRow for answers that have up to n rows.
func eachOf(rows driver.Rows, n int, dest []driver.Value, read func()) error {
	for range n {
		err := rows.Next(dest)
		if errors.Is(err, io.EOF) {
			return nil
		}
		if err != nil {
			return err
		}
		read()
	}
	return fmt.Errorf("more than %d rows", n)
}
