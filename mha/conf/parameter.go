package conf

// Parameter is one that MHA knows.
type Parameter struct {
	Name string
	// Own says that it counts in a section of a server only, and is not handed down.
	Own bool
	// Default is what counts when it is nowhere; empty for nothing.
	Default string

	kind kind
	// weak says that an empty or 0 inherited value gives way to the default.
	weak bool
}

// kind is how a value is read.
type kind int

const (
	text kind = iota
	password
	// toggle is Perl's truth: everything but empty and 0.
	toggle
	port
	// positive is a whole number, judged before quotes are taken off.
	positive
	pingType
	directories
	sshOptions
	// computed is overwritten by MHA.
	computed
)

// Parameters are all parameters of MHA 0.58.
func Parameters() []Parameter {
	return []Parameter{
		{Name: "hostname", Own: true},
		{Name: "ip", Own: true},
		{Name: "port", Default: "3306", kind: port, weak: true},
		{Name: "ssh_host", Own: true},
		{Name: "ssh_ip", Own: true, kind: computed},
		{Name: "ssh_port", Default: "22", kind: port, weak: true},
		{Name: "ssh_connection_timeout", Default: "5", kind: positive, weak: true},
		{Name: "ssh_options", Own: true, kind: sshOptions},
		{Name: "node_label", Own: true},
		{Name: "candidate_master", Own: true, Default: "0", kind: toggle},
		{Name: "no_master", Own: true, Default: "0", kind: toggle},
		{Name: "ignore_fail", Own: true, Default: "0", kind: toggle},
		{Name: "skip_init_ssh_check", Own: true, Default: "0", kind: toggle},
		{Name: "skip_reset_slave", Default: "0", kind: toggle},
		{Name: "user", Default: "root", weak: true},
		{Name: "password", kind: password},
		{Name: "repl_user"},
		{Name: "repl_password", kind: password},
		{Name: "disable_log_bin", Default: "0", kind: toggle},
		{Name: "master_pid_file"},
		{Name: "handle_raw_binlog", Default: "1", kind: toggle},
		{Name: "ssh_user", weak: true},
		{Name: "remote_workdir", Default: "/var/tmp", weak: true},
		{Name: "master_binlog_dir", Default: "/var/lib/mysql,/var/log/mysql", kind: directories, weak: true},
		{Name: "log_level", Default: "info", weak: true},
		{Name: "manager_workdir", Default: "/var/tmp", weak: true},
		{Name: "manager_log"},
		{Name: "check_repl_delay", Default: "1", kind: toggle},
		{Name: "check_repl_filter", Default: "1", kind: toggle},
		{Name: "latest_priority", Default: "1", kind: toggle},
		{Name: "multi_tier_slave", Default: "0", kind: toggle},
		{Name: "ping_interval", Default: "3", kind: positive},
		{Name: "ping_type", Default: "SELECT", kind: pingType},
		{Name: "secondary_check_script"},
		{Name: "master_ip_failover_script"},
		{Name: "master_ip_online_change_script"},
		{Name: "shutdown_script"},
		{Name: "report_script"},
		{Name: "init_conf_load_script"},
		{Name: "client_bindir"},
		{Name: "client_libdir"},
		{Name: "use_gtid_auto_pos", Default: "1", kind: toggle},
	}
}

// names are those of all parameters.
func names() []string {
	all := Parameters()
	out := make([]string, len(all))
	for i, p := range all {
		out[i] = p.Name
	}
	return out
}
