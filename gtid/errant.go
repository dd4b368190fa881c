package gtid

import "slices"

// Errant returns what a replica of MySQL has executed and its source has not: transactions that
// somebody wrote on the replica. Both sets are gtid_executed.
//
// They were read one after the other, and what the source wrote in between may have arrived on
// the replica already. So give the sourceUUID unless the source's set was read after the
// replica's: transactions that the source itself wrote first, whatever their tag, are left out
// then. With an empty sourceUUID nothing is left out; what it shows beyond the other answer are
// transactions that the source has lost: it crashed and had not flushed its binary log, was
// reset, or restored from a backup. Such a replica is not errant, it has more than its source.
//
// A source that is a replica itself goes on to receive what others wrote, of which an older
// set of it says nothing: compare it only with a set that was read before its own.
func Errant(replica, source Set, sourceUUID string) Set {
	extra := replica.Minus(source)
	var own [16]byte
	if extra.IsEmpty() || len(sourceUUID) != uuidChars || !readUUID(&own, sourceUUID) {
		return extra
	}
	var rest []entry
	for _, e := range extra.entries {
		if e.mariadb || e.uuid != own {
			rest = append(rest, e)
		}
	}
	return Set{rest}
}

// Source is the server of MariaDB that a replica is compared with.
type Source struct {
	// State is its gtid_binlog_state.
	State State
	// Position is its gtid_current_pos: it knows what the source replicated and did not log,
	// or had before it was restored from a copy. The empty set if that is not known.
	Position Set
	// ServerID is its server_id. It marks what the source has Lost; 0 if it is not known.
	ServerID uint32
	// Older says that State was read before the replica's. What the source itself wrote is left
	// out then, since the replica may have received what came in between.
	Older bool
}

// ErrantState returns what a replica's gtid_binlog_state has and its source has not, with the
// grounds: for each server that wrote in a domain, what is beyond the source's last transaction
// of that server in that domain, or, if the source has none of it, what is left of the server's
// last transactions. Positions cannot tell, since 0-1-110 stands for 0-2-105, too; states can,
// as far as they go. Where they do not:
//   - A replica that does not log what it replicates (log_slave_updates) shows its own writes
//     only; that is enough.
//   - A domain that the replica has from elsewhere, by another connection, or that was deleted
//     from the source's state, is Unknown to the source. Nothing is wrong with a domain that the
//     replica leaves out.
//   - A replica that stopped, or is delayed, since before the source's binary log begins shows
//     an old writer's transactions as Unknown.
//   - A source that is a replica itself goes on to receive what others wrote: compare it only
//     when its state was read after the replica's.
//   - Without gtid_strict_mode numbers may be used twice. What one server wrote twice under the
//     same number is not seen.
func ErrantState(replica State, source Source) Extra {
	var extra Extra
	for _, writers := range replica.domains() {
		d := source.compare(writers)
		for _, w := range writers {
			if p, has := d.extra(w); has {
				extra = append(extra, p)
			}
		}
	}
	return extra
}

// comparison is what a replica has of one domain, and what the source knows of it.
type comparison struct {
	source Source
	// writers are the replica's.
	writers []writer
	// logged says that the domain is in the source's state. position is the last part of its
	// position there, and ends says who wrote its last transaction; zero if it is not known.
	logged   bool
	position span
	ends     []end
	// shared is the highest number of a transaction that both have.
	shared uint64
}

// compare looks up what the source knows of the domain of a replica's writers.
func (s Source) compare(writers []writer) comparison {
	c := comparison{source: s, writers: writers}
	domain := writers[0].domain
	i, _ := slices.BinarySearchFunc(s.State.writers, writer{domain: domain}, compareWriters)
	c.logged = i < len(s.State.writers) && s.State.writers[i].domain == domain
	k := key{mariadb: true, domain: domain}
	i, found := slices.BinarySearchFunc(s.Position.entries, &k, func(e entry, k *key) int { return compareKeys(&e.key, k) })
	if found {
		e := &s.Position.entries[i]
		c.position = e.spans[len(e.spans)-1]
		c.ends = endsAt(e.ends, c.position.last)
	}
	for _, w := range writers {
		seq, _ := c.known(w)
		c.shared = max(c.shared, min(seq, w.seq))
	}
	return c
}

// known returns the number of the last transaction of a writer's server that the source has for
// sure; ok is false if it has none.
func (c *comparison) known(w writer) (seq uint64, ok bool) {
	seq, ok = c.source.State.last(w.domain, w.server)
	if _, own := slices.BinarySearchFunc(c.ends, end{c.position.last, w.server}, compareEnds); own {
		return max(seq, c.position.last), true
	}
	return seq, ok
}

// extra returns what the source does not have of a writer.
func (c *comparison) extra(w writer) (p Part, has bool) {
	own := w.server == c.source.ServerID
	seq, known := c.known(w)
	if seq >= w.seq || own && c.source.Older {
		return p, false
	}
	p = Part{Domain: w.domain, Server: w.server, First: c.first(w, known), Last: w.seq, Why: Unknown}
	switch {
	case own:
		p.Why = Lost
	case known:
		p.Why = Beyond
	case !w.latest && c.shared >= w.seq, !c.logged && c.position.last >= w.seq:
		p.Why = Buried
	}
	return p, true
}

// first returns the first number of what the source does not have of a writer. Numbers rise with
// each transaction, so it is above all that both have, and above all others' if the writer was
// the last to write. A writer whom the source does not know may have written anything before its
// last transaction, and nothing: all that is sure is the last one, unless something is known to
// have come before.
func (c *comparison) first(w writer, known bool) uint64 {
	before := c.shared
	if w.latest {
		for _, o := range c.writers {
			if o.server != w.server {
				before = max(before, o.seq)
			}
		}
	}
	if before >= w.seq || !known && (before == 0 || !w.latest) {
		return w.seq
	}
	return before + 1
}
