package fakenode

import "strings"

// replica is the answer about the state of a replica. slave and master are the product's
// words in the names of its columns.
func replica(columns []string, slave, master string, s *Source) Result {
	r := Result{Columns: columns}
	if s == nil {
		return r
	}
	known := map[string]any{
		master + "_Host": s.Host, master + "_Port": s.Port, master + "_User": "repl",
		master + "_Server_Id": s.ID, master + "_UUID": s.UUID,
		slave + "_IO_State":    "Waiting for " + strings.ToLower(master) + " to send event",
		slave + "_IO_Running":  "Yes",
		slave + "_SQL_Running": "Yes", slave + "_SQL_Running_State": "waiting for more updates",
		"Seconds_Behind_" + master: s.Lag,
		"Connect_Retry":            60, master + "_Log_File": "binlog.000002", "Relay_" + master + "_Log_File": "binlog.000002",
		"Read_" + master + "_Log_Pos": 4711, "Exec_" + master + "_Log_Pos": 4711,
		"Relay_Log_File": "relay.000002", "Relay_Log_Pos": 815, "Relay_Log_Space": 1200, "Until_Condition": "None",
		"Last_Errno": 0, "Last_IO_Errno": 0, "Last_SQL_Errno": 0, "Skip_Counter": 0, "Until_Log_Pos": 0,
		"SQL_Delay": 0, "SQL_Remaining_Delay": nil, "Using_Gtid": "Slave_Pos", "Gtid_IO_Pos": "0-1-4711",
		"Parallel_Mode": "optimistic", "Auto_Position": 1, master + "_Retry_Count": 86400,
		"Slave_DDL_Groups": 3, "Slave_Non_Transactional_Groups": 0, "Slave_Transactional_Groups": 4700,
		"Retried_transactions": 0, "Max_relay_log_size": 1073741824, "Executed_log_entries": 14100,
		"Slave_received_heartbeats": 12, "Slave_heartbeat_period": "30.000", "Gtid_Slave_Pos": "0-1-4711",
		"Slave_SQL_State": "waiting for more updates", master + "_SSL_Allowed": "No", master + "_SSL_Verify_Server_Cert": "No",
	}
	row := make([]any, len(columns))
	for i, name := range columns {
		v, is := known[name]
		if !is {
			v = "" // what is not set is an empty text
		}
		row[i] = v
	}
	r.Rows = [][]any{row}
	return r
}

func names(text string) []string { return strings.Fields(text) }

// mariadbAllColumns are those of SHOW ALL SLAVES STATUS of MariaDB 10.11.
func mariadbAllColumns() []string {
	return append(append(names(`Connection_name Slave_SQL_State`), mariadbColumns()...),
		names(`Retried_transactions Max_relay_log_size Executed_log_entries Slave_received_heartbeats
			Slave_heartbeat_period Gtid_Slave_Pos`)...)
}

// mariadbColumns are those of SHOW SLAVE STATUS of MariaDB 10.11.
func mariadbColumns() []string {
	return names(`Slave_IO_State Master_Host Master_User Master_Port Connect_Retry Master_Log_File Read_Master_Log_Pos
		Relay_Log_File Relay_Log_Pos Relay_Master_Log_File Slave_IO_Running Slave_SQL_Running Replicate_Do_DB
		Replicate_Ignore_DB Replicate_Do_Table Replicate_Ignore_Table Replicate_Wild_Do_Table
		Replicate_Wild_Ignore_Table Last_Errno Last_Error Skip_Counter Exec_Master_Log_Pos Relay_Log_Space
		Until_Condition Until_Log_File Until_Log_Pos Master_SSL_Allowed Master_SSL_CA_File Master_SSL_CA_Path
		Master_SSL_Cert Master_SSL_Cipher Master_SSL_Key Seconds_Behind_Master Master_SSL_Verify_Server_Cert
		Last_IO_Errno Last_IO_Error Last_SQL_Errno Last_SQL_Error Replicate_Ignore_Server_Ids Master_Server_Id
		Master_SSL_Crl Master_SSL_Crlpath Using_Gtid Gtid_IO_Pos Replicate_Do_Domain_Ids
		Replicate_Ignore_Domain_Ids Parallel_Mode SQL_Delay SQL_Remaining_Delay Slave_SQL_Running_State
		Slave_DDL_Groups Slave_Non_Transactional_Groups Slave_Transactional_Groups Replicate_Rewrite_DB`)
}

// mysqlColumns are those of MySQL 5.7 to 9.x with the words of the time.
func mysqlColumns(slave, master string) []string {
	return names(strings.NewReplacer("{S}", slave, "{M}", master).Replace(`{S}_IO_State {M}_Host {M}_User {M}_Port
		Connect_Retry {M}_Log_File Read_{M}_Log_Pos Relay_Log_File Relay_Log_Pos Relay_{M}_Log_File {S}_IO_Running
		{S}_SQL_Running Replicate_Do_DB Replicate_Ignore_DB Replicate_Do_Table Replicate_Ignore_Table
		Replicate_Wild_Do_Table Replicate_Wild_Ignore_Table Last_Errno Last_Error Skip_Counter Exec_{M}_Log_Pos
		Relay_Log_Space Until_Condition Until_Log_File Until_Log_Pos {M}_SSL_Allowed {M}_SSL_CA_File
		{M}_SSL_CA_Path {M}_SSL_Cert {M}_SSL_Cipher {M}_SSL_Key Seconds_Behind_{M} {M}_SSL_Verify_Server_Cert
		Last_IO_Errno Last_IO_Error Last_SQL_Errno Last_SQL_Error Replicate_Ignore_Server_Ids {M}_Server_Id
		{M}_UUID {M}_Info_File SQL_Delay SQL_Remaining_Delay {S}_SQL_Running_State {M}_Retry_Count {M}_Bind
		Last_IO_Error_Timestamp Last_SQL_Error_Timestamp {M}_SSL_Crl {M}_SSL_Crlpath Retrieved_Gtid_Set
		Executed_Gtid_Set Auto_Position Replicate_Rewrite_DB Channel_Name {M}_TLS_Version`))
}
