package compat_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/lab"
	"mpp/sandbox/lab/labtest"
)

// checkLimit bounds one masterha_check_repl, which takes about seven seconds.
const checkLimit = 2 * time.Minute

// sshPort is that of the sshds which see an /etc/perl of their own; the lab's own has 22.
const sshPort = "2222"

// ownPerl is a shell script that runs its arguments with another folder as /etc/perl: hosts of a
// lab share the machine's files.
const ownPerl = `mount --bind "$1" /etc/perl && shift && exec "$@"`

// mhaLab is a lab with real servers and MHA's own programs, as Debian packages them, in which each
// host has an /etc/perl of its own.
type mhaLab struct {
	*lab.Lab
	t              *testing.T
	dir, mpp, conf string
	// hidden is put over the machine's client program on the servers' hosts.
	hidden string
	// nodes are the servers' hosts as mpp's command line names them.
	nodes []string
}

func newMHALab(t *testing.T, flavour sandbox.Flavour) *mhaLab {
	t.Helper()
	for _, program := range []string{"masterha_check_repl", "apply_diff_relay_logs", "mysql"} {
		if _, err := exec.LookPath(program); err != nil {
			fmt.Fprintf(os.Stderr, "\n*** %s: NOT TESTED: there is no %s (packaging/deps.sh all) ***\n\n", t.Name(), program)
			t.Skip(err)
		}
	}
	l := &mhaLab{Lab: labtest.Up(t, lab.Options{Flavour: flavour, Args: []string{"--relay-log-purge=0"}}), t: t, dir: t.TempDir()}
	l.mpp, l.conf = l.dir+"/mpp", l.dir+"/app.cnf"
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", l.mpp, "mpp/cmd/mpp").CombinedOutput(); err != nil {
		t.Fatalf("build mpp: %v\n%s", err, out)
	}
	l.perlOf(l.Manager())
	if flavour != sandbox.MariaDB1011 {
		l.ownClient()
	}
	for _, h := range l.Pools[0].Hosts {
		l.startSshd(h)
		l.nodes = append(l.nodes, net.JoinHostPort(h.Address.String(), sshPort))
	}
	l.write("known_hosts", l.knownHosts())
	l.makeAccount()
	l.write("app.cnf", l.settings())
	return l
}

// ownClient gives the servers' hosts the client of their server, mariadb, and no mysql: both names
// are of one program on this machine, which they cannot run then.
func (l *mhaLab) ownClient() {
	l.t.Helper()
	program, err := l.Pools[0].Servers[0].Base().Program("mariadb")
	if err != nil {
		l.t.Fatal(err)
	}
	script := "#!/bin/sh\nexec '" + program + "' \"$@\"\n"
	if err := os.WriteFile(filepath.Join(l.Dir(), "bin", "mariadb"), []byte(script), 0o755); err != nil {
		l.t.Fatal(err)
	}
	l.hidden = filepath.Join(l.dir, "hidden")
	l.write("hidden", "")
}

// perlOf makes a host's own /etc/perl and returns where it is.
func (l *mhaLab) perlOf(h *lab.Host) string {
	l.t.Helper()
	folder := filepath.Join(l.dir, "perl-"+h.Name)
	if err := os.MkdirAll(folder, 0o755); err != nil {
		l.t.Fatal(err)
	}
	return folder
}

func (l *mhaLab) read(file string) string {
	l.t.Helper()
	text, err := os.ReadFile(file)
	if err != nil {
		l.t.Fatal(err)
	}
	return string(text)
}

func (l *mhaLab) write(name, text string) {
	l.t.Helper()
	if err := os.WriteFile(filepath.Join(l.dir, name), []byte(text), 0o600); err != nil {
		l.t.Fatal(err)
	}
}

// startSshd starts a second sshd, as the lab's is but for the port and /etc/perl. It ends with the
// lab.
func (l *mhaLab) startSshd(h *lab.Host) {
	l.t.Helper()
	settings := "ListenAddress " + net.JoinHostPort(h.Address.String(), sshPort) + "\n"
	for line := range strings.Lines(l.read(filepath.Join(l.Dir(), "ssh", h.Name+".conf"))) {
		if !strings.HasPrefix(line, "ListenAddress ") {
			settings += line
		}
	}
	l.write(h.Name+".conf", settings)
	ctx, cancel := context.WithTimeout(l.t.Context(), 10*time.Second)
	defer cancel()
	// Without -D it goes to the background by itself, when it listens.
	script, args := ownPerl, []string{"sh", l.perlOf(h)}
	if l.hidden != "" {
		script, args = `mount --bind "$1" /usr/bin/mariadb && shift && `+ownPerl, []string{"sh", l.hidden, l.perlOf(h)}
	}
	args = append(append([]string{"unshare", "--mount", "sh", "-c", script}, args...), "/usr/sbin/sshd", "-f", filepath.Join(l.dir, h.Name+".conf"))
	_, err := h.Exec(ctx, args...)
	if err != nil {
		l.t.Fatal(err)
	}
	err = sandbox.Eventually(ctx, 5*time.Millisecond, func(ctx context.Context) error {
		conn, err := h.Dial(ctx, "tcp", net.JoinHostPort(h.Address.String(), sshPort))
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		l.t.Fatal(err)
	}
}

// knownHosts are the lab's, for the other port.
func (l *mhaLab) knownHosts() string {
	var b strings.Builder
	for line := range strings.Lines(l.read(l.KnownHosts())) {
		names, key, _ := strings.Cut(line, " ")
		address, _, _ := strings.Cut(names, ",")
		fmt.Fprintf(&b, "[%s]:%s %s", address, sshPort, key)
	}
	return b.String()
}

func (l *mhaLab) makeAccount() {
	l.t.Helper()
	source := l.Pools[0].Servers[0]
	for _, statement := range []string{"CREATE USER mha IDENTIFIED BY 'mha-secret'", "GRANT ALL ON *.* TO mha"} {
		if _, err := source.Root().ExecContext(l.t.Context(), statement); err != nil {
			l.t.Fatal(err)
		}
	}
	if err := l.Pools[0].CatchUp(l.t.Context(), source); err != nil {
		l.t.Fatal(err)
	}
}

// settings is MHA's configuration file.
func (l *mhaLab) settings() string {
	p := l.Pools[0]
	var b strings.Builder
	fmt.Fprintf(&b, "[server default]\nuser=mha\npassword=mha-secret\nrepl_user=%s\nrepl_password=%s\n", p.Repl.User, p.Repl.Password)
	fmt.Fprintf(&b, "ssh_user=root\nssh_port=%s\nmanager_workdir=%s/work\nremote_workdir=%s/remote\n", sshPort, l.dir, l.dir)
	for i, h := range p.Hosts {
		var binlog string
		if err := h.Server().Root().QueryRowContext(l.t.Context(), "SELECT @@log_bin_basename").Scan(&binlog); err != nil {
			l.t.Fatal(err)
		}
		fmt.Fprintf(&b, "[server%d]\nhostname=%s\nmaster_binlog_dir=%s\nssh_options=-i %s -o UserKnownHostsFile=%s/known_hosts\n",
			i+1, h.Address, filepath.Dir(binlog), l.KeyFile(), l.dir)
	}
	return b.String()
}

// on runs a command on the manager's host, and returns what it says and its exit code.
func (l *mhaLab) on(words ...string) (string, int) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), checkLimit)
	defer cancel()
	manager := l.Manager()
	cmd := manager.Command(ctx, append([]string{"unshare", "--mount", "sh", "-c", ownPerl, "sh", l.perlOf(manager)}, words...)...)
	out, err := cmd.CombinedOutput()
	var ended *exec.ExitError
	if err != nil && !errors.As(err, &ended) {
		l.t.Fatalf("%v: %v", words, err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// compat runs mpp mha compat on the manager's host, which must end with an exit code.
func (l *mhaLab) compat(want int, words ...string) string {
	l.t.Helper()
	args := append([]string{l.mpp, "mha", "compat"}, words...)
	args = append(args, "--key", l.KeyFile(), "--known-hosts", l.dir+"/known_hosts")
	out, code := l.on(args...)
	l.t.Logf("mpp mha compat %s: exit code %d\n%s", strings.Join(words, " "), code, out)
	if code != want {
		l.t.Errorf("mpp mha compat %s: exit code %d, want %d", strings.Join(words, " "), code, want)
	}
	return out
}

// onNodes are words with all nodes after them.
func (l *mhaLab) onNodes(words ...string) []string { return append(words, l.nodes...) }

// onAll are words with this host and all nodes after them.
func (l *mhaLab) onAll(words ...string) []string { return l.onNodes(append(words, "localhost")...) }

// check runs masterha_check_repl, which must end with an exit code and say some things.
func (l *mhaLab) check(want int, says ...string) {
	l.t.Helper()
	began := time.Now()
	out, code := l.on("masterha_check_repl", "--conf="+l.conf)
	l.t.Logf("masterha_check_repl: exit code %d after %.1f s", code, time.Since(began).Seconds())
	for _, text := range says {
		if !strings.Contains(out, text) || code != want {
			l.t.Fatalf("masterha_check_repl: exit code %d, want %d with %q in:\n%s", code, want, text, out)
		}
	}
}

const (
	healthy   = "MySQL Replication Health is OK."
	redundant = "Redundant argument in sprintf at /usr/share/perl5/MHA/NodeUtil.pm"
	unknown   = "Unknown system variable 'super_read_only' at /usr/share/perl5/MHA/SlaveUtil.pm"
	badNodes  = "Slaves settings check failed!"
)

func TestMHARunsWithTheOverlaysOnTheManagerAndEveryNodeOnly(t *testing.T) {
	l := newMHALab(t, sandbox.MariaDB1011)
	l.check(1, redundant)
	if out := l.compat(1, l.onAll("status")...); strings.Count(out, redundant) != 4 || strings.Count(out, unknown) != 4 {
		t.Error("status does not show two faults on each of four hosts")
	}

	l.compat(0, "install")
	l.check(1, badNodes)
	l.compat(0, l.onNodes("install", "--dry-run")...)
	if entries, err := os.ReadDir(l.perlOf(l.Pools[0].Hosts[0])); err != nil || len(entries) != 0 {
		t.Errorf("a dry run wrote %v, %v", entries, err)
	}
	if out := l.compat(0, l.onAll("install")...); strings.Count(out, ": nothing to do\n") != 1 || strings.Count(out, ": wrote /etc/perl/MHA/") != 6 {
		t.Error("three nodes need two overlays each, the manager has its own")
	}
	l.check(0, healthy)
	if out := l.compat(0, l.onAll("install")...); strings.Count(out, ": nothing to do\n") != 4 {
		t.Error("a second install changed something")
	}
	if out := l.compat(0, l.onAll("status")...); strings.Count(out, "ok, the overlay") != 8 {
		t.Error("status does not show two overlays on each of four hosts")
	}

	// One node without is enough to fail.
	if err := os.Remove(filepath.Join(l.perlOf(l.Pools[0].Hosts[1]), "MHA", "SlaveUtil.pm")); err != nil {
		t.Fatal(err)
	}
	l.check(1, unknown, badNodes)
	l.compat(0, l.onAll("install", "--fast")...)
	l.check(0, healthy)

	l.compat(0, l.onAll("remove")...)
	l.check(1, redundant)
	if entries, err := os.ReadDir(l.perlOf(l.Manager())); err != nil || len(entries) != 0 {
		t.Errorf("remove left %v, %v", entries, err)
	}
}

func TestAFileThatIsNotOursAndAHostThatIsCutOffConcernTheirHostOnly(t *testing.T) {
	l := newMHALab(t, sandbox.MariaDB1011)
	hosts := l.Pools[0].Hosts
	if err := os.Mkdir(filepath.Join(l.perlOf(hosts[0]), "MHA"), 0o755); err != nil {
		t.Fatal(err)
	}
	l.write("perl-"+hosts[0].Name+"/MHA/SlaveUtil.pm", "1;\n")
	if err := hosts[1].Cut(); err != nil {
		t.Fatal(err)
	}
	out := l.compat(3, l.onAll("install", "--timeout", "6s")...)
	why := "no answer within 6s\n"
	if !strings.Contains(out, why) {
		why = "dial tcp " + l.nodes[1] + ": connect: no route to host\n" // by ARP, three seconds or so
	}
	for _, want := range []string{
		l.nodes[0] + ": /etc/perl/MHA/SlaveUtil.pm is there and is not MPP's: nothing was changed\n",
		l.nodes[1] + ": " + why,
		l.nodes[2] + ": wrote /etc/perl/MHA/SlaveUtil.pm, version 1\n",
		"localhost: wrote /etc/perl/MHA/SlaveUtil.pm, version 1\n",
		"\nnot OK: not done on 2 of 4 hosts\n",
	} {
		if !strings.Contains(out, want) {
			t.Errorf("no %q", want)
		}
	}
	if got := l.read(filepath.Join(l.perlOf(hosts[0]), "MHA", "SlaveUtil.pm")); got != "1;\n" {
		t.Errorf("a file that is not ours was replaced: %q", got)
	}
	l.compat(4, "install", l.nodes[0])
	l.compat(0, "remove", l.nodes[0])
}

// rows counts a server's rows.
func (l *mhaLab) rows(node int) (n int) {
	l.t.Helper()
	if err := l.Pools[0].Servers[node].Root().QueryRowContext(l.t.Context(), "SELECT COUNT(*) FROM app.tail").Scan(&n); err != nil {
		l.t.Fatal(err)
	}
	return n
}

// failOver leaves rows in the binary log of the source only, kills it, and has MHA promote another
// with them.
func (l *mhaLab) failOver() {
	l.t.Helper()
	servers := l.Pools[0].Servers
	run := func(node int, statements ...string) {
		l.t.Helper()
		for _, s := range statements {
			if _, err := servers[node].Root().ExecContext(l.t.Context(), s); err != nil {
				l.t.Fatalf("%s: %v", s, err)
			}
		}
	}
	run(0, "CREATE TABLE app.tail (id INT PRIMARY KEY, b BLOB)", "INSERT INTO app.tail VALUES (1, 'a')")
	if err := l.Pools[0].CatchUp(l.t.Context(), servers[0]); err != nil {
		l.t.Fatal(err)
	}
	run(1, "STOP SLAVE IO_THREAD")
	run(2, "STOP SLAVE IO_THREAD")
	// A statement in the log's text, with line ends and a zero byte that a client may change.
	run(0, "INSERT INTO app.tail VALUES (2, 'b')", "SET SESSION binlog_format = STATEMENT", "INSERT INTO app.tail VALUES (3, '\r\n\x00\n')")
	if err := l.Pools[0].Hosts[0].Kill(); err != nil {
		l.t.Fatal(err)
	}
	out, code := l.on("masterha_master_switch", "--master_state=dead", "--interactive=0", "--ignore_last_failover", "--conf="+l.conf,
		"--dead_master_host="+l.Pools[0].Hosts[0].Address.String(), "--dead_master_port=3306")
	if code != 0 {
		l.t.Fatalf("masterha_master_switch: exit code %d in:\n%s", code, out)
	}
	for node := 1; node <= 2; node++ {
		if n := l.rows(node); n != 3 {
			l.t.Errorf("%s has %d of 3 rows in:\n%s", l.Pools[0].Hosts[node].Name, n, out)
		}
		var text string
		if err := servers[node].Root().QueryRowContext(l.t.Context(), "SELECT HEX(b) FROM app.tail WHERE id = 3").Scan(&text); err != nil || text != "0D0A000A" {
			l.t.Errorf("%s: the bytes are %s, %v", l.Pools[0].Hosts[node].Name, text, err)
		}
	}
}

// The client programs of MariaDB 11 have other names, and say their version in other words.
func TestMHARunsWithTheClientProgramsOfMariaDB11(t *testing.T) {
	l := newMHALab(t, sandbox.MariaDB118)
	l.check(1, redundant)
	if out := l.compat(0, l.onAll("install", "--fast")...); strings.Count(out, ": wrote /etc/perl/MHA/BinlogManager.pm") != 3 {
		t.Error("the nodes need an overlay more than the manager, which has MariaDB 10.11's programs")
	}
	l.check(0, healthy)
	l.failOver()
}
