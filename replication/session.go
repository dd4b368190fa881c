package replication

import (
	"database/sql/driver"
	"fmt"
)

// Session is what the process list says of one session.
type Session struct {
	// Found says that the session exists; the rest is empty otherwise.
	Found bool
	// Command and State are as the server prints them, such as "Query" and "Commit".
	Command, State string
	// Waiting is how many sessions, of those that the account may see, wait for disk space.
	Waiting int64
}

// SessionSQL asks what a session of the asking account is doing; its row is for ReadSession. An
// id is given out again after a restart, so the caller must know that there was none; and only a
// session of the same account is ever found, whatever the account may see.
func SessionSQL(id uint32) string {
	return fmt.Sprintf("SELECT COMMAND, STATE, (SELECT COUNT(*) FROM information_schema.PROCESSLIST"+
		" WHERE STATE LIKE 'Waiting for someone to free space%%')"+
		" FROM information_schema.PROCESSLIST WHERE ID = %d AND USER = SUBSTRING_INDEX(USER(), '@', 1)", id)
}

// ReadSession reads the row of SessionSQL; no row means that the session is gone.
func ReadSession(rows driver.Rows) (Session, error) {
	var s Session
	if err := wantColumns(rows, 3); err != nil {
		return s, err
	}
	dest := make([]driver.Value, 3)
	err := eachRow(rows, dest, func() {
		n, _ := number(dest[2])
		s = Session{Found: true, Command: string(text(dest[0])), State: string(text(dest[1])), Waiting: n}
	})
	return s, err
}

// DiskFullSQL asks MySQL's error log whether a disk ran full in the last ten minutes; its
// row is for ReadCount. It is empty where the log cannot be asked: MariaDB shows it in the
// process list instead.
func (d *Dialect) DiskFullSQL() string {
	if d.Flavour == MariaDB {
		return ""
	}
	return "SELECT COUNT(*) FROM performance_schema.error_log WHERE LOGGED > NOW() - INTERVAL 10 MINUTE" +
		" AND (DATA LIKE '%isk is full%' OR DATA LIKE '%No space left on device%')"
}

// ReadCount reads a single number, 0 for NULL.
func ReadCount(rows driver.Rows) (int64, error) {
	var n int64
	dest := make([]driver.Value, 1)
	err := eachRow(rows, dest, func() { n, _ = number(dest[0]) })
	return n, err
}
