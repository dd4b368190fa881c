package cli

import (
	"context"
	"encoding/json"
	"fmt"
	"strconv"
	"strings"
	"time"

	"mpp"
)

// DefaultSocket is where the daemon listens when nothing else is said.
const DefaultSocket = "/run/mpp/mppd.sock"

// env is the state of one run: the outside world and the flags that every command has.
type env struct {
	sys System

	socket, url, tokenFile string
	color                  string
	utc                    bool
	timeout                time.Duration
}

// target resolves where the daemon is: a flag before the environment, and there the URL
// before the socket.
func (e *env) target() Target {
	t := Target{Socket: e.socket, URL: e.url, TokenFile: e.tokenFile}
	if t.Socket == "" && t.URL == "" {
		t.URL = e.sys.Getenv("MPP_URL")
		t.Socket = e.sys.Getenv("MPP_SOCKET")
	}
	if t.TokenFile == "" {
		t.TokenFile = e.sys.Getenv("MPP_TOKEN_FILE")
	}
	if t.Socket == "" {
		t.Socket = DefaultSocket
	}
	return t
}

// client prepares the connection to the daemon.
func (e *env) client() (Client, error) {
	return e.sys.Dial(e.target())
}

// asked runs one question to the daemon under --timeout.
func asked[T any](ctx context.Context, e *env, ask func(context.Context, Client) (T, error)) (T, error) {
	c, err := e.client()
	if err != nil {
		var zero T
		return zero, err
	}
	ctx, cancel := context.WithTimeout(ctx, e.timeout)
	defer cancel()
	return ask(ctx, c)
}

func (e *env) view(ctx context.Context) (*mpp.View, error) {
	return asked(ctx, e, func(ctx context.Context, c Client) (*mpp.View, error) { return c.View(ctx) })
}

func (e *env) zone() *time.Location {
	if e.utc {
		return time.UTC
	}
	return e.sys.Zone
}

// page is how output is laid out: cut to the terminal unless wide, in colours as --color,
// NO_COLOR and the terminal say.
func (e *env) page(wide bool) page {
	size, isTerminal := e.sys.Terminal()
	p := page{colour: isTerminal && e.sys.Getenv("NO_COLOR") == "" && e.sys.Getenv("TERM") != "dumb"}
	switch e.color {
	case "always":
		p.colour = true
	case "never":
		p.colour = false
	}
	if wide {
		return p
	}
	if n, err := strconv.Atoi(e.sys.Getenv("COLUMNS")); err == nil && n > 0 {
		p.width = n
	} else if isTerminal {
		p.width = size.Width
	}
	return p
}

// print writes what a command has to say, in one piece.
func (e *env) print(text string) error {
	if _, err := e.sys.Out.Write([]byte(text)); err != nil {
		return fmt.Errorf("write output: %w", err)
	}
	return nil
}

// printJSON writes v indented.
func (e *env) printJSON(v any) error {
	encoder, b := jsonEncoder()
	encoder.SetIndent("", "  ")
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return e.print(b.String())
}

// printLine writes v as JSON on one line.
func (e *env) printLine(v any) error {
	encoder, b := jsonEncoder()
	if err := encoder.Encode(v); err != nil {
		return fmt.Errorf("encode answer: %w", err)
	}
	return e.print(b.String())
}

func jsonEncoder() (*json.Encoder, *strings.Builder) {
	var b strings.Builder
	encoder := json.NewEncoder(&b)
	encoder.SetEscapeHTML(false)
	return encoder, &b
}

// user names who runs the command, for the record; "" when nobody knows. The daemon trusts
// what it sees itself more.
func (e *env) user() string {
	for _, name := range []string{"SUDO_USER", "USER", "LOGNAME"} {
		if user := e.sys.Getenv(name); user != "" {
			return user
		}
	}
	return ""
}
