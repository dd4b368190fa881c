package replication

import (
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"path"
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

// Series is the first two numbers of the server's version, such as "10.11".
func (d *Dialect) Series() string { return fmt.Sprintf("%d.%d", d.major, d.minor) }

// DataDirSQL asks where MariaDB's data is; its rows are for ReadDataDir.
const DataDirSQL = `SHOW GLOBAL VARIABLES WHERE Variable_name IN ('datadir', 'socket', 'innodb_data_home_dir', ` +
	`'innodb_log_group_home_dir', 'innodb_undo_directory')`

// ReadDataDir reads the rows of DataDirSQL. elsewhere is a folder that belongs to the data and is
// not below it, "" for none.
func ReadDataDir(rows driver.Rows) (dir, socket, elsewhere string, err error) {
	found, err := pairs(rows)
	if err != nil {
		return "", "", "", fmt.Errorf("read data directory: %w", err)
	}
	dir = path.Clean(found["datadir"])
	for _, name := range []string{"innodb_data_home_dir", "innodb_log_group_home_dir", "innodb_undo_directory"} {
		if v := found[name]; v != "" && path.Clean(v) != "." && path.Clean(v) != dir {
			elsewhere = v
		}
	}
	if found["datadir"] == "" || !path.IsAbs(dir) || dir == "/" {
		return "", "", "", errors.New("the server does not tell where its data is")
	}
	return dir, found["socket"], elsewhere, nil
}

// ResetBinlogsSQL makes MariaDB forget its binary logs: those of a server whose data was replaced
// belong to the data from before.
const ResetBinlogsSQL = "RESET MASTER"
