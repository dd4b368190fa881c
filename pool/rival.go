package pool

import (
	"fmt"
	"time"

	"mpp"
)

// rival names another MPP that manages the pool's servers, "" for none: this one only watches then. Each
// server is marked by the manager that came first. Where two have marked some each, the one with more
// of those that answer goes on, or the one with the first of them by address: both see the same.
func (a *Arbiter) rival() string {
	ours, theirs, name := 0, 0, ""
	first, firstOurs := "", false
	for _, n := range a.nodes {
		o := n.observation
		if o == nil || n.mem.Failing == mpp.Reach || (!o.Server.Managed && o.Server.ManagedBy == "") {
			continue
		}
		if o.Server.Managed {
			ours++
		} else {
			theirs++
			name = o.Server.ManagedBy
		}
		if first == "" || n.policy.Address < first {
			first, firstOurs = n.policy.Address, o.Server.Managed
		}
	}
	if theirs > ours || (theirs == ours && theirs > 0 && !firstOurs) {
		return name
	}
	return ""
}

// rivalText says what a rival means, "" for none.
func (a *Arbiter) rivalText() string {
	if !a.engine() {
		return ""
	}
	name := a.rival()
	if name == "" {
		return ""
	}
	return fmt.Sprintf("another MPP, at %s, manages this pool: this one only watches it until that one is gone; one pool must have one mppd", name)
}

func managedByAnother(a *Arbiter, _ time.Time) string { return a.rivalText() }
