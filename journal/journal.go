package journal

import (
	"bytes"
	"cmp"
	"errors"
	"fmt"
	"strings"
	"time"
)

// Options are a journal's bounds.
type Options struct {
	// MaxSize bounds the directory, in bytes; 0 means 256 MiB. What a restart needs is kept
	// even when it is more: two snapshots and the records since the older one.
	MaxSize int64
	// MaxSegment is when a segment is full, in bytes; 0 means an eighth of MaxSize.
	MaxSegment int64
	// EventsKept is how many events a restart gives back; 0 means 1,000.
	EventsKept int
}

func (o Options) withDefaults() Options {
	o.MaxSize = cmp.Or(o.MaxSize, 256<<20)
	o.MaxSegment = cmp.Or(o.MaxSegment, o.MaxSize/8)
	o.EventsKept = cmp.Or(o.EventsKept, 1000)
	return o
}

// rebuildPause is how long a journal whose disk refuses fsync waits between tries.
const rebuildPause = time.Second

// bufKept is how large a buffer is kept between records, in bytes.
const bufKept = 1 << 20

// Journal is an open journal. It belongs to one goroutine.
type Journal struct {
	dir    string
	o      Options
	open   openFunc
	fold   *fold
	live   *segment
	end    endMark
	next   uint64 // number of the next record
	tail   int64  // bytes appended since the last snapshot
	missed missed
	buf    bytes.Buffer
	stats  Stats
	// suspect says why only a snapshot can make things certain again, nil when all is well.
	suspect error
	// retryAt is when a rebuild or compaction that failed may be tried again.
	retryAt time.Time
	closed  bool
}

// Stats counts since Open.
type Stats struct {
	// Records and Bytes were appended; Syncs is how many fsyncs were asked for.
	Records, Bytes, Syncs uint64
	// WriteFailures and SyncFailures count what the system refused, Compactions the
	// snapshots written.
	WriteFailures, SyncFailures, Compactions uint64
	// LastSeq is the number of the last record.
	LastSeq uint64
	// Trouble is the last failure until something is written again, nil when all is well.
	Trouble error
}

// Stats returns the counters.
func (j *Journal) Stats() Stats {
	s := j.stats
	s.LastSeq = j.next - 1
	return s
}

// Append numbers r and writes it. With sync it is on disk when Append returns nil; see the
// package's comment for what nil and an error mean. Errors: *WriteError (errors.Is ErrFull
// when room is missing), ErrClosed, or a record that cannot be encoded, which is not kept. An
// input that cannot be encoded is left out, with a note.
func (j *Journal) Append(r Record, sync bool) error {
	if j.closed {
		return ErrClosed
	}
	lines, seq, err := j.encode(&r)
	if err != nil {
		return err
	}
	if err := j.ready(); err != nil {
		return j.miss(&r, err)
	}
	if err := j.live.write(lines); err != nil {
		j.stats.WriteFailures++
		j.cut()
		return j.miss(&r, err)
	}
	j.fold.apply(&r)
	j.stats.Records += seq + 1 - j.next
	j.stats.Bytes += uint64(len(lines))
	j.next, j.tail, j.live.empty = seq+1, j.tail+int64(len(lines)), false
	j.missed, j.stats.Trouble = missed{}, nil
	if j.buf.Cap() > bufKept {
		j.buf = bytes.Buffer{}
	}
	if !sync {
		return nil
	}
	if err := j.sync(); err != nil {
		return err
	}
	j.end.set(seq)
	return nil
}

// encode makes the lines of r and of the records that catch up on what was missed; seq is
// the number that r gets.
func (j *Journal) encode(r *Record) (lines []byte, seq uint64, err error) {
	for i := range r.Events {
		if r.Events[i].Seq == 0 {
			return nil, 0, fmt.Errorf("append record: event %q has no number", r.Events[i].Text)
		}
	}
	if r.Pool == "" && (r.PoolMemory != nil || len(r.Nodes) > 0 || len(r.Removed) > 0 || r.PoolRemoved) {
		return nil, 0, errors.New("append record: it changes a pool without naming it")
	}
	j.buf.Reset()
	seq = j.next
	if j.suspect == nil {
		for _, c := range j.missed.records(j.fold, r.At) {
			c.Seq = seq
			if err := appendLine(&j.buf, c); err != nil {
				return nil, 0, fmt.Errorf("append record: %w", err)
			}
			seq++
		}
	}
	r.Seq = seq
	err = appendLine(&j.buf, r)
	if err != nil && r.Input != nil {
		// What a server said of itself (a start time in the year 20000) must not cost a state.
		r.Input, r.Note = nil, strings.TrimSpace(fmt.Sprintf("%s its input cannot be encoded: %v", r.Note, err))
		err = appendLine(&j.buf, r)
	}
	if err != nil {
		return nil, 0, fmt.Errorf("append record: %w", err)
	}
	return j.buf.Bytes(), seq, nil
}

// ready makes sure that there is a segment to trust with room in it.
func (j *Journal) ready() error {
	if j.suspect != nil {
		return j.rebuildInTime()
	}
	if j.live.empty || j.live.size < j.o.MaxSegment {
		return nil
	}
	if err := j.live.f.Sync(); err != nil {
		return j.distrust(err)
	}
	if err := j.newSegment(); err != nil {
		j.stats.WriteFailures++
		return nil // the old one is as good, only longer
	}
	j.prune()
	return nil
}

// miss keeps what r says for later.
func (j *Journal) miss(r *Record, err error) error {
	j.fold.apply(r)
	j.missed.add(r, err)
	j.stats.Trouble = err
	return err
}

// cut takes off what a failed write left of a record.
func (j *Journal) cut() {
	if err := j.live.f.Truncate(j.live.size); err != nil {
		j.suspect = &WriteError{Op: "truncate", Path: j.live.path, Err: pathless(err)}
		j.live.suspect = true
	}
}

func (j *Journal) sync() error {
	j.stats.Syncs++
	err := j.live.f.Sync()
	if err == nil {
		return nil
	}
	return j.distrust(err)
}

// distrust is what a failed fsync leads to: nobody knows what of the segment is on disk, and
// a second fsync that succeeds would prove nothing. A snapshot in a new file takes its place.
func (j *Journal) distrust(err error) error {
	j.doubt(err)
	if again := j.rebuildInTime(); again != nil {
		j.stats.Trouble = again
		return again
	}
	return nil
}

func (j *Journal) doubt(err error) {
	j.stats.SyncFailures++
	j.suspect = &WriteError{Op: "fsync", Path: j.live.path, Err: pathless(err)}
	j.live.suspect = true
}

// rebuildInTime rebuilds unless that failed a moment ago.
func (j *Journal) rebuildInTime() error {
	if time.Now().Before(j.retryAt) {
		return j.suspect
	}
	if err := j.rebuild(); err != nil {
		j.retryAt = time.Now().Add(rebuildPause)
		return errors.Join(j.suspect, err)
	}
	return nil
}

// Close writes a closing record and closes the journal. A second Close does nothing.
func (j *Journal) Close() error {
	if j.closed {
		return nil
	}
	err := j.Append(Record{At: time.Now(), Closed: true}, true)
	j.closed = true
	j.end.close()
	if cerr := j.live.f.Close(); err == nil && cerr != nil {
		err = &WriteError{Op: "close", Path: j.live.path, Err: pathless(cerr)}
	}
	return err
}
