package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"strings"
	"sync"
	"time"

	"mpp"
	"mpp/sandbox"
	"mpp/sandbox/lab"
)

// takeOverLimit bounds the wait for a new writer, far beyond what is expected.
const takeOverLimit = 30 * time.Second

// asA1 are the limits of a server whose port is refused; silent those of one that says nothing.
func asA1() limits   { return limits{500 * time.Millisecond, time.Second} }
func silent() limits { return limits{3 * time.Second, 4 * time.Second} }

// failoverTable is part A: it must fail over by itself.
func failoverTable() []scenario {
	writeCheck := setup{pool: "checks.write.enabled = true"}
	return []scenario{
		{
			id: "A1", what: "`kill -9` of the server, port refused", expected: "0.5 s, worst 1 s", limits: asA1(),
			flavours: everyFlavour(), runs: 10, again: 10, fast: true,
			act: loses(func(_ context.Context, r *run) error { return r.old.Kill() }),
		},
		{
			id: "A2", what: "clean shutdown that nobody announced", expected: "0.5 s, worst 1 s", limits: asA1(), runs: 10,
			act: loses(func(ctx context.Context, r *run) error { return r.old.Stop(ctx) }),
		},
		{
			id: "A3", what: "host gone without a word: link cut, no reset", expected: "3 s, worst 4 s", limits: silent(),
			flavours: everyFlavour(), runs: 10, again: 10,
			act: losesAlive(func(_ context.Context, r *run) error { return r.old.Cut() }),
		},
		{
			id: "A3s", what: "the same with semi-sync: writes go on when a replica has let go of the dead host and acknowledges", expected: "4 s, worst 5 s; 0 acknowledged writes lost",
			limits: limits{4 * time.Second, 5 * time.Second},
			setup:  setup{semiSync: time.Hour, failover: "semi_sync = \"manage\""}, flavours: everyFlavour(), runs: 10, again: 5,
			act: losesAlive(func(_ context.Context, r *run) error { return r.old.Cut() }),
		},
		{
			id: "A4", what: "server frozen (`kill -STOP`): connects, never answers", expected: "3 s, worst 4 s", limits: silent(), runs: 10, fast: true,
			act: losesAlive(func(_ context.Context, r *run) error { return r.old.Freeze() }),
		},
		{
			id: "A5", what: "disk full: reads work, commits hang (write check on)", expected: "5 s", limits: limits{5 * time.Second, 5 * time.Second},
			runs: 10, setup: writeCheck,
			act: losesAlive(func(_ context.Context, r *run) error { r.unlogged = true; return r.old.Fill() }),
		},
		{
			id: "A6", what: "commits blocked for ever because no semi-sync replica is left to acknowledge, another is healthy",
			expected: "5 s after the limit (`stuck_after`, 5 s)", limits: limits{10 * time.Second, 10 * time.Second}, runs: 10, fresh: true,
			setup: setup{semiSync: time.Hour, failover: "semi_sync = \"manage\""}, act: blockedCommits,
		},
		{
			id: "A7", what: "the freshly promoted node dies too, one second later", expected: "as A1, from the second death", limits: asA1(), runs: 10,
			measures: "outage of writes from the second death", act: diesAgain,
		},
		{
			id: "A8", what: "the chosen candidate dies in the middle of its promotion", expected: "the next one takes over, 3 s",
			limits: limits{3 * time.Second, 3 * time.Second}, runs: 10, setup: setup{gates: "before-promote"}, act: candidateDies,
		},
		{
			id: "A9", what: "A1 while a second replica is down too", expected: "as A1", limits: asA1(), runs: 10, act: secondDown,
		},
		{
			id: "A10", what: "A1 with 20 pools dying at once", expected: "worst 2 s", limits: limits{worst: 2 * time.Second}, runs: 10,
			measures: "the longest outage among the pools", setup: setup{pools: 20}, act: manyPools,
		},
	}
}

// loses breaks the ACTIVE node and judges the failover.
func loses(fault func(ctx context.Context, r *run) error) func(ctx context.Context, r *run) error {
	return func(ctx context.Context, r *run) error {
		if err := r.lose(ctx, fault); err != nil {
			return err
		}
		return r.finish(ctx, r.setup.semiSync == 0)
	}
}

// lose breaks the ACTIVE node and judges what becomes of the role.
func (r *run) lose(ctx context.Context, fault func(ctx context.Context, r *run) error) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	r.fault = time.Now()
	if err := fault(ctx, r); err != nil {
		return err
	}
	if err := r.takenOver(ctx, r.old, takeOverLimit); err != nil {
		return err
	}
	return r.failedOver(ctx, r.old)
}

// losesAlive is loses with a server that lives on: when it can be reached again it may hold what
// nobody else has, and is then kept out, with the truth about it; else it must be taken back.
func losesAlive(fault func(ctx context.Context, r *run) error) func(ctx context.Context, r *run) error {
	return func(ctx context.Context, r *run) error {
		if err := r.lose(ctx, fault); err != nil {
			return err
		}
		old := r.old
		if err := r.restore(ctx); err != nil {
			return err
		}
		kept, err := r.backOrKept(ctx, old)
		if err != nil {
			return err
		}
		if kept {
			r.say("the old node came back with transactions of its own, which were listed and saved")
			if err := r.rebuild(ctx, old); err != nil {
				return err
			}
		}
		if err := r.well(ctx, readyLimit); err != nil {
			return err
		}
		return r.account(ctx, r.setup.semiSync == 0)
	}
}

// backOrKept waits until MPP has dealt with a node that came back: it is a replica again, or it is
// kept out because of what it holds, which is then held against the server's own word.
func (r *run) backOrKept(ctx context.Context, h *lab.Host) (kept bool, err error) {
	var op *mpp.Operation
	err = await(ctx, readyLimit, h.Name+" is taken back or kept out", func(ctx context.Context) error {
		ops, err := r.operations(ctx)
		if err != nil {
			return err
		}
		for i := range ops {
			if ops[i].Kind == mpp.OpRejoin && ops[i].Old == h.Server().Address() && ops[i].Outcome != "" && (ops[i].Outcome == mpp.Completed || ops[i].Lost != "") {
				op = &ops[i]
				return nil
			}
		}
		return fmt.Errorf("no rejoin of it among %d operations", len(ops))
	})
	if err != nil || op.Outcome == mpp.Completed {
		return false, err
	}
	if readOnly, err := ask[bool](ctx, h, "SELECT @@global.read_only"); err != nil || !readOnly {
		return true, errors.Join(err, fmt.Errorf("%s is kept out and takes writes", h.Name))
	}
	if err := r.addressAt(r.host(op.New)); err != nil {
		return true, err
	}
	return true, r.savedExtra(op)
}

// savedExtra looks for the file that the report names.
func (r *run) savedExtra(op *mpp.Operation) error {
	report, err := r.report(context.Background(), op.ID)
	if err != nil {
		return err
	}
	for _, note := range report.Notes {
		if r.unlogged && strings.Contains(note, "its binary logs do not have") {
			return nil
		}
		for word := range strings.FieldsSeq(note) {
			path := strings.Trim(word, `"',:;()`)
			if !strings.HasPrefix(path, "/") {
				continue
			}
			text, err := os.ReadFile(path)
			if err == nil && len(text) > 0 {
				return nil
			}
		}
	}
	return fmt.Errorf("the report names no file with the transactions %s: %q", report.Lost, report.Notes)
}

// rebuild does what a DBA does who gives up what a node that was kept out holds: mpp rejoin
// --clone.
func (r *run) rebuild(ctx context.Context, h *lab.Host) error {
	ctx, cancel := context.WithTimeout(ctx, 2*time.Minute)
	defer cancel()
	if _, err := r.cli(ctx, "rejoin", h.Server().Address(), "--clone"); err != nil {
		return err
	}
	return nil
}

// blockedCommits: the only replica that acknowledges is gone, and another is healthy.
func blockedCommits(ctx context.Context, r *run) error {
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	acks, healthy := r.others(r.old)[0], r.others(r.old)[1]
	for _, text := range []string{"STOP SLAVE IO_THREAD", "SET GLOBAL rpl_semi_sync_slave_enabled = 0", "START SLAVE IO_THREAD"} {
		if err := runSQL(ctx, healthy, text); err != nil {
			return err
		}
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	r.fault = time.Now()
	if err := acks.Kill(); err != nil {
		return err
	}
	if err := r.takenOver(ctx, r.old, time.Minute); err != nil {
		return err
	}
	if err := r.failedOver(ctx, r.old); err != nil {
		return err
	}
	if r.op.New != healthy.Server().Address() {
		return fmt.Errorf("%s was promoted, and %s is healthy", r.op.New, healthy.Name)
	}
	if kept, err := r.backOrKept(ctx, r.old); err != nil || kept {
		return errors.Join(err, fmt.Errorf("what %s had was to be taken from it before the promotion", r.old.Name))
	}
	return r.finish(ctx, false)
}

// diesAgain: a second after the first failover the new node dies, too.
func diesAgain(ctx context.Context, r *run) error {
	kill := func(_ context.Context, r *run) error { return r.old.Kill() }
	if err := r.lose(ctx, kill); err != nil {
		return err
	}
	first := r.op
	if err := sandbox.Eventually(ctx, lookEvery, func(context.Context) error {
		if time.Since(first.Opened) < time.Second {
			return errors.New("not yet")
		}
		return nil
	}); err != nil {
		return err
	}
	second := r.host(first.New)
	r.fault, r.before = time.Now(), first.ID
	if err := second.Kill(); err != nil {
		return err
	}
	if err := r.takenOver(ctx, second, takeOverLimit); err != nil {
		return err
	}
	if err := r.failedOver(ctx, second); err != nil {
		return err
	}
	return r.finish(ctx, true)
}

// candidateDies: the candidate is killed when its promotion is about to begin, or has just begun.
func candidateDies(ctx context.Context, r *run) error {
	g := r.gate("before-promote")
	if err := g.close(); err != nil {
		return err
	}
	defer g.open()
	var first *lab.Host
	err := r.lose(ctx, func(ctx context.Context, r *run) error {
		if err := r.old.Kill(); err != nil {
			return err
		}
		limited, cancel := context.WithTimeout(ctx, takeOverLimit)
		defer cancel()
		if err := g.reached(limited); err != nil {
			return err
		}
		said, err := os.ReadFile(g.path + ".reached")
		if err != nil {
			return err
		}
		words := strings.Fields(string(said)) // phase, old, new
		if first = r.host(words[len(words)-1]); first == nil {
			return fmt.Errorf("the hook was told %q", said)
		}
		if r.number%2 == 0 { // the hook looks every 5 ms whether it may go on
			g.open()
		}
		defer g.open()
		return first.Kill()
	})
	if err != nil {
		return err
	}
	if r.op == nil || r.op.New == first.Server().Address() {
		return fmt.Errorf("the dead candidate %s was promoted", first.Name)
	}
	return r.finish(ctx, true)
}

// secondDown: one replica is down already, and MPP knows.
func secondDown(ctx context.Context, r *run) error {
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	down := r.others(r.old)[r.number%2]
	if err := down.Kill(); err != nil {
		return err
	}
	err := await(ctx, readyLimit, "mpp knows that a replica is down", func(ctx context.Context) error {
		v, err := r.api.Pool(ctx, r.pool.Name)
		if err != nil {
			return err
		}
		for i := range v.Nodes {
			if n := &v.Nodes[i]; n.Address == down.Server().Address() && n.State != mpp.Failed {
				return fmt.Errorf("%s is %s", n.Name, n.State)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	if err := r.write(ctx, lab.WriteOptions{}); err != nil {
		return err
	}
	r.fault = time.Now()
	if err := r.old.Kill(); err != nil {
		return err
	}
	if err := r.takenOver(ctx, r.old, takeOverLimit); err != nil {
		return err
	}
	if err := r.failedOver(ctx, r.old); err != nil {
		return err
	}
	return r.finish(ctx, true)
}

// manyPools: the ACTIVE nodes of all pools die at the same moment.
func manyPools(ctx context.Context, r *run) error {
	var runs []*run
	for _, p := range r.lab.Pools {
		runs = append(runs, &run{world: r.world, t: r.t, number: r.number, pool: p})
	}
	defer func() {
		for _, one := range runs {
			if one.writer != nil {
				one.writer.Stop()
			}
		}
	}()
	if err := each(runs, func(one *run) error { return one.well(ctx, 2*readyLimit) }); err != nil {
		return err
	}
	// The clients of 20 pools share two cores with 60 servers.
	slow := lab.WriteOptions{Interval: 50 * time.Millisecond}
	if err := each(runs, func(one *run) error { return one.write(ctx, slow) }); err != nil {
		return err
	}
	fault := time.Now()
	if err := each(runs, func(one *run) error { one.fault = fault; return one.old.Kill() }); err != nil {
		return err
	}
	if err := each(runs, func(one *run) error { return one.takenOver(ctx, one.old, takeOverLimit) }); err != nil {
		return err
	}
	for _, one := range runs {
		r.took, r.measured = max(r.took, one.took), true
	}
	if err := each(runs, func(one *run) error { return one.failedOver(ctx, one.old) }); err != nil {
		return err
	}
	return each(runs, func(one *run) error { return one.finish(ctx, true) })
}

// each does something for all runs at the same time.
func each(runs []*run, f func(*run) error) error {
	errs := make([]error, len(runs))
	var all sync.WaitGroup
	for i, one := range runs {
		all.Go(func() {
			if err := f(one); err != nil {
				errs[i] = fmt.Errorf("%s: %w", one.pool.Name, err)
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}
