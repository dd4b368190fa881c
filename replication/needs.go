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
	// Failover is what a promotion takes: stop and re-point replicas, set read_only, end
	// sessions.
	Failover bool
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
	if f.Failover {
		for _, any := range d.failoverPrivileges() {
			list = append(list, Need{For: "failover", AnyOf: any})
		}
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
func (d *Dialect) failoverPrivileges() [][]string {
	if d.Flavour == MariaDB {
		list := [][]string{
			{"REPLICATION SLAVE ADMIN"},
			{"REPLICATION MASTER ADMIN"},
			{"READ_ONLY ADMIN"},
			{"BINLOG ADMIN"},
			{"CONNECTION ADMIN"},
		}
		for i, one := range list {
			// From 10.11 on SUPER does not cover read_only, from 11 on none of it.
			if d.major == 10 && (d.minor < 11 || one[0] != "READ_ONLY ADMIN") {
				list[i] = append(one, "SUPER")
			}
		}
		return append(list, []string{"RELOAD"})
	}
	return [][]string{
		{"REPLICATION_SLAVE_ADMIN", "SUPER"},
		{"SYSTEM_VARIABLES_ADMIN", "SUPER"},
		{"CONNECTION_ADMIN", "SUPER"},
		{"RELOAD"},
	}
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
