package perform

import (
	"bufio"
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"time"

	"golang.org/x/sys/unix"

	"mpp"
	"mpp/mha/hook"
)

// callsFile keeps what the hooks did in the last failover from a host, for its report.
func callsFile(o *hook.Options, orig string) string {
	return filepath.Join(stateDir(o), plain(orig)+".calls")
}

// keep notes a call. Fencing begins a failover, so that older ones are forgotten then.
func keep(r *hook.Request, d hook.Done) error {
	file := callsFile(&r.Options, r.Orig.Name())
	if err := ownFolder(filepath.Dir(file)); err != nil {
		return fmt.Errorf("note what was done: %w", err)
	}
	text, err := json.Marshal(d)
	if err != nil {
		return fmt.Errorf("encode what was done: %w", err)
	}
	how := os.O_APPEND
	if r.Program == hook.Failover && (r.Phase == hook.Stop || r.Phase == hook.StopSSH) {
		how = os.O_TRUNC
	}
	f, err := os.OpenFile(file, os.O_CREATE|os.O_WRONLY|unix.O_NOFOLLOW|how, 0o600)
	if err != nil {
		return fmt.Errorf("note what was done: %w", err)
	}
	_, err = f.Write(append(text, '\n'))
	if err = errors.Join(err, f.Close()); err != nil {
		return fmt.Errorf("note what was done: %w", err)
	}
	return nil
}

// The bounds of what a report tells: calls of the same failover are not a day old.
const (
	callsAge = 24 * time.Hour
	maxCalls = 50
)

// calls reads what was noted of a failover from a host.
func calls(o *hook.Options, orig string) ([]hook.Done, error) {
	text, err := os.ReadFile(callsFile(o, orig))
	if errors.Is(err, fs.ErrNotExist) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read what was done: %w", err)
	}
	var all []hook.Done
	for scanner := bufio.NewScanner(bytes.NewReader(text)); scanner.Scan() && len(all) < maxCalls; {
		var d hook.Done
		if json.Unmarshal(scanner.Bytes(), &d) == nil && time.Since(d.At) < callsAge {
			all = append(all, d)
		}
	}
	return all, nil
}

// goneAge is how long what the stop has seen is taken to be so.
const goneAge = 10 * time.Minute

// gone reports whether the stop of this failover has seen that the old master's host does not have the
// address any more, or is off.
func gone(r *hook.Request) bool {
	done, err := calls(&r.Options, r.Orig.Name())
	if err != nil {
		return false
	}
	for _, c := range done {
		for _, s := range c.Steps {
			fences := s.What == hook.What(mpp.StepRemoveAddress, r.Orig.Address()) || s.What == hook.What(mpp.StepShutdown, r.Orig.Address())
			if fences && s.Done && time.Since(c.At) < goneAge {
				return true
			}
		}
	}
	return false
}
