package replication

import (
	"bytes"
	"database/sql/driver"
	"fmt"
	"time"

	"mpp"
)

// SemiSyncSQL asks how semi-synchronous replication is; its rows are for ReadSemiSync. It needs
// no privilege, and is answered while commits wait. MySQL has rows only for the plugins that are
// installed, which may come and go.
const SemiSyncSQL = `SHOW GLOBAL STATUS LIKE 'Rpl_semi_sync%'`

// SemiSyncStatus is what a server says of semi-synchronous replication, and what it says besides.
type SemiSyncStatus struct {
	mpp.SemiSync
	// HasSource and HasReplica say which sides the server has: the plugins of MySQL.
	HasSource, HasReplica bool
	// Acknowledged counts the transactions that a replica acknowledged (yes_tx).
	Acknowledged uint64
}

// ReadSemiSync reads the rows of SemiSyncSQL. TimedOut stays false: that takes to know whether
// the source's side is enabled, which is a setting.
func ReadSemiSync(rows driver.Rows) (SemiSyncStatus, error) {
	var s SemiSyncStatus
	if err := wantColumns(rows, 2); err != nil {
		return s, fmt.Errorf("read semi-sync status: %w", err)
	}
	dest := make([]driver.Value, 2)
	err := eachRow(rows, dest, func() { s.row(text(dest[0]), dest[1]) })
	return s, err
}

// row takes one row, whatever the product and its age call it: Rpl_semi_sync_master_clients and
// Rpl_semi_sync_source_clients are the same.
func (s *SemiSyncStatus) row(name []byte, v driver.Value) {
	_, name, _ = bytes.Cut(name, []byte("_sync_"))
	side, what, _ := bytes.Cut(name, []byte("_"))
	count := func() int {
		n, _ := number(v)
		return int(max(n, 0))
	}
	switch string(side) {
	case "source", "master":
		s.HasSource = true
		switch string(what) {
		case "status":
			s.Source = on(v)
		case "clients":
			s.Clients = count()
		case "wait_sessions":
			s.Waiting = count()
		case "yes_tx":
			s.Acknowledged = uint64(count())
		}
	case "replica", "slave":
		s.HasReplica = true
		if string(what) == "status" {
			s.Replica = on(v)
		}
	}
}

// CommitWaitersSQL asks which sessions stand in a commit while replicas are to acknowledge; its
// row is for ReadCommitWaiters. The server counts only the one that waits for the acknowledgement
// on behalf of all that are committed with it, and those that follow.
const CommitWaitersSQL = `SELECT COUNT(*), MAX(TIME) FROM information_schema.PROCESSLIST WHERE COMMAND <> 'Daemon'` +
	` AND (STATE LIKE 'Waiting for semi-sync ACK%' OR STATE LIKE 'waiting for handler commit%' OR STATE = 'Commit')`

// CommitWaiters are the sessions that stand in a commit, of those that the account may see.
type CommitWaiters struct {
	Sessions int
	// Longest is for how long the oldest of their statements has been running.
	Longest time.Duration
}

// ReadCommitWaiters reads the row of CommitWaitersSQL.
func ReadCommitWaiters(rows driver.Rows) (CommitWaiters, error) {
	var w CommitWaiters
	if err := wantColumns(rows, 2); err != nil {
		return w, fmt.Errorf("read sessions that wait: %w", err)
	}
	dest := make([]driver.Value, 2)
	err := eachRow(rows, dest, func() {
		n, _ := number(dest[0])
		w.Sessions = int(max(n, 0))
		w.Longest, _ = seconds(dest[1])
	})
	return w, err
}
