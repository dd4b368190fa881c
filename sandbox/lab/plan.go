package lab

import (
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
)

// Kind says what a host is for.
type Kind string

// The kinds of hosts.
const (
	KindServer  Kind = "server"
	KindManager Kind = "manager"
	KindClient  Kind = "client"
)

// Limits of a lab, for addresses and names to fit.
const (
	MaxNodes   = 99
	MaxPools   = 200
	MaxClients = 99
)

// vipNode is the virtual address's place among the nodes of its pool.
const vipNode = 100

// ManagerName is the host that mppd runs on.
const ManagerName = "manager"

// switchName names the namespace that the bridge is in.
const switchName = "switch"

// Prefix lengths of the lab's subnets, and of a virtual address: one of the subnet's
// length would take the subnet's other addresses along when it goes.
const (
	bits4    = 16
	bits6    = 64
	hostBits = 32
)

// subnet is a lab's address ranges, 10.x.0.0/16 and a unique local /64.
type subnet struct {
	Second byte    `json:"second"` // the x
	Unique [3]byte `json:"unique"` // in fd6d:70uu:uuuu::/64
	V6     bool    `json:"v6"`     // whether this machine has IPv6
}

// address4 and address6 are those of a node of a pool; pool 0 is the manager and the clients.
func (s subnet) address4(pool, node int) netip.Addr {
	return netip.AddrFrom4([4]byte{10, s.Second, byte(pool), byte(node)})
}

func (s subnet) address6(pool, node int) netip.Addr {
	a := [16]byte{0xfd, 0x6d, 0x70, s.Unique[0], s.Unique[1], s.Unique[2], 13: byte(pool), 15: byte(node)}
	return netip.AddrFrom16(a)
}

// plannedHost is what is settled about a host before it is made.
type plannedHost struct {
	Name string `json:"name"`
	Kind Kind   `json:"kind"`
	Pool int    `json:"pool,omitempty"` // from 1; 0 for manager and clients
	Node int    `json:"node"`           // from 1, in its pool or among its kind
}

// planHosts names all hosts of a lab: servers in order of pools, manager, clients.
func planHosts(pools, nodes, clients int) []plannedHost {
	var all []plannedHost
	for p := 1; p <= pools; p++ {
		for n := 1; n <= nodes; n++ {
			name := fmt.Sprintf("db%d", n)
			if pools > 1 {
				name = fmt.Sprintf("db%d-%d", p, n)
			}
			all = append(all, plannedHost{Name: name, Kind: KindServer, Pool: p, Node: n})
		}
	}
	all = append(all, plannedHost{Name: ManagerName, Kind: KindManager, Node: 1})
	for n := 1; n <= clients; n++ {
		// The manager is number 1 of their range.
		all = append(all, plannedHost{Name: fmt.Sprintf("client%d", n), Kind: KindClient, Node: n + 1})
	}
	return all
}

// poolName is the usual name of a pool, counted from 1, and that of its folder.
func poolName(p int) string { return fmt.Sprintf("lab%d", p) }

// serverID is a server's replication id, easy to read: pool 2, node 3 is 2003.
func serverID(pool, node int) uint32 { return uint32(pool*1000 + node) }

// hardware is a MAC address of one's own making, from the host's address.
func hardware(a netip.Addr) net.HardwareAddr {
	four := a.As4()
	return append(net.HardwareAddr{0x02, 0x6d}, four[:]...)
}

// labID is a lab's short name, made of its folder's path, so that even the remains of a lab
// whose folder is gone are known by it.
func labID(dir string) string {
	if parent, err := filepath.EvalSymlinks(filepath.Dir(dir)); err == nil {
		dir = filepath.Join(parent, filepath.Base(dir))
	}
	sum := sha256.Sum256([]byte(dir))
	return hex.EncodeToString(sum[:3])
}

// spacePrefix begins the names of a lab's namespaces.
func spacePrefix(id string) string { return "mpplab-" + id + "-" }
