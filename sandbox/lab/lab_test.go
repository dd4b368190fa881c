package lab_test

import (
	"context"
	"os"
	"testing"
	"time"

	"mpp/sandbox/lab"
)

func TestFirst(t *testing.T) {
	ctx, c := context.WithTimeout(t.Context(), time.Minute)
	defer c()
	b := time.Now()
	l, err := lab.Up(ctx, lab.Options{Log: os.Stderr})
	if err != nil {
		t.Fatal(err)
	}
	t.Log("up", time.Since(b))
	defer func() {
		b := time.Now()
		if err := l.Close(context.Background()); err != nil {
			t.Error(err)
		}
		t.Log("down", time.Since(b))
	}()
	c1 := l.Clients()[0]
	for range 3 {
		b = time.Now()
		conn, err := c1.Dial(ctx, "tcp", l.Pools[0].VIP.String()+":3306")
		t.Log("dial", time.Since(b), err)
		if err == nil {
			conn.Close()
		}
	}
	t.Log(l.WhoHas(l.Pools[0].VIP))
	t.Log(c1.Neighbour(l.Pools[0].VIP))
	out, err := l.Manager().Exec(ctx, "ssh", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile="+l.KnownHosts(), "-i", l.KeyFile(), "root@"+l.Host("db2").Address.String(), "ip -br addr; ls /sys/class/net; hostname")
	t.Log(out, err)
	for _, s := range l.Pools[0].Servers[1:] {
		st, err := s.ReplicaStatus(ctx)
		t.Log(st.Trouble(), err)
	}
	h := l.Host("db1")
	dial := func(what string) {
		b = time.Now()
		ctx, c := context.WithTimeout(ctx, 300*time.Millisecond)
		defer c()
		conn, err := c1.Dial(ctx, "tcp", l.Pools[0].VIP.String()+":3306")
		t.Log(what, "dial", time.Since(b), err)
		if err == nil {
			conn.Close()
		}
	}
	t.Log(h.Cut())
	dial("cut")
	t.Log(h.Heal(ctx))
	dial("healed")
	t.Log(h.CutFrom(ctx, l.Manager()))
	cf, err := h.CutsFrom(ctx)
	t.Log(cf, err)
	dial("cut from manager")
	t.Log(h.CutFrom(ctx, c1))
	dial("cut from client")
	t.Log(h.Heal(ctx))
	cf, err = h.CutsFrom(ctx)
	t.Log(cf, err)
	dial("healed")
	t.Log(h.SlowDown(lab.Slow{Delay: 100 * time.Millisecond}))
	dial("slow")
	dial("slow")
	out, err = h.Exec(ctx, "ping", "-c", "3", "-i", "0.2", c1.Address.String())
	t.Log(out, err)
	t.Log(h.Heal(ctx))
	dial("healed")
	t.Log(h.Kill())
	dial("killed")
}
