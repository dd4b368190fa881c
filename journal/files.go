package journal

import (
	"cmp"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
)

const (
	filePerm      = 0o640
	dirPerm       = 0o750
	damagedSuffix = ".damaged"
	tmpSuffix     = ".tmp"
	// damagedKept bounds the files that are kept aside.
	damagedKept = 8
	// filesKept bounds the segments and snapshots of a journal whose daemon is restarted, and
	// so compacted, again and again.
	filesKept = 200
)

// file is what the journal needs of an open file; tests put failing ones in its place.
type file interface {
	io.Writer
	Sync() error
	Truncate(size int64) error
	Close() error
}

// openFunc opens a file for writing.
type openFunc func(path string, flag int) (file, error)

func openOS(path string, flag int) (file, error) {
	f, err := os.OpenFile(path, flag, filePerm)
	if err != nil {
		return nil, err
	}
	return f, nil
}

func segmentName(first uint64) string { return fmt.Sprintf("journal-%020d.log", first) }

func snapshotName(seq uint64) string { return fmt.Sprintf("snapshot-%020d.json", seq) }

// entry is a file of a journal's directory.
type entry struct {
	path     string
	seq      uint64 // first record of a segment, last record in a snapshot
	snapshot bool
	damaged  bool // kept aside
	size     int64
}

// listing is a journal's directory, each part oldest first.
type listing struct {
	segments  []entry // damaged ones too: they may hold what nothing else has
	snapshots []entry // without damaged ones
	aside     []entry // everything that is kept aside
	tmp       []string
	size      int64
}

// list reads a directory. Files that are not the journal's are left out.
func list(dir string) (listing, error) {
	var l listing
	names, err := os.ReadDir(dir)
	if err != nil {
		return l, err
	}
	for _, d := range names {
		e, ok := parseName(d.Name())
		if !ok || d.IsDir() {
			continue
		}
		e.path = filepath.Join(dir, d.Name())
		info, err := d.Info()
		if err != nil {
			continue // removed meanwhile
		}
		e.size = info.Size()
		l.add(e)
	}
	for _, part := range [][]entry{l.segments, l.snapshots, l.aside} {
		slices.SortStableFunc(part, before)
	}
	return l, nil
}

func (l *listing) add(e entry) {
	l.size += e.size
	switch {
	case strings.HasSuffix(e.path, tmpSuffix):
		l.tmp = append(l.tmp, e.path)
		return
	case !e.snapshot:
		l.segments = append(l.segments, e)
	case !e.damaged:
		l.snapshots = append(l.snapshots, e)
	}
	if e.damaged {
		l.aside = append(l.aside, e)
	}
}

// before orders entries by number; of two with the same number the one that was put aside
// is the older.
func before(a, b entry) int {
	if c := cmp.Compare(a.seq, b.seq); c != 0 {
		return c
	}
	if a.damaged != b.damaged {
		if a.damaged {
			return -1
		}
		return 1
	}
	return cmp.Or(cmp.Compare(len(a.path), len(b.path)), cmp.Compare(a.path, b.path))
}

// parseName reads journal-N.log and snapshot-N.json, with .damaged, .damaged.N or .tmp after.
func parseName(name string) (entry, bool) {
	var e entry
	rest, ok := strings.CutPrefix(name, "journal-")
	extension := ".log"
	if !ok {
		if rest, ok = strings.CutPrefix(name, "snapshot-"); !ok {
			return e, false
		}
		e.snapshot, extension = true, ".json"
	}
	number, suffix, ok := strings.Cut(rest, extension)
	if !ok || len(number) != 20 {
		return e, false
	}
	seq, err := strconv.ParseUint(number, 10, 64)
	if err != nil {
		return e, false
	}
	e.seq = seq
	e.damaged = suffix == damagedSuffix || strings.HasPrefix(suffix, damagedSuffix+".")
	return e, e.damaged || suffix == "" || suffix == tmpSuffix
}

// setAside renames a file so that it is kept for people and out of the way.
func setAside(path string) error {
	target := path + damagedSuffix
	for i := 2; exists(target); i++ {
		target = fmt.Sprintf("%s%s.%d", path, damagedSuffix, i)
	}
	return os.Rename(path, target)
}

func exists(path string) bool {
	_, err := os.Lstat(path)
	return err == nil
}

// syncDir makes renames and new names in dir durable.
func syncDir(dir string) error {
	d, err := os.Open(dir)
	if err != nil {
		return &WriteError{Op: "fsync", Path: dir, Err: err}
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return &WriteError{Op: "fsync", Path: dir, Err: err}
	}
	return nil
}

// segment is the file that records are appended to.
type segment struct {
	path  string
	f     file
	first uint64
	size  int64
	// empty says that it holds no record yet.
	empty bool
	// suspect says that nobody knows what of it is on disk.
	suspect bool
}

// createSegment makes a new segment with its header, on disk when it returns. A file that
// is in its way is put aside.
func createSegment(dir string, first uint64, open openFunc) (*segment, error) {
	path := filepath.Join(dir, segmentName(first))
	if exists(path) {
		if err := setAside(path); err != nil {
			return nil, &WriteError{Op: "rename", Path: path, Err: err}
		}
	}
	f, err := open(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return nil, &WriteError{Op: "create", Path: path, Err: err}
	}
	s := &segment{path: path, f: f, first: first, empty: true}
	if err := s.start(dir); err != nil {
		_ = f.Close()       // the first error is the one to tell
		_ = os.Remove(path) // what stays is put aside by the next try
		return nil, err
	}
	return s, nil
}

func (s *segment) start(dir string) error {
	line, err := headerLine(s.first)
	if err != nil {
		return err
	}
	if err := s.write(line); err != nil {
		return err
	}
	if err := s.f.Sync(); err != nil {
		return &WriteError{Op: "fsync", Path: s.path, Err: err}
	}
	return syncDir(dir)
}

// write appends whole lines; after an error the caller must cut the segment to its size.
func (s *segment) write(lines []byte) error {
	n, err := s.f.Write(lines)
	if err == nil && n < len(lines) {
		err = io.ErrShortWrite
	}
	if err != nil {
		return &WriteError{Op: "write", Path: s.path, Err: pathless(err)}
	}
	s.size += int64(n)
	return nil
}

// pathless strips the operation and path that os puts around an error.
func pathless(err error) error {
	if pe, ok := err.(*fs.PathError); ok { //nolint:errorlint // os returns it bare
		return pe.Err
	}
	return err
}
