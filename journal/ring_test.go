package journal

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mpp"
)

// pollOf is a poll as a healthy replica answers it: every time, lag and GTID is new.
func pollOf(node, tick int, at time.Time) mpp.Input {
	took := time.Duration(900+(node*7+tick*13)%500) * time.Microsecond
	check := func(name string, class mpp.Class) mpp.CheckResult {
		return mpp.CheckResult{Name: name, Class: class, Took: took / 2}
	}
	o := &mpp.Observation{
		Node: fmt.Sprintf("10.1.%d.%d:3306", node/250, node%250), At: at.Add(-took - 40*time.Microsecond), Took: took, Answered: true,
		Checks: []mpp.CheckResult{
			check("connect", mpp.Reach), check("privilege", mpp.Reach), check("query", mpp.Reach),
			check("replication", mpp.Replica), check("lag", mpp.Replica),
		},
		Server: mpp.Server{
			Flavour: "mariadb", Version: "10.11.19-MariaDB-log", ID: uint32(node), ReadOnly: true,
			GTID: fmt.Sprintf("0-1-%d", 7_000_000+tick*40+node%40), StartedAt: epoch0,
		},
		Channels: []mpp.Channel{{
			SourceHost: "10.1.0.0", SourcePort: 3306, SourceID: 1, IO: "Yes", SQL: "Yes", LagKnown: true,
			Lag: time.Duration(tick%3) * time.Second,
		}},
		Lag: time.Duration(tick%3) * time.Second, LagKnown: true,
	}
	if tick%5 != 0 { // the fresh login was made in an earlier poll
		o.Checks[0].At = at.Add(-time.Duration(tick%5) * time.Second)
	}
	return mpp.Input{At: at, Pool: fmt.Sprintf("p%d", node/3), Observation: o}
}

// sameInputs compares all that a ring promises to keep.
var sameInputs = cmp.Options{
	cmpopts.IgnoreFields(mpp.CheckResult{}, "Took", "At"),
}

func collect(r *Ring, q Query) (inputs []mpp.Input, marks []Mark) {
	for l := range r.Lines(q) {
		if l.Mark != nil {
			marks = append(marks, *l.Mark)
		} else {
			inputs = append(inputs, *l.Input)
		}
	}
	return inputs, marks
}

func memoryOf(name string, errs int) []mpp.PoolMemory {
	return []mpp.PoolMemory{{Name: name, Nodes: []mpp.NodeMemory{{Address: "a:1", Errors: errs}}}}
}

func TestRingGivesBackEveryInputInOrder(t *testing.T) {
	r := NewRing(RingOptions{})
	r.Mark(epoch0, memoryOf("p0", 1))
	var want []mpp.Input
	at := epoch0
	for tick := range 200 {
		for node := range 9 {
			at = at.Add(time.Duration(1+node*tick%997) * 100_001)
			in := pollOf(node, tick, at)
			switch {
			case tick%50 == 7 && node == 3: // trouble with a text of its own
				in.Observation.Checks[2].Status = mpp.Fail
				in.Observation.Checks[2].Message = fmt.Sprint("no answer after ", tick)
			case tick%50 == 8 && node == 3: // nothing but a failed login
				in.Observation = &mpp.Observation{Node: in.Observation.Node, At: at, Checks: []mpp.CheckResult{{Name: "connect", Status: mpp.Fail}}}
			case tick%50 == 9 && node == 4:
				in = mpp.Input{At: at, Pool: "p1"}
			case tick%50 == 10 && node == 4:
				in = mpp.Input{At: at, Pool: "p1", Command: &mpp.Command{Verb: mpp.VerbRecover, By: "x"}}
			case tick%50 == 11 && node == 5:
				in = mpp.Input{At: at, Pool: "p1", Checkpoint: &mpp.CheckpointResult{Name: "gw", At: at}}
			case tick%50 == 12 && node == 6:
				in.Observation.Server.GTID = ""
			case tick%50 == 13 && node == 6:
				in.Observation.Server.GTID = strings.Repeat("3E11FA47-71CA-11E1-9E33-C80AA9429562:1-5,", 20)
			case tick%50 == 14 && node == 6:
				in.At = time.Time{} // of no clock
			case tick%50 == 15 && node == 6:
				at = at.Add(-time.Hour) // the clock is set back
				in = pollOf(node, tick, at)
			}
			r.Add(in)
			want = append(want, in)
		}
	}
	got, marks := collect(r, Query{})
	if d := cmp.Diff(want, got, sameInputs); d != "" {
		t.Error(d)
	}
	if len(marks) != 1 || r.Stats().Inputs != len(want) {
		t.Errorf("%d marks, %d inputs", len(marks), r.Stats().Inputs)
	}
	for i := range got {
		if got[i].Observation == nil || len(got[i].Observation.Checks) < 2 {
			continue
		}
		w, g := want[i].Observation, got[i].Observation
		if was, is := w.Checks[0].At, g.Checks[0].At; was.IsZero() != is.IsZero() || is.Sub(was).Abs() > 5*time.Second {
			t.Fatalf("input %d: the finding carried over is of %v, was %v", i, is, was)
		}
	}
}

func TestRingDoesNotChangeWhatItWasGiven(t *testing.T) {
	r := NewRing(RingOptions{})
	r.Mark(epoch0, nil)
	a, b := pollOf(1, 1, epoch0), pollOf(1, 2, epoch0.Add(time.Second))
	r.Add(a)
	r.Add(b)
	collect(r, Query{})
	if d := cmp.Diff(pollOf(1, 1, epoch0), a) + cmp.Diff(pollOf(1, 2, epoch0.Add(time.Second)), b); d != "" {
		t.Error(d)
	}
}

func TestReplayBeginsWithTheMemoryOfItsTime(t *testing.T) {
	r := NewRing(RingOptions{Window: time.Hour})
	r.Add(pollOf(0, 0, epoch0)) // before any memory is known
	for minute := range 10 {
		at := epoch0.Add(time.Duration(minute) * time.Minute)
		r.Mark(at, append(memoryOf("p0", minute), memoryOf("p1", -minute)...))
		for second := range 60 {
			r.Add(pollOf(0, second, at.Add(time.Duration(second)*time.Second+time.Millisecond)))
			r.Add(pollOf(4, second, at.Add(time.Duration(second)*time.Second+time.Millisecond)))
		}
	}
	inputs, marks := collect(r, Query{From: epoch0.Add(5*time.Minute + 30*time.Second), Pool: "p1"})
	if len(inputs) != 300 || len(marks) != 5 {
		t.Fatalf("%d inputs, %d marks", len(inputs), len(marks))
	}
	if d := cmp.Diff(memoryOf("p1", -5), marks[0].Pools); d != "" || !marks[0].At.Equal(epoch0.Add(5*time.Minute)) {
		t.Errorf("begins at %v with %s", marks[0].At, d)
	}
	if inputs, _ := collect(r, Query{}); len(inputs) != 1200 {
		t.Errorf("%d inputs in all: one is before any memory", len(inputs))
	}
	if inputs, _ := collect(r, Query{From: epoch0.Add(24 * time.Hour)}); len(inputs) != 120 {
		t.Errorf("%d inputs since the last mark", len(inputs))
	}
}

func TestReplayWithoutMemoryIsRefused(t *testing.T) {
	r := NewRing(RingOptions{})
	r.Add(pollOf(0, 0, epoch0))
	if err := r.Replay(Query{}, io.Discard); !errors.Is(err, ErrNoMark) {
		t.Errorf("replay: %v", err)
	}
}

func TestExportedReplayIsReadBack(t *testing.T) {
	r := NewRing(RingOptions{})
	r.Mark(epoch0, memoryOf("p0", 3))
	for tick := range 50 {
		r.Add(pollOf(tick%4, tick, epoch0.Add(time.Duration(tick)*time.Second)))
	}
	var buf bytes.Buffer
	if err := r.Replay(Query{}, &buf); err != nil {
		t.Fatal(err)
	}
	var got []Line
	d := NewDecoder(&buf)
	for {
		l, err := d.Next()
		if errors.Is(err, io.EOF) {
			break
		}
		if err != nil {
			t.Fatal(err)
		}
		got = append(got, l)
	}
	var want []Line
	for l := range r.Lines(Query{}) {
		want = append(want, l)
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
	if err := r.Replay(Query{}, failingWriter{}); err == nil {
		t.Error("a writer that fails is not noticed")
	}
}

type failingWriter struct{}

func (failingWriter) Write([]byte) (int, error) { return 0, errors.New("gone") }

func TestWrongReplayLineIsNamed(t *testing.T) {
	for text, want := range map[string]string{
		"\n{\"mark\":{}}\n{}\n":          "line 3: it must be",
		`{"mark":{},"input":{}}`:         "line 1: it must be",
		"{\"input\":{}}\nx\n":            "line 2: invalid",
		`{"input":{"observation":{"node`: "line 1: unexpected end",
	} {
		d := NewDecoder(strings.NewReader(text))
		var err error
		for err == nil {
			_, err = d.Next()
		}
		if !strings.Contains(err.Error(), want) {
			t.Errorf("%q: %v, want %q", text, err, want)
		}
	}
	if err := NewEncoder(io.Discard).Encode(Line{}); err == nil {
		t.Error("an empty line was encoded")
	}
}

func TestRingKeepsItsBounds(t *testing.T) {
	for name, o := range map[string]RingOptions{
		"window": {Window: time.Minute}, "inputs": {MaxInputs: 3000}, "bytes": {MaxBytes: 200 << 10},
	} {
		r := NewRing(o)
		for tick := range 600 {
			at := epoch0.Add(time.Duration(tick) * time.Second)
			for node := range 20 {
				if r.NeedsMark() {
					r.Mark(at, memoryOf("p0", tick))
				}
				in := pollOf(node, tick, at)
				if name == "bytes" {
					in.Observation.Checks[4].Message = fmt.Sprint(tick, " seconds behind")
				}
				r.Add(in)
			}
			s := r.Stats()
			if s.Inputs > r.o.MaxInputs || s.Bytes > r.o.MaxBytes || at.Sub(s.Oldest) > r.o.Window+r.o.Window/ringChunks+time.Second {
				t.Fatalf("%s: %+v at %v", name, s, at)
			}
		}
		inputs, _ := collect(r, Query{})
		if len(inputs) < r.Stats().Inputs*3/4 || len(inputs) < 100 || len(inputs) == 600*20 || !inputs[len(inputs)-1].At.Equal(epoch0.Add(599*time.Second)) {
			t.Errorf("%s: %d inputs are left", name, len(inputs))
		}
	}
}

func TestRingForgetsNodesThatAreGone(t *testing.T) {
	r := NewRing(RingOptions{Window: time.Minute})
	for tick := range 1000 {
		r.Add(pollOf(tick, tick, epoch0.Add(time.Duration(tick)*time.Second)))
	}
	if len(r.recent) > 100 {
		t.Errorf("%d nodes are remembered", len(r.recent))
	}
}

func TestRingOutlivesAJumpOfTheClock(t *testing.T) {
	r := NewRing(RingOptions{Window: time.Hour})
	start := time.Now() // with the monotonic clock
	r.Mark(start, nil)
	for tick := range 100 {
		r.Add(pollOf(0, tick, start.Add(time.Duration(tick)*time.Second)))
	}
	r.Add(pollOf(0, 100, time.Now().Round(0).Add(-24*time.Hour)))
	r.Add(pollOf(0, 101, start.Add(101*time.Second)))
	if inputs, _ := collect(r, Query{}); len(inputs) != 102 {
		t.Errorf("%d inputs", len(inputs))
	}
}

func TestRingIsReadWhileItGrows(t *testing.T) {
	r := NewRing(RingOptions{MaxInputs: 2000})
	r.Mark(epoch0, memoryOf("p0", 0))
	var done sync.WaitGroup
	stop := make(chan struct{})
	done.Go(func() {
		for {
			select {
			case <-stop:
				return
			default:
				collect(r, Query{})
			}
		}
	})
	for tick := range 10_000 {
		at := epoch0.Add(time.Duration(tick) * 10 * time.Millisecond)
		r.Add(pollOf(tick%7, tick, at))
		if tick%100 == 0 {
			r.Mark(at, memoryOf("p0", tick))
		}
	}
	close(stop)
	done.Wait()
	if s := r.Stats(); s.Inputs == 0 || s.Inputs > 2000 {
		t.Errorf("%+v", s)
	}
}

func TestPollThatIsLikeAnEarlierOneIsSmall(t *testing.T) {
	const nodes, ticks = 5000, 60
	inputs := make([]mpp.Input, 0, nodes*5)
	r := NewRing(RingOptions{})
	for tick := range ticks {
		inputs = inputs[:0]
		for node := range nodes {
			inputs = append(inputs, pollOf(node, tick, epoch0.Add(time.Duration(tick)*time.Second+time.Duration(node)*200*time.Microsecond)))
		}
		before := r.Stats().Bytes
		for i := range inputs {
			r.Add(inputs[i])
		}
		if perPoll := float64(r.Stats().Bytes-before) / nodes; tick >= 5 && perPoll > 40 {
			t.Errorf("second %d: %.1f bytes a poll", tick, perPoll)
		}
	}
	in := inputs[0]
	if n := testing.AllocsPerRun(1000, func() { r.Add(in) }); n != 0 {
		t.Errorf("%v allocations a poll", n)
	}
}
