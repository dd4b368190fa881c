package lab

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net/netip"
	"os"
	"os/exec"
	"path/filepath"
	"sync"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/process"
)

// The conditions that callers may want to tell apart.
var (
	// ErrNotPossible means that this machine, or this user, cannot have a lab.
	ErrNotPossible = errors.New("no lab is possible here")
	// ErrThere means that the folder has a lab already, whole or not.
	ErrThere = errors.New("a lab is there")
	// ErrNone means that the folder has no lab.
	ErrNone = errors.New("no lab is there")
	// ErrNoServer means that a host runs nothing that could be broken.
	ErrNoServer = errors.New("it has no server")
	// ErrNotReady means that the lab's Up is not done, or was killed.
	ErrNotReady = errors.New("the lab is not complete")
)

// tempKind is the kind of temporary folders that labs have.
const tempKind = "mpp-labs"

// atOnce is how many pools are started at the same time: a server that starts is busy.
const atOnce = 2

// diskSize is what a server's binary logs may grow to before its disk is full: hours of
// writing. It costs memory only for what is written.
const diskSize = 1 << 30

// mysqlPort is what every server listens on.
const mysqlPort = "3306"

// Options says what lab to make. Nothing is needed.
type Options struct {
	// Dir is the lab's folder, which must be empty or absent; Close removes it. Empty
	// means a temporary one, in memory if there is room.
	Dir string
	// Flavour is the server program to find; empty means MariaDB 10.11. Base is one that
	// is found already; it goes first.
	Flavour sandbox.Flavour
	Base    sandbox.Base
	// Nodes is the number of servers of a pool, 0 means 3; Pools the number of pools, 0
	// means 1; Clients the number of clients' hosts, 0 means 1.
	Nodes, Pools, Clients int
	// PoolName is what the only pool of a lab is called; empty means lab1.
	PoolName string
	// SemiSync, if not 0, turns semi-synchronous replication on; see sandbox.PoolOptions.
	SemiSync time.Duration
	// Args are added to every server's command line.
	Args []string
	// Writable lets servers come back writable when they are started again, as they do
	// when nobody configured them otherwise; else they come back read-only.
	Writable bool
	// IPv6 gives every pool a second virtual address, of that family. The hosts have
	// addresses of both in any case.
	IPv6 bool
	// NoAddress leaves it to MPP to give the virtual address to the first server; else
	// it has it from the start.
	NoAddress bool
	// Mppd is the program to run on the manager's host; empty means none.
	Mppd string
	// Mpp is the program mpp, by which mppd starts and stops a server when it replaces the data: there
	// is no systemd on the hosts. Empty leaves that out.
	Mpp string
	// Detached lets the lab outlive this program; it needs a Dir.
	Detached bool
	// Log takes a line for each thing done; nil means nobody wants it.
	Log io.Writer
}

// Lab is a set of hosts that is up. Whoever called Up must call Close.
type Lab struct {
	// Hosts are all hosts: servers in order of pools, then the manager, then clients.
	Hosts []*Host
	// Pools are in order, lab1 first.
	Pools []*Pool

	dir string
	rec record
	sw  *space
	log io.Writer

	mu     sync.Mutex // guards what follows
	relays map[string]*relay
	mppd   *process.Process
	closed bool
}

// Pool is one replicated pool of a lab, with its accounts.
type Pool struct {
	*sandbox.Pool
	// Name is lab1, lab2, ..., or what Options.PoolName says.
	Name string
	// VIP and VIP6 are the virtual addresses; VIP6 is not valid unless it was asked for.
	VIP, VIP6 netip.Addr
	// Hosts are those of the servers, in the same order.
	Hosts []*Host
}

// Up makes a lab and returns when every server replicates and every sshd lets people in:
// 1 to 3 s for three MariaDB servers. Nothing is left behind when it fails. Before, it
// removes temporary labs whose programs were killed.
func Up(ctx context.Context, o Options) (*Lab, error) {
	if err := o.complete(ctx); err != nil {
		return nil, fmt.Errorf("make lab: %w", err)
	}
	l, err := o.begin(ctx)
	if err != nil {
		return nil, fmt.Errorf("make lab: %w", err)
	}
	if err := l.build(ctx, o); err != nil {
		return nil, errors.Join(fmt.Errorf("make lab: %w", err), l.Close(context.WithoutCancel(ctx)))
	}
	return l, nil
}

// complete checks the options and fills in what was left out.
func (o *Options) complete(ctx context.Context) error {
	if err := Possible(); err != nil {
		return err
	}
	if o.Detached && o.Dir == "" {
		return errors.New("a detached lab needs a Dir to be found again")
	}
	for _, each := range []struct {
		what               string
		count              *int
		usual, least, most int
	}{
		{"nodes", &o.Nodes, 3, 1, MaxNodes},
		{"pools", &o.Pools, 1, 1, MaxPools},
		{"clients", &o.Clients, 1, 1, MaxClients},
	} {
		if *each.count == 0 {
			*each.count = each.usual
		}
		if *each.count < each.least || *each.count > each.most {
			return fmt.Errorf("%d %s: want %d to %d", *each.count, each.what, each.least, each.most)
		}
	}
	if o.PoolName != "" && o.Pools > 1 {
		return fmt.Errorf("one name, %s, for %d pools", o.PoolName, o.Pools)
	}
	if o.Flavour == "" {
		o.Flavour = sandbox.MariaDB1011
	}
	if o.Base.Server != "" {
		return nil
	}
	var err error
	o.Base, err = sandbox.Finder{Log: o.Log}.Find(ctx, o.Flavour)
	return err
}

// Possible returns nil if this program can make a lab, else an error that wraps
// ErrNotPossible and says what is missing.
func Possible() error {
	if os.Geteuid() != 0 {
		return fmt.Errorf("%w: network namespaces need root (with CAP_SYS_ADMIN and CAP_NET_ADMIN)", ErrNotPossible)
	}
	if err := canUnshare(); err != nil {
		return fmt.Errorf("%w: the kernel refuses a network namespace (%w): root needs CAP_SYS_ADMIN and"+
			" CAP_NET_ADMIN, which a container has when it is privileged", ErrNotPossible, err)
	}
	for program, pack := range map[string]string{"ip": "iproute2", "nsenter": "util-linux"} {
		if _, err := exec.LookPath(program); err != nil {
			return fmt.Errorf("%w: there is no program %s (Debian: apt-get install %s)", ErrNotPossible, program, pack)
		}
	}
	if _, err := findSshd(); err != nil {
		return fmt.Errorf("%w: %w", ErrNotPossible, err)
	}
	return nil
}

// begin claims the folder and plans the lab, so that all of it can be found from then on.
func (o Options) begin(ctx context.Context) (*Lab, error) {
	owner, err := process.Identify(os.Getpid())
	if err != nil {
		return nil, err
	}
	dir, err := o.makeDir(ctx)
	if err != nil {
		return nil, err
	}
	l, err := o.claim(ctx, dir, owner)
	if err != nil {
		_ = os.Remove(dir) // fails if it is another lab's
	}
	return l, err
}

// claim plans the lab and makes the folder its own.
func (o Options) claim(ctx context.Context, dir string, owner process.ID) (*Lab, error) {
	rec := record{
		ID: labID(dir), Owner: owner, Detached: o.Detached, Pools: o.Pools,
		Hosts: planHosts(o.Pools, o.Nodes, o.Clients), VIP6: o.IPv6, PoolName: o.PoolName,
	}
	var err error
	if rec.Subnet, err = chooseSubnet(rec.ID); err != nil {
		return nil, err
	}
	if o.IPv6 && !rec.Subnet.V6 {
		return nil, errors.New("IPv6 was asked for, and this machine has none")
	}
	if err := rec.claim(dir); err != nil {
		return nil, err
	}
	l := newLab(dir, rec, o.Log)
	if left, err := spaceNames(spacePrefix(rec.ID)); err != nil || len(left) > 0 {
		// Those of a lab whose folder somebody has removed.
		if err := clearSpaces(ctx, rec.ID); err != nil {
			return nil, errors.Join(err, os.Remove(filepath.Join(dir, recordFile)))
		}
	}
	return l, nil
}

// makeDir makes the lab's folder.
func (o Options) makeDir(ctx context.Context) (string, error) {
	if o.Dir == "" {
		if _, err := CleanStale(ctx); err != nil {
			return "", err
		}
		return sandbox.MakeTemp(tempKind)
	}
	dir, err := filepath.Abs(o.Dir)
	if err != nil {
		return "", fmt.Errorf("make lab folder: %w", err)
	}
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return "", fmt.Errorf("make lab folder: %w", err)
	}
	entries, err := os.ReadDir(dir)
	if err != nil {
		return "", fmt.Errorf("make lab folder: %w", err)
	}
	for _, e := range entries {
		if e.Name() == recordFile {
			return "", fmt.Errorf("%w: %s", ErrThere, dir)
		}
	}
	if len(entries) > 0 {
		return "", fmt.Errorf("make lab folder: %s is not empty", dir)
	}
	return dir, nil
}

func newLab(dir string, rec record, log io.Writer) *Lab {
	l := &Lab{dir: dir, rec: rec, log: log, relays: map[string]*relay{}}
	if log != nil {
		l.log = &lines{w: log}
	}
	for _, p := range rec.Hosts {
		l.Hosts = append(l.Hosts, l.newHost(p))
	}
	return l
}

// build makes everything that the record announces.
func (l *Lab) build(ctx context.Context, o Options) error {
	begin := time.Now()
	if err := l.buildNetwork(); err != nil {
		return err
	}
	if err := l.writeKeys(); err != nil {
		return err
	}
	l.logf("%d hosts are on the bridge after %s", len(l.Hosts), since(begin))
	if err := l.writeTools(o.Base); err != nil {
		return err
	}
	if err := l.startAll(ctx, o); err != nil {
		return err
	}
	l.logf("%d servers replicate after %s", len(l.Pools)*o.Nodes, since(begin))
	for _, p := range l.Pools {
		if o.NoAddress {
			break
		}
		if err := p.giveAddress(p.Hosts[0]); err != nil {
			return err
		}
	}
	if err := l.WriteConfig(ConfigOptions{Failover: serviceCommands(o.Mpp, l.dir)}); err != nil {
		return err
	}
	if o.Mppd != "" {
		if err := l.StartMppd(ctx, o.Mppd); err != nil {
			return err
		}
		l.logf("mppd answers after %s", since(begin))
	}
	l.rec.Ready = true
	return l.rec.save(l.dir)
}

func since(t time.Time) time.Duration { return time.Since(t).Round(10 * time.Millisecond) }

// buildNetwork makes the namespaces and plugs all hosts into the bridge.
func (l *Lab) buildNetwork() error {
	var err error
	if l.sw, err = makeSwitch(spacePrefix(l.rec.ID) + switchName); err != nil {
		return err
	}
	for _, h := range l.Hosts {
		if h.space, err = makeSpace(spacePrefix(l.rec.ID) + h.Name); err != nil {
			return err
		}
		if err := l.plug(h); err != nil {
			return err
		}
		if err := h.configure(); err != nil {
			return err
		}
	}
	return nil
}

// giveAddress puts the pool's virtual addresses on a host.
func (p *Pool) giveAddress(h *Host) error {
	if err := h.AddAddress(netip.PrefixFrom(p.VIP, p.VIP.BitLen())); err != nil || !p.VIP6.IsValid() {
		return err
	}
	return h.AddAddress(netip.PrefixFrom(p.VIP6, p.VIP6.BitLen()))
}

// Dir returns the lab's folder.
func (l *Lab) Dir() string { return l.dir }

// ID returns the lab's short name, which its namespaces bear.
func (l *Lab) ID() string { return l.rec.ID }

// Pool returns the pool of a name, nil if there is none.
func (l *Lab) Pool(name string) *Pool {
	for _, p := range l.Pools {
		if p.Name == name {
			return p
		}
	}
	return nil
}

// logf writes a line, if anybody wants it.
func (l *Lab) logf(format string, args ...any) {
	if l.log != nil {
		fmt.Fprintf(l.log, format+"\n", args...)
	}
}

// lines lets several goroutines write whole lines to one log.
type lines struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lines) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
