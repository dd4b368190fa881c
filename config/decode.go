package config

import (
	"cmp"
	"fmt"
	"maps"
	"slices"
	"strings"
)

// input is one table of one file, on its way into a section.
type input struct {
	// file is the file's name, folder where its relative paths count from.
	file   string
	folder string
	// key is the full name of the section, such as "pool.orders"; "" at the top.
	key  string
	raw  map[string]any
	mark *mark
	// once refuses keys that another file has set already.
	once bool
}

// origin is where a key of the section stands.
func (in input) origin(path string, m *mark) Origin {
	return Origin{File: in.file, Line: m.lineOr(in.mark), Key: join(in.key, path)}
}

func join(prefix, path string) string {
	if prefix == "" || path == "" {
		return prefix + path
	}
	return prefix + "." + path
}

// decoder collects the problems of decoding.
type decoder struct{ problems []Problem }

func (d *decoder) report(o Origin, f *fault) {
	d.problems = append(d.problems, Problem{File: o.File, Line: o.Line, Key: o.Key, Text: f.text, Hint: f.hint})
}

// section is a kind of table: its keys, and the arrays of tables that it may hold.
type section[T any] struct {
	// title is how its header is written, such as "[[pool.node]]".
	title string
	rows  []row[T]
	// lists are the paths of arrays of tables; others are what else may stand there.
	lists  []string
	others []string
}

// find returns the row of a path, nil when there is none.
func (s section[T]) find(path string) *row[T] {
	for i := range s.rows {
		if s.rows[i].path == path {
			return &s.rows[i]
		}
	}
	return nil
}

// holds reports whether a path is a table of the section.
func (s section[T]) holds(path string) bool {
	inside := func(p string) bool { return strings.HasPrefix(p, path+".") }
	return slices.ContainsFunc(s.lists, inside) ||
		slices.ContainsFunc(s.rows, func(r row[T]) bool { return inside(r.path) })
}

// names are the names that may stand in a table of the section.
func (s section[T]) names(table string) []string {
	var names []string
	add := func(path string) {
		rest, inside := strings.CutPrefix(path, table)
		rest = strings.TrimPrefix(rest, ".")
		first, _, _ := strings.Cut(rest, ".")
		if inside && !slices.Contains(names, first) {
			names = append(names, first)
		}
	}
	if table != "" {
		table += "."
	}
	for _, r := range s.rows {
		add(r.path)
	}
	for _, l := range append(slices.Clone(s.lists), s.others...) {
		add(l)
	}
	return names
}

// target is what a section is decoded into.
type target[T any] struct {
	into *T
	at   origins
}

// decode sets what the input holds. Everything that is not a key is a problem, except lists
// and others, which are the caller's.
func decode[T any](d *decoder, s section[T], in input, to target[T]) {
	f := filling[T]{decoder: d, section: s, input: in, target: to}
	f.table("", in.raw, in.mark)
}

// filling is a section that is being filled from an input.
type filling[T any] struct {
	*decoder
	section[T]
	input
	target[T]
}

// table takes the keys of the section's table at a path.
func (f *filling[T]) table(table string, raw map[string]any, m *mark) {
	for _, key := range slices.Sorted(maps.Keys(raw)) {
		path, spot := join(table, key), m.key(key)
		origin := f.origin(path, spot)
		nested, isTable := raw[key].(map[string]any)
		switch r := f.find(path); {
		case strings.Contains(key, "."):
			f.report(origin, faultf("remove the quotes around it", "%q is not a key", key))
		case r != nil:
			f.value(r, origin, raw[key])
		case slices.Contains(f.lists, path) || slices.Contains(f.others, path):
		case f.holds(path) && isTable:
			f.table(path, nested, spot)
		case f.holds(path):
			f.report(origin, faultf(fmt.Sprintf("write %s and its keys below", header(f.title, path)), "%s is a table, not a value", key))
		default:
			f.report(origin, &fault{"unknown key", unknownHint(f.title, table, key, f.names(table))})
		}
	}
}

// value takes the value of one key.
func (f *filling[T]) value(r *row[T], origin Origin, raw any) {
	if before, set := f.at[r.path]; set && f.once && before.File != f.file {
		f.report(origin, twice(before))
		return
	}
	v := r.bind(f.into)
	if wrong := v.set(raw); wrong != nil {
		f.report(origin, wrong)
		origin.bad = true
	} else if p, ok := v.(file); ok {
		p.rebase(f.folder)
	}
	f.at[r.path] = origin
}

// twice is said of what another file has set already.
func twice(before Origin) *fault {
	return faultf("keep one of the two", "it is already set in %s", before)
}

// header writes the header of a table of a section: "[pool.account]".
func header(title, table string) string {
	name := strings.Trim(title, "[]")
	switch {
	case table == "" && title == "":
		return "the top of the file"
	case table == "":
		return title
	default:
		return "[" + join(name, table) + "]"
	}
}

// unknownHint says what was probably meant by a key that is not known in a table.
func unknownHint(title, table, key string, names []string) string {
	if key == "password" {
		return "a password is not written here: use password_file, password_env or defaults_file"
	}
	if near := nearest(key, names); near != "" && len(homesOf(key)) == 0 {
		return fmt.Sprintf("did you mean %s?", near)
	}
	if homes := homesOf(key); len(homes) > 0 && len(homes) <= 6 {
		return fmt.Sprintf("%s belongs in %s", key, orList(homes))
	}
	if near := nearest(key, allNames()); near != "" {
		return fmt.Sprintf("did you mean %s? It belongs in %s", near, orList(homesOf(near)))
	}
	slices.Sort(names)
	return fmt.Sprintf("%s knows %s", header(title, table), strings.Join(names, ", "))
}

// home is a key with the header of the table that it belongs in.
type home struct {
	name, header string
	// direct says that it stands in the section itself, not in a table of it.
	direct bool
}

func allHomes() []home {
	var homes []home
	add := func(title string, paths []string) {
		for _, path := range paths {
			r := row[any]{path: path}
			homes = append(homes, home{r.name(), header(title, r.table()), r.table() == ""})
		}
	}
	add("", paths(topRows()))
	add("[defaults]", paths(poolRows()))
	add("[[pool]]", append(paths(poolRows()), "name"))
	add("[[pool.node]]", paths(nodeRows()))
	add("[[pool.checkpoint]]", paths(checkpointRows()))
	add("[[pool.checks.custom]]", paths(customRows()))
	add("[[pool.hook]]", paths(hookRows()))
	return homes
}

// homesOf lists the headers under which a key may stand; sections come before their tables.
func homesOf(key string) []string {
	var direct, nested []string
	for _, h := range allHomes() {
		switch {
		case h.name != key:
		case h.direct:
			direct = append(direct, h.header)
		default:
			nested = append(nested, h.header)
		}
	}
	if len(direct) > 0 {
		return direct
	}
	return nested
}

func allNames() []string {
	var names []string
	for _, h := range allHomes() {
		names = append(names, h.name)
	}
	return names
}

func paths[T any](rows []row[T]) []string {
	all := make([]string, len(rows))
	for i, r := range rows {
		all[i] = r.path
	}
	return all
}

// list is an array of tables as it stands in a file.
type list struct {
	inputs []input
	// given says that it is there, be it empty.
	given bool
	at    Origin
}

// list returns the tables of an array of tables, which may be missing. Their keys are
// numbered from 1. Something else is a problem, and marked bad in at.
func (d *decoder) list(in input, at origins, title, path string) list {
	raw, m := any(in.raw), in.mark
	for step := range strings.SplitSeq(path, ".") {
		table, ok := raw.(map[string]any)
		if !ok || table[step] == nil {
			return list{}
		}
		raw, m = table[step], m.key(step)
	}
	origin := in.origin(path, m)
	var tables []map[string]any
	whole := true
	switch v := raw.(type) {
	case []map[string]any:
		tables = v
	case []any:
		for _, one := range v {
			t, ok := one.(map[string]any)
			whole = whole && ok
			tables = append(tables, t)
		}
	default:
		whole = false
	}
	if !whole {
		at[path] = Origin{bad: true}
		d.report(origin, faultf(listHint(raw, title), "%s is not a list of tables", path))
		return list{}
	}
	inputs := make([]input, len(tables))
	for i, t := range tables {
		spot := m.item(i)
		if spot == nil {
			spot = &mark{line: m.lineOr(in.mark)}
		}
		inputs[i] = input{
			file: in.file, folder: in.folder, raw: t, mark: spot,
			key: fmt.Sprintf("%s[%d]", join(in.key, path), i+1),
		}
	}
	return list{inputs: inputs, given: true, at: origin}
}

func listHint(raw any, title string) string {
	table, _ := raw.(map[string]any)
	for _, key := range slices.SortedFunc(maps.Keys(table), cmp.Compare) {
		if _, deeper := table[key].(map[string]any); deeper && title == "[[pool]]" && nameWell(key) {
			return fmt.Sprintf("write %s with double brackets, and name = %q below it", title, key)
		}
	}
	return fmt.Sprintf("write %s with double brackets", title)
}
