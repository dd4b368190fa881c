// Package poller says when nodes are polled and checkpoints are tried, and hands what was
// found on. What is asked is somebody else's: a Prober or CheckpointProber that is put in.
//
// Every node and checkpoint has one goroutine, which sleeps until the next poll is due and
// then makes it itself. That is the cheapest arrangement in which a node that hangs can delay
// nobody: there is no pool of workers to use up, no queue to wait in, and no lock that is held
// during a poll. It also makes two polls of one node at once impossible. An idle goroutine
// costs a stack of 2 to 8 KB; a scheduler with a heap and a bounded number of workers would
// save that and need more workers than there may be hung nodes.
//
// When a poll is due: a node has a place in its interval, given by a hash of its pool and
// address, so that polls are spread evenly and come in the same order after a restart. The
// first poll after Set comes soon, whatever that place is. A poll that is asked for (PollNow,
// CheckNow, the confirm lane) comes at once, or right after the one that is running; several
// wishes make one poll. What was missed, because a poll took longer than its interval, is not
// made up for.
//
// Every poll has a context that ends after Target.Timeout. A prober that does not return even
// then is reported by the poller itself, as a failed poll, again and again for as long as it
// is stuck; the node is polled again when the call has come back.
//
// Own sleep: a process that was frozen or starved finds every time limit passed when it wakes
// up, and would take that for an outage of everything. A heartbeat goroutine notices such
// gaps; a failed result whose poll overlaps one is thrown away, and the node polled afresh. At
// most maxDiscards results in a row are, so that a machine which is always short of time goes
// blind for a while but not for ever. All times here are of the monotonic clock: a jump of the
// wall clock changes nothing.
//
// Who owns what: a Poller owns its goroutines and, from Set on, the probers it was given. A
// prober is closed by its node's goroutine when no call of it is running. Stop waits for all.
//
// What may block: Stop and CheckNow, until their context ends. The functions in Options are
// called from many goroutines, one call at a time a node and in the order of its polls; when
// one blocks, it holds up the polls of that node and Stop, nothing else.
//
// To test with it: give Set probers of your own; in a testing/synctest bubble an hour of polls
// takes no time. Only the heartbeat's gaps cannot be had in a bubble: they take a real process
// that is stopped and continued.
package poller
