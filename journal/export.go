package journal

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"mpp"
)

// ErrNoMark says that a replay has no memory to begin with.
var ErrNoMark = errors.New("nothing to begin a replay with: no memory was marked yet")

// Line is one line of an exported replay: exactly one of its parts is set. A file of lines
// begins with a mark; the inputs after it are in the order in which they were stepped.
type Line struct {
	Mark  *Mark      `json:"mark,omitempty"`
	Input *mpp.Input `json:"input,omitempty"`
	// Damage says for people what cannot be read here; only a journal on disk has such lines.
	Damage string `json:"damage,omitempty"`
}

func (l *Line) valid() bool {
	parts := 0
	for _, set := range []bool{l.Mark != nil, l.Input != nil, l.Damage != ""} {
		if set {
			parts++
		}
	}
	return parts == 1
}

// Mark is the memory of pools at one moment, between two inputs. A later mark for a pool
// says what the daemon had by then, for comparison.
type Mark struct {
	At    time.Time        `json:"at"`
	Pools []mpp.PoolMemory `json:"pools"`
}

// Query says what a replay is about.
type Query struct {
	// From is where the replay should begin; zero means as early as can be.
	From time.Time
	// Pool leaves out every other pool; empty means all.
	Pool string
}

func (q Query) wants(pool string) bool { return q.Pool == "" || q.Pool == pool }

// mark reduces a mark to the pool that is asked for.
func (q Query) mark(m Mark) *Mark {
	if q.Pool == "" {
		return &m
	}
	only := Mark{At: m.At, Pools: []mpp.PoolMemory{}}
	for i := range m.Pools {
		if m.Pools[i].Name == q.Pool {
			only.Pools = append(only.Pools, m.Pools[i])
		}
	}
	return &only
}

// Encoder writes replay lines. Flush must be called at the end.
type Encoder struct {
	w   *bufio.Writer
	enc *json.Encoder
}

// NewEncoder returns an encoder that writes to w.
func NewEncoder(w io.Writer) *Encoder {
	b := bufio.NewWriterSize(w, 64<<10)
	enc := json.NewEncoder(b)
	enc.SetEscapeHTML(false)
	return &Encoder{w: b, enc: enc}
}

// Encode writes one line.
func (e *Encoder) Encode(l Line) error {
	if !l.valid() {
		return errors.New("encode replay line: it must be a mark, an input or a damage")
	}
	if err := e.enc.Encode(l); err != nil {
		return fmt.Errorf("encode replay line: %w", err)
	}
	return nil
}

// Flush writes out what is buffered.
func (e *Encoder) Flush() error {
	if err := e.w.Flush(); err != nil {
		return fmt.Errorf("write replay: %w", err)
	}
	return nil
}

// Decoder reads replay lines.
type Decoder struct {
	lines  *lineReader
	number int
}

// NewDecoder returns a decoder that reads from r.
func NewDecoder(r io.Reader) *Decoder { return &Decoder{lines: newLineReader(r)} }

// Next returns the next line, or io.EOF after the last. Empty lines are skipped; any other
// error names the number of the line. A line may have 64 MiB.
func (d *Decoder) Next() (Line, error) {
	for {
		raw, err := d.lines.next()
		if errors.Is(err, io.EOF) {
			return Line{}, io.EOF
		}
		d.number++
		if err != nil {
			return Line{}, fmt.Errorf("read replay line %d: %w", d.number, err)
		}
		if raw.data == nil {
			return Line{}, fmt.Errorf("decode replay line %d: it has %d bytes, the limit is %d", d.number, raw.size, maxLine)
		}
		text := bytes.TrimSpace(raw.data)
		if len(text) == 0 {
			continue
		}
		var l Line
		if err := json.Unmarshal(text, &l); err != nil {
			return Line{}, fmt.Errorf("decode replay line %d: %w", d.number, err)
		}
		if !l.valid() {
			return Line{}, fmt.Errorf(`decode replay line %d: it must be {"mark":...}, {"input":...} or {"damage":...}`, d.number)
		}
		return l, nil
	}
}
