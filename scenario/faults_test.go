package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"strings"
	"time"

	"mpp"
	"mpp/sandbox"
	"mpp/sandbox/lab"
)

// writerlessLimit is the longest time without a writer in a switchover that fails: two steps at
// their limit (5 s), and what a failover out of silence takes where the writer dies in it.
const writerlessLimit = 10*time.Second + 4*time.Second

// faultTable is C4: the switchover fails at each place and in each way.
func faultTable() []scenario {
	var all []scenario
	gates := "before-switchover!,before-promote!,after-promote,after-switchover"
	for _, place := range places() {
		for _, f := range breakages() {
			if !f.fits(place) {
				continue
			}
			all = append(all, scenario{
				id:       "C4",
				what:     "the switchover fails at each step, in each way: a hook that fails, target or old node frozen or killed or cut off, mppd killed and started again, a target that does not catch up",
				expected: "rolled back or finished; never without a writer for longer than the step's limit",
				limits:   limits{worst: writerlessLimit}, setup: setup{gates: gates, semiSync: time.Hour, failover: "semi_sync = \"manage\"\napply_timeout = \"10s\""},
				act: func(ctx context.Context, r *run) error {
					if err := failsAt(ctx, r, place, f); err != nil {
						return fmt.Errorf("%s, %s: %w", place, f.name, err)
					}
					return nil
				},
			})
		}
	}
	return []scenario{together(all)}
}

// together makes one scenario of several: each is one of its runs.
func together(all []scenario) scenario {
	one := all[0]
	one.runs = len(all)
	one.act = func(ctx context.Context, r *run) error { return all[(r.number-1)%len(all)].act(ctx, r) }
	return one
}

// place is where in the plan the fault comes: at a hook, or while open transactions are waited
// for, which is right before the cut.
type place string

const atAwait place = "await"

func places() []place {
	return []place{"before-switchover", atAwait, "before-promote", "after-promote", "after-switchover"}
}

// breakage is a kind of fault.
type breakage struct {
	name string
	fits func(place) bool
	// do breaks it. It is told who is to lose the role and who is to get it.
	do func(ctx context.Context, r *run, p place, old, target *lab.Host) error
	// finished says that the role must be at the target in the end, whatever happened; back that
	// it must be at the old node. With neither, the rules decide.
	outcome func(place) mpp.Outcome
}

func always(place) bool { return true }

// nearTheCut are the places where a host that is gone differs most from one that is frozen.
func nearTheCut(p place) bool { return p == atAwait || p == "before-promote" || p == "after-promote" }

func breakages() []breakage {
	isHook := func(p place) bool { return strings.HasPrefix(string(p), "before-") }
	rolledBack := func(place) mpp.Outcome { return mpp.RolledBack }
	any := func(place) mpp.Outcome { return "" }
	return []breakage{
		{"the hook fails", isHook, func(_ context.Context, r *run, p place, _, _ *lab.Host) error {
			return r.gate(string(p)).fail()
		}, rolledBack},
		{"target frozen", always, func(_ context.Context, _ *run, _ place, _, target *lab.Host) error { return target.Freeze() }, any},
		{"target killed", always, func(_ context.Context, _ *run, _ place, _, target *lab.Host) error { return target.Kill() }, any},
		{"target cut off", nearTheCut, func(_ context.Context, _ *run, _ place, _, target *lab.Host) error { return target.Cut() }, any},
		{"old node frozen", always, func(_ context.Context, _ *run, _ place, old, _ *lab.Host) error { return old.Freeze() }, any},
		{"old node killed", always, func(_ context.Context, _ *run, _ place, old, _ *lab.Host) error { return old.Kill() }, any},
		{"old node cut off", nearTheCut, func(_ context.Context, _ *run, _ place, old, _ *lab.Host) error { return old.Cut() }, any},
		{"mppd killed", always, func(ctx context.Context, r *run, _ place, _, _ *lab.Host) error {
			if err := r.lab.KillMppd(); err != nil {
				return err
			}
			r.api.Close()
			return r.lab.StartMppd(ctx, r.mppd)
		}, func(p place) mpp.Outcome {
			if p == "after-promote" || p == "after-switchover" {
				return mpp.Completed
			}
			return mpp.RolledBack
		}},
		{"target does not catch up", func(p place) bool { return p == atAwait }, func(ctx context.Context, _ *run, _ place, _, target *lab.Host) error {
			return target.Server().StopSQLThread(ctx)
		}, rolledBack},
	}
}

// failsAt lets a switchover run into a fault.
func failsAt(ctx context.Context, r *run, p place, f breakage) error {
	for _, g := range []string{"before-switchover", "before-promote", "after-promote", "after-switchover"} {
		r.gate(g).open()
		r.gate(g).pass()
	}
	if err := r.begin(ctx); err != nil {
		return err
	}
	old, target := r.old, r.others(r.old)[0]
	r.fault = time.Now()
	stop, err := r.stopAt(ctx, p, old, func() error {
		_, err := r.cli(ctx, "switchover", r.pool.Name, "--to", target.Server().Address(), "--kill-after", "1500ms", "--no-wait")
		return err
	})
	if err != nil {
		return err
	}
	err = f.do(ctx, r, p, old, target)
	stop()
	if err != nil {
		return err
	}
	return r.afterFault(ctx, p, f)
}

// stopAt starts a switchover and returns when it is at a place, and what lets it go on.
func (r *run) stopAt(ctx context.Context, p place, old *lab.Host, start func() error) (func(), error) {
	limited, cancel := context.WithTimeout(ctx, takeOverLimit)
	defer cancel()
	if p == atAwait {
		_, forget, err := r.hold(ctx, old)
		if err != nil {
			return nil, err
		}
		if err := start(); err != nil {
			forget()
			return nil, err
		}
		return forgetLater(ctx, forget), sandbox.Eventually(limited, time.Millisecond, func(ctx context.Context) error {
			v, err := r.api.Pool(ctx, r.pool.Name)
			if err == nil && (v.Operation == nil || v.Operation.Phase != string(atAwait)) {
				err = errors.New("the switchover is not there yet")
			}
			return err
		})
	}
	g := r.gate(string(p))
	if err := g.close(); err != nil {
		return nil, err
	}
	if err := start(); err != nil {
		g.open()
		return nil, err
	}
	return g.open, g.reached(limited)
}

// forgetLater gives the connection of the open transaction up when the run ends: the server may
// be frozen now.
func forgetLater(ctx context.Context, forget func()) func() {
	return func() { go func() { <-ctx.Done(); forget() }() }
}

// afterFault judges what became of a switchover that ran into a fault.
func (r *run) afterFault(ctx context.Context, p place, f breakage) error {
	op, err := r.operation(ctx, mpp.OpSwitchover, time.Minute)
	if err != nil {
		return err
	}
	r.op = op
	want := f.outcome(p)
	if want != "" && op.Outcome != want {
		return fmt.Errorf("it is %s, and should be %s: %s", op.Outcome, want, op.Why)
	}
	if p == "after-promote" && (f.name == "target frozen" || f.name == "target cut off") {
		if err := r.byOperator(ctx); err != nil {
			return err
		}
	}
	if err := r.acknowledges(ctx, 50); err != nil {
		return fmt.Errorf("after the switchover, which is %s (%s): %w", op.Outcome, op.Why, err)
	}
	r.took, r.measured = r.outage(r.fault), len(r.remarks) == 0
	open, err := r.writable(ctx)
	if err != nil {
		return err
	}
	if len(open) != 1 {
		return fmt.Errorf("writes are taken by %s", names(open))
	}
	if err := r.restore(ctx); err != nil {
		return err
	}
	for _, h := range r.pool.Hosts {
		if st, err := h.Server().ReplicaStatus(ctx); err == nil && st != nil && st["Replica_SQL_Running"] == "No" && st["Last_SQL_Errno"] == "0" {
			if err := h.Server().StartReplication(ctx); err != nil {
				return err
			}
		}
	}
	return r.mend(ctx)
}

// byOperator: the new writer fell silent in the few milliseconds before anybody replicated from it.
// Nobody can say whether it lives, so MPP says loudly that there is no writer, and an operator
// decides.
func (r *run) byOperator(ctx context.Context) error {
	if err := r.problem(ctx, "no-writer"); err != nil {
		return err
	}
	_, err := r.cli(ctx, "failover", r.pool.Name)
	r.say("a new writer that falls silent before anybody replicates from it is replaced by mpp failover only (not timed)")
	return err
}

// mend does what an operator does afterwards: he acknowledges what was stopped, takes nodes back
// that are FAIL and well, and gives up what a node that was frozen or cut off has of its own.
func (r *run) mend(ctx context.Context) error {
	err := r.well(ctx, 10*time.Second)
	if err == nil {
		return r.account(ctx, false)
	}
	ops, asked := r.operations(ctx)
	if asked != nil {
		return errors.Join(err, asked)
	}
	for i := range ops {
		if ops[i].Kind == mpp.OpFailover && ops[i].Outcome == mpp.Stopped {
			if _, err := r.cli(ctx, "failovers", "ack", "--all", "--pool", r.pool.Name); err != nil {
				return err
			}
			r.say("a failover stopped and was acknowledged")
		}
		if ops[i].Kind == mpp.OpRejoin && ops[i].Lost != "" {
			if err := r.rebuild(ctx, r.host(ops[i].Old)); err != nil {
				return err
			}
			r.say("a node that came back with transactions of its own was kept out, and rebuilt by mpp rejoin --clone")
			break
		}
	}
	if err := r.recoverWell(ctx); err != nil {
		return err
	}
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	return r.account(ctx, false)
}

// recoverWell takes nodes back that are FAIL and replicate again: FAIL lasts until somebody says so.
func (r *run) recoverWell(ctx context.Context) error {
	var v *mpp.PoolView
	err := await(ctx, takeOverLimit, "every node answers", func(ctx context.Context) error {
		var err error
		if v, err = r.api.Pool(ctx, r.pool.Name); err != nil {
			return err
		}
		for i := range v.Nodes {
			if v.Nodes[i].Errors > 0 {
				return fmt.Errorf("%s has %d errors: %s", v.Nodes[i].Name, v.Nodes[i].Errors, v.Nodes[i].Message)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	for i := range v.Nodes {
		n := &v.Nodes[i]
		st, err := r.host(n.Address).Server().ReplicaStatus(ctx)
		if err != nil {
			return err
		}
		if n.State != mpp.Failed || n.Errors > 0 || st == nil || st["Replica_IO_Running"] != "Yes" {
			continue
		}
		if _, err := r.cli(ctx, "recover", n.Address); err != nil {
			return err
		}
	}
	return nil
}
