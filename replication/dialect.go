package replication

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// The flavours of a server, as mpp.Server shows them.
const (
	MySQL   = "mysql"
	MariaDB = "mariadb"
)

// The error numbers by which a server says that it does not know a statement.
const (
	errParse           = 1064 // ER_PARSE_ERROR
	errSyntax          = 1149 // ER_SYNTAX_ERROR
	errUnsupported     = 1235 // ER_NOT_SUPPORTED_YET
	errUnknownVariable = 1193 // ER_UNKNOWN_SYSTEM_VARIABLE
)

// Querier is a connection as far as Probe needs one: driver.QueryerContext.
type Querier interface {
	QueryContext(ctx context.Context, query string, args []driver.NamedValue) (driver.Rows, error)
}

// Dialect is how one server is spoken to. It belongs to one connection.
type Dialect struct {
	// Flavour is MySQL or MariaDB.
	Flavour string
	// Version is the server's own version text, such as "10.11.19-MariaDB-log".
	Version string
	// UUID is server_uuid, empty on MariaDB, which has none.
	UUID string
	// Uptime is how long the server had been running when it was probed, to the second;
	// negative means unknown.
	Uptime time.Duration
	// Galera says that wsrep is on; Group says that a group for Group Replication is configured.
	Galera bool
	Group  bool
	// Engine has ServerSQL ask for what a promotion must know, too. It is for the caller to set,
	// before the first statement is made.
	Engine bool

	has    features
	major  int
	minor  int
	status int // which of statusSpellings is in use
}

// features are the variables that a server turned out to have.
type features struct {
	superReadOnly, offlineMode, innodbReadOnly bool
	gtidExecuted, gtidCurrentPos               bool
	gtidBinlogState                            bool
	maxStatementTime, maxExecutionTime         bool
	wsrepSyncWait, groupConsistency            bool
}

// probeVariables asks for the variables that tell dialects apart, or that only some have.
const probeVariables = `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('version', 'version_comment', ` +
	`'server_uuid', 'super_read_only', 'offline_mode', 'innodb_read_only', 'gtid_executed', ` +
	`'gtid_current_pos', 'gtid_binlog_state', 'max_statement_time', 'max_execution_time', 'wsrep_on', 'wsrep_sync_wait', ` +
	`'group_replication_consistency', 'group_replication_group_name')`

const probeUptime = `SHOW GLOBAL STATUS LIKE 'Uptime'`

// Probe asks a server what it can do, with two statements that need no privilege. The error
// is the server's own, or says what was odd about its answer.
func Probe(ctx context.Context, c Querier) (*Dialect, error) {
	vars, err := queryPairs(ctx, c, probeVariables)
	if err != nil {
		return nil, fmt.Errorf("probe variables: %w", err)
	}
	if vars["version"] == "" {
		return nil, errors.New("probe variables: the server does not tell its version")
	}
	status, err := queryPairs(ctx, c, probeUptime)
	if err != nil {
		return nil, fmt.Errorf("probe uptime: %w", err)
	}
	d := newDialect(vars)
	d.Uptime = -1
	if seconds, err := strconv.ParseInt(status["uptime"], 10, 40); err == nil && seconds >= 0 {
		d.Uptime = time.Duration(seconds) * time.Second
	}
	return d, nil
}

// queryPairs runs one statement whose rows are names and values.
func queryPairs(ctx context.Context, c Querier, query string) (map[string]string, error) {
	rows, err := c.QueryContext(ctx, query, nil)
	if err != nil {
		return nil, err
	}
	found, err := pairs(rows)
	return found, errors.Join(err, rows.Close())
}

// newDialect draws the conclusions from what a server has.
func newDialect(vars map[string]string) *Dialect {
	have := func(name string) bool { _, ok := vars[name]; return ok }
	d := &Dialect{Flavour: MySQL, Version: vars["version"], UUID: vars["server_uuid"]}
	d.has = features{
		superReadOnly: have("super_read_only"), offlineMode: have("offline_mode"),
		innodbReadOnly: have("innodb_read_only"), gtidExecuted: have("gtid_executed"),
		gtidCurrentPos: have("gtid_current_pos"), gtidBinlogState: have("gtid_binlog_state"),
		maxStatementTime: have("max_statement_time"), maxExecutionTime: have("max_execution_time"),
		wsrepSyncWait: have("wsrep_sync_wait"), groupConsistency: have("group_replication_consistency"),
	}
	// gtid_current_pos is MariaDB's alone; the names are for servers that hide variables.
	if d.has.gtidCurrentPos || strings.Contains(strings.ToLower(d.Version+vars["version_comment"]), "mariadb") {
		d.Flavour = MariaDB
	}
	d.Galera = on(vars["wsrep_on"])
	d.Group = vars["group_replication_group_name"] != ""
	d.major, d.minor = numbers(d.Version)
	return d
}

// numbers returns the first two numbers of a version text, 0 for what is none.
func numbers(version string) (major, minor int) {
	var n [2]int
	for i, part := range strings.SplitN(version, ".", 3) {
		if i == len(n) {
			break
		}
		for _, r := range part {
			if r < '0' || r > '9' || n[i] > 1000 {
				break
			}
			n[i] = n[i]*10 + int(r-'0')
		}
	}
	return n[0], n[1]
}

// Refused moves on to the next older spelling of StatusSQL when err says that the server
// does not know the present one, and reports whether there was one to move to.
func (d *Dialect) Refused(err error) bool {
	var me *mysql.MySQLError
	if !errors.As(err, &me) || d.status+1 >= len(d.statusSpellings()) {
		return false
	}
	switch me.Number {
	case errParse, errSyntax, errUnsupported:
		d.status++
		return true
	default:
		return false
	}
}
