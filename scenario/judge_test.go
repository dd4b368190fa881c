package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"time"

	"mpp"
	"mpp/sandbox/lab"
)

// settleLimit bounds how long after a failover replicas, addresses and neighbours may take to be
// as they should.
const settleLimit = 15 * time.Second

func joinPort(a netip.Addr) string { return net.JoinHostPort(a.String(), "3306") }

// vips are the pool's virtual addresses.
func (r *run) vips() []netip.Addr {
	all := []netip.Addr{r.pool.VIP}
	if r.pool.VIP6.IsValid() {
		all = append(all, r.pool.VIP6)
	}
	return all
}

// reachable tells whether anybody can reach the host: its cable is in.
func reachable(h *lab.Host) bool {
	state, _, err := h.Link()
	return err == nil && state != lab.LinkCut
}

// live are the pool's hosts that clients can reach and whose servers run and can commit.
func (r *run) live() []*lab.Host {
	var list []*lab.Host
	for _, h := range r.pool.Hosts {
		if h.Server().Running() && !h.Server().Frozen() && !h.Server().DiskFull() && reachable(h) {
			list = append(list, h)
		}
	}
	return list
}

// writable asks every live server, and returns those that take writes.
func (r *run) writable(ctx context.Context) ([]*lab.Host, error) {
	var list []*lab.Host
	for _, h := range r.live() {
		readOnly, err := ask[bool](ctx, h, "SELECT @@global.read_only")
		if err != nil {
			return nil, err
		}
		if !readOnly {
			list = append(list, h)
		}
	}
	return list, nil
}

func names(hosts []*lab.Host) string {
	var list []string
	for _, h := range hosts {
		list = append(list, h.Name)
	}
	if len(list) == 0 {
		return "nobody"
	}
	return strings.Join(list, ", ")
}

// whole looks whether all is as it should be with a host as the writer: it is the only one that
// takes writes, the only one with the address, and all others that live replicate from it.
func (r *run) whole(ctx context.Context, writer *lab.Host) error {
	if writer == nil {
		return errors.New("nobody is ACTIVE")
	}
	if err := r.oneWriter(ctx, writer); err != nil {
		return err
	}
	if err := r.addressAt(writer); err != nil {
		return err
	}
	return r.replicateFrom(ctx, writer)
}

// oneWriter: exactly this one takes writes.
func (r *run) oneWriter(ctx context.Context, writer *lab.Host) error {
	open, err := r.writable(ctx)
	if err != nil {
		return err
	}
	if len(open) != 1 || open[0] != writer {
		return fmt.Errorf("writes are taken by %s, and the writer is %s", names(open), writer.Name)
	}
	return nil
}

// holders are the hosts within reach that have an address.
func (r *run) holders(vip netip.Addr) ([]*lab.Host, error) {
	var list []*lab.Host
	for _, h := range r.lab.Hosts {
		held, err := h.Holds(vip)
		if err != nil {
			return nil, err
		}
		if held && reachable(h) {
			list = append(list, h)
		}
	}
	return list, nil
}

// addressAt: exactly this one has every virtual address.
func (r *run) addressAt(writer *lab.Host) error {
	for _, vip := range r.vips() {
		list, err := r.holders(vip)
		if err != nil {
			return err
		}
		if len(list) != 1 || list[0] != writer {
			return fmt.Errorf("address %s is at %s, and the writer is %s", vip, names(list), writer.Name)
		}
	}
	return nil
}

// addressMoved: the address is at the writer alone. Where the report owns that it could not be taken
// off the old host in time, it must be gone soon.
func (r *run) addressMoved(ctx context.Context, writer *lab.Host) error {
	if r.op != nil && stepFailed(r.op, mpp.StepRemoveAddress, r.op.Old) {
		return await(ctx, settleLimit, "the address is taken off the host that was too slow", func(context.Context) error {
			return r.addressAt(writer)
		})
	}
	return r.addressAt(writer)
}

// stepFailed reports whether a step of a kind at a node failed.
func stepFailed(op *mpp.Operation, kind mpp.StepKind, node string) bool {
	for i := range op.Steps {
		if st := &op.Steps[i]; st.Kind == kind && st.Node == node && st.Status == mpp.StepFailed {
			return true
		}
	}
	return false
}

// neighboursFollow: both clients believe that the address is at the writer. The second one has
// sent nothing since it heard otherwise.
func (r *run) neighboursFollow(writer *lab.Host) error {
	for _, c := range r.lab.Clients() {
		for i, vip := range r.vips() {
			if c == r.lab.Clients()[0] && i > 0 {
				continue // the first client writes over IPv4
			}
			n, err := c.Neighbour(vip)
			if err != nil {
				return err
			}
			if n.MAC.String() != writer.MAC.String() {
				return fmt.Errorf("%s believes that %s is at %s (%s), and %s has it, at %s", c.Name, vip, n.MAC, n.State, writer.Name, writer.MAC)
			}
		}
	}
	return nil
}

// replicateFrom: every live server but the writer replicates from it.
func (r *run) replicateFrom(ctx context.Context, writer *lab.Host) error {
	for _, h := range r.live() {
		if h == writer {
			continue
		}
		st, err := h.Server().ReplicaStatus(ctx)
		if err != nil {
			return err
		}
		switch {
		case st == nil:
			return fmt.Errorf("%s is no replica", h.Name)
		case st["Source_Host"] != writer.Address.String():
			return fmt.Errorf("%s replicates from %s, and the writer is %s", h.Name, st["Source_Host"], writer.Name)
		case st["Replica_IO_Running"] != "Yes" || st["Replica_SQL_Running"] != "Yes":
			return fmt.Errorf("%s: %s", h.Name, st.Trouble())
		}
	}
	return nil
}

// copiesAgree: when nobody writes, every live server has come to the same GTIDs and to the same
// rows as the writer.
func (r *run) copiesAgree(ctx context.Context, writer *lab.Host) error {
	err := await(ctx, settleLimit, "all copies have the same GTIDs", func(ctx context.Context) error {
		want, err := writer.Server().Position(ctx)
		if err != nil {
			return err
		}
		for _, h := range r.live() {
			got, err := h.Server().Position(ctx)
			if err != nil {
				return err
			}
			if got != want {
				return fmt.Errorf("%s is at %s, %s at %s", h.Name, got, writer.Name, want)
			}
		}
		return nil
	})
	if err != nil {
		return err
	}
	sums := map[string][]*lab.Host{}
	for _, h := range r.live() {
		var table, sum string
		if err := h.Server().Root().QueryRowContext(ctx, "CHECKSUM TABLE app.lab_writes").Scan(&table, &sum); err != nil {
			return fmt.Errorf("compare rows of %s: %w", h.Name, err)
		}
		sums[sum] = append(sums[sum], h)
	}
	if len(sums) > 1 {
		var list []string
		for sum, hosts := range sums {
			list = append(list, sum+": "+names(hosts))
		}
		return fmt.Errorf("the copies differ though their GTIDs agree: %s", strings.Join(list, "; "))
	}
	return nil
}

// failedOver judges a failover from old to whoever: by the servers, the addresses, the
// neighbours, and the report.
func (r *run) failedOver(ctx context.Context, old *lab.Host) error {
	op, err := r.operation(ctx, mpp.OpFailover, settleLimit)
	if err != nil {
		return err
	}
	r.op = op
	if op.Outcome != mpp.Completed || op.Old != old.Server().Address() {
		return fmt.Errorf("the report of the failover says: %s of %s: %s", op.Outcome, op.Old, op.Why)
	}
	return r.moved(ctx, r.host(op.New))
}

// moved judges that the role is at a host now, by all that can be seen from outside.
func (r *run) moved(ctx context.Context, writer *lab.Host) error {
	if writer == nil {
		return errors.New("the report names no new writer")
	}
	// At once: two writers or holders are never right, however short.
	if err := r.oneWriter(ctx, writer); err != nil {
		return err
	}
	if err := r.addressMoved(ctx, writer); err != nil {
		return err
	}
	if err := r.neighboursFollow(writer); err != nil {
		return err
	}
	if to := lastServer(r.writer.Record()); to != "" && to != writer.Name {
		return fmt.Errorf("the report says that %s took over, and the client was served by %s", writer.Name, to)
	}
	if err := await(ctx, settleLimit, "all others replicate from "+writer.Name, func(ctx context.Context) error {
		return r.replicateFrom(ctx, writer)
	}); err != nil {
		return err
	}
	v, err := r.api.Pool(ctx, r.pool.Name)
	if err != nil {
		return err
	}
	if v.Active != writer.Server().Address() {
		return fmt.Errorf("mpp says that %s is ACTIVE, and it is %s", v.Active, writer.Name)
	}
	return nil
}

// lastServer is who served the client after its latest outage, "" when there was none.
func lastServer(rec lab.Record) string {
	for _, o := range slices.Backward(rec.Outages) {
		if !o.Open && o.To != "" {
			return o.To
		}
	}
	return ""
}

// finish ends the run: everybody is back, MPP has made the pool whole by itself, nobody was
// served by two, and what was acknowledged is there unless the report says otherwise.
func (r *run) finish(ctx context.Context, mayLose bool) error {
	if err := r.restore(ctx); err != nil {
		return err
	}
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	return r.account(ctx, mayLose)
}

// account ends the writing and holds the client's record against what the servers have.
func (r *run) account(ctx context.Context, mayLose bool) error {
	rec := r.writer.Stop()
	if rec.Double > 0 {
		return fmt.Errorf("%d writes were acknowledged by one server while another took writes: %+v", rec.Double, rec.Doubles)
	}
	verdict, err := r.writer.Verify(ctx)
	if err != nil {
		return err
	}
	if err := r.lossTold(verdict.Lost, mayLose); err != nil {
		return fmt.Errorf("%w; missing: %+v", err, verdict.Missing)
	}
	v, err := r.api.Pool(ctx, r.pool.Name)
	if err != nil {
		return err
	}
	writer := r.host(v.Active)
	if writer == nil {
		return errors.New("nobody is ACTIVE at the end")
	}
	if err := r.copiesAgree(ctx, writer); err != nil {
		return err
	}
	return r.tidy(ctx, writer)
}

// lossTold holds the report's word on what was lost against the client's record.
func (r *run) lossTold(lost int, mayLose bool) error {
	if lost == 0 {
		return nil
	}
	switch {
	case !mayLose:
		return fmt.Errorf("%d acknowledged writes are lost", lost)
	case r.op != nil && r.op.NothingLost != "":
		return fmt.Errorf("%d acknowledged writes are lost, and the report claims a proof that none is: %s", lost, r.op.NothingLost)
	}
	r.say(fmt.Sprintf("%d acknowledged writes lost (no semi-sync)", lost))
	return nil
}

// tidy keeps the disks of a lab that is used for many runs from filling up: the rows go, and the
// binary logs, once all copies agree.
func (r *run) tidy(ctx context.Context, writer *lab.Host) error {
	if err := runSQL(ctx, writer, "TRUNCATE TABLE app.lab_writes"); err != nil {
		return err
	}
	for _, h := range r.live() {
		if err := runSQL(ctx, h, "FLUSH LOCAL BINARY LOGS"); err != nil {
			return err
		}
	}
	err := await(ctx, settleLimit, "all copies have caught up", func(ctx context.Context) error {
		want, err := writer.Server().Position(ctx)
		for _, h := range r.live() {
			got, asked := h.Server().Position(ctx)
			if err = errors.Join(err, asked); err == nil && got != want {
				err = fmt.Errorf("%s is at %s, %s at %s", h.Name, got, writer.Name, want)
			}
		}
		return err
	})
	if err != nil {
		return err
	}
	for _, h := range r.live() {
		if err := runSQL(ctx, h, "PURGE BINARY LOGS BEFORE NOW() + INTERVAL 1 DAY"); err != nil {
			return err
		}
	}
	return nil
}
