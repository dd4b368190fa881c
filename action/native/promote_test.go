package native

import (
	"testing"
	"time"

	"mpp"
	"mpp/sandbox/sandboxtest"
)

// TestPromotedNodeTakesWritesAndTheOthersFollowIt is a failover by hand: the source dies, one
// replica is promoted, the other follows it, and the dead one comes back as a replica.
func TestPromotedNodeTakesWritesAndTheOthersFollowIt(t *testing.T) {
	each(t, all(), func(t *testing.T, w *world) {
		w.write(0, 3)
		w.inStep()
		if err := w.pool.Servers[0].Kill(); err != nil {
			t.Fatal(err)
		}
		for i := 1; i < 3; i++ {
			got := w.must(mpp.StepStopReceiver, i)
			if got.Position == nil || got.Position.Executed == "" || got.Position.SourceLog == "" {
				t.Errorf("no position: %+v", got.Position)
			}
		}
		w.must(mpp.StepDrain, 1)
		w.must(mpp.StepPromote, 1)
		w.want(1, "SELECT @@global.read_only", "0")
		if w.status(1) != nil {
			t.Error("the promoted node is still a replica")
		}
		w.write(1, 2)
		w.must(mpp.StepRepoint, 2, w.peer(1))
		w.eventually("the writes do not arrive", func() bool { return w.rows(2) == w.rows(1) })

		if err := w.pool.Servers[0].Restart(sandboxtest.Context(t)); err != nil {
			t.Fatal(err)
		}
		w.must(mpp.StepRepoint, 0, w.peer(1))
		w.want(0, "SELECT @@global.read_only", "1")
		w.eventually("the writes do not arrive", func() bool { return w.rows(0) == w.rows(1) })

		// And all the way back, as a switchover.
		w.must(mpp.StepReadOnly, 1)
		end := w.must(mpp.StepPosition, 1)
		w.must(mpp.StepAwaitSet, 0, set(end.Position.Executed))
		w.must(mpp.StepPromote, 0)
		w.write(0, 1)
		w.must(mpp.StepRepoint, 2, w.peer(0))
		w.must(mpp.StepRepoint, 1, w.peer(0))
		w.inStep()
		if got, want := w.rows(1), w.rows(0); got != want {
			t.Errorf("the old source has %s rows, want %s", got, want)
		}
	})
}

var _ = time.Second
