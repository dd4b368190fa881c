package daemon_test

import (
	"context"
	"errors"
	"math/rand/v2"
	"os"
	"strconv"
	"testing"
	"time"

	"mpp"
	"mpp/journal"
)

// crashes is how often mppd is killed; MPP_CRASHES changes it.
func crashes(t *testing.T) int {
	text := os.Getenv("MPP_CRASHES")
	if text == "" {
		return 200
	}
	n, err := strconv.Atoi(text)
	if err != nil {
		t.Fatalf("MPP_CRASHES: %v", err)
	}
	return n
}

// TestKilledAtRandomMomentsTheDaemonKnowsWhatItShowed is invariant 5 and failure B10: mppd is
// killed with -9 at random moments, while states change. Whatever it had shown before is
// there afterwards, and the restart itself changes no state.
func TestKilledAtRandomMomentsTheDaemonKnowsWhatItShowed(t *testing.T) {
	r := newRig(t, nil)
	r.keys = "interval = \"200ms\"\nconfirm_interval = \"20ms\"\n"
	r.writeConfig(r.addresses()...)
	seed := uint64(time.Now().UnixNano())
	t.Logf("seed %d", seed)
	rng := rand.New(rand.NewPCG(seed, 1))
	changes, compared := 0, 0
	var lastSeen *mpp.View
	for i := range crashes(t) {
		r.start()
		first := r.eventually("ready", func(v *mpp.View) error {
			if !v.Ready {
				return errors.New("not yet")
			}
			return nil
		})
		if lastSeen != nil {
			compared += r.restartChangedNothing(lastSeen, first)
		}
		changes += r.disturb(rng)
		lastSeen = r.watchThenKill(time.Duration(rng.IntN(120)) * time.Millisecond)
		r.journalKnows(lastSeen)
		if t.Failed() {
			t.Fatalf("after crash %d", i+1)
		}
	}
	if changes < crashes(t)/3 || compared == 0 {
		t.Errorf("only %d changes, %d nodes compared: the test has gone tame", changes, compared)
	}
}

// disturb does something that changes states, by command or on the servers.
func (r *rig) disturb(rng *rand.Rand) int {
	r.t.Helper()
	node := r.addresses()[rng.IntN(3)]
	switch rng.IntN(6) {
	case 0:
		r.do(mpp.Command{Verb: mpp.VerbRecover, Node: node, Force: true})
	case 1:
		r.do(mpp.Command{Verb: mpp.VerbRecover})
	case 2:
		r.do(mpp.Command{Verb: mpp.VerbMaintenance, Node: node, Maintenance: mpp.Maintenance{On: rng.IntN(2) == 0, Reason: "test"}})
	case 3:
		if err := r.pool.Servers[1+rng.IntN(2)].StopSQLThread(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
	case 4:
		if err := r.pool.Servers[1+rng.IntN(2)].StartReplication(r.t.Context()); err != nil {
			r.t.Fatal(err)
		}
	default:
		return 0
	}
	return 1
}

// watchThenKill reads the view for a while and kills mppd; it returns the last view that was
// shown in whole.
func (r *rig) watchThenKill(d time.Duration) *mpp.View {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), d)
	defer cancel()
	var last *mpp.View
	for last == nil || ctx.Err() == nil {
		v, err := r.view()
		if err != nil {
			r.t.Fatal(err)
		}
		last = v
	}
	r.kill()
	return last
}

// journalKnows holds that what was shown is in the journal: each node's state then, or one
// that was entered later.
func (r *rig) journalKnows(shown *mpp.View) {
	r.t.Helper()
	restored, err := journal.Peek(r.stateDir(), journal.Options{})
	if err != nil {
		r.t.Fatal(err)
	}
	if len(restored.Damage) > 0 || len(restored.Uncertain) > 0 {
		r.t.Errorf("kill -9 damaged the journal: %v %v", restored.Damage, restored.Uncertain)
	}
	remembered := map[string]mpp.NodeMemory{}
	for _, n := range restored.Pools["p"].Nodes {
		remembered[n.Address] = n
	}
	for _, n := range shown.Pools[0].Nodes {
		m := remembered[n.Address]
		if m.State == n.State && m.Since.Equal(n.Since) && m.Reason == n.Reason && m.Maintenance.On == n.Maintenance.On {
			continue
		}
		if !m.Since.After(n.Since) && m.Maintenance.On == n.Maintenance.On {
			r.t.Errorf("%s was shown as %s %s since %s; the journal has %s %s since %s",
				n.Address, n.State, n.Reason, n.Since, m.State, m.Reason, m.Since)
		}
	}
}

// restartChangedNothing holds that no node changed its state by the restart: if it is
// another now than the journal had, an event with a rule and evidence says why, and it is
// not one that a restart makes. It returns how many nodes were compared.
func (r *rig) restartChangedNothing(before, after *mpp.View) int {
	r.t.Helper()
	started := uint64(0)
	events := r.events()
	for _, e := range events {
		if e.Rule == "start" {
			started = e.Seq
		}
	}
	legal := map[string]bool{}
	for _, e := range events {
		if e.Kind == mpp.EventState && e.Rule != "" && (e.Seq > started || e.At.After(before.At)) {
			legal[e.Node] = true
		}
	}
	for i, n := range after.Pools[0].Nodes {
		old := before.Pools[0].Nodes[i]
		same := n.State == old.State && n.Reason == old.Reason && n.Since.Equal(old.Since)
		if !same && !legal[n.Address] {
			r.t.Errorf("%s was %s since %s and is %s since %s, and no event says why", n.Address, old.State, old.Since, n.State, n.Since)
		}
	}
	return len(after.Pools[0].Nodes)
}

// TestARestartWithHealthyServersMakesNoStateEvent is the stricter half of invariant 5: with
// nothing else going on, a crash and a restart make no event about any node.
func TestARestartWithHealthyServersMakesNoStateEvent(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	r.polls(2) // until the ACTIVE node's status is that of an ACTIVE node
	for range 5 {
		r.kill()
		r.start()
		r.states("ACTIVE STANDBY STANDBY")
		r.polls(1)
	}
	events := r.events()
	starts := 0
	for _, e := range events {
		if e.Rule == "start" {
			starts++
		}
		if starts > 1 && e.Kind != mpp.EventDaemon {
			t.Errorf("after a restart: %s", e.Text)
		}
	}
	if starts != 6 {
		t.Errorf("%d starts are remembered, want 6", starts)
	}
}
