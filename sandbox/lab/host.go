package lab

import (
	"bytes"
	"context"
	"fmt"
	"net"
	"net/netip"
	"os/exec"
	"strings"

	"mpp/sandbox"
)

// Host is one host of a lab: a namespace with an address and what runs in it. Its
// methods may be called from several goroutines.
type Host struct {
	// Name is unique in the lab: db1 (or db2-1 with several pools), manager, client1.
	Name string
	Kind Kind
	// Pool and Node count from 1; Pool is 0 for manager and clients.
	Pool, Node int
	// Address is that of eth0; Address6 is not valid where the machine has no IPv6.
	Address, Address6 netip.Addr
	MAC               net.HardwareAddr

	lab    *Lab
	space  *space
	server *sandbox.Server
}

// newHost makes a Host of its plan.
func (l *Lab) newHost(p plannedHost) *Host {
	h := &Host{
		Name: p.Name, Kind: p.Kind, Pool: p.Pool, Node: p.Node,
		Address: l.rec.Subnet.address4(p.Pool, p.Node), lab: l,
	}
	if l.rec.Subnet.V6 {
		h.Address6 = l.rec.Subnet.address6(p.Pool, p.Node)
	}
	h.MAC = hardware(h.Address)
	return h
}

// Server is the host's database server, nil for manager and clients.
func (h *Host) Server() *sandbox.Server { return h.server }

// String returns the name.
func (h *Host) String() string { return h.Name }

// Namespace is the name of the host's network namespace, for ip netns exec.
func (h *Host) Namespace() string { return h.space.name }

// Dial connects from the host. The address must be numeric. It costs no more than a
// connect from outside does, and one thread while it lasts.
func (h *Host) Dial(ctx context.Context, network, address string) (net.Conn, error) {
	var conn net.Conn
	err := h.space.do(func() error {
		var err error
		conn, err = (&net.Dialer{}).DialContext(ctx, network, address)
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("dial from %s: %w", h.Name, err)
	}
	return conn, nil
}

// Do runs f on a thread in the host's network namespace: sockets that f makes are the
// host's. f must not leave it to other goroutines to make them.
func (h *Host) Do(f func() error) error { return h.space.do(f) }

// Command prepares a command to be run on the host. Besides the network it sees the
// host's interfaces in /sys.
func (h *Host) Command(ctx context.Context, args ...string) *exec.Cmd {
	argv := append(h.prefix(), args...)
	return exec.CommandContext(ctx, argv[0], argv[1:]...)
}

func (h *Host) prefix() []string { return []string{"ip", "netns", "exec", h.space.name} }

// Exec runs a command on the host and returns what it printed. If it fails, the error
// has the end of what it said on stderr.
func (h *Host) Exec(ctx context.Context, args ...string) (string, error) {
	cmd := h.Command(ctx, args...)
	var out, said bytes.Buffer
	cmd.Stdout, cmd.Stderr = &out, &said
	if err := cmd.Run(); err != nil {
		return out.String(), fmt.Errorf("run %s on %s: %w: %s", args[0], h.Name, err, lastLine(said.String()))
	}
	return out.String(), nil
}

func lastLine(text string) string {
	text = strings.TrimSpace(text)
	return text[strings.LastIndexByte(text, '\n')+1:]
}

// Host returns the host of a name, nil if there is none.
func (l *Lab) Host(name string) *Host {
	for _, h := range l.Hosts {
		if h.Name == name {
			return h
		}
	}
	return nil
}

// Manager is the host that mppd runs on.
func (l *Lab) Manager() *Host { return l.Host(ManagerName) }

// Clients are the hosts that nothing runs on.
func (l *Lab) Clients() []*Host {
	var all []*Host
	for _, h := range l.Hosts {
		if h.Kind == KindClient {
			all = append(all, h)
		}
	}
	return all
}
