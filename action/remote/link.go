package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"sync"
	"time"

	"golang.org/x/crypto/ssh"
)

// Every aliveEvery a connection is asked whether it lives; one that says nothing for aliveLimit
// is closed.
const (
	aliveEvery = 3 * time.Second
	aliveLimit = 3 * time.Second
)

// link is one ssh connection. Whatever speaks with it may block until it is closed, which never
// blocks: its goroutines end then.
type link struct {
	h      *SSH
	conn   net.Conn
	client *ssh.Client
	clock  clock
	done   chan struct{}

	mu sync.Mutex
	// idle are shells that no call uses.
	idle []*shell
	// users are calls under way; abandoned says that the link is closed after the last of them.
	users     int
	abandoned bool
	closed    bool
	// doubts are calls that got no answer in time and have not been seen to yet; of those,
	// unanswered are the ones after which the link has not answered yet. clear is closed when
	// there are no more doubts.
	doubts, unanswered int
	clear              chan struct{}
}

// connect dials, shakes hands, logs in and starts a first shell, so that all that may go wrong
// with a host goes wrong here.
func (h *SSH) connect(ctx context.Context) (*link, error) {
	signer, err := readKey(h.o.KeyFile)
	if err != nil {
		return nil, h.fail(Setup, err.Error(), err)
	}
	keys, err := readKnownHosts(h.o.KnownHosts)
	if err != nil {
		return nil, h.fail(Setup, err.Error(), err)
	}
	var dialer net.Dialer
	conn, err := dialer.DialContext(ctx, "tcp", h.address)
	if err != nil {
		return nil, h.fail(Unreachable, dialError(err, h.o.Timeout), err)
	}
	stop := context.AfterFunc(ctx, func() { _ = conn.Close() })
	defer stop()
	c, channels, requests, err := ssh.NewClientConn(conn, h.address, &ssh.ClientConfig{
		User: h.o.User, Auth: []ssh.AuthMethod{ssh.PublicKeys(signer)},
		HostKeyCallback: keys.judge, HostKeyAlgorithms: keys.algorithms(h.address),
	})
	if err != nil {
		_ = conn.Close()
		return nil, h.handshakeError(err, keys)
	}
	l := &link{h: h, conn: conn, client: ssh.NewClient(c, channels, requests), done: make(chan struct{})}
	h.wg.Go(l.keepAlive)
	h.wg.Go(func() { _ = l.client.Wait(); l.close() })
	s, err := l.newShell(ctx)
	if err != nil {
		l.close()
		return nil, err
	}
	l.keep(s)
	h.wg.Go(l.spare)
	return l, nil
}

// spare starts a second shell, for the first two calls that come at once: a new one takes as long
// as sshd and a login shell take.
func (l *link) spare() {
	ctx, cancel := context.WithTimeout(l.h.life, aliveLimit)
	defer cancel()
	if !l.acquire() {
		return
	}
	defer l.release()
	if s, err := l.newShell(ctx); err == nil {
		l.keep(s)
	}
}

// keep puts a shell to those that no call uses.
func (l *link) keep(s *shell) {
	l.mu.Lock()
	defer l.mu.Unlock()
	l.idle = append(l.idle, s)
}

// handshakeError says what the failure of a handshake means.
func (h *SSH) handshakeError(err error, keys *hostKeys) error {
	var none *ssh.AlgorithmNegotiationError
	switch {
	case keys.refused != "":
		return h.fail(HostKey, keys.refused, err)
	case timedOut(err):
		return h.fail(Unreachable, fmt.Sprintf("it connects, but sshd does not let in within %v", h.o.Timeout), err)
	case errors.As(err, &none):
		return h.fail(Setup, "sshd and MPP have no algorithm in common: "+none.Error(), err)
	case keys.accepted:
		return h.fail(Auth, fmt.Sprintf("it does not take the key %s for user %s: %v", h.o.KeyFile, h.o.User, err), err)
	default:
		return h.fail(Unreachable, "it connects, but nobody there speaks ssh: "+err.Error(), err)
	}
}

// acquire notes one more user; false when the link is at its end.
func (l *link) acquire() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed || l.abandoned {
		return false
	}
	l.users++
	return true
}

func (l *link) release() {
	l.mu.Lock()
	l.users--
	last := l.abandoned && l.users == 0 && l.doubts == 0
	l.mu.Unlock()
	if last {
		l.close()
	}
}

// abandon closes the link once nobody uses it any more: a stream may still be under way.
func (l *link) abandon() {
	l.mu.Lock()
	l.abandoned = true
	last := l.users == 0 && l.doubts == 0
	l.mu.Unlock()
	if last {
		l.close()
	}
}

func (l *link) close() {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.closed {
		return
	}
	l.closed = true
	_ = l.conn.Close()
	close(l.done)
	if l.clear != nil {
		close(l.clear)
		l.clear = nil
	}
}

// inDoubt returns a channel that is closed when the link is not in doubt any more, nil when it is
// not.
func (l *link) inDoubt() <-chan struct{} {
	l.mu.Lock()
	defer l.mu.Unlock()
	if l.clear == nil {
		return nil
	}
	return l.clear
}

// doubt is called when a call got no answer in time: is it the command or the host? A link that
// still answers is used on, after what was started for the call has been killed, so that it
// cannot undo what the next call does; one that does not answer is closed.
func (l *link) doubt(id identity, closeSession func()) {
	l.mu.Lock()
	if l.closed {
		l.mu.Unlock()
		return
	}
	l.doubts++
	l.unanswered++
	if l.clear == nil {
		l.clear = make(chan struct{})
	}
	l.mu.Unlock()
	l.h.wg.Go(func() {
		alive := l.answers()
		l.mu.Lock()
		l.unanswered--
		l.mu.Unlock()
		if alive {
			l.kill(id)
			closeSession()
		}
		l.cleared()
	})
}

// silent reports whether the link has been asked whether it lives, and has not answered yet.
func (l *link) silent() bool {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.unanswered > 0
}

func (l *link) cleared() {
	l.mu.Lock()
	l.doubts--
	if l.doubts == 0 && l.clear != nil {
		close(l.clear)
		l.clear = nil
	}
	last := l.abandoned && l.users == 0 && l.doubts == 0
	l.mu.Unlock()
	if last {
		l.close()
	}
}

// answers asks whether the link lives, and closes it when no answer comes.
func (l *link) answers() bool {
	defer l.within(aliveLimit)()
	if _, _, err := l.client.SendRequest("keepalive@openssh.com", true, nil); err != nil {
		l.close()
		return false
	}
	return true
}

// within closes the link if what it returns is not called in time, or the host's life ends.
func (l *link) within(limit time.Duration) func() {
	t := time.AfterFunc(limit, l.close)
	stop := context.AfterFunc(l.h.life, l.close)
	return func() { t.Stop(); stop() }
}

// keepAlive watches over a link until it ends, at the latest with its host.
func (l *link) keepAlive() {
	t := time.NewTicker(aliveEvery)
	defer t.Stop()
	for {
		select {
		case <-l.done:
			return
		case <-l.h.life.Done():
			l.close()
			return
		case <-t.C:
			if !l.answers() {
				return
			}
		}
	}
}

// kill ends what a call has started on the host: by a shell that is idle, or in a new session.
func (l *link) kill(id identity) {
	if id == (identity{}) {
		return
	}
	defer l.within(aliveLimit)()
	if s := l.take(); s != nil {
		if _, err := s.talk.exchange("", id.killCommand(), time.Now().Add(aliveLimit)); err == nil {
			l.keep(s)
			return
		}
		_ = s.session.Close()
	}
	session, err := l.client.NewSession()
	if err != nil {
		return
	}
	_ = session.Run(l.h.shellCommand(id.killCommand()))
	_ = session.Close()
}
