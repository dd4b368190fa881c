// Package labtest gives tests a lab that is gone when the test ends, passed or failed.
//
// A test that cannot have a lab on this machine is skipped, loudly: it needs root and
// network namespaces. All functions block until the lab is up.
package labtest

import (
	"context"
	"errors"
	"fmt"
	"os"
	"testing"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/lab"
	"mpp/sandbox/sandboxtest"
)

// closeLimit bounds the end of a lab; killing and removing take a fraction of a second.
const closeLimit = time.Minute

// Need skips the test where no lab is possible.
func Need(t testing.TB) {
	t.Helper()
	err := lab.Possible()
	if err == nil {
		return
	}
	if !errors.Is(err, lab.ErrNotPossible) {
		t.Fatal(err)
	}
	fmt.Fprintf(os.Stderr, "\n*** %s: NOT TESTED ***\n%v\n\n", t.Name(), err)
	t.Skip(err)
}

// Up makes a lab and closes it when the test ends. If the test failed by then, the ends
// of the logs of mppd and of the servers are shown.
func Up(t testing.TB, o lab.Options) *lab.Lab {
	t.Helper()
	Need(t)
	if o.Base.Server == "" {
		if o.Flavour == "" {
			o.Flavour = sandbox.MariaDB1011
		}
		o.Base = sandboxtest.Base(t, o.Flavour)
	}
	l, err := lab.Up(sandboxtest.Context(t), o)
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { finish(t, l) })
	return l
}

func finish(t testing.TB, l *lab.Lab) {
	if t.Failed() {
		if l.Mppd() != nil {
			t.Logf("the end of mppd's log:\n%s", l.MppdLog())
		}
		for _, h := range l.Hosts {
			if s := h.Server(); s != nil {
				t.Logf("the end of the log of %s:\n%s", h.Name, s.ErrorLogTail())
			}
		}
	}
	ctx, cancel := context.WithTimeout(context.Background(), closeLimit)
	defer cancel()
	if err := l.Close(ctx); err != nil {
		t.Error(err)
	}
}
