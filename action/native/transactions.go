package native

import (
	"context"
	"database/sql/driver"
	"fmt"
	"maps"
	"slices"
	"time"

	"mpp/replication"
)

// work is what a session of an application is at: an open transaction, or a statement that writes
// outside of one.
type work struct {
	person string
	// began and id tell one transaction of a session from the next, print one statement from
	// another. id is 0 until it writes.
	began, print string
	id           uint64
	// running is for how long the statement has been running.
	running time.Duration
}

// awaitTransactions is the step await-transactions: what is open when it begins has ended when it
// is done.
func awaitTransactions(ctx context.Context, t *task) (outcome, error) {
	s, err := t.session(ctx)
	if err != nil {
		return outcome{}, err
	}
	begin := time.Now()
	open, err := t.work(ctx, s)
	if err != nil {
		return outcome{}, err
	}
	n := len(open)
	for len(open) > 0 {
		if !pause(ctx, replication.TransactionsAge+20*time.Millisecond) {
			return outcome{}, fmt.Errorf("%w; still open: %s", ended(ctx), whose(open))
		}
		now, err := t.work(ctx, s)
		if err != nil {
			return outcome{}, err
		}
		elapsed := time.Since(begin)
		maps.DeleteFunc(open, func(id uint64, was work) bool { return !was.goesOn(now[id], elapsed) })
	}
	if n == 0 {
		return outcome{text: "no transaction was open"}, nil
	}
	return outcome{text: fmt.Sprintf("those that were open have ended: %d", n)}, nil
}

// goesOn reports whether what a session is at now is what it was at so long ago. A statement that
// is executed again and again looks the same, but for how long it has been running.
func (w work) goesOn(now work, ago time.Duration) bool {
	switch {
	case now.person == "", w.began != now.began, w.id != 0 && w.id != now.id:
		return false
	case w.began != "":
		return true
	default:
		return w.print == now.print && now.running+2*time.Second > ago
	}
}

// work lists what the sessions of applications are at.
func (t *task) work(ctx context.Context, s *session) (map[uint64]work, error) {
	var open []replication.Transaction
	err := s.ask(ctx, replication.TransactionsSQL, func(rows driver.Rows) (err error) {
		open, err = replication.ReadTransactions(rows)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("read transactions: %w", err)
	}
	list, err := t.clients(ctx, s)
	if err != nil {
		return nil, err
	}
	found := map[uint64]work{}
	for i := range list {
		p := &list[i]
		w := work{person: person(p), print: p.Print, running: p.Time}
		at := slices.IndexFunc(open, func(o replication.Transaction) bool { return o.Session == p.ID })
		if at >= 0 {
			w.began, w.id = open[at].Began, open[at].ID
		}
		if at >= 0 || !p.Idle() && !p.Reads() {
			found[p.ID] = w
		}
	}
	return found, nil
}

// whose names some of the sessions.
func whose(open map[uint64]work) string {
	names := map[uint64]string{}
	for id, w := range open {
		names[id] = w.person
	}
	return some(names)
}
