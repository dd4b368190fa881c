package perform_test

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
)

// mhaSSH is the port of the sshds that see an /etc/perl of their own, with the overlays that make MHA
// run at all; the lab's have 22.
const mhaSSH = "2222"

// realPassword has what MHA itself gets right on every way: not mhaPassword, whose backslash and quotes
// its own programs on the nodes do not take back.
const realPassword = "a!b$c;d#e&f"

// realMHA is a lab with MHA's own programs, as Debian packages them.
type realMHA struct {
	*hooks
	conf string
}

func newRealMHA(t *testing.T, begin func(*hooks)) *realMHA {
	t.Helper()
	for _, program := range []string{"masterha_master_switch", "apply_diff_relay_logs", "mysql", "mariadb-binlog"} {
		if _, err := exec.LookPath(program); err != nil {
			fmt.Fprintf(os.Stderr, "\n*** %s: NOT TESTED: there is no %s (packaging/deps.sh all) ***\n\n", t.Name(), program)
			t.Skip(err)
		}
	}
	m := &realMHA{hooks: newHooks(t, lab.Options{Nodes: 3, Args: []string{"--relay-log-purge=0"}})}
	m.exec(m.old, "ALTER USER mha IDENTIFIED BY '"+realPassword+"'")
	if err := m.Pools[0].CatchUp(t.Context(), m.old.Server()); err != nil {
		t.Fatal(err)
	}
	if out, err := exec.CommandContext(t.Context(), m.mpp, "mha", "compat", "install", "--fast", "--dir", m.folder("perl")).CombinedOutput(); err != nil {
		t.Fatalf("install overlays: %v\n%s", err, out)
	}
	for _, h := range m.Pools[0].Hosts {
		m.sshd(h)
	}
	begin(m.hooks)
	m.conf = m.write("app.cnf", m.settings(), 0o600)
	return m
}

func (m *realMHA) folder(name string) string {
	m.t.Helper()
	path := filepath.Join(m.dir, name)
	if err := os.MkdirAll(path, 0o700); err != nil {
		m.t.Fatal(err)
	}
	return path
}

// sshd starts a second sshd, as the lab's is but for the port and /etc/perl. It ends with the lab.
func (m *realMHA) sshd(h *lab.Host) {
	m.t.Helper()
	text, err := os.ReadFile(filepath.Join(m.Dir(), "ssh", h.Name+".conf"))
	if err != nil {
		m.t.Fatal(err)
	}
	address := net.JoinHostPort(h.Address.String(), mhaSSH)
	settings := "ListenAddress " + address + "\n"
	for line := range strings.Lines(string(text)) {
		if !strings.HasPrefix(line, "ListenAddress ") {
			settings += line
		}
	}
	conf := m.write(h.Name+".conf", settings, 0o600)
	ctx, cancel := context.WithTimeout(m.t.Context(), waitLimit)
	defer cancel()
	if _, err := h.Exec(ctx, "unshare", "--mount", "sh", "-c", `mount --bind "$1" /etc/perl && exec /usr/sbin/sshd -f "$2"`, "sh", m.folder("perl"), conf); err != nil {
		m.t.Fatal(err)
	}
	err = sandbox.Eventually(ctx, 5*time.Millisecond, func(ctx context.Context) error {
		conn, err := h.Dial(ctx, "tcp", address)
		if err != nil {
			return err
		}
		return conn.Close()
	})
	if err != nil {
		m.t.Fatal(err)
	}
}

// settings is MHA's configuration, with the hooks.
func (m *realMHA) settings() string {
	p := m.Pools[0]
	hosts, err := os.ReadFile(m.KnownHosts())
	if err != nil {
		m.t.Fatal(err)
	}
	known := ""
	for line := range strings.Lines(string(hosts)) {
		names, key, _ := strings.Cut(line, " ")
		address, _, _ := strings.Cut(names, ",")
		known += fmt.Sprintf("[%s]:%s %s", address, mhaSSH, key)
	}
	knownHosts := m.write("known_hosts", known, 0o600)
	if strings.HasPrefix(m.source, "--helper") { // ssh is as MHA has it
		m.source = "--helper=" + filepath.Join(m.dir, "helper")
	}
	hook := func(name string) string {
		return name + "_script=" + m.mpp + " mha hook " + name + " " + m.source + " --state-dir=" + filepath.Join(m.dir, "state") + "\n"
	}
	var b strings.Builder
	fmt.Fprintf(&b, "[server default]\nuser=mha\npassword=%s\nrepl_user=%s\nrepl_password=%s\nping_interval=1\n", realPassword, p.Repl.User, p.Repl.Password)
	fmt.Fprintf(&b, "ssh_user=root\nssh_port=%s\nmanager_workdir=%s\nmanager_log=%s/manager.log\nremote_workdir=%s\n", mhaSSH, m.folder("work"), m.dir, m.folder("remote"))
	fmt.Fprintf(&b, "client_bindir=%s\n", m.clients())
	b.WriteString(hook("master_ip_failover") + hook("master_ip_online_change"))
	b.WriteString("report_script=" + m.mpp + " mha hook report --state-dir=" + filepath.Join(m.dir, "state") + " --report-program=" + m.write("told", "#!/bin/sh\n{ echo \"$MPP_SUBJECT\"; cat; } >"+m.dir+"/report\n", 0o700) + "\n")
	for i, h := range p.Hosts {
		var binlog string
		if err := h.Server().Root().QueryRowContext(m.t.Context(), "SELECT @@log_bin_basename").Scan(&binlog); err != nil {
			m.t.Fatal(err)
		}
		fmt.Fprintf(&b, "[server%d]\nhostname=%s\nmaster_binlog_dir=%s\nssh_options=-i %s -o UserKnownHostsFile=%s\n", i+1, h.Address, filepath.Dir(binlog), m.KeyFile(), knownHosts)
		if h == m.young {
			b.WriteString("candidate_master=1\n")
		}
	}
	return b.String()
}

// clients is a folder with the clients by the names that MHA knows, which not every package has.
func (m *realMHA) clients() string {
	m.t.Helper()
	dir := m.folder("clients")
	for name, program := range map[string]string{"mysql": "mysql", "mysqlbinlog": "mariadb-binlog"} {
		path, err := exec.LookPath(program)
		if err == nil {
			err = os.Symlink(path, filepath.Join(dir, name))
		}
		if err != nil {
			m.t.Fatal(err)
		}
	}
	return dir
}

// run runs one of MHA's programs on the manager's host, and returns what it says and its exit code.
func (m *realMHA) run(words ...string) (string, int) {
	m.t.Helper()
	ctx, cancel := context.WithTimeout(m.t.Context(), 2*time.Minute)
	defer cancel()
	cmd := m.Manager().Command(ctx, append([]string{"unshare", "--mount", "sh", "-c", `mount --bind "$1" /etc/perl && shift && exec "$@"`, "sh", m.folder("perl")}, words...)...)
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		m.t.Fatal(err)
	}
	return string(out), cmd.ProcessState.ExitCode()
}

// helperByAddress is MHA Helper's configuration for hosts that MHA knows by their addresses.
func helperByAddress(l *hooks) {
	l.t.Helper()
	text := fmt.Sprintf("[default]\nwriter_vip_cidr=%s/32\nvip_type=metal\ncluster_interface=eth0\nkill_after_timeout=1\n", l.Pools[0].VIP)
	for _, h := range l.Pools[0].Hosts {
		text += "[" + h.Address.String() + "]\n"
	}
	l.write("helper/shop.conf", text, 0o600)
	l.source = "--helper=" + filepath.Join(l.dir, "helper")
}

func byConfig(l *hooks) { l.byConfig(nil) }

func TestRealMHASwitchesWithTheHooks(t *testing.T) {
	for name, begin := range map[string]func(*hooks){"with MPP's configuration": byConfig, "with MHA Helper's": helperByAddress} {
		t.Run(name, func(t *testing.T) {
			m := newRealMHA(t, begin)
			w := m.writing()
			m.more(w, m.old)
			// A writer that is there all the time has no statement of a second's length.
			out, code := m.run("masterha_master_switch", "--master_state=alive", "--interactive=0", "--conf="+m.conf, "--new_master_host="+m.young.Address.String(), "--orig_master_is_new_slave")
			t.Logf("exit code %d\n%s", code, out)
			if code != 0 {
				t.Fatal("MHA did not switch")
			}
			m.want(m.young.Name, m.young.Name)
			m.more(w, m.young)
			m.verified(w)
		})
	}
}

func TestRealMHAFailsOverWithTheHooks(t *testing.T) {
	for name, begin := range map[string]func(*hooks){"with MPP's configuration": byConfig, "with MHA Helper's": helperByAddress} {
		t.Run(name, func(t *testing.T) {
			m := newRealMHA(t, begin)
			w := m.writing()
			m.more(w, m.old)
			if err := m.old.Kill(); err != nil {
				t.Fatal(err)
			}
			out, code := m.run("masterha_master_switch", "--master_state=dead", "--interactive=0", "--conf="+m.conf, "--dead_master_host="+m.old.Address.String(), "--dead_master_ip="+m.old.Address.String(), "--dead_master_port=3306", "--ignore_last_failover")
			log, err := os.ReadFile(filepath.Join(m.dir, "manager.log"))
			t.Logf("exit code %d, %v\n%s\n%s", code, err, out, log)
			if code != 0 {
				t.Fatal("MHA did not fail over")
			}
			m.want(m.young.Name, m.young.Name)
			m.more(w, m.young)
			m.verified(w)
			report, err := os.ReadFile(filepath.Join(m.dir, "report"))
			if err != nil || !strings.Contains(string(report), "the old master is fenced: it has lost the virtual address") || strings.Contains(string(report), "LOOK AT THIS") {
				t.Errorf("the report is %v:\n%s", err, report)
			}
		})
	}
}

// TestRealManagerFailsOverWithTheHooks is the whole of it: MHA watches, the replicas say that the master
// is dead, MHA promotes, the hooks move the address, and the report says what they did.
func TestRealManagerFailsOverWithTheHooks(t *testing.T) {
	m := newRealMHA(t, byConfig)
	text, err := os.ReadFile(m.conf)
	if err != nil {
		t.Fatal(err)
	}
	// MHA's own arguments, with the raw password, would break the command line.
	second := "secondary_check_script=" + m.mpp + " mha hook secondary_check " + m.source + " --pool=lab1 #\n"
	m.conf = m.write("app.cnf", strings.Replace(string(text), "ping_interval=1\n", "ping_interval=1\n"+second, 1), 0o600)
	log := filepath.Join(m.dir, "manager.log")
	said := func(what string) bool {
		text, err := os.ReadFile(log)
		return err == nil && strings.Contains(string(text), what)
	}
	ctx, cancel := context.WithTimeout(t.Context(), 3*time.Minute)
	defer cancel()
	cmd := m.Manager().Command(ctx, "unshare", "--mount", "sh", "-c", `mount --bind "$1" /etc/perl && shift && exec "$@"`, "sh", m.folder("perl"), "masterha_manager", "--conf="+m.conf, "--ignore_last_failover")
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if t.Failed() {
			text, _ := os.ReadFile(log)
			t.Logf("MHA's log:\n%s", text)
		}
	})
	m.eventually("MHA watches", func() bool { return said("Ping(SELECT) succeeded") })
	w := m.writing()
	m.more(w, m.old)
	if err := m.old.Kill(); err != nil {
		t.Fatal(err)
	}
	if err := cmd.Wait(); err != nil {
		t.Fatalf("masterha_manager: %v", err)
	}
	m.want(m.young.Name, m.young.Name)
	m.more(w, m.young)
	r := m.verified(w)
	t.Logf("outage with masterha_manager, ping_interval=1: %s", r.LongestGap)
	if !said("Master is not reachable from all other monitoring servers. Failover should start.") {
		t.Error("the second look was not asked, or did not say so")
	}
	report, err := os.ReadFile(filepath.Join(m.dir, "report"))
	if err != nil || !strings.Contains(string(report), "the old master is fenced: it has lost the virtual address") || strings.Contains(string(report), "LOOK AT THIS") {
		t.Errorf("the report is %v:\n%s", err, report)
	}
}

// TestRealMHAThatIsKilledAfterTheStopIsUndone keeps the new master from executing what it has received,
// so that MHA waits for it between its two hooks, and kills MHA there.
func TestRealMHAThatIsKilledAfterTheStopIsUndone(t *testing.T) {
	m := newRealMHA(t, byConfig)
	w := m.writing()
	m.more(w, m.old)
	locked, _ := m.session(m.young, "mha", realPassword)
	lock := func(statement string) {
		if _, err := locked.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	lock("FLUSH TABLES WITH READ LOCK")
	cmd := m.Manager().Command(t.Context(), "unshare", "--mount", "sh", "-c", `mount --bind "$1" /etc/perl && shift && exec "$@"`, "sh", m.folder("perl"),
		"masterha_master_switch", "--master_state=alive", "--interactive=0", "--conf="+m.conf, "--new_master_host="+m.young.Address.String(), "--orig_master_is_new_slave", "--running_updates_limit=100")
	log, err := os.Create(filepath.Join(m.dir, "switch.log"))
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = log.Close() }()
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	m.eventually("MHA waits", func() bool {
		text, err := os.ReadFile(log.Name())
		return err == nil && strings.Contains(string(text), "Waiting to execute all relay logs on "+m.young.Address.String())
	})
	m.want("", "")
	if err := cmd.Process.Kill(); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait()
	m.eventually("the old master has its role again", func() bool { return m.writers() == m.old.Name && m.holders() == m.old.Name })
	lock("UNLOCK TABLES")
	m.more(w, m.old)
	r := m.verified(w)
	t.Logf("outage of a switch whose MHA was killed: %s", r.LongestGap)
}

// TestRealMHAWithHooksThatFail lets a program that moves the address fail in each phase: a planned switch
// leaves everything as it was, a failover stops before there are two writers, and goes on to the replicas
// when only the address is missing.
func TestRealMHAWithHooksThatFail(t *testing.T) {
	for name, c := range map[string]struct {
		dead          bool
		fails         func(m *realMHA) string
		exit          int
		holder, takes func(m *realMHA) string
	}{
		"planned, stop":   {false, func(*realMHA) string { return "fail" }, 1, (*realMHA).oldAddress, (*realMHA).oldName},
		"planned, start":  {false, (*realMHA).failYoung, 1, (*realMHA).oldAddress, (*realMHA).oldName},
		"failover, stop":  {true, func(*realMHA) string { return "fail" }, 1, (*realMHA).oldAddress, nobody},
		"failover, start": {true, (*realMHA).failYoung, 0, nobody, func(m *realMHA) string { return m.young.Name }},
	} {
		t.Run(name, func(t *testing.T) {
			m := newRealMHA(t, (*hooks).byProgram)
			m.write(c.fails(m), "", 0o600)
			args := []string{"masterha_master_switch", "--interactive=0", "--conf=" + m.conf}
			if c.dead {
				args = append(args, "--master_state=dead", "--dead_master_host="+m.old.Address.String(), "--dead_master_ip="+m.old.Address.String(), "--dead_master_port=3306", "--ignore_last_failover")
				if err := m.old.Kill(); err != nil {
					t.Fatal(err)
				}
			} else {
				args = append(args, "--master_state=alive", "--new_master_host="+m.young.Address.String(), "--orig_master_is_new_slave")
			}
			out, code := m.run(args...)
			if code != c.exit {
				log, _ := os.ReadFile(filepath.Join(m.dir, "manager.log"))
				t.Fatalf("MHA's exit code is %d, want %d\n%s\n%s", code, c.exit, out, log)
			}
			has, err := filepath.Glob(filepath.Join(m.dir, "has-*"))
			holder := strings.TrimPrefix(filepath.Base(strings.Join(has, " ")), "has-")
			if err != nil || strings.Trim(holder, ".") != c.holder(m) {
				t.Errorf("the address is at %q, want %q (%v)", holder, c.holder(m), err)
			}
			if got := m.writers(); got != c.takes(m) {
				t.Errorf("writes are taken by %q, want %q", got, c.takes(m))
			}
			if name != "failover, start" {
				return
			}
			m.eventually("the replica follows the new master", func() bool {
				s, err := m.Pools[0].Servers[2].ReplicaStatus(t.Context())
				return err == nil && strings.Contains(fmt.Sprint(s), m.young.Address.String())
			})
			if report, err := os.ReadFile(filepath.Join(m.dir, "report")); err != nil || !strings.Contains(string(report), "LOOK AT THIS: master_ip_failover start: add-address") {
				t.Errorf("the report is %v:\n%s", err, report)
			}
		})
	}
}

func (m *realMHA) oldAddress() string { return m.old.Address.String() }
func (m *realMHA) oldName() string    { return m.old.Name }
func (m *realMHA) failYoung() string  { return "fail-" + m.young.Address.String() }
func nobody(*realMHA) string          { return "" }
