package checks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"syscall"
	"time"

	"mpp"
)

// maxPoll bounds a poll whose context has no deadline.
const maxPoll = 30 * time.Second

// Poll asks the node everything once. It returns before ctx ends or at most a few milliseconds
// after, and never panics: what went wrong is a finding. A poll that was cut short because ctx
// was cancelled, rather than timed out, proves nothing and is best thrown away.
func (p *Prober) Poll(ctx context.Context, ask mpp.Ask) (o mpp.Observation) {
	p.mu.Lock()
	defer p.mu.Unlock()
	o = mpp.Observation{Node: p.o.Address, At: time.Now()}
	defer func() {
		if r := recover(); r != nil {
			p.bug(&o, r)
		}
		o.Took = time.Since(o.At)
	}()
	if p.closed {
		o.Checks = []mpp.CheckResult{{
			Name: nameConnect, Class: mpp.Reach, Status: mpp.Fail, Kind: mpp.KindUnexpected, Message: ErrClosed.Error(),
		}}
		return o
	}
	p.takePoolNodes()
	p.poll(ctx, ask, &o)
	return o
}

// bug turns a panic into a finding: MPP's own mistake must not fail a server that answers.
func (p *Prober) bug(o *mpp.Observation, r any) {
	p.lasting.cut()
	p.lasting = nil
	status := mpp.Fail
	if o.Answered || p.round.answered {
		o.Answered, status = true, mpp.Critical
	}
	o.Checks = append(o.Checks, mpp.CheckResult{
		Name: "internal", Class: mpp.Reach, Status: status, Kind: mpp.KindUnexpected,
		Message: oneLine(fmt.Sprintf("a bug in MPP: %v", r)),
	})
}

// poll is Poll without its safety net.
func (p *Prober) poll(ctx context.Context, ask mpp.Ask, o *mpp.Observation) {
	end := o.At.Add(maxPoll)
	if d, ok := ctx.Deadline(); ok && d.Before(end) {
		end = d
	}
	r := &p.round
	r.begin(len(p.o.Custom))
	p.writer.began = time.Time{}
	if !ask.Active || !p.o.Write {
		p.retireWriter()
	} else {
		p.startWrite(o.At)
	}
	p.lastingBusy()
	connect := p.converse(ctx, ask, o.At, end)
	o.Answered = r.answered
	if r.server.ID != 0 {
		p.last = r.server
	}
	room := 9 + len(p.o.Custom)
	if p.o.Engine {
		room++
	}
	o.Checks = make([]mpp.CheckResult, 0, room)
	o.Checks = append(o.Checks, connect)
	if p.lasting != nil {
		p.reap(r)
		p.readGrants(r, o.At)
		if ask.Active && p.o.Write {
			p.startWrite(time.Now())
		}
	}
	p.readEngine(r, o.At)
	p.readManager(r)
	if connect.Status != mpp.Fail || p.lasting != nil {
		p.judge(ask, o, end)
	}
	o.Answered = o.Answered || r.answered
	o.Dialled = r.dialled
	p.settle(o.At)
}

// lastingBusy keeps the Watcher from reporting what the poll will see for itself.
func (p *Prober) lastingBusy() {
	if p.lasting != nil {
		p.lasting.watch.busy()
	}
}

// settle leaves the lasting connection as it is to be until the next poll.
func (p *Prober) settle(now time.Time) {
	s := p.lasting
	if s == nil {
		return
	}
	// One that goes over the extra port is given up as soon as the usual one works, and one
	// that was denied what the grants now allow is as old as the grants it was opened with.
	if (s.extra && p.login.status == mpp.OK) || (p.deniedThoughGranted() && now.Sub(s.opened) > p.o.LoginInterval) {
		s.close()
		p.lasting = nil
		return
	}
	s.watch.idle()
}

// converse asks everything over the lasting connection, makes or mends that first if need be,
// and makes the fresh login when it is due. It returns the finding of the connect check.
func (p *Prober) converse(ctx context.Context, ask mpp.Ask, now, end time.Time) mpp.CheckResult {
	r := &p.round
	if s := p.lasting; s != nil {
		// A part of the time is kept for a new login, which tells a server that hangs from
		// a connection that got lost on the way.
		r.deadline = now.Add(end.Sub(now) * 6 / 10)
		if asks := p.asksSemiSync(now); asks != s.semiSync {
			s.semiSync = asks
			s.compose(&p.o)
		}
		r.fit(s)
		if p.run(ctx, s) {
			r.deadline = end
			if p.loginDue(ask, now) {
				p.freshLogin(ctx, now)
			}
			return p.connectResult(now)
		}
	}
	r.deadline = end
	p.reconnect(ctx, now)
	return p.connectResult(now)
}

// run asks what is still to be asked over a session and reports whether the session lives.
func (p *Prober) run(ctx context.Context, s *session) bool {
	r := &p.round
	received := s.wire.received
	release := s.wire.during(ctx)
	begin := time.Now()
	at, err := s.run(r)
	release()
	r.answered = r.answered || s.wire.received > received
	if err == nil {
		return true
	}
	p.dropLasting(at, time.Since(begin), err)
	return false
}

// dropLasting gives up the lasting connection, which broke while step at was being asked.
func (p *Prober) dropLasting(at int, after time.Duration, err error) {
	s, r := p.lasting, &p.round
	if isTimeout(s.wire.cause) {
		late := unanswered{after}
		r.answer(at, late, after)
		if s.steps[at].kind == stepSemiSync {
			p.engine.hungAt = time.Now()
		}
		r.reconnected, r.broke = late.Error()+" over the open connection", mpp.KindHung
		p.abandon(s.wire.session, false)
	} else {
		r.reconnected, r.broke = "the open connection was lost: "+lostBy(s.wire.cause, err), mpp.KindLost
	}
	s.cut()
	p.lasting = nil
}

// lostBy says in words how a connection ended.
func lostBy(cause, err error) string {
	switch {
	case cause == nil:
		return describe(err)
	case errors.Is(cause, io.EOF):
		return "closed by the server"
	case errors.Is(cause, syscall.ECONNRESET), errors.Is(cause, syscall.EPIPE):
		return "reset"
	default:
		return oneLine(cause.Error())
	}
}

// reconnect makes a new lasting connection and asks over it what is still to be asked.
func (p *Prober) reconnect(ctx context.Context, now time.Time) {
	r := &p.round
	l, extra := p.loginLasting(ctx)
	if l == nil {
		return
	}
	if p.held(time.Now()) {
		r.held = true
		l.close()
		return
	}
	release := l.wire.during(ctx)
	l.until(r.limit(time.Now(), p.o.QueryLimit))
	s, err := p.o.prepare(l, p.asksSemiSync(now))
	release()
	if err != nil {
		if isTimeout(l.wire.cause) {
			err = unanswered{time.Since(l.opened.Add(l.took))}
		}
		p.login.finding = ofError(err)
		p.login.message = "logged in, then: " + p.login.message
		l.cut()
		return
	}
	s.extra = extra
	p.watch(s)
	p.lasting = s
	p.reap(r)
	if p.lasting == nil || p.hold(time.Now()) {
		r.held = true
		return
	}
	r.fit(s)
	if before := r.reconnected; !p.run(ctx, s) && !r.excused() {
		// It broke on what shows that the server serves, so there is no evidence that it does.
		p.login.finding = finding{mpp.Fail, r.broke, 0, "logged in, then: " + r.reconnected}
		r.reconnected = before
	}
}

// excused reports whether the server has shown that it serves, in spite of a connection that
// broke: what hung is then the finding of a check of its own.
func (r *round) excused() bool {
	server, asked := r.of(stepServer)
	if query, ok := r.of(stepQuery); ok && query.err != nil {
		return true // the query check fails
	}
	return asked && server.err == nil
}

// watch asks the Watcher to tell when the server hangs up.
func (p *Prober) watch(s *session) {
	if p.o.Watcher == nil || p.o.Hangup == nil {
		return
	}
	// Without it the next poll finds out all the same.
	s.watch, _ = p.o.Watcher.add(s.wire.Conn, p.o.Hangup)
	s.watch.busy()
}
