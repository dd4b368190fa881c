package lab

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"sync"

	"mpp/sandbox"
)

// startAll starts every pool, some at the same time, and then every sshd: what sshd runs sees
// only the disks that were mounted before it.
func (l *Lab) startAll(ctx context.Context, o Options) error {
	l.Pools = make([]*Pool, o.Pools)
	err := together(ctx, o.Pools, func(ctx context.Context, i int) (err error) {
		l.Pools[i], err = l.startPool(ctx, i+1, o)
		return err
	})
	if err != nil {
		return err
	}
	return together(ctx, len(l.Hosts), func(ctx context.Context, i int) error {
		if l.Hosts[i].Kind != KindServer {
			return nil
		}
		return l.startSshd(ctx, l.Hosts[i])
	})
}

// together does n things, some at the same time; when one fails, the others are given up.
func together(ctx context.Context, n int, do func(ctx context.Context, i int) error) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	errs := make([]error, n)
	slots := make(chan struct{}, atOnce)
	var all sync.WaitGroup
	for i := range n {
		all.Go(func() {
			slots <- struct{}{}
			defer func() { <-slots }()
			if errs[i] = do(ctx, i); errs[i] != nil {
				cancel() // no use to wait for the others
			}
		})
	}
	all.Wait()
	return errors.Join(errs...)
}

// durable are the settings that production should have, and that mppd looks at. They cost
// nothing here, where what is flushed goes to memory, or is not flushed after all.
func durable(base sandbox.Base) []string {
	args := []string{"--sync-binlog=1", "--innodb-flush-log-at-trx-commit=1"}
	if !base.MariaDB {
		// A machine has asynchronous I/O for some twenty of them, and here it would gain nothing.
		args = append(args, "--relay-log-recovery=ON", "--plugin-load-add=mysql_clone.so", "--innodb-use-native-aio=OFF")
	}
	return args
}

// grant gives the failover account what docs/operations/accounts.md has for each part of a
// promotion, beyond the least that the sandbox gives it: everything can be tried in a lab.
func (p *Pool) grant(ctx context.Context) error {
	first := p.Servers[0]
	all := "EVENT, CREATE USER, SET_ANY_DEFINER, REPLICATION_APPLIER, CLONE_ADMIN, BACKUP_ADMIN, SYSTEM_USER"
	if first.Base().MariaDB {
		all = "EVENT, CREATE USER, SET USER, SUPER, BINLOG REPLAY"
	}
	for _, what := range []string{all + " ON *.*", "ALL PRIVILEGES ON app.*"} {
		if _, err := first.Root().ExecContext(ctx, "GRANT "+what+" TO '"+p.Failover.User+"'@'%'"); err != nil {
			return fmt.Errorf("grant privileges on %s: %w", first.Name(), err)
		}
	}
	return p.CatchUp(ctx, first)
}

// hostsOf are the servers' hosts of a pool.
func (l *Lab) hostsOf(pool int) []*Host {
	var all []*Host
	for _, h := range l.Hosts {
		if h.Kind == KindServer && h.Pool == pool {
			all = append(all, h)
		}
	}
	return all
}

func (l *Lab) poolDir(pool int) string { return filepath.Join(l.dir, "pools", poolName(pool)) }

// startPool starts the servers of a pool on their hosts.
func (l *Lab) startPool(ctx context.Context, n int, o Options) (*Pool, error) {
	hosts := l.hostsOf(n)
	started, err := sandbox.StartPool(ctx, sandbox.PoolOptions{
		Base: o.Base, Size: len(hosts), Dir: l.poolDir(n), Args: append(durable(o.Base), o.Args...), SemiSync: o.SemiSync,
		StartReadOnly: true, Detached: o.Detached, Log: l.log,
		Each: func(i int, each *sandbox.Options) { hosts[i].describe(each, o.Writable) },
	})
	if err != nil {
		return nil, err
	}
	p := l.adopt(n, started)
	if err := p.grant(ctx); err != nil {
		return p, err
	}
	for _, s := range started.Servers[1:] {
		if _, err := s.Root().ExecContext(ctx, "SET GLOBAL read_only = 1"); err != nil {
			return p, fmt.Errorf("close replica %s for writes: %w", s.Name(), err)
		}
	}
	return p, nil
}

// describe makes a server's options those of one on this host. It listens on all of the
// host's addresses, for the virtual one comes and goes.
func (h *Host) describe(o *sandbox.Options, writable bool) {
	o.Name, o.Dir = h.Name, filepath.Join(filepath.Dir(o.Dir), h.Name)
	o.Address = net.JoinHostPort(h.Address.String(), mysqlPort)
	o.ServerID = serverID(h.Pool, h.Node)
	// Not ip netns exec: a mount namespace of the server's own would keep its disk busy.
	o.Prefix = []string{"nsenter", "--net=" + h.space.path()}
	o.Args = append(o.Args, "--bind-address=*")
	if writable {
		o.Args = append(o.Args, "--read-only=0")
	}
	o.Disk = sandbox.SmallDisk(diskSize)
}

// adopt makes a Pool of servers that run.
func (l *Lab) adopt(n int, servers *sandbox.Pool) *Pool {
	p := &Pool{Pool: servers, Name: l.rec.poolName(n), VIP: l.rec.Subnet.vip4(n), Hosts: l.hostsOf(n)}
	if l.rec.VIP6 {
		p.VIP6 = l.rec.Subnet.vip6(n)
	}
	for i, h := range p.Hosts {
		h.server = servers.Servers[i]
	}
	return p
}

// VIPs are the pool's virtual addresses, as configured: one address wide.
func (p *Pool) VIPs() []netip.Prefix {
	all := []netip.Prefix{netip.PrefixFrom(p.VIP, hostBits)}
	if p.VIP6.IsValid() {
		all = append(all, netip.PrefixFrom(p.VIP6, p.VIP6.BitLen()))
	}
	return all
}

// Host returns the pool's host of a server's address, nil if there is none.
func (p *Pool) Host(address string) *Host {
	for _, h := range p.Hosts {
		if h.server.Address() == address {
			return h
		}
	}
	return nil
}
