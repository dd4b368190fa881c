package replication

import "fmt"

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
