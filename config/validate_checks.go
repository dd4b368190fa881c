package config

import (
	"math"
	"slices"
	"strconv"
	"time"
)

// builtins are the names of the checks that MPP brings along.
func builtins() []string {
	return []string{"connect", "privilege", "query", "replication", "lag", "write", "identity", "cluster", "commit", "custom"}
}

// judgeChecks judges what checks have in common, and the thresholds.
func (p *Pool) judgeChecks(s scope) {
	for path, limit := range p.Checks.limits() {
		p.judgeLimit(s, path, *limit)
	}
	lag := p.Checks.Lag
	var steps []step
	for _, t := range []struct {
		key  string
		from time.Duration
	}{{"info", lag.Info}, {"warn", lag.Warn}, {"critical", lag.Critical}, {"fail", lag.Fail}} {
		if t.from > 0 {
			steps = append(steps, step{t.key, int64(t.from), durationQuote(t.from)})
		}
	}
	s.ascend("checks.lag.", `make info, warn, critical and fail ascend, or turn one off with "0s"`, steps)
	write := p.Checks.Write
	if write.Enabled && s.fine("checks.write.table", "checks.lag.heartbeat_table") && lag.HeartbeatTable != write.Table {
		s.clash("checks.lag.heartbeat_table", "checks.write.table", faultf("name the same table in both, or leave heartbeat_table out",
			"the heartbeat_table %q is not the table %q that the write check writes to", lag.HeartbeatTable, write.Table))
	}
}

// judgeLimit sees to it that a check does not outlast its poll.
func (p *Pool) judgeLimit(s scope, path string, limit time.Duration) {
	if s.fine(path, "timeout") && limit > p.Timeout {
		s.clash(path, "timeout", limitFault(limit, p.Timeout))
	}
}

func limitFault(limit, poll time.Duration) *fault {
	return faultf("make the check's limit at most "+durationQuote(poll)+", or the poll's timeout longer", "the check's limit of %s is longer than the poll's timeout of %s", durationText(limit), durationText(poll))
}

func durationQuote(d time.Duration) string { return `"` + durationText(d) + `"` }

// judgeCustom judges the custom checks.
func (p *Pool) judgeCustom(s scope, rows []row[CustomCheck]) {
	names := map[string]Origin{}
	for i := range p.Checks.Custom {
		c := &p.Checks.Custom[i]
		inner := newScope(s.judge, c.at, c.pos.or(s.pos.Key+".checks.custom."+c.Name))
		checkRows(inner, rows, c)
		if poll := p.Timeout; len(p.Nodes) > 0 && inner.fine("timeout") && s.fine("timeout") && c.Timeout > poll {
			inner.fault("timeout", limitFault(c.Timeout, poll))
		}
		c.judgeExpect(inner)
		if !inner.fine("name") {
			continue
		}
		if slices.Contains(builtins(), c.Name) {
			inner.fault("name", faultf("give it another name", "%q is the name of a built-in check", c.Name))
		}
		if before, twice := names[c.Name]; twice {
			inner.fault("name", faultf("give each check a name of its own", "custom check %q is already there in %s", c.Name, before))
		}
		names[c.Name] = inner.at("name")
	}
}

// judgeExpect sees to it that a comparison has something to compare with.
func (c *CustomCheck) judgeExpect(s scope) {
	if !s.fine("compare", "expect") {
		return
	}
	given := s.set.has("expect")
	switch c.Compare {
	case compareRow, compareNoRow:
		if given {
			s.fault("expect", faultf("take it out, or write another compare", "compare = %q expects no value", c.Compare))
		}
	case "<", "<=", ">", ">=":
		if n, err := strconv.ParseFloat(c.Expect, 64); err != nil || math.IsNaN(n) || math.IsInf(n, 0) {
			s.fault("expect", faultf(`write a number in quotes, such as expect = "100"`, "%q is not a number, which compare = %q needs", c.Expect, c.Compare))
		}
	default:
		if !given && c.Expect == "" {
			s.fault("expect", faultf(`write expect = "..."`, "nothing says what to expect"))
		}
	}
}

// judgeCheckpoints judges the checkpoints.
func (p *Pool) judgeCheckpoints(s scope, rows []row[Checkpoint]) {
	names := map[string]Origin{}
	for i := range p.Checkpoints {
		c := &p.Checkpoints[i]
		inner := newScope(s.judge, c.at, c.pos.or(s.pos.Key+".checkpoint."+c.Name))
		if c.Ring == "" && inner.fine("ring") && !c.at.has("ring") {
			inner.fault("ring", faultf(`write ring = "internal", "edge" or "external"`, "it does not say how far away it stands"))
		}
		checkRows(inner, rows, c)
		if inner.fine("kind", "address", "url") {
			inner.fault(c.fault())
		}
		if inner.fine("interval", "timeout") && c.Timeout >= c.Interval {
			inner.fault("timeout", faultf("make it shorter, or the interval longer", "%s is not shorter than the interval of %s", durationText(c.Timeout), durationText(c.Interval)))
		}
		if before, twice := names[c.Name]; twice && c.Name != "" && inner.fine("name") {
			inner.fault("name", faultf("give each checkpoint a name of its own", "checkpoint %q is already there in %s", c.Name, before))
		}
		names[c.Name] = inner.at("name")
		if inner.fine("address") {
			p.judgeOutside(inner, c)
		}
	}
}

// judgeOutside sees to it that a checkpoint is not a node of its own pool.
func (p *Pool) judgeOutside(s scope, c *Checkpoint) {
	for i := range p.Nodes {
		n := &p.Nodes[i]
		switch {
		case c.Address == "":
		case c.Address == n.Address:
			s.fault("address", faultf("name something outside the pool, such as the gateway", "%s is a node of the pool", c.Address))
		case hostOf(c.Address) == hostOf(n.Address):
			s.warn("address", "it is on the host of node "+n.Address+": it is lost together with that node", "name something outside the pool, such as the gateway")
		}
	}
}
