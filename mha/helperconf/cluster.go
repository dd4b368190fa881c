package helperconf

import (
	"net/netip"
	"time"

	"mpp/fault"
)

// Dir is where MHA Helper's configuration is.
const Dir = "/etc/mha-helper"

// VIPType is how the writer's address is moved.
type VIPType string

// The types that MHA Helper knows.
const (
	// VIPNone: there is no address to move.
	VIPNone VIPType = "none"
	// VIPMetal: it is put on the interface of a host, by the command ip.
	VIPMetal VIPType = "metal"
	// VIPAWS and VIPOpenStack were accepted by MHA Helper, which then did nothing and said that it
	// had been done. Usable says so.
	VIPAWS       VIPType = "aws"
	VIPOpenStack VIPType = "openstack"
)

// Supported reports whether MPP can move such an address.
func (t VIPType) Supported() bool { return t == VIPNone || t == VIPMetal }

// Cluster is one file: the hosts of one cluster.
type Cluster struct {
	// File is its path.
	File string
	// Default is what a host has that sets nothing itself; its Name is "default".
	Default Host
	// Hosts in the order of the file.
	Hosts []Host
	// Problems keep the cluster from being used; Warnings do not.
	Problems []fault.Problem
	Warnings []fault.Problem
}

// Host is what is configured for one host.
type Host struct {
	// Name is that of its section: the hostname that MHA passes.
	Name string
	// VIP is the writer's address, with the length of the prefix as configured, /32 or /128 where
	// none is; invalid (its zero value) where there is no address.
	VIP     netip.Prefix
	VIPType VIPType
	// Interface is where the address is put; empty only where VIPType is not VIPMetal.
	Interface string
	// Sudo says that commands that need root are run by sudo; unless set it is false.
	Sudo bool
	// Arping says that a moved address is announced; unless set it is true.
	Arping bool
	// SuperReadOnly says that a server that knows super_read_only is closed by it in a planned
	// switch; unless set it is true.
	SuperReadOnly bool
	// KillAfter is how long sessions get to end in a planned switch before they are killed; 0
	// kills them at once. Unless set it is DefaultKillAfter.
	KillAfter time.Duration
	// ReportEmail is who gets the report, empty for nobody. SMTPHost is the mail server, never
	// empty; unless set it is "localhost".
	ReportEmail string
	SMTPHost    string
	// At is where its section begins.
	At fault.Origin

	from map[string]fault.Origin
}

// DefaultKillAfter is how long sessions get to end unless kill_after_timeout says it.
const DefaultKillAfter = 5 * time.Second

// defaultSMTP is the mail server unless smtp_host says it.
const defaultSMTP = "localhost"

// The names of MHA Helper's keys.
const (
	KeyVIP           = "writer_vip_cidr"
	KeyVIPType       = "vip_type"
	KeyReportEmail   = "report_email"
	KeySMTPHost      = "smtp_host"
	KeySudo          = "requires_sudo"
	KeySuperReadOnly = "super_read_only"
	KeyArping        = "requires_arping"
	KeyInterface     = "cluster_interface"
	KeyKillAfter     = "kill_after_timeout"
)

// Keys are all keys.
func Keys() []string {
	return []string{KeyVIP, KeyVIPType, KeyReportEmail, KeySMTPHost, KeySudo, KeySuperReadOnly, KeyArping, KeyInterface, KeyKillAfter}
}

// From says where a key's value was set, in the host's own section or in [default]; false: it
// is the default of this package.
func (h *Host) From(key string) (fault.Origin, bool) {
	o, set := h.from[key]
	return o, set
}

// Host is the host with that name.
func (c *Cluster) Host(name string) (Host, bool) {
	for i := range c.Hosts {
		if c.Hosts[i].Name == name {
			return c.Hosts[i], true
		}
	}
	return Host{}, false
}
