package fakenode

import (
	"context"
	"fmt"
	"net"
	"net/netip"
	"sync"
	"time"
)

// Behaviour is how a node behaves.
type Behaviour string

// The behaviours.
const (
	// Healthy answers at once.
	Healthy Behaviour = "healthy"
	// Dead refuses connections, and has closed those that it had.
	Dead Behaviour = "dead"
	// Hung accepts connections and says nothing, on old ones neither.
	Hung Behaviour = "hung"
	// Slow answers each text of statements, and each login, after Options.SlowBy.
	Slow Behaviour = "slow"
)

// Options says what a node is. Only Profile must be set.
type Options struct {
	// Address is an IPv4 loopback address with a port; empty means 127.0.0.1, and port 0, or
	// none, any that is free.
	Address string
	Profile Profile
	// User and Password are the only account; an empty User lets everybody in.
	User, Password string
	// Behaviour is how it begins; empty means Healthy.
	Behaviour Behaviour
	// SlowBy is by how much a slow node is late; 0 means 100 ms.
	SlowBy time.Duration
}

// maxCached bounds how many different texts of statements have their answer kept.
const maxCached = 32

// Node is one fake server. Its methods may be called from any goroutine.
type Node struct {
	address        netip.AddrPort
	greeting       string
	user, password string
	slowBy         time.Duration
	wait           sync.WaitGroup
	ctx            context.Context // ends with Close
	cancel         context.CancelFunc

	mu        sync.Mutex
	behaviour Behaviour
	changed   chan struct{} // closed when the behaviour changes
	listener  net.Listener  // nil while dead
	conns     map[*session]struct{}
	logins    int
	lastID    uint32
	book      book
	cache     map[string]reply
	closed    bool
}

// Start starts a node; the error says why it cannot listen, or what is wrong with its answers.
func Start(o Options) (*Node, error) {
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	address, err := netip.ParseAddrPort(o.Address)
	if err != nil || !address.Addr().Is4() || !address.Addr().IsLoopback() {
		return nil, fmt.Errorf("start fake node %q: want an IPv4 loopback address with a port", o.Address)
	}
	if err := checkAnswers(o.Profile.Answers); err != nil {
		return nil, fmt.Errorf("start fake node %s: %w", o.Address, err)
	}
	if o.SlowBy == 0 {
		o.SlowBy = 100 * time.Millisecond
	}
	if o.Behaviour == "" {
		o.Behaviour = Healthy
	}
	n := &Node{
		address: address, greeting: o.Profile.Greeting, user: o.User, password: o.Password, slowBy: o.SlowBy,
		behaviour: Dead, changed: make(chan struct{}), conns: make(map[*session]struct{}), cache: make(map[string]reply),
		book: book{o.Profile.Variables, o.Profile.Status, o.Profile.Answers},
	}
	n.ctx, n.cancel = context.WithCancel(context.Background())
	if err := n.Become(Healthy); err != nil { // takes the port, for a dead node too
		return nil, err
	}
	if err := n.Become(o.Behaviour); err != nil {
		n.Close()
		return nil, err
	}
	return n, nil
}

// checkAnswers makes sure that every row fits its columns.
func checkAnswers(answers []Answer) error {
	for _, a := range answers {
		for _, row := range a.Rows {
			if len(row) != len(a.Columns) {
				return fmt.Errorf("answer to %s: a row of %d values for %d columns", a.Prefix, len(row), len(a.Columns))
			}
		}
	}
	return nil
}

// Address returns host:port.
func (n *Node) Address() string { return n.address.String() }

// Logins returns how many logins have succeeded.
func (n *Node) Logins() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.logins
}

// Answer makes r the result of every statement that starts with prefix, from now on, whatever
// the profile says.
func (n *Node) Answer(prefix string, r Result) error {
	a := Answer{prefix, r}
	if err := checkAnswers([]Answer{a}); err != nil {
		return fmt.Errorf("fake node %s: %w", n.address, err)
	}
	n.mu.Lock()
	defer n.mu.Unlock()
	n.book.answers = append(n.book.answers[:len(n.book.answers):len(n.book.answers)], a)
	clear(n.cache)
	return nil
}

// SetVariable changes a global variable, or removes it when value is nil.
func (n *Node) SetVariable(name string, value any) {
	n.mu.Lock()
	defer n.mu.Unlock()
	n.book.variables = Profile{Variables: n.book.variables}.WithVariables(map[string]any{name: value}).Variables
	clear(n.cache)
}

// Become changes the behaviour, for connections that there are, too. The error says that a
// dead node cannot have its port back.
func (n *Node) Become(b Behaviour) error {
	n.mu.Lock()
	defer n.mu.Unlock()
	if n.closed || b == n.behaviour {
		return nil
	}
	switch b {
	case Dead:
		_ = n.listener.Close()
		n.listener = nil
		for s := range n.conns {
			s.reset()
		}
	case Healthy, Hung, Slow:
		if err := n.listen(); err != nil {
			return err
		}
	default:
		return fmt.Errorf("fake node %s: there is no behaviour %q", n.address, b)
	}
	n.behaviour = b
	close(n.changed)
	n.changed = make(chan struct{})
	for s := range n.conns {
		if s.hanging {
			_ = s.conn.SetReadDeadline(time.Unix(1, 0))
		}
	}
	return nil
}

// hangs notes that a session is about to wait for its client to go, until the node is no
// longer hung; it returns false if it is not hung any more.
func (n *Node) hangs(s *session) bool {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.hanging = n.behaviour == Hung
	return s.hanging
}

// wakes notes that the session waits no more.
func (n *Node) wakes(s *session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	s.hanging = false
	_ = s.conn.SetReadDeadline(time.Time{})
}

// listen opens the port if it is closed; n.mu is held.
func (n *Node) listen() error {
	if n.listener != nil {
		return nil
	}
	l, err := net.ListenTCP("tcp4", net.TCPAddrFromAddrPort(n.address))
	if err != nil {
		return fmt.Errorf("start fake node: %w", err)
	}
	n.listener = l
	n.address = l.Addr().(*net.TCPAddr).AddrPort()
	n.wait.Go(func() { n.accept(l) })
	return nil
}

// accept serves connections until its listener is closed.
func (n *Node) accept(l *net.TCPListener) {
	for {
		conn, err := l.AcceptTCP()
		if err != nil {
			return
		}
		s := newSession(n, conn)
		n.mu.Lock()
		if n.listener != l {
			n.mu.Unlock()
			_ = conn.Close()
			return
		}
		n.lastID++
		s.id = n.lastID
		n.conns[s] = struct{}{}
		n.wait.Go(s.serve)
		n.mu.Unlock()
	}
}

// gone forgets a connection.
func (n *Node) gone(s *session) {
	n.mu.Lock()
	defer n.mu.Unlock()
	delete(n.conns, s)
}

// now returns the behaviour, and what is closed when it changes.
func (n *Node) now() (Behaviour, <-chan struct{}) {
	n.mu.Lock()
	defer n.mu.Unlock()
	return n.behaviour, n.changed
}

// reply returns the answer to a text of statements.
func (n *Node) reply(text []byte) reply {
	n.mu.Lock()
	defer n.mu.Unlock()
	if r, known := n.cache[string(text)]; known {
		return r
	}
	r := n.book.encode(string(text))
	if len(n.cache) < maxCached {
		n.cache[string(text)] = r
	}
	return r
}

// Close ends the node and waits for its goroutines.
func (n *Node) Close() {
	n.mu.Lock()
	n.closed = true
	if n.listener != nil {
		_ = n.listener.Close()
		n.listener = nil
	}
	n.cancel()
	for s := range n.conns {
		s.reset()
	}
	n.mu.Unlock()
	n.wait.Wait()
}

// Connections returns how many connections there are.
func (n *Node) Connections() int {
	n.mu.Lock()
	defer n.mu.Unlock()
	return len(n.conns)
}
