package replication

import (
	"database/sql/driver"
	"fmt"
	"strings"
)

// SemiSyncSettingsSQL asks which sides of semi-synchronous replication are enabled; its rows are
// for ReadSemiSyncSettings.
const SemiSyncSettingsSQL = `SHOW GLOBAL VARIABLES LIKE 'rpl\_semi\_sync\_%\_enabled'`

// SemiSyncSettings are the variables that enable the two sides: their names on this server, empty
// where it does not have the side, and whether they are on.
type SemiSyncSettings struct {
	Source, Replica     string
	SourceOn, ReplicaOn bool
}

// ReadSemiSyncSettings reads the rows of SemiSyncSettingsSQL.
func ReadSemiSyncSettings(rows driver.Rows) (SemiSyncSettings, error) {
	var s SemiSyncSettings
	found, err := pairs(rows)
	for name, value := range found {
		switch {
		case strings.Contains(name, "_source_"), strings.Contains(name, "_master_"):
			s.Source, s.SourceOn = name, on([]byte(value))
		case strings.Contains(name, "_replica_"), strings.Contains(name, "_slave_"):
			s.Replica, s.ReplicaOn = name, on([]byte(value))
		}
	}
	return s, err
}

// SwitchSQL sets a global variable that is a switch.
func SwitchSQL(variable string, on bool) string {
	if on {
		return "SET GLOBAL " + variable + " = 1"
	}
	return "SET GLOBAL " + variable + " = 0"
}

// KillWaitSQL asks for how many seconds a receiver that is stopped waits for its source, "" where it does
// not: MariaDB's, when it acknowledges, ends its session at the source over a new connection, and STOP
// waits for that (2 s with a source that is cut off, with the default of 5). SetKillWaitSQL changes it.
func (d *Dialect) KillWaitSQL() string {
	if d.Flavour != MariaDB {
		return ""
	}
	return "SELECT IF(@@GLOBAL.rpl_semi_sync_slave_enabled, @@GLOBAL.rpl_semi_sync_slave_kill_conn_timeout, '')"
}

// SetKillWaitSQL sets what KillWaitSQL asks for; seconds is a number, as it was read.
func (d *Dialect) SetKillWaitSQL(seconds uint64) string {
	return fmt.Sprintf("SET GLOBAL rpl_semi_sync_slave_kill_conn_timeout = %d", seconds)
}
