package publishtest

import (
	"time"

	"mpp"
)

// Addresses of the nodes of pool db3, which has an engine: the ACTIVE one and a STANDBY one.
const (
	EngineActive  = "10.0.3.1:3306"
	EngineStandby = "10.0.3.2:3306"
)

// WithEngine is View with a third pool, db3, which has an engine: a switchover and a repair are
// under way in it.
func WithEngine(now time.Time) *mpp.View {
	v := View(now)
	v.Pools = append(v.Pools, db3(now))
	return v
}

func db3(now time.Time) mpp.PoolView {
	active, standby := observation(EngineActive, now), observation(EngineStandby, now)
	active.Server.SemiSync = &mpp.SemiSync{Source: true, Clients: 1, Waiting: 2}
	active.Server.Settings = &mpp.Settings{LogBin: true, LogReplicaUpdates: true, BinlogFormat: "ROW", GTID: true, SyncBinlog: 1, FlushLog: 1}
	standby.Server.SemiSync = &mpp.SemiSync{Replica: true}
	standby.Channels = []mpp.Channel{{SourceHost: "10.0.3.1", SourcePort: 3306, IO: "Yes", SQL: "Yes", Received: "0-1-99", SourceLog: "bin.000007", SourcePos: 4711, ByGTID: true}}
	ready := Readiness(now)
	return mpp.PoolView{
		Name: "db3", Logic: mpp.LogicFailover, Engine: mpp.EngineNative, Readers: mpp.ReadersStandby, Active: EngineActive, Ready: true,
		StaleAfter: 5 * time.Second, WhenStale: mpp.StaleDown, Interval: time.Second, Addresses: []string{"10.0.3.100/32"},
		Operation: &mpp.Operation{
			ID: 4, Pool: "db3", Kind: mpp.OpSwitchover, By: "ann", Reason: "asked for by ann", Old: EngineActive, New: EngineStandby,
			Phase: "prepare", Began: now, Options: mpp.OperationOptions{Wait: time.Second},
			Steps: []mpp.Step{{N: 1, Kind: mpp.StepCheck, Phase: "prepare", Node: EngineStandby, Limit: 10 * time.Second, Status: mpp.StepRunning, Began: now}},
		},
		Repairs:   []*mpp.Operation{{ID: 5, Pool: "db3", Kind: mpp.OpFence, Reason: "writable and not ACTIVE", Old: EngineStandby, Phase: "fence", Began: now}},
		Readiness: &ready,
		Nodes: []mpp.NodeView{
			{
				Address: EngineActive, Pool: "db3", Type: mpp.Primary, State: mpp.Active, Evaluation: mpp.ReadWrite, EvaluationReason: "ACTIVE",
				Since: now, LastPoll: now, Lane: mpp.LaneNormal, Observation: active,
				VirtualAddress: &mpp.AddressReport{Node: EngineActive, At: now, Known: true, Holds: true, Some: true},
			},
			{
				Address: EngineStandby, Pool: "db3", Type: mpp.Secondary, State: mpp.Standby, Evaluation: mpp.ReadOnly, EvaluationReason: "STANDBY",
				Reader: true, Since: now, LastPoll: now, Lane: mpp.LaneNormal, Observation: standby,
				VirtualAddress: &mpp.AddressReport{Node: EngineStandby, At: now, Known: true},
			},
		},
	}
}

// Readiness is that of pool db3: ready, with a warning.
func Readiness(now time.Time) mpp.Readiness {
	gates := []mpp.Gate{
		{Name: "dead", Evidence: EngineActive + " answers"},
		{Name: "candidate", Open: true, Evidence: EngineStandby + " may take over"},
	}
	died := []mpp.Gate{{Name: "dead", Open: true, Evidence: "4 polls would have failed"}, gates[1]}
	return mpp.Readiness{
		Pool: "db3", At: now, Ready: true, Summary: EngineStandby + " would take over", Now: gates, IfActiveDied: died,
		Candidates:   []mpp.Candidate{{Address: EngineStandby, Rank: 1, Why: "SECONDARY", Missing: "0-1-98"}},
		ExpectedLoss: "none", LossCount: 1, ExpectedOutage: "0.5s", Warnings: []string{"one replica only"},
	}
}

// Failover is one of pool db3 that was completed a minute before now: it lasted 512 ms from the
// first miss to the first writer.
func Failover(now time.Time) mpp.Operation {
	missed := now.Add(-time.Minute)
	return mpp.Operation{
		ID: 3, Pool: "db3", Kind: mpp.OpFailover, Reason: "4 polls of 10.0.3.3:3306 failed", Old: "10.0.3.3:3306", New: EngineActive, Phase: "done",
		FirstMiss: missed, Began: missed.Add(300 * time.Millisecond), Opened: missed.Add(512 * time.Millisecond), Ended: missed.Add(time.Second),
		Outcome: mpp.Completed, Why: "10.0.3.1:3306 takes writes", NothingLost: "semi-sync",
		Gates:      []mpp.Gate{{Name: "dead", Open: true, Evidence: "connection refused"}},
		Candidates: []mpp.Candidate{{Address: EngineActive, Rank: 1, Why: "PRIMARY"}},
		Steps: []mpp.Step{
			{
				N: 1, Kind: mpp.StepStopReceiver, Phase: "fence", Node: EngineActive, Limit: time.Second, Status: mpp.StepDone,
				Began: missed.Add(300 * time.Millisecond), Took: 2 * time.Millisecond, Position: &mpp.Position{Executed: "0-1-98", Received: "0-1-99", SourceLog: "bin.000007", SourcePos: 4711},
			},
			{
				N: 2, Kind: mpp.StepPromote, Phase: "promote", Node: EngineActive, Limit: time.Second, Status: mpp.StepDone,
				Began: missed.Add(400 * time.Millisecond), Took: 2 * time.Millisecond, Text: "open for writes",
			},
		},
		Notes: []string{"mpp rejoin 10.0.3.3:3306"},
	}
}

// Diagnosis is one of pool db3 in which not all is well.
func Diagnosis(now time.Time) mpp.Diagnosis {
	return mpp.Diagnosis{Pool: "db3", At: now, Took: time.Second, Findings: []mpp.Finding{
		{What: "hook chat", Text: "ended with status 0"},
		{Node: EngineActive, What: "grant RELOAD", Status: mpp.Fail, Text: "missing", Hint: "GRANT RELOAD ON *.* TO ..."},
	}}
}
