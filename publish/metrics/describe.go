package metrics

import "github.com/prometheus/client_golang/prometheus"

// descriptions are the names and texts of all that is collected.
type descriptions struct {
	build, started, ready, configOK, journalOK, filesOK                                 *prometheus.Desc
	inbox, subscribers, polls, hung, discarded, running, late99, lateMax                *prometheus.Desc
	journalSize, journalRecords, journalBytes, journalSyncs, journalFailures            *prometheus.Desc
	poolStatus, poolActive, poolNodes, poolProblems, poolMaintenance                    *prometheus.Desc
	staleAfter, checkpoint                                                              *prometheus.Desc
	nodeUp, nodeState, nodeStatus, nodeErrors, nodeSince, lastPoll, pollDuration, check *prometheus.Desc
	readOnly, lag                                                                       *prometheus.Desc
	engineDescriptions
}

// engineDescriptions are those of what only pools with an engine have.
type engineDescriptions struct {
	poolReady, blockers, gate, expectedLoss        *prometheus.Desc
	operations, underWay, lastFailover, lastOutage *prometheus.Desc
	holder, semiSource, semiClients, semiWaiting   *prometheus.Desc
}

const statusScale = "0 OK, 1 INFO, 2 WARN, 3 CRITICAL, 4 FAIL"

func describe() descriptions {
	node := []string{"pool", "node"}
	pool := []string{"pool"}
	return descriptions{
		build:     d("build_info", "Always 1; the version of MPP and of Go.", "version", "goversion"),
		started:   d("start_time_seconds", "When the daemon started, in seconds since 1970."),
		ready:     d("ready", "1 when every node was polled since the start."),
		configOK:  d("config_last_reload_successful", "1 when the last reload of the configuration was taken."),
		journalOK: d("journal_writable", "1 while the journal can be written."),
		filesOK:   d("files_writable", "1 while the files that mpp-check and keepalived read can be written."),

		inbox:       d("inbox_length", "Inputs that wait for the deciding loop."),
		subscribers: d("event_streams", "Clients that follow the events."),

		polls:     d("polls_total", "Polls of nodes since the start."),
		hung:      d("polls_hung_total", "Polls that did not return in time, since the start."),
		discarded: d("polls_discarded_total", "Polls whose result was thrown away because this process had slept."),
		running:   d("polls_running", "Polls under way."),
		late99:    d("poll_late_p99_seconds", "How late polls began in the last minutes, 99th percentile."),
		lateMax:   d("poll_late_max_seconds", "How late polls began in the last minutes, at worst."),

		journalSize:     d("journal_size_bytes", "Size of the journal."),
		journalRecords:  d("journal_records_total", "Records appended to the journal since the start."),
		journalBytes:    d("journal_bytes_total", "Bytes appended to the journal since the start."),
		journalSyncs:    d("journal_syncs_total", "Syncs of the journal to disk since the start."),
		journalFailures: d("journal_failures_total", "Writes and syncs of the journal that were refused since the start."),

		poolStatus:      d("pool_status", "Status of the pool: 0 OK, 4 FAIL (this poller is cut off).", pool...),
		poolActive:      d("pool_active_nodes", "Nodes in state ACTIVE; a failover pool should have 1.", pool...),
		poolNodes:       d("pool_nodes", "Configured nodes.", pool...),
		poolProblems:    d("pool_problems", "Problems that an operator should mend.", pool...),
		poolMaintenance: d("pool_maintenance", "1 while the pool is in maintenance.", pool...),
		staleAfter:      d("pool_stale_after_seconds", "Age from which a poll is stale.", pool...),
		checkpoint:      d("checkpoint_reached", "1 when the last try of the checkpoint reached it.", "pool", "checkpoint", "ring"),

		nodeUp:       d("node_up", "1 when the node may be used, for reading at least; 0 also when its data is stale.", node...),
		nodeState:    d("node_state", "1 for the state that the node is in, 0 for the others.", "pool", "node", "state"),
		nodeStatus:   d("node_status", "Status of the node: "+statusScale+".", node...),
		nodeErrors:   d("node_errors", "Failed polls in a row.", node...),
		nodeSince:    d("node_state_since_timestamp_seconds", "When the node entered its state; 0 for never.", node...),
		lastPoll:     d("node_last_poll_timestamp_seconds", "When the last poll began; 0 for never.", node...),
		pollDuration: d("node_poll_duration_seconds", "How long the last poll took.", node...),
		readOnly:     d("node_read_only", "1 when the server refuses writes.", node...),
		lag:          d("node_replication_lag_seconds", "How far the node is behind its source; absent when that cannot be told.", node...),
		check:        d("check_status", "What the check found last: "+statusScale+".", "pool", "node", "check"),

		engineDescriptions: describeEngine(),
	}
}

// d describes one metric.
func d(name, help string, labels ...string) *prometheus.Desc {
	return prometheus.NewDesc("mpp_"+name, help, labels, nil)
}

func describeEngine() engineDescriptions {
	node := []string{"pool", "node"}
	pool := []string{"pool"}
	return engineDescriptions{
		poolReady:    d("pool_ready", "1 when a failover of the pool would start if its ACTIVE node died now, and nothing acknowledged would be lost as far as can be told; 0 also when that is not known. Only pools with an engine have it.", pool...),
		blockers:     d("pool_readiness_blockers", "What keeps a failover from starting or makes it lose data, counted; mpp readiness names it.", pool...),
		gate:         d("pool_gate_open", "1 when the gate of an automatic failover is open: now, or as it would be if the ACTIVE node died now.", "pool", "gate", "when"),
		expectedLoss: d("pool_expected_loss_transactions", "Transactions that no replica had received at the last poll.", pool...),
		operations:   d("operations_total", "Operations that have ended since the daemon started, by kind and outcome.", "pool", "kind", "outcome"),
		underWay:     d("operation_under_way", "How many operations of the kind are under way.", "pool", "kind"),
		lastFailover: d("last_failover_timestamp_seconds", "When the new ACTIVE node took writes in the last failover; absent when there was none.", pool...),
		lastOutage:   d("last_failover_outage_seconds", "How long that took, from the first poll that failed.", pool...),
		holder:       d("virtual_address_holder", "1 when the node's host has the pool's virtual address; absent when the host could not be asked.", node...),
		semiSource:   d("semi_sync_source", "1 when commits on the node wait for a semi-synchronous acknowledgement.", node...),
		semiClients:  d("semi_sync_clients", "How many replicas acknowledge to the node.", node...),
		semiWaiting:  d("semi_sync_waiting", "How many sessions of the node wait for an acknowledgement.", node...),
	}
}
