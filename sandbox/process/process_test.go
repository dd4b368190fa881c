package process

import (
	"errors"
	"os"
	"syscall"
	"testing"
)

func TestRecycledPidIsNeverSignalled(t *testing.T) {
	me, err := Identify(os.Getpid())
	if err != nil {
		t.Fatal(err)
	}
	if !me.Alive() {
		t.Error("this process is not alive")
	}
	another, otherBoot := me, me
	another.Start--
	otherBoot.Boot = "another"
	for name, id := range map[string]ID{"start time": another, "boot": otherBoot, "nobody": {}} {
		if id.Alive() {
			t.Errorf("%s: alive", name)
		}
		// SIGKILL would end this very test.
		if err := id.Signal(syscall.SIGKILL); !errors.Is(err, os.ErrProcessDone) {
			t.Errorf("%s: signal: %v", name, err)
		}
	}
}
