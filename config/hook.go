package config

import "time"

// Hook is a program that is run when an operation reaches a phase.
type Hook struct {
	Name    string
	Program string
	// Phases is never empty after Load, and holds none twice.
	Phases []HookPhase
	// Timeout is the limit of one run.
	Timeout time.Duration
	// OnError says what a failure means for the operation.
	OnError OnError

	at  origins
	pos Origin
}

// HookPhase is a point of an operation at which hooks are run.
type HookPhase string

// The phases of hooks.
const (
	// BeforeFailover: a failover is about to start; nothing has been touched.
	BeforeFailover HookPhase = "before-failover"
	// BeforePromote: the old writer is fenced and the new one complete; it is opened next.
	BeforePromote HookPhase = "before-promote"
	// AfterPromote: the new writer takes writes and has the address.
	AfterPromote HookPhase = "after-promote"
	// AfterFailover: a failover has ended, however it did.
	AfterFailover HookPhase = "after-failover"
	// BeforeSwitchover: all was checked; nothing has been touched.
	BeforeSwitchover HookPhase = "before-switchover"
	// AfterSwitchover: a switchover has ended, however it did.
	AfterSwitchover HookPhase = "after-switchover"
	// RolledBack: a switchover was undone, and the old writer takes writes again.
	RolledBack HookPhase = "rolled-back"
	// BeforeRejoin: a node is about to be made a replica again.
	BeforeRejoin HookPhase = "before-rejoin"
	// AfterRejoin: a node is a replica again, or could not be made one.
	AfterRejoin HookPhase = "after-rejoin"
)

// OnError says what a hook's failure means.
type OnError string

// What a hook's failure means.
const (
	// OnErrorContinue: it is reported, and the operation goes on.
	OnErrorContinue OnError = "continue"
	// OnErrorAbort: the operation ends, as for any other step that fails.
	OnErrorAbort OnError = "abort"
)

// phaseDoc is a phase with its line in the reference.
type phaseDoc struct {
	phase HookPhase
	doc   string
}

// hookPhases are all phases in the order in which they come.
func hookPhases() []phaseDoc {
	return []phaseDoc{
		{BeforeFailover, "A failover is about to start; nothing has been touched."},
		{BeforeSwitchover, "All was checked for a switchover; nothing has been touched."},
		{BeforePromote, "The old writer is fenced and the new one complete; it is opened next."},
		{AfterPromote, "The new writer takes writes and has the address."},
		{AfterFailover, "A failover has ended, however it did."},
		{AfterSwitchover, "A switchover has ended, however it did."},
		{RolledBack, "A switchover was undone, and the old writer takes writes again."},
		{BeforeRejoin, "A node is about to be made a replica again."},
		{AfterRejoin, "A node is a replica again, or could not be made one."},
	}
}
