package daemon

import (
	"context"
	"fmt"
	"maps"
	"os"
	"slices"
	"strings"
	"sync"
	"time"

	"mpp"
	"mpp/publish/api"
	"mpp/publish/balancer"
	"mpp/publish/metrics"
	"mpp/publish/statefile"
)

// heartbeatEvery is how often files are renewed even when nothing has changed: their readers
// must be able to tell a quiet daemon from a dead one.
const heartbeatEvery = time.Second

// sink is something that is shown every new view: state files, track files, systemd. It must
// return soon; a slow one delays the other sinks, and nothing else.
type sink func(v *mpp.View)

// services are the parts that show the view to the outside.
type services struct {
	d      *Daemon
	notify *notify
	sinks  []sink
	// failing holds, by what cannot be written, why; told is what the loop knows of it. Both
	// belong to the goroutine that shows.
	failing map[string]string
	told    string
	// stops undoes what was started, last first.
	stops  []func(context.Context)
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

// startServices opens everything that may fail at the start: sockets, ports, files. Files come
// last, and none is touched before all is open: where another mppd answers, sockets and ports
// are taken, and the files are that one's.
// It waits until the loop has shown its first view: nobody shall be answered from an empty one.
func (d *Daemon) startServices(n *notify) (*services, error) {
	s := &services{d: d, notify: n, failing: map[string]string{}}
	ctx, cancel := context.WithTimeout(context.Background(), loopLimit)
	defer cancel()
	if err := d.loop.ask(ctx, func(time.Time) {}); err != nil {
		return s, err
	}
	if err := os.MkdirAll(d.config.RunDir, 0o755); err != nil {
		return s, fmt.Errorf("make run_dir: %w", err)
	}
	for _, start := range []func() error{s.startAgent, s.startAPI, s.startStateFiles, s.startTrackFiles} {
		if err := start(); err != nil {
			return s, err
		}
	}
	s.sinks = append(s.sinks, s.notify.shows)
	return s, nil
}

// startStateFiles prepares the files that mpp-check reads. Nothing is written before every
// node was polled: until then the files of the run before are the better answer, and grow
// stale by themselves.
func (s *services) startStateFiles() error {
	w, err := statefile.New(s.d.config.RunDir)
	if err != nil {
		return err
	}
	s.stops = append(s.stops, func(context.Context) { w.Stop() })
	s.addFiles("state files for mpp-check", func(v *mpp.View) error { return w.Write(v, statefile.Now()) })
	return nil
}

// startTrackFiles prepares the files that keepalived watches.
func (s *services) startTrackFiles() error {
	dir := s.d.config.TrackFiles.Dir
	if dir == "" {
		return nil
	}
	files, err := balancer.NewTrackFiles(dir)
	if err != nil {
		return err
	}
	s.addFiles("track files", func(v *mpp.View) error { return files.Write(v, time.Now()) })
	s.stops = append(s.stops, func(context.Context) {
		if err := files.Stop(); err != nil {
			s.d.log.Error().Err(err).Msg("track files could not be turned to 1")
		}
	})
	return nil
}

// addFiles adds a sink that writes files, and notes when they cannot be written.
func (s *services) addFiles(what string, write func(*mpp.View) error) {
	s.sinks = append(s.sinks, func(v *mpp.View) {
		if len(v.Pools) == 0 {
			return // the loop has not begun
		}
		delete(s.failing, what)
		if err := write(v); err != nil {
			s.failing[what] = what + ": " + brief(err)
		}
	})
}

// brief is an error in one line, with the first few of many files that failed.
func brief(err error) string {
	const most = 3
	lines := strings.Split(err.Error(), "\n")
	if extra := len(lines) - most; extra > 0 {
		lines = append(lines[:most:most], fmt.Sprintf("and %d more", extra))
	}
	return strings.Join(lines, "; ")
}

// tellFiles lets the loop know when files begin to fail, fail otherwise, or work again. It never
// waits for the loop: where the inbox is full, the next heartbeat tells it.
func (s *services) tellFiles() {
	text := strings.Join(slices.Sorted(maps.Values(s.failing)), "; ")
	if text == s.told {
		return
	}
	select {
	case s.d.loop.inbox <- message{do: func(now time.Time) { s.d.loop.filesSay(now, text) }}:
		s.told = text
	default:
	}
}

// startAgent answers HAProxy's agent-check.
func (s *services) startAgent() error {
	listen := s.d.config.Agent.Listen
	if listen == "" {
		return nil
	}
	agent := balancer.NewAgent(listen, source{s.d}.View, s.d.log)
	if err := agent.Start(); err != nil {
		return err
	}
	s.stops = append(s.stops, agent.Stop)
	return nil
}

func (s *services) startAPI() error {
	c := s.d.config.API
	server, err := api.New(api.Options{
		Source: source{s.d}, Socket: c.Socket, SocketMode: c.SocketMode, SocketGroup: c.SocketGroup,
		Listen: c.Listen, Token: c.Token.Reveal(), Log: s.d.log, Metrics: s.d.metrics.Handler(),
	})
	if err != nil {
		return err
	}
	if err := server.Start(); err != nil {
		return err
	}
	s.stops = append(s.stops, server.Stop)
	return nil
}

// numbers is what the daemon tells about itself at a scrape.
func (d *Daemon) numbers() metrics.Daemon {
	p, j := d.poller.Stats(), d.loop.journalStats.Load()
	return metrics.Daemon{
		JournalBytes: sizeOf(d.stateDir), InboxLength: len(d.loop.inbox),
		LateSeconds: p.LateMax.Seconds(), Subscribers: d.loop.events.subscribers(),
		Polling: &metrics.Polling{Polls: p.Polls, Hung: p.Hung, Discarded: p.Discarded, Running: p.Running, LateP99: p.LateP99},
		Journal: &metrics.Journal{Records: j.Records, Bytes: j.Bytes, Syncs: j.Syncs, Failures: j.WriteFailures + j.SyncFailures},
	}
}

// sizeOf adds up the files of a folder, in bytes; -1 when it cannot be read.
func sizeOf(dir string) int64 {
	entries, err := os.ReadDir(dir)
	if err != nil {
		return -1
	}
	total := int64(0)
	for _, e := range entries {
		if info, err := e.Info(); err == nil && info.Mode().IsRegular() {
			total += info.Size()
		}
	}
	return total
}

// run starts to show views to the sinks.
func (s *services) run() {
	ctx, cancel := context.WithCancel(context.Background())
	s.cancel = cancel
	s.wait.Go(func() { s.show(ctx) })
}

// show gives every new view to the sinks, and the present one again with each heartbeat.
func (s *services) show(ctx context.Context) {
	heartbeat := time.NewTicker(heartbeatEvery)
	defer heartbeat.Stop()
	for {
		select {
		case <-ctx.Done():
			return
		case <-s.d.loop.views.changed:
		case <-heartbeat.C:
		}
		v := s.d.loop.views.current.Load()
		for _, each := range s.sinks {
			each(v)
		}
		s.tellFiles()
	}
}

// stop ends everything, last started first, each step within its limit.
func (s *services) stop() {
	if s.cancel != nil {
		s.cancel()
		s.wait.Wait()
	}
	for i := len(s.stops) - 1; i >= 0; i-- {
		ctx, cancel := context.WithTimeout(context.Background(), stopLimit)
		s.stops[i](ctx)
		cancel()
	}
	s.stops = nil
}
