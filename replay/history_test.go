package replay

import (
	"errors"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
)

func TestWorkedHistoriesComeOutAsExpected(t *testing.T) {
	for name, want := range map[string]int{"classic.jsonl": 100, "corrected.jsonl": 30} {
		f, err := os.Open(filepath.Join("testdata", name))
		if err != nil {
			t.Fatal(err)
		}
		defer f.Close()
		count, err := Histories(f, Options{Name: name, Verify: true, Out: io.Discard})
		if err != nil {
			t.Fatal(err)
		}
		if count != want {
			t.Errorf("%s: ran %d histories, want %d", name, count, want)
		}
	}
}

const two = `{"id":"x","pool":{"name":"p","nodes":[{"address":"a:1","type":"PRIMARY"},{"address":"b:1","type":"SECONDARY"}]},` +
	`"cycles":[{"checks":{"a:1":"ok","b:1":"ok"},"expect":{"a:1":{"state":"STANDBY"}}},{"checks":{"a:1":"ok","b:1":"connect"},"expect":{"a:1":{"state":"ACTIVE","errors":1}}}]}`

func TestReplayPrintsOneLineACycle(t *testing.T) {
	var out strings.Builder
	if _, err := Histories(strings.NewReader(two), Options{Name: "x", Out: &out}); err != nil {
		t.Fatal(err)
	}
	want := `{"id":"x","cycle":0,"nodes":{"a:1":{"state":"STANDBY","status":"OK","errors":0},"b:1":{"state":"STANDBY","status":"OK","errors":0}}}
{"id":"x","cycle":1,"nodes":{"a:1":{"state":"ACTIVE","status":"INFO","errors":1},"b:1":{"state":"STANDBY","status":"INFO","errors":1}}}
`
	if out.String() != want {
		t.Errorf("got\n%swant\n%s", out.String(), want)
	}
}

func TestADifferenceIsNamedWithItsPlace(t *testing.T) {
	wrong := strings.Replace(two, `"ACTIVE","errors":1`, `"ACTIVE","errors":2`, 1)
	_, err := Histories(strings.NewReader(wrong), Options{Name: "f.jsonl", Verify: true})
	if !errors.Is(err, ErrDiffers) {
		t.Fatalf("got %v, want ErrDiffers", err)
	}
	want := "f.jsonl: line 1: history x, cycle 1, node a:1: errors 1, expected 2: history differs from what it expects"
	if err.Error() != want {
		t.Errorf("got  %s\nwant %s", err, want)
	}
}

func TestNonsenseInAHistoryIsRefused(t *testing.T) {
	for _, c := range []struct{ in, want string }{
		{`{`, "line 1 is not a history"},
		{`{"id":"e","pool":{"nodes":[]},"cycles":[]}`, "the pool has no nodes"},
		{strings.Replace(two, `"b:1":"connect"`, `"b:1":"maybe"`, 1), `outcome "maybe" is none of ok, connect, request`},
		{strings.Replace(two, `"b:1":"connect"`, `"c:1":"ok"`, 1), "the pool has no node c:1"},
		{strings.Replace(two, "SECONDARY", "THIRD", 1), `type "THIRD" is neither PRIMARY nor SECONDARY`},
	} {
		_, err := Histories(strings.NewReader(c.in), Options{Name: "f", Verify: true})
		if err == nil || !strings.Contains(err.Error(), c.want) {
			t.Errorf("%s: got %v, want %q", c.in, err, c.want)
		}
	}
}
