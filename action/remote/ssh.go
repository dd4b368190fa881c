package remote

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strconv"
	"strings"
	"sync"
	"time"
)

// Options say how a host is reached by ssh.
type Options struct {
	// Host is a name or an address, without a port.
	Host string
	// Port is 22 when 0, User root when empty.
	Port int
	User string
	// KeyFile is a private key without a passphrase; KnownHosts a file of ssh's known_hosts.
	KeyFile, KnownHosts string
	// Sudo runs everything through sudo -n.
	Sudo bool
	// Timeout bounds connecting and logging in, and each Run whose context has no deadline; 0
	// is 1 s.
	Timeout time.Duration
}

// Bounds of what one host is asked to do at a time. OpenSSH allows ten sessions a connection;
// the rest of them is for ending what hangs.
const (
	maxLanes   = 4
	maxStreams = 4
	// patience is how long a call waits for a connection that is in doubt, before it tries a
	// new one.
	patience = 50 * time.Millisecond
)

// SSH is a host that is reached by ssh. It is safe for concurrent use.
type SSH struct {
	o       Options
	address string
	lanes   chan struct{}
	streams chan struct{}
	// life ends with Close.
	life context.Context
	end  context.CancelFunc
	wg   sync.WaitGroup

	mu sync.Mutex
	// current is the connection that new calls use, nil when there is none; dialling is the
	// attempt under way.
	current  *link
	dialling *attempt
	closed   bool
}

// attempt is one connecting that several calls may wait for.
type attempt struct {
	done chan struct{}
	link *link
	err  error
}

// New returns a host that is reached by ssh. It connects when it is first needed.
func New(o Options) (*SSH, error) {
	switch {
	case o.Host == "":
		return nil, errors.New("make ssh host: it has no name")
	case o.KeyFile == "" || o.KnownHosts == "":
		return nil, fmt.Errorf("make ssh host %s: key_file and known_hosts are needed", o.Host)
	}
	if o.Port == 0 {
		o.Port = 22
	}
	if o.User == "" {
		o.User = "root"
	}
	o.Timeout = orDefault(o.Timeout)
	h := &SSH{
		o: o, address: net.JoinHostPort(o.Host, strconv.Itoa(o.Port)),
		lanes: make(chan struct{}, maxLanes), streams: make(chan struct{}, maxStreams),
	}
	h.life, h.end = context.WithCancel(context.Background())
	return h, nil
}

// String names the host as ssh's command line does.
func (h *SSH) String() string {
	if h.o.Port == 22 {
		return h.o.User + "@" + h.o.Host
	}
	return h.o.User + "@" + h.address
}

// Close ends the connection and every call, and waits for them.
func (h *SSH) Close() error {
	h.mu.Lock()
	h.closed = true
	h.end()
	h.mu.Unlock()
	h.wg.Wait()
	return nil
}

// Warm implements Host.
func (h *SSH) Warm(ctx context.Context) error {
	ctx, end, err := h.begin(ctx, h.o.Timeout)
	if err != nil {
		return err
	}
	defer end()
	l, err := h.connected(ctx)
	if err != nil {
		return err
	}
	l.release()
	return nil
}

// begin notes that a call is under way, which Close waits for, and bounds it: by the host's life,
// and by the timeout, unless that is 0 or the context has a deadline of its own.
func (h *SSH) begin(ctx context.Context, timeout time.Duration) (context.Context, func(), error) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if h.closed {
		return nil, nil, h.fail(Closed, "the host was closed", nil)
	}
	h.wg.Add(1)
	var cancel context.CancelFunc
	if timeout > 0 {
		ctx, cancel = bounded(ctx, timeout)
	} else {
		ctx, cancel = context.WithCancel(ctx)
	}
	stop := context.AfterFunc(h.life, cancel)
	return ctx, func() { stop(); cancel(); h.wg.Done() }, nil
}

// Run implements Host.
func (h *SSH) Run(ctx context.Context, command string) (Output, error) {
	if strings.ContainsRune(command, 0) {
		return Output{}, h.fail(Setup, "a command cannot have a zero byte in it", nil)
	}
	ctx, end, err := h.begin(ctx, h.o.Timeout)
	if err != nil {
		return Output{}, err
	}
	defer end()
	select {
	case h.lanes <- struct{}{}:
		defer func() { <-h.lanes }()
	case <-ctx.Done():
		return Output{}, h.fail(Deadline, fmt.Sprintf("%d other commands were under way there, and none ended in time", maxLanes), ctx.Err())
	}
	out, err := h.once(ctx, command)
	if errors.Is(err, errNotStarted) && ctx.Err() == nil {
		out, err = h.once(ctx, command)
	}
	return out, err
}

// once runs a command on the connection that there is, or on a new one.
func (h *SSH) once(ctx context.Context, command string) (Output, error) {
	l, err := h.connected(ctx)
	if err != nil {
		return Output{}, err
	}
	defer l.release()
	s, err := l.idleShell(ctx)
	if err != nil {
		return Output{}, err
	}
	return s.run(ctx, command)
}

// connected returns a connection to use, which must be released. It never waits for one that
// does not answer: that is left to its own end, and a new one is made.
func (h *SSH) connected(ctx context.Context) (*link, error) {
	for {
		l, doubt, a := h.choose()
		switch {
		case l != nil && doubt == nil:
			return l, nil
		case l != nil:
			if err := h.await(ctx, l, doubt); err != nil {
				return nil, err
			}
			continue
		}
		select {
		case <-a.done:
			if a.err != nil {
				return nil, a.err
			}
			if a.link.acquire() {
				return a.link, nil
			}
		case <-ctx.Done():
			return nil, h.fail(Deadline, "no connection in time", ctx.Err())
		}
	}
}

// choose returns the connection in use, acquired, or with a channel when it is in doubt; or the
// attempt to make one.
func (h *SSH) choose() (*link, <-chan struct{}, *attempt) {
	h.mu.Lock()
	defer h.mu.Unlock()
	if l := h.current; l != nil {
		if doubt := l.inDoubt(); doubt != nil {
			return l, doubt, nil
		}
		if l.acquire() {
			return l, nil, nil
		}
		h.current = nil
	}
	if h.dialling == nil {
		a := &attempt{done: make(chan struct{})}
		h.dialling = a
		h.wg.Go(func() { h.dial(a) })
	}
	return nil, nil, h.dialling
}

// await gives a connection in doubt a moment to answer, and drops it when it does not. If it does,
// what hangs on it will be ended soon.
func (h *SSH) await(ctx context.Context, l *link, doubt <-chan struct{}) error {
	t := time.NewTicker(patience)
	defer t.Stop()
	for answers := true; answers; {
		select {
		case <-doubt:
			return nil
		case <-ctx.Done():
			return h.fail(Deadline, "the connection does not answer", ctx.Err())
		case <-t.C:
			answers = !l.silent()
		}
	}
	h.mu.Lock()
	if h.current == l {
		h.current = nil
	}
	h.mu.Unlock()
	l.abandon()
	return nil
}

// dial makes a connection, whoever waits for it.
func (h *SSH) dial(a *attempt) {
	ctx, cancel := context.WithTimeout(h.life, h.o.Timeout)
	defer cancel()
	a.link, a.err = h.connect(ctx)
	h.mu.Lock()
	h.dialling = nil
	if a.err == nil {
		h.current = a.link
	}
	h.mu.Unlock()
	close(a.done)
}

func (h *SSH) fail(kind Kind, text string, err error) error {
	if kind != Closed && h.life.Err() != nil {
		kind, text = Closed, "the host was closed"
	}
	return &Error{Kind: kind, Host: h.String(), Text: text, Err: err}
}
