package vip

import (
	"bytes"
	"context"
	"net"
	"time"
)

// repeatLimit bounds one repeated announcement: a host that hangs must not hold up a move for
// long.
const repeatLimit = 500 * time.Millisecond

// schedule lists when an announcement is repeated, from the first one on: soon at first, because
// a neighbour may have missed it or not believed it yet, and then each second.
func schedule(lasting time.Duration) []time.Duration {
	var all []time.Duration
	for _, d := range []time.Duration{50 * time.Millisecond, 200 * time.Millisecond, 500 * time.Millisecond} {
		if d <= lasting {
			all = append(all, d)
		}
	}
	for d := time.Second; d <= lasting; d += time.Second {
		all = append(all, d)
	}
	return all
}

// announceOn repeats announcements in the background.
func (p *place) announceOn(w metal) {
	p.keepQuiet()
	ctx, cancel := context.WithCancel(p.m.ctx)
	p.mu.Lock()
	p.quiet = cancel
	p.mu.Unlock()
	p.m.mu.Lock()
	defer p.m.mu.Unlock()
	if p.m.closed {
		cancel()
		return
	}
	p.m.wg.Go(func() {
		defer cancel()
		began := time.Now()
		for _, after := range schedule(p.m.o.AnnounceFor) {
			if !wait(ctx, time.Until(began.Add(after))) {
				return
			}
			if err := p.repeat(ctx, w); err != nil && ctx.Err() == nil {
				p.m.o.Log(p.node, "repeat the announcement of the virtual address: "+err.Error())
				return
			}
		}
	})
}

// repeat announces once more, unless a move is under way there: the next time will do.
func (p *place) repeat(ctx context.Context, w metal) error {
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	default:
		return nil
	}
	if ctx.Err() != nil {
		return ctx.Err()
	}
	ctx, cancel := context.WithTimeout(context.WithoutCancel(ctx), repeatLimit)
	defer cancel()
	return w.repeat(ctx, p)
}

// wait returns true after d, false when ctx ends before.
func wait(ctx context.Context, d time.Duration) bool {
	t := time.NewTimer(d)
	defer t.Stop()
	select {
	case <-ctx.Done():
		return false
	case <-t.C:
		return true
	}
}

// keepQuiet ends the announcements from this place. One that is just being sent is not waited
// for: whoever has the turn knows that there is none.
func (p *place) keepQuiet() {
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.quiet != nil {
		p.quiet()
		p.quiet = nil
	}
}

// othersKeepQuiet ends the announcements from everywhere else: the address has moved on.
func (m *Mover) othersKeepQuiet(but *place) {
	for _, p := range m.nodes {
		if p != but {
			p.keepQuiet()
		}
	}
}

// hardware is the interface's hardware address as it was last seen, nil before that.
func (p *place) hardware() net.HardwareAddr {
	if _, ok := networkOf(p.Host).(local); ok {
		return nil // looking costs nothing
	}
	p.mu.Lock()
	defer p.mu.Unlock()
	return p.mac
}

// seen returns the interface as it was found, and remembers its hardware address.
func (p *place) seen(s *state) (link, error) {
	l, err := s.link(p.Interface)
	p.mu.Lock()
	defer p.mu.Unlock()
	p.mac = bytes.Clone(l.mac)
	return l, err
}
