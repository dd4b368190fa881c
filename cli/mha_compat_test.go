package cli

import (
	"encoding/json"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"

	"mpp/mha/compat"
)

// needMHA skips where MHA's packages are not, or not as they come.
func needMHA(t *testing.T) {
	t.Helper()
	if _, err := exec.LookPath("masterha_manager"); err != nil {
		fmt.Fprintf(os.Stderr, "\n*** %s: NOT TESTED: there is no masterha_manager (packaging/deps.sh all) ***\n\n", t.Name())
		t.Skip(err)
	}
	if _, err := os.Stat("/etc/perl/MHA"); err == nil {
		t.Skip("this machine's MHA has been mended: it cannot be seen failing")
	}
}

func TestCompatMistakesOnTheCommandLineReachNoHost(t *testing.T) {
	s := newStage(t)
	for line, want := range map[string]string{
		"mpp mha compat status db1:x":          "a HOST is [user@]host[:port]",
		"mpp mha compat status --dir lib":      "--dir is \"lib\"; it must be a full path",
		"mpp mha compat instal":                "did you mean mpp mha compat install?",
		"mpp mha compta":                       "did you mean mpp mha compat?",
		"mpp mha compat status --dry-run":      "unknown flag: --dry-run",
		"mpp mha compat install --timeout -1s": "--timeout is -1s",
		"mpp mha compat status --pool shoop --config testdata/files/shop.toml": "did you mean shop?",
	} {
		if got := s.run(line); !strings.Contains(got, want) || !strings.Contains(got, "[exit code 2]") {
			t.Errorf("%s: no %q, or another exit code, in:\n%s", line, want, got)
		}
	}
	for line, want := range map[string]string{
		"mpp mha compat status --pool shop --config testdata/files/none.toml": "it does not exist",
		"mpp mha compat status --pool shop --config testdata/files/bad.toml":  "mpp config check testdata/files/bad.toml shows all of it",
	} {
		if got := s.run(line); !strings.Contains(got, want) || !strings.Contains(got, "[exit code 5]") {
			t.Errorf("%s: no %q, or another exit code, in:\n%s", line, want, got)
		}
	}
}

func TestCompatOnThisHost(t *testing.T) {
	needMHA(t)
	s, dir := newStage(t), t.TempDir()
	for _, step := range []struct{ words, want, code string }{
		{"status", "localhost  0.58-1.1  0.58-1.1  ", "[exit code 1]"},
		{"status", "localhost: MHA::NodeUtil: parse_mysql_major_version('8.0.36'): Redundant argument in sprintf", "[exit code 1]"},
		{"status localhost", "not OK: MHA cannot run on 1 of 1 host: mpp mha compat install --dir " + dir + " localhost\n", "[exit code 1]"},
		{"install --dry-run", "localhost: would write " + dir + "/MHA/NodeUtil.pm, version 1\n", ""},
		{"remove", "localhost: nothing to do\n\nOK: no overlay of MPP's is left on 1 host\n", ""},
		{"install --fast", "OK: MHA can run on 1 host, with PERL5LIB=" + dir + "\n", ""},
		{"install --fast localhost localhost", "localhost: nothing to do\n\nOK: MHA can run on 1 host", ""},
		{"status", "Parallel::ForkManager  slow      version 1  ok, the overlay\n", ""},
		{"remove", "localhost: removed " + dir + "/Parallel/ForkManager.pm\n", ""},
	} {
		verb, rest, _ := strings.Cut(step.words, " ")
		got := s.run("mpp mha compat " + verb + " --dir " + dir + " " + rest)
		if !strings.Contains(got, step.want) || strings.Contains(got, "[exit code") != (step.code != "") || !strings.Contains(got, step.code) {
			t.Errorf("%s: want %q %s in:\n%s", step.words, step.want, step.code, got)
		}
	}
	if err := os.MkdirAll(dir+"/MHA", 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(dir+"/MHA/NodeUtil.pm", []byte("1;\n"), 0o600); err != nil {
		t.Fatal(err)
	}
	got := s.run("mpp mha compat install --dir " + dir)
	if !strings.Contains(got, "is there and is not MPP's: nothing was changed") || !strings.Contains(got, "[exit code 4]") {
		t.Error(got)
	}
}

// compatReports runs a command with --json.
func compatReports(t *testing.T, s *stage, words string) (reports []compat.Report, code string) {
	t.Helper()
	text := s.run("mpp mha compat " + words + " --json")
	text, code, _ = strings.Cut(text, "[exit code ")
	if err := json.Unmarshal([]byte(text), &reports); err != nil {
		t.Fatalf("%v in:\n%s", err, text)
	}
	return reports, strings.TrimSuffix(code, "]\n")
}

func keygen(t *testing.T, file, kind string) {
	t.Helper()
	out, err := exec.CommandContext(t.Context(), "ssh-keygen", "-q", "-N", "", "-t", kind, "-f", file).CombinedOutput()
	if err != nil {
		t.Fatalf("%v: %s", err, out)
	}
}

func TestCompatTellsOfEveryHostAlsoWhenOneFails(t *testing.T) {
	needMHA(t)
	home := t.TempDir()
	if err := os.Mkdir(home+"/.ssh", 0o700); err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	s.env["HOME"] = home
	keygen(t, home+"/.ssh/id_ecdsa", "ecdsa")
	if err := os.WriteFile(home+"/.ssh/known_hosts", nil, 0o600); err != nil {
		t.Fatal(err)
	}
	closed, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	address := closed.Addr().String()
	_ = closed.Close()
	reports, code := compatReports(t, s, "status --dir "+t.TempDir()+" localhost "+address)
	if len(reports) != 2 || code != "3" {
		t.Fatalf("exit code %s, %+v", code, reports)
	}
	if r := reports[0]; r.Host != "localhost" || len(r.Faulty()) != 2 || r.Error != "" {
		t.Errorf("this host: %+v", r)
	}
	want := compat.Report{
		Host: address, ErrorKind: compat.Unreached, Error: "connection refused: no sshd listens there",
		Modules: []compat.Module{}, Changes: []string{}, Notes: []string{},
	}
	if diff := cmp.Diff(want, reports[1]); diff != "" {
		t.Error(diff)
	}
}

func TestCompatTakesThePoolsHostsFromTheConfiguration(t *testing.T) {
	dir := t.TempDir()
	file := filepath.Join(dir, "mpp.toml")
	keygen(t, dir+"/key", "ed25519")
	public, err := os.ReadFile(dir + "/key.pub")
	if err != nil {
		t.Fatal(err)
	}
	for name, text := range map[string]string{"password": "secret\n", "known_hosts": "db1 " + string(public)} {
		if err := os.WriteFile(filepath.Join(dir, name), []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	text := strings.ReplaceAll(`[[pool]]
name = "shop"
[pool.account]
user = "mpp"
password_file = "DIR/password"
[pool.ssh]
user = "mha"
port = 2222
key_file = "DIR/key"
known_hosts = "DIR/known_hosts"
sudo = true
[[pool.node]]
address = "10.0.0.1:3306"
type = "PRIMARY"
[[pool.node]]
address = "[2001:db8::2]:3306"
type = "SECONDARY"
[[pool.node]]
address = "10.0.0.3:3306"
type = "SECONDARY"
ssh.host = "mgmt3"
ssh.port = 22
[[pool.node]]
address = "10.0.0.4:3306"
type = "SECONDARY"
ssh.local = true
`, "DIR", dir)
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
	sys, _, _ := newStage(t).system()
	c := &compatCommand{env: &env{sys: sys}, pool: "shop", config: file, knownHosts: "/other"}
	got, err := c.targets([]string{"localhost", "mha@10.0.0.1:2222", "db9"})
	if err != nil {
		t.Fatal(err)
	}
	key, ssh := dir+"/key", "/other"
	want := []compat.Target{
		{Local: true},
		{Host: "10.0.0.1", Port: 2222, User: "mha", KeyFile: key, KnownHosts: ssh, Sudo: true},
		{Host: "db9", KeyFile: ".ssh/id_ed25519", KnownHosts: ssh},
		{Host: "2001:db8::2", Port: 2222, User: "mha", KeyFile: key, KnownHosts: ssh, Sudo: true},
		{Host: "mgmt3", Port: 22, User: "mha", KeyFile: key, KnownHosts: ssh, Sudo: true},
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}
