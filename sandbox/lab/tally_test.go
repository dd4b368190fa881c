package lab

import (
	"errors"
	"fmt"
	"io"
	"net"
	"syscall"
	"testing"
	"time"

	"github.com/go-sql-driver/mysql"
	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
)

func at(ms int) time.Time { return time.UnixMilli(1_000_000 + int64(ms)) }

// acked is a row of the first writer that took a millisecond.
func acked(seq int64, server uint32, connected, end int) ack {
	return ack{writer: 1, seq: seq, server: server, connected: at(connected), begin: at(end - 1), end: at(end)}
}

func TestOutageIsFromTheLastRowBeforeToTheFirstAfter(t *testing.T) {
	var told []Outage
	y := newTally(at(0), 2*time.Millisecond, func(o Outage) { told = append(told, o) })
	y.acknowledged(acked(1, 1001, 0, 2))
	y.acknowledged(acked(2, 1001, 0, 4))
	y.failed("refused")
	y.failed("refused")
	y.acknowledged(acked(4, 1002, 50, 60))
	y.acknowledged(acked(5, 1002, 50, 90)) // slow, and nothing failed
	y.acknowledged(acked(6, 1002, 50, 200))
	y.failed("no answer")
	y.acknowledged(acked(8, 1002, 50, 205)) // a failure that cost nothing
	want := []Outage{
		{Begin: at(4), End: at(60), Length: Length(56 * time.Millisecond), Errors: map[string]int{"refused": 2}, from: 1001, to: 1002},
		{Begin: at(90), End: at(200), Length: Length(110 * time.Millisecond), from: 1002, to: 1002},
	}
	opts := cmp.Options{cmp.AllowUnexported(Outage{}), cmpopts.EquateEmpty()}
	if diff := cmp.Diff(want, told, opts); diff != "" {
		t.Error(diff)
	}
	y.failed("no answer")
	r := y.record(at(300))
	want = append(want, Outage{Begin: at(205), End: at(300), Length: Length(95 * time.Millisecond), Open: true, Errors: map[string]int{"no answer": 1}, from: 1002})
	if diff := cmp.Diff(want, r.Outages, opts); diff != "" {
		t.Error(diff)
	}
	if r.Acknowledged != 6 || r.LongestGap != Length(110*time.Millisecond) || r.Double != 0 {
		t.Errorf("%+v", r)
	}
	y.end(at(301))
	if r := y.record(at(999)); r.Until != at(301) {
		t.Errorf("after its end it goes on until %s", r.Until)
	}
}

func TestTwoMastersAreSeenByAConnectionThatOutlivesThePromotion(t *testing.T) {
	// The second writer has gone over to the other server; the first one's old connection still writes.
	y := newTally(at(0), time.Millisecond, nil)
	y.acknowledged(ack{writer: 1, seq: 1, server: 1, connected: at(0), begin: at(1), end: at(2)})
	y.acknowledged(ack{writer: 2, seq: 1, server: 2, connected: at(5), begin: at(6), end: at(7)})
	y.acknowledged(ack{writer: 1, seq: 2, server: 1, connected: at(0), begin: at(8), end: at(9)})
	r := y.record(at(10))
	if r.Double != 1 || r.Doubles[0].Writer != 1 || r.Doubles[0].Seq != 2 || r.Doubles[0].server != 1 || r.Doubles[0].other != 2 {
		t.Errorf("%+v", r.Doubles)
	}
}

func TestARoleThatMovesThereAndBackIsNoSecondMaster(t *testing.T) {
	y := newTally(at(0), time.Millisecond, nil)
	for i, a := range []ack{
		{server: 1, connected: at(0), begin: at(1), end: at(3)},
		{server: 2, connected: at(4), begin: at(5), end: at(6)},
		{server: 1, connected: at(7), begin: at(8), end: at(9)},
		{server: 2, connected: at(10), begin: at(11), end: at(12)},
	} {
		a.writer, a.seq = i%2+1, int64(i/2+1)
		y.acknowledged(a)
	}
	// Sent before the move, acknowledged late: the old server was asked in time.
	y.acknowledged(ack{writer: 3, seq: 1, server: 1, connected: at(8), begin: at(11), end: at(13)})
	if r := y.record(at(20)); r.Double != 0 {
		t.Errorf("%+v", r.Doubles)
	}
}

func TestAcknowledgedRowsAreKeptAsSpans(t *testing.T) {
	y := newTally(at(0), time.Millisecond, nil)
	for i, seq := range []int64{1, 2, 3, 5, 6, 9} {
		server := uint32(1)
		if seq > 5 {
			server = 2
		}
		y.acknowledged(acked(seq, server, 0, i))
	}
	want := []span{{1, 1, 3, 1}, {1, 5, 5, 1}, {1, 6, 6, 2}, {1, 9, 9, 2}}
	if diff := cmp.Diff(want, y.acknowledgedSpans(), cmp.AllowUnexported(span{})); diff != "" {
		t.Error(diff)
	}
}

func TestErrorsHaveKinds(t *testing.T) {
	for want, err := range map[string]error{
		"refused":                 &net.OpError{Op: "dial", Err: syscall.ECONNREFUSED},
		"reset":                   &net.OpError{Op: "read", Err: syscall.ECONNRESET},
		"unreachable":             &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH},
		"connection lost":         mysql.ErrInvalidConn,
		"read-only (1290)":        &mysql.MySQLError{Number: 1290},
		"error 1146":              &mysql.MySQLError{Number: 1146},
		"other: write: something": errors.New("something"),
		"shutting down (1053)":    &mysql.MySQLError{Number: 1053},
	} {
		if got := errorKind(fmt.Errorf("write: %w", err)); got != want {
			t.Errorf("%v: %q, want %q", err, got, want)
		}
	}
	if got := errorKind(io.ErrUnexpectedEOF); got != "connection lost" {
		t.Error(got)
	}
}
