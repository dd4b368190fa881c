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

func TestLinksFailInSilenceAndHeal(t *testing.T) {
	l := labtest.Up(t, lab.Options{})
	ctx := sandboxtest.Context(t)
	db1, db2, manager, client := l.Host("db1"), l.Host("db2"), l.Manager(), l.Clients()[0]
	vip := l.Pools[0].VIP
	want := func(what string, from *lab.Host, result string) {
		t.Helper()
		if got := reach(t, from, vip, "3306"); got != result {
			t.Errorf("%s: the virtual address, seen from %s: %s, want %s", what, from, got, result)
		}
	}
	must := func(err error) {
		t.Helper()
		if err != nil {
			t.Fatal(err)
		}
	}
	want("at first", client, "connected")

	must(db1.Cut())
	want("cut", client, "silence")
	if held, err := db1.Holds(vip); !held || err != nil {
		t.Errorf("a host that is cut off lost its addresses: %v", err)
	}
	out, err := db1.Exec(ctx, "cat", "/sys/class/net/eth0/carrier")
	if err != nil || out != "1\n" {
		t.Errorf("a host that is cut off sees its link go: %q %v", out, err)
	}
	must(db1.Heal(ctx))
	want("healed", client, "connected")

	must(db1.CutFrom(ctx, manager))
	want("cut from the manager", manager, "silence")
	want("cut from the manager", client, "connected")
	if got := reach(t, manager, db2.Address, "3306"); got != "connected" {
		t.Errorf("another host, seen from the manager: %s", got)
	}
	must(db1.CutFrom(ctx, db2))
	others, err := db1.CutsFrom(ctx)
	if len(others) != 2 || err != nil {
		t.Errorf("cut from %v, %v", others, err)
	}
	must(db1.Heal(ctx))
	// It may take a second until the manager asks again who has the address.
	eventually(t, "healed again", func(context.Context) error {
		if got := reach(t, manager, vip, "3306"); got != "connected" {
			return errors.New(got)
		}
		return nil
	})
	if others, err := db2.CutsFrom(ctx); len(others) != 0 || err != nil {
		t.Errorf("after heal db2 is cut from %v, %v", others, err)
	}
}

func TestSlowLinkIsLateAndLossy(t *testing.T) {
	l := labtest.Up(t, lab.Options{})
	ctx := sandboxtest.Context(t)
	db1, client := l.Host("db1"), l.Clients()[0]
	const delay = 60 * time.Millisecond
	if err := db1.SlowDown(lab.Slow{Delay: delay}); err != nil {
		t.Fatal(err)
	}
	for range 3 {
		begin := time.Now()
		got := reach(t, client, l.Pools[0].VIP, "3306")
		if took := time.Since(begin); got != "connected" || took < delay || took > 3*delay {
			t.Errorf("over a link that is %s late: %s after %s", delay, got, took)
		}
	}
	state, slow, err := db1.Link()
	if state != lab.LinkSlow || slow != "60ms late, 0 % of it lost" || err != nil {
		t.Errorf("its link: %s (%s) %v", state, slow, err)
	}
	// Cut from one while it is slow, and slow anew: the one thing does not undo the other.
	if err := db1.CutFrom(ctx, client); err != nil {
		t.Fatal(err)
	}
	if got := reach(t, client, db1.Address, "3306"); got != "silence" {
		t.Errorf("slow and cut off: %s", got)
	}
	if err := db1.Heal(ctx); err != nil {
		t.Fatal(err)
	}
	// Both must know where the other is: a question for an address that is lost takes the pings
	// of a second with it.
	eventually(t, "no longer cut off", func(context.Context) error {
		if got := reach(t, client, db1.Address, "3306"); got != "connected" {
			return errors.New(got)
		}
		return nil
	})
	if err := db1.SlowDown(lab.Slow{Loss: 0.5}); err != nil {
		t.Fatal(err)
	}
	out, _ := client.Exec(ctx, "ping", "-q", "-c", "100", "-i", "0.002", "-W", "1", db1.Address.String())
	var sent, got int
	for line := range strings.Lines(out) {
		if _, err := fmt.Sscanf(line, "%d packets transmitted, %d received", &sent, &got); err == nil {
			break
		}
	}
	if sent != 100 || got < 25 || got > 75 {
		t.Errorf("half of it lost: %d of %d came back\n%s", got, sent, out)
	}
	if err := db1.Heal(ctx); err != nil {
		t.Fatal(err)
	}
	if state, _, err := db1.Link(); state != lab.LinkUp || err != nil {
		t.Errorf("healed: %s %v", state, err)
	}
	if got := reach(t, client, l.Pools[0].VIP, "3306"); got != "connected" {
		t.Errorf("healed: %s", got)
	}
}

// moveAddress does by hand what a failover does to the address: off one host, on the other, and announced.
func moveAddress(t *testing.T, l *lab.Lab, from, to *lab.Host) time.Time {
	t.Helper()
	vip := netip.PrefixFrom(l.Pools[0].VIP, 32)
	if from != nil {
		if err := from.RemoveAddress(vip); err != nil {
			t.Fatal(err)
		}
	}
	if err := to.AddAddress(vip); err != nil {
		t.Fatal(err)
	}
	moved := time.Now()
	if _, err := to.Exec(sandboxtest.Context(t), "arping", "-q", "-c", "1", "-A", "-I", "eth0", vip.Addr().String()); err != nil {
		t.Fatal(err)
	}
	return moved
}

func TestNeighboursFollowTheAddressThatMoved(t *testing.T) {
	if _, err := exec.LookPath("arping"); err != nil {
		t.Skip("no arping")
	}
	l := labtest.Up(t, lab.Options{Nodes: 2})
	client, vip := l.Clients()[0], l.Pools[0].VIP
	if got := reach(t, client, vip, "3306"); got != "connected" {
		t.Fatal(got)
	}
	holder := func() string {
		t.Helper()
		n, err := client.Neighbour(vip)
		if err != nil {
			t.Fatal(err)
		}
		if h := l.HostByMAC(n.MAC); h != nil {
			return h.Name
		}
		return n.MAC.String()
	}
	if got := holder(); got != "db1" {
		t.Fatalf("the client believes that %s has the address", got)
	}
	moveAddress(t, l, l.Host("db1"), l.Host("db2"))
	eventually(t, "the client follows", func(context.Context) error {
		if got := holder(); got != "db2" {
			return fmt.Errorf("it believes that %s has the address", got)
		}
		return nil
	})
}
