package journal

import (
	"fmt"
	"os"
	"path/filepath"
)

// endName is the file that holds the number of the last record that was on disk for certain.
// A journal that ends before it was cut short by somebody else; without it that would look
// like a crash in the middle of a line, and old states would be taken for the last ones.
const endName = "journal.end"

// endMark keeps the file. It is overwritten in place and not synced: after a power cut it may
// be older than the journal, which proves nothing, but never newer.
type endMark struct{ f *os.File }

// openEnd opens the file, or makes it. Without one the journal works as well; only the proof
// is missing.
func openEnd(dir string) endMark {
	f, err := os.OpenFile(filepath.Join(dir, endName), os.O_RDWR|os.O_CREATE, filePerm)
	if err != nil {
		return endMark{}
	}
	return endMark{f}
}

// set notes that everything up to record seq is on disk. What goes wrong only loses the proof.
func (e endMark) set(seq uint64) {
	if e.f != nil {
		_, _ = e.f.WriteAt(endLine(seq), 0)
	}
}

func (e endMark) close() {
	if e.f != nil {
		_ = e.f.Close()
	}
}

func endLine(seq uint64) []byte {
	body := fmt.Appendf(nil, "%020d", seq)
	return fmt.Appendf(body, " %08x\n", checksum(body))
}

// readEnd returns the number in the file, 0 when there is none that can be read.
func readEnd(dir string) uint64 {
	data, err := os.ReadFile(filepath.Join(dir, endName))
	if err != nil {
		return 0
	}
	var seq uint64
	if _, err := fmt.Sscanf(string(data), "%d", &seq); err != nil || string(data) != string(endLine(seq)) {
		return 0
	}
	return seq
}
