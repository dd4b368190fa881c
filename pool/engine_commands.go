package pool

import (
	"fmt"
	"slices"
	"time"

	"mpp"
	"mpp/plan"
)

// ofEngine reports whether a verb is for pools with an engine.
func ofEngine(v mpp.Verb) bool {
	switch v {
	case mpp.VerbSwitchover, mpp.VerbFailover, mpp.VerbRejoin, mpp.VerbAcknowledge:
		return true
	default:
		return false
	}
}

// refuseWithEngine says why a verb of pools without an engine is not carried out here, "" when
// it is.
func (a *Arbiter) refuseWithEngine(n *node, c mpp.Command) string {
	if !a.engine() {
		return ""
	}
	switch c.Verb {
	case mpp.VerbPromote, mpp.VerbActivatePrimary, mpp.VerbDemote:
		return fmt.Sprintf("pool %s has engine %q: mpp switchover %s moves the role with its data and its address", a.policy.Name, a.policy.Engine, a.policy.Name)
	case mpp.VerbRecover:
		if op := a.head.Operation; op != nil && (n == nil || a.involved(n)) {
			return fmt.Sprintf("operation %d (%s) is under way", op.ID, op.Kind)
		}
		if n != nil && n.mem.State == mpp.Active {
			return fmt.Sprintf("%s is the ACTIVE node of a pool with engine %q: a failover or switchover takes the role from it", n.policy.Address, a.policy.Engine)
		}
	default:
	}
	return ""
}

// engineCommand carries out a command of pools with an engine: it starts an operation, or says
// why not.
func (a *Arbiter) engineCommand(now time.Time, c mpp.Command) mpp.Result {
	refuse := func(format string, args ...any) mpp.Result {
		return mpp.Result{Refused: fmt.Sprintf(format, args...), Changes: []string{}}
	}
	switch {
	case !a.engine():
		return refuse("pool %s has engine %q: %s needs an engine that promotes (mpp promote moves the role there)", a.policy.Name, a.policy.Engine, c.Verb)
	case c.Node != "" && a.index[c.Node] == nil:
		return refuse("pool %s has no node %s", a.policy.Name, c.Node)
	case c.Verb == mpp.VerbAcknowledge:
		return a.acknowledge(c)
	case a.head.CutOff:
		return refuse("this poller is cut off: nothing is decided until that ends")
	case a.rivalText() != "":
		return refuse("%s", a.rivalText())
	}
	var op *mpp.Operation
	var why string
	switch c.Verb {
	case mpp.VerbSwitchover:
		op, why = a.commandSwitchover(now, c)
	case mpp.VerbFailover:
		op, why = a.commandFailover(now, c)
	default:
		op, why = a.commandRejoin(now, c)
	}
	if why != "" {
		return refuse("%s", why)
	}
	r := mpp.Result{Done: true, Changes: []string{}, Operation: op.ID}
	if c.Options.DryRun {
		r.Operation, r.Plan = 0, op
		return r
	}
	r.Changes = append(r.Changes, fmt.Sprintf("operation %d: %s %s -> %s", op.ID, op.Kind, op.Old, op.New))
	return r
}

// busy says which operation is in the way, "" for none.
func (a *Arbiter) busy() string {
	if op := a.head.Operation; op != nil {
		return fmt.Sprintf("operation %d (%s) is under way: mpp failovers show %d", op.ID, op.Kind, op.ID)
	}
	return ""
}

func (a *Arbiter) commandSwitchover(now time.Time, c mpp.Command) (*mpp.Operation, string) {
	if why := a.busy(); why != "" {
		return nil, why
	}
	f := a.facts(now)
	target := c.Node
	if f.Active == "" {
		return nil, plan.RefuseSwitchover(f, "", target)
	}
	if target == "" {
		best, why := plan.BestTarget(f, f.Active)
		if best == "" {
			return nil, "no node can take over: " + why
		}
		target = best
	}
	if why := plan.RefuseSwitchover(f, f.Active, target); why != "" {
		return nil, why
	}
	if a.repairing(target, "") {
		return nil, fmt.Sprintf("a repair of %s is under way", target)
	}
	wait := c.Options.Wait
	if wait == 0 {
		wait = a.policy.Failover.Wait
	}
	if n := a.index[target]; n.spoke.LagKnown && n.spoke.Lag > a.policy.Failover.MaxLag && wait < n.spoke.Lag {
		return nil, fmt.Sprintf("%s is %s behind, more than max_lag (%s), and would not catch up within %s: wait for it, or give --wait",
			target, n.spoke.Lag, a.policy.Failover.MaxLag, wait)
	}
	op := mpp.Operation{Kind: mpp.OpSwitchover, By: c.By, Old: f.Active, New: target, Wanted: c.Node, Reason: byWhom(c), Options: c.Options}
	if c.Options.DryRun {
		return plan.Rehearse(now, f, op), ""
	}
	return a.begin(now, op), ""
}

func (a *Arbiter) commandFailover(now time.Time, c mpp.Command) (*mpp.Operation, string) {
	if why := a.busy(); why != "" {
		return nil, why
	}
	o := a.outage(now, false)
	if n := o.active; n != nil && n.mem.Failing != mpp.Reach {
		return nil, fmt.Sprintf("%s is ACTIVE and answers: mpp switchover %s moves the role without loss", n.policy.Address, a.policy.Name)
	}
	gates := o.gates()
	for _, g := range gates {
		switch {
		case g.Open, g.Name == "allowed", g.Name == "calm": // whoever asks for it knows
		case g.Name == "complete" && (c.Options.AcceptLoss || o.active == nil):
		case g.Name == "witnessed" && !o.contradicted(): // nobody else can say; whoever asks for it knows
		case (g.Name == "dead" || g.Name == "witnessed" || g.Name == "complete") && o.active == nil:
		case g.Name == "complete":
			return nil, g.Evidence + "; --accept-loss goes on over it"
		default:
			return nil, fmt.Sprintf("gate %s is closed: %s", g.Name, g.Evidence)
		}
	}
	if o.active == nil {
		if why := a.severalWritable(); why != "" {
			return nil, why
		}
	}
	if c.Options.DryRun {
		op := mpp.Operation{Kind: mpp.OpFailover, By: c.By, Old: o.facts.Active, Wanted: c.Node, Gates: gates, Reason: byWhom(c), Options: c.Options}
		return plan.Rehearse(now, o.facts, op), ""
	}
	return a.startFailover(now, o, gates, c), ""
}

// severalWritable says that servers take writes although nobody is ACTIVE, "" when at most the
// one that is to be promoted could.
func (a *Arbiter) severalWritable() string {
	if text := twoWritable(a, time.Time{}); text != "" {
		return text + ": set read_only on all of them first"
	}
	return ""
}

func (a *Arbiter) commandRejoin(now time.Time, c mpp.Command) (*mpp.Operation, string) {
	active := a.activeNode()
	n := a.index[c.Node]
	switch {
	case n == nil:
		return nil, "rejoin needs a node"
	case active == nil:
		return nil, "no node is ACTIVE: there is nothing to be a replica of"
	case n == active:
		return nil, fmt.Sprintf("%s is the ACTIVE node", c.Node)
	case a.busy() != "":
		return nil, a.busy()
	case open(n) && !takesWrites(active):
		return nil, fmt.Sprintf("%s takes writes, and %s, which is ACTIVE, does not: %s would be closed, and nobody would take writes", c.Node, active.policy.Address, c.Node)
	case a.repairing(c.Node, ""):
		return nil, fmt.Sprintf("a repair of %s is under way", c.Node)
	case n.mem.Failing == mpp.Reach && !c.Options.Clone:
		return nil, fmt.Sprintf("%s does not answer: %s", c.Node, n.mem.Message)
	}
	n.keptOut = ""
	op := mpp.Operation{Kind: mpp.OpRejoin, By: c.By, Old: c.Node, New: active.policy.Address, Reason: byWhom(c), Options: c.Options}
	if c.Options.DryRun {
		return plan.Rehearse(now, a.facts(now), op), ""
	}
	return a.begin(now, op), ""
}

// acknowledge notes that an operator has seen to failovers that stopped.
func (a *Arbiter) acknowledge(c mpp.Command) mpp.Result {
	before := a.head.Unacknowledged
	left := slices.DeleteFunc(slices.Clone(before), func(id uint64) bool { return c.Operation == 0 || id == c.Operation })
	if len(left) == len(before) {
		what := "no failover"
		if c.Operation != 0 {
			what = fmt.Sprintf("failover %d does not wait: none", c.Operation)
		}
		return mpp.Result{Refused: what + " of pool " + a.policy.Name + " waits to be acknowledged", Changes: []string{}}
	}
	a.head.Unacknowledged, a.readiness = left, nil
	a.headChanged, a.headSync = true, true
	changes := []string{}
	for _, id := range before {
		if !slices.Contains(left, id) {
			changes = append(changes, fmt.Sprintf("failover %d of pool %s is acknowledged", id, a.policy.Name))
		}
	}
	return mpp.Result{Done: true, Changes: changes}
}
