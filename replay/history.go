// Package replay feeds recorded or hand-written polls through the very code that the daemon
// runs, package pool, and tells what it would have done.
//
// Two kinds of input are understood: histories, one JSON object a line with a pool and its
// cycles (docs/replay.md), and recordings, the marks and inputs that mppd keeps. The package
// reads only the readers that it is given; time comes from the recording, or counts one
// second a cycle. To test with it, give Histories a strings.Reader.
package replay

import (
	"bufio"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"time"

	"mpp"
	"mpp/pool"
	"mpp/state"
)

// ErrDiffers says that a history came out otherwise than it expects; errors.Is finds it.
var ErrDiffers = errors.New("history differs from what it expects")

// maxLine bounds one history: 16 MiB holds tens of thousands of cycles.
const maxLine = 16 << 20

// History is one worked history.
type History struct {
	ID     string  `json:"id"`
	Pool   Pool    `json:"pool"`
	Cycles []Cycle `json:"cycles"`
}

// Pool is the pool of a history.
type Pool struct {
	Name            string     `json:"name"`
	Logic           mpp.Logic  `json:"logic"`
	Engine          mpp.Engine `json:"engine"`
	FailAfter       int        `json:"fail_after"`
	HostileTakeover bool       `json:"hostile_takeover"`
	Nodes           []PoolNode `json:"nodes"`
}

// PoolNode is a node of a history's pool.
type PoolNode struct {
	Address   string   `json:"address"`
	Type      mpp.Type `json:"type"`
	NoPromote bool     `json:"no_promote,omitempty"`
}

// Cycle is one round of polls: recover is applied first, then each node is polled in pool
// order with its outcome: "ok", "connect" (a reach failure) or "request" (a replica failure).
type Cycle struct {
	Checks  map[string]string `json:"checks"`
	Recover []string          `json:"recover,omitempty"`
	Expect  map[string]Expect `json:"expect,omitempty"`
}

// Expect is what a node should be after a cycle; nil Errors and empty Reason are not compared.
type Expect struct {
	State  mpp.State      `json:"state"`
	Errors *int           `json:"errors,omitempty"`
	Reason mpp.FailReason `json:"reason,omitempty"`
}

// NodeLine is a node in the printed line of a cycle.
type NodeLine struct {
	State  mpp.State      `json:"state"`
	Reason mpp.FailReason `json:"reason,omitempty"`
	Status mpp.Status     `json:"status"`
	Errors int            `json:"errors"`
}

// CycleLine is what is printed for a cycle.
type CycleLine struct {
	ID    string              `json:"id"`
	Cycle int                 `json:"cycle"`
	Nodes map[string]NodeLine `json:"nodes"`
}

// Options steer a replay.
type Options struct {
	// Name names the input in errors, such as its file.
	Name string
	// Verify compares with what histories expect and prints nothing.
	Verify bool
	// Policy changes a pool's policy before it runs; nil leaves it as recorded.
	Policy func(pool.Policy) (pool.Policy, error)
	Out    io.Writer
}

// Histories runs every history of r. It returns how many there were; the error of a
// difference wraps ErrDiffers and says where.
func Histories(r io.Reader, o Options) (int, error) {
	lines := bufio.NewScanner(r)
	lines.Buffer(nil, maxLine)
	count := 0
	for number := 1; lines.Scan(); number++ {
		if len(lines.Bytes()) == 0 {
			continue
		}
		var h History
		if err := json.Unmarshal(lines.Bytes(), &h); err != nil {
			return count, fmt.Errorf("read %s: line %d is not a history: %w", o.Name, number, err)
		}
		if err := h.check(); err != nil {
			return count, fmt.Errorf("read %s: line %d: history %q: %w", o.Name, number, h.ID, err)
		}
		if err := h.run(o); err != nil {
			return count, fmt.Errorf("%s: line %d: %w", o.Name, number, err)
		}
		count++
	}
	if err := lines.Err(); err != nil {
		return count, fmt.Errorf("read %s: %w", o.Name, err)
	}
	return count, nil
}

// check finds what would make the history meaningless.
func (h *History) check() error {
	if len(h.Pool.Nodes) == 0 {
		return errors.New("the pool has no nodes")
	}
	known := make(map[string]bool, len(h.Pool.Nodes))
	for _, n := range h.Pool.Nodes {
		if n.Type != mpp.Primary && n.Type != mpp.Secondary {
			return fmt.Errorf("node %s: type %q is neither PRIMARY nor SECONDARY", n.Address, n.Type)
		}
		if known[n.Address] {
			return fmt.Errorf("node %s is there twice", n.Address)
		}
		known[n.Address] = true
	}
	for i, c := range h.Cycles {
		for address, outcome := range c.Checks {
			if !known[address] {
				return fmt.Errorf("cycle %d: the pool has no node %s", i, address)
			}
			if outcome != "ok" && outcome != "connect" && outcome != "request" {
				return fmt.Errorf("cycle %d: node %s: outcome %q is none of ok, connect, request", i, address, outcome)
			}
		}
		for _, address := range c.Recover {
			if !known[address] {
				return fmt.Errorf("cycle %d: recover: the pool has no node %s", i, address)
			}
		}
	}
	return nil
}

func (p Pool) policy() pool.Policy {
	ladder := state.DefaultLadder()
	if p.FailAfter > 0 {
		ladder.Fail = p.FailAfter
		ladder.Critical = min(ladder.Critical, p.FailAfter)
		ladder.Warn = min(ladder.Warn, p.FailAfter)
	}
	out := pool.Policy{
		Name: p.Name, Logic: p.Logic, Engine: p.Engine, Ladder: ladder, HostileTakeover: p.HostileTakeover,
		Readers: mpp.ReadersStandby, WhenStale: mpp.StaleDown, Interval: time.Second, StaleAfter: 5 * time.Second,
	}
	if out.Logic == "" {
		out.Logic = mpp.LogicFailover
	}
	if out.Engine == "" {
		out.Engine = mpp.EngineNone
	}
	for _, n := range p.Nodes {
		out.Nodes = append(out.Nodes, pool.NodePolicy{Address: n.Address, Type: n.Type, NoPromote: n.NoPromote})
	}
	return out
}

func (h *History) run(o Options) error {
	policy := h.Pool.policy()
	if o.Policy != nil {
		var err error
		if policy, err = o.Policy(policy); err != nil {
			return err
		}
	}
	arbiter := pool.New(policy, mpp.PoolMemory{})
	for i := range h.Cycles {
		now := time.Unix(int64(i), 0).UTC()
		h.Cycles[i].step(arbiter, h.Pool, now)
		if err := h.report(o, arbiter, i); err != nil {
			return err
		}
	}
	return nil
}

func (c *Cycle) step(a *pool.Arbiter, p Pool, now time.Time) {
	for _, address := range c.Recover {
		a.Step(now, mpp.Input{At: now, Pool: p.Name, Command: &mpp.Command{Verb: mpp.VerbRecover, Node: address, Force: true}})
	}
	for _, n := range p.Nodes {
		outcome, polled := c.Checks[n.Address]
		if !polled {
			continue
		}
		o := observation(n.Address, outcome, now)
		a.Step(now, mpp.Input{At: now, Pool: p.Name, Observation: &o})
	}
}

// observation is the poll that an outcome stands for.
func observation(address, outcome string, at time.Time) mpp.Observation {
	connect := mpp.CheckResult{Name: "connect", Class: mpp.Reach}
	replication := mpp.CheckResult{Name: "replication", Class: mpp.Replica}
	o := mpp.Observation{Node: address, At: at, Answered: true}
	switch outcome {
	case "connect":
		connect.Status, connect.Kind, connect.Message = mpp.Fail, mpp.KindRefused, "connection refused"
		o.Answered = false
		o.Checks = []mpp.CheckResult{connect}
	case "request":
		replication.Status, replication.Kind, replication.Message = mpp.Fail, mpp.KindReplicationStopped, "replication stopped"
		o.Checks = []mpp.CheckResult{connect, replication}
	default:
		o.Checks = []mpp.CheckResult{connect, replication}
	}
	return o
}

// report prints a cycle, or compares it with what is expected.
func (h *History) report(o Options, a *pool.Arbiter, cycle int) error {
	line := CycleLine{ID: h.ID, Cycle: cycle, Nodes: make(map[string]NodeLine, len(h.Pool.Nodes))}
	for _, n := range a.Memory().Nodes {
		line.Nodes[n.Address] = NodeLine{State: n.State, Reason: n.Reason, Status: n.Status, Errors: n.Errors}
	}
	if o.Verify {
		return h.compare(line, h.Cycles[cycle].Expect)
	}
	if err := o.print(line); err != nil {
		return fmt.Errorf("print cycle %d: %w", cycle, err)
	}
	return nil
}

// print writes one JSON line, with the characters of texts as they are.
func (o *Options) print(v any) error {
	e := json.NewEncoder(o.Out)
	e.SetEscapeHTML(false)
	return e.Encode(v)
}

func (h *History) compare(is CycleLine, expected map[string]Expect) error {
	for _, n := range h.Pool.Nodes {
		want, has := expected[n.Address]
		if !has {
			continue
		}
		got := is.Nodes[n.Address]
		differs := ""
		switch {
		case got.State != want.State:
			differs = fmt.Sprintf("state %s, expected %s", got.State, want.State)
		case want.Reason != "" && got.Reason != want.Reason:
			differs = fmt.Sprintf("reason %s, expected %s", got.Reason, want.Reason)
		case want.Errors != nil && got.Errors != *want.Errors:
			differs = fmt.Sprintf("errors %d, expected %d", got.Errors, *want.Errors)
		}
		if differs != "" {
			return fmt.Errorf("history %s, cycle %d, node %s: %s: %w", h.ID, is.Cycle, n.Address, differs, ErrDiffers)
		}
	}
	return nil
}
