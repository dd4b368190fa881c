package local

import (
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"
)

// nextEpoch returns one more than the highest epoch that is written down. When something was
// written that cannot be read, it goes on from the clock: epochs that grow by one a start
// are never as high as the number of seconds since 1970.
func (l *Lease) nextEpoch(now time.Time) (epoch uint64, note string, err error) {
	kept, keptErr := readEpoch(l.dir)
	holder, holderErr := readHolder(l.file)
	if keptErr != nil && !unreadable(keptErr) && !errors.Is(keptErr, fs.ErrNotExist) {
		return 0, "", keptErr
	}
	epoch = max(kept, holder.Epoch) + 1
	none := errors.Is(keptErr, fs.ErrNotExist) && errors.Is(holderErr, io.EOF)
	if keptErr == nil || none || (holderErr == nil && !unreadable(keptErr)) {
		return epoch, "", nil
	}
	epoch = max(epoch, uint64(max(now.Unix(), 1)))
	path := filepath.Join(l.dir, epochName)
	return epoch, fmt.Sprintf("%s could not be read (%v): epochs go on from the clock, at %d", path, keptErr, epoch), nil
}

// epochError says that the epoch's file holds something else.
type epochError struct{ text string }

func (e *epochError) Error() string { return fmt.Sprintf("it holds %.40q, not a number", e.text) }

func unreadable(err error) bool {
	var e *epochError
	return errors.As(err, &e)
}

func readEpoch(dir string) (uint64, error) {
	text, err := os.ReadFile(filepath.Join(dir, epochName))
	if err != nil {
		return 0, err
	}
	epoch, err := strconv.ParseUint(strings.TrimSpace(string(text)), 10, 64)
	if err != nil || epoch == 0 || epoch == 1<<64-1 {
		return 0, &epochError{string(text)}
	}
	return epoch, nil
}

// writeEpoch replaces the epoch's file, whole or not at all.
func writeEpoch(dir string, epoch uint64) error {
	path := filepath.Join(dir, epochName)
	tmp := path + ".tmp"
	if err := writeSynced(tmp, strconv.FormatUint(epoch, 10)+"\n"); err != nil {
		_ = os.Remove(tmp) // the first error is the one to tell
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		_ = os.Remove(tmp)
		return err
	}
	d, err := os.Open(dir)
	if err != nil {
		return err
	}
	err = d.Sync()
	if cerr := d.Close(); err == nil {
		err = cerr
	}
	return err
}

func writeSynced(path, text string) error {
	f, err := os.OpenFile(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY, filePerm)
	if err != nil {
		return err
	}
	_, err = f.WriteString(text)
	if err == nil {
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	return err
}
