package compat

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp/action/remote"
)

const (
	binlogManager = "MHA/BinlogManager.pm"
	nodeUtil      = "MHA/NodeUtil.pm"
	slaveUtil     = "MHA/SlaveUtil.pm"
	forkManager   = "Parallel/ForkManager.pm"
)

// needMHA skips where MHA's packages are not, or not as they come.
func needMHA(t *testing.T) {
	t.Helper()
	needPackages(t)
	if _, err := os.Stat("/etc/perl/MHA"); err == nil {
		t.Skip("this machine's MHA has been mended: it cannot be seen failing")
	}
}

func needPackages(t *testing.T) {
	t.Helper()
	for _, program := range []string{"perl", "masterha_manager", "apply_diff_relay_logs"} {
		if _, err := exec.LookPath(program); err != nil {
			fmt.Fprintf(os.Stderr, "\n*** %s: NOT TESTED: there is no %s (packaging/deps.sh all) ***\n\n", t.Name(), program)
			t.Skip(err)
		}
	}
}

func here() Host { return remote.NewLocal(false, 0) }

// on does a job, and fails the test unless it is done.
func on(t *testing.T, h Host, j Job) Report {
	t.Helper()
	r := try(t, h, j)
	if r.Error != "" {
		t.Fatalf("%s: %s: %s", j.Verb, r.ErrorKind, r.Error)
	}
	return r
}

func try(t *testing.T, h Host, j Job) Report {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), time.Minute)
	defer cancel()
	return j.On(ctx, h)
}

// states are the overlays' states by module.
func states(r Report) map[string]State {
	all := map[string]State{}
	for _, m := range r.Modules {
		all[m.Name] = m.Overlay
	}
	return all
}

func module(t *testing.T, r Report, name string) Module {
	t.Helper()
	for _, m := range r.Modules {
		if m.Name == name {
			return m
		}
	}
	t.Fatalf("the report has no %s: %+v", name, r)
	return Module{}
}

// tree lists the files below a folder with their modes.
func tree(t *testing.T, dir string) []string {
	t.Helper()
	var all []string
	err := filepath.Walk(dir, func(path string, info os.FileInfo, err error) error {
		if err == nil && path != dir {
			all = append(all, info.Mode().String()+" "+strings.TrimPrefix(path, dir+"/"))
		}
		return err
	})
	if err != nil {
		t.Fatal(err)
	}
	return all
}

func textOf(t *testing.T, name string) string {
	t.Helper()
	for _, o := range overlays() {
		if o.name == name {
			return string(o.text)
		}
	}
	t.Fatalf("there is no overlay %s", name)
	return ""
}

func put(t *testing.T, file, text string) {
	t.Helper()
	if err := os.MkdirAll(filepath.Dir(file), 0o755); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(file, []byte(text), 0o644); err != nil {
		t.Fatal(err)
	}
}

func TestEveryOverlayBeginsWithItsVersion(t *testing.T) {
	var names []string
	for _, o := range overlays() {
		names = append(names, o.name)
		var version int
		line, _, _ := strings.Cut(string(o.text), "\n")
		if _, err := fmt.Sscanf(line, mark+"%d", &version); err != nil || version < 1 || fmt.Sprint(mark, version) != line {
			t.Errorf("%s begins with %q", o.name, line)
		}
	}
	if diff := cmp.Diff([]string{binlogManager, nodeUtil, slaveUtil, forkManager}, names); diff != "" {
		t.Error(diff)
	}
}

func TestInstallMendsMHAAndRemoveBringsItsFaultsBack(t *testing.T) {
	needMHA(t)
	dir := filepath.Join(t.TempDir(), "lib")
	before := on(t, here(), Job{Verb: Status, Folder: dir})
	if before.Works() || len(before.Faulty()) != 2 || !before.Manager.Installed() || !before.Node.Installed() || before.Perl == "" {
		t.Fatalf("MHA is said to work as packaged: %+v", before)
	}
	for name, fault := range map[string]string{nodeUtil: "Redundant argument in sprintf", slaveUtil: "Unknown system variable 'super_read_only'"} {
		if m := module(t, before, name); !strings.Contains(m.Fault, fault) || m.Trouble != m.Fault || m.InForce {
			t.Errorf("%s before: %+v", name, m)
		}
	}

	done := on(t, here(), Job{Verb: Install, Folder: dir})
	if diff := cmp.Diff([]string{"wrote " + dir + "/" + nodeUtil + ", version 1", "wrote " + dir + "/" + slaveUtil + ", version 1"}, done.Changes); diff != "" {
		t.Error(diff)
	}
	after := on(t, here(), Job{Verb: Status, Folder: dir})
	if !done.Works() || !after.Works() {
		t.Errorf("MHA does not work with the overlays: %+v", after)
	}
	for _, name := range []string{nodeUtil, slaveUtil} {
		if m := module(t, after, name); !m.InForce || m.Loaded != dir+"/"+name || m.Overlay != Current || m.Version != 1 || m.Fault == "" {
			t.Errorf("%s after: %+v", name, m)
		}
	}
	if diff := cmp.Diff([]string{"drwxr-xr-x MHA", "-rw-r--r-- " + nodeUtil, "-rw-r--r-- " + slaveUtil}, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
	if again := on(t, here(), Job{Verb: Install, Folder: dir}); len(again.Changes) != 0 || !again.Works() {
		t.Errorf("a second install changed something: %v", again.Changes)
	}

	removed := on(t, here(), Job{Verb: Remove, Folder: dir})
	if len(removed.Changes) != 2 || removed.Works() || len(tree(t, dir)) != 0 {
		t.Errorf("remove: %v, left %v", removed.Changes, tree(t, dir))
	}
	if again := on(t, here(), Job{Verb: Remove, Folder: dir}); len(again.Changes) != 0 {
		t.Errorf("a second remove changed something: %v", again.Changes)
	}
}

func TestTheFastOverlayIsInstalledOnlyWhenItIsAskedFor(t *testing.T) {
	needMHA(t)
	dir := t.TempDir()
	done := on(t, here(), Job{Verb: Install, Folder: dir})
	if m := module(t, done, forkManager); m.Overlay != None || m.Fault == "" || !m.Optional() {
		t.Errorf("without: %+v", m)
	}
	done = on(t, here(), Job{Verb: Install, Folder: dir, Fast: true})
	if m := module(t, done, forkManager); !m.InForce || len(done.Changes) != 1 {
		t.Errorf("with: %+v, %v", m, done.Changes)
	}
	if done = on(t, here(), Job{Verb: Remove, Folder: dir}); len(done.Changes) != 3 || len(tree(t, dir)) != 0 {
		t.Errorf("remove: %v, left %v", done.Changes, tree(t, dir))
	}
}

func TestADryRunChangesNothing(t *testing.T) {
	needMHA(t)
	dir := t.TempDir()
	r := on(t, here(), Job{Verb: Install, Folder: dir, DryRun: true, Fast: true})
	if len(r.Changes) != 3 || r.Changes[0] != "would write "+dir+"/"+nodeUtil+", version 1" || len(tree(t, dir)) != 0 {
		t.Errorf("install: %v, there is %v", r.Changes, tree(t, dir))
	}
	on(t, here(), Job{Verb: Install, Folder: dir})
	there := tree(t, dir)
	r = on(t, here(), Job{Verb: Remove, Folder: dir, DryRun: true})
	if len(r.Changes) != 2 || r.Changes[0] != "would remove "+dir+"/"+nodeUtil {
		t.Errorf("remove: %v", r.Changes)
	}
	if diff := cmp.Diff(there, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
}

func TestWhatIsNotOursIsNeverTouched(t *testing.T) {
	needMHA(t)
	for name, lay := range map[string]func(file string) error{
		"file":   func(file string) error { return os.WriteFile(file, []byte("package MHA::SlaveUtil; 1;\n"), 0o600) },
		"folder": func(file string) error { return os.Mkdir(file, 0o700) },
		"link":   func(file string) error { return os.Symlink("/nowhere", file) },
	} {
		t.Run(name, func(t *testing.T) {
			dir := t.TempDir()
			if err := os.Mkdir(dir+"/MHA", 0o755); err != nil {
				t.Fatal(err)
			}
			if err := lay(dir + "/" + slaveUtil); err != nil {
				t.Fatal(err)
			}
			there := tree(t, dir)
			r := try(t, here(), Job{Verb: Install, Folder: dir})
			if r.ErrorKind != Refused || !strings.Contains(r.Error, dir+"/"+slaveUtil+" is there and is not MPP's") || len(r.Changes) != 0 {
				t.Errorf("install: %s: %s; %v", r.ErrorKind, r.Error, r.Changes)
			}
			r = on(t, here(), Job{Verb: Remove, Folder: dir})
			if len(r.Changes) != 0 || len(r.Notes) != 1 || states(r)[slaveUtil] != Foreign {
				t.Errorf("remove: %v, %v", r.Changes, r.Notes)
			}
			if diff := cmp.Diff(there, tree(t, dir)); diff != "" {
				t.Error(diff)
			}
		})
	}
}

func TestAnOverlayIsReplacedOnlyByALaterOne(t *testing.T) {
	needMHA(t)
	dir := t.TempDir()
	file, own := dir+"/"+nodeUtil, textOf(t, nodeUtil)
	_, body, _ := strings.Cut(own, "\n")
	put(t, file, mark+"0\n"+body)
	if r := on(t, here(), Job{Verb: Status, Folder: dir}); states(r)[nodeUtil] != Old || !module(t, r, nodeUtil).InForce {
		t.Errorf("an old overlay: %+v", r)
	}
	r := on(t, here(), Job{Verb: Install, Folder: dir})
	if states(r)[nodeUtil] != Current || r.Changes[0] != "replaced "+file+": version 0 by 1" {
		t.Errorf("install: %v %v", states(r), r.Changes)
	}
	put(t, file, mark+"99\n"+body)
	r = on(t, here(), Job{Verb: Install, Folder: dir})
	if states(r)[nodeUtil] != Newer || len(r.Changes) != 0 || len(r.Notes) != 1 || !strings.Contains(r.Notes[0], "later mpp") {
		t.Errorf("install over a newer one: %v %v %v", states(r), r.Changes, r.Notes)
	}
	put(t, file, own+"# mine\n")
	if r := try(t, here(), Job{Verb: Install, Folder: dir}); r.ErrorKind != Refused || !strings.Contains(r.Error, "changed by hand") {
		t.Errorf("install over a changed one: %s %s", r.ErrorKind, r.Error)
	}
	if r := on(t, here(), Job{Verb: Remove, Folder: dir}); len(r.Changes) != 2 || len(tree(t, dir)) != 0 {
		t.Errorf("remove: %v", r.Changes)
	}
}

func TestInstallSetsTheModeRight(t *testing.T) {
	needMHA(t)
	dir := t.TempDir()
	on(t, here(), Job{Verb: Install, Folder: dir})
	if err := os.Chmod(dir+"/"+nodeUtil, 0o600); err != nil {
		t.Fatal(err)
	}
	r := on(t, here(), Job{Verb: Install, Folder: dir})
	if diff := cmp.Diff([]string{"set the mode of " + dir + "/" + nodeUtil + " to 0644, from 0600"}, r.Changes); diff != "" {
		t.Error(diff)
	}
	if info, err := os.Stat(dir + "/" + nodeUtil); err != nil || info.Mode() != 0o644 {
		t.Error(info.Mode(), err)
	}
}

func TestAFolderMustBeNamedInFull(t *testing.T) {
	needMHA(t)
	for _, folder := range []string{"lib", "/tmp/a:b"} {
		if r := try(t, here(), Job{Verb: Status, Folder: folder}); r.ErrorKind != Refused {
			t.Errorf("%s: %s %s", folder, r.ErrorKind, r.Error)
		}
	}
}

func TestWriteMakesAFolderForPERL5LIB(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "perl")
	for range 2 {
		if err := Write(dir); err != nil {
			t.Fatal(err)
		}
	}
	want := []string{"drwxr-xr-x MHA", "-rw-r--r-- " + binlogManager, "-rw-r--r-- " + nodeUtil, "-rw-r--r-- " + slaveUtil, "drwxr-xr-x Parallel", "-rw-r--r-- " + forkManager}
	if diff := cmp.Diff(want, tree(t, dir)); diff != "" {
		t.Error(diff)
	}
	put(t, dir+"/"+nodeUtil, mark+"0\n1;\n")
	if err := Write(dir); err != nil {
		t.Fatal(err)
	}
	if text, _ := os.ReadFile(dir + "/" + nodeUtil); string(text) != textOf(t, nodeUtil) {
		t.Error("an older overlay was not replaced")
	}
	put(t, dir+"/"+slaveUtil, "1;\n")
	if err := Write(dir); !errors.Is(err, ErrForeign) || !strings.Contains(err.Error(), slaveUtil) {
		t.Errorf("over a file that is not ours: %v", err)
	}
	if text, _ := os.ReadFile(dir + "/" + slaveUtil); string(text) != "1;\n" {
		t.Error("a file that is not ours was replaced")
	}
}

func TestTargets(t *testing.T) {
	for text, want := range map[string]Target{
		"localhost":            {Local: true},
		"db1":                  {Host: "db1"},
		"db1:2222":             {Host: "db1", Port: 2222},
		"mha@db1.example.net":  {Host: "db1.example.net", User: "mha"},
		"mha@[2001:db8::1]:22": {Host: "2001:db8::1", Port: 22, User: "mha"},
		"2001:db8::1":          {Host: "2001:db8::1"},
		"[fe80::1%eth0]":       {Host: "fe80::1%eth0"},
	} {
		got, err := ParseTarget(text)
		if diff := cmp.Diff(want, got); diff != "" || err != nil {
			t.Errorf("%s: %v %s", text, err, diff)
		}
	}
	for _, text := range []string{"", "@db1", "mha@", "db1:0", "db1:ssh", "db1:70000", "a:b:c", "-oProxyCommand=x", "a b", "db1/x"} {
		if got, err := ParseTarget(text); err == nil {
			t.Errorf("%q is taken for %+v", text, got)
		}
	}
}

func TestAHostThatDoesNotAnswerHoldsUpNoOther(t *testing.T) {
	needMHA(t)
	silent, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer silent.Close()
	port := silent.Addr().(*net.TCPAddr).Port
	key := filepath.Join(t.TempDir(), "none")
	targets := []Target{
		{Host: "127.0.0.1", Port: port, KeyFile: key, KnownHosts: key},
		{Local: true},
		{Host: "127.0.0.1", Port: port},
	}
	reports, err := Job{Verb: Status, Folder: t.TempDir()}.OnAll(t.Context(), targets, 20*time.Second)
	if err != nil {
		t.Fatal(err)
	}
	if r := reports[0]; r.ErrorKind != Unreached || !strings.Contains(r.Error, "no such file") || r.Host != targets[0].String() {
		t.Errorf("a key that is not there: %+v", r)
	}
	if r := reports[1]; r.Error != "" || r.Host != LocalName {
		t.Errorf("this host: %+v", r)
	}
	if r := reports[2]; r.ErrorKind != Unreached || !strings.Contains(r.Error, "key_file") {
		t.Errorf("no key: %+v", r)
	}
}
