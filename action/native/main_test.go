package native

import (
	"context"
	"fmt"
	"os"
	"sync"
	"testing"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// pools are shared by the tests: a test that leaves a pool as it found it spares the next one the
// starting of servers.
var pools struct {
	sync.Mutex
	m map[sandbox.Flavour]*world
}

func TestMain(m *testing.M) {
	code := m.Run()
	for _, w := range pools.m {
		if err := w.close(); err != nil {
			fmt.Fprintln(os.Stderr, err)
			code = 1
		}
	}
	os.Exit(code)
}

// both are the products that every test runs on.
func both() []sandbox.Flavour { return []sandbox.Flavour{sandbox.MariaDB1011, sandbox.MySQL97} }

// all are those for what a promotion takes.
func all() []sandbox.Flavour {
	return []sandbox.Flavour{sandbox.MariaDB1011, sandbox.MariaDB118, sandbox.MySQL97}
}

// each runs a test on a replicated pool of three of each flavour.
func each(t *testing.T, flavours []sandbox.Flavour, test func(t *testing.T, w *world)) {
	for _, f := range flavours {
		t.Run(string(f), func(t *testing.T) {
			w := standard(t, f)
			begin := time.Now()
			test(t, w)
			if d := time.Since(begin); d > 3*time.Second {
				t.Logf("slow: %s", d.Round(time.Millisecond))
			}
			if t.Failed() {
				for _, s := range w.pool.Servers {
					t.Logf("error log of %s ends with:\n%s", s.Name(), s.ErrorLogTail())
				}
			}
		})
	}
}

// standard returns a pool whose first server is the source and writable, and whose others are
// read-only replicas in step with it: the shared one if it is still so, else a new one.
func standard(t *testing.T, f sandbox.Flavour) *world {
	t.Helper()
	pools.Lock()
	defer pools.Unlock()
	if w := pools.m[f]; w != nil {
		w.t = t
		why := w.notStandard()
		if why == nil {
			w.useRunner(Options{})
			return w
		}
		t.Logf("a new pool, because: %v", why)
		if err := w.close(); err != nil {
			t.Error(err)
		}
		delete(pools.m, f)
	}
	base := sandboxtest.Base(t, f)
	args := []string{}
	if base.MariaDB {
		args = append(args, "--gtid-strict-mode=1")
	}
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	p, err := sandbox.StartPool(ctx, sandbox.PoolOptions{Base: base, Size: 3, Args: args})
	if err != nil {
		t.Fatal(err)
	}
	w := &world{t: t, pool: p, flavour: f}
	if pools.m == nil {
		pools.m = map[sandbox.Flavour]*world{}
	}
	pools.m[f] = w
	w.root(0, "CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(2000)) ENGINE = InnoDB")
	w.inStep()
	w.useRunner(Options{})
	return w
}
