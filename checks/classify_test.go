package checks

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"syscall"
	"testing"

	"github.com/go-sql-driver/mysql"

	"mpp"
)

func TestErrorsAreClassified(t *testing.T) {
	dial := func(err error) error {
		return &net.OpError{Op: "dial", Net: "tcp", Err: os.NewSyscallError("connect", err)}
	}
	numbered := func(n uint16, message string) error { return &mysql.MySQLError{Number: n, Message: message} }
	for _, c := range []struct {
		err    error
		kind   mpp.Kind
		status mpp.Status
	}{
		{nil, mpp.KindNone, mpp.OK},
		{dial(syscall.ECONNREFUSED), mpp.KindRefused, mpp.Fail},
		{dial(syscall.ECONNRESET), mpp.KindRefused, mpp.Fail},
		{dial(syscall.ETIMEDOUT), mpp.KindNoAnswer, mpp.Fail},
		{dial(syscall.EHOSTUNREACH), mpp.KindNoAnswer, mpp.Fail},
		{dial(syscall.ENETUNREACH), mpp.KindNoAnswer, mpp.Fail},
		{&net.OpError{Op: "dial", Err: os.ErrDeadlineExceeded}, mpp.KindNoAnswer, mpp.Fail},
		{&net.OpError{Op: "dial", Err: &net.DNSError{Err: "no such host"}}, mpp.KindName, mpp.Fail},
		{&net.OpError{Op: "read", Err: os.ErrDeadlineExceeded}, mpp.KindHung, mpp.Fail},
		{context.DeadlineExceeded, mpp.KindHung, mpp.Fail},
		{&net.OpError{Op: "read", Err: syscall.ECONNRESET}, mpp.KindLost, mpp.Fail},
		{io.EOF, mpp.KindLost, mpp.Fail},
		{driver.ErrBadConn, mpp.KindLost, mpp.Fail},
		{mysql.ErrInvalidConn, mpp.KindLost, mpp.Fail},
		{mysql.ErrNoTLS, mpp.KindTLS, mpp.Critical},
		{errors.New("tls: handshake failure"), mpp.KindTLS, mpp.Critical},
		{mysql.ErrUnknownPlugin, mpp.KindAccessDenied, mpp.Critical},
		{errors.New("odd"), mpp.KindUnexpected, mpp.Fail},
		{numbered(1045, ""), mpp.KindAccessDenied, mpp.Critical},
		{numbered(1044, ""), mpp.KindAccessDenied, mpp.Critical},
		{numbered(1226, ""), mpp.KindAccessDenied, mpp.Critical},
		{numbered(3118, ""), mpp.KindAccessDenied, mpp.Critical},
		{numbered(4151, ""), mpp.KindAccessDenied, mpp.Critical},
		{numbered(1862, ""), mpp.KindAccessDenied, mpp.Critical},
		{numbered(1820, ""), mpp.KindAccessDenied, mpp.Critical},
		{numbered(1524, ""), mpp.KindAccessDenied, mpp.Critical},
		{numbered(1040, ""), mpp.KindTooManyConnections, mpp.Critical},
		{numbered(1203, ""), mpp.KindTooManyConnections, mpp.Critical},
		{numbered(1129, ""), mpp.KindHostBlocked, mpp.Critical},
		{numbered(1130, ""), mpp.KindHostBlocked, mpp.Critical},
		{numbered(1053, ""), mpp.KindShuttingDown, mpp.Fail},
		{numbered(3032, ""), mpp.KindShuttingDown, mpp.Fail},
		{numbered(1927, ""), mpp.KindLost, mpp.Fail},
		{numbered(1227, ""), mpp.KindPrivilege, mpp.Critical},
		{numbered(1142, ""), mpp.KindPrivilege, mpp.Critical},
		{numbered(1095, ""), mpp.KindPrivilege, mpp.Critical},
		{numbered(1290, "--super-read-only"), mpp.KindReadOnly, mpp.Critical},
		{numbered(1792, ""), mpp.KindReadOnly, mpp.Critical},
		{numbered(1836, ""), mpp.KindReadOnly, mpp.Critical},
		{numbered(1036, "Table 'heartbeat' is read only"), mpp.KindReadOnly, mpp.Critical},
		{numbered(1205, ""), mpp.KindReadLock, mpp.Warn},
		{numbered(1969, ""), mpp.KindHung, mpp.Fail},
		{numbered(3024, ""), mpp.KindHung, mpp.Fail},
		{numbered(1021, "Disk full (/tmp)"), mpp.KindDiskFull, mpp.Fail},
		{numbered(1114, "The table 'heartbeat' is full"), mpp.KindDiskFull, mpp.Fail},
		{numbered(1030, `Got error 28 "No space left on device" from storage engine InnoDB`), mpp.KindDiskFull, mpp.Fail},
		{numbered(3, `Error writing file './binlog' (Errcode: 28 "No space left on device")`), mpp.KindDiskFull, mpp.Fail},
		{numbered(1026, `Error writing file 'x' (errno: 30 "Read-only file system")`), mpp.KindReadOnlyFS, mpp.Fail},
		{numbered(1030, "Got error 30 from storage engine"), mpp.KindReadOnlyFS, mpp.Fail},
		{numbered(1030, "Got error 168 from storage engine"), mpp.KindSQL, mpp.Fail},
		{numbered(1047, "WSREP has not yet prepared node"), mpp.KindCluster, mpp.Fail},
		{numbered(1064, ""), mpp.KindSQL, mpp.Fail},
		{numbered(1146, ""), mpp.KindSQL, mpp.Fail},
	} {
		var number uint16
		var me *mysql.MySQLError
		if errors.As(c.err, &me) {
			number = me.Number
		}
		for _, err := range []error{c.err, wrapped(c.err)} {
			kind, errno := Classify(err)
			if kind != c.kind || errno != number || statusOf(kind) != c.status {
				t.Errorf("%v is %q %d %s, want %q %d %s", err, kind, errno, statusOf(kind), c.kind, number, c.status)
			}
		}
	}
}

func wrapped(err error) error {
	if err == nil {
		return nil
	}
	return fmt.Errorf("ask node: %w", err)
}

func TestLocalTroubleIsNotTheNodes(t *testing.T) {
	for errno, local := range map[syscall.Errno]bool{
		syscall.EMFILE: true, syscall.EADDRNOTAVAIL: true, syscall.EPERM: true,
		syscall.ECONNREFUSED: false, syscall.ETIMEDOUT: false, syscall.EHOSTUNREACH: false,
	} {
		err := &net.OpError{Op: "dial", Err: os.NewSyscallError("connect", errno)}
		if isLocal(err) != local {
			t.Errorf("%v: local %v, want %v", err, !local, local)
		}
		if f := judgeLogin(&loginError{err: err}); local && !f.kind.Unreachable() {
			t.Errorf("%v is %q: it says nothing of the node", err, f.kind)
		}
	}
}

func TestMessagesAreShortLines(t *testing.T) {
	long := ""
	for range 200 {
		long += "ünd so\nweiter\t"
	}
	got := describe(&mysql.MySQLError{Number: 1, Message: long})
	if len(got) > maxMessage+3 {
		t.Errorf("%d bytes", len(got))
	}
	for _, r := range got {
		if r == '\n' || r == '\t' || r == '\uFFFD' {
			t.Errorf("%q in %q", r, got)
		}
	}
}
