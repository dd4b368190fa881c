package replication

import (
	"database/sql/driver"
	"strings"
)

// Member is how a node stands in its cluster.
type Member struct {
	// Galera says which of the two kinds of cluster it is: Galera, else Group Replication.
	Galera bool
	// State is the member's own: wsrep_local_state_comment ("Synced"), or MEMBER_STATE
	// ("ONLINE"); empty when the server does not say.
	State string
	// Status is wsrep_cluster_status ("Primary"); empty for Group Replication.
	Status string
	// Ready is wsrep_ready; for Group Replication it is always true.
	Ready bool
	// Size is how many members this one counts, and Unreachable how many of them it cannot
	// reach (Group Replication only).
	Size, Unreachable int64
}

// MemberSQL asks how the node stands in its cluster; its rows are for ReadMember. It is
// empty when the server is in none.
func (d *Dialect) MemberSQL() string {
	switch {
	case d.Galera:
		return `SHOW GLOBAL STATUS WHERE Variable_name IN ('wsrep_cluster_status', 'wsrep_ready', ` +
			`'wsrep_local_state_comment', 'wsrep_cluster_size')`
	case d.Group:
		return `SELECT MAX(IF(MEMBER_ID = @@server_uuid, MEMBER_STATE, NULL)), COUNT(*), ` +
			`COALESCE(SUM(MEMBER_STATE = 'UNREACHABLE'), 0) FROM performance_schema.replication_group_members`
	default:
		return ""
	}
}

// ReadMember reads the rows of MemberSQL.
func (d *Dialect) ReadMember(rows driver.Rows) (Member, error) {
	if d.Galera {
		return readGalera(rows)
	}
	if err := wantColumns(rows, 3); err != nil {
		return Member{}, err
	}
	m := Member{Ready: true}
	dest := make([]driver.Value, 3)
	err := eachRow(rows, dest, func() {
		m.State = string(text(dest[0]))
		m.Size, _ = number(dest[1])
		m.Unreachable, _ = number(dest[2])
	})
	return m, err
}

func readGalera(rows driver.Rows) (Member, error) {
	m := Member{Galera: true}
	if err := wantColumns(rows, 2); err != nil {
		return m, err
	}
	dest := make([]driver.Value, 2)
	err := eachRow(rows, dest, func() {
		switch strings.ToLower(string(text(dest[0]))) {
		case "wsrep_cluster_status":
			m.Status = string(text(dest[1]))
		case "wsrep_local_state_comment":
			m.State = string(text(dest[1]))
		case "wsrep_ready":
			m.Ready = on(text(dest[1]))
		case "wsrep_cluster_size":
			m.Size, _ = number(dest[1])
		}
	})
	return m, err
}
