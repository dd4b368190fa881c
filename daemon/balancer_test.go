package daemon_test

import (
	"bufio"
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
