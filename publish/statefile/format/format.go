// Package format is the text of the state files: what mppd writes for mpp-check, and how
// mpp-check reads it and judges its age.
//
// It is pure and light on purpose, because a load balancer starts mpp-check every second: it
// imports no fmt and no package of MPP but publish/address, and knows no clock or file. Times
// are nanoseconds of CLOCK_BOOTTIME of the boot that Boot names, so that setting the clock
// changes nothing; durations are nanoseconds.
//
// A file is lines of "key value". The first is "mpp-state 1", the last "end" with the CRC-32
// of all before. Keys after a "node" line are that node's. Unknown keys are skipped, so that
// an older mpp-check reads what a newer mppd writes; a file that is cut short, changed or of
// another version is refused as a whole.
package format

// Pool is what is known of a pool.
type Pool struct {
	Name string
	// Boot is the kernel's boot id; times of another boot mean nothing.
	Boot string
	// Written is when the file was written.
	Written int64
	// StaleAfter is the age from which a poll is stale.
	StaleAfter int64
	// LastKnown says that stale data is answered as it was last known, instead of with no.
	LastKnown bool
	// Status is OK, or FAIL when the poller is cut off.
	Status string
	// Trouble is LAN, WAN or GLOBAL, empty for none.
	Trouble string
	// Maintenance says that nothing automatic happens now.
	Maintenance bool
	// Message is the worst thing to know about the pool, empty for nothing.
	Message string
	Nodes   []Node
}

// Node is what is known of a node.
type Node struct {
	// Address is host:port, in the form of the configuration.
	Address string
	Type    string
	State   string
	// Reason is ONLINE or OFFLINE in state FAIL, else empty.
	Reason     string
	Status     string
	Errors     int64
	Evaluation string
	// Polled is when the last poll started, 0 for never. Took is how long it lasted.
	Polled int64
	Took   int64
	// Lag is how far the node is behind; -1 when that cannot be told.
	Lag int64
	// Writer, Reader and OK are the answers to the three roles, as long as the data is fresh.
	Writer, Reader, OK Answer
	// Message is the last thing worth saying about the node, empty for nothing.
	Message string
}

// Answer is the answer to one role.
type Answer struct {
	Up bool
	// Reason is one line.
	Reason string
}

// Reply is what a balancer is told.
type Reply struct {
	Up bool
	// Stale says that the data is older than StaleAfter, or of no known age.
	Stale  bool
	Reason string
	// Age is how old the data is; -1 when that cannot be told.
	Age int64
}

// Answer answers role (writer, reader or ok) for n, at now on the boot that is given. Data
// of another boot, and a node that was never polled, are always no.
func (p *Pool) Answer(n *Node, role string, now Moment) Reply {
	var a Answer
	switch role {
	case "writer":
		a = n.Writer
	case "reader":
		a = n.Reader
	case "ok":
		a = n.OK
	default:
		return Reply{Age: -1, Reason: "unknown role: use writer, reader or ok"}
	}
	age := p.Age(n, now)
	switch {
	case p.Boot != now.Boot || now.Boot == "":
		return Reply{Stale: true, Age: -1, Reason: "stale: written before this host started"}
	case n.Polled == 0:
		return Reply{Stale: true, Age: -1, Reason: "not polled yet since mppd started"}
	case age < 0:
		return Reply{Stale: true, Age: -1, Reason: "stale: polled in the future"}
	case age <= p.StaleAfter:
		return Reply{Up: a.Up, Reason: a.Reason, Age: age}
	case p.LastKnown:
		return Reply{Up: a.Up, Stale: true, Age: age, Reason: "last known, " + Seconds(age) + " old: " + a.Reason}
	default:
		return Reply{Stale: true, Age: age, Reason: "stale: last poll " + Seconds(age) + " ago, limit " + Seconds(p.StaleAfter)}
	}
}

// Age is how old the last poll of n is, -1 when that cannot be told.
func (p *Pool) Age(n *Node, now Moment) int64 {
	if p.Boot != now.Boot || n.Polled == 0 || now.Time < n.Polled {
		return -1
	}
	return now.Time - n.Polled
}

// Moment is a time on a boot.
type Moment struct {
	Boot string
	// Time is CLOCK_BOOTTIME.
	Time int64
}

// Index says which pool a node belongs to.
type Index struct {
	Boot    string
	Entries []Entry
}

// Entry is a node with its pool.
type Entry struct{ Address, Pool string }

// FileOf returns the name of a pool's file, and false for a name that no pool can have.
func FileOf(pool string) (string, bool) {
	for i := range len(pool) {
		c := pool[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '-' && c != '_') {
			return "", false
		}
	}
	return pool + Suffix, pool != "" && len(pool) <= 200
}

// The names in the folder of state files.
const (
	// Suffix ends the name of a pool's file.
	Suffix = ".state"
	// IndexName is the file with the Index. No pool's file can have it.
	IndexName = "index"
	// Folder is the folder below run_dir.
	Folder = "pools"
	// MaxSize bounds a file, in bytes; a larger one is refused.
	MaxSize = 16 << 20
)
