package lab

import (
	"bytes"
	"context"
	"errors"
	"fmt"
	"os/exec"
	"slices"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/process"
)

// startLimit bounds the wait for a relay in another program.
const startLimit = 10 * time.Second

// SlowDownBy is SlowDown by another program, for one that ends: argv is a command that
// calls Relay for this host. It outlives this program, and Heal or the lab's end ends it.
func (h *Host) SlowDownBy(ctx context.Context, argv ...string) error {
	if err := h.endRelay(); err != nil {
		return fmt.Errorf("slow down %s: %w", h.Name, err)
	}
	// In the switch's namespace, so that it is known to belong to the lab.
	argv = append([]string{"nsenter", "--net=" + h.lab.sw.path()}, argv...)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...)
	var said bytes.Buffer
	cmd.Stderr, cmd.Dir = &said, "/"
	p, err := process.Start(cmd, true)
	if err != nil {
		return fmt.Errorf("slow down %s: %w", h.Name, err)
	}
	ctx, cancel := context.WithTimeout(ctx, startLimit)
	defer cancel()
	err = sandbox.Eventually(ctx, 5*time.Millisecond, func(context.Context) error {
		if !p.Running() {
			return nil
		}
		state, _, err := h.Link()
		if err == nil && state != LinkSlow {
			err = errors.New("the link is not slow yet")
		}
		return err
	})
	if err == nil && !p.Running() {
		err = fmt.Errorf("the relay ended: %s", lastLine(said.String()))
	}
	if err != nil {
		return errors.Join(fmt.Errorf("slow down %s: %w", h.Name, err), p.Kill())
	}
	return nil
}

// HostNames lists the hosts of the lab in a folder, those of some kinds or of all.
func HostNames(dir string, kinds ...Kind) ([]string, error) {
	rec, err := loadRecord(dir)
	if err != nil {
		return nil, err
	}
	var names []string
	for _, h := range rec.Hosts {
		if len(kinds) == 0 || slices.Contains(kinds, h.Kind) {
			names = append(names, h.Name)
		}
	}
	return names, nil
}
