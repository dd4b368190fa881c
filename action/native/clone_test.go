package native

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"os"
	"path/filepath"
	"strconv"
	"strings"
	"testing"
	"time"

	"mpp"
	"mpp/action/remote"
	"mpp/sandbox"
	"mpp/sandbox/sandboxtest"
)

func TestCloneReplacesANodeThatHasDiverged(t *testing.T) {
	p := sandboxtest.StartPool(t, sandbox.PoolOptions{
		Base: sandboxtest.Base(t, sandbox.MySQL97), Size: 2, Args: []string{"--plugin-load-add=mysql_clone.so"},
	})
	w := &world{t: t, pool: p, flavour: sandbox.MySQL97}
	w.useRunner(Options{})
	defer func() { w.runner.Close() }()
	w.root(0, "CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200))")
	w.write(0, 10)
	w.inStep()
	w.root(1, "CREATE DATABASE stray")
	w.fails("CLONE_ADMIN", mpp.StepClone, 1, w.peer(0))
	w.want(1, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'stray'", "1")

	w.root(0, "GRANT CLONE_ADMIN, BACKUP_ADMIN ON *.* TO '"+p.Failover.User+"'@'%'")
	w.inStep()
	// A server whose process is not gone yet, though it listens no more, is not started: systemctl does
	// nothing then, other programs refuse. The test starts it.
	asked := filepath.Join(t.TempDir(), "asked")
	w.useRunner(Options{StartCommand: fmt.Sprintf("! kill -0 %d 2>/dev/null || exit $(($$ %% 2)); : >%s", p.Servers[1].PID(), asked)})
	w.runner.servers[w.addr(1)].node.Host = remote.NewLocal(false, time.Minute)
	restarted := make(chan error)
	go func() {
		err := sandbox.Eventually(sandboxtest.Context(t), 20*time.Millisecond, func(context.Context) error {
			_, err := os.Stat(asked)
			return err
		})
		if err == nil {
			err = p.Servers[1].Restart(t.Context())
		}
		restarted <- err
	}()
	got := w.once(mpp.StepClone, 1, w.peer(0), limit(time.Minute))
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
	if got.Position == nil || got.Position.Executed == "" {
		t.Errorf("no position: %+v", got)
	}
	w.want(1, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'stray'", "0")
	w.want(1, "SELECT @@global.super_read_only", "1")
	w.once(mpp.StepRepoint, 1, w.peer(0))
	w.write(0, 1)
	w.inStep()
	if w.rows(0) != w.rows(1) {
		t.Error("the copy is not one")
	}
}

func TestCloneIsRefusedBeforeAnythingIsThrownAway(t *testing.T) {
	each(t, both(), func(t *testing.T, w *world) {
		got := w.fails("refused", mpp.StepClone, 2, w.peer(0))
		if !w.mariaDB() && !strings.Contains(got.Text, "INSTALL PLUGIN") {
			t.Error(got.Text)
		}
		w.inStep()
	})
}

func TestABackupReplacesANodeThatHasDiverged(t *testing.T) {
	p := sandboxtest.StartPool(t, sandbox.PoolOptions{Base: sandboxtest.Base(t, sandbox.MariaDB1011), Size: 2})
	w := &world{t: t, pool: p, flavour: sandbox.MariaDB1011}
	w.root(0, "CREATE TABLE app.t (id INT AUTO_INCREMENT PRIMARY KEY, v VARCHAR(200))")
	w.write(0, 10)
	w.inStep()
	w.root(1, "CREATE DATABASE stray")
	pid := strconv.Itoa(p.Servers[1].PID())
	w.useRunner(Options{StartCommand: "true", StopCommand: "kill " + pid + "; while kill -0 " + pid + " 2>/dev/null; do sleep 0.05; done"})
	defer func() { w.runner.Close() }()
	w.fails("hosts of both", mpp.StepClone, 1, w.peer(0))
	for _, v := range w.runner.servers {
		v.node.Host = remote.NewLocal(false, time.Minute)
	}
	data := p.Servers[1].DataDir()
	restarted := make(chan error)
	go func() { restarted <- restart(t.Context(), p.Servers[1]) }()
	w.once(mpp.StepClone, 1, w.peer(0), limit(time.Minute))
	if err := <-restarted; err != nil {
		t.Fatal(err)
	}
	w.want(1, "SELECT COUNT(*) FROM information_schema.SCHEMATA WHERE SCHEMA_NAME = 'stray'", "0")
	w.want(1, "SELECT @@global.read_only", "1")
	for _, name := range []string{newData, oldData} {
		if _, err := os.Stat(filepath.Join(data, name)); !errors.Is(err, fs.ErrNotExist) {
			t.Errorf("%s is left: %v", name, err)
		}
	}
	w.once(mpp.StepRepoint, 1, w.peer(0))
	w.write(0, 1)
	w.inStep()
	if w.rows(0) != w.rows(1) {
		t.Error("the copy is not one")
	}
}

// restart starts a server again as soon as it has ended.
func restart(ctx context.Context, s *sandbox.Server) error {
	err := sandbox.Eventually(ctx, 20*time.Millisecond, func(context.Context) error {
		if s.Running() {
			return errors.New("it runs still")
		}
		return nil
	})
	if err != nil {
		return err
	}
	if s.Base().MariaDB { // until the copy is in place
		err = sandbox.Eventually(ctx, 20*time.Millisecond, func(context.Context) error {
			_, err := os.Stat(filepath.Join(s.DataDir(), newData))
			if err == nil {
				return errors.New("it is not in place")
			}
			return nil
		})
	}
	if err != nil {
		return err
	}
	return s.Restart(ctx)
}
