package lab

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"net"
	"os"
	"strconv"
	"sync/atomic"
	"syscall"
	"time"

	"github.com/go-sql-driver/mysql"

	"mpp/sandbox"
)

// session is one connection to one server, made from a host. It is used by one goroutine.
// It is the driver's own, since database/sql would connect anew behind one's back.
type session struct {
	conn   driver.Conn
	server uint32
	since  time.Time
}

// dial connects from a host and asks whom it has reached. Meanwhile it is counted in
// accepted, from when a server has accepted it.
func (w *Writer) dial(ctx context.Context, from *Host, accepted *atomic.Int32) (*session, error) {
	ctx, cancel := context.WithTimeout(ctx, w.o.ConnectTimeout)
	defer cancel()
	s, err := from.login(ctx, w.target(), w.o.Pool.App, func() {
		accepted.Add(1)
		context.AfterFunc(ctx, func() { accepted.Add(-1) })
	})
	if err != nil {
		return nil, err
	}
	rows, err := s.query(ctx, "SELECT @@server_id")
	if err != nil {
		s.close()
		return nil, err
	}
	id, err := strconv.ParseUint(rows[0][0], 10, 32)
	if err != nil {
		s.close()
		return nil, fmt.Errorf("ask for the server's id: %w", err)
	}
	s.server = uint32(id)
	return s, nil
}

// dialPatiently is dial, again and again until ctx ends. The error is the last one that
// says more than that there was no answer, if there was any.
func (w *Writer) dialPatiently(ctx context.Context, from *Host) (s *session, err error) {
	var telling error
	err = sandbox.Eventually(ctx, attemptEvery, func(ctx context.Context) error {
		var err error
		if s, err = w.dial(ctx, from, &atomic.Int32{}); err != nil && errorKind(err) != noAnswer {
			telling = err
		}
		return err
	})
	if err != nil && telling != nil {
		err = telling
	}
	if err != nil {
		return nil, fmt.Errorf("%w: %w", errNobody, err)
	}
	return s, nil
}

// login connects to a server as an account, and calls accepted between the two.
func (h *Host) login(ctx context.Context, address string, account sandbox.Account, accepted func()) (*session, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd, cfg.Net, cfg.Addr = account.User, account.Password, "tcp", address
	cfg.InterpolateParams = true // one round trip a row
	cfg.Logger = &mysql.NopLogger{}
	cfg.DialFunc = func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := h.Dial(ctx, network, address)
		if err == nil {
			accepted()
		}
		return conn, err
	}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("log in from %s: %w", h.Name, err)
	}
	conn, err := connector.Connect(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = ctx.Err() // the driver says "invalid connection" for it
		}
		return nil, fmt.Errorf("log in from %s: %w", h.Name, err)
	}
	return &session{conn: conn, since: time.Now()}, nil
}

// close ends the session; a nil one has ended.
func (s *session) close() {
	if s != nil {
		_ = s.conn.Close() // it may be broken
	}
}

// exec runs a statement.
func (s *session) exec(ctx context.Context, statement string, args ...driver.NamedValue) error {
	execer, ok := s.conn.(driver.ExecerContext)
	if !ok {
		return errors.New("the driver cannot execute with a context")
	}
	_, err := execer.ExecContext(ctx, statement, args)
	if err != nil && ctx.Err() != nil {
		err = ctx.Err()
	}
	if err != nil {
		return fmt.Errorf("execute statement: %w", err)
	}
	return nil
}

// insert writes one row.
func (s *session) insert(ctx context.Context, run int64, writer int, seq int64) error {
	return s.exec(ctx, "INSERT INTO app.lab_writes (run, writer, seq, server) VALUES (?, ?, ?, @@server_id)",
		driver.NamedValue{Ordinal: 1, Value: run}, driver.NamedValue{Ordinal: 2, Value: int64(writer)},
		driver.NamedValue{Ordinal: 3, Value: seq})
}

// query returns all rows of a query as text.
func (s *session) query(ctx context.Context, query string) ([][]string, error) {
	querier, ok := s.conn.(driver.QueryerContext)
	if !ok {
		return nil, errors.New("the driver cannot query with a context")
	}
	rows, err := querier.QueryContext(ctx, query, nil)
	if err != nil {
		return nil, fmt.Errorf("query: %w", err)
	}
	defer rows.Close()
	var all [][]string
	values := make([]driver.Value, len(rows.Columns()))
	for {
		err := rows.Next(values)
		if errors.Is(err, io.EOF) {
			return all, nil
		}
		if err != nil {
			return nil, fmt.Errorf("read rows: %w", err)
		}
		row := make([]string, len(values))
		for i, v := range values {
			switch v := v.(type) {
			case []byte:
				row[i] = string(v)
			default:
				row[i] = fmt.Sprint(v)
			}
		}
		all = append(all, row)
	}
}

// noAnswer is the kind of errors that say nothing but that time is up.
const noAnswer = "no answer"

// errorKind names what went wrong, the same for all errors of a kind.
func errorKind(err error) string {
	var answer *mysql.MySQLError
	var network net.Error
	switch {
	case errors.As(err, &answer):
		return serverErrorKind(answer.Number)
	case errors.Is(err, context.DeadlineExceeded), errors.Is(err, os.ErrDeadlineExceeded):
		return noAnswer
	case errors.Is(err, syscall.ECONNREFUSED):
		return "refused"
	case errors.Is(err, syscall.ECONNRESET), errors.Is(err, syscall.EPIPE):
		return "reset"
	case errors.Is(err, syscall.EHOSTUNREACH), errors.Is(err, syscall.ENETUNREACH):
		return "unreachable"
	case errors.As(err, &network) && network.Timeout():
		return noAnswer
	case errors.Is(err, mysql.ErrInvalidConn), errors.Is(err, driver.ErrBadConn), errors.Is(err, io.EOF), errors.Is(err, io.ErrUnexpectedEOF):
		return "connection lost"
	default:
		return "other: " + err.Error()
	}
}

// serverErrorKind names an error that a server answered with.
func serverErrorKind(number uint16) string {
	names := map[uint16]string{
		1040: "too many connections", 1044: "access denied", 1045: "access denied", 1053: "shutting down",
		1129: "host blocked", 1205: "lock wait", 1290: "read-only", 1836: "read-only", 3032: "offline mode",
		1927: "killed", 1317: "killed", 3118: "account locked", 4151: "account locked",
	}
	if name := names[number]; name != "" {
		return fmt.Sprintf("%s (%d)", name, number)
	}
	return fmt.Sprintf("error %d", number)
}
