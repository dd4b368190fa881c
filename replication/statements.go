package replication

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// GrantsSQL lists the grants of the account that asks, those of its active roles included.
// Its rows may hold a password hash: give them to ReadGrants and to nobody else.
const GrantsSQL = `SHOW GRANTS`

// statusSpellings are the ways to ask for the replica's state, the newest first. MariaDB's
// form for all connections shows the default one too; MySQL's shows every channel.
func (d *Dialect) statusSpellings() []string {
	if d.Flavour == MariaDB {
		return []string{`SHOW ALL SLAVES STATUS`, `SHOW SLAVE STATUS`}
	}
	return []string{`SHOW REPLICA STATUS`, `SHOW SLAVE STATUS`}
}

// StatusSQL asks for the state of every replication channel; its rows are for a StatusReader.
func (d *Dialect) StatusSQL() string { return d.statusSpellings()[d.status] }

// ServerSQL asks for what mpp.Server shows and can change while the server runs; its row is
// for a ServerReader.
func (d *Dialect) ServerSQL() string {
	var b strings.Builder
	b.WriteString(`SELECT`)
	for i, c := range d.serverColumns() {
		if i > 0 {
			b.WriteByte(',')
		}
		b.WriteString(` @@global.`)
		b.WriteString(string(c))
	}
	return b.String()
}

// Limits are how long a session lets its own statements last on the server, so that a
// statement which its client gave up ends there too. All are at least a second on some server.
type Limits struct {
	// Statement bounds a SELECT; 0 means no bound.
	Statement time.Duration
	// Lock bounds the wait for a table or row lock; it is rounded up to whole seconds.
	Lock time.Duration
	// Idle is after how long without a statement the server closes the session.
	Idle time.Duration
}

// SessionSQL prepares a session: every one of its statements must be carried out. Autocommit
// is set because init_connect may have unset it: a session without would read the same old
// heartbeat for ever.
func (d *Dialect) SessionSQL(l Limits) string {
	lock, idle := wholeSeconds(l.Lock), wholeSeconds(l.Idle)
	text := fmt.Sprintf("SET SESSION autocommit = 1, lock_wait_timeout = %d, innodb_lock_wait_timeout = %d, wait_timeout = %d",
		lock, lock, idle)
	switch {
	case l.Statement <= 0:
	case d.has.maxStatementTime: // MariaDB, in seconds with a fraction
		text += fmt.Sprintf(", max_statement_time = %.3f", l.Statement.Seconds())
	case d.has.maxExecutionTime: // MySQL, in milliseconds
		text += fmt.Sprintf(", max_execution_time = %d", max(1, l.Statement.Milliseconds()))
	}
	return text
}

// UnsyncedSQL lets the session read without waiting for its cluster: a node that is out of
// step must answer, and say so. It is empty where there is nothing to set; a refusal of it
// may be ignored.
func (d *Dialect) UnsyncedSQL() string {
	switch {
	case d.Galera && d.has.wsrepSyncWait:
		return "SET SESSION wsrep_sync_wait = 0"
	case d.Group && d.has.groupConsistency:
		return "SET SESSION group_replication_consistency = 'EVENTUAL'"
	default:
		return ""
	}
}

// KillSQL ends a session of the server. An account may end its own sessions without any
// privilege.
func KillSQL(session uint32) string {
	return "KILL " + strconv.FormatUint(uint64(session), 10)
}

func wholeSeconds(d time.Duration) int64 {
	return max(1, int64((d+time.Second-1)/time.Second))
}
