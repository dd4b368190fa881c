package journal

import (
	"encoding/binary"
	"slices"
	"time"
	"unsafe"

	"mpp"
)

// The first byte of an entry of a chunk: what it is, and for a poll what else differs from
// its shape.
const (
	kindPoll  = 0
	kindOther = 1
	kindMark  = 2
	kindMask  = 3

	withGTID     = 4
	withLag      = 8
	withChannels = 16
)

const nodeMemorySize = int64(unsafe.Sizeof(mpp.NodeMemory{}))

// fits reports whether t can be told in nanoseconds since 1970.
func fits(t time.Time) bool { return t.Year() >= 1700 && t.Year() < 2250 }

// isPoll reports whether in has an observation and nothing else, with times that fit.
func isPoll(in *mpp.Input) bool {
	return in.Observation != nil && in.Checkpoint == nil && in.Command == nil &&
		fits(in.At) && fits(in.Observation.At)
}

// alike reports whether two polls of a node differ in nothing but times, lags and the GTID.
func alike(a, b *mpp.Observation) bool {
	if a.Node != b.Node || a.Answered != b.Answered || a.LagKnown != b.LagKnown ||
		len(a.Checks) != len(b.Checks) || len(a.Channels) != len(b.Channels) ||
		!sameServer(&a.Server, &b.Server) {
		return false
	}
	for i := range a.Checks {
		if !sameCheck(&a.Checks[i], &b.Checks[i]) {
			return false
		}
	}
	for i := range a.Channels {
		x, y := a.Channels[i], &b.Channels[i]
		x.Lag = y.Lag
		if x != *y {
			return false
		}
	}
	return true
}

func sameCheck(a, b *mpp.CheckResult) bool {
	return a.Status == b.Status && a.Name == b.Name && a.Class == b.Class && a.Kind == b.Kind &&
		a.MySQLError == b.MySQLError && a.Message == b.Message && a.At.IsZero() == b.At.IsZero()
}

func sameServer(a, b *mpp.Server) bool {
	return a.ID == b.ID && a.ReadOnly == b.ReadOnly && a.SuperReadOnly == b.SuperReadOnly &&
		a.Flavour == b.Flavour && a.Version == b.Version && a.UUID == b.UUID &&
		a.StartedAt.Equal(b.StartedAt)
}

// newShape makes a shape of o; before is the node's last shape or nil, whose texts are
// shared where they are the same.
func newShape(pool string, o *mpp.Observation, before *shape) *shape {
	s := &shape{pool: pool, obs: *o}
	if before != nil && sameServer(&before.obs.Server, &s.obs.Server) {
		s.obs.Server = before.obs.Server
		s.obs.Node = before.obs.Node
	}
	return s
}

// size is about how much memory a shape keeps.
func (s *shape) size() int64 {
	n := int64(unsafe.Sizeof(*s)) + int64(len(s.obs.Server.GTID)+len(s.obs.Server.Version)+len(s.obs.Server.UUID))
	for i := range s.obs.Checks {
		n += int64(unsafe.Sizeof(s.obs.Checks[i])) + int64(len(s.obs.Checks[i].Message))
	}
	for i := range s.obs.Channels {
		c := &s.obs.Channels[i]
		n += int64(unsafe.Sizeof(*c)) + int64(len(c.IOError)+len(c.SQLError)+len(c.SourceHost)+len(c.SourceUUID))
	}
	return n
}

// sizeOfInput is about how much memory an input that is kept as it is takes.
func sizeOfInput(in mpp.Input) int64 {
	n := int64(unsafe.Sizeof(in))
	if in.Checkpoint != nil {
		n += int64(unsafe.Sizeof(*in.Checkpoint)) + int64(len(in.Checkpoint.Message))
	}
	if in.Command != nil {
		n += int64(unsafe.Sizeof(*in.Command)) + 128
	}
	if in.Observation != nil {
		s := shape{obs: *in.Observation}
		n += s.size()
	}
	return n
}

// encode adds a poll of shape s that arrived at at (Unix ns).
func (c *chunk) encode(at int64, s *shape, o *mpp.Observation) {
	flags := byte(kindPoll)
	if o.Server.GTID != s.obs.Server.GTID {
		flags |= withGTID
	}
	if o.Lag != s.obs.Lag {
		flags |= withLag
	}
	for i := range o.Channels {
		if o.Channels[i].Lag != s.obs.Channels[i].Lag {
			flags |= withChannels
		}
	}
	b := append(c.buf, flags)
	b = binary.AppendUvarint(b, uint64(s.index))
	b = binary.AppendVarint(b, at-c.prevAt)
	behind := at - o.At.UnixNano()
	b = binary.AppendVarint(b, behind)
	b = binary.AppendVarint(b, behind-int64(o.Took))
	if flags&withGTID != 0 {
		b = appendDiff(b, s.obs.Server.GTID, o.Server.GTID)
	}
	if flags&withLag != 0 {
		b = binary.AppendVarint(b, int64(o.Lag))
	}
	if flags&withChannels != 0 {
		for i := range o.Channels {
			b = binary.AppendVarint(b, int64(o.Channels[i].Lag))
		}
	}
	c.buf, c.prevAt = b, at
}

// appendDiff adds what of is differs from was: how much of the beginning and of the end is
// the same, and what stands between.
func appendDiff(b []byte, was, is string) []byte {
	head := 0
	for head < len(was) && head < len(is) && was[head] == is[head] {
		head++
	}
	end := 0
	for end < len(was)-head && end < len(is)-head && was[len(was)-1-end] == is[len(is)-1-end] {
		end++
	}
	b = binary.AppendUvarint(b, uint64(head))
	b = binary.AppendUvarint(b, uint64(end))
	b = binary.AppendUvarint(b, uint64(len(is)-head-end))
	return append(b, is[head:len(is)-end]...)
}

// cursor reads what encode wrote.
type cursor struct {
	b  []byte
	at int64 // of the last poll
}

func (c *cursor) byte() byte {
	x := c.b[0]
	c.b = c.b[1:]
	return x
}

func (c *cursor) uvarint() int {
	x, n := binary.Uvarint(c.b)
	c.b = c.b[n:]
	return int(x)
}

func (c *cursor) varint() int64 {
	x, n := binary.Varint(c.b)
	c.b = c.b[n:]
	return x
}

func (c *cursor) diff(was string) string {
	head, end, size := c.uvarint(), c.uvarint(), c.uvarint()
	is := was[:head] + string(c.b[:size]) + was[len(was)-end:]
	c.b = c.b[size:]
	return is
}

// lines gives the entries of a chunk, from its mark number start on; -1 gives all.
func (c *chunk) lines(q Query, start int, yield func(Line) bool) bool {
	cur := cursor{b: c.buf}
	others, marks := 0, 0
	begun := start < 0
	for len(cur.b) > 0 {
		flags := cur.byte()
		var l Line
		switch flags & kindMask {
		case kindMark:
			begun = begun || marks == start
			l.Mark = q.mark(c.marks[marks])
			marks++
		case kindOther:
			in := c.others[others]
			others++
			l.Input = &in
		default:
			l.Input = c.poll(&cur, flags)
		}
		if !begun || (l.Input != nil && !q.wants(l.Input.Pool)) {
			continue
		}
		if !yield(l) {
			return false
		}
	}
	return true
}

// poll makes an input of an entry.
func (c *chunk) poll(cur *cursor, flags byte) *mpp.Input {
	s := c.shapes[cur.uvarint()]
	cur.at += cur.varint()
	behind := cur.varint()
	o := s.obs
	o.At = time.Unix(0, cur.at-behind).UTC()
	o.Took = time.Duration(behind - cur.varint())
	if flags&withGTID != 0 {
		o.Server.GTID = cur.diff(s.obs.Server.GTID)
	}
	if flags&withLag != 0 {
		o.Lag = time.Duration(cur.varint())
	}
	if flags&withChannels != 0 {
		o.Channels = slices.Clone(o.Channels)
		for i := range o.Channels {
			o.Channels[i].Lag = time.Duration(cur.varint())
		}
	}
	o.Checks = shifted(o.Checks, o.At.Sub(s.obs.At))
	return &mpp.Input{At: time.Unix(0, cur.at).UTC(), Pool: s.pool, Observation: &o}
}

// shifted moves the times of findings that were carried over.
func shifted(checks []mpp.CheckResult, by time.Duration) []mpp.CheckResult {
	copied := false
	for i := range checks {
		if checks[i].At.IsZero() {
			continue
		}
		if !copied {
			checks, copied = slices.Clone(checks), true
		}
		checks[i].At = checks[i].At.Add(by).UTC()
	}
	return checks
}
