package config

import (
	"fmt"
	"slices"
)

// Diff says in lines for people what changes from old to new: keys, pools, nodes,
// checkpoints, custom checks and hooks that come, go or change. Lines that end in "(needs a
// restart)" name what a reload does not change. No line means no change.
func Diff(old, new *Config) []string {
	d := &differ{}
	diffRows(d, "", topRows(), pair[Config]{old, new})
	if !old.API.Token.Equal(new.API.Token) {
		d.add("api.token_file: the token has changed " + NeedsRestart)
	}
	before, after := byName(old.Pools, Pool.key), byName(new.Pools, Pool.key)
	for i := range old.Pools {
		if _, kept := after[old.Pools[i].Name]; !kept {
			d.add("pool %s: removed", old.Pools[i].Name)
		}
	}
	for i := range new.Pools {
		p := &new.Pools[i]
		if was, known := before[p.Name]; known {
			d.pool(was, p)
		} else {
			d.add("pool %s: added with %s", p.Name, count(len(p.Nodes), "node"))
		}
	}
	return d.lines
}

// NeedsRestart ends the lines of Diff about keys that a reload does not take.
const NeedsRestart = "(needs a restart)"

// differ collects lines.
type differ struct{ lines []string }

func (d *differ) add(format string, args ...any) {
	d.lines = append(d.lines, fmt.Sprintf(format, args...))
}

// pair is a section before and after.
type pair[T any] struct{ old, new *T }

// diffRows compares two sections key by key.
func diffRows[T any](d *differ, prefix string, rows []row[T], of pair[T]) {
	for _, r := range rows {
		was, is := r.bind(of.old).toml(), r.bind(of.new).toml()
		if was == is {
			continue
		}
		end := ""
		if r.restart {
			end = " " + NeedsRestart
		}
		d.add("%s%s: %s -> %s%s", prefix, r.path, was, is, end)
	}
}

// key is what a pool, node, checkpoint, custom check or hook is known by.
func (p Pool) key() string        { return p.Name }
func (n Node) key() string        { return n.Address }
func (c Checkpoint) key() string  { return c.Name }
func (c CustomCheck) key() string { return c.Name }
func (h Hook) key() string        { return h.Name }

func byName[T any](list []T, key func(T) string) map[string]*T {
	named := make(map[string]*T, len(list))
	for i := range list {
		named[key(list[i])] = &list[i]
	}
	return named
}

func (d *differ) pool(old, new *Pool) {
	prefix := "pool " + new.Name + ": "
	settings := append(paths(settingsRows()), "vip.interface") // told at the nodes
	rows := slices.DeleteFunc(poolRows(), func(r row[Pool]) bool { return slices.Contains(settings, r.path) })
	diffRows(d, prefix, rows, pair[Pool]{old, new})
	if !old.Failover.Account.Password.Equal(new.Failover.Account.Password) {
		d.add("%sfailover.account: the password has changed", prefix)
	}
	if !old.Failover.Replication.Password.Equal(new.Failover.Replication.Password) {
		d.add("%sfailover.replication: the password has changed", prefix)
	}
	nodes := diffList[Node]{what: "node", rows: nodeRows(), key: Node.key, also: passwordChange}
	nodes.diff(d, prefix, old.Nodes, new.Nodes)
	points := diffList[Checkpoint]{what: "checkpoint", rows: checkpointRows(), key: Checkpoint.key}
	points.diff(d, prefix, old.Checkpoints, new.Checkpoints)
	customs := diffList[CustomCheck]{what: "custom check", rows: customRows(), key: CustomCheck.key}
	customs.diff(d, prefix, old.Checks.Custom, new.Checks.Custom)
	hooks := diffList[Hook]{what: "hook", rows: hookRows(), key: Hook.key}
	hooks.diff(d, prefix, old.Hooks, new.Hooks)
}

// passwordChange says that a node's password is another one, and nothing of either.
func passwordChange(old, new *Node) string {
	if old.Account.Password.Equal(new.Account.Password) {
		return ""
	}
	return "the password has changed"
}

// diffList compares two lists of things that have a name.
type diffList[T any] struct {
	what string
	rows []row[T]
	key  func(T) string
	// also says what else has changed, "" for nothing; nil means that there is nothing else.
	also func(old, new *T) string
}

func (l diffList[T]) diff(d *differ, prefix string, old, new []T) {
	before, after := byName(old, l.key), byName(new, l.key)
	kept := func(list []T, other map[string]*T) []string {
		var names []string
		for _, one := range list {
			if other[l.key(one)] != nil {
				names = append(names, l.key(one))
			}
		}
		return names
	}
	for _, one := range old {
		if after[l.key(one)] == nil {
			d.add("%s%s %s: removed", prefix, l.what, l.key(one))
		}
	}
	for i := range new {
		name := l.key(new[i])
		was := before[name]
		if was == nil {
			d.add("%s%s %s: added", prefix, l.what, name)
			continue
		}
		inner := fmt.Sprintf("%s%s %s: ", prefix, l.what, name)
		diffRows(d, inner, l.rows, pair[T]{was, &new[i]})
		if l.also == nil {
			continue
		}
		if text := l.also(was, &new[i]); text != "" {
			d.add("%s%s", inner, text)
		}
	}
	if !slices.Equal(kept(old, after), kept(new, before)) {
		d.add("%sthe order of %ss has changed", prefix, l.what)
	}
}
