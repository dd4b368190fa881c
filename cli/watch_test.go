package cli

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"mpp"
	"mpp/publish/api/client"
)

// watching runs a command until its context ends after d, in a bubble's own time.
func watching(t *testing.T, s *stage, d time.Duration, line string) (out, errs string, code int) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		s.t = t
		sys, o, e := s.system()
		ctx, cancel := context.WithTimeout(t.Context(), d)
		defer cancel()
		code = Run(ctx, sys, split(t, line)[1:])
		out, errs = o.String(), e.String()
	})
	return out, errs, code
}

func TestWatchDrawsAgainUntilInterrupted(t *testing.T) {
	out, errs, code := watching(t, newStage(t), 3500*time.Millisecond, "mpp status shop --watch")
	if code != 0 || errs != "" {
		t.Fatalf("exit code %d, stderr %q", code, errs)
	}
	if n := strings.Count(out, "03:00:00 CET\nTYPE"); n != 4 {
		t.Errorf("%d pictures in 3.5 s at 1 s, want 4:\n%s", n, out)
	}
	if strings.Contains(out, "\x1b") {
		t.Error("terminal controls in a pipe")
	}
}

func TestWatchTakesItsIntervalAsAWord(t *testing.T) {
	for line, want := range map[string]int{"mpp status --watch 2s": 2, "mpp status -w 0.5 shop": 7, "mpp status --watch=500ms": 7} {
		out, errs, code := watching(t, newStage(t), 3250*time.Millisecond, line)
		if n := strings.Count(out, "TYPE  "); n != want || code != 0 {
			t.Errorf("%s: %d pictures, want %d; exit code %d, %s", line, n, want, code, errs)
		}
	}
}

func TestWatchOnATerminalRedrawsInPlace(t *testing.T) {
	s := newStage(t)
	s.tty, s.size = true, Size{Width: 100, Height: 8}
	out, _, code := watching(t, s, 1500*time.Millisecond, "mpp status --watch")
	if code != 0 {
		t.Fatalf("exit code %d", code)
	}
	if n := strings.Count(out, cursorHome); n != 2 {
		t.Errorf("%d redraws, want 2", n)
	}
	if !strings.HasSuffix(out, cursorShow+"\n") {
		t.Errorf("the terminal is left as it was not found: %q", out[max(0, len(out)-40):])
	}
	frames := strings.Split(out, cursorHome)
	for _, frame := range frames[1:] {
		if n := strings.Count(strings.TrimSuffix(frame, cursorShow+"\n"), "\n"); n > 7 {
			t.Errorf("%d line ends scroll a terminal of 8 lines", n)
		}
	}
	if !strings.Contains(out, "… 7 more lines") {
		t.Errorf("what does not fit is not counted: %q", frames[1])
	}
}

func TestWatchShowsWhatWasKnownWhenTheDaemonGoesAway(t *testing.T) {
	s, w := newStage(t), healthy()
	asked := 0
	c := w.client()
	c.view = func() (*mpp.View, error) {
		if asked++; asked == 2 {
			return nil, client.ErrUnreachable
		}
		return w.shown(), nil
	}
	s.dial = func(Target) (Client, error) { return c, nil }
	out, _, code := watching(t, s, 2500*time.Millisecond, "mpp status shop -w")
	if code != 0 || strings.Count(out, "TYPE  ") != 3 {
		t.Fatalf("exit code %d:\n%s", code, out)
	}
	if strings.Count(out, "STALE: this is from 03:00:00 CET (0.0s ago): mppd cannot be reached") != 1 {
		t.Errorf("the second picture is not marked, or others are:\n%s", out)
	}
}

func TestWatchMarksAStuckDaemonWithinTwoSeconds(t *testing.T) {
	s, w := newStage(t), healthy()
	asked := 0
	c := w.client()
	c.view = func() (*mpp.View, error) { return w.shown(), nil }
	s.dial = func(Target) (Client, error) {
		if asked++; asked > 1 {
			return stuckClient{c}, nil
		}
		return c, nil
	}
	out, _, _ := watching(t, s, 3500*time.Millisecond, "mpp status shop --watch")
	if !strings.Contains(out, "gave no answer within 2s") {
		t.Errorf("after 3.5 s of which 2.5 brought no answer:\n%s", out)
	}
}

// stuckClient is a daemon that takes questions and does not answer.
type stuckClient struct{ *fake }

func (stuckClient) View(ctx context.Context) (*mpp.View, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestLinesThatDoNotFitAreCountedAsTheyWrap(t *testing.T) {
	lines := []string{"short", strings.Repeat("x", 25), "\x1b[31m" + strings.Repeat("y", 10) + "\x1b[0m", "end"}
	for height, want := range map[int]int{0: 4, 5: 3, 6: 4, 7: 4, 2: 2, 3: 2} {
		got := fitting(lines, Size{Width: 10, Height: height})
		if len(got) != want {
			t.Errorf("height %d: %d lines %q, want %d", height, len(got), got, want)
		}
	}
}

// follower is a daemon whose streams are scripted: each call of Stream plays one.
func follower(w *world, streams ...func(client.EventQuery, func(mpp.Event) error) error) *fake {
	c := w.client()
	next := 0
	c.stream = func(ctx context.Context, q client.EventQuery, each func(mpp.Event) error) error {
		if next == len(streams) {
			<-ctx.Done()
			return ctx.Err()
		}
		next++
		return streams[next-1](q, each)
	}
	return c
}

func event(seq uint64) mpp.Event {
	return mpp.Event{Seq: seq, At: moment(), Kind: mpp.EventDaemon, Text: fmt.Sprintf("number %d", seq)}
}

func TestFollowGoesOnAfterABreakWithoutLossOrRepetition(t *testing.T) {
	w := healthy()
	last := w.seq
	c := follower(w,
		func(q client.EventQuery, each func(mpp.Event) error) error {
			if q.After != last {
				t.Errorf("the stream starts after %d, want %d", q.After, last)
			}
			w.seq = last + 2
			w.events = append(w.events, event(last+1), event(last+2))
			return errors.Join(each(event(last+1)), each(event(last+2)), client.ErrCutOff)
		},
		func(client.EventQuery, func(mpp.Event) error) error { return client.ErrUnreachable },
		func(q client.EventQuery, each func(mpp.Event) error) error {
			if q.After != last+2 {
				t.Errorf("the stream goes on after %d, want %d", q.After, last+2)
			}
			w.events = append(w.events, event(last+3))
			return errors.Join(each(event(last+2)), each(event(last+3)), client.ErrCutOff)
		},
	)
	s := newStage(t)
	s.dial = func(Target) (Client, error) { return c, nil }
	out, errs, code := watching(t, s, time.Minute, "mpp events -f -n 1")
	if code != 0 {
		t.Fatalf("exit code %d: %s", code, errs)
	}
	for seq := last + 1; seq <= last+3; seq++ {
		if n := strings.Count(out, fmt.Sprintf("number %d\n", seq)); n != 1 {
			t.Errorf("event %d is shown %d times:\n%s", seq, n, out)
		}
	}
	if n := strings.Count(errs, "the stream broke off"); n != 2 {
		t.Errorf("two breaks are told %d times:\n%s", n, errs)
	}
}

func TestFollowNoticesThatEventsAreNumberedAfresh(t *testing.T) {
	w := healthy()
	c := follower(w,
		func(client.EventQuery, func(mpp.Event) error) error {
			w.events = []mpp.Event{event(1)}
			return client.ErrCutOff
		},
		func(q client.EventQuery, each func(mpp.Event) error) error {
			if q.After != 0 {
				t.Errorf("the stream goes on after %d, which will not come again for long", q.After)
			}
			return errors.Join(each(event(2)), client.ErrCutOff)
		},
	)
	s := newStage(t)
	s.dial = func(Target) (Client, error) { return c, nil }
	out, errs, _ := watching(t, s, time.Minute, "mpp events --follow")
	if !strings.Contains(out, "number 2") || !strings.Contains(errs, "numbers its events afresh (1 after 10)") {
		t.Errorf("events of a daemon that lost its journal are not shown: %q, %q", out, errs)
	}
}

func TestFollowEndsWhenItIsNotLetIn(t *testing.T) {
	c := follower(healthy(), func(client.EventQuery, func(mpp.Event) error) error { return client.ErrDenied })
	s := newStage(t)
	s.dial = func(Target) (Client, error) { return c, nil }
	if _, errs, code := watching(t, s, time.Minute, "mpp events --follow"); code != ExitUnreachable {
		t.Errorf("exit code %d, %s", code, errs)
	}
}

// full is a disk without space.
type full struct{}

func (full) Write([]byte) (int, error) { return 0, errors.New("no space left on device") }

func TestOutputThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, line := range []string{"mpp status", "mpp nodes --json", "mpp events", "mpp events -f", "mpp status --watch"} {
		sys, _, errs := newStage(t).system()
		sys.Out = full{}
		if code := Run(t.Context(), sys, split(t, line)[1:]); code != ExitTrouble || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%s: exit code %d, stderr %q", line, code, errs)
		}
	}
}

func TestInterruptedQuestionIsNotAnAnswer(t *testing.T) {
	for _, line := range []string{"mpp status", "mpp recover db1", "mpp check db1", "mpp explain shop"} {
		s := newStage(t)
		c := healthy().client()
		c.view = func() (*mpp.View, error) { return nil, context.Canceled }
		s.dial = func(Target) (Client, error) { return c, nil }
		if got, want := s.run(line), "mpp: interrupted\n[exit code 130]\n"; got != want {
			t.Errorf("%s: %q, want %q", line, got, want)
		}
	}
}

func TestCommandWithoutAnswerSaysThatItsOutcomeIsNotKnown(t *testing.T) {
	s := newStage(t)
	c := healthy().client()
	c.do = func(string, mpp.Command) (mpp.Result, error) { return mpp.Result{}, context.DeadlineExceeded }
	s.dial = func(Target) (Client, error) { return c, nil }
	got := s.run("mpp recover db1")
	if !strings.Contains(got, "whether it was carried out is not known") || !strings.Contains(got, "[exit code 3]") {
		t.Error(got)
	}
}

func TestStatusOfTwoHundredPoolsIsDrawnAtOnce(t *testing.T) {
	v := manyPools(200)
	sys, _, _ := newStage(t).system()
	s := &statusCommand{env: &env{sys: sys, color: "always"}}
	pools, err := chosen(v, nil)
	if err != nil {
		t.Fatal(err)
	}
	r := read(v, moment())
	var text string
	allocations := testing.AllocsPerRun(3, func() { text = s.draw(r, pools, r.findings(pools)) })
	if n := bytes.Count([]byte(text), []byte("\n")); n != 200*6+3 {
		t.Errorf("%d lines", n)
	}
	if perNode := allocations / (200 * 3); perNode > 20 {
		t.Errorf("%.1f allocations a node: drawing is no longer linear and light", perNode)
	}
}

func manyPools(n int) *mpp.View {
	v := healthy().shown()
	shop := v.Pools[0]
	v.Pools = nil
	for i := range n {
		p := shop
		p.Name = fmt.Sprintf("shop%03d", i)
		v.Pools = append(v.Pools, p)
	}
	return v
}

func BenchmarkStatusOfTwoHundredPools(b *testing.B) {
	v := manyPools(200)
	s := &statusCommand{env: &env{color: "always", sys: System{
		Now: moment, Zone: zone(), Getenv: func(string) string { return "" }, Terminal: func() (Size, bool) { return Size{Width: 120}, true },
	}}}
	pools, err := chosen(v, nil)
	if err != nil {
		b.Fatal(err)
	}
	for b.Loop() {
		r := read(v, moment())
		s.draw(r, pools, r.findings(pools))
	}
}
