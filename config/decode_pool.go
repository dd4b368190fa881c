package config

import (
	"maps"
	"slices"
	"strings"
)

func topSection() section[Config] {
	return section[Config]{title: "", rows: topRows(), lists: []string{"pool"}, others: []string{"defaults", "include"}}
}

func defaultsSection() section[Pool] {
	return section[Pool]{title: "[defaults]", rows: poolRows(), lists: []string{"checkpoint", "checks.custom", "hook"}}
}

func poolSection() section[Pool] {
	rows := append([]row[Pool]{poolNameRow()}, poolRows()...)
	return section[Pool]{title: "[[pool]]", rows: rows, lists: []string{"node", "checkpoint", "checks.custom", "hook"}}
}

// poolNameRow is the one key that a pool has and [defaults] has not.
func poolNameRow() row[Pool] {
	return row[Pool]{
		path: "name", example: `"orders"`,
		doc:  "The pool's name; it becomes part of file names, addresses and metrics. Not in `[defaults]`.",
		bind: func(p *Pool) value { return name{text{p: &p.Name}, false} },
	}
}

func nodeSection() section[Node] { return section[Node]{title: "[[pool.node]]", rows: nodeRows()} }

func checkpointSection() section[Checkpoint] {
	return section[Checkpoint]{title: "[[pool.checkpoint]]", rows: checkpointRows()}
}

func customSection() section[CustomCheck] {
	return section[CustomCheck]{title: "[[pool.checks.custom]]", rows: customRows()}
}

func hookSection() section[Hook] { return section[Hook]{title: "[[pool.hook]]", rows: hookRows()} }

// sections are the sections that a pool is decoded by, made once for all pools.
type sections struct {
	pool       section[Pool]
	node       section[Node]
	checkpoint section[Checkpoint]
	custom     section[CustomCheck]
	hook       section[Hook]
}

func poolSections() sections {
	return sections{pool: poolSection(), node: nodeSection(), checkpoint: checkpointSection(), custom: customSection(), hook: hookSection()}
}

// decodeTop takes the keys of one file that are outside of pools.
func (d *decoder) decodeTop(c *Config, in input) {
	in.once = true
	decode(d, topSection(), in, target[Config]{c, c.at})
	raw, given := in.raw["defaults"]
	if !given {
		return
	}
	table, ok := raw.(map[string]any)
	if !ok {
		d.report(in.origin("defaults", in.mark.key("defaults")), faultf("write [defaults] and its keys below", "defaults is not a table"))
		return
	}
	in.raw, in.mark, in.key = table, in.mark.key("defaults"), "defaults"
	decode(d, defaultsSection(), in, target[Pool]{&c.Defaults, c.Defaults.at})
	d.decodeLists(&c.Defaults, in, poolSections())
}

// decodePools takes the pools of one file.
func (d *decoder) decodePools(c *Config, in input) {
	s := poolSections()
	for _, one := range d.list(in, c.at, "[[pool]]", "pool").inputs {
		if text, ok := one.raw["name"].(string); ok && nameWell(text) {
			one.key = "pool." + text
		}
		c.Pools = append(c.Pools, d.decodePool(&c.Defaults, one, s))
	}
}

func (d *decoder) decodePool(defaults *Pool, in input, s sections) Pool {
	p := *defaults
	p.at, p.pos = maps.Clone(defaults.at), in.origin("", in.mark)
	p.Checkpoints = slices.Clone(defaults.Checkpoints)
	p.Checks.Custom = slices.Clone(defaults.Checks.Custom)
	p.Hooks = slices.Clone(defaults.Hooks)
	replaceSource(in.raw, "account", &p.Account, p.at)
	replaceSource(in.raw, "failover.account", &p.Failover.Account, p.at)
	replaceSource(in.raw, "failover.replication", &p.Failover.Replication, p.at)
	decode(d, s.pool, in, target[Pool]{&p, p.at})
	d.decodeLists(&p, in, s)
	p.settle()
	for _, one := range d.list(in, p.at, "[[pool.node]]", "node").inputs {
		p.Nodes = append(p.Nodes, d.decodeNode(&p, one, s.node))
	}
	return p
}

// decodeLists takes the checkpoints, custom checks and hooks of a pool, or of the defaults. Where
// they are given, be it as an empty list, they replace those of the defaults as a whole.
func (d *decoder) decodeLists(p *Pool, in input, s sections) {
	if points, ok := d.ownList(p, in, "[[pool.checkpoint]]", "checkpoint"); ok {
		p.Checkpoints = nil
		for _, one := range points {
			c := defaultCheckpoint()
			decode(d, s.checkpoint, one, target[Checkpoint]{&c, c.at})
			c.settle()
			c.pos = one.origin("", one.mark)
			p.Checkpoints = append(p.Checkpoints, c)
		}
	}
	if customs, ok := d.ownList(p, in, "[[pool.checks.custom]]", "checks.custom"); ok {
		p.Checks.Custom = nil
		for _, one := range customs {
			c := defaultCustom()
			decode(d, s.custom, one, target[CustomCheck]{&c, c.at})
			c.pos = one.origin("", one.mark)
			p.Checks.Custom = append(p.Checks.Custom, c)
		}
	}
	if hooks, ok := d.ownList(p, in, "[[pool.hook]]", "hook"); ok {
		p.Hooks = nil
		for _, one := range hooks {
			h := defaultHook()
			decode(d, s.hook, one, target[Hook]{&h, h.at})
			h.pos = one.origin("", one.mark)
			p.Hooks = append(p.Hooks, h)
		}
	}
}

// ownList returns a list that a pool or the defaults give, and whether they do. The defaults
// may give it in one file only.
func (d *decoder) ownList(p *Pool, in input, title, path string) ([]input, bool) {
	l := d.list(in, p.at, title, path)
	if !l.given {
		return nil, false
	}
	if before, set := p.at[path]; set && in.once && before.File != in.file {
		d.report(l.at, twice(before))
		return nil, false
	}
	p.at[path] = l.at
	return l.inputs, true
}

func (d *decoder) decodeNode(p *Pool, in input, s section[Node]) Node {
	n := defaultNode()
	n.NodeSettings, n.Interface = p.NodeSettings, p.VIP.Interface
	if o, set := p.at["vip.interface"]; set {
		n.at["interface"] = o
	}
	for _, r := range settingsRows() {
		if o, set := p.at[r.path]; set {
			n.at[r.path] = o
		}
	}
	if text, ok := in.raw["address"].(string); ok {
		if normal, f := normalAddress(text, mysqlPort); f == nil {
			in.key = strings.TrimSuffix(in.key, in.key[strings.LastIndexByte(in.key, '['):]) + "." + normal
		}
	}
	n.pos = in.origin("", in.mark)
	replaceSource(in.raw, "account", &n.Account, n.at)
	decode(d, s, in, target[Node]{&n, n.at})
	if _, f := normalAddress(n.Address, mysqlPort); f == nil && n.SSH.Host == "" {
		n.SSH.Host = hostOf(n.Address)
	}
	return n
}

// sourceKeys are the keys of which one says where the password is.
func sourceKeys() []string {
	return []string{"password_file", "password_env", "defaults_file", "no_password"}
}

// replaceSource forgets the password source that was set further out when an account's table
// sets one itself.
func replaceSource(raw map[string]any, path string, a *Account, at origins) {
	table := raw
	for step := range strings.SplitSeq(path, ".") {
		table, _ = table[step].(map[string]any)
	}
	own := slices.ContainsFunc(sourceKeys(), func(key string) bool {
		v, set := table[key]
		return set && v != false
	})
	if !own {
		return
	}
	a.PasswordFile, a.PasswordEnv, a.DefaultsFile, a.NoPassword = "", "", "", false
	for _, key := range sourceKeys() {
		delete(at, path+"."+key)
	}
}
