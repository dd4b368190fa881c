package cli

import (
	"context"
	"io"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mpp/journal"
)

func TestSavedRecordingPlaysUnderAConfigurationAsItDidLive(t *testing.T) {
	s := newStage(t)
	s.direct("world failover")
	name := filepath.Join(t.TempDir(), "incident.jsonl")
	if got := s.run("mpp replay --from 3h --save " + name); !strings.Contains(got, "play it with: mpp replay --config PATH") {
		t.Fatal(got)
	}
	if got := s.run("mpp replay --from 3h --save " + name); !strings.Contains(got, "file exists") || !strings.Contains(got, "[exit code 5]") {
		t.Errorf("a recording that is there is written over: %s", got)
	}
	if got := s.run("mpp replay " + name); !strings.Contains(got, "give --config") || !strings.Contains(got, "[exit code 2]") {
		t.Errorf("a recording is played without rules: %s", got)
	}
	events := func(text string) (shop []string) {
		for line := range strings.Lines(text) {
			if strings.Contains(line, `"pool":"shop"`) {
				shop = append(shop, line)
			}
		}
		return shop
	}
	live, saved := s.run("mpp replay --from 3h"), s.run("mpp replay --config testdata/files/shop.toml "+name)
	if a, b := events(live), events(saved); len(a) < 5 || strings.Join(a, "") != strings.Join(b, "") {
		t.Errorf("live:\n%ssaved:\n%s", strings.Join(a, ""), strings.Join(b, ""))
	}
	if !strings.Contains(saved, "pool audit is left out") {
		t.Errorf("a pool that the configuration lacks is left out in silence: %s", saved)
	}
	if got := s.run("mpp replay --verify --config testdata/files/patient.toml " + name); !strings.Contains(got, "the daemon had FAIL OFFLINE") || !strings.Contains(got, "[exit code 1]") {
		t.Errorf("fail_after = 9 would not have failed over: %s", got)
	}
	if info, err := os.Stat(name); err != nil || info.Mode().Perm()&0o007 != 0 {
		t.Errorf("a recording is open to everybody: %v, %v", info.Mode(), err)
	}
}

// playedIn runs a command against a daemon that kept the lines given.
func playedIn(t *testing.T, lines []journal.Line, command string) string {
	t.Helper()
	s, w := newStage(t), failover()
	c := w.client()
	c.record = func(time.Time) []journal.Line { return lines }
	s.dial = func(Target) (Client, error) { return c, nil }
	return s.run(command)
}

func TestAReplayThatBeginsLaterThanAskedSaysSo(t *testing.T) {
	lines := failover().recorded(moment().Add(-3 * time.Hour))
	if got := playedIn(t, lines, "mpp replay --from 4h"); !strings.Contains(got, "mppd keeps polls since 00:00:00 CET only (older ones are dropped: journal.history)") {
		t.Error(got)
	}
	started := failover().recorded(moment().Add(-30*time.Hour + time.Second)) // when shown() says
	got := playedIn(t, started, "mpp replay --from 2d")
	if !strings.Contains(got, "only (it was started then)") || strings.Contains(got, "[exit code") {
		t.Error(got)
	}
	if got := playedIn(t, lines, "mpp replay --from 3h"); strings.Contains(got, "only") {
		t.Error(got)
	}
}

func TestAReplayOfNothingIsNoSuccess(t *testing.T) {
	all := failover().recorded(moment().Add(-3 * time.Hour))
	for _, c := range []struct {
		lines         []journal.Line
		command, want string
	}{
		{all[:1], "mpp replay --from 3h", "nothing to play in the daemon's recording\n"},
		{all[:1], "mpp replay --verify --from 3h", "nothing was compared"},
		{all[:len(all)-1], "mpp replay --verify --from 3h", "nothing was compared"},
		{all, "mpp replay --verify --from 3h --config testdata/files/orders.toml", "nothing was compared"},
		{nil, "mpp replay --verify /dev/null", "nothing to play in /dev/null: nothing was compared"},
	} {
		got := playedIn(t, c.lines, c.command)
		if !strings.Contains(got, c.want) || !strings.Contains(got, "[exit code 1]") || strings.Contains(got, "as the daemon decided") {
			t.Errorf("%s: %s", c.command, got)
		}
	}
}

func TestAJournalFolderPlaysFromItsFirstStart(t *testing.T) {
	dir, w := t.TempDir(), failover()
	j, _, err := journal.Open(dir, journal.Options{})
	if err != nil {
		t.Fatal(err)
	}
	for i := range w.inputs {
		if err := j.Append(journal.Record{At: w.inputs[i].At, Pool: w.inputs[i].Pool, Input: &w.inputs[i]}, false); err != nil {
			t.Fatal(err)
		}
	}
	if err := j.Close(); err != nil {
		t.Fatal(err)
	}
	s := newStage(t)
	if got := s.run("mpp replay --config testdata/files/shop.toml " + dir); !strings.Contains(got, "ACTIVE -> FAIL (OFFLINE)") || strings.Contains(got, "[exit code") {
		t.Error(got)
	}
	if got := s.run("mpp replay --config testdata/files/orders.toml " + dir); !strings.Contains(got, "nothing to play in "+dir) || !strings.Contains(got, "[exit code 1]") {
		t.Error(got)
	}
}

// hanging is a daemon whose recording never comes.
type hanging struct{ *fake }

func (h hanging) Record(ctx context.Context, _ time.Time) (io.ReadCloser, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

func TestReplayHonoursTheTimeOut(t *testing.T) {
	s := newStage(t)
	s.dial = func(Target) (Client, error) { return hanging{failover().client()}, nil }
	if got := s.run("mpp --timeout 50ms replay --from 5m"); !strings.Contains(got, "gave no answer within 50ms") || !strings.Contains(got, "[exit code 3]") {
		t.Error(got)
	}
}
