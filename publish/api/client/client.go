// Package client asks a running mppd, over its unix socket or its TCP address.
//
// A Client holds connections and nothing else; it may be used concurrently. Every method
// honours its context and blocks no longer. Without a deadline in the context each request
// but streams and records ends after DefaultTimeout.
//
// Errors wrap one of the package's conditions where it applies, so that a caller can tell a
// daemon that is not there from one that says no; their text says what to do. The token is
// never part of an error.
package client

import (
	"bytes"
	"cmp"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"net"
	"net/http"
	"net/url"
	"strings"
	"syscall"
	"time"

	"mpp"
)

// The conditions that errors tell apart.
var (
	// ErrUnreachable: nobody answered.
	ErrUnreachable = errors.New("mppd cannot be reached")
	// ErrDenied: the daemon, or the socket's file mode, does not let this user in.
	ErrDenied = errors.New("access denied")
	// ErrNotFound: the daemon knows no such pool, node or operation.
	ErrNotFound = errors.New("not found")
	// ErrRefused: the daemon understood and will not do it.
	ErrRefused = errors.New("refused")
	// ErrCutOff: the event stream or the record ended before its end.
	ErrCutOff = errors.New("cut off")
)

// The limits of a client.
const (
	// DefaultTimeout is the limit of a request whose context has none.
	DefaultTimeout = 45 * time.Second
	connectTimeout = 5 * time.Second
	defaultSilence = 35 * time.Second
	// maxAnswer bounds an answer in bytes: far more than 10,000 nodes need.
	maxAnswer = 256 << 20
)

// Options say where the daemon is.
type Options struct {
	// Socket is the path of the unix socket; it is used when URL is empty.
	Socket string
	// URL is where the daemon listens on TCP, such as http://10.0.0.5:9102.
	URL string
	// Token is sent with every request over TCP; empty for none.
	Token string
	// Silence is how long a stream of events may be silent before it counts as cut off; 0
	// means 35 s, three times what the daemon lets pass between two signs of life.
	Silence time.Duration
}

// Client asks one daemon. New makes one.
type Client struct {
	http  *http.Client
	base  string
	where string // the socket or the URL, for messages
	unix  bool
	token string
	// silence is Options.Silence.
	silence time.Duration
}

// New prepares a client. It does not connect yet.
func New(o Options) (*Client, error) {
	dialer := &net.Dialer{Timeout: connectTimeout}
	transport := &http.Transport{DialContext: dialer.DialContext, MaxIdleConnsPerHost: 4, IdleConnTimeout: time.Minute}
	c := &Client{http: &http.Client{Transport: transport}, token: o.Token, silence: cmp.Or(o.Silence, defaultSilence)}
	if o.URL != "" {
		base, err := baseOf(o.URL)
		if err != nil {
			return nil, err
		}
		transport.Proxy = http.ProxyFromEnvironment
		c.base, c.where = base, base
		return c, nil
	}
	if o.Socket == "" {
		return nil, errors.New("make client: neither a socket nor a URL is given")
	}
	transport.DialContext = func(ctx context.Context, _, _ string) (net.Conn, error) {
		return dialer.DialContext(ctx, "unix", o.Socket)
	}
	c.base, c.where, c.unix, c.token = "http://mppd", o.Socket, true, ""
	return c, nil
}

func baseOf(text string) (string, error) {
	if !strings.Contains(text, "://") {
		text = "http://" + text
	}
	u, err := url.Parse(text)
	if err != nil || u.Hostname() == "" || (u.Scheme != "http" && u.Scheme != "https") || u.User != nil {
		return "", errors.New("make client: the URL must look like http://10.0.0.5:9102")
	}
	return u.Scheme + "://" + u.Host + strings.TrimRight(u.Path, "/"), nil
}

// Close gives the idle connections back.
func (c *Client) Close() { c.http.CloseIdleConnections() }

// View returns everything that the daemon knows at this moment.
func (c *Client) View(ctx context.Context) (*mpp.View, error) {
	return get[mpp.View](ctx, c, "/v1/pools")
}

// Pool returns one pool.
func (c *Client) Pool(ctx context.Context, pool string) (*mpp.PoolView, error) {
	return get[mpp.PoolView](ctx, c, "/v1/pools/"+url.PathEscape(pool))
}

// Node returns one node, by any form of its address.
func (c *Client) Node(ctx context.Context, node string) (*mpp.NodeView, error) {
	return get[mpp.NodeView](ctx, c, "/v1/nodes/"+url.PathEscape(node))
}

// Explain says why a pool is as it is.
func (c *Client) Explain(ctx context.Context, pool string) (*mpp.Explanation, error) {
	return get[mpp.Explanation](ctx, c, "/v1/pools/"+url.PathEscape(pool)+"/explain")
}

// Do has a command carried out. A refusal by the pool's logic is a Result, not an error.
func (c *Client) Do(ctx context.Context, pool string, command mpp.Command) (mpp.Result, error) {
	r, err := call[mpp.Result](ctx, c, request{
		method: http.MethodPost, path: "/v1/pools/" + url.PathEscape(pool) + "/commands", body: command,
		also: http.StatusConflict,
	})
	if err != nil {
		return mpp.Result{}, err
	}
	return *r, nil
}

// Check polls a node at once, with every check.
func (c *Client) Check(ctx context.Context, node string) (*mpp.Observation, error) {
	return call[mpp.Observation](ctx, c, request{method: http.MethodPost, path: "/v1/nodes/" + url.PathEscape(node) + "/check"})
}

// Reload has the configuration read again. An error that wraps ErrRefused carries everything
// that is wrong with it.
func (c *Client) Reload(ctx context.Context) error {
	_, err := call[struct{}](ctx, c, request{method: http.MethodPost, path: "/v1/reload"})
	return err
}

// Record returns what the daemon kept since then, as JSON lines for mpp replay; a zero time
// means all. The caller closes it. Reading it fails with ErrCutOff when it is not whole.
func (c *Client) Record(ctx context.Context, since time.Time) (io.ReadCloser, error) {
	path := "/v1/record"
	if !since.IsZero() {
		path += "?from=" + url.QueryEscape(since.Format(time.RFC3339Nano))
	}
	response, err := c.send(ctx, request{method: http.MethodGet, path: path})
	if err != nil {
		return nil, err
	}
	return recordReader{response.Body}, nil
}

type recordReader struct{ io.ReadCloser }

func (r recordReader) Read(p []byte) (int, error) {
	n, err := r.ReadCloser.Read(p)
	if err != nil && !errors.Is(err, io.EOF) {
		err = fmt.Errorf("read record: %w: %w", ErrCutOff, err)
	}
	return n, err
}

// request is one question to the daemon.
type request struct {
	method, path string
	body         any // sent as JSON; nil for none
	accept       string
	// also is a status besides 2xx whose body is a proper answer; 0 for none.
	also int
}

func get[T any](ctx context.Context, c *Client, path string) (*T, error) {
	return call[T](ctx, c, request{method: http.MethodGet, path: path})
}

// call asks and decodes the whole answer.
func call[T any](ctx context.Context, c *Client, q request) (*T, error) {
	if _, limited := ctx.Deadline(); !limited {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, DefaultTimeout)
		defer done()
	}
	response, err := c.send(ctx, q)
	if err != nil {
		return nil, err
	}
	defer func() { _ = response.Body.Close() }()
	answer := new(T)
	if err := json.NewDecoder(io.LimitReader(response.Body, maxAnswer)).Decode(answer); err != nil {
		if ctx.Err() != nil {
			return nil, fmt.Errorf("read answer of mppd at %s: %w", c.where, ctx.Err())
		}
		return nil, fmt.Errorf("decode answer of mppd at %s: %w", c.where, err)
	}
	return answer, nil
}

// send asks and returns a response that is not an error; the caller closes its body.
func (c *Client) send(ctx context.Context, q request) (*http.Response, error) {
	var body io.Reader
	if q.body != nil {
		text, err := json.Marshal(q.body)
		if err != nil {
			return nil, fmt.Errorf("encode request: %w", err)
		}
		body = bytes.NewReader(text)
	}
	r, err := http.NewRequestWithContext(ctx, q.method, c.base+q.path, body)
	if err != nil {
		return nil, fmt.Errorf("make request: %w", err)
	}
	if q.body != nil {
		r.Header.Set("Content-Type", "application/json")
	}
	if q.accept != "" {
		r.Header.Set("Accept", q.accept)
	}
	if c.token != "" {
		r.Header.Set("Authorization", "Bearer "+c.token)
	}
	response, err := c.http.Do(r)
	if err != nil {
		return nil, c.unreachable(ctx, err)
	}
	if response.StatusCode/100 == 2 || response.StatusCode == q.also {
		return response, nil
	}
	defer func() { _ = response.Body.Close() }()
	return nil, c.refused(response)
}

// unreachable says why nobody answered.
func (c *Client) unreachable(ctx context.Context, err error) error {
	var wrapped *url.Error
	if errors.As(err, &wrapped) {
		err = wrapped.Err
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("ask mppd at %s: %w", c.where, ctx.Err())
	case c.unix && errors.Is(err, fs.ErrPermission):
		return fmt.Errorf("cannot reach mppd at %s: %w: %w: run it as root or as a member of the socket's group", c.where, ErrDenied, err)
	case c.unix:
		return fmt.Errorf("cannot reach mppd at %s: %w: is it running? systemctl status mppd", c.where, reason{err})
	case errors.Is(err, syscall.ECONNREFUSED):
		return fmt.Errorf("cannot reach mppd at %s: %w: is it running there, with api.listen set?", c.where, reason{err})
	default:
		return fmt.Errorf("cannot reach mppd at %s: %w", c.where, reason{err})
	}
}

// reason is why nobody answered: it reads as its cause and is ErrUnreachable besides.
type reason struct{ cause error }

func (r reason) Error() string   { return r.cause.Error() }
func (r reason) Unwrap() []error { return []error{ErrUnreachable, r.cause} }

// refused makes an error of the daemon's own words.
func (c *Client) refused(response *http.Response) error {
	var said struct{ Error, Hint string }
	foreign := false
	text, _ := io.ReadAll(io.LimitReader(response.Body, 1<<20))
	if json.Unmarshal(text, &said) != nil || said.Error == "" {
		foreign = true
		said.Error = fmt.Sprintf("%s is not mppd's API: it answered %s", c.where, response.Status)
	}
	return &Refusal{Status: response.StatusCode, Text: said.Error, Hint: said.Hint, Foreign: foreign}
}

// Refusal is an error in the daemon's own words.
type Refusal struct {
	// Status is the HTTP status, such as 409.
	Status int
	// Text says what is wrong, in one line or several; Hint what to do, empty for nothing.
	Text, Hint string
	// Foreign says that the words are the client's: what answered is not mppd.
	Foreign bool
}

// Error returns the text and the hint.
func (r *Refusal) Error() string {
	if r.Hint == "" {
		return r.Text
	}
	return r.Text + " (" + r.Hint + ")"
}

// Unwrap returns the condition that the status stands for.
func (r *Refusal) Unwrap() error {
	switch r.Status {
	case http.StatusUnauthorized, http.StatusForbidden:
		return ErrDenied
	case http.StatusNotFound:
		return ErrNotFound
	case http.StatusServiceUnavailable:
		return ErrUnreachable
	case http.StatusGatewayTimeout:
		return context.DeadlineExceeded
	default:
		return ErrRefused
	}
}
