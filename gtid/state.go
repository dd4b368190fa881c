package gtid

import (
	"cmp"
	"fmt"
	"slices"
)

// State is MariaDB's gtid_binlog_state: for each domain and each server that wrote in it, the
// last transaction of that server that is in the binary log, and which of a domain's is the
// latest. The zero value is the state of an empty binary log.
type State struct {
	// writers are sorted by domain, then server, each pair once.
	writers []writer
}

// writer is one server's share of a domain.
type writer struct {
	domain, server uint32
	// seq is the number of its last transaction; 0 only where somebody set it to that.
	seq uint64
	// latest says that this was the last transaction of the domain.
	latest bool
}

func compareWriters(a, b writer) int {
	return cmp.Or(cmp.Compare(a.domain, b.domain), cmp.Compare(a.server, b.server))
}

// ParseState reads a gtid_binlog_state as a server prints it: of each domain the latest GTID
// stands last. A server that is there twice in a domain is an error.
func ParseState(text string) (State, error) {
	sc, err := newScanner(text)
	if err != nil {
		return State{}, fmt.Errorf("parse gtid_binlog_state: %w", err)
	}
	if sc.atEnd() {
		return State{}, nil
	}
	writers := make([]writer, 0, sc.length())
	latest := make(map[uint32]uint32)
	err = sc.elements(func(e element) error {
		if e.ranged {
			return sc.wrong("a range is no GTID")
		}
		writers = append(writers, writer{domain: e.domain, server: e.server, seq: e.last})
		latest[e.domain] = e.server
		return nil
	})
	if err != nil {
		return State{}, fmt.Errorf("parse gtid_binlog_state: %w", err)
	}
	slices.SortFunc(writers, compareWriters)
	for i := range writers {
		w := &writers[i]
		w.latest = latest[w.domain] == w.server
		if i > 0 && compareWriters(writers[i-1], *w) == 0 {
			return State{}, fmt.Errorf("parse gtid_binlog_state: server %d is there twice in domain %d", w.server, w.domain)
		}
	}
	return State{writers}, nil
}

// IsEmpty says that the binary log has no transaction.
func (s State) IsEmpty() bool { return len(s.writers) == 0 }

// Equal says that s and other are the same.
func (s State) Equal(other State) bool { return slices.Equal(s.writers, other.writers) }

// String returns the state on one line, as servers print it: the latest of a domain last.
// Domains and servers are in order otherwise.
func (s State) String() string {
	b := make([]byte, 0, 16*len(s.writers))
	for _, domain := range s.domains() {
		for _, late := range []bool{false, true} {
			for _, w := range domain {
				if w.latest != late {
					continue
				}
				if len(b) > 0 {
					b = append(b, ',')
				}
				b = appendGTID(b, w.domain, w.server, w.seq)
			}
		}
	}
	return string(b)
}

// domains returns the writers of each domain.
func (s State) domains() [][]writer {
	var all [][]writer
	for rest := s.writers; len(rest) > 0; {
		n := 1
		for n < len(rest) && rest[n].domain == rest[0].domain {
			n++
		}
		all, rest = append(all, rest[:n]), rest[n:]
	}
	return all
}

// Position returns the latest GTID of each domain: what the server prints as gtid_binlog_pos.
// Where numbers are out of order, which gtid_strict_mode prevents, it may have a lower number
// than the state has for another server.
func (s State) Position() Set {
	var entries []entry
	for _, w := range s.writers {
		if w.latest && w.seq > 0 {
			entries = append(entries, entry{
				key:   key{mariadb: true, domain: w.domain},
				spans: []span{{1, w.seq}}, ends: []end{{w.seq, w.server}},
			})
		}
	}
	return Set{entries}
}

// last returns the number of a server's last transaction in a domain; ok is false if it has none.
func (s State) last(domain, server uint32) (seq uint64, ok bool) {
	i, ok := slices.BinarySearchFunc(s.writers, writer{domain: domain, server: server}, compareWriters)
	if !ok {
		return 0, false
	}
	return s.writers[i].seq, true
}
