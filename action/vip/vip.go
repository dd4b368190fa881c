package vip

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"slices"
	"strings"
	"sync"
	"time"

	"mpp"
	"mpp/action/remote"
)

// Kind says how an address is moved.
type Kind string

// The kinds.
const (
	// None: there is no address.
	None Kind = "none"
	// Metal: it is put on the hosts' interfaces and announced.
	Metal Kind = "metal"
	// Exec: a program moves it.
	Exec Kind = "exec"
)

// Options say what a Mover moves, and how.
type Options struct {
	// Pool is its name, for Program.
	Pool string
	// Kind is None when empty.
	Kind Kind
	// Addresses have the full length of their family, /32 or /128. Kind Metal needs one.
	Addresses []netip.Prefix
	// Nodes are the pool's nodes by their addresses.
	Nodes map[string]Node
	// Program is for kind Exec. It is called with on, off or status and the addresses, and has
	// in its environment PATH, LC_ALL=C, MPP_POOL, MPP_NODE (host:port), MPP_HOST,
	// MPP_INTERFACE and MPP_ADDRESSES (with blanks between them), all without prefix lengths.
	// Exit status 0 says that it is done or, of status, that the node has the addresses; 1 of
	// status, that it does not; anything else is an error, told by the last line of standard
	// error. At its time limit it is killed with everything it has started.
	Program string
	// Timeout bounds each operation; 0 is 2 s.
	Timeout time.Duration
	// AnnounceFor is how long an address is announced again after a move; 0 announces it once.
	AnnounceFor time.Duration
	// Log gets a line about what does not fail an operation and still should be known; may be
	// nil. It must not block.
	Log func(node, text string)
}

// Node is where an address may go.
type Node struct {
	// Host is the node's host, which kind Metal needs. A *remote.Local without sudo is reached
	// by netlink.
	Host remote.Host
	// Interface gets the addresses.
	Interface string
	// Name is what Program gets as MPP_HOST; empty for the host of the node's address.
	Name string
}

// Mover moves the addresses of one pool.
type Mover struct {
	o     Options
	ctx   context.Context
	stop  context.CancelFunc
	nodes map[string]*place

	// wg counts the announcements in the background; once closed there are no new ones.
	mu     sync.Mutex
	wg     sync.WaitGroup
	closed bool
}

// New returns a Mover.
func New(o Options) (*Mover, error) {
	if o.Timeout <= 0 {
		o.Timeout = 2 * time.Second
	}
	if o.Log == nil {
		o.Log = func(string, string) {}
	}
	switch {
	case o.Kind == Exec && o.Program == "":
		return nil, errors.New("make mover of addresses: kind exec needs a program")
	case o.Kind == Metal && len(o.Addresses) == 0:
		return nil, errors.New("make mover of addresses: kind metal needs an address")
	case !slices.Contains([]Kind{"", None, Metal, Exec}, o.Kind):
		return nil, fmt.Errorf("make mover of addresses: there is no kind %q", o.Kind)
	}
	for _, a := range o.Addresses {
		if !a.IsSingleIP() || a.Addr().Is4In6() || a.Addr().Zone() != "" {
			return nil, fmt.Errorf("make mover of addresses: %s is neither a /32 of IPv4 nor a /128 of IPv6", a)
		}
	}
	for address, n := range o.Nodes {
		if odd := func(r rune) bool { return !strings.ContainsRune(plainLetters, r) }; o.Kind == Metal && strings.ContainsFunc(n.Interface, odd) {
			return nil, fmt.Errorf("make mover of addresses: node %s: %q is no name of an interface", address, n.Interface)
		}
	}
	m := &Mover{o: o, nodes: map[string]*place{}}
	m.ctx, m.stop = context.WithCancel(context.Background())
	for address, n := range o.Nodes {
		m.nodes[address] = newPlace(m, address, n)
	}
	return m, nil
}

// plainLetters are those of interfaces' names: none that a shell would do something with.
const plainLetters = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789._:@+-"

// Close ends the announcements and waits for them.
func (m *Mover) Close() {
	m.mu.Lock()
	m.closed = true
	m.stop()
	m.mu.Unlock()
	m.wg.Wait()
}

// Add puts the addresses on the node's host and announces them. It returns after the first
// announcement.
func (m *Mover) Add(ctx context.Context, node string) error {
	return m.move(ctx, node, "put address on", func(ctx context.Context, p *place) error { return p.way.add(ctx, p) })
}

// Remove takes the addresses off the node's host, whatever prefix they have and on whatever
// interface they are.
func (m *Mover) Remove(ctx context.Context, node string) error {
	return m.move(ctx, node, "take address off", func(ctx context.Context, p *place) error { return p.way.remove(ctx, p) })
}

// Announce tells the neighbours once more that the node's host has the addresses, which it must
// have.
func (m *Mover) Announce(ctx context.Context, node string) error {
	return m.move(ctx, node, "announce address of", func(ctx context.Context, p *place) error { return p.way.announce(ctx, p) })
}

// Status looks whether the node's host has the addresses.
func (m *Mover) Status(ctx context.Context, node string) mpp.AddressReport {
	r := mpp.AddressReport{Node: node, At: time.Now()}
	p, err := m.place(node)
	if err == nil {
		ctx, end := m.bounded(ctx)
		defer end()
		err = p.way.status(ctx, p, &r)
	}
	if err != nil {
		r.Message = err.Error()
	}
	return r
}

// Probe asks the network, from the node's host, whether anybody else has one of the addresses,
// and returns the hardware address of the first who says so. It waits up to 200 ms for an
// answer, changes nobody's cache, and can be asked whether the host itself has them or not. Of
// kinds Exec and None nothing is ever found.
func (m *Mover) Probe(ctx context.Context, node string) (mac string, found bool, err error) {
	p, err := m.place(node)
	if err != nil {
		return "", false, err
	}
	ctx, end := m.bounded(ctx)
	defer end()
	if mac, err = p.way.probe(ctx, p); err != nil {
		return "", false, fmt.Errorf("probe from %s: %w", node, err)
	}
	return mac, mac != "", nil
}

// Check tries, without changing anything, what a move will need of the node's host. The facts say
// what was found, such as the program that will announce; the problems, what would fail.
func (m *Mover) Check(ctx context.Context, node string) (facts, problems []string) {
	p, err := m.place(node)
	if err != nil {
		return nil, []string{err.Error()}
	}
	ctx, end := m.bounded(ctx)
	defer end()
	return p.way.check(ctx, p)
}

// Statements are the commands that Add or Remove stand for, for a dry run.
func (m *Mover) Statements(node string, add bool) []string {
	p, err := m.place(node)
	if err != nil {
		return []string{}
	}
	return p.way.statements(p, add)
}

// move runs an operation that changes something, after those that are under way on that host.
func (m *Mover) move(ctx context.Context, node, verb string, do func(context.Context, *place) error) error {
	p, err := m.place(node)
	if err != nil {
		return err
	}
	ctx, end := m.bounded(ctx)
	defer end()
	select {
	case p.turn <- struct{}{}:
		defer func() { <-p.turn }()
	case <-ctx.Done():
		return fmt.Errorf("%s %s: another move is under way there: %w", verb, node, ctx.Err())
	}
	if err := do(ctx, p); err != nil {
		return fmt.Errorf("%s %s: %w", verb, node, err)
	}
	return nil
}

func (m *Mover) place(node string) (*place, error) {
	p := m.nodes[node]
	if p == nil {
		return nil, fmt.Errorf("node %s is not of this pool", node)
	}
	return p, nil
}

func (m *Mover) bounded(ctx context.Context) (context.Context, func()) {
	ctx, cancel := context.WithTimeout(ctx, m.o.Timeout)
	stop := context.AfterFunc(m.ctx, cancel)
	return ctx, func() { stop(); cancel() }
}

// way is how addresses are moved: one for each Kind.
type way interface {
	add(ctx context.Context, p *place) error
	remove(ctx context.Context, p *place) error
	announce(ctx context.Context, p *place) error
	status(ctx context.Context, p *place, r *mpp.AddressReport) error
	probe(ctx context.Context, p *place) (mac string, err error)
	check(ctx context.Context, p *place) (facts, problems []string)
	statements(p *place, add bool) []string
}

// place is the host of one node.
type place struct {
	m    *Mover
	node string
	Node
	way way
	// turn is taken by whoever changes something.
	turn chan struct{}

	mu sync.Mutex
	// mac is the interface's hardware address as it was last seen, nil before that.
	mac net.HardwareAddr
	// quiet ends the announcements under way; nil when there are none.
	quiet context.CancelFunc
}

func newPlace(m *Mover, node string, n Node) *place {
	p := &place{m: m, node: node, Node: n, turn: make(chan struct{}, 1)}
	if p.Name == "" {
		p.Name, _, _ = net.SplitHostPort(node)
	}
	switch m.o.Kind {
	case Exec:
		p.way = program{}
	case Metal:
		p.way = metal{network: networkOf(n.Host), wanted: m.o.Addresses}
	default:
		p.way = nothing{}
	}
	return p
}

// networkOf is how a host's network is reached.
func networkOf(h remote.Host) network {
	switch h := h.(type) {
	case nil:
		return nil
	case *remote.Local:
		if !h.Sudo() {
			return local{}
		}
	}
	return shell{host: h}
}

// nothing is the way of kind None.
type nothing struct{}

// noAddress is what kind None says.
const noAddress = "the pool has no virtual address"

func (nothing) add(context.Context, *place) error      { return nil }
func (nothing) remove(context.Context, *place) error   { return nil }
func (nothing) announce(context.Context, *place) error { return nil }

func (nothing) status(_ context.Context, _ *place, r *mpp.AddressReport) error {
	r.Message = noAddress
	return nil
}

func (nothing) probe(context.Context, *place) (string, error) { return "", nil }

func (nothing) check(context.Context, *place) (facts, problems []string) {
	return []string{noAddress}, nil
}

func (nothing) statements(*place, bool) []string { return []string{} }
