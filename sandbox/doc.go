// Package sandbox runs real MySQL and MariaDB servers on this machine, for the
// demo and for the tests: it finds or fetches the programs, starts servers on
// loopback addresses in folders of their own, builds replicated pools, and breaks
// them on purpose (kill, freeze, a full disk, a delayed replica).
//
// Who owns what: a Server owns its folder, its process and its mount; whoever
// calls Start owns the Server and must call Close. A server dies with the process
// that started it, unless it was started Detached; then Open finds it again.
// What a crashed program left behind is removed by CleanStale, which Start runs
// by itself for temporary folders.
//
// What may block: everything that takes a context, until that context ends.
// Kill and Close wait for the kernel to reap the process. Every process is
// identified by its pid, its start time and the machine's boot, so that a
// recycled pid is never signalled.
//
// The servers are set up for speed, not for safety: they lose data when the
// machine crashes, though not when they are killed. Linux only.
package sandbox
