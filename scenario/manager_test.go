package scenario_test

import (
	"context"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"strings"
	"time"

	"mpp"
	"mpp/publish/api/client"
	"mpp/sandbox/process"
)

// managerTable is part F as far as the lab is needed for it: the manager itself.
func managerTable() []scenario {
	return []scenario{
		{
			id: "F1", fast: true, measures: "outage by the second manager's failover", what: "a second manager on another host, with a state of its own; then the first is killed, and then the server",
			expected: "the second only watches and names the first; takes over when that one has gone",
			fresh:    true, act: secondManager,
		},
	}
}

// second is another mppd for the lab's pool.
type second struct {
	process *process.Process
	api     *client.Client
	log     string
}

// startSecond starts another mppd on the second client's host: the same pool, another state.
func (r *run) startSecond(ctx context.Context) (*second, error) {
	dir := filepath.Join(r.lab.Dir(), "second")
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, err
	}
	text, err := os.ReadFile(r.lab.ConfigFile())
	if err != nil {
		return nil, err
	}
	own := strings.NewReplacer(
		filepath.Join(r.lab.Dir(), "state")+`"`, filepath.Join(dir, "state")+`"`,
		filepath.Join(r.lab.Dir(), "run")+`"`, filepath.Join(dir, "run")+`"`).Replace(string(text))
	path := filepath.Join(dir, "mpp.toml")
	if err := os.WriteFile(path, []byte(own), 0o600); err != nil {
		return nil, err
	}
	log, err := os.OpenFile(filepath.Join(dir, "mppd.log"), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, err
	}
	defer log.Close()
	cmd := r.lab.Clients()[1].Command(context.WithoutCancel(ctx), r.mppd, "-config", path)
	cmd.Stdout, cmd.Stderr, cmd.Dir = log, log, "/"
	s := &second{log: log.Name()}
	if s.api, err = client.New(client.Options{Socket: filepath.Join(dir, "run", "mppd.sock")}); err != nil {
		return nil, err
	}
	s.process, err = process.Start(cmd, false)
	return s, err
}

// end kills it, and adds the end of its log to what went wrong.
func (s *second) end(err error) error {
	if s.process != nil {
		err = errors.Join(err, s.process.Kill())
	}
	s.api.Close()
	if err == nil {
		return nil
	}
	text, read := os.ReadFile(s.log)
	return errors.Join(fmt.Errorf("%w; the second manager's log:\n%s", err, text), read)
}

// rivals waits until it shows, or does not show, that another manages the pool.
func (r *run) rivals(ctx context.Context, s *second, shown bool) (text string, err error) {
	err = await(ctx, readyLimit, fmt.Sprintf("the second manager says that another manages the pool: %v", shown), func(ctx context.Context) error {
		v, err := s.api.Pool(ctx, r.pool.Name)
		if err != nil {
			return err
		}
		text = ""
		for _, p := range v.Problems {
			if p.Code == "managed-by-another" {
				text = p.Text
			}
		}
		if (text != "") != shown || v.Active == "" {
			return fmt.Errorf("ACTIVE is %q, problems %v", v.Active, v.Problems)
		}
		return nil
	})
	return text, err
}

func secondManager(ctx context.Context, r *run) (err error) {
	if err := r.begin(ctx); err != nil {
		return err
	}
	s, err := r.startSecond(ctx)
	if err != nil {
		return err
	}
	defer func() { err = s.end(err) }()
	text, err := r.rivals(ctx, s, true)
	if err != nil {
		return err
	}
	if !strings.Contains(text, r.lab.Manager().Address.String()) {
		return fmt.Errorf("it does not name the first, %s: %s", r.lab.Manager().Address, text)
	}
	for _, verb := range []mpp.Verb{mpp.VerbSwitchover, mpp.VerbFailover} {
		if result, err := s.api.Do(ctx, r.pool.Name, mpp.Command{Verb: verb}); result.Done || !strings.Contains(fmt.Sprint(result.Refused, err), "another MPP") {
			return fmt.Errorf("it takes the command %s: %+v, %w", verb, result, err)
		}
	}

	// The first goes on as if it were alone.
	old := r.old
	r.fault = time.Now()
	if err := old.Kill(); err != nil {
		return err
	}
	if err := r.takenOver(ctx, old, takeOverLimit); err != nil {
		return err
	}
	if err := r.failedOver(ctx, old); err != nil {
		return err
	}
	if err := r.restore(ctx); err != nil {
		return err
	}
	if err := r.well(ctx, readyLimit); err != nil {
		return err
	}
	if ops, err := s.api.Operations(ctx, r.pool.Name, 0); err != nil || len(ops) > 0 {
		return fmt.Errorf("the second manager did something: %v, %w", ops, err)
	}

	// When that has gone, the second takes its place, and is as good.
	if err := r.lab.KillMppd(); err != nil {
		return err
	}
	killed := time.Now()
	if _, err := r.rivals(ctx, s, false); err != nil {
		return err
	}
	r.say(fmt.Sprintf("the second took over %s after the first was killed", time.Since(killed).Round(10*time.Millisecond)))
	if err := await(ctx, readyLimit, "the second manager is ready to fail over", func(ctx context.Context) error {
		ready, err := s.api.Readiness(ctx, r.pool.Name)
		if err == nil && !ready.Ready {
			err = errors.New(ready.Summary)
		}
		return err
	}); err != nil {
		return err
	}
	r.fault = time.Now()
	if err := r.old.Kill(); err != nil {
		return err
	}
	if err := r.takenOver(ctx, r.old, takeOverLimit); err != nil {
		return err
	}
	ops, err := s.api.Operations(ctx, r.pool.Name, 0)
	if err != nil {
		return err
	}
	for i := range ops {
		if ops[i].Kind == mpp.OpFailover && ops[i].Old == r.old.Server().Address() {
			return nil
		}
	}
	return fmt.Errorf("the second manager has no failover of %s among %+v", r.old.Name, ops)
}
