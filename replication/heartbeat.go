package replication

import (
	"database/sql/driver"
	"fmt"
	"time"
)

// HeartbeatAgeSQL asks how old the newest heartbeat is by the server's own clock; its row is
// for ReadAge. Every writer has a row of its own, and the newest counts.
func HeartbeatAgeSQL(t Table) string {
	return "SELECT TIMESTAMPDIFF(MICROSECOND, MAX(ts), UTC_TIMESTAMP(6)) FROM " + t.String()
}

// ReadAge reads the row of HeartbeatAgeSQL. known is false when there is no heartbeat yet. A
// heartbeat of the future is 0 old.
func ReadAge(rows driver.Rows) (age time.Duration, known bool, err error) {
	dest := make([]driver.Value, 1)
	err = eachRow(rows, dest, func() {
		n, ok := number(dest[0])
		age, known = time.Duration(min(max(n, 0), maxSeconds*1e6))*time.Microsecond, ok
	})
	return age, known, err
}

// HeartbeatWriteSQL writes the heartbeat of the server with that id. The id is spelt out
// because a replica that executed @@server_id itself would write its own.
func HeartbeatWriteSQL(t Table, serverID uint32) string {
	return fmt.Sprintf("INSERT INTO %s (server_id, ts) VALUES (%d, UTC_TIMESTAMP(6)) ON DUPLICATE KEY UPDATE ts = UTC_TIMESTAMP(6)",
		t, serverID)
}

// HeartbeatCreateSQL makes the table if it is not there; its schema must be.
func HeartbeatCreateSQL(t Table) string {
	return "CREATE TABLE IF NOT EXISTS " + t.String() +
		" (server_id INT UNSIGNED NOT NULL PRIMARY KEY, ts DATETIME(6) NOT NULL COMMENT 'UTC') ENGINE = InnoDB"
}
