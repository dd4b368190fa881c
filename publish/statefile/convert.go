package statefile

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mpp"
	"mpp/publish/answer"
	"mpp/publish/statefile/format"
)

// convert turns a pool's view into what its file holds.
func (w *Writer) convert(f *file, p *mpp.PoolView, at Moment) format.Pool {
	next := format.Pool{
		Name: p.Name, Boot: w.boot, Written: int64(at.Boot), StaleAfter: int64(p.StaleAfter),
		LastKnown: p.WhenStale == mpp.StaleLastKnown, Status: p.Status.String(), Trouble: answer.OneLine(p.Trouble),
		Maintenance: p.Maintenance.InForce(at.Now), Message: answer.OneLine(p.Message), Nodes: make([]format.Node, len(p.Nodes)),
	}
	before := f.polled
	f.polled = make(map[string]polled, len(p.Nodes))
	for i := range p.Nodes {
		n := &p.Nodes[i]
		when, known := before[n.Address]
		if !known || !when.last.Equal(n.LastPoll) {
			when = polled{n.LastPoll, polledAt(n.LastPoll, at)}
		}
		f.polled[n.Address] = when
		next.Nodes[i] = node(p, n, when.boot)
	}
	return next
}

// polledAt is the boot time of a poll that started at last; 0 for never, and for a time that
// cannot be: in the future, or before the host started.
func polledAt(last time.Time, at Moment) int64 {
	if last.IsZero() {
		return 0
	}
	age := at.Now.Sub(last)
	if age < 0 || age >= at.Boot {
		return 0
	}
	return int64(at.Boot - age)
}

func node(p *mpp.PoolView, n *mpp.NodeView, when int64) format.Node {
	f := format.Node{
		Address: n.Address, Type: string(n.Type), State: string(n.State), Reason: string(n.Reason), Status: n.Status.String(),
		Errors: int64(n.Errors), Evaluation: string(n.Evaluation), Polled: when, Took: int64(n.Took), Lag: -1,
		Message: answer.OneLine(n.Message),
		Writer:  fresh(p, n, mpp.RoleWriter), Reader: fresh(p, n, mpp.RoleReader), OK: fresh(p, n, mpp.RoleOK),
	}
	if o := n.Observation; o != nil && o.LagKnown {
		f.Lag = int64(o.Lag)
	}
	return f
}

// fresh is the pool's answer at the very moment of the poll. What becomes of it with age is
// decided when it is read.
func fresh(p *mpp.PoolView, n *mpp.NodeView, role mpp.Role) format.Answer {
	a := p.Answer(n, role, n.LastPoll)
	return format.Answer{Up: a.Up, Reason: answer.OneLine(a.Reason)}
}

// writeIndex writes the index when it changed. It comes after the files that it points to.
func (w *Writer) writeIndex(view *mpp.View) error {
	x := format.Index{Boot: w.boot}
	for i := range view.Pools {
		for j := range view.Pools[i].Nodes {
			x.Entries = append(x.Entries, format.Entry{Address: view.Pools[i].Nodes[j].Address, Pool: view.Pools[i].Name})
		}
	}
	w.buf = x.Append(w.buf[:0])
	if bytes.Equal(w.buf, w.index) {
		return nil
	}
	w.index = w.index[:0]
	if err := w.replace(format.IndexName, w.buf); err != nil {
		return fmt.Errorf("write index of state files: %w", err)
	}
	w.index = append(w.index, w.buf...)
	return nil
}

// forget removes the files of pools that are gone, also those of a daemon before this one.
func (w *Writer) forget(seen map[string]bool) error {
	for name := range w.pools {
		if !seen[name] {
			delete(w.pools, name)
			w.swept = false
		}
	}
	if w.swept {
		return nil
	}
	err := w.sweep(func(name string) bool { // of the names with the suffix only: the lock stays
		pool, isState := strings.CutSuffix(name, format.Suffix)
		return isState && !seen[pool]
	})
	w.swept = err == nil
	return err
}

// temporary begins the names of files that are not whole yet.
const temporary = ".new-"

// sweep removes the files whose names are unwanted.
func (w *Writer) sweep(unwanted func(name string) bool) error {
	entries, err := os.ReadDir(w.dir)
	if err != nil {
		return fmt.Errorf("list state files: %w", err)
	}
	var errs []error
	for _, e := range entries {
		if !unwanted(e.Name()) {
			continue
		}
		if err := os.Remove(filepath.Join(w.dir, e.Name())); err != nil && !errors.Is(err, fs.ErrNotExist) {
			errs = append(errs, fmt.Errorf("remove old state file: %w", err))
		}
	}
	return errors.Join(errs...)
}

// replace puts a whole file in the place of another.
func (w *Writer) replace(name string, data []byte) error {
	half := filepath.Join(w.dir, temporary+name)
	err := os.WriteFile(half, data, 0o644)
	if err == nil {
		err = os.Chmod(half, 0o644) // whatever the umask: balancers read it
	}
	if err == nil {
		err = os.Rename(half, filepath.Join(w.dir, name))
	}
	if err != nil {
		_ = os.Remove(half)
	}
	return err
}
