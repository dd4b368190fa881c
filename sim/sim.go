// Package sim is a seeded, single-threaded model of servers, network, operators and restarts
// around the real packages pool and plan. It plays random histories and holds them against the
// invariants of docs/architecture.md: those of world (sim.go) are about states, polls and commands of
// pools without an engine; those of drill (drill*.go) about failovers and switchovers, with data in
// the servers, clients that write, steps that go wrong, and a manager that is killed, cut off or
// frozen.
//
// Nothing here knows a clock or a random source of its own: everything follows from the seed,
// so a failure is repeated by its seed alone. To test with it, call Run, or RunDrill with one of
// Faults.
package sim

import (
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/pool"
	"mpp/state"
)

// Rounds is how many rounds of polls a history has.
const Rounds = 30

// mostNodes is how many nodes a pool has at most.
const mostNodes = 7

// world is one history under way.
type world struct {
	seed    uint64
	rng     *rand.Rand
	now     time.Time
	policy  pool.Policy
	arbiter *pool.Arbiter
	health  []health
	// well holds the nodes of which a poll went well since the last restart.
	well map[string]bool
	// memory is what the arbiter remembered after the last step.
	memory mpp.PoolMemory
	// cut says that the manager's own network is gone.
	cut   bool
	round int
	stats *Stats
}

// health is what a modelled server does when it is asked.
type health uint8

const (
	healthy health = iota
	refused
	silent
	hung
	stopped // replication stopped
	behind  // CRITICAL lag
	busy    // too many connections
)

// Stats counts what the histories contained, so that a test can tell that they were not
// all of one kind.
type Stats struct {
	Steps, Promotions, Failures, Restarts, Commands, CutOffs, Reloads int
}

// Run plays the history of a seed. The error names the seed, the round and the invariant.
func Run(seed uint64, stats *Stats) error {
	w := &world{seed: seed, rng: rand.New(rand.NewPCG(seed, 0x6d7070)), now: time.Unix(1_000_000, 0).UTC(), stats: stats}
	w.policy = w.randomPolicy()
	w.arbiter = pool.New(w.policy, mpp.PoolMemory{})
	w.memory = w.arbiter.Memory()
	w.well = map[string]bool{}
	w.health = make([]health, len(w.policy.Nodes))
	for w.round = range Rounds {
		if err := w.playRound(); err != nil {
			return fmt.Errorf("seed %d, round %d: %w", seed, w.round, err)
		}
	}
	return nil
}

func (w *world) randomPolicy() pool.Policy {
	p := pool.Policy{
		Name: "p", Logic: mpp.LogicFailover, Engine: mpp.EngineNone, Ladder: state.DefaultLadder(),
		HostileTakeover: w.chance(0.4), Readers: mpp.ReadersStandby, Interval: time.Second,
		StaleAfter: 5 * time.Second, WhenStale: mpp.StaleDown,
	}
	if w.chance(0.3) {
		p.AutoRecover = time.Duration(1+w.rng.IntN(5)) * time.Second
	}
	if w.chance(0.5) {
		for i, ring := range []mpp.Ring{mpp.Internal, mpp.Edge, mpp.External}[:1+w.rng.IntN(3)] {
			p.Checkpoints = append(p.Checkpoints, pool.CheckpointPolicy{Name: fmt.Sprint("c", i), Ring: ring, Kind: "tcp"})
		}
	}
	for i := range 2 + w.rng.IntN(mostNodes-1) {
		n := pool.NodePolicy{Address: addressOf(i + 1), Type: mpp.Secondary, NoPromote: w.chance(0.1)}
		if i == 0 {
			n.Type, n.NoPromote = mpp.Primary, false
		}
		p.Nodes = append(p.Nodes, n)
	}
	return p
}

func (w *world) chance(p float64) bool { return w.rng.Float64() < p }

func (w *world) playRound() error {
	w.drift()
	if w.chance(0.05) {
		if err := w.restart(); err != nil {
			return err
		}
	}
	if w.chance(0.08) {
		if err := w.step(mpp.Input{Command: w.randomCommand()}); err != nil {
			return err
		}
	}
	if w.chance(0.02) {
		if err := w.reload(); err != nil {
			return err
		}
	}
	if err := w.tryCheckpoints(); err != nil {
		return err
	}
	for _, i := range w.rng.Perm(len(w.policy.Nodes)) {
		w.now = w.now.Add(time.Duration(w.rng.IntN(200)) * time.Millisecond)
		o := w.poll(i)
		if err := w.step(mpp.Input{Observation: &o}); err != nil {
			return err
		}
	}
	return nil
}

// drift lets servers break and mend, and the manager's network go and come.
func (w *world) drift() {
	for i := range w.health {
		switch {
		case w.health[i] == healthy && w.chance(0.08):
			w.health[i] = health(1 + w.rng.IntN(int(busy)))
		case w.health[i] != healthy && w.chance(0.2):
			w.health[i] = healthy
		}
	}
	switch {
	case !w.cut && w.chance(0.03):
		w.cut = true
	case w.cut && w.chance(0.4):
		w.cut = false
	}
}

// poll is what a poll of node i finds.
func (w *world) poll(i int) mpp.Observation {
	connect := mpp.CheckResult{Name: "connect", Class: mpp.Reach}
	query := mpp.CheckResult{Name: "query", Class: mpp.Reach}
	replication := mpp.CheckResult{Name: "replication", Class: mpp.Replica}
	lag := mpp.CheckResult{Name: "lag", Class: mpp.Replica}
	h := w.health[i]
	if w.cut {
		h = silent
	}
	o := mpp.Observation{Node: w.policy.Nodes[i].Address, At: w.now, Answered: h != refused && h != silent}
	fail := func(c mpp.CheckResult, k mpp.Kind) mpp.CheckResult {
		c.Status, c.Kind, c.Message = mpp.Fail, k, string(k)
		return c
	}
	switch h {
	case refused:
		o.Checks = []mpp.CheckResult{fail(connect, mpp.KindRefused)}
	case silent:
		o.Checks = []mpp.CheckResult{fail(connect, mpp.KindNoAnswer)}
	case hung:
		o.Checks = []mpp.CheckResult{connect, fail(query, mpp.KindHung)}
	case stopped:
		o.Checks = []mpp.CheckResult{connect, query, fail(replication, mpp.KindReplicationStopped)}
	case behind:
		lag.Status, lag.Kind, lag.Message = mpp.Critical, mpp.KindLag, "340 s behind"
		o.Checks = []mpp.CheckResult{connect, query, replication, lag}
	case busy:
		connect.Status, connect.Kind, connect.Message = mpp.Critical, mpp.KindTooManyConnections, "too many connections"
		o.Checks = []mpp.CheckResult{connect}
	default:
		o.Checks = []mpp.CheckResult{connect, query, replication, lag}
	}
	return o
}

func (w *world) tryCheckpoints() error {
	for _, c := range w.policy.Checkpoints {
		r := mpp.CheckpointResult{Name: c.Name, At: w.now, Reached: !w.cut && w.chance(0.97)}
		if err := w.step(mpp.Input{Checkpoint: &r}); err != nil {
			return err
		}
	}
	return nil
}

func (w *world) randomCommand() *mpp.Command {
	w.stats.Commands++
	c := &mpp.Command{Node: w.policy.Nodes[w.rng.IntN(len(w.policy.Nodes))].Address, By: "sim"}
	switch w.rng.IntN(8) {
	case 0, 1, 2:
		c.Verb, c.Force = mpp.VerbRecover, w.chance(0.2)
	case 3:
		c.Verb, c.Node = mpp.VerbRecover, ""
	case 4:
		c.Verb, c.Node = mpp.VerbActivatePrimary, ""
	case 5:
		c.Verb = mpp.VerbPromote
	case 6:
		c.Verb = mpp.VerbDemote
	default:
		c.Verb = mpp.VerbMaintenance
		c.Maintenance = mpp.Maintenance{On: w.chance(0.6), Until: w.now.Add(time.Duration(1+w.rng.IntN(8)) * time.Second)}
		if w.chance(0.3) {
			c.Node = ""
		}
	}
	return c
}

// reload changes what a reload may change: no node that stays may change its state by it.
func (w *world) reload() error {
	w.stats.Reloads++
	before := w.arbiter.Memory()
	w.changePolicy()
	actions := w.arbiter.Reconfigure(w.now, w.policy)
	w.memory = w.arbiter.Memory()
	if err := sameStates(before, w.memory); err != nil {
		return err
	}
	return w.hold(before, actions)
}

// changePolicy edits the configuration: rules, nodes that go, come (back), trade places or
// become PRIMARY.
func (w *world) changePolicy() {
	p := &w.policy
	p.HostileTakeover = w.chance(0.5)
	p.AutoRecover = time.Duration(w.rng.IntN(4)) * time.Second
	if w.chance(0.2) {
		p.Checkpoints = p.Checkpoints[:w.rng.IntN(len(p.Checkpoints)+1)]
	}
	p.Nodes = slices.Clone(p.Nodes)
	count := len(p.Nodes)
	switch {
	case count > 2 && w.chance(0.3):
		at := w.rng.IntN(count)
		p.Nodes, w.health = slices.Delete(p.Nodes, at, at+1), slices.Delete(w.health, at, at+1)
	case count < mostNodes && w.chance(0.3):
		p.Nodes, w.health = append(p.Nodes, pool.NodePolicy{Address: w.freeAddress()}), append(w.health, healthy)
	case w.chance(0.3):
		i, j := w.rng.IntN(count), w.rng.IntN(count)
		p.Nodes[i], p.Nodes[j] = p.Nodes[j], p.Nodes[i]
		w.health[i], w.health[j] = w.health[j], w.health[i]
	}
	primary := 0
	if w.chance(0.3) {
		primary = w.rng.IntN(len(p.Nodes))
	}
	for i := range p.Nodes {
		p.Nodes[i].Type = mpp.Secondary
		if i == primary {
			p.Nodes[i].Type, p.Nodes[i].NoPromote = mpp.Primary, false
		}
	}
}

// freeAddress is one that no node has; an earlier one may have had it.
func (w *world) freeAddress() string {
	for i := 1; ; i++ {
		address := addressOf(i)
		if !slices.ContainsFunc(w.policy.Nodes, func(n pool.NodePolicy) bool { return n.Address == address }) {
			return address
		}
	}
}

func addressOf(i int) string { return fmt.Sprintf("10.0.0.%d:3306", i) }

// restart replaces the arbiter by one made from its memory: invariant 5. While the daemon was
// down the configuration may have been changed, time has passed, and the clock may have been
// set back.
func (w *world) restart() error {
	w.stats.Restarts++
	before := w.arbiter.Memory()
	edited := w.chance(0.3)
	if edited {
		w.changePolicy()
	}
	switch {
	case w.chance(0.3):
		w.now = w.now.Add(time.Duration(w.rng.IntN(600)) * time.Second)
	case w.chance(0.1):
		w.now = w.now.Add(-time.Duration(w.rng.IntN(3600)) * time.Second)
	}
	w.arbiter, w.well = pool.New(w.policy, before), map[string]bool{}
	after := w.arbiter.Memory()
	if !edited && !reflect.DeepEqual(before, after) {
		return fmt.Errorf("invariant 5: a restart changed what is remembered: %s", cmp.Diff(before, after))
	}
	if err := sameStates(before, after); err != nil {
		return err
	}
	for _, action := range w.arbiter.Step(w.now, mpp.Input{At: w.now}) {
		if action.Kind == mpp.ActionEvent && action.Event.Kind == mpp.EventState {
			return fmt.Errorf("invariant 5: a restart triggered %s", action.Event.Text)
		}
	}
	w.memory = w.arbiter.Memory()
	return w.noneAnswers()
}

// step gives the arbiter one input and holds the result against the invariants.
func (w *world) step(in mpp.Input) error {
	w.stats.Steps++
	in.At, in.Pool = w.now, w.policy.Name
	before := w.memory
	if o := in.Observation; o != nil && o.Verdict().Failed != mpp.Reach {
		w.well[o.Node] = true
	}
	return w.hold(before, w.arbiter.Step(w.now, in))
}
