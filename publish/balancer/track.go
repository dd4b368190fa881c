package balancer

import (
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"time"

	"mpp"
	"mpp/publish/answer"
)

// The contents of track files, as keepalived understands them.
const (
	trackOK    = "0\n"
	trackFault = "1\n"
)

// TrackFiles keeps one file for each node and role, named POOL.NODE.ROLE, such as
// db1.10.0.0.1_3306.writer, that holds 0 while the node may be used and 1 while not.
// NewTrackFiles makes one.
type TrackFiles struct {
	dir   string
	files map[string]tracked // by name
	list  string             // what OnStop holds
}

// OnStop is the file that lists the track files to be turned to 1 once the daemon is gone,
// one a line: for the script track-fault, which systemd runs also after a kill -9.
const OnStop = ".on-stop"

type tracked struct {
	value string // what the file holds, "" when it could not be written
	// lastKnown says that the value stays when the daemon stops.
	lastKnown bool
}

// NewTrackFiles prepares the folder, which must be for track files only. Those that are there
// already are brought in step by the first Write, like all others.
func NewTrackFiles(dir string) (*TrackFiles, error) {
	if err := create(dir); err != nil {
		return nil, fmt.Errorf("create folder of track files: %w", err)
	}
	t := &TrackFiles{dir: dir, files: map[string]tracked{}}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return nil, fmt.Errorf("list track files: %w", err)
	}
	for _, e := range entries {
		if isTrackFile(e.Name()) {
			t.files[e.Name()] = tracked{}
		}
	}
	return t, nil
}

// create makes a folder that others may read, whatever the umask; one that is there is left as
// it is.
func create(dir string) error {
	if err := os.MkdirAll(filepath.Dir(dir), 0o755); err != nil {
		return err
	}
	err := os.Mkdir(dir, 0o755)
	if errors.Is(err, fs.ErrExist) {
		return nil
	}
	if err != nil {
		return err
	}
	return os.Chmod(dir, 0o755)
}

func isTrackFile(name string) bool {
	for _, role := range answer.Roles() {
		if strings.HasSuffix(name, "."+string(role)) && !strings.HasPrefix(name, ".") {
			return true
		}
	}
	return false
}

// TrackName returns the name of a node's file.
func TrackName(pool, node string, role mpp.Role) string {
	clean := strings.NewReplacer(":", "_", "[", "", "]", "", "/", "_", "%", "_").Replace(node)
	return pool + "." + clean + "." + string(role)
}

// Write brings the files in step with the view; only changes are written. Files of nodes that
// are gone are set to 1 and left, because keepalived may still watch them; those of a pool
// that is not ready are left as they are. An error lists what could not be written; it is tried again at the next Write.
func (t *TrackFiles) Write(view *mpp.View, now time.Time) error {
	if view == nil {
		return nil
	}
	seen := make(map[string]bool, len(t.files))
	var errs []error
	for i := range view.Pools {
		p := &view.Pools[i]
		for j := range p.Nodes {
			for _, role := range answer.Roles() {
				name := TrackName(p.Name, p.Nodes[j].Address, role)
				seen[name] = true
				errs = append(errs, t.set(name, t.want(name, p, &p.Nodes[j], role, now)))
			}
		}
	}
	for name := range t.files {
		if !seen[name] {
			errs = append(errs, t.set(name, tracked{value: trackFault}))
		}
	}
	return errors.Join(append(errs, t.note())...)
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

// Stop turns the files to 1, because after it nobody watches the nodes any more. Those of
// pools with when_stale = "last_known" stay as they are.
func (t *TrackFiles) Stop() error {
	var errs []error
	for name, f := range t.files {
		if !f.lastKnown {
			errs = append(errs, t.set(name, tracked{value: trackFault}))
		}
	}
	return errors.Join(errs...)
}

// set writes a file if it has to change: whole, by rename.
func (t *TrackFiles) set(name string, want tracked) error {
	if is := t.files[name]; is.value == want.value {
		t.files[name] = want
		return nil
	}
	if err := t.replace(name, want.value); err != nil {
		t.files[name] = tracked{lastKnown: want.lastKnown}
		return err
	}
	t.files[name] = want
	return nil
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
