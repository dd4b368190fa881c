package action

import (
	"context"
	"errors"
	"fmt"
	"sync"
	"time"

	"github.com/rs/zerolog"

	"mpp"
)

// overrun is how long after its limit a step may still report by itself.
const overrun = 300 * time.Millisecond

// Options say what a Runner needs.
type Options struct {
	// Report takes what came of each step. It may block for a moment, and is called from many
	// goroutines.
	Report func(pool string, r mpp.StepResult)
	// Spool is the folder that transactions are saved in which only a node that came back has.
	Spool string
	Log   zerolog.Logger
}

// Runner runs steps.
type Runner struct {
	o    Options
	ctx  context.Context
	stop context.CancelFunc
	all  sync.WaitGroup

	mu    sync.Mutex
	pools map[string]*crew
	// running are the steps under way, by number.
	running map[uint64]*errand
	last    uint64
}

// errand is a step under way.
type errand struct {
	task   mpp.Task
	cancel context.CancelCauseFunc
}

// errOvertaken ends a step of an older operation.
var errOvertaken = errors.New("a newer operation has taken over")

// New returns a Runner that knows no pools yet.
func New(o Options) *Runner {
	r := &Runner{o: o, pools: map[string]*crew{}, running: map[uint64]*errand{}}
	r.ctx, r.stop = context.WithCancel(context.Background())
	return r
}

// Run starts a step and returns.
func (r *Runner) Run(t mpp.Task) {
	ctx, cancel := context.WithCancelCause(r.ctx)
	r.mu.Lock()
	c := r.pools[t.Pool]
	if t.Kind == mpp.OpFailover {
		r.overtake(t)
	}
	if c != nil {
		c.busy.Add(1)
	}
	r.last++
	number := r.last
	r.running[number] = &errand{t, cancel}
	r.mu.Unlock()
	limited, end := context.WithTimeout(ctx, t.Step.Limit)
	r.all.Go(func() {
		defer func() {
			end()
			cancel(nil)
			r.mu.Lock()
			delete(r.running, number)
			r.mu.Unlock()
			if c != nil {
				c.busy.Done()
			}
		}()
		r.report(t, r.bounded(limited, c, t))
	})
}

// overtake ends what older operations of the pool still do; r.mu is held.
func (r *Runner) overtake(t mpp.Task) {
	for _, e := range r.running {
		if e.task.Pool == t.Pool && e.task.Operation < t.Operation {
			e.cancel(errOvertaken)
		}
	}
}

// bounded runs a step, and gives up on one that does not come back after its limit.
func (r *Runner) bounded(ctx context.Context, c *crew, t mpp.Task) mpp.StepResult {
	began := time.Now()
	done := make(chan mpp.StepResult, 1)
	go func() { done <- c.run(ctx, t) }()
	timer := time.NewTimer(t.Step.Limit + overrun)
	defer timer.Stop()
	var result mpp.StepResult
	select {
	case result = <-done:
	case <-timer.C:
		result = mpp.StepResult{Text: fmt.Sprintf("no end within %s", t.Step.Limit), Unreachable: true}
	}
	if !result.Done && errors.Is(context.Cause(ctx), errOvertaken) {
		result.Text = errOvertaken.Error()
	}
	result.Operation, result.Step, result.At, result.Took = t.Operation, t.Step.N, began, time.Since(began)
	return result
}

func (r *Runner) report(t mpp.Task, result mpp.StepResult) {
	level := zerolog.InfoLevel
	if !result.Done {
		level = zerolog.WarnLevel
	}
	r.o.Log.WithLevel(level).Str("pool", t.Pool).Uint64("operation", t.Operation).Int("step", t.Step.N).
		Str("kind", string(t.Step.Kind)).Str("node", t.Step.Node).Bool("done", result.Done).Dur("took", result.Took).Msg(result.Text)
	r.o.Report(t.Pool, result)
}

// Close ends all steps and connections, and waits for them as long as ctx allows.
func (r *Runner) Close(ctx context.Context) error {
	r.stop()
	r.mu.Lock()
	crews := r.pools
	r.pools = map[string]*crew{}
	r.mu.Unlock()
	for _, c := range crews {
		c.close()
	}
	done := make(chan struct{})
	go func() { r.all.Wait(); close(done) }()
	select {
	case <-done:
		return nil
	case <-ctx.Done():
		return fmt.Errorf("stop steps: %w", ctx.Err())
	}
}
