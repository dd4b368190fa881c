package state

import (
	"errors"
	"os"
	"strings"
	"testing"
	"time"

	"mpp"
)

func good() mpp.Verdict                { return mpp.Verdict{} }
func failed(c mpp.Class) mpp.Verdict   { return mpp.Verdict{Failed: c, Message: "m"} }
func finds(s mpp.Status) mpp.Verdict   { return mpp.Verdict{Status: s} }
func at(second int) time.Time          { return time.Unix(int64(second), 0) }
func node(s mpp.State) *mpp.NodeMemory { return &mpp.NodeMemory{Address: "a:1", State: s} }

func TestErrorsClimbTheLadderAndAGoodPollEndsIt(t *testing.T) {
	m, n := New(DefaultLadder()), node(mpp.Standby)
	want := []mpp.Status{mpp.Info, mpp.Warn, mpp.Critical, mpp.Fail, mpp.Fail}
	for i, status := range want {
		m.Count(n, at(i), failed(mpp.Reach))
		if n.Status != status || n.Errors != i+1 {
			t.Errorf("after %d failures: status %s, errors %d; want %s, %d", i+1, n.Status, n.Errors, status, i+1)
		}
	}
	if n.FirstMiss != at(0) {
		t.Errorf("first miss at %v, want %v", n.FirstMiss, at(0))
	}
	before := m.Count(n, at(9), good())
	if before != 5 || n.Errors != 0 || n.Status != mpp.OK || !n.FirstMiss.IsZero() || n.GoodSince != at(9) {
		t.Errorf("after a good poll: before %d, %+v", before, n)
	}
}

func TestAWarningRaisesTheStatusAndCountsNoError(t *testing.T) {
	m, n := New(DefaultLadder()), node(mpp.Standby)
	for i := range 10 {
		m.Count(n, at(i), finds(mpp.Critical))
	}
	if n.Errors != 0 || n.Status != mpp.Critical {
		t.Errorf("errors %d, status %s; want 0, CRITICAL", n.Errors, n.Status)
	}
}

func TestReplicaErrorsNeverMakeAnActiveNodeFail(t *testing.T) {
	m, n := New(DefaultLadder()), node(mpp.Active)
	for i := range 50 {
		m.Count(n, at(i), failed(mpp.Replica))
	}
	if n.Status != mpp.Critical || m.LostActive(n) {
		t.Errorf("after 50 replica errors: status %s, lost %v; want CRITICAL, false", n.Status, m.LostActive(n))
	}
	m.Count(n, at(51), failed(mpp.Reach))
	if m.LostActive(n) {
		t.Error("one missed poll after many replica errors lost the ACTIVE node")
	}
	for i := range 3 {
		m.Count(n, at(52+i), failed(mpp.Reach))
	}
	if !m.LostActive(n) || n.Status != mpp.Fail {
		t.Errorf("after 4 reach errors: lost %v, status %s", m.LostActive(n), n.Status)
	}
}

func TestOnlyTheTransitionsOfTheDesignAreAllowed(t *testing.T) {
	allowed := map[string]mpp.State{
		"UNKNOWN admit": mpp.Standby, "STANDBY promote": mpp.Active, "ACTIVE demote": mpp.Standby,
		"UNKNOWN fail": mpp.Failed, "STANDBY fail": mpp.Failed, "ACTIVE fail": mpp.Failed, "FAIL recover": mpp.Unknown,
	}
	m := New(DefaultLadder())
	for _, from := range []mpp.State{mpp.Unknown, mpp.Standby, mpp.Active, mpp.Failed} {
		for _, e := range []Event{Admit, Promote, Demote, Fail, Recover, "admitt"} {
			n := node(from)
			err := m.Enter(n, Change{Event: e, At: at(3), Reason: mpp.Offline, Rule: "r", Evidence: "because"})
			to, ok := allowed[string(from)+" "+string(e)]
			if !ok {
				var refused *NotAllowedError
				if !errors.As(err, &refused) || n.State != from {
					t.Errorf("%s from %s: error %v, state %s; want it refused and nothing changed", e, from, err, n.State)
				}
				continue
			}
			if err != nil || n.State != to || n.Since != at(3) || (n.Reason != "") != (to == mpp.Failed) {
				t.Errorf("%s from %s: %v, %+v", e, from, err, n)
			}
		}
	}
}

func TestTheDocumentationShowsTheMachine(t *testing.T) {
	drawing, err := Mermaid()
	if err != nil {
		t.Fatal(err)
	}
	doc, err := os.ReadFile("../docs/architecture.md")
	if err != nil {
		t.Fatal(err)
	}
	if !strings.Contains(string(doc), strings.TrimSpace(drawing)) {
		t.Errorf("docs/architecture.md does not hold this drawing of the state machine:\n%s", drawing)
	}
}

func BenchmarkCountAndEnter(b *testing.B) {
	m, n := New(DefaultLadder()), node(mpp.Standby)
	b.ReportAllocs()
	for i := range b.N {
		m.Count(n, at(i), good())
		if n.State == mpp.Standby {
			_ = m.Enter(n, Change{Event: Promote, At: at(i)})
		} else {
			_ = m.Enter(n, Change{Event: Demote, At: at(i)})
		}
	}
}
