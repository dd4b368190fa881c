package journal

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"syscall"
)

// loader reads a directory and sums it up.
type loader struct {
	fold  *fold
	last  uint64 // number of the last record that was read or is known to be lost
	fresh bool
	// base is the snapshot that the fold began with, 0 for none.
	base uint64
	// live is the last segment; liveSize is how much of it is whole.
	live     entry
	liveSize int64
	tail     int64 // bytes since the snapshot
	hasLive  bool
	// acknowledged is the last record that was on disk for certain, 0 when nobody knows.
	acknowledged uint64
	// reach is the number in the name of the last segment that has whole lines.
	reach uint64
	// liveRecords says that the live segment has records.
	liveRecords bool
	// broken lists the files to put aside.
	broken []string
	damage []string
	notes  []string
	tmp    []string
}

// load sums up what is in dir. It changes nothing.
func load(dir string, keep int) (*loader, error) {
	end := readEnd(dir) // before the records: a daemon may be writing
	files, err := list(dir)
	if err != nil {
		return nil, err
	}
	l := &loader{fold: newFold(keep), tmp: files.tmp, acknowledged: end}
	if len(files.segments)+len(files.snapshots) == 0 {
		l.fresh = end == 0
		l.checkAcknowledged()
		return l, nil
	}
	if err := l.begin(files.snapshots); err != nil {
		return nil, err
	}
	needed := neededSegments(files.segments, l.base)
	for i, e := range needed {
		if err := l.segment(e, i == len(needed)-1); err != nil {
			return nil, err
		}
	}
	l.checkEnd(files)
	l.checkAcknowledged()
	return l, nil
}

// checkAcknowledged finds out whether the journal ends before a record that was on disk.
func (l *loader) checkAcknowledged() {
	if l.acknowledged > l.last {
		l.lost(l.acknowledged+1, "the journal was cut short: "+endName+" knows of more")
	}
}

// begin finds the newest snapshot that is whole.
func (l *loader) begin(snapshots []entry) error {
	for i := len(snapshots) - 1; i >= 0; i-- {
		s, err := readSnapshot(snapshots[i])
		if err == nil {
			l.fold, l.base, l.last = s.unfold(l.fold.keep), s.Seq, s.Seq
			return nil
		}
		if hardError(err) {
			return err
		}
		l.broken = append(l.broken, snapshots[i].path)
		l.damaged("%s cannot be read (%v)%s", filepath.Base(snapshots[i].path), err, fallback(i))
	}
	return nil
}

func fallback(older int) string {
	if older > 0 {
		return "; the one before it and the records since are used"
	}
	return "; there is none before it, only the records that are left are used"
}

// hardError reports whether err is about this machine or release and not about a file's
// content: then the files are left as they are.
func hardError(err error) bool {
	var version *VersionError
	var path *fs.PathError
	return errors.As(err, &version) || errors.As(err, &path) && !errors.Is(err, syscall.EIO)
}

// neededSegments leaves out the segments that a snapshot of record base covers.
func neededSegments(segments []entry, base uint64) []entry {
	for len(segments) > 1 && segments[1].seq <= base+1 {
		segments = segments[1:]
	}
	return segments
}

// checkEnd finds out whether the last segment is the one that records went to last. The
// segment after a snapshot is always made before the snapshot.
func (l *loader) checkEnd(files listing) {
	newest, found := uint64(0), false
	for _, e := range slices.Concat(files.snapshots, files.aside) {
		if e.snapshot {
			newest, found = max(newest, e.seq), true
		}
	}
	if !found && l.reach == 0 {
		return // a first start that did not get far
	}
	if l.reach > newest {
		return
	}
	l.last, l.hasLive = max(l.last, newest), false
	l.lostEnd(fmt.Sprintf("there is no %s", segmentName(newest+1)))
}

func (l *loader) damaged(format string, args ...any) {
	l.damage = append(l.damage, fmt.Sprintf(format, args...))
}

func (l *loader) note(format string, args ...any) {
	l.notes = append(l.notes, fmt.Sprintf(format, args...))
}

// lost records that the records from l.last+1 to before next are not there.
func (l *loader) lost(next uint64, where string) {
	why := fmt.Sprintf("records %d to %d are missing", l.last+1, next-1)
	if next-1 == l.last+1 {
		why = fmt.Sprintf("record %d is missing", next-1)
	}
	l.damaged("%s: %s", where, why)
	l.fold.gap(why)
	l.last = next - 1
}

// lostEnd records that an unknown number of records after l.last is lost. It counts as one,
// so that the numbers show a gap for good.
func (l *loader) lostEnd(where string) {
	why := fmt.Sprintf("record %d and perhaps more after it are missing", l.last+1)
	l.damaged("%s: %s", where, why)
	l.fold.gap(why)
	l.last++
}

// region is a run of bytes that cannot be read as lines.
type region struct {
	offset, size int64
	lines        int  // that end with LF
	torn         bool // begins with text and has only zeros after, or nothing
}

func (r *region) String() string {
	return fmt.Sprintf("%d bytes at offset %d cannot be read", r.size, r.offset)
}

func (r *region) add(line rawLine) {
	if r.size == 0 {
		r.offset = line.offset
		r.torn = !line.ended && line.data != nil && tornText(line.data)
	} else {
		r.torn = false
	}
	r.size += line.size
	if line.ended {
		r.lines++
	}
}

// tornText reports whether an unfinished line is what an interrupted write leaves: text, and
// after it at most zeros, from a file that had grown before its data was written.
func tornText(data []byte) bool {
	end := len(data)
	for end > 0 && data[end-1] == 0 {
		end--
	}
	for _, b := range data[:end] {
		if b == 0 {
			return false
		}
	}
	return true
}

// segment adds the records of a segment.
func (l *loader) segment(e entry, last bool) error {
	f, err := os.Open(e.path)
	if err != nil {
		return err
	}
	defer f.Close() //nolint:errcheck // only read
	l.live, l.hasLive, l.liveSize, l.liveRecords = e, !e.damaged, 0, false
	if e.seq > l.last+1 {
		l.lost(e.seq, "before "+filepath.Base(e.path))
	}
	var bad region
	lines := newLineReader(f)
	for {
		line, err := lines.next()
		if errors.Is(err, io.EOF) {
			break
		}
		if errors.Is(err, syscall.EIO) {
			l.damaged("%s: the disk cannot read it from offset %d on", filepath.Base(e.path), lines.offset)
			bad.add(rawLine{offset: lines.offset, size: max(1, e.size-lines.offset)})
			break
		}
		if err != nil {
			return fmt.Errorf("read %s at offset %d: %w", e.path, lines.offset, err)
		}
		if err := l.line(e, line, &bad); err != nil {
			return err
		}
	}
	l.end(e, last, bad)
	l.tail += l.liveSize
	return nil
}

// line takes one line of a segment.
func (l *loader) line(e entry, line rawLine, bad *region) error {
	if line.offset == 0 && line.ended {
		if h, ok := decodeHeader(line.data); ok {
			l.liveSize = line.size
			if h.Version != formatVersion {
				return &VersionError{Path: e.path, Version: h.Version}
			}
			return nil
		}
	}
	r, err := decodeRecord(line.data)
	if err != nil || !line.ended {
		bad.add(line)
		return nil
	}
	where := filepath.Base(e.path)
	if line.offset == 0 {
		l.damaged("%s: its first line is missing; its records are used", where)
		l.putAside(e)
	}
	if bad.size > 0 {
		where = fmt.Sprintf("%s: %s", where, bad)
		if r.Seq <= l.last+1 {
			l.damaged("%s; no record is missing", where)
		}
		l.putAside(e)
		*bad = region{}
	}
	l.liveSize, l.liveRecords = line.offset+line.size, true
	l.record(r, where)
	return nil
}

// putAside has a file renamed when the journal is opened for writing.
func (l *loader) putAside(e entry) {
	if !e.damaged && !slices.Contains(l.broken, e.path) {
		l.broken = append(l.broken, e.path)
	}
}

// record adds a record whose line is whole.
func (l *loader) record(r *Record, where string) {
	if r.Seq <= l.last {
		if r.Seq > l.base {
			l.damaged("%s: record %d is there again or out of order; the second is left out", where, r.Seq)
		}
		return
	}
	if r.Seq > l.last+1 {
		l.lost(r.Seq, where)
	}
	l.last = r.Seq
	l.fold.apply(r)
}

// end judges what could not be read at the end of a segment.
func (l *loader) end(e entry, last bool, bad region) {
	name := filepath.Base(e.path)
	if l.liveSize == 0 && (bad.size == 0 || bad.torn) {
		l.note("%s: it was just being made and holds nothing", name)
		l.hasLive = false
		if !e.damaged {
			l.tmp = append(l.tmp, e.path)
		}
		return
	}
	l.reach = e.seq
	if bad.size == 0 {
		return
	}
	if bad.torn {
		if l.acknowledged <= l.last {
			l.note("%s: the last line was cut short (%s): it was never acknowledged", name, &bad)
		}
		return
	}
	l.putAside(e)
	if last {
		l.lostEnd(fmt.Sprintf("%s: %s, to its end", name, &bad))
		return
	}
	// The number of the next segment says whether records are missing.
	l.damaged("%s: %s, to its end", name, &bad)
}
