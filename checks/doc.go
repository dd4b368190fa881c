// Package checks asks a node how it is. A Prober holds one lasting connection to one node and
// turns a poll into an mpp.Observation: connect, privilege, query, replication, lag, write, commit,
// cluster, identity and custom checks, each in a file of its own. A Checkpoint tries something
// outside the pool. A Watcher tells within milliseconds that a server hung up.
//
// How a poll goes: everything that is asked every time goes to the server as one text over the
// lasting connection, in one round trip; an answer is told from an error statement by statement.
// Beside it a whole login is made on a new connection every LoginInterval, because only that
// sees a full server or a changed password. When the lasting connection broke, the same poll
// logs in anew and asks again. The heartbeat is written over a second connection by a goroutine
// of its own, so that a stuck commit holds up nothing else.
//
// What a finding means: FAIL only on evidence that the node cannot serve or that its copy is not
// to be trusted. A server that answers with an error about this account, its limits or this host
// lives, and is CRITICAL. See Classify.
//
// Who owns what: a Prober owns its connections, at most one goroutine that writes, and up to
// three sessions that the server has not let go of yet; Close ends them and waits. The Watcher
// owns one goroutine and an epoll for any number of Probers.
//
// What may block: Poll and Checkpoint.Try, until their context ends and no longer, even when the
// server is frozen. Nothing else does.
//
// To test with it: everything that judges is a function of what was found (see judge* and
// Classify) and needs no server; the faults themselves are made on real servers by package
// sandbox, in the tests of this package.
package checks
