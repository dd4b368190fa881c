package cli

import (
	"context"
	"errors"
	"fmt"
	"io"
	"os"
	"strings"
	"time"

	"mpp"
	"mpp/publish/api/client"
)

// Client is what the command line asks of the daemon. Every method honours the end of its
// context. Errors wrap the conditions of package client where they apply.
type Client interface {
	// View returns everything that the daemon knows at this moment.
	View(ctx context.Context) (*mpp.View, error)
	// Explain says why a pool is as it is.
	Explain(ctx context.Context, pool string) (*mpp.Explanation, error)
	// Events returns recorded events, oldest first.
	Events(ctx context.Context, q client.EventQuery) ([]mpp.Event, error)
	// Stream calls each for every event that q selects, as they happen, until ctx ends, each
	// fails or the connection breaks; it never returns nil.
	Stream(ctx context.Context, q client.EventQuery, each func(mpp.Event) error) error
	// Do has a command carried out; a refusal is a Result, not an error.
	Do(ctx context.Context, pool string, c mpp.Command) (mpp.Result, error)
	// Operations returns what a pool does and did, newest first, limit of them; 0 means all.
	Operations(ctx context.Context, pool string, limit int) ([]mpp.Operation, error)
	// Operation returns one of a pool's; the error wraps client.ErrNotFound when there is none.
	Operation(ctx context.Context, pool string, id uint64) (*mpp.Operation, error)
	// Doctor has everything tried that a failover of the pool will need.
	Doctor(ctx context.Context, pool string) (*mpp.Diagnosis, error)
	// Check polls a node at once, with every check.
	Check(ctx context.Context, node string) (*mpp.Observation, error)
	// Record returns what the daemon kept since then, for replay; the caller closes it.
	Record(ctx context.Context, since time.Time) (io.ReadCloser, error)
	// Reload has the configuration read again; an error that wraps client.ErrRefused carries
	// what is wrong with it.
	Reload(ctx context.Context) error
}

// Target says where the daemon is: the unix socket, or URL when it is not empty.
type Target struct {
	Socket string
	URL    string
	// TokenFile holds the bearer token for URL; empty means none.
	TokenFile string
}

// String names the target for messages.
func (t Target) String() string {
	if t.URL != "" {
		return t.URL
	}
	return t.Socket
}

// maxToken bounds a token file, in bytes.
const maxToken = 4096

// dial prepares a client of the real daemon.
func dial(t Target) (Client, error) {
	o := client.Options{Socket: t.Socket, URL: t.URL}
	if t.URL != "" && t.TokenFile != "" {
		token, err := readToken(t.TokenFile)
		if err != nil {
			return nil, err
		}
		o.Token = token
	}
	c, err := client.New(o)
	if err != nil {
		return nil, &failure{code: ExitUsage, text: err.Error()}
	}
	return c, nil
}

// readToken reads a token that nobody else can read.
func readToken(name string) (string, error) {
	f, err := os.Open(name)
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	defer func() { _ = f.Close() }()
	info, err := f.Stat()
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	if !info.Mode().IsRegular() {
		return "", fmt.Errorf("read token: %s is no regular file", name)
	}
	if info.Mode().Perm()&0o007 != 0 {
		return "", &failure{
			code: ExitTrouble, text: fmt.Sprintf("token file %s is open to everybody (mode %04o)", name, info.Mode().Perm()),
			hint: "chmod o-rwx " + name,
		}
	}
	text, err := io.ReadAll(io.LimitReader(f, maxToken+1))
	if err != nil {
		return "", fmt.Errorf("read token: %w", err)
	}
	token := strings.TrimSpace(string(text))
	switch {
	case token == "":
		return "", fmt.Errorf("read token: %s is empty", name)
	case len(text) > maxToken || strings.ContainsAny(token, "\r\n"):
		return "", errors.New("read token: " + name + " holds more than one line")
	}
	return token, nil
}
