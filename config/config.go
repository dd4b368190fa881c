package config

import (
	"io/fs"
	"time"

	"mpp"
)

// Config is a whole configuration. What Load returns is valid.
type Config struct {
	// Source is the file or folder that Load was given; Files are the files read, in order.
	Source string
	Files  []string
	// StateDir holds the journal; RunDir the socket and the state files of mpp-check.
	StateDir string
	RunDir   string

	Log        Log
	API        API
	Agent      Agent
	TrackFiles TrackFiles
	Journal    Journal

	// Defaults is what a pool gets that sets nothing itself.
	Defaults Pool
	// Pools in the order of the files.
	Pools []Pool
	// Warnings are what Load found worth saying; they do not keep the configuration from
	// being used.
	Warnings []Problem

	at origins
}

// Log says what is logged, and how.
type Log struct {
	// Level is debug, info, warn or error.
	Level string
	// Format is json, console, or auto: console on a terminal, json otherwise.
	Format string
}

// API is where the HTTP API listens.
type API struct {
	// Socket is the path of the unix socket, never empty after Load.
	Socket string
	// SocketMode and SocketGroup are the socket's; an empty group leaves the daemon's own.
	SocketMode  fs.FileMode
	SocketGroup string
	// Listen is a TCP address host:port, empty for none.
	Listen string
	// TokenFile names the file with the bearer token that commands over TCP need; Token is
	// what it holds. Empty means that TCP is read-only.
	TokenFile string
	Token     Secret
}

// Agent is the HAProxy agent-check.
type Agent struct {
	// Listen is a TCP address host:port, empty for none.
	Listen string
}

// TrackFiles are the files that keepalived's track_file watches.
type TrackFiles struct {
	// Dir is the folder they are written to, empty for none.
	Dir string
}

// Journal says how much is remembered.
type Journal struct {
	// MaxSize bounds the journal's size on disk, in bytes.
	MaxSize int64
	// EventsKept is how many events are kept over restarts.
	EventsKept int
	// History is how far back polls that changed nothing are kept for replay.
	History time.Duration
}

// Pool is a pool's configuration with all defaults filled in.
type Pool struct {
	Name            string
	Logic           mpp.Logic
	Engine          mpp.Engine
	Readers         mpp.Readers
	HostileTakeover bool
	// AutoRecover is how long a FAIL node must be good to be taken back; 0 means never.
	AutoRecover time.Duration
	// Interval is the time between polls of a node, Timeout the limit of one poll.
	Interval time.Duration
	Timeout  time.Duration
	// ConfirmInterval is the interval after a first failure, SlowInterval that of dead nodes.
	ConfirmInterval time.Duration
	// ConfirmTimeout is the limit of a poll of an ACTIVE node of which nothing comes, with an engine.
	ConfirmTimeout time.Duration
	SlowInterval   time.Duration
	// LoginInterval is the time between fresh logins beside the lasting connection.
	LoginInterval time.Duration
	// StaleAfter is the age from which data is stale, WhenStale what is answered then.
	StaleAfter time.Duration
	WhenStale  mpp.WhenStale
	Ladder     Ladder
	Checks     Checks
	// Failover, Switchover and VIP say how the pool's engine works; without one they mean
	// nothing.
	Failover   Failover
	Switchover Switchover
	VIP        VIP
	// NodeSettings are the pool's; each Node carries its own copy with its overrides.
	NodeSettings
	// Nodes in configured order, Checkpoints and Hooks too.
	Nodes       []Node
	Checkpoints []Checkpoint
	Hooks       []Hook

	at  origins
	pos Origin
}

// Ladder says at how many failed polls in a row the status rises.
type Ladder struct {
	InfoAfter, WarnAfter, CriticalAfter, FailAfter int
}

// NodeSettings are the settings that a node may override.
type NodeSettings struct {
	Account Account
	TLS     TLS
	SSH     SSH
	// ExtraPort is MariaDB's extra_port, tried when the main one has too many connections; 0
	// means none.
	ExtraPort int
}

// Account is what MPP logs in with.
type Account struct {
	// User is never empty after Load.
	User string
	// Exactly one of the four says where the password is.
	PasswordFile string
	PasswordEnv  string
	DefaultsFile string
	NoPassword   bool
	// Password is what was found there; empty only with NoPassword.
	Password Secret
}

// TLSMode says what is asked of an encrypted connection.
type TLSMode string

// The TLS modes; they are those of the mysql client.
const (
	// TLSDisabled never encrypts.
	TLSDisabled TLSMode = "disabled"
	// TLSPreferred encrypts when the server can, and verifies nothing.
	TLSPreferred TLSMode = "preferred"
	// TLSRequired encrypts or fails, and verifies nothing.
	TLSRequired TLSMode = "required"
	// TLSVerifyCA verifies the certificate's chain.
	TLSVerifyCA TLSMode = "verify_ca"
	// TLSVerifyIdentity verifies the chain and the name.
	TLSVerifyIdentity TLSMode = "verify_identity"
)

// TLS says how connections to a node are encrypted.
type TLS struct {
	Mode TLSMode
	// CA is a PEM file; empty means the system's authorities.
	CA string
	// Cert and Key are the client's PEM files, both or neither.
	Cert string
	Key  string
	// ServerName is the name to verify; empty means the node's host.
	ServerName string
}

// Node is a node's configuration.
type Node struct {
	// Address is host:port, in small letters, with the port always there.
	Address string
	Type    mpp.Type
	// Name is a label for people; empty means the address.
	Name string
	// NoPromote keeps the node from ever becoming ACTIVE.
	NoPromote bool
	// Prefer orders the nodes of one type for a promotion by an engine: the higher one first.
	Prefer int
	// Interface is where the node's host has the virtual address; the pool's unless it is set.
	Interface string
	NodeSettings

	at  origins
	pos Origin
}

// Checkpoint is something outside the pool that shows whether this poller is cut off.
type Checkpoint struct {
	Name string
	Ring mpp.Ring
	Kind CheckpointKind
	// Address is host:port (tcp, mysql) or a host (icmp); URL is set for http.
	Address string
	URL     string
	// Interval is the time between tries, Timeout the limit of one.
	Interval time.Duration
	Timeout  time.Duration
	// ExpectStatus are the HTTP statuses that count as reached; empty means 200 to 399.
	ExpectStatus []int
	// Account is for the kind mysql; without a source it has no password.
	Account Account

	at  origins
	pos Origin
}

// CheckpointKind is how a checkpoint is tried.
type CheckpointKind string

// The kinds of checkpoints.
const (
	// CheckpointTCP connects.
	CheckpointTCP CheckpointKind = "tcp"
	// CheckpointHTTP asks for a page.
	CheckpointHTTP CheckpointKind = "http"
	// CheckpointICMP sends an echo request.
	CheckpointICMP CheckpointKind = "icmp"
	// CheckpointMySQL logs in; an error is an answer too.
	CheckpointMySQL CheckpointKind = "mysql"
)
