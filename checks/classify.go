package checks

import (
	"context"
	"crypto/tls"
	"crypto/x509"
	"database/sql/driver"
	"errors"
	"io"
	"net"
	"os"
	"regexp"
	"strings"
	"syscall"

	"github.com/go-sql-driver/mysql"

	"mpp"
)

// finding is what a check found, before it is dressed up as an mpp.CheckResult.
type finding struct {
	status  mpp.Status
	kind    mpp.Kind
	errno   uint16
	message string
}

// Classify names the kind of trouble that an error stands for, and the server's error number,
// 0 when it is not the server's. It looks at the error alone: what a broken connection means
// depends on how far it had come, which only the login knows. KindNone stands for no error.
func Classify(err error) (mpp.Kind, uint16) {
	if err == nil {
		return mpp.KindNone, 0
	}
	var me *mysql.MySQLError
	if errors.As(err, &me) {
		return classifyNumber(me.Number, me.Message), me.Number
	}
	return classifyConnection(err), 0
}

// classifyConnection classifies what is not an answer of the server.
func classifyConnection(err error) mpp.Kind {
	var dns *net.DNSError
	var op *net.OpError
	switch {
	case errors.As(err, &dns):
		return mpp.KindName
	case isTLS(err):
		return mpp.KindTLS
	case isAuthPlugin(err):
		return mpp.KindAccessDenied
	case errors.As(err, &op) && op.Op == "dial":
		if errors.Is(err, syscall.ECONNREFUSED) || errors.Is(err, syscall.ECONNRESET) {
			return mpp.KindRefused
		}
		return mpp.KindNoAnswer
	case errors.Is(err, syscall.ECONNREFUSED):
		return mpp.KindRefused
	case isTimeout(err):
		return mpp.KindHung
	case errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF), errors.Is(err, net.ErrClosed),
		errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE), errors.Is(err, syscall.ECONNABORTED),
		errors.Is(err, driver.ErrBadConn), errors.Is(err, mysql.ErrInvalidConn):
		return mpp.KindLost
	default:
		return mpp.KindUnexpected
	}
}

// classifyNumber classifies an error number of the server.
func classifyNumber(number uint16, message string) mpp.Kind {
	switch number {
	case 1044, 1045, 1226, 1251, 1524, 1698, 1820, 1862, 3118, 3955, 4151:
		return mpp.KindAccessDenied
	case 1040, 1203:
		return mpp.KindTooManyConnections
	case 1129, 1130:
		return mpp.KindHostBlocked
	case 1053, 3032: // shutting down, offline_mode
		return mpp.KindShuttingDown
	case 3159: // require_secure_transport
		return mpp.KindTLS
	case 1927, 3169, 4031: // the session was killed, or closed for being idle
		return mpp.KindLost
	case 1095, 1142, 1143, 1227, 1370:
		return mpp.KindPrivilege
	case 1015, 1036, 1290, 1792, 1836:
		return mpp.KindReadOnly
	case 1205, 1223:
		return mpp.KindReadLock
	case 1969, 3024: // max_statement_time, max_execution_time
		return mpp.KindHung
	case 1021, 1114:
		return mpp.KindDiskFull
	case 1047, 3100:
		return mpp.KindCluster
	default:
		return classifyOS(message)
	}
}

// osErrno finds the operating system's error number in a server's message, such as in
// "Got error 28 "No space left on device" from storage engine InnoDB" or "(Errcode: 30 ...".
var osErrno = regexp.MustCompile(`(?i)(?:got error|errcode:|errno:|error:) *(\d+)`)

// classifyOS classifies errors that wrap one of the operating system: writing a file (3, 1026),
// a storage engine (1030), a binary log (1598), and so on.
func classifyOS(message string) mpp.Kind {
	errno := ""
	if m := osErrno.FindStringSubmatch(message); m != nil {
		errno = m[1]
	}
	lower := strings.ToLower(message)
	switch {
	case errno == "28", strings.Contains(lower, "no space left"), strings.Contains(lower, "disk full"):
		return mpp.KindDiskFull
	case errno == "30", strings.Contains(lower, "read-only file system"):
		return mpp.KindReadOnlyFS
	default:
		return mpp.KindSQL
	}
}

// isTLS reports whether an error is of a TLS handshake.
func isTLS(err error) bool {
	var (
		verify  *tls.CertificateVerificationError
		record  tls.RecordHeaderError
		alert   tls.AlertError
		unknown x509.UnknownAuthorityError
		host    x509.HostnameError
		invalid x509.CertificateInvalidError
	)
	return errors.Is(err, mysql.ErrNoTLS) || errors.As(err, &verify) || errors.As(err, &record) ||
		errors.As(err, &alert) || errors.As(err, &unknown) || errors.As(err, &host) || errors.As(err, &invalid) ||
		strings.Contains(err.Error(), "tls: ") // the rest of package tls has no types
}

// isAuthPlugin reports whether the server asked for a way to log in that the driver refuses.
func isAuthPlugin(err error) bool {
	return errors.Is(err, mysql.ErrCleartextPassword) || errors.Is(err, mysql.ErrNativePassword) ||
		errors.Is(err, mysql.ErrOldPassword) || errors.Is(err, mysql.ErrUnknownPlugin)
}

func isTimeout(err error) bool {
	return errors.Is(err, os.ErrDeadlineExceeded) || errors.Is(err, context.DeadlineExceeded)
}

// statusOf is what a kind of trouble in a reach check amounts to. The server that sends an error
// about this account, this host or its limits lives, and serves others: that is CRITICAL.
func statusOf(kind mpp.Kind) mpp.Status {
	switch kind {
	case mpp.KindNone:
		return mpp.OK
	case mpp.KindReadLock:
		return mpp.Warn
	case mpp.KindAccessDenied, mpp.KindTooManyConnections, mpp.KindHostBlocked, mpp.KindTLS,
		mpp.KindPrivilege, mpp.KindReadOnly:
		return mpp.Critical
	default:
		return mpp.Fail
	}
}

// ofError is the finding that an error of a statement makes.
func ofError(err error) finding {
	kind, errno := Classify(err)
	f := finding{statusOf(kind), kind, errno, describe(err)}
	if errno == 3032 {
		f.message = "the server is in offline mode: " + f.message
	}
	return f
}

// maxMessage bounds what is shown of a server's message, in bytes.
const maxMessage = 300

// describe makes one short line of an error.
func describe(err error) string {
	var me *mysql.MySQLError
	text := ""
	if errors.As(err, &me) {
		text = "error " + itoa(int64(me.Number)) + ": " + me.Message
	} else {
		text = err.Error()
	}
	return oneLine(text)
}

// oneLine cuts a text to one line of bounded length.
func oneLine(text string) string {
	text = strings.Join(strings.Fields(text), " ")
	if len(text) > maxMessage {
		text = strings.ToValidUTF8(text[:maxMessage], "") + "..."
	}
	return text
}
