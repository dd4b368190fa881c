package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"sync"
	"testing"
	"time"

	"mpp/publish/api/client"
	"mpp/sandbox"
	"mpp/sandbox/lab"
)

// The limits of waits. They are far beyond what anything should take on a busy machine.
const (
	closeLimit = time.Minute
	upLimit    = 3 * time.Minute
	readyLimit = 90 * time.Second
	runLimit   = 5 * time.Minute
)

// setup is what a lab is like. Runs of equal setups share a lab.
type setup struct {
	nodes, pools int
	semiSync     time.Duration
	writable     bool
	ipv6         bool
	args         string // of every server, by spaces
	// config is added to what the lab writes; all of it is text, so that setups can be compared.
	pool, failover, switchover, vip, ssh, end string
	// hooks of phases, which stop until the test lets them go on; see gate.
	gates string
	// node returns more lines for a node of a number, from 1; by name, to be comparable.
	prefer int
}

// world is a lab that is up, with mppd in it.
type world struct {
	flavour sandbox.Flavour
	setup   setup
	base    sandbox.Base
	lab     *lab.Lab
	api     *client.Client
	mpp     string
	mppd    string
	gateDir string
	// units are the requests to systemctl that are being done, until stopUnits.
	units     sync.WaitGroup
	stopUnits context.CancelFunc
}

// newWorld brings a lab up.
func newWorld(ctx context.Context, base sandbox.Base, s setup, log *strings.Builder) (*world, error) {
	p, err := built()
	builtDir = p.dir
	if err != nil {
		return nil, err
	}
	ctx, cancel := context.WithTimeout(ctx, upLimit)
	defer cancel()
	o := lab.Options{
		Base: base, Nodes: s.nodes, Pools: s.pools, Clients: 2, SemiSync: s.semiSync, Writable: s.writable, IPv6: s.ipv6,
		Args: strings.Fields(s.args),
	}
	l, err := lab.Up(ctx, o)
	if err != nil {
		return nil, err
	}
	w := &world{flavour: base.Flavour, base: base, setup: s, lab: l, mpp: p.mpp, mppd: p.mppd, gateDir: filepath.Join(l.Dir(), "gates")}
	if err := w.begin(ctx); err != nil {
		if log != nil {
			log.WriteString(l.MppdLog())
		}
		return nil, errors.Join(err, w.close())
	}
	return w, nil
}

// begin configures and starts mppd.
func (w *world) begin(ctx context.Context) error {
	if err := os.MkdirAll(w.gateDir, 0o700); err != nil {
		return err
	}
	var serving context.Context
	serving, w.stopUnits = context.WithCancel(context.WithoutCancel(ctx))
	if err := w.serveUnits(serving); err != nil {
		return err
	}
	if err := w.configure(w.setup); err != nil {
		return err
	}
	var err error
	if w.api, err = client.New(client.Options{Socket: w.lab.Socket()}); err != nil {
		return err
	}
	return w.lab.StartMppd(ctx, w.mppd)
}

// configure writes the configuration of a setup, which may differ from that of the lab.
func (w *world) configure(s setup) error {
	hooks, err := w.writeGates(s.gates)
	if err != nil {
		return err
	}
	o := lab.ConfigOptions{Pool: s.pool, Failover: s.failover, Switchover: s.switchover, VIP: s.vip, SSH: s.ssh + hooks, End: s.end}
	if s.prefer > 0 {
		o.Node = func(h *lab.Host) string {
			if h.Node == s.prefer {
				return "prefer = 10"
			}
			return ""
		}
	}
	return w.lab.WriteConfig(o)
}

// writeGates writes the programs of hooks: at each of the phases, by commas, a program notes
// that it was called in NAME.reached and waits for NAME.open.
func (w *world) writeGates(phases string) (string, error) {
	var b strings.Builder
	for name := range strings.SplitSeq(phases, ",") {
		if name == "" {
			continue
		}
		// "before-promote!" may stop the operation.
		name, abort := strings.CutSuffix(name, "!")
		path := filepath.Join(w.gateDir, name)
		script := fmt.Sprintf(`#!/bin/sh
echo "$MPP_PHASE $MPP_OLD $MPP_NEW" >> %[1]s.reached
while [ -e %[1]s.closed ]; do sleep 0.005; done
[ -e %[1]s.fail ] && { echo "told to fail"; exit 1; }
exit 0
`, path)
		if err := os.WriteFile(path, []byte(script), 0o700); err != nil {
			return "", err
		}
		onError := "continue"
		if abort {
			onError = "abort"
		}
		fmt.Fprintf(&b, "\n[[pool.hook]]\nname = %q\nprogram = %q\nphases = [%q]\ntimeout = \"20s\"\non_error = %q\n", name, path, name, onError)
	}
	return b.String(), nil
}

// gate is a hook that the test can hold.
type gate struct{ path string }

func (w *world) gate(phase string) gate { return gate{filepath.Join(w.gateDir, phase)} }

// close lets the next call of the hook wait until open, and forgets earlier calls.
func (g gate) close() error {
	_ = os.Remove(g.path + ".reached")
	return os.WriteFile(g.path+".closed", nil, 0o600)
}

// open lets it go on.
func (g gate) open() { _ = os.Remove(g.path + ".closed") }

// fail lets every call fail from now on, pass ends that.
func (g gate) fail() error { return os.WriteFile(g.path+".fail", nil, 0o600) }
func (g gate) pass()       { _ = os.Remove(g.path + ".fail") }

// reached waits until the hook was called.
func (g gate) reached(ctx context.Context) error {
	return sandbox.Eventually(ctx, time.Millisecond, func(context.Context) error {
		_, err := os.Stat(g.path + ".reached")
		return err
	})
}

// close takes the lab down, and returns what it left behind as an error.
func (w *world) close() error {
	if w.api != nil {
		w.api.Close()
	}
	if w.stopUnits != nil {
		w.stopUnits()
		w.units.Wait()
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	err := w.lab.Close(ctx)
	for _, left := range leftOf(w.lab.ID(), w.lab.Dir()) {
		err = errors.Join(err, errors.New("left behind: "+left))
	}
	return err
}

// keepLogs copies what explains a failed run to the folder of MPP_LAB_LOGS.
func (w *world) keepLogs(t *testing.T, name string) {
	root := os.Getenv("MPP_LAB_LOGS")
	if root == "" {
		return
	}
	dir := filepath.Join(root, name)
	_ = os.RemoveAll(dir) // of an earlier try
	if err := os.MkdirAll(dir, 0o755); err != nil {
		t.Log(err)
		return
	}
	copyTo := func(name, path string) {
		if text, err := os.ReadFile(path); err == nil {
			_ = os.WriteFile(filepath.Join(dir, name), text, 0o644)
		}
	}
	copyTo("mppd.log", w.lab.LogFile())
	copyTo("mpp.toml", w.lab.ConfigFile())
	for _, h := range w.lab.Hosts {
		if s := h.Server(); s != nil {
			copyTo(h.Name+".log", filepath.Join(s.Dir(), "error.log"))
		}
	}
	reports, _ := filepath.Glob(filepath.Join(w.lab.StateDir(), "operations", "*", "*"))
	for _, path := range reports {
		copyTo("operation-"+filepath.Base(filepath.Dir(path))+"-"+filepath.Base(path), path)
	}
	for _, args := range [][]string{{"events", "-n", "200", "--wide"}, {"failovers", "-n", "0", "--json"}, {"status", "--wide"}, {"explain", "lab1"}} {
		out, err := w.cli(t.Context(), args...)
		_ = os.WriteFile(filepath.Join(dir, args[0]+".txt"), fmt.Appendf(nil, "%s\n%v\n", out, err), 0o644)
	}
}
