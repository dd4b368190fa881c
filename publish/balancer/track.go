package balancer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"syscall"
	"time"

	"mpp"
	"mpp/publish/answer"
	"mpp/publish/folder"
)

// The contents of track files, as keepalived understands them.
const (
	trackOK    = "0\n"
	trackFault = "1\n"
)

// checkEvery is how often is looked whether somebody has removed track files.
const checkEvery = time.Second

// TrackFiles keeps one file for each node and role, named POOL.NODE.ROLE, such as
// shop.10.0.0.1_3306.writer, that holds 0 while the node may be used and 1 while not.
// NewTrackFiles makes one, Stop ends it.
type TrackFiles struct {
	dir   string
	hold  *folder.Folder
	files map[string]tracked // by name
	list  string             // what OnStop holds
	// checked is when was looked what is there, zero for never or to look again, and lost why
	// the folder was not ours then.
	checked time.Time
	lost    error
	written bool // Write was called: the files are as we want them
}

// OnStop is the file that lists the track files to be turned to 1 once the daemon is gone,
// one a line: for the script track-fault, which systemd runs also after a kill -9.
const OnStop = ".on-stop"

type tracked struct {
	value string // what the file holds, "" when it could not be written
	// lastKnown says that the value stays when the daemon stops.
	lastKnown bool
}

// NewTrackFiles takes the folder, which must be for track files only; when another daemon uses
// it, the error says so. Files that are there already are brought in step by the first Write,
// like all others.
func NewTrackFiles(dir string) (*TrackFiles, error) {
	hold, err := folder.Take(dir)
	if err != nil {
		return nil, fmt.Errorf("prepare track files: %w", err)
	}
	t := &TrackFiles{dir: dir, hold: hold, files: map[string]tracked{}}
	there, err := t.listed()
	if err != nil {
		hold.Release()
		return nil, err
	}
	for name := range there {
		if isTrackFile(name) {
			t.files[name] = tracked{}
		}
	}
	return t, nil
}

// listed returns the names that are in the folder.
func (t *TrackFiles) listed() (map[string]bool, error) {
	d, err := os.Open(t.dir)
	if err != nil {
		return nil, fmt.Errorf("list track files: %w", err)
	}
	defer func() { _ = d.Close() }() // only read
	names, err := d.Readdirnames(-1)
	if err != nil {
		return nil, fmt.Errorf("list track files: %w", err)
	}
	there := make(map[string]bool, len(names))
	for _, name := range names {
		there[name] = true
	}
	return there, nil
}

func isTrackFile(name string) bool {
	for _, role := range answer.Roles() {
		if strings.HasSuffix(name, "."+string(role)) && !strings.HasPrefix(name, ".") {
			return true
		}
	}
	return false
}

// Write brings the files in step with the view; only changes are written, and what somebody
// removed is written again within a second or so. Files of nodes that are gone are set to 1 and
// left, because keepalived may still watch them; those of a pool that is not ready are left as
// they are. A file that two nodes would share by their names is 1, because it can be right for
// one of them only. An error lists what is wrong; it is tried again at the next Write.
func (t *TrackFiles) Write(view *mpp.View, now time.Time) error {
	if view == nil {
		return nil
	}
	if err := t.check(now); err != nil {
		return err
	}
	t.written = true
	wishes, errs := t.wishes(view, now)
	for i := range wishes {
		errs = append(errs, t.set(wishes[i].name, wishes[i].tracked))
	}
	return errors.Join(append(errs, t.note())...)
}

// wish is what a file should be, and whose it is; pool and node are empty for a file whose node
// is gone.
type wish struct {
	tracked
	name, pool, node string
}

// wishes lists what every file should be, and tells which nodes would share one.
func (t *TrackFiles) wishes(view *mpp.View, now time.Time) ([]wish, []error) {
	all := make([]wish, 0, len(t.files))
	index := make(map[string]int, len(t.files))
	var errs []error
	for i := range view.Pools {
		p := &view.Pools[i]
		for j := range p.Nodes {
			n := &p.Nodes[j]
			for k, role := range answer.Roles() {
				name := mpp.TrackFile(p.Name, n.Address) + "." + string(role)
				at, taken := index[name]
				if !taken {
					index[name] = len(all)
					all = append(all, wish{t.want(name, p, n, role, now), name, p.Name, n.Address})
					continue
				}
				all[at].tracked = tracked{value: trackFault}
				if k == 0 { // telling it for one role is enough
					errs = append(errs, fmt.Errorf("node %s of pool %s and node %s of pool %s would share the track file %s, which holds 1 therefore: rename one of the pools",
						all[at].node, all[at].pool, n.Address, p.Name, name))
				}
			}
		}
	}
	var gone []string
	for name := range t.files {
		if _, there := index[name]; !there {
			gone = append(gone, name)
		}
	}
	slices.Sort(gone)
	for _, name := range gone {
		all = append(all, wish{tracked: tracked{value: trackFault}, name: name})
	}
	return all, errs
}

// check looks now and then whether the folder is still ours, and which files somebody removed.
// An error says that nothing may be written.
func (t *TrackFiles) check(now time.Time) error {
	if since := now.Sub(t.checked); !t.checked.IsZero() && since >= 0 && since < checkEvery {
		return t.lost
	}
	t.checked = now
	_, err := t.hold.Renew()
	var there map[string]bool
	if err == nil {
		there, err = t.listed()
	}
	if t.lost = err; err != nil {
		t.lost = fmt.Errorf("write track files: %w", err)
		return t.lost
	}
	for name, f := range t.files {
		if !there[name] {
			t.files[name] = tracked{lastKnown: f.lastKnown}
		}
	}
	if !there[OnStop] {
		t.list = ""
	}
	return nil
}

// want is what the file of a node and role should be.
func (t *TrackFiles) want(name string, p *mpp.PoolView, n *mpp.NodeView, role mpp.Role, now time.Time) tracked {
	f := tracked{value: trackFault, lastKnown: p.WhenStale == mpp.StaleLastKnown}
	switch {
	case !p.Ready:
		f.value = t.files[name].value
	case answer.Of(p, n, role, now).Up:
		f.value = trackOK
	}
	return f
}

// note keeps the list of what has to turn after the daemon's end.
func (t *TrackFiles) note() error {
	var names []string
	for name, f := range t.files {
		if !f.lastKnown {
			names = append(names, name+"\n")
		}
	}
	slices.Sort(names)
	list := strings.Join(names, "")
	if list == t.list {
		return nil
	}
	if err := t.replace(OnStop, list); err != nil {
		return err
	}
	t.list = list
	return nil
}

// Stop turns the files to 1, because after it nobody watches the nodes any more, and gives the
// folder back. Those of pools with when_stale = "last_known" stay as they are. Before the first
// Write, and when the folder is another daemon's by now, it changes no file.
func (t *TrackFiles) Stop() error {
	defer t.hold.Release()
	if !t.written {
		return nil
	}
	t.checked = time.Time{}
	if err := t.check(time.Now()); err != nil {
		return err
	}
	var errs []error
	for name, f := range t.files {
		if !f.lastKnown {
			errs = append(errs, t.set(name, tracked{value: trackFault}))
		}
	}
	return errors.Join(errs...)
}

// set writes a file if it has to change: whole, by rename, or else in place.
func (t *TrackFiles) set(name string, want tracked) error {
	if is := t.files[name]; is.value == want.value {
		t.files[name] = want
		return nil
	}
	err := t.replace(name, want.value)
	if err != nil && t.overwrite(name, want.value) == nil {
		err = nil // the disk is full, say: the file says what it must all the same
	}
	if err != nil {
		t.files[name] = tracked{lastKnown: want.lastKnown}
		t.checked = time.Time{} // perhaps the folder is gone
		return err
	}
	t.files[name] = want
	return nil
}

// overwrite changes a file where it is. All values are of one length, so that this needs no
// room; keepalived sees it as it sees a rename.
func (t *TrackFiles) overwrite(name, text string) error {
	f, err := os.OpenFile(filepath.Join(t.dir, name), os.O_WRONLY|syscall.O_NOFOLLOW|syscall.O_NONBLOCK, 0)
	if err != nil {
		return err
	}
	info, err := f.Stat()
	if err == nil && (!info.Mode().IsRegular() || info.Size() != int64(len(text))) {
		err = errors.New("it is no track file")
	}
	if err == nil {
		_, err = f.WriteAt([]byte(text), 0)
	}
	if closing := f.Close(); err == nil {
		err = closing
	}
	return err
}

// replace puts a whole file in the place of another.
func (t *TrackFiles) replace(name, text string) error {
	path, half := filepath.Join(t.dir, name), filepath.Join(t.dir, "."+name+".new")
	err := os.WriteFile(half, []byte(text), 0o644)
	if err == nil {
		err = os.Chmod(half, 0o644) // whatever the umask: keepalived reads it
	}
	if err == nil {
		err = os.Rename(half, path)
	}
	if err == nil {
		return nil
	}
	if removal := os.Remove(half); removal != nil && !errors.Is(removal, fs.ErrNotExist) {
		err = errors.Join(err, removal)
	}
	return fmt.Errorf("write track file %s: %w", path, err)
}
