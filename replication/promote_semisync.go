package replication

import (
	"database/sql/driver"
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
