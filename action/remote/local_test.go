package remote_test

import (
	"testing"
	"time"

	"mpp/action/remote"
)

// TestOutputOfACommandThatHasEndedIsWaitedForHoweverSlowItsReaderIs: what is in the pipe when the command ends
// is output like any other.
func TestOutputOfACommandThatHasEndedIsWaitedForHoweverSlowItsReaderIs(t *testing.T) {
	h := remote.NewLocal(false, 0)
	slow := &slowWriter{}
	out, err := h.Stream(within(t, 20*time.Second), "head -c 60000 /dev/zero", slow)
	if err != nil || out.Exit != 0 || slow.got != 60000 {
		t.Errorf("%d of 60000 bytes, %+v, %v", slow.got, out, err)
	}
}

// slowWriter takes a little at a time, and is at it long after whoever wrote has gone.
type slowWriter struct{ got int }

func (w *slowWriter) Write(p []byte) (int, error) {
	<-time.After(400 * time.Millisecond) // it is slow: this waits for nothing
	w.got += len(p)
	return len(p), nil
}
