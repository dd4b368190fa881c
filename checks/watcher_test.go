package checks

import (
	"net"
	"sync/atomic"
	"testing"
	"time"
)

// pair returns both ends of a TCP connection.
func pair(t *testing.T) (here, there net.Conn) {
	t.Helper()
	l, err := net.Listen("tcp", "127.0.0.1:0")
	if err != nil {
		t.Fatal(err)
	}
	defer l.Close()
	if here, err = net.Dial("tcp", l.Addr().String()); err != nil {
		t.Fatal(err)
	}
	if there, err = l.Accept(); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _, _ = here.Close(), there.Close() })
	return here, there
}

func watcher(t *testing.T) *Watcher {
	t.Helper()
	w, err := NewWatcher()
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := w.Close(); err != nil {
			t.Error(err)
		}
	})
	return w
}

// await waits until something came.
func await(t *testing.T, c <-chan int) int {
	t.Helper()
	select {
	case n := <-c:
		return n
	case <-time.After(5 * time.Second):
		t.Fatal("no hangup was told")
		return 0
	}
}

func TestHangupIsToldOnceAndOnlyOfTheConnectionThatHungUp(t *testing.T) {
	w := watcher(t)
	told := make(chan int, 100)
	var theirs []net.Conn
	for i := range 10 {
		here, there := pair(t)
		theirs = append(theirs, there)
		if _, err := w.add(here, func() { told <- i }); err != nil {
			t.Fatal(err)
		}
	}
	for _, i := range []int{3, 7, 0} {
		if err := theirs[i].Close(); err != nil {
			t.Fatal(err)
		}
		if got := await(t, told); got != i {
			t.Errorf("%d hung up, %d was told of", i, got)
		}
	}
	if err := w.Close(); err != nil {
		t.Error(err)
	}
	if len(told) > 0 {
		t.Errorf("one more was told: %d", <-told)
	}
}

func TestOwnCloseIsNoHangupEvenWhenTheDescriptorIsUsedAgain(t *testing.T) {
	w := watcher(t)
	told := make(chan int, 1000)
	for i := range 200 {
		here, there := pair(t)
		one, err := w.add(here, func() { told <- i })
		if err != nil {
			t.Fatal(err)
		}
		one.end()
		if err := here.Close(); err != nil {
			t.Fatal(err)
		}
		_ = there.Close()
	}
	here, there := pair(t)
	if _, err := w.add(here, func() { told <- -1 }); err != nil {
		t.Fatal(err)
	}
	_ = there.Close()
	if got := await(t, told); got != -1 {
		t.Errorf("told of connection %d, which was closed here", got)
	}
}

func TestHangupDuringAPollIsToldAfterIt(t *testing.T) {
	w := watcher(t)
	told := make(chan int, 10)
	here, there := pair(t)
	one, err := w.add(here, func() { told <- 1 })
	if err != nil {
		t.Fatal(err)
	}
	one.busy()
	_ = there.Close()
	limit := time.After(5 * time.Second)
	for !one.hungUp.Load() {
		select {
		case <-limit:
			t.Fatal("the hangup was not seen")
		case <-time.After(time.Millisecond):
		}
	}
	if len(told) > 0 {
		t.Error("told in the middle of a poll")
	}
	one.idle()
	await(t, told)
	one.idle()
	one.busy()
	one.idle()
	if len(told) > 0 {
		t.Error("told twice")
	}
}

func TestHangupBeforeTheWatchIsToldToo(t *testing.T) {
	w := watcher(t)
	here, there := pair(t)
	_ = there.Close()
	told := make(chan int, 1)
	if _, err := w.add(here, func() { told <- 1 }); err != nil {
		t.Fatal(err)
	}
	await(t, told)
}

func TestClosedWatcherWatchesNothing(t *testing.T) {
	w := watcher(t)
	here, there := pair(t)
	var calls atomic.Int32
	one, err := w.add(here, func() { calls.Add(1) })
	if err != nil {
		t.Fatal(err)
	}
	one.busy()
	if err := w.Close(); err != nil {
		t.Fatal(err)
	}
	_ = there.Close()
	one.hangUp()
	one.idle()
	if calls.Load() != 0 {
		t.Error("called after Close")
	}
	if _, err := w.add(here, func() {}); err == nil {
		t.Error("a closed watcher took a connection")
	}
}
