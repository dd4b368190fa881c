package daemon

import (
	"fmt"
	"time"

	"golang.org/x/sys/unix"

	"mpp"
)

// leastRoom is how many bytes must be free where the journal is: what a failover writes, some times over.
const leastRoom = 64 << 10

// noRoom says that a folder's disk is full, "" when it is not or cannot be asked.
func noRoom(dir string) string {
	var s unix.Statfs_t
	if err := unix.Statfs(dir, &s); err != nil {
		return ""
	}
	switch free := s.Bavail * uint64(s.Bsize); {
	case s.Blocks > 0 && free < leastRoom:
		return fmt.Sprintf("the disk of the state directory %s is full (%d kB are free)", dir, free>>10)
	case s.Files > 0 && s.Ffree == 0:
		return fmt.Sprintf("the file system of the state directory %s has no inode left", dir)
	default:
		return ""
	}
}

// checkRoom sees whether the journal could be written, before somebody needs it: on a quiet day nothing
// is written for hours.
func (l *loop) checkRoom(now time.Time) {
	is := ""
	if l.stateDir != "" {
		is = noRoom(l.stateDir)
	}
	if (is == "") == (l.full == "") {
		return
	}
	l.full = is
	e := mpp.Event{At: now, Kind: mpp.EventDaemon, Severity: mpp.OK, Rule: "journal", Text: "the disk of the state directory has room again"}
	if is != "" {
		e.Severity = mpp.Critical
		e.Text = is + "; MPP goes on judging, and no failover begins until that is mended: a restart would forget who was promoted"
	}
	l.showTrouble()
	l.tell(e)
}
