package replication

import (
	"fmt"
	"strings"
)

// Table is a table's name with its schema.
type Table struct {
	Schema, Name string
}

// ParseTable reads "schema.table"; backquotes around either are allowed.
func ParseTable(s string) (Table, error) {
	schema, name, ok := parseObject(strings.TrimSpace(s))
	if !ok || schema == "" || name == "" || schema == "*" || name == "*" {
		return Table{}, fmt.Errorf("parse table %q: want schema.table, such as mpp.heartbeat", s)
	}
	if len(schema) > 64 || len(name) > 64 {
		return Table{}, fmt.Errorf("parse table %q: a name has more than 64 characters", s)
	}
	return Table{schema, name}, nil
}

// String returns the name as SQL, quoted.
func (t Table) String() string { return backquote(t.Schema) + "." + backquote(t.Name) }

func backquote(s string) string { return "`" + strings.ReplaceAll(s, "`", "``") + "`" }

// Functions says what an account is used for; each needs privileges of its own.
type Functions struct {
	// Monitor reads the state of replication.
	Monitor bool
	// Group reads the state of a member of Group Replication.
	Group bool
	// ReadHeartbeat and WriteHeartbeat use the table Heartbeat; CreateHeartbeat makes it.
	ReadHeartbeat, WriteHeartbeat, CreateHeartbeat bool
	// Heartbeat is the table, needed when one of the three is set.
	Heartbeat Table
	// Failover is what a promotion takes: stop and re-point replicas, set read_only, see and end
	// sessions.
	Failover bool
	// What follows goes beyond that, and needs Failover's privileges, too. Events starts and stops
	// the event scheduler and enables EVENTs of other accounts; BinlogTail executes what was read
	// from another server's binary log; LockAccounts locks accounts; Clone replaces a server's data
	// by a copy of another's, of which it is either.
	Events, BinlogTail, LockAccounts, Clone bool
}

// Need is one privilege that a function needs.
type Need struct {
	// For names the function, such as "monitoring".
	For string
	// AnyOf are the privileges of which one is enough; the first is the one to grant.
	AnyOf []string
	// On is the table; the zero value means server-wide.
	On Table
}

// String returns the privilege as one would grant it, such as "SLAVE MONITOR ON *.*".
func (n Need) String() string {
	on := "*.*"
	if n.On.Schema != "" {
		on = n.On.Schema + "." + n.On.Name
	}
	return n.AnyOf[0] + " ON " + on
}

// Needs lists the privileges that the functions need on this server.
func (d *Dialect) Needs(f Functions) []Need {
	var list []Need
	if f.Monitor {
		list = append(list, Need{For: "monitoring", AnyOf: d.monitorPrivileges()})
	}
	if f.Group {
		list = append(list, Need{
			For: "cluster", AnyOf: []string{"SELECT"},
			On: Table{"performance_schema", "replication_group_members"},
		})
	}
	table := func(want bool, what string, privileges ...string) {
		for _, p := range privileges {
			if want {
				list = append(list, Need{For: what, AnyOf: []string{p}, On: f.Heartbeat})
			}
		}
	}
	table(f.ReadHeartbeat, "reading the heartbeat", "SELECT")
	table(f.WriteHeartbeat, "writing the heartbeat", "INSERT", "UPDATE")
	table(f.CreateHeartbeat, "creating the heartbeat table", "CREATE")
	for _, part := range []struct {
		want bool
		what string
		list [][]string
	}{
		{f.Failover, "failover", d.failoverPrivileges()},
		{f.Events, "moving events", d.eventPrivileges()},
		{f.BinlogTail, "executing a binary log's tail", d.tailPrivileges()},
		{f.LockAccounts, "locking accounts", [][]string{{"CREATE USER"}}},
		{f.Clone, "cloning", d.clonePrivileges()},
	} {
		for _, any := range part.list {
			if part.want {
				list = append(list, Need{For: part.what, AnyOf: any})
			}
		}
	}
	return list
}

// Hints lists privileges without which the functions work on most servers, and fall short on some.
func (d *Dialect) Hints(f Functions) []Need {
	var list []Need
	if d.Flavour == MySQL && d.major >= 8 && (f.Failover || f.Events) {
		list = append(list, Need{For: "the sessions and events of accounts that have SYSTEM_USER, such as root's", AnyOf: []string{"SYSTEM_USER"}})
	}
	if f.BinlogTail {
		list = append(list, Need{For: "executing statements, such as DDL, of a binary log's tail", AnyOf: []string{all}})
	}
	return list
}

// monitorPrivileges are those of which one lets the account read the replica's state.
func (d *Dialect) monitorPrivileges() []string {
	if d.Flavour == MySQL {
		return []string{"REPLICATION CLIENT", "SUPER"}
	}
	// REPLICATION SLAVE ADMIN did it in 10.5.2 to 10.5.7, SUPER up to 10.11.
	list := []string{"SLAVE MONITOR"}
	if d.major == 10 && d.minor <= 5 {
		list = append(list, "REPLICATION SLAVE ADMIN")
	}
	if d.major == 10 {
		list = append(list, "SUPER")
	}
	return list
}

// failoverPrivileges are the least that a switchover takes, each with what else is enough.
// PROCESS is among them because without it the sessions of others are not seen, and no error says so.
func (d *Dialect) failoverPrivileges() [][]string {
	if d.Flavour == MariaDB {
		return append(d.orSuper("REPLICATION SLAVE ADMIN", "REPLICATION MASTER ADMIN", "READ_ONLY ADMIN", "BINLOG ADMIN", "CONNECTION ADMIN"),
			[]string{"RELOAD"}, []string{"PROCESS"})
	}
	return [][]string{
		{"REPLICATION_SLAVE_ADMIN", "SUPER"},
		{"SYSTEM_VARIABLES_ADMIN", "SUPER"},
		{"CONNECTION_ADMIN", "SUPER"},
		{"RELOAD"},
		{"PROCESS"},
	}
}

// orSuper are MariaDB's privileges that SUPER once stood for: from 10.11 on it does not cover
// read_only, from 11 on none of them.
func (d *Dialect) orSuper(privileges ...string) [][]string {
	var list [][]string
	for _, p := range privileges {
		one := []string{p}
		if d.major == 10 && (d.minor < 11 || p != "READ_ONLY ADMIN") {
			one = append(one, "SUPER")
		}
		list = append(list, one)
	}
	return list
}

// eventPrivileges let EVENTs be seen and enabled though another account defined them.
func (d *Dialect) eventPrivileges() [][]string {
	if d.Flavour == MariaDB {
		// The event scheduler is one of the few things that SUPER alone still allows.
		return append([][]string{{"EVENT"}, {"SUPER"}}, d.orSuper("SET USER")...)
	}
	definer := []string{"SET_ANY_DEFINER", "SET_USER_ID", "SUPER"} // from 8.2, in 8.0, in 5.7
	if d.major == 8 && d.minor < 2 {
		definer = []string{"SET_USER_ID", "SET_ANY_DEFINER", "SUPER"}
	}
	return [][]string{{"EVENT"}, definer}
}

// tailPrivileges let BINLOG statements be executed.
func (d *Dialect) tailPrivileges() [][]string {
	if d.Flavour == MariaDB {
		return d.orSuper("BINLOG REPLAY")
	}
	return [][]string{{"REPLICATION_APPLIER", "BINLOG_ADMIN", "SUPER"}}
}

// clonePrivileges are those of both ends. MariaDB's are for mariadb-backup, which uses RELOAD and
// PROCESS besides.
func (d *Dialect) clonePrivileges() [][]string {
	if d.Flavour == MariaDB {
		return d.orSuper("BINLOG MONITOR")
	}
	return [][]string{{"CLONE_ADMIN"}, {"BACKUP_ADMIN"}}
}

// Missing returns the needs that the grants do not cover.
func (g Grants) Missing(needs []Need) []Need {
	var list []Need
	for _, n := range needs {
		covered := false
		for _, p := range n.AnyOf {
			covered = covered || g.Has(p, n.On.Schema, n.On.Name)
		}
		if !covered {
			list = append(list, n)
		}
	}
	return list
}

// Roles returns the roles that were granted, active or not.
func (g Grants) Roles() []string { return g.roles }
