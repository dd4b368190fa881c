package remote_test

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp/action/remote"
	"mpp/action/remotetest"
)

// reach returns the host behind an sshd, and closes it with the test.
func reach(t testing.TB, s *remotetest.Sshd, change ...func(*remote.Options)) *remote.SSH {
	t.Helper()
	o := remote.Options{Host: s.Host, Port: s.Port, KeyFile: s.KeyFile, KnownHosts: s.KnownHosts, Timeout: 5 * time.Second}
	for _, c := range change {
		c(&o)
	}
	h, err := remote.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = h.Close() })
	return h
}

func within(t testing.TB, d time.Duration) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), d)
	t.Cleanup(cancel)
	return ctx
}

func mustRun(t testing.TB, h remote.Host, command string) remote.Output {
	t.Helper()
	out, err := h.Run(within(t, 5*time.Second), command)
	if err != nil {
		t.Fatalf("%s: %v", command, err)
	}
	return out
}

func wantKind(t testing.TB, err error, kind remote.Kind, words ...string) {
	t.Helper()
	var e *remote.Error
	if !errors.As(err, &e) || e.Kind != kind {
		t.Fatalf("got %v, want an error of kind %s", err, kind)
	}
	for _, w := range words {
		if !strings.Contains(err.Error(), w) {
			t.Errorf("the error does not say %q: %v", w, err)
		}
	}
}

// hosts returns this host and the same by ssh: what holds for one must hold for the other.
func hosts(t *testing.T) map[string]remote.Host {
	return map[string]remote.Host{
		"local": remote.NewLocal(false, 5*time.Second),
		"ssh":   reach(t, remotetest.StartSshd(t, remotetest.SshdOptions{})),
	}
}

func TestOutputIsWhatTheCommandWrote(t *testing.T) {
	binary := make([]byte, 256)
	for i := range binary {
		binary[i] = byte(i)
	}
	file := filepath.Join(t.TempDir(), "binary")
	if err := os.WriteFile(file, binary, 0o600); err != nil {
		t.Fatal(err)
	}
	token := strings.Repeat("0123456789abcdef", 2)
	for name, h := range hosts(t) {
		t.Run(name, func(t *testing.T) {
			for _, c := range []struct {
				name, command string
				want          remote.Output
			}{
				{"both streams and a status", "echo out; echo err >&2; exit 7", remote.Output{Stdout: "out\n", Stderr: "err\n", Exit: 7}},
				{"nothing", ":", remote.Output{}},
				{"no newline at the end", "printf out; printf err >&2", remote.Output{Stdout: "out", Stderr: "err"}},
				{"only newlines", `printf '\n\n'`, remote.Output{Stdout: "\n\n"}},
				{"binary", "cat " + file, remote.Output{Stdout: string(binary)}},
				{"like a mark", "printf '%s\n' " + token + "b " + token + "e; printf " + token + "e >&2", remote.Output{Stdout: token + "b\n" + token + "e\n", Stderr: token + "e"}},
				{"no arguments to see", `echo "$#" "$1"`, remote.Output{Stdout: "0 \n"}},
				{"quotes and newlines", "printf '%s' \"it's\n\\\"two\\\" lines\"", remote.Output{Stdout: "it's\n\"two\" lines"}},
				{"quoted", "printf '%s' " + remote.Quote("a'b\n$HOME `id` \\ \"c\" ''"), remote.Output{Stdout: "a'b\n$HOME `id` \\ \"c\" ''"}},
				{"no standard input", "cat", remote.Output{}},
				{"killed", "sh -c 'kill -9 $$'", remote.Output{Exit: 137}},
				{"language", `printf '%s' "$LC_ALL"; pwd`, remote.Output{Stdout: "C/\n"}},
				{"sbin is found", "command -v ip >/dev/null && echo yes", remote.Output{Stdout: "yes\n"}},
			} {
				t.Run(c.name, func(t *testing.T) {
					got := mustRun(t, h, c.command)
					if c.name == "killed" {
						got.Stderr = "" // the shell may say so
					}
					if diff := cmp.Diff(c.want, got); diff != "" {
						t.Errorf("(-want +got):\n%s", diff)
					}
				})
			}
		})
	}
}

func TestOneCommandLeavesNothingForTheNext(t *testing.T) {
	for name, h := range hosts(t) {
		t.Run(name, func(t *testing.T) {
			for _, command := range []string{
				"exit 3", "cd /tmp; X=1; set -e; false", "echo 'unfinished", "if then (((", "exec true", "set --; shift 9",
				"trap 'echo trapped' EXIT", "return 5", "exec >&- 2>&-", "exec </dev/zero", "cat <<E\nno end", "set -n", "unset PATH", "kill -TERM $(sh -c 'echo $PPID')",
			} {
				_, err := h.Run(within(t, 5*time.Second), command)
				if err != nil {
					t.Errorf("%s: %v", command, err)
				}
				want := remote.Output{Stdout: "/ .\n"}
				if got := mustRun(t, h, `echo "$PWD" "$X."`); got != want {
					t.Errorf("after %q: %+v", command, got)
				}
			}
		})
	}
}

func TestWhatRunsInTheBackgroundDoesNotMixIn(t *testing.T) {
	h := reach(t, remotetest.StartSshd(t, remotetest.SshdOptions{}))
	dir := t.TempDir()
	mustRun(t, h, "(while [ ! -e "+dir+"/go ]; do sleep 0.01; done; echo stray; touch "+dir+"/gone) & echo first")
	mustRun(t, h, "touch "+dir+"/go")
	remotetest.Eventually(t, "the background job has written", func() error { _, err := os.Stat(dir + "/gone"); return err })
	if got := mustRun(t, h, "echo second").Stdout; got != "second\n" {
		t.Errorf("got %q", got)
	}
}

func TestMuchOutputIsRefusedByRunAndTakenByStream(t *testing.T) {
	for name, h := range hosts(t) {
		t.Run(name, func(t *testing.T) {
			if got := mustRun(t, h, "head -c 3000000 /dev/zero; head -c 3000000 /dev/zero >&2"); len(got.Stdout) != 3_000_000 {
				t.Errorf("%d bytes", len(got.Stdout))
			}
			_, err := h.Run(within(t, 10*time.Second), "cat /dev/zero")
			wantKind(t, err, remote.Setup, "8 MiB")
			var n counter
			out, err := h.Stream(within(t, 30*time.Second), "head -c 30000000 /dev/zero; echo tail >&2; exit 4", &n)
			if diff := cmp.Diff(remote.Output{Stderr: "tail\n", Exit: 4}, out); err != nil || n != 30_000_000 || diff != "" {
				t.Errorf("%d bytes, %v\n%s", n, err, diff)
			}
			mustRun(t, h, ":")
		})
	}
}

type counter int

func (c *counter) Write(p []byte) (int, error) { *c += counter(len(p)); return len(p), nil }

type broken struct{}

var errBroken = errors.New("disk full")

func (broken) Write([]byte) (int, error) { return 0, errBroken }

func TestAStreamReadsAndWrites(t *testing.T) {
	for name, h := range hosts(t) {
		t.Run(name, func(t *testing.T) {
			data := bytes.Repeat([]byte("0123456789\x00\n"), 300_000)
			var got bytes.Buffer
			if _, err := h.Feed(within(t, 30*time.Second), "cat", bytes.NewReader(data), &got); err != nil || !bytes.Equal(got.Bytes(), data) {
				t.Errorf("%d bytes of %d, %v", got.Len(), len(data), err)
			}
			_, err := h.Stream(within(t, 10*time.Second), "cat /dev/zero", broken{})
			if !errors.Is(err, errBroken) {
				t.Errorf("a writer that fails ends the stream: %v", err)
			}
			out, err := h.Stream(within(t, 10*time.Second), "echo 'unfinished", io.Discard)
			if err != nil || out.Exit != 2 {
				t.Errorf("%+v, %v", out, err)
			}
		})
	}
}

func TestADeadlineKillsTheCommandAndTheNextCallWorks(t *testing.T) {
	s := remotetest.StartSshd(t, remotetest.SshdOptions{})
	for name, h := range map[string]remote.Host{"local": remote.NewLocal(false, 0), "ssh": reach(t, s)} {
		t.Run(name, func(t *testing.T) {
			mustRun(t, h, ":")
			dir := t.TempDir()
			_, err := h.Run(within(t, 50*time.Millisecond), "echo $$ >"+dir+"/pid; sleep 1000; touch "+dir+"/late")
			wantKind(t, err, remote.Deadline)
			if !remote.NoAnswer(err) {
				t.Error("nothing is known of the host after that")
			}
			began := time.Now()
			mustRun(t, h, ":")
			t.Logf("the call after it took %v", time.Since(began))
			remotetest.Eventually(t, "the command is gone", func() error {
				for _, comm := range commands(t) {
					if strings.Contains(comm, "sleep\x001000") {
						return errors.New(comm)
					}
				}
				return nil
			})
			_, err = h.Stream(within(t, 50*time.Millisecond), "echo here; sleep 1001", io.Discard)
			wantKind(t, err, remote.Deadline)
			remotetest.Eventually(t, "the stream's command is gone", func() error {
				for _, comm := range commands(t) {
					if strings.Contains(comm, "sleep\x001001") {
						return errors.New(comm)
					}
				}
				return nil
			})
		})
	}
}

func commands(t testing.TB) []string {
	t.Helper()
	files, err := filepath.Glob("/proc/[0-9]*/cmdline")
	if err != nil {
		t.Fatal(err)
	}
	var all []string
	for _, f := range files {
		if b, err := os.ReadFile(f); err == nil {
			all = append(all, string(b))
		}
	}
	return all
}

func TestAFrozenHostHoldsNobodyUp(t *testing.T) {
	s := remotetest.StartSshd(t, remotetest.SshdOptions{})
	other := remotetest.StartSshd(t, remotetest.SshdOptions{Port: 2222})
	frozen, well := reach(t, s, func(o *remote.Options) { o.Timeout = time.Second }), reach(t, other)
	mustRun(t, frozen, ":")
	mustRun(t, well, ":")
	dir := t.TempDir()
	s.Freeze(t)
	for i := range 8 {
		began := time.Now()
		_, err := frozen.Run(within(t, 200*time.Millisecond), fmt.Sprintf("touch %s/%d", dir, i))
		if took := time.Since(began); !remote.NoAnswer(err) || took > time.Second {
			t.Fatalf("call %d took %v: %v", i, took, err)
		}
		mustRun(t, well, ":")
	}
	err := frozen.Warm(within(t, 3*time.Second))
	wantKind(t, err, remote.Unreachable, "sshd does not let in within 1s")
	s.Thaw(t)
	remotetest.Eventually(t, "it works again", func() error {
		_, err := frozen.Run(within(t, time.Second), ":")
		return err
	})
	// What was sent while it was frozen came too late, and has not been done.
	if files := mustRun(t, frozen, "ls "+dir).Stdout; files != "" {
		t.Errorf("done after its deadline: %q", files)
	}
}

func TestABrokenConnectionIsMadeAnew(t *testing.T) {
	s := remotetest.StartSshd(t, remotetest.SshdOptions{})
	h := reach(t, s)
	mustRun(t, h, ":")
	for range 3 {
		s.Stop(t)
		_, err := h.Run(within(t, time.Second), ":")
		wantKind(t, err, remote.Unreachable, "connection refused")
		s.Start(t)
		mustRun(t, h, ":")
	}
	// Now without a call in between, which finds the connection broken.
	s.Stop(t)
	s.Start(t)
	mustRun(t, h, ":")
}

func TestACallUnderWayWhenTheHostDiesSaysSo(t *testing.T) {
	s := remotetest.StartSshd(t, remotetest.SshdOptions{})
	h := reach(t, s)
	dir := t.TempDir()
	failed := make(chan error, 2)
	go func() {
		_, err := h.Run(within(t, 10*time.Second), "touch "+dir+"/a; sleep 1002")
		failed <- err
	}()
	go func() {
		_, err := h.Stream(within(t, 10*time.Second), "touch "+dir+"/b; sleep 1002", io.Discard)
		failed <- err
	}()
	remotetest.Eventually(t, "both run", func() error {
		_, a := os.Stat(dir + "/a")
		_, b := os.Stat(dir + "/b")
		return errors.Join(a, b)
	})
	s.Stop(t)
	for range 2 {
		wantKind(t, <-failed, remote.Lost)
	}
}

func TestAKilledShellIsReplaced(t *testing.T) {
	h := reach(t, remotetest.StartSshd(t, remotetest.SshdOptions{}))
	_, err := h.Run(within(t, 5*time.Second), "kill -KILL $$")
	wantKind(t, err, remote.Lost)
	mustRun(t, h, ":")
}

func TestManyCallsAtOnceGetTheirOwnAnswers(t *testing.T) {
	h := reach(t, remotetest.StartSshd(t, remotetest.SshdOptions{}))
	var wg sync.WaitGroup
	for i := range 40 {
		wg.Go(func() {
			for range 5 {
				want := fmt.Sprintf("%d\n", i)
				out, err := h.Run(within(t, 20*time.Second), "sleep 0.002; echo "+want)
				if err != nil || out.Stdout != want {
					t.Errorf("%+v, %v", out, err)
				}
			}
		})
	}
	wg.Wait()
}

func TestCloseEndsEveryCall(t *testing.T) {
	s := remotetest.StartSshd(t, remotetest.SshdOptions{})
	h := reach(t, s)
	dir := t.TempDir()
	failed := make(chan error, 6)
	for i := range cap(failed) {
		go func() {
			_, err := h.Run(within(t, 20*time.Second), fmt.Sprintf("touch %s/%d; sleep 1003", dir, i))
			failed <- err
		}()
	}
	remotetest.Eventually(t, "all lanes are in use", func() error {
		files, err := filepath.Glob(dir + "/*")
		if len(files) < 4 {
			return fmt.Errorf("%d, %w", len(files), err)
		}
		return nil
	})
	if err := h.Close(); err != nil {
		t.Fatal(err)
	}
	for range cap(failed) {
		wantKind(t, <-failed, remote.Closed)
	}
	_, err := h.Run(within(t, time.Second), ":")
	wantKind(t, err, remote.Closed)
}

func TestHostKeysAreChecked(t *testing.T) {
	s := remotetest.StartSshd(t, remotetest.SshdOptions{Port: 2222, HostKeys: []string{"rsa", "ecdsa", "ed25519"}})
	dir := t.TempDir()
	known := func(name, text string) func(*remote.Options) {
		file := filepath.Join(dir, name)
		if err := os.WriteFile(file, []byte(text), 0o600); err != nil {
			t.Fatal(err)
		}
		return func(o *remote.Options) { o.KnownHosts = file }
	}
	text, err := os.ReadFile(s.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	lines := strings.Split(strings.TrimSpace(string(text)), "\n")
	for _, line := range lines {
		kind := strings.Fields(line)[1]
		h := reach(t, s, known(kind, line+"\n"))
		if err := h.Warm(within(t, 5*time.Second)); err != nil {
			t.Errorf("only a key of kind %s is known: %v", kind, err)
		}
	}
	unknown := reach(t, s, known("empty", "# nothing\n"))
	err = unknown.Warm(within(t, 5*time.Second))
	wantKind(t, err, remote.HostKey, "host key unknown", "[127.0.0.1]:2222 ")
	_, line, _ := strings.Cut(err.Error(), "add the line: ")
	if err := reach(t, s, known("advice", line+"\n")).Warm(within(t, 5*time.Second)); err != nil {
		t.Errorf("the line that was to be added does not help: %v", err)
	}
	other := remotetest.StartSshd(t, remotetest.SshdOptions{Port: 2223})
	text, err = os.ReadFile(other.KnownHosts)
	if err != nil {
		t.Fatal(err)
	}
	changed := strings.ReplaceAll(string(text), "2223", "2222")
	err = reach(t, s, known("changed", changed)).Warm(within(t, 5*time.Second))
	wantKind(t, err, remote.HostKey, "host key changed", "line 1", "SHA256:", "replace that line by: [127.0.0.1]:2222 ssh-ed25519")
	revoked := "@revoked * " + strings.SplitN(lines[2], " ", 2)[1] + "\n" + lines[2] + "\n"
	wantKind(t, reach(t, s, known("revoked", revoked)).Warm(within(t, 5*time.Second)), remote.HostKey, "revoked")
	wantKind(t, reach(t, s, func(o *remote.Options) { o.KnownHosts = dir + "/none" }).Warm(within(t, 5*time.Second)), remote.Setup, "no such file")
}

func TestACertifiedHostIsAccepted(t *testing.T) {
	dir := t.TempDir()
	remotetest.Need(t, "ssh-keygen")
	s := remotetest.StartSshd(t, remotetest.SshdOptions{Config: "HostCertificate " + dir + "/host-cert.pub\n"})
	h := reach(t, s, func(o *remote.Options) { o.KnownHosts = dir + "/known" })
	host := filepath.Join(filepath.Dir(s.KeyFile), "host_ed25519.pub")
	remotetest.Sh(t, "cd "+dir+"; ssh-keygen -q -t ed25519 -N '' -f ca; cp "+host+" host.pub; ssh-keygen -q -s ca -I host -h -n 127.0.0.1 host.pub; "+
		`{ printf '@cert-authority 127.0.0.1 '; cat ca.pub; } >known`)
	s.Stop(t)
	s.Start(t)
	if err := h.Warm(within(t, 5*time.Second)); err != nil {
		t.Error(err)
	}
}

func TestWhatIsWrongIsSaidInWords(t *testing.T) {
	s := remotetest.StartSshd(t, remotetest.SshdOptions{Account: "dba"})
	dir := t.TempDir()
	remotetest.Sh(t, "cd "+dir+"; ssh-keygen -q -t ed25519 -N '' -f wrong; ssh-keygen -q -t ed25519 -N secret -f locked; echo nonsense >nonsense; cp wrong open; chmod 644 open")
	key := func(name string) func(*remote.Options) {
		return func(o *remote.Options) { o.KeyFile = filepath.Join(dir, name) }
	}
	for _, c := range []struct {
		name   string
		change func(*remote.Options)
		kind   remote.Kind
		words  string
	}{
		{"wrong key", key("wrong"), remote.Auth, "does not take the key"},
		{"no such user", func(o *remote.Options) { o.User = "nobodyhere" }, remote.Auth, "for user nobodyhere"},
		{"key with a passphrase", key("locked"), remote.Setup, "passphrase"},
		{"no key", key("none"), remote.Setup, "no such file"},
		{"key file is none", key("nonsense"), remote.Setup, "read ssh key"},
		{"nobody listens", func(o *remote.Options) { o.Port = 2299 }, remote.Unreachable, "connection refused"},
		{"no such name", func(o *remote.Options) { o.Host = "no-such-host.invalid" }, remote.Unreachable, "no-such-host.invalid"},
		{"no sudo allowed", func(o *remote.Options) { o.User, o.Sudo = "dba", true }, remote.Sudo, "NOPASSWD"},
	} {
		t.Run(c.name, func(t *testing.T) {
			h := reach(t, s, c.change)
			_, err := h.Run(within(t, 5*time.Second), ":")
			wantKind(t, err, c.kind, c.words)
			if wrong := h.Check(within(t, 5*time.Second)); !strings.Contains(strings.Join(wrong, "\n"), c.words) {
				t.Errorf("Check says %q", wrong)
			}
		})
	}
	if wrong := reach(t, s).Check(within(t, 5*time.Second)); wrong != nil {
		t.Errorf("all is well, but Check says %q", wrong)
	}
	wrong := reach(t, s, func(o *remote.Options) { o.User = "dba" }).Check(within(t, 5*time.Second))
	if len(wrong) != 1 || !strings.Contains(wrong[0], "user dba is not root") {
		t.Errorf("not root: %q", wrong)
	}
	wrong = reach(t, s, key("open")).Check(within(t, 5*time.Second))
	if len(wrong) != 2 || !strings.Contains(wrong[0], "chmod 600") {
		t.Errorf("open key file: %q", wrong)
	}
}

func TestAKeyThatWasRemovedSinceIsFoundThoughTheConnectionIsOpen(t *testing.T) {
	s := remotetest.StartSshd(t, remotetest.SshdOptions{})
	file := filepath.Join(t.TempDir(), "key")
	var options remote.Options
	h := reach(t, s, func(o *remote.Options) {
		remotetest.Sh(t, "cp "+o.KeyFile+" "+file)
		o.KeyFile = file
		options = *o
	})
	mustRun(t, h, ":")
	if wrong := h.Check(within(t, 5*time.Second)); wrong != nil {
		t.Errorf("all is well, but Check says %q", wrong)
	}
	if err := os.Remove(options.KeyFile); err != nil {
		t.Fatal(err)
	}
	mustRun(t, h, ":")
	if wrong := h.Check(within(t, 5*time.Second)); len(wrong) != 1 || !strings.Contains(wrong[0], "no such file") {
		t.Errorf("Check says %q", wrong)
	}
}

func TestSudoMakesRootOfAnAccount(t *testing.T) {
	remotetest.Need(t, "sudo")
	sudo := func(o *remote.Options) { o.User, o.Sudo = "dba", true }
	for name, sudoers := range map[string]string{
		"plain": "dba ALL=(root) NOPASSWD: /bin/sh\n", "with a terminal": "Defaults use_pty\nDefaults secure_path=\"/usr/sbin:/usr/bin:/sbin:/bin\"\ndba ALL=(ALL:ALL) NOPASSWD: ALL\n",
	} {
		t.Run(name, func(t *testing.T) {
			h := reach(t, remotetest.StartSshd(t, remotetest.SshdOptions{Account: "dba", Sudoers: sudoers}), sudo)
			if diff := cmp.Diff(remote.Output{Stdout: "0\n", Stderr: "x", Exit: 6}, mustRun(t, h, "id -u; printf x >&2; exit 6")); diff != "" {
				t.Error(diff)
			}
			var got bytes.Buffer
			data := bytes.Repeat([]byte("\x03\x04\r\n\x00"), 100_000)
			if out, err := h.Feed(within(t, 10*time.Second), "id -u >&2; cat", bytes.NewReader(data), &got); err != nil || !bytes.Equal(got.Bytes(), data) || out.Stderr != "0\n" {
				t.Errorf("%d of %d bytes, %+v, %v", got.Len(), len(data), out, err)
			}
			_, err := h.Run(within(t, 50*time.Millisecond), "sleep 1004")
			wantKind(t, err, remote.Deadline)
			mustRun(t, h, ":")
			remotetest.Eventually(t, "the command is gone", func() error {
				if slices.ContainsFunc(commands(t), func(c string) bool { return strings.Contains(c, "sleep\x001004") }) {
					return errors.New("it is there")
				}
				return nil
			})
			if wrong := h.Check(within(t, 5*time.Second)); wrong != nil {
				t.Errorf("Check says %q", wrong)
			}
		})
	}
	s := remotetest.StartSshd(t, remotetest.SshdOptions{Account: "dba", Hide: []string{"/usr/bin/sudo"}})
	_, err := reach(t, s, sudo).Run(within(t, 5*time.Second), ":")
	wantKind(t, err, remote.Sudo)
}

func TestAnAccountWithoutAShellIsNamed(t *testing.T) {
	s := remotetest.StartSshd(t, remotetest.SshdOptions{Account: "dba", Shell: "/usr/sbin/nologin"})
	err := reach(t, s, func(o *remote.Options) { o.User = "dba" }).Warm(within(t, 5*time.Second))
	wantKind(t, err, remote.Setup, "user dba gets no shell", "not available")
}

func BenchmarkFirstCall(b *testing.B) {
	s := remotetest.StartSshd(b, remotetest.SshdOptions{})
	for b.Loop() {
		h := reach(b, s)
		mustRun(b, h, ":")
		_ = h.Close()
	}
}

func BenchmarkLaterCall(b *testing.B) {
	h := reach(b, remotetest.StartSshd(b, remotetest.SshdOptions{}))
	mustRun(b, h, ":")
	for _, command := range []string{":", "ip addr show"} {
		b.Run(command, func(b *testing.B) {
			for b.Loop() {
				if _, err := h.Run(b.Context(), command); err != nil {
					b.Fatal(err)
				}
			}
		})
	}
}

func BenchmarkStream(b *testing.B) {
	h := reach(b, remotetest.StartSshd(b, remotetest.SshdOptions{}))
	b.SetBytes(100 << 20)
	for b.Loop() {
		if _, err := h.Stream(b.Context(), "head -c 104857600 /dev/zero", io.Discard); err != nil {
			b.Fatal(err)
		}
	}
}
