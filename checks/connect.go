package checks

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"time"

	"mpp"
)

// The names of the checks, as configured and shown.
const (
	nameConnect     = "connect"
	namePrivilege   = "privilege"
	nameQuery       = "query"
	nameReplication = "replication"
	nameLag         = "lag"
	nameWrite       = "write"
	nameCommit      = "commit"
	nameCluster     = "cluster"
	nameIdentity    = "identity"
)

// rowsOf shortens the signatures of readers.
type rowsOf = driver.Rows

// loginDue reports whether a whole login is to be made beside the lasting connection. One that
// failed is tried again in every poll, but for a refused password: that would fill the server's
// log and may lock the account.
func (p *Prober) loginDue(ask mpp.Ask, now time.Time) bool {
	if ask.FreshLogin || now.Sub(p.login.at) >= p.o.LoginInterval {
		return true
	}
	return p.login.status != mpp.OK && p.login.kind != mpp.KindAccessDenied
}

// freshLogin logs in on a new connection while the lasting one works, and logs out again.
func (p *Prober) freshLogin(ctx context.Context, now time.Time) {
	l, failed := p.tryLogin(ctx, p.connector)
	p.login.at = now
	if failed == nil {
		p.login = loginState{at: now, took: l.took}
		l.close()
		return
	}
	f := judgeLogin(failed)
	timeouts := p.login.timeouts + 1
	p.login = loginState{at: now, took: failed.took, finding: f}
	switch {
	case f.status != mpp.Fail:
	case isLocal(failed.err) || f.kind == mpp.KindName:
		// Something of this machine, while the server answers on the other connection.
		p.login.status = mpp.Critical
	case f.kind == mpp.KindNoAnswer || f.kind == mpp.KindNoHandshake || f.kind == mpp.KindHung:
		// A lost packet or a moment of load looks like this as well, so it takes several in
		// a row before it is said that nobody can log in.
		p.login.timeouts = timeouts
		if timeouts < maxTimeouts {
			p.login.status = mpp.Critical
		}
	}
	if p.login.status == mpp.Critical && f.status == mpp.Fail {
		p.login.message += "; the open connection works"
	}
}

// maxTimeouts is how many fresh logins in a row must get no answer to count as a failure while
// the lasting connection works.
const maxTimeouts = 3

// loginLasting logs in for a new lasting connection, over the extra port if the server is full
// and has one. It returns nil when that failed; p.login says why.
func (p *Prober) loginLasting(ctx context.Context) (l *link, extra bool) {
	l, failed := p.tryLogin(ctx, p.connector)
	now := time.Now()
	if failed == nil {
		p.login = loginState{at: now, took: l.took}
		return l, false
	}
	p.login = loginState{at: now, took: failed.took, finding: judgeLogin(failed)}
	if p.login.kind != mpp.KindTooManyConnections || p.extra == nil {
		return nil, false
	}
	l, failed = p.tryLogin(ctx, p.extra)
	if failed != nil {
		p.login.message += fmt.Sprintf("; extra port %d: %s", p.o.ExtraPort, judgeLogin(failed).message)
		return nil, false
	}
	p.login.message += fmt.Sprintf("; going on over extra port %d", p.o.ExtraPort)
	return l, true
}

// tryLogin is login with the poll's bookkeeping: it ends when the Prober is closed, and what
// the server said counts as an answer of this poll.
func (p *Prober) tryLogin(ctx context.Context, c driver.Connector) (*link, *loginError) {
	ctx, cancel := context.WithDeadline(ctx, p.round.deadline)
	defer cancel()
	defer context.AfterFunc(p.stop, cancel)()
	l, failed := login(ctx, c, p.o.ConnectLimit)
	switch {
	case failed == nil:
		p.round.dialled = max(p.round.dialled, l.wire.dialled)
	case failed.wire != nil:
		p.round.dialled = max(p.round.dialled, failed.wire.dialled)
	}
	if failed == nil || (failed.wire != nil && failed.wire.spoke) {
		p.round.answered = true
	}
	return l, failed
}

// judgeLogin says what a failed login means: it tells TCP, handshake and login apart.
func judgeLogin(e *loginError) finding {
	if f, ok := judgeAnswer(e); ok {
		return f
	}
	took := e.took.Round(time.Millisecond)
	fail := func(kind mpp.Kind, format string, args ...any) finding {
		return finding{mpp.Fail, kind, 0, fmt.Sprintf(format, args...)}
	}
	if e.wire == nil {
		switch kind := classifyConnection(e.err); {
		case kind == mpp.KindName:
			return fail(kind, "cannot resolve the host name: %s", oneLine(e.err.Error()))
		case kind == mpp.KindRefused:
			return fail(kind, "connection refused: nothing listens there, the host is alive")
		case isLocal(e.err):
			return fail(mpp.KindNoAnswer, "cannot open a connection on this machine: %s", oneLine(e.err.Error()))
		case errors.Is(e.err, syscall.EHOSTUNREACH), errors.Is(e.err, syscall.ENETUNREACH):
			return fail(mpp.KindNoAnswer, "no route: %s", oneLine(e.err.Error()))
		default:
			return fail(mpp.KindNoAnswer, "no answer to a TCP connection request within %s", took)
		}
	}
	timedOut := isTimeout(e.err) || isTimeout(e.wire.cause)
	switch {
	case e.wire.received > 0 && !e.wire.spoke:
		return fail(mpp.KindUnexpected, "what listens there does not speak the MySQL protocol")
	case e.wire.received == 0 && timedOut:
		return fail(mpp.KindNoHandshake, "TCP connects, but no handshake came within %s: the server hangs", took)
	case e.wire.received == 0:
		return fail(mpp.KindRefused, "the connection was closed before the handshake")
	case timedOut:
		return fail(mpp.KindHung, "the handshake came, but the login got no answer within %s", took)
	default:
		return fail(mpp.KindLost, "the connection broke during the login: %s", lostBy(e.wire.cause, e.err))
	}
}

// judgeAnswer judges a login that the server itself ended, or that its certificate did.
func judgeAnswer(e *loginError) (finding, bool) {
	kind, errno := Classify(e.err)
	switch {
	case errno != 0:
		return ofError(e.err), true
	case e.wire == nil || isTimeout(e.err):
		return finding{}, false
	case kind == mpp.KindTLS:
		return finding{statusOf(kind), kind, 0, "TLS handshake failed: " + oneLine(e.err.Error())}, true
	case kind == mpp.KindAccessDenied:
		return finding{statusOf(kind), kind, 0, "cannot log in this way: " + oneLine(e.err.Error())}, true
	default:
		return finding{}, false
	}
}

// isLocal reports whether an error is this machine's own trouble, and says nothing of the node.
func isLocal(err error) bool {
	var op *net.OpError
	if !errors.As(err, &op) || op.Op != "dial" || errors.Is(err, io.EOF) {
		return false
	}
	for _, own := range []syscall.Errno{
		syscall.EMFILE, syscall.ENFILE, syscall.ENOBUFS, syscall.ENOMEM, syscall.EADDRNOTAVAIL,
		syscall.EPERM, syscall.EACCES, syscall.EAFNOSUPPORT,
	} {
		if errors.Is(err, own) {
			return true
		}
	}
	return false
}

// connectResult is the finding of the connect check: that of the last login, made in this poll
// or before, unless the lasting connection broke and was mended.
func (p *Prober) connectResult(now time.Time) mpp.CheckResult {
	f := p.login.finding
	mended := p.round.reconnected
	switch {
	case mended == "":
	case f.status == mpp.OK:
		f = finding{status: mpp.Info, kind: p.round.broke, message: mended + "; logged in anew"}
	default:
		f.message += "; before that: " + mended
	}
	c := f.result(nameConnect, mpp.Reach, p.login.took)
	if p.login.at.Before(now) {
		c.At = p.login.at
	}
	return c
}

// result dresses a finding up.
func (f finding) result(name string, class mpp.Class, took time.Duration) mpp.CheckResult {
	return mpp.CheckResult{
		Name: name, Class: class, Status: f.status, Kind: f.kind,
		Message: f.message, MySQLError: f.errno, Took: took,
	}
}
