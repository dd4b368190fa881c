package balancer_test

import (
	"context"
	"io"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/rs/zerolog"

	"mpp"
	"mpp/publish/balancer"
	"mpp/publish/folder"
	"mpp/publish/publishtest"
)

func TestAgentSpeaksHAProxysWords(t *testing.T) {
	now := time.Now()
	view := publishtest.View(now)
	cases := map[string]string{
		"role=writer node=10.0.0.1:3306\n":            "up ready 100%",
		"role=writer pool=db1 node=10.0.0.1:3306\r\n": "up ready 100%",
		"node=10.0.0.1 role=ok":                       "up ready 100%",
		"role=reader node=10.0.0.2:3306\n":            "up ready 100%",
		"role=writer node=10.0.0.2:3306\n":            "maint",
		"role=reader node=10.0.0.1:3306\n":            "drain",
		"role=ok node=10.0.0.3:3306\n":                "down #FAIL (OFFLINE): connection refused",
		"role=writer node=db4.example.com:3307\n":     "down #not polled yet since mppd started",
		"role=writer node=10.9.9.9:3306\n":            "down #unknown node 10.9.9.9:3306",
		"role=writer pool=db2 node=10.0.0.1:3306\n":   "down #unknown node 10.0.0.1:3306 in pool db2",
		"role=boss node=10.0.0.1:3306\n":              `down #unknown role "boss": use writer, reader or ok`,
		"role=writer\n":                               `down #agent-send must be like "role=writer node=10.0.0.1:3306\n"`,
		"":                                            `down #agent-send must be like "role=writer node=10.0.0.1:3306\n"`,
		"GET / HTTP/1.0\n":                            `down #agent-send must be like "role=writer node=10.0.0.1:3306\n"; unknown: GET`,
	}
	for line, want := range cases {
		if got := balancer.Reply(line, view, now); got != want {
			t.Errorf("%q: %q, want %q", line, got, want)
		}
	}
	if got := balancer.Reply("role=writer node=10.0.0.1:3306", view, now.Add(time.Minute)); got != "down #stale: last poll 1m0s ago, limit 5s" {
		t.Errorf("stale: %q", got)
	}
	if got := balancer.Reply("role=writer node=10.0.0.1:3306", nil, now); !strings.HasPrefix(got, "down #") {
		t.Errorf("before the first view: %q", got)
	}
}

func TestEveryWordOfTheAgentIsOneThatHAProxyKnows(t *testing.T) {
	now := time.Now()
	view := publishtest.View(now)
	view.Pools[0].Nodes[2].EvaluationReason = "up ready\n100%"
	for _, role := range []string{"writer", "reader", "ok", ""} {
		for _, node := range []string{publishtest.Active, publishtest.Standby, publishtest.Dead, publishtest.Unpolled, publishtest.V6, "x y", "\n", ""} {
			got := balancer.Reply("role="+role+" node="+node+"\n", view, now)
			words, _, comment := strings.Cut(got, "#")
			known := map[string]bool{"up ready 100%": true, "maint": true, "drain": true, "down ": comment}
			if !known[words] || strings.ContainsAny(got, "\r\n") {
				t.Errorf("%s %q: %q", role, node, got)
			}
		}
	}
}

func agent(t *testing.T, view func() *mpp.View) *balancer.Agent {
	t.Helper()
	a := balancer.NewAgent("127.0.0.1:0", view, zerolog.Logger{})
	if err := a.Start(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { a.Stop(context.Background()) })
	return a
}

// says connects, sends a text and returns the answer with the time that it took.
func says(t *testing.T, a *balancer.Agent, text string) (string, time.Duration) {
	t.Helper()
	begin := time.Now()
	c, err := net.Dial("tcp", a.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	if _, err := io.WriteString(c, text); err != nil {
		t.Fatal(err)
	}
	answer, err := io.ReadAll(c)
	if err != nil {
		t.Fatal(err)
	}
	return string(answer), time.Since(begin)
}

func fixed() *mpp.View { return publishtest.View(time.Now()) }

func TestAgentAnswersWithAndWithoutALine(t *testing.T) {
	a := agent(t, fixed)
	if got, _ := says(t, a, "role=writer node=10.0.0.1:3306\n"); got != "up ready 100%\n" {
		t.Errorf("%q", got)
	}
	if got, _ := says(t, a, "role=writer node=10.0.0.1:3306"); got != "up ready 100%\n" {
		t.Errorf("without a line's end: %q", got)
	}
	if got, took := says(t, a, ""); !strings.HasPrefix(got, "down #") || took > 5*time.Second {
		t.Errorf("without a line: %q after %s", got, took)
	}
	if got, _ := says(t, a, "node=10.0.0.1 role="+strings.Repeat("x", 400)+"\n"); !strings.HasPrefix(got, "down #unknown role") || len(got) > 512 {
		t.Errorf("a long line: %d bytes", len(got))
	}
}

func TestAgentStopsWithConnectionsOpen(t *testing.T) {
	hold, entered := make(chan struct{}), make(chan struct{}, 1)
	a := agent(t, func() *mpp.View {
		entered <- struct{}{}
		<-hold
		return nil
	})
	c, err := net.Dial("tcp", a.Addr().String())
	if err != nil {
		t.Fatal(err)
	}
	defer func() { _ = c.Close() }()
	<-entered
	stopped := make(chan struct{})
	go func() {
		ctx, done := context.WithTimeout(context.Background(), 10*time.Millisecond)
		defer done()
		a.Stop(ctx)
		close(stopped)
	}()
	close(hold)
	<-stopped
	a.Stop(context.Background())
	if err := a.Start(); err == nil {
		t.Error("it was started again")
	}
	if _, err := net.Dial("tcp", a.Addr().String()); err == nil {
		t.Error("it still listens")
	}
}

func TestAgentOnATakenPortSaysSo(t *testing.T) {
	a := agent(t, fixed)
	second := balancer.NewAgent(a.Addr().String(), fixed, zerolog.Logger{})
	if err := second.Start(); err == nil || !strings.Contains(err.Error(), "address already in use") {
		t.Errorf("%v", err)
	}
	second.Stop(context.Background())
}

// tracks returns what the files hold.
func tracks(t *testing.T, dir string) map[string]string {
	t.Helper()
	entries, err := os.ReadDir(dir)
	if err != nil {
		t.Fatal(err)
	}
	all := map[string]string{}
	for _, e := range entries {
		if strings.HasPrefix(e.Name(), ".") {
			continue
		}
		text, err := os.ReadFile(filepath.Join(dir, e.Name()))
		if err != nil {
			t.Fatal(err)
		}
		all[e.Name()] = strings.TrimSuffix(string(text), "\n")
	}
	return all
}

func newTracks(t *testing.T, dir string) *balancer.TrackFiles {
	t.Helper()
	f, err := balancer.NewTrackFiles(dir)
	if err != nil {
		t.Fatal(err)
	}
	return f
}

// kill is what a kill -9 does to the hold on the folder: the next daemon can take it.
func kill(t *testing.T, dir string) {
	t.Helper()
	if err := os.Remove(filepath.Join(dir, folder.LockName)); err != nil {
		t.Fatal(err)
	}
}

func write(t *testing.T, f *balancer.TrackFiles, v *mpp.View, now time.Time) {
	t.Helper()
	if err := f.Write(v, now); err != nil {
		t.Fatal(err)
	}
}

func TestTrackFilesFollowTheAnswers(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "track"), time.Now()
	f := newTracks(t, dir)
	write(t, f, publishtest.View(now), now)
	want := map[string]string{
		"db1.10.0.0.1_3306.writer": "0", "db1.10.0.0.1_3306.reader": "1", "db1.10.0.0.1_3306.ok": "0",
		"db1.10.0.0.2_3306.writer": "1", "db1.10.0.0.2_3306.reader": "0", "db1.10.0.0.2_3306.ok": "0",
		"db1.10.0.0.3_3306.writer": "1", "db1.10.0.0.3_3306.reader": "1", "db1.10.0.0.3_3306.ok": "1",
		"db1.db4.example.com_3307.writer": "1", "db1.db4.example.com_3307.reader": "1", "db1.db4.example.com_3307.ok": "1",
		"db2.2001_db8__1_3306.writer": "0", "db2.2001_db8__1_3306.reader": "0", "db2.2001_db8__1_3306.ok": "0",
	}
	if diff := cmp.Diff(want, tracks(t, dir)); diff != "" {
		t.Fatalf("(-want +got):\n%s", diff)
	}
	write(t, f, publishtest.View(now), now.Add(time.Minute)) // stale: db1 down, db2 last known
	got := tracks(t, dir)
	if got["db1.10.0.0.1_3306.writer"] != "1" || got["db2.2001_db8__1_3306.writer"] != "0" {
		t.Errorf("stale: %v", got)
	}
}

func TestTrackFilesTurnWhenTheDaemonStopsUnlessTheLastIsWanted(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	f := newTracks(t, dir)
	write(t, f, publishtest.View(now), now)
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	for name, value := range tracks(t, dir) {
		if want := "1"; strings.HasPrefix(name, "db1.") && value != want {
			t.Errorf("%s holds %s after the stop", name, value)
		}
	}
	if got := tracks(t, dir)["db2.2001_db8__1_3306.writer"]; got != "0" {
		t.Errorf("when_stale = last_known: %s after the stop", got)
	}
}

func TestAfterAKillTheScriptTurnsTheTrackFilesUnlessTheLastIsWanted(t *testing.T) {
	dir, now := filepath.Join(t.TempDir(), "track"), time.Now()
	script := func() {
		t.Helper()
		if out, err := exec.Command("../../packaging/libexec/track-fault", dir).CombinedOutput(); err != nil {
			t.Fatalf("%v: %s", err, out)
		}
	}
	script() // without a folder there is nothing to do
	f := newTracks(t, dir)
	write(t, f, publishtest.View(now), now)
	stay, err := os.Stat(filepath.Join(dir, "db1.10.0.0.3_3306.writer"))
	if err != nil {
		t.Fatal(err)
	}
	script()
	if got := tracks(t, dir); got["db1.10.0.0.1_3306.writer"] != "0" {
		t.Fatalf("the files of an mppd that lives were turned: %v", got)
	}
	if err := os.Remove(filepath.Join(dir, ".lock")); err != nil { // as free as after a kill
		t.Fatal(err)
	}
	script()
	for name, value := range tracks(t, dir) {
		want := "1"
		if strings.HasPrefix(name, "db2.") {
			want = "0"
		}
		if value != want {
			t.Errorf("%s holds %s, want %s", name, value, want)
		}
	}
	if still, err := os.Stat(filepath.Join(dir, "db1.10.0.0.3_3306.writer")); err != nil || !os.SameFile(stay, still) {
		t.Errorf("a file that held 1 was written again: %v", err)
	}
}

func TestTrackFilesOfNodesThatAreGoneAreFaults(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	if err := os.WriteFile(filepath.Join(dir, "old.10.0.0.9_3306.writer"), []byte("0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	if err := os.WriteFile(filepath.Join(dir, "README"), []byte("0\n"), 0o644); err != nil {
		t.Fatal(err)
	}
	f := newTracks(t, dir)
	v := publishtest.View(now)
	write(t, f, v, now)
	v.Pools = v.Pools[:1]
	write(t, f, v, now)
	got := tracks(t, dir)
	if got["old.10.0.0.9_3306.writer"] != "1" || got["db2.2001_db8__1_3306.writer"] != "1" || got["README"] != "0" {
		t.Errorf("%v", got)
	}
}

func TestTrackFilesOfAPoolThatIsNotReadyAreLeftAsTheyAre(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	write(t, newTracks(t, dir), publishtest.View(now), now)
	kill(t, dir)
	v := publishtest.View(now.Add(-time.Hour)) // what a restart knows before the first polls
	v.Pools[0].Ready, v.Pools[1].Ready = false, false
	f := newTracks(t, dir)
	write(t, f, v, now)
	if got := tracks(t, dir); got["db1.10.0.0.1_3306.writer"] != "0" {
		t.Errorf("before the first polls: %v", got)
	}
	v.Pools[0].Ready = true
	write(t, f, v, now)
	if got := tracks(t, dir); got["db1.10.0.0.1_3306.writer"] != "1" || got["db2.2001_db8__1_3306.writer"] != "0" {
		t.Errorf("with one pool ready, whose data is stale: %v", got)
	}
}

func TestTrackFilesAreWrittenOnlyWhenTheyChange(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	f := newTracks(t, dir)
	write(t, f, publishtest.View(now), now)
	file := filepath.Join(dir, "db1.10.0.0.1_3306.writer")
	before, err := os.Stat(file)
	if err != nil {
		t.Fatal(err)
	}
	write(t, f, publishtest.View(now.Add(time.Second)), now.Add(time.Second))
	after, err := os.Stat(file)
	if err != nil || !os.SameFile(before, after) {
		t.Errorf("keepalived is woken for nothing: %v", err)
	}
}

func TestTrackFileThatCannotBeWrittenIsTriedAgain(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	inTheWay := filepath.Join(dir, "db1.10.0.0.1_3306.writer", "x")
	if err := os.MkdirAll(inTheWay, 0o755); err != nil {
		t.Fatal(err)
	}
	f := newTracks(t, dir)
	if err := f.Write(publishtest.View(now), now); err == nil || !strings.Contains(err.Error(), "db1.10.0.0.1_3306.writer") {
		t.Errorf("error %v", err)
	}
	if err := os.RemoveAll(filepath.Dir(inTheWay)); err != nil {
		t.Fatal(err)
	}
	write(t, f, publishtest.View(now), now)
	if got := tracks(t, dir); got["db1.10.0.0.1_3306.writer"] != "0" || len(got) != 15 {
		t.Errorf("%v", got)
	}
}

func FuzzReply(f *testing.F) {
	f.Add("role=writer pool=db1 node=10.0.0.1:3306\n")
	f.Add("role=\x00 node=#\n")
	now := time.Now()
	view := publishtest.View(now)
	f.Fuzz(func(t *testing.T, line string) {
		got := balancer.Reply(line, view, now)
		if strings.ContainsAny(got, "\r\n\x00") || (got != "up ready 100%" && got != "maint" && got != "drain" && !strings.HasPrefix(got, "down #")) {
			t.Errorf("%q: %q", line, got)
		}
	})
}
