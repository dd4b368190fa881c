package fakenode

import (
	"errors"
	"fmt"
	"net/netip"
	"os"
	"syscall"
)

// FleetOptions says how many nodes a fleet has. The dead, hung and slow ones are spread among
// the healthy ones.
type FleetOptions struct {
	// Nodes is how many there are in all; Dead, Hung and Slow how many of them are so.
	Nodes, Dead, Hung, Slow int
	// User and Password are the only account of each; an empty User lets everybody in.
	User, Password string
	// Source is the address that every node says it replicates from; empty means that none is
	// a replica. All are MariaDB 10.11, each with a server id of its own.
	Source string
}

// maxNodes is how many addresses of the form 127.b.c.d, with one b, are used.
const maxNodes = 250 * 250

// Fleet is many nodes in this process.
type Fleet struct {
	// Nodes are the nodes; their behaviour may be changed.
	Nodes []*Node
}

// Member is one node of a fleet, as a Child tells it.
type Member struct {
	Address   string    `json:"address"`
	Behaviour Behaviour `json:"behaviour"`
}

// StartFleet starts nodes on addresses of their own, all with the same port.
func StartFleet(o FleetOptions) (*Fleet, error) {
	if o.Nodes < 1 || o.Nodes > maxNodes || o.Dead+o.Hung+o.Slow > o.Nodes || min(o.Dead, o.Hung, o.Slow) < 0 {
		return nil, fmt.Errorf("start fleet: %d nodes, %d dead, %d hung, %d slow; want 1 to %d nodes, and the others among them",
			o.Nodes, o.Dead, o.Hung, o.Slow, maxNodes)
	}
	source, err := o.source()
	if err != nil {
		return nil, err
	}
	// Two fleets at once, of different processes, meet only when they choose the same network
	// and port; then the next one is tried.
	const networks = 128
	for try := range networks {
		f, err := startFleetOn(o, byte(100+(os.Getpid()+try)%networks), source)
		if !errors.Is(err, syscall.EADDRINUSE) {
			return f, err
		}
	}
	return nil, errors.New("start fleet: no network below 127.0.0.0/8 is free")
}

// source is what the nodes say of where they replicate from.
func (o *FleetOptions) source() (*Source, error) {
	if o.Source == "" {
		return nil, nil
	}
	address, err := netip.ParseAddrPort(o.Source)
	if err != nil {
		return nil, fmt.Errorf("start fleet: source: %w", err)
	}
	return &Source{Host: address.Addr().String(), Port: int(address.Port()), ID: maxNodes + 1}, nil
}

func startFleetOn(o FleetOptions, network byte, source *Source) (*Fleet, error) {
	f := new(Fleet)
	profile := MariaDB1011(source)
	var port uint16
	for i := range o.Nodes {
		address := netip.AddrPortFrom(netip.AddrFrom4([4]byte{127, network, byte(1 + i/250), byte(1 + i%250)}), port)
		n, err := Start(Options{
			Address: address.String(), User: o.User, Password: o.Password, Behaviour: o.behaviour(i),
			Profile: profile.WithVariables(map[string]any{"server_id": i + 1}),
		})
		if err != nil {
			f.Close()
			return nil, err
		}
		f.Nodes = append(f.Nodes, n)
		port = n.address.Port()
	}
	return f, nil
}

// behaviour spreads the behaviours evenly: the special ones come first in a row that is
// walked in steps of a prime number.
func (o *FleetOptions) behaviour(i int) Behaviour {
	step := 7919
	if o.Nodes%step == 0 {
		step = 7907 // the other would not get round all of them
	}
	switch place := i * step % o.Nodes; {
	case place < o.Dead:
		return Dead
	case place < o.Dead+o.Hung:
		return Hung
	case place < o.Dead+o.Hung+o.Slow:
		return Slow
	default:
		return Healthy
	}
}

// Members lists the nodes.
func (f *Fleet) Members() []Member {
	list := make([]Member, len(f.Nodes))
	for i, n := range f.Nodes {
		b, _ := n.now()
		list[i] = Member{n.Address(), b}
	}
	return list
}

// Close ends all nodes.
func (f *Fleet) Close() {
	for _, n := range f.Nodes {
		n.Close()
	}
}
