package api

import (
	"container/list"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// crowdTold is how often at most is logged that connections were closed to make room.
const crowdTold = 30 * time.Second

// crowd bounds the connections of a server. Where there are too many, the one goes that has said
// nothing for longest, so that whoever connects and asks is answered at once, however many
// others are silent. Only where all are busy has a new one to wait.
//
// Its methods may be called from several goroutines.
type crowd struct {
	most int
	log  zerolog.Logger

	mu     sync.Mutex
	room   sync.Cond
	open   map[net.Conn]*list.Element // nil for one that is busy
	quiet  *list.List                 // of net.Conn, longest first
	closed int                        // to make room, since told
	told   time.Time
}

func newCrowd(most int, log zerolog.Logger) *crowd {
	c := &crowd{most: most, log: log, open: map[net.Conn]*list.Element{}, quiet: list.New()}
	c.room.L = &c.mu
	return c
}

// changed follows each connection: it is http.Server's ConnState.
func (c *crowd) changed(conn net.Conn, state http.ConnState) {
	c.mu.Lock()
	defer c.mu.Unlock()
	if e := c.open[conn]; e != nil {
		c.quiet.Remove(e)
	}
	switch state {
	case http.StateNew, http.StateIdle:
		if _, counted := c.open[conn]; counted { // else it was closed to make room
			c.open[conn] = c.quiet.PushBack(conn)
		}
	case http.StateActive:
		if _, counted := c.open[conn]; counted {
			c.open[conn] = nil
		}
	case http.StateHijacked, http.StateClosed:
		delete(c.open, conn)
	}
	c.room.Broadcast()
}

// admit counts a new connection, for which it makes room when there is none. It returns false
// when gone says that nobody wants it any more.
func (c *crowd) admit(conn net.Conn, gone func() bool) bool {
	c.mu.Lock()
	defer c.mu.Unlock()
	for len(c.open) >= c.most {
		if gone() {
			return false
		}
		if longest := c.quiet.Front(); longest != nil {
			c.drop(longest)
			continue
		}
		c.room.Wait()
	}
	c.open[conn] = nil // busy until http.Server says that it is new
	return true
}

// drop closes a quiet connection and forgets it.
func (c *crowd) drop(e *list.Element) {
	conn, _ := c.quiet.Remove(e).(net.Conn)
	delete(c.open, conn)
	_ = conn.Close() // its goroutine sees that and ends
	c.closed++
	if now := time.Now(); now.Sub(c.told) >= crowdTold {
		c.log.Warn().Int("closed", c.closed).Int("limit", c.most).Stringer("from", conn.RemoteAddr()).
			Msg("too many connections to the API: those that say nothing for longest are closed")
		c.told, c.closed = now, 0
	}
}

// entrance is a listener whose connections a crowd counts.
type entrance struct {
	net.Listener
	crowd *crowd
	shut  bool // guarded by crowd.mu
}

// Accept returns the next connection that there is room for.
func (e *entrance) Accept() (net.Conn, error) {
	conn, err := e.Listener.Accept()
	if err != nil {
		return nil, err
	}
	if !e.crowd.admit(conn, func() bool { return e.shut }) {
		_ = conn.Close()
		return nil, net.ErrClosed
	}
	return conn, nil
}

// Close closes the listener, and wakes who waits for room.
func (e *entrance) Close() error {
	e.crowd.mu.Lock()
	e.shut = true
	e.crowd.room.Broadcast()
	e.crowd.mu.Unlock()
	return e.Listener.Close()
}
