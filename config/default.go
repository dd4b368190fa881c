package config

import (
	"path/filepath"
	"time"

	"mpp"
)

// The defaults that depend on others; settle applies them.
const (
	defaultInterval        = time.Second
	defaultTimeout         = 800 * time.Millisecond
	defaultConfirmInterval = 100 * time.Millisecond
	defaultConfirmTimeout  = 300 * time.Millisecond
	defaultSlowInterval    = 5 * time.Second
	defaultStaleAfter      = 5 * time.Second
	fastInterval           = 250 * time.Millisecond
	fastTimeout            = 250 * time.Millisecond
	fastConfirmInterval    = 25 * time.Millisecond
	defaultUser            = "mpp"
	socketName             = "mppd.sock"
)

// Default returns a complete configuration without pools. A pool starts as a copy of its
// Defaults.
func Default() *Config {
	return &Config{
		StateDir: "/var/lib/mpp",
		RunDir:   "/run/mpp",
		Log:      Log{Level: "info", Format: "auto"},
		API:      API{Socket: filepath.Join("/run/mpp", socketName), SocketMode: 0o660},
		Journal:  Journal{MaxSize: 256 * mib, EventsKept: 1000, History: 15 * time.Minute},
		Defaults: defaultPool(),
		at:       origins{},
	}
}

func defaultPool() Pool {
	p := Pool{
		Logic:           mpp.LogicFailover,
		Engine:          mpp.EngineNone,
		Readers:         mpp.ReadersStandby,
		Interval:        defaultInterval,
		Timeout:         defaultTimeout,
		ConfirmInterval: defaultConfirmInterval,
		SlowInterval:    defaultSlowInterval,
		LoginInterval:   5 * time.Second,
		StaleAfter:      defaultStaleAfter,
		WhenStale:       mpp.StaleDown,
		Ladder:          Ladder{InfoAfter: 1, WarnAfter: 2, CriticalAfter: 3, FailAfter: 4},
		NodeSettings:    NodeSettings{TLS: TLS{Mode: TLSPreferred}, SSH: SSH{User: "root", Port: 22, Timeout: time.Second}},
		Failover:        defaultFailover(),
		Switchover: Switchover{
			Wait: 30 * time.Second, KillAfter: 5 * time.Second, LongTransactions: LongTransactionsKill,
			MaxLag: 5 * time.Second, Stop: StopKill,
		},
		VIP: VIP{Kind: VIPNone, WatchInterval: 2 * time.Second, AnnounceFor: 5 * time.Second, Timeout: 2 * time.Second},
		Checks: Checks{
			Privilege:   PrivilegeCheck{Enabled: true, Interval: time.Minute},
			Query:       QueryCheck{Enabled: true, SQL: "SELECT 1"},
			Replication: ReplicationCheck{Enabled: true, Expected: true, SourceUnreachableCritical: time.Minute, SourceInPool: true},
			Lag: LagCheck{
				Enabled: true,
				Info:    5 * time.Second, Warn: 30 * time.Second, Critical: 2 * time.Minute, Fail: 10 * time.Minute,
			},
			Write:    WriteCheck{Timeout: time.Second, Table: "mpp.heartbeat", CreateTable: true},
			Identity: IdentityCheck{Enabled: true},
			Cluster:  ClusterCheck{Enabled: true},
			Commit:   CommitCheck{StuckAfter: 5 * time.Second},
		},
		at: origins{},
	}
	p.settle()
	return p
}

func defaultFailover() Failover {
	return Failover{
		Preset: PresetCareful, Mode: FailoverAuto, Fence: FenceBestEffort,
		FenceTimeout: 500 * time.Millisecond, ApplyTimeout: time.Minute, StepTimeout: 10 * time.Second,
		BinlogTail: true, Block: BlockReadOnly, SemiSync: SemiSyncKeep, Events: true,
		Rejoin: RejoinAuto, Failback: FailbackNone,
		Shutdown: Shutdown{Timeout: 10 * time.Second},
	}
}

func defaultHook() Hook {
	return Hook{Timeout: 5 * time.Second, OnError: OnErrorContinue, at: origins{}}
}

func defaultNode() Node { return Node{Type: mpp.Secondary, at: origins{}} }

func defaultCheckpoint() Checkpoint {
	return Checkpoint{Kind: CheckpointTCP, Interval: 5 * time.Second, Timeout: defaultTimeout, at: origins{}}
}

func defaultCustom() CustomCheck {
	return CustomCheck{Compare: "=", Status: mpp.Fail, Class: mpp.Reach, Timeout: defaultTimeout, at: origins{}}
}

// settle fills in the defaults that depend on other keys.
func (c *Config) settle() {
	if !c.at.has("api.socket") {
		c.API.Socket = filepath.Join(c.RunDir, socketName)
	}
}

// settle fills in the defaults that depend on other keys.
func (p *Pool) settle() {
	most := p.presetTimes()
	if !p.at.has("interval") {
		p.Interval = most.interval
	}
	interval := usable(p.Interval)
	if !p.at.has("timeout") {
		p.Timeout = min(most.timeout, interval*4/5)
	}
	if !p.at.has("confirm_interval") {
		p.ConfirmInterval = min(most.confirm, interval)
	}
	if !p.at.has("confirm_timeout") {
		p.ConfirmTimeout = p.Timeout
		if p.Engine != mpp.EngineNone {
			p.ConfirmTimeout = min(defaultConfirmTimeout, p.Timeout)
		}
	}
	if !p.at.has("slow_interval") {
		p.SlowInterval = max(defaultSlowInterval, interval)
	}
	if !p.at.has("stale_after") {
		p.StaleAfter = min(max(defaultStaleAfter, 5*interval), maxDuration)
	}
	p.settleChecks()
}

// presetTimes are the times of polling of the preset. It counts with an engine only, as all of
// the failover table does.
func (p *Pool) presetTimes() (most struct{ interval, timeout, confirm time.Duration }) {
	most.interval, most.timeout, most.confirm = defaultInterval, defaultTimeout, defaultConfirmInterval
	if p.fast() {
		most.interval, most.timeout, most.confirm = fastInterval, fastTimeout, fastConfirmInterval
	}
	return most
}

// presetKeys are the keys that a preset sets.
func presetKeys() []string { return []string{"interval", "timeout", "confirm_interval"} }

// fast reports whether the preset fast counts.
func (p *Pool) fast() bool {
	return p.Engine == mpp.EngineNative && p.Failover.Preset == PresetFast
}

// usable is an interval, or the default one for what cannot be an interval: that is told
// once, and not again for all that depends on it.
func usable(interval time.Duration) time.Duration {
	if (duration{p: &interval, least: minInterval}).check() != nil {
		return defaultInterval
	}
	return interval
}

func (p *Pool) settleChecks() {
	c, failover := &p.Checks, p.Logic == mpp.LogicFailover
	for path, on := range map[string]*bool{
		"checks.replication.enabled":        &c.Replication.Enabled,
		"checks.replication.expected":       &c.Replication.Expected,
		"checks.replication.source_in_pool": &c.Replication.SourceInPool,
		"checks.lag.enabled":                &c.Lag.Enabled,
	} {
		if !p.at.has(path) {
			*on = failover
		}
	}
	if !p.at.has("checks.privilege.for_failover") {
		c.Privilege.ForFailover = p.Engine == mpp.EngineNative && p.Failover.Account.User == ""
	}
	if !p.at.has("checks.cluster.expected") {
		c.Cluster.Expected = !failover
	}
	if !p.at.has("checks.commit.enabled") {
		c.Commit.Enabled = p.Engine == mpp.EngineNative
	}
	poll := p.Timeout
	if (duration{p: &poll}).check() != nil {
		poll = defaultTimeout
	}
	for path, limit := range c.limits() {
		if !p.at.has(path) {
			*limit = poll
		}
	}
	if c.Write.Enabled && !p.at.has("checks.lag.heartbeat_table") {
		c.Lag.HeartbeatTable = c.Write.Table
	}
	for i := range c.Custom {
		if !c.Custom[i].at.has("timeout") {
			c.Custom[i].Timeout = poll
		}
	}
}

// limits are the limits of checks that are part of a poll.
func (c *Checks) limits() map[string]*time.Duration {
	return map[string]*time.Duration{
		"checks.connect.timeout":     &c.Connect.Timeout,
		"checks.query.timeout":       &c.Query.Timeout,
		"checks.replication.timeout": &c.Replication.Timeout,
		"checks.lag.timeout":         &c.Lag.Timeout,
		"checks.cluster.timeout":     &c.Cluster.Timeout,
	}
}

// settle fills in the defaults that depend on other keys.
func (c *Checkpoint) settle() {
	if !c.at.has("timeout") {
		c.Timeout = min(defaultTimeout, usable(c.Interval)*4/5)
	}
	if c.Name == "" && !c.at.has("name") {
		c.Name = c.ownName()
	}
	if normal, f := c.normal(); f == nil && c.Kind != CheckpointHTTP {
		c.Address = normal
	}
}

func (o origins) has(path string) bool {
	_, ok := o[path]
	return ok
}
