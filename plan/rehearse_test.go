package plan

import (
	"strings"
	"testing"

	"mpp"
)

// rehearsal is the script that a dry run shows.
func rehearsal(f *Facts, op mpp.Operation) (script string, r *mpp.Operation) {
	r = Rehearse(morning(), f, op)
	var lines []string
	for i := range r.Steps {
		lines = append(lines, line(&r.Steps[i]))
	}
	return strings.Join(lines, "\n"), r
}

func TestARehearsalShowsTheStepsThatWouldBeTaken(t *testing.T) {
	f := everything()
	got, r := rehearsal(f, mpp.Operation{Kind: mpp.OpSwitchover, Old: "a:1", New: "b:1"})
	if want := switchover(t, f).script(); got != want {
		t.Errorf("got\n%s\nwant\n%s", got, want)
	}
	for _, st := range r.Steps {
		if st.Status != StepPlanned || !st.Began.IsZero() || st.Position != nil {
			t.Errorf("%s is shown as %+v", line(&st), st)
		}
	}
	if r.Outcome != "" || r.Why != "" || !r.Opened.IsZero() || !r.Ended.IsZero() || r.NothingLost != "" || r.ID != 0 {
		t.Errorf("a rehearsal looks like something that was done: %+v", r)
	}
}

func TestARehearsedFailoverCompletesItsCandidate(t *testing.T) {
	f := dead()
	f.Nodes[2].Barred = "it is marked no_promote"
	f.Nodes[2].Observation.Server.GTID = upTo(105)
	f.Nodes[0].Observation.Server.GTID = upTo(105)
	got, r := rehearsal(f, mpp.Operation{Kind: mpp.OpFailover, Old: "a:1"})
	if !strings.Contains(got, "copy-from b <- c") || !strings.Contains(got, "promote: promote b") || len(r.Notes) > 0 {
		t.Errorf("got\n%s\n%v", got, r.Notes)
	}
}

func TestARehearsedFailoverReadsTheTailWhereSomethingIsKnownToBeMissing(t *testing.T) {
	f := dead()
	f.Policy.BinlogTail = true
	if got, _ := rehearsal(f, mpp.Operation{Kind: mpp.OpFailover, Old: "a:1"}); strings.Contains(got, "binlog-tail") || !strings.Contains(got, "promote b") {
		t.Errorf("nothing is missing:\n%s", got)
	}
	f.Nodes[0].Observation.Server.GTID = upTo(105)
	if got, r := rehearsal(f, mpp.Operation{Kind: mpp.OpFailover, Old: "a:1"}); !strings.Contains(got, "binlog-tail b") || !strings.Contains(got, "promote b") {
		t.Errorf("got\n%s\n%v", got, r.Notes)
	}
}

func TestARehearsalSaysWhyItWouldStop(t *testing.T) {
	f := dead()
	f.Nodes[0].Observation.Server.GTID = upTo(105)
	got, r := rehearsal(f, mpp.Operation{Kind: mpp.OpFailover, Old: "a:1"})
	if strings.Contains(got, "promote") || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "it would stop: 5 transactions would be lost") {
		t.Errorf("notes %v\n%s", r.Notes, got)
	}
}

func TestARehearsalChangesNoFacts(t *testing.T) {
	f := dead()
	before := f.Nodes[1].Observation.Server.GTID
	rehearsal(f, mpp.Operation{Kind: mpp.OpFailover, Old: "a:1"})
	if f.Nodes[1].Observation.Server.GTID != before {
		t.Error("it changed what is known of a node")
	}
}
