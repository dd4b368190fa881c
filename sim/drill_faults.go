package sim

import (
	"slices"
	"time"

	"mpp"
)

// Fault is a kind of trouble that drills are about.
type Fault struct {
	Name string
	// arrange changes the pool before the start, cause lets the fault strike.
	arrange, cause func(d *drill)
	// unmoved says that the role must stay where it is; certain that it must move where nothing in
	// the set-up forbids it.
	unmoved, certain bool
	// switchover says that the drill is about one, not about a failover.
	switchover bool
	// anything says that there need be neither a failover nor a switchover.
	anything bool
	// least is how long the drill goes on after the fault.
	least time.Duration
}

// Faults are all kinds of trouble, those of failovers first.
func Faults() []Fault {
	all := slices.Concat(deaths(), deathsOfOthers(), deathsInARow(), brokenFailovers(), operators(), noDeaths(), nothingDied(), switchovers())
	for i := range all {
		f := &all[i]
		if f.arrange == nil {
			f.arrange = func(*drill) {}
		}
		if f.least == 0 {
			f.least = 3 * time.Second
		}
	}
	return all
}

// deaths are the ways in which a writer dies.
func deaths() []Fault {
	return []Fault{
		{Name: "server killed", cause: func(d *drill) { d.servers[0].crash() }, certain: true},
		{Name: "host gone", cause: func(d *drill) { d.servers[0].isolated = true }, certain: true},
		{Name: "server frozen", cause: func(d *drill) { d.servers[0].frozen = true }, certain: true},
		{Name: "disk full", cause: func(d *drill) { d.servers[0].stuck = mpp.KindDiskFull }},
		{Name: "commits wait for ever", arrange: waitingForOne, cause: func(d *drill) { d.servers[1].crash() }, least: 8 * time.Second, certain: true},
		{Name: "killed, log tail on its host", arrange: func(d *drill) {
			d.policy.Failover.BinlogTail, d.policy.Failover.AnyLoss = true, false
			d.semi = false
			for _, s := range d.servers {
				s.acknowledges, s.known.SemiSyncReplica, s.known.SemiSyncSource = false, false, false
			}
		}, cause: func(d *drill) {
			for _, s := range d.servers[1:] { // what comes now reaches nobody
				d.linkCut[s.index][0], d.linkCut[0][s.index] = true, true
			}
			d.in(d.between(0, 300*time.Millisecond), func() {
				d.servers[0].crash()
				d.linkCut = [4][4]bool{}
			})
		}, certain: true},
		{Name: "killed, comes back", cause: func(d *drill) {
			d.die(d.servers[0])
			d.in(d.between(0, 8*time.Second), func() { d.revive(d.servers[0]) })
		}, least: 10 * time.Second},
		{Name: "killed, comes back with more", cause: func(d *drill) {
			d.die(d.servers[0])
			d.in(d.between(3*time.Second, 8*time.Second), func() {
				d.append(d.servers[0])
				d.revive(d.servers[0])
			})
		}, least: 10 * time.Second},
		{Name: "restarted within a moment", cause: func(d *drill) {
			s := d.servers[0]
			s.crash()
			d.in(d.between(0, 2*time.Second), func() { s.restart(d.now, d.chance(0.5)) })
		}, least: 6 * time.Second},
		{Name: "frozen, thawed during the failover", cause: func(d *drill) {
			s := d.servers[0]
			s.frozen = true
			d.in(d.between(time.Second, 5*time.Second), func() { s.frozen, s.back = false, d.now })
		}, least: 8 * time.Second},
	}
}

// waitingForOne is a pool whose only replica that acknowledges is about to die.
func waitingForOne(d *drill) {
	d.semi, d.semiTimeout = true, 0
	for i, s := range d.servers {
		s.acknowledges = i == 1
		s.known.SemiSyncSource, s.known.SemiSyncReplica, s.known.SemiSyncTimeout = i == 0, i == 1, 1000*time.Hour
	}
}

// waitingEverywhere is the same, and whoever is promoted waits as well.
func waitingEverywhere(d *drill) {
	waitingForOne(d)
	for _, s := range d.servers {
		s.known.SemiSyncSource = true
	}
}

// deathsOfOthers are those where the writer does not die alone.
func deathsOfOthers() []Fault {
	return []Fault{
		{Name: "a replica was down before", arrange: func(d *drill) { d.servers[2].crash() }, cause: func(d *drill) {
			d.in(3*time.Second, func() { d.die(d.servers[0]) })
		}, least: 7 * time.Second},
		{Name: "a replica dies with the writer", cause: func(d *drill) {
			d.die(d.servers[0])
			d.in(d.between(0, 2*time.Second), func() { d.die(d.oneOf(d.servers[1:])) })
		}},
		{Name: "the replica that has most is lost at the fence", arrange: func(d *drill) {
			d.semi, d.semiTimeout = true, 0
			for _, s := range d.servers {
				s.acknowledges, s.known.SemiSyncSource, s.known.SemiSyncReplica, s.known.SemiSyncTimeout = true, true, true, 1000*time.Hour
			}
		}, cause: func(d *drill) {
			best := d.oneOf(d.servers[1:])
			for _, s := range d.servers[1:] { // only one receives what is acknowledged last
				d.linkCut[0][s.index], d.linkCut[s.index][0] = s != best, s != best
			}
			d.in(200*time.Millisecond, func() {
				d.die(d.servers[0])
				d.linkCut = [4][4]bool{}
			})
			d.onTask = func(t *mpp.Task) {
				if t.Step.Kind == mpp.StepStopReceiver && t.Step.Node == best.address && d.chance(0.8) {
					d.die(best)
				}
			}
		}},
	}
}

// deathsInARow are those where more than one dies, or somebody is slow.
func deathsInARow() []Fault {
	return []Fault{
		{Name: "the writer dies again and again", cause: func(d *drill) {
			for i := range 4 {
				d.in(time.Duration(i)*7*time.Second, func() {
					if s := d.active(); s != nil {
						d.die(s)
						d.in(d.between(4*time.Second, 5*time.Second), func() { d.revive(s) })
					}
				})
			}
		}, least: 30 * time.Second},
		{Name: "the new writer dies, too", cause: func(d *drill) {
			d.die(d.servers[0])
			d.onceMoved(func() {
				d.in(d.between(0, 1500*time.Millisecond), func() {
					if s := d.active(); s != nil {
						d.die(s)
					}
				})
			})
		}, least: 8 * time.Second},
		{Name: "the candidate dies", cause: func(d *drill) {
			d.die(d.servers[0])
			at := d.rng.IntN(6)
			d.onTask = func(t *mpp.Task) {
				if t.Kind != mpp.OpFailover || !candidateStep(t.Step.Kind) {
					return
				}
				if at--; at == 0 {
					victim := d.servers[d.indexOf(t.Step.Node)]
					d.in(d.between(0, 4*time.Millisecond), func() { d.die(victim) })
				}
			}
		}},
		{Name: "a replica that everybody needs is slow", arrange: func(d *drill) { d.oneOf(d.servers[1:]).slow = true }, cause: func(d *drill) {
			d.die(d.servers[0])
			d.in(d.between(0, 9*time.Second), func() {
				for _, s := range d.servers {
					s.slow = false
				}
			})
		}, least: 10 * time.Second},
	}
}

func candidateStep(k mpp.StepKind) bool {
	return slices.Contains([]mpp.StepKind{mpp.StepDrain, mpp.StepCopyFrom, mpp.StepBinlogTail, mpp.StepPromote, mpp.StepAddAddress, mpp.StepRepoint}, k)
}

// brokenFailovers are those that something goes wrong in.
func brokenFailovers() []Fault {
	return []Fault{
		{Name: "a step fails", cause: func(d *drill) { d.meddleWith(refuses); d.die(d.servers[0]) }},
		{Name: "a step hangs", cause: func(d *drill) { d.meddleWith(hangs); d.die(d.servers[0]) }, least: 6 * time.Second},
		{Name: "a result is lost", cause: func(d *drill) { d.meddleWith(loses); d.die(d.servers[0]) }},
		{Name: "a step strikes too late", cause: func(d *drill) { d.meddleWith(strikesLate); d.die(d.servers[0]) }, least: 6 * time.Second},
		{Name: "every step may fail", cause: func(d *drill) { d.meddleAtRandom(0.2); d.die(d.servers[0]) }, least: 6 * time.Second},
		{Name: "the manager is killed", cause: func(d *drill) { d.die(d.servers[0]); d.killAtSteps(1) }, least: 5 * time.Second, certain: true},
		{Name: "the manager is killed again and again", cause: func(d *drill) { d.die(d.servers[0]); d.killAtSteps(4) }, least: 8 * time.Second, certain: true},
		{Name: "the manager is killed before it begins", cause: func(d *drill) {
			d.die(d.servers[0])
			d.in(d.between(0, 2*time.Second), func() { d.killManager(d.between(10*time.Millisecond, 3*time.Second)) })
		}, least: 6 * time.Second},
		{Name: "the manager loses nodes in between", cause: func(d *drill) {
			d.die(d.servers[0])
			d.loseNodesAtAStep()
		}, least: 8 * time.Second},
		{Name: "a reload in between", cause: func(d *drill) {
			d.die(d.servers[0])
			d.reloadAtAStep()
		}},
		{Name: "errant transactions, no_promote", arrange: func(d *drill) {
			for i, s := range d.servers[1:] {
				if d.chance(0.5) {
					d.stray(s)
				}
				d.policy.Nodes[i+1].NoPromote = d.chance(0.3)
			}
		}, cause: func(d *drill) {
			d.in(2200*time.Millisecond, func() {
				d.die(d.servers[0])
				if d.chance(0.5) {
					d.killManager(d.between(10*time.Millisecond, time.Second))
				}
			})
		}, least: 6 * time.Second},
		{Name: "everything at once", arrange: func(d *drill) {
			if d.chance(0.3) {
				d.stray(d.oneOf(d.servers[1:]))
			}
			d.oneOf(d.servers[1:]).slow = d.chance(0.2)
		}, cause: everythingAtOnce, least: 10 * time.Second},
	}
}

func everythingAtOnce(d *drill) {
	d.die(d.servers[0])
	d.meddleAtRandom(0.1)
	if d.chance(0.5) {
		d.killAtSteps(2)
	} else {
		d.loseNodesAtAStep()
	}
	d.in(d.between(0, 8*time.Second), func() { d.revive(d.servers[0]) })
	if d.chance(0.4) {
		victim := d.oneOf(d.servers[1:])
		d.in(d.between(0, 4*time.Second), func() { d.die(victim) })
		d.in(d.between(5*time.Second, 9*time.Second), func() { d.revive(victim) })
	}
	d.in(9*time.Second, func() {
		d.meddle = nil
		for _, s := range d.servers {
			s.slow = false
		}
	})
}

// operators are those with people at work.
func operators() []Fault {
	return []Fault{
		{Name: "an operator types anything", anything: true, cause: func(d *drill) {
			for i := range 12 {
				d.in(time.Duration(i)*700*time.Millisecond+d.between(0, 500*time.Millisecond), d.typeAnything)
			}
			if d.chance(0.7) {
				d.in(d.between(0, 8*time.Second), func() { d.die(d.oneOf(d.servers)) })
			}
			d.in(10*time.Second, d.tidyUp)
		}, least: 14 * time.Second},
		{Name: "the manager is frozen", anything: true, cause: func(d *drill) {
			d.onTask = nil
			at := d.rng.IntN(20)
			if at < 8 {
				d.freezeManager(d.between(time.Second, time.Minute))
			} else {
				d.onTask = func(*mpp.Task) {
					if at--; at == 7 {
						d.freezeManager(d.between(time.Second, time.Minute))
					}
				}
			}
			if d.chance(0.8) {
				d.die(d.servers[0])
				d.in(d.between(2*time.Second, 30*time.Second), func() { d.revive(d.servers[0]) })
			}
		}, least: 35 * time.Second},
	}
}
