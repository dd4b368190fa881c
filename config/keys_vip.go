package config

import "time"

// The least times of addresses and ssh.
const (
	minWatch = 100 * time.Millisecond
	minReach = 50 * time.Millisecond
)

// vipRows are the keys of [defaults.vip] and [pool.vip].
func vipRows() []row[VIP] {
	return []row[VIP]{
		{
			path: "kind",
			doc:  "How the address is moved: `metal` puts it on the interface of the node's host and announces it, `exec` calls a program. `none`: there is no address.",
			bind: func(v *VIP) value { return wordOf(&v.Kind, VIPNone, VIPMetal, VIPExec) },
		},
		{
			path: "addresses", example: `["10.0.0.100/32", "fd00::100/128"]`,
			doc:  "The addresses, which move together: IPv4 with /32, IPv6 with /128. An address with another prefix, such as /24, vanishes when the first address of its subnet is taken off; one of IPv6 brings a route.",
			bind: func(v *VIP) value { return prefixes{&v.Addresses} },
		},
		{
			path: "interface", example: `"eth0"`,
			doc:  "The interface for `metal`. A node may have its own.",
			bind: func(v *VIP) value { return device{text{p: &v.Interface}} },
		},
		{
			path: "watch_interval",
			doc:  "Time between two looks at where the address is.",
			bind: func(v *VIP) value { return duration{p: &v.WatchInterval, least: minWatch} },
		},
		{
			path: "announce_for",
			doc:  "How long an address that has moved is announced again and again, beside the plan. With `\"0s\"` it is announced once.",
			bind: func(v *VIP) value { return duration{p: &v.AnnounceFor, off: true} },
		},
		{
			path: "timeout",
			doc:  "Limit of one look or move on one host.",
			bind: func(v *VIP) value { return duration{p: &v.Timeout, least: minReach} },
		},
		{
			path: "program", example: `"/etc/mpp/move"`,
			doc:  "The program for `exec`; it is called with `on`, `off` or `status`.",
			bind: func(v *VIP) value { return file{text{p: &v.Program}} },
		},
	}
}

// sshRows are the keys of [defaults.ssh], [pool.ssh] and a node's ssh.
func sshRows() []row[SSH] {
	return []row[SSH]{
		{
			path: "user", doc: "User to log in as.",
			bind: func(s *SSH) value { return text{p: &s.User, needed: true} },
		},
		{
			path: "port", doc: "Port of sshd.",
			bind: func(s *SSH) value { return number{&s.Port, 1, 65535} },
		},
		{
			path: "key_file", example: `"/etc/mpp/id_ed25519"`,
			doc:  "The private key, without a passphrase. It must not be readable by others.",
			bind: func(s *SSH) value { return file{text{p: &s.KeyFile}} },
		},
		{
			path: "known_hosts", example: `"/etc/mpp/known_hosts"`,
			doc:  "The hosts' public keys, as ssh keeps them. A host that is not in it is not trusted.",
			bind: func(s *SSH) value { return file{text{p: &s.KnownHosts}} },
		},
		{
			path: "sudo", doc: "Whether what needs root is run by `sudo`.",
			bind: func(s *SSH) value { return boolean{&s.Sudo} },
		},
		{
			path: "timeout", doc: "Limit of connecting and logging in.",
			bind: func(s *SSH) value { return duration{p: &s.Timeout, least: minReach} },
		},
		{
			path: "local", doc: "The node is on the host that MPP itself runs on: no ssh is used.",
			bind: func(s *SSH) value { return boolean{&s.Local} },
		},
	}
}

// sshHostRow is the one key of ssh that a node has and a pool has not.
func sshHostRow() row[Node] {
	return row[Node]{
		path: "ssh.host", usually: "the host in `address`", example: `"10.0.0.1"`,
		doc:  "The host to log in to.",
		bind: func(n *Node) value { return host{text{p: &n.SSH.Host}} },
	}
}

// vipTables are the headings of vipRows and sshRows.
func vipTables() []table {
	return []table{
		{"vip", "The pool's virtual address, which is where the ACTIVE node is."},
		{"ssh", "How the nodes' hosts are reached: for the address, for fencing and for the binary log of a dead server. It is used where `key_file` and `known_hosts` are set. Node overrides: `ssh = { ... }`."},
	}
}

// hookRows are the keys of [[pool.hook]].
func hookRows() []row[Hook] {
	return []row[Hook]{
		{
			path: "name", example: `"chat"`,
			doc:  "A name, unique in the pool.",
			bind: func(h *Hook) value { return name{text{p: &h.Name}, false} },
		},
		{
			path: "program", example: `"/etc/mpp/hooks/chat"`,
			doc:  "The program; it is given JSON on its standard input.",
			bind: func(h *Hook) value { return file{text{p: &h.Program, needed: true}} },
		},
		{
			path: "phases", example: `["before-failover", "after-failover"]`,
			doc:  "When it is run.",
			bind: func(h *Hook) value { return words{&h.Phases, phases()} },
		},
		{
			path: "timeout", doc: "Limit of one run.",
			bind: func(h *Hook) value { return duration{p: &h.Timeout, least: minReach} },
		},
		{
			path: "on_error",
			doc:  "What its failure means. `continue`: it is reported, no more. `abort`, in the phases that begin with `before-`: a switchover is undone, a failover or rejoin stops.",
			bind: func(h *Hook) value { return wordOf(&h.OnError, OnErrorContinue, OnErrorAbort) },
		},
	}
}
