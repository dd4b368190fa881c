package pool

import (
	"time"

	"mpp"
)

// goodClusterPoll is the rule of logic "cluster": every healthy member is ACTIVE, nothing is
// promoted over another. A member passes through STANDBY like any node, one poll a step.
func (a *Arbiter) goodClusterPoll(now time.Time, n *node) {
	switch n.mem.State {
	case mpp.Unknown:
		a.admit(now, n)
	case mpp.Standby:
		if a.promotable(now, n) {
			a.promote(now, n, 0, ruleClusterMember, "healthy member of the cluster")
		}
	default: // ACTIVE is where it belongs; FAIL is sticky
	}
}
