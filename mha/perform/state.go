package perform

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"time"

	"golang.org/x/sys/unix"

	"mpp/mha/hook"
)

// record is a planned switch between its two calls, as the state folder keeps it.
type record struct {
	Progress hook.Progress `json:"progress"`
	// Orig and New are the nodes.
	Orig string `json:"orig"`
	New  string `json:"new"`
	// Begun are the steps to take back.
	Begun hook.Begun `json:"begun,omitempty"`
	// Hook is the call that wrote this, Follower the process that sees to it when MHA ends.
	Hook     process   `json:"hook"`
	Follower process   `json:"follower"`
	At       time.Time `json:"at"`
}

// state is the file of the switches of one old master.
type state struct{ path string }

// stateDir is where states are: for root a folder that is gone after a reboot, as is what it tells of.
func stateDir(o *hook.Options) string {
	switch {
	case o.StateDir != "":
		return o.StateDir
	case os.Getuid() == 0:
		return "/run/mpp-mha"
	default:
		return filepath.Join(os.TempDir(), "mpp-mha-"+strconv.Itoa(os.Getuid()))
	}
}

func stateOf(r *hook.Request) state {
	return state{filepath.Join(stateDir(&r.Options), plain(r.Orig.Address())+".json")}
}

// plain is a name that a file can have.
func plain(name string) string {
	return strings.Map(func(c rune) rune {
		if strings.ContainsRune("/\\ \x00", c) {
			return '_'
		}
		return c
	}, name)
}

// lockLimit bounds the wait for the lock, which nobody holds for longer than it takes to write a
// file.
const lockLimit = 2 * time.Second

// change changes the record under the lock. do gets the record as it is, the zero one where there is
// none, and returns false to leave it.
func (s state) change(do func(*record) bool) error {
	if err := s.prepare(); err != nil {
		return fmt.Errorf("note how far the switch is: %w", err)
	}
	lock, err := os.OpenFile(s.path+".lock", os.O_CREATE|os.O_RDWR|unix.O_NOFOLLOW, 0o600)
	if err != nil {
		return fmt.Errorf("note how far the switch is: %w", err)
	}
	defer func() { _ = lock.Close() }()
	if err := flock(lock); err != nil {
		return fmt.Errorf("note how far the switch is: lock %s: %w", lock.Name(), err)
	}
	r, err := s.read()
	if err != nil || !do(&r) {
		return err
	}
	return s.write(&r)
}

func (s state) prepare() error { return ownFolder(filepath.Dir(s.path)) }

// ownFolder makes a folder, which must be nobody else's: whoever could write there could have a
// switch undone.
func ownFolder(dir string) error {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	var st unix.Stat_t
	if err := unix.Lstat(dir, &st); err != nil {
		return &fs.PathError{Op: "lstat", Path: dir, Err: err}
	}
	if st.Mode&unix.S_IFMT != unix.S_IFDIR || int(st.Uid) != os.Getuid() || st.Mode&0o022 != 0 {
		return fmt.Errorf("%s is not a folder of this user that nobody else can write to", dir)
	}
	return nil
}

// flock waits for a lock for a moment.
func flock(f *os.File) error {
	end := time.Now().Add(lockLimit)
	for {
		err := unix.Flock(int(f.Fd()), unix.LOCK_EX|unix.LOCK_NB)
		if !errors.Is(err, unix.EWOULDBLOCK) && !errors.Is(err, unix.EINTR) || time.Now().After(end) {
			return err
		}
		timer := time.NewTimer(5 * time.Millisecond)
		<-timer.C
	}
}

// read reads the record, the zero one where there is none, or none that can be read.
func (s state) read() (record, error) {
	text, err := os.ReadFile(s.path)
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, nil
	}
	if err != nil {
		return record{}, fmt.Errorf("read how far the switch is: %w", err)
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return record{}, nil //nolint:nilerr // half a file tells nothing, as none does
	}
	return r, nil
}

func (s state) write(r *record) error {
	text, err := json.Marshal(r)
	if err != nil {
		return fmt.Errorf("encode how far the switch is: %w", err)
	}
	next := s.path + ".new"
	if err := os.WriteFile(next, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("note how far the switch is: %w", err)
	}
	if err := os.Rename(next, s.path); err != nil {
		return fmt.Errorf("note how far the switch is: %w", err)
	}
	return nil
}

// forget removes the record of a switch that is over, if it is still that of its follower: there may be
// another switch already. The lock stays, for who waits for it.
func (s state) forget(follower process) {
	_ = s.change(func(r *record) bool {
		if r.Follower == follower {
			_ = os.Remove(s.path)
		}
		return false
	})
}
