package perform

import (
	"context"
	"fmt"
	"net/netip"

	"mpp/action"
	"mpp/action/native"
	"mpp/action/vip"
	"mpp/mha/helperconf"
	"mpp/mha/hook"
)

// helperCast is the cast by MHA Helper's configuration: the address and the interfaces are there,
// the accounts are MHA's own where a call has them, and ssh is set up as for ssh itself.
func helperCast(ctx context.Context, r *hook.Request, dir string) (cast, error) {
	clusters, loading := helperconf.Load(dir) // what is wrong in another cluster's file does not matter here
	servers := []*hook.Server{&r.Orig}
	names := []string{r.Orig.Name()}
	if r.New.Known() {
		servers, names = append(servers, &r.New), append(names, r.New.Name())
	}
	if len(clusters) == 0 && loading != nil {
		return cast{}, fmt.Errorf("read MHA Helper's configuration: %w", loading)
	}
	cluster, err := helperconf.Find(clusters, names...)
	if err != nil {
		return cast{}, err
	}
	if err := cluster.Usable(); err != nil {
		return cast{}, fmt.Errorf("read MHA Helper's configuration: %w", err)
	}
	c := cast{}
	var hosts []helperconf.Host
	for i, s := range servers {
		h, _ := cluster.Host(names[i])
		hosts = append(hosts, h)
		n, err := helperNode(ctx, r, s, h)
		if err != nil {
			return cast{}, err
		}
		c.pool.Nodes = append(c.pool.Nodes, n)
	}
	if len(hosts) == 2 && hosts[0].VIPType != hosts[1].VIPType {
		return cast{}, fmt.Errorf("%s: vip_type is %s for %s and %s for %s: an address cannot move between them", cluster.File, hosts[0].VIPType, hosts[0].Name, hosts[1].VIPType, hosts[1].Name)
	}
	for _, w := range cluster.Warnings {
		c.notes = append(c.notes, w.String())
	}
	c.notes = append(c.notes, keptOtherwise(&hosts[0])...)
	c.pool.VIP = helperAddressOf(&hosts[0])
	c.setup.Limits = hook.Limits{Fence: leastFence, Step: helperStep, Address: helperAddress, KillAfter: hosts[0].KillAfter}
	return c, nil
}

// helperNode is a server as MHA Helper's configuration and MHA's call have it.
func helperNode(ctx context.Context, r *hook.Request, s *hook.Server, h helperconf.Host) (action.Node, error) {
	n := action.Node{Address: s.Address(), Interface: h.Interface, Account: native.Account{User: s.User, Password: s.Password}}
	o, err := sshOf(ctx, r, s)
	if err != nil && h.VIPType == helperconf.VIPMetal {
		return n, err
	}
	if err == nil { // without an address, a host need not be reached
		o.Sudo = h.Sudo
		n.SSH, n.Sudo = o, h.Sudo
	}
	return n, nil
}

// helperAddressOf is the address that moves. Its length is that of a single address, whatever is
// configured: one of a /24 would vanish with the subnet's first one.
func helperAddressOf(h *helperconf.Host) vip.Options {
	if h.VIPType != helperconf.VIPMetal {
		return vip.Options{Kind: vip.None}
	}
	a := h.VIP.Addr()
	return vip.Options{
		Kind: vip.Metal, Addresses: []netip.Prefix{netip.PrefixFrom(a, a.BitLen())}, Timeout: helperAddress, AnnounceFor: helperAnnounce,
	}
}

// keptOtherwise tells what is done otherwise than a key says, and why.
func keptOtherwise(h *helperconf.Host) []string {
	var notes []string
	if _, set := h.From(helperconf.KeySuperReadOnly); set && !h.SuperReadOnly {
		notes = append(notes, "super_read_only = no: a server that knows it is closed by it all the same, since accounts with SUPER would go on writing while MHA 0.58 switches")
	}
	if _, set := h.From(helperconf.KeyArping); set && !h.Arping {
		notes = append(notes, "requires_arping = no: a moved address is announced all the same; that needs no arping and nobody waits for it")
	}
	return notes
}
