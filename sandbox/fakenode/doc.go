// Package fakenode is a fake MySQL or MariaDB server that speaks the real wire protocol: the
// handshake, a login by mysql_native_password, statements in text (several in one, too), rows,
// errors. It holds no data: it answers a list of statements with rows that it was given, any
// SELECT or SHOW of global variables from a map, and everything else with error 1064, so that a
// statement which nobody thought of is noticed.
//
// It exists for what real servers cannot do on one machine: thousands of nodes at once, and
// products that cannot be had any more, such as MySQL 5.7. It proves nothing about how a real
// server behaves; package sandbox is for that.
//
// A node is healthy, dead (its port refuses), hung (it accepts, and says nothing) or slow, and
// can be turned from one into another at any time. A Fleet is many nodes on addresses of their
// own. Spawn runs a fleet in a child process, so that the load of what is measured can be told
// from that of the fakes.
//
// Who owns what: whoever starts a Node, Fleet or Child closes it; Close waits for all its
// goroutines, and a child ends when its parent does. A Node has one goroutine and one more for
// each connection. What may block: Close, for as long as a goroutine takes to notice; Spawn,
// until its context ends. Linux only, and only loopback addresses.
//
// To test with it: Start one node with a Profile, change Answers, connect with any driver.
package fakenode
