// Package replication holds the dialects of MySQL 5.7 to 9.x and MariaDB 10.5 to 12: it is
// the only place that knows how a statement is spelt and what its columns are called.
//
// Probe asks a server what it can do (which variables it has, what it calls itself) and
// returns a Dialect. A Dialect hands out statements as text and readers that turn their rows
// into the nouns of package mpp; it never goes by the version number where the server can be
// asked instead. What a server refuses as bad grammar, an older spelling may do:
// Dialect.Refused moves on to it, so that a spelling which newer MySQL dropped is only ever
// sent to a server that did not know the newer one.
//
// Who owns what: the caller owns the connection and its time limits. Only Probe talks to a
// server, with two short statements; everything else is text in and values out, holds no
// lock, starts no goroutine, and keeps no more than the last row it read. A Dialect and its
// readers belong to one connection and one goroutine.
//
// To test with it, give Probe and the readers a driver.Rows of your own: nothing here needs
// a server.
package replication
