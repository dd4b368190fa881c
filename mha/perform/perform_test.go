package perform

import (
	"bytes"
	"context"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp/action/remote"
	"mpp/config"
	"mpp/mha/hook"
	"mpp/sandbox"
)

func TestOptionsOfSSHAreSplitAsAShellWould(t *testing.T) {
	got := words(`-o BatchMode=yes  -i "/a b/key" -o 'ProxyCommand=nc %h %p' -v`)
	want := []string{"-o", "BatchMode=yes", "-i", "/a b/key", "-o", "ProxyCommand=nc %h %p", "-v"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestTheFirstKeyThatIsThereIsUsed(t *testing.T) {
	home := t.TempDir()
	t.Setenv("HOME", home)
	for _, name := range []string{".ssh/id_ed25519", ".ssh/known_hosts2"} {
		path := filepath.Join(home, name)
		if err := os.MkdirAll(filepath.Dir(path), 0o700); err != nil {
			t.Fatal(err)
		}
		if err := os.WriteFile(path, nil, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	got := readSettings("host db1\nuser mha\nhostname 10.0.0.1\nport 2222\nidentityfile ~/.ssh/id_rsa\nidentityfile ~/.ssh/id_ed25519\nuserknownhostsfile ~/.ssh/known_hosts ~/.ssh/known_hosts2\nglobalknownhostsfile /etc/ssh/ssh_known_hosts\n")
	want := remote.Options{Host: "10.0.0.1", Port: 2222, User: "mha", KeyFile: filepath.Join(home, ".ssh/id_ed25519"), KnownHosts: filepath.Join(home, ".ssh/known_hosts2")}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

// world is a pool whose address is moved by a program: a file for each node that has it. Its servers
// are not there: their ports refuse.
type world struct {
	t   *testing.T
	dir string
}

const mover = `#!/bin/sh
case "$1" in
on) [ -e DIR/stuck ] && { echo "the network says no" >&2; exit 3; }; : >DIR/has-$MPP_HOST;;
off) [ -e DIR/stuck ] && { echo "the network says no" >&2; exit 3; }; rm -f DIR/has-$MPP_HOST;;
status) [ -e DIR/has-$MPP_HOST ];;
esac
`

func newWorld(t *testing.T, failover string) *world {
	t.Helper()
	w := &world{t: t, dir: t.TempDir()}
	w.write("move", strings.ReplaceAll(mover, "DIR", w.dir), 0o700)
	w.write("off", "#!/bin/sh\necho \"$1 $2\" >"+w.dir+"/was-off\n", 0o700)
	w.write("password", "secret\n", 0o600)
	w.write("mpp.toml", fmt.Sprintf(`
[[pool]]
name = "shop"
account = { user = "mpp", password_file = "password" }
[pool.vip]
kind = "exec"
addresses = ["10.0.0.100/32"]
program = %q
%s
[[pool.node]]
address = "127.0.0.2:1"
type = "PRIMARY"
name = "db1"
[[pool.node]]
address = "127.0.0.3:1"
type = "SECONDARY"
`, filepath.Join(w.dir, "move"), strings.ReplaceAll(failover, "DIR", w.dir)), 0o600)
	w.write("has-127.0.0.2", "", 0o600)
	return w
}

func (w *world) write(name, text string, mode os.FileMode) {
	w.t.Helper()
	if err := os.WriteFile(filepath.Join(w.dir, name), []byte(text), mode); err != nil {
		w.t.Fatal(err)
	}
}

func (w *world) holders() string {
	all, err := filepath.Glob(filepath.Join(w.dir, "has-*"))
	if err != nil {
		w.t.Fatal(err)
	}
	for i := range all {
		all[i] = strings.TrimPrefix(filepath.Base(all[i]), "has-")
	}
	return strings.Join(all, " ")
}

// call calls a hook as MHA does, and returns the exit code and what it said without times.
func (w *world) call(p hook.Program, args string) (int, string) {
	var out bytes.Buffer
	all := append([]string{"--config=" + filepath.Join(w.dir, "mpp.toml"), "--state-dir=" + filepath.Join(w.dir, "state")}, strings.Fields(args)...)
	code := Run(w.t.Context(), System{Out: &out}, p, all)
	text := regexp.MustCompile(`(?m)^.* - \[`).ReplaceAllString(out.String(), "[")
	return code, strings.ReplaceAll(regexp.MustCompile(` \(\d+ ms\)`).ReplaceAllString(text, ""), w.dir, "DIR")
}

const (
	origArgs = "--orig_master_host=db1 --orig_master_ip=127.0.0.2 --orig_master_port=1"
	newArgs  = " --new_master_host=db2 --new_master_ip=127.0.0.3 --new_master_port=1"
)

func TestADeadMasterLosesItsAddressAndTheNewOneGetsIt(t *testing.T) {
	w := newWorld(t, "")
	var got []string
	for _, args := range []string{
		"--command=status --ssh_user=root " + origArgs,
		origArgs + " --command=stopssh --ssh_user=root",
		origArgs + " --command=stopssh --ssh_user=root", // MHA may come again
		"--command=status --ssh_user=root " + origArgs,
		"--command=start --ssh_user=root " + origArgs + newArgs + ` --new_master_user=mha --new_master_password=a\!b`,
		"--command=start --ssh_user=root " + origArgs + newArgs + ` --new_master_user=mha --new_master_password=a\!b`,
	} {
		code, text := w.call(hook.Failover, args)
		if strings.Contains(text, "a!b") || strings.Contains(text, "secret") {
			t.Errorf("a password is in the log: %s", text)
		}
		got = append(got, fmt.Sprintf("%d %s", code, w.holders()))
	}
	want := []string{"0 127.0.0.2", "0 ", "0 ", "1 ", "10 127.0.0.3", "10 127.0.0.3"}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAnAddressThatStaysEndsTheFailover(t *testing.T) {
	w := newWorld(t, "")
	w.write("stuck", "", 0o600)
	code, text := w.call(hook.Failover, origArgs+" --command=stopssh --ssh_user=root")
	if code != hook.ExitFailed || !strings.Contains(text, "the network says no") || !strings.Contains(text, "keeps the virtual address") {
		t.Errorf("exit code %d: %s", code, text)
	}
}

func TestAnUnfencedMasterIsTurnedOffOrToldOrEndsTheFailover(t *testing.T) {
	got := map[string]string{}
	for name, failover := range map[string]string{
		"best effort": "", "required": "[pool.failover]\nfence = \"required\"\n",
		"shutdown": "[pool.failover.shutdown]\nprogram = \"DIR/off\"\n",
	} {
		w := newWorld(t, failover)
		w.write("stuck", "", 0o600)
		code, text := w.call(hook.Failover, origArgs+" --command=stop")
		lines := strings.Split(strings.TrimSpace(text), "\n")
		off, _ := os.ReadFile(filepath.Join(w.dir, "was-off"))
		got[name] = fmt.Sprintf("%d, off: %s, %s", code, strings.TrimSpace(string(off)), lines[len(lines)-1])
	}
	want := map[string]string{
		"best effort": `10, off: , [warning] mpp master_ip_failover stop: exit code 10: NOT FENCED: the old master may still have the virtual address, and take writes when it is seen again; fence = "best_effort" goes on`,
		"required":    `1, off: , [error] mpp master_ip_failover stop: exit code 1: the old master could not be fenced, and fence = "required": make sure that it is off, then start the failover again`,
		"shutdown":    `0, off: 127.0.0.2:1 127.0.0.2, [info] mpp master_ip_failover stop: exit code 0: the old master is fenced: it was turned off`,
	}
	if diff := cmp.Diff(want, got); diff != "" {
		t.Error(diff)
	}
}

func TestAPlannedSwitchTouchesNothingBeforeEverythingIsTried(t *testing.T) {
	w := newWorld(t, "")
	code, text := w.call(hook.Online, "--command=stop "+origArgs+newArgs)
	if code != hook.ExitFailed || !strings.Contains(text, "nothing was touched") || w.holders() != "127.0.0.2" {
		t.Errorf("exit code %d, the address is at %q: %s", code, w.holders(), text)
	}
}

func TestAHostIsTurnedOffByTheProgramForIt(t *testing.T) {
	w := newWorld(t, "[pool.failover.shutdown]\nprogram = \"DIR/off\"\n")
	code, text := w.call(hook.Shutdown, "--command=status --ssh_user=root --host=db1 --ip=127.0.0.2 --port=1")
	if code != 0 {
		t.Error(text)
	}
	code, text = w.call(hook.Shutdown, "--command=stopssh --ssh_user=root --host=db1 --ip=127.0.0.2 --port=1 --pid_file=/nowhere")
	if off, err := os.ReadFile(filepath.Join(w.dir, "was-off")); code != 0 || err != nil || string(off) != "127.0.0.2:1 127.0.0.2\n" {
		t.Errorf("exit code %d, off %q (%v): %s", code, off, err, text)
	}
}

func TestMHABesideMPPsOwnEngineIsRefused(t *testing.T) {
	w := newWorld(t, "")
	all, err := config.Load(filepath.Join(w.dir, "mpp.toml"))
	if err != nil {
		t.Fatal(err)
	}
	_, err = poolOf(all, &hook.Request{Orig: hook.Server{Host: "other", IP: "127.0.0.9", Port: "1"}})
	if err == nil || err.Error() != "no pool has other:1: write MHA's hostname or its address as the node's address" {
		t.Errorf("%v", err)
	}
	text, err := os.ReadFile(filepath.Join(w.dir, "mpp.toml"))
	if err != nil {
		t.Fatal(err)
	}
	w.write("repl", "x", 0o600)
	w.write("mpp.toml", strings.Replace(string(text), "[pool.vip]", "engine = \"native\"\n[pool.failover.replication]\nuser = \"repl\"\npassword_file = \"repl\"\n[pool.vip]", 1), 0o600)
	code, said := w.call(hook.Failover, "--command=status "+origArgs)
	if code != hook.ExitFailed || !strings.Contains(said, `engine = "native": mppd promotes by itself`) {
		t.Errorf("exit code %d: %s", code, said)
	}
}

func TestConfigurationOfMHAHelperIsHonoured(t *testing.T) {
	dir, home := t.TempDir(), t.TempDir()
	t.Setenv("HOME", home)
	for name, text := range map[string]string{
		filepath.Join(dir, "a.conf"): "[default]\nwriter_vip_cidr=192.168.10.155/24\nvip_type=metal\nreport_email=dba@example.com\nsmtp_host=localhost\nrequires_sudo=no\n" +
			"super_read_only=no\nrequires_arping=yes\ncluster_interface=eth1\nkill_after_timeout=7\n[db1]\ncluster_interface=bond0\nrequires_sudo=yes\n[db2]\n",
		filepath.Join(dir, "b.conf"): "[default]\nvip_type=aws\nwriter_vip_cidr=10.9.9.9/32\n[db1]\n[db3]\n",
		filepath.Join(home, "key"):   "", filepath.Join(home, "known_hosts"): "",
	} {
		if err := os.WriteFile(name, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
	}
	options := hook.Options{Helper: dir, KeyFile: filepath.Join(home, "key"), KnownHosts: filepath.Join(home, "known_hosts"), Spare: []string{"backup"}}
	r := hook.Request{
		Program: hook.Online, Phase: hook.Stop, Options: options,
		Orig: hook.Server{Host: "db1", IP: "10.0.0.1", Port: "3306", User: "mha", Password: "pw", SSH: hook.SSH{User: "adm", Port: "2222"}},
		New:  hook.Server{Host: "db2", IP: "10.0.0.2", Port: "3306", User: "mha", Password: "pw"},
	}
	c, err := castOf(t.Context(), &r)
	if err != nil {
		t.Fatal(err)
	}
	var nodes []string
	for _, n := range c.pool.Nodes {
		nodes = append(nodes, fmt.Sprintf("%s %s by %s at %s:%d, sudo %v, on %s", n.Address, n.Account.User, n.SSH.User, n.SSH.Host, n.SSH.Port, n.SSH.Sudo, n.Interface))
	}
	user := readSettings(output(t, "ssh", "-G", "10.0.0.2")).User
	want := []string{"10.0.0.1:3306 mha by adm at 10.0.0.1:2222, sudo true, on bond0", "10.0.0.2:3306 mha by " + user + " at 10.0.0.2:22, sudo false, on eth1"}
	if diff := cmp.Diff(want, nodes); diff != "" {
		t.Error(diff)
	}
	got := fmt.Sprint(c.pool.VIP.Addresses, c.setup.Limits.KillAfter, c.pool.Native.Own, c.setup.Address, len(c.notes))
	if got != "[192.168.10.155/32] 7s [backup mha mha] true 2" {
		t.Errorf("the rest is %s (%q)", got, c.notes)
	}
	_, err = castOf(t.Context(), &hook.Request{Options: options, Orig: hook.Server{Host: "db3", Port: "3306"}})
	if err == nil || !strings.Contains(err.Error(), `does not move addresses of the type "aws"`) {
		t.Errorf("of an address at Amazon is said: %v", err)
	}
}

func output(t *testing.T, name string, args ...string) string {
	t.Helper()
	c := exec.CommandContext(t.Context(), name, args...)
	out, err := c.Output()
	if err != nil {
		t.Fatal(err)
	}
	return string(out)
}

func TestWhoWritesFirstHasDecidedASwitch(t *testing.T) {
	s := state{filepath.Join(t.TempDir(), "state", "db1.json")}
	decided := map[hook.Progress]int{}
	for range 20 {
		if err := s.change(func(r *record) bool { *r = record{Progress: hook.Stopped}; return true }); err != nil {
			t.Fatal(err)
		}
		won := make(chan hook.Progress, 2)
		for _, wants := range []hook.Progress{hook.Starting, hook.Undone} {
			go func() {
				mine := hook.Progress("")
				err := s.change(func(r *record) bool {
					if r.Progress != hook.Stopped {
						return false
					}
					mine, r.Progress = wants, wants
					return true
				})
				if err != nil {
					mine = "failed"
				}
				won <- mine
			}()
		}
		winners := 0
		for range 2 {
			if p := <-won; p != "" {
				winners++
				decided[p]++
			}
		}
		if winners != 1 {
			t.Fatalf("%d have decided: %v", winners, decided)
		}
	}
}

func TestAStateFolderOfOthersIsNotTrusted(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "open")
	if err := os.Mkdir(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, 0o777); err != nil { //nolint:gosec // that is the point
		t.Fatal(err)
	}
	err := state{filepath.Join(dir, "a.json")}.change(func(*record) bool { return true })
	if err == nil || !strings.Contains(err.Error(), "nobody else can write to") {
		t.Errorf("got %v", err)
	}
}

func TestAProcessIsToldFromALaterOneOfTheSameNumber(t *testing.T) {
	me := self()
	other := process{me.PID, me.Began + "1"}
	if !me.alive() || other.alive() || (process{}).alive() {
		t.Errorf("I am alive: %v, another with my number: %v", me.alive(), other.alive())
	}
	c := exec.CommandContext(t.Context(), "/bin/sh", "-c", "read x")
	in, err := c.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	child := processOf(c.Process.Pid)
	if child.ended(t.Context(), time.Millisecond, func() bool { return false }) {
		t.Error("it has not ended yet")
	}
	if err := in.Close(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	if !child.ended(ctx, time.Minute, func() bool { return false }) {
		t.Error("its end was not seen")
	}
	_ = c.Wait()
}

// TestPasswordsAreNotInTheProcessList looks at a hook that waits for a program.
func TestPasswordsAreNotInTheProcessList(t *testing.T) {
	w := newWorld(t, "")
	program := filepath.Join(w.dir, "mpp")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "mpp/cmd/mpp").CombinedOutput(); err != nil {
		t.Fatalf("build mpp: %v\n%s", err, out)
	}
	w.write("move", "#!/bin/sh\ntouch "+w.dir+"/waits; while [ ! -e "+w.dir+"/go ]; do sleep 0.02; done\n", 0o700)
	link := filepath.Join(w.dir, "master_ip_failover")
	if err := os.Symlink(program, link); err != nil {
		t.Fatal(err)
	}
	args := append([]string{"--config=" + filepath.Join(w.dir, "mpp.toml"), "--state-dir=" + filepath.Join(w.dir, "state"), `--new_master_password=my\!secret`}, strings.Fields("--command=start --ssh_user=root "+origArgs+newArgs)...)
	cmd := exec.CommandContext(t.Context(), link, args...)
	var out bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &out
	if err := cmd.Start(); err != nil {
		t.Fatal(err)
	}
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	err := sandbox.Eventually(ctx, 5*time.Millisecond, func(context.Context) error { _, err := os.Stat(filepath.Join(w.dir, "waits")); return err })
	line, reading := os.ReadFile(fmt.Sprintf("/proc/%d/cmdline", cmd.Process.Pid))
	w.write("go", "", 0o600)
	_ = cmd.Wait() // nothing listens where the servers should be
	if err != nil || reading != nil || strings.Contains(string(line), "secret") || !strings.Contains(string(line), "--new_master_password=xxxxxxxxxx\x00") {
		t.Errorf("%v, %v: ps shows %q\n%s", err, reading, line, out.String())
	}
}
