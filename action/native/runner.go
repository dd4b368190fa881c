package native

import (
	"context"
	"database/sql/driver"
	"errors"
	"fmt"
	"sync"
	"time"

	"mpp"
	"mpp/link"
	"mpp/replication"
)

// Runner carries out the steps of one pool.
type Runner struct {
	o        Options
	accounts []replication.Account // of LockAccounts
	servers  map[string]*server

	stop context.Context
	halt context.CancelFunc
	work sync.WaitGroup // what goes on behind a step's back

	starting sync.Once
}

// The defaults of Options.
const (
	keepAlive    = 2 * time.Second
	connectLimit = 2 * time.Second
	stepLimit    = 10 * time.Second
)

// New makes the Runner of a pool; it connects to nothing yet. The error names every option that
// cannot work, and TLS files that cannot be read. Close it.
func New(o Options) (*Runner, error) {
	accounts, err := o.validate()
	if err != nil {
		return nil, fmt.Errorf("configure steps: %w", err)
	}
	o.KeepAlive = orElse(o.KeepAlive, keepAlive)
	o.ConnectLimit = orElse(o.ConnectLimit, connectLimit)
	r := &Runner{o: o, accounts: accounts, servers: map[string]*server{}}
	for _, n := range o.Nodes {
		c, err := n.connector()
		if err != nil {
			return nil, fmt.Errorf("configure steps of %s: %w", n.Address, err)
		}
		r.servers[n.Address] = &server{node: n, connector: c, limit: o.ConnectLimit}
	}
	r.stop, r.halt = context.WithCancel(context.Background())
	return r, nil
}

func orElse(d, otherwise time.Duration) time.Duration {
	if d <= 0 {
		return otherwise
	}
	return d
}

func (n *Node) connector() (driver.Connector, error) { return n.target().Connector() }

func (n *Node) target() link.Target {
	return link.Target{Address: n.Address, User: n.Account.User, Password: n.Account.Password, TLS: n.Account.TLS}
}

// Start keeps a connection to every node from now on. Without it, steps log in first.
func (r *Runner) Start() {
	r.starting.Do(func() {
		for _, v := range r.servers {
			r.work.Go(func() { v.tend(r.stop, r.o.KeepAlive) })
		}
	})
}

// Close ends the connections and what still goes on; steps that run end with an error.
func (r *Runner) Close() {
	r.halt()
	for _, v := range r.servers {
		v.close()
	}
	r.work.Wait()
}

// LogBase is where a node's binary logs are on its host: the path without the number. It is what
// the server said when it was last logged in to, "" when that is not known.
func (r *Runner) LogBase(node string) string {
	v := r.servers[node]
	if v == nil {
		return ""
	}
	v.mu.Lock()
	defer v.mu.Unlock()
	return v.logBase
}

// outcome is what a step found out; text is one line for people.
type outcome struct {
	text     string
	alive    bool
	position *mpp.Position
}

// Run does a step, and returns when it is done, or cannot be, or its limit is over: never later.
// The caller fills in StepResult.Operation.
func (r *Runner) Run(ctx context.Context, step mpp.Step) mpp.StepResult {
	begin := time.Now()
	ctx, cancel := context.WithTimeout(ctx, orElse(step.Limit, stepLimit))
	defer cancel()
	defer context.AfterFunc(r.stop, cancel)()
	out, err := r.run(ctx, step)
	if lost(err) && ctx.Err() == nil {
		out, err = r.run(ctx, step) // on a new connection: steps may be done twice
	}
	result := mpp.StepResult{
		Step: step.N, Done: err == nil, At: begin, Took: time.Since(begin),
		Text: out.text, Alive: out.alive, Position: out.position,
	}
	if err != nil {
		result.Text, result.Unreachable = describe(err), unreachable(err)
	}
	return result
}

// run finds the node and does the step in nine tenths of the time that is left: the rest is for
// finding out, when there was no answer, whether the server answers anything.
func (r *Runner) run(ctx context.Context, step mpp.Step) (outcome, error) {
	v := r.servers[step.Node]
	if v == nil {
		return outcome{}, fmt.Errorf("pool has no node %q", step.Node)
	}
	do := actions()[step.Kind]
	if do == nil {
		return outcome{}, fmt.Errorf("step %s is not done by SQL", step.Kind)
	}
	inner, cancel := context.WithTimeout(ctx, most(ctx))
	defer cancel()
	t := &task{r: r, server: v, step: step}
	defer t.end()
	out, err := do(inner, t)
	if err != nil && errors.Is(err, context.DeadlineExceeded) && inner.Err() != nil && !unreachable(err) {
		err = t.explain(ctx, err)
	}
	return out, err
}

// most is nine tenths of what is left of a context's time.
func most(ctx context.Context) time.Duration {
	end, ok := ctx.Deadline()
	if !ok {
		return stepLimit
	}
	left := time.Until(end)
	return left - min(left/10, 200*time.Millisecond)
}

// action does a step.
type action func(context.Context, *task) (outcome, error)

// actions are the steps that are done here.
func actions() map[mpp.StepKind]action {
	return map[mpp.StepKind]action{
		mpp.StepCheck:             check,
		mpp.StepReadOnly:          readOnly,
		mpp.StepWritable:          writable,
		mpp.StepAwaitTransactions: awaitTransactions,
		mpp.StepStopConnections:   stopConnections,
		mpp.StepAllowConnections:  allowConnections,
		mpp.StepEndSessions:       endSessions,
		mpp.StepStopReceiver:      stopReceiving,
		mpp.StepStartReplica:      startReplica,
		mpp.StepPosition:          readPosition,
		mpp.StepDrain:             drainStep,
		mpp.StepAwaitSet:          awaitSet,
		mpp.StepPromote:           promote,
		mpp.StepRepoint:           repoint,
		mpp.StepCopyFrom:          copyFrom,
		mpp.StepTestLink:          testLink,
		mpp.StepSemiSync:          semiSync,
		mpp.StepEventsOff:         eventsOff,
		mpp.StepEventsOn:          eventsOn,
		mpp.StepBinlogTail:        binlogTail,
		mpp.StepSaveExtra:         saveExtra,
		mpp.StepClone:             clone,
	}
}

// task is one step that runs, with the connections that it took.
type task struct {
	r      *Runner
	server *server
	step   mpp.Step
	taken  []*session
}

// session returns the step's connection, which it takes when it first needs it.
func (t *task) session(ctx context.Context) (*session, error) {
	if len(t.taken) > 0 && !t.taken[0].broken {
		return t.taken[0], nil
	}
	s, err := t.server.take(ctx)
	if err != nil {
		return nil, err
	}
	t.taken = append([]*session{s}, t.taken...)
	return s, nil
}

// login is a session of its own making: one that is open already says nothing of a password that was
// changed since.
func (t *task) login(ctx context.Context) (*session, error) {
	s, err := t.server.open(ctx)
	if err != nil {
		return nil, err
	}
	t.taken = append([]*session{s}, t.taken...)
	return s, nil
}

// another returns one more connection to the node, which the step must end by itself.
func (t *task) another(ctx context.Context) (*session, error) { return t.server.take(ctx) }

// end gives the connections back.
func (t *task) end() {
	for i := len(t.taken) - 1; i >= 0; i-- {
		t.server.put(t.taken[i])
	}
	t.taken = nil
}

// explain tells a server that does not answer from one that answers, but not to what was asked.
func (t *task) explain(ctx context.Context, err error) error {
	s, other := t.server.take(ctx)
	if other == nil {
		other = s.ping(ctx)
		t.server.put(s)
	}
	if other == nil {
		return fmt.Errorf("%w, though the server answers other things", err)
	}
	if answered(other) {
		return err
	}
	return &silence{err}
}
