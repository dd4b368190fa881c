package api

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"log"
	"net"
	"net/http"
	"sync"
	"time"

	"github.com/rs/zerolog"
)

// The limits of the server.
const (
	maxConnections = 512 // a listener; see crowd
	maxStreams     = 64  // event streams at a time
	maxBody        = 64 << 10
	maxHeader      = 32 << 10

	// headerTimeout is the limit for sending a request, from the connection's begin for the
	// first: who is silent holds a place that balancers need.
	headerTimeout = 2 * time.Second
	readTimeout   = 10 * time.Second
	// writeTimeout is the limit for an answer; streams and slow commands extend their own.
	writeTimeout = 15 * time.Second
	idleTimeout  = 15 * time.Second
	// commandTimeout is the limit for what the daemon is asked to do.
	commandTimeout = 30 * time.Second
	// doctorTimeout is that of a diagnosis, which waits for hosts that do not answer.
	doctorTimeout = time.Minute
	heartbeat     = 10 * time.Second
)

// Options say what is served where.
type Options struct {
	// Source must be set.
	Source Source
	// Socket is the path of the unix socket, empty for none. Its folder must exist.
	Socket string
	// SocketMode is the socket's file mode; 0 means 0660. SocketGroup is the group that it
	// is given to, by name or number; empty leaves the process's own.
	SocketMode  fs.FileMode
	SocketGroup string
	// Listen is a TCP address, empty for none.
	Listen string
	// Token is the bearer token that POST over TCP needs; empty makes TCP read-only.
	Token string
	// Metrics answers /metrics; nil means that there is no such path.
	Metrics http.Handler
	// Log gets commands and trouble; the zero value is silent.
	Log zerolog.Logger
}

// Server is the API. New makes one, Start opens the listeners, Stop ends it for good.
type Server struct {
	o       Options
	mux     *http.ServeMux
	streams chan struct{} // a place for each event stream
	doctors chan struct{} // a place for each diagnosis

	ctx    context.Context // ends with Stop: streams and commands end with it
	cancel context.CancelFunc

	mu      sync.Mutex
	stopped bool
	servers []*http.Server
	tcp     net.Addr
	wg      sync.WaitGroup
}

// New checks the options and prepares the routes. It opens nothing.
func New(o Options) (*Server, error) {
	if o.Source == nil {
		return nil, errors.New("make API: no source given")
	}
	if o.Socket == "" && o.Listen == "" {
		return nil, errors.New("make API: neither a socket nor a TCP address is given")
	}
	if o.SocketMode == 0 {
		o.SocketMode = 0o660
	}
	s := &Server{o: o, streams: make(chan struct{}, maxStreams), doctors: make(chan struct{}, maxDoctors)}
	s.ctx, s.cancel = context.WithCancel(context.Background())
	s.mux = s.routes()
	return s, nil
}

// Start opens the listeners and serves until Stop. When it fails, nothing is left open.
func (s *Server) Start() error {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped || len(s.servers) > 0 {
		return errors.New("start API: it was started before")
	}
	var unix *boundSocket
	var tcp net.Listener
	if s.o.Socket != "" {
		bound, err := bindSocket(s.ctx, s.o)
		if err != nil {
			return fmt.Errorf("start API: %w", err)
		}
		unix = bound
	}
	if s.o.Listen != "" {
		var err error
		if tcp, err = new(net.ListenConfig).Listen(s.ctx, "tcp", s.o.Listen); err != nil {
			if unix != nil {
				_ = unix.Close()
			}
			return fmt.Errorf("start API: %w", err)
		}
		s.tcp = tcp.Addr()
	}
	if unix != nil {
		server := s.serve(unix, s.overSocket(s.mux))
		s.wg.Go(func() { s.keepSocket(server, unix) })
	}
	if tcp != nil {
		s.serve(tcp, s.overTCP(s.mux))
	}
	return nil
}

// served is what answers the connections of a listener.
type served struct {
	http  *http.Server
	crowd *crowd
}

// serve answers the connections of a listener until Stop.
func (s *Server) serve(l net.Listener, h http.Handler) served {
	c := newCrowd(maxConnections, s.o.Log)
	server := &http.Server{
		Handler:           guarded(h),
		ReadHeaderTimeout: headerTimeout,
		ReadTimeout:       readTimeout,
		WriteTimeout:      writeTimeout,
		IdleTimeout:       idleTimeout,
		MaxHeaderBytes:    maxHeader,
		ErrorLog:          log.New(complaints{s.o.Log}, "", 0),
		BaseContext:       func(net.Listener) context.Context { return s.ctx },
		ConnState:         c.changed,
	}
	s.servers = append(s.servers, server)
	one := served{server, c}
	s.accept(one, l)
	return one
}

// accept takes connections from one more listener, until Stop or until it is closed.
func (s *Server) accept(one served, l net.Listener) {
	s.wg.Go(func() {
		err := one.http.Serve(&entrance{Listener: l, crowd: one.crowd})
		if !errors.Is(err, http.ErrServerClosed) && !errors.Is(err, net.ErrClosed) {
			s.o.Log.Error().Err(err).Stringer("listener", l.Addr()).Msg("the API ended")
		}
	})
}

// Addr returns the TCP address in use, nil when there is none: it tells the port when the
// configured one was 0.
func (s *Server) Addr() net.Addr {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.tcp
}

// Stop ends the event streams, lets the other requests finish until ctx ends, cuts off what
// is left, and removes the socket. It may be called more than once.
func (s *Server) Stop(ctx context.Context) {
	s.mu.Lock()
	defer s.mu.Unlock()
	if s.stopped {
		return
	}
	s.stopped = true
	s.cancel()
	var wg sync.WaitGroup
	for _, server := range s.servers {
		wg.Go(func() {
			if server.Shutdown(ctx) != nil {
				_ = server.Close()
			}
		})
	}
	wg.Wait()
	s.wg.Wait()
}

// complaints turns what net/http logs (a panic in a handler, say) into log lines.
type complaints struct{ log zerolog.Logger }

func (c complaints) Write(p []byte) (int, error) {
	c.log.Warn().Str("what", string(p)).Msg("trouble with an API client")
	return len(p), nil
}

// guarded adds what every answer carries.
func guarded(next http.Handler) http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		h := w.Header()
		h.Set("Cache-Control", "no-store")
		h.Set("X-Content-Type-Options", "nosniff")
		if misaskedAt(r.Method, r.URL.Path) {
			writeReply(w, misasked())
			return
		}
		r.Body = http.MaxBytesReader(w, r.Body, maxBody)
		next.ServeHTTP(w, r)
	})
}
