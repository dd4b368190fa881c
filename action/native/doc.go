// Package native carries out the steps of operations that are SQL: it fences, stops receivers,
// drains, promotes and re-points servers, reads their positions, ends sessions, and brings over
// the end of a dead host's binary log.
//
// A Runner serves the nodes of one pool. Run does one mpp.Step, within its limit, and says what
// came of it; Statements says what it would execute. Every step is idempotent, looks at the server
// to find out what is left to do, and is done only when it has verified its effect: nothing about
// a server is kept in memory but the connection.
//
// Who owns what: a Runner owns one lasting connection a node, apart from the poller's, logged in
// and tried every few seconds, since a login takes longer than a promotion. A step that must end
// sessions while a statement of its own waits makes a second one. Who calls New must Close.
//
// What may block: Run, until the step's limit at the latest; Close, for a moment. Two nodes share
// nothing. Steps of one node may run at the same time, on connections of their own.
//
// To test with it: the tests start real servers (package sandbox); see real_test.go.
package native
