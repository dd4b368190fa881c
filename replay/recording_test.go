package replay

import (
	"errors"
	"io"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/journal"
	"mpp/pool"
	"mpp/state"
)

// tape is a recording in memory.
type tape struct{ lines []journal.Line }

func (t *tape) Next() (journal.Line, error) {
	if len(t.lines) == 0 {
		return journal.Line{}, io.EOF
	}
	line := t.lines[0]
	t.lines = t.lines[1:]
	return line, nil
}

func twoNodes() pool.Policy {
	return pool.Policy{
		Name: "p", Logic: mpp.LogicFailover, Engine: mpp.EngineNone, Ladder: state.DefaultLadder(),
		Nodes: []pool.NodePolicy{{Address: "a:1", Type: mpp.Primary}, {Address: "b:1", Type: mpp.Secondary}},
	}
}

// record plays a failover and returns what the daemon would have recorded.
func record() *tape {
	a := pool.New(twoNodes(), mpp.PoolMemory{})
	now := time.Unix(100, 0).UTC()
	t := &tape{lines: []journal.Line{{Mark: &journal.Mark{At: now, Pools: []mpp.PoolMemory{a.Memory()}}}}}
	poll := func(address, outcome string) {
		now = now.Add(100 * time.Millisecond)
		o := observation(address, outcome, now)
		in := mpp.Input{At: now, Pool: "p", Observation: &o}
		a.Step(now, in)
		t.lines = append(t.lines, journal.Line{Input: &in})
	}
	for range 3 {
		poll("a:1", "ok")
		poll("b:1", "ok")
	}
	for range 4 {
		poll("a:1", "connect")
	}
	poll("b:1", "ok")
	t.lines = append(t.lines, journal.Line{Mark: &journal.Mark{At: now, Pools: []mpp.PoolMemory{a.Memory()}}})
	return t
}

func TestARecordingComesOutAsTheDaemonDecided(t *testing.T) {
	s, err := Recording(record(), map[string]pool.Policy{"p": twoNodes()}, Options{Name: "r", Verify: true})
	if err != nil || s.Inputs != 11 || s.Marks != 2 || s.Compared != 1 || s.Events == 0 {
		t.Errorf("%v, %+v", err, s)
	}
}

func TestAnotherPolicyShowsWhatItWouldHaveDone(t *testing.T) {
	patient := twoNodes()
	patient.Ladder = state.Ladder{Info: 1, Warn: 2, Critical: 3, Fail: 9}
	var out strings.Builder
	if _, err := Recording(record(), map[string]pool.Policy{"p": patient}, Options{Name: "r", Out: &out}); err != nil {
		t.Fatal(err)
	}
	if strings.Contains(out.String(), `"to":"FAIL (OFFLINE)"`) {
		t.Errorf("with fail_after 9 the node was failed all the same:\n%s", out.String())
	}
	_, err := Recording(record(), map[string]pool.Policy{"p": patient}, Options{Name: "r", Verify: true})
	if !errors.Is(err, ErrDiffers) || !strings.Contains(err.Error(), "node a:1: ACTIVE") {
		t.Errorf("verify under another policy: %v", err)
	}
}

func TestARecordingOfAnUnknownPoolIsNamed(t *testing.T) {
	s, err := Recording(record(), map[string]pool.Policy{}, Options{Name: "r", Out: io.Discard})
	if err != nil || !s.Unknown["p"] || s.Inputs != 0 {
		t.Errorf("%v, %+v", err, s)
	}
}

func TestAPoolThatTheFirstMarkLacksBeginsWithNothingKnown(t *testing.T) {
	tape := record()
	tape.lines[0].Mark.Pools = nil // as in the journal of a daemon's first start
	s, err := Recording(tape, map[string]pool.Policy{"p": twoNodes()}, Options{Name: "r", Verify: true})
	if err != nil || s.Inputs != 11 || s.Compared != 1 {
		t.Errorf("%v, %+v", err, s)
	}
}

func TestNothingIsPlayedBetweenDamageAndTheNextMark(t *testing.T) {
	tape := record()
	tape.lines = append([]journal.Line{tape.lines[0], {Damage: "record 2 is missing"}}, tape.lines[2:]...)
	s, err := Recording(tape, map[string]pool.Policy{"p": twoNodes()}, Options{Name: "r", Verify: true})
	if err != nil || s.Inputs != 0 || s.Compared != 0 || len(s.Damage) != 1 {
		t.Errorf("%v, %+v", err, s)
	}
}
