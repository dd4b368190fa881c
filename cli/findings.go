package cli

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"mpp"
)

// finding is something that is not well, as status lists it below the table.
type finding struct {
	severity mpp.Status
	// pool is empty for what concerns the daemon.
	pool string
	text string
	// code is the problem's name in the documentation.
	code string
}

// slowStale is how old a node's data in the slow lane may be: dead nodes are polled seldom
// on purpose (slow_interval), and their answer is DOWN whatever their age.
const slowStale = time.Minute

// futureSlack is how far the daemon's clock may be ahead before that is worth a word.
const futureSlack = 2 * time.Second

// reading is a view with the moment it is looked at.
type reading struct {
	view *mpp.View
	now  time.Time
	// ahead is how far the daemon's clock is ahead of this machine's, 0 when it is not.
	ahead time.Duration
}

// read fixes the moment from which ages are counted: this machine's clock, because a daemon
// that is stuck would go on showing its last view as a fresh one; or the daemon's, when that
// is ahead.
func read(v *mpp.View, now time.Time) reading {
	r := reading{view: v, now: now}
	if ahead := v.At.Sub(now); ahead > 0 {
		r.now, r.ahead = v.At, ahead
	}
	return r
}

// stale reports whether what is known of n is too old to be believed.
func (r reading) stale(p *mpp.PoolView, n *mpp.NodeView) bool {
	limit := p.StaleAfter
	if n.Lane == mpp.LaneSlow {
		limit = max(limit, slowStale)
	}
	return !n.LastPoll.IsZero() && limit > 0 && r.now.Sub(n.LastPoll) > limit
}

// staleView reports whether the whole view is older than every pool allows: the daemon has
// stopped to work.
func (r reading) staleView() bool {
	limit := time.Duration(0)
	for i := range r.view.Pools {
		limit = max(limit, r.view.Pools[i].StaleAfter)
	}
	return limit > 0 && r.now.Sub(r.view.At) > limit
}

// findings lists everything that is not well in the pools shown, the daemon's own first.
func (r reading) findings(pools []*mpp.PoolView) []finding {
	all := r.ofDaemon()
	for _, p := range pools {
		all = append(all, r.ofPool(p)...)
	}
	return all
}

func (r reading) ofDaemon() []finding {
	v := r.view
	var all []finding
	add := func(s mpp.Status, code, format string, args ...any) {
		all = append(all, finding{severity: s, code: code, text: fmt.Sprintf(format, args...)})
	}
	if r.staleView() {
		add(mpp.Fail, "stale-view", "STALE: this is what mppd knew %s; it is stuck, or the clocks differ", ago(r.now, v.At))
	}
	if r.ahead > futureSlack {
		add(mpp.Info, "clocks-differ", "the daemon's clock is %s ahead of this machine's; ages are counted by the daemon's", span(r.ahead))
	}
	if v.JournalError != "" {
		add(mpp.Critical, "journal", "mppd cannot write its journal: %s", v.JournalError)
	}
	if v.FilesError != "" {
		add(mpp.Critical, "files", "mppd cannot write the files that mpp-check and keepalived read: %s", v.FilesError)
	}
	if v.ConfigError != "" {
		add(mpp.Warn, "config", "the last reload was refused, the old configuration is in force: %s", v.ConfigError)
	}
	if len(v.Pools) == 0 {
		add(mpp.Warn, "no-pools", "mppd watches no pool")
	}
	return all
}

// ofPool lists the pool's problems, and what the table shows that no problem speaks of.
func (r reading) ofPool(p *mpp.PoolView) []finding {
	var all []finding
	add := func(s mpp.Status, code, format string, args ...any) {
		all = append(all, finding{severity: s, pool: p.Name, code: code, text: fmt.Sprintf(format, args...)})
	}
	for _, problem := range p.Problems {
		add(problem.Severity, problem.Code, "%s", problem.Text)
	}
	if p.Status != mpp.OK && !tells(p, "cut-off") {
		add(p.Status, "cut-off", "the pool's status is %s (%s)", p.Status, orNone(p.Trouble, "no trouble named"))
	}
	outdated := r.staleView() // said once, for all of them
	if !outdated && !r.hasWriter(p) && !tells(p, "no-writer", "cut-off", "active-failing") {
		add(mpp.Fail, "no-writer", "no node answers as a writer")
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if !outdated && r.stale(p, n) {
			add(mpp.Critical, "stale", "STALE: %s was last polled %s; the limit is %s", n.Address, ago(r.now, n.LastPoll), p.StaleAfter)
		}
		if s, text := ofNode(n); s >= mpp.Warn && !r.maintained(p, n) && !tellsOf(p, n.Address) {
			add(s, "node", "%s: %s", n.Address, text)
		}
	}
	return all
}

// ofNode says how ill a node is, and with what.
func ofNode(n *mpp.NodeView) (mpp.Status, string) {
	switch n.State {
	case mpp.Failed:
		return mpp.Worse(mpp.Warn, n.Status), fmt.Sprintf("%s: %s", n.State.Text(n.Reason), orNone(n.Message, orNone(n.Evidence, "no message")))
	case mpp.Unknown:
		return mpp.Worse(mpp.Warn, n.Status), "UNKNOWN: " + orNone(n.Message, "not judged yet")
	case mpp.Active, mpp.Standby:
	}
	return n.Status, orNone(n.Message, "status "+n.Status.String())
}

// hasWriter reports whether a load balancer would find a writer in the pool.
func (r reading) hasWriter(p *mpp.PoolView) bool {
	return slices.ContainsFunc(p.Nodes, func(n mpp.NodeView) bool {
		return n.Evaluation == mpp.ReadWrite && !r.stale(p, &n)
	})
}

// tells reports whether the daemon names one of these problems itself.
func tells(p *mpp.PoolView, codes ...string) bool {
	return slices.ContainsFunc(p.Problems, func(problem mpp.Problem) bool { return slices.Contains(codes, problem.Code) })
}

// tellsOf reports whether the daemon names a problem of that node that is worth exit code 1.
func tellsOf(p *mpp.PoolView, node string) bool {
	return slices.ContainsFunc(p.Problems, func(problem mpp.Problem) bool {
		return problem.Node == node && problem.Severity >= mpp.Warn
	})
}

func (r reading) maintained(p *mpp.PoolView, n *mpp.NodeView) bool {
	return p.Maintenance.InForce(r.now) || n.Maintenance.InForce(r.now)
}

// unwell reports whether a finding is bad enough for exit code 1.
func unwell(all []finding) bool {
	return slices.ContainsFunc(all, func(f finding) bool { return f.severity >= mpp.Warn })
}

// verdict is the last line of status: how it is, in one line.
func verdict(all []finding, pools int) string {
	if !unwell(all) {
		if pools == 1 {
			return "OK: 1 pool, with a writer"
		}
		return fmt.Sprintf("OK: %d pools, each with a writer", pools)
	}
	var counts [mpp.Fail + 1]int
	for _, f := range all {
		counts[min(f.severity, mpp.Fail)]++
	}
	var parts []string
	for s := mpp.Fail; s >= mpp.Warn; s-- {
		if counts[s] > 0 {
			parts = append(parts, fmt.Sprintf("%d %s", counts[s], s))
		}
	}
	return "not OK: " + strings.Join(parts, ", ") + " in " + plural(pools, "pool")
}

func plural(n int, word string) string {
	if n == 1 {
		return "1 " + word
	}
	return fmt.Sprintf("%d %ss", n, word)
}

func orNone(text, otherwise string) string {
	if text == "" {
		return otherwise
	}
	return text
}
