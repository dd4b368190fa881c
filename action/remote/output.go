package remote

import (
	"errors"
	"fmt"
	"io"
	"sync"
)

// maxOutput bounds what Run takes of each stream, maxStderr what a stream's Output keeps; in bytes.
const (
	maxOutput = 8 << 20
	maxStderr = 64 << 10
)

var (
	// errTooMuch ends a command that writes more than Run takes.
	errTooMuch = fmt.Errorf("more than %d MiB", maxOutput>>20)
	errClosed  = errors.New("nobody takes it any more")
)

// limited fails once more was written than is left.
type limited struct {
	w    io.Writer
	left int
}

func (l *limited) Write(p []byte) (int, error) {
	if len(p) > l.left {
		return 0, errTooMuch
	}
	l.left -= len(p)
	return l.w.Write(p)
}

// tail keeps the last maxStderr bytes written to it.
type tail struct {
	mu sync.Mutex
	b  []byte
}

func (t *tail) Write(p []byte) (int, error) {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = append(t.b, p...)
	if extra := len(t.b) - maxStderr; extra > 0 {
		t.b = append(t.b[:0], t.b[extra:]...)
	}
	return len(p), nil
}

func (t *tail) reset() {
	t.mu.Lock()
	defer t.mu.Unlock()
	t.b = nil
}

func (t *tail) String() string {
	t.mu.Lock()
	defer t.mu.Unlock()
	return string(t.b)
}

// sink hands on to w until it is closed, and remembers w's error: a caller's writer is never
// touched after the call has returned.
type sink struct {
	// onFail is called when w fails.
	onFail func()

	mu     sync.Mutex
	w      io.Writer
	err    error
	closed bool
}

func newSink(w io.Writer) *sink { return &sink{w: w, onFail: func() {}} }

func (s *sink) Write(p []byte) (int, error) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.closed {
		return 0, errClosed
	}
	n, err := s.w.Write(p)
	if err != nil {
		s.err, s.closed = err, true
		s.onFail()
	}
	return n, err
}

// close ends the handing on and returns the error that w had.
func (s *sink) close() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.closed = true
	return s.err
}
