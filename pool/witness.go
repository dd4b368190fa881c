package pool

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mpp"
	"mpp/plan"
)

// testimony is what one replica says of its link to the ACTIVE node.
type testimony uint8

const (
	// mute: it was not asked since the first miss, is no replica of the ACTIVE node, or its link
	// was not up when that one was last well.
	mute testimony = iota
	// receiving: something came since the first miss, or it could connect anew.
	receiving
	// quiet: its link stands by its own word, and nothing came since the first miss.
	quiet
	// broken: it says that its link is broken, or could not connect anew.
	broken
)

// receivedFor is for how long what a replica received shows that its source lives; after that its
// link is tried anew.
const receivedFor = 2 * time.Second

// stuckQuiet is how long nothing may have come from a server that says itself that it cannot
// commit: what its replicas receive at the first miss may be the very commits that hang.
const stuckQuiet = time.Second

// linkState is what is known of a replica's link to its source, over several polls.
type linkState struct {
	// source is where the link leads to.
	source string
	// received is what had been received at the last poll, and before is when the poll before that
	// one was. The last time that this was something new it was seen at advanced, and had come after
	// advancedFrom, the poll before.
	received               string
	last, before           time.Time
	advanced, advancedFrom time.Time
	// upAt is the last poll that found the link up; brokenSince the first of those after it that did
	// not, zero while it is.
	upAt, brokenSince time.Time
	// tried is when it was last begun to let the replica connect anew; tested when that ended by
	// a finding, which alive is.
	tried, tested time.Time
	alive         bool
}

// see takes in what a poll says of a link.
func (l *linkState) see(at time.Time, c *mpp.Channel) {
	if source := fmt.Sprintf("%s:%d", c.SourceHost, c.SourcePort); source != l.source {
		*l = linkState{source: source}
	}
	if c.Received != l.received && !l.last.IsZero() {
		l.advanced, l.advancedFrom = at, l.last
	}
	l.received, l.before, l.last = c.Received, l.last, at
	switch {
	case c.IO == "Yes":
		l.upAt, l.brokenSince = at, time.Time{}
	case l.brokenSince.IsZero():
		l.brokenSince = at
	}
}

// lost reports whether a receiver has no connection because its source is away: not one that was
// stopped, or that is turned away, which says nothing of whether the source lives.
func lost(c *mpp.Channel) bool {
	switch c.IOErrno {
	case 0:
		return c.IO != "Yes" && c.IO != "No"
	case 2002, 2003, 2005, 2006, 2013, 1040, 1053, 1129:
		return c.IO != "Yes"
	default:
		return false
	}
}

// hears reports whether a node's poll can say something about its link to the ACTIVE node.
func (o *outage) hears(n *node) (c *mpp.Channel, why string) {
	address := n.policy.Address
	if n.observation == nil || n.observation.Verdict().Failed == mpp.Reach || n.spoke == nil || n.spoke.At.Before(o.active.mem.FirstMiss) {
		return nil, address + " was not heard since then"
	}
	source := plan.Node{Address: o.facts.Active, Observation: o.active.words()}
	if c = plan.Link(&plan.Node{Address: address, Observation: n.spoke}, &source); c == nil {
		return nil, address + " does not replicate from it"
	}
	return c, ""
}

// witness asks one node.
func (o *outage) witness(n *node) (testimony, string) {
	c, why := o.hears(n)
	if c == nil {
		return mute, why
	}
	address, miss := n.policy.Address, o.active.mem.FirstMiss
	tested := n.link.tested.After(miss)
	switch {
	case o.trying(n):
		return quiet, address + " is trying to connect to it anew"
	case o.a.repairing(address, ""):
		return mute, address + " is being repaired"
	case c.IO == "Yes" && o.receives(n):
		return receiving, fmt.Sprintf("%s received transactions at %s", address, clock(n.link.advanced))
	case c.IO == "Yes" && tested && !o.stuck() && o.now.Sub(n.link.tested) <= linkPause:
		return receiving, fmt.Sprintf("%s connected to it anew at %s", address, clock(n.link.tested))
	case c.IO == "Yes" && c.SQL == "No":
		// With a stopped applier it must not be asked to connect anew: MariaDB would throw away what
		// it has received. The others' words count.
		return mute, address + " has its applier stopped, and its link cannot be tried"
	case c.IO == "Yes":
		return quiet, address + " has its link open, and nothing came since"
	case !lost(c) && c.IOErrno == 0:
		return mute, address + " has its receiver stopped"
	case !lost(c):
		return mute, fmt.Sprintf("%s does not receive by an error of its own (%d)", address, c.IOErrno)
	case tested:
		return broken, address + " could not connect to it anew"
	case o.stale(n):
		return mute, address + " had lost it before"
	default:
		return broken, fmt.Sprintf("%s has lost it (IO thread: %s, error %d)", address, c.IO, c.IOErrno)
	}
}

// trying reports whether a test of the node's link is under way, has not shown yet, or has brought no
// finding: it breaks the link by itself for a moment.
func (o *outage) trying(n *node) bool {
	l, miss := &n.link, o.active.mem.FirstMiss
	switch {
	case o.a.testing(n):
		return true
	case l.tested.After(miss) && n.spoke.At.Before(l.tested):
		return true
	default:
		return l.tried.After(miss) && l.tested.Before(l.tried) && o.now.Sub(l.tried) < retryPause
	}
}

// receives reports whether something came since the first miss, and lately. From a server that
// says itself that commits hang, it may be the commits that hang.
func (o *outage) receives(n *node) bool {
	if o.stuck() {
		return o.now.Sub(n.link.advanced) < stuckQuiet
	}
	return n.link.advancedFrom.After(o.active.mem.FirstMiss) && o.now.Sub(n.link.advanced) < receivedFor
}

// stale reports whether a link may have been broken already when the ACTIVE node was last well: that
// is no sign that it is dead now. Where its host says that the process is gone, it is enough that
// nobody had seen it broken before.
func (o *outage) stale(n *node) bool {
	if silentKind(o.active.mem.Kind) {
		return o.active.wellAt.IsZero() || n.link.upAt.Before(o.active.wellAt)
	}
	return o.active.wellAt.IsZero() || n.link.brokenSince.Before(o.active.wellAt)
}

// stuck reports whether the ACTIVE server answers and says itself that commits do not end.
func (o *outage) stuck() bool {
	switch o.active.mem.Kind {
	case mpp.KindDiskFull, mpp.KindReadOnlyFS, mpp.KindStuckCommit, mpp.KindSemiSyncWait:
		return true
	default:
		return false
	}
}

// aloneFor is how long after its promotion a node may have no replica yet.
const aloneFor = 10 * time.Second

// alone reports whether the ACTIVE node died so soon after its promotion that nobody replicates from
// it, while its host says that nothing listens there. There is no witness then, and there never
// will be one.
func (o *outage) alone() bool {
	m := &o.active.mem
	promoted := m.Rule == ruleFailover || m.Rule == ruleSwitchover
	if o.imagined || !promoted || m.Kind != mpp.KindRefused || m.FirstMiss.IsZero() || m.FirstMiss.Sub(m.Since) > aloneFor {
		return false
	}
	heard := 0
	for _, n := range o.a.nodes {
		if n == o.active || n.observation == nil || n.observation.Verdict().Failed == mpp.Reach || n.spoke == nil {
			continue
		}
		if n.spoke.At.Before(m.FirstMiss) {
			return false
		}
		source := plan.Node{Address: o.facts.Active, Observation: o.active.words()}
		if plan.Link(&plan.Node{Address: n.policy.Address, Observation: n.spoke}, &source) != nil {
			return false
		}
		heard++
	}
	return heard > 0
}

// gateWitnessed: fresh polls of the replicas; none still receives, at least one says that its
// link is broken. A server that says itself that it cannot commit needs no broken link: it is
// enough that nothing reaches the replicas any more.
func gateWitnessed(o *outage) (bool, string) {
	if o.active == nil {
		return false, "no node is ACTIVE"
	}
	if o.imagined {
		return o.wouldBeWitnessed()
	}
	if o.active.mem.FirstMiss.IsZero() {
		return false, "nothing was missed yet"
	}
	counts := map[testimony]int{}
	var said []string
	for _, n := range o.a.nodes {
		if n == o.active {
			continue
		}
		t, text := o.witness(n)
		counts[t]++
		said = append(said, text)
	}
	text := strings.Join(said, "; ")
	switch {
	case counts[receiving] > 0:
		return false, "alive by its replicas, not reachable from here: " + text
	case o.stuck() && o.active.wasPolledBefore(o.a.mended):
		return false, "a replica was re-attached since its last poll: " + text
	case o.stuck() && counts[quiet]+counts[broken] > 0:
		return true, "it says itself that commits do not end, and nothing comes from it: " + text
	case counts[broken]+counts[quiet] == 0 && o.alone():
		return true, "its server is gone by its host's word, and nobody replicates from it yet; it must be fenced for sure: " + text
	case counts[broken] == 0:
		return false, "no replica says that its link is broken: " + text
	case counts[quiet] > 0:
		return false, "not all links are broken: " + text
	default:
		return true, text
	}
}

// contradicted reports whether a replica shows that the ACTIVE node lives, or cannot exclude it.
func (o *outage) contradicted() bool {
	return o.active != nil && slices.ContainsFunc(o.a.nodes, func(n *node) bool {
		if n == o.active {
			return false
		}
		t, _ := o.witness(n)
		return t == receiving || t == quiet
	})
}

// wasPolledBefore reports whether the node's last poll is older than that.
func (n *node) wasPolledBefore(then time.Time) bool {
	return n.observation == nil || n.observation.At.Before(then)
}

// wouldBeWitnessed: somebody must be there to say that the link broke.
func (o *outage) wouldBeWitnessed() (bool, string) {
	var who []string
	source := o.facts.Active
	for i := range o.facts.Nodes {
		n := &o.facts.Nodes[i]
		if n.Address == source || !n.Reachable {
			continue
		}
		if c := plan.Link(n, &plan.Node{Address: source, Observation: o.active.words()}); c != nil && c.IO != "No" { // a receiver that is stopped sees nothing
			who = append(who, n.Address)
		}
	}
	if len(who) == 0 {
		return false, "no reachable node receives from it: nobody could say that it is dead"
	}
	return true, "would be told by " + strings.Join(who, ", ")
}

// linkPause is the time between two tests of a replica's link, retryPause that after one which
// brought no finding.
const (
	linkPause  = 10 * time.Second
	retryPause = 2 * time.Second
)

// testLinks lets replicas connect anew whose word cannot be relied on, while the ACTIVE node does
// not answer: an idle link cannot tell a dead source from a quiet one, and one that was broken
// before nothing at all.
func (a *Arbiter) testLinks(now time.Time, active *node) {
	if a.roleBusy() || a.rivalText() != "" || a.head.Maintenance.InForce(now) || active.mem.Maintenance.InForce(now) {
		return
	}
	// Those under way keep no other node from being tested: it was only heard a moment later.
	o := &outage{a: a, now: now, active: active, facts: a.facts(now)}
	due := false
	for i, n := range a.nodes {
		if n != active && o.wantsTest(n) {
			o.facts.Nodes[i].TestLink, due = true, true
			n.link.tried = now
		}
	}
	if due {
		a.beginWith(now, o.facts, mpp.Operation{
			Kind: mpp.OpTestLinks, Old: active.policy.Address, Reason: active.policy.Address + " does not answer: " + active.mem.Message,
			Options: mpp.OperationOptions{Wait: active.patience()},
		})
	}
}

// wantsTest reports whether a node should try to connect to the ACTIVE node anew.
func (o *outage) wantsTest(n *node) bool {
	c, _ := o.hears(n)
	if c == nil || o.a.repairing(n.policy.Address, "") {
		return false
	}
	tested := n.link.tested.After(o.active.mem.FirstMiss)
	if pause := linkPause; !n.link.tried.IsZero() && n.link.tried.After(o.active.mem.FirstMiss) {
		if !tested || n.link.tested.Before(n.link.tried) {
			pause = retryPause
		}
		if o.now.Sub(n.link.tried) < pause {
			return false
		}
	}
	if c.IO != "Yes" {
		return lost(c) && !tested && o.stale(n)
	}
	// Two polls since the first miss tell whether something still comes. A server that refuses connections
	// may be shutting down: MySQL leaves the links of its replicas open for seconds then.
	asks := silentKind(o.active.mem.Kind) || o.active.mem.Kind == mpp.KindRefused
	return asks && !o.receives(n) && n.link.before.After(o.active.mem.FirstMiss)
}

// silentKind reports whether the trouble leaves it open whether the server lives.
func silentKind(k mpp.Kind) bool {
	switch k {
	case mpp.KindNoAnswer, mpp.KindNoHandshake, mpp.KindHung, mpp.KindName, mpp.KindLost:
		return true
	default:
		return false
	}
}

// testing reports whether a node's link is being tried now.
func (a *Arbiter) testing(n *node) bool {
	for _, op := range a.head.Repairs {
		for i := range op.Steps {
			if st := &op.Steps[i]; st.Kind == mpp.StepTestLink && st.Node == n.policy.Address && st.Status == mpp.StepRunning {
				return true
			}
		}
	}
	return false
}

// linkTested takes in what came of a test.
func (a *Arbiter) linkTested(now time.Time, st *mpp.Step) {
	n := a.index[st.Node]
	if n == nil || st.Status != mpp.StepDone {
		return
	}
	n.link.tested, n.link.alive = now, st.Alive
	a.out = append(a.out, mpp.Action{Kind: mpp.ActionPoll, Node: st.Node})
}

// slowLink is how long a replica gets to connect anew over a network that is slow: lost packets are
// sent again after 1, 2 and 4 seconds.
const slowLink = 10 * time.Second

// patience is how long replicas get to connect to the node anew; 0 is as usual.
func (n *node) patience() time.Duration {
	if n.slow() {
		return slowLink
	}
	return 0
}
