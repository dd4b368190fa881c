// Package sandboxtest gives tests real servers that are gone when the test ends,
// passed or failed.
//
// A test whose server version cannot be had on this machine fails, and says so
// loudly; with MPP_ALLOW_MISSING_SERVERS=1 in the environment it is skipped
// instead, as loudly. All functions block until the servers answer.
package sandboxtest

import (
	"context"
	"fmt"
	"os"
	"testing"
	"time"

	"mpp/sandbox"
)

// Timeout bounds what one test may take for its servers, fetching them included.
const Timeout = 3 * time.Minute

// Context returns a context that ends with the test, and after Timeout at the
// latest.
func Context(t testing.TB) context.Context {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), Timeout)
	t.Cleanup(cancel)
	return ctx
}

// Base finds or fetches a server of the flavour.
func Base(t testing.TB, flavour sandbox.Flavour) sandbox.Base {
	t.Helper()
	base, err := sandbox.Finder{Log: os.Stderr}.Find(Context(t), flavour)
	if err == nil {
		return base
	}
	fmt.Fprintf(os.Stderr, "\n*** %s: NOT TESTED WITH %s ***\n%v\n\n", t.Name(), flavour, err)
	if os.Getenv("MPP_ALLOW_MISSING_SERVERS") == "1" {
		t.Skipf("no server %s, and MPP_ALLOW_MISSING_SERVERS=1", flavour)
	}
	t.Fatalf("no server %s; set MPP_ALLOW_MISSING_SERVERS=1 to skip", flavour)
	return sandbox.Base{}
}

// Start starts a server and closes it when the test ends. If the test failed by
// then, the end of the server's error log is shown.
func Start(t testing.TB, o sandbox.Options) *sandbox.Server {
	t.Helper()
	s, err := sandbox.Start(Context(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finish(t, s.Close, s) })
	return s
}

// StartPool starts a pool and closes it when the test ends, as Start does.
func StartPool(t testing.TB, o sandbox.PoolOptions) *sandbox.Pool {
	t.Helper()
	p, err := sandbox.StartPool(Context(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finish(t, p.Close, p.Servers...) })
	return p
}

// finish shows the logs of a failed test's servers and closes them.
func finish(t testing.TB, closeAll func() error, servers ...*sandbox.Server) {
	if t.Failed() {
		for _, s := range servers {
			t.Logf("error log of %s ends with:\n%s", s.Name(), s.ErrorLogTail())
		}
	}
	if err := closeAll(); err != nil {
		t.Error(err)
	}
}
