package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	"mpp"
	"mpp/sandbox"
	"mpp/sandbox/lab"
)

// plannedTable is part C but for C4: switchovers and maintenance.
func plannedTable() []scenario {
	return []scenario{
		{
			id: "C1", what: "switchover under load, target named or chosen",
			expected: "no error but reconnects, write gap 0.1 s (median), nothing lost, old node is a replica again",
			limits:   limits{100 * time.Millisecond, 0}, flavours: everyFlavour(), runs: 10, again: 10, fast: true, act: switchover,
		},
		{
			id: "C2", what: "a long transaction is open: it ends in time; it does not and is killed; it does not and the switchover is refused",
			expected: "waited for up to the limit, then killed or refused, as configured", act: longTransaction,
		},
		{
			id: "C3", what: "the target lags, has errant transactions, no binary log, is `no_promote`",
			expected: "refused before anything is touched, with the reason", act: unfitTarget, fresh: true,
		},
		{
			id: "C5", what: "maintenance of the pool with an end time while the ACTIVE node dies; then of the node that would be promoted",
			expected: "nothing automatic; ends by itself", act: maintenance,
		},
	}
}

// switchover moves the role to a named or chosen node.
func switchover(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	args := []string{"switchover", r.pool.Name}
	wanted := r.others(r.old)[(r.number/2)%2]
	if r.number%2 == 1 {
		args = append(args, "--to", wanted.Server().Address())
	}
	r.fault = time.Now()
	if _, err := r.cli(ctx, args...); err != nil {
		return err
	}
	if err := r.switchedOver(ctx, r.old); err != nil {
		return err
	}
	if r.number%2 == 1 && r.op.New != wanted.Server().Address() {
		return fmt.Errorf("%s was asked for, and %s got the role", wanted.Name, r.op.New)
	}
	if bad := strange(r.writer.Record().Errors); len(bad) > 0 {
		return fmt.Errorf("the client saw more than broken connections: %v", bad)
	}
	if err := r.replicateFrom(ctx, r.host(r.op.New)); err != nil {
		return err // the old node among them, by then
	}
	return r.finish(ctx, false)
}

// switchedOver judges a switchover that has ended well.
func (r *run) switchedOver(ctx context.Context, old *lab.Host) error {
	if err := r.takenOver(ctx, old, takeOverLimit); err != nil {
		return err
	}
	op, err := r.operation(ctx, mpp.OpSwitchover, settleLimit)
	if err != nil {
		return err
	}
	r.op = op
	if op.Outcome != mpp.Completed || op.NothingLost == "" {
		return fmt.Errorf("the report of the switchover says: %s: %s; nothing lost: %q", op.Outcome, op.Why, op.NothingLost)
	}
	return r.moved(ctx, r.host(op.New))
}

// strange are the errors that mean more than that a connection must be made anew.
func strange(errs map[string]int) []string {
	usual := []string{"killed", "connection lost", "reset", "refused", "no answer", "read-only", "unreachable", "shutting down"}
	var bad []string
	for kind := range errs {
		if !slices.ContainsFunc(usual, func(u string) bool { return strings.Contains(kind, u) }) {
			bad = append(bad, kind)
		}
	}
	return bad
}

// hold opens a transaction on the writer, as the application does, and returns what ends it.
func (r *run) hold(ctx context.Context, h *lab.Host) (commit func() error, forget func(), err error) {
	conn, err := h.Server().Root().Conn(ctx)
	if err != nil {
		return nil, nil, err
	}
	for _, text := range []string{
		"CREATE TABLE IF NOT EXISTS app.held (id BIGINT PRIMARY KEY)", "START TRANSACTION",
		fmt.Sprintf("INSERT INTO app.held VALUES (%d)", time.Now().UnixNano()),
	} {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return nil, nil, errors.Join(err, conn.Close())
		}
	}
	commit = func() error { _, err := conn.ExecContext(ctx, "COMMIT"); return err }
	return commit, func() { _ = conn.Close() }, nil
}

// longTransaction: one that ends within the limit is waited for, one that does not is killed, or
// keeps the switchover from happening.
func longTransaction(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	first := r.old
	// It ends in time.
	commit, forget, err := r.hold(ctx, r.old)
	if err != nil {
		return err
	}
	defer forget()
	ended := make(chan error, 1)
	go func() {
		limited, cancel := context.WithTimeout(ctx, 1500*time.Millisecond)
		defer cancel()
		<-limited.Done()
		ended <- commit()
	}()
	r.fault = time.Now()
	if _, err := r.cli(ctx, "switchover", r.pool.Name, "--kill-after", "10s"); err != nil {
		return err
	}
	if err := <-ended; err != nil {
		return fmt.Errorf("the transaction that would have ended in time: %w", err)
	}
	if err := r.switchedOver(ctx, first); err != nil {
		return err
	}
	if r.took > time.Second {
		return fmt.Errorf("there was no writer for %s while the transaction was waited for", r.took)
	}
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	// It does not, and is killed.
	second := r.old
	commit, forget, err = r.hold(ctx, second)
	if err != nil {
		return err
	}
	defer forget()
	r.fault = time.Now()
	if _, err := r.cli(ctx, "switchover", r.pool.Name, "--kill-after", "1s"); err != nil {
		return err
	}
	if err := commit(); err == nil {
		return errors.New("the transaction that outlasted the limit could be committed")
	}
	if err := r.switchedOver(ctx, second); err != nil {
		return err
	}
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	return r.refusesLong(ctx)
}

// refusesLong: with long_transactions = "refuse" it is left alone.
func (r *run) refusesLong(ctx context.Context) error {
	s := r.setup
	s.switchover += "\nlong_transactions = \"refuse\"\n"
	if err := r.configure(s); err != nil {
		return err
	}
	if _, err := r.cli(ctx, "reload"); err != nil {
		return err
	}
	defer func() {
		_ = r.configure(r.setup)
		_, _ = r.cli(ctx, "reload")
	}()
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	commit, forget, err := r.hold(ctx, r.old)
	if err != nil {
		return err
	}
	defer forget()
	r.fault = time.Now()
	if _, err := r.cli(ctx, "switchover", r.pool.Name, "--kill-after", "1s"); err == nil {
		return errors.New("a switchover past a long transaction was done, and was to be refused")
	}
	op, err := r.operation(ctx, mpp.OpSwitchover, settleLimit)
	if err != nil {
		return err
	}
	if op.Outcome != mpp.RolledBack {
		return fmt.Errorf("the switchover that was to be refused: %s: %s", op.Outcome, op.Why)
	}
	if err := commit(); err != nil {
		return fmt.Errorf("the transaction that was to be left alone: %w", err)
	}
	if err := r.unnoticed(r.fault); err != nil {
		return fmt.Errorf("a switchover that was refused: %w", err)
	}
	return r.finish(ctx, false)
}

// unfitTarget: each reason not to go to a node is found before anything is touched.
func unfitTarget(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	target := r.others(r.old)[0]
	// It lags, and does not catch up in time.
	if err := target.Server().StopSQLThread(ctx); err != nil {
		return err
	}
	if err := r.refused(ctx, target, "", "--wait", "2s"); err != nil {
		return fmt.Errorf("a target whose applier is stopped: %w", err)
	}
	if err := target.Server().StartReplication(ctx); err != nil {
		return err
	}
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	// It lags, though it applies.
	if err := target.Server().Delay(ctx, 30*time.Second); err != nil {
		return err
	}
	if err := r.refused(ctx, target, "", "--wait", "2s"); err != nil {
		return fmt.Errorf("a target that lags: %w", err)
	}
	if err := target.Server().Delay(ctx, 0); err != nil {
		return err
	}
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	if err := r.noPromote(ctx, target); err != nil {
		return err
	}
	// It has transactions of its own.
	if err := errantOn(ctx, target); err != nil {
		return err
	}
	err := await(ctx, readyLimit, "mpp knows of the errant transaction", func(ctx context.Context) error {
		return r.readinessNames(ctx, target, "transactions")
	})
	if err != nil {
		return err
	}
	if err := r.refused(ctx, target, "transactions"); err != nil {
		return fmt.Errorf("a target with errant transactions: %w", err)
	}
	return nil
}

// noPromote: an operator said so.
func (r *run) noPromote(ctx context.Context, target *lab.Host) error {
	reload := func(node func(h *lab.Host) string) error {
		if err := r.lab.WriteConfig(lab.ConfigOptions{Node: node}); err != nil {
			return err
		}
		_, err := r.cli(ctx, "reload")
		return err
	}
	if err := reload(func(h *lab.Host) string {
		if h == target {
			return "no_promote = true"
		}
		return ""
	}); err != nil {
		return err
	}
	if err := r.refused(ctx, target, "no_promote"); err != nil {
		return fmt.Errorf("a target that is no_promote: %w", err)
	}
	return reload(nil)
}

// errantOn writes a transaction that only this server has.
func errantOn(ctx context.Context, h *lab.Host) error {
	conn, err := h.Server().Root().Conn(ctx)
	if err != nil {
		return err
	}
	defer conn.Close()
	list := []string{"SET GLOBAL read_only = 0", "CREATE DATABASE errant", "SET GLOBAL read_only = 1"}
	if h.Server().Base().MariaDB {
		// In a domain of its own, or the next transaction of the source would stop the replica.
		list = append([]string{"SET SESSION gtid_domain_id = 77"}, list...)
	}
	for _, text := range list {
		if _, err := conn.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("write an errant transaction on %s: %w", h.Name, err)
		}
	}
	return nil
}

// readinessNames looks for a node and a word in what mpp readiness says stands in the way.
func (r *run) readinessNames(ctx context.Context, h *lab.Host, word string) error {
	ready, err := r.api.Readiness(ctx, r.pool.Name)
	if err != nil {
		return err
	}
	address := h.Server().Address()
	for _, c := range ready.Candidates {
		if c.Address == address && c.Rank == 0 && strings.Contains(c.Why, word) {
			return nil
		}
	}
	return fmt.Errorf("readiness does not say %q of %s: %+v, %q", word, h.Name, ready.Candidates, ready.Warnings)
}

// refused asks for a switchover that must not be done, and looks that nothing was touched.
func (r *run) refused(ctx context.Context, target *lab.Host, reason string, more ...string) error {
	old, since := r.old, time.Now()
	out, err := r.cli(ctx, append([]string{"switchover", r.pool.Name, "--to", target.Server().Address()}, more...)...)
	if err == nil {
		return errors.New("the switchover was done")
	}
	if !strings.Contains(out+err.Error(), reason) {
		return fmt.Errorf("the reason %q is not in: %w\n%s", reason, err, out)
	}
	if err := r.unnoticed(since); err != nil {
		return err
	}
	if err := r.oneWriter(ctx, old); err != nil {
		return err
	}
	return r.addressAt(old)
}

// maintenance: nothing is done while it lasts, and everything when it has ended by itself.
func maintenance(ctx context.Context, r *run) error {
	const lasts = 6 * time.Second
	if err := r.begin(ctx); err != nil {
		return err
	}
	r.fault = time.Now()
	if _, err := r.cli(ctx, "maintenance", "on", r.pool.Name, "--for", lasts.String(), "--reason", "scenario"); err != nil {
		return err
	}
	ends := time.Now().Add(lasts)
	if err := r.old.Kill(); err != nil {
		return err
	}
	err := sandbox.Eventually(ctx, 50*time.Millisecond, func(ctx context.Context) error {
		if time.Now().After(ends.Add(-200 * time.Millisecond)) {
			return nil
		}
		ops, err := r.operations(ctx)
		if err != nil {
			return err
		}
		if len(ops) > 0 {
			return fmt.Errorf("operation %d, a %s, during maintenance", ops[0].ID, ops[0].Kind)
		}
		return errors.New("maintenance lasts")
	})
	if err != nil {
		return err
	}
	if err := r.takenOver(ctx, r.old, takeOverLimit); err != nil {
		return err
	}
	if after := r.took - lasts; after < -time.Second || after > 3*time.Second {
		return fmt.Errorf("the failover came %s after the maintenance of %s", after, lasts)
	}
	if err := r.failedOver(ctx, r.old); err != nil {
		return err
	}
	if err := r.restore(ctx); err != nil {
		return err
	}
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	return r.nodeInMaintenance(ctx)
}

// nodeInMaintenance: a node in maintenance is not promoted.
func (r *run) nodeInMaintenance(ctx context.Context) error {
	best := r.others(r.old)[0]
	if _, err := r.cli(ctx, "maintenance", "on", best.Server().Address(), "--for", "20s", "--reason", "scenario"); err != nil {
		return err
	}
	r.fault = time.Now()
	if err := r.old.Kill(); err != nil {
		return err
	}
	if err := r.takenOver(ctx, r.old, takeOverLimit); err != nil {
		return err
	}
	op, err := r.operation(ctx, mpp.OpFailover, settleLimit)
	if err != nil {
		return err
	}
	if r.op = op; op.New == best.Server().Address() {
		return fmt.Errorf("%s was promoted in its maintenance", best.Name)
	}
	if _, err := r.cli(ctx, "maintenance", "off", best.Server().Address()); err != nil {
		return err
	}
	r.measured = false
	return r.finish(ctx, true)
}
