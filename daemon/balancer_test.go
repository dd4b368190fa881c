package daemon_test

import (
	"bufio"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mpp"
	"mpp/publish/statefile/format"
)

// freePort returns a TCP address that is free now.
func freePort(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	return l.Addr().String()
}

// agentSays asks the agent-check about a node.
func agentSays(t *testing.T, address, line string) string {
	t.Helper()
	c, err := net.DialTimeout("tcp", address, 5*time.Second)
	if err != nil {
		return err.Error()
	}
	defer c.Close()
	_ = c.SetDeadline(time.Now().Add(5 * time.Second))
	fmt.Fprintf(c, "%s\n", line)
	text, err := bufio.NewReader(c).ReadString('\n')
	if err != nil {
		return err.Error()
	}
	return strings.TrimSpace(text)
}

// TestEveryWayOfAskingGivesTheSameAnswer asks a real mppd in each way that a balancer has,
// before and after the ACTIVE server is killed: HTTP, agent-check, track files, mpp-check.
func TestEveryWayOfAskingGivesTheSameAnswer(t *testing.T) {
	check := filepath.Join(t.TempDir(), "mpp-check")
	if out, err := exec.Command("go", "build", "-o", check, "mpp/cmd/mpp-check").CombinedOutput(); err != nil {
		t.Fatalf("build mpp-check: %v\n%s", err, out)
	}
	agent := freePort(t)
	r := newRig(t, nil)
	tracks := filepath.Join(r.dir, "tracks")
	r.extra = fmt.Sprintf("[agent]\nlisten = %q\n[track_files]\ndir = %q\n", agent, tracks)
	r.writeConfig(r.addresses()...)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")

	type answers struct{ http, agent, track, check string }
	ask := func(role, node string) answers {
		status, _ := r.answer(role, node)
		track, err := os.ReadFile(filepath.Join(tracks, "p."+strings.ReplaceAll(node, ":", "_")+"."+role))
		if err != nil {
			track = []byte(err.Error())
		}
		code := 0
		cmd := exec.Command(check, "--run-dir", filepath.Join(r.dir, "run"), role, node)
		if out, err := cmd.CombinedOutput(); err != nil {
			if code = cmd.ProcessState.ExitCode(); code != 1 {
				t.Errorf("mpp-check %s %s: %v: %s", role, node, err, out)
			}
		}
		word, _, _ := strings.Cut(agentSays(t, agent, "role="+role+" pool=p node="+node), " ")
		return answers{fmt.Sprint(status), word, strings.TrimSpace(string(track)), fmt.Sprint(code)}
	}
	expect := func(when string, want map[string]answers) {
		t.Helper()
		r.eventually(when, func(*mpp.View) error {
			for key, w := range want {
				role, node, _ := strings.Cut(key, " ")
				if got := ask(role, node); got != w {
					return fmt.Errorf("%s: %+v, want %+v", key, got, w)
				}
			}
			return nil
		})
	}
	first, second := r.pool.Servers[0].Address(), r.pool.Servers[1].Address()
	yes := answers{"200", "up", "0", "0"}
	expect("all is well", map[string]answers{
		"writer " + first: yes, "writer " + second: {"503", "maint", "1", "1"},
		"reader " + second: yes, "ok " + second: yes,
	})
	if err := r.pool.Servers[0].Kill(); err != nil {
		t.Fatal(err)
	}
	expect("the ACTIVE server is dead", map[string]answers{
		"writer " + first: {"503", "down", "1", "1"}, "ok " + first: {"503", "down", "1", "1"}, "writer " + second: yes,
	})
	// A daemon that ends in order turns the track files; mpp-check's data grows stale.
	r.signal(syscall.SIGTERM)
	<-r.exited
	r.cmd = nil
	track, err := os.ReadFile(filepath.Join(tracks, "p."+strings.ReplaceAll(second, ":", "_")+".writer"))
	if err != nil || strings.TrimSpace(string(track)) != "1" {
		t.Errorf("after the end of mppd the track file says %q (%v), want 1", track, err)
	}
	deadline := time.Now().Add(patience)
	for {
		err := exec.Command(check, "--run-dir", filepath.Join(r.dir, "run"), "writer", second).Run()
		if err != nil {
			break // it says no
		}
		if time.Now().After(deadline) {
			t.Fatal("mpp-check still says yes long after mppd ended")
		}
	}
}

// trackRig is a rig whose mppd writes track files, too, with the path of the writer's.
func trackRig(t *testing.T) (r *rig, track string) {
	t.Helper()
	r = newRig(t, nil)
	tracks := filepath.Join(r.dir, "tracks")
	r.extra = fmt.Sprintf("[track_files]\ndir = %q\n", tracks)
	r.writeConfig(r.addresses()...)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	track = filepath.Join(tracks, "p."+strings.ReplaceAll(r.pool.Servers[0].Address(), ":", "_")+".writer")
	r.eventually("the writer's track file is 0", func(*mpp.View) error { return holds(track, "0\n") })
	return r, track
}

func holds(path, want string) error {
	text, err := os.ReadFile(path)
	if err == nil && string(text) != want {
		err = fmt.Errorf("%s holds %q", path, text)
	}
	return err
}

// TestASecondDaemonThatCannotStartLeavesTheFilesOfTheFirstAlone gives it another state
// directory, so that the lease does not stop it.
func TestASecondDaemonThatCannotStartLeavesTheFilesOfTheFirstAlone(t *testing.T) {
	r, track := trackRig(t)
	before, err := os.Stat(track)
	if err != nil {
		t.Fatal(err)
	}
	text, err := os.ReadFile(r.configFile())
	if err != nil {
		t.Fatal(err)
	}
	run := filepath.Join(r.dir, "run")
	pid := fmt.Sprintf("used by another mppd (pid %d)", r.cmd.Process.Pid)
	socket := fmt.Sprintf("[api]\nsocket = %q\n[track_files]", filepath.Join(r.dir, "second.sock"))
	cases := map[string]struct{ old, new, folder, says string }{
		"the socket": {"", "", filepath.Join(run, "mppd.sock"), "another mppd"},
		"run_dir":    {"[track_files]", socket, filepath.Join(run, "pools"), pid},
		"the track files": {
			fmt.Sprintf("run_dir = %q", run), fmt.Sprintf("run_dir = %q", filepath.Join(r.dir, "run2")), filepath.Dir(track), pid,
		},
	}
	for name, c := range cases {
		second := strings.Replace(string(text), c.old, c.new, 1)
		second = strings.Replace(second, r.stateDir(), r.stateDir()+"2", 1)
		file := filepath.Join(t.TempDir(), "mpp.toml")
		if err := os.WriteFile(file, []byte(second), 0o600); err != nil {
			t.Fatal(err)
		}
		out, err := exec.CommandContext(t.Context(), mppd, "-config", file).CombinedOutput()
		if err == nil || !strings.Contains(string(out), c.folder) || !strings.Contains(string(out), c.says) {
			t.Errorf("%s is shared: %v, %s; want %s and %q", name, err, out, c.folder, c.says)
		}
		after, err := os.Stat(track)
		if err != nil || !os.SameFile(before, after) || !before.ModTime().Equal(after.ModTime()) {
			t.Errorf("%s is shared: the track file was touched: %v", name, err)
		}
	}
	if err := holds(track, "0\n"); err != nil {
		t.Error(err)
	}
	r.states("ACTIVE STANDBY STANDBY")
}

// TestFilesThatCannotBeWrittenAreToldAndWrittenAgain removes the folders under a running mppd,
// and puts something in their way.
func TestFilesThatCannotBeWrittenAreToldAndWrittenAgain(t *testing.T) {
	r, track := trackRig(t)
	pools := filepath.Join(r.dir, "run", "pools")
	all := func(*mpp.View) error {
		for _, path := range []string{filepath.Join(pools, "index"), filepath.Join(pools, "p.state"), filepath.Join(filepath.Dir(track), ".on-stop")} {
			if _, err := os.Stat(path); err != nil {
				return err
			}
		}
		return holds(track, "0\n")
	}
	for _, remove := range []string{filepath.Join(r.dir, "run"), pools, filepath.Dir(track), track} {
		if err := os.RemoveAll(remove); err != nil {
			t.Fatal(err)
		}
		r.eventually("after "+remove+" was removed", all)
	}
	for _, folder := range []string{pools, filepath.Dir(track)} {
		if err := os.RemoveAll(folder); err != nil {
			t.Fatal(err)
		}
		for os.WriteFile(folder, nil, 0o600) != nil { // mppd may be faster
			if err := os.RemoveAll(folder); err != nil {
				t.Fatal(err)
			}
		}
		r.eventually("the trouble is shown", func(v *mpp.View) error {
			if !strings.Contains(v.FilesError, folder) {
				return fmt.Errorf("it says %q", v.FilesError)
			}
			return nil
		})
		if err := os.Remove(folder); err != nil {
			t.Fatal(err)
		}
		r.eventually("the trouble is over", func(v *mpp.View) error {
			if v.FilesError != "" {
				return fmt.Errorf("it says %q", v.FilesError)
			}
			return all(v)
		})
	}
	var told []string
	for _, e := range r.events() {
		if e.Rule == "files" {
			told = append(told, e.Severity.String())
		}
	}
	if got := strings.Join(told, " "); !strings.Contains(got, "CRITICAL OK") || strings.Contains(got, "CRITICAL CRITICAL") {
		t.Errorf("events: %s", got)
	}
}

// TestAFullRunDirectoryAnswersNoForTheDead fills the file system of run_dir and of the track
// files, and then kills the writer.
func TestAFullRunDirectoryAnswersNoForTheDead(t *testing.T) {
	if os.Getuid() != 0 {
		t.Skip("only root can mount a small file system")
	}
	r := newRig(t, nil)
	run := filepath.Join(r.dir, "run")
	if err := os.Mkdir(run, 0o755); err != nil {
		t.Fatal(err)
	}
	if err := syscall.Mount("tmpfs", run, "tmpfs", 0, "size=256k"); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		r.kill()
		if err := syscall.Unmount(run, 0); err != nil {
			t.Error(err)
		}
	})
	r.extra = fmt.Sprintf("[track_files]\ndir = %q\n", filepath.Join(run, "track"))
	r.keys = "when_stale = \"last_known\"" // time alone makes no wrong answer right
	r.writeConfig(r.addresses()...)
	r.start()
	r.states("ACTIVE STANDBY STANDBY")
	track := func(i int) string {
		return filepath.Join(run, "track", "p."+strings.ReplaceAll(r.pool.Servers[i].Address(), ":", "_")+".writer")
	}
	r.eventually("the writer's track file is 0", func(*mpp.View) error { return holds(track(0), "0\n") })
	ballast := filepath.Join(run, "ballast")
	if err := os.WriteFile(ballast, make([]byte, 1<<20), 0o600); err == nil {
		t.Fatal("the file system did not fill up")
	}
	if err := r.pool.Servers[0].Kill(); err != nil {
		t.Fatal(err)
	}
	state := filepath.Join(run, "pools", "p.state")
	r.eventually("the files follow", func(v *mpp.View) error {
		if !strings.Contains(v.FilesError, "space") {
			return fmt.Errorf("the view says %q", v.FilesError)
		}
		if data, err := os.ReadFile(state); err == nil { // there may be room for it after all
			p, err := format.ParsePool(data)
			if err != nil {
				return err
			}
			if p.Nodes[0].Writer.Up {
				return fmt.Errorf("%s: the dead writer is up", state)
			}
		}
		return errors.Join(holds(track(0), "1\n"), holds(track(1), "0\n"))
	})
	if err := os.Remove(ballast); err != nil {
		t.Fatal(err)
	}
	r.eventually("there is room again", func(v *mpp.View) error {
		if v.FilesError != "" {
			return fmt.Errorf("the view says %q", v.FilesError)
		}
		_, err := os.Stat(state)
		return err
	})
}
