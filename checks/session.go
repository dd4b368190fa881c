package checks

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/go-sql-driver/mysql"

	"mpp"
	"mpp/replication"
)

// session is the lasting connection with everything that was learned over it.
type session struct {
	*link
	dialect *replication.Dialect
	server  *replication.ServerReader
	status  *replication.StatusReader
	steps   []step
	// text is the batch of all steps that can share a round trip, which are the first.
	text    string
	batched int
	watch   *watch
	// semiSync says that the steps ask how semi-sync is.
	semiSync bool
	// extra says that it goes over the extra port.
	extra bool
}

// stepKind is what a statement of a poll is for.
type stepKind uint8

// The kinds, in the order in which they are asked: what may hang comes last, so that it cannot
// hide that the server answers.
const (
	stepQuery stepKind = iota
	stepServer
	stepManager
	stepMember
	stepStatus
	stepSemiSync
	stepHeartbeat
	stepCustom // and one more for each custom check
)

// step is one statement of a poll.
type step struct {
	kind   stepKind
	custom int // index of the custom check
	sql    string
	limit  time.Duration
}

// prepare asks the server what it can do and sets up the session, semiSync says whether it asks
// how that is. The link must have a deadline.
func (o *Options) prepare(l *link, semiSync bool) (*session, error) {
	d, err := replication.Probe(context.Background(), l)
	if err != nil {
		return nil, err
	}
	if err := l.exec(d.SessionSQL(replication.Limits{Statement: o.longest(), Lock: time.Second, Idle: o.SessionIdle})); err != nil {
		return nil, fmt.Errorf("set session variables: %w", err)
	}
	if text := d.UnsyncedSQL(); text != "" {
		if err := l.exec(text); err != nil && l.broken(err) {
			return nil, err
		}
	}
	d.Engine = o.Engine
	s := &session{link: l, dialect: d, server: d.NewServerReader(l.opened), status: &replication.StatusReader{Positions: o.Engine}, semiSync: semiSync}
	s.compose(o)
	return s, nil
}

// longest is the longest limit of a statement: the server ends what outlasts it by itself.
func (o *Options) longest() time.Duration {
	d := max(o.QueryLimit, o.ReplicationLimit, o.HeartbeatLimit, o.ClusterLimit)
	for i := range o.Custom {
		d = max(d, o.Custom[i].Limit)
	}
	return d
}

// compose lists the statements of a poll.
func (s *session) compose(o *Options) {
	s.steps = s.steps[:0]
	add := func(on bool, kind stepKind, sql string, limit time.Duration) {
		if on && sql != "" {
			s.steps = append(s.steps, step{kind: kind, sql: sql, limit: limit})
		}
	}
	shared := sharesRoundTrip(o.QuerySQL)
	add(o.Query && shared, stepQuery, o.QuerySQL, o.QueryLimit)
	add(true, stepServer, s.dialect.ServerSQL(), o.QueryLimit)
	add(o.Engine, stepManager, replication.ManagerSQL, o.QueryLimit)
	add(o.Cluster, stepMember, s.dialect.MemberSQL(), o.ClusterLimit)
	add(o.Replication || o.Lag, stepStatus, s.dialect.StatusSQL(), o.ReplicationLimit)
	add(s.semiSync, stepSemiSync, replication.SemiSyncSQL, o.QueryLimit)
	if o.Lag && o.HeartbeatTable != "" {
		if t, err := replication.ParseTable(o.HeartbeatTable); err == nil { // validated by New
			add(true, stepHeartbeat, replication.HeartbeatAgeSQL(t), o.HeartbeatLimit)
		}
	}
	custom := func(inBatch bool) {
		for i := range o.Custom {
			if sharesRoundTrip(o.Custom[i].SQL) == inBatch {
				s.steps = append(s.steps, step{kind: stepCustom, custom: i, sql: o.Custom[i].SQL, limit: o.Custom[i].Limit})
			}
		}
	}
	custom(true)
	s.batched = len(s.steps)
	add(o.Query && !shared, stepQuery, o.QuerySQL, o.QueryLimit)
	custom(false)
	s.text = join(s.steps[:s.batched])
}

// join makes one text of several statements. A comment at the end of one ends with its line.
func join(steps []step) string {
	parts := make([]string, len(steps))
	for i := range steps {
		parts[i] = steps[i].sql
	}
	return strings.Join(parts, "\n;")
}

// sharesRoundTrip reports whether a statement has exactly one result, so that the results of a
// text of several statements can be told apart by counting.
func sharesRoundTrip(sql string) bool {
	word := strings.ToUpper(sql)
	if strings.ContainsAny(sql, ";") || strings.Contains(word, "INTO") || strings.Contains(word, "/*") {
		return false
	}
	first, _, _ := strings.Cut(strings.TrimSpace(word), " ")
	return first == "SELECT" || first == "SHOW" || first == "WITH"
}

// broken reports whether an error ended the connection. An error of the server did not, unless
// it says that the session was ended.
func (l *link) broken(err error) bool {
	var me *mysql.MySQLError
	if errors.As(err, &me) {
		kind := classifyNumber(me.Number, me.Message)
		return kind == mpp.KindLost || me.Number == errShutdown
	}
	for _, fatal := range []error{mysql.ErrMalformPkt, mysql.ErrPktSync, mysql.ErrPktSyncMul, mysql.ErrBusyBuffer, errExtraResult} {
		if errors.Is(err, fatal) {
			return true
		}
	}
	return err != nil && !l.conn.(driver.Validator).IsValid()
}

// errShutdown is ER_SERVER_SHUTDOWN, the last that a session hears.
const errShutdown = 1053

// run asks every step whose result is not in r yet and returns the error that broke the
// connection, with the index of the step that was being asked, or nil.
func (s *session) run(r *round) (at int, err error) {
	for at < s.batched {
		if r.results[at].asked {
			at++
			continue
		}
		if at, err = s.runBatch(at, r); err != nil {
			return at, err
		}
	}
	for ; at < len(s.steps); at++ {
		if r.results[at].asked {
			continue
		}
		if err := s.runOne(at, r); err != nil {
			return at, err
		}
	}
	return at, nil
}

// runBatch asks the steps from at on in one text, as far as they are to be asked, and returns
// the first step that is still to be asked.
func (s *session) runBatch(at int, r *round) (next int, err error) {
	end := at + 1
	for end < s.batched && !r.results[end].asked {
		end++
	}
	text := s.text
	if at > 0 || end < s.batched {
		text = join(s.steps[at:end])
	}
	begin := time.Now()
	s.until(r.limit(begin, s.steps[at].limit))
	rows, err := s.query(text)
	for ; err == nil; at++ {
		err = s.read(at, rows, r)
		now := time.Now()
		if err != nil {
			break
		}
		r.answer(at, nil, now.Sub(begin))
		if at+1 < end {
			s.until(r.limit(now, s.steps[at+1].limit))
		}
		err = rows.(driver.RowsNextResultSet).NextResultSet()
		if errors.Is(err, io.EOF) {
			return s.shortOf(at+1, end, rows, r)
		}
		if err == nil && at+1 == end {
			return at, errExtraResult
		}
	}
	if rows != nil {
		_ = rows.Close()
	}
	if s.broken(err) {
		return at, err
	}
	if s.steps[at].kind == stepStatus && s.dialect.Refused(err) {
		s.steps[at].sql, s.status = s.dialect.StatusSQL(), &replication.StatusReader{Positions: s.status.Positions}
		s.text = join(s.steps[:s.batched])
		return at, nil
	}
	r.answer(at, err, time.Since(begin))
	return at + 1, nil
}

// errExtraResult and errNoResult say that a text had other results than it has statements.
var (
	errExtraResult = errors.New("the server sent more results than it was asked for")
	errNoResult    = errors.New("the statement has no result")
)

// shortOf ends a batch whose results ran out before step end: a statement swallowed those that
// followed it. They are asked one by one.
func (s *session) shortOf(at, end int, rows driver.Rows, r *round) (int, error) {
	if err := rows.Close(); err != nil {
		return at, err
	}
	for ; at < end; at++ {
		if err := s.runOne(at, r); err != nil {
			return at, err
		}
	}
	return at, nil
}

// runOne asks a single step. Further results that it has are read and dropped.
func (s *session) runOne(at int, r *round) error {
	begin := time.Now()
	s.until(r.limit(begin, s.steps[at].limit))
	rows, err := s.query(s.steps[at].sql)
	if err == nil {
		err = s.readOne(at, rows, r)
		if closing := rows.Close(); err == nil {
			err = closing
		}
	}
	if s.broken(err) {
		return err
	}
	r.answer(at, err, time.Since(begin))
	return nil
}

// readOne reads the first result of a single step.
func (s *session) readOne(at int, rows driver.Rows, r *round) error {
	if len(rows.Columns()) > 0 {
		return s.read(at, rows, r)
	}
	if s.steps[at].kind == stepQuery {
		return nil // it was carried out, which is all that was asked
	}
	return errNoResult
}

// read reads the result of a step into the round.
func (s *session) read(at int, rows driver.Rows, r *round) (err error) {
	switch s.steps[at].kind {
	case stepQuery:
		return drain(rows)
	case stepServer:
		r.server, err = s.server.Read(rows)
	case stepManager:
		r.holder, r.self, err = replication.ReadManager(rows)
	case stepMember:
		r.member, err = s.dialect.ReadMember(rows)
	case stepStatus:
		r.channels, err = s.status.Read(rows)
	case stepSemiSync:
		r.semi, err = replication.ReadSemiSync(rows)
	case stepHeartbeat:
		r.age, r.ageKnown, err = replication.ReadAge(rows)
	case stepCustom:
		r.customs[s.steps[at].custom], err = readCustom(rows)
	}
	return err
}

// close ends the session; the watch ends first.
func (s *session) close() {
	if s != nil {
		s.watch.end()
		s.link.close()
	}
}

// cut ends the session's connection without a word.
func (s *session) cut() {
	if s != nil {
		s.watch.end()
		s.link.cut()
	}
}

// sameSteps reports whether results of one session fit the steps of another.
func sameSteps(a, b []step) bool {
	return slices.EqualFunc(a, b, func(x, y step) bool { return x.kind == y.kind && x.custom == y.custom })
}

func itoa(n int64) string { return strconv.FormatInt(n, 10) }
