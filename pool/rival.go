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

// ruleFollow lets the states of a pool that is only watched follow what its manager does.
const ruleFollow = "managed-by-another"

// followRival takes nodes back that the manager of the pool has made replicas again: this one may have to
// take over one day, and commands that would do it are refused meanwhile.
func (a *Arbiter) followRival(now time.Time) {
	if a.rivalText() == "" {
		return
	}
	for _, n := range a.nodes {
		o := n.observation
		if n.mem.State != mpp.Failed || o == nil || n.mem.Failing != "" || n.mem.Errors > 0 || a.held(now, n) {
			continue
		}
		if o.Server.Flavour == "" || !o.At.After(n.mem.Since) {
			continue
		}
		switch active := a.activeNode(); {
		case o.Server.ReadOnly && n.unattached == "":
			a.recover(now, n, ruleFollow, "the MPP that manages the pool has taken it back: it replicates")
		case !o.Server.ReadOnly && (active == nil || a.gaveUpRole(active)) && a.onlyWriter(active) == n:
			a.recover(now, n, ruleFollow, "the MPP that manages the pool has given it the role")
		}
	}
}
