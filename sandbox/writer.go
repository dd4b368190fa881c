package sandbox

import (
	"context"
	"database/sql"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/go-sql-driver/mysql"
)

// WriterOptions says how a Writer writes. Only DSN is needed.
type WriterOptions struct {
	// DSN names the server to write to. It is called before each write, so that
	// the writer follows a writer address that moves; an empty answer means that
	// there is no server now, which counts as an error.
	DSN func() string
	// Interval is from the start of one write to the next; 0 means 10 ms.
	Interval time.Duration
	// Timeout is for one write, with the connect that it may need; 0 means 500 ms.
	Timeout time.Duration
	// Table is where the rows go, made if it is not there; empty means "app.writes".
	Table string
}

// Writer inserts a row again and again, as an application would that is never
// tired, and remembers which rows were acknowledged. After any error it connects
// anew, and never writes the same row twice.
type Writer struct {
	o   WriterOptions
	run int64

	stop context.CancelFunc
	done chan struct{}

	// Only the loop uses these.
	db   *sql.DB
	dsn  string
	next int64 // number of the next row

	mu    sync.Mutex // guards what follows
	stats Stats
	spans []span
	last  time.Time // of the last acknowledged row, or the start
	ended time.Time // when the writing ended
}

// Stats is what a Writer has seen so far.
type Stats struct {
	// Acknowledged is the number of rows that the server said it has.
	Acknowledged int
	// Errors is the number of writes that failed or timed out.
	Errors int
	// LongestGap is the longest time between two acknowledged rows, or since the
	// last one.
	LongestGap time.Duration
	// LongestGapAt is when the longest gap began.
	LongestGapAt time.Time
	// LastError is the last error, nil if there was none, and LastErrorAt its time.
	LastError   error
	LastErrorAt time.Time
}

// span is a run of acknowledged rows, both ends included. There are at most as many
// spans as errors.
type span struct{ from, to int64 }

// errNoSuchTable is the server's error number for it.
const errNoSuchTable = 1146

// writesColumns is what a Writer's table is made of.
const writesColumns = "(run BIGINT NOT NULL, seq BIGINT NOT NULL," +
	" written_at TIMESTAMP(6) NOT NULL DEFAULT CURRENT_TIMESTAMP(6), PRIMARY KEY (run, seq))"

// errNoTarget is the error of a write for which DSN returned nothing.
var errNoTarget = errors.New("no server to write to")

// NewWriter returns a writer that does nothing until Start. A table name must be
// plain: it goes into statements as it is.
func NewWriter(o WriterOptions) (*Writer, error) {
	if o.DSN == nil {
		return nil, errors.New("new writer: no DSN")
	}
	if o.Interval <= 0 {
		o.Interval = 10 * time.Millisecond
	}
	if o.Timeout <= 0 {
		o.Timeout = 500 * time.Millisecond
	}
	if o.Table == "" {
		o.Table = "app.writes"
	}
	return &Writer{o: o, run: time.Now().UnixNano()}, nil
}

// Start begins to write, until Stop or the end of ctx. It may be called once.
func (w *Writer) Start(ctx context.Context) {
	ctx, w.stop = context.WithCancel(ctx)
	w.done = make(chan struct{})
	w.mu.Lock()
	w.last = time.Now()
	w.mu.Unlock()
	go func() {
		defer close(w.done)
		defer w.finish()
		tick := time.NewTicker(w.o.Interval)
		defer tick.Stop()
		for ctx.Err() == nil {
			w.writeOne(ctx)
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	}()
}

// Stop ends the writing, waits for the last write, and returns the final count.
func (w *Writer) Stop() Stats {
	if w.stop != nil {
		w.stop()
		<-w.done
	}
	return w.Stats()
}

// Stats returns the count so far; the gap that is open now counts too.
func (w *Writer) Stats() Stats {
	w.mu.Lock()
	defer w.mu.Unlock()
	s, now := w.stats, time.Now()
	if !w.ended.IsZero() {
		now = w.ended
	}
	if gap := now.Sub(w.last); !w.last.IsZero() && gap > s.LongestGap {
		s.LongestGap, s.LongestGapAt = gap, w.last
	}
	return s
}

// Missing returns the acknowledged rows that a server does not have: none, if
// nothing was lost. A row is known by its number, from 1.
func (w *Writer) Missing(ctx context.Context, db *sql.DB) ([]int64, error) {
	w.mu.Lock()
	spans := append([]span{}, w.spans...)
	w.mu.Unlock()
	rows, err := db.QueryContext(ctx, "SELECT seq FROM "+w.o.Table+" WHERE run = ?", w.run)
	if err != nil {
		return nil, fmt.Errorf("look for missing rows: %w", err)
	}
	defer rows.Close()
	there := map[int64]bool{}
	for rows.Next() {
		var seq int64
		if err := rows.Scan(&seq); err != nil {
			return nil, fmt.Errorf("look for missing rows: %w", err)
		}
		there[seq] = true
	}
	if err := rows.Err(); err != nil {
		return nil, fmt.Errorf("look for missing rows: %w", err)
	}
	var missing []int64
	for _, s := range spans {
		for seq := s.from; seq <= s.to; seq++ {
			if !there[seq] {
				missing = append(missing, seq)
			}
		}
	}
	return missing, nil
}

// writeOne tries to write the next row and counts what came of it.
func (w *Writer) writeOne(ctx context.Context) {
	w.next++
	limited, cancel := context.WithTimeout(ctx, w.o.Timeout)
	defer cancel()
	err := w.insert(limited, w.next)
	if err != nil {
		w.disconnect()
		if ctx.Err() != nil {
			return // told to stop: not the server's fault
		}
	}
	w.count(w.next, time.Now(), err)
}

// insert writes one row, and connects and makes the table if need be.
func (w *Writer) insert(ctx context.Context, seq int64) error {
	if dsn := w.o.DSN(); w.db == nil || dsn != w.dsn {
		w.disconnect()
		if err := w.connect(dsn); err != nil {
			return err
		}
	}
	insert := "INSERT INTO " + w.o.Table + " (run, seq) VALUES (?, ?)"
	_, err := w.db.ExecContext(ctx, insert, w.run, seq)
	var answer *mysql.MySQLError
	if errors.As(err, &answer) && answer.Number == errNoSuchTable {
		if _, err = w.db.ExecContext(ctx, "CREATE TABLE IF NOT EXISTS "+w.o.Table+" "+writesColumns); err == nil {
			_, err = w.db.ExecContext(ctx, insert, w.run, seq)
		}
	}
	if err != nil {
		return fmt.Errorf("write row: %w", err)
	}
	return nil
}

// connect sets up a handle for one connection, which the next statement opens.
func (w *Writer) connect(dsn string) error {
	if dsn == "" {
		return fmt.Errorf("connect writer: %w", errNoTarget)
	}
	cfg, err := mysql.ParseDSN(dsn)
	if err != nil {
		return fmt.Errorf("connect writer: %w", err)
	}
	cfg.InterpolateParams = true // one round trip a row
	cfg.Logger = &mysql.NopLogger{}
	connector, err := mysql.NewConnector(cfg)
	if err != nil {
		return fmt.Errorf("connect writer: %w", err)
	}
	w.db, w.dsn = sql.OpenDB(connector), dsn
	w.db.SetMaxOpenConns(1)
	return nil
}

// finish ends the loop.
func (w *Writer) finish() {
	w.disconnect()
	w.mu.Lock()
	w.ended = time.Now()
	w.mu.Unlock()
}

// disconnect closes the connection, if there is one.
func (w *Writer) disconnect() {
	if w.db != nil {
		_ = w.db.Close() // it is given up because it is broken
		w.db = nil
	}
}

// count takes in the outcome of a write.
func (w *Writer) count(seq int64, now time.Time, err error) {
	w.mu.Lock()
	defer w.mu.Unlock()
	if err != nil {
		w.stats.Errors++
		w.stats.LastError, w.stats.LastErrorAt = err, now
		return
	}
	w.stats.Acknowledged++
	if gap := now.Sub(w.last); gap > w.stats.LongestGap {
		w.stats.LongestGap, w.stats.LongestGapAt = gap, w.last
	}
	w.last = now
	if n := len(w.spans); n > 0 && w.spans[n-1].to == seq-1 {
		w.spans[n-1].to = seq
		return
	}
	w.spans = append(w.spans, span{seq, seq})
}
