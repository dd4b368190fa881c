package daemon

import (
	"context"
	"errors"
	"fmt"
	"path/filepath"
	"sync"
	"time"

	"mpp"
	"mpp/action"
	"mpp/config"
	"mpp/crew"
	"mpp/report"
)

// steps is what the loop asks to carry out steps.
type steps interface {
	Run(t mpp.Task)
}

// keeper keeps the reports of operations that have ended.
type keeper interface {
	Keep(op *mpp.Operation) error
}

// reportsDir and savedDir are folders below the state directory: the reports of operations, and
// the transactions of nodes that came back with more than the ACTIVE one has.
const (
	reportsDir = "operations"
	savedDir   = "saved"
)

func (d *Daemon) newRunner() *action.Runner {
	return action.New(action.Options{Report: d.stepEnded, Spool: filepath.Join(d.stateDir, savedDir), Log: d.log})
}

func newReports(stateDir string) *report.Store {
	return report.New(filepath.Join(stateDir, reportsDir))
}

// stepEnded hands what came of a step to the loop.
func (d *Daemon) stepEnded(pool string, r mpp.StepResult) {
	d.loop.inbox <- message{input: mpp.Input{Pool: pool, StepResult: &r}}
}

// crews are the pools with an engine, as their steps need them.
func crews(c *config.Config) []action.Pool {
	var all []action.Pool
	for i := range c.Pools {
		if p := &c.Pools[i]; p.Engine != mpp.EngineNone {
			all = append(all, crew.Of(p))
		}
	}
	return all
}

// addressWatch looks where the pools' virtual addresses are.
type addressWatch struct {
	d    *Daemon
	mu   sync.Mutex
	stop context.CancelFunc
	wait sync.WaitGroup
}

// set begins to watch the pools of a configuration, in the place of those before.
func (w *addressWatch) set(c *config.Config) {
	w.close()
	ctx, cancel := context.WithCancel(context.Background())
	w.mu.Lock()
	w.stop = cancel
	w.mu.Unlock()
	for i := range c.Pools {
		p := &c.Pools[i]
		if p.Engine == mpp.EngineNone || p.VIP.Kind == config.VIPNone {
			continue
		}
		w.wait.Go(func() { w.watch(ctx, p.Name, p.VIP.WatchInterval) })
	}
}

// watch looks again and again. A look that hangs delays only its own node: the next one begins
// beside it, and no later than its limit.
func (w *addressWatch) watch(ctx context.Context, pool string, every time.Duration) {
	ticker := time.NewTicker(every)
	defer ticker.Stop()
	for {
		limited, cancel := context.WithTimeout(ctx, every)
		w.d.runner.Look(limited, pool, func(r mpp.AddressReport) {
			select {
			case w.d.loop.inbox <- message{input: mpp.Input{Pool: pool, AddressReport: &r}}:
			case <-ctx.Done():
			}
		})
		select {
		case <-ctx.Done():
			cancel()
			return
		case <-ticker.C:
			cancel()
		}
	}
}

func (w *addressWatch) close() {
	w.mu.Lock()
	stop := w.stop
	w.stop = nil
	w.mu.Unlock()
	if stop != nil {
		stop()
	}
	w.wait.Wait()
}

// keep writes the report of an operation that has ended, before the journal forgets it.
func (l *loop) keep(op *mpp.Operation) {
	l.ended(op)
	if err := l.reports.Keep(op); err != nil {
		l.tell(mpp.Event{
			At: op.Ended, Kind: mpp.EventDaemon, Severity: mpp.Critical, Rule: "report", Pool: op.Pool,
			Text: fmt.Sprintf("the report of operation %d cannot be kept: %v", op.ID, err),
		})
	}
}

// tellMetrics lets the metrics know the operations of earlier runs, the oldest first.
func (d *Daemon) tellMetrics() {
	list, err := d.reports.List("", 0)
	if err != nil {
		d.log.Error().Err(err).Msg("reports of operations cannot be read")
	}
	for i := len(list) - 1; i >= 0; i-- {
		d.metrics.Known(&list[i])
	}
}

// Operations lists what has ended, the newest first, with what is under way before it.
func (s source) Operations(pool string, limit int) ([]mpp.Operation, error) {
	list := s.underWay(pool)
	ended, err := s.d.reports.List(pool, limit)
	return append(list, ended...), err
}

// underWay are the operations that have not ended.
func (s source) underWay(pool string) []mpp.Operation {
	list := []mpp.Operation{}
	v := s.View()
	for i := range v.Pools {
		p := &v.Pools[i]
		if pool != "" && p.Name != pool {
			continue
		}
		for _, op := range append([]*mpp.Operation{p.Operation}, p.Repairs...) {
			if op != nil && op.Outcome == "" {
				list = append(list, *op)
			}
		}
	}
	return list
}

// Operation returns one operation, under way or ended.
func (s source) Operation(pool string, id uint64) (mpp.Operation, bool) {
	for _, op := range s.underWay(pool) {
		if op.ID == id {
			return op, true
		}
	}
	op, found, err := s.d.reports.Get(pool, id)
	if err != nil {
		s.d.log.Error().Err(err).Msg("a report cannot be read")
	}
	return op, found
}

// Readiness says what would happen if the ACTIVE node of a pool died now.
func (s source) Readiness(pool string) (mpp.Readiness, bool) {
	v := s.View()
	for i := range v.Pools {
		if p := &v.Pools[i]; p.Name == pool && p.Readiness != nil {
			return *p.Readiness, true
		}
	}
	return mpp.Readiness{}, false
}

// Statements are what each step of a plan would execute.
func (s source) Statements(op mpp.Operation) [][]string { return s.d.runner.Statements(&op) }

// Doctor tries everything that an operation of the pool will need.
func (s source) Doctor(ctx context.Context, pool string) (mpp.Diagnosis, error) {
	diagnosis, known := s.d.runner.Doctor(ctx, pool)
	if !known {
		return mpp.Diagnosis{}, errors.New("diagnose pool: " + pool + " has no engine that promotes: there is nothing to try")
	}
	v := s.View()
	for i := range v.Pools {
		if v.Pools[i].Name == pool {
			diagnosis.Findings = append(diagnosis.Findings, settingsOf(&v.Pools[i])...)
		}
	}
	return diagnosis, nil
}

// settingsOf are the findings about servers' settings, as the polls know them.
func settingsOf(p *mpp.PoolView) []mpp.Finding {
	var list []mpp.Finding
	for i := range p.Nodes {
		n := &p.Nodes[i]
		if n.Observation == nil || n.Observation.Server.Settings == nil {
			continue
		}
		for _, r := range n.Observation.Risks(n.State == mpp.Active, n.NoPromote) {
			f := mpp.Finding{Node: n.Address, What: "setting " + r.Code, Status: r.Severity, Text: r.Text}
			if r.Severity >= mpp.Critical {
				f.Status = mpp.Fail
			}
			list = append(list, f)
		}
	}
	return list
}

// noteAcknowledged writes into the reports that an operator has seen to them; 0 means all of the
// pool that stopped.
func (s source) noteAcknowledged(pool string, id uint64) {
	list, err := s.d.reports.List(pool, 0)
	for i := range list {
		op := &list[i]
		if op.Kind != mpp.OpFailover || op.Outcome != mpp.Stopped || !op.Acknowledged.IsZero() || (id != 0 && op.ID != id) {
			continue
		}
		op.Acknowledged = time.Now()
		err = errors.Join(err, s.d.reports.Keep(op))
	}
	if err != nil {
		s.d.log.Error().Err(err).Msg("a report does not say that it was acknowledged")
	}
}
