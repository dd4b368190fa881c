package perform_test

import (
	"context"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	_ "github.com/go-sql-driver/mysql"

	"mpp/sandbox"
	"mpp/sandbox/lab"
	"mpp/sandbox/lab/labtest"
)

// waitLimit bounds what is waited for; it is far beyond what anything takes.
const waitLimit = 30 * time.Second

// mhaPassword has what MHA escapes, and what a shell would do something with.
const mhaPassword = `a!b' c\"$\! #;é`

// hooks is a lab with the program mpp, called as MHA calls it.
type hooks struct {
	*lab.Lab
	t        *testing.T
	dir, mpp string
	// source are the arguments that name the configuration.
	source string
	// old and young are the first and the second server's hosts.
	old, young *lab.Host
}

// built is the program mpp, built once.
var built = sync.OnceValues(func() (string, error) {
	dir, err := os.MkdirTemp("", "mpp-hooks-")
	if err != nil {
		return "", err
	}
	builtDir = dir
	path := filepath.Join(dir, "mpp")
	out, err := exec.CommandContext(context.Background(), "go", "build", "-o", path, "mpp/cmd/mpp").CombinedOutput()
	if err != nil {
		return "", fmt.Errorf("build mpp: %w: %s", err, out)
	}
	return path, nil
})

// builtDir is where it is, empty before.
var builtDir string

func TestMain(m *testing.M) {
	code := m.Run()
	if builtDir != "" {
		_ = os.RemoveAll(builtDir)
	}
	os.Exit(code)
}

func newHooks(t *testing.T, o lab.Options) *hooks {
	t.Helper()
	labtest.Need(t)
	program, err := built()
	if err != nil {
		t.Fatal(err)
	}
	dir := t.TempDir() // it goes after the lab, whose processes write there
	l := &hooks{Lab: labtest.Up(t, o), t: t, dir: dir, mpp: program}
	p := l.Pools[0]
	l.old, l.young = p.Hosts[0], p.Hosts[1]
	source := p.Servers[0]
	for _, statement := range []string{
		"CREATE USER mha IDENTIFIED BY '" + strings.NewReplacer(`\`, `\\`, `'`, `\'`).Replace(mhaPassword) + "'", "GRANT ALL ON *.* TO mha",
		"CREATE USER backup IDENTIFIED BY 'b'", "GRANT SELECT ON *.* TO backup",
	} {
		if _, err := source.Root().ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	if err := p.CatchUp(t.Context(), source); err != nil {
		t.Fatal(err)
	}
	return l
}

func (l *hooks) write(name, text string, mode os.FileMode) string {
	l.t.Helper()
	path := filepath.Join(l.dir, name)
	if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
		l.t.Fatal(err)
	}
	if err := os.WriteFile(path, []byte(text), mode); err != nil {
		l.t.Fatal(err)
	}
	return path
}

// byConfig lets the hooks read MPP's configuration: the lab's own, for MHA.
func (l *hooks) byConfig(change func(string) string) {
	l.t.Helper()
	text, err := os.ReadFile(l.ConfigFile())
	if err != nil {
		l.t.Fatal(err)
	}
	own := strings.Replace(string(text), `engine = "native"`, `engine = "none"`, 1)
	if change != nil {
		own = change(own)
	}
	l.source = "--config=" + l.write("hooks.toml", own, 0o600)
}

// byHelper lets them read MHA Helper's.
func (l *hooks) byHelper() {
	l.t.Helper()
	text := fmt.Sprintf("[default]\nwriter_vip_cidr=%s/24\nvip_type=metal\ncluster_interface=eth0\nkill_after_timeout=1\nsmtp_host=no.such.host.example\nreport_email=dba@example.com\n", l.Pools[0].VIP)
	for _, h := range l.Pools[0].Hosts {
		text += "[" + h.Name + "]\n"
	}
	l.write("helper/shop.conf", text, 0o600)
	l.source = "--helper=" + filepath.Join(l.dir, "helper") + " --key-file=" + l.KeyFile() + " --known-hosts=" + l.KnownHosts()
}

// escape is what MHA's escape_for_shell makes of a user or password.
func escape(s string) string {
	var b strings.Builder
	for i := 0; i < len(s); i++ {
		switch c := s[i : i+1]; {
		case c == "'":
			b.WriteString(`'\''`)
		case strings.Contains("\"!#&;`|*?~<>^()[]{}$, \\", c):
			b.WriteString(`\` + c)
		default:
			b.WriteString(c)
		}
	}
	return "'" + b.String() + "'"
}

// of are MHA's arguments about a server.
func of(side string, h *lab.Host) string {
	return fmt.Sprintf(" --%s_master_host=%s --%s_master_ip=%s --%s_master_port=3306", side, h.Name, side, h.Address, side)
}

// failoverArgs are the arguments of a phase of master_ip_failover.
func (l *hooks) failoverArgs(phase string) string {
	switch phase {
	case "status":
		return "--command=status --ssh_user=root" + of("orig", l.old)
	case "stopssh":
		return of("orig", l.old) + " --command=stopssh --ssh_user=root"
	case "stop":
		return of("orig", l.old) + " --command=stop"
	default:
		return "--command=start --ssh_user=root" + of("orig", l.old) + of("new", l.young) + " --new_master_user='mha' --new_master_password=" + escape(mhaPassword)
	}
}

// onlineArgs are those of a phase of master_ip_online_change.
func (l *hooks) onlineArgs(phase string) string {
	return "--command=" + phase + of("orig", l.old) + " --orig_master_user='mha'" + of("new", l.young) + " --new_master_user='mha' --orig_master_ssh_user=root --new_master_ssh_user=root" +
		" --orig_master_is_new_slave --orig_master_password=" + escape(mhaPassword) + " --new_master_password=" + escape(mhaPassword)
}

// line is the command line of a hook, as MHA's configuration has it and MHA adds to it.
func (l *hooks) line(name, args string) string {
	return l.mpp + " mha hook " + name + " " + l.source + " --state-dir=" + filepath.Join(l.dir, "state") + " " + args
}

// call calls a hook by the shell, as MHA does, and wants an exit code.
func (l *hooks) call(want int, name, args string) string {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), time.Minute)
	defer cancel()
	began := time.Now()
	cmd := l.Manager().Command(ctx, "sh", "-c", l.line(name, args))
	out, err := cmd.CombinedOutput()
	var exit *exec.ExitError
	if err != nil && !errors.As(err, &exit) {
		l.t.Fatalf("%v", err)
	}
	text, code := string(out), cmd.ProcessState.ExitCode()
	l.t.Logf("%s %.40s... took %d ms, exit code %d\n%s", name, args, time.Since(began).Milliseconds(), code, text)
	if code != want {
		l.t.Fatalf("exit code %d, want %d", code, want)
	}
	if strings.Contains(text, mhaPassword) || strings.Contains(text, "a!b") {
		l.t.Error("a password is in the log")
	}
	return text
}

// holders are the hosts that have the pool's addresses, all of them.
func (l *hooks) holders() string {
	l.t.Helper()
	var all []string
	for _, h := range l.Pools[0].Hosts {
		list, err := h.Addresses()
		if err != nil {
			l.t.Fatal(err)
		}
		missing := slices.ContainsFunc(l.Pools[0].VIPs(), func(v netip.Prefix) bool {
			return !slices.ContainsFunc(list, func(p netip.Prefix) bool { return p.Addr() == v.Addr() })
		})
		if !missing {
			all = append(all, h.Name)
		}
	}
	return strings.Join(all, " ")
}

// writers are the servers that take writes, of those that run.
func (l *hooks) writers() string {
	l.t.Helper()
	var all []string
	for _, h := range l.Pools[0].Hosts {
		if h.Server().Running() && !l.readOnly(h) {
			all = append(all, h.Name)
		}
	}
	return strings.Join(all, " ")
}

func (l *hooks) readOnly(h *lab.Host) bool {
	l.t.Helper()
	on := false
	var err error
	for range 3 { // root's own session may be among those that a hook has ended
		if err = h.Server().Root().QueryRowContext(l.t.Context(), "SELECT @@global.read_only").Scan(&on); err == nil {
			return on
		}
	}
	l.t.Fatal(err)
	return on
}

// want compares who has the address and who takes writes.
func (l *hooks) want(holders, writers string) {
	l.t.Helper()
	if got := l.holders(); got != holders {
		l.t.Errorf("the address is at %q, want %q", got, holders)
	}
	if got := l.writers(); got != writers {
		l.t.Errorf("writes are taken by %q, want %q", got, writers)
	}
}

func (l *hooks) eventually(what string, cond func() bool) {
	l.t.Helper()
	ctx, cancel := context.WithTimeout(l.t.Context(), waitLimit)
	defer cancel()
	err := sandbox.Eventually(ctx, 10*time.Millisecond, func(context.Context) error {
		if !cond() {
			return errors.New("not yet")
		}
		return nil
	})
	if err != nil {
		l.t.Fatalf("%s: %v", what, err)
	}
}

func (l *hooks) exec(h *lab.Host, statements ...string) {
	l.t.Helper()
	for _, s := range statements {
		if _, err := h.Server().Root().ExecContext(l.t.Context(), s); err != nil {
			l.t.Fatalf("%s: %s: %v", h, s, err)
		}
	}
}

// write begins to write through the address.
func (l *hooks) writing() *lab.Writer {
	l.t.Helper()
	w, err := l.Write(l.t.Context(), lab.WriteOptions{})
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { w.Stop() })
	return w
}

// more waits until a server acknowledges rows.
func (l *hooks) more(w *lab.Writer, h *lab.Host) {
	l.t.Helper()
	before := w.Record().Servers[h.Name]
	l.eventually("writes at "+h.Name, func() bool { return w.Record().Servers[h.Name] > before+20 })
}

// verified ends the writing and holds what was acknowledged against what is there.
func (l *hooks) verified(w *lab.Writer) lab.Record {
	l.t.Helper()
	r := w.Stop()
	v, err := w.Verify(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	if v.Lost > 0 || r.Double > 0 {
		l.t.Errorf("%d acknowledged rows are lost, %d were acknowledged beside another writer", v.Lost, r.Double)
	}
	l.t.Logf("%d rows, longest gap %s, by %v", r.Acknowledged, r.LongestGap, r.Servers)
	return r
}

// session is a session of a user on a server, with its number.
func (l *hooks) session(h *lab.Host, user, password string) (*sql.Conn, int64) {
	l.t.Helper()
	db, err := sql.Open("mysql", fmt.Sprintf("%s:%s@unix(%s)/", user, password, h.Server().Socket()))
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() { _ = db.Close() })
	conn, err := db.Conn(l.t.Context())
	if err != nil {
		l.t.Fatal(err)
	}
	var id int64
	if err := conn.QueryRowContext(l.t.Context(), "SELECT CONNECTION_ID()").Scan(&id); err != nil {
		l.t.Fatal(err)
	}
	return conn, id
}

// promoteByHand is what MHA does between the hooks.
func (l *hooks) promoteByHand() {
	l.exec(l.young, "STOP REPLICA", "RESET REPLICA ALL")
}

func TestHooksMoveAddressAndWritesWhenTheMasterIsKilled(t *testing.T) {
	for name, begin := range map[string]func(*hooks){
		"with MPP's configuration": func(l *hooks) { l.byConfig(nil) }, "with MHA Helper's": (*hooks).byHelper,
	} {
		t.Run(name, func(t *testing.T) {
			l := newHooks(t, lab.Options{Nodes: 2, IPv6: !strings.Contains(name, "Helper")})
			begin(l)
			l.call(0, "master_ip_failover", l.failoverArgs("status"))
			w := l.writing()
			l.more(w, l.old)
			if err := l.old.Kill(); err != nil {
				t.Fatal(err)
			}
			l.call(0, "master_ip_failover", l.failoverArgs("stopssh"))
			l.want("", "")
			l.call(0, "master_ip_failover", l.failoverArgs("stopssh"))
			l.eventually("the replica has executed all", func() bool { return drained(l, l.young) })
			l.promoteByHand()
			l.call(0, "master_ip_failover", l.failoverArgs("start"))
			l.want(l.young.Name, l.young.Name)
			l.more(w, l.young)
			l.call(0, "master_ip_failover", l.failoverArgs("start"))
			l.want(l.young.Name, l.young.Name)
			w.Stop()
		})
	}
}

func drained(l *hooks, h *lab.Host) bool {
	s, err := h.Server().ReplicaStatus(l.t.Context())
	executed, other := h.Server().Position(l.t.Context())
	return err == nil && other == nil && s["Gtid_IO_Pos"] == executed
}

func TestAnAddressOfAnotherLengthIsTakenOff(t *testing.T) {
	l := newHooks(t, lab.Options{Nodes: 2})
	l.byHelper()
	vip := l.Pools[0].VIP
	if err := errors.Join(l.old.RemoveAddress(netip.PrefixFrom(vip, 32)), l.old.AddAddress(netip.PrefixFrom(vip, 24))); err != nil {
		t.Fatal(err)
	}
	l.call(0, "master_ip_failover", l.failoverArgs("status"))
	l.call(0, "master_ip_failover", l.failoverArgs("stopssh"))
	l.want("", l.old.Name) // MHA Helper's configuration has no account: nothing is done by SQL
	l.call(1, "master_ip_failover", l.failoverArgs("status"))
}

func TestStatusFailsWhenAnotherHostAnswersForTheAddress(t *testing.T) {
	l := newHooks(t, lab.Options{Nodes: 2})
	l.byConfig(nil)
	if err := l.young.AddAddress(netip.PrefixFrom(l.Pools[0].VIP, 32)); err != nil {
		t.Fatal(err)
	}
	if text := l.call(1, "master_ip_failover", l.failoverArgs("status")); !strings.Contains(text, l.young.MAC.String()) {
		t.Error("it does not say who answers")
	}
}

func TestADeadHostIsToldRefusedOrTurnedOff(t *testing.T) {
	l := newHooks(t, lab.Options{Nodes: 2})
	l.byConfig(nil)
	if err := l.old.Cut(); err != nil {
		t.Fatal(err)
	}
	off := l.write("off", "#!/bin/sh\necho \"$@\" >>"+l.dir+"/was-off\n", 0o700)
	if text := l.call(10, "master_ip_failover", l.failoverArgs("stop")); !strings.Contains(text, "NOT FENCED") {
		t.Error("it does not say that nothing is fenced")
	}
	l.source += " --fence=required"
	l.call(1, "master_ip_failover", l.failoverArgs("stop"))
	l.source += " --shutdown-program=" + off
	l.call(0, "master_ip_failover", l.failoverArgs("stop"))
	if text, err := os.ReadFile(filepath.Join(l.dir, "was-off")); err != nil || !strings.Contains(string(text), l.old.Address.String()+":3306") {
		t.Errorf("the program was called with %q, %v", text, err)
	}
}

func TestAPlannedSwitchLosesNothingAndSparesWhoIsToBeSpared(t *testing.T) {
	for name, begin := range map[string]func(*hooks){
		"with MPP's configuration": func(l *hooks) { l.byConfig(nil) }, "with MHA Helper's": (*hooks).byHelper, "on MySQL": func(l *hooks) { l.byConfig(nil) },
	} {
		t.Run(name, func(t *testing.T) {
			o := lab.Options{Nodes: 3, IPv6: !strings.Contains(name, "Helper")}
			if strings.Contains(name, "MySQL") {
				o.Flavour = sandbox.MySQL97
			}
			l := newHooks(t, o)
			begin(l)
			l.source += " --spare=backup"
			l.exec(l.old, "SET GLOBAL event_scheduler = ON")
			l.exec(l.young, "SET GLOBAL read_only = 0") // as some are configured
			spared, _ := l.session(l.old, "backup", "b")
			ended, endedID := l.session(l.old, l.Pools[0].App.User, l.Pools[0].App.Password)
			w := l.writing()
			l.more(w, l.old)
			l.call(0, "master_ip_online_change", l.onlineArgs("stop"))
			l.want("", "")
			if err := spared.PingContext(t.Context()); err != nil {
				t.Errorf("the session of backup was ended: %v", err)
			}
			if err := ended.PingContext(t.Context()); err == nil {
				t.Errorf("the session %d of an application was not ended", endedID)
			}
			var threads int
			if err := l.old.Server().Root().QueryRowContext(t.Context(), "SELECT COUNT(*) FROM information_schema.processlist WHERE command LIKE 'Binlog Dump%' OR user = 'event_scheduler'").Scan(&threads); err != nil {
				t.Fatal(err)
			}
			if threads != 3 {
				t.Errorf("%d of replication's two threads and the event scheduler are left", threads)
			}
			if err := l.Pools[0].CatchUp(t.Context(), l.old.Server()); err != nil {
				t.Fatal(err)
			}
			l.promoteByHand()
			l.call(0, "master_ip_online_change", l.onlineArgs("start"))
			l.want(l.young.Name, l.young.Name)
			l.more(w, l.young)
			l.verified(w)
			l.eventually("the follower has ended", func() bool {
				files, err := filepath.Glob(filepath.Join(l.dir, "state", "*.json"))
				return err == nil && len(files) == 0
			})
		})
	}
}

// stuckMover moves no address, but says that it does, unless it is told to fail or to hang.
const stuckMover = `#!/bin/sh
f=DIR/has-$MPP_HOST
case "$1" in
on) [ -e DIR/fail-$MPP_HOST ] && { echo "there is no such interface" >&2; exit 3; }; : >$f;;
off) [ -e DIR/fail ] && { echo "the network says no" >&2; exit 3; }
  [ -e DIR/hang ] && { echo $PPID >DIR/hangs; while [ -e DIR/hang ]; do sleep 0.02; done; }
  rm -f $f;;
status) [ -e $f ];;
esac
`

// byProgram lets a program move the address, which can be made to fail where it is wanted.
func (l *hooks) byProgram() {
	l.t.Helper()
	program := l.write("move", strings.ReplaceAll(stuckMover, "DIR", l.dir), 0o700)
	l.write("has-"+l.old.Address.String(), "", 0o600)
	l.byConfig(func(text string) string {
		return strings.Replace(strings.Replace(text, `kind = "metal"`, `kind = "exec"`+"\nprogram = \""+program+"\"\ntimeout = \"10s\"", 1), `interface = "eth0"`, "", 1)
	})
}

func TestAPlannedSwitchIsTakenBackWhenAStepFails(t *testing.T) {
	l := newHooks(t, lab.Options{Nodes: 2})
	l.byProgram()
	l.write("fail", "", 0o600)
	w := l.writing() // through the lab's own address, which stays where it is
	l.more(w, l.old)
	text := l.call(1, "master_ip_online_change", l.onlineArgs("stop"))
	if !strings.Contains(text, "the network says no") || !strings.Contains(text, "the old master has its role again") {
		t.Error("it does not say so")
	}
	if got := l.writers(); got != l.old.Name {
		t.Errorf("writes are taken by %q", got)
	}
	l.more(w, l.old)
	l.verified(w)
}

func TestAStartThatFailsGivesTheRoleBack(t *testing.T) {
	l := newHooks(t, lab.Options{Nodes: 2})
	l.byProgram()
	w := l.writing() // through the lab's own address, which stays where it is
	l.more(w, l.old)
	l.call(0, "master_ip_online_change", l.onlineArgs("stop"))
	if err := l.Pools[0].CatchUp(t.Context(), l.old.Server()); err != nil {
		t.Fatal(err)
	}
	l.write("fail-"+l.young.Address.String(), "", 0o600)
	text := l.call(1, "master_ip_online_change", l.onlineArgs("start"))
	if !strings.Contains(text, "there is no such interface") || !strings.Contains(text, "the old master has its role again") {
		t.Error("it does not say so")
	}
	if _, err := os.Stat(filepath.Join(l.dir, "has-"+l.old.Address.String())); err != nil || l.writers() != l.old.Name {
		t.Errorf("writes are taken by %q, the address at the old master: %v", l.writers(), err)
	}
	l.more(w, l.old)
	l.verified(w)
}

// mhaScript plays MHA: it calls the stop hook, does what it is told, and then ends or calls the start
// hook.
const mhaScript = `use strict;
my ($stop, $wait, $start) = @ARGV;
my $rc = system($stop) >> 8;
exit 90 + $rc if $rc;
while ($wait ne "" && !-e $wait) { select undef, undef, undef, 0.02 }
exit 0 if $start eq "";
exit((system($start) >> 8) + 100);
`

// mha runs the script as MHA is run, and returns its exit code.
func (l *hooks) mha(stop, wait, start string) *exec.Cmd {
	l.t.Helper()
	script := l.write("masterha_master_switch", mhaScript, 0o600)
	cmd := l.Manager().Command(l.t.Context(), "perl", script, stop, wait, start)
	log, err := os.OpenFile(filepath.Join(l.dir, "mha.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		l.t.Fatal(err)
	}
	l.t.Cleanup(func() {
		_ = log.Close()
		text, _ := os.ReadFile(log.Name())
		l.t.Logf("MHA's log:\n%s", text)
	})
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		l.t.Fatal(err)
	}
	return cmd
}

func TestAStopThatMHANeverFollowedUpIsUndone(t *testing.T) {
	l := newHooks(t, lab.Options{Nodes: 2})
	l.byConfig(nil)
	w := l.writing()
	l.more(w, l.old)
	cmd := l.mha(l.line("master_ip_online_change", l.onlineArgs("stop")), "", "")
	if err := cmd.Wait(); err != nil {
		t.Fatal(err)
	}
	l.eventually("the old master has its role again", func() bool { return l.writers() == l.old.Name && l.holders() == l.old.Name })
	l.more(w, l.old)
	r := l.verified(w)
	t.Logf("outage of a switch that MHA left: %s", r.LongestGap)
}

func TestAStartThatComesTooLateIsRefused(t *testing.T) {
	l := newHooks(t, lab.Options{Nodes: 2})
	l.byConfig(nil)
	goOn := filepath.Join(l.dir, "go")
	args := " --undo-after=1500ms "
	cmd := l.mha(l.line("master_ip_online_change", args+l.onlineArgs("stop")), goOn, l.line("master_ip_online_change", args+l.onlineArgs("start")))
	l.eventually("it is stopped", func() bool { return l.writers() == "" && l.holders() == "" })
	l.eventually("the old master has its role again", func() bool { return l.writers() == l.old.Name && l.holders() == l.old.Name })
	l.exec(l.old, "SET GLOBAL read_only = 1") // as MHA does after the stop
	l.write("go", "", 0o600)
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 101 {
		t.Errorf("MHA ended with %v, and the start hook should with 1", err)
	}
	l.want(l.old.Name, l.old.Name)
}

// hookPID is the process of the stop hook that is at work.
func (l *hooks) hookPID() int {
	l.t.Helper()
	var note struct {
		Hook struct {
			PID int `json:"pid"`
		} `json:"hook"`
	}
	text, err := os.ReadFile(filepath.Join(l.dir, "state", net.JoinHostPort(l.old.Address.String(), "3306")+".json"))
	if err == nil {
		err = json.Unmarshal(text, &note)
	}
	if err != nil || note.Hook.PID == 0 {
		l.t.Fatalf("the note is %s: %v", text, err)
	}
	return note.Hook.PID
}

func TestTheTimeThatAStopTakesIsNotMHAs(t *testing.T) {
	l := newHooks(t, lab.Options{Nodes: 2})
	l.byHelper() // with a second for open transactions
	conn, _ := l.session(l.old, l.Pools[0].App.User, l.Pools[0].App.Password)
	for _, statement := range []string{"CREATE TABLE app.held (a INT)", "BEGIN", "INSERT INTO app.held VALUES (1)"} {
		if _, err := conn.ExecContext(t.Context(), statement); err != nil {
			t.Fatal(err)
		}
	}
	args := " --undo-after=600ms "
	cmd := l.mha(l.line("master_ip_online_change", args+l.onlineArgs("stop")), "", l.line("master_ip_online_change", args+l.onlineArgs("start")))
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 100 {
		t.Errorf("MHA ended with %v, and both hooks should with 0", err)
	}
	l.want(l.young.Name, l.young.Name)
}

func TestAHookThatIsKilledHalfWayIsUndone(t *testing.T) {
	l := newHooks(t, lab.Options{Nodes: 2})
	l.byProgram()
	l.write("hang", "", 0o600)
	cmd := l.mha(l.line("master_ip_online_change", l.onlineArgs("stop")), "", "")
	l.eventually("it hangs", func() bool { _, err := os.Stat(filepath.Join(l.dir, "hangs")); return err == nil })
	if got := l.writers(); got != "" {
		t.Errorf("writes are taken by %q", got)
	}
	p, err := os.FindProcess(l.hookPID())
	if err == nil {
		err = p.Kill()
	}
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Remove(filepath.Join(l.dir, "hang")); err != nil {
		t.Fatal(err)
	}
	_ = cmd.Wait() // with what the shell makes of the signal
	l.eventually("the old master has its role again", func() bool {
		_, err := os.Stat(filepath.Join(l.dir, "has-"+l.old.Address.String()))
		return err == nil && l.writers() == l.old.Name
	})
}

func TestAHookThatIsToldToEndTakesBackWhatItDid(t *testing.T) {
	l := newHooks(t, lab.Options{Nodes: 2})
	l.byProgram()
	l.write("hang", "", 0o600)
	cmd := l.mha(l.line("master_ip_online_change", l.onlineArgs("stop")), "", "")
	l.eventually("it hangs", func() bool { _, err := os.Stat(filepath.Join(l.dir, "hangs")); return err == nil })
	p, err := os.FindProcess(l.hookPID())
	if err == nil {
		err = p.Signal(syscall.SIGTERM) // as Ctrl-C at MHA would be
	}
	if err != nil {
		t.Fatal(err)
	}
	var exit *exec.ExitError
	if err := cmd.Wait(); !errors.As(err, &exit) || exit.ExitCode() != 91 {
		t.Errorf("MHA ended with %v, and the stop hook should with 1", err)
	}
	if got := l.writers(); got != l.old.Name {
		t.Errorf("writes are taken by %q", got)
	}
	if _, err := os.Stat(filepath.Join(l.dir, "has-"+l.old.Address.String())); err != nil {
		t.Errorf("the old master has lost its address: %v", err)
	}
}

func TestTheServerOfAPIDFileIsKilled(t *testing.T) {
	l := newHooks(t, lab.Options{Nodes: 2})
	l.byConfig(nil)
	file := l.write("mysqld.pid", fmt.Sprintln(l.old.Server().PID()), 0o600)
	args := fmt.Sprintf("--command=stopssh --ssh_user=root --host=%s --ip=%s --port=3306 --pid_file=", l.old.Name, l.old.Address)
	l.call(1, "shutdown", args+l.write("wrong.pid", fmt.Sprintln(os.Getpid()), 0o600))
	if !l.old.Server().Running() {
		t.Fatal("it was killed by a pid file that names another process")
	}
	l.call(10, "shutdown", args+file)
	l.eventually("the server is dead", func() bool { return !l.old.Server().Running() })
	l.call(10, "shutdown", args+file)
}

func TestReplicasSayWhetherTheMasterIsDead(t *testing.T) {
	l := newHooks(t, lab.Options{Nodes: 3})
	l.byConfig(nil)
	// MHA gives the password as it is, and the shell takes it apart.
	args := fmt.Sprintf("--user=root --master_host=%s --master_ip=%s --master_port=3306 --master_user=mha --master_password=x --ping_type=SELECT", l.old.Name, l.old.Address)
	l.call(3, "secondary_check", args)
	if err := l.old.Freeze(); err != nil {
		t.Fatal(err)
	}
	l.call(0, "secondary_check", args)
	l.call(0, "secondary_check", "--pool=lab1 # "+args)
	if err := l.old.Thaw(); err != nil {
		t.Fatal(err)
	}
	l.call(3, "secondary_check", args)
	if err := l.old.CutFrom(t.Context(), l.Manager()); err != nil {
		t.Fatal(err)
	}
	l.call(3, "secondary_check", args)
	for _, h := range l.Pools[0].Hosts[1:] {
		if err := h.CutFrom(t.Context(), l.Manager()); err != nil {
			t.Fatal(err)
		}
	}
	l.call(2, "secondary_check", args)
}
