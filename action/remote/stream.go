package remote

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync/atomic"

	"golang.org/x/crypto/ssh"
)

// streamPrologue is the script of a stream before its command. Its first line on standard error
// says who it is, or that it comes too late.
const streamPrologue = `PATH=$PATH` + path + `; LC_ALL=C; export PATH LC_ALL; cd /
read -r s </proc/$$/stat; read -r u i </proc/uptime; set -- $s
[ "${u%%.*}${u#*.}" -gt %d ] && { echo '%[2]s late' >&2; exit 1; }
printf '%%s %%s %%s %%s\n' %[2]s "$1" "$5" "${22}" >&2; set --; unset s u i
eval %[3]s`

// Stream implements Host.
func (h *SSH) Stream(ctx context.Context, command string, w io.Writer) (Output, error) {
	return h.Feed(ctx, command, nil, w)
}

// Feed implements Host.
func (h *SSH) Feed(ctx context.Context, command string, r io.Reader, w io.Writer) (Output, error) {
	ctx, end, err := h.begin(ctx, 0)
	if err != nil {
		return Output{}, err
	}
	defer end()
	select {
	case h.streams <- struct{}{}:
		defer func() { <-h.streams }()
	case <-ctx.Done():
		return Output{}, h.fail(Deadline, fmt.Sprintf("%d other streams were under way there", maxStreams), ctx.Err())
	}
	l, err := h.connected(ctx)
	if err != nil {
		return Output{}, err
	}
	defer l.release()
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	s := &stream{l: l, out: newSink(w), known: make(chan identity, 1)}
	s.out.onFail = cancel
	return s.run(ctx, command, r)
}

// stream is one command in a session of its own.
type stream struct {
	l      *link
	out    *sink
	stderr tail
	// known gets the identity of the process group on the host; late says that it came too late.
	known chan identity
	late  atomic.Bool
}

// run waits for the command, or until nobody wants it any more.
func (s *stream) run(ctx context.Context, command string, in io.Reader) (Output, error) {
	h := s.l.h
	done := make(chan error, 1)
	h.wg.Go(func() { done <- s.converse(ctx, command, in) })
	var err error
	select {
	case err = <-done:
	case <-ctx.Done():
		s.giveUp()
	}
	failed := s.out.close()
	out := Output{Stderr: s.stderr.String()}
	switch {
	case failed != nil:
		return out, h.fail(Setup, "take the command's output: "+failed.Error(), failed)
	case ctx.Err() != nil:
		return out, h.fail(Deadline, "the command did not end in time", ctx.Err())
	case s.late.Load():
		return out, h.fail(Deadline, "the command reached the host too late and was not run", nil)
	}
	return s.judge(out, err)
}

// judge tells a command that failed from one that could not be run.
func (s *stream) judge(out Output, err error) (Output, error) {
	var exit *ssh.ExitError
	switch {
	case err == nil:
		return out, nil
	case !errors.As(err, &exit):
		s.l.doubt(identity{}, func() {})
		return out, s.l.lost("run command", err)
	}
	out.Exit = exit.ExitStatus()
	if last := out.LastLine(); s.l.h.o.Sudo && out.Exit == 1 && strings.HasPrefix(last, "sudo: ") {
		return out, s.l.h.fail(Sudo, sudoText(last), err)
	}
	return out, nil
}

// giveUp ends what the stream has started on the host, if that can still be spoken to.
func (s *stream) giveUp() {
	var id identity
	select {
	case id = <-s.known:
	default:
	}
	s.l.doubt(id, func() {})
}

// converse does the blocking part. It ends when the session does: by itself, some time after ctx
// has ended, or with the link.
func (s *stream) converse(ctx context.Context, command string, in io.Reader) error {
	token, err := newToken()
	if err != nil {
		return err
	}
	limit := int64(forever)
	if deadline, has := ctx.Deadline(); has {
		limit = s.l.clock.limit(deadline)
	}
	session, err := s.l.client.NewSession()
	if err != nil {
		return err
	}
	hangUp := context.AfterFunc(ctx, func() { _ = session.Close() })
	defer func() {
		if hangUp() {
			_ = session.Close()
		}
	}()
	stdin, err := session.StdinPipe()
	if err != nil {
		return err
	}
	stderr, err := session.StderrPipe()
	if err != nil {
		return err
	}
	session.Stdout = s.out
	if err := session.Start(s.l.h.shellCommand(fmt.Sprintf(streamPrologue, limit, token, Quote(command)))); err != nil {
		return err
	}
	go feed(stdin, in)
	s.hear(stderr, token)
	return session.Wait()
}

// feed hands on what the command is to read. It ends with the session, unless r blocks: then it
// is for r's owner to end that.
func feed(stdin io.WriteCloser, r io.Reader) {
	if r != nil {
		_, _ = io.Copy(stdin, r)
	}
	_ = stdin.Close()
}

// hear takes what comes on standard error, to its end: some noise of the login, the line of the
// prologue, and then what the command says.
func (s *stream) hear(stderr io.Reader, token string) {
	lines := bufio.NewReader(stderr)
	for {
		line, err := lines.ReadString('\n')
		if said, found := strings.CutPrefix(line, token); found {
			s.stderr.reset()
			if words := strings.Fields(said); len(words) == 3 {
				s.known <- identity{words[0], words[1], words[2]}
			} else {
				s.late.Store(true)
			}
			break
		}
		_, _ = io.WriteString(&s.stderr, line)
		if err != nil {
			return
		}
	}
	_, _ = io.Copy(&s.stderr, lines)
}
