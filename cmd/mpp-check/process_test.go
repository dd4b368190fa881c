package main

import (
	"bufio"
	"bytes"
	"context"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"testing"
	"time"

	"mpp/publish/api"
	"mpp/publish/publishtest"
)

func mkfifo(path string) error { return syscall.Mkfifo(path, 0o644) }

// start runs a program until the test's end.
func start(t *testing.T, program string, args ...string) *exec.Cmd {
	t.Helper()
	c := exec.Command(program, args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		_ = c.Process.Kill()
		_ = c.Wait()
	})
	return c
}

// alive reports whether a process runs, and is not a zombie.
func alive(pid int) bool {
	stat, err := os.ReadFile("/proc/" + strconv.Itoa(pid) + "/stat")
	return err == nil && !strings.Contains(string(stat), ") Z ")
}

// silentServer accepts connections and never says anything.
func silentServer(t *testing.T) string {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = l.Close() })
	return l.Addr().String()
}

// wrapper lays an installation out whose mpp-check is something else, and returns the path of
// the wrapper.
func wrapper(t *testing.T, put func(path string)) string {
	t.Helper()
	dir := t.TempDir()
	for _, sub := range []string{"bin", "libexec/mpp"} {
		if err := os.MkdirAll(filepath.Join(dir, sub), 0o755); err != nil {
			t.Fatal(err)
		}
	}
	text, err := os.ReadFile(installed("libexec", "mpp", "ldirectord-writer"))
	if err != nil {
		t.Fatal(err)
	}
	path := filepath.Join(dir, "libexec/mpp/ldirectord-writer")
	if err := os.WriteFile(path, text, 0o755); err != nil {
		t.Fatal(err)
	}
	put(filepath.Join(dir, "bin/mpp-check"))
	return path
}

func TestWrapperPassesTheAnswerOn(t *testing.T) {
	h := polled(t, 0)
	for balancer, args := range balancers(t.TempDir()) {
		if balancer == "mpp-check" {
			continue
		}
		if got := h.call([]string{"libexec", "mpp", balancer}, args...); got.code != 0 || got.stdout == "" {
			t.Errorf("%s: exit %d %q", balancer, got.code, got.stdout)
		}
	}
	stale := polled(t, time.Minute)
	for balancer, args := range balancers(t.TempDir()) {
		if balancer == "mpp-check" {
			continue
		}
		if got := stale.call([]string{"libexec", "mpp", balancer}, args...); !saysNo(balancer, got) {
			t.Errorf("%s, stale: exit %d %q", balancer, got.code, got.stdout)
		}
	}
}

func TestWrapperSaysNoWhenTheProgramIsMissingOrCannotRun(t *testing.T) {
	script := func(text string) func(string) {
		return func(path string) {
			if err := os.WriteFile(path, []byte(text), 0o755); err != nil {
				t.Fatal(err)
			}
		}
	}
	cases := map[string]func(path string){
		"missing":        func(string) {},
		"not executable": func(path string) { script("#!/bin/sh\nexit 0\n")(path); _ = os.Chmod(path, 0o644) },
		"no program":     script("\x7fELF rubbish"),
		"exit 2":         script("#!/bin/sh\nexit 2\n"),
		"exit 255":       script("#!/bin/sh\nexit 255\n"),
		"kill -9":        script("#!/bin/sh\nkill -9 $$\n"),
		"segmentation":   script("#!/bin/sh\nkill -SEGV $$\n"),
	}
	for name, put := range cases {
		t.Run(name, func(t *testing.T) {
			c := exec.Command(wrapper(t, put), "10.0.0.100", "3306", "10.0.0.1", "3306")
			_ = c.Run()
			if c.ProcessState == nil || c.ProcessState.ExitCode() != 1 {
				t.Errorf("%v", c.ProcessState)
			}
		})
	}
}

func TestWrapperSaysNoWhenTheCheckIsKilledWhileItRuns(t *testing.T) {
	args := []string{"--http", silentServer(t), "--timeout", "60s", "10.0.0.100", "3306", "10.0.0.1", "3306"}
	c := exec.Command(installed("libexec", "mpp", "ldirectord-writer"), args...)
	if err := c.Start(); err != nil {
		t.Fatal(err)
	}
	child := 0
	waitFor(t, "the check below the wrapper", func() bool {
		list, err := os.ReadFile("/proc/" + strconv.Itoa(c.Process.Pid) + "/task/" + strconv.Itoa(c.Process.Pid) + "/children")
		if err != nil {
			return false
		}
		child, err = strconv.Atoi(strings.TrimSpace(string(list)))
		if err != nil {
			return false
		}
		exe, err := os.Readlink("/proc/" + strconv.Itoa(child) + "/exe")
		return err == nil && strings.HasSuffix(exe, "/mpp-check")
	})
	if err := syscall.Kill(child, syscall.SIGKILL); err != nil {
		t.Fatal(err)
	}
	_ = c.Wait()
	if c.ProcessState.ExitCode() != 1 {
		t.Errorf("%v", c.ProcessState)
	}
}

func TestWrapperSaysNoWhenMemoryIsTooLittleForTheProgram(t *testing.T) {
	h := polled(t, 0)
	c := exec.Command("/bin/sh", "-c", `ulimit -v 20000; exec "$0" 10.0.0.100 3306 10.0.0.1 3306`, installed("libexec", "mpp", "ldirectord-writer"))
	c.Env = []string{"MPP_RUN_DIR=" + h.run}
	var trouble bytes.Buffer
	c.Stderr = &trouble
	_ = c.Run()
	if c.ProcessState.ExitCode() != 1 {
		t.Errorf("%v %s", c.ProcessState, &trouble)
	}
}

func TestDeadlineEndsACheckThatHangs(t *testing.T) {
	silent := silentServer(t)
	for balancer, args := range balancers(t.TempDir()) {
		got := host{t: t}.as(balancer, append([]string{"--http", silent, "--timeout", "200ms"}, args...)...)
		if !saysNo(balancer, got) || got.took > 5*time.Second {
			t.Errorf("%s: exit %d %q after %s", balancer, got.code, got.stdout, got.took)
		}
	}
	if got := (host{t: t}).check("--http", silent, "writer", publishtest.Active); got.code != 1 || got.took < time.Second || got.took > 10*time.Second {
		t.Errorf("without --timeout: exit %d after %s", got.code, got.took)
	}
}

func TestDeadlineEndsACheckWhoseAnswerNobodyReads(t *testing.T) {
	h := polled(t, 0)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _, _ = r.Close(), w.Close() }()
	full := int(w.Fd()) // once: each call makes it blocking again
	if err := syscall.SetNonblock(full, true); err != nil {
		t.Fatal(err)
	}
	for _, block := range []int{4096, 1} {
		for err = nil; err == nil; {
			_, err = syscall.Write(full, make([]byte, block))
		}
	}
	if err := syscall.SetNonblock(full, false); err != nil {
		t.Fatal(err)
	}
	c := exec.Command(installed("bin", "mpp-check"), "--run-dir", h.run, "--timeout", "200ms", "writer", publishtest.Active)
	c.Stdout = w
	begin := time.Now()
	_ = c.Run()
	if c.ProcessState.ExitCode() != 1 || time.Since(begin) > 10*time.Second {
		t.Errorf("%v after %s", c.ProcessState, time.Since(begin))
	}
}

func TestARoleThatIsNoneIsNamed(t *testing.T) {
	const unknown, missing = "DOWN started wrongly: unknown role \"bogus\": writer, reader or ok\n", "DOWN started wrongly: the role is missing: writer, reader or ok\n"
	for args, want := range map[string]string{
		"bogus 10.0.0.1":     unknown,
		"bogus db1 10.0.0.1": unknown,
		"10.0.0.1":           missing,
		"--as ldirectord bogus 10.0.0.9 3306 10.0.0.1 3306":     unknown,
		"--as ldirectord 10.0.0.9 3306 10.0.0.1 3306":           missing,
		"--role bogus 10.0.0.1":                                 unknown,
		"--as keepalived bogus 10.0.0.1 --run-dir /nonexistent": unknown,
	} {
		if got := (host{t: t}).check(strings.Fields(args)...); got.code != 1 || got.stdout != want {
			t.Errorf("%s: exit %d %q, want %q", args, got.code, got.stdout, want)
		}
	}
	for args, silence := range map[string]bool{"10.0.0.1 3306 bogus": true, "10.0.0.1 3306": true} {
		if got := (host{t: t}).as("bigip", strings.Fields(args)...); (got.stdout == "") != silence {
			t.Errorf("bigip %s: %q", args, got.stdout)
		}
	}
}

func TestOverHTTPTheRealAPIAnswers(t *testing.T) {
	s, err := api.New(api.Options{Source: &publishtest.Source{}, Listen: "127.0.0.1:0"})
	if err != nil {
		t.Fatal(err)
	}
	if err := s.Start(); err != nil {
		t.Fatal(err)
	}
	defer s.Stop(context.Background())
	at := s.Addr().String()
	for args, want := range map[string]outcome{
		"writer db1 10.0.0.1:3306":      {code: 0, stdout: "UP ACTIVE\n"},
		"writer 10.0.0.2":               {code: 1, stdout: "DOWN STANDBY\n"},
		"writer db2 [2001:db8::1]:3306": {code: 0, stdout: "UP ACTIVE\n"},
		"writer db2 10.0.0.1":           {code: 1, stdout: "DOWN unknown node 10.0.0.1 in pool db2\n"},
		"writer a&b 10.0.0.1":           {code: 1, stdout: "DOWN unknown pool \"a&b\"\n"},
		"writer fe80::1%a/../10.0.0.1":  {code: 1, stdout: "DOWN started wrongly: no address of a node: \"fe80::1%a/../10.0.0.1 \"\n"},
	} {
		got := host{t: t}.check(append([]string{"--http", at}, strings.Fields(args)...)...)
		if got.code != want.code || got.stdout != want.stdout {
			t.Errorf("%s: exit %d %q, want %d %q", args, got.code, got.stdout, want.code, want.stdout)
		}
	}
}

func TestWhatIsNotMPPDOverHTTPIsNo(t *testing.T) {
	pages := map[string]string{
		"200 without the word": "HTTP/1.0 200 OK\r\n\r\nhello", "200 DOWN": "HTTP/1.0 200 OK\r\n\r\nDOWN x", "redirect": "HTTP/1.0 302 Found\r\n\r\nUP x",
		"503 UP": "HTTP/1.0 503 no\r\n\r\nUP x", "cut off": "HTTP/1.0 200 OK\r\nMPP-", "nothing": "", "rubbish": "\xff\x00", "2000": "HTTP/1.0 2000 OK\r\n\r\nUP x",
	}
	for name, page := range pages {
		l, err := net.Listen("tcp", "127.0.0.1:0")
		if err != nil {
			t.Fatal(err)
		}
		served := make(chan struct{})
		go func() {
			defer close(served)
			c, err := l.Accept()
			if err != nil {
				return
			}
			_, _ = http.ReadRequest(bufio.NewReader(c))
			_, _ = c.Write([]byte(page))
			_ = c.Close()
		}()
		if got := (host{t: t}).check("--http", l.Addr().String(), "writer", publishtest.Active); got.code != 1 || !strings.HasPrefix(got.stdout, "DOWN ") {
			t.Errorf("%s: exit %d %q", name, got.code, got.stdout)
		}
		_ = l.Close()
		<-served
	}
	if got := (host{t: t}).check("--http", "localhost:80", "writer", publishtest.Active); got.code != 1 || !strings.Contains(got.stdout, "IP address") {
		t.Errorf("a name: %q", got.stdout)
	}
}
