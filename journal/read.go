package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"iter"
	"os"
	"path/filepath"

	"mpp"
)

// Entry is a piece of a journal's history: exactly one of its parts is set.
type Entry struct {
	Record *Record
	// Snapshot is everything as it was after the records before it.
	Snapshot *Snapshot
	// Damage says for people what cannot be read here.
	Damage string
}

// Read goes through the whole history in dir, oldest first: every record once, snapshots
// in their places, files that were put aside as damaged included. It only reads, and works
// while a daemon writes. An error (of the directory, of reading, or a *VersionError) is the
// last thing it gives.
func Read(dir string) iter.Seq2[Entry, error] {
	return func(yield func(Entry, error) bool) {
		files, err := list(dir)
		if err != nil {
			yield(Entry{}, dirError(dir, err))
			return
		}
		r := reader{snapshots: files.snapshots, yield: yield}
		for i, e := range files.segments {
			if !r.segment(e, i == len(files.segments)-1) {
				return
			}
		}
		for len(r.snapshots) > 0 && r.snapshot() {
			continue
		}
	}
}

// reader is a Read under way. Its methods return false when it is over.
type reader struct {
	snapshots []entry // not given yet
	last      uint64  // number of the last record
	skipped   bool    // the next record need not follow it
	yield     func(Entry, error) bool
}

func (r *reader) segment(e entry, last bool) bool {
	f, err := os.Open(e.path)
	if errors.Is(err, fs.ErrNotExist) {
		r.skipped = true // dropped by the daemon since
		return true
	}
	if err != nil {
		return r.fail(err)
	}
	defer f.Close() //nolint:errcheck // only read
	lines := newLineReader(f)
	var bad region
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			return r.fail(fmt.Errorf("read %s at offset %d: %w", e.path, lines.offset, err))
		}
		if line.offset == 0 {
			if h, ok := decodeHeader(line.data); ok && h.Version != formatVersion {
				return r.fail(&VersionError{Path: e.path, Version: h.Version})
			} else if ok {
				continue
			}
		}
		record, err := decodeRecord(line.data)
		if err != nil || !line.ended {
			bad.add(line)
			continue
		}
		if !r.unreadable(e, &bad) || !r.record(e, record) {
			return false
		}
	}
	if bad.torn && last {
		return true // perhaps it is being written just now
	}
	return r.unreadable(e, &bad)
}

func (r *reader) fail(err error) bool {
	r.yield(Entry{}, err)
	return false
}

func (r *reader) unreadable(e entry, bad *region) bool {
	if bad.size == 0 {
		return true
	}
	text := fmt.Sprintf("%s: %s", filepath.Base(e.path), bad)
	*bad = region{}
	return r.yield(Entry{Damage: text}, nil)
}

// record gives a record, after the snapshots that lie before it.
func (r *reader) record(e entry, record *Record) bool {
	if record.Seq <= r.last {
		return true
	}
	for len(r.snapshots) > 0 && r.snapshots[0].seq < record.Seq {
		if !r.snapshot() {
			return false
		}
	}
	if r.last > 0 && record.Seq > r.last+1 && !r.skipped {
		text := fmt.Sprintf("%s: records %d to %d are missing", filepath.Base(e.path), r.last+1, record.Seq-1)
		if !r.yield(Entry{Damage: text}, nil) {
			return false
		}
	}
	r.last, r.skipped = record.Seq, false
	return r.yield(Entry{Record: record}, nil)
}

// snapshot gives the next snapshot.
func (r *reader) snapshot() bool {
	e := r.snapshots[0]
	r.snapshots = r.snapshots[1:]
	s, err := readSnapshot(e)
	var version *VersionError
	switch {
	case errors.Is(err, fs.ErrNotExist):
		return true // dropped by the daemon since
	case errors.As(err, &version):
		return r.fail(err)
	case err != nil:
		return r.yield(Entry{Damage: fmt.Sprintf("%s cannot be read: %v", filepath.Base(e.path), err)}, nil)
	default:
		return r.yield(Entry{Snapshot: s}, nil)
	}
}

// Events gives every event that the journal in dir still has, oldest first.
func Events(dir string) iter.Seq2[mpp.Event, error] {
	return func(yield func(mpp.Event, error) bool) {
		last := uint64(0)
		for e, err := range Read(dir) {
			if err != nil {
				yield(mpp.Event{}, err)
				return
			}
			var events []mpp.Event
			if e.Record != nil {
				events = e.Record.Events
			} else if e.Snapshot != nil {
				events = e.Snapshot.Events
			}
			for i := range events {
				if events[i].Seq <= last {
					continue
				}
				last = events[i].Seq
				if !yield(events[i], nil) {
					return
				}
			}
		}
	}
}

// Lines gives the journal in dir as replay lines: the last mark at or before q.From, or else
// the first one there is, and everything after it. A journal holds only the inputs that
// changed something; the running daemon's Ring holds all of the last minutes.
func Lines(dir string, q Query) iter.Seq2[Line, error] {
	return func(yield func(Line, error) bool) {
		files, err := list(dir)
		if err != nil {
			yield(Line{}, dirError(dir, err))
			return
		}
		start, err := startSnapshot(files.snapshots, q)
		if err != nil {
			yield(Line{}, err)
			return
		}
		for e, err := range Read(dir) {
			if err != nil {
				yield(Line{}, err)
				return
			}
			l, ok := e.line(q, start)
			if ok && !yield(l, nil) {
				return
			}
		}
	}
}

// startSnapshot finds where a replay begins: the number of a snapshot.
func startSnapshot(snapshots []entry, q Query) (uint64, error) {
	start, found := uint64(0), false
	for _, e := range snapshots {
		s, err := readSnapshot(e)
		if err != nil {
			continue // Read tells
		}
		if found && s.At.After(q.From) {
			break
		}
		start, found = e.seq, true
	}
	if !found {
		return 0, ErrNoMark
	}
	return start, nil
}

// line turns an entry into a replay line when it belongs to a replay from snapshot start on.
func (e *Entry) line(q Query, start uint64) (Line, bool) {
	switch {
	case e.Snapshot != nil && e.Snapshot.Seq >= start:
		return Line{Mark: q.mark(Mark{At: e.Snapshot.At, Pools: e.Snapshot.Memory()})}, true
	case e.Record != nil && e.Record.Seq > start && e.Record.Input != nil && q.wants(e.Record.Input.Pool):
		return Line{Input: e.Record.Input}, true
	case e.Damage != "":
		return Line{Damage: e.Damage}, true
	default:
		return Line{}, false
	}
}
