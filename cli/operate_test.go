package cli

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/publish/api/client"
)

// watched runs a command line against a client until it ends, or its context does after limit, in
// a bubble's own time.
func watched(t *testing.T, c *fake, limit time.Duration, line string) (out, errs string, code int) {
	t.Helper()
	s := newStage(t)
	s.dial = func(Target) (Client, error) { return c, nil }
	return watching(t, s, limit, line)
}

func TestInterruptedWatchSaysThatTheOperationGoesOn(t *testing.T) {
	e := goingThrough(switchedOver(moment()))
	e.course = e.course[:2] // it never ends
	out, errs, code := watched(t, e.client(), 2*time.Second, "mpp switchover shop --to db2")
	if code != ExitInterrupted {
		t.Errorf("exit code %d", code)
	}
	want := "mpp: interrupted: nobody watches any more; switchover 7 of pool shop goes on\n" +
		"  how it is: mpp failovers show 7 --pool shop, or mpp status shop\n"
	if diff := cmp.Diff(want, errs); diff != "" {
		t.Error(diff)
	}
	if n := strings.Count(out, "\n  check  "); n != 3 {
		t.Errorf("the steps that ended until then are told %d times:\n%s", n, out)
	}
}

func TestStepIsToldOnceWheneverItIsSeen(t *testing.T) {
	o := switchedOver(moment())
	e := goingThrough(o)
	e.course = nil
	for after := time.Duration(0); after < o.Ended.Sub(o.Began); after += ms(1) {
		e.course = append(e.course, before(o, o.Began.Add(after)))
	}
	e.course = append(e.course, o)
	often, _, code := watched(t, e.client(), time.Minute, "mpp switchover shop")
	seldom, _, _ := watched(t, goingThrough(o).client(), time.Minute, "mpp switchover shop")
	if diff := cmp.Diff(seldom, often); diff != "" || code != ExitOK {
		t.Errorf("exit code %d; -looked four times +looked each millisecond\n%s", code, diff)
	}
}

func TestWatchGoesOnWhenTheDaemonComesBack(t *testing.T) {
	e := goingThrough(switchedOver(moment()))
	c, looks := e.client(), 0
	operation := c.operation
	c.operation = func(pool string, id uint64) (*mpp.Operation, error) {
		if looks++; looks > 2 && looks < 300 { // half a minute: it is started again
			return nil, client.ErrUnreachable
		}
		return operation(pool, id)
	}
	out, errs, code := watched(t, c, time.Minute, "mpp switchover shop")
	if code != ExitOK || !strings.Contains(out, "completed in 113ms") || strings.Count(errs, "lost sight of switchover 7") != 1 {
		t.Errorf("exit code %d\n%s%s", code, out, errs)
	}
}

func TestWatchEndsWhenTheDaemonStaysAway(t *testing.T) {
	c := goingThrough(switchedOver(moment())).client()
	for name, trouble := range map[string]error{"away": client.ErrUnreachable, "forgotten": client.ErrNotFound} {
		c.operation = func(string, uint64) (*mpp.Operation, error) { return nil, trouble }
		_, errs, code := watched(t, c, 10*time.Minute, "mpp switchover shop")
		if code == ExitOK || code == ExitInterrupted || !strings.Contains(errs, "how switchover 7 of pool shop goes on or ended is not known: mpp failovers show 7 --pool shop") {
			t.Errorf("%s: exit code %d: %s", name, code, errs)
		}
	}
}

func TestOutcomeAsJSONHasNoProgressBeforeIt(t *testing.T) {
	for world, want := range map[string]int{"switchover": ExitOK, "rolled-back": ExitNotOK} {
		e := engineWorlds()[world]()
		out, errs, code := watched(t, e.client(), time.Minute, "mpp switchover shop --json")
		if !strings.HasPrefix(out, "{\n") || !strings.Contains(out, `"outcome": "`) || errs != "" || code != want {
			t.Errorf("%s: exit code %d, %s\n%s", world, code, errs, out)
		}
	}
}

func TestWhatIsTypedReachesTheDaemon(t *testing.T) {
	for line, want := range map[string]mpp.Command{
		"mpp switchover shop": {Verb: mpp.VerbSwitchover},
		"mpp switchover shop --to db2 --wait 5m --kill-after 1d":      {Verb: mpp.VerbSwitchover, Node: db2, Options: mpp.OperationOptions{Wait: 5 * time.Minute, KillAfter: 24 * time.Hour}},
		"mpp switchover shop --kill-after 0s --dry-run":               {Verb: mpp.VerbSwitchover, Options: mpp.OperationOptions{KillAfter: 1, DryRun: true}},
		"mpp failover shop --to 10.0.0.3 --accept-loss":               {Verb: mpp.VerbFailover, Node: db3, Options: mpp.OperationOptions{AcceptLoss: true}},
		"mpp failover shop --dry-run":                                 {Verb: mpp.VerbFailover, Options: mpp.OperationOptions{DryRun: true}},
		"mpp rejoin db1 --clone":                                      {Verb: mpp.VerbRejoin, Node: db1, Options: mpp.OperationOptions{Clone: true}},
		"mpp rejoin db1 --dry-run":                                    {Verb: mpp.VerbRejoin, Node: db1, Options: mpp.OperationOptions{DryRun: true}},
		"mpp failovers ack 3":                                         {Verb: mpp.VerbAcknowledge, Operation: 3},
		"mpp failovers ack 9 --pool shop":                             {Verb: mpp.VerbAcknowledge, Operation: 9},
		"mpp failovers ack --all":                                     {Verb: mpp.VerbAcknowledge},
		"mpp switchover shop --no-wait --to db2 --utc --color always": {Verb: mpp.VerbSwitchover, Node: db2},
	} {
		e := goingThrough(switchedOver(moment()))
		want.By = "ada"
		if _, errs, code := watched(t, e.client(), time.Minute, line); code != ExitOK {
			t.Errorf("%s: exit code %d: %s", line, code, errs)
		}
		if diff := cmp.Diff([]mpp.Command{want}, e.commands); diff != "" {
			t.Errorf("%s (-want +got):\n%s", line, diff)
		}
	}
}

func TestReportOfAnOperationUnderWayCanBeFollowed(t *testing.T) {
	e := goingThrough(switchedOver(moment()))
	out, errs, code := watched(t, e.client(), time.Minute, "mpp failovers show 7 --follow")
	if code != ExitOK || !strings.HasPrefix(out, "switchover 7 of pool shop: ") || !strings.Contains(out, "completed in 113ms") {
		t.Errorf("exit code %d: %s\n%s", code, errs, out)
	}
}

func TestCommandOfAnEngineWithoutAnswerSaysThatItsOutcomeIsNotKnown(t *testing.T) {
	c := native().client()
	c.do = func(string, mpp.Command) (mpp.Result, error) { return mpp.Result{}, context.DeadlineExceeded }
	for _, line := range []string{"mpp switchover shop", "mpp failover shop", "mpp rejoin db1"} {
		_, errs, code := watched(t, c, time.Minute, line)
		if code != ExitUnreachable || !strings.Contains(errs, "whether it was carried out is not known") {
			t.Errorf("%s: exit code %d: %s", line, code, errs)
		}
	}
}

func TestDiagnosisThatCannotBeMadeIsAnError(t *testing.T) {
	c := native().client()
	c.doctor = func(string) (*mpp.Diagnosis, error) {
		return nil, &client.Refusal{Status: 503, Text: "4 diagnoses are under way already"}
	}
	if _, errs, code := watched(t, c, time.Minute, "mpp doctor"); code != ExitUnreachable || !strings.Contains(errs, "under way already") {
		t.Errorf("exit code %d: %s", code, errs)
	}
	c.doctor = func(string) (*mpp.Diagnosis, error) { return &mpp.Diagnosis{Pool: "shop"}, nil }
	if out, _, code := watched(t, c, time.Minute, "mpp doctor"); code != ExitNotOK || !strings.Contains(out, "FAIL: nothing could be tried") {
		t.Errorf("a diagnosis that tried nothing is well: exit code %d\n%s", code, out)
	}
}

func TestOutcomeThatCannotBeWrittenIsAnError(t *testing.T) {
	for _, line := range []string{"mpp switchover shop", "mpp failovers", "mpp failovers show 3", "mpp readiness", "mpp doctor"} {
		s := newStage(t)
		s.direct("world switchover")
		sys, _, errs := s.system()
		sys.Out = full{}
		if code := Run(t.Context(), sys, split(t, line)[1:]); code != ExitTrouble || !strings.Contains(errs.String(), "no space left") {
			t.Errorf("%s: exit code %d, stderr %q", line, code, errs)
		}
	}
}

func plainDrawing() drawing { return drawing{zone: zone(), names: map[string]string{db1: "db1"}} }

func TestWriteGapGoesFromReadOnlyToTheNextWriter(t *testing.T) {
	began := moment()
	at := func(n float64) time.Time { return began.Add(ms(n)) }
	readOnly := mpp.Step{N: 1, Kind: mpp.StepReadOnly, Node: db1, Status: mpp.StepDone, Began: at(10), Took: ms(3)}
	ofNew := mpp.Step{N: 2, Kind: mpp.StepReadOnly, Node: db2, Status: mpp.StepDone, Began: at(1), Took: ms(3)}
	again := mpp.Step{N: 3, Kind: mpp.StepWritable, Node: db1, Undo: true, Status: mpp.StepDone, Began: at(40), Took: ms(5)}
	failed := again
	failed.Status = mpp.StepFailed
	for name, c := range map[string]struct {
		o    mpp.Operation
		want string
	}{
		"completed":      {mpp.Operation{Old: db1, New: db2, Opened: at(30), Steps: []mpp.Step{ofNew, readOnly}}, "20ms"},
		"rolled back":    {mpp.Operation{Old: db1, New: db2, Steps: []mpp.Step{ofNew, readOnly, again}}, "35ms"},
		"not yet":        {mpp.Operation{Old: db1, New: db2, Steps: []mpp.Step{ofNew, readOnly}}, "none"},
		"not undone":     {mpp.Operation{Old: db1, New: db2, Steps: []mpp.Step{ofNew, readOnly, failed}}, "none"},
		"never touched":  {mpp.Operation{Old: db1, New: db2, Steps: []mpp.Step{ofNew}}, "none"},
		"opened, closed": {mpp.Operation{Old: db1, New: db2, Opened: at(30), Steps: []mpp.Step{readOnly, again}}, "20ms"},
	} {
		got := "none"
		if gap, known := writeGap(&c.o); known {
			got = gap.String()
		}
		if got != c.want {
			t.Errorf("%s: %s, want %s", name, got, c.want)
		}
	}
}

func TestLossIsNeverGuessed(t *testing.T) {
	for want, o := range map[string]mpp.Operation{
		"nothing":        {Kind: mpp.OpFailover, Opened: moment(), NothingLost: "proof"},
		"3 transactions": {Kind: mpp.OpFailover, Opened: moment(), LostCount: 3, NothingLost: "proof"},
		"1 transaction":  {Kind: mpp.OpFailover, LostCount: 1},
		"some":           {Kind: mpp.OpFailover, Lost: "0-1-5"},
		"not known":      {Kind: mpp.OpFailover, Opened: moment()},
		"-":              {Kind: mpp.OpFailover},
	} {
		if got := lost(&o).text; got != want {
			t.Errorf("%+v: %q, want %q", o, got, want)
		}
	}
}

func TestOperationThatLacksEverythingIsDrawn(t *testing.T) {
	d := plainDrawing()
	for _, kind := range []mpp.OperationKind{mpp.OpFailover, mpp.OpSwitchover, mpp.OpReopen, mpp.OpFence, mpp.OpRejoin, mpp.OpTestLinks, ""} {
		for _, how := range []mpp.Outcome{"", mpp.Completed, mpp.RolledBack, mpp.Stopped, mpp.Abandoned, "unheard-of"} {
			o := mpp.Operation{ID: 1, Kind: kind, Outcome: how, Steps: []mpp.Step{{}}}
			text := d.report(&o) + d.plan(&o, nil) + d.operations([]mpp.Operation{o}) + newProgress(d, &mpp.PoolView{}).news(&o) + d.end(&o)
			if strings.Contains(text, "%!") {
				t.Errorf("%s %s:\n%s", kind, how, text)
			}
		}
	}
}

func TestNothingInAReportControlsTheTerminal(t *testing.T) {
	const evil = "\x1b[2J\r\nevil\x00\u202e"
	o := failedOver()
	o.Pool, o.Reason, o.Why, o.By, o.Lost, o.NothingLost, o.Old, o.New, o.Wanted, o.Phase = evil, evil, evil, evil, evil, evil, evil, evil, evil, evil
	o.Notes, o.Gates[0].Evidence, o.Gates[0].Name, o.Candidates[0].Why, o.Candidates[0].Address = []string{evil}, evil, evil, evil, evil
	for i := range o.Steps {
		s := &o.Steps[i]
		s.Text, s.Node, s.Peer, s.Detail, s.Phase, s.Kind = evil, evil, evil, evil, evil, evil
	}
	r := unreadyPool()
	r.Summary, r.ExpectedLoss, r.ExpectedOutage, r.Blockers, r.Warnings = evil, evil, evil, []string{evil}, []string{evil}
	p := mpp.PoolView{Name: evil, Readiness: r, Addresses: []string{evil}, Operation: &o}
	x := diagnosed()
	x.Pool, x.Findings[0].Text, x.Findings[0].What, x.Findings[0].Hint = evil, evil, evil, evil
	d, at := plainDrawing(), reading{view: &mpp.View{}, now: moment()}
	stopped := o
	stopped.Outcome = mpp.Stopped
	for i, text := range []string{
		d.report(&o), d.report(&stopped), d.plan(&o, [][]string{{evil}}), d.operations([]mpp.Operation{o, stopped}), newProgress(d, &p).news(&o),
		d.end(&o), d.end(&stopped), d.readinessPage(at, &p), d.readinessTable(at, []*mpp.PoolView{&p}), d.diagnosis(x),
	} {
		if strings.ContainsAny(text, "\x1b\r\x00\u202e") {
			t.Errorf("picture %d: %q", i, text)
		}
	}
}

func TestAddressIsWellOnlyOnTheActiveNodeAlone(t *testing.T) {
	held := func(known, holds, some bool) *mpp.AddressReport {
		return &mpp.AddressReport{Known: known, Holds: holds, Some: some}
	}
	yes, no, part, unknown := held(true, true, true), held(true, false, false), held(true, false, true), held(false, false, false)
	for _, c := range []struct {
		on   [3]*mpp.AddressReport
		want string
		well bool
	}{
		{[3]*mpp.AddressReport{yes, no, no}, "10.0.0.100/32 on db1", true},
		{[3]*mpp.AddressReport{yes, nil, unknown}, "10.0.0.100/32 on db1", true},
		{[3]*mpp.AddressReport{no, yes, no}, "10.0.0.100/32 ON 10.0.0.2:3306, which is not ACTIVE", false},
		{[3]*mpp.AddressReport{yes, part, no}, "10.0.0.100/32 ON SEVERAL: db1, 10.0.0.2:3306", false},
		{[3]*mpp.AddressReport{part, no, no}, "10.0.0.100/32 ONLY IN PART on db1", false},
		{[3]*mpp.AddressReport{no, no, no}, "10.0.0.100/32 ON NO NODE", false},
		{[3]*mpp.AddressReport{unknown, no, nil}, "10.0.0.100/32 not seen; not known of db1, 10.0.0.3:3306", false},
	} {
		p := mpp.PoolView{Active: db1, Addresses: []string{"10.0.0.100/32"}}
		for i, address := range []string{db1, db2, db3} {
			p.Nodes = append(p.Nodes, mpp.NodeView{Address: address, VirtualAddress: c.on[i]})
		}
		if text, well := holders(plainDrawing(), &p); text != c.want || well != c.well {
			t.Errorf("%q %v, want %q %v", text, well, c.want, c.well)
		}
	}
}

func TestBarsStayWithinTheChart(t *testing.T) {
	from := moment()
	s := scaled{from: from, whole: time.Second}
	for _, c := range []struct {
		from, to float64
		want     string
	}{
		{0, 1000, strings.Repeat("#", barWidth)},
		{0, 0, "#"},
		{1000, 1000, strings.Repeat(" ", barWidth-1) + "#"},
		{-500, 2000, strings.Repeat("#", barWidth)},
		{500, 501, strings.Repeat(" ", barWidth/2) + "#"},
	} {
		if got := s.bar(from.Add(ms(c.from)), from.Add(ms(c.to))); got != c.want || len(got) > barWidth {
			t.Errorf("%v to %v: %q, want %q", c.from, c.to, got, c.want)
		}
	}
}

func TestNewestComesFirstAndWhatIsUnderWayBeforeAll(t *testing.T) {
	at := func(id uint64, began int, ended bool) mpp.Operation {
		o := mpp.Operation{ID: id, Began: moment().Add(time.Duration(began) * time.Minute)}
		if ended {
			o.Ended = o.Began
		}
		return o
	}
	all := newestFirst([]mpp.Operation{at(1, 1, true), at(2, 9, true), at(3, 2, false), at(4, 5, true), at(5, 3, false)}, 4)
	var got []string
	for _, o := range all {
		got = append(got, fmt.Sprint(o.ID))
	}
	if diff := cmp.Diff("5 3 2 4", strings.Join(got, " ")); diff != "" {
		t.Error(diff)
	}
}

func TestTroubleOfOnePoolIsNotTakenForNoSuchOperation(t *testing.T) {
	c := native().client()
	c.operation = func(string, uint64) (*mpp.Operation, error) { return nil, errors.New("broken") }
	if _, errs, code := watched(t, c, time.Minute, "mpp failovers show 3"); code != ExitTrouble || !strings.Contains(errs, "broken") {
		t.Errorf("exit code %d: %s", code, errs)
	}
}
