package replication

import (
	"database/sql/driver"
	"fmt"
	"strings"
)

// Event is an EVENT of the server: a statement that it executes by itself.
type Event struct {
	Schema, Name string
	// Definer is "user@host"; SQLMode is that under which its body was written.
	Definer, SQLMode string
}

// String is the event's name.
func (e Event) String() string { return e.Schema + "." + e.Name }

// SchedulerSQL asks whether the server executes EVENTs; its row is for ReadText: ON, OFF or DISABLED.
const SchedulerSQL = "SELECT @@global.event_scheduler"

// SchedulerOnSQL lets the server execute EVENTs.
const SchedulerOnSQL = "SET GLOBAL event_scheduler = ON"

// EventsSQL lists EVENTs, those that are enabled, or those that are not because they came by
// replication; its rows are for ReadEvents. The account sees those of schemas on which it has the
// privilege EVENT.
func EventsSQL(enabled bool) string {
	status := "'SLAVESIDE_DISABLED', 'REPLICA_SIDE_DISABLED'"
	if enabled {
		status = "'ENABLED'"
	}
	return "SELECT EVENT_SCHEMA, EVENT_NAME, DEFINER, SQL_MODE FROM information_schema.EVENTS WHERE STATUS IN (" + status + ")"
}

// ReadEvents reads the rows of EventsSQL.
func ReadEvents(rows driver.Rows) ([]Event, error) {
	if err := wantColumns(rows, 4); err != nil {
		return nil, fmt.Errorf("read events: %w", err)
	}
	var list []Event
	dest := make([]driver.Value, 4)
	err := eachOf(rows, maxProcesses, dest, func() {
		list = append(list, Event{string(text(dest[0])), string(text(dest[1])), string(text(dest[2])), string(text(dest[3]))})
	})
	return list, err
}

// ModeSQL gives the session the event's sql_mode: ALTER EVENT would give the event the session's.
func (e Event) ModeSQL() string { return "SET SESSION sql_mode = " + quote(e.SQLMode) }

// SetEvent enables an event, or disables it as replication does. Its definer stays, which takes a
// privilege of its own where that is somebody else.
func (d *Dialect) SetEvent(e Event, enable bool) Spellings {
	user, host := e.Definer, ""
	if i := strings.LastIndexByte(e.Definer, '@'); i >= 0 {
		user, host = e.Definer[:i], e.Definer[i+1:]
	}
	alter := fmt.Sprintf("ALTER DEFINER = %s@%s EVENT %s.%s ", backquote(user), backquote(host), backquote(e.Schema), backquote(e.Name))
	switch {
	case enable:
		return Spellings{alter + "ENABLE"}
	case d.Flavour == MariaDB:
		return Spellings{alter + "DISABLE ON SLAVE"}
	default:
		return Spellings{alter + "DISABLE ON REPLICA", alter + "DISABLE ON SLAVE"}
	}
}
