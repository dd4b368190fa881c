package checks

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"time"

	"github.com/go-sql-driver/mysql"

	servers "mpp/link"
)

// link is one logged-in MySQL connection.
type link struct {
	conn   driver.Conn
	wire   *wire
	opened time.Time
	took   time.Duration
}

// loginError is a login that failed, with how far it had come.
type loginError struct {
	err  error
	wire *wire // nil: no TCP connection
	took time.Duration
}

func (e *loginError) Error() string { return e.err.Error() }
func (e *loginError) Unwrap() error { return e.err }

// quiet keeps the driver from logging: everything it has to say comes back as an error.
type quiet struct{}

func (quiet) Print(...any) {}

// connector makes a driver configuration for an address of the node.
func (o *Options) connector(address string) (driver.Connector, error) {
	cfg := mysql.NewConfig()
	cfg.User, cfg.Passwd = o.User, o.Password
	cfg.Net, cfg.Addr = "tcp", address
	cfg.DialFunc = dial
	cfg.Logger = quiet{}
	cfg.MultiStatements = true
	cfg.CheckConnLiveness = false
	cfg.Timeout = o.ConnectLimit
	cfg.ConnectionAttributes = "program_name:mpp"
	var err error
	if cfg.TLS, err = o.TLS.Config(address); err != nil {
		return nil, err
	}
	if cfg.TLS != nil && (o.TLS.Mode == servers.TLSPreferred || o.TLS.Mode == "") {
		cfg.AllowFallbackToPlaintext = true
		// To fall back, the driver changes the configuration it was given; with this it
		// changes a copy, and tries TLS again next time.
		keep := func(context.Context, *mysql.Config) error { return nil }
		if err := cfg.Apply(mysql.BeforeConnect(keep)); err != nil {
			return nil, fmt.Errorf("configure connection: %w", err)
		}
	}
	c, err := mysql.NewConnector(cfg)
	if err != nil {
		return nil, fmt.Errorf("configure connection: %w", err)
	}
	return c, nil
}

// login connects and logs in, within ctx and limit.
func login(ctx context.Context, c driver.Connector, limit time.Duration) (l *link, failed *loginError) {
	begin := time.Now()
	var w *wire
	ctx, cancel := context.WithTimeout(context.WithValue(ctx, wireKey{}, &w), limit)
	defer cancel()
	defer func() {
		// The driver indexes into a greeting that is not MySQL's without looking.
		if r := recover(); r != nil {
			l, failed = nil, &loginError{fmt.Errorf("read greeting: %v", r), w, time.Since(begin)}
			if w != nil {
				_ = w.Close()
			}
		}
	}()
	conn, err := c.Connect(ctx)
	took := time.Since(begin)
	if err != nil {
		// The driver reports its own closing of the connection as the error; what it was
		// closed for is that time was up.
		if ctx.Err() != nil && (w == nil || !w.spoke || isTimeout(ctx.Err())) {
			err = fmt.Errorf("%w (%w)", ctx.Err(), err)
		}
		return nil, &loginError{err, w, took}
	}
	return &link{conn: conn, wire: w, opened: begin, took: took}, nil
}

// query runs one statement; the answer must be read before the wire's deadline.
func (l *link) query(sql string) (driver.Rows, error) {
	// The background context keeps the driver from waking its watching goroutine twice a
	// statement: the wire's deadline is what ends a read.
	return l.conn.(driver.QueryerContext).QueryContext(context.Background(), sql, nil)
}

// exec runs one statement that has no rows.
func (l *link) exec(sql string) error {
	_, err := l.conn.(driver.ExecerContext).ExecContext(context.Background(), sql, nil)
	return err
}

// QueryContext lets replication.Probe ask over the link.
func (l *link) QueryContext(_ context.Context, sql string, _ []driver.NamedValue) (driver.Rows, error) {
	return l.query(sql)
}

// ask runs one statement and reads its only result with read.
func (l *link) ask(sql string, read func(driver.Rows) error) error {
	rows, err := l.query(sql)
	if err != nil {
		return err
	}
	if err := read(rows); err != nil {
		_ = rows.Close()
		return err
	}
	return rows.Close()
}

// until sets the time by which what follows must be over.
func (l *link) until(deadline time.Time) { l.wire.until(deadline) }

// close ends the session properly, as far as that goes without waiting.
func (l *link) close() {
	if l == nil {
		return
	}
	_ = l.wire.SetDeadline(time.Now().Add(quitLimit))
	_ = l.conn.Close()
}

// quitLimit bounds the sending of a farewell, which only ever waits when the server has stopped
// reading and the send buffer is full.
const quitLimit = 5 * time.Millisecond

// cut closes the connection without a word.
func (l *link) cut() {
	if l == nil {
		return
	}
	l.wire.expire()
	_ = l.conn.Close()
}

// drain reads a result to its end without keeping anything.
func drain(rows driver.Rows) error {
	for {
		if err := rows.Next(nil); errors.Is(err, io.EOF) {
			return nil
		} else if err != nil {
			return err
		}
	}
}
