package client

import (
	"bufio"
	"context"
	"encoding/json"
	"fmt"
	"net/http"
	"net/url"
	"strconv"
	"strings"
	"sync/atomic"
	"time"

	"mpp"
)

// EventQuery selects events; the zero value selects all.
type EventQuery struct {
	// Pool and Node restrict to one pool or node; empty means all.
	Pool, Node string
	// After restricts to events with a higher Seq.
	After uint64
	// Since restricts to events not before it; zero means no limit.
	Since time.Time
	// Limit is how many of the newest are wanted; 0 means all that are kept.
	Limit int
}

func (q EventQuery) values() url.Values {
	v := url.Values{}
	set := func(key, value string) {
		if value != "" {
			v.Set(key, value)
		}
	}
	set("pool", q.Pool)
	set("node", q.Node)
	if q.After > 0 {
		set("after", strconv.FormatUint(q.After, 10))
	}
	if !q.Since.IsZero() {
		set("since", q.Since.Format(time.RFC3339Nano))
	}
	if q.Limit > 0 {
		set("limit", strconv.Itoa(q.Limit))
	}
	return v
}

// Events returns kept events, oldest first.
func (c *Client) Events(ctx context.Context, q EventQuery) ([]mpp.Event, error) {
	list, err := get[struct{ Events []mpp.Event }](ctx, c, "/v1/events?"+q.values().Encode())
	if err != nil {
		return nil, err
	}
	return list.Events, nil
}

// maxLine bounds a line of the event stream, in bytes.
const maxLine = 1 << 20

// Stream calls each for every event that q selects, as they happen, until ctx ends, each
// fails, or the connection breaks or is silent for too long; it never returns nil. It begins
// with the kept events above After, so 0 gives all of them first; Limit is not used. An error
// that wraps ErrCutOff can be mended by asking again after the last Seq.
func (c *Client) Stream(ctx context.Context, q EventQuery, each func(mpp.Event) error) error {
	v := q.values()
	v.Del("limit")
	v.Set("after", strconv.FormatUint(q.After, 10))
	response, err := c.send(ctx, request{method: http.MethodGet, path: "/v1/events?" + v.Encode(), accept: "text/event-stream"})
	if err != nil {
		return err
	}
	defer func() { _ = response.Body.Close() }()
	var silent atomic.Bool
	limit := time.AfterFunc(c.silence, func() {
		silent.Store(true)
		_ = response.Body.Close()
	})
	lines := bufio.NewScanner(response.Body)
	lines.Buffer(make([]byte, 0, 4096), maxLine)
	next := func() bool {
		limit.Reset(c.silence)
		defer limit.Stop()
		return lines.Scan()
	}
	for next() {
		data, isData := strings.CutPrefix(lines.Text(), "data: ")
		if !isData {
			continue
		}
		var e mpp.Event
		if err := json.Unmarshal([]byte(data), &e); err != nil {
			return fmt.Errorf("decode event of mppd at %s: %w", c.where, err)
		}
		if err := each(e); err != nil {
			return err
		}
	}
	switch {
	case ctx.Err() != nil:
		return fmt.Errorf("follow events of mppd at %s: %w", c.where, ctx.Err())
	case silent.Load():
		return fmt.Errorf("follow events of mppd at %s: %w: nothing came for %s", c.where, ErrCutOff, c.silence)
	case lines.Err() != nil:
		return fmt.Errorf("follow events of mppd at %s: %w: %w", c.where, ErrCutOff, lines.Err())
	default:
		return fmt.Errorf("follow events of mppd at %s: %w: the daemon ended the stream", c.where, ErrCutOff)
	}
}
