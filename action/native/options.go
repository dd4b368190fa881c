package native

import (
	"errors"
	"fmt"
	"net"
	"strconv"
	"time"

	"mpp/action/remote"
	"mpp/link"
	"mpp/replication"
)

// Account is a name and a password.
type Account struct {
	User, Password string
	// TLS says how the connection is encrypted.
	TLS link.TLS
}

// Block says what keeps accounts from writing on a server of MariaDB that is read-only.
type Block string

// The ways to block. MySQL's super_read_only binds every account, so that none is needed there.
const (
	// BlockReadOnly is read_only alone: accounts with READ_ONLY ADMIN, and SUPER before 10.11,
	// pass it. The empty Block is the same.
	BlockReadOnly Block = "read_only"
	// BlockRevoke takes from the accounts of LockAccounts what lets them pass read_only, and ends
	// their sessions; MPP's account needs these privileges WITH GRANT OPTION.
	BlockRevoke Block = "revoke"
	// BlockLock locks the accounts of LockAccounts as well, and ends their sessions.
	BlockLock Block = "lock"
)

// Node is a server of the pool.
type Node struct {
	// Address is "host:port".
	Address string
	// Account is what steps log in as.
	Account Account
	// Host is where the server runs, nil when commands cannot be run there.
	Host remote.Host
}

// Options says how the steps of a pool are carried out.
type Options struct {
	Nodes []Node
	// Replication is what replicas log in as. The files that its TLS names are on the replicas'
	// hosts; mode "" or "preferred" leaves encryption to what a replica has, or its server does.
	Replication Account
	// Own are the users, besides those above, whose sessions are never ended: the poller's.
	Own []string
	// Block and LockAccounts ("user@host") say what a read-only node of MariaDB is closed by.
	Block        Block
	LockAccounts []string
	// SaveDir is the folder for transactions that only one node has; empty means that they
	// cannot be saved.
	SaveDir string
	// BinlogProgram is the path of mysqlbinlog or mariadb-binlog on the nodes' hosts; empty means
	// whichever is in their PATH.
	BinlogProgram string
	// StartCommand and StopCommand start and stop a node's server, on its host, when its data is
	// replaced; empty means by its systemd unit: mysqld, mysql or mariadb.
	StartCommand, StopCommand string
	// KeepAlive is how often the lasting connections are tried; 0 means 2s.
	KeepAlive time.Duration
	// ConnectLimit bounds a login; 0 means 2s.
	ConnectLimit time.Duration
}

// blocks reports whether accounts are closed out of a read-only server of MariaDB.
func (o *Options) blocks() bool { return o.Block == BlockLock || o.Block == BlockRevoke }

// validate returns the accounts to lock, and every mistake.
func (o *Options) validate() ([]replication.Account, error) {
	var errs []error
	if len(o.Nodes) == 0 {
		errs = append(errs, errors.New("no nodes"))
	}
	seen := map[string]bool{}
	for i := range o.Nodes {
		n := &o.Nodes[i]
		_, port, err := net.SplitHostPort(n.Address)
		if err == nil {
			_, err = strconv.ParseUint(port, 10, 16)
		}
		if err != nil {
			errs = append(errs, fmt.Errorf("address %q: want host:port: %w", n.Address, err))
		}
		if seen[n.Address] {
			errs = append(errs, fmt.Errorf("address %q is there twice", n.Address))
		}
		seen[n.Address] = true
		if n.Account.User == "" {
			errs = append(errs, fmt.Errorf("%s: no user to log in as", n.Address))
		}
	}
	switch o.Block {
	case "", BlockReadOnly, BlockLock, BlockRevoke:
	default:
		errs = append(errs, fmt.Errorf("block %q is none of read_only, revoke, lock", o.Block))
	}
	var accounts []replication.Account
	for _, text := range o.LockAccounts {
		a, err := replication.ParseAccount(text)
		if err == nil && o.owns(a.User) {
			err = fmt.Errorf("account %s is MPP's or replication's own: it must not be locked", a)
		}
		if err != nil {
			errs = append(errs, err)
		}
		accounts = append(accounts, a)
	}
	if o.blocks() && len(accounts) == 0 {
		errs = append(errs, fmt.Errorf("block = %q needs lock_accounts", o.Block))
	}
	return accounts, errors.Join(errs...)
}

// owns reports whether a user is MPP's own, or replication's: its sessions are never ended.
func (o *Options) owns(user string) bool {
	if user == o.Replication.User && user != "" {
		return true
	}
	for i := range o.Nodes {
		if o.Nodes[i].Account.User == user {
			return true
		}
	}
	for _, own := range o.Own {
		if own == user {
			return true
		}
	}
	return false
}
