package pool

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mpp"
	"mpp/plan"
)

// The rules of pools with an engine, beside those of failover.go.
const (
	ruleAdopt      = "adopt-writer"
	ruleFailover   = "failover"
	ruleSwitchover = "switchover"
	ruleRejoin     = "rejoin"
	ruleRepoint    = "repoint-failed"
)

// lateStatement is how long after an operation a server may still turn read-only by it: one that was
// frozen, or that waited for locks, goes on with what it was told.
const lateStatement = 5 * time.Second

// engineNode is what an engine must know of a node.
type engineNode struct {
	// spoke is the last poll that brought the server's own words, nil for none: what a dead node
	// last said.
	spoke *mpp.Observation
	// spokeBefore is the one before that.
	spokeBefore *mpp.Observation
	// wellAt is when the last poll began that brought no failure to reach the node.
	wellAt time.Time
	// link is what is known of its link to its source.
	link linkState
	// address is the last look for the virtual address at the node's host; strays counts how
	// often in a row it was where it does not belong, or was missing where it does.
	address *mpp.AddressReport
	strays  int
	// repairedAt is when the last repair ended, and repairFailed how; repairAt is when the next one may
	// begin; keptOut says that only an operator begins one.
	repairedAt    time.Time
	repairFailed  bool
	repairAt      time.Time
	repairsFailed int
	keptOut       string
	// linkTests counts the tests of links since it was last well.
	linkTests int
	// behind says that n.unfit is a matter of lag alone.
	behind bool
	// unpointed says why it could not be made a replica of the new ACTIVE node, "" for nothing.
	unpointed string
	// openSince is the end of the first poll that has found the server open since it was closed.
	openSince time.Time
	// closesUntil is how long a statement by which MPP closed the node may still come into force.
	closesUntil time.Time
	// slowAt is when the network to the node was last seen to be slow, newest first.
	slowAt [slowTimes]time.Time
	// warned are the codes of the settings at risk that were told; risksOf and risksActive are
	// what they were judged from.
	warned      string
	risksOf     *mpp.Settings
	risksActive bool
}

// engine reports whether MPP promotes in this pool itself.
func (a *Arbiter) engine() bool {
	return a.policy.Engine == mpp.EngineNative && a.policy.Logic == mpp.LogicFailover
}

// judgeFitness notes what a poll says about promoting the node. While the ACTIVE node of a pool
// with an engine is silent, what was so before holds: replicas cannot say any more how far
// behind they are. One that was too far behind is fit again when it has executed all that it got.
func (a *Arbiter) judgeFitness(n *node, o *mpp.Observation) {
	n.unattached = o.Unattached()
	if !a.engine() {
		n.unfit = o.Unfit()
		return
	}
	if o.Dialled >= slowDial && n.mem.Errors == 0 { // one that was cut off answers late at first
		copy(n.slowAt[1:], n.slowAt[:])
		n.slowAt[0] = o.At
	}
	if o.Server.Flavour != "" {
		n.spokeBefore, n.spoke = n.spoke, o
		a.warnOfRisks(n, o)
		a.rememberServer(n, o)
	}
	switch {
	case o.Server.Flavour == "":
	case o.Server.ReadOnly:
		n.openSince = time.Time{}
	case n.openSince.IsZero():
		n.openSince = o.At.Add(o.Took)
	}
	if n.verdict.Failed != mpp.Reach {
		n.wellAt, n.linkTests = o.At, 0
	}
	if c := a.channel(o); c != nil {
		n.link.see(o.At, c)
		n.mem.Halted = n.mem.Halted && c.IO == "No"
	}
	if !a.expectsBrokenLinks() {
		n.unfit, n.behind = o.Unfit(), onlyBehind(o)
	} else if n.behind && plan.CaughtUp(o) {
		n.unfit, n.behind = "", false
	}
	if n.mem.State == mpp.Active {
		a.compareWith(n, o)
		if o.Server.Flavour != "" && !o.Server.ReadOnly {
			n.mem.WritableSince = o.Server.StartedAt
			n.mem.Closed = n.mem.Closed && (a.head.Operation != nil || o.At.Before(n.closesUntil))
		}
	}
}

// onlyBehind reports whether nothing but its lag makes a copy unfit.
func onlyBehind(o *mpp.Observation) bool {
	return o.Unfit() != "" && !slices.ContainsFunc(o.Checks, func(c mpp.CheckResult) bool {
		return c.Status == mpp.Critical && c.Kind != mpp.KindLag && (c.Class == mpp.Replica || c.Name == "connect")
	})
}

// warnOfRisks tells, once a run and when they change, which settings of a server lose data.
func (a *Arbiter) warnOfRisks(n *node, o *mpp.Observation) {
	active := n.mem.State == mpp.Active
	if o.Server.Settings == nil || (n.risksOf == o.Server.Settings && n.risksActive == active) {
		return
	}
	n.risksOf, n.risksActive = o.Server.Settings, active
	var codes, texts []string
	worst := mpp.OK
	for _, r := range o.Risks(active, n.policy.NoPromote) {
		if r.Severity >= mpp.Warn {
			codes, texts, worst = append(codes, r.Code), append(texts, r.Text), mpp.Worse(worst, r.Severity)
		}
	}
	is := strings.Join(codes, ",")
	if is == n.warned || n.mem.State == mpp.Unknown {
		return
	}
	n.warned = is
	if is != "" {
		a.tell(o.At, mpp.Event{
			Kind: mpp.EventConfig, Severity: worst, Node: n.policy.Address, Rule: "settings",
			Text: fmt.Sprintf("settings of %s that can lose data: %s", n.policy.Address, strings.Join(texts, "; ")),
		})
	}
}

// compareWith looks for transactions that replicas have and the ACTIVE node has not: only in
// polls of replicas that are older than this one of the ACTIVE node.
func (a *Arbiter) compareWith(active *node, o *mpp.Observation) {
	if o.Server.GTID == "" {
		return
	}
	source := plan.Node{Address: active.policy.Address, Observation: o}
	for _, n := range a.nodes {
		said := n.saidBefore(o.At)
		if n == active || said == nil {
			continue
		}
		if errant := plan.Errant(&plan.Node{Address: n.policy.Address, Observation: said}, &source, n.mem.Errant); errant != n.mem.Errant {
			n.mem.Errant = errant
			a.touch(n)
		}
	}
}

// saidBefore is the node's last poll that had ended by then, of the last two: polls that begin almost
// together do so each time.
func (n *node) saidBefore(then time.Time) *mpp.Observation {
	for _, o := range []*mpp.Observation{n.spoke, n.spokeBefore} {
		if o != nil && o.At.Add(o.Took).Before(then) {
			return o
		}
	}
	return nil
}

// expectsBrokenLinks reports whether replicas may well have lost their source now: it is
// silent, or an operation stops and re-points them. That says nothing against their copies.
func (a *Arbiter) expectsBrokenLinks() bool {
	if !a.engine() {
		return false
	}
	return a.roleMoves() || a.watchesClosely()
}

// roleMoves reports whether an operation that moves the role is under way: one that gives the ACTIVE
// node back what belongs to it concerns nobody else.
func (a *Arbiter) roleMoves() bool {
	return a.head.Operation != nil && a.head.Operation.Kind != mpp.OpReopen
}

// watchesClosely reports whether the ACTIVE node of a pool with an engine fails to answer.
func (a *Arbiter) watchesClosely() bool {
	if !a.engine() {
		return false
	}
	active := a.activeNode()
	return active != nil && active.mem.Failing == mpp.Reach
}

func (a *Arbiter) activeNode() *node {
	for _, n := range a.nodes {
		if n.mem.State == mpp.Active {
			return n
		}
	}
	return nil
}

// involved reports whether the operation under way decides over the node.
func (a *Arbiter) involved(n *node) bool {
	op := a.head.Operation
	return op != nil && (n.policy.Address == op.Old || n.policy.Address == op.New)
}

// facts are what the plan goes by.
func (a *Arbiter) facts(now time.Time) *plan.Facts {
	f := &plan.Facts{Pool: a.policy.Name, Policy: a.policy.Failover.Policy, Nodes: make([]plan.Node, 0, len(a.nodes))}
	for _, n := range a.nodes {
		if n.mem.State == mpp.Active {
			f.Active = n.policy.Address
		}
		lost, trouble := time.Time{}, mpp.Kind("")
		if n.mem.Failing == mpp.Reach {
			lost, trouble = n.mem.FirstMiss, n.mem.Kind
		}
		var asked time.Time
		if n.observation != nil {
			asked = n.observation.At.Add(n.observation.Took)
		}
		f.Nodes = append(f.Nodes, plan.Node{
			Acknowledgers: n.remembered(), Trouble: trouble, AskedAt: asked, NoAddress: n.cannotHold(),
			LostAt: lost, Address: n.policy.Address, Type: n.policy.Type, Prefer: n.policy.Prefer, Host: n.policy.Host, State: n.mem.State,
			Barred: a.barred(now, n), Forbidden: a.forbidden(now, n), Held: n.mem.Maintenance.InForce(now), Errant: n.mem.Errant, Observation: n.words(),
			Answers:   n.observation != nil && n.observation.Answered && n.observation.Server.Flavour != "",
			Reachable: n.observation != nil && n.observation.Verdict().Failed != mpp.Reach,
		})
	}
	return f
}

// cannotHold says why the node's host could not have the virtual address, "" for nothing known.
func (n *node) cannotHold() string {
	if n.address == nil {
		return ""
	}
	return n.address.Cannot
}

// forbidden says by which word of the operator n must not be promoted, "" for none.
func (a *Arbiter) forbidden(now time.Time, n *node) string {
	switch {
	case n.policy.NoPromote:
		return "it is marked no_promote"
	case n.mem.Maintenance.InForce(now):
		return "it is in maintenance"
	default:
		return ""
	}
}

// barred says why n must not be promoted whatever its position is, "" when it may.
func (a *Arbiter) barred(now time.Time, n *node) string {
	forbidden := a.forbidden(now, n)
	switch {
	case forbidden != "":
		return forbidden
	case n.mem.State == mpp.Active:
		return "it is the ACTIVE node"
	case n.mem.State != mpp.Standby:
		return "it is " + n.mem.State.Text(n.mem.Reason) + ", not STANDBY"
	case n.observation == nil || n.spoke == nil:
		return "it was not polled well since mppd started"
	case n.mem.Failing == mpp.Reach:
		return "its last poll failed: " + n.mem.Message
	case n.mem.Failing == mpp.Replica && !a.expectsBrokenLinks():
		return "its copy is not to be trusted: " + n.mem.Message
	case applierStopped(n.spoke):
		return "its applier does not run: " + plan.Channel(n.spoke).SQLError
	case n.unfit != "":
		return n.unfit
	default:
		return ""
	}
}

// channel is the channel of a replica that leads to the ACTIVE node, else the one that is the pool's by
// its name; nil for none.
func (a *Arbiter) channel(o *mpp.Observation) *mpp.Channel {
	if active := a.activeNode(); active != nil {
		source := plan.Node{Address: active.policy.Address, Observation: active.words()}
		if c := plan.Link(&plan.Node{Address: o.Node, Observation: o}, &source); c != nil {
			return c
		}
	}
	return plan.Channel(o)
}

// applierStopped reports whether a replica's SQL thread has stopped with an error.
func applierStopped(o *mpp.Observation) bool {
	c := plan.Channel(o)
	return c != nil && c.SQL == "No" && c.SQLErrno != 0
}

// goodEnginePoll is what a good poll does to a node's state with an engine: UNKNOWN becomes
// STANDBY. Who is ACTIVE is decided by adopt and by operations.
func (a *Arbiter) goodEnginePoll(now time.Time, n *node) {
	if n.mem.State == mpp.Unknown {
		a.admit(now, n)
	}
}

// drive goes on with what is under way, and starts what is due.
func (a *Arbiter) drive(now time.Time) {
	a.wakeUp(now)
	a.resume(now)
	if a.resumed && a.heard() {
		a.advanceRole(now)
		a.advanceRepairs(now)
	}
	if a.head.CutOff {
		return
	}
	a.followRival(now)
	a.adopt(now)
	a.failUnpointed(now)
	a.considerFailover(now)
	a.considerRepairs(now)
	a.considerFailback(now)
}

// longNap is a pause between two inputs that only a process has which was frozen: with servers to poll,
// something comes every second.
const longNap = 3 * time.Second

// wakeUp keeps a sleep of this process from counting against the steps that run: whoever runs them slept,
// too, and reports how they ended.
func (a *Arbiter) wakeUp(now time.Time) {
	nap := now.Sub(a.drivenAt)
	if !a.drivenAt.IsZero() && nap > longNap {
		for _, op := range append([]*mpp.Operation{a.head.Operation}, a.head.Repairs...) {
			if op != nil {
				op.AwakeSince = now
			}
		}
	}
	a.drivenAt = now
}

// heard reports whether every node was polled since mppd started: until then, what is known of a
// node would be mistaken for what there is.
func (a *Arbiter) heard() bool {
	return !slices.ContainsFunc(a.nodes, func(n *node) bool { return n.observation == nil })
}

// addressSeen notes a look for the virtual address.
func (a *Arbiter) addressSeen(r *mpp.AddressReport) {
	n := a.index[r.Node]
	if n == nil || (n.address != nil && r.At.Before(n.address.At)) {
		return
	}
	a.touch(n)
	n.address = r
	wrong := r.Known && ((n.mem.State == mpp.Active && !r.Holds) || (n.mem.State != mpp.Active && r.Some && a.hasActive(n)))
	if !wrong || a.roleBusy() {
		n.strays = 0
		return
	}
	n.strays++
}

// closeLane is how a node is polled while the ACTIVE one is silent: that one with a shorter limit,
// when nothing at all comes from it.
func (a *Arbiter) closeLane(n *node) mpp.Lane {
	if n.mem.State == mpp.Active && silentKind(n.mem.Kind) && !a.machine.Spent(&n.mem) && !n.slow() {
		return mpp.LaneUrgent
	}
	return mpp.LaneConfirm
}

// A network is slow for a node when its host's kernel has taken slowDial to accept a connection
// slowTimes within slowFor: then neither a short limit nor a short test of a link proves anything.
// Once is no sign of it: a busy manager is late itself.
const (
	slowDial  = 100 * time.Millisecond
	slowFor   = 5 * time.Minute
	slowTimes = 3
)

// slow reports whether the network to the node is slow.
func (n *node) slow() bool {
	first := n.slowAt[slowTimes-1]
	return n.observation != nil && !first.IsZero() && n.observation.At.Sub(first) < slowFor
}

// aliveByReplicas says which replica shows that the silent ACTIVE node lives, "" for none.
func (a *Arbiter) aliveByReplicas(now time.Time) string {
	if !a.watchesClosely() {
		return ""
	}
	o := &outage{a: a, now: now, active: a.activeNode(), facts: a.facts(now)}
	for _, n := range a.nodes {
		if n == o.active {
			continue
		}
		if t, text := o.witness(n); t == receiving {
			return text
		}
	}
	return ""
}
