package takeover

import (
	"cmp"
	"fmt"
	"slices"
	"strings"

	"mpp/fault"
	"mpp/mha/conf"
	"mpp/mha/helperconf"
)

// head is the comment at the top: where it is from, and what is to be done.
func (b *builder) head() string {
	var t strings.Builder
	sources := []string{b.conf.File}
	if b.conf.Global != "" {
		sources = append(sources, b.conf.Global)
	}
	if b.helper != nil {
		sources = append(sources, b.helper.File)
	}
	t.WriteString(comment("Made by mpp import mha from " + strings.Join(sources, ", ") + "."))
	t.WriteString("#\n# Before mppd uses it:\n#\n")
	todo := append(b.passwords(), b.todo...)
	todo = append(todo, "Replicas must use GTIDs: mpp doctor "+b.name+" says where one does not, and tries every login, grant, ssh and address.",
		"The writer must replicate from nobody, or MPP does not take it for the writer. Where two masters replicate from each other, end that on the one that writes: STOP REPLICA; RESET REPLICA ALL (STOP SLAVE; RESET SLAVE ALL).",
		"Never both at once: mppd would fence the master that masterha_manager promotes. Stop masterha_manager first, start mppd, and write mode = \"auto\" when mpp doctor finds nothing more. To have a look before that, write engine = \"none\": MPP only watches then.")
	for i, text := range todo {
		t.WriteString(indented(fmt.Sprintf("# %2d. ", i+1), text))
	}
	return t.String()
}

// passwords says what is to be done about the password files.
func (b *builder) passwords() []string {
	const mode = " (chmod 0640, group of the daemon)"
	var todo []string
	var known []string
	for _, f := range b.files {
		known = append(known, f.Path)
	}
	switch {
	case len(known) == 0:
	case b.options.Passwords != "":
		todo = append(todo, "Give the password files to the user that mppd runs as, or to its group"+mode+": "+strings.Join(known, ", ")+".")
	default:
		todo = append(todo, "Write the passwords into "+strings.Join(known, ", ")+" beside this file"+mode+", or have mpp import mha --passwords DIR do it.")
	}
	if len(b.unknown) > 0 {
		todo = append(todo, "MHA's files do not hold the passwords for "+strings.Join(b.unknown, ", ")+": write them"+mode+".")
	}
	return todo
}

// tail is the list of what was not carried over.
func (b *builder) tail() string {
	b.rest()
	if len(b.left) == 0 {
		return ""
	}
	var t strings.Builder
	t.WriteString("\n# Not carried over, or not as it was:\n")
	for _, l := range b.left {
		t.WriteString("#\n")
		what := l.what
		if len(l.at) > 0 {
			what += " (" + placesText(l.at) + ")"
		}
		t.WriteString(indented("# ", what+": "+l.text))
		for line := range strings.Lines(l.code) {
			t.WriteString("#     " + plain(strings.TrimRight(line, "\n")) + "\n")
		}
	}
	return t.String()
}

// placesText is "app1.cnf:3, :9, masterha_default.cnf:1".
func placesText(at []fault.Origin) string {
	var parts []string
	last := ""
	for _, o := range at {
		if o.File == last {
			parts = append(parts, fmt.Sprintf(":%d", o.Line))
		} else {
			parts = append(parts, short(o))
		}
		last = o.File
	}
	return strings.Join(parts, ", ")
}

// rest lists whatever has no key and no words yet.
func (b *builder) rest() {
	var names []string
	empty := map[string]bool{}
	for _, s := range b.conf.Settings {
		if isBinlog(s.Block) || b.carried[s.Name] {
			continue
		}
		if !slices.Contains(names, s.Name) {
			names = append(names, s.Name)
			empty[s.Name] = true
		}
		empty[s.Name] = empty[s.Name] && s.Text == ""
	}
	for _, name := range names {
		text := b.fateOf[name].Note
		if empty[name] || b.off(name) {
			text = "It is empty. Nothing to do."
		}
		b.leave(name, text, "")
	}
	b.binlogs()
	b.helperRest()
	order := b.order()
	slices.SortStableFunc(b.left, func(x, y leftover) int { return cmp.Compare(order(x), order(y)) })
}

// order is where a leftover stands: in the order of the files and lines.
func (b *builder) order() func(leftover) int {
	files := []string{b.conf.Global, b.conf.File}
	if b.helper != nil {
		files = append(files, b.helper.File)
	}
	return func(l leftover) int {
		if len(l.at) == 0 {
			return 1 << 40
		}
		return slices.Index(files, l.at[0].File)<<32 + l.at[0].Line
	}
}

// off reports whether a parameter is empty for every server, whatever they had inherited.
func (b *builder) off(name string) bool {
	return !slices.ContainsFunc(b.conf.Servers, func(s conf.Server) bool { return s.Text(name) != "" })
}

// binlogs lists the binlog servers.
func (b *builder) binlogs() {
	for i := range b.conf.Binlogs {
		s := &b.conf.Binlogs[i]
		b.left = append(b.left, leftover{
			what: "[" + s.Block + "] " + s.Hostname, at: []fault.Origin{s.At},
			text: "MPP asks no binlog servers. It takes what a node lacks from other replicas, and what reached none of them from the dead server's own binary log, over ssh (failover.binlog_tail).",
		})
	}
}

// helperRest lists the keys of MHA Helper's that have no key here.
func (b *builder) helperRest() {
	if b.helper == nil {
		return
	}
	for _, key := range helperconf.Keys() {
		at := b.helperPlaces(key)
		if len(at) == 0 {
			b.left = slices.DeleteFunc(b.left, func(l leftover) bool { return l.what == key })
			continue
		}
		if i := slices.IndexFunc(b.left, func(l leftover) bool { return l.what == key }); i >= 0 {
			b.left[i].at = at
		} else if !b.carried[key] {
			b.left = append(b.left, leftover{what: key, at: at, text: b.fateOf[key].Note})
		}
	}
}

// helperPlaces are where a key stands, each once.
func (b *builder) helperPlaces(key string) []fault.Origin {
	var at []fault.Origin
	hosts := append([]helperconf.Host{b.helper.Default}, b.helper.Hosts...)
	for i := range hosts {
		if o, set := hosts[i].From(key); set && !slices.Contains(at, o) {
			at = append(at, o)
		}
	}
	return at
}
