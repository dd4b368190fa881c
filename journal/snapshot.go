package journal

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"time"

	"mpp"
)

const snapshotFormat = "mpp-snapshot"

// Snapshot is everything as it was after record Seq.
type Snapshot struct {
	Format  string `json:"format"`
	Version int    `json:"version"`
	Seq     uint64 `json:"seq"`
	// At is when the snapshot was written.
	At time.Time `json:"at"`
	// Pools are as last known, in order of name; Uncertain says what of it to mistrust.
	Pools     []mpp.PoolMemory `json:"pools"`
	Events    []mpp.Event      `json:"events"`
	NextEvent uint64           `json:"next_event"`
	// LastAt is when record Seq was written, zero when there was none.
	LastAt    time.Time   `json:"last_at,omitzero"`
	Uncertain []Uncertain `json:"uncertain,omitempty"`
}

// envelope is a snapshot's file: valid JSON, with the checksum of the inner text.
type envelope struct {
	CRC32C   string          `json:"crc32c"`
	Snapshot json.RawMessage `json:"snapshot"`
}

var errSnapshot = errors.New("its checksum does not fit")

// snapshot sums the fold up.
func (f *fold) snapshot(seq uint64, now time.Time) *Snapshot {
	s := &Snapshot{
		Format: snapshotFormat, Version: formatVersion, Seq: seq, At: now,
		Pools: f.memories(), Events: f.lastEvents(), NextEvent: f.nextEvent, LastAt: f.lastAt,
	}
	_, s.Uncertain = f.restored()
	for i := range s.Uncertain {
		s.Uncertain[i].LastKnown = mpp.NodeMemory{} // Pools has it
	}
	return s
}

// unfold is the fold that a snapshot sums up.
func (s *Snapshot) unfold(keep int) *fold {
	f := newFold(keep)
	f.addEvents(s.Events)
	f.nextEvent = max(f.nextEvent, s.NextEvent)
	f.lastAt = s.LastAt
	for i := range s.Pools {
		f.pool(s.Pools[i].Name).replace(whole(s.Pools[i]))
	}
	for _, u := range s.Uncertain {
		f.pool(u.Pool).doubt(u.Node, u.Why)
	}
	return f
}

// Memory returns the pools with every uncertain node as UNKNOWN, in order of name.
func (s *Snapshot) Memory() []mpp.PoolMemory {
	pools, _ := s.unfold(1).restored()
	all := make([]mpp.PoolMemory, 0, len(pools))
	for _, name := range slices.Sorted(maps.Keys(pools)) {
		all = append(all, pools[name])
	}
	return all
}

// encodeSnapshot returns the text of a snapshot's file.
func encodeSnapshot(s *Snapshot) ([]byte, error) {
	var buf bytes.Buffer
	buf.WriteString(`{"crc32c":"00000000","snapshot":`)
	body := buf.Len()
	enc := json.NewEncoder(&buf)
	enc.SetEscapeHTML(false)
	if err := enc.Encode(s); err != nil {
		return nil, fmt.Errorf("encode snapshot: %w", err)
	}
	buf.Truncate(buf.Len() - 1) // LF
	text := buf.Bytes()
	putChecksum(text[len(`{"crc32c":"`):][:8], checksum(text[body:]))
	return append(text, "}\n"...), nil
}

// decodeSnapshot reads the text of a snapshot's file.
func decodeSnapshot(path string, text []byte) (*Snapshot, error) {
	var e envelope
	if err := json.Unmarshal(text, &e); err != nil {
		return nil, err
	}
	var want [8]byte
	putChecksum(want[:], checksum(e.Snapshot))
	if string(want[:]) != e.CRC32C {
		return nil, errSnapshot
	}
	var about struct {
		Format  string `json:"format"`
		Version int    `json:"version"`
	}
	if err := json.Unmarshal(e.Snapshot, &about); err != nil {
		return nil, err
	}
	if about.Format != snapshotFormat {
		return nil, fmt.Errorf("it is no snapshot: format %q", about.Format)
	}
	if about.Version != formatVersion {
		return nil, &VersionError{Path: path, Version: about.Version}
	}
	s := new(Snapshot)
	if err := json.Unmarshal(e.Snapshot, s); err != nil {
		return nil, err
	}
	return s, nil
}

func readSnapshot(e entry) (*Snapshot, error) {
	text, err := os.ReadFile(e.path)
	if err != nil {
		return nil, err
	}
	s, err := decodeSnapshot(e.path, text)
	if err != nil {
		return nil, err
	}
	if s.Seq != e.seq {
		return nil, fmt.Errorf("it is of record %d, not %d", s.Seq, e.seq)
	}
	return s, nil
}

// writeSnapshot puts a snapshot in place, whole or not at all; it is on disk on return.
func writeSnapshot(dir string, s *Snapshot, open openFunc) error {
	text, err := encodeSnapshot(s)
	if err != nil {
		return err
	}
	path := filepath.Join(dir, snapshotName(s.Seq))
	tmp := path + tmpSuffix
	if err := writeWhole(tmp, text, open); err != nil {
		_ = os.Remove(tmp) // the first error is the one to tell
		return err
	}
	if err := os.Rename(tmp, path); err != nil {
		_ = os.Remove(tmp)
		return &WriteError{Op: "rename", Path: path, Err: err}
	}
	return syncDir(dir)
}

func writeWhole(path string, text []byte, open openFunc) error {
	f, err := open(path, os.O_CREATE|os.O_TRUNC|os.O_WRONLY)
	if err != nil {
		return &WriteError{Op: "create", Path: path, Err: pathless(err)}
	}
	n, err := f.Write(text)
	op := "write"
	if err == nil && n < len(text) {
		err = io.ErrShortWrite
	}
	if err == nil {
		op = "fsync"
		err = f.Sync()
	}
	if cerr := f.Close(); err == nil {
		err = cerr
	}
	if err != nil {
		return &WriteError{Op: op, Path: path, Err: pathless(err)}
	}
	return nil
}
