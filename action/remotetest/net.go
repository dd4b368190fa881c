package remotetest

import (
	"fmt"
	"testing"
)

// Bridge joins this namespace and others to one bridge. This namespace gets 10.9.0.254/24 and
// fd09::fe/64 on its interface eth0; the host named n, in a namespace of the same name, gets
// 10.9.0.n/24 and fd09::n/64 on its own eth0, for each of 1 to hosts.
func Bridge(t testing.TB, hosts int) {
	t.Helper()
	Need(t, "ip")
	Sh(t, `ip link set lo up
ip link add br0 type bridge; ip link set br0 up
ip link add eth0 type veth peer name p0; ip link set p0 master br0 up; ip link set eth0 up
ip addr add 10.9.0.254/24 dev eth0; ip addr add fd09::fe/64 dev eth0 nodad`)
	t.Cleanup(func() { Sh(t, "ip link del eth0; ip link del br0") })
	for n := 1; n <= hosts; n++ {
		Sh(t, fmt.Sprintf(`ip netns add %[1]d
ip link add p%[1]d type veth peer name eth0 netns %[1]d; ip link set p%[1]d master br0 up
ip -n %[1]d link set lo up; ip -n %[1]d link set eth0 up
ip -n %[1]d addr add 10.9.0.%[1]d/24 dev eth0; ip -n %[1]d addr add fd09::%[1]d/64 dev eth0 nodad`, n))
		t.Cleanup(func() { Sh(t, fmt.Sprintf("ip netns del %d; ip link del p%d 2>/dev/null || true", n, n)) })
	}
}

// Cut takes a host's cable out, and Mend puts it in again.
func Cut(t testing.TB, host int) { Sh(t, fmt.Sprintf("ip link set p%d nomaster", host)) }

// Mend ends what Cut did.
func Mend(t testing.TB, host int) { Sh(t, fmt.Sprintf("ip link set p%d master br0", host)) }
