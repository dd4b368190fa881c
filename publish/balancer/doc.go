// Package balancer pushes and answers what load balancers want beside HTTP: HAProxy's
// agent-check over TCP (Agent) and the track files of keepalived (TrackFiles).
//
// Agent owns its listener, one goroutine that accepts and one for each of a bounded number of
// connections; every connection ends within a second. It reads nothing but the present view.
//
// TrackFiles belongs to one goroutine of the daemon, which calls Write at every new view and
// at every tick, so that stale data turns the files, too; it owns the files that it wrote, and
// holds the folder against other daemons (package folder).
//
// Both need a second line of defence, because neither can say anything once the daemon is
// dead: HAProxy keeps a server as it was when the agent is gone, so that agent-check must
// always stand beside a check (option httpchk on the API), and the track files keep their
// last value, so that the unit file's ExecStopPost turns them (docs/load-balancers.md).
package balancer
