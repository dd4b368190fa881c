package sandbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"strings"
	"time"
)

// setupStatements makes databases and accounts, with the least grants that each
// needs on this product. The source is opened for writes first.
func (p *Pool) setupStatements(mariaDB bool) []string {
	// REPLICATION SLAVE is for SHOW REPLICAS on MySQL; MariaDB's counterpart could
	// change semi-sync settings too, so the monitor does without.
	monitor := "REPLICATION CLIENT, PROCESS, REPLICATION SLAVE"
	failover := monitor + ", RELOAD, REPLICATION_SLAVE_ADMIN, SYSTEM_VARIABLES_ADMIN, CONNECTION_ADMIN"
	if mariaDB {
		monitor = "BINLOG MONITOR, SLAVE MONITOR, PROCESS"
		failover = monitor + ", REPLICATION SLAVE ADMIN, REPLICATION MASTER ADMIN, READ_ONLY ADMIN," +
			" BINLOG ADMIN, CONNECTION ADMIN, RELOAD"
	}
	list := []string{"SET GLOBAL read_only = 0", "CREATE DATABASE mpp", "CREATE DATABASE app"}
	for _, a := range []Account{p.Monitor, p.Failover, p.Repl, p.App} {
		list = append(list, fmt.Sprintf("CREATE USER '%s'@'%%' IDENTIFIED BY %s", a.User, quote(a.Password)))
	}
	grant := func(what, on string, to Account) {
		list = append(list, fmt.Sprintf("GRANT %s ON %s TO '%s'@'%%'", what, on, to.User))
	}
	grant(monitor, "*.*", p.Monitor)
	grant(failover, "*.*", p.Failover)
	for _, a := range []Account{p.Monitor, p.Failover} {
		grant("SELECT, INSERT, UPDATE, DELETE, CREATE, DROP, ALTER, INDEX", "mpp.*", a)
		if !mariaDB {
			grant("SELECT", "performance_schema.*", a)
		}
	}
	grant("REPLICATION SLAVE", "*.*", p.Repl)
	grant("ALL PRIVILEGES", "app.*", p.App)
	return list
}

// quote makes a SQL string of a text.
func quote(text string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(text) + "'"
}

// Repoint makes a server a replica of another, by GTID, and starts it. A server
// that was no replica before keeps what it wrote itself as its position. It does not
// touch read_only, and does not wait until the replica is connected.
func (p *Pool) Repoint(ctx context.Context, server, source *Server) error {
	status, err := server.ReplicaStatus(ctx)
	if err == nil {
		err = execAll(ctx, server.db, p.repointStatements(server, source, status != nil))
	}
	if err != nil {
		return fmt.Errorf("repoint %s to %s: %w", server.Name(), source.Name(), err)
	}
	return nil
}

// repointStatements are the dialect of Repoint.
func (p *Pool) repointStatements(server, source *Server, wasReplica bool) []string {
	to := func(prefix string) string {
		return fmt.Sprintf("%[1]sHOST = '%[2]s', %[1]sPORT = %[3]s, %[1]sUSER = '%[4]s', %[1]sPASSWORD = %[5]s, %[1]sCONNECT_RETRY = 1",
			prefix, source.Host(), source.Port(), p.Repl.User, quote(p.Repl.Password))
	}
	if !server.Base().MariaDB {
		return []string{
			"STOP REPLICA",
			"CHANGE REPLICATION SOURCE TO " + to("SOURCE_") +
				", SOURCE_AUTO_POSITION = 1, SOURCE_RETRY_COUNT = 86400, GET_SOURCE_PUBLIC_KEY = 1",
			"START REPLICA",
		}
	}
	list := []string{"STOP SLAVE"}
	if !wasReplica {
		// Else the source would be asked for what this server wrote itself.
		list = append(list, "SET GLOBAL gtid_slave_pos = @@global.gtid_current_pos")
	}
	change := "CHANGE MASTER TO " + to("MASTER_") + ", MASTER_USE_GTID = slave_pos"
	if server.Base().Version.AtLeast(11, 3, 0) {
		// From there on it insists on TLS, which older sources do not offer.
		change += ", MASTER_SSL_VERIFY_SERVER_CERT = 0"
	}
	return append(list, change, "START SLAVE")
}

// Delay makes a replica execute everything so much later than its source did, in
// whole seconds; 0 ends it. Its replication is running afterwards. MariaDB's replica
// follows by position as long as the delay lasts: by GTID it would fetch the binary log's
// head again, and hold back what the source's background thread wrote there just now.
func (s *Server) Delay(ctx context.Context, d time.Duration) error {
	seconds := int(d / time.Second)
	list := []string{"STOP REPLICA SQL_THREAD", fmt.Sprintf("CHANGE REPLICATION SOURCE TO SOURCE_DELAY = %d", seconds), "START REPLICA"}
	if s.Base().MariaDB {
		by := "NO"
		if seconds == 0 {
			by = "slave_pos"
		}
		list = []string{"STOP SLAVE", fmt.Sprintf("CHANGE MASTER TO MASTER_DELAY = %d, MASTER_USE_GTID = %s", seconds, by), "START SLAVE"}
	}
	return s.run(ctx, "delay", list...)
}

// StopSQLThread stops the execution of what the replica receives.
func (s *Server) StopSQLThread(ctx context.Context) error {
	return s.run(ctx, "stop SQL thread", s.dialect("STOP SLAVE SQL_THREAD"))
}

// StopIOThread stops the receiving; what was received is still executed.
func (s *Server) StopIOThread(ctx context.Context) error {
	return s.run(ctx, "stop I/O thread", s.dialect("STOP SLAVE IO_THREAD"))
}

// StartReplication starts both threads.
func (s *Server) StartReplication(ctx context.Context) error {
	return s.run(ctx, "start replication", s.dialect("START SLAVE"))
}

// dialect turns MariaDB's word into that of the server's product.
func (s *Server) dialect(statement string) string {
	if s.Base().MariaDB {
		return statement
	}
	return strings.Replace(statement, "SLAVE", "REPLICA", 1)
}

// run executes statements as root.
func (s *Server) run(ctx context.Context, what string, statements ...string) error {
	if err := execAll(ctx, s.db, statements); err != nil {
		return fmt.Errorf("%s on %s: %w", what, s.Name(), err)
	}
	return nil
}

// ReplicaStatus is one row of the server's replica status. The columns have MySQL's
// new names on either product: Source_Host, Replica_IO_Running, and so on.
type ReplicaStatus map[string]string

// Trouble says in a line how the threads are and what they complain of.
func (r ReplicaStatus) Trouble() string {
	if r == nil {
		return "not a replica"
	}
	return fmt.Sprintf("IO %s (%s %s), SQL %s (%s %s)",
		r["Replica_IO_Running"], r["Last_IO_Errno"], r["Last_IO_Error"],
		r["Replica_SQL_Running"], r["Last_SQL_Errno"], r["Last_SQL_Error"])
}

// ReplicaStatus returns nil if the server is not a replica. A column that is NULL
// is an empty string.
func (s *Server) ReplicaStatus(ctx context.Context) (ReplicaStatus, error) {
	rows, err := s.db.QueryContext(ctx, "SHOW "+s.dialect("SLAVE")+" STATUS")
	if err != nil {
		return nil, fmt.Errorf("read replica status of %s: %w", s.Name(), err)
	}
	defer rows.Close()
	names, err := rows.Columns()
	if err != nil || !rows.Next() {
		return nil, errors.Join(err, rows.Err())
	}
	values, into := make([]sql.NullString, len(names)), make([]any, len(names))
	for i := range values {
		into[i] = &values[i]
	}
	if err := rows.Scan(into...); err != nil {
		return nil, fmt.Errorf("read replica status of %s: %w", s.Name(), err)
	}
	status := make(ReplicaStatus, len(names))
	rename := strings.NewReplacer("Master", "Source", "Slave", "Replica")
	for i, name := range names {
		status[rename.Replace(name)] = values[i].String
	}
	return status, rows.Err()
}

// Position returns the GTIDs that the server has executed, as its product writes
// them.
func (s *Server) Position(ctx context.Context) (string, error) {
	query := "SELECT REPLACE(@@global.gtid_executed, '\n', '')"
	if s.Base().MariaDB {
		query = "SELECT @@global.gtid_current_pos"
	}
	var pos string
	if err := s.db.QueryRowContext(ctx, query).Scan(&pos); err != nil {
		return "", fmt.Errorf("read position of %s: %w", s.Name(), err)
	}
	return pos, nil
}

// has returns nil if the server has executed the GTIDs of a position.
func (s *Server) has(ctx context.Context, position string) error {
	query := "SELECT GTID_SUBSET(?, @@global.gtid_executed)"
	if s.Base().MariaDB {
		query = "SELECT MASTER_GTID_WAIT(?, 0) = 0"
	}
	var done bool
	if err := s.db.QueryRowContext(ctx, query, position).Scan(&done); err != nil {
		return fmt.Errorf("compare position of %s: %w", s.Name(), err)
	}
	if !done {
		return errors.New("it has not executed " + position)
	}
	return nil
}
