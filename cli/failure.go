package cli

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"strings"
	"syscall"

	"mpp/publish/api/client"
)

// The exit codes, as `mpp help exit-codes` and docs/cli.md explain them.
const (
	// ExitOK: done, or all is well.
	ExitOK = 0
	// ExitNotOK: the answer is that something is not well.
	ExitNotOK = 1
	// ExitUsage: the command line was wrong; nothing was asked of the daemon, nothing done.
	ExitUsage = 2
	// ExitUnreachable: the daemon did not answer, or did not let this user in.
	ExitUnreachable = 3
	// ExitRefused: the daemon understood and refused.
	ExitRefused = 4
	// ExitTrouble: anything else went wrong: a file, an answer that makes no sense.
	ExitTrouble = 5
	// ExitInterrupted: ended by Ctrl-C or SIGTERM before it was done.
	ExitInterrupted = 130
)

// failure is an error with its exit code and, perhaps, the way out.
type failure struct {
	code int
	text string
	// hint says what to do; empty for none. It may have several lines.
	hint string
	// silent says that stdout has told it all already.
	silent bool
}

// Error returns the text without the hint.
func (f *failure) Error() string { return f.text }

// lines is what is printed of it: the text, and below it the hint.
func (f *failure) lines() string {
	text := strings.TrimRight(f.text+"\n"+f.hint, "\n")
	var b strings.Builder
	lead := "mpp: "
	for line := range strings.Lines(text) {
		b.WriteString(lead + strings.TrimLeft(clean(line), " ") + "\n")
		lead = "  "
	}
	return b.String()
}

// notOK ends a command whose output has said what is not well.
func notOK() error { return &failure{code: ExitNotOK, text: "not OK", silent: true} }

func usagef(hint, format string, args ...any) error {
	return &failure{code: ExitUsage, text: fmt.Sprintf(format, args...), hint: hint}
}

// judge turns any error into a failure.
func (e *env) judge(err error) *failure {
	var f *failure
	var said *client.Refusal
	if errors.As(err, &f) {
		return f
	}
	if errors.As(err, &said) {
		return &failure{code: codeOf(said), text: said.Text, hint: hintOf(said)}
	}
	switch {
	case errors.Is(err, context.Canceled):
		return &failure{code: ExitInterrupted, text: "interrupted"}
	case errors.Is(err, context.DeadlineExceeded):
		return &failure{
			code: ExitUnreachable, text: fmt.Sprintf("mppd at %s gave no answer within %s", e.target(), e.timeout),
			hint: "it may be stuck: journalctl -u mppd; or allow more with --timeout",
		}
	case errors.Is(err, client.ErrDenied), errors.Is(err, client.ErrUnreachable):
		return e.unreachable(err)
	case errors.Is(err, client.ErrRefused):
		return &failure{code: ExitRefused, text: err.Error()}
	default:
		return &failure{code: ExitTrouble, text: err.Error()}
	}
}

// hintOf is the daemon's hint, for people who type commands instead of HTTP headers.
func hintOf(said *client.Refusal) string {
	if said.Status == http.StatusUnauthorized && strings.Contains(said.Text, "need the token") {
		return "give --token-file FILE or set MPP_TOKEN_FILE"
	}
	return said.Hint
}

// codeOf sorts what the daemon said into the exit codes.
func codeOf(said *client.Refusal) int {
	switch {
	case said.Foreign: // whatever it meant by its status
		return ExitTrouble
	case errors.Is(said, client.ErrDenied), errors.Is(said, client.ErrUnreachable), errors.Is(said, context.DeadlineExceeded):
		return ExitUnreachable
	case errors.Is(said, client.ErrNotFound):
		return ExitUsage
	case said.Status >= http.StatusInternalServerError:
		return ExitTrouble
	default:
		return ExitRefused
	}
}

// unreachable words why nobody answered, and what to look at.
func (e *env) unreachable(err error) *failure {
	target := e.target()
	f := &failure{code: ExitUnreachable, text: err.Error()}
	var cause syscall.Errno
	if !errors.As(err, &cause) {
		if strings.Contains(f.text, "malformed HTTP") || strings.Contains(f.text, "malformed MIME") {
			f.code, f.hint = ExitTrouble, "something else than mppd listens there"
		}
		return f
	}
	f.text = fmt.Sprintf("cannot reach mppd at %s: %s", target, cause)
	switch {
	case target.URL != "":
		f.hint = "does mppd run there, and does it listen on TCP? (api.listen in its configuration)"
	case errors.Is(cause, fs.ErrPermission):
		f.hint = "run it as root, or become a member of the socket's group"
	case errors.Is(cause, fs.ErrNotExist):
		f.hint = "does mppd run? systemctl status mppd; another socket: --socket or MPP_SOCKET"
	case cause == syscall.ECONNREFUSED:
		f.hint = "the socket is there and nobody listens, so mppd has ended: systemctl status mppd"
	default:
		f.hint = "does mppd run? systemctl status mppd"
	}
	return f
}
