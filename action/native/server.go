package native

import (
	"context"
	"database/sql/driver"
	"sync"
	"time"

	"mpp/replication"
)

// server is a node with its idle connections.
type server struct {
	node      Node
	connector driver.Connector
	limit     time.Duration // of a login

	mu      sync.Mutex
	idle    []*session
	closed  bool
	logBase string               // as the server last said
	dialect *replication.Dialect // nil before the first login
	errands []*errand
}

// maxIdle is how many connections are kept for the next step: the lasting one, and one more after
// a step that needed it.
const maxIdle = 2

// take returns a connection that nobody else uses: an idle one whose server has not closed it,
// else a new one.
func (v *server) take(ctx context.Context) (*session, error) {
	for {
		s := v.pop()
		if s == nil {
			break
		}
		if s.fresh(ctx) {
			return s, nil
		}
		s.cut()
	}
	return v.open(ctx)
}

// open makes a new connection, whatever is idle.
func (v *server) open(ctx context.Context) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, v.limit)
	defer cancel()
	s, err := login(ctx, v.connector)
	if err != nil {
		return nil, err
	}
	d := *s.dialect // the session goes on to learn about its own
	v.mu.Lock()
	v.logBase, v.dialect = s.logBase, &d
	v.mu.Unlock()
	return s, nil
}

func (v *server) pop() *session {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.idle) == 0 {
		return nil
	}
	s := v.idle[len(v.idle)-1]
	v.idle = v.idle[:len(v.idle)-1]
	return s
}

// put takes a connection back. One that is broken, or that is not needed, is closed.
func (v *server) put(s *session) {
	if s == nil {
		return
	}
	v.mu.Lock()
	if !s.broken && !v.closed && len(v.idle) < maxIdle {
		v.idle = append(v.idle, s)
		s = nil
	}
	v.mu.Unlock()
	if s != nil {
		s.cut()
	}
}

// tend keeps a connection warm until ctx ends: it tries those that are idle, and makes one when
// there is none. A server that does not answer is asked again after the same time.
func (v *server) tend(ctx context.Context, every time.Duration) {
	tick := time.NewTicker(every)
	defer tick.Stop()
	for {
		v.warm(ctx)
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// warm tries the connections that are idle now, one after the other, and leaves at least one, if
// it can.
func (v *server) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, v.limit)
	defer cancel()
	good := 0
	for range maxIdle {
		s := v.popOldest()
		if s == nil {
			break
		}
		if !s.fresh(ctx) || s.ping(ctx) != nil {
			s.cut()
			continue
		}
		good++
		v.put(s)
	}
	if good == 0 {
		if s, err := v.take(ctx); err == nil {
			v.put(s)
		}
	}
}

// popOldest returns the connection that was idle for the longest time, nil for none.
func (v *server) popOldest() *session {
	v.mu.Lock()
	defer v.mu.Unlock()
	if len(v.idle) == 0 {
		return nil
	}
	s := v.idle[0]
	v.idle = v.idle[1:]
	return s
}

// close ends the connections that are idle, and those that come back later.
func (v *server) close() {
	v.mu.Lock()
	idle := v.idle
	v.idle, v.closed = nil, true
	v.mu.Unlock()
	for _, s := range idle {
		s.cut()
	}
}
