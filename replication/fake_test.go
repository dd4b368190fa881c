package replication_test

import (
	"context"
	"database/sql/driver"
	"io"

	"github.com/go-sql-driver/mysql"
)

// rows is a result made up by a test.
type rows struct {
	columns []string
	data    [][]driver.Value
	err     error // comes after the data
}

func (r *rows) Columns() []string { return r.columns }
func (r *rows) Close() error      { return nil }

func (r *rows) Next(dest []driver.Value) error {
	if len(r.data) == 0 {
		if r.err != nil {
			return r.err
		}
		return io.EOF
	}
	copy(dest, r.data[0])
	r.data = r.data[1:]
	return nil
}

// server is a server made up by a test: it answers statements that start so, and says that it
// does not know all others.
type server struct {
	answers map[string]*rows
	asked   []string
}

func (s *server) QueryContext(_ context.Context, query string, _ []driver.NamedValue) (driver.Rows, error) {
	s.asked = append(s.asked, query)
	for start, r := range s.answers {
		if len(query) >= len(start) && query[:len(start)] == start {
			return &rows{r.columns, append([][]driver.Value{}, r.data...), r.err}, nil
		}
	}
	return nil, &mysql.MySQLError{Number: 1064, Message: "You have an error in your SQL syntax"}
}

// variables is the answer to SHOW GLOBAL VARIABLES.
func variables(nameAndValue ...string) *rows {
	r := &rows{columns: []string{"Variable_name", "Value"}}
	for i := 0; i < len(nameAndValue); i += 2 {
		r.data = append(r.data, []driver.Value{[]byte(nameAndValue[i]), []byte(nameAndValue[i+1])})
	}
	return r
}

// The servers that cannot be had for real, as far as Probe asks them.
func mysql57() *server {
	return &server{answers: map[string]*rows{
		"SHOW GLOBAL VARIABLES": variables("version", "5.7.44-log", "version_comment", "MySQL Community Server (GPL)",
			"server_uuid", "8a94f357-aab4-11df-86ab-c80aa9429562", "super_read_only", "ON", "offline_mode", "OFF",
			"innodb_read_only", "OFF", "gtid_executed", "", "max_execution_time", "0"),
		"SHOW GLOBAL STATUS": variables("Uptime", "86400"),
		"SHOW SLAVE STATUS":  {columns: oldMySQLColumns()},
	}}
}

func mysql80() *server {
	s := mysql57()
	s.answers["SHOW GLOBAL VARIABLES"] = variables("version", "8.0.36", "version_comment", "Percona Server (GPL)",
		"server_uuid", "8a94f357-aab4-11df-86ab-c80aa9429562", "super_read_only", "OFF", "offline_mode", "ON",
		"innodb_read_only", "OFF", "gtid_executed", "a:1-5", "max_execution_time", "0",
		"group_replication_consistency", "EVENTUAL", "group_replication_group_name", "aaaaaaaa-aaaa-aaaa-aaaa-aaaaaaaaaaaa")
	s.answers["SHOW REPLICA STATUS"] = &rows{columns: newMySQLColumns()}
	return s
}

func mysql84() *server {
	s := mysql80()
	s.answers["SHOW GLOBAL VARIABLES"] = variables("version", "8.4.3", "version_comment", "MySQL Community Server - GPL",
		"server_uuid", "8a94f357-aab4-11df-86ab-c80aa9429562", "super_read_only", "OFF", "offline_mode", "OFF",
		"innodb_read_only", "OFF", "gtid_executed", "", "max_execution_time", "0")
	delete(s.answers, "SHOW SLAVE STATUS")
	return s
}

func mariadb12() *server {
	return &server{answers: map[string]*rows{
		"SHOW GLOBAL VARIABLES": variables("version", "12.1.2-MariaDB-log", "version_comment", "mariadb.org binary distribution",
			"innodb_read_only", "OFF", "gtid_current_pos", "0-1-5", "max_statement_time", "0.000000", "wsrep_on", "ON", "wsrep_sync_wait", "0"),
		"SHOW GLOBAL STATUS":     variables("Uptime", "5"),
		"SHOW ALL SLAVES STATUS": {columns: mariaDBColumns()},
	}}
}

// oldMySQLColumns are those of SHOW SLAVE STATUS up to MySQL 8.3.
func oldMySQLColumns() []string {
	return []string{
		"Slave_IO_State", "Master_Host", "Master_User", "Master_Port", "Connect_Retry", "Master_Log_File",
		"Read_Master_Log_Pos", "Relay_Log_File", "Relay_Log_Pos", "Relay_Master_Log_File", "Slave_IO_Running",
		"Slave_SQL_Running", "Replicate_Do_DB", "Last_Errno", "Last_Error", "Skip_Counter", "Exec_Master_Log_Pos",
		"Relay_Log_Space", "Master_SSL_Allowed", "Seconds_Behind_Master", "Last_IO_Errno", "Last_IO_Error",
		"Last_SQL_Errno", "Last_SQL_Error", "Master_Server_Id", "Master_UUID", "Master_Info_File", "SQL_Delay",
		"SQL_Remaining_Delay", "Slave_SQL_Running_State", "Master_Retry_Count", "Retrieved_Gtid_Set",
		"Executed_Gtid_Set", "Auto_Position", "Channel_Name",
	}
}

// newMySQLColumns are those of SHOW REPLICA STATUS.
func newMySQLColumns() []string {
	return []string{
		"Replica_IO_State", "Source_Host", "Source_User", "Source_Port", "Connect_Retry", "Source_Log_File",
		"Read_Source_Log_Pos", "Relay_Log_File", "Relay_Log_Pos", "Relay_Source_Log_File", "Replica_IO_Running",
		"Replica_SQL_Running", "Replicate_Do_DB", "Last_Errno", "Last_Error", "Skip_Counter", "Exec_Source_Log_Pos",
		"Relay_Log_Space", "Source_SSL_Allowed", "Seconds_Behind_Source", "Last_IO_Errno", "Last_IO_Error",
		"Last_SQL_Errno", "Last_SQL_Error", "Source_Server_Id", "Source_UUID", "Source_Info_File", "SQL_Delay",
		"SQL_Remaining_Delay", "Replica_SQL_Running_State", "Source_Retry_Count", "Retrieved_Gtid_Set",
		"Executed_Gtid_Set", "Auto_Position", "Channel_Name",
	}
}

// mariaDBColumns are those of SHOW ALL SLAVES STATUS, the ones that matter.
func mariaDBColumns() []string {
	return []string{
		"Connection_name", "Slave_SQL_State", "Slave_IO_State", "Master_Host", "Master_User", "Master_Port",
		"Connect_Retry", "Master_Log_File", "Read_Master_Log_Pos", "Slave_IO_Running", "Slave_SQL_Running", "Last_Errno", "Last_Error", "Seconds_Behind_Master", "Last_IO_Errno",
		"Last_IO_Error", "Last_SQL_Errno", "Last_SQL_Error", "Master_Server_Id", "Using_Gtid", "Gtid_IO_Pos", "SQL_Delay", "Gtid_Slave_Pos",
	}
}

// row makes a row of a column's values by name; all others are NULL.
func row(columns []string, values map[string]driver.Value) []driver.Value {
	r := make([]driver.Value, len(columns))
	for i, c := range columns {
		r[i] = values[c]
	}
	return r
}
