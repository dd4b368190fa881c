package conf

import (
	"encoding/json"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"github.com/google/go-cmp/cmp"
)

// original is what MHA's own module makes of the files.
type original struct {
	Refused string              `json:"refused"`
	Servers []map[string]string `json:"servers"`
	Binlogs []map[string]string `json:"binlogs"`
	Options string              `json:"options"`
}

func needMHA(t *testing.T) {
	t.Helper()
	if out, err := exec.Command("perl", "-MMHA::Config", "-e", "1").CombinedOutput(); err != nil {
		t.Skipf("MHA is not installed here (apt-get install mha4mysql-manager): %s", out)
	}
}

// pair is an application's text and the global one.
type pair struct{ app, global string }

// files writes a pair.
func (p pair) files(t *testing.T) (app, global string) {
	t.Helper()
	dir := t.TempDir()
	app, global = filepath.Join(dir, "app.cnf"), filepath.Join(dir, "global.cnf")
	for name, text := range map[string]string{app: p.app, global: p.global} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	return app, global
}

// compareAll reads pairs with MHA and here, and tells how many both have taken.
func compareAll(t *testing.T, pairs []pair) int {
	t.Helper()
	args := []string{"testdata/read.pl"}
	for _, p := range pairs {
		app, global := p.files(t)
		args = append(args, app, global)
	}
	out, err := exec.Command("perl", args...).Output()
	var exit *exec.ExitError
	if errors.As(err, &exit) {
		t.Fatalf("perl: %v: %s", err, exit.Stderr)
	}
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSuffix(string(out), "\n"), "\n")
	if len(lines) != len(pairs) {
		t.Fatalf("MHA has read %d of %d files:\n%s", len(lines), len(pairs), out)
	}
	taken := 0
	for i, p := range pairs {
		var o original
		if err := json.Unmarshal([]byte(lines[i]), &o); err != nil {
			t.Fatalf("read what MHA made of it: %v\n%s", err, lines[i])
		}
		if compareWithMHA(t, p, o, args[1+2*i:]) {
			taken++
		}
	}
	return taken
}

// asOriginal is what this package made of the files, in the same words.
func asOriginal(c *Config) original {
	of := func(list []Server) []map[string]string {
		out := []map[string]string{}
		for i := range list {
			m := map[string]string{"id": list[i].Block}
			for _, p := range Parameters() {
				if v := list[i].level[p.Name]; v.given {
					m[p.Name] = v.text
				}
			}
			m["password"] = list[i].Password.Reveal()
			if _, given := m["repl_password"]; given {
				m["repl_password"] = list[i].ReplPassword.Reveal()
			}
			out = append(out, m)
		}
		return out
	}
	return original{Servers: of(c.Servers), Binlogs: of(c.Binlogs)}
}

// like drops what MHA computes: the addresses that it looks up, its own user, escaped forms.
func like(list []map[string]string, ours []map[string]string) []map[string]string {
	for i, m := range list {
		for name := range m {
			own := i < len(ours)
			switch {
			case strings.Contains(name, "escaped_"), name == "ssh_ip":
				delete(m, name)
			case own && (name == "ip" || name == "ssh_host") && ours[i][name] == "":
				delete(m, name)
				delete(ours[i], name)
			case own && name == "ssh_user" && ours[i][name] == "":
				delete(m, name)
				delete(ours[i], name)
			}
		}
	}
	for _, m := range ours {
		delete(m, "ssh_ip")
	}
	return list
}

// compareWithMHA holds what is made of a pair against what MHA made of it; files are where it is.
func compareWithMHA(t *testing.T, p pair, want original, files []string) (taken bool) {
	t.Helper()
	app, global, file, globalFile := p.app, p.global, files[0], files[1]
	c, err := Load(file, Options{Global: globalFile})
	if strings.Contains(want.Refused, "Failed to get IP address") {
		return false // this asks no DNS
	}
	if err != nil && (strings.Contains(err.Error(), "would die of it") || strings.Contains(err.Error(), "is not a port")) {
		return false // MHA finds that out later, in the middle of a failover
	}
	if (err != nil) != (want.Refused != "") {
		t.Fatalf("MHA says %q, this says %v, of\n%q\nand\n%q", want.Refused, err, app, global)
	}
	if err != nil {
		return false
	}
	got := asOriginal(c)
	want.Servers, want.Binlogs = like(want.Servers, got.Servers), like(want.Binlogs, got.Binlogs)
	options := want.Options
	want.Options = ""
	if diff := cmp.Diff(want, got); diff != "" {
		t.Fatalf("-MHA +this\n%s\nof\n%q\nand\n%q", diff, app, global)
	}
	if c.SSHOptions != "" && !strings.HasSuffix(options, " "+c.SSHOptions) || (c.SSHOptions == "") != (options == "") {
		t.Fatalf("MHA's ssh_options %q, here %q, of\n%q\nand\n%q", options, c.SSHOptions, app, global)
	}
	return true
}

func TestMHAReadsTheSame(t *testing.T) {
	needMHA(t)
	files, err := filepath.Glob("testdata/*.cnf")
	if err != nil || len(files) == 0 {
		t.Fatalf("%v, %d files", err, len(files))
	}
	var pairs []pair
	for _, file := range files {
		text, err := os.ReadFile(file)
		if err != nil {
			t.Fatal(err)
		}
		pairs = append(pairs, pair{app: string(text)})
	}
	if taken := compareAll(t, pairs); taken != len(pairs) {
		t.Errorf("%d of %d files are taken", taken, len(pairs))
	}
}

// TestMHAReadsTheSameOfWhatNobodyWrites makes files up from what the rules are about.
func TestMHAReadsTheSameOfWhatNobodyWrites(t *testing.T) {
	needMHA(t)
	seed := rand.Uint64()
	t.Logf("seed %d", seed)
	r := rand.New(rand.NewPCG(seed, 1))
	pairs := make([]pair, 100)
	for i := range pairs {
		pairs[i] = pair{invented(r, true), invented(r, false)}
	}
	if compareAll(t, pairs) == 0 {
		t.Error("none of the files was taken: that shows little")
	}
}

func pick(r *rand.Rand, list ...string) string { return list[r.IntN(len(list))] }

// invented is a file that MHA takes more often than not.
func invented(r *rand.Rand, app bool) string {
	var b strings.Builder
	end := pick(r, "\n", "\n", "\r\n", "\r", "\r\r\n")
	line := func(text string) { b.WriteString(text + end) }
	line(pick(r, "[server default]", " [ server default ] ", "# first\n[server default]", "[server default] ; all of them", "[server default] "))
	params := func(own bool) {
		for range r.IntN(9) {
			line(inventedLine(r, own))
		}
	}
	params(false)
	if app {
		for i := range 1 + r.IntN(4) {
			id := fmt.Sprint(i + 1)
			line("[" + pick(r, "server"+id, "server_"+id, "server0"+id, "serverx"+id, "server"+id+"1", "binlog"+id, "server"+pick(r, "a", "b", id)) + "]")
			line("hostname = 127.0.0." + id)
			if r.IntN(2) == 0 {
				line("ip = 10.0.0." + id)
			}
			params(true)
		}
	}
	if r.IntN(40) == 0 {
		line(pick(r, "[other]", "nonsense", "= x", "[]", "[server default"))
	}
	return b.String()
}

func inventedLine(r *rand.Rand, own bool) string {
	var name, value string
	switch r.IntN(8) {
	case 0:
		name, value = pick(r, "candidate_master", "no_master", "ignore_fail", "check_repl_delay", "latest_priority"), pick(r, "0", "1", "", `"1"`, "'0'")
	case 1:
		name, value = pick(r, "ping_interval", "ssh_connection_timeout"), pick(r, "1", "3", "007", "5", "10", pick(r, "1", "2", "3", `"3"`, "0", "x", ""))
	case 2:
		name, value = "ping_type", pick(r, "select", "CONNECT", "Insert", pick(r, "SELECT", "SELECT", "SELECT", "x", `"SELECT"`))
	case 3:
		name, value = pick(r, "ssh_options", "ssh_host", "ssh_user", "node_label"), pick(r, `'-i /x -p 22'`, "", `"`, "localhost", "-v", "0")
		if name == "ssh_host" {
			value = pick(r, "localhost", "127.0.0.9", `127.0.0.9`)
		}
		if !own && name == "ssh_host" {
			name = "ssh_options"
		}
	case 4:
		name, value = "master_binlog_dir", pick(r, "/a, /b", "/a ,/b", "", `"/a"`, "/a\t/b")
	case 5:
		name, value = pick(r, "port", "ssh_port"), pick(r, "3306", "3307", `"3308"`)
	default:
		name = pick(r, "user", "password", "repl_user", "repl_password", "manager_log", "remote_workdir", "report_script", "master_ip_failover_script", "client_bindir", "log_level", "master_pid_file")
		value = pick(r, "abc", "", `""`, `''`, `"a b"`, `"'a'"`, `""x""`, `a"`, `"a`, `a ; b`, `a; b`, `a ;b`, "a ; ", "a # b", "a=b", "=", `'a"`, "ä", `"`, "0", `"0"`, `x"'`, "a \x0b", "/bin/x --y='z'")
	}
	return pick(r, "", "", " ", "\t", "\v") + name + pick(r, "=", " = ", "\t=", "= ", " =\t ") + value + pick(r, "", "", " ", "\t", " ; note", " ;note")
}
