package config

import (
	"time"

	"mpp"
)

// Hook is a program that is run when an operation reaches a phase.
type Hook struct {
	Name    string
	Program string
	// Phases are mpp.HookBeforeFailover and its like; there is one at least after Load, and none
	// twice.
	Phases []string
	// Timeout is the limit of one run.
	Timeout time.Duration
	// OnError says what a failure means for the operation.
	OnError OnError

	at  origins
	pos Origin
}

// OnError says what a hook's failure means.
type OnError string

// What a hook's failure means.
const (
	// OnErrorContinue: it is reported, and the operation goes on.
	OnErrorContinue OnError = "continue"
	// OnErrorAbort: the operation ends before it goes further: a switchover is undone, a failover
	// or rejoin stops. Only the phases whose names begin with before- can be aborted.
	OnErrorAbort OnError = "abort"
)

// phaseDoc is a phase with its line in the reference.
type phaseDoc struct{ phase, doc string }

// hookPhases are all phases, each operation's in the order in which they come.
func hookPhases() []phaseDoc {
	return []phaseDoc{
		{mpp.HookBeforeFailover, "A failover starts; nothing has been touched."},
		{mpp.HookBeforeSwitchover, "All was checked for a switchover; the old writer has not been touched."},
		{mpp.HookBeforePromote, "In both: the old writer is fenced and the new one complete; it is opened next."},
		{mpp.HookAfterPromote, "In both: the new writer takes writes and the address has moved."},
		{mpp.HookAfterFailover, "A failover has completed."},
		{mpp.HookAfterSwitchover, "A switchover has completed."},
		{mpp.HookRolledBack, "A switchover was undone."},
		{mpp.HookBeforeRejoin, "A node is fenced; next it is compared and made a replica again."},
		{mpp.HookAfterRejoin, "The node is a replica again."},
	}
}

// phases are the words for phases.
func phases() []string {
	list := hookPhases()
	all := make([]string, len(list))
	for i, one := range list {
		all[i] = one.phase
	}
	return all
}
