package daemon

import (
	"sync"

	"mpp"
)

// eventLog keeps the last events and hands new ones to subscribers. It is safe for
// concurrent use; only the loop numbers and publishes.
type eventLog struct {
	mu    sync.Mutex
	limit int
	next  uint64
	list  []mpp.Event // oldest first
	subs  map[chan mpp.Event]struct{}
}

// subscriberQueue bounds what waits for one subscriber; who is slower is cut off.
const subscriberQueue = 256

func newEventLog(limit int, kept []mpp.Event, next uint64) *eventLog {
	if next == 0 {
		next = 1
	}
	l := &eventLog{limit: limit, next: next, list: append([]mpp.Event(nil), kept...), subs: map[chan mpp.Event]struct{}{}}
	l.trim()
	return l
}

func (l *eventLog) trim() {
	if extra := len(l.list) - l.limit; extra > 0 {
		l.list = append(l.list[:0:0], l.list[extra:]...)
	}
}

// number gives an event its sequence number.
func (l *eventLog) number(e mpp.Event) mpp.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	e.Seq = l.next
	l.next++
	return e
}

// publish keeps an event and hands it on. A subscriber whose queue is full is cut off: its
// channel is closed, and it can ask again from the last number it saw.
func (l *eventLog) publish(e mpp.Event) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.list = append(l.list, e)
	if len(l.list) > l.limit+l.limit/4 {
		l.trim()
	}
	for ch := range l.subs {
		select {
		case ch <- e:
		default:
			delete(l.subs, ch)
			close(ch)
		}
	}
}

// after returns up to limit kept events with a number above seq, oldest first; limit 0 means
// all of them.
func (l *eventLog) after(seq uint64, limit int) []mpp.Event {
	l.mu.Lock()
	defer l.mu.Unlock()
	start := len(l.list)
	for start > 0 && l.list[start-1].Seq > seq {
		start--
	}
	found := l.list[start:]
	if limit > 0 && len(found) > limit {
		found = found[len(found)-limit:]
	}
	return append([]mpp.Event(nil), found...)
}

// subscribe returns a channel with every event above seq that is kept, and then every new
// one. The channel is closed when the subscriber is too slow or calls the function.
func (l *eventLog) subscribe(seq uint64) (<-chan mpp.Event, func()) {
	l.mu.Lock()
	defer l.mu.Unlock()
	var backlog []mpp.Event
	for _, e := range l.list {
		if e.Seq > seq {
			backlog = append(backlog, e)
		}
	}
	ch := make(chan mpp.Event, subscriberQueue+len(backlog))
	for _, e := range backlog {
		ch <- e
	}
	l.subs[ch] = struct{}{}
	return ch, func() {
		l.mu.Lock()
		defer l.mu.Unlock()
		if _, there := l.subs[ch]; there {
			delete(l.subs, ch)
			close(ch)
		}
	}
}

// subscribers counts who follows now.
func (l *eventLog) subscribers() int {
	l.mu.Lock()
	defer l.mu.Unlock()
	return len(l.subs)
}
