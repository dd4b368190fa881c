package action

import (
	"context"
	"errors"
	"fmt"
	"net"
	"path/filepath"
	"reflect"
	"slices"
	"strings"
	"sync"
	"time"

	"mpp"
	"mpp/action/hook"
	"mpp/action/native"
	"mpp/action/remote"
	"mpp/action/vip"
)

// Node is a node of a pool, as its steps need it.
type Node struct {
	Address string
	Account native.Account
	// Local says that the node's host is this one; otherwise SSH says how it is reached, and an
	// empty SSH.Host that it is not.
	Local bool
	Sudo  bool
	SSH   remote.Options
	// Interface is where the virtual address goes.
	Interface string
}

// Hook is a program with the phases that it is run at.
type Hook struct {
	hook.Hook
	Phases []string
}

// Pool is a pool with an engine.
type Pool struct {
	Name  string
	Nodes []Node
	// Native says how steps on servers are carried out; its Nodes and SaveDir are filled in here.
	Native native.Options
	// VIP says how the address is moved; its hosts and interfaces are filled in here.
	VIP   vip.Options
	Hooks []Hook
	// Shutdown turns a node off; no Program means that there is none.
	Shutdown hook.Hook
}

// crew carries out the steps of one pool.
type crew struct {
	pool   Pool
	hosts  map[string]remote.Host // by node; nil for those that cannot be reached
	native *native.Runner
	vip    *vip.Mover
	// busy counts the steps under way. It grows under Runner.mu only, while the crew is in force.
	busy sync.WaitGroup
}

// Set puts pools in force. What stays as it is keeps its connections. When a pool cannot be
// prepared, nothing is changed, and the error names it.
func (r *Runner) Set(pools []Pool) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	next := map[string]*crew{}
	var failed []error
	for _, p := range pools {
		if old := r.pools[p.Name]; old != nil && reflect.DeepEqual(old.pool, p) {
			next[p.Name] = old
			continue
		}
		c, err := r.hire(p)
		if err != nil {
			failed = append(failed, fmt.Errorf("pool %s: %w", p.Name, err))
			continue
		}
		next[p.Name] = c
	}
	before := r.pools
	if err := errors.Join(failed...); err != nil {
		before, next = next, before // the new ones are dismissed
		r.dismiss(before, next)
		return err
	}
	r.pools = next
	r.dismiss(before, next)
	return nil
}

// dismiss closes the crews of one set that are not in the other, each once its steps have ended: a
// reload must not end a promotion. Nobody waits for it; the loop starts steps meanwhile.
func (r *Runner) dismiss(these, butNot map[string]*crew) {
	for name, c := range these {
		if butNot[name] != c {
			r.all.Go(func() { c.busy.Wait(); c.close() })
		}
	}
}

// hire prepares a pool: it makes hosts, and begins to connect to servers.
func (r *Runner) hire(p Pool) (*crew, error) {
	c := &crew{pool: p, hosts: map[string]remote.Host{}}
	servers, address := p.Native, p.VIP
	address.Log = func(node, text string) { r.o.Log.Warn().Str("pool", p.Name).Str("node", node).Msg(text) }
	servers.SaveDir = filepath.Join(r.o.Spool, p.Name)
	address.Nodes = map[string]vip.Node{}
	for _, n := range p.Nodes {
		h, err := HostOf(n)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("node %s: %w", n.Address, err), c.closeHosts())
		}
		if h != nil {
			c.hosts[n.Address] = h
		}
		servers.Nodes = append(servers.Nodes, native.Node{Address: n.Address, Account: n.Account, Host: h})
		address.Nodes[n.Address] = vip.Node{Host: h, Interface: n.Interface, Name: c.sshHost(n.Address)}
	}
	var err error
	if c.native, err = native.New(servers); err != nil {
		return nil, errors.Join(err, c.closeHosts())
	}
	if c.vip, err = vip.New(address); err != nil {
		c.native.Close()
		return nil, errors.Join(err, c.closeHosts())
	}
	c.native.Start()
	r.all.Go(func() { c.warm(r.ctx) })
	return c, nil
}

// HostOf is where a node's commands run, nil for nowhere.
func HostOf(n Node) (remote.Host, error) {
	switch {
	case n.Local:
		return remote.NewLocal(n.Sudo, n.SSH.Timeout), nil
	case n.SSH.KeyFile == "":
		return nil, nil //nolint:nilnil // no host is no error
	default:
		return remote.New(n.SSH)
	}
}

// warm connects to the hosts beforehand.
func (c *crew) warm(ctx context.Context) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	for _, h := range c.hosts {
		go func() { _ = h.Warm(ctx) }() // a host that is down is told by the doctor and the watch
	}
}

func (c *crew) close() {
	c.native.Close()
	c.vip.Close()
	_ = c.closeHosts()
}

func (c *crew) closeHosts() error {
	var failed []error
	for _, h := range c.hosts {
		failed = append(failed, h.Close())
	}
	return errors.Join(failed...)
}

// run carries out one step.
func (c *crew) run(ctx context.Context, t mpp.Task) mpp.StepResult {
	if c == nil {
		return mpp.StepResult{Text: fmt.Sprintf("pool %s has no engine that promotes", t.Pool)}
	}
	node := t.Step.Node
	switch t.Step.Kind {
	case mpp.StepHook:
		return c.hooks(ctx, t)
	case mpp.StepShutdown:
		return outcome(node+" is off", c.shutdown(ctx, t))
	case mpp.StepRemoveAddress:
		return outcome("the address is not there", c.vip.Remove(ctx, node))
	case mpp.StepAddAddress:
		return outcome("the address is there and announced", c.vip.Add(ctx, node))
	case mpp.StepBinlogEnd:
		return c.binlogEnd(ctx, t.Step)
	case mpp.StepCheck:
		return c.check(ctx, t.Step, t.Step.Node == t.New)
	default:
		return c.native.Run(ctx, t.Step)
	}
}

// outcome is a result of a step that finds nothing out.
func outcome(text string, err error) mpp.StepResult {
	if err == nil {
		return mpp.StepResult{Done: true, Text: text}
	}
	return mpp.StepResult{Text: err.Error(), Unreachable: unreachable(err)}
}

// unreachable reports whether a host did not answer.
func unreachable(err error) bool {
	return remote.NoAnswer(err)
}

// hooks runs the programs of a phase, one after the other, and stops at the first that fails and
// may stop the operation. What others say when they fail is told, and stops nothing.
func (c *crew) hooks(ctx context.Context, t mpp.Task) mpp.StepResult {
	text := "hooks have run"
	for _, h := range c.pool.Hooks {
		if !slices.Contains(h.Phases, t.Step.Detail) {
			continue
		}
		err := h.Run(ctx, hook.Event{Phase: t.Step.Detail, Pool: t.Pool, At: time.Now(), Operation: t.Report})
		if err != nil && h.Abort {
			return outcome("", err)
		}
		if err != nil {
			text += "; it goes on without " + err.Error()
		}
	}
	return mpp.StepResult{Done: true, Text: text}
}

// shutdown turns a node off: PROGRAM ADDRESS HOST. Exit 0 is its word that the node takes no
// more writes.
func (c *crew) shutdown(ctx context.Context, t mpp.Task) error {
	host := c.sshHost(t.Step.Node)
	h := c.pool.Shutdown
	h.Args = []string{t.Step.Node, host}
	return h.Run(ctx, hook.Event{Phase: string(mpp.StepShutdown), Pool: t.Pool, At: time.Now(), Operation: t.Report, Node: t.Step.Node, Host: host})
}

// sshHost is the name of a node's host.
func (c *crew) sshHost(node string) string {
	for _, n := range c.pool.Nodes {
		if n.Address == node && n.SSH.Host != "" {
			return n.SSH.Host
		}
	}
	host, _, _ := net.SplitHostPort(node)
	return host
}

// binlogEnd finds the end of a dead server's binary log.
func (c *crew) binlogEnd(ctx context.Context, st mpp.Step) mpp.StepResult {
	h := c.hosts[st.Node]
	if h == nil {
		return mpp.StepResult{Text: "no commands can be run on its host (ssh)"}
	}
	log, size, err := native.BinlogEnd(ctx, h, st.Log)
	r := outcome(fmt.Sprintf("its binary log ends at %s:%d", log, size), err)
	if err == nil {
		r.Position = &mpp.Position{OwnLog: log, OwnPos: size}
	}
	return r
}

// check tries, without changing anything, what a plan needs of a node: of one that is to have the address,
// also whether it could be put there and announced.
func (c *crew) check(ctx context.Context, st mpp.Step, takesOver bool) mpp.StepResult {
	address := make(chan error, 1)
	go func() {
		if report := c.vip.Status(ctx, st.Node); !report.Known {
			address <- errors.New(report.Message)
			return
		}
		if takesOver && c.movesAddress() {
			if _, problems := c.vip.Check(ctx, st.Node); len(problems) > 0 {
				address <- errors.New(strings.Join(problems, "; "))
				return
			}
		}
		address <- nil
	}()
	r := c.native.Run(ctx, st)
	if err := <-address; err != nil && r.Done {
		r.Done, r.Text = false, "the virtual address: "+err.Error()
	}
	return r
}

// movesAddress reports whether the pool has a virtual address.
func (c *crew) movesAddress() bool { return c.pool.VIP.Kind != "" && c.pool.VIP.Kind != "none" }

// Look looks for a pool's virtual address on the host of each node, all at the same time.
func (r *Runner) Look(ctx context.Context, pool string, seen func(mpp.AddressReport)) {
	r.mu.Lock()
	c := r.pools[pool]
	r.mu.Unlock()
	if c == nil {
		return
	}
	for _, n := range c.pool.Nodes {
		r.all.Go(func() { seen(c.look(ctx, n.Address)) })
	}
}

// look looks at one host; one that holds the address is also asked who else answers for it.
func (c *crew) look(ctx context.Context, node string) mpp.AddressReport {
	report := c.vip.Status(ctx, node)
	if !report.Holds {
		return report
	}
	if mac, found, err := c.vip.Probe(ctx, node); err == nil && found {
		report.Foreign = mac
	}
	return report
}

// Statements are what each step of a plan would execute, for a dry run.
func (r *Runner) Statements(op *mpp.Operation) [][]string {
	r.mu.Lock()
	c := r.pools[op.Pool]
	r.mu.Unlock()
	list := make([][]string, len(op.Steps))
	for i := range op.Steps {
		list[i] = []string{}
		if c != nil {
			list[i] = c.statements(&op.Steps[i])
		}
	}
	return list
}

func (c *crew) statements(st *mpp.Step) []string {
	switch st.Kind {
	case mpp.StepHook:
		list := []string{}
		for _, h := range c.pool.Hooks {
			if slices.Contains(h.Phases, st.Detail) {
				list = append(list, h.Program+" (hook "+h.Name+")")
			}
		}
		return list
	case mpp.StepShutdown:
		return []string{c.pool.Shutdown.Program + " " + st.Node + " " + c.sshHost(st.Node)}
	case mpp.StepRemoveAddress:
		return c.vip.Statements(st.Node, false)
	case mpp.StepAddAddress:
		return c.vip.Statements(st.Node, true)
	default:
		return c.native.Statements(*st)
	}
}
