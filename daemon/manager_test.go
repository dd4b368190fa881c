package daemon_test

import (
	"bytes"
	"fmt"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"

	"mpp"
	"mpp/sandbox"
)

// run starts another mppd with the same configuration and returns what it said.
func (r *rig) run(args ...string) (string, error) {
	out, err := exec.CommandContext(r.t.Context(), mppd, append([]string{"-config", r.configFile()}, args...)...).CombinedOutput()
	return string(out), err
}

// TestASecondDaemonOnAStateDirectoryRefuses is failure F1.
func TestASecondDaemonOnAStateDirectoryRefuses(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	out, err := r.run()
	if err == nil || !strings.Contains(out, fmt.Sprint(r.cmd.Process.Pid)) {
		t.Errorf("a second daemon: %v, %q; want an error that names pid %d", err, out, r.cmd.Process.Pid)
	}
	r.states("ACTIVE STANDBY STANDBY")
}

// segments are the journal's files of a kind, oldest first.
func (r *rig) files(pattern string) []string {
	r.t.Helper()
	found, err := filepath.Glob(filepath.Join(r.stateDir(), pattern))
	if err != nil || len(found) == 0 {
		// the journal may have a folder of its own
		found, err = filepath.Glob(filepath.Join(r.stateDir(), "*", pattern))
	}
	if err != nil || len(found) == 0 {
		r.t.Fatalf("no %s below %s: %v", pattern, r.stateDir(), err)
	}
	return found
}

// TestAJournalCutShortIsTakenAsFarAsItIsWhole is failure F2: a line that a crash left half
// written was never acknowledged, so nothing is lost with it.
func TestAJournalCutShortIsTakenAsFarAsItIsWhole(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	r.kill()
	last := r.lastSegment()
	text, err := os.ReadFile(last)
	if err != nil {
		t.Fatal(err)
	}
	begin := bytes.LastIndexByte(text[:len(text)-1], '\n') + 1
	if err := os.WriteFile(last, append(text, text[begin:len(text)-7]...), 0o640); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	if told := r.toldOfJournal(mpp.Info); !strings.Contains(told, "cut short") {
		t.Errorf("of the line that was cut short this was told: %q", told)
	}
}

// TestAJournalThatSomebodyTruncatedHoldsThePool is failure F2, too: what was acknowledged is
// missing, and what is left would say that an old ACTIVE node is the present one.
func TestAJournalThatSomebodyTruncatedHoldsThePool(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	r.polls(2)
	r.kill()
	last := r.lastSegment()
	info, err := os.Stat(last)
	if err != nil {
		t.Fatal(err)
	}
	if err := os.Truncate(last, info.Size()*2/3); err != nil {
		t.Fatal(err)
	}
	r.start()
	r.eventually("ready, in maintenance", func(v *mpp.View) error {
		if !v.Ready || !v.Pools[0].Maintenance.On || v.Pools[0].Active != "" {
			return fmt.Errorf("ready %v, ACTIVE %q, maintenance %+v", v.Ready, v.Pools[0].Active, v.Pools[0].Maintenance)
		}
		return nil
	})
	if told := r.toldOfJournal(mpp.Critical); !strings.Contains(told, "cut short") {
		t.Errorf("this was told: %q", told)
	}
}

// lastSegment is the path of the newest journal segment.
func (r *rig) lastSegment() string {
	r.t.Helper()
	segments := r.files("journal-*.log")
	return segments[len(segments)-1]
}

// toldOfJournal joins the events about the journal of at least a severity.
func (r *rig) toldOfJournal(atLeast mpp.Status) string {
	r.t.Helper()
	told := ""
	for _, e := range r.events() {
		if e.Rule == "journal" && e.Severity >= atLeast {
			told += e.Text + "\n"
		}
	}
	return told
}

// TestADamagedJournalInventsNoState is failure F2: what lies behind the damage is UNKNOWN,
// and said so, not guessed.
func TestADamagedJournalInventsNoState(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	primary, second := r.pool.Servers[0], r.pool.Servers[1]
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	r.states("FAIL/OFFLINE ACTIVE STANDBY")
	r.kill()
	if err := primary.Restart(t.Context()); err != nil { // well, and behind: the trap
		t.Fatal(err)
	}
	damaged := r.damageSince(`"ACTIVE"`)

	r.start()
	r.eventually("ready, in maintenance, nobody guessed ACTIVE", func(v *mpp.View) error {
		p := v.Pools[0]
		if !v.Ready || !p.Maintenance.On || statesOf(&p) != "STANDBY STANDBY STANDBY" {
			return fmt.Errorf("ready %v, maintenance %+v, %s", v.Ready, p.Maintenance, statesOf(&p))
		}
		return nil
	})
	damage := r.toldOfJournal(mpp.Critical)
	if !strings.Contains(damage, damaged) || !strings.Contains(damage, "mpp maintenance off p") {
		t.Errorf("the damage is told as %q; it does not name %s and the way out", damage, damaged)
	}
	r.polls(5)
	if v := r.states("STANDBY STANDBY STANDBY"); v.Pools[0].Active != "" {
		t.Errorf("%s was taken for ACTIVE, which the damage hides", v.Pools[0].Active)
	}

	// The way out that the event names, for the case that the PRIMARY is not the one.
	for _, c := range []mpp.Command{
		{Verb: mpp.VerbMaintenance, Node: primary.Address(), Maintenance: mpp.Maintenance{On: true, Reason: "behind"}},
		{Verb: mpp.VerbPromote, Node: second.Address()},
		{Verb: mpp.VerbMaintenance},
	} {
		if result := r.do(c); !result.Done {
			t.Fatalf("%+v: %+v", c, result)
		}
	}
	r.polls(3)
	r.states("STANDBY ACTIVE STANDBY")
}

// damageSince overwrites the newest journal segment from shortly before the first record that
// holds text to its end, and returns the segment's name.
func (r *rig) damageSince(text string) string {
	r.t.Helper()
	last := r.lastSegment()
	data, err := os.ReadFile(last)
	if err != nil {
		r.t.Fatal(err)
	}
	at := bytes.Index(data, []byte(text))
	if at < 0 {
		r.t.Fatalf("the journal does not hold %s", text)
	}
	for i := max(0, at-400); i < len(data)-1; i++ {
		if data[i] != '\n' {
			data[i] = 'x'
		}
	}
	if err := os.WriteFile(last, data, 0o640); err != nil {
		r.t.Fatal(err)
	}
	return filepath.Base(last)
}

// TestAFullStateDiskDoesNotStopTheJudging is failure F2 while running.
func TestAFullStateDiskDoesNotStopTheJudging(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	r := newRig(t, nil)
	if err := os.Mkdir(r.stateDir(), 0o750); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", r.stateDir(), "tmpfs", 0, "size=256k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.kill()
		if err := syscall.Unmount(r.stateDir(), 0); err != nil {
			t.Error(err)
		}
	})
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	ballast := filepath.Join(r.stateDir(), "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the disk did not fill up")
	}
	if err := r.pool.Servers[0].Kill(); err != nil {
		t.Fatal(err)
	}
	r.states("FAIL/OFFLINE ACTIVE STANDBY")
	r.eventually("the view says that the journal is broken", func(v *mpp.View) error {
		if !strings.Contains(v.JournalError, "space") {
			return fmt.Errorf("it says %q", v.JournalError)
		}
		return nil
	})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	r.eventually("the journal is mended", func(v *mpp.View) error {
		if v.JournalError != "" {
			return fmt.Errorf("it says %q", v.JournalError)
		}
		return nil
	})
	r.kill()
	r.start()
	r.states("FAIL/OFFLINE ACTIVE STANDBY")
}

// TestAnUnusableStateDirectoryIsNamed is failure F2 at the start.
func TestAnUnusableStateDirectoryIsNamed(t *testing.T) {
	r := newRig(t, nil)
	if err := os.WriteFile(r.stateDir(), []byte("a file"), 0o600); err != nil {
		t.Fatal(err)
	}
	out, err := r.run()
	if err == nil || !strings.Contains(out, r.stateDir()) {
		t.Errorf("with a file as state directory: %v, %q", err, out)
	}
}

// TestAReloadWithAMistakeKeepsTheOldConfiguration is failure F3.
func TestAReloadWithAMistakeKeepsTheOldConfiguration(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	good, err := os.ReadFile(r.configFile())
	if err != nil {
		t.Fatal(err)
	}
	bad := strings.Replace(string(good), "[[pool.node]]", "intervall = \"1s\"\n[[pool.node]]", 1)
	if err := os.WriteFile(r.configFile(), []byte(bad), 0o600); err != nil {
		t.Fatal(err)
	}
	r.signal(syscall.SIGHUP)
	v := r.eventually("the mistake is named", func(v *mpp.View) error {
		if !strings.Contains(v.ConfigError, "intervall") {
			return fmt.Errorf("it says %q", v.ConfigError)
		}
		return nil
	})
	if !strings.Contains(v.ConfigError, filepath.Base(r.configFile())+":") {
		t.Errorf("the mistake has no place: %s", v.ConfigError)
	}
	r.polls(2)
	r.states("ACTIVE STANDBY STANDBY")
	if err := os.WriteFile(r.configFile(), good, 0o600); err != nil {
		t.Fatal(err)
	}
	r.signal(syscall.SIGHUP)
	r.eventually("the mistake is mended", func(v *mpp.View) error {
		if v.ConfigError != "" {
			return fmt.Errorf("it says %q", v.ConfigError)
		}
		return nil
	})
}

// TestAReloadAddsRemovesAndChangesWithoutTouchingTheRest is failure F4.
func TestAReloadAddsRemovesAndChangesWithoutTouchingTheRest(t *testing.T) {
	r := newRig(t, func(_ *rig, o *sandbox.PoolOptions) { o.Size = 4 })
	all := r.addresses()
	r.writeConfig(all[:3]...)
	r.start()
	before := r.states("ACTIVE STANDBY STANDBY")
	sessions := r.sessions(0)

	r.writeConfig(all[0], all[1], all[3])
	r.signal(syscall.SIGHUP)
	r.eventually("the fourth node for the third", func(v *mpp.View) error {
		if n := v.Pools[0].Nodes; n[2].Address != all[3] || n[2].State != mpp.Standby {
			return fmt.Errorf("the third node is %s %s", n[2].Address, n[2].State)
		}
		return nil
	})
	after := r.states("ACTIVE STANDBY STANDBY")
	for i := range 2 {
		if !after.Pools[0].Nodes[i].Since.Equal(before.Pools[0].Nodes[i].Since) {
			t.Errorf("%s was touched by the reload", all[i])
		}
	}
	if again := r.sessions(0); again != sessions {
		t.Errorf("the lasting connection to an unchanged node was %s before the reload and %s after", sessions, again)
	}
	if status, body := r.answer("ok", all[2]); status != http.StatusServiceUnavailable {
		t.Errorf("a removed node answers %d %s", status, body)
	}

	// Another pool, beside the first.
	config, err := os.ReadFile(r.configFile())
	if err != nil {
		t.Fatal(err)
	}
	more := fmt.Sprintf("\n[[pool]]\nname = \"second\"\n[pool.account]\nuser = \"mpp\"\npassword_file = %q\n[[pool.node]]\naddress = %q\ntype = \"PRIMARY\"\n",
		filepath.Join(r.dir, "password"), all[2])
	if err := os.WriteFile(r.configFile(), append(config, more...), 0o600); err != nil {
		t.Fatal(err)
	}
	r.signal(syscall.SIGHUP)
	r.eventually("a second pool", func(v *mpp.View) error {
		if len(v.Pools) != 2 || v.Pools[1].Nodes[0].State == mpp.Unknown {
			return fmt.Errorf("there are %d pools", len(v.Pools))
		}
		return nil
	})
	if err := os.WriteFile(r.configFile(), config, 0o600); err != nil {
		t.Fatal(err)
	}
	r.signal(syscall.SIGHUP)
	r.eventually("one pool again", func(v *mpp.View) error {
		if len(v.Pools) != 1 {
			return fmt.Errorf("there are %d pools", len(v.Pools))
		}
		return nil
	})
}

// TestARenamedPoolKeepsItsStates: FAIL is sticky and ACTIVE is the truth of an address,
// whatever the pool is called; else the PRIMARY that failed would take the role back.
func TestARenamedPoolKeepsItsStates(t *testing.T) {
	r := newRig(t, nil)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	primary := r.pool.Servers[0]
	if err := primary.Kill(); err != nil {
		t.Fatal(err)
	}
	r.states("FAIL/OFFLINE ACTIVE STANDBY")
	if err := primary.Restart(t.Context()); err != nil {
		t.Fatal(err)
	}
	rename := func(from, to string) {
		t.Helper()
		text, err := os.ReadFile(r.configFile())
		if err != nil {
			t.Fatal(err)
		}
		text = bytes.Replace(text, []byte(`name = "`+from+`"`), []byte(`name = "`+to+`"`), 1)
		if err := os.WriteFile(r.configFile(), text, 0o600); err != nil {
			t.Fatal(err)
		}
	}
	named := func(name string) {
		t.Helper()
		r.eventually("pool "+name+", polled", func(v *mpp.View) error {
			if !v.Ready || v.Pools[0].Name != name || v.Pools[0].Nodes[0].Errors != 0 {
				return fmt.Errorf("ready %v, pool %s, %+v", v.Ready, v.Pools[0].Name, v.Pools[0].Nodes[0])
			}
			return nil
		})
		r.polls(3)
		r.states("FAIL/OFFLINE ACTIVE STANDBY")
	}
	rename("p", "q")
	r.signal(syscall.SIGHUP)
	named("q")
	rename("q", "s")
	r.kill()
	r.start()
	named("s")
	r.kill()
	r.start() // from what was journalled under the new name
	named("s")
}

// sessions lists the connection ids of MPP's account on server i that are older than a
// login: its lasting connection.
func (r *rig) sessions(i int) string {
	r.t.Helper()
	rows, err := r.pool.Servers[i].Root().QueryContext(r.t.Context(),
		"SELECT MIN(ID) FROM information_schema.PROCESSLIST WHERE USER = 'mpp'")
	if err != nil {
		r.t.Fatal(err)
	}
	defer rows.Close()
	text := ""
	for rows.Next() {
		if err := rows.Scan(&text); err != nil {
			r.t.Fatal(err)
		}
	}
	if err := rows.Err(); err != nil {
		r.t.Fatal(err)
	}
	return text
}
