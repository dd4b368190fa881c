package lab_test

import (
	"context"
	"errors"
	"fmt"
	"net"
	"os"
	"os/exec"
	"path/filepath"
	"strings"
	"testing"

	"mpp/sandbox/lab"
	"mpp/sandbox/lab/labtest"
	"mpp/sandbox/sandboxtest"
)

// buildMppd makes mppd as a user would.
func buildMppd(t *testing.T) string {
	t.Helper()
	program := filepath.Join(t.TempDir(), "mppd")
	if out, err := exec.CommandContext(t.Context(), "go", "build", "-o", program, "mpp/cmd/mppd").CombinedOutput(); err != nil {
		t.Fatalf("build mppd: %v\n%s", err, out)
	}
	return program
}

func TestMppdRunsOnTheManagersHost(t *testing.T) {
	labtest.Need(t)
	l := labtest.Up(t, lab.Options{Nodes: 2, Mppd: buildMppd(t)})
	ctx := sandboxtest.Context(t)
	manager := l.Manager()
	want, err := manager.Exec(ctx, "readlink", "/proc/self/ns/net")
	if err != nil {
		t.Fatal(err)
	}
	at, err := os.Readlink(fmt.Sprintf("/proc/%d/ns/net", l.Mppd().ID().PID))
	if err != nil || at != strings.TrimSpace(want) {
		t.Errorf("mppd is in %s, the manager in %s, %v", at, want, err)
	}
	state := func() string {
		t.Helper()
		s, err := l.Status(ctx)
		if err != nil {
			t.Fatal(err)
		}
		for _, h := range s.Hosts {
			if h.Kind == lab.KindManager {
				return h.Server
			}
		}
		return "no manager"
	}
	first := l.Mppd().ID()
	for _, step := range []struct {
		what string
		do   func() error
		want string
	}{
		{"freeze", manager.Freeze, lab.ServerFrozen},
		{"thaw", manager.Thaw, lab.ServerRunning},
		{"kill", manager.Kill, lab.ServerDown},
		{"start", func() error { return manager.Start(ctx) }, lab.ServerRunning},
		{"stop", func() error { return manager.Stop(ctx) }, lab.ServerDown},
		{"start", func() error { return manager.Start(ctx) }, lab.ServerRunning},
	} {
		if err := step.do(); err != nil {
			t.Fatalf("%s: %v", step.what, err)
		}
		if got := state(); got != step.want {
			t.Errorf("after %s mppd is %s", step.what, got)
		}
	}
	if l.Mppd().ID() == first {
		t.Error("mppd is the same process after it was killed")
	}
	if err := manager.Start(ctx); err == nil {
		t.Error("a second mppd was started")
	}
	// It polls over the lab's network, from the manager's address.
	eventually(t, "mppd polls", func(context.Context) error {
		conn, err := net.Dial("unix", l.Socket())
		if err != nil {
			return err
		}
		_ = conn.Close()
		var n int
		row := l.Host("db1").Server().Root().QueryRowContext(ctx, "SELECT COUNT(*) FROM information_schema.processlist WHERE user = 'mpp' AND host LIKE ?", manager.Address.String()+":%")
		if err := row.Scan(&n); err != nil || n == 0 {
			return fmt.Errorf("%d sessions of it, %w", n, errors.Join(err, errors.New("as yet")))
		}
		return nil
	})
}

func TestAConfigurationThatMppdRefusesIsShown(t *testing.T) {
	labtest.Need(t)
	l := labtest.Up(t, lab.Options{Nodes: 2})
	if err := l.WriteConfig(lab.ConfigOptions{Failover: `mode = "perhaps"`}); err != nil {
		t.Fatal(err)
	}
	err := l.StartMppd(sandboxtest.Context(t), buildMppd(t))
	if err == nil || !strings.Contains(err.Error(), "perhaps") {
		t.Errorf("the error does not say why: %v", err)
	}
}

func TestAddedLinesAreWhereTheyBelong(t *testing.T) {
	l := labtest.Up(t, lab.Options{Nodes: 2})
	err := l.WriteConfig(lab.ConfigOptions{
		Top: "[log]\nlevel = \"debug\"", Pool: `readers = "standby"`, Failover: `max_loss = 3`, Switchover: `wait = "7s"`,
		VIP: `announce_for = "1s"`, SSH: `timeout = "3s"`, Node: func(h *lab.Host) string { return fmt.Sprintf("prefer = %d", h.Node) },
		End: "# the end",
	})
	if err != nil {
		t.Fatal(err)
	}
	out, err := exec.CommandContext(t.Context(), buildMppd(t), "-check", "-config", l.ConfigFile()).CombinedOutput()
	if err != nil || !strings.Contains(string(out), "ok: 1 pool, 2 nodes") {
		text, _ := os.ReadFile(l.ConfigFile())
		t.Errorf("%v: %s\n%s", err, out, text)
	}
}
