package sandbox

import (
	"context"
	"errors"
	"fmt"
	"time"
)

// Eventually calls cond at once and then every interval until it returns nil, and
// returns nil; or until ctx ends, and returns an error that wraps ctx's and the
// last one of cond. cond must return when the context it is given ends.
func Eventually(ctx context.Context, interval time.Duration, cond func(context.Context) error) error {
	tick := time.NewTicker(interval)
	defer tick.Stop()
	var last error
	for {
		err := cond(ctx)
		if err == nil {
			return nil
		}
		// An error that only says that time is up would hide the one that says why.
		if last == nil || ctx.Err() == nil || !errors.Is(err, ctx.Err()) {
			last = err
		}
		select {
		case <-ctx.Done():
			return fmt.Errorf("wait for condition: %w; last: %w", ctx.Err(), last)
		case <-tick.C:
		}
	}
}
