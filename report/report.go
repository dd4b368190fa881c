// Package report keeps the reports of operations that have ended: failovers, switchovers,
// repairs. Each is a file of JSON below the state directory, written whole before the journal
// forgets the operation, so that none is lost when the manager dies in between.
//
// A Store owns its folder. Keep blocks for the disk; List and Get read files. Its methods may be
// called by several goroutines. To test with it, give New a temporary folder.
package report

import (
	"cmp"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"sync"

	"mpp"
)

// kept is how many reports of a pool are kept.
const kept = 1000

// Store is a folder of reports.
type Store struct {
	dir string
	mu  sync.Mutex // of writing
}

// New returns the store in a folder, which it makes when the first report is kept.
func New(dir string) *Store { return &Store{dir: dir} }

// Keep writes the report of an operation, in the place of an earlier one of that number.
func (s *Store) Keep(op *mpp.Operation) error {
	s.mu.Lock()
	defer s.mu.Unlock()
	dir := s.folder(op.Pool)
	if err := os.MkdirAll(dir, 0o750); err != nil {
		return fmt.Errorf("make folder of reports: %w", err)
	}
	text, err := json.MarshalIndent(op, "", " ")
	if err != nil {
		return fmt.Errorf("encode report: %w", err)
	}
	if err := replace(filepath.Join(dir, fileName(op.ID)), append(text, '\n')); err != nil {
		return fmt.Errorf("write report: %w", err)
	}
	return s.trim(dir)
}

// replace writes a file whole or not at all.
func replace(path string, text []byte) (err error) {
	f, err := os.CreateTemp(filepath.Dir(path), ".report-*")
	if err != nil {
		return err
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, os.Remove(f.Name()))
		}
	}()
	_, err = f.Write(text)
	err = errors.Join(err, f.Sync(), f.Close())
	if err == nil {
		err = os.Rename(f.Name(), path)
	}
	return err
}

func (s *Store) folder(pool string) string { return filepath.Join(s.dir, pool) }

func fileName(id uint64) string { return fmt.Sprintf("%08d.json", id) }

// trim removes the oldest reports beyond those that are kept.
func (s *Store) trim(dir string) error {
	ids, err := numbers(dir)
	if err != nil {
		return err
	}
	for _, id := range ids[:max(0, len(ids)-kept)] {
		if err := os.Remove(filepath.Join(dir, fileName(id))); err != nil {
			return fmt.Errorf("remove old report: %w", err)
		}
	}
	return nil
}

// numbers lists the reports in a folder, the oldest first.
func numbers(dir string) ([]uint64, error) {
	entries, err := os.ReadDir(dir)
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("list reports: %w", err)
	}
	var ids []uint64
	for _, e := range entries {
		name, found := strings.CutSuffix(e.Name(), ".json")
		if id, err := strconv.ParseUint(name, 10, 64); err == nil && found {
			ids = append(ids, id)
		}
	}
	slices.Sort(ids)
	return ids, nil
}

// List returns the reports of a pool, the newest first, at most limit of them; 0 means all. An
// empty pool means every pool.
func (s *Store) List(pool string, limit int) ([]mpp.Operation, error) {
	pools := []string{pool}
	if pool == "" {
		entries, err := os.ReadDir(s.dir)
		if err != nil && !errors.Is(err, fs.ErrNotExist) {
			return nil, fmt.Errorf("list reports: %w", err)
		}
		pools = nil
		for _, e := range entries {
			pools = append(pools, e.Name())
		}
	}
	list := []mpp.Operation{}
	for _, name := range pools {
		ids, err := numbers(s.folder(name))
		if err != nil {
			return nil, err
		}
		if limit > 0 && len(ids) > limit {
			ids = ids[len(ids)-limit:]
		}
		for _, id := range ids {
			op, err := s.read(name, id)
			if err != nil {
				return nil, err
			}
			list = append(list, op)
		}
	}
	slices.SortStableFunc(list, func(a, b mpp.Operation) int {
		return cmp.Or(b.Began.Compare(a.Began), cmp.Compare(b.ID, a.ID))
	})
	if limit > 0 && len(list) > limit {
		list = list[:limit]
	}
	return list, nil
}

// Get returns one report; false when there is none.
func (s *Store) Get(pool string, id uint64) (mpp.Operation, bool, error) {
	op, err := s.read(pool, id)
	if errors.Is(err, fs.ErrNotExist) {
		return op, false, nil
	}
	return op, err == nil, err
}

func (s *Store) read(pool string, id uint64) (mpp.Operation, error) {
	var op mpp.Operation
	text, err := os.ReadFile(filepath.Join(s.folder(pool), fileName(id)))
	if err == nil {
		err = json.Unmarshal(text, &op)
	}
	if err != nil {
		return op, fmt.Errorf("read report %d of pool %s: %w", id, pool, err)
	}
	return op, nil
}
