package config

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mpp"
)

// judgeFailover judges what belongs to the pool's engine.
func (p *Pool) judgeFailover(s scope) {
	for _, one := range []struct {
		table string
		a     *Account
	}{{"failover.account", &p.Failover.Account}, {"failover.replication", &p.Failover.Replication}} {
		one.a.judge(s, one.table)
	}
	if !s.fine("engine") {
		return
	}
	if p.Engine == mpp.EngineNone {
		p.judgeUnused(s)
		return
	}
	if p.Logic == mpp.LogicCluster && s.fine("logic") {
		s.clash("engine", "logic", faultf(`write logic = "failover", or engine = "none"`, `engine = %q needs logic = "failover": in a cluster nothing is promoted`, p.Engine))
	}
	if p.HostileTakeover && s.fine("hostile_takeover") {
		s.clash("hostile_takeover", "engine", faultf(`take it out; failback = "auto" in [pool.failover] gives the role back by a switchover`, "it cannot be with engine = %q: the PRIMARY would take the role without a plan", p.Engine))
	}
	p.judgeAccounts(s)
	p.judgeFence(s)
	p.judgeTail(s)
	p.judgeLocks(s)
	p.judgeVIP(s)
}

// engineTables are the tables that mean nothing without an engine.
func engineTables() []string { return []string{"failover", "switchover", "vip", "ssh", "hook"} }

// judgeUnused warns of tables, set for this pool or its nodes, that mean nothing without an
// engine, each by its first key.
func (p *Pool) judgeUnused(s scope) {
	const hint = `write engine = "native", or take it out`
	for _, table := range engineTables() {
		if path := s.firstOf(table); path != "" {
			s.warn(path, `it has no effect with engine = "none", nor has anything else in `+table, hint+unlessMHA(table))
		}
	}
	for _, path := range []string{"confirm_timeout", "checks.commit.enabled"} {
		if s.nearness(path) == 2 && (path == "confirm_timeout" || p.Checks.Commit.Enabled) {
			s.warn(path, `it has no effect with engine = "none"`, hint)
		}
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		inner := p.scopeOf(s, n)
		for _, path := range []string{"prefer", "interface", inner.firstOf("ssh")} {
			if path != "" && inner.nearness(path) == 2 {
				inner.warn(path, `it has no effect with engine = "none"`, hint)
			}
		}
	}
}

// unlessMHA adds to a hint that MHA's hooks, which run without mppd, use a table all the same.
func unlessMHA(table string) string {
	if table == "hook" {
		return ""
	}
	return "; MHA's hooks (mpp mha hook) use it all the same"
}

// firstOf is the first key of a table that was set in this section itself, "" when none was.
func (s scope) firstOf(table string) string {
	first := ""
	for path := range s.set {
		if path != table && !strings.HasPrefix(path, table+".") || s.nearness(path) < 2 {
			continue
		}
		if first == "" || cmp.Or(cmp.Compare(s.set[path].Line, s.set[first].Line), strings.Compare(path, first)) < 0 {
			first = path
		}
	}
	return first
}

// scopeOf is a node's scope within that of its pool.
func (p *Pool) scopeOf(s scope, n *Node) scope {
	return newScope(s.judge, n.at, n.pos.or(s.pos.Key+".node."+n.Address))
}

// judge judges an account in itself.
func (a *Account) judge(s scope, table string) {
	if sources := a.sources(); len(sources) > 1 {
		s.fault(table+"."+sources[1], faultf("keep one of them", "%s are set together", strings.Join(sources, " and ")))
	}
	if a.User == "" && s.set.has(table+".user") && s.fine(table+".user") {
		hint := `write user = "mpp", or leave it out`
		if table == "failover.replication" {
			hint = `write user = "repl"`
		}
		s.fault(table+".user", faultf(hint, "the user is empty"))
	}
}

// judgeAccounts judges the accounts that an engine needs.
func (p *Pool) judgeAccounts(s scope) {
	const hint = "write password_file, password_env, defaults_file or no_password = true beside it"
	f := &p.Failover
	if f.Account.User != "" && len(f.Account.sources()) == 0 && s.fineAll("failover.account") {
		s.fault("failover.account.user", faultf(hint, "nothing says where the password is"))
	}
	switch r := &f.Replication; {
	case !s.fineAll("failover.replication"):
	case r.User == "" && len(r.sources()) == 0:
		s.fault("failover.replication", faultf("write [pool.failover.replication] with user and password_file", "nothing says what replicas log in with, which engine = %q needs", p.Engine))
	case len(r.sources()) == 0:
		s.fault("failover.replication.user", faultf(hint, "nothing says where the password is"))
	case r.User == "":
		s.fault("failover.replication."+r.sources()[0], faultf(`write user = "repl" beside it`, "nothing says which user replicas log in as"))
	}
}

// judgeFence sees to it that what must be fenced can be.
func (p *Pool) judgeFence(s scope) {
	stop := &p.Failover.Shutdown
	if s.fine("failover.shutdown.program") {
		s.fault("failover.shutdown.program", s.program(stop.Program))
	}
	if stop.Program == "" && s.nearness("failover.shutdown.timeout") == 2 && s.fine("failover.shutdown.program") {
		s.warn("failover.shutdown.timeout", "it is not used: there is no program", "write program = ... beside it, or take it out")
	}
	if p.Failover.Fence == FenceRequired && stop.Program == "" && p.VIP.Kind == VIPNone && s.fine("failover.fence", "failover.shutdown.program", "vip.kind") {
		s.fault("failover.fence", faultf("write a program in [pool.failover.shutdown], or give the pool an address in [pool.vip]",
			"fence = %q needs a way to fence a node whose server does not answer, and there is none: no such node would be replaced", FenceRequired))
	}
}

// unreached are the nodes whose hosts cannot be reached.
func (p *Pool) unreached() []*Node {
	var far []*Node
	for i := range p.Nodes {
		if n := &p.Nodes[i]; n.outOfReach() {
			far = append(far, n)
		}
	}
	return far
}

// outOfReach reports whether nothing says how the node's host is reached. What says it wrongly
// is told elsewhere.
func (n *Node) outOfReach() bool {
	wrong := n.halfSSH() || slices.ContainsFunc(sshRows(), func(r row[SSH]) bool { return n.at["ssh."+r.path].bad })
	return !wrong && !n.SSH.Given()
}

// judgeTail warns when the binary log of a dead server cannot be read.
func (p *Pool) judgeTail(s scope) {
	if !p.Failover.BinlogTail || !s.fine("failover.binlog_tail") {
		return
	}
	if far := p.unreached(); len(far) > 0 {
		s.warn("failover.binlog_tail", fmt.Sprintf("the host of node %s cannot be reached by ssh: what has reached no replica when its server dies stays there", far[0].Address),
			"write key_file and known_hosts in [pool.ssh], or binlog_tail = false")
	}
}

// judgeLocks sees to it that there are accounts to lock, and that they are not MPP's own.
func (p *Pool) judgeLocks(s scope) {
	const path = "switchover.lock_accounts"
	if !s.fine(path, "switchover.stop", "failover.block") {
		return
	}
	block, stop := p.Failover.Block, p.Switchover.Stop
	locks := p.Switchover.LockAccounts
	switch {
	case len(locks) > 0:
		if block == BlockReadOnly && stop != StopLock && s.nearness(path) == 2 {
			s.warn(path, "it is not used", `write stop = "lock" here, or block = "lock" or "revoke" in [pool.failover]`)
		}
	case stop == StopLock:
		s.fault("switchover.stop", faultf(`write lock_accounts = ["app@%"] beside it`, "stop = %q needs the accounts to lock", stop))
	case block != BlockReadOnly:
		s.fault("failover.block", faultf(`write lock_accounts = ["app@%"] in [pool.switchover]`, "block = %q needs the accounts of applications", block))
	}
	for _, a := range locks {
		if p.ownUser(a.User) {
			s.fault(path, faultf("take it out, or give MPP and the replicas accounts of their own", "%s is an account that MPP or the replicas log in with", a))
		}
	}
}

// ownUser reports whether MPP or the replicas log in as a user.
func (p *Pool) ownUser(user string) bool {
	return user == p.Failover.Account.User || user == p.Failover.Replication.User ||
		slices.ContainsFunc(p.Nodes, func(n Node) bool { return user == n.Account.User })
}
