package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"sync/atomic"
	"time"
)

// The writer's usual times. They are short, so that what is measured is the servers'
// outage and not the client's patience.
const (
	usualInterval = 2 * time.Millisecond
	usualConnect  = 200 * time.Millisecond
	usualWrite    = 500 * time.Millisecond
	setupLimit    = 10 * time.Second
)

// While it has no connection a writer begins a new attempt so often, before the earlier
// ones have failed: one that began too early hangs until its time is up. When a server has
// accepted one and says nothing, it is not so often: more would only fill its queue, and
// then it would look to everybody as if its host were gone.
const (
	attemptEvery   = 10 * time.Millisecond
	attemptAfter   = 50 * time.Millisecond
	attemptsAtOnce = 20
)

// WriteOptions says how to write. Nothing is needed.
type WriteOptions struct {
	// Pool is the pool to write to; nil means the lab's first.
	Pool *Pool
	// Through is the address to connect to; invalid means the pool's virtual address.
	Through netip.Addr
	// From are the hosts to write from, one connection each; nil means the first client.
	From []*Host
	// Interval is from the start of one write to the next, 0 means 2 ms; ConnectTimeout
	// bounds a connect with its login, 0 means 200 ms; Timeout bounds a write, 0 means
	// 500 ms.
	Interval, ConnectTimeout, Timeout time.Duration
	// OnOutage is called with each outage that has ended; nil means nobody wants it. It
	// holds up the writing.
	OnOutage func(Outage)
}

// Writer inserts rows through an address, as an application would that is never tired,
// and records every one that was acknowledged, by whom, and when. Each of its connections
// lasts until it breaks, and is made anew at once. No row is written twice.
type Writer struct {
	lab  *Lab
	o    WriteOptions
	run  int64
	stop context.CancelFunc
	wait sync.WaitGroup

	tally *tally
}

// Write begins to write, until Stop or the end of ctx. It returns when the table is
// there, which it makes through the address.
func (l *Lab) Write(ctx context.Context, o WriteOptions) (*Writer, error) {
	if o.Pool == nil {
		o.Pool = l.Pools[0]
	}
	if !o.Through.IsValid() {
		o.Through = o.Pool.VIP
	}
	if o.From == nil {
		o.From = l.Clients()[:1]
	}
	for at, usual := range map[*time.Duration]time.Duration{
		&o.Interval: usualInterval, &o.ConnectTimeout: usualConnect, &o.Timeout: usualWrite,
	} {
		if *at <= 0 {
			*at = usual
		}
	}
	w := &Writer{lab: l, o: o, run: time.Now().UnixNano()}
	if err := w.makeTable(ctx); err != nil {
		return nil, fmt.Errorf("begin to write through %s: %w", o.Through, err)
	}
	var tell func(Outage)
	if o.OnOutage != nil {
		tell = func(each Outage) {
			each.From, each.To = w.serverName(each.from), w.serverName(each.to)
			o.OnOutage(each)
		}
	}
	w.tally = newTally(time.Now(), o.Interval, tell)
	ctx, w.stop = context.WithCancel(ctx)
	for i, h := range o.From {
		c := &connection{w: w, number: i + 1, host: h}
		w.wait.Go(func() { c.loop(ctx) })
	}
	return w, nil
}

// target is where to connect to.
func (w *Writer) target() string { return net.JoinHostPort(w.o.Through.String(), mysqlPort) }

// makeTable makes the table of the rows, with patience: an address that has just moved
// may be silent for a moment.
func (w *Writer) makeTable(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, setupLimit)
	defer cancel()
	s, err := w.dialPatiently(ctx, w.o.From[0])
	if err != nil {
		return err
	}
	defer s.close()
	return s.exec(ctx, "CREATE TABLE IF NOT EXISTS app.lab_writes (run BIGINT NOT NULL, writer INT NOT NULL, seq BIGINT NOT NULL,"+
		" server INT UNSIGNED NOT NULL, PRIMARY KEY (run, writer, seq))")
}

// Stop ends the writing and returns the final record. It may be called again.
func (w *Writer) Stop() Record {
	w.stop()
	w.wait.Wait()
	w.tally.end(time.Now())
	return w.Record()
}

// Record returns what was recorded so far; it may be asked at any time.
func (w *Writer) Record() Record {
	r := w.tally.record(time.Now())
	r.Through, r.Pool = w.o.Through.String(), w.o.Pool.Name
	servers := map[string]int{}
	for id, n := range r.byID {
		servers[w.serverName(id)] = n
	}
	r.Servers = servers
	for i := range r.Outages {
		r.Outages[i].From, r.Outages[i].To = w.serverName(r.Outages[i].from), w.serverName(r.Outages[i].to)
	}
	for i := range r.Doubles {
		r.Doubles[i].Server, r.Doubles[i].Other = w.serverName(r.Doubles[i].server), w.serverName(r.Doubles[i].other)
	}
	return r
}

// serverName is the host of a replication id.
func (w *Writer) serverName(id uint32) string {
	if id == 0 {
		return ""
	}
	for _, h := range w.o.Pool.Hosts {
		if serverID(h.Pool, h.Node) == id {
			return h.Name
		}
	}
	return fmt.Sprintf("server %d", id)
}

// connection is one of a writer's, with the rows that it writes.
type connection struct {
	w      *Writer
	number int
	host   *Host
	seq    int64
	s      *session
}

// loop writes until ctx ends.
func (c *connection) loop(ctx context.Context) {
	defer func() { c.s.close() }()
	tick := time.NewTicker(c.w.o.Interval)
	defer tick.Stop()
	for ctx.Err() == nil {
		if c.s == nil {
			if c.s = c.reconnect(ctx, tick); c.s == nil {
				return
			}
		}
		c.write(ctx)
		select {
		case <-ctx.Done():
		case <-tick.C:
		}
	}
}

// write writes one row. After any error the connection is given up.
func (c *connection) write(ctx context.Context) {
	c.seq++
	limited, cancel := context.WithTimeout(ctx, c.w.o.Timeout)
	defer cancel()
	begin := time.Now()
	err := c.s.insert(limited, c.w.run, c.number, c.seq)
	if ctx.Err() != nil && err != nil {
		return // told to stop: not the server's fault
	}
	now := time.Now()
	if err == nil {
		c.w.tally.acknowledged(ack{writer: c.number, seq: c.seq, server: c.s.server, connected: c.s.since, begin: begin, end: now})
		return
	}
	c.w.tally.failed("write: " + errorKind(err))
	c.s.close()
	c.s = nil
}

// reconnect returns a session as soon as there is one; nil when ctx ends. It does not
// wait for an attempt that hangs before it begins the next one.
func (c *connection) reconnect(ctx context.Context, tick *time.Ticker) *session {
	attempts, cancel := context.WithCancel(ctx)
	results := make(chan attempt, attemptsAtOnce)
	pending := 0
	var accepted atomic.Int32 // of those, how many a server has accepted
	defer func() {
		cancel()
		for range pending { // a late one is not needed any more
			if r := <-results; r.s != nil {
				r.s.close()
			}
		}
	}()
	var last time.Time
	for {
		every := attemptEvery
		if accepted.Load() > 0 {
			every = attemptAfter
		}
		if pending < attemptsAtOnce && (pending == 0 || time.Since(last) >= every) {
			pending, last = pending+1, time.Now()
			go func() {
				s, err := c.w.dial(attempts, c.host, &accepted)
				results <- attempt{s, err}
			}()
		}
		select {
		case r := <-results:
			pending--
			if r.err == nil {
				return r.s
			}
			if ctx.Err() == nil {
				c.w.tally.failed("connect: " + errorKind(r.err))
			}
			if pending == 0 { // refused at once: not more often than one would write
				select {
				case <-ctx.Done():
				case <-tick.C:
				}
			}
		case <-tick.C:
		case <-ctx.Done():
			return nil
		}
	}
}

// attempt is what came of one attempt to connect.
type attempt struct {
	s   *session
	err error
}

var errNobody = errors.New("nobody answers")
