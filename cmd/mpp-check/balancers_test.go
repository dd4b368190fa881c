package main

import (
	"os"
	"strconv"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/publish/publishtest"
	"mpp/publish/statefile/format"
)

func TestEveryBalancerIsAnsweredInItsConvention(t *testing.T) {
	h := polled(t, time.Second)
	pids := t.TempDir()
	cases := []struct {
		name string // the symbolic link
		args string
		code int
		out  string
	}{
		{"mpp-check", "writer db1 10.0.0.1:3306", 0, "UP ACTIVE\n"},
		{"mpp-check", "writer 10.0.0.1:3306", 0, "UP ACTIVE\n"},
		{"mpp-check", "writer 10.0.0.1", 0, "UP ACTIVE\n"},
		{"mpp-check", "reader 10.0.0.1", 1, "DOWN ACTIVE\n"},
		{"mpp-check", "--pool db1 reader 10.0.0.2", 0, "UP STANDBY\n"},
		{"mpp-check", "ok 10.0.0.3", 1, "DOWN FAIL (OFFLINE): connection refused\n"},
		{"mpp-check", "ok db4.example.com:3307", 1, "DOWN not polled yet since mppd started\n"},
		{"mpp-check", "writer [2001:db8::1]:3306", 0, "UP ACTIVE\n"},
		{"mpp-check", "--as keepalived-writer db2 2001:db8::1", 0, "UP ACTIVE\n"},
		{"keepalived-writer", "db1 10.0.0.1:3306", 0, "UP ACTIVE\n"},
		{"keepalived-reader", "db1 10.0.0.1:3306", 1, "DOWN ACTIVE\n"},
		{"ldirectord-writer", "10.0.0.100 3306 10.0.0.1 3306", 0, "UP ACTIVE\n"},
		{"ldirectord-writer", "10.0.0.100 3306 10.0.0.2 3306", 1, "DOWN STANDBY\n"},
		{"ldirectord-writer", "7 0 [2001:db8::1] 3306", 0, "UP ACTIVE\n"},
		{"mpp-check", "--as ldirectord writer 10.0.0.100 3306 10.0.0.1 3306", 0, "UP ACTIVE\n"},
		{"haproxy-reader", "127.0.0.1 3307 10.0.0.2 3306", 0, "UP STANDBY\n"},
		{"haproxy-writer", "NOT_USED NOT_USED 10.0.0.1 3306", 0, "UP ACTIVE\n"},
		{"haproxy-writer", "NOT_USED NOT_USED 10.0.0.1 NOT_USED", 0, "UP ACTIVE\n"},
		{"haproxy-writer", "127.0.0.1 3306 10.0.0.3 3306", 1, "DOWN FAIL (OFFLINE): connection refused\n"},
		{"nanny-writer", "10.0.0.1", 0, "OK\n"},
		{"nanny-writer", "10.0.0.2", 1, "FAIL\n"},
		{"piranha-writer", "10.0.0.1", 0, "up\n"},
		{"piranha-reader", "10.0.0.1", 1, "down\n"},
		{"bigip-writer", "::ffff:10.0.0.1 3306", 0, "UP\n"},
		{"bigip-writer", "::ffff:10.0.0.2 3306", 1, ""},
		{"bigip-writer", "2001:db8::1 3306", 0, "UP\n"},
		{"eav", "::ffff:10.0.0.1 3306 writer db1", 0, "UP\n"},
		{"eav", "::ffff:10.0.0.1 3306 reader db1", 1, ""},
		{"eav", "::ffff:10.0.0.1 3306 writer db2", 1, ""},
		{"eav", "::ffff:10.0.0.1 3306", 1, ""}, // no role
	}
	for _, c := range cases {
		t.Run(c.name+" "+c.args, func(t *testing.T) {
			args := strings.Fields(c.args)
			if c.name == "eav" || strings.HasPrefix(c.name, "bigip") {
				args = append(args, "--pid-dir", pids)
			}
			got := h.as(c.name, args...)
			if got.code != c.code || got.stdout != c.out {
				t.Errorf("exit %d %q, want %d %q", got.code, got.stdout, c.code, c.out)
			}
		})
	}
	if left, err := os.ReadDir(pids); err != nil || len(left) > 0 {
		t.Errorf("pid files are left: %v %v", left, err)
	}
}

// balancers are calls by which each kind of balancer asks about a node that is the writer.
func balancers(pids string) map[string][]string {
	return map[string][]string{
		"mpp-check":         {"writer", "db1", publishtest.Active},
		"keepalived-writer": {"db1", publishtest.Active},
		"ldirectord-writer": {"10.0.0.100", "3306", "10.0.0.1", "3306"},
		"haproxy-writer":    {"127.0.0.1", "3306", "10.0.0.1", "3306"},
		"nanny-writer":      {"10.0.0.1"},
		"piranha-writer":    {"10.0.0.1"},
		"bigip-writer":      {"::ffff:10.0.0.1", "3306", "--pid-dir", pids},
	}
}

// saysNo reports whether a balancer understands the outcome as no.
func saysNo(name string, o outcome) bool {
	switch name {
	case "nanny-writer":
		return o.code == 1 && o.stdout == "FAIL\n"
	case "piranha-writer":
		return o.code == 1 && o.stdout == "down\n"
	case "bigip-writer":
		return o.code == 1 && o.stdout == ""
	default:
		return o.code == 1 && strings.HasPrefix(o.stdout, "DOWN ") && strings.Count(o.stdout, "\n") == 1
	}
}

func TestWithoutFreshAndWholeDataEveryBalancerIsToldNo(t *testing.T) {
	cut := func(h host, name string, keep int) {
		data, err := os.ReadFile(h.file(name))
		if err != nil {
			h.t.Fatal(err)
		}
		h.put(name, data[:len(data)*keep/100])
	}
	cases := map[string]func(h host){
		"stale":             func(h host) { h.write(time.Minute, func(*mpp.View) {}) },
		"no state at all":   func(h host) { h.remove(format.Folder) },
		"pool file missing": func(h host) { h.remove(format.Folder + "/db1.state") },
		"pool file empty":   func(h host) { h.put("db1.state", nil) },
		"pool file cut":     func(h host) { cut(h, "db1.state", 60) },
		"pool file a pipe":  func(h host) { h.pipe("db1.state"); h.pipe("index") },
		"pool file another's": func(h host) {
			data, err := os.ReadFile(h.file("db2.state"))
			if err != nil {
				h.t.Fatal(err)
			}
			h.put("db1.state", data)
		},
		"one letter changed": func(h host) {
			data, err := os.ReadFile(h.file("db1.state"))
			if err != nil {
				h.t.Fatal(err)
			}
			h.put("db1.state", []byte(strings.Replace(string(data), "writer no STANDBY", "writer yes STANDBY", 1)))
		},
		"another boot": func(h host) {
			data, err := os.ReadFile(h.file("db1.state"))
			if err != nil {
				h.t.Fatal(err)
			}
			p, err := format.ParsePool(data)
			if err != nil {
				h.t.Fatal(err)
			}
			p.Boot, p.LastKnown = "11111111-2222", true
			h.put("db1.state", p.Append(nil))
		},
		"node gone": func(h host) { h.write(0, func(v *mpp.View) { v.Pools[0].Nodes = v.Pools[0].Nodes[1:] }) },
		"cut off": func(h host) {
			h.write(0, func(v *mpp.View) {
				n := &v.Pools[0].Nodes[0]
				n.Evaluation, n.EvaluationReason = mpp.Down, "this poller is cut off (WAN trouble)"
			})
		},
	}
	for name, spoil := range cases {
		t.Run(name, func(t *testing.T) {
			for balancer, args := range balancers(t.TempDir()) {
				h := polled(t, 0)
				spoil(h)
				if got := h.as(balancer, args...); !saysNo(balancer, got) {
					t.Errorf("%s: exit %d %q %q", balancer, got.code, got.stdout, got.stderr)
				}
			}
		})
	}
}

func (h host) put(name string, data []byte) {
	h.t.Helper()
	if err := os.WriteFile(h.file(name), data, 0o644); err != nil {
		h.t.Fatal(err)
	}
}

func (h host) remove(path string) {
	h.t.Helper()
	if err := os.RemoveAll(h.run + "/" + path); err != nil {
		h.t.Fatal(err)
	}
}

func (h host) pipe(name string) {
	h.t.Helper()
	h.remove(format.Folder + "/" + name)
	if err := mkfifo(h.file(name)); err != nil {
		h.t.Fatal(err)
	}
}

func TestLastKnownIsAnsweredWhereTheOperatorWantsIt(t *testing.T) {
	h := polled(t, time.Minute)
	got := h.check("writer", "db2", publishtest.V6)
	if got.code != 0 || !strings.HasPrefix(got.stdout, "UP last known, ") {
		t.Errorf("exit %d %q", got.code, got.stdout)
	}
}

func TestNodesThatShareAHostNeedTheirPort(t *testing.T) {
	h := polled(t, 0)
	h.write(0, func(v *mpp.View) { v.Pools[1].Nodes[0].Address = "10.0.0.1:3307" })
	for args, want := range map[string]int{"writer 10.0.0.1": 1, "writer 10.0.0.1:3307": 0, "writer db1 10.0.0.1": 0} {
		if got := h.check(strings.Fields(args)...); got.code != want {
			t.Errorf("%s: exit %d %s", args, got.code, got.stdout)
		}
	}
}

func TestWhateverTheArgumentsTheExitCodeIsNoOrYes(t *testing.T) {
	h := polled(t, 0)
	words := []string{
		"", "writer", "boss", "10.0.0.1", "10.0.0.1:3306", "../../etc/passwd", "-", "--", "--as", "ldirectord", "--as=haproxy-writer", "-x", "--timeout",
		"0", "1.5s", "99h", "--timeout=-1", "--http", "127.0.0.1:1", "localhost:80", "\x00"[:0], "\n", "::ffff:10.0.0.1", "[", strings.Repeat("a", 3000), "--help", "--version", "-w", "@",
	}
	for i := range words {
		for j := range words {
			args := []string{words[i], words[j], words[(i*j+7)%len(words)]}
			if i*len(words)+j >= 300 && (i+j)%5 != 0 {
				continue
			}
			got := h.check(args...)
			if got.code != 0 && got.code != 1 {
				t.Errorf("%q: exit %d", args, got.code)
			}
			if got.code == 0 && !strings.HasPrefix(got.stdout, "UP") {
				t.Errorf("%q: exit 0 with %q", args, got.stdout)
			}
		}
	}
	for _, args := range [][]string{nil, {"--help"}, {"--version"}, {"-h"}} {
		if got := h.check(args...); got.code != 1 {
			t.Errorf("%q: exit %d", args, got.code)
		}
	}
}

func TestBigIPsInstanceBeforeIsEndedAndNobodyElse(t *testing.T) {
	h, pids := polled(t, 0), t.TempDir()
	silent := silentServer(t)
	hung := start(t, installed("bin", "mpp-check"), "--as", "bigip-writer", "--http", silent, "--timeout", "60s", "--pid-dir", pids, "::ffff:10.0.0.1", "3306")
	file := pids + "/mpp-check.10.0.0.1_3306.pid"
	waitFor(t, "the pid file", func() bool {
		pid, err := os.ReadFile(file)
		return err == nil && strings.TrimSpace(string(pid)) == strconv.Itoa(hung.Process.Pid)
	})
	if got := h.check("--as", "bigip-writer", "--pid-dir", pids, "::ffff:10.0.0.1", "3306"); got.stdout != "UP\n" {
		t.Errorf("%q", got.stdout)
	}
	if err := hung.Wait(); err == nil || hung.ProcessState.ExitCode() != -1 {
		t.Errorf("the instance before was not ended: %v", err)
	}
	other := start(t, "/bin/sleep", "60")
	if err := os.WriteFile(file, []byte(strconv.Itoa(other.Process.Pid)), 0o644); err != nil {
		t.Fatal(err)
	}
	if got := h.check("--as", "bigip-writer", "--pid-dir", pids, "::ffff:10.0.0.1", "3306"); got.stdout != "UP\n" {
		t.Errorf("%q", got.stdout)
	}
	if !alive(other.Process.Pid) {
		t.Error("another's process was killed because of an old pid file")
	}
	if got := h.check("--as", "bigip-writer", "--pid-dir", "/nonexistent", "::ffff:10.0.0.1", "3306"); got.stdout != "UP\n" {
		t.Errorf("without a folder for pid files: %q", got.stdout)
	}
}
