package lab

import (
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"net/netip"
	"os"
	"path/filepath"

	"mpp/sandbox/process"
)

// recordFile is the name of the file, in a lab's folder, that other programs know the
// lab by.
const recordFile = "lab.json"

// record is what is known of a lab for as long as its folder exists. It is written before
// anything else is made.
type record struct {
	ID       string        `json:"id"`
	Owner    process.ID    `json:"owner"` // the program that made it
	Detached bool          `json:"detached"`
	Subnet   subnet        `json:"subnet"`
	Hosts    []plannedHost `json:"hosts"`
	Pools    int           `json:"pools"`
	VIP6     bool          `json:"vip6"`
	PoolName string        `json:"pool_name,omitempty"` // of the only pool; empty: lab1
	// Ready says that Up came to its end.
	Ready bool `json:"ready"`
}

// claim makes the record, and with it the folder the lab's. A folder has one lab.
func (r record) claim(dir string) error {
	path := filepath.Join(dir, recordFile)
	file, err := os.OpenFile(path, os.O_CREATE|os.O_EXCL|os.O_WRONLY, 0o600)
	if errors.Is(err, fs.ErrExist) {
		return fmt.Errorf("%w: %s", ErrThere, dir)
	}
	if err != nil {
		return fmt.Errorf("claim lab folder: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("claim lab folder: %w", err)
	}
	return r.save(dir)
}

// save writes the record, whole or not at all.
func (r record) save(dir string) error {
	text, err := json.MarshalIndent(r, "", "  ")
	if err != nil {
		return fmt.Errorf("save lab record: %w", err)
	}
	part := filepath.Join(dir, recordFile+".part")
	if err := os.WriteFile(part, append(text, '\n'), 0o600); err != nil {
		return fmt.Errorf("save lab record: %w", err)
	}
	if err := os.Rename(part, filepath.Join(dir, recordFile)); err != nil {
		return fmt.Errorf("save lab record: %w", err)
	}
	return nil
}

func loadRecord(dir string) (record, error) {
	text, err := os.ReadFile(filepath.Join(dir, recordFile))
	if errors.Is(err, fs.ErrNotExist) {
		return record{}, fmt.Errorf("%w in %s", ErrNone, dir)
	}
	if err != nil {
		return record{}, fmt.Errorf("load lab record: %w", err)
	}
	var r record
	if err := json.Unmarshal(text, &r); err != nil {
		return record{}, fmt.Errorf("load lab record of %s: %w", dir, err)
	}
	return r, nil
}

// poolName is the name of a pool, counted from 1.
func (r record) poolName(p int) string {
	if r.PoolName != "" {
		return r.PoolName
	}
	return poolName(p)
}

// vip4 and vip6 are a pool's virtual addresses.
func (s subnet) vip4(pool int) netip.Addr { return s.address4(pool, vipNode) }
func (s subnet) vip6(pool int) netip.Addr { return s.address6(pool, vipNode) }
