package takeover

import (
	"fmt"
	"os"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// table is a list of fates in Markdown.
func table(list []Fate) string {
	var b strings.Builder
	b.WriteString("| there | here | |\n| --- | --- | --- |\n")
	for _, f := range list {
		to := "not carried over"
		if f.To != "" {
			to = "`" + strings.ReplaceAll(f.To, ", ", "`, `") + "`"
		}
		fmt.Fprintf(&b, "| `%s` | %s | %s |\n", f.Name, to, f.Note)
	}
	return b.String()
}

func TestTheTablesOfThePageAreThoseOfTheCode(t *testing.T) {
	const page = "../../docs/mha-import.md"
	content, err := os.ReadFile(page)
	if err != nil {
		t.Fatal(err)
	}
	text := string(content)
	for mark, list := range map[string][]Fate{"<!-- fates -->\n": Fates(), "<!-- helper -->\n": HelperFates()} {
		before, rest, found := strings.Cut(text, mark)
		old, after, closed := strings.Cut(rest, "<!-- end -->\n")
		if !found || !closed {
			t.Fatalf("%s has no place for %s", page, mark)
		}
		want := table(list)
		if !rewrite() && old != want {
			t.Errorf("%s is stale: go test ./mha/takeover -update\n%s", page, cmp.Diff(old, want))
		}
		text = before + mark + want + "<!-- end -->\n" + after
	}
	if rewrite() && text != string(content) {
		if err := os.WriteFile(page, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
	}
}
