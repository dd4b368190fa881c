package cli

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
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
