package conf

import (
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"

	"mpp/fault"
	"mpp/secret"
)

// load loads a text, with none for the global file unless one is given.
func load(t testing.TB, app string, global ...string) (*Config, error) {
	t.Helper()
	dir := t.TempDir()
	write := func(name, text string) string {
		path := filepath.Join(dir, name)
		if err := os.WriteFile(path, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return path
	}
	return Load(write("app1.cnf", app), Options{Global: write("global.cnf", strings.Join(global, "\n"))})
}

// lines words problems without their folder.
func lines(list []fault.Problem) string {
	var b strings.Builder
	for _, p := range list {
		p.File = filepath.Base(p.File)
		text := p.String()
		if dir := filepath.Dir(list[0].File) + "/"; dir != "./" {
			text = strings.ReplaceAll(text, dir, "")
		}
		b.WriteString(text + "\n")
	}
	return b.String()
}

func TestServersHaveTheirTypedValues(t *testing.T) {
	c, err := Load("testdata/plain.cnf", Options{Global: "testdata/none"})
	if err != nil {
		t.Fatal(err)
	}
	base := Server{
		Port: 3306, SSHUser: "root", SSHPort: 22, SSHTimeout: 5 * time.Second, User: "mha", Password: secret.New("s3cret ;#x"),
		ReplUser: "repl", ReplPassword: secret.New("it's"), HandleRawBinlog: true, RemoteWorkdir: "/var/tmp",
		MasterBinlogDir: []string{"/var/lib/mysql", "/data/binlog"}, LogLevel: "info", ManagerWorkdir: "/var/log/mha/plain",
		ManagerLog: "/var/log/mha/plain/manager.log", CheckReplDelay: true, CheckReplFilter: true, LatestPriority: true, UseGTIDAutoPos: true,
		PingInterval: time.Second, PingType: PingSelect, ReportScript: "/usr/local/bin/report",
	}
	server := func(block, host string, line int, change func(*Server)) Server {
		s := base
		s.Block, s.At, s.Hostname, s.SSHHost = block, fault.Origin{File: "testdata/plain.cnf", Line: line}, host, host
		change(&s)
		return s
	}
	want := &Config{
		App: "plain", File: "testdata/plain.cnf",
		Defaults: server("server default", "", 2, func(*Server) {}),
		Servers: []Server{
			server("server1", "127.0.0.1", 24, func(s *Server) { s.Port, s.User, s.Password = 3307, "other", secret.Secret{} }),
			server("server2", "127.0.0.2", 19, func(s *Server) { s.CandidateMaster, s.CheckReplDelay = true, false }),
			server("server10", "127.0.0.10", 14, func(s *Server) { s.NoMaster, s.ReportScript = true, "" }),
		},
		Binlogs: []Server{server("binlog1", "127.0.0.11", 30, func(*Server) {})},
	}
	compare := cmp.Options{cmpopts.IgnoreUnexported(Server{}), cmp.Comparer(secret.Secret.Equal), cmpopts.IgnoreFields(Config{}, "Settings", "Warnings")}
	if diff := cmp.Diff(want, c, compare); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if at, set := c.Servers[0].From("ping_interval"); !set || at.Line != 11 {
		t.Errorf("ping_interval is said to be from %v, %v", at, set)
	}
	if at, set := c.Servers[0].From("log_level"); set {
		t.Errorf("log_level is said to be from %v", at)
	}
}

func TestTheGlobalFileIsBelowTheApplications(t *testing.T) {
	c, err := load(t, "[server default]\nuser=app\nreport_script=\"\"\n[server1]\nhostname=h\n", "[server default]\nuser=global\nrepl_user=r\nreport_script=/x\nping_interval=7\n[server9]\nnonsense=1\n")
	if err != nil {
		t.Fatal(err)
	}
	s := c.Servers[0]
	if s.User != "app" || s.ReplUser != "r" || s.ReportScript != "" || s.PingInterval != 7*time.Second || len(c.Servers) != 1 {
		t.Errorf("%+v", s)
	}
	if diff := cmp.Diff("global.cnf:6: [server9]: it counts for nothing: of the global file MHA reads [server default] only; write it into the application's file\n", lines(c.Warnings)); diff != "" {
		t.Error(diff)
	}
	if at, _ := s.From("repl_user"); filepath.Base(at.File) != "global.cnf" || at.Line != 3 {
		t.Errorf("repl_user is from %v", at)
	}
}

func TestEverythingWrongIsSaidAtOnce(t *testing.T) {
	for _, test := range []struct{ name, app, problems string }{
		{"names and values", `user = x
[server default]
usr = mha
pasword = tops3cret
ping_interval = "3"
ping_type = SELEKT
[server1]
hostname = a
port = 33O6
candidate_master = yes
tops3cret line
[server2]
ip = 10.0.0.2
[Server3]
hostname = c
[server4]
hostname = a
port = 1
[server5]
hostname = a
port = 1
`, `app1.cnf:1: it stands above the first [section]; write [server default] above it
app1.cnf:3: [server default] usr: MHA has no such parameter; is it user?
app1.cnf:4: [server default] pasword: MHA has no such parameter; is it password?
app1.cnf:5: [server default] ping_interval: "\"3\"" is not a number of seconds; write it without quotes
app1.cnf:6: [server default] ping_type: "SELEKT" is not a type; write SELECT, without quotes
app1.cnf:9: [server1] port: "33O6" is not a port; write a whole number from 1 to 65535
app1.cnf:10: [server1] candidate_master: "yes" is not a number: MHA would die of it when it chooses a new master; write 0 or 1
app1.cnf:11: this line is neither a [section] nor NAME = VALUE; mend it, or begin it with # if it is a comment
app1.cnf:12: [server2] hostname: the server has no hostname; write hostname = HOST
app1.cnf:14: [Server3]: MHA knows no such section; the names are [server default], [server1], [server2] and so on, and [binlog1]
app1.cnf:19: [server5]: a:1 is [server4] in app1.cnf:16 already; take one of the two out
`},
		{"no server", "[server default]\nuser=x\n", "app1.cnf: it has no section of a server; write [server1] with hostname = HOST, and so on\n"},
		{"nearly the default", "[server defaults]\nuser=x\n[server1]\nhostname=a\n", "app1.cnf:1: [server defaults]: MHA knows no such section; is it [server default]?\n"},
		{"bare server", "[server]\nhostname=a\n", "app1.cnf:1: [server]: MHA knows no such section; the names are [server default], [server1], [server2] and so on, and [binlog1]\n"},
	} {
		t.Run(test.name, func(t *testing.T) {
			_, err := load(t, test.app)
			var problems *fault.Problems
			if !errors.As(err, &problems) {
				t.Fatalf("the error is %v", err)
			}
			if diff := cmp.Diff(test.problems, lines(problems.List)); diff != "" {
				t.Errorf("-want +got\n%s", diff)
			}
			if strings.Contains(err.Error(), "tops3cret") {
				t.Errorf("a password may be in it: %v", err)
			}
		})
	}
}

func TestFilesThatCannotBeReadAreSaid(t *testing.T) {
	dir := t.TempDir()
	for file, want := range map[string]string{dir + "/none.cnf": "it does not exist", dir: "it is not a regular file"} {
		if _, err := Load(file, Options{Global: dir + "/none"}); err == nil || err.Error() != file+": "+want+"; name MHA's file of an application, and let this user read it" {
			t.Errorf("the error is %v", err)
		}
	}
}

func TestOddRulesAreWarnedOf(t *testing.T) {
	c, err := load(t, `[server default]
hostname = x
ssh_ip = 10.0.0.1
password = abc"
repl_password = a ; b
user = "'both'"
[server1]
hostname = a
ignore_fail = no
password = x
password = y
[server1]
`)
	if err != nil {
		t.Fatal(err)
	}
	want := `app1.cnf:2: [server default] hostname: it counts for nothing here; write it into the sections of the servers that are meant
app1.cnf:3: [server default] ssh_ip: it counts for nothing: MHA looks the address of ssh_host up; set ssh_host instead
app1.cnf:4: [server default] password: MHA takes the quote at its end off; if the quote is part of it, write the whole in quotes
app1.cnf:5: [server default] repl_password: MHA takes what stands behind " ; " for a comment
app1.cnf:6: [server default] user: MHA takes a quote off its end again wherever the value is handed down; write it into the sections of the servers, or do without quotes in it
app1.cnf:9: [server1] ignore_fail: "no" means yes: MHA takes everything but 0 and nothing for yes; write 0 or 1
app1.cnf:11: [server1] password: it is set in app1.cnf:10 already: this one counts; keep one of the two
app1.cnf:12: [server1]: this section began in app1.cnf:7 already: both count as one; join them
`
	if diff := cmp.Diff(want, lines(c.Warnings)); diff != "" {
		t.Errorf("-want +got\n%s", diff)
	}
	if s := c.Servers[0]; s.User != "both" || s.Password.Reveal() != "y" || !s.IgnoreFail || s.ReplPassword.Reveal() != "a" {
		t.Errorf("%+v", s)
	}
}

func TestServersAreInMHAsOrder(t *testing.T) {
	for blocks, want := range map[string]string{
		"server10 server9 server1":    "server1 server9 server10",
		"server10 server9 serverx":    "server10 server9 serverx",
		"server_b2 server_a10":        "server_b2 server_a10",
		"server2b server2a server02c": "server02c server2a server2b",
	} {
		var b strings.Builder
		for i, name := range strings.Fields(blocks) {
			fmt.Fprintf(&b, "[%s]\nhostname=h%d\n", name, i)
		}
		c, err := load(t, b.String())
		if err != nil {
			t.Fatal(err)
		}
		var got []string
		for _, s := range c.Servers {
			got = append(got, s.Block)
		}
		if strings.Join(got, " ") != want {
			t.Errorf("%s: %s, want %s", blocks, got, want)
		}
	}
}

func TestSSHOptionsOfOneCountForAll(t *testing.T) {
	c, err := load(t, "[server default]\nssh_options='-i /key'\n[server1]\nhostname=a\n[server10]\nhostname=b\nssh_options=\"-p 2\"\n[server2]\nhostname=c\nssh_options=\n")
	if err != nil {
		t.Fatal(err)
	}
	if c.SSHOptions != "-p 2" || c.SSHOptionsAt.Line != 7 {
		t.Errorf("%q from %v", c.SSHOptions, c.SSHOptionsAt)
	}
}

func TestScriptsOutputBecomesDefaults(t *testing.T) {
	values, problems, warnings := ParseScript("user=mha\npassword=a=b\nrepl_user\nping_interval=2\nping_interval=\nsecret stuff\n\n=x\nfoo=hunter2\n")
	if diff := cmp.Diff(map[string]string{"user": "mha", "password": "a"}, values); diff != "" {
		t.Error(diff)
	}
	want := []string{
		`line 6 of its output is no NAME=VALUE that MHA knows`,
		"line 7 of its output is empty",
		`line 8 of its output is no NAME=VALUE that MHA knows`,
		`line 9 of its output is no NAME=VALUE that MHA knows`,
	}
	if diff := cmp.Diff(want, problems); diff != "" {
		t.Error(diff)
	}
	if diff := cmp.Diff([]string{"line 2 of its output: MHA cuts the value of password off at its ="}, warnings); diff != "" {
		t.Error(diff)
	}
}

func TestScriptsValuesAreBelowTheServers(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "a.b.cnf")
	if err := os.WriteFile(file, []byte("[server default]\nuser=x\ninit_conf_load_script=/bin/load --all\n[server1]\nhostname=a\n[server2]\nhostname=b\npassword=own\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	asked := ""
	c, err := Load(file, Options{Global: dir + "/none", Script: func(command string) (string, error) {
		asked = command
		return "password='shared'\nuser=mha\n", nil
	}})
	if err != nil {
		t.Fatal(err)
	}
	a, b := c.Servers[0], c.Servers[1]
	if asked != "/bin/load --all" || a.User != "mha" || a.Password.Reveal() != "shared" || b.Password.Reveal() != "own" || c.App != "a.b" {
		t.Errorf("asked %q: %+v, %+v", asked, a, b)
	}
	if c, err = Load(file, Options{Global: dir + "/none"}); err != nil || !strings.Contains(lines(c.Warnings), "what it prints is missing here: it was not run") {
		t.Errorf("%v", err)
	}
	broken := func(string) (string, error) { return "", errors.New("exit status 3") }
	if _, err = Load(file, Options{Global: dir + "/none", Script: broken}); err == nil || !strings.Contains(err.Error(), "exit status 3") {
		t.Errorf("the error is %v", err)
	}
}

func TestPasswordIsNeverPrinted(t *testing.T) {
	const password = "hunter2-hunter2"
	c, err := load(t, "[server default]\npassword="+password+"\nrepl_password="+password+"\n[server1]\nhostname=a\n")
	if err != nil {
		t.Fatal(err)
	}
	s := c.Servers[0]
	if s.Password.Reveal() != password || s.ReplPassword.Reveal() != password {
		t.Fatal("the passwords were not read")
	}
	encoded, err := json.Marshal(c)
	if err != nil {
		t.Fatal(err)
	}
	type holder struct{ inner Config } // fmt cannot call methods below an unexported field
	for _, verb := range []string{"%v", "%+v", "%#v", "%s", "%q", "%x", "%d"} {
		for _, what := range []any{c, *c, holder{*c}, s, &s, s.Password, &s.Password, lines(c.Warnings), s.Text("password"), string(encoded)} {
			if printed := fmt.Sprintf(verb, what); strings.Contains(printed, password) {
				t.Errorf("%s: %s", verb, printed)
			}
		}
	}
}

// FuzzLoad holds that no text makes Load panic, that a problem has a line that the file has, and
// that what was taken has what every caller relies on.
func FuzzLoad(f *testing.F) {
	plain, err := os.ReadFile("testdata/plain.cnf")
	if err != nil {
		f.Fatal(err)
	}
	f.Add(string(plain), "")
	f.Add("[server1]\r\nhostname=a ; x\r\r\n[binlog_1]\rhostname='b'\n", "[server default]\nping_interval=2")
	f.Fuzz(func(t *testing.T, app, global string) {
		c := &Config{File: "app1.cnf", Global: "global.cnf"}
		c, err := c.take(app, global, Options{}, &reporter{})
		most := 1 + max(strings.Count(app, "\n"), strings.Count(global, "\n"))
		var problems *fault.Problems
		switch {
		case errors.As(err, &problems):
			for _, p := range problems.List {
				if p.Text == "" || p.File == "" || p.Line < 0 || p.Line > most {
					t.Errorf("problem %#v", p)
				}
			}
		case err != nil:
			t.Fatalf("the error is %T", err)
		case len(c.Servers) == 0:
			t.Error("taken, and yet there is no server")
		default:
			for _, s := range c.Servers {
				if s.Hostname == "" || s.Port == 0 || s.SSHPort == 0 || s.PingInterval <= 0 || s.SSHTimeout <= 0 || s.PingType == "" {
					t.Errorf("taken, and yet: %+v", s)
				}
			}
		}
	})
}

// FuzzParseScript holds that no output makes it panic, and that it takes only what MHA knows.
func FuzzParseScript(f *testing.F) {
	f.Add("user=a\n\npassword=b=c\n")
	f.Fuzz(func(t *testing.T, output string) {
		values, _, _ := ParseScript(output)
		for name, v := range values {
			if strings.Contains(v, "=") || !strings.Contains(output, name+"="+v) {
				t.Errorf("%q=%q from %q", name, v, output)
			}
		}
	})
}
