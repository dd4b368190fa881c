package pool

import (
	"fmt"
	"slices"
	"time"

	"mpp"
)

// checkpoint is a checkpoint with its last try.
type checkpoint struct {
	policy CheckpointPolicy
	tried  bool
	last   mpp.CheckpointResult
}

func placeCheckpoints(policies []CheckpointPolicy, before []checkpoint) []checkpoint {
	points := make([]checkpoint, 0, len(policies))
	for _, p := range policies {
		c := checkpoint{policy: p}
		for _, old := range before {
			if old.policy == p {
				c = old
			}
		}
		points = append(points, c)
	}
	return points
}

// checkpointSeen takes in one try of a checkpoint.
func (a *Arbiter) checkpointSeen(now time.Time, r *mpp.CheckpointResult) {
	for i := range a.points {
		c := &a.points[i]
		if c.policy.Name == r.Name && !r.At.Before(c.last.At) {
			c.tried, c.last = true, *r
		}
	}
	a.judgeTrouble(now)
	a.judgeCutOff(now)
}

// judgeTrouble names the nearest ring of which no checkpoint answers: LAN for internal, WAN
// for edge, GLOBAL for external ones.
func (a *Arbiter) judgeTrouble(now time.Time) {
	for i := range a.points {
		if !a.points[i].tried {
			return // after a start: what was known holds until all were tried
		}
	}
	trouble := ""
	for _, ring := range []mpp.Ring{mpp.Internal, mpp.Edge, mpp.External} {
		if a.ringLost(ring) {
			trouble = troubleOf(ring)
			break
		}
	}
	if trouble == a.head.Trouble {
		return
	}
	before := a.head.Trouble
	a.head.Trouble = trouble
	a.tellTrouble(now, before)
}

func troubleOf(r mpp.Ring) string {
	switch r {
	case mpp.Internal:
		return "LAN"
	case mpp.Edge:
		return "WAN"
	default:
		return "GLOBAL"
	}
}

// ringLost reports whether the ring has checkpoints and none of them answered its last try.
func (a *Arbiter) ringLost(r mpp.Ring) bool {
	lost := false
	for i := range a.points {
		c := &a.points[i]
		if c.policy.Ring != r {
			continue
		}
		if !c.tried || c.last.Reached {
			return false
		}
		lost = true
	}
	return lost
}

// judgeCutOff decides the pool's own status: FAIL when a node cannot be reached and, tried
// since that node's first miss, no checkpoint either.
func (a *Arbiter) judgeCutOff(now time.Time) {
	if len(a.points) == 0 && !a.head.CutOff {
		return
	}
	missing := a.unreachableNode()
	cut := missing != nil && len(a.points) > 0
	for i := range a.points {
		c := &a.points[i]
		if c.tried && c.last.Reached {
			cut = false
		}
		if !a.head.CutOff && missing != nil && (!c.tried || c.last.At.Before(missing.firstMiss())) {
			cut = false
		}
	}
	if cut == a.head.CutOff || (a.head.CutOff && !a.mayEndCutOff()) {
		return
	}
	a.head.CutOff, a.head.Since = cut, now
	for _, n := range a.nodes {
		n.seen = n.seen && !cut
	}
	if !cut {
		a.forgetMisses()
	}
	a.tellCutOff(now, missing)
}

// mayEndCutOff reports whether there is evidence that the cut-off is over: a checkpoint that
// answers, or every node polled (after a restart none is) and none unreachable.
func (a *Arbiter) mayEndCutOff() bool {
	for i := range a.points {
		if a.points[i].tried && a.points[i].last.Reached {
			return true
		}
	}
	for _, n := range a.nodes {
		if n.observation == nil {
			return false
		}
	}
	return true
}

// firstMiss is when the node's present row of failures began, by the poll at hand when the
// memory does not have it yet.
func (n *node) firstMiss() time.Time {
	if !n.mem.FirstMiss.IsZero() {
		return n.mem.FirstMiss
	}
	return n.observation.At
}

// unreachableNode returns a node of which the last poll got nothing back at all, nil for none.
// A node that is FAIL already says nothing new: it may have been gone for days.
func (a *Arbiter) unreachableNode() *node {
	for _, n := range a.nodes {
		if n.mem.State != mpp.Failed && n.verdict.Failed == mpp.Reach && n.verdict.Kind.Unreachable() {
			return n
		}
	}
	return nil
}

// wantsCheckpoint reports whether n, of which nothing came back, must wait to be failed until
// a checkpoint has answered since its first miss: only then is it not this poller's network.
func (a *Arbiter) wantsCheckpoint(n *node) bool {
	if len(a.points) == 0 || n.mem.Failing != mpp.Reach || !n.mem.Kind.Unreachable() {
		return false
	}
	for i := range a.points {
		c := &a.points[i]
		if c.tried && c.last.Reached && !c.last.At.Before(n.mem.FirstMiss) {
			return false
		}
	}
	return true
}

// forgetMisses starts the count of errors afresh after the poller was cut off: what it saw
// meanwhile proves nothing.
func (a *Arbiter) forgetMisses() {
	for _, n := range a.nodes {
		if n.mem.State != mpp.Failed {
			a.clearErrors(n)
		}
	}
}

func (a *Arbiter) tellTrouble(now time.Time, before string) {
	e := mpp.Event{Kind: mpp.EventPool, Severity: mpp.Warn, From: before, To: a.head.Trouble}
	if a.head.Trouble == "" {
		e.Severity, e.Text = mpp.OK, fmt.Sprintf("checkpoints answer again (%s trouble is over)", before)
	} else {
		e.Text = fmt.Sprintf("%s trouble: %s", a.head.Trouble, a.silentCheckpoints())
	}
	a.tell(now, e)
}

func (a *Arbiter) tellCutOff(now time.Time, missing *node) {
	e := mpp.Event{Kind: mpp.EventPool, Severity: mpp.OK, From: "FAIL", To: "OK"}
	e.Text = "this poller is no longer cut off; counting errors afresh"
	if a.head.CutOff {
		e.Severity, e.From, e.To = mpp.Fail, "OK", "FAIL"
		e.Text = fmt.Sprintf("this poller is cut off: neither %s nor any checkpoint can be reached (%s); nothing is decided until that ends",
			missing.policy.Address, a.silentCheckpoints())
	}
	a.tell(now, e)
}

// allSilent reports whether there are checkpoints, and each was tried and did not answer.
func (a *Arbiter) allSilent() bool {
	return len(a.points) > 0 && !slices.ContainsFunc(a.points, func(c checkpoint) bool { return !c.tried || c.last.Reached })
}

// silentCheckpoints lists the checkpoints that did not answer their last try.
func (a *Arbiter) silentCheckpoints() string {
	text := ""
	for i := range a.points {
		c := &a.points[i]
		if !c.tried || c.last.Reached {
			continue
		}
		if text != "" {
			text += "; "
		}
		text += fmt.Sprintf("%s checkpoint %s: %s", c.policy.Ring, c.policy.Name, c.last.Message)
	}
	if text == "" {
		return "no checkpoint was tried yet"
	}
	return text
}
