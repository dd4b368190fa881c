package config

import (
	"fmt"
	"math"
	"strconv"
	"strings"
)

// size is a number of bytes, as text with a unit.
type size struct {
	p        *int64
	min, max int64
}

const (
	kib = 1 << 10
	mib = 1 << 20
	gib = 1 << 30
)

func (s size) set(raw any) *fault {
	hint := `write a number and a unit (KiB, MiB or GiB) in quotes, such as "64MiB"`
	v, ok := raw.(string)
	if !ok {
		return faultf(hint, "%s has no unit", show(raw))
	}
	units := []struct {
		name  string
		bytes float64
	}{{"KiB", kib}, {"MiB", mib}, {"GiB", gib}, {"kB", 1e3}, {"KB", 1e3}, {"MB", 1e6}, {"GB", 1e9}}
	for _, unit := range units {
		digits, found := strings.CutSuffix(v, unit.name)
		if !found {
			continue
		}
		n, err := strconv.ParseFloat(strings.TrimSpace(digits), 64)
		if err != nil || math.IsNaN(n) || n*unit.bytes >= math.MaxInt64 || n*unit.bytes <= math.MinInt64 {
			break
		}
		*s.p = int64(n * unit.bytes)
		return nil
	}
	return faultf(hint, "%q is not a size", v)
}

func (s size) check() *fault {
	if *s.p < s.min || *s.p > s.max {
		return faultf("write "+sizeText(s.min)+" to "+sizeText(s.max), "%s is out of range", sizeText(*s.p))
	}
	return nil
}

func (s size) toml() string    { return strconv.Quote(sizeText(*s.p)) }
func (s size) kind() string    { return "size" }
func (s size) allowed() string { return sizeText(s.min) + " to " + sizeText(s.max) }

func sizeText(n int64) string {
	switch {
	case n%gib == 0 && n != 0:
		return fmt.Sprintf("%dGiB", n/gib)
	case n%mib == 0 && n != 0:
		return fmt.Sprintf("%dMiB", n/mib)
	default:
		return strconv.FormatFloat(float64(n)/kib, 'f', -1, 64) + "KiB"
	}
}

// numbers is one whole number, or a list of them, between two limits.
type numbers struct {
	p        *[]int
	min, max int
}

func (n numbers) set(raw any) *fault {
	list, isList := raw.([]any)
	if !isList {
		list = []any{raw}
	}
	read := make([]int, len(list))
	for i, one := range list {
		if f := (number{&read[i], n.min, n.max}).set(one); f != nil {
			return f
		}
	}
	*n.p = read
	return nil
}

func (n numbers) check() *fault {
	for i := range *n.p {
		if f := (number{&(*n.p)[i], n.min, n.max}).check(); f != nil {
			return f
		}
	}
	return nil
}

func (n numbers) toml() string {
	texts := make([]string, len(*n.p))
	for i, one := range *n.p {
		texts[i] = strconv.Itoa(one)
	}
	return "[" + strings.Join(texts, ", ") + "]"
}
func (n numbers) kind() string    { return "list of numbers" }
func (n numbers) allowed() string { return fmt.Sprintf("%d to %d", n.min, n.max) }

// name is the name of a pool, node, checkpoint or check: it becomes part of file names,
// addresses and metrics.
type name struct {
	text
	// empty allows it to be left out.
	empty bool
}

const maxName = 64

func (n name) check() *fault {
	v := *n.p
	hint := "use letters, digits, dots, dashes and underscores, with a letter or digit first (it becomes part of file names)"
	switch {
	case v == "" && n.empty:
		return nil
	case v == "":
		return faultf(`give it a name, such as name = "orders"`, "it has no name")
	case len(v) > maxName:
		return faultf(fmt.Sprintf("use at most %d", maxName), "the name has %d characters", len(v))
	case !nameWell(v):
		return faultf(hint, "%q cannot be a name", v)
	}
	return nil
}

func nameWell(v string) bool {
	for i := range len(v) {
		c := v[i]
		letter := c >= 'a' && c <= 'z' || c >= 'A' && c <= 'Z' || c >= '0' && c <= '9'
		if !letter && (i == 0 || c != '.' && c != '-' && c != '_') {
			return false
		}
	}
	return v != ""
}

func (n name) kind() string { return "name" }
func (n name) allowed() string {
	return fmt.Sprintf("letters, digits, `.`, `-`, `_`; at most %d", maxName)
}

// tableName is schema.table of a table that MPP reads or writes.
type tableName struct {
	text
	// empty allows it to be left out.
	empty bool
}

func (t tableName) check() *fault {
	v := *t.p
	if v == "" && t.empty {
		return nil
	}
	schema, table, found := strings.Cut(v, ".")
	if !found || !identifier(schema) || !identifier(table) {
		return faultf(`write schema.table in letters, digits, $ and _, such as "mpp.heartbeat"`, "%q is not the name of a table", v)
	}
	return nil
}

func identifier(v string) bool {
	for _, c := range []byte(v) {
		if !bare(c) && c != '$' || c == '-' {
			return false
		}
	}
	return v != "" && len(v) <= 64
}

func (t tableName) kind() string { return "table" }
func (t tableName) allowed() string {
	if t.empty {
		return "`schema.table`, or empty for none"
	}
	return "`schema.table`"
}

// address is host:port in one form: small letters, brackets around IPv6, the port there.
type address struct {
	text
	// port is added where none is given; 0 means that it must be given.
	port int
}

func (a address) set(raw any) *fault {
	if f := a.text.set(raw); f != nil {
		return f
	}
	if normal, f := normalAddress(*a.p, a.port); f == nil {
		*a.p = normal
	}
	return nil
}

func (a address) check() *fault {
	_, f := normalAddress(*a.p, a.port)
	return f
}

func (a address) kind() string { return "address" }
func (a address) allowed() string {
	if a.port == 0 {
		return "`host:port`"
	}
	return fmt.Sprintf("`host` or `host:port`; port %d when none is given", a.port)
}

// listen is a TCP address to listen on, empty for none.
type listen struct{ text }

func (l listen) check() *fault {
	if *l.p == "" {
		return nil
	}
	return listenFault(*l.p)
}

func (l listen) kind() string    { return "address" }
func (l listen) allowed() string { return "`host:port`, `:port` for every address; empty for none" }
