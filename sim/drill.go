package sim

import (
	"container/heap"
	"encoding/json"
	"fmt"
	"math/rand/v2"
	"time"

	"mpp"
	"mpp/pool"
)

// drill is one history of a pool with an engine: servers with data, clients that write, a manager
// that polls and carries out steps, and a fault.
type drill struct {
	fault Fault
	rng   *rand.Rand
	now   time.Time
	queue queue
	seq   int

	policy  pool.Policy
	arbiter *pool.Arbiter
	// disk is what the journal holds: what the arbiter asked to be written down.
	disk mpp.PoolMemory
	// down says that the manager does not run; life counts its lives, so that what an earlier one
	// was waiting for never arrives.
	down    bool
	life    int
	watches []watch
	// frozenUntil is when the manager's process goes on.
	frozenUntil time.Time
	// cutOff says that the manager's own network is gone.
	cutOff bool

	mariadb, semi      bool
	semiTimeout, retry time.Duration
	servers            []*server
	linkCut            [4][4]bool
	writes             []write
	lastWrite          time.Time
	lastWriter         int
	// upAsWriter are the nodes that load balancers are told to write to.
	upAsWriter []bool
	// loss is the chance that a poll is lost on the way.
	loss float64

	// errands are the steps under way; started counts them by operation.
	errands []*errand
	started map[uint64]int
	// meddle says what goes wrong with a step; nil means nothing.
	meddle  func(t *mpp.Task) mischief
	mishaps int
	// onTask is called with each step that begins, onResult when one has ended.
	onTask, onResult func(t *mpp.Task)

	watched judgement
	report  *Drills
	trace   func(line string)
}

// tell tells what happens.
func (d *drill) tell(format string, args ...any) {
	if d.trace != nil {
		d.trace(fmt.Sprintf("%8.3f ", d.now.Sub(time.Unix(1_000_000, 0)).Seconds()) + fmt.Sprintf(format, args...))
	}
}

// event is something that is to happen.
type event struct {
	at  time.Time
	seq int
	do  func() error
}

// queue is a heap of events.
type queue []event

func (q queue) Len() int { return len(q) }
func (q queue) Less(i, j int) bool {
	return q[i].at.Before(q[j].at) || (q[i].at.Equal(q[j].at) && q[i].seq < q[j].seq)
}
func (q queue) Swap(i, j int) { q[i], q[j] = q[j], q[i] }

// Push is for package heap.
func (q *queue) Push(x any) { *q = append(*q, x.(event)) }

// Pop is for package heap.
func (q *queue) Pop() any {
	last := (*q)[len(*q)-1]
	*q = (*q)[:len(*q)-1]
	return last
}

// at plans something.
func (d *drill) at(when time.Time, do func() error) {
	d.seq++
	heap.Push(&d.queue, event{when, d.seq, do})
}

// in plans something for after a while.
func (d *drill) in(wait time.Duration, do func()) {
	d.at(d.now.Add(wait), func() error { do(); return nil })
}

func (d *drill) chance(p float64) bool { return p > 0 && d.rng.Float64() < p }

// between is a duration between two.
func (d *drill) between(from, to time.Duration) time.Duration {
	return from + time.Duration(d.rng.Int64N(int64(to-from)+1))
}

// flowEvery is how often clients write and replicas receive.
const flowEvery = 40 * time.Millisecond

// RunDrill plays the history of a fault and a seed, and counts it in report. The error says which
// invariant was broken. What happens is told to trace, if there is one.
func RunDrill(fault Fault, seed uint64, report *Drills, trace func(line string)) error {
	d := &drill{fault: fault, rng: rand.New(rand.NewPCG(seed, 0x6472696c6c)), report: report, started: map[uint64]int{}, trace: trace}
	d.now = time.Unix(1_000_000, 0).UTC()
	d.setUp()
	report.Histories++
	if err := d.play(); err != nil {
		return fmt.Errorf("fault %q, seed %d, %s after the start: %w", fault.Name, seed, d.now.Sub(time.Unix(1_000_000, 0)), err)
	}
	return nil
}

// play lets everything happen until the pool has come to rest.
func (d *drill) play() error {
	begin := d.now
	d.at(d.now, d.pulse)
	d.at(d.now.Add(d.between(0, time.Second)), d.looks)
	for i := range d.servers {
		d.planPoll(i, d.now.Add(d.between(0, 300*time.Millisecond)))
	}
	cause := d.between(600*time.Millisecond, 1600*time.Millisecond)
	d.in(cause, func() {
		d.tell("the fault strikes")
		d.watched.cause = d.now
		d.fault.cause(d)
	})
	for {
		e := heap.Pop(&d.queue).(event)
		d.now = e.at
		if err := e.do(); err != nil {
			return err
		}
		if err := d.holdWorld(); err != nil {
			return err
		}
		switch passed := d.now.Sub(begin); {
		case passed > longest:
			return fmt.Errorf("the pool has not come to rest within %s: %s", longest, d.state())
		case passed > cause+d.fault.least && d.atRest():
			return d.judge()
		}
	}
}

// longest bounds a history.
const longest = 3 * time.Minute

// pulse lets clients write, and a little later replication go on, again and again.
func (d *drill) pulse() error {
	d.clientWrites()
	d.in(d.between(0, flowEvery), d.flow)
	d.at(d.now.Add(flowEvery), d.pulse)
	return nil
}

// looksEvery is how often hosts are looked at for the address.
const looksEvery = time.Second

func (d *drill) looks() error {
	d.at(d.now.Add(looksEvery), d.looks)
	if err := d.tryCheckpoint(); err != nil {
		return err
	}
	return d.look()
}

func (d *drill) tryCheckpoint() error {
	if d.down || len(d.policy.Checkpoints) == 0 || d.now.Before(d.frozenUntil) {
		return nil
	}
	r := mpp.CheckpointResult{Name: d.policy.Checkpoints[0].Name, At: d.now, Reached: !d.cutOff}
	return d.input(mpp.Input{Checkpoint: &r})
}

// input gives the manager something, and carries out what it answers.
func (d *drill) input(in mpp.Input) error {
	if d.down {
		return nil
	}
	if d.now.Before(d.frozenUntil) {
		life := d.life
		d.at(d.frozenUntil, func() error {
			if d.life != life {
				return nil
			}
			return d.input(in)
		})
		return nil
	}
	in.At, in.Pool = d.now, d.policy.Name
	d.report.Steps++
	return d.carryOut(d.arbiter.Step(d.now, in))
}

// carryOut does what the arbiter asks for: first what is to be written down, as the daemon does.
func (d *drill) carryOut(actions []mpp.Action) error {
	if err := d.holdActions(actions); err != nil {
		return err
	}
	for i := range actions {
		if actions[i].Kind == mpp.ActionPersist {
			d.persist(actions[i].Node)
		}
	}
	changed := false
	for i := range actions {
		changed = true
		if err := d.act(&actions[i]); err != nil {
			return err
		}
	}
	if changed || d.now.Sub(d.watched.answered) > 200*time.Millisecond {
		return d.holdAnswers()
	}
	return nil
}

// persist writes a node, or the head, down.
func (d *drill) persist(node string) {
	if node == "" {
		nodes := d.disk.Nodes
		d.disk = d.arbiter.Head()
		d.disk.Nodes = nodes
		return
	}
	m, known := d.arbiter.NodeMemory(node)
	for i := range d.disk.Nodes {
		if d.disk.Nodes[i].Address == node {
			d.disk.Nodes[i] = m
			return
		}
	}
	if known {
		d.disk.Nodes = append(d.disk.Nodes, m)
	}
}

func (d *drill) act(a *mpp.Action) error {
	switch a.Kind {
	case mpp.ActionLane:
		i := d.indexOf(a.Node)
		if i < 0 {
			return nil
		}
		w := &d.watches[i]
		w.lane = a.Lane
		if !w.busy {
			d.planPoll(i, later(w.last.Add(every(w.lane)), d.now))
		}
	case mpp.ActionPoll:
		if i := d.indexOf(a.Node); i >= 0 && !d.watches[i].busy {
			d.planPoll(i, d.now)
		}
	case mpp.ActionCheckpoints:
		d.at(d.now.Add(leastTook), d.tryCheckpoint)
	case mpp.ActionEvent:
		d.tell("%s", a.Event.Text)
	case mpp.ActionRun:
		d.begin(a.Task)
	case mpp.ActionReport:
		return d.holdReport(a.Operation)
	default:
	}
	return nil
}

// indexOf is the server at an address, -1 for none.
func (d *drill) indexOf(address string) int {
	for i, s := range d.servers {
		if s.address == address {
			return i
		}
	}
	return -1
}

// isActive reports whether the manager takes node i for the ACTIVE one.
func (d *drill) isActive(i int) bool {
	m, known := d.arbiter.NodeMemory(d.servers[i].address)
	return known && m.State == mpp.Active
}

// active is the ACTIVE server, nil for none.
func (d *drill) active() *server {
	for i, s := range d.servers {
		if d.isActive(i) {
			return s
		}
	}
	return nil
}

// killManager ends the manager at once, and starts it again after a while from what is on disk.
func (d *drill) killManager(away time.Duration) {
	if d.down {
		return
	}
	d.tell("the manager is killed, for %s", away)
	d.down = true
	d.life++
	d.report.Restarts++
	d.orphanErrands()
	d.at(d.now.Add(away), func() error {
		text, err := json.Marshal(d.disk)
		if err != nil {
			return fmt.Errorf("write the memory: %w", err)
		}
		var memory mpp.PoolMemory
		if err := json.Unmarshal(text, &memory); err != nil {
			return fmt.Errorf("read the memory: %w", err)
		}
		d.down = false
		d.arbiter = pool.New(d.policy, memory)
		for i := range d.servers {
			d.watches[i] = watch{lane: mpp.LaneNormal, turn: d.watches[i].turn + 1, took: d.watches[i].took}
			d.planPoll(i, d.now.Add(d.between(0, 50*time.Millisecond)))
		}
		return d.holdRestart(memory)
	})
}
