package perform

import (
	"context"
	"errors"
	"fmt"
	"net"
	"strings"
	"sync"
	"time"

	"mpp"
	"mpp/action"
	programs "mpp/action/hook"
	"mpp/action/native"
	"mpp/action/remote"
	"mpp/action/vip"
	"mpp/mha/hook"
)

// company carries out the steps of one call.
type company struct {
	cast   cast
	r      *hook.Request
	log    *journal
	hosts  map[string]remote.Host
	native *native.Runner // nil where there is no account
	vip    *vip.Mover
}

// hire prepares a call: it connects to nothing yet. Close it.
func hire(c cast, r *hook.Request, log *journal) (*company, error) {
	m := &company{cast: c, r: r, log: log, hosts: map[string]remote.Host{}}
	servers, address := c.pool.Native, c.pool.VIP
	address.Nodes = map[string]vip.Node{}
	address.Log = func(node, text string) { log.say(warning, "%s: %s", node, text) }
	for _, n := range c.pool.Nodes {
		h, err := action.HostOf(n)
		if err != nil {
			return nil, errors.Join(fmt.Errorf("node %s: %w", n.Address, err), m.close())
		}
		if h != nil {
			m.hosts[n.Address] = h
		}
		if n.Account.User != "" {
			servers.Nodes = append(servers.Nodes, native.Node{Address: n.Address, Account: n.Account, Host: h})
		}
		address.Nodes[n.Address] = vip.Node{Host: h, Interface: n.Interface, Name: n.SSH.Host}
	}
	var err error
	if len(servers.Nodes) > 0 {
		if m.native, err = native.New(servers); err != nil {
			return nil, errors.Join(err, m.close())
		}
	}
	if m.vip, err = vip.New(address); err != nil {
		return nil, errors.Join(err, m.close())
	}
	return m, nil
}

func (m *company) close() error {
	if m.native != nil {
		m.native.Close()
	}
	if m.vip != nil {
		m.vip.Close()
	}
	var bad []error
	for _, h := range m.hosts {
		bad = append(bad, h.Close())
	}
	return errors.Join(bad...)
}

// warm begins to connect to the hosts of a plan, which takes longer than all else.
func (m *company) warm(ctx context.Context, plan *hook.Plan) {
	for _, stage := range plan.Stages {
		for i := range stage {
			st := &stage[i]
			host := m.hosts[st.Node]
			if host == nil || st.Unless != "" {
				continue
			}
			switch st.Kind {
			case mpp.StepAddAddress, mpp.StepRemoveAddress:
				go func() { _ = host.Warm(ctx) }() // the step says what is wrong; the host's end ends it
			default:
			}
		}
	}
}

// perform runs the stages of a plan, until one has failed that must not, or ctx ends.
func (m *company) perform(ctx context.Context, plan hook.Plan) []hook.Result {
	var all []hook.Result
	for _, stage := range plan.Stages {
		now := m.stage(ctx, stage, all)
		all = append(all, now...)
		if hook.Stops(now) {
			return all
		}
	}
	return all
}

// stage runs steps at the same time.
func (m *company) stage(ctx context.Context, stage hook.Stage, before []hook.Result) []hook.Result {
	results := make([]hook.Result, len(stage))
	var all sync.WaitGroup
	for i, st := range stage {
		results[i] = hook.Result{Step: st, Skipped: hook.Skips(&st, before)}
		if results[i].Skipped {
			continue
		}
		all.Go(func() {
			results[i].StepResult = m.tried(ctx, &st)
			m.tell(&results[i])
		})
	}
	all.Wait()
	if ctx.Err() != nil { // whatever is left must not be begun
		for i := range results {
			if results[i].Failed() {
				results[i].Step.On, results[i].Text = hook.Ends, "it was interrupted"
			}
		}
	}
	return results
}

// tried runs a step, again if need be and if it may be.
func (m *company) tried(ctx context.Context, st *hook.Step) mpp.StepResult {
	begin := time.Now()
	var r mpp.StepResult
	for n := 0; n == 0 || n < st.Tries && !r.Done && ctx.Err() == nil; n++ {
		limited, cancel := context.WithTimeout(ctx, st.Limit)
		r = m.do(limited, st)
		cancel()
	}
	r.At, r.Took = begin, time.Since(begin)
	return r
}

func (m *company) tell(r *hook.Result) {
	level, how := info, ""
	switch {
	case r.Done:
	case r.Step.On == hook.Ends:
		level, how = failed, "failed: "
	default:
		level, how = warning, "failed: "
	}
	detail := ""
	if r.Step.Detail != "" {
		detail = " " + r.Step.Detail
	}
	m.log.say(level, "%s %s%s: %s%s (%d ms)", r.Step.Node, r.Step.Kind, detail, how, r.Text, r.Took.Milliseconds())
}

// do runs a step once.
func (m *company) do(ctx context.Context, st *hook.Step) mpp.StepResult {
	node := st.Node
	switch st.Kind {
	case hook.Look:
		return m.look(ctx, node)
	case hook.Place:
		facts, problems := m.vip.Check(ctx, node)
		if len(problems) > 0 {
			return mpp.StepResult{Text: strings.Join(problems, "; ")}
		}
		return mpp.StepResult{Done: true, Text: strings.Join(facts, "; ")}
	case hook.Probe:
		return m.probe(ctx, node)
	case hook.EndServer:
		return m.endServer(ctx, st)
	case mpp.StepRemoveAddress:
		return outcome("the address is not there", m.vip.Remove(ctx, node))
	case mpp.StepAddAddress:
		return outcome("the address is there and announced", m.vip.Add(ctx, node))
	case mpp.StepShutdown:
		return m.shutdown(ctx, st)
	default:
		if m.native == nil {
			return mpp.StepResult{Text: "there is no account to log in with"}
		}
		return m.native.Run(ctx, st.Step)
	}
}

func outcome(text string, err error) mpp.StepResult {
	if err == nil {
		return mpp.StepResult{Done: true, Text: text}
	}
	return mpp.StepResult{Text: err.Error(), Unreachable: remote.NoAnswer(err)}
}

// look looks whether the address is on a host, and on no other. Alive says that it is on the host,
// whoever else has it; Unreachable that the host did not say.
func (m *company) look(ctx context.Context, node string) mpp.StepResult {
	switch report := m.vip.Status(ctx, node); {
	case !report.Known:
		return mpp.StepResult{Text: report.Message, Unreachable: true}
	case !report.Some:
		return mpp.StepResult{Text: "the host does not have the virtual address"}
	case !report.Holds:
		return mpp.StepResult{Alive: true, Text: "the host has not all of the virtual addresses"}
	}
	r := m.probe(ctx, node)
	r.Alive = true
	if r.Done {
		r.Text = "the host has the address, and nobody else answers for it"
	}
	return r
}

// probe asks the network whether anybody else has the address.
func (m *company) probe(ctx context.Context, node string) mpp.StepResult {
	mac, found, err := m.vip.Probe(ctx, node)
	switch {
	case err != nil:
		return outcome("", err)
	case found:
		return mpp.StepResult{Text: "another host, " + mac + ", answers for the virtual address, too"}
	}
	return mpp.StepResult{Done: true, Text: "nobody else answers for the address"}
}

// shutdown runs the program that turns a host off: PROGRAM ADDRESS HOST.
func (m *company) shutdown(ctx context.Context, st *hook.Step) mpp.StepResult {
	p := m.cast.pool.Shutdown
	if st.Detail == hook.CheckOnly {
		return outcome(p.Program+" can be run", p.Check())
	}
	host, _, _ := net.SplitHostPort(st.Node)
	for _, n := range m.cast.pool.Nodes {
		if n.Address == st.Node && n.SSH.Host != "" {
			host = n.SSH.Host
		}
	}
	p.Args = []string{st.Node, host}
	err := p.Run(ctx, programs.Event{Phase: string(mpp.StepShutdown), Pool: m.cast.pool.Name, At: time.Now(), Node: st.Node, Host: host})
	return outcome("it is off", err)
}

// endServer kills a server on its host.
func (m *company) endServer(ctx context.Context, st *hook.Step) mpp.StepResult {
	h := m.hosts[st.Node]
	if h == nil {
		return mpp.StepResult{Text: "no commands can be run on its host"}
	}
	out, err := h.Run(ctx, "mpp_file="+remote.Quote(st.Detail)+"\n"+killScript)
	if err == nil && out.Exit != 0 {
		err = errors.New(out.LastLine())
	}
	return outcome(strings.TrimSpace(out.Stdout), err)
}

// killScript kills the server whose process number is in $mpp_file, and what would start it again:
// mysqld_safe, or its systemd unit. Without a pid file, no server at all may run on the host.
const killScript = `
mpp_server() { case "$(cat /proc/"$1"/comm 2>/dev/null) $(readlink /proc/"$1"/exe) $(tr '\0' ' ' </proc/"$1"/cmdline 2>/dev/null)" in *mysqld*|*mariadbd*) return 0;; esac; return 1; }
mpp_gone() { [ ! -d /proc/"$1" ] || grep -q '^State:	Z' /proc/"$1"/status 2>/dev/null; }
if [ ! -r "$mpp_file" ]; then
  for p in /proc/[0-9]*; do case "$(cat $p/comm 2>/dev/null)" in mysqld|mariadbd) echo "there is no $mpp_file, and a server runs (process ${p#/proc/})" >&2; exit 65;; esac; done
  echo "no server runs"; exit 0
fi
p=$(cat "$mpp_file"); case "$p" in ''|*[!0-9]*) echo "$mpp_file holds no process number" >&2; exit 65;; esac
mpp_gone "$p" && { echo "process $p has ended"; exit 0; }
mpp_server "$p" || { echo "process $p is no database server" >&2; exit 66; }
u=$(sed -n 's#.*/\([^/]*\.service\)$#\1#p' /proc/"$p"/cgroup 2>/dev/null | head -n 1)
s=$(sed -n 's/^PPid:[^0-9]*//p' /proc/"$p"/status)
case "$(cat /proc/"$s"/comm 2>/dev/null)" in mysqld_safe|mariadbd-safe) kill -9 "$s";; esac
kill -9 "$p"
case "$u" in mysql*|mariadb*) systemctl --no-block stop "$u" >/dev/null 2>&1;; esac
i=0; while ! mpp_gone "$p"; do i=$((i+1)); [ $i -lt 100 ] || { echo "process $p does not end" >&2; exit 67; }; sleep 0.05; done
echo "killed process $p"`
