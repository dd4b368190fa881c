package checks

import (
	"fmt"

	"mpp"
	"mpp/replication"
)

// addCluster adds the finding of the cluster check, if there is one.
func (p *Prober) addCluster(r *round, add func(mpp.CheckResult)) {
	found, asked := r.of(stepMember)
	switch {
	case asked && found.err != nil:
		f := ofError(found.err)
		f.message = "cannot read the member's state: " + f.message
		add(f.result(nameCluster, mpp.Reach, found.took))
	case asked:
		add(judgeMember(r.member).result(nameCluster, mpp.Reach, found.took))
	case p.o.ClusterExpected && p.lasting != nil:
		add(finding{
			mpp.Fail, mpp.KindCluster, 0,
			"the server is in no cluster: wsrep_on is off, and no group for Group Replication is configured",
		}.result(nameCluster, mpp.Reach, 0))
	}
}

// judgeMember judges how a node stands in its cluster.
func judgeMember(m replication.Member) finding {
	if m.Galera {
		return judgeGalera(m)
	}
	bad := func(status mpp.Status, format string, args ...any) finding {
		return finding{status, mpp.KindCluster, 0, fmt.Sprintf(format, args...)}
	}
	switch m.State {
	case "ONLINE":
		// In its own eyes a member of a minority is ONLINE; it cannot commit all the same.
		if 2*m.Unreachable >= m.Size {
			return bad(mpp.Fail, "no quorum: %d of the %d members are unreachable", m.Unreachable, m.Size)
		}
		if m.Unreachable > 0 {
			return bad(mpp.Warn, "%d of the %d members are unreachable", m.Unreachable, m.Size)
		}
		return finding{}
	case "RECOVERING":
		return bad(mpp.Warn, "the member is RECOVERING")
	case "":
		return bad(mpp.Fail, "the server is not a member of its group: Group Replication is not running")
	default:
		return bad(mpp.Fail, "the member is %s", m.State)
	}
}

// judgeGalera judges a Galera node: without quorum or not ready it serves nobody; one that
// lends itself to another's state transfer, or is catching up, serves less well.
func judgeGalera(m replication.Member) finding {
	switch {
	case m.Status != "Primary":
		return finding{
			mpp.Fail, mpp.KindCluster, 0,
			fmt.Sprintf("no quorum: wsrep_cluster_status is %s", orNone(m.Status)),
		}
	case !m.Ready:
		return finding{
			mpp.Fail, mpp.KindCluster, 0,
			fmt.Sprintf("wsrep_ready is OFF, wsrep_local_state_comment is %s", orNone(m.State)),
		}
	case m.State != "Synced":
		return finding{
			mpp.Warn, mpp.KindCluster, 0,
			fmt.Sprintf("not in step: wsrep_local_state_comment is %s", orNone(m.State)),
		}
	default:
		return finding{}
	}
}
