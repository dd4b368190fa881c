package journal

import (
	"errors"
	"io/fs"
	"os"
)

// peekTries bounds how often a reader begins again beside a daemon that drops files.
const peekTries = 20

// Open opens the journal in dir, which is made (mode 0750) when it is missing, and gives
// back what is remembered. Damage is not an error: it is told in Restored, and the damaged
// files are put aside. A format of another version is a *VersionError. Only the holder of
// the directory's lease may open it.
func Open(dir string, o Options) (*Journal, Restored, error) {
	return openWith(dir, o, openOS)
}

func openWith(dir string, o Options, open openFunc) (*Journal, Restored, error) {
	o = o.withDefaults()
	if err := os.MkdirAll(dir, dirPerm); err != nil {
		return nil, Restored{}, dirError(dir, err)
	}
	l, err := load(dir, o.EventsKept)
	if err != nil {
		return nil, Restored{}, openError(dir, err)
	}
	restored := l.restored()
	j := &Journal{dir: dir, o: o, open: open, fold: l.fold, next: l.last + 1, tail: l.tail}
	if err := j.takeUp(l); err != nil {
		if j.live != nil {
			_ = j.live.f.Close() // the first error is the one to tell
		}
		return nil, Restored{}, openError(dir, err)
	}
	j.end = openEnd(dir)
	j.end.set(0) // what was lost is told once; from here on the journal itself shows the gap
	j.prune()
	return j, restored, nil
}

func openError(dir string, err error) error {
	var version *VersionError
	if errors.As(err, &version) {
		return err
	}
	var write *WriteError
	if errors.As(err, &write) && !write.denied() {
		return err
	}
	return dirError(dir, err)
}

// Peek gives back what Open would, and changes nothing. Beside a daemon that writes, a note
// about a last line that was cut short means nothing.
func Peek(dir string, o Options) (Restored, error) {
	l, err := load(dir, o.withDefaults().EventsKept)
	for try := 0; errors.Is(err, fs.ErrNotExist) && try < peekTries; try++ {
		l, err = load(dir, o.withDefaults().EventsKept) // a file was dropped between listing and reading
	}
	if err != nil {
		return Restored{}, openError(dir, err)
	}
	return l.restored(), nil
}

func (l *loader) restored() Restored {
	r := Restored{
		Fresh: l.fresh, Clean: l.fresh || (l.fold.closed && len(l.damage) == 0),
		Events: l.fold.lastEvents(), NextEventSeq: l.fold.nextEvent,
		LastSeq: l.last, LastAt: l.fold.lastAt,
		Damage: l.damage, Notes: l.notes,
	}
	r.Pools, r.Uncertain = l.fold.restored()
	return r
}

// takeUp makes the directory ready for the next record.
func (j *Journal) takeUp(l *loader) error {
	for _, path := range l.tmp {
		if err := os.Remove(path); err != nil {
			return err
		}
	}
	if l.fresh {
		return j.rebuild()
	}
	if len(l.damage) > 0 {
		for _, path := range l.broken {
			if err := setAside(path); err != nil {
				return err
			}
			l.hasLive = l.hasLive && path != l.live.path
		}
		if err := syncDir(j.dir); err != nil {
			return err
		}
	}
	if l.hasLive {
		if err := j.reopen(l); err != nil {
			return err
		}
	}
	if len(l.damage) > 0 {
		return j.rebuild()
	}
	if j.live == nil {
		return j.newSegment()
	}
	return nil
}

// reopen goes on with the last segment, without what was cut short at its end.
func (j *Journal) reopen(l *loader) error {
	f, err := j.open(l.live.path, os.O_WRONLY|os.O_APPEND)
	if err != nil {
		return &WriteError{Op: "open", Path: l.live.path, Err: pathless(err)}
	}
	j.live = &segment{path: l.live.path, f: f, first: l.live.seq, size: l.liveSize, empty: !l.liveRecords}
	if l.liveSize == l.live.size {
		return nil
	}
	if err := f.Truncate(l.liveSize); err != nil {
		return &WriteError{Op: "truncate", Path: l.live.path, Err: pathless(err)}
	}
	if err := f.Sync(); err != nil {
		return &WriteError{Op: "fsync", Path: l.live.path, Err: pathless(err)}
	}
	return nil
}
