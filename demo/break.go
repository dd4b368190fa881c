package demo

import (
	"context"
	"fmt"

	"mpp/publish/api/client"
	"mpp/sandbox"
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
	Start    Deed = "start"     // start again, as a replica of the ACTIVE node
	StopSQL  Deed = "stop-sql"  // stop the SQL thread
	StartSQL Deed = "start-sql" // start replication
)

// Do does a deed to server number (1 to Servers) of the demo that is up.
func Do(ctx context.Context, o Options, deed Deed, number int) error {
	o, err := o.filled()
	if err != nil {
		return err
	}
	pool, err := sandbox.OpenPool(o.servers())
	if err != nil {
		return fmt.Errorf("open the demo's pool: %w (is the demo up? %s)", err, o.howToStart())
	}
	if number < 1 || number > len(pool.Servers) {
		return fmt.Errorf("the demo has servers 1 to %d, not %d", len(pool.Servers), number)
	}
	s := pool.Servers[number-1]
	switch deed {
	case Kill:
		err = s.Kill()
	case Freeze:
		err = s.Freeze()
	case Thaw:
		err = s.Thaw()
	case Start:
		err = startAgain(ctx, o, pool, s)
	case StopSQL:
		err = s.StopSQLThread(ctx)
	case StartSQL:
		err = s.StartReplication(ctx)
	default:
		return fmt.Errorf("unknown deed %q", deed)
	}
	if err != nil {
		return fmt.Errorf("%s server %d (%s): %w", deed, number, s.Address(), err)
	}
	fmt.Fprintf(o.Out, "%s server %d (%s): done\n", deed, number, s.Address())
	return nil
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
