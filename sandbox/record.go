package sandbox

import (
	"encoding/json"
	"fmt"
	"hash/fnv"
	"net"
	"os"
	"path/filepath"
	"strconv"

	"mpp/sandbox/process"
)

// recordFile is the name of the file, in a server's folder, that tells other
// programs what the server is and which process it has.
const recordFile = "sandbox.json"

// socketPathMax is what fits a unix address on Linux, less the ending NUL.
const socketPathMax = 107

// record is what is known of a server for as long as its folder exists.
type record struct {
	Name     string   `json:"name"`
	Address  string   `json:"address"`
	ServerID uint32   `json:"server_id"`
	Base     Base     `json:"base"`
	Args     []string `json:"args"`
	Prefix   []string `json:"prefix"`
	Detached bool     `json:"detached"`
	Socket   string   `json:"socket"`
	// SocketDir is a folder for the socket alone, where the server's own folder
	// has too long a name; else empty.
	SocketDir string     `json:"socket_dir"`
	DataDir   string     `json:"data_dir"`
	Binlog    string     `json:"binlog"` // path without the number
	Owner     process.ID `json:"owner"`  // the program that started it first
	Process   process.ID `json:"process"`
}

// newRecord describes a server that is about to be made in dir.
func newRecord(o Options, dir, address string) (record, error) {
	owner, err := process.Identify(os.Getpid())
	if err != nil {
		return record{}, err
	}
	rec := record{
		Name: o.Name, Address: address, ServerID: o.ServerID, Base: o.Base, Args: o.Args,
		Prefix: o.Prefix, Detached: o.Detached, Owner: owner,
		Socket: filepath.Join(dir, "sock"), DataDir: filepath.Join(dir, "data"),
	}
	if o.Disk != nil && o.Disk.Data {
		rec.DataDir = filepath.Join(dir, diskDir, "data")
	}
	rec.Binlog = filepath.Join(rec.DataDir, "binlog")
	if o.Disk != nil && o.Disk.Binlog {
		rec.Binlog = filepath.Join(dir, diskDir, "binlog", "binlog")
	}
	if rec.ServerID == 0 {
		rec.ServerID = addressID(address)
	}
	if len(rec.Socket) > socketPathMax {
		rec.SocketDir, err = os.MkdirTemp("/tmp", "mpp-sock-")
		if err != nil {
			return record{}, fmt.Errorf("make socket folder: %w", err)
		}
		rec.Socket = filepath.Join(rec.SocketDir, "sock")
	}
	return rec, nil
}

// addressID makes a replication id of a loopback address, so that no two servers
// of this machine share one: the low 16 bits of the IP, then the port.
func addressID(address string) uint32 {
	host, port, err := net.SplitHostPort(address)
	n, _ := strconv.ParseUint(port, 10, 16)
	if ip := net.ParseIP(host).To4(); err == nil && ip != nil && ip.IsLoopback() {
		return uint32(ip[2])<<24 | uint32(ip[3])<<16 | uint32(n)
	}
	sum := fnv.New32a()
	sum.Write([]byte(address))
	return sum.Sum32()
}

// save writes the record into a server's folder, whole or not at all.
func (r record) save(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("save server record: %w", err)
	}
	part := filepath.Join(dir, recordFile+".part")
	if err := os.WriteFile(part, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("save server record: %w", err)
	}
	if err := os.Rename(part, filepath.Join(dir, recordFile)); err != nil {
		return fmt.Errorf("save server record: %w", err)
	}
	return nil
}

// loadRecord reads the record of a server's folder.
func loadRecord(dir string) (record, error) {
	text, err := os.ReadFile(filepath.Join(dir, recordFile))
	if err != nil {
		return record{}, fmt.Errorf("load server record: %w", err)
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return record{}, fmt.Errorf("load server record of %s: %w", dir, err)
	}
	return r, nil
}

// serverArgs is the command line of the server, without its program.
func (r record) serverArgs(dir string) []string {
	host, port, _ := net.SplitHostPort(r.Address)
	args := append([]string{}, r.Base.Args...)
	args = append(args,
		"--datadir="+r.DataDir, "--tmpdir="+filepath.Join(dir, "tmp"),
		"--socket="+r.Socket, "--pid-file="+filepath.Join(dir, "pid"), "--log-error="+filepath.Join(dir, "error.log"),
		"--bind-address="+host, "--port="+port, "--report-host="+host, "--report-port="+port,
		"--server-id="+strconv.FormatUint(uint64(r.ServerID), 10),
		"--log-bin="+r.Binlog, "--relay-log=relay-bin", "--skip-name-resolve",
		// Speed: nothing is ever flushed to a device, and little memory is set up. But
		// each commit reaches the kernel (2, not 0), so that it survives a kill.
		"--innodb-flush-method=nosync", "--innodb-flush-log-at-trx-commit=2", "--sync-binlog=0",
		"--innodb-buffer-pool-size=16M", "--performance-schema=OFF",
	)
	if r.Base.MariaDB {
		args = append(args, "--log-slave-updates=ON", "--binlog-format=ROW", "--gtid-strict-mode=ON",
			"--innodb-log-file-size=4M", "--slave-net-timeout=4", "--rpl-semi-sync-master-enabled=OFF",
			"--rpl-semi-sync-slave-enabled=OFF")
	} else {
		args = append(args, "--log-replica-updates=ON", "--loose-binlog-format=ROW", "--gtid-mode=ON",
			"--enforce-gtid-consistency=ON", "--loose-innodb-redo-log-capacity=8M", "--replica-net-timeout=4",
			"--mysqlx=OFF")
	}
	return append(append(args, userArgs()...), r.Args...)
}
