package daemon

import (
	"context"
	"fmt"
	"io"
	"time"

	"mpp"
)

// source is what the API and its like ask. Its methods may be called by many goroutines;
// those that need the loop wait for it as long as their context allows.
type source struct{ d *Daemon }

// askLimit bounds how long a question without a context of its own waits for the loop.
const askLimit = 2 * time.Second

func (s source) View() *mpp.View { return s.d.loop.views.current.Load() }

func (s source) Explain(pool string) (mpp.Explanation, bool) {
	ctx, cancel := context.WithTimeout(context.Background(), askLimit)
	defer cancel()
	var e mpp.Explanation
	found := false
	err := s.d.loop.ask(ctx, func(now time.Time) {
		if a := s.d.loop.arbiters[pool]; a != nil {
			e, found = a.Explain(now), true
		}
	})
	return e, found && err == nil
}

func (s source) Events(after uint64, limit int) []mpp.Event {
	return s.d.loop.events.after(after, limit)
}

func (s source) Subscribe(after uint64) (<-chan mpp.Event, func()) {
	return s.d.loop.events.subscribe(after)
}

// Do hands a command to the loop and waits for its reply, which comes after the journal has it.
func (s source) Do(ctx context.Context, pool string, c mpp.Command) (mpp.Result, error) {
	reply := make(chan mpp.Result, 1)
	select {
	case s.d.loop.inbox <- message{input: mpp.Input{Pool: pool, Command: &c}, reply: reply}:
	case <-ctx.Done():
		return mpp.Result{}, fmt.Errorf("hand over %s: %w", c.Verb, ctx.Err())
	}
	select {
	case r := <-reply:
		if r.Done && c.Verb == mpp.VerbAcknowledge {
			s.noteAcknowledged(pool, c.Operation)
		}
		return r, nil
	case <-ctx.Done():
		return mpp.Result{}, fmt.Errorf("wait for %s: %w; it may still be carried out", c.Verb, ctx.Err())
	}
}

func (s source) CheckNow(ctx context.Context, node string) (mpp.Observation, error) {
	return s.d.poller.CheckNow(ctx, node)
}

func (s source) Record(_ context.Context, from time.Time, w io.Writer) error {
	return s.d.loop.record(from, w)
}

func (s source) Reload(ctx context.Context) error { return s.d.Reload(ctx) }
