package journal

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"syscall"
)

// ErrFull is the condition that there is no room for a record (disk full, quota, file size
// limit). The journal is whole and goes on as soon as there is room again.
var ErrFull = errors.New("no room for the journal")

// ErrClosed is returned by every method of a journal that was closed.
var ErrClosed = errors.New("journal is closed")

// WriteError says that something could not be made durable; errors.Is finds ErrFull in it
// when room is what is missing.
type WriteError struct {
	// Op is what was tried: "write", "fsync", "create", "rename", "truncate".
	Op string
	// Path is the file.
	Path string
	// Err is the system's answer.
	Err error
}

// Error names the file and says what to do.
func (e *WriteError) Error() string {
	advice := "look at the disk under it (kernel log)"
	switch {
	case e.full():
		advice = "free some space on its file system, or raise the quota or file size limit"
	case errors.Is(e.Err, syscall.EROFS):
		advice = "its file system has become read-only: look at the kernel log, mend and remount it"
	case errors.Is(e.Err, fs.ErrPermission):
		advice = fmt.Sprintf("let user id %d write there", os.Geteuid())
	}
	return fmt.Sprintf("%s journal %s: %v: %s", e.Op, e.Path, e.Err, advice)
}

// Unwrap gives the system's answer, and ErrFull when it means that there is no room.
func (e *WriteError) Unwrap() []error {
	if e.full() {
		return []error{ErrFull, e.Err}
	}
	return []error{e.Err}
}

// denied reports whether it is about the rights to the directory.
func (e *WriteError) denied() bool {
	return errors.Is(e.Err, fs.ErrPermission) || errors.Is(e.Err, syscall.EROFS)
}

func (e *WriteError) full() bool {
	return errors.Is(e.Err, syscall.ENOSPC) || errors.Is(e.Err, syscall.EDQUOT) || errors.Is(e.Err, syscall.EFBIG)
}

// VersionError says that a file was written in a format that this release does not read.
type VersionError struct {
	Path string
	// Version is the file's.
	Version int
}

// Error says what to do.
func (e *VersionError) Error() string {
	return fmt.Sprintf("read journal %s: format version %d, this release reads version %d: "+
		"start the release that wrote it, or move the directory's files away to begin with every node UNKNOWN",
		e.Path, e.Version, formatVersion)
}

// dirError explains why a directory cannot be used.
func dirError(dir string, err error) error {
	var write *WriteError
	if errors.As(err, &write) {
		err = fmt.Errorf("%s %s: %w", write.Op, write.Path, write.Err)
	}
	switch {
	case errors.Is(err, syscall.EROFS):
		return fmt.Errorf("open journal in %s: %w: remount its file system read-write, or configure another state directory", dir, err)
	case errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("open journal in %s: %w: give the directory and its files to user id %d (chown), or configure another state directory",
			dir, err, os.Geteuid())
	case errors.Is(err, syscall.ENOTDIR):
		return fmt.Errorf("open journal in %s: %w: it must be a directory: move the file away, or configure another state directory", dir, err)
	default:
		return fmt.Errorf("open journal in %s: %w", dir, err)
	}
}
