// Package link makes connections to servers: how they are encrypted, and what the driver is told.
//
// Who owns what: the caller owns every connection and closes it. A Target is a value; its files
// are read once, by Connector. Nothing is logged, and no error holds a password.
//
// What may block: connecting, until its context ends.
//
// To test with it, dial a listener of your own: nothing here needs a server.
package link
