package demo

import (
	"context"
	"errors"
	"fmt"

	"mpp/publish/api/client"
	"mpp/sandbox"
	"mpp/sandbox/lab"
)

// Servers is how many servers the demo has; they are numbered from 1.
const Servers = 3

// Deed is something to do to a server of the demo.
type Deed string

// The deeds.
const (
	Kill     Deed = "kill"      // kill -9
	Freeze   Deed = "freeze"    // kill -STOP
	Thaw     Deed = "thaw"      // kill -CONT
	Start    Deed = "start"     // start again; it becomes a replica of the ACTIVE node
	StopSQL  Deed = "stop-sql"  // stop the SQL thread
	StartSQL Deed = "start-sql" // start replication
)

// Do does a deed to server number (1 to Servers) of the demo that is up.
func Do(ctx context.Context, o Options, deed Deed, number int) error {
	o, err := o.filled()
	if err != nil {
		return err
	}
	if number < 1 || number > Servers {
		return fmt.Errorf("the demo has servers 1 to %d, not %d", Servers, number)
	}
	server, err := o.do(ctx, deed, number)
	if err != nil {
		return fmt.Errorf("%s server %d: %w", deed, number, err)
	}
	fmt.Fprintf(o.Out, "%s server %d (%s): done\n", deed, number, server)
	return nil
}

// do does the deed in the demo that the folder has, and returns how the server is called.
func (o Options) do(ctx context.Context, deed Deed, number int) (string, error) {
	l, err := lab.Open(o.Dir, nil)
	switch {
	case err == nil:
		defer l.Forget()
		h := l.Pools[0].Hosts[number-1]
		return h.Name + ", " + h.Server().Address(), onHost(ctx, deed, h)
	case !errors.Is(err, lab.ErrNone):
		return "", fmt.Errorf("open the demo's hosts: %w (is the demo up? %s)", err, o.howToStart())
	}
	pool, err := sandbox.OpenPool((&loopback{Options: o}).servers())
	if err != nil {
		return "", fmt.Errorf("open the demo's pool: %w (is the demo up? %s)", err, o.howToStart())
	}
	if number > len(pool.Servers) {
		return "", fmt.Errorf("the demo has only %d servers yet", len(pool.Servers))
	}
	s := pool.Servers[number-1]
	if deed == Start {
		return s.Address(), startAgain(ctx, o, pool, s)
	}
	return s.Address(), onServer(ctx, deed, s)
}

// onHost does a deed to a host of the lab. What is to be done with a server that comes back
// is for MPP.
func onHost(ctx context.Context, deed Deed, h *lab.Host) error {
	if deed == Start {
		return h.Start(ctx)
	}
	return onServer(ctx, deed, h.Server())
}

func onServer(ctx context.Context, deed Deed, s *sandbox.Server) error {
	switch deed {
	case Kill:
		return s.Kill()
	case Freeze:
		return s.Freeze()
	case Thaw:
		return s.Thaw()
	case StopSQL:
		return s.StopSQLThread(ctx)
	case StartSQL:
		return s.StartReplication(ctx)
	case Start: // each demo has its own
	}
	return fmt.Errorf("unknown deed %q", deed)
}

func (o Options) howToStart() string {
	if o.elsewhere {
		return o.command("up")
	}
	return "make demo"
}

// startAgain starts a server and makes it a replica of the node that is ACTIVE now, if that
// is another.
func startAgain(ctx context.Context, o Options, pool *sandbox.Pool, s *sandbox.Server) error {
	if err := s.Restart(ctx); err != nil {
		return err
	}
	c, err := client.New(client.Options{Socket: o.socket()})
	if err != nil {
		return err
	}
	view, err := c.View(ctx)
	if err != nil {
		return err
	}
	if len(view.Pools) == 0 || view.Pools[0].Active == "" || view.Pools[0].Active == s.Address() {
		return nil
	}
	source := serverAt(pool, view.Pools[0].Active)
	if source == nil {
		return fmt.Errorf("the ACTIVE node %s is not of the demo", view.Pools[0].Active)
	}
	for _, each := range pool.Servers {
		if each != source && each.Running() {
			if err := pool.Repoint(ctx, each, source); err != nil {
				return err
			}
		}
	}
	return nil
}
