package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/http"
	"net/url"
	"strings"
	"sync"
	"time"

	"mpp"
	"mpp/sandbox/lab"
)

// dataTable is part D.
func dataTable() []scenario {
	managed := setup{semiSync: time.Hour, failover: "semi_sync = \"manage\""}
	back := setup{writable: true}
	return []scenario{
		{
			id: "D1", what: "A1 under full write load with semi-sync, 8 clients at once", expected: "0 acknowledged writes lost",
			limits: limits{worst: 5 * time.Second}, setup: managed, flavours: everyFlavour(), runs: 50, again: 20, act: fullLoad,
		},
		{
			id: "D2", what: "the preferred candidate is behind another replica", expected: "it is completed from that one first, or that one is promoted; nothing lost",
			limits: limits{worst: 3 * time.Second}, flavours: everyFlavour(), runs: 10, again: 5,
			setup: setup{prefer: 2}, act: preferredBehind,
		},
		{
			id: "D3", what: "transactions that reached no replica, dead host still answers ssh", expected: "taken from its binary log and applied before writers are let in; 0 lost",
			limits: limits{worst: 3 * time.Second}, runs: 10, act: reachedNobody,
		},
		{
			id: "D4", what: "a replica has errant transactions", expected: "never promoted, named in readiness", fresh: true, runs: 3,
			limits: limits{worst: time.Second}, act: errantReplica,
		},
		{
			id: "D5", what: "received but unapplied relay log on the candidate", expected: "drained before promotion, within a limit; nothing lost",
			limits: limits{worst: 5 * time.Second}, setup: managed, runs: 5, act: unapplied,
		},
		{
			id: "D5b", what: "the same, and the relay log cannot be applied within `apply_timeout` (2 s)", expected: "the next one is promoted",
			limits: limits{worst: 5 * time.Second}, setup: setup{semiSync: time.Hour, failover: "semi_sync = \"manage\"\napply_timeout = \"2s\""}, fresh: true, act: cannotApply,
		},
		{
			id: "D6", what: "the old ACTIVE node comes back by itself, writable and with the virtual address on its host, and holds nothing extra",
			expected: "fenced at once (read-only, no VIP), compared, re-attached", measures: "from its first answer until it is read-only",
			limits: limits{worst: 3 * time.Second}, setup: back, flavours: everyFlavour(), runs: 10, again: 5, fast: true, act: comesBack,
		},
		{
			id: "D6b", what: "the same, and it holds transactions that nobody else has", expected: "fenced at once, kept out, its extra transactions listed and saved",
			measures: "from its first answer until it is read-only", limits: limits{worst: 3 * time.Second},
			setup: setup{writable: true, failover: "binlog_tail = false\nmax_loss = \"any\""}, fresh: true, runs: 3, flavours: everyFlavour(), again: 1, act: comesBackWithMore,
		},
		{
			id: "D7", what: "the old node comes back, writable and with the virtual address, while the manager is down",
			expected: "fenced as soon as the manager is up; LB checks never show it as writer",
			measures: "from the manager's start until the node is read-only", limits: limits{worst: 3 * time.Second}, setup: back, runs: 5, act: backUnwatched,
		},
	}
}

// fullLoad: as many writes as the machine can do, each acknowledged by a replica.
func fullLoad(ctx context.Context, r *run) error {
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	clients := r.lab.Clients()
	o := lab.WriteOptions{Interval: time.Microsecond}
	for range 4 {
		o.From = append(o.From, clients[0], clients[0])
	}
	if err := r.write(ctx, o); err != nil {
		return err
	}
	if err := r.acknowledges(ctx, 300+97*(r.number%7)); err != nil { // not at the same place each time
		return err
	}
	r.fault = time.Now()
	if err := r.old.Kill(); err != nil {
		return err
	}
	if err := r.takenOver(ctx, r.old, takeOverLimit); err != nil {
		return err
	}
	r.writer.Stop()
	if err := r.failedOver(ctx, r.old); err != nil {
		return err
	}
	if r.op.NothingLost == "" {
		return fmt.Errorf("the report has no proof that nothing was lost: lost %q", r.op.Lost)
	}
	return r.finish(ctx, false)
}

// stopReceivers lets replicas receive nothing more.
func stopReceivers(ctx context.Context, hosts ...*lab.Host) error {
	for _, h := range hosts {
		if err := h.Server().StopIOThread(ctx); err != nil {
			return err
		}
	}
	return nil
}

// preferredBehind: the preferred one stops to receive just before the ACTIVE node dies.
func preferredBehind(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	preferred := r.pool.Hosts[1]
	if r.old == preferred {
		preferred = r.pool.Hosts[0]
	}
	if err := stopReceivers(ctx, preferred); err != nil {
		return err
	}
	if err := r.acknowledges(ctx, 50); err != nil {
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

// reachedNobody: the last writes are in the dead server's binary log and nowhere else. The
// replicas look for their source again after its death, or there would be no witness.
func reachedNobody(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	replicas := r.others(r.old)
	if err := stopReceivers(ctx, replicas...); err != nil {
		return err
	}
	if err := r.acknowledges(ctx, 50); err != nil {
		return err
	}
	r.fault = time.Now()
	if err := r.old.Kill(); err != nil {
		return err
	}
	for _, h := range replicas {
		if err := h.Server().StartReplication(ctx); err != nil {
			return err
		}
	}
	if err := r.takenOver(ctx, r.old, takeOverLimit); err != nil {
		return err
	}
	if err := r.failedOver(ctx, r.old); err != nil {
		return err
	}
	if !hasStep(r.op, mpp.StepBinlogTail) || r.op.NothingLost == "" {
		return fmt.Errorf("the end of the binary log was not taken: nothing lost: %q, lost %q, notes %q", r.op.NothingLost, r.op.Lost, r.op.Notes)
	}
	return r.finish(ctx, false)
}

// hasStep reports whether an operation did a step of a kind.
func hasStep(op *mpp.Operation, kind mpp.StepKind) bool {
	for i := range op.Steps {
		if op.Steps[i].Kind == kind && op.Steps[i].Status == mpp.StepDone {
			return true
		}
	}
	return false
}

// errantReplica: somebody wrote on a replica, the one that would be promoted first.
func errantReplica(ctx context.Context, r *run) error {
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	bad, good := r.others(r.old)[0], r.others(r.old)[1]
	if err := errantOn(ctx, bad); err != nil {
		return err
	}
	err := await(ctx, readyLimit, "readiness names the errant transactions", func(ctx context.Context) error {
		return r.readinessNames(ctx, bad, "transactions")
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
	op, err := r.operation(ctx, mpp.OpFailover, settleLimit)
	if err != nil {
		return err
	}
	if r.op = op; op.New != good.Server().Address() {
		return fmt.Errorf("%s was promoted, and %s is the one without errant transactions: %s", op.New, good.Name, op.Why)
	}
	if err := r.oneWriter(ctx, good); err != nil {
		return err
	}
	return r.addressAt(good)
}

// lockTable keeps the applier of a replica from going on, and returns what ends that.
func lockTable(ctx context.Context, h *lab.Host) (func(), error) {
	conn, err := h.Server().Root().Conn(ctx)
	if err != nil {
		return nil, err
	}
	if _, err := conn.ExecContext(ctx, "LOCK TABLES app.lab_writes READ"); err != nil {
		return nil, errors.Join(err, conn.Close())
	}
	var once sync.Once
	return func() {
		once.Do(func() {
			_, _ = conn.ExecContext(context.WithoutCancel(ctx), "UNLOCK TABLES") // it may have been killed
			_ = conn.Close()
		})
	}, nil
}

// unapplied: both replicas have received what they have not executed when the ACTIVE node dies.
func unapplied(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	var unlock []func()
	for _, h := range r.others(r.old) {
		free, err := lockTable(ctx, h)
		if err != nil {
			return err
		}
		defer free()
		unlock = append(unlock, free)
	}
	if err := r.acknowledges(ctx, 300); err != nil {
		return err
	}
	r.fault = time.Now()
	if err := r.old.Kill(); err != nil {
		return err
	}
	err := await(ctx, takeOverLimit, "the failover drains", func(ctx context.Context) error {
		v, err := r.api.Pool(ctx, r.pool.Name)
		if err == nil && (v.Operation == nil || v.Operation.Phase != "drain") {
			err = errors.New("it does not yet")
		}
		return err
	})
	if err != nil {
		return err
	}
	if open, err := r.writable(ctx); err != nil || len(open) > 0 {
		return errors.Join(err, fmt.Errorf("writes are taken by %s before all is executed", names(open)))
	}
	for _, free := range unlock {
		free()
	}
	if err := r.takenOver(ctx, r.old, takeOverLimit); err != nil {
		return err
	}
	if err := r.failedOver(ctx, r.old); err != nil {
		return err
	}
	return r.finish(ctx, false)
}

// cannotApply: the first candidate is stuck for good.
func cannotApply(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	stuck := r.others(r.old)[0]
	free, err := lockTable(ctx, stuck)
	if err != nil {
		return err
	}
	defer free()
	if err := r.acknowledges(ctx, 300); err != nil {
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
	if r.op = op; op.New == stuck.Server().Address() {
		return fmt.Errorf("%s was promoted, and cannot execute what it has received", stuck.Name)
	}
	writer := r.host(op.New)
	if err := r.oneWriter(ctx, writer); err != nil {
		return err
	}
	free()
	r.writer.Stop()
	verdict, err := r.writer.Verify(ctx)
	if err != nil {
		return err
	}
	return r.lossTold(verdict.Lost, false)
}

// watch asks a server that comes back all the time, from before its start, and notes when it
// answered first and when it was read-only.
type watch struct {
	stop            context.CancelFunc
	done            chan struct{}
	mu              sync.Mutex
	first, readOnly time.Time
}

func watchServer(ctx context.Context, h *lab.Host) *watch {
	ctx, stop := context.WithCancel(ctx)
	w := &watch{stop: stop, done: make(chan struct{})}
	go func() {
		defer close(w.done)
		tick := time.NewTicker(2 * time.Millisecond)
		defer tick.Stop()
		for ctx.Err() == nil {
			if closed, err := ask[bool](ctx, h, "SELECT @@global.read_only"); err == nil {
				w.mu.Lock()
				if w.first.IsZero() {
					w.first = time.Now()
				}
				if closed && w.readOnly.IsZero() {
					w.readOnly = time.Now()
				}
				w.mu.Unlock()
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
	}()
	return w
}

// fenced waits until the server was seen read-only, and returns how long it answered before.
func (w *watch) fenced(ctx context.Context, limit time.Duration) (time.Duration, time.Time, error) {
	defer func() { w.stop(); <-w.done }()
	err := await(ctx, limit, "the node that came back is read-only", func(context.Context) error {
		w.mu.Lock()
		defer w.mu.Unlock()
		if w.readOnly.IsZero() {
			return fmt.Errorf("it takes writes; it has answered since %s", w.first.Format("15:04:05.000"))
		}
		return nil
	})
	w.mu.Lock()
	defer w.mu.Unlock()
	return w.readOnly.Sub(w.first), w.readOnly, err
}

// killed loses the ACTIVE node by kill -9 and judges the failover.
func killed(_ context.Context, r *run) error { return r.old.Kill() }

// returns brings the old node back as a host does that was started again with its address
// configured for good, and waits until it is fenced.
func (r *run) returns(ctx context.Context, old *lab.Host) error {
	for _, p := range r.pool.VIPs() {
		if err := old.AddAddress(p); err != nil {
			return err
		}
	}
	w := watchServer(ctx, old)
	if err := old.Start(ctx); err != nil {
		w.stop()
		return err
	}
	var err error
	r.took, _, err = w.fenced(ctx, takeOverLimit)
	r.measured = err == nil
	return err
}

// comesBack: nothing extra.
func comesBack(ctx context.Context, r *run) error {
	if err := r.lose(ctx, killed); err != nil {
		return err
	}
	old, failover := r.old, r.op
	if err := r.returns(ctx, old); err != nil {
		return err
	}
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	r.op = failover
	return r.account(ctx, true)
}

// comesBackWithMore: writes that reached nobody are on it, and were not taken from its host.
func comesBackWithMore(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	old, replicas := r.old, r.others(r.old)
	if err := stopReceivers(ctx, replicas...); err != nil {
		return err
	}
	if err := r.acknowledges(ctx, 50); err != nil {
		return err
	}
	r.fault = time.Now()
	if err := old.Kill(); err != nil {
		return err
	}
	for _, h := range replicas {
		if err := h.Server().StartReplication(ctx); err != nil {
			return err
		}
	}
	if err := r.takenOver(ctx, old, takeOverLimit); err != nil {
		return err
	}
	if err := r.failedOver(ctx, old); err != nil {
		return err
	}
	failover := r.op
	if err := r.returns(ctx, old); err != nil {
		return err
	}
	kept, err := r.backOrKept(ctx, old)
	if err != nil {
		return err
	}
	if !kept {
		return errors.New("it was taken back with transactions that nobody else has")
	}
	verdict, err := r.writer.Verify(ctx)
	if err != nil {
		return err
	}
	if verdict.Lost == 0 || failover.NothingLost != "" {
		return fmt.Errorf("%d writes are lost by the client's record, and the report says %q", verdict.Lost, failover.NothingLost)
	}
	r.say("what was lost by the client's record was in the saved file")
	return nil
}

// backUnwatched: nobody watches when it comes back.
func backUnwatched(ctx context.Context, r *run) error {
	if err := r.lose(ctx, killed); err != nil {
		return err
	}
	old, failover := r.old, r.op
	if err := r.lab.StopMppd(ctx); err != nil {
		return err
	}
	r.api.Close()
	for _, p := range r.pool.VIPs() {
		if err := old.AddAddress(p); err != nil {
			return err
		}
	}
	if err := old.Start(ctx); err != nil {
		return err
	}
	w := watchServer(ctx, old)
	asked, stop := r.balancerAsks(ctx, old)
	began := time.Now()
	if err := r.lab.StartMppd(ctx, r.mppd); err != nil {
		stop()
		w.stop()
		return err
	}
	_, when, err := w.fenced(ctx, takeOverLimit)
	if err != nil {
		stop()
		return err
	}
	r.took, r.measured = when.Sub(began), true
	err = r.well(ctx, readyLimit)
	stop()
	if ups := <-asked; ups != "" {
		return fmt.Errorf("a load balancer was told that %s is the writer: %s", old.Name, ups)
	}
	if err != nil {
		return err
	}
	r.op = failover
	return r.account(ctx, true)
}

// balancerAsks asks, as a load balancer does, whether a node is the writer, until told to stop;
// then it hands on the first yes, "" for none.
func (r *run) balancerAsks(ctx context.Context, h *lab.Host) (<-chan string, context.CancelFunc) {
	ctx, stop := context.WithCancel(ctx)
	out := make(chan string, 1)
	go func() {
		yes := ""
		tick := time.NewTicker(5 * time.Millisecond)
		defer tick.Stop()
		c := socketClient(r.lab.Socket())
		defer c.CloseIdleConnections()
		for ctx.Err() == nil && yes == "" {
			request, err := http.NewRequestWithContext(ctx, http.MethodGet, "http://mppd/v1/check/writer/"+url.PathEscape(h.Server().Address()), nil)
			if err != nil {
				yes = err.Error()
				break
			}
			if answer, err := c.Do(request); err == nil {
				text, _ := io.ReadAll(answer.Body)
				_ = answer.Body.Close()
				if answer.StatusCode == http.StatusOK {
					yes = strings.TrimSpace(string(text))
				}
			}
			select {
			case <-ctx.Done():
			case <-tick.C:
			}
		}
		out <- yes
	}()
	return out, stop
}
