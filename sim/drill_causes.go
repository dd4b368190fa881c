package sim

import (
	"slices"
	"time"

	"mpp"
	"mpp/pool"
)

func (d *drill) oneOf(list []*server) *server { return list[d.rng.IntN(len(list))] }

// die lets a server die in one of the ways.
func (d *drill) die(s *server) {
	if s == d.servers[0] && d.watched.died.IsZero() {
		d.watched.died = d.now
	}
	defer func() { d.tell("%s dies: isolated %t, frozen %t, up %t", s.address, s.isolated, s.frozen, s.up) }()
	switch d.rng.IntN(4) {
	case 0:
		s.isolated = true
	case 1:
		s.frozen = true
	default:
		s.crash()
	}
}

// revive brings a server back as it was when it died; one whose process had ended comes up as its
// configuration says.
func (d *drill) revive(s *server) {
	if !s.up {
		s.restart(d.now, d.chance(0.5))
	}
	s.frozen, s.isolated, s.back = false, false, d.now
	d.tell("%s is back", s.address)
}

// onceMoved does something when the role has moved for the first time.
func (d *drill) onceMoved(do func()) {
	done := false
	d.onResult = func(*mpp.Task) {
		if !done && d.watched.moves > 0 {
			done = true
			do()
		}
	}
}

// meddleWith lets something go wrong with one step of operations that move the role, and at
// times with another.
func (d *drill) meddleWith(m mischief) {
	at := 1 + d.rng.IntN(16)
	second := at + 1 + d.rng.IntN(12)
	d.meddle = func(t *mpp.Task) mischief {
		if t.Kind == mpp.OpTestLinks {
			return none
		}
		at, second = at-1, second-1
		if at == 0 || second == 0 {
			return m
		}
		return none
	}
}

// meddleAtRandom lets anything go wrong with any step.
func (d *drill) meddleAtRandom(p float64) {
	d.meddle = func(*mpp.Task) mischief {
		if !d.chance(p) {
			return none
		}
		return mischief(1 + d.rng.IntN(int(strikesLate)))
	}
	d.in(12*time.Second, func() { d.meddle = func(*mpp.Task) mischief { return none } })
}

// killAtSteps kills the manager at one step, and perhaps at more of those that follow.
func (d *drill) killAtSteps(times int) {
	at := 1 + d.rng.IntN(18)
	before := d.onTask
	d.onTask = func(t *mpp.Task) {
		if before != nil {
			before(t)
		}
		if at--; at == 0 && times > 0 {
			times--
			at = 1 + d.rng.IntN(10)
			d.in(d.between(0, 6*time.Millisecond), func() { d.killManager(d.between(10*time.Millisecond, 2*time.Second)) })
		}
	}
}

// loseNodesAtAStep cuts the manager off from some nodes in the middle of an operation.
func (d *drill) loseNodesAtAStep() {
	at := 1 + d.rng.IntN(16)
	before := d.onTask
	d.onTask = func(t *mpp.Task) {
		if before != nil {
			before(t)
		}
		if at--; at != 0 {
			return
		}
		away := d.between(100*time.Millisecond, 6*time.Second)
		if d.chance(0.2) {
			d.cutManagerOff(away)
			return
		}
		for _, s := range d.servers {
			if d.chance(0.5) {
				s.cut, s.sshCut = true, d.chance(0.7)
				d.in(away, func() { s.cut, s.sshCut = false, false })
			}
		}
	}
}

// cutManagerOff takes the manager's own network away.
func (d *drill) cutManagerOff(away time.Duration) {
	d.cutOff = true
	for _, s := range d.servers {
		s.cut, s.sshCut = true, true
	}
	d.in(away, func() {
		d.cutOff = false
		for _, s := range d.servers {
			s.cut, s.sshCut = false, false
		}
	})
}

// dieAtAStep lets a node die at a step.
func (d *drill) dieAtAStep(who func(t *mpp.Task) string) {
	at := 1 + d.rng.IntN(18)
	before := d.onTask
	d.onTask = func(t *mpp.Task) {
		if before != nil {
			before(t)
		}
		if at--; at == 0 {
			if i := d.indexOf(who(t)); i >= 0 {
				d.in(d.between(0, 4*time.Millisecond), func() { d.die(d.servers[i]) })
			}
		}
	}
}

// quiet keeps the client from writing for a while.
func (d *drill) quiet(long time.Duration) {
	s := d.servers[0]
	held := s.vip
	s.vip = false
	d.in(long, func() { s.vip = held })
}

// askForSwitchover gives the command.
func (d *drill) askForSwitchover() {
	c := mpp.Command{Verb: mpp.VerbSwitchover, By: "sim", Node: addressOf(2)}
	if d.chance(0.3) {
		c.Node = ""
	}
	d.at(d.now, func() error { return d.input(mpp.Input{Command: &c}) })
}

// reloadAtAStep changes the configuration in the middle of an operation.
func (d *drill) reloadAtAStep() {
	at := 1 + d.rng.IntN(16)
	d.onTask = func(*mpp.Task) {
		if at--; at == 0 {
			d.at(d.now.Add(d.between(0, 4*time.Millisecond)), d.reload)
		}
	}
}

func (d *drill) reload() error {
	if d.down {
		return nil
	}
	d.report.Reloads++
	p := d.policy
	p.Nodes = slices.Clone(p.Nodes)
	switch d.rng.IntN(4) {
	case 0:
		i := d.rng.IntN(len(p.Nodes))
		p.Nodes = slices.Delete(p.Nodes, i, i+1)
	case 1:
		i := d.rng.IntN(len(p.Nodes))
		p.Nodes[i].NoPromote = p.Nodes[i].Type != mpp.Primary
	case 2:
		p.Failover.BinlogTail, p.Failover.FenceRequired, p.Failover.Rejoin = d.chance(0.5), d.chance(0.5), d.chance(0.5)
	default:
		p.Failover.ManageSemiSync, p.Failover.Events, p.Failover.AnyLoss = d.chance(0.5), d.chance(0.5), d.chance(0.5)
	}
	d.policy = p
	err := d.carryOut(d.arbiter.Reconfigure(d.now, p))
	d.disk.Nodes = slices.DeleteFunc(d.disk.Nodes, func(n mpp.NodeMemory) bool {
		return !slices.ContainsFunc(p.Nodes, func(each pool.NodePolicy) bool { return each.Address == n.Address })
	})
	return err
}

// typeAnything gives a command that an operator may give.
func (d *drill) typeAnything() {
	verbs := []mpp.Verb{
		mpp.VerbSwitchover, mpp.VerbSwitchover, mpp.VerbRejoin, mpp.VerbRecover, mpp.VerbFailover, mpp.VerbAcknowledge, mpp.VerbMaintenance, mpp.VerbPromote,
	}
	c := mpp.Command{Verb: verbs[d.rng.IntN(len(verbs))], By: "sim", Node: d.oneOf(d.servers).address, Force: d.chance(0.3)}
	if d.chance(0.3) {
		c.Node = ""
	}
	c.Options.AcceptLoss, c.Options.Clone, c.Options.DryRun = d.chance(0.1), d.chance(0.1), d.chance(0.1)
	c.Maintenance = mpp.Maintenance{On: d.chance(0.5), Until: d.now.Add(d.between(time.Second, 5*time.Second))}
	d.at(d.now, func() error { return d.input(mpp.Input{Command: &c}) })
}

// tidyUp is what an operator does in the end: maintenance over, all acknowledged, everybody back.
func (d *drill) tidyUp() {
	for _, s := range d.servers {
		if !s.up || s.frozen || s.isolated {
			d.revive(s)
		}
	}
	for _, c := range []mpp.Command{{Verb: mpp.VerbMaintenance}, {Verb: mpp.VerbAcknowledge}} {
		d.at(d.now, func() error { return d.input(mpp.Input{Command: &c}) })
	}
	for _, s := range d.servers {
		c := mpp.Command{Verb: mpp.VerbMaintenance, Node: s.address}
		d.at(d.now, func() error { return d.input(mpp.Input{Command: &c}) })
	}
}

// freezeManager stops the manager's process: what it waits for is there when it goes on.
func (d *drill) freezeManager(long time.Duration) {
	d.tell("the manager is frozen for %s", long)
	d.frozenUntil = d.now.Add(long)
}
