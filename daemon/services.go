package daemon

import (
	"context"
	"fmt"
	"net/http"
	"os"
	"sync"
	"time"

	"mpp"
	"mpp/publish/api"
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
	// stops undoes what was started, last first.
	stops  []func(context.Context)
	cancel context.CancelFunc
	wait   sync.WaitGroup
}

// startServices opens everything that may fail at the start: files, sockets, ports.
func (d *Daemon) startServices() (*services, error) {
	s := &services{d: d, notify: newNotify()}
	if err := os.MkdirAll(d.config.RunDir, 0o755); err != nil {
		return nil, fmt.Errorf("make run_dir: %w", err)
	}
	for _, start := range []func() error{s.startStateFiles, s.startAPI} {
		if err := start(); err != nil {
			s.stop()
			return nil, err
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
	failing := ""
	s.sinks = append(s.sinks, func(v *mpp.View) {
		if !v.Ready {
			return
		}
		text := ""
		if err := w.Write(v, statefile.Now()); err != nil {
			text = err.Error()
		}
		if text != failing && text != "" {
			s.d.log.Error().Str("error", text).Msg("state files for mpp-check cannot be written; its answers grow stale")
		}
		failing = text
	})
	return nil
}

func (s *services) startAPI() error {
	c := s.d.config.API
	server, err := api.New(api.Options{
		Source: source{s.d}, Socket: c.Socket, SocketMode: c.SocketMode, SocketGroup: c.SocketGroup,
		Listen: c.Listen, Token: c.Token.Reveal(), Log: s.d.log, Metrics: s.d.metrics(),
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

// metrics is the handler for /metrics.
func (d *Daemon) metrics() http.Handler {
	return metrics.Handler(metrics.Options{
		View: source{d}.View,
		Polling: func() metrics.Polling {
			p := d.poller.Stats()
			return metrics.Polling{Polls: p.Polls, Discarded: p.Discarded, Running: p.Running, LatenessP99: p.LateP99, LatenessMax: p.LateMax}
		},
		Journal: func() metrics.Journal {
			j := d.loop.journalStats.Load()
			return metrics.Journal{Records: j.Records, Bytes: j.Bytes, Syncs: j.Syncs, Failures: j.WriteFailures + j.SyncFailures}
		},
	})
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
