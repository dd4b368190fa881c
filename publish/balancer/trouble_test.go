package balancer_test

import (
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/publish/balancer"
	"mpp/publish/folder"
	"mpp/publish/publishtest"
)

const writerFile = "db1.10.0.0.1_3306.writer"

func TestASecondDaemonLeavesTheTrackFilesAlone(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	f := newTracks(t, dir)
	write(t, f, publishtest.View(now), now)
	_, err := balancer.NewTrackFiles(dir)
	if want := fmt.Sprintf("%s: it is used by another mppd (pid %d)", dir, os.Getpid()); err == nil || !strings.Contains(err.Error(), want) {
		t.Errorf("%v, want %q", err, want)
	}
	if got := tracks(t, dir)[writerFile]; got != "0" {
		t.Errorf("the first daemon's file holds %s", got)
	}
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	next := newTracks(t, dir) // after the stop the folder is free
	if err := next.Stop(); err != nil {
		t.Fatal(err)
	}
}

func TestAStartThatFailsLaterLeavesTheTrackFilesAlone(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	write(t, newTracks(t, dir), publishtest.View(now), now)
	kill(t, dir)
	if err := newTracks(t, dir).Stop(); err != nil { // nothing was written in between
		t.Fatal(err)
	}
	if got := tracks(t, dir)[writerFile]; got != "0" {
		t.Errorf("it holds %s", got)
	}
}

func TestTrackFilesThatAnotherDaemonTookAreLeftToIt(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	first := newTracks(t, dir)
	write(t, first, publishtest.View(now), now)
	kill(t, dir) // somebody removed the lock
	second := newTracks(t, dir)
	write(t, second, publishtest.View(now), now)
	v := publishtest.View(now)
	v.Pools[0].Nodes[0].Evaluation = mpp.Down
	for _, later := range []time.Duration{1000, 1100, 2200} {
		if err := first.Write(v, now.Add(later*time.Millisecond)); err == nil || !strings.Contains(err.Error(), "another mppd") {
			t.Errorf("%d ms: %v", later, err)
		}
	}
	if err := first.Stop(); err == nil {
		t.Error("the stop says nothing")
	}
	if got := tracks(t, dir)[writerFile]; got != "0" {
		t.Errorf("the second daemon's file holds %s", got)
	}
}

func TestTrackFilesTurnOnAFullDisk(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	f := newTracks(t, dir)
	write(t, f, publishtest.View(now), now)
	// no new file can be written beside the old one
	if err := os.MkdirAll(filepath.Join(dir, "."+writerFile+".new", "x"), 0o755); err != nil {
		t.Fatal(err)
	}
	v := publishtest.View(now)
	v.Pools[0].Nodes[0].Evaluation = mpp.Down
	write(t, f, v, now)
	if got := tracks(t, filepath.Join(dir))[writerFile]; got != "1" {
		t.Errorf("the dead writer's file holds %s", got)
	}
	write(t, f, publishtest.View(now), now)
	if text, err := os.ReadFile(filepath.Join(dir, writerFile)); err != nil || string(text) != "0\n" {
		t.Errorf("and back: %q %v", text, err)
	}
	if err := f.Stop(); err != nil {
		t.Fatal(err)
	}
	if got := tracks(t, dir)[writerFile]; got != "1" {
		t.Errorf("after the stop it holds %s", got)
	}
}

func TestTrackFilesThatSomebodyRemovedAreWrittenAgainWithinASecond(t *testing.T) {
	for name, remove := range map[string]string{
		"a file": writerFile, "the list": balancer.OnStop, "all": "*", "the folder": "", "the folder above": "..", "the lock": folder.LockName,
	} {
		t.Run(name, func(t *testing.T) {
			dir, now := filepath.Join(t.TempDir(), "a", "track"), time.Now()
			f := newTracks(t, dir)
			write(t, f, publishtest.View(now), now)
			before, list := tracks(t, dir), onStop(t, dir)
			found, err := filepath.Glob(filepath.Join(dir, remove))
			if err != nil || len(found) == 0 {
				t.Fatal(found, err)
			}
			for _, path := range found {
				if err := os.RemoveAll(path); err != nil {
					t.Fatal(err)
				}
			}
			write(t, f, publishtest.View(now), now.Add(time.Second))
			after := tracks(t, dir)
			for file, value := range before {
				if after[file] != value {
					t.Errorf("%s holds %q, want %q", file, after[file], value)
				}
			}
			if got := onStop(t, dir); got != list {
				t.Errorf("the list is %q, want %q", got, list)
			}
			if _, err := balancer.NewTrackFiles(dir); err == nil {
				t.Error("the folder is not held any more")
			}
		})
	}
}

func onStop(t *testing.T, dir string) string {
	t.Helper()
	text, err := os.ReadFile(filepath.Join(dir, balancer.OnStop))
	if err != nil {
		t.Fatal(err)
	}
	return string(text)
}

func TestTwoNodesThatWouldShareATrackFileAreFaults(t *testing.T) {
	dir, now := t.TempDir(), time.Now()
	f := newTracks(t, dir)
	v := publishtest.View(now)
	v.Pools[0].Name, v.Pools[0].Nodes[0].Address = "a", "b.c:3306"
	v.Pools[1].Name, v.Pools[1].Nodes[0].Address = "a.b", "c:3306"
	err := f.Write(v, now)
	for _, says := range []string{"node b.c:3306 of pool a ", "node c:3306 of pool a.b ", "a.b.c_3306.writer"} {
		if err == nil || !strings.Contains(err.Error(), says) {
			t.Errorf("error %v lacks %q", err, says)
		}
	}
	if err != nil && strings.Contains(err.Error(), "\n") {
		t.Errorf("the pair is told more than once: %v", err)
	}
	got := tracks(t, dir)
	if got["a.b.c_3306.writer"] != "1" || got["a.b.c_3306.ok"] != "1" || got["a.10.0.0.2_3306.reader"] != "0" {
		t.Errorf("%v", got)
	}
}

func BenchmarkTrackFilesUnchanged(b *testing.B) {
	now := time.Now()
	v := publishtest.View(now)
	node := v.Pools[0].Nodes[0]
	for i := range 2000 {
		node.Address = fmt.Sprintf("10.1.%d.%d:3306", i/256, i%256)
		v.Pools[0].Nodes = append(v.Pools[0].Nodes, node)
	}
	f, err := balancer.NewTrackFiles(b.TempDir())
	if err != nil {
		b.Fatal(err)
	}
	write := func() {
		if err := f.Write(v, now); err != nil {
			b.Fatal(err)
		}
	}
	write()
	for b.Loop() {
		write()
	}
}
