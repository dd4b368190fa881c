package config

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
)

// minimal is the least that is a configuration.
const minimal = `
[defaults.account]
no_password = true
[[pool]]
name = "p"
node = [{ address = "a", type = "PRIMARY" }, { address = "b" }]
`

// loadFiles writes files and loads the one or the folder called name.
func loadFiles(t *testing.T, f files, name string) (*Config, string) {
	t.Helper()
	folder := t.TempDir()
	f.write(t, folder)
	c, err := Load(filepath.Join(folder, name))
	if err == nil {
		return c, ""
	}
	var problems *Problems
	if !errors.As(err, &problems) || len(problems.List) == 0 || c != nil {
		t.Fatalf("Load gave %v and %T, want nothing and *Problems", c, err)
	}
	return nil, strings.ReplaceAll(err.Error(), folder+"/", "")
}

// mustLoad loads one file that has nothing wrong.
func mustLoad(t *testing.T, text string) *Config {
	t.Helper()
	c, problems := loadFiles(t, files{"mpp.toml": text}, "mpp.toml")
	if problems != "" {
		t.Fatal(problems)
	}
	return c
}

func TestMinimalConfigurationGetsTheDocumentedDefaults(t *testing.T) {
	c := mustLoad(t, minimal)
	p := c.Pools[0]
	got := []any{
		c.StateDir, c.RunDir, c.API.Socket, c.Log.Level, c.Journal.History,
		p.Logic, p.Engine, p.Readers, p.Interval, p.Timeout, p.ConfirmInterval, p.SlowInterval,
		p.LoginInterval, p.StaleAfter, p.WhenStale, p.Ladder, p.AutoRecover, p.HostileTakeover,
		p.Checks.Connect.Timeout, p.Checks.Lag.Warn, p.Checks.Replication.Enabled, p.Checks.Write.Enabled, p.Checks.Cluster.Expected,
		p.Nodes[0].Address, p.Nodes[0].Type, p.Nodes[1].Address, p.Nodes[1].Type, p.Nodes[1].Account.User, p.Nodes[1].TLS.Mode,
	}
	want := []any{
		"/var/lib/mpp", "/run/mpp", "/run/mpp/mppd.sock", "info", 15 * time.Minute,
		mpp.LogicFailover, mpp.EngineNone, mpp.ReadersStandby, time.Second, 800 * time.Millisecond, 100 * time.Millisecond, 5 * time.Second,
		5 * time.Second, 5 * time.Second, mpp.StaleDown,
		Ladder{1, 2, 3, 4},
		time.Duration(0), false,
		800 * time.Millisecond, 30 * time.Second, true, false, false,
		"a:3306", mpp.Primary, "b:3306", mpp.Secondary, "mpp", TLSPreferred,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	problems, _ := c.Validate()
	if len(problems) > 0 {
		t.Errorf("a loaded configuration does not validate: %v", problems)
	}
}

func TestDefaultsThatDependOnOthersFollowThem(t *testing.T) {
	c := mustLoad(t, `
run_dir = "/tmp/run"
defaults.account.no_password = true
[[pool]]
name = "quick"
interval = "50ms"
node = [{ address = "a", type = "PRIMARY" }, { address = "b" }]
[[pool]]
name = "slow"
interval = "10s"
checks.write = { enabled = true, table = "dba.beat" }
node = [{ address = "c", type = "PRIMARY" }, { address = "d" }]
[[pool]]
name = "cluster"
logic = "cluster"
node = [{ address = "e" }, { address = "f" }]
`)
	type values struct {
		timeout, confirm, slow, stale, query time.Duration
		replication, lag, inCluster          bool
		heartbeat                            string
	}
	var got []values
	for _, p := range c.Pools {
		got = append(got, values{
			p.Timeout, p.ConfirmInterval, p.SlowInterval, p.StaleAfter, p.Checks.Query.Timeout,
			p.Checks.Replication.Enabled, p.Checks.Lag.Enabled, p.Checks.Cluster.Expected, p.Checks.Lag.HeartbeatTable,
		})
	}
	const ms = time.Millisecond
	want := []values{
		{40 * ms, 50 * ms, 5 * time.Second, 5 * time.Second, 40 * ms, true, true, false, ""},
		{800 * ms, 100 * ms, 10 * time.Second, 50 * time.Second, 800 * ms, true, true, false, "dba.beat"},
		{800 * ms, 100 * ms, 5 * time.Second, 5 * time.Second, 800 * ms, false, false, true, ""},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(values{})); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
	if c.API.Socket != "/tmp/run/mppd.sock" {
		t.Errorf("socket is %s", c.API.Socket)
	}
}

func TestPoolOverridesDefaultsAndNodeOverridesPool(t *testing.T) {
	t.Setenv("MPP_TEST_PASSWORD", "one")
	t.Setenv("MPP_TEST_OTHER", "other")
	c := mustLoad(t, `
[defaults]
interval = "2s"
extra_port = 3307
[defaults.checks.lag]
info = "1s"
warn = "2s"
[defaults.account]
user = "watcher"
no_password = true
[defaults.tls]
mode = "required"
[[defaults.checkpoint]]
ring = "external"
address = "192.0.2.1:53"
[[pool]]
name = "a"
checks.lag.warn = "9s"
account.password_env = "MPP_TEST_PASSWORD"
[[pool.node]]
address = "a1"
type = "PRIMARY"
[[pool.node]]
address = "a2"
extra_port = 0
tls.mode = "disabled"
[pool.node.account]
user = "special"
password_env = "MPP_TEST_OTHER"
[[pool]]
name = "b"
interval = "3s"
checkpoint = [{ ring = "edge", address = "10.0.0.1:22", name = "gateway" }]
node = [{ address = "b1", type = "PRIMARY" }, { address = "b2" }]
`)
	a, b := c.Pools[0], c.Pools[1]
	type values struct {
		interval, info, warn         time.Duration
		user, password, user2, pass2 string
		extra, extra2                int
		tls, tls2                    TLSMode
		checkpoint                   string
	}
	of := func(p Pool) values {
		n, m := p.Nodes[0], p.Nodes[1]
		return values{
			p.Interval, p.Checks.Lag.Info, p.Checks.Lag.Warn,
			n.Account.User, n.Account.Password.Reveal(), m.Account.User, m.Account.Password.Reveal(),
			n.ExtraPort, m.ExtraPort, n.TLS.Mode, m.TLS.Mode, p.Checkpoints[0].Name,
		}
	}
	want := []values{
		{2 * time.Second, time.Second, 9 * time.Second, "watcher", "one", "special", "other", 3307, 0, TLSRequired, TLSDisabled, "192.0.2.1-53"},
		{3 * time.Second, time.Second, 2 * time.Second, "watcher", "", "watcher", "", 3307, 3307, TLSRequired, TLSRequired, "gateway"},
	}
	if diff := cmp.Diff(want, []values{of(a), of(b)}, cmp.AllowUnexported(values{})); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestEmptyListTurnsTheDefaultOnesOff(t *testing.T) {
	c := mustLoad(t, `
defaults.account.no_password = true
defaults.checkpoint = [{ ring = "edge", address = "gw:22" }]
defaults.checks.custom = [{ name = "c", sql = "SELECT 1", compare = "row" }]
[[pool]]
name = "p"
node = [{ address = "a", type = "PRIMARY" }, { address = "b" }]
[[pool]]
name = "q"
checkpoint = []
checks.custom = []
node = [{ address = "c", type = "PRIMARY" }, { address = "d" }]
`)
	p, q := c.Pools[0], c.Pools[1]
	if len(p.Checkpoints) != 1 || len(p.Checks.Custom) != 1 || len(q.Checkpoints) != 0 || len(q.Checks.Custom) != 0 {
		t.Errorf("checkpoints and checks: %d, %d and %d, %d; want 1, 1 and 0, 0", len(p.Checkpoints), len(p.Checks.Custom), len(q.Checkpoints), len(q.Checks.Custom))
	}
}

func TestFolderIsReadInTheOrderOfNames(t *testing.T) {
	pool := func(name string) string {
		return "[[pool]]\nname = \"" + name + "\"\nnode = [{ address = \"" + name + "1\", type = \"PRIMARY\" }, { address = \"" + name + "2\" }]\n"
	}
	folder := files{
		"conf.d/20-b.toml": pool("b"), "conf.d/10-a.toml": pool("a"),
		"conf.d/00-defaults.toml": "[defaults]\ninterval = \"2s\"\naccount.no_password = true\n",
		"conf.d/.#20-b.toml":      "not TOML", "conf.d/notes.txt": "not TOML", "conf.d/30-c.toml.bak": "not TOML",
		"mpp.toml":  "include = \"conf.d/*.toml\"\n[log]\nlevel = \"warn\"\n",
		"list.toml": "include = [\"conf.d/2*.toml\", \"conf.d/1*.toml\", \"conf.d/00-defaults.toml\", \"list.toml\"]\n",
	}
	for name, want := range map[string]string{"conf.d": "a b", "mpp.toml": "a b", "list.toml": "b a"} {
		c, problems := loadFiles(t, folder, name)
		if problems != "" {
			t.Errorf("%s: %s", name, problems)
			continue
		}
		var got []string
		for _, p := range c.Pools {
			got = append(got, p.Name)
			if p.Interval != 2*time.Second {
				t.Errorf("%s: pool %s has interval %s, want that of the defaults in another file", name, p.Name, p.Interval)
			}
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: pools %v, want %s", name, got, want)
		}
	}
}

func TestFilesThatCannotBeTakenAreNamed(t *testing.T) {
	for _, test := range []struct {
		name, load string
		files      files
		want       string
	}{
		{"missing", "mpp.toml", files{}, `mpp.toml: it does not exist; name a file or a folder of *.toml files`},
		{"empty folder", "d", files{"d/x": ""}, `d: the folder holds no *.toml file; put at least one there`},
		{"include of nothing", "mpp.toml", files{"mpp.toml": "include = \"a.toml\"\n" + minimal}, `mpp.toml:1: include: a.toml does not exist; create the file, or take it out of the list`},
		{"include with a bad pattern", "mpp.toml", files{"mpp.toml": "\ninclude = [\"[\"]\n" + minimal}, `mpp.toml:2: include: "[" is not a pattern; write a pattern such as "conf.d/*.toml"`},
		{"include of numbers", "mpp.toml", files{"mpp.toml": "include = [1]\n" + minimal}, `mpp.toml:1: include: an array is not a pattern; write a pattern such as "conf.d/*.toml", or a list of them`},
		{"include in an included file", "mpp.toml", files{"mpp.toml": "include = \"a.toml\"\n" + minimal, "a.toml": "include = \"b.toml\""}, `a.toml:1: include: an included file cannot include others; include the file from the main file`},
		{"include of a folder", "mpp.toml", files{"mpp.toml": "include = \"d\"\n" + minimal, "d/x": ""}, `mpp.toml:1: include: d is not a regular file; name a file`},
		{"a key in two files", "d", files{"d/a.toml": minimal + "[log]\nlevel = \"info\"", "d/b.toml": "\n[log]\nlevel = \"warn\""}, `d/b.toml:3: log.level: it is already set in d/a.toml:8; keep one of the two`},
		{"a default in two files", "d", files{"d/a.toml": minimal, "d/b.toml": "[defaults.account]\nno_password = true"}, `d/b.toml:2: defaults.account.no_password: it is already set in d/a.toml:3; keep one of the two`},
		{"default checkpoints in two files", "d", files{"d/a.toml": minimal + "[[defaults.checkpoint]]\nring = \"edge\"\naddress = \"x:1\"", "d/b.toml": "[[defaults.checkpoint]]\nring = \"edge\"\naddress = \"y:1\""}, `d/b.toml:1: defaults.checkpoint: it is already set in d/a.toml:7; keep one of the two`},
		{"a node in two files", "d", files{"d/a.toml": minimal, "d/b.toml": "[[pool]]\nname = \"q\"\nnode = [{ address = \"B\", type = \"PRIMARY\" }]\n"}, `d/b.toml:3: pool.q.node.b:3306.address: node b:3306 is already in pool "p", in d/a.toml:6; take it out of one of the two pools`},
		{"pools in a file that is not TOML", "d", files{"d/a.toml": "[log]\nlevel = \"info\"", "d/b.toml": "[[pool]\n"}, `d/b.toml:1: not TOML: expected end of table array name delimiter ']', but got '\n' instead; mend it; the rest of this file was not looked at`},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, got := loadFiles(t, test.files, test.load)
			if got == "" {
				t.Fatal("it was taken")
			}
			cut := strings.ReplaceAll(got, filepath.Dir(t.TempDir()), "")
			if diff := cmp.Diff(test.want, cut); diff != "" {
				t.Errorf("what is said (-want +got):\n%s", diff)
			}
		})
	}
}

func TestIncludeThatMatchesNothingIsAWarning(t *testing.T) {
	c := mustLoad(t, "include = \"conf.d/*.toml\"\n"+minimal)
	if len(c.Warnings) == 0 || c.Warnings[0].Text != `"conf.d/*.toml" matches no file` || c.Warnings[0].Line != 1 {
		t.Errorf("warnings: %v", c.Warnings)
	}
}

func TestPipesAndLargeFilesAreRefusedWithoutWaiting(t *testing.T) {
	folder := t.TempDir()
	pipe, large := filepath.Join(folder, "pipe.toml"), filepath.Join(folder, "large.toml")
	if err := syscall.Mkfifo(pipe, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(large, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(large, maxFileSize+1); err != nil {
		t.Fatal(err)
	}
	for path, want := range map[string]string{pipe: "is not a regular file", large: "is too large"} {
		if text, ok := CheckText(path); ok || !strings.Contains(text, want) {
			t.Errorf("said %q, want %q", text, want)
		}
	}
}

func TestRelativePathsCountFromTheirOwnFile(t *testing.T) {
	folder := t.TempDir()
	files{
		"mpp.toml":      "state_dir = \"state\"\ninclude = \"conf.d/*.toml\"\n",
		"conf.d/p.toml": "[defaults]\naccount.password_file = \"secret\"\n[[pool]]\nname = \"p\"\nnode = [{ address = \"a\", type = \"PRIMARY\" }, { address = \"b\" }]\n",
		"conf.d/secret": "hidden-one\n",
	}.write(t, folder)
	t.Chdir(folder)
	c, err := Load("mpp.toml")
	if err != nil {
		t.Fatal(err)
	}
	if want := filepath.Join(folder, "state"); c.StateDir != want {
		t.Errorf("state_dir is %s, want %s", c.StateDir, want)
	}
	if got := c.Pools[0].Nodes[1].Account.Password.Reveal(); got != "hidden-one" {
		t.Errorf("password is %q", got)
	}
}

func TestAddressesAreBroughtIntoOneForm(t *testing.T) {
	for in, want := range map[string]string{
		"db1": "db1:3306", "DB1.Example.COM.": "db1.example.com:3306", "db1:3307": "db1:3307", "db1:03307": "db1:3307",
		"10.0.0.1": "10.0.0.1:3306", "10.0.0.1:1": "10.0.0.1:1", "::1": "[::1]:3306", "[::1]": "[::1]:3306",
		"[2001:DB8:0::1]:3307": "[2001:db8::1]:3307", "[::ffff:10.0.0.1]:3306": "10.0.0.1:3306", "::ffff:10.0.0.1": "10.0.0.1:3306",
		"my_host": "my_host:3306",
	} {
		got, f := normalAddress(in, mysqlPort)
		if f != nil || got != want {
			t.Errorf("%s became %q (%v), want %q", in, got, f, want)
		}
		if again, f := normalAddress(got, mysqlPort); f != nil || again != got {
			t.Errorf("%s became %q on the second pass", got, again)
		}
	}
}

func TestNearestNameIsFound(t *testing.T) {
	names := []string{"interval", "timeout", "hostile_takeover", "stale_after", "log", "lag"}
	for word, want := range map[string]string{
		"intervall": "interval", "Interval": "interval", "intreval": "interval", "time_out": "timeout", "hostile": "hostile_takeover",
		"stale": "stale_after", "poll_interval": "interval", "lgo": "log", "logs": "log", "zzz": "", "": "",
	} {
		if got := nearest(word, names); got != want {
			t.Errorf("nearest to %q is %q, want %q", word, got, want)
		}
	}
	for _, d := range []struct {
		a, b string
		n    int
	}{{"", "", 0}, {"", "ab", 2}, {"abc", "abc", 0}, {"abc", "acb", 1}, {"kitten", "sitting", 3}, {"ca", "abc", 3}} {
		if got := distance(d.a, d.b); got != d.n {
			t.Errorf("distance %q %q is %d, want %d", d.a, d.b, got, d.n)
		}
	}
}

func TestCheckTextSaysOkWithCounts(t *testing.T) {
	path := filepath.Join(t.TempDir(), "mpp.toml")
	if err := os.WriteFile(path, []byte(minimal+"checkpoint = [{ ring = \"edge\", address = \"gw:22\" }]\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	if text, ok := CheckText(path); !ok || text != "ok: 1 pool, 2 nodes\n" {
		t.Errorf("said %q, %v", text, ok)
	}
}
