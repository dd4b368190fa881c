package crew

import (
	"net/netip"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp/action"
	"mpp/action/hook"
	"mpp/action/native"
	"mpp/action/remote"
	"mpp/action/vip"
	"mpp/config"
	"mpp/link"
)

func TestWhatIsConfiguredReachesWhoActs(t *testing.T) {
	address := netip.MustParsePrefix("10.0.0.100/32")
	account := config.Account{User: "mpp", Password: config.NewSecret("p")}
	p := &config.Pool{
		Name: "shop",
		Failover: config.Failover{
			Account: config.Account{User: "fo", Password: config.NewSecret("f")}, Replication: config.Account{User: "repl", Password: config.NewSecret("r")},
			Block: config.BlockRevoke, BinlogProgram: "/b", Shutdown: config.Shutdown{Program: "/off", Timeout: time.Second},
		},
		Switchover: config.Switchover{LockAccounts: []config.LockAccount{{User: "app", Host: "%"}}},
		VIP:        config.VIP{Kind: config.VIPMetal, Addresses: []netip.Prefix{address}, Timeout: 2 * time.Second, AnnounceFor: 5 * time.Second},
		Nodes: []config.Node{{
			Address: "db1:3306", Interface: "eth0", NodeSettings: config.NodeSettings{
				Account: account, TLS: config.TLS{Mode: config.TLSRequired}, SSH: config.SSH{Host: "db1", User: "root", Port: 22, KeyFile: "/k", KnownHosts: "/h", Sudo: true, Timeout: time.Second},
			},
		}},
		Hooks: []config.Hook{{Name: "chat", Program: "/chat", Phases: []string{"before-failover"}, Timeout: time.Second, OnError: config.OnErrorAbort}},
	}
	want := action.Pool{
		Name: "shop",
		Nodes: []action.Node{{
			Address: "db1:3306", Account: native.Account{User: "fo", Password: "f", TLS: link.TLS{Mode: link.TLSRequired}}, Sudo: true, Interface: "eth0",
			SSH: remote.Options{Host: "db1", Port: 22, User: "root", KeyFile: "/k", KnownHosts: "/h", Sudo: true, Timeout: time.Second},
		}},
		Native: native.Options{
			Replication: native.Account{User: "repl", Password: "r"}, Own: []string{"mpp"}, Block: native.BlockRevoke, LockAccounts: []string{"app@%"}, BinlogProgram: "/b",
		},
		VIP:      vip.Options{Pool: "shop", Kind: vip.Metal, Addresses: []netip.Prefix{address}, Timeout: 2 * time.Second, AnnounceFor: 5 * time.Second},
		Hooks:    []action.Hook{{Hook: hook.Hook{Name: "chat", Program: "/chat", Timeout: time.Second, Abort: true}, Phases: []string{"before-failover"}}},
		Shutdown: hook.Hook{Name: "shutdown", Program: "/off", Timeout: time.Second},
	}
	if diff := cmp.Diff(want, Of(p), cmp.Comparer(func(a, b netip.Prefix) bool { return a == b })); diff != "" {
		t.Error(diff)
	}
}
