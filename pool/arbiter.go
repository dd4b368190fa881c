package pool

import (
	"fmt"
	"slices"
	"time"

	"mpp"
	"mpp/state"
)

// Arbiter decides for one pool.
type Arbiter struct {
	policy  Policy
	machine *state.Machine
	nodes   []*node // PRIMARY first, then SECONDARY in configured order
	index   map[string]*node
	head    mpp.PoolMemory // without Nodes
	points  []checkpoint
	out     []mpp.Action // of the step under way; reused
	// touched are the nodes that the step under way may have changed; allTouched when it may
	// be any. actives counts the ACTIVE nodes.
	touched    []*node
	allTouched bool
	actives    int
	// lanesFor is the situation that the lanes of untouched nodes were chosen for.
	lanesFor situation
	// catalogue is what problems asks; built once.
	catalogue []problemKind
	// headChanged says that the step under way changed what is remembered of the pool itself,
	// headSync that it must be on disk before anything is done. resumed says that the operation
	// of a run before has been taken up.
	headChanged, headSync, resumed bool
	// readiness is the last one, made at readyAt.
	readiness *mpp.Readiness
	readyAt   time.Time
	// settled is when the last operation that moved the role ended: what was polled before says
	// nothing about who should follow whom.
	settled time.Time
	// drivenAt is when the last input came.
	drivenAt time.Time
	// unrecorded says why the journal cannot be written, "" while it can.
	unrecorded string
	// mended is when a node was last made a replica again.
	mended time.Time
}

// node is a node with what is known of it since the start.
type node struct {
	policy NodePolicy
	mem    mpp.NodeMemory
	// observation is the last poll, nil before the first; unfit says why the node must not
	// be promoted on it.
	observation *mpp.Observation
	verdict     mpp.Verdict // of observation
	unfit       string
	// unattached says why what the ACTIVE node wrote cannot have reached this one.
	unattached string
	// seen says that a poll went well since the daemon started, or since it was frozen or cut
	// off: a failed poll alone makes what was known before no fresher.
	seen   bool
	checks mpp.Status // worst check of the last poll that is not FAIL
	lane   mpp.Lane
	// announced is what the last status event said, so that only changes are told.
	announced announcement
	persisted mpp.NodeMemory
	engineNode
}

type announcement struct {
	status mpp.Status
	kind   mpp.Kind
}

// New returns the arbiter of a pool, with what was remembered of it: nodes that the memory
// does not know start UNKNOWN, nodes that the policy does not know are forgotten.
func New(p Policy, memory mpp.PoolMemory) *Arbiter {
	a := &Arbiter{policy: p, machine: state.New(p.Ladder), head: memory, catalogue: catalogue()}
	a.head.Name, a.head.Nodes = p.Name, nil
	known := make(map[string]mpp.NodeMemory, len(memory.Nodes))
	for _, n := range memory.Nodes {
		known[n.Address] = n
	}
	a.place(p, func(np NodePolicy) *node { return newNode(np, known[np.Address]) })
	a.points = placeCheckpoints(p.Checkpoints, nil)
	return a
}

// Unrecorded tells the arbiter why the journal cannot be written, "" when it can: no failover
// starts by itself that a restart would forget.
func (a *Arbiter) Unrecorded(why string) { a.unrecorded = why }

// touch notes that the step under way may have changed n.
func (a *Arbiter) touch(n *node) {
	if l := len(a.touched); l == 0 || a.touched[l-1] != n {
		a.touched = append(a.touched, n)
	}
}

func newNode(np NodePolicy, mem mpp.NodeMemory) *node {
	mem.Address = np.Address
	if mem.State == "" {
		mem.State = mpp.Unknown
	}
	n := &node{policy: np, mem: mem, persisted: mem, lane: mpp.LaneNormal}
	if n.mem.Failing != "" || n.mem.Kind != "" {
		n.announced = announcement{n.mem.Status, n.mem.Kind}
	}
	return n
}

// place fills nodes and index from a policy, PRIMARY first.
func (a *Arbiter) place(p Policy, find func(NodePolicy) *node) {
	ordered := slices.Clone(p.Nodes)
	slices.SortStableFunc(ordered, func(x, y NodePolicy) int { return rank(x.Type) - rank(y.Type) })
	a.nodes = make([]*node, 0, len(ordered))
	a.index = make(map[string]*node, len(ordered))
	a.actives, a.allTouched = 0, true
	for _, np := range ordered {
		n := find(np)
		if n.mem.State == mpp.Active {
			a.actives++
		}
		a.nodes = append(a.nodes, n)
		a.index[np.Address] = n
	}
}

func rank(t mpp.Type) int {
	if t == mpp.Primary {
		return 0
	}
	return 1
}

// Step takes one input and returns what is to be done, in order. The slice is reused by the
// next Step. An input about a node or checkpoint that the pool does not have is ignored: it
// may have been on its way when a reload removed it.
func (a *Arbiter) Step(now time.Time, in mpp.Input) []mpp.Action {
	a.out = a.out[:0]
	if a.actives > 1 {
		a.keepOneActive(now)
	}
	a.endMaintenance(now)
	switch {
	case in.Observation != nil:
		a.observe(now, in.Observation)
	case in.Checkpoint != nil:
		a.checkpointSeen(now, in.Checkpoint)
	case in.StepResult != nil:
		a.stepEnded(now, in.StepResult)
	case in.AddressReport != nil:
		a.addressSeen(in.AddressReport)
	case in.Command != nil:
		a.allTouched = true
		result := a.command(now, *in.Command)
		a.tellCommand(now, *in.Command, result)
		a.out = append(a.out, mpp.Action{Kind: mpp.ActionReply, Result: &result})
	}
	a.endStranded(now)
	if a.engine() {
		a.drive(now)
	}
	a.assignLanes()
	a.persist()
	return a.out
}

// observe counts a poll and applies the rules of the pool's logic to its node.
func (a *Arbiter) observe(now time.Time, o *mpp.Observation) {
	n := a.index[o.Node]
	// Compared with the last poll of this process only: the clock may have been set back since
	// what the memory holds from before a restart.
	if n == nil || (n.observation != nil && o.At.Before(n.observation.At)) {
		return
	}
	a.touch(n)
	if n.observation != nil && a.policy.StaleAfter > 0 && o.At.Sub(n.observation.At) > a.policy.StaleAfter {
		n.seen = false
	}
	if n.observation == nil {
		// Rows of polls begin with this run: the clock may have been set since the last one.
		n.mem.FirstMiss, n.mem.GoodSince = time.Time{}, time.Time{}
	}
	v := o.Verdict()
	n.observation, n.verdict, n.checks = o, v, v.Status
	a.judgeFitness(n, o)
	a.judgeCutOff(now)
	if a.head.CutOff {
		a.note(n, v)
		return
	}
	if v.Failed == mpp.Replica && a.expectsBrokenLinks() {
		a.note(n, mpp.Verdict{Status: v.Status, Message: v.Message, Kind: v.Kind, Check: v.Check})
		n.mem.LastPoll = o.At
		return
	}
	before := a.machine.Count(&n.mem, o.At, v)
	n.seen = n.seen || v.Failed == "" || (v.Failed == mpp.Replica && n.mem.State == mpp.Active)
	if a.wantsCheckpoint(n) {
		a.out = append(a.out, mpp.Action{Kind: mpp.ActionCheckpoints})
	}
	switch {
	case !a.held(now, n):
		a.apply(now, n, before)
	case n.mem.State == mpp.Unknown && v.Failed == "" && !n.mem.Maintenance.InForce(now):
		a.admit(now, n) // harmless, and the only way to make a node ready for a command
	}
	a.machine.Rate(&n.mem, v.Status)
	a.tellStatus(now, n)
}

// apply runs the rules for a node that was just polled.
func (a *Arbiter) apply(now time.Time, n *node, before int) {
	switch n.mem.Failing {
	case mpp.Reach:
		a.reachFailure(now, n)
		return
	case mpp.Replica:
		a.replicaFailure(now, n)
		return
	}
	if a.autoRecover(now, n) {
		return
	}
	switch {
	case a.policy.Logic == mpp.LogicCluster:
		a.goodClusterPoll(now, n)
	case a.engine():
		a.goodEnginePoll(now, n)
	default:
		a.goodPoll(now, n, before)
	}
}

// note keeps what a poll said without counting it: while this poller is cut off its polls
// prove nothing about a node. They do not make its data fresh either.
func (a *Arbiter) note(n *node, v mpp.Verdict) {
	n.mem.Failing, n.mem.Kind, n.mem.Check, n.mem.Message = v.Failed, v.Kind, v.Check, v.Message
}

// held reports whether nothing may be changed about n by itself now.
func (a *Arbiter) held(now time.Time, n *node) bool {
	return a.head.Maintenance.InForce(now) || n.mem.Maintenance.InForce(now)
}

// enter changes n's state, tells it, and asks for fresh polls of the others: they may have
// to follow. A transition that the machine refuses is a programmer's error.
func (a *Arbiter) enter(now time.Time, n *node, c state.Change) {
	was := n.mem
	from := was.State
	c.At = now
	if err := a.machine.Enter(&n.mem, c); err != nil {
		panic(fmt.Sprintf("rule %s: %v", c.Rule, err))
	}
	a.touch(n)
	if from == mpp.Active {
		a.actives--
	}
	if n.mem.State == mpp.Active {
		a.actives++
	}
	a.tellState(now, n, was)
	if from == mpp.Active || n.mem.State == mpp.Unknown {
		a.pollOthers(n)
	}
}

// pollOthers asks for a poll at once of every node that could change by the loss of n.
func (a *Arbiter) pollOthers(n *node) {
	for _, other := range a.nodes {
		if other != n && (other.mem.State == mpp.Standby || other.mem.State == mpp.Unknown) {
			a.out = append(a.out, mpp.Action{Kind: mpp.ActionPoll, Node: other.policy.Address})
		}
	}
}

// active returns the ACTIVE nodes other than except.
func (a *Arbiter) active(except *node) []*node {
	var found []*node
	for _, n := range a.nodes {
		if n != except && n.mem.State == mpp.Active {
			found = append(found, n)
		}
	}
	return found
}

// hasActive reports whether a node other than except is ACTIVE.
func (a *Arbiter) hasActive(except *node) bool {
	others := a.actives
	if except != nil && except.mem.State == mpp.Active {
		others--
	}
	return others > 0
}

func (a *Arbiter) primary() *node {
	if len(a.nodes) > 0 && a.nodes[0].policy.Type == mpp.Primary {
		return a.nodes[0]
	}
	return nil
}
