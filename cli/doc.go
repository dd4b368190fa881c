// Package cli is the DBA's command line, the whole of the program mpp but its main function.
//
// Run takes the outside world as a System (streams, environment, clock, time zone, terminal,
// and how to reach the daemon) and returns the exit code, so that a test runs the very
// program with a fake daemon and a fixed clock. Nothing here is global: every command is
// built by a function newX from an env, the state of one run.
//
// The daemon is reached through Client, an interface that this package defines and package
// publish/api/client fulfils. Whatever asks the daemon may block until the context ends or
// --timeout is over; rendering never blocks. The package starts no goroutine of its own.
//
// What comes from a server or the daemon is cleaned of control characters before a terminal
// sees it (see clean); --json gives it unchanged.
//
// To test with it, call Run with a System whose Dial returns a struct of functions; the
// transcripts in testdata and docs/cli.md are run that way (go test ./cli -update rewrites
// them).
package cli
