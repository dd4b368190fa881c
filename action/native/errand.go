package native

import (
	"context"
	"fmt"
	"sync"
	"time"

	"mpp/replication"
)

// patience is how long a statement that ends within milliseconds may take before somebody looks
// what holds it up; endLimit bounds what goes on behind a step's back then.
const (
	patience = 15 * time.Millisecond
	endLimit = 3 * time.Minute
)

// errand is statements that may hang for longer than a step: stopping a receiver that is about to
// connect to a host that hangs takes two seconds on MySQL, and up to slave_net_timeout on MariaDB
// 11. They go on after the step if need be; the server would not forget them anyway.
type errand struct {
	session *session
	done    chan struct{} // closed when it is over
	cut     func()        // ends it, and its connection, here; the server may go on

	mu   sync.Mutex
	over bool
	left bool // nobody waits for it: it gives the session back itself
	err  error
}

// begin runs statements on the step's session, which is the errand's until it is over.
func (t *task) begin(s *session, what ...replication.Spellings) *errand {
	return t.beginFunc(s, func(ctx context.Context) error {
		for _, one := range what {
			if err := s.say(ctx, one); err != nil {
				return err
			}
		}
		return nil
	})
}

// beginFunc is begin for what is more than statements.
func (t *task) beginFunc(s *session, do func(context.Context) error) *errand {
	e := &errand{session: s, done: make(chan struct{})}
	ctx, cancel := context.WithTimeout(t.r.stop, endLimit)
	e.cut = cancel
	t.r.work.Go(func() {
		defer cancel()
		defer close(e.done)
		err := do(ctx)
		e.mu.Lock()
		defer e.mu.Unlock()
		e.over, e.err = true, err
		if e.left {
			t.server.put(s)
		}
	})
	return e
}

// wait reports whether it was over within d.
func (e *errand) wait(ctx context.Context, d time.Duration) bool {
	timer := time.NewTimer(d)
	defer timer.Stop()
	select {
	case <-e.done:
		return true
	case <-ctx.Done():
	case <-timer.C:
	}
	return false
}

// leave lets the errand go on alone, unless it is over; then the session is the step's again.
func (t *task) leave(e *errand) (over bool) {
	e.mu.Lock()
	defer e.mu.Unlock()
	if e.over {
		return true
	}
	e.left = true
	t.server.await(e)
	for i, s := range t.taken {
		if s == e.session {
			t.taken = append(t.taken[:i:i], t.taken[i+1:]...)
			break
		}
	}
	return false
}

// await notes an errand that goes on alone.
func (v *server) await(e *errand) {
	v.mu.Lock()
	defer v.mu.Unlock()
	v.errands = append(v.errands, e)
}

// settle waits until nothing goes on alone on the node: a RESET that comes late must not meet the
// CHANGE of a later step.
func (t *task) settle(ctx context.Context) error {
	v := t.server
	for {
		v.mu.Lock()
		var e *errand
		if len(v.errands) > 0 {
			e = v.errands[0]
		}
		v.mu.Unlock()
		if e == nil {
			return nil
		}
		select {
		case <-e.done:
		case <-ctx.Done():
			return fmt.Errorf("wait for replication to end: %w", ended(ctx))
		}
		v.mu.Lock()
		if len(v.errands) > 0 && v.errands[0] == e {
			v.errands = v.errands[1:]
		}
		v.mu.Unlock()
	}
}
