package sandbox

import (
	"context"
	"errors"
	"fmt"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"time"

	"mpp/sandbox/process"
)

// startTimeout bounds the wait for a server to answer, for callers whose context
// has no deadline. Two seconds are usual; crash recovery on a busy machine is slow.
const startTimeout = 90 * time.Second

// portTries is how often a server is started anew because its port was taken.
const portTries = 10

// errPortTaken means that another program listens on the server's port.
var errPortTaken = errors.New("address already in use")

// prepare makes the folder of a server, with everything but the process.
func prepare(ctx context.Context, o Options) (s *Server, err error) {
	if err := o.complete(); err != nil {
		return nil, err
	}
	hold, address, err := reserve(o.Address, len(o.Prefix) > 0)
	if err != nil {
		return nil, err
	}
	dir, err := makeDir(ctx, o.Dir)
	if err != nil {
		return nil, errors.Join(err, hold.release())
	}
	defer func() {
		if err != nil {
			err = errors.Join(err, removeDir(dir), hold.release())
		}
	}()
	rec, err := newRecord(o, dir, address)
	if err != nil {
		return nil, err
	}
	// The record goes first: CleanStale must know of what comes after it.
	if err := rec.save(dir); err != nil {
		return nil, err
	}
	if o.Disk != nil {
		if err := o.Disk.mount(dir); err != nil {
			return nil, err
		}
	}
	for _, d := range []string{filepath.Join(dir, "tmp"), filepath.Dir(rec.Binlog)} {
		if err := os.MkdirAll(d, 0o700); err != nil {
			return nil, fmt.Errorf("make server folder: %w", err)
		}
	}
	if err := copyTree(o.Base.Template, rec.DataDir); err != nil {
		return nil, fmt.Errorf("copy template: %w", err)
	}
	db, err := openRoot(rec.Socket)
	if err != nil {
		return nil, err
	}
	return &Server{dir: dir, log: o.Log, rec: rec, db: db, hold: hold}, nil
}

// complete checks the options and fills in what was left out.
func (o *Options) complete() error {
	switch {
	case o.Base.Server == "" || o.Base.Template == "":
		return errors.New("check options: no Base, see Find")
	case o.Detached && o.Dir == "":
		return errors.New("check options: a detached server needs a Dir to be found again")
	}
	if o.Name == "" {
		o.Name = "node"
	}
	if o.Address == "" {
		o.Address = "127.0.0.1:0"
	}
	return nil
}

// launch starts the process and waits until it answers. The caller holds op.
func (s *Server) launch(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, startTimeout)
	defer cancel()
	begin := time.Now()
	for try := 1; ; try++ {
		err := s.launchOnce(ctx)
		if err == nil {
			s.logf("answers at %s after %.2f s", s.Address(), time.Since(begin).Seconds())
			return nil
		}
		if killErr := s.kill(); killErr != nil {
			return errors.Join(err, killErr)
		}
		if !errors.Is(err, errPortTaken) || try == portTries {
			return err
		}
		s.logf("port taken, trying again")
	}
}

// launchOnce starts the process once.
func (s *Server) launchOnce(ctx context.Context) error {
	rec := s.record()
	// A killed server leaves them, and MySQL does not start over a lock whose pid
	// has been used again.
	for _, p := range []string{rec.Socket, rec.Socket + ".lock"} {
		if err := os.Remove(p); err != nil && !errors.Is(err, os.ErrNotExist) {
			return fmt.Errorf("remove old socket: %w", err)
		}
	}
	log, err := os.OpenFile(s.errorLog(), os.O_WRONLY|os.O_CREATE|os.O_APPEND, 0o600)
	if err != nil {
		return fmt.Errorf("open error log: %w", err)
	}
	defer log.Close()
	before, err := log.Stat()
	if err != nil {
		return fmt.Errorf("open error log: %w", err)
	}
	argv := append(append([]string{}, rec.Prefix...), rec.Base.Server)
	argv = append(argv, rec.serverArgs(s.dir)...)
	cmd := exec.CommandContext(context.WithoutCancel(ctx), argv[0], argv[1:]...) // it outlives this call
	cmd.Dir, cmd.Stdout, cmd.Stderr = s.dir, log, log
	p, err := process.Start(cmd, rec.Detached)
	if err != nil {
		return err
	}
	rec.Process = p.ID()
	s.mu.Lock()
	s.proc, s.rec = p, rec
	s.mu.Unlock()
	if err := rec.save(s.dir); err != nil {
		return err
	}
	return s.awaitAnswer(ctx, p, before.Size())
}

// awaitAnswer returns when the server answers a query, or the process has ended,
// or ctx has. logStart is where this run's part of the error log begins.
func (s *Server) awaitAnswer(ctx context.Context, p *process.Process, logStart int64) error {
	ctx, cancel := context.WithCancel(ctx)
	defer cancel()
	go func() {
		select {
		case <-p.Done():
			cancel()
		case <-ctx.Done():
		}
	}()
	err := Eventually(ctx, 10*time.Millisecond, func(ctx context.Context) error {
		if !p.Running() {
			return ErrNotRunning
		}
		// MySQL's first, temporary server of an upgrade may be slow to hang up.
		ctx, cancel := context.WithTimeout(ctx, 2*time.Second)
		defer cancel()
		var id uint32
		return s.db.QueryRowContext(ctx, "SELECT @@server_id").Scan(&id)
	})
	if err == nil {
		return nil
	}
	if p.Running() {
		return fmt.Errorf("wait for answer: %w; end of its log:\n%s", err, s.ErrorLogTail())
	}
	if logHas(s.errorLog(), logStart, "already in use") {
		return fmt.Errorf("server exited: %w: %s; end of its log:\n%s", errPortTaken, s.Address(), s.ErrorLogTail())
	}
	return fmt.Errorf("server exited: %w; end of its log:\n%s", ErrNotRunning, s.ErrorLogTail())
}

// logHas tells whether the log says something after the given offset.
func logHas(path string, from int64, text string) bool {
	log, err := os.ReadFile(path)
	return err == nil && from <= int64(len(log)) && strings.Contains(strings.ToLower(string(log[from:])), text)
}
