package conf

import (
	"cmp"
	"fmt"
	"maps"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"

	"mpp/fault"
)

// The names of sections.
const (
	defaultBlock = "server default"
	scriptBlock  = "init_conf_load_script"
)

var (
	serverBlock = regexp.MustCompile(`^server[^\s\v]+`)
	binlogBlock = regexp.MustCompile(`^binlog[^\s\v]+`)
	blockNumber = regexp.MustCompile(`^server[^0-9]*([0-9]+)`)
)

// Options say how a configuration is loaded.
type Options struct {
	// Global is the file of defaults; GlobalFile when it is empty. It need not be there.
	Global string
	// Script runs the command line of init_conf_load_script and returns what it printed. nil runs
	// nothing: its values are missing then, and a warning says so.
	Script func(command string) (string, error)
}

// Load reads the configuration of an application. The error is of type *fault.Problems and says
// everything that is wrong.
func Load(file string, o Options) (*Config, error) {
	r := &reporter{}
	c := &Config{File: file, App: appName(file)}
	global := cmp.Or(o.Global, GlobalFile)
	if info, err := os.Stat(global); err == nil && info.Mode().IsRegular() {
		c.Global = global
	} else if o.Global != "" {
		r.warn(fault.Origin{File: global}, "", "there is no such file: MHA goes on without it", "")
	}
	var text string
	if c.Global != "" {
		text = r.read(c.Global)
	}
	return c.take(r.read(file), text, o, r)
}

// take makes a configuration of the texts of the two files.
func (c *Config) take(app, global string, o Options, r *reporter) (*Config, error) {
	c.build(parseTiny(c.Global, global, r), parseTiny(c.File, app, r), o, r)
	c.Warnings = fault.Sort(r.warnings)
	if err := fault.Join(fault.Sort(r.problems)); err != nil {
		return nil, err
	}
	return c, nil
}

// appName is the file's name without its last extension.
func appName(file string) string {
	base := filepath.Base(file)
	if ext := filepath.Ext(base); ext != base {
		return strings.TrimSuffix(base, ext)
	}
	return base
}

// build goes through the sections in MHA's order.
func (c *Config) build(global, app *tiny, o Options, r *reporter) {
	s := &shared{reporter: r}
	nothing := func(name string, t *tiny) *block {
		if b, there := t.blocks[name]; there {
			return b
		}
		return &block{name: name, at: fault.Origin{File: c.File}}
	}
	for _, name := range slices.Sorted(maps.Keys(global.blocks)) {
		if name != defaultBlock {
			r.warn(global.blocks[name].at, "["+name+"]", "it counts for nothing: of the global file MHA reads [server default] only", "write it into the application's file")
		}
	}
	above := s.descend(nothing(defaultBlock, global), nil)
	above = s.descend(nothing(defaultBlock, app), above)
	above = c.script(s, above, o)
	c.Defaults = above.server(nothing(defaultBlock, app))
	for _, name := range slices.Sorted(maps.Keys(app.blocks)) {
		c.section(s, app.blocks[name], above)
	}
	sortServers(c.Servers)
	c.SSHOptions, c.SSHOptionsAt = s.options.text, s.options.at
	c.Settings = settings(c, global, app)
	c.judge(r)
}

// section reads a server's.
func (c *Config) section(s *shared, b *block, above level) {
	isServer := serverBlock.MatchString(b.name)
	switch {
	case b.name == defaultBlock:
		return
	case b.name == outside:
		s.fail(b.at, "", "it stands above the first [section]", "write [server default] above it")
		return
	case !isServer && !binlogBlock.MatchString(b.name):
		hint := "the names are [server default], [server1], [server2] and so on, and [binlog1]"
		if near := fault.Nearest(b.name, []string{defaultBlock}); near != "" {
			hint = "is it [" + near + "]?"
		}
		s.fail(b.at, "["+b.name+"]", "MHA knows no such section", hint)
		return
	}
	server := s.descend(b, above).server(b)
	if server.Hostname == "" {
		s.fail(b.at, keyOf(b.name, "hostname"), "the server has no hostname", "write hostname = HOST")
	}
	if isServer {
		c.Servers = append(c.Servers, server)
	} else {
		c.Binlogs = append(c.Binlogs, server)
	}
}

// script reads what init_conf_load_script prints.
func (c *Config) script(s *shared, above level, o Options) level {
	command := above["init_conf_load_script"]
	if command.text == "" {
		return above
	}
	key := keyOf(command.block, "init_conf_load_script")
	if o.Script == nil {
		s.warn(command.at, key, "what it prints is missing here: it was not run", "")
		return above
	}
	text, err := o.Script(command.text)
	if err != nil {
		s.fail(command.at, key, "it could not be run: "+err.Error(), "run it by hand")
		return above
	}
	b := &block{name: scriptBlock, at: command.at, props: map[string]property{}}
	values, problems, warnings := ParseScript(text)
	for _, p := range problems {
		s.fail(command.at, key, p, "run it by hand: MHA dies of this")
	}
	for _, w := range warnings {
		s.warn(command.at, key, w, "")
	}
	for name, v := range values {
		b.props[name] = property{text: v, at: command.at}
	}
	return s.descend(b, above)
}

// sortServers is MHA's order: by the first number in the section's name if all have one.
func sortServers(servers []Server) {
	numbers := map[string]string{}
	for i := range servers {
		m := blockNumber.FindStringSubmatch(servers[i].Block)
		if m == nil {
			return
		}
		numbers[servers[i].Block] = strings.TrimLeft(m[1], "0")
	}
	slices.SortStableFunc(servers, func(a, b Server) int {
		x, y := numbers[a.Block], numbers[b.Block]
		return cmp.Or(cmp.Compare(len(x), len(y)), strings.Compare(x, y))
	})
}

// judge looks at the servers together.
func (c *Config) judge(r *reporter) {
	if len(c.Servers) == 0 && len(r.problems) == 0 {
		r.fail(fault.Origin{File: c.File}, "", "it has no section of a server", "write [server1] with hostname = HOST, and so on")
	}
	seen := map[string]*Server{}
	for i := range c.Servers {
		s := &c.Servers[i]
		if s.Hostname == "" {
			continue
		}
		address := fmt.Sprintf("%s:%d", cmp.Or(s.IP, s.Hostname), s.Port)
		if before, twice := seen[address]; twice {
			r.fail(s.At, "["+s.Block+"]", fmt.Sprintf("%s is [%s] in %s already", address, before.Block, before.At), "take one of the two out")
		}
		seen[address] = s
	}
}

// settings are what stands in the files.
func settings(c *Config, global, app *tiny) []Setting {
	var all []Setting
	collect := func(b *block) {
		for name, p := range b.props {
			one := Setting{Block: b.name, Name: name, Text: unquoted(p.text), At: p.at}
			if strings.HasSuffix(name, "password") {
				one.Text = ""
			}
			all = append(all, one)
		}
	}
	if b, there := global.blocks[defaultBlock]; there {
		collect(b)
	}
	for _, b := range app.blocks {
		collect(b)
	}
	slices.SortFunc(all, func(a, b Setting) int {
		first := func(s Setting) int {
			if s.At.File == c.Global {
				return 0
			}
			return 1
		}
		return cmp.Or(cmp.Compare(first(a), first(b)), cmp.Compare(a.At.Line, b.At.Line), strings.Compare(a.Name, b.Name))
	})
	return all
}
