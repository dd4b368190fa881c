// Package remote runs commands on the hosts of nodes: on this host itself (Local), or on others
// over one lasting ssh connection (SSH), as root where that is configured.
//
// A command on a connection that is there takes about a millisecond: an SSH keeps a few shells
// running on the host and feeds them. Several calls may be under way at once; each has a deadline,
// and a call that hits it returns at once, whatever the host does. What it started on the host is
// killed if the host can still be spoken to, and a command that a host gets to see only after its
// deadline, as when its sshd was frozen, is not carried out: the shell compares the host's uptime.
// The next call does not wait for a host that hangs: it tries a new connection.
//
// A command may be carried out twice, when a connection breaks before the host's first word on
// it: commands must be idempotent. They see no standard input, PATH with the sbin folders, and
// LC_ALL=C. What they leave in the background must not hold on to standard output.
//
// Who owns what: who calls New must Close, which ends the connection and every call. The key and
// the known hosts are read at each connecting, so that a change needs no restart. Passwords are
// never asked for or sent.
//
// What may block: everything with a context, until that ends, and at most Options.Timeout when
// it has no deadline; Stream and Feed as long as their context lasts. Two hosts share nothing.
//
// To test: the tests start OpenSSH's own sshd; see sshd_test.go.
package remote
