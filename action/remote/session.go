package remote

import (
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"golang.org/x/crypto/ssh"
)

// shellCommand is what sshd is asked to run: a shell that reads commands, or one command. It
// works in every login shell.
func (h *SSH) shellCommand(command string) string {
	shell := "exec /bin/sh"
	if h.o.Sudo {
		shell = "exec sudo -n /bin/sh"
	}
	if command != "" {
		shell += " -c " + Quote(command)
	}
	return shell
}

// shell is one lasting shell on a host: a lane. One call uses it at a time.
type shell struct {
	l       *link
	session *ssh.Session
	talk    conversation
}

// idleShell returns a shell that is not in use, or a new one.
func (l *link) idleShell(ctx context.Context) (*shell, error) {
	if s := l.take(); s != nil {
		return s, nil
	}
	return l.newShell(ctx)
}

// take returns a shell that is not in use, nil when there is none.
func (l *link) take() *shell {
	l.mu.Lock()
	defer l.mu.Unlock()
	n := len(l.idle)
	if n == 0 {
		return nil
	}
	s := l.idle[n-1]
	l.idle = l.idle[:n-1]
	return s
}

// newShell starts a shell and hears its first word.
func (l *link) newShell(ctx context.Context) (*shell, error) {
	type result struct {
		s   *shell
		err error
	}
	done := make(chan result, 1)
	l.h.wg.Go(func() {
		s, err := l.startShell()
		done <- result{s, err}
	})
	select {
	case r := <-done:
		return r.s, r.err
	case <-ctx.Done():
		// The shell, if it comes, is of no use: its session ends with the link or by itself.
		l.h.wg.Go(func() {
			if r := <-done; r.err == nil {
				_ = r.s.session.Close()
			}
		})
		l.doubt(identity{}, func() {})
		return nil, l.h.fail(Deadline, "no shell in time", ctx.Err())
	}
}

func (l *link) startShell() (*shell, error) {
	session, err := l.client.NewSession()
	if err != nil {
		return nil, l.lost("open session", err)
	}
	s := &shell{l: l, session: session}
	if err := s.start(); err != nil {
		_ = session.Close()
		return nil, l.lost("start shell", err)
	}
	if _, err := s.talk.exchange(prologue, ":", time.Now()); err != nil {
		_ = session.Close()
		return nil, s.whyNoShell(err)
	}
	return s, nil
}

func (s *shell) start() error {
	stdin, err := s.session.StdinPipe()
	if err != nil {
		return err
	}
	stdout, err := s.session.StdoutPipe()
	if err != nil {
		return err
	}
	stderr, err := s.session.StderrPipe()
	if err != nil {
		return err
	}
	s.talk = conversation{
		stdin: stdin, clock: &s.l.clock,
		stdout: &cutter{r: stdout, limit: maxOutput}, stderr: &cutter{r: stderr, limit: maxOutput},
	}
	return s.session.Start(s.l.h.shellCommand(""))
}

// whyNoShell says in words why a shell ended before its first word.
func (s *shell) whyNoShell(err error) error {
	h := s.l.h
	select {
	case <-s.l.done:
		return s.l.lost("start shell", err)
	default:
	}
	said := lastLine(string(s.talk.stderr.rest))
	switch {
	case s.talk.begun:
		return h.fail(Setup, err.Error(), err)
	case h.o.Sudo && strings.Contains(said, "sudo"):
		return h.fail(Sudo, sudoText(said), err)
	}
	if said == "" {
		said = lastLine(string(s.talk.stdout.rest))
	}
	if said == "" {
		said = err.Error()
	}
	return h.fail(Setup, fmt.Sprintf("user %s gets no shell: %s", h.o.User, said), err)
}

// run runs one command and gives the shell back. When ctx ends before, it returns at once.
func (s *shell) run(ctx context.Context, command string) (Output, error) {
	if ctx.Err() != nil { // nobody wants it any more
		s.l.keep(s)
		return Output{}, s.l.h.fail(Deadline, "the command was not started in time", ctx.Err())
	}
	deadline, _ := ctx.Deadline()
	type result struct {
		a   answer
		err error
	}
	done := make(chan result, 1)
	id := s.talk.id
	s.l.h.wg.Go(func() {
		a, err := s.talk.exchange("", command, deadline)
		done <- result{a, err}
	})
	select {
	case r := <-done:
		return s.finish(ctx, r.a, r.err)
	case <-ctx.Done():
		s.l.doubt(id, func() { _ = s.session.Close() })
		return Output{}, s.l.h.fail(Deadline, "the command did not end in time", ctx.Err())
	}
}

// finish judges what became of a call.
func (s *shell) finish(ctx context.Context, a answer, err error) (Output, error) {
	h, hangUp := s.l.h, func() { _ = s.session.Close() }
	switch {
	case err == nil:
		s.l.keep(s)
		if a.late {
			return Output{}, h.fail(Deadline, "the command reached the host too late and was not run", errors.Join(errNotStarted, ctx.Err()))
		}
		return a.out, nil
	case errors.Is(err, errTooMuch):
		s.l.doubt(s.talk.id, hangUp)
		return Output{}, h.fail(Setup, "take the command's output: "+err.Error(), err)
	}
	s.l.doubt(identity{}, hangUp)
	if !s.talk.begun {
		err = errors.Join(errNotStarted, err)
	}
	return Output{}, s.l.lost("run command", err)
}

// lost is the error of a connection, or a shell, that broke.
func (l *link) lost(what string, err error) error {
	var refused *ssh.OpenChannelError
	if errors.As(err, &refused) {
		return l.h.fail(Setup, fmt.Sprintf("%s: sshd refuses one more (MaxSessions should be 10): %v", what, err), err)
	}
	if errors.Is(err, io.EOF) {
		return l.h.fail(Lost, what+": the connection broke", err)
	}
	return l.h.fail(Lost, fmt.Sprintf("%s: the connection broke: %v", what, err), err)
}
