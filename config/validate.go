package config

import (
	"fmt"
	"io/fs"
	"os"
	"os/user"
	"path/filepath"
	"slices"
	"strconv"
	"strings"

	"mpp"
	faults "mpp/fault"
)

// noPools is also what may be untrue when a file could not be read.
const noPools = "there is no pool"

// withoutMissing drops what may stand in a file that could not be read.
func withoutMissing(problems []Problem) []Problem {
	return slices.DeleteFunc(problems, func(p Problem) bool { return p.Text == noPools })
}

// Validate returns everything that is wrong, and what is worth a warning. It looks at the
// files and folders that the configuration names.
func (c *Config) Validate() (problems, warnings []Problem) {
	j := &judge{pairs: map[TLS]*pairFault{}, looked: map[string]*fault{}}
	top := newScope(j, c.at, Origin{File: c.Source})
	checkRows(top, topRows(), c)
	c.judgeFolders(top)
	c.judgeSharedFolders(top)
	c.judgeAPI(top)
	if len(c.Pools) == 0 && top.fine("pool") {
		top.fault("", faultf(`write [[pool]], name = "..." and a [[pool.node]] for each server`, noPools))
	}
	rows := judgedRows{pool: poolSection().rows, node: nodeRows(), checkpoint: checkpointRows(), custom: customRows(), hook: hookRows()}
	defaults := newScope(j, c.Defaults.at, Origin{File: c.Source, Key: "defaults"})
	checkRows(defaults, poolRows(), &c.Defaults)
	c.Defaults.judgeCustom(defaults, rows.custom)
	c.Defaults.judgeCheckpoints(defaults, rows.checkpoint)
	c.Defaults.judgeHooks(defaults, rows.hook)
	pools, nodes := map[string]Origin{}, map[string]nodeSeen{}
	for i := range c.Pools {
		p := &c.Pools[i]
		s := newScope(j, p.at, p.pos.or("pool."+p.Name))
		s.fast = p.fast()
		if before, twice := pools[p.Name]; twice && p.Name != "" {
			s.fault("name", faultf("give each pool a name of its own", "pool %q is already there in %s", p.Name, before))
		} else {
			pools[p.Name] = s.at("name")
		}
		p.judge(s, rows)
		p.judgeNodes(s, rows, nodes)
	}
	c.judgeLabels(j)
	c.judgeTrackFiles(j)
	c.judgeAddresses(j)
	return tidy(j.problems, c.Files), tidy(j.warnings, c.Files)
}

// judge collects what Validate finds.
type judge struct {
	problems, warnings []Problem
	// pairs remembers the certificates that were looked at.
	pairs map[TLS]*pairFault
	// looked remembers what is wrong with the files that were looked at.
	looked map[string]*fault
}

// judgedRows are the tables, made once for all pools.
type judgedRows struct {
	pool       []row[Pool]
	node       []row[Node]
	checkpoint []row[Checkpoint]
	custom     []row[CustomCheck]
	hook       []row[Hook]
}

// scope is a section under judgement.
type scope struct {
	*judge
	set origins
	pos Origin
	bad map[string]bool
	// fast says that times which were not set are those of the preset fast.
	fast bool
}

func newScope(j *judge, set origins, pos Origin) scope {
	s := scope{judge: j, set: set, pos: pos, bad: map[string]bool{}}
	for path, o := range set {
		if o.bad {
			s.bad[path] = true
		}
	}
	return s
}

// or gives an origin that was never set the key that it would have.
func (o Origin) or(key string) Origin {
	if o.Key == "" {
		o.Key = key
	}
	return o
}

// at is where a key was set, or the section's own place for one that was not.
func (s scope) at(path string) Origin {
	if o, set := s.set[path]; set {
		return o
	}
	o := s.pos
	o.Key = join(o.Key, path)
	return o
}

// fault reports what is wrong with a key; nil is nothing.
func (s scope) fault(path string, f *fault) {
	if f == nil {
		return
	}
	s.bad[path] = true
	o := s.at(path)
	s.problems = append(s.problems, Problem{File: o.File, Line: o.Line, Key: o.Key, Text: f.text, Hint: f.hint})
}

func (s scope) warn(path, text, hint string) {
	o := s.at(path)
	s.warnings = append(s.warnings, Problem{File: o.File, Line: o.Line, Key: o.Key, Text: text, Hint: hint})
}

// fine reports whether all of some keys hold what was meant: there is no use in comparing
// the others.
func (s scope) fine(paths ...string) bool {
	return !slices.ContainsFunc(paths, func(p string) bool { return s.bad[p] })
}

// checkRows checks the value of every key on its own.
func checkRows[T any](s scope, rows []row[T], of *T) {
	for _, r := range rows {
		if s.fine(r.path) {
			s.fault(r.path, r.bind(of).check())
		}
	}
}

// judgeFolders looks at the folders that the daemon writes to. One that is not there is not
// wrong: the daemon makes it.
func (c *Config) judgeFolders(s scope) {
	for path, folder := range map[string]string{"state_dir": c.StateDir, "run_dir": c.RunDir, "track_files.dir": c.TrackFiles.Dir} {
		if folder == "" || !s.fine(path) {
			continue
		}
		info, err := os.Stat(folder)
		switch {
		case err != nil && !os.IsNotExist(err):
			s.fault(path, faultf("let the user that mppd runs as use it", "cannot look at %s: %s", folder, faults.Reason(err)))
		case err == nil && !info.IsDir():
			s.fault(path, faultf("name a folder", "%s is not a folder", folder))
		}
	}
}

// judgeSharedFolders keeps apart the folders of which each part of the daemon owns one.
func (c *Config) judgeSharedFolders(s scope) {
	owned := []struct{ path, folder, what string }{
		{"state_dir", c.StateDir, "state_dir"},
		{"run_dir", c.RunDir, "run_dir"},
		{"run_dir", filepath.Join(c.RunDir, "pools"), "the folder of the state files in run_dir"},
		{"track_files.dir", c.TrackFiles.Dir, "track_files.dir"},
	}
	for i, one := range owned {
		for _, other := range owned[:i] {
			if one.folder == "" || other.folder == "" || one.path == other.path || !s.fine(one.path, other.path) || filepath.Clean(one.folder) != filepath.Clean(other.folder) {
				continue
			}
			s.fault(one.path, faultf("give it a folder of its own", "%s is %s already", one.folder, other.what))
		}
	}
}

// maxSocket is the longest path of a unix socket on Linux.
const maxSocket = 107

func (c *Config) judgeAPI(s scope) {
	a := &c.API
	if len(a.Socket) > maxSocket && s.fine("api.socket") {
		s.fault("api.socket", faultf("use a shorter path", "%s has %d characters, and a unix socket may have %d", a.Socket, len(a.Socket), maxSocket))
	}
	if info, err := os.Lstat(a.Socket); err == nil && info.Mode().Type() != fs.ModeSocket {
		s.fault("api.socket", faultf("name another path, or remove what is there", "%s is there and is not a socket", a.Socket))
	}
	if a.SocketGroup != "" {
		_, byName := user.LookupGroup(a.SocketGroup)
		if _, byNumber := strconv.ParseUint(a.SocketGroup, 10, 32); byName != nil && byNumber != nil {
			s.fault("api.socket_group", faultf("create it with groupadd, or name another", "this host has no group %q", a.SocketGroup))
		}
	}
	if a.TokenFile != "" && a.Listen == "" {
		s.warn("api.token_file", "the token is not used: the API does not listen on TCP", `write listen = "127.0.0.1:9102", or take token_file out`)
	}
	if a.SocketMode&0o002 != 0 && s.fine("api.socket_mode") {
		s.warn("api.socket_mode", "every user of this host may give commands", `write "0660", and name a socket_group`)
	}
	if a.TokenFile != "" && a.Listen != "" && s.fine("api.listen") && !loopback(a.Listen) {
		s.warn("api.listen", "the token for commands crosses the network in the clear", "listen on 127.0.0.1, or take token_file out: TCP is read-only then")
	}
	if a.Listen != "" && a.Listen == c.Agent.Listen {
		s.fault("agent.listen", faultf("give it a port of its own", "%s is already api.listen", a.Listen))
	}
}

// judge judges a pool but for its nodes.
func (p *Pool) judge(s scope, rows judgedRows) {
	checkRows(s, rows.pool, p)
	p.judgeTimes(s)
	p.judgeLadder(s)
	p.judgeChecks(s)
	p.judgeCustom(s, rows.custom)
	p.judgeCheckpoints(s, rows.checkpoint)
	p.judgeSources(s)
	p.judgeFailover(s)
	p.judgeHooks(s, rows.hook)
	if len(p.Checkpoints) == 0 && p.Logic == mpp.LogicFailover {
		s.warn("checkpoint", "the pool has no checkpoints: MPP cannot tell that it is cut off itself", "add a [[pool.checkpoint]], such as the gateway")
	}
	if p.HostileTakeover && p.Logic == mpp.LogicCluster {
		s.warn("hostile_takeover", `it has no effect with logic = "cluster"`, "take it out")
	}
}

// judgeTimes compares the time spans of a pool with one another.
func (p *Pool) judgeTimes(s scope) {
	interval := durationText(p.Interval)
	if s.fine("interval", "timeout") && p.Timeout >= p.Interval {
		s.clash("timeout", "interval", faultf("make the timeout shorter, or the interval longer",
			"the timeout of %s is not shorter than the interval of %s: a poll would last into the next", durationText(p.Timeout), interval))
	}
	if s.fine("interval", "confirm_interval") && p.ConfirmInterval > p.Interval {
		s.clash("confirm_interval", "interval", faultf(fmt.Sprintf("make confirm_interval at most %q, or the interval longer", interval),
			"the confirm_interval of %s is longer than the interval of %s", durationText(p.ConfirmInterval), interval))
	}
	if s.fine("timeout", "confirm_timeout") && p.ConfirmTimeout > p.Timeout {
		s.clash("confirm_timeout", "timeout", faultf(fmt.Sprintf("make confirm_timeout at most %q, or the timeout longer", durationText(p.Timeout)),
			"the confirm_timeout of %s is longer than the timeout of %s", durationText(p.ConfirmTimeout), durationText(p.Timeout)))
	}
	if s.fine("interval", "slow_interval") && p.SlowInterval < p.Interval {
		s.clash("slow_interval", "interval", faultf(fmt.Sprintf("make slow_interval at least %q, or the interval shorter", interval),
			"the slow_interval of %s is shorter than the interval of %s", durationText(p.SlowInterval), interval))
	}
	if !s.fine("interval", "stale_after") {
		return
	}
	three := durationText(3 * p.Interval)
	switch {
	case p.StaleAfter < p.Interval:
		s.clash("stale_after", "interval", faultf(fmt.Sprintf("make stale_after at least %q, better %q and more, or the interval shorter", interval, three),
			"a stale_after of %s is shorter than the interval of %s: every answer would be stale before the next poll", durationText(p.StaleAfter), interval))
	case p.StaleAfter < 3*p.Interval:
		s.warn("stale_after", fmt.Sprintf("%s is shorter than 3 intervals of %s: one late poll may take a node that is well out of service", durationText(p.StaleAfter), interval),
			fmt.Sprintf("write at least %q", three))
	}
}

// judgeLadder sees to it that the ladder ascends.
func (p *Pool) judgeLadder(s scope) {
	l := p.Ladder
	s.ascend("ladder.", "make info_after, warn_after, critical_after and fail_after ascend, such as 1, 2, 3, 4", []step{
		{"info_after", int64(l.InfoAfter), strconv.Itoa(l.InfoAfter)},
		{"warn_after", int64(l.WarnAfter), strconv.Itoa(l.WarnAfter)},
		{"critical_after", int64(l.CriticalAfter), strconv.Itoa(l.CriticalAfter)},
		{"fail_after", int64(l.FailAfter), strconv.Itoa(l.FailAfter)},
	})
}

// step is one of several keys that must ascend.
type step struct {
	key   string
	value int64
	text  string
}

// ascend reports each step that is not above the one before it.
func (s scope) ascend(table, hint string, steps []step) {
	steps = slices.DeleteFunc(steps, func(one step) bool { return !s.fine(table + one.key) })
	for i := 1; i < len(steps); i++ {
		below, one := steps[i-1], steps[i]
		if one.value <= below.value {
			s.clash(table+one.key, table+below.key, faultf(hint, "%s = %s is not above %s = %s", one.key, one.text, below.key, below.text))
		}
	}
}

// clash reports that two keys contradict each other, at the one that was set nearest to this
// section, and says where the other comes from.
func (s scope) clash(path, other string, f *fault) {
	if s.nearness(other) > s.nearness(path) {
		path, other = other, path
	}
	name := other[strings.LastIndexByte(other, '.')+1:]
	switch o, set := s.set[other]; {
	case !set && s.fast && slices.Contains(presetKeys(), other):
		f.text += fmt.Sprintf(" (%s is that of the preset %q)", name, PresetFast)
	case !set:
		f.text += fmt.Sprintf(" (%s is the default)", name)
	case o.Key != join(s.pos.Key, other):
		f.text += fmt.Sprintf(" (%s is set in %s)", name, o)
	}
	s.fault(path, f)
}

// nearness is 2 for a key that was set in this section, 1 for one that was set further out,
// 0 for a default.
func (s scope) nearness(path string) int {
	o, set := s.set[path]
	switch {
	case !set:
		return 0
	case o.Key != join(s.pos.Key, path):
		return 1
	default:
		return 2
	}
}
