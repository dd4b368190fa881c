package perform

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"io"
	"strings"
	"time"

	"mpp/config"
	"mpp/crew"
	"mpp/mha/hook"
)

// secondaryLimit bounds the second look: MHA wants its result when it has pinged three more times,
// which are 3 s at the least.
const secondaryLimit = 2500 * time.Millisecond

// Secondary is one call of the program that MHA asks whether others reach the master: MPP's replicas
// are asked to connect to it anew. It returns the exit code.
func Secondary(ctx context.Context, sys System, args []string) int {
	log := &journal{w: sys.Out, name: "secondary_check"}
	q := hook.ParseQuestion(args)
	for _, note := range q.Notes {
		log.say(info, "%s", note)
	}
	c, master, err := witnesses(&q)
	if err != nil {
		log.say(failed, "%v: no failover", err)
		return hook.ExitBlind
	}
	m, err := hire(c, &hook.Request{}, log)
	if err != nil {
		log.say(failed, "%v: no failover", err)
		return hook.ExitBlind
	}
	defer func() { _ = m.close() }()
	var nodes []string
	for _, n := range c.pool.Nodes {
		nodes = append(nodes, n.Address)
	}
	v := hook.Answer(master, m.perform(ctx, hook.Ask(master, nodes, secondaryLimit)))
	log.say(info, "exit code %d: %s", v.Exit, v.Text)
	return v.Exit
}

// witnesses are the nodes of the pool, with the master where it is known.
func witnesses(q *hook.Question) (c cast, master string, err error) {
	p, err := poolNamed(&q.Options, &q.Master)
	if err != nil {
		return c, "", err
	}
	c.pool = crew.Of(p)
	for i := range c.pool.Nodes { // nothing is done on their hosts
		c.pool.Nodes[i].Local, c.pool.Nodes[i].SSH.KeyFile = false, ""
	}
	c.pool.VIP.Kind = ""
	if q.Master.Known() {
		master = nodeOf(p, &q.Master)
	}
	return c, master, nil
}

// poolNamed is the pool that has a server, or that is named, or the only one.
func poolNamed(o *hook.Options, s *hook.Server) (*config.Pool, error) {
	if o.Helper != "" {
		return nil, errors.New("MHA Helper's configuration has no accounts: give --config=FILE of MPP")
	}
	file := cmp.Or(o.Config, DefaultConfig)
	all, err := config.Load(file)
	if err != nil {
		return nil, fmt.Errorf("read configuration: %w", err)
	}
	if s.Known() {
		p, err := poolOf(all, &hook.Request{Orig: *s, Options: *o})
		if err != nil {
			return nil, fmt.Errorf("%w (in %s)", err, file)
		}
		return p, nil
	}
	var found *config.Pool
	for i := range all.Pools {
		if p := &all.Pools[i]; p.Name == o.Pool || o.Pool == "" && len(all.Pools) == 1 {
			found = p
		}
	}
	if found == nil {
		return nil, fmt.Errorf("%s has no pool %q: say which by --pool=NAME", file, o.Pool)
	}
	return found, nil
}

// Load is one call of init_conf_load_script: it prints the accounts of a pool as MHA's settings, so that
// MHA's configuration need not hold passwords. What cannot be handed over goes to bad.
func Load(sys System, bad io.Writer, args []string) int {
	log := &journal{w: bad, name: "init_conf_load"}
	q := hook.ParseQuestion(args)
	p, err := poolNamed(&q.Options, &hook.Server{})
	if err != nil {
		log.say(failed, "%v", err)
		return hook.ExitFailed
	}
	account := p.Failover.Account
	if account.User == "" {
		account = p.Account
	}
	code := hook.ExitDone
	for _, one := range []struct{ name, value string }{
		{"user", account.User},
		{"password", account.Password.Reveal()},
		{"repl_user", p.Failover.Replication.User},
		{"repl_password", p.Failover.Replication.Password.Reveal()},
	} {
		switch {
		case one.value == "":
		case strings.ContainsAny(one.value, "=\n\r"):
			log.say(failed, "%s of pool %s has a = or a line break in it: MHA would take a part of it only", one.name, p.Name)
			code = hook.ExitFailed
		default:
			_, _ = fmt.Fprintf(sys.Out, "%s=%s\n", one.name, one.value)
		}
	}
	return code
}
