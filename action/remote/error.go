package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"syscall"
	"time"
)

// Kind says what went wrong, for those who must do different things about it.
type Kind string

// The kinds of errors.
const (
	// Unreachable: no connection: refused, no route, no answer in time, name unknown.
	Unreachable Kind = "unreachable"
	// Deadline: the call's time was up; what the command did is unknown.
	Deadline Kind = "deadline"
	// Lost: the connection broke in the middle; what the command did is unknown.
	Lost Kind = "lost"
	// HostKey: the host's key is not the one in known_hosts, or none is there for it.
	HostKey Kind = "host-key"
	// Auth: the host does not take the key.
	Auth Kind = "auth"
	// Sudo: sudo asks for a password, or does not allow it, or is not there.
	Sudo Kind = "sudo"
	// Setup: anything else that somebody has to put right: a file that cannot be read, an
	// account without a shell, too much output.
	Setup Kind = "setup"
	// Closed: the Host was closed.
	Closed Kind = "closed"
)

// Error is why a command was not run, or not to its end.
type Error struct {
	Kind Kind
	// Host is the host's name as in String.
	Host string
	// Text says in one line what is wrong and, where that is known, what to do about it.
	Text string
	// Err is the cause; may be nil.
	Err error
}

func (e *Error) Error() string { return e.Host + ": " + e.Text }

func (e *Error) Unwrap() error { return e.Err }

// NoAnswer reports whether err says that the host did not answer, so that nothing is known of it.
func NoAnswer(err error) bool {
	var e *Error
	return errors.As(err, &e) && (e.Kind == Unreachable || e.Kind == Deadline || e.Kind == Lost)
}

// errNotStarted marks an error after which the command may be sent once more: the host said
// nothing of it, or that it came too late.
var errNotStarted = errors.New("the command was not started")

// dialError says in words why there is no TCP connection.
func dialError(err error, limit time.Duration) string {
	var dns *net.DNSError
	switch {
	case errors.As(err, &dns) && dns.IsNotFound:
		return "its name is not known to the resolver"
	case errors.Is(err, syscall.ECONNREFUSED):
		return "connection refused: no sshd listens there"
	case timedOut(err):
		return fmt.Sprintf("no answer within %v", limit)
	default:
		return err.Error()
	}
}

// timedOut reports whether err comes from a deadline, or from a connection that was closed
// because of one.
func timedOut(err error) bool {
	return errors.Is(err, context.DeadlineExceeded) || errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, net.ErrClosed)
}
