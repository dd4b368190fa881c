package sandbox

import (
	"errors"
	"fmt"
	"net"
	"net/netip"

	"golang.org/x/sys/unix"
)

// reservation keeps a port for a server for as long as this program runs, also
// while the server is down: a socket that is bound but does not listen. The server
// can bind the same port, since both sockets allow reuse; nobody else is given it.
type reservation struct{ fd int }

// reserve checks an address, chooses a port if it has none, and holds it. Behind a
// prefix, which may mean another network namespace, the address is taken as it is.
func reserve(address string, prefixed bool) (*reservation, string, error) {
	addr, err := netip.ParseAddrPort(address)
	switch {
	case err != nil:
		return nil, "", fmt.Errorf("check address: %w", err)
	case prefixed && addr.Port() == 0:
		return nil, "", fmt.Errorf("check address %s: a port is needed with a prefix", address)
	case prefixed:
		return nil, address, nil
	case !addr.Addr().Is4() || !addr.Addr().IsLoopback():
		return nil, "", fmt.Errorf("check address %s: want an IPv4 loopback address", address)
	}
	fd, err := unix.Socket(unix.AF_INET, unix.SOCK_STREAM|unix.SOCK_CLOEXEC, 0)
	if err != nil {
		return nil, "", fmt.Errorf("reserve address: %w", err)
	}
	hold := &reservation{fd: fd}
	port, err := hold.bind(addr)
	if err != nil {
		return nil, "", errors.Join(fmt.Errorf("reserve address %s: %w", address, err), hold.release())
	}
	return hold, net.JoinHostPort(addr.Addr().String(), fmt.Sprint(port)), nil
}

// bind takes the port, or any free one for 0, and returns it.
func (r *reservation) bind(addr netip.AddrPort) (int, error) {
	// Reuse is allowed only after a free port was found: else the kernel might
	// choose one that another reservation holds.
	want := &unix.SockaddrInet4{Port: int(addr.Port()), Addr: addr.Addr().As4()}
	if addr.Port() != 0 {
		if err := unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
			return 0, err
		}
	}
	if err := unix.Bind(r.fd, want); err != nil {
		return 0, err
	}
	if err := unix.SetsockoptInt(r.fd, unix.SOL_SOCKET, unix.SO_REUSEADDR, 1); err != nil {
		return 0, err
	}
	got, err := unix.Getsockname(r.fd)
	if err != nil {
		return 0, err
	}
	in4, ok := got.(*unix.SockaddrInet4)
	if !ok {
		return 0, errors.New("not an IPv4 socket")
	}
	return in4.Port, nil
}

// release gives the port back. A nil reservation holds nothing.
func (r *reservation) release() error {
	if r == nil {
		return nil
	}
	if err := unix.Close(r.fd); err != nil {
		return fmt.Errorf("release address: %w", err)
	}
	return nil
}
