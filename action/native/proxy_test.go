package native

import (
	"io"
	"net"
	"sync"
	"testing"
)

// proxy stands between a replica and its source, and can cut the source's words short in the middle.
type proxy struct {
	listener net.Listener
	target   string

	mu    sync.Mutex
	conns []net.Conn
	left  int64 // bytes of the source that still pass; negative: all
	dry   chan struct{}
}

func newProxy(t *testing.T, target string) *proxy {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	p := &proxy{listener: l, target: target, left: -1, dry: make(chan struct{})}
	go p.serve()
	t.Cleanup(p.cut)
	return p
}

func (p *proxy) port() string {
	_, port, _ := net.SplitHostPort(p.listener.Addr().String())
	return port
}

func (p *proxy) serve() {
	for {
		c, err := p.listener.Accept()
		if err != nil {
			return
		}
		s, err := net.Dial("tcp", p.target)
		if err != nil {
			_ = c.Close()
			continue
		}
		p.mu.Lock()
		p.conns = append(p.conns, c, s)
		p.mu.Unlock()
		go func() { _, _ = io.Copy(s, c) }()
		go func() { _, _ = io.Copy(c, reader{p, s}) }()
	}
}

// reader lets so many bytes pass as the proxy allows.
type reader struct {
	p *proxy
	c net.Conn
}

func (r reader) Read(b []byte) (int, error) {
	n, err := r.c.Read(b)
	r.p.mu.Lock()
	defer r.p.mu.Unlock()
	if r.p.left < 0 {
		return n, err
	}
	n = int(min(int64(n), r.p.left))
	if r.p.left -= int64(n); r.p.left == 0 {
		select {
		case <-r.p.dry:
		default:
			close(r.p.dry)
		}
		if n == 0 {
			r.p.mu.Unlock()
			<-make(chan struct{}) // silence, without a reset; ends with the test's program
			r.p.mu.Lock()
		}
	}
	return n, err
}

// allow lets n more bytes of the source pass, then nothing: dry is closed.
func (p *proxy) allow(n int64) {
	p.mu.Lock()
	defer p.mu.Unlock()
	p.left = n
}

// cut ends everything.
func (p *proxy) cut() {
	_ = p.listener.Close()
	p.mu.Lock()
	defer p.mu.Unlock()
	for _, c := range p.conns {
		_ = c.Close()
	}
}
