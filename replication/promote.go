package replication

import (
	"errors"
	"fmt"
	"net"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"
)

// Spellings are the ways to say one thing, the newest first. A server that does not know one
// refuses it as bad grammar, which has no effect; then the next one does.
type Spellings []string

// UnknownGrammar reports whether err says that the server does not know the statement.
func UnknownGrammar(err error) bool {
	var me *mysql.MySQLError
	if !errors.As(err, &me) {
		return false
	}
	switch me.Number {
	case errParse, errSyntax, errUnsupported, errUnknownVariable:
		return true
	default:
		return false
	}
}

// String shows the newest spelling.
func (s Spellings) String() string {
	if len(s) == 0 {
		return ""
	}
	return s[0]
}

// quote makes a string of SQL, in a session whose sql_mode WorkSQL has set.
func quote(s string) string {
	return "'" + strings.NewReplacer(`\`, `\\`, `'`, `\'`, "\x00", `\0`).Replace(s) + "'"
}

// WorkSQL prepares a session that changes things: it waits at most lock for any lock, and texts
// mean the same whatever sql_mode the server has. The server ends it when it was idle that long.
func (d *Dialect) WorkSQL(lock, idle time.Duration) string {
	return d.SessionSQL(Limits{Lock: lock, Idle: idle}) + ", sql_mode = ''"
}

// ConnectionSQL asks for the number of the asking session; its row is for ReadCount.
const ConnectionSQL = `SELECT CONNECTION_ID()`

// Thread is a part of a replica.
type Thread string

// The threads of a replica.
const (
	// Both are receiver and applier.
	Both     Thread = ""
	Receiver Thread = "IO_THREAD"
	Applier  Thread = "SQL_THREAD"
)

// Stop ends threads of a replication channel, "" being the one without a name. It may take long:
// an applier ends its transaction first, and a receiver that is about to connect may take a minute.
func (d *Dialect) Stop(channel string, t Thread) Spellings { return d.threads("STOP", channel, t) }

// Start starts threads of a replication channel. On MariaDB with GTIDs it throws away everything
// that was received and not executed if neither thread runs.
func (d *Dialect) Start(channel string, t Thread) Spellings { return d.threads("START", channel, t) }

// brief is the network time limit, in seconds, that StartBriefly gives a receiver; keptLimit keeps the usual
// one meanwhile.
const (
	brief     = "1"
	keptLimit = "@mpp_net_timeout"
)

// ErrRelayLogDamaged is MariaDB's ER_MASTER_INFO: it could not read its relay log when it was started, or what
// it keeps about it.
const ErrRelayLogDamaged = 1201

// RelayLogBaseSQL asks where the relay log is: its path without the numbers.
const RelayLogBaseSQL = "SELECT @@GLOBAL.relay_log_basename"

// StartBriefly starts the receiver, as one text of several statements, such that a try to connect lasts a
// second and no longer: a source that is silent would hold it, and whoever wants to stop it, for as long as
// the server's network time limit. The limit is set back before the text is over, by the server itself,
// whatever becomes of who sent it; 50 ms are what a thread needs to read it. A receiver that has
// connected by then has it for its first read, too: it may connect once more. RestoreLimit is for a
// text that has failed half-way.
func (d *Dialect) StartBriefly(channel string) Spellings {
	var list Spellings
	for _, variable := range d.netTimeouts() {
		list = append(list, strings.Join([]string{
			"SET " + keptLimit + " = @@GLOBAL." + variable, "SET GLOBAL " + variable + " = " + brief,
			d.Start(channel, Receiver)[0], "DO SLEEP(0.05)", "SET GLOBAL " + variable + " = " + keptLimit,
		}, "; "))
	}
	return list
}

// RestoreLimit sets back what StartBriefly has changed, in the same session.
func (d *Dialect) RestoreLimit() Spellings {
	var list Spellings
	for _, variable := range d.netTimeouts() {
		list = append(list, "SET GLOBAL "+variable+" = COALESCE("+keptLimit+", @@GLOBAL."+variable+")")
	}
	return list
}

// netTimeouts are the names of a receiver's network time limit, the newest first.
func (d *Dialect) netTimeouts() []string {
	if d.Flavour == MariaDB {
		return []string{"slave_net_timeout"}
	}
	return []string{"replica_net_timeout", "slave_net_timeout"}
}

func (d *Dialect) threads(verb, channel string, t Thread) Spellings {
	thread := ""
	if t != Both {
		thread = " " + string(t)
	}
	if d.Flavour == MariaDB {
		return Spellings{verb + " SLAVE" + mariaChannel(channel) + thread}
	}
	rest := thread + mysqlChannel(channel)
	return Spellings{verb + " REPLICA" + rest, verb + " SLAVE" + rest}
}

func mariaChannel(name string) string {
	if name == "" {
		return ""
	}
	return " " + quote(name)
}

func mysqlChannel(name string) string { return " FOR CHANNEL " + quote(name) }

// ResetAll makes the server forget that the channel was ever there.
func (d *Dialect) ResetAll(channel string) Spellings {
	if d.Flavour == MariaDB {
		return Spellings{"RESET SLAVE" + mariaChannel(channel) + " ALL"}
	}
	return Spellings{"RESET REPLICA ALL" + mysqlChannel(channel), "RESET SLAVE ALL" + mysqlChannel(channel)}
}

// ReadOnlySQL closes the server for writes, as far as it can: for accounts with every privilege on
// MySQL, for those without READ_ONLY ADMIN on MariaDB. It waits for running writers.
func (d *Dialect) ReadOnlySQL() string {
	if d.has.superReadOnly {
		return "SET GLOBAL super_read_only = 1" // and with it read_only
	}
	return "SET GLOBAL read_only = 1"
}

// WritableSQL opens the server for writes: read_only off takes super_read_only with it.
func (d *Dialect) WritableSQL() string { return "SET GLOBAL read_only = 0" }

// PrivilegedOnlySQL lets accounts with CONNECTION_ADMIN write, and no other; "" where read-only
// means no more than that anyway. ReadOnlySQL takes it back.
func (d *Dialect) PrivilegedOnlySQL() string {
	if d.has.superReadOnly {
		return "SET GLOBAL super_read_only = 0"
	}
	return ""
}

// ReadOnlyStateSQL asks whether the server is read-only; its row is for ReadCount: 0 for writable,
// 1 for read-only, 2 for read-only to everybody, as far as the product can.
func (d *Dialect) ReadOnlyStateSQL() string {
	switch {
	case d.has.superReadOnly:
		return "SELECT @@global.read_only + @@global.super_read_only"
	default: // MariaDB 12 has words for it
		return "SELECT IF(@@global.read_only IN ('0', 'OFF'), 0, 2)"
	}
}

// OfflineSQL keeps sessions without CONNECTION_ADMIN out and ends those that are there, those of
// replicas too. It is empty where the server has no such mode.
func (d *Dialect) OfflineSQL(on bool) string {
	switch {
	case !d.has.offlineMode:
		return ""
	case on:
		return "SET GLOBAL offline_mode = 1"
	default:
		return "SET GLOBAL offline_mode = 0"
	}
}

// SetPositionSQL makes MariaDB take what it wrote itself for executed; no replica thread may run.
// It is empty on MySQL, whose gtid_executed has both.
func (d *Dialect) SetPositionSQL(position string) string {
	if d.Flavour != MariaDB {
		return ""
	}
	return "SET GLOBAL gtid_slave_pos = " + quote(position)
}

// ByPositionSQL makes a replica of MariaDB, both threads of which are stopped, follow by position
// instead of by GTID, and go on reading its relay log where it stopped: so starting the applier
// does not throw the relay log away. ByGTIDSQL takes it back, and throws the relay log away.
func (d *Dialect) ByPositionSQL(channel, relayLog string, relayPos uint64) string {
	return fmt.Sprintf("CHANGE MASTER%s TO MASTER_USE_GTID = no, RELAY_LOG_FILE = %s, RELAY_LOG_POS = %d",
		mariaChannel(channel), quote(relayLog), relayPos)
}

// ByGTIDSQL makes a replica of MariaDB follow by GTID.
func (d *Dialect) ByGTIDSQL(channel string) string {
	return "CHANGE MASTER" + mariaChannel(channel) + " TO MASTER_USE_GTID = slave_pos"
}

// Source says whom a replica follows, and as whom it logs in there.
type Source struct {
	// Address is "host:port".
	Address        string
	User, Password string
	// SSL says how the link is encrypted: "" leaves what the replica has, or what its server
	// does by itself; "disabled" does not; "required", "verify_ca" and "verify_identity" do, the
	// latter two with a certificate that CA signed. The files are on the replica's host.
	SSL           string
	CA, Cert, Key string
	// Running says that the applier runs: MySQL then changes whom to follow, and nothing else.
	Running bool
	// KeepVerify leaves MariaDB's verification of certificates as it is.
	KeepVerify bool
}

// heartbeat is how often a source without news tells so, in seconds; retries are for how many of
// them, a second apart, a receiver tries to connect: a day, after which MySQL gives up.
const (
	heartbeat = 1
	retries   = 86400
)

// Follow makes the server follow another one by GTID. The text holds a password: MySQL hides it in
// its process list and its logs, MariaDB does not hide it in the process list.
func (d *Dialect) Follow(channel string, s Source) Spellings {
	if d.Flavour == MariaDB {
		return Spellings{"CHANGE MASTER" + mariaChannel(channel) + " TO " + d.options("MASTER_", s)}
	}
	end := mysqlChannel(channel)
	old := "CHANGE MASTER TO " + d.options("MASTER_", s)
	return Spellings{
		"CHANGE REPLICATION SOURCE TO " + d.options("SOURCE_", s) + ", GET_SOURCE_PUBLIC_KEY = 1" + end, // 8.0.23
		old + ", GET_MASTER_PUBLIC_KEY = 1" + end,                                                       // 8.0.4
		old + end,
	}
}

// options lists what CHANGE sets.
func (d *Dialect) options(prefix string, s Source) string {
	host, port, _ := net.SplitHostPort(s.Address)
	list := []string{
		prefix + "HOST = " + quote(host), prefix + "PORT = " + port,
		prefix + "USER = " + quote(s.User), prefix + "PASSWORD = " + quote(s.Password),
		prefix + "CONNECT_RETRY = 1", fmt.Sprintf("%sHEARTBEAT_PERIOD = %d", prefix, heartbeat),
	}
	switch {
	case d.Flavour == MariaDB:
		list = append(list, "MASTER_USE_GTID = slave_pos")
	case s.Running:
		list = append(list, fmt.Sprintf("%sRETRY_COUNT = %d", prefix, retries))
	default:
		list = append(list, fmt.Sprintf("%sRETRY_COUNT = %d", prefix, retries), prefix+"AUTO_POSITION = 1")
	}
	return strings.Join(append(list, d.encryption(prefix, s)...), ", ")
}

// encryption lists the options about TLS. MariaDB insists on a certificate it can verify from 11.3
// on, and RESET SLAVE ALL takes it back to that.
func (d *Dialect) encryption(prefix string, s Source) []string {
	verify := func(on int) string { return fmt.Sprintf("%sSSL_VERIFY_SERVER_CERT = %d", prefix, on) }
	var list []string
	switch s.SSL {
	case "disabled":
		list = append(list, prefix+"SSL = 0", verify(0))
	case "required":
		list = append(list, prefix+"SSL = 1", verify(0))
	case "verify_ca":
		// MySQL verifies what signed it when it has a CA; MariaDB does that and the name at once.
		on := 0
		if d.Flavour == MariaDB {
			on = 1
		}
		list = append(list, prefix+"SSL = 1", verify(on))
	case "verify_identity":
		list = append(list, prefix+"SSL = 1", verify(1))
	default:
		if d.Flavour == MariaDB && !s.KeepVerify {
			list = append(list, verify(0))
		}
		return list
	}
	for _, file := range []struct{ option, path string }{{"SSL_CA", s.CA}, {"SSL_CERT", s.Cert}, {"SSL_KEY", s.Key}} {
		if file.path != "" {
			list = append(list, prefix+file.option+" = "+quote(file.path))
		}
	}
	return list
}
