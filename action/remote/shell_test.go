package remote

import (
	"bytes"
	"errors"
	"fmt"
	"io"
	"os/exec"
	"strings"
	"testing"
	"testing/iotest"
	"time"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// talkTo starts a shell of this machine and converses with it, its output arriving byte by byte
// or not.
func talkTo(t *testing.T, byByte bool, argv ...string) *conversation {
	t.Helper()
	cmd := exec.CommandContext(t.Context(), argv[0], argv[1:]...)
	stdin, err := cmd.StdinPipe()
	if err != nil {
		t.Fatal(err)
	}
	outR, outW := io.Pipe()
	errR, errW := io.Pipe()
	cmd.Stdout, cmd.Stderr = outW, errW
	if err := cmd.Start(); err != nil {
		t.Skipf("NOT TESTED with %s: %v", argv[0], err)
	}
	ended := make(chan struct{})
	go func() {
		_ = cmd.Wait()
		_ = outW.Close()
		_ = errW.Close()
		close(ended)
	}()
	t.Cleanup(func() {
		_ = stdin.Close()
		_ = outR.Close()
		_ = errR.Close()
		<-ended
	})
	var stdout, stderr io.Reader = outR, errR
	if byByte {
		stdout, stderr = iotest.OneByteReader(outR), iotest.OneByteReader(errR)
	}
	return &conversation{
		stdin: stdin, clock: &clock{},
		stdout: &cutter{r: stdout, limit: 1 << 20}, stderr: &cutter{r: stderr, limit: 1 << 20},
	}
}

func TestTheProtocolHoldsInEveryShellByteByByte(t *testing.T) {
	for _, shell := range [][]string{{"dash"}, {"bash"}, {"bash", "--posix"}, {"busybox", "sh"}, {"sh"}} {
		t.Run(strings.Join(shell, " "), func(t *testing.T) {
			c := talkTo(t, true, shell...)
			deadline := time.Now().Add(time.Minute)
			if _, err := c.exchange("echo noise of the login; echo more >&2\n"+prologue, ":", deadline); err != nil {
				t.Fatal(err)
			}
			if c.id.pid == "" || c.id.start == "" {
				t.Errorf("no identity: %+v", c.id)
			}
			for command, want := range map[string]Output{
				"printf x; printf y >&2":             {Stdout: "x", Stderr: "y"},
				`printf '\000\377\n\r'`:              {Stdout: "\x00\xff\n\r"},
				`printf '%s' "$1$2$3$mpp_token"`:     {},
				"exit 250":                           {Exit: 250},
				"echo 0123456789abcdef0123456789be ": {Stdout: "0123456789abcdef0123456789be\n"},
				"set -- a b; echo $#":                {Stdout: "2\n"},
				"cat; read x":                        {Exit: 1},
				"set -u; echo ok":                    {Stdout: "ok\n"},
			} {
				a, err := c.exchange("", command, deadline)
				if err != nil {
					t.Fatalf("%s: %v", command, err)
				}
				if diff := cmp.Diff(want, a.out); diff != "" {
					t.Errorf("%s (-want +got):\n%s", command, diff)
				}
			}
		})
	}
}

func TestACommandThatComesTooLateIsNotRun(t *testing.T) {
	c := talkTo(t, false, "/bin/sh")
	file := t.TempDir() + "/late"
	if _, err := c.exchange(prologue, ":", time.Now()); err != nil {
		t.Fatal(err)
	}
	a, err := c.exchange("", "touch "+file, time.Now().Add(-time.Second))
	if err != nil || !a.late {
		t.Errorf("%+v, %v", a, err)
	}
	a, err = c.exchange("", "ls "+file+" 2>/dev/null", time.Now().Add(time.Second))
	if err != nil || a.late || a.out.Exit == 0 {
		t.Errorf("%+v, %v", a, err)
	}
}

func TestAHostWithoutUptimeIsRefused(t *testing.T) {
	c := &conversation{clock: &clock{}}
	if err := c.begin(" "); err == nil || !strings.Contains(err.Error(), "only Linux") {
		t.Errorf("got %v", err)
	}
}

// Whatever stands between the marks comes out whole, and nothing else, however it is cut up.
func TestMarksAreFoundHoweverTheStreamIsCutUp(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		token := "0123456789abcdef"
		pieces := rapid.SliceOf(rapid.OneOf(rapid.SliceOf(rapid.Byte()), rapid.Just([]byte(token)), rapid.Just([]byte("\n")), rapid.Just([]byte("0123456789"))))
		noise, want := bytes.Join(pieces.Draw(t, "noise"), nil), bytes.Join(pieces.Draw(t, "output"), nil)
		for _, mark := range []string{token + "b", token + "e"} {
			if bytes.Contains(append(noise, '0'), []byte(mark)) || bytes.Contains(want, []byte(mark)) {
				t.Skip("a token was guessed")
			}
		}
		stream := fmt.Sprintf("%s%sb said\n%s%se 7\nrest", noise, token, want, token)
		chunk := rapid.IntRange(1, 50).Draw(t, "chunk")
		c := &cutter{r: chunks{strings.NewReader(stream), chunk}, limit: 1 << 20}
		var said string
		got, err := c.call(token, func(s string) error { said = s; return nil })
		if err != nil || !bytes.Equal(got, want) || said != "said" || c.said != "7" {
			t.Fatalf("got %q, want %q, said %q and %q, %v", got, want, said, c.said, err)
		}
	})
}

type chunks struct {
	r io.Reader
	n int
}

func (c chunks) Read(p []byte) (int, error) { return c.r.Read(p[:min(len(p), c.n)]) }

func TestTooMuchOutputIsAnError(t *testing.T) {
	c := &cutter{r: strings.NewReader("tokenb\n" + strings.Repeat("x", 1000)), limit: 100}
	if _, err := c.call("token", nil); !errors.Is(err, errTooMuch) {
		t.Errorf("got %v", err)
	}
	endless := &cutter{r: strings.NewReader(strings.Repeat("x", 1000)), limit: 100}
	if _, err := endless.call("token", nil); !errors.Is(err, io.EOF) {
		t.Errorf("noise before the mark is dropped, however much: %v", err)
	}
}

func TestTheHostsClockIsFollowed(t *testing.T) {
	var c clock
	now := time.Now()
	if c.limit(now) != forever {
		t.Error("a host that was not heard yet has no limit")
	}
	c.set(5000, now)
	if got := c.limit(now.Add(2 * time.Second)); got != 5200 {
		t.Errorf("got %d, want 5200", got)
	}
	if got := c.limit(now.Add(-time.Second)); got != 4900 {
		t.Errorf("got %d, want 4900", got)
	}
}
