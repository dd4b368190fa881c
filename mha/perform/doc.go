// Package perform carries out what MHA's hooks are called for, by the code that MPP's own
// failovers run: servers by package native, the address by package vip, hosts by package remote,
// programs by package action/hook. What is to be done is decided by package mha/hook; here it is
// connected to a configuration, MPP's or MHA Helper's, and run.
//
// Run is one call by MHA, from its arguments to its exit code. Every step has a limit, so that a
// call ends; what it does goes to System.Out a line a step, in the manner of MHA's log, and never
// holds a password. A planned switch that MHA leaves after its stop is seen to by a process of its
// own, which Run starts and which runs Follow: it waits for MHA's end without holding anything.
//
// Who owns what: a call owns its connections and closes them. Between the two calls of a planned
// switch there is a file in the state folder, written under a lock; whoever writes first that the
// switch is starting, or that it is undone, has decided it.
//
// What may block: Run, for as long as the limits of its steps together; Follow, until MHA has
// ended.
//
// To test with it: the tests build hosts in network namespaces with real servers (package
// sandbox/lab) and call Run with MHA's own arguments.
package perform
