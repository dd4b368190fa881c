package hook

import "strings"

// Program is one of the programs that MHA calls.
type Program string

// The programs, by the names of the parameters of MHA's configuration without _script.
const (
	// Failover moves the address when the master has died.
	Failover Program = "master_ip_failover"
	// Online moves the address in a planned switch.
	Online Program = "master_ip_online_change"
	// Shutdown turns the dead master off.
	Shutdown Program = "shutdown"
)

// ProgramOf is the program that a name stands for: its own, that of MHA's samples, or that of MHA
// Helper; false for none.
func ProgramOf(name string) (Program, bool) {
	switch strings.TrimSuffix(name, "_script") {
	case "master_ip_failover", "master_ip_hard_failover_helper":
		return Failover, true
	case "master_ip_online_change", "master_ip_online_failover_helper":
		return Online, true
	case "shutdown", "power_manager":
		return Shutdown, true
	default:
		return "", false
	}
}

// Names are all names that ProgramOf knows but for those with _script.
func Names() []string {
	return []string{
		"master_ip_failover", "master_ip_hard_failover_helper", "master_ip_online_change", "master_ip_online_failover_helper",
		"shutdown", "power_manager",
	}
}

// Phase is MHA's --command.
type Phase string

// The phases.
const (
	// Status asks whether all is well; nothing may be changed.
	Status Phase = "status"
	// StopSSH: the old master has died and its host answers by ssh.
	StopSSH Phase = "stopssh"
	// Stop: the old master has died and its host does not answer; or, of Online, the old master is
	// to take no more writes.
	Stop Phase = "stop"
	// Start: the new master is to take writes and the address.
	Start Phase = "start"
)

// Server is one of the two servers of a call.
type Server struct {
	// Node is the address of the server's node where MPP's configuration has one, "host:port".
	Node string
	// Host, IP and Port are MHA's; Port is 3306 where MHA does not say it.
	Host, IP, Port string
	// User and Password are MHA's account there, empty where it does not say them.
	User, Password string
	// SSH is how MHA reaches the host; empty fields are the defaults.
	SSH SSH
}

// SSH is how a host is reached.
type SSH struct {
	User, Host, IP, Port string
}

// Known reports whether the call names the server.
func (s *Server) Known() bool { return s.Host != "" || s.IP != "" }

// Address is the node's address, or else what MHA connects to.
func (s *Server) Address() string {
	if s.Node != "" {
		return s.Node
	}
	host := firstOf(s.IP, s.Host)
	if strings.Contains(host, ":") {
		host = "[" + host + "]"
	}
	return host + ":" + s.Port
}

// Name is the host as MHA's configuration names it.
func (s *Server) Name() string { return firstOf(s.Host, s.IP) }

// SSHTarget is what ssh is to connect to.
func (s *Server) SSHTarget() string {
	return firstOf(firstOf(s.SSH.IP, s.SSH.Host), firstOf(s.IP, s.Host))
}

// Request is one call by MHA.
type Request struct {
	Program Program
	Phase   Phase
	// Orig is the old master, New the new one where the phase has one.
	Orig, New Server
	// SSHOptions are the options of ssh that MHA uses, as one text.
	SSHOptions string
	// OrigIsNewSlave says that the old master will be a replica of the new one.
	OrigIsNewSlave bool
	// PIDFile is where the old master's server keeps its process number, for Shutdown.
	PIDFile string
	// Options are ours: they stand in MHA's configuration before what MHA adds.
	Options Options
	// Notes tell what was odd about the arguments.
	Notes []string
}

// Options are the arguments that an administrator writes behind the program in MHA's
// configuration.
type Options struct {
	// Config is a configuration of MPP, Helper a folder of MHA Helper's; at most one is set.
	Config, Helper string
	// Pool is the pool of Config; empty for the one that has the servers.
	Pool string
	// Fence is "", best_effort or required; Shutdown is the program that turns a host off. Both go
	// before what the pool says.
	Fence, Shutdown string
	// Spare are users whose sessions are never ended.
	Spare []string
	// KeyFile and KnownHosts are files of ssh, empty for what ssh itself uses.
	KeyFile, KnownHosts string
	// StateDir is where a stop is noted until it was followed up, empty for the default.
	StateDir string
	// UndoAfter is how long MHA has between stop and start, as text; empty for the default.
	UndoAfter string
}
