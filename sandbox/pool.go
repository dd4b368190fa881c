package sandbox

import (
	"context"
	"crypto/rand"
	"database/sql"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"os"
	"path/filepath"
	"sync"
	"time"
)

// Account is a name and a password on every server of a pool.
type Account struct {
	User     string
	Password string
}

// PoolOptions says what pool to start. Only Base is needed.
type PoolOptions struct {
	// Base is the program of every server.
	Base Base
	// Bases are the programs of the first, second, ... server, where they differ;
	// the ones beyond its end have Base.
	Bases []Base
	// Size is the number of servers; 0 means 3, or as many as there are Addresses.
	Size int
	// Name is for messages; servers are called Name1, Name2, ...; empty means "node".
	Name string
	// Dir is the pool's folder, with one for each server in it. It must be empty
	// or absent, and Close removes it. Empty means a temporary one.
	Dir string
	// Addresses are those of the servers; one that is missing or empty means a free
	// port on 127.0.0.1.
	Addresses []string
	// Args are added to every server's command line.
	Args []string
	// Each may change the options of one server, counted from 0; nil changes nothing.
	Each func(i int, o *Options)
	// StartReadOnly lets every server start read-only, the first too: it is opened
	// for writes by StartPool, and comes back read-only from a Restart. Without it
	// only the replicas start so.
	StartReadOnly bool
	// Detached lets the servers outlive this program; it needs a Dir.
	Detached bool
	// SemiSync, if not 0, turns semi-synchronous replication on: a commit on the
	// first server waits so long at most for a replica to have received it. The
	// replicas' side is kept over a restart; the source's side is not, so that a
	// dead source comes back without it.
	SemiSync time.Duration
	// Passwords of the accounts; an empty one is generated.
	MonitorPassword  string
	FailoverPassword string
	ReplPassword     string
	AppPassword      string
	// Log takes a line for each thing done; nil means nobody wants it.
	Log io.Writer
}

// Pool is some servers that replicate from the first of them. Whoever started it
// must Close it.
type Pool struct {
	// Servers are in order; the first is the source to begin with.
	Servers []*Server
	// Monitor has the least grants that watching needs, and those for the table
	// mpp.heartbeat: user "mpp".
	Monitor Account
	// Failover has the least grants that a switchover needs: user "mpp_failover".
	Failover Account
	// Repl is what replicas log in with: user "repl".
	Repl Account
	// App writes to the database "app": user "app".
	App Account

	dir string
}

// StartPool starts the servers at the same time, makes the accounts and the
// databases app and mpp on the first, lets the others replicate from it, read-only,
// and returns when a row has arrived on all: 0.3 to 3 s. Nothing is left behind
// when it fails.
func StartPool(ctx context.Context, o PoolOptions) (*Pool, error) {
	p := &Pool{
		Monitor:  Account{"mpp", secret(o.MonitorPassword)},
		Failover: Account{"mpp_failover", secret(o.FailoverPassword)},
		Repl:     Account{"repl", secret(o.ReplPassword)},
		App:      Account{"app", secret(o.AppPassword)},
	}
	o.complete()
	if o.Detached && o.Dir == "" {
		return nil, errors.New("start pool: a detached pool needs a Dir to be found again")
	}
	var err error
	if p.dir, err = makeDir(ctx, o.Dir); err != nil {
		return nil, fmt.Errorf("start pool: %w", err)
	}
	if err = p.startServers(ctx, o); err == nil {
		err = p.replicate(ctx)
	}
	if err == nil && o.SemiSync > 0 {
		err = p.Servers[0].enableSemiSync(ctx, len(p.Servers)-1)
	}
	if err == nil {
		err = p.save()
	}
	if err != nil {
		return nil, errors.Join(fmt.Errorf("start pool: %w", err), p.Close())
	}
	return p, nil
}

// complete fills in what was left out.
func (o *PoolOptions) complete() {
	if o.Size == 0 {
		o.Size = len(o.Addresses)
	}
	if o.Size == 0 {
		o.Size = 3
	}
	if o.Name == "" {
		o.Name = "node"
	}
	if o.Log != nil {
		o.Log = &lockedWriter{w: o.Log}
	}
}

// options are those of one server, counted from 0.
func (o PoolOptions) options(i int, dir string) Options {
	name := fmt.Sprintf("%s%d", o.Name, i+1)
	one := Options{
		Base: o.Base, Name: name, Dir: filepath.Join(dir, name), Detached: o.Detached, Log: o.Log,
		Args: append([]string{}, o.Args...),
	}
	if i < len(o.Bases) {
		one.Base = o.Bases[i]
	}
	if i < len(o.Addresses) {
		one.Address = o.Addresses[i]
	}
	if i > 0 || o.StartReadOnly {
		one.Args = append(one.Args, "--read-only=1")
	}
	if o.SemiSync > 0 {
		one.Args = append(one.Args, semiSyncArgs(one.Base, o.SemiSync)...)
	}
	if o.Each != nil {
		o.Each(i, &one)
	}
	return one
}

// startServers starts all servers at once.
func (p *Pool) startServers(ctx context.Context, o PoolOptions) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	servers, errs := make([]*Server, o.Size), make([]error, o.Size)
	var all sync.WaitGroup
	for i := range o.Size {
		all.Go(func() {
			if servers[i], errs[i] = Start(ctx, o.options(i, p.dir)); errs[i] != nil {
				cancel() // no use to wait for the others
			}
		})
	}
	all.Wait()
	for _, s := range servers {
		if s != nil {
			p.Servers = append(p.Servers, s)
		}
	}
	return errors.Join(errs...)
}

// replicate makes accounts and databases on the first server and the others its
// replicas, and waits until they have all of it.
func (p *Pool) replicate(ctx context.Context) error {
	source := p.Servers[0]
	if err := execAll(ctx, source.db, p.setupStatements(source.Base().MariaDB)); err != nil {
		return fmt.Errorf("set up source %s: %w", source.Name(), err)
	}
	errs := make([]error, len(p.Servers))
	var all sync.WaitGroup
	for i, s := range p.Servers[1:] {
		all.Go(func() { errs[i] = p.Repoint(ctx, s, source) })
	}
	all.Wait()
	if err := errors.Join(errs...); err != nil {
		return err
	}
	return p.CatchUp(ctx, source)
}

// CatchUp returns when every running server but source has executed all that
// source has now, or when ctx ends: then the error says who lags. Frozen servers
// and those that do not replicate never catch up.
func (p *Pool) CatchUp(ctx context.Context, source *Server) error {
	target, err := source.Position(ctx)
	if err != nil {
		return fmt.Errorf("catch up: %w", err)
	}
	for _, s := range p.Servers {
		if s == source || !s.Running() {
			continue
		}
		err := Eventually(ctx, 10*time.Millisecond, func(ctx context.Context) error {
			return s.has(ctx, target)
		})
		if err != nil {
			status, _ := s.ReplicaStatus(context.WithoutCancel(ctx))
			return fmt.Errorf("catch up %s with %s: %w; %s", s.Name(), source.Name(), err, status.Trouble())
		}
	}
	return nil
}

// Dir returns the pool's folder.
func (p *Pool) Dir() string { return p.dir }

// Close closes all servers and removes the pool's folder. A second call does
// nothing.
func (p *Pool) Close() error {
	errs := make([]error, len(p.Servers))
	var all sync.WaitGroup
	for i, s := range p.Servers {
		all.Go(func() { errs[i] = s.Close() })
	}
	all.Wait()
	err := errors.Join(errs...)
	if _, statErr := os.Lstat(p.dir); statErr == nil {
		err = errors.Join(err, removeDir(p.dir))
	}
	if err != nil {
		return fmt.Errorf("close pool: %w", err)
	}
	return nil
}

// poolFile is the name of the file, in a pool's folder, that OpenPool reads.
const poolFile = "pool.json"

// poolRecord is what a pool's folder says of the pool. It holds passwords, in a
// folder that only its owner may read.
type poolRecord struct {
	Servers                      []string // folders
	Monitor, Failover, Repl, App Account
}

// save writes the pool's record.
func (p *Pool) save() error {
	rec := poolRecord{Monitor: p.Monitor, Failover: p.Failover, Repl: p.Repl, App: p.App}
	for _, s := range p.Servers {
		rec.Servers = append(rec.Servers, s.Dir())
	}
	text, err := json.Marshal(rec)
	if err == nil {
		err = os.WriteFile(filepath.Join(p.dir, poolFile), text, 0o600)
	}
	if err != nil {
		return fmt.Errorf("save pool: %w", err)
	}
	return nil
}

// OpenPool returns the pool whose folder is dir, as another program left it: see
// Open.
func OpenPool(dir string) (*Pool, error) {
	dir, err := filepath.Abs(dir)
	if err != nil {
		return nil, fmt.Errorf("open pool: %w", err)
	}
	text, err := os.ReadFile(filepath.Join(dir, poolFile))
	if err != nil {
		return nil, fmt.Errorf("open pool: %w", err)
	}
	var rec poolRecord
	if err := json.Unmarshal(text, &rec); err != nil {
		return nil, fmt.Errorf("open pool %s: %w", dir, err)
	}
	p := &Pool{Monitor: rec.Monitor, Failover: rec.Failover, Repl: rec.Repl, App: rec.App, dir: dir}
	for _, d := range rec.Servers {
		s, err := Open(d)
		if err != nil {
			return nil, fmt.Errorf("open pool: %w", err)
		}
		p.Servers = append(p.Servers, s)
	}
	return p, nil
}

// secret returns the password, or a new one for an empty one.
func secret(given string) string {
	if given != "" {
		return given
	}
	return rand.Text()
}

// execAll runs statements one after the other.
func execAll(ctx context.Context, db *sql.DB, statements []string) error {
	for _, text := range statements {
		if _, err := db.ExecContext(ctx, text); err != nil {
			return fmt.Errorf("run statement: %w", err) // its text may hold a password
		}
	}
	return nil
}

// lockedWriter lets several servers write whole lines to one log.
type lockedWriter struct {
	mu sync.Mutex
	w  io.Writer
}

func (l *lockedWriter) Write(p []byte) (int, error) {
	l.mu.Lock()
	defer l.mu.Unlock()
	return l.w.Write(p)
}
