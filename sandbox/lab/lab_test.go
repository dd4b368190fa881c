package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/netip"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"

	"mpp/sandbox"
	"mpp/sandbox/lab"
	"mpp/sandbox/lab/labtest"
	"mpp/sandbox/sandboxtest"
)

// shortly is more than any answer in a lab takes, and less than anybody waits.
const shortly = 300 * time.Millisecond

// reach connects from a host and says in a word what came of it.
func reach(t *testing.T, from *lab.Host, to netip.Addr, port string) string {
	t.Helper()
	ctx, cancel := context.WithTimeout(t.Context(), shortly)
	defer cancel()
	conn, err := from.Dial(ctx, "tcp", net.JoinHostPort(to.String(), port))
	var network net.Error
	switch {
	case err == nil:
		_ = conn.Close()
		return "connected"
	case strings.Contains(err.Error(), "refused"):
		return "refused"
	case errors.As(err, &network) && network.Timeout():
		return "silence"
	default:
		return err.Error()
	}
}

func eventually(t *testing.T, what string, cond func(context.Context) error) {
	t.Helper()
	if err := sandbox.Eventually(sandboxtest.Context(t), 10*time.Millisecond, cond); err != nil {
		t.Fatalf("%s: %v", what, err)
	}
}

func TestEveryHostHasItsOwnServerAddressAndSshd(t *testing.T) {
	begin := time.Now()
	l := labtest.Up(t, lab.Options{})
	t.Logf("up after %s", time.Since(begin))
	ctx := sandboxtest.Context(t)
	ids := map[uint32]bool{}
	for _, h := range l.Pools[0].Hosts {
		out, err := l.Manager().Exec(ctx, "ssh", "-o", "BatchMode=yes", "-o", "UserKnownHostsFile="+l.KnownHosts(), "-o", "StrictHostKeyChecking=yes",
			"-i", l.KeyFile(), "root@"+h.Address.String(), "ip -o -4 addr show dev eth0; ls /sys/class/net")
		if err != nil || !strings.Contains(out, h.Address.String()+"/") || !strings.Contains(out, "eth0\nlo\n") {
			t.Errorf("ssh to %s: %v\n%s", h.Name, err, out)
		}
		var id uint32
		if err := h.Server().Root().QueryRowContext(ctx, "SELECT @@server_id").Scan(&id); err != nil {
			t.Error(err)
		}
		ids[id] = true
		for _, address := range []netip.Addr{h.Address, h.Address6} {
			if got := reach(t, l.Clients()[0], address, "3306"); address.IsValid() && got != "connected" {
				t.Errorf("%s at %s: %s", h.Name, address, got)
			}
		}
	}
	if diff := cmp.Diff(map[uint32]bool{1001: true, 1002: true, 1003: true}, ids); diff != "" {
		t.Errorf("server ids: %s", diff)
	}
	holders, err := l.WhoHas(l.Pools[0].VIP)
	if diff := cmp.Diff([]string{"db1"}, holders); diff != "" || err != nil {
		t.Errorf("holders of the virtual address: %v %s", err, diff)
	}
	if err := l.Pools[0].CatchUp(ctx, l.Pools[0].Servers[0]); err != nil {
		t.Error(err)
	}
}

func TestALabIsOutOfReachOfTheMachine(t *testing.T) {
	l := labtest.Up(t, lab.Options{Nodes: 1})
	ctx, cancel := context.WithTimeout(t.Context(), shortly)
	defer cancel()
	h := l.Host("db1")
	if conn, err := (&net.Dialer{}).DialContext(ctx, "tcp", net.JoinHostPort(h.Address.String(), "3306")); err == nil {
		// Some networks have somebody who answers for every address. A server says hello.
		hello := make([]byte, 100)
		_ = conn.SetReadDeadline(time.Now().Add(shortly))
		if n, err := conn.Read(hello); err == nil {
			t.Errorf("this machine reaches %s: %q", conn.RemoteAddr(), hello[:n])
		}
		_ = conn.Close()
	}
	out, err := h.Exec(t.Context(), "ip", "route")
	if err != nil || strings.Contains(out, "default") {
		t.Errorf("a host has a way out: %v\n%s", err, out)
	}
	links, err := net.Interfaces()
	if err != nil {
		t.Fatal(err)
	}
	for _, each := range links {
		if each.Name == "br0" || each.Name == "db1" {
			t.Errorf("this machine has the lab's link %s", each.Name)
		}
	}
}

func TestServersDieFreezeAndComeBackReadOnly(t *testing.T) {
	l := labtest.Up(t, lab.Options{})
	ctx := sandboxtest.Context(t)
	db1, client, vip := l.Host("db1"), l.Clients()[0], l.Pools[0].VIP
	steps := []struct {
		what   string
		do     func() error
		server string
		port   string
	}{
		{"kill", db1.Kill, lab.ServerDown, "refused"},
		{"start", func() error { return db1.Start(ctx) }, lab.ServerRunning, "connected"},
		{"freeze", db1.Freeze, lab.ServerFrozen, "connected"},
		{"thaw", db1.Thaw, lab.ServerRunning, "connected"},
		{"stop", func() error { return db1.Stop(ctx) }, lab.ServerDown, "refused"},
		{"start", func() error { return db1.Start(ctx) }, lab.ServerRunning, "connected"},
	}
	for _, step := range steps {
		if err := step.do(); err != nil {
			t.Fatal(err)
		}
		s, err := l.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		if got := s.Hosts[0].Server; got != step.server {
			t.Errorf("after %s the server is %s", step.what, got)
		}
		if got := reach(t, client, vip, "3306"); got != step.port {
			t.Errorf("after %s the port: %s", step.what, got)
		}
		if step.what == "start" && !s.Hosts[0].ReadOnly {
			t.Errorf("after %s the server takes writes", step.what)
		}
	}
	if err := db1.Start(ctx); err == nil {
		t.Error("a server that runs was started")
	}
	if err := l.Clients()[0].Kill(); !errors.Is(err, lab.ErrNoServer) {
		t.Errorf("kill a client's server: %v", err)
	}
}

func TestFullDiskHangsCommitsAndNotReads(t *testing.T) {
	l := labtest.Up(t, lab.Options{})
	ctx := sandboxtest.Context(t)
	db1 := l.Host("db1")
	if _, err := db1.Server().Root().ExecContext(ctx, "CREATE TABLE app.full (a TEXT)"); err != nil {
		t.Fatal(err)
	}
	if err := db1.Fill(); err != nil {
		t.Fatal(err)
	}
	limited, cancel := context.WithTimeout(ctx, time.Second)
	defer cancel()
	passed := 0
	for limited.Err() == nil {
		_, err := db1.Server().Root().ExecContext(limited, "INSERT INTO app.full VALUES ('"+strings.Repeat("x", 1000)+"')")
		if err != nil && limited.Err() == nil {
			t.Fatalf("a commit on a full disk failed: %v", err)
		}
		passed++
	}
	// The last block of the binary log has a little room.
	if passed > 20 {
		t.Errorf("%d commits passed on a full disk", passed)
	}
	var one int
	if err := db1.Server().Root().QueryRowContext(ctx, "SELECT 1").Scan(&one); err != nil {
		t.Errorf("a read on a full disk: %v", err)
	}
	if s, err := l.Status(ctx); err != nil || !s.Hosts[0].DiskFull {
		t.Errorf("status does not show the full disk: %v", err)
	}
	if err := db1.Empty(); err != nil {
		t.Fatal(err)
	}
	if s, err := l.Status(ctx); err != nil || s.Hosts[0].DiskFull {
		t.Errorf("status shows a full disk that has room: %v", err)
	}
}

func TestLabsStandSideBySide(t *testing.T) {
	one := labtest.Up(t, lab.Options{Nodes: 1})
	two := labtest.Up(t, lab.Options{Nodes: 1, Dir: filepath.Join(t.TempDir(), "two")})
	if one.ID() == two.ID() || one.Host("db1").Namespace() == two.Host("db1").Namespace() {
		t.Errorf("two labs share a name: %s", one.ID())
	}
	if err := one.Close(t.Context()); err != nil {
		t.Fatal(err)
	}
	if got := reach(t, two.Clients()[0], two.Pools[0].VIP, "3306"); got != "connected" {
		t.Errorf("after the other one's end: %s", got)
	}
	if _, err := lab.Up(t.Context(), lab.Options{Dir: two.Dir()}); !errors.Is(err, lab.ErrThere) {
		t.Errorf("a second lab in one folder: %v", err)
	}
}

func TestPoolsHaveAddressesAndNamesOfTheirOwn(t *testing.T) {
	l := labtest.Up(t, lab.Options{Nodes: 2, Pools: 3, Clients: 2, IPv6: true, SemiSync: 10 * time.Second})
	ctx := sandboxtest.Context(t)
	if len(l.Clients()) != 2 {
		t.Errorf("%d clients", len(l.Clients()))
	}
	for i, p := range l.Pools {
		if want := fmt.Sprintf("lab%d", i+1); p.Name != want {
			t.Errorf("pool %s, want %s", p.Name, want)
		}
		first := fmt.Sprintf("db%d-1", i+1)
		for _, vip := range []netip.Addr{p.VIP, p.VIP6} {
			holders, err := l.WhoHas(vip)
			if diff := cmp.Diff([]string{first}, holders); diff != "" || err != nil {
				t.Errorf("holders of %s: %v %s", vip, err, diff)
			}
			if got := reach(t, l.Clients()[1], vip, "3306"); got != "connected" {
				t.Errorf("%s: %s", vip, got)
			}
		}
		if err := p.CatchUp(ctx, p.Servers[0]); err != nil {
			t.Error(err)
		}
	}
}

func TestEveryFlavourReplicatesInALab(t *testing.T) {
	for _, flavour := range []sandbox.Flavour{sandbox.MariaDB118, sandbox.MySQL97} {
		t.Run(string(flavour), func(t *testing.T) {
			begin := time.Now()
			l := labtest.Up(t, lab.Options{Flavour: flavour, SemiSync: 10 * time.Second})
			t.Logf("up after %s", time.Since(begin))
			w, err := l.Write(sandboxtest.Context(t), lab.WriteOptions{})
			if err != nil {
				t.Fatal(err)
			}
			eventually(t, "some rows are written", func(context.Context) error {
				if n := w.Record().Acknowledged; n < 50 {
					return fmt.Errorf("%d rows", n)
				}
				return nil
			})
			r := w.Stop()
			v, err := w.Verify(sandboxtest.Context(t))
			if err != nil || v.Lost != 0 || len(r.Errors) != 0 {
				t.Errorf("%d rows, %d lost, errors %v, %v", r.Acknowledged, v.Lost, r.Errors, err)
			}
		})
	}
}
