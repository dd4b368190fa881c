package mpp

import "time"

// Diagnosis is what came of trying, harmlessly, everything that a failover or switchover of a
// pool will need: logins, grants, hosts, the address, hooks.
type Diagnosis struct {
	Pool string `json:"pool"`
	// At is when the tries began and Took how long they lasted.
	At   time.Time     `json:"at"`
	Took time.Duration `json:"took_ns"`
	// Findings holds one finding a try, in the order of the nodes; those about the pool first.
	Findings []Finding `json:"findings"`
}

// Finding is what one try found.
type Finding struct {
	// Node is the node's address; empty for what belongs to the pool, such as a hook.
	Node string `json:"node,omitempty"`
	// What names what was tried: "failover account", "replication account", "ssh", "virtual address",
	// "binary log on its host", "clone", "setting NAME", "hook NAME", "shutdown program".
	What string `json:"what"`
	// Status is OK, INFO (something is not there that not everybody needs), WARN (a failover works, but
	// worse than it could) or FAIL (it would fail, or lose data).
	Status Status `json:"status"`
	// Text is one line: what was found.
	Text string `json:"text"`
	// Hint says what to do about it, such as a statement to run; empty for nothing.
	Hint string `json:"hint,omitempty"`
}

// Worst is the worst status of the findings. A diagnosis that tried nothing is a failure:
// missing evidence is never good evidence.
func (d *Diagnosis) Worst() Status {
	if len(d.Findings) == 0 {
		return Fail
	}
	worst := OK
	for i := range d.Findings {
		worst = Worse(worst, d.Findings[i].Status)
	}
	return worst
}
