package config

import (
	_ "embed"
	"fmt"
	"slices"
	"strings"
)

//go:embed reference.md
var referenceHead string

// Reference returns docs/configuration.md, made from the tables of keys.
func Reference() string {
	var b strings.Builder
	b.WriteString(referenceHead)
	top, pool, node, point, custom, hook := Default(), defaultPool(), defaultNode(), defaultCheckpoint(), defaultCustom(), defaultHook()

	b.WriteString("\n## The daemon\n")
	chapter[Config]{"", topRows(), topTables(), top}.print(&b)

	b.WriteString("\n## Pools\n")
	chapter[Pool]{"pool", append([]row[Pool]{poolNameRow()}, poolRows()...), poolTables(), &pool}.print(&b)

	printHeading(&b, "##", "Nodes: `[[pool.node]]`", "The nodes of the `[[pool]]` above, in the order in which they take over. A node also takes `extra_port` and, as `[pool.node.account]`, `[pool.node.tls]` and `[pool.node.ssh]`, the keys of `[pool.account]`, `[pool.tls]` and `[pool.ssh]`.")
	own := nodeRows()[:len(nodeRows())-len(settingsRows())]
	printRows(&b, own, "", &node)
	b.WriteString("\nOnly `[pool.node.ssh]` has this one:\n\n")
	printRows(&b, own, "ssh", &node)

	printHeading(&b, "##", "Checkpoints: `[[pool.checkpoint]]`", "Things outside the pool that show whether this poller itself is cut off. `[[defaults.checkpoint]]` sets them for every pool that has none of its own.")
	printRows(&b, checkpointRows(), "", &point)
	b.WriteString("\nKind `mysql` takes `[pool.checkpoint.account]` with the keys of `[pool.account]`; without it MPP logs in as mpp without a password, and is refused, which is an answer.\n")

	printHeading(&b, "##", "Checks of your own: `[[pool.checks.custom]]`", "A statement whose answer is compared. `[[defaults.checks.custom]]` sets them for every pool that has none of its own.")
	printRows(&b, customRows(), "", &custom)

	printHeading(&b, "##", "Hooks: `[[pool.hook]]`", "Programs that are run when a failover, switchover or repair reaches a phase. `[[defaults.hook]]` sets them for every pool that has none of its own.")
	printRows(&b, hookRows(), "", &hook)
	b.WriteString("\n| phase | when |\n| --- | --- |\n")
	for _, one := range hookPhases() {
		fmt.Fprintf(&b, "| `%s` | %s |\n", one.phase, one.doc)
	}

	printHeading(&b, "##", "Every key with its default", "A line that is commented out has no default, or one that depends on other keys: it shows an example.")
	fmt.Fprintf(&b, "```toml\n%s```\n", Sample())
	return b.String()
}

func printHeading(b *strings.Builder, level, title, doc string) {
	fmt.Fprintf(b, "\n%s %s\n\n%s\n\n", level, title, doc)
}

// chapter is a section of keys as it is printed.
type chapter[T any] struct {
	name   string
	rows   []row[T]
	tables []table
	of     *T
}

// print writes a heading and a table for each table of the section.
func (c chapter[T]) print(b *strings.Builder) {
	for _, t := range c.tables {
		title := "`[" + join(c.name, t.path) + "]`"
		switch {
		case t.path == "" && c.name == "":
			title = "Top of the file"
		case t.path == "":
			title = "`[[" + c.name + "]]` and `[defaults]`"
		case c.name == "pool":
			title += " and `[" + join("defaults", t.path) + "]`"
		}
		printHeading(b, "###", title, t.doc)
		printRows(b, c.rows, t.path, c.of)
	}
}

// sample writes the section as TOML.
func (c chapter[T]) sample(b *strings.Builder) {
	for _, t := range c.tables {
		if name := join(c.name, t.path); name != "" {
			fmt.Fprintf(b, "\n[%s]\n", name)
		}
		sampleRows(b, inTable(c.rows, t.path), c.of)
	}
}

// inTable picks the rows that stand directly in a table.
func inTable[T any](rows []row[T], path string) []row[T] {
	var in []row[T]
	for _, r := range rows {
		if r.table() == path {
			in = append(in, r)
		}
	}
	return in
}

// table is the table that a row stands in, name its name there.
func (r row[T]) table() string { return r.path[:max(0, strings.LastIndexByte(r.path, '.'))] }
func (r row[T]) name() string  { return strings.TrimPrefix(r.path[len(r.table()):], ".") }

func printRows[T any](b *strings.Builder, rows []row[T], path string, of *T) {
	b.WriteString("| key | value | default | allowed | what it does |\n| --- | --- | --- | --- | --- |\n")
	for _, r := range inTable(rows, path) {
		v := r.bind(of)
		doc := r.doc
		if r.restart {
			doc += " A change needs a restart."
		}
		if r.example != "" {
			doc += " Example: `" + r.example + "`."
		}
		cells := []string{"`" + r.name() + "`", v.kind(), r.defaultText(v), v.allowed(), doc}
		for i := range cells {
			cells[i] = strings.ReplaceAll(cells[i], "|", `\|`)
		}
		fmt.Fprintf(b, "| %s |\n", strings.Join(cells, " | "))
	}
}

// defaultText says in Markdown what the default is.
func (r row[T]) defaultText(v value) string {
	switch {
	case r.usually != "":
		return r.usually
	case empty(v):
		return "none"
	default:
		return "`" + v.toml() + "`"
	}
}

// Sample returns a whole configuration as TOML, with every key.
func Sample() string {
	var b strings.Builder
	top, pool, node, point, custom, hook := Default(), defaultPool(), defaultNode(), defaultCheckpoint(), defaultCustom(), defaultHook()
	chapter[Config]{"", topRows(), topTables(), top}.sample(&b)
	chapter[Pool]{"defaults", poolRows(), poolTables(), &pool}.sample(&b)
	b.WriteString(samplePool)
	sampleRows(&b, inTable(without(nodeRows()[:len(nodeRows())-len(settingsRows())], "address"), ""), &node)
	b.WriteString("#ssh = { host = \"10.0.0.2\" }\n")
	b.WriteString("\n[[pool.checkpoint]]\nring = \"edge\"\naddress = \"192.0.2.1:22\"\n")
	sampleRows(&b, inTable(without(checkpointRows(), "ring", "address"), ""), &point)
	b.WriteString("\n[[pool.checks.custom]]\nname = \"orders_fresh\"\nsql = \"SELECT COUNT(*) FROM shop.orders WHERE created > NOW() - INTERVAL 1 HOUR\"\nexpect = \"0\"\n")
	sampleRows(&b, without(customRows(), "name", "sql", "expect"), &custom)
	b.WriteString("\n[[pool.hook]]\nname = \"chat\"\nprogram = \"/etc/mpp/hooks/chat\"\nphases = [\"before-failover\", \"after-failover\"]\n")
	sampleRows(&b, without(hookRows(), "name", "program", "phases"), &hook)
	return b.String()
}

// samplePool is what a sample must set for lack of defaults.
const samplePool = `
[[pool]]
name = "orders"

[pool.account]
user = "mpp"
password_file = "/etc/mpp/password"

[[pool.node]]
address = "10.0.0.1:3306"
type = "PRIMARY"

[[pool.node]]
address = "10.0.0.2:3306"
`

// without drops rows by path.
func without[T any](rows []row[T], drop ...string) []row[T] {
	return slices.DeleteFunc(rows, func(r row[T]) bool { return slices.Contains(drop, r.path) })
}

// sampleRows writes one line a key.
func sampleRows[T any](b *strings.Builder, rows []row[T], of *T) {
	for _, r := range rows {
		v := r.bind(of)
		switch {
		case r.example != "" && (r.usually != "" || empty(v)):
			fmt.Fprintf(b, "#%s = %s\n", r.name(), r.example)
		case r.usually != "":
			fmt.Fprintf(b, "#%s = %s\n", r.name(), v.toml())
		default:
			fmt.Fprintf(b, "%s = %s\n", r.name(), v.toml())
		}
	}
}

// empty reports whether a value is no text, or a list of nothing.
func empty(v value) bool { return v.toml() == `""` || v.toml() == "[]" }
