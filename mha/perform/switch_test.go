package perform

import (
	"bytes"
	"errors"
	"os"
	"path/filepath"
	"testing"
	"time"

	"mpp/mha/hook"
)

func TestMHAsExitCodeIsHandedOnAndALimitEndsIt(t *testing.T) {
	dir := t.TempDir()
	script := "#!/bin/sh\necho \"$@\"\ncase $* in *hang*) sleep 60;; esac\nexit 10\n"
	if err := os.WriteFile(filepath.Join(dir, hook.SwitchProgram), []byte(script), 0o700); err != nil {
		t.Fatal(err)
	}
	t.Setenv("PATH", dir+":"+os.Getenv("PATH"))
	var out bytes.Buffer
	code, err := Switch(t.Context(), &out, &out, &hook.Switch{Conf: "a.cnf", Dead: "db1"}, time.Minute)
	if want := "--conf=a.cnf --interactive=0 --master_state=dead --ignore_last_failover --dead_master_host=db1\n"; code != 10 || err != nil || out.String() != want {
		t.Errorf("exit code %d, %v, called with %q", code, err, out.String())
	}
	code, err = Switch(t.Context(), &out, &out, &hook.Switch{Conf: "hang.cnf"}, 50*time.Millisecond)
	if code != hook.ExitFailed || !errors.Is(err, ErrTooLong) {
		t.Errorf("exit code %d, %v", code, err)
	}
	t.Setenv("PATH", t.TempDir())
	if code, err = Switch(t.Context(), &out, &out, &hook.Switch{Conf: "a.cnf"}, time.Minute); code != hook.ExitFailed || err == nil {
		t.Errorf("without MHA: exit code %d, %v", code, err)
	}
}
