package vip_test

import (
	"errors"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/action/remotetest"
	"mpp/action/vip"
)

// newProgram returns a Mover whose program is a script of the shell.
func newProgram(t *testing.T, script string, change ...func(*vip.Options)) *vip.Mover {
	t.Helper()
	file := filepath.Join(t.TempDir(), "move")
	if err := os.WriteFile(file, []byte("#!/bin/sh\n"+script+"\n"), 0o700); err != nil {
		t.Fatal(err)
	}
	o := vip.Options{
		Pool: "orders", Kind: vip.Exec, Addresses: addresses(), Program: file, Timeout: 5 * time.Second,
		Nodes: map[string]vip.Node{db1: {Interface: "eth0"}, db2: {Name: "db2.example"}},
	}
	for _, c := range change {
		c(&o)
	}
	m, err := vip.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(m.Close)
	return m
}

func TestAProgramGetsWhatItNeeds(t *testing.T) {
	t.Setenv("MPP_SECRET", "not for programs")
	file := filepath.Join(t.TempDir(), "told")
	m := newProgram(t, `[ "$1" = status ] && exec [ ! -e `+file+`.off ]
{ echo "$@"; env | grep -e ^MPP_ -e ^LC_ | sort; } >`+file+`; [ "$1" = off ] && : >`+file+`.off; exit 0`)
	if err := m.Add(t.Context(), db1); err != nil {
		t.Fatal(err)
	}
	told, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	want := "on 10.9.0.100 fd09::100\nLC_ALL=C\nMPP_ADDRESSES=10.9.0.100 fd09::100\nMPP_HOST=10.9.0.1\nMPP_INTERFACE=eth0\nMPP_NODE=10.9.0.1:3306\nMPP_POOL=orders\n"
	if diff := cmp.Diff(want, string(told)); diff != "" {
		t.Error(diff)
	}
	if err := m.Remove(t.Context(), db2); err != nil {
		t.Fatal(err)
	}
	if told, err = os.ReadFile(file); err != nil || !strings.HasPrefix(string(told), "off 10") || !strings.Contains(string(told), "MPP_HOST=db2.example\nMPP_INTERFACE=\n") {
		t.Errorf("%s, %v", told, err)
	}
	if got := m.Statements(db1, true); len(got) != 1 || !strings.HasSuffix(got[0], "/move on 10.9.0.100 fd09::100") {
		t.Errorf("statements: %q", got)
	}
}

func TestAProgramsExitStatusIsItsWord(t *testing.T) {
	// Status is what it was last told to be; at first, that the node has the address.
	holding := `f=$0.off; case $1 in status) exec [ ! -e $f ];; on) rm -f $f;; off) : >$f;; esac; `
	for _, c := range []struct {
		name, script string
		// failed is in the error of on and off; empty for none.
		failed string
		report mpp.AddressReport
	}{
		{"done, holds", holding + "exit 0", "", mpp.AddressReport{Known: true, Holds: true, Some: true}},
		{"1", "echo no >&2; exit 1", "no (exit status 1)", mpp.AddressReport{Known: true}},
		{"another", "echo first >&2; echo the cloud is down >&2; echo >&2; exit 2", "the cloud is down (exit status 2)", mpp.AddressReport{Message: "the cloud is down"}},
		{"silent", "exit 3", "exit status 3", mpp.AddressReport{Message: "exit status 3"}},
		{"killed", "kill -9 $$", "killed", mpp.AddressReport{Message: "killed"}},
		{"much is said", "i=0; while [ $i -lt 2000 ]; do echo 0123456789 >&2; i=$((i+1)); done; echo last >&2; exit 2", "last (exit", mpp.AddressReport{Message: "last"}},
		{"what it leaves behind is not waited for", holding + "sleep 1005 & exit 0", "", mpp.AddressReport{Known: true, Holds: true, Some: true}},
	} {
		t.Run(c.name, func(t *testing.T) {
			m := newProgram(t, c.script)
			for _, err := range []error{m.Remove(t.Context(), db1), m.Add(t.Context(), db1)} {
				if (err == nil) != (c.failed == "") || (err != nil && !strings.Contains(err.Error(), c.failed)) {
					t.Errorf("got %v", err)
				}
			}
			r := m.Status(t.Context(), db1)
			if r.At.IsZero() || r.Node != db1 || !strings.Contains(r.Message, c.report.Message) {
				t.Errorf("%+v", r)
			}
			r.At, r.Node, r.Message, c.report.Message = time.Time{}, "", "", ""
			if diff := cmp.Diff(c.report, r); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAProgramThatOnlySaysThatItMovedTheAddressIsFoundOut(t *testing.T) {
	for _, c := range []struct{ status, on, off string }{
		{"exit 0", "", "it ended well, and its status says that the node has the address still"},
		{"exit 1", "it ended well, and its status says that the node does not have the address", ""},
		{"echo no idea >&2; exit 2", "no idea (exit status 2)", "no idea (exit status 2)"},
	} {
		m := newProgram(t, `[ "$1" = status ] && { `+c.status+`; }; exit 0`)
		for _, done := range []struct {
			err  error
			want string
		}{{m.Add(t.Context(), db1), c.on}, {m.Remove(t.Context(), db1), c.off}} {
			if (done.err == nil) != (done.want == "") || done.err != nil && !strings.Contains(done.err.Error(), done.want) {
				t.Errorf("status %q: got %v, want %q", c.status, done.err, done.want)
			}
		}
	}
}

func TestAProgramThatHangsIsKilledWithAllItStarted(t *testing.T) {
	file := filepath.Join(t.TempDir(), "pids")
	m := newProgram(t, "sleep 1006 & echo $! >"+file+"; sleep 1006", func(o *vip.Options) { o.Timeout = 200 * time.Millisecond })
	began := time.Now()
	err := m.Add(t.Context(), db1)
	if err == nil || !strings.Contains(err.Error(), "no end in time, it was killed") || time.Since(began) > 3*time.Second {
		t.Errorf("got %v after %v", err, time.Since(began))
	}
	pid, err := os.ReadFile(file)
	if err != nil {
		t.Fatal(err)
	}
	remotetest.Eventually(t, "its child is gone", func() error {
		// One that is dead and that nobody has waited for has an empty command line.
		line, err := os.ReadFile("/proc/" + strings.TrimSpace(string(pid)) + "/cmdline")
		if err == nil && len(line) > 0 {
			return errors.New("it is there")
		}
		return nil
	})
}

func TestAProgramThatIsNotThereIsNamed(t *testing.T) {
	m := newProgram(t, "", func(o *vip.Options) { o.Program = "/no/such/program" })
	if err := m.Add(t.Context(), db1); err == nil || !strings.Contains(err.Error(), "/no/such/program") {
		t.Errorf("got %v", err)
	}
	if _, problems := m.Check(t.Context(), db1); len(problems) != 1 {
		t.Errorf("%q", problems)
	}
	facts, problems := newProgram(t, "exit 1").Check(t.Context(), db1)
	if len(facts) != 1 || len(problems) != 0 {
		t.Errorf("%q, %q", facts, problems)
	}
}

func TestWithoutAnAddressEverythingIsDoneAtOnceAndSaysSo(t *testing.T) {
	m, err := vip.New(vip.Options{Nodes: map[string]vip.Node{db1: {}}})
	if err != nil {
		t.Fatal(err)
	}
	defer m.Close()
	_, found, probed := m.Probe(t.Context(), db1)
	if err := errors.Join(m.Add(t.Context(), db1), m.Remove(t.Context(), db1), m.Announce(t.Context(), db1), probed); err != nil || found {
		t.Errorf("got %v, %v", found, err)
	}
	if r := m.Status(t.Context(), db1); r.Known || r.Holds || r.Message != "the pool has no virtual address" {
		t.Errorf("%+v", r)
	}
	if facts, problems := m.Check(t.Context(), db1); len(facts) != 1 || len(problems) != 0 {
		t.Errorf("%q, %q", facts, problems)
	}
	if got := m.Statements(db1, true); len(got) != 0 {
		t.Errorf("%q", got)
	}
}
