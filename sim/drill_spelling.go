package sim

import (
	"strconv"

	"mpp"
)

// uuids are the servers' names on MySQL.
func uuid(i int) string {
	return "00000000-0000-0000-0000-00000000000" + strconv.Itoa(i+1)
}

// spelled is a set as MySQL spells it.
func (d *drill) spelled(s *txSet) string {
	b := make([]byte, 0, 128)
	for _, by := range d.servers {
		var first, last uint64
		begun := false
		flush := func() {
			if last == 0 {
				return
			}
			if !begun {
				if len(b) > 0 {
					b = append(b, ',')
				}
				b = append(b, uuid(by.index)...)
				begun = true
			}
			b = strconv.AppendUint(append(b, ':'), first, 10)
			if last != first {
				b = strconv.AppendUint(append(b, '-'), last, 10)
			}
		}
		for tx := range d.writes {
			w := &d.writes[tx]
			switch {
			case w.by != by.index || !s.has(tx):
			case last != 0 && w.number == last+1:
				last = w.number
			default:
				flush()
				first, last = w.number, w.number
			}
		}
		flush()
	}
	return string(b)
}

// gtid is one transaction as MariaDB spells it, "" for none.
func (d *drill) gtid(tx int) string {
	if tx < 0 {
		return ""
	}
	w := &d.writes[tx]
	return "0-" + strconv.Itoa(w.by+1) + "-" + strconv.FormatUint(w.number, 10)
}

// binlogState is MariaDB's gtid_binlog_state.
func (d *drill) binlogState(s *server) string {
	last := [8]int{}
	for i := range last {
		last[i] = -1
	}
	for _, tx := range s.log {
		last[d.writes[tx].by] = tx
	}
	text := ""
	latest := tail(s.log)
	for _, tx := range last {
		if tx >= 0 && tx != latest {
			text += d.gtid(tx) + ","
		}
	}
	return text + d.gtid(latest)
}

func tail(list []int) int {
	if len(list) == 0 {
		return -1
	}
	return list[len(list)-1]
}

// executed is gtid_executed or gtid_current_pos. What waits for an acknowledgement is not in
// gtid_executed yet: it is in the log only.
func (d *drill) executed(s *server) string {
	if d.mariadb {
		return d.gtid(tail(s.log))
	}
	set := s.has
	if s.pending >= 0 {
		set[s.pending/64] &^= 1 << (s.pending % 64)
	}
	return d.spelled(&set)
}

// received is Retrieved_Gtid_Set or Gtid_IO_Pos.
func (d *drill) received(s *server) string {
	if !d.mariadb {
		return d.spelled(&s.fetched)
	}
	if s.last < 0 {
		return d.gtid(tail(s.log))
	}
	return d.gtid(s.last)
}

// logName is a server's only binary log; each has another number, so that a place in the one is
// not taken for a place in the other.
func logName(i int) string { return "binlog.00000" + strconv.Itoa(i+1) }

const (
	logHead = 4   // bytes before the first transaction of a binary log
	logSize = 100 // bytes of each transaction
)

func logPos(count int) uint64 { return uint64(logHead + logSize*count) }

// position is what the steps find that read one.
func (d *drill) position(s *server) *mpp.Position {
	p := &mpp.Position{Executed: d.executed(s), OwnLog: logName(s.index), OwnPos: logPos(len(s.log))}
	if d.mariadb {
		p.BinlogState = d.binlogState(s)
	}
	if s.source >= 0 {
		p.Received, p.SourceLog, p.SourcePos = d.received(s), logName(s.source), logPos(s.readTo)
	}
	return p
}
