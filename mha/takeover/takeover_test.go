package takeover

import (
	"crypto/ed25519"
	"encoding/pem"
	"flag"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"golang.org/x/crypto/ssh"

	"mpp"
	"mpp/config"
	"mpp/mha/conf"
	"mpp/mha/helperconf"
)

func TestMain(m *testing.M) {
	flag.Bool("update", false, "rewrite the results in testdata and the tables of docs/mha-import.md")
	os.Exit(m.Run())
}

func rewrite() bool {
	f := flag.Lookup("update")
	return f != nil && f.Value.String() == "true"
}

// taken imports testdata/NAME.cnf, with its global file and its helper file where they are.
func taken(t *testing.T, name string, o Options) (*conf.Config, Result) {
	t.Helper()
	c, err := conf.Load("testdata/"+name+".cnf", conf.Options{Global: "testdata/" + name + ".global.cnf"})
	if err != nil {
		t.Fatal(err)
	}
	var helper *helperconf.Cluster
	if name == "everything" {
		clusters, err := helperconf.Load("testdata/helper")
		if err != nil {
			t.Fatal(err)
		}
		if helper, err = Helper(c, clusters); err != nil {
			t.Fatal(err)
		}
	}
	r, err := Make(c, helper, o)
	if err != nil {
		t.Fatal(err)
	}
	return c, r
}

// load writes a result into a folder, with whatever an operator would put beside it, and has
// package config take it.
func load(t *testing.T, r Result) *config.Config {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	_, key, err := ed25519.GenerateKey(nil)
	if err != nil {
		t.Fatal(err)
	}
	block, err := ssh.MarshalPrivateKey(key, "")
	if err != nil {
		t.Fatal(err)
	}
	public, err := ssh.NewPublicKey(key.Public())
	if err != nil {
		t.Fatal(err)
	}
	write(defaultKey, string(pem.EncodeToMemory(block)))
	write(defaultKnownHosts, "db1 "+string(ssh.MarshalAuthorizedKey(public)))
	for _, f := range r.Files {
		write(f.Path, f.Password.Reveal())
	}
	if name := r.Pool + ".repl-password"; !slices.ContainsFunc(r.Files, func(f File) bool { return f.Path == name }) {
		write(name, "written by the operator") // as the list at the top asks for
	}
	write("mpp.toml", r.TOML)
	c, err := config.Load(filepath.Join(dir, "mpp.toml"))
	if err != nil {
		t.Fatalf("%v\n%s", err, r.TOML)
	}
	return c
}

func samples(t *testing.T) []string {
	t.Helper()
	files, err := filepath.Glob("testdata/*.cnf")
	if err != nil || len(files) < 6 {
		t.Fatalf("%v, %d files", err, len(files))
	}
	var names []string
	for _, f := range files {
		if name := strings.TrimSuffix(filepath.Base(f), ".cnf"); !strings.Contains(name, ".") {
			names = append(names, name)
		}
	}
	return names
}

func TestResultsAreAsTheyWere(t *testing.T) {
	for _, name := range samples(t) {
		t.Run(name, func(t *testing.T) {
			_, r := taken(t, name, Options{})
			file := "testdata/" + name + ".toml"
			if rewrite() {
				if err := os.WriteFile(file, []byte(r.TOML), 0o644); err != nil {
					t.Fatal(err)
				}
			}
			want, err := os.ReadFile(file)
			if err != nil {
				t.Fatal(err)
			}
			if diff := cmp.Diff(string(want), r.TOML); diff != "" {
				t.Errorf("%s (go test ./mha/takeover -update rewrites it): -file +now\n%s", file, diff)
			}
		})
	}
}

func TestEveryResultIsTakenByMPPWithoutWarnings(t *testing.T) {
	for _, name := range samples(t) {
		t.Run(name, func(t *testing.T) {
			_, r := taken(t, name, Options{SSHKey: defaultKey, KnownHosts: defaultKnownHosts})
			for _, w := range load(t, r).Warnings {
				if !strings.Contains(w.Text, "no checkpoints") && !strings.Contains(w.Text, "nothing can take over") {
					t.Errorf("warning: %v", w)
				}
			}
		})
	}
}

func TestEverythingArrivesWhereItBelongs(t *testing.T) {
	_, r := taken(t, "everything", Options{SSHKey: defaultKey, KnownHosts: defaultKnownHosts})
	p := load(t, r).Pools[0]
	type node struct {
		Name, Address string
		Type          mpp.Type
		NoPromote     bool
		Prefer        int
		Interface     string
		Host, User    string
		Port          int
		Sudo          bool
	}
	var nodes []node
	for _, n := range p.Nodes {
		nodes = append(nodes, node{n.Name, n.Address, n.Type, n.NoPromote, n.Prefer, n.Interface, n.SSH.Host, n.SSH.User, n.SSH.Port, n.SSH.Sudo})
	}
	want := []node{
		{"db1", "10.0.0.1:3306", mpp.Primary, false, 10, "bond0", "10.0.0.1", "mha", 2202, true},
		{"db2", "10.0.0.2:3306", mpp.Secondary, false, 10, "eth1", "db2-admin.example.com", "mha", 22, true},
		{"db3", "10.0.0.3:3307", mpp.Secondary, true, 0, "eth1", "10.0.0.3", "root", 2202, false},
	}
	if diff := cmp.Diff(want, nodes); diff != "" {
		t.Errorf("nodes: -want +got\n%s", diff)
	}
	got := []any{
		p.Name, p.Engine, p.Interval, p.LoginInterval, p.Account.User, p.Account.Password.Reveal(), p.Failover.Account.User, p.Failover.Account.Password.Reveal(),
		p.Failover.Replication.User, p.Failover.Replication.Password.Reveal(), p.Failover.Mode, p.Failover.MaxLoss, p.Failover.BinlogProgram,
		p.Switchover.KillAfter, p.VIP.Kind, p.VIP.Addresses, p.SSH.Timeout, p.Checkpoints[0].Address, p.Checkpoints[0].Ring, len(p.Checkpoints),
	}
	wanted := []any{
		"everything", mpp.EngineNative, time.Second, time.Second, "mha", "s3cret-of-mha", "mha", "s3cret-of-mha",
		"repl", "s3cret-of-repl", config.FailoverManual, uint64(0), "/opt/mysql/bin/mysqlbinlog",
		7 * time.Second, config.VIPMetal,
		[]netip.Prefix{netip.MustParsePrefix("10.0.0.155/32")},
		3 * time.Second, "office.example.com:2222", mpp.Edge, 1,
	}
	if diff := cmp.Diff(fmt.Sprint(wanted...), fmt.Sprint(got...)); diff != "" {
		t.Errorf("the pool: -want +got\n%s", diff)
	}
}

func TestAccountsOfServersBecomeThoseOfNodes(t *testing.T) {
	_, r := taken(t, "users", Options{})
	p := load(t, r).Pools[0]
	var got []string
	for i := range p.Nodes {
		n := &p.Nodes[i]
		a := p.FailoverAccount(n)
		got = append(got, fmt.Sprintf("%s %s/%q %v", n.Name, a.User, a.Password.Reveal(), a.NoPassword))
	}
	want := []string{` mha_one/"s3cret-first" false`, `second mha/"common" false`, ` mha_three/"" true`, ` mha/"common" false`}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if a := p.Failover.Replication; a.User != "repl" || a.Password.Reveal() != "common-repl" {
		t.Errorf("replication: %+v", a)
	}
}

func TestSpecialCharactersSurvive(t *testing.T) {
	c, r := taken(t, "special", Options{})
	p := load(t, r).Pools[0]
	s := c.Servers[0]
	for what, pair := range map[string][2]string{
		"user":          {s.User, p.Account.User},
		"password":      {s.Password.Reveal(), p.Account.Password.Reveal()},
		"repl_user":     {s.ReplUser, p.Failover.Replication.User},
		"repl_password": {s.ReplPassword.Reveal(), p.Failover.Replication.Password.Reveal()},
	} {
		if pair[0] != pair[1] || pair[0] == "" {
			t.Errorf("%s: %q is now %q", what, pair[0], pair[1])
		}
	}
	if s.Password.Reveal() != `a'b\c$d;e#f "g` || s.ReplPassword.Reveal() != "\"!&;`|*?~<>^()[]{}$,=" {
		t.Errorf("the sample does not hold what it should: %q, %q", s.Password.Reveal(), s.ReplPassword.Reveal())
	}
}

func TestPasswordsAreInNoText(t *testing.T) {
	for _, name := range samples(t) {
		c, r := taken(t, name, Options{})
		for i := range c.Servers {
			for _, secret := range []string{c.Servers[i].Password.Reveal(), c.Servers[i].ReplPassword.Reveal()} {
				if len(secret) > 5 && secret != "common" && strings.Contains(r.TOML, secret) {
					t.Errorf("%s: %q is in the text", name, secret)
				}
			}
		}
	}
}

func TestEveryParameterHasAFate(t *testing.T) {
	var known []string
	for _, p := range conf.Parameters() {
		known = append(known, p.Name)
	}
	var fates []string
	for _, f := range Fates() {
		fates = append(fates, f.Name)
		if f.To == "" && f.Note == "" {
			t.Errorf("%s has neither a key nor a reason", f.Name)
		}
	}
	slices.Sort(known)
	slices.Sort(fates)
	if diff := cmp.Diff(known, fates); diff != "" {
		t.Errorf("-MHA +here\n%s", diff)
	}
	fates = nil
	for _, f := range HelperFates() {
		fates = append(fates, f.Name)
	}
	known = helperconf.Keys()
	slices.Sort(known)
	slices.Sort(fates)
	if diff := cmp.Diff(known, fates); diff != "" {
		t.Errorf("-MHA Helper +here\n%s", diff)
	}
}

// TestNothingIsLostInSilence sets every parameter alone, to something else than its default, and
// looks for it in what comes out.
func TestNothingIsLostInSilence(t *testing.T) {
	odd := map[string]string{
		"hostname": "h9", "ip": "10.9.9.9", "port": "3309", "ssh_port": "2209", "ssh_connection_timeout": "9", "ping_interval": "9", "ping_type": "INSERT",
		"check_repl_delay": "0", "secondary_check_script": "masterha_secondary_check -s h8", "ssh_options": "-p 9", "node_label": "label9",
	}
	for _, param := range conf.Parameters() {
		value := odd[param.Name]
		if value == "" {
			value = map[string]string{"0": "1", "1": "0"}[param.Default]
		}
		if value == "" {
			value = "/odd/value9"
		}
		text := "[server1]\nhostname = h1\nip = 10.0.0.1\n" + param.Name + " = " + value + "\n[server2]\nhostname = h2\n"
		file := filepath.Join(t.TempDir(), "app.cnf")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := conf.Load(file, conf.Options{Global: file + ".none"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := Make(c, nil, Options{})
		if err != nil {
			if param.Name == "no_master" {
				continue
			}
			t.Fatal(err)
		}
		carried := strings.Contains(r.TOML, value) && value != "0" && value != "1" || strings.Contains(r.TOML, "# "+param.Name+", app.cnf:4")
		if !carried && !strings.Contains(r.TOML, "# "+param.Name+" (app.cnf:4): ") && param.Name != "password" && param.Name != "repl_password" {
			t.Errorf("%s = %s is nowhere in\n%s", param.Name, value, r.TOML)
		}
	}
}

func TestThePrimaryIsTheFirstThatMHAPrefers(t *testing.T) {
	for text, want := range map[string]string{
		"[server1]\nhostname=a\n[server2]\nhostname=b\n":                                                       "a",
		"[server1]\nhostname=a\nno_master=1\n[server2]\nhostname=b\n":                                          "b",
		"[server1]\nhostname=a\n[server2]\nhostname=b\ncandidate_master=1\n":                                   "b",
		"[server1]\nhostname=a\ncandidate_master=1\nno_master=1\n[server2]\nhostname=b\n":                      "b",
		"[server10]\nhostname=a\ncandidate_master=1\n[server9]\nhostname=b\ncandidate_master=1\nport = 3307\n": "b",
	} {
		file := filepath.Join(t.TempDir(), "app.cnf")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := conf.Load(file, conf.Options{Global: file + ".none"})
		if err != nil {
			t.Fatal(err)
		}
		r, err := Make(c, nil, Options{Name: "x"})
		if err != nil {
			t.Fatal(err)
		}
		for _, n := range load(t, r).Pools[0].Nodes {
			if (n.Type == mpp.Primary) != (n.Name == want) {
				t.Errorf("%q: %s is %s", text, n.Name, n.Type)
			}
		}
	}
}

func TestSSHOptionsAreTakenApart(t *testing.T) {
	got := parseSSH("-i /k -p2222 -l ops -v -o StrictHostKeyChecking=no -oUserKnownHostsFile=/h -o ConnectTimeout=4 -o ProxyJump=gate -F /cfg -p x -o UserKnownHostsFile=/dev/null")
	want := sshOptions{
		key: "/k", knownHosts: "/h", user: "ops", port: 2222, timeout: 4 * time.Second,
		rest: []string{"-v", "-o StrictHostKeyChecking=no", "-o ProxyJump=gate", "-F /cfg", "-p x", "-o UserKnownHostsFile=/dev/null"},
	}
	if diff := cmp.Diff(want, got, cmp.AllowUnexported(sshOptions{})); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
}

func TestSecondaryChecksAreTakenApart(t *testing.T) {
	for command, want := range map[string]secondary{
		"/usr/bin/masterha_secondary_check -s a -s b --user=x --port=2222": {true, []string{"a", "b"}, "2222"},
		"masterha_secondary_check -sa --secondary_host=b --port 9":         {true, []string{"a", "b"}, "9"},
		"X=1 /x/check -s a":        {false, []string{"a"}, ""},
		"masterha_secondary_check": {true, nil, ""},
	} {
		if diff := cmp.Diff(want, parseSecondary(command), cmp.AllowUnexported(secondary{})); diff != "" {
			t.Errorf("%s: -want +got\n%s", command, diff)
		}
	}
}

func TestTheFileOfTheHelperIsFoundByItsHosts(t *testing.T) {
	c, err := conf.Load("testdata/masters.cnf", conf.Options{Global: "testdata/none"})
	if err != nil {
		t.Fatal(err)
	}
	cluster := func(file string, hosts ...string) helperconf.Cluster {
		return helperconf.Read(file, "[default]\nvip_type=none\n["+strings.Join(hosts, "]\n[")+"]\n")
	}
	for want, clusters := range map[string][]helperconf.Cluster{
		"whole": {cluster("part", "m1"), cluster("whole", "m1", "m2", "s1")},
		"part":  {cluster("other", "x"), cluster("part", "m1")},
		"":      {cluster("other", "x")},
		"two":   {cluster("a", "m1"), cluster("b", "m2")},
	} {
		found, err := Helper(c, clusters)
		switch {
		case want == "" || want == "two":
			if err == nil {
				t.Errorf("%s: %s was found", want, found.File)
			}
		case err != nil || found.File != want:
			t.Errorf("%s: %v, %v", want, found, err)
		}
	}
}
