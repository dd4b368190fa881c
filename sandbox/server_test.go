package sandbox_test

import (
	"context"
	"database/sql"
	"errors"
	"net"
	"os"
	"path/filepath"
	"strings"
	"testing"
	"time"

	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

// eachFlavour runs a test with every product and dialect.
func eachFlavour(t *testing.T, test func(*testing.T, sandbox.Base)) {
	for _, flavour := range sandbox.Flavours() {
		t.Run(string(flavour), func(t *testing.T) { test(t, sandboxtest.Base(t, flavour)) })
	}
}

// scalar asks a server for one value.
func scalar(t *testing.T, db *sql.DB, query string) string {
	t.Helper()
	var value string
	if err := db.QueryRowContext(sandboxtest.Context(t), query).Scan(&value); err != nil {
		t.Fatalf("%s: %v", query, err)
	}
	return value
}

// mustExec runs statements on a server.
func mustExec(t *testing.T, db *sql.DB, statements ...string) {
	t.Helper()
	for _, text := range statements {
		if _, err := db.ExecContext(sandboxtest.Context(t), text); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
	}
}

// must fails the test for an error.
func must(t *testing.T, err error) {
	t.Helper()
	if err != nil {
		t.Fatal(err)
	}
}

// dial opens a TCP connection and closes it.
func dial(ctx context.Context, address string) error {
	conn, err := (&net.Dialer{Timeout: time.Second}).DialContext(ctx, "tcp", address)
	if err != nil {
		return err
	}
	return conn.Close()
}

// answers asks for a trivial answer within a time.
func answers(s *sandbox.Server, limit time.Duration) error {
	ctx, cancel := context.WithTimeout(context.Background(), limit)
	defer cancel()
	return s.Root().PingContext(ctx)
}

func TestServerLivesThroughKillFreezeStopAndRestart(t *testing.T) {
	eachFlavour(t, func(t *testing.T, base sandbox.Base) {
		ctx := sandboxtest.Context(t)
		s := sandboxtest.Start(t, sandbox.Options{Base: base, Address: "127.0.0.7:0"})
		address := s.Address()
		if !strings.HasPrefix(address, "127.0.0.7:") {
			t.Errorf("address %s, want one on 127.0.0.7", address)
		}
		for setting, want := range map[string]string{"@@port": s.Port(), "@@log_bin": "1", "@@read_only": "0"} {
			if got := scalar(t, s.Root(), "SELECT "+setting); got != want {
				t.Errorf("%s = %s, want %s", setting, got, want)
			}
		}
		mustExec(t, s.Root(), "CREATE DATABASE d", "CREATE TABLE d.t (i INT PRIMARY KEY)", "INSERT INTO d.t VALUES (1)")

		must(t, s.Freeze())
		if err := answers(s, 200*time.Millisecond); err == nil {
			t.Error("a frozen server answered")
		}
		if err := dial(ctx, address); err != nil {
			t.Errorf("the kernel did not accept for a frozen server: %v", err)
		}
		must(t, s.Thaw())
		must(t, answers(s, 10*time.Second))

		must(t, s.Freeze())
		must(t, s.Kill())
		if s.Running() || s.PID() != 0 {
			t.Error("a killed server runs")
		}
		if err := dial(ctx, address); err == nil {
			t.Error("somebody accepts at a killed server's address")
		}
		if err := s.Freeze(); !errors.Is(err, sandbox.ErrNotRunning) {
			t.Errorf("freeze of a dead server: %v", err)
		}
		must(t, s.Restart(ctx))
		if got := scalar(t, s.Root(), "SELECT COUNT(*) FROM d.t"); got != "1" {
			t.Errorf("%s rows after a kill, want 1", got)
		}

		before := s.PID()
		must(t, s.Freeze())
		must(t, s.Restart(ctx)) // thaws, stops cleanly, starts
		if s.PID() == before || s.Address() != address {
			t.Errorf("restart: pid %d then %d, address %s then %s", before, s.PID(), address, s.Address())
		}
		must(t, s.Stop(ctx))
		must(t, s.Stop(ctx))
		must(t, s.Close())
		must(t, s.Close())
		if err := s.Restart(ctx); !errors.Is(err, sandbox.ErrClosed) {
			t.Errorf("restart of a closed server: %v", err)
		}
		if _, err := os.Stat(s.Dir()); !errors.Is(err, os.ErrNotExist) {
			t.Errorf("its folder is still there: %v", err)
		}
	})
}

func TestServerThatExitsFailsAtOnceWithItsLog(t *testing.T) {
	base := sandboxtest.Base(t, sandbox.MariaDB1011)
	dir := filepath.Join(t.TempDir(), "server")
	begin := time.Now()
	_, err := sandbox.Start(sandboxtest.Context(t), sandbox.Options{Base: base, Dir: dir, Args: []string{"--no-such-option"}})
	if err == nil || !strings.Contains(err.Error(), "no-such-option") || !errors.Is(err, sandbox.ErrNotRunning) {
		t.Errorf("error does not tell the log: %v", err)
	}
	if took := time.Since(begin); took > 20*time.Second {
		t.Errorf("it took %v to notice", took)
	}
	if _, err := os.Stat(dir); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("its folder is still there: %v", err)
	}
}

func TestServerWithALongFolderNameHasItsSocketElsewhere(t *testing.T) {
	base := sandboxtest.Base(t, sandbox.MariaDB1011)
	dir := filepath.Join(t.TempDir(), strings.Repeat("long", 30))
	s := sandboxtest.Start(t, sandbox.Options{Base: base, Dir: dir})
	if len(s.Socket()) > 107 {
		t.Errorf("socket path is too long: %s", s.Socket())
	}
	must(t, s.Close())
	if _, err := os.Stat(filepath.Dir(s.Socket())); !errors.Is(err, os.ErrNotExist) {
		t.Errorf("the socket's folder is still there: %v", err)
	}
}

func TestOptionsThatCannotWorkAreRefused(t *testing.T) {
	base := sandboxtest.Base(t, sandbox.MariaDB1011)
	full := t.TempDir()
	must(t, os.WriteFile(filepath.Join(full, "precious"), nil, 0o600))
	for name, o := range map[string]sandbox.Options{
		"no base":             {},
		"not loopback":        {Base: base, Address: "192.0.2.1:0"},
		"no port":             {Base: base, Address: "127.0.0.1"},
		"folder not empty":    {Base: base, Dir: full},
		"detached, no folder": {Base: base, Detached: true},
	} {
		if s, err := sandbox.Start(sandboxtest.Context(t), o); err == nil {
			t.Errorf("%s: no error", name)
			must(t, s.Close())
		}
	}
	if _, err := os.Stat(filepath.Join(full, "precious")); err != nil {
		t.Error(err)
	}
}

func TestServerInANetworkNamespace(t *testing.T) {
	if os.Geteuid() != 0 {
		t.Skip("only root can make a network namespace")
	}
	base := sandboxtest.Base(t, sandbox.MariaDB1011)
	s := sandboxtest.Start(t, sandbox.Options{
		Base: base, Address: "127.0.0.1:13306",
		Prefix: []string{"unshare", "--net", "sh", "-c", `ip link set lo up && exec "$@"`, "sh"},
	})
	if got := scalar(t, s.Root(), "SELECT @@port"); got != "13306" {
		t.Errorf("port %s", got)
	}
	if err := dial(t.Context(), s.Address()); err == nil {
		t.Error("its port is open outside of its namespace")
	}
	must(t, s.Kill())
	must(t, s.Restart(sandboxtest.Context(t)))
	must(t, s.Stop(sandboxtest.Context(t)))
}
