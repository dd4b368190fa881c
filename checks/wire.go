package checks

import (
	"bytes"
	"context"
	"encoding/binary"
	"net"
	"sync/atomic"
	"time"
)

// wire is the TCP connection under a MySQL connection. It notes what the driver hides: whether
// anything was received, whether it was MySQL's protocol, and why reading or writing ended.
type wire struct {
	net.Conn
	// dialled is how long the connection took to be accepted.
	dialled time.Duration
	// received counts bytes since the connection was opened.
	received int
	// head holds the first bytes until the greeting is understood; then it is nil.
	head []byte
	// spoke says that the first packet was a greeting or an error of MySQL's protocol.
	spoke bool
	// session is the server's id of the connection, 0 when the server gave none.
	session uint32
	// cause is the first error of a read or write, nil for none.
	cause error
	// expired outlasts a deadline that is set after it.
	expired atomic.Bool
}

// maxHead bounds how much of a greeting is kept; a version text is much shorter.
const maxHead = 512

// greetings, the first byte of the first packet.
const (
	greetingV10 = 0x0a
	greetingERR = 0xff
)

// Read notes what came.
func (w *wire) Read(b []byte) (int, error) {
	n, err := w.Conn.Read(b)
	if n > 0 {
		w.received += n
		if w.head != nil {
			w.greet(b[:n])
		}
	}
	if err != nil && w.cause == nil {
		w.cause = err
	}
	return n, err
}

// Write notes why it failed.
func (w *wire) Write(b []byte) (int, error) {
	n, err := w.Conn.Write(b)
	if err != nil && w.cause == nil {
		w.cause = err
	}
	return n, err
}

// greet understands the first packet: length (3 bytes), sequence (1), protocol (1), version
// text, NUL, session id (4).
func (w *wire) greet(b []byte) {
	w.head = append(w.head, b[:min(len(b), maxHead-len(w.head))]...)
	if len(w.head) < 5 {
		return
	}
	w.spoke = w.head[3] == 0 && (w.head[4] == greetingV10 || w.head[4] == greetingERR)
	end := bytes.IndexByte(w.head[5:], 0)
	complete := end >= 0 && len(w.head) >= 5+end+5
	if w.spoke && w.head[4] == greetingV10 && complete {
		w.session = binary.LittleEndian.Uint32(w.head[5+end+1:])
	}
	if !w.spoke || w.head[4] == greetingERR || complete || len(w.head) == maxHead {
		w.head = nil
	}
}

// wireKey is the context key under which a login finds where to put its wire.
type wireKey struct{}

// dial is the driver's DialFunc: it hands the wire to the login that asked for it.
func dial(ctx context.Context, network, address string) (net.Conn, error) {
	var d net.Dialer
	began := time.Now()
	conn, err := d.DialContext(ctx, network, address)
	if err != nil {
		return nil, err
	}
	w := &wire{Conn: conn, head: make([]byte, 0, 96), dialled: time.Since(began)}
	if deadline, ok := ctx.Deadline(); ok {
		if err := conn.SetDeadline(deadline); err != nil {
			_ = conn.Close()
			return nil, err
		}
	}
	if slot, ok := ctx.Value(wireKey{}).(**wire); ok {
		*slot = w
	}
	return w, nil
}

// expire makes every read and write of the wire fail at once, until it is revived. It may be
// called from any goroutine.
func (w *wire) expire() {
	w.expired.Store(true)
	_ = w.SetDeadline(time.Unix(1, 0))
}

// until sets the time by which reads and writes must be over; zero means never. A wire that has
// expired stays so, whichever of the two comes last.
func (w *wire) until(deadline time.Time) {
	_ = w.SetDeadline(deadline)
	if w.expired.Load() {
		_ = w.SetDeadline(time.Unix(1, 0))
	}
}

// during lets the wire expire when ctx ends. The function it returns ends that, and waits for
// it if it has begun.
func (w *wire) during(ctx context.Context) (release func()) {
	if ctx.Done() == nil {
		return func() {}
	}
	over := make(chan struct{})
	stop := context.AfterFunc(ctx, func() {
		defer close(over)
		w.expire()
	})
	return func() {
		if !stop() {
			<-over
			w.expired.Store(false)
		}
	}
}
