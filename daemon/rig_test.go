package daemon_test

import (
	"bytes"
	"context"
	"encoding/json"
	"fmt"
	"io"
	"net"
	"net/http"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"mpp"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// mppd is the daemon's program, built once for all tests.
var mppd string

func TestMain(m *testing.M) {
	dir, err := os.MkdirTemp("", "mppd-test-")
	if err != nil {
		fmt.Fprintln(os.Stderr, err)
		os.Exit(1)
	}
	mppd = filepath.Join(dir, "mppd")
	args := append([]string{"build"}, raceFlag()...)
	if out, err := exec.Command("go", append(args, "-o", mppd, "mpp/cmd/mppd")...).CombinedOutput(); err != nil {
		fmt.Fprintf(os.Stderr, "build mppd: %v\n%s", err, out)
		os.Exit(1)
	}
	code := m.Run()
	_ = os.RemoveAll(dir)
	os.Exit(code)
}

// patience bounds every wait of these tests; nothing is proven by how long a wait took.
const patience = 30 * time.Second

// rig is one mppd with its configuration, watching a real pool.
type rig struct {
	t      *testing.T
	dir    string
	pool   *sandbox.Pool
	extra  string // put before the pools in the configuration
	keys   string // put into the pool
	cmd    *exec.Cmd
	exited chan struct{}
	http   *http.Client
}

// newRig starts a pool of three real MariaDB servers and an mppd that watches it.
func newRig(t *testing.T, change func(*rig, *sandbox.PoolOptions)) *rig {
	t.Helper()
	t.Parallel()
	r := &rig{t: t, dir: t.TempDir()}
	o := sandbox.PoolOptions{Base: sandboxtest.Base(t, sandbox.MariaDB1011)}
	if change != nil {
		change(r, &o)
	}
	r.pool = sandboxtest.StartPool(t, o)
	r.http = &http.Client{Timeout: 5 * time.Second, Transport: &http.Transport{
		DisableKeepAlives: true,
		DialContext: func(ctx context.Context, _, _ string) (net.Conn, error) {
			return (&net.Dialer{}).DialContext(ctx, "unix", r.socket())
		},
	}}
	r.writePassword(r.pool.Monitor.Password)
	r.writeConfig(r.addresses()...)
	t.Cleanup(func() {
		r.kill()
		if t.Failed() {
			log, _ := os.ReadFile(r.logFile())
			t.Logf("the log of mppd:\n%s", tail(log))
		}
	})
	return r
}

func tail(b []byte) []byte {
	const most = 6000
	return b[max(0, len(b)-most):]
}

func (r *rig) socket() string     { return filepath.Join(r.dir, "run", "mppd.sock") }
func (r *rig) configFile() string { return filepath.Join(r.dir, "mpp.toml") }
func (r *rig) stateDir() string   { return filepath.Join(r.dir, "state") }
func (r *rig) logFile() string    { return filepath.Join(r.dir, "mppd.log") }

func (r *rig) addresses() []string {
	var all []string
	for _, s := range r.pool.Servers {
		all = append(all, s.Address())
	}
	return all
}

func (r *rig) writePassword(password string) {
	r.t.Helper()
	if err := os.WriteFile(filepath.Join(r.dir, "password"), []byte(password+"\n"), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// writeConfig writes a configuration with one pool of these nodes; the first is the PRIMARY.
func (r *rig) writeConfig(nodes ...string) {
	r.t.Helper()
	var b strings.Builder
	fmt.Fprintf(&b, "state_dir = %q\nrun_dir = %q\n%s\n[[pool]]\nname = \"p\"\n%s\n[pool.account]\nuser = \"mpp\"\npassword_file = %q\n",
		r.stateDir(), filepath.Join(r.dir, "run"), r.extra, r.keys, filepath.Join(r.dir, "password"))
	for i, address := range nodes {
		kind := "SECONDARY"
		if i == 0 {
			kind = "PRIMARY"
		}
		fmt.Fprintf(&b, "[[pool.node]]\naddress = %q\ntype = %q\n", address, kind)
	}
	if err := os.WriteFile(r.configFile(), []byte(b.String()), 0o600); err != nil {
		r.t.Fatal(err)
	}
}

// start starts mppd.
func (r *rig) start() {
	r.t.Helper()
	log, err := os.OpenFile(r.logFile(), os.O_CREATE|os.O_APPEND|os.O_WRONLY, 0o600)
	if err != nil {
		r.t.Fatal(err)
	}
	defer log.Close()
	cmd := exec.Command(mppd, "-config", r.configFile())
	cmd.Stdout, cmd.Stderr = log, log
	if err := cmd.Start(); err != nil {
		r.t.Fatal(err)
	}
	exited := make(chan struct{})
	go func() { _ = cmd.Wait(); close(exited) }()
	r.cmd, r.exited = cmd, exited
}

// kill ends mppd with SIGKILL, if it runs.
func (r *rig) kill() {
	if r.cmd == nil {
		return
	}
	_ = r.cmd.Process.Signal(syscall.SIGCONT)
	_ = r.cmd.Process.Kill()
	<-r.exited
	r.cmd = nil
}

func (r *rig) signal(s syscall.Signal) {
	r.t.Helper()
	if err := r.cmd.Process.Signal(s); err != nil {
		r.t.Fatal(err)
	}
}

// get reads path from the API into v; any status but 200 is an error.
func (r *rig) get(path string, v any) error {
	response, err := r.http.Get("http://mppd" + path)
	if err != nil {
		return err
	}
	defer response.Body.Close()
	body, err := io.ReadAll(response.Body)
	if err != nil {
		return err
	}
	if response.StatusCode != http.StatusOK {
		return fmt.Errorf("%s: %s: %s", path, response.Status, body)
	}
	return json.Unmarshal(body, v)
}

// answer asks the load balancer's question.
func (r *rig) answer(role, node string) (status int, body string) {
	r.t.Helper()
	response, err := r.http.Get("http://mppd/v1/check/" + role + "/" + node)
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	text, err := io.ReadAll(response.Body)
	if err != nil {
		r.t.Fatal(err)
	}
	return response.StatusCode, strings.TrimSpace(string(text))
}

func (r *rig) view() (*mpp.View, error) {
	var v mpp.View
	if err := r.get("/v1/pools", &v); err != nil {
		return nil, err
	}
	return &v, nil
}

func (r *rig) events() []mpp.Event {
	r.t.Helper()
	var list struct{ Events []mpp.Event }
	if err := r.get("/v1/events?limit=1000", &list); err != nil {
		r.t.Fatal(err)
	}
	return list.Events
}

// do posts a command and returns its result, done or refused.
func (r *rig) do(c mpp.Command) mpp.Result {
	r.t.Helper()
	body, err := json.Marshal(c)
	if err != nil {
		r.t.Fatal(err)
	}
	response, err := r.http.Post("http://mppd/v1/pools/p/commands", "application/json", bytes.NewReader(body))
	if err != nil {
		r.t.Fatal(err)
	}
	defer response.Body.Close()
	var result mpp.Result
	if err := json.NewDecoder(response.Body).Decode(&result); err != nil {
		r.t.Fatalf("%s %s: %s: %v", c.Verb, c.Node, response.Status, err)
	}
	return result
}

// eventually waits until cond holds for the view.
func (r *rig) eventually(what string, cond func(*mpp.View) error) *mpp.View {
	r.t.Helper()
	ctx, cancel := context.WithTimeout(r.t.Context(), patience)
	defer cancel()
	var last *mpp.View
	err := sandbox.Eventually(ctx, 10*time.Millisecond, func(context.Context) error {
		v, err := r.view()
		if err != nil {
			return err
		}
		last = v
		return cond(v)
	})
	if err != nil {
		r.t.Fatalf("%s: %v", what, err)
	}
	return last
}

// states waits until the nodes, in pool order, are so: "ACTIVE STANDBY FAIL/OFFLINE".
func (r *rig) states(want string) *mpp.View {
	r.t.Helper()
	return r.eventually("states "+want, func(v *mpp.View) error {
		if !v.Ready {
			return fmt.Errorf("not ready")
		}
		if got := statesOf(&v.Pools[0]); got != want {
			return fmt.Errorf("they are %s", got)
		}
		return nil
	})
}

func statesOf(p *mpp.PoolView) string {
	var all []string
	for _, n := range p.Nodes {
		s := string(n.State)
		if n.Reason != "" {
			s += "/" + string(n.Reason)
		}
		all = append(all, s)
	}
	return strings.Join(all, " ")
}

// message waits until node number i has a status and a message with this text.
func (r *rig) message(i int, status mpp.Status, text string) {
	r.t.Helper()
	r.eventually(fmt.Sprintf("node %d %s with %q", i, status, text), func(v *mpp.View) error {
		n := v.Pools[0].Nodes[i]
		if n.Status != status || !strings.Contains(n.Message, text) {
			return fmt.Errorf("it is %s %s with %q", n.State, n.Status, n.Message)
		}
		return nil
	})
}

// polls waits until every node was polled n more times, or is in the slow lane.
func (r *rig) polls(n int) {
	r.t.Helper()
	for range n {
		start := r.eventually("a view", func(*mpp.View) error { return nil })
		r.eventually("a poll of every node", func(v *mpp.View) error {
			for i, node := range v.Pools[0].Nodes {
				if node.Lane != mpp.LaneSlow && !node.LastPoll.After(start.Pools[0].Nodes[i].LastPoll) {
					return fmt.Errorf("%s was not polled", node.Address)
				}
			}
			return nil
		})
	}
}

// sql runs a statement as root on server i.
func (r *rig) sql(i int, statement string) {
	r.t.Helper()
	if _, err := r.pool.Servers[i].Root().ExecContext(r.t.Context(), statement); err != nil {
		r.t.Fatalf("%s on %s: %v", statement, r.pool.Servers[i].Address(), err)
	}
}
