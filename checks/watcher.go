package checks

import (
	"errors"
	"fmt"
	"net"
	"sync"
	"sync/atomic"
	"syscall"

	"golang.org/x/sys/unix"
)

// Watcher learns from the kernel that a server closed a connection on which nobody was waiting,
// within milliseconds instead of at the next poll. One Watcher serves any number of Probers with
// one goroutine. Its methods may be called from several goroutines.
type Watcher struct {
	epoll int
	wake  int // an eventfd that ends the goroutine
	done  chan struct{}

	mu     sync.Mutex
	next   uint64
	byID   map[uint64]*watch
	late   []*watch // at most one entry a connection
	closed bool
}

// watch is one connection under watch. Numbers are never used again, so that an event which was
// under way when its connection was closed finds nothing, even if the descriptor has a new owner.
type watch struct {
	watcher *Watcher
	id      uint64
	call    func()
	// state is one of the watch states; it moves from idle to busy and back, or to over.
	state atomic.Int32
	// hungUp says that the server has closed the connection.
	hungUp atomic.Bool
}

const (
	watchIdle int32 = iota
	watchBusy       // a poll is using the connection and will see for itself
	watchOver       // called, or closed by us
)

// wakeID is the number of the eventfd; connections are numbered from 1.
const wakeID = 0

// NewWatcher starts a Watcher; Close ends it.
func NewWatcher() (*Watcher, error) {
	epoll, err := unix.EpollCreate1(unix.EPOLL_CLOEXEC)
	if err != nil {
		return nil, fmt.Errorf("create epoll: %w", err)
	}
	wake, err := unix.Eventfd(0, unix.EFD_CLOEXEC|unix.EFD_NONBLOCK)
	if err != nil {
		return nil, errors.Join(fmt.Errorf("create eventfd: %w", err), unix.Close(epoll))
	}
	w := &Watcher{epoll: epoll, wake: wake, done: make(chan struct{}), next: wakeID + 1, byID: make(map[uint64]*watch)}
	event := unix.EpollEvent{Events: unix.EPOLLIN}
	if err := unix.EpollCtl(epoll, unix.EPOLL_CTL_ADD, wake, &event); err != nil {
		return nil, errors.Join(fmt.Errorf("watch eventfd: %w", err), unix.Close(wake), unix.Close(epoll))
	}
	go w.loop()
	return w, nil
}

// Close ends the goroutine and waits for it, so it must not be called from a Hangup. No Hangup is
// called after it returns. A second call does nothing.
func (w *Watcher) Close() error {
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		<-w.done
		return nil
	}
	w.closed = true
	clear(w.byID)
	w.mu.Unlock()
	if err := w.ring(); err != nil {
		return fmt.Errorf("wake watcher: %w", err)
	}
	<-w.done
	return errors.Join(unix.Close(w.wake), unix.Close(w.epoll))
}

// loop waits for events until Close.
func (w *Watcher) loop() {
	defer close(w.done)
	events := make([]unix.EpollEvent, 128)
	for {
		n, err := unix.EpollWait(w.epoll, events, -1)
		if err != nil && !errors.Is(err, unix.EINTR) {
			return // the descriptor is bad: only a bug closes it before the loop ends
		}
		for i := range max(n, 0) {
			id := uint64(uint32(events[i].Fd)) | uint64(uint32(events[i].Pad))<<32
			if id == wakeID {
				if w.wakeUp() {
					return
				}
				continue
			}
			w.mu.Lock()
			one := w.byID[id]
			delete(w.byID, id)
			w.mu.Unlock()
			if one != nil {
				one.hangUp()
			}
		}
	}
}

// wakeUp serves the eventfd: it calls for what was hung up during a poll, and reports whether
// the Watcher was closed.
func (w *Watcher) wakeUp() (closed bool) {
	var count [8]byte
	_, _ = unix.Read(w.wake, count[:]) // EAGAIN means that another wake-up was served already
	w.mu.Lock()
	closed = w.closed
	late := w.late
	w.late = nil
	w.mu.Unlock()
	if closed {
		return true
	}
	for _, one := range late {
		one.call()
	}
	return false
}

// ring wakes the goroutine.
func (w *Watcher) ring() error {
	_, err := unix.Write(w.wake, []byte{1, 0, 0, 0, 0, 0, 0, 0})
	return err
}

// add puts a connection under watch. call is called at most once.
func (w *Watcher) add(conn net.Conn, call func()) (*watch, error) {
	sc, ok := conn.(syscall.Conn)
	if !ok {
		return nil, fmt.Errorf("watch connection: %T has no descriptor", conn)
	}
	raw, err := sc.SyscallConn()
	if err != nil {
		return nil, fmt.Errorf("watch connection: %w", err)
	}
	one := &watch{watcher: w, call: call}
	w.mu.Lock()
	if w.closed {
		w.mu.Unlock()
		return nil, errors.New("watch connection: the watcher is closed")
	}
	one.id = w.next
	w.next++
	w.byID[one.id] = one
	w.mu.Unlock()
	event := unix.EpollEvent{
		Events: unix.EPOLLRDHUP | unix.EPOLLHUP | unix.EPOLLERR | unix.EPOLLET,
		Fd:     int32(uint32(one.id)), Pad: int32(uint32(one.id >> 32)),
	}
	var addErr error
	err = raw.Control(func(fd uintptr) {
		addErr = unix.EpollCtl(w.epoll, unix.EPOLL_CTL_ADD, int(fd), &event)
	})
	if err := errors.Join(err, addErr); err != nil {
		one.end()
		return nil, fmt.Errorf("watch connection: %w", err)
	}
	return one, nil
}

// hangUp notes that the server closed the connection, and says so unless a poll is using it.
func (o *watch) hangUp() {
	o.hungUp.Store(true)
	if o.state.CompareAndSwap(watchIdle, watchOver) {
		o.call()
	}
}

// busy says that a poll is using the connection; a nil watch does nothing.
func (o *watch) busy() {
	if o != nil {
		o.state.CompareAndSwap(watchIdle, watchBusy)
	}
}

// idle says that the poll is over. If the server hung up meanwhile and the poll did not see it,
// this is the moment to say so.
func (o *watch) idle() {
	if o == nil || !o.state.CompareAndSwap(watchBusy, watchIdle) {
		return
	}
	if !o.hungUp.Load() || !o.state.CompareAndSwap(watchIdle, watchOver) {
		return
	}
	// The Watcher's goroutine makes the call, never the one that polls. The lock keeps the
	// eventfd open for as long as it is rung.
	o.watcher.mu.Lock()
	defer o.watcher.mu.Unlock()
	if !o.watcher.closed {
		o.watcher.late = append(o.watcher.late, o)
		_ = o.watcher.ring() // fails only when a wake-up is under way already
	}
}

// end takes the connection out of watch; it must come before the connection is closed.
func (o *watch) end() {
	if o == nil {
		return
	}
	o.state.Store(watchOver)
	o.watcher.mu.Lock()
	delete(o.watcher.byID, o.id)
	o.watcher.mu.Unlock()
}
