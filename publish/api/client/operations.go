package client

import (
	"context"
	"net/http"
	"net/url"
	"strconv"
	"time"

	"mpp"
)

// Readiness says what would happen if the pool's ACTIVE node died now. The error wraps
// ErrNotFound when there is no such pool or it has no engine.
func (c *Client) Readiness(ctx context.Context, pool string) (*mpp.Readiness, error) {
	return get[mpp.Readiness](ctx, c, "/v1/pools/"+url.PathEscape(pool)+"/readiness")
}

// Operations returns what a pool does and did: operations under way, then those that have ended,
// newest first; limit of them at most, all that are kept when limit is 0.
func (c *Client) Operations(ctx context.Context, pool string, limit int) ([]mpp.Operation, error) {
	list, err := get[struct{ Operations []mpp.Operation }](ctx, c, "/v1/pools/"+url.PathEscape(pool)+"/operations?limit="+strconv.Itoa(limit))
	if err != nil {
		return nil, err
	}
	return list.Operations, nil
}

// Operation returns one operation of a pool: how far it is, or its report. The error wraps
// ErrNotFound when there is none of that number, or its report is no longer kept.
func (c *Client) Operation(ctx context.Context, pool string, id uint64) (*mpp.Operation, error) {
	return get[mpp.Operation](ctx, c, "/v1/pools/"+url.PathEscape(pool)+"/operations/"+strconv.FormatUint(id, 10))
}

// doctorTimeout is the limit of a diagnosis whose context has none: the daemon's own and a little.
const doctorTimeout = 65 * time.Second

// Doctor has everything tried that a failover of the pool will need. It may take as long as
// hosts that do not answer are waited for, a minute at most.
func (c *Client) Doctor(ctx context.Context, pool string) (*mpp.Diagnosis, error) {
	if _, limited := ctx.Deadline(); !limited {
		var done context.CancelFunc
		ctx, done = context.WithTimeout(ctx, doctorTimeout)
		defer done()
	}
	return call[mpp.Diagnosis](ctx, c, request{method: http.MethodPost, path: "/v1/pools/" + url.PathEscape(pool) + "/doctor"})
}
