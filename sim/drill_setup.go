package sim

import (
	"time"

	"mpp"
	"mpp/plan"
	"mpp/pool"
	"mpp/state"
)

// setUp makes the pool: a is the writer, b and c (and at times d) its replicas.
func (d *drill) setUp() {
	d.mariadb, d.semi = d.chance(0.5), d.chance(0.5)
	d.semiTimeout = []time.Duration{10 * time.Second, 0, time.Second}[d.rng.IntN(3)]
	d.retry = []time.Duration{time.Second, time.Minute}[d.rng.IntN(2)]
	count := 3
	if d.chance(0.2) {
		count = 4
	}
	d.policy = d.drillPolicy(count)
	for i := range count {
		d.servers = append(d.servers, d.newServer(i))
		d.watches = append(d.watches, watch{lane: mpp.LaneNormal, took: d.between(leastTook, mostTook)})
	}
	d.servers[0].vip = d.policy.Failover.Addresses
	for range 10 {
		d.append(d.servers[0])
	}
	for tx := range d.writes {
		d.writes[tx].acked = true
	}
	for _, s := range d.servers[1:] {
		s.follow(0)
		for tx := range d.writes {
			s.execute(tx)
			s.fetched.add(tx)
		}
		s.last, s.readTo, s.connected, s.epoch = len(d.writes)-1, len(d.writes), true, d.servers[0].started
	}
	d.fault.arrange(d)
	d.upAsWriter = make([]bool, count)
	d.disk = d.firstMemory()
	d.arbiter = pool.New(d.policy, d.disk)
}

func (d *drill) newServer(i int) *server {
	s := &server{
		index: i, address: addressOf(i + 1), up: true, started: d.now.Add(-time.Hour), readOnly: i > 0, source: -1, last: -1, pending: -1,
		acknowledges: d.semi, io: i > 0, sql: i > 0,
	}
	s.known = &mpp.Settings{
		LogBin: true, LogReplicaUpdates: true, GTID: true, BinlogFormat: "ROW", LogBase: "/data/binlog", SyncBinlog: 1, FlushLog: 1,
		RelayLogRecovery: true, EventScheduler: "OFF", SemiSyncInstalled: true, SemiSyncSource: d.semi, SemiSyncReplica: d.semi,
		SemiSyncTimeout: d.semiTimeout, SemiSyncWaitPoint: "AFTER_SYNC", ReportHost: "x",
	}
	if d.semiTimeout == 0 {
		s.known.SemiSyncTimeout = 1000 * time.Hour // as good as never
	}
	return s
}

func (d *drill) drillPolicy(count int) pool.Policy {
	p := pool.Policy{
		Name: "p", Logic: mpp.LogicFailover, Engine: mpp.EngineNative, Ladder: state.DefaultLadder(), Readers: mpp.ReadersStandby,
		Interval: normalEvery, StaleAfter: 5 * time.Second, WhenStale: mpp.StaleDown,
	}
	p.Failover = pool.FailoverPolicy{
		Policy: plan.Policy{
			FenceRequired: d.chance(0.15), FenceTimeout: 500 * time.Millisecond, ApplyTimeout: 5 * time.Second, StepTimeout: 2 * time.Second,
			ShutdownTimeout: time.Second, BinlogTail: d.chance(0.6), Addresses: d.chance(0.85), Shutdown: d.chance(0.15), Events: d.chance(0.3),
			ManageSemiSync: d.chance(0.3), Wait: 2 * time.Second, KillAfter: 500 * time.Millisecond, MaxLag: 5 * time.Second,
		},
		Rejoin: d.chance(0.85), ConfirmInterval: confirmEvery, Timeout: pollLimit, ConfirmTimeout: urgentLimit, Block: "lock",
	}
	p.Failover.AnyLoss = d.chance(0.15)
	p.Failover.StopConnections = []string{"", "", "lock", "offline_mode"}[d.rng.IntN(4)]
	if d.chance(0.3) {
		p.Checkpoints = []pool.CheckpointPolicy{{Name: "gw", Ring: mpp.Edge, Kind: "tcp"}}
	}
	for i := range count {
		n := pool.NodePolicy{Address: addressOf(i + 1), Type: mpp.Secondary, Host: true, NoPromote: i > 1 && d.chance(0.15), Prefer: d.rng.IntN(2)}
		if i == 0 {
			n.Type = mpp.Primary
		}
		p.Nodes = append(p.Nodes, n)
	}
	return p
}

// firstMemory is that of a pool which has run well for a day.
func (d *drill) firstMemory() mpp.PoolMemory {
	m := mpp.PoolMemory{Name: d.policy.Name}
	for i, s := range d.servers {
		n := mpp.NodeMemory{Address: s.address, State: mpp.Standby, Since: d.now.Add(-24 * time.Hour), Rule: "admit"}
		if i == 0 {
			n.State, n.Rule = mpp.Active, "adopt-writer"
		}
		m.Nodes = append(m.Nodes, n)
	}
	return m
}
