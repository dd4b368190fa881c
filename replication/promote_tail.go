package replication

import (
	"database/sql/driver"
	"fmt"
	"strings"
)

// The statements that execute what a program such as mysqlbinlog has printed.

// TransactionSQL gives the session's next transaction its GTID. On MariaDB it has three parts.
func TransactionSQL(domain, server uint32, seq uint64) string {
	return fmt.Sprintf("SET SESSION gtid_domain_id = %d, server_id = %d, gtid_seq_no = %d", domain, server, seq)
}

// NextSQL is TransactionSQL of MySQL.
func NextSQL(gtid string) string { return "SET SESSION gtid_next = " + quote(gtid) }

// AutomaticSQL ends what NextSQL began.
const AutomaticSQL = "SET SESSION gtid_next = 'AUTOMATIC'"

// RollbackSQL gives up a transaction.
const RollbackSQL = "ROLLBACK"

// PatientSQL lets the session wait for locks as long as an applier would.
const PatientSQL = "SET SESSION innodb_lock_wait_timeout = 50, lock_wait_timeout = 50"

// PacketSQL asks for the longest statement that the server takes, in bytes; its row is for ReadCount.
const PacketSQL = "SELECT @@session.max_allowed_packet"

// BinlogTextSQL executes events in base64.
func BinlogTextSQL(base64 []byte) []byte {
	return append(append([]byte("BINLOG '\n"), base64...), '\'')
}

// BinlogsSQL lists the binary logs; its rows are for ReadBinlogs. It hangs while their disk is full.
const BinlogsSQL = "SHOW BINARY LOGS"

// ReadBinlogs reads the names of the binary logs, the oldest first.
func ReadBinlogs(rows driver.Rows) ([]string, error) {
	columns := len(rows.Columns())
	if columns < 1 {
		return nil, errNoRow
	}
	var list []string
	dest := make([]driver.Value, columns)
	err := eachOf(rows, maxBinlogs, dest, func() { list = append(list, string(text(dest[0]))) })
	return list, err
}

// maxBinlogs bounds how many binary logs a server may have, and headEvents in how many events the
// list of those before it must come.
const (
	maxBinlogs = 1_000_000
	headEvents = 5
)

// BinlogHeadSQL asks what was in the binary logs before one; its rows are for ReadBinlogHead.
func BinlogHeadSQL(log string) string {
	return fmt.Sprintf("SHOW BINLOG EVENTS IN %s LIMIT %d", quote(log), headEvents)
}

// ReadBinlogHead reads what was in the binary logs before: MySQL's set, or on MariaDB the last GTID
// of each server in each domain.
func ReadBinlogHead(rows driver.Rows) (before string, err error) {
	if err := wantColumns(rows, 6); err != nil {
		return "", fmt.Errorf("read binary log: %w", err)
	}
	dest := make([]driver.Value, 6)
	err = eachRow(rows, dest, func() {
		if kind := string(text(dest[2])); kind == "Previous_gtids" || kind == "Gtid_list" {
			before = strings.Trim(oneLine(dest[5]), "[]")
		}
	})
	return before, err
}
