package gtid

import (
	"fmt"
	"slices"
	"strconv"
)

// Why says on what grounds a part of an Extra is there.
type Why string

// The grounds.
const (
	// Beyond: the source has transactions of that server in that domain, but not so many. An old
	// source that comes back, or a replica that received more than the one that was promoted,
	// has such.
	Beyond Why = "beyond"
	// Unknown: the source has no transaction of that server in that domain, and the replica has
	// taken nothing from the source since. This is what a write on a replica looks like.
	Unknown Why = "unknown"
	// Buried: the source has none of that server in that domain, but the replica has newer ones
	// that the source has too, or the source's binary log knows nothing of the domain although
	// its position does. Most often these are transactions of an old writer from before the
	// source's binary log begins: the source was built from a copy, its log was reset, or did
	// not log what it replicated. On a replica without gtid_strict_mode they may as well have
	// been written there and then been passed by; with it, only if somebody made it skip
	// transactions. If other replicas have them as well, they are old.
	Buried Why = "buried"
	// Lost: the source wrote them itself and has them no more. It crashed and had not flushed
	// its binary log, was reset, or restored from a backup. The replica is not errant, it has
	// more than its source.
	Lost Why = "lost"
)

// Part is transactions that one server wrote in one domain of MariaDB.
type Part struct {
	Domain uint32 `json:"domain"`
	Server uint32 `json:"server"`
	// First and Last are sequence numbers, both included.
	First uint64 `json:"first"`
	Last  uint64 `json:"last"`
	// Why is empty for a part that was read from a text.
	Why Why `json:"why,omitempty"`
}

// Extra is what one server of MariaDB holds and another does not. Parts are sorted by domain and
// server. An Extra that was handed out is not to be changed.
type Extra []Part

// ParseExtra reads what String wrote: 0-3-105 is a single transaction. Why is not in the text.
func ParseExtra(text string) (Extra, error) {
	sc, err := newScanner(text)
	if err != nil {
		return nil, fmt.Errorf("parse transactions: %w", err)
	}
	if sc.atEnd() {
		return nil, nil
	}
	extra := make(Extra, 0, sc.length())
	err = sc.elements(func(e element) error {
		if e.first == 0 {
			return sc.wrong("there is no transaction 0")
		}
		extra = append(extra, Part{Domain: e.domain, Server: e.server, First: e.first, Last: e.last})
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("parse transactions: %w", err)
	}
	return extra, nil
}

// String returns the transactions on one line: 0-3-105 is a single one, 0-3-105..107 are three.
// Parse would take the first for a position; ParseExtra does not.
func (x Extra) String() string {
	var b []byte
	for i, p := range x {
		if i > 0 {
			b = append(b, ',')
		}
		b = appendGTID(b, p.Domain, p.Server, p.First)
		if p.Last != p.First {
			b = strconv.AppendUint(append(b, ".."...), p.Last, 10)
		}
	}
	return string(b)
}

// Count returns how many transactions there are, going by their numbers: those from the last
// that both have, or of another server, to the last one. It is exact under gtid_strict_mode,
// but for numbers that were never used. Where a server that the source does not know was
// followed by others, only its last transaction is counted.
func (x Extra) Count() uint64 {
	var n uint64
	for _, p := range x {
		n = addUp(n, span{p.First, p.Last}.length())
	}
	return n
}

// Only returns the parts that are there for one of the reasons.
func (x Extra) Only(reasons ...Why) Extra {
	var some Extra
	for _, p := range x {
		if slices.Contains(reasons, p.Why) {
			some = append(some, p)
		}
	}
	return some
}
