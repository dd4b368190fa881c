package replication

import (
	"fmt"
	"net"
)

// ClonePluginSQL asks whether MySQL's clone plugin is there; its row is for ReadText: ACTIVE.
const ClonePluginSQL = "SELECT COALESCE(MAX(PLUGIN_STATUS), '') FROM information_schema.PLUGINS WHERE PLUGIN_NAME = 'clone'"

// CloneHint is how to install it.
const CloneHint = "INSTALL PLUGIN clone SONAME 'mysql_clone.so'"

// DonorSQL lets the server be cloned from another one.
func DonorSQL(address string) string { return "SET GLOBAL clone_valid_donor_list = " + quote(address) }

// CloneSQL replaces the server's data by a copy of another's, and restarts it, or shuts it down
// where nobody would start it again. The account is one of the other server. MySQL hides the
// password in its process list and its logs.
func CloneSQL(address, user, password string) string {
	host, port, _ := net.SplitHostPort(address)
	return fmt.Sprintf("CLONE INSTANCE FROM %s@%s:%s IDENTIFIED BY %s", quote(user), quote(host), port, quote(password))
}

// ErrNoSupervisor is the error number with which CLONE INSTANCE ends when all went well and the
// server shut itself down.
const ErrNoSupervisor = 3707

// UptimeSQL asks for how many seconds the server has been running; its rows are a name and a value.
const UptimeSQL = probeUptime
