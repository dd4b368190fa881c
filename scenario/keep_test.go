package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	"mpp"
	"mpp/publish/api/client"
	"mpp/sandbox"
	"mpp/sandbox/lab"
)

// keepTable is part B as far as the lab is needed for it: no failover.
func keepTable() []scenario {
	return []scenario{
		{
			id: "B1", what: "only the manager is cut off from the ACTIVE node; replicas still receive, for 12 s",
			expected: "unreachable from here, alive by replicas; no failover", act: cutFromManager,
		},
		{
			id: "B2", what: "the manager is cut off from everything for 12 s", expected: "pool FAIL, nothing started, nothing promoted when it heals", act: managerCut,
		},
		{
			id: "B3", what: "30 % packet loss and 200 ms delay on the manager's link for 40 s", expected: "no failover, no flapping of states", act: badLink,
			setup: setup{end: "# a lab of its own: for minutes MPP knows that this network is slow"},
		},
		{
			id: "B4", what: "too many connections (1040)", expected: "alive, CRITICAL, the reason named; no failover", act: tooMany,
		},
		{
			id: "B7", what: "the manager frozen for 12 s, then released", expected: "no failover out of its own sleep", act: managerFrozen,
		},
	}
}

// socketClient asks over a unix socket.
func socketClient(socket string) *http.Client {
	return &http.Client{Timeout: time.Second, Transport: &http.Transport{
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", socket)
		},
	}}
}

// stays looks for as long as told that the role moves nowhere: no operation that moves it, one
// writer, the client goes on.
func (r *run) stays(ctx context.Context, lasts time.Duration) error {
	until := time.Now().Add(lasts)
	var wrong error
	err := sandbox.Eventually(ctx, 100*time.Millisecond, func(ctx context.Context) error {
		if wrong = r.moves(ctx); wrong != nil || time.Now().After(until) {
			return nil
		}
		return errors.New("not over yet")
	})
	return errors.Join(err, wrong)
}

// moves says which operation moves the role.
func (r *run) moves(ctx context.Context) error {
	ops, err := r.operations(ctx)
	if err != nil {
		return nil //nolint:nilerr // it may be frozen
	}
	for i := range ops {
		switch ops[i].Kind {
		case mpp.OpFailover, mpp.OpSwitchover:
			return fmt.Errorf("operation %d, a %s, was started: %s", ops[i].ID, ops[i].Kind, ops[i].Reason)
		default:
		}
	}
	return nil
}

// kept judges at the end that nothing has happened: same writer, no write lost or refused.
func (r *run) kept(ctx context.Context, old *lab.Host) error {
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	if r.old != old {
		return fmt.Errorf("the role went from %s to %s", old.Name, r.old.Name)
	}
	if err := r.moves(ctx); err != nil {
		return err
	}
	if err := r.unnoticed(r.fault); err != nil {
		return err
	}
	return r.account(ctx, false)
}

// unnoticed says whether the client has noticed anything since a moment: a write or connect that
// failed, or a gap that no busy machine explains.
func (r *run) unnoticed(since time.Time) error {
	const busy = time.Second
	for _, o := range r.writer.Record().Outages {
		if o.End.After(since) && (len(o.Errors) > 0 || time.Duration(o.Length) > busy) {
			return fmt.Errorf("the client had no writer for %s: %v", o.Length, o.Errors)
		}
	}
	return nil
}

// problem waits until the pool shows a problem.
func (r *run) problem(ctx context.Context, code string) error {
	return await(ctx, takeOverLimit, "the problem "+code+" is shown", func(ctx context.Context) error {
		v, err := r.api.Pool(ctx, r.pool.Name)
		if err != nil {
			return err
		}
		var codes []string
		for _, p := range v.Problems {
			if p.Code == code {
				return nil
			}
			codes = append(codes, p.Code)
		}
		return fmt.Errorf("there are %q", codes)
	})
}

func cutFromManager(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	old := r.old
	r.fault = time.Now()
	if err := old.CutFrom(ctx, r.lab.Manager()); err != nil {
		return err
	}
	if err := r.problem(ctx, "active-unreachable"); err != nil {
		return err
	}
	if err := r.stays(ctx, 12*time.Second); err != nil {
		return err
	}
	if err := old.Heal(ctx); err != nil {
		return err
	}
	return r.kept(ctx, old)
}

func managerCut(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	old := r.old
	r.fault = time.Now()
	if err := r.lab.Manager().Cut(); err != nil {
		return err
	}
	err := await(ctx, takeOverLimit, "the pool's status is FAIL", func(ctx context.Context) error {
		v, err := r.api.Pool(ctx, r.pool.Name)
		if err == nil && v.Status != mpp.Fail {
			err = fmt.Errorf("it is %s", v.Status)
		}
		return err
	})
	if err != nil {
		return err
	}
	if err := r.stays(ctx, 12*time.Second); err != nil {
		return err
	}
	if err := r.lab.Manager().Heal(ctx); err != nil {
		return err
	}
	return r.kept(ctx, old)
}

func badLink(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	old := r.old
	r.fault = time.Now()
	if err := r.lab.Manager().SlowDown(lab.Slow{Delay: 200 * time.Millisecond, Loss: 0.3}); err != nil {
		return err
	}
	if err := r.stays(ctx, 40*time.Second); err != nil {
		return err
	}
	if err := r.lab.Manager().Heal(ctx); err != nil {
		return err
	}
	events, err := r.api.Events(ctx, client.EventQuery{Pool: r.pool.Name, Since: r.fault})
	if err != nil {
		return err
	}
	failed := map[string]int{}
	for _, e := range events {
		if e.Kind == mpp.EventState && e.From == string(mpp.Active) {
			return fmt.Errorf("the ACTIVE node lost its state: %s", e.Text)
		}
		if e.Kind == mpp.EventState && strings.HasPrefix(e.To, "FAIL") {
			failed[e.Node]++
		}
	}
	for node, n := range failed {
		if n > 1 {
			return fmt.Errorf("the state of %s flaps: it became FAIL %d times", node, n)
		}
		r.say("a replica that missed four polls in a row was FAIL once, until mpp recover")
	}
	if err := r.recoverWell(ctx); err != nil {
		return err
	}
	return r.kept(ctx, old)
}

func tooMany(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	old := r.old
	r.fault = time.Now()
	if err := runSQL(ctx, old, "SET GLOBAL max_connections = 10"); err != nil {
		return err
	}
	var held []net.Conn
	defer func() {
		for _, c := range held {
			_ = c.Close()
		}
	}()
	fill := func() error {
		for range 4 {
			c, err := r.lab.Clients()[1].Dial(ctx, "tcp", old.Server().Address())
			if err != nil {
				return err
			}
			held = append(held, c)
		}
		return nil
	}
	err := await(ctx, takeOverLimit, "mpp names the reason", func(ctx context.Context) error {
		if err := fill(); err != nil {
			return err
		}
		n, err := r.api.Node(ctx, old.Server().Address())
		if err != nil {
			return err
		}
		if n.Status < mpp.Critical || !strings.Contains(n.Message, "connections") {
			return fmt.Errorf("%s is %s: %s", old.Name, n.Status, n.Message)
		}
		return nil
	})
	if err == nil {
		err = r.stays(ctx, 5*time.Second)
	}
	for _, c := range held {
		_ = c.Close()
	}
	held = nil
	if err := errors.Join(err, runSQL(ctx, old, "SET GLOBAL max_connections = 151")); err != nil {
		return err
	}
	return r.kept(ctx, old)
}

func managerFrozen(ctx context.Context, r *run) error {
	if err := r.begin(ctx); err != nil {
		return err
	}
	old := r.old
	r.fault = time.Now()
	if err := r.lab.SignalMppd(syscall.SIGSTOP); err != nil {
		return err
	}
	until := time.Now().Add(12 * time.Second)
	err := sandbox.Eventually(ctx, 100*time.Millisecond, func(context.Context) error {
		if time.Now().Before(until) {
			return errors.New("it sleeps")
		}
		return nil
	})
	if err := errors.Join(err, r.lab.SignalMppd(syscall.SIGCONT)); err != nil {
		return err
	}
	if err := r.stays(ctx, 5*time.Second); err != nil {
		return err
	}
	return r.kept(ctx, old)
}
