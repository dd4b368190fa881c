package pool

import (
	"fmt"
	"time"

	"mpp"
)

// readinessFor is how long a readiness is good: whoever looks sees it renewed each second.
const readinessFor = time.Second

// Readiness says what would happen if the ACTIVE node died now, and what stands in the way; nil
// without an engine.
func (a *Arbiter) Readiness(now time.Time) *mpp.Readiness {
	if !a.engine() {
		return nil
	}
	if a.readiness != nil && now.Sub(a.readyAt) < readinessFor && !now.Before(a.readyAt) {
		return a.readiness
	}
	a.readiness, a.readyAt = a.judgeReadiness(now), now
	return a.readiness
}

func (a *Arbiter) judgeReadiness(now time.Time) *mpp.Readiness {
	real, died := a.outage(now, false), a.outage(now, true)
	r := &mpp.Readiness{
		Pool: a.policy.Name, At: now, Now: real.gates(), IfActiveDied: died.gates(), Candidates: died.ranking(),
		Blockers: []string{}, Warnings: a.readinessWarnings(died),
	}
	for _, g := range r.IfActiveDied {
		if !g.Open {
			r.Blockers = append(r.Blockers, g.Name+": "+g.Evidence)
		}
	}
	if died.active != nil {
		loss := died.loss()
		r.ExpectedLoss, r.LossCount = loss.text, loss.count
		r.ExpectedOutage = a.policy.expectedOutage()
	}
	if r.Ready = len(r.Blockers) == 0; !r.Ready {
		r.ExpectedOutage = "until somebody acts"
	}
	r.Summary = a.readinessSummary(died, r)
	return r
}

func (a *Arbiter) readinessSummary(o *outage, r *mpp.Readiness) string {
	switch {
	case o.active == nil:
		return "no node is ACTIVE"
	case !r.Ready:
		return fmt.Sprintf("not ready: if %s died now, nothing would be promoted (%s)", o.active.policy.Address, r.Blockers[0])
	default:
		return fmt.Sprintf("ready: if %s died now, %s would take over", o.active.policy.Address, r.Candidates[0].Address)
	}
}

// expectedOutage follows from the time limits: how long it takes to be sure, and then about a
// tenth of a second for the plan.
func (p *Policy) expectedOutage() string {
	const carryOut = 100 * time.Millisecond
	f := p.Failover
	more := time.Duration(p.Ladder.Fail - 1)
	gone := max(f.Grace, more*f.ConfirmInterval) + carryOut
	fence := f.FenceTimeout
	if !f.FenceRequired {
		fence /= 2 // as the plan has it for what is silent
	}
	silent := max(f.Grace, p.Interval/2+f.Timeout+more*max(f.ConfirmInterval, f.ConfirmTimeout)) + fence + carryOut
	round := 100 * time.Millisecond
	return fmt.Sprintf("about %s if its server dies, %s if its host falls silent", gone.Round(round), silent.Round(round))
}

// readinessWarnings lists what makes a failover worse without keeping it from starting.
func (a *Arbiter) readinessWarnings(o *outage) []string {
	list := a.blockWarning()
	for _, n := range a.nodes {
		list = append(list, a.nodeWarnings(o, n)...)
	}
	if a.policy.Failover.Addresses && o.active != nil {
		if r := o.active.address; r != nil && r.Known && !r.Holds {
			list = append(list, o.active.policy.Address+" does not have the virtual address")
		}
	}
	return list
}

func (a *Arbiter) nodeWarnings(o *outage, n *node) []string {
	var list []string
	address := n.policy.Address
	if n.mem.Errant != "" {
		list = append(list, fmt.Sprintf("%s has transactions that the ACTIVE node does not have, and is never promoted: %s", address, n.mem.Errant))
	}
	if n.keptOut != "" {
		list = append(list, n.keptOut)
	}
	switch r := n.address; {
	case !a.policy.Failover.Addresses || r == nil:
	case !r.Known:
		list = append(list, fmt.Sprintf("the host of %s cannot be asked for the virtual address: %s", address, r.Message))
	case r.Message != "":
		list = append(list, fmt.Sprintf("the virtual address on the host of %s: %s", address, r.Message))
	}
	if n.spoke == nil {
		return list
	}
	for _, risk := range n.spoke.Risks(n == o.active, n.policy.NoPromote) {
		if risk.Severity >= mpp.Warn {
			list = append(list, address+": "+risk.Text)
		}
	}
	return list
}

// blockWarning says what the chosen way of keeping writers from the other nodes does not stop.
func (a *Arbiter) blockWarning() []string {
	for _, n := range a.nodes {
		if n.spoke != nil && n.spoke.Server.Flavour == "mariadb" && a.policy.Failover.Block == "read_only" {
			return []string{"MariaDB's read_only does not stop accounts with READ ONLY ADMIN (or SUPER before 10.11); block = \"lock\" or \"revoke\" does"}
		}
	}
	return []string{}
}
