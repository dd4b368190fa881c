package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net/netip"
	"os/exec"
	"strings"
	"testing"
	"time"

	"mpp/sandbox/lab"
	"mpp/sandbox/lab/labtest"
	"mpp/sandbox/sandboxtest"
)

// written waits until so many more rows are acknowledged.
func written(t *testing.T, w *lab.Writer, more int) {
	t.Helper()
	before := w.Record().Acknowledged
	eventually(t, fmt.Sprintf("%d more rows", more), func(context.Context) error {
		if r := w.Record(); r.Acknowledged < before+more {
			return fmt.Errorf("%d rows, errors %v", r.Acknowledged-before, r.Errors)
		}
		return nil
	})
}

// promote does by hand the least that a failover does.
func promote(t *testing.T, h *lab.Host) {
	t.Helper()
	for _, statement := range []string{"STOP SLAVE", "RESET SLAVE ALL", "SET GLOBAL read_only = 0"} {
		if _, err := h.Server().Root().ExecContext(sandboxtest.Context(t), statement); err != nil {
			t.Fatal(err)
		}
	}
}

func TestWriterMeasuresTheOutageOfAFailover(t *testing.T) {
	l := labtest.Up(t, lab.Options{SemiSync: 10 * time.Second})
	told := make(chan lab.Outage, 10)
	w, err := l.Write(sandboxtest.Context(t), lab.WriteOptions{OnOutage: func(o lab.Outage) { told <- o }})
	if err != nil {
		t.Fatal(err)
	}
	written(t, w, 100)
	db1, db2 := l.Host("db1"), l.Host("db2")
	killed := time.Now()
	if err := db1.Kill(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the open outage is seen while it lasts", func(context.Context) error {
		if r := w.Record(); len(r.Outages) == 0 || !r.Outages[0].Open || r.Outages[0].Errors["connect: refused"] == 0 {
			return fmt.Errorf("%+v", r.Outages)
		}
		return nil
	})
	promote(t, db2)
	moved := moveAddress(t, l, db1, db2)
	written(t, w, 100)
	r := w.Stop()
	if len(r.Outages) != 1 {
		t.Fatalf("outages: %+v", r.Outages)
	}
	o := r.Outages[0]
	if o.Open || o.From != "db1" || o.To != "db2" || len(o.Errors) == 0 {
		t.Errorf("the outage: %+v", o)
	}
	// From outside: not before the last moment it can have begun, nor much after the move.
	const slack = 150 * time.Millisecond
	if o.Begin.After(killed.Add(slack)) || o.End.Before(moved.Add(-slack)) || o.End.After(moved.Add(slack)) {
		t.Errorf("the outage was from %s to %s; killed at %s, moved at %s", o.Begin, o.End, killed, moved)
	}
	if first := <-told; first.From != "db1" || first.Length != o.Length {
		t.Errorf("told of %+v", first)
	}
	v, err := w.Verify(sandboxtest.Context(t))
	if err != nil || v.Server != "db2" || v.Lost != 0 || r.Double != 0 {
		t.Errorf("under semi-sync: %+v, double %d, %v", v, r.Double, err)
	}
	if r.Servers["db1"] == 0 || r.Servers["db2"] == 0 || r.Servers["db1"]+r.Servers["db2"] != r.Acknowledged {
		t.Errorf("who acknowledged: %v of %d", r.Servers, r.Acknowledged)
	}
}

func TestWriterFindsWhatIsLostAndWhereItIs(t *testing.T) {
	l := labtest.Up(t, lab.Options{Nodes: 2})
	ctx := sandboxtest.Context(t)
	w, err := l.Write(ctx, lab.WriteOptions{})
	if err != nil {
		t.Fatal(err)
	}
	written(t, w, 20)
	db1, db2 := l.Host("db1"), l.Host("db2")
	if err := db2.Server().StopIOThread(ctx); err != nil {
		t.Fatal(err)
	}
	written(t, w, 50) // these reach no replica
	if err := db1.Cut(); err != nil {
		t.Fatal(err)
	}
	eventually(t, "the writer is without an answer", func(context.Context) error {
		if w.Record().Errors["write: no answer"] == 0 {
			return errors.New("not yet")
		}
		return nil
	})
	promote(t, db2)
	moveAddress(t, l, nil, db2)
	written(t, w, 20)
	w.Stop()
	v, err := w.Verify(ctx)
	if err != nil {
		t.Fatal(err)
	}
	if v.Server != "db2" || v.Lost < 50 {
		t.Fatalf("lost %d on %s", v.Lost, v.Server)
	}
	for _, m := range v.Missing {
		if m.Server != "db1" || strings.Join(m.OnlyOn, ",") != "db1" {
			t.Fatalf("a missing row: %+v", m)
		}
	}
}

func TestWriterSeesTwoServersTakeWrites(t *testing.T) {
	if _, err := exec.LookPath("arping"); err != nil {
		t.Skip("no arping")
	}
	l := labtest.Up(t, lab.Options{Nodes: 2, Clients: 2})
	w, err := l.Write(sandboxtest.Context(t), lab.WriteOptions{From: l.Clients()})
	if err != nil {
		t.Fatal(err)
	}
	written(t, w, 100)
	if r := w.Record(); r.Double != 0 {
		t.Fatalf("with one master %d rows are double", r.Double)
	}
	// The second client is on the side of db2, which is promoted with the address; nobody fences db1.
	db1, db2 := l.Host("db1"), l.Host("db2")
	if err := l.Clients()[0].CutFrom(sandboxtest.Context(t), db2); err != nil {
		t.Fatal(err)
	}
	promote(t, db2)
	if err := db2.AddAddress(netip.PrefixFrom(l.Pools[0].VIP, 32)); err != nil {
		t.Fatal(err)
	}
	if err := l.Clients()[1].CutFrom(sandboxtest.Context(t), db1); err != nil {
		t.Fatal(err)
	}
	eventually(t, "both take writes", func(ctx context.Context) error {
		// Announced again and again, as a watchdog does.
		if _, err := db2.Exec(ctx, "arping", "-q", "-c", "1", "-A", "-I", "eth0", l.Pools[0].VIP.String()); err != nil {
			return err
		}
		if r := w.Record(); r.Double < 10 {
			return fmt.Errorf("%d double of %v, errors %v", r.Double, r.Servers, r.Errors)
		}
		return nil
	})
	r := w.Stop()
	if d := r.Doubles[0]; d.Server == d.Other || d.Server == "" || d.Other == "" {
		t.Errorf("the first double row: %+v", d)
	}
}
