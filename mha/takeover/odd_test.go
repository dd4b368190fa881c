package takeover

import (
	"os"
	"path/filepath"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"

	"mpp/mha/conf"
	"mpp/mha/helperconf"
	"mpp/secret"
)

// made is what comes of two texts; helper may be empty.
func made(t testing.TB, app, helper string) Result {
	t.Helper()
	file := filepath.Join(t.TempDir(), "app.cnf")
	if err := os.WriteFile(file, []byte(app), 0o600); err != nil {
		t.Fatal(err)
	}
	c, err := conf.Load(file, conf.Options{Global: file + ".none"})
	if err != nil {
		t.Fatal(err)
	}
	var cluster *helperconf.Cluster
	if helper != "" {
		read := helperconf.Read("helper.conf", helper)
		if len(read.Problems) > 0 {
			t.Fatal(read.Problems)
		}
		cluster = &read
	}
	r, err := Make(c, cluster, Options{SSHKey: defaultKey, KnownHosts: defaultKnownHosts})
	if err != nil {
		t.Fatal(err)
	}
	return r
}

const two = "[server default]\nuser=mha\npassword=x\nrepl_user=r\nrepl_password=x\nssh_user=root\n[server1]\nhostname=a\n[server2]\nhostname=b\n"

func TestNoKeyOfTheHelpersIsLostInSilence(t *testing.T) {
	const rest = "[default]\nvip_type = metal\nwriter_vip_cidr = 10.0.0.9/24\ncluster_interface = eth9\n[a]\n[b]\n"
	for key, value := range map[string]string{
		helperconf.KeyReportEmail: "x@example.com", helperconf.KeySMTPHost: "mail.example.com", helperconf.KeySudo: "yes",
		helperconf.KeySuperReadOnly: "no", helperconf.KeyArping: "no", helperconf.KeyKillAfter: "9",
	} {
		r := made(t, two, strings.Replace(rest, "[default]\n", "[default]\n"+key+" = "+value+"\n", 1))
		if !strings.Contains(r.TOML, "# "+key+", helper.conf:2") && !strings.Contains(r.TOML, "# "+key+" (helper.conf:2): ") {
			t.Errorf("%s = %s is nowhere in\n%s", key, value, r.TOML)
		}
		load(t, r)
	}
	r := made(t, two, rest)
	for _, want := range []string{`kind = "metal"  # vip_type, helper.conf:2`, `addresses = ["10.0.0.9/32"]  # writer_vip_cidr, helper.conf:3`, `interface = "eth9"  # cluster_interface, helper.conf:4`} {
		if !strings.Contains(r.TOML, want) {
			t.Errorf("%s is not in\n%s", want, r.TOML)
		}
	}
}

func TestOddConfigurationsAreExplained(t *testing.T) {
	for _, test := range []struct{ name, app, helper, want string }{
		{"an address that nobody moves", two, "[default]\nvip_type = aws\nwriter_vip_cidr = 10.0.0.9/24\n[a]\n[b]\n", "vip_type (helper.conf:2): `metal` and `none`. `aws` and `openstack` moved nothing"},
		{"an address that is nowhere", two, "[default]\nvip_type = openstack\nwriter_vip_cidr = 10.0.0.9/24\n[a]\n[b]\n", "writer_vip_cidr (helper.conf:3): No address is moved"},
		{"a host without a section", two, "[default]\nvip_type = metal\nwriter_vip_cidr = 10.0.0.9/32\ncluster_interface = e\n[a]\n", "helper.conf has no section for b, so MHA Helper would have failed there"},
		{"a host without the address", two, "[default]\nvip_type = metal\nwriter_vip_cidr = 10.0.0.9/32\ncluster_interface = e\n[a]\n[b]\nvip_type = none\n", "b has vip_type none in MHA Helper's file"},
		{"hosts that differ", two, "[default]\nvip_type = none\nkill_after_timeout = 3\n[a]\n[b]\nkill_after_timeout = 9\n", "kill_after_timeout (helper.conf:3, :6): It differs between hosts"},
		{"no wait at all", two, "[default]\nvip_type = none\nkill_after_timeout = 0\n[a]\n[b]\n", `kill_after = "100ms"`},
		{"a script of one's own beside the helper", strings.Replace(two, "[server1]", "master_ip_failover_script=/x/own\n[server1]", 1), "[default]\nvip_type = none\n[a]\n[b]\n", "/x/own is not MHA Helper's"},
		{"the helper was forgotten", strings.Replace(two, "[server1]", "master_ip_failover_script=/usr/bin/master_ip_hard_failover_helper\n[server1]", 1), "", "run mpp import mha with --helper"},
		{"another program asks", strings.Replace(two, "[server1]", "secondary_check_script=/x/ask --all\n[server1]", 1), "", "/x/ask --all is not run: the replicas are the witnesses"},
		{"nobody is asked", strings.Replace(two, "[server1]", "secondary_check_script=masterha_secondary_check\n[server1]", 1), "", "It names no host with -s"},
		{"who becomes root", strings.Replace(two, "ssh_user=root", "ssh_user=ops", 1), "", "write sudo = true in [pool.ssh]"},
		{"a script that nobody ran", "[server default]\ninit_conf_load_script=/x/load\n[server1]\nhostname=a\n", "", `password_file = "app.password"`},
		{"addresses of IPv6", "[server1]\nhostname=a\nip=2001:db8::1\n[server2]\nhostname=2001:db8::2\n", "", `address = "[2001:db8::2]:3306"`},
		{"names that are the host of another", "[server1]\nhostname=db1\n[server2]\nhostname=db1.example.com\n", "", "[[pool.node]]\naddress = \"db1:3306\""},
		{"two servers on one host", "[server1]\nhostname=db1\n[server2]\nhostname=db1\nport=3307\n", "", "[[pool.node]]\naddress = \"db1:3307\""},
		{"intervals that differ", "[server1]\nhostname=a\nping_interval=5\n[server2]\nhostname=b\nping_interval=2\n", "", `interval = "2s"  # ping_interval, app.cnf:3`},
	} {
		t.Run(test.name, func(t *testing.T) {
			r := made(t, test.app, test.helper)
			one := strings.Join(strings.Fields(strings.ReplaceAll(r.TOML, "\n#", " ")), " ")
			if want := strings.Join(strings.Fields(test.want), " "); !strings.Contains(one, want) {
				t.Errorf("%q is not in\n%s", test.want, r.TOML)
			}
			r.Files = append(r.Files, File{Path: "app.password", Password: secret.New("x")})
			load(t, r)
		})
	}
}

// FuzzMake holds that whatever MHA takes becomes TOML, and that no password is in it.
func FuzzMake(f *testing.F) {
	f.Add(two)
	f.Add("[server1]\nhostname=a\nnode_label=\x01\x7f\\u0000\"\nuser=\"'\\\"\npassword=tops3cret\nssh_options=-i ~/k\n")
	for _, name := range []string{"everything", "users", "special", "binlogs", "masters", "disabled"} {
		text, err := os.ReadFile("testdata/" + name + ".cnf")
		if err != nil {
			f.Fatal(err)
		}
		f.Add(string(text))
	}
	f.Fuzz(func(t *testing.T, text string) {
		file := filepath.Join(t.TempDir(), "app.cnf")
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		c, err := conf.Load(file, conf.Options{Global: file + ".none"})
		if err != nil {
			return
		}
		r, err := Make(c, nil, Options{})
		if err != nil {
			return
		}
		var raw map[string]any
		if _, err := toml.Decode(r.TOML, &raw); err != nil {
			t.Fatalf("%v\n%s", err, r.TOML)
		}
		if strings.Contains(r.TOML, "tops3cret") && strings.Count(text, "tops3cret") == 1 && c.Servers[0].Password.Reveal() == "tops3cret" {
			t.Errorf("a password is in\n%s", r.TOML)
		}
	})
}
