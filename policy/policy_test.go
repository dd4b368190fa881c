package policy_test

import (
	"net/netip"
	"reflect"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp"
	"mpp/config"
	"mpp/plan"
	"mpp/policy"
	"mpp/pool"
)

// engine is a pool with an engine in which nothing is as it would be anyway.
func engine() config.Pool {
	p := config.Default().Defaults
	p.Name, p.Engine = "p", mpp.EngineNative
	p.Failover = config.Failover{
		Mode: config.FailoverManual, Grace: time.Second, Cooldown: 2 * time.Second, MaxLoss: 3, AnyLoss: true,
		Fence: config.FenceRequired, FenceTimeout: 4 * time.Second, ApplyTimeout: 5 * time.Second, StepTimeout: 6 * time.Second,
		BinlogTail: true, Block: config.BlockLock, SemiSync: config.SemiSyncManage, Events: true,
		Rejoin: config.RejoinAuto, Failback: config.FailbackAuto, Shutdown: config.Shutdown{Program: "/x", Timeout: 10 * time.Second},
	}
	p.Switchover = config.Switchover{
		Wait: 7 * time.Second, KillAfter: 8 * time.Second, MaxLag: 9 * time.Second,
		LongTransactions: config.LongTransactionsRefuse, Stop: config.StopLock,
	}
	p.VIP = config.VIP{Kind: config.VIPMetal, Addresses: []netip.Prefix{netip.MustParsePrefix("10.0.0.100/32")}}
	p.Hooks = []config.Hook{
		{Phases: []string{mpp.HookBeforeFailover}, Timeout: time.Second},
		{Phases: []string{mpp.HookBeforeFailover, mpp.HookAfterRejoin}, Timeout: 2 * time.Second},
	}
	p.ConfirmTimeout = 300 * time.Millisecond
	p.Nodes = []config.Node{
		{Address: "a:3306", Type: mpp.Primary, Prefer: 1, NodeSettings: config.NodeSettings{SSH: config.SSH{Local: true}}},
		{Address: "b:3306", Type: mpp.Secondary, NoPromote: true},
	}
	return p
}

func TestEverythingConfiguredForAnEngineReachesItsPolicy(t *testing.T) {
	got := policy.Of(engine())
	want := pool.FailoverPolicy{
		Policy: plan.Policy{
			FenceRequired: true, FenceTimeout: 4 * time.Second, ApplyTimeout: 5 * time.Second, StepTimeout: 6 * time.Second,
			MaxLoss: 3, AnyLoss: true, BinlogTail: true, Addresses: true, Shutdown: true, ShutdownTimeout: 10 * time.Second, Events: true, ManageSemiSync: true,
			Hooks: map[string]time.Duration{mpp.HookBeforeFailover: 3 * time.Second, mpp.HookAfterRejoin: 2 * time.Second},
			Wait:  7 * time.Second, KillAfter: 8 * time.Second, RefuseLongTransactions: true, MaxLag: 9 * time.Second, StopConnections: "lock",
		},
		Manual: true, Grace: time.Second, Cooldown: 2 * time.Second, Rejoin: true, Failback: true,
		VirtualAddresses: []string{"10.0.0.100/32"},
		ConfirmInterval:  100 * time.Millisecond, Timeout: 800 * time.Millisecond, ConfirmTimeout: 300 * time.Millisecond,
		Block: "lock",
	}
	if diff := cmp.Diff(want, got.Failover); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
	nodes := []pool.NodePolicy{
		{Address: "a:3306", Type: mpp.Primary, Prefer: 1, Host: true},
		{Address: "b:3306", Type: mpp.Secondary, NoPromote: true},
	}
	if diff := cmp.Diff(nodes, got.Nodes); diff != "" {
		t.Errorf("nodes (-want +got):\n%s", diff)
	}
	for _, v := range []reflect.Value{reflect.ValueOf(got.Failover), reflect.ValueOf(got.Failover.Policy)} {
		for i := range v.NumField() {
			if v.Field(i).IsZero() {
				t.Errorf("nothing is configured for %s", v.Type().Field(i).Name)
			}
		}
	}
}

func TestPoolWithoutAnEngineHasNoRulesForOne(t *testing.T) {
	p := engine()
	p.Engine = mpp.EngineNone
	if diff := cmp.Diff(pool.FailoverPolicy{}, policy.Of(p).Failover); diff != "" {
		t.Errorf("policy (-want +got):\n%s", diff)
	}
}
