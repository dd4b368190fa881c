package demo

import (
	"context"
	"fmt"
	"sync"
	"sync/atomic"
	"time"

	"mpp"
	"mpp/publish/api/client"
	"mpp/sandbox"
)

// followEvery is how often the demo asks MPP who is ACTIVE, as a load balancer would.
const followEvery = 100 * time.Millisecond

// balancer plays what a load balancer and a hook would do: the writer goes where MPP says,
// and that node is opened for writes.
type balancer struct {
	demo   *loopback
	client *client.Client
	active atomic.Pointer[string]
	writer *sandbox.Writer
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

func newBalancer(d *loopback) (*balancer, error) {
	c, err := client.New(client.Options{Socket: d.socket()})
	if err != nil {
		return nil, fmt.Errorf("ask mppd: %w", err)
	}
	return &balancer{demo: d, client: c}, nil
}

func (b *balancer) start(ctx context.Context) {
	ctx, b.cancel = context.WithCancel(ctx)
	writer, err := sandbox.NewWriter(sandbox.WriterOptions{DSN: b.dsn, Interval: 50 * time.Millisecond})
	if err != nil {
		panic(fmt.Sprintf("the demo's own writer options: %v", err))
	}
	b.writer = writer
	b.writer.Start(ctx)
	b.wait.Go(func() { b.follow(ctx) })
}

func (b *balancer) stop() {
	b.cancel()
	b.wait.Wait()
	s := b.writer.Stop()
	fmt.Fprintf(b.demo.Out, "the writer had %d rows acknowledged, %d errors, longest gap %s\n",
		s.Acknowledged, s.Errors, s.LongestGap.Round(time.Millisecond))
}

// dsn is where the writer goes now: to the ACTIVE node, or nowhere.
func (b *balancer) dsn() string {
	address := b.active.Load()
	if address == nil {
		return ""
	}
	s := serverAt(b.demo.pool, *address)
	if s == nil {
		return ""
	}
	return s.DSN(b.demo.pool.App.User, b.demo.pool.App.Password)
}

func serverAt(p *sandbox.Pool, address string) *sandbox.Server {
	for _, s := range p.Servers {
		if s.Address() == address {
			return s
		}
	}
	return nil
}

// follow asks for the writer again and again, and tells when it moves.
func (b *balancer) follow(ctx context.Context) {
	ticker := time.NewTicker(followEvery)
	defer ticker.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-ticker.C:
		}
		view, err := b.client.View(ctx)
		if err != nil || len(view.Pools) == 0 {
			continue
		}
		b.moveTo(ctx, writerOf(view))
	}
}

// writerOf is the node that answers for the writer role, "" for none.
func writerOf(v *mpp.View) string {
	p := &v.Pools[0]
	for i := range p.Nodes {
		if p.Answer(&p.Nodes[i], mpp.RoleWriter, v.At).Up {
			return p.Nodes[i].Address
		}
	}
	return ""
}

// moveTo sends the writer to address, once that node takes writes.
func (b *balancer) moveTo(ctx context.Context, address string) {
	before := b.active.Load()
	if address == "" {
		b.active.Store(nil)
		return
	}
	if before != nil && *before == address {
		return
	}
	if err := b.open(ctx, address); err != nil {
		return // asked again in a moment
	}
	b.active.Store(&address)
	fmt.Fprintf(b.demo.Out, "%s  writes go to %s\n", time.Now().Format("15:04:05.000"), address)
}

// open lets the ACTIVE node take writes and closes the others that still run.
func (b *balancer) open(ctx context.Context, address string) error {
	ctx, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	for _, s := range b.demo.pool.Servers {
		if s.Address() != address && s.Running() {
			_, _ = s.Root().ExecContext(ctx, "SET GLOBAL read_only = 1")
		}
	}
	s := serverAt(b.demo.pool, address)
	if s == nil {
		return fmt.Errorf("no server at %s", address)
	}
	if _, err := s.Root().ExecContext(ctx, "SET GLOBAL read_only = 0"); err != nil {
		return fmt.Errorf("open %s for writes: %w", address, err)
	}
	return nil
}
