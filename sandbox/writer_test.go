package sandbox_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// acknowledged waits until a writer has so many more rows.
func acknowledged(t *testing.T, w *sandbox.Writer, more int) {
	t.Helper()
	want := w.Stats().Acknowledged + more
	eventually(t, func(context.Context) error {
		s := w.Stats()
		if s.Acknowledged < want {
			return errors.Join(errors.New("too few rows are acknowledged"), s.LastError)
		}
		return nil
	})
}

func TestWriterKnowsWhatWasAcknowledged(t *testing.T) {
	eachFlavour(t, func(t *testing.T, base sandbox.Base) {
		ctx := sandboxtest.Context(t)
		p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: base, Size: 2})
		var target atomic.Pointer[sandbox.Server]
		target.Store(p.Servers[0])
		w, err := sandbox.NewWriter(sandbox.WriterOptions{
			DSN:      func() string { return target.Load().DSN(p.App.User, p.App.Password) },
			Interval: 2 * time.Millisecond, Timeout: 200 * time.Millisecond,
		})
		must(t, err)
		w.Start(ctx)
		acknowledged(t, w, 20)

		must(t, p.Servers[0].Freeze())
		eventually(t, func(context.Context) error {
			if w.Stats().Errors == 0 {
				return errors.New("no write to the frozen server has failed")
			}
			return nil
		})
		must(t, p.Servers[0].Thaw())
		acknowledged(t, w, 20)

		must(t, p.Servers[0].Kill())
		must(t, p.Servers[0].Restart(ctx))
		acknowledged(t, w, 20)

		must(t, p.CatchUp(ctx, p.Servers[0]))
		mustExec(t, p.Servers[1].Root(), "STOP "+replicaWord(base), "SET GLOBAL read_only = 0")
		target.Store(p.Servers[1])
		acknowledged(t, w, 20)
		stats := w.Stop()
		if stats.LastError == nil || stats.LongestGap < 200*time.Millisecond || stats.LongestGapAt.IsZero() {
			t.Errorf("stats do not show the outage: %+v", stats)
		}

		// What went to the first server before the change is on it, and nothing after.
		missing, err := w.Missing(ctx, p.Servers[0].Root())
		must(t, err)
		if len(missing) < 15 || missing[len(missing)-1] < int64(stats.Acknowledged) {
			t.Errorf("the first server lacks %d rows, want those written to the second", len(missing))
		}
		mustExec(t, p.Servers[1].Root(), "START "+replicaWord(base))
	})
}

func TestWriterLosesNothingOnAServerThatIsKilled(t *testing.T) {
	eachFlavour(t, func(t *testing.T, base sandbox.Base) {
		ctx := sandboxtest.Context(t)
		p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: base, Size: 1})
		s := p.Servers[0]
		w, err := sandbox.NewWriter(sandbox.WriterOptions{
			DSN: func() string { return s.DSN(p.App.User, p.App.Password) }, Interval: time.Millisecond,
		})
		must(t, err)
		w.Start(ctx)
		for range 3 {
			acknowledged(t, w, 50)
			must(t, s.Kill())
			must(t, s.Restart(ctx))
		}
		if stats := w.Stop(); stats.Acknowledged < 150 {
			t.Errorf("%d rows acknowledged", stats.Acknowledged)
		}
		missing, err := w.Missing(ctx, s.Root())
		must(t, err)
		if len(missing) > 0 {
			t.Errorf("acknowledged rows are missing: %d", missing)
		}
	})
}

func TestWriterWithoutATargetCountsErrors(t *testing.T) {
	w, err := sandbox.NewWriter(sandbox.WriterOptions{DSN: func() string { return "" }, Interval: time.Millisecond})
	must(t, err)
	w.Start(t.Context())
	eventually(t, func(context.Context) error {
		if w.Stats().Errors < 3 {
			return errors.New("too few errors")
		}
		return nil
	})
	if s := w.Stop(); s.Acknowledged != 0 || s.LastError == nil || s.LongestGap == 0 {
		t.Errorf("stats: %+v", s)
	}
	if _, err := sandbox.NewWriter(sandbox.WriterOptions{}); err == nil {
		t.Error("a writer without a DSN was made")
	}
}
