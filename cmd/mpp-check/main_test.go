package main

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"regexp"
	"strings"
	"syscall"
	"testing"
	"time"

	"mpp"
	"mpp/publish/publishtest"
	"mpp/publish/statefile"
	"mpp/publish/statefile/format"
)

func TestMain(m *testing.M) { os.Exit(withInstalled(m)) }

// withInstalled builds the program as it is shipped and lays it out as packaging does.
func withInstalled(m *testing.M) int {
	dir, err := os.MkdirTemp("", "mpp-check-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	defer func() { _ = os.RemoveAll(dir) }()
	if err := install(dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	if err := os.Setenv("MPP_CHECK_INSTALLED", dir); err != nil {
		fmt.Fprintln(os.Stderr, err)
		return 1
	}
	return m.Run()
}

func install(prefix string) error {
	build := exec.Command("go", "build", "-trimpath", "-ldflags", "-s -w", "-o", filepath.Join(prefix, "bin", "mpp-check"), ".")
	build.Env = append(os.Environ(), "CGO_ENABLED=0")
	if out, err := build.CombinedOutput(); err != nil {
		return fmt.Errorf("build: %w\n%s", err, out)
	}
	wrappers, err := filepath.Glob("../../packaging/libexec/*-*")
	if err != nil || len(wrappers) == 0 {
		return fmt.Errorf("no wrappers found: %w", err)
	}
	libexec := filepath.Join(prefix, "libexec", "mpp")
	if err := os.MkdirAll(libexec, 0o755); err != nil {
		return err
	}
	for _, w := range wrappers {
		text, err := os.ReadFile(w)
		if err != nil {
			return err
		}
		if err := os.WriteFile(filepath.Join(libexec, filepath.Base(w)), text, 0o755); err != nil {
			return err
		}
	}
	return os.Chmod(prefix, 0o755)
}

func installed(path ...string) string {
	return filepath.Join(append([]string{os.Getenv("MPP_CHECK_INSTALLED")}, path...)...)
}

// host is a run_dir with state files.
type host struct {
	t   testing.TB
	run string
}

// polled makes a host whose nodes were polled that long ago.
func polled(t testing.TB, age time.Duration) host {
	t.Helper()
	h := host{t, t.TempDir()}
	h.write(age, func(*mpp.View) {})
	return h
}

func (h host) write(age time.Duration, change func(v *mpp.View)) {
	h.t.Helper()
	w, err := statefile.New(h.run)
	if err != nil {
		h.t.Fatal(err)
	}
	defer w.Stop()
	at := statefile.Now()
	v := publishtest.View(at.Now.Add(-age))
	change(v)
	if err := w.Write(v, at); err != nil {
		h.t.Fatal(err)
	}
}

// rewrite keeps the data fresh.
func (h host) rewrite() { h.write(0, func(*mpp.View) {}) }

func (h host) file(name string) string { return filepath.Join(h.run, format.Folder, name) }

// outcome is what a caller sees.
type outcome struct {
	code   int // -1 for a death by signal
	stdout string
	stderr string
	took   time.Duration
}

// call runs a program of the installation as a balancer would: with no environment, in /,
// with stdin from /dev/null.
func (h host) call(program []string, args ...string) outcome {
	h.t.Helper()
	ctx, done := context.WithTimeout(context.Background(), 30*time.Second)
	defer done()
	c := exec.CommandContext(ctx, installed(program...), args...)
	c.Dir, c.Env = "/", []string{}
	if h.run != "" {
		c.Env = append(c.Env, "MPP_RUN_DIR="+h.run)
	}
	var out, trouble bytes.Buffer
	c.Stdout, c.Stderr = &out, &trouble
	begin := time.Now()
	err := c.Run()
	o := outcome{stdout: out.String(), stderr: trouble.String(), took: time.Since(begin)}
	var exit *exec.ExitError
	switch {
	case errors.As(err, &exit):
		o.code = exit.ExitCode()
	case err != nil:
		h.t.Fatal(err)
	}
	return o
}

// as calls mpp-check by a name, over a symbolic link.
func (h host) as(name string, args ...string) outcome {
	h.t.Helper()
	link := installed("bin", name)
	if err := os.Symlink("mpp-check", link); err != nil && !errors.Is(err, os.ErrExist) {
		h.t.Fatal(err)
	}
	return h.call([]string{"bin", name}, args...)
}

func (h host) check(args ...string) outcome { h.t.Helper(); return h.as("mpp-check", args...) }

// waitFor waits until a condition holds.
func waitFor(t testing.TB, what string, holds func() bool) {
	t.Helper()
	limit := time.NewTimer(20 * time.Second)
	defer limit.Stop()
	tick := time.NewTicker(5 * time.Millisecond)
	defer tick.Stop()
	for !holds() {
		select {
		case <-limit.C:
			t.Fatalf("waited too long for: %s", what)
		case <-tick.C:
		}
	}
}

func TestReleaseIsTheOneOfMPP(t *testing.T) {
	if release != mpp.Version {
		t.Errorf("mpp-check says %s, MPP is %s", release, mpp.Version)
	}
}

func TestProgramIsSmallAndLight(t *testing.T) {
	info, err := os.Stat(installed("bin", "mpp-check"))
	if err != nil || info.Size() >= 3_000_000 {
		t.Errorf("%d bytes (%v)", info.Size(), err)
	}
	list, err := exec.Command("go", "list", "-deps", ".").Output()
	if err != nil {
		t.Fatal(err)
	}
	heavy := map[string]bool{"fmt": true, "net": true, "net/http": true, "crypto/tls": true, "database/sql": true, "reflect": true, "encoding/json": true, "mpp": true}
	for _, pkg := range strings.Fields(string(list)) {
		if heavy[pkg] || strings.HasPrefix(pkg, "github.com/") || strings.HasPrefix(pkg, "crypto/") {
			t.Errorf("mpp-check imports %s: a load balancer starts it every second for every node", pkg)
		}
	}
}

func TestPanicIsNo(t *testing.T) {
	for _, as := range []personality{plain, ldirectord, bigIP, nagios} {
		v := newVoice(options{as: as})
		want := 1
		if as == nagios {
			want = unknown
		}
		if code := v.guard(func() int { panic("a mistake") }); code != want {
			t.Errorf("%s: exit %d", as, code)
		}
	}
}

func TestPanicAfterTheAnswerIsNo(t *testing.T) {
	v := newVoice(options{as: plain})
	code := v.guard(func() int {
		_ = v.say(reply{up: true, reason: "ACTIVE"})
		panic("a mistake")
	})
	if code != 1 {
		t.Errorf("exit %d", code)
	}
}

func TestStdoutThatNobodyReadsChangesNoAnswer(t *testing.T) {
	h := polled(t, 0)
	r, w, err := os.Pipe()
	if err != nil {
		t.Fatal(err)
	}
	_ = r.Close()
	c := exec.Command(installed("bin", "mpp-check"), "--run-dir", h.run, "writer", publishtest.Active)
	c.Stdout = w
	if err := c.Run(); err != nil {
		t.Errorf("a node that is up got %v", err)
	}
	_ = w.Close()
}

func TestNeitherUserNorEnvironmentMatters(t *testing.T) {
	h := polled(t, 0)
	for dir := h.run; dir != os.TempDir() && dir != "/"; dir = filepath.Dir(dir) {
		if err := os.Chmod(dir, 0o755); err != nil {
			t.Fatal(err)
		}
	}
	c := exec.Command(installed("bin", "mpp-check"), "--run-dir", h.run, "writer", publishtest.Active)
	c.Env, c.Dir = []string{}, "/"
	if os.Getuid() == 0 {
		c.SysProcAttr = &syscall.SysProcAttr{Credential: &syscall.Credential{Uid: 65534, Gid: 65534}}
	}
	if out, err := c.CombinedOutput(); err != nil {
		t.Errorf("as another user: %v %s", err, out)
	}
	closed := exec.Command("/bin/sh", "-c", `exec "$0" --run-dir "$1" writer 10.0.0.1:3306 <&- >&- 2>&-`, installed("bin", "mpp-check"), h.run)
	if err := closed.Run(); err != nil {
		t.Errorf("with its streams closed: %v", err)
	}
}

func TestTheManPageNamesEveryOption(t *testing.T) {
	page, err := os.ReadFile(filepath.Join("..", "..", "packaging", "man", "mpp-check.8"))
	if err != nil {
		t.Fatal(err)
	}
	source, err := os.ReadFile("options.go")
	if err != nil {
		t.Fatal(err)
	}
	options := regexp.MustCompile(`"(--[a-z-]+|-[a-z])"`).FindAllSubmatch(source, -1)
	if len(options) < 8 {
		t.Fatalf("only %d options found", len(options))
	}
	plain := strings.ReplaceAll(string(page), `\-`, "-")
	for _, o := range options {
		if !strings.Contains(plain, string(o[1])) {
			t.Errorf("the man page does not name %s", o[1])
		}
	}
}
