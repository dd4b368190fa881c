package native

import (
	"context"
	"errors"
	"fmt"
	"regexp"
	"strings"

	"github.com/go-sql-driver/mysql"
)

// refusal is a step that was not done because it would do harm.
type refusal struct{ why string }

func (e *refusal) Error() string { return "refused: " + e.why }

func refuse(format string, args ...any) error { return &refusal{fmt.Sprintf(format, args...)} }

// silence is an error of a server that answers nothing at all.
type silence struct{ err error }

func (e *silence) Error() string { return e.err.Error() }
func (e *silence) Unwrap() error { return e.err }

// answered reports whether an error is the server's own word.
func answered(err error) bool {
	var me *mysql.MySQLError
	return errors.As(err, &me)
}

// number is the server's error number, 0 when the error is not the server's.
func number(err error) uint16 {
	var me *mysql.MySQLError
	if errors.As(err, &me) {
		return me.Number
	}
	return 0
}

// lost reports whether a connection broke that had worked: the server may be there still, or again.
func lost(err error) bool {
	var login *loginError
	var quiet *silence
	switch {
	case err == nil, errors.As(err, &login), errors.As(err, &quiet), errors.Is(err, context.DeadlineExceeded), errors.Is(err, context.Canceled):
		return false
	case answered(err):
		return endsSession(number(err))
	default:
		return errors.Is(err, mysql.ErrInvalidConn) || isConnection(err)
	}
}

// isConnection reports whether an error comes from the network.
func isConnection(err error) bool {
	text := err.Error()
	for _, sign := range []string{"bad connection", "broken pipe", "connection reset", "EOF", "closed network connection"} {
		if strings.Contains(text, sign) {
			return true
		}
	}
	return false
}

// unreachable reports whether an error says that the node did not answer.
func unreachable(err error) bool {
	var login *loginError
	var quiet *silence
	var no *refusal
	switch {
	case err == nil, answered(err), errors.As(err, &no):
		return false
	case errors.As(err, &quiet), errors.As(err, &login):
		return true
	default:
		return lost(err)
	}
}

// maxText bounds what is shown of an error, in bytes.
const maxText = 500

// secret finds what a server quotes of a statement that it did not understand.
var secret = regexp.MustCompile(`(?is)(near|PASSWORD\s*=)\s*'.*'`)

// describe makes one line of an error. The part of a statement that a server quotes is left out:
// it may hold a password.
func describe(err error) string {
	text := err.Error()
	var me *mysql.MySQLError
	if errors.As(err, &me) {
		text = strings.Replace(text, me.Error(), fmt.Sprintf("error %d: %s", me.Number, me.Message), 1)
	}
	return oneLine(secret.ReplaceAllString(text, "$1 '...'"))
}

// oneLine cuts a text to one line of bounded length.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxText {
		text = strings.ToValidUTF8(text[:maxText], "") + "..."
	}
	return text
}
