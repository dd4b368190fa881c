package remotetest

import (
	"context"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"
)

// SshdOptions say what sshd a test needs. The zero value is one on 127.0.0.1 that lets root in.
type SshdOptions struct {
	// Netns is the network namespace to run in; empty for this one.
	Netns string
	// Listen is the address, 127.0.0.1 when empty; Port 22 when 0.
	Listen string
	Port   int
	// Account is the user that is let in besides root; it exists for this sshd only. Shell is
	// its login shell, /bin/sh when empty.
	Account, Shell string
	// Sudoers is the content of a file in /etc/sudoers.d, for this sshd only.
	Sudoers string
	// Hide lists programs that are not there for this sshd, with their full names.
	Hide []string
	// HostKeys lists the kinds of its keys for ssh-keygen -t, ed25519 when empty.
	HostKeys []string
	// Config is appended to sshd_config.
	Config string
}

// Sshd is an sshd that runs until the test ends.
type Sshd struct {
	Host string
	Port int
	// KeyFile is let in; KnownHosts has the keys of the host.
	KeyFile, KnownHosts string
	dir                 string
	netns, script       string
	cmd                 *exec.Cmd
}

// StartSshd starts an sshd and waits until it listens.
func StartSshd(t testing.TB, o SshdOptions) *Sshd {
	t.Helper()
	Need(t, "/usr/sbin/sshd", "ssh-keygen", "ip")
	if o.Listen == "" {
		o.Listen = "127.0.0.1"
		Sh(t, "ip link set lo up")
	}
	if o.Port == 0 {
		o.Port = 22
	}
	dir := t.TempDir()
	s := &Sshd{
		Host: o.Listen, Port: o.Port, dir: dir, netns: o.Netns,
		KeyFile: filepath.Join(dir, "key"), KnownHosts: filepath.Join(dir, "known_hosts"),
	}
	Sh(t, "chmod 755 "+dir+" "+filepath.Dir(dir)+"; ssh-keygen -q -t ed25519 -N '' -f "+s.KeyFile)
	s.configure(t, o)
	s.script = s.confine(t, o)
	s.Start(t)
	t.Cleanup(func() { s.Stop(t) })
	return s
}

// configure writes sshd_config, the host's keys and known_hosts.
func (s *Sshd) configure(t testing.TB, o SshdOptions) {
	t.Helper()
	if len(o.HostKeys) == 0 {
		o.HostKeys = []string{"ed25519"}
	}
	config := fmt.Sprintf("ListenAddress %s\nPort %d\nAuthorizedKeysFile %s.pub\nStrictModes no\nUsePAM no\nPidFile none\n"+
		"UseDNS no\nPasswordAuthentication no\nPermitRootLogin prohibit-password\nLogLevel VERBOSE\n", o.Listen, o.Port, s.KeyFile)
	for _, kind := range o.HostKeys {
		file := filepath.Join(s.dir, "host_"+kind)
		Sh(t, "ssh-keygen -q -N '' -t "+kind+" -f "+file)
		config += "HostKey " + file + "\n"
		s.Know(t, kind)
	}
	write(t, filepath.Join(s.dir, "sshd_config"), config+o.Config)
}

// Know adds a key of the host to known_hosts.
func (s *Sshd) Know(t testing.TB, kind string) {
	t.Helper()
	name := s.Host
	if s.Port != 22 {
		name = "[" + s.Host + "]:" + strconv.Itoa(s.Port)
	}
	public, err := os.ReadFile(filepath.Join(s.dir, "host_"+kind+".pub"))
	if err != nil {
		t.Fatal(err)
	}
	before, err := os.ReadFile(s.KnownHosts)
	if err != nil && !os.IsNotExist(err) {
		t.Fatal(err)
	}
	write(t, s.KnownHosts, string(before)+name+" "+string(public))
}

// confine returns the script that starts sshd with what it alone sees.
func (s *Sshd) confine(t testing.TB, o SshdOptions) string {
	t.Helper()
	script := "mount --make-rprivate / && mount -t proc proc /proc && "
	over := func(file, text string) {
		ours := filepath.Join(s.dir, filepath.Base(file))
		write(t, ours, text)
		script += fmt.Sprintf("mount --bind %s %s && ", ours, file)
	}
	// Root's home is not the one of this machine: what login shells read there is not for tests.
	passwd := "root:x:0:0::/:/bin/sh\nsshd:x:4320:4320::/run/sshd:/usr/sbin/nologin\n"
	shadow := "root:*:19000:0:99999:7:::\n"
	if o.Account != "" {
		shell := o.Shell
		if shell == "" {
			shell = "/bin/sh"
		}
		passwd += o.Account + ":x:4321:4321::/:" + shell + "\n"
		shadow += o.Account + ":*:19000:0:99999:7:::\n"
	}
	over("/etc/passwd", passwd)
	over("/etc/shadow", shadow)
	script += "chmod 644 /etc/passwd /etc/shadow && "
	if o.Sudoers != "" {
		over("/etc/sudoers", o.Sudoers)
		script += "chmod 440 /etc/sudoers && "
	}
	for _, program := range o.Hide {
		script += "mount --bind /dev/null " + program + " && "
	}
	return script + "exec /usr/sbin/sshd -D -E " + filepath.Join(s.dir, "log") + " -f " + filepath.Join(s.dir, "sshd_config")
}

// Start starts sshd, again after Stop, in a namespace of processes of its own.
func (s *Sshd) Start(t testing.TB) {
	t.Helper()
	argv := []string{"/bin/sh", "-c", s.script}
	if s.netns != "" {
		argv = append([]string{"ip", "netns", "exec", s.netns}, argv...)
	}
	s.cmd = exec.CommandContext(context.WithoutCancel(t.Context()), argv[0], argv[1:]...)
	s.cmd.Stdout, s.cmd.Stderr = os.Stdout, os.Stderr
	s.cmd.SysProcAttr = &syscall.SysProcAttr{Cloneflags: syscall.CLONE_NEWPID | syscall.CLONE_NEWNS}
	if err := s.cmd.Start(); err != nil {
		t.Fatal(err)
	}
	Eventually(t, "sshd listens", func() error { return s.listens(t) })
}

func (s *Sshd) listens(t testing.TB) error {
	ctx, cancel := context.WithTimeout(t.Context(), time.Second)
	defer cancel()
	var d net.Dialer
	conn, err := d.DialContext(ctx, "tcp", net.JoinHostPort(s.Host, strconv.Itoa(s.Port)))
	if err == nil {
		_ = conn.Close()
	}
	return err
}

// Stop kills sshd and all that it has started.
func (s *Sshd) Stop(testing.TB) {
	_ = s.cmd.Process.Kill() // the first process of its namespace: the others die with it
	_ = s.cmd.Wait()
}

// Freeze stops sshd and all that it has started, as on a host that hangs; Thaw ends that.
func (s *Sshd) Freeze(t testing.TB) { s.signal(t, syscall.SIGSTOP) }

// Thaw ends what Freeze did.
func (s *Sshd) Thaw(t testing.TB) { s.signal(t, syscall.SIGCONT) }

func (s *Sshd) signal(t testing.TB, sig syscall.Signal) {
	t.Helper()
	for _, pid := range s.Processes(t) {
		if err := syscall.Kill(pid, sig); err != nil {
			t.Fatalf("signal %d: %v", pid, err)
		}
	}
}

// Processes lists sshd and all that it has started.
func (s *Sshd) Processes(t testing.TB) []int {
	t.Helper()
	mine, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/pid", s.cmd.Process.Pid))
	if err != nil {
		t.Fatal(err)
	}
	all, err := filepath.Glob("/proc/[0-9]*/ns/pid")
	if err != nil {
		t.Fatal(err)
	}
	var pids []int
	for _, file := range all {
		if its, err := os.Readlink(file); err == nil && its == mine {
			pid, _ := strconv.Atoi(strings.Split(file, "/")[2])
			pids = append(pids, pid)
		}
	}
	return pids
}

func write(t testing.TB, file, text string) {
	t.Helper()
	if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
		t.Fatal(err)
	}
}
