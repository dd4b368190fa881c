package checks_test

import (
	"strings"
	"testing"

	"mpp"
	"mpp/checks"
	"mpp/sandbox"
)

func TestOneManagerMarksAServerAndAnotherSeesWho(t *testing.T) {
	for _, flavour := range []sandbox.Flavour{sandbox.MariaDB1011, sandbox.MariaDB118, sandbox.MySQL97} {
		t.Run(string(flavour), func(t *testing.T) {
			pool := startPool(t, flavour, 1)
			s := pool.Servers[0]
			exec(t, s, "SET GLOBAL read_only = 1") // a replica can be marked as well
			first, second := prober(t, withEngine(pool, s)), prober(t, withEngine(pool, s))
			finds := func(p *checks.Prober, managed bool, by string) {
				t.Helper()
				got := poll(t, p, mpp.Ask{}).Server
				if got.Managed != managed || (got.ManagedBy == "") != (by == "") || !strings.HasPrefix(got.ManagedBy, by) {
					t.Errorf("managed %v by %q, want %v by %q", got.Managed, got.ManagedBy, managed, by)
				}
			}
			finds(first, true, "")
			finds(first, true, "")
			finds(second, false, "") // it may be the process before this one, which has only just ended
			finds(second, false, "127.0.0.1:")
			finds(second, false, "127.0.0.1:")
			finds(first, true, "")

			// A session of its own that the server has not let go of yet is nobody else.
			if err := s.Freeze(); err != nil {
				t.Fatal(err)
			}
			if o := pollWithin(t, first, mpp.Ask{}, pollLimit/4); o.Verdict().Failed != mpp.Reach {
				t.Errorf("a frozen server: %s", show(o))
			}
			if err := s.Thaw(); err != nil {
				t.Fatal(err)
			}
			eventually(t, first, mpp.Ask{}, func(o mpp.Observation) bool {
				if o.Server.ManagedBy != "" {
					t.Errorf("it takes itself for another: %s", o.Server.ManagedBy)
				}
				return o.Server.Managed
			})

			// The next one takes over when the first has gone.
			if err := first.Close(); err != nil {
				t.Fatal(err)
			}
			eventually(t, second, mpp.Ask{}, func(o mpp.Observation) bool { return o.Server.Managed && o.Server.ManagedBy == "" })
			if o := poll(t, prober(t, options(pool, s)), mpp.Ask{}); o.Server.Managed || o.Server.ManagedBy != "" {
				t.Errorf("a pool without an engine asks who manages it: %s", show(o))
			}
		})
	}
}
