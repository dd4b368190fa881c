package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"syscall"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/lab"
)

// addressTable is part E.
func addressTable() []scenario {
	dual := setup{ipv6: true, writable: true}
	return []scenario{
		{
			id: "E1", what: "addresses of both families after each of A1, A3, C1, D6 (and after every run of every other line: IPv4)",
			expected: "exactly one holder; neighbours' caches follow at once (gratuitous ARP, unsolicited NA)", setup: dual, runs: 4, act: bothFamilies,
		},
		{
			id: "E2", what: "at a failover the address is on the candidate already, is gone from the old host already, is on the candidate with another prefix; the old host's ssh hangs; at a switchover the target's interface is missing",
			expected: "idempotent, or a clear error with a time limit", limits: limits{worst: 2 * time.Second}, runs: 5, act: oddAddress,
		},
		{
			id: "E3", what: "someone removed the VIP by hand; someone added it elsewhere", expected: "put back; shown as a conflict, and removed",
			measures: "until all is right again (two looks, 2 s apart)", limits: limits{worst: 8 * time.Second}, runs: 2, fast: true, act: byHand,
		},
		{
			id: "E4", what: "the manager dies: what does a load balancer see?", expected: "fresh answers end after `stale_after` (5 s), the client goes on",
			measures: "from the manager's death to the first no", limits: limits{worst: 7 * time.Second}, act: managerDies,
		},
	}
}

// bothFamilies goes through what moves addresses, one a run.
func bothFamilies(ctx context.Context, r *run) error {
	switch (r.number - 1) % 4 {
	case 0:
		return loses(killed)(ctx, r)
	case 1:
		return switchover(ctx, r)
	case 2:
		return comesBack(ctx, r)
	default:
		return losesAlive(func(_ context.Context, r *run) error { return r.old.Cut() })(ctx, r)
	}
}

// oddAddress goes through what may be odd about the address.
func oddAddress(ctx context.Context, r *run) error {
	prepare := []func(ctx context.Context, r *run, candidates []*lab.Host) error{
		func(_ context.Context, r *run, candidates []*lab.Host) error {
			return onAll(candidates, func(h *lab.Host) error { return h.AddAddress(netip.PrefixFrom(r.pool.VIP, 32)) })
		},
		func(_ context.Context, r *run, _ []*lab.Host) error {
			return r.old.RemoveAddress(netip.PrefixFrom(r.pool.VIP, 32))
		},
		func(_ context.Context, r *run, candidates []*lab.Host) error {
			return onAll(candidates, func(h *lab.Host) error { return h.AddAddress(netip.PrefixFrom(r.pool.VIP, 16)) })
		},
		func(_ context.Context, r *run, _ []*lab.Host) error { return signalSshd(r.old, syscall.SIGSTOP) },
	}
	n := (r.number - 1) % (len(prepare) + 1)
	if n == len(prepare) {
		return interfaceMissing(ctx, r)
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	old := r.old
	defer func() { _ = signalSshd(old, syscall.SIGCONT) }()
	r.fault = time.Now()
	if err := errors.Join(prepare[n](ctx, r, r.others(old)), old.Kill()); err != nil {
		return err
	}
	if err := r.takenOver(ctx, old, takeOverLimit); err != nil {
		return err
	}
	if err := signalSshd(old, syscall.SIGCONT); err != nil {
		return err
	}
	// What somebody put on two hosts, or on one that cannot be asked, is put right by the watch.
	err := await(ctx, settleLimit, "one host has the address", func(ctx context.Context) error {
		v, err := r.api.Pool(ctx, r.pool.Name)
		if err != nil {
			return err
		}
		return r.addressAt(r.host(v.Active))
	})
	if err != nil {
		return err
	}
	if err := r.failedOver(ctx, old); err != nil {
		return err
	}
	return r.finish(ctx, true)
}

func onAll(hosts []*lab.Host, f func(*lab.Host) error) error {
	var failed []error
	for _, h := range hosts {
		failed = append(failed, f(h))
	}
	return errors.Join(failed...)
}

// signalSshd sends a signal to what sshd runs in a host.
func signalSshd(h *lab.Host, sig syscall.Signal) error {
	var own syscall.Stat_t
	if err := syscall.Stat("/run/netns/"+h.Namespace(), &own); err != nil {
		return err
	}
	entries, err := filepath.Glob("/proc/[0-9]*")
	if err != nil {
		return err
	}
	for _, dir := range entries {
		var in syscall.Stat_t
		name, err := os.ReadFile(filepath.Join(dir, "comm"))
		if err != nil || !strings.HasPrefix(string(name), "sshd") || syscall.Stat(filepath.Join(dir, "ns", "net"), &in) != nil || in.Ino != own.Ino {
			continue
		}
		pid, err := strconv.Atoi(filepath.Base(dir))
		if err != nil {
			return err
		}
		if err := syscall.Kill(pid, sig); err != nil && !errors.Is(err, syscall.ESRCH) {
			return fmt.Errorf("signal sshd of %s: %w", h.Name, err)
		}
	}
	return nil
}

// interfaceMissing: the target's interface is not there; that is found before anything is touched.
func interfaceMissing(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	target := r.others(r.old)[0]
	reload := func(node func(h *lab.Host) string) error {
		if err := r.lab.WriteConfig(lab.ConfigOptions{Node: node}); err != nil {
			return err
		}
		_, err := r.cli(ctx, "reload")
		return err
	}
	if err := reload(func(h *lab.Host) string {
		if h == target {
			return "interface = \"eth9\""
		}
		return ""
	}); err != nil {
		return err
	}
	if err := r.refused(ctx, target, "eth9"); err != nil {
		return fmt.Errorf("a target without the interface: %w", err)
	}
	if err := reload(nil); err != nil {
		return err
	}
	return r.finish(ctx, false)
}

// byHand: somebody took the address away, then put it on another host.
func byHand(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	writer, other := r.old, r.others(r.old)[0]
	address := netip.PrefixFrom(r.pool.VIP, 32)
	right := func() error {
		return await(ctx, takeOverLimit, "the address is where it belongs", func(context.Context) error { return r.addressAt(writer) })
	}
	removed := time.Now()
	if err := writer.RemoveAddress(address); err != nil {
		return err
	}
	if err := right(); err != nil {
		return fmt.Errorf("removed by hand: %w", err)
	}
	r.took, r.measured = time.Since(removed), true
	if err := r.acknowledges(ctx, 50); err != nil {
		return err
	}
	added := time.Now()
	if err := other.AddAddress(address); err != nil {
		return err
	}
	conflict := r.problem(ctx, "address-conflict")
	if err := errors.Join(conflict, right()); err != nil {
		return fmt.Errorf("added elsewhere: %w", err)
	}
	r.took = max(r.took, time.Since(added))
	r.fault = time.Now()
	if r.old = writer; r.moves(ctx) != nil {
		return r.moves(ctx)
	}
	return r.finish(ctx, false)
}

// managerDies: mppd is killed; the database goes on, and load balancers hear no old word as new.
func managerDies(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	writer := r.old.Server().Address()
	check := func() error {
		cmd := r.lab.Manager().Command(ctx, filepath.Join(filepath.Dir(r.mpp), "mpp-check"), "--run-dir", filepath.Dir(r.lab.Socket()), "writer", r.pool.Name, writer)
		return cmd.Run()
	}
	if err := check(); err != nil {
		return fmt.Errorf("mpp-check says no while all is well: %w", err)
	}
	died := time.Now()
	if err := r.lab.KillMppd(); err != nil {
		return err
	}
	r.api.Close()
	err := sandbox.Eventually(ctx, 20*time.Millisecond, func(context.Context) error {
		if check() == nil && time.Since(died) < takeOverLimit {
			return errors.New("it still says yes")
		}
		return nil
	})
	r.took, r.measured = time.Since(died), true
	if err != nil {
		return err
	}
	if r.took < time.Second {
		return fmt.Errorf("the answer turned to no after %s already, and data is fresh for 5 s", r.took)
	}
	if err := r.unnoticed(died); err != nil {
		return fmt.Errorf("the manager died: %w", err)
	}
	if err := r.lab.StartMppd(ctx, r.mppd); err != nil {
		return err
	}
	err = await(ctx, takeOverLimit, "mpp-check says yes again", func(context.Context) error { return check() })
	if err != nil {
		return err
	}
	return r.finish(ctx, false)
}
