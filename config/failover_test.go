package config

import (
	"crypto/ed25519"
	"crypto/rand"
	"encoding/pem"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"
	"golang.org/x/crypto/ssh/knownhosts"

	"mpp"
)

// sshKey is a new private key in a file of OpenSSH's form.
func sshKey(t *testing.T, passphrase string) string {
	t.Helper()
	_, key, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	var block *pem.Block
	if passphrase == "" {
		block, err = ssh.MarshalPrivateKey(key, "")
	} else {
		block, err = ssh.MarshalPrivateKeyWithPassphrase(key, "", []byte(passphrase))
	}
	if err != nil {
		t.Fatal(err)
	}
	return string(pem.EncodeToMemory(block))
}

// knownHosts is the text of a known_hosts file with a new key for all of some hosts.
func knownHosts(t *testing.T, hosts ...string) string {
	t.Helper()
	public, _, err := ed25519.GenerateKey(rand.Reader)
	if err != nil {
		t.Fatal(err)
	}
	key, err := ssh.NewPublicKey(public)
	if err != nil {
		t.Fatal(err)
	}
	return "# the pool's hosts\n\n" + knownhosts.Line(hosts, key) + "\n"
}

// tools are what a pool with an engine names: keys, known hosts, programs and passwords, good
// ones and bad ones.
type tools files

func newTools(t *testing.T) tools {
	t.Helper()
	good := sshKey(t, "")
	return tools{
		"password": "hidden-one\n", "loose-password": "hidden-one\n",
		"key": good, "loose-key": good, "locked-key": sshKey(t, "hidden-one"), "no-key": "hidden-one\n",
		"hosts": knownHosts(t, "a", "b"), "no-hosts": "# none yet\n", "bad-hosts": knownHosts(t, "a") + "b ssh-ed25519 hidden-one\n",
		"program": "#!/bin/sh\n", "loose-program": "#!/bin/sh\n", "no-program": "#!/bin/sh\n",
	}
}

func (s tools) write(t *testing.T, folder string) {
	t.Helper()
	files(s).write(t, folder)
	for name, mode := range map[string]os.FileMode{"loose-password": 0o644, "loose-key": 0o644, "program": 0o755, "loose-program": 0o757} {
		if err := os.Chmod(filepath.Join(folder, name), mode); err != nil {
			t.Fatal(err)
		}
	}
}

// loadWithTools loads one file beside which the tools lie.
func loadWithTools(t *testing.T, text string) (c *Config, folder string) {
	t.Helper()
	folder = t.TempDir()
	tools := newTools(t)
	tools["mpp.toml"] = text
	tools.write(t, folder)
	c, err := Load(filepath.Join(folder, "mpp.toml"))
	if err != nil {
		t.Fatal(err)
	}
	return c, folder
}

func TestPoolWithoutFailoverKeysGetsTheDocumentedDefaults(t *testing.T) {
	p := mustLoad(t, minimal).Pools[0]
	want := Failover{
		Preset: PresetCareful, Mode: FailoverAuto, Fence: FenceBestEffort,
		FenceTimeout: 500 * time.Millisecond, ApplyTimeout: time.Minute, StepTimeout: 10 * time.Second,
		BinlogTail: true, Block: BlockReadOnly, SemiSync: SemiSyncKeep, Events: true, Rejoin: RejoinAuto, Failback: FailbackNone,
		Shutdown: Shutdown{Timeout: 10 * time.Second},
	}
	if diff := cmp.Diff(want, p.Failover); diff != "" {
		t.Errorf("failover (-want +got):\n%s", diff)
	}
	got := []any{p.Switchover, p.VIP.Kind, p.VIP.WatchInterval, p.VIP.AnnounceFor, p.VIP.Timeout, p.Hooks, p.Checks.Commit, p.Nodes[0].SSH, p.Nodes[0].Prefer}
	then := []any{
		Switchover{Wait: 30 * time.Second, KillAfter: 5 * time.Second, LongTransactions: LongTransactionsKill, MaxLag: 5 * time.Second, Stop: StopKill},
		VIPNone, 2 * time.Second, 5 * time.Second, 2 * time.Second, []Hook(nil),
		CommitCheck{StuckAfter: 5 * time.Second},
		SSH{Host: "a", User: "root", Port: 22, Timeout: time.Second},
		0,
	}
	if diff := cmp.Diff(then, got, cmp.AllowUnexported(Hook{})); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestPresetSetsTheTimesThatAreNotSet(t *testing.T) {
	c, _ := loadWithTools(t, `
[defaults]
engine = "native"
account.no_password = true
failover = { preset = "fast", replication = { user = "repl", no_password = true } }
[[pool]]
name = "fast"
node = [{ address = "a", type = "PRIMARY" }, { address = "b" }]
[[pool]]
name = "own-interval"
interval = "1s"
node = [{ address = "c", type = "PRIMARY" }, { address = "d" }]
[[pool]]
name = "own-times"
timeout = "100ms"
confirm_interval = "50ms"
stale_after = "3s"
node = [{ address = "e", type = "PRIMARY" }, { address = "f" }]
[[pool]]
name = "careful"
failover.preset = "careful"
node = [{ address = "g", type = "PRIMARY" }, { address = "h" }]
[[pool]]
name = "no-engine"
engine = "none"
node = [{ address = "i", type = "PRIMARY" }, { address = "j" }]
`)
	type values struct {
		Interval, Timeout, Confirm, Slow, Stale, Query time.Duration
		Commit                                         bool
	}
	got := map[string]values{}
	for _, p := range c.Pools {
		got[p.Name] = values{p.Interval, p.Timeout, p.ConfirmInterval, p.SlowInterval, p.StaleAfter, p.Checks.Query.Timeout, p.Checks.Commit.Enabled}
	}
	const ms, s5 = time.Millisecond, 5 * time.Second
	want := map[string]values{
		"fast":         {250 * ms, 200 * ms, 25 * ms, s5, s5, 200 * ms, true},
		"own-interval": {time.Second, 250 * ms, 25 * ms, s5, s5, 250 * ms, true},
		"own-times":    {250 * ms, 100 * ms, 50 * ms, s5, 3 * time.Second, 100 * ms, true},
		"careful":      {time.Second, 800 * ms, 100 * ms, s5, s5, 800 * ms, true},
		"no-engine":    {time.Second, 800 * ms, 100 * ms, s5, s5, 800 * ms, false},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

// engineText is a pool with an engine, whose settings come from three places.
const engineText = `
[defaults]
engine = "native"
account.no_password = true
ssh = { key_file = "key", known_hosts = "hosts" }
checkpoint = [{ ring = "edge", address = "gw:22" }]
[defaults.failover]
max_loss = 3
account = { user = "promoter", password_file = "password" }
replication = { user = "repl", no_password = true }
[[defaults.hook]]
name = "everywhere"
program = "program"
phases = "after-failover"
[[pool]]
name = "p"
failover = { max_loss = "any", replication.password_file = "password" }
vip = { kind = "metal", interface = "eth0", addresses = ["10.0.0.100/32", "FD00:0::100/128"] }
switchover = { stop = "lock", lock_accounts = ["app@%", "a@b@10.0.0.%"] }
node = [{ address = "A", type = "PRIMARY" }, { address = "[::1]:3307", prefer = -3, interface = "bond0", ssh = { host = "B.", port = 2222, user = "mpp" } }]
[[pool]]
name = "q"
hook = []
failover.shutdown.program = "program"
node = [{ address = "c", type = "PRIMARY" }, { address = "d", account = { user = "own" } }]
[pool.failover.account]
password_env = "MPP_TEST_PASSWORD"
`

func TestFailoverSettingsComeFromDefaultsPoolAndNode(t *testing.T) {
	t.Setenv("MPP_TEST_PASSWORD", "other")
	c, folder := loadWithTools(t, engineText)
	if len(c.Warnings) > 0 {
		t.Errorf("warnings: %v", c.Warnings)
	}
	p, q := &c.Pools[0], &c.Pools[1]
	key, hosts, program := filepath.Join(folder, "key"), filepath.Join(folder, "hosts"), filepath.Join(folder, "program")
	account := func(a Account) string { return a.User + ":" + a.Password.Reveal() }
	got := []any{
		p.Failover.MaxLoss, p.Failover.AnyLoss, q.Failover.MaxLoss, q.Failover.AnyLoss,
		account(p.Failover.Account), account(p.Failover.Replication), account(q.Failover.Account), account(q.Failover.Replication),
		account(p.FailoverAccount(&p.Nodes[0])), q.Failover.Shutdown.Program,
		p.Hooks[0].Program, p.Hooks[0].Phases, len(q.Hooks),
		p.Nodes[0].Interface, p.Nodes[1].Interface, p.Nodes[1].Prefer, p.Nodes[0].SSH, p.Nodes[1].SSH,
		p.Switchover.LockAccounts, quotedList(p.VIP.Addresses, func(a netip.Prefix) string { return a.String() }),
	}
	want := []any{
		uint64(0), true, uint64(3), false,
		"promoter:hidden-one", "repl:hidden-one", "promoter:other", "repl:",
		"promoter:hidden-one", program,
		program,
		[]string{mpp.HookAfterFailover},
		0,
		"eth0", "bond0", -3,
		SSH{Host: "a", User: "root", Port: 22, KeyFile: key, KnownHosts: hosts, Timeout: time.Second},
		SSH{Host: "b", User: "mpp", Port: 2222, KeyFile: key, KnownHosts: hosts, Timeout: time.Second},
		[]LockAccount{{"app", "%"}, {"a@b", "10.0.0.%"}},
		`["10.0.0.100/32", "fd00::100/128"]`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("values (-want +got):\n%s", diff)
	}
}

func TestWithoutAFailoverAccountTheNodesOwnIsUsed(t *testing.T) {
	c, _ := loadWithTools(t, `
[[pool]]
name = "p"
engine = "native"
account = { user = "watcher", no_password = true }
failover.replication = { user = "repl", no_password = true }
node = [{ address = "a", type = "PRIMARY" }, { address = "b", account = { user = "own", password_file = "password" } }]
`)
	p := &c.Pools[0]
	for i, want := range []string{"watcher:", "own:hidden-one"} {
		if a := p.FailoverAccount(&p.Nodes[i]); a.User+":"+a.Password.Reveal() != want {
			t.Errorf("node %d: logs in as %s with %q, want %s", i, a.User, a.Password.Reveal(), want)
		}
	}
}

func TestDiffSaysWhatChangesForAnEngineAndNothingNeedsARestart(t *testing.T) {
	t.Setenv("MPP_TEST_PASSWORD", "one")
	before, folder := loadWithTools(t, engineText)
	t.Setenv("MPP_TEST_PASSWORD", "two")
	text := strings.NewReplacer(
		`"any"`, `1`, `interface = "eth0"`, `interface = "eth1"`, `port = 2222`, `port = 2223`, `prefer = -3`, `prefer = 3`,
		`"after-failover"`, `["before-failover", "after-failover"]`, `"app@%", `, ``, `"10.0.0.100/32", `, ``,
		`hook = []`, `switchover.wait = "1m"`,
	).Replace(engineText)
	files{"after.toml": text}.write(t, folder)
	after, err := Load(filepath.Join(folder, "after.toml"))
	if err != nil {
		t.Fatal(err)
	}
	want := []string{
		`pool p: failover.max_loss: "any" -> 1`,
		`pool p: switchover.lock_accounts: ["app@%", "a@b@10.0.0.%"] -> ["a@b@10.0.0.%"]`,
		`pool p: vip.addresses: ["10.0.0.100/32", "fd00::100/128"] -> ["fd00::100/128"]`,
		`pool p: node a:3306: interface: "eth0" -> "eth1"`,
		`pool p: node [::1]:3307: prefer: -3 -> 3`,
		`pool p: node [::1]:3307: ssh.port: 2222 -> 2223`,
		`pool p: hook everywhere: phases: ["after-failover"] -> ["before-failover", "after-failover"]`,
		`pool q: switchover.wait: "30s" -> "1m"`,
		`pool q: failover.account: the password has changed`,
		`pool q: hook everywhere: added`,
	}
	if diff := cmp.Diff(want, Diff(before, after)); diff != "" {
		t.Errorf("lines (-want +got):\n%s", diff)
	}
	for _, r := range poolRows() {
		if r.restart {
			t.Errorf("%s needs a restart", r.path)
		}
	}
}

func TestEveryPhaseOfHooksIsKnownAndDescribed(t *testing.T) {
	want := []string{
		mpp.HookBeforeFailover, mpp.HookBeforePromote, mpp.HookAfterPromote, mpp.HookAfterFailover, mpp.HookBeforeSwitchover,
		mpp.HookAfterSwitchover, mpp.HookRolledBack, mpp.HookBeforeRejoin, mpp.HookAfterRejoin,
	}
	got := phases()
	slices.Sort(got)
	slices.Sort(want)
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("phases (-want +got):\n%s", diff)
	}
}

// TestPageAboutFailoverShowsEveryKeyWithItsDefault decodes the configuration in
// docs/failover.md. Keys that have no default, or none that would be of use, show an example.
func TestPageAboutFailoverShowsEveryKeyWithItsDefault(t *testing.T) {
	_, text, _ := strings.Cut(read(t, "../docs/failover.md"), "```toml\n")
	text, _, _ = strings.Cut(text, "```")
	raw, m, problem := parse("failover.md", strings.Replace(text, "# program =", "program =", 1))
	if problem != nil {
		t.Fatal(problem)
	}
	l := &loader{config: Default()}
	l.decodePools(l.config, input{file: "failover.md", raw: raw, mark: m})
	if len(l.problems) > 0 || len(l.config.Pools) != 1 || len(l.config.Pools[0].Nodes) != 1 || len(l.config.Pools[0].Hooks) != 1 {
		t.Fatalf("it does not decode to a pool with a node and a hook: %v", l.problems)
	}
	p, def := &l.config.Pools[0], defaultPool()
	examples := []string{
		"switchover.lock_accounts", "vip.kind", "vip.addresses", "vip.interface", "vip.program", "ssh.key_file", "ssh.known_hosts",
		"failover.shutdown.program", "ssh.local",
	}
	for _, r := range poolRows() {
		top, _, _ := strings.Cut(r.path, ".")
		account := strings.HasPrefix(r.path, "failover.account.") || strings.HasPrefix(r.path, "failover.replication.")
		switch {
		case !slices.Contains(engineTables(), top) || account:
		case !p.at.has(r.path) && r.path != "ssh.local":
			t.Errorf("%s is not there", r.path)
		case r.bind(p).toml() != r.bind(&def).toml() && !slices.Contains(examples, r.path):
			t.Errorf("%s is %s, and the default %s", r.path, r.bind(p).toml(), r.bind(&def).toml())
		}
	}
}
