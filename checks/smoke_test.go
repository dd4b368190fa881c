package checks_test

import (
	"testing"

	"mpp"
	"mpp/checks"
	"mpp/sandbox"
)

// TestHealthyNodesAreOKOnEveryServer asks everything there is of a source and a replica of every
// product and series that can be had.
func TestHealthyNodesAreOKOnEveryServer(t *testing.T) {
	for _, flavour := range sandbox.Flavours() {
		t.Run(string(flavour), func(t *testing.T) {
			pool := startPool(t, flavour, 2)
			source, replica := pool.Servers[0], pool.Servers[1]
			o := options(pool, source)
			o.HeartbeatTable, o.Write = "mpp.heartbeat", true
			o.Custom = []checks.Custom{{Name: "databases", SQL: "SHOW DATABASES LIKE 'mpp'", Expect: "mpp", Limit: o.QueryLimit}}
			first := prober(t, o)
			o.Address = replica.Address()
			second := prober(t, o)

			active := eventually(t, first, mpp.Ask{Active: true}, func(o mpp.Observation) bool {
				return o.Server.GTID != "" && o.Verdict().Status == mpp.OK
			})
			healthy(t, active)
			standby := eventually(t, second, mpp.Ask{}, func(o mpp.Observation) bool { return o.LagKnown && o.Verdict().Status == mpp.OK })
			healthy(t, standby)
		})
	}
}
