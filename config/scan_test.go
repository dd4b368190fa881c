package config

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/google/go-cmp/cmp"
)

// flatten lists the lines of all marks below m, such as "pool[0].node[1].address 12".
func flatten(m *mark, prefix string) []string {
	var lines []string
	for key, c := range m.keys {
		lines = append(lines, flatten(c, join(prefix, key))...)
	}
	for i, c := range m.items {
		lines = append(lines, flatten(c, prefix+"["+strconv.Itoa(i)+"]")...)
	}
	if prefix != "" {
		lines = append(lines, fmt.Sprintf("%s %d", prefix, m.line))
	}
	slices.Sort(lines)
	return lines
}

func TestKeysAreFoundOnTheirLines(t *testing.T) {
	const text = "\ufeff# a comment with [brackets] and = signs\n" + // 1
		"top = 1 # [not.a.table]\r\n" + // 2
		"long = \"\"\"\n[no]\nkey = 1\n\\\"\"\"\" # more\"\"\"\"\n" + // 3-6
		"literal = '''\n'x = 1'\n''''\n" + // 7-9
		"short = \"a # \\\" b\"\n" + // 10
		"raw = 'C:\\'\n" + // 11
		"dates = 1979-05-27 07:32:00\n" + // 12
		"list = [ # numbers\n 1,\n 2, [3,\n 4]]\n" + // 13-16
		"a.b . \"c.d\" = true\n" + // 17
		"\n[table]\nx = 1\n" + // 19, 20
		"[ table . 'sub\"table' ] # here\ny = 2\n" + // 21, 22
		"[[pool]]\nname = \"p\"\n" + // 23, 24
		"[pool.account]\nuser = \"x\"\n" + // 25, 26
		"[[pool.node]]\naddress = \"1\"\n" + // 27, 28
		"[[pool.node]]\n\naddress = \"2\"\n" + // 29, 31
		"[[pool]]\nname = \"q\"\n" + // 32, 33
		"node = [{ address = \"3\" },\n  {\n    address = \"4\", # yes\n    tls = { mode = \"x\" },\n  },\n]\n" + // 34-39
		"\"\\u00e9\" = 1" // 40
	want := []string{
		"top 2", "long 3", "literal 7", "short 10", "raw 11", "dates 12",
		"list 13", "list[0] 14", "list[1] 15", "list[2] 15", "list[2][0] 15", "list[2][1] 16",
		"a 17", "a.b 17", "a.b.c.d 17", "table 19", "table.x 20", `table.sub"table 21`, `table.sub"table.y 22`,
		"pool 23", "pool[0] 23", "pool[0].name 24", "pool[0].account 25", "pool[0].account.user 26",
		"pool[0].node 27", "pool[0].node[0] 27", "pool[0].node[0].address 28", "pool[0].node[1] 29", "pool[0].node[1].address 31",
		"pool[1] 32", "pool[1].name 33", "pool[1].node 34", "pool[1].node[0] 34", "pool[1].node[0].address 34",
		"pool[1].node[1] 35", "pool[1].node[1].address 36", "pool[1].node[1].tls 37", "pool[1].node[1].tls.mode 37",
		"pool[1].é 40",
	}
	slices.Sort(want)
	root, _ := scan(text)
	if diff := cmp.Diff(want, flatten(root, "")); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	if why := disagree(t, text); why != "" {
		t.Error(why)
	}
}

// disagree says where the scan and the TOML library see different keys in a text that the
// library takes, "" when they agree or it takes none.
func disagree(t *testing.T, text string) string {
	t.Helper()
	root, deep := scan(text)
	var raw map[string]any
	if _, err := toml.Decode(text, &raw); err != nil || deep > 0 {
		return ""
	}
	return differs("", raw, root, strings.Count(text, "\n")+1)
}

func differs(path string, raw any, m *mark, lines int) string {
	if m == nil {
		return path + " was not found"
	}
	if m.line < 1 || m.line > lines {
		return fmt.Sprintf("%s is on line %d of %d", path, m.line, lines)
	}
	var keys, items int
	switch v := raw.(type) {
	case map[string]any:
		keys = len(v)
		for key, inner := range v {
			if why := differs(join(path, key), inner, m.key(key), lines); why != "" {
				return why
			}
		}
	case []map[string]any:
		items = len(v)
		for i, inner := range v {
			if why := differs(fmt.Sprintf("%s[%d]", path, i), inner, m.item(i), lines); why != "" {
				return why
			}
		}
	case []any:
		items = len(v)
		for i, inner := range v {
			if why := differs(fmt.Sprintf("%s[%d]", path, i), inner, m.item(i), lines); why != "" {
				return why
			}
		}
	}
	if len(m.keys) != keys || len(m.items) != items {
		return fmt.Sprintf("%s has %d keys and %d items, the scan found %d and %d", path, keys, items, len(m.keys), len(m.items))
	}
	return ""
}

func TestScanAgreesWithTheLibraryOnAllTestData(t *testing.T) {
	for _, pattern := range []string{"../examples/*.toml", "../examples/*/*.toml"} {
		paths, err := filepath.Glob(pattern)
		if err != nil {
			t.Fatal(err)
		}
		for _, path := range paths {
			if why := disagree(t, read(t, path)); why != "" {
				t.Errorf("%s: %s", path, why)
			}
		}
	}
	_, sayings := readSayings(t, "testdata/problems.txt")
	for _, s := range sayings {
		if why := disagree(t, s.toml); why != "" {
			t.Errorf("%s: %s", s.name, why)
		}
	}
}

func FuzzScan(f *testing.F) {
	content, err := os.ReadFile("testdata/problems.txt")
	if err != nil {
		f.Fatal(err)
	}
	for part := range strings.SplitSeq(string(content), "\n=== ") {
		_, text, _ := strings.Cut(part, "\n")
		text, _, _ = strings.Cut(text, "\n----")
		f.Add(text)
	}
	f.Add("a = '''x''''\n\"\\x41\" = 1\n")
	f.Fuzz(func(t *testing.T, text string) {
		if why := disagree(t, text); why != "" {
			t.Error(why)
		}
	})
}
