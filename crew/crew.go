// Package crew makes of a pool of the configuration what the steps of operations need to know of it:
// the accounts, the hosts, the address and the programs. The daemon uses it, and so do MHA's hooks.
//
// It is pure. What it returns holds passwords. To test with it, give it a pool of the configuration.
package crew

import (
	"mpp/action"
	"mpp/action/hook"
	"mpp/action/native"
	"mpp/action/remote"
	"mpp/action/vip"
	"mpp/config"
	"mpp/link"
)

// Of is a pool as its steps need it.
func Of(p *config.Pool) action.Pool {
	c := action.Pool{
		Name: p.Name, Native: serversOf(p),
		VIP: vip.Options{
			Pool: p.Name, Kind: vip.Kind(p.VIP.Kind), Addresses: p.VIP.Addresses, Program: p.VIP.Program,
			Timeout: p.VIP.Timeout, AnnounceFor: p.VIP.AnnounceFor,
		},
	}
	for i := range p.Nodes {
		n := &p.Nodes[i]
		account := p.FailoverAccount(n)
		c.Nodes = append(c.Nodes, action.Node{
			Address: n.Address, Account: native.Account{User: account.User, Password: account.Password.Reveal(), TLS: TLS(n.TLS)},
			Local: n.SSH.Local, Sudo: n.SSH.Sudo, Interface: n.Interface, SSH: sshOf(n.SSH),
		})
	}
	for _, h := range p.Hooks {
		c.Hooks = append(c.Hooks, action.Hook{
			Hook:   hook.Hook{Name: h.Name, Program: h.Program, Timeout: h.Timeout, Abort: h.OnError == config.OnErrorAbort},
			Phases: h.Phases,
		})
	}
	if s := p.Failover.Shutdown; s.Program != "" {
		c.Shutdown = hook.Hook{Name: "shutdown", Program: s.Program, Timeout: s.Timeout}
	}
	return c
}

// serversOf is what steps on servers need to know of the pool.
func serversOf(p *config.Pool) native.Options {
	r := p.Failover.Replication
	o := native.Options{
		Replication:  native.Account{User: r.User, Password: r.Password.Reveal()},
		StartCommand: p.Failover.StartCommand, StopCommand: p.Failover.StopCommand, BinlogProgram: p.Failover.BinlogProgram,
		Block: native.Block(p.Failover.Block),
	}
	own := map[string]bool{}
	for i := range p.Nodes {
		if user := p.Nodes[i].Account.User; !own[user] {
			own[user] = true
			o.Own = append(o.Own, user)
		}
	}
	for _, a := range p.Switchover.LockAccounts {
		o.LockAccounts = append(o.LockAccounts, a.String())
	}
	return o
}

// TLS is how connections are encrypted.
func TLS(t config.TLS) link.TLS {
	return link.TLS{Mode: link.TLSMode(t.Mode), CA: t.CA, Cert: t.Cert, Key: t.Key, ServerName: t.ServerName}
}

func sshOf(s config.SSH) remote.Options {
	return remote.Options{
		Host: s.Host, Port: s.Port, User: s.User, KeyFile: s.KeyFile, KnownHosts: s.KnownHosts, Sudo: s.Sudo, Timeout: s.Timeout,
	}
}
