package helperconf

import (
	"errors"
	"net/netip"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mpp/fault"
)

// whole is the example of MHA Helper's own documentation.
const whole = `[default]
requires_sudo               = yes
vip_type                    = metal
writer_vip_cidr             = 192.168.10.155/24
cluster_interface           = eth1
super_read_only             = no
requires_arping             = yes
report_email                = me@example.net
smtp_host                   = localhost
kill_after_timeout          = 5

[db10]
cluster_interface           = eth10

[db11]

[db12]
report_email                = notify@host-db12.com
smtp_host                   = localhost2
requires_sudo               = no
`

func told(list []fault.Problem) string {
	var b strings.Builder
	for _, p := range list {
		b.WriteString(p.String() + "\n")
	}
	return b.String()
}

func TestHostsHaveTheirOwnValuesOverTheDefault(t *testing.T) {
	c := Read("orders.conf", whole)
	base := Host{
		Name: "default", VIP: netip.MustParsePrefix("192.168.10.155/24"), VIPType: VIPMetal, Interface: "eth1", Sudo: true, Arping: true,
		KillAfter: 5 * time.Second, ReportEmail: "me@example.net", SMTPHost: "localhost", At: fault.Origin{File: "orders.conf", Line: 1},
	}
	db10, db11, db12 := base, base, base
	db10.Name, db10.Interface, db10.At.Line = "db10", "eth10", 12
	db11.Name, db11.At.Line = "db11", 15
	db12.Name, db12.ReportEmail, db12.SMTPHost, db12.Sudo, db12.At.Line = "db12", "notify@host-db12.com", "localhost2", false, 17
	want := Cluster{File: "orders.conf", Default: base, Hosts: []Host{db10, db11, db12}}
	if diff := cmp.Diff(want, c, cmpopts.IgnoreUnexported(Host{}), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if at, set := c.Hosts[0].From(KeyInterface); !set || at.Line != 13 {
		t.Errorf("the interface of db10 is said to be from %v, %v", at, set)
	}
	if at, set := c.Hosts[0].From(KeyVIP); !set || at.Line != 4 {
		t.Errorf("the address of db10 is said to be from %v, %v", at, set)
	}
}

func TestWhatMHAHelperHadNoDefaultForHasOne(t *testing.T) {
	c := Read("f", "[default]\nwriter_vip_cidr = fd00::9\ncluster_interface = eth0\n[a]\n")
	if len(c.Problems) > 0 {
		t.Fatal(told(c.Problems))
	}
	h := c.Hosts[0]
	got := Host{
		Name: "a", VIP: netip.MustParsePrefix("fd00::9/128"), VIPType: VIPMetal, Interface: "eth0", Arping: true, SuperReadOnly: true,
		KillAfter: 5 * time.Second, SMTPHost: "localhost", At: fault.Origin{File: "f", Line: 4},
	}
	if diff := cmp.Diff(got, h, cmpopts.IgnoreUnexported(Host{}), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
	if c := Read("f", "[default]\n[a]\n"); len(c.Problems) > 0 || c.Hosts[0].VIPType != VIPNone {
		t.Errorf("%v, problems %s", c.Hosts, told(c.Problems))
	}
}

func TestEverythingWrongIsSaidAtOnce(t *testing.T) {
	for _, test := range []struct{ name, text, problems, warnings string }{
		{name: "values of [default]", text: `[default]
writer_vip_cidr = 10.0.0.300/24
vip_type = metall
report_email = nobody
smtp_host = -x-
requires_sudo = maybe
super_read_only =
requires_arping = 1
cluster_interface = eth0; reboot
kill_after_timeout = -1
[a]
`, problems: `f:2: [default] writer_vip_cidr: "10.0.0.300/24" is not an address; write ADDRESS/LENGTH, such as 192.168.10.155/24; it may be an IPv6 address
f:3: [default] vip_type: "metall" is not a type; is it metal?
f:6: [default] requires_sudo: "maybe" is neither yes nor no; write yes or no
f:7: [default] super_read_only: "" is neither yes nor no; write yes or no
f:8: [default] requires_arping: "1" is neither yes nor no; write yes or no
f:9: [default] cluster_interface: "eth0; reboot" is not the name of an interface; write its name as ` + "`ip link`" + ` shows it, such as eth0
f:10: [default] kill_after_timeout: "-1" is not a number of seconds; write a whole number from 0 to 86400, such as 5
`, warnings: `f:4: [default] report_email: "nobody" is not a mail address: nobody gets the report; write one, such as dba@example.com
f:5: [default] smtp_host: "-x-" is not the name of a host: localhost is asked instead; write the mail server's name
`},
		{name: "values of hosts are judged, too", text: `[default]
vip_type = none
[a]
requires_sudo = oui
kill_after_timeout = soon
[b]
vip_type = metal
`, problems: `f:4: [a] requires_sudo: "oui" is neither yes nor no; write yes or no
f:5: [a] kill_after_timeout: "soon" is not a number of seconds; write a whole number from 0 to 86400, such as 5
f:6: [b] cluster_interface: vip_type is "metal", and no interface is named; write cluster_interface = eth0, or what ` + "`ip link`" + ` shows, in [default] or here
f:6: [b] writer_vip_cidr: vip_type is "metal", and there is no address; write writer_vip_cidr = ADDRESS/LENGTH in [default], or vip_type = none
`},
		{name: "names", text: "[default]\nvip_type = none\nreport_mail = a@b\nsupport = x\n[a]\n", warnings: `f:3: [default] report_mail: there is no such key: it counts for nothing, as with MHA Helper; is it report_email?
f:4: [default] support: there is no such key: it counts for nothing, as with MHA Helper; the keys are writer_vip_cidr, vip_type, report_email, smtp_host, requires_sudo, super_read_only, requires_arping, cluster_interface, kill_after_timeout
`},
		{name: "no default", text: "[Default]\nvip_type = none\n[a]\n", problems: "f:1: [Default] is taken for a host; write [default], in small letters, with what all hosts have in common\n"},
		{name: "nothing at all", text: "# later\n", problems: "f: there is no section [default]; write [default], in small letters, with what all hosts have in common\n"},
		{name: "no host", text: "[default]\nvip_type = none\n", problems: "f: it has no section of a host; write [HOST] for each host of the cluster, with the hostname that is in MHA's configuration\n"},
		{name: "no section", text: "vip_type = none\n[default]\n", problems: "f:1: this line stands above the first [section]; write [default] above it\n"},
		{name: "lines that are nothing", text: "[default]\nvip_type = none\nnonsense\n[a]\n", problems: "f:3: [default]: \"nonsense\" is neither a [section] nor KEY = VALUE; mend it, or begin it with # if it is a comment\n"},
		{
			name: "indented lines belong to the value above", text: "[default]\nvip_type = none\n [a]\n  # really\n[b]\n",
			problems: "f:3: [default] vip_type: this line is indented, so it belongs to the value above it; begin it at the start of the line\n",
			warnings: "f:4: [default] vip_type: MHA Helper took this indented comment for a part of the value above it; MPP does not; begin comments at the start of a line\n",
		},
		{
			name: "twice", text: "[default]\nvip_type = none\n[a]\n[a]\nvip_type = none\nVIP_TYPE: none\n",
			warnings: "f:4: [a]: this section began on line 3 already: both count as one; join them\nf:6: [a] vip_type: it is set on line 5 already: this one counts; keep one of the two\n",
		},
		{
			name: "the address is the cluster's", text: "[default]\nvip_type = metal\nwriter_vip_cidr = 10.0.0.1/24\ncluster_interface = e\n[a]\nwriter_vip_cidr = 10.0.0.2/24\n[b]\nwriter_vip_cidr = 10.0.0.1/24\n",
			warnings: "f:6: [a] writer_vip_cidr: the address is that of the whole cluster: the one of this host counts for nothing, as with MHA Helper; write it in [default], or take it out here\n",
		},
	} {
		t.Run(test.name, func(t *testing.T) {
			c := Read("f", test.text)
			if diff := cmp.Diff(test.problems, told(c.Problems)); diff != "" {
				t.Errorf("problems: -want +got\n%s", diff)
			}
			if diff := cmp.Diff(test.warnings, told(c.Warnings)); diff != "" {
				t.Errorf("warnings: -want +got\n%s", diff)
			}
		})
	}
}

func TestLinesAreReadAsPythonReadThem(t *testing.T) {
	for text, want := range map[string]string{
		"cluster_interface = eth0":                                              "eth0",
		"cluster_interface:eth0":                                                "eth0",
		"Cluster_Interface=eth0":                                                "eth0",
		"cluster_interface = eth0 ; the lan":                                    "eth0",
		"cluster_interface = eth0;lan":                                          "eth0;lan",
		"cluster_interface = eth0;lan ;x":                                       "eth0;lan ;x", // the first ; only
		"cluster_interface = eth0 # lan":                                        "eth0 # lan",
		"cluster_interface = eth0\r":                                            "eth0",
		"cluster_interface = \"\"":                                              "",
		"cluster_interface = \"eth0\"":                                          "\"eth0\"",
		"cluster_interface \t = \t eth0\v\f ":                                   "eth0",
		"cluster_interface = a=b:c":                                             "a=b:c",
		"cluster_interface = ; none \r":                                         "",
		"cluster_interface = ; none":                                            "; none",
		"; cluster_interface = x\nrem x\nREM y = z\n# z\ncluster_interface = e": "e",
	} {
		d := parse("f", "[s]\n"+text)
		if got := d.sections[0].options[KeyInterface].value; got != want || len(d.problems) > 0 {
			t.Errorf("%q: %q, want %q, problems %s", text, got, want, told(d.problems))
		}
	}
}

func TestDEFAULTCountsEverywhere(t *testing.T) {
	c := Read("f", "[DEFAULT]\nvip_type = none\nkill_after_timeout = 7\nrequires_sudo = yes\n[default]\nkill_after_timeout = 9\n[a]\nrequires_sudo = no\n")
	if len(c.Problems) > 0 {
		t.Fatal(told(c.Problems))
	}
	h := c.Hosts[0]
	// RawConfigParser finds the key in the host's section by [DEFAULT], so [default] is not asked.
	if c.Default.KillAfter != 9*time.Second || h.KillAfter != 7*time.Second || h.Sudo {
		t.Errorf("default %v, host %v, sudo %v", c.Default.KillAfter, h.KillAfter, h.Sudo)
	}
}

func write(t *testing.T, files map[string]string) string {
	t.Helper()
	dir := t.TempDir()
	for name, text := range files {
		path := filepath.Join(dir, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o755); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return dir
}

const plain = "[default]\nvip_type = none\n"

func TestEveryConfIsReadAndTheBadOneDoesNotHideTheOthers(t *testing.T) {
	dir := write(t, map[string]string{"a.conf": whole, "x/y/b.conf": plain + "[db20]\n", "c.conf": "[default]\nvip_type = metal\n[db30]\n", "notes.txt": "x", "old.conf.bak": "x"})
	if err := os.Mkdir(filepath.Join(dir, "odd.conf.d"), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.Symlink("nowhere", filepath.Join(dir, "gone.conf")); err != nil {
		t.Fatal(err)
	}
	clusters, err := Load(dir)
	var problems *fault.Problems
	if !errors.As(err, &problems) {
		t.Fatalf("the error is %v", err)
	}
	want := "c.conf:3: [db30] cluster_interface|c.conf:3: [db30] writer_vip_cidr|gone.conf: "
	var got []string
	for _, p := range problems.List {
		p.File = strings.TrimPrefix(p.File, dir+"/")
		got = append(got, p.Origin.String()+": "+p.Key)
	}
	if diff := cmp.Diff(want, strings.Join(got, "|")); diff != "" {
		t.Error(diff)
	}
	for _, host := range []string{"db10", "db20"} {
		c, err := Find(clusters, host)
		if err != nil || c.Usable() != nil {
			t.Errorf("%s: %v", host, err)
		}
	}
	if c, err := Find(clusters, "db30"); err != nil || c.Usable() == nil {
		t.Errorf("db30 is usable, or not there: %v", err)
	}
}

func TestAFolderWithoutFilesIsAProblem(t *testing.T) {
	for _, dir := range []string{t.TempDir(), filepath.Join(t.TempDir(), "none")} {
		if clusters, err := Load(dir); err == nil || len(clusters) > 0 || !strings.Contains(err.Error(), dir) {
			t.Errorf("%v, %v", clusters, err)
		}
	}
}

func TestAHostOfTwoClustersIsFoundByTheOthers(t *testing.T) {
	dir := write(t, map[string]string{"a.conf": plain + "[db1]\n[a2]\n[a3]\n", "b.conf": plain + "[db1]\n[b2]\n[a3]\n"})
	clusters, err := Load(dir)
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range clusters {
		if len(c.Warnings) != 2 {
			t.Errorf("%s warns: %s", c.File, told(c.Warnings))
		}
	}
	if c, err := Find(clusters, "db1", "b2"); err != nil || filepath.Base(c.File) != "b.conf" {
		t.Errorf("%v, %v", c, err)
	}
	if _, err := Find(clusters, "db1", "a3"); !errors.Is(err, ErrAmbiguous) {
		t.Errorf("the error is %v", err)
	}
	if _, err := Find(clusters, "db1", "b2", "nobody"); !errors.Is(err, ErrNoHost) {
		t.Errorf("the error is %v", err)
	}
}

func TestAddressesThatNobodyMovesAreNoSuccess(t *testing.T) {
	c := Read("f", "[default]\nvip_type = aws\nwriter_vip_cidr = 10.0.0.1/24\n[a]\n[b]\nvip_type = none\n")
	err := c.Usable()
	if len(c.Problems) > 0 || err == nil || err.Error() != `f:2: vip_type: MPP does not move addresses of the type "aws"; MHA Helper did not either, and said that it had; write metal, or none and move the address by a program of your own` {
		t.Errorf("%v, %s", err, told(c.Problems))
	}
}

// FuzzRead holds that no text makes Read panic, and that what it takes has no empty values where
// a hook needs one.
func FuzzRead(f *testing.F) {
	f.Add(whole)
	f.Add("[default]\nvip_type=metal\n\n[x]\n k: v ; c\n")
	f.Fuzz(func(t *testing.T, text string) {
		c := Read("f", text)
		lines := 1 + strings.Count(text, "\n")
		for _, p := range append(c.Problems, c.Warnings...) {
			if p.Text == "" || p.File != "f" || p.Line < 0 || p.Line > lines {
				t.Errorf("problem %#v", p)
			}
		}
		if len(c.Problems) > 0 {
			return
		}
		for _, h := range c.Hosts {
			if h.Name == "" || h.VIPType == "" || h.SMTPHost == "" || h.KillAfter < 0 || h.VIPType == VIPMetal && (h.Interface == "" || !h.VIP.IsValid()) {
				t.Errorf("taken, and yet: %+v", h)
			}
		}
	})
}
