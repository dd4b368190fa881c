package replication

import (
	"database/sql/driver"
	"fmt"
)

// managerLock is the name of the lock by which a manager marks a server as its own: held by its
// lasting session, so that it is free as soon as the manager has died, or the server has ended the
// session of one that it has not heard for long. Locks by name need no privilege, are not replicated,
// and can be taken on a server that is read-only.
const managerLock = "MPP manages this server"

// ManagerSQL asks which session holds the lock of the server's manager; its row is for ReadManager.
// TakeManagerSQL takes it where it is free; its row is for ReadTaken.
const (
	ManagerSQL     = "SELECT IS_USED_LOCK('" + managerLock + "'), CONNECTION_ID()"
	TakeManagerSQL = "SELECT GET_LOCK('" + managerLock + "', 0)"
)

// ReadManager reads the row of ManagerSQL: the id of the session that holds the lock, 0 for none, and
// that of the session that asks.
func ReadManager(rows driver.Rows) (holder, self int64, err error) {
	if err := wantColumns(rows, 2); err != nil {
		return 0, 0, fmt.Errorf("read who manages the server: %w", err)
	}
	dest := make([]driver.Value, 2)
	err = eachRow(rows, dest, func() {
		holder, _ = number(dest[0])
		self, _ = number(dest[1])
	})
	return holder, self, err
}

// ReadTaken reads the row of TakeManagerSQL: whether this session has the lock now.
func ReadTaken(rows driver.Rows) (taken bool, err error) {
	if err := wantColumns(rows, 1); err != nil {
		return false, fmt.Errorf("read whether the server is managed: %w", err)
	}
	dest := make([]driver.Value, 1)
	err = eachRow(rows, dest, func() { taken = on(dest[0]) })
	return taken, err
}

// SessionHostSQL asks from where a session came; its row is for ReadSessionHost. It takes PROCESS to
// see sessions of another account.
func SessionHostSQL(id int64) string {
	return fmt.Sprintf("SELECT HOST FROM information_schema.PROCESSLIST WHERE ID = %d", id)
}

// ReadSessionHost reads the row of SessionHostSQL: host:port, "" when there is no such session.
func ReadSessionHost(rows driver.Rows) (host string, err error) {
	if err := wantColumns(rows, 1); err != nil {
		return "", fmt.Errorf("read from where a session came: %w", err)
	}
	dest := make([]driver.Value, 1)
	err = eachRow(rows, dest, func() { host = string(text(dest[0])) })
	return host, err
}
