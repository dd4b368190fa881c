package pool

import (
	"fmt"
	"time"

	"mpp"
)

// problemKind is one line of the catalogue of what an operator should mend: a code, a
// severity and a predicate that returns the text, "" when the problem is not there.
type problemKind struct {
	code     string
	severity mpp.Status
	// of is asked once a node; nil when the problem is the pool's.
	of func(a *Arbiter, now time.Time, n *node) string
	// ofPool is asked once; nil when the problem is a node's.
	ofPool func(a *Arbiter, now time.Time) string
}

// catalogue lists every problem that MPP knows to name. docs/operations has a page on each.
func catalogue() []problemKind {
	return []problemKind{
		{code: "cut-off", severity: mpp.Fail, ofPool: cutOff},
		{code: "no-writer", severity: mpp.Fail, ofPool: noWriter},
		{code: "no-standby", severity: mpp.Warn, ofPool: noStandby},
		{code: "two-writable", severity: mpp.Critical, ofPool: twoWritable},
		{code: "active-read-only", severity: mpp.Critical, of: activeReadOnly},
		{code: "active-failing", severity: mpp.Fail, of: activeFailing},
		{code: "active-unreachable", severity: mpp.Warn, of: activeUnreachable},
		{code: "no-checkpoint", severity: mpp.Critical, ofPool: noCheckpoint},
		{code: "network-trouble", severity: mpp.Warn, ofPool: networkTrouble},
		{code: "recovery-due", severity: mpp.Warn, of: recoveryDue},
		{code: "pool-maintenance", severity: mpp.Info, ofPool: poolMaintenance},
		{code: "node-maintenance", severity: mpp.Info, of: nodeMaintenance},
		{code: "same-server", severity: mpp.Critical, of: sameServer},
		{code: "managed-by-another", severity: mpp.Critical, ofPool: managedByAnother},
		{code: "not-ready", severity: mpp.Critical, ofPool: notReady},
		{code: "unacknowledged", severity: mpp.Critical, ofPool: unacknowledged},
		{code: "operation", severity: mpp.Info, ofPool: underWay},
		{code: "address-missing", severity: mpp.Critical, of: addressMissing},
		{code: "address-conflict", severity: mpp.Critical, of: addressConflict},
		{code: "address-foreign", severity: mpp.Critical, of: addressForeign},
		{code: "host-silent", severity: mpp.Warn, of: hostSilent},
		{code: "kept-out", severity: mpp.Warn, of: keptOut},
	}
}

// problems asks the whole catalogue.
func (a *Arbiter) problems(now time.Time) []mpp.Problem {
	found := []mpp.Problem{}
	for _, k := range a.catalogue {
		if k.ofPool != nil {
			if text := k.ofPool(a, now); text != "" {
				found = append(found, mpp.Problem{Code: k.code, Severity: k.severity, Text: text})
			}
			continue
		}
		for _, n := range a.nodes {
			if text := k.of(a, now, n); text != "" {
				found = append(found, mpp.Problem{Code: k.code, Severity: k.severity, Node: n.policy.Address, Text: text})
			}
		}
	}
	return found
}

func cutOff(a *Arbiter, _ time.Time) string {
	if !a.head.CutOff {
		return ""
	}
	return fmt.Sprintf("this poller is cut off (%s trouble): every answer is DOWN and nothing is decided", a.head.Trouble)
}

func noWriter(a *Arbiter, now time.Time) string {
	for _, n := range a.nodes {
		if n.mem.State == mpp.Active && (n.mem.Status != mpp.Fail || a.aliveByReplicas(now) != "") {
			return ""
		}
	}
	if a.engine() {
		return a.noWriterWithEngine()
	}
	for _, n := range a.nodes {
		if n.mem.State == mpp.Failed {
			return fmt.Sprintf("no node takes writes; mend the servers, then: mpp recover --pool %s", a.policy.Name)
		}
	}
	return "no node takes writes"
}

func noStandby(a *Arbiter, now time.Time) string {
	if a.policy.Logic != mpp.LogicFailover || len(a.nodes) < 2 {
		return ""
	}
	for _, n := range a.nodes {
		if n.mem.State == mpp.Standby && n.mem.Status != mpp.Fail && a.promotable(now, n) {
			return ""
		}
	}
	return "no STANDBY node could take over if the ACTIVE one died"
}

// twoWritable looks at what the servers say of themselves: applications that reach a second
// writable node by another way would split the data.
func twoWritable(a *Arbiter, _ time.Time) string {
	if a.policy.Logic != mpp.LogicFailover {
		return ""
	}
	writable := ""
	count := 0
	for _, n := range a.nodes {
		if n.observation == nil || n.observation.Server.Flavour == "" || n.observation.Server.ReadOnly || n.mem.Failing == mpp.Reach {
			continue
		}
		count++
		if writable != "" {
			writable += ", "
		}
		writable += n.policy.Address
	}
	if count < 2 {
		return ""
	}
	return fmt.Sprintf("%d nodes accept writes (read_only is off): %s; set read_only on all but the ACTIVE one", count, writable)
}

// activeReadOnly looks only at what was found since the node became ACTIVE: whatever moves the
// traffic opens it for writes after that.
func activeReadOnly(_ *Arbiter, _ time.Time, n *node) string {
	if n.mem.State != mpp.Active || n.observation == nil || !n.observation.Server.ReadOnly || !n.observation.At.After(n.mem.Since) {
		return ""
	}
	return fmt.Sprintf("%s is ACTIVE and read-only: writes fail; set read_only off there, or let whatever moves the traffic do it", n.policy.Address)
}

func activeFailing(a *Arbiter, now time.Time, n *node) string {
	if n.mem.State != mpp.Active || n.mem.Status != mpp.Fail || a.aliveByReplicas(now) != "" {
		return ""
	}
	why := "no other node can take over"
	switch {
	case a.engine():
		why = a.whyNoFailover(now)
	case a.head.Maintenance.InForce(now):
		why = "the pool is in maintenance"
	case n.mem.Maintenance.InForce(now):
		why = "it is in maintenance"
	case a.successor(now, n):
		why = "waiting for evidence that this poller is not cut off"
	}
	return fmt.Sprintf("%s is lost and stays ACTIVE because %s: %s", n.policy.Address, why, n.mem.Message)
}

// activeUnreachable is about an ACTIVE node that only this poller cannot reach.
func activeUnreachable(a *Arbiter, now time.Time, n *node) string {
	if n.mem.State != mpp.Active || n.mem.Status != mpp.Fail {
		return ""
	}
	alive := a.aliveByReplicas(now)
	if alive == "" {
		return ""
	}
	return fmt.Sprintf("%s cannot be reached from here (%s), and is alive: %s; nothing is promoted", n.policy.Address, n.mem.Message, alive)
}

// noCheckpoint warns of what would come: with every checkpoint silent, one node that falls
// silent too looks as if this poller were cut off.
func noCheckpoint(a *Arbiter, _ time.Time) string {
	if a.head.CutOff || !a.allSilent() {
		return ""
	}
	return fmt.Sprintf("no checkpoint answers; should a node fall silent now, this poller takes itself to be cut off, and every answer turns DOWN (%s)", a.silentCheckpoints())
}

func networkTrouble(a *Arbiter, _ time.Time) string {
	if a.head.Trouble == "" || a.head.CutOff || a.allSilent() {
		return ""
	}
	return fmt.Sprintf("%s trouble: %s", a.head.Trouble, a.silentCheckpoints())
}

// recoveryDue is about a node that could be taken back; what a recover would lead to besides
// is part of it.
func recoveryDue(a *Arbiter, now time.Time, n *node) string {
	if n.mem.State != mpp.Failed || n.observation == nil || n.mem.Failing != "" || n.unfit != "" || n.mem.Status >= mpp.Critical || a.held(now, n) {
		return ""
	}
	text := fmt.Sprintf("%s passes its polls again and stays FAIL (%s) until: mpp recover %s", n.policy.Address, n.mem.Reason, n.policy.Address)
	actives := a.active(n)
	switch {
	case a.engine() && n.unattached != "":
		return fmt.Sprintf("%s answers again and is no replica: mpp rejoin %s", n.policy.Address, n.policy.Address)
	case a.engine():
	case n.policy.Type != mpp.Primary || a.policy.Logic != mpp.LogicFailover || len(actives) == 0:
	case n.unattached != "":
		text += fmt.Sprintf("; it %s: first make it a replica of %s and let it catch up", n.unattached, actives[0].policy.Address)
	default:
		text += fmt.Sprintf("; it then takes the role back from %s: let it catch up first", actives[0].policy.Address)
	}
	return text
}

func poolMaintenance(a *Arbiter, now time.Time) string {
	m := a.head.Maintenance
	if !m.InForce(now) {
		return ""
	}
	return fmt.Sprintf("pool in maintenance until %s: nothing is decided by itself", endOf(m))
}

func nodeMaintenance(_ *Arbiter, now time.Time, n *node) string {
	m := n.mem.Maintenance
	if !m.InForce(now) {
		return ""
	}
	return fmt.Sprintf("%s in maintenance until %s", n.policy.Address, endOf(m))
}

// sameServer finds two addresses that lead to one server: its uuid on MySQL, its server id
// on MariaDB (which must differ between the nodes of a pool anyway).
func sameServer(a *Arbiter, _ time.Time, n *node) string {
	if n.observation == nil || n.observation.Server.ID == 0 {
		return ""
	}
	mine := n.observation.Server
	for _, other := range a.nodes {
		if other == n {
			return ""
		}
		if other.observation == nil {
			continue
		}
		theirs := other.observation.Server
		if mine.UUID == theirs.UUID && mine.ID == theirs.ID {
			return fmt.Sprintf("%s and %s have the same server id %d: they are one server, or replication between them cannot work",
				other.policy.Address, n.policy.Address, mine.ID)
		}
	}
	return ""
}
