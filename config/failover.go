package config

import (
	"net/netip"
	"time"
)

// Failover says when MPP promotes by itself, and how.
type Failover struct {
	// Preset chooses the times of polling that are not set themselves.
	Preset Preset
	// Mode says whether a failover starts by itself.
	Mode FailoverMode
	// Grace is a wait before a failover starts; 0 is none. Cooldown is the time after a failover
	// in which no other starts by itself; 0 is none.
	Grace    time.Duration
	Cooldown time.Duration
	// MaxLoss is how many transactions may be known to be lost; with AnyLoss it does not matter
	// how many, and MaxLoss is 0.
	MaxLoss uint64
	AnyLoss bool
	// Fence says whether a promotion needs a node that is known to be fenced.
	Fence FenceRule
	// FenceTimeout bounds each fencing step, ApplyTimeout the execution of what the candidate
	// has received, StepTimeout every other step.
	FenceTimeout time.Duration
	ApplyTimeout time.Duration
	StepTimeout  time.Duration
	// BinlogTail takes what reached no replica from the dead host's binary log, over ssh.
	BinlogTail bool
	// Block says what keeps privileged accounts of MariaDB from writing on a read-only server.
	Block Block
	// SemiSync says whether the semi-synchronous settings follow the role.
	SemiSync SemiSyncRule
	// Events says whether EVENTs follow the role.
	Events bool
	// Rejoin says what is done with an old writer that is back, Failback with a PRIMARY that is
	// well again.
	Rejoin   RejoinRule
	Failback FailbackRule
	// StartCommand and StopCommand start and stop a node's server on its host, BinlogProgram
	// reads binary logs there; empty means as the system has them.
	StartCommand, StopCommand string
	BinlogProgram             string
	// Account is what operations log in with; its User is empty where the node's own account is
	// used: Pool.FailoverAccount knows which. Replication is what replicas log in with.
	Account     Account
	Replication Account
	// Shutdown turns an old node's host or server off.
	Shutdown Shutdown
}

// Preset names a set of times of polling.
type Preset string

// The presets.
const (
	// PresetCareful polls as often as without an engine.
	PresetCareful Preset = "careful"
	// PresetFast polls four times as often.
	PresetFast Preset = "fast"
)

// FailoverMode says whether a failover starts by itself.
type FailoverMode string

// The modes.
const (
	// FailoverAuto starts a failover when all gates are open.
	FailoverAuto FailoverMode = "auto"
	// FailoverManual leaves it to an operator.
	FailoverManual FailoverMode = "manual"
)

// FenceRule says what fencing a promotion needs.
type FenceRule string

// The rules of fencing.
const (
	// FenceBestEffort fences what can be reached, and promotes then.
	FenceBestEffort FenceRule = "best_effort"
	// FenceRequired promotes only when the old node is known to be fenced.
	FenceRequired FenceRule = "required"
)

// Block is what keeps privileged accounts of MariaDB, which read_only does not hold, from
// writing.
type Block string

// The blocks.
const (
	// BlockReadOnly is read_only alone.
	BlockReadOnly Block = "read_only"
	// BlockRevoke takes the privileges that pass read_only from Switchover.LockAccounts.
	BlockRevoke Block = "revoke"
	// BlockLock locks Switchover.LockAccounts.
	BlockLock Block = "lock"
)

// SemiSyncRule says who keeps the semi-synchronous settings.
type SemiSyncRule string

// The rules of semi-synchronous replication.
const (
	// SemiSyncKeep leaves them as they are.
	SemiSyncKeep SemiSyncRule = "keep"
	// SemiSyncManage lets them follow the role.
	SemiSyncManage SemiSyncRule = "manage"
)

// RejoinRule says what is done with an old writer that is back.
type RejoinRule string

// The rules of rejoining.
const (
	// RejoinAuto makes it a replica again when it holds nothing extra.
	RejoinAuto RejoinRule = "auto"
	// RejoinFence only fences it.
	RejoinFence RejoinRule = "fence"
)

// FailbackRule says whether a PRIMARY that is well again gets its role back.
type FailbackRule string

// The rules of failback.
const (
	// FailbackNone leaves the role where it is.
	FailbackNone FailbackRule = "none"
	// FailbackAuto gives it back by a switchover.
	FailbackAuto FailbackRule = "auto"
)

// Shutdown is the program that turns a node's host or server off.
type Shutdown struct {
	// Program is its path, empty for none; Timeout is the limit of one run.
	Program string
	Timeout time.Duration
}

// Switchover says how a planned change of the writer is carried out.
type Switchover struct {
	// Wait bounds the wait for the target's lag, before the old writer is touched.
	Wait time.Duration
	// KillAfter is how long open transactions get.
	KillAfter time.Duration
	// LongTransactions says what is done with those that last longer.
	LongTransactions LongTransactions
	// MaxLag is the lag up to which a target need not be waited for.
	MaxLag time.Duration
	// Stop is how new sessions of applications are kept out.
	Stop Stop
	// LockAccounts are those that Stop and Failover.Block lock, or take privileges from.
	LockAccounts []LockAccount
}

// LongTransactions says what is done with transactions that outlast Switchover.KillAfter.
type LongTransactions string

// What is done with long transactions.
const (
	// LongTransactionsKill kills their sessions.
	LongTransactionsKill LongTransactions = "kill"
	// LongTransactionsRefuse gives the switchover up.
	LongTransactionsRefuse LongTransactions = "refuse"
)

// Stop is how new sessions of applications are kept out during a switchover.
type Stop string

// The ways to keep sessions out.
const (
	// StopKill keeps none out: whoever comes is killed at the end.
	StopKill Stop = "kill"
	// StopOfflineMode sets offline_mode, which MySQL alone has.
	StopOfflineMode Stop = "offline_mode"
	// StopLock locks Switchover.LockAccounts.
	StopLock Stop = "lock"
)

// LockAccount is an account of applications on the servers. Neither part holds a quote, a
// backslash or a control character.
type LockAccount struct{ User, Host string }

// String is user@host.
func (a LockAccount) String() string { return a.User + "@" + a.Host }

// VIP is the pool's virtual address, which is where the ACTIVE node is.
type VIP struct {
	// Kind says how it is moved.
	Kind VIPKind
	// Addresses have the full length of their family, /32 or /128, and no IPv4 in IPv6.
	Addresses []netip.Prefix
	// Interface is the pool's; each Node has its own copy.
	Interface string
	// WatchInterval is the time between two looks at where the address is.
	WatchInterval time.Duration
	// AnnounceFor is how long a moved address is announced again; 0 announces it once.
	AnnounceFor time.Duration
	// Timeout bounds one look or move on one host.
	Timeout time.Duration
	// Program is for VIPExec.
	Program string
}

// VIPKind is how a virtual address is moved.
type VIPKind string

// The kinds of virtual addresses.
const (
	// VIPNone: there is none.
	VIPNone VIPKind = "none"
	// VIPMetal: MPP puts it on the hosts' interfaces and announces it.
	VIPMetal VIPKind = "metal"
	// VIPExec: a program moves it.
	VIPExec VIPKind = "exec"
)

// SSH is how the host of a node is reached.
type SSH struct {
	// Host is the node's own host unless it is set; it is empty in a pool's settings.
	Host string
	User string
	Port int
	// KeyFile is the private key, KnownHosts the hosts' public ones.
	KeyFile    string
	KnownHosts string
	// Sudo says that commands that need root are run by sudo.
	Sudo bool
	// Timeout bounds connecting and logging in.
	Timeout time.Duration
	// Local says that the node's host is the one that MPP runs on: no ssh is needed.
	Local bool
}

// Given reports whether the host can be reached: by ssh, or because it is this one.
func (s SSH) Given() bool { return s.Local || s.KeyFile != "" && s.KnownHosts != "" }

// FailoverAccount is what operations log in to a node with.
func (p *Pool) FailoverAccount(n *Node) Account {
	if p.Failover.Account.User == "" {
		return n.Account
	}
	return p.Failover.Account
}
