package sim

import (
	"time"

	"mpp"
)

// noDeaths are those that look like a death, and are none.
func noDeaths() []Fault {
	return []Fault{
		{Name: "only the manager cannot reach the writer", unmoved: true, cause: func(d *drill) {
			s := d.servers[0]
			s.cut, s.sshCut = true, d.chance(0.5)
			if d.chance(0.5) {
				d.quiet([]time.Duration{3 * time.Second, 16 * time.Second}[d.rng.IntN(2)])
			}
			d.in(d.between(4*time.Second, 15*time.Second), func() { s.cut, s.sshCut = false, false })
		}, least: 17 * time.Second},
		{Name: "the same, a replica was opened by hand", unmoved: true, cause: func(d *drill) {
			s := d.oneOf(d.servers[1:])
			s.source, s.io, s.connected, s.readOnly = -1, false, false, false
			if d.chance(0.5) {
				d.quiet(9 * time.Second)
			}
			d.servers[0].cut, d.servers[0].sshCut = true, true
			d.in(10*time.Second, func() { d.servers[0].cut, d.servers[0].sshCut = false, false })
		}, least: 14 * time.Second},
		{Name: "the same, links were broken before", unmoved: true, cause: func(d *drill) {
			d.retry = time.Minute
			for _, s := range d.servers[1:] {
				if d.chance(0.7) {
					s.connected, s.errno, s.retryAt = false, 2003, d.now.Add(time.Minute)
				}
			}
			d.in(1200*time.Millisecond, func() { d.servers[0].cut = true })
			d.in(10*time.Second, func() { d.servers[0].cut = false })
		}, least: 12 * time.Second},
		{Name: "the manager cannot reach anybody", unmoved: true, cause: func(d *drill) {
			d.cutManagerOff(d.between(2*time.Second, 9*time.Second))
		}, least: 11 * time.Second},
		{Name: "the manager is only restarted", unmoved: true, cause: func(d *drill) {
			d.killManager(d.between(10*time.Millisecond, 3*time.Second))
			d.in(4*time.Second, func() { d.killManager(d.between(10*time.Millisecond, time.Second)) })
		}, least: 7 * time.Second},
	}
}

// nothingDied are those where others than the writer have trouble.
func nothingDied() []Fault {
	return []Fault{
		{Name: "polls get lost", unmoved: true, cause: func(d *drill) {
			d.loss = 0.3
			d.in(10*time.Second, func() { d.loss = 0 })
		}, least: 12 * time.Second},
		{Name: "replicas stop", unmoved: true, cause: func(d *drill) {
			for _, s := range d.servers[1:] {
				switch d.rng.IntN(3) {
				case 0:
					s.io, s.connected = false, false
				case 1:
					s.sql = false
				default:
					s.crash()
				}
			}
			d.in(d.between(2*time.Second, 6*time.Second), func() { d.servers[0].cut = true })
			d.in(9*time.Second, func() { d.servers[0].cut = false })
		}, least: 10 * time.Second},
		{Name: "commits would wait everywhere", unmoved: true, arrange: waitingEverywhere, cause: func(d *drill) {
			d.servers[1].crash()
		}, least: 9 * time.Second},
		{Name: "the address strays", unmoved: true, cause: func(d *drill) {
			if !d.policy.Failover.Addresses {
				return
			}
			d.servers[0].vip = d.chance(0.5)
			d.servers[1].vip, d.servers[1].back = d.chance(0.5), d.now
		}, least: 6 * time.Second},
		{Name: "a replica takes writes", unmoved: true, cause: func(d *drill) {
			s := d.oneOf(d.servers[1:])
			s.readOnly, s.back = false, d.now
			s.vip = d.policy.Failover.Addresses && d.chance(0.5)
		}, least: 6 * time.Second},
	}
}

// switchovers are what goes wrong with a planned move.
func switchovers() []Fault {
	planned := func(name string, trouble func(d *drill)) Fault {
		return Fault{Name: "switchover: " + name, switchover: true, least: 3 * time.Second, cause: func(d *drill) {
			d.askForSwitchover()
			trouble(d)
		}}
	}
	all := []Fault{
		planned("a step fails", func(d *drill) { d.meddleWith(refuses) }),
		planned("a step hangs", func(d *drill) { d.meddleWith(hangs) }),
		planned("a result is lost", func(d *drill) { d.meddleWith(loses) }),
		planned("a step strikes too late", func(d *drill) { d.meddleWith(strikesLate) }),
		planned("every step may fail", func(d *drill) { d.meddleAtRandom(0.15) }),
		planned("the target dies", func(d *drill) { d.dieAtAStep(func(t *mpp.Task) string { return t.New }) }),
		planned("the old writer dies", func(d *drill) { d.dieAtAStep(func(t *mpp.Task) string { return t.Old }) }),
		planned("a replica dies", func(d *drill) { d.dieAtAStep(func(*mpp.Task) string { return addressOf(3) }) }),
		planned("the manager is killed", func(d *drill) { d.killAtSteps(1) }),
		planned("the manager is killed again and again", func(d *drill) { d.killAtSteps(4) }),
		planned("the manager loses nodes in between", func(d *drill) { d.loseNodesAtAStep() }),
		planned("a reload in between", func(d *drill) { d.reloadAtAStep() }),
		planned("the target is slow", func(d *drill) {
			d.servers[1].slow = true
			d.in(d.between(0, 6*time.Second), func() { d.servers[1].slow = false })
		}),
		planned("everything at once", func(d *drill) {
			d.meddleAtRandom(0.1)
			d.killAtSteps(2)
			d.dieAtAStep(func(*mpp.Task) string { return d.oneOf(d.servers).address })
		}),
	}
	for i := range all {
		all[i].least = 8 * time.Second
	}
	quiet := planned("nothing", func(*drill) {})
	quiet.certain = true
	return append(all, quiet)
}
