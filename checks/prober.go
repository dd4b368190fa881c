package checks

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"net"
	"slices"
	"strconv"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"mpp"
	"mpp/replication"
)

// Prober asks one node. Poll must not be called by two goroutines at once; Close may be called
// at any time.
type Prober struct {
	o         Options
	connector driver.Connector
	extra     driver.Connector // nil: no extra port
	heartbeat replication.Table

	// stop ends what a poll is waiting for, when the Prober is closed.
	stop context.Context
	halt context.CancelFunc

	mu      sync.Mutex // held by Poll, and by Close once Poll has returned
	closed  bool
	lasting *session
	login   loginState
	rights  mpp.CheckResult // the last finding of the privilege check
	// rightsBroke says that asking for it broke the connection: that is not tried in every poll.
	rightsBroke bool
	first       mpp.Server // who answered at first
	last        mpp.Server // what the last answer said
	source      sourceState
	writer      writer
	engine      engineState
	manager     managerState
	orphans     []orphan
	// heldUntil is until when nothing but logins are tried: see hold.
	heldUntil time.Time
	round     round
	// poolNodes is what SetPoolNodes brought and the next poll takes, nil for nothing new.
	poolNodes atomic.Pointer[[]string]
}

// loginState is what the last whole login found.
type loginState struct {
	at   time.Time
	took time.Duration
	finding
	// timeouts counts the logins in a row that got no answer beside a lasting connection that did.
	timeouts int
}

// New makes the Prober of one node; it connects to nothing yet. The error names every option
// that cannot work, and TLS files that cannot be read.
func New(o Options) (*Prober, error) {
	if err := o.Validate(); err != nil {
		return nil, fmt.Errorf("configure checks of %s: %w", o.Address, err)
	}
	o.QuerySQL = trimSQL(o.QuerySQL)
	o.Custom = slices.Clone(o.Custom)
	for i := range o.Custom {
		o.Custom[i].SQL = trimSQL(o.Custom[i].SQL)
	}
	p := &Prober{o: o}
	var err error
	if p.connector, err = o.connector(o.Address); err != nil {
		return nil, fmt.Errorf("configure checks of %s: %w", o.Address, err)
	}
	if o.ExtraPort != 0 {
		host, _, _ := net.SplitHostPort(o.Address) // validated
		extra := net.JoinHostPort(host, strconv.Itoa(int(o.ExtraPort)))
		if p.extra, err = o.connector(extra); err != nil {
			return nil, fmt.Errorf("configure checks of %s: %w", o.Address, err)
		}
	}
	if o.HeartbeatTable != "" {
		if p.heartbeat, err = replication.ParseTable(o.HeartbeatTable); err != nil {
			return nil, fmt.Errorf("configure checks of %s: %w", o.Address, err)
		}
	}
	p.stop, p.halt = context.WithCancel(context.Background())
	return p, nil
}

// trimSQL takes off the end of a statement what would make it look like two.
func trimSQL(sql string) string { return strings.TrimRight(strings.TrimSpace(sql), "; \t\r\n") }

// Close ends the connections and waits for a write that is under way to be cut short. A Poll
// that is running returns at once. A second call does nothing.
func (p *Prober) Close() error {
	p.halt()
	p.mu.Lock()
	defer p.mu.Unlock()
	if p.closed {
		return nil
	}
	p.closed = true
	p.lasting.close()
	p.lasting = nil
	p.writer.end()
	return nil
}

// ErrClosed says that a Prober was closed.
var ErrClosed = errors.New("prober is closed")

// round is what one poll found, statement by statement. Its memory is used again.
type round struct {
	deadline time.Time
	steps    []step   // those of the session that was asked
	results  []result // one a step
	answered bool
	dialled  time.Duration
	server   mpp.Server
	channels []mpp.Channel
	member   replication.Member
	age      time.Duration
	ageKnown bool
	customs  []customValue
	semi     replication.SemiSyncStatus
	// holder is the session that manages the server, self the one that asked.
	holder, self int64
	// reconnected says how the lasting connection ended in this poll, empty if it did not, and
	// broke what kind of trouble that was.
	reconnected string
	broke       mpp.Kind
	// held says that nothing was asked, because too much hangs already.
	held bool
}

// result is what became of one step.
type result struct {
	asked bool
	err   error
	took  time.Duration
}

// begin empties the round.
func (r *round) begin(customs int) {
	*r = round{results: r.results[:0], customs: r.customs[:0]}
	for range customs {
		r.customs = append(r.customs, customValue{})
	}
}

// fit makes room for the results of a session's steps. What was found before stays if it is of
// the same steps.
func (r *round) fit(s *session) {
	same := sameSteps(r.steps, s.steps)
	r.steps = s.steps
	if same {
		return
	}
	r.results = r.results[:0]
	for range s.steps {
		r.results = append(r.results, result{})
	}
}

// limit is when a statement that begins now must have been answered.
func (r *round) limit(now time.Time, limit time.Duration) time.Time {
	if end := now.Add(limit); end.Before(r.deadline) {
		return end
	}
	return r.deadline
}

func (r *round) answer(at int, err error, took time.Duration) {
	r.results[at] = result{asked: true, err: err, took: took}
}

// unanswered is the error of a statement that got no answer in time.
type unanswered struct{ after time.Duration }

func (e unanswered) Error() string {
	return "no answer within " + e.after.Round(time.Millisecond).String()
}
func (unanswered) Unwrap() error { return context.DeadlineExceeded }
