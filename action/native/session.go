package native

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"time"

	"github.com/go-sql-driver/mysql"

	"mpp/replication"
)

// session is one connection, logged in, whose server is known. It belongs to one goroutine at a
// time. A statement whose context ends takes the connection with it.
type session struct {
	conn    driver.Conn
	id      uint64
	dialect *replication.Dialect
	logBase string
	broken  bool
}

// lockLimit is how long a statement of a session waits for locks: the shortest that servers
// know. Whoever wants to wait longer asks again, and has a look in between.
const lockLimit = time.Second

// idleLimit is after how long without a statement the server ends a session: well over the time
// between two tries, short enough that a manager which vanished leaves nothing behind for long.
const idleLimit = 10 * time.Minute

// login connects, logs in and asks the server what it can do.
func login(ctx context.Context, c driver.Connector) (s *session, err error) {
	defer func() {
		// The driver indexes into a greeting that is not MySQL's without looking.
		if r := recover(); r != nil {
			err = fmt.Errorf("read greeting: %v", r)
		}
	}()
	conn, err := c.Connect(ctx)
	if err != nil {
		if ctx.Err() != nil {
			err = fmt.Errorf("%w (%w)", ctx.Err(), err)
		}
		return nil, &loginError{err}
	}
	s = &session{conn: conn}
	if err := s.prepare(ctx); err != nil {
		s.cut()
		return nil, &loginError{err}
	}
	return s, nil
}

// loginError is a login that failed.
type loginError struct{ err error }

func (e *loginError) Error() string { return "log in: " + e.err.Error() }
func (e *loginError) Unwrap() error { return e.err }

func (s *session) prepare(ctx context.Context) error {
	d, err := replication.Probe(ctx, s.conn.(driver.QueryerContext))
	if err != nil {
		return err
	}
	s.dialect = d
	if err := s.exec(ctx, d.WorkSQL(lockLimit, idleLimit)); err != nil {
		return fmt.Errorf("set session variables: %w", err)
	}
	id, err := s.count(ctx, replication.ConnectionSQL)
	if err != nil {
		return err
	}
	s.id = uint64(id)
	s.logBase, err = s.text(ctx, replication.LogBaseSQL)
	return err
}

// exec runs one statement that has no rows.
func (s *session) exec(ctx context.Context, sql string) error {
	_, err := s.conn.(driver.ExecerContext).ExecContext(ctx, sql, nil)
	return s.judge(ctx, err)
}

// say runs the spelling that the server knows.
func (s *session) say(ctx context.Context, spellings replication.Spellings) error {
	var err error
	for _, sql := range spellings {
		if err = s.exec(ctx, sql); !replication.UnknownGrammar(err) {
			return err
		}
	}
	return err
}

// ask runs one statement and reads its only result with read.
func (s *session) ask(ctx context.Context, sql string, read func(driver.Rows) error) error {
	rows, err := s.conn.(driver.QueryerContext).QueryContext(ctx, sql, nil)
	if err != nil {
		return s.judge(ctx, err)
	}
	err = read(rows)
	if closing := rows.Close(); err == nil {
		err = closing
	}
	return s.judge(ctx, err)
}

// count asks for a single number, text for a single text.
func (s *session) count(ctx context.Context, sql string) (n int64, err error) {
	err = s.ask(ctx, sql, func(rows driver.Rows) (err error) {
		n, err = replication.ReadCount(rows)
		return err
	})
	return n, err
}

func (s *session) text(ctx context.Context, sql string) (text string, err error) {
	err = s.ask(ctx, sql, func(rows driver.Rows) (err error) {
		text, err = replication.ReadText(rows)
		return err
	})
	return text, err
}

// judge notes when an error ended the connection, and says when it was for lack of time.
func (s *session) judge(ctx context.Context, err error) error {
	if err == nil {
		return nil
	}
	var me *mysql.MySQLError
	if errors.As(err, &me) {
		s.broken = s.broken || endsSession(me.Number)
		return err
	}
	s.broken = true
	if ctx.Err() != nil && !errors.Is(err, ctx.Err()) {
		err = fmt.Errorf("%w (%w)", ctx.Err(), err)
	}
	return err
}

// endsSession reports whether an error of the server is the last that a session hears: shutting
// down, offline mode, killed, idle for too long.
func endsSession(number uint16) bool {
	switch number {
	case 1053, 1927, 3032, 3169, 4031:
		return true
	default:
		return false
	}
}

// fresh reports whether the server still has the other end of the connection, without asking it.
func (s *session) fresh(ctx context.Context) bool {
	return !s.broken && s.conn.(driver.SessionResetter).ResetSession(ctx) == nil
}

// ping asks for a sign of life.
func (s *session) ping(ctx context.Context) error {
	return s.judge(ctx, s.conn.(driver.Pinger).Ping(ctx))
}

// cut ends the connection. The driver's farewell is sent without waiting for an answer.
func (s *session) cut() {
	s.broken = true
	_ = s.conn.Close()
}
