// Package action carries out the steps of operations: on servers by SQL (package native), on
// hosts over ssh (package remote), for the virtual address (package vip), and by programs
// (package hook). It decides nothing: package plan does.
//
// A Runner owns the connections of all pools with an engine, apart from those that poll, so
// that neither waits for the other. Run returns at once; what came of a step is handed to
// Options.Report, once and in any case, soon after the step's limit at the latest. A step of a
// newer failover ends what older operations still do in the pool.
//
// To test with it, see the tests of the daemon and of package sandbox/lab: they run it against
// real servers.
package action
