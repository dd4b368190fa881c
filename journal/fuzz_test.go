package journal

import (
	"bytes"
	"errors"
	"io"
	"os"
	"path/filepath"
	"testing"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"

	"mpp"
)

func FuzzDecodeRecord(f *testing.F) {
	var buf bytes.Buffer
	for i := uint64(1); i < 25; i += 7 {
		buf.Reset()
		r := nth(i)
		r.Seq = i
		if err := appendLine(&buf, &r); err != nil {
			f.Fatal(err)
		}
		f.Add(bytes.Clone(buf.Bytes()), false)
		f.Add(buf.Bytes()[prefix:], true)
	}
	f.Add([]byte(`{"seq":1,"at":"2026-01-01T00:00:00Z","nodes":[{"status":"SO-SO"}]}`), true)
	f.Fuzz(func(t *testing.T, line []byte, sealed bool) {
		if sealed { // give it a right checksum, to reach what is behind it
			line = append([]byte("00000000 "), line...)
			putChecksum(line[:8], checksum(line[prefix:]))
		}
		r, err := decodeRecord(line)
		if err != nil {
			return
		}
		newFold(3).apply(r)
		var again bytes.Buffer
		if err := appendLine(&again, r); err != nil {
			t.Fatalf("what was decoded cannot be encoded: %v", err)
		}
		back, err := decodeRecord(again.Bytes())
		if err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, back); d != "" {
			t.Fatal(d)
		}
	})
}

func FuzzDecodeLine(f *testing.F) {
	f.Add([]byte(`{"mark":{"at":"2026-01-01T00:00:00Z","pools":[]}}` + "\n\n" + `{"input":{"at":"2026-01-01T00:00:00Z","pool":"p"}}`))
	f.Add([]byte(`{"mark":null}`))
	f.Add([]byte(`{"id":"a vector","pool":{}}`))
	f.Fuzz(func(t *testing.T, text []byte) {
		d := NewDecoder(bytes.NewReader(text))
		for {
			l, err := d.Next()
			if errors.Is(err, io.EOF) {
				return
			}
			if err != nil {
				return
			}
			var buf bytes.Buffer
			enc := NewEncoder(&buf)
			if err := errors.Join(enc.Encode(l), enc.Flush()); err != nil {
				t.Fatal(err)
			}
			again, err := NewDecoder(&buf).Next()
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(l, again); diff != "" {
				t.Fatal(diff)
			}
		}
	})
}

// FuzzOpen spoils a file of a journal. Whatever is done, opening either fails or gives
// back nothing that was never true, and what is certain is what the last record that was
// read made of it.
func FuzzOpen(f *testing.F) {
	whole := f.TempDir()
	j, _ := mustOpen(f, whole, Options{MaxSegment: 6 << 10})
	for i := uint64(1); i <= 60; i++ {
		mustAppend(f, j, i, i)
		if i == 20 || i == 40 {
			if err := j.Compact(nil, nil); err != nil {
				f.Fatal(err)
			}
		}
	}
	j.abandon()
	names, err := os.ReadDir(whole)
	if err != nil {
		f.Fatal(err)
	}
	for file := range names {
		f.Add(uint8(file), uint32(700), uint32(3), []byte("xyz"))
		f.Add(uint8(file), uint32(700), uint32(1<<20), []byte(nil))
		f.Add(uint8(file), uint32(1500), uint32(0), []byte("\n\n"))
		f.Add(uint8(file), uint32(0), uint32(1), bytes.Repeat([]byte{0}, 300))
	}
	f.Fuzz(func(t *testing.T, file uint8, at, remove uint32, insert []byte) {
		dir := t.TempDir()
		if err := os.CopyFS(dir, os.DirFS(whole)); err != nil {
			t.Fatal(err)
		}
		edit(t, filepath.Join(dir, names[int(file)%len(names)].Name()), func(text []byte) []byte {
			start := min(int(at), len(text))
			end := min(start+int(remove), len(text))
			return bytes.Join([][]byte{text[:start], insert, text[end:]}, nil)
		})
		j, r, err := Open(dir, Options{})
		if err != nil {
			t.Fatalf("open: %v", err)
		}
		defer j.abandon()
		last := min(r.LastSeq, 60)
		if d := diffCertain(r, last); d != "" {
			t.Fatal(d)
		}
		if last < 60 && len(r.Uncertain) > 0 {
			return // a damaged end
		}
		if err := j.Append(nth(r.NextEventSeq), true); err != nil {
			t.Fatal(err)
		}
		again, err := Peek(dir, Options{})
		if err != nil {
			t.Fatal(err)
		}
		if len(again.Damage) != 0 {
			t.Fatalf("damage after it was mended: %q", again.Damage)
		}
	})
}

// TestSnapshotAndTailAreTheSumOfAllRecords does what a daemon may do, in any order, and
// compares with a plain fold of everything.
func TestSnapshotAndTailAreTheSumOfAllRecords(t *testing.T) {
	rapid.Check(t, func(rt *rapid.T) {
		dir, err := os.MkdirTemp(t.TempDir(), "journal")
		if err != nil {
			rt.Fatal(err)
		}
		d := &disk{syncs: make(map[string]int)}
		o := Options{MaxSegment: int64(rapid.IntRange(200, 5000).Draw(rt, "segment")), EventsKept: 1000}
		j, _, err := openWith(dir, o, d.open)
		if err != nil {
			rt.Fatal(err)
		}
		defer func() { j.abandon() }()
		want := newFold(1000)
		for step := range rapid.IntRange(1, 40).Draw(rt, "steps") {
			r := anyRecord(rt, uint64(step+1))
			d.write = nil
			switch rapid.IntRange(0, 9).Draw(rt, "what") {
			case 0:
				err = j.Compact(nil, nil)
			case 1:
				err = j.Compact(want.memories(), nil)
			case 2:
				j.abandon()
				j, _, err = openWith(dir, o, d.open)
			case 3:
				d.write, d.room = errors.New("broken"), rapid.IntRange(0, 300).Draw(rt, "room")
				if j.Append(r, true) == nil {
					rt.Fatal("append on a broken disk")
				}
				d.write = nil
				want.apply(&r)
				err = j.Append(Record{At: epoch0}, false)
			default:
				err = j.Append(r, rapid.Bool().Draw(rt, "sync"))
				want.apply(&r)
			}
			if err != nil {
				rt.Fatal(err)
			}
		}
		j.abandon()
		var got Restored
		j, got, err = openWith(dir, o, d.open)
		if err != nil {
			rt.Fatal(err)
		}
		pools, _ := want.restored()
		if diff := cmp.Diff(pools, got.Pools, byAddress()); diff != "" {
			rt.Fatal(diff)
		}
		if diff := cmp.Diff(want.lastEvents(), got.Events); diff != "" && len(want.events) > 0 {
			rt.Fatal(diff)
		}
		if len(got.Damage)+len(got.Notes)+len(got.Uncertain) > 0 || got.NextEventSeq != want.nextEvent {
			rt.Fatalf("restored %+v", got)
		}
	})
}

// byAddress compares pools without regard to the order of their nodes: a node that was
// removed and came back is last, or where it was when a failed write hid its absence.
func byAddress() cmp.Option {
	return cmp.Transformer("nodes", func(nodes []mpp.NodeMemory) map[string]mpp.NodeMemory {
		m := make(map[string]mpp.NodeMemory, len(nodes))
		for _, n := range nodes {
			m[n.Address] = n
		}
		return m
	})
}

func anyRecord(t *rapid.T, event uint64) Record {
	r := Record{At: epoch0, Pool: rapid.SampledFrom([]string{"a", "b", "c"}).Draw(t, "pool")}
	address := rapid.SampledFrom([]string{"1:1", "2:1", "3:1", "4:1"})
	nodes := func(most int) []mpp.NodeMemory {
		var all []mpp.NodeMemory
		for range rapid.IntRange(0, most).Draw(t, "nodes") {
			all = append(all, mpp.NodeMemory{Address: address.Draw(t, "node"), Errors: int(event)})
		}
		return all
	}
	r.Nodes = nodes(3)
	switch rapid.IntRange(0, 6).Draw(t, "kind") {
	case 0:
		r.Removed = []string{address.Draw(t, "removed")}
	case 1:
		r.PoolRemoved = true
	case 2:
		r.PoolMemory = &mpp.PoolMemory{CutOff: event%2 == 0}
	case 3:
		r.PoolMemory = &mpp.PoolMemory{Trouble: "LAN", Nodes: append([]mpp.NodeMemory{}, nodes(2)...)}
	case 4:
		r.PoolRemoved, r.Nodes = true, nil
	}
	r.Events = []mpp.Event{{Seq: event, At: epoch0, Text: "x"}}
	return r
}
