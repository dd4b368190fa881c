package perform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io/fs"
	"net"
	"os"
	"strings"
	"time"

	"mpp"
	"mpp/action"
	programs "mpp/action/hook"
	"mpp/action/native"
	"mpp/config"
	"mpp/crew"
	"mpp/mha/helperconf"
	"mpp/mha/hook"
)

// DefaultConfig is the configuration of MPP that is used when the call names none and it is there;
// otherwise MHA Helper's is.
const DefaultConfig = "/etc/mpp/mpp.toml"

// cast is who takes part in a call, and by which rules.
type cast struct {
	pool  action.Pool
	setup hook.Setup
	// notes are worth a line in the log.
	notes []string
}

// The limits where no configuration says them. A call has no lasting connections: what is fenced
// must be logged in to first, which takes longer than a step of mppd.
const (
	leastFence     = time.Second
	helperStep     = 10 * time.Second
	helperAddress  = 3 * time.Second
	helperAnnounce = 5 * time.Second
	shutdownLimit  = 10 * time.Second
	sshLimit       = 3 * time.Second
)

// castOf finds the configuration of the servers that a call is about. It notes in the request
// which nodes they are.
func castOf(ctx context.Context, r *hook.Request) (cast, error) {
	o := &r.Options
	var c cast
	var err error
	switch file := o.Config; {
	case o.Helper != "":
		c, err = helperCast(ctx, r, o.Helper)
	case file != "" || exists(DefaultConfig):
		c, err = configCast(r, cmp.Or(file, DefaultConfig))
	default:
		c, err = helperCast(ctx, r, helperconf.Dir)
	}
	if err != nil {
		return c, err
	}
	if o.Fence != "" {
		c.setup.FenceRequired = o.Fence == hook.FenceRequired
	}
	if o.Shutdown != "" {
		c.pool.Shutdown = programs.Hook{Name: "shutdown", Program: o.Shutdown, Timeout: shutdownLimit}
	}
	c.setup.Shutdown = c.pool.Shutdown.Program != ""
	c.setup.Limits.Shutdown = cmp.Or(c.pool.Shutdown.Timeout, shutdownLimit)
	c.setup.Address = c.pool.VIP.Kind != "" && c.pool.VIP.Kind != "none"
	c.setup.Orig, c.setup.New = c.reach(r.Orig.Address()), c.reach(r.New.Address())
	c.pool.Native.Own = append(c.pool.Native.Own, o.Spare...)
	for _, user := range []string{r.Orig.User, r.New.User} { // MHA's own sessions
		if user != "" {
			c.pool.Native.Own = append(c.pool.Native.Own, user)
		}
	}
	return c, nil
}

func exists(path string) bool {
	_, err := os.Stat(path)
	return !errors.Is(err, fs.ErrNotExist)
}

// reach is what can be done at a node.
func (c *cast) reach(node string) hook.Reach {
	for i := range c.pool.Nodes {
		if n := &c.pool.Nodes[i]; n.Address == node {
			return hook.Reach{SQL: n.Account.User != "", Host: n.Local || n.SSH.KeyFile != ""}
		}
	}
	return hook.Reach{}
}

// configCast is the cast by MPP's configuration: the pool that has the servers.
func configCast(r *hook.Request, file string) (cast, error) {
	all, err := config.Load(file)
	if err != nil {
		return cast{}, fmt.Errorf("read configuration: %w", err)
	}
	p, err := poolOf(all, r)
	if err != nil {
		return cast{}, fmt.Errorf("%w (in %s)", err, file)
	}
	if p.Engine == mpp.EngineNative {
		return cast{}, fmt.Errorf("pool %s has engine = \"native\": mppd promotes by itself there, and MHA beside it would make a second writer; write engine = \"none\" for as long as MHA does it", p.Name)
	}
	c := cast{pool: crew.Of(p)}
	var two []action.Node
	for _, n := range c.pool.Nodes {
		if n.Address == r.Orig.Node || n.Address == r.New.Node {
			two = append(two, n)
		}
	}
	c.pool.Nodes = two
	c.setup = hook.Setup{
		FenceRequired: p.Failover.Fence == config.FenceRequired, Events: p.Failover.Events, SemiSync: p.Failover.SemiSync == config.SemiSyncManage,
		RefuseLong: p.Switchover.LongTransactions == config.LongTransactionsRefuse,
		Limits: hook.Limits{
			Fence: max(p.Failover.FenceTimeout, leastFence), Step: p.Failover.StepTimeout, Address: p.VIP.Timeout, KillAfter: p.Switchover.KillAfter,
		},
	}
	switch p.Switchover.Stop {
	case config.StopOfflineMode:
		c.setup.StopBy = native.Offline
	case config.StopLock:
		c.setup.StopBy = native.Lock
	case config.StopKill:
	}
	return c, nil
}

// poolOf finds the pool that has the servers of a call, and notes which nodes they are.
func poolOf(all *config.Config, r *hook.Request) (*config.Pool, error) {
	var found []*config.Pool
	for i := range all.Pools {
		p := &all.Pools[i]
		if r.Options.Pool != "" && p.Name != r.Options.Pool {
			continue
		}
		if nodeOf(p, &r.Orig) != "" && (!r.New.Known() || nodeOf(p, &r.New) != "") {
			found = append(found, p)
		}
	}
	names := r.Orig.Name() + ":" + r.Orig.Port
	if r.New.Known() {
		names += " and " + r.New.Name() + ":" + r.New.Port
	}
	switch {
	case len(found) == 0 && r.Options.Pool != "":
		return nil, fmt.Errorf("there is no pool %s with %s", r.Options.Pool, names)
	case len(found) == 0:
		return nil, fmt.Errorf("no pool has %s: write MHA's hostname or its address as the node's address", names)
	case len(found) > 1:
		return nil, fmt.Errorf("pools %s and %s have %s: say which by --pool=NAME", found[0].Name, found[1].Name, names)
	}
	r.Orig.Node = nodeOf(found[0], &r.Orig)
	if r.New.Known() {
		r.New.Node = nodeOf(found[0], &r.New)
	}
	return found[0], nil
}

// nodeOf is the address of the node that a server is, "" for none.
func nodeOf(p *config.Pool, s *hook.Server) string {
	for i := range p.Nodes {
		n := &p.Nodes[i]
		host, port, err := net.SplitHostPort(n.Address)
		if err != nil || port != s.Port && s.Port != "" {
			continue
		}
		for _, name := range []string{s.Host, s.IP} {
			if name != "" && (strings.EqualFold(name, host) || strings.EqualFold(name, n.Name)) {
				return n.Address
			}
		}
	}
	return ""
}
