package pool

import (
	"slices"
	"testing"
	"time"

	"mpp"
)

func TestAWriterThatSomebodyHasJustPutInPlaceIsNotClosed(t *testing.T) {
	r := settled(t)
	a, b, c := r.server("a"), r.server("b"), r.server("c")
	a.readOnly, a.source, a.io, a.sql, a.received, a.vip = true, "b:1", "Yes", "Yes", 100, false
	b.readOnly, b.source, b.io, b.vip = false, "", "", true
	c.source = "b:1"
	r.poll("b") // what is known of a is from before
	if len(r.log) > 0 {
		t.Fatalf("steps before a was asked: %v", r.log)
	}
	r.rounds(4)
	r.want("a STANDBY, b ACTIVE, c STANDBY")
	if b.readOnly || !b.vip || slices.Contains(r.log, "read-only b") {
		t.Errorf("the writer was closed: %v", r.log)
	}
}

func TestASecondWriterIsClosedAsSoonAsTheFirstHasAnswered(t *testing.T) {
	r := settled(t)
	r.server("c").readOnly = false
	r.poll("c")
	r.poll("a")
	if !r.a.repairing("c:1", mpp.OpFence) {
		t.Fatalf("c is not fenced: %v", r.log)
	}
}

func TestAReplicaThatWasFarBehindIsFitWhenItHasExecutedWhatItReceived(t *testing.T) {
	r := settled(t)
	for _, name := range []string{"b", "c"} {
		r.server(name).lag, r.server(name).executed = time.Hour, 50
	}
	r.rounds(2)
	r.server("a").trouble = mpp.KindRefused
	r.rounds(8)
	r.noFailover()
	r.server("b").executed = 80
	r.rounds(2)
	r.noFailover()
	for _, name := range []string{"b", "c"} { // the relay log is executed; lag is not known
		r.server(name).lag, r.server(name).executed = 0, 100
	}
	r.rounds(4)
	r.want("a FAIL (OFFLINE), b ACTIVE, c STANDBY")
}
