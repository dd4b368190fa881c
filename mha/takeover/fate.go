package takeover

// Fate is what becomes of a parameter.
type Fate struct {
	// Name is MHA's, or MHA Helper's.
	Name string
	// To is the key that has its value, empty where none has.
	To string
	// Note says what is different, or, without a key, why none has it and what to do instead.
	Note string
}

// Fates are those of all parameters of MHA 0.58, in the order of its documentation.
func Fates() []Fate {
	return append(append(append(serverFates(), accountFates()...), logFates()...), failoverFates()...)
}

func serverFates() []Fate {
	return []Fate{
		{"hostname", "node.name, node.address", "The address is `ip` where that is set."},
		{"ip", "node.address", ""},
		{"port", "node.address", ""},
		{"ssh_host", "node.ssh.host", ""},
		{"ssh_ip", "", "MHA itself looks the address of ssh_host up and takes no notice of it. Nothing to do."},
		{"ssh_port", "ssh.port", ""},
		{"ssh_connection_timeout", "ssh.timeout", "Only where it is set: MPP waits a second otherwise, MHA five."},
		{"ssh_options", "ssh.key_file, ssh.known_hosts, ssh.port, ssh.user, ssh.timeout", "-i, -p, -l and -o with IdentityFile, UserKnownHostsFile, Port, User, ConnectTimeout. Other options have no key: MPP logs in by itself, without the program ssh, directly, and to known hosts only."},
		{"node_label", "node.name", "Where hostname is an address and the label can be a name; a comment otherwise."},
		{"candidate_master", "node.prefer", "prefer = 10: it comes first among nodes that are equally complete. MHA took a candidate even when another replica had more, and completed it from that one; MPP takes the other one."},
		{"no_master", "node.no_promote", ""},
		{"ignore_fail", "", "MPP never needs every replica: one that is down, or broken, stops no failover. Nothing to do."},
		{"skip_init_ssh_check", "", "No node's host logs in to another. mpp doctor tries the way from MPP's host to each. Nothing to do."},
		{"skip_reset_slave", "", "Replication always ends on the node that is promoted; the old writer becomes a replica of it when it is back (failover.rejoin). Nothing to do."},
	}
}

func accountFates() []Fate {
	return []Fate{
		{"user", "account.user, failover.account.user", "One account for the polls and for failovers, as it was; the polls need fewer privileges: give them one of their own. Where servers have different users, each node has its account."},
		{"password", "account.password_file, failover.account.password_file", "Or no_password = true where it is empty. A password never stands in MPP's configuration: --passwords DIR writes the files."},
		{"repl_user", "failover.replication.user", "MHA can ask a replica for it; MPP must be told."},
		{"repl_password", "failover.replication.password_file", "As password."},
		{"ssh_user", "ssh.user", "Without it MHA used whoever started it, MPP uses root."},
	}
}

func logFates() []Fate {
	return []Fate{
		{"disable_log_bin", "", "What MPP brings to a node keeps its GTID and stands in that node's binary log. Nothing to do."},
		{"master_pid_file", "", "Only shutdown_script was told it: let the program of [pool.failover.shutdown] know it."},
		{"handle_raw_binlog", "", "MPP reads the binary log of a dead server with the server's own program, on its host. Nothing to do."},
		{"remote_workdir", "", "A failover keeps no working files on the nodes' hosts. Nothing to do."},
		{"master_binlog_dir", "", "MPP asks each server where its binary log is, while it lives. Nothing to do."},
		{"log_level", "", "`level` in [log] is that of the whole daemon: set it there."},
		{"manager_workdir", "", "`state_dir` holds what mppd remembers, of all pools."},
		{"manager_log", "", "mppd logs to standard error: journalctl -u mppd. Every failover leaves a report: mpp failovers."},
		{"client_bindir", "failover.binlog_program", "mysqlbinlog in that folder: mend it where the program is called mariadb-binlog. No other client program is needed."},
		{"client_libdir", "", "Should the program that reads binary logs need it, name a script that sets LD_LIBRARY_PATH as failover.binlog_program."},
		{"use_gtid_auto_pos", "", "engine = \"native\" always works with GTIDs, on MariaDB, too: replicas must use them. mpp doctor says where one does not."},
	}
}

func failoverFates() []Fate {
	return []Fate{
		{"check_repl_delay", "checks.lag.critical", "0 becomes critical = \"0s\": lag alone keeps nobody from being promoted; failover.apply_timeout still bounds how long a candidate may take. With 1, MPP's own thresholds hold, in seconds and not in bytes."},
		{"check_repl_filter", "", "MPP does not compare replication filters: see to it that they are equal on all nodes."},
		{"latest_priority", "", "The more complete copy always comes first; prefer decides between equal ones."},
		{"multi_tier_slave", "", "After a failover every node of a pool follows the new writer. Leave servers that replicate from a replica on purpose out of the pool."},
		{"ping_interval", "interval", "Only where it is set: MPP polls every second otherwise, MHA every three. A first failure is followed by three more polls 100 ms apart, not by three more intervals."},
		{"ping_type", "login_interval, checks.write.enabled", "SELECT is what MPP does anyway. CONNECT becomes login_interval, INSERT the write check, which needs a schema: CREATE DATABASE mpp."},
		{"secondary_check_script", "checkpoint", "Each host behind -s that is no node becomes a checkpoint: TCP to the port of its ssh. The script is not run: the replicas are the witnesses, and they are asked directly."},
		{"master_ip_failover_script", "vip", "With --helper, from MHA Helper's configuration. Otherwise MPP can move the address itself ([pool.vip], kind = \"metal\", or \"exec\" with a program that is called on, off or status), and steps of your own go into a hook ([[pool.hook]])."},
		{"master_ip_online_change_script", "vip", "As master_ip_failover_script. Read-only, the end of sessions and the way back after a failure are MPP's own: [pool.switchover]."},
		{"shutdown_script", "", "[pool.failover.shutdown] calls its program in another way, and must believe it: exit 0 only when the node takes no more writes for certain (MHA's 10, mysqld is killed, is that, too)."},
		{"report_script", "", "A hook for after-failover gets the whole report as JSON; mpp failovers shows it."},
		{"init_conf_load_script", "", "With --run-script it is run once, as MHA does at every start, and what it prints is taken. Otherwise that is missing: usually users and passwords."},
	}
}

// HelperFates are those of MHA Helper's keys.
func HelperFates() []Fate {
	return []Fate{
		{"writer_vip_cidr", "vip.addresses", "With /32 or /128: the first address of a subnet takes the others with it when it is taken off. The one that MHA Helper has put on, with whatever length, counts as there; it becomes /32 when MPP moves it."},
		{"vip_type", "vip.kind", "`metal` and `none`. `aws` and `openstack` moved nothing: vip.kind is none; write kind = \"exec\" with a program that moves the address."},
		{"report_email", "", "A hook for after-failover can send mail: it gets the whole report as JSON."},
		{"smtp_host", "", "As report_email."},
		{"requires_sudo", "ssh.sudo", ""},
		{"super_read_only", "", "MPP always closes a MySQL server with super_read_only. MariaDB has none: failover.block says what holds privileged accounts there."},
		{"requires_arping", "vip.announce_for", "`no` becomes announce_for = \"0s\": MPP announces the address by itself, once at least, without the program arping."},
		{"cluster_interface", "vip.interface, node.interface", ""},
		{"kill_after_timeout", "switchover.kill_after", "0 becomes 100ms, the least."},
	}
}
