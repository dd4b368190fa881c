package lab

import (
	"context"
	"errors"
	"fmt"
	"math/rand/v2"
	"os"
	"sync"
	"time"

	"github.com/vishvananda/netlink"
	"golang.org/x/sys/unix"
)

// A relay makes a host's link slow: it takes the host's cable out of the bridge, and
// carries the frames across by itself, late or not at all. The kernel's own netem would
// do, but not every kernel has it.
//
//	host -- port -- [inner bridge] -- inner tap == relay == outer tap -- [bridge]

// relayQueue is how many frames may be under way; more are lost, as with netem.
const relayQueue = 4096

// frameMax is the largest frame: the links' MTU with its header, and room for a VLAN's.
const frameMax = 1500 + 18

func relayInner(host string) string  { return "i-" + host }
func relayOuter(host string) string  { return "o-" + host }
func relayBridge(host string) string { return "s-" + host }

// relay is one at work.
type relay struct {
	inner, outer *os.File
	wait         sync.WaitGroup
}

// SlowDown makes what the host sends late and lossy, until Heal or until this program
// ends, which cuts the host off. It replaces an earlier SlowDown, and ends a Cut.
func (h *Host) SlowDown(s Slow) error {
	if s.Delay < 0 || s.Loss < 0 || s.Loss > 1 {
		return fmt.Errorf("slow down %s: want a delay of 0 or more and a loss of 0 to 1", h.Name)
	}
	if err := h.endRelay(); err != nil {
		return fmt.Errorf("slow down %s: %w", h.Name, err)
	}
	r, err := h.startRelay(s)
	if err != nil {
		return fmt.Errorf("slow down %s: %w", h.Name, err)
	}
	h.lab.mu.Lock()
	h.lab.relays[h.Name] = r
	h.lab.mu.Unlock()
	h.lab.logf("%s: what it sends is %s", h.Name, s)
	return nil
}

// Relay is SlowDown for a program that does nothing else: it returns when Heal has ended
// it, or ctx.
func (h *Host) Relay(ctx context.Context, s Slow) error {
	if err := h.SlowDown(s); err != nil {
		return err
	}
	r := h.lab.takeRelay(h.Name)
	ended := make(chan struct{})
	go func() { r.wait.Wait(); close(ended) }()
	select {
	case <-ended:
		return nil
	case <-ctx.Done():
		return r.stop()
	}
}

func (h *Host) startRelay(s Slow) (*relay, error) {
	r := &relay{}
	var err error
	if r.inner, err = h.lab.openTap(relayInner(h.Name)); err != nil {
		return nil, err
	}
	if r.outer, err = h.lab.openTap(relayOuter(h.Name)); err != nil {
		return nil, errors.Join(err, r.inner.Close())
	}
	err = h.lab.sw.with(func(nl *netlink.Handle) error {
		br := &netlink.Bridge{LinkAttrs: attrs(relayBridge(h.Name))}
		if err := nl.LinkAdd(br); err != nil {
			return err
		}
		if err := nl.LinkSetAlias(br, s.String()); err != nil { // for Status, in whatever program
			return err
		}
		for _, each := range []struct{ port, bridge string }{
			{relayInner(h.Name), relayBridge(h.Name)}, {relayOuter(h.Name), bridgeName}, {h.Name, relayBridge(h.Name)},
		} {
			if err := enslave(nl, each.port, each.bridge); err != nil {
				return err
			}
		}
		for _, name := range []string{relayInner(h.Name), relayOuter(h.Name), relayBridge(h.Name)} {
			link, err := nl.LinkByName(name)
			if err != nil {
				return err
			}
			if err := nl.LinkSetUp(link); err != nil {
				return err
			}
		}
		return nil
	})
	if err != nil {
		return nil, errors.Join(err, r.stop())
	}
	r.carry(r.inner, r.outer, s)
	r.carry(r.outer, r.inner, Slow{})
	return r, nil
}

// openTap makes a link of the switch whose frames this program reads and writes. It is
// gone when the file is closed.
func (l *Lab) openTap(name string) (*os.File, error) {
	var file *os.File
	err := l.sw.do(func() error {
		fd, err := unix.Open("/dev/net/tun", unix.O_RDWR|unix.O_CLOEXEC|unix.O_NONBLOCK, 0)
		if err != nil {
			return err
		}
		request, err := unix.NewIfreq(name)
		if err == nil {
			request.SetUint16(unix.IFF_TAP | unix.IFF_NO_PI)
			err = unix.IoctlIfreq(fd, unix.TUNSETIFF, request)
		}
		if err != nil {
			return errors.Join(err, unix.Close(fd))
		}
		file = os.NewFile(uintptr(fd), name)
		return nil
	})
	if err != nil {
		return nil, fmt.Errorf("make tap %s: %w", name, err)
	}
	return file, nil
}

// late is a frame and the time to hand it on.
type late struct {
	due   time.Time
	frame []byte
}

// carry hands frames on from one tap to the other until either is gone.
func (r *relay) carry(from, to *os.File, s Slow) {
	queue := make(chan late, relayQueue)
	r.wait.Go(func() {
		defer close(queue)
		buffer := make([]byte, frameMax)
		for {
			n, err := from.Read(buffer)
			if err != nil {
				return
			}
			if rand.Float64() < s.Loss {
				continue
			}
			select {
			case queue <- late{time.Now().Add(s.Delay), append([]byte(nil), buffer[:n]...)}:
			default: // full: lost
			}
		}
	})
	r.wait.Go(func() {
		for l := range queue {
			if wait := time.Until(l.due); wait > 0 {
				<-time.After(wait)
			}
			// A frame that the bridge does not take is lost, like any other.
			_, _ = to.Write(l.frame)
		}
	})
}

// stop ends the relay; its links are gone with it.
func (r *relay) stop() error {
	err := errors.Join(r.inner.Close(), r.outer.Close())
	r.wait.Wait()
	return err
}

func (l *Lab) takeRelay(host string) *relay {
	l.mu.Lock()
	defer l.mu.Unlock()
	r := l.relays[host]
	delete(l.relays, host)
	return r
}

func (l *Lab) takeRelays() []*relay {
	l.mu.Lock()
	defer l.mu.Unlock()
	var all []*relay
	for _, r := range l.relays {
		all = append(all, r)
	}
	clear(l.relays)
	return all
}

// endRelay ends a host's relay, whatever program it is in, and leaves the host cut off. A
// relay whose links are gone ends by itself.
func (h *Host) endRelay() error {
	var err error
	if r := h.lab.takeRelay(h.Name); r != nil {
		err = r.stop()
	}
	return errors.Join(err, h.lab.sw.with(func(nl *netlink.Handle) error {
		for _, name := range []string{relayInner(h.Name), relayOuter(h.Name), relayBridge(h.Name)} {
			link, err := nl.LinkByName(name)
			if err != nil {
				continue // there is none
			}
			if err := nl.LinkDel(link); err != nil && !errors.Is(err, unix.ENODEV) {
				return err
			}
		}
		return nil
	}))
}
