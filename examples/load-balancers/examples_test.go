// Package loadbalancers holds the examples of load balancers' configurations, and the tests
// that hand each of them to the program that it is for.
package loadbalancers_test

import (
	"context"
	"encoding/csv"
	"fmt"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"sync/atomic"
	"testing"
	"time"

	"github.com/rs/zerolog"

	"mpp"
	"mpp/publish/api"
	"mpp/publish/balancer"
	"mpp/publish/publishtest"
	"mpp/publish/statefile"
)

// program finds a program that `make deps` installs.
func program(t *testing.T, name string) string {
	t.Helper()
	for _, dir := range append(filepath.SplitList(os.Getenv("PATH")), "/usr/sbin", "/sbin") {
		path := filepath.Join(dir, name)
		if info, err := os.Stat(path); err == nil && info.Mode()&0o111 != 0 {
			return path
		}
	}
	t.Fatalf("%s is not installed: make deps", name)
	return ""
}

func example(t *testing.T, name string) string {
	t.Helper()
	text, err := os.ReadFile(name)
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestHAProxyTakesItsExamples(t *testing.T) {
	for _, name := range []string{"haproxy.cfg", "haproxy-external-check.cfg"} {
		if out, err := exec.Command(program(t, "haproxy"), "-c", "-f", name).CombinedOutput(); err != nil {
			t.Errorf("%s: %v\n%s", name, err, out)
		}
	}
}

func TestKeepalivedTakesItsExamples(t *testing.T) {
	dir, log := t.TempDir(), ""
	wrapper, err := filepath.Abs("../../packaging/libexec")
	if err != nil {
		t.Fatal(err)
	}
	for _, name := range []string{"keepalived-vip.conf", "keepalived-lvs.conf"} {
		file := filepath.Join(dir, name)
		text := strings.ReplaceAll(example(t, name), "/usr/libexec/mpp", wrapper)
		if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
			t.Fatal(err)
		}
		log = filepath.Join(dir, "log")
		if out, err := exec.Command(program(t, "keepalived"), "-t"+log, "-f", file).CombinedOutput(); err != nil {
			said, _ := os.ReadFile(log)
			t.Errorf("%s: %v\n%s%s", name, err, out, said)
		}
	}
}

func TestExamplesNameOnlyProgramsThatAreInstalled(t *testing.T) {
	files, err := filepath.Glob("*")
	if err != nil {
		t.Fatal(err)
	}
	named := 0
	for _, file := range files {
		if strings.HasSuffix(file, ".go") {
			continue
		}
		for _, m := range regexp.MustCompile(`/usr/libexec/mpp/([a-z_-]+)`).FindAllStringSubmatch(example(t, file), -1) {
			named++
			if _, err := os.Stat(filepath.Join("../../packaging/libexec", m[1])); err != nil && m[1] != "check_mpp" { // install.sh links it
				t.Errorf("%s: %v", file, err)
			}
		}
	}
	if named < 5 {
		t.Errorf("only %d programs are named", named)
	}
}

// site is a daemon's API and agent without a daemon, in front of a pool whose writer moves.
type site struct {
	view  atomic.Pointer[mpp.View]
	api   *api.Server
	agent *balancer.Agent
}

func newSite(t *testing.T) *site {
	t.Helper()
	s := &site{}
	s.writer(publishtest.Active)
	var err error
	s.api, err = api.New(api.Options{Source: &publishtest.Source{ViewFunc: s.view.Load}, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	s.agent = balancer.NewAgent("127.0.0.1:0", s.view.Load, zerolog.Logger{})
	t.Cleanup(s.die)
	for _, start := range []func() error{s.api.Start, s.agent.Start} {
		if err := start(); err != nil {
			t.Fatal(err)
		}
	}
	return s
}

// die ends API and agent, as kill -9 of the daemon would.
func (s *site) die() {
	s.api.Stop(context.Background())
	s.agent.Stop(context.Background())
}

// writer makes a node the writer and the other a reader. The data stays fresh for an hour.
func (s *site) writer(node string) {
	v := publishtest.View(time.Now())
	p := &v.Pools[0]
	p.StaleAfter = time.Hour
	for i := range p.Nodes[:2] {
		n := &p.Nodes[i]
		n.Evaluation, n.EvaluationReason, n.Reader = mpp.ReadOnly, "STANDBY", true
		if n.Address == node {
			n.Evaluation, n.EvaluationReason, n.Reader = mpp.ReadWrite, "ACTIVE", false
		}
	}
	s.view.Store(v)
}

// age lets the data grow stale.
func (s *site) age() {
	v := *s.view.Load()
	v.Pools = append([]mpp.PoolView(nil), v.Pools...)
	v.Pools[0].StaleAfter = time.Nanosecond
	s.view.Store(&v)
}

// haproxy runs an example with its addresses changed, until the test's end.
type haproxy struct {
	t      *testing.T
	socket string
}

func runHAProxy(t *testing.T, text string) haproxy {
	t.Helper()
	dir, err := os.MkdirTemp("", "hap") // a short path: it holds a socket
	if err != nil {
		t.Fatal(err)
	}
	h := haproxy{t, filepath.Join(dir, "s")}
	text = strings.ReplaceAll(text, "/run/haproxy/admin.sock", h.socket)
	text = regexp.MustCompile(`bind :(\d+)`).ReplaceAllString(text, "bind unix@"+dir+"/$1")
	file := filepath.Join(dir, "haproxy.cfg")
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(program(t, "haproxy"), "-db", "-f", file)
	out := &strings.Builder{}
	c.Stdout, c.Stderr = out, out
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
		_ = os.RemoveAll(dir)
		if t.Failed() {
			t.Logf("haproxy said:\n%s", out)
		}
	})
	return h
}

// status returns what HAProxy thinks of each server, as "proxy/server": "UP".
func (h haproxy) status() map[string]string {
	h.t.Helper()
	c, err := net.Dial("unix", h.socket)
	if err != nil {
		return nil // not up yet
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, "show stat\n"); err != nil {
		return nil
	}
	rows, err := csv.NewReader(c).ReadAll()
	if err != nil || len(rows) == 0 {
		return nil
	}
	column := map[string]int{}
	for i, name := range rows[0] {
		column[strings.TrimPrefix(name, "# ")] = i
	}
	all := map[string]string{}
	for _, row := range rows[1:] {
		if name := row[column["svname"]]; name != "FRONTEND" && name != "BACKEND" {
			all[row[column["pxname"]]+"/"+name] = strings.TrimSuffix(row[column["status"]], " (agent)")
		}
	}
	return all
}

// becomes waits until the servers of a proxy have these statuses, first to last.
func (h haproxy) becomes(what, proxy string, servers []string, want ...string) {
	h.t.Helper()
	limit := time.NewTimer(30 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(20 * time.Millisecond)
	defer tick.Stop()
	var got []string
	for {
		status := h.status()
		got = got[:0]
		for _, server := range servers {
			got = append(got, status[proxy+"/"+server])
		}
		if fmt.Sprint(got) == fmt.Sprint(want) {
			return
		}
		select {
		case <-limit.C:
			h.t.Fatalf("%s: %s is %v, want %v", what, proxy, got, want)
		case <-tick.C:
		}
	}
}

func TestHAProxyFollowsTheWriterByAgentAndHTTP(t *testing.T) {
	s := newSite(t)
	_, apiPort, _ := net.SplitHostPort(s.api.Addr().String())
	_, agentPort, _ := net.SplitHostPort(s.agent.Addr().String())
	h := runHAProxy(t, strings.NewReplacer("10.0.0.5", "127.0.0.1", "port 9102", "port "+apiPort, "agent-port 9101", "agent-port "+agentPort).Replace(example(t, "haproxy.cfg")))
	nodes := []string{publishtest.Active, publishtest.Standby, publishtest.Dead}
	h.becomes("start", "mysql_writer", nodes, "UP", "MAINT", "MAINT")
	h.becomes("start", "mysql_reader", nodes, "DOWN", "UP", "DOWN")
	s.writer(publishtest.Standby)
	h.becomes("the writer moved", "mysql_writer", nodes, "MAINT", "UP", "MAINT")
	h.becomes("the writer moved", "mysql_reader", nodes, "UP", "DOWN", "DOWN")
	s.age()
	h.becomes("the data is stale", "mysql_writer", nodes, "MAINT", "DOWN", "MAINT")
	h.becomes("the data is stale", "mysql_reader", nodes, "DOWN", "DOWN", "DOWN")
	s.writer(publishtest.Active)
	h.becomes("fresh again", "mysql_writer", nodes, "UP", "MAINT", "MAINT")
	s.die()
	h.becomes("mppd is gone", "mysql_writer", nodes, "DOWN", "MAINT", "MAINT")
	h.becomes("mppd is gone", "mysql_reader", nodes, "DOWN", "DOWN", "DOWN")
}

func TestHAProxyFollowsTheWriterByProgram(t *testing.T) {
	dir := t.TempDir()
	command := externalCheck(t, dir)
	s := &site{}
	show := func(writer string) {
		t.Helper()
		s.writer(writer)
		w, err := statefile.New(dir)
		if err != nil {
			t.Fatal(err)
		}
		defer w.Stop()
		if err := w.Write(s.view.Load(), statefile.Now()); err != nil {
			t.Fatal(err)
		}
	}
	show(publishtest.Active)
	text := strings.ReplaceAll(example(t, "haproxy-external-check.cfg"), "/usr/libexec/mpp/haproxy-writer", command)
	h := runHAProxy(t, strings.ReplaceAll(text, "inter 1s", "inter 200ms"))
	nodes := []string{"a", "b", "c"}
	h.becomes("start", "mysql_writer", nodes, "UP", "DOWN", "DOWN")
	show(publishtest.Standby)
	h.becomes("the writer moved", "mysql_writer", nodes, "DOWN", "UP", "DOWN")
	if err := os.RemoveAll(filepath.Join(dir, "bin")); err != nil {
		t.Fatal(err)
	}
	h.becomes("the program is missing", "mysql_writer", nodes, "DOWN", "DOWN", "DOWN")
}

// externalCheck installs mpp-check below dir, which is also the run_dir, and returns the
// program for HAProxy, which passes no environment on.
func externalCheck(t *testing.T, dir string) string {
	t.Helper()
	build := exec.Command("go", "build", "-o", filepath.Join(dir, "bin", "mpp-check"), "../../cmd/mpp-check")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	wrapper, err := os.ReadFile("../../packaging/libexec/haproxy-writer")
	if err != nil {
		t.Fatal(err)
	}
	libexec := filepath.Join(dir, "libexec", "mpp")
	if err := os.MkdirAll(libexec, 0o755); err != nil {
		t.Fatal(err)
	}
	text := strings.Replace(string(wrapper), `"$@"`, "--run-dir "+dir+` "$@"`, 1)
	path := filepath.Join(libexec, "haproxy-writer")
	if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
		t.Fatal(err)
	}
	return path
}
