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

// SessionSQL asks what a session is doing; its row is for ReadSession. clientPort is the
// local port of the connection: together with the id it makes sure that another session
// which got the same id after a restart is not taken for it.
func SessionSQL(id uint32, clientPort uint16) string {
	return fmt.Sprintf("SELECT COMMAND, STATE, (SELECT COUNT(*) FROM information_schema.PROCESSLIST"+
		" WHERE STATE LIKE 'Waiting for someone to free space%%')"+
		" FROM information_schema.PROCESSLIST WHERE ID = %d AND HOST LIKE '%%:%d'", id, clientPort)
}

// ReadSession reads the row of SessionSQL; no row means that the session is gone.
func ReadSession(rows driver.Rows) (Session, error) {
	var s Session
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
