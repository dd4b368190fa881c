package pool

import (
	"testing"
	"time"

	"mpp"
)

func TestNoFailoverStartsThatARestartWouldForget(t *testing.T) {
	a := New(Policy{}, mpp.PoolMemory{})
	for _, why := range []string{"no space left on device", ""} {
		a.Unrecorded(why)
		if open, evidence := gateAllowed(a.outage(time.Unix(1000, 0), false)); open != (why == "") {
			t.Errorf("journal trouble %q: open %v: %s", why, open, evidence)
		}
	}
}
