package sim

import (
	"time"

	"mpp"
)

// mostWrites bounds how many transactions a drill has.
const mostWrites = 448

// txSet is a set of transactions, by their place in drill.writes.
type txSet [mostWrites / 64]uint64

func (s *txSet) has(tx int) bool { return s[tx/64]&(1<<(tx%64)) != 0 }
func (s *txSet) add(tx int)      { s[tx/64] |= 1 << (tx % 64) }

// write is one transaction.
type write struct {
	// by is the server that wrote it, number what it was numbered by that one (MySQL) or in the
	// domain (MariaDB).
	by     int
	number uint64
	// acked says that the client was told that it is safe, semi that a replica had acknowledged it
	// by then.
	acked, semi bool
	ackedAt     time.Time
}

// server is a modelled server with its host.
type server struct {
	index   int
	address string
	// up says that the process runs, frozen that it does not go on, stuck why commits do not end.
	up, frozen bool
	stuck      mpp.Kind
	started    time.Time
	readOnly   bool
	// log is its binary log, has what is in it; got has what was received besides, which is in
	// relay until it is executed.
	log      []int
	relay    []int
	has, got txSet
	// source is the server that it replicates from, -1 for none. connected says that its receiver
	// believes to have a connection, to the server's start epoch.
	source             int
	io, sql, connected bool
	epoch              time.Time
	errno, sqlErrno    uint32
	retryAt            time.Time
	// tested is the step that lets it connect anew, 0 for none.
	tested int
	// fetched is what came over the present channel; readTo how many transactions of its
	// source's log it has read.
	fetched txSet
	last    int // the last one that was fetched, -1 for none
	readTo  int
	// acknowledges says that it is a semi-synchronous replica. pending is the transaction that
	// waits for an acknowledgement since pendingAt, -1 for none; timedOut that it has given up.
	acknowledges, timedOut bool
	pending                int
	pendingAt, freed       time.Time
	// slow keeps its applier from executing anything.
	slow bool
	// vip says that its host has the virtual address.
	vip bool
	// isolated cuts its host off from everybody, cut from the manager's polls and statements,
	// sshCut from its commands.
	isolated, cut, sshCut bool
	// back is when its host or server was last seen again by clients after it was away.
	back time.Time
	// errantAt is when somebody wrote on it while it was a replica, zero for never.
	errantAt time.Time
	// known is what a poll tells of its settings.
	known *mpp.Settings
}

// reached reports whether the manager reaches the server's port.
func (s *server) reached() bool { return !s.isolated && !s.cut }

// shelled reports whether the manager can run commands on the host.
func (s *server) shelled() bool { return !s.isolated && !s.sshCut }

// answers reports whether the server answers the manager.
func (s *server) answers() bool { return s.reached() && s.up && !s.frozen }

// serves reports whether clients that reach it can write to it.
func (s *server) serves() bool { return s.up && !s.frozen && !s.isolated && !s.readOnly }

// execute appends a transaction to the log.
func (s *server) execute(tx int) {
	if s.has.has(tx) {
		return
	}
	s.log = append(s.log, tx)
	s.has.add(tx)
	s.got.add(tx)
}

// drain executes what was received. On MariaDB, in strict mode, the applier stops at a number that is
// not higher than the last one.
func (d *drill) drain(s *server, most int) {
	for len(s.relay) > 0 && most > 0 {
		if last := tail(s.log); d.mariadb && last >= 0 && d.writes[s.relay[0]].number <= d.writes[last].number {
			s.sql, s.sqlErrno = false, 1950
			return
		}
		s.execute(s.relay[0])
		s.relay = s.relay[1:]
		most--
	}
}

// ends is what is lost of a server when its process ends: connections, not data.
func (s *server) crash() {
	s.up, s.frozen, s.connected, s.stuck = false, false, false, ""
	s.pending = -1
}

// restart brings the process up as my.cnf says.
func (s *server) restart(now time.Time, readOnly bool) {
	s.up, s.frozen, s.stuck, s.started, s.readOnly, s.timedOut = true, false, "", now, readOnly, false
	s.back = now
	s.retryAt = now
}

// follow makes the server a replica of another with a new channel.
func (s *server) follow(source int) {
	s.source, s.io, s.sql, s.connected, s.errno, s.sqlErrno = source, true, true, false, 0, 0
	s.fetched, s.last, s.readTo, s.retryAt = txSet{}, -1, 0, time.Time{}
	s.timedOut = false
}

// linked reports whether two servers' hosts reach each other.
func (d *drill) linked(a, b *server) bool {
	return !a.isolated && !b.isolated && !d.linkCut[a.index][b.index]
}

// flow lets a moment pass for replication.
func (d *drill) flow() {
	for _, s := range d.servers {
		if !s.up || s.frozen || s.source < 0 {
			continue
		}
		if d.chance(0.8) {
			d.receive(s)
		}
		if s.sql && !s.slow && d.chance(0.8) {
			d.drain(s, 1+d.rng.IntN(3))
		}
	}
	for _, s := range d.servers {
		d.settle(s)
	}
}

// settle acknowledges a commit that waited, or gives up waiting.
func (d *drill) settle(s *server) {
	if s.pending < 0 || !s.up || s.frozen {
		return
	}
	clients := 0
	for _, r := range d.servers {
		if r.source == s.index && r.connected && r.acknowledges && r.up && !r.frozen && d.linked(r, s) {
			clients++
			if r.got.has(s.pending) {
				d.acknowledge(s, true)
				return
			}
		}
	}
	if d.semiTimeout > 0 && d.now.Sub(s.pendingAt) >= d.semiTimeout {
		s.timedOut = true
		d.acknowledge(s, false)
	}
}

// acknowledge ends the commit that a server waits with; the client hears of it if it can.
func (d *drill) acknowledge(s *server, semi bool) {
	w := &d.writes[s.pending]
	if !s.isolated && s.stuck == "" {
		w.acked, w.semi, w.ackedAt = true, semi, d.now
	}
	s.pending, s.freed = -1, d.now
}

// clientWrites lets the client write through the address, or to whom the manager names.
func (d *drill) clientWrites() {
	if len(d.writes) >= mostWrites-8 {
		return
	}
	s := d.reachedByClient()
	if s == nil || !s.serves() || s.stuck != "" || s.pending >= 0 {
		return
	}
	tx := d.append(s)
	d.lastWrite, d.lastWriter = d.now, s.index
	switch {
	case !d.asks(s):
		d.writes[tx].acked, d.writes[tx].ackedAt = true, d.now
	default:
		s.pending, s.pendingAt = tx, d.now
	}
}

// asks reports whether the commits of a server wait for an acknowledgement.
func (d *drill) asks(s *server) bool { return d.semi && s.known.SemiSyncSource && !s.timedOut }

// stray writes a transaction on a replica.
func (d *drill) stray(s *server) {
	d.append(s)
	s.errantAt = d.now
}

// append writes a transaction on a server.
func (d *drill) append(s *server) int {
	number := uint64(1)
	if d.mariadb {
		for _, tx := range s.log {
			number = max(number, d.writes[tx].number+1)
		}
	} else {
		for i := range d.writes {
			if d.writes[i].by == s.index {
				number = d.writes[i].number + 1
			}
		}
	}
	d.writes = append(d.writes, write{by: s.index, number: number})
	s.execute(len(d.writes) - 1)
	return len(d.writes) - 1
}

// reachedByClient is the server that the client's next write goes to, nil for none.
func (d *drill) reachedByClient() *server {
	var found *server
	for i, s := range d.servers {
		if d.addressed(i) && !s.isolated && (found == nil || d.chance(0.5)) {
			found = s
		}
	}
	return found
}

// addressed reports whether clients are led to a server.
func (d *drill) addressed(i int) bool {
	if d.policy.Failover.Addresses {
		return d.servers[i].vip
	}
	return d.upAsWriter[i]
}

// receive lets a replica take what its source has for it.
func (d *drill) receive(s *server) {
	src := d.servers[s.source]
	alive := src.up && !src.frozen && d.linked(s, src)
	switch {
	case !s.io:
		s.connected = false
		return
	case s.connected && (!src.up || !src.started.Equal(s.epoch)) && d.linked(s, src):
		s.connected, s.errno, s.retryAt = false, 2003, d.now.Add(d.retry) // reset
	case !s.connected && d.now.Before(s.retryAt):
	case !s.connected && alive:
		d.connect(s, src)
	case !s.connected:
		s.errno, s.retryAt = 2003, d.now.Add(d.retry)
	}
	if !s.connected || !alive {
		return
	}
	for most := 1 + d.rng.IntN(4); most > 0 && s.readTo < len(src.log); s.readTo++ {
		if tx := src.log[s.readTo]; !s.got.has(tx) {
			s.got.add(tx)
			s.relay = append(s.relay, tx)
			s.fetched.add(tx)
			s.last = tx
			most--
		}
	}
	if s.readTo == len(src.log) && s.acknowledges && d.semi && src.timedOut && src.source < 0 {
		src.timedOut = false
	}
}

// connect lets a replica's receiver find its place in the log of its source.
func (d *drill) connect(s, src *server) {
	s.readTo = 0
	if d.mariadb {
		place := s.last
		if place < 0 && len(s.log) > 0 {
			place = s.log[len(s.log)-1]
		}
		if len(s.relay) > 0 {
			place = s.relay[len(s.relay)-1]
		}
		if place >= 0 && !src.has.has(place) {
			s.io, s.errno = false, 1236
			return
		}
		for place >= 0 && src.log[s.readTo] != place {
			s.readTo++
		}
	}
	s.connected, s.errno, s.epoch = true, 0, src.started
}
