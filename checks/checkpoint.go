package checks

import (
	"context"
	"errors"
	"fmt"
	"io"
	"net"
	"net/http"
	"net/url"
	"os"
	"syscall"
	"time"

	"golang.org/x/net/icmp"
	"golang.org/x/net/ipv4"
	"golang.org/x/net/ipv6"

	"mpp"
)

// CheckpointKind says how a checkpoint is tried.
type CheckpointKind string

// The kinds of checkpoints.
const (
	// CheckpointTCP: a TCP connection opens.
	CheckpointTCP CheckpointKind = "tcp"
	// CheckpointHTTP: a GET is answered with a good status.
	CheckpointHTTP CheckpointKind = "http"
	// CheckpointICMP: an echo request (ping) is answered.
	CheckpointICMP CheckpointKind = "icmp"
	// CheckpointMySQL: a server says something in MySQL's protocol, be it an error. No account
	// is needed; give it one all the same, else the server blocks this host after many tries.
	CheckpointMySQL CheckpointKind = "mysql"
)

// CheckpointOptions says what a checkpoint is.
type CheckpointOptions struct {
	// Name is the checkpoint's name in its pool.
	Name string
	Kind CheckpointKind
	// Address is "host:port" for tcp and mysql, a host for icmp, a URL for http.
	Address string
	// Statuses are the HTTP statuses that count as reached; empty means 200 to 399.
	Statuses []int
	// User and Password are for mysql.
	User     string
	Password string
	// Limit bounds a try; 0 means a second.
	Limit time.Duration
}

// Checkpoint is something outside a pool that shows whether this poller is cut off. Try may be
// called by several goroutines.
type Checkpoint struct {
	o    CheckpointOptions
	node *Options // for mysql
	http *http.Client
}

// NewCheckpoint makes a checkpoint; it tries nothing yet. The error says which option cannot work.
func NewCheckpoint(o CheckpointOptions) (*Checkpoint, error) {
	bad := func(format string, args ...any) (*Checkpoint, error) {
		return nil, fmt.Errorf("configure checkpoint %q: "+format, append([]any{o.Name}, args...)...)
	}
	if o.Limit == 0 {
		o.Limit = time.Second
	}
	c := &Checkpoint{o: o}
	switch {
	case o.Limit < 0:
		return bad("limit %s; want more than 0", o.Limit)
	case o.Address == "":
		return bad("no address")
	}
	switch o.Kind {
	case CheckpointTCP, CheckpointMySQL:
		if _, _, err := net.SplitHostPort(o.Address); err != nil {
			return bad("address %q: want host:port", o.Address)
		}
		c.node = &Options{Address: o.Address, User: o.User, Password: o.Password, ConnectLimit: o.Limit}
		if o.User == "" {
			c.node.User = "mpp"
		}
	case CheckpointHTTP:
		if u, err := url.Parse(o.Address); err != nil || u.Host == "" || (u.Scheme != "http" && u.Scheme != "https") {
			return bad("address %q: want a URL such as http://10.0.0.1/health", o.Address)
		}
		c.http = &http.Client{
			// Every try makes a connection of its own: an old one may be up when no new one
			// can be had. A redirect is an answer.
			Transport:     &http.Transport{DisableKeepAlives: true, Proxy: nil},
			CheckRedirect: func(*http.Request, []*http.Request) error { return http.ErrUseLastResponse },
		}
	case CheckpointICMP:
	default:
		return bad("kind %q is none of tcp, http, icmp, mysql", o.Kind)
	}
	return c, nil
}

// Try tries the checkpoint once, within ctx and the checkpoint's limit.
func (c *Checkpoint) Try(ctx context.Context) mpp.CheckpointResult {
	res := mpp.CheckpointResult{Name: c.o.Name, At: time.Now()}
	ctx, cancel := context.WithTimeout(ctx, c.o.Limit)
	defer cancel()
	err := c.try(ctx)
	res.Took = time.Since(res.At)
	res.Reached = err == nil
	switch {
	case err == nil:
	case isTimeout(err):
		res.Message = "no answer within " + res.Took.Round(time.Millisecond).String()
	default:
		res.Message = oneLine(err.Error())
	}
	return res
}

func (c *Checkpoint) try(ctx context.Context) error {
	switch c.o.Kind {
	case CheckpointHTTP:
		return c.tryHTTP(ctx)
	case CheckpointICMP:
		return ping(ctx, c.o.Address)
	case CheckpointMySQL:
		return c.tryMySQL(ctx)
	default:
		var d net.Dialer
		conn, err := d.DialContext(ctx, "tcp", c.o.Address)
		if err != nil {
			return err
		}
		return conn.Close()
	}
}

func (c *Checkpoint) tryHTTP(ctx context.Context) error {
	req, err := http.NewRequestWithContext(ctx, http.MethodGet, c.o.Address, http.NoBody)
	if err != nil {
		return err
	}
	req.Header.Set("User-Agent", "mpp/"+mpp.Version)
	resp, err := c.http.Do(req)
	if err != nil {
		return err
	}
	defer resp.Body.Close()
	// The status is the answer; what follows is only read a little to end politely.
	_, _ = io.CopyN(io.Discard, resp.Body, 4096)
	if len(c.o.Statuses) == 0 {
		if resp.StatusCode >= 200 && resp.StatusCode < 400 {
			return nil
		}
		return fmt.Errorf("HTTP status %d; want 200 to 399", resp.StatusCode)
	}
	for _, s := range c.o.Statuses {
		if s == resp.StatusCode {
			return nil
		}
	}
	return fmt.Errorf("HTTP status %d; want one of %v", resp.StatusCode, c.o.Statuses)
}

// tryMySQL logs in, because a connection that is closed before the login counts against this
// host (error 1129). Whatever the server says to it, it was reached.
func (c *Checkpoint) tryMySQL(ctx context.Context) error {
	connector, err := c.node.connector(c.o.Address)
	if err != nil {
		return err
	}
	l, failed := login(ctx, connector, c.o.Limit)
	if failed == nil {
		l.close()
		return nil
	}
	if failed.wire != nil && failed.wire.spoke {
		return nil
	}
	return errors.New(judgeLogin(failed).message)
}

// ErrPing says that this process may not send echo requests.
var ErrPing = errors.New("not permitted to ping: widen net.ipv4.ping_group_range, or give mppd CAP_NET_RAW")

// ping sends one echo request and waits for its answer.
func ping(ctx context.Context, host string) error {
	var resolver net.Resolver
	addresses, err := resolver.LookupIPAddr(ctx, host)
	if err != nil {
		return err
	}
	if len(addresses) == 0 {
		return fmt.Errorf("host %q has no address", host)
	}
	target := addresses[0]
	for _, a := range addresses {
		if a.IP.To4() != nil {
			target = a
			break
		}
	}
	e := echoOf(target)
	if err := e.open(); err != nil {
		return err
	}
	defer e.conn.Close()
	deadline, _ := ctx.Deadline() // Try always sets one
	if err := e.conn.SetDeadline(deadline); err != nil {
		return err
	}
	stop := context.AfterFunc(ctx, func() { _ = e.conn.SetDeadline(time.Unix(1, 0)) })
	defer stop()
	return e.exchange()
}

// echo is an echo request to one address, in the ways of IPv4 or IPv6.
type echo struct {
	target             net.IPAddr
	request, reply     icmp.Type
	protocol           int
	unprivileged, raw  string
	any                string
	conn               *icmp.PacketConn
	to                 net.Addr
	id, sequenceNumber int
}

func echoOf(target net.IPAddr) *echo {
	// The time tells tries apart that a single process makes on raw sockets.
	e := &echo{target: target, id: os.Getpid() & 0xffff, sequenceNumber: int(time.Now().UnixMicro() & 0xffff)}
	if target.IP.To4() != nil {
		e.request, e.reply, e.protocol = ipv4.ICMPTypeEcho, ipv4.ICMPTypeEchoReply, 1
		e.unprivileged, e.raw, e.any = "udp4", "ip4:icmp", "0.0.0.0"
		return e
	}
	e.request, e.reply, e.protocol = ipv6.ICMPTypeEchoRequest, ipv6.ICMPTypeEchoReply, 58
	e.unprivileged, e.raw, e.any = "udp6", "ip6:ipv6-icmp", "::"
	return e
}

// open opens a ping socket, or a raw one where those are not allowed.
func (e *echo) open() error {
	var err error
	if e.conn, err = icmp.ListenPacket(e.unprivileged, e.any); err == nil {
		e.to = &net.UDPAddr{IP: e.target.IP, Zone: e.target.Zone}
		return nil
	}
	if e.conn, err = icmp.ListenPacket(e.raw, e.any); err == nil {
		e.to = &e.target
		return nil
	}
	if errors.Is(err, syscall.EPERM) || errors.Is(err, syscall.EACCES) {
		return ErrPing
	}
	return err
}

// exchange sends the request and reads until its reply comes.
func (e *echo) exchange() error {
	payload := []byte("mpp checkpoint")
	request := icmp.Message{Type: e.request, Body: &icmp.Echo{ID: e.id, Seq: e.sequenceNumber, Data: payload}}
	packet, err := request.Marshal(nil)
	if err != nil {
		return err
	}
	if _, err := e.conn.WriteTo(packet, e.to); err != nil {
		return err
	}
	buffer := make([]byte, 1500)
	for {
		n, from, err := e.conn.ReadFrom(buffer)
		if err != nil {
			return err
		}
		reply, err := icmp.ParseMessage(e.protocol, buffer[:n])
		if err != nil || reply.Type != e.reply || !sameIP(from, e.target.IP) {
			continue
		}
		// The kernel gives ping sockets an id of its own and filters by it.
		body, ok := reply.Body.(*icmp.Echo)
		if ok && body.Seq == e.sequenceNumber && string(body.Data) == string(payload) {
			return nil
		}
	}
}

// sameIP reports whether a packet came from ip.
func sameIP(from net.Addr, ip net.IP) bool {
	switch a := from.(type) {
	case *net.UDPAddr:
		return a.IP.Equal(ip)
	case *net.IPAddr:
		return a.IP.Equal(ip)
	default:
		return false
	}
}
