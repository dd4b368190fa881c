package balancer

import (
	"bufio"
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"strings"
	"sync"
	"time"

	"github.com/rs/zerolog"
	"golang.org/x/net/netutil"

	"mpp"
	"mpp/publish/answer"
)

// The limits of the agent.
const (
	maxConnections = 256
	maxLine        = 512
	// lineTimeout is how long the line of agent-send may take. HAProxy sends it with the
	// connection; a server without agent-send sends nothing and waits for the answer.
	lineTimeout  = 50 * time.Millisecond
	writeTimeout = time.Second
)

// Agent answers HAProxy's agent-check. NewAgent makes one, Start opens the listener, Stop ends
// it for good.
type Agent struct {
	listen string
	view   func() *mpp.View
	log    zerolog.Logger

	ctx    context.Context
	cancel context.CancelFunc
	wg     sync.WaitGroup

	mu       sync.Mutex
	stopped  bool
	listener net.Listener
	open     map[net.Conn]struct{}
}

// NewAgent prepares an agent that listens on a TCP address and answers from view.
func NewAgent(listen string, view func() *mpp.View, log zerolog.Logger) *Agent {
	a := &Agent{listen: listen, view: view, log: log, open: map[net.Conn]struct{}{}}
	a.ctx, a.cancel = context.WithCancel(context.Background())
	return a
}

// Start opens the listener and answers until Stop.
func (a *Agent) Start() error {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped || a.listener != nil {
		return errors.New("start agent: it was started before")
	}
	l, err := new(net.ListenConfig).Listen(a.ctx, "tcp", a.listen)
	if err != nil {
		return fmt.Errorf("start agent: %w", err)
	}
	a.listener = netutil.LimitListener(l, maxConnections)
	a.wg.Go(a.accept)
	return nil
}

// Addr returns the address in use: it tells the port when the configured one was 0.
func (a *Agent) Addr() net.Addr {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.listener == nil {
		return nil
	}
	return a.listener.Addr()
}

// accept hands each connection to a goroutine of its own. It returns when the listener is
// closed.
func (a *Agent) accept() {
	pause := time.NewTimer(0)
	defer pause.Stop()
	for {
		c, err := a.listener.Accept()
		if errors.Is(err, net.ErrClosed) {
			return
		}
		if err != nil { // out of file descriptors, say: it may pass
			a.log.Warn().Err(err).Msg("the agent cannot accept a connection")
			pause.Reset(lineTimeout)
			select {
			case <-pause.C:
				continue
			case <-a.ctx.Done():
				return
			}
		}
		if !a.keep(c) {
			_ = c.Close()
			return
		}
		a.wg.Go(func() {
			defer a.drop(c)
			a.serve(c)
		})
	}
}

func (a *Agent) keep(c net.Conn) bool {
	a.mu.Lock()
	defer a.mu.Unlock()
	if a.stopped {
		return false
	}
	a.open[c] = struct{}{}
	return true
}

func (a *Agent) drop(c net.Conn) {
	_ = c.Close()
	a.mu.Lock()
	defer a.mu.Unlock()
	delete(a.open, c)
}

// serve answers one connection.
func (a *Agent) serve(c net.Conn) {
	_ = c.SetReadDeadline(time.Now().Add(lineTimeout))
	line, _ := bufio.NewReaderSize(io.LimitReader(c, maxLine), maxLine).ReadString('\n')
	_ = c.SetWriteDeadline(time.Now().Add(writeTimeout))
	_, _ = io.WriteString(c, Reply(line, a.view(), time.Now())+"\n")
}

// Stop closes the listener and ends the connections that are left when ctx ends. It may be
// called more than once.
func (a *Agent) Stop(ctx context.Context) {
	a.mu.Lock()
	a.stopped = true
	if a.listener != nil {
		_ = a.listener.Close()
	}
	a.mu.Unlock()
	a.cancel()
	done := make(chan struct{})
	go func() {
		a.wg.Wait()
		close(done)
	}()
	select {
	case <-done:
		return
	case <-ctx.Done():
	}
	a.mu.Lock()
	for c := range a.open {
		_ = c.Close()
	}
	a.mu.Unlock()
	<-done
}

// Reply answers the line that agent-send sends, such as "role=writer pool=db1
// node=10.0.0.1:3306"; pool may be left out.
//
// A node that may be used is "up ready 100%": "up" alone does not end a drain. A node that
// is well, and not for this role, is "maint" for the writer's role, which ends its
// connections where on-marked-down says so, and "drain" for the others. Anything else is
// "down" with the reason.
func Reply(line string, view *mpp.View, now time.Time) string {
	q, wrong := question(line)
	if wrong != "" {
		return down(wrong)
	}
	r := answer.To(q, view, now)
	switch {
	case r.Up:
		return "up ready 100%"
	case r.State == answer.Standby && q.Role == mpp.RoleWriter:
		return "maint"
	case r.State == answer.Standby:
		return "drain"
	default:
		return down(r.Reason)
	}
}

// down is the negative answer. The space before # matters: without it HAProxy ignores the
// whole answer.
func down(reason string) string { return "down #" + reason }

func question(line string) (q answer.Question, wrong string) {
	for word := range strings.FieldsSeq(line) {
		key, value, _ := strings.Cut(word, "=")
		switch key {
		case "role":
			q.Role = mpp.Role(value)
		case "pool":
			q.Pool = value
		case "node":
			q.Node = value
		default:
			return q, answer.OneLine(`agent-send must be like "role=writer node=10.0.0.1:3306\n"; unknown: ` + key)
		}
	}
	if q.Role == "" || q.Node == "" {
		return q, `agent-send must be like "role=writer node=10.0.0.1:3306\n"`
	}
	return q, ""
}
