// Package gtid knows the sets of transactions that servers print: gtid_executed and its
// relatives of MySQL, with tags as in 8.3 and later, and the positions and the
// gtid_binlog_state of MariaDB. It says which of two servers has more, what one has that the
// other does not, and what a replica holds that its source never wrote.
//
// It is pure: nothing is read but the arguments, nothing blocks, nothing is kept. Values are
// immutable; who has one may share it between goroutines and keep it. No input makes it panic,
// and what it takes is bounded by MaxText.
//
// To test with it, Parse the text that a server printed, and compare by Equal (cmp.Diff does).
package gtid

import (
	"bytes"
	"cmp"
	"math"
	"slices"
	"strings"
)

// The flavours of GTIDs, as in mpp.Server.Flavour.
const (
	mysqlFlavour   = "mysql"
	mariadbFlavour = "mariadb"
)

// Set is a set of transactions. The zero value is the empty set, which is of no flavour.
//
// A set of MySQL is what it looks like: the numbers of transactions, by the server that first
// wrote them and their tag.
//
// A position of MariaDB is one GTID a domain, which stands for everything up to it: 0-1-105 is
// the transactions 1 to 105 of domain 0, the last of which was written by server 1. Who wrote
// the others is not in it, and neither is which numbers were never used. Three things follow:
//   - 0-1-105 and 0-2-105 are two different histories with the same numbers, and neither
//     contains the other. Union keeps both ends, so that none is lost on the way.
//   - 0-1-110 contains 0-2-105, although 0-2-105 may be a transaction that only one server has.
//     Only gtid_binlog_state can tell: see ErrantState.
//   - Minus leaves parts of domains, which MariaDB has no notation for: 0-1-106..110 is what
//     0-1-110 has beyond 0-1-105, and 0-2-105..105 is a single transaction. Parse reads them.
//
// Contains is a partial order over all sets, and Union, Minus and Count agree with it: a.Minus(b)
// is empty if and only if b contains a.
type Set struct {
	// entries are in the order of their keys, each key once, none without transactions.
	entries []entry
}

// key is what transactions are numbered by: on MySQL the server that first wrote them and a
// tag, on MariaDB a domain.
type key struct {
	mariadb bool
	domain  uint32
	uuid    [16]byte
	tag     string
}

// compareKeys orders keys as MySQL does, by uuid, then tag. Domains come after all of these.
func compareKeys(a, b *key) int {
	if a.mariadb != b.mariadb {
		if b.mariadb {
			return -1
		}
		return 1
	}
	if a.mariadb {
		return cmp.Compare(a.domain, b.domain)
	}
	if c := bytes.Compare(a.uuid[:], b.uuid[:]); c != 0 {
		return c
	}
	return strings.Compare(a.tag, b.tag)
}

// entry is the transactions of one key.
type entry struct {
	key
	// spans are ascending, and have a gap of at least one number between them.
	spans []span
	// ends says who wrote the last transaction of each span, ascending; MySQL has none. A span
	// has one end, or several where histories that end at the same number were united.
	ends []end
}

// IsEmpty says that there is no transaction in s.
func (s Set) IsEmpty() bool { return len(s.entries) == 0 }

// Equal says that s and other have the same transactions, as far as sets can tell.
func (s Set) Equal(other Set) bool {
	return slices.EqualFunc(s.entries, other.entries, func(a, b entry) bool {
		return a.key == b.key && slices.Equal(a.spans, b.spans) && slices.Equal(a.ends, b.ends)
	})
}

// Contains says that every transaction of other is in s. On MariaDB: s has every domain of
// other with a number at least as high, and where the numbers are equal, of the same server.
func (s Set) Contains(other Set) bool {
	i := 0
	for j := range other.entries {
		o := &other.entries[j]
		i = s.seek(i, &o.key)
		if !s.at(i, &o.key) || !s.entries[i].contains(o) {
			return false
		}
	}
	return true
}

// seek returns the first place from i on whose key is not before k.
func (s Set) seek(i int, k *key) int {
	for i < len(s.entries) && compareKeys(&s.entries[i].key, k) < 0 {
		i++
	}
	return i
}

// at says that the key of place i is k.
func (s Set) at(i int, k *key) bool {
	return i < len(s.entries) && compareKeys(&s.entries[i].key, k) == 0
}

// Union returns what is in s or other. It is the least set that contains both.
func (s Set) Union(other Set) Set {
	if s.Contains(other) {
		return s
	}
	all := make([]entry, 0, len(s.entries)+len(other.entries))
	i := 0
	for j := range other.entries {
		o := &other.entries[j]
		next := s.seek(i, &o.key)
		all = append(all, s.entries[i:next]...)
		i = next
		if !s.at(i, &o.key) {
			all = append(all, *o)
			continue
		}
		all = append(all, s.entries[i].union(o))
		i++
	}
	return Set{append(all, s.entries[i:]...)}
}

// Minus returns what is in s and not in other. On MariaDB these are, for each domain, the
// transactions beyond other's number, and where two histories end at the same number with
// different servers, that one transaction.
func (s Set) Minus(other Set) Set {
	var rest []entry
	j := 0
	for i := range s.entries {
		e := &s.entries[i]
		j = other.seek(j, &e.key)
		if !other.at(j, &e.key) {
			rest = append(rest, *e)
		} else if left := e.minus(&other.entries[j]); len(left.spans) > 0 {
			rest = append(rest, left)
		}
	}
	return Set{rest}
}

// Count returns how many transactions are in s, and the greatest number there is if that does
// not suffice. It is exact on MySQL. On MariaDB it is the number of sequence numbers, which is
// more than there are transactions where numbers were skipped: numbers are given by hand, by
// filters of replicas, and at a restart after a crash.
func (s Set) Count() uint64 {
	var n uint64
	for i := range s.entries {
		e := &s.entries[i]
		for _, p := range e.spans {
			n = addUp(n, p.length())
		}
		if len(e.ends) > len(e.spans) {
			n = addUp(n, uint64(len(e.ends)-len(e.spans)))
		}
	}
	return n
}

// addUp adds and stops at the greatest number.
func addUp(a, b uint64) uint64 {
	if b > math.MaxUint64-a {
		return math.MaxUint64
	}
	return a + b
}

// String returns the set on one line, sorted as servers sort it, without white space. Parse
// reads it, and so do servers, but for parts of MariaDB's domains (see Set).
func (s Set) String() string {
	if s.IsEmpty() {
		return ""
	}
	b := make([]byte, 0, 64*len(s.entries))
	var before *entry
	for i := range s.entries {
		e := &s.entries[i]
		switch {
		case !e.mariadb:
			b = e.appendMySQL(b, before)
		case before != nil:
			b = e.appendMariaDB(append(b, ','))
		default:
			b = e.appendMariaDB(b)
		}
		before = e
	}
	return string(b)
}

// normalEntries sorts entries, in place, and makes one of those with the same key.
func normalEntries(entries []entry) []entry {
	if len(entries) == 0 {
		return nil
	}
	ascending := true
	for i := range entries {
		entries[i].spans = normal(entries[i].spans)
		ascending = ascending && (i == 0 || compareKeys(&entries[i-1].key, &entries[i].key) < 0)
	}
	if ascending {
		return entries
	}
	slices.SortFunc(entries, func(a, b entry) int { return compareKeys(&a.key, &b.key) })
	joined := entries[:0]
	for i := 0; i < len(entries); {
		e, next := entries[i], i+1
		for ; next < len(entries) && compareKeys(&e.key, &entries[next].key) == 0; next++ {
			e.spans = append(e.spans, entries[next].spans...)
			e.ends = append(e.ends, entries[next].ends...)
		}
		if next > i+1 {
			e.spans = normal(e.spans)
			e.ends = endsOf(e.spans, e.ends)
		}
		joined, i = append(joined, e), next
	}
	return joined
}
