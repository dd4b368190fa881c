package replication

import (
	"database/sql/driver"
	"fmt"
	"slices"
	"strings"

	"mpp"
)

// PositionSQL asks how far the server has executed; its row is for ReadPosition. It needs no
// privilege, takes no lock that a commit could hold, and is answered when a disk is full.
func (d *Dialect) PositionSQL() string {
	if d.Flavour == MariaDB {
		return "SELECT @@global.gtid_current_pos, @@global.gtid_binlog_state, @@global.gtid_slave_pos, @@global.gtid_binlog_pos"
	}
	return "SELECT @@global.gtid_executed"
}

// Position is the answer to PositionSQL.
type Position struct {
	mpp.Position
	// Slave and Binlog are MariaDB's gtid_slave_pos and gtid_binlog_pos.
	Slave, Binlog string
}

// ReadPosition reads the row of PositionSQL.
func (d *Dialect) ReadPosition(rows driver.Rows) (Position, error) {
	var p Position
	fields := []*string{&p.Executed, &p.BinlogState, &p.Slave, &p.Binlog}
	if d.Flavour != MariaDB {
		fields = fields[:1]
	}
	if err := wantColumns(rows, len(fields)); err != nil {
		return p, fmt.Errorf("read position: %w", err)
	}
	dest, read := make([]driver.Value, len(fields)), false
	err := eachRow(rows, dest, func() {
		read = true
		for i, f := range fields {
			*f = oneLine(dest[i])
		}
	})
	if err == nil && !read {
		err = errNoRow
	}
	return p, err
}

// oneLine is a text that MySQL breaks into lines, on one.
func oneLine(v driver.Value) string {
	return strings.NewReplacer("\n", "", "\r", "").Replace(string(text(v)))
}

// OwnLog asks where the server's own binary log ends; its row is for ReadOwnLog. It hangs while
// the binary log's disk is full.
func (d *Dialect) OwnLog() Spellings {
	if d.Flavour == MariaDB {
		return Spellings{"SHOW MASTER STATUS"}
	}
	return Spellings{"SHOW BINARY LOG STATUS", "SHOW MASTER STATUS"}
}

// ReadOwnLog reads the row of OwnLog; no row means that the server has no binary log.
func ReadOwnLog(rows driver.Rows) (log string, pos uint64, err error) {
	columns := rows.Columns()
	if len(columns) < 2 {
		return "", 0, fmt.Errorf("read end of binary log: the answer has %d columns", len(columns))
	}
	dest := make([]driver.Value, len(columns))
	err = eachRow(rows, dest, func() {
		n, _ := number(dest[1])
		log, pos = string(text(dest[0])), uint64(max(n, 0))
	})
	return log, pos, err
}

// LogBaseSQL asks where the binary logs are: a path without the number; its row is for ReadText.
const LogBaseSQL = "SELECT @@global.log_bin_basename"

// ReadText reads a single text, "" for NULL.
func ReadText(rows driver.Rows) (string, error) {
	var s string
	if err := wantColumns(rows, 1); err != nil {
		return "", err
	}
	dest := make([]driver.Value, 1)
	err := eachRow(rows, dest, func() { s = string(text(dest[0])) })
	return s, err
}

// Link is a replication channel as those see it who are about to change it.
type Link struct {
	// Name is the channel's, empty for the one without a name.
	Name string
	// Host, Port and User are the source's.
	Host, Port, User string
	// IO is "Yes", "No", "Connecting" or "Preparing"; SQL is "Yes" or "No". The numbers and texts
	// are those of the last errors, 0 for none.
	IO, SQL           string
	IOErrno, SQLErrno uint32
	IOError, SQLError string
	// SQLState is what the applier is doing.
	SQLState string
	// SourceLog and SourcePos are how far the receiver has read, ExecLog and ExecPos how far the
	// applier has executed, in the source's binary log; RelayLog and RelayPos where it goes on.
	SourceLog string
	SourcePos uint64
	ExecLog   string
	ExecPos   uint64
	RelayLog  string
	RelayPos  uint64
	// Received is MySQL's Retrieved_Gtid_Set, MariaDB's Gtid_IO_Pos: whole transactions only.
	Received string
	// ByGTID says that it follows by GTID (Auto_Position, Using_Gtid).
	ByGTID bool
	// CA says that somebody has configured a certificate to verify the source by.
	CA bool
}

// ReadAll reports whether the applier has read everything that was received, and waits.
func (l *Link) ReadAll() bool {
	return l.SQL == "Yes" && strings.Contains(strings.ToLower(l.SQLState), "has read all relay log")
}

// ExecutedAll reports whether the applier has come as far as the receiver, by position: that
// is not so when the receiver stopped in the middle of a transaction.
func (l *Link) ExecutedAll() bool { return l.ExecLog == l.SourceLog && l.ExecPos >= l.SourcePos }

// ReadLinks reads the rows of StatusSQL.
func ReadLinks(rows driver.Rows) ([]Link, error) {
	names := slices.Clone(rows.Columns())
	for i, n := range names {
		names[i] = strings.NewReplacer("master", "source", "slave", "replica").Replace(strings.ToLower(n))
	}
	dest := make([]driver.Value, len(names))
	var list []Link
	err := eachRow(rows, dest, func() {
		row := make(map[string]string, len(names))
		for i, n := range names {
			row[n] = oneLine(dest[i])
		}
		if l := newLink(row); !strings.HasPrefix(l.Name, "group_replication_") {
			list = append(list, l)
		}
	})
	if err != nil {
		return nil, fmt.Errorf("read replica status: %w", err)
	}
	return list, nil
}

// newLink reads a row whose columns have the names of today.
func newLink(row map[string]string) Link {
	num := func(name string) uint64 {
		n, _ := number(row[name])
		return uint64(max(n, 0))
	}
	l := Link{
		Name: row["channel_name"] + row["connection_name"],
		Host: row["source_host"], Port: row["source_port"], User: row["source_user"],
		IO: row["replica_io_running"], SQL: row["replica_sql_running"],
		IOErrno: uint32(num("last_io_errno")), SQLErrno: uint32(num("last_sql_errno")),
		IOError: row["last_io_error"], SQLError: row["last_sql_error"],
		SQLState:  row["replica_sql_running_state"],
		SourceLog: row["source_log_file"], SourcePos: num("read_source_log_pos"),
		ExecLog: row["relay_source_log_file"], ExecPos: num("exec_source_log_pos"),
		RelayLog: row["relay_log_file"], RelayPos: num("relay_log_pos"),
		Received: row["retrieved_gtid_set"] + row["gtid_io_pos"],
		CA:       row["source_ssl_ca_file"] != "",
	}
	using := row["using_gtid"] // Slave_Pos, Current_Pos or No
	l.ByGTID = row["auto_position"] == "1" || using != "" && !strings.EqualFold(using, "No")
	return l
}

// RelayEventsSQL lists the first events of MariaDB's relay log from a place on; its rows are for
// ReadRelayEvents.
func (d *Dialect) RelayEventsSQL(channel, log string, pos uint64) string {
	return fmt.Sprintf("SHOW RELAYLOG%s EVENTS IN %s FROM %d LIMIT %d", mariaChannel(channel), quote(log), pos, maxRelayEvents)
}

// maxRelayEvents bounds how many events are looked at.
const maxRelayEvents = 20_000

// RelayEvent is the begin of a transaction in a relay log.
type RelayEvent struct {
	Pos  uint64
	GTID string
}

// ReadRelayEvents returns the begins of transactions among the rows of RelayEventsSQL.
func ReadRelayEvents(rows driver.Rows) ([]RelayEvent, error) {
	if err := wantColumns(rows, 6); err != nil {
		return nil, fmt.Errorf("read relay log: %w", err)
	}
	var list []RelayEvent
	dest := make([]driver.Value, 6)
	err := eachOf(rows, maxRelayEvents, dest, func() {
		// The last column is such as "BEGIN GTID 0-1-23 cid=5" or "GTID 0-1-24".
		_, gtid, _ := strings.Cut(string(text(dest[5])), "GTID ")
		if string(text(dest[2])) == "Gtid" && gtid != "" {
			pos, _ := number(dest[1])
			list = append(list, RelayEvent{uint64(max(pos, 0)), strings.Fields(gtid)[0]})
		}
	})
	return list, err
}
