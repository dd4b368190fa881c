package journal

import (
	"cmp"
	"fmt"
	"io"
	"iter"
	"slices"
	"sync"
	"time"

	"mpp"
)

// RingOptions bound a ring.
type RingOptions struct {
	// Window is how far back it reaches; 0 means 15 minutes.
	Window time.Duration
	// MaxInputs is how many inputs it holds at most; 0 means 5,000,000.
	MaxInputs int
	// MaxBytes is about how much memory it takes at most; 0 means 256 MiB.
	MaxBytes int64
}

// ringChunks is how many chunks make up a full ring: a bound is kept by dropping a whole chunk.
const ringChunks = 16

// variants is how many shapes of its poll a node may alternate between at no cost: with and
// without a fresh login, say.
const variants = 4

// Ring keeps every input of the last minutes for replay. A poll that is like an earlier one of
// its node takes some 20 bytes. Kept exactly are the order, the times of the inputs and
// polls, how long a poll took, lags and GTIDs; how long each check took is that of the
// earlier poll, and so is the age of a finding that was carried over. The observations that
// are given to it must not be changed afterwards. A Ring may be used by several goroutines.
type Ring struct {
	o  RingOptions
	mu sync.Mutex
	// chunks are in order, the last is the one that grows. nextID numbers them from 1.
	chunks []*chunk
	nextID uint64
	recent map[string]*shapes
	inputs int
	bytes  int64
}

// chunk is a run of inputs. Only its end grows: what lies before is never changed, so that
// a copy of the struct can be read without the lock.
type chunk struct {
	id          uint64
	first, last time.Time // of the inputs, with the monotonic clock where they have it
	buf         []byte
	shapes      []*shape
	others      []mpp.Input
	marks       []Mark
	inputs      int
	bytes       int64 // all but buf, about
	prevAt      int64 // of the last observation, Unix ns
}

// shape is a poll whose like was seen.
type shape struct {
	pool  string
	obs   mpp.Observation
	chunk uint64 // the last chunk that has it, and where
	index int
}

// shapes are the last ones of a node, newest first.
type shapes struct {
	s     [variants]*shape
	chunk uint64 // when last used
}

// NewRing returns an empty ring.
func NewRing(o RingOptions) *Ring {
	o.Window = cmp.Or(o.Window, 15*time.Minute)
	o.MaxInputs = cmp.Or(o.MaxInputs, 5_000_000)
	o.MaxBytes = cmp.Or(o.MaxBytes, 256<<20)
	return &Ring{o: o, recent: make(map[string]*shapes)}
}

// Add keeps an input. It costs well under a microsecond and, for a poll that is like an
// earlier one, allocates nothing but room.
func (r *Ring) Add(in mpp.Input) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.room(in.At)
	before := len(c.buf)
	added := int64(0)
	if isPoll(&in) {
		s, grown := r.shape(c, in.Pool, in.Observation)
		c.encode(in.At.UnixNano(), s, in.Observation)
		added += grown
	} else {
		c.buf = append(c.buf, kindOther)
		c.others = append(c.others, in)
		added += sizeOfInput(in)
	}
	c.inputs++
	r.inputs++
	c.bytes += added
	r.bytes += added + int64(len(c.buf)-before)
	r.drop(in.At)
}

// NeedsMark reports whether Mark should be called: at first, and then about every sixteenth
// of the window, or sooner when the ring fills faster. It is cheap enough to ask after
// every Add. When marks are farther apart than that, the inputs before the oldest one that
// is left are of no use.
func (r *Ring) NeedsMark() bool {
	r.mu.Lock()
	defer r.mu.Unlock()
	n := len(r.chunks)
	return n == 0 || len(r.chunks[n-1].marks) == 0
}

// Mark keeps the memory of all pools as it is now, so that a replay can begin here. The
// daemon marks when NeedsMark says so and after each reload; the ring keeps the slice, which
// must not be changed afterwards.
func (r *Ring) Mark(at time.Time, pools []mpp.PoolMemory) {
	r.mu.Lock()
	defer r.mu.Unlock()
	c := r.room(at)
	c.buf = append(c.buf, kindMark)
	c.marks = append(c.marks, Mark{At: at, Pools: pools})
	size := int64(1)
	for i := range pools {
		size += 256 + int64(len(pools[i].Nodes))*nodeMemorySize
	}
	c.bytes += size
	r.bytes += size
	r.drop(at)
}

// room returns the chunk for what comes next.
func (r *Ring) room(at time.Time) *chunk {
	if n := len(r.chunks); n > 0 {
		c := r.chunks[n-1]
		full := c.inputs >= max(1, r.o.MaxInputs/ringChunks) ||
			c.bytes+int64(len(c.buf)) >= r.o.MaxBytes/ringChunks ||
			at.Sub(c.first) >= r.o.Window/ringChunks
		if !full {
			if at.After(c.last) {
				c.last = at
			}
			return c
		}
	}
	r.nextID++
	c := &chunk{id: r.nextID, first: at, last: at}
	if n := len(r.chunks); n > 0 { // it will have about the size of the one before
		like := r.chunks[n-1]
		c.buf = make([]byte, 0, len(like.buf)+len(like.buf)/ringChunks)
		c.shapes = make([]*shape, 0, len(like.shapes)+len(like.shapes)/ringChunks)
	}
	r.chunks = append(r.chunks, c)
	r.forget()
	return c
}

// forget lets go of nodes that were not polled for as long as the ring reaches back.
func (r *Ring) forget() {
	oldest := r.chunks[0].id
	for address, s := range r.recent {
		if s.chunk < oldest {
			delete(r.recent, address)
		}
	}
}

// drop keeps the bounds. The chunk that grows always stays.
func (r *Ring) drop(now time.Time) {
	n := 0
	for ; n < len(r.chunks)-1; n++ {
		c := r.chunks[n]
		if r.inputs <= r.o.MaxInputs && r.bytes <= r.o.MaxBytes && now.Sub(c.last) <= r.o.Window {
			break
		}
		r.inputs -= c.inputs
		r.bytes -= c.bytes + int64(len(c.buf))
	}
	if n > 0 {
		r.chunks = slices.Delete(r.chunks, 0, n)
	}
}

// shape finds or makes the shape of an observation in c; grown is the memory that took.
func (r *Ring) shape(c *chunk, pool string, o *mpp.Observation) (s *shape, grown int64) {
	known := r.recent[o.Node]
	if known == nil {
		known = new(shapes)
		r.recent[o.Node] = known
		grown += 128
	}
	known.chunk = c.id
	for i, k := range known.s {
		if k == nil || k.pool != pool || !alike(&k.obs, o) {
			continue
		}
		copy(known.s[1:i+1], known.s[:i])
		known.s[0], s = k, k
		break
	}
	if s == nil {
		s = newShape(pool, o, known.s[0])
		copy(known.s[1:], known.s[:variants-1])
		known.s[0] = s
		grown += s.size()
	}
	if s.chunk != c.id {
		s.chunk, s.index = c.id, len(c.shapes)
		c.shapes = append(c.shapes, s)
		grown += 8
	}
	return s, grown
}

// RingStats says how full a ring is.
type RingStats struct {
	Inputs int
	// Bytes is about how much memory is taken.
	Bytes int64
	// Oldest is when the oldest input arrived, zero when there is none.
	Oldest time.Time
}

// Stats says how full the ring is.
func (r *Ring) Stats() RingStats {
	r.mu.Lock()
	defer r.mu.Unlock()
	s := RingStats{Inputs: r.inputs, Bytes: r.bytes}
	if len(r.chunks) > 0 {
		s.Oldest = r.chunks[0].first
	}
	return s
}

// Lines gives what the ring holds, in order: the last mark at or before q.From, or else the
// first one there is, and everything after it. Without a mark it gives nothing. It goes over what
// there was when it began and holds nobody up.
func (r *Ring) Lines(q Query) iter.Seq[Line] {
	return func(yield func(Line) bool) {
		chunks := r.view()
		first, mark, ok := findMark(chunks, q.From)
		if !ok {
			return
		}
		for i := first; i < len(chunks); i++ {
			if !chunks[i].lines(q, mark, yield) {
				return
			}
			mark = -1
		}
	}
}

// view copies the chunks as they are now.
func (r *Ring) view() []chunk {
	r.mu.Lock()
	defer r.mu.Unlock()
	view := make([]chunk, len(r.chunks))
	for i, c := range r.chunks {
		view[i] = *c
	}
	return view
}

// findMark says which mark of which chunk a replay begins with.
func findMark(chunks []chunk, from time.Time) (inChunk, mark int, ok bool) {
	for i := range chunks {
		for k := range chunks[i].marks {
			if ok && chunks[i].marks[k].At.After(from) {
				return inChunk, mark, true
			}
			inChunk, mark, ok = i, k, true
		}
	}
	return inChunk, mark, ok
}

// Replay writes Lines to w as JSON lines, for mpp replay. ErrNoMark says that there is
// nothing to begin with.
func (r *Ring) Replay(q Query, w io.Writer) error {
	enc := NewEncoder(w)
	empty := true
	for l := range r.Lines(q) {
		empty = false
		if err := enc.Encode(l); err != nil {
			return err
		}
	}
	if empty {
		return fmt.Errorf("replay: %w", ErrNoMark)
	}
	return enc.Flush()
}
