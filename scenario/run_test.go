package scenario_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/sandbox"
	"mpp/sandbox/lab"
)

// lookEvery is how often a condition is looked at.
const lookEvery = 10 * time.Millisecond

// run is one go of a scenario in a world.
type run struct {
	*world
	t      *testing.T
	number int // from 1
	pool   *lab.Pool
	writer *lab.Writer
	// some is how many writes show that the client is served.
	some int
	// old is the host of the ACTIVE node at the start, and before the number of the latest
	// operation then.
	old    *lab.Host
	before uint64
	// fault is when the trouble began.
	fault time.Time
	// took is what the scenario measures: an outage unless it says otherwise.
	took     time.Duration
	measured bool
	// unlogged says that the old node may number transactions that it could not write down.
	unlogged bool
	// op is the operation that the scenario is about.
	op *mpp.Operation
	// remarks are worth a word in the summary.
	remarks []string
}

// say adds a remark for the summary.
func (r *run) say(text string) {
	if !slices.Contains(r.remarks, text) {
		r.remarks = append(r.remarks, text)
	}
}

// cli runs the program mpp against the lab's mppd.
func (w *world) cli(ctx context.Context, args ...string) (string, error) {
	cmd := w.lab.Manager().Command(ctx, append([]string{w.mpp}, args...)...)
	cmd.Env = append(os.Environ(), "MPP_SOCKET="+w.lab.Socket(), "NO_COLOR=1")
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("mpp %s: %w: %s", strings.Join(args, " "), err, strings.TrimSpace(said.String()))
	}
	return out.String(), nil
}

// await waits for a condition, and says for what it waited when it does not come.
func await(ctx context.Context, limit time.Duration, what string, cond func(context.Context) error) error {
	ctx, cancel := context.WithTimeout(ctx, limit)
	defer cancel()
	if err := sandbox.Eventually(ctx, lookEvery, cond); err != nil {
		return fmt.Errorf("%s: not within %s: %w", what, limit, err)
	}
	return nil
}

// begin waits until the pool is well, notes who has the role, and lets a client write.
func (r *run) begin(ctx context.Context) error {
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	return r.write(ctx, lab.WriteOptions{})
}

// write lets a client write, and returns once it has been heard for a moment.
func (r *run) write(ctx context.Context, o lab.WriteOptions) error {
	o.Pool = r.pool
	var err error
	if r.writer, err = r.lab.Write(ctx, o); err != nil {
		return err
	}
	if r.some = 100; o.Interval > 10*time.Millisecond {
		r.some = 20
	}
	if err := r.acknowledges(ctx, r.some); err != nil {
		return err
	}
	// The second client once heard where the address is, and says nothing more: only an
	// announcement can tell it that the address has moved.
	for _, vip := range r.vips() {
		conn, err := r.lab.Clients()[1].Dial(ctx, "tcp", joinPort(vip))
		if err != nil {
			return fmt.Errorf("let the second client know the address: %w", err)
		}
		_ = conn.Close()
	}
	return nil
}

// acknowledges waits until so many more writes are acknowledged.
func (r *run) acknowledges(ctx context.Context, more int) error {
	from := r.writer.Record().Acknowledged
	return await(ctx, 20*time.Second, "the client's writes go on", func(context.Context) error {
		if n := r.writer.Record().Acknowledged - from; n < more {
			return fmt.Errorf("%d of %d writes", n, more)
		}
		return nil
	})
}

// well waits until the pool is whole and ready for the next failover, and notes who has the role.
func (r *run) well(ctx context.Context, limit time.Duration) error {
	since := time.Now()
	return await(ctx, limit, "the pool is well and ready to fail over", func(ctx context.Context) error {
		v, err := r.api.Pool(ctx, r.pool.Name)
		if err != nil {
			return err
		}
		if err := restored(v); err != nil {
			return err
		}
		ready, err := r.api.Readiness(ctx, r.pool.Name)
		if err != nil {
			return err
		}
		if !ready.Ready || ready.At.Before(since) {
			return fmt.Errorf("readiness: %s", ready.Summary)
		}
		host := r.pool.Host(v.Active)
		if err := r.whole(ctx, host); err != nil {
			return err
		}
		r.old = host
		ops, err := r.api.Operations(ctx, r.pool.Name, 1)
		if err == nil && len(ops) > 0 {
			r.before = ops[0].ID
		}
		return err
	})
}

// restored says what of a pool's view is not as on a quiet day.
func restored(v *mpp.PoolView) error {
	if v.Active == "" {
		return errors.New("no node is ACTIVE")
	}
	if v.Operation != nil || len(v.Repairs) > 0 {
		return errors.New("an operation is under way")
	}
	for i := range v.Nodes {
		n := &v.Nodes[i]
		want := mpp.Standby
		if n.Address == v.Active {
			want = mpp.Active
		}
		if n.State != want || n.Errors != 0 {
			return fmt.Errorf("%s is %s %s, errors %d: %s", n.Name, n.State, n.Reason, n.Errors, n.Message)
		}
		if o := n.Observation; o == nil || o.Server.Settings == nil {
			return fmt.Errorf("the settings of %s are not known yet", n.Name)
		}
		if a := n.VirtualAddress; a == nil || !a.Known {
			return fmt.Errorf("it is not known whether the host of %s has the virtual address: %+v", n.Name, a)
		}
	}
	return nil
}

// operation waits until an operation of the kind that is newer than the run has ended, and reads
// its report as a DBA does.
func (r *run) operation(ctx context.Context, kind mpp.OperationKind, limit time.Duration) (*mpp.Operation, error) {
	var id uint64
	err := await(ctx, limit, fmt.Sprintf("a %s has ended", kind), func(ctx context.Context) error {
		ops, err := r.operations(ctx)
		if err != nil {
			return err
		}
		for i := range ops {
			if ops[i].Kind != kind || ops[i].Outcome == "" {
				continue
			}
			id = ops[i].ID
			return nil
		}
		return fmt.Errorf("none among %d newer operations", len(ops))
	})
	if err != nil {
		return nil, err
	}
	return r.report(ctx, id)
}

// operations are those that began since the run did, newest first.
func (r *run) operations(ctx context.Context) ([]mpp.Operation, error) {
	all, err := r.api.Operations(ctx, r.pool.Name, 0)
	if err != nil {
		return nil, err
	}
	var newer []mpp.Operation
	for i := range all {
		if all[i].ID > r.before {
			newer = append(newer, all[i])
		}
	}
	return newer, nil
}

// report is mpp failovers show N --json.
func (r *run) report(ctx context.Context, id uint64) (*mpp.Operation, error) {
	out, err := r.cli(ctx, "failovers", "show", strconv.FormatUint(id, 10), "--pool", r.pool.Name, "--json")
	var op mpp.Operation
	if decoded := json.Unmarshal([]byte(out), &op); decoded != nil { // exit code 1 is a bad outcome, told all the same
		return nil, errors.Join(err, decoded)
	}
	return &op, nil
}

// takenOver waits until another server than one acknowledges writes, and measures the outage: all
// that the client's record has of them since the fault.
func (r *run) takenOver(ctx context.Context, from *lab.Host, limit time.Duration) error {
	err := await(ctx, limit, "another server takes the client's writes", func(context.Context) error {
		rec := r.writer.Record()
		for _, o := range rec.Outages {
			if !o.Open && o.End.After(r.fault) && o.To != from.Name {
				return nil
			}
		}
		return fmt.Errorf("since the fault: %v; errors %v", rec.Outages, rec.Errors)
	})
	if err != nil {
		return err
	}
	if err := r.acknowledges(ctx, r.some); err != nil {
		return err
	}
	r.took, r.measured = r.outage(r.fault), true
	return nil
}

// outage is how long, since a moment, no write was acknowledged.
func (r *run) outage(since time.Time) time.Duration {
	var sum time.Duration
	for _, o := range r.writer.Record().Outages {
		if o.End.After(since) {
			sum += time.Duration(o.Length)
		}
	}
	return sum
}

// restore brings every host of the pool back: links healed, servers thawed, disks emptied,
// servers started. What MPP makes of that is its own affair.
func (r *run) restore(ctx context.Context) error {
	for _, h := range r.pool.Hosts {
		if err := restoreHost(ctx, h); err != nil {
			return err
		}
	}
	if len(r.lab.Pools) > 1 {
		return nil // others use them at the same time
	}
	for _, h := range append(r.lab.Clients(), r.lab.Manager()) {
		if err := h.Heal(ctx); err != nil {
			return err
		}
	}
	return nil
}

func restoreHost(ctx context.Context, h *lab.Host) error {
	if err := h.Heal(ctx); err != nil {
		return err
	}
	s := h.Server()
	if s.Frozen() {
		if err := h.Thaw(); err != nil {
			return err
		}
	}
	if s.DiskFull() {
		if err := h.Empty(); err != nil {
			return err
		}
	}
	if s.Running() {
		return nil
	}
	return h.Start(ctx)
}

// others are the pool's hosts but those named.
func (r *run) others(but ...*lab.Host) []*lab.Host {
	var list []*lab.Host
	for _, h := range r.pool.Hosts {
		skip := false
		for _, b := range but {
			skip = skip || b == h
		}
		if !skip {
			list = append(list, h)
		}
	}
	return list
}

// host is the pool's host of an address, nil if there is none.
func (r *run) host(address string) *lab.Host { return r.pool.Host(address) }

// runSQL runs a statement as root on a host's server.
func runSQL(ctx context.Context, h *lab.Host, statement string, args ...any) error {
	if _, err := h.Server().Root().ExecContext(ctx, statement, args...); err != nil {
		return fmt.Errorf("run statement on %s: %w", h.Name, err)
	}
	return nil
}

// ask reads one value as root from a host's server.
func ask[T any](ctx context.Context, h *lab.Host, query string) (T, error) {
	var value T
	ctx, cancel := context.WithTimeout(ctx, 5*time.Second)
	defer cancel()
	if err := h.Server().Root().QueryRowContext(ctx, query).Scan(&value); err != nil {
		return value, fmt.Errorf("ask %s: %w", h.Name, err)
	}
	return value, nil
}
