package scenario_test

import (
	"context"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mpp/sandbox/lab"
)

// systemctl stands for systemd on the hosts of the lab, which have none: what it is asked is done
// by the test, that started the servers. It knows one unit, as the server's package names it.
const systemctl = `#!/bin/sh
# systemctl VERB [--quiet] UNIT
verb=$1; shift; [ "$1" = --quiet ] && shift
[ "$1" = %[2]s ] || exit 4
[ "$verb" = cat ] && exit 0
r=%[1]s/$(ip -o -4 addr show dev eth0 | sed -n '1s/.*inet \([0-9.]*\).*/\1/p').$verb.$$
: > "$r.ask" || exit
while [ ! -e "$r.done" ]; do sleep 0.02; done
exit "$(cat "$r.done")"
`

// serveUnits puts systemctl on the hosts and does what it is asked until ctx ends.
func (w *world) serveUnits(ctx context.Context) error {
	dir := filepath.Join(w.lab.Dir(), "units")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return err
	}
	unit := "mariadb"
	if !w.base.MariaDB {
		unit = "mysql"
	}
	script := fmt.Sprintf(systemctl, dir, unit)
	if err := os.WriteFile(filepath.Join(w.lab.Dir(), "bin", "systemctl"), []byte(script), 0o755); err != nil {
		return err
	}
	w.units.Go(func() {
		tick := time.NewTicker(20 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-ctx.Done():
				return
			case <-tick.C:
			}
			asked, _ := filepath.Glob(filepath.Join(dir, "*.ask"))
			for _, path := range asked {
				_ = os.Remove(path)
				request := strings.TrimSuffix(path, ".ask")
				w.units.Go(func() { w.doUnit(ctx, request) })
			}
		}
	})
	return nil
}

// doUnit does one request, whose file is called ADDRESS.VERB.PID.
func (w *world) doUnit(ctx context.Context, request string) {
	words := strings.Split(filepath.Base(request), ".")
	exit := "1"
	for _, h := range w.lab.Hosts {
		if len(words) < 3 || h.Server() == nil || !strings.HasPrefix(filepath.Base(request), h.Address.String()+".") {
			continue
		}
		if err := doVerb(ctx, h, words[len(words)-2]); err == nil {
			exit = "0"
		}
	}
	part := request + ".part"
	if os.WriteFile(part, []byte(exit), 0o600) == nil {
		_ = os.Rename(part, request+".done")
	}
}

func doVerb(ctx context.Context, h *lab.Host, verb string) error {
	switch verb {
	case "is-active":
		if !h.Server().Running() {
			return fmt.Errorf("%s does not run", h.Name)
		}
		return nil
	case "stop":
		return h.Stop(ctx)
	case "start":
		if h.Server().Running() {
			return nil
		}
		return h.Start(ctx)
	default:
		return fmt.Errorf("there is no %q", verb)
	}
}
