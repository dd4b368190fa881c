package checks_test

import (
	"context"
	"fmt"
	"net"
	"strconv"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/checks"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// monitorPassword is the monitoring account's on the servers of these tests.
const monitorPassword = "look-but-don't-touch"

// startPool starts size replicating servers.
func startPool(t testing.TB, flavour sandbox.Flavour, size int, args ...string) *sandbox.Pool {
	t.Helper()
	return sandboxtest.StartPool(t, sandbox.PoolOptions{
		Base: sandboxtest.Base(t, flavour), Size: size, MonitorPassword: monitorPassword, Args: args,
	})
}

// options are the defaults for a server of a pool.
func options(pool *sandbox.Pool, s *sandbox.Server) checks.Options {
	o := checks.Default()
	o.Address, o.User, o.Password = s.Address(), pool.Monitor.User, monitorPassword
	for _, one := range pool.Servers {
		o.PoolNodes = append(o.PoolNodes, one.Address())
	}
	return o
}

// prober makes a prober that is closed when the test ends.
func prober(t testing.TB, o checks.Options) *checks.Prober {
	t.Helper()
	p, err := checks.New(o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := p.Close(); err != nil {
			t.Error(err)
		}
	})
	return p
}

// pollLimit is what a poll of these tests may take: the tests run beside others.
const pollLimit = 2 * time.Second

// poll polls once, and holds the promise that a poll never outlasts its context.
func poll(t testing.TB, p *checks.Prober, ask mpp.Ask) mpp.Observation {
	t.Helper()
	return pollWithin(t, p, ask, pollLimit)
}

func pollWithin(t testing.TB, p *checks.Prober, ask mpp.Ask, limit time.Duration) mpp.Observation {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), limit)
	defer cancel()
	begin := time.Now()
	o := p.Poll(ctx, ask)
	if took := time.Since(begin); took > limit+slack {
		t.Errorf("a poll with a limit of %s took %s", limit, took)
	}
	seen := make(map[string]bool)
	for _, c := range o.Checks {
		if seen[c.Name] {
			t.Errorf("check %s is there twice: %s", c.Name, show(o))
		}
		seen[c.Name] = true
		if strings.Contains(c.Message, monitorPassword) || strings.ContainsAny(c.Message, "\n\r") {
			t.Errorf("message of %s: %q", c.Name, c.Message)
		}
	}
	return o
}

// slack is what a busy machine may add to a time limit.
const slack = 250 * time.Millisecond

// eventually polls until done is satisfied, which it must be within 20 s.
func eventually(t testing.TB, p *checks.Prober, ask mpp.Ask, done func(mpp.Observation) bool) mpp.Observation {
	t.Helper()
	var o mpp.Observation
	ctx, cancel := context.WithTimeout(t.Context(), 20*time.Second)
	defer cancel()
	err := sandbox.Eventually(ctx, 50*time.Millisecond, func(context.Context) error {
		o = poll(t, p, ask)
		if !done(o) {
			return fmt.Errorf("not yet: %s", show(o))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return o
}

// show prints an observation for a failed test.
func show(o mpp.Observation) string {
	var b strings.Builder
	fmt.Fprintf(&b, "answered=%v took=%s", o.Answered, o.Took.Round(time.Millisecond))
	for _, c := range o.Checks {
		fmt.Fprintf(&b, "\n  %-12s %-7s %-8s %s %d %q", c.Name, c.Class, c.Status, c.Kind, c.MySQLError, c.Message)
	}
	fmt.Fprintf(&b, "\n  %+v\n  channels %+v lag %s %v", o.Server, o.Channels, o.Lag, o.LagKnown)
	return b.String()
}

// find returns the finding of a check.
func find(o mpp.Observation, name string) (mpp.CheckResult, bool) {
	for _, c := range o.Checks {
		if c.Name == name {
			return c, true
		}
	}
	return mpp.CheckResult{}, false
}

// want is what a finding must be.
type want struct {
	check   string
	status  mpp.Status
	kind    mpp.Kind
	message string // a part of it; "" means that there is none
}

// expect holds a finding against what it must be.
func expect(t testing.TB, o mpp.Observation, w want) {
	t.Helper()
	if diff := differs(o, w); diff != "" {
		t.Errorf("%s\n%s", diff, show(o))
	}
}

func differs(o mpp.Observation, w want) string {
	c, ok := find(o, w.check)
	switch {
	case !ok:
		return "no finding of " + w.check
	case c.Status != w.status || c.Kind != w.kind:
		return fmt.Sprintf("%s is %s %q, want %s %q", w.check, c.Status, c.Kind, w.status, w.kind)
	case w.message == "" && c.Message != "" || !strings.Contains(c.Message, w.message):
		return fmt.Sprintf("%s says %q, want %q in it", w.check, c.Message, w.message)
	default:
		return ""
	}
}

// healthy fails the test unless every check is OK.
func healthy(t testing.TB, o mpp.Observation) {
	t.Helper()
	for _, c := range o.Checks {
		if c.Status != mpp.OK || c.Message != "" {
			t.Errorf("%s is %s: %s\n%s", c.Name, c.Status, c.Message, show(o))
		}
	}
	if len(o.Checks) == 0 || !o.Answered || o.Server.ID == 0 {
		t.Errorf("not a poll of a healthy node: %s", show(o))
	}
}

// exec runs statements as root.
func exec(t testing.TB, s *sandbox.Server, statements ...string) {
	t.Helper()
	for _, text := range statements {
		if _, err := s.Root().ExecContext(sandboxtest.Context(t), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

func port(t testing.TB, address string) uint16 {
	t.Helper()
	_, text, err := net.SplitHostPort(address)
	if err != nil {
		t.Fatal(err)
	}
	n, err := strconv.ParseUint(text, 10, 16)
	if err != nil {
		t.Fatal(err)
	}
	return uint16(n)
}

func splitAddress(address string) (host, port string, err error) { return net.SplitHostPort(address) }
