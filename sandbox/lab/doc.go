// Package lab builds hosts out of network namespaces, so that a failover can be tried
// with all that belongs to it: database servers in replication, each on a host of its
// own with an sshd, addresses and a link that can be cut, a host for the manager and
// hosts for clients, all on one bridge.
//
// Who owns what: a Lab owns its folder, its namespaces and everything that runs in
// them. Whoever calls Up must call Close. What a program that was killed left behind is
// removed by Down, and by CleanStale for labs in temporary folders, which Up runs by
// itself. A process belongs to a lab because it runs in one of its namespaces: the
// kernel says so, no pid is remembered for it.
//
// What may block: everything that takes a context, until that context ends. Dial and
// the like hold an operating system's thread for as long as they take.
//
// The bridge is in a namespace of its own: nothing of a lab can be reached from the
// machine's networks, and nothing of them from the lab. Hosts share the machine's files
// and processes; only their network is their own.
//
// To test with it use package labtest; it needs Linux, root, OpenSSH's sshd and nft.
package lab
