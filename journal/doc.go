// Package journal remembers: an append-only record of what happened to the pools and what
// was decided, from which a restart takes up every state again, and a bounded ring of the
// polls that changed nothing, for replay.
//
// # Files
//
// A journal is a directory:
//
//	journal-<first seq>.log    segment: one record a line, "crc32c-hex SP json LF"
//	snapshot-<seq>.json        everything as it was after record seq, with a checksum
//	journal.end                number of the last record that was on disk for certain
//	*.damaged                  a file that could not be read whole, kept for people
//
// The first line of a segment is its header. Records are numbered from 1 without gaps. A
// record carries the whole memory of each node that it mentions, not a difference. Since the
// segment that follows a snapshot is created before the snapshot, its absence is proof of loss.
//
// # What nil from Append means
//
// Append(r, true) returns nil when the record, or a snapshot that includes it, is on disk.
// Append(r, false) returns nil when the kernel has it: it survives kill -9, not a power cut.
// After an error nothing of the record is in the file, but the journal keeps its memory and
// events and writes them with the next record that succeeds; nobody need retry.
//
// # What a damaged journal gives
//
// Open takes what is whole and says what is missing. A last line that was cut short was never
// acknowledged: it is cut off, with a note. Anything else that cannot be read, and any
// record number that is missing, is a gap. Records after a gap are used, for they are true
// for the nodes that they mention; but a node whose last record may lie in a gap is uncertain,
// and so is its pool's own memory. An uncertain node is restored as UNKNOWN, with its
// maintenance and nothing else, and Restored.Uncertain says what it was when last heard of. It
// stays uncertain, over restarts too, until a record mentions it. Records that were cut off at
// the very end are missed by journal.end; without that file too, what is restored is what was
// true a little earlier.
//
// # Who owns what
//
// A Journal belongs to one goroutine (the daemon's inbox loop) and its directory to one
// process (package lease). Open, Append with sync, Compact and Close block on the disk. Read,
// Peek and Lines only read, and work while a daemon writes. A Ring may be used by several
// goroutines; only Replay blocks, on its writer.
//
// # How to test with it
//
// Give Open a t.TempDir. The tests show how disks are made to fail.
package journal
